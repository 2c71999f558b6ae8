//! What happens to documents that rest: what is delivered, what is accounted for, and what is erased when its time has come.

use std::sync::Arc;

use domain::event::{EraseReason, PrintErased, PrintEvent};
use domain::ids::StreamId;
use domain::print::Document;
use tracing::{info, warn};

use super::books::{Accounted, Busy, Known, fetch, say};
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
        && !host.books.is_accounted(id, accounted(document));
    let deliver = deliver::is_due(document);
    if !erase && !unaccounted && !deliver {
        return;
    }
    let name = id.to_string();
    if !host.books.may(&name) || !host.books.take(&name) {
        return;
    }
    let (busy, id) = (Busy { host: Arc::clone(host), name }, id.clone());
    tokio::spawn(async move {
        let host = &busy.host;
        let done = match (erase, unaccounted) {
            (true, _) => forget(host, &id).await,
            (false, true) => settle(host, &id).await,
            (false, false) => match host.delivering.acquire().await {
                Ok(_place) => deliver::all(host, &id).await,
                Err(error) => Err(error.into()),
            },
        };
        if let Err(error) = done {
            let error = format!("{error:#}");
            warn!(document = %id, %error, "a document that rests cannot be looked after now");
            host.books.put_off(&busy.name);
        }
    });
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
    let event = PrintErased { reason: EraseReason::Kept };
    if say(host, id, &known, PrintEvent::PrintErased(event)).await?.is_none() {
        anyhow::bail!("the log does not take that it is erased");
    }
    erase(host, id).await
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
    for id in there {
        let erased = match fetch(host, &id).await {
            Some(known) => known.document.erased.is_some(),
            // Perhaps it is about to be said.
            None => false,
        };
        if erased && let Err(error) = erase(host, &id).await {
            warn!(document = %id, error = %format!("{error:#}"), "a document's key cannot be destroyed");
        }
    }
}
