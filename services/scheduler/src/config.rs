//! What a scheduler is told.

use std::path::PathBuf;

use domain::time::HumanDuration;
use serde::{Deserialize, Serialize};

use crate::notify::NotifyConfig;

/// Settings of the role `scheduler`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SchedulerConfig {
    /// Name of this scheduler among the schedulers.
    #[serde(default = "one")]
    pub name: String,
    /// Directory for its key and its journal.
    pub data: PathBuf,
    /// File with the join token of class `scheduler`.
    #[serde(default)]
    pub join_token_file: Option<PathBuf>,
    /// How long it waits for another scheduler whose turn it is.
    #[serde(default = "two_seconds")]
    pub grace: HumanDuration,
    /// How long after an offer nobody took it is made again; doubles each time, up to 5 minutes.
    #[serde(default = "ten_seconds")]
    pub offer_again: HumanDuration,
    /// Most bytes its journal holds while the recorder is away.
    #[serde(default = "journal_bytes")]
    pub journal_bytes: u64,
    /// How people are told of incidents; this scheduler tells nobody where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<NotifyConfig>,
}

fn one() -> String {
    "one".to_owned()
}

fn two_seconds() -> HumanDuration {
    HumanDuration::from_secs(2)
}

fn ten_seconds() -> HumanDuration {
    HumanDuration::from_secs(10)
}

fn journal_bytes() -> u64 {
    64 * 1024 * 1024
}

impl SchedulerConfig {
    /// The usual settings for a data directory.
    pub fn new(data: PathBuf) -> Self {
        Self {
            name: one(),
            data,
            join_token_file: None,
            grace: two_seconds(),
            offer_again: ten_seconds(),
            journal_bytes: journal_bytes(),
            notify: None,
        }
    }

    /// Everything that is wrong with it.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !domain::ids::is_name(&self.name) {
            problems.push(format!("scheduler.name: {:?} is not a name", self.name));
        }
        if self.offer_again.millis() < 100 {
            problems.push("scheduler.offer-again: at least 100ms".to_owned());
        }
        if self.journal_bytes < 1024 * 1024 {
            problems.push("scheduler.journal-bytes: at least 1048576".to_owned());
        }
        problems.extend(self.notify.iter().flat_map(|one| one.problems("scheduler.notify")));
        problems
    }
}
