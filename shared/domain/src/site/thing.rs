//! Any of the things a site defines, as a document.

use std::collections::BTreeSet;

use serde_json::Value;

use super::blackout::BlackoutDefinition;
use super::lock::LockDefinition;
use super::measures::MeasuresDefinition;
use super::pool::PoolDefinition;
use crate::backup::{DatasetDefinition, RepositoryDefinition};
use crate::calendar::CalendarDefinition;
use crate::canonical::{Digest, canonical};
use crate::ids::{StreamId, is_name};
use crate::incident::CallTreeDefinition;
use crate::job::Problem;
use crate::print::{FormDefinition, QueueDefinition};

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ThingKind {
    /// A calendar.
    Calendar,
    /// A blackout.
    Blackout,
    /// A lock.
    Lock,
    /// A pool.
    Pool,
    /// A dataset.
    Dataset,
    /// A repository.
    Repository,
    /// A queue.
    Queue,
    /// A form.
    Form,
    /// A call tree.
    CallTree,
    /// Measures by which controls are tested.
    Measures,
}

impl ThingKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Calendar,
        Self::Blackout,
        Self::Lock,
        Self::Pool,
        Self::Dataset,
        Self::Repository,
        Self::Queue,
        Self::Form,
        Self::CallTree,
        Self::Measures,
    ];

    /// The word: `kind:` of its documents, and what its streams begin with.
    pub fn word(self) -> &'static str {
        match self {
            Self::Calendar => "calendar",
            Self::Blackout => "blackout",
            Self::Lock => "lock",
            Self::Pool => "pool",
            Self::Dataset => "dataset",
            Self::Repository => "repository",
            Self::Queue => "queue",
            Self::Form => "form",
            Self::CallTree => "call-tree",
            Self::Measures => "measures",
        }
    }

    /// The kind with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// A thing, read.
#[derive(Debug, Clone, PartialEq)]
pub enum Thing {
    /// A calendar.
    Calendar(CalendarDefinition),
    /// A blackout.
    Blackout(BlackoutDefinition),
    /// A lock.
    Lock(LockDefinition),
    /// A pool.
    Pool(PoolDefinition),
    /// A dataset.
    Dataset(Box<DatasetDefinition>),
    /// A repository.
    Repository(Box<RepositoryDefinition>),
    /// A queue.
    Queue(Box<QueueDefinition>),
    /// A form.
    Form(Box<FormDefinition>),
    /// A call tree.
    CallTree(Box<CallTreeDefinition>),
    /// Measures by which controls are tested.
    Measures(Box<MeasuresDefinition>),
}

impl Thing {
    /// Reads a thing of this kind from its JSON.
    ///
    /// # Errors
    /// The JSON is not that of such a thing.
    pub fn read(kind: ThingKind, value: &Value) -> Result<Self, serde_json::Error> {
        use serde::Deserialize as _;
        Ok(match kind {
            ThingKind::Calendar => Self::Calendar(CalendarDefinition::deserialize(value)?),
            ThingKind::Blackout => Self::Blackout(BlackoutDefinition::deserialize(value)?),
            ThingKind::Lock => Self::Lock(LockDefinition::deserialize(value)?),
            ThingKind::Pool => Self::Pool(PoolDefinition::deserialize(value)?),
            ThingKind::Dataset => Self::Dataset(Box::deserialize(value)?),
            ThingKind::Repository => Self::Repository(Box::deserialize(value)?),
            ThingKind::Queue => Self::Queue(Box::deserialize(value)?),
            ThingKind::Form => Self::Form(Box::deserialize(value)?),
            ThingKind::CallTree => Self::CallTree(Box::deserialize(value)?),
            ThingKind::Measures => Self::Measures(Box::deserialize(value)?),
        })
    }

