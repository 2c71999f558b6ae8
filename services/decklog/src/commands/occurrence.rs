//! `decklog occurrence …`: single occurrences, also ahead of their time.

use domain::forecast::{Planned, SiteView, forecast, horizon, of_job};
use domain::ids::StreamId;
use domain::job::{Job, JobDefinition, Order};
use domain::time::{Schedule, just_before};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Value, json};

use super::acts::{Item, SELECTED_MAX, act_on_each, agree, check_count};
use super::plan::far;
use super::{calendar, schedule, with_console};
use crate::cli::{Format, Next, Occurrence, OccurrenceAct, OneOccurrence};
use crate::client::Client;
use crate::output::{self, Table};
use crate::site::{self, Site};
use crate::source::Source;
use crate::{exit, host, when};

pub(crate) fn run(occurrence: &Occurrence, format: Format) -> anyhow::Result<()> {
    match occurrence {
        Occurrence::List(wanted) => list(wanted, format),
        Occurrence::Hold(act) => set(act, "hold", format),
        Occurrence::Release(act) => set(act, "release", format),
        Occurrence::Skip(act) => set(act, "skip", format),
        Occurrence::RunNow(which) => set_one(which, "run-now", None, format),
        Occurrence::Move { which, to } => set_one(which, "move", Some(to), format),
    }
}

fn set(act: &OccurrenceAct, verb: &str, format: Format) -> anyhow::Result<()> {
    let (Some(of), Some(time)) = (&act.of, &act.time) else {
        return set_several(act, verb, format);
    };
    let (of, time, reason) = (of.clone(), time.clone(), act.reason.clone());
    let which = OneOccurrence { of, time, reason, place: act.place.clone() };
    set_one(&which, verb, None, format)
}

fn path(job: &str, at: Timestamp, verb: &str) -> String {
    format!("/api/v1/jobs/{job}/occurrences/{at}/{verb}")
}

fn set_one(
    which: &OneOccurrence,
    verb: &str,
    to: Option<&String>,
    format: Format,
) -> anyhow::Result<()> {
    let applied = with_console(&which.place, |client| {
        let (job, schedule) = schedule_of(client, &which.of)?;
        let spoken_of: Vec<Timestamp> = job.orders.keys().copied().collect();
        let now = host::now();
        let at = when::occurrence(&which.time, &schedule, &spoken_of, now).map_err(exit::usage)?;
        let mut body = json!({"reason": which.reason});
        if let (Some(to), Some(body)) = (to, body.as_object_mut()) {
            let to = when::ahead(to, schedule.time_zone(), now).map_err(exit::usage)?;
            body.insert("to".to_owned(), json!(to));
        }
        client.act(&path(&which.of, at, verb), &body)
    })?;
    output::one(format, &applied, |a| format!("{}: {}\n", a.stream, a.message))
}

/// A job and its schedule, by which people's times are read.
fn schedule_of(client: &Client, name: &str) -> anyhow::Result<(Job, Schedule)> {
    let source = Source::Remote(client.clone());
    let job = find(&source, name)?;
    let none = || exit::not_found(format!("there is no active job {name}"));
    let definition = job.active().ok_or_else(none)?.read()?;
    let site = site::view(&site::things(&source)?);
    match definition.schedule_at(far(host::now()), &site.calendars) {
        Some(schedule) => Ok((job, schedule?)),
        None => Err(exit::usage(format!("job {name} runs only on request: it has no occurrences"))),
    }
}

fn find(source: &Source, name: &str) -> anyhow::Result<Job> {
    let state = source.stream(&StreamId::job(name))?;
    let job = state.as_ref().and_then(|state| state.body.job()).cloned();
    job.ok_or_else(|| exit::not_found(format!("there is no job {name}")))
}

fn set_several(act: &OccurrenceAct, verb: &str, format: Format) -> anyhow::Result<()> {
    let zone = TimeZone::system();
    let range = when::range(act.from.as_deref(), &act.to, &zone, host::now());
    let range = range.map_err(exit::usage)?;
    with_console(&act.place, |client| {
        let site = Site::read(&Source::Remote(client.clone()))?;
        let chosen = select(&site, act, verb, range)?;
        eprint!("{}", calendar::table(&chosen).text());
        agree(&format!("{verb} these {} occurrences", chosen.len()), act.yes)?;
        let items = chosen.iter().map(|one| Item {
            what: format!("{} {}", one.job, one.local),
            path: path(&one.job, one.occurrence, verb),
        });
        act_on_each(client, items, &json!({"reason": act.reason}), format)
    })
}

/// Most occurrences that are looked at for a selection.
const LOOKED_AT: usize = 10 * SELECTED_MAX;

