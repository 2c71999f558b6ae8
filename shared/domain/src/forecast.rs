//! What will run when, as far as the active definitions, calendars, blackouts and people's orders say. What failures
//! do meanwhile, and overlaps and waiting for others, it does not know.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use jiff::{Timestamp, Zoned};
use serde::Serialize;

use crate::calendar::{Almanac, Calendars};
use crate::job::{Almanacs, Job, JobDefinition, OrderAct, SchedulePart, Stretch};
use crate::site::{BlackoutDefinition, BlackoutEnd, Defined, Thing, ThingKind};
use crate::time::{Occurrence, SEARCH_HORIZON_YEARS, Schedule, just_before};

/// One occurrence that lies ahead, or a wall-clock time that has none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Planned {
    /// The instant; for a wall-clock time that does not exist, the end of the gap it lies in.
    pub at: Timestamp,
    /// Its job.
    pub job: String,
    /// The pool that may take it.
    pub pool: String,
    /// Its own instant, by which it is named; another than `at` where it was moved or starts later.
    pub occurrence: Timestamp,
    /// The instant on the clock of the job's zone, RFC 9557.
    pub local: String,
    /// How the schedule came to this instant: `exact`, or what the clock did.
    pub reason: &'static str,
    /// The business day it belongs to.
    pub business_day: String,
    /// Why it will not run; absent where it will.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// What will be otherwise: it was moved, is held, or starts later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A range of time as it is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// Inclusive.
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
    /// Occurrences that will run.
    pub runs: u64,
    /// Occurrences that will not.
    pub skipped: u64,
    /// The first of both, in the order of their instants, at most as many as were asked for.
    pub planned: Vec<Planned>,
    /// Runs for each hour (UTC) that has any, by its beginning.
    pub hours: BTreeMap<Timestamp, u64>,
    /// Jobs that could not be planned, and why.
    pub problems: Vec<String>,
}

/// What a forecast looks at beside jobs.
#[derive(Debug, Default)]
pub struct SiteView {
    /// All calendars.
    pub calendars: Calendars,
    /// Active blackouts, with the calendars they name.
    blackouts: Vec<(BlackoutDefinition, Almanac)>,
    almanacs: Almanacs,
}

impl SiteView {
    /// What these things come to.
    pub fn of<'a>(things: impl IntoIterator<Item = (ThingKind, &'a Defined)>) -> Self {
        let mut view = Self::default();
        let mut blackouts = Vec::new();
        for (kind, thing) in things {
            if kind == ThingKind::Calendar {
                view.calendars.put(&thing.name, thing.calendar_spans());
            } else if let (true, Some(Thing::Blackout(blackout))) =
                (thing.active().is_some(), thing.read(kind))
            {
                blackouts.push(blackout);
            }
        }
        blackouts.into_iter().for_each(|blackout| view.put_blackout(blackout));
        view
    }

    /// Takes a blackout in, in the place of one with its name. The calendars it names are there before.
    pub fn put_blackout(&mut self, blackout: BlackoutDefinition) {
        self.blackouts.retain(|(known, _)| known.name != blackout.name);
        let almanac = self.calendars.almanac(&blackout.names(), Timestamp::MAX);
        self.blackouts.extend(almanac.ok().map(|(almanac, _)| (blackout, almanac)));
    }

    /// Whether anything is blacked out at any time.
    pub fn has_blackouts(&self) -> bool {
        !self.blackouts.is_empty()
    }

    /// The active blackouts that are between two instants, in the order of their names, with their times.
    pub fn blackouts_in(
        &self,
        range: (Timestamp, Timestamp),
    ) -> Vec<(&BlackoutDefinition, Vec<(Timestamp, Timestamp)>)> {
        let all = self.blackouts.iter().map(|(one, almanac)| (one, one.spans(range, almanac)));
        let mut found: Vec<_> = all.filter(|(_, spans)| !spans.is_empty()).collect();
        found.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        found
    }

    /// The stretches of a definition from `from` on.
    pub fn stretches(&self, part: &SchedulePart, from: Timestamp) -> Vec<Stretch> {
        part.stretches(from, None, &self.calendars, &self.almanacs)
    }

    /// What blackouts make of a job's start at `at`.
    pub(crate) fn blackout(
        &self,
        definition: &JobDefinition,
        at: Timestamp,
    ) -> Option<(BlackoutEnd, String)> {
        let applying = self.blackouts.iter().filter(|(blackout, _)| blackout.applies(definition));
        let covering = applying
            .filter_map(|(blackout, almanac)| Some((blackout.covers(at, almanac)?, blackout)));
        let (until, blackout) = covering.max_by_key(|(until, _)| *until)?;
        Some((blackout.at_end, format!("blackout {} until {until}", blackout.name)))
    }
}

