//! The edges of the process: standard input, secrets, signals, the report file, the exit code. Also for a program that
//! does more with an engine than one request.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::context::{Cancel, exit_code};
use crate::guardian;
use crate::problem::Problem;
use crate::report::{Line, Outcome, ProblemKind, Report};
use crate::request::{Keys, Request, Secrets};
use crate::run::run_in;

/// The variable that names the file the report is written into.
pub const REPORT: &str = "DECKLOG_ENGINE_REPORT";
/// The variable with the password of the repository.
pub const PASSWORD: &str = "DECKLOG_REPOSITORY_PASSWORD";
/// The variable with the password of the repository copied to.
pub const COPY_PASSWORD: &str = "DECKLOG_COPY_PASSWORD";
/// Before the name of a variable with a key of the storage copied to: [`Keys::NAMES`].
pub const COPY_KEYS: &str = "DECKLOG_COPY_";

/// How long a cancelled engine may take to stop by itself.
const GRACE: Duration = Duration::from_secs(20);

/// Does a guardian's work and gives the exit code, where this process was started as one; otherwise `None`.
///
/// A program that calls [`crate::run_guarded`] calls this first in `main`: its guardians are the same program, started
/// with the same arguments.
pub fn guard() -> Option<ExitCode> {
    guardian::is_guardian().then(|| ExitCode::from(u8::from(guardian::guard().is_err())))
}

/// Reads one request from standard input, carries it out, and says how it ended.
pub fn main() -> ExitCode {
    if let Some(code) = guard() {
        return code;
    }
    let cancel = Cancel::default();
    if let Err(error) = stop_on_signals(cancel.clone()) {
        let _ = writeln!(io::stderr(), "listening for signals: {error}");
    }
    let report = match read_request() {
        Ok(request) => run_in(&request, &secrets(), &cancel, true, &mut |line| say(&line)),
        Err(problem) => refused(problem),
    };
    ExitCode::from(finish(&report))
}

/// Says the report, writes it into its file, and gives the exit code.
pub(crate) fn finish(report: &Report) -> u8 {
    say(&Line::Report(Box::new(report.clone())));
    if let Err(error) = keep(report) {
        let _ = writeln!(io::stderr(), "{error}");
        return exit_code(report.outcome).max(1);
    }
    exit_code(report.outcome)
}

/// The first signal asks the engine to stop; when it has not stopped within the grace, the process ends
/// (its guardian then runs `after`).
fn stop_on_signals(cancel: Cancel) -> io::Result<()> {
    on_signals(move || {
        if cancel.cancel() {
            std::thread::sleep(GRACE);
            let why = Problem::new(ProblemKind::Internal, crate::context::CANCELLED);
            let report = Report { outcome: Outcome::Cancelled, ..refused(why) };
            std::process::exit(finish(&report).into());
        }
    })
}

/// Does this at each `SIGTERM` and `SIGINT`, on a thread of its own.
///
/// # Errors
/// The system lets nobody hear them.
pub fn on_signals(mut heard: impl FnMut() + Send + 'static) -> io::Result<()> {
    let (mut reader, writer) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT] {
        signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
    }
    std::thread::spawn(move || {
        let mut byte = [0];
        while reader.read_exact(&mut byte).is_ok() {
            heard();
        }
    });
    Ok(())
}

fn read_request() -> Result<Request, Problem> {
    serde_json::from_reader(io::stdin().lock()).map_err(|error| {
        let message = format!("reading the request from standard input: {error}");
        Problem::new(ProblemKind::BadRequest, message)
    })
}

/// The secrets as they stand in the environment.
#[must_use]
pub fn secrets() -> Secrets {
    let variable = |name: &str| std::env::var(name).ok();
    Secrets {
        password: variable(PASSWORD).unwrap_or_default(),
        copy_password: variable(COPY_PASSWORD),
        keys: Keys::of(variable),
        copy_keys: Keys::of(|name| variable(&format!("{COPY_KEYS}{name}"))),
    }
}

/// Writes one line; nobody reading is no reason to stop a backup.
pub fn say(line: &Line) {
    if let Ok(mut json) = serde_json::to_vec(line) {
        json.push(b'\n');
        let _ = io::stdout().lock().write_all(&json);
    }
}

/// Writes what came of the work into the file that [`REPORT`] names, where it names one: in place, because the
/// directory may not be ours to write in; it ends with a newline, so that a torn one is seen.
///
/// # Errors
/// The disk refuses.
pub fn keep(report: &impl Serialize) -> io::Result<()> {
    let Some(path) = std::env::var_os(REPORT).map(PathBuf::from) else { return Ok(()) };
    let mut json = serde_json::to_vec(report)?;
    json.push(b'\n');
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).truncate(true).open(&path)?;
        file.write_all(&json)?;
        file.sync_all()
    };
    let tried = format!("writing the report into {}", path.display());
    write().map_err(|error| io::Error::new(error.kind(), format!("{tried}: {error}")))
}

fn refused(problem: Problem) -> Report {
    Report {
        outcome: Outcome::Failed,
        problem: Some(problem.message),
        kind: Some(problem.kind),
        engine: String::new(),
        began: 0,
        ended: 0,
        peak_memory_bytes: 0,
        result: None,
    }
}
