//! What a run waits for: other jobs' runs, a person's word; and flows, which are written in such terms.

use domain::event::{RunBlocked, RunCleared, RunOverridden, RunRequested};
use domain::job::{Definition, JobDefinition, OrderAct, flow, parse_yaml};
use domain::ledger::Mark;
use domain::plan::{Known, in_order, problems};
use domain::run::Outcome;
use serde_json::{Value, json};

use crate::given::at;
use crate::site::{Site, refused, run_id};

/// Job `load` at one and job `pay` at two, which waits for it.
fn two(after: Value) -> Site {
    two_with(json!({"cron": "0 1 * * *"}), json!({"after": [after]}))
}

fn two_with(load: Value, more: Value) -> Site {
    let mut pay = json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}});
    pay.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut site = Site::new();
    site.apply(json!({"name": "load", "schedule": load})).apply(pay);
    site
}

#[test]
fn a_run_starts_when_what_it_waits_for_has_ended_well() {
    let mut site = two(json!("load"));
    site.until("01:00").start("load@01:00").until("02:30");
    assert_eq!(site.news(), ["load@01:00 runs", "pay@02:00 runs"]);
    assert_eq!(site.offers(), ["load@01:00#1"]);
    assert_eq!(
        site.why("pay@02:00"),
        ["it waits until load@2026-11-20T01:00+00:00 has succeeded; that is running"]
    );
    assert_eq!(
        refused(&site.try_start("pay@02:00", "h1")),
        "run.started cannot follow while the run is waiting"
    );
    site.end("load@01:00", 0).until("02:31");
    assert_eq!(site.news(), ["pay@02:00 cleared by load@01:00"]);
    assert_eq!(site.offers(), ["pay@02:00#1"]);
    site.start("pay@02:00").end("pay@02:00", 0);
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn what_has_ended_before_the_run_is_due_is_known_also_to_schedulers_that_start_later() {
    for restart in [false, true] {
        let mut site = two(json!("load"));
        site.until("01:00").start("load@01:00").end("load@01:00", 0).until("01:30");
        if restart {
            site.restart();
        }
        site.until("02:00");
        assert_eq!(site.news().last().unwrap(), "pay@02:00 cleared by load@01:00");
        site.check_no_voids();
    }
}

#[test]
fn how_it_must_have_ended_is_what_the_job_says() {
    let end = |how: &str| {
        let mut site = Site::new();
        site.apply(json!({
            "name": "load", "schedule": {"cron": "0 1 * * *"}, "exit-codes": {"warning": [4]},
            "catch-up": "none",
        }));
        (site, how.to_owned())
    };
    // How `load` ended; which outcomes `pay` waits for; where `pay` stands then.
    let table = [
        ("succeeded", json!(null), "due"),
        ("failed", json!(null), "blocked"),
        ("timed-out", json!(null), "blocked"),
        ("cancelled", json!(null), "blocked"),
        ("skipped", json!(null), "blocked"),
        ("missed", json!(null), "blocked"),
        ("succeeded", json!(["failed"]), "blocked"),
        ("failed", json!(["failed", "timed-out"]), "due"),
        ("timed-out", json!(["failed", "timed-out"]), "due"),
        ("skipped", json!(["succeeded", "warning", "skipped"]), "due"),
        ("missed", json!(["missed"]), "due"),
        ("cancelled", json!(["cancelled"]), "due"),
        // Nobody knows: that is no end.
        ("unknown", json!(null), "waiting"),
    ];
    for (how, outcomes, wanted) in table {
        let (mut site, how) = end(how);
        let mut after = json!({"job": "load"});
        if !outcomes.is_null() {
            after["outcomes"] = outcomes;
        }
        site.apply(json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}, "after": [after]}));
        if how == "skipped" {
            site.order("load@01:00", OrderAct::Skip);
        }
        if how == "missed" {
            site.nobody_until("01:30");
        }
        site.until(if how == "missed" { "01:30" } else { "01:00" });
        match how.as_str() {
            "succeeded" => site.start("load@01:00").end("load@01:00", 0),
            "failed" => site.start("load@01:00").end("load@01:00", 1),
            "timed-out" => site.start("load@01:00").time_out("load@01:00"),
            "cancelled" => site.cancel("load@01:00"),
            "unknown" => {
                site.start("load@01:00");
                site.heard.clear();
                &mut site
            }
            _ => &mut site,
        };
        site.until("02:10");
        assert_eq!(site.state("load@01:00"), how);
        assert_eq!(site.state("pay@02:00"), wanted, "load {how}");
        site.check_no_voids();
        site.check_whole();
    }
}

