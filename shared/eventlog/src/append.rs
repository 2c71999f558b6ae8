//! The appender: judges flushes, gives positions, commits.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::canonical::Digest;
use domain::flush::Flush;
use domain::ids::{ProducerId, StreamId};
use domain::leaf::Leaf;
use domain::ledger::{Ledger, Mark, Opened, Refusal, StreamState, Streams, reads};
use domain::wire::{Committed, LogEntry};
use jiff::Timestamp;
use serde_json::value::RawValue;
use tlog::{Frontier, Hash, leaf_hash};

use crate::connect::{Backend, EventLog};
use crate::error::LogError;
use crate::rows::{Commit, EventRow, LedgerRow, ProducerRow, StateRow, digest, to_i64};
use crate::{postgres, sqlite};

/// What became of one flush that is in the log now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Position and mark of each event.
    pub events: Vec<Committed>,
    /// When they were received.
    pub received: Timestamp,
}

/// Why a flush is not in the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its producer must enrol first.
    #[error("producer {0} is not enrolled")]
    NotEnrolled(ProducerId),
    /// It is not what the producer said next.
    #[error("{0}")]
    Refusal(#[from] Refusal),
    /// It has an event identity that another event has.
    #[error("event identity {0} is in the log already, in another event")]
    Identity(String),
    /// It repeats counters the log has, with other bytes: two journals speak with one key.
    #[error("{producer} said something else as its event {pseq} before: its journal was copied or restored from a backup; give it a new name and a new journal")]
    Fork {
        /// The producer.
        producer: ProducerId,
        /// The counter.
        pseq: u64,
    },
}

/// Most streams kept at hand between batches.
const CACHE_MAX: usize = 50_000;

/// The only writer of a log, as long as no other recorder appends. It holds what must be known to
/// judge the next event, and learns that it is no longer true when its commit is fenced.
#[derive(Debug)]
pub struct Appender {
    log: EventLog,
    ledger: Ledger,
    frontier: Frontier,
    cache: HashMap<StreamId, Option<StreamState>>,
}

/// States at hand, and what this batch changed of them.
struct Overlay<'a> {
    base: &'a HashMap<StreamId, Option<StreamState>>,
    changed: BTreeMap<StreamId, StreamState>,
    settled: BTreeMap<StreamId, Timestamp>,
}

impl Streams for Overlay<'_> {
    fn get(&self, id: &StreamId) -> Option<&StreamState> {
        self.changed.get(id).or_else(|| self.base.get(id).and_then(Option::as_ref))
    }

    fn put(&mut self, id: StreamId, state: StreamState) {
        self.changed.insert(id, state);
    }

    /// The instant alone is written: a job's body is large, and does not change with each run.
    fn settle(&mut self, job: &StreamId, instant: Timestamp) {
        if let Some(state) = self.changed.get_mut(job) {
            state.settled = state.settled.max(Some(instant));
        }
        let known = self.base.get(job).and_then(Option::as_ref).and_then(|state| state.settled);
        let settled = self.settled.entry(job.clone()).or_insert(instant);
        *settled = (*settled).max(instant).max(known.unwrap_or(instant));
    }
}

struct Batch {
    ledger: Ledger,
    frontier: Frontier,
    events: Vec<EventRow>,
    changed: BTreeMap<StreamId, StreamState>,
    settled: BTreeMap<StreamId, Timestamp>,
    results: Vec<Result<Appended, Refused>>,
}

