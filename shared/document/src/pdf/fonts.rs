//! Fonts as far as text needs them: what a string means and how wide it is (ISO 32000-1, 9.6 to 9.10).

use std::collections::BTreeMap;

use super::cmap::CMap;
use super::encodings::{Base, glyph};
use super::file::File;
use super::object::{Dict, Object, numbers};
use crate::DocumentError;

/// Widths of Helvetica's characters 32 to 126, in thousandths: for the fonts every reader has, which need not name their own.
const HELVETICA: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];
/// Width of Courier's characters.
const COURIER: f64 = 0.6;
/// How much narrower Times is than Helvetica, about.
const TIMES: f64 = 0.9;
/// Width of a character nobody knows.
const UNKNOWN: f64 = 0.55;
/// Most widths of one font.
const WIDTHS: usize = 70_000;
/// How many of the differences from an encoding are read.
const DIFFERENCES: usize = 1024;
/// How much of a font program is searched for its encoding, in bytes: it stands at the beginning.
const PROGRAM: usize = 64 << 10;

/// A font.
#[derive(Debug)]
pub(super) struct Font {
    codes: Codes,
    unicode: CMap,
    /// First code, last code and width of text of size 1.
    widths: BTreeMap<u32, (u32, f64)>,
    width: f64,
}

#[derive(Debug)]
enum Codes {
    /// One byte each, with what they mean; `fallback` are the widths where the font has none.
    Simple { texts: Vec<Option<String>>, scale: Option<f64> },
    /// Two bytes each.
    Double { is_unicode: bool },
    /// As a map says.
    Mapped(CMap),
}

/// A character of a string.
pub(super) struct Shown {
    /// What it means; U+FFFD where nobody knows.
    pub(super) text: String,
    /// Width of text of size 1.
    pub(super) width: f64,
    /// Whether it is the single byte 32, which word spacing widens.
    pub(super) space: bool,
}

impl Font {
    /// Reads a font.
    pub(super) fn read(file: &File<'_>, dict: &Dict) -> Result<Self, DocumentError> {
        let unicode = match file.get(dict, "ToUnicode")?.as_deref().and_then(Object::stream) {
            Some(stream) => CMap::parse(&file.decode(stream)?),
            None => CMap::default(),
        };
        if dict.is("Subtype", "Type0") {
            return Self::composite(file, dict, unicode);
        }
        let descriptor = file.dict(dict, "FontDescriptor")?;
        let widths = simple_widths(file, dict)?;
        let scale = widths.is_empty().then(|| standard_scale(dict));
        let width = file.number(&descriptor, "MissingWidth")?.unwrap_or(0.0) / 1000.0;
        let texts = simple_texts(file, dict, &descriptor)?;
        Ok(Self { codes: Codes::Simple { texts, scale }, unicode, widths, width })
    }

    fn composite(file: &File<'_>, dict: &Dict, unicode: CMap) -> Result<Self, DocumentError> {
        let encoding = file.get(dict, "Encoding")?;
        let codes = match encoding.as_deref() {
            Some(Object::Stream(stream)) => Codes::Mapped(CMap::parse(&file.decode(stream)?)),
            Some(Object::Name(name)) => {
                let is = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
                Codes::Double { is_unicode: is(b"UCS2") || is(b"UTF16") }
            }
            Some(_) | None => Codes::Double { is_unicode: false },
        };
        let below = file.array(dict, "DescendantFonts")?.unwrap_or_default();
        let none = Dict::default();
        let below = below.first().and_then(Object::dict).unwrap_or(&none);
        let width = file.number(below, "DW")?.unwrap_or(1000.0) / 1000.0;
        let widths = composite_widths(&file.array(below, "W")?.unwrap_or_default());
        Ok(Self { codes, unicode, widths, width })
    }

    /// Memory it takes, about, in entries.
    pub(super) fn weight(&self) -> usize {
        self.widths.len() + self.unicode.weight() + 256
    }

    /// The characters of a string.
    pub(super) fn shown<'s>(&'s self, string: &'s [u8]) -> impl Iterator<Item = Shown> + 's {
        let mut rest = string;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (code, left) = rest.split_at(self.length(rest).clamp(1, rest.len()));
            rest = left;
            Some(self.character(code))
        })
    }

    fn length(&self, rest: &[u8]) -> usize {
        match &self.codes {
            Codes::Simple { .. } => 1,
            Codes::Double { .. } => 2,
            Codes::Mapped(map) => map.length(rest).unwrap_or(1),
        }
    }

    fn character(&self, bytes: &[u8]) -> Shown {
        let code = bytes.iter().fold(0, |code: u32, &b| code << 8 | u32::from(b));
        let text = self.unicode.text(code).or_else(|| self.meaning(code));
        let known = self.widths.range(..=code).next_back().filter(|(_, (last, _))| code <= *last);
        let width = match (known, &self.codes) {
            (Some((_, (_, width))), _) => *width,
            (None, Codes::Simple { scale: Some(scale), .. }) => standard_width(code, *scale),
            (None, _) => self.width,
        };
        let text = text.map_or_else(|| char::REPLACEMENT_CHARACTER.to_string(), spelled);
        Shown { text, width, space: bytes == [b' '] }
    }

    /// What a code means without a map to Unicode.
    fn meaning(&self, code: u32) -> Option<String> {
        match &self.codes {
            Codes::Simple { texts, .. } => texts.get(usize::try_from(code).ok()?)?.clone(),
            Codes::Double { is_unicode: true } => char::from_u32(code).map(String::from),
            Codes::Double { is_unicode: false } | Codes::Mapped(_) => None,
        }
    }
}

