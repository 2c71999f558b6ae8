//! One wall-clock time as instants of a zone.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::occurrence::Reason;
use super::policy::{DstPolicy, Gap, OverlapTime};

/// How the wall-clock times of a schedule are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Fixed times: each is meant to happen, and the policy says when if the clock jumps.
    Fixed(DstPolicy),
    /// Elapsed times: the instants whose wall clock matches.
    Elapsed,
}

/// What a wall-clock time comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    /// The instants, in order.
    pub(super) instants: [Option<(Timestamp, Reason)>; 2],
    /// The end of the gap, if the time was left out because of one by `gap: skip`.
    pub(super) skipped: Option<Timestamp>,
}

impl Reading {
    const NONE: Self = Self { instants: [None, None], skipped: None };

    /// An instant that needs no reading.
    pub(super) fn exactly(at: Timestamp) -> Self {
        Self::one(Some(at), Reason::Exact)
    }

    /// Whether nothing came of the time: neither an instant nor a gap it was left out for.
    pub(super) fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    fn one(at: Option<Timestamp>, reason: Reason) -> Self {
        Self { instants: [at.map(|at| (at, reason)), None], skipped: None }
    }

    fn two(
        first: Option<Timestamp>,
        second: Option<Timestamp>,
        first_reason: Reason,
        second_reason: Reason,
    ) -> Self {
        let instants = [first.map(|at| (at, first_reason)), second.map(|at| (at, second_reason))];
        Self { instants, skipped: None }
    }
}

/// Reads `wall` in `zone` (RFC 5545 §3.3.5 and its alternatives).
pub(super) fn read(zone: &TimeZone, wall: DateTime, rule: Rule) -> Reading {
    match zone.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { offset } => {
            Reading::one(instant(offset, wall), Reason::Exact)
        }
        AmbiguousOffset::Gap { before, after } => match rule {
            Rule::Elapsed => Reading::NONE,
            Rule::Fixed(policy) => read_in_gap(zone, wall, before, after, policy.gap),
        },
        AmbiguousOffset::Fold { before, after } => {
            read_in_overlap(instant(before, wall), instant(after, wall), rule)
        }
    }
}

/// The first instant at which the wall clock of `zone` shows `wall`, or, where it jumps over that, the end of the
/// gap: where a time of day that begins or ends something begins or ends it.
pub(crate) fn clock_reaches(zone: &TimeZone, wall: DateTime) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { offset } => instant(offset, wall),
        AmbiguousOffset::Gap { before, after } => gap_end(zone, wall, before, after),
        AmbiguousOffset::Fold { before, .. } => instant(before, wall),
    }
}

/// The earliest instant at which the wall clock of `zone` shows `wall` or later; it never falls as `wall` rises.
/// In a gap it may be a little early, which is safe for what it is used for: nothing before it is still to come.
pub(super) fn no_earlier_than(zone: &TimeZone, wall: DateTime) -> Timestamp {
    let offset = match zone.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        // The later offset is the larger one here, so this lies before the gap.
        AmbiguousOffset::Gap { after, .. } => after,
        AmbiguousOffset::Fold { before, .. } => before,
    };
    instant(offset, wall).unwrap_or(Timestamp::MAX)
}

fn read_in_gap(
    zone: &TimeZone,
    wall: DateTime,
    before: Offset,
    after: Offset,
    gap: Gap,
) -> Reading {
    match gap {
        Gap::Shift => Reading::one(instant(before, wall), Reason::GapShifted),
        Gap::End => Reading::one(gap_end(zone, wall, before, after), Reason::GapEnd),
        Gap::Skip => Reading { skipped: gap_end(zone, wall, before, after), ..Reading::NONE },
    }
}

fn read_in_overlap(first: Option<Timestamp>, second: Option<Timestamp>, rule: Rule) -> Reading {
    match rule {
        Rule::Elapsed => Reading::two(first, second, Reason::BothHalves, Reason::BothHalves),
        Rule::Fixed(policy) => match policy.overlap_time {
            OverlapTime::First => Reading::one(first, Reason::OverlapFirst),
            OverlapTime::Second => Reading::one(second, Reason::OverlapSecond),
            OverlapTime::Both => {
                Reading::two(first, second, Reason::OverlapFirst, Reason::OverlapSecond)
            }
        },
    }
}

/// The first instant after the gap that holds `wall`. Read with the later offset the time lies before the
/// transition, read with the earlier one at or after it; a transition in between that changes nothing but a
/// zone's abbreviation is passed over.
fn gap_end(zone: &TimeZone, wall: DateTime, before: Offset, after: Offset) -> Option<Timestamp> {
    let early = instant(after, wall)?;
    let late = instant(before, wall)?;
    zone.following(early)
        .map(|transition| (transition.timestamp(), transition.offset()))
        .take_while(|(at, _)| *at <= late)
        .find(|(at, offset)| *offset == after && zone.to_datetime(*at) > wall)
        .map_or(Some(late), |(at, _)| Some(at))
}

/// `None` outside the years -9999 to 9999.
fn instant(offset: Offset, wall: DateTime) -> Option<Timestamp> {
    offset.to_timestamp(wall).ok()
}
