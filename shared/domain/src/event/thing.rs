//! Bodies of definitions: of calendars, blackouts, locks, pools, datasets, repositories, queues, forms, call trees and
//! measures. They are alike.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EventError;
use crate::canonical::Digest;
use crate::site::ThingKind;

/// `calendar.proposed` 1, and the same of blackouts, locks, pools, datasets, repositories, queues, forms, call trees
/// and measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThingProposed {
    /// Number of the definition within the thing, from 1.
    pub number: u32,
    /// SHA-256 of the canonical JSON of `definition`.
    pub digest: Digest,
    /// The definition as JSON.
    pub definition: Value,
    /// Why, in the words of whoever proposed it.
    pub reason: String,
}

/// `calendar.approved` 1, and the same of the others: from the moment the recorder received this, the definition is the active one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThingApproved {
    /// Number of the proposed definition.
    pub number: u32,
    /// Its digest: what was approved is what was shown.
    pub digest: Digest,
}

/// `calendar.retired` 1, and the same of the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThingRetired {
    /// Why.
    pub reason: String,
}

/// Facts about definitions of what is no job.
#[derive(Debug, Clone, PartialEq)]
pub struct ThingEvent {
    /// What kind of thing it is.
    pub of: ThingKind,
    /// What happened.
    pub act: ThingAct,
}

/// What happened to a thing.
#[derive(Debug, Clone, PartialEq)]
pub enum ThingAct {
    /// A definition was asked for.
    Proposed(ThingProposed),
    /// A proposed definition became the active one.
    Approved(ThingApproved),
    /// No new job may name it.
    Retired(ThingRetired),
}

impl ThingEvent {
    /// Every kind of this family with its current schema version.
    pub const KINDS: &[(&'static str, u32)] = &[
        ("calendar.proposed", 1),
        ("calendar.approved", 1),
        ("calendar.retired", 1),
        ("blackout.proposed", 1),
        ("blackout.approved", 1),
        ("blackout.retired", 1),
        ("lock.proposed", 1),
        ("lock.approved", 1),
        ("lock.retired", 1),
        ("pool.proposed", 1),
        ("pool.approved", 1),
        ("pool.retired", 1),
        ("dataset.proposed", 1),
        ("dataset.approved", 1),
        ("dataset.retired", 1),
        ("queue.proposed", 1),
        ("queue.approved", 1),
        ("queue.retired", 1),
        ("form.proposed", 1),
        ("form.approved", 1),
        ("form.retired", 1),
        ("repository.proposed", 1),
        ("repository.approved", 1),
        ("repository.retired", 1),
        ("call-tree.proposed", 1),
        ("call-tree.approved", 1),
        ("call-tree.retired", 1),
        ("measures.proposed", 1),
        ("measures.approved", 1),
        ("measures.retired", 1),
    ];

    /// The stored word.
    pub fn kind(&self) -> &'static str {
        use ThingAct::{Approved, Proposed, Retired};
        match (self.of, &self.act) {
            (ThingKind::Calendar, Proposed(_)) => "calendar.proposed",
            (ThingKind::Calendar, Approved(_)) => "calendar.approved",
            (ThingKind::Calendar, Retired(_)) => "calendar.retired",
            (ThingKind::Blackout, Proposed(_)) => "blackout.proposed",
            (ThingKind::Blackout, Approved(_)) => "blackout.approved",
            (ThingKind::Blackout, Retired(_)) => "blackout.retired",
            (ThingKind::Lock, Proposed(_)) => "lock.proposed",
            (ThingKind::Lock, Approved(_)) => "lock.approved",
            (ThingKind::Lock, Retired(_)) => "lock.retired",
            (ThingKind::Pool, Proposed(_)) => "pool.proposed",
            (ThingKind::Pool, Approved(_)) => "pool.approved",
            (ThingKind::Pool, Retired(_)) => "pool.retired",
            (ThingKind::Dataset, Proposed(_)) => "dataset.proposed",
            (ThingKind::Dataset, Approved(_)) => "dataset.approved",
            (ThingKind::Dataset, Retired(_)) => "dataset.retired",
            (ThingKind::Repository, Proposed(_)) => "repository.proposed",
            (ThingKind::Repository, Approved(_)) => "repository.approved",
            (ThingKind::Repository, Retired(_)) => "repository.retired",
            (ThingKind::Queue, Proposed(_)) => "queue.proposed",
            (ThingKind::Queue, Approved(_)) => "queue.approved",
            (ThingKind::Queue, Retired(_)) => "queue.retired",
            (ThingKind::Form, Proposed(_)) => "form.proposed",
            (ThingKind::Form, Approved(_)) => "form.approved",
            (ThingKind::Form, Retired(_)) => "form.retired",
            (ThingKind::CallTree, Proposed(_)) => "call-tree.proposed",
            (ThingKind::CallTree, Approved(_)) => "call-tree.approved",
            (ThingKind::CallTree, Retired(_)) => "call-tree.retired",
            (ThingKind::Measures, Proposed(_)) => "measures.proposed",
            (ThingKind::Measures, Approved(_)) => "measures.approved",
            (ThingKind::Measures, Retired(_)) => "measures.retired",
        }
    }

    /// The version of the body that is written today.
    pub fn schema(&self) -> u32 {
        1
    }

    pub(super) fn body(&self) -> Result<Value, serde_json::Error> {
        match &self.act {
            ThingAct::Proposed(body) => serde_json::to_value(body),
            ThingAct::Approved(body) => serde_json::to_value(body),
            ThingAct::Retired(body) => serde_json::to_value(body),
        }
    }

    pub(super) fn read(kind: &str, schema: u32, data: &Value) -> Option<Result<Self, EventError>> {
        let (word, what) = kind.split_once('.')?;
        let of = ThingKind::from_word(word).filter(|_| schema == 1)?;
        let act = match what {
            "proposed" => ThingProposed::deserialize(data).map(ThingAct::Proposed),
            "approved" => ThingApproved::deserialize(data).map(ThingAct::Approved),
            "retired" => ThingRetired::deserialize(data).map(ThingAct::Retired),
            _ => return None,
        };
        let bad = |error: serde_json::Error| EventError::Body {
            kind: kind.to_owned(),
            schema,
            message: error.to_string(),
        };
        Some(act.map(|act| Self { of, act }).map_err(bad))
    }
}
