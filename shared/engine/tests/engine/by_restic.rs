//! The same specification for restic as for the engine built in, and what is restic's alone.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use engine::{
    Copy, Done, EngineName, Forget, List, ManifestOf, Operation, Outcome, Paths, ProblemKind,
    Prune, Report, Source,
};

use crate::support::{
    Engine, PASSWORD, Place, assert_same, backup, by_restic, lines, noise, run, until,
    writing_restic,
};

/// What another module specifies, done by restic.
macro_rules! the_same {
    ($($module:ident: $($name:ident)+;)+) => {
        $($(
            #[test]
            fn $name() {
                by_restic(crate::$module::$name);
            }
        )+)+
    };
}

the_same! {
    backing_up:
        a_backup_is_listed_with_its_dataset_run_and_manifest
        everything_that_was_written_is_read_back_at_once
        an_unchanged_source_is_not_read_again_and_its_hashes_come_from_the_manifest_before
        a_changed_file_is_read_again
        an_unreadable_file_and_directory_make_the_backup_incomplete_with_both_named
        a_path_that_is_not_there_leaves_no_snapshot
        what_is_excluded_by_glob_or_marker_is_not_backed_up
        a_wrong_password_a_missing_repository_and_a_second_init_have_kinds_of_their_own
        the_process_speaks_json_lines_and_keeps_its_report_in_the_file;
    commands:
        a_commands_output_becomes_one_file_of_a_snapshot
        a_dump_that_fails_leaves_no_snapshot
        what_a_failed_dump_said_is_in_the_problem
        commands_do_not_see_the_passwords
        when_the_command_before_fails_nothing_is_backed_up_and_the_one_after_runs
        an_after_that_fails_makes_a_good_backup_incomplete
        the_command_after_runs_once_also_when_the_engine_is_killed
        a_cancelled_backup_writes_no_snapshot_ends_its_command_and_runs_the_one_after
        a_cancelled_backup_of_files_writes_no_snapshot;
    crashes:
        what_a_killed_backup_wrote_is_used_by_the_next_one
        a_backup_killed_at_any_moment_harms_neither_what_was_there_nor_what_comes
        a_repair_takes_lost_index_files_back
        two_backups_at_the_same_time_are_both_good;
    looking:
        a_directory_of_a_snapshot_is_listed_by_name
        files_are_found_by_name_or_path_in_every_snapshot
        two_snapshots_differ_in_what_was_added_removed_changed_or_touched
        a_manifest_is_read_back_and_one_with_another_hash_is_refused
        a_copy_is_checked_there_restores_with_its_manifest_and_is_not_made_twice
        a_damaged_snapshot_is_not_copied_as_a_good_one;
    restoring:
        what_comes_back_is_what_was_backed_up_with_links_times_and_permissions
        names_that_are_no_text_survive
        hard_links_stay_one_file_and_holes_stay_holes
        sockets_are_counted_and_left_out_and_fifos_come_back
        a_target_that_is_not_empty_is_refused_and_stays_as_it_was
        replacing_touches_only_what_is_in_the_snapshot
        a_sample_brings_only_what_was_named_and_misses_what_is_not_there
        a_dry_run_counts_and_writes_nothing
        a_single_file_is_restored_by_its_path
        a_target_that_is_a_file_system_of_its_own_is_filled_from_inside;
    verifying:
        the_parts_of_a_check_are_together_all_packs
        forgetting_nothing_or_something_that_is_not_there_removes_nothing
        a_manifest_goes_with_its_snapshot_and_cannot_be_named_alone
        an_instant_prune_frees_the_bytes_and_keeps_what_is_left_whole
        a_damaged_repository_is_not_pruned;
}

fn restic_place() -> Place {
    Place::with_files().made().of(EngineName::Restic)
}

