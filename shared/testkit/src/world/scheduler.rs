//! The thin shell around `domain::scheduler`: it ticks only when the mind asked to be woken.

use anyhow::Result;
use domain::envelope::Draft;
use domain::ledger::{Body, Mark};
use domain::run::Run;
use domain::scheduler::past::PAST_RUNS;
use domain::scheduler::{Action, Scheduler, Settings};
use domain::wire::Heartbeat;
use jiff::Timestamp;

use super::step::{Act, MS, Micros, SECOND, Step};
use super::{Node, TZDB, World};

/// Events asked for at once.
const PAGE: usize = 64;

/// A scheduler's memory.
#[derive(Debug, Default)]
pub(super) struct SchedulerProgram {
    mind: Option<Scheduler>,
    /// One that has not read everything yet: it does nothing and hears nothing.
    loading: Option<Scheduler>,
    position: u64,
    connected: bool,
    wake: Option<Micros>,
}

impl SchedulerProgram {
    /// How far it has read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The same, to be told something.
    pub(super) fn mind_mut(&mut self) -> Option<&mut Scheduler> {
        self.mind.as_mut()
    }

    /// What it thinks is open and when it wants to wake; `None` while it does not run.
    pub(super) fn mind(&self) -> Option<&Scheduler> {
        self.mind.as_ref()
    }
}

impl World {
    pub(super) fn scheduler_acts(&mut self, i: usize, act: &Act) -> Result<()> {
        match act {
            Act::Boot => self.scheduler_boots(i),
            Act::Load => self.scheduler_loads(i),
            Act::Poll => {
                self.scheduler_fetches(i);
                self.plan_soon(Node::Scheduler(i), SECOND, 3 * SECOND, Act::Poll);
            }
            Act::Fetch => self.scheduler_fetches(i),
            Act::Wake(at) if self.schedulers[i].wake == Some(*at) => self.scheduler_wakes(i)?,
            Act::Beat => self.scheduler_beats(i),
            Act::Recall(job) => self.scheduler_learns_the_past(i, job),
            Act::Wake(_)
            | Act::Pump
            | Act::Judge
            | Act::Commit
            | Act::Archive
            | Act::Reply
            | Act::Pull
            | Act::Start(_)
            | Act::Reap
            | Act::Watch
            | Act::Alone
            | Act::StartAlone(_) => {}
        }
        Ok(())
    }

    /// Reads the jobs now, and the open runs, what is known of incidents and what went wrong a little later, as the service does.
    fn scheduler_boots(&mut self, i: usize) {
        let node = Node::Scheduler(i);
        if self.machine(node).cut {
            return self.plan_own(node, SECOND / 2, Act::Boot);
        }
        let now = self.clock(node);
        // As new as the process.
        let link_secret = Some(self.rng.bytes());
        let settings = Settings { link_secret, ..Settings::new(&format!("s{i}"), TZDB) };
        let mut mind = Scheduler::new(settings);
        for (id, state) in &self.auditor.streams.0 {
            if matches!(state.body, Body::Continued(_)) {
                mind.load(id, state, now);
            }
        }
        for (id, state) in &self.auditor.streams.0 {
            if matches!(state.body, Body::Thing(_) | Body::Host(_)) {
                mind.load(id, state, now);
            }
        }
        for (id, state) in &self.auditor.streams.0 {
            if matches!(state.body, Body::Job(_)) {
                mind.load(id, state, now);
            }
        }
        let position = self.log.size();
        self.schedulers[i] = SchedulerProgram {
            mind: None,
            loading: Some(mind),
            position,
            connected: false,
            wake: None,
        };
        self.plan_soon(node, MS, 200 * MS, Act::Load);
    }

    fn scheduler_loads(&mut self, i: usize) {
        let node = Node::Scheduler(i);
        if self.machine(node).cut {
            return self.plan_own(node, SECOND / 2, Act::Boot);
        }
        let now = self.clock(node);
        let Some(mut mind) = self.schedulers[i].loading.take() else { return };
        for (id, state) in &self.auditor.streams.0 {
            if state.body.run().is_some_and(|run| !run.state.is_ended()) {
                mind.load(id, state, now);
            }
        }
        for (id, state) in &self.auditor.streams.0 {
            if matches!(state.body, Body::Incident(_)) {
                mind.load(id, state, now);
            }
        }
        // After the open runs: one that has ended since the jobs were read is none of them, and what the feed brings of it says
        // nothing. And before it says anything: what is said of later things would hide what is said of these.
        self.look_back(&mut mind, now);
        self.schedulers[i].mind = Some(mind);
        self.plan_own(node, MS, Act::Poll);
        self.plan_own(node, MS, Act::Beat);
        self.scheduler_rewakes(i);
    }

