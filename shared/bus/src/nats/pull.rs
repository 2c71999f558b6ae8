//! One question for work, and its answers. Asked directly rather than through the client's batches,
//! because what a cancelled batch had received would be lost until it is delivered again.

use std::time::Duration;

use async_nats::jetstream::consumer::pull::BatchConfig;
use async_nats::{Client, Message, StatusCode, Subject, Subscriber};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};

use super::in_time;
use crate::BusError;

/// The subscription on which one worker gets its work, and the numbers of its questions.
#[derive(Debug)]
pub(super) struct Inbox {
    client: Client,
    subscriber: Subscriber,
    address: String,
    /// Where questions for this pool go.
    next_work: String,
    number: u64,
}

/// What came.
#[derive(Debug)]
pub(super) enum Answer {
    /// A piece of work, perhaps one asked for earlier.
    Work(Message),
    /// There is no more for this question.
    NoMore,
    /// There is no such queue, or it cannot answer.
    Trouble(String),
    /// Something about an earlier question.
    Stray,
}

impl Inbox {
    pub(super) async fn open(client: Client, next_work: String) -> Result<Inbox, BusError> {
        let address = client.new_inbox();
        let opening = client.subscribe(format!("{address}.*"));
        let subscriber = in_time(opening, "opening a worker's inbox").await?;
        Ok(Inbox { client, subscriber, address, next_work, number: 0 })
    }

    /// Asks for up to `batch`: what is there now, or what comes within `expires`.
    pub(super) async fn ask(
        &mut self,
        batch: usize,
        expires: Option<Duration>,
    ) -> Result<(), BusError> {
        self.number += 1;
        let no_wait = expires.is_none();
        let question = BatchConfig { batch, expires, no_wait, ..BatchConfig::default() };
        let body = serde_json::to_vec(&question).unwrap_or_default();
        let reply = format!("{}.{}", self.address, self.number);
        let asking = self.client.publish_with_reply(self.next_work.clone(), reply, body.into());
        in_time(asking, "asking for work").await
    }

    /// Waits for the next answer. May be cancelled without loss.
    pub(super) async fn next(&mut self) -> Answer {
        match self.subscriber.next().await {
            Some(message) => self.read(message),
            None => {
                // The connection's task has ended; whoever waits is told by the link.
                std::future::pending().await
            }
        }
    }

    /// What has come already.
    pub(super) fn next_now(&mut self) -> Option<Message> {
        loop {
            let message = self.subscriber.next().now_or_never()??;
            if let Answer::Work(work) = self.read(message) {
                return Some(work);
            }
        }
    }

    fn read(&self, message: Message) -> Answer {
        let Some(status) = message.status else {
            return if message.reply.is_some() { Answer::Work(message) } else { Answer::Stray };
        };
        if !self.is_current(&message.subject) {
            return Answer::Stray;
        }
        match status {
            StatusCode::OK => Answer::Work(message),
            StatusCode::NOT_FOUND | StatusCode::TIMEOUT => Answer::NoMore,
            StatusCode::IDLE_HEARTBEAT => Answer::Stray,
            StatusCode::NO_RESPONDERS => Answer::Trouble("there is no such queue".to_owned()),
            other => {
                Answer::Trouble(format!("{other} {}", message.description.unwrap_or_default()))
            }
        }
    }

    fn is_current(&self, subject: &Subject) -> bool {
        let number = subject.rsplit('.').next();
        number.is_some_and(|number| number == self.number.to_string())
    }
}

/// A worker's own message, without what the transport needs no more.
pub(super) fn body_and_ack(message: Message) -> Option<(Bytes, Subject)> {
    Some((message.payload, message.reply?))
}
