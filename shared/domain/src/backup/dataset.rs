//! Datasets, as people write them: what must be protected.

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::job::Problem;
use crate::time::HumanDuration;

/// The word that makes a document a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetKind {
    /// A dataset.
    #[default]
    Dataset,
}

/// A dataset, as written in a YAML document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DatasetDefinition {
    /// Always `dataset`.
    pub kind: DatasetKind,
    /// Its name: `[a-z0-9][a-z0-9._-]{0,62}`.
    pub name: String,
    /// What it is, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Recovery point objective: how old the newest snapshot that can be restored may be. Without one in this time
    /// the dataset is at risk.
    pub rpo: HumanDuration,
    /// Recovery time objective: how long a restore may take. Restore tests measure it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto: Option<HumanDuration>,
    /// In how many repositories a snapshot younger than the RPO must stand.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub copies: u32,
    /// Which snapshots are kept; without a rule, all.
    #[serde(default, skip_serializing_if = "RetentionRule::is_empty")]
    pub retention: RetentionRule,
    /// The IANA zone in which days, weeks, months and years of the rule begin.
    #[serde(default = "utc", skip_serializing_if = "is_utc")]
    pub zone: String,
    /// How often a restore must have been tested; one that is overdue is a finding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_test_every: Option<HumanDuration>,
}

/// Which snapshots are kept. A snapshot is kept when any of these keeps it. Weeks begin on Monday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RetentionRule {
    /// The newest so many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub last: u32,
    /// The newest of each of the newest so many hours that have one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hourly: u32,
    /// The same of days.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub daily: u32,
    /// The same of weeks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub weekly: u32,
    /// The same of months.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub monthly: u32,
    /// The same of years.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub yearly: u32,
    /// All that are younger than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<HumanDuration>,
    /// All that have one of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whatever the rest says, so many that can be restored are kept.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub minimum: u32,
}

impl Default for RetentionRule {
    fn default() -> Self {
        Self {
            last: 0,
            hourly: 0,
            daily: 0,
            weekly: 0,
            monthly: 0,
            yearly: 0,
            within: None,
            tags: Vec::new(),
            minimum: 1,
        }
    }
}

impl RetentionRule {
    /// Whether it says nothing: then everything is kept.
    pub fn is_empty(&self) -> bool {
        self.counts() == [0; 6] && self.within.is_none() && self.tags.is_empty()
    }

    fn counts(&self) -> [u32; 6] {
        [self.last, self.hourly, self.daily, self.weekly, self.monthly, self.yearly]
    }
}

/// Most of anything that a rule counts.
const COUNT_MAX: u32 = 1_000;
/// Longest RPO and the like: a century is a slip of the pen.
const LONGEST_MS: u64 = 100 * 366 * 86_400_000;

impl DatasetDefinition {
    /// Everything that is wrong with it.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut add = |field: &str, message: String| {
            found.push(Problem { field: field.to_owned(), message });
        };
        if self.rpo.millis() == 0 || self.rpo.millis() > LONGEST_MS {
            add("rpo", "longer than nothing, and at most a century".to_owned());
        }
        if self.rto.is_some_and(|rto| rto.millis() == 0) {
            add("rto", "longer than nothing".to_owned());
        }
        if self.restore_test_every.is_some_and(|every| every.millis() < 3_600_000) {
            add("restore-test-every", "at least 1h".to_owned());
        }
        if !(1..=16).contains(&self.copies) {
            add("copies", "1 to 16".to_owned());
        }
        if TimeZone::get(&self.zone).is_err() {
            add("zone", format!("{:?} is not an IANA zone", self.zone));
        }
        let rule = &self.retention;
        if rule.counts().iter().any(|count| *count > COUNT_MAX) {
            add("retention", format!("at most {COUNT_MAX} of each"));
        }
        if !(1..=COUNT_MAX).contains(&rule.minimum) {
            add("retention.minimum", format!("1 to {COUNT_MAX}: the last one is never forgotten"));
        }
        if rule.is_empty() && rule.minimum > 1 {
            let text = "say what is kept (last, daily, …): a minimum alone would forget the rest";
            add("retention", text.to_owned());
        }
        if let Some(tag) = rule.tags.iter().find(|tag| !is_tag(tag)) {
            add("retention.tags", format!("{tag:?} is not a tag: no commas, 1 to 100 bytes"));
        }
        found
    }
}

/// Whether it can be a tag of a snapshot: restic writes them separated by commas.
pub(crate) fn is_tag(tag: &str) -> bool {
    (1..=100).contains(&tag.len()) && !tag.contains([',', '=', '\0', '\n'])
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_one(n: &u32) -> bool {
    *n == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

fn utc() -> String {
    "UTC".to_owned()
}

fn is_utc(zone: &str) -> bool {
    zone == "UTC"
}
