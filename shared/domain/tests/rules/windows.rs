//! Windows and blackouts: times of day within which a run may start, and times in which nothing does.

use domain::calendar::Almanac;
use domain::job::{By, Window};
use domain::site::{BlackoutDefinition, ThingKind};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::calendars::{calendar, gather};
use crate::given::{at, later};
use crate::site::Site;

fn utc(text: &str) -> Timestamp {
    format!("{text}:00Z").parse().unwrap()
}

fn window(from: &str, until: &str) -> Window {
    serde_json::from_value(json!({"from": from, "until": until})).unwrap()
}

#[test]
fn what_is_due_belongs_to_the_window_it_lies_in_or_to_the_next_one() {
    let berlin = "Europe/Berlin";
    // From, until, zone; the instant; the window's beginning and end.
    let table = [
        ("08:00", "17:00", "UTC", "2026-11-20T07:59", "2026-11-20T08:00", "2026-11-20T17:00"),
        ("08:00", "17:00", "UTC", "2026-11-20T08:00", "2026-11-20T08:00", "2026-11-20T17:00"),
        ("08:00", "17:00", "UTC", "2026-11-20T16:59", "2026-11-20T08:00", "2026-11-20T17:00"),
        // Its end is no part of it.
        ("08:00", "17:00", "UTC", "2026-11-20T17:00", "2026-11-21T08:00", "2026-11-21T17:00"),
        // Over midnight.
        ("22:00", "06:00", "UTC", "2026-11-20T20:00", "2026-11-20T22:00", "2026-11-21T06:00"),
        ("22:00", "06:00", "UTC", "2026-11-20T23:00", "2026-11-20T22:00", "2026-11-21T06:00"),
        ("22:00", "06:00", "UTC", "2026-11-20T05:59", "2026-11-19T22:00", "2026-11-20T06:00"),
        ("22:00", "06:00", "UTC", "2026-11-20T06:00", "2026-11-20T22:00", "2026-11-21T06:00"),
        ("22:00", "06:00", "UTC", "2026-12-31T23:00", "2026-12-31T22:00", "2027-01-01T06:00"),
        ("22:00", "06:00", berlin, "2026-11-20T20:00", "2026-11-20T21:00", "2026-11-21T05:00"),
        // A night with 23 hours, and one with 25.
        ("22:00", "06:00", berlin, "2026-03-28T23:00", "2026-03-28T21:00", "2026-03-29T04:00"),
        ("22:00", "06:00", berlin, "2026-10-24T23:00", "2026-10-24T20:00", "2026-10-25T05:00"),
        // The clock jumps over its beginning: it opens when the clock shows a later time.
        ("02:30", "04:00", berlin, "2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T02:00"),
        // Over its end.
        ("01:00", "02:30", berlin, "2026-03-29T00:30", "2026-03-29T00:00", "2026-03-29T01:00"),
        // Over both: the clock never shows a time of it that day.
        ("02:15", "02:45", berlin, "2026-03-29T00:30", "2026-03-30T00:15", "2026-03-30T00:45"),
        // What the clock shows twice begins with the first.
        ("02:30", "03:30", berlin, "2026-10-25T00:00", "2026-10-25T00:30", "2026-10-25T02:30"),
    ];
    for (from, until, zone, instant, opens, ends) in table {
        let zone_of = TimeZone::get(zone).unwrap();
        let found = window(from, until).for_instant(utc(instant), &zone_of);
        let wanted = Some((utc(opens), utc(ends)));
        assert_eq!(found, wanted, "{from}-{until} {zone} at {instant}");
    }
}

#[test]
fn a_limit_is_so_long_after_an_instant_or_the_next_time_the_clock_shows_it() {
    let table = [
        ("4h", "UTC", "2026-11-20T02:00", "2026-11-20T06:00"),
        ("06:00", "UTC", "2026-11-20T02:00", "2026-11-20T06:00"),
        ("06:00", "UTC", "2026-11-20T06:00", "2026-11-21T06:00"),
        ("06:00", "UTC", "2026-11-20T05:59", "2026-11-20T06:00"),
        ("06:00", "UTC", "2026-11-20T22:00", "2026-11-21T06:00"),
        ("06:00", "America/New_York", "2026-11-20T07:30", "2026-11-20T11:00"),
        ("02:30", "Europe/Berlin", "2026-03-28T23:00", "2026-03-29T01:00"),
        ("02:30", "Europe/Berlin", "2026-10-24T23:00", "2026-10-25T00:30"),
        ("24h", "Europe/Berlin", "2026-10-24T23:00", "2026-10-25T23:00"),
    ];
    for (by, zone, instant, wanted) in table {
        let limit: By = by.parse().unwrap();
        let found = limit.instant(utc(instant), &TimeZone::get(zone).unwrap());
        assert_eq!(found, utc(wanted), "{by} {zone} at {instant}");
    }
}

