//! The readings of a whole expression, merged into order.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::days::{DayPlan, PlannedWall, PlannedWalls};
use super::occurrence::{Out, Reason};
use super::reading::{Reading, Rule, no_earlier_than, read};
use super::wall::WallRule;

/// No zone has ever moved its clock by more than a day (Samoa and the Philippines crossed the date line), and
/// offsets stay within 26 hours of UTC; a transition farther away than this cannot reorder anything.
const REACH: SignedDuration = SignedDuration::from_hours(26);

/// An instant found, and the wall-clock times that came to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Those that run here.
    pub(super) walls: Vec<DateTime>,
    pub(super) reason: Reason,
    /// The business day of the latest of them.
    pub(super) day: Date,
    /// Business days that were moved here.
    pub(super) moved_from: Vec<Date>,
    /// Those that do not run, and why the first of them does not.
    pub(super) left_out: Vec<DateTime>,
    pub(super) out: Option<Out>,
}

impl Found {
    pub(super) fn new(planned: PlannedWall, reason: Reason, gap: bool) -> Self {
        let PlannedWall { wall, day, moved_from, out } = planned;
        let out = out.map(Out::Day).or(gap.then_some(Out::Gap));
        let (walls, left_out) =
            if out.is_some() { (Vec::new(), vec![wall]) } else { (vec![wall], Vec::new()) };
        Self { walls, reason, day, moved_from, left_out, out }
    }

    /// Adds what came to the same instant. A reason that needs explaining outweighs one that does not, and
    /// what runs outweighs what does not.
    fn merge(&mut self, other: Self) {
        let (reason, day) = match (self.walls.is_empty(), other.walls.is_empty()) {
            (true, false) => (other.reason, other.day),
            (false, true) => (self.reason, self.day),
            (false, false) if self.reason == Reason::Exact => {
                (other.reason, self.day.max(other.day))
            }
            (_, _) => (self.reason, self.day.max(other.day)),
        };
        (self.reason, self.day) = (reason, day);
        add(&mut self.walls, other.walls);
        add(&mut self.left_out, other.left_out);
        add(&mut self.moved_from, other.moved_from);
        self.out = self.out.take().or(other.out);
    }
}

fn add<T: Ord>(list: &mut Vec<T>, more: Vec<T>) {
    for one in more {
        if !list.contains(&one) {
            list.push(one);
            list.sort_unstable();
        }
    }
}

/// Puts what was found at an instant into the collection.
pub(super) fn collect(into: &mut BTreeMap<Timestamp, Found>, at: Timestamp, found: Found) {
    match into.entry(at) {
        Entry::Occupied(mut there) => there.get_mut().merge(found),
        Entry::Vacant(place) => {
            place.insert(found);
        }
    }
}

/// Puts all that a wall-clock time comes to into the collection, as far as it lies in `(after, until]`.
pub(super) fn collect_readings(
    into: &mut BTreeMap<Timestamp, Found>,
    reading: Reading,
    planned: &PlannedWall,
    (after, until): (Timestamp, Timestamp),
) {
    let gap = reading.skipped.map(|at| (at, Reason::Exact, true));
    let instants = reading.instants.into_iter().flatten().map(|(at, reason)| (at, reason, false));
    for (at, reason, gap) in instants.chain(gap) {
        if after < at && at <= until {
            collect(into, at, Found::new(planned.clone(), reason, gap));
        }
    }
}

/// The range of wall-clock times that may come to an instant in `(after, until]`, whatever the clock does.
///
/// Usually that is simply what the clock shows at both ends. If it jumps nearby, times shown up to the length of
/// the jump earlier may still come: those the clock repeats, and those moved out of a gap.
fn wall_range(zone: &TimeZone, after: Timestamp, until: Timestamp) -> (DateTime, Date) {
    let shown = zone.to_datetime(after);
    let jumps = jumps_near(zone, after);
    let from = shown.checked_sub(jumps).unwrap_or(DateTime::MIN);
    let last = zone.to_datetime(until).date();
    (from, last.checked_add(2.days()).unwrap_or(Date::MAX))
}

/// The sum of all clock changes within reach of an instant.
fn jumps_near(zone: &TimeZone, at: Timestamp) -> SignedDuration {
    let start = at.checked_sub(REACH).unwrap_or(Timestamp::MIN);
    let end = at.checked_add(REACH).unwrap_or(Timestamp::MAX);
    let mut offset = zone.to_offset(start);
    let mut sum = SignedDuration::ZERO;
    for transition in zone.following(start).take_while(|transition| transition.timestamp() <= end) {
        sum += transition.offset().duration_since(offset).abs();
        offset = transition.offset();
    }
    sum
}

/// The wall-clock times of an expression, on the days it has or on those its calendars leave it.
#[derive(Debug)]
enum Source<'a> {
    Plain { walls: &'a WallRule, next: Option<DateTime>, last: Date },
    Planned(Box<PlannedWalls<'a>>),
}

impl Iterator for Source<'_> {
    type Item = PlannedWall;

    fn next(&mut self) -> Option<PlannedWall> {
        match self {
            Self::Plain { walls, next, last } => {
                let wall = next.take()?;
                let after = wall.checked_add(1.second()).ok();
                *next = after.and_then(|from| walls.next(from, *last));
                Some(PlannedWall::plain(wall))
            }
            Self::Planned(walls) => walls.next(),
        }
    }
}

/// The occurrences of an expression in order of instants.
///
/// Wall-clock times come in order, but what they come to need not: 02:30 moved out of a gap is 03:30, after
/// 03:00 exact, and the second half of an overlap is later than all of the first. So what is found waits until
/// no wall-clock time still to come can be earlier.
#[derive(Debug)]
pub(super) struct WallWalk<'a> {
    source: Source<'a>,
    zone: &'a TimeZone,
    rule: Rule,
    after: Timestamp,
    until: Timestamp,
    next: Option<PlannedWall>,
    waiting: BTreeMap<Timestamp, Found>,
}

impl<'a> WallWalk<'a> {
    pub(super) fn new(
        walls: &'a WallRule,
        days: Option<&'a DayPlan>,
        zone: &'a TimeZone,
        rule: Rule,
        after: Timestamp,
        until: Timestamp,
    ) -> Self {
        let (from, last) = wall_range(zone, after, until);
        let mut source = match days {
            None => Source::Plain { walls, next: walls.next(from, last), last },
            Some(plan) => Source::Planned(Box::new(PlannedWalls::new(walls, plan, from, last))),
        };
        let next = if after < until { source.next() } else { None };
        Self { source, zone, rule, after, until, next, waiting: BTreeMap::new() }
    }
}

impl Iterator for WallWalk<'_> {
    type Item = (Timestamp, Found);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(planned) = &self.next {
            let bound = no_earlier_than(self.zone, planned.wall);
            if self.waiting.first_key_value().is_some_and(|(at, _)| *at < bound) {
                break;
            }
            if bound > self.until {
                self.next = None;
            } else {
                let reading = read(self.zone, planned.wall, self.rule);
                let range = (self.after, self.until);
                collect_readings(&mut self.waiting, reading, planned, range);
                self.next = self.source.next();
            }
        }
        self.waiting.pop_first()
    }
}