/// Plans those of `jobs` whose active definition is `wanted`, and names at most `limit` occurrences; all are
/// counted.
pub fn forecast<'a>(
    jobs: impl IntoIterator<Item = &'a Job>,
    wanted: impl Fn(&JobDefinition) -> bool,
    (from, to): (Timestamp, Timestamp),
    limit: usize,
    site: &SiteView,
) -> Forecast {
    let mut plan = Plan {
        site,
        limit,
        runs: 0,
        skipped: 0,
        first: BinaryHeap::new(),
        hours: BTreeMap::new(),
        problems: Vec::new(),
    };
    for job in jobs {
        let Some(span) = job.active() else { continue };
        match span.read().map_err(|error| error.to_string()) {
            Ok(definition) if wanted(&definition) => plan.take(job, &definition, from, to),
            Ok(_) => {}
            Err(error) => plan.problems.push(format!("job {}: {error}", job.name)),
        }
    }
    let Plan { runs, skipped, first, hours, problems, .. } = plan;
    Forecast { from, to, runs, skipped, planned: first.into_sorted_vec(), hours, problems }
}

/// How many occurrences of `jobs` whose active definition is `wanted` run in each of these hours, which are named by
/// their beginnings, in order. Each counts in the hour where its schedule has it, whatever delays it then.
pub fn load<'a>(
    jobs: impl IntoIterator<Item = &'a Job>,
    wanted: impl Fn(&JobDefinition) -> bool,
    hours: &BTreeSet<Timestamp>,
    site: &SiteView,
) -> BTreeMap<Timestamp, u64> {
    let mut found: BTreeMap<Timestamp, u64> = hours.iter().map(|hour| (*hour, 0)).collect();
    let Some(first) = hours.first() else { return found };
    for job in jobs {
        let definition = job.active().and_then(|span| span.read().ok());
        let Some(definition) = definition.filter(&wanted) else { continue };
        let Some(part) = definition.schedule_part() else { continue };
        for stretch in site.stretches(&part, just_before(*first)) {
            let Ok(schedule) = &stretch.schedule else { continue };
            for (hour, count) in &mut found {
                let (from, until) = within(&stretch, *hour);
                let all = schedule.between(from, until);
                let runs = all.filter(|one| site.fate(job, &definition, one).skipped.is_none());
                *count += runs.count() as u64;
            }
        }
    }
    found
}

/// The part of an hour that is in a stretch: after the first, up to and with the second.
fn within(stretch: &Stretch, hour: Timestamp) -> (Timestamp, Timestamp) {
    let end = just_before(hour.checked_add(HOUR).unwrap_or(Timestamp::MAX));
    let until = stretch.until.map_or(end, |until| until.min(end));
    (stretch.from.max(just_before(hour)), until)
}

struct Plan<'s> {
    site: &'s SiteView,
    limit: usize,
    runs: u64,
    skipped: u64,
    /// The first so far; the last of them on top, to be the next to go.
    first: BinaryHeap<Planned>,
    hours: BTreeMap<Timestamp, u64>,
    problems: Vec<String>,
}

