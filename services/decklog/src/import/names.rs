//! Names of ours for names of others.

use std::collections::BTreeSet;

/// Room for a suffix within the 63 characters a name may have.
const STEM: usize = 56;

/// The names that are taken.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// A name made from a text that is not taken; it is then taken.
    pub(super) fn unique(&mut self, text: &str) -> String {
        let stem = clean(text);
        let numbered = (2_u64..).map(|number| format!("{stem}-{number}"));
        let mut candidates = std::iter::once(stem.clone()).chain(numbered);
        let name = candidates.find(|name| !self.0.contains(name)).unwrap_or(stem);
        self.0.insert(name.clone());
        name
    }
}

/// A text as a name: lower case, with a dash for each run of characters a name may not have.
pub(super) fn clean(text: &str) -> String {
    let mut name = String::new();
    for letter in text.chars().map(|letter| letter.to_ascii_lowercase()) {
        let allowed = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        if allowed || matches!(letter, '.' | '_' | '-') {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_from_any_text_and_is_unique() {
        let mut names = Names::default();
        let table = [
            ("Payroll Export", "payroll-export"),
            ("payroll/export", "payroll-export-2"),
            ("  ../__x", "x"),
            ("ÄÖ", "job"),
            ("", "job-2"),
            ("A_B.c-1", "a_b.c-1"),
        ];
        for (text, name) in table {
            assert_eq!(names.unique(text), name, "{text}");
        }
        let long = names.unique(&"x".repeat(200));
        assert!(domain::ids::is_name(&format!("{long}-12345")));
    }
}
