//! The text of OnCalendar (systemd.time(7)) as schedules.

use domain::calendar::{DaySet, Days};
use domain::time::{AtList, CalendarRule, ScheduleSpec, check_zone};

use crate::import::draft::When;

/// Weekdays as a crontab and a Quartz line name them, from Monday.
const WEEKDAYS: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

const SHORTHANDS: [(&str, &str); 10] = [
    ("minutely", "*-*-* *:*:00"),
    ("hourly", "*-*-* *:00:00"),
    ("daily", "*-*-* 00:00:00"),
    ("monthly", "*-*-01 00:00:00"),
    ("weekly", "Mon *-*-* 00:00:00"),
    ("yearly", "*-01-01 00:00:00"),
    ("annually", "*-01-01 00:00:00"),
    ("quarterly", "*-01,04,07,10-01 00:00:00"),
    ("semiannually", "*-01,07-01 00:00:00"),
    ("biannually", "*-01,07-01 00:00:00"),
];

/// The schedules that elapse when the text does: one, or one for each weekday where nothing else says it.
pub(super) fn schedules(text: &str) -> Result<Vec<When>, String> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let mut zone = None;
    if words.len() > 1
        && let Some(known) = words.last().and_then(|word| zone_of(word))
    {
        zone = Some(known);
        words.pop();
    }
    let shorthand =
        |word: &str| SHORTHANDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    let fields = match words.as_slice() {
        [seconds] if seconds.starts_with('@') => return Ok(vec![instant(seconds)?]),
        [word] if shorthand(word).is_some() => {
            let (_, long) = shorthand(word).copied().unwrap_or_default();
            Fields::parse(&long.split_whitespace().collect::<Vec<_>>())
        }
        words => Fields::parse(words),
    };
    let fields = fields.map_err(|problem| format!("`{text}`: {problem}"))?;
    Ok(vec![When { zone, ..fields.when()? }])
}

fn zone_of(word: &str) -> Option<String> {
    let plain = word.starts_with(|c: char| c.is_ascii_alphabetic()) && !word.contains([':', ',']);
    (plain && weekday(word).is_none()).then(|| check_zone(word).ok()).flatten()
}

fn instant(text: &str) -> Result<When, String> {
    let seconds = text.trim_start_matches('@').parse::<i64>().ok();
    let at = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let at = at.ok_or_else(|| format!("`{text}` is no instant"))?;
    Ok(When::plain(ScheduleSpec::At(AtList(vec![at.to_string().parse()?]))))
}

/// One part of a component: a value, a range, or values with a step between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    from: u16,
    until: u16,
    step: u16,
}

/// What may stand in a component: empty for everything.
type Component = Vec<Range>;

#[derive(Debug, Default)]
struct Fields {
    weekdays: Vec<usize>,
    year: Component,
    month: Component,
    day: Component,
    /// Days count from the month's end.
    from_end: bool,
    hour: Component,
    minute: Component,
    second: Component,
}

