//! Incidents, what people say of them, and who would be called now.

use axum::Json;
use axum::extract::{Path, State};
use domain::ids::StreamId;
use domain::incident::Incident;
use domain::wire::IncidentFilter;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{Body, Result, Valid, one_stream};
use crate::commands::{Applied, IncidentAct, IncidentWanted};
use crate::people::Caller;
use crate::problem::Problem;
use crate::rota::{OnCall, on_call};
use crate::state::Console;

/// Which incidents.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// About this, such as `job/payroll`.
    #[serde(default)]
    of: Option<String>,
    /// Only those that somebody still has to deal with.
    #[serde(default)]
    open: bool,
    /// Only those that come after the one with this name; to page, the last that was given.
    #[serde(default)]
    behind: Option<String>,
    /// Most incidents.
    #[serde(default = "super::hundred")]
    #[param(maximum = 2000)]
    limit: u32,
}

/// What is said of an incident.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SaidOfIncident {
    /// What.
    act: IncidentAct,
    /// In which words, at most 1000 bytes; for an acknowledgement it may be absent.
    #[serde(default)]
    text: String,
}

/// An incident.
#[derive(Debug, Serialize)]
struct View<'a> {
    id: StreamId,
    state: &'a str,
    #[serde(flatten)]
    incident: &'a Incident,
}

/// The name of an incident: what it is about, and its number.
fn incident_id(of: &str, name: &str, number: u32) -> Result<StreamId> {
    format!("incident/{of}/{name}/{number}").parse().map_err(Problem::bad_request)
}

/// Incidents, newest first.
#[utoipa::path(get, path = "/api/v1/incidents", params(Wanted), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn list_incidents(
    _: Caller,
    State(console): State<Console>,
    Valid(wanted): Valid<Wanted>,
) -> Result<Json<Value>> {
    let read = |text: String| text.parse::<StreamId>().map_err(Problem::bad_request);
    let of = wanted.of.map(read).transpose()?;
    let behind = match wanted.behind.map(read).transpose()? {
        None => None,
        Some(id) => {
            let state = console.state(&id).await?;
            let opened = state.as_ref().and_then(|state| state.body.incident()).map(|i| i.opened);
            let missing = || Problem::not_found(format!("there is no {id}"));
            Some((opened.ok_or_else(missing)?, id))
        }
    };
    let limit = wanted.limit.min(2_000);
    let filter = IncidentFilter { of, open: wanted.open, behind, limit };
    let (position, found) = console.incidents(filter).await?;
    let view = |incident| View { id: Incident::id(incident), state: incident.word(), incident };
    let items: Vec<View<'_>> = found.iter().map(view).collect();
    let next = items.last().map(|view| view.id.to_string());
    Ok(Json(json!({"position": position, "items": items, "next": next})))
}

/// Reports an incident: people are called by its call tree.
#[utoipa::path(post, path = "/api/v1/incidents", request_body = IncidentWanted, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn report_incident(
    caller: Caller,
    State(console): State<Console>,
    Body(wanted): Body<IncidentWanted>,
) -> Result<Json<Applied>> {
    Ok(Json(console.report_incident(&wanted, &caller).await?))
}

fn number_of(text: &str) -> Result<u32> {
    text.parse().map_err(|_| Problem::bad_request(format!("{text:?} is no number of an incident")))
}

/// One incident.
#[utoipa::path(get, path = "/api/v1/incidents/{of}/{name}/{number}", params(("of" = String, Path), ("name" = String, Path), ("number" = u32, Path)), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn show_incident(
    _: Caller,
    State(console): State<Console>,
    Path((of, name, number)): Path<(String, String, String)>,
) -> Result<Json<Value>> {
    one_stream(&console, incident_id(&of, &name, number_of(&number)?)?).await
}

/// Says something of an incident.
#[utoipa::path(post, path = "/api/v1/incidents/{of}/{name}/{number}", params(("of" = String, Path), ("name" = String, Path), ("number" = u32, Path)), request_body = SaidOfIncident, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn act_on_incident(
    caller: Caller,
    State(console): State<Console>,
    Path((of, name, number)): Path<(String, String, String)>,
    Body(said): Body<SaidOfIncident>,
) -> Result<Json<Applied>> {
    let id = incident_id(&of, &name, number_of(&number)?)?;
    Ok(Json(console.set_incident(&id, &said.act, &caller, &said.text).await?))
}

/// Who would be called now, by call tree and level.
#[utoipa::path(get, path = "/api/v1/rota", responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn rota(_: Caller, State(console): State<Console>) -> Result<Json<Value>> {
    let trees: Vec<OnCall> = on_call(&console).await?;
    Ok(Json(json!({"items": trees})))
}
