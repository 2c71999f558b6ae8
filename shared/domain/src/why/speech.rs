//! How instants, lengths and people are spoken of.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::envelope::Envelope;
use crate::ids::{Class, StreamId};

/// The clock on the wall of whoever listens.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    zone: TimeZone,
    today: Date,
    pub(crate) now: Timestamp,
}

impl Clock {
    pub(crate) fn new(zone: TimeZone, now: Timestamp) -> Self {
        let today = zone.to_datetime(now).date();
        Self { zone, today, now }
    }

    /// The zone's name.
    pub(crate) fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// `02:30` for a time of today, with its date for others; with seconds where there are any.
    pub(crate) fn at(&self, at: Timestamp) -> String {
        let wall = self.zone.to_datetime(at);
        let time = if wall.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
        let date = if wall.date() == self.today { "" } else { "%Y-%m-%d " };
        wall.strftime(&format!("{date}{time}")).to_string()
    }

    /// The same with the instant in UTC, where the clock shows another zone's.
    pub(crate) fn both(&self, at: Timestamp) -> String {
        let utc = self.zone == TimeZone::UTC;
        let utc = if utc { String::new() } else { format!(" ({})", to_seconds(at)) };
        format!("{}{utc}", self.at(at))
    }

    /// `in 5m` or `5m ago`.
    pub(crate) fn away(&self, at: Timestamp) -> String {
        let ms = at.as_millisecond() - self.now.as_millisecond();
        if ms >= 0 { format!("in {}", long(ms)) } else { format!("{} ago", long(-ms)) }
    }
}

/// The second in which it is.
pub(crate) fn to_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// A length of time in words: `1h 5m`, `12s`, `0.4s`.
pub(crate) fn long(ms: i64) -> String {
    let ms = ms.max(0);
    if ms < 1_000 {
        return format!("{}.{}s", ms / 1_000, ms % 1_000 / 100);
    }
    // Of a day's work nobody counts the seconds.
    let seconds = if ms >= 3_600_000 { ms / 60_000 * 60 } else { ms / 1_000 };
    format!("{:#}", SignedDuration::from_secs(seconds))
}

/// The time between two instants.
pub(crate) fn between(from: Timestamp, until: Timestamp) -> String {
    long(until.as_millisecond() - from.as_millisecond())
}

/// Who acted, without the word `user/`.
pub(crate) fn person(actor: &str) -> &str {
    actor.strip_prefix("user/").unwrap_or(actor)
}

/// Whoever an event comes from: a person, or a program that acted by rule.
pub(crate) fn who(envelope: &Envelope) -> String {
    let name = envelope.source.name();
    match (&envelope.actor, envelope.source.class()) {
        (Some(actor), _) => person(actor).to_owned(),
        (None, Class::Executor) => format!("host {name}"),
        (None, Class::Scheduler) => format!("scheduler {name}"),
        (None, Class::Console) => format!("console {name}"),
        (None, Class::Audit) => "the recorder".to_owned(),
    }
}

/// `by ana`, or nothing.
pub(crate) fn by(actor: Option<&str>) -> String {
    actor.map(|actor| format!(" by {}", person(actor))).unwrap_or_default()
}

/// `: because`, or nothing.
pub(crate) fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// Runs by their names; of many the first few.
pub(crate) fn names(runs: &[StreamId]) -> String {
    const NAMED: usize = 5;
    let mut text = runs.iter().take(NAMED).map(|id| id.rest()).collect::<Vec<_>>().join(", ");
    let more = runs.len().saturating_sub(NAMED);
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_lengths_are_short() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let clock = Clock::new(TimeZone::get("America/New_York").unwrap(), now);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(clock.at(at("2026-11-20T12:30:00Z")), "07:30");
        assert_eq!(clock.at(at("2026-11-20T04:30:05Z")), "2026-11-19 23:30:05");
        assert_eq!(clock.both(at("2026-11-20T12:30:00Z")), "07:30 (2026-11-20T12:30:00Z)");
        assert_eq!(Clock::new(TimeZone::UTC, now).both(now), "12:00");
        assert_eq!(clock.away(at("2026-11-20T12:05:00Z")), "in 5m");
        assert_eq!(clock.away(at("2026-11-20T10:59:10Z")), "1h ago");
        for (ms, wanted) in [(0, "0.0s"), (450, "0.4s"), (65_000, "1m 5s"), (3_725_000, "1h 2m")] {
            assert_eq!(long(ms), wanted);
        }
    }
}