fn blackout(fields: Value) -> BlackoutDefinition {
    let mut all = json!({"kind": "blackout", "name": "b", "applies-to": {"site": true}});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let blackout: BlackoutDefinition = serde_json::from_value(all).unwrap();
    assert_eq!(blackout.problems(), []);
    blackout
}

#[test]
fn a_blackout_covers_what_its_clock_shows_from_its_beginning_up_to_its_end() {
    let shut = calendar("shut", json!({"days": {"dates": {"2026-11-20": "", "2026-11-21": ""}}}));
    let almanac: Almanac = gather(&[shut]);
    let once = |from: &str, until: &str| json!({"once": {"from": from, "until": until}});
    let daily = |from: &str, until: &str| json!({"daily": {"from": from, "until": until}});
    let on = |days: Value, from: &str, until: &str| json!({"daily": {"on": [days], "from": from, "until": until}});
    let noon = || once("2026-11-20T12:00:00", "2026-11-20T13:00:00");
    let no = "";
    // The times, the zone, the instant, and the end where it is covered.
    let table: Vec<(Value, &str, &str, &str)> = vec![
        (json!([noon()]), "UTC", "2026-11-20T11:59", no),
        (json!([noon()]), "UTC", "2026-11-20T12:00", "2026-11-20T13:00"),
        (json!([noon()]), "UTC", "2026-11-20T12:59", "2026-11-20T13:00"),
        (json!([noon()]), "UTC", "2026-11-20T13:00", no),
        (json!([noon()]), "Asia/Kolkata", "2026-11-20T06:30", "2026-11-20T07:30"),
        (json!([daily("12:00", "13:00")]), "UTC", "2031-02-03T12:30", "2031-02-03T13:00"),
        (json!([daily("22:00", "06:00")]), "UTC", "2026-11-20T23:00", "2026-11-21T06:00"),
        (json!([daily("22:00", "06:00")]), "UTC", "2026-11-20T05:59", "2026-11-20T06:00"),
        (json!([daily("22:00", "06:00")]), "UTC", "2026-11-20T06:00", no),
        // A night belongs to the day on which it begins.
        (
            json!([on(json!({"weekdays": ["friday"]}), "22:00", "06:00")]),
            "UTC",
            "2026-11-21T05:00",
            "2026-11-21T06:00",
        ),
        (
            json!([on(json!({"weekdays": ["friday"]}), "22:00", "06:00")]),
            "UTC",
            "2026-11-20T05:00",
            no,
        ),
        (
            json!([on(json!("shut"), "08:00", "09:00")]),
            "UTC",
            "2026-11-20T08:30",
            "2026-11-20T09:00",
        ),
        (json!([on(json!("shut"), "08:00", "09:00")]), "UTC", "2026-11-22T08:30", no),
        // Whole days, one after the other, are one.
        (
            json!([on(json!("shut"), "00:00", "00:00")]),
            "UTC",
            "2026-11-20T08:30",
            "2026-11-22T00:00",
        ),
        (
            json!([
                on(json!({"weekdays": ["saturday", "sunday"]}), "00:00", "00:00"),
                daily("00:00", "01:00")
            ]),
            "UTC",
            "2026-11-21T08:30",
            "2026-11-23T01:00",
        ),
        // What overlaps or touches is one.
        (
            json!([
                noon(),
                once("2026-11-20T12:30:00", "2026-11-20T15:00:00"),
                once("2026-11-20T15:00:00", "2026-11-20T16:00:00")
            ]),
            "UTC",
            "2026-11-20T12:10",
            "2026-11-20T16:00",
        ),
        (
            json!([noon(), once("2026-11-20T13:01:00", "2026-11-20T15:00:00")]),
            "UTC",
            "2026-11-20T12:10",
            "2026-11-20T13:00",
        ),
        // The clock jumps over its beginning, its end, or both.
        (json!([daily("02:30", "05:00")]), "Europe/Berlin", "2026-03-29T01:10", "2026-03-29T03:00"),
        (json!([daily("02:30", "05:00")]), "Europe/Berlin", "2026-03-29T00:59", no),
        (json!([daily("01:00", "02:30")]), "Europe/Berlin", "2026-03-29T00:59", "2026-03-29T01:00"),
        (json!([daily("01:00", "02:30")]), "Europe/Berlin", "2026-03-29T01:10", no),
        (json!([daily("02:15", "02:45")]), "Europe/Berlin", "2026-03-29T01:10", no),
        // An hour twice.
        (json!([daily("01:00", "03:00")]), "Europe/Berlin", "2026-10-25T01:30", "2026-10-25T02:00"),
    ];
    for (times, zone, instant, end) in table {
        let blackout = blackout(json!({"times": times, "zone": zone}));
        let found = blackout
            .covers(utc(instant), &almanac)
            .map_or(String::new(), |end| end.to_string().trim_end_matches(":00Z").to_owned());
        assert_eq!(found, end, "{times} {zone} at {instant}");
    }
}

