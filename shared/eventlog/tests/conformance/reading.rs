//! Following the log, reading a stream, asking questions.

use std::collections::BTreeSet;

use domain::ids::StreamId;
use domain::wire::{Content, EventFilter, LogEntry, Query, Selection};

use crate::drafts::*;
use crate::site::{Site, Who};
use crate::store::Store;

fn positions(entries: &[LogEntry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.position).collect()
}

pub(crate) async fn the_log_is_followed_in_pages_from_any_position(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    for version in [3, 5, 7] {
        site.valid(Who::Console, vec![paused("a", version), resumed("a", version + 1)]).await;
    }
    let mut seen = Vec::new();
    loop {
        let page = site.log.entries(seen.len() as u64, 5, None).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(positions(&page));
    }
    assert_eq!(seen, (1..=12).collect::<Vec<_>>());
    assert_eq!(positions(&site.log.entries(9, 2, None).await.unwrap()), [10, 11]);
    assert!(site.log.entries(12, 9, None).await.unwrap().is_empty());
    assert_eq!(site.log.leaves(0, u32::MAX).await.unwrap().len(), 12);
}

pub(crate) async fn a_stream_is_read_in_order_with_its_void_events(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    site.valid(Who::Console, vec![paused("a", 3), proposed("b", 1, 1)]).await;
    site.say(Who::Console, vec![paused("a", 3), paused("a", 4), proposed("b", 1, 1)]).await;
    site.valid(Who::Console, vec![resumed("a", 4)]).await;
    let stream = StreamId::job("a");
    let all = site.log.entries(0, 100, Some(&stream)).await.unwrap();
    assert_eq!(positions(&all), [5, 6, 7, 9, 10, 12]);
    let void: Vec<bool> = all.iter().map(|entry| entry.void.is_some()).collect();
    assert_eq!(void, [false, false, false, true, true, false]);
    let page = site.log.entries(6, 2, Some(&stream)).await.unwrap();
    assert_eq!(positions(&page), [7, 9]);
    assert!(site.log.entries(0, 9, Some(&StreamId::job("none"))).await.unwrap().is_empty());
}

pub(crate) async fn events_are_found_by_stream_type_and_time_newest_first(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    site.valid(Who::Console, vec![paused("a", 3), proposed("b", 1, 1)]).await;
    let noon = site.tick();
    site.say(Who::Console, vec![paused("a", 3), resumed("a", 4), proposed("c", 1, 1)]).await;
    let found = async |filter: EventFilter| {
        let answer = site.log.answer(&Query::Search(filter)).await.unwrap();
        let Content::Events(events) = answer.content else { unreachable!() };
        positions(&events)
    };
    let all = || EventFilter { limit: 99, ..EventFilter::default() };
    let of = |kind: &str| EventFilter { kind: Some(kind.to_owned()), ..all() };
    let a = || EventFilter { stream: Some(StreamId::job("a")), ..all() };
    assert_eq!(found(all()).await, (1..=11).rev().collect::<Vec<_>>());
    assert_eq!(found(EventFilter { limit: 2, ..all() }).await, [11, 10]);
    let part = EventFilter { after: 3, before: Some(6), ..all() };
    assert_eq!(found(part).await, [5, 4]);
    assert_eq!(found(of("job.paused")).await, [9, 7]);
    assert!(found(of("job.never")).await.is_empty());
    assert_eq!(found(a()).await, [10, 9, 7, 6, 5]);
    assert_eq!(found(EventFilter { before: Some(9), limit: 2, ..a() }).await, [7, 6]);
    assert_eq!(found(EventFilter { kind: Some("job.paused".to_owned()), ..a() }).await, [9, 7]);
    assert_eq!(found(EventFilter { since: Some(noon), ..a() }).await, [10, 9]);
    let by = |actor: &str| EventFilter { actor: Some(actor.to_owned()), ..all() };
    let acted = found(by("user/ana")).await;
    assert!(found(by("user/nobody")).await.is_empty());
    assert_eq!(found(EventFilter { limit: 1, ..by("user/ana") }).await, acted[..1]);
    assert_eq!(found(EventFilter { until: Some(noon), ..of("job.proposed") }).await, [8, 5]);
}

