//! The form inside one process.

pub(crate) mod queue;
mod services;
mod topics;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use crate::names::{Names, check_pool};
use crate::{BusError, Limits, Requests, Service, Subscription, Topic};
use queue::{LocalWorker, Queue};
use services::Services;
use topics::Topics;

/// Everything is in memory and ends with the process.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    hub: Arc<Hub>,
}

#[derive(Debug)]
struct Hub {
    limits: Limits,
    services: Services,
    topics: Topics,
    queues: Mutex<HashMap<String, Arc<Queue>>>,
    connected: watch::Sender<bool>,
}

impl Local {
    pub(crate) fn new(limits: Limits) -> Local {
        let hub = Hub {
            limits,
            services: Services::default(),
            topics: Topics::new(limits.subscription_messages),
            queues: Mutex::default(),
            connected: watch::Sender::new(true),
        };
        Local { hub: Arc::new(hub) }
    }

    pub(crate) async fn request(
        &self,
        service: &Service,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, BusError> {
        self.hub.services.request(names()?.service(service)?, body, timeout).await
    }

    pub(crate) fn serve(&self, service: &Service, limit: usize) -> Result<Requests, BusError> {
        Ok(self.hub.services.serve(names()?.service(service)?, limit))
    }

    pub(crate) fn publish(&self, topic: &Topic, body: Bytes) -> Result<(), BusError> {
        self.hub.topics.publish(&names()?.topic(topic)?, &body);
        Ok(())
    }

    pub(crate) fn subscribe(&self, topic: &Topic) -> Result<Subscription, BusError> {
        Ok(self.hub.topics.subscribe(names()?.topic(topic)?))
    }

    pub(crate) fn offer(&self, pool: &str, id: &str, body: Bytes) -> Result<(), BusError> {
        self.queue(pool)?.offer(pool, id, body)
    }

    pub(crate) fn worker(&self, pool: &str) -> Result<LocalWorker, BusError> {
        Ok(LocalWorker::new(self.queue(pool)?))
    }

    pub(crate) fn depth(&self, pool: &str) -> Result<u64, BusError> {
        let depth = locked(&self.hub.queues).get(check_pool(pool)?).map_or(0, |q| q.depth());
        Ok(depth)
    }

    pub(crate) fn connected(&self) -> watch::Receiver<bool> {
        self.hub.connected.subscribe()
    }

    fn queue(&self, pool: &str) -> Result<Arc<Queue>, BusError> {
        let name = check_pool(pool)?.to_owned();
        let limits = self.hub.limits;
        let mut queues = locked(&self.hub.queues);
        Ok(queues.entry(name).or_insert_with(|| Arc::new(Queue::new(limits))).clone())
    }
}

/// Both forms check names the same way; the prefix means nothing here.
fn names() -> Result<Names, BusError> {
    Names::new("local")
}

/// What a panicking thread left is still whole: no lock here is held across anything that can panic
/// half-way.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
