//! What happens to documents that rest: what is delivered, what is accounted for, and what is erased when its time has come.

use std::sync::Arc;

use anyhow::bail;
use domain::event::{EraseReason, PrintErased, PrintEvent};
use domain::ids::StreamId;
use domain::print::Document;
use jiff::Timestamp;
use tracing::{info, warn};

use super::books::{Accounted, Busy, Known, Said, fetch, say};
use super::deliver;
use super::drive::account;
use crate::host::Host;
use crate::life::blocking;

/// What is to be done for a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Its time has come: it is erased.
    Erase,
    /// Nobody has said yet which of its numbers carry a page.
    Account,
    /// It goes to people.
    Deliver,
}

/// What is to be done for a document now, where `known` of its newest printing is accounted for. What is `held`, which is asked
/// where its time has come, stays.
pub(super) fn due(
    document: &Document,
    now: Timestamp,
    known: Option<&Accounted>,
    held: impl FnOnce() -> bool,
) -> Option<Due> {
    let last = document.submission();
    let numbered = last.is_some_and(|last| last.numbers.is_some() && last.ended.is_some());
    if document.erase_at().is_some_and(|at| at <= now) && !held() {
        Some(Due::Erase)
    } else if document.state.rests() && numbered && known != Some(&accounted(document)) {
        Some(Due::Account)
    } else {
        deliver::is_due(document).then_some(Due::Deliver)
    }
}

/// Begins what is to be done for a document, where nobody does already.
pub(super) fn begin(host: &Arc<Host>, id: StreamId, due: Due) {
    let name = id.to_string();
    if !host.books.may(&name) || !host.books.take(&name) {
        return;
    }
    let busy = Busy { host: Arc::clone(host), name };
    tokio::spawn(async move {
        if let Err(error) = done(&busy.host, &id, due).await {
            let error = format!("{error:#}");
            warn!(document = %id, %error, "a document that rests cannot be looked after now");
            busy.host.books.put_off(&busy.name);
        }
    });
}

async fn done(host: &Arc<Host>, id: &StreamId, due: Due) -> anyhow::Result<()> {
    match due {
        Due::Erase => forget(host, id).await,
        Due::Account => settle(host, id).await,
        Due::Deliver => {
            let _place = host.delivering.acquire().await?;
            deliver::all(host, id).await
        }
    }
}

/// What of a document's newest printing is to be accounted for.
fn accounted(document: &Document) -> Accounted {
    (document.submissions.len(), document.submission().and_then(|last| last.impressions))
}

/// An earlier life may have been killed before it said which numbers were printed.
async fn settle(host: &Arc<Host>, id: &StreamId) -> anyhow::Result<()> {
    let Some(known) = host.books.get(id) else { return Ok(()) };
    account(host, id).await?;
    host.books.note_accounted(id, accounted(&known.document));
    Ok(())
}

/// Said first: from then on nobody can want it printed. What a kill leaves is erased at the next start.
async fn forget(host: &Arc<Host>, id: &StreamId) -> anyhow::Result<()> {
    let Some(known) = fetch(host, id).await else { return Ok(()) };
    if known.document.erase_at().is_none_or(|at| at > (host.clock)()) {
        return Ok(());
    }
    erase_for(host, id, &known, EraseReason::Kept).await
}

/// Erases a document before its time, as two people have agreed.
pub(crate) async fn redact(host: &Arc<Host>, id: &StreamId) -> anyhow::Result<()> {
    let Some(known) = fetch(host, id).await else { bail!("there is no {id}") };
    if known.document.erased.is_some() {
        return erase(host, id).await;
    }
    erase_for(host, id, &known, EraseReason::Redacted).await
}

/// Says that it is erased, and why, and does it then.
async fn erase_for(
    host: &Arc<Host>,
    id: &StreamId,
    known: &Known,
    reason: EraseReason,
) -> anyhow::Result<()> {
    match say(host, id, known, PrintEvent::PrintErased(PrintErased { reason })).await? {
        Said::Yes => erase(host, id).await,
        Said::Moved => bail!("something else was said of {id} meanwhile"),
        Said::Refused(reason) => bail!("the log does not take that {id} is erased: {reason}"),
    }
}

async fn erase(host: &Arc<Host>, id: &StreamId) -> anyhow::Result<()> {
    let (books, erased) = (Arc::clone(host), id.clone());
    blocking(move || books.books.spool.erase(&erased)).await?;
    info!(document = %id, "erased");
    Ok(())
}

/// Erases what an earlier life had said to be erased, and was killed.
pub(super) async fn sweep(host: &Arc<Host>) {
    let books = Arc::clone(host);
    let there = blocking(move || Ok(books.books.spool.all()?)).await.unwrap_or_default();
    // What is in the books was not said to be erased.
    for id in there.into_iter().filter(|id| !host.books.knows(id)) {
        // What the log does not know is perhaps about to be said.
        let erased = fetch(host, &id).await.is_some_and(|known| known.document.erased.is_some());
        if erased && let Err(error) = erase(host, &id).await {
            warn!(document = %id, error = %format!("{error:#}"), "a document's key cannot be destroyed");
        }
    }
}
