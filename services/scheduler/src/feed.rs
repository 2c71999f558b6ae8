//! The state a scheduler begins with: jobs and open runs, at a position of the log.

use std::collections::BTreeSet;

use anyhow::Context as _;
use bus::Bus;
use bus::recorder::{AskError, ask, each_event, each_stream, stream};
use domain::envelope::Envelope;
use domain::event::Event;
use domain::ids::StreamId;
use domain::run::Run;
use domain::scheduler::past::PAST_RUNS;
use domain::scheduler::{OF_THE_LOG, SUSPECT, Scheduler};
use domain::wire::{Content, EventFilter, LogEntry, Query, Selection, StreamView};
use jiff::{SignedDuration, Timestamp};

/// How far back a scheduler that starts looks for what nobody noticed.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Loads every job and every open run, and what jobs refer to, and returns the position from which to follow. Pages are read at
/// different positions; the lowest is taken, and what the scheduler has seen already changes nothing.
pub(crate) async fn load(
    bus: &Bus,
    scheduler: &mut Scheduler,
    now: Timestamp,
) -> anyhow::Result<u64> {
    // What may have happened without that the log knows comes first, and what jobs refer to before them.
    if let Some(state) = stream(bus, &StreamId::continued()).await? {
        scheduler.load(&StreamId::continued(), &state, now);
    }
    let mut take = |view: StreamView| scheduler.load(&view.id, &view.state, now);
    let position = each_stream(bus, Selection::Things, &mut take).await?;
    each_stream(bus, Selection::Hosts, &mut take).await?;
    each_stream(bus, Selection::Jobs, &mut take).await?;
    each_stream(bus, Selection::OpenRuns, &mut take).await?;
    each_stream(bus, Selection::Incidents, &mut take).await?;
    if let Some(state) = stream(bus, &domain::review::stream()).await? {
        scheduler.load(&domain::review::stream(), &state, now);
    }
    look_back(bus, scheduler, now).await?;
    Ok(position)
}

/// Looks at what went wrong lately: of what happened while no scheduler was there, there may be no incident yet.
async fn look_back(bus: &Bus, scheduler: &mut Scheduler, now: Timestamp) -> anyhow::Result<()> {
    let mut suspects: BTreeSet<StreamId> = BTreeSet::new();
    for kind in SUSPECT {
        each_lately(bus, kind, now, |envelope, _, received| {
            if scheduler.is_suspect(&envelope.subject, received) {
                suspects.insert(envelope.subject);
            }
        })
        .await?;
    }
    for kind in OF_THE_LOG {
        each_lately(bus, kind, now, |_, event, received| {
            if let Event::LogEvent(event) = event {
                scheduler.notice_of_log(&event, received, now);
            }
        })
        .await?;
    }
    for id in suspects {
        let state = stream(bus, &id).await?;
        if let Some(run) = state.as_ref().and_then(|state| state.body.run()) {
            scheduler.examine(run, now);
        }
    }
    Ok(())
}

/// Every event of a kind in the time that is looked back on, newest first, with when it was received.
async fn each_lately(
    bus: &Bus,
    kind: &str,
    now: Timestamp,
    mut take: impl FnMut(Envelope, Event, Timestamp),
) -> Result<(), AskError> {
    let (kind, since) = (Some(kind.to_owned()), now.checked_sub(LOOK_BACK).ok());
    let filter = EventFilter { kind, since, limit: 1_000, ..EventFilter::default() };
    each_event(bus, filter, |entry| {
        let unreadable = |error: &dyn std::fmt::Display| AskError::Unreadable(error.to_string());
        let envelope = entry.envelope().map_err(|error| unreadable(&error))?;
        let event = envelope.event().map_err(|error| unreadable(&error))?;
        take(envelope, event, entry.received);
        Ok(())
    })
    .await
}

/// The newest runs of a job that have ended.
pub(crate) async fn past(bus: &Bus, job: &str) -> anyhow::Result<Vec<Run>> {
    let query = Query::Past { job: job.to_owned(), limit: PAST_RUNS };
    let Content::Streams(streams) = ask(bus, &query).await?.content else {
        anyhow::bail!("the answer is to another question");
    };
    Ok(streams.into_iter().filter_map(|view| view.state.body.run().cloned()).collect())
}

/// Takes one entry of the feed in.
pub(crate) fn take(scheduler: &mut Scheduler, entry: &LogEntry) -> anyhow::Result<()> {
    if entry.void.is_some() {
        return Ok(());
    }
    let at = || format!("the event at position {}", entry.position);
    let envelope = entry.envelope().with_context(at)?;
    let event: Event = envelope.event().with_context(at)?;
    scheduler.apply(&envelope, &event, entry.received);
    Ok(())
}
