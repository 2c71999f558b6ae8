//! Calendars, blackouts, locks and pools; and jobs in words.

use serde_json::json;

use super::{Desk, api, wait_for_state};
use crate::programs::call;

const SITE: &str = "kind: calendar\n\
    name: holidays\n\
    description: The bank is closed\n\
    days: { yearly: { month: 12, day: 25, name: Christmas Day, observed: { saturday: -1 } } }\n\
    ---\n\
    kind: calendar\n\
    name: fiscal\n\
    fiscal: { months: { begins: 7 } }\n\
    ---\n\
    kind: blackout\n\
    name: freeze\n\
    applies-to: { pools: [small] }\n\
    times: [ { once: { from: '2020-01-01T00:00', until: '2099-01-01T00:00' } } ]\n\
    at-end: hold\n\
    ---\n\
    kind: lock\n\
    name: db\n\
    units: 2\n\
    ---\n\
    kind: pool\n\
    name: small\n\
    limit: 3\n\
    ---\n\
    name: holder\n\
    locks: [{ lock: db, units: 2 }]\n\
    command: { argv: [/bin/sleep, '300'] }\n\
    ---\n\
    name: first\n\
    locks: [db]\n\
    command: { argv: [/bin/true] }\n\
    ---\n\
    name: second\n\
    locks: [{ lock: db, exclusive: true }]\n\
    command: { argv: [/bin/true] }\n\
    ---\n\
    name: wordy\n\
    schedule: { cron: '30 2 * * *' }\n\
    calendar: { not-on: [holidays], otherwise: next }\n\
    window: { from: '02:00', until: '05:00' }\n\
    after: [first]\n\
    needs: [{ file: /in/a.csv }]\n\
    confirm: { role: approver, question: is it there }\n\
    locks: [db]\n\
    parameters: { mode: { type: flag, default: true } }\n\
    command: { argv: [/bin/true] }\n";

#[test]
fn things_are_listed_shown_and_retired() {
    let desk = Desk::new();
    let site = desk.file("site.yaml", SITE);
    let data = desk.data();
    call(&data, &["apply", site.to_str().unwrap()]).ended(0);
    let listed = call(&data, &["calendar", "list"]).ended(0).out;
    assert!(listed.contains("holidays  active  The bank is closed  1\n"), "{listed}");
    // 25 December 2027 is a Saturday.
    let days = call(&data, &["calendar", "show", "holidays", "--year", "2027"]).ended(0).out;
    assert!(days.contains("\nday       2027-12-24 Fri Christmas Day\n"), "{days}");
    assert_eq!(days.matches("\nday ").count(), 1, "{days}");
    let periods = call(&data, &["calendar", "show", "fiscal", "--year", "2027", "-o", "json"]);
    let periods = periods.ended(0).json();
    let first = json!({"period": 1, "of": 2027, "first": "2026-07-01", "last": "2026-07-31"});
    assert_eq!((periods["more"].as_array().unwrap().len(), &periods["more"][0]), (12, &first));

    let freeze = call(&data, &["blackout", "show", "freeze"]).ended(0).out;
    assert!(
        freeze.contains("pools small; what would start meanwhile waits for a person"),
        "{freeze}"
    );
    assert!(freeze.contains("now       it lasts until 2099-01-01"), "{freeze}");
    let pool = call(&data, &["pool", "show", "small"]).ended(0).out;
    assert!(pool.contains("what      3 attempts at once\n"), "{pool}");
    let locks = call(&data, &["lock", "list"]).ended(0).out;
    assert!(locks.contains("db    active  2 units  1\n"), "{locks}");

    for kind in ["calendar", "blackout", "lock", "pool"] {
        call(&data, &[kind, "show", "nobody"]).ended(3);
    }
    call(&data, &["blackout", "retire", "freeze", "--reason", "it is over"]).ended(0);
    let again = call(&data, &["blackout", "retire", "freeze", "--reason", "it is over"]).ended(5);
    assert!(again.err.contains("refused: it is not active"), "{}", again.err);
    call(&data, &["calendar", "retire", "nobody", "--reason", "who?"]).ended(3);
    // The forecast is still what `calendar` alone shows.
    let forecast = call(&data, &["calendar", "--to", "2d"]).ended(0).out;
    assert!(forecast.contains("2 will run"), "{forecast}");
    call(&data, &["verify"]).ended(0);
}

