//! One `restic backup`: what it reads from us, what it says meanwhile, and what came of it.
//!
//! Data that comes from us goes through a pipe whose end we withhold: restic takes the end of its input for the end of
//! the data and would save half of it. When the data fails, restic is killed before the pipe is closed; when we are
//! killed, a guardian kills it before the last writing end is closed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, PipeWriter, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::atomic::Ordering;

use serde::Deserialize;

use super::Restic;
use super::program::{Running, failed_as};
use crate::child::code;
use crate::context::Context;
use crate::problem::Problem;
use crate::report::ProblemKind;

/// Most errors of restic that are kept, and most lines of other words.
const MOST_ERRORS: usize = 10_000;
/// Bytes kept of what it says for people.
const MOST_WORDS: usize = 4096;

/// restic's exit code when it saved a snapshot and could not read all of the source.
const INCOMPLETE: i32 = 3;

/// What restic reads from us.
pub(super) enum Input<'a> {
    /// Lines for `--exclude-file /dev/stdin`: their end is their end.
    Lines(&'a [u8]),
    /// Data to save: its end is the end only when this says so.
    Data(&'a mut dyn FnMut(&mut PipeWriter) -> Result<(), Unfed>),
}

/// Why data did not come to its end.
pub(super) enum Unfed {
    /// restic reads no more.
    Gone,
    /// The data failed: nothing may be saved of it.
    Failed(Problem),
}

/// How a backup ended that saved something.
#[derive(Debug, Default)]
pub(super) struct Saved {
    pub(super) summary: Summary,
    /// What it could not read, and why.
    pub(super) errors: BTreeMap<PathBuf, String>,
}

/// What restic says in the end.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Summary {
    pub(super) files_new: u64,
    pub(super) files_changed: u64,
    pub(super) files_unmodified: u64,
    pub(super) data_added: u64,
    pub(super) data_added_packed: u64,
    pub(super) snapshot_id: String,
}

#[derive(Deserialize)]
#[serde(tag = "message_type", rename_all = "snake_case")]
enum Said {
    Status {
        #[serde(default)]
        files_done: u64,
        #[serde(default)]
        bytes_done: u64,
    },
    VerboseStatus {
        action: String,
        item: String,
    },
    Summary(Summary),
    Error {
        error: Message,
        #[serde(default)]
        item: String,
    },
    ExitError {
        message: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Message {
    message: String,
}

/// Runs it; `saved_file` hears of each file it has read.
pub(super) fn backup(
    engine: &Restic<'_>,
    arguments: &[OsString],
    input: Input<'_>,
    saved_file: &mut (dyn FnMut(PathBuf) + Send),
) -> Result<Saved, Problem> {
    let (reader, writer) = io::pipe().map_err(broken)?;
    let mut running = engine.program.start(arguments, Stdio::from(reader))?;
    let (stdout, stderr) = (running.stdout(), running.stderr());
    let context = &engine.context;
    let (fed, status, summary, told) = std::thread::scope(|scope| {
        let told = scope.spawn(|| stderr.map(|err| hear_errors(BufReader::new(err))));
        let heard =
            scope.spawn(|| stdout.map(|out| hear(BufReader::new(out), context, saved_file)));
        let fed = feed(engine, &mut running, writer, input);
        let status = running.wait();
        let summary = heard.join().ok().flatten().unwrap_or_default();
        (fed, status, summary, told.join().ok().flatten().unwrap_or_default())
    });
    concluded(fed, status?, summary, told)
}

fn broken(error: io::Error) -> Problem {
    Problem::new(ProblemKind::Internal, format!("talking to restic: {error}"))
}

/// Writes all of the input. When it returns an error, restic has been killed and has ended.
fn feed(
    engine: &Restic<'_>,
    running: &mut Running<'_>,
    mut writer: PipeWriter,
    input: Input<'_>,
) -> Result<(), Unfed> {
    let data = match input {
        Input::Lines(lines) => return writer.write_all(lines).map_err(|_| Unfed::Gone),
        Input::Data(data) => data,
    };
    let pipe = format!("/proc/{}/fd/{}", std::process::id(), writer.as_raw_fd());
    let held = engine.program.hold(Path::new(&pipe)).map_err(Unfed::Failed);
    let fed = held.and_then(|()| data(&mut writer));
    let fed = fed.and_then(|()| engine.program.release().map_err(Unfed::Failed));
    if fed.is_err() {
        running.kill();
        let _ = running.wait();
        let _ = engine.program.release();
    }
    fed
}

fn concluded(
    fed: Result<(), Unfed>,
    status: ExitStatus,
    summary: Summary,
    told: Told,
) -> Result<Saved, Problem> {
    if let Err(Unfed::Failed(problem)) = fed {
        return Err(problem);
    }
    let complete = status.success() || code(status) == INCOMPLETE;
    if complete && fed.is_ok() && !summary.snapshot_id.is_empty() {
        return Ok(Saved { summary, errors: told.errors });
    }
    let first = told.errors.values().next().cloned().unwrap_or_default();
    let words = format!("{} {first}", told.words).trim().to_owned();
    // Nothing was read of the repository that could be damaged, as far as one knows.
    let output = Output { status, stdout: Vec::new(), stderr: words.into_bytes() };
    Err(failed_as(ProblemKind::Unreachable, "backing up", &output))
}

fn hear(
    out: impl BufRead,
    context: &Context,
    saved_file: &mut (dyn FnMut(PathBuf) + Send),
) -> Summary {
    let mut summary = Summary::default();
    for line in out.lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(Said::Status { files_done, bytes_done }) => {
                context.meter.files.store(files_done, Ordering::Relaxed);
                context.meter.bytes.store(bytes_done, Ordering::Relaxed);
            }
            Ok(Said::VerboseStatus { action, item }) => {
                let read = action == "new" || action == "modified";
                if read && !item.ends_with('/') {
                    saved_file(item.into());
                }
            }
            Ok(Said::Summary(last)) => summary = last,
            Ok(Said::Error { .. } | Said::ExitError { .. } | Said::Other) | Err(_) => {}
        }
    }
    summary
}

#[derive(Default)]
struct Told {
    errors: BTreeMap<PathBuf, String>,
    words: String,
}

fn hear_errors(err: impl BufRead) -> Told {
    let mut told = Told::default();
    for line in err.lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(Said::Error { error, item }) if told.errors.len() < MOST_ERRORS => {
                told.errors.insert(item.into(), error.message);
            }
            Ok(Said::ExitError { message }) => told.word(&message),
            Ok(Said::Error { .. } | Said::Status { .. } | Said::VerboseStatus { .. })
            | Ok(Said::Summary(_) | Said::Other) => {}
            Err(_) => told.word(&line),
        }
    }
    told
}

impl Told {
    fn word(&mut self, text: &str) {
        if self.words.len() < MOST_WORDS {
            self.words.push_str(text.trim());
            self.words.push_str("; ");
        }
    }
}
