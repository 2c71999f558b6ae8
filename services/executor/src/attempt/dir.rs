//! The attempt's directory: its name, its files, and how it comes and goes.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use domain::canonical::Digest as Salt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::claim::{Claim, boot};
use super::error::{AttemptError, io_at};
use super::keep::{self, hex};
use super::recover::State;
use super::spare;
use super::spec::Spec;
use super::supervisors;
use super::tail::OutputTail;
use crate::print::vault::random;

/// Longest run identity that is spelled out in a directory's name, in bytes after escaping.
const SPELLED_OUT: usize = 180;

/// The name that says that the outcome is in the log.
pub(crate) const REPORTED: &str = "reported";

/// A supervisor that has said its last word answers within microseconds; this is for a loaded host.
const SETTLE: Duration = Duration::from_secs(10);

/// One attempt on this host. Cheap to clone; any number may speak of the same attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptDir {
    path: PathBuf,
}

/// `spec.json`: the specification, during which uptime of the host it was written, and the salt of the commitment to what it
/// writes. What was claimed after that is not forced to disk: without a claim, after a restart, nobody knows whether it ran.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prepared {
    pub(crate) boot: String,
    pub(crate) spec: Spec,
    /// Absent where an earlier version of this program has prepared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) salt: Option<Salt>,
}

/// Makes the directory of an attempt and its `spec.json`. Both survive the executor, and neither is forced
/// to disk: after a power cut nothing of what ran here runs any more, and what was claimed stands in the
/// journal, so a directory that is gone or half written tells as much as a whole one.
///
/// # Errors
/// If the specification is bad, the attempt was prepared before, or the disk refuses.
pub fn prepare(root: &Path, spec: &Spec) -> Result<AttemptDir, AttemptError> {
    if let Some(problem) = spec.problem() {
        return Err(AttemptError::BadSpec { run: spec.run.clone(), problem });
    }
    let root = whole(root)?;
    let name = name(&spec.run, spec.attempt);
    let (new, path) = (root.join(format!(".new-{name}")), root.join(name));
    let fresh = match spare::take(&root) {
        Some(spare) => spare,
        None => make_anew(new)?,
    };
    write_spec(&fresh, spec)?;
    // Under its real name it is whole, wherever we are killed. (After a power cut it may not be; then it
    // counts as vanished, like everything that was not known before.)
    match fs::rename(&fresh, &path) {
        Err(error) if is_taken(&error) => {
            spare::give(&root, &fresh).map_err(io_at("remove", &fresh))?;
            return Err(AttemptError::AlreadyPrepared(path));
        }
        renamed => renamed.map_err(io_at("name", &path))?,
    }
    Ok(AttemptDir { path })
}

