//! What a site has agreed with its auditor.

use serde::{Deserialize, Serialize};

use crate::canonical::Digest;
use crate::time::HumanDuration;

/// How soon, how often, how long. What is not said is as below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ControlSettings {
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
    pub programs: Vec<Digest>,
}

impl Default for ControlSettings {
    fn default() -> Self {
        let hours = |hours: u64| HumanDuration::from_secs(hours * 3_600);
        Self {
            acknowledge_within: hours(1),
            resolve_within: hours(30 * 24),
            pause_at_most: hours(7 * 24),
            review_every: hours(36),
            access_review_every: hours(92 * 24),
            silence_at_most: HumanDuration::from_secs(900),
            programs: Vec::new(),
        }
    }
}

impl ControlSettings {
    /// Each duration with its name, as people write it.
    pub(crate) fn durations(&self) -> [(&'static str, HumanDuration); 6] {
        [
            ("acknowledge-within", self.acknowledge_within),
            ("resolve-within", self.resolve_within),
            ("pause-at-most", self.pause_at_most),
            ("review-every", self.review_every),
            ("access-review-every", self.access_review_every),
            ("silence-at-most", self.silence_at_most),
        ]
    }

    /// Where these are others than those, in words; empty where they are the same.
    #[must_use]
    pub fn unlike(&self, others: &Self) -> Vec<String> {
        let both = self.durations().into_iter().zip(others.durations());
        let unlike = both.filter(|((_, own), (_, other))| own != other);
        let mut found: Vec<String> = unlike
            .map(|((name, own), (_, other))| format!("{name} is {own} and not {other}"))
            .collect();
        if self.programs != others.programs {
            found.push("programs are others".to_owned());
        }
        found
    }
}

/// Milliseconds of a duration.
pub(super) fn millis(duration: HumanDuration) -> i64 {
    i64::try_from(duration.millis()).unwrap_or(i64::MAX)
}
