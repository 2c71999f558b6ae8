//! Signed notes: a text and the lines of those who signed it (C2SP signed-note).

use std::collections::BTreeSet;
use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine};
use thiserror::Error;

use crate::key::{NamedKey, SignerKey, VerifierKey, is_key_name};

/// The most signature lines a note may have. The specification asks for at least 16.
pub const MAX_SIGNATURES: usize = 100;

/// The largest note read or made, in bytes. Leaves room for 16 post-quantum signatures of 5 kB
/// in base64 and far more text than a log head needs, and bounds what a stranger can make us hold.
pub const MAX_NOTE_BYTES: usize = 256 * 1024;

/// What a signature line begins with: em dash, space.
const LINE_START: &str = "\u{2014} ";

/// Why a note could not be read, made or believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteError {
    /// Larger than [`MAX_NOTE_BYTES`].
    #[error("handling a note of {0} bytes: more than {MAX_NOTE_BYTES}")]
    TooLarge(usize),
    /// Not UTF-8.
    #[error("reading a note: not UTF-8 from byte {0}")]
    NotUtf8(usize),
    /// A control character other than newline.
    #[error("handling a note: control character {0:?}")]
    ControlCharacter(char),
    /// No blank line between text and signatures.
    #[error("reading a note: no blank line between text and signatures")]
    NoBlankLine,
    /// The text, or the last signature line, does not end in a newline.
    #[error("handling a note: it does not end in a newline")]
    Unterminated,
    /// No signature line, or nobody to sign.
    #[error("handling a note: no signature")]
    NoSignature,
    /// More than [`MAX_SIGNATURES`].
    #[error("handling a note: {0} signatures, more than {MAX_SIGNATURES}")]
    TooManySignatures(usize),
    /// A line among the signatures is not one.
    #[error("reading a note: signature line {0} is not «— name base64»")]
    SignatureLine(usize),
    /// One key was given twice to sign with.
    #[error("signing a note: key {0:?} signs twice")]
    SignerTwice(String),
    /// Two different keys with one name and id were given to verify with.
    #[error("verifying a note: two keys are named {0:?} and have the same id")]
    AmbiguousKey(String),
    /// A known key's signature does not verify.
    #[error("verifying a note: the signature of {0:?} is not by its key")]
    BadSignature(String),
    /// No signature is by a known key.
    #[error("verifying a note: signed by none of the keys given")]
    NotSigned,
}

/// A text with signatures. Well-formed by construction, which says nothing about who signed it:
/// believe the text only after [`verify`](Self::verify). Its `Display` is the note's exact bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line. The bytes are of any kind and length, as keys we do not know may have made
/// them; at least one. Its `Display` is the line without its newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    key_id: u32,
    bytes: Vec<u8>,
}