impl Appender {
    /// Reads what must be known of the log.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn open(log: EventLog) -> Result<Self, LogError> {
        let (ledger, frontier) = log.ledger().await?;
        Ok(Self { log, ledger, frontier, cache: HashMap::new() })
    }

    /// The log.
    pub fn log(&self) -> &EventLog {
        &self.log
    }

    /// What is known of it.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Size and root of the tree.
    pub fn head(&self) -> (u64, Digest) {
        (self.frontier.size(), digest(&self.frontier.root()))
    }

    /// Reads the log again: another recorder has appended.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn reload(&mut self) -> Result<(), LogError> {
        let (ledger, frontier) = self.log.ledger().await?;
        (self.ledger, self.frontier) = (ledger, frontier);
        self.cache.clear();
        Ok(())
    }

    /// Reads the log again if another recorder has appended since.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn reload_if_moved(&mut self) -> Result<(), LogError> {
        if self.moved().await? { self.reload().await } else { Ok(()) }
    }

    async fn moved(&self) -> Result<bool, LogError> {
        let (size, _) = self.log.head().await?;
        Ok(size != self.frontier.size())
    }

    /// Appends `flushes`, in order and in one transaction. Answers each, and returns the new entries for
    /// the feed. Where another recorder was faster, reads the log again and judges anew.
    ///
    /// # Errors
    /// The database failed; nothing of the batch is in the log, unless the answer to the commit itself
    /// was lost: then the producers ask again, and get their positions.
    pub async fn append(
        &mut self,
        flushes: &[Flush],
        now: Timestamp,
    ) -> Result<(Vec<Result<Appended, Refused>>, Vec<LogEntry>), LogError> {
        loop {
            match self.append_once(flushes, now).await {
                Err(LogError::Fenced) => self.reload().await?,
                Err(error) => {
                    // Whether the commit happened is not known: believe nothing that was cached.
                    self.reload().await?;
                    return Err(error);
                }
                done @ Ok(_) => return done,
            }
        }
    }

    async fn append_once(
        &mut self,
        flushes: &[Flush],
        now: Timestamp,
    ) -> Result<(Vec<Result<Appended, Refused>>, Vec<LogEntry>), LogError> {
        let mut batch = Batch::new(self.ledger.clone(), self.frontier.clone());
        let opened = self.open_all(flushes, &mut batch).await?;
        if batch.results.iter().any(Result::is_err) && self.moved().await? {
            // Judged by what is no longer true: a producer may have gone on through another recorder.
            return Err(LogError::Fenced);
        }
        self.load_streams(&opened).await?;
        self.judge_all(flushes, opened, &mut batch, now);
        if batch.events.is_empty() {
            return Ok((batch.results, Vec::new()));
        }
        let commit = self.commit_of(&batch)?;
        match &self.log.backend {
            Backend::Postgres(pool) => postgres::commit(pool, &commit).await?,
            Backend::Sqlite(pool) => sqlite::commit(pool, &commit).await?,
        }
        let entries = batch.events.iter().map(entry).collect::<Result<_, _>>()?;
        self.adopt(batch.ledger, batch.frontier, batch.changed, &batch.settled);
        Ok((batch.results, entries))
    }

    /// Opens every flush against the ledger as it will be when its turn comes. `None` stands for one
    /// that got its answer already.
    async fn open_all(
        &self,
        flushes: &[Flush],
        batch: &mut Batch,
    ) -> Result<Vec<Option<Vec<Opened>>>, LogError> {
        let mut places = batch.ledger.clone();
        let mut identities = self.known_identities(flushes).await?;
        let mut all = Vec::with_capacity(flushes.len());
        for flush in flushes {
            let opened = places.open(flush);
            let answer = match &opened {
                Ok(opened) => first_known(opened, &mut identities).map(|id| Err(Refused::Identity(id))),
                Err(Refusal::Known { producer, .. }) => {
                    Some(self.repeated(producer, flush).await?)
                }
                Err(Refusal::Unknown(producer)) => Some(Err(Refused::NotEnrolled(producer.clone()))),
                Err(refusal) => Some(Err(Refused::Refusal(refusal.clone()))),
            };
            match (answer, opened) {
                (None, Ok(opened)) => {
                    advance(&mut places, &opened);
                    all.push(Some(opened));
                    batch.results.push(Ok(Appended { events: Vec::new(), received: Timestamp::MIN }));
                }
                (answer, _) => {
                    all.push(None);
                    batch.results.push(answer.unwrap_or_else(|| Err(Refused::Identity(String::new()))));
                }
            }
        }
        Ok(all)
    }

    async fn known_identities(&self, flushes: &[Flush]) -> Result<BTreeSet<String>, LogError> {
        let ids: Vec<String> = flushes
            .iter()
            .flat_map(|flush| &flush.envelopes)
            .filter_map(|bytes| domain::envelope::Envelope::parse_stored(bytes).ok())
            .map(|envelope| envelope.id.to_string())
            .collect();
        self.log.known_ids(&ids).await
    }

    /// The answer to a flush whose counters the log has: the positions it got, if it is the same.
    async fn repeated(
        &self,
        producer: &ProducerId,
        flush: &Flush,
    ) -> Result<Result<Appended, Refused>, LogError> {
        let mut events = Vec::with_capacity(flush.envelopes.len());
        let mut received = Timestamp::MIN;
        for bytes in &flush.envelopes {
            let Ok(envelope) = domain::envelope::Envelope::parse_stored(bytes) else { break };
            let pseq = envelope.pseq;
            match self.log.said(producer, pseq).await? {
                Some((position, leaf, mark)) if leaf.envelope == *bytes => {
                    received = leaf.received;
                    events.push(Committed { position, mark });
                }
                Some(_) | None => {
                    return Ok(Err(Refused::Fork { producer: producer.clone(), pseq }));
                }
            }
        }
        Ok(Ok(Appended { events, received }))
    }

    async fn load_streams(&mut self, opened: &[Option<Vec<Opened>>]) -> Result<(), LogError> {
        let all = opened.iter().flatten().flatten();
        let missing: BTreeSet<StreamId> = all
            .flat_map(|one| reads(&one.envelope.subject))
            .filter(|id| !self.cache.contains_key(id))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let mut found = self.log.streams(&missing).await?;
        for id in missing {
            let state = found.remove(&id);
            self.cache.insert(id, state);
        }
        Ok(())
    }

    fn judge_all(
        &self,
        flushes: &[Flush],
        opened: Vec<Option<Vec<Opened>>>,
        batch: &mut Batch,
        now: Timestamp,
    ) {
        let mut streams =
            Overlay { base: &self.cache, changed: BTreeMap::new(), settled: BTreeMap::new() };
        for (index, (flush, opened)) in flushes.iter().zip(opened).enumerate() {
            let Some(opened) = opened else { continue };
            let appended = batch.judge(flush, opened, &mut streams, now);
            batch.results[index] = Ok(appended);
        }
        batch.changed = streams.changed;
        batch.settled = streams.settled;
    }

    fn commit_of(&self, batch: &Batch) -> Result<Commit, LogError> {
        let states = batch.changed.iter().map(|(id, state)| StateRow::new(id, state));
        let sources: BTreeSet<&str> = batch.events.iter().map(|e| e.producer.as_str()).collect();
        let news = |id: &&str| !self.ledger.producers.keys().any(|known| known.as_str() == *id);
        let fresh = batch.ledger.producers.keys().map(ProducerId::as_str).filter(news);
        let touched: BTreeSet<&str> = sources.iter().copied().chain(fresh).collect();
        let producers = batch.ledger.producers.iter();
        let row = LedgerRow::new(&batch.ledger);
        Ok(Commit {
            old_size: to_i64(self.frontier.size()),
            old_root: self.frontier.root(),
            new_size: to_i64(batch.frontier.size()),
            new_root: batch.frontier.root(),
            frontier: batch.frontier.to_bytes(),
            received: batch.events.last().map_or(0, |event| event.received),
            events: batch.events.clone(),
            states: states.collect::<Result<_, _>>()?,
            settled: batch
                .settled
                .iter()
                .filter(|(id, _)| !batch.changed.contains_key(*id))
                .map(|(id, at)| (id.to_string(), at.as_microsecond()))
                .collect(),
            producers: producers
                .filter(|(id, _)| touched.contains(id.as_str()))
                .map(|(id, producer)| ProducerRow::new(id.as_str(), producer))
                .collect(),
            ledger: (row != LedgerRow::new(&self.ledger)).then_some(row),
        })
    }

    fn adopt(
        &mut self,
        ledger: Ledger,
        frontier: Frontier,
        changed: BTreeMap<StreamId, StreamState>,
        settled: &BTreeMap<StreamId, Timestamp>,
    ) {
        (self.ledger, self.frontier) = (ledger, frontier);
        for (id, state) in changed {
            let over = state.body.run().is_some_and(|run| run.state.is_ended());
            if over {
                self.cache.remove(&id);
            } else {
                self.cache.insert(id, Some(state));
            }
        }
        for (id, at) in settled {
            if let Some(Some(state)) = self.cache.get_mut(id) {
                state.settled = state.settled.max(Some(*at));
            }
        }
        if self.cache.len() > CACHE_MAX {
            self.cache.clear();
        }
    }
}

