//! `decklog archive …`: which segments of the log are in files, and whether these are as they were archived.

use domain::event::{Event, LogArchived, LogEvent};
use domain::ids::StreamId;
use domain::ledger::segment_of;
use eventlog::EventLog;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::{Archive, Format};
use crate::exit;
use crate::output::{self, Table, local};
use crate::source::Source;

/// A segment as the log tells it, and what its file is worth.
#[derive(Debug, Serialize)]
struct Segment {
    segment: u64,
    first: u64,
    last: u64,
    bytes: u64,
    archived: Timestamp,
    file: String,
    /// What is wrong with the file; nothing where it was not read, or is as it was archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub(crate) fn run(archive: &Archive, format: Format) -> anyhow::Result<()> {
    match archive {
        Archive::List(standing) => list(&Source::standing(standing)?, format),
        Archive::Check(standing) => check(&Source::standing(standing)?, format),
        Archive::Detach(standing) => detach(&Source::standing(standing)?),
    }
}

/// What the log says of its segments, in their order.
fn told(source: &Source) -> anyhow::Result<Vec<(LogArchived, Timestamp)>> {
    let mut found = Vec::new();
    source.each_of(&StreamId::archive(), |entry| {
        if entry.void.is_none()
            && let Event::LogEvent(LogEvent::LogArchived(event)) = entry.envelope()?.event()?
        {
            found.push((event, entry.received));
        }
        Ok(())
    })?;
    Ok(found)
}

/// The archive, where somebody has said where it is.
fn archive(log: &EventLog) -> anyhow::Result<&eventlog::Archive> {
    log.archive().ok_or_else(|| exit::usage("say where the archive is, with --archive DIR"))
}

fn segment(log: &EventLog, (event, at): &(LogArchived, Timestamp)) -> Segment {
    let number = segment_of(event.last);
    Segment {
        segment: number,
        first: event.first,
        last: event.last,
        bytes: event.bytes,
        archived: *at,
        file: log.archive().map_or_else(String::new, |a| a.file(number).display().to_string()),
        problem: None,
    }
}

fn list(source: &Source, format: Format) -> anyhow::Result<()> {
    let (runtime, log) = source.here()?;
    let all: Vec<Segment> = told(source)?.iter().map(|one| segment(log, one)).collect();
    if all.is_empty() && matches!(format, Format::Table) {
        return output::line("nothing of the log is archived: all of it is in its database");
    }
    output::list(format, &all, table)?;
    if matches!(format, Format::Table) {
        let gone = runtime.block_on(log.detached())?;
        output::line(&format!("the database holds no leaves up to position {gone}"))?;
    }
    Ok(())
}

fn check(source: &Source, format: Format) -> anyhow::Result<()> {
    let ((_, log), mut all) = (source.here()?, Vec::new());
    for one in told(source)? {
        let problem = problem(archive(log)?, &one.0);
        all.push(Segment { problem, ..segment(log, &one) });
    }
    let wrong: Vec<&Segment> = all.iter().filter(|one| one.problem.is_some()).collect();
    match (format, wrong.is_empty()) {
        (Format::Table, true) => {
            output::line(&format!("{} segments are as they were archived", all.len()))?;
        }
        (Format::Table, false) => output::list(format, &wrong, |found| {
            let mut table = Table::new(["SEGMENT", "WHAT"]);
            for one in found {
                table.row([one.segment.to_string(), one.problem.clone().unwrap_or_default()]);
            }
            table
        })?,
        _ => output::list(format, &all, table)?,
    }
    if wrong.is_empty() { Ok(()) } else { Err(exit::unclean("")) }
}

/// Why a file is not what the log says of it.
fn problem(archive: &eventlog::Archive, said: &LogArchived) -> Option<String> {
    let number = segment_of(said.last);
    match archive.check(number) {
        Err(error) => Some(error.to_string()),
        Ok(read) if read.root().0 != said.root.0 => Some(format!(
            "{} holds other events than were archived; bring it back from a copy",
            archive.file(number).display()
        )),
        Ok(read) if read.sha256 != said.sha256 => Some(format!(
            "{} holds the events that were archived, and is another file than was written",
            archive.file(number).display()
        )),
        Ok(_) => None,
    }
}

fn detach(source: &Source) -> anyhow::Result<()> {
    let (runtime, log) = source.here()?;
    if !runtime.block_on(log.may_detach())? {
        return Err(exit::denied(
            "this account may not take leaves out of the database: as its owner, GRANT decklog_archivist TO the account",
        ));
    }
    archive(log)?;
    let before = runtime.block_on(log.detached())?;
    let now = runtime.block_on(log.detach()).map_err(|error| {
        exit::refused(format!("nothing more is taken out of the database: {error}"))
    })?;
    output::line(&if now > before {
        format!(
            "the leaves of {} events are in the archive alone, up to position {now}",
            now - before
        )
    } else {
        format!("there is nothing to take out: the database holds no leaves up to position {now}")
    })
}

fn table(all: &[Segment]) -> Table {
    let mut table = Table::new(["SEGMENT", "EVENTS", "BYTES", "ARCHIVED", "FILE"]);
    for one in all {
        let events = format!("{} to {}", one.first, one.last);
        table.row([
            one.segment.to_string(),
            events,
            one.bytes.to_string(),
            local(one.archived),
            one.file.clone(),
        ]);
    }
    table
}
