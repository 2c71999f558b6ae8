//! What all parts of an executor share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus::Bus;
use domain::ids::{ProducerId, StreamId};
use jiff::Timestamp;
use journal::Outbox;
use tokio::sync::{Semaphore, watch};

use crate::attempt::{AllowList, AttemptDir, SupervisorProgram};

/// An attempt under way on this host.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) attempt: u32,
    pub(crate) dir: AttemptDir,
    /// Somebody wants it to stop, and why.
    pub(crate) cancel: Option<String>,
}

/// The host.
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) producer: ProducerId,
    pub(crate) user: String,
    pub(crate) lease_ms: u64,
    pub(crate) attempts: PathBuf,
    pub(crate) cgroup: Option<PathBuf>,
    pub(crate) allow: AllowList,
    pub(crate) supervisors: SupervisorProgram,
    pub(crate) bus: Bus,
    pub(crate) outbox: Outbox,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) slots_all: u32,
    pub(crate) clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub(crate) stop: watch::Receiver<bool>,
    held: Mutex<BTreeMap<StreamId, Held>>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The parts of a host that [`Host::new`] puts together.
pub(crate) struct Parts {
    pub(crate) producer: ProducerId,
    pub(crate) user: String,
    pub(crate) lease_ms: u64,
    pub(crate) attempts: PathBuf,
    pub(crate) allow: AllowList,
    pub(crate) supervisors: SupervisorProgram,
    pub(crate) bus: Bus,
    pub(crate) outbox: Outbox,
    pub(crate) slots: u32,
    pub(crate) clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Host {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            name: parts.producer.name().to_owned(),
            producer: parts.producer,
            user: parts.user,
            lease_ms: parts.lease_ms,
            attempts: parts.attempts,
            cgroup: crate::attempt::cgroup::delegated(),
            allow: parts.allow,
            supervisors: parts.supervisors,
            bus: parts.bus,
            outbox: parts.outbox,
            slots: Arc::new(Semaphore::new(parts.slots as usize)),
            slots_all: parts.slots,
            clock: parts.clock,
            stop: parts.stop,
            held: Mutex::new(BTreeMap::new()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<StreamId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an attempt; false where this host holds one of the run already.
    pub(crate) fn hold(&self, run: &StreamId, held: Held) -> bool {
        let mut all = self.lock();
        if all.contains_key(run) {
            return false;
        }
        all.insert(run.clone(), held);
        true
    }

    pub(crate) fn holds(&self, run: &StreamId) -> bool {
        self.lock().contains_key(run)
    }

    pub(crate) fn release(&self, run: &StreamId) {
        self.lock().remove(run);
    }

    /// Attempts under way.
    pub(crate) fn running(&self) -> Vec<(StreamId, u32)> {
        self.lock().iter().map(|(run, held)| (run.clone(), held.attempt)).collect()
    }

    /// Notes that a run shall stop, and returns the attempt to be told.
    pub(crate) fn wants_stop(&self, run: &StreamId, reason: &str) -> Option<AttemptDir> {
        let mut all = self.lock();
        let held = all.get_mut(run)?;
        held.cancel = Some(reason.to_owned());
        Some(held.dir.clone())
    }

    /// Why the run shall stop, if somebody said so.
    pub(crate) fn stop_reason(&self, run: &StreamId) -> Option<String> {
        self.lock().get(run).and_then(|held| held.cancel.clone())
    }
}
