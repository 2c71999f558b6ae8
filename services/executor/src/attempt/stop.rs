//! Ending a command and all it started: the stop ladder, and what is left when a command has ended.
//!
//! Knows nothing of clocks and pipes: it is told the time, and says when it wants to be told again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::cgroup::Group;
use super::proc::{self, Proc};
use super::spec::Stop;
use super::status::{Cause, Killed};

/// What a command leaves in the background may end by itself for so long. Long enough for a helper that
/// ends because its command did (`exec > >(tee log)`), too short for anybody to rely on.
pub const LINGER: Duration = Duration::from_millis(200);

/// How long killed leftovers may take to be gone before they are reported as staying. (The command
/// itself is waited for without end: as long as it is there, it runs.)
const GIVE_UP: Duration = Duration::from_secs(10);

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How far the ending has come.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// The command runs, and may.
    Watching,
    /// Everything was asked to end.
    Asked { kill_at: Instant },
    /// The command ended by itself; others it started are still there.
    Lingering { kill_at: Instant },
    /// Everything is killed, again and again: what forks fast enough escapes a single round.
    Killing { again_at: Instant, pause: Duration, give_up_at: Instant },
    /// Something does not die.
    GaveUp,
}

/// The ending of one command.
pub(crate) struct Ladder<'a> {
    command: i32,
    /// The command has been waited for: its number and its group may belong to others now.
    ended: bool,
    stop: &'a Stop,
    group: Option<&'a Group>,
    begun: Instant,
    timeout: Option<Instant>,
    stage: Stage,
    cause: Cause,
    killed: BTreeMap<i32, Killed>,
    steps: Vec<String>,
}

impl<'a> Ladder<'a> {
    pub(crate) fn new(
        command: u32,
        stop: &'a Stop,
        group: Option<&'a Group>,
        begun: Instant,
        timeout: Option<Duration>,
    ) -> Self {
        Self {
            command: command.cast_signed(),
            ended: false,
            stop,
            group,
            begun,
            timeout: timeout.and_then(|limit| begun.checked_add(limit)),
            stage: Stage::Watching,
            cause: Cause::Own,
            killed: BTreeMap::new(),
            steps: Vec::new(),
        }
    }

    /// When [`Ladder::step`] wants to be called.
    pub(crate) fn due(&self) -> Option<Instant> {
        match self.stage {
            Stage::Watching => self.timeout,
            Stage::Asked { kill_at } | Stage::Lingering { kill_at } => Some(kill_at),
            Stage::Killing { again_at, .. } => Some(again_at),
            Stage::GaveUp => None,
        }
    }

    /// Does what is due.
    pub(crate) fn step(&mut self, now: Instant) {
        if self.due().is_none_or(|due| due > now) {
            return;
        }
        match self.stage {
            Stage::Watching => self.ask(Cause::Timeout, now),
            Stage::Asked { .. } => {
                self.note(now, format!("KILL, {} ms of grace being over", self.stop.grace_ms));
                self.kill(now, FIRST_PAUSE, now + GIVE_UP);
            }
            Stage::Lingering { .. } => {
                self.note(now, "KILL to what the command left behind".into());
                self.kill(now, FIRST_PAUSE, now + GIVE_UP);
            }
            Stage::Killing { give_up_at, .. } if self.ended && give_up_at <= now => {
                self.give_up(now);
            }
            Stage::Killing { pause, give_up_at, .. } => {
                self.kill(now, LONGEST_PAUSE.min(pause * 2), give_up_at);
            }
            Stage::GaveUp => {}
        }
    }

    /// Begins the ladder, unless it has begun or the command has ended by itself.
    pub(crate) fn ask(&mut self, cause: Cause, now: Instant) {
        if !matches!(self.stage, Stage::Watching) {
            return;
        }
        let grace = Duration::from_millis(self.stop.grace_ms);
        self.stage = Stage::Asked { kill_at: now.checked_add(grace).unwrap_or(now) };
        let why = match &cause {
            Cause::Own => "",
            Cause::Timeout => "timeout",
            Cause::Cancelled { .. } => "cancelled",
            Cause::OutputLimit => "too much output",
            Cause::Memory => "too much memory",
        };
        self.cause = cause;
        // A name nobody knows was refused before anything was started.
        let signal = self.stop.signal().unwrap_or(Signal::SIGTERM);
        let reached = self.tell_all(signal);
        self.note(now, format!("{signal} to {reached} processes: {why}"));
    }

    /// The signal, and the permission to act on it for those that are stopped.
    fn tell_all(&self, signal: Signal) -> usize {
        let all = proc::descendants(std::process::id().cast_signed());
        self.tell_group(signal);
        for outside in all.iter().filter(|proc| proc.group != self.command) {
            let _may_be_gone = outside.signal(signal);
            let _may_be_gone = outside.signal(Signal::SIGCONT);
        }
        self.tell_group(Signal::SIGCONT);
        all.len()
    }

    /// Reaches also what is being forked at this moment.
    fn tell_group(&self, signal: Signal) {
        if !self.ended {
            let _may_be_empty = killpg(Pid::from_raw(self.command), signal);
        }
    }

    /// The command has been waited for.
    pub(crate) fn command_ended(&mut self, now: Instant) {
        self.ended = true;
        if matches!(self.stage, Stage::Watching) {
            self.stage = Stage::Lingering { kill_at: now + LINGER };
        }
    }

    /// Some process has ended: those below it are ours now, and can be found at once.
    pub(crate) fn some_ended(&mut self, now: Instant) {
        if let Stage::Killing { again_at, .. } = &mut self.stage {
            *again_at = now;
        }
    }

    fn kill(&mut self, now: Instant, pause: Duration, give_up_at: Instant) {
        let left = proc::descendants(std::process::id().cast_signed());
        let others = left.iter().filter(|proc| proc.pid != self.command);
        self.killed.extend(others.map(|proc| (proc.pid, proc.killed())));
        if let Some(group) = self.group {
            group.kill();
        }
        self.tell_group(Signal::SIGKILL);
        for proc in &left {
            let _reported_when_giving_up = proc.signal(Signal::SIGKILL);
        }
        self.stage = Stage::Killing { again_at: now + pause, pause, give_up_at };
    }

    fn give_up(&mut self, now: Instant) {
        let left = proc::descendants(std::process::id().cast_signed());
        let name = |proc: &Proc| format!("{} ({})", proc.pid, proc.comm);
        let names: Vec<String> = left.iter().map(name).collect();
        self.note(now, format!("still there after KILL, and left: {}", names.join(", ")));
        self.stage = Stage::GaveUp;
    }

    /// Whether something was left that does not die.
    pub(crate) fn gave_up(&self) -> bool {
        matches!(self.stage, Stage::GaveUp)
    }

    /// Writes down what was done, or could not be.
    pub(crate) fn note(&mut self, now: Instant, what: String) {
        let after = now.saturating_duration_since(self.begun).as_secs_f64();
        self.steps.push(format!("after {after:.3} s: {what}"));
    }

    pub(crate) fn finish(self) -> (Cause, Vec<Killed>, Vec<String>) {
        (self.cause, self.killed.into_values().collect(), self.steps)
    }
}
