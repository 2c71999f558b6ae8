//! The executor: takes work, claims it, has it started, and says how it ended.

use std::collections::BTreeMap;

use anyhow::Result;
use domain::envelope::Draft;
use domain::event::{Event, HostStarted, RunEvent};
use domain::executor::{Ending, claim, conclude, give_up};
use domain::ids::StreamId;
use domain::job::JobDefinition;
use domain::ledger::Mark;
use domain::run::{Run, State};
use domain::wire::{Heartbeat, Work, host_queue};

use super::host::{Attempt, Phase};
use super::step::{Act, AttemptKey, MS, SECOND};
use super::{Moment, Node, World, host_name};

/// How many attempts may run at once.
const SLOTS: usize = 3;
/// How long a run may be silent, milliseconds.
pub(super) const LEASE_MS: u64 = 20_000;

/// An executor's memory: what it has said about its attempts in this life.
#[derive(Debug, Default)]
pub(super) struct ExecutorProgram {
    /// Attempts about whose end something is under way.
    said: std::collections::BTreeSet<AttemptKey>,
}

impl World {
    pub(super) fn executor_acts(&mut self, i: usize, act: &Act) -> Result<()> {
        match act {
            Act::Boot => self.executor_boots(i)?,
            Act::Pull => self.executor_pulls(i)?,
            Act::Start(key) => self.executor_starts(i, key),
            Act::Reap => self.executor_reaps(i)?,
            Act::Watch => self.executor_watches(i),
            Act::Alone => self.acts_alone(i)?,
            Act::StartAlone(key) => self.starts_alone(i, key),
            Act::Poll => {
                self.learns_leave(i)?;
                self.executor_watches(i);
                self.plan_own(Node::Executor(i), 3 * SECOND, Act::Poll);
            }
            Act::Beat => self.executor_beats(i),
            Act::Load
            | Act::Pump
            | Act::Fetch
            | Act::Recall(_)
            | Act::Wake(_)
            | Act::Judge
            | Act::Commit
            | Act::Archive
            | Act::Reply => {}
        }
        Ok(())
    }

    /// Looks at what an earlier life left on disk.
    fn executor_boots(&mut self, i: usize) -> Result<()> {
        let node = Node::Executor(i);
        self.executors[i] = ExecutorProgram::default();
        let prepared: Vec<AttemptKey> = self.hosts[i]
            .attempts
            .iter()
            .filter(|(_, attempt)| attempt.phase == Phase::Prepared)
            .map(|(key, _)| key.clone())
            .collect();
        for key in prepared {
            match self.claim_in_journal(i, &key) {
                // The crash came before the claim: nobody has heard of it.
                None => drop(self.hosts[i].attempts.remove(&key)),
                // The answer is still to come; a run of the host's own waits for none.
                Some(false) => self.starts_alone_soon(i, &key),
                Some(true) => self.plan_own(node, MS, Act::Start(key)),
            }
        }
        for key in self.ends_under_way(i) {
            self.executors[i].said.insert(key);
        }
        for act in [Act::Pull, Act::Reap, Act::Poll, Act::Beat] {
            self.plan_soon(node, MS, SECOND, act);
        }
        self.remembers_leave(i);
        self.host_starts(i)
    }

    /// Says that the host is there. Every second of them has fast disks.
    fn host_starts(&mut self, i: usize) -> Result<()> {
        let node = Node::Executor(i);
        let stream = StreamId::host(&host_name(i));
        let version = self.auditor.streams.0.get(&stream).map_or(0, |state| state.version);
        let disk = if i.is_multiple_of(2) { "fast" } else { "slow" };
        let event = HostStarted {
            version: "0".to_owned(),
            boot: self.machine(node).life.to_string(),
            slots: u32::try_from(SLOTS).unwrap_or(u32::MAX),
            pools: vec!["default".to_owned()],
            found: 0,
            labels: BTreeMap::from([("disk".to_owned(), disk.to_owned())]),
            program: None,
        };
        self.journal(node, vec![Draft::new(stream, version + 1, event)]).map(|_| ())
    }

    /// Whether the journal holds the claim of an attempt, and whether it is known to be committed.
    pub(super) fn claim_in_journal(&self, i: usize, key: &AttemptKey) -> Option<bool> {
        let flushes = &self.journals.get(&Node::Executor(i))?.flushes;
        let says = |draft: &Draft| draft.stream == key.0 && started(draft) == Some(key.1);
        flushes
            .iter()
            .rev()
            .find(|flush| flush.drafts.iter().any(says))
            .map(|flush| flush.committed)
    }

    /// Attempts about whose end the journal holds something that is not answered.
    fn ends_under_way(&self, i: usize) -> Vec<AttemptKey> {
        let flushes = self.journals.get(&Node::Executor(i)).map(|journal| &journal.flushes[..]);
        let open = flushes.unwrap_or_default().iter().filter(|flush| !flush.committed);
        open.flat_map(|flush| flush.drafts.iter().filter_map(ended)).collect()
    }