/// What becomes of an occurrence.
struct Fate {
    /// When it starts, as far as is known.
    at: Timestamp,
    skipped: Option<String>,
    note: Option<String>,
}

impl Plan<'_> {
    fn take(&mut self, job: &Job, definition: &JobDefinition, from: Timestamp, to: Timestamp) {
        let Some(part) = definition.schedule_part() else { return };
        let (after, until) = (just_before(from), just_before(to));
        for stretch in self.site.stretches(&part, after) {
            let until = stretch.until.map_or(until, |end| end.min(until));
            match &stretch.schedule {
                Ok(schedule) => {
                    for occurrence in schedule.between(stretch.from, until) {
                        self.take_one(job, definition, &occurrence);
                    }
                }
                Err(error) => self.problems.push(format!("job {}: {error}", job.name)),
            }
        }
    }

    fn take_one(&mut self, job: &Job, definition: &JobDefinition, occurrence: &Occurrence) {
        let fate = self.site.fate(job, definition, occurrence);
        let at = fate.at;
        if fate.skipped.is_some() {
            self.skipped += 1;
        } else {
            self.runs += 1;
            *self.hours.entry(hour_of(at)).or_default() += 1;
        }
        self.name(at, job, || planned(job, definition, occurrence, fate));
    }

    /// Names it if it is among the first so far; most of a long range are only counted, and not made.
    fn name(&mut self, at: Timestamp, job: &Job, planned: impl FnOnce() -> Planned) {
        let last = self.first.peek().filter(|_| self.first.len() >= self.limit);
        let fits = last.is_none_or(|last| (at, &job.name) < (last.at, &last.job));
        if self.limit == 0 || !fits {
            return;
        }
        self.first.push(planned());
        if self.first.len() > self.limit {
            self.first.pop();
        }
    }
}

/// The occurrences of one job after `from` and up to and with `until`, the first `count` of them; none where it has no
/// schedule.
///
/// # Errors
/// The job cannot be planned, in a sentence.
pub fn of_job(
    job: &Job,
    (from, until): (Timestamp, Timestamp),
    count: usize,
    site: &SiteView,
) -> Result<Vec<(Occurrence, Planned)>, String> {
    let Some(span) = job.active() else { return Ok(Vec::new()) };
    let definition = span.read().map_err(|error| error.to_string())?;
    of_definition(job, &definition, (from, until), count, site)
}

/// When a job runs next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The instant, on the clock of the job's zone.
    pub at: Zoned,
    /// What will be otherwise: it was moved, is held, or starts later.
    pub note: Option<String>,
}

/// When a job runs next by its schedule: none while it is paused; what people said of single occurrences is heeded.
pub fn next_run(job: &Job, schedule: &Schedule, site: &SiteView, now: Timestamp) -> Option<Next> {
    if job.paused().is_some() {
        return None;
    }
    let next = schedule.next_run(now)?;
    if job.orders.is_empty() && !site.has_blackouts() {
        return Some(Next { at: next.local, note: None });
    }
    // What was moved may be any of those of which something was said; otherwise the first will do.
    let few = [4, NEXT_AMONG];
    let counts = if job.orders.is_empty() { &few[..] } else { &few[1..] };
    counts.iter().find_map(|count| next_of(job, *count, site, now))
}

fn next_of(job: &Job, count: usize, site: &SiteView, now: Timestamp) -> Option<Next> {
    let near = of_job(job, (now, horizon(now)), count, site).ok()?;
    // What was moved ahead may have run already.
    let runs = near.into_iter().filter(|(_, one)| one.skipped.is_none() && one.at > now);
    let (own, one) = runs.min_by_key(|(_, one)| one.at)?;
    Some(Next { at: one.at.to_zoned(own.local.time_zone().clone()), note: one.note })
}

