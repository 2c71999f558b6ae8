//! What runs share: named locks, pools with a limit, hosts; and runs that take place on several hosts.

use domain::event::{Event, RunDue, RunEvent};
use domain::ids::StreamId;
use domain::job::Share;
use domain::ledger::Mark;
use domain::run::Outcome;
use domain::site::{Holder, ThingKind, fits};
use serde_json::{Value, json};

use crate::given::at;
use crate::site::{Site, refused, run_id};

#[test]
fn a_share_fits_beside_those_who_hold_the_lock_or_alone() {
    let units = |n| Share::Units(n);
    let all = Share::Exclusive;
    // Units of the lock, shares that are held, the share that is wanted.
    let table: &[(u32, &[Share], Share, bool)] = &[
        (1, &[], units(1), true),
        (1, &[units(1)], units(1), false),
        (3, &[units(1), units(1)], units(1), true),
        (3, &[units(1), units(1)], units(2), false),
        (3, &[units(2)], units(1), true),
        (3, &[], all, true),
        (3, &[units(1)], all, false),
        (3, &[all], units(1), false),
        (3, &[all], all, false),
        // Larger than the lock, or the lock became smaller: alone.
        (2, &[], units(5), true),
        (2, &[units(1)], units(5), false),
        (1, &[units(2)], units(1), false),
    ];
    for (lock, held, wanted, free) in table {
        let holders: Vec<Holder> = held
            .iter()
            .enumerate()
            .map(|(n, share)| Holder::new(&StreamId::run("a", &format!("request-{n}")), *share))
            .collect();
        assert_eq!(fits(*lock, &holders, *wanted), *free, "{lock} {held:?} {wanted:?}");
    }
}

fn lock(units: u32) -> Value {
    json!({"kind": "lock", "name": "db", "units": units})
}

/// A job at an hour that claims a part of lock `db`.
fn claims(name: &str, hour: u8, claim: Value) -> Value {
    json!({"name": name, "schedule": {"cron": format!("0 {hour} * * *")}, "locks": [claim]})
}

/// Jobs a, b, c, … which become due one an hour from one on, with these claims.
fn queue(units: u32, wanted: &[Value]) -> Site {
    let mut site = Site::new();
    site.apply(lock(units));
    for (n, claim) in wanted.iter().enumerate() {
        let n = u8::try_from(n).unwrap();
        let name = char::from(b'a' + n).to_string();
        let mut claim = claim.clone();
        claim["lock"] = json!("db");
        site.apply(claims(&name, n + 1, claim));
    }
    site
}

fn units(n: u32) -> Value {
    json!({"units": n})
}

fn exclusive() -> Value {
    json!({"exclusive": true})
}

#[test]
fn of_a_counted_lock_as_many_units_are_held_as_it_has() {
    let mut site = queue(2, &[units(1), units(1), units(1)]);
    site.until("01:00").start("a@01:00").until("02:00").start("b@02:00").until("03:00");
    assert_eq!(site.offers(), ["a@01:00#1", "b@02:00#1"]);
    let why = "lock db is held by a@2026-11-20T01:00+00:00, b@2026-11-20T02:00+00:00";
    assert_eq!(site.why("c@03:00"), [why]);
    let held = "lock db is held by run/a@2026-11-20T01:00+00:00, run/b@2026-11-20T02:00+00:00";
    assert_eq!(refused(&site.try_start("c@03:00", "h1")), held);
    site.end("a@01:00", 0).until("03:10");
    assert_eq!(site.offers(), ["c@03:00#1"]);
    site.start("c@03:00");
    site.check_no_voids();
}

#[test]
fn an_exclusive_claim_stands_alone_and_shared_ones_beside_each_other() {
    let mut site = queue(9, &[units(1), exclusive(), units(1)]);
    site.until("01:00").start("a@01:00").until("03:00");
    assert_eq!(site.offers(), ["a@01:00#1"], "the one that comes after waits behind it");
    let why =
        "lock db is held by a@2026-11-20T01:00+00:00; before it comes b@2026-11-20T02:00+00:00";
    assert_eq!(site.why("c@03:00"), [why]);
    site.end("a@01:00", 0).until("03:01");
    assert_eq!(site.offers(), ["b@02:00#1"]);
    site.start("b@02:00").until("03:20");
    assert_eq!(
        refused(&site.try_start("c@03:00", "h1")),
        "lock db is held by run/b@2026-11-20T02:00+00:00"
    );
    site.end("b@02:00", 0).until("03:30");
    assert_eq!(site.offers(), ["c@03:00#1"]);
    site.check_no_voids();
}

