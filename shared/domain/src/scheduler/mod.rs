//! What must happen next: the scheduler's whole mind, without clock, network or disk.
//!
//! The service around it does four things: it feeds committed events in ([`Scheduler::apply`]), tells
//! it what it heard ([`Scheduler::heard`]), asks what to do now ([`Scheduler::tick`]) and reports how an
//! append ended ([`Scheduler::answered`]). The simulation drives the same functions.
//!
//! Two schedulers need no election. Both compute the same occurrences; for each stream one of those
//! alive has the turn and acts at once, the next acts after a grace if nobody did. The stream's version
//! decides any tie, so a wrong idea of who is alive costs a void event and nothing else.

mod brief;
mod due;
mod jobs;
mod sweep;
mod turn;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

pub use due::{Decided, Decision, decide_due};
pub use jobs::{Definition, JobEntry};

use crate::envelope::{Draft, Envelope};
use crate::event::Event;
use crate::ids::StreamId;
use crate::ledger::{Body, Mark, StreamState};
use crate::run::{Context, Run};
use crate::wire::Work;
use turn::Peers;

/// Limits and delays of a scheduler.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name among the schedulers.
    pub id: String,
    /// Version of the time zone database, recorded with every occurrence.
    pub tzdb: String,
    /// How long a scheduler waits for another whose turn it is, milliseconds.
    pub grace_ms: i64,
    /// How long after a dispatch nobody answered it is sent again, milliseconds; doubles each time.
    pub redispatch_ms: i64,
    /// Most a re-dispatch waits, milliseconds.
    pub redispatch_ms_max: i64,
    /// Most drafts from one tick about what is due, and as many again about open runs. Small, so that what
    /// was decided first is on its way while the rest is decided.
    pub drafts_max: usize,
}

impl Settings {
    /// Usual values for the scheduler `id`.
    pub fn new(id: &str, tzdb: &str) -> Self {
        Self {
            id: id.to_owned(),
            tzdb: tzdb.to_owned(),
            grace_ms: 2_000,
            redispatch_ms: 10_000,
            redispatch_ms_max: 300_000,
            drafts_max: 128,
        }
    }
}

/// Something to do.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all actions are appends")]
pub enum Action {
    /// Append this, and report the answer.
    Append(Draft),
    /// Offer this work to its pool.
    Dispatch(Box<Work>),
}

#[derive(Debug, Clone)]
pub(crate) struct RunEntry {
    pub(crate) run: Run,
    pub(crate) version: u64,
    /// When it is looked at next; also its key in the agenda.
    check: Option<Timestamp>,
    /// How often it was offered since its newest event.
    offered: u32,
}

/// An append under way.
#[derive(Debug, Clone, Copy)]
struct Pending {
    since: Timestamp,
    /// It makes a run due: until the feed brings it, overlap must know of it from here.
    due: bool,
    /// It waits for another run.
    waits: bool,
}

impl Pending {
    fn new(event: &Event, since: Timestamp) -> Self {
        let due = due::due_of(event);
        Self { since, due: due.is_some(), waits: due.is_some_and(|due| !due.behind.is_empty()) }
    }
}

/// The mind of one scheduler.
#[derive(Debug)]
pub struct Scheduler {
    settings: Settings,
    /// Boxed: a tree leaves room in its nodes for as many again.
    jobs: BTreeMap<String, Box<JobEntry>>,
    runs: BTreeMap<StreamId, RunEntry>,
    /// Jobs by the instant of their next occurrence.
    occurrences: BTreeSet<(Timestamp, String)>,
    /// Open runs by the instant they are looked at next.
    agenda: BTreeSet<(Timestamp, StreamId)>,
    /// Streams with an append under way.
    pending: BTreeMap<StreamId, Pending>,
    heard: BTreeMap<StreamId, (u32, Timestamp)>,
    listening_since: Option<Timestamp>,
    peers: Peers,
    schedules: jobs::Schedules,
    draining: bool,
}

/// How long an append may be under way before the scheduler looks again, milliseconds.
const PENDING_MS_MAX: i64 = 30_000;
/// How long it waits after a refusal, milliseconds.
const REFUSED_MS: i64 = 5_000;

