//! Serving requests.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::BusError;
use crate::limits::{MAX_MESSAGE_BYTES, check_size};
use crate::nats::ReplyTo;
use crate::tracked::Tracked;

/// The requests given to one server.
#[derive(Debug)]
pub struct Requests {
    waiting: mpsc::Receiver<Request>,
    _pump: Option<Tracked>,
}

impl Requests {
    pub(crate) fn new(waiting: mpsc::Receiver<Request>, pump: Option<Tracked>) -> Requests {
        Requests { waiting, _pump: pump }
    }

    /// Waits for the next request; `None` when the bus is gone. May be cancelled without loss.
    pub async fn next(&mut self) -> Option<Request> {
        self.waiting.recv().await
    }

    /// The next request, if one waits already: for servers that answer many at once.
    pub fn try_next(&mut self) -> Option<Request> {
        self.waiting.try_recv().ok()
    }
}

/// One request. Dropping it unanswered tells the asker at once: [`BusError::Busy`].
#[derive(Debug)]
pub struct Request {
    /// What was asked.
    pub body: Bytes,
    answer: Option<Answer>,
}

/// The way back to the asker.
#[derive(Debug)]
pub(crate) enum Answer {
    Local(oneshot::Sender<Bytes>),
    Nats(ReplyTo),
}

impl Request {
    pub(crate) fn new(body: Bytes, answer: Answer) -> Request {
        Request { body, answer: Some(answer) }
    }

    /// Answers. An asker that no longer waits is no error.
    ///
    /// # Errors
    /// [`BusError::TooLarge`] over [`MAX_MESSAGE_BYTES`] (the asker is told [`BusError::Busy`]);
    /// [`BusError::Timeout`] or [`BusError::Disconnected`] if the answer could not be sent.
    pub async fn reply(mut self, body: Bytes) -> Result<(), BusError> {
        check_size("the answer", body.len(), MAX_MESSAGE_BYTES)?;
        match self.answer.take() {
            Some(Answer::Local(asker)) => {
                asker.send(body).ok();
                Ok(())
            }
            Some(Answer::Nats(asker)) => asker.answer(body).await,
            None => Ok(()),
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        match self.answer.take() {
            Some(Answer::Nats(asker)) => asker.give_up(),
            // A sender that is dropped tells its asker by itself.
            Some(Answer::Local(_)) | None => {}
        }
    }
}
