//! What is known of a dataset and of a repository, as their events tell it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::anomaly::Size;
use crate::canonical::Digest;
use crate::event::{
    BackupCheckFailed, BackupCopied, BackupEvent, BackupSnapshotCreated, BackupVerified,
    ManifestRef, Measure, RestoreCertified, RestoreTested, RiskReason, Seer, Unusual,
};
use crate::ids::StreamId;
use crate::site::Defined;

/// Most snapshots of one dataset that are not forgotten, in all repositories together.
pub const SNAPSHOTS_MAX: usize = 500;
/// How many forgotten snapshots are remembered, to know them again where they are still in the repository.
const FORGOTTEN_KEPT: usize = SNAPSHOTS_MAX + 100;
/// How many restores, tests and sizes are remembered.
const KEPT: usize = 20;
/// How many snapshots without an event are remembered.
pub(crate) const ORPHANS_KEPT: usize = 100;

/// A dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dataset {
    /// Its definitions.
    pub defined: Defined,
    /// Its snapshots that are not forgotten, in the order of the log.
    #[serde(default)]
    pub snapshots: Vec<Snapshot>,
    /// What was forgotten, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<Forgotten>,
    /// What repositories hold of it that the log does not know, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orphans: Vec<Orphan>,
    /// How large its newest snapshots were, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<Size>,
    /// Its newest restore tests, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<Test>,
    /// Its newest restores, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restores: Vec<Restore>,
    /// Its newest checks, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// Why it is at risk, and since when, as far as that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_risk: Option<AtRisk>,
    /// What somebody wants forgotten that the rule keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<ForgetRequest>,
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The repository.
    pub repository: String,
    /// Its name there.
    pub id: Digest,
    /// The run that made it.
    pub run: StreamId,
    /// The host whose data it is.
    pub host: String,
    /// How old its data is: when reading began, and not later than the log heard of it.
    pub taken: Timestamp,
    /// When the log heard of it; of a copy, of its original. Retention goes by this: nobody can date it back.
    pub at: Timestamp,
    /// When the log heard of it here: of a copy, of the copy.
    pub heard: Timestamp,
    /// Its numbers.
    pub measure: Measure,
    /// What could not be read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub errors: u64,
    /// What is in it.
    pub manifest: ManifestRef,
    /// Tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The repository and snapshot it is a copy of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<(String, Digest)>,
    /// When a check last found it whole, as far as it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Timestamp>,
    /// When a check found that so many of its files are damaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damaged: Option<(Timestamp, u64)>,
    /// When it was found not to be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Timestamp>,
    /// It is kept whatever the rule says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// What was found unusual about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unusual: Vec<Unusual>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Snapshot {
    /// Whether all of it can be restored, as far as is known.
    pub fn is_good(&self) -> bool {
        self.errors == 0 && self.damaged.is_none() && self.missing.is_none()
    }

    /// The hold that is in force.
    pub fn held(&self, now: Timestamp) -> Option<&Hold> {
        self.hold.as_ref().filter(|hold| hold.until.is_none_or(|until| now < until))
    }
}

/// A legal hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Why.
    pub reason: String,
    /// Until when; `None` for as long as nobody ends it.
    pub until: Option<Timestamp>,
    /// Who said so.
    pub by: Option<String>,
}

/// A snapshot that counts no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// The repository.
    pub repository: String,
    /// Its name there.
    pub id: Digest,
    /// The repository and snapshot it was a copy of: it is not copied again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<(String, Digest)>,
    /// When.
    pub at: Timestamp,
}

/// A snapshot the log did not hear of when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphan {
    /// The repository.
    pub repository: String,
    /// Its name there.
    pub id: Digest,
    /// When it was found.
    pub at: Timestamp,
}

/// A restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// The run.
    pub run: StreamId,
    /// Number of its attempt.
    pub attempt: u32,
    /// The snapshot.
    pub snapshot: Digest,
    /// When.
    pub at: Timestamp,
    /// Bytes.
    pub bytes: u64,
    /// How long it took, milliseconds.
    pub took_ms: u64,
}

