//! The state of every stream, and the rules of users and of runs' names.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::backup::record::Told;
use crate::backup::{Dataset, Repository};
use crate::canonical::Digest;
use crate::envelope::Envelope;
use crate::event::{
    Event, HostEvent, HostInvited, HostStarted, LogEvent, LogTzdbChanged, PrintEvent, RunEvent,
    ThingEvent,
};
use crate::ids::{StreamId, StreamType};
use crate::incident::Incident;
use crate::job::{Claim, Job, Versions};
use crate::people::{Directory, User};
use crate::print::document::Told as PrintTold;
use crate::print::{Document, Form, Queue};
use crate::request::Request;
use crate::review::Review;
use crate::run::{Context, Run};
use crate::site::{Defined, Holder, ThingKind};

use super::{Archive, Continued, Joining, Records, SKEW_MS_MAX, joining, need};

/// A host, as its events tell it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its newest start.
    pub started: Option<HostStarted>,
    /// When the recorder received that.
    pub since: Option<Timestamp>,
    /// Whether it takes work: it has started and not stopped in order.
    pub up: bool,
    /// Why it starts nothing new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained: Option<String>,
    /// The hash of the code by which an executor of this name is let in, and when that ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited: Option<(Digest, Timestamp)>,
    /// Which key that is for; the first where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_as: Option<u32>,
    /// Who has invited it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<String>,
    /// Why its key counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<String>,
    /// With which key it has started last, where that is not its first, and since when: of what ran there before, nothing can be
    /// known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anew: Option<(u32, Timestamp)>,
}

impl Host {
    /// The word for how it stands, as far as the log tells: `up`, `down`, `drained`, `invited` where it was never there, or
    /// `revoked`.
    pub fn word(&self) -> &'static str {
        match (&self.revoked, &self.started, &self.drained) {
            (Some(_), _, _) => "revoked",
            (None, None, _) => "invited",
            (None, Some(_), Some(_)) => "drained",
            (None, Some(_), None) if self.up => "up",
            (None, Some(_), None) => "down",
        }
    }

    /// Whether its executor with the key of this number is to start nothing new. What was said of a key that was revoked before
    /// is nothing to one that was let in since, also before it has said that it starts.
    pub fn is_drained_for(&self, generation: u32) -> bool {
        let of_another_key = self.revoked.is_some() && generation > self.generation();
        self.drained.is_some() && !of_another_key
    }

    /// Whether an executor of this name that has this code is let in now, with its key of this number.
    pub fn invites(&self, code: &Digest, generation: u32, now: Timestamp) -> bool {
        let fits = self.invited.is_some_and(|(wanted, until)| wanted == *code && now < until);
        fits && self.invited_as.unwrap_or(1) == generation
    }

    /// Which key it has started with last.
    fn generation(&self) -> u32 {
        self.anew.map_or(1, |(generation, _)| generation)
    }

    /// It starts with one of its keys.
    fn start(&mut self, started: &HostStarted, generation: u32, received: Timestamp) {
        if generation > self.generation() {
            self.anew = Some((generation, received));
            // It was drained because of a key that it has no more.
            if self.revoked.take().is_some() {
                self.drained = None;
            }
        }
        if self.invited_as.unwrap_or(1) <= generation {
            (self.invited, self.invited_as) = (None, None);
        }
        (self.since, self.up) = (Some(received), true);
        self.started = Some(started.clone());
    }
}