/// The occurrences of the range to which it can be done: for a release those of which something was said, otherwise
/// those that will run and of which not the same was said.
fn select(
    site: &Site,
    act: &OccurrenceAct,
    verb: &str,
    range: (Timestamp, Timestamp),
) -> anyhow::Result<Vec<Planned>> {
    let wanted = |definition: &JobDefinition| {
        let fits = |wish: &Option<String>, has: &str| wish.as_ref().is_none_or(|w| w == has);
        fits(&act.pool, &definition.pool) && fits(&act.job, &definition.name)
    };
    let found = forecast(site.jobs.values(), wanted, range, LOOKED_AT, &site.view());
    for problem in &found.problems {
        eprintln!("not planned: {problem}");
    }
    if found.runs + found.skipped > found.planned.len() as u64 {
        return Err(exit::usage(format!(
            "more than {LOOKED_AT} occurrences are in that range: name a shorter one"
        )));
    }
    let order_of = |one: &Planned| site.jobs.get(&one.job)?.orders.get(&one.occurrence);
    let now = host::now();
    let fits = |one: &Planned| match (verb, order_of(one)) {
        (_, Some(order)) if has_run(order, one.occurrence, now) => false,
        ("release", order) => order.is_some(),
        (verb, Some(order)) => one.skipped.is_none() && order.act.word() != verb,
        (_, None) => one.skipped.is_none(),
    };
    let chosen: Vec<Planned> = found.planned.into_iter().filter(fits).collect();
    check_count(chosen.len().min(SELECTED_MAX + 1), "occurrence")?;
    Ok(chosen)
}

/// Whether it was moved ahead to an instant that has passed.
fn has_run(order: &Order, at: Timestamp, now: Timestamp) -> bool {
    order.ahead_of(at).is_some_and(|to| to <= now)
}

/// An occurrence, and what was said of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    occurrence: Timestamp,
    local: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    business_day: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<Value>,
    what: String,
}

fn list(wanted: &Next, format: Format) -> anyhow::Result<()> {
    let source = Source::open(&wanted.place)?;
    let job = find(&source, &wanted.job)?;
    let site = site::view(&site::things(&source)?);
    let lines = lines(&job, &site, wanted.n, host::now()).map_err(exit::unclean)?;
    output::list(format, &lines, |lines| {
        let mut table = Table::new(["LOCAL", "UTC", "DAY", "WHAT"]);
        for line in lines {
            let day = line.business_day.clone().unwrap_or_default();
            let (local, utc) = (schedule::human(&line.local), line.occurrence.to_string());
            table.row([local, utc, day, line.what.clone()]);
        }
        table
    })
}

/// The next `n` occurrences, and every other of which something was said; in their order.
fn lines(job: &Job, site: &SiteView, n: usize, now: Timestamp) -> Result<Vec<Line>, String> {
    let next = of_job(job, (now, horizon(now)), n, site)?;
    let own = |one: &Planned| match job.orders.get(&one.occurrence) {
        Some(order) if has_run(order, one.occurrence, now) => {
            passed(job, one.occurrence, "its time has come: see its run")
        }
        Some(_) | None => line(job, one),
    };
    let mut lines: Vec<Line> = next.iter().map(|(_, one)| own(one)).collect();
    for at in job.orders.keys() {
        if lines.iter().any(|line| line.occurrence == *at) {
            continue;
        }
        let found = of_job(job, (just_before(*at), *at), 1, site)?;
        lines.push(match found.first() {
            Some((_, one)) if *at > now => own(one),
            Some(_) => passed(job, *at, "its time has come: see its run"),
            None => passed(job, *at, "the schedule has no such occurrence any more"),
        });
    }
    lines.sort_by_key(|line| line.occurrence);
    Ok(lines)
}

fn line(job: &Job, one: &Planned) -> Line {
    let order = job.orders.get(&one.occurrence);
    let by = order.map(by).unwrap_or_default();
    Line {
        occurrence: one.occurrence,
        local: one.local.clone(),
        business_day: Some(one.business_day.clone()),
        at: one.skipped.is_none().then_some(one.at),
        order: order.map(value),
        what: format!("{}{by}", calendar::what(one)),
    }
}

fn passed(job: &Job, at: Timestamp, why: &str) -> Line {
    let order = job.orders.get(&at);
    let said = order.map(|order| format!("{}: {}{}; ", order.act.word(), order.reason, by(order)));
    Line {
        occurrence: at,
        local: at.to_zoned(zone_of(job)).to_string(),
        business_day: None,
        at: None,
        order: order.map(value),
        what: format!("{}{why}", said.unwrap_or_default()),
    }
}

fn by(order: &Order) -> String {
    order.by.as_ref().map(|by| format!(" ({by})")).unwrap_or_default()
}

fn value(order: &Order) -> Value {
    json!({"act": order.act, "reason": order.reason, "by": order.by})
}

fn zone_of(job: &Job) -> TimeZone {
    let definition = job.active().and_then(|span| span.read().ok());
    definition.and_then(|d| TimeZone::get(&d.zone).ok()).unwrap_or(TimeZone::UTC)
}
