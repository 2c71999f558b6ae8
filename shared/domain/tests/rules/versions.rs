//! When a version of a calendar, or a job that counts from an earlier day on, begins to hold.

use domain::ledger::Mark;
use domain::site::ThingKind;
use serde_json::{Value, json};

use crate::given::at;
use crate::site::{Site, refused, run_id};

fn closed_on(days: &[&str]) -> Value {
    let dates: serde_json::Map<String, Value> =
        days.iter().map(|day| ((*day).to_owned(), json!("closed"))).collect();
    json!({"kind": "calendar", "name": "closed", "days": {"dates": dates}})
}

/// Job `pay` every hour, not on days that are closed; today is not one of them.
fn hourly() -> Site {
    let mut site = Site::new();
    site.apply(closed_on(&["2026-01-01"])).apply(json!({
        "name": "pay", "schedule": {"cron": "0 * * * *"}, "calendar": {"not-on": ["closed"]},
    }));
    site.serve(60_000);
    site
}

#[test]
fn a_new_version_of_a_calendar_holds_after_its_approval_and_the_old_one_up_to_it() {
    let mut site = hourly();
    site.until("02:00").apply(closed_on(&["2026-11-20"]));
    site.until("03:30").apply(closed_on(&["2026-12-24"])).until("04:30");
    let wanted = [
        "pay@01:00 runs",
        "pay@02:00 runs",
        "pay@03:00 skipped: 2026-11-20 is in closed (closed)",
        "pay@04:00 runs",
    ];
    assert_eq!(site.news(), wanted);
    let numbers = ["01:00", "02:00", "03:00", "04:00"].map(|clock| {
        let run = site.run(&format!("pay@{clock}"));
        run.nominal.as_ref().unwrap().calendars[0].number
    });
    assert_eq!(numbers, [1, 1, 2, 3]);
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn a_new_version_holds_for_jobs_that_name_the_calendar_by_way_of_another() {
    let mut site = hourly();
    site.apply(json!({"kind": "calendar", "name": "off", "days": {"any-of": ["closed"]}}));
    site.apply(json!({
        "name": "zoo", "schedule": {"cron": "30 * * * *"}, "calendar": {"not-on": ["off"]},
    }));
    site.until("01:45").apply(closed_on(&["2026-11-20"])).until("02:45");
    let zoo: Vec<String> = site.news().into_iter().filter(|line| line.starts_with("zoo")).collect();
    let wanted =
        ["zoo@00:30 runs", "zoo@01:30 runs", "zoo@02:30 skipped: 2026-11-20 is in off (closed)"];
    assert_eq!(zoo, wanted);
    site.check_whole();
}

#[test]
fn a_scheduler_that_has_not_heard_of_a_new_version_is_refused_and_decides_again() {
    let mut site = hourly();
    site.until("01:30");
    assert_eq!(site.try_thing(ThingKind::Calendar, &closed_on(&["2026-11-20"])), Mark::Valid);
    // The feed is slow: it is two before the scheduler knows.
    site.now = at("02:00");
    site.tick(0);
    let void = "run.due of pay@02:00: refused: version 1 of calendar closed is not the one that holds at \
                2026-11-20T02:00:00Z";
    assert_eq!(site.voids, [void]);
    site.until("02:01");
    let news = site.news();
    assert_eq!(news.last().unwrap(), "pay@02:00 skipped: 2026-11-20 is in closed (closed)");
    assert_eq!(site.voids.len(), 1);
    site.check_whole();
}

#[test]
fn a_calendar_that_is_retired_goes_on_holding_for_jobs_that_name_it_and_no_new_job_may() {
    let mut site = hourly();
    site.apply(closed_on(&["2026-11-20"]));
    site.until("01:30").retire(ThingKind::Calendar, "closed").until("02:30");
    let why = "skipped: 2026-11-20 is in closed (closed)";
    assert_eq!(site.news(), [format!("pay@01:00 {why}"), format!("pay@02:00 {why}")]);
    let other = json!({"kind": "calendar", "name": "other", "days": {"any-of": ["closed"]}});
    let mark = site.try_thing(ThingKind::Calendar, &other);
    assert_eq!(refused(&mark), "there is no active calendar closed");
    site.check_whole();
}

#[test]
fn calendars_that_would_refer_to_each_other_in_a_circle_are_not_approved() {
    let mut site = Site::new();
    let any =
        |name: &str, of: &[&str]| json!({"kind": "calendar", "name": name, "days": {"any-of": of}});
    site.apply(any("a", &["weekdays"])).apply(any("b", &["a"])).apply(any("c", &["b"]));
    let mark = site.try_thing(ThingKind::Calendar, &any("a", &["c"]));
    let circle = "calendar/a refers to others that refer to it: a circle has no days";
    assert_eq!(refused(&mark), circle);
    let mark = site.try_thing(ThingKind::Calendar, &any("d", &["nothing"]));
    assert_eq!(refused(&mark), "there is no active calendar nothing");
}

#[test]
fn a_job_that_counts_since_an_earlier_instant_accounts_for_all_occurrences_from_it_on() {
    let since = |catch_up: Value| {
        let mut site = Site::new();
        site.serve(60_000).until("05:30").apply(json!({
            "name": "pay", "schedule": {"cron": "0 * * * *"}, "since": "2026-11-20T02:00:00Z",
            "catch-up": catch_up,
        }));
        site.until("06:30");
        let expected = site.accounted();
        assert_eq!((expected.expected, expected.recorded), (5, 5), "two to six");
        site.check_no_voids();
        site.check_whole();
        site.news()
    };
    let none = ["02:00", "03:00", "04:00", "05:00"].map(|clock| format!("pay@{clock} missed"));
    assert_eq!(since(json!("none"))[..4], none);
    let last = [
        "pay@02:00 missed: pay@05:00 stands for it",
        "pay@03:00 missed: pay@05:00 stands for it",
        "pay@04:00 missed: pay@05:00 stands for it",
        "pay@05:00 runs caught up",
        "pay@06:00 runs",
    ];
    assert_eq!(since(json!("last")), last);
    let all = [
        "pay@02:00 runs caught up",
        "pay@03:00 runs caught up behind pay@02:00",
        "pay@04:00 runs caught up behind pay@03:00",
        "pay@05:00 runs caught up behind pay@04:00",
        "pay@06:00 runs",
    ];
    assert_eq!(since(json!({"all": {"limit": 9}})), all);
}

#[test]
fn only_the_first_definition_of_a_job_counts_since_an_instant_before_its_approval() {
    let hourly = |since: &str, minute: u8| json!({"name": "pay", "schedule": {"cron": format!("{minute} * * * *")}, "since": since});
    let mut site = Site::new();
    site.serve(60_000).until("03:30").apply(hourly("2026-11-20T02:30:00Z", 0));
    // A second one cannot reach back over the first.
    site.until("05:20").apply(hourly("2026-11-20T02:30:00Z", 15)).until("06:30");
    let wanted = ["pay@03:00 runs caught up", "pay@04:00 runs", "pay@05:00 runs", "pay@06:15 runs"];
    assert_eq!(site.news(), wanted);
    // What is to begin later begins when it is approved: nothing else was said.
    let mut late = Site::new();
    late.apply(hourly("2026-11-20T09:00:00Z", 0)).until("01:30");
    assert!(late.exists("pay@01:00"));
    for site in [site, late] {
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn the_calendars_that_hold_for_what_counts_since_an_earlier_instant_are_those_of_then() {
    let mut site = Site::new();
    site.apply(closed_on(&["2026-11-20"])).until("02:30").apply(closed_on(&["2026-01-01"]));
    site.until("04:30").apply(json!({
        "name": "pay", "schedule": {"cron": "0 * * * *"}, "since": "2026-11-20T00:30:00Z",
        "calendar": {"not-on": ["closed"]}, "catch-up": "none",
    }));
    site.until("04:31");
    let out = "skipped: 2026-11-20 is in closed (closed)";
    let wanted = [
        &format!("pay@01:00 {out}"),
        &format!("pay@02:00 {out}"),
        "pay@03:00 missed",
        "pay@04:00 missed",
    ];
    assert_eq!(site.news(), wanted);
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn the_recorder_takes_no_occurrence_by_a_version_of_a_calendar_that_did_not_hold() {
    let mut site = hourly();
    site.until("01:30").apply(closed_on(&["2026-12-24"])).until("02:00");
    let due = site.world.feed.iter().find_map(|(envelope, event, _)| {
        (envelope.subject == run_id("pay@02:00")).then(|| event.clone())
    });
    let domain::event::Event::RunEvent(domain::event::RunEvent::RunDue(mut due)) = due.unwrap()
    else {
        panic!()
    };
    let nominal = due.nominal.as_mut().unwrap();
    assert_eq!(nominal.calendars[0].number, 2);
    // The next hour by the version before.
    nominal.at = at("03:00");
    nominal.after = Some(at("02:00"));
    nominal.local = "2026-11-20T03:00:00+00:00[UTC]".to_owned();
    nominal.calendars[0] = site.run("pay@01:00").nominal.as_ref().unwrap().calendars[0].clone();
    let mark = site.world.say_next("scheduler/s1", run_id("pay@03:00"), due, at("03:00"));
    assert!(refused(&mark).starts_with("version 1 of calendar closed is not"), "{mark:?}");
}
