//! Plans: what will run in 400 days, and what a change of one line would do.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use domain::calendar::CalendarDefinition;
use domain::envelope::Draft;
use domain::event::{ThingAct, ThingApproved, ThingEvent, ThingProposed};
use domain::forecast::forecast;
use domain::job::{JobDefinition, parse_yaml};
use domain::site::{Thing, ThingKind};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde_json::json;
use tokio::runtime::Runtime;

use super::{Figure, night};
use crate::cli::Place;
use crate::host;
use crate::source::Source;

/// How far ahead is planned.
const DAYS: i64 = 400;
const ZONES: [&str; 4] = ["America/New_York", "Europe/Paris", "Asia/Tokyo", "UTC"];
/// Bare conversions that are measured.
const CONVERSIONS: i64 = 1_000_000;

/// `count` jobs with calendars: everything in their next 400 days, and a plan of one changed line.
pub(crate) fn measure(runtime: &Runtime, dir: &Path, count: usize) -> anyhow::Result<Vec<Figure>> {
    let calendars = calendars()?;
    let jobs: Vec<JobDefinition> = (0..count).map(job).collect::<anyhow::Result<_>>()?;
    let mut drafts = Vec::new();
    for calendar in &calendars {
        drafts.extend(thing_drafts(calendar)?);
    }
    runtime.block_on(night::fill(dir, drafts, &jobs))?;
    let mut figures = ahead(dir)?;
    figures.push(change(dir, &jobs)?);
    Ok(figures)
}

fn calendars() -> anyhow::Result<Vec<CalendarDefinition>> {
    let all = json!([
        {"kind": "calendar", "name": "holidays", "days": {"any-of": [
            {"yearly": {"month": 1, "day": 1, "observed": {"sunday": 1}}},
            {"yearly": {"month": 11, "weekday": "thursday", "nth": 4}},
            {"yearly": {"month": 12, "day": 25, "observed": {"sunday": 1}}},
            {"easter": {"days": -2}}, {"easter": {"days": 1}}]}},
        {"kind": "calendar", "name": "work", "days": {"except": {"days": "weekdays", "but": ["holidays"]}}},
        {"kind": "calendar", "name": "books", "fiscal": {"weeks": {"pattern": "4-4-5",
            "year-ends": {"weekday": "saturday", "month": 1, "which": "nearest"}}}},
    ]);
    Ok(serde_json::from_value(all)?)
}

/// One in ten runs hourly, the others once a day.
fn job(n: usize) -> anyhow::Result<JobDefinition> {
    let (hour, minute) = (n / 60 % 24, n % 60);
    let cron = if n.is_multiple_of(10) {
        format!("{minute} * * * *")
    } else {
        format!("{minute} {hour} * * *")
    };
    let calendar = match n % 4 {
        0 => json!({"only-on": ["work"], "cut-over": "06:00"}),
        1 => json!({"not-on": ["holidays"], "otherwise": "next", "working-days": "work"}),
        2 => {
            json!({"only-on": [{"working-day": {"nth": [-1, 1], "of": "fiscal-period", "by": "work", "fiscal": "books"}}]})
        }
        _ => json!({}),
    };
    let zone = ZONES.get(n % ZONES.len()).copied().unwrap_or("UTC");
    Ok(serde_json::from_value(json!({
        "name": format!("plan-{n}"),
        "schedule": {"cron": cron},
        "zone": zone,
        "calendar": calendar,
        "command": {"argv": ["/bin/true"]},
    }))?)
}

fn thing_drafts(calendar: &CalendarDefinition) -> anyhow::Result<[Draft; 2]> {
    let thing = Thing::Calendar(calendar.clone());
    let (number, digest, of) = (1, thing.digest()?, ThingKind::Calendar);
    let definition = serde_json::to_value(calendar)?;
    let reason = "a measurement".to_owned();
    let proposed = ThingAct::Proposed(ThingProposed { number, digest, definition, reason });
    let approved = ThingAct::Approved(ThingApproved { number, digest });
    let stream = thing.stream();
    Ok([
        Draft::new(stream.clone(), 1, ThingEvent { of, act: proposed }),
        Draft::new(stream, 2, ThingEvent { of, act: approved }),
    ])
}

/// Everything that the active jobs will do.
fn ahead(dir: &Path) -> anyhow::Result<Vec<Figure>> {
    let place = Place { data: Some(dir.to_owned()), server: None, token_file: None };
    let source = Source::open(&place)?;
    let site = crate::site::Site::read(&source)?;
    let view = site.view();
    let from = host::now();
    let to = from.checked_add(SignedDuration::from_hours(24 * DAYS))?;
    let begin = Instant::now();
    let found = forecast(site.jobs.values(), |_| true, (from, to), 500, &view);
    let took = begin.elapsed().as_secs_f64();
    anyhow::ensure!(found.problems.is_empty(), "{:?}", found.problems);
    let all = found.runs + found.skipped;
    let jobs = site.jobs.len();
    let bare = conversions_per_second()?;
    Ok(vec![
        Figure::new(format!("{DAYS} days of {jobs} jobs with calendars"), took, "s"),
        Figure::new(format!("{all} occurrences of them"), all as f64 / took, "occurrences/s")
            .beside("bare conversions of wall-clock time, a second", bare),
    ])
}

/// Wall-clock times of a zone as instants: what no plan can do without.
fn conversions_per_second() -> anyhow::Result<f64> {
    let zone = TimeZone::get("America/New_York")?;
    let first = jiff::civil::date(2027, 1, 1).at(0, 0, 0, 0);
    let (begin, mut sum) = (Instant::now(), 0_i64);
    for n in 0..CONVERSIONS {
        let wall = first.checked_add(SignedDuration::from_mins(n))?;
        sum ^= zone.to_ambiguous_timestamp(wall).compatible()?.as_second();
    }
    std::hint::black_box(sum);
    Ok(CONVERSIONS as f64 / begin.elapsed().as_secs_f64())
}

/// The whole command, in a process of its own, as people run it.
fn change(dir: &Path, jobs: &[JobDefinition]) -> anyhow::Result<Figure> {
    let file = dir.join("plan.yaml");
    let mut text = String::new();
    for (n, job) in jobs.iter().enumerate() {
        let yaml = domain::job::to_yaml(job).map_err(anyhow::Error::msg)?;
        let changed = if n == jobs.len() / 2 { "description: changed\n" } else { "" };
        writeln!(text, "---\n{yaml}{changed}")?;
    }
    std::fs::write(&file, &text)?;
    let begin = Instant::now();
    let read = parse_yaml("plan.yaml", &text).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    let bare = begin.elapsed().as_secs_f64();
    anyhow::ensure!(read.len() == jobs.len(), "not all were read");
    let before = night::children_seconds()?;
    let status = Command::new(std::env::current_exe()?)
        .args(["plan", "--data"])
        .args([dir, &file])
        .stdout(Stdio::null())
        .status()?;
    anyhow::ensure!(status.code() == Some(10), "the plan of a change ended with {status}");
    let used = night::children_seconds()? - before;
    let measure = format!("plan of one changed line in {} jobs: processor", jobs.len());
    Ok(Figure::new(measure, used, "s").beside("reading the file alone, s", bare))
}
