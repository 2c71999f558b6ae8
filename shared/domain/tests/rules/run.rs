//! The life of a run: which event may follow which, and what becomes of it.

use domain::canonical::Digest;
use domain::event::{DefinitionRef, Resolution, Role};
use domain::event::{
    RetryOn, RetryRule, RunCancelled, RunDue, RunEvent, RunFailed, RunLost, RunReported,
    RunRequested, RunRetryScheduled, RunStarted, RunSucceeded, RunTimedOut,
};
use domain::ids::{ProducerId, StreamId};
use domain::job::{After, Confirm, DefinitionText, Hosts, Job, Span, Versions, WhichRun};
use domain::run::{Context, Outcome, Run, State, admit};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::given::{at, due, golden_run, later, occurrence, producer};

fn reference() -> DefinitionRef {
    DefinitionRef::new(3, Digest::of(b"definition"))
}

fn instant() -> Timestamp {
    at("02:30")
}

/// Job `pay`, whose definition 3 has held since midnight.
fn job() -> Job {
    let DefinitionRef { number, digest } = reference();
    let from = at("00:00");
    let span = Span {
        number,
        digest,
        definition: DefinitionText::new(&serde_json::Value::Null),
        from,
        until: None,
    };
    let versions = Versions { spans: vec![span], ..Versions::default() };
    Job { versions, ..Job::new("pay") }
}

const HOST: &str = "executor/h1";

/// An event of each kind as it fits attempt `attempt` of the run, and who says it.
fn event(kind: &str, attempt: u32) -> (RunEvent, &'static str) {
    let host = || "h1".to_owned();
    let mut event = golden_run(kind);
    let mut by = HOST;
    match &mut event {
        RunEvent::RunRequested(e) => {
            *e = RunRequested { job: "pay".to_owned(), definition: reference(), ..e.clone() };
            by = "console/c1";
        }
        RunEvent::RunDue(e) => {
            let (delays_ms, on) = (vec![60_000], vec![RetryOn::Failed]);
            let retry = RetryRule { delays_ms, on, ..RetryRule::default() };
            *e = RunDue { retry, ..due(reference(), instant()).1 };
            by = "scheduler/s1";
        }
        RunEvent::RunSkipped(e) => {
            e.job = "pay".to_owned();
            e.definition = reference();
            e.nominal = Some(occurrence(instant()).1);
            by = "scheduler/s1";
        }
        RunEvent::RunMissed(e) => {
            e.job = "pay".to_owned();
            e.definition = reference();
            e.nominal = occurrence(instant()).1;
            by = "scheduler/s1";
        }
        RunEvent::RunStarted(e) => {
            let definition = reference().digest;
            *e = RunStarted { attempt, host: host(), definition, ..e.clone() };
        }
        RunEvent::RunSucceeded(RunSucceeded { attempt: n, report, .. })
        | RunEvent::RunFailed(RunFailed { attempt: n, report, .. })
        | RunEvent::RunTimedOut(RunTimedOut { attempt: n, report, .. }) => {
            *n = attempt;
            report.attempt = attempt;
        }
        RunEvent::RunCancelled(e) => {
            e.attempt = Some(attempt);
            if let Some(report) = &mut e.report {
                report.attempt = attempt;
            }
        }
        RunEvent::RunReported(RunReported { report }) => report.attempt = attempt,
        RunEvent::RunLost(e) => {
            *e = RunLost { attempt, host: host(), reason: "silence".to_owned() };
            by = "scheduler/s1";
        }
        RunEvent::RunRetryScheduled(e) => {
            let not_before = later(instant(), 60_000);
            *e = RunRetryScheduled { attempt, not_before, after: RetryOn::Failed };
            by = "scheduler/s1";
        }
        RunEvent::RunNeedsUnmet(e) => e.host = host(),
        RunEvent::RunCleared(_)
        | RunEvent::RunBlocked(_)
        | RunEvent::RunLate(_)
        | RunEvent::RunDivided(_)
        | RunEvent::RunGathered(_) => by = "scheduler/s1",
        RunEvent::RunReleased(_)
        | RunEvent::RunHeld(_)
        | RunEvent::RunDelayed(_)
        | RunEvent::RunConfirmed(_)
        | RunEvent::RunOverridden(_)
        | RunEvent::RunCancelRequested(_)
        | RunEvent::RunResolved(_) => by = "console/c1",
    }
    (event, by)
}

