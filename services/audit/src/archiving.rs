//! Segments of the log that have their age move into files, one after the other, while the recorder goes on: here they are written
//! and read again; the recorder says of each that it is there, and only then the database forgets it.

use domain::event::LogArchived;
use eventlog::EventLog;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use crate::{AuditConfig, Surroundings};

/// How long nothing is tried after something failed.
const REST: SignedDuration = SignedDuration::from_mins(10);

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
    let mut keeper = Keeper { log, said, refused: false, failed: None };
    loop {
        let now = (around.clock)();
        if let Ok(before) = now.checked_sub(after)
            && !keeper.rests(now)
        {
            let done = keeper.round(before).await;
            keeper.note(done, now);
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
    /// Why it could not be done, and when that was.
    failed: Option<(String, Timestamp)>,
}

impl Keeper {
    /// What failed is not tried at once again: it may have kept others waiting, or have copied a million events for nothing.
    fn rests(&self, now: Timestamp) -> bool {
        let rest = |(_, at): &(String, Timestamp)| now.duration_since(*at).abs() < REST;
        self.failed.as_ref().is_some_and(rest)
    }

    fn note(&mut self, done: anyhow::Result<()>, now: Timestamp) {
        let why = done.err().map(|error| format!("{error:#}"));
        if let Some(error) = &why
            && self.failed.as_ref().is_none_or(|(before, _)| before != error)
        {
            warn!(error, "the log could not be archived");
        }
        self.failed = why.map(|why| (why, now));
    }

    async fn round(&mut self, before: Timestamp) -> anyhow::Result<()> {
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
