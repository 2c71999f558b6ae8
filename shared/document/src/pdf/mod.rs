//! Portable Document Format (ISO 32000), as far as counting, reading and dividing need it.
//!
//! The reader is our own, because those on the registry do what must not be done here with input that is hostile:
//! `hayro-syntax` 0.9 decompresses cross-references and object streams without a limit and divides by zero when rows of
//! samples have no columns; `lopdf` 0.47 keeps every object in memory (20 MB of zeros in an array took 1.2 GB), and counts
//! pages of a file that is cut short or whose tree does not add up. Both repair what they cannot read.

mod annots;
mod belongs;
mod cmap;
mod content;
mod encodings;
mod file;
mod filters;
mod fonts;
mod layout;
mod lexer;
mod object;
mod part;
mod read;
mod tree;
mod used;
mod write;
mod xref;

use std::ops::RangeInclusive;

use self::file::File;
use self::read::Reader;
use self::tree::Leaf;
use crate::format::pdf_start;
use crate::{DocumentError, Limits, Size};

/// An open PDF whose page tree adds up.
pub(crate) struct Pdf<'a> {
    file: File<'a>,
    leaves: Vec<Leaf>,
    size: Option<Size>,
}

impl<'a> Pdf<'a> {
    /// Reads the cross-reference and the page tree.
    pub(crate) fn open(bytes: &'a [u8], limits: &'a Limits) -> Result<Self, DocumentError> {
        let start = pdf_start(bytes).ok_or(DocumentError::Unknown)?;
        let from_header = Self::open_at(&bytes[start..], limits);
        // Offsets count from the header (annex H, note 13), but some count from the first byte.
        match from_header {
            Err(DocumentError::Damaged { .. }) if start > 0 => {
                Self::open_at(bytes, limits).or(from_header)
            }
            Ok(_) | Err(_) => from_header,
        }
    }

    fn open_at(bytes: &'a [u8], limits: &'a Limits) -> Result<Self, DocumentError> {
        let file = File::open(bytes, limits)?;
        let leaves = tree::walk(&file)?;
        let first = leaves.first().map(|leaf| leaf.dict(&file)).transpose()?.unwrap_or_default();
        let size = tree::size(&file, &first)?;
        Ok(Self { file, leaves, size })
    }

    pub(crate) fn pages(&self) -> u32 {
        u32::try_from(self.leaves.len()).unwrap_or(u32::MAX)
    }

    /// The size of the first page.
    pub(crate) fn size(&self) -> Option<Size> {
        self.size
    }

    /// The text of each page.
    pub(crate) fn texts(&self, limit: usize) -> Result<Vec<String>, DocumentError> {
        let mut reader = Reader::new(&self.file, limit);
        let (mut texts, mut bytes) = (vec![], 0);
        for leaf in &self.leaves {
            let text = reader.page(&leaf.dict(&self.file)?)?;
            bytes += text.len();
            self.file.limits.check_text(bytes)?;
            texts.push(text);
        }
        Ok(texts)
    }

    /// A document of these pages, which exist.
    pub(crate) fn part(&self, pages: RangeInclusive<u32>) -> Result<Vec<u8>, DocumentError> {
        let place = |page: u32| usize::try_from(page).unwrap_or(usize::MAX);
        part::part(&self.file, &self.leaves, place(pages.start() - 1)..place(*pages.end()))
    }
}
