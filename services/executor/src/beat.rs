//! Heartbeats, and what the feed says about runs held here.

use std::sync::Arc;
use std::time::Duration;

use bus::Topic;
use bus::recorder::{AskError, Follower};
use bytes::Bytes;
use domain::event::{Event, HostEvent, JobEvent, RunCancelRequested, RunEvent};
use domain::ids::StreamId;
use domain::wire::{Heartbeat, LogEntry, Query};
use tracing::{info, warn};

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
            hindered: host.outbox.hindered(),
        };
        if let Ok(body) = serde_json::to_vec(&heartbeat) {
            // One that is lost is followed by the next.
            let _ = host.bus.publish(&Topic::Heartbeats, Bytes::from(body)).await;
        }
        tokio::time::sleep(every).await;
    }
}

/// Follows the log for what concerns this host: wishes to stop a run that is held here, news of runs that wait for
/// files, and whether it shall start anything new.
pub(crate) async fn listen(host: Arc<Host>) {
    let position = loop {
        match start(&host).await {
            Ok(position) => break position,
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
            match news(&host, &entry) {
                Some(News::Stop(run, reason)) => tell_stop(&host, &run, reason).await,
                Some(News::Drained(drained)) => drain(&host, drained),
                Some(News::Watched(run)) => host.ring(&run),
                None => {}
            }
        }
    }
}

/// The position to follow from, with everything before it taken in.
async fn start(host: &Host) -> Result<u64, AskError> {
    let position = bus::recorder::ask(&host.bus, &Query::Head).await?.position;
    learn_drained(host).await?;
    host.own.ring();
    Ok(position)
}

/// Asks the log whether this host shall start anything new.
pub(crate) async fn learn_drained(host: &Host) -> Result<(), AskError> {
    let state = bus::recorder::stream(&host.bus, &StreamId::host(&host.name)).await?;
    let known = state.as_ref().and_then(|state| state.body.host());
    host.set_drained(known.is_some_and(|known| known.is_drained_for(host.producer.generation())));
    Ok(())
}

fn drain(host: &Host, drained: bool) {
    info!(
        drained,
        "from now on this host {}",
        if drained { "starts nothing new" } else { "takes work" }
    );
    host.set_drained(drained);
}

async fn tell_stop(host: &Host, run: &StreamId, reason: String) {
    let Some(dir) = host.wants_stop(run, &reason) else { return };
    let told = blocking(move || dir.cancel(&reason).map_err(Into::into)).await;
    if let Err(error) = told {
        warn!(%run, %error, "the attempt could not be told to stop");
    }
}

/// Something in the log that concerns this host.
enum News {
    /// Somebody wants this run to stop, and why.
    Stop(StreamId, String),
    /// Whether the host shall start nothing new.
    Drained(bool),
    /// Something was said about a run that waits for files here.
    Watched(StreamId),
}

/// Kinds of events that can concern it, as they stand in the text of one.
const NAMED: [&str; 12] = [
    "\"type\":\"print.",
    "\"type\":\"queue.",
    "\"type\":\"form.",
    "\"type\":\"hold.",
    "\"type\":\"payload.",
    "\"run.cancel-requested\"",
    "\"host.drained\"",
    "\"host.resumed\"",
    "\"host.revoked\"",
    "\"type\":\"job.",
    "\"type\":\"calendar.",
    "\"type\":\"blackout.",
];

fn news(host: &Host, entry: &LogEntry) -> Option<News> {
    // Looked at as text first: of a busy log this host needs very little.
    let text = entry.event.get();
    let named = NAMED.iter().any(|kind| text.contains(kind));
    if entry.void.is_some() || !(named || host.watches_any()) {
        return None;
    }
    let envelope = entry.envelope().ok()?;
    let about = envelope.subject.clone();
    host.own.hear(&about);
    host.books.hear(&about, &envelope.source);
    if about == StreamId::records() {
        host.records.ring();
    }
    if host.watches(&about) {
        return Some(News::Watched(about));
    }
    match envelope.event().ok()? {
        Event::RunEvent(RunEvent::RunCancelRequested(RunCancelRequested { reason })) => {
            Some(News::Stop(about, reason))
        }
        Event::HostEvent(event) if about == StreamId::host(&host.name) => match event {
            // Whatever it would say of a run from now on, nobody takes.
            HostEvent::HostDrained(_) | HostEvent::HostRevoked(_) => Some(News::Drained(true)),
            HostEvent::HostResumed(_) => Some(News::Drained(false)),
            HostEvent::HostStarted(_) | HostEvent::HostStopped(_) | HostEvent::HostInvited(_) => {
                None
            }
        },
        Event::JobEvent(JobEvent::JobLeaseGranted(granted)) => {
            if granted.host == host.name {
                host.own.ring();
            }
            None
        }
        Event::RunEvent(_)
        | Event::JobEvent(_)
        | Event::HostEvent(_)
        | Event::UserEvent(_)
        | Event::LogEvent(_)
        | Event::ThingEvent(_)
        | Event::BackupEvent(_)
        | Event::PrintEvent(_)
        | Event::FormEvent(_)
        | Event::QueueEvent(_)
        | Event::ChangeEvent(_)
        | Event::IncidentEvent(_)
        | Event::ControlEvent(_)
        | Event::RecordsEvent(_)
        | Event::RequestEvent(_)
        | Event::ReviewEvent(_) => None,
    }
}
