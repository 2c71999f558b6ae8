//! What waits for one subscriber: the newest messages, and how many were lost.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::Delivery;
use crate::limits::SUBSCRIPTION_BYTES;

/// A bounded buffer with one reader. Writing never waits: at the limit the oldest goes and is counted.
#[derive(Debug)]
pub(crate) struct Ring {
    limit: usize,
    state: Mutex<State>,
    written: Notify,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Bytes>,
    bytes: usize,
    lost: u64,
    interrupted: bool,
    closed: bool,
}

impl Ring {
    pub(crate) fn new(limit: u32) -> Ring {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).max(1);
        Ring { limit, state: Mutex::default(), written: Notify::new() }
    }

    pub(crate) fn push(&self, body: Bytes) {
        let mut state = self.state();
        state.bytes += body.len();
        state.messages.push_back(body);
        while state.messages.len() > self.limit || state.bytes > SUBSCRIPTION_BYTES {
            state.lose_oldest();
        }
        drop(state);
        self.written.notify_one();
    }

    /// Says that an unknown number of messages may be missing from here on.
    pub(crate) fn interrupt(&self) {
        self.state().interrupted = true;
        self.written.notify_one();
    }

    /// Nothing more will come.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.written.notify_one();
    }

    /// The next delivery; `None` when closed and empty.
    pub(crate) async fn next(&self) -> Option<Delivery> {
        loop {
            if let Some(next) = self.state().next() {
                return next;
            }
            self.written.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lose_oldest(&mut self) {
        if let Some(oldest) = self.messages.pop_front() {
            self.bytes -= oldest.len();
            self.lost += 1;
        }
    }

    /// `None`: nothing to say yet. A loss is told first, because what was lost is older.
    fn next(&mut self) -> Option<Option<Delivery>> {
        if self.lost > 0 || self.interrupted {
            self.interrupted = false;
            return Some(Some(Delivery::Lagged(std::mem::take(&mut self.lost))));
        }
        if let Some(body) = self.messages.pop_front() {
            self.bytes -= body.len();
            return Some(Some(Delivery::Message(body)));
        }
        self.closed.then_some(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_limit_in_bytes_holds_as_well_as_the_limit_in_messages() {
        let ring = Ring::new(1_000);
        let large = Bytes::from(vec![0; SUBSCRIPTION_BYTES / 4]);
        for _ in 0..6 {
            ring.push(large.clone());
        }
        assert_eq!(ring.next().await, Some(Delivery::Lagged(2)));
    }
}
