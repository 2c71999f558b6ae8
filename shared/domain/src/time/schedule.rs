//! The checked schedule, and questions to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::clock::ClockTime;
use super::days::{DayPlan, Otherwise, PlannedWall};
use super::error::ScheduleError;
use super::occurrence::{Occurrence, Out, Reason, just_before};
use super::policy::DstPolicy;
use super::reading::{Reading, Rule, read};
use super::spec::{AtList, AtTime, Every, ScheduleSpec};
use super::walk::{Found, WallWalk, collect_readings};
use super::wall::{WallRule, crontab_words, quartz_words};
use super::zone;

/// How far ahead [`Schedule::next`] looks for a `cron` or `quartz` schedule, in years.
///
/// The rarest crontab line there is, 29 February on a given weekday, is 40 years apart around a century that is
/// not a leap year; so within this horizon every crontab line that fires at all is found. A Quartz line whose
/// years lie farther ahead is not.
pub const SEARCH_HORIZON_YEARS: i64 = 41;

/// How many occurrences that are left out a search for one that runs passes over.
pub const LEFT_OUT_MAX: usize = 100_000;

const SEARCH_HORIZON: SignedDuration = SignedDuration::from_hours(SEARCH_HORIZON_YEARS * 366 * 24);

/// A schedule in its zone, checked: it names at least one instant. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Schedule(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    spec: ScheduleSpec,
    zone: TimeZone,
    zone_name: String,
    policy: DstPolicy,
    times: Times,
    days: Option<DayPlan>,
}

#[derive(Debug)]
enum Times {
    Walls { walls: WallRule, rule: Rule },
    Every { start: i64, interval: i64 },
    At { found: BTreeMap<Timestamp, Found> },
}

/// How far from a business day its occurrences may be: as far as clocks jump.
const AROUND_DAY: SignedDuration = SignedDuration::from_hours(3);
/// How much of a day is searched at once.
const SEARCH_STEP: SignedDuration = SignedDuration::from_hours(2);

impl Schedule {
    /// Checks a schedule against its zone (an IANA name) and the rule for clock changes.
    ///
    /// # Errors
    /// [`ScheduleError`] if the zone is unknown, an expression is wrong (the message names the field and what is
    /// allowed), or the schedule can never fire.
    pub fn parse(
        spec: &ScheduleSpec,
        zone: &str,
        policy: DstPolicy,
    ) -> Result<Self, ScheduleError> {
        Self::with_days(spec, zone, policy, None)
    }

    /// The same on the days that calendars leave it.
    ///
    /// # Errors
    /// As [`Schedule::parse`]; also where elapsed time is to move to another day.
    pub fn with_days(
        spec: &ScheduleSpec,
        zone: &str,
        policy: DstPolicy,
        days: Option<DayPlan>,
    ) -> Result<Self, ScheduleError> {
        let zone = zone::find(zone)?;
        let zone_name = zone.iana_name().unwrap_or("UTC").to_owned();
        Self::in_zone(spec, (zone, zone_name), policy, days)
    }

    /// The same schedule by other rules of its zone.
    ///
    /// # Errors
    /// By those it can never fire: a list of times all of which fall into a gap.
    pub fn with_rules(&self, rules: &TimeZone) -> Result<Self, ScheduleError> {
        let inner = &*self.0;
        let days = inner.days.as_ref().map(DayPlan::again);
        Self::in_zone(&inner.spec, (rules.clone(), inner.zone_name.clone()), inner.policy, days)
    }

    fn in_zone(
        spec: &ScheduleSpec,
        (zone, zone_name): (TimeZone, String),
        policy: DstPolicy,
        days: Option<DayPlan>,
    ) -> Result<Self, ScheduleError> {
        let times = match spec {
            ScheduleSpec::Cron(text) => walls(WallRule::crontab(text)?, text, policy)?,
            ScheduleSpec::Quartz(text) => walls(WallRule::quartz(text)?, text, policy)?,
            ScheduleSpec::Every(every) => elapsed(*every, days.as_ref())?,
            ScheduleSpec::At(list) => listed(list, &zone, policy, days.as_ref())?,
        };
        let spec = spec.clone();
        Ok(Self(Arc::new(Inner { spec, zone, zone_name, policy, times, days })))
    }