/// A run on its way, one event after the other.
struct Story {
    run: Option<Run>,
    now: Timestamp,
}

fn id() -> StreamId {
    occurrence(instant()).0
}

impl Story {
    fn new() -> Self {
        Self { run: None, now: later(instant(), 200_000) }
    }

    fn admits(&self, event: &RunEvent, by: &ProducerId) -> Result<(), String> {
        admit(self.run.as_ref(), Some(&job()), event, by, self.now).map_err(|e| e.to_string())
    }

    /// The event happens, and it must be allowed to.
    #[track_caller]
    fn and(mut self, event: RunEvent, by: &str) -> Self {
        let by = producer(by);
        if let Err(reason) = self.admits(&event, &by) {
            panic!("{}: {reason}", event.kind());
        }
        let ctx =
            Context { received: self.now, producer: &by, actor: Some("user/ana"), payload: None };
        self.run = Run::evolve(self.run, &id(), &event, ctx);
        self
    }

    /// Events by their kinds, of attempt 1 or as `kind#2` of attempt 2.
    #[track_caller]
    fn given(kinds: &str) -> Self {
        kinds.split_whitespace().fold(Self::new(), |story, kind| {
            let (event, by) = read(kind);
            story.and(event, by)
        })
    }

    fn state(&self) -> State {
        self.run.as_ref().unwrap().state.clone()
    }
}

/// `run.due`, `run.started#2`, and the variants the tables name.
fn read(text: &str) -> (RunEvent, &'static str) {
    let (kind, attempt) =
        text.split_once('#').map_or((text, 1), |(kind, n)| (kind, n.parse().unwrap()));
    let (kind, variant) = kind.split_once('+').map_or((kind, ""), |(kind, word)| (kind, word));
    let (mut event, mut by) = event(kind, attempt);
    match (&mut event, variant) {
        (_, "") => {}
        (RunEvent::RunDue(e), "asked") => e.nominal = None,
        (RunEvent::RunDue(e), "held") => e.hold = Some("look first".to_owned()),
        (RunEvent::RunDue(e), "after") => e.terms.after = vec![after()],
        (RunEvent::RunDue(e), "confirm") => e.terms.confirm = Some(confirm()),
        (RunEvent::RunDue(e), "all-hosts") => e.terms.hosts = Hosts::All,
        (RunEvent::RunDue(e), "once") => e.retry = RetryRule::default(),
        (RunEvent::RunSkipped(e), "asked") => e.nominal = None,
        (RunEvent::RunSucceeded(e), "plain") => e.warning = false,
        (RunEvent::RunResolved(e), "failed") => e.outcome = Resolution::Failed,
        (RunEvent::RunCancelled(e), "idle") => {
            *e = RunCancelled { attempt: None, host: None, reason: "no".to_owned(), report: None };
            by = "scheduler/s1";
        }
        (event, variant) => panic!("{} {variant}", event.kind()),
    }
    (event, by)
}

fn after() -> After {
    let outcomes = vec![Outcome::Succeeded];
    After { job: "extract".to_owned(), run: WhichRun::SameOccurrence, outcomes }
}

fn confirm() -> Confirm {
    Confirm { role: Role::Approver, question: String::new() }
}

/// States by how they are reached.
const STATES: [(&str, &str); 20] = [
    ("nothing", ""),
    ("requested", "run.requested"),
    ("held", "run.due+held"),
    ("waiting", "run.due+after"),
    ("blocked", "run.due+after run.blocked"),
    ("waiting and held", "run.due+after run.held"),
    ("unconfirmed", "run.due+confirm"),
    ("confirmed", "run.due+confirm run.confirmed"),
    ("due on all hosts", "run.due+all-hosts"),
    ("in parts", "run.due+all-hosts run.divided"),
    ("due", "run.due"),
    ("due, to be stopped", "run.due run.cancel-requested"),
    ("running", "run.due run.started"),
    ("running, to be stopped", "run.due run.started run.cancel-requested"),
    ("failed, with attempts left", "run.due run.started run.failed"),
    ("retrying", "run.due run.started run.failed run.retry-scheduled#2"),
    ("running again", "run.due run.started run.failed run.retry-scheduled#2 run.started#2"),
    ("unknown", "run.due run.started run.lost"),
    ("resolved", "run.due run.started run.lost run.resolved"),
    ("ended", "run.due run.started run.succeeded"),
];

