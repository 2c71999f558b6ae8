//! `decklog events`: the log as it was signed.

use domain::ids::StreamId;
use domain::wire::LogEntry;

use crate::cli::{Events, Format};
use crate::exit;
use crate::output::{self, Table};
use crate::source::Source;

/// Events asked for at once.
const PAGE: u32 = 1_000;

pub(crate) fn run(events: &Events, format: Format) -> anyhow::Result<()> {
    let source = Source::open(&events.place)?;
    if let Some(position) = events.proof {
        return super::proof::run(&source, position, format);
    }
    let stream = events
        .stream
        .as_ref()
        .map(|text| text.parse::<StreamId>())
        .transpose()
        .map_err(exit::usage)?;
    let (mut after, mut left) = (events.after, events.limit.unwrap_or(u64::MAX));
    let mut all = Vec::new();
    while left > 0 {
        let page =
            source.events(after, PAGE.min(u32::try_from(left).unwrap_or(PAGE)), stream.as_ref())?;
        let Some(last) = page.last() else { break };
        after = last.position;
        left = left.saturating_sub(page.len() as u64);
        if format == Format::Jsonl {
            output::list(format, &page, table)?;
        } else {
            all.extend(page);
        }
    }
    if format == Format::Jsonl { Ok(()) } else { output::list(format, &all, table) }
}

fn table(entries: &[LogEntry]) -> Table {
    let mut table =
        Table::new(["POSITION", "RECEIVED", "TYPE", "STREAM", "VERSION", "SOURCE", "VOID"]);
    for entry in entries {
        let event: serde_json::Value = serde_json::from_str(entry.event.get()).unwrap_or_default();
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let (kind, stream, source) = (text("type"), text("subject"), text("source"));
        let void = entry.void.clone().unwrap_or_default();
        table.row([
            entry.position.to_string(),
            output::local(entry.received),
            kind,
            stream,
            event["version"].to_string(),
            source,
            void,
        ]);
    }
    table
}
