//! Reading the host's own list.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::pattern::is_plain;

/// What a list says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Listed {
    pub(super) rules: Vec<Rule>,
    /// References that whatever runs here may use.
    pub(super) secrets: Vec<String>,
    /// By name, program and first arguments.
    pub(super) providers: BTreeMap<String, Vec<String>>,
    /// What may be backed up and restored; nothing where there is none.
    pub(super) backup: Option<BackupRule>,
    /// What may be printed and sent; nothing where there is none.
    pub(super) print: Option<PrintRule>,
}

/// What may be backed up here, and where it may be restored to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupRule {
    /// As whom.
    pub(super) user: Users,
    /// Directories and files that may be read: each with all that is below it.
    #[serde(default)]
    pub(super) read: Vec<String>,
    /// Directories below which may be written.
    #[serde(default)]
    pub(super) write: Vec<String>,
    /// Locations of repositories, by pattern.
    #[serde(default)]
    pub(super) repositories: Vec<String>,
    /// References that engines may use.
    #[serde(default)]
    pub(super) secrets: Vec<String>,
    /// Certificates that are trusted instead of those of the system.
    #[serde(default, rename = "ca-file")]
    pub(super) ca_file: Option<String>,
    /// A configuration for ssh instead of the user's own.
    #[serde(default, rename = "ssh-config")]
    pub(super) ssh_config: Option<String>,
    /// The program restic, where it is not the one in the directories of the system.
    #[serde(default)]
    pub(super) restic: Option<String>,
    /// Whether the centre may ask for names of files in snapshots of these repositories.
    #[serde(default = "yes")]
    pub(super) look: bool,
}

fn yes() -> bool {
    true
}

/// What may be printed here, and where it may go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PrintRule {
    /// As whom files are read.
    pub(super) user: Users,
    /// Directories and files that may be read: each with all that is below it.
    #[serde(default)]
    pub(super) read: Vec<String>,
    /// Directories below which may be written.
    #[serde(default)]
    pub(super) write: Vec<String>,
    /// Addresses of printers, by pattern.
    #[serde(default)]
    pub(super) printers: Vec<String>,
    /// Whether documents may be sent by mail.
    #[serde(default)]
    pub(super) mail: bool,
    /// Places of other hosts they may be sent to, by pattern.
    #[serde(default)]
    pub(super) sftp: Vec<String>,
    /// References that passwords of printers may have.
    #[serde(default)]
    pub(super) secrets: Vec<String>,
    /// Certificates that are trusted instead of those of the system.
    #[serde(default, rename = "ca-file")]
    pub(super) ca_file: Option<String>,
}

/// Who may run what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) program: String,
    pub(super) user: Users,
    pub(super) scripts: bool,
    /// References that what runs by this rule may use.
    pub(super) secrets: Vec<String>,
}

/// All that is wrong with a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the allow-list cannot be used: {}", .0.join("; "))]
pub struct Problems(pub Vec<String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    program: String,
    user: Users,
    #[serde(default)]
    scripts: bool,
    #[serde(default)]
    secrets: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "user must be a name or a list of names")]
pub(super) enum Users {
    One(String),
    Several(Vec<String>),
}

