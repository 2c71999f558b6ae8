//! What people say of runs: hold, release, skip, delay, confirm, override, rerun; of one, or of a selection.

use std::path::Path;

use serde_json::{Value, json};

use super::{Desk, wait_for_state};
use crate::programs::{Up, call};

/// One job holds a lock for long; two others wait for it. One takes parameters.
const JOBS: &str = "kind: lock\n\
    name: db\n\
    ---\n\
    name: long\n\
    locks: [db]\n\
    command: { argv: [/bin/sleep, '300'] }\n\
    ---\n\
    name: first\n\
    locks: [db]\n\
    command: { argv: [/bin/echo, got it] }\n\
    ---\n\
    name: second\n\
    locks: [db]\n\
    command: { argv: [/bin/echo, got it] }\n\
    ---\n\
    name: fails\n\
    command: { argv: [/bin/false] }\n\
    ---\n\
    name: report\n\
    parameters:\n\
    \x20 month: { type: date }\n\
    \x20 mode: { type: choice, choices: [dry, wet], default: dry }\n\
    command: { argv: [/bin/echo, '{{month}} {{mode}}'] }\n";

fn started(desk: &Desk) -> Up {
    let jobs = desk.file("jobs.yaml", JOBS);
    desk.up(&[&jobs])
}

/// Asks for a run and waits until it stands so.
#[track_caller]
fn asked(up: &Up, job: &str, state: &str) -> String {
    let said = up.call(&["run", job, "--reason", "to act on it", "-o", "json"]).ended(0).json();
    let run = said["stream"].as_str().unwrap().to_owned();
    wait_for_state(&up.data, &run, state);
    run
}

fn state_of(data: &Path, run: &str) -> Value {
    call(data, &["run-show", run, "-o", "json"]).ended(0).json()["run"]["state"].clone()
}

#[test]
fn what_has_not_started_is_held_released_delayed_and_skipped_and_what_has_ended_is_not() {
    let desk = Desk::new();
    let up = started(&desk);
    let long = asked(&up, "long", "running");
    let run = asked(&up, "first", "due");
    let act = |verb: &str, more: &[&str], code: i32| {
        let words = [&[verb, &run, "--reason", "the bank is closed"], more].concat();
        let said = up.call(&words).ended(code);
        format!("{}{}", said.out, said.err)
    };
    assert!(act("hold", &[], 0).contains("held until somebody releases it"));
    assert_eq!(state_of(&up.data, &run), json!({"is": "held", "reason": "the bank is closed"}));
    assert!(act("hold", &[], 5).contains("refused: run.held cannot follow while the run is held"));
    act("release", &[], 0);
    assert_eq!(state_of(&up.data, &run)["is"], "due");
    assert!(act("release", &[], 5).contains("refused"));

    assert!(act("delay", &["--to", "1h"], 0).contains("starts not before"));
    let delayed = call(&up.data, &["run-show", &run, "-o", "json"]).ended(0).json();
    assert_eq!(delayed["run"]["delayed"]["reason"], "the bank is closed");
    assert!(act("delay", &["--to", "2020-01-01"], 0).contains("not delayed any more"));
    act("delay", &["--to", "soon"], 2);

    assert!(act("confirm", &[], 5).contains("nobody is asked about it"));
    assert!(act("override", &[], 5).contains("cannot follow while the run is due"));
    assert!(act("skip", &[], 0).contains("skipped"));
    let skipped = wait_for_state(&up.data, &run, "skipped");
    let because = json!({"rule": "person", "because": "the bank is closed"});
    assert_eq!(skipped["run"]["skipped"], because);
    for verb in ["hold", "skip", "override", "cancel"] {
        assert!(act(verb, &[], 5).contains("while the run is skipped"), "{verb}");
    }
    assert!(act("delay", &["--to", "1h"], 5).contains("while the run is skipped"));
    up.call(&["hold", &long, "--reason", "too late"]).ended(5);
    up.call(&["hold", "run/first@request-of-nobody", "--reason", "who?"]).ended(3);
    up.call(&["hold", &long]).ended(2);
    up.call(&["cancel", &long, "--reason", "enough"]).ended(0);
    wait_for_state(&up.data, &long, "cancelled");
    up.stop();
    call(&desk.data(), &["verify"]).ended(0);
}

