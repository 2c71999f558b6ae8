//! A cron or Quartz expression as wall-clock times.
//!
//! The crates `croner` and `cron` say which dates and times of day match; stepping from one to the next is done
//! here and knows no zone. Neither crate's own search is used: `croner` treats only single-valued expressions as
//! fixed times, and `cron` leaves out what a gap removes and is not in order in an overlap.

use std::fmt;
use std::str::FromStr;

use cron::TimeUnitSpec;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::{Date, DateTime, Time, date};

use super::error::ScheduleError;
use super::field::{FIELDS, Field};

/// A set of wall-clock times, to the second.
#[derive(Clone)]
pub(super) struct WallRule {
    days: Days,
    hours: Vec<i8>,
    minutes: Vec<i8>,
    seconds: Vec<i8>,
    /// Whether minute or hour holds a wildcard or a step: the schedule then counts elapsed time.
    pub(super) elapsed: bool,
}

#[derive(Clone)]
enum Days {
    Plain(PlainDays),
    Crontab(Box<Cron>),
    Quartz(Box<cron::Schedule>),
}

/// The days of a crontab line without `L`, `W` and `#`, as bits: most lines are such, and what `croner`
/// keeps for one takes a kilobyte (and five more for years that a crontab line does not have).
#[derive(Clone, Copy)]
struct PlainDays {
    months: u16,
    days: u32,
    weekdays: u8,
    /// A day may match either day field; otherwise it must match both.
    either: bool,
}

impl PlainDays {
    fn of(cron: &Cron, either: bool) -> Option<Self> {
        let pattern = &cron.pattern;
        let modified = pattern.days.has_modifiers() || pattern.days_of_week.has_modifiers();
        let bits = |values: Vec<u16>| values.into_iter().fold(0_u32, |bits, n| bits | 1 << n);
        let narrow = |bits: u32| u16::try_from(bits).ok();
        (!modified).then_some(Self {
            months: narrow(bits(pattern.months.values()))?,
            days: bits(pattern.days.values()),
            // Sunday has two numbers; a date's weekday is counted from 0.
            weekdays: u8::try_from(bits(pattern.days_of_week.values()) & 0x7f).ok()?,
            either,
        })
    }

    fn day(self, number: u32, since_sunday: u32) -> bool {
        let by_number = self.days >> number & 1 == 1;
        let by_weekday = self.weekdays >> since_sunday & 1 == 1;
        if self.either { by_number || by_weekday } else { by_number && by_weekday }
    }
}

impl fmt::Debug for WallRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = (&self.hours, &self.minutes, &self.seconds);
        f.debug_struct("WallRule").field("times", &times).finish_non_exhaustive()
    }
}

const CRONTAB_FIELDS: &str =
    "a crontab line has 5 (minute hour day-of-month month day-of-week), or 6 with seconds first";
const QUARTZ_FIELDS: &str =
    "a Quartz line has 6 (second minute hour day-of-month month day-of-week), or 7 with a year";

impl WallRule {
    /// Reads the time fields of a crontab line, or an `@` word.
    pub(super) fn crontab(expression: &str) -> Result<Self, ScheduleError> {
        let Crontab { cron, either, elapsed } = read_crontab(expression)?;
        let pattern = &cron.pattern;
        let times = [&pattern.hours, &pattern.minutes, &pattern.seconds];
        let [hours, minutes, seconds] = times.map(|part| narrow(part.values()));
        let days = match PlainDays::of(&cron, either) {
            Some(days) => Days::Plain(days),
            None => Days::Crontab(Box::new(cron)),
        };
        Ok(Self { hours, minutes, seconds, elapsed, days })
    }

    /// Reads a Quartz line.
    pub(super) fn quartz(expression: &str) -> Result<Self, ScheduleError> {
        let fields: Vec<&str> = expression.split_whitespace().collect();
        if !matches!(fields.len(), 6 | 7) {
            return Err(field_count(expression, fields.len(), QUARTZ_FIELDS));
        }
        check_quartz_fields(expression, &fields)?;
        let line = fields.join(" ");
        let quartz =
            cron::Schedule::from_str(&line).map_err(|error| unreadable(expression, &error))?;
        Ok(Self {
            hours: narrow(quartz.hours().iter()),
            minutes: narrow(quartz.minutes().iter()),
            seconds: narrow(quartz.seconds().iter()),
            elapsed: is_elapsed(&fields),
            days: Days::Quartz(Box::new(quartz)),
        })
    }

    /// Whether any date matches at all. The Gregorian calendar, weekdays included, repeats every 400 years, so
    /// looking that far settles it.
    pub(super) fn ever_fires(&self) -> bool {
        self.next_date(date(1970, 1, 1), date(2370, 1, 1)).is_some()
    }

