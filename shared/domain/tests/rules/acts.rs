//! What people say of runs and occurrences, where the ledger's answer depends on more than the run's state.

use domain::envelope::Draft;
use domain::event::{
    Again, DefinitionRef, Event, JobOccurrenceHeld, JobOccurrenceMoved, JobOccurrenceReleased,
    Moved, Role, RunDivided, RunDue, RunEvent, RunOverridden, RunRequested, RunSkipped, SkipReason,
    UserCreated,
};
use domain::expect::Population;
use domain::ids::StreamId;
use domain::job::{Confirm, Hosts};
use domain::ledger::{Mark, Streams as _};
use domain::scheduler::{Action, Scheduler, Settings};
use jiff::Timestamp;
use serde_json::json;

use crate::given::{World, at, definition, due, golden_run, later, occurrence};

/// A world in which job `pay` runs every hour from one on.
fn hourly() -> (World, DefinitionRef) {
    let mut world = World::new(at("00:00"));
    for (name, roles) in [("ana", vec![Role::Operator]), ("eve", vec![Role::Approver])] {
        let event = UserCreated { roles };
        let mark = world.say_next("console/c1", StreamId::user(name), event, at("00:00"));
        assert_eq!(mark, Mark::Valid);
    }
    let reference = world.activate(&definition(json!({"schedule": {"every": "1h"}})), at("01:00"));
    (world, reference)
}

fn settled(world: &World) -> Option<Timestamp> {
    world.streams.get(&StreamId::job("pay")).unwrap().turn.settled
}

fn by_person(due: &RunDue) -> RunSkipped {
    RunSkipped {
        job: due.job.clone(),
        definition: due.definition.clone(),
        nominal: due.nominal.clone(),
        reason: SkipReason::Person { because: "not today".to_owned() },
    }
}

#[track_caller]
fn say(world: &mut World, by: &str, stream: StreamId, event: impl Into<Event>, now: Timestamp) {
    assert_eq!(world.say_next(by, stream, event, now), Mark::Valid);
}

/// What a scheduler that has followed the log says at `now`.
fn drafts(world: &World, now: Timestamp) -> Vec<Draft> {
    let mut scheduler = Scheduler::new(Settings::new("s1", "2026b"));
    for (envelope, event, received) in &world.feed {
        scheduler.apply(envelope, event, *received);
    }
    let appended = scheduler.tick(now).into_iter().filter_map(|action| match action {
        Action::Append(draft) => Some(draft),
        Action::Dispatch(_) | Action::Recall(_) | Action::Send(_) => None,
    });
    appended.collect()
}

#[test]
fn a_run_that_was_moved_has_its_limits_from_there_and_no_window() {
    let says = json!({
        "schedule": {"cron": "0 3 * * *"},
        "window": {"from": "02:00", "until": "05:00"},
        "latest-by": "1h",
        "sla": {"start-by": "10m"},
    });
    // Where it was moved, when that is decided, and from when its limits count.
    let table = [
        (None, "03:00", "03:00"),
        (Some("01:30"), "01:30", "01:30"),
        (Some("09:00"), "03:00", "09:00"),
    ];
    for (to, decided, from) in table {
        let mut world = World::new(at("00:00"));
        world.activate(&definition(says.clone()), at("00:00"));
        if let Some(to) = to {
            let (reason, to) = ("the bank closes early".to_owned(), at(to));
            let moved = JobOccurrenceMoved { at: at("03:00"), to, reason };
            say(&mut world, "console/c1", StreamId::job("pay"), moved, at("01:10"));
        }
        let drafts = drafts(&world, at(decided));
        let [Draft { event: Event::RunEvent(RunEvent::RunDue(due)), .. }] = drafts.as_slice()
        else {
            panic!("{drafts:?}")
        };
        let terms = &due.terms;
        assert_eq!(terms.window.is_none(), to.is_some(), "{to:?}");
        assert_eq!(terms.latest_by, Some(later(at(from), 3_600_000)), "{to:?}");
        assert_eq!(terms.deadlines.start_by, Some(later(at(from), 600_000)), "{to:?}");
    }
}

#[test]
fn a_run_that_was_moved_ahead_settles_no_occurrence_when_a_person_skips_it() {
    let (mut world, reference) = hourly();
    let job = StreamId::job("pay");
    let reason = || "the bank closes early".to_owned();
    let moved = JobOccurrenceMoved { at: at("06:00"), to: at("01:30"), reason: reason() };
    say(&mut world, "console/c1", job, moved, at("01:10"));
    let (run, ahead) = due(reference.clone(), at("06:00"));
    let moved = Some(Moved { to: at("01:30"), ahead: true, reason: reason() });
    let ahead = RunDue { moved, ..ahead };
    say(&mut world, "scheduler/s1", run.clone(), ahead.clone(), at("01:30"));
    say(&mut world, "console/c1", run, by_person(&ahead), at("01:31"));
    assert_eq!(settled(&world), None, "it would account for all before it");
    let decided = drafts(&world, at("02:00")).into_iter().map(|draft| draft.stream);
    assert_eq!(decided.collect::<Vec<_>>(), [occurrence(at("02:00")).0]);
    let (run, next) = due(reference, at("02:00"));
    say(&mut world, "scheduler/s1", run, next, at("02:00"));
    assert_eq!(settled(&world), Some(at("02:00")));
}

