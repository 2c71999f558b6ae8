//! Runs that wait for files.

use domain::event::{DefinitionRef, Event, RunEvent, RunSkipped, SkipReason, Terms};
use domain::ids::StreamId;
use domain::run::Outcome;
use serde_json::json;

use crate::world::{World, eventually, job};

/// What the host says is missing for a run, each time.
fn unmet(world: &World, run: &StreamId) -> Vec<String> {
    let events = world.centre.events(run).into_iter();
    let unmet = events.filter_map(|(event, void)| {
        let Event::RunEvent(RunEvent::RunNeedsUnmet(unmet)) = event else { return None };
        assert_eq!((unmet.host.as_str(), void), ("h1", None));
        Some(unmet.unmet.join("; "))
    });
    unmet.collect()
}

async fn until_it_waits(world: &World, run: &StreamId) {
    eventually("what is missing to be said", || async {
        (!unmet(world, run).is_empty()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_starts_when_its_file_is_there_and_holds_no_slot_before() {
    let mut world = World::empty().await;
    world.start(|config| config.slots = 1).await;
    let (file, name) = (world.path("in.csv"), world.path("in.{{month}}").display().to_string());
    let file = file.with_file_name("in.2026-10");
    let waits = job(
        "waits",
        json!({"needs": [{"file": name, "min-bytes": 4}], "parameters": {"month": {}}}),
    );
    let parameters = [("month".to_owned(), "2026-10".to_owned())].into();
    let run = world.centre.due(&waits, Terms { parameters, ..Terms::default() }).await;
    world.centre.offer(&run, &waits, 1).await;
    until_it_waits(&world, &run).await;
    // Offered again it is left where it is; and the only slot is free.
    world.centre.offer(&run, &waits, 2).await;
    assert_eq!(world.through(&job("other", json!({}))).await.0, Outcome::Succeeded);
    assert_eq!(world.said(&run, "run.started"), 0);

    std::fs::write(&file, "abcd").unwrap();
    let (outcome, ended) = world.ended(&run).await;
    assert_eq!((outcome, ended.attempts.len()), (Outcome::Succeeded, 1));
    assert_eq!(unmet(&world, &run), [format!("{} is not there", file.display())]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_there_but_not_stable_yet_is_waited_for_too() {
    let world = World::new().await;
    let file = world.path("growing");
    std::fs::write(&file, "abcd").unwrap();
    let name = file.display().to_string();
    let waits = job("waits", json!({"needs": [{"file": name, "stable-for": "1s"}]}));
    let (outcome, run) = world.through(&waits).await;
    assert_eq!(outcome, Outcome::Succeeded);
    let said = unmet(&world, &run.id);
    assert_eq!(said, [format!("{} has not stayed the same for 1s", file.display())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_skipped_is_waited_for_no_more() {
    let world = World::new().await;
    let file = world.path("late");
    let fields = json!({"needs": [{"file": file.display().to_string()}]});
    let (skipped, other) = (job("skipped", fields.clone()), job("other", fields));
    let run = world.centre.due(&skipped, Terms::default()).await;
    world.centre.offer(&run, &skipped, 1).await;
    until_it_waits(&world, &run).await;
    let skip = RunSkipped {
        job: "skipped".to_owned(),
        definition: DefinitionRef::new(1, skipped.digest().unwrap()),
        nominal: None,
        reason: SkipReason::Person { because: "enough".to_owned() },
    };
    world.centre.say("console/c1", &run, skip).await;
    let later = world.centre.due(&other, Terms::default()).await;
    world.centre.offer(&later, &other, 1).await;
    until_it_waits(&world, &later).await;
    std::fs::write(&file, "").unwrap();
    assert_eq!(world.ended(&later).await.0, Outcome::Succeeded);
    // Not even tried.
    assert_eq!(world.said(&run, "run.started"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_what_is_missing_is_not_said_again() {
    let mut world = World::new().await;
    let file = world.path("late");
    let waits = job("waits", json!({"needs": [{"file": file.display().to_string()}]}));
    let run = world.centre.due(&waits, Terms::default()).await;
    world.centre.offer(&run, &waits, 1).await;
    until_it_waits(&world, &run).await;
    world.stop().await;
    world.start(|_| {}).await;
    world.centre.offer(&run, &waits, 2).await;
    std::fs::write(&file, "").unwrap();
    assert_eq!(world.ended(&run).await.0, Outcome::Succeeded);
    assert_eq!(unmet(&world, &run).len(), 1);
}
