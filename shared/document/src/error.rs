//! Why a document is not taken.

use crate::Format;

/// Why a document was not read, counted or divided. Nothing of the document's content is in the text of an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// There is not one byte.
    #[error("the document is empty")]
    Empty,
    /// It is none of the formats known here.
    #[error("the document is neither PDF, PostScript, PWG raster nor plain text")]
    Unknown,
    /// It is something else than the caller says.
    #[error("the document is {found}, not {asked}")]
    OtherFormat {
        /// What the caller said.
        asked: Format,
        /// What it is.
        found: Format,
    },
    /// It cannot be read without a password, or says so.
    #[error("the PDF is encrypted; have it made without a password")]
    Encrypted,
    /// It does not add up, or ends too early.
    #[error("the {format} document is damaged: {what}; have it made again")]
    Damaged {
        /// What it is otherwise.
        format: Format,
        /// What does not add up, and where.
        what: String,
    },
    /// It may be good, but pages cannot be told apart in it.
    #[error("the pages of the PostScript document cannot be told apart: {what}")]
    NoStructure {
        /// What is missing.
        what: String,
    },
    /// It is well formed, but asks for something that is not done here.
    #[error("the {format} document cannot be handled: {what}")]
    Unsupported {
        /// What it is.
        format: Format,
        /// What it asks for.
        what: String,
    },
    /// Its pages are pictures or programs.
    #[error("the text of a {format} document cannot be read")]
    NoText {
        /// What it is.
        format: Format,
    },
    /// A limit of [`Limits`](crate::Limits) is reached.
    #[error("the document has more than {limit} {what}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// The most there may be.
        limit: u64,
    },
    /// There are no such pages.
    #[error("pages {from} to {to} are not in a document of {pages} pages")]
    NoSuchPages {
        /// First page asked for.
        from: u32,
        /// Last page asked for.
        to: u32,
        /// Number of pages there are.
        pages: u32,
    },
}

impl DocumentError {
    pub(crate) fn damaged(format: Format, what: impl Into<String>) -> Self {
        Self::Damaged { format, what: what.into() }
    }

    pub(crate) fn unsupported(format: Format, what: impl Into<String>) -> Self {
        Self::Unsupported { format, what: what.into() }
    }

    /// Copies are asked for in the job, where they are counted.
    pub(crate) fn copies(format: Format) -> Self {
        Self::unsupported(format, "it asks for copies itself; ask for them in the job")
    }

    pub(crate) fn no_structure(what: impl Into<String>) -> Self {
        Self::NoStructure { what: what.into() }
    }
}
