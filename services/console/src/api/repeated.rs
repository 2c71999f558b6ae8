//! Requests that may be repeated: a POST with an `Idempotency-Key` is done once, however often it is sent.

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use domain::canonical::{Digest, hex};

use super::{BODY_BYTES, Result};
use crate::commands::drawn;
use crate::people::Caller;
use crate::problem::Problem;
use crate::repeats::{ANSWER_BYTES, Begun, Keyed, Known, Said};
use crate::state::Console;

/// The header that carries a key.
pub(crate) const KEY: &str = "idempotency-key";
/// The header of an answer that was given before.
const REPLAYED: &str = "idempotency-replayed";
/// Longest key, in characters.
pub(crate) const KEY_CHARS: usize = 100;

/// Does a POST that carries a key once.
pub(super) async fn once(State(console): State<Console>, request: Request, next: Next) -> Response {
    let has_key = request.headers().contains_key(KEY);
    if request.method() != Method::POST || !has_key {
        return next.run(request).await;
    }
    keyed(&console, request, next).await.unwrap_or_else(Problem::into_response)
}

async fn keyed(console: &Console, request: Request, next: Next) -> Result<Response> {
    let key = key_of(&request)?;
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, console).await?;
    let too_long = |_| Problem::bad_request(format!("a body has {BODY_BYTES} bytes at most"));
    let body = to_bytes(body, BODY_BYTES).await.map_err(too_long)?;
    let print = print_of(&parts, &body, &caller);
    let keyed = Keyed { user: caller.user.name.clone(), key };
    parts.extensions.insert(Named(name_of(&keyed, &parts)));
    let begun = match console.repeats.begin(keyed, print, (console.clock)()) {
        Known::First(begun) => begun,
        Known::Answered(said) => return Ok(again(said)),
        Known::GoesOn => return Err(Problem::goes_on()),
        Known::Another => return Err(Problem::another_key()),
        Known::TooMany => return Err(Problem::unavailable("too many requests go on; try again")),
    };
    let (console, request) = (console.clone(), Request::from_parts(parts, Body::from(body)));
    // Whoever hangs up may ask for the answer later: what was begun goes on to its end without them.
    let done = tokio::spawn(async move { keep(&console, begun, next.run(request).await).await });
    done.await.map_err(|_| Problem::unavailable("this request came to no end; try again"))
}

fn key_of(request: &Request) -> Result<String> {
    let mut all = request.headers().get_all(KEY).iter();
    let key = all.next().and_then(|key| key.to_str().ok()).unwrap_or_default();
    let fits =
        (1..=KEY_CHARS).contains(&key.len()) && key.bytes().all(|b| (0x20..0x7f).contains(&b));
    if !fits || all.next().is_some() {
        return Err(Problem::bad_request(format!(
            "Idempotency-Key: one of 1 to {KEY_CHARS} printable characters (ASCII)"
        )));
    }
    Ok(key.to_owned())
}

/// What tells a request from every other one. A token that may less does not get the answer that another of the account got.
fn print_of(parts: &Parts, body: &[u8], caller: &Caller) -> Digest {
    let head = format!("{} {}\n{:?}\n", parts.method, parts.uri, caller.limits());
    let condition = parts.headers.get("if-match").map_or(&b""[..], HeaderValue::as_bytes);
    Digest::of(&[head.as_bytes(), condition, b"\n", body].concat())
}

/// What a run is asked for by: the same key gives the same name, also after the console has started anew.
fn name_of(keyed: &Keyed, parts: &Parts) -> String {
    let text = format!("{}\n{}\n{}", keyed.user, parts.uri.path(), keyed.key);
    hex(&Digest::of(text.as_bytes()).0[..8])
}

fn again(said: Said) -> Response {
    let mut answer = (said.status, said.head, said.body).into_response();
    answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    answer
}

/// Keeps an answer. Where it says that something is out of reach for now, asking again is worth a try: that is not kept.
async fn keep(console: &Console, begun: Begun, answer: Response) -> Response {
    let status = answer.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return answer;
    }
    let now = (console.clock)();
    let (parts, body) = answer.into_parts();
    if body.size_hint().upper().is_none_or(|bytes| bytes > ANSWER_BYTES as u64) {
        begun.answered(too_long_to_keep(), now);
        return Response::from_parts(parts, body);
    }
    match to_bytes(body, ANSWER_BYTES).await {
        Ok(body) => {
            let (status, head) = (parts.status, parts.headers.clone());
            begun.answered(Said { status, head, body: body.clone() }, now);
            Response::from_parts(parts, Body::from(body))
        }
        Err(error) => Problem::unavailable(error).into_response(),
    }
}

/// What a repetition gets in the place of a long answer: it is not done twice all the same.
fn too_long_to_keep() -> Said {
    let problem = Problem::done_before();
    let body = serde_json::to_vec(&problem).unwrap_or_default().into();
    let (parts, _) = problem.into_response().into_parts();
    Said { status: parts.status, head: parts.headers, body }
}

/// The name that a key gives to a request for runs.
#[derive(Debug, Clone)]
struct Named(String);

/// The name of a request for runs whose body has none: by its key, or drawn.
#[derive(Debug)]
pub(super) struct ByKey(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for ByKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        match parts.extensions.get::<Named>() {
            Some(Named(name)) => Ok(Self(name.clone())),
            None => Ok(Self(drawn()?)),
        }
    }
}
