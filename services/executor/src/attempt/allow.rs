//! What this host lets the centre run, and as whom: the host's own list, never changed from outside.
//!
//! ```toml
//! [[allow]]
//! program = "/usr/local/bin/*"     # a path, or a pattern: `*` and `?` stand for anything but a slash
//! user = ["backup", "reports"]     # a name, several, or "*"
//! scripts = false                  # whether the centre may send the program a script to interpret
//! ```
//!
//! A rule without `scripts` is about the program and not about what the centre makes of it: variables
//! that change which code runs (`LD_PRELOAD`, `PATH`, `BASH_ENV`, …) are refused.

use serde::Deserialize;

use super::launch::{resolve, search_path};
use super::spec::{Program, Spec};

/// Variables by which a program can be made to run other code. A trailing `*` is a prefix.
const CODE_VARIABLES: [&str; 19] = [
    "LD_*",
    "GLIBC_TUNABLES",
    "GCONV_PATH",
    "PATH",
    "IFS",
    "ENV",
    "PS4",
    "SHELLOPTS",
    "BASHOPTS",
    "BASH_*",
    "PYTHON*",
    "PERL5*",
    "PERLLIB",
    "RUBY*",
    "NODE_*",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "GIT_*",
];

/// The host's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowList {
    rules: Vec<Rule>,
    /// Nobody but the owner of this process decides here.
    everything_as_me: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    program: String,
    users: Vec<String>,
    scripts: bool,
}

/// The host does not allow this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this host does not allow {what} as {whom}; {hint}")]
pub struct Refused {
    /// What was to be run.
    pub what: String,
    /// As which user.
    pub whom: String,
    /// What would have to change, and by whom.
    pub hint: String,
}

/// All that is wrong with a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the allow-list cannot be used: {}", .0.join("; "))]
pub struct Problems(pub Vec<String>);

impl AllowList {
    /// Reads a list. One that allows nothing is a list too.
    ///
    /// # Errors
    /// All that is wrong with it, at once.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        let table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| Problems(vec![error.to_string()]))?;
        let mut problems = Vec::new();
        let mut rules = Vec::new();
        for (key, value) in table {
            match (key.as_str(), value) {
                ("allow", toml::Value::Array(entries)) => {
                    for (index, entry) in entries.into_iter().enumerate() {
                        rules.extend(rule(index + 1, entry, &mut problems));
                    }
                }
                ("allow", _) => problems.push("write [[allow]], with two brackets".into()),
                _ => problems.push(format!("{key:?} is not known here; only [[allow]] is")),
            }
        }
        if problems.is_empty() {
            return Ok(Self { rules, everything_as_me: false });
        }
        Err(Problems(problems))
    }

    /// For one's own machine: anything, but as nobody else than the user of this process.
    #[must_use]
    pub fn everything_as_me() -> Self {
        Self { rules: Vec::new(), everything_as_me: true }
    }

    /// Whether this host lets an attempt run. `default_user` is who runs what names no user: the user of
    /// the executor.
    ///
    /// # Errors
    /// The refusal, with what to do about it.
    pub fn check(&self, spec: &Spec, default_user: &str) -> Result<(), Refused> {
        let user = spec.run_as.as_deref().unwrap_or(default_user);
        let word = spec.program.executed().first().map_or("", String::as_str);
        let script = matches!(spec.program, Program::Script { .. });
        let refused = |hint: String| {
            let kind = if script { "scripts for " } else { "" };
            Err(Refused { what: format!("{kind}{word}"), whom: user.to_owned(), hint })
        };
        if self.everything_as_me {
            if user == default_user {
                return Ok(());
            }
            return refused(format!("everything runs as {default_user} here; leave out run-as"));
        }
        let path = match full_path(word, spec) {
            Ok(path) => path,
            Err(hint) => return refused(hint),
        };
        let asked = Asked { path: &path, user, script, variable: code_variable(spec) };
        match self.hint(&asked) {
            None => Ok(()),
            Some(hint) => refused(hint),
        }
    }

    /// What is missing, or `None` if a rule allows it.
    fn hint(&self, asked: &Asked<'_>) -> Option<String> {
        let program: Vec<&Rule> =
            self.rules.iter().filter(|rule| matches(&rule.program, asked.path)).collect();
        if program.is_empty() {
            return Some(format!(
                "the owner of the host can add [[allow]] program = {:?}, user = {:?}",
                asked.path, asked.user
            ));
        }
        let user: Vec<&&Rule> = program.iter().filter(|rule| rule.lets(asked.user)).collect();
        if user.is_empty() {
            return Some(format!(
                "its rule names other users; the host's owner can add {}",
                asked.user
            ));
        }
        if user.iter().any(|rule| rule.scripts) {
            return None;
        }
        if asked.script {
            return Some("its rule would need scripts = true from the host's owner".into());
        }
        let variable = asked.variable?;
        Some(format!("the variable {variable} can make it run other code; leave it out"))
    }
}

