//! A site as its people see it: definitions, hosts, schedulers and their log, taken through the hours of a night.
//!
//! Time passes in [`Site::until`]: the schedulers are woken when they say that they want to be, and at no other time,
//! so what they forget to look at stays undone. Hosts that are up are heard, and so are the attempts they run.

use std::collections::{BTreeMap, BTreeSet};

use domain::envelope::Draft;
use domain::event::{
    Again, CommandEnd, Event, HostDrained, HostResumed, HostStarted, JobApproved,
    JobOccurrenceHeld, JobOccurrenceMoved, JobOccurrenceReleased, JobOccurrenceSkipped, JobPaused,
    JobProposed, JobResumed, MissReason, RunCancelRequested, RunCancelled, RunConfirmed, RunEvent,
    RunFailed, RunHeld, RunOverridden, RunReleased, RunRequested, RunStarted, RunSucceeded,
    RunTimedOut, Sent, SkipReason, ThingAct, ThingApproved, ThingEvent, ThingProposed,
    ThingRetired,
};
use domain::expect::{Accounted, Population};
use domain::ids::{Class, StreamId};
use domain::job::{Definition, JobDefinition, OrderAct, parse_yaml};
use domain::ledger::{Body, Mark, Streams as _};
use domain::run::{Run, State};
use domain::scheduler::{Action, Obstacle, Outgoing, Scheduler, Settings};
use domain::site::{Thing, ThingKind};
use domain::wire::Work;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::given::{World, at, golden, golden_run, later};

/// How often schedulers may act at one instant before that is called a loop.
const STEPS_MAX: usize = 2_000;

/// An attempt that ends by itself.
struct Ending {
    run: StreamId,
    host: String,
    attempt: u32,
}

pub(crate) struct Site {
    pub(crate) world: World,
    pub(crate) minds: Vec<Scheduler>,
    /// Everything that was offered.
    pub(crate) work: Vec<Work>,
    /// Messages that were sent, and when.
    pub(crate) sent: Vec<(Timestamp, Outgoing)>,
    /// Contacts of whom it is known what becomes of messages to them; to others they are taken. `None`: nobody learns of it.
    pub(crate) contacts: BTreeMap<String, Option<Sent>>,
    /// Schedulers that send no messages.
    muted: BTreeSet<usize>,
    /// What schedulers said in vain.
    pub(crate) voids: Vec<String>,
    pub(crate) now: Timestamp,
    /// Schedulers that say that they are there, and do nothing.
    pub(crate) stuck: BTreeSet<usize>,
    /// Free slots of hosts that are heard.
    pub(crate) heard: BTreeMap<String, u32>,
    /// How long attempts take that hosts start by themselves, milliseconds.
    serves: Option<i64>,
    endings: Vec<(Timestamp, Ending)>,
    fed: usize,
    told: usize,
    offered: usize,
    taken: usize,
}

/// `scheduler/s1` for the first.
fn mind_name(index: usize) -> String {
    format!("scheduler/s{}", index + 1)
}

fn mind(index: usize, sends: bool) -> Scheduler {
    let secret = sends.then(|| [u8::try_from(index).unwrap(); 32]);
    let settings = Settings { link_secret: secret, ..Settings::new(&mind_name(index), "2026b") };
    let mut mind = Scheduler::new(settings);
    mind.listening(Some(Timestamp::UNIX_EPOCH));
    mind
}

/// The stream of `pay@02:00`, `pay@request-1`, `pay@2026-11-21T02:00+00:00` or `pay@02:00~h1`.
pub(crate) fn run_id(name: &str) -> StreamId {
    let (job, label) = name.split_once('@').unwrap();
    let (label, part) = label.split_once('~').map_or((label, None), |(l, host)| (l, Some(host)));
    let label = if label.starts_with("request") || label.contains('+') {
        label.to_owned()
    } else {
        let text = at(label).to_string();
        format!("{}+00:00", text.strip_suffix(":00Z").or(text.strip_suffix('Z')).unwrap())
    };
    let run = StreamId::run(job, &label);
    part.map_or(run.clone(), |host| run.part_on(host))
}

