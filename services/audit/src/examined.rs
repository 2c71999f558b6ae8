//! Whether the guards of the database stand: looked at once an hour, said once a day, and at once where one does not.

use domain::event::{LogExamined, WEAKNESSES_MAX};
use domain::wire::{Content, EventFilter, Query};
use eventlog::{EventLog, LogError, Weakness};
use jiff::{SignedDuration, Timestamp};
use tracing::error;

/// How often they are looked at.
const LOOK: SignedDuration = SignedDuration::from_hours(1);
/// How often it is said that they stand, or still do not.
const SAY: SignedDuration = SignedDuration::from_hours(24);

/// When the guards were looked at, and what was found.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    looked: Option<Timestamp>,
    found: Vec<Weakness>,
}

impl Examined {
    /// Whether it is time to look; then that is noted, also where the database does not answer.
    pub(crate) fn is_due(&mut self, now: Timestamp) -> bool {
        let due = self.looked.is_none_or(|at| now.duration_since(at) >= LOOK);
        if due {
            self.looked = Some(now);
        }
        due
    }

    /// What is to be said of what was found, if anything: what is new, or that a day has passed since a recorder said it last.
    pub(crate) async fn judge(
        &mut self,
        log: &EventLog,
        found: Vec<Weakness>,
        now: Timestamp,
    ) -> Result<Option<LogExamined>, LogError> {
        for weak in &found {
            error!(todo = weak.todo, "THE LOG CAN BE CHANGED WHERE IT STANDS: {}", weak.says);
        }
        let news = found.iter().any(|weak| !self.found.contains(weak));
        let due = news || is_long_ago(said(log).await?, now);
        self.found = found;
        Ok(due.then(|| told(&self.found)))
    }
}

/// When a recorder said last how the guards stand. Where none has, the log is as old as they are.
async fn said(log: &EventLog) -> Result<Option<Timestamp>, LogError> {
    for kind in ["log.examined", "log.created"] {
        let kind = Some(kind.to_owned());
        let newest = Query::Search(EventFilter { kind, limit: 1, ..EventFilter::default() });
        if let Content::Events(found) = log.answer(&newest).await?.content
            && let Some(entry) = found.first()
        {
            return Ok(Some(entry.received));
        }
    }
    Ok(None)
}

fn is_long_ago(said: Option<Timestamp>, now: Timestamp) -> bool {
    said.is_none_or(|at| now.duration_since(at) >= SAY)
}

fn told(found: &[Weakness]) -> LogExamined {
    let says = |weak: &Weakness| weak.says.chars().take(300).collect();
    let others = found.len().saturating_sub(WEAKNESSES_MAX) as u64;
    LogExamined { weaknesses: found.iter().take(WEAKNESSES_MAX).map(says).collect(), others }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        "2026-11-20T07:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
    }

    #[test]
    fn the_guards_are_looked_at_at_once_and_then_once_an_hour() {
        let mut examined = Examined::default();
        let looks: Vec<bool> = [0, 0, 1, 1, 3].map(|hour| examined.is_due(at(hour))).into();
        assert_eq!(looks, [true, false, true, false, true]);
    }

    #[test]
    fn that_they_stand_is_said_once_a_day() {
        for (said, now, due) in [(None, 0, true), (Some(0), 23, false), (Some(0), 24, true)] {
            assert_eq!(is_long_ago(said.map(at), at(now)), due, "{said:?} at {now}");
        }
    }

    #[test]
    fn as_many_weaknesses_are_told_as_one_can_read_and_the_others_are_counted() {
        let weak = |n: usize| Weakness { says: format!("{n} {}", "x".repeat(2_000)), todo: "" };
        let told = told(&(0..13).map(weak).collect::<Vec<_>>());
        assert_eq!((told.weaknesses.len(), told.others), (WEAKNESSES_MAX, 3));
        assert!(told.weaknesses.iter().all(|says| says.len() == 300));
    }
}
