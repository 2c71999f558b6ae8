//! Random worlds.
//!
//! `WORLD_SEED=n` replays one and prints every step; with `WORLD_PAST=1`, the one of that seed whose log is archived.
//! `WORLD_FROM` and `WORLD_COUNT` choose those of the long tests: `cargo test -p decklog-testkit --test world -- --ignored thousands`.

use std::collections::BTreeMap;

use domain::ledger::SEGMENT_EVENTS;
use testkit::world::World;

/// Seeds of one ordinary test; there are [`PARTS`] of them, so that they run side by side.
const SEEDS: u64 = 110;
/// Tests among which the ordinary seeds are spread.
const PARTS: u64 = 2;

/// Worlds of the ordinary test whose log is archived.
const ARCHIVED: u64 = 5;

/// Lives through one world and settles it; the failure says how to see it again.
fn live(seed: u64, loud: bool) -> Result<World, String> {
    live_in(World::random(seed), seed, loud)
}

fn live_in(world: anyhow::Result<World>, seed: u64, loud: bool) -> Result<World, String> {
    let mut world = world.map_err(|e| format!("{e:#}"))?;
    if loud {
        world.loud();
    }
    let lived = world.live_through().and_then(|()| world.settle());
    lived.map_err(|error| {
        format!("WORLD_SEED={seed} fails: {error:#}\nthe last steps:\n{}", world.tail())
    })?;
    Ok(world)
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn part(which: u64) {
    if std::env::var("WORLD_SEED").is_ok() {
        return;
    }
    for seed in (which..SEEDS * PARTS).step_by(usize::try_from(PARTS).unwrap()) {
        live(seed, false).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn what_once_failed_does_not_fail_again() {
    for line in include_str!("failed_seeds.txt").lines().filter(|line| !line.starts_with('#')) {
        let seed = line.split_whitespace().next().unwrap().parse().unwrap();
        live(seed, false).unwrap_or_else(|failure| panic!("{line}\n{failure}"));
    }
}

#[test]
fn random_worlds_hold_even() {
    part(0);
}

#[test]
fn random_worlds_hold_odd() {
    part(1);
}

/// Logs with a past of more than a segment, which recorders archive while they and everything else die.
#[test]
fn random_worlds_whose_log_is_archived_hold() {
    let (mut segments, mut forgotten) = (0, 0);
    for seed in 0..ARCHIVED {
        let world = live_in(World::random_with_past(seed), seed, false);
        let (archived, away) = world.unwrap_or_else(|failure| panic!("{failure}")).archived();
        // What is in files is forgotten elsewhere, unless a recorder died in between.
        assert!(away as u64 <= archived * SEGMENT_EVENTS, "seed {seed}");
        (segments, forgotten) = (segments + archived, forgotten + away);
    }
    assert!(segments >= ARCHIVED, "only {segments} segments were archived");
    assert!(forgotten > 0, "nothing was forgotten elsewhere");
}

#[test]
#[ignore = "takes as long as it is asked to"]
fn thousands_whose_log_is_archived() {
    let mut segments = 0;
    live_in_each(World::random_with_past, |world| segments += world.archived().0);
    println!("{segments} segments");
}

#[test]
fn the_same_seed_is_the_same_world() {
    let size = |seed| live(seed, false).map(|world| world.size());
    assert_eq!(size(1), size(1));
}

#[test]
fn the_seed_that_was_asked_for() {
    if let Ok(seed) = std::env::var("WORLD_SEED") {
        let seed = seed.parse().unwrap();
        let past = std::env::var("WORLD_PAST").is_ok();
        let world = if past { World::random_with_past(seed) } else { World::random(seed) };
        live_in(world, seed, true).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
#[ignore = "takes as long as it is asked to"]
fn thousands() {
    let mut census = BTreeMap::<String, u64>::new();
    live_in_each(World::random, |world| {
        world.census().into_iter().for_each(|(kind, n)| *census.entry(kind).or_default() += n);
    });
    println!("{census:#?}");
}

/// Lives through as many worlds as are asked for, shows each that holds, and names all that do not.
fn live_in_each(world: fn(u64) -> anyhow::Result<World>, mut each: impl FnMut(&World)) {
    let (from, count) = (number("WORLD_FROM", 1_000), number("WORLD_COUNT", 1_000));
    let mut failed = Vec::new();
    for seed in from..from + count {
        match live_in(world(seed), seed, false) {
            Ok(world) => each(&world),
            Err(failure) => {
                println!("{}", failure.lines().next().unwrap_or_default());
                failed.push(seed);
            }
        }
    }
    assert!(failed.is_empty(), "{} of {count} fail: {failed:?}", failed.len());
}
