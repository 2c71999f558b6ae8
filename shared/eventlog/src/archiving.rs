//! Segments of the log move into files: written, read again from the file, compared with the newest signed head, and only then
//! said to be there. What was said so, the database need not hold any more.

use std::path::Path;

use domain::canonical::Digest;
use domain::event::LogArchived;
use domain::ids::StreamId;
use domain::ledger::{Archive as Archived, SEGMENT_EVENTS};
use jiff::Timestamp;
use tlog::{Checkpoint, TILE_WIDTH, VerifierKey};

use crate::archive::{Archive, ArchiveError, Written};
use crate::connect::{Backend, EventLog};
use crate::error::LogError;
use crate::guards::Weakness;
use crate::read::{StoredLeaf, get};
use crate::rows::{to_i64, to_u64};
use crate::{postgres, sqlite};

/// Positions of which a database forgets the leaves in one transaction, where it can choose.
const STEP: u64 = 2_048;

const SAY: &str = "name it: --archive DIR, or `archive` among the settings of each recorder";
const BRING: &str =
    "bring it back from a copy, and run `decklog archive check`: what is in it is nowhere else";

impl EventLog {
    /// The same log, whose archived segments are in this directory.
    #[must_use]
    pub fn with_archive(mut self, dir: &Path) -> Self {
        self.archive = Some(Archive::new(dir));
        self
    }

    /// Where archived segments are, as far as that is known here.
    pub fn archive(&self) -> Option<&Archive> {
        self.archive.as_ref()
    }

