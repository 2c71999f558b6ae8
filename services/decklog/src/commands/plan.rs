//! `decklog plan`: what applying would change.

use domain::ids::StreamId;
use domain::job::{Change, Difference, JobDefinition, difference};
use serde::Serialize;

use crate::cli::{Format, Plan};
use crate::source::{DEFAULT_DATA, Source};
use crate::{exit, files, host, output};

#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    difference: Difference,
    schedule: String,
    next: Vec<String>,
}

pub(crate) fn run(plan: &Plan, format: Format) -> anyhow::Result<()> {
    let jobs = files::read(&plan.paths)?;
    let source = source(plan)?;
    let mut lines = Vec::with_capacity(jobs.len());
    for job in &jobs {
        let active = source.as_ref().map(|source| active(source, &job.name)).transpose()?.flatten();
        lines.push(line(difference(active.as_ref(), job), job, plan.occurrences));
    }
    let changes = lines.iter().filter(|line| line.difference.change != Change::Same).count();
    match format {
        Format::Table => print(&lines)?,
        Format::Json | Format::Jsonl => output::list(format, &lines, |_| output::Table::default())?,
    }
    if changes == 0 { Ok(()) } else { Err(exit::changes()) }
}

/// Without a log yet everything is to be added, as long as nobody named one.
fn source(plan: &Plan) -> anyhow::Result<Option<Source>> {
    let named = plan.place.data.clone().unwrap_or_else(|| DEFAULT_DATA.into());
    let none = plan.place.server.is_none() && !eventlog::EventLog::file_in(&named).exists();
    if none { Ok(None) } else { Source::open(&plan.place).map(Some) }
}

pub(crate) fn active(source: &Source, name: &str) -> anyhow::Result<Option<JobDefinition>> {
    let state = source.stream(&StreamId::job(name))?;
    let job = state.as_ref().and_then(|state| state.body.job());
    Ok(job.and_then(|job| job.active()).map(|span| span.read()).transpose()?)
}

fn line(difference: Difference, job: &JobDefinition, count: usize) -> Line {
    let (mut schedule, mut next) = ("on request".to_owned(), Vec::new());
    if let Some(Ok(parsed)) = job.parsed_schedule() {
        schedule = parsed.describe();
        let mut after = host::now();
        while next.len() < count
            && let Some(occurrence) = parsed.next(after)
        {
            after = occurrence.at;
            next.push(occurrence.local.strftime("%Y-%m-%d %H:%M:%S %Z").to_string());
        }
    }
    Line { difference, schedule, next }
}

fn print(lines: &[Line]) -> anyhow::Result<()> {
    let (mut add, mut change) = (0, 0);
    for line in lines {
        let job = &line.difference.job;
        match line.difference.change {
            Change::Same => continue,
            Change::Add => {
                add += 1;
                output::line(&format!("+ job/{job}  {}", line.schedule))?;
            }
            Change::Change => {
                change += 1;
                output::line(&format!("~ job/{job}  {}", line.schedule))?;
                for (field, before, after) in &line.difference.fields {
                    output::line(&format!("    {field}: {before} -> {after}"))?;
                }
            }
        }
        for at in &line.next {
            output::line(&format!("    next {at}"))?;
        }
    }
    let same = lines.len() - add - change;
    output::line(&format!("plan: {add} to add, {change} to change, {same} unchanged"))
}
