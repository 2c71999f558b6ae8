//! A job's name, derived from its command.

use std::collections::BTreeSet;

/// Room for a suffix within the 63 characters a name may have.
const STEM: usize = 56;

/// Commands that prepare the ground for the one that counts: a segment that starts with one is passed over.
const PREPARE: [&str; 9] = ["test", "[", "[[", "cd", "export", "umask", "sleep", ".", ":"];

/// Commands that run another one: the next word that is not an option names the job.
const WRAP: [&str; 13] = [
    "nice",
    "ionice",
    "sudo",
    "env",
    "exec",
    "nohup",
    "setsid",
    "chronic",
    "time",
    "command",
    "run-parts",
    "(",
    "{",
];

/// A name for a command that is not among those taken; the name is then taken as well.
pub(super) fn unique(command: &str, taken: &mut BTreeSet<String>) -> String {
    let stem = stem(command);
    let numbered = (2_u64..).map(|number| format!("{stem}-{number}"));
    let name = std::iter::once(stem.clone())
        .chain(numbered)
        .find(|name| !taken.contains(name))
        .unwrap_or(stem);
    taken.insert(name.clone());
    name
}

fn stem(command: &str) -> String {
    let segments = || command.split(['&', '|', ';', '\n']).map(words);
    let telling = segments().find_map(|words| telling_word(&words));
    let any = || segments().find_map(|words| words.first().copied());
    let word = telling.or_else(any).unwrap_or_default();
    clean(word.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default())
}

fn words(segment: &str) -> Vec<&str> {
    segment.split_whitespace().collect()
}

/// The word of a segment that says what it does, if it does anything.
fn telling_word<'a>(words: &[&'a str]) -> Option<&'a str> {
    let passed_over = |word: &str| {
        let option = word.starts_with(['-', '!']) || word.bytes().all(|b| b.is_ascii_digit());
        option || WRAP.contains(&word) || is_setting(word)
    };
    let word =
        words.iter().map(|word| word.trim_start_matches('(')).find(|word| !passed_over(word))?;
    (!PREPARE.contains(&word) && !word.starts_with('}') && !word.starts_with(')')).then_some(word)
}

/// `NAME=value` before a command.
fn is_setting(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// Lower case, with a dash for each run of characters a name may not have.
fn clean(word: &str) -> String {
    let mut name = String::new();
    for letter in word.chars().map(|letter| letter.to_ascii_lowercase()) {
        let allowed = letter.is_ascii_lowercase()
            || letter.is_ascii_digit()
            || matches!(letter, '.' | '_' | '-');
        if allowed {
            name.push(letter);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let separators = ['.', '_', '-'];
    let name: String = name.trim_start_matches(separators).chars().take(STEM).collect();
    let name = name.trim_end_matches(separators);
    if name.is_empty() { "job".to_owned() } else { name.to_owned() }
}
