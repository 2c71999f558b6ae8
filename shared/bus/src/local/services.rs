//! Requests and their servers.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::locked;
use crate::requests::Answer;
use crate::{BusError, Request, Requests};

#[derive(Debug, Default)]
pub(super) struct Services {
    groups: Mutex<HashMap<String, Group>>,
}

/// The servers of one service, asked in turn.
#[derive(Debug, Default)]
struct Group {
    servers: Vec<mpsc::Sender<Request>>,
    turn: usize,
}

impl Services {
    pub(super) fn serve(&self, service: String, limit: usize) -> Requests {
        let (server, waiting) = mpsc::channel(limit.max(1));
        locked(&self.groups).entry(service).or_default().servers.push(server);
        Requests::new(waiting, None)
    }

    pub(super) async fn request(
        &self,
        service: String,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, BusError> {
        let (asker, answer) = oneshot::channel();
        self.give(&service, Request::new(body, Answer::Local(asker)))?;
        match tokio::time::timeout(timeout, answer).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(_dropped)) => Err(BusError::Busy { service }),
            Err(_elapsed) => Err(BusError::Timeout {
                doing: format!("the request to {service}"),
                after: timeout,
            }),
        }
    }

    fn give(&self, service: &str, request: Request) -> Result<(), BusError> {
        let mut groups = locked(&self.groups);
        let nobody = || BusError::NoResponder { service: service.to_owned() };
        let group = groups.get_mut(service).ok_or_else(nobody)?;
        group.servers.retain(|server| !server.is_closed());
        if group.servers.is_empty() {
            groups.remove(service);
            return Err(nobody());
        }
        match group.give(request) {
            Ok(()) => Ok(()),
            Err(_refused) => Err(BusError::Busy { service: service.to_owned() }),
        }
    }
}

impl Group {
    /// To the server whose turn it is, or the next one with room.
    fn give(&mut self, mut request: Request) -> Result<(), Box<Request>> {
        self.turn = self.turn.wrapping_add(1);
        for step in 0..self.servers.len() {
            let at = self.turn.wrapping_add(step) % self.servers.len();
            match self.servers[at].try_send(request) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(back) | TrySendError::Closed(back)) => request = back,
            }
        }
        Err(Box::new(request))
    }
}
