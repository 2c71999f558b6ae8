//! What operators will not do without, and what they complain of elsewhere: each a scenario that fails when the promise
//! is broken. The numbers are those of the survey that was made before the project began.

use std::collections::BTreeMap;

use domain::event::{
    AttemptReport, Event, JobLeaseGranted, Resolution, RunEvent, RunNeedsUnmet, RunReported,
    RunResolved,
};
use domain::forecast::{Planned, SiteView, forecast};
use domain::ids::StreamId;
use domain::job::OrderAct;
use domain::ledger::{Mark, Streams as _};
use domain::site::ThingKind;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::calendars::schedule;
use crate::given::{at, golden, golden_run, later};
use crate::site::{Site, refused, run_id, short};

fn job(name: &str, cron: &str, more: Value) -> Value {
    let mut job = json!({"name": name, "schedule": {"cron": cron}});
    job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    job
}

/// Job `pay` with these fields.
fn pay(cron: &str, more: Value) -> Site {
    let mut site = Site::new();
    site.apply(job("pay", cron, more));
    site
}

/// What is planned in a range, as the site stands.
fn plan(site: &Site, from: &str, to: &str) -> Vec<Planned> {
    let streams = &site.world.streams.0;
    let things = streams
        .iter()
        .filter_map(|(id, state)| Some((id.stream_type().thing()?, state.body.thing()?)));
    let view = SiteView::of(things);
    let jobs = streams.values().filter_map(|state| state.body.job());
    forecast(jobs, |_| true, (at(from), at(to)), 1_000, &view).planned
}

/// How often each run was started.
fn starts(site: &Site) -> BTreeMap<String, usize> {
    let mut starts = BTreeMap::new();
    for (envelope, event, _) in &site.world.feed {
        if event.kind() == "run.started" {
            *starts.entry(short(&envelope.subject)).or_default() += 1;
        }
    }
    starts
}

// The fifteen.

