//! What the child that looks at documents is told, and what the executor keeps in mind of it.

use std::path::PathBuf;

use domain::canonical::Digest;
use domain::event::DefinitionRef;
use domain::print::{PrintWork, QueueDefinition};
use serde::{Deserialize, Serialize};

/// Kept with the attempt's specification: also for what is seen after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintOrder {
    /// The job's section, with the run's values in it.
    pub(crate) work: PrintWork,
    /// The queue.
    pub(crate) queue: QueueDefinition,
    /// Which definition of it.
    pub(crate) definition: DefinitionRef,
    /// What is brought from other runs before the child starts.
    #[serde(default)]
    pub(crate) bring: Option<Bring>,
}

/// Something another run left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bring {
    /// The run.
    pub(crate) run: String,
    /// Number of its attempt.
    pub(crate) attempt: u32,
    /// The host that has it.
    pub(crate) host: String,
    /// Which artefact; its output where there is none.
    pub(crate) artefact: Option<String>,
    /// What the log knows of it.
    pub(crate) is: Known,
    /// Bytes.
    pub(crate) bytes: u64,
}

/// What the log knows of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Known {
    /// Its SHA-256.
    Sha256(Digest),
    /// A commitment, of which its host has the salt.
    Commitment(Digest),
}

/// What the child does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    /// The job's section.
    pub(super) work: PrintWork,
    /// The queue.
    pub(super) queue: QueueDefinition,
    /// A file that was brought for it, instead of files of the host; and what people call it.
    pub(super) brought: Option<(PathBuf, String)>,
}

/// The names of things beside an attempt's specification.
pub(crate) const DOCUMENTS: &str = "documents";
/// What became of its documents, written by the executor and read by the child.
pub(crate) const FATES: &str = "fates";
/// What was brought from another run.
pub(crate) const BROUGHT: &str = "brought";

/// What the child found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gathered {
    /// The documents, in the order in which they are printed.
    pub(super) documents: Vec<Found>,
    /// What the control total said.
    pub(super) control: Option<domain::event::ControlSeen>,
}

/// A document that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Found {
    /// Its file among those the child wrote.
    pub(super) file: String,
    /// What people call it.
    pub(super) title: String,
    /// Where it came from.
    pub(super) source: String,
    /// What tells this file from another of the same content: where it will not be there any more, it is the same in every
    /// run.
    pub(super) arrival: Option<String>,
    /// What it is.
    pub(super) format: domain::print::DocumentFormat,
    /// Pages.
    pub(super) pages: u32,
    /// Bytes.
    pub(super) bytes: u64,
    /// What its sheets say.
    pub(super) sheets: Vec<super::spool::Sheet>,
    /// The parts it is cut into.
    pub(super) parts: Vec<Part>,
}

/// A part of a document, for one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// The recipient's key.
    pub(super) recipient: String,
    /// Which pages.
    pub(super) pages: domain::print::PageRange,
    /// Its file among those the child wrote.
    pub(super) file: String,
}

/// What became of an attempt's documents so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fates {
    /// All of them are on the host's disk and in the log: their sources are not needed any more.
    pub(super) spooled: bool,
    /// Why they are not.
    pub(super) problem: Option<String>,
    /// What became of each, where nothing more will.
    pub(super) ended: Option<Vec<Fate>>,
}

/// What became of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fate {
    /// The first digits of its identity.
    pub(super) id: String,
    /// In words.
    pub(super) words: String,
    /// Whether it is as it should be.
    pub(super) good: bool,
}
