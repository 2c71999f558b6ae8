//! A host that may run its job by itself, and a centre that is away for a night.

use anyhow::Result;
use domain::ids::StreamId;
use domain::run::{Outcome, State};
use serde_json::{Value, json};
use testkit::world::{Moment, Node, Tell, World, job};

const HOST: Node = Node::Executor(0);
const MINUTE: i64 = 60_000;

/// A quiet world in which host `h0` may run job `j` by itself for eight hours, and knows it.
fn left_alone(says: &Value) -> Result<World> {
    let mut world = World::new(11, "2026-11-20T21:00:05Z".parse()?)?;
    world.takes = Some(2_000);
    propose(&mut world, says)?;
    world.run_until(60_000, |world| world.census().contains_key("job.lease-granted"))?;
    world.run_for(5_000)?;
    Ok(world)
}

fn propose(world: &mut World, says: &Value) -> Result<()> {
    let mut whole = json!({
        "schedule": { "every": "10m" },
        "host": "h0",
        "autonomy": { "lease": "8h" },
    });
    whole.as_object_mut().unwrap().extend(says.as_object().unwrap().clone());
    world.run_for(500)?;
    world.propose(&job("j", &whole)?)?;
    world.run_for(500)?;
    world.approve("j")?;
    world.run_for(500)
}

/// How many runs of the job there are, and of these how many have succeeded.
fn runs(world: &World) -> (usize, usize) {
    let done = State::Ended { outcome: Outcome::Succeeded };
    let runs = world.runs("j");
    (runs.len(), runs.iter().filter(|run| run.state == done).count())
}

#[test]
fn the_night_goes_on_while_the_centre_is_away_and_merges_without_a_double_or_a_gap() -> Result<()> {
    let mut world = left_alone(&json!({}))?;
    world.cut(HOST, true);
    world.run_for(7 * 60 * MINUTE)?;
    assert_eq!((world.processes("j"), runs(&world).0), (42, 0), "they ran, and nobody knows");
    world.cut(HOST, false);
    world.run_for(MINUTE)?;
    assert_eq!(runs(&world), (42, 42));
    world.settle()?;
    assert!(!world.census().keys().any(|kind| kind.starts_with("run.") && kind.contains(' ')));
    Ok(())
}

#[test]
fn when_its_leave_ends_a_host_that_is_cut_off_decides_nothing_more_and_the_centre_goes_on()
-> Result<()> {
    let mut world = left_alone(&json!({ "autonomy": { "lease": "1h" } }))?;
    world.cut(HOST, true);
    world.run_for(150 * MINUTE)?;
    assert_eq!(world.processes("j"), 6);
    world.cut(HOST, false);
    world.run_for(20 * MINUTE)?;
    world.settle()
}

#[test]
fn a_definition_that_is_approved_while_the_host_is_cut_off_holds_when_it_is_back() -> Result<()> {
    let mut world = left_alone(&json!({}))?;
    world.cut(HOST, true);
    world.run_for(60 * MINUTE)?;
    propose(&mut world, &json!({ "schedule": { "every": "7m" } }))?;
    world.run_for(60 * MINUTE)?;
    assert_eq!(world.processes("j"), 12, "every ten minutes for two hours");
    world.cut(HOST, false);
    world.run_for(60 * MINUTE)?;
    let census = world.census();
    assert_eq!(census.get("job.lease-returned"), Some(&1));
    assert_eq!(census.get("job.lease-granted"), Some(&2));
    assert!((8..=9).contains(&(world.processes("j") - 12)), "every seven for one");
    world.settle()
}

#[test]
fn a_host_that_loses_power_while_it_is_alone_says_what_it_missed() -> Result<()> {
    let mut world = left_alone(&json!({ "catch-up": "none" }))?;
    world.cut(HOST, true);
    world.run_for(25 * MINUTE)?;
    world.power_loss(0, 60 * MINUTE);
    world.run_for(90 * MINUTE)?;
    world.cut(HOST, false);
    world.run_for(MINUTE)?;
    let missed = world.census().get("run.missed").copied().unwrap_or_default();
    assert_eq!((world.processes("j"), missed), (5, 6));
    world.settle()
}

