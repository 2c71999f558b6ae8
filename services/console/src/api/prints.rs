//! Documents, queues and numbered stock.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use bytes::Bytes;
use domain::event::{FormEvent, FormRegisterRead, PrintEvent, PrintRead, ReadWhat};
use domain::ids::StreamId;
use domain::print::DOCUMENT_BYTES_MAX;
use domain::print::document::Document;
use domain::print::facts::DocumentFacts;
use domain::print::register::{self, Entry};
use domain::site::ThingKind;
use domain::wire::HostQuery;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

use super::{Body, Result, Why};
use crate::commands::{
    Applied, CommandError, DocumentAct, FormAct, QueueAct, check_number, check_reason, document_of,
};
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;
use domain::people::Action;

/// Bytes asked of a host at once.
const PIECE: u32 = 256 * 1024;

/// An act, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Said<A> {
    /// What.
    act: A,
    /// Why.
    reason: String,
}

/// Says something of a document: hold, release, cancel, move, change, reprint and the like.
#[utoipa::path(post, path = "/api/v1/documents/{id}/acts", params(("id" = String, Path, description = "the first digits of its identity")), request_body = Said<DocumentAct>, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn act_on_document(
    caller: Caller,
    State(console): State<Console>,
    Path(id): Path<String>,
    Body(said): Body<Said<DocumentAct>>,
) -> Result<Json<Applied>> {
    Ok(Json(console.set_document(&id, &said.act, &caller, &said.reason).await?))
}

/// Says something of numbered stock: loaded, witnessed, void, returned, checked and the like.
#[utoipa::path(post, path = "/api/v1/forms/{name}/acts", params(("name" = String, Path)), request_body = Said<FormAct>, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn act_on_form(
    caller: Caller,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(said): Body<Said<FormAct>>,
) -> Result<Json<Applied>> {
    domain::ids::check_name("form", &name).map_err(Problem::bad_request)?;
    Ok(Json(console.set_form(&name, &said.act, &caller, &said.reason).await?))
}

/// Holds a queue, or lets it go on.
#[utoipa::path(post, path = "/api/v1/queues/{name}/acts", params(("name" = String, Path)), request_body = Said<QueueAct>, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn act_on_queue(
    caller: Caller,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(said): Body<Said<QueueAct>>,
) -> Result<Json<Applied>> {
    domain::ids::check_name("queue", &name).map_err(Problem::bad_request)?;
    Ok(Json(console.set_queue(&name, said.act, &caller, &said.reason).await?))
}

/// A document's content. The log hears of it first.
#[utoipa::path(post, path = "/api/v1/documents/{id}/content", params(("id" = String, Path, description = "the first digits of its identity")), request_body = Why, responses((status = 200, content_type = "application/octet-stream"), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn read_document(
    caller: Caller,
    State(console): State<Console>,
    Path(id): Path<String>,
    Body(why): Body<Why>,
) -> Result<impl IntoResponse> {
    check_reason(&why.reason)?;
    let (id, document) = console.document_for(&caller, Action::ReadDocuments, &id).await?;
    let content = console.content(&id, &document).await?;
    console.note_read(&id, ReadWhat::Content, &caller, &why.reason).await?;
    let kind = document.spooled.format.media_type();
    Ok(([(header::CONTENT_TYPE, kind)], content))
}

/// What a document's host knows of it beside the log: its title, recipients, payees and amounts, its code. The log hears of
/// it first.
#[utoipa::path(post, path = "/api/v1/documents/{id}/facts", params(("id" = String, Path, description = "the first digits of its identity")), request_body = Why, responses((status = 200, content_type = "application/json"), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn read_facts(
    caller: Caller,
    State(console): State<Console>,
    Path(id): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<DocumentFacts>> {
    check_reason(&why.reason)?;
    let (id, document) = console.document_for(&caller, Action::ReadDocuments, &id).await?;
    let facts = console.facts(&id, &document).await?;
    console.note_read(&id, ReadWhat::Register, &caller, &why.reason).await?;
    Ok(Json(facts))
}

/// A range of numbers, and why it is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    /// The first number.
    first: u64,
    /// The last.
    last: u64,
    /// Why.
    reason: String,
    /// The account as the bank knows it, for the file for the bank.
    #[serde(default)]
    account: String,
    /// The zone of its dates; UTC when absent.
    #[serde(default)]
    zone: Option<String>,
}

