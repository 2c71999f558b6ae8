//! Why a page was not made.

use thiserror::Error;

/// Why a document could not be put on paper.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PaperError {
    /// The text is not that of a signed checkpoint (C2SP tlog-checkpoint).
    #[error("reading the checkpoint of a daily head: {0}")]
    Checkpoint(&'static str),
    /// An instant that goes into the file's own description is not one.
    #[error("reading the instant {0:?} of a page: write it as in 2026-11-30T06:00:00Z")]
    Instant(String),
    /// More rows than one document may have.
    #[error("printing {count} {what}: a document holds {most} at most, print them in parts")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many were given.
        count: usize,
        /// How many may be given.
        most: usize,
    },
    /// A text that must be printed whole is longer than its place.
    #[error("printing {what} of {bytes} bytes: there is room for {most}")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// How long it is, in bytes.
        bytes: usize,
        /// How long it may be, in bytes.
        most: usize,
    },
    /// A font that was built in cannot be read. That is a fault of the build, not of the input.
    #[error("reading the font {0} that is built in: build the program again")]
    Font(&'static str),
    /// What would have come out is not valid PDF/A or PDF/UA.
    #[error("writing a document as PDF/A: {0}")]
    Pdf(String),
}
