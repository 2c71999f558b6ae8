//! How a document is printed: words that definitions, events and acts share.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a document is, by its content.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentFormat {
    /// PDF.
    Pdf,
    /// PostScript with structuring comments.
    Postscript,
    /// Plain text.
    Text,
    /// PWG raster (PWG 5102.4).
    PwgRaster,
}

impl DocumentFormat {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Postscript => "postscript",
            Self::Text => "text",
            Self::PwgRaster => "pwg-raster",
        }
    }

    /// Its media type, as printers and mail name it.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Postscript => "application/postscript",
            Self::Text => "text/plain",
            Self::PwgRaster => "image/pwg-raster",
        }
    }
}

/// On which sides of a sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sides {
    /// On one.
    OneSided,
    /// On both, turned like a book.
    TwoSidedLongEdge,
    /// On both, turned like a calendar.
    TwoSidedShortEdge,
}

impl Sides {
    /// The keyword of `sides` (RFC 8011 §5.2.8).
    pub fn word(self) -> &'static str {
        match self {
            Self::OneSided => "one-sided",
            Self::TwoSidedLongEdge => "two-sided-long-edge",
            Self::TwoSidedShortEdge => "two-sided-short-edge",
        }
    }
}

/// Who lets a document go to the printer.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseBy {
    /// Nobody: it is printed when its turn comes.
    #[default]
    AtOnce,
    /// A person.
    Person,
    /// A person who gives the document's code.
    Code,
}

impl ReleaseBy {
    /// Whether nobody need say anything.
    pub fn is_at_once(&self) -> bool {
        *self == Self::AtOnce
    }
}

/// Why a document waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldWhy {
    /// Its job or queue says so.
    Rule,
    /// Its code has not been given.
    Code,
    /// It does not agree with the control total of its source.
    ControlTotal,
    /// Somebody said so.
    Person,
}

impl HoldWhy {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Rule => "it waits for a person to release it",
            Self::Code => "it waits for its code",
            Self::ControlTotal => "it does not agree with the control total of its source",
            Self::Person => "a person holds it",
        }
    }
}

/// Pages from one to another, both included, counted from 1. Written `3-7`, `4`, or `8-` to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageRange {
    /// The first.
    pub from: u32,
    /// The last; the document's last where absent.
    pub to: Option<u32>,
}

impl PageRange {
    /// How many of a document's pages it is.
    pub fn count(self, pages: u32) -> u32 {
        let to = self.to.unwrap_or(pages).min(pages);
        to.checked_sub(self.from).map_or(0, |more| more.saturating_add(1))
    }
}

impl fmt::Display for PageRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            Some(to) if to == self.from => write!(f, "{to}"),
            Some(to) => write!(f, "{}-{to}", self.from),
            None => write!(f, "{}-", self.from),
        }
    }
}

impl FromStr for PageRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} are no pages: write 4, 3-7 or 8-");
        let number = |text: &str| {
            let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let number = plain.then(|| text.parse::<u32>().ok()).flatten();
            number.filter(|n| *n >= 1).ok_or_else(bad)
        };
        let (from, to) = match text.split_once('-') {
            None => (number(text)?, Some(number(text)?)),
            Some((from, "")) => (number(from)?, None),
            Some((from, to)) => (number(from)?, Some(number(to)?)),
        };
        if to.is_some_and(|to| to < from) {
            return Err(bad());
        }
        let range = Self { from, to };
        // One range has one spelling.
        if range.to_string() == text { Ok(range) } else { Err(bad()) }
    }
}

impl Serialize for PageRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PageRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for PageRange {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PageRange".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[1-9][0-9]*(-([1-9][0-9]*)?)?$"})
    }
}

/// Most copies.
pub const COPIES_MAX: u16 = 999;
/// Most ranges of pages.
const RANGES_MAX: usize = 20;

/// How a document is printed. What is absent is left to the printer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Options {
    /// How often.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub copies: u16,
    /// On which sides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sides: Option<Sides>,
    /// The size of the paper, by its name in PWG 5101.1: `iso_a4_210x297mm`, `na_letter_8.5x11in`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// The tray it comes from: `main`, `tray-2`, `manual` and the like (`media-source`, PWG 5100.7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tray: Option<String>,
    /// The tray it goes to (`output-bin`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bin: Option<String>,
    /// What is done with the sheets: `staple`, `punch`, `fold` and the like (`finishings`, by their keywords).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finishing: Vec<String>,
    /// Which pages; all where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<PageRange>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            copies: 1,
            sides: None,
            media: None,
            tray: None,
            output_bin: None,
            finishing: Vec::new(),
            pages: Vec::new(),
        }
    }
}

impl Options {
    /// Whether it says nothing.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Pages of a document with so many that are printed once.
    pub fn selected(&self, pages: u32) -> u32 {
        selected(&self.pages, pages)
    }

    /// Impressions that come of a document with so many pages.
    pub fn impressions(&self, pages: u32) -> u32 {
        self.selected(pages).saturating_mul(u32::from(self.copies))
    }

    /// Everything that is wrong with it, by field.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if !(1..=COPIES_MAX).contains(&self.copies) {
            found.push(("copies", format!("1 to {COPIES_MAX}")));
        }
        let named =
            [("media", &self.media), ("tray", &self.tray), ("output-bin", &self.output_bin)];
        for (field, word) in named {
            if word.as_ref().is_some_and(|word| !is_keyword(word)) {
                found.push((
                    field,
                    "a keyword of a-z, 0-9, '.', '_' and '-', as the printer lists it".to_owned(),
                ));
            }
        }
        if self.finishing.len() > 10 || self.finishing.iter().any(|word| !is_keyword(word)) {
            found.push(("finishing", "at most 10 keywords such as staple".to_owned()));
        }
        if let Err(message) = check_ranges(&self.pages, None) {
            found.push(("pages", message));
        }
        found
    }
}

/// Pages of a document with so many that these ranges select; all where there are none.
pub fn selected(ranges: &[PageRange], pages: u32) -> u32 {
    if ranges.is_empty() {
        return pages;
    }
    ranges.iter().fold(0, |sum: u32, range| sum.saturating_add(range.count(pages)))
}

/// Whether ranges can be printed: in order, apart from each other, and within a document of so many pages.
///
/// # Errors
/// What is wrong.
pub fn check_ranges(ranges: &[PageRange], pages: Option<u32>) -> Result<(), String> {
    if ranges.len() > RANGES_MAX {
        return Err(format!("at most {RANGES_MAX} ranges of pages"));
    }
    let in_order = ranges.windows(2).all(|two| match two {
        [one, next] => one.to.is_some_and(|to| to < next.from),
        _ => true,
    });
    if !in_order {
        return Err("ranges of pages stand in order and do not meet".to_owned());
    }
    let last = ranges.last().map_or(0, |range| range.to.unwrap_or(range.from));
    match pages {
        Some(pages) if last > pages => Err(format!("the document has {pages} pages only")),
        Some(_) | None => Ok(()),
    }
}

/// A keyword as IPP has them (RFC 8011 §5.1.4).
fn is_keyword(word: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    (1..=255).contains(&word.len()) && word.bytes().all(allowed)
}

fn one() -> u16 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_one(n: &u16) -> bool {
    *n == 1
}
