//! Command lines of services: words, prefixes, specifiers and variables (systemd.service(5)).

use crate::import::shell;

/// What specifiers such as `%n` stand for in one unit.
#[derive(Debug)]
pub(super) struct Specifiers {
    unit: String,
    of_user: bool,
}

impl Specifiers {
    pub(super) fn of(unit: &str, of_user: bool) -> Self {
        Self { unit: unit.to_owned(), of_user }
    }

    /// A text with its specifiers replaced.
    pub(super) fn expand(&self, text: &str) -> Result<String, String> {
        let mut expanded = String::with_capacity(text.len());
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                expanded.push(letter);
                continue;
            }
            let specifier = letters.next().ok_or("it ends in a lone `%`")?;
            let value = self.value(specifier).ok_or_else(|| {
                format!(
                    "`%{specifier}` depends on the machine or its user: write what it stands for"
                )
            })?;
            expanded.push_str(value);
        }
        Ok(expanded)
    }

    fn value(&self, specifier: char) -> Option<&str> {
        let without_end = self.unit.rsplit_once('.').map_or(self.unit.as_str(), |(name, _)| name);
        let (prefix, instance) = without_end.split_once('@').unwrap_or((without_end, ""));
        match specifier {
            '%' => Some("%"),
            'n' => Some(&self.unit),
            'N' => Some(without_end),
            'p' => Some(prefix),
            // An instance that is escaped stands for something else.
            'i' => Some(instance),
            'I' if !instance.contains(['-', '\\']) => Some(instance),
            'T' => Some("/tmp"),
            'V' => Some("/var/tmp"),
            't' if !self.of_user => Some("/run"),
            'S' if !self.of_user => Some("/var/lib"),
            'C' if !self.of_user => Some("/var/cache"),
            'L' if !self.of_user => Some("/var/log"),
            'E' if !self.of_user => Some("/etc"),
            'u' | 'g' if !self.of_user => Some("root"),
            'U' | 'G' if !self.of_user => Some("0"),
            'h' if !self.of_user => Some("/root"),
            _ => None,
        }
    }
}

/// A command line, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exec {
    /// Program and arguments, specifiers replaced, variables not.
    words: Vec<String>,
    /// `-`: its failure is none.
    pub(super) may_fail: bool,
    /// `:` keeps `$` as it is.
    literal: bool,
}

impl Exec {
    /// Reads a command line.
    pub(super) fn parse(line: &str, specifiers: &Specifiers) -> Result<Self, String> {
        let (mut may_fail, mut literal, mut rest) = (false, false, line.trim());
        while let Some(prefix) = rest.chars().next().filter(|c| "-:@+!|".contains(*c)) {
            match prefix {
                '-' => may_fail = true,
                ':' => literal = true,
                '@' => {
                    return Err(
                        "`@` gives the program another name for itself, which cannot be carried"
                            .to_owned(),
                    );
                }
                '|' => {
                    return Err("`|` runs it in a login shell, which cannot be carried".to_owned());
                }
                _ => {
                    return Err(format!(
                        "`{prefix}` runs it with other rights than its user's, which cannot be carried"
                    ));
                }
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        let split = words(rest)?;
        let words: Vec<String> =
            split.iter().map(|word| specifiers.expand(word)).collect::<Result<_, _>>()?;
        if words.first().is_none_or(String::is_empty) {
            return Err("it names no program".to_owned());
        }
        if words.iter().any(|word| word == ";") {
            return Err(
                "several commands in one line (`;`) cannot be carried: write a line for each"
                    .to_owned(),
            );
        }
        Ok(Self { words, may_fail, literal })
    }

    /// Program and arguments, where no variable stands in them.
    pub(super) fn argv(&self) -> Option<Vec<String>> {
        if self.literal {
            return Some(self.words.clone());
        }
        let plain =
            |word: &String| pieces(word).iter().all(|piece| matches!(piece, Piece::Text(_)));
        self.words
            .iter()
            .all(plain)
            .then(|| self.words.iter().map(|w| w.replace("$$", "$")).collect())
    }

    /// The line for a shell that does not expand names of files (`set -f`).
    pub(super) fn line(&self) -> String {
        if let Some(argv) = self.argv() {
            return shell::line(&argv);
        }
        self.words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
    }
}

enum Piece<'a> {
    Text(String),
    Variable(&'a str),
}

/// `$NAME` as a word of its own is split at blanks, `${NAME}` is not; so it is in a shell without and with quotes.
fn shell_word(word: &str) -> String {
    if let Some(name) = word.strip_prefix('$').filter(|name| is_variable(name)) {
        return format!("${{{name}}}");
    }
    let one = |piece: Piece<'_>| match piece {
        Piece::Text(text) => shell::quote(&text),
        Piece::Variable(name) => format!("\"${{{name}}}\""),
    };
    pieces(word).into_iter().map(one).collect()
}

/// A word cut at its variables, with `$$` made `$`.
fn pieces(word: &str) -> Vec<Piece<'_>> {
    if let Some(name) = word.strip_prefix('$').filter(|name| is_variable(name)) {
        return vec![Piece::Variable(name)];
    }
    let (mut found, mut text, mut rest) = (Vec::new(), String::new(), word);
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        let variable = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        if let Some(tail) = after.strip_prefix('$') {
            text.push('$');
            rest = tail;
        } else if let Some((name, tail)) = variable.filter(|(name, _)| is_variable(name)) {
            if !text.is_empty() {
                found.push(Piece::Text(std::mem::take(&mut text)));
            }
            found.push(Piece::Variable(name));
            rest = tail;
        } else {
            text.push('$');
            rest = after;
        }
    }
    text.push_str(rest);
    if !text.is_empty() || found.is_empty() {
        found.push(Piece::Text(text));
    }
    found
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A line cut into words by systemd's quoting.
pub(super) fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut found, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', _) => word.get_or_insert_default().push_str(&escape(&mut letters)?),
            (mark, Some(open)) if mark == open => quote = None,
            (other, Some(_)) => word.get_or_insert_default().push(other),
            (mark @ ('"' | '\''), None) => {
                word.get_or_insert_default();
                quote = Some(mark);
            }
            (blank, None) if blank.is_whitespace() => found.extend(word.take()),
            (other, None) => word.get_or_insert_default().push(other),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed".to_owned());
    }
    found.extend(word);
    Ok(found)
}

