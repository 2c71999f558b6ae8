//! Input by someone who means harm: a flipped bit never verifies, and nothing panics.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use tlog::{
    Checkpoint, Frontier, Hash, Note, SignerKey, VerifierKey, consistency_proof, inclusion_proof,
    leaf_hash, verify_consistency, verify_inclusion,
};

use crate::{TestResult, leaf_data};

const ORIGIN: &str = "log.example/decklog";

/// A published checkpoint and the key that verifies it.
fn published() -> Result<(String, VerifierKey), Box<dyn std::error::Error>> {
    let signer = SignerKey::from_seed(ORIGIN, &[3; 32])?;
    let note = Checkpoint::new(ORIGIN, 1234, leaf_hash(b"root"))?.sign(&signer)?;
    Ok((note, signer.verifier_key()))
}

/// The same hashes or bytes once for each bit, that bit flipped.
fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

fn split(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks::<32>().0.iter().copied().map(Hash).collect()
}

fn joined(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

fn small_tree() -> Vec<Hash> {
    (0..11).map(|index| leaf_hash(&leaf_data(index))).collect()
}

fn root(leaves: &[Hash]) -> Hash {
    leaves.iter().copied().collect::<Frontier>().root()
}

#[test]
fn a_flipped_bit_anywhere_in_an_inclusion_proof_its_leaf_or_root_never_verifies() -> TestResult {
    let leaves = small_tree();
    for (index, leaf) in (0..).zip(&leaves) {
        let all = [vec![*leaf, root(&leaves)], inclusion_proof(&leaves, index)?].concat();
        verify_inclusion(&all[0], index, 11, &all[2..], &all[1])?;
        for flipped in flips(&joined(&all)) {
            let all = split(&flipped);
            assert!(verify_inclusion(&all[0], index, 11, &all[2..], &all[1]).is_err());
        }
    }
    Ok(())
}

#[test]
fn a_flipped_bit_anywhere_in_a_consistency_proof_or_its_roots_never_verifies() -> TestResult {
    let leaves = small_tree();
    for old in 1..=11 {
        let roots = vec![root(&leaves[..old as usize]), root(&leaves)];
        let all = [roots, consistency_proof(&leaves, old)?].concat();
        verify_consistency(old, &all[0], 11, &all[1], &all[2..])?;
        for flipped in flips(&joined(&all)) {
            let all = split(&flipped);
            assert!(verify_consistency(old, &all[0], 11, &all[1], &all[2..]).is_err());
        }
    }
    Ok(())
}

#[test]
fn a_flipped_bit_anywhere_in_a_note_never_verifies() -> TestResult {
    let signer = SignerKey::from_seed("k", &[3; 32])?;
    let (note, keys) = (Note::sign("a\n\nb\n", &[&signer])?.to_string(), [signer.verifier_key()]);
    Note::parse(note.as_bytes())?.verify(&keys)?;
    for flipped in flips(note.as_bytes()) {
        let verified =
            Note::parse(&flipped).and_then(|note| note.verify(&keys).map(|names| names.len()));
        assert!(verified.is_err());
    }
    Ok(())
}

#[test]
fn a_flipped_bit_anywhere_in_a_checkpoint_never_opens() -> TestResult {
    let (note, key) = published()?;
    let keys = [key];
    Checkpoint::open(note.as_bytes(), &keys)?;
    for flipped in flips(note.as_bytes()) {
        assert!(Checkpoint::open(&flipped, &keys).is_err());
    }
    Ok(())
}

#[test]
fn a_flipped_bit_anywhere_in_a_verifier_key_never_reads_as_a_key_of_that_name() -> TestResult {
    let (_, key) = published()?;
    for flipped in flips(key.to_string().as_bytes()) {
        let read =
            String::from_utf8(flipped).ok().and_then(|text| text.parse::<VerifierKey>().ok());
        assert_eq!(read, None);
    }
    Ok(())
}

/// Sizes where arithmetic goes wrong: small, around powers of two, and the largest there are.
fn sizes() -> impl Strategy<Value = u64> {
    let around = (0..64_u32, 0..3_u64).prop_map(|(bit, by)| (1_u64 << bit).wrapping_add(by) - 1);
    prop_oneof![0..40_u64, around, any::<u64>(), (0..3_u64).prop_map(|by| u64::MAX - by)]
}

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

/// Pieces that notes are made of, in any order, so that parsing gets past the first byte.
fn note_pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "\n",
            "\n\n",
            "\u{2014} ",
            "\u{2014}",
            " ",
            "+",
            "log.example",
            "0",
            "1234",
            "AAAAAAA=",
            "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
            "=",
            "\r",
            "ü",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        vec(any::<u8>(), 0..4),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..600), note_pieces()]
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_a_parser_and_what_is_read_is_shown_again(
        bytes in hostile_bytes()
    ) {
        if let Ok(note) = Note::parse(&bytes) {
            prop_assert_eq!(note.to_string().into_bytes(), bytes.as_slice());
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(checkpoint) = Checkpoint::parse(&text) {
            prop_assert_eq!(checkpoint.to_text(), text.as_ref());
        }
        if let Ok(key) = text.parse::<VerifierKey>() {
            prop_assert_eq!(key.to_string(), text.as_ref());
        }
        if let Ok(hash) = text.parse::<Hash>() {
            prop_assert_eq!(hash.to_string(), text.as_ref());
        }
    }

    #[test]
    fn any_change_inside_a_published_checkpoint_keeps_it_shut(
        at in any::<proptest::sample::Index>(),
        cut in 0..20_usize,
        put in hostile_bytes()
    ) {
        let Ok((note, key)) = published() else { panic!("a checkpoint can be signed") };
        let mut bytes = note.clone().into_bytes();
        let start = at.index(bytes.len());
        let end = bytes.len().min(start + cut);
        bytes.splice(start..end, put);
        let opened = Checkpoint::open(&bytes, &[key]);
        // A further line by a key we do not know is the one change that is allowed.
        if let Ok(opened) = opened {
            prop_assert!(bytes.starts_with(opened.to_text().as_bytes()));
            prop_assert!(note.starts_with(&opened.to_text()));
        }
    }

    #[test]
    fn arbitrary_origins_are_refused_or_read_back_alike(
        origin in ".{0,20}", size in any::<u64>(), root in hash()
    ) {
        if let Ok(checkpoint) = Checkpoint::new(&origin, size, root) {
            prop_assert_eq!(Checkpoint::parse(&checkpoint.to_text()), Ok(checkpoint));
        }
    }

    #[test]
    fn arbitrary_sizes_and_paths_never_panic_a_verifier_nor_verify(
        (index, size) in (sizes(), sizes()),
        (leaf, root) in (hash(), hash()),
        path in vec(hash(), 0..70)
    ) {
        prop_assert!(verify_inclusion(&leaf, index, size, &path, &root).is_err());
        let grown = verify_consistency(index, &leaf, size, &root, &path);
        prop_assert!(grown.is_err());
    }

    #[test]
    fn arbitrary_frontiers_are_refused_or_stored_back_alike(
        size in sizes(), bytes in vec(any::<u8>(), 0..2100)
    ) {
        let fitting = &bytes[..bytes.len().min(32 * size.count_ones() as usize)];
        for bytes in [&bytes[..], fitting] {
            if let Ok(mut frontier) = Frontier::from_bytes(size, bytes) {
                prop_assert_eq!(frontier.to_bytes(), bytes);
                frontier.push(frontier.root());
                prop_assert_eq!(frontier.size(), size + 1);
            }
        }
    }

    #[test]
    fn arbitrary_leaves_and_positions_never_panic_a_prover(
        leaves in vec(hash(), 0..70), at in sizes()
    ) {
        let size = leaves.len() as u64;
        prop_assert_eq!(inclusion_proof(&leaves, at).is_ok(), at < size);
        prop_assert_eq!(consistency_proof(&leaves, at).is_ok(), at <= size);
    }
}
