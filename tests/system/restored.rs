//! A database that is brought back from an older copy: nothing is recorded until somebody says so, nothing runs twice, and what
//! is not known is said.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use testkit::process::Daemon;
use testkit::wait;

use crate::programs::{READY, Up, call, decklog, run, sql, verifier};

/// How long some runs may take, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(120);

/// A job that writes down each process that was started for it.
fn site(dir: &Path) -> String {
    let ran = dir.join("ran");
    format!(
        "name: count\nschedule: {{ every: 2s }}\ncommand: {{ script: 'echo \"$DECKLOG_RUN\" >> {}' }}\n",
        ran.display()
    )
}

/// How often each run was started.
fn ran(dir: &Path) -> BTreeMap<String, usize> {
    let mut ran = BTreeMap::new();
    for line in fs::read_to_string(dir.join("ran")).unwrap_or_default().lines() {
        *ran.entry(line.to_owned()).or_default() += 1;
    }
    ran
}

fn events(data: &Path, kind: &str) -> Vec<Value> {
    let out = call(data, &["events", "-o", "jsonl"]).ended(0).out;
    let entries = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let events = entries.map(|mut entry| entry["event"].take());
    events.filter(|event| event["type"] == kind).collect()
}

/// Lets it run until so many more processes were started.
fn runs(dir: &Path, data: &Path, jobs: &[&Path], more: usize) {
    let before = ran(dir).len();
    let up = Up::start(data, jobs);
    wait::until("some runs", SOON, || ran(dir).len() >= before + more).unwrap();
    up.stop();
}

#[test]
fn a_database_that_is_brought_back_runs_nothing_twice_and_its_log_goes_on_under_another_name() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, data, file) = (dir.path(), dir.path().join("data"), dir.path().join("site.yaml"));
    fs::write(&file, site(dir)).unwrap();
    runs(dir, &data, &[&file], 2);
    let copy = dir.join("copy.sqlite");
    sql(&data, &format!("VACUUM INTO '{}'", copy.display()));
    runs(dir, &data, &[], 3);
    let held = sql(&data, "SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1");
    let policy = call(&data, &["evidence", "policy"]).ended(0).out;
    fs::write(dir.join("held"), format!("{held}\n")).unwrap();
    fs::write(dir.join("policy"), policy).unwrap();
    let lost = ran(dir);

    // The machine gets its disk of some seconds ago.
    for beside in ["log.sqlite-wal", "log.sqlite-shm"] {
        // There is none where whoever was there last has tidied up.
        let _ = fs::remove_file(data.join(beside));
    }
    fs::copy(&copy, data.join("log.sqlite")).unwrap();
    let mut refused = decklog(["up", "--listen", "127.0.0.1:0", "--data"]);
    let mut daemon = Daemon::spawn(refused.arg(&data)).unwrap();
    assert!(!daemon.wait_for_end(READY).unwrap().success());
    let said = daemon.output();
    assert!(said.contains("brought back from an older copy"), "{said}");
    assert!(said.contains("decklog continue"), "{said}");
    assert_eq!(ran(dir), lost, "nothing ran");

    let name = "example.com/decklog/second";
    let reason = ["--as", name, "--reason", "the disk failed"];
    let said = call(&data, &[&["continue"], &reason[..]].concat()).ended(0).out;
    assert!(said.contains(&format!("goes on as {name}")), "{said}");
    assert!(said.contains("events are known to be") && !said.contains(" 0 events"), "{said}");
    let again = call(&data, &[&["continue"], &reason[..]].concat());
    assert!(again.code != 0 && again.err.contains("that is its name already"), "{}", again.err);
    runs(dir, &data, &[], 3);

    let now = ran(dir);
    assert!(lost.iter().all(|(run, times)| now.get(run) == Some(times)), "{lost:?} {now:?}");
    assert!(now.values().all(|times| *times == 1), "{now:?}");
    let missed = events(&data, "run.missed");
    let known: Vec<&str> = missed
        .iter()
        .filter(|event| event["data"]["reason"]["rule"] == "log-lost")
        .map(|event| event["subject"].as_str().unwrap().trim_start_matches("run/"))
        .collect();
    assert!(lost.keys().any(|run| known.iter().any(|known| run.ends_with(known))), "{known:?}");
    call(&data, &["verify"]).ended(0);
    let shown = call(&data, &["incident", "show", "log/main"]);
    assert!(shown.code != 0 || shown.out.contains("goes on as"), "{}", shown.out);

    // Who had a head of what is lost is told so, and who knows the old name, that there is another.
    let tar = dir.join("all.tar");
    let export = ["evidence", "export", "--from", "2020-01-01", "--until", "2100-01-01", "--to"];
    call(&data, &[&export[..], &[tar.to_str().unwrap()]].concat()).ended(0);
    let mut verify = verifier([&tar]);
    verify.arg("--policy").arg(dir.join("policy")).arg("--head").arg(dir.join("held"));
    let said = run(&mut verify).ended(2).out;
    for name in ["LOG_CONTINUED", "HELD_LOST"] {
        assert!(said.contains(name), "{said}");
    }
    assert!(!said.contains("TAMPERED"), "{said}");
}
