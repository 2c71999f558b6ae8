//! Values published with the reference implementations of RFC 6962, which gives none itself.

use tlog::{
    Frontier, Hash, HashError, consistency_proof, inclusion_proof, leaf_hash, node_hash,
    verify_consistency, verify_inclusion,
};

use crate::TestResult;

/// The eight leaves every implementation of certificate transparency tests with.
const LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

/// Their roots, from no leaf to all eight.
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn leaves() -> Vec<Hash> {
    LEAVES.iter().map(|leaf| leaf_hash(leaf)).collect()
}

fn hashes(texts: &[&str]) -> Result<Vec<Hash>, HashError> {
    texts.iter().map(|text| text.parse()).collect()
}

#[test]
fn the_published_leaf_and_node_hashes_come_out() -> TestResult {
    let leaf = "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56".parse()?;
    assert_eq!(leaf_hash(b"L123456"), leaf);
    let [l, r, ..] = leaves()[..] else { return Err("eight leaves".into()) };
    assert_eq!(node_hash(&l, &r).to_string(), ROOTS[2]);
    Ok(())
}

#[test]
fn the_published_roots_come_out_at_every_size() {
    let mut frontier = Frontier::new();
    for (size, root) in ROOTS.iter().enumerate() {
        assert_eq!((frontier.root().to_string().as_str(), frontier.size()), (*root, size as u64));
        frontier.extend(LEAVES.get(size).map(|leaf| leaf_hash(leaf)));
    }
}

#[test]
fn the_published_inclusion_proofs_come_out_and_verify() -> TestResult {
    let leaves = leaves();
    let root = ROOTS[8].parse()?;
    let cases = [
        (
            0,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                ROOTS[4],
            ],
        ),
    ];
    for (index, path) in cases {
        let proof = hashes(&path)?;
        assert_eq!(inclusion_proof(&leaves, index)?, proof);
        verify_inclusion(&leaves[index as usize], index, 8, &proof, &root)?;
    }
    Ok(())
}

#[test]
fn the_published_consistency_proof_comes_out_and_verifies() -> TestResult {
    let proof = hashes(&[
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        ROOTS[4],
    ])?;
    assert_eq!(consistency_proof(&leaves(), 6)?, proof);
    verify_consistency(6, &ROOTS[6].parse()?, 8, &ROOTS[8].parse()?, &proof)?;
    Ok(())
}
