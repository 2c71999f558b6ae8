//! What a command is, and how its attempts are started again, stopped and judged.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::RetryOn;
use crate::time::HumanDuration;

/// A command and its surroundings. Standard input is empty unless `stdin` gives a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Command {
    /// Program and arguments. No shell reads them.
    #[serde(default)]
    pub argv: Option<Vec<String>>,
    /// The text of a script, instead of `argv`. Tokens in it are left as they are: values reach a script by its
    /// environment.
    #[serde(default)]
    pub script: Option<String>,
    /// What runs the script.
    #[serde(default = "sh")]
    pub interpreter: Vec<String>,
    /// Working directory; without one, the attempt's own.
    #[serde(default)]
    pub cwd: Option<String>,
    /// Environment, added to a small standard one.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Text on standard input.
    #[serde(default)]
    pub stdin: Option<String>,
}

impl Default for Command {
    fn default() -> Self {
        Self {
            argv: None,
            script: None,
            interpreter: sh(),
            cwd: None,
            env: BTreeMap::new(),
            stdin: None,
        }
    }
}

impl Command {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What happens to occurrences whose time passed while nobody could start them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CatchUp {
    /// All are missed.
    None,
    /// The newest runs, the others are missed.
    #[default]
    Last,
    /// The newest `limit` run in their order, the others are missed.
    All {
        /// How many, 1 to 1000.
        limit: u32,
    },
    /// The newest waits for a person, the others are missed.
    Hold,
}

/// What happens when a run becomes due while an earlier one of the job has not ended. A run whose
/// outcome is unknown has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// The new one is skipped.
    #[default]
    Skip,
    /// One waits; others are skipped.
    QueueOne,
    /// Up to `limit` wait.
    QueueAll {
        /// How many, 1 to 1000.
        limit: u32,
    },
    /// The earlier one is cancelled, the new one starts when it has ended.
    CancelRunning,
}

/// How an attempt is stopped: a signal to all its processes, time to end in order, then SIGKILL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Stop {
    /// The first signal.
    #[serde(default = "term")]
    pub signal: String,
    /// Time between the first signal and SIGKILL.
    #[serde(default = "ten_seconds")]
    pub grace: HumanDuration,
}

/// When a run is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Retry {
    /// Wait before the second attempt, the third, …
    #[serde(default)]
    pub delays: Vec<HumanDuration>,
    /// After which outcomes.
    #[serde(default = "failed_or_timed_out")]
    pub on: Vec<RetryOn>,
    /// By how many percent a wait is lengthened or shortened at random, so that many do not come at once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub jitter_percent: u8,
    /// Where the next attempt runs.
    #[serde(default, skip_serializing_if = "RetryHost::is_any")]
    pub host: RetryHost,
}

/// Where an attempt after the first runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RetryHost {
    /// Wherever the job may run.
    #[default]
    Any,
    /// On the host of the attempt before.
    Same,
    /// On another one, if there is one.
    Other,
}

impl RetryHost {
    /// Whether it is the usual.
    pub fn is_any(&self) -> bool {
        *self == Self::Any
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(n: &u8) -> bool {
    *n == 0
}

/// What an exit code means: `ok` and `warning` succeed, every other fails. A code is a number, or a range
/// such as `10-19`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExitCodes {
    /// Codes that mean success.
    #[serde(default = "zero")]
    pub ok: Vec<Codes>,
    /// Codes that mean success with something to look at.
    #[serde(default)]
    pub warning: Vec<Codes>,
    /// Failures after which it is worth trying again; every failure where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry: Vec<Codes>,
}

/// Exit codes from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Codes {
    /// The lowest.
    pub from: i32,
    /// The highest.
    pub to: i32,
}

impl Codes {
    /// One code.
    pub const fn one(code: i32) -> Self {
        Self { from: code, to: code }
    }

    /// Whether `code` is one of them.
    pub fn contains(self, code: i32) -> bool {
        (self.from..=self.to).contains(&code)
    }
}

impl ExitCodes {
    /// Whether `code` is in `list`.
    pub fn has(list: &[Codes], code: i32) -> bool {
        list.iter().any(|codes| codes.contains(code))
    }
}

