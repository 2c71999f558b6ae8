//! `%` in a command: what the command reads on its standard input.

/// Splits a command at its first unescaped `%` (crontab(5)): the command with `\%` made `%`, and its standard
/// input with further `%` made line ends. Any other backslash stays, and a backslash that follows a backslash
/// escapes nothing, as in cronie's `child_process`.
pub(super) fn split(text: &str) -> (String, Option<String>) {
    let mut command = String::new();
    let mut escaped = false;
    for (index, letter) in text.char_indices() {
        match letter {
            '%' if escaped => {
                command.pop();
                command.push('%');
            }
            '%' => return (command, input(text.get(index + 1..).unwrap_or_default())),
            other => command.push(other),
        }
        escaped = letter == '\\' && !escaped;
    }
    (command, None)
}

fn input(text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let mut input = String::new();
    // Unlike in the command, two backslashes do not make a pair here: each `\%` is a percent sign.
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.next_if_eq(&'%').is_some() => input.push('%'),
            '%' => input.push('\n'),
            other => input.push(other),
        }
    }
    if !input.ends_with('\n') {
        input.push('\n');
    }
    Some(input)
}
