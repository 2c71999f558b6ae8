//! A queue, as its events tell it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::document::Told;
use super::queue::QueueDefinition;
use crate::event::QueueEvent;
use crate::site::{Defined, Thing, ThingKind};

/// A queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// Its definitions.
    pub defined: Defined,
    /// Why nothing more goes to its printer, where somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<QueueHold>,
    /// What is wrong with its printer, as hosts see it that have documents for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stopped: BTreeMap<String, Vec<String>>,
}

/// Somebody holds a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueHold {
    /// Why.
    pub reason: String,
    /// Who.
    pub by: Option<String>,
}

impl Queue {
    /// A queue that has no event yet.
    pub fn new(name: &str) -> Self {
        Self { defined: Defined::new(name), held: None, stopped: BTreeMap::new() }
    }

    /// The word for how it stands, and why it does not go on.
    pub fn state(&self) -> (&'static str, String) {
        let troubles = || {
            let all = self.stopped.iter().map(|(host, all)| format!("{host}: {}", all.join(", ")));
            all.collect::<Vec<_>>().join("; ")
        };
        match (&self.held, self.defined.active()) {
            (_, None) => ("retired", String::new()),
            (Some(held), _) => ("held", held.reason.clone()),
            (None, _) if !self.stopped.is_empty() => ("stopped", troubles()),
            (None, _) => ("goes-on", String::new()),
        }
    }

    /// Its newest definition.
    pub fn definition(&self) -> Option<QueueDefinition> {
        match self.defined.read(ThingKind::Queue)? {
            Thing::Queue(definition) => Some(*definition),
            Thing::Calendar(_)
            | Thing::Blackout(_)
            | Thing::Lock(_)
            | Thing::Pool(_)
            | Thing::Dataset(_)
            | Thing::Repository(_)
            | Thing::CallTree(_)
            | Thing::Measures(_)
            | Thing::Form(_) => None,
        }
    }

    /// The state after one more event. Total: what is in the log has happened.
    #[must_use]
    pub fn evolve(mut self, event: &QueueEvent, told: Told<'_>) -> Self {
        match event {
            QueueEvent::QueueHeld(e) => {
                let by = told.actor.map(str::to_owned);
                self.held = Some(QueueHold { reason: e.reason.clone(), by });
            }
            QueueEvent::QueueReleased(_) => self.held = None,
            QueueEvent::QueueStopped(e) => {
                self.stopped.insert(e.host.clone(), e.troubles.clone());
            }
            QueueEvent::QueueContinued(e) => {
                self.stopped.remove(&e.host);
            }
        }
        self
    }
}