/// What became of each number, with payees and amounts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Registered {
    /// A line for each number that was ever loaded.
    #[schema(value_type = Vec<Object>)]
    entries: Vec<Entry>,
    /// The file for the bank, where the form has one.
    positive_pay: Option<String>,
    /// Why there is none.
    problem: Option<String>,
}

/// The register of a form with payees and amounts, and the file for the bank. The log hears of it first.
#[utoipa::path(post, path = "/api/v1/forms/{name}/register", params(("name" = String, Path)), request_body = Range, responses((status = 200, body = Registered), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn read_register(
    caller: Caller,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(range): Body<Range>,
) -> Result<Json<Registered>> {
    domain::ids::check_name("form", &name).map_err(Problem::bad_request)?;
    caller.may(&console, Action::ReadDocuments, None).await?;
    check_reason(&range.reason)?;
    check_number(range.first).and_then(|()| check_number(range.last))?;
    let zone =
        TimeZone::get(range.zone.as_deref().unwrap_or("UTC")).map_err(Problem::bad_request)?;
    let id = StreamId::thing(ThingKind::Form, &name);
    let state = console.state(&id).await?;
    let form = state.as_ref().and_then(|state| state.body.form());
    let form = form.ok_or_else(|| CommandError::NotFound(format!("form {name}")))?;
    let mut known = BTreeMap::new();
    for id in register::documents(form, range.first, range.last) {
        let document = document_of(&id, console.state(&id).await?.as_ref())?;
        // What is erased has no payees any more: its numbers still have their fates.
        let facts = if document.erased.is_some() {
            None
        } else {
            Some(console.facts(&id, &document).await?)
        };
        known.insert(id, (document, facts));
    }
    let read = FormRegisterRead { first: range.first, last: range.last, reason: range.reason };
    console.say_of(&id, &caller, FormEvent::FormRegisterRead(read).into()).await?;
    let entries = register::register(form, &known, range.first, range.last);
    let layout = form.definition().and_then(|definition| definition.positive_pay);
    let made =
        layout.map(|layout| register::positive_pay(form, &layout, &entries, &range.account, &zone));
    let (positive_pay, problem) = match made {
        None => (None, None),
        Some(Ok(text)) => (Some(text), None),
        Some(Err(problem)) => (None, Some(problem)),
    };
    Ok(Json(Registered { entries, positive_pay, problem }))
}

impl Console {
    async fn facts(
        &self,
        id: &StreamId,
        document: &Document,
    ) -> std::result::Result<DocumentFacts, CommandError> {
        let query = HostQuery::DocumentFacts { document: id.clone() };
        let found = self.kept_by(&document.spooled.host, &query).await?;
        serde_json::from_slice(&found).map_err(|error| CommandError::Host(error.to_string()))
    }

    async fn content(
        &self,
        id: &StreamId,
        document: &Document,
    ) -> std::result::Result<Vec<u8>, CommandError> {
        let mut content = Vec::new();
        while (content.len() as u64) < document.spooled.bytes.min(DOCUMENT_BYTES_MAX) {
            let offset = content.len() as u64;
            let query = HostQuery::Document { document: id.clone(), offset, limit: PIECE };
            let piece = self.kept_by(&document.spooled.host, &query).await?;
            if piece.is_empty() {
                let less = "its host has less of it than the log knows";
                return Err(CommandError::Host(less.to_owned()));
            }
            content.extend_from_slice(&piece);
        }
        Ok(content)
    }

    /// What was read is told only when the log has it.
    pub(super) async fn note_read(
        &self,
        id: &StreamId,
        what: ReadWhat,
        caller: &Caller,
        reason: &str,
    ) -> std::result::Result<(), CommandError> {
        let read = PrintRead { what, reason: reason.to_owned() };
        self.say_of(id, caller, PrintEvent::PrintRead(read).into()).await.map(drop)
    }

    /// What a host has of a document.
    async fn kept_by(
        &self,
        host: &str,
        query: &HostQuery,
    ) -> std::result::Result<Bytes, CommandError> {
        let found = self.ask_host(host, query).await?;
        let gone = || CommandError::NotFound(format!("content of it on host {host} any more"));
        found.ok_or_else(gone)
    }
}
