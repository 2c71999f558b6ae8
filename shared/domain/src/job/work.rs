//! What a job does that is no command, seen from the outside.

use super::definition::Kind;
use super::ordering::Claim;
use crate::backup::{
    BackupWork, CheckWork, CopyWork, PruneWork, RestoreTestWork, RestoreWork, RetentionWork,
};

/// The section of a job's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work<'a> {
    /// A new snapshot.
    Backup(&'a BackupWork),
    /// Copies of snapshots.
    Copy(&'a CopyWork),
    /// Reading a repository.
    Check(&'a CheckWork),
    /// Forgetting by rule.
    Retention(&'a RetentionWork),
    /// Freeing space.
    Prune(&'a PruneWork),
    /// A restore.
    Restore(&'a RestoreWork),
    /// A restore that is tried.
    RestoreTest(&'a RestoreTestWork),
}

impl<'a> Work<'a> {
    /// The kind of the job whose section it is.
    pub fn kind(self) -> Kind {
        match self {
            Self::Backup(_) => Kind::Backup,
            Self::Copy(_) => Kind::BackupCopy,
            Self::Check(_) => Kind::BackupCheck,
            Self::Retention(_) => Kind::Retention,
            Self::Prune(_) => Kind::Prune,
            Self::Restore(_) => Kind::Restore,
            Self::RestoreTest(_) => Kind::RestoreTest,
        }
    }

    /// The dataset it is about, where it is about one.
    pub fn dataset(self) -> Option<&'a str> {
        match self {
            Self::Backup(w) => Some(&w.dataset),
            Self::Copy(w) => Some(&w.dataset),
            Self::Retention(w) => Some(&w.dataset),
            Self::Restore(w) => Some(&w.dataset),
            Self::RestoreTest(w) => Some(&w.dataset),
            Self::Check(_) | Self::Prune(_) => None,
        }
    }

    /// The repositories it works on, the one it reads from first.
    pub fn repositories(self) -> Vec<&'a str> {
        match self {
            Self::Backup(w) => vec![&w.repository],
            Self::Copy(w) => vec![&w.from, &w.to],
            Self::Check(w) => vec![&w.repository],
            Self::Retention(w) => vec![&w.repository],
            Self::Prune(w) => vec![&w.repository],
            Self::Restore(w) => vec![&w.repository],
            Self::RestoreTest(w) => vec![&w.repository],
        }
    }

    /// The leases it needs: exclusive where it removes anything. Nobody else is let in then, because the engines take
    /// no locks, and what is removed under a backup's feet is a snapshot that cannot be restored.
    pub(super) fn leases(self) -> Vec<Claim> {
        let of = |name: &&str| match self {
            Self::Retention(_) | Self::Prune(_) => Claim::exclusive(name),
            Self::Backup(_)
            | Self::Copy(_)
            | Self::Check(_)
            | Self::Restore(_)
            | Self::RestoreTest(_) => Claim::shared(name),
        };
        self.repositories().iter().map(of).collect()
    }

    /// What is wrong with it: field and message.
    pub(super) fn problems(self) -> Vec<(&'static str, String)> {
        match self {
            Self::Backup(w) => w.problems(),
            Self::Copy(w) => w.problems(),
            Self::Check(w) => w.problems(),
            Self::Restore(w) => w.problems(),
            Self::RestoreTest(w) => w.problems(),
            Self::Retention(_) | Self::Prune(_) => Vec::new(),
        }
    }

    /// The names in it.
    pub(super) fn names(self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let dataset = self.dataset().map(|name| ("dataset", name));
        let repositories = self.repositories().into_iter().map(|name| ("repository", name));
        dataset.into_iter().chain(repositories)
    }
}