    /// The occurrences after `after` up to and including `until`, strictly increasing; those that the schedule
    /// leaves out itself are among them. Cutting a range in two changes nothing.
    pub fn between(&self, after: Timestamp, until: Timestamp) -> Occurrences<'_> {
        let inner = &*self.0;
        let days = inner.days.as_ref();
        let steps = match &inner.times {
            Times::Walls { walls, rule } => {
                Steps::Walls(Box::new(WallWalk::new(walls, days, &inner.zone, *rule, after, until)))
            }
            Times::Every { start, interval } => Steps::Every {
                next: first_multiple(*start, *interval, after),
                interval: *interval,
                until,
            },
            Times::At { found } => Steps::At { found, after, until },
        };
        Occurrences { zone: &inner.zone, days, steps }
    }

    /// The first occurrence after `after`, whether it runs or is left out; `None` if there is none within
    /// [`SEARCH_HORIZON_YEARS`].
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Occurrence> {
        let until = match self.0.times {
            Times::Walls { .. } => after.checked_add(SEARCH_HORIZON).unwrap_or(Timestamp::MAX),
            Times::Every { .. } | Times::At { .. } => Timestamp::MAX,
        };
        self.between(after, until).next()
    }

    /// The first occurrence after `after` that runs. Where calendars leave out everything, the search ends after
    /// [`LEFT_OUT_MAX`] occurrences.
    #[must_use]
    pub fn next_run(&self, after: Timestamp) -> Option<Occurrence> {
        let until = after.checked_add(SEARCH_HORIZON).unwrap_or(Timestamp::MAX);
        self.between(after, until).take(LEFT_OUT_MAX).find(|occurrence| occurrence.out.is_none())
    }

    /// Whether `at` is one of its occurrences; that occurrence.
    #[must_use]
    pub fn occurrence_at(&self, at: Timestamp) -> Option<Occurrence> {
        self.between(just_before(at), at).next()
    }

    /// The last occurrence of a business day after `after` and up to `until`: of those that run, or, where the
    /// schedule leaves out all of that day, of those.
    #[must_use]
    pub fn last_of_day(&self, day: Date, after: Timestamp, until: Timestamp) -> Option<Occurrence> {
        let cut = self.0.days.as_ref().and_then(|days| days.rule().cut_over);
        let cut = cut.unwrap_or(ClockTime::MIDNIGHT).time();
        let begins = |day: Date| self.0.zone.to_timestamp(day.to_datetime(cut)).ok();
        // A time that the clock skips may be moved beyond the day.
        let first = after.max(begins(day)?.checked_sub(AROUND_DAY).ok()?);
        let mut until = until.min(begins(day.tomorrow().ok()?)?.checked_add(AROUND_DAY).ok()?);
        let mut out = None;
        // Backwards, for there may be one each second.
        while first < until {
            let from = until.checked_sub(SEARCH_STEP).map_or(first, |from| from.max(first));
            let found = self.between(from, until).filter(|found| found.business_day == day);
            let last = found.max_by_key(|found| (found.out.is_none(), found.at));
            match last {
                Some(last) if last.out.is_none() => return Some(last),
                last => out = out.or(last),
            }
            until = from;
        }
        out
    }

    /// The last occurrence before `at` that runs; `None` if there is none within [`SEARCH_HORIZON_YEARS`], or too
    /// many that are left out lie between.
    #[must_use]
    pub fn last_run_before(&self, at: Timestamp) -> Option<Occurrence> {
        for days in [1, 32, 366, SEARCH_HORIZON_YEARS * 366] {
            let from = at.checked_sub(SignedDuration::from_hours(days * 24));
            let from = from.unwrap_or(Timestamp::MIN);
            let (mut last, mut seen) = (None, 0);
            for occurrence in self.between(from, just_before(at)) {
                seen += 1;
                last = Some(occurrence).filter(|one| one.out.is_none()).or(last);
            }
            if last.is_some() || seen > LEFT_OUT_MAX / 10 {
                return last;
            }
        }
        None
    }

    /// The business day of an instant by its rule.
    #[must_use]
    pub fn business_day(&self, at: Timestamp) -> Date {
        let wall = self.0.zone.to_datetime(at);
        self.0.days.as_ref().map_or(wall.date(), |days| days.rule().business_day(wall))
    }

    /// Its zone.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.0.zone
    }

    /// The zone's name as the tz database spells it.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.0.zone_name
    }

    /// What the schedule was made from.
    #[must_use]
    pub fn spec(&self) -> &ScheduleSpec {
        &self.0.spec
    }

    /// The schedule in words for people, with its zone.
    #[must_use]
    pub fn describe(&self) -> String {
        let zone = &self.0.zone_name;
        let walls = |words: &str| format!("{}, {zone} time", words.trim_end_matches('.'));
        match &self.0.spec {
            ScheduleSpec::Cron(line) => walls(&crontab_words(line)),
            ScheduleSpec::Quartz(line) => walls(&quartz_words(line)),
            ScheduleSpec::Every(every) => format!("Every {every}, elapsed time"),
            ScheduleSpec::At(list) => format!("Once at {list}, {zone} time"),
        }
    }
}

