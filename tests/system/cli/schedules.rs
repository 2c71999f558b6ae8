//! schedule explain and next.

use serde_json::json;

use super::Desk;
use crate::programs::{call, decklog, run};

fn explain(arguments: &[&str]) -> serde_json::Value {
    let all = ["schedule", "explain", "-o", "json"].iter().chain(arguments);
    run(&mut decklog(all)).ended(0).json()
}

#[test]
fn on_the_night_the_clocks_go_forward_new_yorks_0230_runs_at_0330_and_says_why() {
    let new_york = ["30 2 * * *", "--zone", "America/New_York", "--from", "2026-03-07", "-n", "3"];
    let found = explain(&new_york);
    let at: Vec<_> = found.as_array().unwrap().iter().map(|o| o["at"].clone()).collect();
    assert_eq!(
        at,
        [
            json!("2026-03-07T07:30:00Z"),
            json!("2026-03-08T07:30:00Z"),
            json!("2026-03-09T06:30:00Z")
        ]
    );
    assert_eq!(found[1]["local"], "2026-03-08T03:30:00-04:00[America/New_York]");
    assert_eq!(
        (&found[0]["reason"], &found[1]["reason"]),
        (&json!("exact"), &json!("gap-shifted"))
    );
    assert_eq!(found[2]["reason"], "exact");

    let said = run(decklog(["schedule", "explain"]).args(new_york)).ended(0).out;
    let line = said.lines().find(|line| line.contains("2026-03-08")).unwrap();
    assert!(
        line.starts_with("Sun 2026-03-08 03:30:00 EDT  2026-03-08T07:30:00Z  gap-shifted: "),
        "{line}"
    );
}

#[test]
fn the_first_instant_asked_for_is_included() {
    let found = explain(&["30 2 * * *", "--zone", "UTC", "--from", "2026-03-07T02:30", "-n", "1"]);
    assert_eq!(found[0]["at"], "2026-03-07T02:30:00Z");
    let found = explain(&["30 2 * * *", "--from", "2026-03-07T02:30:00.000001Z", "-n", "1"]);
    assert_eq!(found[0]["at"], "2026-03-08T02:30:00Z");
}

#[test]
fn what_cannot_be_read_is_a_wrong_call() {
    for wrong in [
        ["61 * * * *", "--zone", "UTC"],
        ["30 2 * * *", "--zone", "Mars/Olympus"],
        ["30 2 * * *", "--gap", "jump"],
        ["30 2 * * *", "--from", "yesterday"],
    ] {
        run(decklog(["schedule", "explain"]).args(wrong)).ended(2);
    }
}

#[test]
fn next_shows_the_occurrences_of_an_active_job_only() {
    let desk = Desk::new();
    let jobs = desk.file(
        "jobs.yaml",
        "name: often\nschedule: { every: 10s }\ncommand: { argv: [/bin/true] }\n",
    );
    call(&desk.data(), &["apply", jobs.to_str().unwrap()]).ended(0);
    let next =
        call(&desk.data(), &["schedule", "next", "often", "-n", "4", "-o", "json"]).ended(0).json();
    assert_eq!(next.as_array().unwrap().len(), 4);
    call(&desk.data(), &["schedule", "next", "nobody"]).ended(3);
}

#[test]
fn the_calendar_says_what_will_run_when_what_will_not_and_why() {
    let desk = Desk::new();
    let jobs = desk.file(
        "jobs.yaml",
        "name: backup\nschedule: { cron: '30 2 * * *' }\nzone: America/New_York\ndst: { gap: skip }\n\
         command: { argv: [/bin/true] }\n---\n\
         name: hourly\nschedule: { cron: '0 * * * *' }\npool: small\ncommand: { argv: [/bin/true] }\n---\n\
         name: resting\nschedule: { cron: '15 12 * * *' }\ncommand: { argv: [/bin/true] }\n---\n\
         name: asked\ncommand: { argv: [/bin/true] }\n",
    );
    let call = |arguments: &[&str]| call(&desk.data(), arguments);
    call(&["apply", jobs.to_str().unwrap()]).ended(0);
    call(&["job", "pause", "resting", "--reason", "it is ill"]).ended(0);
    // The night the clocks go forward, far ahead of any clock this runs by.
    let days = ["calendar", "--from", "2099-03-07T00:00Z", "--to", "2d"];
    let with = |more: &[&str]| call(&[&days[..], more].concat());
    let found = with(&["-o", "json"]).ended(0).json();
    assert_eq!((&found["runs"], &found["skipped"]), (&json!(49), &json!(3)), "{found:#}");
    let planned = found["planned"].as_array().unwrap();
    let of = |job: &str| planned.iter().filter(|p| p["job"] == job).cloned().collect::<Vec<_>>();
    assert_eq!(of("backup")[0]["at"], "2099-03-07T07:30:00Z");
    assert!(of("backup")[1]["skipped"].as_str().unwrap().contains("does not exist"));
    assert!(of("resting")[0]["skipped"].as_str().unwrap().contains("it is ill"));
    assert_eq!((of("hourly").len(), of("asked").len()), (48, 0));

    let small = with(&["--pool", "small", "-o", "jsonl"]).ended(0).out;
    assert_eq!(small.lines().count(), 48);
    let few = with(&["-n", "2"]).ended(0).out;
    assert!(few.contains("49 will run, 3 will not; 50 more are not named (-n)"), "{few}");
    assert_eq!(few.lines().count(), 4, "{few}");
    let load = with(&["--load", "-o", "jsonl"]).ended(0).out;
    let hours: Vec<serde_json::Value> =
        load.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((hours.len(), &hours[7]["runs"]), (48, &json!(2)), "{load}");
    call(&["calendar", "--from", "2099-03-07T00:00Z", "--to", "2099-03-06T00:00Z"]).ended(2);
    call(&["calendar", "--to", "soon"]).ended(2);
}