/// What a stream is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// A job.
    Job(Job),
    /// A run.
    Run(Box<Run>),
    /// A host.
    Host(Host),
    /// A user.
    User(User),
    /// The log itself; its state is the [`super::Ledger`].
    Log,
    /// A calendar, a blackout, a lock, a pool, a call tree or measures.
    Thing(Defined),
    /// A dataset.
    Dataset(Box<Dataset>),
    /// A repository.
    Repository(Box<Repository>),
    /// A queue.
    Queue(Box<Queue>),
    /// A form.
    Form(Box<Form>),
    /// A document.
    Document(Box<Document>),
    /// The version of the time zone database by which occurrences are decided.
    Tzdb(String),
    /// The directory by which people come in.
    Directory(Box<Directory>),
    /// Under which names the log has gone on.
    Continued(Continued),
    /// How much of the log is in files.
    Archive(Archive),
    /// Keys that wait to be let in.
    Joining(Joining),
    /// Legal holds, and payloads that are erased before their time.
    Records(Box<Records>),
    /// What people say of nights.
    Review(Box<Review>),
    /// A failure that somebody must deal with.
    Incident(Box<Incident>),
    /// A control; what people say of it is read from its events.
    Control,
    /// What an auditor asks to be shown.
    Request(Box<Request>),
}

impl Body {
    /// The job, where it is one.
    pub fn job(&self) -> Option<&Job> {
        if let Self::Job(job) = self { Some(job) } else { None }
    }

    /// The run, where it is one.
    pub fn run(&self) -> Option<&Run> {
        if let Self::Run(run) = self { Some(run) } else { None }
    }

    /// The host, where it is one.
    pub fn host(&self) -> Option<&Host> {
        if let Self::Host(host) = self { Some(host) } else { None }
    }

    /// The definitions, where it is something that is defined and no job.
    pub fn thing(&self) -> Option<&Defined> {
        match self {
            Self::Thing(thing) => Some(thing),
            Self::Dataset(dataset) => Some(&dataset.defined),
            Self::Repository(repository) => Some(&repository.defined),
            Self::Queue(queue) => Some(&queue.defined),
            Self::Form(form) => Some(&form.defined),
            Self::Document(_)
            | Self::Job(_)
            | Self::Run(_)
            | Self::Host(_)
            | Self::User(_)
            | Self::Log
            | Self::Review(_)
            | Self::Incident(_)
            | Self::Control
            | Self::Request(_)
            | Self::Tzdb(_)
            | Self::Continued(_)
            | Self::Archive(_)
            | Self::Joining(_)
            | Self::Records(_)
            | Self::Directory(_) => None,
        }
    }

    /// The dataset, where it is one.
    pub fn dataset(&self) -> Option<&Dataset> {
        if let Self::Dataset(dataset) = self { Some(dataset) } else { None }
    }

    /// The repository, where it is one.
    pub fn repository(&self) -> Option<&Repository> {
        if let Self::Repository(repository) = self { Some(repository) } else { None }
    }

    /// The queue, where it is one.
    pub fn queue(&self) -> Option<&Queue> {
        if let Self::Queue(queue) = self { Some(queue) } else { None }
    }

    /// The form, where it is one.
    pub fn form(&self) -> Option<&Form> {
        if let Self::Form(form) = self { Some(form) } else { None }
    }

    /// The document, where it is one.
    pub fn document(&self) -> Option<&Document> {
        if let Self::Document(document) = self { Some(document) } else { None }
    }

    /// The version of the time zone database, where it is about that.
    pub fn tzdb(&self) -> Option<&str> {
        if let Self::Tzdb(version) = self { Some(version) } else { None }
    }

    /// The directory by which people come in, where it is about that.
    pub fn directory(&self) -> Option<&Directory> {
        if let Self::Directory(directory) = self { Some(directory) } else { None }
    }

    /// Under which names the log has gone on, where it is about that.
    pub fn continued(&self) -> Option<&Continued> {
        if let Self::Continued(continued) = self { Some(continued) } else { None }
    }

    /// How much of the log is in files, where it is about that.
    pub fn archive(&self) -> Option<&Archive> {
        if let Self::Archive(archive) = self { Some(archive) } else { None }
    }

    /// Keys that wait to be let in, where it is about that.
    pub fn joining(&self) -> Option<&Joining> {
        if let Self::Joining(joining) = self { Some(joining) } else { None }
    }

