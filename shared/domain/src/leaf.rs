//! The leaf: the exact bytes the tree commits to.
//!
//! `tag ‖ received (u64, µs since 1970) ‖ envelope ‖ count of signatures (u8) ‖ signatures`, where the
//! envelope and each signature stand behind their length (u32). All integers are big-endian.

use jiff::Timestamp;

use crate::keys::Seal;

/// First bytes of every leaf: names the format.
pub const TAG: &[u8] = b"decklog-leaf-1\n";

/// One leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// When the recorder received it, by its own clock; never earlier than the leaf before.
    pub received: Timestamp,
    /// The envelope's bytes, exactly as signed.
    pub envelope: Vec<u8>,
    /// None inside a flush, one at its end, more where two persons act.
    pub seals: Vec<Seal>,
}

/// Bytes that are not a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a leaf: {0}")]
pub struct LeafError(&'static str);

impl Leaf {
    /// The bytes the tree hashes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let size = TAG.len() + 13 + self.envelope.len() + self.seals.len() * (4 + Seal::BYTES);
        let mut bytes = Vec::with_capacity(size);
        bytes.extend(TAG);
        // The recorder's clock is past 1970 and before 2^63 µs.
        bytes.extend(u64::try_from(self.received.as_microsecond()).unwrap_or(0).to_be_bytes());
        put(&mut bytes, &self.envelope);
        bytes.push(u8::try_from(self.seals.len()).unwrap_or(u8::MAX));
        for seal in &self.seals {
            put(&mut bytes, &seal.to_bytes());
        }
        bytes
    }

    /// The reverse of [`Leaf::to_bytes`].
    ///
    /// # Errors
    /// Says which part is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LeafError> {
        let rest = bytes.strip_prefix(TAG).ok_or(LeafError("it has another tag"))?;
        let (received, rest) = rest.split_first_chunk::<8>().ok_or(LeafError("no time"))?;
        let received = i64::try_from(u64::from_be_bytes(*received))
            .ok()
            .and_then(|us| Timestamp::from_microsecond(us).ok())
            .ok_or(LeafError("its time is out of range"))?;
        let (envelope, rest) = get(rest).ok_or(LeafError("no envelope"))?;
        let (count, mut rest) = rest.split_first().ok_or(LeafError("no signature count"))?;
        let mut seals = Vec::new();
        for _ in 0..*count {
            let (seal, after) = get(rest).ok_or(LeafError("a signature is cut"))?;
            seals.push(Seal::from_bytes(seal).ok_or(LeafError("a signature has another length"))?);
            rest = after;
        }
        if !rest.is_empty() {
            return Err(LeafError("bytes follow the last signature"));
        }
        Ok(Self { received, envelope: envelope.to_vec(), seals })
    }
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(part);
}

fn get(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*size) as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keys::SecretKey;

    #[test]
    fn a_leaf_reads_back_as_it_was_written() {
        let seal = SecretKey::from_seed(&[1; 32]).sign(b"{}");
        let received = "2026-11-20T07:00:00.000001Z".parse().unwrap();
        for seals in [vec![], vec![seal], vec![seal, seal]] {
            let leaf = Leaf { received, envelope: b"{}".to_vec(), seals };
            assert_eq!(Leaf::from_bytes(&leaf.to_bytes()), Ok(leaf));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(tail in proptest::collection::vec(any::<u8>(), 0..300)) {
            let bytes = [TAG, &tail].concat();
            if let Ok(leaf) = Leaf::from_bytes(&bytes) {
                prop_assert_eq!(leaf.to_bytes(), bytes);
            }
        }
    }
}
