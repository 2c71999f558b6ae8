//! Words of a shell's line.

/// A word as a shell reads it back: bare where that is safe, in single quotes otherwise.
pub fn quote(word: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b"@%+=:,./_-".contains(&b);
    if !word.is_empty() && word.bytes().all(safe) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Several words as a line.
pub fn line<W: AsRef<str>>(words: &[W]) -> String {
    words.iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_change_them() {
        let table = [
            ("plain", "plain"),
            ("/usr/bin/x", "/usr/bin/x"),
            ("", "''"),
            ("two words", "'two words'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("a;b", "'a;b'"),
        ];
        for (word, quoted) in table {
            assert_eq!(quote(word), quoted);
        }
        assert_eq!(line(&["a", "b c"]), "a 'b c'");
    }
}
