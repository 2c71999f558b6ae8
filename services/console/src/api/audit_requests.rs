//! What auditors ask to be shown, what is answered, and whether that is enough.

use axum::Json;
use axum::extract::{Path, State};
use domain::ids::StreamId;
use domain::request::Request;
use domain::wire::RequestFilter;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{Body, Result, Valid, one_stream};
use crate::commands::{Applied, RequestAct, RequestWanted, listed_by};
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;

/// Which requests.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// `current` (not over), `open`, `answered`, `flagged`, `overdue`, `closed`, `accepted`, `withdrawn` or `all`.
    #[serde(default = "all")]
    state: String,
    /// Only numbers below this one; to page, the last that was given.
    #[serde(default)]
    below: Option<u32>,
    /// Most requests.
    #[serde(default = "super::hundred")]
    #[param(maximum = 2000)]
    limit: u32,
}

fn all() -> String {
    "all".to_owned()
}

/// What is said of a request.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SaidOfRequest {
    /// What.
    act: RequestAct,
    /// In which words, at most 4000 bytes.
    #[serde(default)]
    text: String,
}

/// A request.
#[derive(Debug, Serialize)]
struct View<'a> {
    id: StreamId,
    state: &'a str,
    overdue: bool,
    #[serde(flatten)]
    request: &'a Request,
}

fn request_id(number: &str) -> Result<StreamId> {
    format!("request/{number}").parse().map_err(Problem::bad_request)
}

/// Requests of auditors, newest first.
#[utoipa::path(get, path = "/api/v1/requests", params(Wanted), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn list_requests(
    _: Caller,
    State(console): State<Console>,
    Valid(wanted): Valid<Wanted>,
) -> Result<Json<Value>> {
    let now = (console.clock)();
    let (below, limit) = (wanted.below, wanted.limit.min(2_000));
    let filter = RequestFilter { below, limit, ..listed_by(&wanted.state, now)? };
    let (position, found) = console.requests(filter).await?;
    let view = |request| View {
        id: Request::id(request),
        state: request.word(),
        overdue: request.is_overdue(now),
        request,
    };
    let items: Vec<View<'_>> = found.iter().map(view).collect();
    let next = found.last().map(|request| request.number);
    Ok(Json(json!({"position": position, "items": items, "next": next})))
}

/// Asks, as an auditor, to be shown something.
#[utoipa::path(post, path = "/api/v1/requests", request_body = RequestWanted, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn ask_request(
    caller: Caller,
    State(console): State<Console>,
    Body(wanted): Body<RequestWanted>,
) -> Result<Json<Applied>> {
    Ok(Json(console.ask_request(&wanted, &caller).await?))
}

/// One request with its thread.
#[utoipa::path(get, path = "/api/v1/requests/{number}", params(("number" = u32, Path)), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn show_request(
    _: Caller,
    State(console): State<Console>,
    Path(number): Path<String>,
) -> Result<Json<Value>> {
    one_stream(&console, request_id(&number)?).await
}

/// Answers a request, accepts or flags the answer, or withdraws it.
#[utoipa::path(post, path = "/api/v1/requests/{number}", params(("number" = u32, Path)), request_body = SaidOfRequest, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn act_on_request(
    caller: Caller,
    State(console): State<Console>,
    Path(number): Path<String>,
    Body(said): Body<SaidOfRequest>,
) -> Result<Json<Applied>> {
    let id = request_id(&number)?;
    Ok(Json(console.set_request(&id, &said.act, &caller, &said.text).await?))
}
