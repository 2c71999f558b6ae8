//! The people at the console: they do what the rules let people do, at bad moments, and tidy up in the end.

use anyhow::Result;
use domain::event::Resolution;
use domain::forecast::SiteView;
use domain::ids::StreamId;
use domain::incident::DEFAULT_TREE;
use domain::job::{Job, JobDefinition, OrderAct};
use domain::ledger::{Body, named_by_job, named_by_thing};
use domain::run::{Run, State};
use domain::site::{Thing, ThingKind};
use jiff::{SignedDuration, Timestamp};

use super::console::Tell;
use super::step::{SECOND, Step};
use super::{EXECUTORS, Node, World, host_name, jobs, site};

/// How long people leave an unknown outcome alone while things break, milliseconds.
const PATIENCE_MS: i64 = 45_000;

impl World {
    /// What people do while things break.
    pub(super) fn people(&mut self) -> Result<()> {
        if !self.chaos.on {
            return Ok(());
        }
        let after = self.rng.between(SECOND / 2, 6 * SECOND);
        self.plan(after, Step::People);
        let node = self.machine(Node::Console);
        if !node.up || node.cut {
            return Ok(());
        }
        if self.chores(false)? { Ok(()) } else { self.whim() }
    }

    /// What is to be done: approve, propose what is wanted, close what is open. False where nothing is.
    pub(super) fn chores(&mut self, hurry: bool) -> Result<bool> {
        if let Some((kind, name)) = self.first_thing(|thing| thing.versions.proposal.is_some()) {
            self.approve_or_prepare(kind, &name)?;
            return Ok(true);
        }
        if let Some(name) = self.first_job(|job| job.versions.proposal.is_some()) {
            self.prepare_and_approve(&name)?;
            return Ok(true);
        }
        let tree = StreamId::thing(ThingKind::CallTree, DEFAULT_TREE);
        if self.console.calls && !self.is_active(&tree) {
            self.propose_random(ThingKind::CallTree, DEFAULT_TREE)?;
            return Ok(true);
        }
        if let Some(name) = self.console.wanted.pop() {
            let definition = jobs::random_job(&mut self.rng, name)?;
            self.propose(&definition)?;
            return Ok(true);
        }
        let patience = if hurry { 10_000 } else { PATIENCE_MS };
        let stuck = |run: &Run| matches!(run.state, State::Unknown { .. });
        if let Some(run) = self.some_old_run(patience, stuck) {
            let outcome = self.rng.pick(&[Resolution::Succeeded, Resolution::Failed]);
            self.resolve(&run, outcome)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn prepare_and_approve(&mut self, name: &str) -> Result<()> {
        let job = self.jobs().find(|job| job.name == name).cloned();
        let proposed = job.and_then(|job| job.versions.proposal);
        let proposed: Option<JobDefinition> =
            proposed.and_then(|proposal| serde_json::from_str(proposal.definition.get()).ok());
        let named = proposed.map(|definition| named_by_job(&definition)).unwrap_or_default();
        match named.into_iter().find(|id| !self.is_active(id)) {
            Some(id) => self.define(&id),
            None => self.approve(name),
        }
    }

    fn approve_or_prepare(&mut self, kind: ThingKind, name: &str) -> Result<()> {
        let id = StreamId::thing(kind, name);
        let thing = self.auditor.streams.0.get(&id).and_then(|state| state.body.thing());
        let proposal = thing.and_then(|thing| thing.versions.proposal.as_ref());
        let value =
            proposal.and_then(|proposal| serde_json::from_str(proposal.definition.get()).ok());
        let read = value.and_then(|value| Thing::read(kind, &value).ok());
        let named = read.iter().flat_map(named_by_thing).find(|id| !self.is_active(id));
        match named {
            Some(id) => self.define(&id),
            None => self.approve_thing(kind, name),
        }
    }

    fn is_active(&self, id: &StreamId) -> bool {
        let thing = self.auditor.streams.0.get(id).and_then(|state| state.body.thing());
        thing.is_some_and(|thing| thing.active().is_some())
    }

    /// Proposes what somebody names and nobody has defined, or approves it.
    fn define(&mut self, id: &StreamId) -> Result<()> {
        let Some((kind, name)) =
            site::names().find(|(kind, name)| StreamId::thing(*kind, name) == *id)
        else {
            anyhow::bail!("nobody knows what {id} is");
        };
        let thing = self.auditor.streams.0.get(id).and_then(|state| state.body.thing());
        if thing.is_some_and(|thing| thing.versions.proposal.is_some()) {
            return self.approve_or_prepare(kind, name);
        }
        self.propose_random(kind, name)
    }

    fn propose_random(&mut self, kind: ThingKind, name: &str) -> Result<()> {
        let now = super::stamp(self.now);
        let thing = site::random_thing(&mut self.rng, kind, name, now)?;
        self.propose_thing(&thing)
    }

    fn whim(&mut self) -> Result<()> {
        let names: Vec<String> = self.jobs().map(|job| job.name.clone()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let name = names[self.rng.index(names.len())].clone();
        match self.rng.between(0, 19) {
            0 => self.tell_job(&name, Tell::Pause),
            1 | 2 => self.tell_job(&name, Tell::Resume),
            3 if self.rng.chance(3_000) => self.tell_job(&name, Tell::Retire),
            4 | 5 => {
                let definition = jobs::random_job(&mut self.rng, &name)?;
                self.propose(&definition)
            }
            6 | 7 => self.request(&name),
            8 => self.request_all(&names),
            9 => self.with_some_run(|run| !run.state.is_ended(), Self::cancel),
            10 => self.with_some_run(|run| run.state.is_ended(), Self::rerun),
            11 => self.whim_about_the_site(),
            12 => {
                let (host, drained) = (self.rng.index(EXECUTORS), self.rng.chance(5_000));
                self.drain(&host_name(host), drained)
            }
            13 | 14 => self.whim_about_an_occurrence(&name),
            15 if self.rng.chance(2_000) => self.reopen_something(),
            15 => self.attend().map(|_| ()),
            16 => self.whim_about_records(&name),
            _ => self.whim_about_a_run(),
        }
    }

    fn whim_about_the_site(&mut self) -> Result<()> {
        let names: Vec<(ThingKind, &str)> = site::names().collect();
        let (kind, name) = self.rng.pick(&names);
        // A tree that is gone for a while hides what happened meanwhile.
        if self.rng.chance(2_000) && kind != ThingKind::CallTree {
            self.retire_thing(kind, name)
        } else {
            self.propose_random(kind, name)
        }
    }

    /// About an occurrence that is to come; sometimes one that has been, or none at all.
    fn whim_about_an_occurrence(&mut self, name: &str) -> Result<()> {
        let Some(at) = self.coming_occurrence(name) else { return Ok(()) };
        let job = self.jobs().find(|job| job.name == name);
        let ordered = job.is_some_and(|job| job.orders.contains_key(&at));
        let to = self.rng.between(-60, 90);
        let act = match self.rng.between(0, 4) {
            0 => Some(OrderAct::Hold),
            1 => Some(OrderAct::Skip),
            2 if ordered => None,
            _ => Some(OrderAct::Move(seconds_after(at, to))),
        };
        self.order(name, at, act)
    }

    fn coming_occurrence(&mut self, name: &str) -> Option<Timestamp> {
        let now = super::stamp(self.now);
        let by = self.rng.between(-10, 60);
        let site = self.site();
        let job = self.jobs().find(|job| job.name == name)?;
        if self.rng.clone().chance(2_000) && !job.orders.is_empty() {
            return job.orders.keys().next().copied();
        }
        let definition = job.active()?.read().ok()?;
        let schedule = definition.schedule_at(now, &site.calendars)?.ok()?;
        Some(schedule.next_run(seconds_after(now, by))?.at)
    }

    /// Calendars and blackouts as the log has them.
    pub(super) fn site(&self) -> SiteView {
        let things = self.auditor.streams.0.iter().filter_map(|(id, state)| {
            let thing = state.body.thing()?;
            Some((ThingKind::from_word(id.stream_type().word())?, thing))
        });
        SiteView::of(things)
    }

    fn whim_about_a_run(&mut self) -> Result<()> {
        let open = |run: &Run| !run.state.is_ended();
        match self.rng.between(0, 6) {
            0 => self.with_some_run(open, Self::hold_run),
            1 => {
                let until = seconds_after(super::stamp(self.now), self.rng.between(-5, 40));
                self.with_some_run(open, |world, run| world.delay_run(run, until))
            }
            2 => self.with_some_run(open, Self::skip_run),
            3 => self.with_some_run(is_stopped, Self::override_run),
            4 => self.with_some_run(open, Self::confirm_run),
            _ => self.with_some_run(is_held, Self::release),
        }
    }

    fn with_some_run(
        &mut self,
        wanted: impl Fn(&Run) -> bool,
        act: impl FnOnce(&mut Self, &StreamId) -> Result<()>,
    ) -> Result<()> {
        match self.some_run(wanted) {
            Some(run) => act(self, &run),
            None => Ok(()),
        }
    }

    /// People close what only people can close, and retire every job in the end. False where nothing
    /// is left to do.
    pub(super) fn tidy(&mut self, retire: bool) -> Result<bool> {
        if self.chores(true)? || self.resume_hosts()? {
            return Ok(true);
        }
        if let Some(run) = self.some_run(is_held) {
            let act = if self.rng.chance(5_000) { Self::release } else { Self::cancel_once };
            act(self, &run)?;
            return Ok(true);
        }
        if let Some(run) = self.some_old_run(20_000, is_stopped) {
            self.go_on(&run)?;
            return Ok(true);
        }
        if retire && let Some(name) = self.first_job(|job| job.active().is_some()) {
            self.tell_job(&name, Tell::Retire)?;
            return Ok(true);
        }
        if retire && let Some(run) = self.some_old_run(10 * 60_000, waits_for_a_host) {
            self.cancel_once(&run)?;
            return Ok(true);
        }
        if self.attend()? {
            return Ok(true);
        }
        // What has just ended is noticed in a moment.
        let now = super::stamp(self.now);
        let runs = self.auditor.streams.0.values().filter_map(|state| state.body.run());
        let newest = runs.map(|run| run.changed).max();
        let quiet = newest.is_none_or(|at| now.duration_since(at).as_secs() > 10);
        let rests = retire && quiet && self.auditor.open_runs().next().is_none();
        if rests && self.retire_tree()? {
            return Ok(true);
        }
        Ok(!retire)
    }

    /// The last that goes: what comes after it is nobody's incident.
    fn retire_tree(&mut self) -> Result<bool> {
        self.console.calls = false;
        let tree = StreamId::thing(ThingKind::CallTree, DEFAULT_TREE);
        if !self.is_active(&tree) {
            return Ok(false);
        }
        self.every_failure_is_an_incident()?;
        self.retire_thing(ThingKind::CallTree, DEFAULT_TREE)?;
        Ok(true)
    }

    fn resume_hosts(&mut self) -> Result<bool> {
        let drained = self.auditor.streams.0.iter().find_map(|(id, state)| {
            let Body::Host(host) = &state.body else { return None };
            host.drained.is_some().then(|| id.rest().to_owned())
        });
        match drained {
            Some(host) => self.drain(&host, false).map(|()| true),
            None => Ok(false),
        }
    }

    /// A run that waits for others, or for a person.
    fn go_on(&mut self, run: &StreamId) -> Result<()> {
        match self.rng.between(0, 3) {
            0 => self.skip_run(run),
            1 => self.override_run(run),
            2 => self.confirm_run(run),
            _ => self.cancel_once(run),
        }
    }

    fn cancel_once(&mut self, run: &StreamId) -> Result<()> {
        let asked = self.auditor.run(run).is_some_and(|run| run.cancel.is_some());
        if asked { Ok(()) } else { self.cancel(run) }
    }

    /// Every job in the log.
    pub(super) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.auditor.streams.0.values().filter_map(|state| state.body.job())
    }

    fn first_job(&self, wanted: impl Fn(&Job) -> bool) -> Option<String> {
        self.jobs().find(|job| wanted(job)).map(|job| job.name.clone())
    }

    fn first_thing(
        &self,
        wanted: impl Fn(&domain::site::Defined) -> bool,
    ) -> Option<(ThingKind, String)> {
        self.auditor.streams.0.iter().find_map(|(id, state)| {
            let thing = state.body.thing().filter(|thing| wanted(thing))?;
            Some((ThingKind::from_word(id.stream_type().word())?, thing.name.clone()))
        })
    }

    /// A random run among those that are `wanted`.
    pub(super) fn some_run(&mut self, wanted: impl Fn(&Run) -> bool) -> Option<StreamId> {
        let runs = self.auditor.streams.0.values().filter_map(|state| state.body.run());
        let runs: Vec<StreamId> =
            runs.filter(|run| wanted(run)).map(|run| run.id.clone()).collect();
        let index = self.rng.index(runs.len());
        runs.get(index).cloned()
    }

    /// One to which nothing has happened for so long.
    fn some_old_run(&mut self, millis: i64, wanted: impl Fn(&Run) -> bool) -> Option<StreamId> {
        let now = super::stamp(self.now);
        let old = |run: &Run| now.duration_since(run.changed).as_millis() > i128::from(millis);
        self.some_run(|run| wanted(run) && old(run))
    }
}

fn is_held(run: &Run) -> bool {
    matches!(run.state, State::Held { .. })
}

fn is_stopped(run: &Run) -> bool {
    matches!(run.state, State::Waiting | State::Blocked)
}

/// No host has what it wants, or a lock it names is gone.
fn waits_for_a_host(run: &Run) -> bool {
    matches!(run.state, State::Due | State::Retrying { .. })
}

fn seconds_after(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(at)
}
