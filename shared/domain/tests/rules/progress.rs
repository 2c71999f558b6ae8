//! How far a backup is: numbers, rates, bars.

use domain::backup::progress::{Pace, Progress, size};
use jiff::Timestamp;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn progress(bytes: u64, total_bytes: Option<u64>) -> Progress {
    let phase = "backup".to_owned();
    Progress { at: at(0), phase, files: 3, bytes, total_bytes, bytes_per_second: None }
}

#[test]
fn a_share_is_told_where_the_whole_is_known_and_never_more_than_all() {
    let table = [
        (0, Some(100), Some(0)),
        (34, Some(100), Some(34)),
        (999, Some(1_000), Some(99)),
        (200, Some(100), Some(100)),
        (u64::MAX, Some(u64::MAX), Some(100)),
        (5, Some(0), None),
        (5, None, None),
    ];
    for (bytes, total, expected) in table {
        assert_eq!(progress(bytes, total).percent(), expected, "{bytes} of {total:?}");
    }
}

#[test]
fn the_rate_is_that_of_the_last_ten_seconds_of_a_phase() {
    let mut pace = Pace::default();
    // Second, phase, bytes, and the rate that is told.
    let table = [
        (0, "backup", 0, None),
        (2, "backup", 2_000, Some(1_000)),
        (4, "backup", 4_000, Some(1_000)),
        // From here on nothing comes.
        (6, "backup", 4_000, Some(666)),
        (8, "backup", 4_000, Some(500)),
        (10, "backup", 4_000, Some(400)),
        (12, "backup", 4_000, Some(200)),
        (14, "backup", 4_000, Some(0)),
        // Another phase, and one that begins anew.
        (16, "verify", 100, None),
        (18, "verify", 4_100, Some(2_000)),
        (20, "verify", 0, None),
        // Clocks do not go back; where one does, nothing is told.
        (19, "verify", 50, None),
    ];
    for (second, phase, bytes, expected) in table {
        let told = pace.next(at(second), phase, (1, bytes), None);
        assert_eq!(told.bytes_per_second, expected, "at {second}");
        assert_eq!((told.at, told.phase.as_str(), told.bytes), (at(second), phase, bytes));
    }
}

#[test]
fn it_is_told_in_words_and_as_a_bar_of_one_width() {
    let with_rate =
        |bytes, total, rate| Progress { bytes_per_second: rate, ..progress(bytes, total) };
    let mib = 1 << 20;
    let table = [
        (progress(10, None), "backup: 3 files, 10 B", "backup   3 files, 10 B"),
        (
            with_rate(512 * mib, Some(1024 * mib), Some(3 * mib / 2)),
            "backup: 50 %, 3 files, 512.0 MiB of 1.0 GiB, 1.5 MiB/s",
            "backup   [############             ]  50 % 3 files, 512.0 MiB of 1.0 GiB, 1.5 MiB/s",
        ),
        (
            with_rate(4, Some(4), Some(0)),
            "backup: 100 %, 3 files, 4 B of 4 B, 0 B/s",
            "backup   [#########################] 100 % 3 files, 4 B of 4 B, 0 B/s",
        ),
    ];
    for (progress, words, bar) in table {
        assert_eq!((progress.words().as_str(), progress.bar().as_str()), (words, bar));
    }
}

#[test]
fn bytes_are_told_with_a_unit_that_fits() {
    let table = [
        (0, "0 B"),
        (1_023, "1023 B"),
        (1_024, "1.0 KiB"),
        (1_536, "1.5 KiB"),
        (1 << 30, "1.0 GiB"),
        (5 << 40, "5.0 TiB"),
        (u64::MAX, "16777215.9 TiB"),
    ];
    for (bytes, expected) in table {
        assert_eq!(size(bytes), expected);
    }
}
