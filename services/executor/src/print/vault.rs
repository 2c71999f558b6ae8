//! Files that are encrypted, each with a key of its own that stands elsewhere: content is erased by destroying 32 bytes.
//!
//! A file is a line that says what it is, then frames of 64 KiB of text, each sealed with ChaCha20-Poly1305 (RFC 8439).
//! A frame's nonce is its number and whether it is the last: a file that was cut, or whose frames were put elsewhere, is
//! refused. A key is used for one file, so a nonce is used once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest as _, Sha256};

/// The first line of a file.
const HEAD: &[u8] = b"decklog-sealed-1\n";
/// Bytes of text in a frame.
const FRAME: usize = 64 * 1024;
/// Bytes that sealing adds.
const TAG: usize = 16;

/// A key, or a salt.
pub(crate) type Key = [u8; 32];

/// 32 bytes that nobody can guess.
pub(crate) fn random() -> io::Result<Key> {
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| io::Error::other("the system gives no random bytes"))?;
    Ok(bytes)
}

fn sealing(key: &Key) -> io::Result<LessSafeKey> {
    let unbound = UnboundKey::new(&CHACHA20_POLY1305, key);
    Ok(LessSafeKey::new(unbound.map_err(|_| io::Error::other("a key has another length"))?))
}

fn nonce(number: u64, last: bool) -> Nonce {
    let mut bytes = [0; 12];
    bytes[3] = u8::from(last);
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// The key in a file; `None` where there is none.
pub(crate) fn read_key(path: &Path) -> io::Result<Option<Key>> {
    let damaged = |_| io::Error::new(io::ErrorKind::InvalidData, "it is damaged");
    match fs::read(path) {
        Ok(bytes) => bytes.try_into().map(Some).map_err(damaged),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same, made where there is none.
pub(crate) fn some_key(path: &Path) -> io::Result<Key> {
    if let Some(key) = read_key(path)? {
        return Ok(key);
    }
    let key = random()?;
    journal::replace(path, &key, 0o600)?;
    Ok(key)
}

/// Destroys the key in a file, where there is one.
pub(crate) fn destroy_key(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).open(path) {
        Ok(mut file) => {
            file.write_all(&[0; 32])?;
            file.sync_all()?;
            fs::remove_file(path)?;
            path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The key of one of several files that have one key between them.
pub(crate) fn derived(key: &Key, name: &str) -> Key {
    let mut hash = Sha256::new();
    hash.update(format!("decklog-sealed-1\n{name}\n"));
    hash.update(key);
    hash.finalize().into()
}

/// Writes all of `from` into a new file, and forces it to disk.
pub(crate) fn seal(path: &Path, key: &Key, from: &mut dyn Read) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut out = BufWriter::new(file);
    out.write_all(HEAD)?;
    let key = sealing(key)?;
    let (mut number, mut frame) = (0, filled(from)?);
    loop {
        let next = if frame.len() < FRAME { Vec::new() } else { filled(from)? };
        let last = next.is_empty();
        let sealed = key.seal_in_place_append_tag(nonce(number, last), Aad::empty(), &mut frame);
        sealed.map_err(|_| io::Error::other("a frame cannot be sealed"))?;
        out.write_all(&frame)?;
        if last {
            break;
        }
        (number, frame) = (number + 1, next);
    }
    out.into_inner()?.sync_all()
}

/// As many bytes as a frame has, or what is left.
fn filled(from: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(FRAME + TAG);
    from.take(FRAME as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What is in a sealed file, from its beginning.
pub(crate) struct Unsealed {
    file: BufReader<File>,
    key: LessSafeKey,
    /// The frame that is read next, sealed.
    ahead: Vec<u8>,
    number: u64,
    text: Vec<u8>,
    at: usize,
}

/// Opens a sealed file.
pub(crate) fn open(path: &Path, key: &Key) -> io::Result<Unsealed> {
    let mut file = BufReader::new(File::open(path)?);
    let mut head = [0; HEAD.len()];
    file.read_exact(&mut head)?;
    if head != HEAD {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is no sealed file of this version",
        ));
    }
    let mut unsealed = Unsealed {
        file,
        key: sealing(key)?,
        ahead: Vec::new(),
        number: 0,
        text: Vec::new(),
        at: 0,
    };
    unsealed.ahead = unsealed.sealed()?;
    // There is a frame also of nothing.
    if unsealed.ahead.is_empty() { Err(damaged()) } else { Ok(unsealed) }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is damaged, or its key is another")
}

impl Unsealed {
    /// Goes on from this byte of the text; past its end there is nothing.
    pub(crate) fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        let (text, sealed) = (FRAME as u64, (FRAME + TAG) as u64);
        let frames = self.file.get_ref().metadata()?.len().saturating_sub(HEAD.len() as u64);
        // The last frame is opened also by whoever asks for what comes after: it says that it is the last.
        let number = (offset / text).min(frames.saturating_sub(1) / sealed);
        self.file.seek(SeekFrom::Start(HEAD.len() as u64 + number * sealed))?;
        (self.number, self.text, self.at) = (number, Vec::new(), 0);
        self.ahead = self.sealed()?;
        io::copy(&mut self.by_ref().take(offset - number * text), &mut io::sink())?;
        Ok(())
    }

    fn sealed(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(FRAME + TAG);
        self.file.by_ref().take((FRAME + TAG) as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn next(&mut self) -> io::Result<()> {
        let after = self.sealed()?;
        let mut frame = std::mem::replace(&mut self.ahead, after);
        let last = self.ahead.is_empty();
        let opened = self.key.open_in_place(nonce(self.number, last), Aad::empty(), &mut frame);
        let length = opened.map(|text| text.len());
        frame.truncate(length.map_err(|_| damaged())?);
        (self.number, self.text, self.at) = (self.number + 1, frame, 0);
        Ok(())
    }
}

impl Read for Unsealed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() {
            if self.ahead.is_empty() {
                return Ok(0);
            }
            self.next()?;
        }
        let text = self.text.get(self.at..).unwrap_or_default();
        let count = text.len().min(into.len());
        into[..count].copy_from_slice(&text[..count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(content: &[u8]) -> (tempfile::TempDir, Key) {
        let dir = tempfile::tempdir().unwrap();
        let key = random().unwrap();
        seal(&dir.path().join("f"), &key, &mut &content[..]).unwrap();
        (dir, key)
    }

    fn read(dir: &Path, key: &Key) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        open(&dir.join("f"), key)?.read_to_end(&mut all)?;
        Ok(all)
    }

    fn read_from(mut unsealed: Unsealed, offset: u64) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        unsealed.skip_to(offset)?;
        unsealed.read_to_end(&mut rest)?;
        Ok(rest)
    }

    /// Around each border of frames, and far past the end.
    fn offsets() -> impl Iterator<Item = u64> {
        let borders = (0..=4).map(|number| number * FRAME as u64);
        borders.flat_map(|at| at.saturating_sub(2)..at + 3).chain([u64::MAX - 1, u64::MAX])
    }

    #[test]
    fn what_is_sealed_is_read_back_whatever_its_length() {
        for length in [0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME] {
            let content: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let (dir, key) = sealed(&content);
            assert_eq!(read(dir.path(), &key).unwrap(), content, "{length}");
        }
    }

    #[test]
    fn without_its_key_nothing_of_it_is_there() {
        let (dir, _) = sealed(b"Pay to the order of Mia Brandt");
        assert!(read(dir.path(), &random().unwrap()).is_err());
        let bytes = std::fs::read(dir.path().join("f")).unwrap();
        assert!(!bytes.windows(4).any(|four| four == b"Mia "));
    }

    #[test]
    fn a_file_that_was_cut_changed_or_put_together_anew_is_refused() {
        let (dir, key) = sealed(&vec![7; 2 * FRAME + 5]);
        let path = dir.path().join("f");
        let whole = std::fs::read(&path).unwrap();
        let (head, frame) = (HEAD.len(), FRAME + TAG);
        let mut changed = whole.clone();
        changed[head + 10] ^= 1;
        let swapped = [
            &whole[..head],
            &whole[head + frame..head + 2 * frame],
            &whole[head..head + frame],
            &whole[head + 2 * frame..],
        ]
        .concat();
        let cut = [&whole[..head], &whole[..head + frame], &whole[..whole.len() - 1]];
        for bad in cut.into_iter().chain([&changed[..], &swapped, b"nonsense"]) {
            std::fs::write(&path, bad).unwrap();
            assert!(read(dir.path(), &key).is_err());
        }
    }

    #[test]
    fn reading_from_any_byte_gives_what_comes_after_it_and_nothing_past_the_end() {
        for length in [3, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME - 1, 3 * FRAME] {
            let content: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let (dir, key) = sealed(&content);
            for offset in offsets() {
                let after = usize::try_from(offset).unwrap().min(length);
                let mut unsealed = open(&dir.path().join("f"), &key).unwrap();
                unsealed.read_exact(&mut [0; 3]).unwrap();
                let rest = read_from(unsealed, offset).unwrap();
                assert_eq!(rest, content[after..], "{length} from {offset}");
            }
        }
    }

    #[test]
    fn a_file_that_was_cut_is_refused_from_whichever_byte_it_is_read() {
        let (dir, key) = sealed(&vec![7; 3 * FRAME]);
        let path = dir.path().join("f");
        let whole = std::fs::read(&path).unwrap();
        for frames in [1, 2] {
            std::fs::write(&path, &whole[..HEAD.len() + frames * (FRAME + TAG)]).unwrap();
            for offset in offsets() {
                let rest = read_from(open(&path, &key).unwrap(), offset);
                assert!(rest.is_err(), "{frames} from {offset}");
            }
        }
    }
}
