//! The bus itself: one door, two forms behind it.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use crate::limits::{Limits, MAX_MESSAGE_BYTES, MAX_WORK_BYTES, check_size};
use crate::local::Local;
use crate::names::check_id;
use crate::nats::Nats;
use crate::work::WorkerForm;
use crate::{BusError, NatsConfig, Requests, Service, Subscription, Topic, Worker};

/// The transport. Cheap to clone; the last clone takes every task of it along.
#[derive(Clone, Debug)]
pub struct Bus {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Local(Local),
    Nats(Nats),
}

impl Bus {
    /// A bus inside this process, with the default [`Limits`].
    pub fn in_process() -> Bus {
        Bus { form: Form::Local(Local::new(Limits::default())) }
    }

    /// A bus inside this process, with limits of one's own.
    ///
    /// # Errors
    /// [`BusError::Config`] for limits that would let nothing through.
    pub fn in_process_with(limits: Limits) -> Result<Bus, BusError> {
        limits.check()?;
        Ok(Bus { form: Form::Local(Local::new(limits)) })
    }

    /// Connects to NATS, trying for [`crate::limits::CONNECT_WAIT`]. Once connected, a lost connection
    /// is tried again for ever; see [`Bus::connected`].
    ///
    /// # Errors
    /// [`BusError::Connect`] or [`BusError::Config`].
    pub async fn connect(config: &NatsConfig) -> Result<Bus, BusError> {
        Ok(Bus { form: Form::Nats(Nats::connect(config, false).await?) })
    }

    /// The same, for who has work to do also without the others: where no server is there for long, it goes on without,
    /// and is connected when one is.
    ///
    /// # Errors
    /// [`BusError::Connect`] where the server refuses, or [`BusError::Config`].
    pub async fn connect_sooner_or_later(config: &NatsConfig) -> Result<Bus, BusError> {
        Ok(Bus { form: Form::Nats(Nats::connect(config, true).await?) })
    }

    /// Asks one of the servers of `service` and waits up to `timeout` for its answer.
    ///
    /// # Errors
    /// [`BusError::NoResponder`], [`BusError::Busy`], [`BusError::Timeout`],
    /// [`BusError::Disconnected`] (at once, without waiting for the connection), and
    /// [`BusError::TooLarge`] over [`MAX_MESSAGE_BYTES`].
    pub async fn request(
        &self,
        service: &Service,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, BusError> {
        check_size("the request", body.len(), MAX_MESSAGE_BYTES)?;
        match &self.form {
            Form::Local(local) => local.request(service, body, timeout).await,
            Form::Nats(nats) => nats.request(service, body, timeout).await,
        }
    }

    /// Becomes one of the servers of `service`. At most `limit` requests (1 at least) wait for
    /// [`Requests::next`]; the asker of one more is told [`BusError::Busy`].
    ///
    /// # Errors
    /// [`BusError::BadName`], [`BusError::Disconnected`].
    pub async fn serve(&self, service: Service, limit: usize) -> Result<Requests, BusError> {
        match &self.form {
            Form::Local(local) => local.serve(&service, limit),
            Form::Nats(nats) => nats.serve(&service, limit).await,
        }
    }

    /// Tells everybody who listens to `topic` now. Never waits for a reader, and at most
    /// [`crate::limits::PUBLISH_WAIT`] for the connection.
    ///
    /// # Errors
    /// [`BusError::Disconnected`], [`BusError::Timeout`], [`BusError::TooLarge`],
    /// [`BusError::BadName`].
    pub async fn publish(&self, topic: &Topic, body: Bytes) -> Result<(), BusError> {
        check_size("the broadcast", body.len(), MAX_MESSAGE_BYTES)?;
        match &self.form {
            Form::Local(local) => local.publish(topic, body),
            Form::Nats(nats) => nats.publish(topic, body).await,
        }
    }

    /// Listens to `topic` from now on.
    ///
    /// # Errors
    /// [`BusError::BadName`], [`BusError::Disconnected`].
    pub async fn subscribe(&self, topic: &Topic) -> Result<Subscription, BusError> {
        match &self.form {
            Form::Local(local) => local.subscribe(topic),
            Form::Nats(nats) => nats.subscribe(topic).await,
        }
    }

    /// Queues work for `pool`, a name of 1 to 63 of `[a-z0-9._-]`. An `id` offered again within
    /// [`Limits::dedup_window_ms`] is the same work, done or not, and is not queued twice.
    ///
    /// # Errors
    /// [`BusError::QueueFull`] at [`Limits::queue_messages`]; [`BusError::TooLarge`] over
    /// [`MAX_WORK_BYTES`]; [`BusError::Disconnected`], [`BusError::Queue`], [`BusError::BadName`].
    pub async fn offer(&self, pool: &str, id: &str, body: Bytes) -> Result<(), BusError> {
        check_id(id)?;
        check_size("the work", body.len(), MAX_WORK_BYTES)?;
        match &self.form {
            Form::Local(local) => local.offer(pool, id, body),
            Form::Nats(nats) => nats.offer(pool, id, body).await,
        }
    }

    /// Becomes one of the workers of `pool`.
    ///
    /// # Errors
    /// [`BusError::BadName`], [`BusError::Disconnected`], [`BusError::Queue`].
    pub async fn worker(&self, pool: &str) -> Result<Worker, BusError> {
        Ok(Worker::new(match &self.form {
            Form::Local(local) => WorkerForm::Local(local.worker(pool)?),
            Form::Nats(nats) => WorkerForm::Nats(Box::new(nats.worker(pool).await?)),
        }))
    }

    /// How many pieces of work the queue of `pool` holds, taken ones included.
    ///
    /// # Errors
    /// [`BusError::BadName`], [`BusError::Disconnected`], [`BusError::Queue`].
    pub async fn depth(&self, pool: &str) -> Result<u64, BusError> {
        match &self.form {
            Form::Local(local) => local.depth(pool),
            Form::Nats(nats) => nats.depth(pool).await,
        }
    }

    /// Whether the connection stands, now and as it changes. Always true in process.
    pub fn connected(&self) -> watch::Receiver<bool> {
        match &self.form {
            Form::Local(local) => local.connected(),
            Form::Nats(nats) => nats.connected(),
        }
    }
}
