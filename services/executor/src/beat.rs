//! Heartbeats, and what the feed says about runs held here.

use std::sync::Arc;
use std::time::Duration;

use bus::Topic;
use bus::recorder::Follower;
use bytes::Bytes;
use domain::event::{Event, RunCancelRequested, RunEvent};
use domain::wire::{Heartbeat, LogEntry, Query};
use tracing::warn;

use crate::host::Host;
use crate::life::blocking;

/// Heartbeats in one lease: so many may be lost, less one, before an attempt is.
const BEATS: u32 = 6;

/// Says that this host is there, and what it runs.
pub(crate) async fn beat(host: Arc<Host>) {
    let every = Duration::from_millis(host.lease_ms) / BEATS;
    loop {
        let free = u32::try_from(host.slots.available_permits()).unwrap_or(0);
        let heartbeat = Heartbeat::Executor {
            host: host.name.clone(),
            running: host.running(),
            free,
            slots: host.slots_all,
            unsent: host.outbox.unsent(),
            time: (host.clock)(),
        };
        if let Ok(body) = serde_json::to_vec(&heartbeat) {
            // One that is lost is followed by the next.
            let _ = host.bus.publish(&Topic::Heartbeats, Bytes::from(body)).await;
        }
        tokio::time::sleep(every).await;
    }
}

/// Follows the log for wishes to stop a run that is held here.
pub(crate) async fn listen(host: Arc<Host>) {
    let position = loop {
        match bus::recorder::ask(&host.bus, &Query::Head).await {
            Ok(answer) => break answer.position,
            Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    };
    let follower = match Follower::after(&host.bus, position).await {
        Ok(follower) => follower,
        Err(error) => return warn!(%error, "the feed cannot be followed"),
    };
    let mut following = follower.start();
    loop {
        // A failure is no news here: the heartbeat and the outbox complain.
        for entry in following.next().await.unwrap_or_default() {
            if let Some((run, reason)) = wish(&entry)
                && let Some(dir) = host.wants_stop(&run, &reason)
            {
                let told = blocking(move || dir.cancel(&reason).map_err(Into::into)).await;
                if let Err(error) = told {
                    warn!(%run, %error, "the attempt could not be told to stop");
                }
            }
        }
    }
}

fn wish(entry: &LogEntry) -> Option<(domain::ids::StreamId, String)> {
    // Looked at as text first: of a busy log this host needs very little.
    if entry.void.is_some() || !entry.event.get().contains("\"run.cancel-requested\"") {
        return None;
    }
    let envelope = entry.envelope().ok()?;
    match envelope.event().ok()? {
        Event::RunEvent(RunEvent::RunCancelRequested(RunCancelRequested { reason })) => {
            Some((envelope.subject, reason))
        }
        Event::RunEvent(_)
        | Event::JobEvent(_)
        | Event::HostEvent(_)
        | Event::UserEvent(_)
        | Event::LogEvent(_)
        | Event::ThingEvent(_) => None,
    }
}
