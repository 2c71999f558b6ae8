//! Which class of producer may state which kind of event, and about which stream.

use crate::envelope::Envelope;
use crate::event::{
    BackupEvent, Event, FormEvent, HostEvent, IncidentEvent, JobEvent, LogContradicted, LogEvent,
    LogJournalCut, PrintEvent, QueueEvent, RecordsEvent, RunEvent, SkipReason,
};
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
            | JobEvent::JobRetired(_)
            | JobEvent::JobOccurrenceHeld(_)
            | JobEvent::JobOccurrenceReleased(_)
            | JobEvent::JobOccurrenceSkipped(_)
            | JobEvent::JobOccurrenceMoved(_),
        ) => &[Console],
        Event::JobEvent(JobEvent::JobLeaseGranted(_)) => &[Scheduler],
        Event::JobEvent(JobEvent::JobLeaseReturned(_)) => &[Console, Executor],
        Event::ThingEvent(_) => &[Console],
        Event::BackupEvent(event) => may_state_of_snapshots(event),
        Event::PrintEvent(event) => may_state_of_prints(event),
        Event::FormEvent(event) => may_state_of_forms(event),
        Event::QueueEvent(event) => may_state_of_queues(event),
        Event::RunEvent(event) => may_state_of_run(event),
        Event::HostEvent(HostEvent::HostStarted(_) | HostEvent::HostStopped(_)) => &[Executor],
        Event::HostEvent(
            HostEvent::HostDrained(_)
            | HostEvent::HostResumed(_)
            | HostEvent::HostInvited(_)
            | HostEvent::HostRevoked(_),
        ) => &[Console],
        Event::UserEvent(_)
        | Event::ChangeEvent(_)
        | Event::ReviewEvent(_)
        | Event::ControlEvent(_)
        | Event::RequestEvent(_) => &[Console],
        Event::RecordsEvent(RecordsEvent::PayloadErased(_)) => &[Executor],
        Event::RecordsEvent(
            RecordsEvent::HoldPlaced(_)
            | RecordsEvent::HoldLiftAsked(_)
            | RecordsEvent::HoldKept(_)
            | RecordsEvent::HoldLifted(_)
            | RecordsEvent::PayloadRedactionAsked(_)
            | RecordsEvent::PayloadRedactionDeclined(_)
            | RecordsEvent::PayloadRedacted(_),
        ) => &[Console],
        Event::IncidentEvent(event) => may_state_of_incidents(event),
        Event::LogEvent(event) => may_state_of_log(event),
    }
}

fn may_state_of_run(event: &RunEvent) -> &'static [Class] {
    match event {
        RunEvent::RunReleased(_)
        | RunEvent::RunResolved(_)
        | RunEvent::RunConfirmed(_)
        | RunEvent::RunOverridden(_) => &[Console],
        // A scheduler asks for what is caught up after a pause.
        RunEvent::RunRequested(_) | RunEvent::RunHeld(_) | RunEvent::RunDelayed(_) => {
            &[Console, Scheduler]
        }
        // An executor only of occurrences it has leave to decide.
        RunEvent::RunDue(_) | RunEvent::RunMissed(_) => &[Scheduler, Executor],
        // A person only by their own word.
        RunEvent::RunSkipped(e) => match e.reason {
            SkipReason::Person { .. } => &[Console],
            SkipReason::Paused
            | SkipReason::Overlap { .. }
            | SkipReason::QueueFull { .. }
            | SkipReason::Retired
            | SkipReason::Calendar { .. }
            | SkipReason::Gap
            | SkipReason::Ordered { .. }
            | SkipReason::Window { .. }
            | SkipReason::Blackout { .. }
            | SkipReason::LatestBy { .. }
            | SkipReason::Parameters { .. } => &[Scheduler, Executor],
        },
        RunEvent::RunRetryScheduled(_)
        | RunEvent::RunCleared(_)
        | RunEvent::RunBlocked(_)
        | RunEvent::RunLate(_)
        | RunEvent::RunGathered(_)
        | RunEvent::RunDivided(_) => &[Scheduler],
        RunEvent::RunCancelRequested(_) => &[Console, Scheduler],
        RunEvent::RunCancelled(_) | RunEvent::RunLost(_) => &[Executor, Scheduler],
        RunEvent::RunNeedsUnmet(_)
        | RunEvent::RunStarted(_)
        | RunEvent::RunSucceeded(_)
        | RunEvent::RunFailed(_)
        | RunEvent::RunTimedOut(_)
        | RunEvent::RunReported(_) => &[Executor],
    }
}

