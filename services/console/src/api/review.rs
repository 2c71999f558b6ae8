//! The morning review.

use axum::Json;
use axum::extract::State;
use domain::review::Shown;
use serde_json::{Value, json};

use super::{Body, Result};
use crate::commands::Applied;
use crate::people::Caller;
use crate::problem::Problem;
use crate::review::{NoteWanted, SignWanted};
use crate::state::Console;

/// What is to be reviewed: since the last review until now. `shown` is what a signature is about.
#[utoipa::path(get, path = "/api/v1/review", responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn review(_: Caller, State(console): State<Console>) -> Result<Json<Value>> {
    let morning = console.morning(None).await?;
    let shown = Shown { position: 0, ..morning.shown() };
    let digest = shown.digest().map_err(Problem::unavailable)?;
    let open: Vec<_> = morning.open().iter().map(|row| &row.run).collect();
    Ok(Json(json!({
        "position": morning.position,
        "since": morning.since,
        "until": morning.until,
        "numbers": morning.night.numbers,
        "exceptions": shown.exceptions,
        "open": open,
        "shown": digest,
        "overdue": morning.is_overdue(),
        "goes-on": morning.goes_on(),
        "signed": morning.review.signed.last(),
    })))
}

/// Says what becomes of an exception.
#[utoipa::path(post, path = "/api/v1/review/notes", request_body = NoteWanted, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn note(
    caller: Caller,
    State(console): State<Console>,
    Body(wanted): Body<NoteWanted>,
) -> Result<Json<Applied>> {
    Ok(Json(console.note_exception(&wanted, &caller).await?))
}

/// Signs for what was shown, where nothing of it is open and it is still that.
#[utoipa::path(post, path = "/api/v1/review/signature", request_body = SignWanted, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn sign(
    caller: Caller,
    State(console): State<Console>,
    Body(wanted): Body<SignWanted>,
) -> Result<Json<Applied>> {
    Ok(Json(console.sign_review(&wanted, &caller).await?))
}
