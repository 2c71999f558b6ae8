//! What can go wrong on the bus, and what to do about it.

use std::time::Duration;

/// A failure of the bus. None of them says that a message was *not* delivered, except
/// [`BusError::NoResponder`], [`BusError::TooLarge`], [`BusError::BadName`] and [`BusError::QueueFull`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// A name that could not be used safely. Nothing was sent.
    #[error("{what} {name:?} cannot be used on the bus: it must be {rule}")]
    BadName {
        /// What was named.
        what: &'static str,
        /// The name.
        name: String,
        /// What is allowed.
        rule: &'static str,
    },
    /// A setting that cannot work.
    #[error("the bus setting {field} cannot be used: {reason}")]
    Config {
        /// The setting.
        field: &'static str,
        /// Why not, and what to write instead.
        reason: String,
    },
    /// The first connection failed.
    #[error(
        "could not connect to NATS at {url}: {reason}; \
         check that the server runs, that the address is right and that this host may reach it"
    )]
    Connect {
        /// The address tried.
        url: String,
        /// What the last attempt met.
        reason: String,
    },
    /// Nobody serves this; nothing was done. Try again when a server has started.
    #[error("nobody serves {service}; is that service running and connected?")]
    NoResponder {
        /// What was asked for.
        service: String,
    },
    /// A server took the request and gave it up unanswered: too many were waiting, or it stopped. It may
    /// have been carried out; ask again.
    #[error(
        "the server of {service} gave the request up unanswered (too busy, or it stopped); ask again"
    )]
    Busy {
        /// What was asked for.
        service: String,
    },
    /// No answer in time. It may have been carried out; ask again.
    #[error("{doing} was not answered within {after:?}; it may have been carried out all the same")]
    Timeout {
        /// What was tried.
        doing: String,
        /// How long was waited.
        after: Duration,
    },
    /// The connection is down, or broke while waiting. It comes back by itself; send again then.
    #[error(
        "{doing}: the connection to NATS is down; it is tried again and again, send again later"
    )]
    Disconnected {
        /// What was tried.
        doing: String,
    },
    /// The body is over the limit. Nothing was sent.
    #[error("{what} has {size} bytes; the bus takes {limit} at most")]
    TooLarge {
        /// What was to be sent.
        what: String,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The pool's queue is full. Nothing was queued; offer it again when workers have caught up.
    #[error("the queue of pool {pool} holds its {limit} pieces of work; offer it again later")]
    QueueFull {
        /// The pool.
        pool: String,
        /// [`crate::Limits::queue_messages`].
        limit: u32,
    },
    /// The queue does not work and could not be repaired.
    #[error("{doing} the queue of pool {pool} failed: {reason}; is JetStream enabled and healthy?")]
    Queue {
        /// The pool.
        pool: String,
        /// What was tried.
        doing: &'static str,
        /// What the server said.
        reason: String,
    },
}
