//! One instant of a schedule, and why it is that one.

use std::sync::Arc;

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, Zoned};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::days::DayOut;

/// One time a schedule names: a job is due, or it would be and a rule of the schedule leaves it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// The instant.
    pub at: Timestamp,
    /// The same instant on the clock of the schedule's zone.
    pub local: Zoned,
    /// The wall-clock times of the schedule that came to this instant, in order: normally one; two where a time
    /// moved out of a gap falls on another of the same schedule.
    pub walls: Vec<DateTime>,
    /// Why the instant is this one.
    pub reason: Reason,
    /// The business day it belongs to.
    pub business_day: Date,
    /// Business days that a calendar moved here.
    pub moved_from: Vec<Date>,
    /// Wall-clock times that came to this instant and are left out. Where all of them are, it does not run.
    pub left_out: Vec<DateTime>,
    /// Why it does not run; `None` where it does.
    pub out: Option<Out>,
}

/// Why a schedule leaves out an occurrence of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    /// Its wall-clock time does not exist that day (`gap: skip`); the instant is the end of the gap.
    Gap,
    /// A calendar says that it does not run on its day.
    Day(Arc<DayOut>),
}

/// The instant after which `at` is the first: a schedule counts from behind one instant up to and with another.
#[must_use]
pub fn just_before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(at)
}

/// The first instant after `at`: what holds from `at` on, exclusive, holds then.
#[must_use]
pub fn just_after(at: Timestamp) -> Timestamp {
    at.checked_add(SignedDuration::from_nanos(1)).unwrap_or(at)
}

/// Why a wall-clock time of a schedule came to the instant it did.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The wall-clock time exists once, or the schedule names the instant itself.
    Exact,
    /// The time does not exist that day; it was read with the offset before the gap.
    GapShifted,
    /// The time does not exist that day; the first instant after the gap was taken.
    GapEnd,
    /// The time exists twice that day; this is the first.
    OverlapFirst,
    /// The time exists twice that day; this is the second.
    OverlapSecond,
    /// The time exists twice that day, and a schedule with a wildcard or step runs at both.
    BothHalves,
    /// The schedule counts elapsed time (`every`) and does not look at the wall clock.
    Elapsed,
}

impl Reason {
    /// The word under which the reason is recorded.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::GapShifted => "gap-shifted",
            Self::GapEnd => "gap-end",
            Self::OverlapFirst => "overlap-first",
            Self::OverlapSecond => "overlap-second",
            Self::BothHalves => "both-halves",
            Self::Elapsed => "elapsed",
        }
    }

    /// A sentence for people about one wall-clock time of a zone, such as "02:30 does not exist on 2026-03-08
    /// in America/New_York; read with the offset before the gap".
    #[must_use]
    pub fn describe(self, wall: DateTime, zone: &str) -> String {
        let place = place(wall, zone);
        match self {
            Self::Exact => format!("{place}, as written"),
            Self::GapShifted => missing(wall, zone, "read with the offset before the gap"),
            Self::GapEnd => missing(wall, zone, "moved to the first instant after the gap"),
            Self::OverlapFirst => format!("{place} exists twice; this is the first"),
            Self::OverlapSecond => format!("{place} exists twice; this is the second"),
            Self::BothHalves => {
                format!("{place} exists twice; a schedule with a wildcard or step runs at both")
            }
            Self::Elapsed => format!("{place}, counted in elapsed time"),
        }
    }
}

impl Occurrence {
    /// A sentence for people on why the instant is this one, naming each wall-clock time that came to it.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        if !self.walls.is_empty() {
            parts.push(self.describe_walls());
        }
        parts.extend(
            self.moved_from.iter().map(|day| format!("moved from {day}, on which it does not run")),
        );
        parts.extend(self.describe_out());
        parts.join("; ")
    }

    /// A sentence for people on why it does not run; `None` where it does.
    #[must_use]
    pub fn describe_out(&self) -> Option<String> {
        let zone = zone_name(&self.local);
        match self.out.as_ref()? {
            Out::Day(day) => Some(day.describe()),
            Out::Gap => {
                let walls = self.left_out.iter();
                let said = walls.map(|wall| missing(*wall, zone, "left out (gap: skip)"));
                Some(said.collect::<Vec<_>>().join("; "))
            }
        }
    }

    fn describe_walls(&self) -> String {
        let zone = zone_name(&self.local);
        let local = self.local.datetime();
        let sentence = |wall: &DateTime| {
            let reason =
                if *wall == local && self.is_moved() { Reason::Exact } else { self.reason };
            reason.describe(*wall, zone)
        };
        let parts: Vec<String> = self.walls.iter().map(sentence).collect();
        if self.is_moved() {
            return format!("{}: runs at {}", parts.join("; "), place(local, zone));
        }
        parts.join("; ")
    }

    fn is_moved(&self) -> bool {
        matches!(self.reason, Reason::GapShifted | Reason::GapEnd)
    }

    /// See [`occurrence_label`].
    #[must_use]
    pub fn label(&self) -> String {
        occurrence_label(self)
    }
}

/// The local time of the occurrence with its numeric offset, to the minute unless seconds matter:
/// `2026-11-20T02:30-05:00`, `2026-11-20T02:30:05-05:00`.
///
/// It is unique within a schedule, because time and offset together are the instant and instants are whole
/// seconds, and it stays the same if a zone is renamed.
#[must_use]
pub fn occurrence_label(occurrence: &Occurrence) -> String {
    let local = occurrence.local.datetime();
    let (date, time) = (local.date(), clock(local));
    format!("{date}T{time}{}", offset_label(occurrence.local.offset()))
}

fn missing(wall: DateTime, zone: &str, consequence: &str) -> String {
    format!("{} does not exist on {} in {zone}; {consequence}", clock(wall), wall.date())
}

fn place(wall: DateTime, zone: &str) -> String {
    format!("{} on {} in {zone}", clock(wall), wall.date())
}

fn zone_name(local: &Zoned) -> &str {
    local.time_zone().iana_name().unwrap_or("its zone")
}

/// `02:30`, or `02:30:05` if there are seconds.
fn clock(wall: DateTime) -> String {
    let (hour, minute, second) = (wall.hour(), wall.minute(), wall.second());
    if second == 0 {
        format!("{hour:02}:{minute:02}")
    } else {
        format!("{hour:02}:{minute:02}:{second:02}")
    }
}

/// `+05:30`; with seconds only for offsets that have them, as before zones were standardised.
fn offset_label(offset: Offset) -> String {
    let total = offset.seconds();
    let sign = if total < 0 { '-' } else { '+' };
    let (hours, minutes, seconds) = (total.abs() / 3600, total.abs() / 60 % 60, total.abs() % 60);
    let tail = if seconds == 0 { String::new() } else { format!(":{seconds:02}") };
    format!("{sign}{hours:02}:{minutes:02}{tail}")
}
