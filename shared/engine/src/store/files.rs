//! The layout of a repository, as the library asks for it.

use std::io;
use std::sync::Mutex;

use bytes::Bytes;
use rustic_core::{
    BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend,
};

use super::{Dir, Mode, Name, Object, Storage};
use crate::context::lock;

/// The files of a repository, in any storage.
pub(crate) struct Files {
    storage: Box<dyn Storage>,
    location: String,
    /// Keys of a repository that is being made; see [`Files::write_bytes`].
    keys: Mutex<Option<Vec<Kept>>>,
}

/// A file that is not written yet.
type Kept = (Name, Vec<Bytes>);

impl Files {
    /// The files in a storage; the location is for messages.
    pub(crate) fn new(storage: Box<dyn Storage>, location: String) -> Self {
        Self { storage, location, keys: Mutex::default() }
    }

    /// The storage itself.
    pub(crate) fn storage(&self) -> &dyn Storage {
        self.storage.as_ref()
    }

    /// Locks of other programs.
    pub(crate) fn locks(&self) -> io::Result<Vec<Object>> {
        self.storage.list(Dir::Locks)
    }

    /// Gives a torn pack a name that is none; false where the storage cannot rename.
    pub(crate) fn set_aside(&self, pack: &Id) -> io::Result<bool> {
        self.storage.set_aside(&name(FileType::Pack, pack))
    }

    fn failed(&self, tried: &str, name: &Name) -> impl FnOnce(io::Error) -> Box<RusticError> {
        let text = format!("{tried} {} in {}", name.path(), self.location);
        move |error| failed(text, error)
    }

    /// The configuration decides who made the repository: it is written only where there is none. One that is there
    /// already is ours when the answer to our first try was lost.
    fn write_config(&self, content: &[Bytes]) -> io::Result<()> {
        let config = Name::config();
        let keys = lock(&self.keys).take().unwrap_or_default();
        if let Err(error) = self.storage.write(&config, content, Mode::New) {
            let there = self.storage.read(&config, None);
            if there.is_err() || there.is_ok_and(|there| there != content.concat()) {
                return Err(error);
            }
        }
        for (name, content) in keys {
            self.storage.write(&name, &content, Mode::Replace)?;
        }
        Ok(())
    }

    /// Keeps a key back while a repository is being made; false when none is.
    fn keeps_back(&self, name: &Name, content: &[Bytes]) -> bool {
        let mut keys = lock(&self.keys);
        let Some(keys) = keys.as_mut().filter(|_| name.dir == Dir::Keys) else { return false };
        keys.push((name.clone(), content.to_vec()));
        true
    }
}

/// An error of the library with the cause in its message.
pub(crate) fn failed(text: String, error: io::Error) -> Box<RusticError> {
    let full = error.kind() == io::ErrorKind::StorageFull;
    // Where nobody has said it better, the words of the system by which a full disk is known.
    let cause = if full && error.raw_os_error().is_none() {
        format!("{error} (os error 28)")
    } else {
        error.to_string()
    };
    RusticError::with_source(ErrorKind::Backend, format!("{text}: {cause}"), error)
}

fn dir(tpe: FileType) -> Dir {
    match tpe {
        FileType::Config => Dir::Config,
        FileType::Index => Dir::Index,
        FileType::Key => Dir::Keys,
        FileType::Snapshot => Dir::Snapshots,
        FileType::Pack => Dir::Data,
    }
}

fn name(tpe: FileType, id: &Id) -> Name {
    match tpe {
        FileType::Config => Name::config(),
        FileType::Index | FileType::Key | FileType::Snapshot | FileType::Pack => {
            Name { dir: dir(tpe), name: id.to_hex().to_string() }
        }
    }
}

impl Files {
    /// Whether a file is certainly not there.
    pub(crate) fn is_gone(&self, tpe: FileType, id: &Id) -> bool {
        self.storage.has(&name(tpe, id)).is_ok_and(|there| !there)
    }
}

impl ReadBackend for Files {
    fn location(&self) -> String {
        self.location.clone()
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        if tpe == FileType::Config {
            let config = Name::config();
            let there = self.storage.has(&config).map_err(self.failed("looking for", &config))?;
            return Ok(if there { vec![(Id::default(), 0)] } else { Vec::new() });
        }
        let tried = || format!("listing {} of {}", tpe.dirname(), self.location);
        let all = self.storage.list(dir(tpe)).map_err(|error| failed(tried(), error))?;
        let mut found = Vec::with_capacity(all.len());
        for object in all {
            let Some(id) = Id::parse_some(&object.name, tpe) else { continue };
            let size = u32::try_from(object.size).map_err(|_| {
                let why = format!("{} has {} bytes, no file may", object.name, object.size);
                failed(tried(), io::Error::other(why))
            })?;
            found.push((id, size));
        }
        Ok(found)
    }

