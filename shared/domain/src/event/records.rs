//! Bodies of `hold.*` and `payload.*`: what is kept although its time has come, and what is erased before. All of them stand in
//! `log/records`.

use serde::{Deserialize, Serialize};

use crate::ids::StreamId;

/// `hold.placed` 1: payloads of these jobs and queues are not erased until the hold is lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldPlaced {
    /// What the hold is called: a file number, most often.
    pub name: String,
    /// What it is over: `job/NAME`, `queue/NAME`, each also with `*` at the end, or `*` alone.
    pub over: Vec<String>,
    /// Why.
    pub reason: String,
}

/// `hold.lift-asked` 1: somebody wants a hold to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldLiftAsked {
    /// The hold.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// `hold.kept` 1: it goes on, although somebody had asked for its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldKept {
    /// The hold.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// `hold.lifted` 1: somebody else agrees, and it is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldLifted {
    /// The hold.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// `payload.redaction-asked` 1: somebody wants that what a run wrote, or a document, is erased before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadRedactionAsked {
    /// The run or document.
    pub of: StreamId,
    /// On what ground: a law, a contract, a person's request.
    pub reason: String,
}

/// `payload.redaction-declined` 1: it is not erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadRedactionDeclined {
    /// The run or document.
    pub of: StreamId,
    /// Why.
    pub reason: String,
}

/// `payload.redacted` 1: somebody else than who asked agrees. Whoever has it destroys it, and says so; a payload of it that is
/// not there is not missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadRedacted {
    /// The run or document.
    pub of: StreamId,
    /// The hosts that have something of it.
    pub hosts: Vec<String>,
    /// Why.
    pub reason: String,
}

/// `payload.erased` 1: a host has nothing of it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadErased {
    /// The run or document.
    pub of: StreamId,
    /// The host.
    pub host: String,
}
