//! What an executor has to say after an attempt, given what the log knows already. An executor that is killed between
//! two events asks again and says the rest; nothing is said twice.

use jiff::Timestamp;

use super::anomaly::unusual;
use super::record::{Dataset, ORPHANS_KEPT, Snapshot};
use crate::canonical::Digest;
use crate::event::{
    BackupAnomalyFound, BackupEvent, BackupOrphanFound, BackupSnapshotFound, BackupSnapshotMissing,
    Seer,
};

/// A snapshot as the engine found it in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Its name.
    pub snapshot: Digest,
    /// The run that made it, as its tag says.
    pub of_run: Option<String>,
}

/// Whether the log knows this already.
pub fn is_said(dataset: &Dataset, event: &BackupEvent) -> bool {
    match event {
        BackupEvent::BackupSnapshotCreated(e) => is_known(dataset, &e.repository, e.snapshot),
        BackupEvent::BackupCopied(e) => is_known(dataset, &e.to, e.snapshot),
        BackupEvent::BackupVerified(e) => has_check(dataset, &e.by, &e.repository),
        BackupEvent::BackupCheckFailed(e) => has_check(dataset, &e.by, &e.repository),
        BackupEvent::BackupRestored(e) => {
            let same =
                |one: &super::record::Restore| (&one.run, one.attempt) == (&e.by.run, e.by.attempt);
            dataset.restores.iter().any(same)
        }
        BackupEvent::RestoreTested(e) => dataset.tests.iter().any(|one| one.result.by == e.by),
        BackupEvent::BackupForgotten(e) => e.snapshots.iter().all(|id| {
            is_known(dataset, &e.repository, *id) && dataset.snapshot(&e.repository, *id).is_none()
        }),
        BackupEvent::BackupOrphanFound(e) => {
            let same = |one: &super::record::Orphan| {
                one.repository == e.repository && one.id == e.snapshot
            };
            dataset.orphans.iter().any(same) || is_known(dataset, &e.repository, e.snapshot)
        }
        BackupEvent::BackupSnapshotMissing(e) => {
            dataset.snapshot(&e.repository, e.snapshot).is_none_or(|one| one.missing.is_some())
        }
        BackupEvent::BackupSnapshotFound(e) => {
            dataset.snapshot(&e.repository, e.snapshot).is_none_or(|one| one.missing.is_none())
        }
        BackupEvent::BackupAnomalyFound(e) => dataset
            .snapshot(&e.repository, e.snapshot)
            .is_none_or(|one| one.unusual.contains(&e.what)),
        BackupEvent::BackupForgetRequested(_)
        | BackupEvent::BackupForgetApproved(_)
        | BackupEvent::BackupForgetDeclined(_)
        | BackupEvent::BackupHeld(_)
        | BackupEvent::BackupHoldEnded(_)
        | BackupEvent::BackupLookedInto(_)
        | BackupEvent::RestoreCertified(_)
        | BackupEvent::DatasetAtRisk(_)
        | BackupEvent::DatasetProtected(_)
        | BackupEvent::BackupPruned(_)
        | BackupEvent::BackupChecked(_) => false,
    }
}

/// Whether the log has heard of this snapshot, forgotten or not.
pub(super) fn is_known(dataset: &Dataset, repository: &str, id: Digest) -> bool {
    let forgotten = dataset.forgotten.iter();
    dataset.snapshot(repository, id).is_some()
        || forgotten.clone().any(|one| one.repository == repository && one.id == id)
}

fn has_check(dataset: &Dataset, by: &Seer, repository: &str) -> bool {
    let same = |one: &super::record::Check| {
        (&one.run, one.attempt, &one.engine) == (&by.run, by.attempt, &by.engine)
            && one.repository == repository
    };
    dataset.checks.iter().any(same)
}

/// What a listing of the repository tells that the log does not know: snapshots it never heard of, and such as are not
/// there any more, or there again. What was forgotten and is still there is neither: see [`leftovers`]. What the log
/// heard of after the listing began (`listed`) cannot be missing from it. Of very many orphans the first are said.
pub fn compare(
    dataset: &Dataset,
    repository: &str,
    present: &[Present],
    listed: Timestamp,
    by: &Seer,
) -> Vec<BackupEvent> {
    let room = ORPHANS_KEPT.saturating_sub(dataset.orphans.len());
    let new = |one: &&Present| {
        let noted = dataset.orphans.iter();
        !is_known(dataset, repository, one.snapshot)
            && !noted.clone().any(|o| o.repository == repository && o.id == one.snapshot)
    };
    let orphans = present.iter().filter(new).take(room);
    let orphans = orphans.map(|one| {
        BackupEvent::BackupOrphanFound(BackupOrphanFound {
            by: by.clone(),
            repository: repository.to_owned(),
            snapshot: one.snapshot,
            of_run: one.of_run.clone(),
        })
    });
    let is_there = |one: &Snapshot| present.iter().any(|p| p.snapshot == one.id);
    let back = dataset.in_repository(repository);
    let back = back.filter(|one| one.missing.is_some() && is_there(one)).map(|one| {
        BackupEvent::BackupSnapshotFound(BackupSnapshotFound {
            by: by.clone(),
            repository: repository.to_owned(),
            snapshot: one.id,
        })
    });
    let gone = dataset.in_repository(repository);
    let gone = gone.filter(|one| one.heard < listed && !is_there(one));
    let gone = gone.map(|one| {
        BackupEvent::BackupSnapshotMissing(BackupSnapshotMissing {
            by: by.clone(),
            repository: repository.to_owned(),
            snapshot: one.id,
        })
    });
    orphans.chain(back).chain(gone).filter(|event| !is_said(dataset, event)).collect()
}

/// Snapshots that were forgotten in the log; where they are still in the repository, they are to be removed.
pub fn leftovers(dataset: &Dataset, repository: &str) -> Vec<Digest> {
    let of = dataset.forgotten.iter().filter(|one| one.repository == repository);
    of.map(|one| one.id).collect()
}

/// What is unusual about a snapshot the log knows.
pub fn anomalies(dataset: &Dataset, repository: &str, id: Digest, by: &Seer) -> Vec<BackupEvent> {
    let Some(one) = dataset.snapshot(repository, id).filter(|one| one.errors == 0) else {
        return Vec::new();
    };
    let at: Timestamp = one.at;
    let found = unusual(&one.measure, at, repository, &dataset.sizes);
    let events = found.into_iter().map(|anomaly| {
        BackupEvent::BackupAnomalyFound(BackupAnomalyFound {
            by: by.clone(),
            repository: repository.to_owned(),
            snapshot: id,
            what: anomaly.what,
            value: anomaly.value,
            usual: anomaly.usual,
            of: anomaly.of,
        })
    });
    events.filter(|event| !is_said(dataset, event)).collect()
}
