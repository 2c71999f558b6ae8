//! What a restore writes: files, links, directories, their metadata, and the move into place.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use nix::sys::stat::{Mode, SFlag, UtimensatFlags, mknod, utimensat};
use nix::sys::time::TimeSpec;
use rustic_core::BlobId;
use rustic_core::repofile::{BlobType, Node, NodeType};

use crate::ledger::{hash_file, mtime};
use crate::manifest::{Entry, unix_mode};
use crate::request::Overwrite;
use crate::rustic::read::Indexed;
use crate::rustic::restore::Job;

/// A run of zeros of at least this length becomes a hole.
const HOLE: usize = 4096;

/// The directory a restore works in: beside the target, so that one rename puts it in place, or
/// inside a target that is a file system of its own, because nothing is renamed across them.
pub(crate) fn working_dir(to: &Path, snapshot: &str) -> PathBuf {
    let part = format!(".decklog-part-{}", snapshot.get(..8).unwrap_or(snapshot));
    let device = |path: &Path| path.metadata().map(|meta| meta.dev()).ok();
    let parent = to.parent().unwrap_or(Path::new("/"));
    if device(to).is_some_and(|own| Some(own) != device(parent)) {
        return to.join(part);
    }
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(part);
    to.with_file_name(name)
}

/// Whether a directory holds anything but what a restore left there.
pub(crate) fn is_filled(to: &Path) -> io::Result<bool> {
    let foreign = |entry: io::Result<fs::DirEntry>| match entry {
        Ok(entry) => !entry.file_name().as_encoded_bytes().starts_with(b".decklog-part-"),
        Err(_) => true,
    };
    match fs::read_dir(to) {
        Ok(mut entries) => Ok(entries.any(foreign)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A directory for us alone, which may be there already from an interrupted restore.
pub(crate) fn fresh_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// A directory that we can write into until it gets its own permissions.
pub(crate) fn dir(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(there) if there.is_dir() => {}
        Ok(_) => {
            fs::remove_file(path)?;
            fs::create_dir(path)?;
        }
        Err(_) => fs::create_dir(path)?,
    }
    fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// Whether an interrupted restore has brought the file already.
pub(crate) fn holds(place: &Path, entry: &Entry) -> bool {
    let there = place.symlink_metadata();
    there.is_ok_and(|m| m.is_file() && m.len() == entry.size)
        && hash_file(place).is_ok_and(|read| entry.sha256.as_ref() == Some(&read.sha256))
}

/// Writes a file blob by blob; gives the bytes fetched.
pub(crate) fn write_file(indexed: &Indexed, job: &Job) -> Result<u64, String> {
    let failed = |error: io::Error| format!("writing it: {error}");
    let mut file = create(&job.place).map_err(failed)?;
    let content = job.node.content.as_ref().ok_or("the snapshot holds no content of it")?;
    let mut length = 0;
    for id in content {
        let blob = indexed.blob(&BlobId::from(**id), BlobType::Data)?;
        write_sparse(&mut file, &blob).map_err(failed)?;
        length += blob.len() as u64;
    }
    file.set_len(length).map_err(failed)?;
    Ok(length)
}

/// A new file in the place of whatever an interrupted restore has left there.
fn create(place: &Path) -> io::Result<File> {
    let new = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(place);
    match new() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            remove(place)?;
            new()
        }
        created => created,
    }
}

/// Writes what is no hole in pieces as long as they are.
fn write_sparse(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    let mut length = 0;
    for piece in bytes.chunks(HOLE) {
        if piece.len() < HOLE || piece.iter().any(|byte| *byte != 0) {
            length += piece.len();
            continue;
        }
        let (data, after) = rest.split_at(length);
        file.write_all(data)?;
        file.seek(SeekFrom::Current(HOLE as i64))?;
        (rest, length) = (after.get(HOLE..).unwrap_or_default(), 0);
    }
    file.write_all(rest)
}

fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(there) if there.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

/// Creates a link, a fifo or a device.
pub(crate) fn special(place: &Path, node: &Node) -> io::Result<()> {
    remove(place)?;
    let make = |kind: SFlag, device: u64| {
        mknod(place, kind, Mode::from_bits_truncate(0o600), device).map_err(io::Error::from)
    };
    match node.node_type {
        NodeType::Symlink { .. } => std::os::unix::fs::symlink(node.node_type.to_link(), place),
        NodeType::Fifo => make(SFlag::S_IFIFO, 0),
        NodeType::Dev { device } => make(SFlag::S_IFBLK, device),
        NodeType::Chardev { device } => make(SFlag::S_IFCHR, device),
        NodeType::File | NodeType::Dir | NodeType::Socket => Ok(()),
    }
}

/// Sets owner, attributes, permissions and times, in this order; says what could not be set.
pub(crate) fn set_metadata(place: &Path, node: &Node) -> Vec<String> {
    let mut problems = Vec::new();
    let mut note = |what: &str, result: io::Result<()>| {
        if let Err(error) = result {
            problems.push(format!("setting its {what}: {error}"));
        }
    };
    let meta = &node.meta;
    if nix::unistd::geteuid().is_root() {
        note("owner", std::os::unix::fs::lchown(place, meta.uid, meta.gid));
    }
    for attribute in &meta.extended_attributes {
        let value = attribute.value.as_deref().unwrap_or_default();
        note("attributes", xattr::set(place, &attribute.name, value));
    }
    if let Some(mode) = meta.mode.filter(|_| !node.is_symlink()) {
        note("permissions", fs::set_permissions(place, Permissions::from_mode(unix_mode(mode))));
    }
    if let Some(mtime) = meta.mtime {
        note("time", set_time(place, mtime));
    }
    problems
}

fn set_time(place: &Path, time: jiff::Timestamp) -> io::Result<()> {
    let (mut seconds, mut nanos) = (time.as_second(), i64::from(time.subsec_nanosecond()));
    if nanos < 0 {
        seconds -= 1;
        nanos += 1_000_000_000;
    }
    let spec = TimeSpec::new(seconds, nanos);
    let at = nix::fcntl::AT_FDCWD;
    utimensat(at, place, &spec, &spec, UtimensatFlags::NoFollowSymlink).map_err(Into::into)
}

/// What differs between what the manifest says and what is there.
pub(crate) fn difference(entry: &Entry, place: &Path) -> Option<String> {
    let there = match place.symlink_metadata() {
        Ok(there) => there,
        Err(error) => return Some(format!("is not there: {error}")),
    };
    let kind = kind(&there);
    if kind != entry.kind {
        return Some(format!("is a {kind}, not a {}", entry.kind));
    }
    contents(entry, place, &there).or_else(|| metadata(entry, &there))
}

fn contents(entry: &Entry, place: &Path, there: &fs::Metadata) -> Option<String> {
    if let Some(target) = &entry.target {
        let points = fs::read_link(place).ok();
        return (points.as_deref() != Some(target.path())).then(|| "points elsewhere".to_owned());
    }
    let sha256 = entry.sha256.as_ref()?;
    if there.len() != entry.size {
        return Some(format!("has {} bytes, not {}", there.len(), entry.size));
    }
    match hash_file(place) {
        Ok(read) if read.sha256 == *sha256 => None,
        Ok(_) => Some("has other contents".to_owned()),
        Err(error) => Some(format!("cannot be read again: {error}")),
    }
}

fn metadata(entry: &Entry, there: &fs::Metadata) -> Option<String> {
    let mode = there.mode() & 0o7777;
    if entry.kind != "symlink" && mode != entry.mode {
        return Some(format!("has the permissions {mode:o}, not {:o}", entry.mode));
    }
    if mtime(there) != entry.mtime {
        return Some("has another time".to_owned());
    }
    let owner = (there.uid(), there.gid());
    if nix::unistd::geteuid().is_root() && owner != (entry.uid, entry.gid) {
        return Some(format!("belongs to {owner:?}, not {:?}", (entry.uid, entry.gid)));
    }
    None
}

fn kind(there: &fs::Metadata) -> &'static str {
    let kind = there.file_type();
    if kind.is_dir() {
        "dir"
    } else if kind.is_symlink() {
        "symlink"
    } else if kind.is_fifo() {
        "fifo"
    } else if kind.is_block_device() {
        "dev"
    } else if kind.is_char_device() {
        "chardev"
    } else if kind.is_socket() {
        "socket"
    } else {
        "file"
    }
}

