//! Prints: what the recorder takes of documents, queues and numbered stock, from hosts and people who may not mean well.

mod acts;
mod choice;
mod crowd;
mod definitions;
mod forms;
mod register;
mod reprints;
mod restored;
mod seen;
mod slips;
mod spooling;
pub(crate) mod states;
mod stock;

use std::sync::OnceLock;

use domain::canonical::Digest;
use domain::envelope::{Draft, Envelope, PayloadRef};
use domain::event::{
    ControlSeen, DefinitionRef, Event, FormAllocated, FormLoaded, FormWitnessed, Numbers, Origin,
    PrintAccepted, PrintCancelRequested, PrintCancelled, PrintCompleted, PrintFailed, PrintHeld,
    PrintReleased, PrintSpooled, PrintStopped, PrintSubmitted, PrintUnknown, ThingAct,
    ThingApproved, ThingEvent, ThingProposed,
};
use domain::ids::StreamId;
use domain::ledger::{Mark, Memory, Streams as _, reads, reads_further};
use domain::print::{Document, DocumentFormat, Form, PrintWork, Queue};
use domain::site::{Thing, ThingKind};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::given::{World, later};
use crate::site::{Site, refused, run_id};

/// A log with queues, forms, and a run of each job that goes on; and whoever speaks to it.
#[derive(Clone)]
pub(crate) struct Office {
    pub(crate) world: World,
    pub(crate) now: Timestamp,
    /// Of how many events one is judged a second time, by what it names alone.
    pub(crate) judged_twice: u64,
}

/// Numbers from a seed: the same in every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n.max(1)
    }

    pub(crate) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()].clone()
    }

    pub(crate) fn in_ten(&mut self, n: u64) -> bool {
        self.below(10) < n
    }
}

pub(crate) fn document_no(n: u128) -> StreamId {
    StreamId::document(&format!("{n:032x}"))
}

pub(crate) fn queue_id(name: &str) -> StreamId {
    StreamId::thing(ThingKind::Queue, name)
}

pub(crate) fn form_id(name: &str) -> StreamId {
    StreamId::thing(ThingKind::Form, name)
}

pub(crate) const CHECKS: &str = "payroll-checks";
/// The document most tables are about.
pub(crate) fn it() -> StreamId {
    document_no(1)
}

#[track_caller]
pub(crate) fn valid(mark: &Mark) {
    assert_eq!(*mark, Mark::Valid);
}

#[track_caller]
pub(crate) fn refuses(mark: &Mark, why: &str) {
    assert_eq!(refused(mark), why);
}

/// A site whose jobs are defined, and none of which has run.
pub(crate) fn site() -> Site {
    let mut site = Site::new();
    site.host("h2", &["default"], &[]);
    let printer = |name: &str| format!("ipp://{name}.example/ipp/print");
    for (name, more) in [
        ("office", json!({"inbox": {"host": "h1", "directory": "/srv/out"}, "limit-pages": 50})),
        ("upstairs", json!({})),
        ("guarded", json!({"release": "person"})),
        ("vault", json!({"release": "code"})),
        ("small", json!({"limit-pages": 2})),
        ("light", json!({"limit-bytes": 10})),
        ("plain", json!({"formats": ["text"]})),
        ("server", json!({"transport": "server"})),
        ("checks", json!({"inbox": {"host": "h2", "directory": "/srv/out"}})),
    ] {
        let mut all = json!({"kind": "queue", "name": name, "printer": printer(name)});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        site.apply(all);
    }
    for name in [CHECKS, "bonus-checks"] {
        site.apply(json!({"kind": "form", "name": name, "account": "payroll", "queue": "checks"}));
    }
    let directory = json!([{"directory": {"path": "/srv/readers"}}]);
    let total = json!({"file": "/srv/total", "count": "count (.*)"});
    for (name, queue, more) in [
        ("report", "office", json!({})),
        ("mixed", "office", json!({"deliver": directory})),
        ("letters", "office", json!({"deliver": directory, "paper": false})),
        ("secret", "office", json!({"release": "code"})),
        ("asked", "office", json!({"release": "person"})),
        ("totals", "office", json!({"control": total})),
        ("secret-totals", "office", json!({"control": total, "release": "code"})),
        ("careful", "guarded", json!({})),
        ("served", "server", json!({})),
        ("text", "plain", json!({})),
        ("checks", "checks", json!({"form": CHECKS})),
        ("bonus", "checks", json!({"form": "bonus-checks"})),
        ("secret-checks", "checks", json!({"form": CHECKS, "release": "code"})),
        ("other", "office", json!({})),
        ("other-checks", "checks", json!({"form": CHECKS})),
    ] {
        let mut work = json!({"documents": {"files": "/srv/*.pdf"}, "queue": queue});
        work.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        site.apply(
            json!({"name": name, "kind": "print", "print": work, "retry": {"delays": ["1m"]}}),
        );
    }
    site
}

