//! What this host lets the centre run, and as whom: the host's own list, never changed from outside.
//!
//! ```toml
//! secrets = ["credential:*"]       # secrets that every job here may use, by pattern
//!
//! [[allow]]
//! program = "/usr/local/bin/*"     # a path, or a pattern: `*` and `?` stand for anything but a slash
//! user = ["backup", "reports"]     # a name, several, or "*"
//! scripts = false                  # whether the centre may send the program a script to interpret
//! secrets = ["file:/etc/decklog/secrets/backup-*", "exec:vault backup/*"]   # and these only by this rule
//!
//! [backup]                         # without it, nothing is backed up or restored here
//! user = "root"                    # as whom
//! read = ["/srv", "/etc"]          # what may be backed up: these and all below them
//! write = ["/restore"]             # below what may be restored
//! repositories = ["/vault", "/mnt/*"]    # locations, by pattern
//! look = true                      # whether the centre may ask for names of files in snapshots; it may unless this is false
//! secrets = ["file:/etc/decklog/secrets/vault"]
//! ca-file = "/etc/decklog/ca.pem"  # whom s3: and rest: servers are believed, instead of the system's certificates
//! ssh-config = "/etc/decklog/ssh"  # how sftp: servers are reached, instead of the user's own configuration
//! restic = "/opt/restic/restic"    # the program, where it is not in /usr/local/bin, /usr/bin, …
//!
//! [print]                          # without it, nothing is printed or sent from here
//! user = "reports"                 # as whom files are read
//! read = ["/srv/out"]              # what may be printed: these and all below them
//! write = ["/srv/done"]            # where files that were printed may be moved, and documents put
//! printers = ["ipps://printer-*.example/ipp/print"]    # by pattern
//! mail = true                      # whether documents may be sent by mail
//! sftp = ["drop@bank.example:/in"] # and where to by SFTP
//! secrets = ["file:/etc/decklog/secrets/printer"]
//! ca-file = "/etc/decklog/printers.pem"  # whom printers are believed, instead of the system's certificates
//!
//! [[provider]]                     # what looks up `exec:vault …`; what follows the name is its last argument
//! name = "vault"
//! command = ["/usr/local/bin/read-vault", "--"]
//! ```
//!
//! A rule without `scripts` is about the program and not about what the centre makes of it: variables
//! that change which code runs (`LD_PRELOAD`, `PATH`, `BASH_ENV`, …) are refused.
//!
//! A secret is read, and a provider runs, as the user of the executor. A provider has a clean environment with the
//! attempt's `DECKLOG_JOB`, `DECKLOG_RUN` and `DECKLOG_ATTEMPT`.

mod backup;
mod file;
mod pattern;
mod print;

use std::collections::BTreeMap;
use std::ffi::OsString;

use domain::job::secrets::SecretRef;

pub use file::Problems;
pub(crate) use pattern::matches as matches_name;

use self::file::{Listed, Rule};
use self::pattern::{is_plain, matches};
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
    listed: Listed,
    /// Nobody but the owner of this process decides here.
    everything_as_me: bool,
}

/// The host does not allow this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this host does not allow {what} as {whom}; {hint}")]
pub struct Refused {
    /// What was to be run, or used.
    pub what: String,
    /// As which user.
    pub whom: String,
    /// What would have to change, and by whom.
    pub hint: String,
}

