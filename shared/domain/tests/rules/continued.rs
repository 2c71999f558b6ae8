//! A log that was brought back from an older copy: what may have happened does not happen again by itself.

use domain::envelope::Draft;
use domain::event::{
    DefinitionRef, LogContinued, MissReason, Nominal, RunEvent, RunMissed, RunRequested,
};
use domain::flush::Flush;
use domain::ids::StreamId;
use domain::ledger::{Mark, Refusal};
use serde_json::json;

use crate::given::{
    World, at, definition, due, golden, golden_run, key, occurrence, producer, stream,
};
use crate::site::refused;

const LOST: &str = "it may have run: the log of that time was lost";
const BEGUN: &str = "it may have begun before: the log of that time was lost";

/// The log goes on as it stands.
pub(crate) fn goes_on(world: &World, restored: bool, lost: u64) -> LogContinued {
    let size = world.ledger.size;
    LogContinued {
        origin: "log.example/decklog-2".to_owned(),
        head_key: "log.example/decklog-2+00000000+AA".to_owned(),
        before: None,
        size,
        reached: size + lost,
        restored,
        handover: None,
        reason: "the disk is broken".to_owned(),
    }
}

fn say(world: &mut World, event: LogContinued) -> Mark {
    world.say_next("audit/main", StreamId::continued(), event, at("03:00"))
}

/// A job each half hour, of which the runs at 02:00 and 02:30 are due; the log is brought back at 03:00.
fn brought_back() -> (World, DefinitionRef) {
    let mut world = World::new(at("01:00"));
    let says =
        definition(json!({"schedule": {"every": "30m"}, "zone": "UTC", "late-after": "20m"}));
    let reference = world.activate(&says, at("01:45"));
    let (run, first) = due(reference.clone(), at("02:00"));
    assert_eq!(world.say_next("scheduler/s1", run, first, at("02:00")), Mark::Valid);
    let event = goes_on(&world, true, 7);
    assert_eq!(say(&mut world, event), Mark::Valid);
    (world, reference)
}

fn after(nominal: Nominal, before: &str) -> Nominal {
    Nominal { after: Some(at(before)), ..nominal }
}

fn missed(reference: &DefinitionRef, instant: &str, before: &str, reason: MissReason) -> RunMissed {
    let (_, nominal) = occurrence(at(instant));
    let (job, definition) = ("pay".to_owned(), reference.clone());
    RunMissed { job, definition, nominal: after(nominal, before), late_ms: 0, reason }
}

#[test]
fn an_occurrence_of_the_time_that_was_lost_is_missed_and_does_not_run() {
    let (mut world, reference) = brought_back();
    let (run, mut second) = due(reference.clone(), at("02:30"));
    second.nominal = second.nominal.map(|nominal| after(nominal, "02:00"));
    let mark = world.say_next("scheduler/s1", run.clone(), second, at("03:05"));
    assert_eq!(refused(&mark), LOST);
    let lost = missed(&reference, "02:30", "02:00", MissReason::LogLost);
    assert_eq!(world.say_next("scheduler/s1", run, lost, at("03:05")), Mark::Valid);
    // At the very instant at which it went on nobody knows either; behind it everything is as ever.
    // It is said at once, before the occurrence would be late.
    for (instant, before, now, says) in
        [("03:00", "02:30", "03:05", Some(LOST)), ("03:30", "03:00", "03:31", None)]
    {
        let (run, mut next) = due(reference.clone(), at(instant));
        next.nominal = next.nominal.map(|nominal| after(nominal, before));
        let mark = world.say_next("scheduler/s1", run.clone(), next, at(now));
        assert_eq!((mark != Mark::Valid).then(|| refused(&mark)), says.map(str::to_owned));
        if says.is_some() {
            let lost = missed(&reference, instant, before, MissReason::LogLost);
            assert_eq!(world.say_next("scheduler/s1", run, lost, at(now)), Mark::Valid);
        }
    }
    // And nobody hides behind that what is theirs.
    let (run, _) = occurrence(at("04:00"));
    let hidden = missed(&reference, "04:00", "03:30", MissReason::LogLost);
    let mark = world.say_next("scheduler/s1", run, hidden, at("04:20"));
    assert_eq!(refused(&mark), "nothing was lost of that time");
}

