//! The API, asked everything its description allows and some more, by a program nobody here wrote (schemathesis).

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::programs::{Up, run_for};

/// How long all questions may take, on a machine that has other things to do.
const LONG: Duration = Duration::from_secs(600);

/// Where `ops/dev/setup` puts it.
fn schemathesis() -> PathBuf {
    testkit::installed::place("fuzz/bin/schemathesis")
}

#[test]
fn whatever_it_is_asked_the_api_answers_as_it_is_described_and_no_question_breaks_it() {
    let dir = tempfile::tempdir().unwrap();
    let jobs = dir.path().join("jobs.yaml");
    let text = "name: hello\ncommand: { argv: [/bin/echo, hello] }\n---\nkind: dataset\nname: ledger\nrpo: 26h\n";
    fs::write(&jobs, text).unwrap();
    let up = Up::start(&dir.path().join("data"), &[&jobs]);
    up.call(&["run", "hello", "--reason", "to have one"]).ended(0);
    let token = fs::read_to_string(up.data.join("console.token")).unwrap();
    let mut fuzz = Command::new(schemathesis());
    fuzz.current_dir(dir.path())
        .args(["run", &format!("{}/openapi.json", up.server), "--workers", "1"])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        // A stream does not end by itself: people/streams.rs asks it.
        .args(["--exclude-path", "/api/v1/events/stream"])
        .args(["--phases", "coverage,fuzzing", "--max-examples", "10", "--continue-on-failure"])
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"]);
    let said = run_for(&mut fuzz, LONG);
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    assert!(!up.daemon.output().contains("panicked"), "{}", up.daemon.output());
    up.stop();
    crate::programs::call(&dir.path().join("data"), &["verify"]).ended(0);
}
