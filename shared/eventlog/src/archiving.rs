//! Segments of the log move into files: written, read again from the file, compared with the newest signed head, and only then
//! said to be there. What was said so, the database need not hold any more.

use std::path::Path;
use std::time::Duration;

use domain::canonical::Digest;
use domain::event::{Event, LogArchived, LogEvent};
use domain::ids::StreamId;
use domain::ledger::{Archive as Archived, SEGMENT_EVENTS, segment_of};
use jiff::Timestamp;
use tlog::{Checkpoint, Hash, TILE_WIDTH, VerifierKey};

use crate::archive::{Archive, ArchiveError, Written};
use crate::connect::{Backend, EventLog};
use crate::error::LogError;
use crate::guards::Weakness;
use crate::read::{StoredLeaf, entry, get};
use crate::rows::{to_i64, to_u64};
use crate::sql::Sql;
use crate::{postgres, sqlite};

/// Positions of which a database forgets the leaves in one transaction, where it can choose.
const STEP: u64 = 2_048;

/// How long an archive may take for one thing.
const PATIENCE: Duration = Duration::from_secs(60);

const LOST: &str =
    "find out who took them out, and bring the database back from a copy that has them";
const OTHER: &str = "if the log was brought back from an older copy, keep that file elsewhere and take it out of the archive; if this is \
                     a copy of a log, give it an archive of its own";
const SAY: &str = "name it: --archive DIR, or `archive` among the settings of each recorder";
const BRING: &str =
    "bring it back from a copy, and run `decklog archive check`: what is in it is nowhere else";

