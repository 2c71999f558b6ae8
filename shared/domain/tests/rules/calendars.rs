//! Calendars: which days are in a set, and on which days a schedule then runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::calendar::{Almanac, CalendarDefinition, CalendarSpan, Calendars, Days};
use domain::canonical::Digest;
use domain::time::{Occurrence, Schedule};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use serde_json::{Value, json};

use crate::given::definition;

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// A calendar with these days, or this fiscal year.
pub(crate) fn calendar(name: &str, fields: Value) -> CalendarDefinition {
    let mut all = json!({"kind": "calendar", "name": name});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let calendar: CalendarDefinition = serde_json::from_value(all).unwrap();
    assert_eq!(calendar.problems(), []);
    calendar
}

pub(crate) fn gather(calendars: &[CalendarDefinition]) -> Almanac {
    let by_name: BTreeMap<String, Arc<CalendarDefinition>> =
        calendars.iter().map(|c| (c.name.clone(), Arc::new(c.clone()))).collect();
    Almanac::gather(by_name.keys().cloned(), |name| by_name.get(name).cloned()).unwrap()
}

/// The days of a set in a year, as `MM-DD`.
fn in_year(almanac: &Almanac, days: &Value, year: i16) -> Vec<String> {
    let days: Days = serde_json::from_value(days.clone()).unwrap();
    assert_eq!(days.problems(), Vec::<String>::new());
    let mut found = Vec::new();
    let mut day = date(year, 1, 1);
    let yearly = almanac.year(&days, year);
    while day.year() == year {
        found.extend(yearly.contains(day).then(|| day.strftime("%m-%d").to_string()));
        day = day.tomorrow().unwrap();
    }
    found
}

#[track_caller]
fn are(almanac: &Almanac, days: &Value, year: i16, wanted: &str) {
    let wanted: Vec<&str> = wanted.split_whitespace().collect();
    assert_eq!(in_year(almanac, days, year), wanted, "{days} in {year}");
}

#[test]
fn a_rule_names_the_days_that_people_would_tick_off_on_paper() {
    let none = gather(&[]);
    let nth = |month: i8, weekday: &str, nth: i8| json!({"yearly": {"month": month, "weekday": weekday, "nth": nth}});
    let table: &[(Value, i16, &str)] = &[
        (json!({"dates": {"2026-12-25": "Christmas", "2025-01-01": ""}}), 2026, "12-25"),
        (json!({"dates": {"2026-12-25": "Christmas", "2025-01-01": ""}}), 2027, ""),
        (json!({"between": {"from": "2026-12-30", "until": "2027-01-02"}}), 2026, "12-30 12-31"),
        (json!({"between": {"from": "2026-12-30", "until": "2027-01-02"}}), 2027, "01-01 01-02"),
        (json!({"between": {"from": "2026-12-30", "until": "2027-01-02"}}), 2028, ""),
        (json!({"between": {"from": "2026-12-30", "until": "2026-12-30"}}), 2026, "12-30"),
        (json!({"yearly": {"month": 2, "day": 29}}), 2028, "02-29"),
        (json!({"yearly": {"month": 2, "day": 29}}), 2026, ""),
        (json!({"yearly": {"month": 5, "day": 1, "from": 2027}}), 2026, ""),
        (json!({"yearly": {"month": 5, "day": 1, "from": 2027}}), 2027, "05-01"),
        (json!({"yearly": {"month": 5, "day": 1, "until": 2027}}), 2028, ""),
        (nth(11, "thursday", 4), 2026, "11-26"),
        (nth(5, "monday", -1), 2026, "05-25"),
        (nth(5, "monday", 5), 2026, ""),
        (nth(5, "monday", 5), 2027, "05-31"),
        // The year before and after reach in: 1 January on a Saturday is kept on 31 December.
        (
            json!({"yearly": {"month": 1, "day": 1, "observed": {"saturday": -1}}}),
            2027,
            "01-01 12-31",
        ),
        (json!({"yearly": {"month": 1, "day": 1, "observed": {"saturday": -1}}}), 2028, ""),
        (json!({"yearly": {"month": 12, "day": 31, "observed": {"friday": 3}}}), 2027, ""),
        (
            json!({"yearly": {"month": 12, "day": 31, "observed": {"friday": 3}}}),
            2028,
            "01-03 12-31",
        ),
        // `from` and `until` are about the year the day is of, not the one it is kept in.
        (
            json!({"yearly": {"month": 1, "day": 1, "observed": {"saturday": -1}, "from": 2028}}),
            2027,
            "12-31",
        ),
        (json!({"easter": {"days": 0}}), 2026, "04-05"),
        (json!({"easter": {"days": -2}}), 2027, "03-26"),
        (json!({"easter": {"days": 60}}), 2026, "06-04"),
        (json!({"easter": {"days": 0, "church": "orthodox"}}), 2026, "04-12"),
        (json!({"easter": {"days": -100}}), 2023, "12-22"),
        (json!({"month-days": [1, 15]}), 2026, FIRSTS_AND_FIFTEENTHS),
        (json!({"month-days": [-1]}), 2028, LASTS_OF_2028),
        (json!({"month-days": [31]}), 2026, "01-31 03-31 05-31 07-31 08-31 10-31 12-31"),
        (json!({"month-days": [-31]}), 2026, "01-01 03-01 05-01 07-01 08-01 10-01 12-01"),
        (
            json!({"all-of": [{"weekdays": ["friday"]}, {"month-days": [13]}]}),
            2026,
            "02-13 03-13 11-13",
        ),
        (
            json!({"any-of": [{"yearly": {"month": 5, "day": 1}}, {"easter": {"days": 1}}]}),
            2026,
            "04-06 05-01",
        ),
        (
            json!({"except": {
                "days": {"month-days": [13]},
                "but": [{"weekdays": ["friday"]}, {"between": {"from": "2026-04-01", "until": "2026-12-31"}}],
            }}),
            2026,
            "01-13",
        ),
        (
            json!({"all-of": [{"except": {"but": ["weekdays"]}}, {"between": {"from": "2026-11-01", "until": "2026-11-15"}}]}),
            2026,
            "11-01 11-07 11-08 11-14 11-15",
        ),
    ];
    for (days, year, wanted) in table {
        are(&none, days, *year, wanted);
    }
}