/// Ligatures as the letters that they are, so that a word is found however it is set.
fn spelled(text: String) -> String {
    if !text.contains(|c| ('\u{fb00}'..='\u{fb04}').contains(&c)) {
        return text;
    }
    let letters = |c| match c {
        '\u{fb00}' => "ff".to_owned(),
        '\u{fb01}' => "fi".to_owned(),
        '\u{fb02}' => "fl".to_owned(),
        '\u{fb03}' => "ffi".to_owned(),
        '\u{fb04}' => "ffl".to_owned(),
        _ => String::from(c),
    };
    text.chars().map(letters).collect()
}

/// Widths of a font with codes of one byte; in a Type 3 font its matrix says what they measure.
fn simple_widths(file: &File<'_>, dict: &Dict) -> Result<BTreeMap<u32, (u32, f64)>, DocumentError> {
    let matrix = file.array(dict, "FontMatrix")?;
    let scale = matrix.as_deref().and_then(numbers::<6>).map_or(0.001, |matrix| matrix[0]);
    let first = file.get(dict, "FirstChar")?.and_then(|first| first.count()).unwrap_or(0_u32);
    let widths = file.array(dict, "Widths")?.unwrap_or_default();
    let number = |(code, width): (u32, &Object)| Some((code, (code, width.number()? * scale)));
    Ok((first..=255).zip(&widths).filter_map(number).collect())
}

/// `first [w w w]` or `first last w`, again and again (9.7.4.3).
fn composite_widths(all: &[Object]) -> BTreeMap<u32, (u32, f64)> {
    let (mut widths, mut rest) = (BTreeMap::new(), all);
    while let ([first, second, ..], true) = (rest, widths.len() < WIDTHS) {
        let first: u32 = first.count().unwrap_or(u32::MAX);
        if let Some(each) = second.array() {
            for (code, width) in (first..=u32::MAX).zip(each).take(WIDTHS) {
                widths.insert(code, (code, width.number().unwrap_or(0.0) / 1000.0));
            }
            rest = &rest[2..];
        } else if let (Some(last), Some(width)) =
            (second.count(), rest.get(2).and_then(Object::number))
        {
            widths.insert(first, (last, width / 1000.0));
            rest = &rest[3..];
        } else {
            break;
        }
    }
    widths
}

/// How wide a font that every reader has is beside Helvetica; 0 where all characters are as wide as Courier's.
fn standard_scale(dict: &Dict) -> f64 {
    let name = dict.get("BaseFont").and_then(Object::name).unwrap_or_default();
    let is = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
    if is(b"Courier") {
        0.0
    } else if is(b"Times") {
        TIMES
    } else {
        1.0
    }
}

fn standard_width(code: u32, scale: f64) -> f64 {
    if scale == 0.0 {
        return COURIER;
    }
    let place = code.checked_sub(32).and_then(|place| usize::try_from(place).ok());
    let width = place.and_then(|place| HELVETICA.get(place));
    scale * width.map_or(UNKNOWN, |width| f64::from(*width) / 1000.0)
}

/// What the 256 codes mean: the base encoding, and what the font says otherwise (9.6.6).
fn simple_texts(
    file: &File<'_>,
    dict: &Dict,
    descriptor: &Dict,
) -> Result<Vec<Option<String>>, DocumentError> {
    let encoding = file.get(dict, "Encoding")?;
    let named = match encoding.as_deref() {
        Some(Object::Name(name)) => Base::named(name),
        Some(Object::Dict(dict)) => {
            let base = file.get(dict, "BaseEncoding")?;
            base.as_deref().and_then(Object::name).and_then(Base::named)
        }
        Some(_) | None => None,
    };
    let own = if dict.is("Subtype", "TrueType") { Base::WinAnsi } else { Base::Standard };
    let base = named.unwrap_or(own);
    let mut texts: Vec<Option<String>> =
        (0..=255).map(|code| base.character(code).map(String::from)).collect();
    if let (None, Some(program)) = (named, file.get(descriptor, "FontFile")?)
        && let Some(stream) = program.stream()
    {
        built_in(&file.decode(stream)?, &mut texts);
    }
    if let Some(dict) = encoding.as_deref().and_then(Object::dict) {
        differences(&file.array(dict, "Differences")?.unwrap_or_default(), &mut texts);
    }
    Ok(texts)
}

/// A code, and the names of the glyphs from there on.
fn differences(all: &[Object], texts: &mut [Option<String>]) {
    let mut code = 0;
    for object in all.iter().take(DIFFERENCES) {
        if let Some(first) = object.count::<usize>() {
            code = first;
        } else if let Some(name) = object.name() {
            if let Some(text) = texts.get_mut(code) {
                *text = glyph(name);
            }
            code = code.saturating_add(1);
        }
    }
}

/// The encoding in a Type 1 font program: lines `dup 65 /A put`.
fn built_in(program: &[u8], texts: &mut [Option<String>]) {
    let head = &program[..program.len().min(PROGRAM)];
    let mut words = head.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let mut cleared = false;
    while let Some(word) = words.next() {
        match word {
            b"dup" => {}
            b"eexec" => return,
            _ => continue,
        }
        let code =
            words.next().and_then(|word| std::str::from_utf8(word).ok()?.parse::<usize>().ok());
        let name = code.and_then(|_| words.next()).and_then(|word| word.strip_prefix(b"/"));
        if let Some((code, name)) = code.zip(name) {
            if !std::mem::replace(&mut cleared, true) {
                texts.fill(None);
            }
            if let Some(text) = texts.get_mut(code) {
                *text = glyph(name);
            }
        }
    }
}
