//! A set of days as it stands in a file.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of days: the name of a calendar, or a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Days {
    /// The days of the calendar with this name.
    Calendar(String),
    /// The days of a rule.
    Set(DaySet),
}

impl Days {
    /// The calendar with this name.
    pub fn named(name: &str) -> Self {
        Self::Calendar(name.to_owned())
    }
}

impl Serialize for Days {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Calendar(name) => name.serialize(serializer),
            Self::Set(set) => set.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DaysVisitor)
    }
}

struct DaysVisitor;

impl<'de> Visitor<'de> for DaysVisitor {
    type Value = Days;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a calendar, or a rule such as {weekdays: [saturday, sunday]}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Days, E> {
        Ok(Days::named(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Days, A::Error> {
        DaySet::deserialize(de::value::MapAccessDeserializer::new(map)).map(Days::Set)
    }
}

impl JsonSchema for Days {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Days".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let set = generator.subschema_for::<DaySet>();
        schemars::json_schema!({ "anyOf": [{ "type": "string" }, set] })
    }
}

/// A rule that names days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DaySet {
    /// These days, each with what it is: `{2026-12-25: Christmas Day}`.
    Dates(#[schemars(with = "BTreeMap<String, String>")] BTreeMap<Date, String>),
    /// All days from one to another, both included.
    Between(Range),
    /// A day of each year.
    Yearly(Yearly),
    /// A day counted from Easter Sunday.
    Easter(Easter),
    /// Days of the week.
    Weekdays(Vec<Weekday>),
    /// Days of each month: 1 is the first, -1 the last.
    MonthDays(Vec<i8>),
    /// Days that are in any of these.
    AnyOf(Vec<Days>),
    /// Days that are in all of these.
    AllOf(Vec<Days>),
    /// Days that are in one and not in others.
    Except(Except),
    /// The nth working day of each month, quarter, year or fiscal period.
    WorkingDay(NthDay),
    /// The nth day of each month, quarter, year or fiscal period, working day or not.
    PeriodDay(NthDay),
}

/// All days from one to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Range {
    /// The first day.
    #[schemars(with = "String")]
    pub from: Date,
    /// The last day.
    #[schemars(with = "String")]
    pub until: Date,
    /// What they are.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// A day of each year: `{month: 12, day: 25}`, or `{month: 11, weekday: thursday, nth: 4}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Yearly {
    /// The month, 1 to 12.
    pub month: i8,
    /// The day of the month. 29 February is left out of years that have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<i8>,
    /// Instead of `day`: this weekday.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekday: Option<Weekday>,
    /// Which of the month's weekdays: 1 is the first, -1 the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<i8>,
    /// By how many days it moves where it falls on a weekday, such as `{saturday: -1, sunday: 1}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub observed: BTreeMap<Weekday, i8>,
    /// The first year; every year where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i16>,
    /// The last year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i16>,
    /// What it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// A day counted from Easter Sunday: -2 is Good Friday, 1 Easter Monday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Easter {
    /// Days after Easter Sunday.
    pub days: i16,
    /// Whose Easter.
    #[serde(default, skip_serializing_if = "is_western")]
    pub church: Church,
    /// What it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// Which churches' Easter is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Church {
    /// By the Gregorian calendar.
    #[default]
    Western,
    /// By the Julian calendar, as a Gregorian date.
    Orthodox,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_western(church: &Church) -> bool {
    *church == Church::Western
}

/// Days that are in one set and not in others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Except {
    /// The days to begin with; every day where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Box<Days>>,
    /// The days to leave out.
    pub but: Vec<Days>,
}

/// The nth day of each period: `{nth: [1, -1], of: month}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NthDay {
    /// Which: 1 is the first, -1 the last, -2 the one before it.
    pub nth: Vec<i16>,
    /// Of what.
    pub of: Period,
    /// Which days are working days; the calendar `weekdays` where absent. Not for `period-day`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Box<Days>>,
    /// The calendar with the fiscal year, where the period is a fiscal one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fiscal: Option<String>,
}

/// A stretch of days that repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Period {
    /// A calendar month.
    Month,
    /// January to March, and so on.
    Quarter,
    /// A calendar year.
    Year,
    /// A period of a fiscal year.
    FiscalPeriod,
    /// A quarter of a fiscal year.
    FiscalQuarter,
    /// A fiscal year.
    FiscalYear,
}

impl Period {
    /// Whether a fiscal calendar says where it begins and ends.
    pub fn is_fiscal(self) -> bool {
        matches!(self, Self::FiscalPeriod | Self::FiscalQuarter | Self::FiscalYear)
    }
}

/// A day of the week.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Weekday {
    /// Monday.
    #[serde(alias = "mon")]
    Monday,
    /// Tuesday.
    #[serde(alias = "tue")]
    Tuesday,
    /// Wednesday.
    #[serde(alias = "wed")]
    Wednesday,
    /// Thursday.
    #[serde(alias = "thu")]
    Thursday,
    /// Friday.
    #[serde(alias = "fri")]
    Friday,
    /// Saturday.
    #[serde(alias = "sat")]
    Saturday,
    /// Sunday.
    #[serde(alias = "sun")]
    Sunday,
}

impl Weekday {
    /// As `jiff` has it.
    pub fn to_jiff(self) -> jiff::civil::Weekday {
        use jiff::civil::Weekday as W;
        match self {
            Self::Monday => W::Monday,
            Self::Tuesday => W::Tuesday,
            Self::Wednesday => W::Wednesday,
            Self::Thursday => W::Thursday,
            Self::Friday => W::Friday,
            Self::Saturday => W::Saturday,
            Self::Sunday => W::Sunday,
        }
    }

