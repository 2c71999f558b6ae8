//! The durable queues of work: an offer is redelivered until somebody acknowledges it, a repeated id
//! is dropped for a while, and the whole storage may be lost.

use std::collections::BTreeMap;

use domain::wire::Work;

use super::step::{Micros, SECOND};

/// How long an offer is invisible after it was delivered.
const ACK_WAIT: Micros = 15 * SECOND;
/// How long an id is remembered.
const REMEMBERED: Micros = 120 * SECOND;
/// Most offers in one queue; the oldest goes first.
const KEPT: usize = 200;

#[derive(Debug)]
struct Item {
    work: Work,
    visible: Micros,
}

/// All queues.
#[derive(Debug, Default)]
pub(super) struct WorkQueues {
    queues: BTreeMap<String, Vec<Item>>,
    ids: BTreeMap<String, Micros>,
}

impl WorkQueues {
    /// Takes an offer in, unless it is a repetition.
    pub(super) fn publish(&mut self, work: Work, now: Micros) {
        self.ids.retain(|_, until| *until > now);
        if self.ids.insert(work.id(), now + REMEMBERED).is_some() {
            return;
        }
        let queue = self.queues.entry(work.queue()).or_default();
        queue.push(Item { work, visible: now });
        if queue.len() > KEPT {
            queue.remove(0);
        }
    }

    /// Delivers the first visible offer of a queue.
    pub(super) fn take(&mut self, name: &str, now: Micros) -> Option<Work> {
        let item = self.queues.get_mut(name)?.iter_mut().find(|item| item.visible <= now)?;
        item.visible = now + ACK_WAIT;
        Some(item.work.clone())
    }

    /// An offer is done with.
    pub(super) fn acknowledge(&mut self, work: &Work) {
        if let Some(queue) = self.queues.get_mut(&work.queue()) {
            queue.retain(|item| item.work.id() != work.id());
        }
    }

    /// The storage is gone.
    pub(super) fn lose(&mut self) {
        *self = Self::default();
    }
}
