//! A request with its thread, as its events tell it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Reference, RequestAsked, RequestEvent};
use crate::ids::StreamId;

/// The words for how a request stands, in the order in which it comes to them.
pub const REQUEST_STATES: [&str; 5] = ["open", "answered", "flagged", "accepted", "withdrawn"];

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its number, from 1.
    pub number: u32,
    /// What was asked.
    pub asked: RequestAsked,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What was said since, oldest first.
    #[serde(default)]
    pub thread: Vec<Said>,
}

/// What is said of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Where it is shown.
    Answered,
    /// That this is enough.
    Accepted,
    /// That it is not.
    Flagged,
    /// That it is not needed any more.
    Withdrawn,
}

impl Step {
    /// The word for how a request stands of which this was said last.
    pub fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Accepted => "accepted",
            Self::Flagged => "flagged",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether nothing is said after it.
    pub fn closes(self) -> bool {
        match self {
            Self::Accepted | Self::Withdrawn => true,
            Self::Answered | Self::Flagged => false,
        }
    }
}

/// What somebody said of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// What.
    pub step: Step,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// In which words; empty for an acceptance without a note.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// What in the log an answer points to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
}

impl Said {
    fn new(event: &RequestEvent, received: Timestamp, actor: Option<&str>) -> Option<Self> {
        let (step, text, references) = match event {
            RequestEvent::RequestAsked(_) => return None,
            RequestEvent::RequestAnswered(e) => (Step::Answered, &e.text, e.references.clone()),
            RequestEvent::RequestAccepted(e) => (Step::Accepted, &e.note, Vec::new()),
            RequestEvent::RequestFlagged(e) => (Step::Flagged, &e.reason, Vec::new()),
            RequestEvent::RequestWithdrawn(e) => (Step::Withdrawn, &e.reason, Vec::new()),
        };
        let by = actor.unwrap_or_default().to_owned();
        Some(Self { step, by, at: received, text: text.clone(), references })
    }
}

impl Request {
    /// The request that begins with this event; `None` where none does.
    pub(crate) fn begin(
        id: &StreamId,
        event: &RequestEvent,
        received: Timestamp,
        actor: Option<&str>,
    ) -> Option<Self> {
        let RequestEvent::RequestAsked(asked) = event else { return None };
        Some(Self {
            number: id.request_number()?,
            asked: asked.clone(),
            by: actor.unwrap_or_default().to_owned(),
            at: received,
            thread: Vec::new(),
        })
    }

    /// The state after one more event. Total: what is in the log has happened.
    #[must_use]
    pub(crate) fn evolve(
        mut self,
        event: &RequestEvent,
        received: Timestamp,
        actor: Option<&str>,
    ) -> Self {
        self.thread.extend(Said::new(event, received, actor));
        self
    }

    /// Its stream.
    pub fn id(&self) -> StreamId {
        StreamId::request(self.number)
    }

    /// What was said last.
    pub fn last(&self) -> Option<&Said> {
        self.thread.last()
    }

    /// The word for how it stands: one of [`REQUEST_STATES`].
    pub fn word(&self) -> &'static str {
        self.last().map_or("open", |said| said.step.word())
    }

    /// What ended it, where it is over.
    pub fn closed(&self) -> Option<&Said> {
        self.last().filter(|said| said.step.closes())
    }

    /// Whether an answer lies there that nobody has judged.
    pub fn is_answered(&self) -> bool {
        self.last().is_some_and(|said| said.step == Step::Answered)
    }

    /// Whether an answer is waited for: there is none, or the last was not enough.
    pub fn waits_for_answer(&self) -> bool {
        self.closed().is_none() && !self.is_answered()
    }

    /// Whether an answer is waited for that was to be there by now.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.waits_for_answer() && self.asked.due < now
    }

    /// What was answered, oldest first.
    pub fn answers(&self) -> impl DoubleEndedIterator<Item = &Said> {
        self.thread.iter().filter(|said| said.step == Step::Answered)
    }

    /// Who has answered any part of it.
    pub fn answerers(&self) -> BTreeSet<&str> {
        self.answers().map(|said| said.by.as_str()).collect()
    }
}
