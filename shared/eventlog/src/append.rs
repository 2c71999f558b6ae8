//! The appender: judges flushes, gives positions, commits.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::canonical::Digest;
use domain::flush::Flush;
use domain::ids::{ProducerId, StreamId};
use domain::leaf::Leaf;
use domain::ledger::{
    Ledger, Mark, Opened, Refusal, StreamState, Streams, Turn, reads, reads_further,
};
use domain::wire::{Committed, LogEntry};
use jiff::Timestamp;
use tlog::{Frontier, Hash, leaf_hash};
use uuid::Uuid;

use crate::connect::{Backend, EventLog};
use crate::error::LogError;
use crate::rows::{
    ActedRow, Commit, EventRow, LedgerRow, ProducerRow, StateRow, TurnRow, digest, to_i64,
};
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
    Identity(Uuid),
    /// It repeats counters the log has, with other bytes: two journals speak with one key.
    #[error(
        "{producer} said something else as its event {pseq} before: its journal was copied or restored from a backup; give it a new name and a new journal"
    )]
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
    changed: BTreeMap<StreamId, Changed>,
}

/// A stream after this batch, and which of its rows are new: a job's body is large, and is not written
/// again with each of its runs.
struct Changed {
    state: StreamState,
    body: bool,
    turn: bool,
}

impl Streams for Overlay<'_> {
    fn get(&self, id: &StreamId) -> Option<&StreamState> {
        let here = self.changed.get(id).map(|changed| &changed.state);
        here.or_else(|| self.base.get(id).and_then(Option::as_ref))
    }

    fn put(&mut self, id: StreamId, state: StreamState) {
        // Every job has its row from its first event on.
        let first = self.get(&id).is_none() && state.body.job().is_some();
        let turn = first || self.changed.get(&id).is_some_and(|changed| changed.turn);
        self.changed.insert(id, Changed { state, body: true, turn });
    }

    fn put_turn(&mut self, job: &StreamId, turn: Turn) {
        if let Some(changed) = self.changed.get_mut(job) {
            (changed.state.turn, changed.turn) = (turn, true);
        } else if let Some(Some(state)) = self.base.get(job) {
            let state = StreamState { turn, ..state.clone() };
            self.changed.insert(job.clone(), Changed { state, body: false, turn: true });
        }
    }
}

/// What is done with a flush of a batch.
enum Fate {
    /// Its events are judged.
    Open(Vec<Opened>),
    /// Its producer has said these counters before.
    Said(ProducerId),
    /// It is not taken.
    Refused(Refused),
}

struct Batch {
    ledger: Ledger,
    frontier: Frontier,
    events: Vec<EventRow>,
    acted: Vec<ActedRow>,
    changed: BTreeMap<StreamId, Changed>,
}

impl Fate {
    fn events(&self) -> &[Opened] {
        if let Self::Open(opened) = self { opened } else { &[] }
    }
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

    /// The right edge of the tree.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Size and root of the tree.
    pub fn head(&self) -> (u64, Digest) {
        (self.frontier.size(), digest(&self.frontier.root()))
    }

