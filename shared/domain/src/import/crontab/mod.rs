//! crontab files: crontab(5) as cronie and Debian's cron read it.
//!
//! | module | is about |
//! |---|---|
//! | `assignment` | `NAME = value` lines and their quotes |
//! | `entry` | the time fields, the user and the command of a line |
//! | `percent` | `%` in a command: what the command reads on its standard input |
//! | `name` | a job's name, derived from its command |
//! | `reader` | the file from top to bottom, with what is in force at each line |

mod assignment;
mod entry;
mod name;
mod percent;
mod reader;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::ScheduleSpec;

/// Where a crontab comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file's name, for messages.
    pub file: String,
    /// Whether lines carry a user column.
    pub format: Format,
    /// The zone of the host the file comes from (an IANA name), which holds where `CRON_TZ` does not.
    pub default_zone: String,
}

/// The two kinds of crontab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A user's own, as `crontab -l` shows it: the command follows the time fields.
    User,
    /// `/etc/crontab` and files in `/etc/cron.d`: a user name stands before the command.
    System,
}

/// What became of a crontab. Every line that is neither blank nor a comment is in exactly one of `jobs`,
/// `assignments` and `left_out`; `notes` are remarks on such lines.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Imported {
    /// The lines taken over as jobs, in order.
    pub jobs: Vec<ImportedJob>,
    /// The environment settings, in order; each job carries those in force at its line.
    pub assignments: Vec<Assignment>,
    /// What a person should know about lines taken over.
    pub notes: Vec<Note>,
    /// The lines not taken over, each with the reason.
    pub left_out: Vec<LeftOut>,
}

/// A crontab line taken over as a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedJob {
    /// A name made from the command, unique within the file; matches `^[a-z0-9][a-z0-9._-]{0,62}$`.
    pub name: String,
    /// The line's number, from 1.
    pub line: usize,
    /// The time fields. They have been checked: the schedule reads and fires.
    pub schedule: ScheduleSpec,
    /// The zone in force: `CRON_TZ`, or the source's default.
    pub zone: String,
    /// The user column of a system crontab.
    pub user: Option<String>,
    /// The shell the command is given to: `SHELL`, or `/bin/sh`.
    pub shell: String,
    /// The command up to the first unescaped `%`; `\%` is a literal `%`.
    pub command: String,
    /// What the command reads on standard input: the text after the first unescaped `%`, further ones being
    /// line ends. It ends with a newline, as cron sends it.
    pub stdin: Option<String>,
    /// The settings in force, quotes stripped, without `CRON_TZ` and `RANDOM_DELAY`, which are cron's own.
    pub env: BTreeMap<String, String>,
    /// `MAILTO`, if it was set; an empty text means that mail was switched off.
    pub mailto: Option<String>,
}

/// A `NAME=value` line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The line's number, from 1.
    pub line: usize,
    /// The variable.
    pub name: String,
    /// Its value, quotes stripped.
    pub value: String,
}

/// A remark on a line that was taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The line's number, from 1.
    pub line: usize,
    /// The remark.
    pub text: String,
}

/// A line that was not taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The line's number, from 1.
    pub line: usize,
    /// The line as it stands in the file.
    pub text: String,
    /// Why it was left out, and what to do about it.
    pub reason: String,
}

/// Reads a crontab. It cannot fail: what is not understood is left out with the reason.
#[must_use]
pub fn parse(text: &str, source: &Source) -> Imported {
    reader::read(text, source)
}
