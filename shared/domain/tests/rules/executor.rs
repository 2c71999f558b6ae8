//! What a host may say about its attempts.

use std::collections::BTreeMap;

use domain::canonical::{Digest, canonical};
use domain::event::{CommandEnd, Event, RunEvent};
use domain::executor::{Cause, Ending, claim, conclude, give_up};
use domain::ids::StreamId;
use domain::job::ExitCodes;
use domain::ledger::{Mark, Streams as _};
use domain::run::Run;
use domain::wire::Work;
use serde_json::json;

use crate::given::{World, at, definition, due, golden_run, later, producer};

fn ending(end: CommandEnd, cause: Cause) -> Ending {
    let RunEvent::RunReported(reported) = golden_run("run.reported") else { panic!() };
    let mut report = reported.report;
    report.attempt = 1;
    report.host = "h1".to_owned();
    report.end = end;
    Ending { report, cause, exit_codes: exit_codes(), payload: None }
}

fn exit_codes() -> ExitCodes {
    serde_json::from_value(serde_json::json!({ "ok": [0, 2], "warning": [4] })).unwrap()
}

fn exited(code: i32) -> CommandEnd {
    CommandEnd::Exited { code }
}

/// A run of `pay` that host h1 holds, in a world.
fn held() -> (World, StreamId) {
    let mut world = World::new(at("00:00"));
    let definition = definition(json!({"command": {"argv": ["/bin/pay", "now"]}}));
    let reference = world.activate(&definition, at("00:00"));
    let (run, mut due) = due(reference.clone(), at("02:30"));
    due.retry.delays_ms.clear();
    assert_eq!(world.say_next("scheduler/s1", run.clone(), due, at("02:30")), Mark::Valid);
    let work = Work {
        run: run.clone(),
        version: 1,
        attempt: 1,
        pool: "default".to_owned(),
        host: None,
        digest: reference.digest,
        definition: serde_json::to_value(&definition).unwrap(),
        offer: 1,
        parameters: BTreeMap::new(),
        business_day: None,
        at: at("02:30"),
    };
    let claim = claim(&work, &definition, "h1", 60_000, "payroll");
    assert_eq!(world.say("executor/h1", claim, at("02:30:01")), Mark::Valid);
    (world, run)
}

fn state(world: &World, run: &StreamId) -> (Run, u64) {
    let state = world.streams.get(run).unwrap();
    (state.body.run().unwrap().clone(), state.version)
}

/// What the host says, in a few words.
fn said(event: &Event) -> String {
    let Event::RunEvent(event) = event else { panic!("{}", event.kind()) };
    match event {
        RunEvent::RunSucceeded(e) if e.warning => "succeeded with a warning".to_owned(),
        RunEvent::RunSucceeded(_) => "succeeded".to_owned(),
        RunEvent::RunFailed(e) => format!("failed: {}", e.message),
        RunEvent::RunTimedOut(e) => format!("timed out after {} ms", e.after_ms),
        RunEvent::RunCancelled(e) => format!("cancelled: {}", e.reason),
        RunEvent::RunReported(_) => "reported".to_owned(),
        RunEvent::RunLost(e) => format!("lost: {}", e.reason),
        RunEvent::RunRequested(_)
        | RunEvent::RunDue(_)
        | RunEvent::RunReleased(_)
        | RunEvent::RunHeld(_)
        | RunEvent::RunDelayed(_)
        | RunEvent::RunConfirmed(_)
        | RunEvent::RunCleared(_)
        | RunEvent::RunBlocked(_)
        | RunEvent::RunOverridden(_)
        | RunEvent::RunNeedsUnmet(_)
        | RunEvent::RunLate(_)
        | RunEvent::RunGathered(_)
        | RunEvent::RunDivided(_)
        | RunEvent::RunSkipped(_)
        | RunEvent::RunMissed(_)
        | RunEvent::RunStarted(_)
        | RunEvent::RunCancelRequested(_)
        | RunEvent::RunRetryScheduled(_)
        | RunEvent::RunResolved(_) => panic!("{}", event.kind()),
    }
}

#[test]
fn an_attempt_ends_as_its_command_did_and_why_it_was_stopped() {
    let signal = |signal| CommandEnd::Signaled { signal };
    let not_started = || CommandEnd::NotStarted { message: "no such file".to_owned() };
    let cancelled = || Cause::Cancelled("wrong month".to_owned());
    let table = [
        (exited(0), Cause::Own, "succeeded"),
        (exited(2), Cause::Own, "succeeded"),
        (exited(4), Cause::Own, "succeeded with a warning"),
        (exited(1), Cause::Own, "failed: exit code 1"),
        (exited(-1), Cause::Own, "failed: exit code -1"),
        (signal(11), Cause::Own, "failed: ended by signal 11"),
        (not_started(), Cause::Own, "failed: not started: no such file"),
        (signal(15), Cause::Timeout(5_000), "timed out after 5000 ms"),
        // A command may end in order when it is stopped: it was stopped all the same.
        (exited(0), Cause::Timeout(5_000), "timed out after 5000 ms"),
        (not_started(), Cause::Timeout(5_000), "failed: not started: no such file"),
        (signal(15), cancelled(), "cancelled: wrong month"),
        (exited(0), cancelled(), "cancelled: wrong month"),
        (not_started(), cancelled(), "failed: not started: no such file"),
        (
            signal(9),
            Cause::OutputLimit(100),
            "failed: wrote more than 100 bytes (ended by signal 9)",
        ),
        (exited(0), Cause::OutputLimit(100), "failed: wrote more than 100 bytes (exit code 0)"),
        (
            signal(9),
            Cause::Memory(100),
            "failed: out of memory: the limit was 100 bytes (ended by signal 9); limits.memory-bytes of the job sets another",
        ),
    ];
    for (end, cause, wanted) in table {
        let (mut world, id) = held();
        let (run, version) = state(&world, &id);
        let ending = ending(end, cause);
        let draft = conclude(&run, version, &producer("executor/h1"), &ending).unwrap();
        assert_eq!(said(&draft.event), wanted, "{ending:?}");
        assert_eq!(world.say("executor/h1", draft, at("02:31")), Mark::Valid, "{ending:?}");
        let (run, version) = state(&world, &id);
        assert!(run.state.is_ended());
        assert_eq!(
            conclude(&run, version, &producer("executor/h1"), &ending),
            None,
            "the log knows"
        );
    }
}

