//! Who may do what: one table, and one decision. The recorder asks it of every event that a console states, a console before
//! it tries, and a verifier of the whole log again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::account::User;
use super::grant::{Grant, Scope};
use crate::event::{
    BackupEvent, ChangeEvent, Event, FormEvent, HostEvent, IncidentEvent, JobEvent, LogEvent,
    PrintEvent, QueueEvent, RecordsEvent, RequestEvent, Role, RunEvent, ThingAct, ThingEvent,
    UserEvent,
};
use crate::job::{Job, JobDefinition};

/// What somebody may do, or may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// See how things stand, and the events of the log.
    View,
    /// Read what runs have printed to their output.
    ReadOutput,
    /// Read documents, what is known of them, and registers with payees.
    ReadDocuments,
    /// Ask hosts what would keep a job from running there.
    AskHosts,
    /// Look into snapshots: names of files and what changed.
    LookIntoBackups,
    /// Ask for a definition, withdraw what was asked for, retire what is there.
    Propose,
    /// Say yes or no to a definition that somebody else asks for.
    Approve,
    /// Say something of a change.
    CommentChanges,
    /// Make a change active that cannot wait, before somebody else has looked.
    Expedite,
    /// Ask for a run.
    RequestRuns,
    /// Hold, release, skip, move, delay, confirm and cancel runs.
    SteerRuns,
    /// Answer for a job that asks a person of their role.
    ConfirmRuns,
    /// Say how a run ended that nobody knows of.
    ResolveRuns,
    /// Pause and resume jobs, and take them back from their hosts.
    SteerJobs,
    /// Say what becomes of the exceptions of a night or of a control, and sign for it; sign for who may do what.
    SignReviews,
    /// Open incidents, acknowledge them, say of them what is known, open them again.
    AttendIncidents,
    /// Say that an incident is dealt with, and tell those who are affected.
    ResolveIncidents,
    /// Ask as an auditor to be shown something, and say whether the answer is enough.
    AuditRequests,
    /// Answer what an auditor asks.
    AnswerRequests,
    /// Keep snapshots from being forgotten.
    HoldSnapshots,
    /// Ask for a snapshot to be forgotten.
    RequestForget,
    /// Say yes to that.
    ApproveForget,
    /// Certify a restore test.
    CertifyTests,
    /// Hold, release, move, change, cancel and print again; hold and release queues.
    SteerPrints,
    /// Load, witness, void and read numbered stock.
    KeepStock,
    /// Say yes to a form that is to be printed again.
    ApproveReprints,
    /// Say no to either, or withdraw it.
    DeclineRequests,
    /// Place legal holds and lift them, have payloads erased before their time.
    KeepRecords,
    /// Drain hosts and let them go on.
    KeepHosts,
    /// Let another host in, and take a host's key back.
    InviteHosts,
    /// Make, change and remove accounts.
    KeepPeople,
    /// Change one's own password, tokens and sessions.
    OwnAccount,
}

impl Action {
    /// Every action, in the order people read them.
    pub const ALL: [Self; 32] = [
        Self::View,
        Self::ReadOutput,
        Self::ReadDocuments,
        Self::AskHosts,
        Self::LookIntoBackups,
        Self::Propose,
        Self::Approve,
        Self::CommentChanges,
        Self::Expedite,
        Self::RequestRuns,
        Self::SteerRuns,
        Self::ConfirmRuns,
        Self::ResolveRuns,
        Self::SteerJobs,
        Self::SignReviews,
        Self::AttendIncidents,
        Self::ResolveIncidents,
        Self::AuditRequests,
        Self::AnswerRequests,
        Self::HoldSnapshots,
        Self::RequestForget,
        Self::ApproveForget,
        Self::CertifyTests,
        Self::SteerPrints,
        Self::KeepStock,
        Self::ApproveReprints,
        Self::DeclineRequests,
        Self::KeepRecords,
        Self::KeepHosts,
        Self::InviteHosts,
        Self::KeepPeople,
        Self::OwnAccount,
    ];

