//! Each reader of what comes from elsewhere, as libFuzzer drives it: whatever it is given, it refuses or reads, and never ends the
//! program; and what it reads it writes again as it came, so that nothing has two spellings.
//!
//! Which reader is driven is said by `DECKLOG_FUZZ`, and by `DECKLOG_FUZZ_SEEDS` where to write what they are given first;
//! `ops/dev/fuzz` says both.
#![no_main]

mod seeds;

use std::path::PathBuf;
use std::sync::LazyLock;

use domain::envelope::Envelope;
use domain::flush::Flush;
use domain::leaf::Leaf;
use eventlog::Archive;
use evidence::{Depth, Trust, Verdict};
use libfuzzer_sys::fuzz_target;
use tlog::{
    Checkpoint, Note, Policy, ProofFile, Submission, VerifierKey, read_entries, write_entries,
};

/// The reader that is driven.
static READER: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("DECKLOG_FUZZ").unwrap_or_default();
    let known = READERS.iter().find(|(known, _)| *known == name);
    known.unwrap_or_else(|| panic!("DECKLOG_FUZZ is one of {:?}", READERS.map(|(name, _)| name))).1
});

const READERS: [(&str, fn(&[u8])); 9] = [
    ("note", note),
    ("checkpoint", checkpoint),
    ("leaf", leaf),
    ("envelope", envelope),
    ("flush", flush),
    ("texts", texts),
    ("token", token),
    ("tar", tar),
    ("zstd", zstd),
];

fuzz_target!(
    init: {
        if let Some(dir) = std::env::var_os("DECKLOG_FUZZ_SEEDS") {
            seeds::write_to(dir.as_ref()).unwrap_or_else(|error| panic!("{error:#}"));
            std::process::exit(0);
        }
    },
    |bytes: &[u8]| READER(bytes)
);

fn same(written: &[u8], read: &[u8]) {
    assert!(written == read, "it is written otherwise than it was read");
}

fn note(bytes: &[u8]) {
    if let Ok(note) = Note::parse(bytes) {
        same(note.to_string().as_bytes(), bytes);
    }
}

fn checkpoint(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(head) = Checkpoint::parse(text) {
        same(head.to_text().as_bytes(), bytes);
    }
}

fn leaf(bytes: &[u8]) {
    if let Ok(leaf) = Leaf::from_bytes(bytes) {
        same(&leaf.to_bytes(), bytes);
    }
    if let Ok(leaves) = read_entries(bytes) {
        same(&write_entries(leaves).unwrap_or_default(), bytes);
    }
}

fn envelope(bytes: &[u8]) {
    if let Ok(envelope) = Envelope::parse(bytes) {
        same(&envelope.to_bytes().unwrap_or_default(), bytes);
        // What it says may be what nobody knows.
        let _ = envelope.event();
    }
}

fn flush(bytes: &[u8]) {
    if let Ok(flush) = Flush::from_bytes(bytes) {
        same(&flush.to_bytes(), bytes);
    }
}

/// Small files and lines that people and programs hand over.
fn texts(bytes: &[u8]) {
    if let Ok(submission) = Submission::parse(bytes) {
        same(submission.to_string().as_bytes(), bytes);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = Policy::parse(text);
    if let Ok(key) = text.parse::<VerifierKey>() {
        same(key.to_string().as_bytes(), bytes);
    }
    if let Ok(proof) = ProofFile::parse(bytes) {
        same(proof.to_string().as_bytes(), bytes);
    }
}

/// An answer of a time-stamping authority.
fn token(bytes: &[u8]) {
    let _ = timestamp::Token::read(bytes);
}

/// Somebody who believes nobody.
static TRUST: LazyLock<Trust> = LazyLock::new(|| Trust {
    policy: None,
    held: Vec::new(),
    as_of: None,
    tsa: None,
    now: jiff::Timestamp::UNIX_EPOCH,
});

/// A whole bundle, or a part of a log.
fn tar(bytes: &[u8]) {
    let report = evidence::verify(bytes, &TRUST, Depth::Full, &mut |_, _| {});
    let verified = report.is_ok_and(|report| report.verdict == Verdict::Verified);
    assert!(!verified, "nobody is trusted, and it is verified");
}

/// A file of the archive.
fn zstd(bytes: &[u8]) {
    static DIR: LazyLock<PathBuf> =
        LazyLock::new(|| std::env::temp_dir().join(format!("decklog-fuzz-{}", std::process::id())));
    let archive = Archive::new(&DIR);
    let path = archive.file(0);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{error}"));
    }
    std::fs::write(&path, bytes).unwrap_or_else(|error| panic!("{error}"));
    let _ = archive.check(0);
}