#[test]
fn a_part_is_skipped_like_any_run_and_accounts_for_nothing() {
    let (mut world, reference) = hourly();
    let (whole, due) = due(reference, at("02:00"));
    let mut all = due.clone();
    all.terms.hosts = Hosts::All;
    say(&mut world, "scheduler/s1", whole.clone(), all, at("02:00"));
    let hosts = vec!["h1".to_owned(), "h2".to_owned()];
    say(&mut world, "scheduler/s1", whole.clone(), RunDivided { hosts }, at("02:00"));
    let part = whole.part_on("h1");
    let skipped = by_person(&due);
    let mark = world.say_next("console/c1", part.clone(), skipped.clone(), at("02:01"));
    assert!(mark.void().is_some(), "it has not begun: {mark:?}");
    let own = RunDue { part_of: Some(whole), host: Some("h1".to_owned()), ..due };
    say(&mut world, "scheduler/s1", part.clone(), own, at("02:01"));
    say(&mut world, "console/c1", part, skipped, at("02:02"));
    let mut population = Population::default();
    for (envelope, event, received) in &world.feed {
        population.observe(&envelope.subject, event, *received);
    }
    let accounted = population.account(at("02:30"));
    assert_eq!(accounted.findings, [], "{accounted:?}");
}

#[test]
fn who_overrides_a_run_that_asks_for_a_word_must_be_one_who_may_give_it() {
    for (who, allowed) in [("user/ana", false), ("user/eve", true), ("user/nobody", false)] {
        let (mut world, reference) = hourly();
        let (run, due) = due(reference, at("02:00"));
        let mut terms = due.terms.clone();
        terms.confirm = Some(Confirm { role: Role::Approver, question: String::new() });
        say(&mut world, "scheduler/s1", run.clone(), RunDue { terms, ..due }, at("02:00"));
        let overridden = RunOverridden { reason: "it must go out".to_owned() };
        let mark = world.say_by(who, run, overridden, at("02:01"));
        assert_eq!(mark == Mark::Valid, allowed, "{who}: {mark:?}");
        if let Mark::Refused { reason } = mark {
            assert_eq!(reason, "only somebody with the role approver can confirm it");
        }
    }
}

#[test]
fn nothing_is_said_of_an_occurrence_that_is_decided() {
    let (mut world, reference) = hourly();
    let job = StreamId::job("pay");
    let reason = || "it is late".to_owned();
    let held = JobOccurrenceHeld { at: at("02:00"), reason: reason() };
    let released = JobOccurrenceReleased { at: at("02:00"), reason: reason() };
    say(&mut world, "console/c1", job.clone(), held.clone(), at("01:10"));
    say(&mut world, "console/c1", job.clone(), released.clone(), at("01:11"));
    say(&mut world, "console/c1", job.clone(), held.clone(), at("01:12"));
    let (run, due) = due(reference, at("02:00"));
    let due = RunDue { hold: Some(reason()), ..due };
    say(&mut world, "scheduler/s1", run, due, at("02:00"));
    for event in [Event::from(released), Event::from(held)] {
        let mark = world.say_next("console/c1", job.clone(), event, at("02:01"));
        let wanted = "the occurrence at 2026-11-20T02:00:00Z is decided already: see its run";
        assert_eq!(mark, Mark::Refused { reason: wanted.to_owned() });
    }
}

#[test]
fn only_a_run_that_has_ended_is_run_again() {
    let (mut world, definition) = hourly();
    let (run, due) = due(definition.clone(), at("02:00"));
    let again =
        Again { run: run.clone(), at: at("02:00"), business_day: jiff::civil::date(2026, 11, 20) };
    let request = RunRequested {
        job: "pay".to_owned(),
        definition,
        reason: "once more".to_owned(),
        parameters: std::collections::BTreeMap::new(),
        again: Some(again),
        of_flow: false,
    };
    let id = |n: u32| StreamId::run("pay", &format!("request-{n}"));
    let mark = world.say_next("console/c1", id(1), request.clone(), at("02:01"));
    assert_eq!(mark.void().unwrap(), format!("refused: there is no {run}"));
    say(&mut world, "scheduler/s1", run.clone(), due.clone(), at("02:01"));
    let mark = world.say_next("console/c1", id(1), request.clone(), at("02:02"));
    assert_eq!(mark.void().unwrap(), format!("refused: {run} has not ended: it is due"));
    say(&mut world, "console/c1", run, by_person(&due), at("02:03"));
    say(&mut world, "console/c1", id(1), request, at("02:04"));
}

#[test]
fn a_run_is_skipped_by_a_person_only_in_its_own_name() {
    let (mut world, reference) = hourly();
    let (run, due) = due(reference, at("02:00"));
    say(&mut world, "scheduler/s1", run.clone(), due.clone(), at("02:00"));
    let RunEvent::RunSkipped(other) = golden_run("run.skipped") else { panic!("not skipped") };
    let reason = by_person(&due).reason;
    let (_, nominal) = occurrence(at("03:00"));
    let wrong =
        [RunSkipped { reason, ..other }, RunSkipped { nominal: Some(nominal), ..by_person(&due) }];
    for wrong in wrong {
        let mark = world.say_next("console/c1", run.clone(), wrong, at("02:01"));
        assert!(matches!(mark, Mark::Refused { .. }), "{mark:?}");
    }
    say(&mut world, "console/c1", run, by_person(&due), at("02:01"));
}
