//! Every bound of the bus, by name and with its unit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::BusError;

/// The largest request, reply or broadcast, in bytes. NATS refuses more than 1 MiB by default, and
/// counts headers too.
pub const MAX_MESSAGE_BYTES: usize = 960 * 1024;
/// The largest piece of work, in bytes: it says what to run, it does not carry it. With
/// [`Limits::queue_messages`] it bounds a queue in bytes as well.
pub const MAX_WORK_BYTES: usize = 64 * 1024;
/// The longest id of a piece of work, in bytes.
pub const MAX_ID_BYTES: usize = 256;
/// The most pieces of work one [`crate::Worker::take`] returns.
pub const MAX_TAKE: usize = 1_000;
/// How many bytes may wait for one slow subscriber before it loses the oldest.
pub const SUBSCRIPTION_BYTES: usize = 16 * 1024 * 1024;
/// How many ids the in-process form remembers for one pool; beyond it the oldest is forgotten before its
/// window ends, so a repeat of it would be a second piece of work.
pub const DEDUP_IDS: usize = 1_000_000;

/// How long [`crate::Bus::connect`] tries before it gives up.
pub const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How long a message may wait for room on the way to the socket.
pub const PUBLISH_WAIT: Duration = Duration::from_millis(500);
/// How long [`crate::Bus::offer`] tries to get the queue to take its work.
pub const OFFER_WAIT: Duration = Duration::from_secs(5);
/// How long [`crate::Worker::take`] tries to repair a queue, if that is more than its own wait.
pub const REPAIR_WAIT: Duration = Duration::from_secs(10);
/// The longest wait of a worker and the longest delay of work given back; more is taken as this.
pub const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) const SERVER_TIMEOUT: Duration = Duration::from_secs(2);
pub(crate) const JETSTREAM_TIMEOUT: Duration = Duration::from_secs(5);
pub(crate) const LINK_POLL: Duration = Duration::from_millis(200);
pub(crate) const LONGEST_RECONNECT_PAUSE: Duration = Duration::from_secs(2);
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(10);
/// A pull waits at the server for so long at most; then it is asked again, so a consumer that vanished
/// without a word is noticed.
pub(crate) const PULL_SLICE: Duration = Duration::from_secs(5);
/// How many workers of one pool may wait at once.
pub(crate) const WAITING_WORKERS: i64 = 8_192;

/// The bounds that may differ from one installation to the next. All services on one NATS must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How many pieces of work one pool's queue holds, taken ones included. At the limit an offer is
    /// refused with [`BusError::QueueFull`].
    pub queue_messages: u32,
    /// How long a worker may hold work before another gets it, in milliseconds.
    pub ack_wait_ms: u32,
    /// How long an id is remembered: a repeat within it is not a second piece of work. In milliseconds,
    /// 100 at least.
    pub dedup_window_ms: u32,
    /// How many messages may wait for one slow subscriber before it loses the oldest.
    pub subscription_messages: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            queue_messages: 100_000,
            ack_wait_ms: 30_000,
            dedup_window_ms: 120_000,
            subscription_messages: 4_096,
        }
    }
}

impl Limits {
    pub(crate) fn ack_wait(&self) -> Duration {
        Duration::from_millis(u64::from(self.ack_wait_ms))
    }

    pub(crate) fn dedup_window(&self) -> Duration {
        Duration::from_millis(u64::from(self.dedup_window_ms))
    }

    /// Refuses what NATS would refuse, or what would let nothing through.
    pub(crate) fn check(&self) -> Result<(), BusError> {
        let wrong = |field: &'static str, rule: &'static str| {
            Err(BusError::Config { field, reason: rule.to_owned() })
        };
        if self.queue_messages == 0 {
            return wrong("limits.queue_messages", "it must be 1 or more");
        }
        if self.ack_wait_ms == 0 {
            return wrong("limits.ack_wait_ms", "it must be 1 or more");
        }
        if self.dedup_window_ms < 100 {
            return wrong("limits.dedup_window_ms", "it must be 100 or more");
        }
        if self.subscription_messages == 0 {
            return wrong("limits.subscription_messages", "it must be 1 or more");
        }
        Ok(())
    }
}

/// Refuses a body over a limit before anything is sent.
pub(crate) fn check_size(what: &str, size: usize, limit: usize) -> Result<(), BusError> {
    if size > limit {
        return Err(BusError::TooLarge { what: what.to_owned(), size, limit });
    }
    Ok(())
}
