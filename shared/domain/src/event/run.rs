//! Bodies of `run.*`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::calendar::CalendarRef;
use crate::canonical::Digest;
use crate::ids::StreamId;
use crate::job::{After, AtEnd, Claim, Codes, Confirm, Hosts, Prefer, RetryHost, Selector};
use crate::run::Outcome;

/// The instant a schedule implied, and how it was found. Absent from a run a person asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nominal {
    /// The instant, UTC.
    pub at: Timestamp,
    /// The same instant in the schedule's zone, RFC 9557.
    pub local: String,
    /// The wall-clock times of the schedule that this instant stands for.
    pub walls: Vec<String>,
    /// How the wall-clock time became an instant: `exact`, `gap-shifted`, …
    pub reason: String,
    /// Version of the time zone database the scheduler used; `unknown` where the host does not say.
    pub tzdb: String,
    /// The business day it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_day: Option<Date>,
    /// Business days that a calendar moved here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved_from: Vec<Date>,
    /// The versions of the calendars that had a say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calendars: Vec<CalendarRef>,
    /// The job's occurrence accounted for just before this one; absent for the first. The recorder
    /// takes an occurrence only right after that one, so that none can be left out between two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Timestamp>,
}

/// Which definition of which job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefinitionRef {
    /// Number of the definition.
    pub number: u32,
    /// Digest of the definition.
    pub digest: Digest,
}

/// `run.requested` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRequested {
    /// The job.
    pub job: String,
    /// The definition that was active when it was asked for.
    pub definition: DefinitionRef,
    /// Why.
    pub reason: String,
    /// Values of parameters that differ from their defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// The run that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
    /// Whether it waits for other jobs' runs with the same request, as its job says of the same occurrence: it is
    /// one of a whole flow that was asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_flow: bool,
}

/// The run that another one repeats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// Its stream.
    pub run: StreamId,
    /// The instant it was about.
    pub at: Timestamp,
    /// The business day it was of.
    pub business_day: Date,
}

/// An outcome that a retry rule can name.
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
pub enum RetryOn {
    /// The command failed.
    Failed,
    /// The command took too long.
    TimedOut,
    /// Nobody knows how it ended, and the job may be started again.
    Lost,
}

/// When a run is tried again; part of `run.due`, so that the rest of a run's life can be read without
/// its job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct RetryRule {
    /// Milliseconds to wait before the second attempt, the third, …: as many attempts follow the
    /// first as there are delays.
    pub delays_ms: Vec<u64>,
    /// After which outcomes.
    pub on: Vec<RetryOn>,
    /// By how many percent a wait varies.
    #[serde(default, skip_serializing_if = "is_zero_percent")]
    pub jitter_percent: u8,
    /// The exit codes after which a failure is tried again; all where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<Codes>,
    /// Where attempts after the first run.
    #[serde(default, skip_serializing_if = "RetryHost::is_any")]
    pub host: RetryHost,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero_percent(n: &u8) -> bool {
    *n == 0
}

/// The time within which a run may start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartWindow {
    /// Not before.
    pub from: Timestamp,
    /// Before this.
    pub until: Timestamp,
    /// What becomes of a run that has not started then.
    pub at_end: AtEnd,
}

/// The instants by which a run has started or ended, if all is well.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadlines {
    /// It has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_by: Option<Timestamp>,
    /// It has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_by: Option<Timestamp>,
}

impl Deadlines {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a run waits for, where it may go, and what it is given: all that is decided when it becomes due, so that
/// the rest of its life can be read without its job.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The business day it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_day: Option<Date>,
    /// Within which time it may start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<StartWindow>,
    /// Other jobs' runs that must have ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<After>,
    /// Who must say go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Confirm>,
    /// When it is skipped if it still waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_by: Option<Timestamp>,
    /// What it holds of locks while it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<Claim>,
    /// Labels its host has.
    #[serde(default, skip_serializing_if = "Selector::is_empty")]
    pub select: Selector,
    /// On how many hosts it takes place.
    #[serde(default, skip_serializing_if = "Hosts::is_one")]
    pub hosts: Hosts,
    /// Which of several hosts is preferred.
    #[serde(default, skip_serializing_if = "Prefer::is_any")]
    pub prefer: Prefer,
    /// Values of its parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// When it counts as late.
    #[serde(default, skip_serializing_if = "Deadlines::is_empty")]
    pub deadlines: Deadlines,
}

impl Terms {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A person's order that an occurrence run at another instant than its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// The instant it was moved to.
    pub to: Timestamp,
    /// Whether that is before its own: then it does not account for the occurrences in between.
    pub ahead: bool,
    /// Why.
    pub reason: String,
}

