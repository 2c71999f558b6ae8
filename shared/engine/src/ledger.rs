//! Our own ledger of the source: every walk, open and read, and a hash for each file.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ignore::{Walk, WalkBuilder};
use rustic_core::repofile::NodeType;
use rustic_core::{
    ErrorKind, LocalSourceSaveOptions, ReadSource, ReadSourceEntry, ReadSourceOpen, RusticError,
    RusticResult,
};
use sha2::{Digest, Sha256};

use crate::context::{Cancel, Meter, lock};
use crate::gate::Gate;
use crate::manifest::{Entry, hex};
use crate::path::FilePath;
use crate::problem::Problem;
use crate::report::{Counted, MOST_NAMED, ProblemKind, Warning};
use crate::request::Paths;

/// What was read of the source, by all threads that read it.
pub(crate) struct Ledger {
    pub(crate) meter: Arc<Meter>,
    pub(crate) cancel: Cancel,
    state: Mutex<State>,
}

/// What the ledger holds.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// What is in the source and was not lost to an error.
    pub(crate) entries: BTreeMap<PathBuf, Entry>,
    pub(crate) errors: Counted<Warning>,
    pub(crate) changed: Counted<FilePath>,
    pub(crate) sockets: u64,
}

impl Ledger {
    pub(crate) fn new(meter: Arc<Meter>, cancel: Cancel) -> Self {
        Self { meter, cancel, state: Mutex::default() }
    }

    /// What it holds at the end.
    pub(crate) fn take(&self) -> State {
        std::mem::take(&mut lock(&self.state))
    }

    /// Whether it holds no entry.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.state).entries.is_empty()
    }

    /// Something could not be read.
    pub(crate) fn error(&self, path: Option<&Path>, message: String) {
        let warning = Warning { path: path.map(Into::into), message };
        lock(&self.state).errors.push(warning, MOST_NAMED);
    }

    /// A file could not be read and is therefore not in the snapshot.
    fn lost(&self, path: &Path, message: String) {
        lock(&self.state).entries.remove(path);
        self.error(Some(path), message);
    }

    pub(crate) fn enter(&self, path: &Path, entry: Entry) {
        lock(&self.state).entries.insert(path.to_owned(), entry);
    }

    fn changed(&self, path: &Path) {
        lock(&self.state).changed.push(path.into(), MOST_NAMED);
    }

    /// A file was read to its end.
    pub(crate) fn hashed(&self, path: &Path, bytes: u64, sha256: String) {
        if let Some(entry) = lock(&self.state).entries.get_mut(path) {
            entry.size = bytes;
            entry.sha256 = Some(sha256);
        }
        self.meter.file(path);
    }
}

/// Files and directories as a source of the engine.
pub(crate) struct Files {
    builder: WalkBuilder,
    ledger: Arc<Ledger>,
    gate: Arc<Gate>,
}

impl Files {
    /// The source that was asked for; a glob that is none is refused.
    pub(crate) fn new(
        asked: &Paths,
        ledger: Arc<Ledger>,
        gate: Arc<Gate>,
    ) -> Result<Self, Problem> {
        Ok(Self { builder: walk(asked)?, ledger, gate })
    }
}

/// The walk through what was asked for, for every engine the same; a glob that is none is refused.
pub(crate) fn walk(asked: &Paths) -> Result<WalkBuilder, Problem> {
    let roots = roots(asked)?;
    let (first, rest) = roots.split_first().ok_or_else(|| bad("no path is given"))?;
    let mut builder = WalkBuilder::new(first);
    for root in rest {
        builder.add(root);
    }
    builder.standard_filters(false).follow_links(false).sort_by_file_path(Path::cmp);
    builder.same_file_system(asked.one_file_system).overrides(overrides(&asked.exclude)?);
    let markers = asked.exclude_if_present.clone();
    if !markers.is_empty() {
        builder.filter_entry(move |entry| !is_marked(entry, &markers));
    }
    Ok(builder)
}

fn bad(message: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::BadRequest, message)
}

/// The paths to walk, sorted, without those inside another.
pub(crate) fn roots(asked: &Paths) -> Result<Vec<PathBuf>, Problem> {
    let mut roots: Vec<PathBuf> = asked.paths.iter().map(|p| p.0.components().collect()).collect();
    if let Some(relative) = roots.iter().find(|root| !root.is_absolute()) {
        return Err(bad(format!("the path {} is not absolute", relative.display())));
    }
    roots.sort();
    roots.dedup_by(|inner, outer| inner.starts_with(outer));
    Ok(roots)
}

fn overrides(globs: &[String]) -> Result<ignore::overrides::Override, Problem> {
    let mut builder = ignore::overrides::OverrideBuilder::new("/");
    for glob in globs {
        // An override says what to take; a `!` before it says what to leave out.
        let glob = glob.strip_prefix('!').map_or_else(|| format!("!{glob}"), ToOwned::to_owned);
        builder.add(&glob).map_err(|e| bad(format!("the exclusion {glob:?} is no glob: {e}")))?;
    }
    builder.build().map_err(|e| bad(format!("the exclusions cannot be read: {e}")))
}

fn is_marked(entry: &ignore::DirEntry, markers: &[String]) -> bool {
    entry.file_type().is_some_and(|t| t.is_dir())
        && markers.iter().any(|marker| entry.path().join(marker).symlink_metadata().is_ok())
}

