//! `decklog calendar` without a subcommand: what will run when.

use domain::forecast::{Forecast as Found, Planned, forecast};
use domain::icalendar::{Feed, Range};
use domain::job::JobDefinition;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::{CalendarFormat, Forecast, Format};
use crate::output::{self, Table};
use crate::site::Site;
use crate::source::Source;
use crate::{exit, host, when};

pub(crate) fn run(calendar: &Forecast, format: Format) -> anyhow::Result<()> {
    let range =
        when::range(calendar.from.as_deref(), &calendar.to, &TimeZone::system(), host::now());
    let (from, to) = range.map_err(exit::usage)?;
    if let Some(CalendarFormat::Ics) = calendar.format {
        return ics(calendar, (from, to));
    }
    let site = Site::read(&Source::open(&calendar.place)?)?;
    let wanted = |definition: &JobDefinition| {
        let fits = |wish: &Option<String>, has: &str| wish.as_ref().is_none_or(|w| w == has);
        fits(&calendar.pool, &definition.pool) && fits(&calendar.job, &definition.name)
    };
    let found = forecast(site.jobs.values(), wanted, (from, to), calendar.limit, &site.view());
    for problem in &found.problems {
        eprintln!("not planned: {problem}");
    }
    match format {
        Format::Json => output::one(format, &found, |_| String::new()),
        Format::Table | Format::Jsonl if calendar.load => {
            output::list(format, &hours(&found), load_table)
        }
        Format::Jsonl => output::list(format, &found.planned, table),
        Format::Table => {
            output::list(format, &found.planned, table)?;
            output::line(&summary(&found))
        }
    }
}

/// The calendar for other programs.
fn ics(calendar: &Forecast, (from, to): (Timestamp, Timestamp)) -> anyhow::Result<()> {
    let (job, pool) = (calendar.job.clone(), calendar.pool.clone());
    let mut feed = Feed::new(Range { from, to, job, pool });
    Source::open(&calendar.place)?.inquire(&mut feed)?;
    // For a program, which is told as it is: its lines end as RFC 5545 says.
    output::print_bytes(feed.text(host::now()).as_bytes())
}

pub(super) fn table(planned: &[Planned]) -> Table {
    let mut table = Table::new(["LOCAL", "UTC", "JOB", "POOL", "WHAT"]);
    for one in planned {
        let what = what(one);
        let cells = [&one.local, &one.at.to_string(), &one.job, &one.pool, &what];
        table.row(cells.map(String::clone));
    }
    table
}

/// What becomes of an occurrence, in words.
pub(super) fn what(one: &Planned) -> String {
    let what = match (&one.skipped, one.reason) {
        (Some(reason), _) => format!("skipped: {reason}"),
        (None, "exact" | "elapsed") => "runs".to_owned(),
        (None, reason) => format!("runs ({reason})"),
    };
    let note = one.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
    format!("{what}{note}")
}

fn summary(found: &Found) -> String {
    let named = found.planned.len() as u64;
    let more = (found.runs + found.skipped).saturating_sub(named);
    let more = if more > 0 { format!("; {more} more are not named (-n)") } else { String::new() };
    let busiest = found.hours.iter().max_by_key(|(at, runs)| (**runs, std::cmp::Reverse(**at)));
    let busiest = busiest.map_or_else(String::new, |(at, runs)| {
        format!("; the busiest hour begins at {} with {runs}", output::local(*at))
    });
    let (from, to) = (output::local(found.from), output::local(found.to));
    format!("{from} to {to}: {} will run, {} will not{more}{busiest}", found.runs, found.skipped)
}

/// An hour and its runs.
#[derive(Debug, serde::Serialize)]
struct Hour {
    from: Timestamp,
    runs: u64,
}

fn hours(found: &Found) -> Vec<Hour> {
    found.hours.iter().map(|(from, runs)| Hour { from: *from, runs: *runs }).collect()
}

fn load_table(hours: &[Hour]) -> Table {
    let mut table = Table::new(["HOUR", "RUNS"]);
    for hour in hours {
        table.row([output::local(hour.from), hour.runs.to_string()]);
    }
    table
}
