//! How the site itself stands.

use axum::Json;
use axum::extract::State;

use super::Result;
use crate::people::Caller;
use crate::problem::Problem;
use crate::site::{Site, site as stands};
use crate::state::Console;

/// How the site stands: the log and its recorder, the programs around it, who is called, the rules that were set; and what is not
/// as it should be. It answers while the recorder does not, and says so.
#[utoipa::path(get, path = "/api/v1/site", responses((status = 200, body = Site), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn site(_: Caller, State(console): State<Console>) -> Result<Json<Site>> {
    Ok(Json(stands(&console).await))
}