/// Removes from the working directory what does not belong to this restore.
pub(crate) fn remove_others(dir: &Path, places: &BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let below = |place: &PathBuf| place.starts_with(&path);
        let needed = places.range(path.clone()..).next().is_some_and(below);
        if !needed {
            remove(&path)?;
        } else if path.symlink_metadata()?.is_dir() {
            remove_others(&path, places)?;
        }
    }
    Ok(())
}

/// Has a file system write out what lies in memory, while others go on filling it: what is synced at the end is then
/// little.
///
/// The kernel tells a failed write once: whoever heard of it here must say so, the sync at the end hears nothing more.
pub(crate) struct Writeback {
    wanted: Option<SyncSender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
    bytes: AtomicU64,
}

/// Bytes after which it is worth while.
const WRITEBACK: u64 = 64 << 20;

impl Writeback {
    /// For the file system of a directory.
    pub(crate) fn new(dir: &Path) -> io::Result<Self> {
        let dir = File::open(dir)?;
        let (wanted, asked) = sync_channel(1);
        let thread = std::thread::spawn(move || {
            let mut all = Ok(());
            while asked.recv().is_ok() {
                all = all.and(nix::unistd::syncfs(&dir).map_err(io::Error::from));
            }
            all
        });
        Ok(Self { wanted: Some(wanted), thread: Some(thread), bytes: AtomicU64::new(0) })
    }

