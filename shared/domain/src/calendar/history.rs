//! Which version of each calendar held when.
//!
//! *Invariant:* as with jobs, a version holds from the instant the recorder received its approval
//! (exclusive) to the instant it received the next one (inclusive). A calendar that is retired goes on
//! holding for the jobs that name it: retiring says that no new job may.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::almanac::{Almanac, AlmanacError};
use super::definition::CalendarDefinition;
use crate::canonical::Digest;

/// Which version of which calendar.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalendarRef {
    /// Its name.
    pub name: String,
    /// Number of the version.
    pub number: u32,
    /// Digest of the version.
    pub digest: Digest,
}

/// A version of a calendar and the time in which it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct CalendarSpan {
    /// Its number.
    pub number: u32,
    /// Its digest.
    pub digest: Digest,
    /// What it says.
    pub definition: Arc<CalendarDefinition>,
    /// Exclusive.
    pub from: Timestamp,
}

/// All calendars with their versions.
#[derive(Debug, Clone, Default)]
pub struct Calendars(BTreeMap<String, Vec<CalendarSpan>>);

impl Calendars {
    /// Replaces what is known of a calendar: its versions, oldest first.
    pub fn put(&mut self, name: &str, spans: Vec<CalendarSpan>) {
        self.0.insert(name.to_owned(), spans);
    }

    /// Adds a version that holds from `span.from` on.
    pub fn add(&mut self, name: &str, span: CalendarSpan) {
        self.0.entry(name.to_owned()).or_default().push(span);
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The version that holds at `at`; before the first version, the first.
    pub fn at(&self, name: &str, at: Timestamp) -> Option<&CalendarSpan> {
        let spans = self.0.get(name)?;
        spans.iter().rev().find(|span| span.from < at).or(spans.first())
    }

    /// The newest versions, for what lies ahead.
    pub fn newest(&self, name: &str) -> Option<&CalendarSpan> {
        self.0.get(name)?.last()
    }

    /// The calendars with these names and all they refer to, as they stand at `at`, and which versions these are.
    ///
    /// # Errors
    /// See [`AlmanacError`].
    pub fn almanac(
        &self,
        names: &BTreeSet<String>,
        at: Timestamp,
    ) -> Result<(Almanac, Vec<CalendarRef>), AlmanacError> {
        let find = |name: &str| self.at(name, at).map(|span| Arc::clone(&span.definition));
        let almanac = Almanac::gather(names.iter().cloned(), find)?;
        let reference = |name: &str| {
            let CalendarSpan { number, digest, .. } = self.at(name, at)?;
            Some(CalendarRef { name: name.to_owned(), number: *number, digest: *digest })
        };
        let references = almanac.names().filter_map(reference).collect();
        Ok((almanac, references))
    }

    /// The instants in `(from, until)` at which any of these calendars, or any they refer to, gets a new
    /// version; in order.
    pub fn changes(
        &self,
        names: &BTreeSet<String>,
        from: Timestamp,
        until: Option<Timestamp>,
    ) -> BTreeSet<Timestamp> {
        let mut all = names.clone();
        let mut open: Vec<String> = names.iter().cloned().collect();
        let mut found = BTreeSet::new();
        while let Some(name) = open.pop() {
            for (index, span) in self.0.get(&name).into_iter().flatten().enumerate() {
                if index > 0 && from < span.from && until.is_none_or(|until| span.from < until) {
                    found.insert(span.from);
                }
                let further = span.definition.names();
                open.extend(further.into_iter().filter(|name| all.insert(name.clone())));
            }
        }
        found
    }
}