    fn read_full(&self, tpe: FileType, id: &Id) -> RusticResult<Bytes> {
        let name = name(tpe, id);
        self.storage.read(&name, None).map_err(self.failed("reading", &name))
    }

    fn read_partial(
        &self,
        tpe: FileType,
        id: &Id,
        _cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let name = name(tpe, id);
        let range = Some((u64::from(offset), u64::from(length)));
        self.storage.read(&name, range).map_err(self.failed("reading", &name))
    }

    fn warmup_path(&self, tpe: FileType, id: &Id) -> String {
        name(tpe, id).path()
    }
}

impl WriteBackend for Files {
    /// The library writes the key first. Whoever is killed before the configuration would leave a key that fits the
    /// password and opens nothing, and of two who make a repository at once the loser's key would do the same: so keys
    /// wait until the configuration is written.
    fn create(&self) -> RusticResult<()> {
        let tried = format!("making a place for {}", self.location);
        self.storage.prepare().map_err(|error| failed(tried, error))?;
        *lock(&self.keys) = Some(Vec::new());
        Ok(())
    }

    fn write_bytes(
        &self,
        tpe: FileType,
        id: &Id,
        _cacheable: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        let (name, content) = (name(tpe, id), content.slice());
        if self.keeps_back(&name, content) {
            return Ok(());
        }
        let written = match name.dir {
            Dir::Config => self.write_config(content),
            Dir::Keys | Dir::Index | Dir::Snapshots | Dir::Data | Dir::Locks => {
                self.storage.write(&name, content, Mode::Replace)
            }
        };
        written.map_err(self.failed("writing", &name))
    }

    fn remove(&self, tpe: FileType, id: &Id, _cacheable: bool) -> RusticResult<()> {
        let name = name(tpe, id);
        self.storage.remove(&name).map_err(self.failed("removing", &name))
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::Memory;
    use super::*;

    fn files() -> (Files, Memory) {
        let memory = Memory::default();
        (Files::new(Box::new(memory.clone()), "memory".to_owned()), memory)
    }

    fn write(files: &Files, tpe: FileType, id: Id, text: &'static str) -> RusticResult<()> {
        files.write_bytes(tpe, &id, false, Bytes::from_static(text.as_bytes()).into())
    }

    #[test]
    fn the_key_of_a_new_repository_is_written_only_after_its_configuration() {
        let (files, memory) = files();
        files.create().unwrap();
        write(&files, FileType::Key, Id::random(), "key").unwrap();
        assert_eq!(memory.names(), Vec::<String>::new());
        write(&files, FileType::Config, Id::default(), "config").unwrap();
        assert_eq!(memory.names().len(), 2);
        write(&files, FileType::Key, Id::random(), "another key, later").unwrap();
        assert_eq!(memory.names().len(), 3);
    }

    #[test]
    fn of_two_who_make_a_repository_at_once_the_second_leaves_nothing_behind() {
        let (first, memory) = files();
        let second = Files::new(Box::new(memory.clone()), "memory".to_owned());
        for (files, key) in [(&first, "one"), (&second, "two")] {
            files.create().unwrap();
            write(files, FileType::Key, Id::random(), key).unwrap();
        }
        write(&first, FileType::Config, Id::default(), "one").unwrap();
        assert!(write(&second, FileType::Config, Id::default(), "two").is_err());
        assert_eq!(memory.names().len(), 2, "{:?}", memory.names());
        assert_eq!(first.read_full(FileType::Config, &Id::default()).unwrap(), "one");
        // Said twice because the first answer was lost: it is the same one.
        write(&first, FileType::Config, Id::default(), "one").unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_listed_is_an_error_and_not_an_empty_one() {
        let (files, memory) = files();
        assert_eq!(files.list(FileType::Pack).unwrap(), []);
        memory.fail(io::ErrorKind::PermissionDenied);
        for tpe in [FileType::Pack, FileType::Config, FileType::Snapshot] {
            assert!(files.list_with_size(tpe).is_err(), "{tpe:?}");
        }
    }

    #[test]
    fn a_full_storage_is_known_as_one_whatever_its_words() {
        let (files, memory) = files();
        memory.fail(io::ErrorKind::StorageFull);
        let error = write(&files, FileType::Pack, Id::random(), "pack").unwrap_err();
        let problem = crate::problem::rustic(crate::report::ProblemKind::Unreachable, "x")(error);
        assert_eq!(problem.kind, crate::report::ProblemKind::NoSpace);
    }
}
