//! Messages between services. None of them is the truth; the log is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::backup::looking::Look;
use crate::canonical::Digest;
use crate::envelope::{Envelope, EnvelopeError};
use crate::ids::{ProducerId, StreamId};
use crate::keys::{KeyError, PublicKey, Seal, SecretKey};
use crate::ledger::{Mark, Policy, StreamState};
use crate::night::EXCEPTIONS;
use crate::run::Run;

/// A run offered to a pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// The run.
    pub run: StreamId,
    /// Version of its newest event: whoever takes it appends the next.
    pub version: u64,
    /// Number of the attempt.
    pub attempt: u32,
    /// The pool.
    pub pool: String,
    /// The one host that may take it.
    pub host: Option<String>,
    /// Digest of the definition: the recorder refuses a start under another.
    pub digest: Digest,
    /// The definition.
    pub definition: serde_json::Value,
    /// How often the run was offered since its newest event, from 1.
    pub offer: u32,
    /// Values of its parameters.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// The business day it is of.
    #[serde(default)]
    pub business_day: Option<Date>,
    /// The instant it stands for.
    pub at: Timestamp,
}

impl Work {
    /// The queue it goes to: that of its host, or of its pool.
    pub fn queue(&self) -> String {
        self.host.as_ref().map_or_else(|| self.pool.clone(), |host| host_queue(host))
    }

    /// The same for the same offer, whichever scheduler makes it: a queue may drop a repetition, but
    /// not the offer that a sweep makes later.
    pub fn id(&self) -> String {
        format!("{}#{}@{}.{}", self.run, self.attempt, self.version, self.offer)
    }
}

/// The queue of work for one host.
pub fn host_queue(host: &str) -> String {
    format!("host.{host}")
}

/// "I am there."
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "from", deny_unknown_fields)]
pub enum Heartbeat {
    /// An executor, and what it runs: renews the leases.
    Executor {
        /// The host.
        host: String,
        /// Attempts under way: run and number.
        running: Vec<(StreamId, u32)>,
        /// Slots without an attempt.
        free: u32,
        /// All slots.
        slots: u32,
        /// Events in its journal that are not committed yet.
        unsent: u64,
        /// Its clock.
        time: Timestamp,
        /// Why it can say nothing more: its journal cannot be written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hindered: Option<String>,
    },
    /// A scheduler.
    Scheduler {
        /// Its name.
        id: String,
        /// Its clock.
        time: Timestamp,
        /// Why it can say nothing more: its journal cannot be written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hindered: Option<String>,
    },
}

/// A producer asks to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// Who.
    pub producer: ProducerId,
    /// Its public key, hexadecimal.
    pub key: String,
    /// The join token of its class.
    pub token: String,
    /// Signature of [`Enrol::statement`], hexadecimal: it has the key's other half.
    pub proof: String,
}

impl Enrol {
    /// A request, proven with the secret key.
    pub fn new(producer: &ProducerId, key: &SecretKey, token: &str) -> Self {
        let public = key.public().to_hex();
        let proof = key.sign(Self::statement(producer, &public).as_bytes());
        Self {
            producer: producer.clone(),
            key: public,
            token: token.to_owned(),
            proof: crate::canonical::hex(&proof.to_bytes()),
        }
    }

    fn statement(producer: &ProducerId, key: &str) -> String {
        format!("decklog-enrol-1\n{producer}\n{key}\n")
    }

    /// Checks that whoever asks holds the key.
    ///
    /// # Errors
    /// The key is none, or the proof does not fit it.
    pub fn check(&self) -> Result<PublicKey, KeyError> {
        let key = PublicKey::from_hex(&self.key)?;
        let seal = crate::canonical::unhex(&self.proof)
            .and_then(|bytes| Seal::from_bytes(&bytes))
            .ok_or(KeyError::BadSignature)?;
        key.verify(Self::statement(&self.producer, &self.key).as_bytes(), &seal)?;
        Ok(key)
    }
}

/// Most bytes of flushes in one request: with its framing it fits into one message.
pub const APPEND_BYTES_MAX: usize = 768 * 1024;
/// Most flushes in one request.
pub const APPEND_FLUSHES_MAX: usize = 256;

