//! What of printing this host lets happen: which files are read, which printers are reached, where documents go.

use std::path::PathBuf;

use domain::print::QueueDefinition;

use super::backup::path_hint_of;
use super::file::PrintRule;
use super::pattern::matches;
use super::{AllowList, Refused, Spec, as_me, code_variable, runs_other_code};
use crate::print::PrintTouches;
use crate::print::device::Reaching;

/// The section of the list.
const SECTION: &str = "[print]";

impl AllowList {
    /// Everything about a job that prints that this host does not allow.
    pub(super) fn print_refusals(
        &self,
        spec: &Spec,
        touches: &PrintTouches,
        user: &str,
        default_user: &str,
    ) -> Vec<Refused> {
        let refused = |what: String, hint: String| Refused { what, whom: user.to_owned(), hint };
        let rule = match self.print_rule(user, default_user) {
            Ok(rule) => rule,
            Err(hint) => return vec![refused("printing".to_owned(), hint)],
        };
        let Some(rule) = rule else { return Vec::new() };
        let mut hints: Vec<(String, String)> = Vec::new();
        let reads = touches.read.iter().map(|path| ("reading", path, "read", &rule.read));
        let writes = touches.write.iter().map(|path| ("writing", path, "write", &rule.write));
        // What a token stands for, only the run's own values tell: before there is one, it is not asked for.
        let is_open = |path: &str| spec.print.is_none() && path.contains("{{");
        for (word, path, list, allowed) in reads.chain(writes).filter(|one| !is_open(one.1)) {
            if let Some(hint) = path_hint_of(path, list, allowed, SECTION) {
                hints.push((format!("{word} {path}"), hint));
            }
        }
        hints.extend(code_variable(spec).map(|one| ("printing".to_owned(), runs_other_code(one))));
        if let Some((name, _)) = spec.secrets.iter().next() {
            let hint =
                "a job that prints needs no secrets: its queue names the printer's".to_owned();
            hints.push((format!("the secret {name}"), hint));
        }
        hints.into_iter().map(|(what, hint)| refused(what, hint)).collect()
    }

    /// Whether this host sends documents to a queue's printer.
    ///
    /// # Errors
    /// It does not, and what would have to change.
    pub(crate) fn check_printer(&self, queue: &QueueDefinition, whom: &str) -> Result<(), Refused> {
        if self.everything_as_me {
            return Ok(());
        }
        let printer = &queue.printer;
        let rule = self.listed.print.as_ref();
        if rule.is_some_and(|rule| rule.printers.iter().any(|pattern| matches(pattern, printer))) {
            return Ok(());
        }
        Err(Refused {
            what: format!("the printer {printer}"),
            whom: whom.to_owned(),
            hint: format!("the owner of the host can add {printer:?} to printers of its {SECTION}"),
        })
    }

    /// Whether this host reads files of a directory that a queue watches.
    ///
    /// # Errors
    /// It does not, and what would have to change.
    pub(crate) fn check_inbox(&self, directory: &str) -> Result<(), String> {
        if self.everything_as_me {
            return Ok(());
        }
        let rule = self
            .listed
            .print
            .as_ref()
            .ok_or("the owner of the host can add [print] with what may be read and written")?;
        for (list, allowed) in [("read", &rule.read), ("write", &rule.write)] {
            if let Some(hint) = path_hint_of(directory, list, allowed, SECTION) {
                return Err(format!(
                    "this host does not allow taking files out of {directory}; {hint}"
                ));
            }
        }
        Ok(())
    }

    /// Whether the password of a printer may be looked up here.
    ///
    /// # Errors
    /// It may not, and what would have to change.
    pub(crate) fn check_printer_secret(&self, reference: &str) -> Result<(), String> {
        let rules: Vec<&[String]> =
            self.listed.print.iter().map(|rule| rule.secrets.as_slice()).collect();
        match self.secret_hint("password", reference, &rules) {
            None => Ok(()),
            Some((what, hint)) => {
                Err(format!("this host does not allow the secret {what}; {hint}"))
            }
        }
    }

    /// Whether this host puts documents into a directory.
    ///
    /// # Errors
    /// It does not, and what would have to change.
    pub(crate) fn check_directory(&self, directory: &str) -> Result<(), String> {
        if self.everything_as_me {
            return Ok(());
        }
        let allowed =
            self.listed.print.as_ref().map(|rule| rule.write.as_slice()).unwrap_or_default();
        match path_hint_of(directory, "write", allowed, SECTION) {
            None => Ok(()),
            Some(hint) => Err(format!("this host does not put documents into {directory}; {hint}")),
        }
    }

