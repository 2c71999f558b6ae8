//! What operators complain of elsewhere: each of the twenty-five that is about time and flow is a scenario here, which
//! fails when it comes true.
//!
//! | complaint | | where it is dealt with |
//! |---|---|---|
//! | 18 | killed, and still running | `tests/attempt/endings.rs` of the host agent |
//! | 19 | time limits that do not hold | `tests/attempt/endings.rs` of the host agent |
//! | 20 | output lost, cut, or seen on one server only | `tests/attempt/output.rs` of the host agent, `decklog logs` |
//! | 25 | pages slow with many jobs; import of crontabs | the console; import of the command line |

use domain::event::{AttemptReport, Event, Resolution, RunEvent, RunReported, RunResolved};
use domain::ids::StreamId;
use domain::ledger::{Mark, Streams as _};
use domain::site::ThingKind;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::calendars::schedule;
use crate::given::{at, golden, golden_run, later};
use crate::musts::{job, pay, plan, starts};
use crate::site::{Site, run_id};

/// Two servers with one database run every job twice.
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

/// Clusters decide the same occurrence twice at once.
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

/// A failover that was none starts work again while the first still runs.
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

/// "Never two at once" does not hold in all cases.
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

/// Long jobs are taken for dead and started again.
#[test]
fn complaint_05_a_long_job_that_is_heard_is_never_called_dead() {
    let mut site =
        pay("0 1 * * *", json!({"restartable": true, "retry": {"delays": ["1m"], "on": ["lost"]}}));
    site.until("01:00").start("pay@01:00").until("23:59");
    assert_eq!(site.state("pay@01:00"), "running");
    assert_eq!(starts(&site)["pay@01:00"], 1);
}

/// A change of leader loses runs, and nothing tells which.
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

/// The schedule stays tied to a server that is gone.
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

/// After more than a hundred misses a job never starts again.
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

/// A run that was skipped has no name, and nobody is told.
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

/// Under load a whole day is skipped.
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

/// Catching up is wrong both ways: too much runs, or the next slot is lost.
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

/// A clock change makes a storm of runs.
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

/// A clock change loses the nightly job.
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

/// What a clock change does cannot be chosen.
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

/// A clock that was wrong for a while silences jobs.
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

/// A run stays "running" after a crash and blocks the later ones.
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

/// Work that goes on, or went well, is called dead.
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

/// Runs are missing from the history.
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

/// Nobody knows who changed a job, and that it has not run for a week.
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

/// Calendars, blackouts and dependencies are missing from the plan.
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

/// Hundreds of jobs at one instant start minutes late.
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
