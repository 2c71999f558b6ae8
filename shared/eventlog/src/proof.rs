//! That an event is in the newest signed head: the audit path, from what is stored.
//!
//! Stored is the hash of each leaf, and no subtree. A path needs nearly all of them, so the roots of complete parts of
//! [`PART`] leaves are remembered once they were read: they never change, because the log only grows. One question reads
//! [`PARTS_AT_ONCE`] parts at most beside the two it always reads; where more are missing it says how far it came, and whoever
//! asks again goes on. What is remembered is 32 bytes for each part, 320 kB for ten million events.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::canonical::Digest;
use domain::ids::StreamId;
use domain::wire::{Consistency, Inclusion, Proof};
use tlog::{
    Checkpoint, Frontier, Hash, Note, consistency_spans, inclusion_proof_in_part, leaf_hash,
    verify_inclusion,
};

use crate::connect::EventLog;
use crate::error::LogError;
use crate::read::get;
use crate::rows::to_i64;
use crate::sql::Sql;

/// Leaves of a part, a power of two.
const PART: u64 = 1_024;
/// Most parts that one question reads and remembers.
const PARTS_AT_ONCE: u64 = 8;

/// The roots of the complete parts at the beginning of the log, as far as they were read.
pub(crate) type Parts = Arc<Mutex<Vec<Hash>>>;

fn root(leaves: &[Hash]) -> Hash {
    leaves.iter().copied().collect::<Frontier>().root()
}

/// A signed head, read without belief: whoever checks the proof checks the signature too.
fn head_of(note: &str) -> Result<Checkpoint, LogError> {
    let wrong =
        |error: &dyn std::fmt::Display| LogError::inconsistent("checkpoint", "newest", error);
    let parsed = Note::parse(note.as_bytes()).map_err(|error| wrong(&error))?;
    Checkpoint::parse(parsed.text()).map_err(|error| wrong(&error))
}

impl EventLog {
    /// The proof that the event at a position is in the newest signed head, or why there is none.
    pub(crate) async fn proof(&self, position: u64) -> Result<Proof, LogError> {
        let Some(note) = self.checkpoints(1).await?.into_iter().next() else {
            return Ok(Proof::NotSigned { size: 0 });
        };
        let head = head_of(&note)?;
        let size = head.size();
        if !(1..=size).contains(&position) {
            return Ok(Proof::NotSigned { size });
        }
        let complete = size / PART;
        let mut roots = self.parts(complete).await?;
        let known = roots.len() as u64;
        if known < complete {
            return Ok(Proof::Reading { read: known * PART, size });
        }
        let rest = self.hashes(complete * PART, size).await?;
        if !rest.is_empty() {
            roots.push(root(&rest));
        }
        self.path(position, &roots, &head, note).await.map(Proof::Proven)
    }