impl ReadSource for Files {
    type Open = Opener;
    type Iter = Walker;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(None)
    }

    fn entries(&self) -> Walker {
        let (ledger, gate) = (self.ledger.clone(), self.gate.clone());
        Walker { walk: self.builder.build(), ledger, gate }
    }
}

/// Walks the source and enters what it sees.
pub(crate) struct Walker {
    walk: Walk,
    ledger: Arc<Ledger>,
    gate: Arc<Gate>,
}

impl Iterator for Walker {
    type Item = RusticResult<ReadSourceEntry<Opener>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.ledger.cancel.is_cancelled() {
                return None;
            }
            match self.walk.next() {
                None => {
                    if self.ledger.is_empty() {
                        self.gate.forbid("there is nothing at the paths that were named");
                    }
                    return None;
                }
                Some(Ok(entry)) => {
                    if let Some(entry) = self.enter(entry) {
                        return Some(Ok(entry));
                    }
                }
                Some(Err(error)) => self.ledger.error(path_of(&error), format!("walking: {error}")),
            }
        }
    }
}

impl Walker {
    fn enter(&self, entry: ignore::DirEntry) -> Option<ReadSourceEntry<Opener>> {
        entry.path().parent()?; // the root of everything has no name to be stored under
        let path = entry.path().to_owned();
        let mapped = LocalSourceSaveOptions::default().map_entry(entry);
        let seen = match mapped {
            Ok(seen) => seen,
            Err(error) => {
                self.ledger.error(Some(&path), format!("looking at it: {error}"));
                return None;
            }
        };
        if seen.node.node_type == NodeType::Socket {
            lock(&self.ledger.state).sockets += 1;
            return None;
        }
        let entry = Entry::of(path.clone().into(), &seen.node);
        let open = Opener { path: path.clone(), seen: entry.clone(), ledger: self.ledger.clone() };
        self.ledger.enter(&path, entry);
        Some(ReadSourceEntry { path, node: seen.node, open: Some(open) })
    }
}

/// The path an error of a walk is about.
pub(crate) fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_of(err)
        }
        ignore::Error::Loop { child, .. } => Some(child),
        ignore::Error::Partial(_)
        | ignore::Error::Io(_)
        | ignore::Error::Glob { .. }
        | ignore::Error::UnrecognizedFileType(_)
        | ignore::Error::InvalidDefinition => None,
    }
}

/// A file that can be opened.
pub(crate) struct Opener {
    path: PathBuf,
    seen: Entry,
    ledger: Arc<Ledger>,
}

impl ReadSourceOpen for Opener {
    type Reader = Reader;

    fn open(self) -> RusticResult<Reader> {
        match open_regular(&self.path) {
            Ok(file) => {
                Ok(Reader { file, hasher: Sha256::new(), bytes: 0, ended: false, opener: self })
            }
            Err(error) => {
                self.ledger.lost(&self.path, format!("opening: {error}"));
                let what = format!("Failed to open {}.", self.path.display());
                Err(RusticError::with_source(ErrorKind::InputOutput, what, error))
            }
        }
    }
}

/// Opens a regular file; what has become a link, a fifo or a device meanwhile is an error.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other("it was a regular file a moment ago and is none now"))
}

/// Reads a file and hashes what it reads.
pub(crate) struct Reader {
    file: File,
    hasher: Sha256,
    bytes: u64,
    ended: bool,
    opener: Opener,
}

impl Reader {
    fn end(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        let Opener { path, seen, ledger } = &self.opener;
        let now = self.file.metadata()?;
        if now.len() != seen.size || self.bytes != seen.size || mtime(&now) != seen.mtime {
            ledger.changed(path);
        }
        let hash = std::mem::take(&mut self.hasher).finalize();
        ledger.hashed(path, self.bytes, hex(&hash));
        Ok(())
    }

    fn failed(&mut self, error: &io::Error) {
        self.ended = true;
        let Opener { path, ledger, .. } = &self.opener;
        ledger.lost(path, format!("reading after {} bytes: {error}", self.bytes));
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.opener.ledger.cancel.is_cancelled() {
            return Err(io::Error::other(crate::context::CANCELLED));
        }
        let read = self.file.read(buffer).inspect_err(|error| self.failed(error))?;
        if read == 0 && !buffer.is_empty() {
            self.end()?;
        }
        self.hasher.update(&buffer[..read]);
        self.bytes += read as u64;
        self.opener.ledger.meter.bytes(read as u64);
        Ok(read)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.ended && (self.bytes != self.opener.seen.size || self.end().is_err()) {
            let cut = io::Error::other("the engine stopped before the end of the file");
            self.failed(&cut);
        }
    }
}

/// A file that was read without the engine.
pub(crate) struct Hashed {
    pub(crate) bytes: u64,
    /// Nanoseconds since 1970, after it was read.
    pub(crate) mtime: i64,
    pub(crate) sha256: String,
}

/// Hashes a file without the engine.
pub(crate) fn hash_file(path: &Path) -> io::Result<Hashed> {
    let mut file = open_regular(path)?;
    let mut hasher = Sha256::new();
    // One byte more than there is: its end is then seen without growing.
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut buffer = vec![0; length.saturating_add(1).min(1 << 17)];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
    let sha256 = hex(&hasher.finalize());
    Ok(Hashed { bytes, mtime: mtime(&file.metadata()?), sha256 })
}

/// When a file was changed, in nanoseconds since 1970.
pub(crate) fn mtime(meta: &std::fs::Metadata) -> i64 {
    meta.mtime() * 1_000_000_000 + meta.mtime_nsec()
}
