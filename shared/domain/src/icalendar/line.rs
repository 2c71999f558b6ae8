//! Content lines: folded at 75 octets, ended by CR LF, text escaped (RFC 5545 §3.1, §3.3.11).

/// Most octets of a line, without its end.
const OCTETS_MAX: usize = 75;

/// Lines of a calendar.
#[derive(Debug, Default)]
pub(super) struct Lines(String);

impl Lines {
    /// A property whose value is as it is written.
    pub(super) fn put(&mut self, name: &str, value: &str) {
        let mut left = OCTETS_MAX;
        for letter in name.chars().chain([':']).chain(value.chars()) {
            // A letter is never cut; the space that continues a line counts.
            if letter.len_utf8() > left {
                self.0.push_str("\r\n ");
                left = OCTETS_MAX - 1;
            }
            self.0.push(letter);
            left -= letter.len_utf8();
        }
        self.0.push_str("\r\n");
    }

    /// A property whose value is text of any letters.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.put(name, &escape(value));
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | ';' | ',' => escaped.extend(['\\', letter]),
            '\n' => escaped.push_str("\\n"),
            // No other control character may stand in text.
            letter if letter.is_control() => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_between_letters_and_unfold_to_what_they_were() {
        for length in [0, 60, 66, 67, 68, 141, 142, 500] {
            for letter in ["a", "é", "漢", "🙂"] {
                let value = format!("x{}", letter.repeat(length));
                let mut lines = Lines::default();
                lines.put("SUMMARY", &value);
                let text = lines.into_text();
                let raw: Vec<&str> = text.split_terminator("\r\n").collect();
                assert!(raw.iter().all(|line| line.len() <= 75), "{length} {letter}: {text}");
                assert!(raw.iter().skip(1).all(|line| line.starts_with(' ')), "{text}");
                assert_eq!(text.replace("\r\n ", ""), format!("SUMMARY:{value}\r\n"));
            }
        }
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("a;b,c\\d\ne\r\u{7}f:\""), "a\\;b\\,c\\\\d\\nef:\"");
    }
}