    /// Holds and redactions, where it is about those.
    pub fn records(&self) -> Option<&Records> {
        if let Self::Records(records) = self { Some(records) } else { None }
    }

    /// What people say of nights, where it is that.
    pub fn review(&self) -> Option<&Review> {
        if let Self::Review(review) = self { Some(review) } else { None }
    }

    /// The incident, where it is one.
    pub fn incident(&self) -> Option<&Incident> {
        if let Self::Incident(incident) = self { Some(incident) } else { None }
    }

    /// The request of an auditor, where it is one.
    pub fn request(&self) -> Option<&Request> {
        if let Self::Request(request) = self { Some(request) } else { None }
    }

    /// The definitions of whatever is defined there.
    pub fn versions(&self) -> Option<&Versions> {
        let job = self.job().map(|job| &job.versions);
        job.or_else(|| self.thing().map(|thing| &thing.versions))
    }

    fn versions_mut(&mut self) -> Option<&mut Versions> {
        match self {
            Self::Job(job) => Some(&mut job.versions),
            Self::Thing(thing) => Some(&mut thing.versions),
            Self::Dataset(dataset) => Some(&mut dataset.defined.versions),
            Self::Repository(repository) => Some(&mut repository.defined.versions),
            Self::Queue(queue) => Some(&mut queue.defined.versions),
            Self::Form(form) => Some(&mut form.defined.versions),
            Self::Document(_)
            | Self::Run(_)
            | Self::Host(_)
            | Self::User(_)
            | Self::Log
            | Self::Review(_)
            | Self::Incident(_)
            | Self::Control
            | Self::Request(_)
            | Self::Tzdb(_)
            | Self::Continued(_)
            | Self::Archive(_)
            | Self::Joining(_)
            | Self::Records(_)
            | Self::Directory(_) => None,
        }
    }

    /// The user, where it is one.
    pub fn user(&self) -> Option<&User> {
        if let Self::User(user) = self { Some(user) } else { None }
    }
}

/// Where a job stands among its occurrences and runs, or who holds a lock: told by runs' events, not by its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Turn {
    /// The newest instant that an event settled: all occurrences up to it are accounted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Timestamp>,
    /// The same within each time that is decided apart ([`crate::job::Lease`]), by its beginning.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub leased: BTreeMap<Timestamp, Timestamp>,
    /// Occurrences that ran ahead of their time, because somebody said so, and that the job is not accounted for up
    /// to yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ahead: BTreeSet<Timestamp>,
    /// The run that has begun and not ended, or those parts of it: no other run of the job may begin before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub busy: Vec<StreamId>,
    /// Of a lock, the runs that hold it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<Holder>,
}

/// How many times that are decided apart a turn remembers.
const LEASED_MAX: usize = 50;

/// A stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamState {
    /// Version of its newest valid event.
    pub version: u64,
    /// What it is about.
    pub body: Body,
    /// For a job, whose turn it is; for other streams always the default.
    #[serde(default)]
    pub turn: Turn,
}

/// Where stream states are kept while events are judged.
pub trait Streams {
    /// The stream, if it has an event.
    fn get(&self, id: &StreamId) -> Option<&StreamState>;

    /// Puts a new state in the place of the old.
    fn put(&mut self, id: StreamId, state: StreamState);

    /// Puts a new turn in the place of the old; does nothing to a stream without an event.
    fn put_turn(&mut self, job: &StreamId, turn: Turn) {
        if let Some(state) = self.get(job).cloned() {
            self.put(job.clone(), StreamState { turn, ..state });
        }
    }

