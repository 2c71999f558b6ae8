//! Errors of the API: problem details (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bus::recorder::AskError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::commands::CommandError;
use crate::people::Gone;

/// What went wrong, in a form that programs can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A stable word: `about:blank#not-found`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was tried, on what, and what to do.
    pub detail: String,
}

impl Problem {
    fn new(status: StatusCode, word: &str, detail: impl ToString) -> Self {
        Self {
            kind: format!("about:blank#{word}"),
            title: status.canonical_reason().unwrap_or("error").to_owned(),
            status: status.as_u16(),
            detail: detail.to_string(),
        }
    }

    pub(crate) fn bad_request(detail: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    pub(crate) fn not_found(detail: impl ToString) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    pub(crate) fn unauthorized() -> Self {
        let detail = "send `Authorization: Bearer TOKEN`; the first token is in console.token of the console's data directory";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    pub(crate) fn token_over() -> Self {
        let detail =
            "this token was revoked or has ended: make another with `decklog user token create`";
        Self::new(StatusCode::UNAUTHORIZED, "token-over", detail)
    }

    /// A request with a key that is asked again too early.
    pub(crate) fn goes_on() -> Self {
        let detail = "the first request with this Idempotency-Key goes on: try again in a moment";
        Self::new(StatusCode::CONFLICT, "goes-on", detail)
    }

    /// A request with a key that is asked again, and whose answer is not kept.
    pub(crate) fn done_before() -> Self {
        let detail = "this was done before by this Idempotency-Key; its answer was too long to be kept, \
            and it is not done twice: to do it once more, send another key";
        Self::new(StatusCode::CONFLICT, "done-before", detail)
    }

    /// A key that came with something else.
    pub(crate) fn another_key() -> Self {
        let detail = "this Idempotency-Key came with another request before: each request has a key of \
            its own, and a repetition has the same path, body and token";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "another-request", detail)
    }

    pub(crate) fn too_many_streams(detail: impl ToString) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-streams", detail)
    }

    pub(crate) fn forbidden(detail: impl ToString) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// Its status.
    pub(crate) fn code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Somebody behind us tried, and it did not go well.
    pub(crate) fn failed(detail: impl ToString) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "failed", detail)
    }

    pub(crate) fn unavailable(detail: impl ToString) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.code(), Json(self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        Self::unavailable(error)
    }
}

impl From<Gone> for Problem {
    fn from(gone: Gone) -> Self {
        match gone {
            Gone::Wrong | Gone::Old => Self::forbidden(gone),
            Gone::Wait(_) => Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-tries", gone),
            Gone::Refused(_) => Self::bad_request(gone),
            Gone::Command(error) => error.into(),
            Gone::Here(_) | Gone::Directory(_) => Self::unavailable(gone),
        }
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match &error {
            CommandError::NotFound(_) => Self::not_found(&error),
            CommandError::Denied(_) => Self::forbidden(&error),
            CommandError::Invalid(_) => Self::bad_request(&error),
            CommandError::Moved(_) => {
                Self::new(StatusCode::PRECONDITION_FAILED, "moved-on", &error)
            }
            CommandError::Refused(_) => Self::new(StatusCode::CONFLICT, "refused", &error),
            CommandError::Unavailable(_) | CommandError::NotYet(_) | CommandError::Host(_) => {
                Self::unavailable(&error)
            }
        }
    }
}
