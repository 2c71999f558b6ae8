//! What is sent to a witness: a head, and the proof that it continues the one the witness cosigned last (C2SP tlog-witness,
//! «add-checkpoint»).

use std::fmt;

use thiserror::Error;

use crate::hash::Hash;
use crate::lines::{self, PROOF_BYTES_MAX};
use crate::note::{MAX_NOTE_BYTES, Note, NoteError};

/// The longest submission, in bytes.
pub const MAX_SUBMISSION_BYTES: usize = MAX_NOTE_BYTES + PROOF_BYTES_MAX;

/// A head for a witness. Its `Display` is the body of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Size of the head that the witness cosigned last, as the sender believes; 0 for none.
    pub old: u64,
    /// Consistency proof from there (RFC 6962 §2.1.2).
    pub proof: Vec<Hash>,
    /// The head.
    pub note: Note,
}

/// Why bytes are no submission.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubmissionError {
    /// Longer than [`MAX_SUBMISSION_BYTES`].
    #[error("reading a submission: {0} bytes are more than {MAX_SUBMISSION_BYTES}")]
    TooLarge(usize),
    /// It is not UTF-8, or lines are missing.
    #[error("reading a submission: not lines of text with an empty one before the head")]
    Lines,
    /// The first line is not `old SIZE`.
    #[error("reading a submission: the first line is not `old` and a size")]
    Old,
    /// A line of the proof is no hash, or there are too many.
    #[error(
        "reading a submission: line {0} of the proof is no base64 of 32 bytes, or one too many"
    )]
    Proof(usize),
    /// The head is no note.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Submission {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`SubmissionError`] naming what is not well-formed.
    pub fn parse(bytes: &[u8]) -> Result<Self, SubmissionError> {
        if bytes.len() > MAX_SUBMISSION_BYTES {
            return Err(SubmissionError::TooLarge(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| SubmissionError::Lines)?;
        let (head, note) = text.split_once("\n\n").ok_or(SubmissionError::Lines)?;
        let mut lines = head.split('\n');
        let old = lines::number(lines.next(), "old").ok_or(SubmissionError::Old)?;
        let proof = lines::hashes(lines).map_err(SubmissionError::Proof)?;
        Ok(Self { old, proof, note: Note::parse(note.as_bytes())? })
    }
}

impl fmt::Display for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "old {}\n{}\n{}", self.old, lines::written(&self.proof), self.note)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    const EXAMPLE: &str = "old 20852014\n\
        PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
        jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
        5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
        /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\
        \n\
        example.com/behind-the-sofa\n\
        20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\
        \n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

    #[test]
    fn the_specifications_example_is_read_and_written_alike() -> Result<(), Box<dyn Error>> {
        let read = Submission::parse(EXAMPLE.as_bytes())?;
        assert_eq!((read.old, read.proof.len()), (20_852_014, 4));
        assert_eq!(read.to_string(), EXAMPLE);
        Ok(())
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let many =
            format!("old 1\n{}", "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n".repeat(64));
        let rest = &EXAMPLE[EXAMPLE.find("\n\n").unwrap_or(0)..];
        for (text, error) in [
            (EXAMPLE.replacen("old ", "new ", 1), SubmissionError::Old),
            (EXAMPLE.replacen("old 2", "old 02", 1), SubmissionError::Old),
            (EXAMPLE.replacen("PlRN", "Pl*N", 1), SubmissionError::Proof(1)),
            (EXAMPLE.replacen("pkaw=", "pka=", 1), SubmissionError::Proof(1)),
            (many + rest, SubmissionError::Proof(64)),
            ("old 0\n".to_owned(), SubmissionError::Lines),
            (
                EXAMPLE.replacen("\u{2014}", "-", 1),
                SubmissionError::Note(NoteError::SignatureLine(1)),
            ),
        ] {
            assert_eq!(Submission::parse(text.as_bytes()), Err(error), "{text}");
        }
    }
}
