//! Broadcasts over core NATS.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::watch;

use super::link::Link;
use super::{Nats, in_time, send, settle};
use crate::ring::Ring;
use crate::tracked::Tracked;
use crate::{BusError, Subscription, Topic};

impl Nats {
    pub(crate) async fn publish(&self, topic: &Topic, body: Bytes) -> Result<(), BusError> {
        let subject = self.shared.names.topic(topic)?;
        let doing = format!("the broadcast to {subject}");
        self.shared.link_or_refuse(&doing)?;
        send(&self.shared.client, subject.into(), body, &doing).await
    }

    pub(crate) async fn subscribe(&self, topic: &Topic) -> Result<Subscription, BusError> {
        let subject = self.shared.names.topic(topic)?;
        let joining = self.shared.client.subscribe(subject.clone());
        let subscriber = in_time(joining, &format!("listening to {subject}")).await?;
        self.shared.settle().await;
        let probe =
            Probe { client: self.shared.client.clone(), nobody: self.shared.names.nobody() };
        let ring = Arc::new(Ring::new(self.shared.limits.subscription_messages));
        let pump =
            Tracked::spawn(pump(subscriber, ring.clone(), self.shared.link.changes(), probe));
        Ok(Subscription::new(ring, Some(pump)))
    }
}

/// What it takes to ask the server whether a subscription stands.
struct Probe {
    client: async_nats::Client,
    nobody: String,
}

/// Moves messages from the connection to their reader's ring, which counts what the reader is too slow
/// for; the connection would drop it and not say how much.
async fn pump(
    mut subscriber: async_nats::Subscriber,
    ring: Arc<Ring>,
    mut link: watch::Receiver<Link>,
    probe: Probe,
) {
    let mut seen = link.borrow().generation;
    loop {
        tokio::select! {
            message = subscriber.next() => match message {
                Some(message) => ring.push(message.payload),
                None => break,
            },
            changed = link.changed() => if changed.is_err() { break },
        }
        let now = *link.borrow();
        if now.connected && now.generation != seen {
            seen = now.generation;
            // Told when the subscription stands again, so a reader who then looks misses nothing.
            settle(&probe.client, probe.nobody.clone()).await;
            ring.interrupt();
        }
    }
    ring.close();
}
