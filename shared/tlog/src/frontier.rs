//! The right edge of a tree: all that appending and taking the root need.

use thiserror::Error;

use crate::hash::{Hash, node_hash};

/// A tree reduced to the roots of its complete subtrees, largest (leftmost) first: one for each
/// bit set in its size. A million leaves need at most 20 hashes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<Hash>,
}

/// Why bytes are not a [`Frontier`] of the size asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrontierError {
    /// More leaves than [`Frontier::MAX_SIZE`].
    #[error("reading a frontier: {0} leaves is more than a signed 64-bit size holds")]
    TooLarge(u64),
    /// Not 32 bytes for each bit set in the size.
    #[error("reading a frontier of {size} leaves: {found} bytes where {expected} belong")]
    Length {
        /// The size asked for, in leaves.
        size: u64,
        /// The bytes such a frontier has.
        expected: usize,
        /// The bytes given.
        found: usize,
    },
}

impl Frontier {
    /// The most leaves a stored frontier may have: what a signed 64-bit integer holds, as sizes do
    /// in databases and in other log implementations.
    pub const MAX_SIZE: u64 = i64::MAX as u64;

    /// The frontier of the tree without leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, subtrees: Vec::new() }
    }

    /// Appends one leaf hash. Costs one node hash on average, never more than 63.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        // Each trailing one bit is a complete subtree as large as the one just completed.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.subtrees.push(node);
        self.size += 1;
    }

    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The tree's root (RFC 6962 §2.1), [`Hash::EMPTY_ROOT`] when it has no leaves.
    #[must_use]
    pub fn root(&self) -> Hash {
        let smallest_first = self.subtrees.iter().rev().copied();
        smallest_first.reduce(|right, left| node_hash(&left, &right)).unwrap_or(Hash::EMPTY_ROOT)
    }

    /// The frontier as stored: 32 bytes for each bit set in the size, largest subtree first. The
    /// size itself is kept by the caller.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.subtrees.iter().flat_map(|subtree| subtree.0).collect()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote for a tree of `size` leaves. Any bytes of the
    /// right length are accepted: whether they are the right ones shows only in the root.
    ///
    /// # Errors
    /// [`FrontierError`] if the size is beyond [`MAX_SIZE`](Self::MAX_SIZE) or the length is not
    /// that of a frontier of this size.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Result<Self, FrontierError> {
        if size > Self::MAX_SIZE {
            return Err(FrontierError::TooLarge(size));
        }
        let expected = 32 * size.count_ones() as usize;
        if bytes.len() != expected {
            return Err(FrontierError::Length { size, expected, found: bytes.len() });
        }
        let (subtrees, _) = bytes.as_chunks::<32>();
        Ok(Self { size, subtrees: subtrees.iter().copied().map(Hash).collect() })
    }
}

impl Extend<Hash> for Frontier {
    /// Appends leaf hashes in order.
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

impl FromIterator<Hash> for Frontier {
    /// The frontier of the tree with these leaf hashes.
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut frontier = Self::new();
        frontier.extend(leaves);
        frontier
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;

    fn leaves(count: u8) -> Vec<Hash> {
        (0..count).map(|n| leaf_hash(&[n])).collect()
    }

    #[test]
    fn a_frontier_without_leaves_has_the_empty_root() {
        assert_eq!(Frontier::new().root(), Hash::EMPTY_ROOT);
        assert_eq!(Frontier::from_bytes(0, &[]), Ok(Frontier::new()));
    }

    #[test]
    fn three_leaves_hash_as_the_standard_draws_them() {
        let l = leaves(3);
        let frontier: Frontier = l.iter().copied().collect();
        assert_eq!(frontier.root(), node_hash(&node_hash(&l[0], &l[1]), &l[2]));
        assert_eq!(frontier.to_bytes(), [node_hash(&l[0], &l[1]).0, l[2].0].concat());
    }

    #[test]
    fn a_stored_frontier_continues_where_it_stopped_at_every_size() {
        let l = leaves(70);
        let whole: Frontier = l.iter().copied().collect();
        for stop in 0..l.len() {
            let first: Frontier = l[..stop].iter().copied().collect();
            let read = Frontier::from_bytes(first.size(), &first.to_bytes());
            assert_eq!(read.as_ref(), Ok(&first));
            let mut continued = first;
            continued.extend(l[stop..].iter().copied());
            assert_eq!(continued, whole);
        }
    }

    #[test]
    fn sizes_and_lengths_that_do_not_fit_are_refused() {
        let wrong = Frontier::from_bytes(3, &[0; 32]);
        assert_eq!(wrong, Err(FrontierError::Length { size: 3, expected: 64, found: 32 }));
        assert_eq!(Frontier::from_bytes(u64::MAX, &[]), Err(FrontierError::TooLarge(u64::MAX)));
    }

    #[test]
    fn the_largest_stored_frontier_still_takes_a_leaf() {
        let full = Frontier::from_bytes(Frontier::MAX_SIZE, &[1; 63 * 32]);
        let pushed = full.map(|mut frontier| {
            frontier.push(Hash([2; 32]));
            (frontier.size(), frontier.to_bytes().len())
        });
        assert_eq!(pushed, Ok((1 << 63, 32)));
    }
}
