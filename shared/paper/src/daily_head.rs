//! The signed head of the day, on one page.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::document::{Frame, draft, pdf};
use crate::error::PaperError;
use crate::flow::Flow;
use crate::furniture::{
    Figure, beside_code, figures, grouped, hex, opening, signing, strokes, to_the_bottom, verbatim,
};
use crate::imprint::{Imprint, thousands};
use crate::look;
use crate::qr::Code;
use crate::setting::Setter;
use crate::sheet::{Sheet, mm};
use crate::write::Drafted;

/// Longest checkpoint in bytes: its code must stay coarse enough to be read off a photocopy.
pub const MAX_CHECKPOINT_BYTES: usize = 1_000;
/// Most figures of a day.
pub const MAX_FIGURES: usize = 8;

/// Width of the code of a checkpoint that is as long as most are, and of a longer one.
const CODE_WIDTH: f32 = mm(64.0);
const LARGE_CODE_WIDTH: f32 = mm(80.0);
/// Up to how many bytes a checkpoint has the smaller code.
const SMALL_CODE_BYTES: usize = 420;

const TITLE: &str = "Signed head of the log";

/// A page with the log's signed head as it stood on a day when the page was made, to be kept by somebody who
/// does not run the log: whoever holds last month's page can tell whether last month was rewritten.
///
/// Origin, size and root are read out of the checkpoint, so the page cannot contradict it. What is
/// too long for one page goes on to a second one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DailyHead {
    /// The paper.
    pub sheet: Sheet,
    /// Whose log it is.
    pub site: String,
    /// The day in words, as `Sunday, 29 November 2026`.
    pub day: String,
    /// The signed checkpoint's text, byte for byte, with its signature lines.
    pub checkpoint: String,
    /// Counts of the day, at most [`MAX_FIGURES`].
    pub figures: Vec<Figure>,
    /// The command that checks the page later.
    pub verify: String,
    /// The foot.
    pub imprint: Imprint,
}

/// What a checkpoint says (C2SP tlog-checkpoint).
#[derive(Debug, PartialEq, Eq)]
struct Head<'a> {
    origin: &'a str,
    size: u64,
    root: [u8; 32],
}

impl<'a> Head<'a> {
    fn read(checkpoint: &'a str) -> Result<Self, PaperError> {
        let refuse = PaperError::Checkpoint;
        let (body, signatures) = checkpoint
            .split_once("\n\n")
            .ok_or(refuse("no empty line stands between its text and its signatures"))?;
        if !signatures.starts_with("— ") {
            return Err(refuse("it carries no signature"));
        }
        let mut lines = body.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty());
        // A sign before the digits would be another spelling of one number.
        let digits = lines.next().filter(|line| line.bytes().all(|b| b.is_ascii_digit()));
        let size = digits.and_then(|line| line.parse().ok());
        let root = lines.next().and_then(|line| BASE64_STANDARD.decode(line).ok());
        Ok(Self {
            origin: origin.ok_or(refuse("its first line names no log"))?,
            size: size.ok_or(refuse("its second line is not a number of events"))?,
            root: root
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or(refuse("its third line is not the base64 of 32 bytes"))?,
        })
    }
}

impl DailyHead {
    /// The page as PDF/A-2a with PDF/UA-1 tags. The same head gives the same bytes.
    ///
    /// # Errors
    /// [`PaperError::Checkpoint`], [`PaperError::TooLong`] and [`PaperError::TooMany`] for what
    /// cannot be printed, [`PaperError::Instant`] for a `made_at` that is none.
    pub fn pdf(&self) -> Result<Vec<u8>, PaperError> {
        pdf(|setter| self.draft(setter))
    }

    pub(crate) fn draft(&self, setter: &Setter) -> Result<Drafted, PaperError> {
        let subject = format!("{}: {}", self.site, self.day);
        let title = format!("{TITLE} · {}", self.day);
        let imprint = &self.imprint;
        let frame = Frame { sheet: self.sheet, title: &title, subject: &subject, imprint };
        draft(&frame, setter, |flow| self.print(flow))
    }