#[test]
fn a_blocked_run_goes_on_when_what_failed_is_run_again_and_succeeds() {
    let mut site = two(json!("load"));
    site.until("01:00").start("load@01:00").end("load@01:00", 1).until("02:10");
    assert_eq!(site.news()[2..], ["pay@02:00 blocked: load@01:00 failed"]);
    assert_eq!(site.why("pay@02:00"), ["load@2026-11-20T01:00+00:00 ended as failed"]);
    // A run that somebody asked for is not of that occurrence.
    site.request("load@request-1").until("02:15").start("load@request-1").end("load@request-1", 0);
    site.until("02:20");
    assert_eq!(site.state("pay@02:00"), "blocked");
    // One that repeats it is; also the repetition of a repetition.
    site.rerun("load@request-2", "load@01:00").until("02:30").start("load@request-2");
    site.end("load@request-2", 1).until("02:35");
    assert_eq!(site.state("pay@02:00"), "blocked");
    site.rerun("load@request-3", "load@request-2").until("02:40").start("load@request-3");
    site.until("02:45");
    assert_eq!(
        site.why("pay@02:00"),
        ["it waits until load@request-3 has succeeded; that is running"]
    );
    site.end("load@request-3", 0).until("02:46");
    assert_eq!(site.news().last().unwrap(), "pay@02:00 cleared by load@request-3");
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn of_several_runs_on_one_business_day_the_last_occurrence_is_meant() {
    let mut site = two_with(json!({"cron": "0 0,1,3 * * *"}), json!({"after": ["load"]}));
    site.serve(60_000).until("02:30");
    assert_eq!(site.state("pay@02:00"), "waiting");
    let why = "it waits until load@2026-11-20T03:00+00:00 has succeeded; that is not due yet (due at 2026-11-20T03:00:00Z)";
    assert_eq!(site.why("pay@02:00"), [why]);
    site.until("03:30");
    assert_eq!(site.state("pay@02:00"), "succeeded");
    assert!(site.news().contains(&"pay@02:00 cleared by load@03:00".to_owned()));
    // Where the last one is moved ahead, it is the last one still.
    let mut site = two_with(json!({"cron": "0 0,1,3 * * *"}), json!({"after": ["load"]}));
    site.serve(60_000).order("load@03:00", OrderAct::Move(at("01:30"))).until("02:30");
    assert!(site.news().contains(&"pay@02:00 cleared by load@03:00".to_owned()));
    site.check_whole();
}

#[test]
fn the_business_day_is_that_of_each_jobs_own_rule() {
    // The evening's load of Thursday belongs to the night's pay run, which is of Thursday too.
    let mut site = Site::new();
    let cut = json!({"cut-over": "06:00"});
    site.apply(json!({"name": "load", "schedule": {"cron": "0 22 * * *"}, "calendar": cut}));
    site.apply(json!({
        "name": "pay", "schedule": {"cron": "30 2 * * *"}, "calendar": cut, "after": ["load"]}));
    site.serve(60_000).until("02:31");
    // Of the night before there is no load: it was not active then.
    assert_eq!(site.state("pay@02:30"), "waiting");
    let none = "it waits for load, whose schedule has no run on business day 2026-11-19";
    assert_eq!(site.why("pay@02:30"), [none]);
    site.override_it("pay@02:30").until("22:30");
    site.until("2026-11-21T02:31:30Z");
    let run = "pay@2026-11-21T02:30:00Z";
    assert_eq!(site.state(run), "succeeded");
    assert_eq!(site.run(run).business_day().unwrap().to_string(), "2026-11-20");
    assert!(site.news().contains(&"pay@2026-11-21T02:30+00:00 cleared by load@22:00".to_owned()));
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn a_day_that_the_other_jobs_calendar_leaves_out_blocks_unless_skipped_is_good_enough() {
    for (outcomes, wanted) in
        [(json!(["succeeded"]), "blocked"), (json!(["succeeded", "skipped"]), "due")]
    {
        let mut site = Site::new();
        site.apply(json!({
            "name": "load", "schedule": {"cron": "0 1 * * *"},
            "calendar": {"not-on": [{"weekdays": ["friday"]}]},
        }));
        site.apply(json!({
            "name": "pay", "schedule": {"cron": "0 2 * * *"},
            "after": [{"job": "load", "outcomes": outcomes}],
        }));
        site.until("02:10");
        assert_eq!(site.state("pay@02:00"), wanted, "{outcomes}");
    }
}

#[test]
fn the_same_occurrence_is_that_of_the_same_instant() {
    let mut site = two_with(
        json!({"cron": "0 * * * *"}),
        json!({"after": [{"job": "load", "run": "same-occurrence"}]}),
    );
    site.until("01:00").start("load@01:00").end("load@01:00", 0).until("02:00").start("load@02:00");
    site.until("02:10");
    assert_eq!(site.state("pay@02:00"), "waiting", "the one of two still runs");
    site.end("load@02:00", 0).until("02:11");
    assert_eq!(site.state("pay@02:00"), "due");
    // Where there is none, it says so.
    let mut site = two(json!({"job": "load", "run": "same-occurrence"}));
    site.until("02:10");
    assert_eq!(site.why("pay@02:00"), ["it waits for load, whose schedule has no such run"]);
}

#[test]
fn the_latest_run_is_the_newest_that_is_not_later_and_not_one_that_was_better() {
    let latest = || json!({"after": [{"job": "load", "run": "latest"}]});
    let mut site = two_with(json!({"cron": "0,30 1,2 * * *"}), latest());
    site.until("01:00").start("load@01:00").end("load@01:00", 0);
    site.until("01:30").start("load@01:30").end("load@01:30", 1).until("02:10");
    // At two another one is due, which is not later.
    assert_eq!(site.state("pay@02:00"), "waiting");
    site.start("load@02:00").end("load@02:00", 0).until("02:11");
    assert_eq!(site.state("pay@02:00"), "due");
    let mut site = two_with(json!({"cron": "30 1 * * *"}), latest());
    site.until("01:30").start("load@01:30").end("load@01:30", 1).until("02:10");
    assert_eq!(site.state("pay@02:00"), "blocked");
    // A job that runs on request only has a latest run too.
    let mut site = Site::new();
    site.apply(json!({"name": "load"}));
    site.apply(json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}, "after": [{"job": "load", "run": "latest"}]}));
    site.until("02:10");
    assert_eq!(site.why("pay@02:00"), ["it waits for a run of load (latest)"]);
    site.request("load@request-1").until("02:20").start("load@request-1").end("load@request-1", 0);
    site.until("02:21");
    assert_eq!(site.state("pay@02:00"), "waiting", "what was asked for later is later");
}

