//! A host that runs jobs of its own: it learns what it has leave to decide while it can ask, and decides it whether it
//! can or not.

use std::collections::BTreeSet;

use anyhow::Result;
use domain::envelope::Draft;
use domain::event::{Event, RunEvent};
use domain::executor::claim;
use domain::forecast::SiteView;
use domain::ids::StreamId;
use domain::job::{Job, Lease};
use domain::ledger::Turn;
use domain::run::{Context, Run};
use domain::scheduler::alone::{Alone, Leave, OwnDecision};
use jiff::Timestamp;

use super::executor::LEASE_MS;
use super::host::{Attempt, Phase};
use super::step::{Act, AttemptKey, MS, Micros, SECOND};
use super::{Moment, Node, TZDB, World, host_name};

/// Most occurrences decided in one step.
const DECIDED_MAX: usize = 16;
/// How long a host that is connected waits for the recorder before it starts what it has decided.
const PATIENCE: Micros = 2 * SECOND;

impl World {
    /// What the log says of jobs that this host may run by itself. Nobody answers a host that is cut off.
    pub(super) fn learns_leave(&mut self, i: usize) -> Result<()> {
        let node = Node::Executor(i);
        if self.machine(node).cut {
            return Ok(());
        }
        let (host, now) = (host_name(i), self.clock(node));
        let site = self.site();
        let drained = self.auditor.streams.0.get(&StreamId::host(&host));
        let drained =
            drained.and_then(|state| state.body.host()).is_some_and(|h| h.drained.is_some());
        for (job, turn) in self.jobs_of(&host) {
            self.hosts[i]
                .leaves
                .retain(|(name, _), leave| *name != job.name || leave.learn(&host, &job, &turn));
            let known = Leave::all(&host, &job, &turn, &site.calendars, now);
            let open: BTreeSet<Timestamp> = known.iter().map(|leave| leave.lease.from).collect();
            for leave in known {
                let key = (job.name.clone(), leave.lease.from);
                self.hosts[i].leaves.entry(key).or_insert(leave);
            }
            self.decide_alone(i, &job.name)?;
            self.give_back(i, &job, &site, drained)?;
            self.forget_leave(i, &job.name, &open);
        }
        self.plan_alone(i);
        Ok(())
    }

    /// Jobs about which this host has or had a say.
    fn jobs_of(&self, host: &str) -> Vec<(Job, Turn)> {
        let states = self.auditor.streams.0.values();
        let jobs = states.filter_map(|state| Some((state.body.job()?, &state.turn)));
        let own =
            jobs.filter(|(job, _)| job.leases.iter().any(|l| l.host.as_deref() == Some(host)));
        own.map(|(job, turn)| (job.clone(), turn.clone())).collect()
    }

    /// Says that leave is given back, once everything before is decided.
    fn give_back(&mut self, i: usize, job: &Job, site: &SiteView, drained: bool) -> Result<()> {
        let node = Node::Executor(i);
        let now = self.clock(node);
        let stream = StreamId::job(&job.name);
        let mut said = Vec::new();
        for leave in self.hosts[i].leaves_of(&job.name) {
            leave.give_back(job, site, drained, now).map_err(anyhow::Error::msg)?;
            said.extend(leave.unsaid());
        }
        let version = self.auditor.streams.0.get(&stream).map_or(0, |state| state.version);
        for event in said.into_iter().take(1) {
            self.journal(node, vec![Draft::new(stream.clone(), version + 1, event)])?;
        }
        Ok(())
    }

    /// Leave that is over is forgotten when the log knows it too. Before that the log would give it again, and what was
    /// decided and is not committed would be decided once more.
    fn forget_leave(&mut self, i: usize, job: &str, open: &BTreeSet<Timestamp>) {
        let now = self.clock(Node::Executor(i));
        self.hosts[i].leaves.retain(|(name, from), leave| {
            let kept = open.contains(from) || leave.unsaid().is_some();
            name != job || kept || !leave.is_over(now)
        });
    }

    /// After a restart: what the journal holds of occurrences is decided, whether the disk says so or not.
    pub(super) fn remembers_leave(&mut self, i: usize) {
        let flushes = self.journals.get(&Node::Executor(i)).map(|journal| &journal.flushes[..]);
        let drafts = flushes.unwrap_or_default().iter().flat_map(|flush| &flush.drafts);
        let events: Vec<Event> = drafts.map(|draft| draft.event.clone()).collect();
        for leave in self.hosts[i].leaves.values_mut() {
            let settled = events.iter().filter_map(|event| leave.accounts(event)).max();
            leave.settle(settled);
        }
        self.plan_alone(i);
    }

    /// Wakes when the next occurrence comes that is this host's to decide.
    fn plan_alone(&mut self, i: usize) {
        let node = Node::Executor(i);
        let ahead = self.machine(node).ahead;
        let now = self.clock(node);
        let leaves = self.hosts[i].leaves.values().filter(|leave| !leave.is_past(now));
        let next = leaves.filter_map(|leave| Alone::new(leave.clone()).ok()?.next()).min();
        if let Some(at) = next {
            let at = super::scheduler::round_up(at) - ahead;
            self.plan_own(node, (at - self.now).max(MS), Act::Alone);
        }
    }

    pub(super) fn acts_alone(&mut self, i: usize) -> Result<()> {
        let jobs: Vec<String> = self.hosts[i].leaves.keys().map(|(job, _)| job.clone()).collect();
        for job in jobs {
            self.decide_alone(i, &job)?;
        }
        self.plan_alone(i);
        Ok(())
    }

