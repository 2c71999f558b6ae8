//! Ed25519 keys of producers (RFC 8032), and what exactly they sign.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::canonical::{Digest, hex, unhex};

/// The type that is signed together with an envelope, so that a signature made for one purpose is
/// worth nothing for another (DSSE pre-authentication encoding).
pub const PAYLOAD_TYPE: &str = "application/vnd.decklog.event+json";

/// A producer's secret key.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey({})", self.public().id().short())
    }
}

impl SecretKey {
    /// The key made from 32 bytes of entropy.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The 32 bytes it was made from, to be stored where nobody else reads.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs an envelope's bytes.
    pub fn sign(&self, envelope: &[u8]) -> Seal {
        let signature = self.0.sign(&pre_authentication(envelope));
        Seal { key: self.public().id(), signature: signature.to_bytes() }
    }
}

/// A producer's public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A key or signature that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is not an Ed25519 public key in hexadecimal.
    #[error("{0:?} is not an Ed25519 public key in hexadecimal")]
    NotAKey(String),
    /// The signature was made by another key.
    #[error("signed with key {found}, but the producer's key is {expected}")]
    OtherKey {
        /// Short id of the producer's key.
        expected: String,
        /// Short id in the signature.
        found: String,
    },
    /// The signature does not fit the bytes.
    #[error("the signature does not fit the bytes")]
    BadSignature,
}

/// How many digits of a key's id make sure that no other key has them.
const FINGERPRINT_DIGITS: usize = 32;

/// Whether what somebody typed is the fingerprint of the key with this id: blanks, dashes and colons apart.
///
/// # Errors
/// It is none: other characters, or fewer digits than [`PublicKey::fingerprint`] shows.
pub fn is_fingerprint_of(typed: &str, id: &Digest) -> Result<bool, String> {
    let apart = |c: char| c.is_whitespace() || c == '-' || c == ':';
    let digits = typed.replace(apart, "").to_ascii_lowercase();
    let fits = (FINGERPRINT_DIGITS..=64).contains(&digits.len());
    if !fits || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format!(
            "{:?} is no fingerprint: that is {FINGERPRINT_DIGITS} digits or more, from 0 to 9 and a to f, as the machine shows them",
            typed.chars().take(80).collect::<String>()
        ));
    }
    Ok(id.to_string().starts_with(&digits))
}

impl PublicKey {
    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// The text is not hexadecimal, or not a point of the curve.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        unhex(text)
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
            .map(Self)
            .ok_or_else(|| KeyError::NotAKey(text.chars().take(80).collect()))
    }

    /// 64 hexadecimal digits.
    pub fn to_hex(&self) -> String {
        hex(self.0.as_bytes())
    }

    /// The key's id: SHA-256 of its 32 bytes.
    pub fn id(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// What people compare: 128 bits of its id, as eight groups of four digits.
    pub fn fingerprint(&self) -> String {
        let digits = hex(&self.id().0[..FINGERPRINT_DIGITS / 2]);
        let groups = digits.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group));
        groups.collect::<Vec<_>>().join(" ")
    }

    /// Checks that `seal` is this key's signature of `envelope`, by the strict rules
    /// (no small-order keys, no malleable signatures).
    ///
    /// # Errors
    /// Another key signed, or the signature does not fit.
    pub fn verify(&self, envelope: &[u8], seal: &Seal) -> Result<(), KeyError> {
        if seal.key != self.id() {
            return Err(KeyError::OtherKey {
                expected: self.id().short(),
                found: seal.key.short(),
            });
        }
        self.0
            .verify_strict(&pre_authentication(envelope), &Signature::from_bytes(&seal.signature))
            .map_err(|_| KeyError::BadSignature)
    }
}

/// A signature and the id of the key that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// SHA-256 of the public key.
    pub key: Digest,
    /// The Ed25519 signature.
    pub signature: [u8; 64],
}

impl Seal {
    /// Length of [`Seal::to_bytes`].
    pub const BYTES: usize = 96;

    /// Key id, then signature.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..32].copy_from_slice(&self.key.0);
        bytes[32..].copy_from_slice(&self.signature);
        bytes
    }

    /// The reverse of [`Seal::to_bytes`]; `None` where the length is another.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (key, signature) = bytes.split_at_checked(32)?;
        Some(Self { key: Digest(key.try_into().ok()?), signature: signature.try_into().ok()? })
    }
}

fn pre_authentication(envelope: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), envelope.len());
    [head.as_bytes(), envelope].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_holds_for_its_bytes_and_its_key_alone() {
        let key = SecretKey::from_seed(&[7; 32]);
        let seal = key.sign(b"{}");
        assert_eq!(key.public().verify(b"{}", &seal), Ok(()));
        assert_eq!(key.public().verify(b"{ }", &seal), Err(KeyError::BadSignature));
        let other = SecretKey::from_seed(&[8; 32]).public();
        assert!(matches!(other.verify(b"{}", &seal), Err(KeyError::OtherKey { .. })));
        assert_eq!(Seal::from_bytes(&seal.to_bytes()), Some(seal));
    }

    #[test]
    fn a_public_key_is_written_in_hexadecimal() {
        let public = SecretKey::from_seed(&[7; 32]).public();
        assert_eq!(PublicKey::from_hex(&public.to_hex()), Ok(public));
        assert!(PublicKey::from_hex("00").is_err());
    }
}
