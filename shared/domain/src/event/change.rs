//! Bodies of `change.*`: what people say of a definition that was proposed, beside approving it. They stand in the stream of
//! the job, calendar, queue or whatever else is defined there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::canonical::Digest;

/// `change.rejected` 1: somebody else does not want it. Said of one that became active in an emergency, it is an objection:
/// it stays active until another takes its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeRejected {
    /// Number of the definition.
    pub number: u32,
    /// Its digest: what was rejected is what was shown.
    pub digest: Digest,
    /// Why.
    pub reason: String,
}

/// `change.withdrawn` 1: whoever proposed it does not want it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeWithdrawn {
    /// Number of the definition.
    pub number: u32,
    /// Why.
    pub reason: String,
}

/// `change.commented` 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeCommented {
    /// Number of the definition.
    pub number: u32,
    /// What they say.
    pub text: String,
}

/// `change.expedited` 1: it cannot wait. Whoever proposed it may make it active now, and somebody else says whether that was
/// right until an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeExpedited {
    /// Number of the definition.
    pub number: u32,
    /// Its digest.
    pub digest: Digest,
    /// Why it cannot wait.
    pub reason: String,
    /// Until when somebody else has to have looked.
    pub until: Timestamp,
}

/// `change.ratified` 1: somebody else says that what became active in an emergency was right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeRatified {
    /// Number of the definition.
    pub number: u32,
    /// Its digest.
    pub digest: Digest,
    /// What they looked at.
    pub reason: String,
}