/// What follows a backslash (systemd.syntax(7)).
fn escape(letters: &mut std::str::Chars<'_>) -> Result<String, String> {
    let kind = letters.next().ok_or("it ends in a lone backslash")?;
    let plain = match kind {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        's' => ' ',
        '\\' | '"' | '\'' => kind,
        'x' => return numbered(letters, 2, 16),
        'u' => return numbered(letters, 4, 16),
        'U' => return numbered(letters, 8, 16),
        '0'..='3' => {
            let rest: String = letters.take(2).collect();
            return code(&format!("{kind}{rest}"), 8);
        }
        other => return Ok(format!("\\{other}")),
    };
    Ok(plain.to_string())
}

fn numbered(letters: &mut std::str::Chars<'_>, count: usize, radix: u32) -> Result<String, String> {
    code(&letters.take(count).collect::<String>(), radix)
}

fn code(digits: &str, radix: u32) -> Result<String, String> {
    let number = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    number
        .filter(|c| *c != '\0')
        .map(String::from)
        .ok_or_else(|| format!("`\\{digits}` is no character"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exec(line: &str) -> Result<Exec, String> {
        Exec::parse(line, &Specifiers::of("backup@home.service", false))
    }

    #[test]
    fn a_line_is_cut_into_words_as_systemd_does() {
        let table: [(&str, &[&str]); 6] = [
            ("/bin/a b  c", &["/bin/a", "b", "c"]),
            (r#"/bin/a "b c" 'd "e"'"#, &["/bin/a", "b c", "d \"e\""]),
            (r"/bin/a b\x20c \t \\ \$", &["/bin/a", "b c", "\t", "\\", "\\$"]),
            (r#"/bin/a --x="y z" ''"#, &["/bin/a", "--x=y z", ""]),
            ("/bin/a %% %n %i 100%%", &["/bin/a", "%", "backup@home.service", "home", "100%"]),
            ("/bin/a $$HOME", &["/bin/a", "$HOME"]),
        ];
        for (line, words) in table {
            assert_eq!(exec(line).unwrap().argv().unwrap(), words, "{line}");
        }
    }

    #[test]
    fn variables_are_left_to_a_shell_that_splits_them_as_systemd_does() {
        let table = [
            ("/bin/a $OPTS ${DIR}/x", "/bin/a ${OPTS} \"${DIR}\"/x"),
            ("/bin/a 'it is ${X}'", "/bin/a 'it is '\"${X}\""),
            ("/bin/a x$Y", "/bin/a 'x$Y'"),
        ];
        for (line, wanted) in table {
            assert_eq!(exec(line).unwrap().line(), wanted, "{line}");
        }
        assert_eq!(exec(":/bin/a ${X}").unwrap().argv().unwrap(), ["/bin/a", "${X}"]);
    }

    #[test]
    fn what_cannot_be_carried_is_refused_with_the_reason() {
        for (line, wanted) in [
            ("@/bin/a a0", "another name"),
            ("+/bin/a", "other rights"),
            ("!!/bin/a", "other rights"),
            ("/bin/a %H", "depends on the machine"),
            ("/bin/a 'b", "not closed"),
            ("/bin/a ; /bin/b", "several commands"),
            ("", "names no program"),
        ] {
            let error = exec(line).unwrap_err();
            assert!(error.contains(wanted), "{line}: {error}");
        }
        assert!(exec("-/bin/a").unwrap().may_fail);
    }
}
