//! Checkpoints: a log's name, size and root as the text of a signed note (C2SP tlog-checkpoint).

use base64::prelude::{BASE64_STANDARD, Engine};
use thiserror::Error;

use crate::hash::Hash;
use crate::key::{SignerKey, VerifierKey};
use crate::note::{Note, NoteError};

/// The head of a log: who it is, how many leaves it has and what their root is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
}

/// Why a checkpoint could not be made, read or believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// The origin is empty.
    #[error("naming a checkpoint's origin: it is empty")]
    EmptyOrigin,
    /// The origin has a newline or another control character, and could pass for further lines.
    #[error("naming a checkpoint's origin {0:?}: it has a control character")]
    ControlInOrigin(String),
    /// Fewer than three lines, or the last without its newline.
    #[error("reading a checkpoint: not three lines, each ending in a newline")]
    Incomplete,
    /// The second line is not a 64-bit decimal number without leading zeros.
    #[error("reading a checkpoint: size {0:?} is not a plain decimal number")]
    Size(String),
    /// The third line is not the canonical base64 of 32 bytes.
    #[error("reading a checkpoint: root {0:?} is not the base64 of 32 bytes")]
    Root(String),
    /// Lines follow the root. The specification advises against them and no monitor audits them.
    #[error("reading a checkpoint: extension line {0:?} is not accepted")]
    Extension(String),
    /// The signed note around it is malformed or not believed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The key to sign with has another name than the origin.
    #[error("signing a checkpoint of {origin:?}: the key is named {name:?}")]
    OtherSigner {
        /// The checkpoint's origin.
        origin: String,
        /// The key's name.
        name: String,
    },
    /// Nobody with the origin's name is among the verified signers.
    #[error("opening a checkpoint of {0:?}: not signed by its origin")]
    NotSignedByOrigin(String),
}

impl Checkpoint {
    /// The head of the log named `origin`, `size` leaves large.
    ///
    /// # Errors
    /// [`CheckpointError::EmptyOrigin`] or [`CheckpointError::ControlInOrigin`].
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        if origin.is_empty() {
            return Err(CheckpointError::EmptyOrigin);
        }
        // A newline in the origin would sign lines of the caller's choosing as size and root.
        if origin.contains(char::is_control) {
            return Err(CheckpointError::ControlInOrigin(origin.to_owned()));
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many leaves the log has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of their tree (RFC 6962 §2.1).
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// The three lines that are signed (C2SP tlog-checkpoint, «Note text»).
    #[must_use]
    pub fn to_text(&self) -> String {
        let root = BASE64_STANDARD.encode(self.root.0);
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// Reads what [`to_text`](Self::to_text) wrote, and nothing else: no extension lines, one
    /// spelling of each number and hash.
    ///
    /// # Errors
    /// [`CheckpointError`] naming the line that does not fit.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Incomplete)?.split('\n');
        let mut line = || lines.next().ok_or(CheckpointError::Incomplete);
        let (origin, size, root) = (line()?, line()?, line()?);
        if let Some(extension) = lines.next() {
            return Err(CheckpointError::Extension(extension.to_owned()));
        }
        Self::new(origin, parse_size(size)?, parse_root(root)?)
    }

    /// The checkpoint as a note signed by its log, ready to publish.
    ///
    /// # Errors
    /// [`CheckpointError::OtherSigner`] if the key is not named as the origin, so that nothing is
    /// signed that [`open`](Self::open) refuses; [`CheckpointError::Note`] if the origin is too
    /// long for a note.
    pub fn sign(&self, signer: &SignerKey) -> Result<String, CheckpointError> {
        if signer.name() != self.origin {
            let (origin, name) = (self.origin.clone(), signer.name().to_owned());
            return Err(CheckpointError::OtherSigner { origin, name });
        }
        Ok(Note::sign(&self.to_text(), &[signer])?.to_string())
    }

    /// Reads a published checkpoint and believes it only if a key among `keys`, named as its
    /// origin, signed it (C2SP tlog-checkpoint, «Signatures»). Nothing of the text is looked at
    /// before a signature on it has verified.
    ///
    /// # Errors
    /// [`CheckpointError`] naming what is malformed or missing.
    pub fn open(note: &[u8], keys: &[VerifierKey]) -> Result<Self, CheckpointError> {
        let note = Note::parse(note)?;
        let names = note.verify(keys)?;
        let checkpoint = Self::parse(note.text())?;
        if names.contains(&checkpoint.origin()) {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::NotSignedByOrigin(checkpoint.origin))
        }
    }
}

/// Digits only: what reads as a number but is not how we would write it is refused.
fn parse_size(line: &str) -> Result<u64, CheckpointError> {
    let size = line.parse::<u64>().ok().filter(|size| size.to_string() == line);
    size.ok_or_else(|| CheckpointError::Size(line.to_owned()))
}

