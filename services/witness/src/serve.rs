//! HTTP: one call, as C2SP tlog-witness has it, and a page that says who this is.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, State as Given};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use jiff::Timestamp;
use tlog::{CosignerKey, MAX_SUBMISSION_BYTES, Submission, VerifierKey};
use tracing::{error, info, warn};

use crate::decide::{Known, Refusal, decide};
use crate::memory::Memory;

/// What all requests share.
#[derive(Clone)]
pub(crate) struct State(Arc<Inner>);

struct Inner {
    /// Locked from the look at what is known until it is remembered anew: two requests never see the same.
    memory: Mutex<Memory>,
    key: CosignerKey,
    logs: Vec<VerifierKey>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl State {
    pub(crate) fn new(
        memory: Memory,
        key: CosignerKey,
        logs: Vec<VerifierKey>,
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Self {
        Self(Arc::new(Inner { memory: Mutex::new(memory), key, logs, clock }))
    }
}

pub(crate) fn app(state: State) -> Router {
    Router::new()
        .route("/", get(about))
        .route("/add-checkpoint", post(add))
        .layer(DefaultBodyLimit::max(MAX_SUBMISSION_BYTES))
        .with_state(state)
}

async fn about(Given(State(inner)): Given<State>) -> String {
    let logs: String = inner.logs.iter().map(|key| format!("log {key}\n")).collect();
    format!(
        "# A witness of Decklog logs (C2SP tlog-witness).\nwitness NAME {}\n{logs}",
        inner.key.witness_key()
    )
}

async fn add(Given(state): Given<State>, body: Bytes) -> Response {
    let submission = match Submission::parse(&body) {
        Ok(submission) => submission,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    // It writes a file and waits until that is on the disk.
    let done = tokio::task::spawn_blocking(move || state.0.cosign(&submission)).await;
    done.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

impl Inner {
    fn cosign(&self, submission: &Submission) -> Response {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let head = match decide(submission, &self.logs, |origin| memory.known(origin)) {
            Ok(head) => head,
            Err(refusal) => return refused(&refusal),
        };
        let known = Known { size: head.size(), root: head.root() };
        if let Err(error) = memory.remember(head.origin(), known) {
            error!(error = format!("{error:#}"), "nothing is cosigned");
            return (StatusCode::INTERNAL_SERVER_ERROR, "it cannot be remembered\n")
                .into_response();
        }
        let at = u64::try_from((self.clock)().as_second()).unwrap_or_default();
        info!(log = head.origin(), size = head.size(), "cosigned");
        format!("{}\n", self.key.cosign(&head, at)).into_response()
    }
}

fn refused(refusal: &Refusal) -> Response {
    let said = |status: StatusCode, text: &str| (status, format!("{text}\n")).into_response();
    match refusal {
        Refusal::UnknownLog => said(StatusCode::NOT_FOUND, "no such log is known here"),
        Refusal::NotSigned => said(StatusCode::FORBIDDEN, "the log's key has not signed it"),
        Refusal::Malformed(text) => said(StatusCode::BAD_REQUEST, text),
        Refusal::Conflict(size) => {
            let kind = [(CONTENT_TYPE, "text/x.tlog.size")];
            (StatusCode::CONFLICT, kind, format!("{size}\n")).into_response()
        }
        Refusal::NoExtension(text) => {
            warn!(%text, "a head does not continue what was cosigned: the log misbehaves, or its proof is wrong");
            said(StatusCode::UNPROCESSABLE_ENTITY, text)
        }
    }
}