#[test]
fn a_run_waits_for_all_that_it_names_and_says_by_what_each_was_met() {
    let mut site = Site::new();
    site.apply(json!({"name": "a", "schedule": {"cron": "0 1 * * *"}}));
    site.apply(json!({"name": "b", "schedule": {"cron": "5 1 * * *"}}));
    site.apply(json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}, "after": ["b", "a"]}));
    site.until("01:10").start("a@01:00").end("a@01:00", 0).start("b@01:05").until("02:10");
    assert_eq!(site.state("pay@02:00"), "waiting");
    site.end("b@01:05", 0).until("02:11");
    assert_eq!(site.news().last().unwrap(), "pay@02:00 cleared by b@01:05+a@01:00");
    site.check_no_voids();
}

#[test]
fn two_schedulers_clear_and_block_once() {
    for code in [0, 1] {
        let mut site = Site::with_minds(2);
        site.apply(json!({"name": "load", "schedule": {"cron": "0 1 * * *"}}));
        site.apply(json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}, "after": ["load"]}));
        site.until("01:10")
            .start("load@01:00")
            .until("02:10")
            .end("load@01:00", code)
            .until("03:00");
        let said = if code == 0 { "cleared by load@01:00" } else { "blocked: load@01:00 failed" };
        let times = site.news().iter().filter(|line| line.ends_with(said)).count();
        assert_eq!(times, 1);
        site.check_no_voids();
    }
}

// A person's word.

#[test]
fn a_run_that_needs_a_confirmation_waits_for_somebody_with_the_role() {
    let mut site = two_with(
        json!({"cron": "0 1 * * *"}),
        json!({"confirm": {"role": "approver", "question": "Is the file complete?"}}),
    );
    site.until("02:10");
    assert_eq!(site.state("pay@02:00"), "waiting");
    let why = "somebody with the role approver must confirm it: Is the file complete?";
    assert_eq!(site.why("pay@02:00"), [why]);
    let only = "only somebody with the role approver can confirm it";
    assert_eq!(refused(&site.try_confirm("user/ana", "pay@02:00")), only);
    assert_eq!(refused(&site.try_confirm("user/nobody", "pay@02:00")), only);
    assert_eq!(site.try_confirm("user/bob", "pay@02:00"), Mark::Valid);
    let again = refused(&site.try_confirm("user/bob", "pay@02:00"));
    assert_eq!(again, "run.confirmed cannot follow while the run is due");
    assert_eq!(site.run("pay@02:00").confirmed.as_deref(), Some("user/bob"));
    site.until("02:11");
    assert_eq!(site.offers(), ["load@01:00#1", "pay@02:00#1"]);
    // Nobody is asked about the other.
    let unasked = refused(&site.try_confirm("user/bob", "load@01:00"));
    assert_eq!(unasked, "nobody is asked about it");
    site.check_no_voids();
}