impl Note {
    /// Reads a note (C2SP signed-note, «Format»). Strict: a note that is read is shown again as
    /// exactly the bytes it was read from.
    ///
    /// # Errors
    /// [`NoteError`] naming what is not well-formed.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLarge(bytes.len()));
        }
        let note =
            std::str::from_utf8(bytes).map_err(|error| NoteError::NotUtf8(error.valid_up_to()))?;
        refuse_controls(note)?;
        // The last blank line separates: the text may have blank lines of its own.
        let end = note.rfind("\n\n").ok_or(NoteError::NoBlankLine)? + 1;
        let signatures = parse_signatures(&note[end + 1..])?;
        Ok(Self { text: note[..end].to_owned(), signatures })
    }

    /// Signs a text with each of the keys, in their order. The text has to end in a newline.
    ///
    /// # Errors
    /// [`NoteError`] if the text cannot be a note's, nobody signs or a key signs twice.
    pub fn sign(text: &str, signers: &[&SignerKey]) -> Result<Self, NoteError> {
        refuse_controls(text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Unterminated);
        }
        refuse_count(signers.len())?;
        let mut seen = BTreeSet::new();
        if let Some(twice) = signers.iter().find(|key| !seen.insert((key.name(), key.id()))) {
            return Err(NoteError::SignerTwice(twice.name().to_owned()));
        }
        let signatures = signers.iter().map(|key| NoteSignature::new(key, text)).collect();
        Self { text: text.to_owned(), signatures }.within_limit()
    }

    /// The same note with one more line, unless it has it. What the line says is not looked at.
    ///
    /// # Errors
    /// [`NoteError`] if it has as many as it may, or becomes too large.
    pub fn with(mut self, line: NoteSignature) -> Result<Self, NoteError> {
        if !self.signatures.contains(&line) {
            self.signatures.push(line);
        }
        refuse_count(self.signatures.len())?;
        self.within_limit()
    }

    /// The same note with what one key signed alone: how long it is does not depend on how many others did. What the line says is
    /// not looked at.
    #[must_use]
    pub fn only(mut self, key: &VerifierKey) -> Self {
        self.signatures.retain(|line| line.name() == key.name() && line.key_id() == key.id());
        self
    }

    fn within_limit(self) -> Result<Self, NoteError> {
        let size = self.to_string().len();
        if size > MAX_NOTE_BYTES { Err(NoteError::TooLarge(size)) } else { Ok(self) }
    }

    /// The signed text, with its final newline and without the blank line after it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, in the order they stand.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks every signature that one of `keys` should have made and returns the names that
    /// signed, each once. Signatures by other keys are ignored (C2SP signed-note, «Signatures»).
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] if a known key's signature is not by it, however many others
    /// are; [`NoteError::NotSigned`] if no known key signed; [`NoteError::AmbiguousKey`].
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Vec<&str>, NoteError> {
        let mut names = Vec::new();
        for signature in &self.signatures {
            let Some(key) = signature.key_among(keys)? else { continue };
            if !key.verifies(&self.text, &signature.bytes) {
                return Err(NoteError::BadSignature(signature.name.clone()));
            }
            if !names.contains(&signature.name()) {
                names.push(signature.name());
            }
        }
        if names.is_empty() { Err(NoteError::NotSigned) } else { Ok(names) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl NoteSignature {
    fn new(key: &SignerKey, text: &str) -> Self {
        Self::of(key.named(), key.sign(text).to_vec())
    }

    /// What a key said, as a line.
    pub(crate) fn of(key: &NamedKey, bytes: Vec<u8>) -> Self {
        Self { name: key.name.clone(), key_id: key.id, bytes }
    }

    /// Reads a line without its newline; nothing if it is not one.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(LINE_START)?.split_once(' ')?;
        let decoded = BASE64_STANDARD.decode(encoded).ok()?;
        let (id, bytes) = decoded.split_first_chunk::<4>()?;
        if !is_key_name(name) || bytes.is_empty() {
            return None;
        }
        let key_id = u32::from_be_bytes(*id);
        Some(Self { name: name.to_owned(), key_id, bytes: bytes.to_vec() })
    }

    /// The name of the key said to have signed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key said to have signed, as in [`VerifierKey::id`].
    #[must_use]
    pub const fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The signature itself, without the key id before it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key this signature should be by, if it is among `keys`.
    fn key_among<'k>(&self, keys: &'k [VerifierKey]) -> Result<Option<&'k VerifierKey>, NoteError> {
        let mut same = keys.iter().filter(|key| key.name() == self.name && key.id() == self.key_id);
        let first = same.next();
        if same.any(|other| Some(other) != first) {
            return Err(NoteError::AmbiguousKey(self.name.clone()));
        }
        Ok(first)
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.key_id.to_be_bytes(), self.bytes.as_slice()].concat();
        write!(f, "{LINE_START}{} {}", self.name, BASE64_STANDARD.encode(bytes))
    }
}

/// Reads all that follows the blank line.
fn parse_signatures(lines: &str) -> Result<Vec<NoteSignature>, NoteError> {
    if lines.is_empty() {
        return Err(NoteError::NoSignature);
    }
    let lines = lines.strip_suffix('\n').ok_or(NoteError::Unterminated)?;
    refuse_count(lines.split('\n').count())?;
    let numbered = lines.split('\n').zip(1..);
    numbered
        .map(|(line, number)| NoteSignature::parse(line).ok_or(NoteError::SignatureLine(number)))
        .collect()
}

