//! Keys that wait to be let in, and those that are taken back.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Body, Result};
use crate::commands::{Applied, WaitingKey};
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;

/// Keys that are not let in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Keys {
    /// Whether a person confirms each key here.
    required: bool,
    /// They, in the order of their names.
    items: Vec<WaitingKey>,
}

/// Lists the keys that wait until a person confirms them, and those that somebody has declined.
#[utoipa::path(get, path = "/api/v1/keys", responses((status = 200, body = Keys), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn list_keys(_: Caller, State(console): State<Console>) -> Result<Json<Keys>> {
    let (required, items) = console.waiting_keys().await?;
    Ok(Json(Keys { required, items }))
}

/// A key that is to be let in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirm {
    /// The name that it asks for, such as `executor/db-07`.
    producer: String,
    /// Its fingerprint, as its machine shows it: 32 digits or more; blanks, dashes and colons count for nothing.
    fingerprint: String,
    /// How you know, 1 to 1000 bytes.
    reason: String,
}

/// Confirms the key that waits for a name. Whoever invited a host does not confirm its key.
#[utoipa::path(post, path = "/api/v1/keys/confirm", request_body = Confirm, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn confirm_key(
    caller: Caller,
    State(console): State<Console>,
    Body(wanted): Body<Confirm>,
) -> Result<Json<Applied>> {
    let Confirm { producer, fingerprint, reason } = wanted;
    Ok(Json(console.confirm_key(&producer, &fingerprint, &caller, &reason).await?))
}

/// A producer, and what is said of its key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OfKey {
    /// Its name, such as `executor/db-07`.
    producer: String,
    /// Why, 1 to 1000 bytes.
    reason: String,
}

/// Declines the key that waits for a name: it is told so, and another key may ask.
#[utoipa::path(post, path = "/api/v1/keys/decline", request_body = OfKey, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn decline_key(
    caller: Caller,
    State(console): State<Console>,
    Body(wanted): Body<OfKey>,
) -> Result<Json<Applied>> {
    Ok(Json(console.decline_key(&wanted.producer, &caller, &wanted.reason).await?))
}

/// Takes the key of a console, a scheduler or a recorder back: nothing that it says from then on counts.
#[utoipa::path(post, path = "/api/v1/keys/revoke", request_body = OfKey, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn revoke_key(
    caller: Caller,
    State(console): State<Console>,
    Body(wanted): Body<OfKey>,
) -> Result<Json<Applied>> {
    Ok(Json(console.revoke_key(&wanted.producer, &caller, &wanted.reason).await?))
}
