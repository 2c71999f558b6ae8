//! The rules that an auditor tests, over everything that happened in a month.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use domain::canonical::Digest;
use domain::controls::{Control, ControlSettings, ItemTold, Period, Summary, csv};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::{Body, Result, Valid};
use crate::commands::{Applied, DisposeWanted, SignControl};
use crate::controls::{drawn, month, outcomes, period, rule};
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;

/// Most members of a population in an answer; all of them are in the CSV.
const ITEMS: usize = 5_000;

/// Of which time.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct OfMonth {
    /// The month, `2026-11`, by the zone of the console's machine; this one when absent.
    #[serde(default)]
    month: String,
}

/// Of which time, and which members of the population.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Chosen {
    /// The month, `2026-11`, by the zone of the console's machine; this one when absent.
    #[serde(default)]
    month: String,
    /// Whether all members are told, and not the exceptions alone; at most 5000.
    #[serde(default)]
    population: bool,
    /// Instead of them, so many that are drawn by the root of the newest signed head; at most 1000.
    #[serde(default)]
    #[param(maximum = 1000)]
    sample: Option<u32>,
}

/// All controls in a month.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    /// The position to which it is true: what came after it is not counted yet.
    position: u64,
    month: String,
    from: Timestamp,
    until: Timestamp,
    /// What the site has agreed with its auditor.
    measures: ControlSettings,
    /// Which these are, in words: those that the log has approved, or others.
    measures_are: String,
    /// Whether they are those that the log had approved at the end of the month, or the usual ones where there were none.
    measures_agreed: bool,
    controls: Vec<Summary>,
}

/// One control in a month.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    /// The position to which it is true.
    position: u64,
    month: String,
    from: Timestamp,
    until: Timestamp,
    control: &'static Control,
    summary: Summary,
    /// The root by which a sample was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    drawn_by: Option<Digest>,
    /// SHA-256 of its exceptions and what was said of them: what a signature is about.
    shown: String,
    items: Vec<ItemTold>,
    /// How many more there are, which the CSV has.
    more: usize,
}

/// What became of each control in a month: how many members its population has, how many of them are exceptions, and why one
/// that was not tested could not be. It is computed over the whole log, by the same code that whoever verifies evidence runs.
#[utoipa::path(get, path = "/api/v1/controls", params(OfMonth), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn list_controls(
    _: Caller,
    State(console): State<Console>,
    Valid(wanted): Valid<OfMonth>,
) -> Result<Json<Listed>> {
    let month = month(&wanted.month, (console.clock)())?;
    let Period { from, until } = period(month)?;
    let known = outcomes(&console, month).await?;
    let (position, controls) = (known.position, known.outcomes.iter().map(Summary::of).collect());
    let (month, used) = (month.to_string(), &known.used);
    let (measures, measures_agreed) = (used.settings.clone(), used.as_agreed);
    let measures_are = used.says.clone();
    let listed =
        Listed { position, month, from, until, measures, measures_are, measures_agreed, controls };
    Ok(Json(listed))
}

/// One control in a month: what it says, and the exceptions, the whole population or a sample of it, each with the position of
/// the event that tells of it.
#[utoipa::path(get, path = "/api/v1/controls/{id}", params(("id" = String, Path, description = "Name of the control"), Chosen), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn show_control(
    _: Caller,
    State(console): State<Console>,
    Path(id): Path<String>,
    Valid(wanted): Valid<Chosen>,
) -> Result<Json<Shown>> {
    let (control, month) = (rule(&id)?, month(&wanted.month, (console.clock)())?);
    let Period { from, until } = period(month)?;
    let known = outcomes(&console, month).await?;
    let outcome = known.of(control)?;
    let (drawn_by, mut items) = match wanted.sample {
        Some(count) => {
            let (root, items) = drawn(&console, outcome, count.min(1_000)).await?;
            (Some(root), items)
        }
        None if wanted.population => (None, outcome.population.clone()),
        None => (None, outcome.exceptions().cloned().collect()),
    };
    let more = items.len().saturating_sub(ITEMS);
    items.truncate(ITEMS);
    let (month, summary) = (month.to_string(), Summary::of(outcome));
    let shown = outcome.shown().map_err(Problem::unavailable)?.to_string();
    let (items, position) = (outcome.told(items), known.position);
    Ok(Json(Shown { position, month, from, until, control, summary, drawn_by, shown, items, more }))
}

/// The whole population of a control in a month, one member a line, as a file that spreadsheets open. No cell of it is a formula.
#[utoipa::path(get, path = "/api/v1/controls/{id}/population.csv", params(("id" = String, Path, description = "Name of the control"), OfMonth), responses((status = 200, content_type = "text/csv", body = String), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn population(
    _: Caller,
    State(console): State<Console>,
    Path(id): Path<String>,
    Valid(wanted): Valid<OfMonth>,
) -> Result<impl IntoResponse> {
    let (control, month) = (rule(&id)?, month(&wanted.month, (console.clock)())?);
    let text = csv(outcomes(&console, month).await?.of(control)?);
    let name = format!("attachment; filename=\"{}-{month}.csv\"", control.id);
    let kind = "text/csv; charset=utf-8".to_owned();
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], text))
}

/// Says what became of an exception of a control. Who says so again takes the place of what was said before; both stay in the log.
#[utoipa::path(post, path = "/api/v1/controls/{id}/dispositions", params(("id" = String, Path, description = "Name of the control")), request_body = DisposeWanted, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn dispose_exception(
    caller: Caller,
    State(console): State<Console>,
    Path(id): Path<String>,
    Body(wanted): Body<DisposeWanted>,
) -> Result<Json<Applied>> {
    let control = rule(&id)?;
    Ok(Json(console.dispose_exception(control, &wanted, &caller).await?))
}

/// Signs for a control of a month: how many exceptions it has, of how many nobody has said what became of them, and to which
/// position of the log that was shown.
#[utoipa::path(post, path = "/api/v1/controls/{id}/reviews", params(("id" = String, Path, description = "Name of the control")), request_body = SignControl, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn review_control(
    caller: Caller,
    State(console): State<Console>,
    Path(id): Path<String>,
    Body(wanted): Body<SignControl>,
) -> Result<Json<Applied>> {
    let control = rule(&id)?;
    Ok(Json(console.review_control(control, &wanted, &caller).await?))
}
