//! What this host keeps although its time has come, and what it erases before: legal holds, and payloads of which two people
//! have agreed that they go.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{bail, ensure};
use bus::recorder;
use domain::envelope::Draft;
use domain::event::PayloadErased;
use domain::ids::StreamId;
use domain::ledger::{Mark, Records};
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::attempt::AttemptDir;
use crate::host::Host;
use crate::life::{blocking, current};
use crate::print::keeping;

/// How often the log is asked although nothing was heard, and how soon again what failed.
const LOOK: Duration = Duration::from_secs(60);

/// What the log says of holds and redactions, as far as this host has heard.
#[derive(Debug, Default)]
pub(crate) struct KnownRecords {
    known: Mutex<Option<Arc<Records>>>,
    bell: Notify,
}

impl KnownRecords {
    /// `None` until the log was asked for the first time: nothing is erased before.
    pub(crate) fn get(&self) -> Option<Arc<Records>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, records: Arc<Records>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(records);
    }

    /// The log has news.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }
}

/// Follows holds, and erases what is to be erased, until told to stop.
pub(crate) async fn work(host: Arc<Host>) {
    host.outbox.recovered().await;
    loop {
        if let Err(error) = look(&host).await {
            let error = format!("{error:#}");
            warn!(%error, "what is to be erased before its time cannot be erased now");
        }
        let _ = tokio::time::timeout(LOOK, host.records.bell.notified()).await;
    }
}

/// What the log says of holds and redactions now.
pub(crate) async fn ask(host: &Host) -> anyhow::Result<Arc<Records>> {
    let state = recorder::stream(&host.bus, &StreamId::records()).await?;
    let known = state.as_ref().and_then(|state| state.body.records());
    let records = Arc::new(known.cloned().unwrap_or_default());
    host.records.put(Arc::clone(&records));
    Ok(records)
}

async fn look(host: &Arc<Host>) -> anyhow::Result<()> {
    let records = ask(host).await?;
    let mut failed = None;
    for of in records.to_erase(&host.name) {
        // One that cannot be erased does not keep the others.
        failed = erase(host, of).await.err().or(failed);
    }
    failed.map_or(Ok(()), Err)
}

/// Destroys first, and says so then: whoever is killed in between finds nothing, and says that.
async fn erase(host: &Arc<Host>, of: &StreamId) -> anyhow::Result<()> {
    // The log lets nothing else be redacted.
    if of.run_job().is_some() {
        erase_attempts(host, of).await?;
    } else {
        keeping::redact(host, of).await?;
    }
    info!(%of, "erased before its time, as two people have agreed");
    say(host, of).await
}

/// Removes all that this host has of a run: output, artefacts, and what it was told.
async fn erase_attempts(host: &Arc<Host>, run: &StreamId) -> anyhow::Result<()> {
    let Some((current, _)) = current(host, run).await else { bail!("there is no {run}") };
    for attempt in current.attempts.iter().filter(|attempt| attempt.host == host.name) {
        let Some(dir) = AttemptDir::find(&host.attempts, run.as_str(), attempt.number) else {
            continue;
        };
        ensure!(dir.is_reported(), "how {run} ended here is not in the log yet");
        blocking(move || Ok(dir.remove()?)).await?;
    }
    Ok(())
}

async fn say(host: &Arc<Host>, of: &StreamId) -> anyhow::Result<()> {
    loop {
        let id = StreamId::records();
        let version = recorder::version(&host.bus, &id).await?;
        let event = PayloadErased { of: of.clone(), host: host.name.clone() };
        match host.outbox.say(Draft::new(id, version + 1, event)).await?.mark {
            Mark::Valid => return Ok(()),
            Mark::Conflict { .. } => {}
            Mark::Refused { reason } => {
                bail!("the log does not take that {of} is erased: {reason}")
            }
        }
    }
}