    fn scheduler_fetches(&mut self, i: usize) {
        let node = Node::Scheduler(i);
        let (cut, now) = (self.machine(node).cut, self.clock(node));
        let program = &mut self.schedulers[i];
        let Some(mind) = program.mind.as_mut() else { return };
        if cut == program.connected {
            mind.listening((!cut).then_some(now));
            program.connected = !cut;
        }
        if cut {
            return;
        }
        let rows = self.log.after(program.position, PAGE);
        for row in rows.iter().filter(|row| row.mark == Mark::Valid) {
            mind.apply(&row.envelope, &row.event, row.received);
        }
        program.position += rows.len() as u64;
        if rows.len() == PAGE {
            self.plan_own(node, MS, Act::Fetch);
        }
        self.scheduler_rewakes(i);
    }

    /// Sets the alarm to the instant the mind asks for, by this machine's clock.
    pub(super) fn scheduler_rewakes(&mut self, i: usize) {
        let node = Node::Scheduler(i);
        let ahead = self.machine(node).ahead;
        let wake = self.schedulers[i].mind.as_ref().and_then(Scheduler::next_wake);
        let at = wake.map(|at| round_up(at) - ahead);
        if std::mem::replace(&mut self.schedulers[i].wake, at) == at {
            return;
        }
        if let Some(at) = at {
            self.plan_own(node, (at - self.now).max(MS), Act::Wake(at));
        }
    }

    fn scheduler_wakes(&mut self, i: usize) -> Result<()> {
        let node = Node::Scheduler(i);
        let now = self.clock(node);
        self.schedulers[i].wake = None;
        let Some(mind) = self.schedulers[i].mind.as_mut() else { return Ok(()) };
        let (mut drafts, mut offers, mut recalls) = (Vec::new(), Vec::new(), Vec::new());
        let mut messages = Vec::new();
        for action in mind.tick(now) {
            match action {
                Action::Append(draft) => drafts.push(draft),
                Action::Dispatch(work) => offers.push(work),
                Action::Recall(job) => recalls.push(job),
                Action::Send(message) => messages.push(*message),
            }
        }
        for job in recalls {
            self.scheduler_recalls(i, job);
        }
        if !self.journal(node, drafts)? {
            return Ok(());
        }
        for work in offers {
            self.offer(node, work);
        }
        self.call_people(i, messages);
        self.scheduler_rewakes(i);
        Ok(())
    }

    /// Asks for a job's past; the answer comes later, or never.
    fn scheduler_recalls(&mut self, i: usize, job: String) {
        let node = Node::Scheduler(i);
        let lost = self.chaos.lost;
        if self.machine(node).cut || self.rng.chance(lost) {
            return;
        }
        self.plan_soon(node, MS, 200 * MS, Act::Recall(job));
    }

    fn scheduler_learns_the_past(&mut self, i: usize, job: &str) {
        let now = self.clock(Node::Scheduler(i));
        let of_job = self.auditor.streams.0.values().filter_map(|state| state.body.run());
        let mut runs: Vec<Run> =
            of_job.filter(|run| run.job == job && run.state.is_ended()).cloned().collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.instant()));
        runs.truncate(PAST_RUNS as usize);
        if let Some(mind) = self.schedulers[i].mind.as_mut() {
            mind.recalled(job, runs, now);
            self.scheduler_rewakes(i);
        }
    }

    fn offer(&mut self, node: Node, work: Box<domain::wire::Work>) {
        self.say(|| format!("{node} offers {}", work.id()));
        let lost = self.chaos.lost;
        if self.machine(node).cut || self.rng.chance(lost) {
            return;
        }
        let after = self.rng.between(MS, 50 * MS);
        self.plan(after, Step::Enqueue(work));
    }

    fn scheduler_beats(&mut self, i: usize) {
        let node = Node::Scheduler(i);
        let time = self.clock(node);
        self.beat(node, Heartbeat::Scheduler { id: format!("s{i}"), time, hindered: None });
        self.plan_own(node, 2 * SECOND, Act::Beat);
    }

    pub(super) fn scheduler_hears(&mut self, to: Node, beat: &Heartbeat) {
        let Node::Scheduler(i) = to else { return };
        let now = self.clock(to);
        let Some(mind) = self.schedulers[i].mind.as_mut() else { return };
        match beat {
            Heartbeat::Executor { host, free, running, unsent, .. } => {
                mind.heard_host(host, *free, now);
                if *unsent == 0 {
                    mind.said_all(host, now);
                }
                for (run, attempt) in running {
                    mind.heard(run, *attempt, now);
                }
            }
            Heartbeat::Scheduler { id, .. } => mind.peer(id, now),
        }
    }

    /// Somebody who is not there says that he is.
    pub(super) fn ghost_peer(&mut self, i: usize) {
        let now = self.clock(Node::Scheduler(i));
        if let Some(mind) = self.schedulers[i].mind.as_mut() {
            mind.peer("ghost", now);
        }
    }

    pub(super) fn scheduler_answered(&mut self, i: usize, draft: &Draft, mark: &Mark) {
        let now = self.clock(Node::Scheduler(i));
        if let Some(mind) = self.schedulers[i].mind.as_mut() {
            mind.answered(&draft.stream, Some(mark), now);
            self.scheduler_rewakes(i);
        }
    }
}

pub(super) fn round_up(at: Timestamp) -> Micros {
    at.as_microsecond() + i64::from(at.as_nanosecond() % 1_000 != 0)
}