#[test]
fn a_host_that_dies_between_any_two_steps_of_its_own_decision_starts_it_once() -> Result<()> {
    for moment in [Moment::BeforeClaim, Moment::BeforeJournal, Moment::BeforeSend] {
        for cut in [false, true] {
            let mut world = left_alone(&json!({}))?;
            world.cut(HOST, cut);
            world.set_trap(HOST, moment);
            world.run_for(25 * MINUTE)?;
            world.cut(HOST, false);
            world.run_for(10 * MINUTE)?;
            assert!(!world.trapped(), "{moment:?} came");
            let (runs, done) = runs(&world);
            assert_eq!(world.processes("j"), done, "{moment:?}");
            assert!(runs >= 3 && done >= runs - 1, "{moment:?}, cut off: {cut}: {runs}, {done}");
            world.settle()?;
        }
    }
    Ok(())
}

#[test]
fn a_pause_ends_the_leave_and_a_resumed_job_is_left_to_its_host_again() -> Result<()> {
    let mut world = left_alone(&json!({}))?;
    world.tell_job("j", Tell::Pause)?;
    world.run_for(30 * MINUTE)?;
    assert_eq!((world.processes("j"), world.census().get("run.skipped")), (0, Some(&3)));
    world.tell_job("j", Tell::Resume)?;
    world.run_for(30 * MINUTE)?;
    assert_eq!(world.processes("j"), 3);
    assert_eq!(world.census().get("job.lease-granted"), Some(&2));
    world.settle()
}

#[test]
fn a_run_that_was_asked_for_does_not_start_beside_one_the_host_decided() -> Result<()> {
    let mut world = left_alone(&json!({ "schedule": { "every": "1m" } }))?;
    world.takes = Some(90_000);
    for _ in 0..5 {
        world.request("j")?;
        world.run_for(MINUTE)?;
    }
    world.takes = Some(1_000);
    world.settle()
}

#[test]
fn what_a_person_took_back_stays_with_the_centre_until_another_definition_holds() -> Result<()> {
    let mut world = left_alone(&json!({}))?;
    world.run_for(30 * MINUTE)?;
    world.tell_job("j", Tell::Reclaim)?;
    world.run_for(60 * MINUTE)?;
    assert_eq!((world.processes("j"), runs(&world)), (9, (9, 9)));
    assert_eq!(world.census().get("job.lease-granted"), Some(&1));
    propose(&mut world, &json!({ "schedule": { "every": "20m" } }))?;
    world.run_for(20 * MINUTE)?;
    assert_eq!(world.census().get("job.lease-granted"), Some(&2));
    world.settle()
}

#[test]
fn a_host_that_is_heard_and_decides_nothing_gets_no_more_leave() -> Result<()> {
    let mut world = left_alone(&json!({ "autonomy": { "lease": "1h" }, "catch-up": "none" }))?;
    // It beats, and waits for times that have passed long ago.
    world.set_clock(HOST, -6 * 60 * MINUTE * 1_000);
    world.run_for(150 * MINUTE)?;
    let job = &world.streams()[&StreamId::job("j")].body;
    let lease = job.job().and_then(|job| job.leases.iter().rev().find(|lease| lease.is_of_host()));
    let ends = lease.unwrap().until;
    assert!(ends < world.time(), "its leave has run out: {ends}");
    world.set_clock(HOST, 0);
    world.run_for(MINUTE)?;
    world.settle()
}

/// Nobody runs the job beside it: that is looked at after every step.
#[test]
fn a_host_that_was_away_until_its_leave_was_over_begins_nothing_of_it_beside_what_others_run()
-> Result<()> {
    for left in [json!({}), json!({ "autonomy": { "lease": "1h" } })] {
        let mut world = left_alone(&json!({ "autonomy": { "lease": "1h" } }))?;
        // It has decided nothing of the second half.
        world.run_for(25 * MINUTE)?;
        world.power_loss(0, 90 * MINUTE);
        world.takes = Some(9 * MINUTE);
        let mut says = json!({ "schedule": { "every": "10m" }, "host": "h1" });
        says.as_object_mut().unwrap().extend(left.as_object().unwrap().clone());
        world.propose(&job("j", &says)?)?;
        world.run_for(500)?;
        world.approve("j")?;
        world.run_for(85 * MINUTE)?;
        assert_eq!(world.alive(), 0, "what it did with its leave is not known");
        world.run_for(9 * MINUTE)?;
        assert_eq!(world.alive(), 1, "another host runs it when that is known");
        world.run_for(21 * MINUTE)?;
        let said = world.census().get("job.lease-returned").copied().unwrap_or_default();
        assert_eq!(said, 1, "nobody has leave before that is given back");
        world.settle()?;
    }
    Ok(())
}
