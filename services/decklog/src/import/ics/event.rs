//! One event, and when it takes place.
//!
//! Only the days on the event's own clock matter, so zones are taken off before it is expanded: what is at 23:00 in
//! Tokyo is on that day, wherever it is read.

use calcard::common::PartialDateTime;
use calcard::common::timezone::Tz;
use calcard::datecalc::rrule::RRule;
use calcard::icalendar::dates::TimeOrDelta;
use calcard::icalendar::{
    ICalendar, ICalendarComponent, ICalendarParameterName, ICalendarProperty, ICalendarStatus,
    ICalendarValue,
};
use calcard::{Entry, Parser};
use jiff::SignedDuration;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::import::{Imported, Text};

/// An event.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) uid: String,
    pub(super) summary: String,
    pub(super) cancelled: bool,
    /// The time of another event that it stands for.
    pub(super) overrides: Option<DateTime>,
    calendar: ICalendar,
}

/// When an event takes place, on its own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) start: DateTime,
    end: DateTime,
}

impl Time {
    /// The days in a range that it covers. Its end is exclusive.
    pub(super) fn days(self, (first, last): (Date, Date)) -> impl Iterator<Item = Date> {
        let at_midnight = self.end.time() == jiff::civil::Time::midnight();
        let end = match self.end.date() {
            end if self.end <= self.start => end.min(self.start.date()),
            end if at_midnight => end.yesterday().unwrap_or(end),
            end => end,
        };
        let begin = self.start.date().max(first);
        let next = |day: &Date| day.tomorrow().ok();
        std::iter::successors(Some(begin), next).take_while(move |day| *day <= end.min(last))
    }
}

/// The text of each event with its line; what else a file has to do is left out.
pub(super) fn blocks(text: &Text, imported: &mut Imported) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (index, line) in text.text.lines().enumerate() {
        let word = line.trim_start_matches('\u{feff}').trim_end().to_ascii_uppercase();
        match word.as_str() {
            "BEGIN:VEVENT" => {
                open = true;
                found.push((index + 1, String::new()));
            }
            "BEGIN:VTODO" | "BEGIN:VJOURNAL" | "BEGIN:VFREEBUSY" => {
                imported.leave_out(&text.at(index + 1), &word, "only events cover days");
            }
            _ => {}
        }
        if let Some((_, block)) = found.last_mut().filter(|_| open) {
            block.push_str(line);
            block.push('\n');
        }
        open &= word != "END:VEVENT";
    }
    found.retain(|(line, block)| {
        let closed = block.trim_end().to_ascii_uppercase().ends_with("END:VEVENT");
        if !closed {
            imported.leave_out(&text.at(*line), "BEGIN:VEVENT", "its END:VEVENT is missing");
        }
        closed
    });
    found
}

/// Most times one event may take place: daily for more than a century.
const TIMES_MAX: usize = 50_000;

impl Event {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Entry::ICalendar(calendar) = Parser::new(text).entry() else {
            return Err("it cannot be read".to_owned());
        };
        let event = calendar.components.first().ok_or("it says nothing")?;
        if !event.has_property(&ICalendarProperty::Dtstart) {
            return Err("it has no DTSTART that can be read".to_owned());
        }
        let text = |property: &ICalendarProperty| {
            event
                .property(property)
                .and_then(|entry| entry.values.first()?.as_text())
                .unwrap_or_default()
        };
        Ok(Self {
            uid: event.uid().unwrap_or_default().to_owned(),
            summary: one_line(text(&ICalendarProperty::Summary)),
            cancelled: event.status() == Some(&ICalendarStatus::Cancelled),
            overrides: overrides(event)?,
            calendar,
        })
    }

    fn component(&self) -> Result<&ICalendarComponent, String> {
        self.calendar.components.first().ok_or_else(|| "it says nothing".to_owned())
    }

    /// When it takes place, to the end of `last`.
    pub(super) fn times(&self, last: Date) -> Result<Vec<Time>, String> {
        let event = self.component()?;
        let Some(start) = first_time(event, &ICalendarProperty::Dtstart) else {
            return Err("its DTSTART cannot be read".to_owned());
        };
        if start.date() > last {
            return Ok(Vec::new());
        }
        let mut plain = event.clone();
        bound_rules(&mut plain, start, last)?;
        for entry in &mut plain.entries {
            entry.params.retain(|parameter| parameter.name != ICalendarParameterName::Tzid);
        }
        let excluded = all_times(&plain, &ICalendarProperty::Exdate);
        // An override stands for itself here.
        plain.entries.retain(|entry| entry.name != ICalendarProperty::RecurrenceId);
        let alone = ICalendar { components: vec![plain] };
        let expanded = alone.expand_dates(Tz::Floating, TIMES_MAX);
        if let Some(error) = expanded.errors.first() {
            return Err(error.error.to_string());
        }
        if expanded.events.len() >= TIMES_MAX {
            return Err(format!("it takes place more than {TIMES_MAX} times"));
        }
        let mut times = Vec::with_capacity(expanded.events.len());
        for one in expanded.events {
            let start = civil(&one.start.naive_local().to_string())?;
            let end = match one.end {
                TimeOrDelta::Time(end) => civil(&end.naive_local().to_string())?,
                TimeOrDelta::Delta(long) => start
                    .checked_add(SignedDuration::from_secs(long.num_seconds()))
                    .map_err(|error| error.to_string())?,
            };
            times.push(Time { start, end });
        }
        times.retain(|time| !excluded.contains(&time.start));
        Ok(times)
    }
}

