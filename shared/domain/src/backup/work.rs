//! What jobs do with backups: the sections of their kinds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::is_tag;
use crate::ids::StreamId;
use crate::job::{Claim, Share};
use crate::site::ThingKind;
use crate::time::HumanDuration;

/// `backup:`: a new snapshot of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BackupWork {
    /// Of what.
    pub dataset: String,
    /// Where it goes.
    pub repository: String,
    /// Files and directories, absolute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// What of them is left out, in gitignore's patterns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Directories that hold a file of one of these names are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_if_present: Vec<String>,
    /// Whether other file systems below the paths are left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one_file_system: bool,
    /// Instead of paths, what a command writes, as one file. Where it fails, there is no snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_of: Option<OutputOf>,
    /// Runs before, such as a freeze. Where it fails, nothing is backed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Hook>,
    /// Runs after, such as a thaw: always when `before` was started, whatever became of the backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Hook>,
    /// Tags of the snapshot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// How much of what was written is read again afterwards, percent.
    #[serde(default = "all_of_it", skip_serializing_if = "is_all_of_it")]
    pub read_back: u8,
}

/// A command whose output is backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OutputOf {
    /// Program and arguments. No shell reads them.
    pub argv: Vec<String>,
    /// The name of the file in the snapshot.
    pub file_name: String,
    /// Environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// A command beside the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Hook {
    /// Program and arguments. No shell reads them.
    pub argv: Vec<String>,
    /// How long it may take.
    #[serde(default = "ten_minutes")]
    pub timeout: HumanDuration,
}

/// `backup-copy:`: a dataset's snapshots in another repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CopyWork {
    /// Of what.
    pub dataset: String,
    /// The repository that has them.
    pub from: String,
    /// The repository that is to have them.
    pub to: String,
}

/// `backup-check:`: reads what a repository holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CheckWork {
    /// Which.
    pub repository: String,
    /// Into how many parts its data is divided; each run reads the next one. 1 reads all, 30 all of it in thirty runs.
    #[serde(default = "one")]
    pub parts: u32,
}

/// `retention:`: forgets what a dataset's rule does not keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RetentionWork {
    /// Of what.
    pub dataset: String,
    /// In which repository.
    pub repository: String,
}

/// `prune:`: frees the space of what was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PruneWork {
    /// Of which repository.
    pub repository: String,
    /// Whether it only says what it would do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// `restore:`: brings back a snapshot, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RestoreWork {
    /// Of what.
    pub dataset: String,
    /// From where.
    pub repository: String,
    /// Which: the first letters of its name, or `latest`.
    #[serde(default = "latest")]
    pub snapshot: String,
    /// Only this file or directory of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The directory that is made.
    pub to: String,
    /// Whether files that are there are replaced: then `to` may exist.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replace: bool,
}

/// `restore-test:`: proves that a dataset can be restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RestoreTestWork {
    /// Of what.
    pub dataset: String,
    /// From where.
    pub repository: String,
    /// How many files are restored, chosen by the newest signed head of the log, so that nobody picks them; without
    /// it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<u32>,
    /// The directory in which a fresh one is made, and removed afterwards.
    pub scratch: String,
    /// Runs on what was restored, with its directory in `DECKLOG_RESTORED`: such as starting a database on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Hook>,
}

