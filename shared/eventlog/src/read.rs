//! Reading the log: what a recorder must know, and what comes after a position.

use std::collections::{BTreeMap, BTreeSet};

use domain::canonical::Digest;
use domain::envelope::{Envelope, Place};
use domain::event::Event;
use domain::ids::{ProducerId, StreamId, StreamType};
use domain::keys::PublicKey;
use domain::leaf::Leaf;
use domain::ledger::{Body, Ledger, Mark, Memory, Policy, Producer, StreamState, Streams, Turn};
use domain::wire::{EventFilter, LogEntry};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _};
use tlog::{Frontier, Hash};
use uuid::Uuid;

use crate::connect::EventLog;
use crate::error::LogError;
use crate::rows::{mark_from, to_i64, to_u64};
use crate::sql::Sql;

/// Most rows of one read.
pub const ROWS_MAX: u32 = 2_000;
/// Names in one `IN (…)`.
const NAMES: usize = 500;

/// Streams that are no runs, with all that is known of them.
pub(crate) const STATES: &str =
    "SELECT s.stream, s.version, s.body, t.settled, t.busy, t.leased, t.ahead, t.holders
                                 FROM state s LEFT JOIN turn t ON t.job = s.stream";

/// A leaf as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLeaf {
    /// Its position, from 1.
    pub position: u64,
    /// The bytes the tree commits to.
    pub bytes: Vec<u8>,
    /// The leaf hash as stored.
    pub hash: Vec<u8>,
    /// Why it is void.
    pub void: Option<String>,
}

impl StoredLeaf {
    /// What is in it.
    pub(crate) fn open(&self) -> Result<(Leaf, Envelope, Event), LogError> {
        let leaf = Leaf::from_bytes(&self.bytes)
            .map_err(|error| LogError::inconsistent("event", self.position, error))?;
        let envelope =
            Envelope::parse_stored(&leaf.envelope).map_err(LogError::envelope(self.position))?;
        let event = envelope.event().map_err(LogError::body(self.position))?;
        Ok((leaf, envelope, event))
    }
}

pub(crate) fn get<'r, T>(row: &'r AnyRow, column: &'static str) -> Result<T, LogError>
where
    T: sqlx::Decode<'r, Any> + sqlx::Type<Any>,
{
    row.try_get(column).map_err(LogError::database("reading a row"))
}

pub(crate) fn timestamp(table: &'static str, micros: i64) -> Result<Timestamp, LogError> {
    Timestamp::from_microsecond(micros)
        .map_err(|error| LogError::inconsistent(table, micros, error))
}

impl EventLog {
    /// What must be known to judge the next event, and the right edge of the tree.
    ///
    /// # Errors
    /// The database cannot be read, or does not hold a log.
    pub(crate) async fn ledger(&self) -> Result<(Ledger, Frontier), LogError> {
        // The head is read before and after: what is read in between belongs to it only if it stood still.
        loop {
            let before = self.frontier().await?;
            let ledger = self.ledger_at(&before).await?;
            if self.frontier().await?.0 == before.0 {
                return Ok((ledger, before.0));
            }
        }
    }

    async fn frontier(&self) -> Result<(Frontier, i64), LogError> {
        let row = sqlx::query("SELECT size, root, frontier, received FROM head WHERE id = 1")
            .fetch_one(&self.any)
            .await
            .map_err(LogError::database("reading the head"))?;
        let size = to_u64(get(&row, "size")?);
        let bytes: Vec<u8> = get(&row, "frontier")?;
        let frontier = Frontier::from_bytes(size, &bytes)
            .map_err(|error| LogError::inconsistent("head", 1, error))?;
        let root: Vec<u8> = get(&row, "root")?;
        if frontier.root().0.as_slice() != root.as_slice() {
            return Err(LogError::inconsistent("head", 1, "the root is not that of the frontier"));
        }
        Ok((frontier, get(&row, "received")?))
    }

    async fn ledger_at(&self, (frontier, received): &(Frontier, i64)) -> Result<Ledger, LogError> {
        let row = sqlx::query(
            "SELECT origin, head_key, self_approval, accounts FROM ledger WHERE id = 1",
        )
        .fetch_one(&self.any)
        .await
        .map_err(LogError::database("reading the log's rules"))?;
        let empty = frontier.size() == 0;
        Ok(Ledger {
            origin: get(&row, "origin")?,
            head_key: get(&row, "head_key")?,
            producers: self.producers().await?,
            policy: self.policy().await?,
            size: frontier.size(),
            received: if empty { None } else { Some(timestamp("head", *received)?) },
        })
    }

