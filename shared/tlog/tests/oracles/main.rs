//! Our tree, proofs, notes and checkpoints against independent implementations of the same
//! standards, against published values, and against hostile input.

mod go;
mod hostile;
mod notes;
mod published;
mod trees;

use std::error::Error;

/// What a test here returns, so that a step that should not fail can be a `?`.
type TestResult = Result<(), Box<dyn Error>>;

/// A leaf's content, different for each index and of different lengths.
fn leaf_data(index: u64) -> Vec<u8> {
    format!("leaf {index} {}", "x".repeat((index % 70) as usize)).into_bytes()
}
