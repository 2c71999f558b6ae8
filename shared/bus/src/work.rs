//! Taking work from a pool's queue.

use std::time::Duration;

use bytes::Bytes;

use crate::BusError;
use crate::limits::{LONGEST_WAIT, MAX_TAKE};
use crate::local::queue::{LocalHold, LocalWorker};
use crate::nats::queue::NatsHold;
use crate::nats::worker::NatsWorker;

/// One of the workers of a pool.
#[derive(Debug)]
pub struct Worker {
    form: WorkerForm,
}

#[derive(Debug)]
pub(crate) enum WorkerForm {
    Local(LocalWorker),
    Nats(Box<NatsWorker>),
}

impl Worker {
    pub(crate) fn new(form: WorkerForm) -> Worker {
        Worker { form }
    }

    /// Takes up to `max` pieces of work (and [`MAX_TAKE`]): what is there at once, or, when there is
    /// none, what comes within `wait`. Empty when nothing came. Ask for as many as can be begun: a
    /// question costs far more than a piece of work.
    ///
    /// May be cancelled: what was on its way is returned by the next `take`, or goes to another worker
    /// after [`crate::Limits::ack_wait_ms`].
    ///
    /// # Errors
    /// [`BusError::Disconnected`] if the connection was down all the while; [`BusError::Queue`] if the
    /// queue was missing and could not be made within `wait` or [`crate::limits::REPAIR_WAIT`].
    pub async fn take(&mut self, max: usize, wait: Duration) -> Result<Vec<Work>, BusError> {
        let (max, wait) = (max.min(MAX_TAKE), wait.min(LONGEST_WAIT));
        if max == 0 {
            return Ok(Vec::new());
        }
        match &mut self.form {
            WorkerForm::Local(worker) => Ok(worker.take(max, wait).await),
            WorkerForm::Nats(worker) => worker.take(max, wait).await,
        }
    }
}

/// A piece of work, held by one worker. Dropped without [`Work::done`] it goes to a worker again after
/// [`crate::Limits::ack_wait_ms`], as often as it takes.
#[derive(Debug)]
pub struct Work {
    /// What was offered.
    pub body: Bytes,
    hold: Hold,
}

#[derive(Debug)]
pub(crate) enum Hold {
    Local(LocalHold),
    Nats(NatsHold),
}

impl Work {
    pub(crate) fn new(body: Bytes, hold: Hold) -> Work {
        Work { body, hold }
    }

    /// Takes it off the queue for good, even if another worker got it meanwhile. A `done` that the
    /// server never saw (a lost connection, a killed server) leaves the work in the queue.
    ///
    /// # Errors
    /// [`BusError::Timeout`] if there was no room to send, [`BusError::Disconnected`] if the bus is gone.
    pub async fn done(self) -> Result<(), BusError> {
        match self.hold {
            Hold::Local(hold) => {
                hold.done();
                Ok(())
            }
            Hold::Nats(hold) => hold.done().await,
        }
    }

    /// Gives it back, to be taken by anybody after `delay`.
    ///
    /// # Errors
    /// As for [`Work::done`].
    pub async fn back(self, delay: Duration) -> Result<(), BusError> {
        let delay = delay.min(LONGEST_WAIT);
        match self.hold {
            Hold::Local(hold) => {
                hold.back(delay);
                Ok(())
            }
            Hold::Nats(hold) => hold.back(delay).await,
        }
    }
}
