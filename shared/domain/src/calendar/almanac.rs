//! Calendars that refer to each other, as they stand at one instant, and the days they come to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::ToSpan as _;
use jiff::civil::{Date, date};

use super::WEEKDAYS;
use super::days::{DaySet, Days, Easter, Except, NthDay, Range, Weekday, Yearly};
use super::definition::CalendarDefinition;
use super::fiscal::{Stretch, plain_stretches};

/// Why calendars cannot be read together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlmanacError {
    /// There is no such calendar.
    #[error("there is no calendar {name:?}{}", .by.as_ref().map(|by| format!(" (calendar {by:?} refers to it)")).unwrap_or_default())]
    Missing {
        /// Its name.
        name: String,
        /// The calendar that refers to it; `None` for a job.
        by: Option<String>,
    },
    /// Calendars refer to each other in a circle.
    #[error("calendars refer to each other in a circle: {}", .0.join(" -> "))]
    Circle(Vec<String>),
    /// It is asked for days and has none.
    #[error("calendar {0:?} has a fiscal year and no days")]
    NoDays(String),
    /// It is asked for its fiscal year and has none.
    #[error("calendar {0:?} has no fiscal year")]
    NoFiscal(String),
}

/// The days of one year that are in a set, and what some of them are called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct YearDays {
    /// A bit for each day of the year.
    bits: [u64; 6],
    /// Names by the number of the day in its year, from 1.
    names: BTreeMap<i16, String>,
}

impl YearDays {
    fn every_day() -> Self {
        Self { bits: [u64::MAX; 6], names: BTreeMap::new() }
    }

    /// Whether the day is in the set. It is of the year the set is for.
    pub fn contains(&self, day: Date) -> bool {
        let (word, bit) = place(day.day_of_year());
        self.bits.get(word).is_some_and(|bits| bits >> bit & 1 == 1)
    }

    /// What the day is called, where the calendar says.
    pub fn name(&self, day: Date) -> Option<&str> {
        self.names.get(&day.day_of_year()).map(String::as_str)
    }

    fn insert(&mut self, day: Date, name: &str) {
        let (word, bit) = place(day.day_of_year());
        if let Some(bits) = self.bits.get_mut(word) {
            *bits |= 1 << bit;
        }
        if !name.is_empty() {
            self.names.entry(day.day_of_year()).or_insert_with(|| name.to_owned());
        }
    }

    fn unite(&mut self, other: &Self) {
        self.bits.iter_mut().zip(other.bits).for_each(|(bits, more)| *bits |= more);
        for (day, name) in &other.names {
            self.names.entry(*day).or_insert_with(|| name.clone());
        }
    }

    fn intersect(&mut self, other: &Self) {
        self.bits.iter_mut().zip(other.bits).for_each(|(bits, more)| *bits &= more);
        for (day, name) in &other.names {
            self.names.entry(*day).or_insert_with(|| name.clone());
        }
        self.drop_names();
    }

    fn subtract(&mut self, other: &Self) {
        self.bits.iter_mut().zip(other.bits).for_each(|(bits, less)| *bits &= !less);
        self.drop_names();
    }

    /// Names of days that are not in the set.
    fn drop_names(&mut self) {
        let bits = self.bits;
        self.names.retain(|day, _| {
            let (word, bit) = place(*day);
            bits.get(word).is_some_and(|bits| bits >> bit & 1 == 1)
        });
    }
}

fn place(day_of_year: i16) -> (usize, u32) {
    let index = u32::from(day_of_year.unsigned_abs().saturating_sub(1));
    ((index / 64) as usize, index % 64)
}

/// Calendars as they stand at one instant: all that a question needs, and none in a circle.
#[derive(Debug, Default)]
pub struct Almanac {
    calendars: BTreeMap<String, Arc<CalendarDefinition>>,
    years: Mutex<BTreeMap<(String, i16), Arc<YearDays>>>,
}

impl Almanac {
    /// Gathers the calendars with these names and all they refer to.
    ///
    /// # Errors
    /// See [`AlmanacError`].
    pub fn gather(
        names: impl IntoIterator<Item = String>,
        find: impl Fn(&str) -> Option<Arc<CalendarDefinition>>,
    ) -> Result<Self, AlmanacError> {
        let mut almanac = Self::default();
        for name in names {
            almanac.take(&name, &mut Vec::new(), &find)?;
        }
        almanac.check_uses()?;
        Ok(almanac)
    }

    fn take(
        &mut self,
        name: &str,
        path: &mut Vec<String>,
        find: &impl Fn(&str) -> Option<Arc<CalendarDefinition>>,
    ) -> Result<(), AlmanacError> {
        if let Some(begin) = path.iter().position(|on| on == name) {
            let circle = path.iter().skip(begin).cloned().chain([name.to_owned()]);
            return Err(AlmanacError::Circle(circle.collect()));
        }
        if name == WEEKDAYS || self.calendars.contains_key(name) {
            return Ok(());
        }
        let missing = || AlmanacError::Missing { name: name.to_owned(), by: path.last().cloned() };
        let definition = find(name).ok_or_else(missing)?;
        path.push(name.to_owned());
        for next in definition.names() {
            self.take(&next, path, find)?;
        }
        path.pop();
        self.calendars.insert(name.to_owned(), definition);
        Ok(())
    }

