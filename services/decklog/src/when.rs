//! Instants as people type them.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use domain::time::{HumanDuration, Occurrence, Schedule, just_before};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// An instant: with offset or zone as it stands, without one read in `zone`.
pub(crate) fn instant(text: &str, zone: &TimeZone) -> anyhow::Result<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(at) = text.parse::<Zoned>() {
        return Ok(at.timestamp());
    }
    let civil =
        text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(Date::to_datetime_midnight));
    let civil = civil.with_context(|| {
        format!(
            "{text:?} is no instant: write 2026-03-07, 2026-03-07T02:30, or either with an offset"
        )
    })?;
    Ok(zone.to_zoned(civil)?.timestamp())
}

trait Midnight {
    fn to_datetime_midnight(self) -> DateTime;
}

impl Midnight for Date {
    fn to_datetime_midnight(self) -> DateTime {
        self.at(0, 0, 0, 0)
    }
}

/// The end of a day in this machine's zone, or an instant.
pub(crate) fn end_of(text: &str) -> anyhow::Result<Timestamp> {
    let zone = TimeZone::system();
    match day(text) {
        Some(day) => Ok(day.tomorrow()?.to_zoned(zone)?.timestamp()),
        None => instant(text, &zone),
    }
}

/// The last second of a day in this machine's zone, or an instant: until when something is due.
pub(crate) fn due(text: &str) -> anyhow::Result<Timestamp> {
    let zone = TimeZone::system();
    match day(text) {
        Some(day) => Ok(day.at(23, 59, 59, 0).to_zoned(zone)?.timestamp()),
        None => instant(text, &zone),
    }
}

/// A day alone: what has a time of day is a date for the parser too, and ends then and not with its day.
fn day(text: &str) -> Option<Date> {
    text.parse::<Date>().ok().filter(|day| day.to_string() == text.trim())
}

/// An instant, or how long ago (`12h`).
pub(crate) fn since(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    if let Ok(ago) = text.parse::<HumanDuration>() {
        let ago = jiff::SignedDuration::try_from(ago.as_duration())?;
        return Ok(now.checked_sub(ago)?);
    }
    instant(text, &TimeZone::system())
}

/// An instant, or how long from now (`30m`).
pub(crate) fn ahead(text: &str, zone: &TimeZone, now: Timestamp) -> anyhow::Result<Timestamp> {
    if let Ok(long) = text.parse::<HumanDuration>() {
        return Ok(now.checked_add(jiff::SignedDuration::try_from(long.as_duration())?)?);
    }
    instant(text, zone)
}

/// A range: from an instant, or now, until another, or for so long.
pub(crate) fn range(
    from: Option<&str>,
    to: &str,
    zone: &TimeZone,
    now: Timestamp,
) -> anyhow::Result<(Timestamp, Timestamp)> {
    let from = from.map_or(Ok(now), |text| instant(text, zone))?;
    let to = ahead(to, zone, from)?;
    anyhow::ensure!(from < to, "the range ends at {to}, which is not after its beginning, {from}");
    Ok((from, to))
}

/// How many occurrences of one day, or how many days ahead, a time is looked for among.
const LOOKED_AT: usize = 10_000;

/// The instant of an occurrence as people name it: by any instant; without an offset by the clock of the job's zone,
/// also by a time that the clock jumps over; by a date or a time of day that only one has; or by the word `next`.
/// `spoken_of` are instants about which something was said.
pub(crate) fn occurrence(
    text: &str,
    schedule: &Schedule,
    spoken_of: &[Timestamp],
    now: Timestamp,
) -> anyhow::Result<Timestamp> {
    if text == "next" {
        let next = schedule.next_run(now).map(|occurrence| occurrence.at);
        return next.context("there is no next occurrence");
    }
    if text.parse::<Timestamp>().is_ok() || text.parse::<Zoned>().is_ok() {
        return instant(text, schedule.time_zone());
    }
    if let Ok(time) = text.parse::<Time>()
        && text.parse::<DateTime>().is_err()
    {
        return of_time(time, schedule, now);
    }
    let named = instant(text, schedule.time_zone())?;
    let wall = schedule.time_zone().to_datetime(named);
    let whole_day = text.parse::<Date>().is_ok() && !text.contains([':', 'T', ' ']);
    let fits = |local: DateTime| {
        if whole_day {
            local.date() == wall.date()
        } else {
            text.parse::<DateTime>().is_ok_and(|wall| wall == local)
        }
    };
    one_of(text, candidates(schedule, spoken_of, named, fits), named)
}

/// The next occurrence at this time of day.
fn of_time(time: Time, schedule: &Schedule, now: Timestamp) -> anyhow::Result<Timestamp> {
    let until = now.checked_add(jiff::SignedDuration::from_hours(366 * 24))?;
    let mut ahead = schedule.between(now, until).take(LOOKED_AT);
    let found = ahead.find(|occurrence| {
        let walls = occurrence.walls.iter().map(|wall| wall.time());
        walls.chain([occurrence.local.time()]).any(|wall| wall == time)
    });
    found.map(|occurrence| occurrence.at).with_context(|| {
        format!("no occurrence of the next year is at {time} (of the next {LOOKED_AT} at most)")
    })
}

