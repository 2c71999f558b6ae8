//! On which days a schedule runs: calendars, the rule for a day that falls out, and the business day.
//!
//! A wall-clock time belongs to a *business day*: its own date, or the date before where it lies before the
//! cut-over. Whether it may run, and to which day it moves, is asked of its business day; what moves keeps its
//! time of day.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clock::ClockTime;
use super::wall::WallRule;
use crate::calendar::{Almanac, Days, WEEKDAYS, YearDays};

/// How far a day may move. Farther, the occurrence falls out.
const MOVE_DAYS_MAX: i64 = 366;

/// On which days a schedule runs, as it stands in a job file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CalendarRule {
    /// Only on days that are in any of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only_on: Vec<Days>,
    /// Not on days that are in any of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_on: Vec<Days>,
    /// What becomes of an occurrence whose day falls out.
    #[serde(default, skip_serializing_if = "Otherwise::is_skip")]
    pub otherwise: Otherwise,
    /// What `previous` and `next` count as a working day; Monday to Friday where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_days: Option<Days>,
    /// Times of day before this one belong to the business day before: `06:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_over: Option<ClockTime>,
}

/// What becomes of an occurrence whose day falls out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Otherwise {
    /// It is skipped, and recorded as such.
    #[default]
    Skip,
    /// It runs anyway; its day is noted.
    Run,
    /// It runs on the working day before.
    Previous,
    /// It runs on the working day after.
    Next,
}

impl Otherwise {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
    fn is_skip(&self) -> bool {
        *self == Self::Skip
    }
}

impl CalendarRule {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The calendars it refers to directly.
    pub fn names(&self) -> std::collections::BTreeSet<String> {
        let mut names = std::collections::BTreeSet::new();
        self.all().for_each(|days| days.collect_names(&mut names));
        names.remove(WEEKDAYS);
        names
    }

    /// Every set of days in it.
    pub fn all(&self) -> impl Iterator<Item = &Days> {
        self.only_on.iter().chain(&self.not_on).chain(&self.working_days)
    }

    /// The business day of a wall-clock time.
    pub fn business_day(&self, wall: DateTime) -> Date {
        business_day(wall, self.cut_over.map(ClockTime::time))
    }
}

fn business_day(wall: DateTime, cut_over: Option<Time>) -> Date {
    let before = cut_over.is_some_and(|cut| wall.time() < cut);
    let date = wall.date();
    if before { date.yesterday().unwrap_or(date) } else { date }
}

/// Why a day falls out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DayOut {
    /// The business day.
    pub day: Date,
    /// The calendar that holds it, for a day that is in `not-on`; `None` where it is in none of `only-on`.
    pub calendar: Option<String>,
    /// What the day is called there.
    pub name: String,
}

impl DayOut {
    /// A sentence for people: "2026-12-25 is in us-holidays (Christmas Day)".
    #[must_use]
    pub fn describe(&self) -> String {
        let name = if self.name.is_empty() { String::new() } else { format!(" ({})", self.name) };
        match &self.calendar {
            Some(calendar) => format!("{} is in {calendar}{name}", self.day),
            None => format!("{} is not a day of {}", self.day, self.name),
        }
    }
}

/// The days of one year that fall out, and why.
type Outs = BTreeMap<Date, Arc<DayOut>>;

/// A year as a rule sees it.
#[derive(Debug)]
struct YearPlan {
    outs: Outs,
    working: Arc<YearDays>,
}

/// A [`CalendarRule`] with the calendars it refers to.
#[derive(Debug)]
pub struct DayPlan {
    rule: CalendarRule,
    almanac: Arc<Almanac>,
    years: Mutex<BTreeMap<i16, Arc<YearPlan>>>,
}

impl DayPlan {
    /// A rule and its calendars.
    pub fn new(rule: CalendarRule, almanac: Arc<Almanac>) -> Self {
        Self { rule, almanac, years: Mutex::default() }
    }

    /// Another of the same rule and calendars.
    pub(super) fn again(&self) -> Self {
        Self::new(self.rule.clone(), Arc::clone(&self.almanac))
    }

    /// The rule.
    pub fn rule(&self) -> &CalendarRule {
        &self.rule
    }

    fn year(&self, year: i16) -> Arc<YearPlan> {
        let mut years = self.years.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(years.entry(year).or_insert_with(|| Arc::new(self.plan(year))))
    }

    fn plan(&self, year: i16) -> YearPlan {
        let by_default = Days::named(WEEKDAYS);
        let working = self.rule.working_days.as_ref().unwrap_or(&by_default);
        let of = |days: &Days| (self.almanac.year(days, year), label(days));
        let only: Vec<_> = self.rule.only_on.iter().map(of).collect();
        let not: Vec<_> = self.rule.not_on.iter().map(of).collect();
        let first = jiff::civil::date(year, 1, 1);
        let days = std::iter::successors(Some(first), |day| day.tomorrow().ok());
        let out = |day: Date| fell_out(day, &only, &not).map(|out| (day, Arc::new(out)));
        let outs = days.take_while(|day| day.year() == year).filter_map(out).collect();
        YearPlan { outs, working: self.almanac.year(working, year) }
    }

