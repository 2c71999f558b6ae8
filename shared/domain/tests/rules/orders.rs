//! What people say about one occurrence ahead of its time: hold it, release it, skip it, move it, run it now.

use domain::event::{JobLeaseGranted, RunEvent};
use domain::ids::StreamId;
use domain::job::{ORDERS_MAX, OrderAct};
use domain::ledger::{Mark, Streams as _};
use domain::scheduler::Action;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::given::{at, golden, later};
use crate::site::{Site, refused, run_id};

use OrderAct::{Hold, Move, Skip};

fn to(clock: &str) -> OrderAct {
    Move(at(clock))
}

/// Job `pay` every hour; what is offered runs for a minute.
fn hourly() -> Site {
    hourly_with(json!({}))
}

fn hourly_with(more: Value) -> Site {
    let mut job = json!({"name": "pay", "schedule": {"cron": "0 * * * *"}});
    job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut site = Site::new();
    site.apply(job).serve(60_000);
    site
}

// What the recorder says.

#[test]
fn an_order_is_about_an_occurrence_that_nobody_has_decided() {
    let mut site = hourly();
    site.until("02:30");
    let table = [
        (
            "pay@01:00",
            Hold,
            "the occurrence at 2026-11-20T01:00:00Z is decided already: see its run",
        ),
        (
            "pay@02:00",
            Skip,
            "the occurrence at 2026-11-20T02:00:00Z is decided already: see its run",
        ),
        (
            "pay@02:00",
            to("05:00"),
            "the occurrence at 2026-11-20T02:00:00Z is decided already: see its run",
        ),
        ("pay@03:00", Hold, ""),
        ("pay@04:00", to("04:00"), "it is moved to where it is"),
        ("pay@04:00", to("04:30"), ""),
        // Who has said one thing may say another.
        ("pay@04:00", to("05:30"), ""),
        ("pay@04:00", Skip, ""),
        ("pay@03:00", Skip, ""),
        ("pay@05:00", to("02:45"), ""),
        // What runs ahead of its time may run any moment.
        (
            "pay@05:00",
            to("02:50"),
            "the occurrence at 2026-11-20T05:00:00Z was moved ahead: release it first",
        ),
        (
            "pay@05:00",
            Hold,
            "the occurrence at 2026-11-20T05:00:00Z was moved ahead: release it first",
        ),
    ];
    for (occurrence, act, wanted) in table {
        let said = site.try_order(occurrence, act).void().unwrap_or_default();
        let wanted = if wanted.is_empty() { String::new() } else { format!("refused: {wanted}") };
        assert_eq!(said, wanted, "{occurrence} {act:?}");
    }
}

#[test]
fn an_order_is_taken_back_until_the_occurrence_is_decided_or_has_run() {
    let mut site = hourly();
    let nothing = "nothing was said about the occurrence at 2026-11-20T03:00:00Z";
    assert_eq!(refused(&site.try_unorder("pay@03:00")), nothing);
    site.order("pay@03:00", Hold);
    assert_eq!(site.try_unorder("pay@03:00"), Mark::Valid);
    assert_eq!(refused(&site.try_unorder("pay@03:00")), nothing);
    // Moved ahead: until it has run.
    site.order("pay@06:00", to("01:30")).until("01:29");
    assert_eq!(site.try_unorder("pay@06:00"), Mark::Valid);
    site.order("pay@06:00", to("01:30")).until("01:30");
    let ran = "it has run ahead of its time: see its run";
    assert_eq!(refused(&site.try_unorder("pay@06:00")), ran);
    // What is decided is told by its run.
    site.order("pay@02:00", Hold).until("02:10");
    assert_eq!(site.state("pay@02:00"), "held");
    let decided = "the occurrence at 2026-11-20T02:00:00Z is decided already: see its run";
    assert_eq!(refused(&site.try_unorder("pay@02:00")), decided);
    site.release("pay@02:00").until("02:20");
    assert_eq!(site.state("pay@02:00"), "succeeded");
    site.check_whole();
}

