//! What hosts and schedulers said last of themselves. It is in no event: a heartbeat is news only until the next.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use domain::ids::StreamId;
use domain::wire::Heartbeat;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Most hosts that are remembered.
const HOSTS_MAX: usize = 100_000;
/// Most schedulers that are.
const SCHEDULERS_MAX: usize = 100;

/// Who was not heard for so long is silent, seconds.
const SILENT: i64 = 30;

/// Whether somebody who was heard last then is silent now.
pub(crate) fn is_silent(heard: Timestamp, now: Timestamp) -> bool {
    now.as_second() - heard.as_second() > SILENT
}

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
    /// Why it can say nothing more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hindered: Option<String>,
}

/// The newest heartbeat of each host, and when each scheduler was heard.
#[derive(Debug, Default)]
pub(crate) struct Hosts(Mutex<BTreeMap<String, Heard>>, Mutex<BTreeMap<String, Spoken>>);

/// When a scheduler was heard, and why it can say nothing more.
type Spoken = (Timestamp, Option<String>);

/// Puts something in its place, where there is one.
fn put<T>(known: &Mutex<BTreeMap<String, T>>, name: String, heard: T, most: usize) {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() < most || known.contains_key(&name) {
        known.insert(name, heard);
    }
}

impl Hosts {
    pub(crate) fn take(&self, heartbeat: Heartbeat, at: Timestamp) {
        match heartbeat {
            Heartbeat::Executor { host, running, free, slots, unsent, hindered, .. } => {
                put(&self.0, host, Heard { at, running, free, slots, unsent, hindered }, HOSTS_MAX);
            }
            Heartbeat::Scheduler { id, hindered, .. } => {
                put(&self.1, id, (at, hindered), SCHEDULERS_MAX);
            }
        }
    }

    /// When each scheduler was heard last, since this console started.
    pub(crate) fn schedulers(&self) -> BTreeMap<String, Spoken> {
        self.1.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
