//! A tree of files made from a seed: the same everywhere, and with everything that backups meet.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes the smallest and the largest of the small files have.
const SMALL: (u64, u64) = (100, 32 << 10);
/// Of so many files one is large.
const ONE_LARGE_OF: u64 = 200;
/// Files of one directory.
const IN_A_DIRECTORY: u64 = 40;
/// Bytes written at a time, and changed in a large file.
const PIECE: usize = 64 << 10;

/// What a tree is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) seed: u64,
}

/// Numbers by chance that are the same for the same seed (splitmix64).
struct Chance(u64);

impl Chance {
    /// Far apart for every seed and number: neighbours would give the same bytes, a little shifted, and a backup stores
    /// those once.
    fn new(seed: u64, of: u64) -> Self {
        let first = Self(seed).next();
        Self(Self(first ^ of).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Lines of a log: compresses well.
    Text,
    /// Bytes by chance: does not compress.
    Random,
}

impl Shape {
    fn large(self) -> u64 {
        (self.files / ONE_LARGE_OF).max(2)
    }

    /// Writes the whole tree.
    pub(super) fn write(self, root: &Path) -> io::Result<()> {
        let mut small = 0;
        for n in self.large()..self.files {
            small += self.small_file(root, n, 0)?;
        }
        let each = self.bytes.saturating_sub(small) / self.large();
        for n in 0..self.large() {
            // Half to one and a half of the mean, by turns: their sum stays what it is.
            let part = each / 8 * (n / 2 % 4);
            let bytes = if n % 2 == 0 { each - part } else { each + part };
            let kind = if n % 4 < 2 { Kind::Text } else { Kind::Random };
            fill(&self.path(root, n)?, kind, bytes, Chance::new(self.seed, n))?;
        }
        Ok(())
    }

    /// Changes this percentage of the files and adds a fifth as many.
    pub(super) fn change(self, root: &Path, percent: u64) -> io::Result<()> {
        let chosen = |count: u64| (count * percent / 100).max(1);
        let spread = |count: u64, n: u64| n * (count / chosen(count)).max(1);
        for n in 0..chosen(self.large()) {
            patch(&self.path(root, spread(self.large(), n))?, Chance::new(self.seed + 1, n))?;
        }
        let small = self.files.saturating_sub(self.large());
        for n in 0..chosen(small) {
            self.small_file(root, self.large() + spread(small, n), 1)?;
        }
        for n in 0..chosen(self.files).div_ceil(5) {
            self.small_file(root, self.files + n, 1)?;
        }
        Ok(())
    }

    /// Writes one of the small files; gives its bytes.
    fn small_file(self, root: &Path, n: u64, version: u64) -> io::Result<u64> {
        let mut chance = Chance::new(self.seed + version, n);
        // As many between 100 and 200 bytes as between 10 and 20 KiB.
        let doublings = SMALL.1.ilog2() - SMALL.0.ilog2();
        let from = SMALL.0 << chance.below(u64::from(doublings));
        let bytes = from + chance.below(from);
        let kind = if chance.below(4) == 0 { Kind::Random } else { Kind::Text };
        fill(&self.path(root, n)?, kind, bytes, chance)?;
        Ok(bytes)
    }

    fn path(self, root: &Path, n: u64) -> io::Result<PathBuf> {
        let directory = n / IN_A_DIRECTORY;
        let dir = root.join(format!("{:02}/{:02}", directory % 20, directory / 20));
        std::fs::create_dir_all(&dir)?;
        Ok(dir.join(format!("file-{n:06}")))
    }
}

fn fill(path: &Path, kind: Kind, bytes: u64, mut chance: Chance) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(PIECE, File::create(path)?);
    let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
    let mut piece = Vec::with_capacity(PIECE);
    while left > 0 {
        piece.clear();
        some(kind, PIECE.min(left), &mut chance, &mut piece);
        out.write_all(&piece)?;
        left -= piece.len();
    }
    out.flush()
}

/// Appends exactly so many bytes.
fn some(kind: Kind, bytes: usize, chance: &mut Chance, to: &mut Vec<u8>) {
    const WORDS: [&str; 8] =
        ["posted", "ledger", "account", "batch", "retried", "accepted", "invoice", "closed"];
    while to.len() < bytes {
        let number = chance.next();
        match kind {
            Kind::Random => to.extend_from_slice(&number.to_le_bytes()),
            Kind::Text => {
                let word = |shift: u32| WORDS[(number >> shift) as usize % WORDS.len()];
                let line = format!(
                    "2026-11-{:02}T{:02}:{:02} {} {} {:08x} {}\n",
                    1 + number % 28,
                    number >> 8 & 15,
                    number >> 16 & 31,
                    word(24),
                    word(32),
                    number >> 36,
                    word(40)
                );
                to.extend_from_slice(line.as_bytes());
            }
        }
    }
    to.truncate(bytes);
}

/// Overwrites a piece in the middle of a file.
fn patch(path: &Path, mut chance: Chance) -> io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    let length = file.metadata()?.len();
    let mut piece = Vec::new();
    let bytes = usize::try_from(length / 4).unwrap_or(PIECE).min(PIECE);
    some(Kind::Random, bytes, &mut chance, &mut piece);
    file.seek(SeekFrom::Start(length / 2))?;
    file.write_all(&piece)
}

