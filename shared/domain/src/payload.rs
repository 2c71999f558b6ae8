//! Payloads: what an event commits to and does not hold, and the file by which one is shown to somebody.
//!
//! The file is three lines and the content: `decklog-payload-1`; the position and the identity of the event that commits to it;
//! the salt, hexadecimal; and then the bytes as they were.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::canonical::{Digest, hex, unhex};
use crate::ids::{BadName, StreamId};

/// The class of what runs write to their output.
pub const OUTPUT: &str = "output";
/// The first line of a file.
const FORMAT: &str = "decklog-payload-1";
/// Longest of the three lines, in bytes.
const LINE_BYTES_MAX: usize = 100;

/// What an event commits to: SHA-256 of the salt and of the content's SHA-256, one behind the other. Without the salt,
/// which is payload, nobody can try which content it was.
pub fn commitment(salt: &[u8; 32], content: &Digest) -> Digest {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(content.0);
    Digest(hash.finalize().into())
}

/// What somebody means by a text: a run or a document, by its stream, or a run by its name alone.
///
/// # Errors
/// What is wrong with it.
pub fn named(text: &str) -> Result<StreamId, String> {
    let text = text.trim();
    let whole = text.starts_with("run/") || text.starts_with("document/");
    let read = if whole { text.parse() } else { format!("run/{text}").parse() };
    read.map_err(|error: BadName| format!("{text:?} is no run and no document: {error}"))
}

/// A payload that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disclosure<'a> {
    /// Position of the event that commits to it, from 1.
    pub position: u64,
    /// Identity of that event.
    pub event: Uuid,
    /// The salt.
    pub salt: [u8; 32],
    /// The content.
    pub content: &'a [u8],
}

impl<'a> Disclosure<'a> {
    /// Reads a file: only what [`Disclosure::to_bytes`] would have written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let (format, rest) = line(bytes)?;
        if format != FORMAT {
            return Err(format!("its first line is not {FORMAT}"));
        }
        let (of, rest) = line(rest)?;
        let (position, event) = of.split_once(' ').ok_or("its second line names no event")?;
        let position = position.parse().map_err(|_| "its second line has no position")?;
        let event = event.parse().map_err(|_| "its second line has no identity of an event")?;
        let (salt, content) = line(rest)?;
        let salt = unhex(salt).and_then(|salt| salt.try_into().ok());
        let salt = salt.ok_or("its third line is no salt of 32 bytes")?;
        let read = Self { position, event, salt, content };
        let spelled = bytes.starts_with(read.head().as_bytes());
        spelled.then_some(read).ok_or_else(|| "its first lines are spelled otherwise".to_owned())
    }

    fn head(&self) -> String {
        format!("{FORMAT}\n{} {}\n{}\n", self.position, self.event, hex(&self.salt))
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.head().as_bytes(), self.content].concat()
    }

    /// What the event has to commit to.
    pub fn commitment(&self) -> Digest {
        commitment(&self.salt, &Digest::of(self.content))
    }
}

/// The next line, and what comes behind it.
fn line(bytes: &[u8]) -> Result<(&str, &[u8]), String> {
    let head = bytes.get(..LINE_BYTES_MAX).unwrap_or(bytes);
    let end =
        head.iter().position(|byte| *byte == b'\n').ok_or("it has no three lines in front")?;
    let (text, rest) = bytes.split_at(end);
    let text = std::str::from_utf8(text).map_err(|_| "its first lines are no text")?;
    Ok((text, rest.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> Disclosure<'static> {
        let event = "0190a1b2-0000-7000-8000-000000000001".parse().unwrap();
        Disclosure { position: 17, event, salt: [7; 32], content: b"two\nlines\n" }
    }

    #[test]
    fn a_payload_that_is_shown_is_read_back_as_it_was_written() {
        let bytes = shown().to_bytes();
        assert_eq!(Disclosure::parse(&bytes), Ok(shown()));
        assert_eq!(shown().commitment(), commitment(&[7; 32], &Digest::of(b"two\nlines\n")));
        let empty = Disclosure { content: b"", ..shown() };
        assert_eq!(Disclosure::parse(&empty.to_bytes()), Ok(empty));
    }

    #[test]
    fn a_run_may_be_named_without_its_word_and_nothing_else_is_meant_by_a_name() {
        let run = "run/payroll@request-1";
        let document = "document/0123456789abcdef0123456789abcdef";
        for (text, means) in [(run, run), ("payroll@request-1", run), (document, document)] {
            assert_eq!(named(text).unwrap().as_str(), means);
        }
        for text in ["", "payroll", "job/payroll", "log/records", "document/1"] {
            assert!(named(text).unwrap_err().contains("is no run and no document"), "{text}");
        }
    }

    #[test]
    fn there_is_one_spelling_of_what_stands_in_front_of_it() {
        let good = String::from_utf8(shown().to_bytes()).unwrap();
        for (from, to) in [
            ("decklog-payload-1", "decklog-payload-2"),
            ("17 ", "017 "),
            ("17 ", "+17 "),
            ("17 ", "17  "),
            ("17 ", ""),
            ("0190a1b2", "0190A1B2"),
            ("0707", "07"),
            ("0707", "zz07"),
            ("decklog", "\u{e4}"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert!(Disclosure::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        for end in 0..good.len() - "two\nlines\n".len() {
            assert!(Disclosure::parse(&good.as_bytes()[..end]).is_err(), "{end}");
        }
    }
}
