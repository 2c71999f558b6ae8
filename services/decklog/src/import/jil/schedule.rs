//! Dates, times and calendars of a job or box.

use std::collections::BTreeSet;

use domain::calendar::Days;
use domain::time::{CalendarRule, ScheduleSpec, check_zone};

use super::statement::{Attribute, Statement};
use crate::import::Imported;
use crate::import::draft::When;
use crate::import::names::clean;
use crate::import::times::{lines, list_of};

/// A line and why it cannot be carried.
pub(super) type Refusal = (usize, String);

/// When a job or box starts by itself; none where it waits for others or for somebody.
pub(super) fn read(
    statement: &Statement,
    zone: &str,
    imported: &mut Imported,
) -> Result<Vec<When>, Refusal> {
    let has_dates =
        statement.value("date_conditions").is_some_and(|v| matches!(v, "1" | "y" | "Y"));
    if !has_dates {
        note_unused(statement, imported);
        return Ok(Vec::new());
    }
    let zone = match statement.get("timezone") {
        None => zone.to_owned(),
        Some(named) => check_zone(&named.value).map_err(|error| (named.line, error.to_string()))?,
    };
    let rule = calendar(statement);
    let weekdays = weekdays(statement)?;
    let lines = times(statement, &rule, imported)?;
    let when = |line: String| When {
        spec: ScheduleSpec::Cron(format!("{line} * * {weekdays}")),
        zone: Some(zone.clone()),
        calendar: rule.clone(),
    };
    Ok(lines.into_iter().map(when).collect())
}

/// Days and times that hold for nothing: the job starts when its condition does.
fn note_unused(statement: &Statement, imported: &mut Imported) {
    for key in ["days_of_week", "start_times", "start_mins", "run_calendar", "exclude_calendar"] {
        if let Some(attribute) = statement.get(key) {
            let text = format!(
                "{}: without date_conditions it has no effect there and is not carried",
                attribute.source()
            );
            imported.note(&statement.line(attribute.line), text);
        }
    }
}

fn calendar(statement: &Statement) -> CalendarRule {
    let named = |key: &str| statement.value(key).map(|name| Days::named(&clean(name)));
    CalendarRule {
        only_on: named("run_calendar").into_iter().collect(),
        not_on: named("exclude_calendar").into_iter().collect(),
        ..CalendarRule::default()
    }
}

fn weekdays(statement: &Statement) -> Result<String, Refusal> {
    const DAYS: [(&str, &str); 7] = [
        ("mo", "MON"),
        ("tu", "TUE"),
        ("we", "WED"),
        ("th", "THU"),
        ("fr", "FRI"),
        ("sa", "SAT"),
        ("su", "SUN"),
    ];
    let Some(attribute) = statement.get("days_of_week") else { return Ok("*".to_owned()) };
    if attribute.value == "all" {
        return Ok("*".to_owned());
    }
    let day = |text: &str| {
        let known = DAYS.iter().find(|(short, _)| *short == text.trim().to_ascii_lowercase());
        known.map(|(_, name)| *name).ok_or_else(|| (attribute.line, format!("`{text}` is no day")))
    };
    let days: Vec<&str> = attribute.value.split(',').map(day).collect::<Result<_, _>>()?;
    Ok(days.join(","))
}

/// Minute and hour fields.
fn times(
    statement: &Statement,
    rule: &CalendarRule,
    imported: &mut Imported,
) -> Result<Vec<String>, Refusal> {
    match (statement.get("start_times"), statement.get("start_mins")) {
        (Some(times), _) => {
            let times: BTreeSet<(u8, u8)> =
                times.value.split(',').map(|text| clock(text, times)).collect::<Result<_, _>>()?;
            Ok(lines(&times))
        }
        (None, Some(minutes)) => {
            let minute = |text: &str| {
                let minute = text.trim().parse::<u8>().ok().filter(|minute| *minute < 60);
                minute.ok_or_else(|| (minutes.line, format!("`{text}` is no minute")))
            };
            let list: BTreeSet<u8> =
                minutes.value.split(',').map(minute).collect::<Result<_, _>>()?;
            Ok(vec![format!("{} *", list_of(&list))])
        }
        (None, None) if !rule.only_on.is_empty() => {
            let line = statement.get("run_calendar").map_or(statement.at.line, |a| a.line);
            imported.note(
                &statement.line(line),
                "times in the calendar are not carried: it is due at 00:00",
            );
            Ok(vec!["0 0".to_owned()])
        }
        (None, None) => {
            let line = statement.get("date_conditions").map_or(statement.at.line, |a| a.line);
            Err((
                line,
                "it has date_conditions and no start_times, start_mins or run_calendar".to_owned(),
            ))
        }
    }
}

/// `22:05`.
fn clock(text: &str, attribute: &Attribute) -> Result<(u8, u8), Refusal> {
    let text = text.trim();
    if text.starts_with('+') {
        let why = format!("`{text}`: a time counted from the start of its box cannot be carried");
        return Err((attribute.line, why));
    }
    let parts = text.split_once(':').and_then(|(hour, minute)| {
        let (hour, minute) = (hour.parse::<u8>().ok()?, minute.parse::<u8>().ok()?);
        (hour < 24 && minute < 60).then_some((hour, minute))
    });
    parts.ok_or_else(|| (attribute.line, format!("`{text}` is no time of day")))
}
