use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use engine::{Done, EngineName, List, Operation, Outcome, Paths, ProblemKind, Repository, Source};

use crate::support::{Engine, Place, backup, backup_of, lines, process, run};

#[test]
pub(crate) fn a_backup_is_listed_with_its_dataset_run_and_manifest() {
    let place = Place::with_files().made();
    let made = place.backup();
    let report = place.run(Operation::List(List { dataset: Some("data".to_owned()) }));
    let Some(Done::List(list)) = report.result else { panic!("{report:?}") };
    assert_eq!(list.snapshots.count, 1);
    let snapshot = &list.snapshots.first[0];
    assert_eq!(snapshot.id, made.snapshot);
    assert_eq!(snapshot.run.as_deref(), Some("run-1"));
    assert_eq!(snapshot.manifest.as_deref(), Some(made.manifest.snapshot.as_str()));
    assert_eq!(list.repository, made.repository);
}

#[test]
pub(crate) fn everything_that_was_written_is_read_back_at_once() {
    let made = Place::with_files().made().backup();
    let check = made.check.unwrap();
    assert!(check.good && check.packs_read == check.packs && check.packs > 0, "{check:?}");
    assert_eq!((made.files, made.dirs), (3, 2));
}

#[test]
pub(crate) fn an_unchanged_source_is_not_read_again_and_its_hashes_come_from_the_manifest_before() {
    let place = Place::with_files().made();
    let first = place.backup();
    let second = place.backup();
    assert_eq!(second.parent.as_deref(), Some(first.snapshot.as_str()));
    assert_eq!((second.files_unmodified, second.files_new, second.files_changed), (3, 0, 0));
    if place.engine == EngineName::Rustic {
        // restic's tree holds the times of the directories above, too.
        assert_eq!(second.tree, first.tree);
    }
    place.restore(&second.snapshot);
}

#[test]
pub(crate) fn a_changed_file_is_read_again() {
    let place = Place::with_files().made();
    place.backup();
    place.write("a.txt", b"omega");
    let made = place.backup();
    assert_eq!((made.files_unmodified, made.files_changed), (2, 1));
    let restored = place.restore(&made.snapshot);
    assert_eq!(restored.differences.count, 0);
    assert_eq!(std::fs::read(place.path("target/a.txt")).unwrap(), b"omega");
}

// Behaviour 1: the library says nothing of what it could not read.
#[test]
pub(crate) fn an_unreadable_file_and_directory_make_the_backup_incomplete_with_both_named() {
    let place = Place::with_files();
    std::fs::create_dir(place.source().join("closed")).unwrap();
    for name in ["a.txt", "closed"] {
        let path = place.source().join(name);
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o000)).unwrap();
    }
    std::fs::set_permissions(place.dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let mut request = place.request(Operation::Backup(Box::new(place.backup_request())));
    if let Some(program) = &request.repository.restic {
        // Nobody may look into the home of root.
        std::fs::copy(program.path(), place.path("restic")).unwrap();
        request.repository.restic = Some(place.path("restic").into());
    }
    let Some(command) = as_nobody(&place) else { return };
    let end = Engine::start_as(&request, command).end();
    let report = end.report.unwrap();
    assert_eq!((end.code, report.outcome), (Some(3), Outcome::Incomplete), "{report:?}");
    let made = backup(report);
    let named: Vec<String> =
        made.errors.first.iter().map(|e| e.path.clone().unwrap().to_string()).collect();
    assert_eq!(made.errors.count, 2, "{:?}", made.errors);
    assert!(named.iter().any(|p| p.ends_with("a.txt")), "{named:?}");
    assert!(named.iter().any(|p| p.ends_with("closed")), "{named:?}");
    assert_eq!(made.files, 2);
    std::fs::set_permissions(place.source().join("closed"), PermissionsExt::from_mode(0o755))
        .unwrap();
}

