//! What can be said of single occurrences before their time, and what was said.

use axum::Json;
use axum::extract::{Path, State};
use domain::forecast::of_job;
use domain::ids::StreamId;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{Body, Result, Valid, Why, instant, job_name};
use crate::commands::{Applied, OccurrenceAct};
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;

/// Where an occurrence goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Move {
    /// The instant it runs at, RFC 3339.
    to: String,
    /// Why.
    reason: String,
}

/// Which occurrences.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Ahead {
    /// After this instant, RFC 3339; now when absent.
    #[serde(default)]
    after: Option<String>,
    /// Most occurrences.
    #[serde(default = "ten")]
    #[param(maximum = 1000)]
    limit: usize,
}

fn ten() -> usize {
    10
}

/// How far ahead occurrences are looked for.
const AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_hours(5 * 366 * 24);

/// Lists the next occurrences of a job and what becomes of them, and what people have said of single ones.
#[utoipa::path(get, path = "/api/v1/jobs/{name}/occurrences", params(("name" = String, Path), Ahead), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn list_occurrences(
    _: Caller,
    State(console): State<Console>,
    Path(name): Path<String>,
    Valid(ahead): Valid<Ahead>,
) -> Result<Json<Value>> {
    let id = StreamId::job(job_name(&name)?);
    let state = bus::recorder::stream(&console.bus, &id).await?;
    let job = state.as_ref().and_then(|state| state.body.job());
    let job = job.ok_or_else(|| Problem::not_found(format!("there is no job {name}")))?;
    let (position, site) = console.site_view().await?;
    let after = match &ahead.after {
        Some(text) => instant(text)?,
        None => (console.clock)(),
    };
    let until = after.checked_add(AHEAD).unwrap_or(jiff::Timestamp::MAX);
    let planned = of_job(job, (after, until), ahead.limit.min(1_000), &site);
    let planned = planned.map_err(Problem::bad_request)?;
    let planned: Vec<_> = planned.into_iter().map(|(_, planned)| planned).collect();
    let orders = job.orders.iter().map(|(at, order)| {
        let (act, reason, by) = (order.act, &order.reason, &order.by);
        json!({"occurrence": at, "act": act, "reason": reason, "by": by})
    });
    let orders: Vec<Value> = orders.collect();
    Ok(Json(json!({"position": position, "orders": orders, "items": planned})))
}

async fn set(
    caller: &Caller,
    console: &Console,
    (name, at): (String, String),
    act: OccurrenceAct,
    reason: &str,
) -> Result<Json<Applied>> {
    let (name, at) = (job_name(&name)?, instant(&at)?);
    Ok(Json(console.set_occurrence(name, at, act, caller, reason).await?))
}

/// Holds the occurrence at an instant: when its time comes, it waits for a person.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/occurrences/{at}/hold", params(("name" = String, Path), ("at" = String, Path, description = "Its instant, RFC 3339")), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn hold_occurrence(
    caller: Caller,
    State(console): State<Console>,
    Path(which): Path<(String, String)>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set(&caller, &console, which, OccurrenceAct::Hold, &why.reason).await
}

/// Takes back what was said of the occurrence at an instant.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/occurrences/{at}/release", params(("name" = String, Path), ("at" = String, Path, description = "Its instant, RFC 3339")), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn release_occurrence(
    caller: Caller,
    State(console): State<Console>,
    Path(which): Path<(String, String)>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set(&caller, &console, which, OccurrenceAct::Release, &why.reason).await
}

/// Skips the occurrence at an instant: it will not run.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/occurrences/{at}/skip", params(("name" = String, Path), ("at" = String, Path, description = "Its instant, RFC 3339")), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn skip_occurrence(
    caller: Caller,
    State(console): State<Console>,
    Path(which): Path<(String, String)>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set(&caller, &console, which, OccurrenceAct::Skip, &why.reason).await
}

/// Moves the occurrence at an instant: it keeps its name and runs at another.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/occurrences/{at}/move", params(("name" = String, Path), ("at" = String, Path, description = "Its instant, RFC 3339")), request_body = Move, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn move_occurrence(
    caller: Caller,
    State(console): State<Console>,
    Path(which): Path<(String, String)>,
    Body(body): Body<Move>,
) -> Result<Json<Applied>> {
    let act = OccurrenceAct::Move(instant(&body.to)?);
    set(&caller, &console, which, act, &body.reason).await
}

/// Runs the occurrence at an instant now.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/occurrences/{at}/run-now", params(("name" = String, Path), ("at" = String, Path, description = "Its instant, RFC 3339")), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn run_occurrence_now(
    caller: Caller,
    State(console): State<Console>,
    Path(which): Path<(String, String)>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set(&caller, &console, which, OccurrenceAct::RunNow, &why.reason).await
}