const FIRSTS_AND_FIFTEENTHS: &str = "01-01 01-15 02-01 02-15 03-01 03-15 04-01 04-15 05-01 05-15 06-01 \
     06-15 07-01 07-15 08-01 08-15 09-01 09-15 10-01 10-15 11-01 11-15 12-01 12-15";
const LASTS_OF_2028: &str =
    "01-31 02-29 03-31 04-30 05-31 06-30 07-31 08-31 09-30 10-31 11-30 12-31";

/// As the Office of Personnel Management publishes them, with the days they are kept on.
fn us_federal() -> CalendarDefinition {
    let fixed = |month: i8, day: i8, name: &str| {
        json!({"yearly": {
            "month": month, "day": day, "name": name, "observed": {"saturday": -1, "sunday": 1}}})
    };
    let nth = |month: i8, weekday: &str, nth: i8, name: &str| json!({"yearly": {"month": month, "weekday": weekday, "nth": nth, "name": name}});
    calendar(
        "us-federal",
        json!({"days": {"any-of": [
            fixed(1, 1, "New Year's Day"),
            nth(1, "monday", 3, "Birthday of Martin Luther King, Jr."),
            nth(2, "monday", 3, "Washington's Birthday"),
            nth(5, "monday", -1, "Memorial Day"),
            fixed(6, 19, "Juneteenth"),
            fixed(7, 4, "Independence Day"),
            nth(9, "monday", 1, "Labor Day"),
            nth(10, "monday", 2, "Columbus Day"),
            fixed(11, 11, "Veterans Day"),
            nth(11, "thursday", 4, "Thanksgiving Day"),
            fixed(12, 25, "Christmas Day"),
        ]}}),
    )
}

/// Bank holidays in England and Wales, with substitute days.
fn england() -> CalendarDefinition {
    let fixed = |month: i8, day: i8, sunday: i8, name: &str| {
        json!({"yearly": {
            "month": month, "day": day, "name": name, "observed": {"saturday": 2, "sunday": sunday}}})
    };
    let nth = |month: i8, nth: i8, name: &str| json!({"yearly": {"month": month, "weekday": "monday", "nth": nth, "name": name}});
    calendar(
        "england",
        json!({"days": {"any-of": [
            fixed(1, 1, 1, "New Year's Day"),
            {"easter": {"days": -2, "name": "Good Friday"}},
            {"easter": {"days": 1, "name": "Easter Monday"}},
            nth(5, 1, "Early May bank holiday"),
            nth(5, -1, "Spring bank holiday"),
            nth(8, -1, "Summer bank holiday"),
            fixed(12, 25, 2, "Christmas Day"),
            fixed(12, 26, 2, "Boxing Day"),
        ]}}),
    )
}

/// The days on which the European payment system settles.
fn target() -> CalendarDefinition {
    calendar(
        "target-days",
        json!({"days": {"except": {"days": "weekdays", "but": [
            {"yearly": {"month": 1, "day": 1}}, {"easter": {"days": -2}}, {"easter": {"days": 1}},
            {"yearly": {"month": 5, "day": 1}}, {"yearly": {"month": 12, "day": 25}},
            {"yearly": {"month": 12, "day": 26}},
        ]}}}),
    )
}

#[test]
fn the_federal_holidays_of_the_united_states_are_those_that_are_published() {
    let almanac = gather(&[us_federal()]);
    let table = [
        (2026, "01-01 01-19 02-16 05-25 06-19 07-03 09-07 10-12 11-11 11-26 12-25"),
        (2027, "01-01 01-18 02-15 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24 12-31"),
        (2028, "01-17 02-21 05-29 06-19 07-04 09-04 10-09 11-10 11-23 12-25"),
    ];
    for (year, wanted) in table {
        are(&almanac, &json!("us-federal"), year, wanted);
    }
    let days = Days::named("us-federal");
    let name = |text: &str| {
        let (day, year) = (day(text), day(text).year());
        almanac.year(&days, year).name(day).map(str::to_owned)
    };
    assert_eq!(name("2026-07-03").as_deref(), Some("Independence Day"));
    assert_eq!(name("2027-12-31").as_deref(), Some("New Year's Day"));
    assert_eq!(name("2026-07-04"), None);
}