/// A restore test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    /// The run.
    pub run: StreamId,
    /// When.
    pub at: Timestamp,
    /// What came of it.
    pub result: RestoreTested,
    /// Who asked for it; `None` where a schedule did.
    pub asked_by: Option<String>,
    /// Who certified it, when, and in which words.
    pub certified: Option<(String, Timestamp, RestoreCertified)>,
}

/// A check of what a repository holds of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The run.
    pub run: StreamId,
    /// Number of its attempt.
    pub attempt: u32,
    /// The engine.
    pub engine: String,
    /// The repository.
    pub repository: String,
    /// When.
    pub at: Timestamp,
    /// Whether all was whole.
    pub good: bool,
}

/// It is at risk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtRisk {
    /// Why.
    pub reason: RiskReason,
    /// When the log heard of it.
    pub since: Timestamp,
}

/// Somebody wants snapshots forgotten that the rule keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetRequest {
    /// Its place in the dataset's stream.
    pub number: u64,
    /// The repository.
    pub repository: String,
    /// Which.
    pub snapshots: Vec<Digest>,
    /// Why.
    pub reason: String,
    /// Who asked.
    pub by: Option<String>,
    /// Who agreed.
    pub approved_by: Option<String>,
}

/// What is true of an event beside its body.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Its version in its stream.
    pub version: u64,
    /// When the recorder received it.
    pub received: Timestamp,
    /// Who acted.
    pub actor: Option<&'a str>,
    /// Who asked for the run it is of.
    pub asked_by: Option<&'a str>,
}

impl Dataset {
    /// A dataset that has no event yet.
    pub fn new(name: &str) -> Self {
        Self {
            defined: Defined::new(name),
            snapshots: Vec::new(),
            forgotten: Vec::new(),
            orphans: Vec::new(),
            sizes: Vec::new(),
            tests: Vec::new(),
            restores: Vec::new(),
            checks: Vec::new(),
            at_risk: None,
            request: None,
        }
    }

    /// The snapshot with this name in this repository.
    pub fn snapshot(&self, repository: &str, id: Digest) -> Option<&Snapshot> {
        self.snapshots.iter().find(|one| one.repository == repository && one.id == id)
    }

    /// Snapshots in a repository, oldest first.
    pub fn in_repository<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Snapshot> {
        self.snapshots.iter().filter(move |one| one.repository == name)
    }

    /// The newest snapshot that can be restored whole.
    pub fn newest_good(&self, repository: &str) -> Option<&Snapshot> {
        let good = |one: &&Snapshot| one.repository == repository && one.is_good();
        self.snapshots.iter().filter(good).max_by_key(|one| one.taken)
    }

