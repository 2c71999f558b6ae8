use engine::{Check, Done, Forget, Operation, Outcome, ProblemKind, Prune, Read};

use crate::support::{Place, check, file_path, flip_a_bit, noise};

fn forget(place: &Place, snapshots: &[&str]) -> engine::Report {
    let snapshots = snapshots.iter().map(|id| (*id).to_owned()).collect();
    place.run(Operation::Forget(Forget { snapshots }))
}

fn prune(place: &Place, dry_run: bool, instant: bool) -> engine::PruneReport {
    let report = place.run(Operation::Prune(Prune { dry_run, instant }));
    match report.result {
        Some(Done::Prune(prune)) => prune,
        other => panic!("no prune: {other:?} {:?}", report.problem),
    }
}

// Behaviour 7 and 12: the library's check says ok, or says Ok with the errors inside.
#[test]
pub(crate) fn one_flipped_bit_is_found_by_reading_and_told_by_snapshot_and_file() {
    let place = Place::with_files().made();
    let made = place.backup();
    assert_eq!(place.check().outcome, Outcome::Good);
    flip_a_bit(&place.files("data")[0]);
    let structure = Check { read: Read::Nothing, snapshots: vec![] };
    assert_eq!(place.run(Operation::Check(structure)).outcome, Outcome::Good);
    let report = place.check();
    assert_eq!((report.outcome, report.kind), (Outcome::Failed, Some(ProblemKind::Damaged)));
    let found = check(report);
    assert_eq!(found.damaged_packs.count, 1);
    assert_eq!(found.damaged.len(), 1, "{found:?}");
    assert_eq!(found.damaged[0].snapshot, made.snapshot);
    assert_eq!(found.damaged[0].dataset.as_deref(), Some("data"));
    let big = file_path(&place.source().join("dir/big.bin"));
    assert!(found.damaged[0].files.first.contains(&big), "{found:?}");
}

#[test]
pub(crate) fn a_flipped_bit_in_a_packs_own_directory_is_found_too() {
    let place = Place::with_files().made();
    place.backup();
    let pack = place.files("data").remove(0);
    let mut bytes = std::fs::read(&pack).unwrap();
    let near_the_end = bytes.len() - 10;
    bytes[near_the_end] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    let found = check(place.check());
    assert!(!found.good && found.damaged_packs.count == 1, "{found:?}");
}

#[test]
pub(crate) fn a_pack_that_is_gone_or_cut_is_found_without_reading() {
    for cut in [false, true] {
        let place = Place::with_files().made();
        place.backup();
        let pack = place.files("data").remove(0);
        if cut {
            let bytes = std::fs::read(&pack).unwrap();
            std::fs::write(&pack, &bytes[..bytes.len() - 1]).unwrap();
        } else {
            std::fs::remove_file(&pack).unwrap();
        }
        let structure = Check { read: Read::Nothing, snapshots: vec![] };
        let found = check(place.run(Operation::Check(structure)));
        assert!(!found.good && found.damaged_packs.count == 1, "{cut}: {found:?}");
    }
}

#[test]
pub(crate) fn every_pack_may_be_damaged_and_the_check_still_ends_with_an_answer() {
    let place = Place::with_files().made();
    place.backup();
    let packs = place.files("data");
    for pack in &packs {
        flip_a_bit(pack);
    }
    let found = check(place.check());
    assert_eq!(found.damaged_packs.count, packs.len() as u64);
    assert!(!found.damaged.is_empty());
}

#[test]
pub(crate) fn the_parts_of_a_check_are_together_all_packs() {
    let place = Place::new().made();
    // None is half of all: or the half that chance chooses could be everything.
    for n in 0..6 {
        place.write("a.txt", &noise(200_000, n + 1));
        place.backup();
    }
    let all = check(place.check()).packs_read;
    let part = |part| {
        let asked = Check { read: Read::Packs { part, of: 3 }, snapshots: vec![] };
        check(place.run(Operation::Check(asked))).packs_read
    };
    assert_eq!(part(1) + part(2) + part(3), all);
    let half = Check { read: Read::Percent(50.0), snapshots: vec![] };
    let half = check(place.run(Operation::Check(half)));
    assert!(half.packs_read > 0 && half.packs_read < all, "{half:?}");
}

#[test]
pub(crate) fn a_check_of_one_snapshot_reads_only_its_packs() {
    let place = Place::with_files().made();
    let first = place.backup();
    place.write("new.bin", &noise(2_000_000, 99));
    place.backup();
    let asked = Check { read: Read::All, snapshots: vec![first.snapshot] };
    let one = check(place.run(Operation::Check(asked)));
    assert!(one.good && one.packs < check(place.check()).packs, "{one:?}");
}

