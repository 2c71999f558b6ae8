//! What pages ask the recorder for, with the position to which each answer is true.

use axum::http::StatusCode;
use bus::recorder::{AskError, ask, each_stream};
use domain::backup::Dataset;
use domain::forecast::SiteView;
use domain::ids::StreamId;
use domain::job::Job;
use domain::ledger::{Body, StreamState};
use domain::site::ThingKind;
use domain::wire::{
    Answer, Content, DocumentFilter, EventFilter, JobFilter, LogEntry, Proof, Query, RunFilter,
    RunRow, Selection, StreamView,
};

use super::answer::Page;
use crate::commands::CommandError;
use crate::state::Console;

/// An answer, and the position to which it is true.
pub(crate) type Read<T> = Result<(u64, T), Page>;

/// One stream, where there is one.
pub(crate) async fn maybe(console: &Console, id: &StreamId) -> Read<Option<StreamState>> {
    let Answer { position, content } = ask(&console.bus, &Query::Stream { id: id.clone() }).await?;
    let Content::Streams(streams) = content else { return Err(AskError::other().into()) };
    Ok((position, streams.into_iter().next().map(|view| view.state)))
}

/// One stream; a page that says so where there is none.
pub(crate) async fn one(console: &Console, id: &StreamId) -> Read<StreamState> {
    let (position, state) = maybe(console, id).await?;
    let (kind, name) = (id.stream_type().word(), id.rest());
    let missing = || Page::problem(StatusCode::NOT_FOUND, &format!("there is no {kind} {name}"));
    Ok((position, state.ok_or_else(missing)?))
}

/// A dataset, by a name that somebody wrote; a page that says so where there is none.
pub(crate) async fn dataset(console: &Console, name: &str) -> Read<Dataset> {
    let (position, state) = one(console, &super::thing_id(ThingKind::Dataset, name)?).await?;
    let missing = || CommandError::NotFound(format!("dataset {name}"));
    let Body::Dataset(dataset) = state.body else { return Err(missing().into()) };
    Ok((position, *dataset))
}

/// Streams of a selection after a name.
pub(crate) async fn some(
    console: &Console,
    of: Selection,
    after: &str,
    limit: u32,
) -> Read<Vec<StreamView>> {
    let query = Query::Streams { of, after: after.to_owned(), limit };
    let Answer { position, content } = ask(&console.bus, &query).await?;
    let Content::Streams(streams) = content else { return Err(AskError::other().into()) };
    Ok((position, streams))
}

/// Jobs that fit, in the order of their names.
pub(crate) async fn jobs(console: &Console, filter: JobFilter) -> Read<Vec<StreamView>> {
    let Answer { position, content } = ask(&console.bus, &Query::Jobs(filter)).await?;
    let Content::Streams(streams) = content else { return Err(AskError::other().into()) };
    Ok((position, streams))
}

/// All streams of a selection.
pub(crate) async fn all(console: &Console, of: Selection) -> Read<Vec<StreamView>> {
    let mut found = Vec::new();
    let position = each_stream(&console.bus, of, |view| found.push(view)).await?;
    Ok((position, found))
}

/// The jobs among streams.
pub(crate) fn only_jobs(views: Vec<StreamView>) -> impl Iterator<Item = Job> {
    let job = |body: Body| if let Body::Job(job) = body { Some(job) } else { None };
    views.into_iter().filter_map(move |view| job(view.state.body))
}

/// All jobs: for what is counted over all of them.
pub(crate) async fn all_jobs(console: &Console) -> Result<Vec<Job>, Page> {
    let (_, views) = all(console, Selection::Jobs).await?;
    Ok(only_jobs(views).collect())
}

/// Runs, newest first.
pub(crate) async fn runs(console: &Console, filter: RunFilter) -> Read<Vec<RunRow>> {
    let Answer { position, content } = ask(&console.bus, &Query::Runs(filter)).await?;
    let Content::Runs(rows) = content else { return Err(AskError::other().into()) };
    Ok((position, rows))
}

/// Documents, newest first, as many as are asked for: one answer has fewer where they are large.
pub(crate) async fn documents(console: &Console, filter: DocumentFilter) -> Read<Vec<StreamView>> {
    let (mut found, mut position) = (Vec::<StreamView>::new(), None);
    let mut asked = filter.clone();
    loop {
        let (at, page) = some_documents(console, asked.clone()).await?;
        position.get_or_insert(at);
        let spooled = |view: &StreamView| view.state.body.document().map(|one| one.at);
        let Some(oldest) = page.last().and_then(spooled) else { break };
        let before = found.len();
        for view in page {
            if !found.iter().rev().any(|known| known.id == view.id) {
                found.push(view);
            }
        }
        if found.len() >= filter.limit as usize {
            break;
        }
        // Several may share an instant: from it on once more, until that brings nothing.
        let above = oldest.checked_add(jiff::SignedDuration::from_micros(1)).unwrap_or(oldest);
        asked.until = Some(if found.len() > before { above } else { oldest });
    }
    found.truncate(filter.limit as usize);
    Ok((position.unwrap_or_default(), found))
}

async fn some_documents(console: &Console, filter: DocumentFilter) -> Read<Vec<StreamView>> {
    let Answer { position, content } = ask(&console.bus, &Query::Documents(filter)).await?;
    let Content::Streams(streams) = content else { return Err(AskError::other().into()) };
    Ok((position, streams))
}

/// Events, newest first.
pub(crate) async fn events(console: &Console, filter: EventFilter) -> Read<Vec<LogEntry>> {
    let Answer { position, content } = ask(&console.bus, &Query::Search(filter)).await?;
    let Content::Events(events) = content else { return Err(AskError::other().into()) };
    Ok((position, events))
}

/// Calendars and blackouts.
pub(crate) async fn site(console: &Console) -> Read<SiteView> {
    Ok(console.site_view().await?)
}

/// That an event is in the newest signed head, or why that is not proven.
pub(crate) async fn proof(console: &Console, position: u64) -> Result<Proof, Page> {
    let answer = ask(&console.bus, &Query::Proof { position }).await?;
    let Content::Proof(proof) = answer.content else { return Err(AskError::other().into()) };
    Ok(proof)
}
