//! What happens to documents that rest: what is delivered, what is accounted for, and what is erased when its time has come.

use std::sync::Arc;

use domain::event::{EraseReason, PrintErased, PrintEvent};
use domain::ids::StreamId;
use tracing::{info, warn};

use super::books::{Known, fetch, say};
use super::deliver;
use super::drive::account;
use crate::host::Host;
use crate::life::blocking;

/// Begins what is to be done for a document, where nobody does already.
pub(super) fn begin(host: &Arc<Host>, id: &StreamId, known: &Known) {
    let document = &known.document;
    let now = (host.clock)();
    let erase = document.erase_at().is_some_and(|at| at <= now);
    let unaccounted = document.state.rests()
        && document.submission().is_some_and(|last| last.numbers.is_some() && last.ended.is_some())
        && !host.books.is_accounted(id, document.submissions.len());
    let deliver = deliver::is_due(document);
    if !erase && !unaccounted && !deliver {
        return;
    }
    let name = id.to_string();
    if !host.books.take(&name) {
        return;
    }
    let (host, id) = (Arc::clone(host), id.clone());
    tokio::spawn(async move {
        let done = match (erase, unaccounted) {
            (true, _) => forget(&host, &id).await,
            (false, true) => settle(&host, &id).await,
            (false, false) => deliver::all(&host, &id).await,
        };
        if let Err(error) = done {
            warn!(document = %id, error = %format!("{error:#}"), "a document that rests cannot be looked after now");
        }
        host.books.leave(&name);
    });
}

/// An earlier life may have been killed before it said which numbers were printed.
async fn settle(host: &Arc<Host>, id: &StreamId) -> anyhow::Result<()> {
    account(host, id).await?;
    if let Some(known) = host.books.get(id) {
        host.books.note_accounted(id, known.document.submissions.len());
    }
    Ok(())
}

/// Erased first and said then: what is said to be erased is.
async fn forget(host: &Arc<Host>, id: &StreamId) -> anyhow::Result<()> {
    let Some(known) = fetch(host, id).await else { return Ok(()) };
    if known.document.erase_at().is_none_or(|at| at > (host.clock)()) {
        return Ok(());
    }
    let (spool, erased) = (Arc::clone(host), id.clone());
    blocking(move || spool.books.spool.erase(&erased)).await?;
    info!(document = %id, "erased");
    let event = PrintErased { reason: EraseReason::Kept };
    say(host, id, &known, PrintEvent::PrintErased(event)).await?;
    Ok(())
}
