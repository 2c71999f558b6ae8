//! What should have happened, computed again, against what the log says.

use domain::event::{
    DefinitionRef, Event, JobApproved, JobProposed, MissReason, RunMissed, RunSkipped, SkipReason,
};
use domain::expect::{Accounted, Finding, Population, UNDECIDED_MS_MAX};
use domain::ids::StreamId;
use domain::job::JobDefinition;
use serde_json::{Value, json};

use crate::given::{at, definition, due, golden, later, occurrence, reference, stream};

/// A log as the verifier reads it.
#[derive(Default)]
struct Log {
    population: Population,
    number: u32,
}

impl Log {
    /// Job `pay` every hour, active since 00:30.
    fn hourly() -> (Self, DefinitionRef) {
        let mut log = Self::default();
        let reference = log.activate(&hourly(json!({})), "00:30");
        (log, reference)
    }

    fn job(&mut self, event: impl Into<Event>, clock: &str) {
        self.population.observe(&StreamId::job("pay"), &event.into(), at(clock));
    }

    fn activate(&mut self, definition: &JobDefinition, clock: &str) -> DefinitionRef {
        self.number += 1;
        let reference = reference(self.number, definition);
        self.activate_as(serde_json::to_value(definition).unwrap(), &reference, clock);
        reference
    }

    fn activate_as(&mut self, definition: Value, reference: &DefinitionRef, clock: &str) {
        let DefinitionRef { number, digest } = *reference;
        self.job(JobProposed { number, digest, definition, reason: "x".to_owned() }, clock);
        self.job(JobApproved { number, digest }, clock);
    }

    fn due(&mut self, definition: &DefinitionRef, clocks: &[&str]) {
        for clock in clocks {
            let (run, due) = due(definition.clone(), at(clock));
            self.population.observe(&run, &due.into(), at(clock));
        }
    }

    fn account(&self, clock: &str) -> Accounted {
        self.population.account(at(clock))
    }
}

fn hourly(more: Value) -> JobDefinition {
    let mut fields = json!({"schedule": {"cron": "0 * * * *"}});
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    definition(fields)
}

fn run(clock: &str) -> StreamId {
    occurrence(at(clock)).0
}

fn missing(clock: &str) -> Finding {
    Finding::Missing { run: run(clock), at: at(clock) }
}

fn counts(accounted: &Accounted) -> (u64, u64, u64) {
    (accounted.expected, accounted.recorded, accounted.undecided)
}

#[test]
fn a_log_that_accounts_for_every_occurrence_has_no_findings() {
    let (mut log, definition) = Log::hourly();
    log.due(&definition, &["01:00"]);
    let (skipped, nominal) = occurrence(at("02:00"));
    let (job, reason) = ("pay".to_owned(), SkipReason::Paused);
    let event = RunSkipped {
        job: job.clone(),
        definition: definition.clone(),
        nominal: Some(nominal),
        reason,
    };
    log.population.observe(&skipped, &event.into(), at("02:00"));
    let (missed, nominal) = occurrence(at("03:00"));
    let reason = MissReason::NoCatchUp;
    let event = RunMissed { job, definition, nominal, late_ms: 1, reason };
    log.population.observe(&missed, &event.into(), at("05:00"));
    let accounted = log.account("03:30");
    assert_eq!((counts(&accounted), accounted.findings), ((3, 3, 0), vec![]));
}

#[test]
fn a_scheduler_that_planned_nothing_is_found_out() {
    let (log, _) = Log::hourly();
    let accounted = log.account("03:30");
    assert_eq!(counts(&accounted), (3, 0, 0));
    assert_eq!(accounted.findings, ["01:00", "02:00", "03:00"].map(missing));
    let sentence = "run/pay@2026-11-20T01:00+00:00 was due at 2026-11-20T01:00:00Z, and the log says nothing about it";
    assert_eq!(accounted.findings[0].to_string(), sentence);
}

#[test]
fn an_occurrence_is_undecided_while_schedulers_may_still_decide_it() {
    assert_eq!(UNDECIDED_MS_MAX, 120_000);
    let (log, _) = Log::hourly();
    for (horizon, wanted) in [
        (at("00:59:59"), (0, 0, 0)),
        (at("01:00"), (1, 0, 1)),
        (at("01:02"), (1, 0, 1)),
        (later(at("01:02"), 1), (1, 0, 0)),
    ] {
        let accounted = log.population.account(horizon);
        assert_eq!(counts(&accounted), wanted, "{horizon}");
        assert_eq!(accounted.findings.is_empty(), wanted.0 == wanted.2, "{horizon}");
    }
}

