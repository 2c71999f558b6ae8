//! The state of a run, as its events tell it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{
    AttemptReport, DefinitionRef, MissReason, Nominal, Resolution, RetryOn, RetryRule, RunDue,
    RunEvent, RunMissed, RunRequested, RunSkipped, RunStarted, SkipReason,
};
use crate::ids::{ProducerId, StreamId};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The work was done.
    Succeeded,
    /// The work was done, and there is something to look at.
    Warning,
    /// The work was not done.
    Failed,
    /// The work took too long and was stopped.
    TimedOut,
    /// Somebody stopped it.
    Cancelled,
    /// A rule said no.
    Skipped,
    /// Nobody was there to start it.
    Missed,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", deny_unknown_fields)]
pub enum State {
    /// A person asked; no scheduler has decided yet.
    Requested,
    /// It waits for a person.
    Held {
        /// Why.
        reason: String,
    },
    /// It must start.
    Due,
    /// An attempt runs.
    Running {
        /// Number of the attempt.
        attempt: u32,
    },
    /// An attempt ended badly and another will follow.
    Retrying {
        /// Number of the attempt that will follow.
        attempt: u32,
        /// How the last one ended.
        after: RetryOn,
        /// When it may start; `None` until a scheduler has said so.
        not_before: Option<Timestamp>,
    },
    /// Nobody knows how the attempt ended.
    Unknown {
        /// Number of the attempt.
        attempt: u32,
    },
    /// It is over.
    Ended {
        /// How.
        outcome: Outcome,
    },
}

impl State {
    /// The word for people and for the read model.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Held { .. } => "held",
            Self::Due => "due",
            Self::Running { .. } => "running",
            Self::Retrying { .. } => "retrying",
            Self::Unknown { .. } => "unknown",
            Self::Ended { outcome } => outcome.word(),
        }
    }

    /// Whether the run is over.
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }
}

impl Outcome {
    /// The word for people and for the read model.
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
        }
    }
}

/// One start of the run on one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// The host.
    pub host: String,
    /// The executor that took it.
    pub producer: ProducerId,
    /// When the recorder received its start.
    pub started: Timestamp,
    /// Milliseconds without a heartbeat after which it is lost.
    pub lease_ms: u64,
    /// How it ended; `None` while it runs or is unknown.
    pub report: Option<AttemptReport>,
    /// Why nobody knows how it ended.
    pub lost: Option<String>,
}

impl Attempt {
    /// Whether it is known to have written nothing.
    pub fn is_silent(&self) -> bool {
        let output = self.report.as_ref().and_then(|report| report.output.as_ref());
        output.is_some_and(|output| output.bytes == 0)
    }
}

/// A wish to stop a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CancelRequest {
    /// Why.
    pub reason: String,
    /// Who.
    pub by: Option<String>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its stream.
    pub id: StreamId,
    /// Its job.
    pub job: String,
    /// The definition it follows.
    pub definition: DefinitionRef,
    /// The instant a schedule implied; `None` where a person asked for it.
    pub nominal: Option<Nominal>,
    /// Why a person asked for it.
    pub request: Option<String>,
    /// Pool that may take it.
    pub pool: String,
    /// The one host that may take it.
    pub host: Option<String>,
    /// When it is tried again.
    pub retry: RetryRule,
    /// Runs that must end before it may start.
    pub behind: Vec<StreamId>,
    /// Whether it is run after its time.
    pub catch_up: bool,
    /// Milliseconds after its instant at which it counts as late.
    pub late_after_ms: u64,
    /// When the recorder received its first event.
    pub created: Timestamp,
    /// When the recorder received its newest event.
    pub changed: Timestamp,
    /// A wish to stop it.
    pub cancel: Option<CancelRequest>,
    /// Its attempts.
    pub attempts: Vec<Attempt>,
    /// Why it was skipped.
    pub skipped: Option<SkipReason>,
    /// Why it was missed.
    pub missed: Option<MissReason>,
    /// What a person said about an unknown outcome.
    pub resolution: Option<String>,
    /// One sentence about the newest failure.
    pub message: Option<String>,
    /// Where it stands.
    pub state: State,
}