/// `run.due` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunDue {
    /// The job.
    pub job: String,
    /// The definition that implies the occurrence, or was active when the run was asked for.
    pub definition: DefinitionRef,
    /// The instant; absent where a person asked for the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nominal: Option<Nominal>,
    /// Pool that may take it.
    pub pool: String,
    /// The one host that may take it, where the job names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Milliseconds between the instant and the decision.
    pub late_ms: u64,
    /// Milliseconds after its instant at which it counts as late.
    pub late_after_ms: u64,
    /// Whether it is run after its time, by the catch-up rule.
    pub catch_up: bool,
    /// Why a person must release it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// Runs of the same job that must end before it may start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<StreamId>,
    /// When it is tried again.
    pub retry: RetryRule,
    /// What it waits for and is given.
    #[serde(default, skip_serializing_if = "no_terms")]
    pub terms: Box<Terms>,
    /// It runs at another instant than its own, because somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
    /// For one of several runs that stand for one occurrence, one on each host: the run they are parts of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<StreamId>,
}

fn no_terms(terms: &Terms) -> bool {
    terms.is_empty()
}

/// `run.held` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunHeld {
    /// Why.
    pub reason: String,
}

/// `run.delayed` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunDelayed {
    /// It starts not before this instant.
    pub not_before: Timestamp,
    /// Why.
    pub reason: String,
    /// The blackout, where one is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blackout: Option<String>,
}

/// `run.confirmed` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfirmed {
    /// What they say about it.
    pub reason: String,
}

/// `run.cleared` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunCleared {
    /// For each run it waited for, in the order of its terms, the run that satisfies it.
    pub by: Vec<StreamId>,
}

/// `run.blocked` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunBlocked {
    /// The run it waits for.
    pub on: StreamId,
    /// How that one ended.
    pub outcome: Outcome,
}

/// `run.overridden` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunOverridden {
    /// Why.
    pub reason: String,
}

/// `run.needs-unmet` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunNeedsUnmet {
    /// The host that waits.
    pub host: String,
    /// What it waits for, a sentence each.
    pub unmet: Vec<String>,
}

/// A limit that a run can miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// It has not started by then.
    StartBy,
    /// It has not ended by then.
    FinishBy,
    /// It takes longer.
    LongerThan,
    /// It took shorter.
    ShorterThan,
}

/// `run.late` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunLate {
    /// Which limit it has missed.
    pub limit: Limit,
    /// For `start-by` and `finish-by`, the instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Timestamp>,
    /// For `longer-than` and `shorter-than`, the limit in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub than_ms: Option<u64>,
    /// For these, from how many earlier runs the limit comes; 0 for one that the job names itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_runs: Option<u32>,
}

/// `run.divided` 1: a run that takes place on several hosts starts; it has one part on each of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunDivided {
    /// The hosts.
    pub hosts: Vec<String>,
}

/// `run.gathered` 1: all parts of a run that takes place on several hosts have ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunGathered {
    /// How it ended: as the worst of its parts.
    pub outcome: Outcome,
    /// Hosts whose part did not succeed.
    pub others: Vec<String>,
}

/// `run.released` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunReleased {
    /// Why.
    pub reason: String,
}

/// By which rule a run is skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "rule", deny_unknown_fields)]
pub enum SkipReason {
    /// The job is paused.
    Paused,
    /// An earlier run of the job has not ended, or nobody knows whether it did.
    Overlap {
        /// That run.
        with: StreamId,
    },
    /// As many runs wait as may.
    QueueFull {
        /// How many may wait.
        limit: u32,
    },
    /// The job was retired before the run began.
    Retired,
    /// A calendar of the schedule leaves its day out.
    Calendar {
        /// The business day.
        day: Date,
        /// Why: what the calendar calls the day, or which calendars it is not in.
        because: String,
    },
    /// Its wall-clock time does not exist that day.
    Gap,
    /// A person said so before its time came.
    Ordered {
        /// Why.
        because: String,
    },
    /// A person said so.
    Person {
        /// Why.
        because: String,
    },
    /// It had not started when its window ended.
    Window {
        /// The window's end.
        until: Timestamp,
    },
    /// It would have started during a blackout.
    Blackout {
        /// Its name.
        name: String,
        /// Its end.
        until: Timestamp,
    },
    /// It still waited at its latest time.
    LatestBy {
        /// That time.
        until: Timestamp,
        /// What it waited for, in a sentence.
        waiting: String,
    },
    /// A parameter has no value that could be used.
    Parameters {
        /// Which, and why.
        because: String,
    },
}

/// `run.skipped` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSkipped {
    /// The job.
    pub job: String,
    /// The definition.
    pub definition: DefinitionRef,
    /// The instant; absent where a person asked for the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nominal: Option<Nominal>,
    /// By which rule.
    pub reason: SkipReason,
}