fn parse_root(line: &str) -> Result<Hash, CheckpointError> {
    let bytes = BASE64_STANDARD.decode(line).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(Hash).ok_or_else(|| CheckpointError::Root(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    type TestResult = Result<(), Box<dyn Error>>;

    const ORIGIN: &str = "example.com/behind-the-sofa";
    const TEXT: &str = "example.com/behind-the-sofa\n\
        20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    fn signer(name: &str) -> Result<SignerKey, Box<dyn Error>> {
        Ok(SignerKey::from_seed(name, &[5; 32])?)
    }

    #[test]
    fn the_specifications_example_is_read_and_written_alike() -> TestResult {
        let checkpoint = Checkpoint::parse(TEXT)?;
        assert_eq!((checkpoint.origin(), checkpoint.size()), (ORIGIN, 20_852_163));
        assert!(checkpoint.root().to_string().starts_with("0ac5186a91863e8e"));
        assert_eq!(checkpoint.to_text(), TEXT);
        Ok(())
    }

    #[test]
    fn a_newline_or_another_control_character_in_the_origin_is_refused() {
        for origin in ["a\nb", "a\n", "a\r", "a\0", "a\u{7f}", "a\u{85}"] {
            let refused = Checkpoint::new(origin, 5, Hash::EMPTY_ROOT);
            assert_eq!(refused, Err(CheckpointError::ControlInOrigin(origin.to_owned())));
        }
        let unnamed = Checkpoint::new("", 5, Hash::EMPTY_ROOT);
        assert_eq!(unnamed, Err(CheckpointError::EmptyOrigin));
    }

    #[test]
    fn sizes_have_one_spelling() {
        for size in ["", "01", "00", "+1", "-1", "1 ", " 1", "0x1", "1e3", "18446744073709551616"] {
            let refused = Checkpoint::parse(&TEXT.replace("20852163", size));
            assert_eq!(refused, Err(CheckpointError::Size(size.to_owned())));
        }
        for size in ["0", "18446744073709551615"] {
            let read = Checkpoint::parse(&TEXT.replace("20852163", size));
            assert_eq!(read.map(|checkpoint| checkpoint.size().to_string()), Ok(size.to_owned()));
        }
    }

    #[test]
    fn roots_have_one_spelling() {
        let stray_bits = TEXT.replace("q2I=", "q2J=");
        let unpadded = TEXT.replace("q2I=", "q2I");
        let short = TEXT.replace("q2I=", "");
        for text in [stray_bits, unpadded, short] {
            let refused = Checkpoint::parse(&text);
            assert!(matches!(refused, Err(CheckpointError::Root(_))), "{refused:?}");
        }
    }

    #[test]
    fn missing_and_additional_lines_are_refused() {
        let extended = Checkpoint::parse(&format!("{TEXT}more\n"));
        assert_eq!(extended, Err(CheckpointError::Extension("more".to_owned())));
        let blank = Checkpoint::parse(&format!("{TEXT}\n"));
        assert_eq!(blank, Err(CheckpointError::Extension(String::new())));
        for text in ["", "\n", "a\n5\n", TEXT.trim_end()] {
            assert_eq!(Checkpoint::parse(text), Err(CheckpointError::Incomplete), "{text:?}");
        }
    }

    #[test]
    fn a_checkpoint_is_opened_only_with_its_origins_signature() -> TestResult {
        let (log, witness) = (signer(ORIGIN)?, signer("witness.example")?);
        let checkpoint = Checkpoint::parse(TEXT)?;
        let both = Note::sign(TEXT, &[&witness, &log])?.to_string();
        let keys = [witness.verifier_key(), log.verifier_key()];
        assert_eq!(Checkpoint::open(both.as_bytes(), &keys)?, checkpoint);
        let unvouched = Checkpoint::open(both.as_bytes(), &keys[..1]);
        assert_eq!(unvouched, Err(CheckpointError::NotSignedByOrigin(ORIGIN.to_owned())));
        let unknown = Checkpoint::open(both.as_bytes(), &[]);
        assert_eq!(unknown, Err(CheckpointError::Note(NoteError::NotSigned)));
        Ok(())
    }

    #[test]
    fn a_log_signs_only_under_its_own_name() -> TestResult {
        let checkpoint = Checkpoint::parse(TEXT)?;
        let other = CheckpointError::OtherSigner { origin: ORIGIN.into(), name: "other".into() };
        assert_eq!(checkpoint.sign(&signer("other")?), Err(other));
        assert!(checkpoint.sign(&signer(ORIGIN)?)?.starts_with(TEXT));
        Ok(())
    }
}
