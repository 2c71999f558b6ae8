use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use engine::{Operation, Outcome, Overwrite, ProblemKind};

use crate::support::{Place, assert_same, file_path, flip_a_bit, noise, process, restore};

#[test]
pub(crate) fn what_comes_back_is_what_was_backed_up_with_links_times_and_permissions() {
    let place = Place::with_files().made();
    let script = place.write("run.sh", b"#!/bin/sh\n");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o4750)).unwrap();
    symlink("a.txt", place.source().join("link")).unwrap();
    symlink("/no/such/place", place.source().join("dangling")).unwrap();
    std::fs::create_dir(place.source().join("empty")).unwrap();
    let old = std::process::Command::new("touch")
        .args(["-d", "1999-12-31 23:59:59.123456789"])
        .arg(place.source().join("a.txt"))
        .status();
    assert!(old.unwrap().success());
    let made = place.backup();
    let restored = place.restore(&made.snapshot);
    assert_same(&place.source(), &place.path("target"));
    assert_eq!((restored.files, restored.others, restored.differences.count), (4, 2, 0));
    assert_eq!(restored.compared, made.manifest.entries);
    for name in ["a.txt", "run.sh", "link", "empty", "dir"] {
        let before = place.source().join(name).symlink_metadata().unwrap();
        let after = place.path("target").join(name).symlink_metadata().unwrap();
        assert_eq!(before.mode(), after.mode(), "{name}");
        let time = |m: &std::fs::Metadata| (m.mtime(), m.mtime_nsec());
        assert_eq!(time(&before), time(&after), "{name}");
    }
}

#[test]
pub(crate) fn names_that_are_no_text_survive() {
    let place = Place::new().made();
    for name in
        [&b"\xff\xfe"[..], b"back\\slash", b"new\nline", "\u{e9}".as_bytes(), b"\\x41", b"\""]
    {
        std::fs::write(place.source().join(OsStr::from_bytes(name)), name).unwrap();
    }
    symlink(OsStr::from_bytes(b"\xff"), place.source().join("link")).unwrap();
    let made = place.backup();
    place.restore(&made.snapshot);
    assert_same(&place.source(), &place.path("target"));
}

#[test]
pub(crate) fn hard_links_stay_one_file_and_holes_stay_holes() {
    let place = Place::with_files().made();
    std::fs::hard_link(place.source().join("a.txt"), place.source().join("dir/twin")).unwrap();
    let sparse = std::fs::File::create(place.source().join("sparse")).unwrap();
    sparse.set_len(64 << 20).unwrap();
    let made = place.backup();
    place.restore(&made.snapshot);
    let meta = |name: &str| place.path("target").join(name).metadata().unwrap();
    assert_eq!(meta("a.txt").ino(), meta("dir/twin").ino());
    assert_eq!(meta("sparse").len(), 64 << 20);
    assert!(meta("sparse").blocks() < 1000, "{}", meta("sparse").blocks());
}

#[test]
pub(crate) fn sockets_are_counted_and_left_out_and_fifos_come_back() {
    let place = Place::with_files().made();
    let _socket = std::os::unix::net::UnixListener::bind(place.source().join("socket")).unwrap();
    let fifo = place.source().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let made = place.backup();
    assert_eq!((made.skipped_sockets, made.others), (1, 1));
    place.restore(&made.snapshot);
    assert!(!place.path("target/socket").exists());
    assert!(place.path("target/fifo").exists());
}

#[test]
pub(crate) fn a_target_that_is_not_empty_is_refused_and_stays_as_it_was() {
    let place = Place::with_files().made();
    let made = place.backup();
    std::fs::create_dir(place.path("target")).unwrap();
    std::fs::write(place.path("target/mine"), b"mine").unwrap();
    let report = place.run(Operation::Restore(place.restore_request(&made.snapshot)));
    assert_eq!(report.kind, Some(ProblemKind::Target), "{report:?}");
    assert_eq!(std::fs::read_dir(place.path("target")).unwrap().count(), 1);
}

#[test]
pub(crate) fn replacing_touches_only_what_is_in_the_snapshot() {
    let place = Place::with_files().made();
    let made = place.backup();
    std::fs::create_dir_all(place.path("target/dir")).unwrap();
    std::fs::write(place.path("target/mine"), b"mine").unwrap();
    std::fs::write(place.path("target/a.txt"), b"old").unwrap();
    let mut asked = place.restore_request(&made.snapshot);
    asked.overwrite = Overwrite::Replace;
    let report = place.run(Operation::Restore(asked));
    assert_eq!(report.outcome, Outcome::Good, "{report:?}");
    assert_eq!(std::fs::read(place.path("target/mine")).unwrap(), b"mine");
    assert_eq!(std::fs::read(place.path("target/a.txt")).unwrap(), b"alpha");
    assert!(place.path("target/dir/big.bin").exists());
    assert!(parts(&place).is_empty());
}

