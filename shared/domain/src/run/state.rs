//! The state of a run, as its events tell it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::canonical::Digest;
use crate::envelope::PayloadRef;
use crate::event::{
    Again, AttemptReport, CommandEnd, DefinitionRef, MissReason, Moved, Nominal, Resolution,
    RetryOn, RetryRule, RunBlocked, RunDelayed, RunDue, RunEvent, RunLate, RunMissed,
    RunNeedsUnmet, RunRequested, RunSkipped, RunStarted, SkipReason, Terms,
};
use crate::ids::{Class, ProducerId, StreamId};
use crate::job::{Codes, Hosts, RetryHost};

/// How a run ended.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
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
    /// It waits for other runs, or for somebody's word.
    Waiting,
    /// What it waits for has ended otherwise: a person must do something, or its latest time comes.
    Blocked,
    /// It must start.
    Due,
    /// It takes place on several hosts, as a run on each.
    Parts,
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
            Self::Waiting => "waiting",
            Self::Blocked => "blocked",
            Self::Due => "due",
            Self::Parts => "in-parts",
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
    /// Every outcome, the worst last.
    pub const ALL: [Self; 7] = [
        Self::Succeeded,
        Self::Warning,
        Self::Skipped,
        Self::Missed,
        Self::Cancelled,
        Self::TimedOut,
        Self::Failed,
    ];

    /// The outcome with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }

    /// Of several outcomes, the one that counts: the worst.
    pub fn worst(outcomes: impl IntoIterator<Item = Self>) -> Option<Self> {
        let rank = |outcome: &Self| Self::ALL.iter().position(|o| o == outcome);
        outcomes.into_iter().max_by_key(rank)
    }

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
    /// The commitment to what it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<PayloadRef>,
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

/// Most hosts on which one run takes place.
pub const PARTS_MAX: usize = 200;

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
    /// Who did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
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
    /// What it waits for and is given.
    pub terms: Box<Terms>,
    /// Values that whoever asked for it gave its parameters.
    pub given: BTreeMap<String, String>,
    /// The run it repeats.
    pub again: Option<Again>,
    /// Whether it is one of a whole flow that was asked for.
    pub of_flow: bool,
    /// Whoever had to has said go.
    pub confirmed: Option<String>,
    /// Nothing it had to wait for stands in its way any more.
    pub cleared: bool,
    /// The runs that it waited for, where they let it go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleared_by: Vec<StreamId>,
    /// What blocks it.
    pub blocked: Option<RunBlocked>,
    /// A person has let it go on after it was held: windows and blackouts hold it no more.
    pub released: bool,
    /// Why it may not start yet.
    pub delayed: Option<RunDelayed>,
    /// It runs at another instant than its own.
    pub moved: Option<Moved>,
    /// Files it waits for.
    pub unmet: Option<RunNeedsUnmet>,
    /// Limits it has missed.
    pub late: Vec<RunLate>,
    /// The run it is a part of.
    pub part_of: Option<StreamId>,
    /// Its host decided that it is due, by leave of the centre.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_host: bool,
    /// The hosts on which its parts run.
    pub parts: Vec<String>,
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
    /// What it commits to.
    pub payload: Option<&'a PayloadRef>,
}

impl Run {
    /// The instant it is about: its nominal one, or when it was asked for.
    pub fn instant(&self) -> Timestamp {
        self.nominal.as_ref().map_or(self.created, |nominal| nominal.at)
    }

    /// The instant it stands for: its own, or that of the run it repeats.
    pub fn stands_for(&self) -> Timestamp {
        self.again.as_ref().map_or_else(|| self.instant(), |again| again.at)
    }

    /// The business day it is of: where nothing else is said, the local date of its instant.
    pub fn business_day(&self) -> Option<Date> {
        let of_nominal = |nominal: &Nominal| {
            nominal.business_day.or_else(|| nominal.local.get(..10)?.parse().ok())
        };
        self.terms.business_day.or_else(|| self.nominal.as_ref().and_then(of_nominal))
    }

    /// The request it belongs to; `None` for an occurrence.
    pub fn request_label(&self) -> Option<&str> {
        let (_, label) = self.id.rest().split_once('@')?;
        label.starts_with("request-").then_some(label)
    }

