//! Events as the services say them.

use std::collections::BTreeMap;

use domain::canonical::{Digest, canonical};
use domain::envelope::Draft;
use domain::event::*;
use domain::ids::StreamId;
use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn definition(job: &str) -> Value {
    let says = json!({ "name": job, "command": { "argv": ["/bin/true"] }, "late-after": "1s" });
    let read: domain::job::JobDefinition = serde_json::from_value(says).unwrap();
    serde_json::to_value(read).unwrap()
}

fn digest(job: &str) -> Digest {
    Digest::of(&canonical(&definition(job)).unwrap())
}

pub(crate) fn reference(job: &str, number: u32) -> DefinitionRef {
    DefinitionRef::new(number, digest(job))
}

fn of_job(job: &str, version: u64, event: impl Into<Event>) -> Draft {
    Draft::new(StreamId::job(job), version, event)
}

pub(crate) fn proposed(job: &str, version: u64, number: u32) -> Draft {
    let (definition, digest, reason) = (definition(job), digest(job), "new".to_owned());
    let event = JobProposed { number, digest, definition, reason };
    of_job(job, version, event).by(Some("user/ana"))
}

pub(crate) fn approved(job: &str, version: u64, number: u32) -> Draft {
    let event = JobApproved { number, digest: digest(job) };
    of_job(job, version, event).by(Some("user/bob"))
}

pub(crate) fn paused(job: &str, version: u64) -> Draft {
    of_job(job, version, JobPaused { reason: "moving house".to_owned() })
}

pub(crate) fn resumed(job: &str, version: u64) -> Draft {
    of_job(job, version, JobResumed { reason: "moved".to_owned() })
}

/// Somebody says something of a request.
pub(crate) fn of_request(number: u32, version: u64, who: &str, event: impl Into<Event>) -> Draft {
    Draft::new(StreamId::request(number), version, event).by(Some(who))
}

pub(crate) fn request_asked(number: u32, due: Timestamp) -> Draft {
    let asked = RequestAsked {
        title: format!("what {number} is about"),
        text: "at length".to_owned(),
        due,
        control: None,
        period: None,
        references: Vec::new(),
    };
    of_request(number, 1, "user/eve", asked)
}

pub(crate) fn request_answered(number: u32, version: u64) -> Draft {
    let references = vec![Reference::Position(1), Reference::Stream(StreamId::job("a"))];
    of_request(
        number,
        version,
        "user/ana",
        RequestAnswered { text: "there".to_owned(), references },
    )
}

/// An invitation of a host with its key of this number.
pub(crate) fn host_invited(host: &str, version: u64, generation: u32, now: Timestamp) -> Draft {
    let until = now + jiff::SignedDuration::from_mins(10);
    let (code, reason) = (Digest::of(b"code"), "installed anew".to_owned());
    let event = HostInvited { code, until, generation: Some(generation), reason };
    Draft::new(StreamId::host(host), version, event).by(Some("user/ana"))
}

/// The log goes on under another name behind so many events, and so many are lost.
pub(crate) fn continued(size: u64, lost: u64) -> Draft {
    let event = LogContinued {
        origin: "test.local/log-2".to_owned(),
        head_key: "test.local/log-2+00000000+AA".to_owned(),
        before: None,
        size,
        reached: size + lost,
        restored: true,
        handover: None,
        reason: "brought back".to_owned(),
    };
    Draft::new(StreamId::continued(), 1, event)
}

pub(crate) fn host_revoked(host: &str, version: u64) -> Draft {
    Draft::new(StreamId::host(host), version, HostRevoked { reason: "stolen".to_owned() })
}

/// The run of `job` at an instant.
pub(crate) fn run(job: &str, instant: Timestamp) -> StreamId {
    StreamId::run(job, &instant.to_string())
}

fn nominal(instant: Timestamp, after: Option<Timestamp>) -> Nominal {
    let (local, reason, tzdb) = (instant.to_string(), "exact".to_owned(), "2026a".to_owned());
    Nominal {
        at: instant,
        local,
        walls: Vec::new(),
        reason,
        tzdb,
        business_day: None,
        moved_from: Vec::new(),
        calendars: Vec::new(),
        after,
    }
}

pub(crate) fn due_body(job: &str, number: u32) -> RunDue {
    RunDue {
        job: job.to_owned(),
        definition: reference(job, number),
        nominal: None,
        pool: "any".to_owned(),
        host: None,
        late_ms: 0,
        late_after_ms: 1_000,
        catch_up: false,
        hold: None,
        behind: Vec::new(),
        retry: RetryRule::default(),
        terms: Box::default(),
        moved: None,
        part_of: None,
    }
}

pub(crate) fn due(job: &str, instant: Timestamp, after: Option<Timestamp>) -> Draft {
    due_to(job, instant, after, "any")
}

pub(crate) fn due_to(job: &str, instant: Timestamp, after: Option<Timestamp>, pool: &str) -> Draft {
    due_with(instant, after, RunDue { pool: pool.to_owned(), ..due_body(job, 1) })
}