#[test]
fn a_blackout_applies_to_the_site_or_to_what_it_names() {
    let jobs = [
        json!({"name": "pay", "pool": "finance"}),
        json!({"name": "month.load", "flow": "month"}),
        json!({"name": "zoo"}),
    ];
    let table = [
        (json!({"site": true}), vec!["pay", "month.load", "zoo"]),
        (json!({"pools": ["finance"]}), vec!["pay"]),
        (json!({"pools": ["default"]}), vec!["month.load", "zoo"]),
        (json!({"jobs": ["zoo", "pay"]}), vec!["pay", "zoo"]),
        (json!({"flows": ["month"]}), vec!["month.load"]),
        (json!({"jobs": ["zoo"], "flows": ["month"]}), vec!["month.load", "zoo"]),
    ];
    for (to, wanted) in table {
        let times = json!([{"daily": {"from": "00:00", "until": "00:00"}}]);
        let blackout = blackout(json!({"applies-to": to, "times": times}));
        let applied: Vec<&str> = jobs
            .iter()
            .filter(|job| blackout.applies(&crate::given::definition((*job).clone())))
            .map(|job| job["name"].as_str().unwrap())
            .collect();
        assert_eq!(applied, wanted, "{to}");
    }
    for to in [json!({}), json!({"site": true, "jobs": ["a"]}), json!({"jobs": ["No Name"]})] {
        let all = json!({"kind": "blackout", "name": "b", "applies-to": to, "times": [
            {"once": {"from": "2026-11-20T12:00:00", "until": "2026-11-20T12:00:00"}}]});
        let blackout: BlackoutDefinition = serde_json::from_value(all).unwrap();
        let fields: Vec<String> = blackout.problems().into_iter().map(|p| p.field).collect();
        assert_eq!(fields, ["applies-to", "times"]);
    }
}

// In a night.

fn once(more: Value) -> Value {
    let mut job = json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}});
    job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    job
}

/// Job `pay`, due at two, within this window.
fn within(from: &str, until: &str, at_end: &str) -> Site {
    let mut site = Site::new();
    site.apply(once(json!({"window": {"from": from, "until": until, "at-end": at_end}})));
    site
}

#[test]
fn what_is_due_before_its_window_is_offered_when_that_opens() {
    let mut site = within("03:00", "05:00", "skip");
    site.until("02:59:59");
    assert_eq!((site.news(), site.offers()), (vec!["pay@02:00 runs".to_owned()], vec![]));
    assert_eq!(
        site.why("pay@02:00"),
        ["it starts not before 2026-11-20T03:00:00Z: its window opens then"]
    );
    site.until("03:00");
    assert_eq!(site.offers(), ["pay@02:00#1"]);
    site.check_no_voids();
}

#[test]
fn the_recorder_takes_no_start_before_the_window_opens() {
    let mut site = within("03:00", "05:00", "skip");
    site.until("02:30");
    let mark = site.try_start("pay@02:00", "h1");
    assert_eq!(crate::site::refused(&mark), "it may not start before 2026-11-20T03:00:00Z");
}

#[test]
fn what_has_not_started_when_its_window_ends_is_skipped_held_or_starts_late() {
    let table: &[(&str, &[&str], &str)] = &[
        ("skip", &["pay@02:00 runs", "pay@02:00 skipped: window until 04:00"], "skipped"),
        (
            "hold",
            &[
                "pay@02:00 runs",
                "pay@02:00 held: it had not started when its window ended at 2026-11-20T04:00:00Z",
            ],
            "held",
        ),
        ("start-late", &["pay@02:00 runs"], "due"),
    ];
    for (at_end, wanted, state) in table {
        let mut site = within("01:00", "04:00", at_end);
        // Offered, and nobody takes it.
        site.until("04:00");
        assert_eq!(site.news(), *wanted, "{at_end}");
        assert_eq!(site.state("pay@02:00"), *state);
        site.check_no_voids();
        site.check_whole();
        if *at_end == "start-late" {
            site.start("pay@02:00").end("pay@02:00", 0);
        }
    }
}

