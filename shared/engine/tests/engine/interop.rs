//! The same repository, read and written by restic: the one that writes for us, and an older one in `PATH`.

use std::path::Path;
use std::process::{Command, Output};

use engine::{Check, Done, EngineName, List, Operation, Outcome, ProblemKind, Read, Report};

use crate::support::{
    PASSWORD, Place, assert_same, check, flip_a_bit, restics, run, writing_restic,
};

fn restic(program: &Path, place: &Place, arguments: &[&str]) -> Output {
    let output = Command::new(program)
        .args(["--no-cache", "--repo", place.path("repo").to_str().unwrap()])
        .args(arguments)
        .env("RESTIC_PASSWORD", PASSWORD)
        .env("HOME", place.dir.path())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "restic {arguments:?}: {errors}");
    output
}

#[test]
fn restic_checks_and_restores_what_we_wrote() {
    for program in restics() {
        let place = Place::with_files().made();
        let made = place.backup();
        restic(&program, &place, &["check", "--read-data"]);
        let target = place.path("by-restic");
        let arguments = ["restore", &made.snapshot, "--target", target.to_str().unwrap()];
        restic(&program, &place, &arguments);
        let below = target.join(place.source().strip_prefix("/").unwrap());
        assert_same(&place.source(), &below);
    }
}

#[test]
fn what_restic_wrote_is_listed_checked_and_restored() {
    for program in restics() {
        let place = Place::with_files();
        restic(&program, &place, &["init"]);
        restic(&program, &place, &["backup", "--tag", "theirs", place.source().to_str().unwrap()]);
        let report = place.run(Operation::List(List::default()));
        let Some(Done::List(list)) = report.result else { panic!("{report:?}") };
        assert_eq!(list.snapshots.count, 1);
        assert_eq!(list.snapshots.first[0].dataset, None);
        assert_eq!(list.snapshots.first[0].tags, ["theirs"]);
        assert_eq!(place.check().outcome, Outcome::Good);
        let restored = place.restore(&list.snapshots.first[0].id);
        assert_eq!((restored.manifest, restored.compared), (None, 0));
        assert_same(&place.source(), &place.path("target"));
    }
}

#[test]
fn both_write_into_one_repository_in_turn() {
    for program in restics() {
        let place = Place::with_files().made();
        place.backup();
        restic(&program, &place, &["backup", place.source().to_str().unwrap()]);
        place.write("more", b"more");
        let made = place.backup();
        restic(&program, &place, &["check", "--read-data"]);
        assert_eq!(place.check().outcome, Outcome::Good);
        place.restore(&made.snapshot);
    }
}

/// Asks the adapter to a restic.
fn by(program: &Path, place: &Place, operation: Operation) -> Report {
    let mut request = place.request(operation);
    request.repository.engine = EngineName::Restic;
    request.repository.restic = Some(program.into());
    run(&request)
}

#[test]
fn the_adapter_lists_checks_and_restores_what_the_other_engine_wrote() {
    for program in restics() {
        let place = Place::with_files().made();
        let made = place.backup();
        let report = by(&program, &place, Operation::List(List::default()));
        let Some(Done::List(list)) = report.result else { panic!("{report:?}") };
        assert_eq!(list.snapshots.count, 1);
        let snapshot = &list.snapshots.first[0];
        assert_eq!(snapshot.dataset.as_deref(), Some("data"));
        assert_eq!(snapshot.manifest.as_ref(), Some(&made.manifest.snapshot));
        assert_eq!(list.repository, made.repository);
        let asked = Check { read: Read::All, snapshots: vec![] };
        assert_eq!(by(&program, &place, Operation::Check(asked)).outcome, Outcome::Good);
        let asked = place.restore_request(&made.snapshot);
        let report = by(&program, &place, Operation::Restore(asked));
        assert_eq!(report.outcome, Outcome::Good, "{report:?}");
        let restored = crate::support::restore(report);
        assert_eq!(restored.manifest, Some(made.manifest.sha256));
        assert_eq!(restored.compared, made.manifest.entries);
        assert_same(&place.source(), &place.path("target"));
    }
}

