//! Proofs that a leaf is in a tree, and that a tree is the beginning of another.
//!
//! Sizes and indexes count leaves. A proof binds hashes only: the size must come from where the
//! root comes from, a signed head, because one path can fit trees of several sizes.

use std::ops::Range;

use thiserror::Error;

use crate::frontier::Frontier;
use crate::hash::{Hash, node_hash};

/// Why a proof could not be made or does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofError {
    /// The leaf asked about is not within the tree.
    #[error("proving leaf {index}: the tree has {size} leaves")]
    IndexOutOfRange {
        /// The leaf's index, from zero.
        index: u64,
        /// The tree's size, in leaves.
        size: u64,
    },
    /// The tree said to be the older one is the larger one.
    #[error("proving growth: the old tree's {old} leaves are more than the new tree's {new}")]
    Shrunk {
        /// The old size, in leaves.
        old: u64,
        /// The new size, in leaves.
        new: u64,
    },
    /// Hashes are left over when the root is reached.
    #[error("following a proof of {0} hashes: more than reach the root")]
    TooLong(usize),
    /// The hashes end before the root is reached.
    #[error("following a proof of {0} hashes: too few to reach the root")]
    TooShort(usize),
    /// The leaf and the path lead to another root.
    #[error("following an inclusion proof: it leads to root {computed}, not to {expected}")]
    RootMismatch {
        /// The root the proof leads to.
        computed: Hash,
        /// The root it should lead to.
        expected: Hash,
    },
    /// The path does not contain the old tree.
    #[error("following a consistency proof: it leads to old root {computed}, not to {expected}")]
    OldRootMismatch {
        /// The root the proof leads to.
        computed: Hash,
        /// The root it should lead to.
        expected: Hash,
    },
    /// The path does not lead to the new tree.
    #[error("following a consistency proof: it leads to new root {computed}, not to {expected}")]
    NewRootMismatch {
        /// The root the proof leads to.
        computed: Hash,
        /// The root it should lead to.
        expected: Hash,
    },
}

/// The audit path of leaf `index` in the tree with these leaf hashes, lowest sibling first
/// (RFC 6962 §2.1.1).
///
/// # Errors
/// [`ProofError::IndexOutOfRange`] if there is no such leaf.
pub fn inclusion_proof(leaves: &[Hash], index: u64) -> Result<Vec<Hash>, ProofError> {
    let size = leaves.len() as u64;
    let out_of_range = ProofError::IndexOutOfRange { index, size };
    let mut at = usize::try_from(index).map_err(|_| out_of_range)?;
    if at >= leaves.len() {
        return Err(out_of_range);
    }
    let (mut tree, mut path) = (leaves, Vec::new());
    while let Some((left, right)) = split(tree) {
        if at < left.len() {
            path.push(root(right));
            tree = left;
        } else {
            path.push(root(left));
            (tree, at) = (right, at - left.len());
        }
    }
    path.reverse();
    Ok(path)
}

/// The same where the tree is known by the roots of its parts: every part has the same power of two leaves, but the last,
/// which may have fewer. `part` are the leaf hashes of the one that is the `number`th, `index` is the leaf's place in it.
///
/// # Errors
/// [`ProofError::IndexOutOfRange`] if there is no such leaf in the part, or no such part.
pub fn inclusion_proof_in_part(
    part: &[Hash],
    index: u64,
    roots: &[Hash],
    number: u64,
) -> Result<Vec<Hash>, ProofError> {
    let mut path = inclusion_proof(part, index)?;
    // Above the parts the tree divides as one of which each is a leaf, also where the last is smaller: it is cut off from
    // the others wherever the standard cuts.
    path.extend(inclusion_proof(roots, number)?);
    Ok(path)
}

/// The proof that the tree of the first `old` leaf hashes is the beginning of the tree of all of
/// them, lowest hash first (RFC 6962 §2.1.2). Empty when `old` is zero or all of them.
///
/// # Errors
/// [`ProofError::Shrunk`] if `old` is more than there are.
pub fn consistency_proof(leaves: &[Hash], old: u64) -> Result<Vec<Hash>, ProofError> {
    let spans = consistency_spans(old, leaves.len() as u64)?;
    let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    let part = |span: Range<u64>| leaves.get(within(span.start)..within(span.end));
    Ok(spans.into_iter().map(|span| root(part(span).unwrap_or_default())).collect())
}

