//! A calendar as people write it.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::WEEKDAYS;
use super::days::Days;
use super::fiscal::Fiscal;
use crate::ids::is_name;
use crate::job::Problem;

/// The word that makes a document a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CalendarKind {
    /// A calendar.
    #[default]
    Calendar,
}

/// A calendar, as written in a YAML document: a set of days, a fiscal year, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CalendarDefinition {
    /// Always `calendar`.
    pub kind: CalendarKind,
    /// Its name: `[a-z0-9][a-z0-9._-]{0,62}`.
    pub name: String,
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whom to ask about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Its days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Days>,
    /// Its fiscal year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fiscal: Option<Fiscal>,
}

impl CalendarDefinition {
    /// Everything that is wrong with it by itself; whether the calendars it names exist is another question.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut add = |field: &str, message: String| {
            found.push(Problem { field: field.to_owned(), message });
        };
        if !is_name(&self.name) {
            let text = "is not a name (a-z, 0-9, '.', '_', '-'; at most 63)";
            add("name", format!("{:?} {text}", self.name));
        }
        if self.name == WEEKDAYS {
            add("name", format!("{WEEKDAYS} is the calendar that is always there"));
        }
        if self.days.is_none() && self.fiscal.is_none() {
            add("days", "a calendar has days, a fiscal year, or both".to_owned());
        }
        for message in self.days.iter().flat_map(Days::problems) {
            add("days", message);
        }
        for message in self.fiscal.iter().flat_map(Fiscal::problems) {
            add("fiscal", message);
        }
        if self.names().contains(&self.name) {
            add("days", "it refers to itself".to_owned());
        }
        found
    }

    /// The calendars it refers to directly.
    pub fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        self.days.iter().for_each(|days| days.collect_names(&mut names));
        names.remove(WEEKDAYS);
        names
    }
}
