//! What a printer says of itself.

use std::fmt;

use crate::ask::Sides;
use crate::finishing::Finishing;
use crate::job::reasons;
use crate::operation::Operation;
use crate::trouble::Trouble;
use crate::wire::Attributes;

/// printer-state (RFC 8011 §5.4.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrinterState {
    /// 3: a new job would begin at once.
    Idle,
    /// 4: it prints.
    Processing,
    /// 5: it does not print until somebody does something.
    Stopped,
}

impl fmt::Display for PrinterState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PrinterState::Idle => "idle",
            PrinterState::Processing => "processing",
            PrinterState::Stopped => "stopped",
        })
    }
}

/// What a printer says of itself (RFC 8011 §5.4). What it does not say is `None` or empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrinterFacts {
    /// printer-uuid (PWG 5100.13): the same device answers with the same one, also after a restart.
    pub uuid: Option<String>,
    /// printer-name.
    pub name: Option<String>,
    /// printer-make-and-model.
    pub make_and_model: Option<String>,
    /// printer-state.
    pub state: PrinterState,
    /// printer-state-reasons as sent, without `none`.
    pub reasons: Vec<String>,
    /// printer-state-message.
    pub message: Option<String>,
    /// printer-is-accepting-jobs; a printer must say it, so one that does not accepts none.
    pub accepting: bool,
    /// queued-job-count.
    pub queued_jobs: Option<u32>,
    /// printer-up-time: seconds since it was switched on.
    pub up_time: Option<u32>,
    /// operations-supported, by number.
    pub operations: Vec<u16>,
    /// What a job may ask for.
    pub supported: Supported,
}

/// What a job may ask for: the attributes `…-supported` (RFC 8011 §5.2, §5.4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Supported {
    /// document-format-supported.
    pub formats: Vec<String>,
    /// copies-supported: fewest and most.
    pub copies: Option<(u32, u32)>,
    /// sides-supported.
    pub sides: Vec<Sides>,
    /// media-supported: sizes it knows.
    pub media: Vec<String>,
    /// media-ready: sizes in its trays now.
    pub media_ready: Vec<String>,
    /// media-col-supported: what can be said of media in a collection (PWG 5100.7).
    pub media_members: Vec<String>,
    /// media-source-supported: its trays (PWG 5100.7).
    pub trays: Vec<String>,
    /// finishings-supported.
    pub finishings: Vec<Finishing>,
    /// output-bin-supported (PWG 5100.2).
    pub output_bins: Vec<String>,
    /// page-ranges-supported.
    pub page_ranges: bool,
    /// job-priority-supported: how many steps there are. Any number from 1 to 100 may be asked for.
    pub priority: Option<u32>,
    /// job-hold-until-supported.
    pub hold_until: Vec<String>,
    /// job-impressions-supported: fewest and most.
    pub impressions: Option<(u32, u32)>,
    /// job-password-supported: most octets (PWG 5100.11).
    pub password: Option<u32>,
    /// job-password-encryption-supported.
    pub password_encryptions: Vec<String>,
}

impl PrinterFacts {
    /// What to ask for (requested-attributes).
    pub(crate) const REQUESTED: [&'static str; 25] = [
        "printer-uuid",
        "printer-name",
        "printer-make-and-model",
        "printer-state",
        "printer-state-reasons",
        "printer-state-message",
        "printer-is-accepting-jobs",
        "queued-job-count",
        "printer-up-time",
        "operations-supported",
        "document-format-supported",
        "copies-supported",
        "sides-supported",
        "media-supported",
        "media-ready",
        "media-col-supported",
        "media-source-supported",
        "finishings-supported",
        "output-bin-supported",
        "page-ranges-supported",
        "job-priority-supported",
        "job-hold-until-supported",
        "job-impressions-supported",
        "job-password-supported",
        "job-password-encryption-supported",
    ];

    /// Reads them; the error says what is missing.
    pub(crate) fn read(from: &Attributes) -> Result<Self, String> {
        let state = match from.integer("printer-state") {
            Some(3) => PrinterState::Idle,
            Some(4) => PrinterState::Processing,
            Some(5) => PrinterState::Stopped,
            Some(other) => return Err(format!("printer-state {other} is none")),
            None => return Err("there is no printer-state".to_owned()),
        };
        let operations = from.integers("operations-supported");
        Ok(PrinterFacts {
            uuid: from.text("printer-uuid"),
            name: from.text("printer-name"),
            make_and_model: from.text("printer-make-and-model"),
            state,
            reasons: reasons(from, "printer-state-reasons"),
            message: from.text("printer-state-message"),
            accepting: from.boolean("printer-is-accepting-jobs").unwrap_or(false),
            queued_jobs: from.count("queued-job-count"),
            up_time: from.count("printer-up-time"),
            operations: operations
                .into_iter()
                .filter_map(|code| u16::try_from(code).ok())
                .collect(),
            supported: Supported::read(from),
        })
    }

    /// Whether it has an operation.
    pub fn can(&self, operation: Operation) -> bool {
        self.operations.contains(&operation.code())
    }

    /// What is in its way.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.reasons.iter().filter_map(|reason| Trouble::read(reason)).collect()
    }
}

impl Supported {
    fn read(from: &Attributes) -> Self {
        let sides = from.texts("sides-supported");
        let finishings = from.integers("finishings-supported");
        Supported {
            formats: from.texts("document-format-supported"),
            copies: from.range("copies-supported"),
            sides: sides.iter().filter_map(|keyword| keyword.parse().ok()).collect(),
            media: from.texts("media-supported"),
            media_ready: from.texts("media-ready"),
            media_members: from.texts("media-col-supported"),
            trays: from.texts("media-source-supported"),
            finishings: finishings.into_iter().map(Finishing).collect(),
            output_bins: from.texts("output-bin-supported"),
            page_ranges: from.boolean("page-ranges-supported").unwrap_or(false),
            priority: from.count("job-priority-supported"),
            hold_until: from.texts("job-hold-until-supported"),
            impressions: from.range("job-impressions-supported"),
            password: from.count("job-password-supported"),
            password_encryptions: from.texts("job-password-encryption-supported"),
        }
    }
}
