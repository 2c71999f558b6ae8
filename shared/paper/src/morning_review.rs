//! What happened in the night, for the person who answers for it in the morning.

use crate::document::{Frame, draft, pdf};
use crate::error::PaperError;
use crate::flow::Flow;
use crate::furniture::{Figure, SIGNING_ROW, figures, opening, ruled, signing};
use crate::imprint::Imprint;
use crate::look;
use crate::setting::Setter;
use crate::sheet::Sheet;
use crate::table::{Column, Table, check_rows};
use crate::write::Drafted;

const TITLE: &str = "Morning review";

/// The night on paper: exceptions first, then what may become one, then room to sign.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MorningReview {
    /// The paper.
    pub sheet: Sheet,
    /// Whose night it was.
    pub site: String,
    /// The morning in words, as `Monday, 30 November 2026`.
    pub day: String,
    /// From when to when, in words, as `29 November 18:00 to 30 November 06:00, Europe/Berlin`.
    pub span: String,
    /// The night in one sentence with numbers.
    pub night: String,
    /// Counts of the night.
    pub figures: Vec<Figure>,
    /// Runs that were late, failed, are missing or need a person.
    pub exceptions: Vec<Exception>,
    /// Datasets whose last good save is older than was promised.
    pub datasets: Vec<DatasetAtRisk>,
    /// Prints that did not reach anybody.
    pub prints: Vec<UndeliveredPrint>,
    /// What people changed, held, skipped or paused.
    pub changes: Vec<Change>,
    /// The foot.
    pub imprint: Imprint,
}

/// A run that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exception {
    /// The job.
    pub job: String,
    /// When it was due.
    pub due: String,
    /// The state of the run.
    pub state: String,
    /// How late it is or was.
    pub lateness: String,
    /// The host.
    pub host: String,
    /// The first line of the error.
    pub error: String,
    /// What to do about it.
    pub advice: String,
}

/// A dataset that could not be restored to as late an instant as was promised.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatasetAtRisk {
    /// The dataset.
    pub dataset: String,
    /// When it was last saved well.
    pub last_good: String,
    /// How old that is.
    pub age: String,
    /// How old it may be.
    pub allowed: String,
    /// Why there is nothing newer.
    pub why: String,
    /// What to do about it.
    pub advice: String,
}

/// A print that was made and has not arrived.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UndeliveredPrint {
    /// The document.
    pub document: String,
    /// For whom it is.
    pub recipient: String,
    /// The printer or address.
    pub printer: String,
    /// The state, and since when.
    pub state: String,
    /// Why it has not arrived.
    pub why: String,
    /// What to do about it.
    pub advice: String,
}

/// Something a person did to the plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// When.
    pub at: String,
    /// What was done.
    pub what: String,
    /// To which job, calendar, dataset or host.
    pub subject: String,
    /// Who did it.
    pub who: String,
    /// The reason they gave.
    pub reason: String,
}

const fn column(head: &'static str, share: f32) -> Column {
    Column { head, share, style: look::CELL }
}

const fn strong(head: &'static str, share: f32) -> Column {
    Column { head, share, style: look::CELL_STRONG }
}

const fn mono(head: &'static str, share: f32) -> Column {
    Column { head, share, style: look::CELL_MONO }
}

const EXCEPTIONS: Table = Table {
    letter: 'A',
    bands: &[
        &[
            strong("Job", 0.34),
            column("Due", 0.2),
            strong("State", 0.16),
            column("Late", 0.12),
            column("Host", 0.18),
        ],
        &[mono("First line of the error", 0.54), column("What to do", 0.46)],
    ],
    tick: true,
};

const DATASETS: Table = Table {
    letter: 'B',
    bands: &[
        &[
            strong("Dataset", 0.34),
            column("Last good save", 0.2),
            strong("Age", 0.28),
            column("Allowed", 0.18),
        ],
        &[column("Why", 0.54), column("What to do", 0.46)],
    ],
    tick: true,
};

const PRINTS: Table = Table {
    letter: 'C',
    bands: &[
        &[
            strong("Document", 0.34),
            column("For", 0.2),
            column("Printer", 0.22),
            strong("State", 0.24),
        ],
        &[column("Why", 0.54), column("What to do", 0.46)],
    ],
    tick: true,
};

