//! Flows: asked for as a whole, shown, retired; runs that wait for others or for a word.

use serde_json::{Value, json};

use super::{Desk, wait_for_state};
use crate::programs::{Up, call};

const FLOW: &str = "kind: flow\n\
    name: eod\n\
    jobs:\n\
    \x20 extract:\n\
    \x20   parameters: { month: { type: date } }\n\
    \x20   command: { argv: [/bin/echo, '{{month}}'] }\n\
    \x20 load:\n\
    \x20   after: [extract]\n\
    \x20   command: { argv: [/bin/false] }\n\
    \x20 report:\n\
    \x20   after: [load]\n\
    \x20   command: { argv: [/bin/echo, report] }\n\
    \x20 sign:\n\
    \x20   after: [extract]\n\
    \x20   confirm: { role: approver, question: are the numbers right }\n\
    \x20   command: { argv: [/bin/echo, signed] }\n\
    ---\n\
    name: alone\n\
    command: { argv: [/bin/true] }\n";

fn started(desk: &Desk) -> Up {
    let jobs = desk.file("jobs.yaml", FLOW);
    desk.up(&[&jobs])
}

/// Asks for the flow; its runs in the order of its jobs' names.
#[track_caller]
fn asked(up: &Up) -> Vec<String> {
    let words = ["run", "--flow", "eod", "--param", "month=2026-11-01", "--reason", "by hand"];
    let said = up.call(&[&words[..], &["-o", "json"]].concat()).ended(0).json();
    let runs = said.as_array().unwrap().iter();
    let mut runs: Vec<String> =
        runs.map(|one| one["stream"].as_str().unwrap().to_owned()).collect();
    runs.sort();
    runs
}

#[test]
fn a_flow_is_asked_for_as_a_whole_and_its_runs_wait_for_each_other_and_for_a_word() {
    let desk = Desk::new();
    let up = started(&desk);
    for (given, code, wanted) in [
        ("moth=2026-11-01", 2, "no job of flow eod has a parameter \"moth\"; there are month"),
        ("month=soon", 2, "job eod.extract: parameter \"month\": \"soon\" is no date"),
    ] {
        let words = ["run", "--flow", "eod", "--reason", "by hand", "--param", given];
        let refused = up.call(&words).ended(code);
        assert!(refused.err.contains(wanted), "{}", refused.err);
    }
    up.call(&["run", "--flow", "eod", "--reason", "a parameter is missing"]).ended(2);
    up.call(&["run", "--flow", "nobody", "--reason", "who?"]).ended(3);
    up.call(&["run", "alone", "--flow", "eod", "--reason", "which?"]).ended(2);
    assert_eq!(up.call(&["runs", "-o", "json"]).ended(0).json(), json!([]));

    let runs = asked(&up);
    let labels: std::collections::BTreeSet<&str> =
        runs.iter().map(|run| run.split_once('@').unwrap().1).collect();
    assert_eq!((runs.len(), labels.len()), (4, 1), "{runs:?}");
    let [extract, load, report, sign] = runs.as_slice() else { panic!("{runs:?}") };
    wait_for_state(&up.data, extract, "succeeded");
    assert_eq!(up.call(&["logs", extract]).ended(0).out, "2026-11-01\n");
    wait_for_state(&up.data, load, "failed");
    wait_for_state(&up.data, report, "blocked");
    let drawn = up.call(&["flow", "show", "eod"]).ended(0).out;
    assert!(drawn.contains("└─▶ eod.report  blocked"), "{drawn}");
    assert!(drawn.contains("[asks the approver]"), "{drawn}");

    up.call(&["confirm", report, "--reason", "nobody asks"]).ended(5);
    up.call(&["override", report, "--reason", "it must go out"]).ended(0);
    wait_for_state(&up.data, report, "succeeded");
    up.call(&["override", report, "--reason", "again"]).ended(5);

    assert_eq!(wait_for_state(&up.data, sign, "waiting")["run"]["confirmed"], Value::Null);
    let asks = up.call(&["run-show", sign]).ended(0).out;
    assert!(asks.contains("\nasks      the approver: are the numbers right\n"), "{asks}");
    up.call(&["confirm", sign, "--reason", "they are"]).ended(0);
    let signed = wait_for_state(&up.data, sign, "succeeded");
    assert_eq!(signed["run"]["confirmed"], "user/admin");
    up.call(&["confirm", sign, "--reason", "again"]).ended(5);
    up.stop();
    call(&desk.data(), &["verify"]).ended(0);
}

#[test]
fn flows_are_listed_drawn_and_retired_with_all_their_jobs() {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", FLOW);
    let data = desk.data();
    call(&data, &["apply", jobs.to_str().unwrap()]).ended(0);
    let listed = call(&data, &["flow", "list", "-o", "json"]).ended(0).json();
    let order = json!(["eod.extract", "eod.load", "eod.sign", "eod.report"]);
    assert_eq!((&listed[0]["flow"], &listed[0]["jobs"]), (&json!("eod"), &order));
    let drawn = call(&data, &["flow", "show", "eod"]).ended(0).out;
    let wanted =
        "eod.extract\n├─▶ eod.load\n│   └─▶ eod.report\n└─▶ eod.sign        [asks the approver]\n";
    assert!(drawn.ends_with(wanted), "{drawn}");
    let mermaid = call(&data, &["flow", "show", "eod", "--mermaid"]).ended(0).out;
    assert!(mermaid.starts_with("flowchart LR\n"), "{mermaid}");
    assert!(mermaid.contains("    j_eod_dload --> j_eod_dreport\n"), "{mermaid}");
    call(&data, &["flow", "show", "nobody"]).ended(3);

    let retired = call(&data, &["flow", "retire", "eod", "--reason", "replaced"]).ended(0).out;
    assert_eq!(retired.matches("retired").count(), 4, "{retired}");
    call(&data, &["flow", "retire", "eod", "--reason", "again"]).ended(3);
    let listed = call(&data, &["job", "list"]).ended(0).out;
    assert!(listed.lines().any(|line| line.starts_with("alone") && line.contains("active")));
}
