//! The checked schedule, and questions to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::error::ScheduleError;
use super::occurrence::{Occurrence, Reason, Skipped};
use super::policy::{DstPolicy, Gap};
use super::reading::{Reading, Rule, read};
use super::spec::{AtList, AtTime, Every, ScheduleSpec};
use super::walk::{Found, WallWalk, collect, skipped};
use super::wall::{WallRule, crontab_words, quartz_words};
use super::zone;

/// How far ahead [`Schedule::next`] looks for a `cron` or `quartz` schedule, in years.
///
/// The rarest crontab line there is, 29 February on a given weekday, is 40 years apart around a century that is
/// not a leap year; so within this horizon every crontab line that fires at all is found. A Quartz line whose
/// years lie farther ahead is not.
pub const SEARCH_HORIZON_YEARS: i64 = 41;

const SEARCH_HORIZON: SignedDuration = SignedDuration::from_hours(SEARCH_HORIZON_YEARS * 366 * 24);

/// A schedule in its zone, checked: it names at least one instant. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Schedule(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    spec: ScheduleSpec,
    zone: TimeZone,
    zone_name: String,
    times: Times,
}

#[derive(Debug)]
enum Times {
    Walls { walls: WallRule, rule: Rule },
    Every { start: i64, interval: i64 },
    At { found: BTreeMap<Timestamp, Found>, skipped: Vec<Skipped> },
}

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
        let zone = zone::find(zone)?;
        let zone_name = zone.iana_name().unwrap_or("UTC").to_owned();
        let times = match spec {
            ScheduleSpec::Cron(text) => walls(WallRule::crontab(text)?, text, policy)?,
            ScheduleSpec::Quartz(text) => walls(WallRule::quartz(text)?, text, policy)?,
            ScheduleSpec::Every(every) => elapsed(*every)?,
            ScheduleSpec::At(list) => listed(list, &zone, &zone_name, policy)?,
        };
        Ok(Self(Arc::new(Inner { spec: spec.clone(), zone, zone_name, times })))
    }

    /// The occurrences after `after` up to and including `until`, strictly increasing. Cutting a range in two
    /// changes nothing.
    pub fn between(&self, after: Timestamp, until: Timestamp) -> Occurrences<'_> {
        let steps = match &self.0.times {
            Times::Walls { walls, rule } => {
                Steps::Walls(Box::new(WallWalk::new(walls, &self.0.zone, *rule, after, until)))
            }
            Times::Every { start, interval } => Steps::Every {
                next: first_multiple(*start, *interval, after),
                interval: *interval,
                until,
            },
            Times::At { found, .. } => Steps::At { found, after, until },
        };
        Occurrences { zone: &self.0.zone, steps }
    }

    /// The first occurrence after `after`; `None` if there is none within [`SEARCH_HORIZON_YEARS`].
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Occurrence> {
        let until = match self.0.times {
            Times::Walls { .. } => after.checked_add(SEARCH_HORIZON).unwrap_or(Timestamp::MAX),
            Times::Every { .. } | Times::At { .. } => Timestamp::MAX,
        };
        self.between(after, until).next()
    }

    /// The wall-clock times left out by `gap: skip`, whose gap ends after `after` and no later than `until`.
    ///
    /// Schedules with a wildcard or step in minute or hour have none: they name instants, and no instant is
    /// missing from a gap.
    #[must_use]
    pub fn skipped(&self, after: Timestamp, until: Timestamp) -> Vec<Skipped> {
        let within = |at: Timestamp| after < at && at <= until;
        match &self.0.times {
            Times::Walls { walls, rule: rule @ Rule::Fixed(DstPolicy { gap: Gap::Skip, .. }) } => {
                let zone = &self.0.zone_name;
                skipped(walls, &self.0.zone, *rule, after, until)
                    .map(|(wall, gap_end)| Skipped { wall, gap_end, zone: zone.clone() })
                    .collect()
            }
            Times::Walls { .. } | Times::Every { .. } => Vec::new(),
            Times::At { skipped, .. } => {
                skipped.iter().filter(|entry| within(entry.gap_end)).cloned().collect()
            }
        }
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

fn elapsed(every: Every) -> Result<Times, ScheduleError> {
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
    zone_name: &str,
    policy: DstPolicy,
) -> Result<Times, ScheduleError> {
    let mut found = BTreeMap::new();
    let mut skipped = Vec::new();
    for entry in &list.0 {
        let (wall, reading) = read_entry(entry, zone, policy)?;
        for (at, reason) in reading.instants.into_iter().flatten() {
            collect(&mut found, at, wall, reason);
        }
        let left_out = |gap_end| Skipped { wall, gap_end, zone: zone_name.to_owned() };
        skipped.extend(reading.skipped.map(left_out));
    }
    if found.is_empty() {
        let reason = if list.0.is_empty() {
            "its list is empty"
        } else {
            "each of its times falls into a gap of the zone's clock and `gap: skip` leaves it out"
        };
        return Err(ScheduleError::NeverFires { schedule: format!("at: {list}"), reason });
    }
    skipped.sort_by_key(|entry| (entry.gap_end, entry.wall));
    skipped.dedup();
    Ok(Times::At { found, skipped })
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
        let (at, found) = self.steps.step(self.zone)?;
        let Found { walls, reason } = found;
        Some(Occurrence { at, local: at.to_zoned(self.zone.clone()), walls, reason })
    }
}

impl Steps<'_> {
    fn step(&mut self, zone: &TimeZone) -> Option<(Timestamp, Found)> {
        match self {
            Self::Walls(walk) => walk.next(),
            Self::Every { next, interval, until } => {
                let second = (*next)?;
                let at = Timestamp::from_second(second).ok().filter(|at| *at <= *until)?;
                *next = second.checked_add(*interval);
                Some((at, Found { walls: vec![zone.to_datetime(at)], reason: Reason::Elapsed }))
            }
            Self::At { found, after, until } => {
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
