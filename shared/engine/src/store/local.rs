//! A directory of this host.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::{Dir, Mode, Name, Object, Storage, UNFINISHED, is_abandoned};
use crate::context::lock;
use crate::problem::{self, Problem};
use crate::report::ProblemKind;

/// The directories of a repository.
const DIRS: [Dir; 5] = [Dir::Keys, Dir::Index, Dir::Snapshots, Dir::Data, Dir::Locks];

/// The files of a repository in a directory.
pub(crate) struct Local {
    directory: PathBuf,
    unsynced: Mutex<BTreeSet<PathBuf>>,
    written: AtomicU64,
}

impl Local {
    /// The repository in this directory, whether it is there or not.
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, unsynced: Mutex::default(), written: AtomicU64::new(0) }
    }

    /// Where a file is.
    pub(crate) fn place(&self, name: &Name) -> PathBuf {
        self.directory.join(name.path())
    }

    /// A name beside a file that nobody else has.
    fn unfinished(&self, place: &Path) -> PathBuf {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(format!("{UNFINISHED}{}-{number}", std::process::id()));
        place.with_file_name(name)
    }

    fn put(&self, from: &Path, place: &Path, mode: Mode) -> io::Result<()> {
        match mode {
            Mode::Replace => fs::rename(from, place),
            Mode::New => match fs::hard_link(from, place) {
                Err(error) if has_no_links(&error) && !place.try_exists()? => {
                    fs::rename(from, place)
                }
                linked => linked.and_then(|()| fs::remove_file(from)),
            },
        }
    }

    /// The directories that hold the files of a directory: itself, or its shards.
    fn holders(&self, dir: Dir) -> io::Result<Vec<PathBuf>> {
        let top = self.directory.join(dir.word());
        if dir != Dir::Data {
            return Ok(vec![top]);
        }
        let mut shards = vec![top.clone()];
        for entry in entries(&top)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                shards.push(entry.path());
            }
        }
        Ok(shards)
    }
}

/// Has a repository made beside its place and gives it its name when it is whole: of two that make it at once one wins,
/// and nobody ever finds half of one, or two keys for two repositories.
pub(crate) fn make_beside(
    location: &str,
    make: impl FnOnce(&str) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let tried = format!("creating a repository at {location}");
    let taken = || {
        let message = format!("{tried}: something is there already; name another location");
        Problem::new(ProblemKind::RepositoryExists, message)
    };
    if fs::read_dir(location).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(taken());
    }
    let beside = format!("{}.new-{}", location.trim_end_matches('/'), std::process::id());
    let named = make(&beside).and_then(|()| {
        fs::rename(&beside, location).map_err(|error| {
            use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty};
            let lost = matches!(error.kind(), AlreadyExists | DirectoryNotEmpty);
            if lost { taken() } else { problem::io(ProblemKind::Unreachable, tried.clone())(error) }
        })
    });
    if named.is_err() {
        let _ = fs::remove_dir_all(&beside);
    }
    named
}

/// Whether the file system has no hard links: then the last look decides.
fn has_no_links(error: &io::Error) -> bool {
    use nix::errno::Errno::{ENOSYS, EOPNOTSUPP, EPERM};
    [EPERM, EOPNOTSUPP, ENOSYS].iter().any(|one| error.raw_os_error() == Some(*one as i32))
}

/// What is in a directory; nothing where it is not there.
fn entries(dir: &Path) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>>> {
    match fs::read_dir(dir) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(error),
    }
}

/// That a file is gone already is no error.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn write_whole(place: &Path, content: &[Bytes]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(place)?;
    for bytes in content {
        file.write_all(bytes)?;
    }
    file.sync_all()
}

impl Storage for Local {
    fn list(&self, dir: Dir) -> io::Result<Vec<Object>> {
        let mut found = Vec::new();
        for holder in self.holders(dir)? {
            for entry in entries(&holder)? {
                let entry = entry?;
                let meta = match entry.metadata() {
                    // Removed since it was listed.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    meta => meta?,
                };
                let Ok(name) = entry.file_name().into_string() else { continue };
                if meta.is_file() {
                    found.push(Object { name, size: meta.len(), changed: meta.modified().ok() });
                }
            }
        }
        Ok(found)
    }

    fn has(&self, name: &Name) -> io::Result<bool> {
        self.place(name).try_exists()
    }

    fn read(&self, name: &Name, range: Option<(u64, u64)>) -> io::Result<Bytes> {
        let place = self.place(name);
        let Some((first, count)) = range else { return fs::read(place).map(Bytes::from) };
        let count = usize::try_from(count).map_err(io::Error::other)?;
        let mut bytes = vec![0; count];
        File::open(place)?.read_exact_at(&mut bytes, first)?;
        Ok(bytes.into())
    }

    fn write(&self, name: &Name, content: &[Bytes], mode: Mode) -> io::Result<()> {
        let place = self.place(name);
        let parent = place.parent().unwrap_or(Path::new("/")).to_owned();
        if !parent.is_dir() {
            fs::create_dir_all(&parent)?;
            lock(&self.unsynced).extend(parent.parent().map(Path::to_owned));
        }
        let unfinished = self.unfinished(&place);
        let written =
            write_whole(&unfinished, content).and_then(|()| self.put(&unfinished, &place, mode));
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        lock(&self.unsynced).insert(parent);
        written
    }

    fn remove(&self, name: &Name) -> io::Result<()> {
        fs::remove_file(self.place(name))
    }

    fn prepare(&self) -> io::Result<()> {
        DIRS.into_iter().try_for_each(|dir| fs::create_dir_all(self.directory.join(dir.word())))
    }

    fn set_aside(&self, name: &Name) -> io::Result<bool> {
        let place = self.place(name);
        fs::rename(&place, place.with_extension("torn")).map(|()| true)
    }

    fn sync(&self) -> io::Result<()> {
        for dir in std::mem::take(&mut *lock(&self.unsynced)) {
            File::open(&dir)?.sync_all()?;
        }
        Ok(())
    }

    fn tidy(&self) -> io::Result<()> {
        for dir in [Dir::Snapshots, Dir::Index, Dir::Data] {
            for holder in self.holders(dir)? {
                for entry in entries(&holder)? {
                    let entry = entry?;
                    let changed = entry.metadata().and_then(|meta| meta.modified()).ok();
                    if is_abandoned(&entry.file_name().to_string_lossy(), changed) {
                        gone(fs::remove_file(entry.path()))?;
                    }
                }
            }
        }
        Ok(())
    }
}
