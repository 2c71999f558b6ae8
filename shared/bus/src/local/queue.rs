//! One pool's work queue in memory.

mod ids;
mod state;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::locked;
use crate::work::Hold;
use crate::{BusError, Limits, Work};
use state::{State, Taken};

/// The queue. Nothing runs in the background: whoever comes by returns what was held too long.
#[derive(Debug)]
pub(crate) struct Queue {
    limits: Limits,
    state: Mutex<State>,
    changed: Notify,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Queue {
        Queue { limits, state: Mutex::default(), changed: Notify::new() }
    }

    pub(super) fn offer(&self, pool: &str, id: &str, body: Bytes) -> Result<(), BusError> {
        let limit = self.limits.queue_messages;
        if !locked(&self.state).offer(id, body, &self.limits, Instant::now()) {
            return Err(BusError::QueueFull { pool: pool.to_owned(), limit });
        }
        self.changed.notify_waiters();
        Ok(())
    }

    pub(super) fn depth(&self) -> u64 {
        locked(&self.state).depth()
    }
}

/// One of the queue's workers.
#[derive(Debug)]
pub(crate) struct LocalWorker {
    queue: Arc<Queue>,
}

impl LocalWorker {
    pub(super) fn new(queue: Arc<Queue>) -> LocalWorker {
        LocalWorker { queue }
    }

    pub(crate) async fn take(&mut self, max: usize, wait: Duration) -> Vec<Work> {
        let deadline = Instant::now() + wait;
        loop {
            // Listening begins before looking, so nothing offered in between is missed.
            let mut changed = std::pin::pin!(self.queue.changed.notified());
            changed.as_mut().enable();
            let (taken, next_return) = self.take_now(max);
            if !taken.is_empty() || Instant::now() >= deadline {
                return taken;
            }
            let until = next_return.map_or(deadline, |due| due.min(deadline));
            tokio::time::timeout_at(until, changed).await.ok();
        }
    }

    fn take_now(&self, max: usize) -> (Vec<Work>, Option<Instant>) {
        let ack_wait = self.queue.limits.ack_wait();
        let mut state = locked(&self.queue.state);
        let taken = state.take(max, ack_wait, Instant::now());
        let next_return = state.next_return();
        drop(state);
        (taken.into_iter().map(|taken| self.work(taken)).collect(), next_return)
    }

    fn work(&self, taken: Taken) -> Work {
        let hold = LocalHold { queue: self.queue.clone(), key: taken.key, turn: taken.turn };
        Work::new(taken.body, Hold::Local(hold))
    }
}

/// A worker's hold on one piece of work.
#[derive(Debug)]
pub(crate) struct LocalHold {
    queue: Arc<Queue>,
    key: u64,
    turn: u64,
}

impl LocalHold {
    pub(crate) fn done(self) {
        locked(&self.queue.state).done(self.key);
    }

    pub(crate) fn back(self, delay: Duration) {
        locked(&self.queue.state).back(self.key, self.turn, delay, Instant::now());
        self.queue.changed.notify_waiters();
    }
}
