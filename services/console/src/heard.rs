//! What hosts said last of themselves. It is in no event: a heartbeat is news only until the next.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use domain::ids::StreamId;
use domain::wire::Heartbeat;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Most hosts that are remembered.
const HOSTS_MAX: usize = 100_000;

/// A host's newest heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// When this console heard it.
    pub at: Timestamp,
    /// Attempts under way: run and number.
    pub running: Vec<(StreamId, u32)>,
    /// Slots without an attempt.
    pub free: u32,
    /// All slots.
    pub slots: u32,
    /// Events in its journal that are not committed yet.
    pub unsent: u64,
}

/// The newest heartbeat of each host.
#[derive(Debug, Default)]
pub(crate) struct Hosts(Mutex<BTreeMap<String, Heard>>);

impl Hosts {
    pub(crate) fn take(&self, heartbeat: Heartbeat, at: Timestamp) {
        let Heartbeat::Executor { host, running, free, slots, unsent, .. } = heartbeat else {
            return;
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < HOSTS_MAX || known.contains_key(&host) {
            known.insert(host, Heard { at, running, free, slots, unsent });
        }
    }

    /// What each host said last.
    pub(crate) fn all(&self) -> BTreeMap<String, domain::why::Heard> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = |heard: &Heard| {
            let Heard { at, free, slots, .. } = *heard;
            domain::why::Heard { at, free, slots }
        };
        known.iter().map(|(host, heard)| (host.clone(), one(heard))).collect()
    }

    /// What the host said last; `None` where this console has not heard it since it started.
    pub(crate) fn of(&self, host: &str) -> Option<Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(host).cloned()
    }
}