struct Asked<'a> {
    path: &'a str,
    user: &'a str,
    script: bool,
    variable: Option<&'a str>,
}

impl Rule {
    fn lets(&self, user: &str) -> bool {
        self.users.iter().any(|allowed| allowed == "*" || allowed == user)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    program: String,
    user: Users,
    #[serde(default)]
    scripts: bool,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "user must be a name or a list of names")]
enum Users {
    One(String),
    Several(Vec<String>),
}

fn rule(number: usize, entry: toml::Value, problems: &mut Vec<String>) -> Option<Rule> {
    let entry: Entry = match entry.try_into() {
        Ok(entry) => entry,
        Err(error) => {
            problems.push(format!("rule {number}: {}", error.to_string().trim_end()));
            return None;
        }
    };
    let before = problems.len();
    if !is_plain(&entry.program) {
        problems.push(format!(
            "rule {number}: program {:?} must be a full path without . and ..",
            entry.program
        ));
    }
    let users = match entry.user {
        Users::One(user) => vec![user],
        Users::Several(users) => users,
    };
    if users.is_empty() || users.iter().any(String::is_empty) {
        problems.push(format!("rule {number}: user must name somebody, or \"*\""));
    }
    let fine = problems.len() == before;
    fine.then_some(Rule { program: entry.program, users, scripts: entry.scripts })
}

/// The program as a path that a rule can be about.
fn full_path(word: &str, spec: &Spec) -> Result<String, String> {
    let path = search_path(spec);
    let found = resolve(word, path)
        .ok_or_else(|| format!("it is not in {path}; install it, or give its full path"))?;
    let text = found.to_string_lossy().into_owned();
    if is_plain(&text) { Ok(text) } else { Err("give its full path, without . and ..".into()) }
}

/// Absolute, and every part a name: `/usr/local/bin/../../../bin/sh` matches no rule for its beginning.
fn is_plain(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.next() == Some("") && parts.all(|part| !matches!(part, "" | "." | ".."))
}

fn code_variable(spec: &Spec) -> Option<&str> {
    let changes_code = |name: &&String| {
        CODE_VARIABLES.iter().any(|known| match known.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == known,
        })
    };
    spec.env.keys().find(changes_code).map(String::as_str)
}

/// Whether a path fits a pattern.
fn matches(pattern: &str, path: &str) -> bool {
    fits(pattern.as_bytes(), path.as_bytes())
}