const JOBS: [&str; 15] = [
    "report",
    "mixed",
    "letters",
    "secret",
    "asked",
    "totals",
    "secret-totals",
    "careful",
    "served",
    "text",
    "checks",
    "bonus",
    "secret-checks",
    "other",
    "other-checks",
];

pub(crate) fn host_of(job: &str) -> &'static str {
    if job.starts_with("other") { "h2" } else { "h1" }
}

pub(crate) fn run_of(job: &str) -> StreamId {
    run_id(&format!("{job}@request-1"))
}

impl Office {
    /// Built once: each test begins with a copy.
    pub(crate) fn new() -> Self {
        static OFFICE: OnceLock<Office> = OnceLock::new();
        OFFICE.get_or_init(Self::build).clone()
    }

    fn build() -> Self {
        let mut site = site();
        for job in JOBS {
            site.request(&format!("{job}@request-1"));
        }
        site.until("00:01");
        for job in JOBS {
            site.start_on(&format!("{job}@request-1"), host_of(job));
        }
        Self::of(site)
    }

    pub(crate) fn of(site: Site) -> Self {
        let mut world = site.world;
        world.feed.clear();
        Self { world, now: site.now, judged_twice: 1 }
    }

    /// With numbers 101 to 200 loaded by cyd and seen by dan.
    pub(crate) fn with_stock() -> Self {
        let mut office = Self::new();
        valid(&office.load("user/cyd", 101, 200));
        let batch = office.form(CHECKS).batches.last().unwrap().number;
        let seen = FormWitnessed { batch, first: 101, last: 200 };
        valid(&office.by("user/dan", &form_id(CHECKS), seen));
        office
    }

    pub(crate) fn load(&mut self, who: &str, first: u64, last: u64) -> Mark {
        self.by(who, &form_id(CHECKS), FormLoaded { first, last, note: "x".to_owned() })
    }

    /// What the recorder says to this; and that it needs no stream for that but those that are named.
    pub(crate) fn judge(&mut self, id: &str, draft: Draft) -> Mark {
        let (envelope, bytes) = self.world.seal(id, draft, self.now);
        let event = envelope.event().unwrap();
        let received = self.world.ledger.receive_time(self.now, &event);
        let hash = Digest::of(&bytes);
        let twice = self.world.ledger.size.is_multiple_of(self.judged_twice);
        let mut named = twice.then(|| (self.world.ledger.clone(), self.named(&envelope, &event)));
        let little = named
            .as_mut()
            .map(|(ledger, streams)| ledger.judge(streams, &envelope, &event, hash, received));
        let World { ledger, streams, feed, .. } = &mut self.world;
        let mark = ledger.judge(streams, &envelope, &event, hash, received);
        if let Some(little) = little {
            assert_eq!(little, mark, "{} needs streams that it does not name", event.kind());
        }
        if mark == Mark::Valid {
            feed.push((envelope, event, received));
        }
        mark
    }

    /// The streams that an event names, and that those name.
    fn named(&self, envelope: &Envelope, event: &Event) -> Memory {
        let (mut open, mut named) = (reads(envelope, event), Memory::default());
        while let Some(id) = open.pop_first() {
            if let Some(state) = self.world.streams.get(&id)
                && named.get(&id).is_none()
            {
                open.extend(reads_further(state));
                named.put(id, state.clone());
            }
        }
        named
    }

    pub(crate) fn draft(&self, stream: &StreamId, event: impl Into<Event>) -> Draft {
        Draft::new(stream.clone(), self.world.version(stream) + 1, event)
    }

    pub(crate) fn by(&mut self, who: &str, stream: &StreamId, event: impl Into<Event>) -> Mark {
        let draft = self.draft(stream, event).by(Some(who));
        self.judge("console/c1", draft)
    }

    pub(crate) fn host(&mut self, host: &str, stream: &StreamId, event: impl Into<Event>) -> Mark {
        let draft = self.draft(stream, event);
        self.judge(&format!("executor/{host}"), draft)
    }

