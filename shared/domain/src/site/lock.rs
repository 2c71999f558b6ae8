//! Named, counted locks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::StreamId;
use crate::job::{Problem, Share};

/// The word that makes a document a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LockKind {
    /// A lock.
    #[default]
    Lock,
}

/// A lock, as written in a YAML document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LockDefinition {
    /// Always `lock`.
    pub kind: LockKind,
    /// Its name: `[a-z0-9][a-z0-9._-]{0,62}`.
    pub name: String,
    /// What it guards, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whom to ask about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// How many units may be held at once.
    #[serde(default = "one")]
    pub units: u32,
}

fn one() -> u32 {
    1
}

/// Most units of a lock.
const UNITS_MAX: u32 = 1_000;

impl LockDefinition {
    /// Everything that is wrong with it.
    pub fn problems(&self) -> Vec<Problem> {
        let bad = !(1..=UNITS_MAX).contains(&self.units);
        let problem =
            || Problem { field: "units".to_owned(), message: format!("1 to {UNITS_MAX}") };
        bad.then(problem).into_iter().collect()
    }
}

/// A run that holds a part of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// The run.
    pub run: StreamId,
    /// How much; absent for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<u32>,
}

impl Holder {
    /// A run with its share.
    pub fn new(run: &StreamId, share: Share) -> Self {
        let units = match share {
            Share::Units(n) => Some(n),
            Share::Exclusive => None,
        };
        Self { run: run.clone(), units }
    }
}

/// Whether `share` of a lock with `units` is free beside those who hold it. A share larger than the lock fits
/// when nobody else holds any: it must not wait for ever because the lock became smaller.
pub fn fits(units: u32, holders: &[Holder], share: Share) -> bool {
    if holders.is_empty() {
        return true;
    }
    let Share::Units(wanted) = share else { return false };
    let held: Option<u32> = holders.iter().map(|holder| holder.units).sum();
    held.is_some_and(|held| held.saturating_add(wanted) <= units)
}
