//! What every operation has at hand: a place for its lines, a meter, and the word to stop.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::problem::Problem;
use crate::report::{Line, Outcome, ProblemKind, Progress, Warning};

/// Locks, also after a thread died while it held the lock: counters and lists stay usable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The word to stop, and the moment from which it comes too late.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    stage: Arc<Mutex<Stage>>,
    groups: Arc<Mutex<BTreeSet<u32>>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Working,
    Cancelled,
    Committed,
}

impl Cancel {
    /// Asks to stop; false when the snapshot was already written, so that it is too late.
    pub fn cancel(&self) -> bool {
        let mut stage = lock(&self.stage);
        if *stage == Stage::Working {
            *stage = Stage::Cancelled;
        }
        let cancelled = *stage == Stage::Cancelled;
        drop(stage);
        if cancelled {
            for group in lock(&self.groups).iter() {
                crate::child::end(*group, nix::sys::signal::Signal::SIGTERM);
            }
        }
        cancelled
    }

    /// A process group that has to end when it is asked to stop.
    pub(crate) fn add_group(&self, group: u32) {
        lock(&self.groups).insert(group);
        if self.is_cancelled() {
            crate::child::end(group, nix::sys::signal::Signal::SIGTERM);
        }
    }

    /// A process group that has ended.
    pub(crate) fn remove_group(&self, group: u32) {
        lock(&self.groups).remove(&group);
    }

    /// Whether it was asked to stop in time.
    pub fn is_cancelled(&self) -> bool {
        *lock(&self.stage) == Stage::Cancelled
    }

    /// Takes the right to write the snapshot: from now on the work is done to the end.
    pub(crate) fn commit(&self) -> bool {
        let mut stage = lock(&self.stage);
        if *stage == Stage::Working {
            *stage = Stage::Committed;
        }
        *stage == Stage::Committed
    }

    /// An error when it was asked to stop.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        if self.is_cancelled() {
            return Err(Problem::new(ProblemKind::Internal, CANCELLED));
        }
        Ok(())
    }
}

/// Why a cancelled operation did nothing more.
pub(crate) const CANCELLED: &str = "cancelled by a signal before the end: nothing was completed";

/// How far it is, written by many threads and read by one.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pub(crate) files: AtomicU64,
    pub(crate) bytes: AtomicU64,
    total: AtomicU64,
    at: Mutex<(String, Option<crate::path::FilePath>)>,
}

impl Meter {
    /// Begins a phase: counts start at zero.
    pub(crate) fn phase(&self, name: &str, total_bytes: u64) {
        *lock(&self.at) = (name.to_owned(), None);
        self.files.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        self.total.store(total_bytes, Ordering::Relaxed);
    }

    /// Counts a file.
    pub(crate) fn file(&self, path: &Path) {
        self.files.fetch_add(1, Ordering::Relaxed);
        lock(&self.at).1 = Some(path.into());
    }

    /// Counts bytes.
    pub(crate) fn bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What it shows now.
    pub(crate) fn progress(&self) -> Progress {
        let (phase, path) = lock(&self.at).clone();
        let total = self.total.load(Ordering::Relaxed);
        Progress {
            phase,
            files: self.files.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            total_bytes: (total > 0).then_some(total),
            path,
        }
    }
}

/// What every operation has at hand.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) lines: Sender<Line>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) cancel: Cancel,
    /// Whether this process may be started once more as a guardian.
    pub(crate) guarded: bool,
}

impl Context {
    /// Writes a line; nobody listening is no error.
    pub(crate) fn line(&self, line: Line) {
        let _ = self.lines.send(line);
    }

    /// Says something a person should know.
    pub(crate) fn warn(&self, path: Option<&Path>, message: impl Into<String>) {
        self.line(Line::Warning(Warning { path: path.map(Into::into), message: message.into() }));
    }
}

/// How a request ended, as an exit code.
#[must_use]
pub fn exit_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Good => 0,
        Outcome::Failed => 1,
        Outcome::Incomplete => 3,
        Outcome::Cancelled => 130,
    }
}
