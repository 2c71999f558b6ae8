//! Every fact the log can hold: its kind, the schema version of its body, and the body.
//!
//! Kinds are written by hand, lower-case and in the past tense, and never renamed or reused: they
//! are the stored word. Each kind and version that was ever written has a golden file under
//! `tests/golden/`. When a body changes, its version is raised here and the old body is lifted while
//! reading; stored bytes never change.

mod backup;
mod change;
mod control;
mod form;
mod host;
mod incident;
mod job;
mod log;
mod print;
mod records;
mod request;
mod review;
mod run;
mod thing;
mod user;

use serde_json::Value;

pub use backup::*;
pub use change::*;
pub use control::*;
pub use form::*;
pub use host::*;
pub use incident::*;
pub use job::*;
pub use log::*;
pub use print::*;
pub use records::*;
pub use request::*;
pub use review::*;
pub use run::*;
pub use thing::*;
pub use user::*;

use crate::ids::StreamType;

/// Why the body of an event cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// This program is older than the event.
    #[error("event kind {kind:?} in schema version {schema} is unknown here: upgrade this service")]
    Unknown {
        /// The kind as stored.
        kind: String,
        /// The schema version as stored.
        schema: u32,
    },
    /// The body does not have the fields that its kind has.
    #[error("the body of {kind} is not what version {schema} of it holds: {message}")]
    Body {
        /// The kind.
        kind: String,
        /// The schema version.
        schema: u32,
        /// What the reader said.
        message: String,
    },
}