fn may_state_of_snapshots(event: &BackupEvent) -> &'static [Class] {
    match event {
        BackupEvent::BackupSnapshotCreated(_)
        | BackupEvent::BackupCopied(_)
        | BackupEvent::BackupVerified(_)
        | BackupEvent::BackupCheckFailed(_)
        | BackupEvent::BackupForgotten(_)
        | BackupEvent::BackupOrphanFound(_)
        | BackupEvent::BackupSnapshotMissing(_)
        | BackupEvent::BackupSnapshotFound(_)
        | BackupEvent::BackupAnomalyFound(_)
        | BackupEvent::BackupRestored(_)
        | BackupEvent::RestoreTested(_)
        | BackupEvent::BackupPruned(_)
        | BackupEvent::BackupChecked(_) => &[Executor],
        BackupEvent::BackupForgetRequested(_)
        | BackupEvent::BackupForgetApproved(_)
        | BackupEvent::BackupForgetDeclined(_)
        | BackupEvent::BackupHeld(_)
        | BackupEvent::BackupHoldEnded(_)
        | BackupEvent::BackupLookedInto(_)
        | BackupEvent::RestoreCertified(_) => &[Console],
        BackupEvent::DatasetAtRisk(_) | BackupEvent::DatasetProtected(_) => &[Scheduler],
    }
}

fn may_state_of_prints(event: &PrintEvent) -> &'static [Class] {
    match event {
        PrintEvent::PrintSpooled(_)
        | PrintEvent::PrintCodeRefused(_)
        | PrintEvent::PrintSubmitted(_)
        | PrintEvent::PrintDeferred(_)
        | PrintEvent::PrintAccepted(_)
        | PrintEvent::PrintStopped(_)
        | PrintEvent::PrintContinued(_)
        | PrintEvent::PrintCompleted(_)
        | PrintEvent::PrintFailed(_)
        | PrintEvent::PrintUnknown(_)
        | PrintEvent::PrintRetried(_)
        | PrintEvent::PrintErased(_)
        | PrintEvent::PrintDelivered(_)
        | PrintEvent::PrintDeliveryFailed(_) => &[Executor],
        // What waits, a person cancels; what the printer has, its host.
        PrintEvent::PrintCancelled(_) => &[Console, Executor],
        PrintEvent::PrintHeld(_)
        | PrintEvent::PrintReleased(_)
        | PrintEvent::PrintMoved(_)
        | PrintEvent::PrintChanged(_)
        | PrintEvent::PrintCancelRequested(_)
        | PrintEvent::PrintResolved(_)
        | PrintEvent::PrintReprintRequested(_)
        | PrintEvent::PrintReprintApproved(_)
        | PrintEvent::PrintReprintDeclined(_)
        | PrintEvent::PrintRead(_)
        | PrintEvent::PrintDeliveryRetried(_) => &[Console],
    }
}

fn may_state_of_forms(event: &FormEvent) -> &'static [Class] {
    match event {
        FormEvent::FormAllocated(_) => &[Executor],
        // As the printer counted, or as somebody saw.
        FormEvent::FormPrinted(_) => &[Console, Executor],
        FormEvent::FormLoaded(_)
        | FormEvent::FormWitnessed(_)
        | FormEvent::FormUnloaded(_)
        | FormEvent::FormVoided(_)
        | FormEvent::FormReturned(_)
        | FormEvent::FormSlipped(_)
        | FormEvent::FormChecked(_)
        | FormEvent::FormRegisterRead(_) => &[Console],
    }
}

fn may_state_of_queues(event: &QueueEvent) -> &'static [Class] {
    match event {
        QueueEvent::QueueHeld(_) | QueueEvent::QueueReleased(_) => &[Console],
        QueueEvent::QueueStopped(_) | QueueEvent::QueueContinued(_) => &[Executor],
    }
}

fn may_state_of_incidents(event: &IncidentEvent) -> &'static [Class] {
    match event {
        // By rules, or by a person in their own words.
        IncidentEvent::IncidentOpened(_) => &[Console, Scheduler],
        IncidentEvent::IncidentRecurred(_)
        | IncidentEvent::IncidentCleared(_)
        | IncidentEvent::IncidentEscalated(_)
        | IncidentEvent::IncidentNotificationBegun(_)
        | IncidentEvent::IncidentNotificationEnded(_) => &[Scheduler],
        IncidentEvent::IncidentBroadcast(_)
        | IncidentEvent::IncidentAcknowledged(_)
        | IncidentEvent::IncidentNoted(_)
        | IncidentEvent::IncidentCauseRecorded(_)
        | IncidentEvent::IncidentResolved(_)
        | IncidentEvent::IncidentReopened(_) => &[Console],
    }
}

