//! Masking secrets in what a command writes, before anybody sees it.
//!
//! Only the secret itself is found, byte for byte: a command that writes it in base64, percent-encoded, or in pieces
//! with something between them shows it. Secrets of fewer than four bytes are left as they are: they would be found
//! everywhere.

use std::borrow::Cow;

use super::secrets::Secret;

/// What stands for a secret.
const STARS: &[u8] = b"***";

/// Shortest secret that is masked.
const SECRET_BYTES_MIN: usize = 4;

/// Masks a stream. What may be the beginning of a secret is kept back until more comes, or the end; everything else
/// is let through at once.
pub(crate) struct Mask {
    secrets: Vec<Vec<u8>>,
    /// For each byte, whether a secret begins with it.
    begins: [bool; 256],
    held: Vec<u8>,
    /// So many of the first held bytes belong to secrets for which stars were written.
    covered: usize,
}

impl Mask {
    pub(crate) fn new(secrets: &[Secret]) -> Self {
        let long = secrets.iter().map(|secret| &secret.value);
        let secrets: Vec<Vec<u8>> =
            long.filter(|value| value.len() >= SECRET_BYTES_MIN).cloned().collect();
        let mut begins = [false; 256];
        for first in secrets.iter().filter_map(|secret| secret.first()) {
            if let Some(begins) = begins.get_mut(usize::from(*first)) {
                *begins = true;
            }
        }
        Self { secrets, begins, held: Vec::new(), covered: 0 }
    }

    /// Takes what was written, and gives what may be seen.
    pub(crate) fn take<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.secrets.is_empty() {
            return bytes.into();
        }
        self.held.extend_from_slice(bytes);
        self.let_through(false).into()
    }

    /// What was kept back, when no more will come.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        self.let_through(true)
    }

    fn let_through(&mut self, last: bool) -> Vec<u8> {
        let mut seen = Vec::with_capacity(self.held.len());
        let mut at = 0;
        while let Some(rest) = self.held.get(at..).filter(|rest| !rest.is_empty()) {
            let length = match self.secret_at(rest) {
                Begins::Unknown if !last => break,
                Begins::Unknown => self.longest_at(rest),
                Begins::Known(length) => length,
            };
            if length > 0 && at >= self.covered {
                seen.extend_from_slice(STARS);
            }
            self.covered = self.covered.max(at + length);
            if at >= self.covered {
                seen.extend(rest.first());
            }
            at += 1;
        }
        self.held.drain(..at);
        self.covered = self.covered.saturating_sub(at);
        seen
    }

    /// Whether a secret begins here, and how long it is.
    fn secret_at(&self, rest: &[u8]) -> Begins {
        let first = rest.first().map_or(0, |byte| usize::from(*byte));
        if !self.begins.get(first).copied().unwrap_or(false) {
            return Begins::Known(0);
        }
        let longer = |secret: &Vec<u8>| secret.len() > rest.len() && secret.starts_with(rest);
        if self.secrets.iter().any(longer) {
            return Begins::Unknown;
        }
        Begins::Known(self.longest_at(rest))
    }

    fn longest_at(&self, rest: &[u8]) -> usize {
        let here = self.secrets.iter().filter(|secret| rest.starts_with(secret));
        here.map(Vec::len).max().unwrap_or(0)
    }
}

enum Begins {
    /// So many bytes of a secret; 0 where none begins.
    Known(usize),
    /// More must come before it can be said.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(secrets: &[&str]) -> Mask {
        let secret = |value: &&str| Secret { variable: String::new(), value: (*value).into() };
        Mask::new(&secrets.iter().map(secret).collect::<Vec<_>>())
    }

    /// What is seen of a text that is written in pieces of this size.
    fn seen(secrets: &[&str], text: &str, piece: usize) -> String {
        let mut mask = mask(secrets);
        let mut seen: Vec<u8> =
            text.as_bytes().chunks(piece).flat_map(|p| mask.take(p).into_owned()).collect();
        seen.extend(mask.finish());
        String::from_utf8(seen).unwrap()
    }

    #[test]
    fn a_secret_is_masked_however_it_is_cut_and_nothing_else_is() {
        let table: [(&[&str], &str, &str); 12] = [
            (&[], "hunter2", "hunter2"),
            (&["hunter2"], "the password is hunter2!", "the password is ***!"),
            (&["hunter2"], "hunter2hunter2", "******"),
            (&["hunter2"], "hunter", "hunter"),
            (&["hunter2"], "hunthunter2", "hunt***"),
            (&["aab!"], "aaaab!a", "aa***a"),
            (&["abc"], "abc", "abc"),
            // The longest of several counts.
            (&["pass", "password"], "pass password passwor", "*** *** ***wor"),
            // Where two overlap, neither is seen.
            (&["abcd", "cdef"], "xabcdefx", "x***x"),
            (&["abcd", "cdxx"], "abcdxy", "***xy"),
            (&["aaaa"], "aaaaaa", "***"),
            (&["line\nline"], "line\nline", "***"),
        ];
        for (secrets, text, expected) in table {
            for piece in 1..=text.len() {
                assert_eq!(seen(secrets, text, piece), expected, "{text} by {piece}");
            }
        }
    }

    #[test]
    fn only_what_may_be_the_beginning_of_a_secret_is_kept_back() {
        let mut mask = mask(&["hunter2"]);
        for (written, seen) in [
            ("all is well ", "all is well "),
            ("hun", ""),
            ("gry h", "hungry "),
            ("unter", ""),
            ("2", "***"),
            ("\n", "\n"),
        ] {
            assert_eq!(*mask.take(written.as_bytes()), *seen.as_bytes(), "{written}");
        }
        assert_eq!(mask.finish(), b"");
    }
}
