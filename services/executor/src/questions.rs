//! Answers what is asked of this host: output of its attempts and how far they are, whether it could run a job, names of files in snapshots.

use std::sync::Arc;

use bus::{Request, Service};
use bytes::Bytes;
use domain::canonical::Digest;
use domain::ids::StreamId;
use domain::wire::HostQuery;
use tokio::sync::Semaphore;
use tracing::warn;

use crate::attempt::AttemptDir;
use crate::host::Host;
use crate::life::blocking;
use crate::print::answers;
use crate::{backup, check, output};

/// Requests that may wait.
const WAITING_MAX: usize = 64;
/// Questions answered at once: more than may look into snapshots, so that output is never waited for so long.
const AT_ONCE: usize = 4;

/// Answers until told to stop.
pub(crate) async fn serve(host: Arc<Host>) {
    let mut requests = match host.bus.serve(Service::Host(host.name.clone()), WAITING_MAX).await {
        Ok(requests) => requests,
        Err(error) => return warn!(%error, "questions to this host cannot be answered"),
    };
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let (Some(request), Ok(place)) =
        (requests.next().await, Arc::clone(&places).acquire_owned().await)
    {
        let host = Arc::clone(&host);
        tokio::spawn(async move {
            answer(host, request).await;
            drop(place);
        });
    }
}

async fn answer(host: Arc<Host>, request: Request) {
    let body = match serde_json::from_slice(&request.body) {
        Ok(HostQuery::Look { look }) => {
            let sight = backup::look::look(&host, &look).await;
            serde_json::to_vec(&sight).map(Some).map_err(Into::into)
        }
        Ok(HostQuery::Code { document, code }) => answers::code(&host, &document, code).await,
        Ok(query) => blocking(move || find(&host, query)).await,
        Err(error) => Err(error.into()),
    };
    let body = match body {
        // One byte says whether there is an answer, the rest is it.
        Ok(Some(bytes)) => [b"+".as_slice(), &bytes].concat(),
        Ok(None) => b"-".to_vec(),
        Err(error) => format!("!{error}").into_bytes(),
    };
    let _ = request.reply(Bytes::from(body)).await;
}

/// The salt of the commitment to a payload that is here.
fn salt(host: &Host, of: &StreamId, attempt: Option<u32>) -> anyhow::Result<Option<Vec<u8>>> {
    let salt = match attempt {
        None => host.books.spool.facts(of)?.map(|facts| Digest(facts.salt)),
        Some(attempt) => match AttemptDir::find(&host.attempts, of.as_str(), attempt) {
            Some(dir) => dir.salt()?,
            None => None,
        },
    };
    Ok(salt.map(|salt| serde_json::to_vec(&salt)).transpose()?)
}

fn find(host: &Host, query: HostQuery) -> anyhow::Result<Option<Vec<u8>>> {
    match query {
        HostQuery::Output { run, attempt, offset, limit } => {
            output::part(&host.attempts, run.as_str(), attempt, offset, limit)
        }
        // Answered before, and not here: they wait for an engine, and for the log.
        HostQuery::Look { .. } | HostQuery::Code { .. } => Ok(None),
        HostQuery::Artefact { run, attempt, name, offset, limit } => {
            match AttemptDir::find(&host.attempts, run.as_str(), attempt) {
                Some(dir) => answers::artefact(&dir, &name, offset, limit),
                None => Ok(None),
            }
        }
        HostQuery::Document { document, offset, limit } => {
            answers::content(host, &document, offset, limit)
        }
        HostQuery::DocumentFacts { document } => answers::facts(host, &document),
        HostQuery::Salt { of, attempt } => salt(host, &of, attempt),
        HostQuery::Progress { run, attempt } => {
            output::progress(&host.attempts, run.as_str(), attempt)
        }
        HostQuery::Check { definition } => {
            Ok(Some(serde_json::to_vec(&check::problems(host, &definition))?))
        }
    }
}
