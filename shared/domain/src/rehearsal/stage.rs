//! The virtual site: one scheduler, one recorder, the hosts, and a clock that jumps to where something happens next.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use super::hosts::Hosts;
use super::known::{Known, LEASE_MS};
use super::tale::Part;
use super::usual::{Basis, Length};
use super::{EVENTS_MAX, Plan};
use crate::canonical::Digest;
use crate::envelope::{Draft, Envelope};
use crate::event::{AttemptReport, CommandEnd, Event, RunEvent};
use crate::executor::{Cause, Ending, claim, end};
use crate::ids::{Class, ProducerId, StreamId};
use crate::job::JobDefinition;
use crate::ledger::{Body, Ledger, Mark, Memory, StreamState, Streams as _};
use crate::run::{Run, State};
use crate::scheduler::{Action, Obstacle, Scheduler, Settings, plus_ms};
use crate::wire::Work;

/// How long after its end what is open then is followed, milliseconds.
const AFTER_MS: i64 = 24 * 3_600_000;
/// Most refusals that are told.
const REFUSALS_TOLD: usize = 5;

/// Offers are not lost here: what waits long for a slot need not be offered again every few minutes.
fn settings() -> Settings {
    Settings {
        redispatch_ms_max: AFTER_MS,
        incidents: false,
        ..Settings::new("scheduler/rehearsal", "")
    }
}

/// An offer that nobody has taken yet.
struct Offer {
    work: Box<Work>,
    definition: Box<JobDefinition>,
}

/// The site on stage.
pub(super) struct Stage<'k> {
    known: &'k Known,
    plan: Plan,
    now: Timestamp,
    ledger: Ledger,
    streams: Memory,
    mind: Scheduler,
    me: Option<ProducerId>,
    hosts: Hosts,
    /// What was offered and nobody has taken, in the order of the offers.
    offers: Vec<Offer>,
    /// Attempts under way, by when they end.
    endings: BTreeSet<(Timestamp, StreamId)>,
    causes: BTreeMap<StreamId, Cause>,
    parts: BTreeMap<StreamId, Part>,
    /// Runs by those they wait for.
    waiting: BTreeMap<StreamId, BTreeSet<StreamId>>,
    /// Runs to be looked at when all has come to rest.
    touched: BTreeSet<StreamId>,
    /// What has ended at this instant, and where.
    ended_now: Vec<(StreamId, String)>,
    events: u64,
    refusals: Vec<String>,
    cut: Option<Timestamp>,
}

impl<'k> Stage<'k> {
    pub(super) fn set(known: &'k Known, plan: Plan) -> Self {
        let mut stage = Self {
            known,
            plan,
            now: plan.now,
            ledger: Ledger::default(),
            streams: Memory(known.staged(plan.now)),
            mind: Scheduler::new(settings()),
            me: ProducerId::new(Class::Scheduler, "rehearsal").ok(),
            hosts: Hosts::default(),
            offers: Vec::new(),
            endings: BTreeSet::new(),
            causes: BTreeMap::new(),
            parts: BTreeMap::new(),
            waiting: BTreeMap::new(),
            touched: BTreeSet::new(),
            ended_now: Vec::new(),
            events: 0,
            refusals: Vec::new(),
            cut: None,
        };
        stage.mind.listening(Some(plan.now));
        stage.load();
        stage
    }