#[test]
fn must_01_cron_and_calendars_with_four_ways_to_move_and_last_working_and_fiscal_days() {
    // Thanksgiving is the Thursday of the week that follows; the month ends on a Monday.
    let mut site = Site::new();
    site.apply(json!({"kind": "calendar", "name": "us", "days": {"any-of": [
        {"weekdays": ["saturday", "sunday"]}, {"yearly": {"month": 11, "weekday": "thursday", "nth": 4}}]}}));
    site.apply(json!({"kind": "calendar", "name": "periods", "fiscal": {"weeks": {
        "pattern": "4-4-5", "year-ends": {"weekday": "friday", "month": 11, "which": "last"}}}}));
    for otherwise in ["skip", "run", "previous", "next"] {
        let rule = json!({"not-on": ["us"], "otherwise": otherwise});
        site.apply(job(otherwise, "0 9 26 11 *", json!({"calendar": rule})));
    }
    let last = json!({"only-on": [{"working-day": {"nth": [-1], "of": "month"}}]});
    site.apply(job("last", "0 9 * * *", json!({"calendar": last})));
    let year_end = json!({"only-on": [{"period-day": {"nth": [-1], "of": "fiscal-year", "fiscal": "periods"}}]});
    site.apply(job("year-end", "0 9 * * *", json!({"calendar": year_end})));
    site.serve(60_000).until("2026-12-01T00:00:00Z");
    let ran: Vec<String> = starts(&site).into_keys().collect();
    let wanted = [
        "last@2026-11-30T09:00+00:00",
        "next@2026-11-27T09:00+00:00",
        "previous@2026-11-25T09:00+00:00",
        "run@2026-11-26T09:00+00:00",
        "year-end@2026-11-27T09:00+00:00",
    ];
    assert_eq!(ran, wanted);
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn must_02_a_zone_per_schedule_and_a_right_default_for_lists_on_days_of_clock_changes() {
    // New York: forward on 14 March 2027, back on 7 November.
    let table = [
        ("30 2,14 * * *", "2027-03-14T05:00:00Z", vec!["03:30-04:00", "14:30-04:00"]),
        ("0,30 2 * * *", "2027-03-14T05:00:00Z", vec!["03:00-04:00", "03:30-04:00"]),
        ("30 2-3 * * *", "2027-03-14T05:00:00Z", vec!["03:30-04:00"]),
        ("30 1,13 * * *", "2027-11-07T04:00:00Z", vec!["01:30-04:00", "13:30-05:00"]),
    ];
    for (cron, day, wanted) in table {
        let mut site = Site::new();
        site.nobody_until(day);
        site.apply(job("pay", cron, json!({"zone": "America/New_York"}))).serve(1_000);
        let end = later(at(day), 22 * 3_600_000).to_string();
        site.until(&end);
        let ran: Vec<String> =
            starts(&site).keys().map(|run| run.split_once('T').unwrap().1.to_owned()).collect();
        assert_eq!(ran, wanted, "{cron}");
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn must_03_every_occurrence_is_in_the_plan_and_one_is_held_released_skipped_moved_or_run_now() {
    let mut site = pay("0 * * * *", json!({"overlap": {"queue-all": {"limit": 9}}}));
    site.order("pay@01:00", OrderAct::Hold).order("pay@02:00", OrderAct::Skip);
    site.order("pay@03:00", OrderAct::Move(at("03:30")));
    site.order("pay@04:00", OrderAct::Move(at("00:10")));
    let planned = plan(&site, "00:30", "05:30");
    let told: Vec<String> = planned
        .iter()
        .map(|one| {
            let note = one.note.as_deref().or(one.skipped.as_deref()).unwrap_or("runs");
            format!("{} {note}", one.at)
        })
        .collect();
    let wanted = [
        "2026-11-20T00:10:00Z moved to 2026-11-20T00:10:00Z: because",
        "2026-11-20T01:00:00Z held: because",
        "2026-11-20T02:00:00Z somebody said so: because",
        "2026-11-20T03:30:00Z moved to 2026-11-20T03:30:00Z: because",
        "2026-11-20T05:00:00Z runs",
    ];
    assert_eq!(told, wanted);
    site.serve(60_000).until("01:30").release("pay@01:00").until("05:30");
    let wanted: BTreeMap<String, usize> =
        ["pay@01:00", "pay@03:00", "pay@04:00", "pay@05:00"].map(|run| (run.to_owned(), 1)).into();
    assert_eq!(starts(&site), wanted);
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn must_04_catch_up_per_schedule_none_last_all_with_limit_hold_and_each_miss_is_recorded() {
    let table = [
        (json!("none"), 0, 5, 0),
        (json!("last"), 1, 4, 0),
        (json!({"all": {"limit": 3}}), 3, 2, 0),
        (json!({"all": {"limit": 99}}), 5, 0, 0),
        (json!("hold"), 0, 4, 1),
    ];
    for (catch_up, ran, missed, held) in table {
        let mut site = pay("0 * * * *", json!({"catch-up": catch_up}));
        site.serve(60_000).nobody_until("05:30").until("05:50");
        let state = |word: &str| {
            (1..=5).filter(|hour| site.state(&format!("pay@0{hour}:00")) == word).count()
        };
        let found = (state("succeeded"), state("missed"), state("held"));
        assert_eq!(found, (ran, missed, held), "{catch_up}");
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn must_05_overlap_per_schedule_skip_queue_one_queue_all_kill_old() {
    let table = [
        (json!("skip"), ["running", "skipped", "skipped"]),
        (json!("queue-one"), ["running", "due", "skipped"]),
        (json!({"queue-all": {"limit": 5}}), ["running", "due", "due"]),
        (json!("cancel-running"), ["running", "cancelled", "due"]),
    ];
    for (overlap, wanted) in table {
        let mut site = pay("0 1,2,3 * * *", json!({"overlap": overlap}));
        site.until("01:00").start("pay@01:00").until("03:30");
        let states = ["01", "02", "03"].map(|hour| site.state(&format!("pay@{hour}:00")));
        assert_eq!(states, wanted, "{overlap}");
        let killed = site.run("pay@01:00").cancel.is_some();
        assert_eq!(killed, overlap == json!("cancel-running"));
        // Nothing starts beside what runs, whatever the rule.
        for hour in ["02", "03"] {
            assert!(matches!(
                site.try_start(&format!("pay@{hour}:00"), "h1"),
                Mark::Refused { .. }
            ));
        }
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn must_06_dependencies_in_a_flow_and_across_flows_by_business_day_files_and_a_persons_word() {
    let mut site = Site::new();
    site.apply_file("kind: flow\nname: bank\nschedule: { cron: '0 1 * * *' }\njobs:\n  fetch: { command: { argv: [x] } }\n  check: { command: { argv: [x] }, after: [fetch], confirm: { role: approver } }\n");
    site.apply(job(
        "pay",
        "0 2 * * *",
        json!({"after": ["bank.check"], "needs": [{"file": "/in/a.csv"}]}),
    ));
    site.until("01:00").start("bank.fetch@01:00").end("bank.fetch@01:00", 0).until("02:10");
    assert_eq!((site.state("bank.check@01:00"), site.state("pay@02:00")), ("waiting", "waiting"));
    assert_eq!(site.try_confirm("user/bob", "bank.check@01:00"), Mark::Valid);
    site.until("02:11").start("bank.check@01:00").end("bank.check@01:00", 0).until("02:12");
    assert_eq!(site.state("pay@02:00"), "due");
    // The host says what it waits for, and takes the run when it is there.
    let unmet = vec!["/in/a.csv is not there".to_owned()];
    let needs = RunNeedsUnmet { host: "h1".to_owned(), unmet };
    let now = site.now;
    assert_eq!(site.world.say_next("executor/h1", run_id("pay@02:00"), needs, now), Mark::Valid);
    site.feed();
    assert_eq!(site.why("pay@02:00"), ["host h1 waits: /in/a.csv is not there"]);
    site.until("02:30").start("pay@02:00").end("pay@02:00", 0);
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn must_07_named_counted_locks_and_limits_hold_whatever_schedulers_think() {
    let mut site = Site::new();
    site.apply(json!({"kind": "lock", "name": "tape", "units": 2}));
    for name in ["a", "b", "c", "d"] {
        site.apply(job(name, "0 1 * * *", json!({"locks": ["tape"]})));
    }
    site.until("01:00");
    let marks: Vec<bool> = ["a", "b", "c", "d"]
        .map(|name| site.try_start(&format!("{name}@01:00"), "h1") == Mark::Valid)
        .into();
    assert_eq!(marks, [true, true, false, false]);
}

#[test]
fn must_08_a_host_runs_what_is_planned_while_the_centre_is_away() {
    let more = json!({"host": "h1", "autonomy": {"lease": "4h"}});
    let mut site = pay("0 * * * *", more);
    site.until("01:30");
    let definition = site.requested("pay@x", None, false).definition;
    let (host, from, until) = ("h1".to_owned(), at("01:30"), at("04:30"));
    let lease = JobLeaseGranted { host, definition: definition.clone(), from, until };
    let granted = site.world.say_next("scheduler/s1", StreamId::job("pay"), lease, at("01:30"));
    assert_eq!(granted, Mark::Valid);
    site.until("04:40");
    // The centre leaves it to the host, and the host reports when it comes back.
    assert!(!site.exists("pay@03:00"));
    let mut after = None;
    for hour in ["02:00", "03:00", "04:00"] {
        let (run, mut due) = crate::given::due(definition.clone(), at(hour));
        (due.host, due.pool) = (Some("h1".to_owned()), "default".to_owned());
        due.nominal.as_mut().unwrap().after = after.replace(at(hour));
        assert_eq!(
            site.world.say_next("executor/h1", run, due, at("04:40")),
            Mark::Valid,
            "{hour}"
        );
    }
    let (run, due) = crate::given::due(definition, at("05:00"));
    let mark = site.world.say_next("executor/h1", run, due, at("05:00"));
    assert!(refused(&mark).contains("has no leave to decide"), "{mark:?}");
    site.serve(60_000).until("05:30");
    assert!(site.exists("pay@05:00"));
    site.check_whole();
}

#[test]
fn must_09_retries_with_delay_and_exit_codes_that_say_which() {
    let more = json!({
        "retry": {"delays": ["5m", "10m"]}, "exit-codes": {"ok": [0, "3-5"], "retry": [75]}});
    let mut site = pay("0 1 * * *", more);
    site.until("01:00").start("pay@01:00").end("pay@01:00", 75).until("01:04:59");
    assert_eq!(site.offers(), ["pay@01:00#1"]);
    site.until("01:05");
    assert_eq!(site.offers(), ["pay@01:00#2"]);
    site.start("pay@01:00").end("pay@01:00", 1).until("02:00");
    assert_eq!((site.offers(), site.state("pay@01:00")), (vec![], "failed"));
}

#[test]
fn must_10_a_failed_step_is_run_again_by_a_person_with_a_reason_and_the_rest_follows() {
    let mut site = Site::new();
    site.apply_file("kind: flow\nname: f\nschedule: { cron: '0 1 * * *' }\njobs:\n  a: { command: { argv: [x] } }\n  b: { command: { argv: [x] }, after: [a] }\n  c: { command: { argv: [x] }, after: [b] }\n");
    site.until("01:00").start("f.a@01:00").end("f.a@01:00", 0).until("01:01");
    site.start("f.b@01:00").end("f.b@01:00", 1).until("01:10");
    assert_eq!(site.state("f.c@01:00"), "blocked");
    site.rerun("f.b@request-1", "f.b@01:00").until("01:11");
    site.start("f.b@request-1").end("f.b@request-1", 0).until("01:12");
    assert_eq!(site.offers().last().unwrap(), "f.c@01:00#1");
    assert_eq!(site.run("f.a@01:00").attempts.len(), 1, "what went well is not repeated");
    let asked = site.world.feed.iter().find(|(_, event, _)| event.kind() == "run.requested");
    let (envelope, event, _) = asked.unwrap();
    let Event::RunEvent(RunEvent::RunRequested(requested)) = event else { panic!() };
    assert_eq!((envelope.actor.as_deref(), requested.reason.as_str()), (Some("user/ana"), "x"));
}

#[test]
fn must_12_failed_not_started_not_finished_too_long_and_too_short_are_each_an_event() {
    let sla =
        json!({"start-by": "10m", "finish-by": "30m", "longer-than": "15m", "shorter-than": "5m"});
    let kinds = |site: &Site| -> Vec<&'static str> {
        let kinds = site.world.feed.iter().map(|(_, event, _)| event.kind());
        kinds.filter(|kind| matches!(*kind, "run.late" | "run.failed")).collect()
    };
    let mut site = pay("0 1 * * *", json!({"sla": sla}));
    site.until("01:12").start("pay@01:00").until("01:40").end("pay@01:00", 1).until("02:00");
    assert_eq!(kinds(&site), ["run.late", "run.late", "run.late", "run.failed"]);
    let mut site = pay("0 1 * * *", json!({"sla": {"shorter-than": "5m"}}));
    site.until("01:00").start("pay@01:00").until("01:01").end("pay@01:00", 0).until("02:00");
    assert_eq!(kinds(&site), ["run.late"]);
}

#[test]
fn must_13_when_a_scheduler_fails_the_other_does_all_it_did_once_and_orphans_show_in_minutes() {
    for stuck in [0, 1] {
        let mut site = Site::with_minds(2);
        site.stuck.insert(stuck);
        site.apply(json!({"kind": "lock", "name": "db"}));
        let late = json!({"start-by": "20m"});
        site.apply(job("load", "0 1 * * *", json!({"retry": {"delays": ["5m"]}, "locks": ["db"]})));
        site.apply(job("pay", "0 2 * * *", json!({"after": ["load"], "sla": late})));
        site.until("01:00:05").start("load@01:00").end("load@01:00", 1).until("01:05:10");
        site.start("load@01:00").until("02:30").end("load@01:00", 0).until("02:31");
        site.start("pay@02:00").until("02:40");
        let wanted = [
            "load@01:00 runs",
            "load@01:00 is tried again at 01:05:05",
            "pay@02:00 runs",
            "pay@02:00 late: StartBy",
            "pay@02:00 cleared by load@01:00",
        ];
        assert_eq!(site.news(), wanted, "scheduler {stuck} is stuck");
        // Its host dies with it.
        site.heard.clear();
        site.until("02:45");
        assert_eq!(site.state("pay@02:00"), "unknown");
        assert_eq!(starts(&site)["pay@02:00"], 1);
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn must_14_who_did_what_to_a_single_run_and_why_stands_in_the_log() {
    let mut site = pay("0 * * * *", json!({}));
    site.order("pay@01:00", OrderAct::Hold).until("01:10").release("pay@01:00");
    site.cancel("pay@01:00").until("01:20");
    let said: Vec<(String, Option<&str>)> = site
        .world
        .feed
        .iter()
        .filter(|(_, event, _)| {
            let by_people = ["job.occurrence-held", "run.released", "run.cancel-requested"];
            by_people.contains(&event.kind())
        })
        .map(|(envelope, event, _)| (event.kind().to_owned(), envelope.actor.as_deref()))
        .collect();
    let ana = Some("user/ana");
    let wanted = ["job.occurrence-held", "run.released", "run.cancel-requested"];
    assert_eq!(said, wanted.map(|kind| (kind.to_owned(), ana)));
    let job = site.world.streams.get(&StreamId::job("pay")).unwrap().body.job().unwrap();
    let order = &job.orders[&at("01:00")];
    assert_eq!((order.by.as_deref(), order.reason.as_str()), (ana, "because"));
}

// The complaints, as far as they are about time and flow.

#[test]
fn complaint_01_two_schedulers_do_not_fire_a_job_twice() {
    // Also where neither hears of the other.
    for deaf in [false, true] {
        let mut site = Site::with_minds(2);
        site.apply(job("pay", "*/10 * * * *", json!({}))).serve(60_000);
        if deaf {
            for hour in 0..24 {
                let clock = at(&format!("{hour:02}:00"));
                site.now = clock.max(site.now);
                site.tick(0);
                site.tick(1);
                site.feed();
            }
        }
        site.until("23:55");
        assert!(starts(&site).values().all(|times| *times == 1));
        site.check_whole();
    }
}

#[test]
fn complaint_02_what_two_schedulers_decide_at_the_same_moment_is_decided_once() {
    let mut site = Site::with_minds(2);
    for n in 0..200 {
        site.apply(job(&format!("j{n}"), "0 1 * * *", json!({})));
    }
    // Both act before either has heard of anything.
    site.now = at("01:00");
    for _ in 0..4 {
        site.tick(0);
        site.tick(1);
    }
    let due = site.world.feed.iter().filter(|(_, event, _)| event.kind() == "run.due").count();
    assert_eq!(due, 200);
    site.serve(60_000).until("01:30");
    assert_eq!(starts(&site).len(), 200);
    assert!(starts(&site).values().all(|times| *times == 1));
    site.check_whole();
}

#[test]
fn complaint_03_work_is_not_started_again_while_the_first_still_runs() {
    // Nobody hears its host for hours.
    let mut site = pay("0 1 * * *", json!({"retry": {"delays": ["1m"]}}));
    site.host("h2", &["default"], &[]).until("01:00").start("pay@01:00");
    site.heard.remove("h1");
    site.until("06:00");
    assert_eq!(site.state("pay@01:00"), "unknown");
    assert!(matches!(site.try_start("pay@01:00", "h2"), Mark::Refused { .. }));
    assert_eq!(starts(&site)["pay@01:00"], 1);
    // It was there all the time.
    site.heard.insert("h1".to_owned(), 8);
    site.end("pay@01:00", 0);
    assert_eq!(site.state("pay@01:00"), "succeeded");
}

#[test]
fn complaint_04_forbid_overlap_holds_also_for_requests_retries_and_unknown_runs() {
    let mut site = pay("0 * * * *", json!({"overlap": "skip", "retry": {"delays": ["2h"]}}));
    site.host("h2", &["default"], &[]);
    // A request while it runs, an occurrence while it waits to be tried again.
    site.until("01:00").start("pay@01:00").request("pay@request-1").until("01:10");
    site.end("pay@01:00", 1).until("02:10");
    let states = ["pay@request-1", "pay@02:00"].map(|run| site.state(run));
    assert_eq!(states, ["skipped", "skipped"]);
    site.until("03:10").start("pay@01:00");
    site.heard.remove("h1");
    site.until("04:10");
    assert_eq!((site.state("pay@01:00"), site.state("pay@04:00")), ("unknown", "skipped"));
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn complaint_05_a_long_job_that_is_heard_is_never_called_dead() {
    let mut site =
        pay("0 1 * * *", json!({"restartable": true, "retry": {"delays": ["1m"], "on": ["lost"]}}));
    site.until("01:00").start("pay@01:00").until("23:59");
    assert_eq!(site.state("pay@01:00"), "running");
    assert_eq!(starts(&site)["pay@01:00"], 1);
}

#[test]
fn complaint_06_a_change_of_schedulers_loses_no_run_and_what_nobody_started_is_on_record() {
    let mut site = Site::with_minds(2);
    site.apply(job("pay", "*/5 * * * *", json!({"catch-up": "none"}))).serve(1_000);
    for hour in 0..6 {
        // Each dies in its turn; for a quarter of an hour there is none.
        site.stuck = [hour % 2].into();
        site.until(&format!("0{hour}:40"));
        site.restart().nobody_until(&format!("0{hour}:55"));
    }
    site.stuck.clear();
    site.until("06:30");
    let accounted = site.accounted();
    assert_eq!((accounted.expected, accounted.recorded), (78, 78));
    site.check_whole();
    assert!(starts(&site).len() > 50);
}

#[test]
fn complaint_07_a_schedule_is_tied_to_no_server() {
    let mut site = Site::with_minds(2);
    site.apply(job("pay", "0 * * * *", json!({}))).serve(1_000).until("03:30");
    // The first two are gone for good; one that has never been there takes over.
    site.minds = Site::with_minds(1).minds;
    site.restart().until("06:30");
    assert_eq!(starts(&site).len(), 6);
    site.check_whole();
}

#[test]
fn complaint_08_more_than_a_hundred_misses_do_not_stop_a_job() {
    for catch_up in [json!("none"), json!("last"), json!({"all": {"limit": 5}})] {
        let mut site = pay("* * * * *", json!({"catch-up": catch_up}));
        site.serve(1_000).nobody_until("05:00:30").until("05:20");
        assert_eq!(site.state("pay@05:19"), "succeeded", "{catch_up}");
        let accounted = site.accounted();
        assert_eq!((accounted.expected, accounted.recorded), (320, 320));
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn complaint_09_a_run_that_did_not_happen_has_a_name_and_a_reason() {
    let mut site = pay("0 * * * *", json!({"catch-up": "none"}));
    site.nobody_until("02:30").until("02:31").pause("pay").until("03:30").resume("pay");
    site.until("04:00").start("pay@04:00").until("05:30");
    let reasons = ["01", "03", "05"].map(|hour| {
        let run = site.run(&format!("pay@{hour}:00"));
        format!("{} {}", run.state.word(), domain::run::message(run).unwrap())
    });
    let wanted = [
        "missed nobody could start it in time, and the job does not catch up",
        "skipped the job was paused",
        "skipped run/pay@2026-11-20T04:00+00:00 had not ended",
    ];
    assert_eq!(reasons, wanted);
}

#[test]
fn complaint_10_eight_hundred_jobs_at_five_o_clock_all_run_that_day() {
    let mut site = Site::new();
    for n in 0..800 {
        site.apply(job(&format!("j{n}"), "0 5 * * *", json!({})));
    }
    site.serve(1_000).until("05:01");
    assert_eq!(starts(&site).len(), 800);
    let late = site.world.feed.iter().filter_map(|(_, event, _)| {
        let Event::RunEvent(RunEvent::RunDue(due)) = event else { return None };
        Some(due.late_ms)
    });
    assert_eq!(late.max(), Some(0));
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn complaint_11_after_a_pause_the_next_slot_runs_and_only_the_last_one_is_caught_up() {
    for (after_pause, wanted) in [(json!("none"), 1), (json!("last"), 2)] {
        let mut site = pay("0 * * * *", json!({"after-pause": after_pause}));
        site.serve(60_000).pause("pay").until("05:30").resume("pay").until("06:30");
        let ran: Vec<String> = starts(&site).into_keys().collect();
        assert_eq!(ran.len(), wanted, "{ran:?}");
        assert!(ran.contains(&"pay@06:00".to_owned()), "the slot that follows is not lost");
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn complaint_12_a_clock_change_makes_no_storm() {
    for (cron, runs) in
        [("*/15 * * * *", 100), ("0 * * * *", 25), ("30 2 * * *", 1), ("*/15 2 * * *", 8)]
    {
        // Berlin's day of 25 hours.
        let mut site = Site::new();
        site.nobody_until("2027-10-30T22:00:00Z");
        site.apply(job("pay", cron, json!({"zone": "Europe/Berlin"}))).serve(1_000);
        site.until("2027-10-31T23:00:00Z");
        let accounted = site.accounted();
        assert_eq!(starts(&site).len(), runs, "{cron}");
        assert_eq!(accounted.expected, u64::try_from(runs).unwrap(), "{cron}");
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn complaint_13_the_nightly_job_runs_on_the_day_the_clock_skips_its_hour_or_its_midnight() {
    let table = [
        ("Europe/Berlin", "30 2 * * *", "2027-03-27T23:00:00Z"),
        ("America/New_York", "0 2 * * *", "2027-03-14T05:00:00Z"),
        // Beirut's clock skips midnight.
        ("Asia/Beirut", "0 0 * * *", "2027-03-27T12:00:00Z"),
        ("Asia/Beirut", "30 0 * * *", "2027-03-27T12:00:00Z"),
    ];
    for (zone, cron, from) in table {
        let mut site = Site::new();
        site.nobody_until(from);
        site.apply(job("pay", cron, json!({"zone": zone}))).serve(1_000);
        site.until(&later(at(from), 20 * 3_600_000).to_string());
        assert_eq!(starts(&site).len(), 1, "{zone} {cron}");
        site.check_whole();
    }
}

#[test]
fn complaint_14_what_happens_to_a_time_the_clock_skips_or_doubles_is_the_jobs_choice() {
    let instants = |dst: Value, day: &str| -> Vec<String> {
        let fields =
            json!({"schedule": {"cron": "30 2 * * *"}, "zone": "Europe/Berlin", "dst": dst});
        let schedule = schedule(fields, &domain::calendar::Calendars::default());
        let from: Timestamp = format!("{day}T22:00:00Z").parse().unwrap();
        let found = schedule.between(from, later(from, 8 * 3_600_000));
        found
            .map(|o| format!("{}{}", o.label(), if o.out.is_some() { " out" } else { "" }))
            .collect()
    };
    let spring = [("shift", "03:30+02:00"), ("end", "03:00+02:00"), ("skip", "03:00+02:00 out")];
    for (gap, wanted) in spring {
        assert_eq!(instants(json!({"gap": gap}), "2027-03-27"), [format!("2027-03-28T{wanted}")]);
    }
    let autumn = [
        ("first", vec!["02:30+02:00"]),
        ("second", vec!["02:30+01:00"]),
        ("both", vec!["02:30+02:00", "02:30+01:00"]),
    ];
    for (overlap, wanted) in autumn {
        let wanted: Vec<String> = wanted.iter().map(|at| format!("2027-10-31T{at}")).collect();
        assert_eq!(instants(json!({"overlap-time": overlap}), "2027-10-30"), wanted);
    }
}

#[test]
fn complaint_15_a_scheduler_whose_clock_is_wrong_silences_no_job() {
    let mut site = pay("0 * * * *", json!({"catch-up": "none"}));
    site.serve(1_000).until("01:30");
    // For a while its clock is eight hours ahead. What it says then is refused.
    let wrong = at("09:30");
    for _ in 0..3 {
        for action in site.minds[0].tick(wrong) {
            let domain::scheduler::Action::Append(draft) = action else { continue };
            let stream = draft.stream.clone();
            let now = site.now;
            let mark = site.world.say("scheduler/s1", draft, now);
            assert!(matches!(mark, Mark::Refused { .. }), "{stream}: {mark:?}");
            site.minds[0].answered(&stream, Some(&mark), wrong);
        }
    }
    // Then it is right again.
    site.until("01:40").restart().until("04:30");
    assert_eq!(starts(&site).len(), 4);
    site.check_whole();
}

#[test]
fn complaint_16_a_run_whose_host_has_crashed_blocks_later_ones_only_until_somebody_says_how_it_ended()
 {
    let mut site = pay("0 * * * *", json!({"overlap": "queue-one"}));
    site.host("h2", &["default"], &[]).until("01:00").start("pay@01:00");
    site.heard.remove("h1");
    site.until("02:10");
    assert_eq!(site.state("pay@01:00"), "unknown");
    site.offers();
    let resolved =
        RunResolved { outcome: Resolution::Failed, evidence: "the machine is gone".to_owned() };
    site.person(&run_id("pay@01:00"), resolved).until("02:11");
    assert_eq!(site.offers(), ["pay@02:00#1"]);
    site.start_on("pay@02:00", "h2").end("pay@02:00", 0);
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn complaint_17_evidence_that_comes_late_is_still_evidence() {
    // Called lost, tried again elsewhere; then the first host reports what it saw.
    let more = json!({"restartable": true, "retry": {"delays": ["1m"], "on": ["lost"]}});
    let mut site = pay("0 1 * * *", more);
    site.host("h2", &["default"], &[]).until("01:00").start("pay@01:00");
    site.heard.remove("h1");
    site.until("01:10").start_on("pay@01:00", "h2").end("pay@01:00", 0);
    let RunEvent::RunReported(RunReported { report }) = golden_run("run.reported") else {
        panic!()
    };
    let report = AttemptReport { attempt: 1, host: "h1".to_owned(), ..report };
    let now = site.now;
    let reported = RunReported { report };
    assert_eq!(site.world.say_next("executor/h1", run_id("pay@01:00"), reported, now), Mark::Valid);
    let run = site.run("pay@01:00");
    assert!(run.attempts[0].report.is_some() && run.attempts[0].lost.is_some());
    assert_eq!(run.state.word(), "succeeded");
}

#[test]
fn complaint_21_every_run_is_in_the_log_from_the_moment_it_is_due() {
    let mut site = pay("*/10 * * * *", json!({}));
    site.serve(60_000).until("12:05");
    let accounted = site.accounted();
    assert_eq!((accounted.expected, accounted.recorded), (72, 72));
    // Also to one who reads the log from its beginning, up to any instant.
    let mut seen = 0;
    for (envelope, event, _) in &site.world.feed {
        if event.kind() == "run.started" {
            let due = site.world.feed.iter().position(|(other, e, _)| {
                other.subject == envelope.subject && e.kind() == "run.due"
            });
            assert!(due.is_some(), "{}", envelope.subject);
            seen += 1;
        }
    }
    assert_eq!(seen, 72);
}

#[test]
fn complaint_22_an_obscure_job_that_stopped_running_is_found_and_who_stopped_it() {
    let mut site = pay("0 * * * *", json!({}));
    site.serve(1_000).until("01:30").person(&StreamId::job("pay"), golden("job.paused"));
    site.until("04:30");
    // Nothing is silent: each hour says that it was skipped, and the job says by whom it is paused.
    for hour in ["02", "03", "04"] {
        assert_eq!(site.state(&format!("pay@{hour}:00")), "skipped");
    }
    let job = site.world.streams.get(&StreamId::job("pay")).unwrap().body.job().unwrap();
    assert_eq!(job.paused().unwrap().by.as_deref(), Some("user/ana"));
    let planned = plan(&site, "05:00", "06:00");
    assert!(planned[0].skipped.as_deref().unwrap().starts_with("the job is paused"));
}

#[test]
fn complaint_23_holidays_blackouts_and_dependencies_are_in_the_plan_with_their_reasons() {
    let mut site = Site::new();
    site.apply(json!({"kind": "calendar", "name": "off", "days": {"dates": {"2026-11-21": "stocktaking"}}}));
    site.apply(job("pay", "0 4,8 * * *", json!({"calendar": {"not-on": ["off"]}})));
    site.apply(json!({
        "kind": "blackout", "name": "patching", "applies-to": {"site": true}, "at-end": "skip",
        "times": [{"daily": {"from": "07:00", "until": "09:00"}}],
    }));
    let told: Vec<String> = plan(&site, "00:00", "2026-11-22T00:00:00Z")
        .into_iter()
        .map(|one| one.skipped.unwrap_or_else(|| "runs".to_owned()))
        .collect();
    let wanted = [
        "runs",
        "blackout patching until 2026-11-20T09:00:00Z",
        "2026-11-21 is in off (stocktaking)",
        "2026-11-21 is in off (stocktaking)",
    ];
    assert_eq!(told, wanted);
    // And what is planned is what comes about.
    site.serve(1_000).until("2026-11-22T00:00:00Z");
    assert_eq!(starts(&site).into_keys().collect::<Vec<_>>(), ["pay@04:00"]);
    site.check_no_voids();
    site.check_whole();
    site.retire(ThingKind::Blackout, "patching");
    assert_eq!(plan(&site, "00:00", "12:00").iter().filter(|one| one.skipped.is_none()).count(), 2);
}

#[test]
fn complaint_24_a_thousand_jobs_in_one_minute_are_decided_in_that_minute_by_one_of_two_schedulers()
{
    let mut site = Site::with_minds(2);
    for n in 0..500 {
        site.apply(job(&format!("j{n}"), "0 3 * * *", json!({})));
    }
    site.until("03:00:03");
    let due = site.world.feed.iter().filter(|(_, event, _)| event.kind() == "run.due").count();
    assert_eq!(due, 500);
    site.check_no_voids();
    site.check_whole();
}
