//! What an executor is told.

use std::path::PathBuf;

use domain::time::HumanDuration;
use serde::{Deserialize, Serialize};

/// Settings of an executor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExecutorConfig {
    /// Name of this host; jobs may name it, events do.
    pub host: String,
    /// Pools it takes work from.
    #[serde(default = "default_pools")]
    pub pools: Vec<String>,
    /// How many attempts may run at once.
    #[serde(default = "slots")]
    pub slots: u32,
    /// Directory for its key, its journal, attempts and their output.
    pub data: PathBuf,
    /// File with the join token of class `executor`.
    #[serde(default)]
    pub join_token_file: Option<PathBuf>,
    /// The host's own file of what may run as whom (`[[allow]]`). Without one nothing may run, unless
    /// `allow-everything-as-me` is set.
    #[serde(default)]
    pub allow: Option<PathBuf>,
    /// Everything may run, as the user of the executor and nobody else.
    #[serde(default)]
    pub allow_everything_as_me: bool,
    /// How long after its last heartbeat an attempt is called lost.
    #[serde(default = "lease")]
    pub lease: HumanDuration,
    /// How long the output of an ended attempt is kept on this host.
    #[serde(default = "keep_output")]
    pub keep_output: HumanDuration,
    /// Most bytes its journal holds while the recorder is away.
    #[serde(default = "journal_bytes")]
    pub journal_bytes: u64,
}

fn default_pools() -> Vec<String> {
    vec!["default".to_owned()]
}

fn slots() -> u32 {
    16
}

fn lease() -> HumanDuration {
    HumanDuration::from_secs(30)
}

fn keep_output() -> HumanDuration {
    HumanDuration::from_secs(30 * 24 * 3_600)
}

fn journal_bytes() -> u64 {
    256 * 1024 * 1024
}

impl ExecutorConfig {
    /// The usual settings for a host and a data directory.
    pub fn new(host: &str, data: PathBuf) -> Self {
        Self {
            host: host.to_owned(),
            pools: default_pools(),
            slots: slots(),
            data,
            join_token_file: None,
            allow: None,
            allow_everything_as_me: false,
            lease: lease(),
            keep_output: keep_output(),
            journal_bytes: journal_bytes(),
        }
    }

    /// Everything that is wrong with it.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for name in std::iter::once(&self.host).chain(&self.pools) {
            if !domain::ids::is_name(name) {
                problems.push(format!("executor.host or executor.pools: {name:?} is not a name"));
            }
        }
        if !(1..=1_000).contains(&self.slots) {
            problems.push("executor.slots: 1 to 1000".to_owned());
        }
        if self.lease.millis() < 3_000 {
            problems.push("executor.lease: at least 3s".to_owned());
        }
        if self.journal_bytes < 1024 * 1024 {
            problems.push("executor.journal-bytes: at least 1048576".to_owned());
        }
        if self.allow.is_none() && !self.allow_everything_as_me {
            problems.push(
                "executor.allow: name the file that says what may run as whom on this host"
                    .to_owned(),
            );
        }
        problems
    }

    /// Where attempts and their output are.
    pub fn attempts(&self) -> PathBuf {
        self.data.join("attempts")
    }
}