    /// Why a day falls out; `None` for a day on which the schedule runs.
    pub fn out(&self, day: Date) -> Option<Arc<DayOut>> {
        self.year(day.year()).outs.get(&day).cloned()
    }

    /// Whether what moves may move to this day.
    fn takes(&self, day: Date) -> bool {
        let year = self.year(day.year());
        year.working.contains(day) && !year.outs.contains_key(&day)
    }

    /// The nearest day on which what moves may run, from `day` on (inclusive) in steps of `step` days.
    fn nearest(&self, day: Date, step: i64) -> Option<Date> {
        let nth = |n: i64| day.checked_add((n * step).days()).ok();
        (0..=MOVE_DAYS_MAX).map_while(nth).find(|day| self.takes(*day))
    }

    /// Where a business day goes, and why it does not run there if it does not.
    pub(super) fn place(&self, day: Date) -> (Date, Option<Arc<DayOut>>) {
        let Some(out) = self.out(day) else { return (day, None) };
        let moved = match self.rule.otherwise {
            Otherwise::Skip => return (day, Some(out)),
            Otherwise::Run => return (day, None),
            Otherwise::Previous => self.nearest(day, -1),
            Otherwise::Next => self.nearest(day, 1),
        };
        // Nowhere to go within a year: it falls out after all.
        moved.map_or((day, Some(out)), |day| (day, None))
    }

    /// Below this day nothing more comes, after business days up to and with `done` were placed.
    fn settled_before(&self, done: Date) -> Date {
        let after = done.tomorrow().unwrap_or(Date::MAX);
        match self.rule.otherwise {
            Otherwise::Skip | Otherwise::Run | Otherwise::Next => after,
            Otherwise::Previous => self.nearest(done, -1).unwrap_or(after),
        }
    }

    /// The first business day that can come to `day` or later.
    fn first_source(&self, day: Date) -> Date {
        match self.rule.otherwise {
            Otherwise::Skip | Otherwise::Run | Otherwise::Previous => day,
            Otherwise::Next => {
                let yesterday = day.yesterday().unwrap_or(day);
                let least = day.checked_sub(MOVE_DAYS_MAX.days()).unwrap_or(Date::MIN);
                self.nearest(yesterday, -1).and_then(|day| day.tomorrow().ok()).unwrap_or(least)
            }
        }
    }

    /// The last business day that can come to `day` or earlier.
    fn last_source(&self, day: Date) -> Date {
        match self.rule.otherwise {
            Otherwise::Skip | Otherwise::Run | Otherwise::Next => day,
            Otherwise::Previous => {
                let tomorrow = day.tomorrow().unwrap_or(day);
                let most = day.checked_add(MOVE_DAYS_MAX.days()).unwrap_or(Date::MAX);
                self.nearest(tomorrow, 1).unwrap_or(most)
            }
        }
    }
}

fn label(days: &Days) -> String {
    match days {
        Days::Calendar(name) => name.clone(),
        Days::Set(_) => "the job's own rule".to_owned(),
    }
}

fn fell_out(
    day: Date,
    only: &[(Arc<YearDays>, String)],
    not: &[(Arc<YearDays>, String)],
) -> Option<DayOut> {
    if let Some((days, calendar)) = not.iter().find(|(days, _)| days.contains(day)) {
        let name = days.name(day).unwrap_or_default().to_owned();
        return Some(DayOut { day, calendar: Some(calendar.clone()), name });
    }
    if only.is_empty() || only.iter().any(|(days, _)| days.contains(day)) {
        return None;
    }
    let names: Vec<&str> = only.iter().map(|(_, name)| name.as_str()).collect();
    Some(DayOut { day, calendar: None, name: names.join(" or ") })
}

/// A wall-clock time of a schedule, and what its days say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlannedWall {
    pub(super) wall: DateTime,
    /// Its business day.
    pub(super) day: Date,
    /// The business days it was moved from.
    pub(super) moved_from: Vec<Date>,
    /// Why it does not run.
    pub(super) out: Option<Arc<DayOut>>,
}

impl PlannedWall {
    /// A wall-clock time about which no calendar says anything.
    pub(super) fn plain(wall: DateTime) -> Self {
        Self { wall, day: wall.date(), moved_from: Vec::new(), out: None }
    }
}

/// Business days that come to one day.
#[derive(Debug, Clone, Default)]
struct Group {
    /// Those that were moved here.
    moved_from: Vec<Date>,
    /// Whether times from the cut-over on, and before it, occur.
    upper: bool,
    lower: bool,
    out: Option<Arc<DayOut>>,
}

