//! Changes that wait for somebody, what they would do, and what people say of them.

use axum::Json;
use axum::extract::{Path, State};
use bus::recorder::each_stream;
use domain::ids::StreamId;
use domain::job::ChangeRequest;
use domain::wire::{Selection, StreamView};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::expecting::{Expecting, IfMatch};
use super::{Body, Result};
use crate::commands::{Applied, ChangeAct, Proposed};
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;

/// An act, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SaidOfChange {
    /// What.
    act: ChangeAct,
    /// Why; for an approval it may be absent.
    #[serde(default)]
    reason: String,
}

/// A change that waits.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WaitingChange {
    /// What is defined.
    #[schema(value_type = String)]
    stream: StreamId,
    /// The change.
    #[schema(value_type = Object)]
    request: ChangeRequest,
}

/// The stream of what is defined.
pub(crate) fn defined_id(kind: &str, name: &str) -> Result<StreamId> {
    let id: StreamId = format!("{kind}/{name}").parse().map_err(Problem::bad_request)?;
    let defined = kind == "job" || id.stream_type().thing().is_some();
    if defined { Ok(id) } else { Err(Problem::not_found(format!("nothing is defined as {kind}"))) }
}

/// Changes that wait for somebody: to be approved, or to be looked at after an emergency.
#[utoipa::path(get, path = "/api/v1/changes", responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn list_changes(_: Caller, State(console): State<Console>) -> Result<Json<Value>> {
    let mut items = Vec::new();
    let take = |view: StreamView| items.extend(waiting(view));
    let position = each_stream(&console.bus, Selection::Waiting, take).await?;
    Ok(Json(json!({"position": position, "items": items})))
}

fn waiting(view: StreamView) -> Vec<WaitingChange> {
    let versions = view.state.body.versions();
    let all = versions.map(|versions| versions.requests.clone()).unwrap_or_default();
    let open = |one: &ChangeRequest| {
        one.outcome == domain::job::ChangeOutcome::Open || one.waits_for_a_look()
    };
    let all = all.into_iter().filter(open);
    all.map(|request| WaitingChange { stream: view.id.clone(), request }).collect()
}

/// The newest changes of a job or of anything else that is defined, and what became of each.
#[utoipa::path(get, path = "/api/v1/changes/{kind}/{name}", params(("kind" = String, Path), ("name" = String, Path)), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn history(
    _: Caller,
    State(console): State<Console>,
    Path((kind, name)): Path<(String, String)>,
) -> Result<Json<Value>> {
    let id = defined_id(&kind, &name)?;
    let state = console.state(&id).await?;
    let versions = state.as_ref().and_then(|state| state.body.versions());
    let versions = versions.ok_or_else(|| Problem::not_found(format!("there is no {id}")))?;
    let active = versions.active().map(|span| span.number);
    Ok(Json(json!({"stream": id, "active": active, "items": versions.requests})))
}

/// The change that waits: the difference to what is active, and its effect on the next 14 days.
#[utoipa::path(get, path = "/api/v1/changes/{kind}/{name}/effect", params(("kind" = String, Path), ("name" = String, Path)), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn effect(
    _: Caller,
    State(console): State<Console>,
    Path((kind, name)): Path<(String, String)>,
) -> Result<Json<Proposed>> {
    Ok(Json(console.proposed(&defined_id(&kind, &name)?).await?))
}

/// Says something of a change: approve, reject, withdraw, comment, expedite, ratify, revert.
#[utoipa::path(post, path = "/api/v1/changes/{kind}/{name}/acts", params(IfMatch, ("kind" = String, Path), ("name" = String, Path)), request_body = SaidOfChange, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn act_on_change(
    Expecting(caller): Expecting,
    State(console): State<Console>,
    Path((kind, name)): Path<(String, String)>,
    Body(said): Body<SaidOfChange>,
) -> Result<Json<Applied>> {
    let id = defined_id(&kind, &name)?;
    Ok(Json(console.set_change(&id, &said.act, &caller, &said.reason).await?))
}