    /// Takes a valid event in.
    fn evolve(&mut self, envelope: &Envelope, event: &Event, received: Timestamp) {
        let id = &envelope.subject;
        let (old, turn) = match self.get(id).cloned() {
            Some(state) => (Some(state.body), state.turn),
            None => (None, Turn::default()),
        };
        let first = old.is_none();
        let ran = old.as_ref().and_then(Body::run).is_some_and(Run::is_running);
        let asked_by = asked_by(self, event);
        if let Some(body) = evolve(old, envelope, event, received, asked_by.as_deref()) {
            let version = envelope.version;
            let run = body.run().map(|run| Begun::of(run, ran));
            self.put(id.clone(), StreamState { version, body, turn });
            if let Some(run) = run {
                self.occupy(id, &run);
            }
        }
        // Only a first event accounts for an occurrence; a later one may name it again.
        let Event::RunEvent(run) = event else { return };
        if !first {
            return;
        }
        if let Some((job, instant)) = crate::run::settled_instant(run) {
            // Whole microseconds, as it is stored: or it would be another instant after a restart.
            self.settle(&StreamId::job(job), crate::envelope::to_micros(instant));
        } else if let Some((job, instant)) = crate::run::ahead_instant(run) {
            self.note_ahead(&StreamId::job(job), crate::envelope::to_micros(instant));
        }
    }

    /// Notes that the job's occurrence at `instant` has run ahead of its time.
    fn note_ahead(&mut self, job: &StreamId, instant: Timestamp) {
        let Some(state) = self.get(job) else { return };
        let mut turn = state.turn.clone();
        turn.ahead.insert(instant);
        self.put_turn(job, turn);
    }

    /// Notes that the job's occurrences up to `instant` are accounted for.
    fn settle(&mut self, job: &StreamId, instant: Timestamp) {
        let Some(state) = self.get(job) else { return };
        let mut turn = state.turn.clone();
        let lease = state.body.job().and_then(|job| job.lease_at(instant)).map(|lease| lease.from);
        match lease {
            None if turn.settled.is_none_or(|settled| settled < instant) => {
                turn.settled = Some(instant);
                turn.ahead = turn.ahead.split_off(&crate::time::just_after(instant));
            }
            Some(from) if turn.leased.get(&from).is_none_or(|settled| *settled < instant) => {
                turn.leased.insert(from, instant);
                while turn.leased.len() > LEASED_MAX {
                    turn.leased.pop_first();
                }
            }
            None | Some(_) => return,
        }
        self.put_turn(job, turn);
    }

    /// Notes whether `id` is one of those of its job that have begun and not ended, and what it holds.
    fn occupy(&mut self, id: &StreamId, run: &Begun) {
        if let Some(turn) = self.get(&run.job).map(|state| &state.turn)
            && turn.busy.contains(id) != run.begun
        {
            let mut turn = turn.clone();
            turn.busy.retain(|other| other != id);
            turn.busy.extend(run.begun.then(|| id.clone()));
            self.put_turn(&run.job, turn);
        }
        for claim in &run.claims {
            let lock = claim.stream();
            let Some(turn) = self.get(&lock).map(|state| &state.turn) else { continue };
            let mut turn = turn.clone();
            turn.holders.retain(|holder| holder.run != *id);
            turn.holders.extend(run.running.then(|| Holder::new(id, claim.share)));
            self.put_turn(&lock, turn);
        }
    }
}

/// What a run's step means for its job and for locks.
pub struct Begun {
    job: StreamId,
    begun: bool,
    running: bool,
    /// Its locks, where it began or ceased to hold them.
    claims: Vec<Claim>,
}

impl Begun {
    fn of(run: &Run, ran: bool) -> Self {
        let running = run.is_running();
        Self {
            job: StreamId::job(&run.job),
            begun: run.has_begun(),
            running,
            claims: if running == ran { Vec::new() } else { run.terms.locks.clone() },
        }
    }
}

/// All streams in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory(pub BTreeMap<StreamId, StreamState>);

impl Streams for Memory {
    fn get(&self, id: &StreamId) -> Option<&StreamState> {
        self.0.get(id)
    }

