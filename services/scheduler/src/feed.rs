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
use domain::scheduler::{OF_THE_LOG, SUSPECT, Scheduler, Settings};
use domain::wire::{Content, EventFilter, LogEntry, Query, Selection, StreamView};
use jiff::{SignedDuration, Timestamp};

/// How far back a scheduler that starts looks for what nobody noticed.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A scheduler that knows every job and every open run, and what jobs refer to, and the position from which to follow. Pages are
/// read at different positions; the lowest is taken, and what the scheduler has seen already changes nothing. Whoever tries again
/// begins with nothing: what a try that failed had loaded may have ended before the position of the next.
pub(crate) async fn load(
    bus: &Bus,
    settings: Settings,
    now: Timestamp,
) -> anyhow::Result<(Scheduler, u64)> {
    let mut scheduler = Scheduler::new(settings);
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
    look_back(bus, &mut scheduler, now).await?;
    Ok((scheduler, position))
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use bus::Service;
    use bytes::Bytes;
    use domain::event::RunEvent;
    use domain::ids::ProducerId;
    use domain::ledger::{Body, StreamState, Turn};
    use domain::run::Context;
    use domain::wire::Answer;

    use super::*;

    /// A run that is due, as the log has it until it ends.
    fn open() -> StreamView {
        let text = include_str!("../../../shared/domain/tests/golden/run.due.1.minimal.json");
        let data = serde_json::from_str(text).unwrap();
        let Event::RunEvent(due @ RunEvent::RunDue(_)) = Event::read("run.due", 1, &data).unwrap()
        else {
            panic!("it is another event");
        };
        let id = StreamId::run("payroll-export", "request-1");
        let producer: ProducerId = "scheduler/one".parse().unwrap();
        let (received, producer) = (Timestamp::UNIX_EPOCH, &producer);
        let ctx = Context { received, producer, actor: None, payload: None };
        let run = Run::evolve(None, &id, &due, ctx).unwrap();
        let body = Body::Run(Box::new(run));
        StreamView { id, state: StreamState { version: 1, body, turn: Turn::default() } }
    }

    /// A recorder that answers nothing about incidents the first time, and of which the open run has ended by the second.
    fn answer(query: &Query, failed: &AtomicBool) -> Vec<u8> {
        let of = |wanted| matches!(query, Query::Streams { of, after, .. } if *of == wanted && after.is_empty());
        let first = !failed.load(Ordering::SeqCst);
        if of(Selection::Incidents) && !failed.swap(true, Ordering::SeqCst) {
            return b"nothing that could be read".to_vec();
        }
        let content = if let Query::Search(_) = query {
            Content::Events(Vec::new())
        } else {
            let open = (of(Selection::OpenRuns) && first).then(open);
            Content::Streams(open.into_iter().collect())
        };
        serde_json::to_vec(&Answer { position: 7, content }).unwrap()
    }

    #[tokio::test]
    async fn what_a_try_that_failed_had_loaded_and_that_has_ended_since_is_not_open_for_ever() {
        let bus = Bus::in_process();
        let mut requests = bus.serve(Service::Query, 8).await.unwrap();
        tokio::spawn(async move {
            let failed = AtomicBool::new(false);
            while let Some(request) = requests.next().await {
                let query = serde_json::from_slice(&request.body).unwrap();
                request.reply(Bytes::from(answer(&query, &failed))).await.unwrap();
            }
        });
        let settings = Settings::new("one", "2025b");
        let load = || load(&bus, settings.clone(), Timestamp::UNIX_EPOCH);
        load().await.unwrap_err();
        let (scheduler, position) = load().await.unwrap();
        assert_eq!((scheduler.counts().1, position), (0, 7));
    }
}
