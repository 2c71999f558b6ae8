//! Bodies of `backup.*`, `restore.*` and `dataset.*` beside definitions: what was saved, checked, forgotten and
//! proven. Names of files stand in none of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::DefinitionRef;
use crate::canonical::Digest;
use crate::ids::StreamId;

/// The attempt that saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seer {
    /// The run.
    pub run: StreamId,
    /// Number of the attempt.
    pub attempt: u32,
    /// Name and version of the engine.
    pub engine: String,
}

/// The list of all that a snapshot holds, with a hash of each file: made while it was read, and kept in the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestRef {
    /// SHA-256 of the list as it is stored.
    pub sha256: Digest,
    /// Entries in it.
    pub entries: u64,
    /// The snapshot that holds it.
    pub snapshot: Digest,
}

/// What a snapshot is in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that no earlier snapshot held.
    pub added: u64,
    /// Bytes these take, compressed and encrypted.
    pub stored: u64,
    /// Files that are new or changed.
    pub changed: u64,
    /// How long it took, milliseconds.
    pub took_ms: u64,
}

/// `backup.snapshot-created` 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupSnapshotCreated {
    /// Who made it.
    pub by: Seer,
    /// The host whose data it is.
    pub host: String,
    /// The repository that holds it.
    pub repository: String,
    /// Which definition of that repository.
    pub definition: DefinitionRef,
    /// Its name in the repository.
    pub snapshot: Digest,
    /// The hash of its tree.
    pub tree: Digest,
    /// When reading began: the data is as old as this at least.
    pub began: Timestamp,
    /// Its numbers.
    pub measure: Measure,
    /// What could not be read. A snapshot with any is not complete and protects nothing.
    pub errors: u64,
    /// What is in it.
    pub manifest: ManifestRef,
    /// How much of what was written was read again, percent.
    pub read_back: u8,
    /// Tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// `backup.copied` 1: a snapshot stands in another repository too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupCopied {
    /// Who made it.
    pub by: Seer,
    /// Where it came from.
    pub from: String,
    /// Which it is there.
    pub original: Digest,
    /// Where it went.
    pub to: String,
    /// Which definition of that repository.
    pub definition: DefinitionRef,
    /// Which it is there.
    pub snapshot: Digest,
}

/// `backup.verified` 1: what the repository holds of the dataset was checked, and is whole as far as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupVerified {
    /// Who checked.
    pub by: Seer,
    /// The repository.
    pub repository: String,
    /// How many of the dataset's snapshots it holds.
    pub snapshots: u64,
    /// Data files that were read and compared with their hashes.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Which part of the repository's data that was.
    pub part: u32,
    /// Of how many.
    pub of: u32,
}

/// A snapshot that cannot be restored whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DamagedSnapshot {
    /// Which.
    pub snapshot: Digest,
    /// Files of it that are lost, or wrong.
    pub files: u64,
}

/// `backup.check-failed` 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupCheckFailed {
    /// Who checked.
    pub by: Seer,
    /// The repository.
    pub repository: String,
    /// Data files of it that are damaged or not there.
    pub packs: u64,
    /// The dataset's snapshots that are affected, at most 100.
    pub damaged: Vec<DamagedSnapshot>,
}

/// Why a snapshot is forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by", deny_unknown_fields)]
pub enum ForgetReason {
    /// The dataset's rule does not keep it.
    Policy {
        /// Which definition of the dataset.
        definition: DefinitionRef,
    },
    /// Two people said so.
    People {
        /// Position in the dataset's stream of the request that was approved.
        request: u64,
    },
}

/// `backup.forgotten` 1: these snapshots count no more, and are removed from the repository after this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupForgotten {
    /// The run that removes them.
    pub run: StreamId,
    /// Number of its attempt.
    pub attempt: u32,
    /// The repository.
    pub repository: String,
    /// Which, at most 100.
    pub snapshots: Vec<Digest>,
    /// Why.
    pub reason: ForgetReason,
}

/// `backup.forget-requested` 1: somebody wants snapshots forgotten that the rule keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupForgetRequested {
    /// The repository.
    pub repository: String,
    /// Which, at most 100.
    pub snapshots: Vec<Digest>,
    /// Why.
    pub reason: String,
}

/// `backup.forget-approved` 1: somebody else agrees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupForgetApproved {
    /// Position in the dataset's stream of the request.
    pub request: u64,
    /// Why.
    pub reason: String,
}

/// `backup.forget-declined` 1: somebody does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupForgetDeclined {
    /// Position in the dataset's stream of the request.
    pub request: u64,
    /// Why.
    pub reason: String,
}

/// `backup.held` 1: a snapshot is kept whatever the rule says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupHeld {
    /// The repository.
    pub repository: String,
    /// Which.
    pub snapshot: Digest,
    /// Why: a case, an order.
    pub reason: String,
    /// Until when; absent for as long as nobody ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// `backup.hold-ended` 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupHoldEnded {
    /// The repository.
    pub repository: String,
    /// Which.
    pub snapshot: Digest,
    /// Why.
    pub reason: String,
}

/// `backup.orphan-found` 1: the repository holds a snapshot of the dataset of which the log knows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupOrphanFound {
    /// Who saw it.
    pub by: Seer,
    /// The repository.
    pub repository: String,
    /// Which.
    pub snapshot: Digest,
    /// The run that made it, as its tag says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_run: Option<String>,
}

