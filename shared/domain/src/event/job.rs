//! Bodies of `job.*`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::DefinitionRef;
use crate::canonical::Digest;

/// `job.proposed` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobProposed {
    /// Number of the definition within the job, from 1.
    pub number: u32,
    /// SHA-256 of the canonical JSON of `definition`.
    pub digest: Digest,
    /// The definition as JSON, every default written out.
    pub definition: Value,
    /// Why, in the words of whoever proposed it.
    pub reason: String,
}

/// `job.approved` 1: from the moment the recorder received this, the definition is the active one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobApproved {
    /// Number of the proposed definition.
    pub number: u32,
    /// Its digest: what was approved is what was shown.
    pub digest: Digest,
}

/// `job.paused` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobPaused {
    /// Why.
    pub reason: String,
}

/// `job.resumed` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobResumed {
    /// Why.
    pub reason: String,
}

/// `job.retired` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRetired {
    /// Why.
    pub reason: String,
}

/// `job.occurrence-held` 1: the occurrence at `at` waits for a person when its time comes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobOccurrenceHeld {
    /// Its instant.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// `job.occurrence-released` 1: nothing special becomes of the occurrence at `at` any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobOccurrenceReleased {
    /// Its instant.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// `job.occurrence-skipped` 1: the occurrence at `at` will not run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobOccurrenceSkipped {
    /// Its instant.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// `job.occurrence-moved` 1: the occurrence at `at` runs at `to` instead, before or after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobOccurrenceMoved {
    /// Its instant, which stays its name.
    pub at: Timestamp,
    /// When it runs.
    pub to: Timestamp,
    /// Why.
    pub reason: String,
}

/// `job.lease-granted` 1: the host decides the job's occurrences after `from` and up to `until` itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobLeaseGranted {
    /// The host.
    pub host: String,
    /// The definition it follows, whatever is approved meanwhile.
    pub definition: DefinitionRef,
    /// Exclusive.
    pub from: Timestamp,
    /// Inclusive.
    pub until: Timestamp,
}

/// `job.lease-returned` 1: the host decides none after `until`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobLeaseReturned {
    /// Inclusive: the last instant that was the host's to decide.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}