    /// Rules of the site.
    pub(crate) async fn policy(&self) -> Result<Policy, LogError> {
        let row = sqlx::query("SELECT self_approval, accounts FROM ledger WHERE id = 1")
            .fetch_one(&self.any)
            .await
            .map_err(LogError::database("reading the log's rules"))?;
        let (self_approval, accounts): (i64, i64) =
            (get(&row, "self_approval")?, get(&row, "accounts")?);
        Ok(Policy { self_approval: self_approval != 0, accounts: accounts != 0 })
    }

    async fn producers(&self) -> Result<BTreeMap<ProducerId, Producer>, LogError> {
        let rows = sqlx::query("SELECT id, key, pseq, last, revoked, adrift FROM producer")
            .fetch_all(&self.any)
            .await
            .map_err(LogError::database("reading the producers"))?;
        rows.iter().map(producer).collect()
    }

    /// The state of a stream; nothing where it has no event.
    ///
    /// # Errors
    /// The database cannot be read, or a state is not one.
    pub async fn stream(&self, id: &StreamId) -> Result<Option<StreamState>, LogError> {
        Ok(self.streams(&std::iter::once(id.clone()).collect()).await?.remove(id))
    }

    /// States of streams; those without an event are left out.
    ///
    /// # Errors
    /// The database cannot be read, or a state is not one.
    pub async fn streams(
        &self,
        ids: &BTreeSet<StreamId>,
    ) -> Result<BTreeMap<StreamId, StreamState>, LogError> {
        let (runs, others): (Vec<&StreamId>, Vec<&StreamId>) =
            ids.iter().partition(|id| id.stream_type() == StreamType::Run);
        let mut found = self.runs_from_events(&runs).await?;
        for part in others.chunks(NAMES) {
            let mut query = Sql::new(STATES);
            query.push(" WHERE s.stream IN ").list(part.iter().map(|id| id.as_str()));
            for row in query.rows(&self.any, "reading streams").await? {
                let (id, state) = stream_state(&row)?;
                found.insert(id, state);
            }
        }
        Ok(found)
    }

    /// Runs as their valid events tell them: a run has few, and the read model keeps no second telling.
    pub(crate) async fn runs_from_events(
        &self,
        ids: &[&StreamId],
    ) -> Result<BTreeMap<StreamId, StreamState>, LogError> {
        let (from, stream) = if self.is_postgres() {
            ("event_version k JOIN event e ON e.position = k.position WHERE ", "k.stream")
        } else {
            ("event e WHERE e.void IS NULL AND ", "e.stream")
        };
        let mut streams = Memory::default();
        for part in ids.chunks(NAMES) {
            let mut query = Sql::new("SELECT e.position, e.leaf, e.leaf_hash, e.void FROM ");
            query.push(from).push(stream).push(" IN ").list(part.iter().map(|id| id.as_str()));
            query.push(" ORDER BY e.position");
            let rows = query.rows(&self.any, "reading runs").await?;
            for stored in self.stored(&rows).await? {
                let (leaf, envelope, event) = stored.open()?;
                streams.evolve(&envelope, &event, leaf.received);
            }
        }
        Ok(streams.0)
    }

    /// Which of these event identities the log has.
    pub(crate) async fn known_ids(&self, ids: &[Uuid]) -> Result<BTreeSet<Uuid>, LogError> {
        let mut known = BTreeSet::new();
        let table = if self.is_postgres() { "event_id" } else { "event" };
        for part in ids.chunks(NAMES) {
            let part: Vec<String> = part.iter().map(Uuid::to_string).collect();
            let mut query = Sql::new("SELECT event_id FROM ");
            query.push(table).push(" WHERE event_id IN ").list(part.iter().map(String::as_str));
            for row in query.rows(&self.any, "looking for event identities").await? {
                let id: String = get(&row, "event_id")?;
                let parsed = id.parse();
                known.insert(parsed.map_err(|error| LogError::inconsistent("event", &id, error))?);
            }
        }
        Ok(known)
    }

