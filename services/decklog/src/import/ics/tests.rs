//! Calendars as they are published.

use domain::calendar::{DaySet, Days};
use domain::site::Thing;

use super::super::document::Document;
use super::*;

fn imported_for(text: &str, from: i16, to: i16) -> Imported {
    let mut imported = import(&[Text::new("h.ics", text)], "holidays", from, to).unwrap();
    imported.settle();
    imported
}

/// Events in a file, and the days they cover in 2026 and 2027: `2026-01-01 New Year`.
fn days_of(events: &str) -> Vec<String> {
    let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n");
    let imported = imported_for(&text, 2026, 2027);
    assert!(imported.left_out.iter().all(|left| left.text.contains("no event")), "{imported:#?}");
    let dates = imported.found.first().map(|found| {
        let Document::Thing(Thing::Calendar(calendar)) = &found.what else { panic!("{found:?}") };
        let Some(Days::Set(DaySet::Dates(dates))) = &calendar.days else { panic!("{found:?}") };
        dates.clone()
    });
    dates.unwrap_or_default().iter().map(|(day, name)| format!("{day} {name}")).collect()
}

fn event(lines: &str) -> String {
    format!("BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:E\r\n{lines}\r\nEND:VEVENT\r\n")
}

#[test]
fn an_event_covers_its_days_and_its_end_is_exclusive() {
    let table: [(&str, &[&str]); 14] = [
        ("DTSTART;VALUE=DATE:20260101", &["2026-01-01 E"]),
        (
            "DTSTART;VALUE=DATE:20260101\r\nDTEND;VALUE=DATE:20260103",
            &["2026-01-01 E", "2026-01-02 E"],
        ),
        ("DTSTART;VALUE=DATE:20260101\r\nDURATION:P2D", &["2026-01-01 E", "2026-01-02 E"]),
        ("DTSTART:20260101T220000\r\nDTEND:20260102T000000", &["2026-01-01 E"]),
        ("DTSTART:20260101T220000\r\nDTEND:20260102T010000", &["2026-01-01 E", "2026-01-02 E"]),
        ("DTSTART:20260101T220000\r\nDURATION:PT1H", &["2026-01-01 E"]),
        ("DTSTART:20260101T220000", &["2026-01-01 E"]),
        (
            "DTSTART;TZID=Asia/Tokyo:20260101T010000\r\nDTEND;TZID=Asia/Tokyo:20260101T020000",
            &["2026-01-01 E"],
        ),
        ("DTSTART:20260101T230000Z\r\nDTEND:20260101T233000Z", &["2026-01-01 E"]),
        ("DTSTART;VALUE=DATE:20251231\r\nDTEND;VALUE=DATE:20260102", &["2026-01-01 E"]),
        ("DTSTART;VALUE=DATE:20280101", &[]),
        (
            "DTSTART;VALUE=DATE:20260101\r\nRDATE;VALUE=DATE:20260301,20260401",
            &["2026-01-01 E", "2026-03-01 E", "2026-04-01 E"],
        ),
        (
            "DTSTART;VALUE=DATE:20260101\r\nRDATE;VALUE=DATE:20260301,20260401\r\nEXDATE;VALUE=DATE:20260301",
            &["2026-01-01 E", "2026-04-01 E"],
        ),
        ("DTSTART;VALUE=DATE:20260101\r\nSTATUS:CANCELLED", &[]),
    ];
    for (lines, days) in table {
        assert_eq!(days_of(&event(lines)), days, "{lines}");
    }
}

#[test]
fn rules_are_expanded_for_the_years_asked_for() {
    let table: [(&str, &[&str]); 9] = [
        ("DTSTART;VALUE=DATE:19990704\r\nRRULE:FREQ=YEARLY", &["2026-07-04 E", "2027-07-04 E"]),
        (
            "DTSTART;VALUE=DATE:20001123\r\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH",
            &["2026-11-26 E", "2027-11-25 E"],
        ),
        (
            "DTSTART;VALUE=DATE:20000529\r\nRRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO;UNTIL=20261231",
            &["2026-05-25 E"],
        ),
        (
            "DTSTART;VALUE=DATE:20260105\r\nRRULE:FREQ=WEEKLY;COUNT=3",
            &["2026-01-05 E", "2026-01-12 E", "2026-01-19 E"],
        ),
        (
            "DTSTART;VALUE=DATE:20260105\r\nRRULE:FREQ=WEEKLY;COUNT=3\r\nEXDATE;VALUE=DATE:20260112",
            &["2026-01-05 E", "2026-01-19 E"],
        ),
        (
            "DTSTART;VALUE=DATE:20260131\r\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20260401",
            &["2026-01-31 E", "2026-02-28 E", "2026-03-31 E"],
        ),
        // The end of a rule is in UTC: 23:00 there is 08:00 of the next day in Tokyo.
        (
            "DTSTART;TZID=Asia/Tokyo:20260103T080000\r\nRRULE:FREQ=DAILY;UNTIL=20260104T230000Z",
            &["2026-01-03 E", "2026-01-04 E", "2026-01-05 E"],
        ),
        (
            "DTSTART:20260101T100000Z\r\nRRULE:FREQ=DAILY;UNTIL=20260102T100000Z",
            &["2026-01-01 E", "2026-01-02 E"],
        ),
        ("DTSTART;VALUE=DATE:20240229\r\nRRULE:FREQ=YEARLY", &[]),
    ];
    for (lines, days) in table {
        assert_eq!(days_of(&event(lines)), days, "{lines}");
    }
}

