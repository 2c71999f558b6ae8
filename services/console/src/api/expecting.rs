//! Requests about a version: they are done only where what they change has not moved on.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use utoipa::IntoParams;

use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;
use crate::versions::Expected;

/// Who asks, and for which version (`If-Match`).
#[derive(Debug)]
pub(super) struct Expecting(pub(super) Caller);

impl FromRequestParts<Console> for Expecting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Problem> {
        let mut caller = Caller::from_request_parts(parts, console).await?;
        caller.expected = Expected::of(&parts.headers);
        Ok(Self(caller))
    }
}

/// The header of a request about a version.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is read by `Expected`; this describes it")]
pub(super) struct IfMatch {
    /// The `ETag` of what is to be changed, as it was read: where it has moved on since, nothing is said, and the answer is 412.
    #[param(rename = "If-Match")]
    if_match: Option<String>,
}

/// The header of a question by somebody who has an answer.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is read by `is_known`; this describes it")]
pub(super) struct IfNoneMatch {
    /// An `ETag` of an earlier answer: where that is how it stands, the answer is 304 and has no body.
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
}
