//! One request, without the edges of a process.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::context::{Cancel, Context, Meter};
use crate::engine::{Answer, BackupEngine, Ended};
use crate::problem::Problem;
use crate::report::{Done, Line, Outcome, ProblemKind, Report};
use crate::request::{EngineName, Operation, Request, Secrets};
use crate::restic::Restic;
use crate::rustic::Rustic;

/// How often progress is said.
const EVERY: Duration = Duration::from_secs(2);

/// Carries a request out and says how far it is; the report is returned, not said.
pub fn run(request: &Request, secrets: &Secrets, say: &mut dyn FnMut(Line)) -> Report {
    run_until(request, secrets, &Cancel::default(), say)
}

/// Like [`run`], and can be asked to stop.
pub fn run_until(
    request: &Request,
    secrets: &Secrets,
    cancel: &Cancel,
    say: &mut dyn FnMut(Line),
) -> Report {
    run_in(request, secrets, cancel, false, say)
}

/// Like [`run_until`], for a program that calls [`crate::guard`]: what runs after a backup then runs even if this
/// process is killed.
pub fn run_guarded(
    request: &Request,
    secrets: &Secrets,
    cancel: &Cancel,
    say: &mut dyn FnMut(Line),
) -> Report {
    run_in(request, secrets, cancel, true, say)
}

/// Like [`run_until`], and says whether this program can be started again as a guardian.
pub(crate) fn run_in(
    request: &Request,
    secrets: &Secrets,
    cancel: &Cancel,
    guarded: bool,
    say: &mut dyn FnMut(Line),
) -> Report {
    let began = now();
    let (sender, receiver) = channel();
    let meter = Arc::new(Meter::default());
    let context = Context { lines: sender, meter: meter.clone(), cancel: cancel.clone(), guarded };
    let (engine, answer) = std::thread::scope(|scope| {
        let worker = scope.spawn(move || work(request, secrets, context));
        listen(&receiver, &meter, say);
        worker.join().unwrap_or_else(|panic| (String::new(), Err(broke(&*panic))))
    });
    report(engine, began, cancel, answer)
}

fn work(request: &Request, secrets: &Secrets, context: Context) -> (String, Answer) {
    match engine_of(request) {
        EngineName::Rustic => {
            let engine = Rustic::new(&request.repository, secrets, context);
            (engine.name(), engine.carry_out(&request.operation))
        }
        EngineName::Restic => match Restic::find(&request.repository, secrets, context) {
            Ok(engine) => (engine.name(), engine.carry_out(&request.operation)),
            Err(problem) => ("restic".to_owned(), Err(problem)),
        },
    }
}

/// Who does it: a copy is made by the engine of the repository copied to, because both engines read each other's.
fn engine_of(request: &Request) -> EngineName {
    if let Operation::Copy(copy) = &request.operation {
        return copy.to.engine;
    }
    request.repository.engine
}

/// Passes lines on until the worker has dropped its end, with progress in between.
fn listen(receiver: &Receiver<Line>, meter: &Meter, say: &mut dyn FnMut(Line)) {
    loop {
        match receiver.recv_timeout(EVERY) {
            Ok(line) => say(line),
            Err(RecvTimeoutError::Timeout) => say(Line::Progress(meter.progress())),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    say(Line::Progress(meter.progress()));
}

fn broke(panic: &(dyn std::any::Any + Send)) -> Problem {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    let kind = ProblemKind::Internal;
    Problem::new(kind, format!("the backup engine broke ({text}): check the repository"))
}

fn report(engine: String, began: i64, cancel: &Cancel, answer: Answer) -> Report {
    let cancelled = cancel.is_cancelled();
    let (result, outcome, problem) = match answer {
        Ok(Ended { done, outcome, problem }) => (Some(done), outcome, problem),
        Err(problem) if cancelled => (None, Outcome::Cancelled, Some(problem)),
        Err(problem) => (None, Outcome::Failed, Some(problem)),
    };
    let mut report = Report {
        outcome,
        kind: problem.as_ref().map(|p| p.kind),
        problem: problem.map(|p| p.message),
        engine,
        began,
        ended: now(),
        peak_memory_bytes: peak_memory(),
        result,
    };
    fit(&mut report);
    report
}

/// Cuts lists until the report is small enough; their counts stay exact.
fn fit(report: &mut Report) {
    while too_long(report) {
        let Some(result) = &mut report.result else { return };
        if !halve(result) {
            return;
        }
    }
}

fn too_long(report: &Report) -> bool {
    let length = serde_json::to_vec(report).map_or(0, |json| json.len());
    length > crate::report::MOST_REPORT_BYTES
}

fn halve(done: &mut Done) -> bool {
    match done {
        Done::Backup(report) => cut(&mut report.present.first),
        Done::List(report) => cut(&mut report.snapshots.first),
        Done::Browse(report) => cut(&mut report.entries.first),
        Done::Find(report) => cut(&mut report.hits.first),
        Done::Diff(report) => cut(&mut report.entries.first),
        Done::Manifest(report) => cut(&mut report.entries.first),
        Done::Check(report) => cut(&mut report.damaged),
        Done::Copy(report) => cut(&mut report.copied),
        Done::Forget(report) => cut(&mut report.manifests),
        Done::Init(_) | Done::Restore(_) | Done::Prune(_) | Done::Repair(_) => false,
    }
}

fn cut<T>(list: &mut Vec<T>) -> bool {
    let long = !list.is_empty();
    list.truncate(list.len() / 2);
    long
}

fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// The most memory this process had, as the kernel counts it.
pub(crate) fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.trim().strip_suffix("kB")).and_then(|l| l.trim().parse().ok());
    kib.unwrap_or(0u64) * 1024
}