#[test]
fn a_changed_time_stands_for_the_one_it_replaces() {
    let rule = event("DTSTART;VALUE=DATE:20260105\r\nRRULE:FREQ=WEEKLY;COUNT=3");
    let change = "BEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID;VALUE=DATE:20260112\r\nSUMMARY:moved\r\nDTSTART;VALUE=DATE:20260113\r\nEND:VEVENT\r\n";
    assert_eq!(
        days_of(&format!("{rule}{change}")),
        ["2026-01-05 E", "2026-01-13 moved", "2026-01-19 E"]
    );
    let gone = change.replace("SUMMARY:moved", "STATUS:CANCELLED");
    assert_eq!(days_of(&format!("{gone}{rule}")), ["2026-01-05 E", "2026-01-19 E"]);
}

#[test]
fn names_are_unfolded_and_unescaped_and_a_day_has_all_of_them() {
    let first = "BEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20260101\nSUMMARY:New Year\\, the fi\n rst\nEND:VEVENT\n";
    let second = "BEGIN:VEVENT\nUID:2\nDTSTART;VALUE=DATE:20260101\nSUMMARY:Sleep\nBEGIN:VALARM\nTRIGGER:-PT15M\nSUMMARY:Wake\nEND:VALARM\nEND:VEVENT\n";
    assert_eq!(days_of(&format!("{first}{second}")), ["2026-01-01 New Year, the first; Sleep"]);
}

#[test]
fn what_cannot_be_read_is_left_out_with_its_line() {
    let good = event("DTSTART;VALUE=DATE:20260101");
    let table = [
        (event("DTSTART:tomorrow"), 9, "DTSTART"),
        (event("SEQUENCE:1"), 9, "DTSTART"),
        (event("DTSTART;VALUE=DATE:20260101\r\nRRULE:FREQ=SOMETIMES"), 9, "RRULE"),
        (
            event(
                "DTSTART;VALUE=DATE:20260101\r\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260101T000000",
            ),
            9,
            "THISANDFUTURE",
        ),
        ("BEGIN:VTODO\r\nDUE:20260101T000000\r\nEND:VTODO\r\n".to_owned(), 9, "only events"),
        ("BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260101\r\n".to_owned(), 9, "END:VEVENT"),
    ];
    for (bad, line, reason) in table {
        let text =
            format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{good}X-NO:1\r\n{bad}END:VCALENDAR\r\n");
        let imported = imported_for(&text, 2026, 2026);
        assert_eq!(imported.names(), ["holidays"], "{bad}");
        imported.has_left_out(line, reason);
    }
    imported_for("BEGIN:VCALENDAR\nEND:VCALENDAR\n", 2026, 2026).has_left_out(1, "covers a day");
    assert!(import(&[], "Bad Name", 2026, 2026).unwrap_err().contains("--name"));
    assert!(import(&[], "weekdays", 2026, 2026).unwrap_err().contains("weekdays"));
    assert!(import(&[], "x", 2027, 2026).unwrap_err().contains("--to 2026"));
}

#[test]
fn a_calendar_that_is_too_long_is_cut_and_put_together_again() {
    let daily = event("DTSTART;VALUE=DATE:20260101\r\nRRULE:FREQ=DAILY")
        .replace("SUMMARY:E", "SUMMARY:A day like any other");
    let imported = imported_for(&format!("BEGIN:VCALENDAR\n{daily}END:VCALENDAR\n"), 2026, 2027);
    let names = imported.names();
    assert_eq!(names.last(), Some(&"holidays"));
    assert!(names.len() > 2, "{names:?}");
    imported.has_noted(1, "fewer years");
    let mut days = 0;
    for found in &imported.found {
        let Document::Thing(Thing::Calendar(calendar)) = &found.what else { panic!() };
        match &calendar.days {
            Some(Days::Set(DaySet::Dates(dates))) => days += dates.len(),
            Some(Days::Set(DaySet::AnyOf(list))) => assert_eq!(list.len(), names.len() - 1),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(days, 730);
    assert!(imported.left_out.is_empty(), "{:#?}", imported.left_out);
}