    /// The state after one more event. Total: what is in the log has happened.
    #[must_use]
    pub fn evolve(mut self, event: &BackupEvent, told: Told<'_>) -> Self {
        let at = told.received;
        match event {
            BackupEvent::BackupSnapshotCreated(e) => self.created(e, at),
            BackupEvent::BackupCopied(e) => self.copied(e, at),
            BackupEvent::BackupVerified(e) => self.verified(e, at),
            BackupEvent::BackupCheckFailed(e) => self.check_failed(e, at),
            BackupEvent::BackupForgotten(e) => {
                for id in &e.snapshots {
                    self.forget(&e.repository, *id, at);
                }
                if let Some(asked) = &mut self.request
                    && asked.repository == e.repository
                {
                    asked.snapshots.retain(|id| !e.snapshots.contains(id));
                }
                self.request = self.request.take().filter(|asked| !asked.snapshots.is_empty());
            }
            BackupEvent::BackupForgetRequested(e) => {
                self.request = Some(ForgetRequest {
                    number: told.version,
                    repository: e.repository.clone(),
                    snapshots: e.snapshots.clone(),
                    reason: e.reason.clone(),
                    by: told.actor.map(str::to_owned),
                    approved_by: None,
                });
            }
            BackupEvent::BackupForgetApproved(_) => {
                if let Some(request) = &mut self.request {
                    request.approved_by = told.actor.map(str::to_owned);
                }
            }
            BackupEvent::BackupForgetDeclined(_) => self.request = None,
            BackupEvent::BackupHeld(e) => {
                let by = told.actor.map(str::to_owned);
                let hold = Hold { reason: e.reason.clone(), until: e.until, by };
                self.change(&e.repository, e.snapshot, |one| one.hold = Some(hold));
            }
            BackupEvent::BackupHoldEnded(e) => {
                self.change(&e.repository, e.snapshot, |one| one.hold = None);
            }
            BackupEvent::BackupOrphanFound(e) => {
                let repository = e.repository.clone();
                push(&mut self.orphans, Orphan { repository, id: e.snapshot, at }, ORPHANS_KEPT);
            }
            BackupEvent::BackupSnapshotMissing(e) => {
                self.change(&e.repository, e.snapshot, |one| one.missing = Some(at));
            }
            BackupEvent::BackupSnapshotFound(e) => {
                self.change(&e.repository, e.snapshot, |one| one.missing = None);
            }
            BackupEvent::BackupAnomalyFound(e) => {
                self.change(&e.repository, e.snapshot, |one| one.unusual.push(e.what));
            }
            BackupEvent::BackupRestored(e) => {
                let restore = Restore {
                    run: e.by.run.clone(),
                    attempt: e.by.attempt,
                    snapshot: e.snapshot,
                    at,
                    bytes: e.bytes,
                    took_ms: e.took_ms,
                };
                push(&mut self.restores, restore, KEPT);
            }
            BackupEvent::RestoreTested(e) => {
                let asked_by = told.asked_by.map(str::to_owned);
                let (run, result) = (e.by.run.clone(), e.clone());
                push(&mut self.tests, Test { run, at, result, asked_by, certified: None }, KEPT);
            }
            BackupEvent::RestoreCertified(e) => {
                let by = told.actor.unwrap_or_default().to_owned();
                if let Some(test) = self.tests.iter_mut().rev().find(|test| test.run == e.run) {
                    test.certified = Some((by, at, e.clone()));
                }
            }
            BackupEvent::DatasetAtRisk(e) => {
                self.at_risk = Some(AtRisk { reason: e.reason.clone(), since: at });
            }
            BackupEvent::DatasetProtected(_) => self.at_risk = None,
            // Looking changes nothing.
            BackupEvent::BackupLookedInto(_) => {}
            // These are of repositories.
            BackupEvent::BackupPruned(_) | BackupEvent::BackupChecked(_) => {}
        }
        self
    }

    fn created(&mut self, e: &BackupSnapshotCreated, at: Timestamp) {
        self.orphans
            .retain(|orphan| (&orphan.repository, orphan.id) != (&e.repository, e.snapshot));
        if e.errors == 0 {
            push(&mut self.sizes, Size::new(&e.repository, &e.measure, at), KEPT);
        }
        self.snapshots.push(Snapshot {
            repository: e.repository.clone(),
            id: e.snapshot,
            run: e.by.run.clone(),
            host: e.host.clone(),
            taken: e.began.min(at),
            at,
            heard: at,
            measure: e.measure,
            errors: e.errors,
            manifest: e.manifest.clone(),
            tags: e.tags.clone(),
            copy_of: None,
            verified: (e.read_back == 100 && e.errors == 0).then_some(at),
            damaged: None,
            missing: None,
            hold: None,
            unusual: Vec::new(),
        });
    }

    fn copied(&mut self, e: &BackupCopied, at: Timestamp) {
        let Some(original) = self.snapshot(&e.from, e.original) else { return };
        let copy = Snapshot {
            repository: e.to.clone(),
            id: e.snapshot,
            heard: at,
            copy_of: Some((e.from.clone(), e.original)),
            verified: None,
            damaged: None,
            missing: None,
            hold: None,
            ..original.clone()
        };
        self.snapshots.push(copy);
    }

    fn verified(&mut self, e: &BackupVerified, at: Timestamp) {
        for one in self.snapshots.iter_mut().filter(|one| one.repository == e.repository) {
            // What was damaged is whole again only where everything was read.
            if e.of == 1 {
                one.damaged = None;
            }
            if one.is_good() {
                one.verified = Some(at);
            }
        }
        self.note_check(&e.by, &e.repository, at, true);
    }