#[test]
fn a_confirmation_may_come_before_or_after_what_else_the_run_waits_for() {
    for first in [true, false] {
        let mut site = two_with(
            json!({"cron": "0 1 * * *"}),
            json!({"after": ["load"], "confirm": {"role": "approver"}}),
        );
        site.until("01:00").start("load@01:00").until("02:10");
        if first {
            assert_eq!(site.try_confirm("user/bob", "pay@02:00"), Mark::Valid);
            site.until("02:15");
            assert_eq!(site.state("pay@02:00"), "waiting");
            site.end("load@01:00", 0).until("02:20");
        } else {
            site.end("load@01:00", 0).until("02:15");
            assert_eq!(site.state("pay@02:00"), "waiting");
            assert_eq!(site.try_confirm("user/bob", "pay@02:00"), Mark::Valid);
            site.until("02:20");
        }
        assert_eq!(site.news().last().unwrap(), "pay@02:00 cleared by load@01:00");
        assert_eq!(site.state("pay@02:00"), "due");
        site.check_no_voids();
    }
}

#[test]
fn a_person_may_let_a_run_start_without_what_it_waits_for() {
    for code in [None, Some(1)] {
        let mut site = two(json!("load"));
        site.until("01:00").start("load@01:00");
        if let Some(code) = code {
            site.end("load@01:00", code);
        }
        site.until("02:10").offers();
        site.override_it("pay@02:00").until("02:11");
        assert_eq!(site.offers(), ["pay@02:00#1"]);
        let again = site.try_person(&run_id("pay@02:00"), RunOverridden { reason: "x".to_owned() });
        assert_eq!(refused(&again), "run.overridden cannot follow while the run is due");
        site.check_no_voids();
    }
}

#[test]
fn what_still_waits_at_its_latest_time_is_skipped_with_what_it_waited_for() {
    let table = [
        (json!({"latest-by": "30m", "after": ["load"]}), "02:30", "waits until load@"),
        (json!({"latest-by": "04:15", "after": ["load"]}), "04:15", "waits until load@"),
        (json!({"latest-by": "1h", "confirm": {"role": "approver"}}), "03:00", "must confirm it"),
        // Nobody takes it.
        (json!({"latest-by": "1h"}), "03:00", "nobody took it"),
    ];
    for (more, until, waiting) in table {
        let mut site = two_with(json!({"cron": "0 1 * * *"}), more.clone());
        site.until("01:00").start("load@01:00");
        let before = crate::given::later(at(until), -1_000).to_string();
        site.until(&before);
        assert!(!site.run("pay@02:00").state.is_ended(), "{more}");
        site.until(until);
        assert_eq!(site.news().last().unwrap(), &format!("pay@02:00 skipped: latest by {until}"));
        let said = domain::run::message(site.run("pay@02:00")).unwrap();
        assert!(said.contains(waiting), "{said}");
        site.check_no_voids();
        site.check_whole();
    }
    // What has begun is not skipped.
    let mut site = two_with(json!({"cron": "0 1 * * *"}), json!({"latest-by": "1h"}));
    site.until("02:59").start("pay@02:00").until("03:30");
    assert_eq!(site.state("pay@02:00"), "running");
}

#[test]
fn a_blocked_run_is_skipped_at_its_latest_time() {
    let mut site =
        two_with(json!({"cron": "0 1 * * *"}), json!({"after": ["load"], "latest-by": "1h"}));
    site.until("01:00").start("load@01:00").end("load@01:00", 1).until("03:00");
    assert_eq!(site.news().last().unwrap(), "pay@02:00 skipped: latest by 03:00");
    let said = domain::run::message(site.run("pay@02:00")).unwrap();
    assert!(said.contains("load@2026-11-20T01:00+00:00 ended as failed"), "{said}");
}

#[test]
fn a_held_run_waits_for_its_person_and_then_for_what_it_waited_for() {
    let mut site = two(json!("load"));
    site.until("01:00").start("load@01:00").until("02:10").hold("pay@02:00");
    site.end("load@01:00", 0).until("02:20");
    assert_eq!(site.state("pay@02:00"), "held");
    site.release("pay@02:00").until("02:30");
    assert_eq!(site.news().last().unwrap(), "pay@02:00 cleared by load@01:00");
    assert_eq!(site.state("pay@02:00"), "due");
    site.check_no_voids();
}

#[test]
fn what_a_person_asks_for_by_itself_waits_for_nothing() {
    let mut site = two(json!("load"));
    site.request("pay@request-1").until("00:10");
    assert_eq!(site.offers(), ["pay@request-1#1"]);
}

// What the recorder looks up.

