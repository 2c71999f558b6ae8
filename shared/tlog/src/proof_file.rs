//! A proof as a file that verifies by itself: that an entry is in a log, and which head says so (C2SP tlog-proof).

use std::fmt;

use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::Hash;
use crate::lines::{self, PROOF_BYTES_MAX};
use crate::note::{MAX_NOTE_BYTES, Note, NoteError};
use crate::proof::{ProofError, verify_inclusion};

const FIRST: &str = "c2sp.org/tlog-proof@v1";
/// The longest file, in bytes.
const MAX_BYTES: usize = MAX_NOTE_BYTES + PROOF_BYTES_MAX;

/// That an entry is in the tree of a head. Its `Display` is the file, whose name should end in `.tlog-proof`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// The entry's index in the log, from 0.
    pub index: u64,
    /// Inclusion proof (RFC 6962 §2.1.1).
    pub path: Vec<Hash>,
    /// The head, with whatever lines it has.
    pub note: Note,
}

/// Why bytes are no proof, or prove something else.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProofFileError {
    /// It is too long, not UTF-8, or lines are missing.
    #[error("reading a proof: not the lines of a tlog-proof with an empty one before the head")]
    Lines,
    /// The line behind the first is not `index N`. Such with `extra` data are none of ours.
    #[error("reading a proof: the second line is not `index` and a number")]
    Index,
    /// A line of the path is no hash, or there are too many.
    #[error("reading a proof: line {0} of the path is no base64 of 32 bytes, or one too many")]
    Path(usize),
    /// The head is no note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note is no head.
    #[error(transparent)]
    Head(#[from] CheckpointError),
    /// It does not prove what it is to prove.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl ProofFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ProofFileError`] naming what is not well-formed.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofFileError> {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_BYTES);
        let parts = text.and_then(|text| text.split_once("\n\n"));
        let (head, note) = parts.ok_or(ProofFileError::Lines)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST) {
            return Err(ProofFileError::Lines);
        }
        let index = lines::number(lines.next(), "index").ok_or(ProofFileError::Index)?;
        let path = lines::hashes(lines).map_err(ProofFileError::Path)?;
        Ok(Self { index, path, note: Note::parse(note.as_bytes())? })
    }

    /// Checks that it proves an entry of this hash to be in the tree of its head. Whose head that is, its reader has to ask.
    ///
    /// # Errors
    /// It does not, or the note is no head.
    pub fn check(&self, leaf: &Hash) -> Result<Checkpoint, ProofFileError> {
        let head = Checkpoint::parse(self.note.text())?;
        verify_inclusion(leaf, self.index, head.size(), &self.path, &head.root())?;
        Ok(head)
    }
}

impl fmt::Display for ProofFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FIRST}\nindex {}\n{}\n{}", self.index, lines::written(&self.path), self.note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Frontier, SignerKey, inclusion_proof, leaf_hash};

    fn leaves() -> Vec<Hash> {
        (0_u8..21).map(|n| leaf_hash(&[n])).collect()
    }

    fn file(index: u64) -> ProofFile {
        let key = SignerKey::from_seed("log.example/one", &[7; 32]).unwrap();
        let tree: Frontier = leaves().into_iter().collect();
        let head = Checkpoint::new("log.example/one", tree.size(), tree.root()).unwrap();
        let note = Note::parse(head.sign(&key).unwrap().as_bytes()).unwrap();
        ProofFile { index, path: inclusion_proof(&leaves(), index).unwrap(), note }
    }

    #[test]
    fn each_entry_is_proven_by_its_file_and_by_no_other() {
        for index in 0..21 {
            let text = file(index).to_string();
            assert!(
                text.starts_with(&format!("c2sp.org/tlog-proof@v1\nindex {index}\n")),
                "{text}"
            );
            let read = ProofFile::parse(text.as_bytes()).unwrap();
            assert_eq!(read, file(index));
            for (at, leaf) in (0..21).zip(leaves()) {
                assert_eq!(read.check(&leaf).is_ok(), at == index, "{at} by the file of {index}");
            }
        }
    }

    #[test]
    fn what_is_no_proof_says_why() {
        let good = file(5).to_string();
        for (does, text, says) in [
            ("another version", good.replacen("@v1", "@v2", 1), "not the lines"),
            ("extra data", good.replacen("index", "extra QQ==\nindex", 1), "second line"),
            (
                "a number in another spelling",
                good.replacen("index 5", "index 05", 1),
                "second line",
            ),
            ("no blank line", good.replacen("\n\n", "\n", 1), "base64"),
            ("a hash that is cut", good.replacen("=\n", "\n", 1), "line 1 of the path"),
            ("no head", good.split_inclusive("\n\n").next().unwrap().to_owned(), "note"),
            ("nothing", String::new(), "not the lines"),
        ] {
            let error = ProofFile::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{does}: {error}");
        }
    }
}
