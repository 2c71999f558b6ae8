//! Character maps (ISO 32000-1, 9.7.5 and 9.10.3): which codes there are, and what they mean.

use std::collections::BTreeMap;

use super::lexer::{Lexer, Token};
use super::object::Object;

/// Most entries; a font has at most 65,536 glyphs.
const ENTRIES: usize = 70_000;
/// Most values in one map.
const VALUES: u32 = 1_000_000;
/// How many ranges are looked at for a code, where ranges overlap.
const LOOK: usize = 8;
/// Longest text of one code, in bytes of UTF-16.
const LONGEST: usize = 256;

/// What codes mean.
#[derive(Debug, Default)]
pub(super) struct CMap {
    /// Codes of so many bytes lie between these.
    spaces: Vec<(usize, u32, u32)>,
    /// First code of a range, its last one, and the text of the first.
    texts: BTreeMap<u32, (u32, String)>,
}

impl CMap {
    /// Reads a map as far as it is good: a map that is broken makes characters unknown, not the document bad.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut map = Self::default();
        let mut lexer = Lexer::content(bytes, VALUES);
        let mut values = vec![];
        while let Ok(token) = lexer.token() {
            match token {
                Token::End => break,
                Token::Value(value) => values.push(value),
                Token::Keyword(word) => {
                    match word {
                        b"endcodespacerange" => map.add_spaces(&values),
                        b"endbfchar" => map.add_characters(&values),
                        b"endbfrange" => map.add_ranges(&values),
                        _ => {}
                    }
                    values.clear();
                }
            }
        }
        map
    }

    fn add_spaces(&mut self, values: &[Object]) {
        for pair in values.chunks_exact(2) {
            if let Some(((low, n), (high, _))) = code(&pair[0]).zip(code(&pair[1]))
                && self.spaces.len() < LONGEST
            {
                self.spaces.push((n, low, high));
            }
        }
    }

    fn add_characters(&mut self, values: &[Object]) {
        for pair in values.chunks_exact(2) {
            if let Some(((code, _), text)) = code(&pair[0]).zip(text(&pair[1])) {
                self.add(code, code, text);
            }
        }
    }

    fn add_ranges(&mut self, values: &[Object]) {
        for three in values.chunks_exact(3) {
            let Some(((low, _), (high, _))) = code(&three[0]).zip(code(&three[1])) else {
                continue;
            };
            if let Some(texts) = three[2].array() {
                for (code, value) in (low..=high).zip(texts) {
                    if let Some(text) = text(value) {
                        self.add(code, code, text);
                    }
                }
            } else if let Some(text) = text(&three[2]) {
                self.add(low, high, text);
            }
        }
    }

    fn add(&mut self, low: u32, high: u32, text: String) {
        if self.texts.len() < ENTRIES {
            self.texts.insert(low, (high, text));
        }
    }

    /// How many bytes the next code has, by the ranges of codes.
    pub(super) fn length(&self, bytes: &[u8]) -> Option<usize> {
        let fits = |&&(n, low, high): &&(usize, u32, u32)| {
            let Some(code) = bytes.get(..n) else { return false };
            // Each byte lies between those of the ends.
            let ends = low.to_be_bytes().into_iter().zip(high.to_be_bytes()).skip(4 - n);
            code.iter().zip(ends).all(|(byte, (low, high))| (low..=high).contains(byte))
        };
        self.spaces.iter().find(fits).map(|(n, _, _)| *n)
    }

    /// The text of a code.
    pub(super) fn text(&self, code: u32) -> Option<String> {
        let mut ranges = self.texts.range(..=code).rev().take(LOOK);
        let (low, (_, text)) = ranges.find(|(_, (high, _))| code <= *high)?;
        let further = code - low;
        if further == 0 {
            return Some(text.clone());
        }
        let (at, last) = text.char_indices().next_back()?;
        let last = char::from_u32(u32::from(last).checked_add(further)?)?;
        Some(format!("{}{last}", &text[..at]))
    }

    /// How many entries it has.
    pub(super) fn weight(&self) -> usize {
        self.texts.len()
    }
}

/// A code of one to four bytes.
fn code(object: &Object) -> Option<(u32, usize)> {
    let bytes = object.string().filter(|bytes| (1..=4).contains(&bytes.len()))?;
    Some((bytes.iter().fold(0, |code, &b| code << 8 | u32::from(b)), bytes.len()))
}

fn text(object: &Object) -> Option<String> {
    if let Some(name) = object.name() {
        return super::encodings::glyph(name);
    }
    let bytes = object.string().filter(|bytes| bytes.len() <= LONGEST)?;
    Some(utf16(bytes))
}

/// UTF-16 without its mark; one byte alone is taken for a character.
pub(super) fn utf16(bytes: &[u8]) -> String {
    if let [byte] = bytes {
        return char::from(*byte).to_string();
    }
    let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_ranges_and_lists_are_read() {
        let map = CMap::parse(
            b"/CIDInit /ProcSet findresource begin 1 begincodespacerange <0000> <FFFF> endcodespacerange
            2 beginbfchar <0003> <0020> <0044> <00660066> endbfchar
            2 beginbfrange <0010><0012><0041> <0020> <0021> [<0061> <D83DDE00>] endbfrange",
        );
        let text = |code| map.text(code);
        assert_eq!(text(3).as_deref(), Some(" "));
        assert_eq!(text(0x44).as_deref(), Some("ff"));
        assert_eq!(text(0x12).as_deref(), Some("C"));
        assert_eq!(text(0x21).as_deref(), Some("😀"));
        assert_eq!(text(0x13), None);
        assert_eq!(map.length(&[0, 3, 1]), Some(2));
        assert_eq!(map.length(&[0]), None);
    }

    #[test]
    fn a_map_that_breaks_off_means_what_it_said_until_then() {
        let map = CMap::parse(b"1 beginbfchar <01> <0041> endbfchar beginbfchar <02> <00");
        assert_eq!(map.text(1).as_deref(), Some("A"));
        assert_eq!(map.text(2), None);
    }
}
