//! Pools of hosts. A pool needs no definition: an executor names the pools it takes work from. Where there is
//! one, it limits how much runs at once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::job::Problem;

/// The word that makes a document a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PoolKind {
    /// A pool.
    #[default]
    Pool,
}

/// A pool, as written in a YAML document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PoolDefinition {
    /// Always `pool`.
    pub kind: PoolKind,
    /// Its name: `[a-z0-9][a-z0-9._-]{0,62}`.
    pub name: String,
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whom to ask about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// How many attempts may run at once on all its hosts together; without one, as many as its hosts take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl PoolDefinition {
    /// Everything that is wrong with it.
    pub fn problems(&self) -> Vec<Problem> {
        let bad = self.limit == Some(0);
        let problem = || Problem { field: "limit".to_owned(), message: "at least 1".to_owned() };
        bad.then(problem).into_iter().collect()
    }
}
