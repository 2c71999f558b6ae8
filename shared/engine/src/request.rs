//! What is asked of an engine: one request a process.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::path::FilePath;

/// One thing to do on one repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Request {
    /// Where the backups are.
    pub repository: Repository,
    /// What to do there.
    pub operation: Operation,
}

/// Where backups are kept and who reads and writes there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Repository {
    /// An absolute path, `sftp:…`, `s3:…` or `rest:…`, in restic's spelling.
    pub location: String,
    /// The engine that writes.
    #[serde(default)]
    pub engine: EngineName,
    /// Whether a backup creates the repository where there is none.
    #[serde(default)]
    pub initialise: bool,
    /// Whether an installed restic checks too what was written.
    #[serde(default)]
    pub second: bool,
    /// A directory for the engine's cache; none means no cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<FilePath>,
    /// The program restic; none means the one found in `PATH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restic: Option<FilePath>,
    /// The region of an S3 bucket; none means `AWS_DEFAULT_REGION` among the keys, or `us-east-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Certificates (PEM) that are trusted instead of those of the host, for S3 and REST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<FilePath>,
    /// A configuration for `ssh -F`; none means the user's own, for SFTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_config: Option<FilePath>,
}

/// The engines there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineName {
    /// The library built in.
    #[default]
    Rustic,
    /// An installed program.
    Restic,
}

/// What to do on a repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// Create the repository; one that is there is an error.
    Init,
    /// Write a snapshot.
    Backup(Box<Backup>),
    /// Name the snapshots, foreign ones too.
    List(List),
    /// Verify the repository, reading as much of it as asked.
    Check(Check),
    /// Bring a snapshot back and compare it with its manifest.
    Restore(Restore),
    /// Remove snapshots, with their manifests.
    Forget(Forget),
    /// Remove data no snapshot uses.
    Prune(Prune),
    /// Bring the index up to date after a crash.
    Repair,
    /// Copy snapshots into another repository.
    Copy(Box<Copy>),
    /// List a directory of a snapshot.
    Browse(Browse),
    /// Find files by name in snapshots.
    Find(Find),
    /// Compare two snapshots.
    Diff(Diff),
    /// Read a manifest back and check its hash.
    Manifest(ManifestOf),
}

/// Write a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Backup {
    /// The name of what is backed up; snapshots of one dataset follow each other.
    pub dataset: String,
    /// The run that asks for it.
    pub run: String,
    /// Which attempt of the run this is.
    #[serde(default)]
    pub attempt: u32,
    /// The host whose data it is.
    pub host: String,
    /// Tags added to ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What is backed up.
    pub source: Source,
    /// Runs first; if it fails, nothing is backed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Hook>,
    /// Runs at the end whenever `before` was started (or there is none), whatever happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Hook>,
    /// Percent (0 to 100) of the packs this run wrote that are read again and verified.
    #[serde(default = "all")]
    pub read_back: u8,
}

/// What is backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// Files and directories.
    Paths(Paths),
    /// The output of a command, as one file.
    Command(Command),
}

/// Files and directories to back up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Paths {
    /// Absolute paths.
    pub paths: Vec<FilePath>,
    /// Globs in gitignore's spelling that are left out; one with a `/` in it begins at the root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// A directory that holds a file of one of these names is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_if_present: Vec<String>,
    /// Whether other file systems below the paths are left out.
    #[serde(default)]
    pub one_file_system: bool,
}

/// A command whose output is backed up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Command {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The name of the file in the snapshot.
    pub file_name: String,
    /// Variables added to its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Whether a command that writes nothing may make a snapshot.
    #[serde(default)]
    pub allow_empty: bool,
}

/// A command run before or after a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Hook {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Milliseconds after which it is killed and counts as failed.
    #[serde(default = "ten_minutes")]
    pub timeout_ms: u64,
    /// Variables added to its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// Name the snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct List {
    /// Only those of this dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
}

/// Verify the repository.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Check {
    /// How much of the data is read.
    #[serde(default)]
    pub read: Read,
    /// Only what these snapshots use; empty means everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<String>,
}

/// How much of the data a check reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Read {
    /// Everything.
    #[default]
    All,
    /// Packs chosen by chance that make up about this percentage (0 to 100) of the bytes.
    Percent(f64),
    /// One part of the packs; all parts together are all packs.
    Packs {
        /// Which part, from 1.
        part: u32,
        /// How many parts there are.
        of: u32,
    },
    /// Only the structure.
    Nothing,
}

