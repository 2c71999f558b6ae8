//! Segments of the log as files, which hold what the database need not hold any more.
//!
//! A file is 64 bundles of 256 entries (C2SP tlog-tiles), each a Zstandard frame (RFC 8878), and behind them a table of the frames
//! in one to be skipped (the «seekable format» of Zstandard). `zstd -dc` writes all entries; one is read without the others.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use domain::canonical::Digest;
use domain::ledger::{SEGMENT_EVENTS, segment_of};
use tlog::{Frontier, Hash, MAX_ENTRY_BYTES, TILE_WIDTH, leaf_hash, read_entries, write_entries};

/// Frames of a file.
const FRAMES: usize = (SEGMENT_EVENTS / TILE_WIDTH) as usize;
/// Bytes of the table of frames: its own header, two numbers for each, and their count, a byte and a magic number.
const TABLE: usize = 8 + FRAMES * 8 + 9;
/// The file that says whose archive it is: the hash of the log's first leaf, which it has under every name.
const OWNER: &str = "log";
/// How old what is being written is when nobody writes it any more.
const LEFT: Duration = Duration::from_secs(24 * 3_600);
/// Most files that are named because they are not there.
const GONE_MAX: usize = 3;
const SKIPPED_MAGIC: u32 = 0x184d_2a5e;
const SEEKABLE_MAGIC: u32 = 0x8f92_eab1;
/// Of a leaf of 542 bytes 145 are left; the highest level takes a hundred times as long for a quarter less.
const COMPRESSION: i32 = 9;
/// The longest bundle.
const BUNDLE_BYTES_MAX: usize = TILE_WIDTH as usize * (MAX_ENTRY_BYTES + 2);

/// A file of the archive that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file system said no.
    #[error("{what} {path}: {why}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: String,
        /// What it said.
        why: io::Error,
    },
    /// It is not there.
    #[error("{0} is not there: bring it back from a copy, or say where the archive is")]
    Gone(String),
    /// It is of another log.
    #[error("{0} is the archive of another log: give each log a directory of its own")]
    Other(String),
    /// It holds other events.
    #[error(
        "{0} holds other events than the log: of a history that was lost when the log was brought back, or of another copy of the log; it is left as it is"
    )]
    Foreign(String),
    /// It does not answer.
    #[error("{0} does not answer: is its disk there?")]
    Silent(String),
    /// It is no archive, and there is one.
    #[error(
        "{0} is not the archive of the log, it has no file `log`: is it mounted? bring it back from a copy, or say where it is"
    )]
    Missing(String),
    /// It is not what was written.
    #[error("{path} is not as it was archived: {problem}; bring it back from a copy")]
    Form {
        /// Which file.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

impl ArchiveError {
    fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |why| Self::Io { what, path, why }
    }

    fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |why| {
            let gone = why.kind() == io::ErrorKind::NotFound;
            if gone {
                Self::Gone(path.display().to_string())
            } else {
                Self::io("reading", path)(why)
            }
        }
    }

    fn form(path: &Path, problem: impl ToString) -> Self {
        Self::Form { path: path.display().to_string(), problem: problem.to_string() }
    }
}

/// What a file holds, as it was read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The hash of each leaf.
    pub leaves: Vec<Hash>,
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// Its bytes.
    pub bytes: u64,
}

impl Written {
    /// The root of the tree of its leaves.
    pub fn root(&self) -> Hash {
        self.leaves.iter().copied().collect::<Frontier>().root()
    }
}

/// A bundle by its number in the log, and its leaves.
type Bundle = (u64, Arc<Vec<Vec<u8>>>);

/// A directory of segments. Clones share the bundle that was read last.
#[derive(Debug, Clone)]
pub struct Archive {
    dir: PathBuf,
    last: Arc<Mutex<Option<Bundle>>>,
}

/// A segment that is written, under another name until it is whole.
pub(crate) struct Writing {
    file: File,
    new: PathBuf,
    path: PathBuf,
    frames: Vec<(u32, u32)>,
}

