//! Bodies of `host.*`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::canonical::Digest;

/// `host.started` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostStarted {
    /// Version of the executor.
    pub version: String,
    /// The machine's boot, so that a reboot shows.
    pub boot: String,
    /// How many attempts may run at once.
    pub slots: u32,
    /// The pools it takes work from.
    pub pools: Vec<String>,
    /// Attempts of an earlier life that it found and looks after.
    pub found: u32,
    /// What jobs can select it by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// SHA-256 of the executor's own file, where it could read that. It is what the host says of itself: whoever owns the host
    /// can have it say anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Digest>,
}

/// `host.stopped` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostStopped {
    /// Why.
    pub reason: String,
    /// Attempts that go on under their supervisors.
    pub running: u32,
}

/// `host.drained` 1: the host starts nothing new until it is resumed; what runs there goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostDrained {
    /// Why.
    pub reason: String,
}

/// `host.resumed` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostResumed {
    /// Why.
    pub reason: String,
}

/// `host.revoked` 1: its key counts no more. Nothing that it says from then on is taken, or has an effect, and what runs there is
/// lost as far as anybody can tell. A host of that name comes back only by an invitation, with another key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostRevoked {
    /// Why.
    pub reason: String,
}

/// `host.invited` 1: an executor of this name that has this code is let in, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostInvited {
    /// SHA-256 of the code, which is 99 random bits.
    pub code: Digest,
    /// When it ends.
    pub until: Timestamp,
    /// Which key of the host it is for, from 2; the first when absent. With it none of those before counts any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    /// Why.
    pub reason: String,
}