pub(crate) fn due_with(instant: Timestamp, after: Option<Timestamp>, body: RunDue) -> Draft {
    let run = run(&body.job, instant);
    Draft::new(run, 1, RunDue { nominal: Some(nominal(instant, after)), ..body })
}

pub(crate) fn missed(
    job: &str,
    number: u32,
    instant: Timestamp,
    after: Option<Timestamp>,
) -> Draft {
    let event = RunMissed {
        job: job.to_owned(),
        definition: reference(job, number),
        nominal: nominal(instant, after),
        late_ms: 5_000,
        reason: MissReason::NoCatchUp,
    };
    Draft::new(run(job, instant), 1, event)
}

pub(crate) fn skipped(
    job: &str,
    number: u32,
    instant: Timestamp,
    after: Option<Timestamp>,
) -> Draft {
    let event = RunSkipped {
        job: job.to_owned(),
        definition: reference(job, number),
        nominal: Some(nominal(instant, after)),
        reason: SkipReason::Paused,
    };
    Draft::new(run(job, instant), 1, event)
}

pub(crate) fn started(run: &StreamId, version: u64, attempt: u32) -> Draft {
    let event = RunStarted {
        attempt,
        host: "h0".to_owned(),
        definition: digest(run.run_job().unwrap()),
        lease_ms: 60_000,
        run_as: "batch".to_owned(),
        argv: Digest::of(b"argv"),
        script: None,
    };
    Draft::new(run.clone(), version, event)
}

fn report(attempt: u32) -> AttemptReport {
    let (began, ended) = (at("2026-11-20T02:00:00Z"), at("2026-11-20T02:00:01Z"));
    let (host, end) = ("h0".to_owned(), CommandEnd::Exited { code: 0 });
    AttemptReport {
        attempt,
        host,
        end,
        began,
        ended,
        output: None,
        killed: 0,
        text: None,
        artefacts: Vec::new(),
    }
}

pub(crate) fn succeeded(run: &StreamId, version: u64, attempt: u32, warning: bool) -> Draft {
    let (host, report) = ("h0".to_owned(), report(attempt));
    Draft::new(run.clone(), version, RunSucceeded { attempt, host, warning, report })
}

pub(crate) fn failed(run: &StreamId, version: u64, attempt: u32, message: &str) -> Draft {
    let (host, report, message) = ("h0".to_owned(), report(attempt), message.to_owned());
    Draft::new(run.clone(), version, RunFailed { attempt, host, message, report })
}

pub(crate) fn timed_out(run: &StreamId, version: u64, attempt: u32) -> Draft {
    let (host, report) = ("h0".to_owned(), report(attempt));
    Draft::new(run.clone(), version, RunTimedOut { attempt, host, after_ms: 9, report })
}

pub(crate) fn lost(run: &StreamId, version: u64, attempt: u32) -> Draft {
    let (host, reason) = ("h0".to_owned(), "no heartbeat".to_owned());
    Draft::new(run.clone(), version, RunLost { attempt, host, reason })
}

pub(crate) fn cancel_requested(run: &StreamId, version: u64) -> Draft {
    Draft::new(run.clone(), version, RunCancelRequested { reason: "wrong day".to_owned() })
}

pub(crate) fn cancelled(run: &StreamId, version: u64, attempt: Option<u32>) -> Draft {
    let host = attempt.map(|_| "h0".to_owned());
    let event =
        RunCancelled { attempt, host, reason: "asked".to_owned(), report: attempt.map(report) };
    Draft::new(run.clone(), version, event)
}

pub(crate) fn retry(run: &StreamId, version: u64, attempt: u32, not_before: Timestamp) -> Draft {
    let after = RetryOn::Failed;
    Draft::new(run.clone(), version, RunRetryScheduled { attempt, not_before, after })
}

pub(crate) fn resolved(run: &StreamId, version: u64) -> Draft {
    let event =
        RunResolved { outcome: Resolution::Failed, evidence: "the file is not there".to_owned() };
    Draft::new(run.clone(), version, event)
}

pub(crate) fn released(run: &StreamId, version: u64) -> Draft {
    Draft::new(run.clone(), version, RunReleased { reason: "go".to_owned() })
}

pub(crate) fn requested(job: &str, number: u32, label: &str) -> Draft {
    let (definition, reason) = (reference(job, number), "by hand".to_owned());
    let event = RunRequested {
        job: job.to_owned(),
        definition,
        reason,
        parameters: BTreeMap::new(),
        again: None,
        of_flow: false,
    };
    Draft::new(StreamId::run(job, label), 1, event)
}

pub(crate) fn host_started(version: u64) -> Draft {
    let (boot, pools) = ("b".to_owned(), vec!["any".to_owned()]);
    let event = HostStarted {
        version: "0".to_owned(),
        boot,
        slots: 4,
        pools,
        found: 0,
        labels: BTreeMap::new(),
        program: None,
    };
    Draft::new(StreamId::host("h0"), version, event)
}

pub(crate) fn user_created(name: &str) -> Draft {
    Draft::new(StreamId::user(name), 1, UserCreated { roles: vec![Role::Operator] })
}