pub(crate) fn plus_ms(at: Timestamp, ms: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_millis(ms)).unwrap_or(Timestamp::MAX)
}

impl Scheduler {
    /// A scheduler that knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            peers: Peers::new(&settings.id),
            settings,
            jobs: BTreeMap::new(),
            runs: BTreeMap::new(),
            occurrences: BTreeSet::new(),
            agenda: BTreeSet::new(),
            pending: BTreeMap::new(),
            heard: BTreeMap::new(),
            listening_since: None,
            schedules: jobs::Schedules::default(),
            draining: false,
        }
    }

    /// While draining nothing new becomes due; what is open is carried to its end.
    pub fn drain(&mut self, draining: bool) {
        self.draining = draining;
    }

    /// Takes a job or an open run of the read model in; the rest comes from the feed.
    pub fn load(&mut self, id: &StreamId, state: &StreamState, now: Timestamp) {
        match &state.body {
            Body::Job(job) => {
                let mut entry =
                    self.take_job(&job.name).renew(job, state.version, &mut self.schedules);
                if let Some(settled) = state.turn.settled {
                    entry.settle(settled);
                }
                self.put_job(Box::new(entry));
            }
            Body::Run(run) => self.put_run(id, (**run).clone(), state.version, now),
            Body::Host(_) | Body::User(_) | Body::Log => {}
        }
    }

    /// Takes a committed, valid event in. Events it has seen already change nothing.
    pub fn apply(&mut self, envelope: &Envelope, event: &Event, received: Timestamp) {
        match event {
            Event::JobEvent(event) => {
                let old = self.take_job(envelope.subject.rest());
                if old.version >= envelope.version {
                    return self.put_job(old);
                }
                let job = old.to_job().evolve(event, received, envelope.actor.as_deref());
                let entry = old.renew(&job, envelope.version, &mut self.schedules);
                self.put_job(Box::new(entry));
            }
            Event::RunEvent(event) => self.apply_run(envelope, event, received),
            Event::HostEvent(_) | Event::UserEvent(_) | Event::LogEvent(_) => {}
        }
    }

    fn apply_run(
        &mut self,
        envelope: &Envelope,
        event: &crate::event::RunEvent,
        received: Timestamp,
    ) {
        let id = &envelope.subject;
        if let Some((job, instant)) = crate::run::settled_instant(event) {
            self.settle(job, instant);
        }
        self.pending.remove(id);
        let known = self.runs.get(id).map(|entry| (entry.run.clone(), entry.version));
        if known.as_ref().is_some_and(|(_, version)| *version >= envelope.version) {
            return;
        }
        let ctx =
            Context { received, producer: &envelope.source, actor: envelope.actor.as_deref() };
        if let Some(run) = Run::evolve(known.map(|(run, _)| run), id, event, ctx) {
            self.put_run(id, run, envelope.version, received);
        }
    }

    fn settle(&mut self, job: &str, instant: Timestamp) {
        let mut entry = self.take_job(job);
        entry.settle(instant);
        self.put_job(entry);
    }

    fn put_job(&mut self, mut entry: Box<JobEntry>) {
        entry.find_next();
        if let Some(next) = entry.next {
            self.occurrences.insert((next, entry.name.clone()));
        }
        self.jobs.insert(entry.name.clone(), entry);
    }

    fn take_job(&mut self, name: &str) -> Box<JobEntry> {
        let entry = self.jobs.remove(name).unwrap_or_else(|| Box::new(JobEntry::empty(name)));
        self.forget_occurrence(&entry);
        entry
    }

    fn forget_occurrence(&mut self, entry: &JobEntry) {
        if let Some(next) = entry.next {
            self.occurrences.remove(&(next, entry.name.clone()));
        }
    }

    fn put_run(&mut self, id: &StreamId, run: Run, version: u64, now: Timestamp) {
        self.forget_run(id);
        let job = run.job.clone();
        if run.state.is_ended() {
            self.heard.remove(id);
            if let Some(entry) = self.jobs.get_mut(&job) {
                entry.open.remove(id);
            }
            self.wake_waiting(&job, now);
            return;
        }
        self.jobs
            .entry(job.clone())
            .or_insert_with(|| Box::new(JobEntry::empty(&job)))
            .open
            .insert(id.clone());
        let check = Some(now);
        self.agenda.insert((now, id.clone()));
        self.runs.insert(id.clone(), RunEntry { run, version, check, offered: 0 });
    }

    fn forget_run(&mut self, id: &StreamId) {
        if let Some(RunEntry { check: Some(at), .. }) = self.runs.remove(id) {
            self.agenda.remove(&(at, id.clone()));
        }
    }

    /// Runs of `job` that wait for another to end are looked at again.
    fn wake_waiting(&mut self, job: &str, now: Timestamp) {
        let open: Vec<StreamId> = self
            .jobs
            .get(job)
            .map(|entry| entry.open.iter().cloned().collect())
            .unwrap_or_default();
        for id in open {
            self.look_again(&id, now);
        }
    }

    fn look_again(&mut self, id: &StreamId, at: Timestamp) {
        let Some(entry) = self.runs.get_mut(id) else { return };
        if let Some(old) = entry.check.replace(at) {
            self.agenda.remove(&(old, id.clone()));
        }
        self.agenda.insert((at, id.clone()));
    }

    /// The service is connected and hears heartbeats from `at` on; `None` while it is cut off. A
    /// scheduler that could not listen must not take silence for death.
    pub fn listening(&mut self, at: Option<Timestamp>) {
        self.listening_since = at;
    }

    /// The service is connected at `now`: listens from now on, unless it does already.
    pub fn listen_from(&mut self, now: Timestamp) {
        self.listening_since = self.listening_since.or(Some(now));
    }

    /// An executor says that it runs attempt `attempt` of `run`.
    pub fn heard(&mut self, run: &StreamId, attempt: u32, now: Timestamp) {
        // Of runs that ended, or were never heard of, nothing is kept.
        if self.runs.contains_key(run) {
            self.heard.insert(run.clone(), (attempt, now));
        }
    }

    /// Another scheduler says that it is there.
    pub fn peer(&mut self, id: &str, now: Timestamp) {
        self.peers.heard(id, now);
    }

    /// An append ended; `None` where it could not be delivered at all.
    pub fn answered(&mut self, stream: &StreamId, mark: Option<&Mark>, now: Timestamp) {
        let failed = match mark {
            // The feed brings the event, or the one that won.
            Some(Mark::Valid | Mark::Conflict { .. }) => return,
            Some(Mark::Refused { .. }) | None => stream,
        };
        self.pending.remove(failed);
        self.look_again(failed, plus_ms(now, REFUSED_MS));
        if let Some(job) = failed.run_job().map(str::to_owned) {
            let mut entry = self.take_job(&job);
            entry.decide_again(plus_ms(now, REFUSED_MS));
            self.put_job(entry);
        }
    }

    /// When something is to be done next, as far as it is known now.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let first = self.occurrences.first().map(|(at, _)| *at).filter(|_| !self.draining);
        let second = self.agenda.first().map(|(at, _)| *at);
        first.into_iter().chain(second).min()
    }

    /// What must be done now.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Action> {
        self.peers.forget_silent(now);
        self.forget_stale_pending(now);
        let mut actions = Vec::new();
        if !self.draining {
            self.tick_occurrences(now, &mut actions);
        }
        self.tick_runs(now, &mut actions);
        for action in &actions {
            if let Action::Append(draft) = action {
                self.pending.insert(draft.stream.clone(), Pending::new(&draft.event, now));
            }
        }
        actions
    }

    fn forget_stale_pending(&mut self, now: Timestamp) {
        let stale: Vec<StreamId> = self
            .pending
            .iter()
            .filter(|(_, pending)| plus_ms(pending.since, PENDING_MS_MAX) <= now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in stale {
            self.answered(&id, None, now);
        }
    }

    /// Number of jobs and open runs, for metrics.
    pub fn counts(&self) -> (usize, usize) {
        (self.jobs.len(), self.runs.len())
    }

    /// The open runs, for the simulation's invariants.
    pub fn open_runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values().map(|entry| &entry.run)
    }
}
