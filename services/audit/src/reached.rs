//! How many events the log is known to have held: kept beside the recorder and not in the database, so that a database that is
//! brought back from an older copy, or a standby that takes over without the newest events, is found out before anything that was
//! lost is done once more.
//!
//! It is written after each commit and not flushed: it outlives this process, and so a database that changes behind it. What was
//! signed is remembered by the signer, flushed.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};

#[derive(Debug)]
pub(crate) struct Reached {
    file: File,
    origin: String,
    size: u64,
}

impl Reached {
    /// What was kept in `path` of the log of this name; nothing where it is of another name, or was never written.
    pub(crate) fn read(path: &Path, origin: &str) -> anyhow::Result<u64> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        // A machine that lost its power may have lost what was written last.
        let line = text.lines().next().unwrap_or_default();
        let Some((size, name)) = line.split_once(' ') else { return Ok(0) };
        Ok(if name == origin { size.parse().unwrap_or_default() } else { 0 })
    }

    /// Keeps it in `path` from now on. The log of this name holds `size` events.
    ///
    /// # Errors
    /// The log held more before, or the file cannot be written.
    pub(crate) fn open(path: &Path, origin: &str, size: u64) -> anyhow::Result<Self> {
        let before = Self::read(path, origin)?;
        if size < before {
            bail!(
                "the log has {size} events, and this recorder has committed {before}: it was cut, or brought back from an older copy. Nothing is recorded, so that nothing happens twice; see `decklog continue`"
            );
        }
        let making = || format!("writing {}", path.display());
        let file = File::options().create(true).truncate(false).write(true).open(path);
        let reached = Self { file: file.with_context(making)?, origin: origin.to_owned(), size };
        reached.write().with_context(making)?;
        Ok(reached)
    }

    /// The log holds so many now.
    pub(crate) fn note(&mut self, size: u64) {
        if size <= self.size {
            return;
        }
        self.size = size;
        if let Err(error) = self.write() {
            tracing::warn!(%error, "how far the log has reached could not be kept");
        }
    }

    /// Over what was there, of which the first line counts: at no moment is there nothing.
    fn write(&self) -> std::io::Result<()> {
        self.file.write_all_at(format!("{:020} {}\n", self.size, self.origin).as_bytes(), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_shorter_than_it_was_is_found_out_and_one_of_another_name_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("one.reached");
        let mut reached = Reached::open(&path, "log.example/a", 7).unwrap();
        reached.note(12);
        reached.note(9);
        assert_eq!(Reached::read(&path, "log.example/a").unwrap(), 12);
        assert!(Reached::open(&path, "log.example/a", 12).is_ok());
        let error = Reached::open(&path, "log.example/a", 11).unwrap_err().to_string();
        assert!(error.starts_with("the log has 11 events, and this recorder has committed 12"));
        assert!(Reached::open(&path, "log.example/b", 3).is_ok());
        assert_eq!(Reached::read(&path, "log.example/a").unwrap(), 0);
        std::fs::write(&path, "\0\0\0").unwrap();
        assert!(Reached::open(&path, "log.example/b", 1).is_ok());
    }
}
