//! The journal file.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use domain::canonical::Digest;
use domain::envelope::{Draft, Envelope, EnvelopeError, Place, Seen};
use domain::flush::{Flush, FlushError};
use domain::ids::ProducerId;
use domain::keys::SecretKey;
use jiff::Timestamp;
use uuid::Uuid;

use crate::record::{Record, Tail};

const MAGIC: &[u8] = b"decklog-journal-1\n";
/// A file is begun anew when everything in it is committed and it is larger than this.
const ROLL_BYTES: u64 = 4 * 1024 * 1024;

/// What a journal cannot do.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system said no.
    #[error("{what} journal {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It holds as much as it may: nothing more can be said until the recorder has taken some of it.
    #[error(
        "journal {path} is full: {bytes} of {limit} bytes wait for the recorder; nothing more is accepted until it answers"
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// Bytes it holds.
        bytes: u64,
        /// Bytes it may hold.
        limit: u64,
    },
    /// The file is of another producer.
    #[error(
        "journal {path} belongs to {found}, not to {wanted}: give each producer a directory of its own"
    )]
    Owner {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Who opened it.
        wanted: ProducerId,
    },
    /// Bytes in the middle are wrong. That is no unfinished write, and nothing is guessed.
    #[error(
        "journal {path} is damaged at byte {at}, and whole bytes follow: keep the file, and compare it with the log before this producer says anything more"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        at: u64,
    },
    /// An event is too large or cannot be written.
    #[error("an event of stream {stream} cannot be journaled: {source}")]
    Event {
        /// Its stream.
        stream: String,
        /// Why.
        source: EnvelopeError,
    },
    /// More events at once than a flush holds.
    #[error(transparent)]
    Flush(#[from] FlushError),
    /// An earlier write failed half-way and could not be undone.
    #[error("journal {0} failed before and was not reopened since")]
    Broken(PathBuf),
    /// The system has no entropy.
    #[error("no entropy for an event's identity: {0}")]
    Entropy(getrandom::Error),
}

impl JournalError {
    /// Whether it is nothing about what was to be said: there is no room, or the disk fails or has failed.
    pub(crate) fn is_of_the_disk(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Full { .. } | Self::Broken(_) => true,
            Self::Owner { .. }
            | Self::Damaged { .. }
            | Self::Event { .. }
            | Self::Flush(_)
            | Self::Entropy(_) => false,
        }
    }
}

/// An end that was cut off when the journal was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// How many bytes.
    pub bytes: u64,
    /// Counter of the last event that is whole.
    pub whole_until: u64,
}

/// A journal, and what was found when it was opened.
#[derive(Debug)]
pub struct Opened {
    /// The journal.
    pub journal: Journal,
    /// The end that was cut off.
    pub cut: Option<Cut>,
}

/// A flush that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How many events.
    pub events: usize,
    /// Counter of its last event.
    pub last: u64,
}

/// A producer's journal file. One process has it open at a time (it is locked).
#[derive(Debug)]
pub struct Journal {
    /// Held for as long as the journal is open.
    _lock: File,
    dir: PathBuf,
    path: PathBuf,
    file: File,
    number: u64,
    bytes: u64,
    limit: u64,
    producer: ProducerId,
    key: SecretKey,
    place: Place,
    unsent: VecDeque<Written>,
    broken: bool,
    /// The newest head of the log that was verified.
    seen: Option<Seen>,
    /// The one that was said last.
    said: Option<Seen>,
}

