//! The edges of the process: standard input, secrets, signals, the report file, the exit code.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::context::{Cancel, exit_code};
use crate::guardian;
use crate::problem::{Problem, io as io_problem};
use crate::report::{Line, Outcome, ProblemKind, Report};
use crate::request::{Request, Secrets};
use crate::run::run_in;

/// The variable that names the file the report is written into.
pub(crate) const REPORT: &str = "DECKLOG_ENGINE_REPORT";
/// The variable with the password of the repository.
pub(crate) const PASSWORD: &str = "DECKLOG_REPOSITORY_PASSWORD";
/// The variable with the password of the repository copied to.
pub(crate) const COPY_PASSWORD: &str = "DECKLOG_COPY_PASSWORD";

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
    if let Err(error) = listen(cancel.clone()) {
        let _ = writeln!(io::stderr(), "listening for signals: {error}");
    }
    let report = match read_request() {
        Ok(request) => run_in(&request, &secrets(), &cancel, true, &mut say),
        Err(problem) => refused(problem),
    };
    ExitCode::from(finish(&report))
}

/// Says the report, writes it into its file, and gives the exit code.
pub(crate) fn finish(report: &Report) -> u8 {
    say(Line::Report(Box::new(report.clone())));
    if let Some(file) = std::env::var_os(REPORT)
        && let Err(problem) = keep(Path::new(&file), report)
    {
        let _ = writeln!(io::stderr(), "{problem}");
        return exit_code(report.outcome).max(1);
    }
    exit_code(report.outcome)
}

/// Hears `SIGTERM` and `SIGINT` on a thread of its own.
///
/// The first asks the engine to stop; when it has not stopped within the grace, the process ends
/// (its guardian then runs `after`).
fn listen(cancel: Cancel) -> io::Result<()> {
    let (mut reader, writer) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT] {
        signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
    }
    std::thread::spawn(move || {
        let mut byte = [0];
        while reader.read_exact(&mut byte).is_ok() {
            if cancel.cancel() {
                std::thread::sleep(GRACE);
                let why = Problem::new(ProblemKind::Internal, crate::context::CANCELLED);
                let report = Report { outcome: Outcome::Cancelled, ..refused(why) };
                std::process::exit(finish(&report).into());
            }
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

fn secrets() -> Secrets {
    Secrets {
        password: std::env::var(PASSWORD).unwrap_or_default(),
        copy_password: std::env::var(COPY_PASSWORD).ok(),
    }
}

/// Writes one line; nobody reading is no reason to stop a backup.
fn say(line: Line) {
    if let Ok(mut json) = serde_json::to_vec(&line) {
        json.push(b'\n');
        let _ = io::stdout().lock().write_all(&json);
    }
}

/// Writes the report in place, because the directory may not be ours to write in; it ends with a
/// newline, so that a torn one is seen.
fn keep(path: &Path, report: &Report) -> Result<(), Problem> {
    let tried = format!("writing the report into {}", path.display());
    let mut json = serde_json::to_vec(report).unwrap_or_default();
    json.push(b'\n');
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).truncate(true).open(path)?;
        file.write_all(&json)?;
        file.sync_all()
    };
    write().map_err(io_problem(ProblemKind::Internal, tried))
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