impl Users {
    fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }

    pub(super) fn lets(&self, user: &str) -> bool {
        self.names().iter().any(|allowed| allowed == "*" || allowed == user)
    }

    /// The first that is named, and not only by a star.
    pub(super) fn first_named(&self) -> Option<&str> {
        self.names().iter().map(String::as_str).find(|name| *name != "*")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderEntry {
    name: String,
    command: Vec<String>,
}

/// Reads a list.
pub(super) fn read(text: &str) -> Result<Listed, Problems> {
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| Problems(vec![error.to_string()]))?;
    let (mut listed, mut rules, mut problems) = (Listed::default(), Vec::new(), Vec::new());
    for (key, value) in table {
        match key.as_str() {
            "allow" => {
                for (number, entry) in entries("allow", "rule", value, &mut problems) {
                    rules.extend(rule(number, entry, &mut problems).map(|rule| (number, rule)));
                }
            }
            "provider" => {
                for (number, entry) in entries("provider", "provider", value, &mut problems) {
                    provider(number, entry, &mut listed.providers, &mut problems);
                }
            }
            "secrets" => match value.try_into() {
                Ok(secrets) => listed.secrets = secrets,
                Err(error) => problems.push(format!("secrets: {}", error.to_string().trim_end())),
            },
            "backup" => match value.try_into() {
                Ok(rule) => listed.backup = Some(rule),
                Err(error) => problems.push(format!("[backup]: {}", error.to_string().trim_end())),
            },
            "print" => match value.try_into() {
                Ok(rule) => listed.print = Some(rule),
                Err(error) => problems.push(format!("[print]: {}", error.to_string().trim_end())),
            },
            _ => problems.push(format!(
                "{key:?} is not known here; there are secrets, [[allow]], [[provider]], [backup] and [print]"
            )),
        }
    }
    check_references("secrets", &listed.secrets, &listed, &mut problems);
    if let Some(rule) = &listed.backup {
        check_references("[backup]: secrets", &rule.secrets, &listed, &mut problems);
        let own = rule.restic.iter().chain(&rule.ca_file).chain(&rule.ssh_config);
        let paths = rule.read.iter().chain(&rule.write).chain(own);
        for path in paths.filter(|path| !is_plain(path)) {
            problems.push(format!("[backup]: {path:?} must be a full path without . and .."));
        }
    }
    if let Some(rule) = &listed.print {
        check_references("[print]: secrets", &rule.secrets, &listed, &mut problems);
        let paths = rule.read.iter().chain(&rule.write).chain(&rule.ca_file);
        for path in paths.filter(|path| !is_plain(path)) {
            problems.push(format!("[print]: {path:?} must be a full path without . and .."));
        }
    }
    for (number, rule) in &rules {
        let place = format!("rule {number}: secrets");
        check_references(&place, &rule.secrets, &listed, &mut problems);
    }
    listed.rules = rules.into_iter().map(|(_, rule)| rule).collect();
    if problems.is_empty() { Ok(listed) } else { Err(Problems(problems)) }
}

/// The tables of one name that can be read, with their numbers.
fn entries<T: DeserializeOwned>(
    key: &str,
    what: &str,
    value: toml::Value,
    problems: &mut Vec<String>,
) -> Vec<(usize, T)> {
    let toml::Value::Array(all) = value else {
        problems.push(format!("write [[{key}]], with two brackets"));
        return Vec::new();
    };
    let mut read = Vec::new();
    for (number, entry) in (1..).zip(all) {
        match entry.try_into() {
            Ok(entry) => read.push((number, entry)),
            Err(error) => {
                problems.push(format!("{what} {number}: {}", error.to_string().trim_end()));
            }
        }
    }
    read
}

fn rule(number: usize, entry: RuleEntry, problems: &mut Vec<String>) -> Option<Rule> {
    let before = problems.len();
    if !is_plain(&entry.program) {
        problems.push(format!(
            "rule {number}: program {:?} must be a full path without . and ..",
            entry.program
        ));
    }
    let users = entry.user.names();
    if users.is_empty() || users.iter().any(String::is_empty) {
        problems.push(format!("rule {number}: user must name somebody, or \"*\""));
    }
    let RuleEntry { program, user, scripts, secrets } = entry;
    (problems.len() == before).then_some(Rule { program, user, scripts, secrets })
}

fn provider(
    number: usize,
    entry: ProviderEntry,
    providers: &mut BTreeMap<String, Vec<String>>,
    problems: &mut Vec<String>,
) {
    let ProviderEntry { name, command } = entry;
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        problems.push(format!(
            "provider {number}: name {name:?} must be of letters, digits, '.', '_' and '-'"
        ));
    }
    if !command.first().is_some_and(|program| is_plain(program)) {
        problems.push(format!(
            "provider {number}: command must begin with the full path of a program, without . and .."
        ));
    }
    if providers.insert(name.clone(), command).is_some() {
        problems.push(format!("provider {number}: there is another one named {name:?}"));
    }
}

fn check_references(place: &str, patterns: &[String], listed: &Listed, problems: &mut Vec<String>) {
    for pattern in patterns {
        let wrong = match pattern.split_once(':') {
            Some(("file", path)) if !is_plain(path) => "must name a full path without . and ..",
            Some(("exec", rest)) if names_no_provider(rest, listed) => {
                "must begin with the name of a [[provider]] of this list"
            }
            Some(("file" | "env" | "credential" | "exec", rest)) if !rest.is_empty() => continue,
            Some(_) | None => "must begin with file:, env:, credential: or exec:, and go on",
        };
        problems.push(format!("{place}: {pattern:?} {wrong}"));
    }
}

fn names_no_provider(rest: &str, listed: &Listed) -> bool {
    let name = rest.split(' ').next().unwrap_or_default();
    !name.contains(['*', '?']) && !listed.providers.contains_key(name)
}
