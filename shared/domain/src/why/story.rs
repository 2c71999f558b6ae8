//! What happened so far, an event a step: who, when, what and why.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::speech::{Clock, because, long, names, who};
use crate::envelope::Envelope;
use crate::event::{
    AttemptReport, ChangeEvent, Event, JobEvent, Limit, Resolution, RunDue, RunEvent, RunLate,
    RunRequested, RunStarted,
};
use crate::run::{missed, skipped};
use crate::wire::LogEntry;

/// One step of a story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When the recorder received it.
    pub at: Timestamp,
    /// Its position in the log.
    pub position: u64,
    /// A person, or the program that acted by rule.
    pub by: String,
    /// What, and why.
    pub says: String,
    /// Why it is void: somebody tried, and was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// An event, read.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) position: u64,
    pub(super) received: Timestamp,
    pub(super) void: Option<String>,
    pub(super) envelope: Envelope,
    pub(super) event: Event,
}

impl Told {
    /// Whoever said it.
    pub(super) fn by(&self) -> String {
        who(&self.envelope)
    }
}

/// Events that can be read here; what lost a race is left out.
pub(super) fn told(entries: &[&LogEntry]) -> Vec<Told> {
    let one = |entry: &&LogEntry| {
        let envelope = entry.envelope().ok()?;
        let event = envelope.event().ok()?;
        let (position, received, void) = (entry.position, entry.received, entry.void.clone());
        // What a host has done is news also where its word came too late.
        let lost = void.as_ref().is_some_and(|void| void.starts_with("conflict"))
            && report(&event).is_none();
        (!lost).then_some(Told { position, received, void, envelope, event })
    };
    entries.iter().filter_map(one).collect()
}

/// What a host saw of an attempt that has ended.
pub(super) fn report(event: &Event) -> Option<&AttemptReport> {
    let Event::RunEvent(event) = event else { return None };
    match event {
        RunEvent::RunSucceeded(e) => Some(&e.report),
        RunEvent::RunFailed(e) => Some(&e.report),
        RunEvent::RunTimedOut(e) => Some(&e.report),
        RunEvent::RunCancelled(e) => e.report.as_ref(),
        RunEvent::RunReported(e) => Some(&e.report),
        RunEvent::RunRequested(_)
        | RunEvent::RunDue(_)
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
        | RunEvent::RunReleased(_)
        | RunEvent::RunSkipped(_)
        | RunEvent::RunMissed(_)
        | RunEvent::RunStarted(_)
        | RunEvent::RunCancelRequested(_)
        | RunEvent::RunLost(_)
        | RunEvent::RunRetryScheduled(_)
        | RunEvent::RunResolved(_) => None,
    }
}

/// The steps of a story.
pub(super) fn story(told: &[Told], clock: &Clock) -> Vec<Step> {
    let one = |told: &Told| {
        Some(Step {
            at: told.received,
            position: told.position,
            by: told.by(),
            says: says(&told.event, clock)?,
            refused: told.void.clone(),
        })
    };
    told.iter().filter_map(one).collect()
}

fn says(event: &Event, clock: &Clock) -> Option<String> {
    match event {
        Event::RunEvent(event) => Some(run_says(event, clock)),
        Event::JobEvent(event) => Some(job_says(event, clock)),
        Event::ThingEvent(_)
        | Event::HostEvent(_)
        | Event::UserEvent(_)
        | Event::LogEvent(_)
        | Event::BackupEvent(_)
        | Event::PrintEvent(_)
        | Event::FormEvent(_)
        | Event::QueueEvent(_)
        | Event::IncidentEvent(_)
        | Event::ControlEvent(_)
        | Event::RecordsEvent(_)
        | Event::RequestEvent(_)
        | Event::ReviewEvent(_) => None,
        Event::ChangeEvent(event) => Some(change_says(event, clock)),
    }
}