    /// How much of the log is said to be in files.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn archived(&self) -> Result<Option<Archived>, LogError> {
        let state = self.stream(&StreamId::archive()).await?;
        Ok(state.and_then(|state| state.body.archive().copied()))
    }

    /// The position up to which leaves are not in the database any more.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn detached(&self) -> Result<u64, LogError> {
        let row = sqlx::query("SELECT size FROM detached WHERE id = 1").fetch_one(&self.any).await;
        let row = row.map_err(LogError::database("reading how much of the log is detached"))?;
        Ok(to_u64(get(&row, "size")?))
    }

    /// The next segment that can be archived: all of it is under the newest signed head, and was received before an instant.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn next_segment(&self, before: Timestamp) -> Result<Option<u64>, LogError> {
        let to = self.archived().await?.map_or(0, |archived| archived.to);
        let last = to + SEGMENT_EVENTS;
        // Asked again and again: most of the time there are not so many events yet, or they are too young.
        if self.head().await?.0 < last || self.received(last).await? >= before.as_microsecond() {
            return Ok(None);
        }
        let signed = self.signed().await?.is_some_and(|head| head.size() >= last);
        Ok(signed.then_some(to / SEGMENT_EVENTS))
    }

    /// The newest head that the log's own key has signed.
    async fn signed(&self) -> Result<Option<Checkpoint>, LogError> {
        let Some(key) = self.head_key().await? else { return Ok(None) };
        let Some(note) = self.checkpoints(1).await?.into_iter().next() else { return Ok(None) };
        let wrong =
            |error: &dyn std::fmt::Display| LogError::inconsistent("checkpoint", "newest", error);
        let key: VerifierKey = key.parse().map_err(|error| wrong(&error))?;
        let head = Checkpoint::open(note.as_bytes(), &[key]).map_err(|error| wrong(&error))?;
        Ok(Some(head))
    }

    /// Writes a segment into its file, unless it is there, reads the file, and compares it with the newest signed head. Returns
    /// what there is to be said of it. A file of other leaves, of which the log does not speak, is set aside: it is of a history that
    /// was lost when the log was brought back.
    ///
    /// # Errors
    /// No archive is known, something cannot be read or written, or the log or the file is not what the head is over.
    pub async fn write_segment(&self, segment: u64) -> Result<LogArchived, LogError> {
        let archive = self.claimed(segment).await?;
        let known = self.archived().await?.map_or(0, |archived| archived.segments());
        if archive.file(segment).exists()
            && segment >= known
            && self.checked(&archive, segment).await.is_err()
        {
            tracing::warn!(
                segment,
                "a file of the archive has other events than the log: it is set aside"
            );
            archive.set_aside(segment)?;
        }
        if !archive.file(segment).exists() {
            self.write(&archive, segment).await?;
        }
        let written = self.checked(&archive, segment).await?;
        Ok(LogArchived {
            first: segment * SEGMENT_EVENTS + 1,
            last: end_of(segment),
            root: Digest(written.root().0),
            sha256: written.sha256,
            bytes: written.bytes,
        })
    }

    /// The archive, where it is this log's.
    async fn claimed(&self, segment: u64) -> Result<Archive, LogError> {
        let archive = self.archive.clone().ok_or(LogError::NoArchive { segment })?;
        let first = self.hashes(0, 1).await?;
        first.first().map_or(Ok(()), |first| archive.claim(first))?;
        Ok(archive)
    }

    /// What a file holds, where that is what the newest signed head is over.
    async fn checked(&self, archive: &Archive, segment: u64) -> Result<Written, LogError> {
        let written = self.readable(archive, segment).await?;
        let head = self.signed().await?.filter(|head| head.size() >= end_of(segment));
        let head = head.ok_or_else(|| {
            LogError::inconsistent("checkpoint", "newest", "it is over less than the segment")
        })?;
        if self.span(0, head.size()).await? != head.root() {
            let problem = "the leaves are not those of the newest signed head";
            return Err(LogError::inconsistent("event", head.size(), problem));
        }
        Ok(written)
    }

    /// What a file holds, where that is what the database holds or held.
    async fn readable(&self, archive: &Archive, segment: u64) -> Result<Written, LogError> {
        let (own, path) = (archive.clone(), archive.file(segment).display().to_string());
        let read = tokio::task::spawn_blocking(move || own.check(segment)).await;
        let written = read.map_err(|error| LogError::inconsistent("event", segment, error))??;
        if written.root() != self.span(end_of(segment) - SEGMENT_EVENTS, end_of(segment)).await? {
            let problem = "its leaves are not those of the log".to_owned();
            return Err(ArchiveError::Form { path, problem }.into());
        }
        Ok(written)
    }

    /// The leaves of the segments between these positions are in their files.
    async fn can_be_read(&self, from: u64, to: u64) -> Result<(), LogError> {
        for segment in from / SEGMENT_EVENTS..to.div_ceil(SEGMENT_EVENTS) {
            let archive = self.claimed(segment).await?;
            self.readable(&archive, segment).await?;
        }
        Ok(())
    }

    async fn write(&self, archive: &Archive, segment: u64) -> Result<(), LogError> {
        let mut writing = archive.begin(segment)?;
        for bundle in 0..SEGMENT_EVENTS / TILE_WIDTH {
            let after = segment * SEGMENT_EVENTS + bundle * TILE_WIDTH;
            let leaves = self.leaves(after, u32::try_from(TILE_WIDTH).unwrap_or(0)).await?;
            let leaves: Vec<Vec<u8>> = leaves.into_iter().map(|leaf| leaf.bytes).collect();
            let added =
                tokio::task::spawn_blocking(move || writing.bundle(&leaves).map(|()| writing));
            writing =
                added.await.map_err(|error| LogError::inconsistent("event", after, error))??;
        }
        let done = tokio::task::spawn_blocking(move || writing.finish()).await;
        done.map_err(|error| LogError::inconsistent("event", segment, error))??;
        Ok(())
    }

    /// Takes the leaves that are said to be in files out of the database, as far as it can: SQLite each of them, Postgres those
    /// of whole partitions. Each file is read first: what is taken out is nowhere else. Returns up to where they are gone now.
    ///
    /// # Errors
    /// The database does not allow it, or cannot do it now, or a file is not what was archived.
    pub async fn detach(&self) -> Result<u64, LogError> {
        let to = self.archived().await?.map_or(0, |archived| archived.to);
        let mut gone = self.detached().await?;
        while let Some(next) = self.next_to_detach(gone).await?.filter(|next| *next <= to) {
            self.can_be_read(gone, next).await?;
            let now = match &self.backend {
                Backend::Postgres(pool) => to_u64(postgres::detach(pool, to_i64(to)).await?),
                Backend::Sqlite(pool) => {
                    for from in (gone..next).step_by(STEP as usize) {
                        let step = next.min(from + STEP);
                        sqlite::detach(pool, to_i64(from), to_i64(step)).await?;
                    }
                    next
                }
            };
            if now == gone {
                break;
            }
            gone = now;
        }
        Ok(gone)
    }

    /// The position up to which leaves can go next: the end of a segment, or of a partition.
    async fn next_to_detach(&self, gone: u64) -> Result<Option<u64>, LogError> {
        match &self.backend {
            Backend::Postgres(pool) => {
                let end = postgres::partition_end(pool, to_i64(gone) + 1).await?;
                Ok(end.map(to_u64).filter(|end| *end > gone))
            }
            Backend::Sqlite(_) => Ok(Some((gone / SEGMENT_EVENTS + 1) * SEGMENT_EVENTS)),
        }
    }

    /// Whether this account may take leaves out of the database.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn may_detach(&self) -> Result<bool, LogError> {
        match &self.backend {
            Backend::Postgres(pool) => postgres::may_detach(pool).await,
            Backend::Sqlite(_) => Ok(true),
        }
    }

    /// What of the archive is not there.
    pub(crate) async fn unarchived(&self) -> Result<Vec<Weakness>, LogError> {
        let Some(archived) = self.archived().await? else { return Ok(Vec::new()) };
        let Some(archive) = self.archive.clone() else {
            let gone = self.detached().await? > 0;
            let says = || "it is not known here where the archive is".to_owned();
            return Ok(gone
                .then(|| Weakness { says: says(), todo: SAY.into() })
                .into_iter()
                .collect());
        };
        let (segments, bytes) = (archived.segments(), archived.bytes);
        let lacks = tokio::task::spawn_blocking(move || archive.lacks(segments, bytes)).await;
        let lacks = lacks.map_err(|error| LogError::inconsistent("event", segments, error))?;
        Ok(lacks.into_iter().map(|says| Weakness { says, todo: BRING.into() }).collect())
    }

    /// Reads the leaves that are not in the database from the archive, and compares each with its hash.
    pub(crate) async fn bring(&self, leaves: &mut [StoredLeaf]) -> Result<(), LogError> {
        let away = |leaf: &&mut StoredLeaf| leaf.bytes.is_empty();
        let positions: Vec<u64> =
            leaves.iter_mut().filter(away).map(|leaf| leaf.position).collect();
        let Some(first) = positions.first().copied() else { return Ok(()) };
        let archive = self.archive.clone().ok_or(LogError::Archived { position: first })?;
        let read = tokio::task::spawn_blocking(move || archive.leaves(&positions)).await;
        let read = read.map_err(|error| LogError::inconsistent("event", first, error))??;
        for (leaf, bytes) in leaves.iter_mut().filter(away).zip(read) {
            if tlog::leaf_hash(&bytes).0.as_slice() != leaf.hash {
                let problem = "the leaf in the archive is not the one that was there";
                return Err(LogError::inconsistent("event", leaf.position, problem));
            }
            leaf.bytes = bytes;
        }
        Ok(())
    }
}

/// The position of a segment's last event.
fn end_of(segment: u64) -> u64 {
    (segment + 1) * SEGMENT_EVENTS
}
