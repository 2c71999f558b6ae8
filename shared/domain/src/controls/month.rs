//! Months of the calendar, as people ask for controls.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::Period;

/// A month: `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(Date);

impl Month {
    /// The month of an instant in a zone.
    #[must_use]
    pub fn of(at: Timestamp, zone: &TimeZone) -> Self {
        Self(at.to_zoned(zone.clone()).date().first_of_month())
    }

    /// The month before it; the same where time begins.
    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0.checked_sub(1.month()).unwrap_or(self.0))
    }

    /// Its first day and its last.
    #[must_use]
    pub fn days(self) -> (Date, Date) {
        (self.0, self.0.last_of_month())
    }

    /// From its first midnight in a zone until that of the next month; `None` where time ends.
    #[must_use]
    pub fn period(self, zone: &TimeZone) -> Option<Period> {
        let first = |date: Date| zone.to_timestamp(date.to_datetime(Time::midnight())).ok();
        Some(Period { from: first(self.0)?, until: first(self.0.checked_add(1.month()).ok()?)? })
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m"))
    }
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let none = || format!("{text:?} is no month: write one as 2026-11");
        let (_, month) = text.split_once('-').ok_or_else(none)?;
        let whole = text.len() == 7 && month.len() == 2;
        let date = format!("{text}-01").parse().ok().filter(|_| whole);
        date.map(Self).ok_or_else(none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_begins_and_ends_at_midnight_where_people_live() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let late = at("2026-10-31T23:30:00Z");
        let month = Month::of(late, &zone);
        assert_eq!(
            (month.to_string(), month.before().to_string()),
            ("2026-11".into(), "2026-10".into())
        );
        let october = month.before().period(&zone).unwrap();
        // The summer ends in it.
        assert_eq!(october.from, at("2026-09-30T22:00:00Z"));
        assert_eq!(october.until, at("2026-10-31T23:00:00Z"));
        assert!(!october.holds(late) && month.period(&zone).unwrap().holds(late));
        let (first, last) = month.days();
        assert_eq!(
            (first.to_string(), last.to_string()),
            ("2026-11-01".into(), "2026-11-30".into())
        );
        assert_eq!(Month::of(late, &TimeZone::UTC).to_string(), "2026-10");
    }

    #[test]
    fn a_month_is_written_as_year_and_month() {
        for text in ["2026-11", "1999-01"] {
            assert_eq!(text.parse::<Month>().unwrap().to_string(), text);
        }
        for text in
            ["", "2026", "2026-13", "2026-1", "2026-11-01", "26-11", "x-11", "+026-11", "9999-99"]
        {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }
}
