//! What this host knows of its documents, and who works on them.
//!
//! The log says where each document stands; this is a copy of that for those which are here, renewed when the log has news.
//! A queue is worked on by one task at a time, a document by one, and what they do is in the log before it is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bus::recorder::AskError;
use domain::envelope::Draft;
use domain::event::Event;
use domain::ids::{StreamId, StreamType};
use domain::ledger::Mark;
use domain::print::{Document, State};
use domain::wire::{Content, DocumentFilter, Query};
use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tracing::warn;

use super::spool::Spool;
use super::{drive, keeping};
use crate::host::Host;
use crate::life::{state, until_answered};

/// How often documents are looked at although nothing was heard.
const LOOK: Duration = Duration::from_secs(5);
/// How long something that failed is left alone.
const AFTER_FAILURE: Duration = Duration::from_secs(20);
/// How often everything is read from the log again, whatever was heard.
const RELOAD: Duration = Duration::from_secs(120);
/// Documents asked for at once.
const PAGE: u32 = 200;

/// What this host knows of its documents.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) spool: Spool,
    known: Mutex<BTreeMap<StreamId, Known>>,
    /// Documents of which there is news.
    dirty: Mutex<BTreeSet<StreamId>>,
    bell: Notify,
    /// Rises with every change.
    changes: watch::Sender<u64>,
    /// Queues and documents that somebody works on.
    busy: Mutex<BTreeSet<String>>,
    /// Documents whose numbers are accounted for, as of so many submissions.
    accounted: Mutex<BTreeMap<StreamId, Accounted>>,
    /// What failed, and when it may be tried again.
    later: Mutex<BTreeMap<String, Instant>>,
}

/// A printing whose numbers are accounted for: which submission, and what was counted.
pub(super) type Accounted = (usize, Option<u32>);

/// A document as the log had it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) document: Document,
    pub(crate) version: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Books {
    pub(crate) fn new(spool: Spool) -> Self {
        Self {
            spool,
            known: Mutex::default(),
            dirty: Mutex::default(),
            bell: Notify::new(),
            changes: watch::Sender::new(0),
            busy: Mutex::default(),
            accounted: Mutex::default(),
            later: Mutex::default(),
        }
    }

    /// Something was said about a stream.
    pub(crate) fn hear(&self, id: &StreamId) {
        match id.stream_type() {
            StreamType::Document if lock(&self.known).contains_key(id) => {
                lock(&self.dirty).insert(id.clone());
                self.bell.notify_one();
            }
            StreamType::Queue | StreamType::Form => self.bell.notify_one(),
            StreamType::Document
            | StreamType::Job
            | StreamType::Run
            | StreamType::Host
            | StreamType::User
            | StreamType::Log
            | StreamType::Calendar
            | StreamType::Blackout
            | StreamType::Lock
            | StreamType::Pool
            | StreamType::Dataset
            | StreamType::Repository
            | StreamType::Review => {}
        }
    }

    pub(crate) fn get(&self, id: &StreamId) -> Option<Known> {
        lock(&self.known).get(id).cloned()
    }

    /// Rises with every change of what is known.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Takes in what the log says, unless something newer is known.
    pub(crate) fn put(&self, id: &StreamId, document: Document, version: u64) {
        {
            let mut all = lock(&self.known);
            if all.get(id).is_some_and(|known| known.version >= version) {
                return;
            }
            all.insert(id.clone(), Known { document, version });
        }
        self.changes.send_modify(|changes| *changes += 1);
        self.bell.notify_one();
    }

    fn forget(&self, id: &StreamId) {
        lock(&self.known).remove(id);
    }

    fn all(&self) -> Vec<(StreamId, Known)> {
        lock(&self.known).iter().map(|(id, known)| (id.clone(), known.clone())).collect()
    }

    pub(super) fn is_accounted(&self, id: &StreamId, so: Accounted) -> bool {
        lock(&self.accounted).get(id) == Some(&so)
    }

    pub(super) fn note_accounted(&self, id: &StreamId, so: Accounted) {
        lock(&self.accounted).insert(id.clone(), so);
    }

    /// Whether something that failed may be tried again.
    pub(super) fn may(&self, what: &str) -> bool {
        lock(&self.later).get(what).is_none_or(|at| *at <= Instant::now())
    }

    /// It failed: not again at once.
    pub(super) fn put_off(&self, what: &str) {
        lock(&self.later).insert(what.to_owned(), Instant::now() + AFTER_FAILURE);
    }

    /// Whether nobody else works on that; whoever is told so does, until they [`Books::leave`].
    pub(super) fn take(&self, what: &str) -> bool {
        lock(&self.busy).insert(what.to_owned())
    }

    pub(super) fn leave(&self, what: &str) {
        lock(&self.busy).remove(what);
        self.bell.notify_one();
    }

    /// The document of a queue that comes next: what the printer may have, then the highest priority, then the oldest. Those
    /// that failed are passed over.
    pub(super) fn next_of(&self, queue: &str, failed: &BTreeSet<StreamId>) -> Option<StreamId> {
        let all = lock(&self.known);
        let of_queue = all.iter().filter(|(_, one)| one.document.queue == queue);
        let open =
            of_queue.filter(|(id, one)| !one.document.state.rests() && !failed.contains(*id));
        let rank = |one: &Known| {
            let document = &one.document;
            let at_printer = document.state.is_at_printer();
            (!at_printer, 100 - document.priority.min(100), document.at)
        };
        open.min_by_key(|(id, one)| (rank(one), (*id).clone())).map(|(id, _)| id.clone())
    }
}

