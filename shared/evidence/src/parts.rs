//! An archive in parts: plain cuts of it, `NAME.001`, `NAME.002` and so on, all of one length but the last, for whoever takes no
//! file as large as the whole. One behind the other they are the archive; they say nothing of their own.
//!
//! What is missing or mixed up as a whole is told before anything is examined: it is no finding, since nothing was examined.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Most parts of an archive.
pub const PARTS_MAX: usize = 999;
/// An archive ends with so many zeros.
const END: usize = 1_024;

/// Why parts are not those of an archive.
#[derive(Debug, thiserror::Error)]
pub enum PartsError {
    /// One cannot be opened or read.
    #[error("reading {}: {why}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// One of them is not there.
    #[error("{} is missing", .0.display())]
    Missing(PathBuf),
    /// Something was named that is none of these parts.
    #[error("{} is not a part of {}: name one archive, or the parts of one", path.display(), whole.display())]
    Other {
        /// What.
        path: PathBuf,
        /// The archive.
        whole: PathBuf,
    },
    /// A part has another length than the first.
    #[error("{} is not as long as the first part: it was cut off, or is of another archive", .0.display())]
    Length(PathBuf),
    /// What stands at the end is not the end of an archive.
    #[error("the archive does not end in {}: the parts behind it are missing, or it is of another archive", .0.display())]
    End(PathBuf),
}

/// The name of a part; they count from 1.
#[must_use]
pub fn part_name(whole: &Path, number: usize) -> PathBuf {
    let mut name = whole.as_os_str().to_owned();
    name.push(format!(".{number:03}"));
    name.into()
}

/// The archive of which something is a part by its name, and which.
#[must_use]
pub fn part_of(path: &Path) -> Option<(PathBuf, usize)> {
    let digits = path
        .extension()
        .and_then(OsStr::to_str)
        .filter(|digits| digits.len() == 3 && digits.bytes().all(|digit| digit.is_ascii_digit()))?;
    Some((path.with_extension(""), digits.parse().ok()?))
}

/// The parts that were named, in their order: the archive itself, all of its parts, or one of them, where `beside` tells the
/// names that are in a directory.
///
/// # Errors
/// One of them is missing, or something else was named.
pub fn in_order(
    named: &[PathBuf],
    beside: impl FnOnce(&Path) -> Vec<OsString>,
) -> Result<Vec<PathBuf>, PartsError> {
    let Some(first) = named.first() else { return Ok(Vec::new()) };
    let Some((whole, _)) = part_of(first) else {
        let other = named.get(1).cloned();
        let other = other.map(|path| PartsError::Other { path, whole: first.clone() });
        return other.map_or_else(|| Ok(named.to_vec()), Err);
    };
    let mut parts = named.to_vec();
    if named.len() == 1 {
        let dir = whole.parent().unwrap_or(Path::new(""));
        let others = beside(dir).into_iter().map(|name| dir.join(name));
        parts.extend(
            others.filter(|path| path != first && part_of(path).is_some_and(|(of, _)| of == whole)),
        );
    }
    parts.sort_unstable();
    for (path, number) in parts.iter().zip(1..) {
        let wanted = part_name(&whole, number);
        if part_of(path).is_none_or(|(of, _)| of != whole) {
            return Err(PartsError::Other { path: path.clone(), whole });
        } else if *path != wanted {
            return Err(PartsError::Missing(wanted));
        }
    }
    Ok(parts)
}

/// An archive, or its parts, one behind the other.
#[derive(Debug)]
pub struct Joined<R> {
    parts: Vec<(PathBuf, R)>,
    /// The part that is read.
    at: usize,
    bytes: u64,
}

impl<R: Read + Seek> Joined<R> {
    /// Opens parts in the order of [`in_order`].
    ///
    /// # Errors
    /// One cannot be read, is not as long as it must be, or the archive does not end in the last.
    pub fn open(
        paths: Vec<PathBuf>,
        mut open: impl FnMut(&Path) -> io::Result<R>,
    ) -> Result<Self, PartsError> {
        let mut joined = Self { parts: Vec::new(), at: 0, bytes: 0 };
        let mut first = None;
        let count = paths.len();
        for (path, number) in paths.into_iter().zip(1..) {
            let opened = open(&path).and_then(|mut file| {
                let bytes = file.seek(SeekFrom::End(0))?;
                file.rewind().map(|()| (file, bytes))
            });
            let (file, bytes) = opened.map_err(|why| PartsError::Io { path: path.clone(), why })?;
            let full = *first.get_or_insert(bytes);
            if bytes > full || bytes < full && number < count {
                return Err(PartsError::Length(path));
            }
            joined.bytes += bytes;
            joined.parts.push((path, file));
        }
        joined.check_end()?;
        Ok(joined)
    }

