use engine::{Browse, Copy, Diff, Done, Find, ManifestOf, Operation, Outcome, ProblemKind};

use crate::support::{Place, assert_same, flip_a_bit, lines, noise, run};

#[test]
pub(crate) fn a_directory_of_a_snapshot_is_listed_by_name() {
    let place = Place::with_files().made();
    let made = place.backup();
    let asked = Browse {
        snapshot: made.snapshot[..10].to_owned(),
        path: place.source().into(),
        limit: 100,
    };
    let report = place.run(Operation::Browse(asked));
    let Some(Done::Browse(browse)) = report.result else { panic!("{report:?}") };
    let entries: Vec<_> =
        browse.entries.first.iter().map(|e| (e.path.to_string(), e.kind.clone(), e.size)).collect();
    let path = |name: &str| place.source().join(name).to_str().unwrap().to_owned();
    assert_eq!(
        entries,
        [(path("a.txt"), "file".to_owned(), 5), (path("dir"), "dir".to_owned(), 0)]
    );
}

#[test]
pub(crate) fn files_are_found_by_name_or_path_in_every_snapshot() {
    let place = Place::with_files().made();
    place.backup();
    place.backup();
    let hits = |pattern: &str, limit| {
        let asked = Find { pattern: pattern.to_owned(), dataset: None, snapshots: vec![], limit };
        let report = place.run(Operation::Find(asked));
        let Some(Done::Find(find)) = report.result else { panic!("{report:?}") };
        find.hits.count
    };
    assert_eq!(hits("b.txt", 100), 2);
    assert_eq!(hits("*.txt", 100), 4);
    assert_eq!(hits("/**/dir/*.bin", 100), 2);
    assert_eq!(hits("none", 100), 0);
    assert_eq!(hits("*.txt", 1), 2, "it stops after the snapshot in which the limit is reached");
}

#[test]
pub(crate) fn two_snapshots_differ_in_what_was_added_removed_changed_or_touched() {
    let place = Place::with_files().made();
    let a = place.backup();
    place.write("new", b"new");
    place.write("a.txt", b"other");
    std::fs::remove_file(place.source().join("dir/b.txt")).unwrap();
    let b = place.backup();
    let report = place.run(Operation::Diff(Diff { a: a.snapshot.clone(), b: b.snapshot }));
    let Some(Done::Diff(diff)) = report.result else { panic!("{report:?}") };
    assert_eq!((diff.added, diff.removed, diff.changed), (1, 1, 1));
    let same = Diff { a: a.snapshot.clone(), b: a.snapshot };
    let Some(Done::Diff(diff)) = place.run(Operation::Diff(same)).result else { panic!() };
    assert_eq!(diff.entries.count, 0);
}

#[test]
pub(crate) fn a_manifest_is_read_back_and_one_with_another_hash_is_refused() {
    let place = Place::with_files().made();
    let made = place.backup();
    let asked = |sha256: &str| {
        let sha256 = Some(sha256.to_owned());
        place.run(Operation::Manifest(ManifestOf { snapshot: made.snapshot.clone(), sha256 }))
    };
    let report = asked(&made.manifest.sha256);
    let Some(Done::Manifest(manifest)) = report.result else { panic!("{report:?}") };
    assert_eq!(manifest.manifest, made.manifest);
    assert_eq!((manifest.snapshot, manifest.run), (made.snapshot.clone(), "run-1".to_owned()));
    assert_eq!(asked(&"0".repeat(64)).kind, Some(ProblemKind::Damaged));
}

fn copy(place: &Place, snapshots: Vec<String>) -> engine::Report {
    let mut to = place.repository();
    to.location = place.path("second").to_str().unwrap().to_owned();
    place.run(Operation::Copy(Box::new(Copy { to, snapshots })))
}

#[test]
pub(crate) fn a_copy_is_checked_there_restores_with_its_manifest_and_is_not_made_twice() {
    let place = Place::with_files().made();
    let made = place.backup();
    let report = copy(&place, vec![made.snapshot.clone()]);
    assert_eq!(report.outcome, Outcome::Good, "{report:?}");
    let Some(Done::Copy(copied)) = report.result else { panic!() };
    assert!(!copied.copied[0].already && copied.check.unwrap().packs_read > 0);
    let mut restore =
        place.request(Operation::Restore(place.restore_request(&copied.copied[0].copy)));
    restore.repository.location = place.path("second").to_str().unwrap().to_owned();
    let report = run(&restore);
    assert_eq!(report.outcome, Outcome::Good, "{report:?}");
    assert_eq!(crate::support::restore(report).manifest, Some(made.manifest.sha256.clone()));
    assert_same(&place.source(), &place.path("target"));
    let Some(Done::Copy(again)) = copy(&place, vec![made.snapshot]).result else { panic!() };
    assert!(again.copied[0].already);
    assert_eq!(again.copied[0].copy, copied.copied[0].copy);
}

#[test]
pub(crate) fn a_damaged_snapshot_is_not_copied_as_a_good_one() {
    let place = Place::with_files().made();
    place.write("more.bin", &noise(1_000_000, 3));
    let made = place.backup();
    flip_a_bit(&place.files("data")[0]);
    let report = copy(&place, vec![made.snapshot]);
    assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
}

#[test]
pub(crate) fn a_report_stays_below_its_limit_and_the_lines_name_everything() {
    let place = Place::new().made();
    for n in 0..1500 {
        place.write(&format!("{n:0200}"), b"");
    }
    let made = place.backup();
    let asked = Browse { snapshot: made.snapshot, path: place.source().into(), limit: 10_000 };
    let (report, lines) = lines(&place.request(Operation::Browse(asked)));
    let bytes = serde_json::to_vec(&report).unwrap().len();
    assert!(bytes <= engine::MOST_REPORT_BYTES, "{bytes}");
    let Some(Done::Browse(browse)) = report.result else { panic!() };
    assert_eq!(browse.entries.count, 1500);
    assert!(browse.entries.first.len() < 1500 && !browse.entries.first.is_empty());
    let said = lines.iter().filter(|line| matches!(line, engine::Line::Entry(_))).count();
    assert_eq!(said, 1500);
}
