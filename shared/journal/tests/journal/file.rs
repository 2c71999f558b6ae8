//! The file: its lock, its limits, its successor.

use std::fs;
use std::path::Path;

use domain::flush::{FLUSH_EVENTS_MAX, FlushError};
use journal::{Journal, JournalError};

use crate::given::{
    LIMIT, chain, draft, drafts, file, now, open, producer, scratch, try_open, try_open_once,
    unsent,
};

#[test]
fn a_second_opener_is_refused_until_the_first_has_gone() {
    let dir = scratch();
    let (journal, _) = open(dir.path());
    let error = try_open_once(dir.path(), &producer(), LIMIT).map(drop).unwrap_err();
    assert!(error.to_string().contains("another process has it open"), "{error}");
    drop(journal);
    open(dir.path());
}

#[test]
fn a_directory_that_is_not_there_is_made() {
    let dir = scratch();
    let deep = dir.path().join("var/lib/decklog");
    let (mut journal, _) = open(&deep);
    journal.append(drafts(1), now()).unwrap();
    assert!(file(&deep, 1).is_file());
}

#[test]
fn a_full_journal_says_so_writes_nothing_and_takes_more_once_the_recorder_has_answered() {
    let dir = scratch();
    let (mut journal, _) = try_open(dir.path(), 20_000).unwrap();
    let mut said = 0;
    let error = loop {
        match journal.append(drafts(2), now()) {
            Ok(_) => said += 2,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, JournalError::Full { limit: 20_000, .. }), "{error}");
    assert!(error.to_string().contains("nothing more is accepted until it answers"), "{error}");
    assert_eq!(journal.place().pseq, said);
    let size = fs::metadata(file(dir.path(), 1)).unwrap().len();
    assert!(size <= 20_000, "{size}");
    drop(journal);

    let (mut journal, cut) = try_open(dir.path(), 20_000).unwrap();
    assert_eq!((cut, unsent(&journal).len() as u64), (None, said));
    assert!(matches!(journal.append(drafts(2), now()), Err(JournalError::Full { .. })));
    journal.committed(said).unwrap();
    let place = journal.place();
    let next = journal.append(drafts(2), now()).unwrap();
    assert_eq!(chain(place, &[next.bytes]).len(), 2);
}

#[test]
fn what_does_not_fit_into_a_flush_is_refused_and_the_journal_goes_on() {
    let dir = scratch();
    let (mut journal, _) = open(dir.path());
    let large = "x".repeat(15_000);
    let refusals = [
        (Vec::new(), FlushError::Count(0)),
        (drafts(FLUSH_EVENTS_MAX + 1), FlushError::Count(257)),
    ];
    for (drafts, wanted) in refusals {
        let error = journal.append(drafts, now()).unwrap_err();
        assert!(matches!(&error, JournalError::Flush(found) if *found == wanted), "{error}");
    }
    let error = journal.append(vec![draft(&large); 40], now()).unwrap_err();
    assert!(matches!(error, JournalError::Flush(FlushError::TooLarge(_))), "{error}");
    let error = journal.append(vec![draft("ok"), draft(&large.repeat(2))], now()).unwrap_err();
    assert!(error.to_string().contains("event of stream job/payroll"), "{error}");
    journal.append(drafts(FLUSH_EVENTS_MAX), now()).unwrap();
    journal.append(vec![draft(&large); 30], now()).unwrap();
    drop(journal);
    let (journal, cut) = open(dir.path());
    assert_eq!((unsent(&journal).len(), cut), (FLUSH_EVENTS_MAX + 30, None));
}

/// Writes more than 4 MiB and says how many events that were.
fn fill(journal: &mut Journal, path: &Path) -> u64 {
    let large = "x".repeat(15_000);
    while fs::metadata(path).unwrap().len() <= 4 * 1024 * 1024 {
        journal.append(vec![draft(&large); 30], now()).unwrap();
    }
    journal.place().pseq
}

#[test]
fn a_large_file_is_left_for_a_new_one_when_everything_in_it_is_committed() {
    let dir = scratch();
    let (mut journal, _) = open(dir.path());
    let said = fill(&mut journal, &file(dir.path(), 1));
    journal.committed(said - 1).unwrap();
    assert!(file(dir.path(), 1).exists(), "one flush still waits");
    journal.committed(said).unwrap();
    assert!(!file(dir.path(), 1).exists() && file(dir.path(), 2).exists());
    let place = journal.place();
    assert_eq!(place.pseq, said);
    let next = journal.append(drafts(1), now()).unwrap();
    chain(place, &[next.bytes]);
    drop(journal);
    let (journal, cut) = open(dir.path());
    assert_eq!((journal.place().pseq, cut, journal.unsent().count()), (said + 1, None, 1));
}

#[test]
fn a_crash_between_beginning_a_file_and_removing_the_old_one_loses_nothing_whatever_arrived() {
    let dir = scratch();
    let (mut journal, _) = open(dir.path());
    let said = fill(&mut journal, &file(dir.path(), 1));
    let old = fs::read(file(dir.path(), 1)).unwrap();
    journal.committed(said).unwrap();
    let place = journal.place();
    drop(journal);
    let new = fs::read(file(dir.path(), 2)).unwrap();
    for size in 0..=new.len() {
        fs::write(file(dir.path(), 1), &old).unwrap();
        fs::write(file(dir.path(), 2), &new[..size]).unwrap();
        let (journal, cut) = open(dir.path());
        assert_eq!((journal.place(), cut), (place, None), "{size} bytes of the new header");
        let files = [1, 2].map(|number| file(dir.path(), number).exists());
        assert_eq!(files, [size < new.len(), size == new.len()]);
    }
}

#[test]
fn a_header_that_cannot_be_read_begins_the_counter_anew_only_where_nothing_was_ever_said() {
    let dir = scratch();
    let (mut journal, _) = open(dir.path());
    let said = fill(&mut journal, &file(dir.path(), 1));
    journal.committed(said).unwrap();
    drop(journal);
    let mut bytes = fs::read(file(dir.path(), 2)).unwrap();
    bytes[30] ^= 1;
    fs::write(file(dir.path(), 2), &bytes).unwrap();
    let error = try_open(dir.path(), LIMIT).map(drop).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { at: 0, .. }), "{error}");
    assert_eq!(fs::read(file(dir.path(), 2)).unwrap(), bytes);
}