#[test]
fn the_bank_holidays_of_england_are_those_that_are_published_with_their_substitute_days() {
    let almanac = gather(&[england()]);
    let table = [
        (2026, "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-28"),
        (2027, "01-01 03-26 03-29 05-03 05-31 08-30 12-27 12-28"),
        (2028, "01-03 04-14 04-17 05-01 05-29 08-28 12-25 12-26"),
        // Christmas on a Sunday: Boxing Day is kept first.
        (2022, "01-03 04-15 04-18 05-02 05-30 08-29 12-26 12-27"),
    ];
    for (year, wanted) in table {
        are(&almanac, &json!("england"), year, wanted);
    }
}

#[test]
fn the_days_of_the_european_payment_system_are_all_weekdays_but_those_it_is_closed_on() {
    let almanac = gather(&[target()]);
    let closed = [
        (2026, "01-01 04-03 04-06 05-01 12-25", 256),
        (2027, "01-01 03-26 03-29", 258),
        (2028, "04-14 04-17 05-01 12-25 12-26", 255),
    ];
    for (year, wanted, open) in closed {
        let shut = json!({"except": {"days": "weekdays", "but": ["target-days"]}});
        are(&almanac, &shut, year, wanted);
        assert_eq!(in_year(&almanac, &json!("target-days"), year).len(), open, "{year}");
    }
}

/// Working days of the federal government, Apple's fiscal year, the retail year, and years of months.
fn fiscal() -> Almanac {
    let weeks = |pattern: &str, weekday: &str, month: i8, which: &str| {
        json!({"fiscal": {"weeks": {
            "pattern": pattern, "year-ends": {"weekday": weekday, "month": month, "which": which}}}})
    };
    gather(&[
        us_federal(),
        calendar(
            "us-days",
            json!({"days": {"except": {"days": "weekdays", "but": ["us-federal"]}}}),
        ),
        calendar("apple", weeks("4-4-5", "saturday", 9, "last")),
        calendar("retail", weeks("4-5-4", "saturday", 1, "nearest")),
        calendar("us-year", json!({"fiscal": {"months": {"begins": 10}}})),
        calendar("plain-year", json!({"fiscal": {"months": {"begins": 1}}})),
    ])
}

#[test]
fn working_days_are_counted_from_either_end_of_months_quarters_and_years() {
    let almanac = fiscal();
    let nth =
        |nth: &[i16], of: &str| json!({"working-day": {"nth": nth, "of": of, "by": "us-days"}});
    let table: &[(Value, i16, &str)] = &[
        (
            nth(&[1], "month"),
            2026,
            "01-02 02-02 03-02 04-01 05-01 06-01 07-01 08-03 09-01 10-01 11-02 12-01",
        ),
        (
            nth(&[-1], "month"),
            2026,
            "01-30 02-27 03-31 04-30 05-29 06-30 07-31 08-31 09-30 10-30 11-30 12-31",
        ),
        // New Year's Eve of 2027 is a holiday: 1 January 2028 is a Saturday.
        (nth(&[-1], "quarter"), 2027, "03-31 06-30 09-30 12-30"),
        (nth(&[-2], "quarter"), 2027, "03-30 06-29 09-29 12-29"),
        (nth(&[1, -1], "year"), 2027, "01-04 12-30"),
        (
            nth(&[3], "month"),
            2026,
            "01-06 02-04 03-04 04-03 05-05 06-03 07-06 08-05 09-03 10-05 11-04 12-03",
        ),
        // There are not so many.
        (nth(&[24], "month"), 2026, ""),
        (nth(&[23], "month"), 2027, "03-31"),
        (nth(&[252], "year"), 2026, ""),
        (nth(&[250, -250], "year"), 2026, "01-02 12-31"),
    ];
    for (days, year, wanted) in table {
        are(&almanac, days, *year, wanted);
    }
    // Without `by`, Monday to Friday.
    let plain = json!({"working-day": {"nth": [-1], "of": "year"}});
    are(&almanac, &plain, 2027, "12-31");
}

