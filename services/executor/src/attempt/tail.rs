//! Reading kept output, also while it still grows.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::error::{AttemptError, io_at};

const CHUNK: usize = 64 * 1024;

/// Follows the output of an attempt: each read gives what was flushed since the last.
pub struct OutputTail {
    path: PathBuf,
    open: Option<(File, Decoder<'static>)>,
    skip: u64,
}

impl OutputTail {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, open: None, skip: 0 }
    }

    /// Leaves out the next `bytes` of output.
    pub(crate) fn skip(&mut self, bytes: u64) -> Result<(), AttemptError> {
        self.skip = bytes;
        self.open()
    }

    /// What can be read now and was not read before; empty if there is nothing new, or the attempt was
    /// removed. Never more than the
    /// job's output limit, because no more is kept.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged.
    pub fn read(&mut self) -> Result<Vec<u8>, AttemptError> {
        self.open()?;
        let mut all = Vec::new();
        let Some((file, decoder)) = &mut self.open else { return Ok(all) };
        let read = decode(file, decoder, &mut self.skip, &mut all);
        // Looked at afterwards: once the attempt is removed, its file may hold another's output.
        if !is_at(file, &self.path) {
            return Ok(Vec::new());
        }
        read.map_err(io_at("decompress", &self.path))?;
        Ok(all)
    }

    /// There is no file as long as there is no output.
    fn open(&mut self) -> Result<(), AttemptError> {
        if self.open.is_some() {
            return Ok(());
        }
        match File::open(&self.path) {
            Ok(file) => {
                let decoder = Decoder::new().map_err(io_at("decompress", &self.path))?;
                self.open = Some((file, decoder));
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io_at("open", &self.path)(error)),
        }
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

pub(super) fn decode(
    file: &mut impl Read,
    decoder: &mut Decoder<'static>,
    skip: &mut u64,
    all: &mut Vec<u8>,
) -> io::Result<()> {
    let mut compressed = vec![0; CHUNK];
    let mut plain = vec![0; CHUNK];
    loop {
        let count = file.read(&mut compressed)?;
        if count == 0 {
            return Ok(());
        }
        let mut input = InBuffer::around(compressed.get(..count).unwrap_or_default());
        loop {
            let mut output = OutBuffer::around(plain.as_mut_slice());
            decoder.run(&mut input, &mut output)?;
            let (full, bytes) = (output.pos() == CHUNK, output.as_slice());
            let left_out = usize::try_from(*skip).unwrap_or(usize::MAX).min(bytes.len());
            *skip -= left_out as u64;
            all.extend_from_slice(bytes.get(left_out..).unwrap_or_default());
            // A full buffer may mean that the decoder holds more, even with all input taken.
            if input.pos == count && !full {
                break;
            }
        }
    }
}