impl Batch {
    fn new(ledger: Ledger, frontier: Frontier) -> Self {
        Self {
            ledger,
            frontier,
            events: Vec::new(),
            changed: BTreeMap::new(),
            settled: BTreeMap::new(),
            results: Vec::new(),
        }
    }

    fn judge(
        &mut self,
        flush: &Flush,
        opened: Vec<Opened>,
        streams: &mut Overlay<'_>,
        now: Timestamp,
    ) -> Appended {
        let last = opened.len().saturating_sub(1);
        let mut appended = Appended { events: Vec::with_capacity(opened.len()), received: now };
        for (index, (one, bytes)) in opened.into_iter().zip(&flush.envelopes).enumerate() {
            let Opened { envelope, event, hash } = one;
            let received = self.ledger.receive_time(now, &event);
            let mark = self.ledger.judge(streams, &envelope, &event, hash, received);
            let seals = if index == last { vec![flush.seal] } else { Vec::new() };
            let leaf = Leaf { received, envelope: bytes.clone(), seals }.to_bytes();
            let hash: Hash = leaf_hash(&leaf);
            self.frontier.push(hash);
            let position = self.frontier.size();
            self.events.push(EventRow {
                position: to_i64(position),
                leaf,
                leaf_hash: hash,
                event_id: envelope.id.to_string(),
                producer: envelope.source.to_string(),
                pseq: to_i64(envelope.pseq),
                stream: envelope.subject.to_string(),
                version: to_i64(envelope.version),
                kind: envelope.kind,
                received: received.as_microsecond(),
                void: mark.void(),
            });
            appended.received = received;
            appended.events.push(Committed { position, mark });
        }
        appended
    }
}

