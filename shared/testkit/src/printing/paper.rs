//! The printer as a test has it in its hands.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

use super::door::Shared;
use super::message::Message;
use super::press::{Plan, Press, Printed, Whim, uuid};
use super::serve::{self, operation};
use super::tls;
use crate::{port, wait};

/// How long something may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Counts the pages of a document.
pub type Count = fn(&[u8]) -> usize;

/// How the printer is.
#[derive(Debug, Clone)]
pub struct Setup {
    /// It speaks `ipps:`, with a certificate that only [`Paper::ca_file`] vouches for.
    pub tls: bool,
    /// A user and a password without which it answers HTTP 401.
    pub login: Option<(String, String)>,
    /// document-format-supported. It does not look into what it gets: a text that says it is a PDF is printed.
    pub formats: Vec<String>,
    /// operations-supported, by [`operation`].
    pub operations: Vec<u16>,
    /// printer-is-accepting-jobs.
    pub accepting: bool,
    /// Whether it says how many impressions it made.
    pub counts: bool,
    /// Whether it knows first-index in Get-Jobs.
    pub pages: bool,
    /// Whether it prints what it has of a document that was cut on its way.
    pub prints_a_part: bool,
    /// Attributes it says it ignored, whenever it makes a job.
    pub ignores: Vec<String>,
    /// How it counts pages.
    pub count: Count,
}

impl Default for Setup {
    fn default() -> Self {
        let formats = ["application/pdf", "text/plain", "application/octet-stream"];
        Setup {
            tls: false,
            login: None,
            formats: formats.map(str::to_owned).to_vec(),
            operations: vec![
                operation::VALIDATE_JOB,
                operation::CREATE_JOB,
                operation::SEND_DOCUMENT,
                operation::CANCEL_JOB,
                operation::GET_JOB_ATTRIBUTES,
                operation::GET_JOBS,
                operation::GET_PRINTER_ATTRIBUTES,
                operation::HOLD_JOB,
                operation::RELEASE_JOB,
            ],
            accepting: true,
            counts: true,
            pages: true,
            prints_a_part: false,
            ignores: Vec::new(),
            count: form_feeds_or_pdf,
        }
    }
}

/// Pages of a PDF by its `/Type /Page` objects, of anything else by its form feeds.
pub fn form_feeds_or_pdf(document: &[u8]) -> usize {
    if !document.starts_with(b"%PDF") {
        return document.split(|byte| *byte == b'\x0C').filter(|page| !page.is_empty()).count();
    }
    let of = |what: &[u8]| document.windows(what.len()).filter(|window| *window == what).count();
    let pages = of(b"/Type /Page") + of(b"/Type/Page");
    pages - of(b"/Type /Pages") - of(b"/Type/Pages")
}

/// What becomes of the page in the way, when somebody clears a jam.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// Nothing is lost.
    GoesOn,
    /// The next page was counted and is spoiled: it is never on paper.
    LosesOne,
    /// The last page is printed, and counted, once more.
    PrintsAgain,
}

/// Where a connection is cut, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// When the request was read, and nothing of it is done.
    BeforeDoing,
    /// When so many bytes of the document were read.
    InDocument(u64),
    /// When it is done, before a word of the answer.
    AfterDoing,
    /// After so many bytes of the answer, from its HTTP status line on.
    InAnswer(usize),
}

/// What becomes of jobs that have not ended when the printer is switched on again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jobs {
    /// They go on where they were.
    GoOn,
    /// They are printed from their first page.
    BeginAgain,
    /// They are aborted.
    AreAborted,
    /// It knows no job any more, also none that ended.
    AreForgotten,
}

/// What is left after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AfterRestart {
    /// Of jobs.
    pub jobs: Jobs,
    /// Whether the next job has the number 1.
    pub numbers_begin_anew: bool,
}

/// The printer. What it printed is kept until it is dropped, whatever the printer forgets.
pub struct Paper {
    dir: TempDir,
    port: u16,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Paper {
    /// Switches one on.
    ///
    /// # Errors
    /// If no port is free, or, for TLS, `openssl` is missing.
    pub fn start(setup: Setup) -> anyhow::Result<Paper> {
        let dir = tempfile::Builder::new().prefix("decklog-paper-").tempdir()?;
        let tls = if setup.tls { Some(tls::make(dir.path())?) } else { None };
        let (listener, port) = listen()?;
        let scheme = if setup.tls { "ipps" } else { "ipp" };
        let uri = format!("{scheme}://127.0.0.1:{port}/ipp/print");
        let shared = Arc::new(Shared::new(Press::new(setup, uri), tls));
        let mut paper = Paper { dir, port, shared, threads: Vec::new() };
        paper.run_threads(listener);
        Ok(paper)
    }

    fn run_threads(&mut self, listener: TcpListener) {
        let (press, door) = (Arc::clone(&self.shared), Arc::clone(&self.shared));
        self.threads.push(std::thread::spawn(move || press.print()));
        self.threads.push(std::thread::spawn(move || door.accept(&listener)));
    }

    /// Its address.
    pub fn uri(&self) -> String {
        self.shared.press().uri.clone()
    }

    /// The certificate that vouches for it, where it speaks TLS.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join(tls::CERTIFICATE)
    }