impl AllowList {
    /// Reads a list. One that allows nothing is a list too.
    ///
    /// # Errors
    /// All that is wrong with it, at once.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        file::read(text).map(|listed| Self { listed, everything_as_me: false })
    }

    /// For one's own machine: anything, but as nobody else than the user of this process.
    #[must_use]
    pub fn everything_as_me() -> Self {
        Self { listed: Listed::default(), everything_as_me: true }
    }

    /// Whether this host lets an attempt run, and use its secrets. `default_user` is who runs what names no user:
    /// the user of the executor.
    ///
    /// # Errors
    /// The first refusal, with what to do about it.
    pub fn check(&self, spec: &Spec, default_user: &str) -> Result<(), Refused> {
        self.refusals(spec, default_user).into_iter().next().map_or(Ok(()), Err)
    }

    /// Everything about an attempt that this host does not allow.
    #[must_use]
    pub fn refusals(&self, spec: &Spec, default_user: &str) -> Vec<Refused> {
        let user = spec.run_as.as_deref().unwrap_or(default_user);
        let refused = |what: String, hint| Refused { what, whom: user.to_owned(), hint };
        if let Some(order) = &spec.backup {
            return self.backup_refusals(spec, &order.touches, user, default_user);
        }
        if let Some(touches) = &spec.print_touches {
            return self.print_refusals(spec, touches, user, default_user);
        }
        match self.rules_for(spec, user, default_user) {
            Err(hint) => vec![refused(program_of(spec), hint)],
            Ok(rules) => {
                let rules: Vec<&[String]> =
                    rules.iter().map(|rule| rule.secrets.as_slice()).collect();
                let secrets = spec.secrets.iter();
                let hints = secrets.filter_map(|(name, reference)| {
                    let (what, hint) = self.secret_hint(name, reference, &rules)?;
                    Some(refused(format!("the secret {what}"), hint))
                });
                hints.collect()
            }
        }
    }

    /// The program restic that engines run, where the owner of the host names one.
    #[must_use]
    pub fn restic(&self) -> Option<&str> {
        self.listed.backup.as_ref()?.restic.as_deref()
    }

    /// The commands of the providers that an attempt's secrets name.
    #[must_use]
    pub fn providers(&self, spec: &Spec) -> BTreeMap<String, Vec<String>> {
        let named = spec.secrets.values().filter_map(|reference| match reference.parse() {
            Ok(SecretRef::Exec { provider, .. }) => Some(provider),
            Ok(SecretRef::File(_) | SecretRef::Env(_) | SecretRef::Credential(_)) | Err(_) => None,
        });
        named.filter_map(|name| self.listed.providers.get_key_value(&name)).map(cloned).collect()
    }

    /// Those of the executor's own variables that jobs may use as secrets.
    #[must_use]
    pub fn variables(
        &self,
        all: impl Iterator<Item = (OsString, OsString)>,
    ) -> Vec<(OsString, OsString)> {
        let rules = self.listed.rules.iter().flat_map(|rule| &rule.secrets);
        let rules = rules.chain(self.listed.backup.iter().flat_map(|rule| &rule.secrets));
        let patterns: Vec<&String> = self.listed.secrets.iter().chain(rules).collect();
        let allowed = |name: &str| {
            let reference = format!("env:{name}");
            self.everything_as_me || patterns.iter().any(|pattern| matches(pattern, &reference))
        };
        all.filter(|(name, _)| name.to_str().is_some_and(allowed)).collect()
    }

    /// The rules by which an attempt may run; none are needed where everything may. Otherwise what is missing.
    fn rules_for(&self, spec: &Spec, user: &str, default_user: &str) -> Result<Vec<&Rule>, String> {
        if self.everything_as_me {
            return as_me(user, default_user).map(|()| Vec::new());
        }
        let path = full_path(spec)?;
        let script = matches!(spec.program, Program::Script { .. });
        self.rules_that_let(&Asked { path: &path, user, script, variable: code_variable(spec) })
    }

    fn rules_that_let(&self, asked: &Asked<'_>) -> Result<Vec<&Rule>, String> {
        let all = self.listed.rules.iter();
        let program: Vec<&Rule> = all.filter(|rule| matches(&rule.program, asked.path)).collect();
        if program.is_empty() {
            return Err(format!(
                "the owner of the host can add [[allow]] program = {:?}, user = {:?}",
                asked.path, asked.user
            ));
        }
        let user: Vec<&Rule> =
            program.into_iter().filter(|rule| rule.user.lets(asked.user)).collect();
        if user.is_empty() {
            return Err(format!(
                "its rule names other users; the host's owner can add {}",
                asked.user
            ));
        }
        let plain = !asked.script && asked.variable.is_none();
        let lets: Vec<&Rule> = user.into_iter().filter(|rule| rule.scripts || plain).collect();
        if !lets.is_empty() {
            return Ok(lets);
        }
        match asked.variable {
            Some(variable) if !asked.script => Err(runs_other_code(variable)),
            Some(_) | None => {
                Err("its rule would need scripts = true from the host's owner".into())
            }
        }
    }

    /// How a secret is called, and what is missing that it could be used.
    fn secret_hint(
        &self,
        name: &str,
        reference: &str,
        of_rules: &[&[String]],
    ) -> Option<(String, String)> {
        let wanted: SecretRef = match reference.parse() {
            Ok(wanted) => wanted,
            // What is no reference may be a secret itself.
            Err(problem) => return Some((name.to_owned(), problem)),
        };
        let (text, hint) = match &wanted {
            SecretRef::File(path) if !is_plain(path) => {
                (reference.to_owned(), Some("give its full path, without . and ..".to_owned()))
            }
            SecretRef::Exec { provider, argument } => {
                (format!("exec:{provider} {argument}"), self.provider_hint(provider, argument))
            }
            SecretRef::File(_) | SecretRef::Env(_) | SecretRef::Credential(_) => {
                (reference.to_owned(), None)
            }
        };
        let text = text.trim_end().to_owned();
        let lists = of_rules.iter().copied().chain([self.listed.secrets.as_slice()]);
        let listed = lists.flatten().any(|pattern| matches(pattern, &text));
        let unlisted = || format!("the owner of the host can add secrets = [{text:?}] to its rule");
        let missing = (!self.everything_as_me && !listed).then(unlisted);
        hint.or(missing).map(|hint| (text, hint))
    }

    fn provider_hint(&self, provider: &str, argument: &str) -> Option<String> {
        if !self.listed.providers.contains_key(provider) {
            let add = "the owner of the host can add one to its list of what is allowed";
            return Some(format!("there is no [[provider]] named {provider} here; {add}"));
        }
        argument
            .starts_with('-')
            .then(|| "its argument would be an option of the provider".to_owned())
    }
}

