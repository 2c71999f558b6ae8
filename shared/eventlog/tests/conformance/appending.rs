//! What becomes of a flush.

use domain::ids::{Class, StreamId};
use domain::ledger::{Mark, Refusal};
use eventlog::{Appender, Refused};

use crate::drafts::*;
use crate::site::{Site, Voice, Who, check_counters, check_tree, identity};
use crate::store::Store;

fn positions(appended: &eventlog::Appended) -> Vec<u64> {
    appended.events.iter().map(|event| event.position).collect()
}

pub(crate) async fn a_log_begins_with_its_creation_and_grows_without_a_gap(store: &Store) {
    let mut site = Site::begin(store).await;
    assert_eq!(site.appender.ledger().origin.as_deref(), Some("test.local/log"));
    let proposals = [site.flush(Who::Console, vec![proposed("a", 1, 1), approved("a", 2, 1)])];
    let (results, entries) = site.appender.append(&proposals, site.now).await.unwrap();
    assert_eq!(positions(results[0].as_ref().unwrap()), [5, 6]);
    assert_eq!(entries.iter().map(|entry| entry.position).collect::<Vec<_>>(), [5, 6]);
    assert_eq!(entries[0].event.get().as_bytes(), proposals[0].envelopes[0]);
    let host = site.valid(Who::Host, vec![host_started(1)]).await;
    assert_eq!(positions(&host), [7]);
    assert_eq!(check_tree(&site.log).await, 7);
    let first = &site.log.entries(0, 1, None).await.unwrap()[0];
    assert!(first.event.get().contains("log.created"));
}

pub(crate) async fn the_head_is_the_tree_over_the_stored_leaves(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    for n in 1_u64..40 {
        let drafts = (0..n % 5 + 1).map(|_| paused("a", 3)).collect();
        site.say(Who::Console, drafts).await;
        let (size, root) = site.log.head().await.unwrap();
        assert_eq!(site.appender.head(), (size, domain::canonical::Digest(root.0)));
    }
    check_tree(&site.log).await;
    check_counters(&site.log).await;
}

pub(crate) async fn a_conflict_is_void_and_answered_with_the_version(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    assert_eq!(site.mark(Who::Console, paused("a", 2)).await, Mark::Conflict { at: 2 });
    assert_eq!(site.mark(Who::Console, paused("a", 4)).await, Mark::Conflict { at: 2 });
    assert_eq!(site.mark(Who::Console, paused("b", 2)).await, Mark::Conflict { at: 0 });
    let leaf = &site.log.leaves(6, 1).await.unwrap()[0];
    assert_eq!(leaf.void.as_deref(), Some("conflict: the stream is at version 2"));
    assert_eq!(site.mark(Who::Console, paused("a", 3)).await, Mark::Valid);
}

pub(crate) async fn a_refused_event_is_void_with_its_reason(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    let mark = site.mark(Who::Console, resumed("a", 3)).await;
    assert_eq!(mark, Mark::Refused { reason: "the job is not paused".to_owned() });
    let own =
        site.say(Who::Console, vec![proposed("b", 1, 1), approved("b", 2, 1).by(Some("user/ana"))]);
    let own = own.await.events;
    assert_eq!(own[0].mark, Mark::Valid);
    assert_eq!(
        own[1].mark,
        Mark::Refused { reason: "nobody approves their own change".to_owned() }
    );
    let forged = site.mark(Who::Host, paused("a", 3)).await;
    let reason = "a producer of class executor may not state job.paused".to_owned();
    assert_eq!(forged, Mark::Refused { reason });
    assert_eq!(site.mark(Who::Console, paused("a", 3)).await, Mark::Valid);
}

pub(crate) async fn a_void_event_still_counts_for_its_producer(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    let void = site.say(Who::Console, vec![resumed("a", 3), paused("a", 9), paused("a", 3)]).await;
    assert_eq!(void.events.iter().filter(|event| event.mark == Mark::Valid).count(), 1);
    site.valid(Who::Console, vec![resumed("a", 4)]).await;
    let console = &site.voices[&Who::Console];
    assert_eq!(site.appender.ledger().producers[&console.id].place, console.place);
    check_counters(&site.log).await;
}

