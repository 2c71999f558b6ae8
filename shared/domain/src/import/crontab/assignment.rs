//! `NAME = value` lines and their quotes.

/// Splits a line into name and value by cronie's rules (`load_env`): blanks around name, `=` and value are
/// dropped, either side may stand in single or double quotes, nothing may follow a closing quote, and within a
/// value there is neither expansion nor escaping. `None` if the line is not an assignment.
///
/// One liberty is taken: `NAME=` sets an empty value, as in Debian's cron; cronie asks for `NAME=""`.
pub(super) fn parse(line: &str) -> Option<(String, String)> {
    let (name, rest) = name(trim(line))?;
    let value = value(trim(trim(rest).strip_prefix('=')?))?;
    (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

fn name(line: &str) -> Option<(&str, &str)> {
    match quoted(line) {
        Some((name, rest)) => (!name.contains('=')).then_some((name, rest)),
        None if line.starts_with(['\'', '"']) => None,
        None => {
            let end = line.find(|c: char| c == '=' || c.is_ascii_whitespace())?;
            line.split_at_checked(end)
        }
    }
}

fn value(text: &str) -> Option<&str> {
    match quoted(text) {
        Some((value, rest)) => trim(rest).is_empty().then_some(value),
        None => (!text.starts_with(['\'', '"'])).then_some(text),
    }
}

/// The text between a leading quote and its like, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text.get(1..)?.split_once(quote)
}

/// Without the blanks C's `isspace` knows; a no-break space is part of a value.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}')
}