fn cloned((name, command): (&String, &Vec<String>)) -> (String, Vec<String>) {
    (name.clone(), command.clone())
}

struct Asked<'a> {
    path: &'a str,
    user: &'a str,
    script: bool,
    variable: Option<&'a str>,
}

fn word_of(spec: &Spec) -> &str {
    spec.program.executed().first().map_or("", String::as_str)
}

fn program_of(spec: &Spec) -> String {
    let kind = match spec.program {
        Program::Script { .. } => "scripts for ",
        Program::Argv(_) => "",
    };
    format!("{kind}{}", word_of(spec))
}

/// The program as a path that a rule can be about.
fn full_path(spec: &Spec) -> Result<String, String> {
    let path = search_path(spec);
    let found = resolve(word_of(spec), path)
        .ok_or_else(|| format!("it is not in {path}; install it, or give its full path"))?;
    let text = found.to_string_lossy().into_owned();
    if is_plain(&text) { Ok(text) } else { Err("give its full path, without . and ..".into()) }
}

/// Where everything may run, it runs as nobody else.
fn as_me(user: &str, default_user: &str) -> Result<(), String> {
    if user == default_user {
        return Ok(());
    }
    Err(format!("everything runs as {default_user} here; leave out run-as"))
}

fn runs_other_code(variable: &str) -> String {
    format!("the variable {variable} can make it run other code; leave it out")
}

