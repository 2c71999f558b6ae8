//! On which days: DAYS, WEEKDAYS, months and calendars.

use domain::calendar::{DaySet, Days, NthDay, Period, Weekday};
use domain::time::{CalendarRule, Otherwise, ScheduleSpec};

use super::Refusal;
use super::element::Element;
use crate::import::draft::When;
use crate::import::names::clean;

/// The days a job runs on, as fields of a crontab line and a rule.
#[derive(Debug)]
pub(super) struct DayPart {
    /// Days of the month; `*` for every day.
    day: String,
    month: String,
    weekday: String,
    /// A day must match both day fields.
    both: bool,
    rule: CalendarRule,
}

impl DayPart {
    /// The schedule on these days at these minutes and hours.
    pub(super) fn at(&self, times: &str, zone: &str) -> When {
        let Self { day, month, weekday, .. } = self;
        let restricted = day != "*" && weekday != "*";
        let spec = if restricted && self.both {
            ScheduleSpec::Quartz(format!("0 {times} {day} {month} {weekday}"))
        } else {
            ScheduleSpec::Cron(format!("{times} {day} {month} {weekday}"))
        };
        When { spec, zone: Some(zone.to_owned()), calendar: self.rule.clone() }
    }
}

const DATES: [&str; 5] = ["DAYS", "WEEKDAYS", "DAYSCAL", "WEEKSCAL", "CONFCAL"];

/// Whether an element says on which days it runs.
pub(super) fn has_dates(element: Element<'_>) -> bool {
    DATES.iter().any(|name| element.text(name).is_some())
}

/// The days of an element; `None` where it is never ordered by date.
pub(super) fn read(element: Element<'_>) -> Result<Option<DayPart>, Refusal> {
    if !has_dates(element) {
        return Ok(None);
    }
    let refuse = |attribute: &str| {
        let at = element.at_attribute(attribute);
        move |reason: String| (at, reason)
    };
    if element.text("WEEKSCAL").is_some() {
        let reason =
            "a calendar for weekdays cannot be carried: name its days in a calendar document";
        return Err(refuse("WEEKSCAL")(reason.to_owned()));
    }
    let weekdays = weekdays(element.text("WEEKDAYS")).map_err(refuse("WEEKDAYS"))?;
    let calendar = element.text("DAYSCAL").map(|name| Days::named(&clean(name)));
    let mut part = DayPart {
        day: "*".to_owned(),
        month: months(element),
        weekday: "*".to_owned(),
        both: element.text("DAYS_AND_OR").is_some_and(|text| text.starts_with('A')),
        rule: CalendarRule::default(),
    };
    let days = element.text("DAYS");
    match (days, &calendar) {
        (None | Some("ALL"), None) => {}
        (None, Some(calendar)) => part.rule.only_on.push(calendar.clone()),
        (Some(days), calendar) => {
            days_of(days, calendar.as_ref(), &mut part).map_err(refuse("DAYS"))?;
        }
    }
    let only_weekdays = days.is_none() && calendar.is_none();
    put_weekdays(&weekdays, days == Some("ALL"), only_weekdays, &mut part);
    confirm(element, &mut part)?;
    Ok(Some(part))
}

fn months(element: Element<'_>) -> String {
    const MONTHS: [&str; 12] =
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    let said = |month: &&str| element.text(month).is_some();
    let on: Vec<&str> = MONTHS.into_iter().filter(|month| element.flag(month)).collect();
    if on.len() == MONTHS.len() || !MONTHS.iter().any(said) {
        return "*".to_owned();
    }
    on.join(",")
}

/// Weekdays, from 0 for Sunday; `None` for none named, empty for all.
fn weekdays(text: Option<&str>) -> Result<Option<Vec<u8>>, String> {
    match text {
        None => Ok(None),
        Some("ALL") => Ok(Some(Vec::new())),
        Some(list) => {
            let day = |item: &str| {
                let day = item.trim().parse::<u8>().ok().filter(|day| *day <= 6);
                day.ok_or_else(|| format!("`{item}`: only days 0 (Sunday) to 6 can be carried"))
            };
            list.split(',').map(day).collect::<Result<_, _>>().map(Some)
        }
    }
}