    /// A calendar named for its days has days, one named for its fiscal year has one.
    fn check_uses(&self) -> Result<(), AlmanacError> {
        self.calendars.values().filter_map(|c| c.days.as_ref()).try_for_each(|d| self.check(d))
    }

    /// Whether the calendars that `days` names are here and have what is asked of them.
    ///
    /// # Errors
    /// See [`AlmanacError`].
    pub fn check(&self, days: &Days) -> Result<(), AlmanacError> {
        match days {
            Days::Calendar(name) if name == WEEKDAYS => Ok(()),
            Days::Calendar(name) => match self.calendars.get(name) {
                None => Err(AlmanacError::Missing { name: name.clone(), by: None }),
                Some(calendar) if calendar.days.is_none() => {
                    Err(AlmanacError::NoDays(name.clone()))
                }
                Some(_) => Ok(()),
            },
            Days::Set(DaySet::AnyOf(list) | DaySet::AllOf(list)) => {
                list.iter().try_for_each(|days| self.check(days))
            }
            Days::Set(DaySet::Except(except)) => {
                except.days.iter().try_for_each(|days| self.check(days))?;
                except.but.iter().try_for_each(|days| self.check(days))
            }
            Days::Set(DaySet::WorkingDay(nth) | DaySet::PeriodDay(nth)) => {
                nth.by.iter().try_for_each(|days| self.check(days))?;
                nth.fiscal.iter().try_for_each(|name| match self.calendars.get(name) {
                    None => Err(AlmanacError::Missing { name: name.clone(), by: None }),
                    Some(calendar) if calendar.fiscal.is_none() => {
                        Err(AlmanacError::NoFiscal(name.clone()))
                    }
                    Some(_) => Ok(()),
                })
            }
            Days::Set(
                DaySet::Dates(_)
                | DaySet::Between(_)
                | DaySet::Yearly(_)
                | DaySet::Easter(_)
                | DaySet::Weekdays(_)
                | DaySet::MonthDays(_),
            ) => Ok(()),
        }
    }

    /// Names of the calendars it holds.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.calendars.keys().map(String::as_str)
    }

    /// The calendar with this name.
    pub fn get(&self, name: &str) -> Option<&CalendarDefinition> {
        self.calendars.get(name).map(Arc::as_ref)
    }

    /// Whether a day is in a set.
    pub fn contains(&self, days: &Days, day: Date) -> bool {
        self.year(days, day.year()).contains(day)
    }

    /// The days of a set in one year. A calendar that is not here has none.
    pub fn year(&self, days: &Days, year: i16) -> Arc<YearDays> {
        match days {
            Days::Calendar(name) => self.calendar_year(name, year),
            Days::Set(set) => Arc::new(self.set_year(set, year)),
        }
    }

    fn calendar_year(&self, name: &str, year: i16) -> Arc<YearDays> {
        let key = (name.to_owned(), year);
        let known = |almanac: &Self| {
            let years = almanac.years.lock().unwrap_or_else(PoisonError::into_inner);
            years.get(&key).cloned()
        };
        if let Some(found) = known(self) {
            return found;
        }
        let computed = match self.get(name).and_then(|calendar| calendar.days.as_ref()) {
            Some(days) => self.year(days, year),
            None if name == WEEKDAYS => Arc::new(weekdays(&WORKING_WEEK, year)),
            None => Arc::default(),
        };
        let mut years = self.years.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(years.entry(key).or_insert(computed))
    }

    fn set_year(&self, set: &DaySet, year: i16) -> YearDays {
        match set {
            DaySet::Dates(dates) => {
                let of_year = dates.range(date(year, 1, 1)..=date(year, 12, 31));
                collect(of_year.map(|(day, name)| (*day, name.as_str())))
            }
            DaySet::Between(range) => between(range, year),
            DaySet::Yearly(yearly) => yearly_days(yearly, year),
            DaySet::Easter(easter) => easter_days(easter, year),
            DaySet::Weekdays(days) => weekdays(days, year),
            DaySet::MonthDays(days) => month_days(days, year),
            DaySet::AnyOf(list) => {
                let mut all = YearDays::default();
                list.iter().for_each(|days| all.unite(&self.year(days, year)));
                all
            }
            DaySet::AllOf(list) => {
                let mut all = YearDays::every_day();
                list.iter().for_each(|days| all.intersect(&self.year(days, year)));
                all
            }
            DaySet::Except(except) => self.except(except, year),
            DaySet::WorkingDay(nth) => {
                let by = nth.by.as_deref().cloned().unwrap_or_else(|| Days::named(WEEKDAYS));
                self.nth_days(nth, year, Some(&by))
            }
            DaySet::PeriodDay(nth) => self.nth_days(nth, year, None),
        }
    }

    fn except(&self, except: &Except, year: i16) -> YearDays {
        let mut days = match &except.days {
            Some(days) => YearDays::clone(&self.year(days, year)),
            None => YearDays::every_day(),
        };
        except.but.iter().for_each(|but| days.subtract(&self.year(but, year)));
        days
    }

    /// The nth days of those that are in `by`, or of all.
    fn nth_days(&self, nth: &NthDay, year: i16, by: Option<&Days>) -> YearDays {
        let stretches = match &nth.fiscal {
            None => plain_stretches(nth.of, year),
            Some(name) => {
                let fiscal = self.get(name).and_then(|calendar| calendar.fiscal);
                fiscal.map(|fiscal| fiscal.stretches(nth.of, year)).unwrap_or_default()
            }
        };
        let years: BTreeSet<i16> =
            stretches.iter().flat_map(|s| s.first.year()..=s.last.year()).collect();
        // Each year once: what `by` says may be long to find out.
        let by: Option<BTreeMap<i16, Arc<YearDays>>> =
            by.map(|by| years.into_iter().map(|year| (year, self.year(by, year))).collect());
        let counts = |day: &Date| {
            by.as_ref().is_none_or(|by| by.get(&day.year()).is_some_and(|days| days.contains(*day)))
        };
        let mut found = YearDays::default();
        for stretch in stretches {
            let days: Vec<Date> = each_day(stretch).filter(counts).collect();
            for wanted in &nth.nth {
                if let Some(day) = pick(&days, *wanted).filter(|day| day.year() == year) {
                    found.insert(day, "");
                }
            }
        }
        found
    }
}

