//! What an engine says: lines while it works, one report at the end.

use serde::{Deserialize, Serialize};

use crate::path::FilePath;

/// Most errors, warnings or files a report names; counts are always exact.
pub const MOST_NAMED: usize = 20;

/// Most bytes of a report in JSON.
pub const MOST_REPORT_BYTES: usize = 256 << 10;

/// One line on standard output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Line {
    /// How far it is.
    Progress(Progress),
    /// Something a person should know; the report counts it too.
    Warning(Warning),
    /// A snapshot of a list: the lines are complete when the report's list is cut.
    Snapshot(Box<SnapshotInfo>),
    /// An entry of a directory, a hit or a difference, complete likewise.
    Entry(Entry),
    /// The last line.
    Report(Box<Report>),
}

/// How far an operation is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Progress {
    /// What it does: `scan`, `backup`, `verify`, `restore`, `compare`, …
    pub phase: String,
    /// Files done.
    pub files: u64,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes in all, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// The file it is at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<FilePath>,
}

/// Something a person should know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Warning {
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<FilePath>,
    /// One sentence.
    pub message: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// The end of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not end well: what was tried, on what, what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What kind of problem it is, for those who decide whether to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ProblemKind>,
    /// The engine and its version, like `rustic_core 0.13.0`.
    pub engine: String,
    /// When it began, in microseconds since 1970.
    pub began: i64,
    /// When it ended, in microseconds since 1970.
    pub ended: i64,
    /// The most memory the process had, in bytes.
    pub peak_memory_bytes: u64,
    /// What was done; none when it failed before there was anything to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Done>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything asked for is done and verified (exit code 0).
    Good,
    /// Done, with errors in the source or differences that are counted (exit code 3).
    Incomplete,
    /// Not done (exit code 1).
    Failed,
    /// Ended by a signal (exit code 130).
    Cancelled,
}

/// Kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// The request cannot be carried out as it stands.
    BadRequest,
    /// The password opens no key of the repository.
    WrongPassword,
    /// There is no repository at the location.
    NotARepository,
    /// There is one already.
    RepositoryExists,
    /// The location cannot be reached or read.
    Unreachable,
    /// The disk is full.
    NoSpace,
    /// Another program holds a lock on the repository.
    Locked,
    /// Something in the repository is missing or is not what it was.
    Damaged,
    /// What was named is not there.
    NotFound,
    /// The source could not be read, or its command failed.
    Source,
    /// The command before the backup failed.
    Hook,
    /// The target of a restore is not empty, or what was written differs.
    Target,
    /// This engine or this build cannot do that.
    Unsupported,
    /// The engine broke.
    Internal,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Done {
    /// The repository is there.
    Init(InitReport),
    /// A snapshot was written.
    Backup(Box<BackupReport>),
    /// The snapshots.
    List(ListReport),
    /// What the check found.
    Check(CheckReport),
    /// What was brought back.
    Restore(Box<RestoreReport>),
    /// What was forgotten.
    Forget(ForgetReport),
    /// What was removed.
    Prune(PruneReport),
    /// What was repaired.
    Repair(RepairReport),
    /// What was copied.
    Copy(CopyReport),
    /// A directory.
    Browse(BrowseReport),
    /// Hits.
    Find(FindReport),
    /// Differences.
    Diff(DiffReport),
    /// A manifest.
    Manifest(ManifestReport),
}

/// A list that may be cut, with its exact length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Counted<T> {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub first: Vec<T>,
}

impl<T> Default for Counted<T> {
    fn default() -> Self {
        Self { count: 0, first: Vec::new() }
    }
}

impl<T> Counted<T> {
    /// Counts one more and keeps it while there are fewer than `most`.
    pub fn push(&mut self, item: T, most: usize) {
        self.count += 1;
        if self.first.len() < most {
            self.first.push(item);
        }
    }
}

/// A repository was created.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct InitReport {
    /// The id in its configuration: another id means another repository.
    pub repository: String,
}