const NIGHTLY: &str = "kind: calendar\n\
    name: holidays\n\
    days: { dates: { '2099-03-09': Founding Day } }\n\
    ---\n\
    kind: blackout\n\
    name: freeze\n\
    applies-to: { jobs: [nightly] }\n\
    zone: America/New_York\n\
    at-end: skip\n\
    times: [ { once: { from: '2099-03-11T00:00', until: '2099-03-12T00:00' } } ]\n\
    ---\n\
    name: nightly\n\
    schedule: { cron: '30 2 * * *' }\n\
    zone: America/New_York\n\
    calendar: { not-on: [holidays], otherwise: next, cut-over: '04:00' }\n\
    command: { argv: [/bin/true] }\n\
    ---\n\
    name: asked\n\
    command: { argv: [/bin/true] }\n";

#[test]
fn a_job_is_explained_with_its_calendars_blackouts_and_what_was_said() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", NIGHTLY);
    let data = desk.data();
    let range = ["--from", "2099-03-08", "--to", "6d"];
    let from_file = |more: &[&str]| {
        let file = ["schedule", "explain", "-f", jobs.to_str().unwrap()];
        call(&data, &[&file, &range[..], more].concat())
    };
    let of_file = from_file(&["-o", "json"]).ended(0).json();
    assert!(!data.exists(), "explaining made a log");
    assert_eq!((&of_file[0]["job"], &of_file[1]["job"]), (&json!("nightly"), &json!("asked")));
    assert_eq!(of_file[1]["schedule"], serde_json::Value::Null);
    from_file(&["--job", "nobody"]).ended(3);

    call(&data, &["apply", jobs.to_str().unwrap()]).ended(0);
    let explain = |more: &[&str]| {
        call(&data, &[&["schedule", "explain", "--job", "nightly"], &range[..], more].concat())
    };
    let of_job = explain(&["-o", "json"]).ended(0).json();
    assert_eq!(of_job[0], of_file[0], "{of_job:#}");
    let found = of_job[0]["occurrences"].as_array().unwrap();
    let all: Vec<(&str, &str, &str, bool)> = found
        .iter()
        .map(|one| {
            let text = |key: &str| one[key].as_str().unwrap();
            let runs = one["runs"].as_bool().unwrap();
            (text("occurrence"), text("business-day"), text("reason"), runs)
        })
        .collect();
    // Before the cut-over it is of the day before; 9 March moves to the 10th, of which there is one already.
    assert_eq!(
        all,
        [
            ("2099-03-08T07:30:00Z", "2099-03-07", "gap-shifted", true),
            ("2099-03-09T06:30:00Z", "2099-03-08", "exact", true),
            ("2099-03-11T06:30:00Z", "2099-03-10", "exact", false),
            ("2099-03-12T06:30:00Z", "2099-03-11", "exact", true),
            ("2099-03-13T06:30:00Z", "2099-03-12", "exact", true),
        ],
        "{of_job:#}"
    );
    assert!(found[2]["explanation"].as_str().unwrap().contains("moved from 2099-03-09"));
    assert!(found[2]["what"].as_str().unwrap().starts_with("skipped: blackout freeze until"));

    let hold = ["occurrence", "hold", "nightly", "2099-03-12", "--reason", "the bank is closed"];
    call(&data, &hold).ended(0);
    let said = explain(&["-n", "4"]).ended(0).out;
    assert!(said.contains("calendar  not on holidays; otherwise it runs on the working day after; times before 04:00"), "{said}");
    assert!(said.contains("runs (gap-shifted). 02:30 does not exist on 2099-03-08"), "{said}");
    assert!(said.contains("2099-03-11  runs: held: the bank is closed"), "{said}");
    call(&data, &["schedule", "explain", "--job", "nobody"]).ended(3);
    call(&data, &["schedule", "explain"]).ended(2);
    call(&data, &["schedule", "explain", "30 2 * * *", "--job", "nightly"]).ended(2);
}