    fn put(&mut self, id: StreamId, state: StreamState) {
        self.0.insert(id, state);
    }

    fn put_turn(&mut self, job: &StreamId, turn: Turn) {
        if let Some(state) = self.0.get_mut(job) {
            state.turn = turn;
        }
    }
}

fn evolve(
    old: Option<Body>,
    envelope: &Envelope,
    event: &Event,
    received: Timestamp,
    asked_by: Option<&str>,
) -> Option<Body> {
    let actor = envelope.actor.as_deref();
    let name = envelope.subject.rest();
    match event {
        Event::JobEvent(event) => {
            let job = if let Some(Body::Job(job)) = old { job } else { Job::new(name) };
            Some(Body::Job(job.evolve(event, received, actor)))
        }
        Event::RunEvent(event) => {
            let run = if let Some(Body::Run(run)) = old { Some(*run) } else { None };
            let payload = envelope.payload.as_ref();
            let ctx = Context { received, producer: &envelope.source, actor, payload };
            Run::evolve(run, &envelope.subject, event, ctx).map(|run| Body::Run(Box::new(run)))
        }
        Event::HostEvent(event) => {
            let host = if let Some(Body::Host(host)) = old { host } else { Host::default() };
            let generation = envelope.source.generation();
            let mut host = evolve_host(host, name, event, (generation, received));
            if let HostEvent::HostInvited(_) = event {
                host.invited_by = actor.map(str::to_owned);
            }
            Some(Body::Host(host))
        }
        Event::UserEvent(event) => {
            let user = if let Some(Body::User(user)) = old { user } else { User::new(name) };
            Some(Body::User(user.evolve(event, received, actor)))
        }
        Event::LogEvent(LogEvent::LogTzdbChanged(e)) => Some(Body::Tzdb(e.to.clone())),
        Event::LogEvent(LogEvent::LogDirectorySet(e)) => {
            Some(Body::Directory(Box::new(e.directory.clone())))
        }
        Event::LogEvent(LogEvent::LogContinued(e)) => {
            let old = if let Some(Body::Continued(old)) = old { old } else { Continued::default() };
            Some(Body::Continued(old.evolve(e, received)))
        }
        Event::LogEvent(LogEvent::LogArchived(e)) => {
            let old = old.as_ref().and_then(Body::archive);
            Some(Body::Archive(Archive::evolve(old.copied(), e, received)))
        }
        Event::LogEvent(event) if envelope.subject == StreamId::joining() => {
            let old = if let Some(Body::Joining(old)) = old { old } else { Joining::default() };
            Some(Body::Joining(old.evolve(event, received, actor.or(asked_by))))
        }
        Event::RecordsEvent(event) => {
            let old = if let Some(Body::Records(old)) = old { *old } else { Records::default() };
            Some(Body::Records(Box::new(old.evolve(event, received, actor))))
        }
        Event::LogEvent(_) => Some(Body::Log),
        Event::ThingEvent(event) => Some(evolve_thing(old, name, event, received, actor)),
        Event::BackupEvent(event) => {
            let version = envelope.version;
            let told = Told { version, received, actor, asked_by };
            Some(match old? {
                Body::Dataset(dataset) => Body::Dataset(Box::new(dataset.evolve(event, told))),
                Body::Repository(one) => Body::Repository(Box::new(one.evolve(event, received))),
                other @ (Body::Job(_)
                | Body::Run(_)
                | Body::Host(_)
                | Body::User(_)
                | Body::Log
                | Body::Thing(_)
                | Body::Queue(_)
                | Body::Form(_)
                | Body::Document(_)
                | Body::Review(_)
                | Body::Incident(_)
                | Body::Control
                | Body::Request(_)
                | Body::Tzdb(_)
                | Body::Continued(_)
                | Body::Archive(_)
                | Body::Joining(_)
                | Body::Records(_)
                | Body::Directory(_)) => other,
            })
        }
        Event::ChangeEvent(event) => {
            let mut body = old?;
            if let Some(versions) = body.versions_mut() {
                versions.hear(event, received, actor);
            }
            Some(body)
        }
        Event::ReviewEvent(event) => {
            let review =
                if let Some(Body::Review(review)) = old { *review } else { Review::default() };
            Some(Body::Review(Box::new(review.evolve(event, received, actor))))
        }
        Event::ControlEvent(_) => Some(Body::Control),
        Event::RequestEvent(event) => match old {
            Some(Body::Request(request)) => {
                Some(Body::Request(Box::new(request.evolve(event, received, actor))))
            }
            old => {
                let request = Request::begin(&envelope.subject, event, received, actor);
                request.map(Box::new).map(Body::Request).or(old)
            }
        },
        Event::IncidentEvent(event) => match old {
            Some(Body::Incident(incident)) => {
                Some(Body::Incident(Box::new(incident.evolve(event, received, actor))))
            }
            old => {
                let incident = Incident::begin(&envelope.subject, event, received, actor);
                incident.map(Box::new).map(Body::Incident).or(old)
            }
        },
        Event::PrintEvent(event) => evolve_document(old, envelope, event, received),
        Event::FormEvent(event) => {
            let Some(Body::Form(form)) = old else { return old };
            Some(Body::Form(Box::new(form.evolve(event, print_told(envelope, received)))))
        }
        Event::QueueEvent(event) => {
            let Some(Body::Queue(queue)) = old else { return old };
            Some(Body::Queue(Box::new(queue.evolve(event, print_told(envelope, received)))))
        }
    }
}

