//! What happens to documents that rest: what is delivered, what is accounted for, and what is erased when its time has come.

use std::sync::Arc;

use domain::event::{EraseReason, PrintErased, PrintEvent};
use domain::ids::StreamId;
use domain::print::{Deliver, PrintWork};
use tracing::{info, warn};

use super::books::{Known, fetch, say};
use super::drive::account;
use super::intake::whole;
use super::order::Found;
use super::spool::Planned;
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
    if !erase && !unaccounted {
        return;
    }
    let name = id.to_string();
    if !host.books.take(&name) {
        return;
    }
    let (host, id) = (Arc::clone(host), id.clone());
    tokio::spawn(async move {
        let done = if erase { forget(&host, &id).await } else { settle(&host, &id).await };
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

/// To whom a document goes, by the host's own lists.
///
/// # Errors
/// There is no such list, or somebody is not in it: then nothing is printed or sent.
pub(super) fn planned(
    _host: &Host,
    work: &PrintWork,
    found: &Found,
) -> anyhow::Result<Vec<Planned>> {
    let mut planned = Vec::new();
    for (way, deliver) in work.deliver.iter().enumerate() {
        match deliver {
            Deliver::Mail(_) => anyhow::bail!("this host sends no mail"),
            Deliver::Directory(_) | Deliver::Sftp(_) => planned.push(whole(way)),
        }
    }
    let _ = found;
    Ok(planned)
}