#[test]
fn parameters_are_checked_before_anything_is_said_and_a_rerun_is_given_what_the_run_was() {
    let desk = Desk::new();
    let up = started(&desk);
    let run = |more: &[&str], code: i32| {
        let words = [&["run", "report", "--reason", "month end", "-o", "json"], more].concat();
        up.call(&words).ended(code)
    };
    for (given, wanted) in [
        (&[][..], "\"month\" has no default and must be given"),
        (&["month=tomorrow"], "\"tomorrow\" is no date"),
        (&["month=2026-11-01", "mode=moist"], "none of dry, wet"),
        (&["month=2026-11-01", "moed=wet"], "no parameter \"moed\"; there are mode, month"),
        (&["month"], "write NAME=VALUE"),
        (&["month=2026-11-01", "month=2026-12-01"], "given twice"),
    ] {
        let given: Vec<&str> = given.iter().flat_map(|value| ["--param", value]).collect();
        let said = run(&given, 2).err;
        assert!(said.contains(wanted), "{given:?}: {said}");
    }
    let runs = up.call(&["runs", "-o", "json"]).ended(0).json();
    assert_eq!(runs, json!([]), "something was said all the same");

    let said = run(&["--param", "month=2026-11-01", "--param", "mode=wet"], 0).json();
    let first = said["stream"].as_str().unwrap();
    wait_for_state(&up.data, first, "succeeded");
    assert_eq!(up.call(&["logs", first]).ended(0).out, "2026-11-01 wet\n");

    let again = ["rerun", first, "--reason", "once more", "-o", "json"];
    let said = up.call(&again).ended(0).json();
    let second = said["stream"].as_str().unwrap();
    let shown = wait_for_state(&up.data, second, "succeeded");
    assert_eq!(shown["run"]["again"]["run"], *first);
    assert_eq!(up.call(&["logs", second]).ended(0).out, "2026-11-01 wet\n");
    let said = up.call(&[&again[..], &["--param", "mode=dry"]].concat()).ended(0).json();
    let third = said["stream"].as_str().unwrap();
    wait_for_state(&up.data, third, "succeeded");
    assert_eq!(up.call(&["logs", third]).ended(0).out, "2026-11-01 dry\n");
    up.call(&[&again[..], &["--param", "mode=moist"]].concat()).ended(2);
    up.call(&["rerun", "run/report@request-of-nobody", "--reason", "who?"]).ended(3);

    let long = asked(&up, "long", "running");
    let refused = up.call(&["rerun", &long, "--reason", "too early"]).ended(5);
    assert!(refused.err.contains("has not ended: it is running"), "{}", refused.err);
    up.call(&["cancel", &long, "--reason", "enough"]).ended(0);
    wait_for_state(&up.data, &long, "cancelled");
    up.stop();
    call(&desk.data(), &["verify"]).ended(0);
}

#[test]
fn an_act_on_a_selection_shows_what_it_is_about_asks_and_counts_what_was_refused() {
    let desk = Desk::new();
    let up = started(&desk);
    let long = asked(&up, "long", "running");
    let first = asked(&up, "first", "due");
    let second = asked(&up, "second", "due");
    let act = |words: &[&str], code: i32| {
        up.call(&[words, &["--reason", "the bank is closed"]].concat()).ended(code)
    };
    // Nobody can be asked here.
    let unasked = act(&["hold", "--pool", "default"], 2);
    assert!(unasked.err.contains("first@request-"), "{}", unasked.err);
    assert!(unasked.err.contains("hold these 2 runs: give --yes"), "{}", unasked.err);
    assert_eq!(state_of(&up.data, &first)["is"], "due");

    let held = act(&["hold", "--pool", "default", "--yes", "-o", "json"], 0).json();
    let lines: Vec<&Value> = held.as_array().unwrap().iter().map(|one| &one["what"]).collect();
    assert_eq!(lines, [&json!(first), &json!(second)], "{held:#}");
    assert_eq!(state_of(&up.data, &second)["is"], "held");

    let some = act(&["hold", "--state", "held,running", "--job", "long", "--yes"], 5);
    assert!(some.out.contains("cannot follow while the run is running"), "{}", some.out);
    assert!(some.err.ends_with("1 of 1 were refused\n"), "{}", some.err);
    act(&["release", "--job", "second", "--yes"], 0);
    let mixed = act(&["release", "--state", "held,due", "--yes"], 5);
    assert!(mixed.out.contains("released") && mixed.out.contains("refused"), "{}", mixed.out);
    assert!(mixed.err.ends_with("1 of 2 were refused\n"), "{}", mixed.err);

    act(&["delay", "--to", "1h", "--state", "due", "--yes"], 0);
    act(&["skip", "--job", "first", "--yes"], 0);
    act(&["override", "--pool", "default", "--yes"], 3);
    act(&["release", "--pool", "nowhere", "--yes"], 3);
    let unknown = act(&["hold", "--state", "tired", "--yes"], 2);
    assert!(unknown.err.contains("\"tired\" is no state of a run; there are"), "{}", unknown.err);
    act(&["hold"], 2);
    act(&["hold", &first, "--pool", "default"], 2);

    act(&["cancel", "--state", "running,due", "--yes"], 0);
    wait_for_state(&up.data, &long, "cancelled");
    wait_for_state(&up.data, &second, "cancelled");
    let failed = asked(&up, "fails", "failed");
    let again = act(&["rerun", "--job", "fails", "--yes"], 0);
    assert!(again.out.contains(&failed), "{}", again.out);
    assert!(again.out.contains("run/fails@request-"), "{}", again.out);
    up.stop();
    call(&desk.data(), &["verify"]).ended(0);
}
