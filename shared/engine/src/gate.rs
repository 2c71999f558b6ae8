//! The only way to a repository's files: knows what this run wrote, and refuses a snapshot that
//! must not be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rustic_core::{
    BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend,
};

use crate::context::{Cancel, lock};

/// A backend that counts, and that can say no to a snapshot.
///
/// The engine writes its snapshot even when its source ended early or its dump command failed;
/// here is the last place where that can be prevented.
pub(crate) struct Gate {
    inner: Arc<dyn WriteBackend>,
    directory: PathBuf,
    cancel: Cancel,
    written: Mutex<BTreeMap<Id, u64>>,
    unsynced: Mutex<BTreeSet<PathBuf>>,
    forbidden: Mutex<Option<String>>,
    /// While an index is repaired, the index files there were before anything else was looked at.
    index: Mutex<Option<Vec<(Id, u32)>>>,
}

impl Gate {
    /// A gate before the files of a directory.
    pub(crate) fn new(inner: Arc<dyn WriteBackend>, directory: PathBuf, cancel: Cancel) -> Self {
        Self {
            inner,
            directory,
            cancel,
            written: Mutex::default(),
            unsynced: Mutex::default(),
            forbidden: Mutex::default(),
            index: Mutex::default(),
        }
    }

    /// The packs written through it, with their bytes.
    pub(crate) fn packs(&self) -> BTreeMap<Id, u64> {
        lock(&self.written).clone()
    }

    /// Until [`Gate::thaw_index`], only the index files are shown that are there now.
    ///
    /// A repair lists the packs and then reads the index: of another backup that writes meanwhile it would see an index
    /// file and not yet the packs it names, take them for lost, and take them out. What was there before the packs were
    /// listed names only packs that were there too.
    pub(crate) fn freeze_index(&self) -> RusticResult<()> {
        let now = self.inner.list_with_size(FileType::Index)?;
        *lock(&self.index) = Some(now);
        Ok(())
    }

    /// Shows all index files again.
    pub(crate) fn thaw_index(&self) {
        *lock(&self.index) = None;
    }

    fn frozen(&self, tpe: FileType) -> Option<Vec<(Id, u32)>> {
        if tpe == FileType::Index { lock(&self.index).clone() } else { None }
    }

    /// Gives a torn pack a name that is none, so that nobody takes it for one; nothing is deleted.
    pub(crate) fn set_aside(&self, pack: &Id) -> std::io::Result<()> {
        let dir = self.directory_of(FileType::Pack, pack);
        let name = pack.to_hex().to_string();
        std::fs::rename(dir.join(&name), dir.join(format!("{name}.torn")))
    }

    /// No snapshot may be written any more; the first reason counts.
    pub(crate) fn forbid(&self, reason: &str) {
        lock(&self.forbidden).get_or_insert_with(|| reason.to_owned());
    }

    /// Why no snapshot may be written, if that is so.
    pub(crate) fn forbidden(&self) -> Option<String> {
        lock(&self.forbidden).clone()
    }

    fn may_write_snapshot(&self) -> RusticResult<()> {
        if let Some(reason) = lock(&self.forbidden).clone() {
            return Err(RusticError::new(ErrorKind::InputOutput, reason));
        }
        if !self.cancel.commit() {
            return Err(RusticError::new(ErrorKind::InputOutput, crate::context::CANCELLED));
        }
        self.sync()
    }

    /// Makes the names of what was written durable: the backend syncs files, not directories.
    pub(crate) fn sync(&self) -> RusticResult<()> {
        for dir in std::mem::take(&mut *lock(&self.unsynced)) {
            File::open(&dir).and_then(|d| d.sync_all()).map_err(|error| {
                RusticError::with_source(
                    ErrorKind::InputOutput,
                    format!("Failed to sync the directory {}.", dir.display()),
                    error,
                )
            })?;
        }
        Ok(())
    }

