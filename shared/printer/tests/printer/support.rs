//! What the tests have in common.

use std::time::Duration;

use printer::{Ask, Created, JobEnd, JobFacts, JobId, Limits, Printer, PrinterError, Trust};
use testkit::printing::{Paper, Setup};
use testkit::wait;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const USER: &str = "payroll";
pub(crate) const TEXT: &str = "text/plain";

/// A text with so many pages.
pub(crate) fn text(pages: usize) -> Vec<u8> {
    (1..=pages).map(|page| format!("page {page}\n\x0C")).collect::<String>().into_bytes()
}

pub(crate) fn limits() -> Limits {
    Limits { silence: PATIENCE, document_silence: PATIENCE, ..Limits::default() }
}

pub(crate) fn client(uri: &str) -> Printer {
    Printer::new(uri, &Trust::System, limits()).unwrap()
}

pub(crate) fn paper() -> (Paper, Printer) {
    paper_with(Setup::default())
}

pub(crate) fn paper_with(setup: Setup) -> (Paper, Printer) {
    let paper = Paper::start(setup).unwrap();
    let printer = client(&paper.uri());
    (paper, printer)
}

pub(crate) fn ask(name: &str) -> Ask {
    Ask::new(name, USER, TEXT)
}

pub(crate) fn send(printer: &Printer, job: JobId, document: &[u8]) -> Result<(), PrinterError> {
    printer.send(job, USER, TEXT, &mut &*document, document.len() as u64)
}

/// Makes a job and sends its document.
pub(crate) fn print(printer: &Printer, ask: &Ask, document: &[u8]) -> JobId {
    let Created { id, ignored } = printer.create(ask).unwrap();
    assert!(ignored.is_empty(), "{ignored:?}");
    send(printer, id, document).unwrap();
    id
}

/// Asks for a job until it is as it should be.
pub(crate) fn wait_for(
    printer: &Printer,
    job: JobId,
    what: &str,
    is_so: impl Fn(&JobFacts) -> bool,
) -> JobFacts {
    let mut last = None;
    let waited = wait::until(what, PATIENCE, || {
        last = Some(printer.job(job).unwrap());
        last.as_ref().is_some_and(&is_so)
    });
    waited.unwrap_or_else(|error| panic!("{error}: {last:?}"));
    last.unwrap()
}

pub(crate) fn wait_end(printer: &Printer, job: JobId) -> JobEnd {
    wait_for(printer, job, "the end of a job", |facts| facts.end().is_some()).end().unwrap()
}
