//! The configuration of a program: one TOML file, environment, flags; later ones win.
//!
//! `DECKLOG__AUDIT__DATABASE=…` sets `audit.database`, `DECKLOG__AUDIT__HEAD_EVERY=…` `audit.head-every`;
//! `--set audit.database=…` does the same. Everything that is wrong is said at once.

pub mod secret;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// How the environment names a value.
pub const PREFIX: &str = "DECKLOG__";

/// All that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

/// Reads a TOML file of its own. `problems` are those of what stands in it.
///
/// # Errors
/// It cannot be read, or what is wrong with it; with its path.
pub fn read_file<T: DeserializeOwned>(
    path: &Path,
    problems: impl Fn(&T) -> Vec<String>,
) -> Result<T, String> {
    let named = |error: &dyn std::fmt::Display| format!("reading {}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
    let value: T = toml::from_str(&text).map_err(|error| named(&error))?;
    let found = problems(&value);
    if found.is_empty() { Ok(value) } else { Err(named(&found.join("; "))) }
}

/// Sections of values, and where each value comes from.
#[derive(Debug, Clone)]
pub struct Settings {
    known: &'static [&'static str],
    sections: BTreeMap<String, Table>,
    origins: BTreeMap<String, String>,
}

impl Settings {
    /// Reads the file, then the environment, then `set` (each `SECTION.KEY=VALUE`). `known` are the
    /// sections there are. A file that is not there is a problem unless `set` says something.
    ///
    /// # Errors
    /// All problems of reading; what the sections hold is checked by [`Settings::section`].
    pub fn load(
        known: &'static [&'static str],
        file: &Path,
        environment: impl Iterator<Item = (String, String)>,
        set: &[String],
    ) -> Result<Self, Problems> {
        let mut config = Self { known, sections: BTreeMap::new(), origins: BTreeMap::new() };
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
        if problems.is_empty() { Ok(config) } else { Err(Problems(problems)) }
    }

    fn take_file(&mut self, file: &Path, text: &str, problems: &mut Vec<String>) {
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => return problems.push(format!("{}: {error}", file.display())),
        };
        for (section, value) in table {
            let Some(values) = value.as_table() else {
                problems.push(format!("{}: {section} stands outside a section", file.display()));
                continue;
            };
            if !self.known.contains(&section.as_str()) {
                let there_are = self.known.join(", ");
                problems.push(format!(
                    "{}: there is no section [{section}]; there are {there_are}",
                    file.display()
                ));
                continue;
            }
            for key in values.keys() {
                let origin = format!("file {}", file.display());
                self.origins.insert(format!("{section}.{key}"), origin);
            }
            self.sections.insert(section, values.clone());
        }
    }

    fn take_value(&mut self, path: &str, text: &str, origin: &str, problems: &mut Vec<String>) {
        let Some((section, key)) = path.split_once('.').filter(|(s, _)| self.known.contains(s))
        else {
            let there_are = self.known.join(", ");
            problems
                .push(format!("{origin}: {path} is no value; it begins with one of {there_are}"));
            return;
        };
        // NATS has its keys with underscores, as its own configuration does.
        let key = if section == "nats" { key.replace('-', "_") } else { key.to_owned() };
        // Numbers, booleans and lists as TOML writes them; everything else is text.
        let parsed =
            format!("value = {text}").parse::<Table>().ok().and_then(|mut t| t.remove("value"));
        let value = parsed.unwrap_or_else(|| Value::String(text.to_owned()));
        self.origins.insert(format!("{section}.{key}"), origin.to_owned());
        self.sections.entry(section.to_owned()).or_default().insert(key, value);
    }

    /// A section as its type; `None` where it was not given.
    ///
    /// # Errors
    /// What does not fit the type.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, String> {
        let Some(table) = self.sections.get(name) else { return Ok(None) };
        let read = T::deserialize(table.clone());
        read.map(Some).map_err(|error| format!("[{name}]: {}", error.to_string().trim_end()))
    }

    /// A section that must be there and pass `check`.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn need<T: DeserializeOwned>(
        &self,
        name: &str,
        check: impl Fn(&T) -> Vec<String>,
    ) -> Result<T, Problems> {
        let missing = || format!("there is no section [{name}] in the configuration");
        let section = self.section::<T>(name).and_then(|section| section.ok_or_else(missing));
        let section = section.map_err(|problem| Problems(vec![problem]))?;
        let problems = check(&section);
        if problems.is_empty() { Ok(section) } else { Err(Problems(problems)) }
    }

    /// One section with its defaults as TOML; with `origin`, of each value where it comes from. Passwords
    /// in addresses are not shown.
    ///
    /// # Errors
    /// What does not fit the type.
    pub fn text<T: DeserializeOwned + Serialize>(
        &self,
        name: &str,
        origin: bool,
    ) -> Result<String, String> {
        let Some(section) = self.section::<T>(name)? else { return Ok(String::new()) };
        let full = Table::try_from(section).map_err(|error| error.to_string())?;
        let mut text = format!("[{name}]\n");
        for (key, value) in full {
            let from = self.origins.get(&format!("{name}.{key}")).map_or("default", String::as_str);
            let comment = if origin { format!("  # {from}") } else { String::new() };
            text.push_str(&format!("{key} = {}{comment}\n", hide_password(value)));
        }
        Ok(text)
    }
}

