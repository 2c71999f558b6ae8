//! A host: its disk, and the supervisors that look after processes while the executor is away.

use std::collections::{BTreeMap, BTreeSet};

use domain::event::{AttemptReport, CommandEnd};
use domain::executor::Cause;
use domain::job::JobDefinition;
use domain::run::Run;
use domain::wire::Work;
use jiff::Timestamp;

use super::step::{AttemptKey, MS, Micros, SECOND, Step};
use super::{Node, World, host_name};

/// An attempt's directory.
#[derive(Debug)]
pub(super) struct Attempt {
    /// The offer that was taken.
    pub(super) work: Work,
    /// The definition it holds.
    pub(super) definition: JobDefinition,
    /// When the claim was drafted, by the host's clock.
    pub(super) drafted: Timestamp,
    /// Where it stands.
    pub(super) phase: Phase,
    /// The run and its version as the executor saw them last.
    pub(super) seen: Option<(Run, u64)>,
}

/// Where an attempt stands, as its directory tells it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    /// The directory is there; the process is not.
    Prepared,
    /// A supervisor looks after the process.
    Runs(Process),
    /// The supervisor wrote down how it ended.
    Ended(Process, CommandEnd, Timestamp),
    /// Nobody looks after it, and nobody wrote anything down.
    Vanished,
}

/// A process under its supervisor.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Process {
    /// When it began, by the host's clock.
    pub(super) began: Timestamp,
    /// What its end will be.
    code: i32,
    /// Why it ends.
    pub(super) cause: Cause,
}

/// A host.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// Directories of attempts.
    pub(super) attempts: BTreeMap<AttemptKey, Attempt>,
    /// Attempts that were ever taken to the end here. Kept so that an offer that comes back is known.
    pub(super) done: BTreeSet<AttemptKey>,
    /// Leave to decide jobs' occurrences.
    pub(super) leaves: super::alone::Leaves,
    /// Counts its boots.
    boot: u32,
}

impl Host {
    /// The attempts whose processes run.
    pub(super) fn alive(&self) -> impl Iterator<Item = &AttemptKey> {
        let runs =
            |(key, attempt): (_, &Attempt)| matches!(attempt.phase, Phase::Runs(_)).then_some(key);
        self.attempts.iter().filter_map(runs)
    }
}

impl Attempt {
    /// What the host saw, once it has ended.
    pub(super) fn report(&self, host: usize) -> Option<(AttemptReport, Cause)> {
        let Phase::Ended(process, end, ended) = &self.phase else { return None };
        let (began, ended, end) = (process.began, *ended, end.clone());
        let (attempt, host) = (self.work.attempt, host_name(host));
        let report = AttemptReport {
            attempt,
            host,
            end,
            began,
            ended,
            output: None,
            killed: 0,
            text: None,
            artefacts: Vec::new(),
        };
        Some((report, process.cause.clone()))
    }
}

impl World {
    /// Starts the process of a prepared attempt, under a supervisor. It is one step on disk.
    pub(super) fn start_process(&mut self, host: usize, key: &AttemptKey) {
        if let Err(trouble) = super::check::may_start(self, host, key) {
            return self.wrong(trouble);
        }
        self.auditor.started.insert(key.clone(), host);
        let began = self.clock(Node::Executor(host));
        let Some(attempt) = self.hosts[host].attempts.get(key) else { return };
        let timeout =
            attempt.definition.timeout.map(|t| i64::try_from(t.millis()).unwrap_or(0) * 1_000);
        let (length, code) = self.how_it_goes(timeout.is_some());
        let in_time = timeout.is_none_or(|timeout| length < timeout);
        let (length, cause) = match timeout {
            Some(timeout) if !in_time => (timeout, Cause::Timeout(timeout.unsigned_abs() / 1_000)),
            Some(_) | None => (length, Cause::Own),
        };
        self.set_phase(host, key, Phase::Runs(Process { began, code, cause }));
        self.say(|| format!("h{host} starts {}#{}", key.0, key.1));
        let boot = self.hosts[host].boot;
        self.plan(length, Step::Ends { host, boot, key: key.clone() });
    }

    /// How long the process would take, and what it would exit with.
    fn how_it_goes(&mut self, bounded: bool) -> (Micros, i32) {
        if let Some(millis) = self.takes {
            return (millis * MS, 0);
        }
        let chaos = &self.chaos;
        let (hangs, fails) = (chaos.hangs, chaos.fails);
        if bounded && self.rng.chance(hangs) {
            return (100_000 * SECOND, 0);
        }
        let code = if self.rng.chance(fails) { self.rng.pick(&[1, 2, 75]) } else { 0 };
        let longest = if self.rng.chance(1_000) { 60 } else { 12 };
        (self.rng.between(SECOND / 10, longest * SECOND), code)
    }

    /// The process ends by itself or by its timeout; its supervisor writes that down.
    pub(super) fn process_ends(&mut self, host: usize, boot: u32, key: &AttemptKey) {
        if self.hosts[host].boot != boot {
            return;
        }
        let Some(attempt) = self.hosts[host].attempts.get(key) else { return };
        let Phase::Runs(process) = attempt.phase.clone() else { return };
        let end = match process.cause {
            Cause::Own => CommandEnd::Exited { code: process.code },
            Cause::Timeout(_) | Cause::Cancelled(_) | Cause::OutputLimit(_) | Cause::Memory(_) => {
                CommandEnd::Signaled { signal: 15 }
            }
        };
        self.say(|| format!("h{host} sees {}#{} end: {end:?}", key.0, key.1));
        let ended = self.clock(Node::Executor(host));
        self.set_phase(host, key, Phase::Ended(process, end, ended));
        self.auditor.ended.insert(key.clone());
        self.note_ended(host, key);
    }

    /// Somebody wants the process to stop: it does so within its grace.
    pub(super) fn stop_process(&mut self, host: usize, key: &AttemptKey, reason: &str) {
        let Some(attempt) = self.hosts[host].attempts.get_mut(key) else { return };
        let Phase::Runs(process) = &mut attempt.phase else { return };
        if matches!(process.cause, Cause::Cancelled(_)) {
            return;
        }
        process.cause = Cause::Cancelled(reason.to_owned());
        let boot = self.hosts[host].boot;
        let after = self.rng.between(SECOND / 100, 3 * SECOND);
        self.plan(after, Step::Ends { host, boot, key: key.clone() });
    }

    /// An attempt that is not started after all: that too is an end.
    pub(super) fn disown(&mut self, host: usize, key: &AttemptKey, message: &str) {
        let now = self.clock(Node::Executor(host));
        let process = Process { began: now, code: 0, cause: Cause::Own };
        let end = CommandEnd::NotStarted { message: message.to_owned() };
        self.say(|| format!("h{host} disowns {}#{}: {message}", key.0, key.1));
        self.set_phase(host, key, Phase::Ended(process, end, now));
    }

    pub(super) fn set_phase(&mut self, host: usize, key: &AttemptKey, phase: Phase) {
        if let Some(attempt) = self.hosts[host].attempts.get_mut(key) {
            attempt.phase = phase;
        }
    }

    /// The machine loses power: executor, supervisors and processes are gone, the disk stays.
    pub fn power_loss(&mut self, host: usize, dark: i64) {
        self.say(|| format!("h{host} loses power"));
        self.hosts[host].boot += 1;
        for attempt in self.hosts[host].attempts.values_mut() {
            if matches!(attempt.phase, Phase::Runs(_)) {
                attempt.phase = Phase::Vanished;
            }
        }
        self.crash(Node::Executor(host), dark);
    }
}
