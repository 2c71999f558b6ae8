//! Bodies of `run.*`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::canonical::Digest;
use crate::ids::StreamId;

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
    /// A later one was caught up instead.
    Superseded {
        /// The run that stands for it.
        by: StreamId,
    },
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

/// What an attempt wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputRef {
    /// SHA-256 of the kept bytes, uncompressed.
    pub sha256: Digest,
    /// Bytes written by the command.
    pub bytes: u64,
    /// Bytes kept.
    pub kept: u64,
    /// Whether some were not kept, because of the job's limit.
    pub truncated: bool,
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