/// `backup.snapshot-missing` 1: a snapshot the log knows is not in its repository any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupSnapshotMissing {
    /// Who saw it.
    pub by: Seer,
    /// The repository.
    pub repository: String,
    /// Which.
    pub snapshot: Digest,
}

/// `backup.snapshot-found` 1: a snapshot that was missing is there again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupSnapshotFound {
    /// Who saw it.
    pub by: Seer,
    /// The repository.
    pub repository: String,
    /// Which.
    pub snapshot: Digest,
}

/// What is unusual about a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unusual {
    /// It holds far less than the ones before.
    Shrunk,
    /// Far more of it changed than usual.
    ChangeRate,
    /// What changed can hardly be compressed: as if it were encrypted.
    Entropy,
    /// Nothing changed for weeks.
    Unchanged,
}

/// `backup.anomaly-found` 1: a warning, with its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupAnomalyFound {
    /// Who saw it.
    pub by: Seer,
    /// The repository.
    pub repository: String,
    /// The snapshot.
    pub snapshot: Digest,
    /// What is unusual.
    pub what: Unusual,
    /// Its number: bytes for `shrunk`, per mille for `change-rate` and `entropy`, days for `unchanged`.
    pub value: u64,
    /// What is usual: the median of the snapshots before.
    pub usual: u64,
    /// Of how many.
    pub of: u32,
}

/// `backup.restored` 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupRestored {
    /// Who did it.
    pub by: Seer,
    /// The host it was restored to.
    pub host: String,
    /// The repository.
    pub repository: String,
    /// The snapshot.
    pub snapshot: Digest,
    /// Whether only a part of it.
    pub part: bool,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files whose content was compared with the manifest.
    pub compared: u64,
    /// How long it took, milliseconds.
    pub took_ms: u64,
}

/// `restore.tested` 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreTested {
    /// Who did it.
    pub by: Seer,
    /// The host it was restored to.
    pub host: String,
    /// The repository.
    pub repository: String,
    /// The snapshot.
    pub snapshot: Digest,
    /// For a sample, the root of the log's head that chose it; absent where all was restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen_by: Option<Digest>,
    /// Files that were restored and compared.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that differ from the manifest, or could not be restored.
    pub mismatches: u64,
    /// The exit code of the check command, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<i32>,
    /// How long it took until the data could be used, milliseconds: the measured recovery time.
    pub took_ms: u64,
    /// Whether everything was as it should be.
    pub good: bool,
}

/// `restore.certified` 1: a second person has looked at the test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreCertified {
    /// The run of the test.
    pub run: StreamId,
    /// What they say about it.
    pub statement: String,
    /// For a test that failed, what is done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrective_action: Option<String>,
}

/// How somebody looked into snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Looking {
    /// At a directory.
    Browse,
    /// For files by name.
    Find,
    /// At what differs between two.
    Diff,
}

impl Looking {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Browse => "browse",
            Self::Find => "find",
            Self::Diff => "diff",
        }
    }
}

/// `backup.looked-into` 1: somebody was told names of files in snapshots. It is said before they are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupLookedInto {
    /// The repository.
    pub repository: String,
    /// Which snapshots; all of the dataset that are there when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<Digest>,
    /// How.
    pub how: Looking,
    /// The host that looked for them.
    pub host: String,
    /// How many names were told.
    pub names: u64,
}

/// `backup.pruned` 1: space was freed. Stands in the stream of the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupPruned {
    /// Who did it.
    pub by: Seer,
    /// Data files that were removed.
    pub packs_removed: u64,
    /// Data files that were written anew without what nobody needs.
    pub packs_rewritten: u64,
    /// Bytes that were freed.
    pub freed: u64,
}

/// `backup.checked` 1: a part of the repository's data was read. Stands in the stream of the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupChecked {
    /// Who did it.
    pub by: Seer,
    /// Which part.
    pub part: u32,
    /// Of how many.
    pub of: u32,
    /// Data files that were read.
    pub packs: u64,
    /// Of these, damaged or not there.
    pub damaged: u64,
    /// Snapshots it holds, of whatever dataset.
    pub snapshots: u64,
}

/// Why a dataset is at risk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "because", deny_unknown_fields)]
pub enum RiskReason {
    /// There is no snapshot that can be restored.
    NoSnapshot,
    /// The newest one that can be restored is older than the RPO.
    TooOld {
        /// When its reading began.
        newest: Timestamp,
    },
    /// It stands in fewer repositories than it should.
    TooFewCopies {
        /// In how many.
        have: u32,
        /// In how many it should.
        want: u32,
    },
}

impl RiskReason {
    /// Why, in words; `at` writes an instant.
    pub fn words(&self, at: impl Fn(Timestamp) -> String) -> String {
        match self {
            Self::NoSnapshot => "no snapshot can be restored".to_owned(),
            Self::TooOld { newest } => {
                format!("the newest that can be restored is of {}: older than the RPO", at(*newest))
            }
            Self::TooFewCopies { have, want } => {
                format!("it stands in {have} repositories and should in {want}")
            }
        }
    }
}

/// `dataset.at-risk` 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetAtRisk {
    /// Why.
    pub reason: RiskReason,
}

/// `dataset.protected` 1: it is at risk no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetProtected {
    /// When the reading of its newest snapshot began.
    pub newest: Timestamp,
}
