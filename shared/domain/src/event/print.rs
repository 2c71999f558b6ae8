//! Bodies of `print.*`: what became of a document on its way to paper and to people. Its content, its title, names and
//! addresses stand in none of them: they are payload.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::DefinitionRef;
use crate::canonical::Digest;
use crate::ids::StreamId;
use crate::print::{DocumentFormat, HoldWhy, Options, PageRange, ReleaseBy};

/// Where a document came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "from", deny_unknown_fields)]
pub enum Origin {
    /// A run of a job of kind `print` took it.
    Run {
        /// The run.
        run: StreamId,
        /// Number of the attempt.
        attempt: u32,
        /// Which of the run's documents it is, from 1.
        number: u32,
        /// Of how many.
        of: u32,
    },
    /// It lay in the directory that its queue watches.
    Inbox {
        /// When the file was last written, by the host's clock.
        written: Timestamp,
    },
}

/// What a control total said, and what was found. Amounts themselves are payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlSeen {
    /// Sheets or items the source says there are, in all documents of the run together.
    pub expected: u64,
    /// As many were found.
    pub found: u64,
    /// Whether the amounts agree; absent where none are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_agrees: Option<bool>,
}

impl ControlSeen {
    /// Whether everything that was compared agrees.
    pub fn agrees(&self) -> bool {
        self.expected == self.found && self.amount_agrees != Some(false)
    }
}

/// `print.spooled` 1: a document is on a host's disk, encrypted, and will be printed. The envelope commits to its
/// content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintSpooled {
    /// Where it came from.
    pub origin: Origin,
    /// The host that has it and prints it.
    pub host: String,
    /// The queue.
    pub queue: String,
    /// Which definition of that queue.
    pub definition: DefinitionRef,
    /// What it is for, in a word: the same content for another purpose is another document.
    pub purpose: String,
    /// A keyed hash of the content: documents of one host that are the same have the same. The key stays there.
    pub fingerprint: Digest,
    /// What it is, by its content.
    pub format: DocumentFormat,
    /// Pages, as counted by the host.
    pub pages: u32,
    /// Bytes.
    pub bytes: u64,
    /// How it is printed.
    pub options: Options,
    /// 1 to 100; of those that wait the highest is printed first.
    pub priority: u8,
    /// The numbered stock it is printed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
    /// Who lets it go.
    #[serde(default, skip_serializing_if = "ReleaseBy::is_at_once")]
    pub release: ReleaseBy,
    /// What the control total of its source said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<ControlSeen>,
    /// How long the content is kept after printing, milliseconds.
    pub keep_ms: u64,
    /// To how many recipients it, or a part of it, is sent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deliveries: u32,
    /// Whether it goes to paper at all.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub paper: bool,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_yes(is: &bool) -> bool {
    *is
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// `print.held` 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintHeld {
    /// Why.
    pub reason: String,
}

/// `print.released` 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintReleased {
    /// Why.
    pub reason: String,
    /// Whether its code was given. The host knows whether it was the right one, and asks for that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub code: bool,
}

/// `print.code-refused` 1: somebody gave a wrong code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintCodeRefused {
    /// How often that has happened to this document.
    pub times: u32,
}

/// `print.moved` 1: to another queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintMoved {
    /// Where to.
    pub queue: String,
    /// Which definition of that queue.
    pub definition: DefinitionRef,
    /// Why.
    pub reason: String,
}

/// `print.changed` 1: how it will be printed. What is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintChanged {
    /// 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// How often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<u16>,
    /// Which pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<Vec<PageRange>>,
    /// How long the content is kept after printing, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_ms: Option<u64>,
    /// Why.
    pub reason: String,
}

/// `print.cancel-requested` 1: while it is at the printer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintCancelRequested {
    /// Why.
    pub reason: String,
}

/// `print.cancelled` 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintCancelled {
    /// Why.
    pub reason: String,
    /// Impressions the printer had counted; absent where it had not begun, or does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impressions: Option<u32>,
}

/// The numbers of a form that a printing uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// The form.
    pub form: String,
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// `print.submitted` 1: the host is about to make a job of it at the printer. Said before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintSubmitted {
    /// How often that has been said of this document, with this, from 1.
    pub number: u32,
    /// Which printing of the document it is: 1, and one more for each reprint.
    pub round: u32,
    /// The queue.
    pub queue: String,
    /// Which definition of that queue.
    pub definition: DefinitionRef,
    /// Impressions that are to be counted: pages by copies.
    pub expected: u32,
    /// The numbers it is printed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
}

/// `print.deferred` 1: nothing was sent, and it waits again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintDeferred {
    /// Why.
    pub reason: String,
}

/// `print.accepted` 1: the printer has a job for it, without its content yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintAccepted {
    /// The job's number there (`job-id`, RFC 8011 §5.3.2).
    pub job: u32,
    /// The job's identity there, where the printer gives one (`job-uuid`, PWG 5100.13).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// The device (`printer-uuid`), where it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub printer: Option<String>,
}

