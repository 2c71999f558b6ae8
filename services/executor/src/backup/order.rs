//! What the child is told, and what the executor keeps in mind of it until the end is said.

use std::collections::BTreeMap;

use domain::backup::choosing::Forgetting;
use domain::canonical::Digest;
use domain::event::DefinitionRef;
use domain::job::Kind;
use serde::{Deserialize, Serialize};

/// Kept with the attempt's specification: also for an end that is seen after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupOrder {
    /// The job's kind.
    pub kind: Kind,
    /// The dataset it is about, where it is about one.
    pub dataset: Option<String>,
    /// The repositories it works on, the one it reads from first.
    pub repositories: Vec<Used>,
    /// What the host's own list is asked for.
    pub touches: Touches,
    /// What the log must agree to before the child starts.
    #[serde(default)]
    pub forget: Vec<Forgetting>,
    /// The part of the repository's data that is read, and of how many.
    #[serde(default)]
    pub part: Option<(u32, u32)>,
    /// The snapshot that is restored.
    #[serde(default)]
    pub snapshot: Option<Digest>,
    /// The root of the head that chose the sample.
    #[serde(default)]
    pub chosen_by: Option<Digest>,
    /// Tags of the snapshot.
    #[serde(default)]
    pub tags: Vec<String>,
    /// How much of what was written is read again, percent.
    #[serde(default)]
    pub read_back: u8,
    /// Whether only a part of a snapshot is restored.
    #[serde(default)]
    pub part_of_snapshot: bool,
}

/// A repository, and by which of its definitions it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Used {
    /// Its name.
    pub name: String,
    /// Its definition.
    pub definition: DefinitionRef,
}

/// What of the host the work touches.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Touches {
    /// Files and directories that are read.
    pub read: Vec<String>,
    /// Directories that are written.
    pub write: Vec<String>,
    /// Locations of repositories.
    pub repositories: Vec<String>,
    /// Programs that are run: before, after, instead of paths, or on what was restored.
    pub programs: Vec<String>,
    /// Variables that such a program gets.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}
