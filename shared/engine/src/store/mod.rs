//! Where the files of a repository are: one layout over four kinds of storage.
//!
//! | module | about |
//! |---|---|
//! | [`location`] | reading what restic writes: `/path`, `sftp:`, `s3:`, `rest:` |
//! | [`files`] | the layout of a repository as the library asks for it, over any storage |
//! | [`local`] | a directory |
//! | `sftp` | a server that speaks SFTP, over the program `ssh` |
//! | `s3` | an object store |
//! | `rest` | restic's REST server |
//! | `http` | what the last two have in common |
//!
//! The storages are strict where the library's own are not: a directory that cannot be listed is an error and not an
//! empty one, and a server that does not answer is not a server without a repository. Otherwise a bad cable would look
//! like lost data, and what looks lost is taken out of the index.

mod files;
#[cfg(feature = "remote")]
mod http;
mod local;
mod location;
#[cfg(test)]
pub(crate) mod memory;
#[cfg(feature = "remote")]
mod rest;
#[cfg(feature = "remote")]
mod s3;
#[cfg(feature = "remote")]
mod sftp;

use std::io;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

pub(crate) use files::{Files, failed};
pub(crate) use local::{Local, make_beside};
pub(crate) use location::{Location, Remote};

use crate::context::Cancel;
use crate::problem::Problem;
use crate::report::ProblemKind;
use crate::request::{Keys, Repository};

/// A directory of a repository, or the one file beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dir {
    /// The file `config`.
    Config,
    /// Keys, each locked by a password.
    Keys,
    /// Which blob is in which pack.
    Index,
    /// Snapshots.
    Snapshots,
    /// Packs.
    Data,
    /// Locks of other programs.
    Locks,
}

impl Dir {
    /// Its name in every storage.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Keys => "keys",
            Self::Index => "index",
            Self::Snapshots => "snapshots",
            Self::Data => "data",
            Self::Locks => "locks",
        }
    }
}

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    /// Where it is.
    pub(crate) dir: Dir,
    /// What it is called there; nothing for the file `config`.
    pub(crate) name: String,
}

impl Name {
    /// The file `config`.
    pub(crate) fn config() -> Self {
        Self { dir: Dir::Config, name: String::new() }
    }

    /// A pack.
    pub(crate) fn pack(id: &str) -> Self {
        Self { dir: Dir::Data, name: id.to_owned() }
    }

    /// Its path with `/`, packs in directories by the first two digits: the default layout.
    pub(crate) fn path(&self) -> String {
        match (self.dir, self.name.get(..2)) {
            (Dir::Config, _) => Dir::Config.word().to_owned(),
            (Dir::Data, Some(digits)) => format!("data/{digits}/{}", self.name),
            (Dir::Data | Dir::Keys | Dir::Index | Dir::Snapshots | Dir::Locks, _) => self.flat(),
        }
    }

    /// Its path where the server makes the directories.
    pub(crate) fn flat(&self) -> String {
        match self.dir {
            Dir::Config => Dir::Config.word().to_owned(),
            Dir::Data | Dir::Keys | Dir::Index | Dir::Snapshots | Dir::Locks => {
                format!("{}/{}", self.dir.word(), self.name)
            }
        }
    }
}

/// A file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    /// What it is called in its directory.
    pub(crate) name: String,
    /// Bytes.
    pub(crate) size: u64,
    /// When it was written, where the storage knows.
    pub(crate) changed: Option<SystemTime>,
}

/// What a write does with what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Replaces it: files named by their hash are the same anyway.
    Replace,
    /// Fails with [`io::ErrorKind::AlreadyExists`], also when two do it at once as far as the storage can tell.
    New,
}

/// A place that holds the files of one repository.
///
/// Errors are those of files: `NotFound` only when the storage has said so, `PermissionDenied`, `AlreadyExists`,
/// `StorageFull`, and others; what passes by itself was tried again before it is said.
pub(crate) trait Storage: Send + Sync {
    /// The files of a directory, those of its shards too; none where the directory is not there.
    fn list(&self, dir: Dir) -> io::Result<Vec<Object>>;
    /// Whether there is a file.
    fn has(&self, name: &Name) -> io::Result<bool>;
    /// A file, or these bytes of it (first, and how many): all of them or an error.
    fn read(&self, name: &Name, range: Option<(u64, u64)>) -> io::Result<Bytes>;
    /// Writes a file whole or not at all. It is durable when this returns or, for a directory, after [`Self::sync`].
    fn write(&self, name: &Name, content: &[Bytes], mode: Mode) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &Name) -> io::Result<()>;
    /// Makes the place where the files will be.
    fn prepare(&self) -> io::Result<()>;

    /// Gives a file a name that is none of a repository; false where the storage cannot.
    fn set_aside(&self, _name: &Name) -> io::Result<bool> {
        Ok(false)
    }

    /// Makes the names of what was written durable.
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// Removes what killed writers had not finished: files so old that nobody writes them any more.
    fn tidy(&self) -> io::Result<()> {
        Ok(())
    }
}

