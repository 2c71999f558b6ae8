//! Single occurrences, also ahead of their time.

use serde_json::json;
use testkit::wait;

use super::{Desk, RUN, api, wait_for_state};
use crate::programs::{Said, Up, call};

const JOBS: &str = "kind: calendar\n\
    name: holidays\n\
    days: { dates: { '2099-12-25': Christmas Day } }\n\
    ---\n\
    name: nightly\n\
    schedule: { cron: '30 2 * * *' }\n\
    zone: America/New_York\n\
    calendar: { not-on: [holidays] }\n\
    window: { from: '02:00', until: '05:00' }\n\
    command: { argv: [/bin/echo, done] }\n\
    ---\n\
    name: morning\n\
    pool: small\n\
    schedule: { cron: '0 6,18 * * *' }\n\
    command: { argv: [/bin/true] }\n\
    ---\n\
    name: asked\n\
    command: { argv: [/bin/true] }\n";

#[track_caller]
fn say(up: &Up, words: &[&str], code: i32) -> Said {
    let because = ["--reason", "the bank is closed"];
    up.call(&[&["occurrence"], words, &because].concat()).ended(code)
}

#[track_caller]
fn listed(up: &Up, job: &str) -> Vec<serde_json::Value> {
    let all = up.call(&["occurrence", "list", job, "-n", "2", "-o", "json"]).ended(0).json();
    let all = all.as_array().unwrap().clone();
    all.into_iter().filter(|one| !one["order"].is_null()).collect()
}

#[test]
fn an_occurrence_is_held_skipped_moved_and_released_ahead_of_its_time() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", JOBS);
    let up = desk.up(&[&jobs]);
    let night = "2099-03-07T07:30:00Z";
    // The same occurrence, by different names.
    for name in [night, "2099-03-07T02:30", "2099-03-07", "2099-03-07T02:30-05:00"] {
        say(&up, &["hold", "nightly", name], 0);
        let said = listed(&up, "nightly");
        assert_eq!(said.len(), 1, "{name}: {said:#?}");
        assert_eq!(said[0]["occurrence"], night, "{name}");
        let order = json!({"act": "hold", "reason": "the bank is closed", "by": "user/admin"});
        assert_eq!(said[0]["order"], order);
        say(&up, &["release", "nightly", name], 0);
        assert_eq!(listed(&up, "nightly"), [] as [serde_json::Value; 0], "{name}");
    }
    say(&up, &["skip", "nightly", night], 0);
    assert_eq!(
        listed(&up, "nightly")[0]["what"],
        "skipped: somebody said so: the bank is closed (user/admin)"
    );
    // A time without an offset is on the clock of the job.
    say(&up, &["move", "nightly", night, "--to", "2099-03-07T04:00"], 0);
    assert_eq!(listed(&up, "nightly")[0]["at"], "2099-03-07T09:00:00Z");
    let shown = up.call(&["occurrence", "list", "nightly", "-n", "1"]).ended(0).out;
    assert!(
        shown.contains(
            "Sat 2099-03-07 02:30:00 EST  2099-03-07T07:30:00Z  2099-03-07  runs: moved to"
        ),
        "{shown}"
    );

    say(&up, &["release", "nightly", night], 0);
    let nothing = say(&up, &["release", "nightly", night], 5);
    assert!(
        nothing.err.contains("refused: nothing was said about the occurrence"),
        "{}",
        nothing.err
    );
    let missing = say(&up, &["hold", "nightly", "2099-03-07T02:31"], 3);
    for near in ["2099-03-07T02:30:00-05:00", "2099-03-08T03:30:00-04:00"] {
        assert!(missing.err.contains(near), "{near} in {}", missing.err);
    }
    let out = say(&up, &["hold", "nightly", "2099-12-25"], 5);
    assert!(out.err.contains("2099-12-25 is in holidays (Christmas Day)"), "{}", out.err);
    let twice = say(&up, &["hold", "morning", "2099-03-07"], 2);
    assert!(twice.err.contains("2 occurrences are at 2099-03-07"), "{}", twice.err);
    let passed = say(&up, &["move", "nightly", night, "--to", "2020-01-01T00:00"], 2);
    assert!(passed.err.contains("has passed"), "{}", passed.err);
    let same = say(&up, &["move", "nightly", night, "--to", night], 5);
    assert!(same.err.contains("it is moved to where it is"), "{}", same.err);
    say(&up, &["hold", "asked", "next"], 2);
    say(&up, &["hold", "nobody", "next"], 3);
    say(&up, &["hold", "nightly"], 2);
    up.call(&["occurrence", "hold", "nightly", night]).ended(2);
    up.stop();
    call(&desk.data(), &["verify"]).ended(0);
}

#[test]
fn an_occurrence_runs_now_under_its_own_name_whatever_its_window_and_does_not_run_again() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", JOBS);
    let up = desk.up(&[&jobs]);
    say(&up, &["run-now", "nightly", "2099-03-07"], 0);
    let run = "run/nightly@2099-03-07T02:30-05:00";
    let shown = wait_for_state(&up.data, run, "succeeded");
    assert_eq!(shown["run"]["moved"]["ahead"], true, "{shown:#}");
    assert_eq!(up.call(&["logs", run]).ended(0).out, "done\n");
    for verb in ["skip", "hold", "release", "run-now"] {
        let refused = say(&up, &[verb, "nightly", "2099-03-07"], 5);
        assert!(refused.err.contains("see its run"), "{verb}: {}", refused.err);
    }
    up.stop();
    call(&desk.data(), &["verify"]).ended(0);
}