    /// What kind of thing it is.
    pub fn kind(&self) -> ThingKind {
        match self {
            Self::Calendar(_) => ThingKind::Calendar,
            Self::Blackout(_) => ThingKind::Blackout,
            Self::Lock(_) => ThingKind::Lock,
            Self::Pool(_) => ThingKind::Pool,
            Self::Dataset(_) => ThingKind::Dataset,
            Self::Repository(_) => ThingKind::Repository,
            Self::Queue(_) => ThingKind::Queue,
            Self::Form(_) => ThingKind::Form,
            Self::CallTree(_) => ThingKind::CallTree,
            Self::Measures(_) => ThingKind::Measures,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Calendar(calendar) => &calendar.name,
            Self::Blackout(blackout) => &blackout.name,
            Self::Lock(lock) => &lock.name,
            Self::Pool(pool) => &pool.name,
            Self::Dataset(dataset) => &dataset.name,
            Self::Repository(repository) => &repository.name,
            Self::Queue(queue) => &queue.name,
            Self::Form(form) => &form.name,
            Self::CallTree(tree) => &tree.name,
            Self::Measures(measures) => &measures.name,
        }
    }

    /// Its stream.
    pub fn stream(&self) -> StreamId {
        StreamId::thing(self.kind(), self.name())
    }

    /// Everything that is wrong with it by itself; empty when it can be proposed.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = match self {
            Self::Calendar(calendar) => calendar.problems(),
            Self::Blackout(blackout) => blackout.problems(),
            Self::Lock(lock) => lock.problems(),
            Self::Pool(pool) => pool.problems(),
            Self::Dataset(dataset) => dataset.problems(),
            Self::Repository(repository) => repository.problems(),
            Self::Queue(queue) => queue.problems(),
            Self::Form(form) => form.problems(),
            Self::CallTree(tree) => tree.problems(),
            Self::Measures(measures) => measures.problems(),
        };
        let mut add = |field: &str, message: String| {
            found.push(Problem { field: field.to_owned(), message });
        };
        if !is_name(self.name()) && self.kind() != ThingKind::Calendar {
            let rule = "is not a name (a-z, 0-9, '.', '_', '-'; at most 63)";
            add("name", format!("{:?} {rule}", self.name()));
        }
        let size = self.canonical().map_or(0, |bytes| bytes.len());
        if size > crate::job::DEFINITION_BYTES_MAX {
            let most = crate::job::DEFINITION_BYTES_MAX;
            add(
                "name",
                format!(
                    "the definition is {size} bytes as JSON, the limit is {most}: cut it into several and combine them with any-of"
                ),
            );
        }
        found
    }

    /// The calendars it refers to directly.
    pub fn calendars(&self) -> BTreeSet<String> {
        match self {
            Self::Calendar(calendar) => calendar.names(),
            Self::Blackout(blackout) => blackout.names(),
            Self::CallTree(tree) => tree.names(),
            Self::Lock(_)
            | Self::Pool(_)
            | Self::Dataset(_)
            | Self::Repository(_)
            | Self::Queue(_)
            | Self::Form(_)
            | Self::Measures(_) => BTreeSet::new(),
        }
    }

    /// As JSON.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn value(&self) -> Result<Value, serde_json::Error> {
        match self {
            Self::Calendar(calendar) => serde_json::to_value(calendar),
            Self::Blackout(blackout) => serde_json::to_value(blackout),
            Self::Lock(lock) => serde_json::to_value(lock),
            Self::Pool(pool) => serde_json::to_value(pool),
            Self::Dataset(dataset) => serde_json::to_value(dataset),
            Self::Repository(repository) => serde_json::to_value(repository),
            Self::Queue(queue) => serde_json::to_value(queue),
            Self::Form(form) => serde_json::to_value(form),
            Self::CallTree(tree) => serde_json::to_value(tree),
            Self::Measures(measures) => serde_json::to_value(measures),
        }
    }

    fn canonical(&self) -> Result<Vec<u8>, serde_json::Error> {
        canonical(&self.value()?)
    }

    /// SHA-256 of the canonical JSON: what an approval names.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        self.canonical().map(|bytes| Digest::of(&bytes))
    }
}