/// The wall-clock times of a rule in order, after its days were placed.
#[derive(Debug)]
pub(super) struct PlannedWalls<'a> {
    walls: &'a WallRule,
    plan: &'a DayPlan,
    cut: Time,
    /// The next business day to place, and the last.
    source: Date,
    last_source: Date,
    /// Placed days whose turn has not come.
    waiting: BTreeMap<Date, Group>,
    /// Days before this one have all they will get.
    settled: Date,
    /// The day under way, and its next time of day.
    current: Option<(Date, Group, Option<Time>)>,
    from: DateTime,
    /// The business day of `from`.
    first: Date,
    last: Date,
}

impl<'a> PlannedWalls<'a> {
    /// From `from` on, up to the end of the business day `last`.
    pub(super) fn new(walls: &'a WallRule, plan: &'a DayPlan, from: DateTime, last: Date) -> Self {
        let cut = plan.rule.cut_over.unwrap_or(ClockTime::MIDNIGHT).time();
        let first = business_day(from, Some(cut));
        Self {
            walls,
            plan,
            cut,
            source: plan.first_source(first),
            last_source: plan.last_source(last),
            waiting: BTreeMap::new(),
            settled: Date::MIN,
            current: None,
            from,
            first,
            last,
        }
    }

    /// The next business day on which the rule has a time, from `self.source` on.
    fn next_source(&mut self) -> Option<(Date, Group)> {
        let with_eve = self.cut > Time::midnight();
        let has_upper = self.walls.next_time(self.cut).is_some();
        let first = self.walls.next_time(Time::midnight());
        let has_lower = with_eve && first.is_some_and(|time| time < self.cut);
        let limit = self.last_source.checked_add(i64::from(with_eve).days()).ok()?;
        loop {
            let date = self.walls.next_date(self.source, limit)?;
            // A date also gives times before the cut-over to the day before it.
            let eve = date.yesterday().ok().filter(|eve| with_eve && *eve >= self.source);
            let day = eve.unwrap_or(date);
            let tomorrow = day.tomorrow().ok()?;
            let lower = has_lower && self.walls.next_date(tomorrow, tomorrow).is_some();
            let upper = has_upper && eve.is_none();
            self.source = tomorrow;
            if day > self.last_source {
                return None;
            }
            if upper || lower {
                return Some((day, Group { moved_from: Vec::new(), upper, lower, out: None }));
            }
        }
    }

    /// Places business days until the first of those that wait is settled.
    fn fill(&mut self) {
        while self.waiting.first_key_value().is_none_or(|(day, _)| *day >= self.settled) {
            let Some((day, group)) = self.next_source() else {
                self.settled = Date::MAX;
                return;
            };
            let (to, out) = self.plan.place(day);
            // Only days on which the schedule runs take others in: a group runs or falls out as one.
            let entry = self.waiting.entry(to).or_default();
            entry.out = out;
            entry.upper |= group.upper;
            entry.lower |= group.lower;
            if to != day {
                entry.moved_from.push(day);
            }
            self.settled = self.plan.settled_before(day);
        }
    }

    fn next_group(&mut self) -> Option<(Date, Group)> {
        if self.waiting.first_key_value().is_none_or(|(day, _)| *day >= self.settled)
            && self.settled < Date::MAX
        {
            self.fill();
        }
        self.waiting.pop_first().filter(|(day, _)| *day <= self.last)
    }

    /// The time of day after `time` in a business day, which begins at the cut-over.
    fn following(&self, group: &Group, from: Option<Time>) -> Option<Time> {
        let from = from?;
        let upper = |from: Time| self.walls.next_time(from).filter(|_| group.upper);
        let lower =
            |from: Time| self.walls.next_time(from).filter(|time| group.lower && *time < self.cut);
        if from >= self.cut { upper(from).or_else(|| lower(Time::midnight())) } else { lower(from) }
    }
}

/// The second after `time`; `None` at the end of the day.
fn tick(time: Time) -> Option<Time> {
    time.checked_add(1.second()).ok()
}

impl Iterator for PlannedWalls<'_> {
    type Item = PlannedWall;

    fn next(&mut self) -> Option<PlannedWall> {
        loop {
            let (day, group, from) = match self.current.take() {
                Some(current) => current,
                None => {
                    let (day, group) = self.next_group()?;
                    if day < self.first {
                        continue;
                    }
                    let begin = if day == self.first { self.from.time() } else { self.cut };
                    (day, group, Some(begin))
                }
            };
            let Some(time) = self.following(&group, from) else { continue };
            let date = if time < self.cut { day.tomorrow().ok()? } else { day };
            let wall = date.to_datetime(time);
            let (moved_from, out) = (group.moved_from.clone(), group.out.clone());
            // At the end of the upper half the lower one begins.
            let next = match tick(time) {
                Some(next) if time >= self.cut || next < self.cut => Some(next),
                Some(_) => None,
                None => (self.cut > Time::midnight()).then(Time::midnight),
            };
            self.current = next.map(|next| (day, group, Some(next)));
            if wall >= self.from {
                return Some(PlannedWall { wall, day, moved_from, out });
            }
        }
    }
}
