//! What the tests have in common.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use domain::canonical::Digest;
use domain::envelope::{Draft, Envelope, Place};
use domain::event::JobPaused;
use domain::flush::Flush;
use domain::ids::{ProducerId, StreamId};
use domain::keys::SecretKey;
use jiff::Timestamp;
use journal::{Cut, Journal, JournalError};
use tempfile::TempDir;

pub(crate) const LIMIT: u64 = 64 * 1024 * 1024;

pub(crate) fn producer() -> ProducerId {
    "executor/fin-02".parse().unwrap()
}

pub(crate) fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

pub(crate) fn now() -> Timestamp {
    "2026-11-20T07:30:00.214873Z".parse().unwrap()
}

/// A directory in memory where there is one: thousands of reopenings need no real disk.
pub(crate) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

pub(crate) fn try_open_once(
    dir: &Path,
    producer: &ProducerId,
    limit: u64,
) -> Result<(Journal, Option<Cut>), JournalError> {
    let opened = Journal::open(dir, producer, key(), limit)?;
    Ok((opened.journal, opened.cut))
}

/// Opens a journal as `producer`. Where another test starts a process, that process holds a copy of every
/// lock until its program has begun: then it is tried again.
pub(crate) fn try_open_as(
    dir: &Path,
    producer: &ProducerId,
    limit: u64,
) -> Result<(Journal, Option<Cut>), JournalError> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match try_open_once(dir, producer, limit) {
            Err(JournalError::Io { what: "lock", .. }) if Instant::now() < until => {
                std::thread::yield_now();
            }
            opened => return opened,
        }
    }
}

pub(crate) fn try_open(dir: &Path, limit: u64) -> Result<(Journal, Option<Cut>), JournalError> {
    try_open_as(dir, &producer(), limit)
}

pub(crate) fn open(dir: &Path) -> (Journal, Option<Cut>) {
    try_open(dir, LIMIT).unwrap()
}

pub(crate) fn draft(text: &str) -> Draft {
    Draft::new(StreamId::job("payroll"), 1, JobPaused { reason: text.to_owned() })
}

pub(crate) fn drafts(count: usize) -> Vec<Draft> {
    (0..count).map(|n| draft(&format!("event {n}"))).collect()
}

pub(crate) fn file(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}.journal"))
}

/// The envelopes of flushes, in order, each checked to follow the one before and each flush to be signed.
pub(crate) fn chain(begin: Place, flushes: &[Vec<u8>]) -> Vec<Envelope> {
    let mut place = begin;
    let mut all = Vec::new();
    for bytes in flushes {
        let flush = Flush::from_bytes(bytes).unwrap();
        for bytes in &flush.envelopes {
            let envelope = Envelope::parse(bytes).unwrap();
            assert_eq!((envelope.pseq, envelope.pprev), (place.pseq + 1, place.last));
            place = Place { pseq: envelope.pseq, last: Digest::of(bytes) };
            all.push(envelope);
        }
        let last = flush.envelopes.last().unwrap();
        assert_eq!(key().public().verify(last, &flush.seal), Ok(()));
    }
    all
}

/// The envelopes that wait in a journal of which nothing was committed.
pub(crate) fn unsent(journal: &Journal) -> Vec<Envelope> {
    let flushes: Vec<_> = journal.unsent().map(|written| written.bytes.clone()).collect();
    let all = chain(Place::default(), &flushes);
    assert_eq!(journal.place().pseq, all.len() as u64);
    all
}