/// What is asked of the recorder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendRequest {
    /// Each the bytes of a [`crate::flush::Flush`]; consecutive ones of one producer.
    Flushes(Vec<Vec<u8>>),
    /// To be let in.
    Enrol(Enrol),
}

impl AppendRequest {
    /// One letter, then the content: each flush behind its length (u32, big-endian), or JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Flushes(flushes) => {
                let mut bytes = b"F".to_vec();
                for flush in flushes {
                    // Every flush is bounded far below 2^32.
                    bytes.extend(u32::try_from(flush.len()).unwrap_or(u32::MAX).to_be_bytes());
                    bytes.extend(flush);
                }
                bytes
            }
            // A struct of strings can always be written.
            Self::Enrol(enrol) => {
                [b"E".to_vec(), serde_json::to_vec(enrol).unwrap_or_default()].concat()
            }
        }
    }

    /// The reverse of [`AppendRequest::to_bytes`]; `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (b'F', rest) => flushes(rest).map(Self::Flushes),
            (b'E', rest) => serde_json::from_slice(rest).ok().map(Self::Enrol),
            _ => None,
        }
    }
}

/// One at least, and no byte left over.
fn flushes(mut rest: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    while found.is_empty() || !rest.is_empty() {
        let (size, after) = rest.split_first_chunk::<4>()?;
        let (flush, after) = after.split_at_checked(u32::from_be_bytes(*size) as usize)?;
        found.push(flush.to_vec());
        rest = after;
    }
    (found.len() <= APPEND_FLUSHES_MAX).then_some(found)
}

/// What the recorder answers to one flush or enrolment. A request is answered by a list of these: one for
/// each of its flushes, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer", deny_unknown_fields)]
pub enum AppendAnswer {
    /// The events are in the log, durably, each with its mark.
    Committed {
        /// Position and mark of each event, in order.
        events: Vec<Committed>,
        /// When they were received.
        received: Timestamp,
    },
    /// Enrolled, now or before.
    Enrolled,
    /// Not before a person has confirmed its key: ask again.
    Waiting,
    /// Not now: ask again.
    Busy {
        /// Why.
        reason: String,
    },
    /// The producer has no key here: enrol, then ask again.
    NotEnrolled,
    /// Never: asking again cannot help.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
}

/// One event in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Committed {
    /// Its position, from 1.
    pub position: u64,
    /// What became of it.
    pub mark: Mark,
}

/// An event as readers of the log get it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogEntry {
    /// Its position, from 1.
    pub position: u64,
    /// When the recorder received it.
    pub received: Timestamp,
    /// Why it is void; absent where it is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<String>,
    /// The envelope, byte for byte as it was signed.
    pub event: Box<RawValue>,
}

impl LogEntry {
    /// The envelope, read.
    ///
    /// # Errors
    /// The bytes are not an envelope at all.
    pub fn envelope(&self) -> Result<Envelope, EnvelopeError> {
        Envelope::parse_stored(self.event.get().as_bytes())
    }
}

/// Newly committed events.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// The events, consecutive.
    pub events: Vec<LogEntry>,
}

