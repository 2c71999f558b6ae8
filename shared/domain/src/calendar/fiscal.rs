//! Fiscal years: how they are cut into quarters and periods.

use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::days::{Period, Weekday};

/// How the fiscal year runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fiscal {
    /// Periods of whole weeks: 52 or 53 weeks a year.
    Weeks(FiscalWeeks),
    /// Periods are calendar months.
    Months(FiscalMonths),
}

/// A year of 52 or 53 weeks. The 53rd belongs to its last period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FiscalWeeks {
    /// Weeks of the three periods of each quarter.
    pub pattern: WeekPattern,
    /// When the year ends. Fiscal year N is the one that ends in or nearest to this month of year N.
    pub year_ends: YearEnd,
}

/// Weeks of the three periods of a quarter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WeekPattern {
    /// Four, four, five.
    #[serde(rename = "4-4-5")]
    FourFourFive,
    /// Four, five, four.
    #[serde(rename = "4-5-4")]
    FourFiveFour,
    /// Five, four, four.
    #[serde(rename = "5-4-4")]
    FiveFourFour,
}

impl WeekPattern {
    fn weeks(self) -> [i64; 3] {
        match self {
            Self::FourFourFive => [4, 4, 5],
            Self::FourFiveFour => [4, 5, 4],
            Self::FiveFourFour => [5, 4, 4],
        }
    }
}

/// The last day of a year of weeks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct YearEnd {
    /// The weekday on which every fiscal year ends.
    pub weekday: Weekday,
    /// The month, 1 to 12.
    pub month: i8,
    /// Which of these weekdays.
    pub which: WhichEnd,
}

/// Which weekday ends a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WhichEnd {
    /// The last one in the month.
    Last,
    /// The one nearest to the month's last day.
    Nearest,
}

/// A year of calendar months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FiscalMonths {
    /// The month it begins with, 1 to 12. Fiscal year N is the one that ends in year N.
    pub begins: i8,
}

/// A stretch of days, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
}

impl Fiscal {
    /// Everything that is wrong with it, in sentences.
    pub fn problems(&self) -> Vec<String> {
        let month = match self {
            Self::Weeks(weeks) => weeks.year_ends.month,
            Self::Months(months) => months.begins,
        };
        let wrong = !(1..=12).contains(&month);
        if wrong { vec![format!("fiscal: month {month} is not 1 to 12")] } else { Vec::new() }
    }

    /// The last day of fiscal year `year`.
    fn ends(&self, year: i16) -> Option<Date> {
        match self {
            Self::Weeks(weeks) => weeks.year_ends.day(year),
            Self::Months(months) => {
                let last = if months.begins == 1 { 12 } else { months.begins - 1 };
                Some(Date::new(year, last, 1).ok()?.last_of_month())
            }
        }
    }

    /// The periods of fiscal year `year`, in order: twelve.
    pub fn periods(&self, year: i16) -> Option<Vec<Stretch>> {
        let first = self.ends(year.checked_sub(1)?)?.tomorrow().ok()?;
        let end = self.ends(year)?;
        let mut periods = Vec::with_capacity(12);
        let mut begin = first;
        for number in 0..12_usize {
            let last = if number == 11 { end } else { self.period_end(begin, number)? };
            periods.push(Stretch { first: begin, last });
            begin = last.tomorrow().ok()?;
        }
        Some(periods)
    }

    fn period_end(&self, begin: Date, number: usize) -> Option<Date> {
        match self {
            Self::Weeks(weeks) => {
                let days = weeks.pattern.weeks().get(number % 3)? * 7 - 1;
                begin.checked_add(days.days()).ok()
            }
            Self::Months(_) => Some(begin.last_of_month()),
        }
    }

    /// The stretches of kind `of` that have a day in calendar year `year`.
    pub(super) fn stretches(&self, of: Period, year: i16) -> Vec<Stretch> {
        let years = [year - 1, year, year + 1];
        let found =
            years.into_iter().filter_map(|year| self.periods(year)).flat_map(|periods| match of {
                Period::FiscalYear => periods.chunks(12).filter_map(whole).collect(),
                Period::FiscalQuarter => periods.chunks(3).filter_map(whole).collect(),
                Period::FiscalPeriod | Period::Month | Period::Quarter | Period::Year => periods,
            });
        let (first, last) = (date(year, 1, 1), date(year, 12, 31));
        found.filter(|s| s.first <= last && s.last >= first).collect()
    }
}