    /// What a producer said as its event `pseq`.
    pub(crate) async fn said(
        &self,
        producer: &ProducerId,
        pseq: u64,
    ) -> Result<Option<(u64, Leaf, Mark)>, LogError> {
        let sql = if self.is_postgres() {
            "SELECT e.position, e.leaf, e.leaf_hash, e.void FROM event_producer k JOIN event e ON e.position = k.position
             WHERE k.producer = $1 AND k.pseq = $2"
        } else {
            "SELECT position, leaf, leaf_hash, void FROM event WHERE producer = $1 AND pseq = $2"
        };
        let row = sqlx::query(sql)
            .bind(producer.as_str().to_owned())
            .bind(to_i64(pseq))
            .fetch_optional(&self.any)
            .await
            .map_err(LogError::database("looking for an event of a producer"))?;
        let rows: Vec<AnyRow> = row.into_iter().collect();
        let Some(stored) = self.stored(&rows).await?.into_iter().next() else { return Ok(None) };
        let leaf = Leaf::from_bytes(&stored.bytes)
            .map_err(|error| LogError::inconsistent("event", stored.position, error))?;
        Ok(Some((stored.position, leaf, mark_from(stored.void.as_deref()))))
    }

    /// Leaves after position `after`, at most `limit` (and at most [`ROWS_MAX`]).
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn leaves(&self, after: u64, limit: u32) -> Result<Vec<StoredLeaf>, LogError> {
        let sql = "SELECT position, leaf, leaf_hash, void FROM event
                   WHERE position > $1 ORDER BY position LIMIT $2";
        let rows = sqlx::query(sql)
            .bind(to_i64(after))
            .bind(i64::from(limit.min(ROWS_MAX)))
            .fetch_all(&self.any)
            .await
            .map_err(LogError::database("reading leaves"))?;
        self.stored(&rows).await
    }

    /// The leaves of rows; what the database does not hold any more is read from the archive.
    pub(crate) async fn stored(&self, rows: &[AnyRow]) -> Result<Vec<StoredLeaf>, LogError> {
        let mut leaves = rows.iter().map(stored_leaf).collect::<Result<Vec<_>, _>>()?;
        self.bring(&mut leaves).await?;
        Ok(leaves)
    }

    /// Entries after position `after`, of one stream or of all.
    ///
    /// # Errors
    /// The database cannot be read, or an event is not one.
    pub async fn entries(
        &self,
        after: u64,
        limit: u32,
        stream: Option<&StreamId>,
    ) -> Result<Vec<LogEntry>, LogError> {
        let leaves = match stream {
            None => self.leaves(after, limit).await?,
            Some(stream) => self.leaves_of(after, limit, stream).await?,
        };
        leaves.iter().map(|leaf| entry(leaf.position, &leaf.bytes, leaf.void.as_deref())).collect()
    }

    async fn leaves_of(
        &self,
        after: u64,
        limit: u32,
        stream: &StreamId,
    ) -> Result<Vec<StoredLeaf>, LogError> {
        let valid = if self.is_postgres() {
            "SELECT e.position, e.leaf, e.leaf_hash, e.void FROM event_version k JOIN event e ON e.position = k.position
             WHERE k.stream = "
        } else {
            "SELECT position, leaf, leaf_hash, void FROM event WHERE void IS NULL AND stream = "
        };
        let (position, limit) = (to_i64(after), i64::from(limit.min(ROWS_MAX)));
        let mut query = Sql::new(valid);
        query.text(stream.as_str());
        query.push(if self.is_postgres() { " AND k.position > " } else { " AND position > " });
        query.number(position);
        query.push(
            " UNION ALL SELECT position, leaf, leaf_hash, void FROM event WHERE void IS NOT NULL AND stream = ",
        );
        query.text(stream.as_str()).push(" AND position > ").number(position);
        query.push(" ORDER BY position LIMIT ").number(limit);
        let rows = query.rows(&self.any, "reading a stream").await?;
        self.stored(&rows).await
    }