    /// Reads the log again: another recorder has appended.
    ///
    /// # Errors
    /// The log cannot be read, or is shorter than it was; then what is known now stays.
    pub async fn reload(&mut self) -> Result<(), LogError> {
        let (ledger, frontier) = self.log.ledger().await?;
        let (size, reached) = (frontier.size(), self.frontier.size());
        if size < reached {
            return Err(LogError::Cut { size, reached });
        }
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
        let mut careful = false;
        loop {
            match self.append_once(flushes, now, careful).await {
                Err(LogError::Fenced) => self.reload().await?,
                // An identity that another event has: rare enough to look for it only now.
                Err(error) if error.is_constraint() && !careful => careful = true,
                Err(error) => {
                    // Whether the commit happened is not known. Where the log cannot be read either, what
                    // is known now stays: it commits nothing, because the head is compared.
                    if let Err(also) = self.reload().await {
                        if matches!(also, LogError::Cut { .. }) {
                            return Err(also);
                        }
                        tracing::warn!(error = %also, "the log could not be read again");
                    }
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
        careful: bool,
    ) -> Result<(Vec<Result<Appended, Refused>>, Vec<LogEntry>), LogError> {
        let (fates, ledger) = self.open_all(flushes, careful).await?;
        self.load_streams(&fates).await?;
        let mut batch = Batch::new(ledger, self.frontier.clone());
        let results = self.judge_all(flushes, fates, &mut batch, now).await?;
        if results.iter().any(Result::is_err) && self.moved().await? {
            // Judged by what is no longer true: a producer may have gone on through another recorder.
            return Err(LogError::Fenced);
        }
        if batch.events.is_empty() {
            return Ok((results, Vec::new()));
        }
        let commit = self.commit_of(&mut batch)?;
        match &self.log.backend {
            Backend::Postgres(pool) => postgres::commit(pool, &commit).await?,
            Backend::Sqlite(pool) => sqlite::commit(pool, &commit).await?,
        }
        self.adopt(batch);
        let entries = commit.events.iter().map(entry).collect::<Result<_, _>>()?;
        Ok((results, entries))
    }

    /// Opens every flush against the ledger as it will be when its turn comes, and returns that ledger.
    /// Whether the log has an event's identity is asked only if `careful`: its key would tell.
    async fn open_all(
        &self,
        flushes: &[Flush],
        careful: bool,
    ) -> Result<(Vec<Fate>, Ledger), LogError> {
        let (mut asked, mut known) = (BTreeSet::new(), BTreeSet::new());
        loop {
            let mut places = self.ledger.clone();
            let mut taken = known.clone();
            let open = |flush| open_one(&mut places, flush, &mut taken);
            let fates: Vec<Fate> = flushes.iter().map(open).collect();
            let ids = identities(&fates).filter(|id| careful && !asked.contains(id));
            let fresh: Vec<Uuid> = ids.collect();
            let found = self.log.known_ids(&fresh).await?;
            if found.is_empty() {
                return Ok((fates, places));
            }
            // Without the flushes that have these, others may open or not: once more from the start.
            asked.extend(fresh);
            known.extend(found);
        }
    }

    /// The answer to a flush whose counters the log has, or will have by this batch: the positions they
    /// got, if it is the same.
    async fn repeated(
        &self,
        batch: &Batch,
        producer: &ProducerId,
        flush: &Flush,
    ) -> Result<Result<Appended, Refused>, LogError> {
        let mut events = Vec::with_capacity(flush.envelopes.len());
        let mut received = Timestamp::MIN;
        for bytes in &flush.envelopes {
            let Ok(envelope) = domain::envelope::Envelope::parse_stored(bytes) else { break };
            let pseq = envelope.pseq;
            let said = match batch.said(producer, pseq) {
                Some(row) => Some(said(row)?),
                None => self.log.said(producer, pseq).await?,
            };
            match said {
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

    /// Brings what the events are judged by to hand: what they name, and what that names in its turn.
    async fn load_streams(&mut self, fates: &[Fate]) -> Result<(), LogError> {
        let mut wanted: BTreeSet<StreamId> =
            opened(fates).flat_map(|one| reads(&one.envelope, &one.event)).collect();
        // A run in parts is at hand as long as it is open, and its parts are not any more when they have ended.
        let cached = wanted.iter().filter_map(|id| self.cache.get(id)?.as_ref());
        let in_parts = cached.filter(|state| state.body.run().is_some_and(|r| !r.parts.is_empty()));
        let parts: Vec<StreamId> = in_parts.flat_map(reads_further).collect();
        wanted.extend(parts);
        loop {
            wanted.retain(|id| !self.cache.contains_key(id));
            if wanted.is_empty() {
                return Ok(());
            }
            let mut found = self.log.streams(&wanted).await?;
            let further = found.values().flat_map(reads_further).collect();
            for id in std::mem::replace(&mut wanted, further) {
                let state = found.remove(&id);
                self.cache.insert(id, state);
            }
        }
    }

    async fn judge_all(
        &self,
        flushes: &[Flush],
        fates: Vec<Fate>,
        batch: &mut Batch,
        now: Timestamp,
    ) -> Result<Vec<Result<Appended, Refused>>, LogError> {
        let mut streams = Overlay { base: &self.cache, changed: BTreeMap::new() };
        let mut results = Vec::with_capacity(flushes.len());
        for (flush, fate) in flushes.iter().zip(fates) {
            results.push(match fate {
                Fate::Open(opened) => Ok(batch.judge(flush, opened, &mut streams, now)),
                Fate::Said(producer) => self.repeated(batch, &producer, flush).await?,
                Fate::Refused(refused) => Err(refused),
            });
        }
        batch.changed = streams.changed;
        Ok(results)
    }

    fn commit_of(&self, batch: &mut Batch) -> Result<Commit, LogError> {
        let events = std::mem::take(&mut batch.events);
        let states = batch.changed.iter().filter(|(_, changed)| changed.body);
        let states = states.map(|(id, changed)| StateRow::new(id, &changed.state));
        let turns = batch.changed.iter().filter(|(_, changed)| changed.turn);
        let turns = turns.map(|(id, changed)| TurnRow::new(id, &changed.state.turn));
        let before = &self.ledger.producers;
        let producers = batch.ledger.producers.iter();
        let producers = producers.filter(|(id, producer)| before.get(*id) != Some(*producer));
        let row = LedgerRow::new(&batch.ledger);
        Ok(Commit {
            old_size: to_i64(self.frontier.size()),
            old_root: self.frontier.root(),
            new_size: to_i64(batch.frontier.size()),
            new_root: batch.frontier.root(),
            frontier: batch.frontier.to_bytes(),
            received: events.last().map_or(0, |event| event.received),
            events,
            acted: std::mem::take(&mut batch.acted),
            states: states.collect::<Result<_, _>>()?,
            turns: turns.collect::<Result<_, _>>()?,
            producers: producers.map(|(id, p)| ProducerRow::new(id.as_str(), p)).collect(),
            ledger: (row != LedgerRow::new(&self.ledger)).then_some(row),
        })
    }

    fn adopt(&mut self, batch: Batch) {
        (self.ledger, self.frontier) = (batch.ledger, batch.frontier);
        for (id, Changed { state, .. }) in batch.changed {
            let over = state.body.run().is_some_and(|run| run.state.is_ended());
            if over {
                self.cache.remove(&id);
            } else {
                self.cache.insert(id, Some(state));
            }
        }
        if self.cache.len() > CACHE_MAX {
            self.cache.clear();
        }
    }
}

impl Batch {
    fn new(ledger: Ledger, frontier: Frontier) -> Self {
        let (events, acted, changed) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { ledger, frontier, events, acted, changed }
    }

    /// What this batch takes from a producer as its event `pseq`.
    fn said(&self, producer: &ProducerId, pseq: u64) -> Option<&EventRow> {
        let pseq = to_i64(pseq);
        self.events.iter().find(|row| row.pseq == pseq && row.producer == producer.as_str())
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
            self.acted.extend(ActedRow::new(&envelope, to_i64(position)));
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
        producer.adrift = false;
    }
}

fn open_one(places: &mut Ledger, flush: &Flush, taken: &mut BTreeSet<Uuid>) -> Fate {
    match places.open(flush) {
        Ok(opened) => match take_identities(&opened, taken) {
            Ok(()) => {
                advance(places, &opened);
                Fate::Open(opened)
            }
            Err(id) => Fate::Refused(Refused::Identity(id)),
        },
        Err(Refusal::Known { producer, .. }) => Fate::Said(producer),
        Err(Refusal::Unknown(producer)) => Fate::Refused(Refused::NotEnrolled(producer)),
        Err(refusal) => Fate::Refused(Refused::Refusal(refusal)),
    }
}

/// Adds the identities of a flush to those taken: all, or, where one is taken already, none.
fn take_identities(opened: &[Opened], taken: &mut BTreeSet<Uuid>) -> Result<(), Uuid> {
    let mut own = BTreeSet::new();
    for id in opened.iter().map(|one| one.envelope.id) {
        if taken.contains(&id) || own.contains(&id) {
            return Err(id);
        }
        own.insert(id);
    }
    taken.append(&mut own);
    Ok(())
}

fn opened(fates: &[Fate]) -> impl Iterator<Item = &Opened> {
    fates.iter().flat_map(Fate::events)
}

fn identities(fates: &[Fate]) -> impl Iterator<Item = Uuid> {
    opened(fates).map(|one| one.envelope.id)
}

/// What a row of this batch says, as [`EventLog::said`] will say it once it is committed.
fn said(row: &EventRow) -> Result<(u64, Leaf, Mark), LogError> {
    let leaf = Leaf::from_bytes(&row.leaf)
        .map_err(|error| LogError::inconsistent("event", row.position, error))?;
    Ok((crate::rows::to_u64(row.position), leaf, crate::rows::mark_from(row.void.as_deref())))
}

fn entry(row: &EventRow) -> Result<LogEntry, LogError> {
    crate::read::entry(crate::rows::to_u64(row.position), &row.leaf, row.void.as_deref())
}

/// What a mark means for whoever counts.
impl Appended {
    /// Whether every event is valid.
    pub fn all_valid(&self) -> bool {
        self.events.iter().all(|event| event.mark == Mark::Valid)
    }
}