impl Journal {
    /// Opens the journal of `producer` in `dir`, or begins one. Holds at most `limit` bytes.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn open(
        dir: &Path,
        producer: &ProducerId,
        key: SecretKey,
        limit: u64,
    ) -> Result<Opened, JournalError> {
        create_dir(dir)?;
        let lock = lock(dir)?;
        let found = numbers(dir)?;
        for number in found.iter().rev().copied() {
            let path = file_path(dir, number);
            let mut file =
                OpenOptions::new().read(true).write(true).open(&path).map_err(io("open", &path))?;
            let mut content = Vec::new();
            file.read_to_end(&mut content).map_err(io("read", &path))?;
            let Some((owner, place, begin)) = read_header(&content) else {
                check_unbegun(path, number, content.len(), &found, producer)?;
                continue;
            };
            if owner != producer.as_str() {
                return Err(JournalError::Owner { path, found: owner, wanted: producer.clone() });
            }
            let journal = Self {
                _lock: lock,
                dir: dir.to_owned(),
                path,
                file,
                number,
                bytes: content.len() as u64,
                limit,
                producer: producer.clone(),
                key,
                place,
                unsent: VecDeque::new(),
                broken: false,
                seen: None,
                said: None,
            };
            return journal.recover(&content, begin);
        }
        let place = Place::default();
        let (path, file, bytes) = create_file(dir, 1, producer, place)?;
        let journal = Self {
            _lock: lock,
            dir: dir.to_owned(),
            path,
            file,
            number: 1,
            bytes,
            limit,
            producer: producer.clone(),
            key,
            place,
            unsent: VecDeque::new(),
            broken: false,
            seen: None,
            said: None,
        };
        Ok(Opened { journal, cut: None })
    }

    /// Reads the records behind the header and cuts off what was being written.
    fn recover(mut self, content: &[u8], begin: usize) -> Result<Opened, JournalError> {
        let (records, whole, tail) = Record::read_all(&content[begin..]);
        let end = (begin + whole) as u64;
        if tail == Tail::Damaged {
            return Err(JournalError::Damaged { path: self.path, at: end });
        }
        self.replay(records)?;
        let bytes = content.len() as u64 - end;
        self.cut_to(end)?;
        remove_older(&self.dir, self.number)?;
        let whole_until = self.place.pseq;
        let cut = (tail == Tail::Torn).then_some(Cut { bytes, whole_until });
        Ok(Opened { journal: self, cut })
    }

    fn replay(&mut self, records: Vec<Record>) -> Result<(), JournalError> {
        for record in records {
            match record {
                Record::Flush(bytes) => {
                    let flush = Flush::from_bytes(&bytes)?;
                    let last = self.place.pseq + flush.envelopes.len() as u64;
                    self.place = Place { pseq: last, last: flush.last() };
                    self.unsent.push_back(Written { bytes, events: flush.envelopes.len(), last });
                }
                Record::Committed(pseq) => self.forget(pseq),
            }
        }
        Ok(())
    }

    fn forget(&mut self, pseq: u64) {
        while self.unsent.front().is_some_and(|written| written.last <= pseq) {
            self.unsent.pop_front();
        }
    }

    fn cut_to(&mut self, end: u64) -> Result<(), JournalError> {
        self.file.set_len(end).map_err(io("cut", &self.path))?;
        self.file.sync_all().map_err(io("sync", &self.path))?;
        self.file.seek(SeekFrom::Start(end)).map_err(io("seek", &self.path))?;
        self.bytes = end;
        Ok(())
    }

    /// Seals, signs and writes `drafts` as one flush, and returns when it is on the disk. All or
    /// nothing: after an error none of them was said.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn append(&mut self, drafts: Vec<Draft>, now: Timestamp) -> Result<Written, JournalError> {
        let mut place = self.place;
        // Only where it is news: what follows holds on to it by the hash of what went before.
        let mut news = self.seen.clone().filter(|_| self.seen != self.said);
        let mut envelopes = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let draft = draft.seeing(news.take());
            let stream = draft.stream.to_string();
            let sealed = place.seal(&self.producer, draft, identity(now)?, now);
            envelopes.push(sealed.map_err(|source| JournalError::Event { stream, source })?);
        }
        let events = envelopes.len();
        let bytes = Flush::sign(envelopes, &self.key)?.to_bytes();
        self.write(&Record::Flush(bytes.clone()).to_bytes(), true)?;
        self.place = place;
        if events > 0 {
            self.said.clone_from(&self.seen);
        }
        let written = Written { bytes, events, last: place.pseq };
        self.unsent.push_back(written.clone());
        Ok(written)
    }

    /// This is the newest head of the log that its producer has verified: the next event says so, where it is another than the
    /// last one that was said.
    pub fn sees(&mut self, seen: Option<Seen>) {
        self.seen = seen;
    }

    fn write(&mut self, record: &[u8], durable: bool) -> Result<(), JournalError> {
        if self.broken {
            return Err(JournalError::Broken(self.path.clone()));
        }
        let after = self.bytes + record.len() as u64;
        if durable && after > self.limit {
            return Err(JournalError::Full {
                path: self.path.clone(),
                bytes: self.bytes,
                limit: self.limit,
            });
        }
        let before = self.bytes;
        let done = self.file.write_all(record);
        let done = if durable { done.and_then(|()| self.file.sync_data()) } else { done };
        if let Err(source) = done {
            // What was half written is taken back; where that fails too, nothing is said any more.
            self.broken = self.cut_to(before).is_err();
            return Err(JournalError::Io { what: "write to", path: self.path.clone(), source });
        }
        self.bytes = after;
        Ok(())
    }

    /// The recorder has committed everything up to counter `pseq`. Not fsynced: whoever forgets it sends
    /// again, and the recorder knows what it has.
    ///
    /// # Errors
    /// The file cannot be written, or the next one not begun.
    pub fn committed(&mut self, pseq: u64) -> Result<(), JournalError> {
        self.forget(pseq);
        if self.unsent.is_empty() && self.bytes > ROLL_BYTES.min(self.limit / 2) {
            return self.roll();
        }
        self.write(&Record::Committed(pseq).to_bytes(), false)
    }

    fn roll(&mut self) -> Result<(), JournalError> {
        let number = self.number + 1;
        let (path, file, bytes) = create_file(&self.dir, number, &self.producer, self.place)?;
        let old = std::mem::replace(&mut self.path, path);
        (self.file, self.number, self.bytes, self.broken) = (file, number, bytes, false);
        fs::remove_file(&old).map_err(io("remove", &old))
    }

    /// What is not committed yet, in order.
    pub fn unsent(&self) -> impl Iterator<Item = &Written> {
        self.unsent.iter()
    }

    /// The events that are not committed yet, in order.
    ///
    /// # Errors
    /// What stands in the file is no event.
    pub fn unsent_events(&self) -> Result<Vec<Envelope>, JournalError> {
        let all: Vec<_> = self.unsent.iter().map(envelopes).collect::<Result<_, _>>()?;
        Ok(all.into_iter().flatten().collect())
    }

    /// Counter and hash of the last event.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whose journal it is.
    pub fn producer(&self) -> &ProducerId {
        &self.producer
    }

    /// The producer's key.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }
}