    /// The first matching time at or after `from`, no later than the end of the day `last`.
    pub(super) fn next(&self, from: DateTime, last: Date) -> Option<DateTime> {
        let day = self.next_date(from.date(), last)?;
        if day > from.date() {
            return self.next_time(Time::midnight()).map(|time| day.to_datetime(time));
        }
        if let Some(time) = self.next_time(from.time()) {
            return Some(day.to_datetime(time));
        }
        let day = self.next_date(day.tomorrow().ok()?, last)?;
        self.next_time(Time::midnight()).map(|time| day.to_datetime(time))
    }

    pub(super) fn next_time(&self, from: Time) -> Option<Time> {
        let first_at_least =
            |values: &[i8], least: i8| values.iter().copied().find(|value| *value >= least);
        for hour in self.hours.iter().copied().filter(|hour| *hour >= from.hour()) {
            let same_hour = hour == from.hour();
            let least = if same_hour { from.minute() } else { 0 };
            for minute in self.minutes.iter().copied().filter(|minute| *minute >= least) {
                let same_minute = same_hour && minute == from.minute();
                let least = if same_minute { from.second() } else { 0 };
                if let Some(second) = first_at_least(&self.seconds, least) {
                    return Time::new(hour, minute, second, 0).ok();
                }
            }
        }
        None
    }

    pub(super) fn next_date(&self, from: Date, last: Date) -> Option<Date> {
        let mut day = from;
        while day <= last {
            day = if !self.days.year(day) {
                Date::new(day.year().checked_add(1)?, 1, 1).ok()?
            } else if !self.days.month(day) {
                day.last_of_month().tomorrow().ok()?
            } else if !self.days.day(day) {
                day.tomorrow().ok()?
            } else {
                return Some(day);
            };
        }
        None
    }
}

impl Days {
    fn year(&self, day: Date) -> bool {
        match self {
            Self::Plain(_) | Self::Crontab(_) => true,
            Self::Quartz(line) => {
                u32::try_from(day.year()).is_ok_and(|year| line.years().includes(year))
            }
        }
    }

    fn month(&self, day: Date) -> bool {
        let month = u32::from(day.month().unsigned_abs());
        match self {
            Self::Plain(days) => days.months >> month & 1 == 1,
            Self::Crontab(line) => line.pattern.month_match(month).unwrap_or(false),
            Self::Quartz(line) => line.months().includes(month),
        }
    }

    fn day(&self, day: Date) -> bool {
        let (month, number) =
            (u32::from(day.month().unsigned_abs()), u32::from(day.day().unsigned_abs()));
        let since_sunday = u32::from(day.weekday().to_sunday_zero_offset().unsigned_abs());
        match self {
            Self::Plain(days) => days.day(number, since_sunday),
            Self::Crontab(line) => {
                let weekday = croner::Weekday::from_days_from_sunday(since_sunday);
                line.pattern
                    .day_match(i32::from(day.year()), month, number, weekday)
                    .unwrap_or(false)
            }
            Self::Quartz(line) => {
                line.days_of_month().includes(number)
                    && line.days_of_week().includes(since_sunday + 1)
            }
        }
    }
}

/// A crontab line as `croner` reads it, and what it does not tell.
struct Crontab {
    cron: Cron,
    /// A day may match either day field.
    either: bool,
    /// It counts elapsed time.
    elapsed: bool,
}

fn read_crontab(expression: &str) -> Result<Crontab, ScheduleError> {
    let text = expand_word(expression.trim())?;
    let mut fields: Vec<&str> = text.split_whitespace().collect();
    match fields.len() {
        5 => fields.insert(0, "0"),
        6 => {}
        found => return Err(field_count(expression, found, CRONTAB_FIELDS)),
    }
    let normal = normalise(expression, &fields)?;
    let both = either_day_field_is_a_star(&fields);
    let parser = CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Disallowed)
        .dom_and_dow(both)
        .build();
    let cron = parser.parse(&normal).map_err(|error| unreadable(expression, &error))?;
    Ok(Crontab { cron, either: !both, elapsed: is_elapsed(&fields) })
}

/// A crontab line in words. Made when asked for: a scheduler holds many lines and tells of few.
pub(super) fn crontab_words(expression: &str) -> String {
    read_crontab(expression).map_or_else(|error| error.to_string(), |line| line.cron.describe())
}

/// The five fields an `@` word stands for (crontab(5)); any other text unchanged.
fn expand_word(text: &str) -> Result<&str, ScheduleError> {
    if !text.starts_with('@') {
        return Ok(text);
    }
    let refuse = |problem| Err(ScheduleError::Word { word: text.to_owned(), problem });
    match text.to_ascii_lowercase().as_str() {
        "@hourly" => Ok("0 * * * *"),
        "@daily" | "@midnight" => Ok("0 0 * * *"),
        "@weekly" => Ok("0 0 * * 0"),
        "@monthly" => Ok("0 0 1 * *"),
        "@yearly" | "@annually" => Ok("0 0 1 1 *"),
        "@reboot" => refuse(
            "starting with the machine is not a schedule: no clock says when it is due, so nobody can \
             say it was missed; leave it to the service manager (systemd, Windows services)",
        ),
        _ => refuse(
            "unknown word; use @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually, \
             or write the five fields",
        ),
    }
}

