//! Hosts that start nothing new, or nothing yet.

use std::time::Duration;

use domain::event::{HostDrained, HostResumed, Terms};
use domain::ids::StreamId;
use domain::run::Outcome;
use domain::wire::Work;
use serde_json::json;

use crate::world::{World, eventually, job};

async fn drain(world: &World) {
    let drained = HostDrained { reason: "new memory".to_owned() };
    world.centre.say("console/c1", &StreamId::host("h1"), drained).await;
}

/// Offers one job after the other until this test, as another host of the pool, gets one of them.
async fn until_another_host_gets_work(world: &World) -> StreamId {
    let mut worker = world.centre.bus.worker("default").await.unwrap();
    let mut number = 0;
    loop {
        number += 1;
        let definition = job(&format!("for-others-{number}"), json!({}));
        let run = world.centre.due(&definition, Terms::default()).await;
        world.centre.offer(&run, &definition, 1).await;
        if let Some(work) = worker.take(1, Duration::from_secs(1)).await.unwrap().pop() {
            let offer: Work = serde_json::from_slice(&work.body).unwrap();
            work.done().await.unwrap();
            return offer.run;
        }
        assert!(number < 30, "the host takes everything");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_host_leaves_offers_to_others_and_goes_on_with_what_it_runs() {
    let world = World::new().await;
    let go = world.path("go");
    let script = format!("while [ ! -e {} ]; do sleep 0.01; done", go.display());
    let long = job("long", json!({"command": {"argv": ["/bin/sh", "-c", script]}}));
    let run = world.centre.due(&long, Terms::default()).await;
    world.centre.offer(&run, &long, 1).await;
    eventually("the start", || async { world.run(&run).is_running().then_some(()) }).await;
    drain(&world).await;
    let left = until_another_host_gets_work(&world).await;
    assert!(world.run(&left).attempts.is_empty());
    std::fs::write(&go, "").unwrap();
    assert_eq!(world.ended(&run).await.0, Outcome::Succeeded);

    let resumed = HostResumed { reason: "done".to_owned() };
    world.centre.say("console/c1", &StreamId::host("h1"), resumed).await;
    assert_eq!(world.through(&job("after", json!({}))).await.0, Outcome::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_was_drained_before_it_started_takes_nothing() {
    let mut world = World::new().await;
    drain(&world).await;
    world.stop().await;
    let first = job("first", json!({}));
    let run = world.centre.due(&first, Terms::default()).await;
    world.centre.offer(&run, &first, 1).await;
    world.start(|_| {}).await;
    assert_eq!(until_another_host_gets_work(&world).await, run);
    assert_eq!(world.said(&run, "run.started"), 0, "not even tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_waits_to_be_let_in_leaves_offers_to_others_and_takes_them_once_it_is_in() {
    const OFFERS: usize = 5;
    let mut world = World::new().await;
    world.stop().await;
    world.centre.keep_waiting(true);
    let data = world.path("h2");
    world.begin(|config| {
        config.host = "h2".to_owned();
        config.data = data;
    });
    eventually("it to ask", || async { (world.centre.asked() > 1).then_some(()) }).await;
    let mut worker = world.centre.bus.worker("default").await.unwrap();
    for number in 0..OFFERS {
        let definition = job(&format!("for-others-{number}"), json!({}));
        let run = world.centre.due(&definition, Terms::default()).await;
        world.centre.offer(&run, &definition, 1).await;
    }
    for _ in 0..OFFERS {
        let mine = worker.take(1, Duration::from_secs(5)).await.unwrap().pop();
        mine.expect("an offer that nobody took").done().await.unwrap();
    }
    drop(worker);
    world.centre.keep_waiting(false);
    assert_eq!(world.through(&job("after", json!({}))).await.0, Outcome::Succeeded);
}