#[test]
fn a_run_that_had_not_begun_when_the_log_was_brought_back_does_not_begin() {
    let (mut world, reference) = brought_back();
    let (run, _) = occurrence(at("02:00"));
    let RunEvent::RunStarted(mut started) = golden_run("run.started") else { panic!() };
    (started.attempt, started.host, started.definition) = (1, "h1".to_owned(), reference.digest);
    let mark = world.say_next("executor/h1", run, started.clone(), at("03:05"));
    assert_eq!(refused(&mark), BEGUN);
    // Whoever knows that it did not run asks for another.
    let again = stream("run/pay@request-1");
    let RunEvent::RunRequested(asked) = golden_run("run.requested") else { panic!() };
    let asked = RunRequested {
        job: "pay".to_owned(),
        definition: reference.clone(),
        parameters: std::collections::BTreeMap::new(),
        again: None,
        of_flow: false,
        ..asked
    };
    assert_eq!(world.say_by("user/ana", again.clone(), asked, at("03:06")), Mark::Valid);
    let (_, mut due) = due(reference, at("03:06"));
    due.nominal = None;
    assert_eq!(world.say_next("scheduler/s1", again.clone(), due, at("03:06")), Mark::Valid);
    assert_eq!(world.say_next("executor/h1", again, started, at("03:07")), Mark::Valid);
}

#[test]
fn a_log_goes_on_under_a_name_of_its_own_and_says_how_far_it_had_come() {
    let world = World::new(at("01:00"));
    let whole = goes_on(&world, false, 0);
    let same = LogContinued {
        origin: "log.example/decklog".to_owned(),
        head_key: "log.example/decklog+00000000+AA".to_owned(),
        ..whole.clone()
    };
    let foreign = LogContinued { head_key: "log.example/other+0+AA".to_owned(), ..whole.clone() };
    let table = [
        (whole.clone(), None),
        (goes_on(&world, true, 0), None),
        (goes_on(&world, true, 9), None),
        (goes_on(&world, false, 9), Some("what was lost was lost because it was brought back")),
        (same, Some("that is its name already")),
        (foreign, Some("the key of heads has the log's name in front")),
        (
            LogContinued { size: whole.size - 1, ..whole.clone() },
            Some("another number of events stands in front of it"),
        ),
        (
            LogContinued { reached: whole.size - 1, ..whole.clone() },
            Some("the log holds more than it is said to have reached"),
        ),
    ];
    for (event, why) in table {
        let mut world = world.clone();
        let mark = say(&mut world, event);
        assert_eq!((mark != Mark::Valid).then(|| refused(&mark)), why.map(str::to_owned));
        if why.is_none() {
            assert_eq!(world.ledger.origin.as_deref(), Some("log.example/decklog-2"));
        }
    }
    let mut other = world;
    let mark = other.say_next("console/c1", StreamId::continued(), whole, at("03:00"));
    assert_eq!(refused(&mark), "a producer of class console may not state log.continued");
}

#[test]
fn a_producer_goes_on_behind_what_was_lost_of_it_once() {
    let (mut world, _) = brought_back();
    let draft = || Draft::new(stream("host/h1"), 1, golden("host.started"));
    let mut sealed = |lost: usize| {
        for _ in 0..lost {
            world.seal("executor/h1", draft(), at("03:01"));
        }
        Flush::sign(vec![world.seal("executor/h1", draft(), at("03:01")).1], &key()).unwrap()
    };
    let (first, second) = (sealed(3), sealed(2));
    let mut ledger = world.ledger.clone();
    assert!(ledger.producers[&producer("executor/h1")].adrift);
    let opened = ledger.open(&first).unwrap();
    let one = &opened[0];
    let mut streams = world.streams.clone();
    ledger.judge(&mut streams, &one.envelope, &one.event, one.hash, at("03:02"));
    assert!(!ledger.producers[&producer("executor/h1")].adrift);
    assert!(matches!(ledger.open(&second), Err(Refusal::NotNext { known: 4, begins: 7, .. })));
    // One that was not brought back takes nothing of that kind.
    let mut whole = World::new(at("01:00"));
    let event = goes_on(&whole, false, 0);
    assert_eq!(say(&mut whole, event), Mark::Valid);
    assert!(matches!(whole.ledger.open(&first), Err(Refusal::NotNext { known: 0, .. })));
}