/// crontab(5): a day may match either day field, unless one of them starts with `*`; then it must match both.
/// `croner` by itself takes `*/2` for a restricted field.
fn either_day_field_is_a_star(fields: &[&str]) -> bool {
    [3, 5].into_iter().any(|index| fields.get(index).is_some_and(|field| field.starts_with('*')))
}

/// Whether minute or hour (second and third of six) hold a wildcard or a step.
fn is_elapsed(fields: &[&str]) -> bool {
    fields.iter().skip(1).take(2).any(|field| field.contains(['*', '/']))
}

fn normalise(expression: &str, fields: &[&str]) -> Result<String, ScheduleError> {
    let checked = |(field, text): (&Field, &&str)| {
        field.normalise(text).map_err(|problem| ScheduleError::Field {
            expression: expression.to_owned(),
            field: field.name,
            text: (*text).to_owned(),
            problem,
            allowed: field.allowed,
        })
    };
    let normal: Vec<String> = FIELDS.iter().zip(fields).map(checked).collect::<Result<_, _>>()?;
    Ok(normal.join(" "))
}

/// The fields of a Quartz line and what the `cron` crate allows in them.
const QUARTZ: [(&str, &str); 7] = [
    ("second", "0-59, lists, ranges, steps (0/15) or *"),
    ("minute", "0-59, lists, ranges, steps (0/15) or *"),
    ("hour", "0-23, lists, ranges, steps (0/2) or *"),
    ("day-of-month", "1-31, lists, ranges, steps, * or ? (L and W: use `cron:`)"),
    ("month", "1-12 or JAN-DEC, lists, ranges, steps or *"),
    (
        "day-of-week",
        "1-7 (1 is Sunday) or SUN-SAT, lists, ranges, steps, * or ? (L and #: use `cron:`)",
    ),
    ("year", "1970-2100, lists, ranges, steps or *"),
];

/// Tries each field alone among wildcards: the crate's own message for a whole line does not name the field.
fn check_quartz_fields(expression: &str, fields: &[&str]) -> Result<(), ScheduleError> {
    for (index, (text, (field, allowed))) in fields.iter().zip(QUARTZ).enumerate() {
        let mut alone = ["*"; 7];
        if let Some(place) = alone.get_mut(index) {
            *place = text;
        }
        if cron::Schedule::from_str(&alone.join(" ")).is_err() {
            return Err(ScheduleError::Field {
                expression: expression.to_owned(),
                field,
                text: (*text).to_owned(),
                problem: "is not understood".to_owned(),
                allowed,
            });
        }
    }
    Ok(())
}

/// `cron` has no words for people, so `croner` is shown the same line with Quartz's numbering.
pub(super) fn quartz_words(line: &str) -> String {
    let parser = CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Optional)
        .dom_and_dow(true)
        .alternative_weekdays(true)
        .sloppy_ranges(true)
        .build();
    match parser.parse(line) {
        Ok(cron) => cron.describe(),
        Err(_) => format!("Quartz line {line}"),
    }
}

fn field_count(expression: &str, found: usize, allowed: &'static str) -> ScheduleError {
    ScheduleError::FieldCount { expression: expression.to_owned(), found, allowed }
}

fn unreadable(expression: &str, error: &dyn fmt::Display) -> ScheduleError {
    ScheduleError::Expression { expression: expression.to_owned(), reason: error.to_string() }
}

/// Values of minutes, hours or seconds as `jiff` counts them; all are below 60.
fn narrow<T: TryInto<i8>>(values: impl IntoIterator<Item = T>) -> Vec<i8> {
    values.into_iter().filter_map(|value| value.try_into().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agree(line: &str) {
        let Crontab { cron, either, .. } = read_crontab(line).unwrap();
        let plain = Days::Plain(PlainDays::of(&cron, either).unwrap());
        let library = Days::Crontab(Box::new(cron));
        let mut day = date(2023, 1, 1);
        while day < date(2029, 1, 1) {
            let ask = |days: &Days| (days.year(day), days.month(day), days.day(day));
            assert_eq!(ask(&plain), ask(&library), "{line} on {day}");
            day = day.tomorrow().unwrap();
        }
    }

    #[test]
    fn days_kept_as_bits_are_the_days_the_library_names() {
        for day in ["*", "1", "31", "1,15", "*/2", "2-30/7", "29"] {
            for month in ["*", "2", "1,6-8", "*/5"] {
                for weekday in ["*", "0", "7", "1-5", "*/2", "5-7", "MON,FRI"] {
                    agree(&format!("0 0 {day} {month} {weekday}"));
                }
            }
        }
    }

    #[test]
    fn days_that_depend_on_the_month_are_left_to_the_library() {
        for line in ["0 0 L * *", "0 0 15W * *", "0 0 LW * *", "0 0 * * 5#2", "0 0 * * 5L"] {
            let Crontab { cron, either, .. } = read_crontab(line).unwrap();
            assert!(PlainDays::of(&cron, either).is_none(), "{line}");
        }
    }
}
