//! Whatever reads what comes from elsewhere is given thousands of things that were right once: it refuses them or reads them, and
//! never ends the program; and what it reads it writes again as it came, so that nothing has two spellings.

use domain::envelope::Envelope;
use domain::flush::Flush;
use domain::leaf::Leaf;
use evidence::{Depth, Verdict};
use testkit::world::Rng;
use tlog::{
    Checkpoint, Note, Policy, Submission, VerifierKey, WitnessKey, read_entries, write_entries,
};

use super::site::{Site, careful, log_key, witness};

/// How often each is garbled.
const ROUNDS: usize = 4_000;

/// Pieces that mean something to one of the readers.
const WORDS: [&[u8]; 16] = [
    b"\n",
    b"\n\n",
    b"\xe2\x80\x94 ",
    b"\0",
    b"\"",
    b"{",
    b"}",
    b"18446744073709551616",
    b"-1",
    b"0",
    b"\xff\xff\xff\xff",
    b"\xed\xa0\x80",
    b" ",
    b"=",
    b"1e400",
    b"\xef\xbb\xbf",
];

/// The same with something in it changed.
fn garbled(good: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=rng.index(4) {
        let at = rng.index(bytes.len());
        let end = at + rng.index(bytes.len() - at + 1).min(64);
        match rng.index(6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << rng.index(8),
            1 => bytes.truncate(at),
            2 => drop(bytes.splice(at..at, rng.pick(&WORDS).iter().copied())),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let piece = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            _ => bytes.insert(at, rng.bits() as u8),
        }
    }
    bytes
}

/// Gives a reader what was garbled; it says how it writes what it read, where it read it. Some of it must have been refused.
fn each(seed: u64, good: &[Vec<u8>], read: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    let (mut rng, mut refused) = (Rng::new(seed), 0);
    for one in good {
        assert_eq!(read(one).as_ref(), Some(one), "{}", String::from_utf8_lossy(one));
    }
    for round in 0..ROUNDS {
        let bad = garbled(&rng.pick(good), &mut rng);
        match read(&bad) {
            Some(written) => assert_eq!(written, bad, "round {round} of seed {seed}"),
            None => refused += 1,
        }
    }
    assert!(refused > ROUNDS / 10, "{refused} of {ROUNDS} were refused");
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// A head that was signed and witnessed.
fn note() -> Note {
    let site = Site::get();
    let head = site.head(5);
    head.note.clone().with(witness().cosign(&head.says, site.ends)).unwrap()
}

#[test]
fn notes_and_the_heads_in_them_have_one_spelling() {
    let note = note();
    each(1, &[note.to_string().into_bytes()], |bytes| {
        Some(Note::parse(bytes).ok()?.to_string().into_bytes())
    });
    each(2, &[note.text().as_bytes().to_vec()], |bytes| {
        Some(Checkpoint::parse(text(bytes)?).ok()?.to_text().into_bytes())
    });
}

#[test]
fn leaves_and_entries_have_one_spelling() {
    let leaves = &Site::get().leaves;
    each(3, leaves, |bytes| Some(Leaf::from_bytes(bytes).ok()?.to_bytes()));
    let bundle = write_entries(leaves.iter().take(9).map(Vec::as_slice)).unwrap();
    each(4, &[bundle], |bytes| write_entries(read_entries(bytes).ok()?).ok());
}

#[test]
fn envelopes_and_flushes_have_one_spelling() {
    let leaves: Vec<Leaf> =
        Site::get().leaves.iter().map(|leaf| Leaf::from_bytes(leaf).unwrap()).collect();
    let envelopes: Vec<Vec<u8>> = leaves.iter().map(|leaf| leaf.envelope.clone()).collect();
    each(5, &envelopes, |bytes| {
        let envelope = Envelope::parse(bytes).ok()?;
        // What it says may be what nobody knows: that is refused, and does not end the program.
        let _ = envelope.event();
        envelope.to_bytes().ok()
    });
    let key = &Site::get().keys[0];
    let flush = Flush::sign(envelopes[..3].to_vec(), key).unwrap().to_bytes();
    each(6, &[flush], |bytes| Some(Flush::from_bytes(bytes).ok()?.to_bytes()));
}

#[test]
fn keys_submissions_and_policies_are_refused_or_read() {
    let log = log_key().verifier_key().to_string();
    each(7, &[log.clone().into_bytes()], |bytes| {
        Some(text(bytes)?.parse::<VerifierKey>().ok()?.to_string().into_bytes())
    });
    let witness = witness().witness_key().to_string();
    each(8, &[witness.clone().into_bytes()], |bytes| {
        Some(text(bytes)?.parse::<WitnessKey>().ok()?.to_string().into_bytes())
    });
    let submission = format!("old 3\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n\n{}", note());
    each(9, &[submission.into_bytes()], |bytes| {
        Some(Submission::parse(bytes).ok()?.to_string().into_bytes())
    });
    // It may be written with more or fewer blanks and comments.
    let policy = format!("log {log}\nwitness w {witness}\ngroup g all w\nquorum g\n");
    each(10, &[policy.into_bytes()], |bytes| {
        Policy::parse(text(bytes)?).ok().map(|_| bytes.to_vec())
    });
}

#[test]
fn a_garbled_bundle_is_never_verified_and_never_ends_the_verifier() {
    let good = super::site::bundle(&Site::get().leaves[..40], &Site::get().signers()).tar();
    let (mut rng, trust) = (Rng::new(11), careful(&[]));
    for round in 0..300 {
        let bad = garbled(&good, &mut rng);
        let report = evidence::verify(&bad[..], &trust, Depth::Full, &mut |_, _| {}).unwrap();
        assert!(bad == good || report.verdict != Verdict::Verified, "round {round}: {report}");
    }
}