#[test]
fn the_adapter_finds_damage_and_restores_nothing_wrong() {
    for program in restics() {
        let place = Place::with_files().made();
        let made = place.backup();
        let pack = place.files("data").remove(0);
        flip_a_bit(&pack);
        let asked = Check { read: Read::All, snapshots: vec![] };
        let report = by(&program, &place, Operation::Check(asked));
        assert_eq!(report.kind, Some(ProblemKind::Damaged), "{report:?}");
        let name = pack.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(check(report).damaged_packs.first, [name]);
        let asked = place.restore_request(&made.snapshot);
        let report = by(&program, &place, Operation::Restore(asked));
        assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
        assert!(!place.path("target").exists());
    }
}

#[test]
fn a_second_check_after_a_backup_is_an_evidence_of_its_own() {
    for program in restics() {
        let place = Place::with_files().made();
        let mut request = place.request(Operation::Backup(Box::new(place.backup_request())));
        request.repository.second = true;
        request.repository.restic = Some(program.as_path().into());
        let report = run(&request);
        assert_eq!(report.outcome, Outcome::Good, "{report:?}");
        let second = crate::support::backup(report).second.unwrap();
        assert!(second.good && second.engine.starts_with("restic 0."), "{second:?}");
    }
}

#[test]
fn the_adapter_knows_wrong_passwords_and_missing_repositories() {
    for program in restics() {
        let place = Place::with_files();
        let list = || Operation::List(List::default());
        let report = by(&program, &place, list());
        assert_eq!(report.kind, Some(ProblemKind::NotARepository), "{report:?}");
        place.backup();
        let mut request = place.request(list());
        request.repository.engine = EngineName::Restic;
        request.repository.restic = Some(program.as_path().into());
        let wrong = engine::Secrets { password: "wrong".to_owned(), ..engine::Secrets::default() };
        let report = engine::run(&request, &wrong, &mut |_| {});
        assert_eq!(report.kind, Some(ProblemKind::WrongPassword), "{report:?}");
    }
}

/// Replaces the manifest of a snapshot by one that says something else.
fn forge(program: &Path, place: &Place, made: &engine::BackupReport, from: &str, to: &str) {
    let holder = made.manifest.snapshot.as_str();
    let dumped = restic(program, place, &["dump", holder, "/decklog/manifest.jsonl.zst"]).stdout;
    let lines = String::from_utf8(zstd::decode_all(&*dumped).unwrap()).unwrap();
    assert!(lines.contains(from));
    let forged = zstd::encode_all(lines.replace(from, to).as_bytes(), 0).unwrap();
    std::fs::write(place.path("forged"), forged).unwrap();
    restic(program, place, &["forget", holder]);
    let of = format!("of={}", made.snapshot);
    let file = place.path("forged");
    let arguments = ["backup", "--tag", "decklog-manifest", "--tag", &of, file.to_str().unwrap()];
    restic(program, place, &arguments);
}

#[test]
fn what_differs_from_the_manifest_is_named_and_nothing_is_put_in_place() {
    let program = writing_restic();
    let place = Place::with_files().made();
    let made = place.backup();
    // SHA-256 of the bytes `alpha`.
    let alpha = "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8";
    forge(&program, &place, &made, alpha, &"0".repeat(64));
    let report = place.run(Operation::Restore(place.restore_request(&made.snapshot)));
    assert_eq!(report.kind, Some(ProblemKind::Target), "{report:?}");
    let restored = crate::support::restore(report);
    let named: Vec<_> = restored.differences.first.iter().filter_map(|w| w.path.clone()).collect();
    assert_eq!(named, [engine::FilePath::from(place.source().join("a.txt"))]);
    assert!(!restored.complete && !place.path("target").exists());
    let wanted = engine::ManifestOf { snapshot: made.snapshot, sha256: Some(made.manifest.sha256) };
    let report = place.run(Operation::Manifest(wanted));
    assert_eq!(report.kind, Some(ProblemKind::Damaged), "the recorded hash tells");
}