/// `print.stopped` 1: the printer does not go on by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintStopped {
    /// What is wrong, in words.
    pub troubles: Vec<String>,
    /// Impressions counted so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impressions: Option<u32>,
}

/// `print.continued` 1: what was wrong is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintContinued {}

/// `print.completed` 1: the printer says that it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintCompleted {
    /// Impressions it counted; absent where it does not count, or where its count is no evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impressions: Option<u32>,
    /// Sheets it counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheets: Option<u32>,
    /// What it says about it beside (`job-state-reasons`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Whether what was counted is what was asked for; absent where nothing was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agrees: Option<bool>,
}

/// `print.failed` 1: it is not printed, or not whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintFailed {
    /// Why.
    pub reason: String,
    /// Impressions the printer had counted; absent where nothing was sent, or where it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impressions: Option<u32>,
    /// Whether the content was sent, or a part of it.
    pub sent: bool,
}

/// `print.unknown` 1: nobody can say what became of it. It waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintUnknown {
    /// Why.
    pub reason: String,
    /// Impressions that were counted when it was last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impressions: Option<u32>,
}

/// `print.resolved` 1: somebody looked what became of a document of which nobody knew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintResolved {
    /// Impressions that lie on paper; 0 where nothing was printed.
    pub impressions: u32,
    /// What they saw.
    pub evidence: String,
}

/// `print.retried` 1: another attempt of its run wants it, and nothing of it was ever sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintRetried {
    /// The run.
    pub run: StreamId,
    /// Number of the attempt.
    pub attempt: u32,
}

/// `print.reprint-requested` 1: it is to be printed once more, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintReprintRequested {
    /// Which pages; all of what was asked for before when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<Vec<PageRange>>,
    /// Why.
    pub reason: String,
}

/// `print.reprint-approved` 1: somebody else agrees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintReprintApproved {
    /// Place of the request in the document's stream.
    pub request: u64,
    /// The form whose numbers it takes: those it had are void, or this is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
    /// Why.
    pub reason: String,
}

/// `print.reprint-declined` 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintReprintDeclined {
    /// Place of the request in the document's stream.
    pub request: u64,
    /// Why.
    pub reason: String,
}

/// `print.read` 1: somebody was given its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintRead {
    /// What was given: the document, or what is known of its sheets.
    pub what: ReadWhat,
    /// Why they wanted it.
    pub reason: String,
}

/// What of a document was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadWhat {
    /// Its content.
    Content,
    /// What its host knows of it beside the log: title, recipients, payees, amounts, code.
    Register,
}

/// `print.erased` 1: the key of its content is destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintErased {
    /// Why.
    pub reason: EraseReason,
}

/// Why content was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EraseReason {
    /// It was kept as long as was asked for.
    Kept,
    /// Two people have agreed on that (`payload.redacted`).
    Redacted,
    /// The host has lost it.
    Lost,
}

/// How something is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Means {
    /// By e-mail.
    Mail,
    /// Into a directory of the host.
    Directory,
    /// Into a directory of another host, by SFTP.
    Sftp,
}

/// `print.delivered` 1: a recipient's system has taken it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintDelivered {
    /// Which delivery, from 1.
    pub delivery: u32,
    /// How.
    pub means: Means,
    /// Which pages of the document, where it is a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<PageRange>,
    /// How often it was tried.
    pub tries: u32,
    /// What was delivered: keyed as a document's fingerprint is.
    pub fingerprint: Digest,
    /// What the other side said: such as the last line of an SMTP server.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub receipt: String,
}

/// `print.delivery-failed` 1: it was not delivered, and is not tried again by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintDeliveryFailed {
    /// Which delivery, from 1.
    pub delivery: u32,
    /// How.
    pub means: Means,
    /// Which pages of the document, where it is a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<PageRange>,
    /// How often it was tried.
    pub tries: u32,
    /// Why, without names and addresses.
    pub reason: String,
    /// Whether it may have arrived all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
}

/// `print.delivery-retried` 1: somebody wants it tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintDeliveryRetried {
    /// Which deliveries.
    pub deliveries: Vec<u32>,
    /// Why.
    pub reason: String,
}

/// Why a document waits although nobody said so.
impl PrintSpooled {
    /// What keeps it from being printed at once.
    pub fn held_by(&self) -> Option<HoldWhy> {
        if self.control.is_some_and(|control| !control.agrees()) {
            return Some(HoldWhy::ControlTotal);
        }
        match self.release {
            ReleaseBy::AtOnce => None,
            ReleaseBy::Person => Some(HoldWhy::Rule),
            ReleaseBy::Code => Some(HoldWhy::Code),
        }
    }
}