    /// The roles that may. This is the table.
    pub fn roles(self) -> &'static [Role] {
        use Role::{Admin, Approver, Auditor, Author, Operator, Viewer};
        match self {
            Self::View | Self::OwnAccount => &[Viewer, Operator, Author, Approver, Auditor, Admin],
            Self::ReadOutput => &[Operator, Author, Approver, Auditor, Admin],
            Self::ReadDocuments => &[Approver, Auditor],
            Self::LookIntoBackups => &[Operator, Auditor],
            Self::AskHosts => &[Operator, Author, Approver],
            Self::Propose | Self::Expedite => &[Author],
            Self::CommentChanges | Self::AttendIncidents => &[Operator, Author, Approver, Admin],
            Self::Approve | Self::ApproveForget | Self::CertifyTests | Self::ApproveReprints => {
                &[Approver]
            }
            Self::RequestRuns
            | Self::SteerRuns
            | Self::ResolveRuns
            | Self::SteerJobs
            | Self::RequestForget
            | Self::SteerPrints => &[Operator],
            Self::ConfirmRuns => &[Operator, Author, Approver, Admin],
            Self::SignReviews
            | Self::ResolveIncidents
            | Self::HoldSnapshots
            | Self::KeepStock
            | Self::DeclineRequests => &[Operator, Approver],
            Self::KeepRecords => &[Approver, Admin],
            Self::AuditRequests => &[Auditor],
            Self::KeepHosts | Self::AnswerRequests => &[Operator, Admin],
            Self::InviteHosts | Self::KeepPeople => &[Admin],
        }
    }

    /// Whether a program may never do it: what a person answers for by name.
    pub fn needs_person(self) -> bool {
        match self {
            Self::Approve
            | Self::Expedite
            | Self::ConfirmRuns
            | Self::SignReviews
            | Self::ResolveIncidents
            | Self::AuditRequests
            | Self::ApproveForget
            | Self::CertifyTests
            | Self::KeepStock
            | Self::ApproveReprints
            | Self::KeepRecords
            | Self::InviteHosts
            | Self::KeepPeople => true,
            Self::View
            | Self::ReadOutput
            | Self::ReadDocuments
            | Self::AskHosts
            | Self::LookIntoBackups
            | Self::Propose
            | Self::CommentChanges
            | Self::RequestRuns
            | Self::SteerRuns
            | Self::ResolveRuns
            | Self::SteerJobs
            | Self::AttendIncidents
            | Self::AnswerRequests
            | Self::HoldSnapshots
            | Self::RequestForget
            | Self::SteerPrints
            | Self::DeclineRequests
            | Self::KeepHosts
            | Self::OwnAccount => false,
        }
    }

    /// The stored word.
    pub fn word(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::ReadOutput => "read-output",
            Self::ReadDocuments => "read-documents",
            Self::AskHosts => "ask-hosts",
            Self::LookIntoBackups => "look-into-backups",
            Self::Propose => "propose",
            Self::Approve => "approve",
            Self::CommentChanges => "comment-changes",
            Self::Expedite => "expedite",
            Self::RequestRuns => "request-runs",
            Self::SteerRuns => "steer-runs",
            Self::ConfirmRuns => "confirm-runs",
            Self::ResolveRuns => "resolve-runs",
            Self::SteerJobs => "steer-jobs",
            Self::SignReviews => "sign-reviews",
            Self::AttendIncidents => "attend-incidents",
            Self::ResolveIncidents => "resolve-incidents",
            Self::AuditRequests => "audit-requests",
            Self::AnswerRequests => "answer-requests",
            Self::HoldSnapshots => "hold-snapshots",
            Self::RequestForget => "request-forget",
            Self::ApproveForget => "approve-forget",
            Self::CertifyTests => "certify-tests",
            Self::SteerPrints => "steer-prints",
            Self::KeepStock => "keep-stock",
            Self::ApproveReprints => "approve-reprints",
            Self::DeclineRequests => "decline-requests",
            Self::KeepRecords => "keep-records",
            Self::KeepHosts => "keep-hosts",
            Self::InviteHosts => "invite-hosts",
            Self::KeepPeople => "keep-people",
            Self::OwnAccount => "own-account",
        }
    }

    /// What it is, to be read after "may".
    pub fn words(self) -> &'static str {
        match self {
            Self::View => "see how things stand, and the events of the log",
            Self::ReadOutput => "read the output of runs",
            Self::ReadDocuments => {
                "read documents, what is known of them, and registers with payees"
            }
            Self::AskHosts => "ask hosts what would keep a job from running there",
            Self::LookIntoBackups => "look into snapshots",
            Self::Propose => "propose, withdraw and retire definitions",
            Self::Approve => "approve and reject definitions that somebody else proposed",
            Self::CommentChanges => "comment on changes",
            Self::Expedite => "make a change active that cannot wait, and be looked at afterwards",
            Self::RequestRuns => "ask for runs",
            Self::SteerRuns => "hold, release, skip, move, delay and cancel runs",
            Self::ConfirmRuns => "confirm runs that ask for their role",
            Self::ResolveRuns => "say how a run ended that nobody knows of",
            Self::SteerJobs => "pause and resume jobs",
            Self::SignReviews => {
                "say what becomes of exceptions of a night or a control, sign for either, and for who may do what"
            }
            Self::AttendIncidents => "open, acknowledge and explain incidents",
            Self::ResolveIncidents => {
                "resolve incidents that they did not cause, and tell those who are affected"
            }
            Self::AuditRequests => {
                "ask as an auditor to be shown something, accept or flag answers, withdraw what they asked"
            }
            Self::AnswerRequests => "answer what an auditor asks",
            Self::HoldSnapshots => "keep snapshots from being forgotten",
            Self::RequestForget => "ask for snapshots to be forgotten",
            Self::ApproveForget => "approve that snapshots are forgotten",
            Self::CertifyTests => "certify restore tests",
            Self::SteerPrints => "hold, release, move, cancel and repeat prints",
            Self::KeepStock => "load, witness, void and check numbered stock",
            Self::ApproveReprints => "approve reprints of forms",
            Self::DeclineRequests => "decline and withdraw requests to forget and to print again",
            Self::KeepRecords => {
                "place and lift legal holds, and have payloads erased before their time"
            }
            Self::KeepHosts => "drain hosts and let them go on",
            Self::InviteHosts => {
                "let another host in, which takes work of the pools that it names; take a key back"
            }
            Self::KeepPeople => "make, change and remove accounts",
            Self::OwnAccount => "change their own password, tokens and sessions",
        }
    }
}