/// What may follow, by state. Everything that is not here is refused.
fn allowed(state: &str) -> &'static [&'static str] {
    match state {
        "nothing" => &[
            "run.requested",
            "run.due",
            "run.due+held",
            "run.due+after",
            "run.due+confirm",
            "run.due+all-hosts",
            "run.due+once",
            "run.skipped",
            "run.missed",
        ],
        "requested" => &["run.due+asked", "run.skipped+asked", "run.cancel-requested"],
        "held" | "waiting and held" => {
            &["run.released", "run.delayed", "run.late", "run.skipped", "run.cancel-requested"]
        }
        "waiting" => &[
            "run.cleared",
            "run.blocked",
            "run.overridden",
            "run.held",
            "run.delayed",
            "run.late",
            "run.skipped",
            "run.cancel-requested",
        ],
        "blocked" => &[
            "run.cleared",
            "run.overridden",
            "run.held",
            "run.delayed",
            "run.late",
            "run.skipped",
            "run.cancel-requested",
        ],
        // Not cleared before somebody has said go; and then there is nothing to clear.
        "unconfirmed" => &[
            "run.confirmed",
            "run.blocked",
            "run.overridden",
            "run.held",
            "run.delayed",
            "run.late",
            "run.skipped",
            "run.cancel-requested",
        ],
        "in parts" => &["run.gathered", "run.late", "run.cancel-requested"],
        "due on all hosts" => &[
            "run.divided",
            "run.held",
            "run.delayed",
            "run.needs-unmet",
            "run.late",
            "run.skipped",
            "run.cancel-requested",
        ],
        "due" | "confirmed" => &[
            "run.started",
            "run.held",
            "run.delayed",
            "run.needs-unmet",
            "run.late",
            "run.skipped",
            "run.cancel-requested",
        ],
        "due, to be stopped" => &[
            "run.started",
            "run.held",
            "run.delayed",
            "run.needs-unmet",
            "run.late",
            "run.skipped",
            "run.cancelled+idle",
        ],
        "running" => &[
            "run.succeeded",
            "run.succeeded+plain",
            "run.failed",
            "run.timed-out",
            "run.cancelled",
            "run.cancel-requested",
            "run.lost",
            "run.late",
        ],
        "running, to be stopped" => &[
            "run.succeeded",
            "run.succeeded+plain",
            "run.failed",
            "run.timed-out",
            "run.cancelled",
            "run.lost",
            "run.late",
        ],
        "failed, with attempts left" => &[
            "run.retry-scheduled#2",
            "run.cancel-requested",
            "run.delayed",
            "run.needs-unmet",
            "run.late",
        ],
        "retrying" => {
            &["run.started#2", "run.cancel-requested", "run.delayed", "run.needs-unmet", "run.late"]
        }
        "running again" => &[
            "run.succeeded#2",
            "run.succeeded+plain#2",
            "run.failed#2",
            "run.timed-out#2",
            "run.cancelled#2",
            "run.cancel-requested",
            "run.lost#2",
            "run.late",
        ],
        // The executor that held it may still say how it ended; so may a person.
        "unknown" => &[
            "run.succeeded",
            "run.succeeded+plain",
            "run.failed",
            "run.timed-out",
            "run.cancelled",
            "run.cancel-requested",
            "run.resolved",
            "run.resolved+failed",
            "run.reported",
            "run.late",
        ],
        "resolved" => &["run.reported", "run.late"],
        // What it took too long, or too short, is seen when it is over.
        "ended" => &["run.late"],
        state => panic!("{state}"),
    }
}

