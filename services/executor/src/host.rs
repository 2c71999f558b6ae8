//! What all parts of an executor share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus::Bus;
use domain::ids::{ProducerId, StreamId};
use jiff::Timestamp;
use journal::Outbox;
use tokio::sync::{Notify, Semaphore, watch};

use crate::alone::OwnWork;
use crate::attempt::{AllowList, AttemptDir, SupervisorProgram};
use crate::backup::look;
use crate::print::books::Books;
use crate::records::KnownRecords;
use crate::sealing::Sealing;
use delivery::mail::MailConfig;

/// An attempt under way on this host.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) attempt: u32,
    pub(crate) dir: AttemptDir,
    /// Somebody wants it to stop, and why.
    pub(crate) cancel: Option<String>,
    /// Its command has ended, and the log does not know it yet.
    pub(crate) ended: bool,
}

impl Held {
    pub(crate) fn new(attempt: u32, dir: AttemptDir) -> Self {
        Self { attempt, dir, cancel: None, ended: false }
    }
}

/// Most runs that are watched because they wait for files.
const WATCHED_MAX: usize = 1_000;
/// Documents delivered at once.
const DELIVERING: usize = 4;
/// Most looks at files at once.
const LOOKS: usize = 8;

/// The host.
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) producer: ProducerId,
    pub(crate) user: String,
    pub(crate) lease_ms: u64,
    pub(crate) attempts: PathBuf,
    /// Where engines that look into snapshots have their directories.
    pub(crate) looks: PathBuf,
    pub(crate) cgroup: Option<PathBuf>,
    pub(crate) allow: AllowList,
    pub(crate) supervisors: SupervisorProgram,
    pub(crate) bus: Bus,
    pub(crate) outbox: Outbox,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) slots_all: u32,
    /// Places for looks at files.
    pub(crate) files: Semaphore,
    /// Places for looks into snapshots.
    pub(crate) eyes: Semaphore,
    /// Places for documents that are delivered.
    pub(crate) delivering: Semaphore,
    /// The pools it takes work from.
    pub(crate) pools: Vec<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub(crate) stop: watch::Receiver<bool>,
    /// Version of the time zone database.
    pub(crate) tzdb: String,
    /// Jobs it decides itself.
    pub(crate) own: OwnWork,
    /// Documents it has.
    pub(crate) books: Books,
    /// What the log says of holds and redactions.
    pub(crate) records: KnownRecords,
    /// Attempts of which what they left is to be encrypted.
    pub(crate) sealing: Sealing,
    /// How it sends mail.
    pub(crate) mail: Option<MailConfig>,
    /// Where its lists of addresses are.
    pub(crate) lists: Option<PathBuf>,
    /// Whether somebody said that it shall start nothing new; not known at first.
    drained: watch::Sender<Option<bool>>,
    held: Mutex<BTreeMap<StreamId, Held>>,
    /// Runs that wait for files.
    watched: Mutex<BTreeMap<StreamId, Arc<Notify>>>,
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
    pub(crate) pools: Vec<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) tzdb: String,
    pub(crate) own: OwnWork,
    pub(crate) books: Books,
    pub(crate) mail: Option<MailConfig>,
    pub(crate) lists: Option<PathBuf>,
}

impl Host {
    /// Whether it holds limits of memory.
    pub(crate) fn bounds_memory(&self) -> bool {
        self.cgroup.as_deref().is_some_and(crate::attempt::cgroup::bounds_memory)
    }

    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            name: parts.producer.name().to_owned(),
            producer: parts.producer,
            user: parts.user,
            lease_ms: parts.lease_ms,
            looks: look::looks_beside(&parts.attempts),
            attempts: parts.attempts,
            cgroup: crate::attempt::cgroup::delegated(),
            allow: parts.allow,
            supervisors: parts.supervisors,
            bus: parts.bus,
            outbox: parts.outbox,
            slots: Arc::new(Semaphore::new(parts.slots as usize)),
            slots_all: parts.slots,
            files: Semaphore::new(LOOKS),
            eyes: Semaphore::new(look::AT_ONCE),
            delivering: Semaphore::new(DELIVERING),
            pools: parts.pools,
            labels: parts.labels,
            clock: parts.clock,
            stop: parts.stop,
            tzdb: parts.tzdb,
            own: parts.own,
            books: parts.books,
            records: KnownRecords::default(),
            sealing: Sealing::default(),
            mail: parts.mail,
            lists: parts.lists,
            drained: watch::Sender::new(None),
            held: Mutex::new(BTreeMap::new()),
            watched: Mutex::new(BTreeMap::new()),
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

    /// An attempt is over, as far as this host is concerned.
    pub(crate) fn release(&self, run: &StreamId) {
        self.lock().remove(run);
        self.own.over(run);
    }

    /// The command of an attempt has ended; what is to be said of it may take long.
    pub(crate) fn ended(&self, run: &StreamId) {
        if let Some(held) = self.lock().get_mut(run) {
            held.ended = true;
        }
        self.own.over(run);
    }

    /// Runs of a job of which a command is under way.
    pub(crate) fn held_of(&self, job: &str) -> Vec<StreamId> {
        let all = self.lock();
        let held = all.iter().filter(|(run, held)| run.run_job() == Some(job) && !held.ended);
        held.map(|(run, _)| run.clone()).collect()
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

    fn lock_watched(&self) -> MutexGuard<'_, BTreeMap<StreamId, Arc<Notify>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a run waits for files, and gives what is rung when the feed names it; `None` where it was noted
    /// before, or too many are.
    pub(crate) fn watch(&self, run: &StreamId) -> Option<Arc<Notify>> {
        let mut all = self.lock_watched();
        if all.len() >= WATCHED_MAX || all.contains_key(run) {
            return None;
        }
        Some(Arc::clone(all.entry(run.clone()).or_default()))
    }

    pub(crate) fn unwatch(&self, run: &StreamId) {
        self.lock_watched().remove(run);
    }

    /// Whether a run waits for files here.
    pub(crate) fn watches(&self, run: &StreamId) -> bool {
        self.lock_watched().contains_key(run)
    }

    /// Whether any run does.
    pub(crate) fn watches_any(&self) -> bool {
        !self.lock_watched().is_empty()
    }

    /// Something was said about a run.
    pub(crate) fn ring(&self, run: &StreamId) {
        if let Some(told) = self.lock_watched().get(run) {
            told.notify_one();
        }
    }

    /// Whether it shall start nothing new, as far as is known.
    pub(crate) fn is_drained(&self) -> bool {
        self.drained.borrow().unwrap_or(false)
    }

    pub(crate) fn set_drained(&self, drained: bool) {
        self.drained.send_if_modified(|known| known.replace(drained) != Some(drained));
    }

    /// Resolves when it is known that it may start something new.
    pub(crate) async fn may_work(&self) {
        // Never an error: we hold the sender ourselves.
        let _ = self.drained.subscribe().wait_for(|drained| *drained == Some(false)).await;
    }
}