/// This program as a user who may not read everything; none when we are no root.
fn as_nobody(place: &Place) -> Option<Command> {
    use std::os::unix::process::CommandExt;
    if !is_root() {
        return None;
    }
    let copy = place.path("engine");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = Command::new(copy);
    command.uid(65534).gid(65534);
    Some(command)
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0)
}

#[test]
pub(crate) fn a_path_that_is_not_there_leaves_no_snapshot() {
    let place = Place::new().made();
    let paths = Paths { paths: vec![place.path("missing").into()], ..Paths::default() };
    let report = place.run(Operation::Backup(Box::new(backup_of(Source::Paths(paths)))));
    assert_eq!((report.outcome, report.kind), (Outcome::Failed, Some(ProblemKind::Source)));
    assert_eq!(place.snapshots(), 0);
}

#[test]
pub(crate) fn what_is_excluded_by_glob_or_marker_is_not_backed_up() {
    let place = Place::with_files().made();
    place.write("cache/x.tmp", b"x");
    place.write("marked/.nobackup", b"");
    place.write("marked/y", b"y");
    let mut asked = place.backup_request();
    asked.source = Source::Paths(Paths {
        paths: vec![place.source().into()],
        exclude: vec!["*.tmp".to_owned(), "**/dir/big.bin".to_owned()],
        exclude_if_present: vec![".nobackup".to_owned()],
        one_file_system: true,
    });
    let made = backup(place.run(Operation::Backup(Box::new(asked))));
    place.restore(&made.snapshot);
    assert!(place.path("target/cache").exists());
    assert!(place.path("target/dir/b.txt").exists());
    for gone in ["target/cache/x.tmp", "target/marked", "target/dir/big.bin"] {
        assert!(!place.path(gone).exists(), "{gone}");
    }
}

#[test]
pub(crate) fn a_wrong_password_a_missing_repository_and_a_second_init_have_kinds_of_their_own() {
    let place = Place::with_files();
    let list = || Operation::List(List::default());
    let missing = place.run(list());
    assert_eq!(missing.kind, Some(ProblemKind::NotARepository), "{missing:?}");
    assert_eq!(place.run(Operation::Init).outcome, Outcome::Good);
    assert_eq!(place.run(Operation::Init).kind, Some(ProblemKind::RepositoryExists));
    let wrong = engine::Secrets { password: "wrong".to_owned(), ..engine::Secrets::default() };
    let report = engine::run(&place.request(list()), &wrong, &mut |_| {});
    assert_eq!(report.kind, Some(ProblemKind::WrongPassword), "{report:?}");
}

#[test]
pub(crate) fn a_location_nobody_knows_is_refused_with_a_sentence() {
    for location in ["repo", "b2:bucket", "sftp:-oProxyCommand=x:/repo", "s3:https://there"] {
        let repository = Repository { location: location.to_owned(), ..Repository::default() };
        let report = run(&engine::Request { repository, operation: Operation::Init });
        assert_eq!(report.kind, Some(ProblemKind::BadRequest), "{report:?}");
    }
}

#[test]
pub(crate) fn the_process_speaks_json_lines_and_keeps_its_report_in_the_file() {
    let place = Place::with_files().made();
    let end = process(&place.request(Operation::Backup(Box::new(place.backup_request()))));
    assert_eq!(end.code, Some(0));
    let Some(engine::Line::Report(last)) = end.lines.last() else { panic!("{:?}", end.lines) };
    assert_eq!(**last, end.report.unwrap());
    assert!(last.peak_memory_bytes > 0 && last.ended > last.began);
    assert!(end.lines.iter().any(|line| matches!(line, engine::Line::Progress(_))));
}

#[test]
pub(crate) fn a_list_too_long_for_the_report_is_whole_in_the_lines() {
    let place = Place::with_files().made();
    place.backup();
    place.backup();
    let (report, lines) = lines(&place.request(Operation::List(List::default())));
    assert_eq!(report.outcome, Outcome::Good);
    let said = lines.iter().filter(|line| matches!(line, engine::Line::Snapshot(_))).count();
    assert_eq!(said, 2);
}
