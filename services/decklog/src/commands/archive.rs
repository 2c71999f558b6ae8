//! `decklog archive …`: which segments of the log are in files, and whether these are as they were archived.

use domain::event::{Event, LogArchived, LogEvent};
use domain::ids::StreamId;
use domain::ledger::segment_of;
use eventlog::{Access, EventLog};
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::{Archive, Archived, Format};
use crate::exit;
use crate::output::{self, Table, local};
use crate::source::{DEFAULT_DATA, open};

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

/// Most events of one look.
const PAGE: u32 = 1_000;

pub(crate) fn run(archive: &Archive, format: Format) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match archive {
            Archive::List(place) => list(&opened(place, Access::Read).await?, format).await,
            Archive::Check(place) => check(&opened(place, Access::Read).await?, format).await,
            Archive::Detach(place) => detach(&opened(place, Access::Append).await?).await,
        }
    })
}

async fn opened(place: &Archived, access: Access) -> anyhow::Result<EventLog> {
    let dir = place.data.clone().unwrap_or_else(|| DEFAULT_DATA.into());
    let file = EventLog::file_in(&dir);
    if place.database.is_none() && !file.exists() {
        return Err(exit::unreachable(format!(
            "there is no log in {}: name the directory of `decklog up` with --data, or a database with --database",
            dir.display()
        )));
    }
    let address = place.database.clone().unwrap_or_else(|| file.display().to_string());
    let log = open(&address, place.archive.as_deref(), access).await.map_err(exit::unreachable)?;
    log.check_schema().await.map_err(exit::unreachable)?;
    Ok(log)
}

/// What the log says of its segments, in their order.
async fn told(log: &EventLog) -> anyhow::Result<Vec<(LogArchived, Timestamp)>> {
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let page = log.entries(after, PAGE, Some(&StreamId::archive())).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.position;
        for entry in page.iter().filter(|entry| entry.void.is_none()) {
            if let Event::LogEvent(LogEvent::LogArchived(event)) = entry.envelope()?.event()? {
                found.push((event, entry.received));
            }
        }
    }
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

async fn list(log: &EventLog, format: Format) -> anyhow::Result<()> {
    let all: Vec<Segment> = told(log).await?.iter().map(|one| segment(log, one)).collect();
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
    let mut all = Vec::new();
    for one in told(log).await? {
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
            one.bytes.to_string(),
            local(one.archived),
            one.file.clone(),
        ]);
    }
    table
}
