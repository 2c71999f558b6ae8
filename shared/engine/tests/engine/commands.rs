use std::collections::BTreeMap;

use engine::{Backup, Command, Hook, Operation, Outcome, ProblemKind, Source};

use crate::support::{Engine, Place, backup, backup_of, process, until};

fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

fn dump(script: &str) -> Backup {
    backup_of(Source::Command(Command {
        argv: shell(script),
        file_name: "dump.sql".to_owned(),
        ..Command::default()
    }))
}

fn hook(script: &str) -> Option<Hook> {
    Some(Hook { argv: shell(script), timeout_ms: 20_000, env: BTreeMap::new() })
}

#[test]
pub(crate) fn a_commands_output_becomes_one_file_of_a_snapshot() {
    let place = Place::new().made();
    let asked = dump("printf 'create table t;'");
    let made = backup(place.run(Operation::Backup(Box::new(asked))));
    assert_eq!((made.files, made.bytes), (1, 15));
    let mut restore = place.restore_request(&made.snapshot);
    restore.path = None;
    let report = place.run(Operation::Restore(restore));
    assert_eq!(report.outcome, Outcome::Good, "{report:?}");
    let dumped = std::fs::read_to_string(place.path("target/dump.sql")).unwrap();
    assert_eq!(dumped, "create table t;");
}

// Behaviour 2: the library saves the snapshot of a dump that failed.
#[test]
pub(crate) fn a_dump_that_fails_leaves_no_snapshot() {
    let cases = [
        ("half a dump and a failure", "echo half; echo no such database >&2; exit 3"),
        ("nothing at all", "true"),
        ("a program that is not there", "exec /no/such/program"),
        ("a signal", "echo half; kill -9 $$"),
    ];
    for (case, script) in cases {
        let place = Place::new().made();
        let report = place.run(Operation::Backup(Box::new(dump(script))));
        assert_eq!(report.outcome, Outcome::Failed, "{case}: {report:?}");
        assert_eq!(report.kind, Some(ProblemKind::Source), "{case}: {report:?}");
        assert_eq!(place.snapshots(), 0, "{case}");
    }
}

#[test]
pub(crate) fn what_a_failed_dump_said_is_in_the_problem() {
    let place = Place::new().made();
    let script = "echo half; echo no such database >&2; exit 3";
    let report = place.run(Operation::Backup(Box::new(dump(script))));
    let problem = report.problem.unwrap();
    assert!(problem.contains("no such database") && problem.contains("exit code 3"), "{problem}");
}

#[test]
pub(crate) fn commands_do_not_see_the_passwords() {
    let place = Place::new().made();
    let mut asked = dump("env");
    asked.before = hook("env | grep DECKLOG_REPOSITORY_PASSWORD && exit 1; exit 0");
    let end = process(&place.request(Operation::Backup(Box::new(asked))));
    assert_eq!(end.code, Some(0), "{:?}", end.report);
    let made = backup(end.report.unwrap());
    let mut restore = place.restore_request(&made.snapshot);
    restore.path = None;
    place.run(Operation::Restore(restore));
    let seen = std::fs::read_to_string(place.path("target/dump.sql")).unwrap();
    assert!(seen.contains("PATH=") && !seen.contains("correct horse"), "{seen}");
}

#[test]
pub(crate) fn when_the_command_before_fails_nothing_is_backed_up_and_the_one_after_runs() {
    let place = Place::with_files();
    let mut asked = place.backup_request();
    asked.before = hook("echo cannot stop it; exit 7");
    asked.after = hook(&format!("echo after >> {}", place.path("log").display()));
    let report = place.run(Operation::Backup(Box::new(asked)));
    assert_eq!((report.outcome, report.kind), (Outcome::Failed, Some(ProblemKind::Hook)));
    assert!(report.problem.unwrap().contains("cannot stop it"));
    assert!(!place.path("repo").exists());
    assert_eq!(std::fs::read_to_string(place.path("log")).unwrap(), "after\n");
}

#[test]
pub(crate) fn a_command_before_that_takes_too_long_is_ended_and_counts_as_failed() {
    let place = Place::with_files().made();
    let mut asked = place.backup_request();
    asked.before = Some(Hook { argv: shell("sleep 600"), timeout_ms: 50, env: BTreeMap::new() });
    let report = place.run(Operation::Backup(Box::new(asked)));
    assert_eq!(report.kind, Some(ProblemKind::Hook), "{report:?}");
}

#[test]
pub(crate) fn an_after_that_fails_makes_a_good_backup_incomplete() {
    let place = Place::with_files().made();
    let mut asked = place.backup_request();
    asked.after = hook("echo cannot start it; exit 4");
    let report = place.run(Operation::Backup(Box::new(asked)));
    assert_eq!((report.outcome, report.kind), (Outcome::Incomplete, Some(ProblemKind::Hook)));
    assert_eq!(backup(report).after.unwrap().exit, 4);
}

#[test]
pub(crate) fn the_command_after_runs_once_also_when_the_engine_is_killed() {
    let place = Place::new().made();
    let mut asked = dump(&format!("echo x; touch {}; sleep 600", place.path("on").display()));
    asked.before = hook("true");
    asked.after = hook(&format!("echo after >> {}", place.path("log").display()));
    let mut engine = Engine::start(&place.request(Operation::Backup(Box::new(asked))));
    until("the dump runs", || place.path("on").exists());
    engine.child.kill().unwrap();
    engine.child.wait().unwrap();
    until("the guardian has run it", || {
        std::fs::read_to_string(place.path("log")).is_ok_and(|log| log == "after\n")
    });
    assert_eq!(place.snapshots(), 0);
}

// Behaviour 11: ending the source early makes the library save a partial snapshot.
#[test]
pub(crate) fn a_cancelled_backup_writes_no_snapshot_ends_its_command_and_runs_the_one_after() {
    let place = Place::new().made();
    let pid = place.path("pid");
    let mut asked = dump(&format!("echo $$ > {}; echo x; sleep 600", pid.display()));
    asked.after = hook(&format!("echo after >> {}", place.path("log").display()));
    let engine = Engine::start(&place.request(Operation::Backup(Box::new(asked))));
    until("the dump runs", || std::fs::read_to_string(&pid).is_ok_and(|pid| pid.ends_with('\n')));
    terminate(engine.child.id());
    let end = engine.end();
    assert_eq!(end.code, Some(130), "{:?}", end.report);
    assert_eq!(end.report.unwrap().outcome, Outcome::Cancelled);
    assert_eq!(place.snapshots(), 0);
    assert_eq!(std::fs::read_to_string(place.path("log")).unwrap(), "after\n");
    let pid = std::fs::read_to_string(&pid).unwrap();
    until("the dump has ended", || !std::path::Path::new("/proc").join(pid.trim()).exists());
}

fn terminate(pid: u32) {
    let status = std::process::Command::new("kill").arg(pid.to_string()).status().unwrap();
    assert!(status.success());
}

#[test]
pub(crate) fn a_cancelled_backup_of_files_writes_no_snapshot() {
    let place = Place::with_files().made();
    for n in 0..200 {
        place.write(&format!("many/{n}"), &crate::support::noise(500_000, n + 1));
    }
    let engine = Engine::start(&place.request(Operation::Backup(Box::new(place.backup_request()))));
    until("packs are written", || {
        place.path("repo/data").exists() && !place.files("data").is_empty()
    });
    terminate(engine.child.id());
    let end = engine.end();
    assert_eq!(end.code, Some(130), "{:?}", end.report);
    assert_eq!(place.snapshots(), 0);
}
