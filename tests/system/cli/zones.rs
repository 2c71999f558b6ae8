//! The time zone database changes under a running installation's feet.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::wait;

use super::Desk;
use crate::programs::{Up, call, decklog, run};

/// A zone's file without a single transition: its clock goes by a rule, as POSIX writes it, for ever.
fn zone_file(rule: &str) -> Vec<u8> {
    let block = |version: u8| {
        let mut bytes = [b"TZif".as_slice(), &[version], &[0; 15]].concat();
        for count in [0_u32, 0, 0, 0, 1, 4] {
            bytes.extend(count.to_be_bytes());
        }
        bytes.extend(0_i32.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(b"LMT\0");
        bytes
    };
    [block(b'2'), block(b'2'), format!("\n{rule}\n").into_bytes()].concat()
}

/// A time zone database of this version, in which Berlin's clock goes by this rule.
fn database(desk: &Desk, version: &str, berlin: &str) -> PathBuf {
    let dir = desk.path(version);
    std::fs::create_dir_all(dir.join("Europe")).unwrap();
    std::fs::write(dir.join("tzdata.zi"), format!("# version {version}\n")).unwrap();
    std::fs::write(dir.join("UTC"), zone_file("UTC0")).unwrap();
    std::fs::write(dir.join("Europe/Berlin"), zone_file(berlin)).unwrap();
    dir
}

const USUAL: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
/// The clocks are not changed any more.
const ABOLISHED: &str = "CET-1";

/// Two jobs, of which one is at home in Berlin.
const JOBS: &str = "name: pay\n\
    command: { argv: [/bin/true] }\n\
    schedule: { cron: '0 9 1 * *' }\n\
    zone: Europe/Berlin\n\
    ---\n\
    name: elsewhere\n\
    command: { argv: [/bin/true] }\n\
    schedule: { cron: '0 9 1 * *' }\n";

const EACH_SECOND: &str = "name: often\n\
    command: { argv: [/bin/true] }\n\
    schedule: { every: 1s }\n";

/// What the log was told of time zone databases.
fn told(data: &Path) -> Vec<Value> {
    let said = call(data, &["events", "-o", "jsonl"]).ended(0);
    let events = said.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let own = events.filter(|entry| entry["event"]["type"] == "log.tzdb-changed");
    own.map(|entry| entry["event"]["data"].clone()).collect()
}

/// Starts with a database, and stops when the log was told so often of any.
fn once(desk: &Desk, tzdb: &Path, wanted: usize) -> Vec<Value> {
    let jobs = desk.file("jobs.yaml", JOBS);
    let up = Up::start_with(&desk.data(), &[&jobs], &[("TZDIR", tzdb)]);
    wait::until("the log to be told", Duration::from_secs(30), || told(&up.data).len() >= wanted)
        .unwrap();
    up.stop();
    told(&desk.data())
}

#[test]
fn a_scheduler_that_starts_with_another_time_zone_database_says_once_what_moves() {
    let desk = Desk::new();
    let (old, new) = (database(&desk, "2098a", USUAL), database(&desk, "2098b", ABOLISHED));
    let first = once(&desk, &old, 1);
    assert_eq!(first, [json!({"to": "2098a", "zones": [], "jobs": 0, "moved": 0, "first": []})]);
    // A package replaces the files; what they said is known from the copies.
    std::fs::remove_dir_all(&old).unwrap();
    let second = once(&desk, &new, 2);
    assert_eq!(second.len(), 2);
    let change = &second[1];
    assert_eq!((&change["from"], &change["to"]), (&json!("2098a"), &json!("2098b")));
    assert_eq!(change["zones"], json!(["Europe/Berlin"]));
    assert_eq!((&change["jobs"], change.get("unknown")), (&json!(1), None));
    // In each of the seven or eight months of summer time that 400 days hold.
    let moved = change["moved"].as_u64().unwrap();
    assert!((6..=9).contains(&moved), "{change}");
    assert_eq!(change["first"].as_array().unwrap().len(), 1);
    assert_eq!(change["first"][0]["job"], "pay");
    assert_eq!(change["first"][0]["more"], moved - 1);
    // It is no news at the next start.
    assert_eq!(once(&desk, &new, 2).len(), 2);
    call(&desk.data(), &["verify"]).ended(0);
}

#[test]
fn a_database_that_is_replaced_while_a_scheduler_runs_is_used_from_then_on() {
    let desk = Desk::new();
    let tzdb = database(&desk, "2098a", USUAL);
    let jobs = desk.file("jobs.yaml", &format!("{JOBS}---\n{EACH_SECOND}"));
    let up = Up::start_with(&desk.data(), &[&jobs], &[("TZDIR", &tzdb)]);
    let of_version = |version: &str| {
        let said = call(&up.data, &["events", "-o", "jsonl"]).ended(0);
        let events = said.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter(|entry| entry["event"]["data"]["nominal"]["tzdb"] == version).count()
    };
    let until = |what: &str, seen: &dyn Fn() -> bool| {
        wait::until(what, Duration::from_secs(60), seen).unwrap();
    };
    until("an occurrence", &|| of_version("2098a") > 0);
    let new = database(&desk, "2098b", ABOLISHED);
    for file in ["Europe/Berlin", "tzdata.zi"] {
        std::fs::rename(new.join(file), tzdb.join(file)).unwrap();
    }
    until("an occurrence by the new rules", &|| of_version("2098b") > 0);
    until("the log to be told", &|| told(&up.data).len() == 2);
    up.stop();
    let change = told(&desk.data()).remove(1);
    assert_eq!((&change["from"], &change["to"]), (&json!("2098a"), &json!("2098b")));
    call(&desk.data(), &["verify"]).ended(0);
}

#[test]
fn where_no_copies_are_kept_only_the_versions_are_told() {
    let desk = Desk::new();
    let (old, new) = (database(&desk, "2098a", USUAL), database(&desk, "2098b", ABOLISHED));
    once(&desk, &old, 1);
    std::fs::remove_dir_all(desk.data().join("scheduler/tzdb")).unwrap();
    let change = once(&desk, &new, 2).remove(1);
    let wanted = json!({
        "from": "2098a", "to": "2098b", "zones": [], "unknown": ["Europe/Berlin", "UTC"],
        "jobs": 0, "moved": 0, "first": []});
    assert_eq!(change, wanted);
}

#[test]
fn two_directories_of_zones_are_compared_for_all_jobs_or_for_one() {
    let desk = Desk::new();
    let (old, new) = (database(&desk, "2098a", USUAL), database(&desk, "2098b", ABOLISHED));
    once(&desk, &old, 1);
    let compare = |more: &[&str]| {
        let mut command = decklog(["tzdb", "compare", "-o", "json", "--old"]);
        run(command.arg(&old).arg("--data").arg(desk.data()).env("TZDIR", &new).args(more))
    };
    let found = compare(&[]).ended(1).json();
    assert_eq!((&found["old"], &found["new"]), (&json!("2098a"), &json!("2098b")));
    let occurrences = found["occurrences"].as_array().unwrap();
    assert_eq!(found["moved"], occurrences.len());
    for one in occurrences {
        assert_eq!((&one["job"], &one["zone"]), (&json!("pay"), &json!("Europe/Berlin")));
        let instant = |key: &str| one[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert_eq!(instant("now").duration_since(instant("before")).as_hours(), 1, "{one}");
        assert!(one["wall"].as_str().unwrap().ends_with("T09:00:00"));
    }
    assert_eq!(compare(&["--job", "elsewhere"]).ended(0).json()["moved"], 0);
    compare(&["--job", "nobody"]).ended(3);
    // The copies that the scheduler kept are a directory like any other.
    let kept = desk.data().join("scheduler/tzdb/2098a");
    let same = compare(&["--new", kept.to_str().unwrap()]).ended(0).json();
    assert_eq!((&same["new"], &same["moved"]), (&json!("2098a"), &json!(0)));
}