fn all_of_it() -> u8 {
    100
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_all_of_it(percent: &u8) -> bool {
    *percent == 100
}

fn ten_minutes() -> HumanDuration {
    HumanDuration::from_secs(600)
}

fn one() -> u32 {
    1
}

fn latest() -> String {
    "latest".to_owned()
}

/// The word before the name of a repository where it stands for a lock: no lock has such a name.
const OF_REPOSITORY: &str = "repository/";

impl Claim {
    /// The stream of what is claimed: a lock, or the lease of a repository.
    pub fn stream(&self) -> StreamId {
        claimed(&self.lock)
    }

    fn of_repository(name: &str, share: Share) -> Self {
        Self { lock: format!("{OF_REPOSITORY}{name}"), share }
    }

    /// Shared with others who write or read.
    pub(crate) fn shared(repository: &str) -> Self {
        Self::of_repository(repository, Share::Units(1))
    }

    /// With nobody beside.
    pub(crate) fn exclusive(repository: &str) -> Self {
        Self::of_repository(repository, Share::Exclusive)
    }
}

/// The stream of what a claim calls so.
pub fn claimed(name: &str) -> StreamId {
    match name.strip_prefix(OF_REPOSITORY) {
        Some(repository) => StreamId::thing(ThingKind::Repository, repository),
        None => StreamId::thing(ThingKind::Lock, name),
    }
}

/// What a claim calls the thing with this stream.
pub fn claim_name(id: &StreamId) -> String {
    match id.stream_type().thing() {
        Some(ThingKind::Repository) => id.as_str().to_owned(),
        Some(
            ThingKind::Calendar
            | ThingKind::Blackout
            | ThingKind::Lock
            | ThingKind::Pool
            | ThingKind::Dataset
            | ThingKind::Queue
            | ThingKind::CallTree
            | ThingKind::Measures
            | ThingKind::Form,
        )
        | None => id.rest().to_owned(),
    }
}

/// What is wrong with a section: field and message.
pub(crate) type Wrong = (&'static str, String);

impl BackupWork {
    pub(crate) fn problems(&self) -> Vec<Wrong> {
        let mut found: Vec<Wrong> = Vec::new();
        if self.paths.is_empty() == self.output_of.is_none() {
            found.push(("backup", "give either paths or output-of".to_owned()));
        }
        for path in self.paths.iter().filter(|path| !is_absolute(path)) {
            found.push(("backup.paths", format!("{path:?} is not an absolute path")));
        }
        if let Some(output) = &self.output_of {
            if output.argv.first().is_none_or(String::is_empty) {
                found.push(("backup.output-of", "argv names the program".to_owned()));
            }
            if output.file_name.is_empty() || output.file_name.contains(['/', '\0']) {
                found.push(("backup.output-of", "file-name is a name without a slash".to_owned()));
            }
            let of_paths = self.exclude.len() + self.exclude_if_present.len();
            if of_paths > 0 || self.one_file_system {
                found.push(("backup", "exclude and one-file-system are about paths".to_owned()));
            }
        }
        for hook in self.before.iter().chain(&self.after) {
            found.extend(hook.problem().map(|problem| ("backup.before", problem)));
        }
        if let Some(tag) = self.tags.iter().find(|tag| !is_tag(tag)) {
            let text = format!("{tag:?} is not a tag: no commas or =, 1 to 100 bytes");
            found.push(("backup.tags", text));
        }
        if self.read_back > 100 {
            found.push(("backup.read-back", "0 to 100 percent".to_owned()));
        }
        found
    }
}

impl Hook {
    fn problem(&self) -> Option<String> {
        let empty = self.argv.first().is_none_or(String::is_empty);
        empty.then(|| "argv names the program".to_owned())
    }
}

impl CopyWork {
    pub(crate) fn problems(&self) -> Vec<Wrong> {
        let same = self.from == self.to;
        same.then(|| ("backup-copy.to", "a copy goes to another repository".to_owned()))
            .into_iter()
            .collect()
    }
}

impl CheckWork {
    pub(crate) fn problems(&self) -> Vec<Wrong> {
        let bad = !(1..=1_000).contains(&self.parts);
        bad.then(|| ("backup-check.parts", "1 to 1000".to_owned())).into_iter().collect()
    }
}

impl RestoreWork {
    pub(crate) fn problems(&self) -> Vec<Wrong> {
        let mut found: Vec<Wrong> = Vec::new();
        if !is_absolute(&self.to) {
            found.push(("restore.to", "it is an absolute path".to_owned()));
        }
        if self.snapshot.is_empty() {
            found.push(("restore.snapshot", "the first letters of its name, or latest".to_owned()));
        }
        found
    }
}

impl RestoreTestWork {
    pub(crate) fn problems(&self) -> Vec<Wrong> {
        let mut found: Vec<Wrong> = Vec::new();
        if !is_absolute(&self.scratch) {
            found.push(("restore-test.scratch", "it is an absolute path".to_owned()));
        }
        if self.sample == Some(0) || self.sample.is_some_and(|n| n > 100_000) {
            found.push(("restore-test.sample", "1 to 100000 files".to_owned()));
        }
        if let Some(problem) = self.check.as_ref().and_then(Hook::problem) {
            found.push(("restore-test.check", problem));
        }
        found
    }
}

/// A path that may begin with a token.
fn is_absolute(path: &str) -> bool {
    path.starts_with('/') || path.starts_with("{{")
}