/// Looks whose archive a directory is, by the hash of the log's first leaf.
type Look = fn(&Archive, &Hash) -> Result<(), ArchiveError>;

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

    /// Writes a segment into its file, unless there is one, reads the file, and compares it with the newest signed head. Returns
    /// what there is to be said of it. A file of other leaves is left as it is: it may be all that there is of somebody's history.
    ///
    /// # Errors
    /// No archive is known, something cannot be read or written, or the log or the file is not what the head is over.
    pub async fn write_segment(&self, segment: u64) -> Result<LogArchived, LogError> {
        // Where there is an archive already, a directory without one is another disk's mount point.
        let look = if self.archived().await?.is_none() { Archive::claim } else { Archive::is_of };
        let archive = self.own_archive(segment, look).await?;
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
    async fn own_archive(&self, segment: u64, look: Look) -> Result<Archive, LogError> {
        let archive = self.archive.clone().ok_or(LogError::NoArchive { segment })?;
        if let Some(leaf) = self.hashes(0, 1).await?.first().copied() {
            let own = archive.clone();
            blocking(&archive, move || look(&own, &leaf)).await?;
        }
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

    /// What a file holds, where that is what the database holds or held. The disk keeps it from then on.
    async fn readable(&self, archive: &Archive, segment: u64) -> Result<Written, LogError> {
        let own = archive.clone();
        let read = move || own.keep(segment).and_then(|()| own.check(segment));
        let written = blocking(archive, read).await?;
        if written.root() != self.span(end_of(segment) - SEGMENT_EVENTS, end_of(segment)).await? {
            return Err(ArchiveError::Foreign(archive.file(segment).display().to_string()).into());
        }
        Ok(written)
    }

    /// SHA-256 of the file of a segment, where the log's leaves are in it.
    ///
    /// # Errors
    /// No archive is known, the directory is not this log's, or the file is not there, no segment, or one of other leaves.
    pub async fn check_segment(&self, segment: u64) -> Result<Digest, LogError> {
        let archive = self.own_archive(segment, Archive::is_of).await?;
        Ok(self.readable(&archive, segment).await?.sha256)
    }

    /// What the log says of a segment, and when it said so; nothing where it says nothing.
    ///
    /// # Errors
    /// The database cannot be read, or what it said is itself in a file that cannot be read.
    pub async fn said_of(
        &self,
        segment: u64,
    ) -> Result<Option<(LogArchived, Timestamp)>, LogError> {
        // Each valid event of the stream is about one segment more.
        let mut query = Sql::new(if self.is_postgres() {
            "SELECT e.position, e.leaf, e.leaf_hash, e.void FROM event_version k JOIN event e ON e.position = k.position
             WHERE k.stream = "
        } else {
            "SELECT position, leaf, leaf_hash, void FROM event k WHERE void IS NULL AND stream = "
        });
        query
            .text(StreamId::archive().as_str())
            .push(" AND k.version = ")
            .number(to_i64(segment + 1));
        let rows = query.rows(&self.any, "reading what is said of a segment").await?;
        let Some(leaf) = self.stored(&rows).await?.pop() else { return Ok(None) };
        let entry = entry(leaf.position, &leaf.bytes, None)?;
        let envelope = entry.envelope().map_err(LogError::envelope(leaf.position))?;
        let event = envelope.event().map_err(LogError::body(leaf.position))?;
        let Event::LogEvent(LogEvent::LogArchived(said)) = event else { return Ok(None) };
        Ok(Some((said, entry.received)))
    }

    /// The leaves of the segments between these positions are in their files.
    async fn can_be_read(&self, from: u64, to: u64) -> Result<(), LogError> {
        for segment in from / SEGMENT_EVENTS..to.div_ceil(SEGMENT_EVENTS) {
            self.check_segment(segment).await?;
        }
        Ok(())
    }

    async fn write(&self, archive: &Archive, segment: u64) -> Result<(), LogError> {
        let mut writing = archive.begin(segment)?;
        for bundle in 0..SEGMENT_EVENTS / TILE_WIDTH {
            let after = segment * SEGMENT_EVENTS + bundle * TILE_WIDTH;
            let leaves = self.leaves(after, u32::try_from(TILE_WIDTH).unwrap_or(0)).await?;
            let leaves: Vec<Vec<u8>> = leaves.into_iter().map(|leaf| leaf.bytes).collect();
            let add = move || writing.bundle(&leaves).map(|()| writing);
            writing = blocking(archive, add).await?;
        }
        blocking(archive, move || writing.finish()).await
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
                Backend::Postgres(pool) => to_u64(postgres::detach(pool, to_i64(next)).await?),
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
        let (archived, gone) = (self.archived().await?, self.detached().await?);
        let (to, bytes) = archived.map_or((0, 0), |archived| (archived.to, archived.bytes));
        let mut found = Vec::new();
        if gone > to {
            let says = format!(
                "leaves up to position {gone} are not in the database, and the log says that those up to {to} are archived"
            );
            found.push(Weakness { says, todo: LOST.into() });
        }
        let Some(archive) = self.archive.clone() else {
            let says = "it is not known here where the archive is".to_owned();
            found.extend((gone > 0).then(|| Weakness { says, todo: SAY.into() }));
            return Ok(found);
        };
        let (segments, own) = (to / SEGMENT_EVENTS, archive.clone());
        match blocking(&archive, move || Ok(own.lacks(segments, bytes))).await {
            Ok(lacks) => {
                found.extend(lacks.into_iter().map(|says| Weakness { says, todo: BRING.into() }));
                found.extend(self.foreign(&archive, segments).await?);
            }
            Err(error) => found.push(Weakness { says: error.to_string(), todo: BRING.into() }),
        }
        Ok(found)
    }

    /// The file of the segment that is archived next, where it is there already and is not of this log.
    async fn foreign(&self, archive: &Archive, segment: u64) -> Result<Option<Weakness>, LogError> {
        if !archive.file(segment).exists() {
            return Ok(None);
        }
        let file = archive.file(segment).display().to_string();
        let says = if self.head().await?.0 < end_of(segment) {
            format!("{file} is archived, and the log does not go so far")
        } else {
            match self.check_segment(segment).await {
                Ok(_) => return Ok(None),
                Err(LogError::Archive(error)) => error.to_string(),
                Err(error) => return Err(error),
            }
        };
        Ok(Some(Weakness { says, todo: OTHER.into() }))
    }

    /// Reads the leaves that are not in the database from the archive, and compares each with its hash. One that is empty and was
    /// never archived stays so: somebody has emptied it.
    pub(crate) async fn bring(&self, leaves: &mut [StoredLeaf]) -> Result<(), LogError> {
        if leaves.iter().all(|leaf| !leaf.bytes.is_empty()) {
            return Ok(());
        }
        let gone = self.detached().await?;
        let away = |leaf: &&mut StoredLeaf| leaf.bytes.is_empty() && leaf.position <= gone;
        let positions: Vec<u64> =
            leaves.iter_mut().filter(away).map(|leaf| leaf.position).collect();
        let Some(first) = positions.first().copied() else { return Ok(()) };
        let archive = self.archive.clone().ok_or(LogError::Archived { position: first })?;
        let own = archive.clone();
        let read = blocking(&archive, move || own.leaves(&positions)).await?;
        for (leaf, bytes) in leaves.iter_mut().filter(away).zip(read) {
            if tlog::leaf_hash(&bytes).0.as_slice() != leaf.hash {
                archive.forget();
                let path = archive.file(segment_of(leaf.position)).display().to_string();
                return Err(ArchiveError::Foreign(path).into());
            }
            leaf.bytes = bytes;
        }
        Ok(())
    }
}

/// Works at files beside everything else. A disk of the network that does not answer keeps nobody waiting for ever.
async fn blocking<T: Send + 'static>(
    archive: &Archive,
    work: impl FnOnce() -> Result<T, ArchiveError> + Send + 'static,
) -> Result<T, LogError> {
    let silent = || ArchiveError::Silent(archive.dir().display().to_string());
    let done = tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(work)).await;
    let done = done.map_err(|_| silent())?;
    Ok(done.map_err(|error| LogError::inconsistent("event", "archived", error))??)
}

/// The position of a segment's last event.
fn end_of(segment: u64) -> u64 {
    (segment + 1) * SEGMENT_EVENTS
}
