//! What can happen next, and in which order it does.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use domain::ids::StreamId;
use domain::wire::{AppendAnswer, Heartbeat, Work};

/// Microseconds of true time since 1970.
pub type Micros = i64;

/// One millisecond.
pub(super) const MS: Micros = 1_000;
/// One second.
pub(super) const SECOND: Micros = 1_000_000;

/// A program on its own machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// A recorder.
    Recorder(usize),
    /// A scheduler.
    Scheduler(usize),
    /// An executor; its machine also runs the supervisors of its attempts.
    Executor(usize),
    /// The console.
    Console,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recorder(i) => write!(f, "recorder-{i}"),
            Self::Scheduler(i) => write!(f, "scheduler-{i}"),
            Self::Executor(i) => write!(f, "executor-{i}"),
            Self::Console => write!(f, "console"),
        }
    }
}

/// Run and number of an attempt.
pub(super) type AttemptKey = (StreamId, u32);

/// A message on the bus: may be lost, doubled, late, or out of order.
#[derive(Debug, Clone)]
pub(super) enum Message {
    /// A flush for the recorder.
    Append { from: Node, flush: usize, bytes: Rc<[u8]> },
    /// What became of it.
    Answer { flush: usize, answer: Rc<AppendAnswer> },
    /// The log has grown to this size.
    Feed { size: u64 },
    /// Somebody is there.
    Beat(Rc<Heartbeat>),
}

/// Something a program does by itself. It dies with the program's life.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Connect and read the state.
    Boot,
    /// Read the second part of the state, some time after the first.
    Load,
    /// Send what is in the journal and not committed.
    Pump,
    /// Ask the log for what is new, and again later.
    Poll,
    /// Ask the log for what is new, once.
    Fetch,
    /// The answer to a question about a job's past.
    Recall(String),
    /// The scheduler wakes; it asked for this instant.
    Wake(Micros),
    /// Say "I am there".
    Beat,
    /// Judge what arrived.
    Judge,
    /// Try to commit what was judged.
    Commit,
    /// Answer what was committed.
    Reply,
    /// Archive a segment that is full.
    Archive,
    /// Take work while there are slots.
    Pull,
    /// The claim is valid: start the process, or disown the attempt.
    Start(AttemptKey),
    /// Look at ended attempts.
    Reap,
    /// Ask whether something is to be cancelled.
    Watch,
    /// An occurrence has come that is the host's to decide.
    Alone,
    /// Start what the host has decided, whether anybody has answered or not.
    StartAlone(AttemptKey),
}

/// One step of the world.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A message arrives.
    Deliver { to: Node, message: Message },
    /// A program does something.
    Own { node: Node, life: u32, act: Act },
    /// An offer reaches the queue.
    Enqueue(Box<Work>),
    /// A program starts.
    Restart(Node),
    /// A partition ends.
    Heal(Node),
    /// A clock is set right.
    SetClock(Node, Micros),
    /// A process comes to its end.
    Ends { host: usize, boot: u32, key: AttemptKey },
    /// Something breaks.
    Chaos,
    /// People do something.
    People,
}

/// The steps to come, by time and then by the order in which they were planned.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    steps: BTreeMap<(Micros, u64), Step>,
    planned: u64,
}

impl Agenda {
    /// Plans a step.
    pub(super) fn add(&mut self, at: Micros, step: Step) {
        self.planned += 1;
        self.steps.insert((at, self.planned), step);
    }

    /// No message that is under way arrives.
    pub(super) fn lose_messages(&mut self) {
        self.steps.retain(|_, step| !matches!(step, Step::Deliver { .. }));
    }

    /// Takes the first step.
    pub(super) fn pop(&mut self) -> Option<(Micros, Step)> {
        self.steps.pop_first().map(|((at, _), step)| (at, step))
    }

    /// When the first step happens.
    pub(super) fn next(&self) -> Option<Micros> {
        self.steps.first_key_value().map(|((at, _), _)| *at)
    }
}
