//! A flush: consecutive events of one producer, the last of which is signed.
//!
//! The same bytes stand in the producer's journal and travel to the recorder. Because each envelope
//! names the hash of the one before, the one signature covers all of them.

use crate::canonical::Digest;
use crate::keys::{Seal, SecretKey};

/// Most events in a flush: a signature is never further away than this.
pub const FLUSH_EVENTS_MAX: usize = 256;
/// Most bytes of a flush, so that it fits into one message.
pub const FLUSH_BYTES_MAX: usize = 512 * 1024;

/// Consecutive envelopes and the signature of the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flush {
    /// The envelopes' bytes, in order.
    pub envelopes: Vec<Vec<u8>>,
    /// Signature of the last envelope.
    pub seal: Seal,
}

/// Bytes that are not a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FlushError {
    /// The bytes end too early or go on too long.
    #[error("the flush's bytes do not have the lengths they announce")]
    Framing,
    /// No event, or more than [`FLUSH_EVENTS_MAX`].
    #[error("a flush holds 1 to {FLUSH_EVENTS_MAX} events, not {0}")]
    Count(usize),
    /// More than [`FLUSH_BYTES_MAX`].
    #[error("a flush of {0} bytes is over the limit of {FLUSH_BYTES_MAX}")]
    TooLarge(usize),
}

impl Flush {
    /// Signs the last of `envelopes`.
    ///
    /// # Errors
    /// There are none, too many, or too many bytes.
    pub fn sign(envelopes: Vec<Vec<u8>>, key: &SecretKey) -> Result<Self, FlushError> {
        check_count(envelopes.len())?;
        let size = size(&envelopes);
        if size > FLUSH_BYTES_MAX {
            return Err(FlushError::TooLarge(size));
        }
        let last = envelopes.last().ok_or(FlushError::Count(0))?;
        let seal = key.sign(last);
        Ok(Self { envelopes, seal })
    }

    /// Count, each envelope with its length before it, then the signature.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size(&self.envelopes));
        bytes.extend(length(self.envelopes.len()));
        for envelope in &self.envelopes {
            bytes.extend(length(envelope.len()));
            bytes.extend(envelope);
        }
        bytes.extend(self.seal.to_bytes());
        bytes
    }

    /// The reverse of [`Flush::to_bytes`].
    ///
    /// # Errors
    /// The bytes are not a flush within the limits.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FlushError> {
        if bytes.len() > FLUSH_BYTES_MAX {
            return Err(FlushError::TooLarge(bytes.len()));
        }
        let (count, mut rest) = take_length(bytes)?;
        check_count(count)?;
        let mut envelopes = Vec::with_capacity(count);
        for _ in 0..count {
            let (size, after) = take_length(rest)?;
            let (envelope, after) = after.split_at_checked(size).ok_or(FlushError::Framing)?;
            envelopes.push(envelope.to_vec());
            rest = after;
        }
        let seal = Seal::from_bytes(rest).ok_or(FlushError::Framing)?;
        Ok(Self { envelopes, seal })
    }

    /// Hash of the last envelope: what the next flush must name.
    pub fn last(&self) -> Digest {
        self.envelopes.last().map_or(Digest::NONE, |bytes| Digest::of(bytes))
    }
}

fn size(envelopes: &[Vec<u8>]) -> usize {
    4 + envelopes.iter().map(|e| e.len() + 4).sum::<usize>() + Seal::BYTES
}

fn check_count(count: usize) -> Result<(), FlushError> {
    if (1..=FLUSH_EVENTS_MAX).contains(&count) { Ok(()) } else { Err(FlushError::Count(count)) }
}

fn length(n: usize) -> [u8; 4] {
    // Every length here is bounded far below 2^32 by the limits above.
    u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes()
}

fn take_length(bytes: &[u8]) -> Result<(usize, &[u8]), FlushError> {
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or(FlushError::Framing)?;
    Ok((u32::from_be_bytes(*head) as usize, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_flush_reads_back_as_it_was_written() {
        let key = SecretKey::from_seed(&[1; 32]);
        let flush = Flush::sign(vec![b"one".to_vec(), b"two".to_vec()], &key).unwrap();
        assert_eq!(Flush::from_bytes(&flush.to_bytes()), Ok(flush.clone()));
        assert_eq!(flush.last(), Digest::of(b"two"));
    }

    #[test]
    fn an_empty_or_overlong_flush_is_refused() {
        let key = SecretKey::from_seed(&[1; 32]);
        assert_eq!(Flush::sign(vec![], &key), Err(FlushError::Count(0)));
        assert_eq!(Flush::sign(vec![vec![1]; 257], &key), Err(FlushError::Count(257)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(flush) = Flush::from_bytes(&bytes) {
                prop_assert_eq!(flush.to_bytes(), bytes);
            }
        }
    }
}
