//! Limits in time, and attempts that follow one another.

use domain::event::{Event, Limit, RetryOn, RetryRule, RunEvent, RunLate};
use domain::job::{Codes, ExitCodes, JobDefinition, LengthLimit};
use domain::ledger::Mark;
use domain::run::Run;
use domain::scheduler::past::{MEASURED_MIN, percentile};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::given::{at, definition, later};
use crate::site::{Site, refused, run_id};

/// Job `pay` at two with these limits.
fn limited(sla: Value) -> Site {
    limited_with(sla, json!({}))
}

fn limited_with(sla: Value, more: Value) -> Site {
    let mut job = json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}, "sla": sla});
    job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut site = Site::new();
    site.apply(job);
    site
}

/// When what was said of limits, and what.
fn lates(site: &Site) -> Vec<(Timestamp, RunLate)> {
    let late = |(_, event, received): &(_, Event, Timestamp)| {
        let Event::RunEvent(RunEvent::RunLate(late)) = event else { return None };
        Some((*received, late.clone()))
    };
    site.world.feed.iter().filter_map(late).collect()
}

fn limits(site: &Site) -> Vec<(Timestamp, Limit)> {
    lates(site).into_iter().map(|(at, late)| (at, late.limit)).collect()
}

#[test]
fn a_run_that_has_not_started_by_its_limit_is_late_once() {
    for (by, limit) in [("10m", "02:10"), ("03:00", "03:00")] {
        let mut site = limited(json!({"start-by": by}));
        site.until(&later(at(limit), -1_000).to_string());
        assert_eq!(limits(&site), []);
        site.until("06:00");
        assert_eq!(limits(&site), [(at(limit), Limit::StartBy)], "{by}");
        assert_eq!(lates(&site)[0].1.by, Some(at(limit)));
        site.start("pay@02:00").end("pay@02:00", 0).until("07:00");
        assert_eq!(limits(&site).len(), 1);
        site.check_no_voids();
    }
    let mut site = limited(json!({"start-by": "10m"}));
    site.until("02:09").start("pay@02:00").until("06:00");
    assert_eq!(limits(&site), []);
}

#[test]
fn what_is_held_or_waits_is_late_too_and_what_is_over_is_not() {
    let mut site = limited(json!({"start-by": "10m", "finish-by": "20m"}));
    site.until("02:00").hold("pay@02:00").until("03:00");
    assert_eq!(limits(&site), [(at("02:10"), Limit::StartBy), (at("02:20"), Limit::FinishBy)]);
    let mut site =
        limited_with(json!({"start-by": "10m"}), json!({"confirm": {"role": "approver"}}));
    site.until("03:00");
    assert_eq!(limits(&site), [(at("02:10"), Limit::StartBy)]);
    let mut site = limited(json!({"start-by": "10m", "finish-by": "20m"}));
    site.until("02:00").cancel("pay@02:00").until("03:00");
    assert_eq!(limits(&site), []);
}

#[test]
fn a_run_that_has_not_ended_by_its_limit_is_late_once_also_while_it_is_tried_again() {
    let mut site = limited_with(json!({"finish-by": "30m"}), json!({"retry": {"delays": ["1h"]}}));
    site.until("02:00").start("pay@02:00").until("02:10").end("pay@02:00", 1).until("02:40");
    assert_eq!(limits(&site), [(at("02:30"), Limit::FinishBy)]);
    site.until("03:10").start("pay@02:00").until("03:20").end("pay@02:00", 0).until("04:00");
    assert_eq!(limits(&site).len(), 1);
    let mut site = limited(json!({"finish-by": "30m"}));
    site.until("02:00").start("pay@02:00").until("02:29").end("pay@02:00", 0).until("04:00");
    assert_eq!(limits(&site), []);
}

#[test]
fn what_a_person_asks_for_has_no_time_by_which_it_is_late() {
    let mut site = limited(json!({"start-by": "10m", "finish-by": "20m"}));
    site.request("pay@request-1").until("01:00");
    assert_eq!(limits(&site), []);
}