fn whole(parts: &[Stretch]) -> Option<Stretch> {
    Some(Stretch { first: parts.first()?.first, last: parts.last()?.last })
}

impl YearEnd {
    fn day(self, year: i16) -> Option<Date> {
        let last = Date::new(year, self.month, 1).ok()?.last_of_month();
        let back = i64::from(last.weekday().since(self.weekday.to_jiff()));
        // Three days back at most, or else the next one is nearer.
        let days = if self.which == WhichEnd::Nearest && back > 3 { 7 - back } else { -back };
        last.checked_add(days.days()).ok()
    }
}

/// The calendar stretches of kind `of` in year `year`.
pub(super) fn plain_stretches(of: Period, year: i16) -> Vec<Stretch> {
    let months = match of {
        Period::Month => 1,
        Period::Quarter => 3,
        Period::Year => 12,
        Period::FiscalPeriod | Period::FiscalQuarter | Period::FiscalYear => return Vec::new(),
    };
    let stretch = |month: i8| {
        let last = Date::new(year, month + months - 1, 1).ok()?.last_of_month();
        Some(Stretch { first: Date::new(year, month, 1).ok()?, last })
    };
    (1..=12).step_by(usize::from(months.unsigned_abs())).filter_map(stretch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weeks(pattern: WeekPattern, weekday: Weekday, month: i8, which: WhichEnd) -> Fiscal {
        Fiscal::Weeks(FiscalWeeks { pattern, year_ends: YearEnd { weekday, month, which } })
    }

    #[test]
    fn a_retail_year_ends_on_the_saturday_nearest_to_the_end_of_january() {
        // Published calendars of the 4-5-4 retail year: the 53rd week of 2012 and of 2017 (by the year they begin).
        let fiscal = weeks(WeekPattern::FourFiveFour, Weekday::Saturday, 1, WhichEnd::Nearest);
        let ends = [
            (2012, "2012-01-28"),
            (2013, "2013-02-02"),
            (2014, "2014-02-01"),
            (2018, "2018-02-03"),
            (2019, "2019-02-02"),
            (2024, "2024-02-03"),
            (2026, "2026-01-31"),
        ];
        for (year, end) in ends {
            assert_eq!(fiscal.ends(year).unwrap().to_string(), end);
        }
        let periods = fiscal.periods(2013).unwrap();
        assert_eq!(periods[0].first.to_string(), "2012-01-29");
        assert_eq!(periods[0].last.to_string(), "2012-02-25");
        assert_eq!(periods[1].last.to_string(), "2012-03-31");
        assert_eq!(periods[11].last.to_string(), "2013-02-02");
    }

    #[test]
    fn every_fiscal_year_is_whole_and_follows_the_one_before() {
        for pattern in
            [WeekPattern::FourFourFive, WeekPattern::FourFiveFour, WeekPattern::FiveFourFour]
        {
            for which in [WhichEnd::Last, WhichEnd::Nearest] {
                for month in 1..=12 {
                    whole_years(&weeks(pattern, Weekday::Friday, month, which), &[364, 371]);
                }
            }
        }
        for begins in 1..=12 {
            whole_years(&Fiscal::Months(FiscalMonths { begins }), &[365, 366]);
        }
    }

    fn whole_years(fiscal: &Fiscal, lengths: &[i32]) {
        let mut before: Option<Date> = None;
        for year in 1990..2060 {
            let periods = fiscal.periods(year).unwrap();
            for stretch in &periods {
                if let Some(before) = before {
                    assert_eq!(before.tomorrow().unwrap(), stretch.first, "{fiscal:?}");
                }
                before = Some(stretch.last);
            }
            let days = periods[0].first.until(periods[11].last).unwrap().get_days() + 1;
            assert!(lengths.contains(&days), "{fiscal:?} {year}: {days}");
        }
    }
}