#[test]
fn what_was_proposed_and_could_not_be_approved_is_approved_when_it_can() {
    let desk = Desk::new();
    let up = desk.up(&[]);
    let blackout = json!({
        "kind": "blackout", "name": "freeze", "applies-to": {"site": true},
        "times": [{"daily": {"on": ["holidays"], "from": "00:00", "until": "06:00"}}],
    });
    let body = json!({"definition": blackout, "reason": "first things last"});
    // The API asks no other definitions first.
    let (status, kind, problem) = api(&up, "/api/v1/things", Some(&body));
    assert_eq!((status, kind.as_str()), (409, "application/problem+json"), "{problem:#}");
    let listed = up.call(&["blackout", "list"]).ended(0).out;
    assert!(listed.contains("freeze    proposed"), "{listed}");
    let early = up.call(&["blackout", "approve", "freeze"]).ended(5);
    assert!(early.err.contains("there is no active calendar holidays"), "{}", early.err);
    let text = "kind: calendar\nname: holidays\ndays: { weekdays: [sunday] }\n";
    let calendar = desk.file("calendar.yaml", text);
    up.call(&["apply", calendar.to_str().unwrap()]).ended(0);
    up.call(&["blackout", "approve", "freeze"]).ended(0);
    let listed = up.call(&["blackout", "list"]).ended(0).out;
    assert!(listed.contains("freeze    active"), "{listed}");
    let again = up.call(&["blackout", "approve", "freeze"]).ended(2);
    assert!(again.err.contains("has no proposal"), "{}", again.err);
    up.stop();
}

#[test]
fn a_lock_says_who_holds_it_and_who_waits_in_order() {
    let desk = Desk::new();
    let site = desk.file("site.yaml", SITE);
    let up = desk.up(&[&site]);
    let ask = |job: &str, state: &str| {
        let said = up.call(&["run", job, "--reason", "to see it", "-o", "json"]).ended(0).json();
        let run = said["stream"].as_str().unwrap().to_owned();
        wait_for_state(&up.data, &run, state);
        run
    };
    let holder = ask("holder", "running");
    let (first, second) = (ask("first", "due"), ask("second", "due"));
    let shown = up.call(&["lock", "show", "db", "-o", "json"]).ended(0).json();
    let wanted = json!([
        {"holds": holder, "units": 2},
        {"waits": first, "units": 1, "place": 1},
        {"waits": second, "units": 2, "place": 2},
    ]);
    assert_eq!(shown["more"], wanted, "{shown:#}");
    let text = up.call(&["lock", "show", "db"]).ended(0).out;
    assert!(
        text.contains(&format!("held      by {}, 2 of 2\n", holder.trim_start_matches("run/")))
    );
    up.call(&["cancel", "--pool", "default", "--reason", "enough", "--yes"]).ended(0);
    wait_for_state(&up.data, &holder, "cancelled");
    up.stop();
    call(&desk.data(), &["verify"]).ended(0);
}

#[test]
fn a_job_is_shown_in_words() {
    let desk = Desk::new();
    let site = desk.file("site.yaml", SITE);
    let data = desk.data();
    call(&data, &["apply", site.to_str().unwrap()]).ended(0);
    let shown = call(&data, &["job", "show", "wordy"]).ended(0).out;
    for line in [
        "calendar  not on holidays; otherwise it runs on the working day after",
        "window    02:00 to 05:00; what has not started then is skipped",
        "after     first: its last run of the same business day, succeeded or warning",
        "confirm   somebody with the role approver must say go: is it there",
        "needs     /in/a.csv",
        "lock      db",
        "parameter mode: true or false, \"true\" when not given",
    ] {
        assert!(shown.lines().any(|said| said == line), "{line} in\n{shown}");
    }
    // A pause leaves it without a next run.
    let next = || {
        let listed = call(&data, &["job", "list"]).ended(0).out;
        let line = listed.lines().find(|line| line.starts_with("wordy")).unwrap().to_owned();
        line.split_whitespace().rev().nth(1).unwrap().to_owned()
    };
    assert_eq!(next(), "UTC");
    call(&data, &["job", "pause", "wordy", "--reason", "it is ill"]).ended(0);
    assert_eq!(next(), "-");
}