/// The same for whoever does not hold the leaves: which of them each hash of the proof is the root of, in its order. A span
/// begins at a multiple of the least power of two that is not smaller than it.
///
/// # Errors
/// [`ProofError::Shrunk`] if `old` is more than `size`.
pub fn consistency_spans(old: u64, size: u64) -> Result<Vec<Range<u64>>, ProofError> {
    if old > size {
        return Err(ProofError::Shrunk { old, new: size });
    }
    if old == 0 {
        return Ok(Vec::new());
    }
    let (mut tree, mut path) = (0..size, Vec::new());
    while let Some(left) = left(tree.end - tree.start).filter(|_| old < tree.end) {
        let middle = tree.start + left;
        if old <= middle {
            path.push(middle..tree.end);
            tree.end = middle;
        } else {
            path.push(tree.start..middle);
            tree.start = middle;
        }
    }
    // On the left edge what remains is the old tree itself, whose root the verifier has.
    if tree.start > 0 {
        path.push(tree);
    }
    path.reverse();
    Ok(path)
}

/// How many of several leaves stand left of where their tree divides: the largest power of two that is less than all of them.
fn left(count: u64) -> Option<u64> {
    Some(1 << count.checked_sub(1)?.checked_ilog2()?)
}

/// Checks that `leaf` is the leaf at `index` of the tree with `size` leaves and this root
/// (RFC 9162 §2.1.3.2). Constant stack, at most one hash for each level.
///
/// # Errors
/// [`ProofError`] naming what does not fit.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::IndexOutOfRange { index, size });
    }
    let mut climb = Climb { node: index, last: size - 1 };
    let mut computed = *leaf;
    for sibling in proof {
        computed = match climb.step().ok_or(ProofError::TooLong(proof.len()))? {
            Side::Left => node_hash(sibling, &computed),
            Side::Right => node_hash(&computed, sibling),
        };
    }
    if climb.last != 0 {
        return Err(ProofError::TooShort(proof.len()));
    }
    same(computed, *root, |computed, expected| ProofError::RootMismatch { computed, expected })
}

/// Checks that the tree with `old_size` leaves and `old_root` is the beginning of the tree with
/// `new_size` leaves and `new_root` (RFC 9162 §2.1.4.2). Every tree begins with the tree without
/// leaves and with itself: both take an empty proof, and both roots are still checked.
///
/// # Errors
/// [`ProofError`] naming what does not fit.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old_size > new_size {
        return Err(ProofError::Shrunk { old: old_size, new: new_size });
    }
    if old_size == 0 {
        same(Hash::EMPTY_ROOT, *old_root, old_mismatch)?;
    }
    if old_size == 0 || old_size == new_size {
        return verify_trivial_growth(old_size, old_root, new_size, new_root, proof);
    }
    let (old, new) = grown_roots(old_size, old_root, new_size, proof)?;
    same(old, *old_root, old_mismatch)?;
    same(new, *new_root, new_mismatch)
}

/// Growth from nothing, or none: there is nothing to prove, so the proof has to be empty.
fn verify_trivial_growth(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if !proof.is_empty() {
        return Err(ProofError::TooLong(proof.len()));
    }
    if old_size == new_size { same(*old_root, *new_root, new_mismatch) } else { Ok(()) }
}

/// The old and the new root a proof leads to, for `0 < old_size < new_size`.
fn grown_roots(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    proof: &[Hash],
) -> Result<(Hash, Hash), ProofError> {
    let mut climb = Climb { node: old_size - 1, last: new_size - 1 };
    // The largest complete subtree ending where the old tree ends is where both climbs begin. When
    // it is the whole old tree the proof leaves it out.
    climb.rise(climb.node.trailing_ones());
    let (start, path) = if old_size.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().ok_or(ProofError::TooShort(proof.len()))?
    };
    let (mut old, mut new) = (*start, *start);
    for sibling in path {
        match climb.step().ok_or(ProofError::TooLong(proof.len()))? {
            Side::Left => (old, new) = (node_hash(sibling, &old), node_hash(sibling, &new)),
            Side::Right => new = node_hash(&new, sibling),
        }
    }
    if climb.last == 0 { Ok((old, new)) } else { Err(ProofError::TooShort(proof.len())) }
}

