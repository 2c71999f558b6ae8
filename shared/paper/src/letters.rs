//! Which letters are printed, and what stands for those that are not.

use std::borrow::Cow;

/// Longest text of one field in characters; what is beyond it is counted and left out.
pub const MAX_TEXT_CHARS: usize = 2_000;

/// The text, or its beginning and how much is missing.
pub(crate) fn bounded(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some((end, _)) => {
            let missing = text[end..].chars().count();
            Cow::Owned(format!("{} … (+{missing} characters)", &text[..end]))
        }
    }
}

/// A text for a place that does not grow: on one line as far as the text goes, and not for ever.
/// A text that is empty is a dash, because what is empty is missing for who hears the page.
pub(crate) fn short(text: &str, most: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    if text.is_empty() { "–".to_owned() } else { bounded(&text, most).into_owned() }
}

/// How a letter that is not printed is shown.
pub(crate) fn code_point(letter: char) -> String {
    format!("[U+{:04X}]", u32::from(letter))
}

/// Whether a letter is shown as its code point whatever the fonts have: because one could not see
/// it, because it turns round the order of what follows, or because PDF/A wants no such letter.
pub(crate) fn is_hidden(letter: char) -> bool {
    letter.is_control() || is_ignorable(letter) || is_right_to_left(letter) || is_private(letter)
}

/// Default ignorable code points (Unicode 16.0, DerivedCoreProperties) and separators of lines.
const fn is_ignorable(letter: char) -> bool {
    matches!(letter,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Hebrew, Arabic and their neighbours. A page that set them from left to right would lie.
const fn is_right_to_left(letter: char) -> bool {
    matches!(letter,
        '\u{590}'..='\u{8FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFE}'
        | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}')
}

/// Private use and noncharacters (ISO 19005-2, 6.2.11.7.3).
const fn is_private(letter: char) -> bool {
    matches!(letter, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}' | '\u{FDD0}'..='\u{FDEF}')
        || letter as u32 & 0xFFFE == 0xFFFE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_says_how_much_is_missing() {
        assert_eq!(bounded("äöü", 3), "äöü");
        assert_eq!(bounded("äöüß!", 3), "äöü … (+2 characters)");
    }

    #[test]
    fn what_turns_text_round_is_shown() {
        for letter in ['\u{202E}', '\u{200B}', '\u{7}', 'ש', '\u{E000}', '\u{FFFE}', '\u{1FFFF}'] {
            assert!(is_hidden(letter), "{}", code_point(letter));
        }
        for letter in ['a', 'é', 'Ω', 'Я', '\u{301}', '→', '\u{A0}'] {
            assert!(!is_hidden(letter), "{}", code_point(letter));
        }
    }
}
