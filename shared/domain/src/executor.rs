//! What an executor may say about its attempts. Pure; the processes are the service's.

mod filling;
mod needs;
mod placing;

pub use filling::{Filled, filled};
pub use needs::{Look, Seen, may_start, unmet};
pub use placing::{candidates, misplaced};

use crate::canonical::{Digest, canonical};
use crate::envelope::{Draft, PayloadRef};
use crate::event::{
    AttemptReport, CommandEnd, Event, RunCancelled, RunFailed, RunLost, RunReported, RunStarted,
    RunSucceeded, RunTimedOut, TextFound,
};
use crate::ids::{ProducerId, StreamId};
use crate::job::{ExitCodes, JobDefinition};
use crate::run::{Run, State};
use crate::wire::Work;

/// The draft that takes an offer. It is the lock: of two executors that append it, one wins, and the
/// other learns that it lost before it has done anything. Its argument list is the one that is started, with
/// every token replaced; where one cannot be, nothing is started, and it is the list as it was written.
pub fn claim(
    work: &Work,
    definition: &JobDefinition,
    host: &str,
    lease_ms: u64,
    run_as: &str,
) -> Draft {
    let filled = filled(work, definition);
    let command = filled.as_ref().map_or(&definition.command, |filled| &filled.definition.command);
    let argv = command.argv.as_ref().unwrap_or(&command.interpreter);
    let event = RunStarted {
        attempt: work.attempt,
        host: host.to_owned(),
        definition: work.digest,
        lease_ms,
        run_as: run_as.to_owned(),
        // A list of strings can always be written as JSON.
        argv: canonical(argv).map_or(Digest::NONE, |bytes| Digest::of(&bytes)),
        script: command.script.as_ref().map(|script| Digest::of(script.as_bytes())),
    };
    Draft::new(work.run.clone(), work.version + 1, event)
}

/// Why an attempt ended, beside how its command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// By itself.
    Own,
    /// It took longer than this, in milliseconds.
    Timeout(u64),
    /// Somebody wanted it to stop.
    Cancelled(String),
    /// It wrote more than this, in bytes.
    OutputLimit(u64),
    /// It needed more memory than this, in bytes.
    Memory(u64),
}

/// The end of an attempt as the host saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// What the host saw.
    pub report: AttemptReport,
    /// Why it ended.
    pub cause: Cause,
    /// What its exit code means.
    pub exit_codes: ExitCodes,
    /// The commitment to what it wrote.
    pub payload: Option<PayloadRef>,
}

impl Ending {
    fn draft(&self, run: &StreamId, version: u64, event: Event) -> Draft {
        let draft = Draft::new(run.clone(), version + 1, event);
        match &self.payload {
            Some(payload) => draft.with_payload(payload.clone()),
            None => draft,
        }
    }
}

/// What to say about an attempt that ended while, as far as the host knows, its start at `version` is
/// still the newest event of the run.
pub fn end(run: &StreamId, version: u64, ending: &Ending) -> Draft {
    ending.draft(run, version, outcome(ending))
}

/// The next thing to say about an attempt that ended, given the run as the log has it now; `None`
/// where the log knows already.
pub fn conclude(run: &Run, version: u64, producer: &ProducerId, ending: &Ending) -> Option<Draft> {
    let number = ending.report.attempt;
    let attempt = run.attempts.iter().find(|a| a.number == number && a.producer == *producer)?;
    let event = match run.state {
        State::Running { attempt } | State::Unknown { attempt } if attempt == number => {
            outcome(ending)
        }
        State::Requested
        | State::Held { .. }
        | State::Waiting
        | State::Blocked
        | State::Due
        | State::Parts
        | State::Running { .. }
        | State::Retrying { .. }
        | State::Unknown { .. }
        | State::Ended { .. } => {
            let wanted = attempt.lost.is_some() && attempt.report.is_none();
            wanted.then(|| RunReported { report: ending.report.clone() }.into())?
        }
    };
    Some(ending.draft(&run.id, version, event))
}

/// The draft for an attempt whose supervisor vanished: its end was seen by nobody.
pub fn give_up(
    run: &Run,
    version: u64,
    producer: &ProducerId,
    number: u32,
    reason: &str,
) -> Option<Draft> {
    let mine = run.attempt().is_some_and(|a| a.number == number && a.producer == *producer);
    let running = run.state == State::Running { attempt: number };
    let host = producer.name().to_owned();
    (mine && running).then(|| {
        let event = RunLost { attempt: number, host, reason: reason.to_owned() };
        Draft::new(run.id.clone(), version + 1, event)
    })
}

fn outcome(ending: &Ending) -> Event {
    let report = ending.report.clone();
    let (attempt, host) = (report.attempt, report.host.clone());
    match (&ending.cause, &report.end) {
        (Cause::Cancelled(reason), CommandEnd::Exited { .. } | CommandEnd::Signaled { .. }) => {
            let (attempt, host, reason) = (Some(attempt), Some(host), reason.clone());
            RunCancelled { attempt, host, reason, report: Some(report) }.into()
        }
        (Cause::Timeout(after_ms), CommandEnd::Exited { .. } | CommandEnd::Signaled { .. }) => {
            RunTimedOut { attempt, host, after_ms: *after_ms, report }.into()
        }
        (Cause::Own, CommandEnd::Exited { code }) => {
            match (&report.text, verdict(*code, &ending.exit_codes)) {
                (None, Some(warning)) => RunSucceeded { attempt, host, warning, report }.into(),
                (Some(text), _) => {
                    let message = text_message(text, *code);
                    RunFailed { attempt, host, message, report }.into()
                }
                (None, None) => {
                    let message = message(&ending.cause, &report.end);
                    RunFailed { attempt, host, message, report }.into()
                }
            }
        }
        (cause, end) => RunFailed { attempt, host, message: message(cause, end), report }.into(),
    }
}

/// Whether an exit code means success, and then whether there is something to look at.
fn verdict(code: i32, codes: &ExitCodes) -> Option<bool> {
    if ExitCodes::has(&codes.ok, code) {
        return Some(false);
    }
    ExitCodes::has(&codes.warning, code).then_some(true)
}

fn text_message(text: &TextFound, code: i32) -> String {
    match text {
        TextFound::Failure(text) => format!("its output holds {text:?} (exit code {code})"),
        TextFound::NoSuccess => {
            format!("its output holds none of the texts that mean success (exit code {code})")
        }
    }
}

fn message(cause: &Cause, end: &CommandEnd) -> String {
    let how = match end {
        CommandEnd::Exited { code } => format!("exit code {code}"),
        CommandEnd::Signaled { signal } => format!("ended by signal {signal}"),
        CommandEnd::NotStarted { message } => return format!("not started: {message}"),
    };
    match cause {
        Cause::OutputLimit(bytes) => format!("wrote more than {bytes} bytes ({how})"),
        Cause::Memory(bytes) => format!(
            "out of memory: the limit was {bytes} bytes ({how}); limits.memory-bytes of the job sets another"
        ),
        Cause::Own | Cause::Timeout(_) | Cause::Cancelled(_) => how,
    }
}