    fn decide_alone(&mut self, i: usize, job: &str) -> Result<()> {
        let node = Node::Executor(i);
        let now = self.clock(node);
        for leave in self.hosts[i].leaves_of(job).map(|leave| leave.clone()).collect::<Vec<_>>() {
            let key = (leave.job.clone(), leave.lease.from);
            let Ok(mut alone) = Alone::new(leave) else { continue };
            if alone.next().is_none_or(|at| at > now) {
                continue;
            }
            let own =
                self.hosts[i].attempts.iter().filter(|((run, _), _)| run.run_job() == Some(job));
            own.for_each(|((run, _), attempt)| {
                alone.note(run, !matches!(attempt.phase, Phase::Ended(..)));
            });
            for decision in alone.decide(now, DECIDED_MAX, TZDB) {
                if !self.carry_out(i, &alone, decision)? {
                    return Ok(());
                }
            }
            let decided = alone.leave().clone();
            self.hosts[i].leaves.insert(key, decided);
        }
        Ok(())
    }

    /// Writes down what was decided, and starts it. False where the program died of it.
    fn carry_out(&mut self, i: usize, alone: &Alone, decision: OwnDecision) -> Result<bool> {
        let node = Node::Executor(i);
        self.say(|| format!("h{i} decides {} by itself", decision.draft.stream));
        let Some(work) = decision.work else {
            return self.journal(node, vec![decision.draft]);
        };
        let key = (work.run.clone(), 1);
        if self.hosts[i].attempts.contains_key(&key) || self.hosts[i].done.contains(&key) {
            return Ok(true);
        }
        let definition = alone.definition().clone();
        let claim = claim(&work, &definition, &host_name(i), LEASE_MS, "root");
        let (drafted, phase) = (self.clock(node), Phase::Prepared);
        let seen = self.as_the_log_will_have_it(node, [&decision.draft, &claim]);
        let attempt = Attempt { work: *work, definition, drafted, phase, seen };
        self.hosts[i].attempts.insert(key.clone(), attempt);
        if self.dies(node, Moment::BeforeClaim)
            || !self.journal(node, vec![decision.draft, claim])?
        {
            return Ok(false);
        }
        self.starts_alone_soon(i, &key);
        Ok(true)
    }

    /// Starts what this host has decided by itself, if nobody answers before.
    pub(super) fn starts_alone_soon(&mut self, i: usize, key: &AttemptKey) {
        let node = Node::Executor(i);
        let patience = if self.machine(node).cut { MS } else { PATIENCE };
        if self.claims_alone(i, key) {
            self.plan_own(node, patience, Act::StartAlone(key.clone()));
        }
    }

    /// A run and its version, as far as its own host knows.
    fn as_the_log_will_have_it(&self, node: Node, drafts: [&Draft; 2]) -> Option<(Run, u64)> {
        let producer = super::producer(node).ok()?;
        let context =
            Context { received: self.clock(node), producer: &producer, actor: None, payload: None };
        let run = drafts.iter().fold(None, |run, draft| {
            let Event::RunEvent(event) = &draft.event else { return run };
            Run::evolve(run, &draft.stream, event, context)
        });
        Some((run?, 2))
    }

    /// Nobody has answered in time: what this host decided by itself, it starts.
    pub(super) fn starts_alone(&mut self, i: usize, key: &AttemptKey) {
        let Some(attempt) = self.hosts[i].attempts.get(key) else { return };
        let held = self.clock(Node::Executor(i)).duration_since(attempt.drafted).as_millis();
        if attempt.phase != Phase::Prepared || self.claim_in_journal(i, key) != Some(false) {
            return;
        }
        match held {
            0..=9_999 => self.start_process(i, key),
            _ => self.disown(i, key, "its host was away when it was to start"),
        }
    }

    /// Whether the host's journal holds its decision and its claim of a run.
    pub(super) fn claims_alone(&self, host: usize, key: &AttemptKey) -> bool {
        let flushes = self.journals.get(&Node::Executor(host)).map(|journal| &journal.flushes[..]);
        let mut drafts = flushes.unwrap_or_default().iter().flat_map(|flush| &flush.drafts);
        let due = |draft: &Draft| matches!(draft.event, Event::RunEvent(RunEvent::RunDue(_)));
        drafts.any(|draft| draft.stream == key.0 && due(draft))
            && self.claim_in_journal(host, key).is_some()
    }

    /// Whether a process runs of which its host could not tell anybody before a person took its leave back: another host may
    /// run the job then.
    pub(super) fn is_taken_back(&self, key: &AttemptKey) -> bool {
        let job = key.0.run_job().map(StreamId::job);
        let job = job.and_then(|id| self.auditor.streams.0.get(&id)?.body.job());
        let by_person = |lease: &Lease| lease.returned.is_some_and(|returned| returned.by_person);
        self.auditor.run(&key.0).is_none()
            && job.is_some_and(|job| job.leases.iter().any(by_person))
    }

    /// A run has ended here.
    pub(super) fn note_ended(&mut self, i: usize, (run, _): &AttemptKey) {
        let Some(job) = run.run_job() else { return };
        self.hosts[i].leaves_of(job).for_each(|leave| leave.ended(run));
    }
}

impl super::host::Host {
    fn leaves_of<'a>(&'a mut self, job: &'a str) -> impl Iterator<Item = &'a mut Leave> {
        let of_job = self.leaves.iter_mut().filter(move |((name, _), _)| name == job);
        of_job.map(|(_, leave)| leave)
    }
}

/// Leave of a host, by job and beginning.
pub(super) type Leaves = std::collections::BTreeMap<(String, Timestamp), Leave>;