/// What is true of an event beside its body.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// When the recorder received it.
    pub received: Timestamp,
    /// Who produced it.
    pub producer: &'a ProducerId,
    /// Who acted.
    pub actor: Option<&'a str>,
}

impl Run {
    /// The instant it is about: its nominal one, or when it was asked for.
    pub fn instant(&self) -> Timestamp {
        self.nominal.as_ref().map_or(self.created, |nominal| nominal.at)
    }

    /// Whether it has begun and not ended: a process of it runs, may run, or will run again.
    pub fn has_begun(&self) -> bool {
        !self.attempts.is_empty() && !self.state.is_ended()
    }

    /// The newest attempt.
    pub fn attempt(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// The state after one more event of stream `id`. Total: an event that cannot be a first one
    /// makes a run of what it says.
    #[must_use]
    pub fn evolve(
        run: Option<Self>,
        id: &StreamId,
        event: &RunEvent,
        ctx: Context<'_>,
    ) -> Option<Self> {
        let mut run = match run {
            Some(run) => run,
            None => Self::begin(id, event, ctx.received)?,
        };
        run.changed = ctx.received;
        run.step(event, ctx);
        Some(run)
    }

    fn begin(id: &StreamId, event: &RunEvent, received: Timestamp) -> Option<Self> {
        let (job, definition, nominal) = origin(event)?;
        Some(Self {
            id: id.clone(),
            job: job.to_owned(),
            definition: definition.clone(),
            nominal: nominal.cloned(),
            request: None,
            pool: String::new(),
            host: None,
            retry: RetryRule::default(),
            behind: Vec::new(),
            catch_up: false,
            late_after_ms: 0,
            created: received,
            changed: received,
            cancel: None,
            attempts: Vec::new(),
            skipped: None,
            missed: None,
            resolution: None,
            message: None,
            state: State::Requested,
        })
    }

    fn step(&mut self, event: &RunEvent, ctx: Context<'_>) {
        match event {
            RunEvent::RunRequested(e) => self.request = Some(e.reason.clone()),
            RunEvent::RunDue(e) => self.become_due(e),
            RunEvent::RunReleased(_) => self.state = State::Due,
            RunEvent::RunSkipped(e) => {
                self.skipped = Some(e.reason.clone());
                self.end(Outcome::Skipped);
            }
            RunEvent::RunMissed(e) => {
                self.missed = Some(e.reason.clone());
                self.end(Outcome::Missed);
            }
            RunEvent::RunStarted(e) => self.start(e, ctx),
            RunEvent::RunSucceeded(e) => {
                self.note(&e.report);
                self.message = None;
                self.end(if e.warning { Outcome::Warning } else { Outcome::Succeeded });
            }
            RunEvent::RunFailed(e) => {
                self.note(&e.report);
                self.message = Some(e.message.clone());
                self.end_or_retry(e.attempt, Outcome::Failed, RetryOn::Failed);
            }
            RunEvent::RunTimedOut(e) => {
                self.note(&e.report);
                self.message = Some(format!("stopped after {} ms", e.after_ms));
                self.end_or_retry(e.attempt, Outcome::TimedOut, RetryOn::TimedOut);
            }
            RunEvent::RunCancelRequested(e) => {
                let (reason, by) = (e.reason.clone(), ctx.actor.map(str::to_owned));
                self.cancel = Some(CancelRequest { reason, by });
            }
            RunEvent::RunCancelled(e) => {
                if let Some(report) = &e.report {
                    self.note(report);
                }
                self.message = Some(e.reason.clone());
                self.end(Outcome::Cancelled);
            }
            RunEvent::RunLost(e) => self.lose(e.attempt, &e.reason),
            RunEvent::RunRetryScheduled(e) => {
                let (attempt, after, not_before) = (e.attempt, e.after, Some(e.not_before));
                self.state = State::Retrying { attempt, after, not_before };
            }
            RunEvent::RunResolved(e) => {
                self.resolution = Some(e.evidence.clone());
                self.end(match e.outcome {
                    Resolution::Succeeded => Outcome::Succeeded,
                    Resolution::Failed => Outcome::Failed,
                });
            }
            RunEvent::RunReported(e) => self.note(&e.report),
        }
    }

    fn become_due(&mut self, due: &RunDue) {
        self.pool.clone_from(&due.pool);
        self.host.clone_from(&due.host);
        self.retry = due.retry.clone();
        self.behind.clone_from(&due.behind);
        self.catch_up = due.catch_up;
        self.late_after_ms = due.late_after_ms;
        self.definition = due.definition.clone();
        self.state = match &due.hold {
            Some(reason) => State::Held { reason: reason.clone() },
            None => State::Due,
        };
    }

    fn start(&mut self, started: &RunStarted, ctx: Context<'_>) {
        self.attempts.push(Attempt {
            number: started.attempt,
            host: started.host.clone(),
            producer: ctx.producer.clone(),
            started: ctx.received,
            lease_ms: started.lease_ms,
            report: None,
            lost: None,
        });
        self.state = State::Running { attempt: started.attempt };
    }

    fn note(&mut self, report: &AttemptReport) {
        if let Some(attempt) = self.attempts.iter_mut().find(|a| a.number == report.attempt) {
            attempt.report = Some(report.clone());
        }
    }

    fn lose(&mut self, number: u32, reason: &str) {
        if let Some(attempt) = self.attempts.iter_mut().find(|a| a.number == number) {
            attempt.lost = Some(reason.to_owned());
        }
        self.message = Some(format!("attempt {number} was lost: {reason}"));
        self.state = match self.next_attempt(number, RetryOn::Lost) {
            Some(attempt) => State::Retrying { attempt, after: RetryOn::Lost, not_before: None },
            None => State::Unknown { attempt: number },
        };
    }

    fn end_or_retry(&mut self, number: u32, outcome: Outcome, on: RetryOn) {
        match self.next_attempt(number, on) {
            Some(attempt) => self.state = State::Retrying { attempt, after: on, not_before: None },
            None => self.end(outcome),
        }
    }

    fn end(&mut self, outcome: Outcome) {
        self.state = State::Ended { outcome };
    }

    /// The number of the attempt that follows `attempt` after such an outcome; `None` where none does.
    fn next_attempt(&self, attempt: u32, on: RetryOn) -> Option<u32> {
        let left = (attempt as usize) <= self.retry.delays_ms.len();
        (left && self.retry.on.contains(&on) && self.cancel.is_none()).then_some(attempt + 1)
    }

    /// Milliseconds to wait before attempt `number`, by the job's rule.
    pub fn delay_ms_before(&self, number: u32) -> u64 {
        let index = (number as usize).saturating_sub(2);
        self.retry.delays_ms.get(index).copied().unwrap_or(0)
    }
}

/// The job, definition and instant of an event that may be a run's first.
fn origin(event: &RunEvent) -> Option<(&str, &DefinitionRef, Option<&Nominal>)> {
    match event {
        RunEvent::RunRequested(RunRequested { job, definition, .. }) => {
            Some((job, definition, None))
        }
        RunEvent::RunDue(RunDue { job, definition, nominal, .. })
        | RunEvent::RunSkipped(RunSkipped { job, definition, nominal, .. }) => {
            Some((job, definition, nominal.as_ref()))
        }
        RunEvent::RunMissed(RunMissed { job, definition, nominal, .. }) => {
            Some((job, definition, Some(nominal)))
        }
        RunEvent::RunReleased(_)
        | RunEvent::RunStarted(_)
        | RunEvent::RunSucceeded(_)
        | RunEvent::RunFailed(_)
        | RunEvent::RunTimedOut(_)
        | RunEvent::RunCancelRequested(_)
        | RunEvent::RunCancelled(_)
        | RunEvent::RunLost(_)
        | RunEvent::RunRetryScheduled(_)
        | RunEvent::RunResolved(_)
        | RunEvent::RunReported(_) => None,
    }
}

/// The instant of an occurrence that a first event settles: by it the recorder knows how far a job's
/// schedule is accounted for.
pub(crate) fn settled_instant(event: &RunEvent) -> Option<(&str, Timestamp)> {
    let (job, _, nominal) = origin(event)?;
    Some((job, nominal?.at))
}

/// The occurrence that a first event is about.
pub(crate) fn nominal(event: &RunEvent) -> Option<&Nominal> {
    origin(event)?.2
}