fn print_told(envelope: &Envelope, received: Timestamp) -> PrintTold<'_> {
    PrintTold { version: envelope.version, received, actor: envelope.actor.as_deref() }
}

fn evolve_document(
    old: Option<Body>,
    envelope: &Envelope,
    event: &PrintEvent,
    received: Timestamp,
) -> Option<Body> {
    let told = print_told(envelope, received);
    match (old, event) {
        (Some(Body::Document(document)), _) => {
            Some(Body::Document(Box::new(document.evolve(event, told))))
        }
        (None, PrintEvent::PrintSpooled(e)) => {
            let content = envelope.payload.clone()?;
            Some(Body::Document(Box::new(Document::new(e, content, told))))
        }
        (old, _) => old,
    }
}

fn evolve_thing(
    old: Option<Body>,
    name: &str,
    event: &ThingEvent,
    received: Timestamp,
    actor: Option<&str>,
) -> Body {
    match (event.of, old) {
        (ThingKind::Dataset, old) => {
            let mut dataset = match old {
                Some(Body::Dataset(dataset)) => dataset,
                Some(_) | None => Box::new(Dataset::new(name)),
            };
            dataset.defined = dataset.defined.evolve(event, received, actor);
            Body::Dataset(dataset)
        }
        (ThingKind::Repository, old) => {
            let mut repository = match old {
                Some(Body::Repository(repository)) => repository,
                Some(_) | None => Box::new(Repository::new(name)),
            };
            repository.defined = repository.defined.evolve(event, received, actor);
            Body::Repository(repository)
        }
        (ThingKind::Queue, old) => {
            let mut queue = match old {
                Some(Body::Queue(queue)) => queue,
                Some(_) | None => Box::new(Queue::new(name)),
            };
            queue.defined = queue.defined.evolve(event, received, actor);
            Body::Queue(queue)
        }
        (ThingKind::Form, old) => {
            let mut form = match old {
                Some(Body::Form(form)) => form,
                Some(_) | None => Box::new(Form::new(name)),
            };
            form.defined = form.defined.evolve(event, received, actor);
            Body::Form(form)
        }
        (
            ThingKind::Calendar
            | ThingKind::Blackout
            | ThingKind::Lock
            | ThingKind::Pool
            | ThingKind::CallTree
            | ThingKind::Measures,
            Some(Body::Thing(thing)),
        ) => Body::Thing(thing.evolve(event, received, actor)),
        (
            ThingKind::Calendar
            | ThingKind::Blackout
            | ThingKind::Lock
            | ThingKind::Pool
            | ThingKind::CallTree
            | ThingKind::Measures,
            _,
        ) => Body::Thing(Defined::new(name).evolve(event, received, actor)),
    }
}

