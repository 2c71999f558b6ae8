//! What must happen next: the scheduler's whole mind, without clock, network or disk.
//!
//! The service around it does four things: it feeds committed events in ([`Scheduler::apply`]), tells
//! it what it heard ([`Scheduler::heard`]), asks what to do now ([`Scheduler::tick`]) and reports how an
//! append ended ([`Scheduler::answered`]). The simulation drives the same functions.
//!
//! Two schedulers need no election. Both compute the same occurrences; for each stream one of those
//! alive has the turn and acts at once, the next acts after a grace if nobody did. The stream's version
//! decides any tie, so a wrong idea of who is alive costs a void event and nothing else.

pub mod alone;
mod brief;
mod due;
mod gates;
mod grants;
pub mod incidents;
mod jobs;
mod late;
mod parts;
pub mod past;
mod resume;
mod site;
mod sweep;
mod terms;
mod turn;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

pub use due::{Decided, Decision, decide_ahead, decide_due};
pub use gates::Obstacle;
pub use incidents::{About, OF_THE_LOG, Outgoing, SENDERS, SUSPECT};
pub use jobs::{Definition, JobEntry};

use crate::backup::claim_name;
use crate::envelope::{Draft, Envelope};
use crate::event::{ChangeEvent, Event, HostEvent, JobEvent, LogEvent, RunEvent, ThingEvent};
use crate::ids::{StreamId, StreamType};
use crate::ledger::{Body, Continued, Mark, StreamState, evolve_host};
use crate::run::{Context, Run, State};
use crate::site::ThingKind;
use crate::time::Schedule;
use crate::wire::Work;
use gates::{Shared, Sharers, own_place};
use past::Pasts;
use site::Site;
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
    /// Whether failures become incidents here.
    pub incidents: bool,
    /// By what the words of links in messages are made; `None` where this scheduler sends no messages. New with each process.
    pub link_secret: Option<[u8; 32]>,
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
            incidents: true,
            link_secret: None,
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
    /// Ask the log for the newest runs of this job that have ended, at most [`past::PAST_RUNS`], and hand them to
    /// [`Scheduler::recalled`].
    Recall(String),
    /// Send this message, once, and report what became of it to [`Scheduler::sent`].
    Send(Box<Outgoing>),
}

#[derive(Debug, Clone)]
pub(crate) struct RunEntry {
    pub(crate) run: Run,
    pub(crate) version: u64,
    /// When it is looked at next; also its key in the agenda.
    check: Option<Timestamp>,
    /// How often it was offered since its newest event.
    offered: u32,
    /// Since when there is something to do about it, as far as it was looked at.
    wants: Option<Timestamp>,
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
    site: Site,
    /// Jobs whose schedules depend on calendars.
    with_calendars: BTreeSet<String>,
    /// Jobs that name limits for their runs.
    measured: BTreeSet<String>,
    /// Runs that have ended, of jobs that somebody needs to know of.
    pasts: Pasts,
    /// Open runs that wait for runs of a job.
    dependents: BTreeMap<String, BTreeSet<StreamId>>,
    /// Open runs by what they share.
    sharers: BTreeMap<Shared, Sharers>,
    /// The host that ran a job last.
    last_hosts: BTreeMap<String, String>,
    /// Jobs that may be left to their hosts.
    grants: grants::Grants,
    /// Jobs whose pause has ended, and from when on to look what of it is caught up.
    resumed: BTreeMap<String, Timestamp>,
    /// Runs that were asked for to catch up after the newest pause of their job.
    asked: BTreeSet<StreamId>,
    /// What is to be said of runs that have ended, and since when.
    notes: Vec<(Timestamp, Draft)>,
    datasets: watch::Datasets,
    incidents: incidents::Incidents,
    /// What may have happened without that the log knows.
    continued: Continued,
    draining: bool,
}

/// How long an append may be under way before the scheduler looks again, milliseconds.
const PENDING_MS_MAX: i64 = 30_000;
/// How long after a pause has ended a scheduler that starts looks what of it is caught up, milliseconds.
const RESUMED_MS: i64 = 3_600_000;
/// How many of those that wait for something are looked at when some of it becomes free.
const WOKEN: usize = 64;
/// How long it waits after a refusal, milliseconds.
const REFUSED_MS: i64 = 5_000;

