//! A pool's work queue in JetStream: one stream with work-queue retention, one durable pull consumer.

use std::error::Error as _;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::context::{CreateStreamErrorKind, PublishError, PublishErrorKind};
use async_nats::jetstream::message::{AckKind, PublishMessage};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Client, Subject};
use bytes::Bytes;
use tokio::time::Instant;

use super::{Nats, Shared, send};
use crate::BusError;
use crate::limits::{MAX_WORK_BYTES, OFFER_WAIT, WAITING_WORKERS};

/// The consumer all workers of a pool share.
pub(super) const CONSUMER: &str = "workers";
/// The first pause between two attempts; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// What headers may add to a message in a stream.
const HEADER_BYTES: usize = 1024;

/// Pauses that grow.
#[derive(Debug)]
pub(super) struct Pauses(Duration);

impl Pauses {
    pub(super) fn new() -> Pauses {
        Pauses(FIRST_PAUSE)
    }

    pub(super) async fn next(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}

impl Nats {
    pub(crate) async fn offer(&self, pool: &str, id: &str, body: Bytes) -> Result<(), BusError> {
        let subject = self.shared.names.work_subject(pool)?;
        let doing = format!("offering {id} to pool {pool}");
        let link = self.shared.link_or_refuse(&doing)?;
        tokio::select! {
            offered = self.shared.offer(pool, &subject, id, body) => offered,
            () = self.shared.link.lost(link) => Err(BusError::Disconnected { doing }),
        }
    }

    pub(crate) async fn depth(&self, pool: &str) -> Result<u64, BusError> {
        let stream = self.shared.names.work_stream(pool)?;
        let doing = "counting";
        self.shared.link_or_refuse(&format!("{doing} the queue of pool {pool}"))?;
        let failed = |reason: String| BusError::Queue { pool: pool.to_owned(), doing, reason };
        let subject = format!("STREAM.INFO.{stream}");
        let asked = self.shared.jetstream.request(subject, &()).await;
        let info: jetstream::response::Response<jetstream::stream::Info> =
            asked.map_err(|error| failed(error.to_string()))?;
        match info {
            jetstream::response::Response::Ok(info) => Ok(info.state.messages),
            jetstream::response::Response::Err { error }
                if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Ok(0)
            }
            jetstream::response::Response::Err { error } => Err(failed(error.to_string())),
        }
    }
}

/// How one attempt to queue ended.
enum Attempt {
    Queued,
    Full,
    Failed(String),
}

impl Shared {
    /// Tries for [`OFFER_WAIT`]; whatever is wrong with the queue, making it again is the cure.
    async fn offer(
        &self,
        pool: &str,
        subject: &str,
        id: &str,
        body: Bytes,
    ) -> Result<(), BusError> {
        let deadline = Instant::now() + OFFER_WAIT;
        let mut pauses = Pauses::new();
        loop {
            let reason = match self.offer_once(subject, id, body.clone()).await {
                Attempt::Queued => return Ok(()),
                Attempt::Full => {
                    let limit = self.limits.queue_messages;
                    return Err(BusError::QueueFull { pool: pool.to_owned(), limit });
                }
                Attempt::Failed(reason) => reason,
            };
            tracing::debug!(pool, reason, "a piece of work was not queued; making the queue");
            let made = self.ensure(pool).await;
            if Instant::now() >= deadline {
                let pool = pool.to_owned();
                let reason = made.err().unwrap_or(reason);
                return Err(BusError::Queue { pool, doing: "offering work to", reason });
            }
            if made.is_err() {
                pauses.next().await;
            }
        }
    }

    async fn offer_once(&self, subject: &str, id: &str, body: Bytes) -> Attempt {
        let message = PublishMessage::build().payload(body).message_id(id);
        let sent = self.jetstream.send_publish(subject.to_owned(), message).await;
        let stored = match sent {
            Ok(storing) => storing.await,
            Err(error) => Err(error),
        };
        match stored {
            Ok(_stored_or_known) => Attempt::Queued,
            Err(error) if is_full(&error) => Attempt::Full,
            Err(error) => Attempt::Failed(error.to_string()),
        }
    }

    /// Makes the pool's stream and consumer, or finds them made. Safe for many at once.
    pub(super) async fn ensure(&self, pool: &str) -> Result<(), String> {
        let bad = |error: BusError| error.to_string();
        let stream = self.names.work_stream(pool).map_err(bad)?;
        let subject = self.names.work_subject(pool).map_err(bad)?;
        self.ensure_stream(self.stream(&stream, subject)).await?;
        let made = self.jetstream.create_consumer_on_stream(self.consumer(), stream).await;
        made.map(|_consumer| ()).map_err(|error| error.to_string())
    }

    async fn ensure_stream(&self, config: Config) -> Result<(), String> {
        let Err(error) = self.jetstream.create_stream(config.clone()).await else {
            return Ok(());
        };
        let differs = matches!(error.kind(), CreateStreamErrorKind::JetStream(ref said)
            if said.error_code() == ErrorCode::STREAM_NAME_EXIST);
        if !differs {
            return Err(error.to_string());
        }
        // It was made with other limits: ours are the newer.
        let updated = self.jetstream.update_stream(config).await;
        updated.map(|_info| ()).map_err(|error| error.to_string())
    }

    fn stream(&self, name: &str, subject: String) -> Config {
        Config {
            name: name.to_owned(),
            subjects: vec![subject],
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            max_messages: i64::from(self.limits.queue_messages),
            max_message_size: i32::try_from(MAX_WORK_BYTES + HEADER_BYTES).unwrap_or(i32::MAX),
            duplicate_window: self.limits.dedup_window(),
            num_replicas: self.replicas,
            ..Config::default()
        }
    }

    fn consumer(&self) -> pull::Config {
        pull::Config {
            durable_name: Some(CONSUMER.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.limits.ack_wait(),
            // Without end: only `done` takes work off the queue.
            max_deliver: -1,
            max_waiting: WAITING_WORKERS,
            // The stream's own limit is the only one.
            max_ack_pending: i64::from(self.limits.queue_messages),
            ..pull::Config::default()
        }
    }
}

/// The server has one error code for all failures to store; its words tell a full stream.
fn is_full(error: &PublishError) -> bool {
    if error.kind() != PublishErrorKind::Other {
        return false;
    }
    let said = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    said.is_some_and(|said| {
        said.error_code() == ErrorCode::STREAM_STORE_FAILED
            && said.to_string().contains("maximum messages")
    })
}

/// A worker's hold on one piece of work.
#[derive(Debug)]
pub(crate) struct NatsHold {
    client: Client,
    ack: Subject,
}

impl NatsHold {
    pub(super) fn new(client: Client, ack: Subject) -> NatsHold {
        NatsHold { client, ack }
    }

    pub(crate) async fn done(self) -> Result<(), BusError> {
        send(&self.client, self.ack, AckKind::Ack.into(), "taking done work off its queue").await
    }

    pub(crate) async fn back(self, delay: Duration) -> Result<(), BusError> {
        let delay = (!delay.is_zero()).then_some(delay);
        send(&self.client, self.ack, AckKind::Nak(delay).into(), "giving work back").await
    }
}
