//! Bodies of `review.*`: what people say of a night in the morning, and of who may do what.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::canonical::Digest;
use crate::ids::StreamId;
use crate::night::Numbers;

/// What becomes of an exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", deny_unknown_fields)]
pub enum Disposition {
    /// Somebody has looked, and says what it was.
    Note {},
    /// It is dealt with elsewhere.
    Ticket {
        /// The ticket's name there.
        reference: String,
    },
    /// It is known, and the job's exceptions are taken for granted until an instant.
    Accepted {
        /// Until then.
        until: Timestamp,
    },
    /// It was run again.
    Rerun {
        /// That run.
        run: StreamId,
    },
}

impl Disposition {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Note {} => "note",
            Self::Ticket { .. } => "ticket",
            Self::Accepted { .. } => "accepted",
            Self::Rerun { .. } => "rerun",
        }
    }
}

/// `review.noted` 1: what becomes of an exception of the night.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewNoted {
    /// The run.
    pub run: StreamId,
    /// What becomes of it.
    pub disposition: Disposition,
    /// What they say.
    pub note: String,
}

/// `review.signed` 1: somebody has looked at everything that happened in a time, and signs for it. One review begins where
/// the last has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewSigned {
    /// From, inclusive.
    pub since: Timestamp,
    /// Until, exclusive.
    pub until: Timestamp,
    /// To which position of the log it was shown.
    pub position: u64,
    /// SHA-256 of the canonical JSON of what was shown ([`crate::review::Shown`]).
    pub shown: Digest,
    /// The numbers of the time.
    pub numbers: Numbers,
    /// How many exceptions there were; each has a disposition.
    pub exceptions: u32,
    /// Runs of the time, or of one before, that were not over yet: the next review looks at how they ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<StreamId>,
    /// What they say, where they say anything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub statement: String,
}

/// `review.access-signed` 1: somebody has looked at who may do what, and signs for it. One review begins where the last has
/// ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewAccessSigned {
    /// Changes from then, inclusive.
    pub since: Timestamp,
    /// Until, exclusive.
    pub until: Timestamp,
    /// To which position of the log it was shown.
    pub position: u64,
    /// SHA-256 of the canonical JSON of what was shown ([`crate::access::Shown`]).
    pub shown: Digest,
    /// How many accounts there were.
    pub accounts: u32,
    /// What they say, where they say anything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub statement: String,
}
