//! Call trees as people write them: who is told of an incident, and whom then, when nobody acknowledges it.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CALLS_MAX;
use super::rota::Rota;
use crate::calendar::WEEKDAYS;
use crate::event::{Severity, Way};
use crate::ids::is_name;
use crate::job::Problem;
use crate::time::{ClockTime, HumanDuration, check_zone};

/// The call tree of everything that names none.
pub const DEFAULT_TREE: &str = "default";
/// Most levels.
const LEVELS_MAX: usize = 10;
/// The shortest time until the next level, and the longest, in milliseconds: one second, a week.
const WAIT_MS: std::ops::RangeInclusive<u64> = 1_000..=7 * 24 * 3_600_000;

/// The word that makes a document a call tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CallTreeKind {
    /// A call tree.
    #[default]
    CallTree,
}

/// A call tree, as written in a YAML document. The one with the name `default` is that of everything that names none: where it
/// is there, every job that fails has an incident, and so have datasets at risk, silent hosts, missing reviews and a log that
/// could not be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CallTreeDefinition {
    /// Always `call-tree`.
    pub kind: CallTreeKind,
    /// Its name: `[a-z0-9][a-z0-9._-]{0,62}`.
    pub name: String,
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whom to ask about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// How bad a failure is that says nothing of that.
    #[serde(default = "major")]
    pub severity: Severity,
    /// After how long without a word from it a host is an incident. Only that of the tree `default` counts.
    #[serde(default = "ten_minutes")]
    pub host_silent_after: HumanDuration,
    /// Who is told, and then whom. After the last it begins again, and tells everybody up to each level.
    pub levels: Vec<Level>,
    /// Contacts that take turns.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rotas: BTreeMap<String, Rota>,
    /// Times in which a contact is not told of minor incidents.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quiet: BTreeMap<String, Quiet>,
    /// Whom a broadcast reaches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broadcast: Vec<Tell>,
}

/// Who is told at once, and how long the next level waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Level {
    /// Who is told.
    pub tell: Vec<Tell>,
    /// How long after that the next level is told, where nobody has acknowledged.
    pub wait: HumanDuration,
}

/// A contact, or whoever of a rota has the turn; and how they are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tell {
    /// A contact: an account's name, so that they can acknowledge from the message, or anything else the notifier knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// A rota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rota: Option<String>,
    /// How.
    #[serde(default = "mail")]
    pub by: Vec<Way>,
}

/// From one time of day to another, on the clock of a zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Quiet {
    /// Its beginning.
    pub from: ClockTime,
    /// Its end, exclusive; where it is not after `from`, on the next day.
    pub until: ClockTime,
    /// The IANA zone of both.
    #[serde(default = "utc")]
    pub zone: String,
}

/// What a job says of its failures.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OnFailure {
    /// How bad one is; as its call tree says when absent. `none`: no incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Weight>,
    /// Who is told; those of the tree `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_tree: Option<String>,
}

/// How bad a failure of a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// It is no incident.
    None,
    /// It can wait until people are up.
    Minor,
    /// Somebody has to look now.
    Major,
    /// Others are affected, or soon will be.
    Critical,
}

impl Weight {
    /// The severity; `None` where it is no incident.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::None => None,
            Self::Minor => Some(Severity::Minor),
            Self::Major => Some(Severity::Major),
            Self::Critical => Some(Severity::Critical),
        }
    }
}

impl OnFailure {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is wrong with it.
    pub fn problem(&self) -> Option<String> {
        let name = self.call_tree.as_ref()?;
        (!is_name(name)).then(|| format!("{name:?} is not the name of a call tree"))
    }
}

fn major() -> Severity {
    Severity::Major
}

fn ten_minutes() -> HumanDuration {
    HumanDuration::from_secs(600)
}

fn mail() -> Vec<Way> {
    vec![Way::Mail]
}

pub(super) fn utc() -> String {
    "UTC".to_owned()
}

impl CallTreeDefinition {
    /// Everything that is wrong with it by itself.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut add = |field: &str, message: String| {
            found.push(Problem { field: field.to_owned(), message });
        };
        if !(1..=LEVELS_MAX).contains(&self.levels.len()) {
            add("levels", format!("1 to {LEVELS_MAX} levels"));
        }
        for (number, level) in (1..).zip(&self.levels) {
            for message in self.problems_of_level(level) {
                add("levels", format!("level {number}: {message}"));
            }
        }
        for message in self.broadcast.iter().flat_map(|tell| self.problems_of_tell(tell)) {
            add("broadcast", message);
        }
        for (name, rota) in &self.rotas {
            for message in rota.problems() {
                add("rotas", format!("{name}: {message}"));
            }
        }
        for (name, quiet) in &self.quiet {
            if let Err(error) = check_zone(&quiet.zone) {
                add("quiet", format!("{name}: {error}"));
            }
        }
        if self.host_silent_after.millis() < 60_000 {
            add("host-silent-after", "at least 1m".to_owned());
        }
        found
    }

    fn problems_of_level(&self, level: &Level) -> Vec<String> {
        let mut found: Vec<String> =
            level.tell.iter().flat_map(|tell| self.problems_of_tell(tell)).collect();
        let calls: usize = level.tell.iter().map(|tell| tell.by.len()).sum();
        if !(1..=CALLS_MAX / LEVELS_MAX).contains(&calls) {
            found.push(format!("1 to {} are told", CALLS_MAX / LEVELS_MAX));
        }
        if !WAIT_MS.contains(&level.wait.millis()) {
            found.push("wait: from 1s to 7d".to_owned());
        }
        found
    }

    fn problems_of_tell(&self, tell: &Tell) -> Vec<String> {
        let mut found = Vec::new();
        match (&tell.contact, &tell.rota) {
            (Some(name), None) if !is_name(name) => found.push(format!("{name:?} is not a name")),
            (None, Some(rota)) if !self.rotas.contains_key(rota) => {
                found.push(format!("there is no rota {rota}"));
            }
            (Some(_), None) | (None, Some(_)) => {}
            (Some(_), Some(_)) | (None, None) => {
                found.push("say either contact or rota".to_owned());
            }
        }
        if tell.by.is_empty() {
            found.push("by: mail, webhook or command".to_owned());
        }
        found
    }

    /// The calendars it refers to.
    pub fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for rota in self.rotas.values() {
            rota.holidays.iter().for_each(|days| days.collect_names(&mut names));
        }
        names.remove(WEEKDAYS);
        names
    }
}
