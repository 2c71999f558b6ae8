//! Evidence that somebody has taken away.

use axum::Json;
use axum::extract::State;
use domain::canonical::Digest;
use domain::event::LogExported;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Body, Result};
use crate::commands::Applied;
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;

/// A file of evidence.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Export {
    /// How many events the log had: it holds all of them, or some, where it is a part.
    #[schema(minimum = 1)]
    size: u64,
    /// The control that it is about, where it is a part of the log.
    control: Option<String>,
    /// The root of the head under which it stands, hexadecimal.
    #[schema(value_type = String)]
    root: Digest,
    /// The beginning of the period that it is about.
    #[schema(value_type = String)]
    from: Timestamp,
    /// The end of that, which is not a part of it.
    #[schema(value_type = String)]
    until: Timestamp,
    /// SHA-256 of the file, hexadecimal.
    #[schema(value_type = String)]
    file: Digest,
    /// Its bytes.
    bytes: u64,
}

/// Records that the caller has written a file of evidence, and which. `decklog evidence export` says so by itself.
#[utoipa::path(post, path = "/api/v1/exports", request_body = Export, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn record_export(
    caller: Caller,
    State(console): State<Console>,
    Body(said): Body<Export>,
) -> Result<Json<Applied>> {
    let Export { size, control, root, from, until, file, bytes } = said;
    let event = LogExported { size, control, root, from, until, file, bytes };
    Ok(Json(console.record_export(event, &caller).await?))
}
