//! The only way to a repository's files: knows what this run wrote, and refuses a snapshot that
//! must not be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// While an index is repaired, what is shown of the repository.
    shown: Mutex<Shown>,
    /// A file of the index or a snapshot that was listed was gone when it was to be read.
    gone: AtomicBool,
}

/// What a repair sees; of what is not said here, everything.
#[derive(Default)]
struct Shown {
    index: Option<Vec<(Id, u32)>>,
    packs: Option<BTreeSet<Id>>,
}

/// How often index and snapshots are read again when files of them are gone.
const TRIES: usize = 5;

impl Gate {
    /// A gate before the files of a repository.
    pub(crate) fn new(files: Arc<Files>, cancel: Cancel) -> Self {
        Self {
            files,
            cancel,
            written: Mutex::default(),
            hidden: Mutex::default(),
            forbidden: Mutex::default(),
            shown: Mutex::default(),
            gone: AtomicBool::new(false),
        }
    }

    /// The packs written through it, with their bytes.
    pub(crate) fn packs(&self) -> BTreeMap<Id, u64> {
        lock(&self.written).clone()
    }

    /// Until [`Gate::show_all`], only these packs are shown, and no index: a repair then does nothing but to write an index
    /// file that names them.
    ///
    /// Backups do that to what a crashed one left, several at once, and each may name the same packs. Nobody may take such
    /// files together meanwhile: of two who do, each could keep a pack in the file that the other one removes.
    pub(crate) fn show_only(&self, packs: impl IntoIterator<Item = Id>) {
        *lock(&self.shown) =
            Shown { index: Some(Vec::new()), packs: Some(packs.into_iter().collect()) };
    }

    /// Until [`Gate::show_all`], only the index files are shown that are there now.
    ///
    /// A repair lists the packs and then reads the index: of another backup that writes meanwhile it would see an index
    /// file and not yet the packs it names, take them for lost, and take them out. What was there before the packs were
    /// listed names only packs that were there too.
    pub(crate) fn freeze_index(&self) -> RusticResult<()> {
        let now = self.files.list_with_size(FileType::Index)?;
        *lock(&self.shown) = Shown { index: Some(now), packs: None };
        Ok(())
    }

    /// Shows everything again.
    pub(crate) fn show_all(&self) {
        *lock(&self.shown) = Shown::default();
    }

    fn frozen(&self, tpe: FileType) -> Option<Vec<(Id, u32)>> {
        if tpe == FileType::Index { lock(&self.shown).index.clone() } else { None }
    }

    /// Reads the index or the snapshots, again where files were gone that had just been listed: of the index somebody else
    /// has written others that say the same, and a snapshot has been forgotten.
    pub(crate) fn steady<T, E>(&self, mut read: impl FnMut() -> Result<T, E>) -> Result<T, E> {
        for _ in 1..TRIES {
            self.gone.store(false, Ordering::Relaxed);
            match read() {
                Err(_) if self.gone.load(Ordering::Relaxed) => {}
                done => return done,
            }
        }
        read()
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
            let shown = lock(&self.shown);
            listed.retain(|(id, _)| {
                !hidden.contains(id) && shown.packs.as_ref().is_none_or(|packs| packs.contains(id))
            });
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
        let read = self.files.read_full(tpe, id);
        let may_go = matches!(tpe, FileType::Index | FileType::Snapshot);
        if read.is_err() && may_go && self.files.is_gone(tpe, id) {
            self.gone.store(true, Ordering::Relaxed);
        }
        read
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
        let removed = self.files.remove(tpe, id, cacheable);
        // Somebody else who repairs the index at the same time has written the same and removed the same.
        if tpe == FileType::Index && self.files.is_gone(tpe, id) { Ok(()) } else { removed }
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
        gate.show_all();
        let mut both = [old, new];
        both.sort();
        assert_eq!(gate.list(FileType::Index).unwrap(), both);
    }

    #[test]
    fn while_packs_are_taken_over_only_they_are_seen_and_no_index() {
        let (gate, _) = gate();
        let (index, known) = (put(&gate, FileType::Index), put(&gate, FileType::Pack));
        let left = put(&gate, FileType::Pack);
        gate.show_only([left]);
        assert_eq!(gate.list(FileType::Index).unwrap(), []);
        assert_eq!(gate.list(FileType::Pack).unwrap(), [left]);
        gate.show_all();
        assert_eq!(gate.list(FileType::Index).unwrap(), [index]);
        assert_eq!(gate.list(FileType::Pack).unwrap().len(), [left, known].len());
    }

    #[test]
    fn what_was_forgotten_or_written_anew_between_listing_and_reading_is_listed_and_read_again() {
        for (tpe, again) in
            [(FileType::Index, true), (FileType::Snapshot, true), (FileType::Pack, false)]
        {
            let (gate, _) = gate();
            let old = put(&gate, tpe);
            let mut rounds = 0;
            let read = gate.steady(|| {
                rounds += 1;
                let listed = gate.list(tpe)?;
                if rounds == 1 {
                    put(&gate, tpe);
                    gate.remove(tpe, &old, false)?;
                }
                listed.iter().try_for_each(|id| gate.read_full(tpe, id).map(drop))
            });
            assert_eq!(
                (read.is_ok(), rounds == 2),
                (again, again),
                "{tpe:?}: {read:?} in {rounds}"
            );
        }
    }

    #[test]
    fn what_stays_away_is_an_error_after_some_tries() {
        let (gate, _) = gate();
        let mut rounds = 0;
        let read = gate.steady(|| {
            rounds += 1;
            gate.read_full(FileType::Snapshot, &Id::random()).map(drop)
        });
        assert!(read.is_err() && rounds == TRIES, "{read:?} in {rounds}");
    }

    #[test]
    fn an_index_file_that_somebody_else_removed_is_removed_and_nothing_else_is_so_by_itself() {
        let (gate, _) = gate();
        let (index, pack) = (put(&gate, FileType::Index), put(&gate, FileType::Pack));
        for (tpe, id, again) in [(FileType::Index, index, true), (FileType::Pack, pack, false)] {
            gate.remove(tpe, &id, false).unwrap();
            assert_eq!(gate.remove(tpe, &id, false).is_ok(), again, "{tpe:?}");
        }
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