pub(crate) async fn a_repeated_flush_gets_its_old_positions_and_marks(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    let first = site.flush(Who::Console, vec![paused("a", 3), paused("a", 7), resumed("a", 9)]);
    let said = site.send(std::slice::from_ref(&first)).await;
    site.valid(Who::Console, vec![resumed("a", 4)]).await;
    let head = site.log.head().await.unwrap();
    site.tick();
    assert_eq!(site.send(std::slice::from_ref(&first)).await, said);
    let mut restarted = Appender::open(site.log.clone()).await.unwrap();
    let (again, entries) = restarted.append(&[first], site.now).await.unwrap();
    assert_eq!(again, said);
    assert!(entries.is_empty(), "a repetition is no news");
    assert_eq!(site.log.head().await.unwrap(), head);
}

pub(crate) async fn a_revoked_key_is_refused_also_after_a_restart_and_in_the_batch_that_revokes_it(
    store: &Store,
) {
    let mut site = Site::with_job(store, "a").await;
    let before = site.flush(Who::Host, vec![host_started(1)]);
    let revoked = site.flush(Who::Console, vec![host_revoked("h0", 2)]);
    let beside = site.flush(Who::Host, vec![host_started(3)]);
    let said = site.send(&[before.clone(), revoked, beside]).await;
    assert!(said[0].as_ref().unwrap().all_valid() && said[1].as_ref().unwrap().all_valid());
    // It was let in with the batch, and has no effect.
    let reason = "the key of executor/h0 was revoked".to_owned();
    assert_eq!(said[2].as_ref().unwrap().events[0].mark, Mark::Refused { reason });
    let later = site.flush(Who::Host, vec![host_started(3)]);
    let id = site.voices[&Who::Host].id.clone();
    let refused = Err(Refused::Refusal(Refusal::Revoked(id)));
    assert_eq!(site.send(std::slice::from_ref(&later)).await, std::slice::from_ref(&refused));
    let mut restarted = Appender::open(site.log.clone()).await.unwrap();
    let (again, _) = restarted.append(&[before, later], site.now).await.unwrap();
    assert_eq!(again, [said[0].clone(), refused], "what it said before is still known");
    check_counters(&site.log).await;
}

pub(crate) async fn a_log_that_was_brought_back_goes_on_behind_what_producers_had_said_also_after_a_restart(
    store: &Store,
) {
    let mut site = Site::with_job(store, "a").await;
    let (size, _) = site.appender.head();
    // What the host said in the time that is lost.
    for version in 1..4 {
        site.flush(Who::Host, vec![host_started(version)]);
    }
    let next = site.flush(Who::Host, vec![host_started(1)]);
    let id = site.voices[&Who::Host].id.clone();
    let gap = Err(Refused::Refusal(Refusal::NotNext { producer: id, known: 0, begins: 4 }));
    assert_eq!(site.send(std::slice::from_ref(&next)).await, std::slice::from_ref(&gap));
    site.valid(Who::Audit, vec![continued(size, 3)]).await;
    let mut restarted = Appender::open(site.log.clone()).await.unwrap();
    assert_eq!(restarted.ledger().origin.as_deref(), Some("test.local/log-2"));
    let (said, _) = restarted.append(std::slice::from_ref(&next), site.now).await.unwrap();
    assert!(said[0].as_ref().unwrap().all_valid(), "{said:?}");
    // Once: what is left out after that is refused as ever.
    site.flush(Who::Host, vec![host_started(2)]);
    let later = site.flush(Who::Host, vec![host_started(2)]);
    let mut again = Appender::open(site.log.clone()).await.unwrap();
    let (said, _) = again.append(&[later], site.now).await.unwrap();
    assert!(matches!(said[0], Err(Refused::Refusal(Refusal::NotNext { known: 4, .. }))));
    site.log.rebuild_read_model().await.unwrap();
    let rebuilt = Appender::open(site.log.clone()).await.unwrap();
    assert_eq!(rebuilt.ledger().producers, again.ledger().producers);
    check_tree(&site.log).await;
}

pub(crate) async fn a_host_has_another_key_and_the_one_before_is_refused_also_after_a_restart(
    store: &Store,
) {
    let mut site = Site::with_job(store, "a").await;
    site.valid(Who::Host, vec![host_started(1)]).await;
    site.valid(Who::Console, vec![host_invited("h0", 2, 2, site.now)]).await;
    let mut second = Voice::of_host("h0", 2);
    let let_in = second.enrolled_by("invitation", site.main + 1);
    site.valid(Who::Audit, vec![let_in]).await;
    let hello = second.flush(vec![host_started(3)], site.now);
    assert!(site.send(&[hello]).await[0].as_ref().unwrap().all_valid());
    let old = site.flush(Who::Host, vec![host_started(4)]);
    let id = site.voices[&Who::Host].id.clone();
    let refused = Err(Refused::Refusal(Refusal::Revoked(id)));
    assert_eq!(site.send(std::slice::from_ref(&old)).await, std::slice::from_ref(&refused));
    let mut restarted = Appender::open(site.log.clone()).await.unwrap();
    let next = second.flush(vec![host_started(4)], site.now);
    let (said, _) = restarted.append(&[old, next], site.now).await.unwrap();
    assert_eq!(said[0], refused);
    assert!(said[1].as_ref().unwrap().all_valid(), "{said:?}");
    check_counters(&site.log).await;
}