#[test]
fn limits_that_were_missed_while_no_scheduler_was_there_are_noted_when_one_is() {
    // Over and done with by then.
    let mut site = limited(json!({"start-by": "10m", "finish-by": "20m"}));
    site.until("02:00").nobody_until("02:30").start("pay@02:00").nobody_until("02:40");
    site.end("pay@02:00", 0).until("03:00");
    let noted: Vec<Limit> = limits(&site).into_iter().map(|(_, limit)| limit).collect();
    assert_eq!(noted, [Limit::StartBy, Limit::FinishBy]);
    site.check_no_voids();
    // It ended a moment after its limit, before anybody looked.
    let mut site = limited(json!({"finish-by": "20m"}));
    site.until("02:00").start("pay@02:00").nobody_until("02:20:00.5").end("pay@02:00", 0);
    site.until("03:00");
    assert_eq!(limits(&site).len(), 1);
    // And one that ended a moment before.
    let mut site = limited(json!({"finish-by": "20m"}));
    site.until("02:00").start("pay@02:00").nobody_until("02:19:59.5").end("pay@02:00", 0);
    site.until("03:00");
    assert_eq!(limits(&site), []);
}

#[test]
fn a_run_that_takes_longer_than_its_limit_is_late_while_it_runs() {
    let mut site = limited(json!({"longer-than": "20m"}));
    site.until("02:05").start("pay@02:00").until("02:24:59");
    assert_eq!(limits(&site), []);
    site.until("03:00");
    assert_eq!(limits(&site), [(at("02:25"), Limit::LongerThan)]);
    let late = lates(&site)[0].1.clone();
    assert_eq!((late.than_ms, late.from_runs, late.by), (Some(1_200_000), Some(0), None));
    site.end("pay@02:00", 0).until("04:00");
    assert_eq!(limits(&site).len(), 1);
    site.check_no_voids();
    // Each attempt is measured by itself.
    let mut site =
        limited_with(json!({"longer-than": "20m"}), json!({"retry": {"delays": ["1m"]}}));
    site.until("02:00").start("pay@02:00").until("02:15").end("pay@02:00", 1).until("02:16");
    site.start("pay@02:00").until("02:30").end("pay@02:00", 0).until("03:00");
    assert_eq!(limits(&site), []);
}

#[test]
fn a_run_that_took_shorter_than_its_limit_is_noted_when_it_has_ended_well() {
    for (minutes, code, noted) in [(1, 0, true), (9, 0, true), (10, 0, false), (1, 1, false)] {
        let mut site = limited(json!({"shorter-than": "10m"}));
        site.until("02:00").start("pay@02:00");
        site.until(&later(at("02:00"), minutes * 60_000).to_string()).end("pay@02:00", code);
        site.until("03:00");
        let wanted: &[Limit] = if noted { &[Limit::ShorterThan] } else { &[] };
        let found: Vec<Limit> = limits(&site).into_iter().map(|(_, limit)| limit).collect();
        assert_eq!(found, wanted, "{minutes} minutes, exit code {code}");
        site.check_no_voids();
    }
}

#[test]
fn percentiles_are_the_smallest_that_so_many_do_not_exceed() {
    let ten: Vec<u64> = (1..=10).collect();
    let table: &[(&[u64], u8, Option<u64>)] = &[
        (&ten, 50, Some(5)),
        (&ten, 95, Some(10)),
        (&ten, 90, Some(9)),
        (&ten, 91, Some(10)),
        (&ten, 10, Some(1)),
        (&ten, 1, Some(1)),
        (&ten, 99, Some(10)),
        (&[7], 50, Some(7)),
        (&[1, 2, 100], 50, Some(2)),
        (&[], 50, None),
    ];
    for (values, p, wanted) in table {
        assert_eq!(percentile(values, *p), *wanted, "p{p} of {values:?}");
    }
}

/// Job `pay` every hour; its runs so far took so many minutes.
fn history(sla: Value, minutes: &[i64], minds: usize) -> Site {
    let mut site = Site::with_minds(minds);
    site.apply(json!({"name": "pay", "schedule": {"cron": "0 * * * *"}, "sla": sla}));
    for (n, minutes) in minutes.iter().enumerate() {
        let hour = n + 1;
        let run = format!("pay@{hour:02}:00");
        site.until(&format!("{hour:02}:00")).start(&run);
        let end = later(at(&format!("{hour:02}:00")), minutes * 60_000);
        site.until(&end.to_string()).end(&run, 0);
    }
    site
}