    /// Events that fit, newest first.
    pub(crate) async fn search(&self, filter: &EventFilter) -> Result<Vec<LogEntry>, LogError> {
        let columns = "SELECT e.position, e.leaf, e.leaf_hash, e.void FROM ";
        let filter = &self.by_position(filter).await?;
        let mut query = Sql::new(columns);
        if let Some(actor) = &filter.actor {
            return self.acted(actor, filter).await;
        }
        match &filter.stream {
            None => fitting(query.push("event e WHERE "), filter),
            Some(stream) => {
                query.push(if self.is_postgres() {
                    "event_version k JOIN event e ON e.position = k.position WHERE k.stream = "
                } else {
                    "event e WHERE e.void IS NULL AND e.stream = "
                });
                fitting(query.text(stream.as_str()).push(" AND "), filter);
                query.push(" UNION ALL ").push(columns).push("event e WHERE e.void IS NOT NULL");
                query.push(" AND e.stream = ").text(stream.as_str()).push(" AND ");
                fitting(&mut query, filter);
            }
        }
        query.push(" ORDER BY position DESC LIMIT ");
        query.number(i64::from(filter.limit.min(ROWS_MAX)));
        let rows = query.rows(&self.any, "searching events").await?;
        let leaves = self.stored(&rows).await?;
        leaves.iter().map(|leaf| entry(leaf.position, &leaf.bytes, leaf.void.as_deref())).collect()
    }

    /// What somebody did, newest first: where that is, is known by itself, and only these events are read.
    async fn acted(&self, actor: &str, filter: &EventFilter) -> Result<Vec<LogEntry>, LogError> {
        let mut query = Sql::new("SELECT e.position FROM acted e WHERE e.actor = ");
        query.text(actor).push(" AND ");
        fitting(&mut query, filter);
        if let Some(stream) = &filter.stream {
            query.push(" AND e.stream = ").text(stream.as_str());
        }
        query.push(" ORDER BY e.position DESC LIMIT ");
        query.number(i64::from(filter.limit.min(ROWS_MAX)));
        let mut found = Vec::new();
        for part in query.rows(&self.any, "looking for what somebody did").await?.chunks(NAMES) {
            let positions: Vec<String> = part
                .iter()
                .map(|row| get::<i64>(row, "position").map(|position| position.to_string()))
                .collect::<Result<_, _>>()?;
            let mut query =
                Sql::new("SELECT position, leaf, leaf_hash, void FROM event WHERE position IN (");
            query.push(&positions.join(", ")).push(") ORDER BY position DESC");
            let rows = query.rows(&self.any, "reading what somebody did").await?;
            found.extend(self.stored(&rows).await?);
        }
        found.iter().map(|leaf| entry(leaf.position, &leaf.bytes, leaf.void.as_deref())).collect()
    }

    /// The same filter with positions in the place of times: events are received in their order, so that a time is a place
    /// in the log, and nothing has to be looked through for it.
    async fn by_position(&self, filter: &EventFilter) -> Result<EventFilter, LogError> {
        let mut filter = filter.clone();
        if let Some(since) = filter.since.take() {
            filter.after = filter.after.max(self.first_since(since).await? - 1);
        }
        if let Some(until) = filter.until.take() {
            let until = self.first_since(until).await?;
            filter.before = Some(filter.before.map_or(until, |before| before.min(until)));
        }
        Ok(filter)
    }

    /// The position of the first event that was not received before an instant, or that of the next one.
    async fn first_since(&self, at: Timestamp) -> Result<u64, LogError> {
        let (mut from, mut until) = (1, self.head().await?.0 + 1);
        while from < until {
            let middle = from.midpoint(until);
            if self.received(middle).await? < at.as_microsecond() {
                from = middle + 1;
            } else {
                until = middle;
            }
        }
        Ok(from)
    }

    /// When the event at a position was received, in microseconds.
    pub(crate) async fn received(&self, position: u64) -> Result<i64, LogError> {
        let row = sqlx::query("SELECT received FROM event WHERE position = $1")
            .bind(to_i64(position))
            .fetch_one(&self.any)
            .await
            .map_err(LogError::database("looking for a time in the log"))?;
        get(&row, "received")
    }

