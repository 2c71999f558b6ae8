//! Bodies of `job.*`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
