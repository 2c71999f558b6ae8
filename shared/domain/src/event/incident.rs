//! Bodies of `incident.*`: a failure that somebody must deal with, who was told of it, and what became of it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Limit;
use crate::canonical::Digest;
use crate::ids::{ProducerId, StreamId};

/// How bad it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It can wait until people are up.
    Minor,
    /// Somebody has to look now.
    Major,
    /// Others are affected, or soon will be.
    Critical,
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Self; 3] = [Self::Minor, Self::Major, Self::Critical];

    /// The stored word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }

    /// The severity with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", deny_unknown_fields)]
pub enum Trouble {
    /// A run did not end as it should, did not happen, or nobody knows how it ended.
    Run {
        /// The run.
        run: StreamId,
        /// Its state: `failed`, `timed-out`, `missed` or `unknown`.
        state: String,
        /// The person who asked for it, where one did: they do not resolve what they caused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked_by: Option<String>,
    },
    /// A run has missed a limit of its job.
    Late {
        /// The run.
        run: StreamId,
        /// Which.
        limit: Limit,
    },
    /// A run will miss a limit of its job, if it takes as long as it usually does.
    WillBeLate {
        /// The run.
        run: StreamId,
        /// The limit: when it should have ended.
        by: Timestamp,
        /// How long earlier runs took, milliseconds: half of them took longer.
        usual_ms: u64,
    },
    /// A dataset could not be restored as its definition asks for.
    DatasetAtRisk {
        /// Since when.
        since: Timestamp,
    },
    /// A host that takes work is not heard.
    HostSilent {
        /// When it was heard last.
        since: Timestamp,
    },
    /// No night was reviewed for too long.
    ReviewMissing {
        /// Until when the last review looked.
        since: Timestamp,
    },
    /// Nothing could be written into the log.
    LogStalled {
        /// When it was reached last.
        since: Timestamp,
        /// When it was reached again.
        until: Timestamp,
    },
    /// The log is not the one of which a producer had seen a head.
    LogContradicted {
        /// Who has seen it.
        producer: ProducerId,
        /// What is wrong with the head that the log shows.
        reason: String,
    },
    /// The log goes on under another name.
    LogContinued {
        /// The name.
        origin: String,
        /// How many events are known to be lost.
        lost: u64,
        /// Whether more may be.
        restored: bool,
    },
    /// The database does not keep the log append-only as it should.
    LogWeak {
        /// What weakens that.
        weaknesses: Vec<String>,
        /// How many more there are.
        others: u64,
    },
    /// Somebody could not be told of another incident.
    NotificationFailed {
        /// That incident.
        incident: StreamId,
        /// Who was not told.
        contact: String,
        /// How.
        by: Way,
        /// What stood in the way.
        message: String,
    },
    /// Somebody says so.
    Reported {
        /// What they say.
        text: String,
    },
}

impl super::IncidentEvent {
    /// What happened, where it tells of something that did.
    pub fn trouble(&self) -> Option<&Trouble> {
        match self {
            Self::IncidentOpened(e) => Some(&e.trouble),
            Self::IncidentRecurred(e) => Some(&e.trouble),
            Self::IncidentCleared(_)
            | Self::IncidentEscalated(_)
            | Self::IncidentBroadcast(_)
            | Self::IncidentNotificationBegun(_)
            | Self::IncidentNotificationEnded(_)
            | Self::IncidentAcknowledged(_)
            | Self::IncidentNoted(_)
            | Self::IncidentCauseRecorded(_)
            | Self::IncidentResolved(_)
            | Self::IncidentReopened(_) => None,
        }
    }
}

impl Trouble {
    /// Whether it is so until it is not.
    pub fn lasts(&self) -> bool {
        match self {
            Self::DatasetAtRisk { .. } | Self::HostSilent { .. } | Self::ReviewMissing { .. } => {
                true
            }
            Self::Run { .. }
            | Self::Late { .. }
            | Self::WillBeLate { .. }
            | Self::LogStalled { .. }
            | Self::LogContradicted { .. }
            | Self::LogWeak { .. }
            | Self::LogContinued { .. }
            | Self::NotificationFailed { .. }
            | Self::Reported { .. } => false,
        }
    }

    /// The run that it is about.
    pub fn run(&self) -> Option<&StreamId> {
        match self {
            Self::Run { run, .. } | Self::Late { run, .. } | Self::WillBeLate { run, .. } => {
                Some(run)
            }
            Self::DatasetAtRisk { .. }
            | Self::HostSilent { .. }
            | Self::ReviewMissing { .. }
            | Self::LogStalled { .. }
            | Self::LogContradicted { .. }
            | Self::LogWeak { .. }
            | Self::LogContinued { .. }
            | Self::NotificationFailed { .. }
            | Self::Reported { .. } => None,
        }
    }