/// Where the sibling stands.
enum Side {
    Left,
    Right,
}

/// A way up from a node to the root: the node's number in its level and that of the level's last
/// node (`fn` and `sn` in RFC 9162 §2.1.3.2).
struct Climb {
    node: u64,
    last: u64,
}

impl Climb {
    /// Passes the next sibling and says where it stands; nothing at the root.
    fn step(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.node & 1 == 1 || self.node == self.last {
            // A last node without a sibling moves up unhashed until it has one, on its left.
            self.rise(self.node.trailing_zeros());
            Side::Left
        } else {
            Side::Right
        };
        self.rise(1);
        Some(side)
    }

    /// Goes up without hashing. `levels` is below 64: no caller counts the bits of a zero.
    fn rise(&mut self, levels: u32) {
        self.node >>= levels;
        self.last >>= levels;
    }
}

/// Left and right half as the standard divides them: left is the largest power of two below the
/// size. Nothing for fewer than two leaves.
fn split(leaves: &[Hash]) -> Option<(&[Hash], &[Hash])> {
    leaves.split_at_checked(usize::try_from(left(leaves.len() as u64)?).ok()?)
}

/// Root of the tree with these leaf hashes.
fn root(leaves: &[Hash]) -> Hash {
    leaves.iter().copied().collect::<Frontier>().root()
}

fn old_mismatch(computed: Hash, expected: Hash) -> ProofError {
    ProofError::OldRootMismatch { computed, expected }
}

fn new_mismatch(computed: Hash, expected: Hash) -> ProofError {
    ProofError::NewRootMismatch { computed, expected }
}