/// How many occurrences are looked at for the next that runs, where something was said of some.
const NEXT_AMONG: usize = 600;

/// How far ahead occurrences are looked for.
pub fn horizon(from: Timestamp) -> Timestamp {
    let long = jiff::SignedDuration::from_hours(SEARCH_HORIZON_YEARS * 366 * 24);
    from.checked_add(long).unwrap_or(Timestamp::MAX)
}

/// The same of a definition of a job, as if it were the active one.
///
/// # Errors
/// As [`of_job`].
pub fn of_definition(
    job: &Job,
    definition: &JobDefinition,
    (from, until): (Timestamp, Timestamp),
    count: usize,
    site: &SiteView,
) -> Result<Vec<(Occurrence, Planned)>, String> {
    let Some(part) = definition.schedule_part() else { return Ok(Vec::new()) };
    let mut found: Vec<(Occurrence, Planned)> = Vec::new();
    for stretch in site.stretches(&part, from) {
        let until = stretch.until.map_or(until, |end| end.min(until));
        let schedule = stretch.schedule.map_err(|error| error.to_string())?;
        for occurrence in schedule.between(stretch.from, until).take(count - found.len()) {
            let fate = site.fate(job, definition, &occurrence);
            let planned = planned(job, definition, &occurrence, fate);
            found.push((occurrence, planned));
        }
    }
    Ok(found)
}

fn planned(job: &Job, definition: &JobDefinition, occurrence: &Occurrence, fate: Fate) -> Planned {
    Planned {
        at: fate.at,
        job: job.name.clone(),
        pool: definition.pool.clone(),
        occurrence: occurrence.at,
        local: occurrence.local.to_string(),
        reason: if occurrence.out.is_some() { "left-out" } else { occurrence.reason.as_str() },
        business_day: occurrence.business_day.to_string(),
        skipped: fate.skipped,
        note: fate.note,
    }
}

impl SiteView {
    fn fate(&self, job: &Job, definition: &JobDefinition, occurrence: &Occurrence) -> Fate {
        let at = occurrence.at;
        let skip = |why: String| Fate { at, skipped: Some(why), note: None };
        if let Some(why) = occurrence.describe_out() {
            return skip(why);
        }
        if let Some(pause) = job.pause_at(at) {
            return skip(format!("the job is paused: {}", pause.reason));
        }
        let (mut at, mut moved) = (at, false);
        let mut notes: Vec<String> = Vec::new();
        notes.extend(occurrence.moved_from.iter().map(|day| format!("moved from {day}")));
        if let Some(order) = job.orders.get(&occurrence.at) {
            match order.act {
                OrderAct::Skip => return skip(format!("somebody said so: {}", order.reason)),
                OrderAct::Hold => notes.push(format!("held: {}", order.reason)),
                OrderAct::Move(to) => {
                    (at, moved) = (to, true);
                    notes.push(format!("moved to {to}: {}", order.reason));
                }
            }
        }
        let zone = occurrence.local.time_zone();
        let window = definition.window.filter(|_| !moved);
        let window = window.and_then(|window| window.for_instant(at, zone));
        if let Some((opens, _)) = window.filter(|(opens, _)| *opens > at) {
            at = opens;
            notes.push("waits for its window".to_owned());
        }
        match self.blackout(definition, at) {
            Some((BlackoutEnd::Skip, why)) => return Fate { at, skipped: Some(why), note: None },
            Some((BlackoutEnd::Hold, why)) => notes.push(format!("held by {why}")),
            Some((BlackoutEnd::StartLate, why)) => notes.push(format!("delayed by {why}")),
            None => {}
        }
        let note = if notes.is_empty() { None } else { Some(notes.join("; ")) };
        Fate { at, skipped: None, note }
    }
}

const HOUR: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// The beginning of the hour (UTC) that an instant is in.
pub fn hour_of(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(3_600) * 3_600).unwrap_or(at)
}
