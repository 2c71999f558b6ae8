//! A worker of one pool: takes work, and repairs the queue when it is gone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Message;
use tokio::time::Instant;

use super::pull::{Answer, Inbox, body_and_ack};
use super::queue::{CONSUMER, NatsHold, Pauses};
use super::{Nats, Shared};
use crate::limits::{PULL_SLICE, REPAIR_WAIT, SERVER_TIMEOUT};
use crate::work::Hold;
use crate::{BusError, Work};

/// One worker.
#[derive(Debug)]
pub(crate) struct NatsWorker {
    shared: Arc<Shared>,
    pool: String,
    inbox: Inbox,
    /// What came and was not handed out yet, and when. It outlives a cancelled `take`.
    came: VecDeque<(Instant, Message)>,
}

/// How one question ended.
enum Asked {
    Answered,
    ConnectionLost,
    Trouble(String),
}

impl Nats {
    pub(crate) async fn worker(&self, pool: &str) -> Result<NatsWorker, BusError> {
        let shared = self.shared.clone();
        let stream = shared.names.work_stream(pool)?;
        shared.link_or_refuse(&format!("becoming a worker of pool {pool}"))?;
        let next_work = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{CONSUMER}");
        let inbox = Inbox::open(shared.client.clone(), next_work).await?;
        let worker = NatsWorker { shared, pool: pool.to_owned(), inbox, came: VecDeque::new() };
        worker.shared.ensure(pool).await.map_err(|reason| worker.failed(reason))?;
        Ok(worker)
    }
}

impl NatsWorker {
    pub(crate) async fn take(&mut self, max: usize, wait: Duration) -> Result<Vec<Work>, BusError> {
        let deadline = Instant::now() + wait;
        let repair_until = Instant::now() + wait.max(REPAIR_WAIT);
        let mut pauses = Pauses::new();
        loop {
            self.collect();
            if !self.came.is_empty() {
                return Ok(self.hand_out(max));
            }
            self.connection_by(deadline).await?;
            let asked = self.ask_twice(max, deadline).await?;
            if !self.came.is_empty() {
                continue;
            }
            let trouble = match asked {
                Asked::Answered if Instant::now() >= deadline => return Ok(Vec::new()),
                Asked::Answered | Asked::ConnectionLost => continue,
                Asked::Trouble(reason) => reason,
            };
            self.repair(trouble, repair_until, &mut pauses).await?;
        }
    }

    /// First for what is there. Only when there is nothing, for the first piece that comes, and then
    /// for what came with it: a question for many that waits would return late or leave a rest behind.
    async fn ask_twice(&mut self, max: usize, deadline: Instant) -> Result<Asked, BusError> {
        let asked = self.ask(max, None).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        if !matches!(asked, Asked::Answered) || !self.came.is_empty() || left.is_zero() {
            return Ok(asked);
        }
        let asked = self.ask(1, Some(left.min(PULL_SLICE))).await?;
        if max > 1 && !self.came.is_empty() {
            // Whatever becomes of this question, there is something to hand out.
            self.ask(max - 1, None).await?;
        }
        Ok(asked)
    }

    async fn ask(&mut self, batch: usize, expires: Option<Duration>) -> Result<Asked, BusError> {
        let link = self.shared.link.now();
        if !link.connected {
            return Ok(Asked::ConnectionLost);
        }
        self.inbox.ask(batch, expires).await?;
        let until = Instant::now() + expires.unwrap_or_default() + SERVER_TIMEOUT;
        let enough = self.came.len() + batch;
        while self.came.len() < enough {
            let answer = tokio::select! {
                biased;
                answer = self.inbox.next() => answer,
                () = self.shared.link.lost(link) => return Ok(Asked::ConnectionLost),
                () = tokio::time::sleep_until(until) => {
                    return Ok(Asked::Trouble("the server left a question unanswered".to_owned()));
                }
            };
            match answer {
                Answer::Work(message) => self.came.push_back((Instant::now(), message)),
                Answer::NoMore => return Ok(Asked::Answered),
                Answer::Trouble(reason) => return Ok(Asked::Trouble(reason)),
                Answer::Stray => {}
            }
        }
        Ok(Asked::Answered)
    }

    async fn repair(
        &self,
        trouble: String,
        until: Instant,
        pauses: &mut Pauses,
    ) -> Result<(), BusError> {
        tracing::debug!(pool = self.pool, trouble, "no work could be taken; making the queue");
        let made = self.shared.ensure(&self.pool).await;
        if Instant::now() >= until {
            return Err(self.failed(made.err().unwrap_or(trouble)));
        }
        pauses.next().await;
        Ok(())
    }

    async fn connection_by(&self, deadline: Instant) -> Result<(), BusError> {
        let up = tokio::time::timeout_at(deadline, self.shared.link.up()).await;
        if up.is_ok() && self.shared.link.now().connected {
            return Ok(());
        }
        Err(BusError::Disconnected { doing: format!("taking work of pool {}", self.pool) })
    }

    /// Adds what came since the last `take`, and drops what was held so long that others have it now.
    fn collect(&mut self) {
        while let Some(message) = self.inbox.next_now() {
            self.came.push_back((Instant::now(), message));
        }
        let ack_wait = self.shared.limits.ack_wait();
        self.came.retain(|(since, _message)| since.elapsed() < ack_wait);
    }

    fn hand_out(&mut self, max: usize) -> Vec<Work> {
        let out = self.came.len().min(max);
        let client = self.shared.client.clone();
        let messages = self.came.drain(..out).filter_map(|(_since, m)| body_and_ack(m));
        messages
            .map(|(body, ack)| Work::new(body, Hold::Nats(NatsHold::new(client.clone(), ack))))
            .collect()
    }

    fn failed(&self, reason: String) -> BusError {
        BusError::Queue { pool: self.pool.clone(), doing: "taking work from", reason }
    }
}
