//! A storage in memory, for tests.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::{Dir, Mode, Name, Object, Storage};
use crate::context::lock;

/// Files in memory; clones are the same storage.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    files: Arc<Mutex<BTreeMap<Name, Bytes>>>,
    failing: Arc<Mutex<Option<io::ErrorKind>>>,
}

impl Memory {
    /// From now on everything fails so.
    pub(crate) fn fail(&self, kind: io::ErrorKind) {
        *lock(&self.failing) = Some(kind);
    }

    /// The paths there are.
    pub(crate) fn names(&self) -> Vec<String> {
        lock(&self.files).keys().map(Name::path).collect()
    }

    fn works(&self) -> io::Result<()> {
        lock(&self.failing).map_or(Ok(()), |kind| Err(kind.into()))
    }
}

impl Storage for Memory {
    fn list(&self, dir: Dir) -> io::Result<Vec<Object>> {
        self.works()?;
        let files = lock(&self.files);
        let found = files.iter().filter(|(name, _)| name.dir == dir).map(|(name, bytes)| Object {
            name: name.name.clone(),
            size: bytes.len() as u64,
            changed: None,
        });
        Ok(found.collect())
    }

    fn has(&self, name: &Name) -> io::Result<bool> {
        self.works()?;
        Ok(lock(&self.files).contains_key(name))
    }

    fn read(&self, name: &Name, range: Option<(u64, u64)>) -> io::Result<Bytes> {
        self.works()?;
        let all = lock(&self.files).get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        let Some((first, count)) = range else { return Ok(all) };
        let (first, end) = (first as usize, (first + count) as usize);
        if end > all.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(all.slice(first..end))
    }

    fn write(&self, name: &Name, content: &[Bytes], mode: Mode) -> io::Result<()> {
        self.works()?;
        let mut files = lock(&self.files);
        if mode == Mode::New && files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        files.insert(name.clone(), content.concat().into());
        Ok(())
    }

    fn remove(&self, name: &Name) -> io::Result<()> {
        self.works()?;
        lock(&self.files).remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn prepare(&self) -> io::Result<()> {
        self.works()
    }
}
