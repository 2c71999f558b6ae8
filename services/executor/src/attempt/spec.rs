//! What is to be run: `spec.json`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::backup::order::BackupOrder;
use crate::print::PrintTouches;
use crate::print::order::PrintOrder;

/// One start of one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The run's identity.
    pub run: String,
    /// Which start of the run this is, from 1.
    pub attempt: u32,
    /// The job's name; the command sees it as `DECKLOG_JOB`.
    pub job: String,
    /// The business day of the run; the command sees it as `DECKLOG_BUSINESS_DATE`.
    #[serde(default)]
    pub business_date: Option<String>,
    /// Why nothing is to be started: then this is all that happens, and it is said.
    #[serde(default)]
    pub refused: Option<String>,
    /// What to start.
    pub program: Program,
    /// Where to start it; the user's home directory if not given, or `/` if there is none.
    pub cwd: Option<PathBuf>,
    /// Added to the clean environment; wins over it.
    pub env: BTreeMap<String, String>,
    /// Variables that hold secrets, and where each secret is: looked up by the supervisor just before the start.
    /// They win over `env`.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// By name, the commands of the providers that `exec:` secrets are asked of.
    #[serde(default)]
    pub providers: BTreeMap<String, Vec<String>>,
    /// The user; the executor's own if not given.
    pub run_as: Option<String>,
    /// Longest run time, after which the stop ladder begins.
    pub timeout_ms: Option<u64>,
    /// How the command is stopped.
    pub stop: Stop,
    /// How much output is kept.
    pub output: OutputLimit,
    /// What the command reads; nothing if not given.
    pub stdin: Option<String>,
    /// A cgroup v2 directory in which the command gets a group of its own; see [`super::cgroup`].
    pub cgroup: Option<PathBuf>,
    /// Most memory of all its processes together, in bytes; held where the group can bound memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// For an engine, what its work touches and what is to be said of it. It then gets a file for its report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Box<BackupOrder>>,
    /// For a job that prints, what is printed and how. Its child gets a file for its report, and a directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub print: Option<Box<PrintOrder>>,
    /// What it touches of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub print_touches: Option<Box<PrintTouches>>,
    /// Files that the command leaves and that are kept, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub artefacts: super::artefacts::Artefacts,
    /// Kept for whoever reads the specification after the end; means nothing to a supervisor.
    pub memo: Value,
}

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Program {
    /// A program and its arguments; no shell.
    Argv(Vec<String>),
    /// A text, started as the interpreter with the path of a file that holds the text.
    Script {
        /// Program and first arguments, for example `["/bin/sh", "-e"]`.
        interpreter: Vec<String>,
        /// The script itself.
        text: String,
    },
}

/// The stop ladder: a signal to everything the command started, a grace, then `KILL`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// `TERM`, `INT`, … with or without `SIG`.
    pub signal: String,
    /// Milliseconds between the signal and `KILL`.
    pub grace_ms: u64,
}

/// How much output is kept and how fast it is taken, what happens beyond, and what is looked for in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputLimit {
    /// The first so many bytes are kept.
    pub bytes: u64,
    /// What happens at the limit.
    pub at_limit: AtLimit,
    /// Most bytes a second that are taken from the command.
    #[serde(default)]
    pub bytes_per_second: Option<u64>,
    /// Texts of which one must be in a line.
    #[serde(default)]
    pub success_text: Vec<String>,
    /// Texts of which none may be in a line.
    #[serde(default)]
    pub failure_text: Vec<String>,
}

/// What happens when a command writes more than is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AtLimit {
    /// The rest is counted and dropped.
    Truncate,
    /// The command is stopped.
    Fail,
}

impl Program {
    /// What is really executed: the program, or the interpreter of a script.
    #[must_use]
    pub fn executed(&self) -> &[String] {
        match self {
            Self::Argv(words) => words,
            Self::Script { interpreter, .. } => interpreter,
        }
    }
}

impl Stop {
    /// The signal as a number the kernel knows, or `None` if there is no such signal.
    pub(crate) fn signal(&self) -> Option<Signal> {
        let name = self.signal.strip_prefix("SIG").unwrap_or(&self.signal);
        Signal::from_str(&format!("SIG{name}")).ok()
    }
}

impl Spec {
    /// Whether the process is one of ours that says in a file what it did.
    pub(crate) fn reports(&self) -> bool {
        self.backup.is_some() || self.print.is_some()
    }

    /// What would keep this from being started on any host, or `None`.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.run.is_empty() {
            return Some("the run has no name".into());
        }
        if self.program.executed().first().is_none_or(String::is_empty) {
            return Some("no program is named".into());
        }
        if self.stop.signal().is_none() {
            return Some(format!(
                "there is no signal {:?}; use TERM, INT, HUP …",
                self.stop.signal
            ));
        }
        self.zero_byte().or_else(|| self.bad_variable())
    }

    /// The kernel ends every string at a zero byte, so none can be passed on.
    fn zero_byte(&self) -> Option<String> {
        let words = self.program.executed().iter().chain(self.env.values());
        let mut named = words.chain([&self.run, &self.job]);
        named.find(|word| word.contains('\0')).map(|word| format!("{word:?} contains a zero byte"))
    }

    fn bad_variable(&self) -> Option<String> {
        let bad = |name: &&String| name.is_empty() || name.contains(['=', '\0']);
        self.env
            .keys()
            .chain(self.secrets.keys())
            .find(bad)
            .map(|name| format!("{name:?} cannot be a variable's name"))
    }
}
