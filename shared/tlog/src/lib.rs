//! The transparency log's mathematics: an append-only Merkle tree over SHA-256, the proofs that a
//! leaf is in it and that it only ever grew, and the signed text in which its head travels.
//!
//! Written from RFC 6962 §2.1 (tree), RFC 9162 §2.1.3–2.1.4 (verification), C2SP signed-note,
//! tlog-checkpoint, tlog-cosignature, tlog-policy, tlog-tiles and tlog-witness. The crate is pure: no files, no clock, no randomness. Nothing in it panics
//! on input from outside.
//!
//! | module | noun |
//! |---|---|
//! | `hash` | [`struct@Hash`], and how leaves and nodes are hashed |
//! | `frontier` | [`Frontier`], all of a tree that appending to it needs |
//! | `proof` | inclusion and consistency proofs, made and verified |
//! | `key` | [`SignerKey`] and [`VerifierKey`], named Ed25519 keys |
//! | `note` | [`Note`], a text with signature lines |
//! | `checkpoint` | [`Checkpoint`], a log's name, size and root as a note |
//! | `cosignature` | [`CosignerKey`] and [`WitnessKey`]: what a witness says of a head |
//! | `held` | [`Held`]: the newest head that somebody has verified, which later ones have to continue |
//! | `policy` | [`Policy`]: whose heads somebody believes |
//! | `submission` | [`Submission`]: what is sent to a witness |
//! | `tile` | [`Tile`]: where parts of the tree lie, and how leaves stand in a file |
//!
//! ```
//! use tlog::{Checkpoint, Frontier, Note, SignerKey, leaf_hash};
//!
//! let signer = SignerKey::from_seed("log.example/decklog", &[7; 32])?;
//! let frontier: Frontier = [leaf_hash(b"first"), leaf_hash(b"second")].into_iter().collect();
//! let head = Checkpoint::new("log.example/decklog", frontier.size(), frontier.root())?;
//!
//! let sealed = head.sign(&signer)?;
//! assert_eq!(Checkpoint::open(sealed.as_bytes(), &[signer.verifier_key()])?, head);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod checkpoint;
mod cosignature;
mod frontier;
mod hash;
mod held;
mod key;
mod lines;
mod note;
mod policy;
mod proof;
mod proof_file;
mod submission;
mod tile;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use cosignature::{Cosigned, CosignerKey, WitnessKey};
pub use frontier::{Frontier, FrontierError};
pub use hash::{Hash, HashError, leaf_hash, node_hash};
pub use held::{Contradiction, Held};
pub use key::{KeyError, SignerKey, VerifierKey};
pub use note::{MAX_NOTE_BYTES, MAX_SIGNATURES, Note, NoteError, NoteSignature};
pub use policy::{MAX_POLICY_BYTES, Place, Policy, PolicyError, Standing};
pub use proof::{
    ProofError, consistency_proof, consistency_spans, inclusion_proof, inclusion_proof_in_part,
    verify_consistency, verify_inclusion,
};
pub use proof_file::{ProofFile, ProofFileError};
pub use submission::{MAX_SUBMISSION_BYTES, Submission, SubmissionError};
pub use tile::{
    EntriesError, Level, MAX_ENTRY_BYTES, TILE_WIDTH, Tile, Tiler, read_entries, write_entries,
};
