//! A queue's printer, as this host reaches it. Calls block and are made aside; each failure keeps what it means for paper.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use domain::ids::StreamId;
use domain::print::seen::{Ended, JobSeen};
use domain::print::{Document, PageRange, QueueDefinition};
use printer::{
    Ask, Finishing, HowEnded, JobFacts, JobId, Limits, Login, Pages, Printer, PrinterError,
    PrinterFacts, PrinterState, Severity, Trouble, TroubleKind, Trust, Which,
};

/// Jobs that are looked through for one by its name.
const JOBS: usize = 2_000;
/// How long a connection may take, and an answer.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest word for what is in the way, in characters.
const WORDS_MAX: usize = 200;

/// How this host reaches printers, by its own list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reaching {
    /// Certificates that are believed instead of the system's.
    pub(crate) ca_file: Option<PathBuf>,
}

/// A printer.
#[derive(Debug, Clone)]
pub(super) struct Device {
    printer: Printer,
    user: String,
}

/// What a printer says of a job.
pub(super) enum Told {
    /// This.
    Job(Box<JobFacts>),
    /// It knows no such job, or another one has its number.
    NotKnown(String),
    /// Nothing: it cannot be asked.
    Silent(String),
}

impl Device {
    /// The printer of a queue.
    ///
    /// # Errors
    /// The address, or the certificates, cannot be used.
    pub(super) fn new(
        queue: &QueueDefinition,
        reaching: &Reaching,
        password: Option<String>,
        host: &str,
    ) -> Result<Self, PrinterError> {
        let trust = reaching.ca_file.clone().map_or(Trust::System, Trust::CaFile);
        let limits = Limits { connect: CONNECT, ..Limits::default() };
        let mut printer = Printer::new(&queue.printer, &trust, limits)?;
        if let (Some(user), Some(password)) = (&queue.user, password) {
            printer = printer.log_in(&Login { user: user.clone(), password })?;
        }
        Ok(Self { printer, user: format!("decklog@{host}") })
    }

    /// Runs a call where it may block.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Self) -> Result<T, PrinterError> + Send + 'static,
    ) -> Result<T, PrinterError> {
        let device = self.clone();
        let uri = device.printer.uri().to_owned();
        match tokio::task::spawn_blocking(move || what(&device)).await {
            Ok(done) => done,
            // What panicked may have sent anything.
            Err(error) => Err(PrinterError::Lost {
                uri,
                operation: printer::Operation::SendDocument,
                why: error.to_string(),
            }),
        }
    }

    pub(super) fn look(&self) -> Result<PrinterFacts, PrinterError> {
        self.printer.look()
    }

    pub(super) fn validate(&self, ask: &Ask) -> Result<(), PrinterError> {
        self.printer.validate(ask).map(drop)
    }

    pub(super) fn create(&self, ask: &Ask) -> Result<JobId, PrinterError> {
        self.printer.create(ask).map(|created| created.id)
    }

    pub(super) fn send(
        &self,
        job: JobId,
        format: &str,
        content: &mut dyn Read,
        length: u64,
    ) -> Result<(), PrinterError> {
        self.printer.send(job, &self.user, format, content, length)
    }

    pub(super) fn cancel(&self, job: JobId) -> Result<(), PrinterError> {
        self.printer.cancel(job, &self.user)
    }

    /// What it says of the job of this name.
    pub(super) fn ask_of(&self, job: JobId, name: &str) -> Told {
        match self.printer.job(job) {
            // One that hides names cannot be told from another; its number is all there is.
            Ok(facts) if facts.is_named(name) || facts.name.is_none() => Told::Job(Box::new(facts)),
            Ok(_) => {
                Told::NotKnown("another job has its number: the printer began anew".to_owned())
            }
            Err(PrinterError::Refused { status, .. }) if status == "client-error-not-found" => {
                Told::NotKnown("the printer does not know the job any more".to_owned())
            }
            Err(error) => Told::Silent(error.to_string()),
        }
    }

    /// The job with this name, where the printer has one; `Err` where that cannot be known.
    pub(super) fn find(&self, name: &str) -> Result<Option<JobFacts>, PrinterError> {
        for which in [Which::NotCompleted, Which::Completed] {
            let found = self.printer.jobs(which, JOBS)?;
            if let Some(job) = found.jobs.into_iter().find(|job| job.is_named(name)) {
                return Ok(Some(job));
            }
        }
        Ok(None)
    }

    /// What a job is asked to be.
    pub(super) fn ask(
        &self,
        id: &StreamId,
        number: u32,
        document: &Document,
    ) -> Result<Ask, String> {
        let options = &document.options;
        let format = document.spooled.format.media_type();
        let mut ask = Ask::new(&job_name(id, number), &self.user, format);
        ask.copies = u32::from(options.copies);
        ask.sides = match options.sides {
            Some(sides) => Some(sides.word().parse()?),
            None => None,
        };
        ask.media.clone_from(&options.media);
        ask.tray.clone_from(&options.tray);
        ask.output_bin.clone_from(&options.output_bin);
        for word in &options.finishing {
            ask.finishings.push(word.parse::<Finishing>()?);
        }
        let pages = document.spooled.pages;
        let range =
            |range: &PageRange| Pages { first: range.from, last: range.to.unwrap_or(pages) };
        ask.pages = options.pages.iter().map(range).collect();
        ask.impressions = Some(document.expected());
        Ok(ask)
    }
}