/// A question to the recorder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "query", deny_unknown_fields)]
pub enum Query {
    /// Size, root, newest signed head.
    Head,
    /// Events after a position, at most `limit`.
    Events {
        /// A position; 0 for the beginning.
        after: u64,
        /// Most events.
        limit: u32,
        /// Only of this stream.
        stream: Option<StreamId>,
    },
    /// Events, newest first.
    Search(EventFilter),
    /// The bytes the tree commits to, after a position.
    Leaves {
        /// A position; 0 for the beginning.
        after: u64,
        /// Most leaves.
        limit: u32,
    },
    /// One stream's state.
    Stream {
        /// Which.
        id: StreamId,
    },
    /// States of many streams, in the order of their names.
    Streams {
        /// Of which type.
        of: Selection,
        /// Only names after this one.
        after: String,
        /// Most streams.
        limit: u32,
    },
    /// States of jobs that fit, in the order of their names.
    Jobs(JobFilter),
    /// Runs, newest first.
    Runs(RunFilter),
    /// States of a job's newest runs that have ended; after them as many again that were skipped or missed.
    Past {
        /// The job.
        job: String,
        /// Most runs.
        limit: u32,
    },
    /// States of open runs that are to have a lock and wait for nothing else, or have it; in the order of their
    /// names.
    Claims {
        /// The lock.
        lock: String,
        /// Only names after this one.
        after: String,
        /// Most runs.
        limit: u32,
    },
    /// States of hosts that take work of a pool, in the order of their names.
    Members {
        /// The pool.
        pool: String,
        /// Only names after this one.
        after: String,
        /// Most hosts.
        limit: u32,
    },
    /// Of each of these jobs the newest runs that did their work.
    Done {
        /// The jobs, at most [`DONE_JOBS_MAX`].
        jobs: Vec<String>,
        /// Most runs of each.
        limit: u32,
    },
    /// What happened in a time.
    Night {
        /// From, inclusive.
        since: Timestamp,
        /// Until, exclusive.
        until: Timestamp,
    },
    /// Documents, newest first.
    Documents(DocumentFilter),
    /// Incidents, newest first.
    Incidents(IncidentFilter),
    /// Requests of auditors, newest first.
    Requests(RequestFilter),
    /// Signed heads, newest first.
    Heads {
        /// Most heads.
        limit: u32,
    },
    /// The newest signed head, and the proof that it continues an earlier one.
    Consistency {
        /// Size of the earlier one; 0 where none is known.
        from: u64,
    },
    /// The proof that an event is in the newest signed head.
    Proof {
        /// Its position, from 1.
        position: u64,
    },
}

/// Which events.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventFilter {
    /// Of this stream.
    #[serde(default)]
    pub stream: Option<StreamId>,
    /// Of this type, such as `run.failed`.
    #[serde(default)]
    pub kind: Option<String>,
    /// In which this person or program acted, such as `user/ana`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Received not before this.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Received before this.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Only positions after this one.
    #[serde(default)]
    pub after: u64,
    /// Only positions before this one; to page, that of the last event that was given.
    #[serde(default)]
    pub before: Option<u64>,
    /// Most events.
    pub limit: u32,
}

/// Which documents.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentFilter {
    /// In this queue.
    #[serde(default)]
    pub queue: Option<String>,
    /// On this host.
    #[serde(default)]
    pub host: Option<String>,
    /// Of this run.
    #[serde(default)]
    pub run: Option<StreamId>,
    /// Printed on this form.
    #[serde(default)]
    pub form: Option<String>,
    /// In one of these states, by their words.
    #[serde(default)]
    pub states: Vec<String>,
    /// Whose identity begins so.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Whose content is not erased.
    #[serde(default)]
    pub kept: bool,
    /// Spooled not before this.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Spooled before this; to page, the instant of the last one that was given.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Most documents.
    pub limit: u32,
}

/// Which incidents.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentFilter {
    /// About this.
    #[serde(default)]
    pub of: Option<StreamId>,
    /// That somebody still has to deal with.
    #[serde(default)]
    pub open: bool,
    /// Only those that come after this one in the list; to page, when the last one that was given was opened, and its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<(Timestamp, StreamId)>,
    /// Most incidents.
    pub limit: u32,
}

/// Which requests of auditors.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestFilter {
    /// In one of these states, by the words of [`crate::request::REQUEST_STATES`]; in any where there are none.
    #[serde(default)]
    pub states: Vec<String>,
    /// To which an answer is waited for that was due before this.
    #[serde(default)]
    pub due_before: Option<Timestamp>,
    /// Only numbers below this one; to page, that of the last that was given.
    #[serde(default)]
    pub below: Option<u32>,
    /// Most requests.
    pub limit: u32,
}

/// Most jobs in one [`Query::Done`].
pub const DONE_JOBS_MAX: usize = 50;

/// Which streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// All jobs.
    Jobs,
    /// Runs that have not ended.
    OpenRuns,
    /// All hosts.
    Hosts,
    /// All users.
    Users,
    /// All calendars, blackouts, locks, pools, datasets, repositories, queues, forms and call trees.
    Things,
    /// All queues.
    Queues,
    /// All forms.
    Forms,
    /// All blackouts.
    Blackouts,
    /// All call trees.
    CallTrees,
    /// Of each thing the newest incident.
    Incidents,
    /// Jobs that a host has, or had, leave to decide.
    Leased,
    /// Jobs and other things of which a change waits for somebody.
    Waiting,
}