/// How much lies below a directory.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Counts what lies below a directory and reads all of it: afterwards everybody finds it in the page cache.
pub(super) fn warm(dir: &Path) -> io::Result<Amount> {
    walk(dir, &mut |path| io::copy(&mut File::open(path)?, &mut io::sink()))
}

/// Counts what lies below a directory.
pub(super) fn amount(dir: &Path) -> io::Result<Amount> {
    walk(dir, &mut |path| Ok(path.symlink_metadata()?.len()))
}

fn walk(dir: &Path, bytes: &mut dyn FnMut(&Path) -> io::Result<u64>) -> io::Result<Amount> {
    let mut sum = Amount::default();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let kind = path.symlink_metadata()?.file_type();
        if kind.is_dir() {
            let below = walk(&path, bytes)?;
            sum = Amount { files: sum.files + below.files, bytes: sum.bytes + below.bytes };
        } else if kind.is_file() {
            sum = Amount { files: sum.files + 1, bytes: sum.bytes + bytes(&path)? };
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_the_files_and_about_the_bytes_asked_for_and_is_the_same_for_the_same_seed() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let shape = Shape { files: 500, bytes: 8 << 20, seed: 7 };
        shape.write(a.path()).unwrap();
        shape.write(b.path()).unwrap();
        let whole = amount(a.path()).unwrap();
        assert_eq!(whole.files, 500);
        assert!(whole.bytes.abs_diff(8 << 20) < 1 << 20, "{whole:?}");
        assert_eq!(amount(b.path()).unwrap(), whole);
        let some = shape.path(a.path(), 3).unwrap();
        let same = shape.path(b.path(), 3).unwrap();
        assert_eq!(std::fs::read(some).unwrap(), std::fs::read(same).unwrap());
    }

    /// What is the same in two files is stored once: then there would be nothing to measure.
    #[test]
    fn no_two_files_hold_the_same_bytes_shifted() {
        let dir = tempfile::tempdir().unwrap();
        let shape = Shape { files: 40, bytes: 1 << 20, seed: 7 };
        shape.write(dir.path()).unwrap();
        let mut seen = std::collections::HashSet::new();
        for n in 0..40 {
            let bytes = std::fs::read(shape.path(dir.path(), n).unwrap()).unwrap();
            for word in bytes.chunks_exact(8).take(100).filter(|word| !word.is_ascii()) {
                assert!(seen.insert(word.to_vec()), "file {n} repeats {word:?}");
            }
        }
        assert!(seen.len() > 90, "{}", seen.len());
    }

    #[test]
    fn a_change_touches_its_share_and_adds_files() {
        let dir = tempfile::tempdir().unwrap();
        let shape = Shape { files: 500, bytes: 8 << 20, seed: 7 };
        shape.write(dir.path()).unwrap();
        let read = |n: u64| std::fs::read(shape.path(dir.path(), n).unwrap()).unwrap();
        let before: Vec<Vec<u8>> = (0..500).map(read).collect();
        shape.change(dir.path(), 10).unwrap();
        let changed = (0..500).filter(|n| read(*n) != before[usize::try_from(*n).unwrap()]).count();
        assert_eq!((changed, amount(dir.path()).unwrap().files), (50, 510));
    }
}
