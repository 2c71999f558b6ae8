//! The configuration of the roles: one TOML file, environment, flags; later ones win.
//!
//! `DECKLOG__AUDIT__DATABASE=…` sets `audit.database`, `DECKLOG__AUDIT__HEAD_EVERY=…` `audit.head-every`;
//! `--set audit.database=…` does the same.

use std::collections::BTreeMap;
use std::path::Path;

use audit::AuditConfig;
use bus::NatsConfig;
use console::ConsoleConfig;
use executor::ExecutorConfig;
use scheduler::SchedulerConfig;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::exit;

/// Sections a file may have.
const SECTIONS: [&str; 5] = ["nats", "audit", "scheduler", "console", "executor"];
/// How the environment names a value.
const PREFIX: &str = "DECKLOG__";

/// A configuration, and where each of its values comes from.
#[derive(Debug, Default)]
pub(crate) struct Config {
    sections: BTreeMap<String, Table>,
    origins: BTreeMap<String, String>,
}

impl Config {
    /// Reads the file, then the environment, then `set`.
    pub(crate) fn load(
        file: &Path,
        environment: impl Iterator<Item = (String, String)>,
        set: &[String],
    ) -> anyhow::Result<Self> {
        let mut config = Self::default();
        let mut problems = Vec::new();
        match std::fs::read_to_string(file) {
            Ok(text) => config.take_file(file, &text, &mut problems),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !set.is_empty() => {}
            Err(error) => problems.push(format!("{}: {error}", file.display())),
        }
        for (name, value) in environment {
            if let Some(path) = name.strip_prefix(PREFIX) {
                let path = path.to_lowercase().replace("__", ".").replace('_', "-");
                config.take_value(&path, &value, &format!("environment {name}"), &mut problems);
            }
        }
        for one in set {
            match one.split_once('=') {
                Some((path, value)) => config.take_value(path, value, "flag --set", &mut problems),
                None => problems.push(format!("--set {one}: write SECTION.KEY=VALUE")),
            }
        }
        if problems.is_empty() { Ok(config) } else { Err(exit::usage(problems.join("\n"))) }
    }

    fn take_file(&mut self, file: &Path, text: &str, problems: &mut Vec<String>) {
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => return problems.push(format!("{}: {error}", file.display())),
        };
        for (section, value) in table {
            let Value::Table(values) = value else {
                problems.push(format!("{}: {section} is not a section; there are {}", file.display(), SECTIONS.join(", ")));
                continue;
            };
            if !SECTIONS.contains(&section.as_str()) {
                problems.push(format!("{}: there is no section [{section}]; there are {}", file.display(), SECTIONS.join(", ")));
                continue;
            }
            for key in values.keys() {
                self.origins.insert(format!("{section}.{key}"), format!("file {}", file.display()));
            }
            self.sections.insert(section, values);
        }
    }

    fn take_value(&mut self, path: &str, text: &str, origin: &str, problems: &mut Vec<String>) {
        let Some((section, key)) = path.split_once('.').filter(|(s, _)| SECTIONS.contains(s)) else {
            problems.push(format!("{origin}: {path} is no value; it begins with one of {}", SECTIONS.join(", ")));
            return;
        };
        // NATS has its keys with underscores, as its own configuration does.
        let key = if section == "nats" { key.replace('-', "_") } else { key.to_owned() };
        // Numbers, booleans and lists as TOML writes them; everything else is text.
        let parsed = format!("value = {text}").parse::<Table>().ok().and_then(|mut t| t.remove("value"));
        let value = parsed.unwrap_or_else(|| Value::String(text.to_owned()));
        self.origins.insert(format!("{section}.{key}"), origin.to_owned());
        self.sections.entry(section.to_owned()).or_default().insert(key, value);
    }

    fn section<T: DeserializeOwned>(&self, name: &str, problems: &mut Vec<String>) -> Option<T> {
        let table = self.sections.get(name)?;
        match T::deserialize(table.clone()) {
            Ok(section) => Some(section),
            Err(error) => {
                problems.push(format!("[{name}]: {}", error.to_string().trim_end()));
                None
            }
        }
    }

    /// Everything that is wrong with it.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let p = &mut problems;
        let _: Option<NatsConfig> = self.section("nats", p);
        let found = [
            self.section::<AuditConfig>("audit", p).map(|c| c.problems()),
            self.section::<SchedulerConfig>("scheduler", p).map(|c| c.problems()),
            self.section::<ConsoleConfig>("console", p).map(|c| c.problems()),
            self.section::<ExecutorConfig>("executor", p).map(|c| c.problems()),
        ];
        problems.extend(found.into_iter().flatten().flatten());
        problems
    }

    fn need<T: DeserializeOwned>(&self, name: &str, check: impl Fn(&T) -> Vec<String>) -> anyhow::Result<T> {
        let mut problems = Vec::new();
        let section: Option<T> = self.section(name, &mut problems);
        if let Some(section) = &section {
            problems.extend(check(section));
        } else if problems.is_empty() {
            problems.push(format!("there is no section [{name}] in the configuration"));
        }
        match section {
            Some(section) if problems.is_empty() => Ok(section),
            Some(_) | None => Err(exit::usage(problems.join("\n"))),
        }
    }

    pub(crate) fn nats(&self) -> anyhow::Result<NatsConfig> {
        self.need("nats", |_| Vec::new())
    }

    pub(crate) fn audit(&self) -> anyhow::Result<AuditConfig> {
        self.need("audit", AuditConfig::problems)
    }

    pub(crate) fn scheduler(&self) -> anyhow::Result<SchedulerConfig> {
        self.need("scheduler", SchedulerConfig::problems)
    }

    pub(crate) fn console(&self) -> anyhow::Result<ConsoleConfig> {
        self.need("console", ConsoleConfig::problems)
    }

    pub(crate) fn executor(&self) -> anyhow::Result<ExecutorConfig> {
        self.need("executor", ExecutorConfig::problems)
    }

    /// The values with their defaults as TOML, and of each that was given where it comes from.
    pub(crate) fn text(&self, with_origin: bool) -> anyhow::Result<String> {
        let mut text = String::new();
        for name in SECTIONS {
            let Some(given) = self.sections.get(name) else { continue };
            text.push_str(&format!("[{name}]\n"));
            for (key, value) in self.with_defaults(name, given)? {
                let origin = self.origins.get(&format!("{name}.{key}")).map_or("default", String::as_str);
                let secret = key.contains("database");
                let shown = if secret { Value::String(hide_password(&value)) } else { value };
                let comment = if with_origin { format!("  # {origin}") } else { String::new() };
                text.push_str(&format!("{key} = {shown}{comment}\n"));
            }
            text.push('\n');
        }
        Ok(text)
    }

    fn with_defaults(&self, name: &str, given: &Table) -> anyhow::Result<Table> {
        fn full<T: DeserializeOwned + serde::Serialize>(given: &Table) -> anyhow::Result<Table> {
            Ok(Table::try_from(T::deserialize(given.clone())?)?)
        }
        match name {
            "nats" => full::<NatsConfig>(given),
            "audit" => full::<AuditConfig>(given),
            "scheduler" => full::<SchedulerConfig>(given),
            "console" => full::<ConsoleConfig>(given),
            _ => full::<ExecutorConfig>(given),
        }
    }
}

