//! By which measures a site's controls are tested: agreed with whoever audits, proposed and approved like anything else that is
//! defined, so that nobody chooses them for the day on which evidence is asked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::canonical::Digest;
use crate::controls::ControlSettings;
use crate::job::Problem;
use crate::time::HumanDuration;

/// The name of a site's measures: it has one set of them.
pub const SITE_MEASURES: &str = "site";
/// Most programs that are named.
const PROGRAMS_MAX: usize = 100;

/// The word that makes a document measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MeasuresKind {
    /// Measures.
    #[default]
    Measures,
}

/// Measures, as written in a YAML document: how soon, how often, how long. What is not said is as usual.
///
/// Its fields from `acknowledge_within` on are those of [`ControlSettings`], each written once more: what is flattened into
/// another cannot refuse words that it does not know (serde, `deny_unknown_fields`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct MeasuresDefinition {
    /// Always `measures`.
    pub kind: MeasuresKind,
    /// Always `site`: a site has one set of them.
    pub name: String,
    /// With whom they were agreed, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whom to ask about them.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Within what time an incident is acknowledged; one hour.
    pub acknowledge_within: HumanDuration,
    /// Within what time it is resolved; thirty days.
    pub resolve_within: HumanDuration,
    /// How long a job may be paused; seven days.
    pub pause_at_most: HumanDuration,
    /// How long no night may be reviewed; thirty-six hours.
    pub review_every: HumanDuration,
    /// How long who may do what may not be reviewed; ninety-two days.
    pub access_review_every: HumanDuration,
    /// How long the log may be silent; fifteen minutes.
    pub silence_at_most: HumanDuration,
    /// The programs that may run jobs: SHA-256 of each executor's file, as `host.started` names it. Without any, that is not
    /// tested.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub programs: Vec<Digest>,
}

impl Default for MeasuresDefinition {
    fn default() -> Self {
        let usual = ControlSettings::default();
        Self {
            kind: MeasuresKind::Measures,
            name: SITE_MEASURES.to_owned(),
            description: String::new(),
            owner: String::new(),
            acknowledge_within: usual.acknowledge_within,
            resolve_within: usual.resolve_within,
            pause_at_most: usual.pause_at_most,
            review_every: usual.review_every,
            access_review_every: usual.access_review_every,
            silence_at_most: usual.silence_at_most,
            programs: usual.programs,
        }
    }
}

impl MeasuresDefinition {
    /// What controls are tested by.
    #[must_use]
    pub fn settings(&self) -> ControlSettings {
        ControlSettings {
            acknowledge_within: self.acknowledge_within,
            resolve_within: self.resolve_within,
            pause_at_most: self.pause_at_most,
            review_every: self.review_every,
            access_review_every: self.access_review_every,
            silence_at_most: self.silence_at_most,
            programs: self.programs.clone(),
        }
    }

    /// Everything that is wrong with them.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut add = |field: &str, message: &str| {
            found.push(Problem { field: field.to_owned(), message: message.to_owned() });
        };
        if self.name != SITE_MEASURES {
            add("name", "a site has one set of measures, and its name is `site`");
        }
        for (field, duration) in self.settings().durations() {
            if duration.millis() == 0 {
                add(field, "longer than nothing");
            }
        }
        if self.programs.len() > PROGRAMS_MAX {
            add("programs", "100 at most");
        }
        found
    }
}