    /// Another definition of a queue or form is proposed by ana and approved by bob.
    #[track_caller]
    pub(crate) fn define(&mut self, kind: ThingKind, definition: &Value) {
        let thing = Thing::read(kind, definition).unwrap();
        let id = thing.stream();
        let number = {
            let state = self.world.streams.get(&id).unwrap();
            state.body.thing().unwrap().versions.numbers + 1
        };
        let (digest, definition) = (thing.digest().unwrap(), thing.value().unwrap());
        let proposed = ThingProposed { number, digest, definition, reason: why() };
        let act = |act| ThingEvent { of: kind, act };
        valid(&self.by("user/ana", &id, act(ThingAct::Proposed(proposed))));
        let approved = ThingApproved { number, digest };
        valid(&self.by("user/bob", &id, act(ThingAct::Approved(approved))));
    }

    pub(crate) fn wait(&mut self, ms: u64) {
        self.now = later(self.now, i64::try_from(ms).unwrap());
    }

    // What is.

    pub(crate) fn document(&self, id: &StreamId) -> Document {
        self.world.streams.get(id).unwrap().body.document().unwrap().clone()
    }

    pub(crate) fn form(&self, name: &str) -> Form {
        self.world.streams.get(&form_id(name)).unwrap().body.form().unwrap().clone()
    }

    pub(crate) fn queue(&self, name: &str) -> Queue {
        self.world.streams.get(&queue_id(name)).unwrap().body.queue().unwrap().clone()
    }

    pub(crate) fn queue_reference(&self, name: &str) -> DefinitionRef {
        self.queue(name).defined.active().unwrap().reference()
    }

    pub(crate) fn work(&self, job: &str) -> PrintWork {
        let state = self.world.streams.get(&StreamId::job(job)).unwrap();
        let definition = state.body.job().unwrap().active().unwrap().read().unwrap();
        definition.print.unwrap()
    }

    /// What a host says of ten pages that a run of this job took.
    pub(crate) fn spooled(&self, job: &str) -> PrintSpooled {
        let work = self.work(job);
        let queue = self.queue(&work.queue).definition().unwrap();
        let seen = |amount: bool| ControlSeen {
            expected: 10,
            found: 10,
            amount_agrees: amount.then_some(true),
        };
        PrintSpooled {
            origin: Origin::Run { run: run_of(job), attempt: 1, number: 1, of: 1 },
            host: host_of(job).to_owned(),
            definition: self.queue_reference(&work.queue),
            fingerprint: Digest::of(b"content"),
            format: if job == "text" { DocumentFormat::Text } else { DocumentFormat::Pdf },
            pages: 10,
            bytes: 1_000,
            release: work.release.max(queue.release),
            control: work.control.as_ref().map(|control| seen(control.amount.is_some())),
            keep_ms: work.keep.unwrap_or(queue.keep).millis(),
            deliveries: if work.deliver.is_empty() { 0 } else { 3 },
            queue: work.queue,
            purpose: work.purpose,
            options: work.options,
            priority: work.priority,
            form: work.form,
            paper: work.paper,
        }
    }

    pub(crate) fn payload() -> PayloadRef {
        PayloadRef { commitment: Digest::of(b"salted"), class: "general".to_owned() }
    }

    pub(crate) fn try_spool(&mut self, host: &str, id: &StreamId, spooled: PrintSpooled) -> Mark {
        let draft = self.draft(id, spooled).with_payload(Self::payload());
        self.judge(&format!("executor/{host}"), draft)
    }

    #[track_caller]
    pub(crate) fn spool(&mut self, job: &str) -> &mut Self {
        let spooled = self.spooled(job);
        valid(&self.try_spool(host_of(job), &it(), spooled));
        self
    }

    // The document's way.

    pub(crate) fn submitted(&self, id: &StreamId) -> PrintSubmitted {
        let document = self.document(id);
        let numbers = document.spooled.form.as_deref().and_then(|form| {
            let (first, last) = self.form(form).allocation(id, document.round)?;
            Some(Numbers { form: form.to_owned(), first, last })
        });
        PrintSubmitted {
            number: document.submission().map_or(1, |one| one.number + 1),
            round: document.round,
            definition: self.queue_reference(&document.queue),
            expected: document.expected(),
            queue: document.queue,
            numbers,
        }
    }