/// `pay@02:00` for the run of that time of 2026-11-20, UTC; other names whole.
pub(crate) fn short(run: &StreamId) -> String {
    let rest = run.rest();
    let Some((job, label)) = rest.split_once("@2026-11-20T") else { return rest.to_owned() };
    format!("{job}@{}", label.replace("+00:00", ""))
}

impl Site {
    /// A site with one scheduler, the users ana (operator) and bob (approver), and host h1.
    pub(crate) fn new() -> Self {
        Self::with_minds(1)
    }

    pub(crate) fn with_minds(count: usize) -> Self {
        let now = at("00:00");
        let mut site = Self {
            world: World::new(now),
            minds: (0..count).map(|index| mind(index, true)).collect(),
            work: vec![],
            sent: vec![],
            contacts: BTreeMap::new(),
            muted: BTreeSet::new(),
            voids: vec![],
            now,
            stuck: BTreeSet::new(),
            heard: BTreeMap::new(),
            serves: None,
            endings: vec![],
            fed: 0,
            told: 0,
            offered: 0,
            taken: 0,
        };
        for (name, role) in [("ana", "operator"), ("bob", "approver")] {
            let body = json!({"roles": [role]});
            let created = Event::read("user.created", 1, &body).unwrap();
            site.person(&StreamId::user(name), created);
        }
        site.host("h1", &["default"], &[]);
        site
    }

    // Definitions.

    /// Applies a job, or, where `kind` says so, another thing: proposed by ana and approved by bob now.
    pub(crate) fn apply(&mut self, definition: Value) -> &mut Self {
        match definition["kind"].as_str().and_then(ThingKind::from_word) {
            Some(kind) => self.apply_thing(kind, &definition),
            None => self.apply_job(definition),
        }
        self.feed();
        self
    }

    /// What becomes of a job that is proposed by ana and approved by bob now.
    pub(crate) fn try_apply(&mut self, definition: Value) -> Mark {
        let job: JobDefinition = serde_json::from_value(definition).unwrap();
        let (id, number, digest) = (StreamId::job(&job.name), 1, job.digest().unwrap());
        let (definition, reason) = (serde_json::to_value(&job).unwrap(), "x".to_owned());
        let proposed = JobProposed { number, digest, definition, reason };
        let mark = self.world.say_by("user/ana", id.clone(), proposed, self.now);
        assert_eq!(mark, Mark::Valid);
        self.world.say_by("user/bob", id, JobApproved { number, digest }, self.now)
    }

    /// This scheduler sends no messages from now on.
    pub(crate) fn mute(&mut self, index: usize) {
        self.muted.insert(index);
        self.restart();
    }

    /// All send messages again.
    pub(crate) fn unmute(&mut self) {
        self.muted.clear();
        self.restart();
    }

    /// Applies all that a file says.
    pub(crate) fn apply_file(&mut self, text: &str) -> &mut Self {
        for definition in parse_yaml("file.yaml", text).unwrap() {
            match definition {
                Definition::Job(job) => {
                    self.world.activate(&job, self.now);
                }
                Definition::Thing(thing) => {
                    let mark = self.try_thing(thing.kind(), &thing.value().unwrap());
                    assert_eq!(mark, Mark::Valid);
                }
            }
        }
        self.feed();
        self
    }

    fn apply_job(&mut self, definition: Value) {
        let command = definition.get("kind").is_none();
        let mut all = if command { json!({"command": {"argv": ["/bin/true"]}}) } else { json!({}) };
        all.as_object_mut().unwrap().extend(definition.as_object().unwrap().clone());
        let definition: JobDefinition = serde_json::from_value(all).unwrap();
        assert_eq!(definition.problems(), []);
        self.world.activate(&definition, self.now);
    }

    fn apply_thing(&mut self, kind: ThingKind, definition: &Value) {
        let mark = self.try_thing(kind, definition);
        assert_eq!(mark, Mark::Valid);
    }

