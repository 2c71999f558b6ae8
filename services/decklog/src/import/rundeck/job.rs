//! One job of Rundeck, as one of ours.

use domain::job::{AtLimit, CatchUp, JobDefinition, Overlap};
use domain::time::HumanDuration;

use super::options::{self, Texts};
use super::steps::{self, Step};
use super::{Refusal, Source, nodes, schedule};
use crate::import::names::Names;
use crate::import::systemd::span;
use crate::import::tree::Tree;
use crate::import::{Imported, draft};

/// Makes a job of commands.
pub(super) fn make(
    source: &Source,
    steps: &[Step],
    zone: &str,
    names: &mut Names,
    imported: &mut Imported,
) -> Result<JobDefinition, Refusal> {
    let tree = &source.tree;
    let texts = Texts {
        job: tree.text_at("name").unwrap_or_default(),
        group: tree.text_at("group").unwrap_or_default(),
    };
    let command = steps::command(steps, steps::keeps_going(tree), &texts)?;
    let when = schedule::read(tree, zone)?;
    let name = source.path().replace('/', ".");
    let mut job = draft::job(&names.unique(&name), command).map_err(|e| (tree.line, e))?;
    job.description = description(source);
    if let Some(when) = when {
        when.put(&mut job);
        job.catch_up = CatchUp::None;
    }
    options::put(&mut job, tree, &source.at, imported)?;
    nodes::put(&mut job, tree, &source.at, imported)?;
    limits(&mut job, source, imported)?;
    for name in steps::unset_variables(&job.command) {
        imported.note(&source.at, format!("variables {name}… are not set here"));
    }
    remarks(source, &job.name, imported);
    Ok(job)
}

/// Its description, and where it comes from.
pub(super) fn description(source: &Source) -> String {
    let from = format!("from {} line {} ({})", source.at.file, source.at.line, source.path());
    match source.tree.text_at("description") {
        Some(says) => format!("{}; {from}", draft::cut(says, 500)),
        None => from,
    }
}

fn limits(
    job: &mut JobDefinition,
    source: &Source,
    imported: &mut Imported,
) -> Result<(), Refusal> {
    let tree = &source.tree;
    if let Some(text) = tree.text_at("timeout") {
        job.timeout = span::parse(text).map_err(|reason| (tree.line_of("timeout"), reason))?;
    }
    retry(job, tree)?;
    if let Some(text) = tree.text_at("loglimit") {
        match bytes(text) {
            Some(limit) => job.output.limit_bytes = limit,
            None => imported.note(
                &source.line(tree.line_of("loglimit")),
                format!("loglimit {text} is not carried: output is limited in bytes"),
            ),
        }
        if tree.text_at("loglimitAction") == Some("halt") {
            job.output.at_limit = AtLimit::Fail;
        }
    }
    if tree.flag_at("multipleExecutions") == Some(true) {
        let limit = tree.text_at("maxMultipleExecutions").and_then(|text| text.parse().ok());
        job.overlap = Overlap::QueueAll { limit: limit.filter(|n| *n > 0).unwrap_or(10) };
        let text = "several executions could run at once; here they wait for each other";
        imported.note(&source.line(tree.line_of("multipleExecutions")), text);
    }
    Ok(())
}

fn retry(job: &mut JobDefinition, tree: &Tree) -> Result<(), Refusal> {
    let Some(retry) = tree.get("retry") else { return Ok(()) };
    let refuse = |reason: String| (retry.line, reason);
    let count = retry.text().or_else(|| retry.text_at("retry")).unwrap_or("0").trim();
    let count: usize =
        count.parse().map_err(|_| refuse(format!("retry {count:?} is no number")))?;
    let delay = match retry.text_at("delay") {
        Some(text) => span::parse(text).map_err(refuse)?,
        None => None,
    };
    job.retry.delays = vec![delay.unwrap_or(HumanDuration::from_secs(0)); count];
    Ok(())
}

/// `10MB`, also with a word after a slash; lines are no bytes.
fn bytes(text: &str) -> Option<u64> {
    let text = text.split('/').next()?.trim();
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit);
    let factor = match unit.trim().to_ascii_uppercase().as_str() {
        "B" => 1,
        "K" | "KB" => 1_024,
        "M" | "MB" => 1_024 * 1_024,
        "G" | "GB" => 1_024 * 1_024 * 1_024,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// What a job is carried with.
const CARRIED: [&str; 16] = [
    "name",
    "group",
    "description",
    "schedule",
    "timeZone",
    "sequence",
    "options",
    "nodefilters",
    "timeout",
    "retry",
    "multipleExecutions",
    "maxMultipleExecutions",
    "loglimit",
    "loglimitAction",
    "executionEnabled",
    "scheduleEnabled",
];
/// What says nothing of what runs when.
const SILENT: [&str; 8] = [
    "id",
    "uuid",
    "defaultTab",
    "nodeFilterEditable",
    "nodesSelectedByDefault",
    "loglevel",
    "loglimitStatus",
    "averageDuration",
];

/// Notes and leaves out what the job cannot say.
pub(super) fn remarks(source: &Source, name: &str, imported: &mut Imported) {
    let tree = &source.tree;
    for part in ["executionEnabled", "scheduleEnabled"] {
        if tree.flag_at(part) == Some(false) {
            let text = format!(
                "it was switched off ({part}: false): after applying it, `decklog job pause {name}`"
            );
            imported.note(&source.line(tree.line_of(part)), text);
        }
    }
    for (part, says) in tree.entries() {
        let at = source.line(says.line);
        if part == "notification" {
            let kinds = says.entries().iter().map(|(kind, _)| kind.as_str());
            let kinds = format!("notification {}", kinds.collect::<Vec<_>>().join(", "));
            imported.leave_out(&at, kinds, "who is told of an end is not said by a job");
        } else if part == "schedules" && !says.list().is_empty() {
            imported.leave_out(&at, part, "a schedule that several jobs share is not in the file");
        } else if !CARRIED.contains(&part.as_str())
            && !SILENT.contains(&part.as_str())
            && says.part != crate::import::tree::Part::Nothing
            && part != "schedules"
        {
            imported.note(&at, format!("{part} is not carried"));
        }
    }
}
