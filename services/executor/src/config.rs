//! What an executor is told.

use std::collections::BTreeMap;
use std::path::PathBuf;

use delivery::mail::MailConfig;
use domain::time::HumanDuration;
use serde::{Deserialize, Serialize};

/// Most labels of a host.
const LABELS_MAX: usize = 32;
/// Longest value of a label.
const LABEL_BYTES_MAX: usize = 100;

/// Settings of an executor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExecutorConfig {
    /// Name of this host; jobs may name it, events do.
    pub host: String,
    /// Which of the keys that this host had one after the other it has: 2 for the second. `decklog-executor join` writes it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub key_number: u32,
    /// Pools it takes work from.
    #[serde(default = "default_pools")]
    pub pools: Vec<String>,
    /// What jobs can select it by, beside `os`, `arch` and `host`, which it has by itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
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
    /// How documents are sent by mail; none are where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailConfig>,
    /// Directory with the host's own lists of addresses: `NAME.csv`, with a line `key,address,name` for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists: Option<PathBuf>,
    /// Most bytes its journal holds while the recorder is away.
    #[serde(default = "journal_bytes")]
    pub journal_bytes: u64,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_one(number: &u32) -> bool {
    *number == 1
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
            key_number: 1,
            pools: default_pools(),
            labels: BTreeMap::new(),
            slots: slots(),
            data,
            join_token_file: None,
            allow: None,
            allow_everything_as_me: false,
            lease: lease(),
            keep_output: keep_output(),
            mail: None,
            lists: None,
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
        if domain::ids::ProducerId::of_host("h", self.key_number).is_err() {
            problems.push("executor.key-number: 1 to 999".to_owned());
        }
        problems.extend(self.label_problems());
        problems.extend(self.mail.iter().flat_map(|mail| mail.problems("executor.mail")));
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

    fn label_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.labels.len() > LABELS_MAX {
            problems.push(format!("executor.labels: at most {LABELS_MAX}"));
        }
        for (name, value) in &self.labels {
            if !domain::ids::is_name(name) {
                problems.push(format!("executor.labels: {name:?} is not a name"));
            }
            if value.is_empty() || value.len() > LABEL_BYTES_MAX {
                problems.push(format!("executor.labels.{name}: 1 to {LABEL_BYTES_MAX} bytes"));
            }
        }
        if self.labels.get("host").is_some_and(|host| *host != self.host) {
            let host = &self.host;
            problems.push(format!("executor.labels.host: it is always {host:?}; leave it out"));
        }
        problems
    }

    /// The labels it has by itself, and those it was given; of these `os` and `arch` win.
    pub fn all_labels(&self) -> BTreeMap<String, String> {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        let mut all: BTreeMap<String, String> =
            [("os", os), ("arch", arch)].map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        all.extend(self.labels.clone());
        all.insert("host".to_owned(), self.host.clone());
        all
    }

    /// Where attempts and their output are.
    pub fn attempts(&self) -> PathBuf {
        self.data.join("attempts")
    }
}

#[cfg(test)]
mod tests {
    use settings::Settings;

    use super::*;

    fn read(environment: &[(&str, &str)], set: &[&str]) -> ExecutorConfig {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("executor.toml");
        let text = "[executor]\nhost = 'h1'\ndata = '/d'\nlabels = { site = 'a', tier = '1' }\n";
        std::fs::write(&file, text).unwrap();
        let environment = environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let set: Vec<String> = set.iter().map(|one| (*one).to_owned()).collect();
        let settings = Settings::load(&["executor"], &file, environment, &set).unwrap();
        settings.section("executor").unwrap().unwrap()
    }

    #[test]
    fn labels_come_from_the_file_the_environment_and_flags_and_some_by_themselves() {
        let environment = [("DECKLOG__EXECUTOR__LABELS", "{ site = 'b' }")];
        let set = ["executor.labels={ site = 'c', os = 'own' }"];
        for (config, site, os) in [
            (read(&[], &[]), "a", std::env::consts::OS),
            (read(&environment, &[]), "b", std::env::consts::OS),
            (read(&environment, &set), "c", "own"),
        ] {
            let labels = config.all_labels();
            assert_eq!((labels["site"].as_str(), labels["os"].as_str()), (site, os));
            assert_eq!(
                (labels["host"].as_str(), labels["arch"].as_str()),
                ("h1", std::env::consts::ARCH)
            );
        }
    }

    #[test]
    fn the_sample_is_a_configuration_also_with_what_is_commented_out() {
        let sample = include_str!("../../../ops/config/executor.toml");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("executor.toml");
        for text in [sample, &sample.replace("# labels", "labels")] {
            std::fs::write(&file, text).unwrap();
            let settings =
                Settings::load(&["nats", "executor"], &file, [].into_iter(), &[]).unwrap();
            assert!(settings.need("executor", ExecutorConfig::problems).is_ok());
        }
    }

    #[test]
    fn labels_that_cannot_be_used_are_named() {
        for (labels, problem) in [
            ("{ host = 'other' }", "executor.labels.host: it is always \"h1\""),
            ("{ 'a b' = 'x' }", "executor.labels: \"a b\" is not a name"),
            ("{ site = '' }", "executor.labels.site: 1 to 100 bytes"),
        ] {
            let mut config = read(&[], &[&format!("executor.labels={labels}")]);
            config.allow_everything_as_me = true;
            let [said] = config.problems().try_into().unwrap();
            assert!(said.starts_with(problem), "{said}");
        }
        let mut same = read(&[], &["executor.labels={ host = 'h1' }"]);
        same.allow_everything_as_me = true;
        assert_eq!(same.problems(), Vec::<String>::new());
    }
}