    /// The run as the log has it; `None` while nobody answers.
    fn ask(&self, i: usize, run: &StreamId) -> Option<(Run, u64)> {
        if self.machine(Node::Executor(i)).cut {
            return None;
        }
        let state = self.auditor.streams.0.get(run)?;
        state.body.run().map(|run| (run.clone(), state.version))
    }

    fn executor_pulls(&mut self, i: usize) -> Result<()> {
        let node = Node::Executor(i);
        self.plan_soon(node, SECOND / 10, SECOND, Act::Pull);
        if self.machine(node).cut || self.hosts[i].attempts.len() >= SLOTS {
            return Ok(());
        }
        if !self.executor_erases(i)? {
            return Ok(());
        }
        let own = self.queues.take(&host_queue(&host_name(i)), self.now);
        let Some(work) = own.or_else(|| self.queues.take("default", self.now)) else {
            return Ok(());
        };
        let key = (work.run.clone(), work.attempt);
        if self.hosts[i].attempts.contains_key(&key) || self.hosts[i].done.contains(&key) {
            // It came again while this host had it; the sweep offers it anew if it must be.
            self.queues.acknowledge(&work);
            return Ok(());
        }
        self.take_offer(i, key, work)
    }

    fn take_offer(&mut self, i: usize, key: AttemptKey, work: Work) -> Result<()> {
        let node = Node::Executor(i);
        let definition: JobDefinition = serde_json::from_value(work.definition.clone())?;
        let drafted = self.clock(node);
        let draft = claim(&work, &definition, &host_name(i), LEASE_MS, "root");
        let phase = Phase::Prepared;
        let attempt = Attempt { work, definition, drafted, phase, seen: None };
        self.hosts[i].attempts.insert(key, attempt);
        if !self.dies(node, Moment::BeforeClaim) {
            self.journal(node, vec![draft])?;
        }
        Ok(())
    }

    /// An event of this executor was answered.
    pub(super) fn executor_answered(&mut self, i: usize, draft: &Draft, mark: &Mark) -> Result<()> {
        if matches!(draft.event, Event::HostEvent(_)) && *mark != Mark::Valid {
            // Somebody said something about this host meanwhile.
            return self.host_starts(i);
        }
        if let Some(attempt) = started(draft) {
            let key = (draft.stream.clone(), attempt);
            self.claim_answered(i, &key, mark);
        }
        if let Some(key) = ended(draft) {
            self.executors[i].said.remove(&key);
            if *mark == Mark::Valid {
                self.note_ended(i, &key);
                self.done(i, &key);
            } else if let Some(attempt) = self.hosts[i].attempts.get_mut(&key) {
                // Something else came first: ask before the next word.
                attempt.seen = None;
            }
        }
        Ok(())
    }

    fn claim_answered(&mut self, i: usize, key: &AttemptKey, mark: &Mark) {
        let node = Node::Executor(i);
        let Some(attempt) = self.hosts[i].attempts.get(key) else { return };
        self.queues.acknowledge(&attempt.work);
        let begun = attempt.phase != Phase::Prepared;
        match mark {
            Mark::Valid if self.dies(node, Moment::BeforeStart) => {}
            Mark::Valid => self.plan_own(node, MS, Act::Start(key.clone())),
            Mark::Conflict { .. } | Mark::Refused { .. } => {
                if begun {
                    let (run, number) = key;
                    self.wrong(format!(
                        "h{i} has started {run}#{number}, and the log does not take it"
                    ));
                }
                self.hosts[i].attempts.remove(key);
            }
        }
    }

    /// The claim was answered: start the process once, if the run is still this executor's and the
    /// time in which others believe so is not nearly over; otherwise say that it was not started.
    fn executor_starts(&mut self, i: usize, key: &AttemptKey) {
        let node = Node::Executor(i);
        let Some(attempt) = self.hosts[i].attempts.get(key) else { return };
        if attempt.phase != Phase::Prepared {
            return;
        }
        let held = self.clock(node).duration_since(attempt.drafted).as_millis();
        let Some((run, version)) = self.ask(i, &key.0) else {
            if self.machine(node).cut {
                return self.plan_own(node, SECOND, Act::Start(key.clone()));
            }
            // A log that was brought back does not know it.
            return drop(self.hosts[i].attempts.remove(key));
        };
        let Some(own) = run.attempts.iter().find(|a| a.number == key.1) else {
            return drop(self.hosts[i].attempts.remove(key));
        };
        if own.host != host_name(i) {
            return drop(self.hosts[i].attempts.remove(key));
        }
        let still = run.state == State::Running { attempt: key.1 };
        let cancelled = run.cancel.is_some();
        if let Some(attempt) = self.hosts[i].attempts.get_mut(key) {
            attempt.seen = Some((run, version));
        }
        match (still, cancelled, held) {
            (false, _, _) => self.disown(i, key, "it was given up before it could start"),
            (true, true, _) => self.disown(i, key, "it was cancelled before it could start"),
            // Half of the lease is kept for clocks that are not together.
            (true, false, 0..=9_999) => self.start_process(i, key),
            (true, false, _) => self.disown(i, key, "the claim took too long to be confirmed"),
        }
    }