#[test]
fn what_is_usual_is_known_from_five_runs_on() {
    assert_eq!(MEASURED_MIN, 5);
    // Limit, lengths of earlier runs in minutes, and the limit of the next in minutes where it has one.
    let table: &[(&str, &[i64], Option<i64>)] = &[
        ("150%", &[10, 10, 10, 10], None),
        ("150%", &[10, 10, 10, 10, 10], Some(15)),
        ("150%", &[2, 30, 10, 4, 12], Some(15)),
        ("100%", &[2, 30, 10, 4, 12, 14], Some(10)),
        ("p80", &[2, 30, 10, 4, 12], Some(12)),
        ("p95", &[2, 30, 10, 4, 12], Some(30)),
    ];
    for (limit, minutes, wanted) in table {
        let mut site = history(json!({"longer-than": limit}), minutes, 1);
        let before = limits(&site).len();
        let hour = minutes.len() + 1;
        let run = format!("pay@{hour:02}:00");
        site.until(&format!("{hour:02}:00")).start(&run).until(&format!("{hour:02}:50"));
        let found = limits(&site)[before..].to_vec();
        let due = at(&format!("{hour:02}:00"));
        let wanted: Vec<(Timestamp, Limit)> =
            wanted.iter().map(|m| (later(due, m * 60_000), Limit::LongerThan)).collect();
        assert_eq!(found, wanted, "{limit} of {minutes:?}");
        if let Some((_, late)) = lates(&site).get(before) {
            assert_eq!(late.from_runs, Some(u32::try_from(minutes.len()).unwrap()));
        }
        site.check_no_voids();
    }
}

#[test]
fn what_is_usual_is_known_also_to_a_scheduler_that_has_just_started() {
    let mut site = history(json!({"longer-than": "150%", "shorter-than": "50%"}), &[10; 5], 1);
    site.until("06:00").start("pay@06:00").until("06:01").restart().until("06:50");
    assert_eq!(limits(&site), [(at("06:15"), Limit::LongerThan)]);
    site.end("pay@06:00", 0).until("07:00").start("pay@07:00").restart().until("07:02");
    site.end("pay@07:00", 0).until("07:30");
    assert_eq!(limits(&site)[1].1, Limit::ShorterThan);
    site.check_no_voids();
}

#[test]
fn only_runs_that_did_their_work_say_what_is_usual() {
    let mut site = Site::new();
    let sla = json!({"longer-than": "100%"});
    site.apply(json!({"name": "pay", "schedule": {"cron": "0 * * * *"}, "sla": sla}));
    for hour in 1..=9 {
        let run = format!("pay@{hour:02}:00");
        site.until(&format!("{hour:02}:00")).start(&run);
        // Four do their work in ten minutes, five fail after one.
        let (minutes, code) = if hour % 2 == 0 { (10, 0) } else { (1, 1) };
        site.until(&format!("{hour:02}:{minutes:02}")).end(&run, code);
    }
    site.until("10:00").start("pay@10:00").until("10:50");
    assert_eq!(limits(&site), []);
}

#[test]
fn each_limit_is_noted_once_also_by_two_schedulers() {
    let sla =
        json!({"start-by": "10m", "finish-by": "40m", "longer-than": "20m", "shorter-than": "50m"});
    let mut site = Site::with_minds(2);
    site.apply(json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}, "sla": sla}));
    site.until("02:15").start("pay@02:00").until("02:50").end("pay@02:00", 0).until("04:00");
    let found: Vec<Limit> = limits(&site).into_iter().map(|(_, limit)| limit).collect();
    assert_eq!(found, [Limit::StartBy, Limit::LongerThan, Limit::FinishBy, Limit::ShorterThan]);
    site.check_no_voids();
    // The recorder takes none twice.
    let late = lates(&site)[0].1.clone();
    let now = site.now;
    let mark = site.world.say_next("scheduler/s1", run_id("pay@02:00"), late, now);
    assert_eq!(refused(&mark), "run.late cannot follow while the run is succeeded");
}