    /// Whether this host sends documents by mail, and by SFTP to that place.
    ///
    /// # Errors
    /// It does not, and what would have to change.
    pub(crate) fn check_sending(&self, to: Option<&str>) -> Result<(), String> {
        if self.everything_as_me {
            return Ok(());
        }
        let rule = self.listed.print.as_ref();
        match to {
            None if rule.is_some_and(|rule| rule.mail) => Ok(()),
            None => Err(format!(
                "this host sends no documents by mail; its owner can add mail = true to its {SECTION}"
            )),
            Some(to)
                if rule
                    .is_some_and(|rule| rule.sftp.iter().any(|pattern| matches(pattern, to))) =>
            {
                Ok(())
            }
            Some(to) => Err(format!(
                "this host does not send documents to {to}; its owner can add {to:?} to sftp of its {SECTION}"
            )),
        }
    }

    /// How printers are reached.
    pub(crate) fn reaching_printers(&self) -> Reaching {
        let rule = self.listed.print.as_ref();
        Reaching { ca_file: rule.and_then(|rule| rule.ca_file.as_ref()).map(PathBuf::from) }
    }

    fn print_rule(&self, user: &str, default_user: &str) -> Result<Option<&PrintRule>, String> {
        if self.everything_as_me {
            return as_me(user, default_user).map(|()| None);
        }
        let rule = self.listed.print.as_ref().filter(|rule| rule.user.lets(user));
        rule.map(Some).ok_or_else(|| {
            format!("the owner of the host can add {SECTION} user = {user:?} with what may be read and printed")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::spec;
    use super::*;
    use crate::attempt::spec::Program;

    const LIST: &str = r#"
        [print]
        user = "reports"
        read = ["/srv/out"]
        write = ["/srv/done"]
        printers = ["ipps://printer-*.example/ipp/print"]
        secrets = ["file:/etc/decklog/secrets/printer"]
        sftp = ["drop@bank.example:/in"]
    "#;

    fn refusals(list: &AllowList, read: &[&str], write: &[&str], user: &str) -> Vec<String> {
        let words = |all: &[&str]| all.iter().map(|word| (*word).to_owned()).collect();
        let touches = PrintTouches { read: words(read), write: words(write) };
        let program = Program::Argv(vec!["/proc/self/exe".into(), "documents".into()]);
        let spec = Spec { print_touches: Some(Box::new(touches)), ..spec(program, Some(user)) };
        list.refusals(&spec, "decklog").iter().map(ToString::to_string).collect()
    }

    fn queue(printer: &str) -> QueueDefinition {
        let value = serde_json::json!({"kind": "queue", "name": "q", "printer": printer});
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_job_prints_files_and_moves_them_where_the_hosts_own_list_lets_it() {
        let list = AllowList::parse(LIST).unwrap();
        assert_eq!(refusals(&list, &["/srv/out/today"], &["/srv/done"], "reports"), [""; 0]);
        for (read, write, user, wanted) in [
            (&["/etc"][..], &[][..], "reports", "reading /etc"),
            (&["/srv/out/../x"], &[], "reports", "reading /srv/out/../x"),
            (&["/srv/out"], &["/srv/out"], "reports", "writing /srv/out"),
            (&["/srv/out"], &[], "nobody", "printing"),
        ] {
            let said = refusals(&list, read, write, user);
            assert!(said.iter().any(|text| text.contains(wanted)), "{wanted}: {said:?}");
        }
        assert_eq!(refusals(&AllowList::parse("").unwrap(), &[], &[], "reports").len(), 1);
    }

    #[test]
    fn a_printer_its_password_and_other_places_are_reached_where_the_list_names_them() {
        let list = AllowList::parse(LIST).unwrap();
        assert!(list.check_printer(&queue("ipps://printer-7.example/ipp/print"), "me").is_ok());
        assert!(list.check_printer(&queue("ipp://printer-7.example/ipp/print"), "me").is_err());
        assert!(list.check_printer_secret("file:/etc/decklog/secrets/printer").is_ok());
        assert!(list.check_printer_secret("file:/etc/shadow").is_err());
        assert!(list.check_sending(Some("drop@bank.example:/in")).is_ok());
        assert!(list.check_sending(Some("drop@elsewhere.example:/in")).is_err());
        assert!(list.check_sending(None).is_err());
        assert!(list.check_inbox("/srv/out").is_err(), "files are taken away: that is writing");
        let all = AllowList::everything_as_me();
        assert!(
            all.check_printer(&queue("ipp://any/x"), "me").is_ok()
                && all.check_sending(None).is_ok()
        );
    }
}