    /// What jobs refer to comes before them, and what runs refer to before those.
    fn load(&mut self) {
        let place = |state: &StreamState| match &state.body {
            Body::Thing(_)
            | Body::Dataset(_)
            | Body::Repository(_)
            | Body::Queue(_)
            | Body::Form(_)
            | Body::Document(_) => 0,
            Body::Host(_)
            | Body::User(_)
            | Body::Log
            | Body::Incident(_)
            | Body::Control
            | Body::Request(_)
            | Body::Review(_)
            | Body::Tzdb(_)
            | Body::Continued(_)
            | Body::Archive(_)
            | Body::Joining(_)
            | Body::Records(_)
            | Body::Directory(_) => 1,
            Body::Job(_) => 2,
            Body::Run(_) => 3,
        };
        let mut all: Vec<(StreamId, StreamState)> =
            self.streams.0.iter().map(|(id, state)| (id.clone(), state.clone())).collect();
        all.sort_by_key(|(_, state)| place(state));
        for (id, state) in &all {
            match &state.body {
                Body::Host(host) => self.hosts.put(id.rest(), host),
                Body::Run(run) if run.state.is_ended() => continue,
                Body::Run(run) => self.load_run(run),
                Body::Job(_)
                | Body::Thing(_)
                | Body::Dataset(_)
                | Body::Repository(_)
                | Body::Queue(_)
                | Body::Form(_)
                | Body::Document(_)
                | Body::User(_)
                | Body::Log
                | Body::Incident(_)
                | Body::Control
                | Body::Request(_)
                | Body::Review(_)
                | Body::Tzdb(_)
                | Body::Continued(_)
                | Body::Archive(_)
                | Body::Joining(_)
                | Body::Records(_)
                | Body::Directory(_) => {}
            }
            self.mind.load(id, state, self.now);
        }
    }

    fn load_run(&mut self, run: &Run) {
        let mut part = Part::of(run);
        if let (State::Running { .. }, Some(attempt)) = (&run.state, run.attempt()) {
            let since = attempt.started;
            let length = self.known.under_way(&run.job, since, self.now, self.plan.unknown_ms);
            self.hosts.begins(&attempt.host);
            part.host = Some(attempt.host.clone());
            let definition = self.known.definition(run);
            self.will_end(&run.id, since, length, definition.as_ref(), &mut part);
        }
        self.parts.insert(run.id.clone(), part);
        if let Some(cancel) = &run.cancel {
            self.stop(&run.id, &cancel.reason);
        }
        self.touched.insert(run.id.clone());
    }

    /// An attempt began, and ends when its time is over; or at its limit.
    fn will_end(
        &mut self,
        run: &StreamId,
        since: Timestamp,
        usual: Length,
        definition: Option<&JobDefinition>,
        part: &mut Part,
    ) {
        let limit = definition.and_then(|definition| definition.timeout);
        let limit = limit.map(|limit| limit.millis()).filter(|limit| *limit < usual.ms);
        let (length, cause) = match limit {
            // What is only assumed does not make it fail.
            Some(ms) if usual.is_assumed() => (Length { ms, ..usual }, Cause::Own),
            Some(ms) => (Length { ms, from: Basis::Limit }, Cause::Timeout(ms)),
            None => (usual, Cause::Own),
        };
        (part.started, part.length) = (Some(since), Some(length));
        let ends = plus_ms(since, i64::try_from(length.ms).unwrap_or(i64::MAX));
        self.endings.insert((ends.max(self.now), run.clone()));
        self.causes.insert(run.clone(), cause);
    }

    // Time.

    pub(super) fn play(&mut self) {
        let last = plus_ms(self.plan.to, AFTER_MS);
        loop {
            self.rest();
            self.look_round();
            if self.events >= EVENTS_MAX {
                self.cut = Some(self.now);
                return;
            }
            let next = self.mind.next_wake().into_iter();
            let next = next.chain(self.endings.first().map(|(at, _)| *at)).min();
            let Some(next) = next.map(|at| at.max(plus_ms(self.now, 1))) else { return };
            if next > last {
                return;
            }
            // Of what comes after the end only what is open then is of interest.
            self.mind.drain(next >= self.plan.to);
            self.now = next;
            self.ended_now.clear();
        }
    }

    /// Everybody acts until nobody wants anything more now.
    fn rest(&mut self) {
        let limit = self.events + EVENTS_MAX / 10;
        while self.events < limit {
            self.end_what_is_over();
            for (host, free) in self.hosts.heard() {
                self.mind.heard_host(host, free, self.now);
            }
            let acted = self.tick();
            self.take_offers();
            let wants = |at: Option<Timestamp>| at.is_some_and(|at| at <= self.now);
            let over = self.endings.first().map(|(at, _)| *at);
            if !acted && !wants(self.mind.next_wake()) && !wants(over) {
                return;
            }
        }
    }

