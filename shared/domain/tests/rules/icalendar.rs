//! What will run when, for other programs.

use domain::icalendar::{Feed, Range};
use domain::job::OrderAct;
use serde_json::{Value, json};

use crate::given::at;
use crate::recorder::Recorder;
use crate::site::Site;

fn feed(site: &Site, to: &str, job: Option<&str>, pool: Option<&str>) -> String {
    let (job, pool) = (job.map(str::to_owned), pool.map(str::to_owned));
    let mut feed = Feed::new(Range { from: at("00:00"), to: at(to), job, pool });
    Recorder::new(&site.world).answer_all(&mut feed);
    feed.text(site.now)
}

/// The lines of the event of an occurrence, unfolded.
fn event(text: &str, uid: &str) -> Vec<String> {
    let text = text.replace("\r\n ", "");
    let events = text.split("BEGIN:VEVENT\r\n").skip(1);
    let wanted = format!("UID:{uid}@log.example/decklog");
    let of = |event: &&str| event.lines().any(|line| line == wanted);
    let found = events.into_iter().find(of).unwrap_or_else(|| panic!("{uid} is not in {text}"));
    found.split("END:VEVENT").next().unwrap().lines().map(str::to_owned).collect()
}

fn job(name: &str, more: Value) -> Value {
    let mut all = json!({"name": name, "schedule": {"cron": "0 1 * * *"}});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

fn site() -> Site {
    let mut site = Site::new();
    site.apply(json!({"kind": "calendar", "name": "holidays", "days": {"dates": {"2026-11-20": "Founders, and; others"}}}));
    site.apply(job("pay", json!({"zone": "America/New_York"})));
    site.apply(job("off", json!({"calendar": {"not-on": ["holidays"]}})));
    site.apply(job("moved", json!({"pool": "big"})));
    site.order("moved@01:00", OrderAct::Move(at("02:30")));
    site.request("moved@request-1").until("00:10").start("moved@request-1");
    site.until("00:30").end("moved@request-1", 0);
    site
}

#[test]
fn an_event_says_when_how_long_and_what_and_keeps_its_name_when_it_is_moved() {
    let text = feed(&site(), "2026-11-21T00:00:00Z", None, None);
    assert_eq!(
        event(&text, "moved@2026-11-20T01:00:00Z"),
        [
            "UID:moved@2026-11-20T01:00:00Z@log.example/decklog",
            "DTSTAMP:20261120T003000Z",
            "DTSTART:20261120T023000Z",
            "DURATION:PT1200S",
            "SUMMARY:moved",
            "CATEGORIES:big",
            "DESCRIPTION:Will run.\\nmoved to 2026-11-20T02:30:00Z: because\\n2026-11-20T01:00:00+00:00[UTC]\\, business day 2026-11-20\\, pool big",
            "STATUS:CONFIRMED",
            "TRANSP:TRANSPARENT",
        ]
    );
    let pay = event(&text, "pay@2026-11-20T06:00:00Z");
    assert!(pay.contains(&"DTSTART:20261120T060000Z".to_owned()), "{pay:#?}");
    assert!(!pay.iter().any(|line| line.starts_with("DURATION")), "it has never run: {pay:#?}");
}

#[test]
fn what_will_not_run_is_a_cancelled_event_with_the_reason() {
    let text = feed(&site(), "2026-11-21T00:00:00Z", None, None);
    let off = event(&text, "off@2026-11-20T01:00:00Z");
    assert!(off.contains(&"STATUS:CANCELLED".to_owned()), "{off:#?}");
    let why = "DESCRIPTION:Will not run: 2026-11-20 is in holidays (Founders\\, and\\; others).";
    assert!(off.iter().any(|line| line.starts_with(why)), "{off:#?}");
}

#[test]
fn a_calendar_holds_only_what_was_asked_for_and_is_never_empty() {
    let site = site();
    let count = |to: &str, job: Option<&str>, pool: Option<&str>| {
        feed(&site, to, job, pool).matches("BEGIN:VEVENT").count()
    };
    assert_eq!(count("2026-11-21T00:00:00Z", None, None), 3);
    assert_eq!(count("2026-11-22T00:00:00Z", Some("pay"), None), 2);
    assert_eq!(count("2026-11-22T00:00:00Z", None, Some("big")), 2);
    assert_eq!(count("01:00", None, None), 0, "the end is exclusive");
    let nothing = feed(&site, "01:00", None, None);
    assert!(nothing.contains("BEGIN:VFREEBUSY\r\n"), "{nothing}");
    assert!(nothing.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:"), "{nothing}");
    assert!(nothing.ends_with("END:VCALENDAR\r\n"), "{nothing}");
    assert!(!nothing.replace("\r\n", "").contains(['\r', '\n']), "{nothing}");
}