/// A restic that somebody else runs on the repository.
fn foreign(place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new(writing_restic());
    command.args(["--no-cache", "--repo", place.path("repo").to_str().unwrap()]);
    command.args(arguments).env("RESTIC_PASSWORD", PASSWORD).env("HOME", place.dir.path());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn holding(place: &Place, arguments: &[&str]) -> Child {
    let child = foreign(place, arguments).spawn().unwrap();
    let locks = place.path("repo/locks");
    until("the lock is held", || std::fs::read_dir(&locks).unwrap().next().is_some());
    child
}

fn back_up_by(place: &Place, engine: EngineName) -> engine::BackupReport {
    let mut request = place.request(Operation::Backup(Box::new(place.backup_request())));
    request.repository.engine = engine;
    request.repository.restic = Some(writing_restic().into());
    let report = run(&request);
    assert_eq!(report.outcome, Outcome::Good, "{report:?}");
    backup(report)
}

fn entries(place: &Place, engine: EngineName, snapshot: &str) -> Vec<engine::Entry> {
    let asked = ManifestOf { snapshot: snapshot.to_owned(), sha256: None };
    let mut request = place.request(Operation::Manifest(asked));
    request.repository.engine = engine;
    request.repository.restic = Some(writing_restic().into());
    let (report, lines) = lines(&request);
    assert_eq!(report.outcome, Outcome::Good, "{report:?}");
    let entry = |line| match line {
        engine::Line::Entry(entry) => Some(engine::Entry { snapshot: String::new(), ..entry }),
        engine::Line::Progress(_)
        | engine::Line::Warning(_)
        | engine::Line::Snapshot(_)
        | engine::Line::Report(_) => None,
    };
    lines.into_iter().filter_map(entry).collect()
}

#[test]
fn both_engines_go_on_where_the_other_left_off_and_say_the_same_of_it() {
    let place = Place::with_files().made();
    place.write("odd\u{fc}/$HOME [x]*?", b"x");
    let first = back_up_by(&place, EngineName::Restic);
    let second = back_up_by(&place, EngineName::Rustic);
    let third = back_up_by(&place, EngineName::Restic);
    for (made, before) in [(&second, &first), (&third, &second)] {
        assert_eq!(made.parent.as_ref(), Some(&before.snapshot));
        assert_eq!((made.files_new, made.files_changed, made.files_unmodified), (0, 0, 4));
    }
    for snapshot in [&first.snapshot, &second.snapshot, &third.snapshot] {
        let all = [EngineName::Rustic, EngineName::Restic].map(|by| entries(&place, by, snapshot));
        assert_eq!(all[0], all[1]);
        assert_eq!(all[0], entries(&place, EngineName::Rustic, &first.snapshot));
        place.restore(snapshot);
        assert_same(&place.source(), &place.path("target"));
        std::fs::remove_dir_all(place.path("target")).unwrap();
    }
    assert_eq!(place.check().outcome, Outcome::Good);
    assert!(foreign(&place, &["check", "--read-data"]).status().unwrap().success());
}

#[test]
fn the_engine_built_in_is_a_second_opinion_on_what_restic_wrote() {
    let place = restic_place();
    let mut request = place.request(Operation::Backup(Box::new(place.backup_request())));
    request.repository.second = true;
    let made = backup(run(&request));
    let second = made.second.unwrap();
    assert!(second.good && second.engine.starts_with("rustic"), "{second:?}");
    assert!(second.packs_read > 0 && made.check.unwrap().engine.starts_with("restic"));
}

#[test]
fn exclusions_mean_the_same_to_both_engines() {
    let place = Place::new().made();
    for name in [
        "a.tmp",
        "a.txt",
        "b/a.tmp",
        "b/c/keep.tmp",
        "b/c/d.log",
        "log/d.log",
        "deep/b/c/d.log",
        "x{1}",
        "x1",
        "x2",
        "$HOME",
        "name with blank ",
        "two\nlines",
        "star*",
        "star2",
        "source/inner",
        "empty/only.tmp",
        "[ab]",
        "a",
        "b2/.hide/x",
        "only-dir/x",
        "wide\u{3000}",
    ] {
        place.write(name, name.as_bytes());
    }
    let cases: [&[&str]; 12] = [
        &["*.tmp"],
        &["*.tmp", "!keep.tmp"],
        &["b/c"],
        &["/**/b/c/*.log"],
        &["x{1,2}"],
        &["source"],
        &["[ab]"],
        &["only-dir/", "a.txt/"],
        &["?.txt", "star\\*"],
        &["name with blank ", "two*", "$HOME", "wide*"],
        &["*"],
        &["**/.hide/**"],
    ];
    for exclude in cases {
        let mut asked = place.backup_request();
        asked.source = Source::Paths(Paths {
            paths: vec![place.source().into()],
            exclude: exclude.iter().map(|glob| (*glob).to_owned()).collect(),
            exclude_if_present: vec![".marker".to_owned()],
            one_file_system: true,
        });
        let saved = [EngineName::Rustic, EngineName::Restic].map(|engine| {
            let mut request = place.request(Operation::Backup(Box::new(asked.clone())));
            request.repository.engine = engine;
            request.repository.restic = Some(writing_restic().into());
            let report = run(&request);
            assert_eq!(report.outcome, Outcome::Good, "{exclude:?}: {report:?}");
            entries(&place, engine, &backup(report).snapshot)
        });
        assert_eq!(saved[0], saved[1], "{exclude:?}");
    }
}

#[test]
fn a_file_that_is_written_to_all_the_time_is_named_and_the_manifest_is_what_was_saved() {
    let place = restic_place();
    let log = place.write("running.log", b"begin\n");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let mut log = std::fs::File::options().append(true).open(log).unwrap();
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            log.write_all(b"one more line\n").unwrap();
            std::thread::yield_now();
        }
    });
    let report = place.run(Operation::Backup(Box::new(place.backup_request())));
    drop(stop);
    writer.join().unwrap();
    assert_eq!(report.outcome, Outcome::Good, "{report:?}");
    let made = backup(report);
    let named: Vec<String> = made.changed.first.iter().map(ToString::to_string).collect();
    assert_eq!(named, [place.source().join("running.log").to_str().unwrap()]);
    place.restore(&made.snapshot);
}

