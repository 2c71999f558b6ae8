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
use domain::ids::{Class, ProducerId, StreamId, StreamType};
use domain::ledger::{Mark, Records};
use domain::print::{Document, State};
use domain::wire::{Content, DocumentFilter, Query};
use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tracing::warn;

use super::keeping::{Due, due};
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

    /// Something was said about a stream, and by whom.
    pub(crate) fn hear(&self, id: &StreamId, by: &ProducerId) {
        match id.stream_type() {
            StreamType::Document if self.knows(id) => {
                lock(&self.dirty).insert(id.clone());
                self.bell.notify_one();
            }
            // A queue that was released, or stock that was loaded. What hosts say of printers they try is not: they would
            // wake each other, and themselves.
            StreamType::Queue | StreamType::Form if by.class() != Class::Executor => self.ring(),
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
            | StreamType::CallTree
            | StreamType::Measures
            | StreamType::Control
            | StreamType::Request
            | StreamType::Incident
            | StreamType::Review => {}
        }
    }

    /// Those who wait for news look again.
    fn ring(&self) {
        self.changes.send_modify(|changes| *changes += 1);
        self.bell.notify_one();
    }

    pub(super) fn knows(&self, id: &StreamId) -> bool {
        lock(&self.known).contains_key(id)
    }

    pub(crate) fn get(&self, id: &StreamId) -> Option<Known> {
        lock(&self.known).get(id).cloned()
    }

    /// Rises with every change of what is known, and when people say something of a queue or a form.
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
        self.ring();
    }

    fn forget(&self, id: &StreamId) {
        lock(&self.known).remove(id);
        lock(&self.accounted).remove(id);
        lock(&self.later).remove(id.as_str());
    }

    /// The queues with documents to be printed, and what is to be done for documents besides.
    /// Before it is known what legal holds keep, nothing is erased.
    fn to_do(
        &self,
        now: Timestamp,
        records: Option<&Records>,
    ) -> (BTreeSet<String>, Vec<(StreamId, Due)>) {
        let (all, accounted) = (lock(&self.known), lock(&self.accounted));
        let open = all.values().filter(|one| !one.document.state.rests());
        let queues = open.map(|one| one.document.queue.clone()).collect();
        let of = |(id, one): (&StreamId, &Known)| {
            let held =
                || records.is_none_or(|records| records.keeps_document(&one.document).is_some());
            Some((id.clone(), due(&one.document, now, accounted.get(id), held)?))
        };
        (queues, all.iter().filter_map(of).collect())
    }

    pub(super) fn note_accounted(&self, id: &StreamId, so: Accounted) {
        lock(&self.accounted).insert(id.clone(), so);
    }

    /// Whether something that failed may be tried again.
    pub(super) fn may(&self, what: &str) -> bool {
        let (mut later, now) = (lock(&self.later), Instant::now());
        later.retain(|_, at| *at > now);
        !later.contains_key(what)
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
        let first = open.min_by_key(|(id, one)| {
            let document = &one.document;
            (!document.state.is_at_printer(), 100 - document.priority.min(100), document.at, *id)
        });
        first.map(|(id, _)| id.clone())
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
        let (queues, due) = host.books.to_do((host.clock)(), host.records.get().as_deref());
        for (id, due) in due {
            keeping::begin(&host, id, due);
        }
        for queue in queues {
            begin(&host, queue);
        }
        tokio::select! {
            () = host.books.bell.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

fn begin(host: &Arc<Host>, queue: String) {
    let name = format!("queue/{queue}");
    if !host.books.take(&name) {
        return;
    }
    let busy = Busy { host: Arc::clone(host), name };
    tokio::spawn(async move {
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
            new += usize::from(!host.books.knows(&id));
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
        | Content::Consistency(_)
        | Content::Proof(_)
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

/// What became of something that was to be said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It is in the log.
    Yes,
    /// Somebody else said something first.
    Moved,
    /// It breaks a rule, and which.
    Refused(String),
}

/// Says something of a document, as the next event after what is known. What is known afterwards is in the books.
pub(super) async fn say(
    host: &Arc<Host>,
    id: &StreamId,
    known: &Known,
    event: impl Into<Event>,
) -> anyhow::Result<Said> {
    let event = event.into();
    let kind = event.kind();
    let verdict = host.outbox.say(Draft::new(id.clone(), known.version + 1, event)).await?;
    fetch(host, id).await;
    match verdict.mark {
        Mark::Valid => Ok(Said::Yes),
        Mark::Conflict { .. } => Ok(Said::Moved),
        Mark::Refused { reason } => {
            warn!(document = %id, %kind, %reason, "the recorder does not take what is said of a document");
            Ok(Said::Refused(reason))
        }
    }
}

/// Whether nothing more becomes of a document by itself, as far as its run is concerned.
pub(super) fn is_over(document: &Document) -> bool {
    let waits = matches!(document.state, State::Held { .. } | State::Cancelled { .. });
    document.state.rests() && (waits || document.undelivered() == 0)
}

#[cfg(test)]
mod tests {
    use domain::canonical::Digest;
    use domain::envelope::PayloadRef;
    use domain::event::{DefinitionRef, Origin, PrintSpooled};
    use domain::print::document::Told;
    use domain::print::{DocumentFormat, Options, ReleaseBy};

    use super::*;

    fn books() -> (tempfile::TempDir, Books) {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        (dir, Books::new(spool))
    }

    fn id(name: &str) -> StreamId {
        StreamId::document(&name.repeat(32))
    }

    fn document(priority: u8, second: i64) -> Document {
        let received = Timestamp::from_second(second).unwrap();
        let spooled = PrintSpooled {
            origin: Origin::Inbox { written: received },
            host: "h1".into(),
            queue: "a".into(),
            definition: DefinitionRef::new(1, Digest::NONE),
            purpose: "inbox".into(),
            fingerprint: Digest::NONE,
            format: DocumentFormat::Text,
            pages: 1,
            bytes: 1,
            options: Options::default(),
            priority,
            form: None,
            release: ReleaseBy::default(),
            control: None,
            keep_ms: 1_000,
            deliveries: 0,
            paper: true,
        };
        let content = PayloadRef { commitment: Digest::NONE, class: "general".into() };
        Document::new(&spooled, content, Told { version: 1, received, actor: None })
    }

    #[test]
    fn what_people_say_of_a_queue_is_news_at_once_and_what_hosts_say_of_its_printer_is_not() {
        let (_dir, books) = books();
        let queue = StreamId::thing(domain::site::ThingKind::Queue, "a");
        let changes = books.changes();
        books.hear(&queue, &"executor/h2".parse().unwrap());
        assert!(!changes.has_changed().unwrap());
        books.hear(&queue, &"console/main".parse().unwrap());
        assert!(changes.has_changed().unwrap());
    }

    #[test]
    fn next_is_what_is_at_the_printer_then_the_highest_priority_then_the_oldest() {
        let (_dir, books) = books();
        let at_printer = Document { state: State::Printing, ..document(1, 9) };
        let all = [
            ("1", at_printer),
            ("3", document(80, 5)),
            ("2", document(80, 5)),
            ("0", document(80, 6)),
            ("4", document(50, 1)),
        ];
        for (name, document) in all {
            books.put(&id(name), document, 1);
        }
        let mut failed = BTreeSet::new();
        for name in ["1", "2", "3", "0", "4"] {
            let next = books.next_of("a", &failed).unwrap();
            assert_eq!(next, id(name));
            failed.insert(next);
        }
        assert_eq!(books.next_of("a", &failed), None);
        assert_eq!(books.next_of("b", &BTreeSet::new()), None);
    }

    #[test]
    fn a_document_is_to_be_erased_when_its_time_has_come_and_what_is_forgotten_leaves_nothing() {
        let (_dir, books) = books();
        books.put(&id("1"), document(50, 1), 1);
        books.put(&id("2"), Document { state: State::Printed, ..document(50, 1) }, 1);
        let none = Records::default();
        let at = |second| books.to_do(Timestamp::from_second(second).unwrap(), Some(&none));
        assert_eq!(at(1), (BTreeSet::from(["a".to_owned()]), Vec::new()));
        assert_eq!(at(2).1, [(id("2"), Due::Erase)]);
        let unknown = books.to_do(Timestamp::from_second(2).unwrap(), None).1;
        assert!(unknown.is_empty(), "nothing is erased before holds are known");
        books.note_accounted(&id("2"), (0, None));
        books.put_off(id("2").as_str());
        assert!(!books.may(id("2").as_str()));
        books.forget(&id("2"));
        assert!(at(2).1.is_empty() && lock(&books.accounted).is_empty());
        assert!(books.may(id("2").as_str()));
    }
}