const CHANGES: Table = Table {
    letter: 'D',
    bands: &[&[
        column("When", 0.16),
        strong("What", 0.18),
        column("Of what", 0.2),
        column("Who", 0.2),
        column("Reason", 0.26),
    ]],
    tick: true,
};

impl MorningReview {
    /// The review as PDF/A-2a with PDF/UA-1 tags. The same review gives the same bytes.
    ///
    /// # Errors
    /// [`PaperError::TooMany`] beyond [`MAX_ROWS`](crate::MAX_ROWS) rows in all,
    /// [`PaperError::Instant`] for a `made_at` that is none.
    pub fn pdf(&self) -> Result<Vec<u8>, PaperError> {
        pdf(|setter| self.draft(setter))
    }

    pub(crate) fn draft(&self, setter: &Setter) -> Result<Drafted, PaperError> {
        let rows =
            [self.exceptions.len(), self.datasets.len(), self.prints.len(), self.changes.len()];
        check_rows("rows of a review", rows.iter().sum::<usize>() + self.figures.len())?;
        let subject = format!("{}: {}", self.site, self.span);
        let title = format!("{TITLE} · {}", self.day);
        let imprint = &self.imprint;
        let frame = Frame { sheet: self.sheet, title: &title, subject: &subject, imprint };
        draft(&frame, setter, |flow| {
            self.print(flow);
            Ok(())
        })
    }

    fn print(&self, flow: &mut Flow<'_>) {
        opening(flow, &self.site, &self.day, TITLE, &self.span);
        flow.gap(12.0);
        flow.paragraph(&self.night, look::LEAD);
        flow.gap(10.0);
        figures(flow, &self.figures);
        self.tables(flow);
        sign(flow);
    }

    fn tables(&self, flow: &mut Flow<'_>) {
        let rows: Vec<_> = self.exceptions.iter().map(Exception::cells).collect();
        let none = "Nothing to report: every run that was due ended well and in time.";
        section(flow, "Exceptions", &EXCEPTIONS, &rows, none);
        let rows: Vec<_> = self.datasets.iter().map(DatasetAtRisk::cells).collect();
        let none = "Nothing to report: every dataset is as fresh as was promised.";
        section(flow, "Datasets at risk", &DATASETS, &rows, none);
        let rows: Vec<_> = self.prints.iter().map(UndeliveredPrint::cells).collect();
        let none = "Nothing to report: every print was delivered, or none was due.";
        section(flow, "Prints not delivered", &PRINTS, &rows, none);
        let rows: Vec<_> = self.changes.iter().map(Change::cells).collect();
        let none = "Nothing to report: nobody changed, held, skipped or paused anything.";
        section(flow, "Changes and pauses", &CHANGES, &rows, none);
    }
}

fn section(flow: &mut Flow<'_>, words: &str, table: &Table, rows: &[Vec<&str>], none: &str) {
    let count = if rows.is_empty() { String::new() } else { format!(" ({})", rows.len()) };
    let words = format!("{}   {words}{count}", table.letter);
    if rows.is_empty() {
        flow.heading(&words, look::BODY.leading);
        flow.paragraph(none, look::BODY);
    } else {
        flow.heading(&words, table.least_height());
        flow.gap(3.0);
        table.print(flow, rows);
    }
}

/// Room to sign, which is not torn apart.
fn sign(flow: &mut Flow<'_>) {
    flow.heading("Review", 170.0);
    flow.paragraph(
        "I have read this review, ticked what is seen to, and remark (by number, as A1):",
        look::BODY,
    );
    ruled(flow, SIGNING_ROW + 8.0);
    flow.gap(8.0);
    signing(flow, &[&[("Reviewed by", 0.62), ("Date and time", 0.38)]]);
}

impl Exception {
    fn cells(&self) -> Vec<&str> {
        vec![
            &self.job,
            &self.due,
            &self.state,
            &self.lateness,
            &self.host,
            &self.error,
            &self.advice,
        ]
    }
}

impl DatasetAtRisk {
    fn cells(&self) -> Vec<&str> {
        vec![&self.dataset, &self.last_good, &self.age, &self.allowed, &self.why, &self.advice]
    }
}

impl UndeliveredPrint {
    fn cells(&self) -> Vec<&str> {
        vec![&self.document, &self.recipient, &self.printer, &self.state, &self.why, &self.advice]
    }
}

impl Change {
    fn cells(&self) -> Vec<&str> {
        vec![&self.at, &self.what, &self.subject, &self.who, &self.reason]
    }
}