#[test]
fn an_occurrence_that_is_held_waits_as_a_run_and_is_then_spoken_of_as_one() {
    let desk = Desk::new();
    let now = jiff::Timestamp::now().as_second();
    let due = jiff::Timestamp::from_second(now + 15).unwrap();
    let text = format!(
        "name: once\nschedule: {{ at: ['{due}'] }}\ncommand: {{ argv: [/bin/echo, at last] }}\n"
    );
    let jobs = desk.file("jobs.yaml", &text);
    let up = desk.up(&[&jobs]);
    say(&up, &["hold", "once", "next"], 0);
    let mut run = String::new();
    wait::until("the run to be there", RUN, || {
        let runs = up.call(&["runs", "--job", "once", "-o", "json"]).ended(0).json();
        run = runs[0]["run"].as_str().unwrap_or_default().to_owned();
        !run.is_empty()
    })
    .unwrap();
    wait_for_state(&up.data, &run, "held");
    let late = say(&up, &["release", "once", &due.to_string()], 5);
    assert!(late.err.contains("is decided already: see its run"), "{}", late.err);
    up.call(&["release", &run, "--reason", "it is open"]).ended(0);
    wait_for_state(&up.data, &run, "succeeded");
    up.stop();
    call(&desk.data(), &["verify"]).ended(0);
}

#[test]
fn all_occurrences_of_a_pool_in_a_range_are_spoken_of_at_once() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", JOBS);
    let up = desk.up(&[&jobs]);
    let range = ["--from", "2099-03-07", "--to", "24h"];
    let of_pool = |verb: &str, more: &[&str], code: i32| {
        say(&up, &[&[verb, "--pool", "small"], &range[..], more].concat(), code)
    };
    let unasked = of_pool("hold", &[], 2);
    assert!(unasked.err.contains("hold these 2 occurrences: give --yes"), "{}", unasked.err);
    let held = of_pool("hold", &["--yes"], 0);
    assert_eq!(held.out.matches("will wait for a person").count(), 2, "{}", held.out);
    assert_eq!(listed(&up, "morning").len(), 2);
    assert!(listed(&up, "nightly").is_empty());
    // They are held already.
    of_pool("hold", &["--yes"], 3);
    say(&up, &["move", "morning", "2099-03-07T06:00", "--to", "2098-01-01"], 0);
    let skipped = of_pool("skip", &["--yes"], 5);
    assert!(skipped.out.contains("was moved ahead: release it first"), "{}", skipped.out);
    assert!(skipped.err.ends_with("1 of 2 were refused\n"), "{}", skipped.err);
    of_pool("release", &["--yes"], 0);
    assert!(listed(&up, "morning").is_empty());
    of_pool("release", &["--yes"], 3);
    up.stop();
    call(&desk.data(), &["verify"]).ended(0);
}

#[test]
fn the_api_lists_occurrences_and_refuses_with_a_problem_that_names_the_nearest() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", JOBS);
    let up = desk.up(&[&jobs]);
    let path = "/api/v1/jobs/nightly/occurrences";
    let at = |time: &str, verb: &str| format!("{path}/{time}/{verb}");
    let why = json!({"reason": "the bank is closed"});
    let (status, _, applied) = api(&up, &at("2099-03-07T07:30:00Z", "hold"), Some(&why));
    assert_eq!((status, &applied["stream"]), (200, &json!("job/nightly")), "{applied:#}");
    let after = "2099-03-07T00:00:00Z";
    let (status, _, found) = api(&up, &format!("{path}?after={after}&limit=2"), None);
    assert_eq!((status, found["items"].as_array().unwrap().len()), (200, 2), "{found:#}");
    assert_eq!(found["items"][0]["note"], "held: the bank is closed");
    assert_eq!(found["orders"][0]["act"], "hold");
    for (path, body, wanted, word) in [
        (at("2099-03-07T07:31:00Z", "hold"), &why, 404, "the nearest are"),
        (at("2099-12-25T07:30:00Z", "skip"), &why, 409, "Christmas Day"),
        (at("2099-03-08T07:30:00Z", "release"), &why, 409, "nothing was said"),
        (at("2099-03-07", "hold"), &why, 400, "is not an RFC 3339 instant"),
        (at("2099-03-07T07:30:00Z", "move"), &why, 400, "missing field `to`"),
        (at("2099-03-07T07:30:00Z", "hold"), &json!({"reason": " "}), 400, "a reason"),
    ] {
        let (status, kind, problem) = api(&up, &path, Some(body));
        assert_eq!((status, kind.as_str()), (wanted, "application/problem+json"), "{path}");
        assert!(problem["detail"].as_str().unwrap().contains(word), "{path}: {problem:#}");
    }
    up.stop();
}