/// Moves the producer on, so that its next flush of the same batch can be opened. Only places and
/// keys matter here; the events themselves are judged later.
fn advance(places: &mut Ledger, opened: &[Opened]) {
    let Some(last) = opened.last() else { return };
    if let Some(producer) = places.producers.get_mut(&last.envelope.source) {
        producer.place = domain::envelope::Place { pseq: last.envelope.pseq, last: last.hash };
    }
}

fn first_known(opened: &[Opened], identities: &mut BTreeSet<String>) -> Option<String> {
    opened.iter().map(|one| one.envelope.id.to_string()).find(|id| !identities.insert(id.clone()))
}

fn entry(row: &EventRow) -> Result<LogEntry, LogError> {
    let bad = |error: &dyn std::fmt::Display| LogError::inconsistent("event", row.position, error);
    let leaf = Leaf::from_bytes(&row.leaf).map_err(|error| bad(&error))?;
    let text = String::from_utf8(leaf.envelope).map_err(|error| bad(&error))?;
    Ok(LogEntry {
        position: crate::rows::to_u64(row.position),
        received: leaf.received,
        void: row.void.clone(),
        event: RawValue::from_string(text).map_err(|error| bad(&error))?,
    })
}

/// What a mark means for whoever counts.
impl Appended {
    /// Whether every event is valid.
    pub fn all_valid(&self) -> bool {
        self.events.iter().all(|event| event.mark == Mark::Valid)
    }
}
