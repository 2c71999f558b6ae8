//! Calendars: named sets of days and named fiscal years, versioned and approved like jobs.
//!
//! | module | is about |
//! |---|---|
//! | [`definition`] | a calendar as people write it |
//! | [`days`] | a set of days as people write it |
//! | [`fiscal`] | fiscal years, quarters and periods |
//! | `easter` | the date of Easter |
//! | [`almanac`] | calendars that refer to each other, read together; the days of a year |
//! | `words` | a set of days in words |
//! | [`history`] | which version of each calendar held when |

pub mod almanac;
pub mod days;
pub mod definition;
mod easter;
pub mod fiscal;
pub mod history;
mod words;

pub use almanac::{Almanac, AlmanacError, YearDays};
pub use days::{Church, DaySet, Days, Easter, Except, NthDay, Period, Range, Weekday, Yearly};
pub use definition::CalendarDefinition;
pub use fiscal::{Fiscal, FiscalMonths, FiscalWeeks, WeekPattern, YearEnd};
pub use history::{CalendarRef, CalendarSpan, Calendars};

/// The calendar that is always there: Monday to Friday.
pub const WEEKDAYS: &str = "weekdays";