fn walls(walls: WallRule, text: &str, policy: DstPolicy) -> Result<Times, ScheduleError> {
    if !walls.ever_fires() {
        return Err(ScheduleError::NeverFires {
            schedule: text.to_owned(),
            reason: "no date matches its day, month and year fields together",
        });
    }
    let rule = if walls.elapsed { Rule::Elapsed } else { Rule::Fixed(policy) };
    Ok(Times::Walls { walls, rule })
}

fn elapsed(every: Every, days: Option<&DayPlan>) -> Result<Times, ScheduleError> {
    let moves = |otherwise| matches!(otherwise, Otherwise::Previous | Otherwise::Next);
    if days.is_some_and(|days| moves(days.rule().otherwise)) {
        return Err(ScheduleError::MovesElapsed);
    }
    let start = every.from.unwrap_or(Timestamp::UNIX_EPOCH);
    if start.subsec_nanosecond() != 0 {
        return Err(ScheduleError::Fraction { time: start.to_string() });
    }
    let interval = every.interval.as_duration();
    match i64::try_from(interval.as_secs()) {
        Ok(seconds @ 1..) if interval.subsec_nanos() == 0 => {
            Ok(Times::Every { start: start.as_second(), interval: seconds })
        }
        Ok(_) | Err(_) => Err(ScheduleError::Interval { interval: every.interval.to_string() }),
    }
}

fn listed(
    list: &AtList,
    zone: &TimeZone,
    policy: DstPolicy,
    days: Option<&DayPlan>,
) -> Result<Times, ScheduleError> {
    let mut found = BTreeMap::new();
    for entry in &list.0 {
        let (planned, reading) = place_entry(*entry, zone, policy, days)?;
        collect_readings(&mut found, reading, &planned, (Timestamp::MIN, Timestamp::MAX));
    }
    if found.values().all(|one| one.out == Some(Out::Gap)) {
        let reason = if list.0.is_empty() {
            "its list is empty"
        } else {
            "each of its times falls into a gap of the zone's clock and `gap: skip` leaves it out"
        };
        return Err(ScheduleError::NeverFires { schedule: format!("at: {list}"), reason });
    }
    Ok(Times::At { found })
}