/// Whether a run has what it shares with others, or a place among those that wait for it.
fn has_a_place(run: &Run) -> bool {
    matches!(run.state, State::Due | State::Running { .. } | State::Retrying { .. })
}

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
            site: Site::default(),
            with_calendars: BTreeSet::new(),
            measured: BTreeSet::new(),
            pasts: Pasts::default(),
            dependents: BTreeMap::new(),
            sharers: BTreeMap::new(),
            last_hosts: BTreeMap::new(),
            grants: grants::Grants::default(),
            resumed: BTreeMap::new(),
            asked: BTreeSet::new(),
            notes: Vec::new(),
            datasets: watch::Datasets::new(),
            incidents: incidents::Incidents::default(),
            continued: Continued::default(),
            draining: false,
        }
    }

    /// While draining nothing new becomes due; what is open is carried to its end.
    pub fn drain(&mut self, draining: bool) {
        self.draining = draining;
    }

    /// Takes a job, an open run, a host or another thing of the read model in; the rest comes from the feed. What
    /// jobs refer to is taken in before them.
    pub fn load(&mut self, id: &StreamId, state: &StreamState, now: Timestamp) {
        match &state.body {
            Body::Job(job) => {
                let mut entry = self.renew_job(job, state.version, now);
                entry.settle_all(&state.turn);
                // Who was away when a pause ended does not know what was caught up.
                let ended = entry.pauses.last().and_then(|pause| pause.until);
                // Nor does anybody, where the log of that time was lost: it may have been caught up.
                let ended = ended.filter(|at| !self.continued.may_have_happened(*at));
                if ended.is_some_and(|at| plus_ms(at, RESUMED_MS) > now) {
                    self.note_resumed(&job.name, now);
                }
                self.put_job(Box::new(entry));
            }
            Body::Run(run) => self.put_run(id, (**run).clone(), state.version, now),
            Body::Host(host) => self.site.put_host(id.rest(), host, state.version),
            Body::Thing(thing) => {
                let calendars = &mut self.schedules.calendars;
                if self.site.load(id, thing, state.version, calendars) {
                    self.renew_calendars();
                }
            }
            Body::Repository(repository) => {
                let calendars = &mut self.schedules.calendars;
                self.site.load(id, &repository.defined, state.version, calendars);
            }
            Body::Dataset(dataset) => self.put_dataset(id, dataset, state.version, now),
            Body::Incident(incident) => self.put_incident(incident, state.version, now),
            Body::Review(review) => self.put_review(review),
            Body::Continued(continued) => self.continued = continued.clone(),
            Body::Queue(_)
            | Body::Form(_)
            | Body::Document(_)
            | Body::User(_)
            | Body::Log
            | Body::Control
            | Body::Request(_)
            | Body::Tzdb(_)
            | Body::Archive(_)
            | Body::Joining(_)
            | Body::Records(_)
            | Body::Directory(_) => {}
        }
    }

    fn renew_job(&mut self, job: &crate::job::Job, version: u64, now: Timestamp) -> JobEntry {
        let entry = self.take_job(&job.name).renew(job, version, &mut self.schedules);
        let autonomous =
            job.active().is_some_and(|span| grants::may_be_left(span.definition.get()));
        self.grants.put(&job.name, autonomous.then_some(now));
        let measured = job.active().is_some_and(|span| span.definition.get().contains("\"sla\":"));
        for (has, set) in [
            (entry.has_calendars, &mut self.with_calendars),
            (measured || self.measured.contains(&job.name), &mut self.measured),
        ] {
            if has {
                set.insert(job.name.clone());
            }
        }
        entry
    }

    /// Calendars have changed: the jobs that name any find their next occurrences anew.
    fn renew_calendars(&mut self) {
        for name in self.with_calendars.clone() {
            let entry = self.take_job(&name);
            let (job, version) = (entry.to_job(), entry.version);
            let entry = entry.renew(&job, version, &mut self.schedules);
            self.put_job(Box::new(entry));
        }
    }

    /// The schedules of active jobs, by job.
    pub fn schedules(&self) -> impl Iterator<Item = (&str, &Arc<Schedule>)> {
        self.jobs
            .values()
            .filter_map(|entry| Some((entry.name.as_str(), entry.active()?.schedule.as_ref()?)))
    }

    /// Takes a committed, valid event in. Events it has seen already change nothing.
    pub fn apply(&mut self, envelope: &Envelope, event: &Event, received: Timestamp) {
        match event {
            Event::JobEvent(event) => self.apply_job(envelope, event, received),
            Event::RunEvent(event) => self.apply_run(envelope, event, received),
            Event::HostEvent(event) => self.apply_host(envelope, event, received),
            Event::ThingEvent(event) if event.of == ThingKind::Dataset => {
                self.apply_dataset(envelope, received, |dataset| {
                    let actor = envelope.actor.as_deref();
                    dataset.defined = dataset.defined.clone().evolve(event, received, actor);
                });
            }
            Event::ThingEvent(event) => self.apply_thing(envelope, event, received),
            Event::BackupEvent(event) => self.apply_backup(envelope, event, received),
            Event::LogEvent(event) => {
                if let LogEvent::LogContinued(continued) = event {
                    self.continued.hear(continued, received);
                    self.look_at_all(received);
                }
                self.notice_of_log(event, received, received);
            }
            Event::UserEvent(_)
            | Event::PrintEvent(_)
            | Event::FormEvent(_)
            | Event::QueueEvent(_)
            | Event::ControlEvent(_)
            | Event::RecordsEvent(_)
            | Event::RequestEvent(_) => {}
            Event::IncidentEvent(event) => self.apply_incident(envelope, event, received),
            Event::ReviewEvent(event) => self.apply_review(event),
            Event::ChangeEvent(event) => self.apply_change(envelope, event, received),
        }
    }

    /// It decides nothing, but the stream goes on by it, and what was withdrawn waits no more.
    fn apply_change(&mut self, envelope: &Envelope, event: &ChangeEvent, received: Timestamp) {
        let (id, actor) = (&envelope.subject, envelope.actor.as_deref());
        match id.stream_type() {
            StreamType::Job => {
                let old = self.take_job(id.rest());
                if old.version >= envelope.version {
                    return self.put_job(old);
                }
                let mut job = old.to_job();
                job.versions.hear(event, received, actor);
                self.jobs.insert(old.name.clone(), old);
                self.pending.remove(id);
                let entry = self.renew_job(&job, envelope.version, received);
                self.put_job(Box::new(entry));
            }
            StreamType::Dataset => self.apply_dataset(envelope, received, |dataset| {
                dataset.defined.versions.hear(event, received, actor);
            }),
            StreamType::Calendar
            | StreamType::Blackout
            | StreamType::Lock
            | StreamType::Pool
            | StreamType::Repository
            | StreamType::Queue
            | StreamType::Form
            | StreamType::CallTree
            | StreamType::Measures => {
                self.site
                    .hear(id, envelope.version, |versions| versions.hear(event, received, actor));
            }
            StreamType::Run
            | StreamType::Host
            | StreamType::User
            | StreamType::Log
            | StreamType::Document
            | StreamType::Incident
            | StreamType::Control
            | StreamType::Request
            | StreamType::Review => {}
        }
    }

    fn apply_job(&mut self, envelope: &Envelope, event: &JobEvent, received: Timestamp) {
        let old = self.take_job(envelope.subject.rest());
        if old.version >= envelope.version {
            return self.put_job(old);
        }
        let job = old.to_job().evolve(event, received, envelope.actor.as_deref());
        self.jobs.insert(old.name.clone(), old);
        self.pending.remove(&envelope.subject);
        let entry = self.renew_job(&job, envelope.version, received);
        self.put_job(Box::new(entry));
        if matches!(event, JobEvent::JobResumed(_)) {
            self.begin_resumed(&job.name, received);
        }
        // What it says of a run that waits may have changed.
        self.wake_waiting(&job.name, received);
    }

    fn apply_host(&mut self, envelope: &Envelope, event: &HostEvent, received: Timestamp) {
        let name = envelope.subject.rest();
        let (host, version) = self.site.host(name);
        if version < envelope.version {
            let when = (envelope.source.generation(), received);
            let host = evolve_host(host, name, event, when);
            self.site.put_host(name, &host, envelope.version);
        }
        if matches!(
            event,
            HostEvent::HostDrained(_) | HostEvent::HostResumed(_) | HostEvent::HostRevoked(_)
        ) {
            self.look_at_all(received);
        }
    }

    fn apply_thing(&mut self, envelope: &Envelope, event: &ThingEvent, received: Timestamp) {
        let when = (received, envelope.actor.as_deref());
        let calendars = &mut self.schedules.calendars;
        let id = &envelope.subject;
        if self.site.apply(id, envelope.version, event, when, calendars) {
            self.renew_calendars();
        }
        if matches!(id.stream_type(), StreamType::CallTree | StreamType::Calendar) {
            self.look_at_incidents(received);
        }
        match id.stream_type() {
            StreamType::Lock | StreamType::Repository => {
                self.wake_all(&Shared::Lock(claim_name(id)), received);
            }
            StreamType::Pool => self.wake_all(&Shared::Pool(id.rest().to_owned()), received),
            StreamType::Blackout => self.look_at_all(received),
            StreamType::Calendar
            | StreamType::Dataset
            | StreamType::Job
            | StreamType::Run
            | StreamType::Host
            | StreamType::User
            | StreamType::Queue
            | StreamType::Form
            | StreamType::Document
            | StreamType::CallTree
            | StreamType::Measures
            | StreamType::Control
            | StreamType::Request
            | StreamType::Incident
            | StreamType::Review
            | StreamType::Log => {}
        }
    }

    fn apply_run(&mut self, envelope: &Envelope, event: &RunEvent, received: Timestamp) {
        let id = &envelope.subject;
        let first = envelope.version == 1;
        if let Some((job, instant)) = crate::run::settled_instant(event).filter(|_| first) {
            self.settle(job, instant);
        } else if let Some((job, instant)) = crate::run::ahead_instant(event) {
            let mut entry = self.take_job(job);
            entry.note_ran_ahead(instant);
            self.put_job(entry);
        }
        self.pending.remove(id);
        self.note_asked(id);
        if matches!(event, RunEvent::RunLate(_)) {
            self.notes.retain(|(_, d)| d.stream != *id || d.version > envelope.version);
        }
        let known = self.runs.get(id).map(|entry| (entry.run.clone(), entry.version));
        if known.as_ref().is_some_and(|(_, version)| *version >= envelope.version) {
            return;
        }
        let ctx = Context {
            received,
            producer: &envelope.source,
            actor: envelope.actor.as_deref(),
            payload: envelope.payload.as_ref(),
        };
        let before = known.as_ref().map(|(run, _)| run.state.word());
        if let Some(run) = Run::evolve(known.map(|(run, _)| run), id, event, ctx) {
            if before != Some(run.state.word()) || matches!(event, RunEvent::RunLate(_)) {
                self.notice_run(&run, event, received);
            }
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
        let had_a_place = self.runs.get(id).is_some_and(|entry| has_a_place(&entry.run));
        self.forget_run(id);
        let job = run.job.clone();
        if run.is_running()
            && let Some(attempt) = run.attempt()
        {
            self.last_hosts.insert(job.clone(), attempt.host.clone());
        }
        if had_a_place && !run.is_running() {
            self.wake_sharers(&run, now);
        }
        if run.state.is_ended() {
            self.end_run(id, &run, version, now);
        } else {
            self.keep_run(id, run, version, now);
        }
        self.wake_dependents(&job, now);
        if id.part().is_some()
            && let Ok(whole) = id.whole().parse()
        {
            self.look_again(&whole, now);
        }
    }

    fn end_run(&mut self, id: &StreamId, run: &Run, version: u64, now: Timestamp) {
        self.heard.remove(id);
        if let Some(entry) = self.jobs.get_mut(&run.job) {
            entry.open.remove(id);
        }
        for (late, version) in self.missed_at_end(run).into_iter().zip(version + 1..) {
            self.notes.push((now, Draft::new(id.clone(), version, late)));
        }
        self.pasts.ends(run);
        self.wake_waiting(&run.job, now);
    }

    fn keep_run(&mut self, id: &StreamId, run: Run, version: u64, now: Timestamp) {
        let job = run.job.clone();
        self.jobs
            .entry(job.clone())
            .or_insert_with(|| Box::new(JobEntry::empty(&job)))
            .open
            .insert(id.clone());
        for after in &run.terms.after {
            self.dependents.entry(after.job.clone()).or_default().insert(id.clone());
        }
        for shared in Shared::of(&run) {
            let sharers = self.sharers.entry(shared).or_default();
            sharers.claiming.insert(own_place(&run));
            if run.is_running() {
                sharers.holding.insert(id.clone());
            }
        }
        self.agenda.insert((now, id.clone()));
        let entry = RunEntry { run, version, check: Some(now), offered: 0, wants: None };
        self.runs.insert(id.clone(), entry);
    }

    fn forget_run(&mut self, id: &StreamId) {
        let Some(RunEntry { run, check, .. }) = self.runs.remove(id) else { return };
        if let Some(at) = check {
            self.agenda.remove(&(at, id.clone()));
        }
        for after in &run.terms.after {
            if let Some(waiting) = self.dependents.get_mut(&after.job) {
                waiting.remove(id);
            }
        }
        for shared in Shared::of(&run) {
            if let Some(sharers) = self.sharers.get_mut(&shared) {
                sharers.claiming.remove(&own_place(&run));
                sharers.holding.remove(id);
                if sharers.claiming.is_empty() {
                    self.sharers.remove(&shared);
                }
            }
        }
    }

    /// Runs that wait for a run of `job` are looked at again.
    fn wake_dependents(&mut self, job: &str, now: Timestamp) {
        let waiting: Vec<StreamId> =
            self.dependents.get(job).map(|ids| ids.iter().cloned().collect()).unwrap_or_default();
        waiting.iter().for_each(|id| self.look_again(id, now));
    }

    /// `run` has let go what it shared, or its place among those that wait for it: the first of these are looked at
    /// again.
    fn wake_sharers(&mut self, run: &Run, now: Timestamp) {
        // Nobody waits for a pool without a limit.
        let limited = |shared: &Shared| match shared {
            Shared::Lock(_) => true,
            Shared::Pool(pool) => self.site.limit(pool).is_some(),
        };
        let shared: Vec<Shared> = Shared::of(run).filter(limited).collect();
        for shared in shared {
            let waits = |id: &&StreamId| {
                self.runs.get(*id).is_some_and(|entry| self.is_ready(&entry.run, now))
            };
            let sharers = self.sharers.get(&shared);
            let ids = sharers.into_iter().flat_map(|sharers| sharers.claiming.iter());
            let woken = ids.map(|(_, _, id)| id).filter(waits).take(WOKEN).cloned();
            let woken: Vec<StreamId> = woken.collect();
            woken.iter().for_each(|id| self.look_again(id, now));
        }
    }

    fn wake_all(&mut self, shared: &Shared, now: Timestamp) {
        let sharers = self.sharers.get(shared);
        let ids = sharers.into_iter().flat_map(|sharers| sharers.claiming.iter());
        let ids: Vec<StreamId> = ids.map(|(_, _, id)| id.clone()).collect();
        ids.iter().for_each(|id| self.look_again(id, now));
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

    fn look_at_all(&mut self, now: Timestamp) {
        let ids: Vec<StreamId> = self.runs.keys().cloned().collect();
        ids.iter().for_each(|id| self.look_again(id, now));
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

    /// A host says that it is there, and how many attempts it could take.
    pub fn heard_host(&mut self, host: &str, free: u32, now: Timestamp) {
        self.site.heard_host(host, free, now);
    }

    /// A host says that all it had to say is in the log.
    pub fn said_all(&mut self, host: &str, now: Timestamp) {
        self.site.said_all(host, now);
    }

    /// Another scheduler says that it is there.
    pub fn peer(&mut self, id: &str, now: Timestamp) {
        self.peers.heard(id, now);
    }

    /// An append ended; `None` where it could not be delivered at all.
    pub fn answered(&mut self, stream: &StreamId, mark: Option<&Mark>, now: Timestamp) {
        let failed = match mark {
            // The feed brings the event, or the one that won.
            Some(Mark::Valid) => return,
            Some(Mark::Conflict { .. }) => return self.conflicts(stream, now),
            Some(Mark::Refused { .. }) | None => stream,
        };
        self.pending.remove(failed);
        self.look_again(failed, plus_ms(now, REFUSED_MS));
        if failed.stream_type() == StreamType::Incident {
            return self.incident_failed(failed, mark.is_some(), plus_ms(now, REFUSED_MS));
        }
        if failed.stream_type() == StreamType::Dataset {
            return self.look_at_dataset(failed, plus_ms(now, REFUSED_MS));
        }
        if failed.stream_type() == StreamType::Job {
            // Leave to work alone was not granted.
            return self.look_at_job_again(failed.rest(), plus_ms(now, REFUSED_MS));
        }
        if let Some(job) = failed.run_job().map(str::to_owned) {
            if failed.rest().contains(resume::LABEL) {
                return self.note_resumed(&job, plus_ms(now, REFUSED_MS));
            }
            let mut entry = self.take_job(&job);
            entry.decide_again(plus_ms(now, REFUSED_MS));
            self.put_job(entry);
        }
    }

    /// Another was faster. Of a part that has ended the feed brings nothing: the log is asked for it. Nor does it of an
    /// occurrence that ran ahead of its time before this scheduler began.
    fn conflicts(&mut self, stream: &StreamId, now: Timestamp) {
        if self.runs.contains_key(stream) {
            return;
        }
        if stream.stream_type() == StreamType::Job {
            self.pending.remove(stream);
            return self.look_at_job_again(stream.rest(), plus_ms(now, REFUSED_MS));
        }
        if stream.part().is_none() {
            self.note_asked(stream);
            self.note_begun(stream);
            return;
        }
        if let (Some(job), Ok(whole)) = (stream.run_job(), stream.whole().parse()) {
            self.pasts.forget(job);
            self.look_again(&whole, now);
        }
    }

    fn note_begun(&mut self, stream: &StreamId) {
        let occurrence = stream.rest().split_once('@').and_then(|(_, at)| at.parse().ok());
        if let (Some(job), Some(at)) = (stream.run_job(), occurrence) {
            let mut entry = self.take_job(job);
            entry.note_ran_ahead(at);
            self.put_job(entry);
        }
    }

    /// When something is to be done next, as far as it is known now.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let first = self.occurrences.first().map(|(at, _)| *at).filter(|_| !self.draining);
        let second = self.agenda.first().map(|(at, _)| *at);
        let turn = |since: Timestamp, stream: &StreamId| {
            plus_ms(since, self.peers.before_me(stream) * self.settings.grace_ms)
        };
        let resumed = self.resumed.iter().filter(|_| !self.draining);
        let resumed = resumed.map(|(job, at)| turn(*at, &StreamId::job(job)));
        let notes = self.notes.iter().map(|(since, draft)| turn(*since, &draft.stream));
        let grants = self.next_grant().filter(|_| !self.draining);
        let watched = self.next_dataset();
        let notes = notes.chain(grants).chain(watched).chain(self.next_incident());
        first.into_iter().chain(second).chain(resumed).chain(notes).min()
    }

    /// What must be done now.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Action> {
        self.peers.forget_silent(now);
        self.forget_stale_pending(now);
        let mut actions: Vec<Action> = Vec::new();
        self.tick_notes(now, &mut actions);
        self.tick_datasets(now, &mut actions);
        if !self.draining {
            self.tick_occurrences(now, &mut actions);
            self.tick_resumed(now, &mut actions);
            self.tick_grants(now, &mut actions);
        }
        self.tick_runs(now, &mut actions);
        self.tick_incidents(now, &mut actions);
        for action in &actions {
            if let Action::Append(draft) = action {
                self.pending.insert(draft.stream.clone(), Pending::new(&draft.event, now));
            }
        }
        actions
    }

    /// Says what is to be said of runs that have ended, unless it is another's turn to.
    fn tick_notes(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        for (since, draft) in std::mem::take(&mut self.notes) {
            if self.wait_for_turn(&draft.stream, since, now).is_some() {
                self.notes.push((since, draft));
            } else {
                actions.push(Action::Append(draft));
            }
        }
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
