//! Requests and their servers over core NATS.

use std::time::Duration;

use async_nats::{Client, HeaderMap, Message, RequestErrorKind, Subject};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;

use super::{Nats, Shared, in_time, send};
use crate::requests::Answer;
use crate::tracked::Tracked;
use crate::{BusError, Request, Requests, Service};

/// The queue group all servers of a service are in.
const GROUP: &str = "servers";
/// Marks an answer that says the request was given up.
const GIVEN_UP: &str = "Decklog-Given-Up";

impl Nats {
    pub(crate) async fn request(
        &self,
        service: &Service,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, BusError> {
        let subject = self.shared.names.service(service)?;
        let doing = format!("the request to {subject}");
        let link = self.shared.link_or_refuse(&doing)?;
        let answer = self.shared.ask(subject, body, timeout);
        tokio::select! {
            answered = tokio::time::timeout(timeout, answer) => match answered {
                Ok(answer) => answer,
                Err(_elapsed) => Err(BusError::Timeout { doing, after: timeout }),
            },
            // The answer would come to a connection that is gone.
            () = self.shared.link.lost(link) => Err(BusError::Disconnected { doing }),
        }
    }

    pub(crate) async fn serve(
        &self,
        service: &Service,
        limit: usize,
    ) -> Result<Requests, BusError> {
        let subject = self.shared.names.service(service)?;
        let client = &self.shared.client;
        let joining = client.queue_subscribe(subject.clone(), GROUP.to_owned());
        let subscriber = in_time(joining, &format!("serving {subject}")).await?;
        self.shared.settle().await;
        let (out, waiting) = mpsc::channel(limit.max(1));
        let pump =
            Tracked::spawn(pump(subscriber, out, self.shared.link.changes(), client.clone()));
        Ok(Requests::new(waiting, Some(pump)))
    }
}

impl Shared {
    async fn ask(
        &self,
        subject: String,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, BusError> {
        let request = async_nats::Request::new().payload(body).timeout(Some(timeout));
        let failed = match self.client.send_request(subject.clone(), request).await {
            Ok(answer) if is_given_up(&answer) => return Err(BusError::Busy { service: subject }),
            Ok(answer) => return Ok(answer.payload),
            Err(failed) => failed,
        };
        let doing = format!("the request to {subject}");
        Err(match failed.kind() {
            RequestErrorKind::NoResponders => BusError::NoResponder { service: subject },
            RequestErrorKind::TimedOut => BusError::Timeout { doing, after: timeout },
            // The size and the subject were checked before; what is left is a connection's end.
            RequestErrorKind::InvalidSubject
            | RequestErrorKind::MaxPayloadExceeded
            | RequestErrorKind::Other => BusError::Disconnected { doing },
        })
    }
}

/// Moves requests from the connection to their server, and refuses those it has no room for. The
/// connection's own buffer has one size for all subscriptions, so the limit is kept here.
async fn pump(
    mut subscriber: async_nats::Subscriber,
    out: mpsc::Sender<Request>,
    mut bus: tokio::sync::watch::Receiver<super::Link>,
    client: Client,
) {
    loop {
        let message = tokio::select! {
            message = subscriber.next() => message,
            changed = bus.changed() => if changed.is_ok() { continue } else { None },
        };
        let Some(message) = message else {
            return;
        };
        if let Some(subject) = message.reply {
            let asker = ReplyTo { client: client.clone(), subject };
            // A request that does not fit is dropped, which tells its asker.
            out.try_send(Request::new(message.payload, Answer::Nats(asker))).ok();
        }
    }
}

fn is_given_up(answer: &Message) -> bool {
    answer.headers.as_ref().is_some_and(|headers| headers.get(GIVEN_UP).is_some())
}

/// The way back to one asker.
#[derive(Debug)]
pub(crate) struct ReplyTo {
    client: Client,
    subject: Subject,
}

impl ReplyTo {
    pub(crate) async fn answer(self, body: Bytes) -> Result<(), BusError> {
        send(&self.client, self.subject, body, "the answer to a request").await
    }

    /// Says so if that is possible without waiting; otherwise the asker's time runs out.
    pub(crate) fn give_up(self) {
        let mut headers = HeaderMap::new();
        headers.insert(GIVEN_UP, "1");
        let telling = self.client.publish_with_headers(self.subject, headers, Bytes::new());
        telling.now_or_never();
    }
}