/// What an action is about, as far as scopes ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Subject<'a> {
    /// The job it is about, or whose run it is about.
    pub job: Option<&'a str>,
    /// The pools that job runs in: by what holds and by what is asked for. Or the pools of a host.
    pub pools: &'a [String],
}

impl Scope {
    /// Whether this scope holds the subject.
    fn holds(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Folder(folder) => {
                let of = subject.job.and_then(|job| job.split_once('.')).map(|(folder, _)| folder);
                of == Some(folder)
            }
            Self::Pool(pool) => {
                !subject.pools.is_empty() && subject.pools.iter().all(|one| one == pool)
            }
        }
    }
}

/// Why somebody may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The account is gone.
    #[error("user/{0} was removed")]
    Removed(String),
    /// Nothing was heard of it for too long.
    #[error("user/{0} was not heard of for 90 days: an administrator lets them in again")]
    Idle(String),
    /// Only a person answers for it.
    #[error("user/{0} is a program, and this needs a person's name: {1}")]
    Program(String, &'static str),
    /// None of its roles may.
    #[error("user/{user} may not {what}: that needs the role {roles}")]
    Role {
        /// Who.
        user: String,
        /// What.
        what: &'static str,
        /// Who may, in words.
        roles: String,
    },
    /// Not of this.
    #[error("user/{user} may not {what} here, but only for {scopes}")]
    Scope {
        /// Who.
        user: String,
        /// What.
        what: &'static str,
        /// Of what they may.
        scopes: String,
    },
}