    fn check_failed(&mut self, e: &BackupCheckFailed, at: Timestamp) {
        for damage in &e.damaged {
            let found = Some((at, damage.files));
            self.change(&e.repository, damage.snapshot, |one| one.damaged = found);
        }
        self.note_check(&e.by, &e.repository, at, false);
    }

    fn note_check(&mut self, by: &Seer, repository: &str, at: Timestamp, good: bool) {
        let Seer { run, attempt, engine } = by.clone();
        let repository = repository.to_owned();
        push(&mut self.checks, Check { run, attempt, engine, repository, at, good }, KEPT);
    }

    fn forget(&mut self, repository: &str, id: Digest, at: Timestamp) {
        let Some(one) = self.snapshot(repository, id) else { return };
        let copy_of = one.copy_of.clone();
        self.snapshots.retain(|one| one.repository != repository || one.id != id);
        let forgotten = Forgotten { repository: repository.to_owned(), id, copy_of, at };
        push(&mut self.forgotten, forgotten, FORGOTTEN_KEPT);
    }

    fn change(&mut self, repository: &str, id: Digest, change: impl FnOnce(&mut Snapshot)) {
        let mut all = self.snapshots.iter_mut();
        if let Some(one) = all.find(|one| one.repository == repository && one.id == id) {
            change(one);
        }
    }
}

/// Adds one, and drops the oldest beyond a limit.
fn push<T>(list: &mut Vec<T>, one: T, most: usize) {
    list.push(one);
    if list.len() > most {
        list.remove(0);
    }
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repository {
    /// Its definitions.
    pub defined: Defined,
    /// The part of its data that was read last, and of how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<(u32, u32)>,
    /// When it was last read in part or whole, and how many damaged data files that found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<(Timestamp, u64)>,
    /// When it was last pruned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned: Option<Timestamp>,
    /// The run, and the number of its attempt, that last pruned or checked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<(StreamId, u32)>,
}

impl Repository {
    /// A repository that has no event yet.
    pub fn new(name: &str) -> Self {
        let defined = Defined::new(name);
        Self { defined, part: None, checked: None, pruned: None, last: None }
    }

    /// Whether the attempt that the event is of is the last that said something of it.
    pub fn knows(&self, event: &BackupEvent) -> bool {
        let last = self.last.as_ref().map(|(run, attempt)| (run, *attempt));
        last.is_some() && last == super::admit::run_of(event)
    }

    /// The next part to be read of so many.
    pub fn next_part(&self, of: u32) -> u32 {
        match self.part {
            Some((part, before)) if before == of && part < of => part + 1,
            Some(_) | None => 1,
        }
    }

    /// The state after one more event.
    #[must_use]
    pub fn evolve(mut self, event: &BackupEvent, received: Timestamp) -> Self {
        match event {
            BackupEvent::BackupPruned(e) => {
                self.pruned = Some(received);
                self.last = Some((e.by.run.clone(), e.by.attempt));
            }
            BackupEvent::BackupChecked(e) => {
                self.part = Some((e.part, e.of));
                self.checked = Some((received, e.damaged));
                self.last = Some((e.by.run.clone(), e.by.attempt));
            }
            BackupEvent::BackupSnapshotCreated(_)
            | BackupEvent::BackupCopied(_)
            | BackupEvent::BackupVerified(_)
            | BackupEvent::BackupCheckFailed(_)
            | BackupEvent::BackupForgotten(_)
            | BackupEvent::BackupForgetRequested(_)
            | BackupEvent::BackupForgetApproved(_)
            | BackupEvent::BackupForgetDeclined(_)
            | BackupEvent::BackupHeld(_)
            | BackupEvent::BackupHoldEnded(_)
            | BackupEvent::BackupOrphanFound(_)
            | BackupEvent::BackupSnapshotMissing(_)
            | BackupEvent::BackupSnapshotFound(_)
            | BackupEvent::BackupAnomalyFound(_)
            | BackupEvent::BackupRestored(_)
            | BackupEvent::RestoreTested(_)
            | BackupEvent::RestoreCertified(_)
            | BackupEvent::BackupLookedInto(_)
            | BackupEvent::DatasetAtRisk(_)
            | BackupEvent::DatasetProtected(_) => {}
        }
        self
    }
}
