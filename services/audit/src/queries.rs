//! Answers questions about the read model.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Request, Service};
use bytes::Bytes;
use domain::wire::{Answer, Content, Query};
use eventlog::{EventLog, LogError};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::warn;

use crate::commits::Commits;

/// Questions that may wait.
const WAITING_MAX: usize = 1_024;
/// Questions answered at once.
const AT_ONCE: usize = 4;
/// Between the start and the first piece of what proofs need, and between two of them: others want the database too.
const BEFORE: Duration = Duration::from_secs(10);
const BETWEEN: Duration = Duration::from_millis(100);

pub(crate) async fn serve(
    log: EventLog,
    commits: Commits,
    bus: Bus,
    mut stop: watch::Receiver<bool>,
) {
    let mut requests = match bus.serve(Service::Query, WAITING_MAX).await {
        Ok(requests) => requests,
        Err(error) => return warn!(%error, "queries cannot be served"),
    };
    // It ends with this.
    let mut ahead = JoinSet::new();
    ahead.spawn(read_ahead(log.clone()));
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let request = tokio::select! {
            request = requests.next() => request,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let (Some(request), Ok(place)) = (request, Arc::clone(&places).acquire_owned().await)
        else {
            return;
        };
        let (log, commits) = (log.clone(), commits.clone());
        tokio::spawn(async move {
            answer(&log, &commits, request).await;
            drop(place);
        });
    }
}

/// Reads what proofs need, piece by piece, while questions are answered. A process that is there for one command ends before.
async fn read_ahead(log: EventLog) {
    tokio::time::sleep(BEFORE).await;
    loop {
        match log.read_ahead().await {
            Ok(true) => tokio::time::sleep(BETWEEN).await,
            Ok(false) => return,
            // Whoever asks for a proof is told.
            Err(error) => return warn!(%error, "what proofs need cannot be read"),
        }
    }
}

async fn answer(log: &EventLog, commits: &Commits, request: Request) {
    let mut answer = match serde_json::from_slice::<Query>(&request.body) {
        Ok(query) => log.answer(&query).await.unwrap_or_else(|error| {
            // Whoever asks again gets further: nothing is wrong.
            if !matches!(error, LogError::Reading { .. }) {
                warn!(%error, "a query failed");
            }
            failed(&error)
        }),
        Err(error) => failed(&format!("not a query: {error}")),
    };
    if let Content::Head(head) = &mut answer.content {
        head.stuck = commits.stuck();
    }
    let body = serde_json::to_vec(&answer).unwrap_or_default();
    // Whoever asked may be gone; then nobody misses the answer.
    let _ = request.reply(Bytes::from(body)).await;
}

fn failed(reason: &impl ToString) -> Answer {
    Answer { position: 0, content: Content::Failed(reason.to_string()) }
}