pub(crate) async fn a_flush_that_stands_twice_in_one_batch_is_written_once(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    let flush = site.flush(Who::Console, vec![paused("a", 3), resumed("a", 3)]);
    let next = site.flush(Who::Console, vec![resumed("a", 4)]);
    let said = site.send(&[flush.clone(), flush.clone(), next, flush]).await;
    let first = said[0].as_ref().unwrap();
    assert_eq!(positions(first), [7, 8]);
    assert_eq!(first.events[1].mark, Mark::Conflict { at: 3 });
    assert_eq!((said[1].as_ref(), said[3].as_ref()), (Ok(first), Ok(first)));
    assert_eq!(positions(said[2].as_ref().unwrap()), [9]);
    assert_eq!(check_tree(&site.log).await, 9);
}

pub(crate) async fn other_bytes_under_known_counters_are_a_fork(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    let mut twin = site.voices[&Who::Console].clone();
    site.valid(Who::Console, vec![paused("a", 3)]).await;
    let other = twin.flush(vec![proposed("a", 4, 2)], site.now);
    let said = site.send(&[other]).await.remove(0);
    assert_eq!(said, Err(Refused::Fork { producer: twin.id, pseq: 3 }));
    assert_eq!(check_tree(&site.log).await, 7);
}

pub(crate) async fn other_bytes_under_the_counters_of_the_same_batch_are_a_fork(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    let mut twin = site.voices[&Who::Console].clone();
    let one = site.flush(Who::Console, vec![paused("a", 3)]);
    let other = twin.flush(vec![proposed("a", 4, 2)], site.now);
    let said = site.send(&[one, other]).await;
    assert!(said[0].is_ok());
    assert_eq!(said[1], Err(Refused::Fork { producer: twin.id, pseq: 3 }));
    assert_eq!(check_tree(&site.log).await, 7);
}

pub(crate) async fn an_unknown_producer_is_told_to_enrol(store: &Store) {
    let mut site = Site::begin(store).await;
    let mut stranger = Voice::new(Class::Console, "stranger");
    let flush = stranger.flush(vec![proposed("a", 1, 1)], site.now);
    let said = site.send(std::slice::from_ref(&flush)).await.remove(0);
    assert_eq!(said, Err(Refused::NotEnrolled(stranger.id.clone())));
    assert_eq!(check_tree(&site.log).await, 4);
    site.enrol(Class::Console, "stranger").await;
    assert!(site.send(&[flush]).await.remove(0).unwrap().all_valid());
    let mut forger = Voice { key: site.voices[&Who::Host].key.clone(), ..stranger };
    let forged = forger.flush(vec![paused("a", 2)], site.now);
    let said = site.send(&[forged]).await.remove(0);
    assert!(matches!(said, Err(Refused::Refusal(Refusal::Seal { .. }))), "{said:?}");
}

pub(crate) async fn a_used_event_identity_is_refused_and_nothing_is_written(store: &Store) {
    let mut site = Site::begin(store).await;
    let (id, now) = (identity(), site.now);
    let console = site.voices.get_mut(&Who::Console).unwrap();
    let first = console.flush_as(vec![(id, proposed("a", 1, 1))], now);
    let second =
        console.flush_as(vec![(identity(), approved("a", 2, 1)), (id, paused("a", 3))], now);
    assert!(site.send(&[first]).await[0].is_ok());
    let said = site.send(std::slice::from_ref(&second)).await.remove(0);
    assert_eq!(said, Err(Refused::Identity(id)));
    assert_eq!(check_tree(&site.log).await, 5);
    let streams = std::iter::once(StreamId::job("a")).collect();
    assert_eq!(site.log.streams(&streams).await.unwrap()[&StreamId::job("a")].version, 1);
}