fn run_says(event: &RunEvent, clock: &Clock) -> String {
    match event {
        RunEvent::RunRequested(e) => requested(e),
        RunEvent::RunDue(e) => due(e, clock),
        RunEvent::RunHeld(e) => format!("held{}", because(&e.reason)),
        RunEvent::RunReleased(e) => format!("released{}", because(&e.reason)),
        RunEvent::RunDelayed(e) => {
            format!("delayed until {}{}", clock.at(e.not_before), because(&e.reason))
        }
        RunEvent::RunConfirmed(e) => format!("confirmed{}", because(&e.reason)),
        RunEvent::RunCleared(e) if e.by.is_empty() => "cleared".to_owned(),
        RunEvent::RunCleared(e) => {
            format!("cleared: what it waited for has ended ({})", names(&e.by))
        }
        RunEvent::RunBlocked(e) => {
            format!("blocked: {} ended as {}", e.on.rest(), e.outcome.word())
        }
        RunEvent::RunOverridden(e) => {
            format!("let go on without what it waits for{}", because(&e.reason))
        }
        RunEvent::RunNeedsUnmet(e) => format!("host {} waits: {}", e.host, e.unmet.join("; ")),
        RunEvent::RunLate(e) => late(e, clock),
        RunEvent::RunDivided(e) => format!("starts on {}", e.hosts.join(", ")),
        RunEvent::RunGathered(e) => format!("all parts have ended: {}", e.outcome.word()),
        RunEvent::RunSkipped(e) => format!("skipped: {}", skipped(&e.reason)),
        RunEvent::RunMissed(e) => format!("missed: {}", missed(&e.reason)),
        RunEvent::RunStarted(e) => started(e),
        RunEvent::RunSucceeded(_)
        | RunEvent::RunFailed(_)
        | RunEvent::RunTimedOut(_)
        | RunEvent::RunCancelled(_)
        | RunEvent::RunLost(_)
        | RunEvent::RunReported(_) => ended(event),
        RunEvent::RunCancelRequested(e) => format!("is to stop{}", because(&e.reason)),
        RunEvent::RunRetryScheduled(e) => {
            format!("attempt {} follows, not before {}", e.attempt, clock.at(e.not_before))
        }
        RunEvent::RunResolved(e) => {
            let how = match e.outcome {
                Resolution::Succeeded => "succeeded",
                Resolution::Failed => "failed",
            };
            format!("said to have {how}{}", because(&e.evidence))
        }
    }
}

fn requested(e: &RunRequested) -> String {
    let again = e.again.as_ref().map(|again| format!(" once more ({})", again.run.rest()));
    format!("asked for{}{}", again.unwrap_or_default(), because(&e.reason))
}

fn due(e: &RunDue, clock: &Clock) -> String {
    let mut text = format!("due by definition {}", e.definition.number);
    if e.late_ms >= 1_000 {
        let late = long(i64::try_from(e.late_ms).unwrap_or(i64::MAX));
        text.push_str(&format!(", decided {late} after its time"));
    }
    if e.catch_up {
        text.push_str(", to be caught up");
    }
    if let Some(moved) = &e.moved {
        text.push_str(&format!(", moved to {}{}", clock.at(moved.to), because(&moved.reason)));
    }
    if !e.behind.is_empty() {
        text.push_str(&format!(", behind {}", names(&e.behind)));
    }
    if let Some(reason) = &e.hold {
        text.push_str(&format!(", held{}", because(reason)));
    }
    text
}

fn started(e: &RunStarted) -> String {
    format!("attempt {} started on {} as {}", e.attempt, e.host, e.run_as)
}

fn late(e: &RunLate, clock: &Clock) -> String {
    let by = e.by.map(|by| clock.at(by)).unwrap_or_default();
    let than = e.than_ms.map(|ms| long(i64::try_from(ms).unwrap_or(i64::MAX))).unwrap_or_default();
    match e.limit {
        Limit::StartBy => format!("late: it had not started by {by}"),
        Limit::FinishBy => format!("late: it had not ended by {by}"),
        Limit::LongerThan => format!("late: it takes longer than {than}"),
        Limit::ShorterThan => format!("it took less than {than}"),
    }
}