fn hide_password(value: Value) -> Value {
    let Some(text) = value.as_str() else { return value };
    match text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?))) {
        Some((scheme, (who, place))) if who.contains(':') => {
            let user = who.split(':').next().unwrap_or_default();
            Value::String(format!("{scheme}://{user}:***@{place}"))
        }
        Some(_) | None => value,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    struct Audit {
        name: String,
        database: String,
        #[serde(default)]
        batch_events: u32,
    }

    fn load(file: &str, environment: &[(&str, &str)], set: &[&str]) -> Result<Settings, Problems> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("decklog.toml");
        std::fs::write(&path, file).unwrap();
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
        Settings::load(&["nats", "audit"], &path, environment, &set)
    }

    #[test]
    fn environment_wins_over_the_file_and_flags_over_both() {
        let file = "[audit]\ndatabase = 'a'\nname = 'a'\n";
        let environment = [("DECKLOG__AUDIT__DATABASE", "b"), ("DECKLOG__AUDIT__NAME", "b")];
        let settings = load(file, &environment, &["audit.name=c"]).unwrap();
        let text = settings.text::<Audit>("audit", true).unwrap();
        assert!(text.contains("name = \"c\"  # flag --set"), "{text}");
        assert!(
            text.contains("database = \"b\"  # environment DECKLOG__AUDIT__DATABASE"),
            "{text}"
        );
        assert!(text.contains("batch-events = 0  # default"), "{text}");
    }

    #[test]
    fn every_problem_of_reading_is_said_at_once() {
        let problems =
            load("[auditt]\nx = 1\n", &[], &["audit.name", "nonsense.x=1"]).unwrap_err().0;
        assert_eq!(problems.len(), 3, "{problems:?}");
    }

    #[test]
    fn an_unknown_key_is_refused_with_what_there_is() {
        let settings =
            load("[audit]\ndatabase = 'a'\nname = 'a'\nnamee = 'b'\n", &[], &[]).unwrap();
        let problem = settings.section::<Audit>("audit").unwrap_err();
        assert!(problem.contains("namee") && problem.contains("batch-events"), "{problem}");
    }

    #[test]
    fn a_password_is_not_shown() {
        let file = "[audit]\nname = 'a'\ndatabase = 'postgres://u:secret@h/d'\n";
        let text = load(file, &[], &[]).unwrap().text::<Audit>("audit", false).unwrap();
        assert!(!text.contains("secret") && text.contains("postgres://u:***@h/d"), "{text}");
    }
}