/// A rule without an end, or with one beyond the years asked for, ends with them.
fn bound_rules(event: &mut ICalendarComponent, start: DateTime, last: Date) -> Result<(), String> {
    let zone = zone_of(event);
    for entry in event.entries.iter_mut().filter(|entry| entry.name == ICalendarProperty::Rrule) {
        let unread = || "its RRULE cannot be read".to_owned();
        let Some(ICalendarValue::RecurrenceRule(rule)) = entry.values.first_mut() else {
            return Err(unread());
        };
        if rule.rscale.is_some() {
            return Err("its RRULE counts in another calendar (RSCALE)".to_owned());
        }
        let end = last.at(23, 59, 59, 0);
        let until = match &rule.until {
            None => end,
            Some(until) => local(until, zone.as_ref()).ok_or_else(unread)?.min(end),
        };
        // A rule must not end before its first time.
        rule.until = if rule.count.is_some() { None } else { Some(partial(until.max(start))) };
        RRule::from_floating_ical(rule).ok_or_else(unread)?;
    }
    Ok(())
}

/// The zone an event names, where it is known here.
fn zone_of(event: &ICalendarComponent) -> Option<TimeZone> {
    let start = event.property(&ICalendarProperty::Dtstart)?;
    let named = start.params.iter().find(|p| p.name == ICalendarParameterName::Tzid)?;
    TimeZone::get(named.value.as_text()?).ok()
}

/// The end of a rule on the event's clock: it is written in UTC where the event has a zone. A day ends at its end.
fn local(until: &PartialDateTime, zone: Option<&TimeZone>) -> Option<DateTime> {
    let civil = civil_of(until)?;
    if until.hour.is_none() {
        return Some(civil.date().at(23, 59, 59, 0));
    }
    match (until.tz_hour, zone) {
        (Some(_), Some(zone)) => {
            let at = TimeZone::UTC.to_timestamp(civil).ok()?;
            Some(zone.to_datetime(at))
        }
        (_, _) => Some(civil),
    }
}

fn civil_of(partial: &PartialDateTime) -> Option<DateTime> {
    let small = |part: Option<u8>| i8::try_from(part.unwrap_or(0)).ok();
    let date = Date::new(
        i16::try_from(partial.year?).ok()?,
        i8::try_from(partial.month?).ok()?,
        i8::try_from(partial.day?).ok()?,
    );
    // A leap second is the second before it.
    let second = small(partial.second)?.min(59);
    let time =
        jiff::civil::Time::new(small(partial.hour)?, small(partial.minute)?, second, 0).ok()?;
    Some(date.ok()?.to_datetime(time))
}

fn partial(at: DateTime) -> PartialDateTime {
    let small = |part: i8| Some(part.unsigned_abs());
    PartialDateTime {
        year: Some(at.year().unsigned_abs()),
        month: small(at.month()),
        day: small(at.day()),
        hour: small(at.hour()),
        minute: small(at.minute()),
        second: small(at.second()),
        ..PartialDateTime::default()
    }
}

/// The first time of a property, as it stands there.
fn first_time(event: &ICalendarComponent, property: &ICalendarProperty) -> Option<DateTime> {
    all_times(event, property).first().copied()
}

fn all_times(event: &ICalendarComponent, property: &ICalendarProperty) -> Vec<DateTime> {
    let values = event.entries.iter().filter(|entry| entry.name == *property);
    let times = values
        .flat_map(|entry| &entry.values)
        .filter_map(|value| civil_of(value.as_partial_date_time()?));
    times.collect()
}

fn overrides(event: &ICalendarComponent) -> Result<Option<DateTime>, String> {
    let Some(entry) = event.property(&ICalendarProperty::RecurrenceId) else { return Ok(None) };
    if entry.params.iter().any(|parameter| parameter.name == ICalendarParameterName::Range) {
        return Err(
            "a change of all later times (RANGE=THISANDFUTURE) cannot be carried".to_owned()
        );
    }
    first_time(event, &ICalendarProperty::RecurrenceId)
        .map(Some)
        .ok_or_else(|| "its RECURRENCE-ID cannot be read".to_owned())
}

fn civil(text: &str) -> Result<DateTime, String> {
    text.parse().map_err(|_| format!("`{text}` is beyond the years that can be counted"))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