impl Fields {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let mut fields = Self::default();
        let mut rest = words.iter().copied().peekable();
        if let Some(word) = rest.next_if(|word| word.starts_with(|c: char| c.is_alphabetic())) {
            fields.weekdays = weekdays(word)?;
        }
        if let Some(word) = rest.next_if(|word| !word.contains(':')) {
            fields.date(word)?;
        }
        fields.time(rest.next().unwrap_or("00:00:00"))?;
        match rest.next() {
            None if !words.is_empty() => Ok(fields),
            None => Err("it says nothing".to_owned()),
            Some(word) => Err(format!("`{word}` is one word too many")),
        }
    }

    fn date(&mut self, word: &str) -> Result<(), String> {
        let (before, day) = match (word.rsplit_once('~'), word.rsplit_once('-')) {
            (Some((before, day)), _) => {
                self.from_end = true;
                (before, day)
            }
            (None, Some(parts)) => parts,
            (None, None) => return Err(format!("`{word}` is neither a date nor a time of day")),
        };
        let (year, month) = before.split_once('-').unwrap_or(("*", before));
        self.year = component(year, 1970, 2199)?;
        self.month = component(month, 1, 12)?;
        self.day = if self.from_end { days_from_end(day)? } else { component(day, 1, 31)? };
        Ok(())
    }

    fn time(&mut self, word: &str) -> Result<(), String> {
        let parts: Vec<&str> = word.split(':').collect();
        let (hour, minute, second) = match parts.as_slice() {
            [hour, minute] => (*hour, *minute, "0"),
            [hour, minute, second] => (*hour, *minute, *second),
            _ => return Err(format!("`{word}` is no time of day")),
        };
        self.hour = component(hour, 0, 23)?;
        self.minute = component(minute, 0, 59)?;
        self.second = component(whole_seconds(second)?, 0, 59)?;
        Ok(())
    }

    fn when(&self) -> Result<When, String> {
        if let Some(once) = self.once() {
            return Ok(When::plain(ScheduleSpec::At(AtList(vec![once.parse()?]))));
        }
        let weekdays = self.weekdays.len() < 7 && !self.weekdays.is_empty();
        let mut rule = CalendarRule::default();
        let (mut day, mut weekday) = (text(&self.day, 1, 31), self.weekday_text());
        if self.from_end {
            let from_end = values(&self.day);
            let last_week: Vec<u16> = (1..=7).collect();
            if from_end == [1] && !weekdays && self.year.is_empty() {
                "L".clone_into(&mut day);
            } else if from_end == last_week && weekdays && self.year.is_empty() {
                let last = self.weekdays.iter().filter_map(|day| WEEKDAYS.get(*day));
                weekday = last.map(|day| format!("{day}L")).collect::<Vec<_>>().join(",");
                "*".clone_into(&mut day);
            } else {
                let back = from_end.iter().filter_map(|n| i8::try_from(*n).ok()).map(|n| -n);
                rule.only_on = vec![Days::Set(DaySet::MonthDays(back.collect()))];
                "*".clone_into(&mut day);
            }
        }
        // A crontab takes either of two restricted day fields, systemd and a Quartz line only both.
        let both = weekdays && !day.starts_with('*');
        let spec = if both || !self.year.is_empty() {
            ScheduleSpec::Quartz(self.quartz(&day))
        } else {
            ScheduleSpec::Cron(self.crontab(&day, &weekday))
        };
        Ok(When { calendar: rule, ..When::plain(spec) })
    }

    /// The one instant it names, where it names one.
    fn once(&self) -> Option<String> {
        let one = |component: &Component| match component.as_slice() {
            [Range { from, until, .. }] if from == until => Some(*from),
            _ => None,
        };
        let date = (one(&self.year)?, one(&self.month)?, one(&self.day)?);
        let time = (one(&self.hour)?, one(&self.minute)?, one(&self.second)?);
        let plain = self.weekdays.is_empty() && !self.from_end;
        plain.then(|| {
            let ((year, month, day), (hour, minute, second)) = (date, time);
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
        })
    }

    fn times(&self) -> [String; 3] {
        [text(&self.second, 0, 59), text(&self.minute, 0, 59), text(&self.hour, 0, 23)]
    }

    fn crontab(&self, day: &str, weekday: &str) -> String {
        let [second, minute, hour] = self.times();
        let line = format!("{minute} {hour} {day} {} {weekday}", text(&self.month, 1, 12));
        if second == "0" { line } else { format!("{second} {line}") }
    }

    fn quartz(&self, day: &str) -> String {
        let [second, minute, hour] = self.times();
        let names = self.weekdays.iter().filter_map(|day| WEEKDAYS.get(*day)).copied();
        let weekday = names.collect::<Vec<_>>().join(",");
        let weekday = if weekday.is_empty() { "?".to_owned() } else { weekday };
        // `quartz:` knows no later year than this.
        let clipped =
            self.year.iter().map(|range| Range { until: range.until.min(2100), ..*range });
        let year = text(&clipped.collect(), 1970, 2100);
        format!("{second} {minute} {hour} {day} {} {weekday} {year}", text(&self.month, 1, 12))
    }

    /// Weekdays as a crontab writes them, with ranges.
    fn weekday_text(&self) -> String {
        if self.weekdays.is_empty() || self.weekdays.len() == 7 {
            return "*".to_owned();
        }
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for day in &self.weekdays {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == *day => *last = *day,
                Some(_) | None => runs.push((*day, *day)),
            }
        }
        let name = |day: usize| WEEKDAYS.get(day).copied().unwrap_or_default();
        let run = |(first, last): (usize, usize)| match last - first {
            0 => name(first).to_owned(),
            1 => format!("{},{}", name(first), name(last)),
            _ => format!("{}-{}", name(first), name(last)),
        };
        runs.into_iter().map(run).collect::<Vec<_>>().join(",")
    }
}

