//! The date of Easter Sunday, by the rules known as those of Meeus, Jones and Butcher.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::days::Church;

/// Easter Sunday of a year as a Gregorian date; `None` outside the years the rules are for (from 1583 on).
pub(super) fn sunday(year: i16, church: Church) -> Option<Date> {
    if year < 1583 {
        return None;
    }
    match church {
        Church::Western => western(i32::from(year)),
        Church::Orthodox => orthodox(i32::from(year)),
    }
}

fn western(year: i32) -> Option<Date> {
    let golden = year % 19;
    let (century, in_century) = (year / 100, year % 100);
    let correction = (century + 8) / 25;
    let epact =
        (19 * golden + century - century / 4 - (century - correction + 1) / 3 + 15).rem_euclid(30);
    let weekday = (32 + 2 * (century % 4) + 2 * (in_century / 4) - epact - in_century % 4) % 7;
    let late = (golden + 11 * epact + 22 * weekday) / 451;
    date(year, epact + weekday - 7 * late + 114)
}

/// The Julian date, and the days by which the Gregorian calendar is ahead of it.
fn orthodox(year: i32) -> Option<Date> {
    let moon = (19 * (year % 19) + 15) % 30;
    let weekday = (2 * (year % 4) + 4 * (year % 7) - moon + 34) % 7;
    let julian = date(year, moon + weekday + 114)?;
    let ahead = year / 100 - year / 400 - 2;
    julian.checked_add(ahead.days()).ok()
}

/// Month and day from their common number: 31 a month, counted from January.
fn date(year: i32, number: i32) -> Option<Date> {
    let (month, day) = (number / 31, number % 31 + 1);
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easter_falls_on_the_published_sundays() {
        let table = [
            (2008, "2008-03-23", "2008-04-27"),
            (2016, "2016-03-27", "2016-05-01"),
            (2021, "2021-04-04", "2021-05-02"),
            (2024, "2024-03-31", "2024-05-05"),
            (2025, "2025-04-20", "2025-04-20"),
            (2026, "2026-04-05", "2026-04-12"),
            (2027, "2027-03-28", "2027-05-02"),
            (2030, "2030-04-21", "2030-04-28"),
            (2038, "2038-04-25", "2038-04-25"),
            (2049, "2049-04-18", "2049-04-25"),
        ];
        for (year, west, east) in table {
            assert_eq!(sunday(year, Church::Western).unwrap().to_string(), west);
            assert_eq!(sunday(year, Church::Orthodox).unwrap().to_string(), east);
        }
        for year in 1583..9999 {
            for church in [Church::Western, Church::Orthodox] {
                let day = sunday(year, church).unwrap();
                assert_eq!(day.weekday(), jiff::civil::Weekday::Sunday, "{day} {church:?}");
            }
        }
    }
}