#[test]
fn only_an_active_job_has_occurrences_to_speak_of_and_not_those_of_a_host_that_decides_itself() {
    let mut site = Site::new();
    site.apply(json!({
        "name": "pay", "schedule": {"cron": "0 * * * *"}, "host": "h1", "autonomy": {"lease": "6h"},
    }));
    let job = StreamId::job("pay");
    let definition = site.requested("pay@x", None, false).definition;
    let (host, from, until) = ("h1".to_owned(), at("02:30"), at("05:30"));
    let lease = JobLeaseGranted { host, definition, from, until };
    assert_eq!(site.world.say_next("scheduler/s1", job.clone(), lease, at("00:00")), Mark::Valid);
    site.feed();
    let table = [
        ("pay@00:00", "the job had no definition then: it has no such occurrence"),
        ("pay@02:00", ""),
        ("pay@03:00", "the occurrence at 2026-11-20T03:00:00Z is for host h1 to decide"),
        ("pay@05:00", "the occurrence at 2026-11-20T05:00:00Z is for host h1 to decide"),
        ("pay@06:00", ""),
    ];
    for (occurrence, wanted) in table {
        let mark = site.try_order(occurrence, Hold);
        let wanted = if wanted.is_empty() { None } else { Some(format!("refused: {wanted}")) };
        assert_eq!(mark.void(), wanted, "{occurrence}");
    }
    site.person(&job, golden("job.retired"));
    assert_eq!(refused(&site.try_order("pay@07:00", Hold)), "the job is not active");
    assert_eq!(refused(&site.try_order("zoo@07:00", Hold)), "the job is not active");
}

#[test]
fn a_job_keeps_so_many_orders_and_no_more_and_forgets_old_ones() {
    let mut site = hourly();
    let job = StreamId::job("pay");
    let event = |n: i64| {
        let (at, reason) = (later(at("2026-12-01T00:00:00Z"), n * 3_600_000), "x".to_owned());
        domain::event::JobOccurrenceHeld { at, reason }
    };
    for n in 0..i64::try_from(ORDERS_MAX).unwrap() {
        assert_eq!(site.world.say_by("user/ana", job.clone(), event(n), at("00:00")), Mark::Valid);
    }
    let mark = site.world.say_by("user/ana", job.clone(), event(9_999), at("00:00"));
    assert!(refused(&mark).starts_with("too much has been said"), "{mark:?}");
    let again = site.world.say_by("user/ana", job.clone(), event(3), at("00:00"));
    assert_eq!(again, Mark::Valid, "what was said before may be said otherwise");
    let orders =
        |site: &Site| site.world.streams.get(&job).unwrap().body.job().unwrap().orders.len();
    assert_eq!(orders(&site), ORDERS_MAX);
}

// What becomes of it.

#[test]
fn an_occurrence_does_what_a_person_said_and_the_others_what_they_always_do() {
    let table: &[(OrderAct, &[&str], &str)] = &[
        (
            Hold,
            &[
                "pay@01:00 runs",
                "pay@02:00 runs held",
                "pay@03:00 skipped: pay@02:00 goes on",
                "pay@04:00 skipped: pay@02:00 goes on",
            ],
            "held",
        ),
        (
            Skip,
            &["pay@01:00 runs", "pay@02:00 skipped: ordered", "pay@03:00 runs", "pay@04:00 runs"],
            "skipped",
        ),
        (
            to("02:30"),
            &[
                "pay@01:00 runs",
                "pay@02:00 runs later at 02:30",
                "pay@03:00 runs",
                "pay@04:00 runs",
            ],
            "succeeded",
        ),
        (
            to("01:30"),
            &[
                "pay@01:00 runs",
                "pay@02:00 runs ahead at 01:30",
                "pay@03:00 runs",
                "pay@04:00 runs",
            ],
            "succeeded",
        ),
        // Run it now.
        (
            to("00:10"),
            &[
                "pay@02:00 runs ahead at 00:10",
                "pay@01:00 runs",
                "pay@03:00 runs",
                "pay@04:00 runs",
            ],
            "succeeded",
        ),
    ];
    for (act, wanted, state) in table {
        let mut site = hourly();
        site.until("00:20").order("pay@02:00", *act).until("04:10");
        assert_eq!(site.news(), *wanted, "{act:?}");
        assert_eq!(site.state("pay@02:00"), *state, "{act:?}");
        site.check_no_voids();
        site.check_whole();
        assert_eq!(site.accounted().recorded, 4);
    }
}