fn weekday(word: &str) -> Option<usize> {
    const LONG: [&str; 7] =
        ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
    let upper = word.to_ascii_uppercase();
    (0..7).find(|day| {
        WEEKDAYS.get(*day) == Some(&upper.as_str()) || LONG.get(*day) == Some(&upper.as_str())
    })
}

/// Weekdays, from 0 for Monday, in order.
fn weekdays(word: &str) -> Result<Vec<usize>, String> {
    let mut found = std::collections::BTreeSet::new();
    for item in word.split(',') {
        let (from, until) =
            item.split_once("..").or_else(|| item.split_once('-')).unwrap_or((item, item));
        let day = |text: &str| weekday(text).ok_or_else(|| format!("`{text}` is no weekday"));
        let (from, until) = (day(from)?, day(until)?);
        if from > until {
            return Err(format!("`{item}` runs backwards, which systemd does not take either"));
        }
        found.extend(from..=until);
    }
    Ok(found.into_iter().collect())
}

fn whole_seconds(text: &str) -> Result<&str, String> {
    match text.split_once('.') {
        // Two dots are a range.
        Some((_, rest)) if rest.starts_with('.') => Ok(text),
        Some((whole, fraction)) if fraction.bytes().all(|b| b == b'0') => Ok(whole),
        Some(_) => Err("fractions of a second cannot be carried".to_owned()),
        None => Ok(text),
    }
}

fn component(text: &str, least: u16, most: u16) -> Result<Component, String> {
    if text == "*" {
        return Ok(Vec::new());
    }
    text.split(',').map(|item| range(item, least, most)).collect()
}

fn range(item: &str, least: u16, most: u16) -> Result<Range, String> {
    let bad = || {
        format!("`{item}` is not a value from {least} to {most}, a range (1..5) or a step (0/15)")
    };
    let number = |text: &str| {
        let number = text.parse::<u16>().map_err(|_| bad())?;
        let number = match number {
            // systemd.time(7): two digits of a year.
            0..=69 if least == 1970 => number + 2000,
            70..=99 if least == 1970 => number + 1900,
            _ => number,
        };
        if (least..=most).contains(&number) { Ok(number) } else { Err(bad()) }
    };
    let (base, step) = match item.split_once('/') {
        Some((base, step)) => (base, Some(step.parse::<u16>().map_err(|_| bad())?)),
        None => (item, None),
    };
    let (from, until) = match base.split_once("..") {
        Some((from, until)) => (number(from)?, number(until)?),
        None => (number(base)?, if step.is_some() { most } else { number(base)? }),
    };
    if from > until || step == Some(0) {
        return Err(bad());
    }
    Ok(Range { from, until, step: step.unwrap_or(1) })
}

/// Days counted from the month's end: `7/2` is the seventh last, the fifth last, and so on to the last.
fn days_from_end(text: &str) -> Result<Component, String> {
    let mut found = Vec::new();
    for item in text.split(',') {
        let stepped = item.contains('/') && !item.contains("..");
        let Range { from, until, step } = range(item, 1, 31)?;
        let back: Vec<u16> = if stepped {
            (1..=from).rev().step_by(usize::from(step)).collect()
        } else {
            (from..=until).step_by(usize::from(step)).collect()
        };
        found.extend(back.into_iter().map(|n| Range { from: n, until: n, step: 1 }));
    }
    found.sort_unstable_by_key(|range| range.from);
    found.dedup();
    Ok(found)
}

fn values(component: &Component) -> Vec<u16> {
    component.iter().flat_map(|r| (r.from..=r.until).step_by(usize::from(r.step))).collect()
}

/// A component as a crontab and a Quartz line write it.
fn text(component: &Component, least: u16, most: u16) -> String {
    let one = |range: &Range| match *range {
        Range { from, until, .. } if from == until => from.to_string(),
        Range { from, until, step: 1 } if (from, until) == (least, most) => "*".to_owned(),
        Range { from, until, step: 1 } => format!("{from}-{until}"),
        // Not beyond the last value: a crontab refuses such a step.
        Range { from, until, step } if until - from < step => from.to_string(),
        Range { from, until, step } if (from, until) == (least, most) => format!("*/{step}"),
        Range { from, until, step } => format!("{from}-{until}/{step}"),
    };
    if component.is_empty() {
        return "*".to_owned();
    }
    let parts: Vec<String> = component.iter().map(one).collect();
    if parts.iter().any(|part| part == "*") { "*".to_owned() } else { parts.join(",") }
}

