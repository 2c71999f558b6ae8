//! Jobs that are left to a host, and a centre that is away.

use std::collections::BTreeSet;
use std::path::Path;

use domain::event::HostDrained;
use domain::ids::StreamId;
use domain::job::JobDefinition;
use domain::run::{Outcome, Run};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::world::{World, eventually, job};

/// A job of every second that leaves a line in `book`.
fn left(book: &Path, fields: Value) -> JobDefinition {
    let line = format!("echo $DECKLOG_RUN >> {}", book.display());
    let mut all = json!({
        "schedule": {"every": "1s"},
        "host": "h1",
        "autonomy": {"lease": "1h"},
        "command": {"argv": ["/bin/sh", "-c", line]},
    });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    job("own", all)
}

/// Which runs left a line, in their order.
fn lines(book: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(book).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

async fn wait_for_lines(book: &Path, count: usize) {
    let there = || async { (lines(book).len() >= count).then_some(()) };
    eventually(&format!("{count} lines"), there).await;
}

/// Ends it: a host that is drained gives its leave back.
async fn drain(world: &World) {
    let drained = HostDrained { reason: "test".to_owned() };
    world.centre.say("console/c1", &StreamId::host("h1"), drained).await;
    let returned = || async {
        let job = world.centre.stream(&StreamId::job("own"))?;
        let until = job.body.job()?.leases.first()?.until;
        (until < Timestamp::now()).then_some(())
    };
    eventually("the host to give its leave back", returned).await;
}

/// Every run of the job in the log, once its last ones have come and ended.
async fn all_runs(world: &World, least: usize) -> Vec<Run> {
    let over = || async {
        let runs = world.centre.runs("own");
        (runs.len() >= least && runs.iter().all(|run| run.state.is_ended())).then_some(runs)
    };
    eventually("what the host did to be in the log", over).await
}

/// Asserts that the log has each second of what was left to the host once, and that what ran by the log has run.
fn reconcile(world: &World, runs: &[Run], book: &Path, from: Timestamp) {
    let mut expected = from;
    for run in runs {
        let at = run.nominal.as_ref().unwrap().at;
        assert_eq!(
            at.duration_since(expected).as_secs(),
            i64::from(expected != from),
            "{}",
            run.id
        );
        expected = at;
        let void = world.centre.events(&run.id).into_iter().filter_map(|(_, void)| void);
        assert_eq!(void.collect::<Vec<_>>(), Vec::<String>::new(), "{}", run.id);
    }
    let ran = runs.iter().filter(|run| run.outcome() == Some(Outcome::Succeeded));
    let ran: Vec<String> = ran.map(|run| run.id.to_string()).collect();
    let lines = lines(book);
    let once: BTreeSet<&String> = lines.iter().collect();
    assert_eq!(once.len(), lines.len(), "none ran twice");
    assert_eq!(lines, ran, "what ran by the log has run, and nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_to_a_host_goes_on_without_the_centre_and_is_all_in_the_log_afterwards() {
    let world = World::new().await;
    let book = world.path("book");
    let from = world.centre.leave(&left(&book, json!({}))).await;
    wait_for_lines(&book, 2).await;
    world.centre.go_away(true);
    let before = world.centre.runs("own").len();
    wait_for_lines(&book, before + 5).await;
    assert!(world.centre.runs("own").len() <= before + 1, "nobody knows of them");
    world.centre.go_away(false);
    drain(&world).await;
    let runs = all_runs(&world, before + 5).await;
    reconcile(&world, &runs, &book, from);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_while_it_is_alone_goes_on_afterwards_and_says_what_it_missed() {
    let mut world = World::new().await;
    let book = world.path("book");
    let from =
        world.centre.leave(&left(&book, json!({"catch-up": "none", "late-after": "1s"}))).await;
    wait_for_lines(&book, 2).await;
    world.centre.go_away(true);
    let before = lines(&book).len();
    wait_for_lines(&book, before + 2).await;
    world.kill().await;
    let dead = Timestamp::now();
    let longer =
        || async { (Timestamp::now() > dead + SignedDuration::from_secs(4)).then_some(()) };
    eventually("an outage of four seconds", longer).await;
    world.start(|_| {}).await;
    let before = lines(&book).len();
    wait_for_lines(&book, before + 2).await;
    world.centre.go_away(false);
    let least = usize::try_from(Timestamp::now().duration_since(from).as_secs()).unwrap() - 2;
    drain(&world).await;
    let runs = all_runs(&world, least).await;
    let missed = runs.iter().filter(|run| run.outcome() == Some(Outcome::Missed)).count();
    assert!(missed >= 2, "{missed} were missed");
    reconcile(&world, &runs, &book, from);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_cannot_decide_it_gives_back_at_once_and_whole() {
    let world = World::new().await;
    let definition = JobDefinition {
        zone: "Mars/Olympus".to_owned(),
        ..left(&world.path("book"), json!({"schedule": {"cron": "* * * * *"}}))
    };
    let from = world.centre.leave(&definition).await;
    let returned = || async {
        let job = world.centre.stream(&StreamId::job("own"))?;
        let rest = job.body.job()?.leases.last()?.clone();
        (rest.host.is_none()).then_some(rest.from)
    };
    assert_eq!(eventually("the host to give its leave back", returned).await, from);
}
