//! Hosts: listed, drained, resumed.

use serde_json::{Value, json};
use testkit::wait;

use super::{Desk, ON_REQUEST, RUN, api, wait_for_state};
use crate::programs::{Up, call};

fn listed(up: &Up) -> Value {
    let all = up.call(&["host", "list", "-o", "json"]).ended(0).json();
    let [host] = all.as_array().unwrap().as_slice() else { panic!("{all:#}") };
    host.clone()
}

#[test]
fn a_host_that_is_drained_starts_nothing_new_until_it_is_resumed() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", ON_REQUEST);
    let up = desk.up(&[&jobs]);
    let mut host = Value::Null;
    wait::until("the host to be heard", RUN, || {
        host = up.call(&["host", "list", "-o", "json"]).ended(0).json()[0].clone();
        !host["heard"].is_null()
    })
    .unwrap();
    assert_eq!((&host["state"], &host["pools"]), (&json!("up"), &json!(["default"])), "{host:#}");
    assert_eq!((&host["slots"], &host["running"]), (&json!(16), &json!([])), "{host:#}");
    let name = host["host"].as_str().unwrap();

    let (status, _, shown) = api(&up, &format!("/api/v1/hosts/{name}"), None);
    assert_eq!((status, &shown["item"]["heard"]["slots"]), (200, &json!(16)), "{shown:#}");
    assert_eq!(api(&up, "/api/v1/hosts/nobody", None).0, 404);

    let asked = up.call(&["run", "long", "--reason", "to see it", "-o", "json"]).ended(0).json();
    let long = asked["stream"].as_str().unwrap();
    wait_for_state(&up.data, long, "running");
    assert_eq!(listed(&up)["running"], json!([long]));

    up.call(&["host", "drain", name, "--reason", "a new disk"]).ended(0);
    let again = up.call(&["host", "drain", name, "--reason", "a new disk"]).ended(5);
    assert!(again.err.contains("refused: the host is drained already"), "{}", again.err);
    let shown = up.call(&["host", "show", name]).ended(0).out;
    assert!(shown.contains("state     drained\ndrained   a new disk\n"), "{shown}");
    assert!(shown.contains(&format!("runs      {}\n", long.trim_start_matches("run/"))), "{shown}");
    let pool = up.call(&["pool", "show", "default"]).ended(0).out;
    assert!(pool.contains("16 slots, drained: a new disk"), "{pool}");

    let asked =
        up.call(&["run", "says-hello", "--reason", "to wait", "-o", "json"]).ended(0).json();
    let waits = asked["stream"].as_str().unwrap();
    wait_for_state(&up.data, waits, "due");
    up.call(&["host", "resume", name, "--reason", "it is in"]).ended(0);
    wait_for_state(&up.data, waits, "succeeded");
    let again = up.call(&["host", "resume", name, "--reason", "it is in"]).ended(5);
    assert!(again.err.contains("the host is not drained"), "{}", again.err);
    up.call(&["host", "drain", "nobody", "--reason", "who?"]).ended(3);
    up.call(&["host", "show", "nobody"]).ended(3);
    up.call(&["cancel", long, "--reason", "enough"]).ended(0);
    wait_for_state(&up.data, long, "cancelled");
    up.stop();
    // Without a console nobody knows when it was last heard.
    let host = call(&desk.data(), &["host", "list", "-o", "json"]).ended(0).json()[0].clone();
    assert_eq!((&host["state"], &host["heard"]), (&json!("down"), &Value::Null), "{host:#}");
    call(&desk.data(), &["verify"]).ended(0);
}

#[test]
fn a_run_on_all_hosts_is_over_when_its_parts_are_also_where_they_end_long_after_it_was_divided() {
    let desk = Desk::new();
    let jobs = desk.file(
        "all.yaml",
        "name: everywhere\nhosts: all\ncommand: { script: 'sleep 1' }\n---\nname: often\nhosts: all\nschedule: { every: 1s }\ncommand: { argv: [/bin/true] }\n",
    );
    let up = desk.up(&[&jobs]);
    for _ in 0..2 {
        let asked =
            up.call(&["run", "everywhere", "--reason", "to see it", "-o", "json"]).ended(0).json();
        wait_for_state(&up.data, asked["stream"].as_str().unwrap(), "succeeded");
    }
    let done = || {
        let runs = up.call(&["runs", "--job", "often", "--state", "succeeded", "-o", "json"]);
        runs.ended(0).json().as_array().unwrap().len()
    };
    // Each is a run and its part.
    wait::until("several of them, one after the other", RUN, || done() >= 6).unwrap();
    up.call(&["job", "retire", "often", "--reason", "enough"]).ended(0);
    up.stop();
    call(&desk.data(), &["verify"]).ended(0);
}

#[test]
fn what_is_left_to_a_host_is_shown_and_can_be_taken_back() {
    let desk = Desk::new();
    let up = desk.up(&[]);
    let mut host = Value::Null;
    wait::until("the host to be there", RUN, || {
        host = up.call(&["host", "list", "-o", "json"]).ended(0).json();
        host[0]["state"] == "up"
    })
    .unwrap();
    let name = host[0]["host"].as_str().unwrap();
    let text = format!(
        "name: own\nschedule: {{ every: 1s }}\nhost: {name}\nautonomy: {{ lease: 1h }}\ncommand: {{ argv: [/bin/true] }}\n"
    );
    let jobs = desk.file("own.yaml", &text);
    up.call(&["apply", jobs.to_str().unwrap()]).ended(0);
    let left = format!("left to   host {name} until ");
    wait::until("the host to have leave", RUN, || {
        up.call(&["job", "show", "own"]).ended(0).out.contains(&left)
    })
    .unwrap();
    let done = |job: &str| {
        let runs = up.call(&["runs", "--job", job, "--state", "succeeded", "-o", "json"]);
        runs.ended(0).json().as_array().unwrap().len()
    };
    wait::until("the host to run it", RUN, || done("own") >= 2).unwrap();
    let first = up.call(&["events", "-o", "jsonl"]).ended(0).out;
    assert!(first.contains("job.lease-granted"), "{first}");
    up.call(&["job", "reclaim", "own", "--reason", "it shall be the centre"]).ended(0);
    let events = up.call(&["events", "-o", "jsonl"]).ended(0).out;
    assert!(events.contains("job.lease-returned"), "{events}");
    up.call(&["job", "retire", "own", "--reason", "enough"]).ended(0);
    let none = up.call(&["job", "reclaim", "nothing", "--reason", "why not"]).ended(3);
    assert!(none.err.contains("there is no job nothing"), "{}", none.err);
    up.stop();
    call(&desk.data(), &["verify"]).ended(0);
}
