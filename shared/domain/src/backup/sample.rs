//! Which files a restore test takes: chosen by the log's head, so that nobody picks them, and anybody can compute the
//! choice again.

use std::collections::BinaryHeap;

use crate::canonical::Digest;

/// The numbers (from 0) of `count` entries of `entries`, in order: those whose SHA-256 of root and number is smallest.
pub fn sample(root: &Digest, entries: u64, count: u32) -> Vec<u64> {
    let mut smallest = BinaryHeap::new();
    for number in 0..entries {
        smallest.push((rank(root, number), number));
        if smallest.len() > count as usize {
            smallest.pop();
        }
    }
    let mut chosen: Vec<u64> = smallest.into_iter().map(|(_, number)| number).collect();
    chosen.sort_unstable();
    chosen
}

fn rank(root: &Digest, number: u64) -> Digest {
    let mut bytes = Vec::with_capacity(40);
    bytes.extend(root.0);
    bytes.extend(number.to_be_bytes());
    Digest::of(&bytes)
}
