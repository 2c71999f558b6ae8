//! Notes and checkpoints against `signed_note` and `tlog_tiles`, both ways.

use base64::prelude::{BASE64_STANDARD, Engine};
use signed_note::{StandardSigner, StandardVerifier, VerifierList};
use tlog::{Checkpoint, Hash, Note, SignerKey, VerifierKey, leaf_hash};

use crate::TestResult;

const NAME: &str = "log.example/decklog";

const TEXTS: [&str; 5] =
    ["text\n", "\n", "two\nlines\n", "a blank\n\nline, ümlauts\n", "\u{2014} n AAAAAAA=\n\n"];

/// The secret key as `signed_note` reads it.
fn their_signer(key: &VerifierKey, seed: u8) -> Result<StandardSigner, signed_note::SignerError> {
    let secret = BASE64_STANDARD.encode([&[0x01], [seed; 32].as_slice()].concat());
    StandardSigner::new(&format!("PRIVATE+KEY+{}+{:08x}+{secret}", key.name(), key.id()))
}

fn their_verifier(key: &VerifierKey) -> Result<VerifierList, signed_note::VerifierError> {
    Ok(VerifierList::new(vec![Box::new(StandardVerifier::new(&key.to_string())?)]))
}

#[test]
fn what_we_sign_verifies_with_signed_note_byte_for_byte_the_same() -> TestResult {
    for seed in 0..20 {
        let ours = SignerKey::from_seed(NAME, &[seed; 32])?;
        let key = ours.verifier_key();
        for text in TEXTS {
            let note = Note::sign(text, &[&ours])?.to_string();
            let read = signed_note::Note::from_bytes(note.as_bytes())?;
            let (verified, unverified) = read.verify(&their_verifier(&key)?)?;
            assert_eq!((verified.len(), unverified.len(), read.text()), (1, 0, text.as_bytes()));

            let mut theirs = signed_note::Note::new(text.as_bytes(), &[])?;
            theirs.add_sigs(&[&their_signer(&key, seed)?])?;
            assert_eq!(theirs.to_bytes(), note.as_bytes());
        }
    }
    Ok(())
}

#[test]
fn what_signed_note_signs_verifies_here() -> TestResult {
    for seed in 0..20 {
        let key = SignerKey::from_seed(NAME, &[seed; 32])?.verifier_key();
        for text in TEXTS {
            let mut theirs = signed_note::Note::new(text.as_bytes(), &[])?;
            theirs.add_sigs(&[&their_signer(&key, seed)?])?;
            let note = Note::parse(&theirs.to_bytes())?;
            assert_eq!(note.verify(std::slice::from_ref(&key))?, [NAME]);
            assert_eq!(note.text(), text);
        }
    }
    Ok(())
}

#[test]
fn verifier_keys_are_the_same_text_and_id_as_signed_notes() -> TestResult {
    for seed in 0..20 {
        let key = SignerKey::from_seed(NAME, &[seed; 32])?.verifier_key();
        let public = [&[0x01], key.public_key().as_slice()].concat();
        assert_eq!(key.id(), signed_note::key_id(NAME, &public));
        assert_eq!(key.to_string().parse::<VerifierKey>()?, key);
        StandardVerifier::new(&key.to_string())?;
    }
    Ok(())
}

#[test]
fn checkpoints_read_the_same_here_and_in_tlog_tiles() -> TestResult {
    for size in [0, 1, 9, 10, 20_852_163, u64::MAX] {
        let root = if size == 0 { Hash::EMPTY_ROOT } else { leaf_hash(&size.to_be_bytes()) };
        let ours = Checkpoint::new(NAME, size, root)?;
        let theirs = tlog_tiles::Checkpoint::from_bytes(ours.to_text().as_bytes())
            .map_err(|e| e.to_string())?;
        assert_eq!((theirs.origin(), theirs.size(), theirs.hash().0), (NAME, size, root.0));
        assert_eq!(Checkpoint::parse(&String::from_utf8(theirs.to_bytes())?)?, ours);
    }
    Ok(())
}

#[test]
fn an_origin_that_injects_a_checkpoint_is_refused_here_though_not_in_tlog_tiles() -> TestResult {
    let origin = format!("{NAME}\n999\n{}", BASE64_STANDARD.encode([0; 32]));
    assert!(Checkpoint::new(&origin, 5, Hash::EMPTY_ROOT).is_err());
    let theirs = tlog_tiles::Checkpoint::new(&origin, 5, tlog_tiles::EMPTY_HASH, "")
        .map_err(|e| e.to_string())?;
    let reread =
        tlog_tiles::Checkpoint::from_bytes(&theirs.to_bytes()).map_err(|e| e.to_string())?;
    assert_eq!((theirs.size(), reread.size()), (5, 999));
    Ok(())
}