    /// Switches it off in whatever it does. Connections break.
    pub fn stop(&mut self) {
        self.change(|press| press.on = false);
        self.shared.hang_up();
        // Wakes who waits for a connection.
        TcpStream::connect(("127.0.0.1", self.port)).ok();
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }

    /// Switches it on again at the same address.
    ///
    /// # Errors
    /// If somebody else has its port meanwhile.
    pub fn start_again(&mut self, after: AfterRestart) -> anyhow::Result<()> {
        let mut listener = None;
        wait::until("the printer's port", PATIENCE, || {
            listener = TcpListener::bind(("127.0.0.1", self.port)).ok();
            listener.is_some()
        })?;
        self.change(|press| press.restart(after));
        if let Some(listener) = listener {
            self.run_threads(listener);
        }
        Ok(())
    }

    /// Another device answers at this address from now on.
    pub fn becomes_another(&self) {
        self.change(|press| press.uuid = uuid());
    }

    /// Prints so many pages more and then waits.
    pub fn print_only(&self, pages: usize) {
        self.change(|press| press.may_print = Some(pages));
    }

    /// Prints as fast as it can (as it does when it is switched on).
    pub fn print_on(&self) {
        self.change(|press| press.may_print = None);
    }

    /// Stops after so many pages of the next job, for a reason such as `media-empty-error`, until [`Paper::clear`].
    pub fn stop_after(&self, pages: usize, reason: &str, afterwards: Afterwards) {
        let plan = Plan::Stop { after: pages, reason: reason.to_owned(), afterwards };
        self.change(|press| press.plans.push(plan));
    }

    /// Jams after so many pages of the next job.
    pub fn jam_after(&self, pages: usize, afterwards: Afterwards) {
        self.stop_after(pages, "media-jam-error", afterwards);
    }

    /// Gives the next job up after so many pages.
    pub fn abort_after(&self, pages: usize) {
        self.change(|press| press.plans.push(Plan::Abort { after: pages }));
    }

    /// Something is in the way now, such as `door-open-error` or `output-area-full-error`. What does not end in
    /// `-error` does not stop it.
    pub fn trouble(&self, reason: &str) {
        self.change(|press| {
            press.reasons.insert(reason.to_owned());
        });
    }

    /// Somebody presses pause.
    pub fn pause(&self) {
        self.trouble("paused");
    }

    /// Somebody puts right whatever is in the way.
    pub fn clear(&self) {
        self.change(Press::clear);
    }

    /// Says of every job that it made so many impressions more (or fewer) than it did.
    pub fn lie(&self, by: i32) {
        self.change(|press| press.lie = by);
    }

    /// Answers the next such request with a status, and does nothing.
    pub fn refuse(&self, operation: u16, status: u16) {
        self.has_whim(operation, Whim::Refuse(status));
    }

    /// Cuts the connection of the next such request.
    pub fn cut(&self, operation: u16, cut: Cut) {
        self.has_whim(operation, Whim::Cut(cut));
    }

    fn has_whim(&self, operation: u16, whim: Whim) {
        self.change(|press| {
            press.whims.insert(operation, whim);
        });
    }

    /// Somebody types a password at the printer; how many jobs are released by it.
    pub fn type_password(&self, password: &str) -> usize {
        let mut released = 0;
        self.change(|press| {
            for job in &mut press.jobs {
                if job.password.as_deref() == Some(password.as_bytes()) {
                    job.password = None;
                    serve::release(job);
                    released += 1;
                }
            }
        });
        released
    }

    /// Every page on paper, in order.
    pub fn printed(&self) -> Vec<Printed> {
        self.shared.press().printed.clone()
    }

    /// How often a page of a document is on paper.
    pub fn times(&self, document: &[u8], page: usize) -> usize {
        let printed = self.printed();
        printed.iter().filter(|one| *one.document == document && one.page == page).count()
    }

    /// Waits until so many pages are on paper.
    ///
    /// # Errors
    /// If they do not come.
    pub fn wait_printed(&self, pages: usize) -> anyhow::Result<()> {
        let what = format!("{pages} pages on paper");
        wait::until(&what, PATIENCE, || self.shared.press().printed.len() >= pages)
    }

    /// Every request of an operation that came, also those that were cut or refused.
    pub fn requests(&self, operation: u16) -> Vec<Message> {
        let press = self.shared.press();
        press.requests.iter().filter(|request| request.code == operation).cloned().collect()
    }

    fn change(&self, how: impl FnOnce(&mut Press)) {
        self.shared.change(how);
    }
}

impl Drop for Paper {
    fn drop(&mut self) {
        self.stop();
    }
}

fn listen() -> anyhow::Result<(TcpListener, u16)> {
    for _ in 0..4 {
        let port = port::free()?;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return Ok((listener, port));
        }
    }
    anyhow::bail!("every port that was free is taken at once")
}
