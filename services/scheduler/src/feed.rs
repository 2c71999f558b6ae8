//! The state a scheduler begins with: jobs and open runs, at a position of the log.

use anyhow::{Context as _, bail};
use bus::Bus;
use bus::recorder::ask;
use domain::envelope::Envelope;
use domain::event::Event;
use domain::scheduler::Scheduler;
use domain::wire::{Content, LogEntry, Query, Selection};
use jiff::Timestamp;

/// Streams asked for at once.
const STREAMS: u32 = 1_000;

/// Loads every job and every open run, and returns the position from which to follow. Pages are read at
/// different positions; the lowest is taken, and what the scheduler has seen already changes nothing.
pub(crate) async fn load(
    bus: &Bus,
    scheduler: &mut Scheduler,
    now: Timestamp,
) -> anyhow::Result<u64> {
    let mut position = None;
    for of in [Selection::Jobs, Selection::OpenRuns] {
        let mut after = String::new();
        loop {
            let answer =
                ask(bus, &Query::Streams { of, after: after.clone(), limit: STREAMS }).await?;
            position = Some(position.unwrap_or(answer.position));
            let Content::Streams(streams) = answer.content else { bail!("no streams") };
            let Some(last) = streams.last() else { break };
            after = last.id.to_string();
            for view in &streams {
                scheduler.load(&view.id, &view.state, now);
            }
        }
    }
    position.context("the recorder gave no position")
}

/// Takes one entry of the feed in.
pub(crate) fn take(scheduler: &mut Scheduler, entry: &LogEntry) -> anyhow::Result<()> {
    if entry.void.is_some() {
        return Ok(());
    }
    let at = || format!("the event at position {}", entry.position);
    let envelope = Envelope::parse_stored(entry.event.get().as_bytes()).with_context(at)?;
    let event: Event = envelope.event().with_context(at)?;
    scheduler.apply(&envelope, &event, entry.received);
    Ok(())
}
