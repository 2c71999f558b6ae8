//! The other verifier: Python, written from the handbook's page about the format.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use evidence::{Head, Verdict};
use serde_json::Value;

use super::site::NOW;

/// What it says: the word, and the names of what it found.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) verdict: Verdict,
    pub(crate) names: BTreeSet<String>,
}

/// Asks it, at the same clock as ours is asked.
pub(crate) fn verify(tar: &[u8], policy: Option<&str>, held: &[Head], as_of: Option<&str>) -> Said {
    said("verify.py", tar, policy, held, as_of)
}

/// Asks the one for parts of a log.
pub(crate) fn verify_part(tar: &[u8], policy: Option<&str>, held: &[Head]) -> Said {
    said("verify_part.py", tar, policy, held, None)
}

/// How that ends of what is no part, and what it says then.
pub(crate) fn verify_part_raw(tar: &[u8]) -> (Option<i32>, String) {
    raw("verify_part.py", tar)
}

/// How it ends of what is no bundle, and what it says then.
pub(crate) fn verify_raw(tar: &[u8]) -> (Option<i32>, String) {
    raw("verify.py", tar)
}

fn raw(name: &str, tar: &[u8]) -> (Option<i32>, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bundle.tar");
    std::fs::write(&path, tar).unwrap();
    let script = script(name);
    let output = Command::new("/usr/bin/python3").arg(script).arg(path).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn script(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ops/evidence").join(name)
}

fn said(name: &str, tar: &[u8], policy: Option<&str>, held: &[Head], as_of: Option<&str>) -> Said {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let script = script(name);
    // Debian's own Python has the package; another that stands before it in the path may not.
    let mut command = Command::new("/usr/bin/python3");
    command.arg(script).arg(place("bundle.tar", tar)).args(["--json", "--now", NOW]);
    if let Some(policy) = policy {
        command.arg("--policy").arg(place("policy", policy.as_bytes()));
    }
    for (head, number) in held.iter().zip(1..) {
        let note = head.note.to_string();
        command.arg("--head").arg(place(&format!("head-{number}"), note.as_bytes()));
    }
    if let Some(as_of) = as_of {
        command.arg("--as-of").arg(as_of);
    }
    let output = command.output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let verdict = match said["verdict"].as_str().unwrap() {
        "VERIFIED" => Verdict::Verified,
        "TAMPERED" => Verdict::Tampered,
        "INCONCLUSIVE" => Verdict::Inconclusive,
        other => panic!("{other}"),
    };
    assert_eq!(output.status.code(), Some(verdict.code()));
    let findings = said["findings"].as_array().unwrap().iter();
    let names = findings.map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect();
    Said { verdict, names }
}