/// Reads the envelopes of a written flush back.
///
/// # Errors
/// The bytes are not a flush of envelopes.
pub(crate) fn envelopes(written: &Written) -> Result<Vec<Envelope>, JournalError> {
    let flush = Flush::from_bytes(&written.bytes)?;
    let read = |bytes: &Vec<u8>| {
        Envelope::parse_stored(bytes)
            .map_err(|source| JournalError::Event { stream: String::new(), source })
    };
    flush.envelopes.iter().map(read).collect()
}

/// A UUID of version 7: time first, so that identities sort by it, then entropy.
fn identity(now: Timestamp) -> Result<Uuid, JournalError> {
    let mut entropy = [0; 10];
    getrandom::fill(&mut entropy).map_err(JournalError::Entropy)?;
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &entropy).into_uuid())
}

fn header(producer: &ProducerId, place: Place) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(place.pseq.to_be_bytes());
    body.extend(place.last.0);
    body.extend(producer.as_str().as_bytes());
    let mut bytes = MAGIC.to_vec();
    bytes.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(crc32fast::hash(&body).to_be_bytes());
    bytes.extend(body);
    bytes
}

fn read_header(bytes: &[u8]) -> Option<(String, Place, usize)> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (size, rest) = rest.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let size = u32::from_be_bytes(*size) as usize;
    let body = rest.get(..size)?;
    if crc32fast::hash(body) != u32::from_be_bytes(*crc) {
        return None;
    }
    let (pseq, body) = body.split_first_chunk::<8>()?;
    let (last, owner) = body.split_first_chunk::<32>()?;
    let place = Place { pseq: u64::from_be_bytes(*pseq), last: Digest(*last) };
    let owner = String::from_utf8(owner.to_vec()).ok()?;
    Some((owner, place, MAGIC.len() + 8 + size))
}

/// Creates the directory so that it survives a power loss: each new one is noted in the one above.
fn create_dir(dir: &Path) -> Result<(), JournalError> {
    let new: Vec<&Path> = dir.ancestors().take_while(|d| !d.exists()).collect();
    fs::create_dir_all(dir).map_err(io("create", dir))?;
    for above in new.iter().filter_map(|d| d.parent()) {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        sync_dir(above)?;
    }
    Ok(())
}

fn sync_dir(dir: &Path) -> Result<(), JournalError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io("sync", dir))
}

/// Begins a file: header first, on the disk before anything follows it.
fn create_file(
    dir: &Path,
    number: u64,
    producer: &ProducerId,
    place: Place,
) -> Result<(PathBuf, File, u64), JournalError> {
    let path = file_path(dir, number);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&path)
        .map_err(io("create", &path))?;
    let header = header(producer, place);
    file.write_all(&header).map_err(io("write", &path))?;
    file.sync_all().map_err(io("sync", &path))?;
    sync_dir(dir)?;
    Ok((path, file, header.len() as u64))
}

/// A file whose header cannot be read was being begun when the power went, if nothing stands behind the
/// header, and if it is the first or the one before it is still there. Any other is damaged.
fn check_unbegun(
    path: PathBuf,
    number: u64,
    size: usize,
    found: &[u64],
    producer: &ProducerId,
) -> Result<(), JournalError> {
    let first = number == 1 || found.iter().any(|older| *older < number);
    let empty = size <= header(producer, Place::default()).len();
    if first && empty { Ok(()) } else { Err(JournalError::Damaged { path, at: 0 }) }
}

fn lock(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::Error(source)) => Err(io("lock", &path)(source)),
        Err(fs::TryLockError::WouldBlock) => {
            Err(io("lock", &path)(std::io::Error::other("another process has it open")))
        }
    }
}

fn numbers(dir: &Path) -> Result<Vec<u64>, JournalError> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(io("list", dir))? {
        let name = entry.map_err(io("list", dir))?.file_name();
        let number: Option<u64> =
            name.to_str().and_then(|n| n.strip_suffix(".journal")).and_then(|n| n.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn remove_older(dir: &Path, than: u64) -> Result<(), JournalError> {
    for number in numbers(dir)? {
        if number != than {
            let path = file_path(dir, number);
            fs::remove_file(&path).map_err(io("remove", &path))?;
        }
    }
    Ok(())
}

fn file_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.journal"))
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { what, path, source }
}
