//! A printer and what can be asked of it.

use std::io::Read;

use crate::address::Address;
use crate::ask::{Ask, Unfit};
use crate::error::PrinterError;
use crate::facts::PrinterFacts;
use crate::http::{Client, Limits, Login, Trust};
use crate::job::{JobFacts, JobId, job_id};
use crate::listing::{Jobs, Pages, Which};
use crate::operation::Operation;
use crate::spool::Spool;
use crate::status;
use crate::wire::{Answer, Group, Request, Value};

/// Most jobs that are asked for at once.
const PAGE: usize = 100;

/// A printer at an address. Calls block (in asynchronous code they belong where blocking is allowed); each is one request or a few, and nothing is tried again.
#[derive(Debug, Clone)]
pub struct Printer {
    client: Client,
}

/// A job that a printer made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Its number.
    pub id: JobId,
    /// What the printer took the job without, although it was told to refuse then. If it is anything that matters
    /// (job-password, job-hold-until), cancel the job instead of sending the document.
    pub ignored: Vec<String>,
}

impl Printer {
    /// A printer at `ipp://HOST[:PORT]/PATH` or, encrypted, `ipps://…`; the port is 631 unless it is named. `http:`
    /// and `https:` are refused, because their port would be another. Nothing is sent yet.
    ///
    /// # Errors
    /// [`PrinterError::Address`] and [`PrinterError::Certificates`].
    pub fn new(uri: &str, trust: &Trust, limits: Limits) -> Result<Printer, PrinterError> {
        Ok(Printer { client: Client::new(Address::parse(uri)?, trust, limits)? })
    }

    /// The same with a name and a password.
    ///
    /// # Errors
    /// [`PrinterError::Address`] if they would leave this machine without encryption.
    pub fn log_in(mut self, login: &Login) -> Result<Printer, PrinterError> {
        self.client.log_in(login)?;
        Ok(self)
    }

    /// Its address as it was given.
    pub fn uri(&self) -> &str {
        &self.client.address().uri
    }

    /// What it says of itself (Get-Printer-Attributes).
    ///
    /// # Errors
    /// Any but [`PrinterError::Unfit`].
    pub fn look(&self) -> Result<PrinterFacts, PrinterError> {
        let operation = Operation::GetPrinterAttributes;
        let requested = keywords(&PrinterFacts::REQUESTED);
        let attributes = vec![(Group::Operation, "requested-attributes", requested)];
        let answer = self.ask(operation, None, attributes)?;
        let printer = answer.printers.into_iter().next().unwrap_or_default();
        PrinterFacts::read(&printer).map_err(|why| self.malformed(operation, why))
    }

    /// Whether it would take the job (Validate-Job), and what it would leave away. Asks first what it can do, so that
    /// what cannot be is told with what can.
    ///
    /// # Errors
    /// [`PrinterError::Unfit`], [`PrinterError::Refused`], or that it was not reached.
    pub fn validate(&self, ask: &Ask) -> Result<Vec<String>, PrinterError> {
        let mut attributes = self.fitting(ask, Operation::ValidateJob)?;
        let format = Value::MimeType(ask.format.clone());
        attributes.push((Group::Operation, "document-format", format));
        self.ask(Operation::ValidateJob, None, attributes).map(ignored)
    }

    /// Makes a job without a document (Create-Job). Asks first what the printer can do, as [`Printer::validate`] does.
    ///
    /// # Errors
    /// [`PrinterError::Unsupported`] if it has no Create-Job or Send-Document, else any. If
    /// [`PrinterError::is_unknown`], the job may exist: look for its name.
    pub fn create(&self, ask: &Ask) -> Result<Created, PrinterError> {
        let operation = Operation::CreateJob;
        let attributes = self.fitting(ask, operation)?;
        let answer = self.ask(operation, None, attributes)?;
        let id = answer.jobs.first().and_then(job_id);
        let id = id.ok_or_else(|| self.malformed(operation, "there is no job-id".to_owned()))?;
        Ok(Created { id, ignored: ignored(answer) })
    }