/// On a mismatch the latest `*` takes one byte more, and only that one: earlier ones need not.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() || p < pattern.len() {
        let (want, have) = (pattern.get(p), text.get(t));
        match (want, have, star) {
            (Some(b'*'), _, _) => {
                star = Some((p, t));
                p += 1;
            }
            (Some(b'?'), Some(have), _) if *have != b'/' => (p, t) = (p + 1, t + 1),
            (Some(want), Some(have), _) if want == have => (p, t) = (p + 1, t + 1),
            (_, _, Some((at, from))) if text.get(from).is_some_and(|byte| *byte != b'/') => {
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::attempt::{AtLimit, OutputLimit, Stop};

    fn spec(program: Program, run_as: Option<&str>) -> Spec {
        Spec {
            run: "r".into(),
            attempt: 1,
            job: "j".into(),
            business_date: None,
            refused: None,
            program,
            cwd: None,
            env: BTreeMap::new(),
            run_as: run_as.map(Into::into),
            timeout_ms: None,
            stop: Stop { signal: "TERM".into(), grace_ms: 0 },
            output: OutputLimit { bytes: 0, at_limit: AtLimit::Truncate },
            stdin: None,
            cgroup: None,
            memo: serde_json::Value::Null,
        }
    }

    fn argv(word: &str) -> Program {
        Program::Argv(vec![word.into()])
    }

    fn script(interpreter: &str) -> Program {
        Program::Script { interpreter: vec![interpreter.into()], text: "exit".into() }
    }

    const LIST: &str = r#"
        [[allow]]
        program = "/usr/local/bin/*"
        user = ["backup", "reports"]

        [[allow]]
        program = "/bin/sh"
        user = "backup"
        scripts = true
    "#;

    #[test]
    fn a_star_stands_for_anything_but_a_slash() {
        for (pattern, path, fit) in [
            ("/a/*", "/a/b", true),
            ("/a/*", "/a/b/c", false),
            ("/a/*-*.sh", "/a/x-y-z.sh", true),
            ("/a/*-*.sh", "/a/xyz.sh", false),
            ("/*/b", "/a/b", true),
            ("/*/b", "/a/c/b", false),
            ("/a?", "/ab", true),
            ("/a?b", "/a/b", false),
            ("/a", "/ab", false),
            ("/a*", "/a", true),
        ] {
            assert_eq!(matches(pattern, path), fit, "{pattern} {path}");
        }
    }

    #[test]
    fn what_a_rule_names_is_allowed_and_nothing_else() {
        let list = AllowList::parse(LIST).unwrap();
        let allowed = |program, user| list.check(&spec(program, user), "decklog").is_ok();
        assert!(allowed(argv("/usr/local/bin/dump"), Some("backup")));
        assert!(allowed(argv("/usr/local/bin/dump"), Some("reports")));
        assert!(!allowed(argv("/usr/local/bin/dump"), None), "decklog is in no rule");
        assert!(!allowed(argv("/usr/local/bin/../../../bin/id"), Some("backup")));
        assert!(!allowed(argv("./dump"), Some("backup")));
        assert!(!allowed(argv("/usr/bin/id"), Some("backup")));
        assert!(allowed(script("/bin/sh"), Some("backup")));
        assert!(!allowed(script("/usr/local/bin/dump"), Some("backup")));
        assert!(!allowed(script("/bin/sh"), Some("reports")));
    }

    #[test]
    fn a_name_without_a_slash_is_looked_up_before_it_is_checked() {
        let found = resolve("sh", super::super::launch::PATH).unwrap();
        let text = format!("[[allow]]\nprogram = {:?}\nuser = \"*\"", found.to_str().unwrap());
        let list = AllowList::parse(&text).unwrap();
        assert_eq!(list.check(&spec(argv("sh"), None), "me"), Ok(()));
        let refused = list.check(&spec(argv("no-such-program"), None), "me").unwrap_err();
        assert!(refused.to_string().contains("not in /usr/local/sbin"), "{refused}");
    }

    #[test]
    fn a_variable_that_brings_other_code_is_refused_where_scripts_are() {
        let list = AllowList::parse(LIST).unwrap();
        let mut spec = spec(argv("/usr/local/bin/dump"), Some("backup"));
        for (name, fine) in [("LD_PRELOAD", false), ("PATH", false), ("PGHOST", true)] {
            spec.env = BTreeMap::from([(name.to_owned(), "x".to_owned())]);
            assert_eq!(list.check(&spec, "me").is_ok(), fine, "{name}");
        }
    }

    #[test]
    fn all_problems_of_a_list_are_reported_at_once() {
        let text = "[[allow]]\nprogram = \"dump\"\nuser = []\n[[allow]]\nuser = 1\n[other]\n";
        let Problems(problems) = AllowList::parse(text).unwrap_err();
        assert_eq!(problems.len(), 4, "{problems:#?}");
    }

    #[test]
    fn on_ones_own_machine_everything_runs_but_as_nobody_else() {
        let list = AllowList::everything_as_me();
        assert_eq!(list.check(&spec(script("/bin/sh"), None), "me"), Ok(()));
        assert!(list.check(&spec(argv("/bin/id"), Some("root")), "me").is_err());
    }
}
