//! The only way to a repository's files: knows what this run wrote, and refuses a snapshot that
//! must not be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rustic_core::{
    BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend,
};

use crate::context::{Cancel, lock};
use crate::store::{Files, failed};

/// A backend that counts, and that can say no to a snapshot.
///
/// The engine writes its snapshot even when its source ended early or its dump command failed;
/// here is the last place where that can be prevented.
pub(crate) struct Gate {
    files: Arc<Files>,
    cancel: Cancel,
    written: Mutex<BTreeMap<Id, u64>>,
    /// Torn packs in a storage that cannot rename: nobody sees them.
    hidden: Mutex<BTreeSet<Id>>,
    forbidden: Mutex<Option<String>>,
    /// While an index is repaired, the index files there were before anything else was looked at.
    index: Mutex<Option<Vec<(Id, u32)>>>,
}

impl Gate {
    /// A gate before the files of a repository.
    pub(crate) fn new(files: Arc<Files>, cancel: Cancel) -> Self {
        Self {
            files,
            cancel,
            written: Mutex::default(),
            hidden: Mutex::default(),
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
        let now = self.files.list_with_size(FileType::Index)?;
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

    /// The files behind it.
    pub(crate) fn files(&self) -> &Files {
        &self.files
    }

    /// Gives a torn pack a name that is none, so that nobody takes it for one; nothing is deleted. Where the storage
    /// cannot rename, it is not seen through this gate any more.
    pub(crate) fn set_aside(&self, pack: &Id) -> std::io::Result<()> {
        if !self.files.set_aside(pack)? {
            lock(&self.hidden).insert(*pack);
        }
        Ok(())
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

    /// Makes the names of what was written durable.
    pub(crate) fn sync(&self) -> RusticResult<()> {
        let tried = || format!("syncing {}", self.files.location());
        self.files.storage().sync().map_err(|error| failed(tried(), error))
    }

    /// What is listed of a directory: all but what is hidden, and of the index what was there when it was frozen.
    fn listed(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let mut listed = match self.frozen(tpe) {
            Some(files) => files,
            None => self.files.list_with_size(tpe)?,
        };
        if tpe == FileType::Pack {
            let hidden = lock(&self.hidden);
            listed.retain(|(id, _)| !hidden.contains(id));
        }
        Ok(listed)
    }
}

impl ReadBackend for Gate {
    fn location(&self) -> String {
        self.files.location()
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        self.listed(tpe)
    }

    fn read_full(&self, tpe: FileType, id: &Id) -> RusticResult<Bytes> {
        self.files.read_full(tpe, id)
    }

    fn read_partial(
        &self,
        tpe: FileType,
        id: &Id,
        cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        self.files.read_partial(tpe, id, cacheable, offset, length)
    }

    fn warmup_path(&self, tpe: FileType, id: &Id) -> String {
        self.files.warmup_path(tpe, id)
    }
}

impl WriteBackend for Gate {
    fn create(&self) -> RusticResult<()> {
        self.files.create()
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
        self.files.write_bytes(tpe, id, cacheable, content)?;
        if tpe == FileType::Pack {
            lock(&self.written).insert(*id, size);
        }
        if tpe == FileType::Snapshot { self.sync() } else { Ok(()) }
    }

    fn remove(&self, tpe: FileType, id: &Id, cacheable: bool) -> RusticResult<()> {
        self.files.remove(tpe, id, cacheable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;

    fn gate() -> (Gate, Memory) {
        let memory = Memory::default();
        let files = Files::new(Box::new(memory.clone()), "memory".to_owned());
        (Gate::new(Arc::new(files), Cancel::default()), memory)
    }

    fn put(gate: &Gate, tpe: FileType) -> Id {
        let id = Id::random();
        gate.files.write_bytes(tpe, &id, false, Bytes::from_static(b"x").into()).unwrap();
        id
    }

    #[test]
    fn while_an_index_is_repaired_nobody_sees_index_files_that_are_younger() {
        let (gate, _) = gate();
        let old = put(&gate, FileType::Index);
        gate.freeze_index().unwrap();
        let new = put(&gate, FileType::Index);
        let pack = put(&gate, FileType::Pack);
        assert_eq!(gate.list(FileType::Index).unwrap(), [old]);
        assert_eq!(gate.list_with_size(FileType::Index).unwrap(), [(old, 1)]);
        assert_eq!(gate.list(FileType::Pack).unwrap(), [pack], "packs are seen as they are");
        gate.thaw_index();
        let mut both = [old, new];
        both.sort();
        assert_eq!(gate.list(FileType::Index).unwrap(), both);
    }

    #[test]
    fn a_torn_pack_is_not_seen_any_more_where_the_storage_cannot_rename_it() {
        let (gate, memory) = gate();
        let (torn, good) = (put(&gate, FileType::Pack), put(&gate, FileType::Pack));
        gate.set_aside(&torn).unwrap();
        assert_eq!(gate.list(FileType::Pack).unwrap(), [good]);
        assert_eq!(memory.names().len(), 2, "nothing is deleted");
    }
}
