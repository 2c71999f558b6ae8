//! `decklog rehearse` and `decklog predict`: the night as it would go, and what in it will be late.

use anyhow::ensure;
use domain::job::JobDefinition;
use domain::rehearsal::{Known, Plan, Rehearsal, rehearse, table};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::cli::{Format, Place, Predict, Rehearse, Told};
use crate::output::{self, Table};
use crate::source::Source;
use crate::{exit, host, when};

/// How far ahead is rehearsed at most: all of the time until then is played.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(31 * 24);

pub(crate) fn run(asked: &Rehearse, format: Format) -> anyhow::Result<()> {
    let (zone, now) = (TimeZone::system(), host::now());
    let range = range(asked, &zone, now).map_err(exit::usage)?;
    let found = play(&asked.place, &asked.told, range, now)?;
    match format {
        Format::Json => output::one(format, &found, |_| String::new())?,
        Format::Jsonl => output::list(format, &found.runs, |_| Table::default())?,
        Format::Table => print(&found, asked.limit, &zone)?,
    }
    judge(&found, asked.told.check)
}

pub(crate) fn predict(asked: &Predict, format: Format) -> anyhow::Result<()> {
    let (zone, now) = (TimeZone::system(), host::now());
    let to = when::ahead(&asked.to, &zone, now).map_err(exit::usage)?;
    check(now, to, now).map_err(exit::usage)?;
    let found = play(&asked.place, &asked.told, (now, to), now)?;
    match format {
        Format::Json | Format::Jsonl => {
            output::list(format, &found.missed, |_| Table::default())?;
        }
        Format::Table if found.missed.is_empty() => {
            output::line(&format!("no limit will be missed until {}", output::local(to)))?;
        }
        Format::Table => output::print(&found.missed_text(&zone))?,
    }
    judge(&found, asked.told.check)
}

fn play(
    place: &Place,
    told: &Told,
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
) -> anyhow::Result<Rehearsal> {
    let mut known = Known::default();
    Source::open(place)?.inquire(&mut known)?;
    let plan = Plan { now, from, to, unknown_ms: told.assume.millis() };
    let mut found = rehearse(&known, plan);
    if told.job.is_some() || told.flow.is_some() || told.pool.is_some() {
        let fits =
            |wish: &Option<String>, has: Option<&str>| wish.is_none() || wish.as_deref() == has;
        let wanted = |definition: &JobDefinition| {
            fits(&told.job, Some(&definition.name))
                && fits(&told.flow, definition.flow.as_deref())
                && fits(&told.pool, Some(&definition.pool))
        };
        found.only(wanted, &known);
    }
    Ok(found)
}

/// What is asked about, from now on at the earliest.
fn range(
    asked: &Rehearse,
    zone: &TimeZone,
    now: Timestamp,
) -> anyhow::Result<(Timestamp, Timestamp)> {
    let (from, to) = match &asked.night {
        None => when::range(asked.from.as_deref(), &asked.to, zone, now)?,
        Some(night) => {
            let night: Date =
                night.parse().map_err(|error| anyhow::anyhow!("{night:?} is no date: {error}"))?;
            let noon = |date: Date| zone.to_zoned(date.at(12, 0, 0, 0)).map(|at| at.timestamp());
            (noon(night)?.max(now), noon(night.tomorrow()?)?)
        }
    };
    check(from, to, now)?;
    Ok((from, to))
}

fn check(from: Timestamp, to: Timestamp, now: Timestamp) -> anyhow::Result<()> {
    ensure!(
        from >= now && to > now,
        "only what lies ahead can be rehearsed: what has passed is told by `decklog night` and `decklog runs`"
    );
    let last = now.checked_add(AHEAD_MAX)?;
    ensure!(to <= last, "at most 31 days ahead are rehearsed: {to} is later");
    Ok(())
}

fn print(found: &Rehearsal, limit: usize, zone: &TimeZone) -> anyhow::Result<()> {
    let mut rows = Table::new(["START", "END", "RUN", "HOST", "TAKES", "WHAT"]);
    table(found, zone).into_iter().take(limit).for_each(|cells| rows.row(cells));
    output::print(&rows.text())?;
    let more = found.runs.len().saturating_sub(limit);
    if more > 0 {
        output::line(&format!("{more} more are not named (-n)"))?;
    }
    output::print(&found.summary(zone))
}

fn judge(found: &Rehearsal, check: bool) -> anyhow::Result<()> {
    if check && !found.missed.is_empty() { Err(exit::unclean("")) } else { Ok(()) }
}