    /// The time of the database's machine; nothing where it is this one.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn clock(&self) -> Result<Option<Timestamp>, LogError> {
        if !self.is_postgres() {
            return Ok(None);
        }
        let sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS at";
        let row = sqlx::query(sql).fetch_one(&self.any).await;
        let row = row.map_err(LogError::database("asking for the time of the database"))?;
        timestamp("clock", get(&row, "at")?).map(Some)
    }

    /// Why nothing shows that the database is copied anywhere; nothing where something does, or it is a file.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn uncopied(&self) -> Result<Option<String>, LogError> {
        if !self.is_postgres() {
            return Ok(None);
        }
        let sql = "SELECT current_setting('archive_mode') AS mode, (SELECT CAST(COUNT(*) AS BIGINT) FROM pg_stat_replication) AS standbys,
                   (SELECT CAST(COALESCE(EXTRACT(EPOCH FROM now() - last_archived_time), -1) AS BIGINT) FROM pg_stat_archiver) AS archived";
        let row = sqlx::query(sql).fetch_one(&self.any).await;
        let row = row.map_err(LogError::database("asking whether the database is copied"))?;
        let (mode, standbys): (String, i64) = (get(&row, "mode")?, get(&row, "standbys")?);
        let archived: i64 = get(&row, "archived")?;
        let day = 86_400;
        Ok(match (mode.as_str(), archived) {
            _ if standbys > 0 => None,
            ("off", _) => Some("its write-ahead log is not archived (archive_mode is off), and no standby follows it".to_owned()),
            (_, archived) if archived < 0 => Some("no write-ahead log of it was archived yet, and no standby follows it".to_owned()),
            (_, archived) if archived > day => Some(format!("no write-ahead log of it was archived for {} h, and no standby follows it", archived / 3_600)),
            _ => None,
        })
    }

    /// Which logins, besides superusers, may take leaves of archived events out of the database.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn archivists(&self) -> Result<Vec<String>, LogError> {
        if !self.is_postgres() {
            return Ok(Vec::new());
        }
        let sql = "SELECT rolname::text AS name FROM pg_roles WHERE rolcanlogin AND NOT rolsuper
                   AND pg_has_role(oid, 'decklog_archivist', 'MEMBER') ORDER BY 1";
        let rows = sqlx::query(sql).fetch_all(&self.any).await;
        let rows = rows.map_err(LogError::database("asking who may take archived leaves out"))?;
        rows.iter().map(|row| get(row, "name")).collect()
    }

    /// Size and root of the tree.
    ///
    /// # Errors
    /// The database cannot be read, or does not hold a log.
    pub async fn head(&self) -> Result<(u64, Hash), LogError> {
        let (frontier, _) = self.frontier().await?;
        Ok((frontier.size(), frontier.root()))
    }

    /// The right edge of the tree.
    ///
    /// # Errors
    /// The database cannot be read, or does not hold a log.
    pub async fn edge(&self) -> Result<Frontier, LogError> {
        self.frontier().await.map(|(frontier, _)| frontier)
    }

    /// Name and head key of the log; `None` before its first event.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn origin(&self) -> Result<Option<(String, String)>, LogError> {
        let (ledger, _) = self.ledger().await?;
        Ok(ledger.origin.zip(ledger.head_key))
    }

    /// The key that signs heads; `None` before the first event.
    pub(crate) async fn head_key(&self) -> Result<Option<String>, LogError> {
        let row = sqlx::query("SELECT head_key FROM ledger WHERE id = 1")
            .fetch_one(&self.any)
            .await
            .map_err(LogError::database("reading the log's key"))?;
        get(&row, "head_key")
    }

    /// Signed heads, newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn checkpoints(&self, limit: u32) -> Result<Vec<String>, LogError> {
        let rows =
            sqlx::query("SELECT note FROM checkpoint ORDER BY size DESC, signed DESC LIMIT $1")
                .bind(i64::from(limit))
                .fetch_all(&self.any)
                .await
                .map_err(LogError::database("reading heads"))?;
        rows.iter().map(|row| get(row, "note")).collect()
    }

    /// Keeps a signed head.
    ///
    /// # Errors
    /// The database failed.
    pub async fn put_checkpoint(
        &self,
        size: u64,
        note: &str,
        signed: Timestamp,
    ) -> Result<(), LogError> {
        let sql = if self.is_postgres() {
            "SELECT decklog_append_checkpoint($1, $2, $3)"
        } else {
            "INSERT INTO checkpoint (size, note, signed) VALUES ($1, $2, $3)"
        };
        sqlx::query(sql)
            .bind(to_i64(size))
            .bind(note.to_owned())
            .bind(signed.as_microsecond())
            .execute(&self.any)
            .await
            .map_err(LogError::database("keeping a signed head"))?;
        Ok(())
    }
}