#[test]
fn fiscal_periods_quarters_and_years_end_where_they_are_published_to() {
    let almanac = fiscal();
    let last =
        |of: &str, fiscal: &str| json!({"period-day": {"nth": [-1], "of": of, "fiscal": fiscal}});
    let first =
        |of: &str, fiscal: &str| json!({"period-day": {"nth": [1], "of": of, "fiscal": fiscal}});
    let table: &[(Value, i16, &str)] = &[
        // Ends of quarters as reported: the year of 2023 has 53 weeks.
        (last("fiscal-quarter", "apple"), 2026, "03-28 06-27 09-26 12-26"),
        (last("fiscal-year", "apple"), 2022, "09-24"),
        (last("fiscal-year", "apple"), 2023, "09-30"),
        (last("fiscal-year", "apple"), 2024, "09-28"),
        (first("fiscal-year", "apple"), 2026, "09-27"),
        (
            last("fiscal-period", "apple"),
            2026,
            "01-24 02-21 03-28 04-25 05-23 06-27 07-25 08-22 09-26 10-24 11-21 12-26",
        ),
        // The retail year of 2023 has 53 weeks and ends on 3 February 2024.
        (last("fiscal-year", "retail"), 2024, "02-03"),
        (last("fiscal-year", "retail"), 2026, "01-31"),
        (
            first("fiscal-period", "retail"),
            2025,
            "01-05 02-02 03-02 04-06 05-04 06-01 07-06 08-03 08-31 10-05 11-02 11-30",
        ),
        (last("fiscal-year", "us-year"), 2026, "09-30"),
        (last("fiscal-quarter", "us-year"), 2026, "03-31 06-30 09-30 12-31"),
        (last("fiscal-period", "us-year"), 2028, LASTS_OF_2028),
        (last("fiscal-year", "plain-year"), 2026, "12-31"),
        (first("fiscal-quarter", "plain-year"), 2026, "01-01 04-01 07-01 10-01"),
        // Working days within them.
        (
            json!({"working-day": {"nth": [1, -1], "of": "fiscal-quarter", "by": "us-days", "fiscal": "apple"}}),
            2026,
            "03-27 03-30 06-26 06-29 09-25 09-28 12-24 12-28",
        ),
        (
            json!({"working-day": {"nth": [-1], "of": "fiscal-year", "by": "us-days", "fiscal": "us-year"}}),
            2028,
            "09-29",
        ),
    ];
    for (days, year, wanted) in table {
        are(&almanac, days, *year, wanted);
    }
}

#[test]
fn a_year_of_weeks_that_ends_around_new_year_has_every_period_once() {
    for which in ["last", "nearest"] {
        let year_ends = json!({"weekday": "saturday", "month": 12, "which": which});
        let fiscal = json!({"fiscal": {"weeks": {"pattern": "5-4-4", "year-ends": year_ends}}});
        let almanac = gather(&[calendar("f", fiscal)]);
        let ends = json!({"period-day": {"nth": [-1], "of": "fiscal-period", "fiscal": "f"}});
        let begins = json!({"period-day": {"nth": [1], "of": "fiscal-period", "fiscal": "f"}});
        let mut all = Vec::new();
        for year in 2020..2032 {
            for (word, days) in [("end", &ends), ("begin", &begins)] {
                let days = in_year(&almanac, days, year);
                all.extend(days.into_iter().map(|md| (day(&format!("{year}-{md}")), word)));
            }
        }
        all.sort();
        for pair in all.windows(2) {
            let ((before, is), (after, then)) = (pair[0], pair[1]);
            assert_ne!(is, then, "{before} {after}");
            let days = before.until(after).unwrap().get_days() + 1;
            let whole = matches!(days, 28 | 35) || is == "end" && days == 2;
            assert!(whole, "{which}: {before} to {after} is {days} days");
        }
    }
}

#[test]
fn calendars_in_a_circle_unknown_ones_and_ones_used_for_what_they_are_not_are_named() {
    let one = |name: &str, days: Value| Arc::new(calendar(name, json!({"days": days})));
    let any = |names: &[&str]| json!({"any-of": names});
    let fiscal = Arc::new(calendar("f", json!({"fiscal": {"months": {"begins": 7}}})));
    let table: Vec<(Vec<Arc<CalendarDefinition>>, &str)> = vec![
        (
            vec![one("a", any(&["b"])), one("b", any(&["c", "weekdays"])), one("c", any(&["a"]))],
            "calendars refer to each other in a circle: a -> b -> c -> a",
        ),
        (
            vec![one("a", any(&["b"])), one("b", any(&["c"])), one("c", any(&["b"]))],
            "calendars refer to each other in a circle: b -> c -> b",
        ),
        (vec![one("a", any(&["b"]))], "there is no calendar \"b\" (calendar \"a\" refers to it)"),
        (
            vec![one("a", any(&["f"])), Arc::clone(&fiscal)],
            "calendar \"f\" has a fiscal year and no days",
        ),
        (
            vec![
                one("a", json!({"period-day": {"nth": [1], "of": "fiscal-year", "fiscal": "b"}})),
                one("b", json!({"month-days": [1]})),
            ],
            "calendar \"b\" has no fiscal year",
        ),
    ];
    for (calendars, wanted) in table {
        let find = |name: &str| calendars.iter().find(|c| c.name == name).cloned();
        let error = Almanac::gather(["a".to_owned()], find).unwrap_err();
        assert_eq!(error.to_string(), wanted);
    }
    let error = Almanac::gather(["gone".to_owned()], |_| None).unwrap_err();
    assert_eq!(error.to_string(), "there is no calendar \"gone\"");
}