    /// The same, and what the recorder says to the approval (or to the proposal where that is refused).
    pub(crate) fn try_thing(&mut self, kind: ThingKind, definition: &Value) -> Mark {
        let thing = Thing::read(kind, definition).unwrap();
        assert_eq!(thing.problems(), []);
        let id = thing.stream();
        let state = self.world.streams.get(&id).and_then(|state| state.body.thing());
        let number = state.map_or(0, |thing| thing.versions.numbers) + 1;
        let (digest, definition) = (thing.digest().unwrap(), thing.value().unwrap());
        let proposed = ThingProposed { number, digest, definition, reason: "x".to_owned() };
        let act = |act| ThingEvent { of: kind, act };
        let proposal = act(ThingAct::Proposed(proposed));
        let mark = self.world.say_by("user/ana", id.clone(), proposal, self.now);
        if mark != Mark::Valid {
            return mark;
        }
        let approved = act(ThingAct::Approved(ThingApproved { number, digest }));
        self.world.say_by("user/bob", id, approved, self.now)
    }

    pub(crate) fn retire(&mut self, kind: ThingKind, name: &str) -> &mut Self {
        let act = ThingAct::Retired(ThingRetired { reason: "x".to_owned() });
        self.person(&StreamId::thing(kind, name), ThingEvent { of: kind, act })
    }

    // People.

    /// What the recorder says to an event of ana.
    pub(crate) fn try_person(&mut self, stream: &StreamId, event: impl Into<Event>) -> Mark {
        self.try_by("user/ana", stream, event)
    }

    pub(crate) fn try_by(&mut self, who: &str, stream: &StreamId, event: impl Into<Event>) -> Mark {
        let mark = self.world.say_by(who, stream.clone(), event, self.now);
        self.feed();
        mark
    }

    #[track_caller]
    pub(crate) fn person(&mut self, stream: &StreamId, event: impl Into<Event>) -> &mut Self {
        let mark = self.try_person(stream, event);
        assert_eq!(mark, Mark::Valid, "{stream}");
        self
    }

    /// An order about the occurrence of `pay@10:00`.
    pub(crate) fn try_order(&mut self, occurrence: &str, act: OrderAct) -> Mark {
        let (job, clock) = occurrence.split_once('@').unwrap();
        let (at, reason) = (at(clock), "because".to_owned());
        let event: Event = match act {
            OrderAct::Hold => JobOccurrenceHeld { at, reason }.into(),
            OrderAct::Skip => JobOccurrenceSkipped { at, reason }.into(),
            OrderAct::Move(to) => JobOccurrenceMoved { at, to, reason }.into(),
        };
        self.try_person(&StreamId::job(job), event)
    }

    #[track_caller]
    pub(crate) fn order(&mut self, occurrence: &str, act: OrderAct) -> &mut Self {
        assert_eq!(self.try_order(occurrence, act), Mark::Valid, "{occurrence}");
        self
    }

    /// Takes an order back.
    pub(crate) fn try_unorder(&mut self, occurrence: &str) -> Mark {
        let (job, clock) = occurrence.split_once('@').unwrap();
        let event = JobOccurrenceReleased { at: at(clock), reason: "x".to_owned() };
        self.try_person(&StreamId::job(job), event)
    }

    pub(crate) fn pause(&mut self, job: &str) -> &mut Self {
        self.person(&StreamId::job(job), JobPaused { reason: "x".to_owned() })
    }

    pub(crate) fn resume(&mut self, job: &str) -> &mut Self {
        self.person(&StreamId::job(job), JobResumed { reason: "x".to_owned() })
    }

    pub(crate) fn request(&mut self, run: &str) -> &mut Self {
        let requested = self.requested(run, None, false);
        self.person(&run_id(run), requested)
    }

    /// Asks for one run of a whole flow that is asked for.
    pub(crate) fn request_in_flow(&mut self, run: &str) -> &mut Self {
        let requested = self.requested(run, None, true);
        self.person(&run_id(run), requested)
    }

    /// Asks for `run` to repeat `before`.
    pub(crate) fn rerun(&mut self, run: &str, before: &str) -> &mut Self {
        let again = {
            let before = self.run(before);
            let business_day = before.business_day().unwrap();
            Again { run: before.id.clone(), at: before.stands_for(), business_day }
        };
        let requested = self.requested(run, Some(again), false);
        self.person(&run_id(run), requested)
    }