    /// Sends the one document of a job (Send-Document), as it is read. `user` is who made the job.
    ///
    /// # Errors
    /// Any. If [`PrinterError::is_unknown`], pages may be printed: ask for the job. A document that cannot be read to its end, or has another length, is [`PrinterError::Lost`] too, since the
    /// printer may print what it has.
    pub fn send(
        &self,
        job: JobId,
        user: &str,
        format: &str,
        document: &mut dyn Read,
        length: u64,
    ) -> Result<(), PrinterError> {
        let operation = Operation::SendDocument;
        let attributes = vec![
            named(user),
            (Group::Operation, "document-format", Value::MimeType(format.to_owned())),
            (Group::Operation, "last-document", Value::Boolean(true)),
        ];
        let head = self.request(operation, Some(job), attributes)?;
        self.exchange(operation, Spool::with_document(head, document, length)).map(drop)
    }

    /// What it says of a job (Get-Job-Attributes).
    ///
    /// # Errors
    /// [`PrinterError::Refused`] with `client-error-not-found` if it does not know the job (any more).
    pub fn job(&self, job: JobId) -> Result<JobFacts, PrinterError> {
        let operation = Operation::GetJobAttributes;
        let requested = keywords(&JobFacts::REQUESTED);
        let attributes = vec![(Group::Operation, "requested-attributes", requested)];
        let answer = self.ask(operation, Some(job), attributes)?;
        let told = answer.jobs.first().ok_or("there is no job in it".to_owned());
        let facts = told.and_then(JobFacts::read).map_err(|why| self.malformed(operation, why))?;
        if facts.id != job {
            let why = format!("it is of job {} and not of {job}", facts.id);
            return Err(self.malformed(operation, why));
        }
        Ok(facts)
    }

    /// Its jobs (Get-Jobs), at most so many. To find a job by its name look first at those that are not completed and
    /// then at the others: it may move from the one list to the other in between.
    ///
    /// # Errors
    /// Any but [`PrinterError::Unfit`].
    pub fn jobs(&self, which: Which, limit: usize) -> Result<Jobs, PrinterError> {
        let mut pages = Pages::new(limit, PAGE);
        loop {
            let next = pages.next();
            let page = self.page(which, next.first_index, next.limit)?;
            if let Some(complete) = pages.take(page) {
                return Ok(pages.into_jobs(complete));
            }
        }
    }

    fn page(
        &self,
        which: Which,
        first_index: Option<usize>,
        limit: usize,
    ) -> Result<Vec<JobFacts>, PrinterError> {
        let operation = Operation::GetJobs;
        let integer = |count: usize| Value::Integer(i32::try_from(count).unwrap_or(i32::MAX));
        let mut attributes = vec![
            (Group::Operation, "limit", integer(limit)),
            (Group::Operation, "requested-attributes", keywords(&JobFacts::REQUESTED)),
            (Group::Operation, "which-jobs", Value::Keyword(which.keyword().to_owned())),
        ];
        if let Some(index) = first_index {
            attributes.push((Group::Operation, "first-index", integer(index)));
        }
        let answer = self.ask(operation, None, attributes)?;
        let read = answer.jobs.iter().map(JobFacts::read).collect::<Result<_, _>>();
        read.map_err(|why| self.malformed(operation, why))
    }

    /// Ends a job (Cancel-Job). What is on its way may still be printed; see [`JobFacts::end`].
    ///
    /// # Errors
    /// [`PrinterError::Refused`] with `client-error-not-possible` if it has ended already.
    pub fn cancel(&self, job: JobId, user: &str) -> Result<(), PrinterError> {
        self.ask(Operation::CancelJob, Some(job), vec![named(user)]).map(drop)
    }

    /// Holds a job until it is released (Hold-Job).
    ///
    /// # Errors
    /// [`PrinterError::Refused`] with `client-error-not-possible` if it is being printed.
    pub fn hold(&self, job: JobId, user: &str) -> Result<(), PrinterError> {
        let until = Value::Keyword("indefinite".to_owned());
        let attributes = vec![named(user), (Group::Operation, "job-hold-until", until)];
        self.ask(Operation::HoldJob, Some(job), attributes).map(drop)
    }

