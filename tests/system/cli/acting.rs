//! run, cancel, logs, runs, night.

use testkit::process::Daemon;

use super::{Desk, ON_REQUEST, RUN, wait_for_state};
use crate::programs::decklog;

#[test]
fn run_follow_prints_the_output_and_exits_0_for_success_and_1_for_anything_else() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", ON_REQUEST);
    let up = desk.up(&[&jobs]);
    let good = up.call(&["run", "says-hello", "--reason", "to see it", "--follow"]).ended(0);
    assert_eq!(good.out, "hello\n");
    let bad = up.call(&["run", "fails", "--reason", "to see it", "--follow"]).ended(1);
    assert_eq!(bad.out, "before\n");
    assert!(bad.err.contains("failed"), "{}", bad.err);
    up.call(&["run", "nobody", "--reason", "who?"]).ended(3);
    up.stop();
}

#[test]
fn logs_are_the_same_while_up_runs_and_when_it_does_not() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", ON_REQUEST);
    let up = desk.up(&[&jobs]);
    up.call(&["run", "fails", "--reason", "to see it", "--follow"]).ended(1);
    let runs = up.call(&["runs", "--job", "fails", "-o", "json"]).ended(0).json();
    let run = runs[0]["run"].as_str().unwrap().to_owned();
    assert_eq!(up.call(&["logs", &run]).ended(0).out, "before\n");
    assert_eq!(up.call(&["logs", &run, "--follow"]).ended(0).out, "before\n");
    up.call(&["logs", "run/fails@request-of-nobody"]).ended(3);
    up.stop();
    assert_eq!(crate::programs::call(&desk.data(), &["logs", &run]).ended(0).out, "before\n");
}

/// The attempts the embedded executor keeps.
fn attempts(data: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(data.join("executor/attempts")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.')).collect()
}

#[test]
fn a_run_that_wrote_nothing_has_empty_logs_and_leaves_nothing_on_its_host() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", "name: silent\ncommand: { argv: [/bin/true] }\n");
    let up = desk.up(&[&jobs]);
    for _ in 0..2 {
        let said = up.call(&["run", "silent", "--reason", "to hear nothing", "--follow"]).ended(0);
        assert_eq!(said.out, "");
    }
    let kept = || attempts(&up.data);
    testkit::wait::until("nothing to be kept", RUN, || kept().is_empty()).unwrap();
    let runs = up.call(&["runs", "-o", "json"]).ended(0).json();
    let run = runs[0]["run"].as_str().unwrap().to_owned();
    assert_eq!(up.call(&["logs", &run]).ended(0).out, "");
    assert_eq!(up.call(&["logs", &run, "--follow"]).ended(0).out, "");
    up.stop();
    assert_eq!(crate::programs::call(&desk.data(), &["logs", &run]).ended(0).out, "");
    crate::programs::call(&desk.data(), &["verify"]).ended(0);
}

#[test]
fn cancel_stops_what_runs_and_is_refused_for_what_has_ended() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", ON_REQUEST);
    let up = desk.up(&[&jobs]);
    let asked = up.call(&["run", "long", "--reason", "to stop it", "-o", "json"]).ended(0).json();
    let run = asked["stream"].as_str().unwrap();
    wait_for_state(&up.data, run, "running");
    up.call(&["cancel", run, "--reason", "nobody needs it"]).ended(0);
    let shown = wait_for_state(&up.data, run, "cancelled");
    // The host first says the end as if nobody had asked for it: that one is void, and stays in the log.
    let events = shown["events"].as_array().unwrap().iter().filter(|entry| entry["void"].is_null());
    let kinds: Vec<&str> = events.map(|entry| entry["event"]["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["run.requested", "run.due", "run.started", "run.cancel-requested", "run.cancelled"]
    );
    up.call(&["cancel", run, "--reason", "again"]).ended(5);
    up.call(&["cancel", "run/long@request-of-nobody", "--reason", "who?"]).ended(3);
    up.stop();
}

#[test]
fn run_follow_is_refused_at_once_where_nothing_runs() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", ON_REQUEST);
    crate::programs::call(&desk.data(), &["apply", jobs.to_str().unwrap()]).ended(0);
    let mut command = decklog(["run", "says-hello", "--reason", "to see it", "--follow", "--data"]);
    let mut run = Daemon::spawn(command.arg(desk.data())).unwrap();
    let status = run.wait_for_end(RUN).unwrap();
    assert_eq!(status.code(), Some(6), "{}", run.output());
    assert!(run.output().contains("decklog up"), "{}", run.output());
    let runs = crate::programs::call(&desk.data(), &["runs", "-o", "json"]).ended(0).json();
    assert_eq!(runs, serde_json::json!([]), "it asked for the run nevertheless");
}

#[test]
fn the_night_names_what_somebody_must_look_at_and_check_exits_1_for_it() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", ON_REQUEST);
    let up = desk.up(&[&jobs]);
    up.call(&["run", "says-hello", "--reason", "to see it", "--follow"]).ended(0);
    let clean = up.call(&["night", "--check"]).ended(0);
    assert!(clean.out.contains("nothing to look at"), "{}", clean.out);
    up.call(&["run", "fails", "--reason", "to see it", "--follow"]).ended(1);
    let night = up.call(&["night", "--check", "-o", "json"]).ended(1).json();
    assert_eq!(night["numbers"]["failed"], 1, "{night:#}");
    assert_eq!(night["exceptions"].as_array().unwrap().len(), 1, "{night:#}");
    assert_eq!(night["exceptions"][0]["job"], "fails", "{night:#}");
    up.call(&["night"]).ended(0);
    up.stop();
}
