//! What can be said of a run.

use axum::Json;
use axum::extract::{Path, State};
use domain::event::Resolution;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Body, Result, Why, instant, run_id};
use crate::commands::{Applied, RunAct};
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;

/// How a lost run ended.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolve {
    /// `succeeded` or `failed`.
    #[schema(value_type = String)]
    outcome: Resolution,
    /// What shows it.
    reason: String,
}

/// Until when a run waits.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Delay {
    /// It starts not before this instant, RFC 3339. One that has passed ends an earlier delay.
    to: String,
    /// Why.
    reason: String,
}

async fn set_run(
    caller: &Caller,
    console: &Console,
    run: &str,
    act: RunAct,
    reason: &str,
) -> Result<Json<Applied>> {
    Ok(Json(console.set_run(&run_id(run)?, act, caller, reason).await?))
}

/// Asks a run to stop, or not to start.
#[utoipa::path(post, path = "/api/v1/runs/{run}/cancel", params(("run" = String, Path)), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn cancel_run(
    caller: Caller,
    State(console): State<Console>,
    Path(run): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set_run(&caller, &console, &run, RunAct::Cancel, &why.reason).await
}

/// Holds a run that has not started: it waits until somebody releases it.
#[utoipa::path(post, path = "/api/v1/runs/{run}/hold", params(("run" = String, Path)), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn hold_run(
    caller: Caller,
    State(console): State<Console>,
    Path(run): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set_run(&caller, &console, &run, RunAct::Hold, &why.reason).await
}

/// Lets a held run go on.
#[utoipa::path(post, path = "/api/v1/runs/{run}/release", params(("run" = String, Path)), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn release_run(
    caller: Caller,
    State(console): State<Console>,
    Path(run): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set_run(&caller, &console, &run, RunAct::Release, &why.reason).await
}

/// Skips a run that has not started: it does not happen.
#[utoipa::path(post, path = "/api/v1/runs/{run}/skip", params(("run" = String, Path)), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn skip_run(
    caller: Caller,
    State(console): State<Console>,
    Path(run): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set_run(&caller, &console, &run, RunAct::Skip, &why.reason).await
}

/// Says go, where the job asks somebody for it. Which role that takes the job says, and the recorder sees to it.
#[utoipa::path(post, path = "/api/v1/runs/{run}/confirm", params(("run" = String, Path)), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn confirm_run(
    caller: Caller,
    State(console): State<Console>,
    Path(run): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    let id = run_id(&run)?;
    Ok(Json(console.set_run(&id, RunAct::Confirm, &caller, &why.reason).await?))
}

/// Lets a run go on without what it waits for.
#[utoipa::path(post, path = "/api/v1/runs/{run}/override", params(("run" = String, Path)), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn override_run(
    caller: Caller,
    State(console): State<Console>,
    Path(run): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set_run(&caller, &console, &run, RunAct::Override, &why.reason).await
}

/// Lets a run that has not started, or will be tried again, start later.
#[utoipa::path(post, path = "/api/v1/runs/{run}/delay", params(("run" = String, Path)), request_body = Delay, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn delay_run(
    caller: Caller,
    State(console): State<Console>,
    Path(run): Path<String>,
    Body(body): Body<Delay>,
) -> Result<Json<Applied>> {
    let act = RunAct::Delay(instant(&body.to)?);
    set_run(&caller, &console, &run, act, &body.reason).await
}

/// Says, with evidence, how a run ended whose outcome is unknown.
#[utoipa::path(post, path = "/api/v1/runs/{run}/resolve", params(("run" = String, Path)), request_body = Resolve, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn resolve_run(
    caller: Caller,
    State(console): State<Console>,
    Path(run): Path<String>,
    Body(body): Body<Resolve>,
) -> Result<Json<Applied>> {
    set_run(&caller, &console, &run, RunAct::Resolve(body.outcome), &body.reason).await
}