/// Bring a snapshot back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Restore {
    /// The snapshot, all 64 digits or a beginning that only one has.
    pub snapshot: String,
    /// Only what is at or below this path of the snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<FilePath>,
    /// The directory to restore into; paths inside are those of the snapshot, or relative to `path`.
    pub to: FilePath,
    /// Only these paths of the snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Vec<FilePath>>,
    /// What happens to what is there.
    #[serde(default)]
    pub overwrite: Overwrite,
    /// Whether only to say what would be written.
    #[serde(default)]
    pub dry_run: bool,
    /// Whether what was written is read again and compared with the manifest.
    #[serde(default = "yes")]
    pub compare: bool,
    /// Bytes of memory to stay under.
    #[serde(default = "three_hundred_mebibytes")]
    pub memory_limit_bytes: u64,
}

/// What a restore does with what is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overwrite {
    /// The target must be missing or an empty directory.
    #[default]
    Never,
    /// Files of the snapshot replace those of the same name; nothing else is touched.
    Replace,
}

/// Remove snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Forget {
    /// Ids with all 64 digits; an empty list is refused, and so is an id that is not there.
    pub snapshots: Vec<String>,
}

/// Remove data no snapshot uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Prune {
    /// Whether only to say what would be removed.
    #[serde(default)]
    pub dry_run: bool,
    /// Whether to delete at once instead of marking now and deleting in a later prune.
    #[serde(default)]
    pub instant: bool,
}

/// Copy snapshots into another repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Copy {
    /// The other repository; its password is the secret `copy_password`.
    pub to: Repository,
    /// Ids of the snapshots; manifests go with them.
    pub snapshots: Vec<String>,
}

/// List a directory of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Browse {
    /// The snapshot.
    pub snapshot: String,
    /// The directory in it; empty means the root.
    #[serde(default)]
    pub path: FilePath,
    /// At most this many entries.
    #[serde(default = "thousand")]
    pub limit: u64,
}

/// Find files by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Find {
    /// A glob; with a `/` it is matched against the whole path, without against the name.
    pub pattern: String,
    /// Only in snapshots of this dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// Only in these snapshots; empty means all of ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<String>,
    /// At most this many hits.
    #[serde(default = "thousand")]
    pub limit: u64,
}

/// Compare two snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Diff {
    /// The older snapshot.
    pub a: String,
    /// The newer snapshot.
    pub b: String,
}

/// Read a manifest back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ManifestOf {
    /// The snapshot whose manifest it is.
    pub snapshot: String,
    /// The SHA-256 the manifest must have, when it is known from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// What must not stand in a request: given by the environment of the process.
#[derive(Clone, Default)]
pub struct Secrets {
    /// The password of the repository (`DECKLOG_REPOSITORY_PASSWORD`).
    pub password: String,
    /// The password of the repository copied to (`DECKLOG_COPY_PASSWORD`).
    pub copy_password: Option<String>,
    /// The keys of the repository's storage (`AWS_ACCESS_KEY_ID`, …).
    pub keys: Keys,
    /// The keys of the storage copied to (`DECKLOG_COPY_AWS_ACCESS_KEY_ID`, …).
    pub copy_keys: Keys,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

/// The keys of a storage, by the names of the variables that restic reads.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<String, String>);

impl Keys {
    /// The variables there are.
    pub const NAMES: [&'static str; 6] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_DEFAULT_REGION",
        "RESTIC_REST_USERNAME",
        "RESTIC_REST_PASSWORD",
    ];

    /// Those that a function knows; an empty one is none.
    pub fn of(value: impl Fn(&str) -> Option<String>) -> Self {
        let found = Self::NAMES.iter().filter_map(|name| Some(((*name).to_owned(), value(name)?)));
        Self(found.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// Each that is there, with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// These and others, for a program that reads both from one environment; the name of one that is not the same.
    pub(crate) fn with(&self, others: &Self) -> Result<Self, &str> {
        let differs = |(name, value): &(&String, &String)| {
            others.get(name).is_some_and(|other| other != value.as_str())
        };
        if let Some((name, _)) = self.0.iter().find(differs) {
            return Err(name);
        }
        let mut all = self.0.clone();
        all.extend(others.0.clone());
        Ok(Self(all))
    }

    /// The value of one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

fn all() -> u8 {
    100
}

fn yes() -> bool {
    true
}

fn thousand() -> u64 {
    1000
}

fn ten_minutes() -> u64 {
    600_000
}

fn three_hundred_mebibytes() -> u64 {
    300 << 20
}
