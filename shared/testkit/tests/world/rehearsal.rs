//! A rehearsal against a night of the world: with real messages, journals, recorders, and executors that poll.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use domain::rehearsal::{Known, Plan, rehearse};
use domain::site::{Thing, ThingKind};
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::world::{World, job};

const MINUTE: i64 = 60_000;
/// How long every process takes.
const TAKES: i64 = 20 * MINUTE;
/// What messages, polls and offers cost, at most, along a chain.
const SLACK_MS: i64 = 30_000;

fn apply(world: &mut World, name: &str, says: &Value) -> Result<()> {
    world.propose(&job(name, says)?)?;
    world.run_for(2_000)?;
    world.approve(name)?;
    world.run_for(2_000)
}

fn apply_lock(world: &mut World, name: &str) -> Result<()> {
    let lock = Thing::read(ThingKind::Lock, &json!({"kind": "lock", "name": name}));
    world.propose_thing(&lock.map_err(anyhow::Error::msg)?)?;
    world.run_for(2_000)?;
    world.approve_thing(ThingKind::Lock, name)?;
    world.run_for(2_000)
}

/// More jobs than slots, some of which wait for others, for a lock, for a host with a label, or for a window.
fn busy() -> Result<World> {
    let mut world = World::new(5, "2026-11-20T00:30:00Z".parse()?)?;
    world.takes = Some(TAKES);
    world.run_for(5_000)?;
    apply_lock(&mut world, "db")?;
    for index in 0..11 {
        let says = json!({"schedule": {"cron": format!("{index} 1 * * *")}});
        apply(&mut world, &format!("job-{index:02}"), &says)?;
    }
    let at = |minute: u32, more: Value| {
        let mut says = json!({"schedule": {"cron": format!("{minute} 2 * * *")}});
        says.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        says
    };
    for (name, says) in [
        ("load", at(0, json!({}))),
        ("books", at(1, json!({"locks": ["db"]}))),
        ("check", at(2, json!({"locks": ["db"], "after": ["load"]}))),
        ("report", at(3, json!({"after": ["check"], "sla": {"finish-by": "45m"}}))),
        ("fast", at(4, json!({"select": {"disk": "fast"}}))),
        ("own", at(5, json!({"host": "h1", "autonomy": {"lease": "8h"}}))),
        ("later", at(6, json!({"window": {"from": "02:50", "until": "05:00"}}))),
        ("often", json!({"schedule": {"cron": "*/7 4 * * *"}})),
    ] {
        apply(&mut world, name, &says)?;
    }
    Ok(world)
}

/// Of each run how it ended, and when it started and ended.
type Night = BTreeMap<String, (String, Option<Timestamp>, Option<Timestamp>)>;

fn close(one: Option<Timestamp>, other: Option<Timestamp>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.duration_since(other).as_millis().abs() <= SLACK_MS.into(),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[test]
fn a_night_of_the_world_goes_as_it_was_rehearsed() -> Result<()> {
    let mut world = busy()?;
    let now = world.time();
    let to: Timestamp = "2026-11-20T05:00:00Z".parse()?;
    let unknown_ms = u64::try_from(TAKES)?;
    let known = Known::of(world.streams().clone());
    let found = rehearse(&known, Plan { now, from: now, to, unknown_ms });
    let one = |part: &domain::rehearsal::Part| {
        (part.run.to_string(), (part.state.clone(), part.started, part.ended))
    };
    let rehearsed: Night = found.runs.iter().map(one).collect();
    let missed: Vec<String> = found.missed.iter().map(|missed| missed.run.to_string()).collect();

    world.run_for(6 * 60 * MINUTE)?;
    let before = |instant: Timestamp| instant < to;
    let runs = world.streams().values().filter_map(|state| state.body.run());
    let runs: Vec<_> = runs.filter(|run| before(run.instant())).collect();
    assert!(runs.len() >= 11 + 7 + 9, "a poor night");
    for run in &runs {
        let id = run.id.to_string();
        let started = run.attempt().map(|attempt| attempt.started);
        let ended = run.state.is_ended().then_some(run.changed);
        let (state, starts, ends) = rehearsed.get(&id).with_context(|| format!("{id} was not"))?;
        let really = (run.state.word(), started, ended);
        let same = state == run.state.word() && close(*starts, started) && close(*ends, ended);
        assert!(same, "{id}: rehearsed {:?}, really {really:?}", (state, starts, ends));
    }
    assert_eq!(runs.len(), rehearsed.len());
    let late = runs.iter().filter(|run| !run.late.is_empty());
    assert_eq!(late.map(|run| run.id.to_string()).collect::<Vec<_>>(), missed);
    assert_eq!(missed.len(), 1, "{missed:?}");
    Ok(())
}
