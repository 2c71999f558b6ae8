//! Keeping what a command writes: counted, hashed, compressed, readable while it grows.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use zstd::stream::write::Encoder;

use super::spare;
use super::status::Output;
use super::tail::OutputTail;

/// Output is readable on disk at most this long after it arrived.
const FLUSH: Duration = Duration::from_millis(200);

/// This much is collected before a compressor is made. Most commands write less, and end sooner: they
/// are compressed in one go at the end, which costs a tenth.
const COLLECT: usize = 64 * 1024;

const LEVEL: i32 = 3;

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The kept output of one attempt.
pub(crate) struct Keep {
    path: PathBuf,
    limit: u64,
    produced: u64,
    kept: u64,
    hash: Sha256,
    pending: Vec<u8>,
    flush_at: Option<Instant>,
    encoder: Option<Encoder<'static, File>>,
    failed: Option<io::Error>,
}

impl Keep {
    pub(crate) fn new(path: PathBuf, limit: u64) -> Self {
        Self {
            path,
            limit,
            produced: 0,
            kept: 0,
            hash: Sha256::new(),
            pending: Vec::new(),
            flush_at: None,
            encoder: None,
            failed: None,
        }
    }

    /// Takes what the command wrote.
    pub(crate) fn take(&mut self, bytes: &[u8], now: Instant) {
        self.produced += bytes.len() as u64;
        let room = usize::try_from(self.limit - self.kept).unwrap_or(usize::MAX);
        let Some(kept) = bytes.get(..room.min(bytes.len())).filter(|kept| !kept.is_empty()) else {
            return;
        };
        if self.failed.is_some() {
            return;
        }
        self.kept += kept.len() as u64;
        self.hash.update(kept);
        self.pending.extend_from_slice(kept);
        self.flush_at.get_or_insert(now + FLUSH);
        if self.pending.len() >= COLLECT {
            self.store(false);
        }
    }

    /// Whether the command wrote more than is kept.
    pub(crate) fn over(&self) -> bool {
        self.produced > self.limit
    }

    /// When [`Keep::flush_if_due`] wants to be called.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.flush_at
    }

    /// Makes what arrived readable.
    pub(crate) fn flush_if_due(&mut self, now: Instant) {
        if self.flush_at.is_some_and(|due| due <= now) {
            self.store(true);
        }
    }

    /// Compresses what is pending. A full disk must not end the command: what follows is counted only.
    fn store(&mut self, flush: bool) {
        let stored = self.compress(flush);
        self.pending.clear();
        if flush {
            self.flush_at = None;
        }
        if let Err(error) = stored {
            self.failed = Some(error);
            self.flush_at = None;
        }
    }

    fn compress(&mut self, flush: bool) -> io::Result<()> {
        if self.encoder.is_none() {
            self.encoder = Some(Encoder::new(self.file()?, LEVEL)?);
        }
        let Some(encoder) = &mut self.encoder else { return Ok(()) };
        encoder.write_all(&self.pending)?;
        if flush { encoder.flush() } else { Ok(()) }
    }

    /// Ends the file and says what is in it, and what went wrong with it if anything did.
    pub(crate) fn finish(mut self) -> (Output, Option<io::Error>) {
        let ended = if self.failed.is_some() { Ok(0) } else { self.end() };
        let failed = match ended {
            Ok(stored) if self.failed.is_none() => {
                let sha256 = hex(&self.hash.finalize());
                return (output(sha256, self.produced, self.kept, stored), None);
            }
            Ok(_) => self.failed.take(),
            Err(error) => Some(error),
        };
        (what_is_there(&self.path, self.produced), failed)
    }

    fn file(&self) -> io::Result<File> {
        let dir = self.path.parent().unwrap_or(Path::new("/"));
        spare::file(dir, NAME, NAME)
    }

    /// The file's final size.
    fn end(&mut self) -> io::Result<u64> {
        if self.kept == 0 {
            return Ok(0);
        }
        if let Some(mut encoder) = self.encoder.take() {
            encoder.write_all(&self.pending)?;
            return Ok(encoder.finish()?.metadata()?.len());
        }
        let whole = zstd::bulk::compress(&self.pending, LEVEL)?;
        self.file()?.write_all(&whole)?;
        Ok(whole.len() as u64)
    }
}

/// Where output is kept, in an attempt's directory.
pub(crate) const NAME: &str = "output.zst";

fn output(sha256: String, bytes: u64, kept: u64, stored: u64) -> Output {
    Output { sha256, bytes, kept, stored, truncated: kept < bytes }
}

/// After a write failed only the file itself knows how far it got.
fn what_is_there(path: &Path, produced: u64) -> Output {
    let read = OutputTail::new(path.to_owned()).read().unwrap_or_default();
    let stored = fs::metadata(path).map_or(0, |meta| meta.len());
    output(hex(&Sha256::digest(&read)), produced, read.len() as u64, stored)
}

/// Gives the output up, for when the disk has no room left for the outcome itself.
pub(crate) fn discard(path: &Path, output: &mut Output) {
    if fs::remove_file(path).is_ok() {
        *output = what_is_there(path, output.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(limit: u64, writes: &[&[u8]], flush_each: bool) -> (Output, Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        let mut keep = Keep::new(path.clone(), limit);
        for bytes in writes {
            let now = Instant::now();
            keep.take(bytes, now);
            if flush_each {
                keep.flush_if_due(now + FLUSH);
            }
        }
        let (output, failed) = keep.finish();
        assert!(failed.is_none());
        (output, OutputTail::new(path).read().unwrap())
    }

    #[test]
    fn what_is_kept_is_what_was_written_up_to_the_limit() {
        for flush_each in [false, true] {
            let (output, read) = kept(7, &[b"hello ", b"world"], flush_each);
            assert_eq!(read, b"hello w");
            assert_eq!((output.bytes, output.kept, output.truncated), (11, 7, true));
            assert_eq!(output.sha256, hex(&Sha256::digest(b"hello w")));
        }
    }

    #[test]
    fn no_output_makes_no_file() {
        let (output, read) = kept(7, &[], false);
        assert!(read.is_empty());
        assert_eq!((output.stored, output.truncated), (0, false));
        assert_eq!(output.sha256, hex(&Sha256::digest(b"")));
    }

    #[test]
    fn a_disk_that_refuses_costs_the_output_and_nothing_else() {
        let mut keep = Keep::new("/nonexistent/output.zst".into(), 100);
        keep.take(b"hello", Instant::now());
        let (output, failed) = keep.finish();
        assert!(failed.is_some());
        assert_eq!((output.bytes, output.kept, output.truncated), (5, 0, true));
    }
}