    /// Whether both tell of the same: a run fails once, and misses a limit once, whatever more is learnt of it.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::WillBeLate { run, .. }, Self::WillBeLate { run: also, .. })
            | (Self::Run { run, .. }, Self::Run { run: also, .. }) => run == also,
            (one, other) => one == other,
        }
    }
}

/// How somebody is told.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// By e-mail.
    Mail,
    /// By a request to another system.
    Webhook,
    /// By a command on the notifier's host.
    Command,
}

impl Way {
    /// The stored word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
            Self::Command => "command",
        }
    }
}

/// Whom to tell, and how. Addresses stand with the notifier, and in no event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Whom: a name that the notifier knows.
    pub contact: String,
    /// How.
    pub by: Way,
}

/// Why people are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// It has just happened.
    Opened,
    /// It has happened again after it was over.
    Again,
    /// It was opened again by a person.
    Reopened,
    /// Nobody of the level before has acknowledged it in time.
    Unanswered,
    /// Nobody of the level before could be told.
    Undelivered,
}

/// `incident.opened` 1: something happened that somebody must deal with. What it is about, and its number, stand in the name of
/// the stream: `incident/job/payroll/3` is the third incident of job payroll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentOpened {
    /// How bad it is.
    pub severity: Severity,
    /// What happened.
    pub trouble: Trouble,
    /// When the log learnt of it.
    pub at: Timestamp,
    /// The call tree by which people are told; nobody is called where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
}

/// `incident.recurred` 1: something more happened of the same thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentRecurred {
    /// How bad that is.
    pub severity: Severity,
    /// What happened.
    pub trouble: Trouble,
    /// When the log learnt of it.
    pub at: Timestamp,
    /// The call tree by which people are told, where it had none before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
}

/// `incident.cleared` 1: it is over by itself. People are called no more; somebody still says what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentCleared {
    /// How that is known.
    pub reason: String,
}

/// `incident.escalated` 1: a level of the call tree is told from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentEscalated {
    /// Number of the step within the incident, from 1; broadcasts are counted with them.
    pub step: u32,
    /// How often the call tree is gone through, from 1.
    pub round: u32,
    /// Which level of it, from 1.
    pub level: u32,
    /// Why.
    pub because: Because,
    /// Number of the tree's definition.
    pub definition: u32,
    /// Who is told.
    pub tell: Vec<Call>,
}

/// `incident.broadcast` 1: somebody tells those who are affected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentBroadcast {
    /// Number of the step within the incident.
    pub step: u32,
    /// What they say.
    pub text: String,
    /// Who is told.
    pub tell: Vec<Call>,
}

/// `incident.notification-begun` 1: a message is about to be sent. Committed before its first byte: after it, the same is never
/// sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentNotificationBegun {
    /// The step.
    pub step: u32,
    /// Which of its calls, from 1.
    pub call: u32,
    /// SHA-256 of the word in the link by which whoever got it may acknowledge.
    pub link: Digest,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", deny_unknown_fields)]
pub enum Sent {
    /// Another system has taken it. That somebody read it is not known by this.
    Taken {},
    /// It was not taken.
    Failed {
        /// Why.
        message: String,
    },
    /// Nobody knows whether it was.
    Unknown {
        /// Why.
        message: String,
    },
}

/// `incident.notification-ended` 1: what became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentNotificationEnded {
    /// The step.
    pub step: u32,
    /// Which of its calls, from 1.
    pub call: u32,
    /// What.
    pub sent: Sent,
}

/// `incident.acknowledged` 1: somebody deals with it. Nobody else is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentAcknowledged {
    /// What they say, where they say anything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The word of the link they came by, where they came by one: its SHA-256 stands in the notification to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// `incident.noted` 1: somebody says something of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentNoted {
    /// What.
    pub text: String,
}

/// `incident.cause-recorded` 1: why it happened. Said again, the newest counts; whom one of them named does not resolve it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentCauseRecorded {
    /// Why.
    pub cause: String,
    /// The person who caused it, where one did, such as `user/ana`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caused_by: Option<String>,
}

/// `incident.resolved` 1: it is dealt with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentResolved {
    /// What was done about it.
    pub action: String,
}

/// `incident.reopened` 1: it was not dealt with after all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentReopened {
    /// Why.
    pub reason: String,
}
