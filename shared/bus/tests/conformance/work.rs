//! Work queues.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bus::{Bus, BusError, Limits, Work, Worker};
use bytes::Bytes;
use testkit::wait::until_async;

use crate::place::{PATIENCE, Place, body, in_both_forms, quick};

const POOL: &str = "linux";

in_both_forms! {
    work_goes_to_one_worker_only with Limits::default();
    a_worker_who_waits_gets_work_when_it_comes with Limits::default();
    a_worker_takes_no_more_than_it_asked_for with Limits::default();
    a_worker_of_an_empty_queue_goes_away_with_nothing with Limits::default();
    work_not_done_comes_again with quick();
    work_done_never_comes_again with quick();
    work_given_back_comes_again_after_its_delay with Limits::default();
    the_same_id_within_the_window_is_one_piece_of_work with Limits::default();
    an_id_is_new_again_when_its_window_is_over with
        Limits { dedup_window_ms: 200, ..Limits::default() };
    the_depth_counts_what_waits_and_what_is_taken with Limits::default();
    a_full_queue_refuses_until_something_is_done with
        Limits { queue_messages: 3, ..Limits::default() };
    pools_with_similar_names_are_different with Limits::default();
    a_take_that_is_cancelled_loses_nothing with quick();
    many_producers_and_workers_lose_nothing_and_repeat_nothing with Limits::default();
}

pub(crate) async fn take_one(worker: &mut Worker) -> Work {
    let mut taken = worker.take(1, PATIENCE).await.unwrap();
    assert_eq!(taken.len(), 1, "nothing came");
    taken.remove(0)
}

async fn offer(bus: &Bus, id: &str) {
    bus.offer(POOL, id, body(id)).await.unwrap();
}

async fn depth_becomes(bus: &Bus, depth: u64) {
    let becomes = async || bus.depth(POOL).await.unwrap() == depth;
    until_async("the depth of the queue", PATIENCE, becomes).await.unwrap();
}

async fn nothing_comes(worker: &mut Worker, within: Duration) {
    let taken = worker.take(10, within).await.unwrap();
    let bodies: Vec<_> = taken.iter().map(|work| &work.body).collect();
    assert!(bodies.is_empty(), "{bodies:?}");
}

async fn work_goes_to_one_worker_only(place: Place) {
    let (one, two) = (place.bus().await, place.bus().await);
    let mut workers = (one.worker(POOL).await.unwrap(), two.worker(POOL).await.unwrap());
    offer(&one, "a").await;
    let wait = Duration::from_millis(300);
    let (one, two) = tokio::join!(workers.0.take(5, wait), workers.1.take(5, wait));
    assert_eq!(one.unwrap().len() + two.unwrap().len(), 1);
}

async fn a_worker_who_waits_gets_work_when_it_comes(place: Place) {
    let (taker, giver) = (place.bus().await, place.bus().await);
    let mut worker = taker.worker(POOL).await.unwrap();
    let began = Instant::now();
    let (work, ()) = tokio::join!(take_one(&mut worker), async {
        tokio::task::yield_now().await;
        offer(&giver, "a").await;
    });
    assert_eq!(work.body, "a");
    assert!(began.elapsed() < PATIENCE / 2, "it came late");
}

async fn a_worker_takes_no_more_than_it_asked_for(place: Place) {
    let bus = place.bus().await;
    let mut worker = bus.worker(POOL).await.unwrap();
    for id in ["a", "b", "c", "d", "e"] {
        offer(&bus, id).await;
    }
    assert!(worker.take(0, PATIENCE).await.unwrap().is_empty());
    assert_eq!(worker.take(3, PATIENCE).await.unwrap().len(), 3);
    assert_eq!(worker.take(3, PATIENCE).await.unwrap().len(), 2);
}

async fn a_worker_of_an_empty_queue_goes_away_with_nothing(place: Place) {
    let mut worker = place.bus().await.worker(POOL).await.unwrap();
    nothing_comes(&mut worker, Duration::ZERO).await;
    nothing_comes(&mut worker, Duration::from_millis(50)).await;
}

async fn work_not_done_comes_again(place: Place) {
    let bus = place.bus().await;
    offer(&bus, "a").await;
    let mut worker = bus.worker(POOL).await.unwrap();
    // More than once: a delivery does not use the work up.
    for _ in 0..3 {
        assert_eq!(take_one(&mut worker).await.body, "a");
    }
    let mut other = place.bus().await.worker(POOL).await.unwrap();
    take_one(&mut other).await.done().await.unwrap();
    depth_becomes(&bus, 0).await;
}

async fn work_done_never_comes_again(place: Place) {
    let bus = place.bus().await;
    offer(&bus, "a").await;
    let mut worker = bus.worker(POOL).await.unwrap();
    take_one(&mut worker).await.done().await.unwrap();
    depth_becomes(&bus, 0).await;
    nothing_comes(&mut worker, Duration::from_millis(900)).await;
}

async fn work_given_back_comes_again_after_its_delay(place: Place) {
    let bus = place.bus().await;
    offer(&bus, "a").await;
    let mut worker = bus.worker(POOL).await.unwrap();
    take_one(&mut worker).await.back(Duration::ZERO).await.unwrap();
    let again = take_one(&mut worker).await;

    let (began, delay) = (Instant::now(), Duration::from_millis(300));
    again.back(delay).await.unwrap();
    take_one(&mut worker).await.done().await.unwrap();
    assert!(began.elapsed() >= delay, "it came after {:?}", began.elapsed());
    depth_becomes(&bus, 0).await;
}

