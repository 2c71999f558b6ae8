//! What only a person may say: release, resolve.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testkit::wait;

use super::{Desk, ON_REQUEST, RUN, wait_for_state};
use crate::programs::{call, run};

/// The instant so many seconds from now, to the second.
fn in_seconds(seconds: i64) -> jiff::Timestamp {
    let now = jiff::Timestamp::now().as_second();
    jiff::Timestamp::from_second(now + seconds).unwrap()
}

fn runs_of(data: &Path, job: &str) -> Vec<Value> {
    let rows = call(data, &["runs", "--job", job, "-o", "json"]).ended(0).json();
    rows.as_array().unwrap().clone()
}

#[test]
fn a_run_that_was_missed_and_is_held_starts_when_a_person_releases_it() {
    let desk = Desk::new();
    let due = in_seconds(4);
    let text = format!(
        "name: nightly\nschedule: {{ at: ['{due}'] }}\nlate-after: 1s\ncatch-up: hold\n\
         command: {{ argv: [/bin/echo, caught up] }}\n"
    );
    let jobs = desk.file("jobs.yaml", &text);
    desk.up(&[&jobs]).stop();
    assert!(runs_of(&desk.data(), "nightly").is_empty(), "this machine is too slow for this test");
    let over = || jiff::Timestamp::now() > due + jiff::SignedDuration::from_secs(2);
    wait::until("its time to be over", RUN, over).unwrap();
    let up = desk.up(&[]);
    wait::until("the run to be held", RUN, || !runs_of(&up.data, "nightly").is_empty()).unwrap();
    let run = runs_of(&up.data, "nightly")[0]["run"].as_str().unwrap().to_owned();
    wait_for_state(&up.data, &run, "held");
    up.call(&["release", &run, "--reason", "the day is quiet"]).ended(0);
    wait_for_state(&up.data, &run, "succeeded");
    assert_eq!(up.call(&["logs", &run]).ended(0).out, "caught up\n");
    up.call(&["release", &run, "--reason", "again"]).ended(5);
    up.call(&["release", "run/nightly@request-of-nobody", "--reason", "who?"]).ended(3);
    up.stop();
    call(&desk.data(), &["verify"]).ended(0);
}

/// The supervisor of the one attempt there is.
fn supervisor(data: &Path) -> Option<String> {
    let attempts: Vec<PathBuf> = std::fs::read_dir(data.join("executor/attempts"))
        .ok()?
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'))
        .collect();
    let [attempt] = attempts.as_slice() else { return None };
    let names = std::fs::read_dir(attempt).ok()?.map(|entry| entry.unwrap().file_name());
    let names = names.filter_map(|name| name.into_string().ok());
    let mut claims =
        names.filter_map(|name| Some(name.strip_prefix("claim supervised ")?.to_owned()));
    claims.next()?.split(' ').next().map(str::to_owned)
}

#[test]
fn a_person_says_how_a_run_ended_whose_outcome_nobody_knows() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", ON_REQUEST);
    let up = desk.up(&[&jobs]);
    let asked = up.call(&["run", "long", "--reason", "to lose it", "-o", "json"]).ended(0).json();
    let lost = asked["stream"].as_str().unwrap();
    wait_for_state(&up.data, lost, "running");
    let refused = up.call(&["resolve", lost, "--as", "failed", "--reason", "too early"]).ended(5);
    assert!(refused.err.contains("running"), "{}", refused.err);
    let mut found = None;
    wait::until("the supervisor", RUN, || {
        found = supervisor(&up.data);
        found.is_some()
    })
    .unwrap();
    run(Command::new("kill").arg("-9").arg(found.unwrap())).ended(0);
    wait_for_state(&up.data, lost, "unknown");
    let night = up.call(&["night", "-o", "json"]).ended(0).json();
    assert_eq!(night["numbers"]["unknown"], 1, "{night:#}");
    let said = ["resolve", lost, "--as", "succeeded", "--reason", "the file is there"];
    up.call(&said).ended(0);
    wait_for_state(&up.data, lost, "succeeded");
    up.call(&said).ended(5);
    up.stop();
    call(&desk.data(), &["verify"]).ended(0);
}