#[test]
fn a_length_limit_is_a_duration_a_percentage_or_a_percentile() {
    for (text, wanted) in [
        ("2h", Some("2h")),
        ("90m", Some("1h30m")),
        ("150%", Some("150%")),
        ("p95", Some("p95")),
        ("p1", Some("p1")),
        ("p0", None),
        ("p100", None),
        ("0%", None),
        ("10001%", None),
        ("-5%", None),
        ("often", None),
        ("", None),
    ] {
        let read = text.parse::<LengthLimit>().ok().map(|limit| limit.to_string());
        assert_eq!(read.as_deref(), wanted, "{text}");
    }
}

// Attempts.

#[test]
fn a_wait_varies_by_at_most_its_percentage_and_is_the_same_for_whoever_computes_it() {
    let run = |name: &str, delays: &[u64], jitter: u8| -> Run {
        let mut site = Site::new();
        let mut run = site.apply(json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}}));
        run = run.until("02:00");
        let mut run = run.run("pay@02:00").clone();
        run.id = crate::given::stream(name);
        let (delays_ms, on) = (delays.to_vec(), vec![RetryOn::Failed]);
        run.retry = RetryRule { delays_ms, on, jitter_percent: jitter, ..RetryRule::default() };
        run
    };
    for (delay, jitter) in
        [(60_000, 10_u64), (60_000, 100), (1_000, 50), (100, 1), (7, 50), (0, 50)]
    {
        let (mut least, mut most) = (u64::MAX, 0);
        for n in 0..500 {
            let name = format!("run/pay@request-{n}");
            let one = run(&name, &[delay], u8::try_from(jitter).unwrap());
            let wait = one.delay_ms_before(2);
            assert_eq!(wait, one.clone().delay_ms_before(2));
            (least, most) = (least.min(wait), most.max(wait));
            if n >= 40 && delay < 60_000 {
                break;
            }
        }
        let span = delay * jitter / 100;
        assert!(delay - span <= least && most <= delay + span, "{delay} {jitter}: {least} {most}");
        // It is spread over most of the range.
        if span > 1_000 {
            assert!(most - least > span, "{delay} {jitter}: {least} {most}");
        }
    }
    let one = run("run/pay@request-1", &[60_000, 60_000], 50);
    assert_ne!(one.delay_ms_before(2), one.delay_ms_before(3), "each attempt draws anew");
    assert_eq!(run("run/pay@request-1", &[60_000], 0).delay_ms_before(2), 60_000);
    assert_eq!(one.delay_ms_before(9), 0);
}

#[test]
fn an_attempt_follows_after_the_wait_that_was_drawn_whichever_scheduler_says_so() {
    let mut waits = Vec::new();
    for minds in [1, 2] {
        let mut site = Site::with_minds(minds);
        site.apply(json!({
            "name": "pay", "schedule": {"cron": "0 2 * * *"},
            "retry": {"delays": ["10m", "10m"], "jitter-percent": 50},
        }));
        site.until("02:00").start("pay@02:00").end("pay@02:00", 1).until("02:30");
        site.offers();
        site.start("pay@02:00").end("pay@02:00", 1).until("03:00");
        let scheduled = site.world.feed.iter().filter_map(|(_, event, _)| {
            let Event::RunEvent(RunEvent::RunRetryScheduled(e)) = event else { return None };
            Some(e.not_before)
        });
        waits.push(scheduled.collect::<Vec<_>>());
        site.check_no_voids();
    }
    assert_eq!(waits[0], waits[1]);
    let [first, second] = waits[0][..] else { panic!("{waits:?}") };
    assert!((at("02:05")..=at("02:15")).contains(&first) && first != at("02:10"), "{first}");
    assert!((at("02:35")..=at("02:45")).contains(&second), "{second}");
}