    pub(crate) fn requested(&self, run: &str, again: Option<Again>, of_flow: bool) -> RunRequested {
        let job = run.split_once('@').unwrap().0.to_owned();
        let state = self.world.streams.get(&StreamId::job(&job)).unwrap();
        let definition = state.body.job().unwrap().active().unwrap().reference();
        let (reason, parameters) = ("x".to_owned(), BTreeMap::new());
        RunRequested { job, definition, reason, parameters, again, of_flow }
    }

    pub(crate) fn hold(&mut self, run: &str) -> &mut Self {
        self.person(&run_id(run), RunHeld { reason: "x".to_owned() })
    }

    pub(crate) fn release(&mut self, run: &str) -> &mut Self {
        self.person(&run_id(run), RunReleased { reason: "x".to_owned() })
    }

    pub(crate) fn cancel(&mut self, run: &str) -> &mut Self {
        self.person(&run_id(run), RunCancelRequested { reason: "x".to_owned() })
    }

    pub(crate) fn override_it(&mut self, run: &str) -> &mut Self {
        self.person(&run_id(run), RunOverridden { reason: "x".to_owned() })
    }

    pub(crate) fn try_confirm(&mut self, who: &str, run: &str) -> Mark {
        self.try_by(who, &run_id(run), RunConfirmed { reason: "x".to_owned() })
    }

    // Hosts.

    /// A host starts, and is heard from now on with eight free slots.
    pub(crate) fn host(
        &mut self,
        name: &str,
        pools: &[&str],
        labels: &[(&str, &str)],
    ) -> &mut Self {
        let id = format!("executor/{name}");
        if !self.world.ledger.producers.contains_key(&crate::given::producer(&id)) {
            self.world.enrol(&id, self.now);
        }
        let Event::HostEvent(domain::event::HostEvent::HostStarted(golden)) =
            golden("host.started")
        else {
            panic!()
        };
        let pools = pools.iter().map(|pool| (*pool).to_owned()).collect();
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let started = HostStarted { pools, labels, ..golden };
        let mark = self.world.say_next(&id, StreamId::host(name), started, self.now);
        assert_eq!(mark, Mark::Valid);
        self.heard.insert(name.to_owned(), 8);
        self.feed();
        self
    }

    pub(crate) fn drain(&mut self, host: &str) -> &mut Self {
        self.person(&StreamId::host(host), HostDrained { reason: "x".to_owned() })
    }

    pub(crate) fn undrain(&mut self, host: &str) -> &mut Self {
        self.person(&StreamId::host(host), HostResumed { reason: "x".to_owned() })
    }

    fn try_host(&mut self, host: &str, run: &StreamId, event: impl Into<Event>) -> Mark {
        let mark = self.world.say_next(&format!("executor/{host}"), run.clone(), event, self.now);
        self.feed();
        mark
    }

    /// What the recorder says when a host starts the next attempt of a run now.
    pub(crate) fn try_start(&mut self, run: &str, host: &str) -> Mark {
        self.try_start_id(&run_id(run), host)
    }

    fn try_start_id(&mut self, id: &StreamId, host: &str) -> Mark {
        let RunEvent::RunStarted(golden) = golden_run("run.started") else { panic!() };
        let (definition, attempt) = {
            let run = self.run_of(id);
            (run.definition.digest, u32::try_from(run.attempts.len()).unwrap() + 1)
        };
        let host_name = host.to_owned();
        let (script, lease_ms) = (None, 60_000);
        let started =
            RunStarted { attempt, host: host_name, definition, lease_ms, script, ..golden };
        self.try_host(host, id, started)
    }

    #[track_caller]
    pub(crate) fn start(&mut self, run: &str) -> &mut Self {
        self.start_on(run, "h1")
    }

    #[track_caller]
    pub(crate) fn start_on(&mut self, run: &str, host: &str) -> &mut Self {
        assert_eq!(self.try_start(run, host), Mark::Valid, "{run} on {host}");
        self
    }

    /// The newest attempt of a run ends with this exit code: 0 is success.
    #[track_caller]
    pub(crate) fn end(&mut self, run: &str, code: i32) -> &mut Self {
        let mark = self.end_id(&run_id(run), code);
        assert_eq!(mark, Mark::Valid, "{run}");
        self
    }

