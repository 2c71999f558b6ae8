//! The form over NATS: core NATS for requests and broadcasts, JetStream for work.

mod connection;
mod link;
mod pull;
pub(crate) mod queue;
mod services;
mod topics;
pub(crate) mod worker;

use std::sync::Arc;

use async_nats::jetstream;
use bytes::Bytes;
use tokio::sync::watch;

use crate::limits::{PUBLISH_WAIT, SERVER_TIMEOUT};
use crate::names::Names;
use crate::{BusError, Limits};
use link::{Link, LinkWatch};
pub(crate) use services::ReplyTo;

/// One connection, shared by all clones.
#[derive(Clone, Debug)]
pub(crate) struct Nats {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: async_nats::Client,
    jetstream: jetstream::Context,
    names: Names,
    limits: Limits,
    replicas: usize,
    link: LinkWatch,
}

impl Nats {
    pub(crate) fn connected(&self) -> watch::Receiver<bool> {
        self.shared.link.connected()
    }
}

impl Shared {
    /// Refuses at once while the connection is down: what is queued then would go out stale.
    fn link_or_refuse(&self, doing: &str) -> Result<Link, BusError> {
        let link = self.link.now();
        if link.connected {
            return Ok(link);
        }
        Err(BusError::Disconnected { doing: doing.to_owned() })
    }

    /// Waits until a subscription made before stands at the server.
    async fn settle(&self) {
        // Without a connection there is nothing to wait for: the next one makes all subscriptions.
        if self.link.now().connected {
            settle(&self.client, self.names.nobody()).await;
        }
    }
}

/// Waits until the server has seen what was sent before. It works through a connection in order, so
/// once it answered that nobody listens here, it has done everything before.
async fn settle(client: &async_nats::Client, nobody: String) {
    let request = async_nats::Request::new().timeout(Some(SERVER_TIMEOUT));
    tokio::time::timeout(SERVER_TIMEOUT, client.send_request(nobody, request)).await.ok();
}

/// Hands a message to the connection. It waits for room only as long as [`PUBLISH_WAIT`].
async fn send(
    client: &async_nats::Client,
    subject: async_nats::Subject,
    body: Bytes,
    doing: &str,
) -> Result<(), BusError> {
    in_time(client.publish(subject, body), doing).await
}

/// Bounds a step that only waits for room on the way to the connection. Its one failure is that the
/// connection's task has ended.
async fn in_time<T, E>(
    step: impl Future<Output = Result<T, E>>,
    doing: &str,
) -> Result<T, BusError> {
    match tokio::time::timeout(PUBLISH_WAIT, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_ended)) => Err(BusError::Disconnected { doing: doing.to_owned() }),
        Err(_elapsed) => Err(BusError::Timeout { doing: doing.to_owned(), after: PUBLISH_WAIT }),
    }
}