/// Why nobody started a run in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "rule", deny_unknown_fields)]
pub enum MissReason {
    /// No scheduler decided it in time, and the job does not catch up.
    NoCatchUp,
    /// A later one stands for it: the first that was not late then, or else the newest.
    Superseded {
        /// The run that stands for it.
        by: StreamId,
    },
    /// It may have run: what the log held of that time was lost.
    LogLost,
    /// Its host decided it when its lease was over: others may run the job by then.
    LeaseOver,
    /// More were missed than the job catches up.
    CatchUpLimit {
        /// How many it catches up.
        limit: u32,
    },
}

/// `run.missed` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunMissed {
    /// The job.
    pub job: String,
    /// The definition.
    pub definition: DefinitionRef,
    /// The instant.
    pub nominal: Nominal,
    /// Milliseconds between the instant and the decision.
    pub late_ms: u64,
    /// Why.
    pub reason: MissReason,
}

/// `run.started` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStarted {
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// The host.
    pub host: String,
    /// Digest of the definition the host holds: the recorder refuses another than the run's.
    pub definition: Digest,
    /// Milliseconds without a heartbeat after which the attempt is called lost.
    pub lease_ms: u64,
    /// The account it runs as.
    pub run_as: String,
    /// SHA-256 of the canonical JSON of the argument list.
    pub argv: Digest,
    /// SHA-256 of the script, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Digest>,
}

/// What in the output decided an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum TextFound {
    /// This failure text was found.
    Failure(String),
    /// None of the success texts was found.
    NoSuccess,
}

/// What an attempt wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputRef {
    /// SHA-256 of the kept bytes, uncompressed; absent where the envelope commits to them with a salt, so that nobody can try
    /// what they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// Bytes written by the command.
    pub bytes: u64,
    /// Bytes kept.
    pub kept: u64,
    /// Whether some were not kept, because of the job's limit.
    pub truncated: bool,
}

/// A file that a command left and that its host keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtefactRef {
    /// What the job calls it.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of them.
    pub sha256: Digest,
}

/// How a command ended, as the host saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how", deny_unknown_fields)]
pub enum CommandEnd {
    /// It ended by itself.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// A signal ended it.
    Signaled {
        /// The signal's number.
        signal: i32,
    },
    /// It never began.
    NotStarted {
        /// Why.
        message: String,
    },
}

/// What a host saw of an attempt from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttemptReport {
    /// Number of the attempt.
    pub attempt: u32,
    /// The host.
    pub host: String,
    /// How the command ended.
    pub end: CommandEnd,
    /// When it was started, by the host's clock.
    pub began: Timestamp,
    /// When it ended, by the host's clock.
    pub ended: Timestamp,
    /// What it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputRef>,
    /// Processes it left behind, which were killed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub killed: u32,
    /// What in the output decided the outcome, if anything did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextFound>,
    /// Files it left that the host keeps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artefacts: Vec<ArtefactRef>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// `run.succeeded` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSucceeded {
    /// Number of the attempt.
    pub attempt: u32,
    /// The host.
    pub host: String,
    /// Whether the exit code is one of those the job calls a warning.
    pub warning: bool,
    /// What the host saw.
    pub report: AttemptReport,
}

/// `run.failed` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFailed {
    /// Number of the attempt.
    pub attempt: u32,
    /// The host.
    pub host: String,
    /// One sentence for people.
    pub message: String,
    /// What the host saw.
    pub report: AttemptReport,
}

/// `run.timed-out` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunTimedOut {
    /// Number of the attempt.
    pub attempt: u32,
    /// The host.
    pub host: String,
    /// The limit, milliseconds.
    pub after_ms: u64,
    /// What the host saw.
    pub report: AttemptReport,
}

/// `run.cancel-requested` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunCancelRequested {
    /// Why.
    pub reason: String,
}

/// `run.cancelled` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunCancelled {
    /// Number of the attempt that was stopped; absent where none had begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The host, where an attempt had begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Why.
    pub reason: String,
    /// What the host saw, where an attempt had begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<AttemptReport>,
}

/// `run.lost` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunLost {
    /// Number of the attempt.
    pub attempt: u32,
    /// The host that had it.
    pub host: String,
    /// How it came to be unknown.
    pub reason: String,
}

/// `run.retry-scheduled` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRetryScheduled {
    /// Number of the attempt that will follow.
    pub attempt: u32,
    /// Not before this instant.
    pub not_before: Timestamp,
    /// After which outcome.
    pub after: RetryOn,
}

/// How a lost run ended, as far as a person can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// The work was done.
    Succeeded,
    /// The work was not done.
    Failed,
}

/// `run.resolved` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunResolved {
    /// How it ended.
    pub outcome: Resolution,
    /// What shows it.
    pub evidence: String,
}

/// `run.reported` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunReported {
    /// What the host saw.
    pub report: AttemptReport,
}
