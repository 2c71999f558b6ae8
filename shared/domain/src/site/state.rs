//! The state of a thing, as its events tell it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::thing::{Thing, ThingKind};
use crate::calendar::CalendarSpan;
use crate::event::{ThingAct, ThingEvent};
use crate::job::{DefinitionText, Proposal, Span, Versions};

/// A version of a thing and the time in which it is the active one.
pub type DefinedSpan = Span;

/// Something that a site defines and that is no job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Defined {
    /// Its name.
    pub name: String,
    /// Its versions.
    pub versions: Versions,
}

impl Defined {
    /// A thing that has no event yet.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), versions: Versions::default() }
    }

    /// The active version.
    pub fn active(&self) -> Option<&Span> {
        self.versions.active()
    }

    /// The version that holds for those who name it: the active one, or the last before it was retired.
    pub fn newest(&self) -> Option<&Span> {
        self.versions.spans.last()
    }

    /// The newest version, read.
    pub fn read(&self, kind: ThingKind) -> Option<Thing> {
        self.newest().and_then(|span| read(kind, span))
    }

    /// The versions of a calendar that can be read here.
    pub fn calendar_spans(&self) -> Vec<CalendarSpan> {
        let one = |span: &Span| {
            let Some(Thing::Calendar(definition)) = read(ThingKind::Calendar, span) else {
                return None;
            };
            let (number, digest) = (span.number, span.digest);
            Some(CalendarSpan { number, digest, definition: Arc::new(definition), from: span.from })
        };
        self.versions.spans.iter().filter_map(one).collect()
    }

    /// The state after one more event. Total: what is in the log has happened.
    #[must_use]
    pub fn evolve(mut self, event: &ThingEvent, received: Timestamp, actor: Option<&str>) -> Self {
        match &event.act {
            ThingAct::Proposed(e) => {
                let proposal = Proposal {
                    number: e.number,
                    digest: e.digest,
                    definition: DefinitionText::new(&e.definition),
                    by: actor.map(str::to_owned),
                };
                self.versions.propose(proposal, received, &e.reason);
            }
            ThingAct::Approved(_) => self.versions.activate(received, actor),
            ThingAct::Retired(_) => self.versions.retire(received),
        }
        self
    }
}

/// A version, read; `None` where it was written by a newer version of the program.
pub fn read(kind: ThingKind, span: &Span) -> Option<Thing> {
    let value = serde_json::from_str(span.definition.get()).ok()?;
    Thing::read(kind, &value).ok()
}
