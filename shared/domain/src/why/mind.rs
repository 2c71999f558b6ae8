//! A scheduler's mind that knows of one run, and of what stands in its way.
//!
//! The rules are the scheduler's own: it is given the streams that the run names, and asked.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, Zoned};

use super::View;
use super::facts::{Group, calendars_of};
use crate::ids::StreamId;
use crate::job::{After, WhichRun};
use crate::run::{Run, State};
use crate::scheduler::{Obstacle, Scheduler, Settings};
use crate::site::{Thing, ThingKind};
use crate::time::just_before;
use crate::wire::RunRow;

/// Most repetitions of a run that are looked at.
const AGAIN_MAX: usize = 20;

impl View<'_> {
    /// Everything that keeps a run from starting, as the scheduler would say it.
    pub(super) fn obstacles(&self, run: &Run) -> Vec<Obstacle> {
        let mut mind = Scheduler::new(Settings::new("why", ""));
        match run.state {
            State::Waiting | State::Blocked => self.bring_awaited(&mut mind, run),
            State::Due | State::Retrying { .. } => self.bring_gates(&mut mind, run),
            State::Requested
            | State::Held { .. }
            | State::Parts
            | State::Running { .. }
            | State::Unknown { .. }
            | State::Ended { .. } => {}
        }
        self.bring(&mut mind, &run.id);
        mind.obstacles(&run.id, self.scene.now)
    }

    fn bring(&self, mind: &mut Scheduler, id: &StreamId) {
        if let Some(state) = self.facts.stream(id) {
            mind.load(id, state, self.scene.now);
        }
    }

    fn bring_all(&self, mind: &mut Scheduler, ids: impl IntoIterator<Item = StreamId>) {
        ids.into_iter().for_each(|id| self.bring(mind, &id));
    }

    /// The calendars with these names, and all they refer to.
    fn bring_calendars(&self, mind: &mut Scheduler, names: BTreeSet<String>) {
        let calendars = self.facts.calendars(names.clone());
        let almanac = calendars.almanac(&names, Timestamp::MAX);
        let all = almanac.map(|(almanac, _)| almanac.names().map(str::to_owned).collect());
        let all: BTreeSet<String> = all.unwrap_or(names);
        self.bring_all(mind, all.iter().map(|name| StreamId::thing(ThingKind::Calendar, name)));
    }

    // What a run waits for before its turn comes.

    fn bring_awaited(&self, mind: &mut Scheduler, run: &Run) {
        for after in &run.terms.after {
            let id = StreamId::job(&after.job);
            if let Some(job) = self.facts.job(&after.job) {
                self.bring_calendars(mind, calendars_of(&job.versions.spans));
            }
            self.bring(mind, &id);
            let mut ended = Vec::new();
            for id in self.awaited_runs(mind, after, run) {
                match self.facts.run(&id) {
                    Some(run) if run.state.is_ended() => ended.push(run.clone()),
                    Some(_) => self.bring(mind, &id),
                    None => {}
                }
            }
            mind.recalled(&after.job, ended, self.scene.now);
        }
    }

    /// The runs that may be the one that is waited for.
    fn awaited_runs(&self, mind: &Scheduler, after: &After, run: &Run) -> Vec<StreamId> {
        let job = &after.job;
        if let (WhichRun::SameOccurrence, Some(label), None) =
            (after.run, run.request_label(), &run.again)
        {
            return vec![StreamId::run(job, label)];
        }
        let at = match after.run {
            WhichRun::Latest => self.newest(job, run.stands_for()),
            WhichRun::SameOccurrence | WhichRun::SameBusinessDay => mind.awaited(after, run),
        };
        let mut found: Vec<StreamId> = Vec::new();
        found.extend(at.into_iter().flat_map(|at| self.exactly(job, at)));
        let since = at.unwrap_or_else(|| self.day_before(run));
        found.extend(self.requests(job, since));
        found
    }

    /// Runs of a job that stand for an instant.
    pub(super) fn exactly(&self, job: &str, at: Timestamp) -> Vec<StreamId> {
        let until = at.checked_add(SignedDuration::from_micros(1)).unwrap_or(at);
        let rows = self.facts.runs(job, Some(at), Some(until)).iter();
        let whole = |row: &&RunRow| row.scheduled && row.run.part().is_none();
        rows.filter(whole).map(|row| row.run.clone()).collect()
    }

    /// The instant of the newest occurrence up to `at`.
    fn newest(&self, job: &str, at: Timestamp) -> Option<Timestamp> {
        let until = at.checked_add(SignedDuration::from_micros(1)).unwrap_or(at);
        let rows = self.facts.runs(job, None, Some(until)).iter();
        rows.filter(|row| row.scheduled).map(|row| row.instant).max()
    }

    /// Runs that people asked for: they may repeat another.
    fn requests(&self, job: &str, since: Timestamp) -> Vec<StreamId> {
        let rows = self.facts.runs(job, Some(since), None).iter();
        let asked = rows.filter(|row| !row.scheduled && row.run.part().is_none());
        asked.take(AGAIN_MAX).map(|row| row.run.clone()).collect()
    }

    fn day_before(&self, run: &Run) -> Timestamp {
        let day = run.business_day().and_then(|day| day.yesterday().ok());
        let begins = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
        begins.map_or(run.instant(), |begins: Zoned| just_before(begins.timestamp()))
    }

    // What keeps a run that waits for its turn.

    fn bring_gates(&self, mind: &mut Scheduler, run: &Run) {
        self.bring_blackouts(mind, run);
        self.bring_hosts(mind, run);
        self.bring(mind, &StreamId::job(&run.job));
        self.bring_siblings(mind, run);
        if !run.is_whole() {
            self.bring_locks(mind, run);
            self.bring_pool(mind, run);
        }
    }

    fn bring_blackouts(&self, mind: &mut Scheduler, run: &Run) {
        let Some(definition) = self.facts.definition(run).filter(|_| !run.released) else { return };
        let blackouts = self.facts.blackouts(&definition);
        let read = blackouts.iter().filter_map(|view| {
            match view.state.body.thing()?.read(ThingKind::Blackout)? {
                Thing::Blackout(blackout) => Some(blackout.names()),
                Thing::Calendar(_)
                | Thing::Lock(_)
                | Thing::Pool(_)
                | Thing::Dataset(_)
                | Thing::Repository(_)
                | Thing::Queue(_)
                | Thing::CallTree(_)
                | Thing::Measures(_)
                | Thing::Form(_) => None,
            }
        });
        self.bring_calendars(mind, read.flatten().collect());
        self.bring_all(mind, blackouts.iter().map(|view| view.id.clone()));
    }

    /// Other runs of the job: those that have begun, and, for one that stands behind others, all before it.
    fn bring_siblings(&self, mind: &mut Scheduler, run: &Run) {
        let mut ids: BTreeSet<StreamId> = run.behind.iter().cloned().collect();
        if let Some(state) = self.facts.stream(&StreamId::job(&run.job)) {
            ids.extend(state.turn.busy.iter().cloned());
        }
        if !run.behind.is_empty() {
            let rows = self.facts.runs(&run.job, None, Some(just_after(run.instant())));
            ids.extend(rows.iter().filter(|row| row.open).map(|row| row.run.clone()));
        }
        ids.retain(|id| id.whole() != run.id.whole());
        self.bring_open(mind, ids);
    }

    fn bring_open(&self, mind: &mut Scheduler, ids: impl IntoIterator<Item = StreamId>) {
        for id in ids {
            if self.facts.run(&id).is_some_and(|run| !run.state.is_ended()) {
                self.bring(mind, &id);
            }
        }
    }

    fn bring_locks(&self, mind: &mut Scheduler, run: &Run) {
        for claim in &run.terms.locks {
            self.bring(mind, &claim.stream());
            let claims = self.facts.group(&Group::Claims(claim.lock.clone()));
            self.bring_open(mind, claims.into_iter().map(|view| view.id.clone()));
        }
    }

    fn bring_pool(&self, mind: &mut Scheduler, run: &Run) {
        self.bring(mind, &StreamId::thing(ThingKind::Pool, &run.pool));
        if self.pool_limit(&run.pool).is_none() {
            return;
        }
        for state in ["running", "due", "retrying"] {
            let rows = self.facts.of_pool(&run.pool, state).iter();
            self.bring_open(mind, rows.map(|row| row.run.clone()));
        }
    }

    /// How many attempts may run at once in a pool.
    pub(super) fn pool_limit(&self, pool: &str) -> Option<u32> {
        let defined = self.facts.thing(ThingKind::Pool, pool)?;
        match defined.active().and_then(|_| defined.read(ThingKind::Pool))? {
            Thing::Pool(pool) => pool.limit,
            Thing::Calendar(_)
            | Thing::Blackout(_)
            | Thing::Lock(_)
            | Thing::Dataset(_)
            | Thing::Repository(_)
            | Thing::Queue(_)
            | Thing::CallTree(_)
            | Thing::Measures(_)
            | Thing::Form(_) => None,
        }
    }

    /// The host it must run on, or those of its pool. Where nobody listens to hosts here, those that are up count as
    /// heard.
    fn bring_hosts(&self, mind: &mut Scheduler, run: &Run) {
        let hosts: Vec<StreamId> = match run.wanted_host() {
            Some(host) => vec![StreamId::host(host)],
            None => {
                let members = self.facts.group(&Group::Members(run.pool.clone()));
                members.into_iter().map(|view| view.id.clone()).collect()
            }
        };
        for id in &hosts {
            let name = id.rest();
            let slots =
                || self.facts.host(name).and_then(|host| Some(host.started.as_ref()?.slots));
            let heard = match &self.scene.heard {
                Some(heard) => heard.get(name).map(|heard| (heard.free, heard.at)),
                None => slots().map(|slots| (slots, self.scene.now)),
            };
            if let Some((free, at)) = heard {
                mind.heard_host(name, free, at);
            }
        }
        self.bring_all(mind, hosts);
    }
}

/// The first instant after `at` that the read model tells from it.
fn just_after(at: Timestamp) -> Timestamp {
    at.checked_add(SignedDuration::from_micros(1)).unwrap_or(at)
}
