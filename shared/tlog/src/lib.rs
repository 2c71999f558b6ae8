//! The transparency log's mathematics: an append-only Merkle tree over SHA-256, the proofs that a
//! leaf is in it and that it only ever grew, and the signed text in which its head travels.
//!
//! Written from RFC 6962 §2.1 (tree), RFC 9162 §2.1.3–2.1.4 (verification), C2SP signed-note and
//! C2SP tlog-checkpoint. The crate is pure: no files, no clock, no randomness. Nothing in it panics
//! on input from outside.
//!
//! | module | noun |
//! |---|---|
//! | `hash` | [`struct@Hash`], and how leaves and nodes are hashed |
//! | `frontier` | [`Frontier`], all of a tree that appending to it needs |
//! | `proof` | inclusion and consistency proofs, made and verified |

mod frontier;
mod hash;
mod proof;

pub use frontier::{Frontier, FrontierError};
pub use hash::{Hash, HashError, leaf_hash, node_hash};
pub use proof::{
    ProofError, consistency_proof, inclusion_proof, verify_consistency, verify_inclusion,
};