fn may_state_of_log(event: &LogEvent) -> &'static [Class] {
    match event {
        LogEvent::LogCreated(_)
        | LogEvent::LogProducerEnrolled(_)
        | LogEvent::LogProducerAsked(_)
        | LogEvent::LogHeadSigned(_)
        | LogEvent::LogExamined(_)
        | LogEvent::LogArchived(_)
        | LogEvent::LogContinued(_)
        | LogEvent::LogRejected(_) => &[Audit],
        LogEvent::LogPolicySet(_)
        | LogEvent::LogAccountsRequired(_)
        | LogEvent::LogConfirmationsRequired(_)
        | LogEvent::LogProducerConfirmed(_)
        | LogEvent::LogProducerDeclined(_)
        | LogEvent::LogProducerRevoked(_)
        | LogEvent::LogDirectorySet(_)
        | LogEvent::LogExported(_) => &[Console],
        LogEvent::LogTzdbChanged(_) => &[Scheduler],
        LogEvent::LogJournalCut(_) => &Class::ALL,
        LogEvent::LogContradicted(_) => &[Console, Executor, Scheduler],
    }
}

pub(super) fn check(envelope: &Envelope, event: &Event) -> Result<(), String> {
    let class = envelope.source.class();
    if !may_state(event).contains(&class) {
        return Err(format!("a producer of class {class} may not state {}", event.kind()));
    }
    if !event.belongs_to(envelope.subject.stream_type()) {
        return Err(format!("{} does not belong to {}", event.kind(), envelope.subject));
    }
    check_stream(envelope, event)
}

/// Hosts speak for themselves only, and so do producers about their journals.
fn check_stream(envelope: &Envelope, event: &Event) -> Result<(), String> {
    let own = match event {
        // What people say about a host is in its stream too.
        Event::HostEvent(
            HostEvent::HostDrained(_)
            | HostEvent::HostResumed(_)
            | HostEvent::HostInvited(_)
            | HostEvent::HostRevoked(_),
        ) => return Ok(()),
        Event::HostEvent(_) => StreamId::host(envelope.source.name()),
        Event::LogEvent(
            LogEvent::LogJournalCut(LogJournalCut { producer, .. })
            | LogEvent::LogContradicted(LogContradicted { producer, .. }),
        ) if *producer != envelope.source => {
            return Err(format!("{} by {} is about {producer}", event.kind(), envelope.source));
        }
        Event::LogEvent(LogEvent::LogJournalCut(_) | LogEvent::LogContradicted(_)) => {
            envelope.source.stream()
        }
        Event::LogEvent(LogEvent::LogTzdbChanged(_)) => StreamId::tzdb(),
        Event::LogEvent(LogEvent::LogDirectorySet(_)) => StreamId::directory(),
        Event::LogEvent(LogEvent::LogExported(_)) => StreamId::exports(),
        Event::LogEvent(LogEvent::LogContinued(_)) => StreamId::continued(),
        Event::LogEvent(LogEvent::LogArchived(_)) => StreamId::archive(),
        Event::LogEvent(
            LogEvent::LogConfirmationsRequired(_)
            | LogEvent::LogProducerAsked(_)
            | LogEvent::LogProducerConfirmed(_)
            | LogEvent::LogProducerDeclined(_)
            | LogEvent::LogProducerRevoked(_),
        ) => StreamId::joining(),
        Event::RecordsEvent(_) => StreamId::records(),
        Event::LogEvent(_) => StreamId::log("main"),
        Event::JobEvent(_)
        | Event::RunEvent(_)
        | Event::UserEvent(_)
        | Event::ThingEvent(_)
        | Event::BackupEvent(_)
        | Event::PrintEvent(_)
        | Event::FormEvent(_)
        | Event::QueueEvent(_)
        | Event::ChangeEvent(_)
        | Event::ReviewEvent(_)
        | Event::ControlEvent(_)
        | Event::RequestEvent(_)
        | Event::IncidentEvent(_) => return Ok(()),
    };
    if own == envelope.subject {
        return Ok(());
    }
    Err(format!(
        "{} by {} belongs to {own}, not {}",
        event.kind(),
        envelope.source,
        envelope.subject
    ))
}
