//! What happened in a time: the question of the first hour of every morning.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::wire::RunRow;

/// A log without a new event for so long stands still. An idle one has one every five minutes (`audit.heartbeat-every`).
pub const STILL: SignedDuration = SignedDuration::from_mins(6);

/// Numbers of a night. Every scheduled run is counted in exactly one of `ran`, `failed`, `missed`,
/// `skipped`, `cancelled`, `unknown` and `open`; `late` counts again those of them that began late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// Runs a schedule implied, and runs people asked for.
    pub expected: u64,
    /// Succeeded, with or without a warning.
    pub ran: u64,
    /// Of these, with a warning.
    pub warning: u64,
    /// Failed or timed out.
    pub failed: u64,
    /// Missed.
    pub missed: u64,
    /// Skipped.
    pub skipped: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// Nobody knows how they ended.
    pub unknown: u64,
    /// Not over yet.
    pub open: u64,
    /// Began later than their job allows.
    pub late: u64,
}

/// A night.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Night {
    /// From, inclusive.
    pub since: Option<Timestamp>,
    /// Until, exclusive.
    pub until: Option<Timestamp>,
    /// The numbers.
    pub numbers: Numbers,
    /// Runs somebody should look at, oldest first; at most [`EXCEPTIONS_MAX`].
    pub exceptions: Vec<RunRow>,
}

/// Most exceptions listed; the numbers count them all.
pub const EXCEPTIONS_MAX: u32 = 500;

impl Numbers {
    /// Counts `count` runs in the state with this word.
    pub fn add(&mut self, state: &str, late: bool, count: u64) {
        self.expected += count;
        if late {
            self.late += count;
        }
        let number = match state {
            "succeeded" => &mut self.ran,
            "warning" => {
                self.warning += count;
                &mut self.ran
            }
            "failed" | "timed-out" => &mut self.failed,
            "missed" => &mut self.missed,
            "skipped" => &mut self.skipped,
            "cancelled" => &mut self.cancelled,
            "unknown" => &mut self.unknown,
            _ => &mut self.open,
        };
        *number += count;
    }

    /// What else there is to say beside how many ran, in words: `3 failed`, each that is not 0.
    pub fn in_words(&self) -> impl Iterator<Item = String> {
        let all = [
            (self.failed, "failed"),
            (self.missed, "missed"),
            (self.late, "late"),
            (self.skipped, "skipped"),
            (self.cancelled, "cancelled"),
            (self.unknown, "of unknown end"),
            (self.open, "not ended yet"),
        ];
        all.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}"))
    }

    /// Whether nobody needs to look.
    pub fn is_clean(&self) -> bool {
        self.failed + self.missed + self.unknown + self.late + self.warning + self.cancelled == 0
    }
}

impl Night {
    /// Until when all exceptions are listed, where that is not to its end: what is at that instant or later is of another
    /// question.
    pub fn listed_until(&self) -> Option<Timestamp> {
        let full = self.exceptions.len() >= EXCEPTIONS_MAX as usize;
        self.exceptions.last().filter(|_| full).map(|row| row.instant)
    }
}

/// States that are exceptions, by their words: what a morning review looks at.
pub const EXCEPTIONS: [&str; 6] =
    ["failed", "timed-out", "missed", "unknown", "cancelled", "warning"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_is_counted_in_exactly_one_number() {
        let mut numbers = Numbers::default();
        let states = [
            "succeeded",
            "warning",
            "failed",
            "timed-out",
            "missed",
            "skipped",
            "cancelled",
            "unknown",
            "running",
            "due",
            "held",
            "retrying",
            "requested",
        ];
        for state in states {
            numbers.add(state, state == "warning", 1);
        }
        let n = numbers;
        let sum = n.ran + n.failed + n.missed + n.skipped + n.cancelled + n.unknown + n.open;
        assert_eq!((n.expected, sum, n.late, n.warning), (13, 13, 1, 1));
        assert!(!n.is_clean());
        let words = n.in_words().collect::<Vec<_>>();
        let some =
            ["2 failed", "1 missed", "1 late", "1 skipped", "1 cancelled", "1 of unknown end"];
        assert_eq!(
            (&words[..6], &words[6..]),
            (&some.map(str::to_owned)[..], &["5 not ended yet".to_owned()][..])
        );
        assert_eq!(Numbers::default().in_words().count(), 0);
    }
}
