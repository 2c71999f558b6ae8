//! The container: POSIX ustar, of which every byte follows from the names and contents of its files. Whoever reads it makes
//! each header again and compares, so that nothing can be hidden in one.

use std::io::{self, Read, Write};

/// Bytes of a block.
const BLOCK: usize = 512;
/// The longest name of a file.
const NAME_MAX: usize = 100;
/// The largest file: 256 of the longest leaves are less.
pub(crate) const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why bytes are no archive of ours.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// They cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// They are not what [`Writer`] writes.
    #[error("byte {at}: {what}")]
    Form {
        /// Where, in bytes from the beginning.
        at: u64,
        /// What is wrong.
        what: String,
    },
}

/// Whether a name can stand in an archive: parts of letters, digits, `.`, `-` and `_`, none of which leads elsewhere.
fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(letter);
    name.len() <= NAME_MAX && name.split('/').all(part)
}

fn put(header: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    if let Some(place) = header.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// The header of a file: readable by everybody, of nobody, of 1970.
fn header(name: &str, size: usize) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    put(&mut header, 0, name.as_bytes());
    put(&mut header, 100, b"0000644\0");
    put(&mut header, 108, b"0000000\0");
    put(&mut header, 116, b"0000000\0");
    put(&mut header, 124, format!("{size:011o}\0").as_bytes());
    put(&mut header, 136, b"00000000000\0");
    put(&mut header, 148, b"        ");
    put(&mut header, 156, b"0");
    put(&mut header, 257, b"ustar\x0000");
    put(&mut header, 329, b"0000000\0");
    put(&mut header, 337, b"0000000\0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut header, 148, format!("{sum:06o}\0 ").as_bytes());
    header
}

/// Writes an archive.
#[derive(Debug)]
pub(crate) struct Writer<W> {
    out: W,
    at: u64,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, at: 0 }
    }

    /// Adds a file.
    pub(crate) fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        if !is_name(name) || bytes.len() > FILE_BYTES_MAX {
            let what = format!("{name:?} with {} bytes is no file of an archive", bytes.len());
            return Err(ArchiveError::Form { at: self.at, what });
        }
        self.put(&header(name, bytes.len()))?;
        self.put(bytes)?;
        self.put(&vec![0; padding(bytes.len())])
    }

    /// Writes the end.
    pub(crate) fn finish(mut self) -> Result<W, ArchiveError> {
        self.put(&[0; 2 * BLOCK])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.out.write_all(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

fn padding(size: usize) -> usize {
    size.next_multiple_of(BLOCK) - size
}

/// Reads an archive, one file after the other.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    input: R,
    at: u64,
}

impl<R: Read> Reader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, at: 0 }
    }

    /// How many bytes were read.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The next file, or nothing behind the last one.
    pub(crate) fn next(&mut self) -> Result<Option<(String, Vec<u8>)>, ArchiveError> {
        let begin = self.at;
        let form = |what: &str| ArchiveError::Form { at: begin, what: what.to_owned() };
        let block = self.take(BLOCK)?;
        if block.iter().all(|byte| *byte == 0) {
            return self.end().map(|()| None);
        }
        let name = block.get(..NAME_MAX).and_then(|field| std::str::from_utf8(field).ok());
        let name = name.map(|name| name.trim_end_matches('\0').to_owned());
        let name = name.filter(|name| is_name(name)).ok_or_else(|| form("it is no file's name"))?;
        let size = block.get(124..135).and_then(|field| std::str::from_utf8(field).ok());
        let size = size.and_then(|size| usize::from_str_radix(size, 8).ok());
        let size = size.filter(|size| *size <= FILE_BYTES_MAX);
        let size = size.ok_or_else(|| form("it is no size, or too large a one"))?;
        if block != header(&name, size) {
            return Err(form("the header is not the one that belongs to its name and size"));
        }
        let bytes = self.take(size)?;
        if self.take(padding(size))?.iter().any(|byte| *byte != 0) {
            return Err(form("something stands behind the file's end"));
        }
        Ok(Some((name, bytes)))
    }

    fn end(&mut self) -> Result<(), ArchiveError> {
        let at = self.at;
        let form = |what: &str| ArchiveError::Form { at, what: what.to_owned() };
        if self.take(BLOCK)?.iter().any(|byte| *byte != 0) {
            return Err(form("one empty block is not the end of an archive"));
        }
        let mut more = [0];
        match self.input.read(&mut more)? {
            0 => Ok(()),
            _ => Err(form("bytes follow the end")),
        }
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = Vec::with_capacity(count);
        let read = self.input.by_ref().take(count as u64).read_to_end(&mut bytes)?;
        self.at += read as u64;
        if read < count {
            return Err(ArchiveError::Form {
                at: self.at,
                what: "the archive ends here".to_owned(),
            });
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, ArchiveError> {
        let mut reader = Reader::new(bytes);
        let mut all = Vec::new();
        while let Some(file) = reader.next()? {
            all.push(file);
        }
        Ok(all)
    }

    fn two() -> Result<Vec<u8>, ArchiveError> {
        let mut writer = Writer::new(Vec::new());
        writer.add("a/b.txt", b"one")?;
        writer.add("c", &[7; 512])?;
        writer.finish()
    }

    #[test]
    fn what_is_written_reads_back() -> Result<(), ArchiveError> {
        let files = read(&two()?)?;
        assert_eq!(
            files,
            [("a/b.txt".to_owned(), b"one".to_vec()), ("c".to_owned(), vec![7; 512])]
        );
        Ok(())
    }

    #[test]
    fn no_flipped_bit_leaves_the_same_files() -> Result<(), ArchiveError> {
        let (good, files) = (two()?, read(&two()?)?);
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(read(&bad).map_or(true, |read| read != files), "byte {at}, bit {bit}");
            }
        }
        for cut in 0..good.len() {
            assert!(read(&good[..cut]).is_err(), "cut at {cut}");
        }
        assert!(read(&[good, vec![0]].concat()).is_err(), "and nothing may follow");
        Ok(())
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_no_name() {
        for name in
            ["", "/etc/passwd", "a/../b", "../a", "a//b", "a/", ".hidden", "a b", "a\\b", "ä"]
        {
            let added = Writer::new(Vec::new()).add(name, b"");
            assert!(matches!(added, Err(ArchiveError::Form { .. })), "{name:?}");
            let mut block = header("a", 0).to_vec();
            block[..name.len().max(1)].copy_from_slice(if name.is_empty() {
                b"\0"
            } else {
                name.as_bytes()
            });
            assert!(read(&block).is_err(), "{name:?}");
        }
    }
}
