//! A printer, spoken to by IPP (RFC 8010, RFC 8011), for those who must know what was printed.
//!
//! Everything here serves one rule: **nothing is printed twice by a retry, and nothing is said to be printed that was
//! not.** So each failure says what it leaves behind ([`PrinterError`]): nothing arrived, the printer said no, or
//! nobody knows. Nothing here tries anything again.
//!
//! # How a document is printed
//!
//! 1. [`Printer::look`] tells who the printer is ([`PrinterFacts::uuid`]) and what it can do.
//! 2. [`Printer::validate`] asks whether it would take the job. Nothing is printed by it.
//! 3. [`Printer::create`] makes a job without a document. If the answer is lost, [`Printer::jobs`] finds the job by
//!    its name, which the caller made unique; no page can have been printed, because no document was sent.
//! 4. [`Printer::send`] sends the document into that job. If its answer is lost, [`Printer::job`] tells what became of
//!    the job. A document is never sent a second time.
//! 5. [`Printer::job`] is asked until [`JobFacts::end`] is something.
//!
//! Print-Job (RFC 8011 §4.2.1) is not offered: it sends the document before anybody knows the job's number. A printer
//! without Create-Job cannot be used ([`PrinterError::Unsupported`]).
//!
//! # Whether it is still the same job
//!
//! Job numbers may begin anew when a printer is restarted (RFC 8011 only asks that those it knows differ), so a number alone is no proof. What a caller compares is the printer's uuid, then the job's name
//! ([`JobFacts::is_named`]) and, where the printer has one, the job's uuid. A smaller [`PrinterFacts::up_time`] than
//! before says that it was restarted. A job that is not found proves nothing: printers forget what has ended, and
//! some forget everything when they are switched off.

mod address;
mod ask;
mod error;
mod facts;
mod finishing;
mod http;
mod job;
mod listing;
mod operation;
mod printer;
mod spool;
mod status;
mod trouble;
mod wire;

pub use ask::{Ask, Pages, Secret, Sides, Unfit};
pub use error::PrinterError;
pub use facts::{PrinterFacts, PrinterState, Supported};
pub use finishing::Finishing;
pub use http::{Limits, Login, Trust};
pub use job::{HowEnded, JobEnd, JobFacts, JobId, JobState};
pub use listing::{Jobs, Which};
pub use operation::Operation;
pub use printer::{Created, Printer};
pub use trouble::{Severity, Trouble, TroubleKind};