const EVENTS: [&str; 34] = [
    "run.requested",
    "run.due",
    "run.due+asked",
    "run.due+held",
    "run.due+after",
    "run.due+confirm",
    "run.due+all-hosts",
    "run.due+once",
    "run.released",
    "run.held",
    "run.delayed",
    "run.confirmed",
    "run.cleared",
    "run.blocked",
    "run.overridden",
    "run.needs-unmet",
    "run.late",
    "run.gathered",
    "run.divided",
    "run.skipped",
    "run.skipped+asked",
    "run.missed",
    "run.started",
    "run.succeeded",
    "run.succeeded+plain",
    "run.failed",
    "run.timed-out",
    "run.cancel-requested",
    "run.cancelled",
    "run.cancelled+idle",
    "run.lost",
    "run.retry-scheduled",
    "run.resolved",
    "run.reported",
];

#[test]
fn every_event_in_every_state_is_allowed_or_refused_as_the_table_says() {
    let kinds: Vec<&str> = RunEvent::KINDS.iter().map(|(kind, _)| *kind).collect();
    for kind in kinds {
        assert!(EVENTS.iter().any(|event| event.split('+').next() == Some(kind)), "{kind}");
    }
    let second = EVENTS.iter().map(|event| format!("{event}#2"));
    let mut events: Vec<String> = EVENTS.iter().map(|e| (*e).to_owned()).chain(second).collect();
    events.push("run.resolved+failed".to_owned());
    for (state, kinds) in STATES {
        let story = Story::given(kinds);
        for text in &events {
            // Kinds that name no attempt are the same in both columns.
            let (event, by) = read(text);
            let plain = text.strip_suffix("#2").unwrap_or(text);
            let same = read(plain).0 == event;
            let wanted = allowed(state).iter().any(|a| a == text || (same && *a == plain));
            let found = story.admits(&event, &producer(by));
            assert_eq!(found.is_ok(), wanted, "{text} while {state}: {found:?}");
        }
    }
}

#[test]
fn a_run_ends_as_its_last_attempt_did() {
    let table = [
        ("run.skipped", Outcome::Skipped),
        ("run.missed", Outcome::Missed),
        ("run.requested run.skipped+asked", Outcome::Skipped),
        ("run.due run.skipped", Outcome::Skipped),
        ("run.due run.started run.succeeded", Outcome::Warning),
        ("run.due run.started run.succeeded+plain", Outcome::Succeeded),
        ("run.due+once run.started run.failed", Outcome::Failed),
        ("run.due run.started run.timed-out", Outcome::TimedOut),
        ("run.due run.started run.cancelled", Outcome::Cancelled),
        ("run.due run.cancel-requested run.cancelled+idle", Outcome::Cancelled),
        ("run.due+held run.released run.started run.succeeded+plain", Outcome::Succeeded),
        ("run.requested run.due+asked run.started run.succeeded+plain", Outcome::Succeeded),
        ("run.due run.started run.lost run.succeeded+plain", Outcome::Succeeded),
        ("run.due run.started run.lost run.resolved", Outcome::Succeeded),
        ("run.due run.started run.lost run.resolved+failed", Outcome::Failed),
        ("run.due run.started run.lost run.resolved+failed run.reported", Outcome::Failed),
        (
            "run.due run.started run.failed run.cancel-requested run.cancelled+idle",
            Outcome::Cancelled,
        ),
        // Somebody wanted it to stop: no attempt follows, whatever the rule.
        ("run.due run.started run.cancel-requested run.failed", Outcome::Failed),
    ];
    for (kinds, outcome) in table {
        assert_eq!(Story::given(kinds).state(), State::Ended { outcome }, "{kinds}");
    }
    let twice = "run.due run.started run.failed run.retry-scheduled#2 run.started#2";
    for (last, outcome) in [
        ("run.failed#2", Outcome::Failed),
        ("run.succeeded+plain#2", Outcome::Succeeded),
        ("run.timed-out#2", Outcome::TimedOut),
    ] {
        let story = Story::given(&format!("{twice} {last}"));
        assert_eq!(story.state(), State::Ended { outcome }, "{last}");
        assert_eq!(story.run.unwrap().attempts.len(), 2);
    }
}

