//! `NAME = EXPRESSION [zone=ZONE] : COMMAND`, one a line; `#` begins a comment.

use domain::job::{CatchUp, JobDefinition};
use domain::time::check_zone;

use crate::import::names::Names;
use crate::import::{Imported, Text, draft, quartz_line};

pub(super) fn read(text: &Text, zone: &str, names: &mut Names, imported: &mut Imported) {
    for (index, line) in text.text.lines().enumerate() {
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = text.at(index + 1);
        match job(line, zone, names) {
            Ok(mut job) => {
                job.description = format!("from {} line {}", at.file, at.line);
                imported.job(&at, job);
            }
            Err(reason) => imported.leave_out(&at, line, reason),
        }
    }
}

fn job(line: &str, zone: &str, names: &mut Names) -> Result<JobDefinition, String> {
    let shape = || "it has not the form NAME = EXPRESSION [zone=ZONE] : COMMAND".to_owned();
    let (name, rest) = line.split_once('=').ok_or_else(shape)?;
    let (when, command) = rest.split_once(':').ok_or_else(shape)?;
    let (name, command) = (name.trim(), command.trim());
    if name.is_empty() || command.is_empty() {
        return Err(shape());
    }
    let (expression, zone) = match when.split_once("zone=") {
        Some((expression, zone)) => (expression, zone.trim()),
        None => (when, zone),
    };
    let zone = check_zone(zone).map_err(|error| error.to_string())?;
    let mut when = quartz_line::schedule(expression.trim())?;
    when.zone = Some(zone);
    let mut job = draft::job(&names.unique(name), draft::shell(command))?;
    when.put(&mut job);
    // As Quartz itself does with a trigger that says nothing: once, as soon as it can.
    job.catch_up = CatchUp::Last;
    Ok(job)
}