impl Archive {
    /// The archive in a directory, which need not be there yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), last: Arc::default() }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file of a segment.
    pub fn file(&self, segment: u64) -> PathBuf {
        self.dir.join(format!("segment-{segment:06}.zst"))
    }

    /// What of the first segments is not there, or not as long as all of them together are said to be.
    pub(crate) fn lacks(&self, segments: u64, bytes: u64) -> Vec<String> {
        let (mut gone, mut found) = (Vec::new(), 0);
        for segment in 0..segments {
            match fs::metadata(self.file(segment)) {
                Ok(file) => found += file.len(),
                Err(_) => gone.push(segment),
            }
        }
        let file = |segment: &u64| self.file(*segment).display().to_string();
        let more = gone.len().saturating_sub(GONE_MAX);
        let mut says: Vec<String> = gone
            .iter()
            .take(GONE_MAX)
            .map(file)
            .map(|file| format!("{file} is not there"))
            .collect();
        if more > 0 {
            says.push(format!("{more} more segments are not in {}", self.dir.display()));
        } else if gone.is_empty() && found != bytes {
            says.push(format!("the {segments} segments in {} have {found} bytes, and had {bytes} when they were written", self.dir.display()));
        }
        says
    }

    /// Looks whether the directory is the archive of the log whose first leaf has this hash.
    pub(crate) fn is_of(&self, first: &Hash) -> Result<(), ArchiveError> {
        let path = self.dir.join(OWNER);
        match fs::read_to_string(&path) {
            Ok(known) if known == owner(first) => Ok(()),
            Ok(_) => Err(ArchiveError::Other(self.dir.display().to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ArchiveError::Missing(self.dir.display().to_string()))
            }
            Err(error) => Err(ArchiveError::io("reading", &path)(error)),
        }
    }