/// Whether an account may do something now. `limits` are those of the token it came in by, where they are narrower.
///
/// # Errors
/// Why it may not.
pub fn decide(
    user: &User,
    limits: &[Grant],
    action: Action,
    subject: &Subject<'_>,
    now: Timestamp,
) -> Result<(), Denial> {
    let name = || user.name.clone();
    if user.removed.is_some() {
        return Err(Denial::Removed(name()));
    }
    if user.is_idle(now) {
        return Err(Denial::Idle(name()));
    }
    if user.program && action.needs_person() {
        return Err(Denial::Program(name(), action.words()));
    }
    let may = |grant: &&Grant| action.roles().contains(&grant.role);
    let right: Vec<&Grant> = user.grants.iter().filter(may).collect();
    let within = limits.is_empty() || limits.iter().any(|limit| may(&limit));
    if right.is_empty() || !within {
        let roles: Vec<&str> = action.roles().iter().map(|role| role.word()).collect();
        let (user, roles) = (name(), roles.join(" or "));
        return Err(Denial::Role { user, what: action.words(), roles });
    }
    let holds = |grant: &Grant| grant.scope.holds(subject);
    let limited = limits.iter().filter(may).any(holds) || limits.is_empty();
    if limited && right.iter().any(|grant| holds(grant)) {
        return Ok(());
    }
    let narrow = if limited { right } else { limits.iter().filter(may).collect() };
    let scopes: Vec<String> = narrow.iter().map(|grant| grant.scope.to_string()).collect();
    Err(Denial::Scope { user: name(), what: action.words(), scopes: scopes.join(" or ") })
}