#[test]
fn a_killed_engine_takes_its_restic_with_it_and_half_a_dump_is_not_saved() {
    let place = Place::new().made().of(EngineName::Restic);
    let script = format!("echo half; touch {}; sleep 600", place.path("on").display());
    let asked = crate::support::backup_of(Source::Command(engine::Command {
        argv: ["sh", "-c", &script].map(str::to_owned).to_vec(),
        file_name: "dump.sql".to_owned(),
        ..engine::Command::default()
    }));
    // Of this test's own, so that it is seen when it runs.
    let program = place.path("restic-of-this-test");
    std::fs::copy(writing_restic(), &program).unwrap();
    let mut request = place.request(Operation::Backup(Box::new(asked)));
    request.repository.restic = Some(program.as_path().into());
    let mut engine = Engine::start(&request);
    until("the dump runs", || place.path("on").exists());
    until("restic runs", || !running(&program).is_empty());
    engine.child.kill().unwrap();
    engine.child.wait().unwrap();
    until("restic has ended", || running(&program).is_empty());
    assert_eq!(place.snapshots(), 0);
    // The lock it left is known to be dead.
    place.write("a.txt", b"alpha");
    place.backup();
}

/// Processes of a program that are no zombies.
fn running(program: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    all.filter(|dir| std::fs::read_link(dir.join("exe")).is_ok_and(|exe| exe == program)).collect()
}

#[test]
fn an_old_restic_reads_and_checks_and_refuses_the_rest_with_its_version() {
    let place = restic_place();
    let old = place.path("old-restic");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = version ]; then echo 'restic 0.14.0 compiled'; else exec {} \"$@\"; fi\n",
        writing_restic().display()
    );
    std::fs::write(&old, script).unwrap();
    std::fs::set_permissions(&old, PermissionsExt::from_mode(0o755)).unwrap();
    let made = place.backup();
    let by_old = |operation: Operation| -> Report {
        let mut request = place.request(operation);
        request.repository.restic = Some(old.as_path().into());
        run(&request)
    };
    let mut elsewhere = place.repository();
    elsewhere.location = place.path("elsewhere").to_str().unwrap().to_owned();
    elsewhere.restic = Some(old.as_path().into());
    let snapshots = vec![made.snapshot.clone()];
    let writing = [
        Operation::Init,
        Operation::Backup(Box::new(place.backup_request())),
        Operation::Forget(Forget { snapshots: snapshots.clone() }),
        Operation::Prune(Prune { dry_run: true, instant: false }),
        Operation::Repair,
        Operation::Copy(Box::new(Copy { to: elsewhere, snapshots })),
    ];
    for operation in writing {
        let report = by_old(operation);
        assert_eq!(report.kind, Some(ProblemKind::Unsupported), "{report:?}");
        let problem = report.problem.unwrap();
        assert!(problem.contains("0.14.0") && problem.contains("install restic 0.17"), "{problem}");
    }
    assert_eq!(place.snapshots(), 2);
    assert_eq!(by_old(Operation::List(List::default())).outcome, Outcome::Good);
    let check = engine::Check::default();
    assert_eq!(by_old(Operation::Check(check)).outcome, Outcome::Good);
    let restored = by_old(Operation::Restore(place.restore_request(&made.snapshot)));
    assert_eq!(restored.outcome, Outcome::Good, "{restored:?}");
}

