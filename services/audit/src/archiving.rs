//! Segments of the log that have their age move into files, one after the other, while the recorder goes on: here they are written
//! and read again; the recorder says of each that it is there, and only then the database forgets it.

use domain::event::LogArchived;
use eventlog::EventLog;
use jiff::SignedDuration;
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use crate::{AuditConfig, Surroundings};

/// A segment that is in its file; whoever says so answers whether that is in the log.
pub(crate) type Archived = (LogArchived, oneshot::Sender<bool>);

/// Archives what has its age, again and again, until it is told to stop.
pub(crate) async fn keep(
    config: AuditConfig,
    log: EventLog,
    around: Surroundings,
    said: mpsc::Sender<Archived>,
) {
    let mut stop = around.stop.clone();
    let after = SignedDuration::from_millis(config.archive_after.millis().cast_signed());
    let every = config.head_every.as_duration();
    let mut keeper = Keeper { log, said, refused: false };
    loop {
        let before = (around.clock)().checked_sub(after);
        if let Ok(before) = before
            && let Err(error) = keeper.round(before).await
        {
            warn!(error = format!("{error:#}"), "the log could not be archived");
        }
        if tokio::time::timeout(every, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}

struct Keeper {
    log: EventLog,
    said: mpsc::Sender<Archived>,
    /// Whether it was told that the database does not let this account forget anything.
    refused: bool,
}

impl Keeper {
    async fn round(&mut self, before: jiff::Timestamp) -> anyhow::Result<()> {
        while let Some(segment) = self.log.next_segment(before).await? {
            let event = self.log.write_segment(segment).await?;
            let (sender, answer) = oneshot::channel();
            let (last, bytes) = (event.last, event.bytes);
            // Whoever stops does not wait for what it was to say.
            if self.said.send((event, sender)).await.is_err() || !answer.await.unwrap_or(false) {
                break;
            }
            info!(segment, last, bytes, "a segment of the log is archived");
        }
        self.forget().await
    }

    async fn forget(&mut self) -> anyhow::Result<()> {
        let to = self.log.archived().await?.map_or(0, |archived| archived.to);
        let gone = self.log.detached().await?;
        if gone >= to {
            return Ok(());
        }
        if !self.log.may_detach().await? {
            if !std::mem::replace(&mut self.refused, true) {
                info!(
                    "archived events stay in the database: its account has no role decklog_archivist"
                );
            }
            return Ok(());
        }
        let now = self.log.detach().await?;
        if now > gone {
            info!(to = now, "the database holds the leaves of archived events no more");
        }
        Ok(())
    }
}
