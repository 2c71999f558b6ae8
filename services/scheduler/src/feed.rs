//! The state a scheduler begins with: jobs and open runs, at a position of the log.

use std::collections::BTreeSet;

use anyhow::Context as _;
use bus::Bus;
use bus::recorder::{AskError, ask, each_event, each_stream, stream};
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
    let mut take = |view: StreamView| scheduler.load(&view.id, &view.state, now);
    // What jobs refer to comes before them.
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

/// Looks at runs that went wrong lately: one that ended while no scheduler was there may be no incident yet.
async fn look_back(bus: &Bus, scheduler: &mut Scheduler, now: Timestamp) -> anyhow::Result<()> {
    let mut suspects: BTreeSet<StreamId> = BTreeSet::new();
    for kind in SUSPECT {
        let (kind, since) = (Some(kind.to_owned()), now.checked_sub(LOOK_BACK).ok());
        let filter = EventFilter { kind, since, limit: 1_000, ..EventFilter::default() };
        each_event(bus, filter, |entry| {
            let unreadable = |error| AskError::Unreadable(format!("{error}"));
            let run = entry.envelope().map_err(unreadable)?.subject;
            if scheduler.is_suspect(&run, entry.received) {
                suspects.insert(run);
            }
            Ok(())
        })
        .await?;
    }
    look_back_at_the_log(bus, scheduler, now).await?;
    for id in suspects {
        let state = stream(bus, &id).await?;
        if let Some(run) = state.as_ref().and_then(|state| state.body.run()) {
            scheduler.examine(run, now);
        }
    }
    Ok(())
}

/// The same for what was said of the log itself.
async fn look_back_at_the_log(
    bus: &Bus,
    scheduler: &mut Scheduler,
    now: Timestamp,
) -> anyhow::Result<()> {
    for kind in OF_THE_LOG {
        let (kind, since) = (Some(kind.to_owned()), now.checked_sub(LOOK_BACK).ok());
        let filter = EventFilter { kind, since, limit: 100, ..EventFilter::default() };
        each_event(bus, filter, |entry| {
            let unreadable =
                |error: &dyn std::fmt::Display| AskError::Unreadable(error.to_string());
            let envelope = entry.envelope().map_err(|error| unreadable(&error))?;
            if let Event::LogEvent(event) = envelope.event().map_err(|error| unreadable(&error))? {
                scheduler.notice_of_log(&event, entry.received, now);
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
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
