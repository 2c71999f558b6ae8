//! The cover sheet of a file that is handed over as evidence.

use crate::document::{Frame, draft, pdf};
use crate::error::PaperError;
use crate::flow::Flow;
use crate::furniture::{
    beside_code, grouped, hex, opening, signing, strokes, to_the_bottom, verbatim,
};
use crate::imprint::{Imprint, thousands};
use crate::letters::short;
use crate::look;
use crate::qr::Code;
use crate::setting::Setter;
use crate::sheet::{Sheet, mm};
use crate::table::{check_rows, pairs};
use crate::write::Drafted;

/// Width of the code: 64 hexadecimal digits are few.
const CODE_WIDTH: f32 = mm(42.0);

/// Longest name of a file that is printed whole: the longest that file systems have.
const MAX_NAME_CHARS: usize = 255;

/// What lies before a file of evidence (information produced by the entity): what was asked, by
/// whom, of what, and the hash by which the file is known again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CoverSheet {
    /// The paper.
    pub sheet: Sheet,
    /// Whose evidence it is.
    pub site: String,
    /// The day in words.
    pub day: String,
    /// What the file holds.
    pub title: String,
    /// What was asked: the parameters of the question, by name.
    pub parameters: Vec<Parameter>,
    /// By whom.
    pub asked_by: String,
    /// When.
    pub asked_at: String,
    /// Of what: the source of the records.
    pub source: String,
    /// Number of records in the file.
    pub records: u64,
    /// The file's name.
    pub file: String,
    /// The file's size in bytes.
    pub bytes: u64,
    /// The file's SHA-256 (FIPS 180-4).
    pub sha256: [u8; 32],
    /// Why all that was asked for is in the file.
    pub completeness: Vec<String>,
    /// Why what is in the file is right.
    pub accuracy: Vec<String>,
    /// The command that checks the file against this sheet.
    pub verify: String,
    /// The foot.
    pub imprint: Imprint,
}

/// One parameter of a question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameter {
    /// What it is called.
    pub name: String,
    /// What it was.
    pub value: String,
}

impl CoverSheet {
    /// The sheet as PDF/A-2a with PDF/UA-1 tags. The same input gives the same bytes.
    ///
    /// # Errors
    /// [`PaperError::TooMany`] beyond [`MAX_ROWS`](crate::MAX_ROWS) parameters and statements,
    /// [`PaperError::Instant`] for a `made_at` that is none.
    pub fn pdf(&self) -> Result<Vec<u8>, PaperError> {
        pdf(|setter| self.draft(setter))
    }

    pub(crate) fn draft(&self, setter: &Setter) -> Result<Drafted, PaperError> {
        let rows = self.parameters.len() + self.completeness.len() + self.accuracy.len();
        check_rows("parameters and statements", rows)?;
        let title = format!("Cover sheet · {}", self.title);
        let imprint = &self.imprint;
        let frame = Frame { sheet: self.sheet, title: &title, subject: &self.source, imprint };
        draft(&frame, setter, |flow| self.print(flow))
    }

    fn print(&self, flow: &mut Flow<'_>) -> Result<(), PaperError> {
        let qr = Code::new("a hash", hex(&self.sha256).as_bytes(), CODE_WIDTH)?;
        opening(flow, &self.site, &self.day, &self.title, "Cover sheet of a file of evidence");
        flow.gap(8.0);
        strokes(flow, &self.sha256, "The hash");
        flow.gap(flow.loose(14.0).max(qr.margin()));
        self.file(flow, &qr);
        self.question(flow);
        statements(flow, "Completeness", &self.completeness);
        statements(flow, "Accuracy", &self.accuracy);
        flow.heading("To check the file against this sheet", 40.0);
        flow.gap(2.0);
        verbatim(flow, &self.verify);
        to_the_bottom(flow, 2);
        let prepared = [("Prepared by", 0.68), ("Date", 0.32)];
        signing(flow, &[&prepared, &[("Reviewed by", 0.68), ("Date", 0.32)]]);
        Ok(())
    }

    /// The file at the left, the code of its hash at the right.
    fn file(&self, flow: &mut Flow<'_>, qr: &Code) {
        let size =
            format!("{} records in {} bytes", thousands(self.records), thousands(self.bytes));
        let hash = grouped(&hex(&self.sha256), 8);
        let facts = [
            ("File", short(&self.file, MAX_NAME_CHARS), look::LEAD),
            ("Size", size, look::LEAD),
            ("SHA-256 (the strokes above are its bits)", hash, look::HASH),
        ];
        let words = "QR code with the SHA-256 of the file in hexadecimal";
        beside_code(flow, &facts, qr, words, "The hash, for a scanner");
    }

    fn question(&self, flow: &mut Flow<'_>) {
        flow.heading("What was asked", 60.0);
        let position =
            format!("position {}, {}", thousands(self.imprint.position), self.imprint.as_of);
        let fixed = [
            ("Asked by", self.asked_by.as_str()),
            ("Asked at", self.asked_at.as_str()),
            ("Source", self.source.as_str()),
            ("Log up to", position.as_str()),
        ];
        let given = self.parameters.iter().map(|p| (p.name.as_str(), p.value.as_str()));
        pairs(flow, fixed.into_iter().chain(given));
    }
}

/// Statements under a heading, each a paragraph.
fn statements(flow: &mut Flow<'_>, heading: &str, statements: &[String]) {
    flow.heading(heading, look::BODY.leading);
    if statements.is_empty() {
        flow.paragraph("Nothing is stated.", look::BODY);
    }
    for statement in statements {
        flow.gap(2.0);
        flow.paragraph(statement, look::BODY);
    }
}
