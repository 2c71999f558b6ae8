//! Pages as people write them.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most ranges in one list.
const MOST: usize = 1_000;

/// Pages as people write them: `1-3,5,8-`. Ascending and without overlap, as IPP's `page-ranges` (RFC 8011, 5.2.7), so
/// that no page is in it twice; the last range may be open (`8-`: to the end).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PageRanges(Vec<Range>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    from: u32,
    /// `None`: to the end of the document.
    to: Option<u32>,
}

/// Why a list of pages is none, or not one of this document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PageRangesError {
    /// A piece between commas is no range.
    #[error("{0:?} is no page or range of pages; write for example 1-3,5,8-")]
    NoRange(String),
    /// Pages are counted from 1.
    #[error("there is no page 0; pages are counted from 1")]
    Zero,
    /// A range ends before it begins, or begins before the one before it has ended.
    #[error("the pages at {0} are out of order or named twice; write them ascending")]
    Order(String),
    /// Too long a list.
    #[error("the list has more than 1000 ranges")]
    TooMany,
    /// The document has fewer pages.
    #[error("page {page} is not in a document of {pages} pages")]
    Beyond {
        /// The first page that is not there.
        page: u32,
        /// Number of pages there are.
        pages: u32,
    },
}

impl PageRanges {
    /// The ranges, for a document of so many pages, ascending.
    ///
    /// # Errors
    /// A page is beyond the last one.
    pub fn within(&self, pages: u32) -> Result<Vec<RangeInclusive<u32>>, PageRangesError> {
        let of = |range: &Range| {
            let last = range.to.unwrap_or(pages).max(range.from);
            if last > pages {
                let page = range.from.max(pages.saturating_add(1));
                return Err(PageRangesError::Beyond { page, pages });
            }
            Ok(range.from..=last)
        };
        self.0.iter().map(of).collect()
    }
}

impl FromStr for PageRanges {
    type Err = PageRangesError;

    fn from_str(text: &str) -> Result<Self, PageRangesError> {
        let mut ranges: Vec<Range> = vec![];
        for piece in text.split(',') {
            let range = piece.trim().parse::<Range>()?;
            let after = ranges.last().is_none_or(|last| last.to.is_some_and(|to| to < range.from));
            if !after || range.to.is_some_and(|to| to < range.from) {
                return Err(PageRangesError::Order(range.to_string()));
            }
            if ranges.len() == MOST {
                return Err(PageRangesError::TooMany);
            }
            ranges.push(range);
        }
        Ok(Self(ranges))
    }
}

impl FromStr for Range {
    type Err = PageRangesError;

    fn from_str(text: &str) -> Result<Self, PageRangesError> {
        let none = || PageRangesError::NoRange(text.chars().take(40).collect());
        let number = |digits: &str| {
            let digits = digits.trim();
            if !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(none());
            }
            match digits.parse() {
                Ok(0) => Err(PageRangesError::Zero),
                Ok(n) => Ok(n),
                Err(_) => Err(none()),
            }
        };
        match text.split_once('-') {
            None => number(text).map(|page| Self { from: page, to: Some(page) }),
            Some((from, "")) => Ok(Self { from: number(from)?, to: None }),
            Some((from, to)) => Ok(Self { from: number(from)?, to: Some(number(to)?) }),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            None => write!(f, "{}-", self.from),
            Some(to) if to == self.from => write!(f, "{to}"),
            Some(to) => write!(f, "{}-{to}", self.from),
        }
    }
}

impl fmt::Display for PageRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, range) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma}{range}")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for PageRanges {
    type Error = PageRangesError;

    fn try_from(text: String) -> Result<Self, PageRangesError> {
        text.parse()
    }
}

impl From<PageRanges> for String {
    fn from(ranges: PageRanges) -> Self {
        ranges.to_string()
    }
}