/// Occurrences near an instant whose wall-clock time fits, and what was said of such, with their local times.
fn candidates(
    schedule: &Schedule,
    spoken_of: &[Timestamp],
    near: Timestamp,
    fits: impl Fn(DateTime) -> bool,
) -> BTreeMap<Timestamp, Zoned> {
    let day = jiff::SignedDuration::from_hours(49);
    let from = near.checked_sub(day).unwrap_or(near);
    let until = near.checked_add(day).unwrap_or(near);
    let takes = |occurrence: &Occurrence| {
        let walls = occurrence.walls.iter().chain(&occurrence.left_out);
        walls.copied().chain([occurrence.local.datetime()]).any(&fits)
    };
    let mut found: BTreeMap<Timestamp, Zoned> = BTreeMap::new();
    let occurrences = schedule.between(just_before(from), until).filter(takes).take(LOOKED_AT);
    found.extend(occurrences.map(|occurrence| (occurrence.at, occurrence.local)));
    for at in spoken_of {
        let local = at.to_zoned(schedule.time_zone().clone());
        if fits(local.datetime()) {
            found.insert(*at, local);
        }
    }
    found
}

fn one_of(
    text: &str,
    found: BTreeMap<Timestamp, Zoned>,
    otherwise: Timestamp,
) -> anyhow::Result<Timestamp> {
    let mut all = found.iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(otherwise),
        (Some((at, _)), None) => Ok(*at),
        (Some(_), Some(_)) => {
            let count = found.len();
            let first: Vec<String> = found.values().take(5).map(ToString::to_string).collect();
            bail!("{count} occurrences are at {text}: name one of {}", first.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::time::{DstPolicy, OverlapTime, ScheduleSpec};

    fn schedule(line: &str) -> Schedule {
        let policy = DstPolicy { overlap_time: OverlapTime::Both, ..DstPolicy::default() };
        Schedule::parse(&ScheduleSpec::Cron(line.to_owned()), "America/New_York", policy).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_end_is_that_of_a_day_or_an_instant_where_a_time_of_day_is_written() {
        let zone = TimeZone::system();
        for (text, wall) in [
            ("2026-12-01", "2026-12-02T00:00"),
            ("2026-12-01T11:49", "2026-12-01T11:49"),
            ("2026-12-01T11:49:00", "2026-12-01T11:49"),
            ("2026-12-01 11:49", "2026-12-01T11:49"),
        ] {
            let wanted = zone.to_timestamp(wall.parse().unwrap()).unwrap();
            assert_eq!(end_of(text).unwrap(), wanted, "{text}");
        }
        assert_eq!(end_of("2026-12-01T11:49Z").unwrap(), "2026-12-01T11:49Z".parse().unwrap());
    }

    #[test]
    fn an_occurrence_is_named_by_an_instant_a_local_time_a_date_a_time_of_day_or_as_the_next() {
        let now = at("2026-03-06T00:00:00Z");
        let table = [
            ("30 2 * * *", "2026-03-07T07:30:00Z", "2026-03-07T07:30:00Z"),
            ("30 2 * * *", "2026-03-07T02:30-05:00", "2026-03-07T07:30:00Z"),
            ("30 2 * * *", "2026-03-07T02:30", "2026-03-07T07:30:00Z"),
            ("30 2 * * *", "2026-03-07 02:30", "2026-03-07T07:30:00Z"),
            ("30 2 * * *", "2026-03-07", "2026-03-07T07:30:00Z"),
            ("30 2 * * *", "02:30", "2026-03-06T07:30:00Z"),
            ("30 2 * * *", "next", "2026-03-06T07:30:00Z"),
            // The clock jumps over it: the schedule reads it as 03:30.
            ("30 2 * * *", "2026-03-08T02:30", "2026-03-08T07:30:00Z"),
            ("30 2 * * *", "2026-03-08T03:30", "2026-03-08T07:30:00Z"),
            // There is none: the console says which are near.
            ("30 2 * * *", "2026-03-07T02:31", "2026-03-07T07:31:00Z"),
            ("30 2 1 * *", "2026-03-07", "2026-03-07T05:00:00Z"),
        ];
        for (line, text, wanted) in table {
            let found = occurrence(text, &schedule(line), &[], now).unwrap();
            assert_eq!(found, at(wanted), "{line} {text}");
        }
    }

    #[test]
    fn a_name_that_several_occurrences_have_is_refused_and_names_them() {
        let now = at("2026-03-06T00:00:00Z");
        for (line, text, wanted) in [
            ("30 1 * * *", "2026-11-01T01:30", "2 occurrences are at"),
            ("30 2,14 * * *", "2026-03-07", "02:30:00-05:00"),
            ("30 2 * * *", "04:00", "no occurrence of the next year is at 04:00"),
            ("30 2 * * *", "soon", "is no instant"),
        ] {
            let refused = occurrence(text, &schedule(line), &[], now).unwrap_err().to_string();
            assert!(refused.contains(wanted), "{line} {text}: {refused}");
        }
    }

    #[test]
    fn what_was_said_of_an_occurrence_that_is_no_more_can_be_named() {
        let now = at("2026-03-06T00:00:00Z");
        let said = at("2026-03-07T14:00:00Z");
        let hourly = schedule("30 2 * * *");
        for text in ["2026-03-07T09:00", "2026-03-07T14:00:00Z"] {
            assert_eq!(occurrence(text, &hourly, &[said], now).unwrap(), said, "{text}");
        }
        assert!(occurrence("2026-03-07", &hourly, &[said], now).is_err());
    }

    #[test]
    fn a_range_ends_at_an_instant_or_after_a_while() {
        let now = at("2026-03-06T00:00:00Z");
        let range = |from, to| range(from, to, &TimeZone::UTC, now).map_err(|e| e.to_string());
        assert_eq!(range(None, "24h"), Ok((now, at("2026-03-07T00:00:00Z"))));
        let from = Some("2026-03-07");
        assert_eq!(range(from, "1h"), Ok((at("2026-03-07T00:00:00Z"), at("2026-03-07T01:00:00Z"))));
        assert!(range(from, "2026-03-06").unwrap_err().contains("not after"));
    }
}
