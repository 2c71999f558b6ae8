//! What commands write and read.

use std::collections::BTreeMap;

use domain::event::TextFound;
use executor::attempt::{AtLimit, Cause, Outcome, Program, State};
use sha2::{Digest, Sha256};

use crate::world::{World, argv, ended, eventually, sh};

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn output_and_errors_are_kept_in_their_order_and_hashed() {
    let world = World::new();
    let (dir, status) = world.run(&sh("echo one; echo two >&2; echo three; printf end"));
    let expected = b"one\ntwo\nthree\nend";
    assert_eq!(dir.output(0).unwrap(), expected);
    assert_eq!(dir.output(8).unwrap(), b"three\nend");
    assert_eq!(dir.output(1000).unwrap(), b"");
    let output = status.output;
    assert_eq!((output.sha256, output.bytes, output.kept), (hash(expected), 17, 17));
    let stored = std::fs::metadata(dir.path().join("output.zst")).unwrap().len();
    assert_eq!((output.stored, output.truncated), (stored, false));
}

#[test]
fn the_last_bytes_before_the_exit_are_not_lost() {
    let world = World::new();
    for _ in 0..20 {
        let (dir, status) = world.run(&sh("head -c 60000 /dev/zero; printf x"));
        assert_eq!(status.output.bytes, 60_001);
        assert_eq!(dir.output(60_000).unwrap(), b"x");
    }
}

#[test]
fn huge_output_is_cut_and_the_rest_is_counted() {
    let world = World::new();
    let mut spec = sh("head -c 50000000 /dev/zero");
    spec.output.bytes = 3_000_001;
    let (dir, status) = world.run(&spec);
    assert_eq!(status.outcome, Outcome::Exited { code: 0 });
    let output = status.output;
    assert_eq!((output.bytes, output.kept, output.truncated), (50_000_000, 3_000_001, true));
    let read = dir.output(0).unwrap();
    assert_eq!((read.len(), hash(&read)), (3_000_001, output.sha256));
}

#[test]
fn too_much_output_stops_the_command_where_that_is_wanted() {
    let world = World::new();
    let mut spec = sh("exec cat /dev/zero");
    spec.output.bytes = 1000;
    spec.output.at_limit = AtLimit::Fail;
    let (_, status) = world.run(&spec);
    assert_eq!(
        (status.outcome, status.cause),
        (Outcome::Signaled { signal: 15 }, Cause::OutputLimit)
    );
    assert_eq!(status.output.kept, 1000);
}

#[test]
fn output_can_be_read_while_it_grows() {
    let world = World::new();
    let go = world.note("go");
    let dir = world.start(&sh(&format!(
        "echo first; while [ ! -e {} ]; do sleep 0.01; done; echo second",
        go.display()
    )));
    let mut tail = dir.tail();
    let mut first = Vec::new();
    eventually("the first line", || {
        first.extend(tail.read().unwrap());
        (first == b"first\n").then_some(())
    });
    assert_eq!(dir.output(2).unwrap(), b"rst\n");
    std::fs::write(&go, "").unwrap();
    ended(&dir);
    assert_eq!(tail.read().unwrap(), b"second\n");
    assert_eq!(tail.read().unwrap(), b"");
}

#[test]
fn a_command_that_closes_its_output_is_still_waited_for() {
    let world = World::new();
    let (dir, status) = world.run(&sh("echo before; exec >&- 2>&-; sleep 0.1; exit 9"));
    assert_eq!(status.outcome, Outcome::Exited { code: 9 });
    assert_eq!(dir.output(0).unwrap(), b"before\n");
}

#[test]
fn a_command_reads_what_it_is_given_or_nothing() {
    let world = World::new();
    let text = "line\n".repeat(100_000);
    let mut spec = argv(&["/bin/cat"]);
    assert_eq!(world.run(&spec).1.output.bytes, 0);
    spec.attempt = 2;
    spec.stdin = Some(text.clone());
    let (dir, status) = world.run(&spec);
    assert_eq!(status.output.sha256, hash(text.as_bytes()));
    assert!(!dir.path().join("stdin").exists());
}

