//! Logs that are brought back from an older copy: nothing runs twice, nothing is missing without a word.

use anyhow::{Context as _, Result, ensure};
use domain::event::MissReason;
use serde_json::{Value, json};
use testkit::world::{Rng, World, job};

/// A world at work, with jobs of each sort.
fn at_work(seed: u64) -> Result<World> {
    let mut world = World::new(seed, "2026-11-20T02:00:03Z".parse()?)?;
    let jobs = [
        ("pay", json!({"schedule": {"every": "20s"}})),
        ("again", json!({"schedule": {"every": "30s"}, "retry": {"delays": ["5s", "5s"]}})),
        ("all", json!({"schedule": {"every": "45s"}, "hosts": "all"})),
        ("last", json!({"schedule": {"every": "25s"}, "catch-up": "last"})),
    ];
    for (name, says) in jobs {
        define(&mut world, name, &says)?;
    }
    Ok(world)
}

fn define(world: &mut World, name: &str, says: &Value) -> Result<()> {
    world.run_for(500)?;
    world.propose(&job(name, says)?)?;
    world.run_for(500)?;
    world.approve(name)?;
    world.run_for(500)
}

/// That no attempt is started twice is looked at after every step, whatever the log has forgotten.
fn brought_back(seed: u64) -> Result<usize> {
    let mut rng = Rng::new(seed);
    let mut world = at_work(rng.bits())?;
    let mut lost = 0;
    for _ in 0..2 {
        world.run_for(rng.between(40_000, 120_000))?;
        let (_, all) = world.size();
        let back = i64::try_from(all)?.min(rng.between(1, 60));
        // Not before the jobs were there.
        world.restore((all - u64::try_from(back)?).max(40))?;
        world.run_for(rng.between(20_000, 60_000))?;
        let missed = |job| {
            let runs = world.runs(job).into_iter();
            runs.filter(|run| run.missed == Some(MissReason::LogLost)).count()
        };
        lost += ["pay", "again", "all", "last"].into_iter().map(missed).sum::<usize>();
    }
    world.settle()?;
    Ok(lost)
}

#[test]
fn a_log_that_is_brought_back_runs_nothing_twice_and_says_what_it_does_not_know() -> Result<()> {
    let mut lost = 0;
    for seed in 1..=8 {
        lost += brought_back(seed).with_context(|| format!("seed {seed}"))?;
    }
    ensure!(lost > 12, "only {lost} occurrences may have run");
    Ok(())
}

/// The same in a random world, in the middle of what breaks there.
fn brought_back_in_a_random_world(seed: u64) -> Result<()> {
    let mut rng = Rng::new(seed);
    let mut world = World::random(seed)?;
    let half = world.length() / 2;
    world.run_for(half)?;
    let (_, all) = world.size();
    let back = rng.between(1, 80).min(i64::try_from(all)? / 3);
    world.restore(all - u64::try_from(back)?)?;
    world.run_for(half)?;
    let settled = world.settle();
    settled.with_context(|| format!("seed {seed}; the last steps:\n{}", world.tail()))
}

#[test]
fn whatever_breaks_beside_it_nothing_runs_twice_after_a_log_was_brought_back() -> Result<()> {
    (0..16).try_for_each(brought_back_in_a_random_world)
}
