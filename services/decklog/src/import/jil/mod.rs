//! AutoSys JIL.
//!
//! | module | is about |
//! |---|---|
//! | `statement` | the text: statements and their attributes |
//! | `site` | all jobs, boxes and watchers by name, and what they are called here |
//! | `condition` | starting conditions |
//! | `schedule` | dates, times, calendars |
//! | `links` | what a condition comes to: other jobs' runs, files |
//! | `job` | the attributes of a command job |
//! | `make` | jobs and flows put together |

mod condition;
mod job;
mod links;
mod make;
mod schedule;
mod site;
mod statement;

use super::names::clean;
use super::{Imported, Text, draft};
use site::Site;
use statement::Statement;

/// Reads JIL.
pub(crate) fn import(files: &[Text], zone: &str) -> Imported {
    let mut imported = Imported::default();
    let mut statements = Vec::new();
    for text in files {
        statements.extend(statement::read(text, &mut imported));
    }
    let (jobs, others): (Vec<_>, Vec<_>) =
        statements.into_iter().partition(|statement| statement.verb == "insert_job");
    others.iter().for_each(|statement| other(statement, &mut imported));
    let site = Site::of(jobs, &mut imported);
    make::all(&site, zone, &mut imported);
    imported
}

/// What is no job.
fn other(statement: &Statement, imported: &mut Imported) {
    let source = format!("{}: {}", statement.verb, statement.name);
    if statement.verb != "insert_resource" {
        let reason = match statement.verb.as_str() {
            "insert_calendar" => {
                "write the days of a calendar as a calendar document, or import them with `import ics`"
            }
            "update_job" | "delete_job" | "override_job" => {
                "export the jobs as they are: changes to them are not applied here"
            }
            _ => "it is no job",
        };
        return imported.leave_out(&statement.at, source, reason);
    }
    let units = statement.get("amount").and_then(|amount| amount.value.parse().ok()).unwrap_or(1);
    let why = format!(
        "resource {} from {} line {}",
        statement.name, statement.at.file, statement.at.line
    );
    match draft::lock(&clean(&statement.name), &why, units) {
        Ok(lock) => imported.thing(&statement.at, lock),
        Err(reason) => imported.leave_out(&statement.at, source, reason),
    }
}

#[cfg(test)]
mod tests;
