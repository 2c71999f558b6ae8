//! The read model, computed again from the events.

use domain::canonical::Digest;
use domain::ledger::{Ledger, Memory};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::connect::{Backend, EventLog};
use crate::error::LogError;
use crate::read::{ROWS_MAX, StoredLeaf};
use crate::rows::{ActedRow, LedgerRow, ProducerRow, ReadModel, StateRow, TurnRow, to_i64};
use crate::{postgres, sqlite};

/// What a rebuild did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilt {
    /// Events read.
    pub events: u64,
    /// Streams written.
    pub streams: u64,
}

/// The fold of a whole log.
#[derive(Debug, Default)]
struct Fold {
    ledger: Ledger,
    streams: Memory,
    acted: Vec<ActedRow>,
}

impl Fold {
    fn take(&mut self, stored: &StoredLeaf) -> Result<(), LogError> {
        let position = stored.position;
        if position != self.ledger.size + 1 {
            return Err(LogError::inconsistent("event", self.ledger.size + 1, "it is missing"));
        }
        let (leaf, envelope, event) = stored.open()?;
        self.acted.extend(ActedRow::new(&envelope, to_i64(position)));
        let hash = Digest::of(&leaf.envelope);
        let mark = self.ledger.judge(&mut self.streams, &envelope, &event, hash, leaf.received);
        if mark.void() != stored.void {
            let problem = format!("stored mark {:?}, computed {:?}", stored.void, mark.void());
            return Err(LogError::inconsistent("event", position, problem));
        }
        Ok(())
    }
}

impl EventLog {
    /// Drops the read model and computes it again from the events, and replaces it in one transaction.
    /// What is appended meanwhile is taken in: recorders may go on.
    ///
    /// # Errors
    /// The database failed, or an event is not what its mark says: then the old read model stays.
    pub async fn rebuild_read_model(&self) -> Result<Rebuilt, LogError> {
        let mut fold = Fold::default();
        loop {
            self.follow(&mut fold).await?;
            if self.replace_read_model(&fold).await? {
                let streams = fold.streams.0.len() as u64;
                return Ok(Rebuilt { events: fold.ledger.size, streams });
            }
        }
    }

    async fn follow(&self, fold: &mut Fold) -> Result<(), LogError> {
        loop {
            let leaves = self.leaves(fold.ledger.size, ROWS_MAX).await?;
            if leaves.is_empty() {
                return Ok(());
            }
            for leaf in &leaves {
                fold.take(leaf)?;
            }
        }
    }

    /// False where the log has grown since: then nothing is replaced.
    async fn replace_read_model(&self, fold: &Fold) -> Result<bool, LogError> {
        let states: Vec<StateRow> = fold
            .streams
            .0
            .iter()
            .map(|(id, state)| StateRow::new(id, state))
            .collect::<Result<_, _>>()?;
        let nothing = domain::ledger::Turn::default();
        let told = fold
            .streams
            .0
            .iter()
            .filter(|(_, state)| state.body.job().is_some() || state.turn != nothing);
        let turns = told.map(|(id, s)| TurnRow::new(id, &s.turn)).collect::<Result<_, _>>()?;
        let producers =
            fold.ledger.producers.iter().map(|(id, p)| ProducerRow::new(id.as_str(), p)).collect();
        let (size, ledger) = (to_i64(fold.ledger.size), LedgerRow::new(&fold.ledger));
        let model = ReadModel { size, states, turns, acted: &fold.acted, producers, ledger };
        match &self.backend {
            Backend::Postgres(pool) => postgres::put_all(pool, &model).await,
            Backend::Sqlite(pool) => sqlite::put_all(pool, &model).await,
        }
    }

    /// Every row of the read model as text behind its table's name, in order: two read models are equal if
    /// these are.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn read_model_text(&self) -> Result<Vec<String>, LogError> {
        let states = "SELECT 'state', stream, type, version, body, job, state, pool, instant, scheduled, open, late,
                      attempts, host, started, ended, message FROM state ORDER BY stream";
        let turns =
            "SELECT 'turn', job, settled, busy, leased, ahead, holders FROM turn ORDER BY job";
        let acted = "SELECT 'acted', actor, position, stream, kind FROM acted ORDER BY position";
        let mut lines = Vec::new();
        for sql in [states, turns, acted] {
            let rows = sqlx::query(sql).fetch_all(&self.any).await;
            for row in rows.map_err(LogError::database("reading the read model"))? {
                lines.push(line(&row).map_err(LogError::database("reading the read model"))?);
            }
        }
        Ok(lines)
    }
}

fn line(row: &AnyRow) -> Result<String, sqlx::Error> {
    let mut line = Vec::new();
    for index in 0..row.len() {
        let number = row.try_get::<Option<i64>, _>(index).map(|n| n.map(|n| n.to_string()));
        let value = number.or_else(|_| row.try_get::<Option<String>, _>(index))?;
        line.push(value.unwrap_or_else(|| "-".to_owned()));
    }
    Ok(line.join("|"))
}