    /// Takes the directory for a log that has no archive yet; makes it where it is not there.
    pub(crate) fn claim(&self, first: &Hash) -> Result<(), ArchiveError> {
        match self.is_of(first) {
            Err(ArchiveError::Missing(_)) => {}
            known => return known,
        }
        fs::create_dir_all(&self.dir).map_err(ArchiveError::io("making", &self.dir))?;
        let (mut file, new) = self.anew(OWNER)?;
        let written = file.write_all(owner(first).as_bytes()).and_then(|()| file.sync_all());
        let named = fs::hard_link(&new, self.dir.join(OWNER));
        let _ = fs::remove_file(&new);
        written.map_err(ArchiveError::io("writing", &new))?;
        // Another may have been faster: it is of the same log, or not.
        if named.is_err() {
            self.is_of(first)?;
        }
        sync(&self.dir)?;
        sync(self.dir.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    }

    /// A new file under a name that nobody else writes to, whichever machine they are on.
    fn anew(&self, name: &str) -> Result<(File, PathBuf), ArchiveError> {
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let new = self.dir.join(format!("{name}.{}-{since}.new", std::process::id()));
        let file = File::create_new(&new).map_err(ArchiveError::io("writing", &new))?;
        Ok((file, new))
    }

    pub(crate) fn begin(&self, segment: u64) -> Result<Writing, ArchiveError> {
        let path = self.file(segment);
        self.sweep();
        let (file, new) = self.anew(&format!("segment-{segment:06}"))?;
        Ok(Writing { file, new, path, frames: Vec::with_capacity(FRAMES) })
    }

    /// Removes what was being written when somebody was killed. It is in nobody's way: what cannot be removed stays.
    fn sweep(&self) {
        let old = |path: &PathBuf| {
            let written = path.metadata().and_then(|meta| meta.modified());
            path.extension().is_some_and(|end| end == "new")
                && written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LEFT))
        };
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(old).for_each(|path| {
            let _ = fs::remove_file(path);
        });
    }

    /// Has the disk keep the file of a segment, whoever wrote it.
    pub(crate) fn keep(&self, segment: u64) -> Result<(), ArchiveError> {
        let path = self.file(segment);
        File::open(&path)
            .map_err(ArchiveError::reading(&path))?
            .sync_all()
            .map_err(ArchiveError::io("keeping", &path))?;
        sync(&self.dir)
    }

    /// Remembers nothing of what was read.
    pub(crate) fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Reads the whole file of a segment.
    ///
    /// # Errors
    /// It cannot be read, or is no segment.
    pub fn check(&self, segment: u64) -> Result<Written, ArchiveError> {
        let path = self.file(segment);
        let bytes = fs::read(&path).map_err(ArchiveError::reading(&path))?;
        let split = bytes.len().checked_sub(TABLE);
        let (mut frames, table) = split
            .and_then(|at| bytes.split_at_checked(at))
            .ok_or_else(|| ArchiveError::form(&path, "it is cut"))?;
        let mut leaves = Vec::new();
        for (packed, plain) in sizes(table).ok_or_else(|| ArchiveError::form(&path, NO_TABLE))? {
            let (frame, rest) = frames
                .split_at_checked(packed)
                .ok_or_else(|| ArchiveError::form(&path, "it is cut"))?;
            frames = rest;
            leaves.extend(bundle(&path, frame, plain)?.iter().map(|leaf| leaf_hash(leaf)));
        }
        if !frames.is_empty() {
            return Err(ArchiveError::form(&path, "something stands between its frames"));
        }
        Ok(Written { leaves, sha256: Digest::of(&bytes), bytes: bytes.len() as u64 })
    }

    /// The leaves at some positions, in their order.
    pub(crate) fn leaves(&self, positions: &[u64]) -> Result<Vec<Vec<u8>>, ArchiveError> {
        positions.iter().map(|position| self.leaf(*position)).collect()
    }

    fn leaf(&self, position: u64) -> Result<Vec<u8>, ArchiveError> {
        let index = position.saturating_sub(1);
        let (number, within) = (index / TILE_WIDTH, index % TILE_WIDTH);
        let known = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let leaves = match known.filter(|(known, _)| *known == number) {
            Some((_, leaves)) => leaves,
            None => Arc::new(self.bundle(segment_of(position), number)?),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((number, Arc::clone(&leaves)));
        let found = usize::try_from(within).ok().and_then(|within| leaves.get(within).cloned());
        found.ok_or_else(|| ArchiveError::form(&self.file(segment_of(position)), NO_TABLE))
    }

    /// One bundle, without the others of its file.
    fn bundle(&self, segment: u64, number: u64) -> Result<Vec<Vec<u8>>, ArchiveError> {
        let path = self.file(segment);
        let reading = || ArchiveError::reading(&path);
        let mut file = File::open(&path).map_err(reading())?;
        let end = SeekFrom::End(-(TABLE as i64));
        file.seek(end).map_err(|_| ArchiveError::form(&path, "it is cut"))?;
        let mut table = Vec::with_capacity(TABLE);
        file.read_to_end(&mut table).map_err(reading())?;
        let sizes = sizes(&table).ok_or_else(|| ArchiveError::form(&path, NO_TABLE))?;
        let within = usize::try_from(number % FRAMES as u64).unwrap_or(0);
        let before: usize = sizes.iter().take(within).map(|(packed, _)| packed).sum();
        let (packed, plain) = sizes.get(within).copied().unwrap_or_default();
        file.seek(SeekFrom::Start(before as u64)).map_err(reading())?;
        let mut frame = Vec::new();
        file.take(packed as u64).read_to_end(&mut frame).map_err(reading())?;
        bundle(&path, &frame, plain)
    }
}

const NO_TABLE: &str = "it has no table of its frames";

/// The lengths of the frames, packed and as they were.
fn sizes(table: &[u8]) -> Option<Vec<(usize, usize)>> {
    let (head, rest) = table.split_at_checked(8)?;
    let (entries, tail) = rest.split_at_checked(FRAMES * 8)?;
    let wanted_head: Vec<u8> = [SKIPPED_MAGIC, u32::try_from(TABLE - 8).ok()?]
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .collect();
    if head != wanted_head || tail != footer() {
        return None;
    }
    let number = |bytes: &[u8]| {
        bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes) as usize).unwrap_or_default()
    };
    let pairs = entries.chunks_exact(8).map(|pair| (number(pair), number(&pair[4..])));
    let pairs: Vec<_> = pairs.collect();
    pairs.iter().all(|(_, plain)| *plain <= BUNDLE_BYTES_MAX).then_some(pairs)
}