    fn end_id(&mut self, id: &StreamId, code: i32) -> Mark {
        let (host, report) = self.report(id, CommandEnd::Exited { code });
        let attempt = report.attempt;
        let event: Event = if code == 0 {
            RunSucceeded { attempt, host: host.clone(), warning: false, report }.into()
        } else {
            let message = format!("exit code {code}");
            RunFailed { attempt, host: host.clone(), message, report }.into()
        };
        self.try_host(&host, id, event)
    }

    #[track_caller]
    pub(crate) fn time_out(&mut self, run: &str) -> &mut Self {
        let id = run_id(run);
        let (host, report) = self.report(&id, CommandEnd::Signaled { signal: 15 });
        let (attempt, after_ms) = (report.attempt, 1_000);
        let event = RunTimedOut { attempt, host: host.clone(), after_ms, report };
        assert_eq!(self.try_host(&host, &id, event), Mark::Valid, "{run}");
        self
    }

    /// The newest attempt was stopped, as somebody wanted.
    #[track_caller]
    pub(crate) fn stopped(&mut self, run: &str) -> &mut Self {
        let id = run_id(run);
        let (host, report) = self.report(&id, CommandEnd::Signaled { signal: 15 });
        let (attempt, reason) = (Some(report.attempt), "x".to_owned());
        let (by, report) = (Some(host.clone()), Some(report));
        let event = RunCancelled { attempt, host: by, reason, report };
        assert_eq!(self.try_host(&host, &id, event), Mark::Valid, "{run}");
        self
    }

    pub(crate) fn report(
        &self,
        id: &StreamId,
        end: CommandEnd,
    ) -> (String, domain::event::AttemptReport) {
        let RunEvent::RunSucceeded(golden) = golden_run("run.succeeded") else { panic!() };
        let attempt = self.run_of(id).attempt().unwrap();
        let report = domain::event::AttemptReport {
            attempt: attempt.number,
            host: attempt.host.clone(),
            end,
            began: attempt.started,
            ended: self.now,
            ..golden.report
        };
        (attempt.host.clone(), report)
    }

    /// From now on hosts take what they are offered and end it well after so long.
    pub(crate) fn serve(&mut self, ms: i64) -> &mut Self {
        (self.serves, self.taken) = (Some(ms), self.work.len());
        self
    }

    // What is.

    pub(crate) fn run_of(&self, id: &StreamId) -> &Run {
        let state = self.world.streams.get(id).unwrap_or_else(|| panic!("there is no {id}"));
        state.body.run().unwrap()
    }

    pub(crate) fn run(&self, name: &str) -> &Run {
        self.run_of(&run_id(name))
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.world.streams.get(&run_id(name)).is_some()
    }

