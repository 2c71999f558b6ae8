//! Files in a directory.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use delivery::directory::put;
use delivery::{DeliveryError, Put, Step};
use tempfile::TempDir;

use crate::support::assert_names_nobody;

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory");
    entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

fn place() -> TempDir {
    TempDir::new().expect("a directory")
}

#[test]
fn a_file_is_written_whole_and_nothing_else_stays() {
    let dir = place();
    assert_eq!(put(dir.path(), "a.pdf", b"content", 100), Ok(Put::Written));
    assert_eq!(fs::read(dir.path().join("a.pdf")).expect("it is there"), b"content");
    assert_eq!(names(dir.path()), ["a.pdf"]);
    let mode = fs::metadata(dir.path().join("a.pdf")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
}

#[test]
fn the_same_document_again_is_there_already_and_another_is_refused() {
    let dir = place();
    assert_eq!(put(dir.path(), "a.pdf", b"content", 100), Ok(Put::Written));
    assert_eq!(put(dir.path(), "a.pdf", b"content", 100), Ok(Put::AlreadyThere));
    for other in [&b"CONTENT"[..], b"content and more", b"", b"conten"] {
        let error = put(dir.path(), "a.pdf", other, 100).expect_err("it is taken");
        let DeliveryError::Refused { what: Step::Name, permanent: true, .. } = error else {
            panic!("{error:?}")
        };
        assert_names_nobody(&error.without_names());
    }
    assert_eq!(fs::read(dir.path().join("a.pdf")).expect("it is there"), b"content");
    assert_eq!(names(dir.path()), ["a.pdf"]);
}

#[test]
fn what_is_no_plain_file_is_neither_followed_nor_replaced() {
    let dir = place();
    fs::write(dir.path().join("real"), b"content").expect("a file");
    symlink("real", dir.path().join("link.pdf")).expect("a link");
    symlink("nothing", dir.path().join("broken.pdf")).expect("a link");
    fs::create_dir(dir.path().join("dir.pdf")).expect("a directory");
    for name in ["link.pdf", "broken.pdf", "dir.pdf"] {
        let error = put(dir.path(), name, b"content", 100).expect_err(name);
        assert!(matches!(error, DeliveryError::Refused { what: Step::Name, .. }), "{error:?}");
    }
    assert!(!dir.path().join("nothing").exists());
    assert_eq!(names(dir.path()).len(), 4);
}

#[test]
fn of_many_that_write_at_once_one_writes() {
    let dir = place();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let write = || put(dir.path(), "a.pdf", b"content", 100).expect("both are the same");
        let all: Vec<_> = (0..8).map(|_| scope.spawn(write)).collect();
        all.into_iter().map(|one| one.join().expect("it ends")).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Put::Written).count(), 1);
    assert_eq!(names(dir.path()), ["a.pdf"]);
}

#[test]
fn what_cannot_be_written_leaves_nothing() {
    let dir = place();
    let error = put(&dir.path().join("nowhere"), "a.pdf", b"x", 100).expect_err("no directory");
    assert!(error.may_be_tried_again(), "{error:?}");
    let said = "not reached: sending the content: entity not found; nothing has arrived";
    assert_eq!(error.without_names(), said);
    let error = put(dir.path(), "a.pdf", b"too much", 3).expect_err("too large");
    assert_eq!(error, DeliveryError::TooLarge { bytes: 8, limit: 3 });
    let error = put(dir.path(), "../a.pdf", b"x", 100).expect_err("elsewhere");
    assert_eq!(error.without_names(), "bad file's name: nothing was sent");
    assert!(names(dir.path()).is_empty());
}