/// A snapshot was written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BackupReport {
    /// The id of the repository.
    pub repository: String,
    /// The id of the snapshot, 64 hexadecimal digits; empty when none was written.
    pub snapshot: String,
    /// The id of its tree: equal trees are equal contents.
    pub tree: String,
    /// The snapshot it was compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Its time, in microseconds since 1970.
    pub time: i64,
    /// Regular files in it.
    pub files: u64,
    /// Directories in it.
    pub dirs: u64,
    /// Symbolic links, devices and fifos in it.
    pub others: u64,
    /// Bytes of its regular files.
    pub bytes: u64,
    /// Files the parent does not have.
    pub files_new: u64,
    /// Files that differ from the parent's.
    pub files_changed: u64,
    /// Files as in the parent.
    pub files_unmodified: u64,
    /// New bytes before compression.
    pub added_bytes: u64,
    /// New bytes as stored.
    pub stored_bytes: u64,
    /// What could not be read; any makes the report incomplete.
    pub errors: Counted<Warning>,
    /// Files that changed while they were read: what is stored may mix old and new.
    pub changed: Counted<FilePath>,
    /// Sockets, which cannot be stored.
    pub skipped_sockets: u64,
    /// The manifest stored beside it.
    pub manifest: ManifestInfo,
    /// Packs an unfinished run before had left and this one took into the index.
    pub reused_packs: u64,
    /// What was found when this run's data was read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckReport>,
    /// What an installed restic found, when it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<CheckReport>,
    /// The dataset's snapshots now, newest first.
    pub present: Counted<SnapshotInfo>,
    /// How `before` ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<HookReport>,
    /// How `after` ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<HookReport>,
}

/// How a hook ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HookReport {
    /// Its exit code, or 128 and the signal that ended it.
    pub exit: i32,
    /// Whether it was killed because it took too long.
    pub timed_out: bool,
    /// Milliseconds it took.
    pub took_ms: u64,
    /// The end of what it wrote, at most 2 KiB.
    pub output: String,
}

/// Where a manifest is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ManifestInfo {
    /// The snapshot that holds it.
    pub snapshot: String,
    /// SHA-256 of its compressed bytes, in hexadecimal digits.
    pub sha256: String,
    /// Its compressed bytes.
    pub bytes: u64,
    /// Its entries.
    pub entries: u64,
}

/// A snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SnapshotInfo {
    /// Its id, 64 hexadecimal digits.
    pub id: String,
    /// The dataset, of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// The run that wrote it, of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The snapshot with its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// All its tags.
    pub tags: Vec<String>,
    /// The host it names.
    pub host: String,
    /// Its time, in microseconds since 1970: the writer's word, not evidence.
    pub time: i64,
    /// The paths it names.
    pub paths: Vec<String>,
    /// The id of its tree.
    pub tree: String,
    /// The program that wrote it.
    pub program: String,
    /// Bytes of its regular files, if its writer said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The snapshot it is a copy of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
}

/// The snapshots of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ListReport {
    /// The id of the repository.
    pub repository: String,
    /// Newest first; manifests are named by the snapshot they belong to.
    pub snapshots: Counted<SnapshotInfo>,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CheckReport {
    /// The engine that checked and its version.
    pub engine: String,
    /// Whether nothing is wrong in what was looked at.
    pub good: bool,
    /// Snapshots whose trees were walked.
    pub snapshots: u64,
    /// Packs in the part of the repository that was asked for.
    pub packs: u64,
    /// Packs that were read whole and verified.
    pub packs_read: u64,
    /// Bytes that were read.
    pub bytes_read: u64,
    /// Ids of packs that are damaged or missing.
    pub damaged_packs: Counted<String>,
    /// Snapshots that cannot be restored whole.
    pub damaged: Vec<DamagedSnapshot>,
    /// What was found, in the engine's words.
    pub errors: Counted<String>,
    /// What is strange but harms nothing.
    pub warnings: Counted<String>,
}

/// A snapshot with damage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DamagedSnapshot {
    /// The snapshot.
    pub snapshot: String,
    /// Its dataset, of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// Files that cannot be read back; a directory stands for everything below it.
    pub files: Counted<FilePath>,
}

