//! Which class of producer may state which kind of event, and about which stream.

use crate::envelope::Envelope;
use crate::event::{Event, HostEvent, JobEvent, LogEvent, RunEvent, UserEvent};
use crate::ids::Class::{self, Audit, Console, Executor, Scheduler};
use crate::ids::StreamId;

/// The classes that may state an event of this kind. One row a kind: the role table.
pub fn may_state(event: &Event) -> &'static [Class] {
    match event {
        Event::JobEvent(
            JobEvent::JobProposed(_)
            | JobEvent::JobApproved(_)
            | JobEvent::JobPaused(_)
            | JobEvent::JobResumed(_)
            | JobEvent::JobRetired(_),
        ) => &[Console],
        Event::RunEvent(event) => may_state_of_run(event),
        Event::HostEvent(HostEvent::HostStarted(_) | HostEvent::HostStopped(_)) => &[Executor],
        Event::UserEvent(UserEvent::UserCreated(_) | UserEvent::UserTokenIssued(_)) => &[Console],
        Event::LogEvent(event) => may_state_of_log(event),
    }
}

fn may_state_of_run(event: &RunEvent) -> &'static [Class] {
    match event {
        RunEvent::RunRequested(_) | RunEvent::RunReleased(_) | RunEvent::RunResolved(_) => &[Console],
        RunEvent::RunDue(_)
        | RunEvent::RunSkipped(_)
        | RunEvent::RunMissed(_)
        | RunEvent::RunRetryScheduled(_) => &[Scheduler],
        RunEvent::RunCancelRequested(_) => &[Console, Scheduler],
        RunEvent::RunCancelled(_) | RunEvent::RunLost(_) => &[Executor, Scheduler],
        RunEvent::RunStarted(_)
        | RunEvent::RunSucceeded(_)
        | RunEvent::RunFailed(_)
        | RunEvent::RunTimedOut(_)
        | RunEvent::RunReported(_) => &[Executor],
    }
}

fn may_state_of_log(event: &LogEvent) -> &'static [Class] {
    match event {
        LogEvent::LogCreated(_)
        | LogEvent::LogProducerEnrolled(_)
        | LogEvent::LogHeadSigned(_)
        | LogEvent::LogRejected(_) => &[Audit],
        LogEvent::LogPolicySet(_) => &[Console],
        LogEvent::LogJournalCut(_) => &Class::ALL,
    }
}

pub(super) fn check(envelope: &Envelope, event: &Event) -> Result<(), String> {
    let class = envelope.source.class();
    if !may_state(event).contains(&class) {
        return Err(format!("a producer of class {class} may not state {}", event.kind()));
    }
    if envelope.subject.stream_type() != event.stream_type() {
        return Err(format!("{} does not belong to {}", event.kind(), envelope.subject));
    }
    check_stream(envelope, event)
}

/// Hosts speak for themselves only, and so do producers about their journals.
fn check_stream(envelope: &Envelope, event: &Event) -> Result<(), String> {
    let own = match event {
        Event::HostEvent(_) => StreamId::host(envelope.source.name()),
        Event::LogEvent(LogEvent::LogJournalCut(e)) if e.producer != envelope.source => {
            return Err(format!("{} by {} is about {}", event.kind(), envelope.source, e.producer));
        }
        Event::LogEvent(LogEvent::LogJournalCut(_)) => envelope.source.stream(),
        Event::LogEvent(_) => StreamId::log("main"),
        Event::JobEvent(_) | Event::RunEvent(_) | Event::UserEvent(_) => return Ok(()),
    };
    if own == envelope.subject {
        return Ok(());
    }
    Err(format!("{} by {} belongs to {own}, not {}", event.kind(), envelope.source, envelope.subject))
}
