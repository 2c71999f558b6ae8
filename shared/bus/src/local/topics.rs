//! Broadcasts and their listeners.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;

use super::locked;
use crate::Subscription;
use crate::ring::Ring;

#[derive(Debug)]
pub(super) struct Topics {
    limit: u32,
    listeners: Mutex<HashMap<String, Vec<Weak<Ring>>>>,
}

impl Topics {
    pub(super) fn new(limit: u32) -> Topics {
        Topics { limit, listeners: Mutex::default() }
    }

    pub(super) fn publish(&self, topic: &str, body: &Bytes) {
        let listeners = locked(&self.listeners);
        for ring in listeners.get(topic).into_iter().flatten().filter_map(Weak::upgrade) {
            ring.push(body.clone());
        }
    }

    pub(super) fn subscribe(&self, topic: String) -> Subscription {
        let ring = Arc::new(Ring::new(self.limit));
        let mut listeners = locked(&self.listeners);
        // Every run's output is a topic of its own, so those nobody listens to any more have to go.
        listeners.retain(|_topic, rings| {
            rings.retain(|ring| ring.strong_count() > 0);
            !rings.is_empty()
        });
        listeners.entry(topic).or_default().push(Arc::downgrade(&ring));
        Subscription::new(ring, None)
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        let listeners = locked(&self.listeners);
        for ring in listeners.values().flatten().filter_map(Weak::upgrade) {
            ring.close();
        }
    }
}
