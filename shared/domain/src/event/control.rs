//! Bodies of `control.*`: what people say of the controls that an auditor tests.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::canonical::Digest;

/// What became of an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlDisposition {
    /// It is one, and what follows of it is borne.
    Accepted,
    /// It is one, and was put right.
    Remediated,
    /// It is none: the rule is not about it.
    NotAnException,
}

impl ControlDisposition {
    /// Every one, in the order people read them.
    pub const ALL: [Self; 3] = [Self::Accepted, Self::Remediated, Self::NotAnException];

    /// The stored word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Remediated => "remediated",
            Self::NotAnException => "not-an-exception",
        }
    }

    /// The one with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }
}

/// `control.exception-disposed` 1: what became of an exception of the stream's control. A later one about the same exception
/// takes the place of this one; both stay in the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlExceptionDisposed {
    /// When it happened, or should have: with the two below, which exception it is.
    pub at: Timestamp,
    /// What it is about, as the control names it.
    pub subject: String,
    /// Where the log tells of it; absent of what it does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// What was wrong with it, as whoever says this was told.
    pub says: String,
    /// What became of it.
    pub disposition: ControlDisposition,
    /// Why.
    pub text: String,
    /// Where what shows it lies: a ticket, a document, another event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// `control.reviewed` 1: somebody has looked at what became of the stream's control in a time, and signs for it. A later one
/// about the same time takes the place of this one; both stay in the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlReviewed {
    /// From, inclusive.
    pub from: Timestamp,
    /// Until, exclusive.
    pub until: Timestamp,
    /// To which position of the log it was shown.
    pub position: u64,
    /// How many members the population had.
    pub population: u64,
    /// How many of them were exceptions.
    pub exceptions: u64,
    /// Of how many of these nobody had said what became of them.
    pub open: u64,
    /// SHA-256 of the canonical JSON of the exceptions that were shown ([`crate::controls::Outcome::shown`]).
    pub shown: Digest,
    /// What they say, where they say anything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub statement: String,
}