    fn print(&self, flow: &mut Flow<'_>) -> Result<(), PaperError> {
        let head = self.check()?;
        let text = self.checkpoint.as_bytes();
        let width = if text.len() > SMALL_CODE_BYTES { LARGE_CODE_WIDTH } else { CODE_WIDTH };
        let qr = Code::new("a checkpoint", text, width)?;
        opening(flow, &self.site, &self.day, TITLE, &format!("on {}", self.day));
        flow.gap(8.0);
        strokes(flow, &head.root, "The root");
        flow.gap(flow.loose(14.0).max(qr.margin()));
        facts(flow, &head, &qr);
        flow.gap(flow.loose(14.0));
        figures(flow, &self.figures);
        flow.heading("The signed checkpoint, word for word", 60.0);
        flow.gap(2.0);
        verbatim(flow, self.checkpoint.trim_end());
        self.explain(flow);
        to_the_bottom(flow, 2);
        signing(
            flow,
            &[&[("Received by", 0.68), ("Date", 0.32)], &[("Filed where", 0.68), ("Date", 0.32)]],
        );
        Ok(())
    }

    fn check(&self) -> Result<Head<'_>, PaperError> {
        let bytes = self.checkpoint.len();
        if bytes > MAX_CHECKPOINT_BYTES {
            return Err(PaperError::TooLong {
                what: "a checkpoint",
                bytes,
                most: MAX_CHECKPOINT_BYTES,
            });
        }
        let count = self.figures.len();
        if count > MAX_FIGURES {
            return Err(PaperError::TooMany { what: "figures of a day", count, most: MAX_FIGURES });
        }
        Head::read(&self.checkpoint)
    }

    fn explain(&self, flow: &mut Flow<'_>) {
        flow.heading("What this page is for", 60.0);
        flow.paragraph(
            "The root stands for every event that the log held when this page was made: change, remove \
             or insert one, and the root becomes another. The log has signed it, and nobody who runs \
             the log can take this sheet of paper back; so keep it where they have no key. To find \
             out later whether the past was rewritten, read the code with any telephone, save its \
             text as a file and have the command below run. It says whether the log of that day \
             still holds, unchanged, all that this page stands for.",
            look::BODY,
        );
        flow.gap(5.0);
        verbatim(flow, &self.verify);
    }
}

/// What the checkpoint says at the left, its code at the right.
fn facts(flow: &mut Flow<'_>, head: &Head<'_>, qr: &Code) {
    let facts = [
        ("Log", head.origin.to_owned(), look::LEAD),
        ("Size", format!("{} events", thousands(head.size)), look::NUMBER),
        ("Root (the strokes above are its bits)", grouped(&hex(&head.root), 8), look::HASH),
        (
            "Root, as the checkpoint writes it",
            grouped(&BASE64_STANDARD.encode(head.root), 6),
            look::HASH,
        ),
    ];
    let words = "QR code with the text of the signed checkpoint";
    beside_code(flow, &facts, qr, words, "The checkpoint below, for a scanner");
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "log.example/decklog\n2\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— log.example/decklog AAAA\n";

    #[test]
    fn a_checkpoint_is_read_line_by_line() {
        let head = Head::read(GOOD).expect("good");
        assert_eq!(head, Head { origin: "log.example/decklog", size: 2, root: [0; 32] });
    }

    #[test]
    fn what_is_no_signed_checkpoint_is_refused() {
        for (from, to) in [
            ("\n\n", "\n"),
            ("— log", "log"),
            ("\n2\n", "\nmany\n"),
            ("\n2\n", "\n+2\n"),
            ("AAA=", "AA="),
            ("log.example/decklog\n2", "\n2"),
        ] {
            let bad = GOOD.replacen(from, to, 1);
            assert!(matches!(Head::read(&bad), Err(PaperError::Checkpoint(_))), "{bad}");
        }
    }
}