#[test]
fn what_cannot_be_a_set_of_days_is_refused_with_a_sentence() {
    let table = [
        (json!({"month-days": [0]}), "month-days: 0 is not 1 to 31 or -1 to -31"),
        (json!({"month-days": [-32]}), "month-days: -32 is not 1 to 31 or -1 to -31"),
        (json!({"yearly": {"month": 13, "day": 1}}), "month 13 is not 1 to 12"),
        (json!({"yearly": {"month": 4, "day": 31}}), "month 4 has no day 31"),
        (json!({"yearly": {"month": 2, "day": 30}}), "month 2 has no day 30"),
        (json!({"yearly": {"month": 4}}), "give either day, or weekday and nth"),
        (
            json!({"yearly": {"month": 4, "day": 1, "weekday": "monday", "nth": 1}}),
            "give either day, or weekday and nth",
        ),
        (json!({"yearly": {"month": 4, "weekday": "monday", "nth": 0}}), "nth 0 is not 1 to 5"),
        (json!({"yearly": {"month": 4, "weekday": "monday", "nth": 6}}), "nth 6 is not 1 to 5"),
        (json!({"yearly": {"month": 4, "day": 1, "observed": {"monday": 7}}}), "at most 6 days"),
        (json!({"weekdays": []}), "name one"),
        (json!({"any-of": []}), "at least one"),
        (json!({"between": {"from": "2026-02-02", "until": "2026-02-01"}}), "comes after"),
        (json!({"working-day": {"nth": [0], "of": "month"}}), "name at least one"),
        (json!({"working-day": {"nth": [], "of": "month"}}), "name at least one"),
        (json!({"working-day": {"nth": [1], "of": "fiscal-year"}}), "needs `fiscal`"),
        (json!({"working-day": {"nth": [1], "of": "month", "fiscal": "f"}}), "others have none"),
        (json!({"period-day": {"nth": [1], "of": "month", "by": "x"}}), "`by` is for working-day"),
        (json!({"easter": {"days": 367}}), "easter: 367 days are too far"),
        (json!("No Name"), "is not the name of a calendar"),
        (counted_within(5), "more than 16 deep"),
    ];
    for (days, wanted) in table {
        let days: Days = serde_json::from_value(days).unwrap();
        let found = days.problems().join("; ");
        assert!(found.contains(wanted), "{days:?}: {found}");
    }
}

/// Working days that are working days that are …, so many deep.
fn counted_within(depth: usize) -> Value {
    (0..depth).fold(json!({"weekdays": ["monday"]}), |by, _| {
        json!({"working-day": {"nth": [1, 2, 3, -1], "of": "fiscal-year", "fiscal": "apple", "by": by}})
    })
}

#[test]
fn days_that_are_counted_among_days_that_are_counted_are_found_in_good_time() {
    let almanac = fiscal();
    are(&almanac, &counted_within(1), 2026, "09-21 09-28 10-05 10-12");
    // It would take years if each day asked for the whole year of the rule within.
    are(&almanac, &counted_within(4), 2026, "09-21 09-28 10-05 10-12");
}

// On which days a schedule runs.

/// Calendars, each with its versions: what holds from when on.
pub(crate) fn calendars(versions: &[(&str, CalendarDefinition)]) -> Calendars {
    let mut all = Calendars::default();
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    for (from, definition) in versions {
        let number = numbers.entry(definition.name.clone()).or_default();
        *number += 1;
        let text = serde_json::to_string(definition).unwrap();
        let (number, digest) = (*number, Digest::of(text.as_bytes()));
        let from = from.parse().unwrap();
        let (name, definition) = (definition.name.clone(), Arc::new(definition.clone()));
        all.add(&name, CalendarSpan { number, digest, definition, from });
    }
    all
}

const ALWAYS: &str = "2000-01-01T00:00:00Z";

pub(crate) fn schedule(fields: Value, calendars: &Calendars) -> Schedule {
    definition(fields).schedule_at(Timestamp::MAX, calendars).unwrap().unwrap()
}

/// `2026-12-24T02:30-05:00 of 2026-12-24 from 2026-12-25`, or with why it is left out.
fn tell(occurrence: &Occurrence) -> String {
    let label = occurrence.label();
    let mut text = format!("{} {}", label, occurrence.business_day.strftime("%m-%d"));
    let from: Vec<String> =
        occurrence.moved_from.iter().map(|day| day.strftime("%m-%d").to_string()).collect();
    if !from.is_empty() {
        text.push_str(&format!(" from {}", from.join("+")));
    }
    if let Some(why) = occurrence.describe_out() {
        text.push_str(&format!(" out: {why}"));
    }
    text
}

fn told(schedule: &Schedule, from: &str, until: &str) -> Vec<String> {
    let (from, until): (Timestamp, Timestamp) = (from.parse().unwrap(), until.parse().unwrap());
    let tell = |occurrence| tell(&occurrence).replace("+00:00", "Z");
    schedule.between(from, until).map(tell).collect()
}

/// Closed from Thursday 24 to Monday 28 December 2026, and on New Year's Day.
fn closed() -> Calendars {
    let days = json!({"dates": {
        "2026-12-24": "Christmas Eve", "2026-12-25": "Christmas Day", "2026-12-28": "Boxing Day",
        "2027-01-01": "New Year's Day",
    }});
    calendars(&[(ALWAYS, calendar("closed", json!({"days": days})))])
}

