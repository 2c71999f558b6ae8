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