    /// When its window opens, or what delays it ends; `None` where nothing does.
    pub fn not_before(&self) -> Option<Timestamp> {
        let window = self.terms.window.as_ref().map(|window| window.from);
        let moved = self.moved.as_ref().map(|moved| moved.to);
        window.max(moved).max(self.delayed.as_ref().map(|delayed| delayed.not_before))
    }

    /// Whether it has not started and nobody has decided that it never will.
    pub fn is_pending(&self) -> bool {
        self.attempts.is_empty()
            && matches!(
                self.state,
                State::Requested
                    | State::Held { .. }
                    | State::Waiting
                    | State::Blocked
                    | State::Due
            )
    }

    /// Whether a process of it runs, as far as is known.
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// How it ended.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::Ended { outcome } => Some(outcome),
            State::Requested
            | State::Held { .. }
            | State::Waiting
            | State::Blocked
            | State::Due
            | State::Parts
            | State::Running { .. }
            | State::Retrying { .. }
            | State::Unknown { .. } => None,
        }
    }

    /// Whether it has begun and not ended: a process of it runs, may run, or will run again, or its parts have begun.
    pub fn has_begun(&self) -> bool {
        self.state == State::Parts || (!self.attempts.is_empty() && !self.state.is_ended())
    }

    /// Whether it takes place on several hosts, in parts: it starts no process itself.
    pub fn is_whole(&self) -> bool {
        self.terms.hosts == Hosts::All && self.part_of.is_none()
    }

    /// The newest attempt.
    pub fn attempt(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// When it began, as far as is known: what a host did while it was cut off, the recorder received later, and its
    /// host says when it was.
    pub fn began(&self) -> Option<Timestamp> {
        self.attempts.first().map(|first| self.began_of(first))
    }

    /// When this attempt of it began, as far as is known.
    pub fn began_of(&self, attempt: &Attempt) -> Timestamp {
        let said = attempt.report.as_ref().filter(|_| self.by_host).map(|report| report.began);
        said.unwrap_or(attempt.started)
    }

    /// By how much it began later than its job allows, milliseconds. What was moved, or waits for its window, is expected
    /// then. `None` where it began in time, or has no time of its own.
    pub fn began_late_ms(&self) -> Option<i64> {
        let due = self.nominal.as_ref().map(|nominal| nominal.at).max(self.not_before())?;
        let ms = self.began()?.as_millisecond() - due.as_millisecond();
        (ms > i64::try_from(self.late_after_ms).unwrap_or(i64::MAX)).then_some(ms)
    }

    /// When it changed last, or ended; of what a host did by itself, as its host says.
    pub fn ended_at(&self) -> Timestamp {
        let alone = self.by_host && self.attempts.len() == 1;
        let report = self.attempt().and_then(|attempt| attempt.report.as_ref());
        report.filter(|_| alone).map_or(self.changed, |report| report.ended)
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
            asked_by: None,
            pool: String::new(),
            host: None,
            retry: RetryRule::default(),
            behind: Vec::new(),
            catch_up: false,
            late_after_ms: 0,
            created: received,
            changed: received,
            terms: Box::default(),
            given: BTreeMap::new(),
            again: None,
            of_flow: false,
            confirmed: None,
            cleared: false,
            cleared_by: Vec::new(),
            blocked: None,
            released: false,
            delayed: None,
            moved: None,
            unmet: None,
            late: Vec::new(),
            part_of: None,
            by_host: false,
            parts: Vec::new(),
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
            RunEvent::RunRequested(e) => {
                self.request = Some(e.reason.clone());
                self.asked_by = ctx.actor.map(str::to_owned);
                self.given.clone_from(&e.parameters);
                self.again.clone_from(&e.again);
                self.of_flow = e.of_flow;
            }
            RunEvent::RunDue(e) => {
                self.by_host = ctx.producer.class() == Class::Executor;
                self.become_due(e);
            }
            RunEvent::RunReleased(_) => {
                self.released = true;
                self.state = self.ready();
            }
            RunEvent::RunHeld(e) => self.state = State::Held { reason: e.reason.clone() },
            RunEvent::RunDelayed(e) => self.delayed = Some(e.clone()),
            RunEvent::RunConfirmed(_) => {
                self.confirmed = Some(ctx.actor.unwrap_or_default().to_owned());
                self.renew_readiness();
            }
            RunEvent::RunCleared(_) | RunEvent::RunOverridden(_) => {
                if let RunEvent::RunCleared(e) = event {
                    self.cleared_by.clone_from(&e.by);
                }
                self.cleared = true;
                self.blocked = None;
                self.renew_readiness();
            }
            RunEvent::RunBlocked(e) => {
                self.blocked = Some(e.clone());
                self.renew_readiness();
            }
            RunEvent::RunNeedsUnmet(e) => self.unmet = Some(e.clone()),
            RunEvent::RunLate(e) => self.late.push(e.clone()),
            RunEvent::RunDivided(e) => {
                self.parts.clone_from(&e.hosts);
                self.state = State::Parts;
            }
            RunEvent::RunGathered(e) => {
                if !e.others.is_empty() {
                    self.message = Some(format!("not on {}", e.others.join(", ")));
                }
                self.end(e.outcome);
            }
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
                self.note(&e.report, ctx);
                self.message = None;
                self.end(if e.warning { Outcome::Warning } else { Outcome::Succeeded });
            }
            RunEvent::RunFailed(e) => {
                self.note(&e.report, ctx);
                self.message = Some(e.message.clone());
                let code = exit_code(&e.report);
                self.end_or_retry(e.attempt, Outcome::Failed, RetryOn::Failed, code);
            }
            RunEvent::RunTimedOut(e) => {
                self.note(&e.report, ctx);
                self.message = Some(format!("stopped after {} ms", e.after_ms));
                self.end_or_retry(e.attempt, Outcome::TimedOut, RetryOn::TimedOut, None);
            }
            RunEvent::RunCancelRequested(e) => {
                let (reason, by) = (e.reason.clone(), ctx.actor.map(str::to_owned));
                self.cancel = Some(CancelRequest { reason, by });
            }
            RunEvent::RunCancelled(e) => {
                if let Some(report) = &e.report {
                    self.note(report, ctx);
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
            RunEvent::RunReported(e) => self.note(&e.report, ctx),
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
        self.terms = due.terms.clone();
        self.moved.clone_from(&due.moved);
        self.part_of.clone_from(&due.part_of);
        self.state = match &due.hold {
            Some(reason) => State::Held { reason: reason.clone() },
            None => self.ready(),
        };
    }

    /// Whether somebody must still say go.
    pub fn is_unconfirmed(&self) -> bool {
        self.terms.confirm.is_some() && self.confirmed.is_none()
    }

    /// Where it stands once nobody holds it.
    fn ready(&self) -> State {
        let asked = self.is_unconfirmed();
        let waits = !self.cleared && (asked || !self.terms.after.is_empty());
        match (waits, self.blocked.is_some()) {
            (true, true) => State::Blocked,
            (true, false) => State::Waiting,
            (false, _) => State::Due,
        }
    }

    /// Something it waits for has changed; who is held stays held.
    fn renew_readiness(&mut self) {
        if matches!(self.state, State::Waiting | State::Blocked) {
            self.state = self.ready();
        }
    }

    fn start(&mut self, started: &RunStarted, ctx: Context<'_>) {
        self.attempts.push(Attempt {
            number: started.attempt,
            host: started.host.clone(),
            producer: ctx.producer.clone(),
            started: ctx.received,
            lease_ms: started.lease_ms,
            report: None,
            payload: None,
            lost: None,
        });
        self.state = State::Running { attempt: started.attempt };
    }

    fn note(&mut self, report: &AttemptReport, ctx: Context<'_>) {
        if let Some(attempt) = self.attempts.iter_mut().find(|a| a.number == report.attempt) {
            attempt.report = Some(report.clone());
            attempt.payload = ctx.payload.cloned();
        }
    }

    fn lose(&mut self, number: u32, reason: &str) {
        if let Some(attempt) = self.attempts.iter_mut().find(|a| a.number == number) {
            attempt.lost = Some(reason.to_owned());
        }
        self.message = Some(format!("attempt {number} was lost: {reason}"));
        self.state = match self.next_attempt(number, RetryOn::Lost, None) {
            Some(attempt) => State::Retrying { attempt, after: RetryOn::Lost, not_before: None },
            None => State::Unknown { attempt: number },
        };
    }

    fn end_or_retry(&mut self, number: u32, outcome: Outcome, on: RetryOn, code: Option<i32>) {
        match self.next_attempt(number, on, code) {
            Some(attempt) => self.state = State::Retrying { attempt, after: on, not_before: None },
            None => self.end(outcome),
        }
    }

    fn end(&mut self, outcome: Outcome) {
        self.state = State::Ended { outcome };
    }

    /// The number of the attempt that follows `attempt` after such an outcome; `None` where none does. `code` is
    /// the exit code of a failure that has one.
    fn next_attempt(&self, attempt: u32, on: RetryOn, code: Option<i32>) -> Option<u32> {
        let rule = &self.retry;
        let left = (attempt as usize) <= rule.delays_ms.len();
        let codes = on != RetryOn::Failed
            || rule.codes.is_empty()
            || code.is_some_and(|code| rule.codes.iter().any(|c: &Codes| c.contains(code)));
        let wanted = left && codes && rule.on.contains(&on) && self.cancel.is_none();
        wanted.then_some(attempt + 1)
    }

    /// Milliseconds to wait before attempt `number`, by the job's rule. What the rule leaves to chance is drawn from
    /// the run's name, so that whoever computes it gets the same.
    pub fn delay_ms_before(&self, number: u32) -> u64 {
        let index = (number as usize).saturating_sub(2);
        let delay = self.retry.delays_ms.get(index).copied().unwrap_or(0);
        let span = delay / 100 * u64::from(self.retry.jitter_percent.min(100));
        if span == 0 {
            return delay;
        }
        let drawn = Digest::of(format!("{}#{number}", self.id).as_bytes());
        let drawn = drawn.0.iter().take(8).fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
        delay - span + drawn % (2 * span + 1)
    }

    /// The host on which the next attempt must run, by the run or by its retry rule.
    pub fn wanted_host(&self) -> Option<&str> {
        let same = self.retry.host == RetryHost::Same;
        let before = self.attempt().filter(|_| same).map(|attempt| attempt.host.as_str());
        self.host.as_deref().or(before)
    }

    /// The host on which the next attempt must not run, if there is another.
    pub fn avoided_host(&self) -> Option<&str> {
        let other = self.retry.host == RetryHost::Other;
        self.attempt().filter(|_| other).map(|attempt| attempt.host.as_str())
    }
}

fn exit_code(report: &AttemptReport) -> Option<i32> {
    match report.end {
        CommandEnd::Exited { code } => Some(code),
        CommandEnd::Signaled { .. } | CommandEnd::NotStarted { .. } => None,
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
        | RunEvent::RunHeld(_)
        | RunEvent::RunDelayed(_)
        | RunEvent::RunConfirmed(_)
        | RunEvent::RunCleared(_)
        | RunEvent::RunBlocked(_)
        | RunEvent::RunOverridden(_)
        | RunEvent::RunNeedsUnmet(_)
        | RunEvent::RunLate(_)
        | RunEvent::RunGathered(_)
        | RunEvent::RunDivided(_)
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

/// The instant of an occurrence that a first event accounts for.
pub(crate) fn accounted_instant(event: &RunEvent) -> Option<(&str, Timestamp)> {
    let (job, _, nominal) = origin(event)?;
    let part = matches!(event, RunEvent::RunDue(due) if due.part_of.is_some());
    Some((job, nominal.filter(|_| !part)?.at))
}

/// The instant of an occurrence that a first event settles: by it the recorder knows how far a job's
/// schedule is accounted for. What was moved ahead of its time accounts for itself and settles nothing.
pub(crate) fn settled_instant(event: &RunEvent) -> Option<(&str, Timestamp)> {
    accounted_instant(event).filter(|_| !is_ahead(event))
}

/// Whether the event makes an occurrence due ahead of its time, because somebody said so.
pub(crate) fn is_ahead(event: &RunEvent) -> bool {
    matches!(event, RunEvent::RunDue(due) if due.moved.as_ref().is_some_and(|moved| moved.ahead))
}

/// The occurrence that the event makes due ahead of its time.
pub(crate) fn ahead_instant(event: &RunEvent) -> Option<(&str, Timestamp)> {
    accounted_instant(event).filter(|_| is_ahead(event))
}

/// The occurrence that a first event is about, in its place among the others of its job.
pub(crate) fn nominal(event: &RunEvent) -> Option<&Nominal> {
    settled_instant(event)?;
    origin(event)?.2
}
