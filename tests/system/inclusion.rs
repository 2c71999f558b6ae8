//! That an event is in the log: the proof, checked by a program that shares no code with the one that made it.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use testkit::wait;

use crate::programs::{Up, call};

/// How long a signed head may take, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(90);

/// What is got from the API, and with which status.
fn get(up: &Up, path: &str) -> (u16, String) {
    let token = fs::read_to_string(up.data.join("console.token")).unwrap();
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent: ureq::Agent = agent.into();
    let request = agent.get(format!("{}{path}", up.server));
    let mut answer = request.header("authorization", &format!("Bearer {}", token.trim())).call();
    let answer = answer.as_mut().unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

/// What the other program finds in a proof; `None` where it does not hold.
fn checked(proof: &str) -> Option<Value> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("proof.json");
    fs::write(&file, proof).unwrap();
    let mut python = Command::new("python3");
    python.args(["-c", include_str!("inclusion.py")]).stdin(File::open(&file).unwrap());
    let said = python.stderr(Stdio::null()).output().unwrap();
    said.status.success().then(|| serde_json::from_slice(&said.stdout).unwrap())
}

#[test]
fn each_event_is_proven_to_be_in_the_newest_signed_head_and_another_program_agrees() {
    let dir = tempfile::tempdir().unwrap();
    let up = Up::start(&dir.path().join("data"), &[]);
    let proof = |position: u64| get(&up, &format!("/api/v1/events/{position}/proof"));
    wait::until("a head that reaches the sixth event", SOON, || proof(6).0 == 200).unwrap();
    let events = up.call(&["events", "-n", "6", "-o", "json"]).ended(0).json();
    for position in 1..=6 {
        let text = proof(position).1;
        let found = checked(&text).unwrap_or_else(|| panic!("{text}"));
        let event = &events[usize::try_from(position).unwrap() - 1]["event"];
        assert_eq!((&found["id"], &found["type"]), (&event["id"], &event["type"]));
    }
    let mut other: Value = serde_json::from_str(&proof(6).1).unwrap();
    other["proof"]["position"] = 5.into();
    assert_eq!(checked(&other.to_string()), None, "it is of this position and no other");

    assert_eq!(get(&up, "/api/v1/events/0/proof").0, 404);
    assert_eq!(get(&up, "/api/v1/events/1000000/proof").0, 404);
    assert_eq!(get(&up, "/api/v1/events/one/proof").0, 400);
    let said = up.call(&["events", "--proof", "3"]).ended(0).out;
    assert!(said.contains("proven    the event is in the signed head"), "{said}");
    up.call(&["events", "--proof", "1000000"]).ended(3);
    up.call(&["events", "--proof", "3", "--after", "2"]).ended(2);
    up.stop();

    // With no service at all the files are enough.
    let data = dir.path().join("data");
    let said = call(&data, &["events", "--proof", "3", "-o", "json"]).ended(0).json();
    let again = checked(&said.to_string()).unwrap();
    assert_eq!((&again["size"], &again["id"]), (&said["size"], &events[2]["event"]["id"]));
    call(&data, &["verify"]).ended(0);
}