pub(crate) async fn a_refused_identity_does_not_spoil_the_flushes_beside_it(store: &Store) {
    let mut site = Site::begin(store).await;
    let (used, shared, now) = (identity(), identity(), site.now);
    let console = site.voices.get_mut(&Who::Console).unwrap();
    let first = console.flush_as(vec![(used, proposed("a", 1, 1))], now);
    assert!(site.send(&[first]).await[0].is_ok());
    let mut thief = site.enrol(Class::Console, "thief").await;
    let stolen = thief.flush_as(vec![(shared, paused("a", 2)), (used, paused("a", 3))], now);
    let console = site.voices.get_mut(&Who::Console).unwrap();
    let honest = console.flush_as(vec![(shared, approved("a", 2, 1))], now);
    let said = site.send(&[stolen, honest]).await;
    assert_eq!(said[0], Err(Refused::Identity(used)));
    assert!(said[1].as_ref().unwrap().all_valid());
}

pub(crate) async fn an_identity_twice_in_one_flush_is_refused(store: &Store) {
    let mut site = Site::begin(store).await;
    let (id, now) = (identity(), site.now);
    let console = site.voices.get_mut(&Who::Console).unwrap();
    let flush = console.flush_as(vec![(id, proposed("a", 1, 1)), (id, approved("a", 2, 1))], now);
    assert_eq!(site.send(&[flush]).await.remove(0), Err(Refused::Identity(id)));
    assert_eq!(check_tree(&site.log).await, 4);
}

pub(crate) async fn occurrences_of_one_job_in_one_batch_follow_each_other(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    let (one, two, three) = (site.now, site.tick(), site.tick());
    let drafts = vec![due("a", one, None), due("a", two, Some(one))];
    let early = vec![due("a", three, Some(one)), due("a", three, Some(two))];
    let flushes = [site.flush(Who::Scheduler, drafts), site.flush(Who::Scheduler, early)];
    let said = site.send(&flushes).await;
    assert!(said[0].as_ref().unwrap().all_valid(), "{said:?}");
    let marks = &said[1].as_ref().unwrap().events;
    assert!(matches!(marks[0].mark, Mark::Refused { .. }), "{said:?}");
    assert_eq!(marks[1].mark, Mark::Valid);
    let before = site.log.read_model_text().await.unwrap();
    site.log.rebuild_read_model().await.unwrap();
    assert_eq!(site.log.read_model_text().await.unwrap(), before);
}

pub(crate) async fn an_instant_finer_than_a_microsecond_means_the_same_after_a_restart(
    store: &Store,
) {
    let mut site = Site::with_job(store, "a").await;
    let fine = at("2026-11-20T02:00:01.000000500Z");
    let cut = at("2026-11-20T02:00:01Z");
    site.tick();
    site.valid(Who::Scheduler, vec![due("a", fine, None)]).await;
    let now = site.now;
    let follows = site.mark(Who::Scheduler, due("a", now, Some(fine))).await;
    assert!(matches!(follows, Mark::Refused { .. }), "{follows:?}");
    site.appender.reload().await.unwrap();
    assert_eq!(site.mark(Who::Scheduler, due("a", now, Some(cut))).await, Mark::Valid);
    site.log.rebuild_read_model().await.unwrap();
}

pub(crate) async fn a_text_with_the_character_zero_does_not_stop_the_log(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    let now = site.now;
    let run = run("a", now);
    site.valid(Who::Scheduler, vec![due_to("a", now, None, "any\0where")]).await;
    let end = failed(&run, 3, 1, "said \0 and ended");
    site.valid(Who::Host, vec![started(&run, 2, 1), end]).await;
    let mut other = due("a", site.tick(), Some(now));
    other.event = domain::event::RunDue { job: "a\0b".to_owned(), ..due_body("a", 1) }.into();
    let mark = site.mark(Who::Scheduler, other).await;
    assert!(matches!(&mark, Mark::Refused { reason } if reason.contains('\u{fffd}')), "{mark:?}");
    let before = site.log.read_model_text().await.unwrap();
    site.log.rebuild_read_model().await.unwrap();
    assert_eq!(site.log.read_model_text().await.unwrap(), before);
}

pub(crate) async fn nothing_to_append_changes_nothing(store: &Store) {
    let mut site = Site::begin(store).await;
    assert!(site.send(&[]).await.is_empty());
    let draft = started(&StreamId::run("none", "x"), 1, 1);
    assert!(matches!(site.mark(Who::Host, draft).await, Mark::Refused { .. }));
    assert_eq!(check_tree(&site.log).await, 5);
    assert_eq!(site.log.read_model_text().await.unwrap().len(), 1, "only log/main has a state");
}
