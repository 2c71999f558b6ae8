//! What a job says.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::canonical::{Digest, canonical};
use crate::event::{DefinitionRef, RetryOn, RetryRule};
use crate::ids::is_name;
use crate::time::{DstPolicy, HumanDuration, Schedule, ScheduleError, ScheduleSpec};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Runs a command on a host.
    #[default]
    Command,
}

/// A job, as written in a YAML document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct JobDefinition {
    /// Its name: `[a-z0-9][a-z0-9._-]{0,62}`.
    pub name: String,
    /// What it does.
    #[serde(default)]
    pub kind: Kind,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub description: String,
    /// Whom to ask about it.
    #[serde(default)]
    pub owner: String,
    /// When it runs; without a schedule it runs only when somebody asks for it.
    #[serde(default)]
    pub schedule: Option<ScheduleSpec>,
    /// The IANA zone in which the schedule's wall-clock times are meant.
    #[serde(default = "utc")]
    pub zone: String,
    /// What happens to a fixed time that the clock skips or shows twice.
    #[serde(default)]
    pub dst: DstPolicy,
    /// How late an occurrence may be decided before the catch-up rule applies, and how late it may
    /// start before it counts as late.
    #[serde(default = "one_minute")]
    pub late_after: HumanDuration,
    /// What happens to occurrences whose time passed while nobody could start them.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// What happens when an earlier run has not ended.
    #[serde(default)]
    pub overlap: Overlap,
    /// The pool of hosts that may run it.
    #[serde(default = "default_pool")]
    pub pool: String,
    /// The one host that may run it.
    #[serde(default)]
    pub host: Option<String>,
    /// The account it runs as; without one, the account the host's executor runs as.
    #[serde(default)]
    pub run_as: Option<String>,
    /// What is run.
    pub command: Command,
    /// How long an attempt may take.
    #[serde(default)]
    pub timeout: Option<HumanDuration>,
    /// How an attempt is stopped.
    #[serde(default)]
    pub stop: Stop,
    /// When it is tried again.
    #[serde(default)]
    pub retry: Retry,
    /// What an exit code means.
    #[serde(default)]
    pub exit_codes: ExitCodes,
    /// How much output is kept.
    #[serde(default)]
    pub output: OutputRule,
    /// Whether it may be started again although nobody knows how an earlier attempt ended.
    #[serde(default)]
    pub restartable: bool,
}

/// A command and its surroundings. Standard input is empty unless `stdin` gives a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Command {
    /// Program and arguments. No shell reads them.
    #[serde(default)]
    pub argv: Option<Vec<String>>,
    /// The text of a script, instead of `argv`.
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
}

/// What an exit code means: `ok` and `warning` succeed, every other fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExitCodes {
    /// Codes that mean success.
    #[serde(default = "zero")]
    pub ok: Vec<i32>,
    /// Codes that mean success with something to look at.
    #[serde(default)]
    pub warning: Vec<i32>,
}

/// How much output is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OutputRule {
    /// Bytes kept, uncompressed.
    #[serde(default = "ten_mebibytes")]
    pub limit_bytes: u64,
    /// What happens beyond.
    #[serde(default)]
    pub at_limit: AtLimit,
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

fn utc() -> String {
    "UTC".to_owned()
}

fn default_pool() -> String {
    "default".to_owned()
}

fn sh() -> Vec<String> {
    vec!["/bin/sh".to_owned(), "-eu".to_owned()]
}

fn term() -> String {
    "TERM".to_owned()
}

fn one_minute() -> HumanDuration {
    HumanDuration::from_secs(60)
}

fn ten_seconds() -> HumanDuration {
    HumanDuration::from_secs(10)
}

fn zero() -> Vec<i32> {
    vec![0]
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
        Self { delays: Vec::new(), on: failed_or_timed_out() }
    }
}

impl Default for ExitCodes {
    fn default() -> Self {
        Self { ok: zero(), warning: Vec::new() }
    }
}

impl Default for OutputRule {
    fn default() -> Self {
        Self { limit_bytes: ten_mebibytes(), at_limit: AtLimit::default() }
    }
}

/// One thing that is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field, as written in YAML.
    pub field: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Most retries.
const RETRIES_MAX: usize = 20;
/// Most runs that may wait or be caught up.
const LIMIT_MAX: u32 = 1000;
/// Most output that is kept, in bytes.
const OUTPUT_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Largest definition as canonical JSON: it must fit into an envelope with room to spare.
pub(crate) const DEFINITION_BYTES_MAX: usize = 12 * 1024;
/// Signals a stop may begin with.
const SIGNALS: [&str; 6] = ["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"];