impl Serialize for Codes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.from == self.to {
            return self.from.serialize(serializer);
        }
        serializer.collect_str(&format_args!("{}-{}", self.from, self.to))
    }
}

impl<'de> Deserialize<'de> for Codes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CodesVisitor)
    }
}

struct CodesVisitor;

impl Visitor<'_> for CodesVisitor {
    type Value = Codes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an exit code, or a range of them such as 10-19")
    }

    fn visit_i64<E: de::Error>(self, code: i64) -> Result<Codes, E> {
        let code = i32::try_from(code).ok().filter(|code| (0..=255).contains(code));
        code.map(Codes::one).ok_or_else(|| E::custom("an exit code is 0 to 255"))
    }

    fn visit_u64<E: de::Error>(self, code: u64) -> Result<Codes, E> {
        self.visit_i64(i64::try_from(code).unwrap_or(i64::MAX))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Codes, E> {
        let bad = || E::custom(format!("`{text}` is no range of exit codes: write 10-19"));
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let number = |part: &str| part.trim().parse::<u8>().map(i32::from).map_err(|_| bad());
        let (from, to) = (number(from)?, number(to)?);
        if from <= to { Ok(Codes { from, to }) } else { Err(bad()) }
    }
}

impl JsonSchema for Codes {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Codes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": 255 },
                { "type": "string", "pattern": "^[0-9]{1,3}(-[0-9]{1,3})?$", "examples": ["10-19"] },
            ],
        })
    }
}

/// What an attempt may use of its host, as far as the host can bound it (in control groups of its own, cgroup v2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    /// Most memory of all its processes together, in bytes. Beyond it they are killed, and the run fails and says so.
    /// Without it a command has no limit, and the engine of a backup or a restore has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How much output is kept, and what in it decides the outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OutputRule {
    /// Bytes kept, uncompressed.
    #[serde(default = "ten_mebibytes")]
    pub limit_bytes: u64,
    /// What happens beyond.
    #[serde(default)]
    pub at_limit: AtLimit,
    /// Most bytes a second that are taken from the command; it waits where it writes faster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// Texts without which the run has failed, whatever its exit code. Each is a part of a line, or a regular
    /// expression between slashes: `/^rows: [1-9]/`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub success_text: Vec<String>,
    /// Texts with any of which the run has failed, whatever its exit code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failure_text: Vec<String>,
}

impl OutputRule {
    /// The texts that mean success, and those that mean failure.
    pub fn texts(&self) -> impl Iterator<Item = &String> {
        self.success_text.iter().chain(&self.failure_text)
    }
}

/// What happens when a command writes more than is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AtLimit {
    /// The rest is counted and dropped.
    #[default]
    Truncate,
    /// The attempt is stopped and has failed.
    Fail,
}

fn sh() -> Vec<String> {
    vec!["/bin/sh".to_owned(), "-eu".to_owned()]
}

fn term() -> String {
    "TERM".to_owned()
}

fn ten_seconds() -> HumanDuration {
    HumanDuration::from_secs(10)
}

fn zero() -> Vec<Codes> {
    vec![Codes::one(0)]
}

fn ten_mebibytes() -> u64 {
    10 * 1024 * 1024
}

fn failed_or_timed_out() -> Vec<RetryOn> {
    vec![RetryOn::Failed, RetryOn::TimedOut]
}

impl Default for Stop {
    fn default() -> Self {
        Self { signal: term(), grace: ten_seconds() }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            delays: Vec::new(),
            on: failed_or_timed_out(),
            jitter_percent: 0,
            host: RetryHost::Any,
        }
    }
}

impl Default for ExitCodes {
    fn default() -> Self {
        Self { ok: zero(), warning: Vec::new(), retry: Vec::new() }
    }
}

impl Default for OutputRule {
    fn default() -> Self {
        Self {
            limit_bytes: ten_mebibytes(),
            at_limit: AtLimit::default(),
            bytes_per_second: None,
            success_text: Vec::new(),
            failure_text: Vec::new(),
        }
    }
}