fn ended(event: &RunEvent) -> String {
    let took = |report: &crate::event::AttemptReport| {
        long(report.ended.as_millisecond() - report.began.as_millisecond())
    };
    match event {
        RunEvent::RunSucceeded(e) => {
            let warning = if e.warning { " with a warning" } else { "" };
            format!("attempt {} succeeded{warning} after {}", e.attempt, took(&e.report))
        }
        RunEvent::RunFailed(e) => {
            format!("attempt {} failed after {}: {}", e.attempt, took(&e.report), e.message)
        }
        RunEvent::RunTimedOut(e) => {
            let limit = long(i64::try_from(e.after_ms).unwrap_or(i64::MAX));
            format!("attempt {} was stopped at its limit of {limit}", e.attempt)
        }
        RunEvent::RunCancelled(e) => format!("cancelled{}", because(&e.reason)),
        RunEvent::RunLost(e) => format!("attempt {} was lost: {}", e.attempt, e.reason),
        RunEvent::RunReported(e) => {
            format!("its host reports attempt {} after all", e.report.attempt)
        }
        RunEvent::RunRequested(_)
        | RunEvent::RunDue(_)
        | RunEvent::RunHeld(_)
        | RunEvent::RunReleased(_)
        | RunEvent::RunDelayed(_)
        | RunEvent::RunConfirmed(_)
        | RunEvent::RunCleared(_)
        | RunEvent::RunBlocked(_)
        | RunEvent::RunOverridden(_)
        | RunEvent::RunNeedsUnmet(_)
        | RunEvent::RunLate(_)
        | RunEvent::RunDivided(_)
        | RunEvent::RunGathered(_)
        | RunEvent::RunSkipped(_)
        | RunEvent::RunMissed(_)
        | RunEvent::RunStarted(_)
        | RunEvent::RunCancelRequested(_)
        | RunEvent::RunRetryScheduled(_)
        | RunEvent::RunResolved(_) => String::new(),
    }
}

fn change_says(event: &ChangeEvent, clock: &Clock) -> String {
    match event {
        ChangeEvent::ChangeRejected(e) => {
            format!("definition {} rejected{}", e.number, because(&e.reason))
        }
        ChangeEvent::ChangeWithdrawn(e) => {
            format!("definition {} withdrawn{}", e.number, because(&e.reason))
        }
        ChangeEvent::ChangeCommented(e) => format!("of definition {}: {}", e.number, e.text),
        ChangeEvent::ChangeExpedited(e) => format!(
            "definition {} cannot wait, somebody else looks at it until {}{}",
            e.number,
            clock.at(e.until),
            because(&e.reason)
        ),
        ChangeEvent::ChangeRatified(e) => {
            format!("definition {} was right{}", e.number, because(&e.reason))
        }
    }
}

fn job_says(event: &JobEvent, clock: &Clock) -> String {
    let at = |at: Timestamp| clock.at(at);
    match event {
        JobEvent::JobProposed(e) => {
            format!("definition {} proposed{}", e.number, because(&e.reason))
        }
        JobEvent::JobApproved(e) => format!("definition {} approved", e.number),
        JobEvent::JobPaused(e) => format!("paused{}", because(&e.reason)),
        JobEvent::JobResumed(e) => format!("resumed{}", because(&e.reason)),
        JobEvent::JobRetired(e) => format!("retired{}", because(&e.reason)),
        JobEvent::JobOccurrenceHeld(e) => {
            format!("occurrence {} is to be held{}", at(e.at), because(&e.reason))
        }
        JobEvent::JobOccurrenceReleased(e) => {
            format!("nothing special of occurrence {} any more{}", at(e.at), because(&e.reason))
        }
        JobEvent::JobOccurrenceSkipped(e) => {
            format!("occurrence {} is to be skipped{}", at(e.at), because(&e.reason))
        }
        JobEvent::JobOccurrenceMoved(e) => {
            format!("occurrence {} moved to {}{}", at(e.at), at(e.to), because(&e.reason))
        }
        JobEvent::JobLeaseGranted(e) => {
            format!("host {} decides its occurrences until {}", e.host, at(e.until))
        }
        JobEvent::JobLeaseReturned(e) => {
            format!("its host decides none after {}{}", at(e.until), because(&e.reason))
        }
    }
}