#[test]
fn a_run_no_schedule_implies_is_unexpected() {
    let (mut log, definition) = Log::hourly();
    // One before the approval, one between two hours, one on the hour.
    log.due(&definition, &["00:15", "01:00", "01:20"]);
    let accounted = log.account("01:30");
    let unexpected = |clock: &str| Finding::Unexpected { run: run(clock), at: at(clock) };
    assert_eq!(accounted.findings, [unexpected("00:15"), unexpected("01:20")]);
    assert_eq!(counts(&accounted), (1, 1, 0));
}

#[test]
fn an_occurrence_that_ran_under_two_names_is_found() {
    let (mut log, definition) = Log::hourly();
    log.due(&definition, &["01:00"]);
    let twin = stream("run/pay@2026-11-20T02:00+01:00");
    let (_, due) = due(definition, at("01:00"));
    log.population.observe(&twin, &due.clone().into(), at("01:00"));
    // The same run may be spoken of again: it is skipped after it was due.
    log.population.observe(&run("01:00"), &due.into(), at("01:00"));
    let accounted = log.account("01:30");
    assert_eq!(accounted.findings, [Finding::Unexpected { run: twin, at: at("01:00") }]);
}

#[test]
fn an_occurrence_under_a_definition_that_did_not_hold_is_found() {
    let (mut log, first) = Log::hourly();
    let second = log.activate(&hourly(json!({"timeout": "5m"})), "02:30");
    log.due(&first, &["01:00", "03:00"]);
    log.due(&second, &["02:00", "04:00"]);
    let accounted = log.account("04:30");
    let other = |clock: &str| Finding::OtherDefinition { run: run(clock) };
    assert_eq!(accounted.findings, [other("02:00"), other("03:00")]);
    assert_eq!(counts(&accounted), (4, 4, 0));
}

#[test]
fn a_new_definition_counts_after_its_approval_and_the_old_one_up_to_it() {
    let (mut log, first) = Log::hourly();
    let second = log.activate(&definition(json!({"schedule": {"cron": "30 * * * *"}})), "02:00");
    log.due(&first, &["01:00", "02:00"]);
    log.due(&second, &["02:30", "03:30"]);
    let accounted = log.account("03:45");
    assert_eq!((counts(&accounted), accounted.findings), ((4, 4, 0), vec![]));
}

#[test]
fn a_retired_job_implies_nothing_until_it_is_active_again() {
    let (mut log, first) = Log::hourly();
    log.job(golden("job.retired"), "02:00");
    let second = log.activate(&hourly(json!({"timeout": "5m"})), "04:30");
    log.due(&first, &["01:00", "02:00"]);
    log.due(&second, &["05:00"]);
    let accounted = log.account("05:30");
    assert_eq!((counts(&accounted), accounted.findings), ((3, 3, 0), vec![]));
}

#[test]
fn a_pause_excuses_no_silence() {
    let (mut log, _) = Log::hourly();
    log.job(golden("job.paused"), "00:40");
    assert_eq!(log.account("01:30").findings, [missing("01:00")]);
}

#[test]
fn a_definition_that_cannot_be_read_is_a_finding_and_not_an_empty_schedule() {
    for (field, value) in [("zeal", json!(1)), ("zone", json!("Mars/Olympus"))] {
        let mut log = Log::default();
        let mut value_of = serde_json::to_value(hourly(json!({}))).unwrap();
        value_of[field] = value;
        log.activate_as(value_of, &reference(1, &hourly(json!({}))), "00:30");
        let findings = log.account("03:30").findings;
        assert!(
            matches!(findings.as_slice(), [Finding::Unreadable { job, .. }] if job == "pay"),
            "{field}: {findings:?}"
        );
    }
}

#[test]
fn a_job_without_a_schedule_implies_nothing() {
    let mut log = Log::default();
    log.activate(&definition(json!({})), "00:30");
    assert_eq!(log.account("12:00"), Accounted::default());
}
