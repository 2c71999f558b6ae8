//! The rules that an auditor tests, over everything that happened in a month.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use domain::canonical::Digest;
use domain::controls::{Control, ControlSettings, Item, Period, Summary, csv};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::{Result, Valid};
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
    items: Vec<Item>,
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
    let (month, measures) = (month.to_string(), console.controls.settings.clone());
    Ok(Json(Listed { position, month, from, until, measures, controls }))
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
    let (position, outcome) = (known.position, known.of(control)?);
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
    Ok(Json(Shown { position, month, from, until, control, summary, drawn_by, items, more }))
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