    pub(crate) fn state(&self, name: &str) -> &'static str {
        self.run(name).state.word()
    }

    /// Why a run does not start, as the first scheduler tells it.
    pub(crate) fn why(&self, name: &str) -> Vec<String> {
        let found = self.minds[0].obstacles(&run_id(name), self.now);
        found.iter().map(Obstacle::to_string).collect()
    }

    /// What schedulers said about runs since this was asked last, a line each.
    pub(crate) fn news(&mut self) -> Vec<String> {
        let new = &self.world.feed[self.told..];
        let lines =
            new.iter().filter(|(envelope, _, _)| envelope.source.class() == Class::Scheduler);
        let lines =
            lines.filter_map(|(envelope, event, _)| line(&envelope.subject, event)).collect();
        self.told = self.world.feed.len();
        lines
    }

    /// What was offered since this was asked last: `pay@02:00#1`, and `to h1` where it is for one host.
    pub(crate) fn offers(&mut self) -> Vec<String> {
        let one = |work: &Work| {
            let to = work.host.as_ref().map_or_else(String::new, |host| format!(" to {host}"));
            format!("{}#{}{to}", short(&work.run), work.attempt)
        };
        // What nobody takes is offered again; that is not new.
        let first = self.work[self.offered..].iter().filter(|work| work.offer == 1);
        let mut new: Vec<String> = first.map(one).collect();
        let mut seen = BTreeSet::new();
        new.retain(|offer| seen.insert(offer.clone()));
        self.offered = self.work.len();
        new
    }

    /// The log against what it should hold.
    pub(crate) fn accounted(&self) -> Accounted {
        let mut population = Population::default();
        for (envelope, event, received) in &self.world.feed {
            population.observe(&envelope.subject, event, *received);
        }
        population.account(self.now)
    }

    /// Every occurrence is accounted for, and none is open to question.
    #[track_caller]
    pub(crate) fn check_whole(&self) {
        let accounted = self.accounted();
        assert_eq!(accounted.findings, [], "{accounted:?}");
    }

    /// Nothing was said in vain.
    #[track_caller]
    pub(crate) fn check_no_voids(&self) {
        assert_eq!(self.voids, Vec::<String>::new());
    }

    // Time.

    /// Everybody who follows takes in what is new.
    pub(crate) fn feed(&mut self) {
        for (envelope, event, received) in &self.world.feed[self.fed..] {
            for mind in &mut self.minds {
                mind.apply(envelope, event, *received);
            }
        }
        self.fed = self.world.feed.len();
    }

    /// Events so far are not told to the schedulers: they find out later.
    pub(crate) fn behind(&mut self, work: impl FnOnce(&mut World, Timestamp)) {
        work(&mut self.world, self.now);
    }

    /// The schedulers start anew, from what the log's reader knows.
    pub(crate) fn restart(&mut self) -> &mut Self {
        for index in 0..self.minds.len() {
            let mut fresh = mind(index, !self.muted.contains(&index));
            let order = |body: &Body| match body {
                Body::Thing(_)
                | Body::Dataset(_)
                | Body::Repository(_)
                | Body::Queue(_)
                | Body::Form(_)
                | Body::Document(_) => 0,
                Body::Host(_)
                | Body::User(_)
                | Body::Log
                | Body::Tzdb(_)
                | Body::Continued(_)
                | Body::Archive(_)
                | Body::Joining(_)
                | Body::Records(_)
                | Body::Directory(_)
                | Body::Incident(_)
                | Body::Control
                | Body::Request(_)
                | Body::Review(_) => 1,
                Body::Job(_) => 2,
                Body::Run(_) => 3,
            };
            let mut states: Vec<_> = self.world.streams.0.iter().collect();
            states.sort_by_key(|(_, state)| order(&state.body));
            for (id, state) in states {
                let ended = state.body.run().is_some_and(|run| run.state.is_ended());
                if !ended {
                    fresh.load(id, state, self.now);
                }
            }
            self.minds[index] = fresh;
        }
        self.fed = self.world.feed.len();
        self
    }

    /// Time passes with nobody there.
    pub(crate) fn nobody_until(&mut self, clock: &str) -> &mut Self {
        self.now = at(clock);
        self
    }

    /// Time passes.
    pub(crate) fn until(&mut self, clock: &str) -> &mut Self {
        let end = at(clock);
        assert!(self.now <= end, "it is {} already", self.now);
        for step in 0.. {
            // A lease is looked at every minute, an offer repeated a few times.
            assert!(
                step < 20_000,
                "the schedulers never sleep, at {}: {:?}",
                self.now,
                self.voids.last()
            );
            self.rest();
            let wakes = self.minds_at_work().filter_map(Scheduler::next_wake);
            let ends = self.endings.iter().map(|(at, _)| *at);
            match wakes.chain(ends).filter(|at| *at <= end).min() {
                Some(next) => self.now = next.max(self.now),
                None => break,
            }
        }
        self.now = end;
        self.rest();
        self
    }

    /// The schedulers act until they want nothing more now.
    fn rest(&mut self) {
        for _ in 0..STEPS_MAX {
            self.feed();
            self.end_what_is_over();
            self.be_heard();
            let mut acted = false;
            for index in (0..self.minds.len())
                .filter(|index| !self.stuck.contains(index))
                .collect::<Vec<_>>()
            {
                acted |= self.tick(index);
            }
            self.take_work();
            self.feed();
            let wants = |mind: &Scheduler| mind.next_wake().is_some_and(|wake| wake <= self.now);
            if !acted && !self.minds_at_work().any(wants) {
                return;
            }
        }
        panic!("the schedulers do not come to rest at {}: {:?}", self.now, self.voids.last());
    }

    fn minds_at_work(&self) -> impl Iterator<Item = &Scheduler> {
        let all = self.minds.iter().enumerate();
        all.filter(|(index, _)| !self.stuck.contains(index)).map(|(_, mind)| mind)
    }

    fn be_heard(&mut self) {
        let running: Vec<(StreamId, u32, String)> = self
            .world
            .streams
            .0
            .values()
            .filter_map(|state| state.body.run())
            .filter(|run| matches!(run.state, State::Running { .. }))
            .filter_map(|run| {
                Some((run.id.clone(), run.attempt()?.number, run.attempt()?.host.clone()))
            })
            .collect();
        for index in 0..self.minds.len() {
            for other in (0..self.minds.len()).filter(|other| *other != index) {
                self.minds[index].peer(&mind_name(other), self.now);
            }
            for (host, free) in &self.heard {
                self.minds[index].heard_host(host, *free, self.now);
            }
            for (run, attempt, _) in running.iter().filter(|(_, _, h)| self.heard.contains_key(h)) {
                self.minds[index].heard(run, *attempt, self.now);
            }
        }
    }

    /// One tick of one scheduler; whether it did anything.
    pub(crate) fn tick(&mut self, index: usize) -> bool {
        let now = self.now;
        let actions = self.minds[index].tick(now);
        let acted = !actions.is_empty();
        for action in actions {
            match action {
                Action::Append(draft) => self.append(index, draft),
                Action::Dispatch(work) => self.work.push(*work),
                Action::Send(outgoing) => self.send(index, *outgoing),
                Action::Recall(job) => {
                    let runs = self.world.streams.0.values().filter_map(|s| s.body.run());
                    let ended = runs.filter(|run| run.job == job && run.state.is_ended());
                    let ended = ended.cloned().collect();
                    self.minds[index].recalled(&job, ended, now);
                }
            }
        }
        acted
    }

    fn append(&mut self, index: usize, draft: Draft) {
        let (stream, kind, now) = (draft.stream.clone(), draft.event.kind(), self.now);
        let mark = self.world.say(&mind_name(index), draft, now);
        if let Some(void) = mark.void() {
            self.voids.push(format!("{kind} of {}: {void}", short(&stream)));
        }
        self.minds[index].answered(&stream, Some(&mark), now);
    }

    fn send(&mut self, index: usize, outgoing: Outgoing) {
        let sent = self.contacts.get(&outgoing.call.contact).cloned();
        for about in &outgoing.about {
            if let Some(sent) = sent.clone().unwrap_or(Some(Sent::Taken {})) {
                self.minds[index].sent(about, &sent, self.now);
            }
        }
        self.sent.push((self.now, outgoing));
    }

    fn take_work(&mut self) {
        let Some(ms) = self.serves else { return };
        let new: Vec<Work> = self.work[self.taken..].to_vec();
        self.taken = self.work.len();
        let mut seen = BTreeSet::new();
        for work in new.into_iter().filter(|work| seen.insert(work.run.clone())) {
            let host = work.host.clone().unwrap_or_else(|| "h1".to_owned());
            let ready = matches!(self.run_of(&work.run).state, State::Due | State::Retrying { .. });
            if ready && self.try_start_id(&work.run, &host) == Mark::Valid {
                let ending = Ending { run: work.run.clone(), host, attempt: work.attempt };
                self.endings.push((later(self.now, ms), ending));
            }
        }
    }

    fn end_what_is_over(&mut self) {
        let now = self.now;
        let (over, rest) =
            std::mem::take(&mut self.endings).into_iter().partition(|(at, _)| *at <= now);
        self.endings = rest;
        let over: Vec<(Timestamp, Ending)> = over;
        for (_, Ending { run, host, attempt }) in over {
            let state = self.run_of(&run).state.clone();
            if state == (State::Running { attempt }) && self.heard.contains_key(&host) {
                assert_eq!(self.end_id(&run, 0), Mark::Valid, "{run}");
            }
        }
    }
}

