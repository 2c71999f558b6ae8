//! What is asked of an authority (RFC 3161 §2.4.1).

use crate::hash::Hash;
use crate::token::Token;

/// `TimeStampReq` in front of the hash: its length, version 1, and a `MessageImprint` of SHA-256.
const BEFORE: [u8; 24] = [
    0x30, 0x43, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
    0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
];
/// Tag and length of the nonce.
const NONCE: [u8; 2] = [0x02, 0x08];
/// `certReq` is true: whoever verifies needs the certificate.
const WITH_CERTIFICATE: [u8; 3] = [0x01, 0x01, 0xff];

/// The hash by which an authority is told of bytes: SHA-256.
#[must_use]
pub fn imprint(bytes: &[u8]) -> [u8; 32] {
    let mut imprint = [0; 32];
    imprint.copy_from_slice(Hash::Sha256.of(bytes).as_ref());
    imprint
}

/// A question about some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    imprint: [u8; 32],
    nonce: [u8; 8],
}

/// Why an answer is not one to the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// It is over something else.
    #[error("the token is over something else than what was asked for")]
    Imprint,
    /// It may be an old one.
    #[error(
        "the token does not have the nonce of the question: it may be an answer to another one"
    )]
    Nonce,
}

impl Query {
    /// A question about bytes, with random bytes that its answer must bring back.
    #[must_use]
    pub fn of(bytes: &[u8], random: [u8; 8]) -> Self {
        let mut nonce = random;
        // A number that is positive and has eight bytes in its shortest form.
        nonce[0] = (nonce[0] & 0x3f) | 0x40;
        Self { imprint: imprint(bytes), nonce }
    }

    /// Its DER, the body of an `application/timestamp-query`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [&BEFORE[..], &self.imprint, &NONCE, &self.nonce, &WITH_CERTIFICATE].concat()
    }

    /// Whether a token is the answer (RFC 3161 §2.4.2).
    ///
    /// # Errors
    /// It is over something else, or an answer to another question.
    pub fn check(&self, token: &Token) -> Result<(), Mismatch> {
        if token.imprint != self.imprint {
            return Err(Mismatch::Imprint);
        }
        let same = token.nonce.as_deref() == Some(&self.nonce[..]);
        same.then_some(()).ok_or(Mismatch::Nonce)
    }
}
