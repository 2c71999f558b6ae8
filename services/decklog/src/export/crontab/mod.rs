//! Jobs as crontab lines, and what of them a crontab cannot say.
//!
//! | module | is about |
//! |---|---|
//! | `times` | a schedule as five fields and the zone they hold in |
//! | `command` | a command as one line and the shell that reads it |
//! | `lost` | what of a job no crontab says |
//! | `text` | the file |

mod command;
mod lost;
mod text;
mod times;

use std::collections::BTreeMap;

use domain::import::crontab::{Format, Source, parse};
use domain::job::JobDefinition;
use serde::Serialize;

pub(crate) use text::{Settings, file};

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Exported {
    /// Its name.
    pub(crate) job: String,
    /// What it is for.
    #[serde(skip)]
    pub(crate) description: String,
    /// Its line; absent where it has none.
    pub(crate) entry: Option<Entry>,
    /// What of it the line does not say.
    pub(crate) lost: Vec<String>,
    /// Why it has no line.
    pub(crate) left_out: Option<String>,
}

/// A line, and what must be in force at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    /// The five fields, or a word.
    pub(crate) times: String,
    /// The zone they hold in.
    pub(crate) zone: String,
    /// The account, where the file has a column for it.
    pub(crate) user: Option<String>,
    /// The shell that reads the command.
    pub(crate) shell: String,
    /// The variables, without that of the shell.
    pub(crate) env: BTreeMap<String, String>,
    /// The command with its input, as it stands in the line.
    pub(crate) command: String,
}

impl Entry {
    /// The line itself.
    pub(crate) fn line(&self) -> String {
        let user = self.user.as_ref().map(|user| format!("{user} ")).unwrap_or_default();
        format!("{} {user}{}", self.times, self.command)
    }
}

/// Makes the line of an active job.
pub(crate) fn export(job: &JobDefinition, user_column: bool) -> Exported {
    let description = job.description.lines().next().unwrap_or_default().to_owned();
    let made = entry(job, user_column);
    let lost = if made.is_ok() { lost::of(job, user_column) } else { Vec::new() };
    let (entry, left_out) = match made {
        Ok(entry) => (Some(entry), None),
        Err(reason) => (None, Some(reason)),
    };
    Exported { job: job.name.clone(), description, entry, lost, left_out }
}

/// A job that is not asked to be there.
pub(crate) fn without_line(job: &str, reason: String) -> Exported {
    Exported {
        job: job.to_owned(),
        description: String::new(),
        entry: None,
        lost: Vec::new(),
        left_out: Some(reason),
    }
}

fn entry(job: &JobDefinition, user_column: bool) -> Result<Entry, String> {
    if !job.parameters.is_empty() || !job.secrets.is_empty() {
        return Err("it has parameters or secrets, which a crontab does not have".to_owned());
    }
    let user = match (user_column, &job.run_as) {
        (false, _) => None,
        (true, Some(user)) => Some(user.clone()),
        (true, None) => return Err("it names no account, which a system crontab must".to_owned()),
    };
    let (times, zone) = times::of(job)?;
    let command::Line { shell, text, stdin } = command::of(job)?;
    let mut env = job.command.env.clone();
    env.remove("SHELL");
    let input = stdin.as_deref().map(command::input).unwrap_or_default();
    let command = format!("{}{input}", text.replace('%', "\\%"));
    let entry = Entry { times, zone, user, shell, env, command };
    check(&entry, &text, stdin.as_deref())?;
    Ok(entry)
}

/// Reads the line back: where a crontab has no way to write something, it would say something else.
fn check(entry: &Entry, command: &str, stdin: Option<&str>) -> Result<(), String> {
    let format = if entry.user.is_some() { Format::System } else { Format::User };
    let source = Source { file: "-".to_owned(), format, default_zone: entry.zone.clone() };
    let mut settings = Settings::default();
    let text = format!("{}{}\n", settings.change_to(entry, "")?, entry.line());
    let read = parse(&text, &source);
    let same = match read.jobs.as_slice() {
        [job] => {
            let env = |name: &String| job.env.get(name) == entry.env.get(name);
            job.command == command
                && job.stdin.as_deref() == stdin
                && job.user == entry.user
                && entry.env.keys().all(env)
                && job.shell == entry.shell
        }
        _ => false,
    };
    if same && read.left_out.is_empty() {
        return Ok(());
    }
    let why = read.left_out.first().map(|left| left.reason.clone());
    Err(why.unwrap_or_else(|| {
        "its command, input or variables cannot be written in a crontab".to_owned()
    }))
}

#[cfg(test)]
mod tests;
