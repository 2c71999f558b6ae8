//! The readings of a whole expression, merged into order.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::occurrence::Reason;
use super::reading::{Rule, no_earlier_than, read};
use super::wall::WallRule;

/// No zone has ever moved its clock by more than a day (Samoa and the Philippines crossed the date line), and
/// offsets stay within 26 hours of UTC; a transition farther away than this cannot reorder anything.
const REACH: SignedDuration = SignedDuration::from_hours(26);

/// An instant found, and the wall-clock times that came to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) walls: Vec<DateTime>,
    pub(super) reason: Reason,
}

impl Found {
    /// Adds one more wall-clock time. A reason that needs explaining outweighs one that does not.
    fn merge(&mut self, wall: DateTime, reason: Reason) {
        if !self.walls.contains(&wall) {
            self.walls.push(wall);
            self.walls.sort_unstable();
        }
        if self.reason == Reason::Exact {
            self.reason = reason;
        }
    }
}

/// Puts an instant into the collection, as a wall-clock time of one already there if so be.
pub(super) fn collect(
    into: &mut BTreeMap<Timestamp, Found>,
    at: Timestamp,
    wall: DateTime,
    reason: Reason,
) {
    into.entry(at)
        .and_modify(|found| found.merge(wall, reason))
        .or_insert_with(|| Found { walls: vec![wall], reason });
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

/// The occurrences of an expression in order of instants.
///
/// Wall-clock times come in order, but what they come to need not: 02:30 moved out of a gap is 03:30, after
/// 03:00 exact, and the second half of an overlap is later than all of the first. So what is found waits until
/// no wall-clock time still to come can be earlier.
#[derive(Debug)]
pub(super) struct WallWalk<'a> {
    walls: &'a WallRule,
    zone: &'a TimeZone,
    rule: Rule,
    after: Timestamp,
    until: Timestamp,
    next: Option<DateTime>,
    last: Date,
    waiting: BTreeMap<Timestamp, Found>,
}

impl<'a> WallWalk<'a> {
    pub(super) fn new(
        walls: &'a WallRule,
        zone: &'a TimeZone,
        rule: Rule,
        after: Timestamp,
        until: Timestamp,
    ) -> Self {
        let (from, last) = wall_range(zone, after, until);
        let next = if after < until { walls.next(from, last) } else { None };
        Self { walls, zone, rule, after, until, next, last, waiting: BTreeMap::new() }
    }

    fn take_in(&mut self, wall: DateTime) {
        for (at, reason) in read(self.zone, wall, self.rule).instants.into_iter().flatten() {
            if self.after < at && at <= self.until {
                collect(&mut self.waiting, at, wall, reason);
            }
        }
        self.next = following(self.walls, wall, self.last);
    }
}

/// The next wall-clock time of the expression after `wall`.
fn following(walls: &WallRule, wall: DateTime, last: Date) -> Option<DateTime> {
    wall.checked_add(1.second()).ok().and_then(|from| walls.next(from, last))
}

impl Iterator for WallWalk<'_> {
    type Item = (Timestamp, Found);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(wall) = self.next {
            let bound = no_earlier_than(self.zone, wall);
            if self.waiting.first_key_value().is_some_and(|(at, _)| *at < bound) {
                break;
            }
            if bound > self.until {
                self.next = None;
            } else {
                self.take_in(wall);
            }
        }
        self.waiting.pop_first()
    }
}

/// The wall-clock times left out by `gap: skip` whose gap ends in `(after, until]`, with the end of the gap.
pub(super) fn skipped<'a>(
    walls: &'a WallRule,
    zone: &'a TimeZone,
    rule: Rule,
    after: Timestamp,
    until: Timestamp,
) -> impl Iterator<Item = (DateTime, Timestamp)> + 'a {
    // Only days on which the clock is put forward matter, so the search goes from gap to gap.
    gaps(zone, after, until).flat_map(move |(start, end)| {
        let first = walls.next(start, end.date());
        std::iter::successors(first, move |wall| following(walls, *wall, end.date()))
            .take_while(move |wall| *wall < end)
            .filter_map(move |wall| read(zone, wall, rule).skipped.map(|at| (wall, at)))
    })
}

/// The wall-clock ranges `[start, end)` left out by transitions in `(after, until]`.
fn gaps(
    zone: &TimeZone,
    after: Timestamp,
    until: Timestamp,
) -> impl Iterator<Item = (DateTime, DateTime)> + '_ {
    let mut before = zone.to_offset(after);
    zone.following(after).take_while(move |transition| transition.timestamp() <= until).filter_map(
        move |transition| {
            let (at, offset) = (transition.timestamp(), transition.offset());
            let range = (before.to_datetime(at), offset.to_datetime(at));
            before = offset;
            (range.0 < range.1).then_some(range)
        },
    )
}