#[test]
fn a_large_claim_is_not_starved_by_small_ones_that_come_later() {
    let mut site = queue(3, &[units(1), units(3), units(1), units(1)]);
    site.until("01:00").start("a@01:00").until("04:00");
    assert_eq!(site.offers(), ["a@01:00#1"]);
    site.end("a@01:00", 0).until("04:01");
    assert_eq!(site.offers(), ["b@02:00#1"]);
    site.start("b@02:00").end("b@02:00", 0).until("04:02");
    assert_eq!(site.offers(), ["c@03:00#1", "d@04:00#1"]);
    // A small one that leaves the large one its place may go before it.
    let mut site = queue(3, &[units(1), units(2), units(2), units(1)]);
    site.until("01:00").start("a@01:00").until("02:00").start("b@02:00").until("04:00");
    site.offers();
    site.end("a@01:00", 0).until("04:10");
    assert_eq!(site.offers(), Vec::<String>::new(), "c comes first and has not enough");
    site.end("b@02:00", 0).until("04:20");
    assert_eq!(site.offers(), ["c@03:00#1", "d@04:00#1"]);
}

#[test]
fn those_who_are_due_at_once_come_one_after_the_other_in_a_fixed_order() {
    for minds in [1, 2] {
        let mut site = Site::with_minds(minds);
        site.apply(lock(1));
        for name in ["c", "a", "b"] {
            site.apply(claims(name, 1, json!("db")));
        }
        site.serve(60_000).until("01:10");
        let started: Vec<&str> = site
            .world
            .feed
            .iter()
            .filter(|(_, event, _)| event.kind() == "run.started")
            .map(|(envelope, _, _)| envelope.subject.run_job().unwrap())
            .collect();
        assert_eq!(started, ["a", "b", "c"]);
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn a_lock_is_let_go_when_the_attempt_ends_fails_is_stopped_or_lost() {
    let retry = json!({"retry": {"delays": ["1h"]}});
    for how in ["succeeded", "failed", "tried again", "timed out", "stopped", "lost"] {
        let mut site = Site::new();
        let mut a = claims("a", 1, json!("db"));
        if how == "tried again" {
            a.as_object_mut().unwrap().extend(retry.as_object().unwrap().clone());
        }
        site.apply(lock(1)).apply(a).apply(claims("b", 2, json!("db")));
        site.host("h2", &["default"], &[]);
        site.until("01:00").start("a@01:00").until("02:10").offers();
        match how {
            "succeeded" => site.end("a@01:00", 0),
            "failed" | "tried again" => site.end("a@01:00", 1),
            "timed out" => site.time_out("a@01:00"),
            "stopped" => site.cancel("a@01:00").stopped("a@01:00"),
            _ => {
                site.heard.remove("h1");
                &mut site
            }
        };
        site.until("02:20");
        assert_eq!(site.offers(), ["b@02:00#1"], "{how}");
        site.start_on("b@02:00", "h2");
        site.check_no_voids();
    }
}

#[test]
fn when_who_comes_before_goes_away_the_next_is_offered_at_once() {
    // An exclusive claim stands before a small one, and is not to run after all.
    for how in ["cancelled", "held", "skipped"] {
        let mut site = queue(2, &[units(1), exclusive(), units(1)]);
        site.until("01:00").start("a@01:00").until("03:10").offers();
        assert_eq!(site.why("c@03:00").len(), 1);
        match how {
            "cancelled" => site.cancel("b@02:00"),
            "held" => site.hold("b@02:00"),
            _ => {
                let run = site.run("b@02:00");
                let skipped = domain::event::RunSkipped {
                    job: run.job.clone(),
                    definition: run.definition.clone(),
                    nominal: run.nominal.clone(),
                    reason: domain::event::SkipReason::Person { because: "x".to_owned() },
                };
                site.person(&run_id("b@02:00"), skipped)
            }
        };
        site.until("03:11");
        assert_eq!(site.offers(), ["c@03:00#1"], "{how}");
    }
    // Or waits for something else now.
    let mut site = queue(2, &[units(1), exclusive(), units(1)]);
    site.until("01:00").start("a@01:00").until("03:10").apply(json!({
        "kind": "blackout", "name": "fire", "applies-to": {"jobs": ["b"]},
        "times": [{"daily": {"from": "00:00", "until": "23:00"}}],
    }));
    site.until("03:11");
    assert_eq!(site.offers(), ["a@01:00#1", "c@03:00#1"], "blackout");
}

#[test]
fn who_can_go_nowhere_keeps_no_other_waiting() {
    // Its host is drained; its host is silent; it waits for files there.
    let mut site = Site::new();
    site.apply(lock(1)).host("h9", &["default"], &[]).drain("h9");
    let mut a = claims("a", 1, json!("db"));
    a["host"] = json!("h9");
    site.apply(a.clone()).apply(claims("b", 2, json!("db"))).until("02:01");
    assert_eq!(site.offers(), ["b@02:00#1"], "drained");
    // Offered a few times in vain.
    let mut site = Site::new();
    a["host"] = json!("h7");
    site.apply(lock(1)).apply(a).apply(claims("b", 1, json!("db"))).until("01:20");
    assert_eq!(site.offers(), ["a@01:00#1 to h7", "b@01:00#1"], "silent");
    site.start("b@01:00");
}

#[test]
fn who_was_passed_over_comes_first_again_when_it_can_go() {
    let mut site = Site::new();
    let mut a = claims("a", 1, json!("db"));
    a["host"] = json!("h9");
    site.apply(lock(1)).host("h9", &["default"], &[]).drain("h9").apply(a);
    site.apply(claims("b", 2, json!("db"))).apply(claims("c", 3, json!("db")));
    site.until("02:00").start("b@02:00").until("03:10").undrain("h9").until("03:11").offers();
    site.end("b@02:00", 0).until("03:12");
    assert_eq!(site.offers(), ["a@01:00#1 to h9"]);
    site.start_on("a@01:00", "h9").end("a@01:00", 0).until("03:30");
    assert_eq!(site.offers(), ["c@03:00#1"]);
    site.check_no_voids();
}

#[test]
fn two_who_each_want_both_of_two_locks_do_not_wait_for_each_other() {
    let mut site = Site::new();
    site.apply(lock(1)).apply(json!({"kind": "lock", "name": "tape"}));
    let both = |name: &str, locks: Value| json!({"name": name, "schedule": {"cron": "0 1 * * *"}, "locks": locks});
    site.apply(both("a", json!(["db", "tape"]))).apply(both("b", json!(["tape", "db"])));
    site.serve(60_000).until("01:10");
    assert_eq!((site.state("a@01:00"), site.state("b@01:00")), ("succeeded", "succeeded"));
    site.check_no_voids();
}

#[test]
fn a_lock_that_grows_lets_more_in_and_one_that_shrinks_fewer() {
    let mut site = queue(1, &[units(1), units(1), units(1)]);
    site.until("01:00").start("a@01:00").until("03:10").offers();
    site.apply(lock(2)).until("03:11");
    assert_eq!(site.offers(), ["b@02:00#1"]);
    site.start("b@02:00").apply(lock(1)).end("a@01:00", 0).until("03:20");
    assert_eq!(site.offers(), Vec::<String>::new());
    site.end("b@02:00", 0).until("03:30");
    assert_eq!(site.offers(), ["c@03:00#1"]);
    site.check_no_voids();
}

#[test]
fn a_lock_must_be_there_before_a_job_may_name_it_and_holds_on_after_it_is_retired() {
    let mut site = Site::new();
    let mut named = claims("a", 1, json!("db"));
    named["command"] = json!({"argv": ["x"]});
    let definition: domain::job::JobDefinition = serde_json::from_value(named).unwrap();
    let (number, digest) = (1, definition.digest().unwrap());
    let value = serde_json::to_value(&definition).unwrap();
    let proposed =
        domain::event::JobProposed { number, digest, definition: value, reason: "x".to_owned() };
    let job = StreamId::job("a");
    site.person(&job, proposed);
    let approved = domain::event::JobApproved { number, digest };
    let mark = site.try_by("user/bob", &job, approved.clone());
    assert_eq!(refused(&mark), "there is no active lock db");
    site.apply(lock(1));
    assert_eq!(site.try_by("user/bob", &job, approved), Mark::Valid);
    site.apply(claims("b", 2, json!("db"))).retire(ThingKind::Lock, "db");
    site.until("01:00").start("a@01:00").until("02:10");
    assert_eq!(site.offers(), ["a@01:00#1"]);
    assert_eq!(
        refused(&site.try_start("b@02:00", "h1")),
        "lock db is held by run/a@2026-11-20T01:00+00:00"
    );
}

#[test]
fn who_holds_a_lock_is_known_also_to_schedulers_that_start_later() {
    let mut site = queue(1, &[units(1), units(1)]);
    site.until("01:00").start("a@01:00").until("01:30").restart().until("02:10");
    assert_eq!(site.offers(), ["a@01:00#1"]);
    site.restart().end("a@01:00", 0).until("02:20");
    assert_eq!(site.offers(), ["b@02:00#1"]);
    site.check_no_voids();
}

// Pools.

#[test]
fn in_a_pool_with_a_limit_so_many_run_at_once_the_first_first() {
    let pool = |limit: Value| json!({"kind": "pool", "name": "default", "limit": limit});
    let mut site = Site::new();
    site.apply(pool(json!(2)));
    for (n, name) in ["a", "b", "c", "d"].iter().enumerate() {
        site.apply(json!({"name": name, "schedule": {"cron": format!("0 {} * * *", n + 1)}}));
    }
    site.until("01:00").start("a@01:00").until("02:00").start("b@02:00").until("04:10");
    assert_eq!(site.offers(), ["a@01:00#1", "b@02:00#1"]);
    let why =
        "pool default runs at most 2 at once: a@2026-11-20T01:00+00:00, b@2026-11-20T02:00+00:00";
    assert_eq!(site.why("c@03:00"), [why]);
    site.end("a@01:00", 0).until("04:11");
    assert_eq!(site.offers(), ["c@03:00#1"]);
    // Without the limit all go.
    site.apply(pool(json!(null))).until("04:12");
    assert_eq!(site.offers(), ["d@04:00#1"]);
    site.check_no_voids();
}

#[test]
fn a_pool_limits_its_own_hosts_only_and_one_without_a_definition_nothing() {
    let mut site = Site::new();
    site.apply(json!({"kind": "pool", "name": "small", "limit": 1}));
    site.host("h2", &["small"], &[]);
    for (name, pool) in [("a", "small"), ("b", "small"), ("c", "default"), ("d", "default")] {
        site.apply(json!({"name": name, "schedule": {"cron": "0 1 * * *"}, "pool": pool}));
    }
    site.until("01:00");
    assert_eq!(site.offers(), ["a@01:00#1", "c@01:00#1", "d@01:00#1"]);
    site.start_on("a@01:00", "h2").end("a@01:00", 0).until("01:01");
    assert_eq!(site.offers(), ["b@01:00#1"]);
}

#[test]
fn nobody_is_offered_again_because_another_of_an_unlimited_pool_has_ended() {
    let mut site = Site::new();
    for n in 0..10 {
        site.apply(json!({"name": format!("j{n}"), "schedule": {"cron": "0 1 * * *"}}));
    }
    site.until("01:00");
    for n in 0..5 {
        let run = format!("j{n}@01:00");
        site.start(&run).end(&run, 0).until("01:00:05");
    }
    assert_eq!(site.work.len(), 10, "each once, until it is time to offer it again");
}

// Hosts.

#[test]
fn a_drained_host_starts_nothing_new_and_what_runs_there_goes_on() {
    let mut site = Site::new();
    site.apply(json!({"name": "a", "schedule": {"cron": "0 1,2 * * *"}, "host": "h1"}));
    site.until("01:00").start("a@01:00").drain("h1").until("01:10").end("a@01:00", 0);
    site.until("02:10");
    assert_eq!(site.offers(), ["a@01:00#1 to h1"]);
    assert_eq!(site.why("a@02:00"), ["host h1 is drained: x"]);
    assert_eq!(refused(&site.try_start("a@02:00", "h1")), "host h1 is drained: x");
    let twice = site
        .try_person(&StreamId::host("h1"), domain::event::HostDrained { reason: "y".to_owned() });
    assert_eq!(refused(&twice), "the host is drained already");
    site.undrain("h1").until("02:11");
    assert_eq!(site.offers(), ["a@02:00#1 to h1"]);
    site.start("a@02:00");
    site.check_no_voids();
}

fn selects(select: Value, prefer: &str) -> Value {
    json!({"name": "a", "schedule": {"cron": "0 1,2,3 * * *"}, "select": select, "prefer": prefer})
}

#[test]
fn a_job_goes_to_a_host_that_has_its_labels_and_the_most_room() {
    let mut site = Site::new();
    site.host("h2", &["default"], &[("os", "linux"), ("site", "fra")]);
    site.host("h3", &["default"], &[("os", "aix"), ("site", "fra")]);
    site.host("h4", &["default"], &[("os", "linux"), ("site", "muc")]);
    site.host("h5", &["other"], &[("os", "linux"), ("site", "fra")]);
    for (host, free) in [("h2", 1), ("h3", 3), ("h4", 5), ("h5", 9)] {
        site.heard.insert(host.to_owned(), free);
    }
    for (name, select) in [
        ("any-linux", json!({"os": "linux"})),
        ("fra", json!({"os": ["linux", "aix"], "site": "fra"})),
        ("linux-fra", json!({"os": "linux", "site": "fra"})),
    ] {
        site.apply(json!({"name": name, "schedule": {"cron": "0 1 * * *"}, "select": select}));
    }
    site.until("01:00");
    let wanted = ["any-linux@01:00#1 to h4", "fra@01:00#1 to h3", "linux-fra@01:00#1 to h2"];
    assert_eq!(site.offers(), wanted);
}

#[test]
fn the_host_that_is_preferred_is_the_last_one_or_the_least_loaded_while_it_is_there() {
    for (prefer, second, third) in [("last", "h2", "h3"), ("least-loaded", "h3", "h3")] {
        let mut site = Site::new();
        site.host("h2", &["default"], &[("os", "x")]).host("h3", &["default"], &[("os", "x")]);
        site.heard.insert("h2".to_owned(), 9);
        site.apply(selects(json!({"os": "x"}), prefer)).until("01:00");
        assert_eq!(site.offers(), ["a@01:00#1 to h2"], "{prefer}");
        site.start_on("a@01:00", "h2").end("a@01:00", 0);
        site.heard.insert("h2".to_owned(), 1);
        site.until("02:00");
        assert_eq!(site.offers(), [format!("a@02:00#1 to {second}")], "{prefer}");
        site.start_on("a@02:00", second).end("a@02:00", 0);
        site.heard.remove("h2");
        site.until("03:00");
        assert_eq!(site.offers(), [format!("a@03:00#1 to {third}")], "{prefer}");
    }
}

#[test]
fn without_a_host_that_fits_a_run_waits_and_says_for_what() {
    let mut site = Site::new();
    site.apply(selects(json!({"os": "aix", "site": ["fra", "muc"]}), "any")).until("01:10");
    assert_eq!(site.offers(), Vec::<String>::new());
    let why = "pool default has no host with os=aix, site=fra|muc that is up and not drained";
    assert_eq!(site.why("a@01:00"), [why]);
    site.host("h2", &["default"], &[("os", "aix"), ("site", "muc")]).until("01:20");
    assert_eq!(site.offers(), ["a@01:00#1 to h2"]);
    site.heard.remove("h2");
    site.until("02:10");
    let why = "none of the 1 hosts of pool default with os=aix, site=fra|muc was heard of lately";
    assert!(site.why("a@01:00").contains(&why.to_owned()), "{:?}", site.why("a@01:00"));
}

#[test]
fn an_attempt_that_follows_goes_where_the_retry_rule_says() {
    let job = |host: &str| {
        json!({
            "name": "a", "schedule": {"cron": "0 1 * * *"},
            "retry": {"delays": ["10m", "10m"], "host": host},
        })
    };
    for (rule, second) in [("any", ""), ("same", " to h1"), ("other", " to h2")] {
        let mut site = Site::new();
        site.host("h2", &["default"], &[]).apply(job(rule)).until("01:00");
        assert_eq!(site.offers(), ["a@01:00#1"]);
        site.start("a@01:00").end("a@01:00", 1).until("01:10");
        assert_eq!(site.offers(), [format!("a@01:00#2{second}")], "{rule}");
    }
    // The same host and no other.
    let mut site = Site::new();
    site.host("h2", &["default"], &[]).apply(job("same")).until("01:00");
    site.start("a@01:00").end("a@01:00", 1).until("01:10");
    assert_eq!(refused(&site.try_start("a@01:00", "h2")), "it starts on h2, but h1 is meant");
    // Where there is no other, the same.
    let mut site = Site::new();
    site.apply(job("other")).until("01:00").start("a@01:00").end("a@01:00", 1).until("01:10");
    assert_eq!(site.offers(), ["a@01:00#1", "a@01:00#2 to h1"]);
}

// On all hosts.

fn all_hosts(more: Value) -> Site {
    let mut job = json!({"name": "a", "schedule": {"cron": "0 1 * * *"}, "hosts": "all"});
    job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut site = Site::new();
    site.host("h2", &["default"], &[("os", "x")]).host("h3", &["default"], &[("os", "x")]);
    site.host("h4", &["other"], &[]).apply(job);
    site
}

#[test]
fn a_run_on_all_hosts_is_a_run_on_each_and_over_when_they_are() {
    let mut site = all_hosts(json!({}));
    site.until("01:00");
    let wanted = [
        "a@01:00 runs",
        "a@01:00 on h1+h2+h3",
        "a@01:00~h1 runs",
        "a@01:00~h2 runs",
        "a@01:00~h3 runs",
    ];
    assert_eq!(site.news(), wanted);
    assert_eq!(site.offers(), ["a@01:00~h1#1 to h1", "a@01:00~h2#1 to h2", "a@01:00~h3#1 to h3"]);
    assert_eq!(
        refused(&site.try_start("a@01:00", "h1")),
        "it takes place on several hosts: its parts are started"
    );
    assert_eq!(refused(&site.try_start("a@01:00~h2", "h1")), "it starts on h1, but h2 is meant");
    for host in ["h1", "h2", "h3"] {
        site.start_on(&format!("a@01:00~{host}"), host);
    }
    site.until("01:10").end("a@01:00~h1", 0).end("a@01:00~h3", 0).until("01:20");
    assert_eq!(site.state("a@01:00"), "in-parts");
    site.end("a@01:00~h2", 0).until("01:21");
    assert_eq!(site.news(), ["a@01:00 gathered: succeeded"]);
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn all_hosts_are_those_of_the_pool_that_are_up_have_the_labels_and_are_not_drained() {
    let mut site = all_hosts(json!({"select": {"os": "x"}}));
    site.host("h5", &["default"], &[("os", "x")]).drain("h5").until("01:00");
    assert_eq!(site.news()[1], "a@01:00 on h2+h3");
    // While there is none the run waits for one.
    let mut site = all_hosts(json!({"pool": "empty"}));
    site.until("01:10");
    assert_eq!(site.news(), ["a@01:00 runs"]);
    assert_eq!(site.why("a@01:00"), ["pool empty has no host that is up and not drained"]);
    site.host("h6", &["empty"], &[]).until("01:20");
    assert_eq!(site.news(), ["a@01:00 on h6", "a@01:00~h6 runs"]);
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn a_run_in_parts_ends_as_the_worst_of_them() {
    use Outcome::{Cancelled, Failed, Missed, Skipped, Succeeded, TimedOut, Warning};
    let table: &[(&[Outcome], Outcome)] = &[
        (&[Succeeded, Warning], Warning),
        (&[Warning, Cancelled, Succeeded], Cancelled),
        (&[Failed, TimedOut], Failed),
        (&[TimedOut, Cancelled], TimedOut),
        (&[Succeeded, Skipped], Skipped),
        (&[Skipped, Missed], Missed),
    ];
    for (outcomes, worst) in table {
        assert_eq!(Outcome::worst(outcomes.iter().copied()), Some(*worst), "{outcomes:?}");
    }
    assert_eq!(Outcome::worst([]), None);
    let mut site = all_hosts(json!({}));
    site.until("01:00");
    for (host, code) in [("h1", 0), ("h2", 3), ("h3", 0)] {
        site.start_on(&format!("a@01:00~{host}"), host).end(&format!("a@01:00~{host}"), code);
    }
    site.until("01:10");
    assert_eq!(site.news().last().unwrap(), "a@01:00 gathered: failed, not on h2");
    assert_eq!(domain::run::message(site.run("a@01:00")).unwrap(), "not on h2");
}

#[test]
fn a_part_is_tried_again_by_itself() {
    let mut site = all_hosts(json!({"retry": {"delays": ["10m"]}}));
    site.until("01:00");
    for host in ["h1", "h2", "h3"] {
        site.start_on(&format!("a@01:00~{host}"), host);
    }
    site.end("a@01:00~h1", 0).end("a@01:00~h3", 0).end("a@01:00~h2", 1).until("01:09");
    assert_eq!(site.state("a@01:00"), "in-parts");
    site.offers();
    site.until("01:10");
    assert_eq!(site.offers(), ["a@01:00~h2#2 to h2"]);
    site.start_on("a@01:00~h2", "h2").end("a@01:00~h2", 0).until("01:11");
    assert_eq!(site.news().last().unwrap(), "a@01:00 gathered: succeeded");
    site.check_no_voids();
}

#[test]
fn the_next_run_of_the_job_waits_for_all_parts() {
    for (overlap, wanted) in
        [("skip", "a@02:00 skipped: a@01:00 goes on"), ("queue-one", "a@02:00 runs behind a@01:00")]
    {
        let mut site = all_hosts(json!({"schedule": {"cron": "0 1,2 * * *"}, "overlap": overlap}));
        site.until("01:00");
        for host in ["h1", "h2", "h3"] {
            site.start_on(&format!("a@01:00~{host}"), host);
        }
        site.end("a@01:00~h1", 0).end("a@01:00~h3", 0).until("02:00");
        assert_eq!(site.news()[5..], [wanted]);
        site.offers();
        site.until("02:10");
        assert_eq!(site.offers(), Vec::<String>::new(), "{overlap}");
        site.end("a@01:00~h2", 0).until("02:20");
        let offers = if overlap == "skip" { 0 } else { 3 };
        assert_eq!(site.offers().len(), offers, "{overlap}");
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn who_cancels_a_run_in_parts_cancels_each() {
    let mut site = all_hosts(json!({}));
    site.until("01:00")
        .start_on("a@01:00~h2", "h2")
        .until("01:10")
        .cancel("a@01:00")
        .until("01:11");
    let news = site.news();
    for part in ["h1", "h2", "h3"] {
        assert!(news.contains(&format!("a@01:00~{part} is to be stopped")), "{news:?}");
    }
    assert_eq!(site.state("a@01:00~h1"), "cancelled");
    site.stopped("a@01:00~h2").until("01:12");
    assert_eq!(site.news().last().unwrap(), "a@01:00 gathered: cancelled, not on h1+h2+h3");
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn who_cancels_a_run_in_parts_before_it_has_any_starts_none() {
    let mut site = all_hosts(json!({}));
    site.nobody_until("01:00");
    site.tick(0);
    site.feed();
    site.tick(0);
    assert_eq!(site.state("a@01:00"), "in-parts");
    site.behind(|world, now| {
        let wish = domain::event::RunCancelRequested { reason: "x".to_owned() };
        assert_eq!(world.say_by("user/ana", run_id("a@01:00"), wish, now), Mark::Valid);
    });
    site.until("01:05");
    assert_eq!(site.offers(), Vec::<String>::new());
    assert_eq!(site.state("a@01:00"), "cancelled");
    site.check_whole();
}

#[test]
fn parts_that_ended_while_no_scheduler_was_there_are_asked_for() {
    let mut site = all_hosts(json!({}));
    site.until("01:00");
    for host in ["h1", "h2", "h3"] {
        site.start_on(&format!("a@01:00~{host}"), host);
    }
    site.end("a@01:00~h1", 0).nobody_until("01:30");
    site.end("a@01:00~h2", 0).end("a@01:00~h3", 0).restart().until("01:31");
    assert_eq!(site.news().last().unwrap(), "a@01:00 gathered: succeeded");
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn two_schedulers_make_each_part_due_once() {
    let mut site = Site::with_minds(2);
    site.host("h2", &["default"], &[]);
    site.apply(json!({"name": "a", "schedule": {"cron": "0 1 * * *"}, "hosts": "all"}));
    site.serve(60_000).until("01:10");
    assert_eq!(site.state("a@01:00"), "succeeded");
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn what_a_person_asks_for_takes_place_on_all_hosts_too() {
    let mut site = all_hosts(json!({}));
    site.serve(60_000).request("a@request-1").until("00:10");
    assert_eq!(site.state("a@request-1"), "succeeded");
    assert_eq!(site.run("a@request-1~h2").attempts.len(), 1);
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn a_run_in_parts_waits_for_others_before_any_part_is_due() {
    let mut site = all_hosts(json!({"after": ["load"]}));
    site.apply(json!({"name": "load", "schedule": {"cron": "30 0 * * *"}}));
    site.until("00:30").start("load@00:30").until("01:10");
    assert_eq!(site.state("a@01:00"), "waiting");
    assert!(!site.exists("a@01:00~h1"));
    site.end("load@00:30", 0).until("01:11");
    assert!(site.exists("a@01:00~h1"));
    site.check_no_voids();
}

#[test]
fn parts_claim_their_locks_each() {
    let mut site = Site::new();
    site.host("h2", &["default"], &[]).host("h3", &["default"], &[]).apply(lock(2));
    site.apply(json!({
        "name": "a", "schedule": {"cron": "0 1 * * *"}, "hosts": "all", "locks": ["db"]}));
    site.until("01:00");
    assert_eq!(site.offers(), ["a@01:00~h1#1 to h1", "a@01:00~h2#1 to h2"]);
    site.start_on("a@01:00~h1", "h1").start_on("a@01:00~h2", "h2").until("01:10");
    assert!(refused(&site.try_start("a@01:00~h3", "h3")).starts_with("lock db is held by"));
    site.end("a@01:00~h1", 0).until("01:20");
    assert_eq!(site.offers(), ["a@01:00~h3#1 to h3"]);
}

#[test]
fn no_part_is_taken_of_a_run_that_has_none_or_not_on_that_host() {
    let mut site = all_hosts(json!({}));
    site.apply(json!({"name": "b", "schedule": {"cron": "0 1 * * *"}})).until("01:00");
    let part = run_id("a@01:00~h1");
    let due = site.world.feed.iter().find_map(|(envelope, event, _)| {
        let Event::RunEvent(RunEvent::RunDue(due)) = event else { return None };
        (envelope.subject == part).then(|| due.clone())
    });
    let due: RunDue = due.unwrap();
    let table = [
        ("a@01:00~h4", RunDue { host: Some("h4".to_owned()), ..due.clone() }),
        ("b@01:00~h1", {
            let definition = site.run("b@01:00").definition.clone();
            let part_of = Some(run_id("b@01:00"));
            RunDue { job: "b".to_owned(), definition, part_of, ..due.clone() }
        }),
        ("a@05:00~h1", {
            let mut nominal = due.nominal.clone().unwrap();
            nominal.at = at("05:00");
            RunDue { nominal: Some(nominal), part_of: Some(run_id("a@05:00")), ..due }
        }),
    ];
    for (part, due) in table {
        let now = site.now;
        let mark = site.world.say_next("scheduler/s1", run_id(part), due, now);
        assert!(matches!(mark, Mark::Refused { .. }), "{part}: {mark:?}");
    }
}
