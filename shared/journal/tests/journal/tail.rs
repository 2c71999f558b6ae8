//! The end of the file after a crash, and bytes that no crash explains.

use std::fs;
use std::path::Path;

use domain::envelope::Place;
use journal::{Cut, JournalError};

use crate::given::{
    chain, draft, drafts, file, now, open, producer, scratch, try_open, try_open_as, unsent,
};

/// A journal's bytes, where each of its records ends, and where the journal stood then.
struct Sample {
    bytes: Vec<u8>,
    header: usize,
    records: Vec<(usize, Place, usize)>,
}

/// One event, three, a note that the first is committed, then two flushes of one.
fn sample() -> Sample {
    let dir = scratch();
    let path = file(dir.path(), 1);
    let (mut journal, _) = open(dir.path());
    let length = || fs::metadata(&path).unwrap().len() as usize;
    let header = length();
    let mut records = Vec::new();
    for step in 0..5 {
        match step {
            1 => drop(journal.append(drafts(3), now()).unwrap()),
            2 => journal.committed(1).unwrap(),
            _ => drop(journal.append(vec![draft("one")], now()).unwrap()),
        }
        records.push((length(), journal.place(), journal.unsent().count()));
    }
    Sample { bytes: fs::read(&path).unwrap(), header, records }
}

impl Sample {
    /// What is whole of the first `size` bytes: where it ends, the place, the flushes that wait.
    fn whole(&self, size: usize) -> (usize, Place, usize) {
        let nothing = (self.header, Place::default(), 0);
        self.records.iter().rev().find(|(end, ..)| *end <= size).copied().unwrap_or(nothing)
    }
}

fn put(dir: &Path, bytes: &[u8]) {
    for entry in fs::read_dir(dir).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    fs::write(file(dir, 1), bytes).unwrap();
}

/// Opens it, checks what was kept and cut, and that the next event continues the chain.
fn check(dir: &Path, sample: &Sample, whole: usize, cut: Option<u64>) {
    let (_, place, waiting) = sample.whole(whole);
    let (mut journal, found) = open(dir);
    let cut = cut.map(|bytes| Cut { bytes, whole_until: place.pseq });
    assert_eq!((found, journal.place(), journal.unsent().count()), (cut, place, waiting));
    let next = journal.append(vec![draft("next")], now()).unwrap();
    assert_eq!(chain(place, &[next.bytes])[0].pseq, place.pseq + 1);
    drop(journal);
    let (journal, cut) = open(dir);
    assert_eq!((cut, journal.place().pseq), (None, place.pseq + 1));
}

#[test]
fn a_file_cut_at_any_byte_keeps_its_whole_flushes_reports_the_cut_and_goes_on() {
    let sample = sample();
    let dir = scratch();
    for size in 0..=sample.bytes.len() {
        put(dir.path(), &sample.bytes[..size]);
        let torn = size.checked_sub(sample.whole(size).0).filter(|torn| *torn > 0);
        check(dir.path(), &sample, size, torn.map(|torn| torn as u64));
    }
}

#[test]
fn zeros_where_the_last_bytes_did_not_arrive_are_cut_off() {
    let sample = sample();
    let dir = scratch();
    let full = sample.bytes.len();
    for size in sample.records[3].0..full {
        let zeros = vec![0; full - size];
        put(dir.path(), &[&sample.bytes[..size], &zeros].concat());
        // A record may end in zeros of its own: then it is whole.
        let whole =
            if fs::read(file(dir.path(), 1)).unwrap() == sample.bytes { full } else { size };
        let torn = full - sample.whole(whole).0;
        check(dir.path(), &sample, whole, (torn > 0).then_some(torn as u64));
    }
    for zeros in [1, 8, 9, 17, 511, 4096, 65_536] {
        put(dir.path(), &[&sample.bytes[..], &vec![0; zeros]].concat());
        check(dir.path(), &sample, full, Some(zeros as u64));
    }
}

#[test]
fn later_pages_of_the_last_write_may_arrive_without_the_earlier_ones() {
    let sample = sample();
    let dir = scratch();
    let (begin, _, _) = sample.records[3];
    for lost in 1..sample.bytes.len() - begin {
        let mut bytes = sample.bytes.clone();
        bytes[begin..begin + lost].fill(0);
        if bytes == sample.bytes {
            continue;
        }
        put(dir.path(), &bytes);
        check(dir.path(), &sample, begin, Some((bytes.len() - begin) as u64));
    }
}

#[test]
fn a_changed_byte_before_the_last_record_is_damage_and_nothing_is_guessed_or_cut() {
    let sample = sample();
    let dir = scratch();
    let last = sample.records[3].0;
    for at in 0..last {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = sample.bytes.clone();
            bytes[at] ^= flip;
            put(dir.path(), &bytes);
            let error = try_open(dir.path(), u64::MAX).map(drop).unwrap_err();
            let JournalError::Damaged { at: found, .. } = error else {
                panic!("byte {at}: {error}")
            };
            let record = if at < sample.header { 0 } else { sample.whole(at).0 as u64 };
            assert_eq!(found, record, "byte {at}");
            assert_eq!(fs::read(file(dir.path(), 1)).unwrap(), bytes, "the file is left as it is");
        }
    }
}

#[test]
fn a_changed_byte_in_the_last_record_is_reported_like_an_unfinished_write() {
    let sample = sample();
    let dir = scratch();
    let begin = sample.records[3].0;
    for at in begin..sample.bytes.len() {
        let mut bytes = sample.bytes.clone();
        bytes[at] ^= 0x20;
        put(dir.path(), &bytes);
        check(dir.path(), &sample, begin, Some((bytes.len() - begin) as u64));
    }
}

#[test]
fn a_flush_is_kept_whole_or_not_at_all() {
    let sample = sample();
    let dir = scratch();
    let (begin, _, _) = sample.records[0];
    let (end, _, _) = sample.records[1];
    for size in begin..end {
        put(dir.path(), &sample.bytes[..size]);
        let (journal, _) = open(dir.path());
        assert_eq!(unsent(&journal).len(), 1, "three events were said together");
    }
}

#[test]
fn what_another_key_or_producer_wrote_is_not_taken_over() {
    let sample = sample();
    let dir = scratch();
    put(dir.path(), &sample.bytes);
    let other = "executor/fin-03".parse().unwrap();
    let error = try_open_as(dir.path(), &other, u64::MAX).map(drop).unwrap_err();
    assert!(
        matches!(&error, JournalError::Owner { found, .. } if *found == producer().to_string())
    );
    assert!(error.to_string().contains("give each producer a directory of its own"), "{error}");
    assert_eq!(fs::read(file(dir.path(), 1)).unwrap(), sample.bytes);
}