    /// Reads and remembers some more of what proofs need, so that nobody has to wait for it later.
    ///
    /// Returns whether there is more of it.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn read_ahead(&self) -> Result<bool, LogError> {
        let complete = self.head().await?.0 / PART;
        Ok((self.parts(complete).await?.len() as u64) < complete)
    }

    async fn path(
        &self,
        position: u64,
        roots: &[Hash],
        head: &Checkpoint,
        note: String,
    ) -> Result<Inclusion, LogError> {
        let wrong = |error: tlog::ProofError| LogError::inconsistent("event", position, error);
        let (index, size) = (position - 1, head.size());
        let (number, within) = (index / PART, index % PART);
        let part = self.hashes(number * PART, size.min((number + 1) * PART)).await?;
        let path = inclusion_proof_in_part(&part, within, roots, number).map_err(wrong)?;
        let stored = self.leaves(index, 1).await?.into_iter().next();
        let stored =
            stored.ok_or_else(|| LogError::inconsistent("event", position, "it is gone"))?;
        // From the bytes, not from the hash beside them: the proof is about what is handed out.
        let hash = leaf_hash(&stored.bytes);
        verify_inclusion(&hash, index, size, &path, &head.root()).map_err(wrong)?;
        Ok(Inclusion {
            position,
            leaf: STANDARD.encode(&stored.bytes),
            hash: Digest(hash.0),
            path: path.into_iter().map(|hash| Digest(hash.0)).collect(),
            head: note,
        })
    }

    /// The proof that the log's first `old` leaves are the beginning of its first `size` (RFC 6962 §2.1.2).
    ///
    /// # Errors
    /// The database cannot be read, or does not hold so many leaves.
    pub async fn consistency(&self, old: u64, size: u64) -> Result<Vec<Hash>, LogError> {
        let wrong = |error: tlog::ProofError| LogError::inconsistent("event", size, error);
        let mut proof = Vec::new();
        for span in consistency_spans(old, size).map_err(wrong)? {
            proof.push(self.span(span.start, span.end).await?);
        }
        Ok(proof)
    }

    /// The newest signed head, and the proof that it continues one of this size. `None` where none is signed.
    ///
    /// What cannot be proven is shown without a proof: whoever asks is to know of it.
    ///
    /// # Errors
    /// The database cannot be read, or more of it has to be read for the proof than one question reads.
    pub(crate) async fn consistency_since(
        &self,
        from: u64,
    ) -> Result<Option<Consistency>, LogError> {
        let Some(key) = self.head_key().await? else { return Ok(None) };
        let Some(head) = self.checkpoints(1).await?.into_iter().next() else { return Ok(None) };
        let size = head_of(&head).map_or(0, |head| head.size());
        let proof = if (1..size).contains(&from) {
            self.known_up_to(size).await?;
            match self.consistency(from, size).await {
                Err(LogError::Inconsistent { .. }) => Vec::new(),
                proof => proof?,
            }
        } else {
            Vec::new()
        };
        let proof = proof.into_iter().map(|hash| Digest(hash.0)).collect();
        let handovers = self.handovers().await?;
        Ok(Some(Consistency { key, head, proof, handovers }))
    }

    async fn handovers(&self) -> Result<Vec<String>, LogError> {
        let id = StreamId::continued();
        let streams = self.streams(&[id.clone()].into()).await?;
        let continued = streams.get(&id).and_then(|state| state.body.continued());
        Ok(continued.map(|continued| continued.handovers.clone()).unwrap_or_default())
    }

    /// Reads as much of what proofs need as one question may.
    async fn known_up_to(&self, size: u64) -> Result<(), LogError> {
        let complete = self.head().await?.0.min(size) / PART;
        let known = self.parts(complete).await?.len() as u64;
        if known < complete { Err(LogError::Reading { known: known * PART, size }) } else { Ok(()) }
    }

    /// The root of some leaves. Where there are more than a part has, they begin with one.
    pub(crate) async fn span(&self, from: u64, to: u64) -> Result<Hash, LogError> {
        if to - from <= PART {
            return Ok(root(&self.hashes(from, to).await?));
        }
        let (first, complete) = (from / PART, to / PART);
        let mut roots = self.parts(complete).await?;
        while (roots.len() as u64) < complete {
            roots = self.parts(complete).await?;
        }
        let own = roots.get(usize::try_from(first).unwrap_or(usize::MAX)..).unwrap_or_default();
        let mut own = own.to_vec();
        let rest = self.hashes(complete * PART, to).await?;
        if !rest.is_empty() {
            own.push(root(&rest));
        }
        Ok(root(&own))
    }

    /// The roots of the first complete parts: `wanted` of them, or as many as one question may read.
    async fn parts(&self, wanted: u64) -> Result<Vec<Hash>, LogError> {
        let mut roots = self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = roots.len() as u64;
        for number in known..wanted.min(known + PARTS_AT_ONCE) {
            roots.push(root(&self.hashes(number * PART, (number + 1) * PART).await?));
        }
        let mut all = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < roots.len() {
            all.clone_from(&roots);
        }
        drop(all);
        roots.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
        Ok(roots)
    }

    /// The hashes of the leaves from one index to another, one part of them at most.
    pub(crate) async fn hashes(&self, from: u64, to: u64) -> Result<Vec<Hash>, LogError> {
        let mut query = Sql::new("SELECT leaf_hash FROM event WHERE position > ");
        query.number(to_i64(from)).push(" AND position <= ").number(to_i64(to));
        query.push(" ORDER BY position");
        let rows = query.rows(&self.any, "reading the hashes of leaves").await?;
        let hash = |row| {
            let bytes: Vec<u8> = get(row, "leaf_hash")?;
            let sized = bytes.try_into().map(Hash);
            sized.map_err(|_| LogError::inconsistent("event", from, "a leaf's hash has 32 bytes"))
        };
        let hashes = rows.iter().map(hash).collect::<Result<Vec<_>, _>>()?;
        if hashes.len() as u64 == to - from {
            return Ok(hashes);
        }
        Err(LogError::inconsistent("event", from + 1, "leaves are missing after it"))
    }
}