    /// Releases a job that is held (Release-Job).
    ///
    /// # Errors
    /// [`PrinterError::Refused`] with `client-error-not-possible` if it is not held.
    pub fn release(&self, job: JobId, user: &str) -> Result<(), PrinterError> {
        self.ask(Operation::ReleaseJob, Some(job), vec![named(user)]).map(drop)
    }

    /// The attributes of a job, if the printer says that it can print it.
    fn fitting(
        &self,
        ask: &Ask,
        operation: Operation,
    ) -> Result<Vec<(Group, &'static str, Value)>, PrinterError> {
        let facts = self.look()?;
        for needed in [Operation::CreateJob, Operation::SendDocument, operation] {
            if !facts.can(needed) {
                return Err(PrinterError::Unsupported {
                    uri: self.uri().to_owned(),
                    operation: needed,
                });
            }
        }
        let address = self.client.address();
        let unfit = ask.unfit(&facts.supported, address.tls || address.loopback);
        if unfit.is_empty() {
            Ok(ask.attributes(&facts.supported))
        } else {
            Err(PrinterError::Unfit { uri: self.uri().to_owned(), unfit })
        }
    }

    fn ask(
        &self,
        operation: Operation,
        job: Option<JobId>,
        attributes: Vec<(Group, &'static str, Value)>,
    ) -> Result<Answer, PrinterError> {
        let head = self.request(operation, job, attributes)?;
        self.exchange(operation, Spool::new(head))
    }

    fn request(
        &self,
        operation: Operation,
        job: Option<JobId>,
        attributes: Vec<(Group, &'static str, Value)>,
    ) -> Result<Vec<u8>, PrinterError> {
        // What IPP cannot say is not sent.
        let unsayable = |option: &'static str, why: String| PrinterError::Unfit {
            uri: self.uri().to_owned(),
            unfit: vec![Unfit {
                option,
                asked: why,
                supported: "what RFC 8011 §5.1 has".to_owned(),
            }],
        };
        let target = |why| unsayable("printer-uri", why);
        let mut request = Request::new(operation, self.uri()).map_err(target)?;
        if let Some(JobId(id)) = job {
            let id = i32::try_from(id).map_err(|_| unsayable("job-id", id.to_string()))?;
            request = request
                .with(Group::Operation, "job-id", Value::Integer(id))
                .map_err(|why| unsayable("job-id", why))?;
        }
        for (group, name, value) in attributes {
            request = request.with(group, name, value).map_err(|why| unsayable(name, why))?;
        }
        Ok(request.bytes())
    }

    fn exchange(&self, operation: Operation, spool: Spool<'_>) -> Result<Answer, PrinterError> {
        let bytes = self.client.post(operation, spool)?;
        let answer = Answer::parse(bytes).map_err(|why| self.malformed(operation, why))?;
        if status::is_success(answer.status) {
            return Ok(answer);
        }
        Err(PrinterError::Refused {
            uri: self.uri().to_owned(),
            operation,
            status: status::name(answer.status),
            message: refusal(&answer),
        })
    }

    fn malformed(&self, operation: Operation, why: String) -> PrinterError {
        PrinterError::Malformed { uri: self.uri().to_owned(), operation, why }
    }
}

/// What was left away, although the printer was told to refuse then (RFC 8011 Appendix B.1.2).
fn ignored(answer: Answer) -> Vec<String> {
    if answer.unsupported.is_empty() && answer.status != 0 {
        // It says that there is something and not what.
        return vec![status::name(answer.status)];
    }
    answer.unsupported
}

/// What a refusal says, and which attributes it is about.
fn refusal(answer: &Answer) -> Option<String> {
    let about = (!answer.unsupported.is_empty()).then(|| answer.unsupported.join(", "));
    match (&answer.message, about) {
        (None, about) => about,
        (Some(message), None) => Some(message.clone()),
        (Some(message), Some(about)) => Some(format!("{message}: {about}")),
    }
}

fn named(user: &str) -> (Group, &'static str, Value) {
    (Group::Operation, "requesting-user-name", Value::Name(user.to_owned()))
}

fn keywords(names: &[&str]) -> Value {
    Value::Set(names.iter().map(|name| Value::Keyword((*name).to_owned())).collect())
}