#[test]
fn a_claim_names_what_will_run_and_is_the_version_after_the_offer() {
    let (world, run) = held();
    let (envelope, event, _) = world.feed.last().unwrap();
    let Event::RunEvent(RunEvent::RunStarted(started)) = event else { panic!("{}", event.kind()) };
    assert_eq!((&envelope.subject, envelope.version), (&run, 2));
    let argv = Digest::of(&canonical(&["/bin/pay", "now"]).unwrap());
    assert_eq!((started.argv, started.script), (argv, None));
    assert_eq!((started.run_as.as_str(), started.lease_ms), ("payroll", 60_000));
    let script =
        definition(json!({"command": {"script": "echo pay", "interpreter": ["/bin/bash"]}}));
    let work = Work {
        run,
        version: 4,
        attempt: 2,
        pool: String::new(),
        host: None,
        digest: Digest::NONE,
        definition: json!(null),
        offer: 1,
        parameters: BTreeMap::new(),
        business_day: None,
        at: at("02:30"),
    };
    let claim = claim(&work, &script, "h1", 1, "root");
    let Event::RunEvent(RunEvent::RunStarted(started)) = claim.event else { panic!() };
    assert_eq!((claim.version, started.attempt), (5, 2));
    assert_eq!(started.script, Some(Digest::of(b"echo pay")));
    assert_eq!(started.argv, Digest::of(&canonical(&["/bin/bash"]).unwrap()));
}

#[test]
fn the_end_of_an_attempt_that_was_given_up_closes_the_run_or_is_reported_once() {
    let host = producer("executor/h1");
    let (mut world, id) = held();
    let lost = |world: &mut World| {
        let RunEvent::RunLost(lost) = golden_run("run.lost") else { panic!() };
        assert_eq!(world.say_next("scheduler/s1", id.clone(), lost, at("02:40")), Mark::Valid);
    };
    lost(&mut world);
    let (run, version) = state(&world, &id);
    let ending = ending(exited(0), Cause::Own);
    let draft = conclude(&run, version, &host, &ending).unwrap();
    assert_eq!(said(&draft.event), "succeeded", "unknown is closed by evidence");

    let RunEvent::RunResolved(resolved) = golden_run("run.resolved") else { panic!() };
    assert_eq!(world.say_by("user/bob", id.clone(), resolved, at("02:41")), Mark::Valid);
    let (run, version) = state(&world, &id);
    assert_eq!(
        world.say("executor/h1", draft, later(at("02:41"), 1)),
        Mark::Conflict { at: version }
    );
    let draft = conclude(&run, version, &host, &ending).unwrap();
    assert_eq!(said(&draft.event), "reported", "a person was faster; the evidence is kept");
    assert_eq!(world.say("executor/h1", draft, at("02:42")), Mark::Valid);
    let (run, version) = state(&world, &id);
    assert_eq!(conclude(&run, version, &host, &ending), None);
}

#[test]
fn a_host_says_nothing_about_attempts_it_does_not_hold() {
    let (world, id) = held();
    let (run, version) = state(&world, &id);
    let own = ending(exited(0), Cause::Own);
    assert_eq!(conclude(&run, version, &producer("executor/h2"), &own), None);
    let mut other = own;
    other.report.attempt = 2;
    assert_eq!(conclude(&run, version, &producer("executor/h1"), &other), None);
}

#[test]
fn a_host_gives_up_its_own_running_attempt_and_nothing_else() {
    let (mut world, id) = held();
    let (run, version) = state(&world, &id);
    let why = "its supervisor vanished";
    assert_eq!(give_up(&run, version, &producer("executor/h2"), 1, why), None);
    assert_eq!(give_up(&run, version, &producer("executor/h1"), 2, why), None);
    let draft = give_up(&run, version, &producer("executor/h1"), 1, why).unwrap();
    assert_eq!(said(&draft.event), "lost: its supervisor vanished");
    assert_eq!(world.say("executor/h1", draft, at("02:31")), Mark::Valid);
    let (run, version) = state(&world, &id);
    assert_eq!(give_up(&run, version, &producer("executor/h1"), 1, why), None);
}