pub(crate) async fn questions_about_the_log_say_to_which_position_they_are_true(store: &Store) {
    let site = Site::with_job(store, "a").await;
    let answer = site.log.answer(&Query::Head).await.unwrap();
    let Content::Head(head) = answer.content else { unreachable!() };
    assert_eq!((answer.position, head.size, head.origin.as_str()), (6, 6, "test.local/log"));
    assert_eq!((head.root, head.signed), (site.appender.head().1, None));
    let leaves = site.log.answer(&Query::Leaves { after: 4, limit: 9 }).await.unwrap();
    let Content::Leaves(leaves) = leaves.content else { unreachable!() };
    assert_eq!(leaves.iter().map(|leaf| leaf.position).collect::<Vec<_>>(), [5, 6]);
    let events = Query::Events { after: 5, limit: 9, stream: Some(StreamId::job("a")) };
    let Content::Events(events) = site.log.answer(&events).await.unwrap().content else {
        unreachable!()
    };
    assert_eq!(positions(&events), [6]);
    let stream = Query::Stream { id: StreamId::job("a") };
    let Content::Streams(found) = site.log.answer(&stream).await.unwrap().content else {
        unreachable!()
    };
    assert_eq!(found[0].state.version, 2);
    assert!(found[0].state.body.job().unwrap().active().is_some());
}

pub(crate) async fn heads_are_kept_and_listed_newest_first(store: &Store) {
    let site = Site::begin(store).await;
    for (size, note) in [(1, "one"), (4, "four"), (3, "three")] {
        site.log.put_checkpoint(size, note, site.now).await.unwrap();
    }
    assert_eq!(site.log.checkpoints(2).await.unwrap(), ["four", "three"]);
    let asked = site.log.answer(&Query::Heads { limit: 9 }).await.unwrap();
    let Content::Heads(heads) = asked.content else { unreachable!() };
    assert_eq!(heads, ["four", "three", "one"]);
    let Content::Head(head) = site.log.answer(&Query::Head).await.unwrap().content else {
        unreachable!()
    };
    assert_eq!(head.signed.as_deref(), Some("four"));
}

pub(crate) async fn the_same_head_is_never_kept_twice(store: &Store) {
    let mut site = Site::begin(store).await;
    site.log.put_checkpoint(4, "four", site.now).await.unwrap();
    assert!(site.log.put_checkpoint(4, "other", site.now).await.is_err());
    assert_eq!(site.log.checkpoints(9).await.unwrap(), ["four"]);
    let later = site.tick();
    site.log.put_checkpoint(4, "four again", later).await.unwrap();
    assert_eq!(site.log.checkpoints(1).await.unwrap(), ["four again"]);
}

/// Largest message the bus takes; `bus::MAX_MESSAGE_BYTES`.
const MESSAGE: usize = 960 * 1024;

pub(crate) async fn open_runs_come_in_answers_that_fit_into_a_message(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    let wordy = |n: usize| {
        let mut draft = requested("a", 1, &format!("request-{n:03}"));
        let domain::event::Event::RunEvent(domain::event::RunEvent::RunRequested(body)) =
            &mut draft.event
        else {
            unreachable!()
        };
        body.reason = "why ".repeat(3_000);
        draft
    };
    for part in 0..5 {
        site.valid(Who::Console, (part * 40..part * 40 + 40).map(wordy).collect()).await;
    }
    let mut after = String::new();
    let mut seen = BTreeSet::new();
    loop {
        let query = Query::Streams { of: Selection::OpenRuns, after: after.clone(), limit: 1_000 };
        let answer = site.log.answer(&query).await.unwrap();
        assert!(serde_json::to_vec(&answer).unwrap().len() < MESSAGE);
        let Content::Streams(views) = answer.content else { unreachable!() };
        let Some(last) = views.last() else { break };
        after = last.id.to_string();
        seen.extend(views.into_iter().map(|view| view.id));
    }
    assert_eq!(seen.len(), 200);
}
