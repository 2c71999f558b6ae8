//! The configuration of the roles.

use std::path::Path;

use audit::AuditConfig;
use bus::NatsConfig;
use console::ConsoleConfig;
use executor::ExecutorConfig;
use scheduler::SchedulerConfig;
use settings::{Problems, Settings};

use crate::exit;

/// Sections a file may have.
const SECTIONS: &[&str] = &["nats", "audit", "scheduler", "console", "executor"];

/// A configuration.
#[derive(Debug)]
pub(crate) struct Config(Settings);

fn usage(problems: Problems) -> anyhow::Error {
    exit::usage(problems)
}

impl Config {
    /// Reads the file, then the environment, then `set`.
    pub(crate) fn load(
        file: &Path,
        environment: impl Iterator<Item = (String, String)>,
        set: &[String],
    ) -> anyhow::Result<Self> {
        Settings::load(SECTIONS, file, environment, set).map(Self).map_err(usage)
    }

    /// Everything that is wrong with it.
    pub(crate) fn problems(&self) -> Vec<String> {
        let of = |found: Result<Option<Vec<String>>, String>| match found {
            Ok(problems) => problems.unwrap_or_default(),
            Err(problem) => vec![problem],
        };
        let s = &self.0;
        [
            of(s.section::<NatsConfig>("nats").map(|_| None)),
            of(s.section("audit").map(|c| c.map(|c: AuditConfig| c.problems()))),
            of(s.section("scheduler").map(|c| c.map(|c: SchedulerConfig| c.problems()))),
            of(s.section("console").map(|c| c.map(|c: ConsoleConfig| c.problems()))),
            of(s.section("executor").map(|c| c.map(|c: ExecutorConfig| c.problems()))),
        ]
        .concat()
    }

    pub(crate) fn nats(&self) -> anyhow::Result<NatsConfig> {
        self.0.need("nats", |_| Vec::new()).map_err(usage)
    }

    pub(crate) fn audit(&self) -> anyhow::Result<AuditConfig> {
        self.0.need("audit", AuditConfig::problems).map_err(usage)
    }

    pub(crate) fn scheduler(&self) -> anyhow::Result<SchedulerConfig> {
        self.0.need("scheduler", SchedulerConfig::problems).map_err(usage)
    }

    pub(crate) fn console(&self) -> anyhow::Result<ConsoleConfig> {
        self.0.need("console", ConsoleConfig::problems).map_err(usage)
    }

    pub(crate) fn executor(&self) -> anyhow::Result<ExecutorConfig> {
        self.0.need("executor", ExecutorConfig::problems).map_err(usage)
    }

    /// The values with their defaults as TOML, and of each where it comes from.
    pub(crate) fn text(&self, origin: bool) -> anyhow::Result<String> {
        let s = &self.0;
        let sections = [
            s.text::<NatsConfig>("nats", origin),
            s.text::<AuditConfig>("audit", origin),
            s.text::<SchedulerConfig>("scheduler", origin),
            s.text::<ConsoleConfig>("console", origin),
            s.text::<ExecutorConfig>("executor", origin),
        ];
        let texts = sections.into_iter().collect::<Result<Vec<_>, _>>().map_err(exit::usage)?;
        Ok(texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n"))
    }
}
