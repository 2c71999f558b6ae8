//! What became of it: `status.json`, the supervisor's final word.

use domain::event::TextFound;
use serde::{Deserialize, Serialize};

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// How the command itself ended.
    pub outcome: Outcome,
    /// Who ended it.
    pub cause: Cause,
    /// Just before the command was started: microseconds since 1970, by the host's clock.
    pub started: i64,
    /// When the command and all it left behind had ended, by the same clock.
    pub ended: i64,
    /// The command's process; 0 if there never was one.
    pub pid: u32,
    /// What it wrote.
    pub output: Output,
    /// What in the output decides the outcome, if anything does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextFound>,
    /// What it used, as far as the kernel says.
    pub usage: Option<Usage>,
    /// Descendants that were left and had to be killed.
    pub killed: Vec<Killed>,
    /// What was done to stop it, step by step, and what could not be done.
    pub ladder: Vec<String>,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Outcome {
    /// It ended by itself, or after being asked to.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// A signal ended it.
    Signaled {
        /// The signal's number.
        signal: i32,
    },
    /// It never ran.
    NotStarted {
        /// Why, and what to do.
        message: String,
    },
}

/// Who ended a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Cause {
    /// The command itself, or someone who is none of ours.
    Own,
    /// It ran longer than allowed.
    Timeout,
    /// It was asked to stop.
    Cancelled {
        /// The reason that was given.
        reason: String,
    },
    /// It wrote more than allowed.
    OutputLimit,
    /// The kernel killed it because it needed more memory than allowed.
    Memory,
}

/// What a command wrote to stdout and stderr, interleaved; wherever it wrote a secret, three stars count instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// SHA-256 of the kept bytes before compression, in hexadecimal.
    pub sha256: String,
    /// Bytes the command wrote.
    pub bytes: u64,
    /// Bytes that were kept, from the first on.
    pub kept: u64,
    /// Bytes on disk.
    pub stored: u64,
    /// Whether less was kept than written.
    pub truncated: bool,
}

/// What a command and the children it waited for used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Largest resident size of a single process; never below the few MiB the supervisor itself has.
    pub max_rss_kib: u64,
    /// Processor time in user mode.
    pub user_us: u64,
    /// Processor time in the kernel.
    pub system_us: u64,
}

/// A process that had to be killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Killed {
    /// Its number.
    pub pid: u32,
    /// Its name, as the kernel keeps it (15 bytes).
    pub comm: String,
}
