//! Legal holds, payloads that are erased before their time, and the salts by which one is shown.

use axum::Json;
use axum::extract::{Path, State};
use domain::canonical::Digest;
use domain::event::ReadWhat;
use domain::people::Action;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Body, OutputPart, Result, Valid, Why, attempt_of, run_id};
use crate::commands::{Applied, HoldAct, RedactionAct, check_reason};
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;

/// Lists legal holds, and payloads that are to be erased before their time, or were lately.
#[utoipa::path(get, path = "/api/v1/records", responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn list_records(_: Caller, State(console): State<Console>) -> Result<Json<Value>> {
    let records = console.records().await?;
    let hold = |(name, one): (&String, &domain::ledger::LegalHold)| json!({"name": name, "over": one.over, "reason": one.reason, "by": one.by, "since": one.since, "lift": one.lift});
    let redaction = |(of, one): (&domain::ids::StreamId, &domain::ledger::Redaction)| json!({"of": of, "state": one.word(), "asked": one.asked, "agreed": one.agreed, "waits-for": one.waits_for, "erased": one.erased});
    let holds: Vec<Value> = records.holds.iter().map(hold).collect();
    let redactions: Vec<Value> = records.redactions.iter().map(redaction).collect();
    Ok(Json(json!({"holds": holds, "redactions": redactions})))
}

/// What is said of a legal hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SaidOfHold {
    /// What.
    act: HoldAct,
    /// Why.
    reason: String,
}

/// Places a legal hold, asks for its end, keeps it, or lifts it, which somebody else has asked for.
#[utoipa::path(post, path = "/api/v1/records/holds/{name}", params(("name" = String, Path)), request_body = SaidOfHold, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn act_on_hold(
    caller: Caller,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(said): Body<SaidOfHold>,
) -> Result<Json<Applied>> {
    Ok(Json(console.set_hold(&name, &said.act, &caller, &said.reason).await?))
}

/// What is said of a payload that somebody wants erased.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SaidOfRedaction {
    /// The run or document, such as `run/payroll@2026-11-20T02:30:00Z`.
    of: String,
    /// What.
    act: RedactionAct,
    /// Why.
    reason: String,
}

/// Asks for a payload to be erased before its time, agrees to what somebody else has asked for, or declines it.
#[utoipa::path(post, path = "/api/v1/records/redactions", request_body = SaidOfRedaction, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn act_on_redaction(
    caller: Caller,
    State(console): State<Console>,
    Body(said): Body<SaidOfRedaction>,
) -> Result<Json<Applied>> {
    let of = domain::payload::named(&said.of).map_err(Problem::bad_request)?;
    Ok(Json(console.set_redaction(&of, said.act, &caller, &said.reason).await?))
}

/// The salt of the commitment to a payload.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Salt {
    /// Number of the attempt, of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// 64 hexadecimal digits.
    #[schema(value_type = String)]
    salt: Digest,
}

/// The salt with which the log commits to what an attempt wrote: with it and the output, anybody can compare.
#[utoipa::path(get, path = "/api/v1/runs/{run}/salt", params(("run" = String, Path), OutputPart), responses((status = 200, body = Salt), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn run_salt(
    caller: Caller,
    State(console): State<Console>,
    Path(run): Path<String>,
    Valid(part): Valid<OutputPart>,
) -> Result<Json<Salt>> {
    let id = run_id(&run)?;
    caller.may(&console, Action::ReadOutput, Some(&id)).await?;
    let (_, attempt) = attempt_of(&console, &id, part.attempt).await?;
    let attempt = attempt.filter(|attempt| attempt.payload.is_some());
    let nothing = || Problem::not_found(format!("the log commits to no output of {id}"));
    let attempt = attempt.ok_or_else(nothing)?;
    let salt = console.salt(&attempt.host, &id, Some(attempt.number)).await?;
    Ok(Json(Salt { attempt: Some(attempt.number), salt }))
}

/// The salt with which the log commits to a document's content. The log hears that its content is read.
#[utoipa::path(post, path = "/api/v1/documents/{id}/salt", params(("id" = String, Path, description = "the first digits of its identity")), request_body = Why, responses((status = 200, body = Salt), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn document_salt(
    caller: Caller,
    State(console): State<Console>,
    Path(id): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<Salt>> {
    check_reason(&why.reason)?;
    let (id, document) = console.document_for(&caller, Action::ReadDocuments, &id).await?;
    let salt = console.salt(&document.spooled.host, &id, None).await?;
    console.note_read(&id, ReadWhat::Content, &caller, &why.reason).await?;
    Ok(Json(Salt { attempt: None, salt }))
}
