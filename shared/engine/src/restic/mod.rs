//! The adapter to an installed program restic: a second implementation of the same format.
//!
//! It lists, checks and restores with every version from 0.14 on. It writes nothing: that is the
//! work of the engine built in, whose repositories restic reads.

mod program;
mod read;

pub(crate) use program::Program;

use crate::context::Context;
use crate::engine::{Answer, BackupEngine};
use crate::problem::Problem;
use crate::report::{CheckReport, ProblemKind};
use crate::request::{
    Backup, Browse, Check, Copy, Diff, Find, Forget, List, ManifestOf, Prune, Repository, Restore,
    Secrets,
};

/// An installed restic, on one repository.
pub(crate) struct Restic<'a> {
    repository: &'a Repository,
    program: Program,
    context: Context,
}

impl<'a> Restic<'a> {
    /// Looks for the program and asks its version, once.
    pub(crate) fn find(
        repository: &'a Repository,
        secrets: &Secrets,
        context: Context,
    ) -> Result<Self, Problem> {
        let program = Program::find(repository, secrets, context.cancel.clone())?;
        Ok(Self { repository, program, context })
    }

    /// What restic finds when it reads as many bytes as asked, beside a lease that is held.
    pub(crate) fn second(&self, bytes: u64) -> Result<CheckReport, Problem> {
        read::second(self, bytes)
    }

    fn refused(&self, what: &str) -> Answer {
        let message = format!(
            "{what} with the engine restic: this build only lists, checks and restores with it; \
             set `engine: rustic` (restic reads what it writes)"
        );
        Err(Problem::new(ProblemKind::Unsupported, message))
    }
}

impl BackupEngine for Restic<'_> {
    fn name(&self) -> String {
        self.program.name()
    }

    fn init(&self) -> Answer {
        self.refused("creating a repository")
    }

    fn backup(&self, _asked: &Backup) -> Answer {
        self.refused("backing up")
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

    fn forget(&self, _asked: &Forget) -> Answer {
        self.refused("forgetting snapshots")
    }

    fn prune(&self, _asked: &Prune) -> Answer {
        self.refused("pruning")
    }

    fn repair(&self) -> Answer {
        self.refused("repairing")
    }

    fn copy(&self, _asked: &Copy) -> Answer {
        self.refused("copying")
    }

    fn browse(&self, _asked: &Browse) -> Answer {
        self.refused("browsing")
    }

    fn find(&self, _asked: &Find) -> Answer {
        self.refused("finding files")
    }

    fn diff(&self, _asked: &Diff) -> Answer {
        self.refused("comparing snapshots")
    }

    fn manifest(&self, _asked: &ManifestOf) -> Answer {
        self.refused("reading a manifest")
    }
}
