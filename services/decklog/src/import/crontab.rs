//! crontab(5) files, of a user or of the system.

use domain::import::crontab::{Format, ImportedJob, Source, parse};
use domain::job::JobDefinition;
use serde_json::json;

use super::names::Names;
use super::{Imported, Text};

/// Reads crontabs.
pub(crate) fn import(files: &[Text], zone: &str, format: impl Fn(&str) -> Format) -> Imported {
    let mut imported = Imported::default();
    let mut names = Names::default();
    for text in files {
        let source = Source {
            file: text.file.to_string(),
            format: format(&text.file),
            default_zone: zone.to_owned(),
        };
        let tab = parse(&text.text, &source);
        for job in tab.jobs {
            let at = text.at(job.line);
            let source = job.command.clone();
            match definition(&text.file, job, &mut names) {
                Ok(job) => imported.job(&at, job),
                Err(reason) => imported.leave_out(&at, source, reason),
            }
        }
        for left in tab.left_out {
            // The line is said by whoever prints it.
            let before = format!("{}:{}: ", text.file, left.line);
            let reason = left.reason.strip_prefix(&before).unwrap_or(&left.reason);
            imported.leave_out(&text.at(left.line), left.text.trim(), reason);
        }
        tab.notes.into_iter().for_each(|note| imported.note(&text.at(note.line), note.text));
    }
    imported
}

/// As cron runs it: by the shell, missed when the machine is down, and never two at once here.
fn definition(file: &str, job: ImportedJob, names: &mut Names) -> Result<JobDefinition, String> {
    let mailto =
        job.mailto.map(|to| format!("; cron mailed its output to {to}")).unwrap_or_default();
    let value = json!({
        "name": names.unique(&job.name),
        "description": format!("from {file} line {}{mailto}", job.line),
        "schedule": job.schedule,
        "zone": job.zone,
        "run-as": job.user,
        "catch-up": "none",
        "overlap": "queue-one",
        "command": {
            "argv": [job.shell, "-c", job.command],
            "env": job.env,
            "stdin": job.stdin,
        },
    });
    serde_json::from_value(value).map_err(|error| error.to_string())
}