/// Who asked for the run that an event is of, or invited the host whose key asks, where the log may need that later.
fn asked_by(streams: &(impl Streams + ?Sized), event: &Event) -> Option<String> {
    if let Event::LogEvent(LogEvent::LogProducerAsked(event)) = event {
        return joining::inviter(streams, event);
    }
    let Event::BackupEvent(event) = event else { return None };
    let (run, _) = crate::backup::admit::run_of(event)?;
    streams.get(run)?.body.run()?.asked_by.clone()
}

pub(crate) fn evolve_host(
    mut host: Host,
    name: &str,
    event: &HostEvent,
    (generation, received): (u32, Timestamp),
) -> Host {
    name.clone_into(&mut host.name);
    match event {
        HostEvent::HostStarted(started) => host.start(started, generation, received),
        HostEvent::HostStopped(_) => {
            host.since = Some(received);
            host.up = false;
        }
        HostEvent::HostDrained(e) => host.drained = Some(e.reason.clone()),
        HostEvent::HostResumed(_) => host.drained = None,
        HostEvent::HostInvited(e) => {
            (host.invited, host.invited_as) = (Some((e.code, e.until)), e.generation);
        }
        HostEvent::HostRevoked(e) => {
            host.since = Some(received);
            host.up = false;
            host.drained = Some(format!("its key was revoked: {}", e.reason));
            host.revoked = Some(e.reason.clone());
            // Whoever has an older code is not let in by it either.
            (host.invited, host.invited_as) = (None, None);
        }
    }
    host
}

const REVOKED: &str = "the host's key was revoked: invite it again, with another key";

/// The longest that an invitation may live: 15 minutes.
pub const INVITED_MS_MAX: i64 = 15 * 60 * 1_000;

/// A host is drained once, and resumed when it is drained; and one is invited that nobody has let in yet, or with its next key.
/// `keys` is how many of it were let in, and whether the newest counts.
pub(super) fn admit_host(
    body: Option<&Body>,
    event: &HostEvent,
    (keys, counts): (usize, bool),
    received: Timestamp,
) -> Result<(), String> {
    let host = body.and_then(Body::host);
    let drained = host.is_some_and(|host| host.drained.is_some());
    let revoked = host.is_some_and(|host| host.revoked.is_some());
    match event {
        // Whoever says that it starts or stops has a key that counts.
        HostEvent::HostStarted(_) | HostEvent::HostStopped(_) => Ok(()),
        HostEvent::HostInvited(e) => admit_invitation(e, keys, received),
        HostEvent::HostRevoked(_) if keys == 0 => Err("no host of that name was let in".to_owned()),
        // Also one that was let in and has not said a word yet.
        HostEvent::HostRevoked(_) => need(counts, REVOKED),
        _ if revoked => Err(REVOKED.to_owned()),
        HostEvent::HostDrained(_) if host.is_none_or(|host| host.started.is_none()) => {
            Err("there is no such host".to_owned())
        }
        HostEvent::HostDrained(_) if drained => Err("the host is drained already".to_owned()),
        HostEvent::HostResumed(_) if !drained => Err("the host is not drained".to_owned()),
        HostEvent::HostDrained(_) | HostEvent::HostResumed(_) => Ok(()),
    }
}