/// Makes one of two crontab lines that differ in one field alone, where both have plain values there.
pub(super) fn merge(schedules: &mut Vec<When>) {
    let mut merged: Vec<When> = Vec::new();
    for when in schedules.drain(..) {
        match merged.iter_mut().find_map(|known| Some((together(known, &when)?, known))) {
            Some((spec, known)) => known.spec = spec,
            None => merged.push(when),
        }
    }
    *schedules = merged;
}

fn together(one: &When, other: &When) -> Option<ScheduleSpec> {
    let (ScheduleSpec::Cron(a), ScheduleSpec::Cron(b)) = (&one.spec, &other.spec) else {
        return None;
    };
    if one.zone != other.zone || one.calendar != other.calendar {
        return None;
    }
    let fields: Vec<(&str, &str)> = a.split(' ').zip(b.split(' ')).collect();
    let same_length = a.split(' ').count() == b.split(' ').count();
    if !same_length || fields.iter().filter(|(a, b)| a != b).count() > 1 {
        return None;
    }
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b',');
    let join = |(a, b): &(&str, &str)| match a == b {
        true => Some((*a).to_owned()),
        false if plain(a) && plain(b) => {
            let numbers: std::collections::BTreeSet<u16> =
                a.split(',').chain(b.split(',')).filter_map(|n| n.parse().ok()).collect();
            Some(numbers.iter().map(u16::to_string).collect::<Vec<_>>().join(","))
        }
        false => None,
    };
    let line: Option<Vec<String>> = fields.iter().map(join).collect();
    Some(ScheduleSpec::Cron(line?.join(" ")))
}

#[cfg(test)]
mod tests {
    use domain::time::{DstPolicy, Schedule};

    use super::*;

    fn one(text: &str) -> When {
        schedules(text).unwrap().remove(0)
    }

    #[test]
    fn a_calendar_text_becomes_the_schedule_that_says_the_same() {
        let table = [
            ("daily", "cron: 0 0 * * *"),
            ("Weekly", "cron: 0 0 * * MON"),
            ("quarterly", "cron: 0 0 1 1,4,7,10 *"),
            ("minutely", "cron: * * * * *"),
            ("Mon..Fri 02:30", "cron: 30 2 * * MON-FRI"),
            ("Sat,Sun *-*-* 10:00:00", "cron: 0 10 * * SAT,SUN"),
            ("*:0/15", "cron: */15 * * * *"),
            ("*:5/20", "cron: 5-59/20 * * * *"),
            ("*-*-* 8..17:00", "cron: 0 8-17 * * *"),
            ("*-*-* *:*:00/30", "cron: */30 * * * * *"),
            ("*-*-1,15 06:00:30", "cron: 30 0 6 1,15 * *"),
            ("03-05", "cron: 0 0 5 3 *"),
            ("*-*~01 23:00", "cron: 0 23 L * *"),
            ("Mon *-*~07/1 23:00", "cron: 0 23 * * MONL"),
            ("Mon *-*-1..7 10:00", "quartz: 0 0 10 1-7 * MON *"),
            ("2027-*-1 10:00", "quartz: 0 0 10 1 * ? 2027"),
            ("2027..2030-01-01", "quartz: 0 0 0 1 1 ? 2027-2030"),
            ("2026-12-24 18:00", "at: 2026-12-24T18:00:00"),
            ("@1767225600", "at: 2026-01-01T00:00:00Z"),
        ];
        for (text, wanted) in table {
            let when = one(text);
            assert_eq!(when.spec.to_string(), wanted, "{text}");
            assert!(when.calendar.is_empty(), "{text}");
        }
        assert_eq!(one("daily Europe/Berlin").zone.as_deref(), Some("Europe/Berlin"));
        assert_eq!(one("Mon 10:00 UTC").zone.as_deref(), Some("UTC"));
    }

