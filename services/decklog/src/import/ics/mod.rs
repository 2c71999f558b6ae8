//! iCalendar files (RFC 5545): the days their events cover, as a calendar.
//!
//! | module | is about |
//! |---|---|
//! | `event` | one event, and when it takes place |
//! | `parts` | a calendar that is too long for one document |

mod event;
mod parts;

use std::collections::{BTreeMap, BTreeSet};

use domain::calendar::WEEKDAYS;
use domain::ids::is_name;
use jiff::civil::{Date, DateTime, date};

use super::{Imported, Text};
use event::Event;

/// Most years at once.
const YEARS_MAX: i16 = 50;

/// Makes a calendar of the days that events cover from the year `from` to the year `to`, both included.
pub(crate) fn import(files: &[Text], name: &str, from: i16, to: i16) -> Result<Imported, String> {
    if !is_name(name) || name == WEEKDAYS {
        return Err(format!(
            "--name {name:?}: a calendar's name is 1 to 63 of a-z, 0-9, '.', '_' and '-', and not `{WEEKDAYS}`"
        ));
    }
    if from > to || to - from >= YEARS_MAX || !(1..=9998).contains(&from) {
        return Err(format!(
            "--from {from} --to {to}: give a first and a last year, at most {YEARS_MAX} of them"
        ));
    }
    let mut imported = Imported::default();
    for text in files {
        let days = days(text, (date(from, 1, 1), date(to, 12, 31)), &mut imported);
        if days.is_empty() {
            let file = &text.file;
            imported.leave_out(
                &text.at(1),
                "the file",
                format!("no event of {file} covers a day of the years {from} to {to}"),
            );
        } else {
            parts::add(&text.at(1), name, (from, to), days, &mut imported);
        }
    }
    Ok(imported)
}

/// The days in a range, each with what it is called.
fn days(text: &Text, range: (Date, Date), imported: &mut Imported) -> BTreeMap<Date, String> {
    let mut events = Vec::new();
    for (line, block) in event::blocks(text, imported) {
        match Event::parse(&block) {
            Ok(event) => events.push((line, event)),
            Err(reason) => imported.leave_out(&text.at(line), "VEVENT", reason),
        }
    }
    // What another event stands for is not taken from the one that repeats.
    let overridden: BTreeSet<(String, DateTime)> = events
        .iter()
        .filter_map(|(_, event)| Some((event.uid.clone(), event.overrides?)))
        .collect();
    let mut days = BTreeMap::new();
    for (line, event) in &events {
        let at = text.at(*line);
        if event.cancelled {
            imported.note(&at, format!("{} was cancelled and covers no day", event.summary));
            continue;
        }
        match event.times(range.1) {
            Err(reason) => imported.leave_out(&at, &event.summary, reason),
            Ok(times) => {
                let replaced = |start: &DateTime| {
                    event.overrides.is_none() && overridden.contains(&(event.uid.clone(), *start))
                };
                for time in times.iter().filter(|time| !replaced(&time.start)) {
                    time.days(range).for_each(|day| name_day(&mut days, day, &event.summary));
                }
            }
        }
    }
    days
}

/// Two events of one day are both named.
fn name_day(days: &mut BTreeMap<Date, String>, day: Date, name: &str) {
    let known = days.entry(day).or_default();
    if known.is_empty() {
        name.clone_into(known);
    } else if !known.split("; ").any(|one| one == name) {
        known.push_str("; ");
        known.push_str(name);
    }
}

#[cfg(test)]
mod tests;
