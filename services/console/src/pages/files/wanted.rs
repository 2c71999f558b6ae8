//! What a form asks for: a directory, files by name, or what differs. A browser takes blanks off the ends of what is sent and
//! writes the ends of lines its own way: names that a button carries are therefore between slashes.

use domain::backup::looking::{NAMES_MAX, Wanted};
use domain::shell;

use crate::commands::CommandError;
use crate::pages::forms::Fields;

/// Names on a page.
pub(super) const PAGE: u32 = 200;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Word {
    /// Nothing yet.
    #[default]
    Nothing,
    /// A directory is listed.
    Browse,
    /// Files are found by name.
    Find,
    /// Two snapshots are compared.
    Diff,
}

impl Word {
    fn read(text: &str) -> Self {
        match text {
            "browse" => Self::Browse,
            "find" => Self::Find,
            "diff" => Self::Diff,
            _ => Self::Nothing,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Browse => "browse",
            Self::Find => "find",
            Self::Diff => "diff",
        }
    }
}

/// What somebody looks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sought {
    pub(crate) word: Word,
    pub(crate) snapshot: String,
    pub(crate) path: String,
    pub(crate) pattern: String,
    pub(crate) repository: String,
    pub(crate) older: String,
    pub(crate) newer: String,
    pub(crate) host: String,
    /// How many names were shown before.
    pub(crate) from: u32,
}

/// A file or directory of a snapshot, as buttons of a list name it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) snapshot: String,
    pub(crate) path: String,
}

/// A name between slashes.
pub(super) fn carried(name: &str) -> String {
    format!("/{name}/")
}

/// A path, and of which snapshot it is, where the list is of several.
pub(super) fn carried_of(snapshot: &str, path: &str) -> String {
    format!("{snapshot} {path}/")
}

/// A path below a directory.
pub(super) fn below(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.strip_suffix('/').unwrap_or(directory))
}

/// A text as it was before a browser sent it.
fn as_was(text: &str) -> String {
    text.replace("\r\n", "\n")
}

fn without_end(text: &str) -> &str {
    if text == "/" { text } else { text.strip_suffix('/').unwrap_or(text) }
}

impl Place {
    /// What a button of a list names, or the fields of a form.
    pub(crate) fn read(fields: &Fields) -> Self {
        let text = |name: &str| as_was(fields.get(name).unwrap_or_default());
        let (snapshot, path) = (text("snapshot"), text("path"));
        let Some(open) = fields.get("open").map(as_was) else {
            let whole = fields.get("to-path").map(as_was).unwrap_or(path);
            return Self { snapshot, path: without_end(&whole).to_owned() };
        };
        if let Some(name) = open.strip_prefix('/') {
            return Self { snapshot, path: below(&path, without_end(name)) };
        }
        let (letters, whole) = open.split_once(' ').unwrap_or((&open, ""));
        let repository = fields.text("repository");
        Self { snapshot: format!("{repository}:{letters}"), path: without_end(whole).to_owned() }
    }
}

impl Sought {
    /// What a form sent.
    pub(crate) fn read(fields: &Fields) -> Self {
        let Place { snapshot, path } = Place::read(fields);
        let opens = fields.get("open").is_some() || fields.get("to-path").is_some();
        let said = Word::read(fields.get("look").unwrap_or_default());
        Self {
            word: if opens { Word::Browse } else { said },
            snapshot,
            path,
            pattern: fields.text("pattern"),
            repository: fields.text("repository"),
            older: fields.text("older"),
            newer: fields.text("newer"),
            host: fields.text("host"),
            from: fields.number("from").ok().flatten().unwrap_or(0).min(NAMES_MAX),
        }
    }

    /// The question.
    ///
    /// # Errors
    /// The form asked nothing.
    pub(crate) fn wanted(&self) -> Result<Wanted, CommandError> {
        let repository = (!self.repository.is_empty()).then(|| self.repository.clone());
        Ok(match self.word {
            Word::Browse => {
                Wanted::Browse { snapshot: self.snapshot.clone(), path: self.path.clone() }
            }
            Word::Find => Wanted::Find { pattern: self.pattern.clone(), repository },
            Word::Diff => Wanted::Diff { a: self.older.clone(), b: self.newer.clone() },
            Word::Nothing => {
                let text = "say what to look for: a directory, files by name, or what differs";
                return Err(CommandError::Invalid(text.to_owned()));
            }
        })
    }

    /// How many names are asked for: those of the pages before are told again.
    pub(crate) fn limit(&self) -> u32 {
        self.from.saturating_add(PAGE).min(NAMES_MAX)
    }