    fn tick(&mut self) -> bool {
        let actions = self.mind.tick(self.now);
        let acted = !actions.is_empty();
        for action in actions {
            match action {
                Action::Append(draft) => {
                    let Some(me) = self.me.clone() else { continue };
                    let stream = draft.stream.clone();
                    let mark = self.say(&me, draft);
                    self.mind.answered(&stream, Some(&mark), self.now);
                }
                Action::Dispatch(work) => self.offer(work),
                Action::Recall(job) => {
                    let ended = self.ended_runs(&job);
                    self.mind.recalled(&job, ended, self.now);
                }
                // It knows no incidents.
                Action::Send(_) => {}
            }
        }
        acted
    }

    fn ended_runs(&self, job: &str) -> Vec<Run> {
        let first = StreamId::run(job, "");
        let runs = self.streams.0.range(first..).map_while(|(id, state)| {
            (id.run_job() == Some(job)).then(|| state.body.run()).flatten()
        });
        runs.filter(|run| run.state.is_ended()).cloned().collect()
    }

    // The recorder.

    /// Somebody says something, and it is judged.
    fn say(&mut self, source: &ProducerId, draft: Draft) -> Mark {
        self.events += 1;
        let envelope = self.envelope(source, &draft);
        let event = draft.event;
        let received = self.ledger.receive_time(self.now, &event);
        let mark = self.ledger.judge(&mut self.streams, &envelope, &event, Digest::NONE, received);
        match &mark {
            Mark::Valid => {
                self.mind.apply(&envelope, &event, received);
                self.note(&envelope.subject, &event);
            }
            // Of two that were offered and want the same, the recorder lets one start.
            Mark::Refused { reason }
                if source.class() == Class::Scheduler && self.refusals.len() < REFUSALS_TOLD =>
            {
                self.refusals.push(format!("{} of {}: {reason}", event.kind(), envelope.subject));
            }
            Mark::Refused { .. } | Mark::Conflict { .. } => {}
        }
        mark
    }

    fn envelope(&self, source: &ProducerId, draft: &Draft) -> Envelope {
        Envelope {
            specversion: "1.0".to_owned(),
            id: Uuid::from_u128(u128::from(self.events)),
            source: source.clone(),
            kind: draft.event.kind().to_owned(),
            subject: draft.stream.clone(),
            time: self.now,
            version: draft.version,
            schema: draft.event.schema(),
            pseq: self.events,
            pprev: Digest::NONE,
            seen: None,
            actor: None,
            onbehalf: None,
            cause: None,
            correlation: None,
            data: serde_json::Value::Null,
            payload: None,
        }
    }

    /// A run has an event more.
    fn note(&mut self, id: &StreamId, event: &Event) {
        let Event::RunEvent(event) = event else { return };
        let Some(run) = self.run(id) else { return };
        let (ended, part) = (run.state.is_ended(), Part::of(run));
        self.parts.entry(id.clone()).or_insert(part);
        if ended && let Some(waiting) = self.waiting.remove(id) {
            self.touched.extend(waiting);
        }
        if let RunEvent::RunCancelRequested(e) = event {
            self.stop(id, &e.reason);
        }
        self.touched.insert(id.clone());
    }

    /// What runs and is to stop does so at once.
    fn stop(&mut self, id: &StreamId, reason: &str) {
        if self.run(id).is_some_and(Run::is_running) {
            self.causes.insert(id.clone(), Cause::Cancelled(reason.to_owned()));
            self.endings.retain(|(_, run)| run != id);
            self.endings.insert((self.now, id.clone()));
        }
    }

    fn run(&self, id: &StreamId) -> Option<&Run> {
        self.streams.get(id)?.body.run()
    }

    // The hosts.

    fn offer(&mut self, work: Box<Work>) {
        // What no host can read, none takes.
        let Ok(definition) = serde_json::from_value(work.definition.clone()) else { return };
        let offer = Offer { work, definition };
        match self.offers.iter_mut().find(|known| known.work.run == offer.work.run) {
            Some(known) => *known = offer,
            None => {
                self.touched.insert(offer.work.run.clone());
                self.offers.push(offer);
            }
        }
    }