/// Compares what a proof leads to with what it should lead to.
fn same(
    computed: Hash,
    expected: Hash,
    mismatch: fn(Hash, Hash) -> ProofError,
) -> Result<(), ProofError> {
    if computed == expected { Ok(()) } else { Err(mismatch(computed, expected)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;

    fn leaves(count: u8) -> Vec<Hash> {
        (0..count).map(|n| leaf_hash(&[n])).collect()
    }

    #[test]
    fn the_only_leaf_of_a_tree_needs_no_path() {
        let l = leaves(1);
        assert_eq!(inclusion_proof(&l, 0), Ok(vec![]));
        assert_eq!(verify_inclusion(&l[0], 0, 1, &[], &l[0]), Ok(()));
    }

    #[test]
    fn a_leaf_outside_the_tree_is_neither_proved_nor_verified() {
        let l = leaves(3);
        let out_of_range = ProofError::IndexOutOfRange { index: 3, size: 3 };
        assert_eq!(inclusion_proof(&l, 3), Err(out_of_range));
        assert_eq!(verify_inclusion(&l[0], 3, 3, &[], &root(&l)), Err(out_of_range));
        let in_nothing = ProofError::IndexOutOfRange { index: 0, size: 0 };
        assert_eq!(verify_inclusion(&l[0], 0, 0, &[], &Hash::EMPTY_ROOT), Err(in_nothing));
    }

    #[test]
    fn a_path_too_long_or_too_short_says_so() -> Result<(), ProofError> {
        let l = leaves(5);
        let path = inclusion_proof(&l, 2)?;
        let short = verify_inclusion(&l[2], 2, 5, &path[..2], &root(&l));
        assert_eq!(short, Err(ProofError::TooShort(2)));
        let long = [path, vec![l[0]]].concat();
        let refused = verify_inclusion(&l[2], 2, 5, &long, &root(&l));
        assert_eq!(refused, Err(ProofError::TooLong(4)));
        Ok(())
    }

    #[test]
    fn a_consistency_path_too_long_or_too_short_says_so() -> Result<(), ProofError> {
        let l = leaves(7);
        let (old, new) = (root(&l[..3]), root(&l));
        let path = consistency_proof(&l, 3)?;
        assert_eq!(verify_consistency(3, &old, 7, &new, &path), Ok(()));
        assert_eq!(verify_consistency(3, &old, 7, &new, &[]), Err(ProofError::TooShort(0)));
        let short = verify_consistency(3, &old, 7, &new, &path[..3]);
        assert_eq!(short, Err(ProofError::TooShort(3)));
        let long = [path, vec![l[0]]].concat();
        assert_eq!(verify_consistency(3, &old, 7, &new, &long), Err(ProofError::TooLong(5)));
        Ok(())
    }

    #[test]
    fn another_root_is_named_as_the_mismatch() -> Result<(), ProofError> {
        let l = leaves(6);
        let (old, new, other) = (root(&l[..4]), root(&l), Hash([9; 32]));
        let path = consistency_proof(&l, 4)?;
        let wrong_new = verify_consistency(4, &old, 6, &other, &path);
        assert_eq!(wrong_new, Err(new_mismatch(new, other)));
        let wrong_old = verify_consistency(3, &other, 6, &new, &consistency_proof(&l, 3)?);
        assert_eq!(wrong_old, Err(old_mismatch(root(&l[..3]), other)));
        Ok(())
    }

    #[test]
    fn every_tree_begins_with_the_empty_tree_and_with_itself() {
        let (l, other) = (leaves(4), Hash([9; 32]));
        assert_eq!(consistency_proof(&l, 0), Ok(vec![]));
        assert_eq!(consistency_proof(&l, 4), Ok(vec![]));
        let new = root(&l);
        assert_eq!(verify_consistency(0, &Hash::EMPTY_ROOT, 4, &new, &[]), Ok(()));
        assert_eq!(verify_consistency(4, &new, 4, &new, &[]), Ok(()));
        assert_eq!(
            verify_consistency(0, &other, 4, &new, &[]),
            Err(old_mismatch(Hash::EMPTY_ROOT, other))
        );
        assert_eq!(verify_consistency(4, &new, 4, &other, &[]), Err(new_mismatch(new, other)));
        assert_eq!(verify_consistency(4, &new, 4, &new, &l[..1]), Err(ProofError::TooLong(1)));
    }

    #[test]
    fn an_empty_tree_has_only_the_empty_root() {
        let (empty, other) = (Hash::EMPTY_ROOT, Hash([9; 32]));
        assert_eq!(verify_consistency(0, &empty, 0, &empty, &[]), Ok(()));
        let both_wrong = verify_consistency(0, &other, 0, &other, &[]);
        assert_eq!(both_wrong, Err(old_mismatch(empty, other)));
    }

    #[test]
    fn a_tree_that_shrank_is_refused() {
        let shrunk = ProofError::Shrunk { old: 3, new: 2 };
        assert_eq!(consistency_proof(&leaves(2), 3), Err(shrunk));
        let verified = verify_consistency(3, &Hash([1; 32]), 2, &Hash([2; 32]), &[]);
        assert_eq!(verified, Err(shrunk));
    }

    #[test]
    fn the_largest_sizes_there_are_climb_to_the_root() {
        let (leaf, path) = (Hash([1; 32]), [Hash([2; 32]); 64]);
        let full = verify_inclusion(&leaf, 0, u64::MAX, &path, &leaf);
        assert!(matches!(full, Err(ProofError::RootMismatch { .. })), "{full:?}");
        // The last of 2^63 + 1 leaves has one sibling: the complete tree to its left.
        let lone = verify_inclusion(&leaf, 1 << 63, (1 << 63) + 1, &path[..1], &leaf);
        assert!(matches!(lone, Err(ProofError::RootMismatch { .. })), "{lone:?}");
        let grown = verify_consistency(u64::MAX - 1, &leaf, u64::MAX, &leaf, &path);
        assert!(grown.is_err(), "{grown:?}");
    }
}