/// Which jobs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobFilter {
    /// With this in their names.
    #[serde(default)]
    pub name: String,
    /// Only those whose work is on a dataset.
    #[serde(default)]
    pub on_datasets: bool,
    /// That stand so, by the word of [`crate::job::JOB_STATES`].
    #[serde(default)]
    pub state: Option<String>,
    /// Only streams after this one.
    #[serde(default)]
    pub after: String,
    /// Most jobs.
    pub limit: u32,
}

/// Which runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFilter {
    /// Of this job.
    #[serde(default)]
    pub job: Option<String>,
    /// In this state, by its word.
    #[serde(default)]
    pub state: Option<String>,
    /// That this pool may take, or took.
    #[serde(default)]
    pub pool: Option<String>,
    /// Whose instant is not before this.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Whose instant is before this.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Only those that come after this one in the list; to page, the instant and name of the last run that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<(Timestamp, StreamId)>,
    /// Most runs.
    pub limit: u32,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRow {
    /// Its stream.
    pub run: StreamId,
    /// Its job.
    pub job: String,
    /// The word of its state.
    pub state: String,
    /// Its nominal instant, or when it was asked for.
    pub instant: Timestamp,
    /// Whether a schedule implied it.
    pub scheduled: bool,
    /// Whether it may still change.
    pub open: bool,
    /// Whether its first attempt started later than its job allows.
    pub late: bool,
    /// Number of attempts.
    pub attempts: u32,
    /// Host of the newest attempt.
    pub host: Option<String>,
    /// When the newest attempt started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// One sentence about why it is as it is.
    pub message: Option<String>,
}

impl RunRow {
    /// A run as lists show it.
    pub fn of(run: &Run) -> Self {
        let attempt = run.attempt();
        let ended = run.state.is_ended();
        Self {
            run: run.id.clone(),
            job: run.job.clone(),
            state: run.state.word().to_owned(),
            instant: run.instant(),
            scheduled: run.nominal.is_some(),
            open: !ended,
            late: run.began_late_ms().is_some() || !run.late.is_empty(),
            attempts: u32::try_from(run.attempts.len()).unwrap_or(u32::MAX),
            host: attempt.map(|attempt| attempt.host.clone()),
            started: attempt.map(|attempt| run.began_of(attempt)),
            ended: ended.then(|| run.ended_at()),
            message: crate::run::message(run),
        }
    }

    /// Whether somebody has to say something of it in the morning: it ended as it should not have, or nobody knows how; or it
    /// is over, and was late. What is late and goes on has that before it.
    pub fn is_exception(&self) -> bool {
        EXCEPTIONS.contains(&self.state.as_str()) || (self.late && !self.open)
    }
}

/// An answer of the recorder. Every one says to which position it is true.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Size of the log when it was asked.
    pub position: u64,
    /// The content.
    pub content: Content,
}

/// The content of an answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Size, root, newest signed head.
    Head(HeadView),
    /// Events.
    Events(Vec<LogEntry>),
    /// Leaves, base64, and void marks.
    Leaves(Vec<LeafView>),
    /// Streams with their states.
    Streams(Vec<StreamView>),
    /// Runs.
    Runs(Vec<RunRow>),
    /// What happened in a time.
    Night(crate::night::Night),
    /// Signed heads as notes.
    Heads(Vec<String>),
    /// The newest signed head, where there is one.
    Consistency(Option<Consistency>),
    /// That an event is in the newest signed head, or why that is not proven.
    Proof(Proof),
    /// The question could not be answered.
    Failed(String),
}

/// Size, root, newest signed head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadView {
    /// Name of the log.
    pub origin: String,
    /// Rules of the site.
    #[serde(default)]
    pub policy: Policy,
    /// Size, in events.
    pub size: u64,
    /// Root of the tree.
    pub root: Digest,
    /// Newest signed head, a C2SP checkpoint.
    pub signed: Option<String>,
    /// Since when the recorder that answers cannot write to the log, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck: Option<Stuck>,
}

/// The recorder answers, and what it is given does not get into the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stuck {
    /// When it failed first.
    pub since: Timestamp,
    /// What the database said last.
    pub why: String,
}

