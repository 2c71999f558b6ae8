//! Roots and proofs against `tlog_tiles` and `ct-merkle`, both ways, for every tree of up to 300
//! leaves. `tlog_tiles` is asked about each of the 45 150 pairs of size and index and as many of
//! new and old size, `ct-merkle` about a sample of the pairs of every size.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::Sha256;
use tlog::{
    Frontier, Hash, consistency_proof, inclusion_proof, inclusion_proof_in_part, leaf_hash,
    verify_consistency, verify_inclusion,
};
use tlog_tiles::HashReader;

use crate::{TestResult, leaf_data};

const LARGEST: u64 = 300;

/// The leaves' contents and hashes, and our root at every size.
struct Ours {
    data: Vec<Vec<u8>>,
    leaves: Vec<Hash>,
    roots: Vec<Hash>,
}

impl Ours {
    fn grow() -> Self {
        let data: Vec<_> = (0..LARGEST).map(leaf_data).collect();
        let leaves: Vec<_> = data.iter().map(|leaf| leaf_hash(leaf)).collect();
        let mut frontier = Frontier::new();
        let mut roots = vec![frontier.root()];
        for leaf in &leaves {
            frontier.push(*leaf);
            roots.push(frontier.root());
        }
        Self { data, leaves, roots }
    }

    fn root(&self, size: u64) -> Hash {
        self.roots[size as usize]
    }

    fn first(&self, size: u64) -> &[Hash] {
        &self.leaves[..size as usize]
    }
}

/// Every node `tlog_tiles` stores, by its index.
struct Stored(Vec<tlog_tiles::Hash>);

impl Stored {
    fn of(data: &[Vec<u8>]) -> Result<Self, tlog_tiles::Error> {
        let mut stored = Self(Vec::new());
        for (n, leaf) in (0..).zip(data) {
            let new = tlog_tiles::stored_hashes(n, leaf, &stored)?;
            stored.0.extend(new);
        }
        Ok(stored)
    }
}

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|&index| self.0[index as usize]).collect())
    }
}

fn theirs(hash: Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(hash.0)
}

fn all_theirs(hashes: &[Hash]) -> Vec<tlog_tiles::Hash> {
    hashes.iter().copied().map(theirs).collect()
}

fn all_ours(hashes: &[tlog_tiles::Hash]) -> Vec<Hash> {
    hashes.iter().map(|hash| Hash(hash.0)).collect()
}

