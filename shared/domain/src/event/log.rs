//! Bodies of `log.*`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::canonical::Digest;
use crate::ids::{Class, ProducerId};
use crate::people::Directory;

/// `log.created` 1: always the event at position 1. It is signed by the recorder whose key it names,
/// which makes it the root of trust inside the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogCreated {
    /// The log's name, the first line of every head.
    pub origin: String,
    /// The recorder that made it.
    pub producer: ProducerId,
    /// Its public key, hexadecimal.
    pub key: String,
    /// The key that signs heads, in the signed-note form `name+id+base64`.
    pub head_key: String,
    /// Version of the program.
    pub version: String,
}

/// `log.producer-enrolled` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogProducerEnrolled {
    /// Who may append from now on.
    pub producer: ProducerId,
    /// What kinds of event it may state.
    pub class: Class,
    /// Its public key, hexadecimal.
    pub key: String,
    /// On what ground: `join-token`, `embedded`.
    pub ground: String,
}

/// `log.confirmations-required` 1: from now on nobody is let in before a person has confirmed the key. It is never taken back.
/// Always in `log/joining`, as are those that follow from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfirmationsRequired {
    /// Why.
    pub reason: String,
}

/// `log.producer-asked` 1: somebody who has a ground to be let in waits until a person has compared the key with what its machine
/// shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogProducerAsked {
    /// The name that it asks for.
    pub producer: ProducerId,
    /// Its public key, hexadecimal.
    pub key: String,
    /// On what ground: `join-token`, `invitation`.
    pub ground: String,
}

/// `log.producer-confirmed` 1: a person has compared the fingerprint of the key that waits with the one that the machine shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogProducerConfirmed {
    /// Whose key.
    pub producer: ProducerId,
    /// SHA-256 of the public key's 32 bytes.
    pub fingerprint: Digest,
    /// How they know.
    pub reason: String,
}

/// `log.producer-declined` 1: a key that waits is not let in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogProducerDeclined {
    /// Whose key.
    pub producer: ProducerId,
    /// SHA-256 of the public key's 32 bytes.
    pub fingerprint: Digest,
    /// Why.
    pub reason: String,
}

/// `log.producer-revoked` 1: the key of a console, a scheduler or a recorder counts no more. Nothing that it says from then on is
/// taken, or has an effect. It comes back under another name. A host's key is taken back by `host.revoked`. In `log/joining`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogProducerRevoked {
    /// Whose key.
    pub producer: ProducerId,
    /// Why.
    pub reason: String,
}

/// `log.head-signed` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogHeadSigned {
    /// Size of the newest signed head, in events.
    pub size: u64,
    /// Its root.
    pub root: Digest,
}

/// `log.policy-set` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPolicySet {
    /// Whether one person may approve their own change. Off, approval needs a second person.
    pub self_approval: bool,
    /// Why.
    pub reason: String,
}

/// `log.accounts-required` 1: from now on a console states on somebody's behalf only what an account of theirs may do, and the
/// recorder holds it to that. It is never taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogAccountsRequired {
    /// Why.
    pub reason: String,
}

/// `log.directory-set` 1: people of this directory may come in, and may do what their groups may. Always in `log/directory`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogDirectorySet {
    /// The directory, and what its groups may do here.
    pub directory: Directory,
    /// Why.
    pub reason: String,
}

/// `log.exported` 1: evidence was written, and somebody has it. Always in `log/exports`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogExported {
    /// How many events the log had: it holds all of them, from the first on, or some, where it is a part.
    pub size: u64,
    /// The control that it is about, where it is a part of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// The root of the head under which it stands.
    pub root: Digest,
    /// The beginning of the period that it is about.
    pub from: Timestamp,
    /// The end of that, which is not a part of it.
    pub until: Timestamp,
    /// SHA-256 of the file.
    pub file: Digest,
    /// Its bytes.
    pub bytes: u64,
}

/// `log.journal-cut` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogJournalCut {
    /// Whose journal.
    pub producer: ProducerId,
    /// Bytes that were cut off. Nobody had acted on them: the write they belong to never returned.
    pub bytes: u64,
    /// Counter of the last event that is whole.
    pub whole_until: u64,
}

