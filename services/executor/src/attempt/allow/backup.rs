//! What of a backup this host lets happen: what is read, what is written, where it goes, and what is run beside it.

use std::collections::BTreeMap;

use super::file::BackupRule;
use super::pattern::{is_plain, matches};
use super::{AllowList, Refused, Spec, as_me, code_variable, runs_other_code};
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
        let rule = match self.backup_rule(user, default_user) {
            Ok(rule) => rule,
            Err(hint) => return vec![refused("backups".to_owned(), hint)],
        };
        let mut hints = rule.map(|rule| places(rule, touches)).unwrap_or_default();
        // Neither the engine nor what runs beside it is made to run other code.
        let variable = rule.and_then(|_| code_variable(spec));
        hints.extend(variable.map(|one| ("backups".to_owned(), runs_other_code(one))));
        let leading = rule.and_then(|_| leading_variable(spec));
        hints.extend(leading.map(|one| {
            let hint = format!("the variable {one} would lead an engine to another server");
            ("backups".to_owned(), hint)
        }));
        let secrets: Vec<&[String]> = rule.iter().map(|rule| rule.secrets.as_slice()).collect();
        for (name, reference) in &spec.secrets {
            let hint = self.secret_hint(name, reference, &secrets);
            hints.extend(hint.map(|(what, hint)| (format!("the secret {what}"), hint)));
        }
        let mut found: Vec<Refused> =
            hints.into_iter().map(|(what, hint)| refused(what, hint)).collect();
        // What runs beside it is a command like any other.
        for program in &touches.programs {
            let command = Spec {
                program: Program::Argv(vec![program.clone()]),
                secrets: BTreeMap::new(),
                env: touches.env.clone(),
                backup: None,
                print_touches: None,
                ..spec.clone()
            };
            found.extend(self.refusals(&command, default_user));
        }
        found
    }

    /// How servers of repositories are reached: certificates that are trusted, and a configuration for ssh. That is the
    /// host's own matter, because either could lead elsewhere.
    pub(crate) fn reaching(&self) -> (Option<&str>, Option<&str>) {
        let rule = self.listed.backup.as_ref();
        let ca_file = rule.and_then(|rule| rule.ca_file.as_deref());
        (ca_file, rule.and_then(|rule| rule.ssh_config.as_deref()))
    }

    /// Whether snapshots may be looked into at all, and as whom: the user of the executor (`None`) where the list lets
    /// that one do backups, otherwise the first it names. Which repositories, [`AllowList::check`] says.
    ///
    /// # Errors
    /// The owner of the host has switched it off.
    pub(crate) fn looks_as(&self, default_user: &str) -> Result<Option<String>, Refused> {
        let Some(rule) = self.listed.backup.as_ref().filter(|_| !self.everything_as_me) else {
            return Ok(None);
        };
        if !rule.look {
            return Err(Refused {
                what: "looking into snapshots".to_owned(),
                whom: default_user.to_owned(),
                hint: "the owner of the host can set look = true in its [backup]".to_owned(),
            });
        }
        let first = rule.user.first_named().filter(|_| !rule.user.lets(default_user));
        Ok(first.map(str::to_owned))
    }

    /// The rule by which backups run; none is needed where everything may. Otherwise what is missing.
    fn backup_rule(&self, user: &str, default_user: &str) -> Result<Option<&BackupRule>, String> {
        if self.everything_as_me {
            return as_me(user, default_user).map(|()| None);
        }
        let rule = self.listed.backup.as_ref().filter(|rule| rule.user.lets(user));
        rule.map(Some).ok_or_else(|| {
            format!(
                "the owner of the host can add [backup] user = {user:?} with what may be read and written"
            )
        })
    }
}

/// A variable by which engines and what they start choose whom they reach and whom they believe.
fn leading_variable(spec: &Spec) -> Option<&String> {
    let leads = |name: &&String| {
        let name = name.to_uppercase();
        name.ends_with("_PROXY") || name.starts_with("SSL_CERT_") || name.starts_with("SSH_")
    };
    spec.env.keys().chain(spec.secrets.keys()).find(leads)
}

