//! A unit as sections, keys and values (systemd.syntax(7)).

use super::UnitFile;
use crate::import::{At, Imported, Text};

/// A unit, its drop-ins included.
#[derive(Debug)]
pub(super) struct Unit {
    /// Its name.
    pub(super) name: String,
    /// See [`UnitFile`].
    pub(super) asked: bool,
    /// See [`UnitFile`].
    pub(super) named: bool,
    /// Whether a user's own manager runs it.
    pub(super) of_user: bool,
    /// Its file.
    pub(super) at: At,
    /// Its settings, in order.
    pub(super) entries: Vec<Entry>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it stands.
    pub(super) at: At,
    /// The section it is in.
    pub(super) section: String,
    /// Its name.
    pub(super) key: String,
    /// What it says.
    pub(super) value: String,
}

impl Entry {
    /// It as it stands in the file.
    pub(super) fn source(&self) -> String {
        format!("{}={}", self.key, self.value)
    }
}

impl Unit {
    pub(super) fn parse(file: &UnitFile, imported: &mut Imported) -> Self {
        let at = file.texts.first().map_or(At { file: "".into(), line: 1 }, |text| text.at(1));
        let mut entries = Vec::new();
        for text in &file.texts {
            settings(text, &mut entries, imported);
        }
        let UnitFile { name, asked, named, .. } = file;
        let of_user = at.file.contains("/systemd/user/");
        Self { name: name.clone(), asked: *asked, named: *named, of_user, at, entries }
    }

    /// The settings of a section.
    pub(super) fn section(&self, section: &str) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.section == section)
    }

    /// The last setting of this name that says something.
    pub(super) fn last(&self, section: &str, key: &str) -> Option<&Entry> {
        let found = self.section(section).filter(|entry| entry.key == key).last()?;
        (!found.value.is_empty()).then_some(found)
    }

    /// The settings of these names; an empty one takes back those before it that have its name.
    pub(super) fn all(&self, section: &str, keys: &[&str]) -> Vec<&Entry> {
        let mut found: Vec<&Entry> = Vec::new();
        for entry in self.section(section).filter(|entry| keys.contains(&entry.key.as_str())) {
            if entry.value.is_empty() {
                found.retain(|before| before.key != entry.key);
            } else {
                found.push(entry);
            }
        }
        found
    }
}

fn settings(text: &Text, entries: &mut Vec<Entry>, imported: &mut Imported) {
    let mut section = String::new();
    for (line, content) in logical_lines(&text.text) {
        let at = text.at(line);
        if let Some(name) = content.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((key, value)) = content.split_once('=') {
            let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
            entries.push(Entry { at, section: section.clone(), key, value });
        } else {
            imported.leave_out(&at, content, "it is neither a section nor a setting");
        }
    }
}

/// Lines without comments, each with those that continue it.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let plain = line.trim();
        if plain.starts_with(['#', ';']) || (plain.is_empty() && !open) {
            continue;
        }
        let (part, more) = match plain.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (plain, false),
        };
        match lines.last_mut().filter(|_| open) {
            Some((_, before)) => {
                before.push(' ');
                before.push_str(part.trim());
            }
            None => lines.push((index + 1, part.trim_end().to_owned())),
        }
        open = more;
    }
    lines
}