const WORKING_WEEK: [Weekday; 5] =
    [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday];

fn pick(days: &[Date], nth: i16) -> Option<Date> {
    let index = usize::from(nth.unsigned_abs()).checked_sub(1)?;
    let index = if nth > 0 { index } else { days.len().checked_sub(index + 1)? };
    days.get(index).copied()
}

fn each_day(stretch: Stretch) -> impl Iterator<Item = Date> {
    let next = |day: &Date| day.tomorrow().ok();
    std::iter::successors(Some(stretch.first), next).take_while(move |day| *day <= stretch.last)
}

fn of_year(year: i16) -> Stretch {
    Stretch { first: date(year, 1, 1), last: date(year, 12, 31) }
}

fn collect<'a>(days: impl IntoIterator<Item = (Date, &'a str)>) -> YearDays {
    let mut found = YearDays::default();
    days.into_iter().for_each(|(day, name)| found.insert(day, name));
    found
}

fn between(range: &Range, year: i16) -> YearDays {
    let all = of_year(year);
    let part = Stretch { first: range.from.max(all.first), last: range.until.min(all.last) };
    collect(each_day(part).map(|day| (day, range.name.as_str())))
}

fn yearly_days(yearly: &Yearly, year: i16) -> YearDays {
    // What is moved may come from the year before or after.
    let years = [year - 1, year, year + 1].into_iter();
    let held = years.filter(|y| {
        yearly.from.is_none_or(|from| from <= *y) && yearly.until.is_none_or(|until| *y <= until)
    });
    let days = held.filter_map(|year| observed(yearly, yearly_day(yearly, year)?));
    collect(days.filter(|day| day.year() == year).map(|day| (day, yearly.name.as_str())))
}

fn yearly_day(yearly: &Yearly, year: i16) -> Option<Date> {
    match (yearly.day, yearly.weekday, yearly.nth) {
        (Some(day), _, _) => Date::new(year, yearly.month, day).ok(),
        (None, Some(weekday), Some(nth)) => {
            let month = Date::new(year, yearly.month, 1).ok()?;
            month.nth_weekday_of_month(nth, weekday.to_jiff()).ok()
        }
        (None, _, _) => None,
    }
}

fn observed(yearly: &Yearly, day: Date) -> Option<Date> {
    match yearly.observed.get(&Weekday::of(day)) {
        None => Some(day),
        Some(by) => day.checked_add(i64::from(*by).days()).ok(),
    }
}

fn easter_days(easter: &Easter, year: i16) -> YearDays {
    let days = [year - 1, year, year + 1].into_iter().filter_map(|year| {
        let sunday = super::easter::sunday(year, easter.church)?;
        sunday.checked_add(i64::from(easter.days).days()).ok()
    });
    collect(days.filter(|day| day.year() == year).map(|day| (day, easter.name.as_str())))
}

fn weekdays(days: &[Weekday], year: i16) -> YearDays {
    let wanted: BTreeSet<Weekday> = days.iter().copied().collect();
    let fits = |day: &Date| wanted.contains(&Weekday::of(*day));
    collect(each_day(of_year(year)).filter(fits).map(|day| (day, "")))
}

fn month_days(days: &[i8], year: i16) -> YearDays {
    let fits = |day: &Date| {
        let from_end = day.day() - day.last_of_month().day() - 1;
        days.contains(&day.day()) || days.contains(&from_end)
    };
    collect(each_day(of_year(year)).filter(fits).map(|day| (day, "")))
}
