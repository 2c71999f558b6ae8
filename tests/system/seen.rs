//! What services have verified of the log: it is in their events, and a log that is another one afterwards is told of, and one
//! that can be changed where it stands.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use testkit::wait;
use tlog::{Checkpoint, Hash, SignerKey};

use crate::programs::{Up, call, sql};

/// How long heads and those who look at them may take, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(180);
const SITE: &str = "name: count
schedule: { every: 2s }
command: { script: 'echo counted' }
---
kind: call-tree
name: default
levels:
- { tell: [{ contact: ana }], wait: 1h }
";

fn events(data: &Path) -> Vec<Value> {
    let out = call(data, &["events", "-o", "jsonl"]).ended(0).out;
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Who says of an event what is asked for, by class: `executor` for `executor/db-07`.
fn who(data: &Path, says: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let all = events(data).into_iter().map(|mut entry| entry["event"].take());
    let source = |event: Value| event["source"].as_str().unwrap().to_owned();
    let class = |source: String| source.split_once('/').unwrap().0.to_owned();
    all.filter(says).map(source).map(class).collect()
}

fn services() -> BTreeSet<String> {
    ["console", "executor", "scheduler"].map(str::to_owned).into()
}

/// The directories in which heads are held.
fn held(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "heads") {
            found.push(path);
        } else if path.is_dir() {
            found.extend(held(&path));
        }
    }
    found
}

/// A site of which each service has said which head it has verified.
fn site(dir: &Path) -> Up {
    let (file, data) = (dir.join("site.yaml"), dir.join("data"));
    fs::write(&file, SITE).unwrap();
    let up = Up::start(&data, &[&file]);
    let seen = || who(&data, |event| event["seen"]["size"].is_u64());
    wait::until("those who work to say what they have seen", SOON, || seen().len() == 2).unwrap();
    // Something for the console to say.
    wait::until("the console to have seen as much", SOON, || {
        held(&data).iter().filter(|one| one.join("head").exists()).count() == services().len()
    })
    .unwrap();
    up.call(&["run", "count", "--reason", "to be told of"]).ended(0);
    wait::until("each service to say what it has seen", SOON, || seen() == services()).unwrap();
    up
}

/// The incident of the log, as it is shown, once there is one.
fn incident(up: &Up) -> String {
    let mut shown = String::new();
    wait::until("an incident of the log", SOON, || {
        let said = up.call(&["incident", "show", "log/main"]);
        shown = said.out;
        said.code == 0
    })
    .unwrap();
    shown
}

#[test]
fn what_each_service_has_verified_of_the_log_is_in_its_events_and_held_on_to() {
    let dir = tempfile::tempdir().unwrap();
    let up = site(dir.path());
    let key = up.call(&["evidence", "policy"]).ended(0).out;
    let kept = held(&up.data);
    assert_eq!(kept.len(), services().len(), "{kept:?}");
    for one in kept {
        let by = fs::read_to_string(one.join("key")).unwrap();
        assert!(key.contains(&format!("log {by}")), "{key} has another key than {by}");
        let head = fs::read_to_string(one.join("head")).unwrap();
        let size: u64 = head.lines().nth(1).unwrap().parse().unwrap();
        assert!(size > 0, "{head}");
    }
    let verified = up.call(&["verify"]).ended(0).out;
    assert!(!verified.contains("SEEN_FORK"), "{verified}");
    up.stop();
}

/// A head by the log's own key that no log has: what somebody shows who has stolen it.
fn forge_a_head(data: &Path) {
    let key = fs::read_to_string(data.join("audit/head.key")).unwrap();
    let seed: Vec<u8> = (0..64)
        .step_by(2)
        .map(|at| u8::from_str_radix(&key.trim()[at..at + 2], 16).unwrap())
        .collect();
    let origin = sql(data, "SELECT origin FROM ledger");
    let signer = SignerKey::from_seed(&origin, &seed.try_into().unwrap()).unwrap();
    let size: u64 = sql(data, "SELECT max(size) FROM checkpoint").parse().unwrap();
    let more = size + 1_000_000;
    let note = Checkpoint::new(&origin, more, Hash([7; 32])).unwrap().sign(&signer).unwrap();
    let columns = "INSERT INTO checkpoint (size, note, signed)";
    sql(data, &format!("{columns} SELECT {more}, '{note}', max(signed) + 1 FROM checkpoint"));
}

#[test]
fn a_log_that_shows_a_head_which_it_cannot_prove_is_told_of_by_every_service_and_is_an_incident() {
    let dir = tempfile::tempdir().unwrap();
    let up = site(dir.path());
    let (data, file) = (up.data.clone(), dir.path().join("site.yaml"));
    up.stop();
    let heads = || -> Vec<String> {
        held(&data).iter().map(|one| fs::read_to_string(one.join("head")).unwrap()).collect()
    };
    let before = heads();
    forge_a_head(&data);
    let up = Up::start(&data, &[&file]);
    let contradicts = |event: &Value| event["type"] == "log.contradicted";
    wait::until("each service to tell of it", SOON, || who(&data, contradicts) == services())
        .unwrap();
    let event = events(&data).into_iter().map(|mut entry| entry["event"].take());
    let told: Vec<Value> = event.filter(contradicts).collect();
    for one in &told {
        let reason = one["data"]["reason"].as_str().unwrap();
        assert!(reason.contains("is not shown to continue"), "{reason}");
        assert!(before.iter().any(|head| one["data"]["held"] == head.as_str()), "{one}");
        assert_eq!(one["subject"], format!("log/{}", one["source"].as_str().unwrap()));
    }
    let shown = incident(&up);
    assert!(shown.contains("sees another log than before"), "{shown}");
    assert_eq!(heads(), before, "what was verified is held on to");
    up.stop();
}

#[test]
fn a_guard_that_is_gone_is_found_by_the_recorder_said_in_the_log_and_is_an_incident() {
    let dir = tempfile::tempdir().unwrap();
    let (file, data) = (dir.path().join("site.yaml"), dir.path().join("data"));
    fs::write(&file, SITE).unwrap();
    let up = Up::start(&data, &[&file]);
    let examined = || -> Vec<Value> {
        let event = events(&data).into_iter().map(|mut entry| entry["event"].take());
        event.filter(|event| event["type"] == "log.examined").collect()
    };
    // A head is signed by the same housekeeping that looks at the guards.
    let signed = || sql(&data, "SELECT count(*) FROM checkpoint") != "0";
    wait::until("a first look", SOON, signed).unwrap();
    assert_eq!(examined(), [] as [Value; 0], "a new log is as old as its guards");
    up.stop();
    sql(&data, "DROP TRIGGER event_no_delete");
    let up = Up::start(&data, &[&file]);
    wait::until("the recorder to tell of it", SOON, || !examined().is_empty()).unwrap();
    let says = serde_json::json!(["the trigger event_no_delete is not there"]);
    assert_eq!(examined()[0]["data"]["weaknesses"], says);
    let shown = incident(&up);
    let says = "the log can be changed where it stands: the trigger event_no_delete is not there";
    assert!(shown.contains(says), "{shown}");
    up.stop();
}