async fn the_same_id_within_the_window_is_one_piece_of_work(place: Place) {
    let (one, two) = (place.bus().await, place.bus().await);
    for bus in [&one, &two, &one] {
        offer(bus, "a").await;
    }
    assert_eq!(one.depth(POOL).await.unwrap(), 1);
    let mut worker = one.worker(POOL).await.unwrap();
    take_one(&mut worker).await.done().await.unwrap();
    depth_becomes(&one, 0).await;
    offer(&two, "a").await;
    assert_eq!(one.depth(POOL).await.unwrap(), 0, "done work was queued again");
}

async fn an_id_is_new_again_when_its_window_is_over(place: Place) {
    let bus = place.bus().await;
    offer(&bus, "a").await;
    let queued_again = async || {
        offer(&bus, "a").await;
        bus.depth(POOL).await.unwrap() == 2
    };
    until_async("the window to be over", PATIENCE, queued_again).await.unwrap();
}

async fn the_depth_counts_what_waits_and_what_is_taken(place: Place) {
    let bus = place.bus().await;
    assert_eq!(bus.depth(POOL).await.unwrap(), 0, "a queue nobody used");
    for id in ["a", "b", "c"] {
        offer(&bus, id).await;
    }
    let mut worker = bus.worker(POOL).await.unwrap();
    let taken = take_one(&mut worker).await;
    assert_eq!(bus.depth(POOL).await.unwrap(), 3);
    taken.done().await.unwrap();
    depth_becomes(&bus, 2).await;
}

async fn a_full_queue_refuses_until_something_is_done(place: Place) {
    let bus = place.bus().await;
    for id in ["a", "b", "c"] {
        offer(&bus, id).await;
    }
    let refused = bus.offer(POOL, "d", Bytes::new()).await.unwrap_err();
    assert_eq!(refused, BusError::QueueFull { pool: POOL.to_owned(), limit: 3 });
    let mut worker = bus.worker(POOL).await.unwrap();
    take_one(&mut worker).await.done().await.unwrap();
    depth_becomes(&bus, 2).await;
    offer(&bus, "d").await;
}

async fn pools_with_similar_names_are_different(place: Place) {
    let bus = place.bus().await;
    let pools = ["eu.west", "eu-west", "eu_west", "eu"];
    for pool in pools {
        bus.offer(pool, "1", body(pool)).await.unwrap();
    }
    for pool in pools {
        let mut worker = bus.worker(pool).await.unwrap();
        let taken = worker.take(10, PATIENCE).await.unwrap();
        let bodies: Vec<_> = taken.iter().map(|work| work.body.clone()).collect();
        assert_eq!(bodies, [body(pool)]);
    }
}

async fn a_take_that_is_cancelled_loses_nothing(place: Place) {
    let (taker, giver) = (place.bus().await, place.bus().await);
    let mut worker = taker.worker(POOL).await.unwrap();
    for n in 0..20 {
        let cancelled = Duration::from_micros(n * 50);
        tokio::select! {
            biased;
            taken = worker.take(1, PATIENCE) => {
                for work in taken.unwrap() {
                    work.done().await.unwrap();
                }
            }
            () = async {
                offer(&giver, &n.to_string()).await;
                tokio::time::sleep(cancelled).await;
            } => {}
        }
    }
    let all_done = async || {
        for work in worker.take(10, Duration::from_millis(50)).await.unwrap() {
            work.done().await.unwrap();
        }
        giver.depth(POOL).await.unwrap() == 0
    };
    let mut all_done = all_done;
    let deadline = Instant::now() + PATIENCE;
    while !all_done().await {
        assert!(Instant::now() < deadline, "work was lost");
    }
}

const PRODUCERS: usize = 6;
const WORKERS: usize = 5;
const EACH: usize = 250;

async fn many_producers_and_workers_lose_nothing_and_repeat_nothing(place: Place) {
    let seen: Arc<Mutex<HashMap<Bytes, usize>>> = Arc::default();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..WORKERS {
        let (bus, seen) = (place.bus().await, seen.clone());
        tasks.spawn(async move { work_until_all_is_seen(&bus, &seen).await });
    }
    for producer in 0..PRODUCERS {
        let bus = place.bus().await;
        tasks.spawn(async move {
            for n in 0..EACH {
                offer(&bus, &format!("{producer}/{n}")).await;
            }
        });
    }
    let all = tokio::time::timeout(PATIENCE, tasks.join_all()).await;
    all.expect("not all work was done in time");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), PRODUCERS * EACH);
    assert!(seen.values().all(|times| *times == 1), "some work was given twice");
}

async fn work_until_all_is_seen(bus: &Bus, seen: &Mutex<HashMap<Bytes, usize>>) {
    let mut worker = bus.worker(POOL).await.unwrap();
    while seen.lock().unwrap().len() < PRODUCERS * EACH {
        for work in worker.take(16, Duration::from_millis(100)).await.unwrap() {
            *seen.lock().unwrap().entry(work.body.clone()).or_default() += 1;
            work.done().await.unwrap();
        }
    }
}