fn refuse_count(signatures: usize) -> Result<(), NoteError> {
    match signatures {
        0 => Err(NoteError::NoSignature),
        1..=MAX_SIGNATURES => Ok(()),
        _ => Err(NoteError::TooManySignatures(signatures)),
    }
}

/// Control characters are those below U+0020, as the specification has it.
fn refuse_controls(text: &str) -> Result<(), NoteError> {
    match text.chars().find(|&c| c < ' ' && c != '\n') {
        Some(control) => Err(NoteError::ControlCharacter(control)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    /// The note in the documentation of Go's `golang.org/x/mod/sumdb/note`, and its key.
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\
        \n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    type TestResult = Result<(), Box<dyn Error>>;

    fn signer(name: &str, seed: u8) -> Result<SignerKey, Box<dyn Error>> {
        Ok(SignerKey::from_seed(name, &[seed; 32])?)
    }

    #[test]
    fn a_published_note_verifies_and_is_shown_as_it_was_read() -> TestResult {
        let note = Note::parse(NOTE.as_bytes())?;
        assert_eq!(note.verify(&[KEY.parse()?])?, ["PeterNeumann"]);
        assert_eq!(note.to_string(), NOTE);
        Ok(())
    }

    #[test]
    fn the_specifications_example_is_well_formed() -> TestResult {
        let example = "Ognuno sta solo sul cuor della terra\n\
            trafitto da un raggio di sole:\n\
            \n\
            ed è subito sera.\n\
            \n\
            — quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
        let note = Note::parse(example.as_bytes())?;
        assert!(note.text().ends_with("ed è subito sera.\n"));
        assert_eq!(note.signatures().len(), 1);
        assert_eq!(note.signatures()[0].name(), "quasimodo.example/salvatore");
        assert_eq!(note.signatures()[0].key_id(), 0x367b_a04b);
        assert_eq!(note.signatures()[0].bytes().len(), 64);
        Ok(())
    }

    #[test]
    fn what_is_not_a_note_says_why() {
        let cases: [(&str, NoteError); 13] = [
            ("", NoteError::NoBlankLine),
            ("text\n", NoteError::NoBlankLine),
            ("text\n\n", NoteError::NoSignature),
            ("text\n\n\u{2014} n AAAAAAA=", NoteError::Unterminated),
            ("te\rxt\n\n\u{2014} n AAAAAAA=\n", NoteError::ControlCharacter('\r')),
            ("text\n\n- n AAAAAAA=\n", NoteError::SignatureLine(1)),
            ("text\n\n\u{2014} n AAAAAAA=\nmore\n", NoteError::SignatureLine(2)),
            ("text\n\n\u{2014}  AAAAAAA=\n", NoteError::SignatureLine(1)),
            ("text\n\n\u{2014} n+m AAAAAAA=\n", NoteError::SignatureLine(1)),
            ("text\n\n\u{2014} n AAAAAAA= \n", NoteError::SignatureLine(1)),
            // Only the key id, then base64 without padding, then with stray bits at the end.
            ("text\n\n\u{2014} n AAAAAA==\n", NoteError::SignatureLine(1)),
            ("text\n\n\u{2014} n AAAAAAA\n", NoteError::SignatureLine(1)),
            ("text\n\n\u{2014} n AAAAAAB=\n", NoteError::SignatureLine(1)),
        ];
        for (bytes, why) in cases {
            assert_eq!(Note::parse(bytes.as_bytes()), Err(why), "{bytes:?}");
        }
        assert_eq!(Note::parse(b"te\xffxt\n\n"), Err(NoteError::NotUtf8(2)));
    }

    #[test]
    fn the_last_blank_line_ends_the_text() -> TestResult {
        let note = Note::parse("\n\n\n\u{2014} n AAAAAAA=\n".as_bytes())?;
        assert_eq!(note.text(), "\n\n");
        assert_eq!(Note::parse("\n\n\u{2014} n AAAAAAA=\n".as_bytes())?.text(), "\n");
        Ok(())
    }

    #[test]
    fn a_hundred_signatures_are_read_and_one_more_is_refused() {
        let line = "\u{2014} n AAAAAAA=\n";
        let with = |count: usize| Note::parse(format!("t\n\n{}", line.repeat(count)).as_bytes());
        assert_eq!(with(100).map(|note| note.signatures().len()), Ok(100));
        assert_eq!(with(101), Err(NoteError::TooManySignatures(101)));
    }

    #[test]
    fn a_note_beyond_the_size_limit_is_neither_read_nor_made() -> TestResult {
        let (key, text) = (signer("k", 1)?, "x".repeat(MAX_NOTE_BYTES) + "\n");
        assert!(matches!(Note::sign(&text, &[&key]), Err(NoteError::TooLarge(_))));
        assert_eq!(Note::parse(text.as_bytes()), Err(NoteError::TooLarge(text.len())));
        Ok(())
    }

    #[test]
    fn everyone_who_signed_and_is_known_is_named_once() -> TestResult {
        let (a, b, a_new) = (signer("a", 1)?, signer("b", 2)?, signer("a", 3)?);
        let note = Note::sign("text\n", &[&a, &b, &a_new])?;
        let keys = [a.verifier_key(), a_new.verifier_key()];
        assert_eq!(note.verify(&keys)?, ["a"]);
        assert_eq!(note.verify(&[b.verifier_key(), a.verifier_key()])?, ["a", "b"]);
        Ok(())
    }

    #[test]
    fn a_note_by_strangers_only_is_not_signed() -> TestResult {
        let note = Note::sign("text\n", &[&signer("a", 1)?])?;
        // The same name with another key, and the same key under another name.
        let strangers = [signer("a", 2)?.verifier_key(), signer("b", 1)?.verifier_key()];
        assert_eq!(note.verify(&strangers), Err(NoteError::NotSigned));
        assert_eq!(note.verify(&[]), Err(NoteError::NotSigned));
        Ok(())
    }

    #[test]
    fn two_known_keys_of_one_name_and_id_are_refused_and_one_key_given_twice_is_not() -> TestResult
    {
        // Found by trying: the first two counters whose keys collide in the 32 bits of an id.
        let twin = |counter: u32| {
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&counter.to_be_bytes());
            SignerKey::from_seed("twin", &seed)
        };
        let (one, other) = (twin(78_997)?, twin(85_003)?);
        assert_eq!(one.id(), other.id());
        let note = Note::sign("text\n", &[&one])?;
        let ambiguous = note.verify(&[one.verifier_key(), other.verifier_key()]);
        assert_eq!(ambiguous, Err(NoteError::AmbiguousKey("twin".to_owned())));
        assert_eq!(note.verify(&[one.verifier_key(), one.verifier_key()])?, ["twin"]);
        Ok(())
    }

    #[test]
    fn one_bad_signature_by_a_known_key_spoils_the_good_ones() -> TestResult {
        let (a, b) = (signer("a", 1)?, signer("b", 2)?);
        let mut note = Note::sign("text\n", &[&a, &b])?;
        note.signatures[1].bytes[63] ^= 0x10;
        let both = note.verify(&[a.verifier_key(), b.verifier_key()]);
        assert_eq!(both, Err(NoteError::BadSignature("b".to_owned())));
        assert_eq!(note.verify(&[a.verifier_key()])?, ["a"]);
        note.signatures[1].bytes.truncate(63);
        assert_eq!(note.verify(&[b.verifier_key()]), Err(NoteError::BadSignature("b".to_owned())));
        Ok(())
    }

    #[test]
    fn texts_and_signers_that_make_no_note_are_refused() -> TestResult {
        let a = signer("a", 1)?;
        assert_eq!(Note::sign("text", &[&a]), Err(NoteError::Unterminated));
        assert_eq!(Note::sign("", &[&a]), Err(NoteError::Unterminated));
        assert_eq!(Note::sign("te\0xt\n", &[&a]), Err(NoteError::ControlCharacter('\0')));
        assert_eq!(Note::sign("text\n", &[]), Err(NoteError::NoSignature));
        let twice = Note::sign("text\n", &[&a, &a]);
        assert_eq!(twice, Err(NoteError::SignerTwice("a".to_owned())));
        Ok(())
    }
}
