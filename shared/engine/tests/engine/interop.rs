//! The same repository, read and written by restic: the one in `PATH`, and the one that
//! `DECKLOG_RESTIC` names.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use engine::{Done, List, Operation, Outcome};

use crate::support::{PASSWORD, Place, assert_same};

/// The restics of this machine; without one these tests have nothing to say.
fn restics() -> Vec<PathBuf> {
    let named = std::env::var_os("DECKLOG_RESTIC").map(PathBuf::from);
    let in_path = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|dir| dir.join("restic"))
        .find(|program| program.exists());
    named.into_iter().chain(in_path).collect()
}

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
        let place = Place::with_files();
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
        let place = Place::with_files();
        place.backup();
        restic(&program, &place, &["backup", place.source().to_str().unwrap()]);
        place.write("more", b"more");
        let made = place.backup();
        restic(&program, &place, &["check", "--read-data"]);
        assert_eq!(place.check().outcome, Outcome::Good);
        place.restore(&made.snapshot);
    }
}
