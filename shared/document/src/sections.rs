//! A document for many recipients, divided by what is written on its pages.

use std::ops::RangeInclusive;

use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// Most bytes of a recipient's name.
const MOST_RECIPIENT: usize = 1_024;

/// Pages for one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// What the marker caught, without space around it.
    pub recipient: String,
    /// Its pages, counted from 1.
    pub pages: RangeInclusive<u32>,
}

/// Why a document is not divided. It is divided as a whole or not at all, because pages must not reach the wrong person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SectionsError {
    /// The expression catches nothing.
    #[error(
        "the marker has no group that catches the recipient; write for example ^Invoice for (\\S+)"
    )]
    NoGroup,
    /// A page before the first one with a marker.
    #[error("page {page} belongs to nobody: the marker is neither on it nor on a page before")]
    Nobody {
        /// The page, counted from 1.
        page: u32,
    },
    /// The marker is on the page, but catches no name, or one of more than 1,024 bytes.
    #[error("the marker on page {page} catches no name of 1 to 1024 bytes")]
    NoName {
        /// The page, counted from 1.
        page: u32,
    },
    /// The marker catches different names on one page.
    #[error("page {page} names two recipients")]
    Two {
        /// The page, counted from 1.
        page: u32,
    },
    /// There are no pages.
    #[error("there are no pages to divide")]
    Empty,
}

/// A marker for [`sections`]: `^` and `$` are the beginning and end of a line, as they are not in a plain [`Regex`].
///
/// # Errors
/// It is no expression, or too big a one.
pub fn marker(pattern: &str) -> Result<Regex, regex_lite::Error> {
    RegexBuilder::new(pattern).multi_line(true).build()
}

/// Divides pages (the texts of all of them, in order) into sections: a new one begins at each page on which the marker
/// matches and its first group catches another name than the current section's. A page without the marker belongs to
/// the section before it.
///
/// # Errors
/// The marker has no group, catches no name or two different ones on one page, or is not on the first page.
pub fn sections(texts: &[String], marker: &Regex) -> Result<Vec<Section>, SectionsError> {
    if marker.captures_len() < 2 {
        return Err(SectionsError::NoGroup);
    }
    let mut sections: Vec<Section> = vec![];
    for (page, text) in (1..).zip(texts) {
        let name = recipient(text, marker, page)?;
        match (name, sections.last_mut()) {
            (None, None) => return Err(SectionsError::Nobody { page }),
            (None, Some(last)) => last.pages = *last.pages.start()..=page,
            (Some(name), Some(last)) if last.recipient == name => {
                last.pages = *last.pages.start()..=page;
            }
            (Some(name), _) => {
                sections.push(Section { recipient: name.to_owned(), pages: page..=page });
            }
        }
    }
    if sections.is_empty() { Err(SectionsError::Empty) } else { Ok(sections) }
}

fn recipient<'a>(
    text: &'a str,
    marker: &Regex,
    page: u32,
) -> Result<Option<&'a str>, SectionsError> {
    let mut found: Option<&str> = None;
    for captures in marker.captures_iter(text) {
        let name = captures.get(1).map(|group| group.as_str().trim()).unwrap_or_default();
        if name.is_empty() || name.len() > MOST_RECIPIENT {
            return Err(SectionsError::NoName { page });
        }
        if found.is_some_and(|before| before != name) {
            return Err(SectionsError::Two { page });
        }
        found = Some(name);
    }
    Ok(found)
}
