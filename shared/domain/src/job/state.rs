//! The state of a job, as its events tell it.
//!
//! *Invariant:* a definition is active from the instant the recorder received its approval (exclusive)
//! to the instant it received the next one (inclusive). Receive times never go back in the log, so the
//! spans of two definitions neither overlap nor leave a gap, whatever the clocks of people's machines say.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::definition::JobDefinition;
use crate::canonical::Digest;
use crate::event::{DefinitionRef, JobEvent};

/// A definition as JSON text: copied with every step of a job's state, so a copy must cost nothing.
#[derive(Debug, Clone)]
pub struct DefinitionText(Arc<RawValue>);

impl DefinitionText {
    /// The text of a definition's JSON.
    pub fn new(definition: &Value) -> Self {
        Self::from_text(definition.to_string())
    }

    /// A definition that is JSON text already.
    pub(crate) fn from_text(text: String) -> Self {
        // What was read from JSON can always be written as JSON; `null` reads back as no definition.
        let text = RawValue::from_string(text);
        Self(text.map_or_else(|_| RawValue::NULL.to_owned().into(), Arc::from))
    }

    /// The text.
    pub fn get(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for DefinitionText {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Serialize for DefinitionText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DefinitionText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

/// A definition that waits for approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its number.
    pub number: u32,
    /// Its digest.
    pub digest: Digest,
    /// The definition as JSON.
    pub definition: DefinitionText,
    /// Who proposed it.
    pub by: Option<String>,
}

/// A definition and the time in which it is the active one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Its number.
    pub number: u32,
    /// Its digest.
    pub digest: Digest,
    /// The definition as JSON.
    pub definition: DefinitionText,
    /// Exclusive.
    pub from: Timestamp,
    /// Inclusive; `None` for the active one.
    pub until: Option<Timestamp>,
}

impl Span {
    /// Names the definition.
    pub fn reference(&self) -> DefinitionRef {
        DefinitionRef::new(self.number, self.digest)
    }

    /// The definition, read.
    ///
    /// # Errors
    /// It was written by a newer version of the program.
    pub fn read(&self) -> Result<JobDefinition, serde_json::Error> {
        serde_json::from_str(self.definition.get())
    }
}

/// A time in which occurrences are skipped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    /// Exclusive.
    pub from: Timestamp,
    /// Inclusive; `None` while it lasts.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// Who paused it.
    pub by: Option<String>,
}

impl Pause {
    /// Whether the occurrence at `at` falls into it.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from < at && self.until.is_none_or(|until| at <= until)
    }
}

/// How many closed spans and pauses are kept beside the active one: enough for a scheduler that was
/// away. Older ones stay in the log.
const KEPT: usize = 50;

/// A job.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// Highest number given to a definition.
    pub numbers: u32,
    /// The definition that waits for approval.
    pub proposal: Option<Proposal>,
    /// Definitions that are or were active, oldest first.
    pub spans: Vec<Span>,
    /// Pauses, oldest first.
    pub pauses: Vec<Pause>,
    /// When it was retired.
    pub retired: Option<Timestamp>,
}

impl Job {
    /// A job that has no event yet.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The active definition.
    pub fn active(&self) -> Option<&Span> {
        self.spans.last().filter(|span| span.until.is_none())
    }

    /// The pause that lasts.
    pub fn paused(&self) -> Option<&Pause> {
        self.pauses.last().filter(|pause| pause.until.is_none())
    }

    /// The pause that covers the occurrence at `at`.
    pub fn pause_at(&self, at: Timestamp) -> Option<&Pause> {
        self.pauses.iter().find(|pause| pause.covers(at))
    }

    /// The state after one more event. Total: what is in the log has happened.
    #[must_use]
    pub fn evolve(mut self, event: &JobEvent, received: Timestamp, actor: Option<&str>) -> Self {
        let by = actor.map(str::to_owned);
        match event {
            JobEvent::JobProposed(p) => {
                self.numbers = self.numbers.max(p.number);
                let (number, digest, definition) =
                    (p.number, p.digest, DefinitionText::new(&p.definition));
                self.proposal = Some(Proposal { number, digest, definition, by });
            }
            JobEvent::JobApproved(_) => self.activate(received),
            JobEvent::JobPaused(p) => {
                let (from, reason) = (received, p.reason.clone());
                self.pauses.push(Pause { from, until: None, reason, by });
            }
            JobEvent::JobResumed(_) => {
                close(self.pauses.last_mut().map(|p| &mut p.until), received);
            }
            JobEvent::JobRetired(_) => {
                close(self.spans.last_mut().map(|s| &mut s.until), received);
                self.retired = Some(received);
            }
        }
        trim(&mut self.spans);
        trim(&mut self.pauses);
        self
    }

    fn activate(&mut self, received: Timestamp) {
        let Some(proposal) = self.proposal.take() else { return };
        close(self.spans.last_mut().map(|s| &mut s.until), received);
        let Proposal { number, digest, definition, .. } = proposal;
        self.spans.push(Span { number, digest, definition, from: received, until: None });
        self.retired = None;
    }
}

fn close(until: Option<&mut Option<Timestamp>>, at: Timestamp) {
    if let Some(until @ None) = until {
        *until = Some(at);
    }
}

fn trim<T>(list: &mut Vec<T>) {
    if list.len() > KEPT {
        list.drain(..list.len() - KEPT);
    }
}
