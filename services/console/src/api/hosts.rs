//! Hosts: which there are, when each was last heard, and whether it takes work.

use axum::Json;
use axum::extract::{Path, State};
use bus::recorder::ask;
use domain::ids::StreamId;
use domain::wire::{Answer, Content, Query, Selection, StreamView};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Body, Page, Result, Valid, Why};
use crate::commands::{Applied, HostAct, Invitation};
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;

fn host_id(name: &str) -> Result<StreamId> {
    domain::ids::check_name("host", name).map_err(Problem::bad_request)?;
    Ok(StreamId::host(name))
}

/// What the log says of a host, and what it said last itself.
fn item(console: &Console, view: &StreamView) -> Value {
    json!({"id": view.id, "state": view.state, "heard": console.heard.of(view.id.rest())})
}

/// Lists hosts in the order of their names; of each also when it was last heard, and what it ran then.
#[utoipa::path(get, path = "/api/v1/hosts", params(Page), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn list_hosts(
    _: Caller,
    State(console): State<Console>,
    Valid(page): Valid<Page>,
) -> Result<Json<Value>> {
    let limit = page.limit.min(2_000);
    let query = Query::Streams { of: Selection::Hosts, after: page.after, limit };
    let Answer { position, content } = ask(&console.bus, &query).await?;
    let Content::Streams(hosts) = content else { return Err(Problem::unavailable("no hosts")) };
    let next = hosts.last().map(|view| view.id.to_string());
    let items: Vec<Value> = hosts.iter().map(|view| item(&console, view)).collect();
    Ok(Json(json!({"position": position, "items": items, "next": next})))
}

/// Shows a host.
#[utoipa::path(get, path = "/api/v1/hosts/{name}", params(("name" = String, Path)), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn show_host(
    _: Caller,
    State(console): State<Console>,
    Path(name): Path<String>,
) -> Result<Json<Value>> {
    let id = host_id(&name)?;
    let Answer { position, content } = ask(&console.bus, &Query::Stream { id }).await?;
    let Content::Streams(hosts) = content else { return Err(Problem::unavailable("no host")) };
    let host = hosts.first();
    let host = host.ok_or_else(|| Problem::not_found(format!("there is no host {name}")))?;
    Ok(Json(json!({"position": position, "item": item(&console, host)})))
}

async fn set(
    caller: &Caller,
    console: &Console,
    name: &str,
    act: HostAct,
    why: &Why,
) -> Result<Json<Applied>> {
    host_id(name)?;
    Ok(Json(console.set_host(name, act, caller, &why.reason).await?))
}

/// Drains a host: it starts nothing new until it is resumed; what runs there goes on.
#[utoipa::path(post, path = "/api/v1/hosts/{name}/drain", params(("name" = String, Path)), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn drain_host(
    caller: Caller,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set(&caller, &console, &name, HostAct::Drain, &why).await
}

/// Lets a drained host take work again.
#[utoipa::path(post, path = "/api/v1/hosts/{name}/resume", params(("name" = String, Path)), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn resume_host(
    caller: Caller,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set(&caller, &console, &name, HostAct::Resume, &why).await
}

/// Takes a host's key back, for good: nothing that it says from then on is taken or counts. It comes back only by an invitation,
/// with another key.
#[utoipa::path(post, path = "/api/v1/hosts/{name}/revoke", params(("name" = String, Path)), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn revoke_host(
    caller: Caller,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    host_id(&name)?;
    Ok(Json(console.revoke_host(&name, &caller, &why.reason).await?))
}

/// A host that is to join.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Invite {
    /// Why.
    reason: String,
    /// Whether it was let in before, and is to have another key: of those before, none counts any more once it has joined.
    #[serde(default)]
    again: bool,
}

/// Lets one executor of this name in, within a quarter of an hour: what is pasted on that host is shown once.
#[utoipa::path(post, path = "/api/v1/hosts/{name}/invite", params(("name" = String, Path)), request_body = Invite, responses((status = 200, body = Invitation), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn invite_host(
    caller: Caller,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(wanted): Body<Invite>,
) -> Result<Json<Invitation>> {
    host_id(&name)?;
    let Invite { reason, again } = wanted;
    Ok(Json(console.invite_host(&name, again, &caller, &reason).await?))
}
