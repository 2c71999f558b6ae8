//! Quartz: its own `jobs.xml`, and a format of lines for those who keep schedules elsewhere.
//!
//! | module | is about |
//! |---|---|
//! | `lines` | `NAME = EXPRESSION [zone=ZONE] : COMMAND` |
//! | `data` | `jobs.xml` (job_scheduling_data 2.0) |
//! | `trigger` | when a trigger of it fires |

mod data;
mod lines;
mod trigger;

use std::collections::BTreeMap;

use super::names::Names;
use super::{Imported, Text};

/// What to run for jobs whose work is a Java class, by `GROUP.NAME`.
#[derive(Debug, Default)]
pub(crate) struct Commands(BTreeMap<String, String>);

impl Commands {
    /// Reads entries `GROUP.NAME=COMMAND`.
    pub(crate) fn parse(entries: &[String]) -> Result<Self, String> {
        let one = |entry: &String| match entry.split_once('=') {
            Some((job, command)) if !job.trim().is_empty() && !command.trim().is_empty() => {
                Ok((job.trim().to_owned(), command.trim().to_owned()))
            }
            Some(_) | None => Err(format!(
                "--command {entry:?}: write GROUP.NAME=COMMAND, such as reports.daily=/usr/bin/report"
            )),
        };
        entries.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    fn of(&self, job: &str) -> Option<&str> {
        self.0.get(job).map(String::as_str)
    }
}

/// Reads files of either form.
pub(crate) fn import(files: &[Text], commands: &Commands, zone: &str) -> Imported {
    let mut imported = Imported::default();
    let mut names = Names::default();
    for text in files {
        if text.text.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
            data::read(text, commands, zone, &mut names, &mut imported);
        } else {
            lines::read(text, zone, &mut names, &mut imported);
        }
    }
    imported
}

#[cfg(test)]
mod tests;
