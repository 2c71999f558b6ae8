//! A producer's journal: everything it says stands on its own disk, signed and fsynced, before it acts
//! on it or sends it, and stays there until the recorder says *committed*.
//!
//! [`Journal`] is the file; [`Outbox`] is the journal at work: it groups what is said at one time into
//! flushes, and delivers them in order, for ever, until each has its answer. [`Heads`] is what the producer has seen of the log,
//! and says in its events.
//!
//! *Invariant:* what [`Outbox::append`] has called durable survives kill -9 and power loss, and reaches
//! the log exactly once. What was being written when the power went is cut off at the next start and
//! reported; nobody had acted on it, because the write had not returned.

mod file;
mod heads;
mod key;
mod outbox;
mod record;
mod whole;

pub use file::{Cut, Journal, JournalError, Opened, Written};
pub use heads::Heads;
pub use key::{KeyFileError, load_or_create_key};
pub use outbox::{Closed, Handed, Outbox, OutboxConfig, Receipt, Transport, Verdict};
pub use whole::replace;