/// A secret is a variable like any other.
fn code_variable(spec: &Spec) -> Option<&str> {
    let changes_code = |name: &&String| {
        CODE_VARIABLES.iter().any(|known| match known.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == known,
        })
    };
    spec.env.keys().chain(spec.secrets.keys()).find(changes_code).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::attempt::{AtLimit, OutputLimit, Stop};
    use crate::backup::order::{BackupOrder, Touches};

    pub(super) fn spec(program: Program, run_as: Option<&str>) -> Spec {
        Spec {
            run: "r".into(),
            attempt: 1,
            job: "j".into(),
            business_date: None,
            refused: None,
            program,
            cwd: None,
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            providers: BTreeMap::new(),
            run_as: run_as.map(Into::into),
            timeout_ms: None,
            stop: Stop { signal: "TERM".into(), grace_ms: 0 },
            output: OutputLimit {
                bytes: 0,
                at_limit: AtLimit::Truncate,
                bytes_per_second: None,
                success_text: Vec::new(),
                failure_text: Vec::new(),
            },
            stdin: None,
            cgroup: None,
            memory_bytes: None,
            backup: None,
            print: None,
            print_touches: None,
            artefacts: BTreeMap::new(),
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

    const SECRETS: &str = r#"
        secrets = ["credential:*"]

        [[allow]]
        program = "/bin/pay"
        user = "*"
        secrets = ["file:/etc/pay/*", "env:PAY_*", "exec:vault pay/*"]

        [[allow]]
        program = "/bin/other"
        user = "*"

        [[provider]]
        name = "vault"
        command = ["/usr/bin/vault", "--"]
    "#;

    fn with_secret(program: &str, name: &str, reference: &str) -> Spec {
        let secrets = BTreeMap::from([(name.to_owned(), reference.to_owned())]);
        Spec { secrets, ..spec(argv(program), None) }
    }

    #[test]
    fn a_secret_is_allowed_by_the_rule_that_lets_the_program_run_or_for_all() {
        let list = AllowList::parse(SECRETS).unwrap();
        for (program, reference, missing) in [
            ("/bin/pay", "file:/etc/pay/db", ""),
            ("/bin/pay", "file:/etc/pay/db/deeper", "can add secrets"),
            ("/bin/pay", "file:/etc/pay/../shadow", "without . and .."),
            ("/bin/pay", "file:/etc/shadow", r#"can add secrets = ["file:/etc/shadow"]"#),
            ("/bin/pay", "env:PAY_TOKEN", ""),
            ("/bin/pay", "env:HOME", "can add secrets"),
            ("/bin/pay", "credential:anything", ""),
            ("/bin/pay", "exec:vault pay/db#password", ""),
            ("/bin/pay", "exec:vault   pay/db ", ""),
            ("/bin/pay", "exec:vault hr/db", "can add secrets"),
            ("/bin/pay", "exec:vault -pay/db", "option of the provider"),
            ("/bin/pay", "exec:other pay/db", "no [[provider]] named other"),
            ("/bin/other", "file:/etc/pay/db", "can add secrets"),
            ("/bin/other", "credential:anything", ""),
        ] {
            let checked = list.check(&with_secret(program, "PASSWORD", reference), "me");
            match checked {
                Ok(()) => assert_eq!(missing, "", "{program} {reference}"),
                Err(refused) => {
                    let said = refused.to_string();
                    assert!(said.contains(missing) && !missing.is_empty(), "{reference}: {said}");
                    assert!(said.starts_with("this host does not allow the secret "), "{said}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_reference_is_not_repeated_and_a_secret_that_brings_code_is_refused() {
        let list = AllowList::parse(SECRETS).unwrap();
        let refused =
            list.check(&with_secret("/bin/pay", "PASSWORD", "hunter2"), "me").unwrap_err();
        let said = refused.to_string();
        assert!(said.contains("PASSWORD") && !said.contains("hunter2"), "{said}");
        let preload = with_secret("/bin/pay", "LD_PRELOAD", "credential:library");
        let said = list.check(&preload, "me").unwrap_err().to_string();
        assert!(said.contains("LD_PRELOAD"), "{said}");
    }

    #[test]
    fn all_that_is_refused_is_named_together_and_on_ones_own_machine_nothing_but_a_provider_is() {
        let mut spec = with_secret("/bin/other", "A", "file:/a");
        spec.secrets.insert("B".into(), "exec:vault b".into());
        spec.secrets.insert("C".into(), "credential:c".into());
        let whats = |list: &AllowList| -> Vec<String> {
            list.refusals(&spec, "me").into_iter().map(|refused| refused.what).collect()
        };
        let listed = AllowList::parse(SECRETS).unwrap();
        assert_eq!(whats(&listed), ["the secret file:/a", "the secret exec:vault b"]);
        assert_eq!(whats(&AllowList::everything_as_me()), ["the secret exec:vault b"]);
    }

    #[test]
    fn a_supervisor_gets_the_commands_and_variables_that_jobs_may_ask_for_and_no_others() {
        let list = AllowList::parse(SECRETS).unwrap();
        let spec = with_secret("/bin/pay", "PASSWORD", "exec:vault pay/db");
        let vault = vec!["/usr/bin/vault".to_owned(), "--".to_owned()];
        assert_eq!(list.providers(&spec), BTreeMap::from([("vault".to_owned(), vault)]));
        let all = ["PAY_TOKEN", "HOME", "PAYROLL"].map(|name| (name.into(), "x".into()));
        let names = |list: &AllowList| -> Vec<OsString> {
            list.variables(all.clone().into_iter()).into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(&list), ["PAY_TOKEN"]);
        assert_eq!(names(&AllowList::everything_as_me()).len(), 3);
    }

    #[test]
    fn a_list_says_what_is_wrong_with_its_secrets_and_providers() {
        for (text, problem) in [
            ("secrets = [\"file:etc/x\"]", "secrets: \"file:etc/x\" must name a full path"),
            ("secrets = [\"vault:x\"]", "must begin with file:, env:, credential: or exec:"),
            ("secrets = [\"env:\"]", "must begin with file:, env:, credential: or exec:"),
            ("secrets = [\"exec:vault *\"]", "name of a [[provider]]"),
            ("secrets = \"env:X\"", "secrets: "),
            ("[[provider]]\nname = \"a b\"\ncommand = [\"/x\"]", "provider 1: name"),
            ("[[provider]]\nname = \"a\"\ncommand = [\"x\"]", "full path of a program"),
            ("[[provider]]\nname = \"a\"\ncommand = []", "full path of a program"),
            ("[provider]\nname = \"a\"", "write [[provider]], with two brackets"),
        ] {
            let Problems(problems) = AllowList::parse(text).unwrap_err();
            assert!(problems.len() == 1 && problems[0].contains(problem), "{text}: {problems:?}");
        }
        let twice = "[[provider]]\nname = \"a\"\ncommand = [\"/x\"]\n".repeat(2);
        assert!(AllowList::parse(&twice).unwrap_err().0[0].contains("another one named"));
    }

    #[test]
    fn the_sample_is_a_list_also_with_what_is_commented_out() {
        let sample = include_str!("../../../../ops/config/allow.toml");
        let value =
            |line: &&str| line.contains(" = [") || line.contains(" = \"") || line.starts_with('[');
        let commented = |line: &str| line.strip_prefix("# ").filter(value).map(str::to_owned);
        let all: Vec<String> =
            sample.lines().map(|line| commented(line).unwrap_or(line.to_owned())).collect();
        for text in [sample, &all.join("\n")] {
            let list = AllowList::parse(text).unwrap();
            assert!(list.check(&spec(argv("/usr/local/bin/dump"), Some("backup")), "me").is_ok());
        }
        let full = AllowList::parse(&all.join("\n")).unwrap();
        let mut spec = with_secret("/usr/local/bin/dump", "PASSWORD", "exec:vault backup/db");
        spec.run_as = Some("backup".into());
        assert_eq!(full.check(&spec, "me"), Ok(()));
        spec.run_as = Some("root".into());
        spec.secrets = [("PASSWORD".into(), "file:/etc/decklog/secrets/vault".into())].into();
        let touches = Touches { read: vec!["/srv/ledger".into()], ..Touches::default() };
        spec.backup = Some(Box::new(BackupOrder { touches, ..BackupOrder::default() }));
        assert_eq!(full.check(&spec, "me"), Ok(()));
    }
}