/// A run that is tried again after `on`, `retries` times, and ends its first attempt with `kind`.
fn after_first(on: &[RetryOn], retries: usize, kind: &str) -> Story {
    let RunEvent::RunDue(due) = event("run.due", 1).0 else { panic!("not due") };
    let (delays_ms, on) = (vec![1_000; retries], on.to_vec());
    let retry = RetryRule { delays_ms, on, ..RetryRule::default() };
    let (started, ended) = (event("run.started", 1), event(kind, 1));
    Story::new()
        .and(RunEvent::RunDue(RunDue { retry, ..due }), "scheduler/s1")
        .and(started.0, started.1)
        .and(ended.0, ended.1)
}

#[test]
fn a_run_is_tried_again_after_the_outcomes_its_rule_names_and_no_other() {
    let all = [
        ("run.failed", RetryOn::Failed),
        ("run.timed-out", RetryOn::TimedOut),
        ("run.lost", RetryOn::Lost),
    ];
    for (kind, after) in all {
        for (_, on) in all {
            for retries in [0, 1] {
                let state = after_first(&[on], retries, kind).state();
                let again = State::Retrying { attempt: 2, after, not_before: None };
                assert_eq!(
                    state == again,
                    on == after && retries == 1,
                    "{kind}, rule {on:?}: {state:?}"
                );
            }
        }
    }
    assert_eq!(
        after_first(&[RetryOn::Failed], 1, "run.lost").state(),
        State::Unknown { attempt: 1 }
    );
}

#[test]
fn a_retry_may_start_at_its_time_or_as_early_as_clocks_may_differ() {
    let (scheduled, by) = event("run.retry-scheduled", 2);
    let mut story = Story::given("run.due run.started run.failed").and(scheduled, by);
    let not_before = later(instant(), 60_000);
    let start = event("run.started", 2).0;
    for (early_ms, allowed) in
        [(60_000, false), (2_001, false), (2_000, true), (0, true), (-60_000, true)]
    {
        story.now = later(not_before, -early_ms);
        let found = story.admits(&start, &producer(HOST));
        assert_eq!(found.is_ok(), allowed, "{early_ms} ms early: {found:?}");
    }
}

#[test]
fn the_delay_before_each_attempt_is_the_one_the_rule_gives_it() {
    let mut run = Story::given("run.due").run.unwrap();
    run.retry.delays_ms = vec![10, 200, 3_000];
    let delays: Vec<u64> = (2..=5).map(|n| run.delay_ms_before(n)).collect();
    assert_eq!(delays, [10, 200, 3_000, 0]);
}

#[test]
fn nobody_speaks_for_the_executor_that_holds_the_attempt() {
    let running = Story::given("run.due run.started");
    let unknown = Story::given("run.due run.started run.lost");
    for kind in ["run.succeeded", "run.failed", "run.timed-out", "run.cancelled"] {
        for story in [&running, &unknown] {
            let refused = story.admits(&event(kind, 1).0, &producer("executor/h2"));
            assert_eq!(refused.unwrap_err(), "the attempt belongs to executor/h1", "{kind}");
        }
    }
    let resolved = Story::given("run.due run.started run.lost run.resolved");
    assert!(resolved.admits(&event("run.reported", 1).0, &producer("executor/h2")).is_err());
    let lost = event("run.lost", 1).0;
    assert!(running.admits(&lost, &producer("executor/h2")).is_err(), "another host gives it up");
    assert!(running.admits(&lost, &producer("executor/h1")).is_ok());
    assert!(running.admits(&lost, &producer("scheduler/s2")).is_ok());
}

#[test]
fn a_run_starts_on_the_host_that_says_so_and_on_no_other_than_its_job_names() {
    let story = Story::given("run.due");
    let started = event("run.started", 1).0;
    assert!(story.admits(&started, &producer("executor/h2")).is_err(), "it speaks of h1");
    let RunEvent::RunDue(due) = event("run.due", 1).0 else { panic!("not due") };
    let pinned = RunDue { host: Some("h2".to_owned()), ..due };
    let story = Story::new().and(RunEvent::RunDue(pinned), "scheduler/s1");
    assert!(story.admits(&started, &producer(HOST)).is_err(), "it belongs to h2");
}