/// `log.contradicted` 1: what the log shows is not the log of which a producer had verified a head. Always in the producer's own
/// stream. Both heads as they were signed: whoever has them can ask for what lies between.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogContradicted {
    /// Who has seen it.
    pub producer: ProducerId,
    /// The head that it had verified, a C2SP checkpoint; it holds on to it.
    pub held: String,
    /// What the log shows instead, at most [`SHOWN_BYTES_MAX`] bytes of it.
    pub shown: String,
    /// What is wrong with that.
    pub reason: String,
}

/// Longest text of what a log shows that is kept, in bytes.
pub const SHOWN_BYTES_MAX: usize = 4_096;

/// `log.continued` 1: from here on heads of the log are signed under another name, and by the key of that. Always in
/// `log/continued`. What was signed before is never signed again: whoever held the log to its old name learns here what became
/// of it, and decides whether the new one is believed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogContinued {
    /// The log's name from here on.
    pub origin: String,
    /// The key that signs heads from here on, in the signed-note form `name+id+base64`.
    pub head_key: String,
    /// The newest head that is known to have been signed under the name before, a C2SP checkpoint; absent where none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// How many events stand in front of this one.
    pub size: u64,
    /// Up to which position the log is known to have held events under the name before: those beyond `size` are lost.
    pub reached: u64,
    /// Whether events may be missing that were in the log before: it was brought back from an older copy.
    pub restored: bool,
    /// The name and key from here on, signed by the key before: a C2SP signed note. Absent where that key is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handover: Option<String>,
    /// Why.
    pub reason: String,
}

impl LogContinued {
    /// How many events are known to be lost.
    pub fn lost(&self) -> u64 {
        self.reached.saturating_sub(self.size)
    }

    /// The text that the key before signs: whoever believes that key believes from then on the one named here.
    pub fn handover_text(before: &str, head_key: &str) -> String {
        format!("{before}\ncontinued as\n{head_key}\n")
    }
}

/// `log.examined` 1: a recorder has looked whether the database still keeps the log append-only; at least once a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogExamined {
    /// What weakens that, at most [`WEAKNESSES_MAX`]; nothing where its guards stand.
    pub weaknesses: Vec<String>,
    /// How many more there are.
    pub others: u64,
}

/// Most weaknesses that are told one by one.
pub const WEAKNESSES_MAX: usize = 10;

/// `log.archived` 1: a segment of the log is in a file of the archive, which was read again after it was written. Always in
/// `log/archive`, one segment after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogArchived {
    /// The position of its first event, from 1.
    pub first: u64,
    /// The position of its last.
    pub last: u64,
    /// The root of its events' tree (RFC 6962), a hash of the log's own tree too.
    pub root: Digest,
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// Bytes of the file.
    pub bytes: u64,
}

/// `log.rejected` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRejected {
    /// SHA-256 of the bytes.
    pub sha256: Digest,
    /// How many bytes.
    pub bytes: u64,
    /// Why they are not in the log.
    pub reason: String,
    /// How many more were rejected since the last such event and not recorded one by one.
    pub others: u64,
}

/// `log.tzdb-changed` 1: occurrences are decided by another version of the time zone database than before. Always in
/// `log/tzdb`, once for each change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogTzdbChanged {
    /// The version before; absent where none was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The version now.
    pub to: String,
    /// Zones of active jobs whose clocks show another time than before within the next 400 days; at most 100.
    pub zones: Vec<String>,
    /// Zones of active jobs whose rules before are not known to the scheduler, so that what moves in them is not told;
    /// at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// Jobs of which occurrences move.
    pub jobs: u64,
    /// Occurrences of the next 400 days that move.
    pub moved: u64,
    /// Whether there were too many occurrences to look at all of them: then more may move.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// The first of each job that moves, by instant; of at most 20 jobs.
    pub first: Vec<MovedOccurrence>,
}

/// An occurrence that another version of the time zone database puts elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedOccurrence {
    /// The job.
    pub job: String,
    /// Its wall-clock time, which stays.
    pub wall: String,
    /// The instant before; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Timestamp>,
    /// The instant now; absent where there is none any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Timestamp>,
    /// How many further ones of the job move that are not named.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
