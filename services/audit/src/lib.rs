//! The recorder: the only writer of the log. Checks, orders, commits, signs heads, publishes the feed,
//! answers queries.
//!
//! Several recorders may run at once. They do not know of each other: the compare-and-swap of the head
//! row lets one of two commits through, and the other judges its batch anew.

mod archiving;
mod commits;
mod config;
mod continuing;
mod examined;
mod housekeeping;
mod join;
mod own;
pub mod place;
mod queries;
mod reached;
mod recorder;
mod signer;
mod tiles;
mod timestamps;
mod witnesses;

use std::sync::Arc;

use anyhow::Context as _;
use bus::{Bus, Service};
use domain::ids::{Class, ProducerId};
use eventlog::Appender;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

pub use config::AuditConfig;
pub use continuing::{Continuation, ContinueAs, continue_log};
pub use join::join_token;
pub use timestamps::{StampedHead, stamped_heads};

/// Whoever runs a role tells it the time, and when to stop.
#[derive(Clone)]
pub struct Surroundings {
    /// The clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Turns true when the role shall stop.
    pub stop: watch::Receiver<bool>,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

/// Requests that may wait for one batch.
const WAITING_MAX: usize = 4_096;

/// Records until it is told to stop. `ready` is called when it takes requests.
///
/// # Errors
/// The database cannot be used, a key cannot be read, or the log is not the one this signer knows.
pub async fn run(
    config: AuditConfig,
    bus: Bus,
    around: Surroundings,
    ready: impl FnOnce() + Send,
) -> anyhow::Result<()> {
    let log = config.open().await?;
    log.check_schema().await?;
    let keys = own::Keys::open(&config)?;
    let producer = ProducerId::new(Class::Audit, &config.name)?;
    let mut appender = Appender::open(log.clone()).await?;
    own::enter(&mut appender, &config, &producer, &keys, &bus, &around).await?;
    let origin = appender.ledger().origin.clone().context("the log has no first event")?;
    let reached =
        reached::Reached::open(&continuing::reached_file(&config), &origin, appender.head().0)?;
    let signer = signer::Signer::open(&config, &keys, &appender).await?;
    let requests = bus.serve(Service::Append, WAITING_MAX).await?;
    let asked = config.witnesses.as_deref().filter(|_| signer.is_some());
    let asked = asked.map(witnesses::read).transpose()?;
    let authority = timestamps::read(&config)?.filter(|_| signer.is_some());
    let commits = commits::Commits::default();
    let queries = queries::serve(log.clone(), commits.clone(), bus.clone(), around.stop.clone());
    let mut beside = vec![tokio::spawn(queries)];
    let (ticks, mut housekeeper) = housekeeping::start(&config).await?;
    beside.extend(asked.map(|witnesses| {
        let every = config.witness_every.as_duration();
        tokio::spawn(witnesses::ask_all(witnesses, every, log.clone(), around.clone()))
    }));
    beside.extend(config.tiles.clone().map(|dir| {
        let every = config.head_every.as_duration();
        tokio::spawn(tiles::keep(dir, every, log.clone(), around.clone()))
    }));
    let (archived, segments) = mpsc::channel(1);
    if config.archives() {
        let archiving = archiving::keep(config.clone(), log.clone(), around.clone(), archived);
        beside.push(tokio::spawn(archiving));
    }
    beside.extend(
        authority.map(|authority| {
            tokio::spawn(timestamps::keep(authority, log.clone(), around.clone()))
        }),
    );
    ready();
    let own = own::Own { producer, keys };
    let known = (signer, reached, commits);
    let recorder = recorder::Recorder::new(appender, own, known, bus, &config, around);
    let done = recorder.run(requests, ticks, segments).await;
    beside.iter().for_each(tokio::task::JoinHandle::abort);
    housekeeper.shutdown().await.context("stopping the housekeeping")?;
    done
}
