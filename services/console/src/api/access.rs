//! The access review.

use axum::Json;
use axum::extract::State;
use domain::access::is_own_work;
use domain::people::Action;
use serde_json::{Value, json};

use super::{Body, Result};
use crate::access::AccessSignWanted;
use crate::commands::Applied;
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;

/// Who may do what: every account with its grants and tokens, and what changed since the last review. `shown` is what a
/// signature is about; `may-sign` says whether this caller may.
#[utoipa::path(get, path = "/api/v1/access-review", responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn review(caller: Caller, State(console): State<Console>) -> Result<Json<Value>> {
    let access = console.access(&caller, None).await?;
    let policy = console.policy().await?;
    let may = caller.could(Action::SignReviews, (console.clock)());
    let shown = &access.shown;
    Ok(Json(json!({
        "position": shown.position,
        "since": shown.since,
        "until": shown.until,
        "accounts": shown.accounts,
        "removed": shown.removed,
        "changed": shown.changed,
        "shown": access.digest()?,
        "overdue": access.overdue,
        "may-sign": may && !is_own_work(&caller.user, policy.self_approval),
        "signed": access.review.access.last(),
    })))
}

/// Signs for who may do what.
#[utoipa::path(post, path = "/api/v1/access-review", request_body = AccessSignWanted, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn sign(
    caller: Caller,
    State(console): State<Console>,
    Body(wanted): Body<AccessSignWanted>,
) -> Result<Json<Applied>> {
    Ok(Json(console.sign_access(&wanted, &caller).await?))
}