fn parts(place: &Place) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(place.dir.path()).unwrap().map(|e| e.unwrap().path());
    entries.filter(|path| path.to_string_lossy().contains(".decklog-part-")).collect()
}

// Behaviour 8: the library breaks on a damaged pack and leaves a wrong file of full length.
#[test]
pub(crate) fn a_damaged_blob_names_its_file_and_puts_nothing_in_place() {
    let place = Place::with_files().made();
    let made = place.backup();
    flip_a_bit(&place.files("data")[0]);
    let report = place.run(Operation::Restore(place.restore_request(&made.snapshot)));
    assert_eq!((report.outcome, report.kind), (Outcome::Failed, Some(ProblemKind::Damaged)));
    let restored = restore(report);
    assert!(!restored.complete);
    assert!(!place.path("target").exists());
    let named: Vec<_> = restored.damaged.first.iter().filter_map(|w| w.path.clone()).collect();
    assert!(named.contains(&file_path(&place.source().join("dir/big.bin"))), "{named:?}");
}

#[test]
pub(crate) fn an_interrupted_restore_goes_on_where_it_was_and_leaves_nothing_foreign() {
    let place = Place::with_files().made();
    let made = place.backup();
    let part = place.path(&format!("target.decklog-part-{}", &made.snapshot[..8]));
    std::fs::create_dir_all(part.join("dir/foreign")).unwrap();
    std::fs::write(part.join("stray"), b"stray").unwrap();
    std::fs::write(part.join("a.txt"), b"wrong").unwrap();
    std::fs::copy(place.source().join("dir/big.bin"), part.join("dir/big.bin")).unwrap();
    let restored = place.restore(&made.snapshot);
    assert_eq!(restored.kept_files, 1);
    assert_same(&place.source(), &place.path("target"));
}

#[test]
pub(crate) fn a_sample_brings_only_what_was_named_and_misses_what_is_not_there() {
    let place = Place::with_files().made();
    let made = place.backup();
    let mut asked = place.restore_request(&made.snapshot);
    asked.sample = Some(vec![file_path(&place.source().join("dir/b.txt"))]);
    let report = place.run(Operation::Restore(asked.clone()));
    assert_eq!(report.outcome, Outcome::Good, "{report:?}");
    assert_eq!(restore(report).compared, 1);
    assert_eq!(crate::support::below(&place.path("target")).len(), 2);
    asked.to = place.path("other").into();
    asked.sample = Some(vec![file_path(Path::new("/no/such"))]);
    assert_eq!(place.run(Operation::Restore(asked)).outcome, Outcome::Failed);
}

#[test]
pub(crate) fn a_dry_run_counts_and_writes_nothing() {
    let place = Place::with_files().made();
    let made = place.backup();
    let mut asked = place.restore_request(&made.snapshot);
    asked.dry_run = true;
    let restored = restore(place.run(Operation::Restore(asked)));
    assert_eq!((restored.files, restored.bytes, restored.complete), (3, 3_000_009, false));
    assert!(!place.path("target").exists() && parts(&place).is_empty());
}

#[test]
pub(crate) fn a_single_file_is_restored_by_its_path() {
    let place = Place::with_files().made();
    let made = place.backup();
    let mut asked = place.restore_request(&made.snapshot);
    asked.path = Some(place.source().join("dir/b.txt").into());
    let report = place.run(Operation::Restore(asked));
    assert_eq!(report.outcome, Outcome::Good, "{report:?}");
    assert_eq!(std::fs::read(place.path("target/b.txt")).unwrap(), b"beta");
}

// The library's own restore needs more than a gigabyte for this.
#[test]
pub(crate) fn a_restore_stays_under_its_memory_limit() {
    let place = Place::new().made();
    for n in 0..60u64 {
        place.write(&format!("{n}.bin"), &noise(5_000_000, n + 1));
    }
    let made = place.backup();
    let asked = place.restore_request(&made.snapshot);
    let limit = asked.memory_limit_bytes;
    let end = process(&place.request(Operation::Restore(asked)));
    assert_eq!(end.code, Some(0), "{:?}", end.report);
    let peak = end.report.unwrap().peak_memory_bytes;
    assert!(peak < limit, "{peak} bytes");
}

#[test]
pub(crate) fn a_target_that_is_a_file_system_of_its_own_is_filled_from_inside() {
    let place = Place::with_files().made();
    let made = place.backup();
    let target = place.path("target");
    std::fs::create_dir(&target).unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "none"])
        .arg(&target)
        .stderr(std::process::Stdio::null())
        .status();
    if !mount.is_ok_and(|status| status.success()) {
        return; // only root may mount
    }
    let report = place.run(Operation::Restore(place.restore_request(&made.snapshot)));
    let same = std::process::Command::new("diff")
        .arg("-r")
        .args([place.source(), target.clone()])
        .status();
    assert!(std::process::Command::new("umount").arg(&target).status().unwrap().success());
    assert_eq!(report.outcome, Outcome::Good, "{report:?}");
    assert!(same.unwrap().success());
}