/// How many frames there are, that there are no sums of them, and the magic number.
fn footer() -> Vec<u8> {
    let count = u32::try_from(FRAMES).unwrap_or(0).to_le_bytes();
    [count.as_slice(), &[0], &SEEKABLE_MAGIC.to_le_bytes()].concat()
}

/// The leaves of a frame.
fn bundle(path: &Path, frame: &[u8], plain: usize) -> Result<Vec<Vec<u8>>, ArchiveError> {
    let form = |problem: &dyn std::fmt::Display| ArchiveError::form(path, problem);
    let bytes = zstd::bulk::decompress(frame, plain).map_err(|error| form(&error))?;
    let leaves = read_entries(&bytes).map_err(|error| form(&error))?;
    if bytes.len() != plain || leaves.len() as u64 != TILE_WIDTH {
        return Err(form(&"a frame is not 256 entries"));
    }
    Ok(leaves.into_iter().map(<[u8]>::to_vec).collect())
}

impl Writing {
    /// Adds the next 256 leaves.
    pub(crate) fn bundle(&mut self, leaves: &[Vec<u8>]) -> Result<(), ArchiveError> {
        let form = |problem: &dyn std::fmt::Display| ArchiveError::form(&self.new, problem);
        let plain = write_entries(leaves.iter().map(Vec::as_slice)).map_err(|e| form(&e))?;
        let frame = zstd::bulk::compress(&plain, COMPRESSION).map_err(|e| form(&e))?;
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|e| form(&e));
        self.frames.push((length(&frame)?, length(&plain)?));
        self.file.write_all(&frame).map_err(ArchiveError::io("writing", &self.new))
    }

    /// Ends the file and gives it its name, unless there is one of that name: whoever checks it says what it is worth.
    pub(crate) fn finish(mut self) -> Result<(), ArchiveError> {
        let mut table = SKIPPED_MAGIC.to_le_bytes().to_vec();
        table.extend(u32::try_from(TABLE - 8).unwrap_or(0).to_le_bytes());
        for (packed, plain) in &self.frames {
            table.extend(packed.to_le_bytes());
            table.extend(plain.to_le_bytes());
        }
        table.extend(footer());
        let writing = || ArchiveError::io("writing", &self.new);
        self.file.write_all(&table).map_err(writing())?;
        self.file.sync_all().map_err(writing())?;
        match fs::hard_link(&self.new, &self.path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(ArchiveError::io("naming", &self.path)(error));
            }
            _ => {}
        }
        sync(self.path.parent().unwrap_or(Path::new(".")))
    }
}

/// What the file says that names the log of an archive.
fn owner(first: &Hash) -> String {
    format!("{first}\n")
}

/// Has a directory keep what was named in it.
fn sync(dir: &Path) -> Result<(), ArchiveError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(ArchiveError::io("keeping", dir))
}

impl Drop for Writing {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(index: u64) -> Vec<u8> {
        format!("leaf {index} {}", "x".repeat(usize::try_from(index % 700).unwrap())).into_bytes()
    }

    fn written(archive: &Archive, segment: u64) {
        archive.claim(&Hash([7; 32])).unwrap();
        let mut writing = archive.begin(segment).unwrap();
        let first = segment * SEGMENT_EVENTS;
        for bundle in 0..FRAMES as u64 {
            let from = first + bundle * TILE_WIDTH;
            let leaves: Vec<Vec<u8>> = (from..from + TILE_WIDTH).map(leaf).collect();
            writing.bundle(&leaves).unwrap();
        }
        writing.finish().unwrap();
    }