/// What of the places it touches is not allowed: what, and what would have to change.
fn places(rule: &BackupRule, touches: &Touches) -> Vec<(String, String)> {
    let reads = touches.read.iter().map(|path| ("reading", path, "read", &rule.read));
    let writes = touches.write.iter().map(|path| ("writing", path, "write", &rule.write));
    let mut found = Vec::new();
    // What a token stands for, only the run's own values tell.
    for (word, path, list, allowed) in reads.chain(writes).filter(|one| !one.1.starts_with("{{")) {
        if let Some(hint) = path_hint_of(path, list, allowed, "[backup]") {
            found.push((format!("{word} {path}"), hint));
        }
    }
    let listed = |location: &String| rule.repositories.iter().any(|one| matches(one, location));
    for location in touches.repositories.iter().filter(|location| !listed(location)) {
        let hint =
            format!("the owner of the host can add {location:?} to repositories of its [backup]");
        found.push((format!("the repository {location}"), hint));
    }
    found
}

/// What would have to change that a path may be touched; `None` where it may. `section` is the one that has the list.
pub(super) fn path_hint_of(
    path: &str,
    list: &str,
    allowed: &[String],
    section: &str,
) -> Option<String> {
    if !is_plain(path) {
        return Some("give its full path, without . and ..".to_owned());
    }
    let may = allowed.iter().any(|root| is_below(path, root) && leads_below(path, root));
    (!may).then(|| format!("the owner of the host can add {path:?} to {list} of its {section}"))
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
    use super::*;
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
        let program = Program::Argv(vec!["/proc/self/exe".into(), "engine".into()]);
        let backup = Some(Box::new(BackupOrder { touches, ..BackupOrder::default() }));
        Spec { secrets: secrets.collect(), backup, ..super::super::tests::spec(program, None) }
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
        let led = ("https_proxy", "file:/etc/vault");
        for secret in [("P", "file:/etc/other"), ("LD_PRELOAD", "file:/etc/vault"), led] {
            assert_eq!(list.refusals(&spec(nothing(), &[secret]), "root").len(), 1, "{secret:?}");
        }
        assert_eq!(list.refusals(&spec(nothing(), &[]), "nobody").len(), 1, "as somebody else");
        let without = AllowList::parse("").unwrap();
        assert_eq!(without.refusals(&spec(nothing(), &[]), "root").len(), 1, "without a rule");
    }

    #[test]
    fn the_owner_of_the_host_names_the_restic_that_engines_run() {
        let list = |line: &str| AllowList::parse(&format!("[backup]\nuser = \"root\"\n{line}"));
        let named = list("restic = \"/opt/restic/restic\"").unwrap();
        assert_eq!(named.restic(), Some("/opt/restic/restic"));
        assert_eq!(list("").unwrap().restic(), None);
        let problem = list("restic = \"restic\"").unwrap_err().to_string();
        assert!(problem.contains("must be a full path"), "{problem}");
    }

    #[test]
    fn snapshots_are_looked_into_where_the_list_lets_it_and_as_a_user_it_names() {
        let off = LIST.replace("read =", "look = false\n        read =");
        let other = LIST.replace("user = \"root\"", "user = [\"*\", \"backup\"]");
        let several = LIST.replacen("user = \"root\"", "user = [\"backup\", \"root\"]", 1);
        let table = [
            (LIST.to_owned(), "root", Ok(None)),
            (LIST.to_owned(), "decklog", Ok(Some("root"))),
            (other, "decklog", Ok(None)),
            (several, "decklog", Ok(Some("backup"))),
            (off, "root", Err("looking into snapshots")),
        ];
        for (text, user, expected) in table {
            let found = AllowList::parse(&text).unwrap().looks_as(user);
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.as_deref(), expected, "{text}"),
                (Err(refused), Err(what)) => assert_eq!(refused.what, what),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
        let place = |name: &str| Touches { repositories: words(&[name]), ..Touches::default() };
        let list = AllowList::parse(LIST).unwrap();
        assert_eq!(list.refusals(&spec(place("/mnt/vault"), &[]), "root"), []);
        assert_eq!(list.refusals(&spec(place("/srv/vault"), &[]), "root").len(), 1);
        let nothing = AllowList::parse("").unwrap();
        assert_eq!(nothing.looks_as("root"), Ok(None), "what it may is decided by the repository");
        assert_eq!(nothing.refusals(&spec(place("/mnt/vault"), &[]), "root").len(), 1);
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