#[test]
fn what_becomes_of_a_day_that_falls_out_is_what_the_rule_says() {
    let rule = |otherwise: &str| json!({"not-on": ["closed"], "otherwise": otherwise});
    // Each night but Saturday's and Sunday's.
    let table: &[(&str, &[&str])] = &[
        (
            "skip",
            &[
                "2026-12-23T02:30Z 12-23",
                "2026-12-24T02:30Z 12-24 out: 2026-12-24 is in closed (Christmas Eve)",
                "2026-12-25T02:30Z 12-25 out: 2026-12-25 is in closed (Christmas Day)",
                "2026-12-28T02:30Z 12-28 out: 2026-12-28 is in closed (Boxing Day)",
                "2026-12-29T02:30Z 12-29",
            ],
        ),
        (
            "run",
            &[
                "2026-12-23T02:30Z 12-23",
                "2026-12-24T02:30Z 12-24",
                "2026-12-25T02:30Z 12-25",
                "2026-12-28T02:30Z 12-28",
                "2026-12-29T02:30Z 12-29",
            ],
        ),
        (
            "previous",
            &["2026-12-23T02:30Z 12-23 from 12-24+12-25+12-28", "2026-12-29T02:30Z 12-29"],
        ),
        ("next", &["2026-12-23T02:30Z 12-23", "2026-12-29T02:30Z 12-29 from 12-24+12-25+12-28"]),
    ];
    for (otherwise, wanted) in table {
        let fields = json!({"schedule": {"cron": "30 2 * * 1-5"}, "calendar": rule(otherwise)});
        let schedule = schedule(fields, &closed());
        let found = told(&schedule, "2026-12-22T12:00:00Z", "2026-12-29T12:00:00Z");
        assert_eq!(found, *wanted, "{otherwise}");
    }
}

#[test]
fn a_day_is_out_when_it_is_in_none_of_the_days_it_may_be_or_in_any_it_may_not() {
    let table: &[(Value, &[&str])] = &[
        (
            json!({"only-on": [{"weekdays": ["tuesday"]}]}),
            &[
                "2026-12-28T08:00Z 12-28 out: 2026-12-28 is not a day of the job's own rule",
                "2026-12-29T08:00Z 12-29",
            ],
        ),
        (
            json!({"only-on": ["closed", {"weekdays": ["tuesday"]}]}),
            &["2026-12-28T08:00Z 12-28", "2026-12-29T08:00Z 12-29"],
        ),
        (
            json!({"only-on": ["closed"]}),
            &[
                "2026-12-28T08:00Z 12-28",
                "2026-12-29T08:00Z 12-29 out: 2026-12-29 is not a day of closed",
            ],
        ),
        (
            json!({"only-on": ["closed"], "not-on": [{"month-days": [28]}]}),
            &[
                "2026-12-28T08:00Z 12-28 out: 2026-12-28 is in the job's own rule",
                "2026-12-29T08:00Z 12-29 out: 2026-12-29 is not a day of closed",
            ],
        ),
        (
            json!({"not-on": [{"month-days": [1]}, {"dates": {"2026-12-29": "stocktaking"}}]}),
            &[
                "2026-12-28T08:00Z 12-28",
                "2026-12-29T08:00Z 12-29 out: 2026-12-29 is in the job's own rule (stocktaking)",
            ],
        ),
    ];
    for (rule, wanted) in table {
        let fields = json!({"schedule": {"cron": "0 8 * * *"}, "calendar": rule});
        let schedule = schedule(fields, &closed());
        let found = told(&schedule, "2026-12-27T12:00:00Z", "2026-12-29T12:00:00Z");
        assert_eq!(found, *wanted, "{rule}");
    }
}