// Behaviour 13: a policy of zero deletes the only snapshot; here only named snapshots go.
#[test]
pub(crate) fn forgetting_nothing_or_something_that_is_not_there_removes_nothing() {
    let place = Place::with_files().made();
    let made = place.backup();
    assert_eq!(forget(&place, &[]).kind, Some(ProblemKind::BadRequest));
    let strange = "0".repeat(64);
    let report = forget(&place, &[&made.snapshot, &strange]);
    assert_eq!(report.kind, Some(ProblemKind::NotFound));
    assert!(report.problem.unwrap().contains(&strange));
    assert_eq!(forget(&place, &[&made.snapshot[..8]]).kind, Some(ProblemKind::NotFound));
    assert_eq!(place.snapshots(), 2);
}

#[test]
pub(crate) fn a_manifest_goes_with_its_snapshot_and_cannot_be_named_alone() {
    let place = Place::with_files().made();
    let first = place.backup();
    let second = place.backup();
    let alone = forget(&place, &[&first.manifest.snapshot]);
    assert_eq!(alone.kind, Some(ProblemKind::NotFound));
    let report = forget(&place, &[&first.snapshot]);
    let Some(Done::Forget(done)) = report.result else { panic!("{report:?}") };
    assert_eq!(done.removed, [first.snapshot]);
    assert_eq!(done.manifests, [first.manifest.snapshot]);
    assert_eq!((done.left, place.snapshots()), (1, 2));
    place.restore(&second.snapshot);
}

// Behaviour 4 and 5: what a prune deletes at once, a backup beside it may still need.
#[test]
pub(crate) fn pruning_marks_first_and_what_is_used_again_comes_back() {
    let place = Place::with_files().made();
    let first = place.backup();
    place.write("other.bin", &noise(500_000, 5));
    std::fs::remove_file(place.source().join("dir/big.bin")).unwrap();
    let second = place.backup();
    forget(&place, &[&first.snapshot]);
    let plan = prune(&place, true, false);
    assert!(plan.dry_run && plan.freed_later_bytes > 2_900_000, "{plan:?}");
    let packs = place.files("data").len();
    let marked = prune(&place, false, false);
    assert_eq!(marked.freed_bytes, 0);
    assert!(place.files("data").len() >= packs);
    place.write("dir/big.bin", &noise(3_000_000, 7));
    let third = place.backup();
    prune(&place, false, false);
    assert_eq!(place.check().outcome, Outcome::Good);
    place.restore(&third.snapshot);
    std::fs::remove_dir_all(place.path("target")).unwrap();
    place.restore(&second.snapshot);
}

#[test]
pub(crate) fn an_instant_prune_frees_the_bytes_and_keeps_what_is_left_whole() {
    let place = Place::with_files().made();
    let first = place.backup();
    std::fs::remove_file(place.source().join("dir/big.bin")).unwrap();
    let second = place.backup();
    forget(&place, &[&first.snapshot]);
    let size = |place: &Place| -> u64 {
        place.files("data").iter().map(|p| p.metadata().unwrap().len()).sum()
    };
    let before = size(&place);
    let pruned = prune(&place, false, true);
    assert!(pruned.freed_bytes > 2_900_000 && size(&place) < before - 2_900_000, "{pruned:?}");
    assert_eq!(place.check().outcome, Outcome::Good);
    place.restore(&second.snapshot);
}

#[test]
pub(crate) fn a_damaged_repository_is_not_pruned() {
    let place = Place::with_files().made();
    place.backup();
    std::fs::remove_file(place.files("data").remove(0)).unwrap();
    let report = place.run(Operation::Prune(Prune { dry_run: false, instant: true }));
    assert_eq!(report.kind, Some(ProblemKind::Damaged), "{report:?}");
}

// Behaviour 3: a prune of restic beside our backup destroys what we write.
#[test]
pub(crate) fn nothing_is_written_while_another_program_holds_a_lock_unless_it_is_stale() {
    let place = Place::with_files().made();
    let made = place.backup();
    let lock = place.path("repo/locks").join("ab".repeat(32));
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::write(&lock, b"a lock").unwrap();
    let writing = [
        Operation::Backup(Box::new(place.backup_request())),
        Operation::Forget(Forget { snapshots: vec![made.snapshot] }),
        Operation::Prune(Prune { dry_run: false, instant: false }),
        Operation::Repair,
    ];
    for operation in &writing {
        let report = place.run(operation.clone());
        assert_eq!(report.kind, Some(ProblemKind::Locked), "{report:?}");
    }
    assert_eq!(place.check().outcome, Outcome::Good, "reading is allowed");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    std::fs::File::options().append(true).open(&lock).unwrap().set_modified(old).unwrap();
    place.backup();
}
