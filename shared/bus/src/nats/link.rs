//! Whether the connection stands, and whether it is still the same one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_nats::connection::State;
use tokio::sync::{Notify, watch};

use crate::limits::LINK_POLL;
use crate::tracked::Tracked;

/// The connection at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) connected: bool,
    /// Counts the connections made, so a short break is seen afterwards.
    pub(super) generation: u64,
}

/// Follows the connection for as long as the bus lives.
#[derive(Debug)]
pub(super) struct LinkWatch {
    link: watch::Receiver<Link>,
    connected: watch::Receiver<bool>,
    _follower: Tracked,
}

impl LinkWatch {
    /// `changed` is a hint that it is time to look. The client drops events when many come at once, so
    /// the state is also looked at regularly and never taken from an event.
    pub(super) fn start(client: async_nats::Client, changed: Arc<Notify>) -> LinkWatch {
        let now = look(&client);
        let (link_out, link) = watch::channel(now);
        let (connected_out, connected) = watch::channel(now.connected);
        let follower = Tracked::spawn(async move {
            loop {
                tokio::time::timeout(LINK_POLL, changed.notified()).await.ok();
                publish(&link_out, look(&client));
                publish(&connected_out, link_out.borrow().connected);
            }
        });
        LinkWatch { link, connected, _follower: follower }
    }

    pub(super) fn now(&self) -> Link {
        *self.link.borrow()
    }

    pub(super) fn connected(&self) -> watch::Receiver<bool> {
        self.connected.clone()
    }

    pub(super) fn changes(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    /// Waits until the connection `seen` is gone, or another stands in its place.
    pub(super) async fn lost(&self, seen: Link) {
        let other = |link: &Link| !link.connected || link.generation != seen.generation;
        // An error means that the bus is ending, which is as good as lost.
        self.link.clone().wait_for(other).await.ok();
    }

    /// Waits until a connection stands.
    pub(super) async fn up(&self) {
        self.link.clone().wait_for(|link| link.connected).await.ok();
    }
}

fn look(client: &async_nats::Client) -> Link {
    Link {
        connected: client.connection_state() == State::Connected,
        generation: client.statistics().connects.load(Ordering::Relaxed),
    }
}

fn publish<T: PartialEq>(out: &watch::Sender<T>, value: T) {
    out.send_if_modified(|current| {
        let changed = *current != value;
        *current = value;
        changed
    });
}
