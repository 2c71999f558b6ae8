//! The time fields, the user and the command of a line.

use super::Format;

/// A line taken apart; nothing in it has been checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// The line began with `-`: cronie is asked not to log the run.
    pub(super) quiet: bool,
    /// An `@` word, or five fields with single blanks between them.
    pub(super) times: String,
    /// The user column, in a system crontab.
    pub(super) user: Option<&'a str>,
    /// The rest of the line.
    pub(super) command: &'a str,
}

/// Takes a line apart, or says what is missing.
pub(super) fn parse(line: &str, format: Format) -> Result<Entry<'_>, &'static str> {
    let line = line.trim_start_matches([' ', '\t']);
    let (quiet, rest) = match line.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (times, rest) = times(rest)?;
    if rest.starts_with('*') {
        return Err(
            "has a sixth time field; cron refuses a `*` there, and in a job file seconds stand first",
        );
    }
    let (user, command) = match format {
        Format::User => (None, rest),
        Format::System => {
            let (user, command) = user(rest)?;
            (Some(user), command)
        }
    };
    if command.is_empty() {
        return Err("has no command");
    }
    Ok(Entry { quiet, times, user, command })
}

fn times(rest: &str) -> Result<(String, &str), &'static str> {
    if rest.starts_with('@') {
        let (word, rest) = word(rest);
        return Ok((word.to_owned(), rest));
    }
    let mut fields = Vec::new();
    let mut rest = rest;
    while fields.len() < 5 {
        let (field, tail) = word(rest);
        if field.is_empty() {
            return Err("is neither an assignment nor five time fields followed by a command");
        }
        fields.push(field);
        rest = tail;
    }
    Ok((fields.join(" "), rest))
}

fn user(rest: &str) -> Result<(&str, &str), &'static str> {
    let (user, command) = word(rest);
    if user.contains('/') {
        return Err(
            "has a path where a system crontab has the user; if the file has no user column, \
                    import it as a user's crontab",
        );
    }
    Ok((user, command))
}

/// The first word, and the rest without its leading blanks.
fn word(text: &str) -> (&str, &str) {
    let blank = [' ', '\t'];
    let text = text.trim_start_matches(blank);
    let (word, rest) = text.split_once(blank).unwrap_or((text, ""));
    (word, rest.trim_start_matches(blank))
}
