//! A set of days in words, as it is shown to people.

use std::fmt;

use super::days::{Church, DaySet, Days, NthDay, Period, Weekday, Yearly};

/// Most of what a rule lists that is named.
const NAMED_MAX: usize = 6;

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calendar(name) => f.write_str(name),
            Self::Set(set) => set.fmt(f),
        }
    }
}

impl fmt::Display for DaySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dates(dates) => {
                f.write_str(&listed(dates.keys().map(ToString::to_string), "and"))
            }
            Self::Between(range) => write!(f, "{} to {}", range.from, range.until),
            Self::Yearly(yearly) => f.write_str(&in_a_year(yearly)),
            Self::Easter(easter) => {
                let church = match easter.church {
                    Church::Western => "",
                    Church::Orthodox => " (orthodox)",
                };
                write!(f, "Easter Sunday {:+} days{church}", easter.days)
            }
            Self::Weekdays(days) => {
                f.write_str(&listed(days.iter().map(|day| format!("{}s", day.word())), "and"))
            }
            Self::MonthDays(days) => {
                let days = days.iter().map(|day| nth(i16::from(*day)));
                write!(f, "the {} day of each month", listed(days, "and"))
            }
            Self::AnyOf(all) => f.write_str(&listed(all.iter().map(within), "or")),
            Self::AllOf(all) => f.write_str(&listed(all.iter().map(within), "and also")),
            Self::Except(except) => {
                let days = except.days.as_ref().map_or("every day".to_owned(), |days| within(days));
                write!(f, "{days} but {}", listed(except.but.iter().map(within), "or"))
            }
            Self::WorkingDay(day) => f.write_str(&of_period(day, "working day")),
            Self::PeriodDay(day) => f.write_str(&of_period(day, "day")),
        }
    }
}

/// As a part of another rule.
fn within(days: &Days) -> String {
    match days {
        Days::Set(DaySet::AnyOf(_) | DaySet::AllOf(_) | DaySet::Except(_)) => format!("({days})"),
        Days::Set(
            DaySet::Dates(_)
            | DaySet::Between(_)
            | DaySet::Yearly(_)
            | DaySet::Easter(_)
            | DaySet::Weekdays(_)
            | DaySet::MonthDays(_)
            | DaySet::WorkingDay(_)
            | DaySet::PeriodDay(_),
        )
        | Days::Calendar(_) => days.to_string(),
    }
}

fn listed(items: impl ExactSizeIterator<Item = String>, word: &str) -> String {
    let more = items.len().saturating_sub(NAMED_MAX);
    let mut named: Vec<String> = items.take(NAMED_MAX).collect();
    if more > 0 {
        return format!("{} and {more} more", named.join(", "));
    }
    match (named.pop(), named.is_empty()) {
        (None, _) => "none".to_owned(),
        (Some(last), true) => last,
        (Some(last), false) => format!("{} {word} {last}", named.join(", ")),
    }
}

fn nth(n: i16) -> String {
    match n {
        -1 => "last".to_owned(),
        n if n < 0 => format!("{} last", ordinal(n.unsigned_abs())),
        n => ordinal(n.unsigned_abs()),
    }
}

fn ordinal(n: u16) -> String {
    let end = match (n % 100, n % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        (_, _) => "th",
    };
    format!("{n}{end}")
}

fn of_period(day: &NthDay, what: &str) -> String {
    let which = listed(day.nth.iter().map(|n| nth(*n)), "and");
    let by = day.by.as_ref().map(|days| format!(" by {}", within(days))).unwrap_or_default();
    let of = day.fiscal.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
    format!("the {which} {what}{by} of each {}{of}", day.of.word())
}

fn in_a_year(yearly: &Yearly) -> String {
    let month = yearly.month;
    let day = match (yearly.day, yearly.weekday, yearly.nth) {
        (Some(day), _, _) => format!("day {day} of month {month}"),
        (None, Some(weekday), Some(n)) => {
            format!("the {} {} of month {month}", nth(i16::from(n)), weekday.word())
        }
        (None, _, _) => format!("month {month}"),
    };
    let years = match (yearly.from, yearly.until) {
        (None, None) => String::new(),
        (Some(from), None) => format!(" from {from} on"),
        (None, Some(until)) => format!(" until {until}"),
        (Some(from), Some(until)) => format!(" from {from} until {until}"),
    };
    let observed = if yearly.observed.is_empty() { "" } else { ", or the day it is observed" };
    format!("{day} of each year{years}{observed}")
}

impl Period {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
            Self::FiscalPeriod => "fiscal period",
            Self::FiscalQuarter => "fiscal quarter",
            Self::FiscalYear => "fiscal year",
        }
    }
}

impl Weekday {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Monday => "Monday",
            Self::Tuesday => "Tuesday",
            Self::Wednesday => "Wednesday",
            Self::Thursday => "Thursday",
            Self::Friday => "Friday",
            Self::Saturday => "Saturday",
            Self::Sunday => "Sunday",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_set_of_days_is_told_in_words() {
        let cases: &[(Value, &str)] = &[
            (json!("bank"), "bank"),
            (json!({"weekdays": ["saturday", "sunday"]}), "Saturdays and Sundays"),
            (json!({"month-days": [1, -1, -2]}), "the 1st, last and 2nd last day of each month"),
            (
                json!({"working-day": {"nth": [-1], "of": "fiscal-period", "by": "work", "fiscal": "books"}}),
                "the last working day by work of each fiscal period of books",
            ),
            (json!({"except": {"days": "weekdays", "but": ["bank"]}}), "weekdays but bank"),
            (
                json!({"all-of": [{"except": {"but": ["bank"]}}, {"easter": {"days": -2}}]}),
                "(every day but bank) and also Easter Sunday -2 days",
            ),
            (
                json!({"yearly": {"month": 11, "weekday": "thursday", "nth": 4, "from": 1942}}),
                "the 4th Thursday of month 11 of each year from 1942 on",
            ),
            (
                json!({"yearly": {"month": 12, "day": 25, "observed": {"sunday": 1}}}),
                "day 25 of month 12 of each year, or the day it is observed",
            ),
            (
                json!({"between": {"from": "2026-12-24", "until": "2027-01-01"}}),
                "2026-12-24 to 2027-01-01",
            ),
            (json!({"dates": {"2026-12-24": "", "2026-12-31": ""}}), "2026-12-24 and 2026-12-31"),
            (
                json!({"month-days": [1, 2, 3, 11, 12, 13, 21, 22]}),
                "the 1st, 2nd, 3rd, 11th, 12th, 13th and 2 more day of each month",
            ),
        ];
        for (says, words) in cases {
            let days: Days = serde_json::from_value(says.clone()).unwrap();
            assert_eq!(days.to_string(), *words);
        }
    }
}