    /// From `jiff`.
    pub fn of(date: Date) -> Self {
        use jiff::civil::Weekday as W;
        match date.weekday() {
            W::Monday => Self::Monday,
            W::Tuesday => Self::Tuesday,
            W::Wednesday => Self::Wednesday,
            W::Thursday => Self::Thursday,
            W::Friday => Self::Friday,
            W::Saturday => Self::Saturday,
            W::Sunday => Self::Sunday,
        }
    }
}

/// Most names a definition refers to, and most rules in one another.
const NESTED_MAX: usize = 16;
/// For how many a rule counts that counts days: each may ask the one in it for three years.
const COUNTING_DEPTH: usize = 4;
/// How far from Easter Sunday a day may be.
const EASTER_DAYS_MAX: u16 = 366;

impl Days {
    /// Adds the names of the calendars it refers to directly.
    pub fn collect_names(&self, into: &mut std::collections::BTreeSet<String>) {
        match self {
            Self::Calendar(name) => {
                into.insert(name.clone());
            }
            Self::Set(set) => set.collect_names(into),
        }
    }

    /// Everything that is wrong with it, in sentences.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.check(0, &mut found);
        found
    }

    fn check(&self, depth: usize, found: &mut Vec<String>) {
        match self {
            Self::Calendar(name) if !crate::ids::is_name(name) => {
                found.push(format!("{name:?} is not the name of a calendar"));
            }
            Self::Calendar(_) => {}
            Self::Set(_) if depth > NESTED_MAX => {
                found.push(format!("rules stand in one another more than {NESTED_MAX} deep"));
            }
            Self::Set(set) => set.check(depth, found),
        }
    }
}

impl DaySet {
    fn collect_names(&self, into: &mut std::collections::BTreeSet<String>) {
        match self {
            Self::AnyOf(list) | Self::AllOf(list) => {
                list.iter().for_each(|days| days.collect_names(into));
            }
            Self::Except(except) => {
                except.days.iter().for_each(|days| days.collect_names(into));
                except.but.iter().for_each(|days| days.collect_names(into));
            }
            Self::WorkingDay(nth) | Self::PeriodDay(nth) => {
                nth.by.iter().for_each(|days| days.collect_names(into));
                into.extend(nth.fiscal.clone());
            }
            Self::Dates(_)
            | Self::Between(_)
            | Self::Yearly(_)
            | Self::Easter(_)
            | Self::Weekdays(_)
            | Self::MonthDays(_) => {}
        }
    }

    fn check(&self, depth: usize, found: &mut Vec<String>) {
        match self {
            Self::Dates(_) => {}
            Self::Easter(easter) if easter.days.unsigned_abs() > EASTER_DAYS_MAX => {
                found.push(format!(
                    "easter: {} days are too far; at most {EASTER_DAYS_MAX}",
                    easter.days
                ));
            }
            Self::Easter(_) => {}
            Self::Between(range) if range.until < range.from => {
                found.push(format!("between: {} comes after {}", range.from, range.until));
            }
            Self::Between(_) => {}
            Self::Yearly(yearly) => yearly.check(found),
            Self::Weekdays(days) if days.is_empty() => found.push("weekdays: name one".to_owned()),
            Self::Weekdays(_) => {}
            Self::MonthDays(days) => {
                for day in days.iter().filter(|day| **day == 0 || day.unsigned_abs() > 31) {
                    found.push(format!("month-days: {day} is not 1 to 31 or -1 to -31"));
                }
            }
            Self::AnyOf(list) | Self::AllOf(list) => {
                if list.is_empty() {
                    found.push("any-of and all-of name at least one set of days".to_owned());
                }
                list.iter().for_each(|days| days.check(depth + 1, found));
            }
            Self::Except(except) => {
                except.days.iter().for_each(|days| days.check(depth + 1, found));
                except.but.iter().for_each(|days| days.check(depth + 1, found));
            }
            Self::WorkingDay(nth) => nth.check(depth, found),
            Self::PeriodDay(nth) => {
                if nth.by.is_some() {
                    found.push("period-day counts all days; `by` is for working-day".to_owned());
                }
                nth.check(depth, found);
            }
        }
    }
}

impl Yearly {
    fn check(&self, found: &mut Vec<String>) {
        if !(1..=12).contains(&self.month) {
            found.push(format!("yearly: month {} is not 1 to 12", self.month));
        }
        match (self.day, self.weekday, self.nth) {
            (Some(day), None, None) if (1..=longest(self.month)).contains(&day) => {}
            (Some(day), None, None) => {
                found.push(format!("yearly: month {} has no day {day}", self.month));
            }
            (None, Some(_), Some(nth)) if nth != 0 && nth.unsigned_abs() <= 5 => {}
            (None, Some(_), Some(nth)) => {
                found.push(format!("yearly: nth {nth} is not 1 to 5 or -1 to -5"));
            }
            (_, _, _) => found.push("yearly: give either day, or weekday and nth".to_owned()),
        }
        for (day, by) in self.observed.iter().filter(|(_, by)| by.unsigned_abs() > 6) {
            found.push(format!("yearly: observed moves {day:?} by {by}; at most 6 days"));
        }
    }
}

fn longest(month: i8) -> i8 {
    match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl NthDay {
    fn check(&self, depth: usize, found: &mut Vec<String>) {
        if self.nth.is_empty() || self.nth.iter().any(|n| *n == 0 || n.unsigned_abs() > 366) {
            found.push("nth: 1 is the first day, -1 the last; name at least one".to_owned());
        }
        if self.of.is_fiscal() != self.fiscal.is_some() {
            let text = "a fiscal period needs `fiscal`, the name of a calendar with a fiscal year; others have none";
            found.push(text.to_owned());
        }
        self.by.iter().for_each(|days| days.check(depth + COUNTING_DEPTH, found));
    }
}