fn hide_password(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    match text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?))) {
        Some((scheme, (who, place))) => {
            let user = who.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***@{place}")
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)], set: &[&str]) -> anyhow::Result<Config> {
        let dir = std::env::temp_dir().join(format!("decklog-config-{}-{:?}", std::process::id(), std::thread::current().id()));
        std::fs::create_dir_all(&dir)?;
        let path = dir.join("decklog.toml");
        std::fs::write(&path, file)?;
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
        Config::load(&path, environment, &set)
    }

    #[test]
    fn environment_wins_over_the_file_and_flags_over_both() {
        let file = "[audit]\ndatabase = 'a'\ndata = '/a'\nname = 'a'\n";
        let environment = [("DECKLOG__AUDIT__DATABASE", "b"), ("DECKLOG__AUDIT__NAME", "b")];
        let config = load(file, &environment, &["audit.name=c"]).unwrap();
        let audit = config.audit().unwrap();
        assert_eq!((audit.database.as_str(), audit.name.as_str()), ("b", "c"));
        let text = config.text(true).unwrap();
        assert!(text.contains("name = \"c\"  # flag --set"), "{text}");
        assert!(text.contains("database = \"b\"  # environment DECKLOG__AUDIT__DATABASE"), "{text}");
        assert!(text.contains("head-every = \"10s\"  # default"), "{text}");
    }

    #[test]
    fn all_problems_are_said_at_once() {
        let file = "[audit]\ndatabase = 'a'\ndata = '/a'\nname = 'A B'\n[scheduler]\ndata = '/s'\nnamee = 'x'\n[executor]\nhost = 'h'\ndata = '/e'\nslots = 0\n";
        let problems = load(file, &[], &[]).unwrap().problems().join("\n");
        for part in ["audit.name", "namee", "executor.slots", "executor.allow"] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
    }

    #[test]
    fn unknown_sections_are_refused() {
        let error = load("[auditt]\nx = 1\n", &[], &[]).unwrap_err().to_string();
        assert!(error.contains("there is no section [auditt]"), "{error}");
    }

    #[test]
    fn a_password_is_not_shown() {
        let file = "[audit]\ndatabase = 'postgres://u:secret@h/d'\ndata = '/a'\n";
        let text = load(file, &[], &[]).unwrap().text(false).unwrap();
        assert!(!text.contains("secret") && text.contains("postgres://u:***@h/d"), "{text}");
    }
}
