//! Gives the output of attempts to whoever asks.

use std::path::Path;
use std::sync::Arc;

use bus::Service;
use bytes::Bytes;
use domain::wire::HostQuery;
use tracing::warn;

use crate::attempt::AttemptDir;
use crate::host::Host;
use crate::life::blocking;

/// Requests that may wait.
const WAITING_MAX: usize = 64;
/// Most bytes of one answer.
const ANSWER_BYTES: usize = 512 * 1024;

/// Output of an attempt on this machine, from `offset` on; `None` where there is no such attempt.
///
/// # Errors
/// The output cannot be read.
pub fn read_output(
    attempts: &Path,
    run: &str,
    attempt: u32,
    offset: u64,
) -> anyhow::Result<Option<Vec<u8>>> {
    AttemptDir::find(attempts, run, attempt).map(|dir| Ok(dir.output(offset)?)).transpose()
}

/// Answers until told to stop.
pub(crate) async fn serve(host: Arc<Host>) {
    let mut requests = match host.bus.serve(Service::Host(host.name.clone()), WAITING_MAX).await {
        Ok(requests) => requests,
        Err(error) => return warn!(%error, "output cannot be served"),
    };
    while let Some(request) = requests.next().await {
        let attempts = host.attempts.clone();
        let query = serde_json::from_slice(&request.body);
        let answer = match query {
            Ok(HostQuery::Output { run, attempt, offset, limit }) => {
                blocking(move || read_output(&attempts, run.as_str(), attempt, offset))
                    .await
                    .map(|found| found.map(|bytes| cut(bytes, limit)))
            }
            Err(error) => Err(error.into()),
        };
        let body = match answer {
            // One byte says whether there is such an attempt, the rest is its output.
            Ok(Some(bytes)) => [b"+".as_slice(), &bytes].concat(),
            Ok(None) => b"-".to_vec(),
            Err(error) => format!("!{error}").into_bytes(),
        };
        let _ = request.reply(Bytes::from(body)).await;
    }
}

fn cut(mut bytes: Vec<u8>, limit: u32) -> Vec<u8> {
    bytes.truncate((limit as usize).min(ANSWER_BYTES));
    bytes
}
