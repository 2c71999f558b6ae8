//! Using the directories of removed attempts again.
//!
//! A file system is slow at making files right after others were deleted: ext4 walks past every inode
//! freed within the last minutes, up to a millisecond for each new file where thousands were freed. A host
//! that makes and deletes several files for each short command would spend more on that than on the commands.
//! So removed attempts are emptied and kept, and the next one finds its files already there, under
//! names that say nothing.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::claim::Claim;
use super::dir::REPORTED;

/// So many are kept for each root.
const SPARES: usize = 256;

/// What an attempt's file is called while it means nothing.
const BLANKS: [(&str, &str); 4] = [
    ("spec.json", ".spec"),
    ("status.json", ".status"),
    ("output.zst", ".output"),
    ("refusal", ".refusal"),
];

/// Spares this process made, by root. Those of an earlier one are swept away.
static SPARE: Mutex<BTreeMap<PathBuf, Vec<PathBuf>>> = Mutex::new(BTreeMap::new());

fn spares() -> MutexGuard<'static, BTreeMap<PathBuf, Vec<PathBuf>>> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An empty directory below `root`, if there is a spare one. Its name begins with a dot.
pub(crate) fn take(root: &Path) -> Option<PathBuf> {
    spares().get_mut(root).and_then(Vec::pop)
}

/// Takes a directory away from its name, and empties and keeps it, or deletes it.
pub(crate) fn give(root: &Path, gone: &Path) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let spare = root.join(format!(".spare-{}-{number}", std::process::id()));
    // Renamed first: whatever is half emptied is no attempt any more.
    fs::rename(gone, &spare)?;
    let wanted = spares().get(root).is_none_or(|spares| spares.len() < SPARES);
    if !wanted || blank(&spare).is_err() {
        return fs::remove_dir_all(&spare);
    }
    spares().entry(root.to_owned()).or_default().push(spare);
    Ok(())
}

/// Deletes what an earlier process left half made, half removed, or spare.
pub(crate) fn sweep(root: &Path) -> io::Result<()> {
    let kept = spares().get(root).cloned().unwrap_or_default();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ours = [".new-", ".spare-"].iter().any(|start| name.starts_with(start));
        if ours && !kept.contains(&path) {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

/// Takes meaning and content from every file; fails if there is one that is not known.
fn blank(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        // Further links to the specification: taking them away frees nothing.
        if name.to_str().is_some_and(|name| Claim::is_part(name) || name == REPORTED) {
            fs::remove_file(dir.join(&name))?;
            continue;
        }
        let known = BLANKS.iter().find(|(meant, _)| name == *meant);
        let (_, blank) = known.ok_or(io::ErrorKind::Unsupported)?;
        let blank = dir.join(blank);
        fs::rename(dir.join(&name), &blank)?;
        OpenOptions::new().write(true).open(&blank)?.set_len(0)?;
    }
    Ok(())
}

/// An empty file of this name for its owner alone: a blank one if there is one, or new. Whoever comes
/// second gets another file, never the same.
pub(crate) fn file(dir: &Path, meant: &str, name: &str) -> io::Result<File> {
    let path = dir.join(name);
    let blank = BLANKS.iter().find(|(known, _)| *known == meant).map(|(_, blank)| dir.join(blank));
    if blank.is_some_and(|blank| fs::rename(blank, &path).is_ok()) {
        return OpenOptions::new().read(true).write(true).open(&path);
    }
    create(&path, 0o600)
}

/// A new file with exactly this mode, as far as the umask lets it; fails if there is one.
pub(crate) fn create(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(root: &Path, files: &[&str]) -> PathBuf {
        let gone = root.join(".gone-x");
        fs::create_dir(&gone).unwrap();
        for file in files {
            fs::write(gone.join(file), "secret").unwrap();
        }
        gone
    }

    #[test]
    fn a_directory_comes_back_empty_and_without_meaning() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        give(root, &gone(root, &["spec.json", "claim disowned", "status.json", "output.zst"]))
            .unwrap();
        let fresh = take(root).unwrap();
        for entry in fs::read_dir(&fresh).unwrap() {
            let entry = entry.unwrap();
            assert!(entry.file_name().to_str().unwrap().starts_with('.'));
            assert_eq!(entry.metadata().unwrap().len(), 0);
        }
        assert_eq!(take(root), None, "there was one");
    }

    #[test]
    fn a_directory_with_more_in_it_is_deleted() {
        let root = tempfile::tempdir().unwrap();
        let gone = gone(root.path(), &["spec.json", "script"]);
        give(root.path(), &gone).unwrap();
        assert_eq!((gone.exists(), take(root.path())), (false, None));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_an_earlier_process_left_is_swept_and_attempts_are_not() {
        let root = tempfile::tempdir().unwrap();
        for name in [".new-a~1", ".spare-1-1", "c~1", ".other"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        sweep(root.path()).unwrap();
        let left = fs::read_dir(root.path()).unwrap().flatten().map(|e| e.file_name());
        let mut left: Vec<_> = left.collect();
        left.sort();
        assert_eq!(left, [".other", "c~1"]);
    }
}