    pub(crate) fn allocated(&self, id: &StreamId) -> FormAllocated {
        let document = self.document(id);
        let form = self.form(document.spooled.form.as_deref().unwrap_or(CHECKS));
        let count = u64::from(document.options.selected(document.spooled.pages));
        let (first, last) = form.next(count).unwrap_or((1, count));
        FormAllocated { document: id.clone(), round: document.round, first, last }
    }

    #[track_caller]
    pub(crate) fn says(&mut self, event: impl Into<Event>) -> &mut Self {
        let host = self.document(&it()).spooled.host;
        valid(&self.host(&host, &it(), event));
        self
    }

    #[track_caller]
    pub(crate) fn does(&mut self, who: &str, event: impl Into<Event>) -> &mut Self {
        valid(&self.by(who, &it(), event));
        self
    }

    /// Gives it numbers, where it is on a form and has none, and submits it.
    #[track_caller]
    pub(crate) fn submit(&mut self) -> &mut Self {
        let document = self.document(&it());
        if let Some(form) = &document.spooled.form
            && self.form(form).allocation(&it(), document.round).is_none()
        {
            let (host, event) = (document.spooled.host.clone(), self.allocated(&it()));
            valid(&self.host(&host, &form_id(form), event));
        }
        let event = self.submitted(&it());
        self.says(event)
    }

    #[track_caller]
    pub(crate) fn print(&mut self) -> &mut Self {
        self.submit().says(accepted())
    }

    /// Printed, and counted so.
    #[track_caller]
    pub(crate) fn complete(&mut self, impressions: Option<u32>) -> &mut Self {
        let event = self.completed(impressions);
        self.says(event)
    }

    pub(crate) fn completed(&self, impressions: Option<u32>) -> PrintCompleted {
        let expected = self.document(&it()).submission().map(|one| one.expected);
        let agrees = impressions.map(|counted| Some(counted) == expected);
        PrintCompleted { impressions, sheets: impressions, reasons: vec![], agrees }
    }

    /// Brings a document that is ready to a state.
    #[track_caller]
    pub(crate) fn bring(&mut self, state: &str) -> &mut Self {
        match state {
            "ready" | "electronic" => self,
            "held" => self.does("user/ana", held()),
            "releasing" => self.submit(),
            "printing" => self.print(),
            "stopped" => self.print().says(stopped()),
            "printed" => self.print().complete(Some(10)),
            "cancelled" => self.does("user/ana", cancelled(None)),
            "cancelled-by-host" => self.says(cancelled(None)),
            "cancelled-at-printer" => {
                self.print().does("user/ana", cancel_requested()).says(cancelled(Some(2)))
            }
            "failed-unsent" => self.submit().says(failed(false, None)),
            "failed" => self.print().says(failed(true, Some(2))),
            "unknown" => self.print().says(unknown()),
            "erased" => self
                .bring("printed")
                .says(domain::event::PrintErased { reason: domain::event::EraseReason::Lost }),
            other => panic!("{other}"),
        }
    }
}

pub(crate) const STATES: [&str; 14] = [
    "ready",
    "held",
    "releasing",
    "printing",
    "stopped",
    "printed",
    "cancelled",
    "cancelled-by-host",
    "cancelled-at-printer",
    "failed-unsent",
    "failed",
    "unknown",
    "electronic",
    "erased",
];

pub(crate) fn why() -> String {
    "because".to_owned()
}

pub(crate) fn held() -> PrintHeld {
    PrintHeld { reason: why() }
}

pub(crate) fn released(code: bool) -> PrintReleased {
    PrintReleased { reason: why(), code }
}

pub(crate) fn accepted() -> PrintAccepted {
    PrintAccepted { job: 7, uuid: None, printer: None }
}

pub(crate) fn stopped() -> PrintStopped {
    PrintStopped { troubles: vec!["paper is jammed".to_owned()], impressions: Some(2) }
}

pub(crate) fn cancelled(impressions: Option<u32>) -> PrintCancelled {
    PrintCancelled { reason: why(), impressions }
}

pub(crate) fn cancel_requested() -> PrintCancelRequested {
    PrintCancelRequested { reason: why() }
}

pub(crate) fn failed(sent: bool, impressions: Option<u32>) -> PrintFailed {
    PrintFailed { reason: why(), impressions, sent }
}

pub(crate) fn unknown() -> PrintUnknown {
    PrintUnknown { reason: why(), impressions: None }
}
