//! What of a backup this host lets happen: what is read, what is written, where it goes, and what is run beside it.

use super::pattern::{is_plain, matches};
use super::{AllowList, Refused, Spec};
use crate::attempt::spec::Program;
use crate::backup::order::Touches;

impl AllowList {
    /// Everything about a backup that this host does not allow.
    pub(super) fn backup_refusals(
        &self,
        spec: &Spec,
        touches: &Touches,
        user: &str,
        default_user: &str,
    ) -> Vec<Refused> {
        let refused = |what: String, hint: String| Refused { what, whom: user.to_owned(), hint };
        let mut found = Vec::new();
        let mut secrets: Vec<&[String]> = Vec::new();
        if self.everything_as_me {
            if user != default_user {
                let hint = format!("everything runs as {default_user} here; leave out run-as");
                return vec![refused("backups".to_owned(), hint)];
            }
        } else {
            let Some(rule) = self.listed.backup.as_ref().filter(|rule| rule.lets(user)) else {
                let hint = format!(
                    "the owner of the host can add [backup] user = {user:?} with what may be read and written"
                );
                return vec![refused("backups".to_owned(), hint)];
            };
            secrets.push(&rule.secrets);
            for (word, paths, allowed) in
                [("reading", &touches.read, &rule.read), ("writing", &touches.write, &rule.write)]
            {
                for path in paths.iter().filter(|path| !path.starts_with("{{")) {
                    if !is_plain(path) {
                        let hint = "give its full path, without . and ..".to_owned();
                        found.push(refused(format!("{word} {path}"), hint));
                    } else if !allowed
                        .iter()
                        .any(|root| is_below(path, root) && leads_below(path, root))
                    {
                        let list = if word == "reading" { "read" } else { "write" };
                        let hint = format!(
                            "the owner of the host can add {path:?} to {list} of its [backup]"
                        );
                        found.push(refused(format!("{word} {path}"), hint));
                    }
                }
            }
            for location in &touches.repositories {
                let listed = rule.repositories.iter().any(|pattern| matches(pattern, location));
                if !listed {
                    let hint = format!(
                        "the owner of the host can add {location:?} to repositories of its [backup]"
                    );
                    found.push(refused(format!("the repository {location}"), hint));
                }
            }
        }
        // Neither the engine nor what runs beside it is made to run other code.
        if !self.everything_as_me
            && let Some(variable) = super::code_variable(spec)
        {
            let hint = format!("the variable {variable} can make it run other code; leave it out");
            found.push(refused("backups".to_owned(), hint));
        }
        // What runs beside it is a command like any other.
        for program in &touches.programs {
            let command = Spec {
                program: Program::Argv(vec![program.clone()]),
                secrets: std::collections::BTreeMap::new(),
                env: touches.env.clone(),
                backup: None,
                ..spec.clone()
            };
            found.extend(self.refusals(&command, default_user));
        }
        for (name, reference) in &spec.secrets {
            if let Some((what, hint)) = self.secret_hint(name, reference, &secrets) {
                found.push(refused(format!("the secret {what}"), hint));
            }
        }
        found
    }
}

/// Whether it is still so when links are followed, as far as it exists.
fn leads_below(path: &str, root: &str) -> bool {
    let real = |path: &str| -> Option<String> {
        let mut there = std::path::Path::new(path);
        let mut rest = Vec::new();
        loop {
            if let Ok(found) = there.canonicalize() {
                let whole = rest.iter().rev().fold(found, |path, name| path.join(name));
                return whole.to_str().map(str::to_owned);
            }
            rest.push(there.file_name()?);
            there = there.parent()?;
        }
    };
    match (real(path), real(root)) {
        (Some(path), Some(root)) => is_below(&path, &root),
        (_, _) => false,
    }
}