#[test]
fn what_was_held_at_the_end_of_its_window_starts_when_a_person_lets_it() {
    let mut site = within("01:00", "04:00", "hold");
    site.until("05:00").offers();
    site.release("pay@02:00").until("05:00");
    assert_eq!(site.offers(), ["pay@02:00#1"]);
    site.start("pay@02:00").end("pay@02:00", 0);
    assert_eq!(site.state("pay@02:00"), "succeeded");
}

#[test]
fn a_window_is_about_the_first_start_and_ends_nothing_that_has_begun() {
    let mut site = Site::new();
    let window = json!({"from": "01:00", "until": "03:00", "at-end": "skip"});
    site.apply(once(json!({"window": window, "retry": {"delays": ["2h"]}})));
    site.until("02:00").start("pay@02:00").until("02:30").end("pay@02:00", 1).until("04:29");
    site.offers();
    site.until("04:30");
    assert_eq!(site.offers(), ["pay@02:00#2"]);
    site.start("pay@02:00").end("pay@02:00", 0);
    assert_eq!(site.state("pay@02:00"), "succeeded");
}

#[test]
fn what_a_person_asks_for_needs_no_window_and_no_blackout_lets_it_start() {
    let mut site = within("03:00", "05:00", "skip");
    site.request("pay@request-1").until("00:01");
    assert_eq!(site.offers(), ["pay@request-1#1"]);
    let times = json!([{"daily": {"from": "00:00", "until": "01:00"}}]);
    let mut site = Site::new();
    site.apply(json!({"name": "pay"}));
    site.apply(
        json!({"kind": "blackout", "name": "b", "applies-to": {"site": true}, "times": times}),
    );
    site.request("pay@request-1").until("00:59");
    assert_eq!(site.offers(), Vec::<String>::new());
    site.until("01:00");
    assert_eq!(site.offers(), ["pay@request-1#1"]);
}

/// Job `pay`, due at two, and a blackout from one to three.
fn blacked_out(job: Value, at_end: &str) -> Site {
    let mut site = Site::new();
    site.apply(once(job)).apply(json!({
        "kind": "blackout", "name": "stocktaking", "applies-to": {"site": true}, "at-end": at_end,
        "times": [{"once": {"from": "2026-11-20T01:00:00", "until": "2026-11-20T03:00:00"}}],
    }));
    site
}