/// One entry of a list on the day that calendars leave it.
fn place_entry(
    entry: AtTime,
    zone: &TimeZone,
    policy: DstPolicy,
    days: Option<&DayPlan>,
) -> Result<(PlannedWall, Reading), ScheduleError> {
    let (wall, reading) = read_entry(&entry, zone, policy)?;
    let Some(days) = days else { return Ok((PlannedWall::plain(wall), reading)) };
    let from = days.rule().business_day(wall);
    let (day, out) = days.place(from);
    if day == from {
        return Ok((PlannedWall { wall, day, moved_from: Vec::new(), out }, reading));
    }
    let moved = from.until(day).and_then(|by| wall.checked_add(by));
    let wall = moved.map_err(|_| ScheduleError::OutOfRange { time: entry.to_string() })?;
    let reading = read(zone, wall, Rule::Fixed(policy));
    Ok((PlannedWall { wall, day, moved_from: vec![from], out }, reading))
}

fn read_entry(
    entry: &AtTime,
    zone: &TimeZone,
    policy: DstPolicy,
) -> Result<(DateTime, Reading), ScheduleError> {
    let (wall, reading) = match entry {
        AtTime::Civil(wall) => (*wall, read(zone, *wall, Rule::Fixed(policy))),
        AtTime::Instant(at) => (zone.to_datetime(*at), Reading::exactly(*at)),
    };
    if wall.subsec_nanosecond() != 0 {
        return Err(ScheduleError::Fraction { time: entry.to_string() });
    }
    if reading.is_none() {
        return Err(ScheduleError::OutOfRange { time: entry.to_string() });
    }
    Ok((wall, reading))
}

/// The first `start + k × interval` (k ≥ 0) after `after`, in seconds since the Unix epoch.
fn first_multiple(start: i64, interval: i64, after: Timestamp) -> Option<i64> {
    // The next whole second after `after` is the least that may be answered.
    let least = after.as_nanosecond().div_euclid(1_000_000_000) + 1;
    let (start, interval) = (i128::from(start), i128::from(interval));
    let passed = (least - start).max(0);
    let steps = (passed + interval - 1).div_euclid(interval);
    i64::try_from(start + steps * interval).ok()
}

/// The occurrences of a schedule in a range of instants, in order. Made by [`Schedule::between`].
#[derive(Debug)]
pub struct Occurrences<'a> {
    zone: &'a TimeZone,
    days: Option<&'a DayPlan>,
    steps: Steps<'a>,
}

#[derive(Debug)]
enum Steps<'a> {
    Walls(Box<WallWalk<'a>>),
    Every { next: Option<i64>, interval: i64, until: Timestamp },
    At { found: &'a BTreeMap<Timestamp, Found>, after: Timestamp, until: Timestamp },
}

impl Iterator for Occurrences<'_> {
    type Item = Occurrence;

    fn next(&mut self) -> Option<Occurrence> {
        let (at, found) = self.step()?;
        let Found { walls, reason, day, moved_from, left_out, out } = found;
        // What runs outweighs what was left out at the same instant.
        let out = out.filter(|_| walls.is_empty());
        let local = at.to_zoned(self.zone.clone());
        Some(Occurrence { at, local, walls, reason, business_day: day, moved_from, left_out, out })
    }
}

impl Occurrences<'_> {
    fn step(&mut self) -> Option<(Timestamp, Found)> {
        match &mut self.steps {
            Steps::Walls(walk) => walk.next(),
            Steps::Every { next, interval, until } => {
                let second = (*next)?;
                let at = Timestamp::from_second(second).ok().filter(|at| *at <= *until)?;
                *next = second.checked_add(*interval);
                let wall = self.zone.to_datetime(at);
                let mut planned = PlannedWall::plain(wall);
                if let Some(days) = self.days {
                    planned.day = days.rule().business_day(wall);
                    planned.out = days.place(planned.day).1;
                }
                Some((at, Found::new(planned, Reason::Elapsed, false)))
            }
            Steps::At { found, after, until } => {
                if *after >= *until {
                    return None;
                }
                let range = (std::ops::Bound::Excluded(*after), std::ops::Bound::Included(*until));
                let (at, entry) = found.range(range).next()?;
                *after = *at;
                Some((*at, entry.clone()))
            }
        }
    }
}