/// Whether a path is this one, or below it.
fn is_below(path: &str, root: &str) -> bool {
    let root = root.trim_end_matches('/');
    path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::attempt::{AtLimit, OutputLimit, Stop};
    use crate::backup::order::BackupOrder;

    const LIST: &str = r#"
        [backup]
        user = "root"
        read = ["/srv", "/etc/decklog"]
        write = ["/restore"]
        repositories = ["/mnt/*"]
        secrets = ["file:/etc/vault"]

        [[allow]]
        program = "/bin/true"
        user = "root"
    "#;

    fn spec(touches: Touches, secrets: &[(&str, &str)]) -> Spec {
        let secrets = secrets.iter().map(|(name, what)| ((*name).into(), (*what).into()));
        Spec {
            run: "r".into(),
            attempt: 1,
            job: "j".into(),
            business_date: None,
            refused: None,
            program: Program::Argv(vec!["/proc/self/exe".into(), "engine".into()]),
            cwd: None,
            env: BTreeMap::new(),
            secrets: secrets.collect(),
            providers: BTreeMap::new(),
            run_as: None,
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
            backup: Some(Box::new(BackupOrder { touches, ..BackupOrder::default() })),
            memo: serde_json::Value::Null,
        }
    }

    fn words(all: &[&str]) -> Vec<String> {
        all.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_backup_reads_writes_and_runs_what_the_hosts_own_list_lets_it_and_nothing_else() {
        let list = AllowList::parse(LIST).unwrap();
        let nothing = Touches::default;
        let good = Touches {
            read: words(&["/srv/ledger", "/etc/decklog"]),
            write: words(&["/restore/ledger"]),
            repositories: words(&["/mnt/vault"]),
            programs: words(&["/bin/true"]),
            env: BTreeMap::new(),
        };
        assert_eq!(list.refusals(&spec(good, &[("P", "file:/etc/vault")]), "root"), []);
        let preload = [("LD_PRELOAD".to_owned(), "/tmp/x.so".to_owned())].into();
        let table = [
            (Touches { read: words(&["/etc/shadow"]), ..nothing() }, "reading /etc/shadow"),
            (Touches { read: words(&["/srvx"]), ..nothing() }, "reading /srvx"),
            (Touches { read: words(&["/srv/../etc"]), ..nothing() }, "reading /srv/../etc"),
            (Touches { write: words(&["/srv/ledger"]), ..nothing() }, "writing /srv/ledger"),
            (Touches { repositories: words(&["/mnt/a/b"]), ..nothing() }, "repository /mnt/a/b"),
            (Touches { programs: words(&["/bin/sh"]), ..nothing() }, "/bin/sh"),
            (Touches { programs: words(&["/bin/true"]), env: preload, ..nothing() }, "LD_PRELOAD"),
        ];
        for (touches, wanted) in table {
            let said: Vec<String> = list
                .refusals(&spec(touches, &[]), "root")
                .iter()
                .map(ToString::to_string)
                .collect();
            assert!(said.iter().any(|text| text.contains(wanted)), "{wanted}: {said:?}");
        }
        for secret in [("P", "file:/etc/other"), ("LD_PRELOAD", "file:/etc/vault")] {
            assert_eq!(list.refusals(&spec(nothing(), &[secret]), "root").len(), 1, "{secret:?}");
        }
        assert_eq!(list.refusals(&spec(nothing(), &[]), "nobody").len(), 1, "as somebody else");
        let without = AllowList::parse("").unwrap();
        assert_eq!(without.refusals(&spec(nothing(), &[]), "root").len(), 1, "without a rule");
    }

    #[test]
    fn a_link_below_an_allowed_directory_does_not_lead_out_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("srv")).unwrap();
        std::os::unix::fs::symlink("/etc", root.join("srv/out")).unwrap();
        let text = |name: &str| root.join(name).display().to_string();
        let list = format!("[backup]\nuser = \"root\"\nread = [{:?}]", text("srv"));
        let list = AllowList::parse(&list).unwrap();
        let read = |name: &str| {
            let touches = Touches { read: vec![text(name)], ..Touches::default() };
            list.refusals(&spec(touches, &[]), "root").len()
        };
        assert_eq!((read("srv/not-yet/there"), read("srv/out"), read("srv/out/passwd")), (0, 1, 1));
    }
}