/// `pay` waits for `load`, which has ended so, and the other things there are.
fn waiting() -> Site {
    let mut site = Site::new();
    site.apply(json!({"name": "load", "schedule": {"cron": "0 0,1 * * *"}}));
    site.apply(json!({"name": "zoo", "schedule": {"cron": "0 1 * * *"}}));
    site.apply(json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}, "after": ["load"]}));
    site.until("01:10").start("load@01:00").start("zoo@01:00").end("zoo@01:00", 0).until("02:00");
    site
}

fn clear(site: &mut Site, run: &str, by: &[&str]) -> Mark {
    let by = by.iter().map(|name| run_id(name)).collect();
    let (id, now) = (run_id(run), site.now);
    site.world.say_next("scheduler/s1", id, RunCleared { by }, now)
}

#[test]
fn the_recorder_takes_no_word_for_what_a_run_waited_for() {
    let mut site = waiting();
    let table: &[(&[&str], &str)] = &[
        (&[], "it names other runs than those it waits for"),
        (&["load@01:00", "zoo@01:00"], "it names other runs than those it waits for"),
        (&["load@05:00"], "there is no run/load@2026-11-20T05:00+00:00"),
        (&["load@01:00"], "run/load@2026-11-20T01:00+00:00 has not ended"),
        (&["zoo@01:00"], "run/zoo@2026-11-20T01:00+00:00 is not the run of load it waits for"),
    ];
    for (by, wanted) in table {
        assert_eq!(refused(&clear(&mut site, "pay@02:00", by)), *wanted);
    }
    site.end("load@01:00", 1);
    let mark = clear(&mut site, "pay@02:00", &["load@01:00"]);
    assert_eq!(refused(&mark), "run/load@2026-11-20T01:00+00:00 failed");
}

#[test]
fn the_recorder_takes_no_run_of_another_day_or_occurrence() {
    let table = [
        ("same-business-day", "2026-11-21T01:00:00Z"),
        ("same-occurrence", "01:00"),
        ("latest", "2026-11-21T03:00:00Z"),
    ];
    for (which, other) in table {
        let mut site = Site::new();
        site.apply(json!({
            "name": "load", "schedule": {"cron": "0 1,3 * * *"}, "overlap": {"queue-all": {"limit": 9}}}));
        let after = json!([{"job": "load", "run": which}]);
        site.apply(json!({"name": "pay", "schedule": {"cron": "0 2 * * *"}, "after": after}));
        site.until("02:00").serve(1_000).until("2026-11-21T03:10:00Z");
        let other = format!("load@{other}");
        assert_eq!(site.state(&other), "succeeded");
        let mark = clear(&mut site, "pay@02:00", &[&other]);
        let said = refused(&mark);
        assert!(said.ends_with("is not the run of load it waits for"), "{which}: {said}");
    }
}

#[test]
fn the_recorder_takes_no_block_by_a_run_that_is_not_waited_for_or_ended_otherwise() {
    let mut site = waiting();
    let block = |site: &mut Site, on: &str, outcome| {
        let (on, now) = (run_id(on), site.now);
        let blocked = RunBlocked { on, outcome };
        site.world.say_next("scheduler/s1", run_id("pay@02:00"), blocked, now)
    };
    let not_so = "run/load@2026-11-20T01:00+00:00 has not ended so";
    assert_eq!(refused(&block(&mut site, "load@01:00", Outcome::Failed)), not_so);
    let other = "it does not wait for run/zoo@2026-11-20T01:00+00:00";
    assert_eq!(refused(&block(&mut site, "zoo@01:00", Outcome::Succeeded)), other);
    site.end("load@01:00", 0);
    assert_eq!(refused(&block(&mut site, "load@01:00", Outcome::Failed)), not_so);
    let fine = "it does not wait for run/load@2026-11-20T01:00+00:00";
    assert_eq!(refused(&block(&mut site, "load@01:00", Outcome::Succeeded)), fine);
}

#[test]
fn the_recorder_lets_nothing_be_cleared_that_is_not_confirmed() {
    let mut site = two_with(
        json!({"cron": "0 1 * * *"}),
        json!({"after": ["load"], "confirm": {"role": "approver"}}),
    );
    site.until("01:00").start("load@01:00").end("load@01:00", 0).until("02:10");
    let mark = clear(&mut site, "pay@02:00", &["load@01:00"]);
    assert_eq!(refused(&mark), "it is not confirmed yet");
}

