//! `decklog archive …`: which segments of the log are in files, and whether these are as they were archived.

use domain::event::LogArchived;
use domain::ledger::SEGMENT_EVENTS;
use eventlog::{EventLog, LogError};
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
    bytes: Option<u64>,
    archived: Option<Timestamp>,
    file: String,
    /// What is wrong with the file, or why nothing is known of it; nothing where it was not read, or is as it was archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub(crate) fn run(archive: &Archive, format: Format) -> anyhow::Result<()> {
    let (Archive::List(standing) | Archive::Check(standing) | Archive::Detach(standing)) = archive;
    let source = Source::standing(standing)?;
    let (runtime, log) = source.here()?;
    runtime.block_on(async {
        match archive {
            Archive::List(_) => list(log, format).await,
            Archive::Check(_) => check(log, format).await,
            Archive::Detach(_) => detach(log).await,
        }
    })
}

/// The archive, where somebody has said where it is.
fn archive(log: &EventLog) -> anyhow::Result<&eventlog::Archive> {
    log.archive().ok_or_else(|| exit::usage("say where the archive is, with --archive DIR"))
}

/// A segment as the log tells it. Where what it told is in a file that cannot be read, that is its problem.
async fn segment(log: &EventLog, number: u64) -> anyhow::Result<(Segment, Option<LogArchived>)> {
    let (said, problem) = match log.said_of(number).await {
        Ok(said) => (said, None),
        Err(LogError::Archive(error)) => {
            (None, Some(format!("what the log says of it cannot be read: {error}")))
        }
        Err(error) => return Err(error.into()),
    };
    let segment = Segment {
        segment: number,
        first: number * SEGMENT_EVENTS + 1,
        last: (number + 1) * SEGMENT_EVENTS,
        bytes: said.as_ref().map(|(event, _)| event.bytes),
        archived: said.as_ref().map(|(_, at)| *at),
        file: log.archive().map_or_else(String::new, |a| a.file(number).display().to_string()),
        problem,
    };
    Ok((segment, said.map(|(event, _)| event)))
}

async fn segments(log: &EventLog) -> anyhow::Result<u64> {
    Ok(log.archived().await?.map_or(0, |archived| archived.segments()))
}

async fn list(log: &EventLog, format: Format) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for number in 0..segments(log).await? {
        all.push(segment(log, number).await?.0);
    }
    if all.is_empty() && matches!(format, Format::Table) {
        return output::line("nothing of the log is archived: all of it is in its database");
    }
    output::list(format, &all, table)?;
    if matches!(format, Format::Table) {
        let gone = log.detached().await?;
        output::line(&format!("the database holds no leaves up to position {gone}"))?;
    }
    Ok(())
}

async fn check(log: &EventLog, format: Format) -> anyhow::Result<()> {
    let (count, mut all) = (segments(log).await?, Vec::new());
    if count > 0 {
        archive(log)?;
    }
    for number in 0..count {
        let (told, said) = segment(log, number).await?;
        let problem = problem(log, number, said.as_ref()).await?.or(told.problem);
        all.push(Segment { problem, ..told });
    }
    let wrong: Vec<&Segment> = all.iter().filter(|one| one.problem.is_some()).collect();
    match (format, wrong.is_empty()) {
        (Format::Table, true) => {
            output::line(&format!("{count} segments are as they were archived"))?;
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

/// Why a file is not what was archived.
async fn problem(
    log: &EventLog,
    number: u64,
    said: Option<&LogArchived>,
) -> anyhow::Result<Option<String>> {
    match log.check_segment(number).await {
        Err(LogError::Archive(error)) => Ok(Some(error.to_string())),
        Err(error) => Err(error.into()),
        Ok(sha256) if said.is_some_and(|said| said.sha256 != sha256) => Ok(Some(format!(
            "{} holds the events that were archived, and is another file than was written",
            archive(log)?.file(number).display()
        ))),
        Ok(_) => Ok(None),
    }
}

async fn detach(log: &EventLog) -> anyhow::Result<()> {
    if !log.may_detach().await? {
        return Err(exit::denied(
            "this account may not take leaves out of the database: as its owner, GRANT decklog_archivist TO the account",
        ));
    }
    archive(log)?;
    let before = log.detached().await?;
    let now = log.detach().await.map_err(|error| {
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
            one.bytes.map_or_else(String::new, |bytes| bytes.to_string()),
            one.archived.map_or_else(String::new, local),
            one.problem.clone().unwrap_or_else(|| one.file.clone()),
        ]);
    }
    table
}