/// What a job is called at a printer: unique for all time, so that it is found again.
pub(super) fn job_name(id: &StreamId, number: u32) -> String {
    format!("decklog-{}-{number}", id.rest())
}

/// What keeps a printer from taking or printing anything, in words.
pub(super) fn troubles(facts: &PrinterFacts) -> Vec<String> {
    named(facts, false)
}

/// What keeps a printer from going on with a job it works on. No paper moves with a jam or an open cover, even where the
/// printer says that it is processing and calls it a warning, as `ippeveprinter` does.
pub(super) fn at_work(facts: &PrinterFacts) -> Vec<String> {
    named(facts, true)
}

fn named(facts: &PrinterFacts, works: bool) -> Vec<String> {
    let stopped = facts.state == PrinterState::Stopped;
    let moves_nothing = |kind: &TroubleKind| {
        matches!(kind, TroubleKind::MediaJam | TroubleKind::CoverOpen | TroubleKind::DoorOpen)
    };
    let grave = |one: &Trouble| match one.severity {
        Severity::Error => true,
        // Of a printer that stands still, whatever it names may be why.
        Severity::Unsaid | Severity::Warning => stopped || (works && moves_nothing(&one.kind)),
        Severity::Report => false,
    };
    let named = facts.troubles().into_iter().filter(grave);
    let mut found: Vec<String> = named.map(|one| short(&one.to_string())).collect();
    if stopped && found.is_empty() {
        let message = facts.message.as_deref().filter(|text| !text.is_empty());
        found.push(message.map_or_else(|| "stopped".to_owned(), short));
    }
    if !facts.accepting {
        found.push("takes no jobs".to_owned());
    }
    found
}

/// A job as a host speaks of it.
pub(super) fn seen(job: &JobFacts, troubles: Vec<String>) -> JobSeen {
    let end = job.end();
    // While it may still move paper, it has not ended.
    let ended = end.as_ref().map(|end| match end.how {
        HowEnded::Completed
        | HowEnded::CompletedWithWarnings
        | HowEnded::CompletedWithErrors
        | HowEnded::GivenOn => Ended::Completed,
        HowEnded::Aborted => Ended::Aborted,
        HowEnded::Canceled => Ended::Canceled,
    });
    JobSeen {
        ended,
        impressions: job.impressions_completed,
        sheets: job.media_sheets_completed,
        reasons: job.reasons.clone(),
        troubles,
    }
}

pub(super) fn short(text: &str) -> String {
    text.chars().take(WORDS_MAX).collect()
}
