//! What all handlers share.

use std::net::SocketAddr;
use std::sync::Arc;

use bus::Bus;
use jiff::{SignedDuration, Timestamp};
use journal::Outbox;
use tokio::sync::watch;

use crate::config::Joining;
use crate::controls::Controls;
use crate::heard::Hosts;
use crate::metrics::Metrics;
use crate::people::{Denials, Directory, Keys, Patience, Provider};
use crate::places::Places;
use crate::pulse::Pulse;
use crate::repeats::Repeats;

/// How far clocks may be apart.
pub(crate) const SKEW: SignedDuration = SignedDuration::from_millis(domain::ledger::SKEW_MS_MAX);

/// What a console is told of itself that is no secret.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    pub(crate) name: String,
    pub(crate) listen: SocketAddr,
    /// How browsers come here, in words.
    pub(crate) tls: &'static str,
    /// Version of the time zone database that it reads times by.
    pub(crate) tzdb: String,
}

/// The console.
#[derive(Clone)]
pub(crate) struct Console {
    pub(crate) bus: Bus,
    pub(crate) outbox: Outbox,
    pub(crate) clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub(crate) people: Arc<Directory>,
    pub(crate) keys: Keys,
    pub(crate) patience: Arc<Patience>,
    pub(crate) denials: Arc<Denials>,
    /// Whether browsers come by TLS: then a session's cookie never goes without.
    pub(crate) secure: bool,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) heard: Arc<Hosts>,
    /// Whether the recorder answers.
    pub(crate) pulse: Arc<Pulse>,
    /// What this console is told of itself.
    pub(crate) own: Arc<Own>,
    pub(crate) repeats: Arc<Repeats>,
    /// Controls, as this console has tested them.
    pub(crate) controls: Arc<Controls>,
    pub(crate) places: Arc<Places>,
    /// How other hosts join, where this is not all in one process.
    pub(crate) joining: Option<Arc<Joining>>,
    /// The directory by which people come in, where there is one.
    pub(crate) provider: Option<Arc<Provider>>,
    /// Position of the newest event seen: whoever follows the log is woken by it.
    pub(crate) news: Arc<watch::Sender<u64>>,
    /// Turns true when this console shall stop.
    pub(crate) stop: watch::Receiver<bool>,
}

impl Console {
    /// An instant that is past by the recorder's clock too, which may be behind this one.
    pub(crate) fn surely_past(&self) -> Timestamp {
        let now = (self.clock)();
        now.checked_sub(SKEW).unwrap_or(now)
    }
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").finish_non_exhaustive()
    }
}
