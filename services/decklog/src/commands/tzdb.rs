//! `decklog tzdb …`: what another version of the time zone database moves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use domain::event::MovedOccurrence;
use domain::job::Job;
use domain::time::Schedule;
use domain::tzdb::{FIRST, Limits, Moves, compare as compare_rules};
use jiff::{SignedDuration, Timestamp};
use scheduler::{ZoneInfo, rules};
use serde::Serialize;

use super::plan::far;
use crate::cli::{Format, Tzdb, TzdbCompare};
use crate::output::{self, Table};
use crate::site::Site;
use crate::source::Source;
use crate::{exit, host};

pub(crate) fn run(tzdb: &Tzdb, format: Format) -> anyhow::Result<()> {
    match tzdb {
        Tzdb::Compare(wanted) => compare(wanted, format),
    }
}

/// What the comparison found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Compared {
    /// Versions, as their directories state them.
    old: String,
    new: String,
    /// Zones of jobs whose clocks show another time.
    zones: BTreeSet<String>,
    /// Zones of jobs that one of the directories does not have.
    unknown: BTreeSet<String>,
    jobs: u64,
    moved: u64,
    /// Not all occurrences were looked at.
    incomplete: bool,
    /// The first of those that move.
    occurrences: Vec<Line>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    zone: String,
    #[serde(flatten)]
    moved: MovedOccurrence,
}

fn compare(wanted: &TzdbCompare, format: Format) -> anyhow::Result<()> {
    let (old, new) =
        (database(&wanted.old)?, wanted.new.as_deref().map_or(Ok(host::tzdb()), database)?);
    let schedules = schedules(wanted)?;
    let zones: BTreeSet<&str> = schedules.values().map(Schedule::zone).collect();
    let both = (&rules(&old.files, &zones), &rules(&new.files, &zones));
    let now = host::now();
    let until = now.checked_add(SignedDuration::from_hours(i64::from(wanted.days) * 24));
    let range = (now, until.unwrap_or(Timestamp::MAX));
    let all = schedules.iter().map(|(job, schedule)| (job.as_str(), schedule));
    let moves =
        compare_rules(all, both, range, Limits { of_job: wanted.n, all: wanted.n, ..FIRST });
    let compared = compared((old, new), moves, &schedules);
    output::one(format, &compared, |compared| text(compared, wanted.days))?;
    let clean = compared.moved == 0 && compared.unknown.is_empty() && !compared.incomplete;
    if clean { Ok(()) } else { Err(exit::unclean("")) }
}

fn database(dir: &Path) -> anyhow::Result<ZoneInfo> {
    if dir.is_dir() {
        return Ok(ZoneInfo::in_dir(dir.to_owned()));
    }
    Err(exit::not_found(format!("there is no directory {}", dir.display())))
}

/// The schedules of the active jobs, or of the one that was named.
fn schedules(wanted: &TzdbCompare) -> anyhow::Result<BTreeMap<String, Schedule>> {
    let site = Site::read(&Source::open(&wanted.place)?)?;
    let calendars = site.view().calendars;
    let fits = |job: &&Job| wanted.job.as_ref().is_none_or(|name| *name == job.name);
    let mut found = BTreeMap::new();
    let mut any = false;
    for job in site.jobs.values().filter(fits) {
        let Some(span) = job.active() else { continue };
        any = true;
        match span.read()?.schedule_at(far(host::now()), &calendars) {
            Some(Ok(schedule)) => drop(found.insert(job.name.clone(), schedule)),
            Some(Err(error)) => eprintln!("not compared: job {}: {error}", job.name),
            None => {}
        }
    }
    match &wanted.job {
        Some(name) if !any => Err(exit::not_found(format!("there is no active job {name}"))),
        Some(_) | None => Ok(found),
    }
}

fn compared(
    (old, new): (ZoneInfo, ZoneInfo),
    moves: Moves,
    schedules: &BTreeMap<String, Schedule>,
) -> Compared {
    let zone = |job: &str| schedules.get(job).map_or_else(String::new, |s| s.zone().to_owned());
    let line = |moved: MovedOccurrence| Line { zone: zone(&moved.job), moved };
    Compared {
        old: old.version,
        new: new.version,
        zones: moves.zones,
        unknown: moves.unknown,
        jobs: moves.jobs,
        moved: moves.moved,
        incomplete: moves.incomplete,
        occurrences: moves.first.into_iter().map(line).collect(),
    }
}

fn text(compared: &Compared, days: u16) -> String {
    let c = compared;
    let named = |zones: &BTreeSet<String>| zones.iter().cloned().collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "{} to {}: {} occurrences of {} jobs move within {days} days\n",
        c.old, c.new, c.moved, c.jobs
    );
    if !c.zones.is_empty() {
        text.push_str(&format!("other clocks  {}\n", named(&c.zones)));
    }
    if !c.unknown.is_empty() {
        text.push_str(&format!(
            "not known     {}: a directory does not have them, so what moves in them is not told\n",
            named(&c.unknown)
        ));
    }
    if c.incomplete {
        text.push_str(
            "incomplete    too many occurrences: ask for fewer --days, or for one --job\n",
        );
    }
    if !c.occurrences.is_empty() {
        text.push_str(&table(&c.occurrences).text());
    }
    let more = c.moved.saturating_sub(c.occurrences.len() as u64);
    if more > 0 {
        text.push_str(&format!("and {more} more: -n shows more of them\n"));
    }
    text
}

fn table(lines: &[Line]) -> Table {
    let instant = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let mut table = Table::new(["JOB", "LOCAL", "ZONE", "OLD UTC", "NEW UTC"]);
    for Line { zone, moved } in lines {
        let local = moved.wall.replacen('T', " ", 1);
        let (before, now) = (instant(moved.before), instant(moved.now));
        table.row([moved.job.clone(), local, zone.clone(), before, now]);
    }
    table
}
