//! The adapter to an installed program restic: a second implementation of the same format.
//!
//! From 0.17 on it does everything; versions from 0.14 on read and check, and refuse the rest with a sentence.
//!
//! What is guaranteed of a backup, although restic tells little of what it reads:
//!
//! - What is saved is what our own walk saw (`source`), and the snapshot is looked through beside it (`settle`): what
//!   is missing is named, and makes the backup incomplete. restic's own errors and its exit code count as well.
//! - The manifest says what is in the snapshot: types, sizes and times as the snapshot has them, and hashes of our own
//!   reading that are proved to be of what restic read by the file's stamp, or else asked of the repository (`hashes`).
//!   What we cannot see is a restic that stores other bytes than it read; a restore test, and the engine built in where
//!   the repository asks for a second opinion, compare the bytes.
//!   The tree's id is restic's: it covers the directories above the paths with their times, which ours does not.
//! - A command's output is complete or there is no snapshot of it (`run`, `dump`); it is hashed on its way and, where
//!   all is to be read back, read back whole.
//! - What the run wrote is read again as far as asked (`packs`), and restic checks the structure of everything.
//! - A cancelled or failed backup leaves no snapshot; a restic that is killed leaves a dead lock, by which the next one
//!   knows that there are packs to take over (`upkeep`). restic does not outlive us where a guardian can be started.
//!
//! | module | about |
//! |---|---|
//! | `program` | calling it: version, environment, errors |
//! | `run`, `dump` | one backup; data that comes from us |
//! | `source`, `settle`, `hashes` | what is to be saved; what is in the snapshot; how it hashes |
//! | `packs` | reading again what was written |
//! | `backup`, `copy`, `upkeep`, `read`, `look`, `nodes` | the operations |

mod backup;
mod copy;
mod dump;
mod hashes;
mod look;
mod nodes;
mod packs;
mod program;
mod read;
mod run;
mod settle;
mod source;
mod upkeep;

pub(crate) use program::Program;

use crate::context::Context;
use crate::engine::{Answer, BackupEngine};
use crate::problem::Problem;
use crate::report::CheckReport;
use crate::request::{
    Backup, Browse, Check, Copy, Diff, Find, Forget, List, ManifestOf, Prune, Repository, Restore,
    Secrets,
};

/// An installed restic, on one repository.
pub(crate) struct Restic<'a> {
    repository: &'a Repository,
    secrets: &'a Secrets,
    program: Program,
    context: Context,
}

impl<'a> Restic<'a> {
    /// Looks for the program and asks its version, once.
    pub(crate) fn find(
        repository: &'a Repository,
        secrets: &'a Secrets,
        context: Context,
    ) -> Result<Self, Problem> {
        let program = Program::find(repository, secrets, context.clone())?;
        Ok(Self { repository, secrets, program, context })
    }

    /// What restic finds when it reads as many bytes as asked, beside a lease that is held.
    pub(crate) fn second(&self, bytes: u64) -> Result<CheckReport, Problem> {
        read::second(self, bytes)
    }
}

impl BackupEngine for Restic<'_> {
    fn name(&self) -> String {
        self.program.name()
    }

    fn init(&self) -> Answer {
        upkeep::init(self)
    }

    fn backup(&self, asked: &Backup) -> Answer {
        backup::backup(self, asked)
    }

    fn list(&self, asked: &List) -> Answer {
        read::list(self, asked)
    }

    fn check(&self, asked: &Check) -> Answer {
        read::check(self, asked)
    }

    fn restore(&self, asked: &Restore) -> Answer {
        read::restore(self, asked)
    }

    fn forget(&self, asked: &Forget) -> Answer {
        upkeep::forget(self, asked)
    }

    fn prune(&self, asked: &Prune) -> Answer {
        upkeep::prune(self, asked)
    }

    fn repair(&self) -> Answer {
        upkeep::repair(self)
    }

    fn copy(&self, asked: &Copy) -> Answer {
        copy::copy(self, asked)
    }

    fn browse(&self, asked: &Browse) -> Answer {
        look::browse(self, asked)
    }

    fn find(&self, asked: &Find) -> Answer {
        look::find(self, asked)
    }

    fn diff(&self, asked: &Diff) -> Answer {
        look::diff(self, asked)
    }

    fn manifest(&self, asked: &ManifestOf) -> Answer {
        look::manifest(self, asked)
    }
}
