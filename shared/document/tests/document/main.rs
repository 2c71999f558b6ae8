//! What a document is, how many pages it has, what is written on them, and what a part of it holds.
#![expect(clippy::expect_used, clippy::panic, reason = "a step that fails is a failed test")]

mod counting;
mod dividing;
mod formats;
mod hostile;
mod outside;
mod pdf;
mod reading;
mod recipients;

use document::TextLayout;

/// The layout of most tests: short pages and lines.
pub(crate) const SHORT: TextLayout = TextLayout { lines: 3, columns: 10 };