    #[test]
    fn days_counted_from_the_months_end_are_a_rule_of_the_calendar() {
        for (text, days) in [
            ("*-*~03 01:00", vec![-3]),
            ("*-*~01..03 01:00", vec![-1, -2, -3]),
            ("*-*~5/2 01:00", vec![-1, -3, -5]),
        ] {
            let when = one(text);
            assert_eq!(when.spec.to_string(), "cron: 0 1 * * *", "{text}");
            assert_eq!(when.calendar.only_on, [Days::Set(DaySet::MonthDays(days))], "{text}");
        }
    }

    #[test]
    fn what_systemd_refuses_and_what_nothing_here_can_say_is_refused() {
        for text in [
            "",
            "tomorrow",
            "10",
            "Fri..Mon 10:00",
            "*:*/15",
            "*-*-* 25:00",
            "00:00 *-*-*",
            "22..2:00",
            "Mon, Tue 10:00",
            "*-*~03..01",
            "12:00:00.5",
            "*-*-32",
            "*:0/0",
        ] {
            assert!(schedules(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lines_that_differ_in_one_field_are_merged() {
        let merged = |texts: &[&str]| {
            let mut all: Vec<When> = texts.iter().map(|text| one(text)).collect();
            merge(&mut all);
            all.iter().map(|when| when.spec.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(merged(&["18:00", "6:00", "12:00"]), ["cron: 0 6,12,18 * * *"]);
        assert_eq!(merged(&["6:00", "18:30"]), ["cron: 0 6 * * *", "cron: 30 18 * * *"]);
        assert_eq!(merged(&["*:00", "6:30"]), ["cron: 0 * * * *", "cron: 30 6 * * *"]);
        assert_eq!(merged(&["6:00 UTC", "7:00"]).len(), 2);
    }

    /// Asks systemd itself for the next elapses, in UTC.
    fn by_systemd(text: &str, base: &str, count: usize) -> Vec<String> {
        let said = std::process::Command::new("systemd-analyze")
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .args(["calendar", "--base-time", base, "--iterations", &count.to_string(), text])
            .output()
            .unwrap();
        assert!(said.status.success(), "{text}: {}", String::from_utf8_lossy(&said.stderr));
        let said = String::from_utf8(said.stdout).unwrap();
        let time = |line: &str| {
            let (label, rest) = line.split_once(": ")?;
            let label = label.trim();
            let next = label == "Next elapse" || label.starts_with("Iter");
            let words: Vec<&str> = rest.split_whitespace().collect();
            next.then(|| Some(format!("{} {}", words.get(1)?, words.get(2)?))).flatten()
        };
        said.lines().filter_map(time).collect()
    }

    fn by_us(text: &str, base: &str, count: usize) -> Vec<String> {
        use std::sync::Arc;

        use domain::calendar::Almanac;
        use domain::time::DayPlan;
        let when = one(text);
        let days = DayPlan::new(when.calendar, Arc::new(Almanac::default()));
        let schedule =
            Schedule::with_days(&when.spec, "UTC", DstPolicy::default(), Some(days)).unwrap();
        let base: jiff::civil::DateTime = base.parse().unwrap();
        let base = base.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        let runs =
            std::iter::successors(schedule.next_run(base), |before| schedule.next_run(before.at));
        let runs = runs.take(count);
        runs.map(|o| o.local.strftime("%Y-%m-%d %H:%M:%S").to_string()).collect()
    }

    #[test]
    fn every_schedule_elapses_when_systemd_says_so() {
        let base = "2026-01-30 23:30:00";
        for text in [
            "daily",
            "weekly",
            "monthly",
            "quarterly",
            "semiannually",
            "yearly",
            "hourly",
            "Mon..Fri 02:30",
            "Sun,Wed..Thu *-*-* 10:00:00",
            "*:0/15",
            "*:5/20",
            "*-*-* 8..17/3:00,30",
            "*-*-* *:*:00/30",
            "*-*-1,15 06:00:30",
            "03-05",
            "*-*~01 23:00",
            "*-*~03 01:00",
            "*-*~01..03 01:00",
            "*-*~5/2 01:00",
            "Mon *-*~07/1 23:00",
            "Sat,Sun *-*~04 23:00",
            "Mon *-*-1..7 10:00",
            "Fri *-*-13 12:00",
            "2027-*-1 10:00",
            "2027..2030-2/5-01",
            "*-2-29",
            "*-*-05/10 04:00",
            "*-*-1..7,20/3 05:00",
        ] {
            assert_eq!(by_us(text, base, 8), by_systemd(text, base, 8), "{text}");
        }
    }
}
