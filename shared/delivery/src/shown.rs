//! What others said, made fit for a line of a log.

/// Most characters of what somebody else said that are shown.
const MOST_SHOWN: usize = 300;

/// One line without control characters, so that nobody writes lines into our log.
pub(crate) fn one_line(said: &str) -> String {
    let words = said.split(|c: char| c.is_control() || c.is_whitespace());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_stays_on_one_line_and_is_not_endless() {
        assert_eq!(one_line("no\r\nWARN forged\t\u{7}"), "no WARN forged");
        assert_eq!(one_line(&"ä".repeat(1000)).chars().count(), MOST_SHOWN + 1);
    }
}
