//! What a document is, by its content.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text;

/// How far into the file the header of a PDF may be, in bytes, as readers take it (ISO 32000-1, annex H, note 13).
const PDF_HEADER_WITHIN: usize = 1024;
/// How long a preamble of printer commands before PostScript may be, in bytes.
const PREAMBLE: usize = 8 << 10;
/// Universal exit language: where printer commands (PJL) begin and end.
pub(crate) const UEL: &[u8] = b"\x1b%-12345X";

/// A format of documents that can be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Format {
    /// Portable Document Format (ISO 32000).
    #[serde(rename = "pdf")]
    Pdf,
    /// PostScript, a program; its pages are known by its comments (Adobe 5001).
    #[serde(rename = "postscript")]
    PostScript,
    /// Plain text, UTF-8 or Latin-1, with form feeds between pages.
    #[serde(rename = "text")]
    Text,
    /// PWG Raster (PWG 5102.4): one compressed picture a page.
    #[serde(rename = "pwg-raster")]
    PwgRaster,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Pdf, Self::PostScript, Self::Text, Self::PwgRaster];

    /// The media type, as in IPP's `document-format`.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::PostScript => "application/postscript",
            Self::Text => "text/plain",
            Self::PwgRaster => "image/pwg-raster",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::PostScript => "postscript",
            Self::Text => "text",
            Self::PwgRaster => "pwg-raster",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A word that is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no format; known are pdf, postscript, text and pwg-raster")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        let found = Self::ALL.into_iter().find(|format| format.word() == word);
        found.ok_or_else(|| UnknownFormat(word.chars().take(40).collect()))
    }
}

/// What a document is, by its content alone; a name or a label is never asked. `None` for what is none of the formats,
/// and for what is empty.
///
/// * PWG raster begins with `RaS2`.
/// * PostScript begins with `%!PS`, also after a Ctrl-D or a preamble of printer commands (`ESC %-12345X`, PJL).
/// * PDF has `%PDF-` and a digit within its first 1,024 bytes.
/// * Text is valid UTF-8 or else Latin-1, and has no control characters but tab, line feed, carriage return, form feed
///   and backspace (also none of U+007F to U+009F).
#[must_use]
pub fn sniff(bytes: &[u8]) -> Option<Format> {
    if bytes.is_empty() {
        None
    } else if bytes.starts_with(b"RaS2") {
        Some(Format::PwgRaster)
    } else if postscript_start(bytes).is_some() {
        Some(Format::PostScript)
    } else if pdf_start(bytes).is_some() {
        Some(Format::Pdf)
    } else {
        text::is_text(bytes).then_some(Format::Text)
    }
}

/// Where the header of a PDF is.
pub(crate) fn pdf_start(bytes: &[u8]) -> Option<usize> {
    let head = &bytes[..bytes.len().min(PDF_HEADER_WITHIN)];
    head.windows(6).position(|w| w.starts_with(b"%PDF-") && w[5].is_ascii_digit())
}

/// Where PostScript begins.
pub(crate) fn postscript_start(bytes: &[u8]) -> Option<usize> {
    let at = preamble_end(bytes).unwrap_or(0);
    let at = at + usize::from(bytes.get(at) == Some(&4));
    bytes.get(at..)?.starts_with(b"%!PS").then_some(at)
}

/// Whether printer commands before the document ask for more than one copy: then more is printed than was counted.
pub(crate) fn asks_for_copies(bytes: &[u8]) -> bool {
    let preamble = &bytes[..preamble_end(bytes).unwrap_or(0)];
    let more = |line: &[u8]| {
        let line = String::from_utf8_lossy(line).to_ascii_uppercase();
        let (name, value) = line.split_once('=').unwrap_or((&line, "1"));
        let name = name.trim_end();
        (name.ends_with("COPIES") || name.ends_with("QTY")) && value.trim() != "1"
    };
    preamble.split(|&b| b == b'\n').any(more)
}

/// Where printer commands end: after the line `@PJL ENTER LANGUAGE=…`, or after the escape sequence alone.
fn preamble_end(bytes: &[u8]) -> Option<usize> {
    let head = &bytes[..bytes.len().min(PREAMBLE)];
    let mut at = usize::from(head.first() == Some(&4));
    at += head.get(at..)?.starts_with(UEL).then_some(UEL.len())?;
    while head.get(at..)?.starts_with(b"@PJL") {
        at += head[at..].iter().position(|&b| b == b'\n')? + 1;
    }
    Some(at)
}