#[test]
fn a_run_repeats_only_one_of_its_job_and_stands_for_its_instant() {
    let mut site = waiting();
    site.end("load@01:00", 1);
    let again = |site: &Site, of: &str| {
        let run = site.run(of);
        domain::event::Again {
            run: run.id.clone(),
            at: run.stands_for(),
            business_day: run.business_day().unwrap(),
        }
    };
    let right = again(&site, "load@01:00");
    let mut wrong = vec![again(&site, "zoo@01:00")];
    wrong.push(domain::event::Again { at: at("00:00"), ..right.clone() });
    wrong.push(domain::event::Again {
        business_day: "2026-11-19".parse().unwrap(),
        ..right.clone()
    });
    for again in wrong {
        let requested: RunRequested = site.requested("load@request-9", Some(again), false);
        let said = refused(&site.try_person(&run_id("load@request-9"), requested));
        assert!(said.ends_with("is not the run it repeats"), "{said}");
    }
    let requested = site.requested("load@request-9", Some(right.clone()), false);
    let gone = domain::event::Again { run: run_id("load@09:00"), ..right };
    let none = site.requested("load@request-9", Some(gone), false);
    let said = refused(&site.try_person(&run_id("load@request-9"), none));
    assert_eq!(said, "there is no run/load@2026-11-20T09:00+00:00");
    site.person(&run_id("load@request-9"), requested);
    assert_eq!(site.run("load@request-9").stands_for(), at("01:00"));
}

// Flows.

const MONTH: &str = "\
kind: flow
name: month
schedule: { cron: '0 1 * * *' }
jobs:
  extract: { command: { argv: [/bin/extract] } }
  load: { command: { argv: [/bin/load] }, after: [extract] }
  check: { command: { argv: [/bin/check] }, after: [extract], confirm: { role: approver } }
  report:
    command: { argv: [/bin/report] }
    after: [load, { job: check, outcomes: [succeeded, warning, failed] }]
";

