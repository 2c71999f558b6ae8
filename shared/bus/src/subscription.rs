//! Listening to a topic.

use std::sync::Arc;

use bytes::Bytes;

use crate::ring::Ring;
use crate::tracked::Tracked;

/// What a subscriber hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// One message.
    Message(Bytes),
    /// So many messages are missing here, because the reader was too slow. 0 means an unknown number:
    /// the connection was away. Whoever follows the log reads it again from where they are.
    Lagged(u64),
}

/// A listener on one topic. What waits for it is bounded by [`crate::Limits::subscription_messages`]
/// and [`crate::limits::SUBSCRIPTION_BYTES`]; beyond it loses the oldest.
#[derive(Debug)]
pub struct Subscription {
    ring: Arc<Ring>,
    _pump: Option<Tracked>,
}

impl Subscription {
    pub(crate) fn new(ring: Arc<Ring>, pump: Option<Tracked>) -> Subscription {
        Subscription { ring, _pump: pump }
    }

    /// Waits for the next delivery; `None` when the bus is gone. May be cancelled without loss.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.ring.next().await
    }
}
