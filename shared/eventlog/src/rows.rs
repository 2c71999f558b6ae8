//! What a transaction writes.

use domain::canonical::Digest;
use domain::envelope::Envelope;
use domain::ids::StreamId;
use domain::incident::Incident;
use domain::job::{Job, Versions};
use domain::ledger::{Ledger, Mark, Producer, StreamState, Turn};
use domain::print::Document;
use domain::request::Request;
use domain::run::Run;
use tlog::Hash;

use crate::error::LogError;

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    pub(crate) position: i64,
    pub(crate) leaf: Vec<u8>,
    pub(crate) leaf_hash: Hash,
    pub(crate) event_id: String,
    pub(crate) producer: String,
    pub(crate) pseq: i64,
    pub(crate) stream: String,
    pub(crate) version: i64,
    pub(crate) kind: String,
    pub(crate) received: i64,
    pub(crate) void: Option<String>,
}

/// Who acted in which event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActedRow {
    pub(crate) actor: String,
    pub(crate) position: i64,
    pub(crate) stream: String,
    pub(crate) kind: String,
}

/// The columns of a run, of a document, of an incident, and of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RunColumns {
    pub(crate) job: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) pool: Option<String>,
    pub(crate) instant: Option<i64>,
    pub(crate) scheduled: Option<i64>,
    pub(crate) open: Option<i64>,
    pub(crate) late: Option<i64>,
    pub(crate) attempts: Option<i64>,
    pub(crate) host: Option<String>,
    pub(crate) started: Option<i64>,
    pub(crate) ended: Option<i64>,
    pub(crate) message: Option<String>,
}

/// One stream of the read model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StateRow {
    pub(crate) stream: String,
    pub(crate) kind: &'static str,
    pub(crate) version: i64,
    /// None for a run: its events tell it.
    pub(crate) body: Option<String>,
    pub(crate) run: RunColumns,
}

/// Where one job stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TurnRow {
    pub(crate) job: String,
    pub(crate) settled: Option<i64>,
    /// Runs, separated by blanks.
    pub(crate) busy: Option<String>,
    /// JSON: instants by instants, in microseconds.
    pub(crate) leased: Option<String>,
    /// JSON: instants, in microseconds.
    pub(crate) ahead: Option<String>,
    /// JSON.
    pub(crate) holders: Option<String>,
}

/// One producer of the read model.
#[derive(Debug, Clone)]
pub(crate) struct ProducerRow {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) pseq: i64,
    pub(crate) last: Vec<u8>,
    pub(crate) revoked: i64,
    pub(crate) adrift: i64,
}

/// What of the ledger is no producer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LedgerRow {
    pub(crate) origin: Option<String>,
    pub(crate) head_key: Option<String>,
    pub(crate) self_approval: i64,
    pub(crate) accounts: i64,
}

/// One batch.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) old_size: i64,
    pub(crate) old_root: Hash,
    pub(crate) new_size: i64,
    pub(crate) new_root: Hash,
    pub(crate) frontier: Vec<u8>,
    pub(crate) received: i64,
    pub(crate) events: Vec<EventRow>,
    pub(crate) acted: Vec<ActedRow>,
    pub(crate) states: Vec<StateRow>,
    pub(crate) turns: Vec<TurnRow>,
    pub(crate) producers: Vec<ProducerRow>,
    pub(crate) ledger: Option<LedgerRow>,
}

/// A whole read model, computed from the first `size` events.
#[derive(Debug)]
pub(crate) struct ReadModel<'a> {
    pub(crate) size: i64,
    pub(crate) states: Vec<StateRow>,
    pub(crate) turns: Vec<TurnRow>,
    pub(crate) acted: &'a [ActedRow],
    pub(crate) producers: Vec<ProducerRow>,
    pub(crate) ledger: LedgerRow,
}

