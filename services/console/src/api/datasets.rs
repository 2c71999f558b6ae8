//! Snapshots of datasets: holds, forgetting by two people, certified tests.

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::expecting::{Expecting, IfMatch};
use super::{Body, Result, Why, run_id};
use crate::commands::{Applied, DatasetAct};
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;

/// A legal hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Hold {
    /// Why: a case, an order.
    reason: String,
    /// Until when; for as long as nobody ends it when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    until: Option<Timestamp>,
}

/// Snapshots that are to be forgotten although the rule keeps them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Forget {
    /// Why.
    reason: String,
    /// The first letters of each one's name.
    snapshots: Vec<String>,
}

/// What somebody says who has looked at a restore test.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Certify {
    /// The run of the test.
    run: String,
    /// What they say about it.
    statement: String,
    /// For a test that failed, what is done about it.
    #[serde(default)]
    corrective_action: Option<String>,
}

async fn set(
    caller: &Caller,
    console: &Console,
    name: &str,
    act: &DatasetAct,
    reason: &str,
) -> Result<Json<Applied>> {
    domain::ids::check_name("dataset", name).map_err(Problem::bad_request)?;
    Ok(Json(console.set_dataset(name, act, caller, reason).await?))
}

/// Keeps a snapshot whatever the dataset's rule says.
#[utoipa::path(post, path = "/api/v1/datasets/{name}/snapshots/{snapshot}/hold", params(IfMatch, ("name" = String, Path), ("snapshot" = String, Path, description = "the first letters of its name")), request_body = Hold, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn hold_snapshot(
    Expecting(caller): Expecting,
    State(console): State<Console>,
    Path((name, snapshot)): Path<(String, String)>,
    Body(hold): Body<Hold>,
) -> Result<Json<Applied>> {
    let act = DatasetAct::Hold { snapshot, until: hold.until };
    set(&caller, &console, &name, &act, &hold.reason).await
}

/// Ends a hold; somebody else does than set it.
#[utoipa::path(post, path = "/api/v1/datasets/{name}/snapshots/{snapshot}/end-hold", params(IfMatch, ("name" = String, Path), ("snapshot" = String, Path, description = "the first letters of its name")), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn end_hold(
    Expecting(caller): Expecting,
    State(console): State<Console>,
    Path((name, snapshot)): Path<(String, String)>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set(&caller, &console, &name, &DatasetAct::EndHold { snapshot }, &why.reason).await
}

/// Asks that snapshots be forgotten although the rule keeps them; somebody else must agree.
#[utoipa::path(post, path = "/api/v1/datasets/{name}/forget", params(IfMatch, ("name" = String, Path)), request_body = Forget, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn request_forget(
    Expecting(caller): Expecting,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(forget): Body<Forget>,
) -> Result<Json<Applied>> {
    let act = DatasetAct::Forget { snapshots: forget.snapshots };
    set(&caller, &console, &name, &act, &forget.reason).await
}

/// Agrees to what was asked for: the next run of a retention job forgets them.
#[utoipa::path(post, path = "/api/v1/datasets/{name}/forget/approve", params(IfMatch, ("name" = String, Path)), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn approve_forget(
    Expecting(caller): Expecting,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set(&caller, &console, &name, &DatasetAct::ApproveForget, &why.reason).await
}

/// Declines what was asked for, or takes it back.
#[utoipa::path(post, path = "/api/v1/datasets/{name}/forget/decline", params(IfMatch, ("name" = String, Path)), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn decline_forget(
    Expecting(caller): Expecting,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set(&caller, &console, &name, &DatasetAct::DeclineForget, &why.reason).await
}

/// Certifies a restore test; somebody else does than asked for it.
#[utoipa::path(post, path = "/api/v1/datasets/{name}/certify", params(IfMatch, ("name" = String, Path)), request_body = Certify, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn certify_test(
    Expecting(caller): Expecting,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(certify): Body<Certify>,
) -> Result<Json<Applied>> {
    let Certify { run, statement, corrective_action } = certify;
    let act = DatasetAct::Certify { run: run_id(&run)?, corrective_action };
    set(&caller, &console, &name, &act, &statement).await
}