#[test]
fn a_lock_of_somebody_else_is_waited_for_by_a_backup_and_told_by_a_repair() {
    let place = restic_place();
    place.backup();
    let mut writer = holding(&place, &["backup", "--stdin"]);
    writer.stdin.as_mut().unwrap().write_all(b"slowly").unwrap();
    let report = place.run(Operation::Repair);
    assert_eq!(report.kind, Some(ProblemKind::Locked), "{report:?}");
    assert!(report.problem.unwrap().contains("restic unlock"));
    place.backup();
    drop(writer.stdin.take());
    assert!(writer.wait().unwrap().success());
    // It reads one KiB a second, and lets nobody write meanwhile.
    let mut checker = holding(&place, &["check", "--read-data", "--limit-download", "1"]);
    let engine = Engine::start(&place.request(Operation::Backup(Box::new(place.backup_request()))));
    until("the backup waits", || running(&writing_restic()).len() > 1);
    checker.kill().unwrap();
    checker.wait().unwrap();
    assert!(foreign(&place, &["unlock"]).status().unwrap().success());
    let report = engine.end().report.unwrap();
    assert_eq!(report.outcome, Outcome::Good, "{report:?}");
}

#[test]
fn copies_go_between_repositories_of_different_engines() {
    for (from, to) in
        [(EngineName::Rustic, EngineName::Restic), (EngineName::Restic, EngineName::Rustic)]
    {
        let place = Place::with_files().made().of(from);
        let made = place.backup();
        let mut other = place.repository();
        other.location = place.path("second").to_str().unwrap().to_owned();
        (other.engine, other.restic) = (to, Some(writing_restic().into()));
        let copy = || {
            let snapshots = vec![made.snapshot.clone()];
            let mut request =
                place.request(Operation::Copy(Box::new(Copy { to: other.clone(), snapshots })));
            request.repository.restic = Some(writing_restic().into());
            let report = run(&request);
            assert_eq!(report.outcome, Outcome::Good, "{to:?}: {report:?}");
            let Some(Done::Copy(copied)) = report.result else { panic!() };
            copied
        };
        let first = copy();
        assert!(!first.copied[0].already && first.check.unwrap().good);
        let again = copy();
        assert!(again.copied[0].already && again.copied[0].copy == first.copied[0].copy);
        // Each engine takes the other's copy for a copy, with its manifest.
        for engine in [EngineName::Rustic, EngineName::Restic] {
            let asked = Operation::Restore(place.restore_request(&first.copied[0].copy));
            let mut request = place.request(asked);
            request.repository = other.clone();
            request.repository.engine = engine;
            let report = run(&request);
            assert_eq!(report.outcome, Outcome::Good, "{engine:?}: {report:?}");
            let restored = crate::support::restore(report);
            assert_eq!(restored.manifest.as_ref(), Some(&made.manifest.sha256));
            assert_same(&place.source(), &place.path("target"));
            std::fs::remove_dir_all(place.path("target")).unwrap();
        }
    }
}

#[test]
fn a_location_or_a_variable_does_not_make_restic_run_another_program() {
    for location in
        ["rclone:x:y", "sftp:-oProxyCommand=x:/y", "sftp:me@-oProxyCommand=x:/y", "b2:x"]
    {
        let place = restic_place();
        let mut request = place.request(Operation::Init);
        request.repository.location = location.to_owned();
        let report = run(&request);
        assert_eq!(report.kind, Some(ProblemKind::BadRequest), "{location}: {report:?}");
    }
    let place = restic_place();
    let seen = place.path("seen");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env("RESTIC_PASSWORD_COMMAND", format!("touch {}", seen.display()))
        .env("RESTIC_REPOSITORY", "/nowhere")
        .env("RESTIC_FROM_PASSWORD_COMMAND", format!("touch {}", seen.display()));
    let request = place.request(Operation::Backup(Box::new(place.backup_request())));
    let end = Engine::start_as(&request, command).end();
    assert_eq!(end.code, Some(0), "{:?}", end.report);
    assert!(!seen.exists());
}

#[test]
fn torn_packs_are_set_aside_by_a_repair_and_nothing_is_deleted() {
    let place = restic_place();
    let made = place.backup();
    let torn = place.path("repo/data/11").join("11".repeat(32));
    std::fs::create_dir_all(torn.parent().unwrap()).unwrap();
    std::fs::write(&torn, noise(100_000, 1)).unwrap();
    let report = place.run(Operation::Repair);
    let Some(Done::Repair(repaired)) = report.result else { panic!("{report:?}") };
    assert_eq!((repaired.packs_torn.count, repaired.packs_added), (1, 0), "{repaired:?}");
    assert!(!torn.exists() && torn.with_extension("torn").exists());
    assert_eq!(place.check().outcome, Outcome::Good);
    place.restore(&made.snapshot);
}