#[test]
fn the_jobs_of_a_flow_run_in_their_order_each_for_the_same_occurrence() {
    let mut site = Site::new();
    site.apply_file(MONTH).until("01:00");
    assert_eq!(site.offers(), ["month.extract@01:00#1"]);
    site.start("month.extract@01:00").until("01:10").end("month.extract@01:00", 0).until("01:11");
    assert_eq!(site.offers(), ["month.load@01:00#1"]);
    assert_eq!(site.state("month.check@01:00"), "waiting");
    assert_eq!(site.try_confirm("user/bob", "month.check@01:00"), Mark::Valid);
    site.until("01:12");
    assert_eq!(site.offers(), ["month.check@01:00#1"]);
    site.start("month.load@01:00").start("month.check@01:00").end("month.check@01:00", 9);
    site.until("01:20").end("month.load@01:00", 0).until("01:21");
    assert_eq!(site.offers(), ["month.report@01:00#1"], "a failed check is good enough");
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn a_flow_that_is_asked_for_as_a_whole_runs_in_its_order_beside_the_daily_one() {
    let mut site = Site::new();
    site.apply_file(MONTH);
    for job in ["report", "check", "load", "extract"] {
        site.request_in_flow(&format!("month.{job}@request-7"));
    }
    site.until("00:10");
    assert_eq!(site.offers(), ["month.extract@request-7#1"]);
    // The one of another request is another's.
    site.request_in_flow("month.extract@request-8");
    site.start("month.extract@request-7").end("month.extract@request-7", 0).until("00:20");
    let offers = site.offers();
    assert!(offers.contains(&"month.load@request-7#1".to_owned()), "{offers:?}");
    assert_eq!(site.run("month.report@request-7").state.word(), "waiting");
    site.check_no_voids();
    site.check_whole();
}

#[test]
fn what_failed_in_a_flow_that_was_asked_for_may_be_repeated_and_the_flow_goes_on() {
    let mut site = Site::new();
    site.apply_file(MONTH);
    for job in ["extract", "load"] {
        site.request_in_flow(&format!("month.{job}@request-7"));
    }
    site.until("00:10").start("month.extract@request-7").end("month.extract@request-7", 1);
    site.until("00:20");
    assert_eq!(site.state("month.load@request-7"), "blocked");
    site.rerun("month.extract@request-8", "month.extract@request-7").until("00:30");
    site.start("month.extract@request-8").end("month.extract@request-8", 0).until("00:31");
    assert_eq!(site.state("month.load@request-7"), "due");
    site.check_no_voids();
}

#[test]
fn a_job_of_a_flow_that_failed_is_repeated_and_the_rest_of_that_day_follows() {
    let mut site = Site::new();
    site.apply_file(MONTH).until("01:00").start("month.extract@01:00");
    site.end("month.extract@01:00", 1).until("01:10");
    assert_eq!(site.state("month.load@01:00"), "blocked");
    site.rerun("month.extract@request-1", "month.extract@01:00").until("01:20");
    site.start("month.extract@request-1").end("month.extract@request-1", 0).until("01:21");
    assert_eq!(site.state("month.load@01:00"), "due");
    // It is not blocked any more, and still needs its confirmation.
    assert_eq!(site.why("month.check@01:00"), ["somebody with the role approver must confirm it"]);
    assert_eq!(site.try_confirm("user/bob", "month.check@01:00"), Mark::Valid);
    site.until("01:22");
    assert_eq!(site.state("month.check@01:00"), "due");
    site.check_no_voids();
    site.check_whole();
}

fn jobs(text: &str) -> Vec<JobDefinition> {
    let parsed = parse_yaml("flow.yaml", text).unwrap();
    parsed.iter().filter_map(Definition::job).cloned().collect()
}

fn said(text: &str) -> String {
    let errors = parse_yaml("flow.yaml", text).unwrap_err();
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_flow_is_as_many_jobs_with_its_schedule_and_long_names() {
    let text = "\
kind: flow
name: f
description: all of it
schedule: { cron: '0 1 * * *' }
zone: Europe/Berlin
calendar: { only-on: [weekdays], cut-over: '06:00' }
late-after: 5m
jobs:
  a: { command: { argv: [x] }, late-after: 9m }
  b: { command: { argv: [z] }, after: [a, other, { job: a, run: latest }], description: mine }
";
    let jobs = jobs(text);
    let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["f.a", "f.b"]);
    let one = |job: &JobDefinition| {
        let late = job.late_after.to_string();
        (job.flow.clone().unwrap(), job.zone.clone(), job.description.clone(), late)
    };
    let of = |description: &str, late: &str| {
        ("f".to_owned(), "Europe/Berlin".to_owned(), description.to_owned(), late.to_owned())
    };
    assert_eq!(jobs.iter().map(one).collect::<Vec<_>>(), [of("all of it", "9m"), of("mine", "5m")]);
    assert!(jobs.iter().all(|job| job.schedule.is_some() && !job.calendar.is_empty()));
    let after: Vec<String> =
        jobs[1].after.iter().map(|after| format!("{} {}", after.job, after.run.word())).collect();
    assert_eq!(after, ["f.a same-occurrence", "other same-business-day", "f.a latest"]);
}

#[test]
fn a_flow_that_cannot_be_is_refused_with_its_reasons() {
    let flow = |jobs: &str| format!("kind: flow\nname: f\njobs:\n{jobs}");
    let table = [
        (
            flow(
                "  a: { command: { argv: [x] }, after: [b] }\n  b: { command: { argv: [x] }, after: [a] }\n",
            ),
            "jobs wait for each other: f.a -> f.b -> f.a",
        ),
        (flow("  a: { command: { argv: [x] }, after: [a] }\n"), "f.a -> f.a"),
        (
            flow("  a: { command: { argv: [x] }, schedule: { cron: '0 1 * * *' } }\n"),
            "jobs.a: schedule stands once, in the flow",
        ),
        (
            flow("  a: { command: { argv: [x] }, zone: UTC }\n"),
            "jobs.a: zone stands once, in the flow",
        ),
        (flow("  a: { comand: { argv: [x] } }\n"), "jobs.a: unknown field `comand`"),
        ("kind: flow\nname: f\njobs: {}\n".to_owned(), "jobs: it has none"),
    ];
    for (text, wanted) in table {
        let said = said(&text);
        assert!(said.contains(wanted), "{wanted} in\n{said}");
    }
}

#[test]
fn a_circle_is_found_across_files_and_with_jobs_that_are_active_already() {
    let job = |name: &str, after: &[&str]| {
        let fields = json!({"name": name, "after": after, "command": {"argv": ["x"]}});
        Definition::Job(Box::new(serde_json::from_value(fields).unwrap()))
    };
    let mut known = Known::default();
    let waits = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    known.jobs.insert("a".to_owned(), waits(&["b"]));
    known.jobs.insert("b".to_owned(), waits(&["c"]));
    known.jobs.insert("c".to_owned(), waits(&[]));
    // Others' circles are others'.
    known.jobs.insert("x".to_owned(), waits(&["y"]));
    known.jobs.insert("y".to_owned(), waits(&["x"]));
    let table: &[(Vec<Definition>, &[&str])] = &[
        (vec![job("c", &[])], &[]),
        (vec![job("d", &["a"])], &[]),
        (vec![job("c", &["a"])], &["jobs wait for each other in a circle: a -> b -> c -> a"]),
        (
            vec![job("c", &["d"]), job("d", &["e"]), job("e", &["b"])],
            &["jobs wait for each other in a circle: b -> c -> d -> e -> b"],
        ),
        // Who changes what another waits for breaks the circle.
        (vec![job("c", &["a"]), job("b", &[])], &[]),
        (vec![job("d", &["gone"])], &["job \"d\" waits for job \"gone\", and there is none"]),
    ];
    for (new, wanted) in table {
        assert_eq!(problems(new, &known), *wanted);
    }
}

#[test]
fn a_chain_of_ten_thousand_jobs_is_no_circle_and_one_more_link_makes_it_one() {
    let name = |n: usize| format!("j{n}");
    let mut edges: flow::Edges = (0..10_000).map(|n| (name(n), [name(n + 1)].into())).collect();
    assert_eq!(flow::circle(&edges), None);
    edges.insert(name(10_000), [name(0)].into());
    assert_eq!(flow::circle(&edges).unwrap().len(), 10_002);
    let diamond: flow::Edges = [
        ("a".to_owned(), ["b".to_owned(), "c".to_owned()].into()),
        ("b".to_owned(), ["d".to_owned()].into()),
        ("c".to_owned(), ["d".to_owned()].into()),
        ("d".to_owned(), [].into()),
    ]
    .into();
    assert_eq!(flow::circle(&diamond), None);
}

#[test]
fn what_is_named_comes_before_what_names_it_and_jobs_come_last() {
    let text = "\
name: pay
command: { argv: [x] }
locks: [ledger]
calendar: { not-on: [shut] }
---
kind: calendar
name: shut
days: { any-of: [us, weekend] }
---
kind: calendar
name: weekend
days: { weekdays: [saturday, sunday] }
---
kind: calendar
name: us
days: { except: { days: { month-days: [1] }, but: [weekend] } }
---
kind: lock
name: ledger
";
    let parsed = parse_yaml("all.yaml", text).unwrap();
    assert_eq!(problems(&parsed, &Known::default()), Vec::<String>::new());
    let ordered = in_order(parsed);
    let names: Vec<&str> = ordered.iter().map(Definition::name).collect();
    let place = |name: &str| names.iter().position(|other| *other == name).unwrap();
    assert_eq!(names.len(), 5);
    assert!(place("weekend") < place("us") && place("us") < place("shut"));
    assert_eq!(place("pay"), 4);
    // And applied in that order each is admitted.
    let mut site = Site::new();
    for definition in ordered {
        match definition {
            Definition::Job(job) => {
                site.world.activate(&job, at("00:00"));
            }
            Definition::Thing(thing) => {
                site.apply(thing.value().unwrap());
            }
        }
    }
}

#[test]
fn a_diagram_shows_each_job_once_with_all_that_it_waits_for() {
    let jobs = jobs(MONTH);
    let wanted = "\
month.extract
├─▶ month.check       [asks the approver]
└─▶ month.load
    └─▶ month.report  (after month.check succeeded|warning|failed)
";
    assert_eq!(flow::diagram(&jobs, |_| String::new()), wanted);
    // What stands outside is named beside, whichever is named first.
    let text = "\
kind: flow
name: f
jobs:
  a: { command: { argv: [x] }, after: [dump] }
  b: { command: { argv: [x] }, after: [dump, a] }
  c: { command: { argv: [x] }, after: [a, dump] }
";
    let wanted = "\
f.a      (after dump)
├─▶ f.b  (after dump)
└─▶ f.c  (after dump)
";
    assert_eq!(flow::diagram(&self::jobs(text), |_| String::new()), wanted);
}

#[test]
fn a_mermaid_diagram_keeps_jobs_apart_whose_names_differ_in_a_mark_only() {
    let text = "\
kind: flow
name: f
jobs:
  a-b: { command: { argv: [x] } }
  a.b: { command: { argv: [x] }, after: [a-b] }
  a_b: { command: { argv: [x] }, after: [a.b, end] }
";
    let diagram = flow::mermaid(&jobs(text), |_| String::new());
    let nodes: Vec<(&str, &str)> = diagram
        .lines()
        .filter_map(|line| line.trim().strip_suffix("\"]")?.split_once("[\""))
        .collect();
    let names: Vec<&str> = nodes.iter().map(|(_, name)| *name).collect();
    assert_eq!(names, ["f.a-b", "f.a.b", "f.a_b"]);
    let ids: std::collections::BTreeSet<&str> = nodes.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids.len(), 3, "{diagram}");
    // Every arrow leads to one of them, and from one or from a job outside; `end` is a word of the language.
    let arrows = diagram.lines().filter_map(|line| line.trim().split_once(" --> "));
    let arrows: Vec<(&str, &str)> = arrows.collect();
    assert_eq!(arrows.len(), 3, "{diagram}");
    for (from, to) in arrows {
        assert!(ids.contains(to), "{diagram}");
        assert!(ids.contains(from) || from == "j_end[\"end\"]", "{diagram}");
    }
}
