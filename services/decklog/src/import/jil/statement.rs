//! The text: statements and their attributes.

use crate::import::{At, Imported, Text};

/// A statement such as `insert_job: NAME` with what follows it.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) at: At,
    /// `insert_job` and the like.
    pub(super) verb: String,
    /// What it is about.
    pub(super) name: String,
    pub(super) attributes: Vec<Attribute>,
}

/// `key: value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) line: usize,
    pub(super) key: String,
    /// Without quotes around it.
    pub(super) value: String,
}

impl Attribute {
    /// It as it stands in the file.
    pub(super) fn source(&self) -> String {
        format!("{}: {}", self.key, self.value)
    }
}

impl Statement {
    /// The last attribute with this key that says something.
    pub(super) fn get(&self, key: &str) -> Option<&Attribute> {
        self.attributes.iter().rev().find(|a| a.key == key && !a.value.is_empty())
    }

    /// The value of an attribute.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.get(key).map(|attribute| attribute.value.as_str())
    }

    /// The place of one of its lines.
    pub(super) fn line(&self, line: usize) -> At {
        At { line, ..self.at.clone() }
    }
}

/// Verbs that begin a statement.
const VERBS: [&str; 4] = ["insert_", "update_", "delete_", "override_"];

/// Reads a file.
pub(super) fn read(text: &Text, imported: &mut Imported) -> Vec<Statement> {
    let mut found: Vec<Statement> = Vec::new();
    let mut comment = false;
    for (index, line) in text.text.lines().enumerate() {
        let at = text.at(index + 1);
        let Some(line) = without_comment(line, &mut comment) else { continue };
        let Some((key, value)) = attribute(line) else {
            imported.leave_out(&at, line, "it is no attribute (`key: value`)");
            continue;
        };
        if VERBS.iter().any(|verb| key.starts_with(verb)) {
            found.push(statement(at, key, value));
        } else if let Some(statement) = found.last_mut() {
            push(statement, index + 1, key, value);
        } else {
            imported.leave_out(&at, line, "it stands before the first statement");
        }
    }
    found
}

/// What of a line is no comment; a comment begins a line, as a command may hold `/*`.
fn without_comment<'a>(line: &'a str, comment: &mut bool) -> Option<&'a str> {
    let mut rest = line.trim_start_matches('\u{feff}').trim();
    loop {
        if *comment {
            let (_, after) = rest.split_once("*/")?;
            *comment = false;
            rest = after.trim();
        }
        match rest.strip_prefix("/*") {
            Some(inside) => {
                *comment = true;
                rest = inside;
            }
            None => return (!rest.is_empty() && !rest.starts_with('#')).then_some(rest),
        }
    }
}

fn attribute(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let key = key.trim_end();
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (!key.is_empty() && key.bytes().all(allowed)).then(|| (key, value.trim()))
}

/// The first line of a statement holds its name, and often an attribute after it.
fn statement(at: At, verb: &str, rest: &str) -> Statement {
    let (name, more) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let line = at.line;
    let mut statement =
        Statement { at, verb: verb.to_owned(), name: unquoted(name), attributes: Vec::new() };
    if let Some((key, value)) = attribute(more.trim()) {
        push(&mut statement, line, key, value);
    }
    statement
}

fn push(statement: &mut Statement, line: usize, key: &str, value: &str) {
    // A command is read by a shell, which takes off its own quotes.
    let value = if key == "command" { value.to_owned() } else { unquoted(value) };
    let value = value.replace("\\:", ":");
    statement.attributes.push(Attribute { line, key: key.to_owned(), value });
}

fn unquoted(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(text).to_owned()
}