#[test]
fn what_is_moved_is_offered_when_its_new_time_has_come_and_starts_no_sooner() {
    let mut site = Site::new();
    site.apply(json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}}));
    site.order("pay@02:00", to("03:15")).until("03:14:57");
    assert_eq!(site.offers(), Vec::<String>::new());
    assert_eq!(
        site.why("pay@02:00"),
        ["it starts not before 2026-11-20T03:15:00Z: it was moved: because"]
    );
    let early = refused(&site.try_start("pay@02:00", "h1"));
    assert_eq!(early, "it may not start before 2026-11-20T03:15:00Z");
    site.until("03:15");
    assert_eq!(site.offers(), ["pay@02:00#1"]);
    site.start("pay@02:00");
}

#[test]
fn an_occurrence_that_is_held_ahead_of_its_time_starts_when_it_is_released() {
    let mut site = hourly();
    site.order("pay@02:00", Hold).until("02:30").release("pay@02:00").until("03:30");
    assert_eq!(site.state("pay@02:00"), "succeeded");
    assert_eq!(site.state("pay@03:00"), "succeeded");
    site.check_whole();
}

#[test]
fn what_was_moved_ahead_is_not_due_again_at_its_own_time_also_after_schedulers_started_anew() {
    for restart in ["", "01:45", "02:10"] {
        let mut site = hourly();
        site.order("pay@02:00", to("01:30"));
        for clock in ["01:45", "02:10", "03:10"] {
            site.until(clock);
            if clock == restart {
                site.restart();
            }
        }
        let wanted = ["pay@01:00 runs", "pay@02:00 runs ahead at 01:30", "pay@03:00 runs"];
        assert_eq!(site.news(), wanted, "restart at {restart:?}");
        assert_eq!(site.run("pay@02:00").attempts.len(), 1);
        site.check_whole();
        // The occurrence after it follows the one before it: what ran ahead is no link of the chain.
        let after = site.run("pay@03:00").nominal.as_ref().unwrap().after;
        assert_eq!(after, Some(at("01:00")));
        site.until("09:00");
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn a_day_and_more_orders_later_what_ran_ahead_has_still_run() {
    // Monthly; moved ahead by a week. Orders older than a week are forgotten when another is given.
    let mut site = Site::new();
    let monthly = json!({"name": "pay", "schedule": {"cron": "0 2 1 * *"}});
    site.apply(monthly).serve(60_000).until("2026-11-22T00:00:00Z");
    site.order("pay@2026-12-01T02:00:00Z", to("2026-11-24T02:00:00Z"));
    site.until("2026-12-10T00:00:00Z").order("pay@2027-01-01T02:00:00Z", Hold);
    site.until("2026-12-11T00:00:00Z");
    site.restart().until("2027-01-02T00:00:00Z");
    assert_eq!(site.state("pay@2027-01-01T02:00:00Z"), "held");
    site.check_whole();
    site.check_no_voids();
}

#[test]
fn two_schedulers_run_what_was_moved_ahead_once() {
    let mut site = Site::with_minds(2);
    site.apply(json!({"name": "pay", "schedule": {"cron": "0 * * * *"}})).serve(60_000);
    site.order("pay@05:00", to("01:30")).until("06:10");
    let ahead = site.news().iter().filter(|line| line.contains("ahead")).count();
    assert_eq!(ahead, 1);
    assert_eq!(site.run("pay@05:00").attempts.len(), 1);
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn what_was_moved_ahead_while_no_scheduler_was_there_runs_when_one_is() {
    let mut site = hourly_with(json!({"catch-up": "none"}));
    site.order("pay@05:00", to("01:30")).nobody_until("02:30").restart().until("06:10");
    let wanted = [
        "pay@05:00 runs ahead at 01:30",
        "pay@01:00 missed",
        "pay@02:00 missed",
        "pay@03:00 runs",
        "pay@04:00 runs",
        "pay@06:00 runs",
    ];
    assert_eq!(site.news(), wanted);
    site.check_whole();
}

#[test]
fn what_people_said_holds_also_for_what_is_decided_late() {
    for (act, wanted) in [
        (Hold, "pay@02:00 runs held"),
        (Skip, "pay@02:00 skipped: ordered"),
        (to("02:30"), "pay@02:00 runs later at 02:30"),
        (to("05:30"), "pay@02:00 runs later at 05:30"),
    ] {
        let mut site = hourly_with(json!({"catch-up": "none"}));
        site.until("01:10").order("pay@02:00", act).nobody_until("04:30").until("04:31");
        let wanted = ["pay@01:00 runs", wanted, "pay@03:00 missed", "pay@04:00 missed"];
        assert_eq!(site.news(), wanted);
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn what_is_moved_ahead_while_an_earlier_run_goes_on_waits_for_it_and_is_not_skipped() {
    let mut site = Site::new();
    site.apply(json!({"name": "pay", "schedule": {"cron": "0 * * * *"}, "overlap": "skip"}));
    site.until("01:00").start("pay@01:00").order("pay@05:00", to("01:20")).until("01:30");
    assert_eq!(site.news(), ["pay@01:00 runs", "pay@05:00 runs ahead at 01:20 behind pay@01:00"]);
    site.offers();
    site.end("pay@01:00", 0).until("01:31");
    assert_eq!(site.offers(), ["pay@05:00#1"]);
    site.start("pay@05:00").end("pay@05:00", 0).until("05:30");
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn what_cannot_run_ahead_is_decided_when_its_own_time_comes() {
    // A parameter has no value that could be used.
    let mut site = Site::new();
    let count = json!({"count": {"type": "integer", "default": "{{job}}"}});
    site.apply(json!({
        "name": "pay", "schedule": {"cron": "0 * * * *"}, "parameters": count,
    }));
    site.order("pay@03:00", to("01:20")).until("03:30");
    let why = "parameter \"count\": \"pay\" is no whole number";
    let wanted = ["01:00", "02:00", "03:00"].map(|clock| format!("pay@{clock} skipped: {why}"));
    assert_eq!(site.news(), wanted);
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn while_a_job_is_paused_nothing_of_it_runs_ahead() {
    // The pause still lasts at its own time, or has ended before.
    for (ends, wanted) in [("03:30", "pay@03:00 skipped: paused"), ("02:30", "pay@03:00 runs")] {
        let mut site = hourly();
        site.order("pay@03:00", to("01:30")).until("01:10").pause("pay").until("01:40");
        site.behind(|world, now| {
            // Nor does the recorder take it from a scheduler that has not heard.
            assert_eq!(world.version(&run_id("pay@03:00")), 0, "{now}");
        });
        site.until(ends).resume("pay").until("03:40");
        assert!(site.news().contains(&wanted.to_owned()));
        site.check_no_voids();
        site.check_whole();
    }
    let mut site = hourly();
    site.order("pay@03:00", to("01:30")).until("01:29");
    let actions = site.minds[0].tick(at("01:30"));
    let [Action::Append(draft)] = actions.as_slice() else { panic!("{actions:?}") };
    site.now = at("01:30");
    site.pause("pay");
    let mark = site.world.say("scheduler/s1", draft.clone(), at("01:30"));
    assert_eq!(refused(&mark), "at 2026-11-20T01:30:00Z the job was paused");
}

// Those who have not heard.

#[test]
fn a_scheduler_that_has_not_heard_of_an_order_is_refused_and_does_as_told() {
    let table = [
        (Hold, "is to be held", "pay@02:00 runs held"),
        (Skip, "is to be skipped", "pay@02:00 skipped: ordered"),
        (to("02:30"), "is to be moved", "pay@02:00 runs later at 02:30"),
    ];
    for (act, why, wanted) in table {
        let mut site = hourly();
        site.until("01:59");
        site.behind(|world, now| {
            let (at, reason) = (at("02:00"), "because".to_owned());
            let event: domain::event::Event = match act {
                Hold => domain::event::JobOccurrenceHeld { at, reason }.into(),
                Skip => domain::event::JobOccurrenceSkipped { at, reason }.into(),
                Move(to) => domain::event::JobOccurrenceMoved { at, to, reason }.into(),
            };
            assert_eq!(world.say_by("user/ana", StreamId::job("pay"), event, now), Mark::Valid);
        });
        site.now = at("02:00");
        site.tick(0);
        let void =
            format!("run.due of pay@02:00: refused: the occurrence at 2026-11-20T02:00:00Z {why}");
        assert_eq!(site.voids, [void]);
        site.until("03:30");
        assert_eq!(site.news()[1], wanted);
        assert_eq!(site.voids.len(), 1, "{:?}", site.voids);
        site.check_whole();
    }
}

#[test]
fn a_scheduler_that_has_not_heard_that_an_order_was_taken_back_is_refused_and_does_as_always() {
    for act in [Hold, Skip, to("02:30"), to("01:59:30")] {
        let mut site = hourly();
        site.order("pay@02:00", act).until("01:59");
        site.behind(|world, now| {
            let released =
                domain::event::JobOccurrenceReleased { at: at("02:00"), reason: "x".to_owned() };
            assert_eq!(world.say_by("user/ana", StreamId::job("pay"), released, now), Mark::Valid);
        });
        site.now = if act == to("01:59:30") { at("01:59:30") } else { at("02:00") };
        site.tick(0);
        // Whoever holds what need not be held does no harm; the rest is refused.
        assert_eq!(site.voids.len(), usize::from(act != Hold), "{act:?}: {:?}", site.voids);
        site.until("03:30");
        let wanted = if act == Hold { "held" } else { "succeeded" };
        assert_eq!(site.state("pay@02:00"), wanted, "{act:?}");
        site.check_whole();
    }
}

#[test]
fn a_scheduler_whose_clock_runs_ahead_tries_again_what_was_moved_ahead() {
    let mut site = hourly();
    site.order("pay@05:00", to("01:30")).until("01:29");
    let actions = site.minds[0].tick(at("01:30"));
    let [Action::Append(draft)] = actions.as_slice() else { panic!("{actions:?}") };
    let stream = draft.stream.clone();
    // By the recorder's clock it is a moment too early.
    let now = later(at("01:30"), -5);
    let mark = site.world.say("scheduler/s1", draft.clone(), now);
    assert_eq!(refused(&mark), "the occurrence of 2026-11-20T05:00:00Z is not due yet");
    site.minds[0].answered(&stream, Some(&mark), at("01:30"));
    site.until("06:10");
    assert!(site.news().contains(&"pay@05:00 runs ahead at 01:30".to_owned()));
    assert_eq!(site.state("pay@05:00"), "succeeded");
    site.check_whole();
}

#[test]
fn an_append_of_what_was_moved_ahead_that_got_lost_is_made_again() {
    let mut site = hourly();
    site.order("pay@05:00", to("01:30")).until("01:29");
    let actions = site.minds[0].tick(at("01:30"));
    let [Action::Append(draft)] = actions.as_slice() else { panic!("{actions:?}") };
    site.minds[0].answered(&draft.stream, None, at("01:30"));
    site.until("06:10");
    assert_eq!(site.state("pay@05:00"), "succeeded");
    site.check_whole();
}

// When the plan changes meanwhile.

#[test]
fn what_ran_ahead_of_its_time_is_accounted_for_also_when_the_job_changes_before_that() {
    // At half past as well; at other hours; not at all.
    for cron in ["0,30 * * * *", "0 6 * * *", "30 7 * * *"] {
        let mut site = hourly();
        site.order("pay@05:00", to("01:30")).until("02:30");
        site.apply(json!({"name": "pay", "schedule": {"cron": cron}})).until("08:30");
        assert_eq!(site.run("pay@05:00").attempts.len(), 1, "{cron}");
        site.check_no_voids();
        site.check_whole();
    }
    let mut site = hourly();
    site.order("pay@05:00", to("01:30")).until("02:30");
    site.person(&StreamId::job("pay"), golden("job.retired")).until("08:30");
    site.check_whole();
}

#[test]
fn what_is_to_run_ahead_follows_the_definition_that_holds_when_it_runs() {
    let mut site = hourly();
    site.order("pay@05:00", to("03:30")).until("02:30");
    site.apply(json!({"name": "pay", "schedule": {"cron": "0 * * * *"}, "timeout": "5m"}));
    site.until("06:10");
    assert_eq!(site.run("pay@05:00").definition.number, 2);
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn an_order_about_an_occurrence_that_the_new_schedule_does_not_have_comes_to_nothing() {
    for act in [Hold, Skip, to("03:30"), to("06:30")] {
        let mut site = hourly();
        site.order("pay@05:00", act).until("02:30");
        site.apply(json!({"name": "pay", "schedule": {"cron": "30 * * * *"}})).until("08:10");
        assert!(!site.exists("pay@05:00"), "{act:?}");
        let ran = site.news().iter().filter(|line| line.ends_with(" runs")).count();
        assert_eq!(ran, 2 + 5, "{act:?}");
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn what_the_schedule_leaves_out_anyway_is_recorded_so_whatever_was_said_about_it() {
    for act in [Hold, Skip, to("01:30"), to("03:30")] {
        let rule = json!({"not-on": [{"dates": {"2026-11-20": "closed"}}]});
        let mut site = hourly_with(json!({"calendar": rule}));
        site.order("pay@02:00", act).until("04:10");
        let wanted = ["01:00", "02:00", "03:00", "04:00"].map(|clock| {
            format!("pay@{clock} skipped: 2026-11-20 is in the job's own rule (closed)")
        });
        assert_eq!(site.news(), wanted, "{act:?}");
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn what_ran_ahead_and_is_left_out_by_a_later_version_of_its_calendar_has_run() {
    let closed = |day: &str| json!({"kind": "calendar", "name": "closed", "days": {"dates": {day: "closed"}}});
    let mut site = Site::new();
    site.apply(closed("2026-01-01")).apply(json!({
        "name": "pay", "schedule": {"cron": "0 * * * *"}, "calendar": {"not-on": ["closed"]}}));
    site.serve(60_000).order("pay@05:00", to("01:30")).until("02:30");
    site.apply(closed("2026-11-20")).until("07:10");
    assert_eq!(site.state("pay@05:00"), "succeeded");
    assert_eq!(site.state("pay@06:00"), "skipped");
    site.check_whole();
}

#[test]
fn within_a_pause_an_occurrence_is_skipped_for_that_whatever_was_said_about_it() {
    for act in [Hold, Skip, to("02:30")] {
        let mut site = hourly();
        site.order("pay@02:00", act).until("01:30").pause("pay").until("02:10");
        site.resume("pay").until("03:10");
        assert_eq!(site.news(), ["pay@01:00 runs", "pay@02:00 skipped: paused", "pay@03:00 runs"]);
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn after_a_pause_nothing_is_caught_up_that_ran_ahead_or_that_somebody_wanted_skipped() {
    for act in [to("00:30"), Skip] {
        let mut site = hourly_with(json!({"after-pause": "last"}));
        site.until("00:10").order("pay@02:00", act).until("01:30").pause("pay").until("02:10");
        site.resume("pay").until("02:50");
        let again: Vec<String> =
            site.news().into_iter().filter(|line| line.contains("request")).collect();
        assert_eq!(again, Vec::<String>::new(), "{act:?}");
        site.check_whole();
    }
}

#[test]
fn what_is_caught_up_after_a_pause_is_asked_for_once_by_two_schedulers_and_by_those_that_start_anew()
 {
    let mut site = Site::with_minds(2);
    site.apply(json!({
        "name": "pay", "schedule": {"cron": "0 * * * *"}, "after-pause": {"all": {"limit": 2}},
    }));
    site.serve(60_000).until("00:30").pause("pay").until("04:10").resume("pay").until("04:50");
    let asked =
        |site: &mut Site| site.news().iter().filter(|line| line.ends_with("is asked for")).count();
    assert_eq!(asked(&mut site), 2);
    site.check_no_voids();
    // Within an hour of the pause's end they look again, find out, and leave it.
    site.restart().until("09:00");
    assert_eq!(asked(&mut site), 0);
    assert_eq!(site.voids.len(), 4, "{:?}", site.voids);
    for hour in ["03", "04"] {
        let run = format!("pay@request-after-pause-2026-11-20T{hour}:00+00:00");
        assert_eq!(site.run(&run).attempts.len(), 1);
    }
}

// Whatever people say and whenever schedulers are there.

#[derive(Debug, Clone)]
enum Step {
    /// Minutes pass.
    Pass(u16),
    /// Minutes pass with nobody there.
    Away(u16),
    Restart,
    /// About the nth occurrence from now on.
    Order(u8, u8, i16),
    Unorder(u8),
    Pause,
    Resume,
    Redefine(u8),
    Close(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..200_u16).prop_map(Step::Pass),
        1 => (1..200_u16).prop_map(Step::Away),
        1 => Just(Step::Restart),
        6 => (0..5_u8, 0..3_u8, -200..200_i16).prop_map(|(nth, act, by)| Step::Order(nth, act, by)),
        2 => (0..5_u8).prop_map(Step::Unorder),
        1 => Just(Step::Pause),
        1 => Just(Step::Resume),
        1 => (0..4_u8).prop_map(Step::Redefine),
        1 => any::<bool>().prop_map(Step::Close),
    ]
}

fn job(variant: u8) -> Value {
    let cron = ["0 * * * *", "0,20,40 * * * *", "0 */3 * * *", "30 * * * *"][usize::from(variant)];
    let overlap = if variant == 1 { json!({"queue-all": {"limit": 9}}) } else { json!("skip") };
    json!({
        "name": "pay", "schedule": {"cron": cron}, "overlap": overlap, "after-pause": "last",
        "calendar": {"not-on": ["closed"]}, "catch-up": {"all": {"limit": 2}},
    })
}

fn closed(today: bool) -> Value {
    let day = if today { "2026-11-20" } else { "2026-01-01" };
    json!({"kind": "calendar", "name": "closed", "days": {"dates": {day: "closed"}}})
}

fn take(site: &mut Site, step: &Step) {
    let clock =
        |site: &Site, minutes: u16| later(site.now, i64::from(minutes) * 60_000).to_string();
    let nth = |site: &Site, nth: u8| -> Timestamp {
        let hour = site.now.as_second() / 3_600 + 1 + i64::from(nth);
        Timestamp::from_second(hour * 3_600).unwrap()
    };
    let job_id = StreamId::job("pay");
    match step {
        Step::Pass(minutes) => {
            let until = clock(site, *minutes);
            site.until(&until);
        }
        Step::Away(minutes) => {
            let until = clock(site, *minutes);
            site.nobody_until(&until);
        }
        Step::Restart => {
            site.restart();
        }
        Step::Order(n, act, by) => {
            let at = nth(site, *n);
            let to = later(at, i64::from(*by) * 60_000);
            let act = [Hold, Skip, Move(to)][usize::from(*act)];
            site.try_order(&format!("pay@{at}"), act);
        }
        Step::Unorder(n) => {
            let at = nth(site, *n);
            site.try_unorder(&format!("pay@{at}"));
        }
        Step::Pause => {
            site.try_person(&job_id, golden("job.paused"));
        }
        Step::Resume => {
            site.try_person(&job_id, golden("job.resumed"));
        }
        Step::Redefine(variant) => {
            site.apply(job(*variant));
        }
        Step::Close(today) => {
            site.apply(closed(*today));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn whatever_people_say_every_occurrence_is_accounted_for_once(
        minds in 1..=2_usize, steps in prop::collection::vec(step(), 1..25),
    ) {
        let mut site = Site::with_minds(minds);
        site.apply(closed(false)).apply(job(0)).serve(60_000);
        for step in &steps {
            take(&mut site, step);
        }
        // Time enough for all to come about.
        let end = later(site.now, 26 * 3_600_000).to_string();
        site.until(&end);
        let accounted = site.accounted();
        prop_assert_eq!(&accounted.findings, &vec![]);
        prop_assert_eq!(accounted.expected, accounted.recorded);
        prop_assert!(site.voids.len() <= 8 + 3 * steps.len(), "{:?}", site.voids);
        for (envelope, event, _) in &site.world.feed {
            if let domain::event::Event::RunEvent(RunEvent::RunDue(_)) = event {
                let run = site.run_of(&envelope.subject);
                prop_assert!(run.attempts.len() <= 1, "{} ran twice", run.id);
            }
        }
    }
}

#[test]
fn the_name_of_a_moved_run_stays_that_of_its_own_instant() {
    let mut site = hourly();
    site.order("pay@05:00", to("01:30")).until("01:40");
    let run = site.run("pay@05:00");
    assert_eq!(run.id, run_id("pay@05:00"));
    assert_eq!((run.instant(), run.moved.as_ref().unwrap().to), (at("05:00"), at("01:30")));
}