impl JobDefinition {
    /// Everything that is wrong with it; empty when it can be proposed.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Problems::default();
        self.check_names(&mut found);
        self.check_schedule(&mut found);
        self.check_command(&mut found);
        self.check_limits(&mut found);
        found.0
    }

    fn check_names(&self, found: &mut Problems) {
        let names =
            [("name", Some(&self.name)), ("pool", Some(&self.pool)), ("host", self.host.as_ref())];
        for (field, name) in names {
            if let Some(name) = name
                && !is_name(name)
            {
                found.add(
                    field,
                    format!("{name:?} is not a name (a-z, 0-9, '.', '_', '-'; at most 63)"),
                );
            }
        }
        if self.description.len() > 1000 || self.owner.len() > 200 {
            found.add("description", "description has at most 1000 bytes, owner 200".to_owned());
        }
    }

    fn check_schedule(&self, found: &mut Problems) {
        if let Some(Err(error)) = self.parsed_schedule() {
            found.add("schedule", error.to_string());
        }
    }

    fn check_command(&self, found: &mut Problems) {
        let command = &self.command;
        match (&command.argv, &command.script) {
            (Some(argv), None) if argv.first().is_none_or(String::is_empty) => {
                found.add("command.argv", "the first entry names the program".to_owned());
            }
            (None, Some(script)) if script.trim().is_empty() => {
                found.add("command.script", "the script is empty".to_owned());
            }
            (Some(_), None) | (None, Some(_)) => {}
            (None, None) => found.add("command", "give either argv or script".to_owned()),
            (Some(_), Some(_)) => found.add("command", "give argv or script, not both".to_owned()),
        }
        if command.interpreter.is_empty() {
            found.add("command.interpreter", "it names at least a program".to_owned());
        }
        if command.cwd.as_ref().is_some_and(|cwd| !cwd.starts_with('/')) {
            found.add("command.cwd", "it is an absolute path".to_owned());
        }
        for name in command.env.keys() {
            if name.is_empty() || name.contains(['=', '\0']) {
                found.add("command.env", format!("{name:?} is not a variable's name"));
            }
        }
        let texts = command.argv.iter().flatten().chain(command.env.values());
        if texts.chain(&command.script).any(|text| text.contains('\0')) {
            found.add("command", "no text of it may contain a NUL byte".to_owned());
        }
    }

    fn check_limits(&self, found: &mut Problems) {
        if !SIGNALS.contains(&self.stop.signal.as_str()) {
            found.add("stop.signal", format!("one of {}", SIGNALS.join(", ")));
        }
        if self.timeout.is_some_and(|t| t.millis() < 100) {
            found.add("timeout", "at least 100ms".to_owned());
        }
        if self.retry.delays.len() > RETRIES_MAX {
            found.add("retry.delays", format!("at most {RETRIES_MAX}"));
        }
        if self.retry.on.contains(&RetryOn::Lost) && !self.restartable {
            let text = "`lost` needs `restartable: true`: nobody knows whether the work was done";
            found.add("retry.on", text.to_owned());
        }
        if let CatchUp::All { limit } = self.catch_up
            && !(1..=LIMIT_MAX).contains(&limit)
        {
            found.add("catch-up.all.limit", format!("1 to {LIMIT_MAX}"));
        }
        if let Overlap::QueueAll { limit } = self.overlap
            && !(1..=LIMIT_MAX).contains(&limit)
        {
            found.add("overlap.queue-all.limit", format!("1 to {LIMIT_MAX}"));
        }
        if self.output.limit_bytes > OUTPUT_BYTES_MAX {
            found.add("output.limit-bytes", format!("at most {OUTPUT_BYTES_MAX}"));
        }
        let size = canonical(self).map_or(0, |bytes| bytes.len());
        if size > DEFINITION_BYTES_MAX {
            let text = format!(
                "the definition is {size} bytes as JSON, the limit is {DEFINITION_BYTES_MAX}: put a long script into a file on the host"
            );
            found.add("command", text);
        }
    }

    /// The schedule, ready to be asked; `None` for a job that runs only on request.
    pub fn parsed_schedule(&self) -> Option<Result<Schedule, ScheduleError>> {
        let spec = self.schedule.as_ref()?;
        Some(Schedule::parse(spec, &self.zone, self.dst))
    }

    /// SHA-256 of the canonical JSON: what an approval names.
    ///
    /// # Errors
    /// The definition cannot be written as JSON.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        canonical(self).map(|bytes| Digest::of(&bytes))
    }

    /// The retry rule as a run carries it.
    pub fn retry_rule(&self) -> RetryRule {
        RetryRule {
            delays_ms: self.retry.delays.iter().map(|d| d.millis()).collect(),
            on: self.retry.on.clone(),
        }
    }

    /// How many runs may wait behind one that has not ended.
    pub fn queue_limit(&self) -> u32 {
        match self.overlap {
            Overlap::Skip => 0,
            Overlap::QueueOne | Overlap::CancelRunning => 1,
            Overlap::QueueAll { limit } => limit,
        }
    }
}

impl DefinitionRef {
    /// Names the definition `number` with this digest.
    pub fn new(number: u32, digest: Digest) -> Self {
        Self { number, digest }
    }
}

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, field: &str, message: String) {
        self.0.push(Problem { field: field.to_owned(), message });
    }
}
