//! Decklog's own pages: what of a log, a night or a file of evidence is kept on paper.
//!
//! Each document is a struct of texts and numbers with one function, `pdf`. It knows nothing of
//! events, hosts or clocks: whoever calls it has looked everything up, and says by what name, in
//! which zone and language it shall be read. The same input gives the same bytes, so a page can be
//! made again and compared.
//!
//! | document | who keeps it |
//! |---|---|
//! | [`DailyHead`] | somebody outside of IT: the log's signed head of a day, on one page |
//! | [`MorningReview`] | who answers for the night: exceptions first, room to sign |
//! | [`CoverSheet`] | who was handed a file of evidence: what was asked, and the file's hash |
//!
//! Files are PDF/A-2a and PDF/UA-1, with their fonts inside: Libertinus Serif (SIL Open Font
//! License 1.1) and DejaVu Sans Mono (Bitstream Vera licence), which the crate `typst-assets`
//! carries. They have Latin, Greek and Cyrillic with all accents, and many signs.
//!
//! **What is not in the fonts** stands as its code point in brackets, as `[U+4E2D]`: nothing is left
//! out silently. The same goes for control characters, for what one cannot see or what turns the
//! order of letters round (`[U+202E]`), and for Hebrew and Arabic, which would be set in the wrong
//! order. Somebody may also have written `[U+202E]` with their own hand; only the log can tell.
//!
//! **What is too long** is divided, first after spaces, then after the signs that join words, else
//! anywhere. A text beyond [`MAX_TEXT_CHARS`] characters ends with how much of it is not printed;
//! a document beyond [`MAX_ROWS`] rows is refused.

mod cover_sheet;
mod daily_head;
mod document;
mod draft;
mod error;
mod face;
mod flow;
mod furniture;
mod imprint;
mod letters;
mod look;
mod morning_review;
mod parts;
mod qr;
mod setting;
mod sheet;
mod table;
#[cfg(test)]
mod tests;
mod wrap;
mod write;

pub use cover_sheet::{CoverSheet, Parameter};
pub use daily_head::{DailyHead, MAX_CHECKPOINT_BYTES, MAX_FIGURES};
pub use error::PaperError;
pub use furniture::Figure;
pub use imprint::Imprint;
pub use letters::MAX_TEXT_CHARS;
pub use morning_review::{Change, DatasetAtRisk, Exception, MorningReview, UndeliveredPrint};
pub use sheet::Sheet;
pub use table::MAX_ROWS;