#[test]
fn exit_codes_are_numbers_and_ranges() {
    let codes: ExitCodes = serde_json::from_value(
        json!({"ok": [0, "10-19"], "warning": [4, "6 - 7"], "retry": ["75-75", 111]}),
    )
    .unwrap();
    let has = |list: &[Codes], codes: &[i32]| {
        codes.iter().map(|code| ExitCodes::has(list, *code)).collect::<Vec<_>>()
    };
    assert_eq!(
        has(&codes.ok, &[0, 1, 9, 10, 15, 19, 20]),
        [true, false, false, true, true, true, false]
    );
    assert_eq!(has(&codes.warning, &[4, 5, 6, 7, 8]), [true, false, true, true, false]);
    assert_eq!(has(&codes.retry, &[75, 111, 76]), [true, true, false]);
    let back = serde_json::to_value(&codes).unwrap();
    assert_eq!(back, json!({"ok": [0, "10-19"], "warning": [4, "6-7"], "retry": [75, 111]}));
    for bad in [
        json!([-1]),
        json!([256]),
        json!(["19-10"]),
        json!(["a-b"]),
        json!(["1-300"]),
        json!([1.5]),
    ] {
        let read = serde_json::from_value::<ExitCodes>(json!({"ok": bad}));
        assert!(read.is_err(), "{bad}");
    }
}

#[test]
fn only_failures_that_are_worth_it_are_tried_again() {
    let job = |more: Value| {
        let mut job = json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}});
        job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        job
    };
    let codes = || json!({"retry": {"delays": ["1m"]}, "exit-codes": {"retry": [75, "100-110"]}});
    let on = |on: Value| json!({"retry": {"delays": ["1m"], "on": on}});
    // The rule, how the first attempt ended, and whether another follows.
    let table = [
        (codes(), "75", true),
        (codes(), "105", true),
        (codes(), "1", false),
        (codes(), "timed out", true),
        (json!({"retry": {"delays": ["1m"]}}), "1", true),
        (json!({"retry": {"delays": ["1m"]}}), "timed out", true),
        (on(json!(["timed-out"])), "1", false),
        (on(json!(["timed-out"])), "timed out", true),
        (on(json!(["failed"])), "timed out", false),
        (json!({"retry": {"delays": ["1m"]}}), "lost", false),
        (json!({"restartable": true, "retry": {"delays": ["1m"], "on": ["lost"]}}), "lost", true),
        (json!({"retry": {"delays": ["1m"]}}), "stopped", false),
        (json!({}), "1", false),
    ];
    for (more, how, again) in table {
        let mut site = Site::new();
        site.apply(job(more.clone())).host("h2", &["default"], &[]);
        site.until("02:00").start("pay@02:00").offers();
        match how {
            "timed out" => site.time_out("pay@02:00"),
            "stopped" => site.cancel("pay@02:00").stopped("pay@02:00"),
            "lost" => {
                site.heard.remove("h1");
                &mut site
            }
            code => site.end("pay@02:00", code.parse().unwrap()),
        };
        site.until("02:30");
        let offers: &[&str] = if again { &["pay@02:00#2"] } else { &[] };
        assert_eq!(site.offers(), offers, "{more} after {how}");
        site.check_no_voids();
    }
}

#[test]
fn a_failure_without_an_exit_code_is_none_of_those_named() {
    let mut site = Site::new();
    site.apply(json!({
        "name": "pay", "schedule": {"cron": "0 2 * * *"}, "retry": {"delays": ["1m"]},
        "exit-codes": {"retry": [75]},
    }));
    site.until("02:00").start("pay@02:00").offers();
    let RunEvent::RunFailed(mut failed) = crate::given::golden_run("run.failed") else { panic!() };
    failed.attempt = 1;
    failed.report.attempt = 1;
    failed.report.end = domain::event::CommandEnd::Signaled { signal: 11 };
    failed.host = "h1".to_owned();
    failed.report.host = "h1".to_owned();
    let now = site.now;
    assert_eq!(site.world.say_next("executor/h1", run_id("pay@02:00"), failed, now), Mark::Valid);
    site.until("02:30");
    assert_eq!(site.state("pay@02:00"), "failed");
}

#[test]
fn who_asks_for_lost_runs_to_be_tried_again_says_that_they_may_be_started_twice() {
    let fields = json!({"name": "a", "command": {"argv": ["x"]}, "retry": {"on": ["lost"]}});
    let job: JobDefinition = serde_json::from_value(fields).unwrap();
    let found: Vec<String> = job.problems().into_iter().map(|p| p.field).collect();
    assert_eq!(found, ["retry.on"]);
    let job = definition(json!({"retry": {"on": ["lost"]}, "restartable": true}));
    assert_eq!(job.problems(), []);
}