/// A job runs on the days of DAYS or on those of WEEKDAYS, unless it asks for both.
fn put_weekdays(weekdays: &Option<Vec<u8>>, all_days: bool, only: bool, part: &mut DayPart) {
    const NAMES: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    let Some(weekdays) = weekdays else { return };
    let names: Vec<&str> =
        weekdays.iter().filter_map(|day| NAMES.get(usize::from(*day)).copied()).collect();
    let list = if names.is_empty() { "*".to_owned() } else { names.join(",") };
    if only || part.both {
        part.weekday = list;
    } else if all_days {
        // Every day, whatever the weekdays say.
    } else if weekdays.is_empty() {
        (part.day, part.rule) = ("*".to_owned(), CalendarRule::default());
    } else if part.rule.is_empty() {
        part.weekday = list;
    } else {
        part.rule
            .only_on
            .push(Days::Set(DaySet::Weekdays(weekdays.iter().map(|day| weekday(*day)).collect())));
    }
}

fn weekday(day: u8) -> Weekday {
    match day {
        0 => Weekday::Sunday,
        1 => Weekday::Monday,
        2 => Weekday::Tuesday,
        3 => Weekday::Wednesday,
        4 => Weekday::Thursday,
        5 => Weekday::Friday,
        _ => Weekday::Saturday,
    }
}

/// One entry of DAYS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Day(i8),
    /// The nth working day; from the end where negative.
    Working(i16),
    Plus(i8),
    Minus(i8),
    MinusWorking(i16),
    /// That day, or the next working day.
    Next(i8),
    /// That day, or the working day before.
    Previous(i8),
}

fn entry(text: &str) -> Result<Entry, String> {
    let bad = || format!("`{text}` is no day that can be carried");
    let day = |text: &str| text.parse::<i8>().ok().filter(|d| (1..=31).contains(d)).ok_or_else(bad);
    let working = |text: &str| {
        let (sign, number) = match (text.strip_prefix('D'), text.strip_prefix('L')) {
            (Some(number), _) => (1, number),
            (None, Some(number)) => (-1, number),
            (None, None) => return Err(bad()),
        };
        day(number).map(|number| sign * i16::from(number))
    };
    let mut letters = text.chars();
    let first = letters.next();
    let rest = letters.as_str();
    match first {
        Some('+') => day(rest).map(Entry::Plus),
        Some('-') if rest.starts_with(['D', 'L']) => working(rest).map(Entry::MinusWorking),
        Some('-') => day(rest).map(Entry::Minus),
        Some('>') => day(rest).map(Entry::Next),
        Some('<') => day(rest).map(Entry::Previous),
        Some('D' | 'L') => working(text).map(Entry::Working),
        _ => day(text).map(Entry::Day),
    }
}

fn days_of(text: &str, calendar: Option<&Days>, part: &mut DayPart) -> Result<(), String> {
    if text == "ALL" {
        part.rule.only_on.extend(calendar.cloned());
        return Ok(());
    }
    let entries: Vec<Entry> =
        text.split(',').map(|item| entry(item.trim())).collect::<Result<_, _>>()?;
    let plain = |entry: &Entry| if let Entry::Day(day) = entry { Some(*day) } else { None };
    if let Some(days) = entries.iter().map(plain).collect::<Option<Vec<i8>>>() {
        if calendar.is_some() {
            return Err("days of the month together with a calendar cannot be carried: combine them in a calendar document".to_owned());
        }
        part.day = days.iter().map(i8::to_string).collect::<Vec<_>>().join(",");
        return Ok(());
    }
    let calendar =
        calendar.ok_or("D, L, +, -, > and < count in a calendar, and DAYSCAL names none")?;
    if moving(&entries, calendar, part) {
        return Ok(());
    }
    by_calendar(&entries, calendar, &mut part.rule)
}

