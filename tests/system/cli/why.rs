//! `decklog why`: of runs, occurrences and jobs, at the console and without one.

use serde_json::{Value, json};

use super::{Desk, api, wait_for_state};
use crate::programs::{Up, call};

/// One job holds a lock for long; one waits for it, and one for that.
const JOBS: &str = "kind: lock\n\
    name: db\n\
    ---\n\
    name: long\n\
    locks: [db]\n\
    command: { argv: [/bin/sleep, '300'] }\n\
    ---\n\
    name: load\n\
    flow: night\n\
    locks: [db]\n\
    command: { argv: [/bin/true] }\n\
    ---\n\
    name: report\n\
    flow: night\n\
    after: [{ job: load, run: same-occurrence }]\n\
    command: { argv: [/bin/true] }\n\
    ---\n\
    name: nightly\n\
    schedule: { cron: '30 2 * * *' }\n\
    zone: America/New_York\n\
    command: { argv: [/bin/true] }\n";

/// Waits until the only run of a job stands so.
#[track_caller]
fn the_run_of(up: &Up, job: &str, state: &str) -> String {
    let runs = up.call(&["runs", "--job", job, "-o", "json"]).ended(0).json();
    let run = runs[0]["run"].as_str().unwrap().to_owned();
    wait_for_state(&up.data, &run, state);
    run
}

#[track_caller]
fn says(text: &str, wanted: &[&str]) {
    for line in wanted {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

#[test]
fn why_a_run_waits_is_said_on_one_screen_with_the_chain_behind_it_and_where_it_comes_from() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", JOBS);
    let up = desk.up(&[&jobs]);
    up.call(&["run", "long", "--reason", "to ask why"]).ended(0);
    let long = the_run_of(&up, "long", "running");
    up.call(&["run", "--flow", "night", "--reason", "to ask why"]).ended(0);
    let load = the_run_of(&up, "load", "due");
    let report = the_run_of(&up, "report", "waiting");
    let name = |run: &str| run.strip_prefix("run/").unwrap().to_owned();

    let text = up.call(&["why", &report]).ended(0).out;
    says(
        &text,
        &[
            &format!("{}  waiting  (times of UTC)", name(&report)),
            &format!("It waits: it waits until {} has succeeded.", name(&load)),
            "ends with its end as succeeded, or decklog override",
            &format!("lock db is not free: 1 has it: {}; it comes next", name(&long)),
            &format!("{} runs on ", name(&long)),
            " admin: asked for: to ask why",
            "from    host/",
            ", job/load, job/report, lock/db, run/load@",
            "; the log at position ",
        ],
    );
    assert!(text.lines().count() <= 24, "{text}");

    let found = up.call(&["why", &name(&load), "-o", "json"]).ended(0).json();
    assert_eq!(found["state"], "due");
    let reason = &found["reasons"][0];
    assert_eq!((&reason["kind"], &reason["runs"]), (&json!("lock"), &json!([long])), "{found:#}");
    let (status, _, over_http) =
        api(&up, &format!("/api/v1/why?run={}", name(&load).replace('+', "%2B")), None);
    assert_eq!((status, &over_http["reasons"][0]["kind"]), (200, &json!("lock")));

    up.call(&["cancel", &long, "--reason", "enough"]).ended(0);
    wait_for_state(&up.data, &report, "succeeded");
    let text = up.call(&["why", &long]).ended(0).out;
    says(&text, &["It was cancelled by admin: enough", "is to stop: enough"]);
    up.stop();
    let text = call(&desk.data(), &["why", &report]).ended(0).out;
    says(&text, &["It succeeded", "note    nothing runs on this data directory (decklog up)"]);
}

#[test]
fn why_knows_occurrences_by_any_of_their_names_and_says_what_is_none() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", JOBS);
    let up = desk.up(&[&jobs]);
    let why = |words: &[&str], code: i32| {
        let said = up.call(&[&["why"], words].concat()).ended(code);
        format!("{}{}", said.out, said.err)
    };
    for words in [
        &["nightly", "2099-03-07T07:30:00Z"][..],
        &["nightly", "2099-03-07"],
        &["nightly@2099-03-07T02:30-05:00"],
        &["job/nightly", "2099-03-07 02:30"],
    ] {
        let wanted = "It is to run at 2099-03-07 02:30 (2099-03-07T07:30:00Z), in ";
        says(&why(words, 0), &["nightly at 2099-03-07 02:30  to-come", wanted]);
    }
    let none = why(&["nightly", "2099-03-07T02:31"], 0);
    says(&none, &["There is no occurrence at 2099-03-07 02:31", "the nearest that run are"]);
    says(&why(&["nightly"], 0), &["Nothing of it is open; its next occurrence is ", "Z), in "]);
    says(&why(&["report"], 0), &["Nothing of it is open; it runs only on request."]);
    says(&why(&["nobody"], 3), &["there is no job nobody"]);
    says(&why(&["nightly", "soon"], 2), &["\"soon\" is no instant"]);
    says(&why(&["run/report@request-of-nobody"], 3), &["there is no run/report@request-of-nobody"]);
    why(&[], 2);
    for (path, status) in [
        ("run=report", 400),
        ("job=nightly&at=soon", 400),
        ("at=2099-03-07T07:30:00Z", 400),
        ("run=report@request-9", 404),
        ("job=nobody", 404),
        ("job=nightly", 200),
    ] {
        let (found, _, body): (u16, String, Value) = api(&up, &format!("/api/v1/why?{path}"), None);
        assert_eq!(found, status, "{path}: {body:#}");
    }
    up.stop();
}