    /// The end of what is in parts; of a whole archive its reader says what is wrong with it.
    fn check_end(&mut self) -> Result<(), PartsError> {
        let Some((last, _)) = self.parts.last().filter(|(path, _)| part_of(path).is_some()) else {
            return Ok(());
        };
        let (last, mut left) = (last.clone(), END as u64);
        for (path, file) in self.parts.iter_mut().rev() {
            let zeros = zeros(file, left);
            match zeros.map_err(|why| PartsError::Io { path: path.clone(), why })? {
                Some(read) => left -= read,
                None => return Err(PartsError::End(last)),
            }
        }
        if left == 0 { Ok(()) } else { Err(PartsError::End(last)) }
    }

    /// Goes back to the beginning.
    ///
    /// # Errors
    /// A part cannot be read again.
    pub fn rewind(&mut self) -> io::Result<()> {
        self.at = 0;
        self.parts.iter_mut().try_for_each(|(_, file)| file.rewind())
    }
}

/// How many of the last bytes were read, at most so many; nothing where one of them is not zero.
fn zeros(file: &mut (impl Read + Seek), most: u64) -> io::Result<Option<u64>> {
    let bytes = file.seek(SeekFrom::End(0))?.min(most);
    file.seek(SeekFrom::End(-bytes.cast_signed()))?;
    let mut tail = Vec::new();
    file.by_ref().take(most).read_to_end(&mut tail)?;
    file.rewind()?;
    Ok(tail.iter().all(|byte| *byte == 0).then_some(bytes))
}

impl<R> Joined<R> {
    /// How many bytes there are in all.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.bytes
    }

    /// The parts, where it is in parts.
    pub fn parts(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().map(|(path, _)| path.as_path()).filter(|path| part_of(path).is_some())
    }
}

impl<R: Read> Read for Joined<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some((_, file)) = self.parts.get_mut(self.at) {
            let count = file.read(into)?;
            if count > 0 || into.is_empty() {
                return Ok(count);
            }
            self.at += 1;
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    fn ordered(named: &[&str], beside: &[&str]) -> Result<Vec<PathBuf>, String> {
        let beside = beside.iter().map(OsString::from).collect();
        in_order(&paths(named), |_| beside).map_err(|error| error.to_string())
    }

    #[test]
    fn one_part_finds_the_others_and_what_is_missing_is_named() {
        let beside = ["e.tar.003", "e.tar.001", "e.tar", "other.tar.004", "e.tar.002", "e.tar.2"];
        let all = paths(&["in/e.tar.001", "in/e.tar.002", "in/e.tar.003"]);
        assert_eq!(ordered(&["in/e.tar.001"], &beside), Ok(all.clone()));
        assert_eq!(ordered(&["in/e.tar.002"], &beside), Ok(all.clone()));
        assert_eq!(ordered(&["in/e.tar.003", "in/e.tar.001", "in/e.tar.002"], &[]), Ok(all));
        assert_eq!(ordered(&["e.tar"], &[]), Ok(paths(&["e.tar"])));
        for (named, beside, says) in [
            (&["e.tar.001"][..], &["e.tar.001", "e.tar.003"][..], "e.tar.002 is missing"),
            (&["e.tar.002"], &[], "e.tar.001 is missing"),
            (&["e.tar.001", "e.tar.001"], &[], "e.tar.002 is missing"),
            (&["a.tar", "b.tar"], &[], "b.tar is not a part of a.tar"),
            (&["a.tar.001", "b.tar.002"], &[], "b.tar.002 is not a part of a.tar"),
        ] {
            let said = ordered(named, beside).map(|all| format!("{all:?}")).unwrap_or_else(|e| e);
            assert!(said.starts_with(says), "{named:?}: {said}");
        }
    }

    fn joined(parts: &[&[u8]]) -> Result<Vec<u8>, PartsError> {
        let names = (1..=parts.len()).map(|number| part_name(Path::new("e"), number)).collect();
        let mut left = parts.iter();
        let mut joined = Joined::open(names, |_| Ok(Cursor::new(left.next().unwrap().to_vec())))?;
        let (mut first, mut again) = (Vec::new(), Vec::new());
        joined.read_to_end(&mut first).unwrap();
        joined.rewind().unwrap();
        joined.read_to_end(&mut again).unwrap();
        assert_eq!((first.len() as u64, &again), (joined.length(), &first));
        Ok(first)
    }

    #[test]
    fn parts_are_the_whole_wherever_it_was_cut_and_every_other_lot_is_none() {
        let whole = [vec![1; 2_000], vec![0; END]].concat();
        for size in [100, 512, 1_000, 1_512, 3_023, 3_024, 4_000] {
            let parts: Vec<&[u8]> = whole.chunks(size).collect();
            assert_eq!(joined(&parts).unwrap(), whole, "{size}");
            let cut = &parts[..parts.len() - 1];
            assert!(joined(cut).is_err() || cut.is_empty(), "without the last of {size}");
            if let [first, second, third, ..] = parts.as_slice() {
                let short = [&first[1..], second, third];
                assert!(matches!(joined(&short), Err(PartsError::Length(_))), "{size}");
            }
        }
    }
}
