//! Hashes of what restic saved, although restic reads the files and tells none.
//!
//! Each file is read once more by us, at best right after restic (it is still in memory then). The hash counts when the
//! file was the same from before restic opened it until after we read it: size, mtime, ctime and inode that restic
//! stored are those the file has afterwards. No write leaves ctime as it was, short of a clock that is set back or two
//! writes within one tick of it (a few milliseconds). Where they differ, the hash is that of what the repository gives
//! back, and the file is reported as changed while it was read.

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use sha2::{Digest, Sha256};

use super::Restic;
use crate::context::{Cancel, lock};
use crate::ledger::{mtime, open_regular};
use crate::manifest::{Entry, hex};
use crate::problem::Problem;
use crate::rustic::read::{in_parallel, threads};

/// Files that wait to be read again; then restic waits.
const WAITING: usize = 1000;

/// By what one sees that a file is still the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    size: u64,
    mtime: i64,
    ctime: i64,
    inode: u64,
}

impl Stamp {
    pub(super) fn of(entry: &Entry) -> Self {
        let Entry { size, mtime, ctime, inode, .. } = *entry;
        Self { size, mtime, ctime, inode }
    }

    fn of_file(meta: &std::fs::Metadata) -> Self {
        Self {
            size: meta.len(),
            mtime: mtime(meta),
            ctime: meta.ctime() * 1_000_000_000 + meta.ctime_nsec(),
            inode: meta.ino(),
        }
    }
}

/// A file as we read it: its hash, and how it was afterwards.
type Hashed = (Stamp, String);

/// Hashes of files, made while restic works.
#[derive(Default)]
pub(super) struct Hashes(Mutex<HashMap<PathBuf, Hashed>>);

impl Hashes {
    /// Reads each file that it hears of, on threads of its own, while `work` goes on.
    pub(super) fn beside<T>(
        &self,
        cancel: &Cancel,
        work: impl FnOnce(&mut (dyn FnMut(PathBuf) + Send)) -> T,
    ) -> T {
        let (sender, receiver) = sync_channel(WAITING);
        let receiver = Mutex::new(receiver);
        std::thread::scope(|scope| {
            for _ in 0..threads() {
                scope.spawn(|| self.listen(&receiver, cancel));
            }
            let sender: SyncSender<PathBuf> = sender;
            work(&mut move |path| {
                let _ = sender.send(path);
            })
        })
    }

    fn listen(&self, receiver: &Mutex<Receiver<PathBuf>>, cancel: &Cancel) {
        loop {
            let next = lock(receiver).recv();
            let Ok(path) = next else { return };
            // Whatever is not known in the end is read then.
            if let (false, Ok(hashed)) = (cancel.is_cancelled(), hash(&path)) {
                lock(&self.0).insert(path, hashed);
            }
        }
    }

    fn known(&self, entry: &Entry) -> Option<String> {
        let all = lock(&self.0);
        let (stamp, sha256) = all.get(entry.path.path())?;
        (*stamp == Stamp::of(entry)).then(|| sha256.clone())
    }

    /// Gives every file its hash. Those whose hash is not sure come back: it is to be asked of the repository.
    pub(super) fn complete(&self, files: Vec<&mut Entry>) -> Vec<PathBuf> {
        let (mut unread, uncertain) = (Vec::new(), Mutex::new(Vec::new()));
        for file in files {
            file.sha256 = self.known(file);
            if file.sha256.is_none() {
                unread.push(Mutex::new(file));
            }
        }
        in_parallel(threads(), &unread, |file| {
            let mut file = lock(file);
            match hash(file.path.path()) {
                Ok((stamp, sha256)) if stamp == Stamp::of(&file) => file.sha256 = Some(sha256),
                Ok(_) | Err(_) => lock(&uncertain).push(file.path.path().to_owned()),
            }
        });
        uncertain.into_inner().unwrap_or_default()
    }
}

/// Reads and hashes a file, and looks at it afterwards.
fn hash(path: &Path) -> io::Result<Hashed> {
    let mut file = open_regular(path)?;
    let (sha256, _) = digest(&mut file)?;
    Ok((Stamp::of_file(&file.metadata()?), sha256))
}

/// The hash of all there is to read, and how much that is.
fn digest(from: &mut impl io::Read) -> io::Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    let mut bytes = 0;
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok((hex(&hasher.finalize()), bytes));
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
}

/// The hash of a file as the repository gives it back, and its length.
pub(super) fn stored(
    engine: &Restic<'_>,
    snapshot: &str,
    path: &Path,
) -> Result<(String, u64), Problem> {
    let arguments = ["dump".as_ref(), "--no-lock".as_ref(), "--".as_ref(), snapshot.as_ref()];
    let arguments: Vec<&std::ffi::OsStr> =
        arguments.into_iter().chain([path.as_os_str()]).collect();
    let mut found = (String::new(), 0);
    let tried = format!("reading {} back", path.display());
    engine.program.stream(&tried, &arguments, |out| {
        found = digest(out)?;
        Ok(())
    })?;
    Ok(found)
}

/// The hash of a file that is never to be changed, such as a pack.
pub(super) fn of_file(path: &Path) -> io::Result<(String, u64)> {
    let mut file = open_regular(path)?;
    digest(&mut file.by_ref())
}