/// What was brought back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RestoreReport {
    /// The snapshot.
    pub snapshot: String,
    /// Whether the target holds it now.
    pub complete: bool,
    /// Regular files restored.
    pub files: u64,
    /// Directories restored.
    pub dirs: u64,
    /// Symbolic links, devices and fifos restored.
    pub others: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Bytes fetched from the repository.
    pub fetched_bytes: u64,
    /// Files an interrupted restore had brought already.
    pub kept_files: u64,
    /// Sockets, which were skipped.
    pub skipped_sockets: u64,
    /// Entries compared with the manifest.
    pub compared: u64,
    /// SHA-256 of the manifest compared with; none when the snapshot has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// What could not be read from the repository.
    pub damaged: Counted<Warning>,
    /// What differs from the manifest.
    pub differences: Counted<Warning>,
    /// What could not be set, like an owner when not root.
    pub warnings: Counted<Warning>,
    /// Milliseconds from the start to the last byte synced.
    pub took_ms: u64,
}

/// What was forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ForgetReport {
    /// The snapshots removed, without their manifests.
    pub removed: Vec<String>,
    /// The manifests removed with them.
    pub manifests: Vec<String>,
    /// Snapshots that are left, without manifests.
    pub left: u64,
}

/// What a prune removes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PruneReport {
    /// Whether nothing was done yet.
    pub dry_run: bool,
    /// Packs kept as they are.
    pub packs_kept: u64,
    /// Packs written anew because part of them is unused.
    pub packs_repacked: u64,
    /// Packs marked now, to be deleted by a later prune (or deleted, if that was asked).
    pub packs_marked: u64,
    /// Packs marked before and deleted now.
    pub packs_deleted: u64,
    /// Packs marked before that are in use again.
    pub packs_recovered: u64,
    /// Bytes deleted now.
    pub freed_bytes: u64,
    /// Bytes a later prune can delete.
    pub freed_later_bytes: u64,
    /// Bytes the packs have now.
    pub bytes_before: u64,
}

/// What a repair did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RepairReport {
    /// Packs that were missing in the index and are in it now.
    pub packs_added: u64,
    /// Their bytes.
    pub bytes_added: u64,
    /// Packs the index named that are not there.
    pub packs_missing: u64,
    /// Packs that are torn: they hold nothing that can be read, and are named `*.torn` now.
    pub packs_torn: Counted<String>,
}

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CopyReport {
    /// The id of the repository copied to.
    pub repository: String,
    /// The snapshots, with the ids they have there.
    pub copied: Vec<Copied>,
    /// What the check there found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckReport>,
}

/// A snapshot and its copy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Copied {
    /// The snapshot.
    pub snapshot: String,
    /// Its id in the other repository.
    pub copy: String,
    /// Whether it had been there already.
    pub already: bool,
}

/// An entry of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entry {
    /// The snapshot.
    pub snapshot: String,
    /// Its path in the snapshot.
    pub path: FilePath,
    /// `file`, `dir`, `symlink`, `dev`, `chardev`, `fifo` or `socket`.
    pub kind: String,
    /// Bytes of a file.
    pub size: u64,
    /// When it was changed, in microseconds since 1970.
    pub mtime: i64,
    /// Its permissions.
    pub mode: u32,
    /// In a difference: `added`, `removed`, `changed` or `metadata`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}

/// A directory of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BrowseReport {
    /// Its entries by name.
    pub entries: Counted<Entry>,
}

/// Hits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FindReport {
    /// Snapshots looked through.
    pub snapshots: u64,
    /// The hits, newest snapshot first.
    pub hits: Counted<Entry>,
}

/// Differences between two snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DiffReport {
    /// Only in the newer one.
    pub added: u64,
    /// Only in the older one.
    pub removed: u64,
    /// In both, with other contents.
    pub changed: u64,
    /// In both, with other permissions, owner or time.
    pub metadata: u64,
    /// All of them.
    pub entries: Counted<Entry>,
}

/// A manifest that was read back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ManifestReport {
    /// Where it is.
    pub manifest: ManifestInfo,
    /// The snapshot it is of, as its header says.
    pub snapshot: String,
    /// The dataset its header names.
    pub dataset: String,
    /// The run its header names.
    pub run: String,
    /// Its first entries.
    pub entries: Counted<Entry>,
}