fn producer(row: &AnyRow) -> Result<(ProducerId, Producer), LogError> {
    let id: String = get(row, "id")?;
    let bad = |error: &dyn std::fmt::Display| LogError::inconsistent("producer", &id, error);
    let parsed: ProducerId = id.parse().map_err(|error| bad(&error))?;
    let key: String = get(row, "key")?;
    let key = PublicKey::from_hex(&key).map_err(|error| bad(&error))?;
    let last: Vec<u8> = get(row, "last")?;
    let last = <[u8; 32]>::try_from(last.as_slice()).map_err(|error| bad(&error))?;
    let place = Place { pseq: to_u64(get(row, "pseq")?), last: Digest(last) };
    let revoked: i64 = get(row, "revoked")?;
    let adrift: i64 = get(row, "adrift")?;
    Ok((parsed, Producer { key, place, revoked: revoked != 0, adrift: adrift != 0 }))
}

pub(crate) fn stream_state(row: &AnyRow) -> Result<(StreamId, StreamState), LogError> {
    let stream: String = get(row, "stream")?;
    let bad = |error: &dyn std::fmt::Display| LogError::inconsistent("state", &stream, error);
    let id: StreamId = stream.parse().map_err(|error| bad(&error))?;
    let body: String = get(row, "body")?;
    let body: Body = serde_json::from_str(&body).map_err(|error| bad(&error))?;
    let settled: Option<i64> = get(row, "settled")?;
    let settled = settled.map(|at| timestamp("turn", at)).transpose()?;
    let busy: Option<String> = get(row, "busy")?;
    let busy = busy.iter().flat_map(|runs| runs.split(' ')).map(str::parse);
    let busy = busy.collect::<Result<_, _>>().map_err(|error| bad(&error))?;
    let leased: Vec<(i64, i64)> = list(row, "leased", &stream)?;
    let instants = |(from, at)| Ok((timestamp("turn", from)?, timestamp("turn", at)?));
    let leased = leased.into_iter().map(instants).collect::<Result<_, LogError>>()?;
    let ahead: Vec<i64> = list(row, "ahead", &stream)?;
    let ahead = ahead.into_iter().map(|at| timestamp("turn", at)).collect::<Result<_, _>>()?;
    let holders = list(row, "holders", &stream)?;
    let turn = Turn { settled, leased, ahead, busy, holders };
    Ok((id, StreamState { version: to_u64(get(row, "version")?), body, turn }))
}

/// A column that holds a list as JSON, or nothing.
fn list<T: DeserializeOwned>(
    row: &AnyRow,
    name: &'static str,
    stream: &str,
) -> Result<Vec<T>, LogError> {
    let text: Option<String> = get(row, name)?;
    let read = text.map_or_else(|| Ok(Vec::new()), |text| serde_json::from_str(&text));
    read.map_err(|error| LogError::inconsistent("turn", stream, error))
}

fn stored_leaf(row: &AnyRow) -> Result<StoredLeaf, LogError> {
    Ok(StoredLeaf {
        position: to_u64(get(row, "position")?),
        bytes: get(row, "leaf")?,
        hash: get(row, "leaf_hash")?,
        void: get(row, "void")?,
    })
}

/// A leaf as readers of the log get it.
pub(crate) fn entry(position: u64, leaf: &[u8], void: Option<&str>) -> Result<LogEntry, LogError> {
    let bad = |error: &dyn std::fmt::Display| LogError::inconsistent("event", position, error);
    let leaf = Leaf::from_bytes(leaf).map_err(|error| bad(&error))?;
    let text = String::from_utf8(leaf.envelope).map_err(|error| bad(&error))?;
    let event = RawValue::from_string(text).map_err(|error| bad(&error))?;
    Ok(LogEntry { position, received: leaf.received, void: void.map(str::to_owned), event })
}

/// What a filter says of each event, beside its times.
fn fitting(query: &mut Sql, filter: &EventFilter) {
    query.push("e.position > ").number(to_i64(filter.after));
    if let Some(before) = filter.before {
        query.push(" AND e.position < ").number(to_i64(before));
    }
    if let Some(kind) = &filter.kind {
        query.push(" AND e.kind = ").text(kind);
    }
}
