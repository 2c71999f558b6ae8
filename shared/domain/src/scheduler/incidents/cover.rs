//! Whether failures of something are incidents, how bad they are, and who is told.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::{Definition, Scheduler};
use crate::event::Severity;
use crate::ids::{StreamId, StreamType};
use crate::incident::{CallTreeDefinition, DEFAULT_TREE};

/// How bad something is, who is told, and since when that holds.
pub(super) struct Cover {
    pub(super) severity: Severity,
    pub(super) tree: Option<String>,
    pub(super) since: Timestamp,
}

impl Scheduler {
    /// Whether failures of this are incidents, how bad they are, and who is told.
    pub(super) fn cover(&self, of: &StreamId) -> Option<Cover> {
        let tree = |name: &str| self.site.tree(name).map(|(tree, since)| (tree.severity, since));
        match of.stream_type() {
            StreamType::Job => self.cover_of_job(of.rest()),
            StreamType::CallTree => {
                let (_, since) = tree(of.rest())?;
                let tree = Some(of.rest().to_owned());
                Some(Cover { severity: Severity::Major, tree, since })
            }
            StreamType::Run
            | StreamType::Host
            | StreamType::User
            | StreamType::Log
            | StreamType::Calendar
            | StreamType::Blackout
            | StreamType::Lock
            | StreamType::Pool
            | StreamType::Dataset
            | StreamType::Repository
            | StreamType::Queue
            | StreamType::Form
            | StreamType::Document
            | StreamType::Review
            | StreamType::Measures
            | StreamType::Control
            | StreamType::Request
            | StreamType::Incident => {
                let (severity, since) = tree(DEFAULT_TREE)?;
                Some(Cover { severity, tree: Some(DEFAULT_TREE.to_owned()), since })
            }
        }
    }

    pub(super) fn cover_of_job(&self, job: &str) -> Option<Cover> {
        let entry = self.jobs.get(job)?;
        let newest = entry.active().or(entry.definitions.last())?;
        let rule = newest.read().ok()?.on_failure;
        let default = self.site.tree(DEFAULT_TREE);
        if rule.is_empty() && default.is_none() {
            return None;
        }
        // Where the tree it names is gone the usual one takes its place.
        let named = rule.call_tree.as_deref().and_then(|name| Some((name, self.site.tree(name)?)));
        let found = named.or(default.map(|tree| (DEFAULT_TREE, tree)));
        let severity = match rule.severity {
            Some(weight) => weight.severity()?,
            None => found.map_or(Severity::Major, |(_, (tree, _))| tree.severity),
        };
        let since = if rule.is_empty() {
            default.map(|(_, since)| since)?
        } else {
            since_rule(&entry.definitions)
        };
        Some(Cover { severity, tree: found.map(|(name, _)| name.to_owned()), since })
    }
}

/// Since when every definition of a job says what becomes of its failures.
fn since_rule(definitions: &[Definition]) -> Timestamp {
    let says = |one: &&Definition| one.read().is_ok_and(|d| !d.on_failure.is_empty());
    let last = definitions.iter().rev().take_while(says).last();
    last.map_or(Timestamp::MAX, |one| one.from)
}

/// The active call trees of a site, by name: each with the number of its definition, and since when there is one.
#[derive(Debug, Default)]
pub(in crate::scheduler) struct Trees(BTreeMap<String, (CallTreeDefinition, u32, Timestamp)>);

impl Trees {
    pub(in crate::scheduler) fn put(
        &mut self,
        name: &str,
        tree: Option<(CallTreeDefinition, u32, Timestamp)>,
    ) {
        self.0.remove(name);
        self.0.extend(tree.map(|tree| (name.to_owned(), tree)));
    }

    pub(in crate::scheduler) fn get(
        &self,
        name: &str,
    ) -> Option<&(CallTreeDefinition, u32, Timestamp)> {
        self.0.get(name)
    }
}