/// Declares one family of events: an enum with a variant for each kind, and how each is stored.
macro_rules! family {
    ($(#[$doc:meta])* $family:ident { $($(#[$vdoc:meta])* $variant:ident = $kind:literal / $schema:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $family { $($(#[$vdoc])* $variant($variant),)+ }

        impl $family {
            /// Every kind of this family with its current schema version.
            pub const KINDS: &[(&'static str, u32)] = &[$(($kind, $schema)),+];

            /// The stored word.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)+ }
            }

            /// The version of the body that is written today.
            pub fn schema(&self) -> u32 {
                match self { $(Self::$variant(_) => $schema,)+ }
            }

            fn body(&self) -> Result<Value, serde_json::Error> {
                match self { $(Self::$variant(body) => serde_json::to_value(body),)+ }
            }

            fn read(kind: &str, schema: u32, data: &Value) -> Option<Result<Self, EventError>> {
                use serde::Deserialize as _;
                match (kind, schema) {
                    $(($kind, $schema) => Some(
                        $variant::deserialize(data).map(Self::$variant).map_err(|e| EventError::Body {
                            kind: kind.to_owned(), schema, message: e.to_string(),
                        }),
                    ),)+
                    _ => None,
                }
            }
        }

        $(impl From<$variant> for Event {
            fn from(body: $variant) -> Self { $family::$variant(body).into() }
        })+

        impl From<$family> for Event {
            fn from(event: $family) -> Self { Self::$family(event) }
        }
    };
}

family! {
    /// Facts about a job.
    JobEvent {
        /// A definition was asked for.
        JobProposed = "job.proposed" / 1,
        /// A proposed definition became the active one.
        JobApproved = "job.approved" / 1,
        /// Its occurrences are skipped from now on.
        JobPaused = "job.paused" / 1,
        /// Its occurrences run again from now on.
        JobResumed = "job.resumed" / 1,
        /// It has no occurrences any more.
        JobRetired = "job.retired" / 1,
        /// An occurrence is to wait for a person.
        JobOccurrenceHeld = "job.occurrence-held" / 1,
        /// An occurrence is as any other again.
        JobOccurrenceReleased = "job.occurrence-released" / 1,
        /// An occurrence is not to run.
        JobOccurrenceSkipped = "job.occurrence-skipped" / 1,
        /// An occurrence is to run at another instant.
        JobOccurrenceMoved = "job.occurrence-moved" / 1,
        /// A host decides its occurrences for a while.
        JobLeaseGranted = "job.lease-granted" / 1,
        /// The host does not any more.
        JobLeaseReturned = "job.lease-returned" / 1,
    }
}

family! {
    /// Facts about a run.
    #[expect(clippy::large_enum_variant, reason = "one lives for the moment of a decision, and `run.due` is one in four")]
    RunEvent {
        /// A person asked for a run.
        RunRequested = "run.requested" / 1,
        /// The run must happen.
        RunDue = "run.due" / 1,
        /// The run waits for a person.
        RunHeld = "run.held" / 1,
        /// It may not start before a later instant.
        RunDelayed = "run.delayed" / 1,
        /// Whoever had to has said go.
        RunConfirmed = "run.confirmed" / 1,
        /// All that it waited for has happened.
        RunCleared = "run.cleared" / 1,
        /// What it waits for has ended otherwise.
        RunBlocked = "run.blocked" / 1,
        /// A person lets it start without what it waits for.
        RunOverridden = "run.overridden" / 1,
        /// A host waits for files that the run needs.
        RunNeedsUnmet = "run.needs-unmet" / 1,
        /// It has missed a limit of its job.
        RunLate = "run.late" / 1,
        /// All its parts on several hosts have ended.
        RunGathered = "run.gathered" / 1,
        /// It starts, in parts: one on each of several hosts.
        RunDivided = "run.divided" / 1,
        /// A held run may go on.
        RunReleased = "run.released" / 1,
        /// The run does not happen, by a rule.
        RunSkipped = "run.skipped" / 1,
        /// The run did not happen, because nobody was there to start it in time.
        RunMissed = "run.missed" / 1,
        /// An executor took the run; whatever follows of this attempt is on that host.
        RunStarted = "run.started" / 1,
        /// The command ended as it should.
        RunSucceeded = "run.succeeded" / 1,
        /// The command did not end as it should, or could not be started.
        RunFailed = "run.failed" / 1,
        /// The command took too long and was stopped.
        RunTimedOut = "run.timed-out" / 1,
        /// Somebody wants the run to stop.
        RunCancelRequested = "run.cancel-requested" / 1,
        /// The run was stopped, or never started, because somebody wanted that.
        RunCancelled = "run.cancelled" / 1,
        /// Nobody knows how the attempt ended.
        RunLost = "run.lost" / 1,
        /// Another attempt will follow.
        RunRetryScheduled = "run.retry-scheduled" / 1,
        /// A person said, with evidence, how a lost run ended.
        RunResolved = "run.resolved" / 1,
        /// Evidence arrived about an attempt that was already given up.
        RunReported = "run.reported" / 1,
    }
}

family! {
    /// Facts about snapshots: of a dataset, or of a repository as a whole.
    BackupEvent {
        /// A snapshot of a dataset was made.
        BackupSnapshotCreated = "backup.snapshot-created" / 1,
        /// A snapshot stands in another repository too.
        BackupCopied = "backup.copied" / 1,
        /// What a repository holds of a dataset was checked and is whole.
        BackupVerified = "backup.verified" / 1,
        /// It is not whole.
        BackupCheckFailed = "backup.check-failed" / 1,
        /// Snapshots count no more.
        BackupForgotten = "backup.forgotten" / 1,
        /// Somebody wants snapshots forgotten that the rule keeps.
        BackupForgetRequested = "backup.forget-requested" / 1,
        /// Somebody else agrees.
        BackupForgetApproved = "backup.forget-approved" / 1,
        /// Somebody does not.
        BackupForgetDeclined = "backup.forget-declined" / 1,
        /// A snapshot is kept whatever the rule says.
        BackupHeld = "backup.held" / 1,
        /// It is kept as any other again.
        BackupHoldEnded = "backup.hold-ended" / 1,
        /// A repository holds a snapshot of which the log knows nothing.
        BackupOrphanFound = "backup.orphan-found" / 1,
        /// A snapshot the log knows is not in its repository any more.
        BackupSnapshotMissing = "backup.snapshot-missing" / 1,
        /// It is there again.
        BackupSnapshotFound = "backup.snapshot-found" / 1,
        /// A snapshot is unusual.
        BackupAnomalyFound = "backup.anomaly-found" / 1,
        /// A snapshot, or a part of one, was restored.
        BackupRestored = "backup.restored" / 1,
        /// It was tried whether the dataset can be restored.
        RestoreTested = "restore.tested" / 1,
        /// A second person has looked at the test.
        RestoreCertified = "restore.certified" / 1,
        /// Somebody was told names of files in snapshots.
        BackupLookedInto = "backup.looked-into" / 1,
        /// Space of a repository was freed.
        BackupPruned = "backup.pruned" / 1,
        /// A part of a repository was read.
        BackupChecked = "backup.checked" / 1,
        /// It has no snapshot that protects it as it should.
        DatasetAtRisk = "dataset.at-risk" / 1,
        /// It has one again.
        DatasetProtected = "dataset.protected" / 1,
    }
}

family! {
    /// Facts about a document.
    #[expect(clippy::large_enum_variant, reason = "one lives for the moment of a decision")]
    PrintEvent {
        /// A document is on a host's disk and will be printed.
        PrintSpooled = "print.spooled" / 1,
        /// It waits for a person.
        PrintHeld = "print.held" / 1,
        /// It may go to the printer.
        PrintReleased = "print.released" / 1,
        /// Somebody gave a wrong code.
        PrintCodeRefused = "print.code-refused" / 1,
        /// It is in another queue.
        PrintMoved = "print.moved" / 1,
        /// It will be printed otherwise.
        PrintChanged = "print.changed" / 1,
        /// Somebody wants it stopped that is at the printer.
        PrintCancelRequested = "print.cancel-requested" / 1,
        /// It is not printed, or not to its end, because somebody did not want it.
        PrintCancelled = "print.cancelled" / 1,
        /// A job is about to be made for it at the printer.
        PrintSubmitted = "print.submitted" / 1,
        /// Nothing was sent, and it waits again.
        PrintDeferred = "print.deferred" / 1,
        /// The printer has a job for it.
        PrintAccepted = "print.accepted" / 1,
        /// The printer does not go on by itself.
        PrintStopped = "print.stopped" / 1,
        /// It goes on.
        PrintContinued = "print.continued" / 1,
        /// The printer says that it is done.
        PrintCompleted = "print.completed" / 1,
        /// It is not printed, or not whole.
        PrintFailed = "print.failed" / 1,
        /// Nobody can say what became of it.
        PrintUnknown = "print.unknown" / 1,
        /// Somebody looked what became of it.
        PrintResolved = "print.resolved" / 1,
        /// Another attempt of its run wants it, and nothing of it was ever sent.
        PrintRetried = "print.retried" / 1,
        /// It is to be printed once more.
        PrintReprintRequested = "print.reprint-requested" / 1,
        /// Somebody else agrees.
        PrintReprintApproved = "print.reprint-approved" / 1,
        /// Somebody does not.
        PrintReprintDeclined = "print.reprint-declined" / 1,
        /// Somebody was given its content.
        PrintRead = "print.read" / 1,
        /// The key of its content is destroyed.
        PrintErased = "print.erased" / 1,
        /// A recipient's system has taken it.
        PrintDelivered = "print.delivered" / 1,
        /// It was not delivered.
        PrintDeliveryFailed = "print.delivery-failed" / 1,
        /// Somebody wants that tried again.
        PrintDeliveryRetried = "print.delivery-retried" / 1,
    }
}

family! {
    /// Facts about numbered stock, beside its definitions.
    FormEvent {
        /// Stock was put where it is printed on.
        FormLoaded = "form.loaded" / 1,
        /// A second person saw it.
        FormWitnessed = "form.witnessed" / 1,
        /// What was left was taken out.
        FormUnloaded = "form.unloaded" / 1,
        /// Numbers are for a printing.
        FormAllocated = "form.allocated" / 1,
        /// The sheets with these numbers were printed.
        FormPrinted = "form.printed" / 1,
        /// They do not count.
        FormVoided = "form.voided" / 1,
        /// They lie blank in the tray, and are free again.
        FormReturned = "form.returned" / 1,
        /// They went through without a page, and what follows lies on later ones.
        FormSlipped = "form.slipped" / 1,
        /// A second person read the first and the last number of a printing.
        FormChecked = "form.checked" / 1,
        /// Somebody was given payees and amounts.
        FormRegisterRead = "form.register-read" / 1,
    }
}

family! {
    /// What people say of a definition that was proposed, beside approving it.
    ChangeEvent {
        /// Somebody else does not want it.
        ChangeRejected = "change.rejected" / 1,
        /// Whoever proposed it does not want it any more.
        ChangeWithdrawn = "change.withdrawn" / 1,
        /// Somebody says something of it.
        ChangeCommented = "change.commented" / 1,
        /// It cannot wait.
        ChangeExpedited = "change.expedited" / 1,
        /// It was right that it did not.
        ChangeRatified = "change.ratified" / 1,
    }
}

family! {
    /// What people say of a night in the morning, and of who may do what.
    ReviewEvent {
        /// What becomes of an exception.
        ReviewNoted = "review.noted" / 1,
        /// Somebody signs for a time.
        ReviewSigned = "review.signed" / 1,
        /// Somebody signs for who may do what.
        ReviewAccessSigned = "review.access-signed" / 1,
    }
}

family! {
    /// What people say of controls.
    ControlEvent {
        /// What became of an exception.
        ControlExceptionDisposed = "control.exception-disposed" / 1,
        /// Somebody signs for a control.
        ControlReviewed = "control.reviewed" / 1,
    }
}

family! {
    /// What an auditor asks to be shown, and what is answered.
    RequestEvent {
        /// Somebody wants to be shown something.
        RequestAsked = "request.asked" / 1,
        /// Somebody says where it is shown.
        RequestAnswered = "request.answered" / 1,
        /// That is enough.
        RequestAccepted = "request.accepted" / 1,
        /// That is not enough.
        RequestFlagged = "request.flagged" / 1,
        /// It is not needed any more.
        RequestWithdrawn = "request.withdrawn" / 1,
    }
}

family! {
    /// Facts about an incident.
    IncidentEvent {
        /// Something happened that somebody must deal with.
        IncidentOpened = "incident.opened" / 1,
        /// Something more happened of the same thing.
        IncidentRecurred = "incident.recurred" / 1,
        /// It is over by itself.
        IncidentCleared = "incident.cleared" / 1,
        /// A level of the call tree is told.
        IncidentEscalated = "incident.escalated" / 1,
        /// Those who are affected are told.
        IncidentBroadcast = "incident.broadcast" / 1,
        /// A message is about to be sent.
        IncidentNotificationBegun = "incident.notification-begun" / 1,
        /// What became of it.
        IncidentNotificationEnded = "incident.notification-ended" / 1,
        /// Somebody deals with it.
        IncidentAcknowledged = "incident.acknowledged" / 1,
        /// Somebody says something of it.
        IncidentNoted = "incident.noted" / 1,
        /// Why it happened.
        IncidentCauseRecorded = "incident.cause-recorded" / 1,
        /// It is dealt with.
        IncidentResolved = "incident.resolved" / 1,
        /// It was not, after all.
        IncidentReopened = "incident.reopened" / 1,
    }
}

family! {
    /// Facts about a queue, beside its definitions.
    QueueEvent {
        /// Nothing more goes to its printer.
        QueueHeld = "queue.held" / 1,
        /// It goes on.
        QueueReleased = "queue.released" / 1,
        /// Its printer takes nothing.
        QueueStopped = "queue.stopped" / 1,
        /// It takes documents again.
        QueueContinued = "queue.continued" / 1,
    }
}

family! {
    /// Facts about a host.
    HostEvent {
        /// Its executor began to take work.
        HostStarted = "host.started" / 1,
        /// Its executor stopped taking work, in order.
        HostStopped = "host.stopped" / 1,
        /// It starts nothing new.
        HostDrained = "host.drained" / 1,
        /// It starts work again.
        HostResumed = "host.resumed" / 1,
        /// An executor of this name may be let in.
        HostInvited = "host.invited" / 1,
        /// The key of its executor counts no more.
        HostRevoked = "host.revoked" / 1,
    }
}

family! {
    /// Facts about a person or program that may act.
    UserEvent {
        /// The account exists from now on.
        UserCreated = "user.created" / 1,
        /// A secret was issued that speaks for the account.
        UserTokenIssued = "user.token-issued" / 1,
        /// There is an account, for the first time or again.
        UserProvisioned = "user.provisioned" / 1,
        /// It may do other things from now on.
        UserGrantsSet = "user.grants-set" / 1,
        /// It may do nothing any more.
        UserRemoved = "user.removed" / 1,
        /// It comes in by the site's directory, or does not any more.
        UserIdentitySet = "user.identity-set" / 1,
        /// The directory said who they are and in which groups.
        UserDirectorySaid = "user.directory-said" / 1,
        /// It comes in by this once.
        UserCodeIssued = "user.code-issued" / 1,
        /// It has another password.
        UserPasswordSet = "user.password-set" / 1,
        /// Programs may come in by this.
        UserTokenCreated = "user.token-created" / 1,
        /// They may not any more.
        UserTokenRevoked = "user.token-revoked" / 1,
        /// They did, on a day.
        UserTokenUsed = "user.token-used" / 1,
        /// A person came in.
        UserLoggedIn = "user.logged-in" / 1,
        /// They left.
        UserLoggedOut = "user.logged-out" / 1,
        /// Somebody could not come in.
        UserLoginFailed = "user.login-failed" / 1,
        /// They keep a search of the log under a name.
        UserFilterSaved = "user.filter-saved" / 1,
        /// They wanted to do what they may not.
        UserDenied = "user.denied" / 1,
    }
}

family! {
    /// Facts about the log itself.
    LogEvent {
        /// The first event of a log.
        LogCreated = "log.created" / 1,
        /// A producer may append from now on.
        LogProducerEnrolled = "log.producer-enrolled" / 1,
        /// From now on a person confirms each key before it is let in.
        LogConfirmationsRequired = "log.confirmations-required" / 1,
        /// A key waits to be let in.
        LogProducerAsked = "log.producer-asked" / 1,
        /// A person has confirmed it.
        LogProducerConfirmed = "log.producer-confirmed" / 1,
        /// It is not let in.
        LogProducerDeclined = "log.producer-declined" / 1,
        /// The key of a console, a scheduler or a recorder counts no more.
        LogProducerRevoked = "log.producer-revoked" / 1,
        /// A head was signed; also the heartbeat of an idle log.
        LogHeadSigned = "log.head-signed" / 1,
        /// A rule of the site changed.
        LogPolicySet = "log.policy-set" / 1,
        /// From now on whoever acts has an account that may.
        LogAccountsRequired = "log.accounts-required" / 1,
        /// A producer found the end of its journal torn and cut it.
        LogJournalCut = "log.journal-cut" / 1,
        /// The log is not the one of which a producer had seen a head.
        LogContradicted = "log.contradicted" / 1,
        /// The log goes on under another name: it was brought back from an older copy, or its key is another.
        LogContinued = "log.continued" / 1,
        /// A recorder has looked whether the database keeps the log append-only.
        LogExamined = "log.examined" / 1,
        /// A segment of it is in a file.
        LogArchived = "log.archived" / 1,
        /// Bytes arrived that are not a signed event of an enrolled producer.
        LogRejected = "log.rejected" / 1,
        /// What groups of a directory may do here is another from now on.
        LogDirectorySet = "log.directory-set" / 1,
        /// Evidence was written, and somebody has it.
        LogExported = "log.exported" / 1,
        /// A scheduler uses another version of the time zone database.
        LogTzdbChanged = "log.tzdb-changed" / 1,
    }
}

family! {
    /// What is kept although its time has come, and what is erased before. All of it stands in `log/records`.
    RecordsEvent {
        /// Payloads of some jobs and queues are not erased for now.
        HoldPlaced = "hold.placed" / 1,
        /// Somebody wants a hold to end.
        HoldLiftAsked = "hold.lift-asked" / 1,
        /// It goes on all the same.
        HoldKept = "hold.kept" / 1,
        /// It is over.
        HoldLifted = "hold.lifted" / 1,
        /// A payload is to be erased before its time.
        PayloadRedactionAsked = "payload.redaction-asked" / 1,
        /// It is not.
        PayloadRedactionDeclined = "payload.redaction-declined" / 1,
        /// It is, two people say.
        PayloadRedacted = "payload.redacted" / 1,
        /// A host has destroyed what it had of it.
        PayloadErased = "payload.erased" / 1,
    }
}

/// Any event.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// About a job.
    JobEvent(JobEvent),
    /// About a run.
    RunEvent(RunEvent),
    /// About a host.
    HostEvent(HostEvent),
    /// About a user.
    UserEvent(UserEvent),
    /// About the log.
    LogEvent(LogEvent),
    /// About a definition of what is no job.
    ThingEvent(ThingEvent),
    /// About snapshots.
    BackupEvent(BackupEvent),
    /// About a document.
    PrintEvent(PrintEvent),
    /// About numbered stock.
    FormEvent(FormEvent),
    /// About a queue.
    QueueEvent(QueueEvent),
    /// About a definition that was proposed.
    ChangeEvent(ChangeEvent),
    /// About a night.
    ReviewEvent(ReviewEvent),
    /// About an incident.
    IncidentEvent(IncidentEvent),
    /// About a control.
    ControlEvent(ControlEvent),
    /// About a request of an auditor.
    RequestEvent(RequestEvent),
    /// About legal holds, and payloads that are erased before their time.
    RecordsEvent(RecordsEvent),
}

impl From<ThingEvent> for Event {
    fn from(event: ThingEvent) -> Self {
        Self::ThingEvent(event)
    }
}

impl Event {
    /// The stored word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::JobEvent(event) => event.kind(),
            Self::RunEvent(event) => event.kind(),
            Self::HostEvent(event) => event.kind(),
            Self::UserEvent(event) => event.kind(),
            Self::LogEvent(event) => event.kind(),
            Self::ThingEvent(event) => event.kind(),
            Self::BackupEvent(event) => event.kind(),
            Self::PrintEvent(event) => event.kind(),
            Self::FormEvent(event) => event.kind(),
            Self::QueueEvent(event) => event.kind(),
            Self::ChangeEvent(event) => event.kind(),
            Self::ReviewEvent(event) => event.kind(),
            Self::IncidentEvent(event) => event.kind(),
            Self::ControlEvent(event) => event.kind(),
            Self::RequestEvent(event) => event.kind(),
            Self::RecordsEvent(event) => event.kind(),
        }
    }

    /// The version of the body.
    pub fn schema(&self) -> u32 {
        match self {
            Self::JobEvent(event) => event.schema(),
            Self::RunEvent(event) => event.schema(),
            Self::HostEvent(event) => event.schema(),
            Self::UserEvent(event) => event.schema(),
            Self::LogEvent(event) => event.schema(),
            Self::ThingEvent(event) => event.schema(),
            Self::BackupEvent(event) => event.schema(),
            Self::PrintEvent(event) => event.schema(),
            Self::FormEvent(event) => event.schema(),
            Self::QueueEvent(event) => event.schema(),
            Self::ChangeEvent(event) => event.schema(),
            Self::ReviewEvent(event) => event.schema(),
            Self::IncidentEvent(event) => event.schema(),
            Self::ControlEvent(event) => event.schema(),
            Self::RequestEvent(event) => event.schema(),
            Self::RecordsEvent(event) => event.schema(),
        }
    }

    /// Whether it may stand in streams of this type.
    pub fn belongs_to(&self, stream: StreamType) -> bool {
        match self {
            // Wherever something is defined.
            Self::ChangeEvent(_) => stream == StreamType::Job || stream.thing().is_some(),
            Self::JobEvent(_)
            | Self::RunEvent(_)
            | Self::HostEvent(_)
            | Self::UserEvent(_)
            | Self::LogEvent(_)
            | Self::ThingEvent(_)
            | Self::BackupEvent(_)
            | Self::PrintEvent(_)
            | Self::FormEvent(_)
            | Self::QueueEvent(_)
            | Self::ReviewEvent(_)
            | Self::IncidentEvent(_)
            | Self::ControlEvent(_)
            | Self::RequestEvent(_)
            | Self::RecordsEvent(_) => stream == self.stream_type(),
        }
    }

    /// Which type of stream it belongs to, or belongs to first.
    pub fn stream_type(&self) -> StreamType {
        match self {
            Self::JobEvent(_) | Self::ChangeEvent(_) => StreamType::Job,
            Self::ReviewEvent(_) => StreamType::Review,
            Self::IncidentEvent(_) => StreamType::Incident,
            Self::ControlEvent(_) => StreamType::Control,
            Self::RequestEvent(_) => StreamType::Request,
            Self::RunEvent(_) => StreamType::Run,
            Self::HostEvent(_) => StreamType::Host,
            Self::UserEvent(_) => StreamType::User,
            Self::LogEvent(_) | Self::RecordsEvent(_) => StreamType::Log,
            Self::ThingEvent(event) => event.of.into(),
            Self::BackupEvent(BackupEvent::BackupPruned(_) | BackupEvent::BackupChecked(_)) => {
                StreamType::Repository
            }
            // A dataset's stream holds all that is known of it.
            Self::BackupEvent(_) => StreamType::Dataset,
            Self::PrintEvent(_) => StreamType::Document,
            Self::FormEvent(_) => StreamType::Form,
            Self::QueueEvent(_) => StreamType::Queue,
        }
    }

    /// The body as stored.
    ///
    /// # Errors
    /// The body cannot be written as JSON.
    pub fn body(&self) -> Result<Value, serde_json::Error> {
        match self {
            Self::JobEvent(event) => event.body(),
            Self::RunEvent(event) => event.body(),
            Self::HostEvent(event) => event.body(),
            Self::UserEvent(event) => event.body(),
            Self::LogEvent(event) => event.body(),
            Self::ThingEvent(event) => event.body(),
            Self::BackupEvent(event) => event.body(),
            Self::PrintEvent(event) => event.body(),
            Self::FormEvent(event) => event.body(),
            Self::QueueEvent(event) => event.body(),
            Self::ChangeEvent(event) => event.body(),
            Self::ReviewEvent(event) => event.body(),
            Self::IncidentEvent(event) => event.body(),
            Self::ControlEvent(event) => event.body(),
            Self::RequestEvent(event) => event.body(),
            Self::RecordsEvent(event) => event.body(),
        }
    }

    /// Reads a stored body.
    ///
    /// # Errors
    /// [`EventError::Unknown`] where this program is older than the event: the caller must stop, not
    /// skip. [`EventError::Body`] where the fields are not those of the kind.
    pub fn read(kind: &str, schema: u32, data: &Value) -> Result<Self, EventError> {
        let event = Self::read_fields(kind, schema, data)?;
        // Not everything that can be read is what was meant: an extra key beside a tag, a `null` for an
        // absent field, an instant with another offset. One fact has one spelling.
        if event.body().is_ok_and(|body| body == *data) {
            return Ok(event);
        }
        let message = "it is not spelled as this version writes it".to_owned();
        Err(EventError::Body { kind: kind.to_owned(), schema, message })
    }

    fn read_fields(kind: &str, schema: u32, data: &Value) -> Result<Self, EventError> {
        let unknown = || EventError::Unknown { kind: kind.to_owned(), schema };
        let read = match kind.split_once('.').map(|(word, _)| word) {
            Some("job") => JobEvent::read(kind, schema, data).map(|r| r.map(Self::from)),
            Some("run") => RunEvent::read(kind, schema, data).map(|r| r.map(Self::from)),
            Some("host") => HostEvent::read(kind, schema, data).map(|r| r.map(Self::from)),
            Some("user") => UserEvent::read(kind, schema, data).map(|r| r.map(Self::from)),
            Some("log") => LogEvent::read(kind, schema, data).map(|r| r.map(Self::from)),
            Some("hold" | "payload") => {
                RecordsEvent::read(kind, schema, data).map(|r| r.map(Self::from))
            }
            Some("change") => ChangeEvent::read(kind, schema, data).map(|r| r.map(Self::from)),
            Some("review") => ReviewEvent::read(kind, schema, data).map(|r| r.map(Self::from)),
            Some("control") => ControlEvent::read(kind, schema, data).map(|r| r.map(Self::from)),
            Some("request") => RequestEvent::read(kind, schema, data).map(|r| r.map(Self::from)),
            Some("incident") => IncidentEvent::read(kind, schema, data).map(|r| r.map(Self::from)),
            Some("print") => PrintEvent::read(kind, schema, data).map(|r| r.map(Self::from)),
            Some(_) => BackupEvent::read(kind, schema, data)
                .map(|r| r.map(Self::from))
                .or_else(|| FormEvent::read(kind, schema, data).map(|r| r.map(Self::from)))
                .or_else(|| QueueEvent::read(kind, schema, data).map(|r| r.map(Self::from)))
                .or_else(|| ThingEvent::read(kind, schema, data).map(|r| r.map(Self::from))),
            None => None,
        };
        read.unwrap_or_else(|| Err(unknown()))
    }

    /// Every kind with the schema version that is written today.
    pub fn kinds() -> impl Iterator<Item = (&'static str, u32)> {
        let families = [
            JobEvent::KINDS,
            RunEvent::KINDS,
            HostEvent::KINDS,
            UserEvent::KINDS,
            LogEvent::KINDS,
            ThingEvent::KINDS,
            BackupEvent::KINDS,
            PrintEvent::KINDS,
            FormEvent::KINDS,
            QueueEvent::KINDS,
            ChangeEvent::KINDS,
            ReviewEvent::KINDS,
            IncidentEvent::KINDS,
            ControlEvent::KINDS,
            RequestEvent::KINDS,
            RecordsEvent::KINDS,
        ];
        families.into_iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_kind_or_a_newer_version_asks_for_an_upgrade() {
        let data = serde_json::json!({});
        for (kind, schema) in [("run.teleported", 1), ("run.due", 99), ("nonsense", 1), ("", 1)] {
            let error = Event::read(kind, schema, &data).unwrap_err();
            assert!(error.to_string().ends_with("upgrade this service"), "{error}");
        }
    }

    #[test]
    fn a_kind_begins_with_the_type_of_its_stream() {
        for (kind, schema) in Event::kinds() {
            assert!(schema >= 1, "{kind}");
            let word = kind.split_once('.').unwrap().0;
            // What is said of snapshots stands in the streams of datasets and repositories, what is said of prints in those
            // of documents, what is said of changes wherever something is defined, and of holds and payloads in one of the log.
            let elsewhere =
                matches!(word, "backup" | "restore" | "print" | "change" | "hold" | "payload");
            assert!(elsewhere || StreamType::from_word(word).is_some(), "{kind}");
        }
    }
}
