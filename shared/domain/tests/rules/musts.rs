//! What operators will not do without: each of the fifteen that is about time and flow is a scenario here, which fails
//! when the promise is broken.
//!
//! | must | | where it is dealt with |
//! |---|---|---|
//! | 11 | live and whole output | `tests/attempt/output.rs` of the host agent, `decklog logs` |
//! | 15 | import of crontabs, YAML, speed with 10,000 jobs | `job.rs`, `import` of the command line, `decklog bench` |

use std::collections::BTreeMap;

use domain::event::{Event, JobApproved, JobProposed, RunEvent, RunNeedsUnmet};
use domain::forecast::{Planned, SiteView, forecast};
use domain::ids::StreamId;
use domain::job::OrderAct;
use domain::ledger::{Mark, Streams as _};
use serde_json::{Value, json};

use crate::given::{at, later};
use crate::site::{Site, refused, run_id, short};

pub(crate) fn job(name: &str, cron: &str, more: Value) -> Value {
    let mut job = json!({"name": name, "schedule": {"cron": cron}});
    job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    job
}

/// Job `pay` with these fields.
pub(crate) fn pay(cron: &str, more: Value) -> Site {
    let mut site = Site::new();
    site.apply(job("pay", cron, more));
    site
}

/// What is planned in a range, as the site stands.
pub(crate) fn plan(site: &Site, from: &str, to: &str) -> Vec<Planned> {
    let streams = &site.world.streams.0;
    let things = streams
        .iter()
        .filter_map(|(id, state)| Some((id.stream_type().thing()?, state.body.thing()?)));
    let view = SiteView::of(things);
    let jobs = streams.values().filter_map(|state| state.body.job());
    forecast(jobs, |_| true, (at(from), at(to)), 1_000, &view).planned
}

/// How often each run was started.
pub(crate) fn starts(site: &Site) -> BTreeMap<String, usize> {
    let mut starts = BTreeMap::new();
    for (envelope, event, _) in &site.world.feed {
        if event.kind() == "run.started" {
            *starts.entry(short(&envelope.subject)).or_default() += 1;
        }
    }
    starts
}

/// Crontab lines with named calendars: holidays; a day off is skipped, run, or moved to the working day before or
/// after; the last working day; fiscal periods.
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

/// Each schedule has its zone and says what a clock change does to it; what nobody chose is right for lists and
/// ranges too.
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

/// The plan of the day: each occurrence is seen ahead, and one of them is held, released, skipped, moved, or run now.
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

/// What is caught up is the schedule's choice: nothing, the last, all up to a limit, or the last but held; each miss
/// is on record.
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

/// What happens while the one before still runs is the schedule's choice: skip, queue one, queue all, kill the old
/// one.
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

/// Jobs wait for each other in a flow, and across flows by business day; for files; for a person's word.
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

/// Named locks that are counted, and limits of how many run at once.
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

/// Hosts go on with planned work while they are cut off. (Labels: `locks.rs`. Users and Windows are the host
/// agent's.)
#[test]
fn must_08_a_host_runs_what_is_planned_while_the_centre_is_away() {
    let mut site = pay("0 * * * *", json!({"host": "h1", "autonomy": {"lease": "4h"}}));
    // As soon as its host is heard the job is left to it, for four hours; then the centre goes away.
    site.until("00:30").nobody_until("04:40");
    site.heard.clear();
    let definition = site.requested("pay@x", None, false).definition;
    let mut after = None;
    let mut decided_by_host = |site: &mut Site, clock: &str| {
        let (run, mut due) = crate::given::due(definition.clone(), at(clock));
        (due.host, due.pool) = (Some("h1".to_owned()), "default".to_owned());
        due.nominal.as_mut().unwrap().after = after.replace(at(clock));
        let now = site.now;
        site.world.say_next("executor/h1", run, due, now)
    };
    for clock in ["01:00", "02:00", "03:00", "04:00"] {
        assert_eq!(decided_by_host(&mut site, clock), Mark::Valid, "{clock}");
        let run = format!("pay@{clock}");
        site.start(&run).end(&run, 0);
    }
    site.now = at("05:00");
    let mark = decided_by_host(&mut site, "05:00");
    assert!(refused(&mark).contains("has no leave to decide"), "{mark:?}");
    // What the host may not decide any more the centre does when it is back.
    site.until("05:30");
    assert_eq!(site.news().last().unwrap(), "pay@05:00 runs");
    site.check_no_voids();
    site.check_whole();
}

/// Retries with a delay, and exit codes that say what is tried again. (Killing a process tree is the host agent's.)
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

/// A flow is run again from the step that failed, with who and why.
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

/// Alarms for failed, not started by, not finished by, too long, too short. (Who is told is not decided here.)
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

/// When a scheduler fails no occurrence is lost and none doubled, and orphans are seen within minutes.
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

/// Roles, four eyes, a reason for everything people do, and a history of definitions that leads back.
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

/// The same of definitions.
#[test]
fn must_14_nobody_approves_his_own_change_and_an_older_definition_is_proposed_again() {
    let mut site = pay("0 1 * * *", json!({}));
    let stream = StreamId::job("pay");
    let of = |site: &Site| {
        site.world.streams.get(&stream).unwrap().body.job().unwrap().active().unwrap().clone()
    };
    let first = of(&site);
    site.apply(job("pay", "0 2 * * *", json!({})));
    assert_eq!(of(&site).number, 2);
    // Back to the first, which is in the log word for word.
    let (digest, definition) =
        (first.digest, serde_json::from_str(first.definition.get()).unwrap());
    let proposed = JobProposed { number: 3, digest, definition, reason: "back".to_owned() };
    let approved = JobApproved { number: 3, digest };
    site.person(&stream, proposed);
    let own = site.try_by("user/ana", &stream, approved.clone());
    assert_eq!(refused(&own), "nobody approves their own change");
    assert_eq!(site.try_by("user/bob", &stream, approved), Mark::Valid);
    site.serve(60_000).until("03:00");
    assert_eq!(starts(&site).into_keys().collect::<Vec<_>>(), ["pay@01:00"]);
    site.check_no_voids();
    site.check_whole();
}
