//! Every role as its own process, under every fault we know. After each: nothing lost, nothing twice,
//! nothing unaccounted, and the evidence holds.

use std::time::{Duration, Instant};

use crate::programs::Random;
use crate::site::{EXECUTORS, RECORDERS, SCHEDULERS, Site};

/// How long everything is away that is not on a host.
const CENTRE_AWAY: Duration = Duration::from_secs(120);

/// How long a server is away.
const OUTAGE: Duration = Duration::from_secs(20);

#[test]
fn executors_killed_in_mid_run_lose_no_run_and_start_none_twice() {
    let (mut random, mut site) = (Random::new(), Site::start());
    for _ in 0..3 {
        for name in EXECUTORS {
            site.let_pass(random.millis(500, 2_000));
            site.kill9(name);
        }
    }
    site.settle_and_count();
}

#[test]
fn schedulers_and_recorders_killed_again_and_again_lose_nothing_and_decide_nothing_twice() {
    let (mut random, mut site) = (Random::new(), Site::start());
    for _ in 0..5 {
        for name in SCHEDULERS {
            site.let_pass(random.millis(200, 2_000));
            site.kill9(name);
        }
    }
    // Both at once: nobody schedules for a moment.
    for name in SCHEDULERS {
        site.kill9(name);
    }
    for _ in 0..10 {
        for name in RECORDERS {
            site.let_pass(random.millis(100, 1_200));
            site.kill9(name);
        }
    }
    for name in RECORDERS {
        site.kill9(name);
    }
    site.settle_and_count();
}

#[test]
fn postgres_away_for_twenty_seconds_and_killed_loses_nothing() {
    let mut site = Site::start();
    site.postgres.stop().unwrap();
    site.let_pass(OUTAGE);
    site.postgres.start_again().unwrap();
    site.wait_for_successes(3);
    for _ in 0..3 {
        site.postgres.kill().unwrap();
        site.postgres.start_again().unwrap();
        site.wait_for_successes(2);
    }
    site.settle_and_count();
}

#[test]
fn nats_away_for_twenty_seconds_and_without_its_storage_loses_nothing() {
    let mut site = Site::start();
    site.nats.stop().unwrap();
    site.let_pass(OUTAGE);
    site.nats.start_again().unwrap();
    site.wait_for_successes(3);
    site.nats.kill().unwrap();
    site.nats.delete_storage().unwrap();
    site.nats.start_again().unwrap();
    site.wait_for_successes(3);
    site.settle_and_count();
}

#[test]
fn the_centre_away_for_two_minutes_a_host_runs_what_is_left_to_it_and_nothing_is_lost_or_done_twice()
 {
    let mut site = Site::start();
    let one = site.done_alone() + 3;
    site.wait_for("host one to run its job", |site| site.done_alone() >= one);
    site.lose_the_centre();
    let before = site.done_alone();
    site.let_pass(CENTRE_AWAY / 2);
    let first = site.done_alone();
    // Its agent dies too, and comes back to nobody.
    site.kill9(EXECUTORS[0]);
    site.let_pass(CENTRE_AWAY / 2);
    let last = site.done_alone();
    // One each second, less what a busy machine leaves out, and what the agent's own absence does.
    assert!(first > before + 30 && last > first + 15, "{before}, {first}, {last}");
    site.regain_the_centre();
    site.settle_and_count();
}

/// For `DECKLOG_TEST_SOAK` seconds, or ten minutes.
#[test]
#[ignore = "takes ten minutes"]
fn under_any_mixture_of_faults_nothing_is_lost_and_nothing_happens_twice() {
    let (mut random, mut site) = (Random::new(), Site::start());
    let given = std::env::var("DECKLOG_TEST_SOAK").ok().and_then(|text| text.parse().ok());
    let until = Instant::now() + Duration::from_secs(given.unwrap_or(600));
    while Instant::now() < until {
        site.let_pass(random.millis(100, 3_000));
        match random.between(0, 40) {
            n @ 0..10 => site.kill9(EXECUTORS[n as usize % 3]),
            n @ 10..22 => site.kill9(SCHEDULERS[n as usize % 2]),
            n @ 22..36 => site.kill9(RECORDERS[n as usize % 2]),
            36 => {
                site.postgres.kill().unwrap();
                site.let_pass(random.millis(0, 10_000));
                site.postgres.start_again().unwrap();
            }
            37 => {
                site.postgres.stop().unwrap();
                site.let_pass(random.millis(1_000, 25_000));
                site.postgres.start_again().unwrap();
            }
            38 => {
                site.nats.stop().unwrap();
                site.let_pass(random.millis(1_000, 25_000));
                site.nats.start_again().unwrap();
            }
            _ => {
                site.nats.kill().unwrap();
                site.nats.delete_storage().unwrap();
                site.nats.start_again().unwrap();
            }
        }
    }
    site.settle_and_count();
}