/// What a console does on somebody's behalf when it states this; `None` for what it states on its own.
pub fn action_of(event: &Event) -> Option<Action> {
    Some(match event {
        Event::JobEvent(event) => match event {
            JobEvent::JobProposed(_) | JobEvent::JobRetired(_) => Action::Propose,
            JobEvent::JobApproved(_) => Action::Approve,
            JobEvent::JobPaused(_) | JobEvent::JobResumed(_) | JobEvent::JobLeaseReturned(_) => {
                Action::SteerJobs
            }
            JobEvent::JobOccurrenceHeld(_)
            | JobEvent::JobOccurrenceReleased(_)
            | JobEvent::JobOccurrenceSkipped(_)
            | JobEvent::JobOccurrenceMoved(_) => Action::SteerRuns,
            JobEvent::JobLeaseGranted(_) => return None,
        },
        Event::ThingEvent(ThingEvent { act, .. }) => match act {
            ThingAct::Proposed(_) | ThingAct::Retired(_) => Action::Propose,
            ThingAct::Approved(_) => Action::Approve,
        },
        Event::RunEvent(event) => match event {
            RunEvent::RunRequested(_) => Action::RequestRuns,
            RunEvent::RunConfirmed(_) => Action::ConfirmRuns,
            RunEvent::RunResolved(_) | RunEvent::RunOverridden(_) => Action::ResolveRuns,
            RunEvent::RunDue(_)
            | RunEvent::RunHeld(_)
            | RunEvent::RunDelayed(_)
            | RunEvent::RunCleared(_)
            | RunEvent::RunBlocked(_)
            | RunEvent::RunNeedsUnmet(_)
            | RunEvent::RunLate(_)
            | RunEvent::RunGathered(_)
            | RunEvent::RunDivided(_)
            | RunEvent::RunReleased(_)
            | RunEvent::RunSkipped(_)
            | RunEvent::RunMissed(_)
            | RunEvent::RunStarted(_)
            | RunEvent::RunSucceeded(_)
            | RunEvent::RunFailed(_)
            | RunEvent::RunTimedOut(_)
            | RunEvent::RunCancelRequested(_)
            | RunEvent::RunCancelled(_)
            | RunEvent::RunLost(_)
            | RunEvent::RunRetryScheduled(_)
            | RunEvent::RunReported(_) => Action::SteerRuns,
        },
        Event::ChangeEvent(event) => match event {
            ChangeEvent::ChangeRejected(_) | ChangeEvent::ChangeRatified(_) => Action::Approve,
            ChangeEvent::ChangeWithdrawn(_) => Action::Propose,
            ChangeEvent::ChangeCommented(_) => Action::CommentChanges,
            ChangeEvent::ChangeExpedited(_) => Action::Expedite,
        },
        Event::ReviewEvent(_) | Event::ControlEvent(_) => Action::SignReviews,
        // What a host says of itself is nobody's act.
        Event::RecordsEvent(RecordsEvent::PayloadErased(_)) => return None,
        Event::RecordsEvent(
            RecordsEvent::HoldPlaced(_)
            | RecordsEvent::HoldLiftAsked(_)
            | RecordsEvent::HoldKept(_)
            | RecordsEvent::HoldLifted(_)
            | RecordsEvent::PayloadRedactionAsked(_)
            | RecordsEvent::PayloadRedactionDeclined(_)
            | RecordsEvent::PayloadRedacted(_),
        ) => Action::KeepRecords,
        Event::RequestEvent(RequestEvent::RequestAnswered(_)) => Action::AnswerRequests,
        Event::RequestEvent(
            RequestEvent::RequestAsked(_)
            | RequestEvent::RequestAccepted(_)
            | RequestEvent::RequestFlagged(_)
            | RequestEvent::RequestWithdrawn(_),
        ) => Action::AuditRequests,
        Event::IncidentEvent(event) => return of_incident(event),
        Event::BackupEvent(event) => return of_backup(event),
        Event::PrintEvent(event) => match event {
            PrintEvent::PrintReprintApproved(_) => Action::ApproveReprints,
            PrintEvent::PrintReprintDeclined(_) => Action::DeclineRequests,
            PrintEvent::PrintRead(_) => Action::ReadDocuments,
            PrintEvent::PrintSpooled(_)
            | PrintEvent::PrintHeld(_)
            | PrintEvent::PrintReleased(_)
            | PrintEvent::PrintCodeRefused(_)
            | PrintEvent::PrintMoved(_)
            | PrintEvent::PrintChanged(_)
            | PrintEvent::PrintCancelRequested(_)
            | PrintEvent::PrintCancelled(_)
            | PrintEvent::PrintSubmitted(_)
            | PrintEvent::PrintDeferred(_)
            | PrintEvent::PrintAccepted(_)
            | PrintEvent::PrintStopped(_)
            | PrintEvent::PrintContinued(_)
            | PrintEvent::PrintCompleted(_)
            | PrintEvent::PrintFailed(_)
            | PrintEvent::PrintUnknown(_)
            | PrintEvent::PrintResolved(_)
            | PrintEvent::PrintRetried(_)
            | PrintEvent::PrintReprintRequested(_)
            | PrintEvent::PrintErased(_)
            | PrintEvent::PrintDelivered(_)
            | PrintEvent::PrintDeliveryFailed(_)
            | PrintEvent::PrintDeliveryRetried(_) => Action::SteerPrints,
        },
        Event::FormEvent(FormEvent::FormRegisterRead(_)) => Action::ReadDocuments,
        Event::FormEvent(_) => Action::KeepStock,
        Event::QueueEvent(QueueEvent::QueueHeld(_) | QueueEvent::QueueReleased(_)) => {
            Action::SteerPrints
        }
        Event::QueueEvent(QueueEvent::QueueStopped(_) | QueueEvent::QueueContinued(_)) => {
            return None;
        }
        Event::HostEvent(HostEvent::HostInvited(_) | HostEvent::HostRevoked(_)) => {
            Action::InviteHosts
        }
        Event::HostEvent(HostEvent::HostDrained(_) | HostEvent::HostResumed(_)) => {
            Action::KeepHosts
        }
        Event::HostEvent(HostEvent::HostStarted(_) | HostEvent::HostStopped(_)) => return None,
        Event::UserEvent(event) => return of_user(event),
        Event::LogEvent(event) => return of_log(event),
    })
}

fn of_backup(event: &BackupEvent) -> Option<Action> {
    match event {
        BackupEvent::BackupHeld(_) | BackupEvent::BackupHoldEnded(_) => Some(Action::HoldSnapshots),
        BackupEvent::BackupForgetRequested(_) => Some(Action::RequestForget),
        BackupEvent::BackupForgetApproved(_) => Some(Action::ApproveForget),
        BackupEvent::BackupForgetDeclined(_) => Some(Action::DeclineRequests),
        BackupEvent::RestoreCertified(_) => Some(Action::CertifyTests),
        BackupEvent::BackupLookedInto(_) => Some(Action::LookIntoBackups),
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
        | BackupEvent::BackupChecked(_)
        | BackupEvent::DatasetAtRisk(_)
        | BackupEvent::DatasetProtected(_) => None,
    }
}