    /// Hosts take what they can, in the order of the offers.
    fn take_offers(&mut self) {
        // In the middle of a full night there is nothing to look at.
        if !self.hosts.is_any_free() {
            return;
        }
        let mut left = Vec::new();
        for offer in std::mem::take(&mut self.offers) {
            if self.is_open_for(&offer.work) && !self.try_to_take(&offer) {
                left.push(offer);
            }
        }
        self.offers = left;
    }

    /// Whether the run still waits to be taken as it was offered.
    fn is_open_for(&self, work: &Work) -> bool {
        let state = self.streams.get(&work.run);
        let ready = |run: &Run| matches!(run.state, State::Due | State::Retrying { .. });
        state.is_some_and(|state| {
            state.version == work.version && state.body.run().is_some_and(ready)
        })
    }

    /// A host takes an offer; whether one did. One that is refused goes to nobody: it is offered again.
    fn try_to_take(&mut self, Offer { work, definition }: &Offer) -> bool {
        let Some(host) = self.hosts.taker(work, definition) else { return false };
        let Ok(producer) = ProducerId::new(Class::Executor, &host) else { return false };
        let draft = claim(work, definition, &host, LEASE_MS, "");
        if self.say(&producer, draft) == Mark::Valid {
            self.begins(&work.run, host, definition);
        }
        true
    }

    fn begins(&mut self, run: &StreamId, host: String, definition: &JobDefinition) {
        let length = self.known.usual(&definition.name, self.plan.unknown_ms);
        self.hosts.begins(&host);
        let Some(mut part) = self.parts.remove(run) else { return };
        part.goes_on(self.now);
        part.after = self.let_go_by(&part, &host);
        part.host = Some(host);
        self.will_end(run, self.now, length, Some(definition), &mut part);
        self.parts.insert(run.clone(), part);
    }

    /// The run whose end at this moment let one start: one that it waited for, or one that left a slot.
    fn let_go_by(&self, part: &Part, host: &str) -> Option<StreamId> {
        let wait = part.waits.last().filter(|wait| wait.until == Some(self.now))?;
        let ended = |(run, _): &&(StreamId, String)| wait.on.contains(run);
        let named = self.ended_now.iter().find(ended);
        let slot = || self.ended_now.iter().find(|(_, at)| wait.on.is_empty() && at == host);
        named.or_else(slot).map(|(run, _)| run.clone())
    }

    fn end_what_is_over(&mut self) {
        while let Some((at, run)) = self.endings.first().cloned() {
            if at > self.now {
                return;
            }
            self.endings.pop_first();
            self.end(&run);
        }
    }

    fn end(&mut self, id: &StreamId) {
        let cause = self.causes.remove(id).unwrap_or(Cause::Own);
        let Some(state) = self.streams.get(id) else { return };
        let Some(run) = state.body.run().filter(|run| run.is_running()) else { return };
        let (Some(attempt), version) = (run.attempt(), state.version) else { return };
        let (producer, host) = (attempt.producer.clone(), attempt.host.clone());
        let report = AttemptReport {
            attempt: attempt.number,
            host: host.clone(),
            end: CommandEnd::Exited { code: 0 },
            began: attempt.started,
            ended: self.now,
            output: None,
            killed: 0,
            text: None,
            artefacts: Vec::new(),
        };
        let definition = self.known.definition(run);
        let exit_codes = definition.map(|definition| definition.exit_codes).unwrap_or_default();
        let draft = end(id, version, &Ending { report, cause, exit_codes, payload: None });
        self.ended_now.push((id.clone(), host.clone()));
        self.say(&producer, draft);
        self.hosts.ends(&host);
    }

    // What is noted.

    /// Looks at every run that something happened to: what does it wait for now?
    fn look_round(&mut self) {
        for id in std::mem::take(&mut self.touched) {
            let Some(run) = self.run(&id) else { continue };
            let waits = match &run.state {
                State::Running { .. } | State::Ended { .. } | State::Parts => None,
                State::Unknown { .. } => {
                    Some(("nobody knows how it ended (decklog resolve)".to_owned(), Vec::new()))
                }
                State::Requested
                | State::Held { .. }
                | State::Waiting
                | State::Blocked
                | State::Due
                | State::Retrying { .. } => Some(self.obstacle(run)),
            };
            let Some(mut part) = self.parts.remove(&id) else { continue };
            match waits {
                None => part.goes_on(self.now),
                Some((says, on)) => {
                    for other in &on {
                        self.waiting.entry(other.clone()).or_default().insert(id.clone());
                    }
                    part.waits(self.now, says, on);
                }
            }
            self.parts.insert(id, part);
        }
    }

