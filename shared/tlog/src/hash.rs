//! SHA-256 values, and how leaves and nodes are hashed so that neither passes for the other.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

/// First byte hashed for a leaf (RFC 6962 §2.1).
const LEAF_PREFIX: [u8; 1] = [0x00];
/// First byte hashed for an interior node (RFC 6962 §2.1).
const NODE_PREFIX: [u8; 1] = [0x01];

/// A SHA-256 value: a leaf hash, a node or a root. Shown and parsed as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// Why a text is not a [`struct@Hash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HashError {
    /// Not 64 characters long.
    #[error("reading a hash: {0} bytes of text where 64 hex digits belong")]
    Length(usize),
    /// A character other than `0`–`9` and `a`–`f`.
    #[error("reading a hash: byte {0} is not a lower-case hex digit")]
    Digit(usize),
}

impl Hash {
    /// The root of the tree without leaves: SHA-256 of nothing (RFC 6962 §2.1).
    pub const EMPTY_ROOT: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ]);

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Hash of a leaf: SHA-256(0x00 ‖ data) (RFC 6962 §2.1).
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update(LEAF_PREFIX).chain_update(data).finalize().into())
}

/// Hash of an interior node: SHA-256(0x01 ‖ left ‖ right) (RFC 6962 §2.1).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    // One update over one buffer: hashing nodes is what appending and proving spend their time on.
    let mut node = [NODE_PREFIX[0]; 65];
    node[1..33].copy_from_slice(&left.0);
    node[33..].copy_from_slice(&right.0);
    Hash(Sha256::digest(node).into())
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = HashError;

    /// Reads exactly 64 lower-case hex digits, so that a hash has one spelling only.
    ///
    /// # Errors
    /// [`HashError`] on another length or another character.
    fn from_str(text: &str) -> Result<Self, HashError> {
        if text.len() != 64 {
            return Err(HashError::Length(text.len()));
        }
        let mut bytes = [0; 32];
        for (at, digit) in text.bytes().enumerate() {
            let value = hex_value(digit).ok_or(HashError::Digit(at))?;
            bytes[at / 2] = bytes[at / 2] << 4 | value;
        }
        Ok(Self(bytes))
    }
}

/// The value of a lower-case hex digit.
fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_root_is_the_hash_of_nothing() {
        assert_eq!(Hash::EMPTY_ROOT.0, <[u8; 32]>::from(Sha256::digest([])));
    }

    #[test]
    fn a_leaf_never_hashes_like_the_node_of_the_same_bytes() {
        let (left, right) = (leaf_hash(b"l"), leaf_hash(b"r"));
        let joined = [left.0, right.0].concat();
        assert_ne!(leaf_hash(&joined), node_hash(&left, &right));
    }

    #[test]
    fn a_hash_reads_back_from_what_it_shows() {
        let hash = leaf_hash(b"x");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(format!("{hash:?}"), hash.to_string());
    }

    #[test]
    fn upper_case_short_and_foreign_hex_is_refused() {
        let text = Hash::EMPTY_ROOT.to_string();
        assert_eq!(text.to_uppercase().parse::<Hash>(), Err(HashError::Digit(0)));
        assert_eq!(text[..63].parse::<Hash>(), Err(HashError::Length(63)));
        assert_eq!(text.replace("e3b0", "ée3").parse::<Hash>(), Err(HashError::Digit(0)));
    }
}
