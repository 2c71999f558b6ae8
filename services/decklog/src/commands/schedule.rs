//! `decklog schedule …`.

use domain::ids::StreamId;
use domain::time::{DstPolicy, Occurrence, Schedule as Parsed, ScheduleSpec, just_before};
use jiff::Timestamp;
use serde::Serialize;

use super::plan::far;
use crate::cli::{Explain, Format, Next, Schedule};
use crate::output::{self, Table};
use crate::source::Source;
use crate::{exit, host, site, when};

#[derive(Debug, Serialize)]
struct Line {
    /// UTC, RFC 3339.
    at: Timestamp,
    /// RFC 9557, with zone.
    local: String,
    /// The word.
    reason: &'static str,
    /// The sentence.
    explanation: String,
}

pub(crate) fn run(schedule: &Schedule, format: Format) -> anyhow::Result<()> {
    match schedule {
        Schedule::Next(next) => run_next(next, format),
        Schedule::Explain(explain) => run_explain(explain, format),
    }
}

fn run_next(next: &Next, format: Format) -> anyhow::Result<()> {
    let source = Source::open(&next.place)?;
    let state = source.stream(&StreamId::job(&next.job))?;
    let span = state.as_ref().and_then(|state| state.body.job()?.active());
    let definition = span
        .ok_or_else(|| exit::not_found(format!("there is no active job {}", next.job)))?
        .read()?;
    let site = site::view(&site::things(&source)?);
    match definition.schedule_at(far(host::now()), &site.calendars) {
        None => Err(exit::unclean(format!("job {} runs only on request", next.job))),
        Some(parsed) => print(&parsed?, host::now(), next.n, format),
    }
}

fn run_explain(explain: &Explain, format: Format) -> anyhow::Result<()> {
    let expression = explain.expression.clone();
    let spec = if explain.quartz {
        ScheduleSpec::Quartz(expression)
    } else {
        ScheduleSpec::Cron(expression)
    };
    let policy = serde_json::json!({"gap": explain.gap, "overlap-time": explain.overlap_time});
    let policy: DstPolicy = serde_json::from_value(policy).map_err(exit::usage)?;
    let parsed = Parsed::parse(&spec, &explain.zone, policy).map_err(exit::usage)?;
    let zone = jiff::tz::TimeZone::get(parsed.zone()).map_err(exit::usage)?;
    let from = match &explain.from {
        None => host::now(),
        Some(text) => when::instant(text, &zone).map_err(exit::usage)?,
    };
    if format == Format::Table {
        output::line(&parsed.describe())?;
    }
    // Inclusive: what is exactly at the instant belongs to it.
    print(&parsed, just_before(from), explain.n, format)
}

fn print(
    parsed: &Parsed,
    mut after: Timestamp,
    count: usize,
    format: Format,
) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    while lines.len() < count
        && let Some(occurrence) = parsed.next(after)
    {
        after = occurrence.at;
        lines.push(line(&occurrence));
    }
    output::list(format, &lines, |lines| {
        let mut table = Table::new(["LOCAL", "UTC", "REASON"]);
        for line in lines {
            let reason = if line.reason == "exact" {
                "exact".to_owned()
            } else {
                format!("{}: {}", line.reason, line.explanation)
            };
            table.row([human(&line.local), line.at.to_string(), reason]);
        }
        table
    })
}

fn human(local: &str) -> String {
    local
        .parse::<jiff::Zoned>()
        .map_or_else(|_| local.to_owned(), |z| z.strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string())
}

fn line(occurrence: &Occurrence) -> Line {
    Line {
        at: occurrence.at,
        local: occurrence.local.to_string(),
        reason: occurrence.reason.as_str(),
        explanation: occurrence.describe(),
    }
}