/// The reason of a refusal.
#[track_caller]
pub(crate) fn refused(mark: &Mark) -> String {
    let Mark::Refused { reason } = mark else { panic!("{mark:?}") };
    reason.clone()
}

/// An instant as news tell it: the clock of 2026-11-20, or the whole.
fn clock(at: Timestamp) -> String {
    let text = at.to_string();
    let Some(rest) = text.strip_prefix("2026-11-20T") else { return text };
    let rest = rest.trim_end_matches('Z');
    rest.strip_suffix(":00").filter(|rest| rest.len() == 5).unwrap_or(rest).to_owned()
}

fn line(run: &StreamId, event: &Event) -> Option<String> {
    let Event::RunEvent(event) = event else { return None };
    let what = match event {
        RunEvent::RunDue(e) => {
            let mut text = "runs".to_owned();
            if e.catch_up {
                text.push_str(" caught up");
            }
            if e.hold.is_some() {
                text.push_str(" held");
            }
            if let Some(moved) = &e.moved {
                let word = if moved.ahead { "ahead" } else { "later" };
                text.push_str(&format!(" {word} at {}", clock(moved.to)));
            }
            for run in &e.behind {
                text.push_str(&format!(" behind {}", short(run)));
            }
            text
        }
        RunEvent::RunSkipped(e) => match &e.reason {
            SkipReason::Paused => "skipped: paused".to_owned(),
            SkipReason::Overlap { with } => format!("skipped: {} goes on", short(with)),
            SkipReason::QueueFull { limit } => format!("skipped: {limit} wait"),
            SkipReason::Retired => "skipped: retired".to_owned(),
            SkipReason::Calendar { because, .. } => format!("skipped: {because}"),
            SkipReason::Gap => "skipped: gap".to_owned(),
            SkipReason::Ordered { .. } => "skipped: ordered".to_owned(),
            SkipReason::Person { .. } => "skipped: a person".to_owned(),
            SkipReason::Window { until } => format!("skipped: window until {}", clock(*until)),
            SkipReason::Blackout { name, until } => {
                format!("skipped: blackout {name} until {}", clock(*until))
            }
            SkipReason::LatestBy { until, .. } => format!("skipped: latest by {}", clock(*until)),
            SkipReason::Parameters { because } => format!("skipped: {because}"),
        },
        RunEvent::RunMissed(e) => match &e.reason {
            MissReason::NoCatchUp => "missed".to_owned(),
            MissReason::Superseded { by } => format!("missed: {} stands for it", short(by)),
            MissReason::LogLost => "missed: the log was lost".to_owned(),
            MissReason::LeaseOver => "missed: the lease was over".to_owned(),
            MissReason::CatchUpLimit { limit } => format!("missed: {limit} are caught up"),
        },
        RunEvent::RunCancelRequested(_) => "is to be stopped".to_owned(),
        RunEvent::RunCancelled(_) => "stopped".to_owned(),
        RunEvent::RunLost(_) => "lost".to_owned(),
        RunEvent::RunRetryScheduled(e) => format!("is tried again at {}", clock(e.not_before)),
        RunEvent::RunHeld(e) => format!("held: {}", e.reason),
        RunEvent::RunDelayed(e) => format!("not before {}: {}", clock(e.not_before), e.reason),
        RunEvent::RunCleared(e) => {
            let by: Vec<String> = e.by.iter().map(short).collect();
            format!("cleared by {}", by.join("+"))
        }
        RunEvent::RunBlocked(e) => format!("blocked: {} {}", short(&e.on), e.outcome.word()),
        RunEvent::RunLate(e) => format!("late: {:?}", e.limit),
        RunEvent::RunDivided(e) => format!("on {}", e.hosts.join("+")),
        RunEvent::RunGathered(e) => {
            let others = if e.others.is_empty() {
                String::new()
            } else {
                format!(", not on {}", e.others.join("+"))
            };
            format!("gathered: {}{others}", e.outcome.word())
        }
        RunEvent::RunRequested(_) => "is asked for".to_owned(),
        RunEvent::RunReleased(_)
        | RunEvent::RunConfirmed(_)
        | RunEvent::RunOverridden(_)
        | RunEvent::RunNeedsUnmet(_)
        | RunEvent::RunStarted(_)
        | RunEvent::RunSucceeded(_)
        | RunEvent::RunFailed(_)
        | RunEvent::RunTimedOut(_)
        | RunEvent::RunResolved(_)
        | RunEvent::RunReported(_) => return None,
    };
    Some(format!("{} {what}", short(run)))
}
