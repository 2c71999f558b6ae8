//! Which event may follow which.

use std::collections::BTreeSet;

use super::state::{PARTS_MAX, Run, State};
use crate::event::{DefinitionRef, MissReason, Moved, RunEvent, SkipReason};
use crate::ids::{Class, ProducerId};
use crate::job::{Job, OrderAct, Span};
use crate::ledger::SKEW_MS_MAX;
use jiff::Timestamp;

/// Why an event may not be the next of a run. Recorded as the reason of a void event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// No event of this kind in this state.
    #[error("{kind} cannot follow while the run is {state}")]
    State {
        /// The event.
        kind: &'static str,
        /// Where the run stands; `not begun` before the first event.
        state: &'static str,
    },
    /// It names another attempt than the one that runs.
    #[error("it names attempt {named}, but attempt {actual} is meant")]
    Attempt {
        /// As named.
        named: u32,
        /// As expected.
        actual: u32,
    },
    /// Another executor holds the attempt.
    #[error("the attempt belongs to {0}")]
    Holder(ProducerId),
    /// It starts on a host that is not the executor's, or not the one the run names.
    #[error("it starts on {named}, but {wanted} is meant")]
    Host {
        /// As named.
        named: String,
        /// As expected.
        wanted: String,
    },
    /// It names another definition than the run's, or than the job's at that instant.
    #[error("definition {0} is not the one that holds for this run")]
    Definition(u32),
    /// The job does not exist, is retired, or the stream's name is not that of this run.
    #[error("{0}")]
    Job(String),
    /// The instant lies in the future.
    #[error("the occurrence of {0} is not due yet")]
    Early(Timestamp),
    /// A retry before its time.
    #[error("it may not start before {0}")]
    NotBefore(Timestamp),
    /// It was to run ahead of its time, and that has come: it is decided in its place.
    #[error("the occurrence of {0} is due by now and does not run ahead of its time any more")]
    NotAhead(Timestamp),
    /// It says that its time has passed, and by the recorder's clock it has not.
    #[error("the occurrence of {0} is not late yet")]
    NotLate(Timestamp),
    /// The job is paused and it is not skipped for that, or the other way round.
    #[error("at {0} the job was {word}paused", word = if *.1 { "" } else { "not " })]
    Pause(Timestamp, bool),
    /// Somebody said what is to become of the occurrence, and this is not it.
    #[error("the occurrence at {0} is to be {1}")]
    Order(Timestamp, &'static str),
    /// It says that somebody ordered it, and nobody did.
    #[error("nobody has said so about the occurrence at {0}")]
    NoOrder(Timestamp),
    /// Nobody waits for that.
    #[error("{0}")]
    Unasked(&'static str),
}

/// Says whether `event` may be the next of `run`.
///
/// # Errors
/// The reason why not.
pub fn admit(
    run: Option<&Run>,
    job: Option<&Job>,
    event: &RunEvent,
    producer: &ProducerId,
    received: Timestamp,
) -> Result<(), Illegal> {
    match run {
        None => admit_first(job, event, received),
        Some(run) => admit_next(run, event, producer, received),
    }
}

fn admit_first(job: Option<&Job>, event: &RunEvent, received: Timestamp) -> Result<(), Illegal> {
    let (definition, nominal) = match event {
        RunEvent::RunRequested(e) => (&e.definition, None),
        RunEvent::RunDue(e) => (&e.definition, Some(e.nominal.as_ref())),
        RunEvent::RunSkipped(e) => (&e.definition, Some(e.nominal.as_ref())),
        RunEvent::RunMissed(e) => (&e.definition, Some(Some(&e.nominal))),
        RunEvent::RunReleased(_)
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
        | RunEvent::RunStarted(_)
        | RunEvent::RunSucceeded(_)
        | RunEvent::RunFailed(_)
        | RunEvent::RunTimedOut(_)
        | RunEvent::RunCancelRequested(_)
        | RunEvent::RunCancelled(_)
        | RunEvent::RunLost(_)
        | RunEvent::RunRetryScheduled(_)
        | RunEvent::RunResolved(_)
        | RunEvent::RunReported(_) => return Err(wrong(event, "not begun")),
    };
    let job = job.ok_or_else(|| Illegal::Job("there is no such job".to_owned()))?;
    // What it is a part of was judged, and that it is one of its parts is looked up.
    if matches!(event, RunEvent::RunDue(due) if due.part_of.is_some()) {
        return Ok(());
    }
    match nominal {
        None => admit_request(job, definition),
        Some(None) => Err(wrong(event, "not begun")),
        Some(Some(nominal)) => match (event, moved(event)) {
            (_, Some(moved)) if moved.ahead => {
                admit_ahead(job, definition, nominal.at, moved, received)
            }
            (_, _) => admit_occurrence(job, event, definition, nominal.at, received),
        },
    }
}

fn moved(event: &RunEvent) -> Option<&Moved> {
    if let RunEvent::RunDue(due) = event { due.moved.as_ref() } else { None }
}

/// An occurrence that runs before its time, because somebody said so, under the definition that holds now.
fn admit_ahead(
    job: &Job,
    definition: &DefinitionRef,
    at: Timestamp,
    moved: &Moved,
    received: Timestamp,
) -> Result<(), Illegal> {
    let to = job.orders.get(&at).and_then(|order| order.ahead_of(at));
    if to != Some(moved.to) {
        return Err(Illegal::NoOrder(at));
    }
    if moved.to > received {
        return Err(Illegal::Early(at));
    }
    if at <= received {
        return Err(Illegal::NotAhead(at));
    }
    if job.paused().is_some() {
        return Err(Illegal::Pause(received, true));
    }
    admit_request(job, definition)
}

fn admit_request(job: &Job, definition: &DefinitionRef) -> Result<(), Illegal> {
    let active =
        job.active().ok_or_else(|| Illegal::Job("the job has no active definition".to_owned()))?;
    if active.reference() == *definition {
        Ok(())
    } else {
        Err(Illegal::Definition(definition.number))
    }
}

/// *Invariant:* an occurrence is stated under the definition in whose span it falls, and not before
/// the recorder's clock has reached it; so what holds at an instant never changes afterwards. Within a lease its
/// definition holds, and what people said to the centre meanwhile does not.
fn admit_occurrence(
    job: &Job,
    event: &RunEvent,
    definition: &DefinitionRef,
    at: Timestamp,
    received: Timestamp,
) -> Result<(), Illegal> {
    if let Some(lease) = job.lease_at(at).filter(|lease| lease.is_of_host()) {
        // What a host has started by its own clock has happened, even if that clock was wrong.
        let same = lease.definition == *definition;
        return if same { Ok(()) } else { Err(Illegal::Definition(definition.number)) };
    }
    if at > received {
        return Err(Illegal::Early(at));
    }
    let holds = |span: &&Span| {
        span.from < at && span.until.is_none_or(|u| at <= u) && span.reference() == *definition
    };
    let spans = &job.versions.spans;
    let span = spans.iter().find(holds).ok_or(Illegal::Definition(definition.number))?;
    let (paused, says) = (job.pause_at(at).is_some(), says_paused(event));
    if paused != says && !says_out(event) {
        return Err(Illegal::Pause(at, paused));
    }
    if says_late(event) && !is_late(span, at, received) {
        return Err(Illegal::NotLate(at));
    }
    if paused { Ok(()) } else { admit_by_order(job, event, at) }
}

/// What somebody said about an occurrence before its time comes about.
fn admit_by_order(job: &Job, event: &RunEvent, at: Timestamp) -> Result<(), Illegal> {
    // What does not run anyway, nobody can hold or move.
    if says_out(event) || matches!(event, RunEvent::RunMissed(_)) {
        return Ok(());
    }
    let says_ordered =
        matches!(event, RunEvent::RunSkipped(e) if matches!(e.reason, SkipReason::Ordered { .. }));
    let moved_to = moved(event).map(|moved| moved.to);
    // Nobody ran it ahead of its time while that was possible: it runs as if nothing had been said.
    let order = job.orders.get(&at).filter(|order| order.ahead_of(at).is_none());
    match (order.map(|order| order.act), event) {
        (None, _) if says_ordered || moved_to.is_some() => Err(Illegal::NoOrder(at)),
        (None, _) => Ok(()),
        (Some(OrderAct::Skip), _) if says_ordered => Ok(()),
        (Some(OrderAct::Skip), _) => Err(Illegal::Order(at, "skipped")),
        (Some(OrderAct::Hold), RunEvent::RunDue(due)) if due.hold.is_none() => {
            Err(Illegal::Order(at, "held"))
        }
        (Some(OrderAct::Move(to)), RunEvent::RunDue(_)) if moved_to != Some(to) => {
            Err(Illegal::Order(at, "moved"))
        }
        (Some(OrderAct::Hold | OrderAct::Move(_)), _) => Ok(()),
    }
}

fn says_paused(event: &RunEvent) -> bool {
    matches!(event, RunEvent::RunSkipped(e) if e.reason == SkipReason::Paused)
}

/// The schedule itself leaves it out.
fn says_out(event: &RunEvent) -> bool {
    let RunEvent::RunSkipped(skipped) = event else { return false };
    matches!(skipped.reason, SkipReason::Calendar { .. } | SkipReason::Gap)
}

/// What may have run before the log was brought back is missed at once, however late that is.
fn says_late(event: &RunEvent) -> bool {
    matches!(event, RunEvent::RunMissed(e) if e.reason != MissReason::LogLost)
        || matches!(event, RunEvent::RunDue(e) if e.catch_up)
}

/// A scheduler whose clock runs ahead must not call an occurrence missed while another can still
/// start it in time: what is late is late by the recorder's clock.
fn is_late(span: &Span, at: Timestamp, received: Timestamp) -> bool {
    let Ok(definition) = span.read() else { return true };
    let late = i64::try_from(definition.late_after.millis()).unwrap_or(i64::MAX);
    received.as_millisecond() - at.as_millisecond() + SKEW_MS_MAX > late
}

fn admit_next(
    run: &Run,
    event: &RunEvent,
    producer: &ProducerId,
    received: Timestamp,
) -> Result<(), Illegal> {
    let in_state =
        |allowed: bool| if allowed { Ok(()) } else { Err(wrong(event, run.state.word())) };
    let open = !run.state.is_ended();
    match event {
        RunEvent::RunRequested(_) | RunEvent::RunMissed(_) => Err(wrong(event, run.state.word())),
        RunEvent::RunDue(e) => {
            in_state(run.state == State::Requested && e.nominal.is_none())?;
            same_definition(run, &e.definition)
        }
        RunEvent::RunSkipped(e) => {
            in_state(run.is_pending())?;
            // It would account for an occurrence that is not this run's.
            if e.nominal != run.nominal {
                return Err(Illegal::Job("it names another instant than the run's".to_owned()));
            }
            same_definition(run, &e.definition)
        }
        RunEvent::RunReleased(_) => in_state(matches!(run.state, State::Held { .. })),
        RunEvent::RunHeld(_) => {
            let held = matches!(run.state, State::Requested | State::Held { .. });
            in_state(run.is_pending() && !held)
        }
        RunEvent::RunDelayed(_) => {
            let waits = run.is_pending() && run.state != State::Requested;
            in_state(waits || matches!(run.state, State::Retrying { .. }))
        }
        RunEvent::RunConfirmed(_) if run.terms.confirm.is_none() => {
            Err(Illegal::Unasked("nobody is asked to confirm it"))
        }
        RunEvent::RunConfirmed(_) => in_state(run.is_pending() && run.confirmed.is_none()),
        RunEvent::RunCleared(_) if run.is_unconfirmed() => {
            Err(Illegal::Unasked("it is not confirmed yet"))
        }
        RunEvent::RunCleared(_) | RunEvent::RunOverridden(_) => {
            in_state(matches!(run.state, State::Waiting | State::Blocked))
        }
        RunEvent::RunBlocked(_) => in_state(run.state == State::Waiting),
        RunEvent::RunNeedsUnmet(e) => {
            in_state(matches!(run.state, State::Due | State::Retrying { .. }))?;
            admit_host(run, &e.host, producer)
        }
        // A limit is missed once, also by a run that is over by the time somebody says so.
        RunEvent::RunLate(e) => {
            let known = run.late.iter().any(|late| late.limit == e.limit);
            in_state(run.state != State::Requested && !known)
        }
        RunEvent::RunDivided(e) => {
            in_state(run.state == State::Due && run.is_whole())?;
            admit_parts(&e.hosts)?;
            admit_not_before(run.not_before(), received)
        }
        RunEvent::RunGathered(_) => in_state(run.state == State::Parts),
        RunEvent::RunStarted(e) => {
            admit_start(run, event, e.attempt, received)?;
            admit_host(run, &e.host, producer)?;
            if e.definition == run.definition.digest {
                Ok(())
            } else {
                Err(Illegal::Definition(run.definition.number))
            }
        }
        RunEvent::RunSucceeded(e) => admit_end(run, event, e.attempt, producer),
        RunEvent::RunFailed(e) => admit_end(run, event, e.attempt, producer),
        RunEvent::RunTimedOut(e) => admit_end(run, event, e.attempt, producer),
        RunEvent::RunCancelRequested(_) => in_state(open && run.cancel.is_none()),
        RunEvent::RunCancelled(e) => match e.attempt {
            Some(attempt) => admit_end(run, event, attempt, producer),
            None => {
                let begun = matches!(
                    run.state,
                    State::Running { .. } | State::Unknown { .. } | State::Parts
                );
                in_state(open && !begun && run.cancel.is_some())
            }
        },
        RunEvent::RunLost(e) => match run.state {
            State::Running { attempt } => {
                same_attempt(e.attempt, attempt)?;
                // A scheduler heard nothing; an executor can know of its own attempts only.
                if producer.class() == Class::Executor {
                    same_holder(run, producer)
                } else {
                    Ok(())
                }
            }
            State::Requested
            | State::Held { .. }
            | State::Waiting
            | State::Blocked
            | State::Due
            | State::Parts
            | State::Retrying { .. }
            | State::Unknown { .. }
            | State::Ended { .. } => Err(wrong(event, run.state.word())),
        },
        RunEvent::RunRetryScheduled(e) => match run.state {
            State::Retrying { attempt, not_before: None, .. } => same_attempt(e.attempt, attempt),
            State::Requested
            | State::Held { .. }
            | State::Waiting
            | State::Blocked
            | State::Due
            | State::Parts
            | State::Running { .. }
            | State::Retrying { .. }
            | State::Unknown { .. }
            | State::Ended { .. } => Err(wrong(event, run.state.word())),
        },
        RunEvent::RunResolved(_) => in_state(matches!(run.state, State::Unknown { .. })),
        RunEvent::RunReported(e) => {
            let known = run.attempts.iter().find(|a| a.number == e.report.attempt);
            match known {
                Some(attempt) if attempt.producer != *producer => {
                    Err(Illegal::Holder(attempt.producer.clone()))
                }
                Some(attempt) if attempt.lost.is_some() && attempt.report.is_none() => Ok(()),
                Some(_) | None => Err(wrong(event, run.state.word())),
            }
        }
    }
}

fn admit_start(
    run: &Run,
    event: &RunEvent,
    attempt: u32,
    received: Timestamp,
) -> Result<(), Illegal> {
    if run.is_whole() {
        return Err(Illegal::Unasked("it takes place on several hosts: its parts are started"));
    }
    let not_before = match run.state {
        State::Due => {
            same_attempt(attempt, 1)?;
            run.not_before()
        }
        State::Retrying { attempt: next, not_before: Some(at), .. } => {
            same_attempt(attempt, next)?;
            run.delayed.as_ref().map(|delayed| delayed.not_before).max(Some(at))
        }
        State::Requested
        | State::Held { .. }
        | State::Waiting
        | State::Blocked
        | State::Parts
        | State::Running { .. }
        | State::Retrying { .. }
        | State::Unknown { .. }
        | State::Ended { .. } => return Err(wrong(event, run.state.word())),
    };
    admit_not_before(not_before, received)
}

/// A scheduler's clock decided that its time has come; the recorder's may be behind.
fn admit_not_before(not_before: Option<Timestamp>, received: Timestamp) -> Result<(), Illegal> {
    match not_before {
        Some(at) if at.as_millisecond() - received.as_millisecond() > SKEW_MS_MAX => {
            Err(Illegal::NotBefore(at))
        }
        Some(_) | None => Ok(()),
    }
}

/// One part on each of some hosts.
fn admit_parts(hosts: &[String]) -> Result<(), Illegal> {
    let different: BTreeSet<&String> = hosts.iter().collect();
    if (1..=PARTS_MAX).contains(&hosts.len()) && different.len() == hosts.len() {
        Ok(())
    } else {
        Err(Illegal::Unasked("its parts are one on each of 1 to 200 hosts"))
    }
}

/// An executor starts a run on its own host, which is the one the run names where it names one.
fn admit_host(run: &Run, host: &str, producer: &ProducerId) -> Result<(), Illegal> {
    let wanted = run.wanted_host().unwrap_or(producer.name());
    if host == producer.name() && host == wanted {
        return Ok(());
    }
    Err(Illegal::Host { named: host.to_owned(), wanted: wanted.to_owned() })
}

/// The end of an attempt is stated by the executor that holds it, while it runs or after it was given
/// up for unknown: evidence that comes late is still evidence.
fn admit_end(
    run: &Run,
    event: &RunEvent,
    attempt: u32,
    producer: &ProducerId,
) -> Result<(), Illegal> {
    let current = match run.state {
        State::Running { attempt } | State::Unknown { attempt } => attempt,
        State::Requested
        | State::Held { .. }
        | State::Waiting
        | State::Blocked
        | State::Due
        | State::Parts
        | State::Retrying { .. }
        | State::Ended { .. } => return Err(wrong(event, run.state.word())),
    };
    same_attempt(attempt, current)?;
    same_holder(run, producer)
}

fn same_holder(run: &Run, producer: &ProducerId) -> Result<(), Illegal> {
    match run.attempt() {
        Some(holder) if holder.producer != *producer => {
            Err(Illegal::Holder(holder.producer.clone()))
        }
        Some(_) | None => Ok(()),
    }
}

fn same_attempt(named: u32, actual: u32) -> Result<(), Illegal> {
    if named == actual { Ok(()) } else { Err(Illegal::Attempt { named, actual }) }
}

fn same_definition(run: &Run, definition: &DefinitionRef) -> Result<(), Illegal> {
    if run.definition == *definition { Ok(()) } else { Err(Illegal::Definition(definition.number)) }
}

fn wrong(event: &RunEvent, state: &'static str) -> Illegal {
    Illegal::State { kind: event.kind(), state }
}
