//! The file into which evidence is written, or the parts into which it is cut while it is written. None has its name before all
//! of them are whole, and the first gets it last: where there is a first part, there are all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use domain::canonical::Digest;
use evidence::parts::{Joined, PARTS_MAX, part_name, part_of};
use serde::Serialize;
use tempfile::NamedTempFile;

use super::above;
use crate::exit;

/// Where evidence is written to.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct Target<'a> {
    /// The file.
    pub(in crate::commands) to: &'a Path,
    /// Into parts of so many bytes at most.
    pub(in crate::commands) part_bytes: Option<u64>,
}

/// A part that was written.
#[derive(Debug, Serialize)]
pub(super) struct Part {
    pub(super) file: String,
    pub(super) bytes: u64,
    pub(super) sha256: Digest,
}

/// What was written.
#[derive(Debug)]
pub(in crate::commands) struct Written {
    /// Of all of it.
    pub(in crate::commands) bytes: u64,
    /// Of all of it.
    pub(super) sha256: Digest,
    /// Its parts, where it is in parts.
    pub(super) parts: Vec<Part>,
}

impl Target<'_> {
    /// Writes it.
    pub(super) fn write(
        &self,
        write: impl FnOnce(&mut Cut<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Written> {
        if let Some(there) = self.there()? {
            return Err(exit::usage(format!("{} exists: name another file", there.display())));
        }
        let failed = || format!("writing into {}", above(self.to).display());
        let mut cut = Cut { target: self, made: Vec::new(), out: None, room: 0 };
        cut.next().with_context(failed)?;
        write(&mut cut)?;
        cut.close().with_context(failed)?;
        self.keep(cut.made)
    }

    /// Something that has a name which is needed; also that of a part behind the last, which would be taken for one of these.
    fn there(&self) -> anyhow::Result<Option<PathBuf>> {
        if self.part_bytes.is_none() {
            return Ok(self.to.exists().then(|| self.to.to_owned()));
        }
        let dir = above(self.to);
        let listed = dir.read_dir().with_context(|| format!("reading {}", dir.display()))?;
        let mut parts = listed.filter_map(|entry| {
            let path = self.to.with_file_name(entry.ok()?.file_name());
            part_of(&path).is_some_and(|(whole, _)| whole == self.to).then_some(path)
        });
        Ok(parts.next())
    }

    fn name(&self, number: usize) -> PathBuf {
        self.part_bytes.map_or_else(|| self.to.to_owned(), |_| part_name(self.to, number))
    }

    /// Hashes what was written, and gives it its names.
    fn keep(&self, made: Vec<NamedTempFile>) -> anyhow::Result<Written> {
        let paths: Vec<PathBuf> = made.iter().map(|one| one.path().to_owned()).collect();
        let joined = Joined::open(paths.clone(), |path| File::open(path))?;
        let (bytes, sha256) = (joined.length(), Digest::of_all(joined)?);
        let mut parts = Vec::new();
        for (path, number) in paths.iter().zip(1..).filter(|_| self.part_bytes.is_some()) {
            let file = self.name(number).display().to_string();
            let bytes = path.metadata()?.len();
            parts.push(Part { file, bytes, sha256: Digest::of_all(File::open(path)?)? });
        }
        let mut named = Vec::new();
        for (one, number) in made.into_iter().zip(1..).collect::<Vec<_>>().into_iter().rev() {
            let name = self.name(number);
            if let Err(error) = one.persist_noclobber(&name) {
                // All of them, or none.
                named.iter().for_each(|path| drop(std::fs::remove_file(path)));
                return Err(error).with_context(|| format!("writing {}", name.display()));
            }
            named.push(name);
        }
        Ok(Written { bytes, sha256, parts })
    }
}

/// What is written, cut where a part is full.
pub(super) struct Cut<'a> {
    target: &'a Target<'a>,
    made: Vec<NamedTempFile>,
    out: Option<BufWriter<File>>,
    /// Bytes that the last part still takes.
    room: u64,
}

impl Cut<'_> {
    fn next(&mut self) -> io::Result<()> {
        self.close()?;
        if self.made.len() == PARTS_MAX {
            let text =
                format!("it has more than {PARTS_MAX} parts: let them have more --part-bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        let dir = above(self.target.to);
        let made = tempfile::Builder::new().prefix(".evidence-").tempfile_in(dir)?;
        self.out = Some(BufWriter::new(made.reopen()?));
        self.made.push(made);
        self.room = self.target.part_bytes.unwrap_or(u64::MAX);
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        let Some(mut out) = self.out.take() else { return Ok(()) };
        out.flush()?;
        out.get_ref().sync_all()
    }
}

impl Write for Cut<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 && !bytes.is_empty() {
            self.next()?;
        }
        let most = usize::try_from(self.room).unwrap_or(usize::MAX).min(bytes.len());
        let count = match &mut self.out {
            Some(out) => out.write(&bytes[..most])?,
            None => 0,
        };
        self.room -= count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}
