//! What can go wrong on the executor's side.

use std::io;
use std::path::{Path, PathBuf};

/// Something about an attempt could not be done. Says what was tried, on what, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// The operating system refused.
    #[error(
        "cannot {doing} {path}: {source}; check the disk and the permissions of the executor's directory"
    )]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The specification could not be run on any host.
    #[error("the attempt of run {run} cannot be prepared: {problem}; correct the job")]
    BadSpec {
        /// Whose.
        run: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The same run and attempt number was prepared before.
    #[error(
        "{0} exists: this attempt was prepared before; open it, or use the next attempt number"
    )]
    AlreadyPrepared(PathBuf),
    /// This process has given it to a supervisor before.
    #[error("{0} was started before by this executor; wait for it")]
    AlreadyStarted(PathBuf),
    /// A file of the directory is not what was written.
    #[error("{path} cannot be read: {source}; keep the directory and treat the run as unknown")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A claim that nobody of ours made.
    #[error(
        "{path} is claimed by {text:?}, which this version does not know; upgrade the executor"
    )]
    UnknownClaim {
        /// Which directory.
        path: PathBuf,
        /// What the claim's name says.
        text: String,
    },
    /// The supervisor could not be started.
    #[error(
        "cannot start the supervisor {program}: {source}; check that the executor's file is still there"
    )]
    NoSupervisor {
        /// The executable.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Removing the directory would lose the outcome.
    #[error("{0} belongs to a running command; cancel it and wait before removing it")]
    StillRunning(PathBuf),
    /// Leftovers that do not die.
    #[error(
        "{count} processes of {path} are still there after KILL; look for a hung disk or network mount"
    )]
    Undead {
        /// How many.
        count: usize,
        /// Whose.
        path: PathBuf,
    },
}

/// `map_err` argument for a failed operation on a path.
pub(crate) fn io_at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AttemptError {
    let path = path.to_owned();
    move |source| AttemptError::Io { doing, path, source }
}
