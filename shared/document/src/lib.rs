//! What a printable document is, by its content: its format, its pages, their text, and documents of some of its pages.
//!
//! Input is believed to be broken or hostile. What does not add up is an error: a document that cannot be counted is not
//! guessed at, because its pages are numbered, paid for and sent to people. Nothing here panics, waits, or takes memory
//! because a header says so; [`Limits`] bound what a document may cost. Nothing is read but the bytes given.

mod error;
mod format;
mod limits;
mod pdf;
mod postscript;
mod raster;
mod sections;
mod text;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

pub use error::DocumentError;
pub use format::{Format, UnknownFormat, sniff};
pub use limits::Limits;
pub use sections::{Section, SectionsError, marker, sections};
pub use text::TextLayout;

use crate::pdf::Pdf;
use crate::postscript::PostScript;
use crate::raster::Raster;

/// Width and height in points (1/72 inch), as the page is seen: turned if it says so.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Size {
    /// From left to right.
    pub width: f64,
    /// From top to bottom.
    pub height: f64,
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Inspected {
    /// Its format, by content.
    pub format: Format,
    /// Number of its pages, at least one.
    pub pages: u32,
    /// Size of the first page, where the document says it; text does not.
    pub first_page: Option<Size>,
}

/// What the document is and how many pages it has, counted and not believed. `layout` is asked only for text.
///
/// # Errors
/// It is of no known format, damaged, encrypted, has no pages that can be told apart, or is beyond [`Limits::DEFAULT`].
pub fn inspect(bytes: &[u8], layout: &TextLayout) -> Result<Inspected, DocumentError> {
    inspect_within(bytes, layout, &Limits::DEFAULT)
}

/// [`inspect`] with other limits.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_within(
    bytes: &[u8],
    layout: &TextLayout,
    limits: &Limits,
) -> Result<Inspected, DocumentError> {
    let format = recognised(bytes, limits)?;
    let (pages, first_page) = match format {
        Format::Pdf => {
            let pdf = Pdf::open(bytes, limits)?;
            (pdf.pages(), pdf.size())
        }
        Format::PostScript => {
            let document = PostScript::open(bytes, limits)?;
            (document.pages(), document.size())
        }
        Format::Text => (text::count(bytes, layout, limits)?, None),
        Format::PwgRaster => {
            let raster = Raster::open(bytes, limits)?;
            (raster.pages(), raster.size())
        }
    };
    if pages == 0 {
        return Err(DocumentError::Empty);
    }
    Ok(Inspected { format, pages, first_page })
}

/// The text of each page: lines in reading order (from the top, each from the left), separated by line feeds. `limit`
/// is the most bytes of text on one page; a page with more is an error, because what is cut might be what is looked for.
///
/// All that the content of a PDF's page draws is read, also in layers that are hidden and where it is drawn invisibly, as on
/// scanned pages. A character that its font gives no meaning is U+FFFD. Text that is drawn as a picture is not there.
///
/// # Errors
/// As [`inspect`]; the format is PostScript or raster, whose text cannot be read; a page has more text than `limit`.
pub fn texts(
    bytes: &[u8],
    layout: &TextLayout,
    limit: usize,
) -> Result<Vec<String>, DocumentError> {
    texts_within(bytes, layout, limit, &Limits::DEFAULT)
}

/// [`texts`] with other limits.
///
/// # Errors
/// As [`texts`].
pub fn texts_within(
    bytes: &[u8],
    layout: &TextLayout,
    limit: usize,
    limits: &Limits,
) -> Result<Vec<String>, DocumentError> {
    match recognised(bytes, limits)? {
        Format::Pdf => Pdf::open(bytes, limits)?.texts(limit),
        Format::Text => text::texts(bytes, layout, limits, limit),
        format @ (Format::PostScript | Format::PwgRaster) => Err(DocumentError::NoText { format }),
    }
}

/// A document of only these pages (counted from 1), in the same format.
///
/// Parts go to different people: a part has nothing of the other pages. In a PDF only what the content of the pages uses
/// is copied; outlines, destinations, attachments, metadata, scripts, structure and form fields are not (what a form
/// field shows on the page stays). Fonts are copied whole, so a part may hold the shapes of characters it does not use.
/// In PostScript everything before the first page and after the last one is in each part: the conventions say that this
/// belongs to all pages, and nobody can check it.
///
/// # Errors
/// As [`inspect`]; it is not of that format; there are no such pages.
pub fn part(
    bytes: &[u8],
    format: Format,
    pages: RangeInclusive<u32>,
    layout: &TextLayout,
) -> Result<Vec<u8>, DocumentError> {
    part_within(bytes, format, pages, layout, &Limits::DEFAULT)
}

/// [`part`] with other limits.
///
/// # Errors
/// As [`part`].
pub fn part_within(
    bytes: &[u8],
    format: Format,
    pages: RangeInclusive<u32>,
    layout: &TextLayout,
    limits: &Limits,
) -> Result<Vec<u8>, DocumentError> {
    let found = recognised(bytes, limits)?;
    if found != format {
        return Err(DocumentError::OtherFormat { asked: format, found });
    }
    let count = pages.end().saturating_sub(*pages.start()).saturating_add(1);
    let part = match format {
        Format::Pdf => {
            let pdf = Pdf::open(bytes, limits)?;
            check_range(&pages, pdf.pages())?;
            pdf.part(pages)?
        }
        Format::PostScript => {
            let document = PostScript::open(bytes, limits)?;
            check_range(&pages, document.pages())?;
            document.part(pages)
        }
        Format::Text => {
            check_range(&pages, text::count(bytes, layout, limits)?)?;
            text::part(bytes, pages, layout, limits)?
        }
        Format::PwgRaster => {
            let raster = Raster::open(bytes, limits)?;
            check_range(&pages, raster.pages())?;
            raster.part(pages)
        }
    };
    check_part(&part, format, count, layout, limits)?;
    Ok(part)
}

/// What goes to somebody is read again first.
fn check_part(
    part: &[u8],
    format: Format,
    pages: u32,
    layout: &TextLayout,
    limits: &Limits,
) -> Result<(), DocumentError> {
    match inspect_within(part, layout, limits) {
        Ok(found) if (found.format, found.pages) == (format, pages) => Ok(()),
        Ok(_) | Err(DocumentError::Damaged { .. } | DocumentError::NoStructure { .. }) => {
            Err(DocumentError::damaged(format, "a part of it does not add up"))
        }
        Err(error) => Err(error),
    }
}

fn recognised(bytes: &[u8], limits: &Limits) -> Result<Format, DocumentError> {
    if bytes.is_empty() {
        return Err(DocumentError::Empty);
    }
    limits.check_bytes(bytes)?;
    let format = sniff(bytes).ok_or(DocumentError::Unknown)?;
    if format::asks_for_copies(bytes) {
        return Err(DocumentError::copies(format));
    }
    Ok(format)
}

fn check_range(asked: &RangeInclusive<u32>, pages: u32) -> Result<(), DocumentError> {
    let (from, to) = (*asked.start(), *asked.end());
    if from == 0 || from > to || to > pages {
        return Err(DocumentError::NoSuchPages { from, to, pages });
    }
    Ok(())
}

fn check_text(bytes: usize, limit: usize) -> Result<(), DocumentError> {
    if bytes > limit {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        return Err(DocumentError::TooMuch { what: "bytes of text on one page", limit });
    }
    Ok(())
}