fn admit_invitation(e: &HostInvited, keys: usize, received: Timestamp) -> Result<(), String> {
    let ahead = e.until.as_millisecond() - received.as_millisecond();
    let in_time = ahead > 0 && ahead <= INVITED_MS_MAX + SKEW_MS_MAX;
    need(in_time, "an invitation lives for 15 minutes at most")?;
    match e.generation {
        None => need(
            keys == 0,
            "a host of that name is let in already: bring its key back, invite it again with another key, or give this one another name",
        ),
        Some(_) if keys == 0 => Err("no host of that name was let in".to_owned()),
        Some(generation) => {
            need(generation as usize == keys + 1, "an invitation is for the host's next key")
        }
    }
}

/// A change of the time zone database is told once, by whoever is the first to use the new one.
pub(super) fn admit_tzdb(body: Option<&Body>, event: &LogTzdbChanged) -> Result<(), String> {
    let known = body.and_then(Body::tzdb);
    if known == Some(&event.to) {
        return Err(format!("time zone database {} is the one in use already", event.to));
    }
    if known != event.from.as_deref() {
        let word = |version: Option<&str>| version.unwrap_or("none").to_owned();
        let (known, from) = (word(known), word(event.from.as_deref()));
        return Err(format!("the time zone database in use is {known}, not {from}"));
    }
    Ok(())
}

/// A run's name says which job it belongs to, and which occurrence or request it is: so one occurrence cannot
/// run under two names, and a request cannot take an occurrence's place.
pub(super) fn check_run_name(
    subject: &StreamId,
    event: &RunEvent,
    begins: bool,
) -> Result<(), String> {
    debug_assert_eq!(subject.stream_type(), StreamType::Run);
    let (named, nominal) = match event {
        RunEvent::RunRequested(e) => (&e.job, None),
        RunEvent::RunDue(e) => (&e.job, e.nominal.as_ref()),
        RunEvent::RunSkipped(e) => (&e.job, e.nominal.as_ref()),
        RunEvent::RunMissed(e) => (&e.job, Some(&e.nominal)),
        RunEvent::RunReleased(_)
        | RunEvent::RunGathered(_)
        | RunEvent::RunDivided(_)
        | RunEvent::RunLate(_)
        | RunEvent::RunNeedsUnmet(_)
        | RunEvent::RunOverridden(_)
        | RunEvent::RunBlocked(_)
        | RunEvent::RunCleared(_)
        | RunEvent::RunConfirmed(_)
        | RunEvent::RunDelayed(_)
        | RunEvent::RunHeld(_)
        | RunEvent::RunStarted(_)
        | RunEvent::RunSucceeded(_)
        | RunEvent::RunFailed(_)
        | RunEvent::RunTimedOut(_)
        | RunEvent::RunCancelRequested(_)
        | RunEvent::RunCancelled(_)
        | RunEvent::RunLost(_)
        | RunEvent::RunRetryScheduled(_)
        | RunEvent::RunResolved(_)
        | RunEvent::RunReported(_) => return Ok(()),
    };
    let part_of = if let RunEvent::RunDue(due) = event { due.part_of.as_ref() } else { None };
    if subject.run_job() != Some(named) {
        return Err(format!("{subject} is not a run of job {named}"));
    }
    // What has begun has its name; a part is skipped like any other run.
    if !begins && matches!(event, RunEvent::RunSkipped(_)) {
        return Ok(());
    }
    let label = subject.whole().split_once('@').map_or("", |(_, label)| label);
    match (part_of, subject.part()) {
        (None, None) => {}
        (Some(whole), Some(_)) if whole.as_str() == subject.whole() => {}
        (_, _) => return Err(format!("{subject} is not the name of such a part")),
    }
    match nominal {
        None if label.starts_with("request-") => Ok(()),
        None => Err(format!("{subject} is not the name of a request")),
        Some(nominal) if label.parse::<Timestamp>().is_ok_and(|at| at == nominal.at) => Ok(()),
        Some(nominal) => {
            Err(format!("{subject} is not the name of the occurrence at {}", nominal.at))
        }
    }
}