#[test]
fn the_environment_is_clean_and_says_which_attempt_it_is() {
    let world = World::new();
    let mut spec = argv(&["/usr/bin/env"]);
    spec.business_date = Some("2026-11-20".into());
    spec.env = BTreeMap::from([
        ("PGHOST".into(), "db".into()),
        ("LANG".into(), "de_DE.UTF-8".into()),
        ("DECKLOG_RUN".into(), "a lie".into()),
    ]);
    let (dir, _) = world.run(&spec);
    let output = String::from_utf8(dir.output(0).unwrap()).unwrap();
    let vars: BTreeMap<&str, &str> = output.lines().map(|l| l.split_once('=').unwrap()).collect();
    let names: Vec<&str> = vars.keys().copied().collect();
    let expected = [
        "DECKLOG_ATTEMPT",
        "DECKLOG_BUSINESS_DATE",
        "DECKLOG_JOB",
        "DECKLOG_RUN",
        "HOME",
        "LANG",
        "LOGNAME",
        "PATH",
        "PGHOST",
        "SHELL",
        "USER",
    ];
    assert_eq!(names, expected);
    assert_eq!(vars["DECKLOG_BUSINESS_DATE"], "2026-11-20");
    assert_eq!((vars["DECKLOG_RUN"], vars["LANG"]), (spec.run.as_str(), "de_DE.UTF-8"));
}

#[test]
fn a_command_inherits_no_descriptor_and_no_blocked_signal() {
    let world = World::new();
    let text = "ls /proc/self/fd | wc -l; grep -E 'SigBlk|SigIgn' /proc/self/status";
    let (dir, _) = world.run(&sh(text));
    let output = String::from_utf8(dir.output(0).unwrap()).unwrap();
    // Three, and the one with which ls looks.
    assert!(output.starts_with("4\nSigBlk:\t0000000000000000\n"), "{output}");
    // We add nothing to what whoever runs this test ignores, not even the pipe signal. (What we listen for ourselves
    // is not ignored any more, also where it was: under nohup.)
    let bare = std::process::Command::new("/bin/sh").args(["-c", text]).output().unwrap();
    let ignored = |text: &str| {
        let mask = text.lines().last().unwrap().split_whitespace().last().unwrap();
        u64::from_str_radix(mask, 16).unwrap()
    };
    let before = ignored(&String::from_utf8(bare.stdout).unwrap());
    assert_eq!(ignored(&output) & !before, 0, "{output} and {before:x}");
}

#[test]
fn a_script_is_a_file_that_its_interpreter_reads() {
    let world = World::new();
    let mut spec = sh("");
    spec.program = Program::Script {
        interpreter: vec!["sh".into(), "-e".into()],
        text: "echo \"$0\"\nfalse\necho never\n".into(),
    };
    let (dir, status) = world.run(&spec);
    assert_eq!(status.outcome, Outcome::Exited { code: 1 });
    let path = dir.path().join("script");
    assert_eq!(dir.output(0).unwrap(), format!("{}\n", path.display()).into_bytes());
}

#[test]
fn a_text_that_means_failure_is_found_also_in_output_that_is_not_kept() {
    let world = World::new();
    let mut spec = sh("head -c 5000 /dev/zero; echo; echo; printf 'ORA-00600 at the very end'");
    spec.output.bytes = 10;
    spec.output.failure_text = vec!["/^ORA-[0-9]+/".into()];
    spec.output.success_text = vec!["never written".into()];
    let (_, status) = world.run(&spec);
    assert_eq!((status.outcome, status.output.kept), (Outcome::Exited { code: 0 }, 10));
    assert_eq!(status.text, Some(TextFound::Failure("/^ORA-[0-9]+/".into())));
}

#[test]
fn a_text_that_means_success_must_be_written_where_one_is_wanted() {
    let world = World::new();
    for (script, text) in [
        ("echo 12 rows done", None),
        ("echo 12 rows", Some(TextFound::NoSuccess)),
        (":", Some(TextFound::NoSuccess)),
    ] {
        let mut spec = sh(script);
        spec.output.success_text = vec!["done".into(), "/^all/".into()];
        let (dir, status) = world.run(&spec);
        assert_eq!(status.text, text, "{script}");
        assert_eq!(dir.state().unwrap(), State::Ended(status));
    }
}

#[test]
fn a_command_that_writes_faster_than_it_may_waits_and_can_be_stopped_meanwhile() {
    let world = World::new();
    let mut spec = sh("exec cat /dev/zero");
    spec.output.bytes_per_second = Some(1_024);
    spec.timeout_ms = Some(300);
    let (_, status) = world.run(&spec);
    assert_eq!((status.outcome, status.cause), (Outcome::Signaled { signal: 15 }, Cause::Timeout));
    // A pipe full at the end, and so much a second before: not what it writes if it is let.
    assert!(status.output.bytes < 1 << 20, "{}", status.output.bytes);
}

#[test]
fn last_words_are_taken_at_once_however_slowly_the_command_was_listened_to() {
    let world = World::new();
    let mut spec = sh("head -c 60000 /dev/zero; printf x");
    spec.output.bytes_per_second = Some(1_024);
    let (dir, status) = world.run(&spec);
    assert_eq!(status.output.bytes, 60_001);
    assert_eq!(dir.output(60_000).unwrap(), b"x");
}