#[test]
fn the_night_belongs_to_the_business_day_before_the_cut_over() {
    // Each working day's close of business runs in the night that follows it; nights after weekends and holidays do not.
    let rule = json!({"only-on": ["weekdays"], "not-on": ["closed"], "cut-over": "06:00"});
    let fields =
        json!({"schedule": {"cron": "30 2 * * *"}, "zone": "Europe/Berlin", "calendar": rule});
    let schedule = schedule(fields, &closed());
    let found = told(&schedule, "2026-12-22T12:00:00Z", "2026-12-30T12:00:00Z");
    let wanted = [
        "2026-12-23T02:30+01:00 12-22",
        "2026-12-24T02:30+01:00 12-23",
        "2026-12-25T02:30+01:00 12-24 out: 2026-12-24 is in closed (Christmas Eve)",
        "2026-12-26T02:30+01:00 12-25 out: 2026-12-25 is in closed (Christmas Day)",
        "2026-12-27T02:30+01:00 12-26 out: 2026-12-26 is not a day of weekdays",
        "2026-12-28T02:30+01:00 12-27 out: 2026-12-27 is not a day of weekdays",
        "2026-12-29T02:30+01:00 12-28 out: 2026-12-28 is in closed (Boxing Day)",
        "2026-12-30T02:30+01:00 12-29",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn times_before_and_after_the_cut_over_move_together_as_one_business_day() {
    // 22:00 of Thursday and 02:30 of Friday are one business day, Thursday.
    let rule = json!({"not-on": ["closed"], "otherwise": "next", "cut-over": "06:00"});
    let fields = json!({"schedule": {"at": [
        "2026-12-23T22:00", "2026-12-24T02:30", "2026-12-24T22:00", "2026-12-25T02:30",
    ]}, "calendar": rule});
    let found = told(&schedule(fields, &closed()), "2026-12-22T12:00:00Z", "2026-12-31T12:00:00Z");
    let wanted = [
        "2026-12-23T22:00Z 12-23",
        "2026-12-24T02:30Z 12-23",
        "2026-12-29T22:00Z 12-29 from 12-24",
        "2026-12-30T02:30Z 12-29 from 12-24",
    ];
    assert_eq!(found, wanted);

    let rule = json!({"not-on": ["closed"], "otherwise": "next", "cut-over": "06:00"});
    let fields = json!({"schedule": {"cron": "30 2,22 24,25 12 *"}, "calendar": rule});
    let found = told(&schedule(fields, &closed()), "2026-12-22T12:00:00Z", "2026-12-31T12:00:00Z");
    let wanted = [
        "2026-12-24T02:30Z 12-23",
        "2026-12-29T22:30Z 12-29 from 12-24+12-25",
        "2026-12-30T02:30Z 12-29 from 12-24+12-25",
    ];
    assert_eq!(found, wanted, "02:30 of the 25th is of the 24th; 22:30 of both moves");
}

#[test]
fn only_days_that_have_a_time_are_named_as_moved() {
    // 02:30 on Mondays is of Sunday, which moves; the Monday itself has no time to move.
    let closed = calendar(
        "shut",
        json!({"days": {"any-of": [
            {"weekdays": ["saturday", "sunday"]}, {"dates": {"2026-12-28": "Boxing Day"}},
        ]}}),
    );
    let rule = json!({"not-on": ["shut"], "otherwise": "next", "cut-over": "06:00"});
    let fields = json!({"schedule": {"cron": "30 2 * * 1"}, "calendar": rule});
    let schedule = schedule(fields, &calendars(&[(ALWAYS, closed)]));
    let found = told(&schedule, "2026-12-20T12:00:00Z", "2026-12-31T12:00:00Z");
    let wanted = ["2026-12-22T02:30Z 12-21 from 12-20", "2026-12-30T02:30Z 12-29 from 12-27"];
    assert_eq!(found, wanted);
}

#[test]
fn what_moves_back_crosses_the_end_of_a_year() {
    let rule = |otherwise: &str| json!({"not-on": ["closed", {"weekdays": ["saturday", "sunday"]}], "otherwise": otherwise});
    let fields =
        |otherwise: &str| json!({"schedule": {"cron": "0 9 1 * *"}, "calendar": rule(otherwise)});
    let range = ("2026-12-15T00:00:00Z", "2027-02-15T00:00:00Z");
    let found = told(&schedule(fields("previous"), &closed()), range.0, range.1);
    assert_eq!(found, ["2026-12-31T09:00Z 12-31 from 01-01", "2027-02-01T09:00Z 02-01"]);
    let found = told(&schedule(fields("next"), &closed()), range.0, range.1);
    assert_eq!(found, ["2027-01-04T09:00Z 01-04 from 01-01", "2027-02-01T09:00Z 02-01"]);
    // The range may begin between the day it moved to and its own.
    let found = told(&schedule(fields("previous"), &closed()), "2026-12-31T09:00:00Z", range.1);
    assert_eq!(found, ["2027-02-01T09:00Z 02-01"]);
    let found =
        told(&schedule(fields("next"), &closed()), "2027-01-02T00:00:00Z", "2027-01-05T00:00:00Z");
    assert_eq!(found, ["2027-01-04T09:00Z 01-04 from 01-01"]);
}

#[test]
fn what_counts_as_a_working_day_to_move_to_is_the_rules_own() {
    // Sunday is a day on which this job may run; but it moves to Monday, the working day.
    let table = [
        (json!(null), "2026-12-29T09:00Z 12-29 from 12-26"),
        (json!({"weekdays": ["sunday"]}), "2026-12-27T09:00Z 12-27 from 12-26"),
        (json!({"weekdays": ["monday", "thursday"]}), "2026-12-31T09:00Z 12-31 from 12-26"),
    ];
    for (working, wanted) in table {
        let mut rule =
            json!({"not-on": ["closed", {"weekdays": ["saturday"]}], "otherwise": "next"});
        if !working.is_null() {
            rule["working-days"] = working;
        }
        let fields = json!({"schedule": {"at": "2026-12-26T09:00"}, "calendar": rule});
        let found =
            told(&schedule(fields, &closed()), "2026-12-20T00:00:00Z", "2027-01-10T00:00:00Z");
        assert_eq!(found, [wanted]);
    }
}

#[test]
fn where_there_is_no_day_to_move_to_within_a_year_it_falls_out() {
    let rule = json!({"not-on": [{"between": {"from": "2020-01-01", "until": "2030-01-01"}}], "otherwise": "next"});
    let fields = json!({"schedule": {"cron": "0 9 1 * *"}, "calendar": rule});
    let schedule = schedule(fields, &Calendars::default());
    let found = told(&schedule, "2026-12-15T00:00:00Z", "2027-01-15T00:00:00Z");
    assert_eq!(found, ["2027-01-01T09:00Z 01-01 out: 2027-01-01 is in the job's own rule"]);
    // What is less than a year away still moves there.
    let found = told(&schedule, "2029-12-15T00:00:00Z", "2030-01-15T00:00:00Z");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("2030-01-02T09:00Z 01-02 from 01-01"), "{found:?}");
}

#[test]
fn a_schedule_with_a_wildcard_keeps_all_its_times_on_the_day_it_moves_to() {
    let rule = json!({"not-on": ["closed"], "otherwise": "next"});
    let fields = json!({"schedule": {"cron": "0 */8 28,29 12 *"}, "calendar": rule});
    let found = told(&schedule(fields, &closed()), "2026-12-25T00:00:00Z", "2027-01-03T00:00:00Z");
    let wanted = [
        "2026-12-29T00:00Z 12-29 from 12-28",
        "2026-12-29T08:00Z 12-29 from 12-28",
        "2026-12-29T16:00Z 12-29 from 12-28",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn elapsed_time_asks_its_day_and_moves_nowhere() {
    let rule = json!({"not-on": ["closed"], "cut-over": "06:00"});
    let fields = json!({"schedule": {"every": "12h"}, "calendar": rule});
    let found = told(&schedule(fields, &closed()), "2026-12-27T23:00:00Z", "2026-12-29T13:00:00Z");
    let out = "out: 2026-12-28 is in closed (Boxing Day)";
    let wanted = [
        "2026-12-28T00:00Z 12-27".to_owned(),
        format!("2026-12-28T12:00Z 12-28 {out}"),
        format!("2026-12-29T00:00Z 12-28 {out}"),
        "2026-12-29T12:00Z 12-29".to_owned(),
    ];
    assert_eq!(found, wanted);
    for otherwise in ["previous", "next"] {
        let rule = json!({"not-on": ["weekdays"], "otherwise": otherwise});
        let fields = json!({"name": "a", "command": {"argv": ["x"]}, "schedule": {"every": "12h"}, "calendar": rule});
        let job: domain::job::JobDefinition = serde_json::from_value(fields).unwrap();
        let fields: Vec<String> = job.problems().into_iter().map(|p| p.field).collect();
        assert_eq!(fields, ["calendar.otherwise"]);
    }
}

#[test]
fn a_list_of_times_asks_the_day_of_each_and_two_that_come_to_one_are_one() {
    let rule = json!({"not-on": ["closed"], "otherwise": "previous"});
    let at = ["2026-12-23T09:00", "2026-12-24T09:00", "2026-12-25T09:00", "2026-12-25T10:00"];
    let fields = json!({"schedule": {"at": at}, "calendar": rule});
    let found = told(&schedule(fields, &closed()), "2026-12-01T00:00:00Z", "2027-01-03T00:00:00Z");
    let wanted = ["2026-12-23T09:00Z 12-23 from 12-24+12-25", "2026-12-23T10:00Z 12-23 from 12-25"];
    assert_eq!(found, wanted);
    // An instant is asked by the clock of the job's zone.
    let fields = json!({
        "schedule": {"at": ["2026-12-24T23:30:00Z", "2026-12-23T23:30:00-05:00"]}, "zone": "Asia/Tokyo",
        "calendar": {"not-on": [{"dates": {"2026-12-25": "out"}}]}});
    let found = told(&schedule(fields, &closed()), "2026-12-01T00:00:00Z", "2027-01-03T00:00:00Z");
    let wanted = [
        "2026-12-24T13:30+09:00 12-24",
        "2026-12-25T08:30+09:00 12-25 out: 2026-12-25 is in the job's own rule (out)",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn what_is_moved_onto_a_day_of_a_clock_change_follows_the_rule_for_it() {
    // Saturday's 02:30 moves to Sunday 2026-03-29, where Berlin's clock skips it.
    let rule = json!({"not-on": [{"weekdays": ["saturday"]}], "otherwise": "next", "working-days": {"weekdays": ["sunday"]}});
    let table = [
        ("shift", "2026-03-29T03:30+02:00 03-29 from 03-28"),
        ("end", "2026-03-29T03:00+02:00 03-29 from 03-28"),
        (
            "skip",
            "2026-03-29T03:00+02:00 03-29 from 03-28 out: 02:30 does not exist on 2026-03-29 in Europe/Berlin; left out (gap: skip)",
        ),
    ];
    for (gap, wanted) in table {
        let fields = json!({
            "schedule": {"cron": "30 2 * * 6"}, "zone": "Europe/Berlin", "dst": {"gap": gap}, "calendar": rule});
        let found = told(
            &schedule(fields, &Calendars::default()),
            "2026-03-28T12:00:00Z",
            "2026-03-30T12:00:00Z",
        );
        assert_eq!(found, [wanted]);
    }
}

#[test]
fn of_what_comes_to_one_instant_the_business_day_is_that_of_what_runs() {
    // With a cut-over at three, 02:30 is of Saturday and moves through the gap onto 03:30, which is of Sunday.
    let rule = json!({"not-on": [{"weekdays": ["sunday"]}], "cut-over": "03:00"});
    let fields =
        json!({"schedule": {"cron": "30 2,3 * * *"}, "zone": "Europe/Berlin", "calendar": rule});
    let schedule = schedule(fields, &Calendars::default());
    let found = told(&schedule, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z");
    assert_eq!(found, ["2026-03-29T03:30+02:00 03-28"]);
}

#[test]
fn a_job_whose_days_are_all_left_out_has_occurrences_and_no_run() {
    let rule = json!({"only-on": [{"dates": {"2020-01-01": "long ago"}}]});
    let fields = json!({"schedule": {"cron": "0 9 * * 1"}, "calendar": rule});
    let schedule = schedule(fields, &Calendars::default());
    let after: Timestamp = "2026-12-15T00:00:00Z".parse().unwrap();
    assert!(schedule.next(after).unwrap().out.is_some());
    assert_eq!(schedule.next_run(after), None);
}