/// A count or position as the database holds it. Logs stay far below 2^63.
pub(crate) fn to_i64(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The reverse of [`to_i64`].
pub(crate) fn to_u64(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

impl ActedRow {
    /// Void or not: who tried is evidence.
    pub(crate) fn new(envelope: &Envelope, position: i64) -> Option<Self> {
        let actor = plain(envelope.actor.as_deref()?);
        let (stream, kind) = (envelope.subject.to_string(), envelope.kind.clone());
        Some(Self { actor, position, stream, kind })
    }
}

impl StateRow {
    pub(crate) fn new(id: &StreamId, state: &StreamState) -> Result<Self, LogError> {
        let run = state.body.run();
        let body = match run {
            Some(_) => None,
            None => Some(
                serde_json::to_string(&state.body)
                    .map_err(|error| LogError::inconsistent("state", id, error))?,
            ),
        };
        Ok(Self {
            stream: id.to_string(),
            kind: id.stream_type().word(),
            version: to_i64(state.version),
            body,
            run: RunColumns::of(state),
        })
    }
}

impl TurnRow {
    pub(crate) fn new(id: &StreamId, turn: &Turn) -> Result<Self, LogError> {
        let busy: Vec<&str> = turn.busy.iter().map(StreamId::as_str).collect();
        let bad = |error| LogError::inconsistent("turn", id, error);
        let leased = (!turn.leased.is_empty()).then(|| {
            let micros = turn.leased.iter();
            let micros: Vec<(i64, i64)> =
                micros.map(|(from, at)| (from.as_microsecond(), at.as_microsecond())).collect();
            serde_json::to_string(&micros)
        });
        let ahead = (!turn.ahead.is_empty()).then(|| {
            let micros: Vec<i64> = turn.ahead.iter().map(|at| at.as_microsecond()).collect();
            serde_json::to_string(&micros)
        });
        let holders = (!turn.holders.is_empty()).then(|| serde_json::to_string(&turn.holders));
        Ok(Self {
            job: id.to_string(),
            settled: turn.settled.map(|at| at.as_microsecond()),
            busy: (!busy.is_empty()).then(|| busy.join(" ")),
            leased: leased.transpose().map_err(bad)?,
            ahead: ahead.transpose().map_err(bad)?,
            holders: holders.transpose().map_err(bad)?,
        })
    }
}

impl RunColumns {
    fn of(state: &StreamState) -> Self {
        let body = &state.body;
        match (body.run(), body.document(), body.incident(), body.request()) {
            (Some(run), ..) => Self::new(run),
            (None, Some(document), ..) => Self::of_document(document),
            (None, None, Some(incident), _) => Self::of_incident(incident),
            (None, None, None, Some(request)) => Self::of_request(request),
            (None, None, None, None) => Self::leased(state),
        }
    }

    /// Of what is no run, only the host is kept that has, or had, leave to decide a job, how that job stands, and whether a
    /// change of it waits for somebody.
    fn leased(state: &StreamState) -> Self {
        let lease = state.body.job().and_then(Job::lease);
        let waits = state.body.versions().is_some_and(Versions::waits);
        Self {
            state: state.body.job().map(|job| job.state().to_owned()),
            host: lease.and_then(|lease| lease.host.clone()),
            scheduled: waits.then_some(1),
            ..Self::default()
        }
    }

    /// A document is listed by its queue, its run, its form, and whether its content is still there.
    fn of_document(document: &Document) -> Self {
        Self {
            job: document.run().map(StreamId::to_string),
            state: Some(document.state.word().to_owned()),
            pool: Some(document.queue.clone()),
            instant: Some(document.at.as_microsecond()),
            host: Some(document.spooled.host.clone()),
            ended: document.erased.map(|at| at.as_microsecond()),
            message: document.spooled.form.clone(),
            ..Self::default()
        }
    }

    /// An incident is listed by what it is about, its number, and whether somebody still has to deal with it.
    fn of_incident(incident: &Incident) -> Self {
        Self {
            job: Some(incident.of.to_string()),
            state: Some(incident.word().to_owned()),
            pool: Some(incident.severity.word().to_owned()),
            instant: Some(incident.opened.as_microsecond()),
            attempts: Some(i64::from(incident.number)),
            ended: incident.resolved.as_ref().map(|said| said.at.as_microsecond()),
            message: Some(plain(&domain::incident::message::headline(incident))),
            ..Self::default()
        }
    }

    /// A request is listed by its number, how it stands, until when it is to be answered, and whether it is over.
    fn of_request(request: &Request) -> Self {
        Self {
            state: Some(request.word().to_owned()),
            instant: Some(request.at.as_microsecond()),
            attempts: Some(i64::from(request.number)),
            started: Some(request.asked.due.as_microsecond()),
            ended: request.closed().map(|said| said.at.as_microsecond()),
            message: Some(plain(&request.asked.title)),
            ..Self::default()
        }
    }

    fn new(run: &Run) -> Self {
        let attempt = run.attempt();
        let ended = run.state.is_ended();
        Self {
            job: Some(run.job.clone()),
            state: Some(run.state.word().to_owned()),
            pool: Some(plain(&run.pool)),
            instant: Some(run.instant().as_microsecond()),
            scheduled: Some(i64::from(run.nominal.is_some())),
            open: Some(i64::from(!ended)),
            late: Some(i64::from(run.began_late_ms().is_some() || !run.late.is_empty())),
            attempts: Some(to_i64(run.attempts.len() as u64)),
            host: attempt.map(|a| a.host.clone()),
            started: attempt.map(|a| run.began_of(a).as_microsecond()),
            ended: ended.then(|| run.ended_at().as_microsecond()),
            message: message(run).as_deref().map(plain),
        }
    }
}

/// Text as every database can hold it: Postgres' has no place for the character 0.
fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn message(run: &Run) -> Option<String> {
    domain::run::message(run)
}

impl ProducerRow {
    pub(crate) fn new(id: &str, producer: &Producer) -> Self {
        Self {
            id: id.to_owned(),
            key: producer.key.to_hex(),
            pseq: to_i64(producer.place.pseq),
            last: producer.place.last.0.to_vec(),
            revoked: i64::from(producer.revoked),
            adrift: i64::from(producer.adrift),
        }
    }
}

impl LedgerRow {
    pub(crate) fn new(ledger: &Ledger) -> Self {
        Self {
            origin: ledger.origin.clone(),
            head_key: ledger.head_key.clone(),
            self_approval: i64::from(ledger.policy.self_approval),
            accounts: i64::from(ledger.policy.accounts),
        }
    }
}

/// A void mark as it is stored, read back.
pub(crate) fn mark_from(void: Option<&str>) -> Mark {
    let Some(text) = void else { return Mark::Valid };
    match text.strip_prefix("conflict: the stream is at version ").and_then(|n| n.parse().ok()) {
        Some(at) => Mark::Conflict { at },
        None => Mark::Refused { reason: text.strip_prefix("refused: ").unwrap_or(text).to_owned() },
    }
}

/// The digest type of `domain` for a hash of `tlog`.
pub(crate) fn digest(hash: &Hash) -> Digest {
    Digest(hash.0)
}
