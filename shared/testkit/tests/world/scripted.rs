//! Short worlds by script: each is one bad moment, and what must come of it.

use anyhow::Result;
use domain::run::{Outcome, Run, State};
use serde_json::{Value, json};
use testkit::world::{Moment, Node, Tell, World, job};

/// A quiet world with one approved job called `j`.
fn with_job(says: &Value) -> Result<World> {
    let mut world = World::new(7, "2026-11-20T02:00:03Z".parse()?)?;
    world.takes = Some(2_000);
    define(&mut world, says)?;
    Ok(world)
}

fn define(world: &mut World, says: &Value) -> Result<()> {
    world.run_for(500)?;
    world.propose(&job("j", says)?)?;
    world.run_for(500)?;
    world.approve("j")?;
    world.run_for(500)
}

fn every(interval: &str) -> Value {
    json!({ "schedule": { "every": interval } })
}

fn with(mut says: Value, more: &Value) -> Value {
    says.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    says
}

fn ended(run: &Run, outcome: Outcome) -> bool {
    run.state == State::Ended { outcome }
}

fn count(world: &World, outcome: Outcome) -> usize {
    world.runs("j").into_iter().filter(|run| ended(run, outcome)).count()
}

fn running(world: &World) -> Option<Node> {
    let run = world.runs("j").into_iter().find(|run| matches!(run.state, State::Running { .. }))?;
    let name = run.attempts.last()?.host.clone();
    (world.alive() > 0).then(|| Node::Executor(name.trim_start_matches('h').parse().unwrap()))
}

#[test]
fn an_executor_that_dies_between_its_claim_and_the_start_starts_the_process_once() -> Result<()> {
    for moment in [Moment::BeforeClaim, Moment::BeforeSend, Moment::BeforeAct, Moment::BeforeStart]
    {
        let mut world = with_job(&every("30s"))?;
        for i in 1..3 {
            world.crash(Node::Executor(i), 60_000);
        }
        world.set_trap(Node::Executor(0), moment);
        world.run_until(50_000, |world| count(world, Outcome::Succeeded) == 1)?;
        assert!(!world.trapped(), "{moment:?} came");
        assert_eq!(world.processes("j"), 1);
        world.settle()?;
    }
    Ok(())
}

#[test]
fn a_claim_that_nobody_confirms_in_time_is_disowned_and_not_started_late() -> Result<()> {
    let mut world = with_job(&every("60s"))?;
    for i in 1..3 {
        world.crash(Node::Executor(i), 200_000);
    }
    world.set_trap(Node::Executor(0), Moment::BeforeAct);
    world.run_until(80_000, |world| !world.trapped())?;
    world.crash(Node::Executor(0), 15_000);
    world.cut(Node::Executor(0), true);
    world.run_for(16_000)?;
    world.cut(Node::Executor(0), false);
    world.run_until(5_000, |world| count(world, Outcome::Failed) == 1)?;
    assert_eq!(world.processes("j"), 0);
    world.settle()
}

#[test]
fn a_recorder_that_dies_between_commit_and_answer_is_asked_again_and_nothing_is_doubled()
-> Result<()> {
    let mut world = with_job(&every("20s"))?;
    for _ in 0..4 {
        for i in 0..2 {
            world.set_trap(Node::Recorder(i), Moment::BeforeAnswer);
            world.run_until(60_000, |world| !world.trapped())?;
        }
    }
    world.settle()
}

#[test]
fn two_schedulers_that_do_not_hear_each_other_decide_the_same_second_and_one_wins() -> Result<()> {
    let mut world = with_job(&every("10s"))?;
    world.silent = true;
    world.run_for(65_000)?;
    let conflicts = world.census().get("run.due conflict").copied().unwrap_or_default();
    assert!(conflicts > 2, "{conflicts} ties");
    assert_eq!(world.processes("j"), world.runs("j").len());
    world.silent = false;
    world.settle()
}

#[test]
fn the_loss_of_the_queues_delays_a_run_and_loses_none() -> Result<()> {
    let mut world = with_job(&every("1h"))?;
    world.request("j")?;
    for i in 0..3 {
        world.crash(Node::Executor(i), 8_000);
    }
    world.run_for(6_000)?;
    world.lose_queues();
    world.run_until(40_000, |world| count(world, Outcome::Succeeded) == 1)?;
    world.settle()
}

#[test]
fn an_executor_cut_off_longer_than_its_lease_leaves_an_unknown_that_its_report_closes() -> Result<()>
{
    let mut world = with_job(&every("1h"))?;
    world.takes = Some(10_000);
    world.request("j")?;
    world.run_until(20_000, |world| running(world).is_some())?;
    let host = running(&world).unwrap();
    world.cut(host, true);
    let unknown = |run: &Run| matches!(run.state, State::Unknown { .. });
    world.run_until(60_000, |world| world.runs("j").into_iter().any(unknown))?;
    world.cut(host, false);
    world.run_until(10_000, |world| count(world, Outcome::Succeeded) == 1)?;
    assert_eq!(world.processes("j"), 1);
    world.settle()
}