/// Every attempt below `root`, in the order of their names; none if there is no such directory.
///
/// # Errors
/// If the directory cannot be read.
pub fn list(root: &Path) -> Result<Vec<AttemptDir>, AttemptError> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_at("list", root)(error)),
    };
    let root = whole(root)?;
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(io_at("list", &root))?.file_name();
        // A dot begins what is half made or half removed, and no attempt.
        if !name.as_encoded_bytes().starts_with(b".") {
            found.push(AttemptDir { path: root.join(name) });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Deletes what an earlier executor left half made or half removed. Call it once, at the start.
///
/// # Errors
/// If the disk refuses.
pub fn sweep(root: &Path) -> Result<(), AttemptError> {
    match spare::sweep(&whole(root)?) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_at("sweep", root)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

impl AttemptDir {
    /// The attempt of a run on this host, if it was prepared and not yet removed.
    #[must_use]
    pub fn find(root: &Path, run: &str, attempt: u32) -> Option<Self> {
        let path = whole(root).ok()?.join(name(run, attempt));
        path.is_dir().then_some(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was to be run.
    ///
    /// # Errors
    /// If `spec.json` is not there or not readable.
    pub fn spec(&self) -> Result<Spec, AttemptError> {
        self.prepared().map(|prepared| prepared.spec)
    }

    /// The salt of the commitment to what it writes; `None` where an earlier version of this program has prepared it.
    ///
    /// # Errors
    /// If `spec.json` is not there or not readable.
    pub(crate) fn salt(&self) -> Result<Option<Salt>, AttemptError> {
        self.prepared().map(|prepared| prepared.salt)
    }

    pub(crate) fn prepared(&self) -> Result<Prepared, AttemptError> {
        let path = self.file("spec.json");
        let bytes = fs::read(&path).map_err(io_at("read", &path))?;
        serde_json::from_slice(&bytes).map_err(|source| AttemptError::Damaged { path, source })
    }

    /// The kept output from `offset` on, as far as the supervisor has flushed it; for a command that
    /// still runs, at most 200 ms behind. To follow output, keep an [`AttemptDir::tail`] instead: this
    /// decompresses from the beginning.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn output(&self, offset: u64) -> Result<Vec<u8>, AttemptError> {
        let mut tail = self.tail();
        tail.skip(offset)?;
        let read = tail.read()?;
        if !read.is_empty() {
            return Ok(read);
        }
        // It is encrypted by now, or there is none.
        Ok(self.sealed_output(offset)?.unwrap_or(read))
    }

    /// What an engine said it did; `None` where it left nothing.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn report(&self) -> Result<Option<Vec<u8>>, AttemptError> {
        let path = super::launch::report(&self.path);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes).filter(|bytes| !bytes.is_empty())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_at("read", &path)(error)),
        }
    }

    /// How far an engine says it is, as it wrote it; `None` where it said nothing.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn progress(&self) -> Result<Option<Vec<u8>>, AttemptError> {
        let path = super::launch::progress_beside(&super::launch::report(&self.path));
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes).filter(|bytes| !bytes.is_empty())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_at("read", &path)(error)),
        }
    }

    /// A reader that follows the output from its beginning.
    #[must_use]
    pub fn tail(&self) -> OutputTail {
        OutputTail::new(self.file(keep::NAME))
    }

    /// Notes that the outcome is in the log. Costs no file: it is one more name of the specification.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn note_reported(&self) -> Result<(), AttemptError> {
        let path = self.file(REPORTED);
        match fs::hard_link(self.file("spec.json"), &path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                fs::write(&path, b"").map_err(io_at("write", &path))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether [`AttemptDir::note_reported`] was called.
    #[must_use]
    pub fn is_reported(&self) -> bool {
        self.file(REPORTED).exists()
    }

    /// How long ago [`AttemptDir::note_reported`] was called; `None` if it was not.
    #[must_use]
    pub fn reported_for(&self) -> Option<Duration> {
        let noted = fs::metadata(self.file(REPORTED)).ok()?;
        // Linking is the last change of that file, and is no change of its content.
        let noted = u64::try_from(noted.ctime()).ok()?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(now.saturating_sub(Duration::from_secs(noted)))
    }

    /// Removes the directory. The outcome must be in the journal by now: this is the only other copy.
    ///
    /// # Errors
    /// If the command still runs, or the disk refuses.
    pub fn remove(&self) -> Result<(), AttemptError> {
        if matches!(self.state(), Ok(State::Running { .. })) {
            return Err(AttemptError::StillRunning(self.path.clone()));
        }
        if let Some(hired) = supervisors::hired(&self.path) {
            // Its last answer is there, or about to be: it has written the status, or it has ended.
            let settled =
                hired.wait(Instant::now() + SETTLE).map_err(io_at("settle", &self.path))?;
            if !settled {
                return Err(AttemptError::StillRunning(self.path.clone()));
            }
            supervisors::forget(&self.path);
        }
        self.remove_ended()
    }

    /// [`AttemptDir::remove`] for an attempt that [`AttemptDir::wait`] gave as ended.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn remove_ended(&self) -> Result<(), AttemptError> {
        self.destroy_key().map_err(io_at("destroy the key of", &self.path))?;
        let root = self.path.parent().unwrap_or(Path::new("/"));
        spare::give(root, &self.path).map_err(io_at("remove", &self.path))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The directory's own name, unique on the host; also the name of its cgroup.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Run and attempt as a file name; different ones never share a name. `~` ends the run's part, and
/// nothing it is made of contains one.
fn name(run: &str, attempt: u32) -> String {
    let escaped: String = run.bytes().map(escape).collect();
    if escaped.len() <= SPELLED_OUT {
        return format!("{escaped}~{attempt}");
    }
    let hash = hex(&Sha256::digest(run.as_bytes()));
    let start: String = escaped.chars().take(SPELLED_OUT - 70).collect();
    format!("{start}~{hash}~{attempt}")
}

/// `%` is always escaped itself, so nothing can pretend to be an escape; a dot never comes first.
fn escape(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'@' | b':' | b'+' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02x}"),
    }
}

/// Others may pass through (a script must be reachable for its user) but not look around.
fn make_dirs(path: &Path) -> Result<(), AttemptError> {
    let made = DirBuilder::new().recursive(true).mode(0o711).create(path);
    made.map_err(io_at("create", path))
}

/// The directory of attempts as everybody here spells it: who looks after an attempt is found by its path, and
/// a supervisor has a working directory of its own.
fn whole(root: &Path) -> Result<PathBuf, AttemptError> {
    std::path::absolute(root).map_err(io_at("find", root))
}

fn make_anew(dir: PathBuf) -> Result<PathBuf, AttemptError> {
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_at("clear", &dir)(error));
        }
        Ok(()) | Err(_) => {}
    }
    make_dirs(&dir)?;
    Ok(dir)
}

fn write_spec(dir: &Path, spec: &Spec) -> Result<(), AttemptError> {
    let path = dir.join("spec.json");
    let boot = boot().map_err(io_at("learn the host's uptime for", dir))?;
    let salt = random().map(Salt).map_err(io_at("make a salt for", dir))?;
    let bytes = serde_json::to_vec(&Prepared { boot, spec: spec.clone(), salt: Some(salt) });
    let bytes = bytes.map_err(|source| AttemptError::Damaged { path: path.clone(), source })?;
    let written =
        spare::file(dir, "spec.json", "spec.json").and_then(|mut file| file.write_all(&bytes));
    written.and_then(|()| Claim::offer(dir)).map_err(io_at("write", &path))
}

/// File systems do not agree on how to say it.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_runs_never_share_a_name() {
        let long = "x".repeat(400);
        let runs = ["a", "a/b", "a%2fb", "a~1", "..", "", "é", &long, &format!("{long}y")];
        let mut names: Vec<String> =
            runs.iter().flat_map(|run| [name(run, 1), name(run, 11)]).collect();
        names.push(name("a~1", 1));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), runs.len() * 2);
        assert!(names.iter().all(|n| n.len() < 255 && !n.contains('/') && !n.starts_with('.')));
    }
}