    /// What an open run waits for now, and for which runs.
    fn obstacle(&self, run: &Run) -> (String, Vec<StreamId>) {
        match self.mind.obstacles(&run.id, self.now).first() {
            Some(obstacle) => (obstacle.to_string(), rivals(obstacle)),
            None => match &run.state {
                State::Retrying { attempt, not_before: Some(at), .. } if *at > self.now => {
                    (format!("attempt {attempt} follows at {at}"), Vec::new())
                }
                State::Requested
                | State::Held { .. }
                | State::Waiting
                | State::Blocked
                | State::Due
                | State::Parts
                | State::Running { .. }
                | State::Retrying { .. }
                | State::Unknown { .. }
                | State::Ended { .. } => (self.no_slot(run), Vec::new()),
            },
        }
    }

    fn no_slot(&self, run: &Run) -> String {
        match run.wanted_host() {
            Some(host) if !self.hosts.is_up(host) => format!("host {host} is not up"),
            Some(host) => format!("no slot of host {host} is free"),
            None if !self.hosts.serve(&run.pool) => {
                format!("no host that is up takes work of pool {}", run.pool)
            }
            None => format!("no slot of a host of pool {} is free", run.pool),
        }
    }

    /// Every run that was there, as it stands at the end.
    pub(super) fn parts(self) -> BTreeMap<StreamId, Part> {
        let mut parts = self.parts;
        for (id, part) in &mut parts {
            if let Some(run) = self.streams.get(id).and_then(|state| state.body.run()) {
                part.close(run);
            }
        }
        parts
    }

    /// What is taken for granted, and what could not be done.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = vec![
            "every run is taken to succeed, every file to be there, every host that is up to stay so"
                .to_owned(),
        ];
        let assumed =
            self.parts.values().filter(|part| part.length.is_some_and(|l| l.is_assumed()));
        let jobs: BTreeSet<&str> = assumed.map(|part| part.job.as_str()).collect();
        if !jobs.is_empty() {
            let long =
                crate::why::speech::long(i64::try_from(self.plan.unknown_ms).unwrap_or(i64::MAX));
            notes.push(format!(
                "{} jobs have no run that did its work: each is taken to take {long} (marked ?)",
                jobs.len()
            ));
        }
        if self.known.is_asleep() {
            notes.push(
                "no host is up: those that were, and are not drained, are taken to be".to_owned(),
            );
        }
        let unknown = self.known.unknown();
        if unknown > 0 {
            notes.push(format!("of {unknown} runs nobody knows how they ended: they stay so"));
        }
        notes.extend(self.refusals.iter().map(|refusal| format!("refused: {refusal}")));
        if let Some(at) = self.cut {
            notes.push(format!("it goes no further than {at}: that is {EVENTS_MAX} events"));
        }
        notes
    }
}

/// The runs that an obstacle consists of.
fn rivals(obstacle: &Obstacle) -> Vec<StreamId> {
    match obstacle {
        Obstacle::Behind(run) => vec![run.clone()],
        Obstacle::Lock { holders, before, .. } => [&holders[..], before].concat(),
        Obstacle::PoolFull { running, before, .. } => [&running[..], before].concat(),
        Obstacle::After { run, .. } => run.iter().cloned().collect(),
        Obstacle::Blocked(blocked) => vec![blocked.on.clone()],
        Obstacle::NotBefore(..)
        | Obstacle::Blackout { .. }
        | Obstacle::WindowOver(_)
        | Obstacle::TooLate(_)
        | Obstacle::NoLock(_)
        | Obstacle::NoSuchRun { .. }
        | Obstacle::Unconfirmed { .. }
        | Obstacle::Held(_)
        | Obstacle::Left { .. }
        | Obstacle::NoHost(_)
        | Obstacle::Needs { .. }
        | Obstacle::Asking(_) => Vec::new(),
    }
}