    /// Says how attempts ended, one event at a time for each.
    fn executor_reaps(&mut self, i: usize) -> Result<()> {
        let node = Node::Executor(i);
        self.plan_soon(node, SECOND / 10, SECOND / 2, Act::Reap);
        let ended = |attempt: &Attempt| matches!(attempt.phase, Phase::Ended(..) | Phase::Vanished);
        let attempts = self.hosts[i].attempts.iter().filter(|(_, attempt)| ended(attempt));
        let keys: Vec<AttemptKey> = attempts.map(|(key, _)| key.clone()).collect();
        for key in keys {
            if self.executors[i].said.contains(&key) || self.dies(node, Moment::BeforeReap) {
                continue;
            }
            if !self.say_end(i, &key)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// False where the program died of it.
    fn say_end(&mut self, i: usize, key: &AttemptKey) -> Result<bool> {
        let node = Node::Executor(i);
        let asks = self.rng.chance(5_000);
        let fresh = if asks { self.ask(i, &key.0) } else { None };
        let Some(attempt) = self.hosts[i].attempts.get(key) else { return Ok(true) };
        let known = fresh.or_else(|| attempt.seen.clone()).or_else(|| self.ask(i, &key.0));
        let Some((run, version)) = known else {
            if !self.machine(node).cut {
                // A log that was brought back does not know it.
                self.done(i, key);
            }
            return Ok(true);
        };
        let source = super::producer(node)?;
        let draft = match attempt.report(i) {
            Some((report, cause)) => {
                let exit_codes = attempt.definition.exit_codes.clone();
                let payload = Some(super::records::payload(&run.id, key.1));
                conclude(&run, version, &source, &Ending { report, cause, exit_codes, payload })
            }
            None => give_up(&run, version, &source, key.1, "its supervisor vanished"),
        };
        let Some(draft) = draft else {
            self.done(i, key);
            return Ok(true);
        };
        self.executors[i].said.insert(key.clone());
        self.journal(node, vec![draft])
    }

    /// The attempt's directory is removed.
    fn done(&mut self, i: usize, key: &AttemptKey) {
        self.hosts[i].attempts.remove(key);
        self.hosts[i].done.insert(key.clone());
    }

    /// Asks whether something that runs here is to be cancelled.
    fn executor_watches(&mut self, i: usize) {
        let alive: Vec<AttemptKey> = self.hosts[i].alive().cloned().collect();
        for key in alive {
            let wish = self.ask(i, &key.0).and_then(|(run, _)| run.cancel);
            if let Some(cancel) = wish {
                self.stop_process(i, &key, &cancel.reason);
            }
        }
    }

    fn executor_beats(&mut self, i: usize) {
        let node = Node::Executor(i);
        let running: Vec<AttemptKey> = self.hosts[i].attempts.keys().cloned().collect();
        let used = u32::try_from(running.len()).unwrap_or(u32::MAX);
        let slots = u32::try_from(SLOTS).unwrap_or(u32::MAX);
        let unsent =
            self.journals.get(&node).map_or(0, |journal| journal.unsent(1_000).len() as u64);
        let (host, time) = (host_name(i), self.clock(node));
        let free = slots.saturating_sub(used);
        self.beat(
            node,
            Heartbeat::Executor { host, running, free, slots, unsent, time, hindered: None },
        );
        self.plan_own(node, 3 * SECOND, Act::Beat);
    }
}

/// The attempt that a draft claims.
fn started(draft: &Draft) -> Option<u32> {
    if let Event::RunEvent(RunEvent::RunStarted(e)) = &draft.event { Some(e.attempt) } else { None }
}

/// The attempt whose end a draft states.
pub(super) fn ended(draft: &Draft) -> Option<AttemptKey> {
    let Event::RunEvent(event) = &draft.event else { return None };
    let attempt = match event {
        RunEvent::RunSucceeded(e) => e.attempt,
        RunEvent::RunFailed(e) => e.attempt,
        RunEvent::RunTimedOut(e) => e.attempt,
        RunEvent::RunCancelled(e) => e.attempt?,
        RunEvent::RunLost(e) => e.attempt,
        RunEvent::RunReported(e) => e.report.attempt,
        RunEvent::RunRequested(_)
        | RunEvent::RunDue(_)
        | RunEvent::RunReleased(_)
        | RunEvent::RunHeld(_)
        | RunEvent::RunDelayed(_)
        | RunEvent::RunConfirmed(_)
        | RunEvent::RunCleared(_)
        | RunEvent::RunBlocked(_)
        | RunEvent::RunOverridden(_)
        | RunEvent::RunNeedsUnmet(_)
        | RunEvent::RunLate(_)
        | RunEvent::RunGathered(_)
        | RunEvent::RunDivided(_)
        | RunEvent::RunSkipped(_)
        | RunEvent::RunMissed(_)
        | RunEvent::RunStarted(_)
        | RunEvent::RunCancelRequested(_)
        | RunEvent::RunRetryScheduled(_)
        | RunEvent::RunResolved(_) => return None,
    };
    Some((draft.stream.clone(), attempt))
}