/// From this age on an unfinished file is nobody's: other programs write without our leases.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether a file of this name and time was left by a writer that is gone.
fn is_abandoned(name: &str, changed: Option<SystemTime>) -> bool {
    let age = changed.and_then(|time| SystemTime::now().duration_since(time).ok());
    name.contains(UNFINISHED) && age.is_some_and(|age| age > ABANDONED)
}

/// In the name of a file that is not finished; restic and rustic have the same word.
const UNFINISHED: &str = "-tmp-";

/// The storage of a location.
///
/// # Errors
/// When the location cannot be read, this build has no such storage, or a session cannot be opened.
pub(crate) fn open(
    repository: &Repository,
    keys: &Keys,
    cancel: &Cancel,
) -> Result<Files, Problem> {
    let location = &repository.location;
    let bad = |why: String| {
        Problem::new(ProblemKind::BadRequest, format!("the location {location:?}: {why}"))
    };
    let parsed: Location = location.parse().map_err(bad)?;
    let storage: Box<dyn Storage> = match parsed {
        Location::Local(path) => Box::new(Local::new(path)),
        Location::Remote(remote) => connect(remote, repository, keys, cancel)?,
    };
    Ok(Files::new(storage, location.clone()))
}

#[cfg(feature = "remote")]
fn connect(
    remote: Remote,
    repository: &Repository,
    keys: &Keys,
    cancel: &Cancel,
) -> Result<Box<dyn Storage>, Problem> {
    let client = || http::Client::new(repository.ca_file.as_ref(), cancel.clone());
    let opened = match remote {
        Remote::Sftp(server) => {
            let config = repository.ssh_config.as_ref().map(|path| path.path().to_owned());
            sftp::Sftp::new(server, config, cancel.clone()).map(boxed)
        }
        Remote::S3(place) => client()
            .and_then(|client| s3::S3::new(place, repository.region.as_deref(), keys, client))
            .map(boxed),
        Remote::Rest(place) => {
            client().and_then(|client| rest::Rest::new(place, keys, client)).map(boxed)
        }
    };
    let tried = format!("opening {}", repository.location);
    opened.map_err(|error| {
        let bad = error.kind() == io::ErrorKind::InvalidInput;
        let kind = if bad { ProblemKind::BadRequest } else { ProblemKind::Unreachable };
        Problem::new(kind, format!("{tried}: {error}"))
    })
}

#[cfg(feature = "remote")]
fn boxed<S: Storage + 'static>(storage: S) -> Box<dyn Storage> {
    Box::new(storage)
}

#[cfg(not(feature = "remote"))]
fn connect(
    _: Remote,
    repository: &Repository,
    _: &Keys,
    _: &Cancel,
) -> Result<Box<dyn Storage>, Problem> {
    let message = format!(
        "the location {:?}: this build knows only local repositories; build it with the feature `remote`",
        repository.location
    );
    Err(Problem::new(ProblemKind::Unsupported, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_old_file_with_the_name_of_an_unfinished_one_is_taken_for_abandoned() {
        let ago = |hours: u64| Some(SystemTime::now() - Duration::from_secs(hours * 3600));
        let table = [
            ("abcd-tmp-12-0", ago(25), true),
            ("abcd-tmp-", ago(25), true),
            ("abcd-tmp-12-0", ago(1), false),
            ("abcd-tmp-12-0", None, false),
            ("abcd", ago(25), false),
        ];
        for (name, changed, wanted) in table {
            assert_eq!(is_abandoned(name, changed), wanted, "{name} {changed:?}");
        }
    }

    #[test]
    fn a_pack_lies_in_a_directory_of_its_first_two_digits_except_where_the_server_makes_them() {
        let name = |dir| Name { dir, name: "abcdef".to_owned() };
        let table = [
            (Name::config(), "config", "config"),
            (name(Dir::Data), "data/ab/abcdef", "data/abcdef"),
            (name(Dir::Index), "index/abcdef", "index/abcdef"),
            (name(Dir::Keys), "keys/abcdef", "keys/abcdef"),
            (name(Dir::Snapshots), "snapshots/abcdef", "snapshots/abcdef"),
            (name(Dir::Locks), "locks/abcdef", "locks/abcdef"),
        ];
        for (name, path, flat) in table {
            assert_eq!((name.path().as_str(), name.flat().as_str()), (path, flat));
        }
    }
}