/// Somebody works on something, until this is dropped: also when they panic.
pub(super) struct Busy {
    pub(super) host: Arc<Host>,
    pub(super) name: String,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.host.books.leave(&self.name);
    }
}

/// Works on documents until told to stop.
pub(crate) async fn work(host: Arc<Host>) {
    load(&host).await;
    keeping::sweep(&host).await;
    let mut loaded = Instant::now();
    loop {
        if loaded.elapsed() >= RELOAD {
            load(&host).await;
            loaded = Instant::now();
        }
        renew(&host).await;
        for (id, known) in host.books.all() {
            keeping::begin(&host, &id, &known);
            if !known.document.state.rests() {
                begin(&host, &known.document.queue);
            }
        }
        tokio::select! {
            () = host.books.bell.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

fn begin(host: &Arc<Host>, queue: &str) {
    let name = format!("queue/{queue}");
    if !host.books.take(&name) {
        return;
    }
    let (host, queue) = (Arc::clone(host), queue.to_owned());
    tokio::spawn(async move {
        let busy = Busy { host, name };
        drive::queue(&busy.host, &queue).await;
    });
}

/// All documents of this host whose content is here.
async fn load(host: &Arc<Host>) {
    // What this host said in an earlier life comes first: or it would be said again.
    host.outbox.recovered().await;
    let mut until: Option<Timestamp> = None;
    loop {
        let filter = DocumentFilter {
            host: Some(host.name.clone()),
            kept: true,
            until,
            limit: PAGE,
            ..DocumentFilter::default()
        };
        let page = until_answered(|| ask(host, &filter)).await;
        let Some(oldest) = page.last().map(|(_, known)| known.document.at) else { return };
        let mut new = 0_usize;
        for (id, known) in page {
            new += usize::from(host.books.get(&id).is_none());
            host.books.put(&id, known.document, known.version);
        }
        // Several may share an instant: from the newest of them on once more, and when that brings nothing, from below.
        let above = oldest.checked_add(jiff::SignedDuration::from_micros(1)).unwrap_or(oldest);
        until = Some(if new > 0 { above } else { oldest });
    }
}

pub(super) async fn ask(
    host: &Host,
    filter: &DocumentFilter,
) -> Result<Vec<(StreamId, Known)>, AskError> {
    match bus::recorder::ask(&host.bus, &Query::Documents(filter.clone())).await?.content {
        Content::Streams(views) => Ok(views
            .into_iter()
            .filter_map(|view| {
                let document = view.state.body.document()?.clone();
                Some((view.id, Known { document, version: view.state.version }))
            })
            .collect()),
        Content::Head(_)
        | Content::Events(_)
        | Content::Leaves(_)
        | Content::Runs(_)
        | Content::Night(_)
        | Content::Heads(_)
        | Content::Failed(_) => Err(AskError::Unreadable("no documents".to_owned())),
    }
}

async fn renew(host: &Arc<Host>) {
    let dirty = std::mem::take(&mut *lock(&host.books.dirty));
    for id in dirty {
        fetch(host, &id).await;
    }
}

/// A document as the log has it now.
pub(super) async fn fetch(host: &Arc<Host>, id: &StreamId) -> Option<Known> {
    let found = state(host, id).await?;
    let document = found.body.document()?.clone();
    if document.erased.is_some() {
        host.books.forget(id);
    } else {
        host.books.put(id, document.clone(), found.version);
    }
    Some(Known { document, version: found.version })
}

/// Says something of a document, as the next event after what is known; `None` where something else was said before, or it
/// is refused. What is known afterwards is given.
pub(super) async fn say(
    host: &Arc<Host>,
    id: &StreamId,
    known: &Known,
    event: impl Into<Event>,
) -> anyhow::Result<Option<Known>> {
    let event = event.into();
    let kind = event.kind();
    let verdict = host.outbox.say(Draft::new(id.clone(), known.version + 1, event)).await?;
    let now = fetch(host, id).await;
    match verdict.mark {
        Mark::Valid => Ok(now),
        Mark::Conflict { .. } => Ok(None),
        Mark::Refused { reason } => {
            warn!(document = %id, %kind, %reason, "the recorder does not take what is said of a document");
            Ok(None)
        }
    }
}

/// Whether nothing more becomes of a document by itself, as far as its run is concerned.
pub(super) fn is_over(document: &Document) -> bool {
    let waits = matches!(document.state, State::Held { .. } | State::Cancelled { .. });
    document.state.rests() && (waits || document.undelivered() == 0)
}
