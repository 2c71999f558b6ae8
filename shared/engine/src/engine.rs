//! What every engine can be asked.

use crate::problem::Problem;
use crate::report::{Done, Outcome, ProblemKind};
use crate::request::{
    Backup, Browse, Check, Copy, Diff, Find, Forget, List, ManifestOf, Operation, Prune, Restore,
};

/// What was done, and whether that is all that was asked.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) done: Done,
    pub(crate) outcome: Outcome,
    pub(crate) problem: Option<Problem>,
}

impl Ended {
    /// Everything asked for is done.
    pub(crate) fn good(done: Done) -> Self {
        Self { done, outcome: Outcome::Good, problem: None }
    }

    /// Something is to be said about what was done.
    pub(crate) fn with(
        done: Done,
        outcome: Outcome,
        kind: ProblemKind,
        message: impl Into<String>,
    ) -> Self {
        Self { done, outcome, problem: Some(Problem::new(kind, message)) }
    }
}

/// What was done, or why nothing was.
pub(crate) type Answer = Result<Ended, Problem>;

/// One who reads and writes a repository.
pub(crate) trait BackupEngine {
    /// Its name and version.
    fn name(&self) -> String;
    /// Creates the repository.
    fn init(&self) -> Answer;
    /// Writes a snapshot.
    fn backup(&self, asked: &Backup) -> Answer;
    /// Names the snapshots.
    fn list(&self, asked: &List) -> Answer;
    /// Verifies the repository.
    fn check(&self, asked: &Check) -> Answer;
    /// Brings a snapshot back.
    fn restore(&self, asked: &Restore) -> Answer;
    /// Removes snapshots.
    fn forget(&self, asked: &Forget) -> Answer;
    /// Removes data no snapshot uses.
    fn prune(&self, asked: &Prune) -> Answer;
    /// Brings the index up to date.
    fn repair(&self) -> Answer;
    /// Copies snapshots into another repository.
    fn copy(&self, asked: &Copy) -> Answer;
    /// Lists a directory.
    fn browse(&self, asked: &Browse) -> Answer;
    /// Finds files.
    fn find(&self, asked: &Find) -> Answer;
    /// Compares two snapshots.
    fn diff(&self, asked: &Diff) -> Answer;
    /// Reads a manifest back.
    fn manifest(&self, asked: &ManifestOf) -> Answer;

    /// Does what is asked.
    fn carry_out(&self, operation: &Operation) -> Answer {
        match operation {
            Operation::Init => self.init(),
            Operation::Backup(asked) => self.backup(asked),
            Operation::List(asked) => self.list(asked),
            Operation::Check(asked) => self.check(asked),
            Operation::Restore(asked) => self.restore(asked),
            Operation::Forget(asked) => self.forget(asked),
            Operation::Prune(asked) => self.prune(asked),
            Operation::Repair => self.repair(),
            Operation::Copy(asked) => self.copy(asked),
            Operation::Browse(asked) => self.browse(asked),
            Operation::Find(asked) => self.find(asked),
            Operation::Diff(asked) => self.diff(asked),
            Operation::Manifest(asked) => self.manifest(asked),
        }
    }
}
