//! The log both recorders write to: rows, and a head that is replaced by compare-and-swap.

use std::collections::BTreeMap;
use std::rc::Rc;

use domain::envelope::Envelope;
use domain::event::Event;
use domain::ids::ProducerId;
use domain::leaf::Leaf;
use domain::ledger::{Mark, SEGMENT_EVENTS, segment_of};
use domain::wire::Committed;
use jiff::Timestamp;
use tlog::Hash;

/// A row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Its position, from 1.
    pub(super) position: u64,
    /// The bytes the tree commits to; none where they are in a file of the archive alone.
    pub(super) leaf: Vec<u8>,
    /// When it was received.
    pub(super) received: Timestamp,
    /// The envelope, read.
    pub(super) envelope: Rc<Envelope>,
    /// Its body, read.
    pub(super) event: Rc<Event>,
    /// What the recorder said about it.
    pub(super) mark: Mark,
}

/// The log.
#[derive(Debug)]
pub(super) struct SharedLog {
    /// Every row.
    pub(super) rows: Vec<Row>,
    /// The root the newest committer computed.
    pub(super) root: Hash,
    /// Leaves in files of the archive, by segment: each is whole, or not there.
    pub(super) files: BTreeMap<u64, Vec<Vec<u8>>>,
    counters: BTreeMap<(ProducerId, u64), usize>,
}

impl Default for SharedLog {
    fn default() -> Self {
        let (files, counters) = (BTreeMap::new(), BTreeMap::new());
        Self { rows: Vec::new(), root: Hash::EMPTY_ROOT, files, counters }
    }
}

impl SharedLog {
    /// How many events it holds.
    pub(super) fn size(&self) -> u64 {
        self.rows.len() as u64
    }

    /// One transaction: all rows, or none where the log has another size than `base`.
    pub(super) fn commit(&mut self, base: u64, rows: Vec<Row>, root: Hash) -> bool {
        if self.size() != base {
            return false;
        }
        for row in rows {
            let counter = (row.envelope.source.clone(), row.envelope.pseq);
            self.counters.insert(counter, self.rows.len());
            self.rows.push(row);
        }
        self.root = root;
        true
    }

    /// How many of the first rows are whole flushes: a copy of the log never holds a part of one.
    pub(super) fn whole(&self, size: u64) -> anyhow::Result<u64> {
        let mut rows = self.rows.iter().take(usize::try_from(size)?).rev();
        let sealed =
            |row: &&Row| Leaf::from_bytes(self.leaf(row)).is_ok_and(|leaf| !leaf.seals.is_empty());
        Ok(rows.find(sealed).map_or(0, |row| row.position))
    }

    /// The bytes that the tree commits to, wherever they are.
    pub(super) fn leaf<'a>(&'a self, row: &'a Row) -> &'a [u8] {
        if !row.leaf.is_empty() {
            return &row.leaf;
        }
        let file = self.files.get(&segment_of(row.position));
        let index = usize::try_from((row.position - 1) % SEGMENT_EVENTS).unwrap_or(usize::MAX);
        file.and_then(|leaves| leaves.get(index)).map_or(&[], Vec::as_slice)
    }

    /// Nothing is kept here any more of what is up to a position.
    pub(super) fn forget(&mut self, to: u64) {
        for row in self.rows.iter_mut().take_while(|row| row.position <= to) {
            row.leaf = Vec::new();
        }
    }

    /// What stands behind so many rows is lost.
    pub(super) fn truncate(&mut self, size: u64) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        self.rows.truncate(size);
        self.counters.retain(|_, index| *index < size);
    }

    /// The rows after a position, at most `limit`.
    pub(super) fn after(&self, position: u64, limit: usize) -> &[Row] {
        let from = usize::try_from(position).unwrap_or(usize::MAX).min(self.rows.len());
        &self.rows[from..self.rows.len().min(from.saturating_add(limit))]
    }

    /// Where the events `first..=last` of a producer are, and what became of them.
    pub(super) fn positions(
        &self,
        source: &ProducerId,
        first: u64,
        last: u64,
    ) -> Option<(Vec<Committed>, Timestamp)> {
        let row = |pseq| self.counters.get(&(source.clone(), pseq)).map(|index| &self.rows[*index]);
        let rows: Option<Vec<&Row>> = (first..=last).map(row).collect();
        let rows = rows?;
        let received = rows.last()?.received;
        let committed = |row: &&Row| Committed { position: row.position, mark: row.mark.clone() };
        Some((rows.iter().map(committed).collect(), received))
    }

    /// Whether the log holds exactly these bytes as the producer's event `pseq`.
    pub(super) fn holds(&self, source: &ProducerId, pseq: u64, envelope: &[u8]) -> bool {
        let index = self.counters.get(&(source.clone(), pseq));
        let leaf = index.and_then(|index| Leaf::from_bytes(self.leaf(&self.rows[*index])).ok());
        leaf.is_some_and(|leaf| leaf.envelope == envelope)
    }
}