/// A signed head, and the proof that it continues an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// The key that signs heads, as the log's first event names it.
    pub key: String,
    /// The head, a C2SP checkpoint.
    pub head: String,
    /// The proof (RFC 6962 §2.1.2); empty where nothing is to be proven, or nothing can be.
    pub proof: Vec<Digest>,
    /// The names and keys that the log has had, as each was handed over by the one before, oldest first: C2SP signed notes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handovers: Vec<String>,
}

/// Whether an event is proven to be in the newest signed head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Proof {
    /// It is.
    Proven(Inclusion),
    /// The newest signed head does not reach it.
    NotSigned {
        /// How far that head reaches; 0 where there is none.
        size: u64,
    },
    /// More of the log has to be read for it than one question reads. Whoever asks again goes on from there.
    Reading {
        /// How many leaves were read.
        read: u64,
        /// Of how many.
        size: u64,
    },
}

/// The proof that a leaf is in a tree (RFC 6962 §2.1.1), and the signed head that says which tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inclusion {
    /// Its position, from 1; its index in the tree is one less.
    pub position: u64,
    /// The bytes of the leaf, base64: the envelope is in them.
    pub leaf: String,
    /// The leaf's hash.
    pub hash: Digest,
    /// The audit path, lowest sibling first.
    pub path: Vec<Digest>,
    /// The signed head, a C2SP checkpoint: its second line is the size of the tree, its third the root.
    pub head: String,
}

/// One leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeafView {
    /// Its position, from 1.
    pub position: u64,
    /// Its bytes, base64.
    pub leaf: String,
    /// Why it is void, as stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<String>,
}

/// One stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamView {
    /// Its name.
    pub id: StreamId,
    /// Its state.
    pub state: StreamState,
}

/// What a host answered: behind a `+` what it was asked for, a `-` where it does not have that, or behind a `!` why not.
///
/// # Errors
/// Why not.
pub fn answered(answer: &[u8]) -> Result<Option<&[u8]>, String> {
    match answer.split_first() {
        Some((b'+', found)) => Ok(Some(found)),
        Some((b'-', _)) => Ok(None),
        Some((_, problem)) => Err(String::from_utf8_lossy(problem).into_owned()),
        None => Err("it answered nothing".to_owned()),
    }
}

/// A question to one host's executor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "ask", deny_unknown_fields)]
pub enum HostQuery {
    /// Output of an attempt from an offset on. The answer is the bytes.
    Output {
        /// The run.
        run: StreamId,
        /// Number of the attempt.
        attempt: u32,
        /// Bytes to leave out.
        offset: u64,
        /// Most bytes.
        limit: u32,
    },
    /// The salt of the commitment to a payload. The answer is 64 hexadecimal digits as a JSON text.
    Salt {
        /// The run or document.
        of: StreamId,
        /// Number of the attempt, of a run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<u32>,
    },
    /// How far the engine of an attempt is. The answer is a [`Progress`](crate::backup::progress::Progress) as JSON.
    Progress {
        /// The run.
        run: StreamId,
        /// Number of the attempt.
        attempt: u32,
    },
    /// A piece of a file that an attempt kept. The answer is the bytes.
    Artefact {
        /// The run.
        run: StreamId,
        /// Number of the attempt.
        attempt: u32,
        /// Which.
        name: String,
        /// Bytes to leave out.
        offset: u64,
        /// Most bytes.
        limit: u32,
    },
    /// A piece of a document's content. The answer is the bytes.
    Document {
        /// The document.
        document: StreamId,
        /// Bytes to leave out.
        offset: u64,
        /// Most bytes.
        limit: u32,
    },
    /// What the host knows of a document beside the log. The answer is a
    /// [`DocumentFacts`](crate::print::facts::DocumentFacts) as JSON.
    DocumentFacts {
        /// The document.
        document: StreamId,
    },
    /// Whether this is the code of a document; if so, its host prints it when it is released. The answer is a JSON boolean.
    Code {
        /// The document.
        document: StreamId,
        /// What was given.
        code: String,
    },
    /// What would keep the host from running a job. The answer is a JSON list of sentences, empty for nothing.
    Check {
        /// The job's definition.
        definition: serde_json::Value,
    },
    /// Names of files in snapshots. The answer is a [`Sight`](crate::backup::looking::Sight) as JSON.
    Look {
        /// What is looked at.
        look: Box<Look>,
    },
}