#[test]
fn what_becomes_due_during_a_blackout_starts_at_its_end_is_skipped_or_held() {
    let table: &[(&str, &[&str])] = &[
        (
            "start-late",
            &[
                "pay@02:00 runs",
                "pay@02:00 not before 03:00: blackout stocktaking lasts until then",
            ],
        ),
        ("skip", &["pay@02:00 runs", "pay@02:00 skipped: blackout stocktaking until 03:00"]),
        (
            "hold",
            &[
                "pay@02:00 runs",
                "pay@02:00 held: blackout stocktaking lasts until 2026-11-20T03:00:00Z",
            ],
        ),
    ];
    for (at_end, wanted) in table {
        let mut site = blacked_out(json!({}), at_end);
        site.until("02:59");
        assert_eq!(
            (site.news(), site.offers()),
            (wanted.iter().map(ToString::to_string).collect(), vec![])
        );
        site.until("03:00");
        let offered: &[&str] = if *at_end == "start-late" { &["pay@02:00#1"] } else { &[] };
        assert_eq!(site.offers(), offered);
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn what_a_person_has_released_no_blackout_holds_again() {
    for at_end in ["hold", "skip", "start-late"] {
        let mut site = blacked_out(json!({}), at_end);
        site.nobody_until("02:00").feed();
        if at_end == "hold" {
            site.until("02:10");
        } else {
            // Held by a person before a scheduler looks at it.
            site.tick(0);
            site.feed();
            site.hold("pay@02:00").until("02:10");
        }
        assert_eq!(site.state("pay@02:00"), "held", "{at_end}");
        site.release("pay@02:00").until("02:15");
        assert_eq!(site.offers(), ["pay@02:00#1"], "{at_end}");
        site.start("pay@02:00").end("pay@02:00", 0);
    }
}

#[test]
fn an_attempt_that_would_follow_during_a_blackout_waits_for_its_end_whatever_the_blackout_says() {
    for at_end in ["start-late", "skip", "hold"] {
        let mut site = Site::new();
        site.apply(once(json!({"retry": {"delays": ["30m"]}}))).apply(json!({
            "kind": "blackout", "name": "stocktaking", "applies-to": {"jobs": ["pay"]}, "at-end": at_end,
            "times": [{"daily": {"from": "02:15", "until": "03:00"}}],
        }));
        site.until("02:00").start("pay@02:00").until("02:10").end("pay@02:00", 1).until("02:59");
        let wanted = [
            "pay@02:00 runs",
            "pay@02:00 is tried again at 02:40",
            "pay@02:00 not before 03:00: blackout stocktaking lasts until then",
        ];
        assert_eq!(site.news(), wanted, "{at_end}");
        assert_eq!(site.offers(), ["pay@02:00#1"]);
        let early = crate::site::refused(&site.try_start("pay@02:00", "h1"));
        assert_eq!(early, "it may not start before 2026-11-20T03:00:00Z");
        site.until("03:00");
        assert_eq!(site.offers(), ["pay@02:00#2"]);
        site.start("pay@02:00").end("pay@02:00", 0);
    }
}

#[test]
fn a_blackout_on_days_of_a_calendar_follows_the_newest_version_of_it() {
    let days =
        |day: &str| json!({"kind": "calendar", "name": "shut", "days": {"dates": {day: "x"}}});
    let mut site = Site::new();
    site.apply(json!({"name": "pay", "schedule": {"cron": "0 * * * *"}, "overlap": {"queue-all": {"limit": 9}}}));
    site.apply(days("2026-11-20")).apply(json!({
        "kind": "blackout", "name": "b", "applies-to": {"site": true}, "at-end": "skip",
        "times": [{"daily": {"on": ["shut"], "from": "00:00", "until": "00:00"}}],
    }));
    site.serve(1_000).until("01:30").apply(days("2026-12-24")).until("02:30");
    let wanted = [
        "pay@01:00 runs",
        "pay@01:00 skipped: blackout b until 2026-11-21T00:00:00Z",
        "pay@02:00 runs",
    ];
    assert_eq!(site.news(), wanted);
    assert_eq!(site.state("pay@02:00"), "succeeded");
}

#[test]
fn blackouts_that_follow_one_another_are_waited_for_one_after_the_other() {
    let mut site = blacked_out(json!({}), "start-late");
    site.apply(json!({
        "kind": "blackout", "name": "patching", "applies-to": {"jobs": ["pay"]},
        "times": [{"daily": {"from": "03:00", "until": "03:30"}}],
    }));
    site.until("03:30");
    let wanted = [
        "pay@02:00 runs",
        "pay@02:00 not before 03:00: blackout stocktaking lasts until then",
        "pay@02:00 not before 03:30: blackout patching lasts until then",
    ];
    assert_eq!(
        (site.news(), site.offers()),
        (wanted.map(str::to_owned).to_vec(), vec!["pay@02:00#1".to_owned()])
    );
}

#[test]
fn a_blackout_that_is_approved_while_a_run_waits_covers_it_too() {
    let mut site = Site::new();
    site.apply(once(json!({"host": "h9"})));
    site.until("02:30").apply(json!({
        "kind": "blackout", "name": "fire", "applies-to": {"site": true}, "at-end": "hold",
        "times": [{"daily": {"from": "00:00", "until": "23:00"}}],
    }));
    site.until("02:31");
    assert_eq!(site.state("pay@02:00"), "held");
}

#[test]
fn what_a_blackout_delays_starts_when_the_blackout_is_ended_early() {
    let mut site = blacked_out(json!({}), "start-late");
    site.until("02:30").retire(ThingKind::Blackout, "stocktaking").until("02:31");
    assert_eq!(site.offers(), ["pay@02:00#1"]);
    site.start("pay@02:00").end("pay@02:00", 0);
    site.check_no_voids();
}

#[test]
fn what_a_blackout_delays_starts_at_its_new_end_when_that_is_changed() {
    for (end, offered) in [("02:45", "02:45"), ("04:00", "04:00")] {
        let mut site = blacked_out(json!({}), "start-late");
        site.until("02:30").apply(json!({
            "kind": "blackout", "name": "stocktaking", "applies-to": {"site": true},
            "times": [{"daily": {"from": "01:00", "until": end}}],
        }));
        let before = later(at(offered), -1_000).to_string();
        site.until(&before);
        assert_eq!(site.offers(), Vec::<String>::new(), "{end}");
        site.until(offered);
        assert_eq!(site.offers(), ["pay@02:00#1"], "{end}");
        site.check_no_voids();
    }
}
