//! A directory elsewhere that says who people are: what its groups may do here stands in the log, so that whoever reads the log
//! can tell why an account may do what it may.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::admit::check_grants;
use super::grant::Grant;
use crate::ledger::need;

/// Most groups of a directory that may do something here.
const GROUPS_MAX: usize = 200;
/// The longest name of a group, in bytes.
const GROUP_BYTES_MAX: usize = 200;
/// The longest address of a directory, in bytes.
const ISSUER_BYTES_MAX: usize = 200;
/// The longest name of somebody in a directory, in bytes (OpenID Connect Core 1.0 §2, `sub`).
const SUBJECT_BYTES_MAX: usize = 255;

/// Who somebody is in a directory. The directory gives a subject to nobody else, ever; names and addresses it may.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The directory's address (OpenID Connect Core 1.0 §2, `iss`).
    pub issuer: String,
    /// Its name for them (`sub`).
    pub subject: String,
}

/// A directory by which people come in, and what its groups may do here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Its address.
    pub issuer: String,
    /// What each group may do. Whoever is in none of them may nothing.
    pub groups: BTreeMap<String, Vec<Grant>>,
}

impl Identity {
    /// Whether it is one at all.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        need(is_address(&self.issuer), "a directory's address begins with https:// or http://")?;
        let plain = self.subject.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        let right = plain && (1..=SUBJECT_BYTES_MAX).contains(&self.subject.len());
        need(right, "a subject has 1 to 255 ASCII characters")
    }
}

impl Directory {
    /// Whether what its groups may do could be given to anybody.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        need(is_address(&self.issuer), "a directory's address begins with https:// or http://")?;
        let some = (1..=GROUPS_MAX).contains(&self.groups.len());
        need(some, "a directory has 1 to 200 groups that may do something here")?;
        for (group, grants) in &self.groups {
            let named = (1..=GROUP_BYTES_MAX).contains(&group.len());
            need(named, "the name of a group has 1 to 200 bytes")?;
            check_grants(grants).map_err(|why| format!("group {group:?}: {why}"))?;
        }
        Ok(())
    }

    /// Those of somebody's groups that mean something here, and what they may do by them; both in order. Groups that no one
    /// account can have together give nothing: or whoever is moved into such would keep what they had.
    pub fn mean(&self, groups: &[String]) -> (Vec<String>, Vec<Grant>) {
        let known: BTreeSet<&String> =
            groups.iter().filter(|group| self.groups.contains_key(*group)).collect();
        let grants: BTreeSet<&Grant> =
            known.iter().flat_map(|group| &self.groups[*group]).collect();
        let mut grants: Vec<Grant> = grants.into_iter().cloned().collect();
        if check_grants(&grants).is_err() {
            grants.clear();
        }
        (known.into_iter().cloned().collect(), grants)
    }
}

fn is_address(text: &str) -> bool {
    let web = text.starts_with("https://") || text.starts_with("http://");
    web && text.len() <= ISSUER_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
}