    /// So much was written.
    pub(crate) fn wrote(&self, bytes: u64) {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before / WRITEBACK != (before + bytes) / WRITEBACK {
            self.begin();
        }
    }

    /// Begins at once, with all there is.
    pub(crate) fn begin(&self) {
        // Where one is wanted already, that one will do.
        let _ = self.wanted.as_ref().map(|wanted| wanted.try_send(()));
    }

    /// Waits for what was begun.
    ///
    /// # Errors
    /// Something could not be written.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.wanted = None;
        let broke = |_| Err(io::Error::other("the thread that syncs broke"));
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap_or_else(broke))
    }
}

impl Drop for Writeback {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Syncs the file system and moves the directory, or what is in it, to where it was asked for.
pub(crate) fn put_in_place(part: &Path, to: &Path, overwrite: Overwrite) -> io::Result<()> {
    nix::unistd::syncfs(File::open(part)?)?;
    let inside = part.starts_with(to);
    match (to.symlink_metadata().is_ok(), overwrite) {
        (true, Overwrite::Replace | Overwrite::Never) if inside => into(part, to)?,
        (true, Overwrite::Replace) => into(part, to)?,
        (true, Overwrite::Never) => {
            fs::remove_dir(to)?;
            fs::rename(part, to)?;
        }
        (false, Overwrite::Never | Overwrite::Replace) => fs::rename(part, to)?,
    }
    let parent = to.parent().unwrap_or(Path::new("/"));
    File::open(parent)?.sync_all()
}

fn into(part: &Path, to: &Path) -> io::Result<()> {
    merge(part, to)?;
    fs::remove_dir_all(part)?;
    nix::unistd::syncfs(File::open(to)?).map_err(Into::into)
}

/// Moves each file over the one of the same name; a directory never replaces a file by itself.
fn merge(from: &Path, to: &Path) -> io::Result<()> {
    let meta = from.symlink_metadata()?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, place) = (entry.path(), to.join(entry.file_name()));
        let there = place.symlink_metadata().ok();
        let both_dirs = entry.file_type()?.is_dir() && there.as_ref().is_some_and(|t| t.is_dir());
        if both_dirs {
            merge(&source, &place)?;
        } else {
            fs::rename(&source, &place)?;
        }
    }
    fs::set_permissions(to, meta.permissions())?;
    let mtime = TimeSpec::new(meta.mtime(), meta.mtime_nsec());
    let at = nix::fcntl::AT_FDCWD;
    utimensat(at, to, &mtime, &mtime, UtimensatFlags::NoFollowSymlink).map_err(Into::into)
}