fn joined(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

fn ct_root(root: Hash, size: u64) -> RootHash<Sha256> {
    RootHash::new(root.0.into(), size)
}

/// The `ct-merkle` trees of one leaf, of two and so on.
fn ct_trees(data: &[Vec<u8>]) -> impl Iterator<Item = (u64, MemoryBackedTree<Sha256, &[u8]>)> {
    (1..=data.len()).map(|size| {
        let mut tree = MemoryBackedTree::new();
        data[..size].iter().for_each(|leaf| tree.push(leaf.as_slice()));
        (size as u64, tree)
    })
}

#[test]
fn every_root_up_to_300_leaves_agrees_with_tlog_tiles_and_ct_merkle() -> TestResult {
    let ours = Ours::grow();
    let stored = Stored::of(&ours.data)?;
    assert_eq!(ours.root(0).0, tlog_tiles::EMPTY_HASH.0);
    let mut tree = MemoryBackedTree::<Sha256, &[u8]>::new();
    for (size, data) in (1..).zip(&ours.data) {
        tree.push(data.as_slice());
        assert_eq!(theirs(ours.root(size)), tlog_tiles::tree_hash(size, &stored)?, "{size}");
        assert!(tree.root() == ct_root(ours.root(size), size), "{size}");
    }
    Ok(())
}

#[test]
fn every_inclusion_proof_up_to_300_leaves_agrees_with_tlog_tiles() -> TestResult {
    let ours = Ours::grow();
    let stored = Stored::of(&ours.data)?;
    for size in 1..=LARGEST {
        let root = ours.root(size);
        for (index, leaf) in (0..).zip(ours.first(size)) {
            let proof = inclusion_proof(ours.first(size), index)?;
            let their_proof = tlog_tiles::prove_record(size, index, &stored)?;
            assert_eq!(proof, all_ours(&their_proof), "leaf {index} of {size}");
            verify_inclusion(leaf, index, size, &proof, &root)?;
            let path = all_theirs(&proof);
            tlog_tiles::check_record(&path, size, theirs(root), index, theirs(*leaf))?;
        }
    }
    Ok(())
}

#[test]
fn every_consistency_proof_up_to_300_leaves_agrees_with_tlog_tiles() -> TestResult {
    let ours = Ours::grow();
    let stored = Stored::of(&ours.data)?;
    for size in 1..=LARGEST {
        let root = ours.root(size);
        for old in 1..=size {
            let proof = consistency_proof(ours.first(size), old)?;
            let their_proof = tlog_tiles::prove_tree(size, old, &stored)?;
            assert_eq!(proof, all_ours(&their_proof), "{old} in {size}");
            let old_root = ours.root(old);
            verify_consistency(old, &old_root, size, &root, &proof)?;
            let path = all_theirs(&proof);
            tlog_tiles::check_tree(&path, size, theirs(root), old, theirs(old_root))?;
        }
    }
    Ok(())
}

// Building a `ct-merkle` tree for every size and our own proofs a second time is slow in the dev
// profile: every size is tried with every STRIDE-th pair, and with the first and the last.
const STRIDE: u64 = 7;

fn sampled(from: u64, size: u64) -> impl Iterator<Item = u64> {
    (from..size).filter(move |n| n % STRIDE == size % STRIDE || *n == from || n + 1 == size)
}

#[test]
fn sampled_inclusion_proofs_of_every_size_agree_with_ct_merkle() -> TestResult {
    let ours = Ours::grow();
    for (size, tree) in ct_trees(&ours.data) {
        let root = ours.root(size);
        for index in sampled(0, size) {
            let proof = inclusion_proof(ours.first(size), index)?;
            let their_proof = tree.prove_inclusion(index as usize);
            assert_eq!(joined(&proof), their_proof.as_bytes(), "leaf {index} of {size}");
            let path = InclusionProof::try_from_bytes(joined(&proof))?;
            let leaf = &ours.data[index as usize];
            ct_root(root, size).verify_inclusion(leaf, index, &path)?;
        }
    }
    Ok(())
}

#[test]
fn proofs_from_the_roots_of_parts_are_those_of_ct_merkle_for_every_size_and_size_of_parts()
-> TestResult {
    let ours = Ours::grow();
    for (size, tree) in ct_trees(&ours.data) {
        let root = ours.root(size);
        for most in [1, 4, 32, 512] {
            let parts: Vec<&[Hash]> = ours.first(size).chunks(most).collect();
            let of = |part: &&[Hash]| part.iter().copied().collect::<Frontier>().root();
            let roots: Vec<Hash> = parts.iter().map(of).collect();
            for index in sampled(0, size) {
                let (number, within) = (index / most as u64, index % most as u64);
                let part = parts[number as usize];
                let proof = inclusion_proof_in_part(part, within, &roots, number)?;
                let their_proof = tree.prove_inclusion(index as usize);
                assert_eq!(joined(&proof), their_proof.as_bytes(), "leaf {index} of {size}");
                let path = InclusionProof::try_from_bytes(joined(&proof))?;
                let leaf = &ours.data[index as usize];
                ct_root(root, size).verify_inclusion(leaf, index, &path)?;
            }
        }
    }
    let leaves = ours.first(5);
    assert!(inclusion_proof_in_part(&leaves[4..], 1, leaves, 0).is_err());
    assert!(inclusion_proof_in_part(leaves, 0, leaves, 5).is_err());
    Ok(())
}

#[test]
fn sampled_consistency_proofs_of_every_size_agree_with_ct_merkle() -> TestResult {
    let ours = Ours::grow();
    for (size, tree) in ct_trees(&ours.data) {
        let root = ours.root(size);
        for old in sampled(1, size + 1) {
            let proof = consistency_proof(ours.first(size), old)?;
            let their_proof = tree.prove_consistency((size - old) as usize);
            assert_eq!(joined(&proof), their_proof.as_bytes(), "{old} in {size}");
            let path = ConsistencyProof::try_from_bytes(joined(&proof))?;
            ct_root(root, size).verify_consistency(&ct_root(ours.root(old), old), &path)?;
        }
    }
    Ok(())
}

#[test]
fn a_proof_for_another_index_size_or_leaf_is_refused_wherever_tlog_tiles_refuses_it() -> TestResult
{
    let ours = Ours::grow();
    for size in 1..=20 {
        for index in 0..size {
            let proof = inclusion_proof(ours.first(size), index)?;
            for (n, t, leaf) in claims(size) {
                let (hash, root) = (ours.leaves[leaf as usize], ours.root(size));
                let our_word = verify_inclusion(&hash, n, t, &proof, &root).is_ok();
                let path = all_theirs(&proof);
                let their_word =
                    tlog_tiles::check_record(&path, t, theirs(root), n, theirs(hash)).is_ok();
                assert_eq!(our_word, their_word, "path of {index} in {size} as {n} in {t}");
            }
        }
    }
    Ok(())
}

/// Claims of index, size and leaf around a tree of this size.
fn claims(size: u64) -> impl Iterator<Item = (u64, u64, u64)> {
    (0..=size).flat_map(move |index| {
        (size.saturating_sub(2)..size + 3)
            .flat_map(move |claimed| (0..size).map(move |leaf| (index, claimed, leaf)))
    })
}