fn of_incident(event: &IncidentEvent) -> Option<Action> {
    match event {
        IncidentEvent::IncidentOpened(_)
        | IncidentEvent::IncidentAcknowledged(_)
        | IncidentEvent::IncidentNoted(_)
        | IncidentEvent::IncidentCauseRecorded(_)
        | IncidentEvent::IncidentReopened(_) => Some(Action::AttendIncidents),
        IncidentEvent::IncidentBroadcast(_) | IncidentEvent::IncidentResolved(_) => {
            Some(Action::ResolveIncidents)
        }
        IncidentEvent::IncidentRecurred(_)
        | IncidentEvent::IncidentCleared(_)
        | IncidentEvent::IncidentEscalated(_)
        | IncidentEvent::IncidentNotificationBegun(_)
        | IncidentEvent::IncidentNotificationEnded(_) => None,
    }
}

/// Accounts that come in by themselves, and what a console says of them, need no role: [`super::admit`] has their rules.
fn of_user(event: &UserEvent) -> Option<Action> {
    match event {
        UserEvent::UserProvisioned(_)
        | UserEvent::UserGrantsSet(_)
        | UserEvent::UserRemoved(_)
        | UserEvent::UserIdentitySet(_)
        | UserEvent::UserCodeIssued(_) => Some(Action::KeepPeople),
        UserEvent::UserCreated(_)
        | UserEvent::UserTokenIssued(_)
        | UserEvent::UserDirectorySaid(_)
        | UserEvent::UserPasswordSet(_)
        | UserEvent::UserTokenCreated(_)
        | UserEvent::UserTokenRevoked(_)
        | UserEvent::UserTokenUsed(_)
        | UserEvent::UserLoggedIn(_)
        | UserEvent::UserLoggedOut(_)
        | UserEvent::UserLoginFailed(_)
        | UserEvent::UserFilterSaved(_)
        | UserEvent::UserDenied(_) => None,
    }
}

fn of_log(event: &LogEvent) -> Option<Action> {
    match event {
        LogEvent::LogCreated(_)
        | LogEvent::LogProducerEnrolled(_)
        | LogEvent::LogHeadSigned(_)
        | LogEvent::LogPolicySet(_)
        | LogEvent::LogAccountsRequired(_)
        | LogEvent::LogConfirmationsRequired(_)
        | LogEvent::LogProducerAsked(_)
        | LogEvent::LogDirectorySet(_)
        | LogEvent::LogJournalCut(_)
        | LogEvent::LogContradicted(_)
        | LogEvent::LogExamined(_)
        | LogEvent::LogArchived(_)
        | LogEvent::LogContinued(_)
        | LogEvent::LogRejected(_)
        | LogEvent::LogTzdbChanged(_) => None,
        // Whoever may see the log may take it away; that they did is told.
        LogEvent::LogExported(_) => Some(Action::View),
        LogEvent::LogProducerConfirmed(_)
        | LogEvent::LogProducerDeclined(_)
        | LogEvent::LogProducerRevoked(_) => Some(Action::InviteHosts),
    }
}

/// The pool in which a job would run that is asked for.
pub fn pool_asked(event: &Event) -> Option<String> {
    let Event::JobEvent(JobEvent::JobProposed(e)) = event else { return None };
    let asked: Option<JobDefinition> = serde_json::from_value(e.definition.clone()).ok();
    asked.map(|definition| definition.pool)
}

/// The pools that a job runs in, by what holds and by what waits for approval.
pub(crate) fn pools_of(job: &Job) -> Vec<String> {
    let active = job.active().and_then(|span| span.read().ok());
    let proposal = job.versions.proposal.as_ref();
    let asked: Option<JobDefinition> =
        proposal.and_then(|proposal| serde_json::from_str(proposal.definition.get()).ok());
    active.into_iter().chain(asked).map(|definition| definition.pool).collect()
}
