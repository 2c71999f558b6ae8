//! Where parts of the tree lie, and how leaves stand in a file (C2SP tlog-tiles).

use std::fmt;

use thiserror::Error;

use crate::frontier::Frontier;
use crate::hash::Hash;

/// Hashes of a full tile, and leaves of a full bundle of entries.
pub const TILE_WIDTH: u64 = 256;
/// The longest leaf that fits into a bundle of entries.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The leaves themselves.
    Entries,
    /// Hashes: of leaves on level 0, and above it of full tiles of the level below.
    Hashes(u8),
}

/// A part of the tree, as a resource has it. Its `Display` is the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    /// What it holds.
    pub level: Level,
    /// Which of its level, from 0.
    pub index: u64,
    /// How many hashes or leaves it holds, 1 to [`TILE_WIDTH`].
    pub width: u64,
}

impl Tile {
    /// The tiles of a level in a tree of this size, from the left; the last may be narrower.
    pub fn of_level(level: Level, size: u64) -> impl Iterator<Item = Self> {
        let height = match level {
            Level::Entries | Level::Hashes(0) => 0,
            Level::Hashes(level) => u32::from(level),
        };
        let count = TILE_WIDTH.checked_pow(height).map_or(0, |span| size / span);
        (0..count.div_ceil(TILE_WIDTH)).map(move |index| {
            let width = (count - index * TILE_WIDTH).min(TILE_WIDTH);
            Self { level, index, width }
        })
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Level::Entries => write!(f, "tile/entries/")?,
            Level::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        let (mut rest, mut parts) = (self.index / 1_000, Vec::new());
        while rest > 0 {
            parts.push(rest % 1_000);
            rest /= 1_000;
        }
        for part in parts.iter().rev() {
            write!(f, "x{part:03}/")?;
        }
        write!(f, "{:03}", self.index % 1_000)?;
        if self.width < TILE_WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

/// The hashes of all tiles of a tree, made while its leaves' hashes pass by. Kept are full tiles' roots and the hashes that
/// wait for one to be full: a tile leaves as soon as it is whole.
#[derive(Debug, Clone, Default)]
pub struct Tiler {
    levels: Vec<(u64, Vec<Hash>)>,
}

impl Tiler {
    /// A tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next leaf's hash; returns the tiles that are full by it, the lowest first.
    pub fn push(&mut self, leaf: Hash) -> Vec<(Tile, Vec<u8>)> {
        let (mut full, mut next, mut level) = (Vec::new(), Some(leaf), 0);
        while let Some(hash) = next {
            if self.levels.len() == level {
                self.levels.push((0, Vec::new()));
            }
            next = None;
            let Some((index, hashes)) = self.levels.get_mut(level) else { break };
            hashes.push(hash);
            if hashes.len() as u64 == TILE_WIDTH {
                let root = hashes.iter().copied().collect::<Frontier>().root();
                full.push((tile(level, *index, TILE_WIDTH), bytes(hashes)));
                hashes.clear();
                *index += 1;
                next = Some(root);
            }
            level += 1;
        }
        full
    }

    /// The tiles that are not full, the lowest first.
    #[must_use]
    pub fn partial(&self) -> Vec<(Tile, Vec<u8>)> {
        let open = self.levels.iter().enumerate().filter(|(_, (_, hashes))| !hashes.is_empty());
        open.map(|(level, (index, hashes))| {
            (tile(level, *index, hashes.len() as u64), bytes(hashes))
        })
        .collect()
    }
}

fn tile(level: usize, index: u64, width: u64) -> Tile {
    // A tree of 2^64 leaves has eight levels.
    Tile { level: Level::Hashes(u8::try_from(level).unwrap_or(u8::MAX)), index, width }
}

fn bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Why leaves cannot be written into a bundle, or bytes are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EntriesError {
    /// A leaf is longer than [`MAX_ENTRY_BYTES`].
    #[error("writing entries: a leaf of {0} bytes is longer than {MAX_ENTRY_BYTES}")]
    TooLong(usize),
    /// The bytes end within an entry.
    #[error("reading entries: the bytes end within entry {0}")]
    Cut(usize),
}

/// A bundle of entries: each behind its length, 16 bits, big-endian (C2SP tlog-tiles, «Log entries»).
///
/// # Errors
/// [`EntriesError::TooLong`].
pub fn write_entries<'a>(
    leaves: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, EntriesError> {
    let mut out = Vec::new();
    for leaf in leaves {
        let length = u16::try_from(leaf.len()).map_err(|_| EntriesError::TooLong(leaf.len()))?;
        out.extend(length.to_be_bytes());
        out.extend(leaf);
    }
    Ok(out)
}

/// The leaves of a bundle.
///
/// # Errors
/// [`EntriesError::Cut`].
pub fn read_entries(mut bytes: &[u8]) -> Result<Vec<&[u8]>, EntriesError> {
    let mut leaves = Vec::new();
    while !bytes.is_empty() {
        let cut = EntriesError::Cut(leaves.len() + 1);
        let (length, rest) = bytes.split_first_chunk::<2>().ok_or(cut)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (leaf, rest) = rest.split_at_checked(length).ok_or(cut)?;
        leaves.push(leaf);
        bytes = rest;
    }
    Ok(leaves)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;

    /// All tiles of hashes in a tree of this size.
    fn of_hashes(size: u64) -> impl Iterator<Item = Tile> {
        (0..8).flat_map(move |level| Tile::of_level(Level::Hashes(level), size))
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        let hashes = |level, index, width| Tile { level: Level::Hashes(level), index, width };
        for (tile, path) in [
            (hashes(0, 0, 256), "tile/0/000"),
            (hashes(2, 1_234_067, 256), "tile/2/x001/x234/067"),
            (hashes(1, 273, 17), "tile/1/273.p/17"),
            (hashes(0, 999, 1), "tile/0/999.p/1"),
            (hashes(0, 1_000, 256), "tile/0/x001/000"),
            (Tile { level: Level::Entries, index: 5, width: 3 }, "tile/entries/005.p/3"),
        ] {
            assert_eq!(tile.to_string(), path);
        }
    }

    /// C2SP tlog-tiles, «Partial Tiles», gives both of these.
    #[test]
    fn a_tree_has_the_tiles_of_the_specifications_examples() {
        let count = |size: u64, level: u8, width: u64| {
            let all = Tile::of_level(Level::Hashes(level), size);
            all.filter(|tile| tile.width == width).count()
        };
        assert_eq!((count(70_000, 0, 256), count(70_000, 0, 112)), (273, 1));
        assert_eq!((count(70_000, 1, 256), count(70_000, 1, 17), count(70_000, 2, 1)), (1, 1, 1));
        let of_256: Vec<String> = of_hashes(256).map(|tile| tile.to_string()).collect();
        assert_eq!(of_256, ["tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(of_hashes(0).count(), 0);
    }

    #[test]
    fn a_tiler_makes_the_tiles_that_a_tree_has_with_the_hashes_they_are_to_hold() {
        let leaves: Vec<Hash> = (0_u32..66_000).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let mut tiler = Tiler::new();
        let mut made: Vec<(Tile, Vec<u8>)> =
            leaves.iter().flat_map(|leaf| tiler.push(*leaf)).collect();
        made.extend(tiler.partial());
        made.sort();
        let mut names: Vec<Tile> = of_hashes(66_000).collect();
        names.sort();
        assert_eq!(made.iter().map(|(tile, _)| *tile).collect::<Vec<_>>(), names);
        for (tile, held) in &made {
            let Level::Hashes(level) = tile.level else { continue };
            let span = 256_usize.pow(u32::from(level));
            let from = usize::try_from(tile.index).unwrap_or(usize::MAX) * 256 * span;
            let parts = leaves[from..].chunks(span).take(usize::try_from(tile.width).unwrap_or(0));
            let roots = parts.map(|part| part.iter().copied().collect::<Frontier>().root());
            let wanted: Vec<u8> = roots.flat_map(|root| root.0).collect();
            assert_eq!(*held, wanted, "{tile}");
        }
    }

    #[test]
    fn entries_read_back_and_cut_ones_are_refused() {
        let leaves: [&[u8]; 3] = [b"", b"one", &[7; 300]];
        let bytes = write_entries(leaves).unwrap_or_default();
        assert_eq!(read_entries(&bytes), Ok(leaves.to_vec()));
        for cut in 1..bytes.len() {
            let read = read_entries(&bytes[..cut]);
            let whole = [2, 7].contains(&cut);
            assert_eq!(read.is_ok(), whole, "{cut}: {read:?}");
        }
        let long = vec![0; MAX_ENTRY_BYTES + 1];
        assert_eq!(write_entries([long.as_slice()]), Err(EntriesError::TooLong(65_536)));
    }
}