    /// What has to be sent again with each button below the list.
    pub(crate) fn kept(&self) -> Vec<(&'static str, String)> {
        let path = if self.path.is_empty() { String::new() } else { format!("{}/", self.path) };
        let (snapshot, host) = (self.snapshot.clone(), self.host.clone());
        let own = match self.word {
            Word::Find => {
                [("pattern", self.pattern.clone()), ("repository", self.repository.clone())]
            }
            Word::Diff => [("older", self.older.clone()), ("newer", self.newer.clone())],
            Word::Browse | Word::Nothing => [("snapshot", snapshot), ("path", path)],
        };
        let mut all = vec![("look", self.word.text().to_owned()), ("host", host)];
        all.extend(own);
        all.retain(|(_, value)| !value.is_empty());
        all
    }

    /// The command that shows the same.
    pub(crate) fn command(&self, dataset: &str) -> String {
        let mut words = vec!["decklog", "backup"];
        match self.word {
            Word::Browse => words.extend(["browse", &self.snapshot, &self.path]),
            Word::Find => words.extend(["find", &self.pattern, "--repository", &self.repository]),
            Word::Diff => words.extend(["diff", &self.older, &self.newer]),
            Word::Nothing => {
                return format!(
                    "decklog backup browse SNAPSHOT PATH --dataset {dataset}\n\
                     decklog backup find PATTERN --dataset {dataset}\n\
                     decklog backup diff OLDER NEWER --dataset {dataset}"
                );
            }
        }
        if words.last().is_some_and(|word| word.is_empty()) {
            words.pop();
        }
        if words.last() == Some(&"--repository") {
            words.pop();
        }
        words.extend(["--dataset", dataset]);
        if !self.host.is_empty() {
            words.extend(["--host", &self.host]);
        }
        shell::line(&words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(all: &[(&str, &str)]) -> Fields {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_a_button_names_is_read_back_whatever_it_is_called() {
        for (sent, snapshot, path) in [
            (vec![("snapshot", "v:ab"), ("path", "/srv/a")], "v:ab", "/srv/a"),
            (vec![("snapshot", "v:ab"), ("path", "/srv/a /")], "v:ab", "/srv/a "),
            (vec![("snapshot", "v:ab")], "v:ab", ""),
            (vec![("snapshot", "v:ab"), ("open", "/srv/")], "v:ab", "/srv"),
            (vec![("snapshot", "v:ab"), ("path", "/srv/"), ("open", "/ x /")], "v:ab", "/srv/ x "),
            (vec![("snapshot", "v:ab"), ("path", "/"), ("open", "/srv/")], "v:ab", "/srv"),
            (vec![("snapshot", "v:ab"), ("open", "/a\r\nb/")], "v:ab", "/a\nb"),
            (vec![("repository", "v"), ("open", "cd /x y/")], "v:cd", "/x y"),
            (vec![("snapshot", "v:ab"), ("path", "/a/b/"), ("to-path", "/a/")], "v:ab", "/a"),
            (vec![("snapshot", "v:ab"), ("path", "/a/b/"), ("to-path", "/")], "v:ab", "/"),
        ] {
            let place = Place::read(&fields(&sent));
            assert_eq!((&*place.snapshot, &*place.path), (snapshot, path), "{sent:?}");
        }
        assert_eq!(below("", "a"), "/a");
        assert_eq!(carried(" a"), "/ a/");
        assert_eq!(carried_of("ab", "/x"), "ab /x/");
    }

    #[test]
    fn a_page_says_the_command_that_shows_the_same() {
        let all = [
            (
                vec![("look", "browse"), ("snapshot", "v:ab"), ("path", "/a b")],
                "browse v:ab '/a b' --dataset d",
            ),
            (vec![("look", "browse"), ("snapshot", "v:ab")], "browse v:ab --dataset d"),
            (
                vec![("look", "find"), ("pattern", "*.csv"), ("host", "h")],
                "find '*.csv' --dataset d --host h",
            ),
            (
                vec![("look", "find"), ("pattern", "x"), ("repository", "v")],
                "find x --repository v --dataset d",
            ),
            (
                vec![("look", "diff"), ("older", "v:a"), ("newer", "v:b")],
                "diff v:a v:b --dataset d",
            ),
        ];
        for (sent, wanted) in all {
            let command = Sought::read(&fields(&sent)).command("d");
            assert_eq!(command, format!("decklog backup {wanted}"));
        }
    }
}
