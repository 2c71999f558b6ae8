//! Bodies of `request.*`: what an auditor asks to be shown, what is answered, and whether that is enough.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::ids::{BadName, StreamId};

/// Where something stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reference {
    /// An event, by its position.
    Position(u64),
    /// All events of a run, a job, a control, a review or whatever else has a stream.
    Stream(StreamId),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Position(position) => write!(f, "{position}"),
            Self::Stream(id) => write!(f, "{id}"),
        }
    }
}

/// As people write it: digits are a position, anything else is the name of a stream.
impl FromStr for Reference {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        text.parse().map_or_else(|_| text.parse().map(Self::Stream), |at| Ok(Self::Position(at)))
    }
}

/// The days that a request is about, as the site counts days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestPeriod {
    /// The first.
    pub from: Date,
    /// The last.
    pub until: Date,
}

impl fmt::Display for RequestPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.until)
    }
}

/// `request.asked` 1: somebody wants to be shown something until an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestAsked {
    /// What, in a few words.
    pub title: String,
    /// The same at length.
    pub text: String,
    /// Until when it is to be answered.
    pub due: Timestamp,
    /// The control that it is about, such as `CM-01`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// Of which days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<RequestPeriod>,
    /// What in the log it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
}

/// `request.answered` 1: somebody says where it is shown. A later one adds to what was answered before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestAnswered {
    /// The answer.
    pub text: String,
    /// What in the log shows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
}

/// `request.accepted` 1: that is enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestAccepted {
    /// What whoever accepts says of it, if anything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// `request.flagged` 1: that is not enough, and another answer is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestFlagged {
    /// What is missing.
    pub reason: String,
}

/// `request.withdrawn` 1: whoever asked does not need it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestWithdrawn {
    /// Why.
    pub reason: String,
}