#[test]
fn an_event_under_another_definition_or_instant_is_refused() {
    let other = DefinitionRef::new(4, Digest::of(b"another"));
    let RunEvent::RunStarted(started) = event("run.started", 1).0 else { panic!("not started") };
    let started = RunStarted { definition: other.digest, ..started };
    assert!(
        Story::given("run.due").admits(&RunEvent::RunStarted(started), &producer(HOST)).is_err()
    );
    let RunEvent::RunSkipped(mut skipped) = event("run.skipped", 1).0 else {
        panic!("not skipped")
    };
    skipped.nominal = Some(occurrence(at("02:31")).1);
    let refused =
        Story::given("run.due").admits(&RunEvent::RunSkipped(skipped), &producer("scheduler/s1"));
    assert!(refused.is_err(), "it would account for another occurrence");
}

#[test]
fn a_report_about_a_lost_attempt_is_taken_once_and_the_run_goes_on_as_it_was() {
    let story = after_first(&[RetryOn::Lost], 1, "run.lost");
    let (scheduled, by) = event("run.retry-scheduled", 2);
    let (started, host) = event("run.started", 2);
    let story = story.and(scheduled, by).and(started, host);
    let (report, by) = event("run.reported", 1);
    let story = story.and(report.clone(), by);
    assert_eq!(story.state(), State::Running { attempt: 2 });
    assert!(story.run.as_ref().unwrap().attempts[0].report.is_some());
    assert!(story.admits(&report, &producer(HOST)).is_err(), "it was taken before");
}

#[test]
fn a_release_and_a_wish_to_stop_are_remembered_with_who_and_why() {
    let story = Story::given("run.due+held");
    assert!(matches!(story.state(), State::Held { reason } if reason == "look first"));
    let story = story.and(event("run.released", 1).0, "console/c1");
    let story = story.and(event("run.cancel-requested", 1).0, "console/c1");
    let cancel = story.run.unwrap().cancel.unwrap();
    assert_eq!(
        (cancel.by.as_deref(), cancel.reason.as_str()),
        (Some("user/ana"), "The wrong month was selected")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever is said, what is admitted tells one story.
    #[test]
    fn admitted_events_never_contradict_each_other(
        choices in proptest::collection::vec((0..EVENTS.len(), 1..4_u32, 0..3_usize), 1..60),
        retries in 0..3_usize,
    ) {
        let mut story = Story::new();
        for (index, attempt, who) in choices {
            let (mut event, by) = read(&format!("{}#{attempt}", EVENTS[index]));
            if let RunEvent::RunDue(due) = &mut event {
                due.retry.delays_ms = vec![1_000; retries];
                due.retry.on = vec![RetryOn::Failed, RetryOn::TimedOut, RetryOn::Lost];
            }
            let by = [by, "executor/h2", "scheduler/s2"][who];
            if story.admits(&event, &producer(by)).is_err() {
                continue;
            }
            let before = story.run.clone();
            story = story.and(event.clone(), by);
            let run = story.run.clone().unwrap();
            let numbers: Vec<u32> = run.attempts.iter().map(|a| a.number).collect();
            let consecutive: Vec<u32> = (1..).take(numbers.len()).collect();
            prop_assert_eq!(&numbers, &consecutive);
            prop_assert!(numbers.len() <= retries + 1);
            let Some(before) = before else { continue };
            prop_assert_eq!(&before.definition, &run.definition);
            prop_assert_eq!(&before.nominal, &run.nominal);
            prop_assert!(before.attempts.len() <= run.attempts.len());
            if before.state.is_ended() {
                prop_assert!(["run.reported", "run.late"].contains(&event.kind()));
                prop_assert_eq!(&before.state, &run.state);
            }
            if before.cancel.is_some() {
                prop_assert_eq!(&before.cancel, &run.cancel);
                let retried = matches!(run.state, State::Retrying { .. });
                prop_assert!(!retried || before.state.word() == "retrying");
            }
        }
    }
}