    fn directory_of(&self, tpe: FileType, id: &Id) -> PathBuf {
        match tpe {
            FileType::Config => self.directory.clone(),
            FileType::Pack => self.directory.join("data").join(&id.to_hex().as_str()[..2]),
            FileType::Index | FileType::Key | FileType::Snapshot => {
                self.directory.join(tpe.dirname())
            }
        }
    }
}

impl ReadBackend for Gate {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn list(&self, tpe: FileType) -> RusticResult<Vec<Id>> {
        match self.frozen(tpe) {
            Some(files) => Ok(files.into_iter().map(|(id, _)| id).collect()),
            None => self.inner.list(tpe),
        }
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        self.frozen(tpe).map_or_else(|| self.inner.list_with_size(tpe), Ok)
    }

    fn read_full(&self, tpe: FileType, id: &Id) -> RusticResult<Bytes> {
        self.inner.read_full(tpe, id)
    }

    fn read_partial(
        &self,
        tpe: FileType,
        id: &Id,
        cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        self.inner.read_partial(tpe, id, cacheable, offset, length)
    }

    fn warmup_path(&self, tpe: FileType, id: &Id) -> String {
        self.inner.warmup_path(tpe, id)
    }
}

impl WriteBackend for Gate {
    fn create(&self) -> RusticResult<()> {
        self.inner.create()
    }

    fn write_bytes(
        &self,
        tpe: FileType,
        id: &Id,
        cacheable: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        if tpe == FileType::Snapshot {
            self.may_write_snapshot()?;
        }
        let size = content.size() as u64;
        self.inner.write_bytes(tpe, id, cacheable, content)?;
        if tpe == FileType::Pack {
            lock(&self.written).insert(*id, size);
        }
        lock(&self.unsynced).insert(self.directory_of(tpe, id));
        if tpe == FileType::Snapshot { self.sync() } else { Ok(()) }
    }

    fn remove(&self, tpe: FileType, id: &Id, cacheable: bool) -> RusticResult<()> {
        self.inner.remove(tpe, id, cacheable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository of nothing but index files.
    #[derive(Debug, Default)]
    struct Indexes(Mutex<Vec<Id>>);

    impl ReadBackend for Indexes {
        fn location(&self) -> String {
            String::new()
        }

        fn list_with_size(&self, _: FileType) -> RusticResult<Vec<(Id, u32)>> {
            Ok(lock(&self.0).iter().map(|id| (*id, 1)).collect())
        }

        fn read_full(&self, _: FileType, _: &Id) -> RusticResult<Bytes> {
            Ok(Bytes::new())
        }

        fn read_partial(
            &self,
            _: FileType,
            _: &Id,
            _: bool,
            _: u32,
            _: u32,
        ) -> RusticResult<Bytes> {
            Ok(Bytes::new())
        }

        fn warmup_path(&self, _: FileType, _: &Id) -> String {
            String::new()
        }
    }

    impl WriteBackend for Indexes {
        fn create(&self) -> RusticResult<()> {
            Ok(())
        }

        fn write_bytes(&self, _: FileType, id: &Id, _: bool, _: BytesList) -> RusticResult<()> {
            lock(&self.0).push(*id);
            Ok(())
        }

        fn remove(&self, _: FileType, _: &Id, _: bool) -> RusticResult<()> {
            Ok(())
        }
    }

    #[test]
    fn while_an_index_is_repaired_nobody_sees_index_files_that_are_younger() {
        let files = Arc::new(Indexes::default());
        let (old, new) = (Id::random(), Id::random());
        lock(&files.0).push(old);
        let gate = Gate::new(files.clone(), PathBuf::new(), Cancel::default());
        gate.freeze_index().unwrap();
        lock(&files.0).push(new);
        assert_eq!(gate.list(FileType::Index).unwrap(), [old]);
        assert_eq!(gate.list_with_size(FileType::Index).unwrap(), [(old, 1)]);
        assert_eq!(gate.list(FileType::Pack).unwrap(), [old, new], "packs are seen as they are");
        gate.thaw_index();
        assert_eq!(gate.list(FileType::Index).unwrap(), [old, new]);
    }
}
