use engine::{Done, Operation, Outcome};

use crate::support::{Engine, Place, assert_same, backup, noise, until};

fn large() -> Place {
    large_in(Place::new().made())
}

fn large_in(place: Place) -> Place {
    for n in 0..60u64 {
        place.write(&format!("{n}.bin"), &noise(2_000_000, n + 1));
    }
    place
}

fn engine(place: &Place) -> Engine {
    Engine::start(&place.request(Operation::Backup(Box::new(place.backup_request()))))
}

fn packs(place: &Place) -> usize {
    if place.path("repo/data").exists() { place.files("data").len() } else { 0 }
}

// Behaviour 9: after kill -9 the library uses nothing of what was written.
#[test]
pub(crate) fn what_a_killed_backup_wrote_is_used_by_the_next_one() {
    let place = large();
    let mut killed = engine(&place);
    until("two packs are written", || packs(&place) >= 2);
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    let made = place.backup();
    assert!(made.reused_packs >= 2, "{}", made.reused_packs);
    assert!(made.stored_bytes < 100_000_000, "{} of 120 MB", made.stored_bytes);
    assert_eq!(place.check().outcome, Outcome::Good);
    place.restore(&made.snapshot);
    assert_same(&place.source(), &place.path("target"));
}

#[test]
pub(crate) fn a_backup_killed_at_any_moment_harms_neither_what_was_there_nor_what_comes() {
    let place = large();
    let first = place.backup();
    for n in 0..6u64 {
        place.write("0.bin", &noise(30_000_000, 1000 + n));
        let mut killed = engine(&place);
        let wait = std::time::Duration::from_millis(120 + 140 * n);
        let began = std::time::Instant::now();
        until("the moment has come", || began.elapsed() > wait);
        killed.child.kill().unwrap();
        killed.child.wait().unwrap();
    }
    let last = place.backup();
    assert_eq!(place.check().outcome, Outcome::Good);
    for snapshot in [first.snapshot, last.snapshot] {
        place.restore(&snapshot);
        std::fs::remove_dir_all(place.path("target")).unwrap();
    }
}

#[test]
pub(crate) fn a_restore_killed_in_the_middle_leaves_no_target_and_the_next_one_completes_it() {
    let place = large();
    let made = place.backup();
    let asked = Operation::Restore(place.restore_request(&made.snapshot));
    let mut killed = Engine::start(&place.request(asked));
    let part = place.path(&format!("target.decklog-part-{}", &made.snapshot[..8]));
    until("files come", || {
        part.exists() && std::fs::read_dir(&part).unwrap().count() > 3
            || place.path("target").exists()
    });
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    if place.path("target").exists() {
        return; // it was faster than we
    }
    place.restore(&made.snapshot);
    assert_same(&place.source(), &place.path("target"));
}

#[test]
pub(crate) fn a_repair_takes_lost_index_files_back() {
    let place = Place::with_files().made();
    let made = place.backup();
    for index in place.files("index") {
        std::fs::remove_file(index).unwrap();
    }
    assert_eq!(place.check().outcome, Outcome::Failed);
    let report = place.run(Operation::Repair);
    let Some(Done::Repair(repaired)) = report.result else { panic!("{report:?}") };
    assert_eq!(repaired.packs_added, place.files("data").len() as u64);
    assert_eq!(place.check().outcome, Outcome::Good);
    place.restore(&made.snapshot);
}

// Behaviour 6: two backups at once are both good.
#[test]
pub(crate) fn two_backups_at_the_same_time_are_both_good() {
    let place = large();
    let (one, two) = (engine(&place), engine(&place));
    for end in [one.end(), two.end()] {
        let report = end.report.unwrap();
        assert_eq!(report.outcome, Outcome::Good, "{report:?}");
        place.restore(&backup(report).snapshot);
        std::fs::remove_dir_all(place.path("target")).unwrap();
    }
    assert_eq!(place.check().outcome, Outcome::Good);
}

#[test]
pub(crate) fn torn_packs_are_set_aside_and_stop_no_backup() {
    let place = Place::with_files().made();
    place.backup();
    let torn = [("11", vec![0xff; 10]), ("22", vec![0xff; 100]), ("33", vec![0; 100_000])];
    for (name, bytes) in &torn {
        let path = place.path("repo/data").join(name).join(name.repeat(32));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let made = place.backup();
    assert!(made.check.unwrap().good);
    for (name, bytes) in &torn {
        let aside = place.path("repo/data").join(name).join(format!("{}.torn", name.repeat(32)));
        assert_eq!(std::fs::read(aside).unwrap(), *bytes, "{name}: nothing is deleted");
    }
    let found = crate::support::check(place.check());
    assert!(found.good && found.warnings.count == 0, "{found:?}");
}

#[test]
pub(crate) fn data_lost_from_the_repository_is_stored_again_when_the_source_still_has_it() {
    let place = Place::with_files().made();
    let first = place.backup();
    std::fs::remove_file(place.files("data").remove(0)).unwrap();
    let made = place.backup();
    assert!(made.stored_bytes > 2_900_000, "{}", made.stored_bytes);
    place.restore(&made.snapshot);
    std::fs::remove_dir_all(place.path("target")).unwrap();
    place.restore(&first.snapshot);
}

#[test]
pub(crate) fn backups_at_the_same_time_after_crashes_take_nothing_away_from_each_other() {
    let place = large_in(Place::new());
    let others: Vec<Place> = (0..3u64)
        .map(|n| {
            let other = Place::new();
            for file in 0..12u64 {
                other.write(&format!("{file}.bin"), &noise(1_500_000, 500 + 20 * n + file));
            }
            other
        })
        .collect();
    let asked = |n: usize| {
        let mut backup = others[n].backup_request();
        backup.dataset = format!("other-{n}");
        place.request(Operation::Backup(Box::new(backup)))
    };
    // The repository is made by all of them at once, too.
    for round in 0..4 {
        let mut killed = engine(&place);
        let running: Vec<Engine> = (0..others.len()).map(|n| Engine::start(&asked(n))).collect();
        until("something is written", || packs(&place) > round);
        killed.child.kill().unwrap();
        killed.child.wait().unwrap();
        for engine in running {
            let report = engine.end().report.unwrap();
            assert_eq!(report.outcome, Outcome::Good, "{report:?}");
        }
        for (n, other) in others.iter().enumerate() {
            other.write("new.bin", &noise(900_000, 5_000 + 10 * round as u64 + n as u64));
        }
    }
    place.backup();
    let report = place.check();
    assert_eq!(
        report.outcome,
        Outcome::Good,
        "every snapshot of every dataset is whole: {report:?}"
    );
    assert_eq!(place.snapshots(), 2 * (4 * others.len() + 1), "each with its manifest");
}