/// Days that all move the same way where they are no working days.
fn moving(entries: &[Entry], calendar: &Days, part: &mut DayPart) -> bool {
    let next = |entry: &Entry| if let Entry::Next(day) = entry { Some(*day) } else { None };
    let previous = |entry: &Entry| if let Entry::Previous(day) = entry { Some(*day) } else { None };
    let all =
        |pick: &dyn Fn(&Entry) -> Option<i8>| entries.iter().map(pick).collect::<Option<Vec<i8>>>();
    let (days, otherwise) = match (all(&next), all(&previous)) {
        (Some(days), _) => (days, Otherwise::Next),
        (None, Some(days)) => (days, Otherwise::Previous),
        (None, None) => return false,
    };
    part.day = days.iter().map(i8::to_string).collect::<Vec<_>>().join(",");
    part.rule = CalendarRule {
        only_on: vec![calendar.clone()],
        otherwise,
        working_days: Some(calendar.clone()),
        ..CalendarRule::default()
    };
    true
}

fn by_calendar(entries: &[Entry], calendar: &Days, rule: &mut CalendarRule) -> Result<(), String> {
    let nth = |nth: Vec<i16>| {
        let by = Some(Box::new(calendar.clone()));
        Days::Set(DaySet::WorkingDay(NthDay { nth, of: Period::Month, by, fiscal: None }))
    };
    let (mut working, mut plus, mut minus, mut minus_working) = (vec![], vec![], vec![], vec![]);
    for entry in entries {
        match *entry {
            Entry::Working(n) => working.push(n),
            Entry::Plus(day) => plus.push(day),
            Entry::Minus(day) => minus.push(day),
            Entry::MinusWorking(n) => minus_working.push(n),
            Entry::Day(_) | Entry::Next(_) | Entry::Previous(_) => {
                return Err("days of these kinds cannot be carried together: combine them in a calendar document".to_owned());
            }
        }
    }
    // `+` and `-` add to and take from the calendar's days.
    let base = if working.is_empty() { calendar.clone() } else { nth(working) };
    rule.only_on = vec![base];
    if !plus.is_empty() {
        rule.only_on.push(Days::Set(DaySet::MonthDays(plus)));
    }
    if !minus.is_empty() {
        rule.not_on.push(Days::Set(DaySet::MonthDays(minus)));
    }
    if !minus_working.is_empty() {
        rule.not_on.push(nth(minus_working));
    }
    Ok(())
}

/// CONFCAL: what becomes of a day that is not in it.
fn confirm(element: Element<'_>, part: &mut DayPart) -> Result<(), Refusal> {
    let Some(name) = element.text("CONFCAL") else { return Ok(()) };
    let calendar = Days::named(&clean(name));
    let number = element.text("SHIFTNUM").unwrap_or("0").trim_start_matches('+');
    if number.parse::<i32>() != Ok(0) {
        let reason = "a shift by more than to the nearest day cannot be carried";
        return Err((element.at_attribute("SHIFTNUM"), reason.to_owned()));
    }
    let shift = element.text("SHIFT").unwrap_or_default().to_ascii_lowercase();
    let otherwise = match shift.as_str() {
        "" | "ignore job" | "ignorejob" => Otherwise::Skip,
        ">" | "next day" | "nextday" => Otherwise::Next,
        "<" | "prev day" | "prevday" => Otherwise::Previous,
        other => {
            return Err((
                element.at_attribute("SHIFT"),
                format!("a shift `{other}` cannot be carried"),
            ));
        }
    };
    let rule = &mut part.rule;
    if rule.is_empty() {
        rule.only_on = vec![calendar.clone()];
        rule.otherwise = otherwise;
        rule.working_days = (otherwise != Otherwise::Skip).then_some(calendar);
        return Ok(());
    }
    if otherwise != Otherwise::Skip || rule.otherwise != Otherwise::Skip {
        let reason = "CONFCAL with a shift together with a calendar for days cannot be carried: combine them in a calendar document";
        return Err((element.at_attribute("CONFCAL"), reason.to_owned()));
    }
    let any = Days::Set(DaySet::AnyOf(std::mem::take(&mut rule.only_on)));
    rule.only_on = vec![Days::Set(DaySet::AllOf(vec![any, calendar]))];
    Ok(())
}