    #[test]
    fn each_leaf_is_read_alone_and_the_whole_file_is_that_of_its_tree() {
        let dir = tempfile::tempdir().unwrap();
        let archive = Archive::new(&dir.path().join("archive"));
        written(&archive, 2);
        let first = 2 * SEGMENT_EVENTS;
        let hashes: Vec<Hash> =
            (first..first + SEGMENT_EVENTS).map(|index| leaf_hash(&leaf(index))).collect();
        let checked = archive.check(2).unwrap();
        assert_eq!(checked.leaves, hashes);
        assert_eq!(checked.root(), hashes.iter().copied().collect::<Frontier>().root());
        for index in [0, 1, 255, 256, 9_000, SEGMENT_EVENTS - 1, 255] {
            let read = archive.leaves(&[first + index + 1]).unwrap();
            assert_eq!(read, [leaf(first + index)], "{index}");
        }
        assert_eq!(fs::read_dir(archive.dir()).unwrap().count(), 2, "nothing is left beside it");
    }

    #[test]
    fn a_directory_is_the_archive_of_one_log() {
        let dir = tempfile::tempdir().unwrap();
        let archive = Archive::new(&dir.path().join("deep/archive"));
        for _ in 0..2 {
            archive.claim(&Hash([1; 32])).unwrap();
        }
        for error in [archive.claim(&Hash([2; 32])), archive.is_of(&Hash([2; 32]))] {
            let error = error.unwrap_err().to_string();
            assert!(error.contains("is the archive of another log"), "{error}");
        }
        assert_eq!(fs::read_dir(archive.dir()).unwrap().count(), 1);
        let error = Archive::new(dir.path()).is_of(&Hash([1; 32])).unwrap_err().to_string();
        assert!(error.contains("is it mounted?"), "{error}");
        assert!(!dir.path().join("log").exists(), "whoever looks makes nothing");
    }

    #[test]
    fn what_somebody_was_writing_who_was_killed_is_swept_when_it_is_old() {
        let dir = tempfile::tempdir().unwrap();
        let (old, young) = (dir.path().join("segment-000000.x.new"), dir.path().join("log.y.new"));
        let whole = dir.path().join("segment-000000.zst");
        let past = SystemTime::now() - LEFT - Duration::from_secs(60);
        for (path, at) in [(&old, Some(past)), (&young, None), (&whole, Some(past))] {
            let file = File::create(path).unwrap();
            at.map_or(Ok(()), |at| file.set_modified(at)).unwrap();
        }
        let writing = Archive::new(dir.path()).begin(1).unwrap();
        assert!(!old.exists() && young.exists() && whole.exists());
        drop(writing);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_that_is_there_stays_and_one_that_was_changed_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let archive = Archive::new(dir.path());
        written(&archive, 0);
        let path = archive.file(0);
        let good = fs::read(&path).unwrap();
        written(&archive, 0);
        assert_eq!(fs::read(&path).unwrap(), good);
        for at in
            [0, 100, good.len() / 2, good.len() - TABLE - 1, good.len() - TABLE, good.len() - 1]
        {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            let other = archive.check(0).map_or_else(
                |error| error.to_string(),
                |read| {
                    if read.sha256 == Digest::of(&good) {
                        String::new()
                    } else {
                        "other".to_owned()
                    }
                },
            );
            assert!(!other.is_empty(), "byte {at}");
        }
        for cut in [0, 1, TABLE - 1, TABLE, good.len() - 1] {
            fs::write(&path, &good[..cut]).unwrap();
            let error = archive.check(0).unwrap_err().to_string();
            assert!(
                error.contains("segment-000000.zst is not as it was archived"),
                "{cut}: {error}"
            );
            assert!(Archive::new(dir.path()).leaves(&[1]).is_err(), "cut at {cut}");
        }
        fs::remove_file(&path).unwrap();
        let error = Archive::new(dir.path()).leaves(&[1]).unwrap_err().to_string();
        assert!(error.contains("segment-000000.zst is not there: bring it back"), "{error}");
    }
}
