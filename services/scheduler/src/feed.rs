//! The state a scheduler begins with: jobs and open runs, at a position of the log.

use anyhow::Context as _;
use bus::Bus;
use bus::recorder::{ask, each_stream};
use domain::event::Event;
use domain::run::Run;
use domain::scheduler::Scheduler;
use domain::scheduler::past::PAST_RUNS;
use domain::wire::{Content, LogEntry, Query, Selection, StreamView};
use jiff::Timestamp;

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
    Ok(position)
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
