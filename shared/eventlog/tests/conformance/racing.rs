//! Two recorders over one log.

use domain::event::LogPolicySet;
use domain::ids::{Class, StreamId};
use domain::ledger::Mark;
use eventlog::{Appended, Appender};
use jiff::Timestamp;

use crate::drafts::*;
use crate::site::{Site, Voice, Who, check_counters, check_tree};
use crate::store::Store;

const ROUNDS: u64 = 30;

/// One recorder with a producer of its own: it proposes a job nobody else touches and one that both do.
async fn propose(
    mut appender: Appender,
    mut voice: Voice,
    now: Timestamp,
) -> (Appender, Vec<Appended>) {
    let mut all = Vec::new();
    let (mut own, mut shared) = (1, 1);
    let name = voice.id.name().to_owned();
    for _ in 0..ROUNDS {
        let number = u32::try_from(shared).unwrap();
        let drafts = vec![
            proposed(&name, own, u32::try_from(own).unwrap()),
            proposed("shared", shared, number),
        ];
        let flush = voice.flush(drafts, now);
        let (mut results, entries) = appender.append(&[flush], now).await.unwrap();
        let appended = results.remove(0).unwrap();
        assert_eq!(entries.len(), 2);
        own += 1;
        shared = match appended.events[1].mark {
            Mark::Valid => shared + 1,
            Mark::Conflict { at } => at + 1,
            Mark::Refused { ref reason } => unreachable!("{reason}"),
        };
        all.push(appended);
    }
    (appender, all)
}

pub(crate) async fn two_recorders_over_one_log_leave_no_gap_and_write_nothing_twice(store: &Store) {
    let mut site = Site::begin(store).await;
    let (one, two) =
        (site.enrol(Class::Console, "one").await, site.enrol(Class::Console, "two").await);
    let first = Appender::open(store.open().await).await.unwrap();
    let second = Appender::open(store.open().await).await.unwrap();
    let first = tokio::spawn(propose(first, one, site.now));
    let second = tokio::spawn(propose(second, two, site.now));
    let ((mut first, said), (mut second, also)) = (first.await.unwrap(), second.await.unwrap());
    let events = said.iter().chain(&also).flat_map(|appended| &appended.events);
    let mut positions: Vec<u64> = events.clone().map(|event| event.position).collect();
    positions.sort_unstable();
    assert_eq!(positions, (7..7 + 4 * ROUNDS).collect::<Vec<_>>());
    let valid = events.filter(|event| event.mark == Mark::Valid).count() as u64;
    let shared = StreamId::job("shared");
    let state = site.log.streams(&std::iter::once(shared.clone()).collect()).await.unwrap();
    assert_eq!(state[&shared].version, valid - 2 * ROUNDS);
    first.reload_if_moved().await.unwrap();
    second.reload_if_moved().await.unwrap();
    assert_eq!(first.head(), second.head());
    check_tree(&site.log).await;
    check_counters(&site.log).await;
}

pub(crate) async fn a_recorder_that_fell_behind_does_not_refuse_falsely(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    let mut other = Appender::open(store.open().await).await.unwrap();
    site.valid(Who::Console, vec![paused("a", 3)]).await;
    // The other recorder knows neither the console's newest event nor the new producer.
    let mut late = site.enrol(Class::Console, "late").await;
    let flushes = [
        site.flush(Who::Console, vec![resumed("a", 4)]),
        late.flush(vec![paused("a", 5)], site.now),
    ];
    let (results, _) = other.append(&flushes, site.now).await.unwrap();
    assert!(results.iter().all(|result| result.as_ref().unwrap().all_valid()), "{results:?}");
    site.valid(Who::Console, vec![resumed("a", 6)]).await;
    check_tree(&site.log).await;
}

pub(crate) async fn a_recorder_over_a_stale_ledger_judges_anew(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    let mut voice = site.enrol(Class::Console, "second").await;
    let mut other = Appender::open(store.open().await).await.unwrap();
    let warm = voice.flush(vec![paused("a", 9)], site.now);
    other.append(&[warm], site.now).await.unwrap();
    // A stream that it has at hand, and a rule of the site, become others behind its back.
    site.valid(Who::Console, vec![paused("a", 3), proposed("a", 4, 2)]).await;
    site.main += 1;
    let policy = LogPolicySet { self_approval: true, reason: "a site of one".to_owned() };
    let main = StreamId::log("main");
    let set = domain::envelope::Draft::new(main, site.main, policy);
    site.valid(Who::Console, vec![set]).await;
    let own = approved("a", 5, 2).by(Some("user/ana"));
    let flush = voice.flush(vec![own, paused("a", 3)], site.now);
    let (mut results, _) = other.append(&[flush], site.now).await.unwrap();
    let events = results.remove(0).unwrap().events;
    assert_eq!(events[0].mark, Mark::Valid);
    assert_eq!(events[1].mark, Mark::Conflict { at: 5 });
    assert!(other.ledger().policy.self_approval);
}

pub(crate) async fn a_flush_that_went_to_both_recorders_is_answered_alike(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    let mut other = Appender::open(store.open().await).await.unwrap();
    let mut version = 3;
    for _ in 0..ROUNDS {
        let flush = site.flush(Who::Console, vec![paused("a", version), resumed("a", version + 1)]);
        let both = [flush];
        let (now, mine) = (site.now, &mut site.appender);
        let (one, two) = tokio::join!(mine.append(&both, now), other.append(&both, now));
        let (one, two) = (one.unwrap().0, two.unwrap().0);
        assert_eq!(one, two);
        assert!(one[0].as_ref().unwrap().all_valid(), "{one:?}");
        version += 2;
    }
    assert_eq!(check_tree(&site.log).await, 6 + 2 * ROUNDS);
}

pub(crate) async fn a_read_model_is_rebuilt_while_others_append(store: &Store) {
    let mut site = Site::begin(store).await;
    let voice = site.enrol(Class::Console, "busy").await;
    let appender = Appender::open(store.open().await).await.unwrap();
    let work = tokio::spawn(propose(appender, voice, site.now));
    while !work.is_finished() {
        site.log.rebuild_read_model().await.unwrap();
    }
    work.await.unwrap();
    let live = site.log.read_model_text().await.unwrap();
    let rebuilt = site.log.rebuild_read_model().await.unwrap();
    let states = live.iter().filter(|line| line.starts_with("state|")).count() as u64;
    assert_eq!((rebuilt.events, rebuilt.streams), (5 + 2 * ROUNDS, states));
    assert_eq!(site.log.read_model_text().await.unwrap(), live);
}