#[test]
fn a_restartable_run_is_tried_again_on_another_host_and_the_late_report_is_kept() -> Result<()> {
    let rule = json!({ "restartable": true, "retry": { "delays": ["1s"], "on": ["lost"] } });
    let mut world = with_job(&with(every("1h"), &rule))?;
    world.takes = Some(40_000);
    world.request("j")?;
    world.run_until(20_000, |world| running(world).is_some())?;
    let host = running(&world).unwrap();
    world.cut(host, true);
    world.run_until(120_000, |world| world.processes("j") == 2)?;
    world.cut(host, false);
    world.run_until(60_000, |world| count(world, Outcome::Succeeded) == 1)?;
    let reports = |run: &Run| run.attempts.iter().all(|attempt| attempt.report.is_some());
    world.run_until(10_000, |world| world.runs("j").into_iter().all(reports))?;
    world.settle()
}

#[test]
fn a_power_loss_leaves_an_unknown_that_only_a_person_closes() -> Result<()> {
    let mut world = with_job(&every("1h"))?;
    world.takes = Some(60_000);
    world.request("j")?;
    world.run_until(20_000, |world| running(world).is_some())?;
    let Some(Node::Executor(host)) = running(&world) else { panic!("it runs") };
    world.power_loss(host, 1_000);
    world.run_for(600_000)?;
    assert!(matches!(world.runs("j")[0].state, State::Unknown { attempt: 1 }));
    assert_eq!(world.processes("j"), 1);
    world.settle()
}

#[test]
fn a_change_of_definition_during_a_partition_leaves_no_gap() -> Result<()> {
    let mut world = with_job(&every("20s"))?;
    world.crash(Node::Scheduler(1), 90_000);
    world.cut(Node::Scheduler(0), true);
    define(&mut world, &with(every("20s"), &json!({ "description": "another" })))?;
    world.run_for(18_000)?;
    // It hears of the change, and decides the next occurrence by it; but the one before, decided by
    // the old definition, is still on its way.
    world.mute(Node::Scheduler(0), true);
    world.cut(Node::Scheduler(0), false);
    world.run_for(20_000)?;
    world.mute(Node::Scheduler(0), false);
    world.run_for(45_000)?;
    assert!(world.runs("j").len() >= 4, "it was refused, and it decided again by itself");
    world.settle()
}

#[test]
fn a_scheduler_with_a_fast_clock_cannot_call_an_occurrence_missed() -> Result<()> {
    let rule = json!({ "catch-up": "none", "late-after": "5s" });
    let mut world = with_job(&with(every("20s"), &rule))?;
    world.run_for(30_000)?;
    world.set_clock(Node::Scheduler(0), 120_000_000);
    world.run_for(120_000)?;
    assert_eq!(count(&world, Outcome::Missed), 0);
    world.settle()
}

#[test]
fn an_occurrence_after_a_pause_was_received_does_not_run_whoever_had_not_heard() -> Result<()> {
    let mut world = with_job(&every("20s"))?;
    world.crash(Node::Scheduler(1), 60_000);
    world.run_for(5_000)?;
    world.cut(Node::Scheduler(0), true);
    world.tell_job("j", Tell::Pause)?;
    world.run_for(20_000)?;
    world.cut(Node::Scheduler(0), false);
    world.run_for(20_000)?;
    assert_eq!(world.processes("j"), 0);
    world.settle()
}

#[test]
fn what_passed_while_no_scheduler_was_there_is_missed_or_caught_up_and_never_silent() -> Result<()>
{
    let rule = json!({ "catch-up": { "all": { "limit": 2 } }, "late-after": "5s" });
    let mut world = with_job(&with(every("20s"), &rule))?;
    for i in 0..2 {
        world.crash(Node::Scheduler(i), 115_000);
    }
    world.run_for(150_000)?;
    assert!(count(&world, Outcome::Missed) >= 3);
    assert!(world.runs("j").into_iter().any(|run| run.catch_up));
    world.settle()
}

#[test]
fn of_two_requests_at_once_one_runs_and_the_other_is_skipped() -> Result<()> {
    let mut world = with_job(&every("1h"))?;
    world.request("j")?;
    world.request("j")?;
    world.run_for(30_000)?;
    assert_eq!((count(&world, Outcome::Succeeded), count(&world, Outcome::Skipped)), (1, 1));
    world.settle()
}

#[test]
fn in_a_quiet_night_nothing_is_void_and_nothing_is_said_twice() -> Result<()> {
    for overlap in ["skip", "queue-one", "cancel-running"] {
        let rule = json!({ "overlap": overlap, "retry": { "delays": ["1s"] } });
        let mut world = with_job(&with(every("2s"), &rule))?;
        world.takes = Some(3_000);
        world.run_for(60_000)?;
        let census = world.census();
        // What ends meanwhile and what is offered twice may tie; what schedulers decide may not.
        let decided = ["run.due ", "run.skipped ", "run.missed ", "run.retry-scheduled "];
        let void = census.keys().find(|kind| decided.iter().any(|d| kind.starts_with(d)));
        assert_eq!(void, None, "{overlap}: {census:?}");
        world.settle()?;
    }
    Ok(())
}
