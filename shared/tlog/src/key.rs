//! Named Ed25519 keys for notes: the one that signs and the one that verifies (C2SP signed-note,
//! «Signatures» and «Ed25519 signatures»).

use std::fmt;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The signature type identifier of plain Ed25519 (C2SP signed-note, «Signature types»).
pub(crate) const ED25519: u8 = 0x01;
/// That of a timestamped Ed25519 cosignature (C2SP tlog-cosignature, «Format»).
pub(crate) const COSIGNATURE: u8 = 0x04;

/// Why a key is not one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The name is empty or has a space, a plus sign or a control character.
    #[error("naming a key {0:?}: empty, or with a space, a plus sign or a control character")]
    Name(String),
    /// The text is not three parts joined by plus signs.
    #[error("reading a verifier key: not name+id+key")]
    Format,
    /// The third part is not canonical base64.
    #[error("reading verifier key {0:?}: the key is not canonical base64")]
    Base64(String),
    /// The key is not the type byte that belongs there (0x01 of a log, 0x04 of a witness), followed by 32 bytes.
    #[error(
        "reading verifier key {0:?}: not an ed25519 key of the type that belongs here and 32 bytes"
    )]
    Type(String),
    /// The 32 bytes are no point on the curve, or one under which anything verifies.
    #[error("reading verifier key {0:?}: not a usable ed25519 public key")]
    Weak(String),
    /// The id is not the one computed from name and key, in lower-case hex.
    #[error("reading verifier key {name:?}: id {found:?} where {expected:08x} belongs")]
    Id {
        /// The key's name.
        name: String,
        /// The id the text gives.
        found: String,
        /// The id its name and key have.
        expected: u32,
    },
}

/// An Ed25519 key that signs notes under a name. Wiped from memory when dropped; its `Debug` does
/// not show the secret.
pub struct SignerKey {
    secret: SigningKey,
    public: VerifierKey,
}

/// An Ed25519 public key that verifies notes signed under a name. Shown and parsed as
/// `name+id+key`: the id in 8 lower-case hex digits, the key as base64 of 0x01 and 32 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey(NamedKey);

/// What stands in a verifier key of any type: a name, a public key, and the id that both have under the type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedKey {
    kind: u8,
    pub(crate) name: String,
    pub(crate) id: u32,
    point: VerifyingKey,
}

impl SignerKey {
    /// The key of a 32-byte secret seed (RFC 8032 §5.1.5), signing as `name`.
    ///
    /// # Errors
    /// [`KeyError::Name`] if the name cannot stand in a signature line.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = SigningKey::from_bytes(seed);
        let public = VerifierKey(NamedKey::of(ED25519, name, secret.verifying_key())?);
        Ok(Self { secret, public })
    }

    /// The name it signs under.
    #[must_use]
    pub fn name(&self) -> &str {
        self.public.name()
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn verifier_key(&self) -> VerifierKey {
        self.public.clone()
    }

    /// The 64 signature bytes over a note's text.
    pub(crate) fn sign(&self, text: &str) -> [u8; 64] {
        self.secret.sign(text.as_bytes()).to_bytes()
    }

    /// The key's id, as in [`VerifierKey::id`].
    pub(crate) fn id(&self) -> u32 {
        self.public.id()
    }

    /// What stands in front of what it signs.
    pub(crate) fn named(&self) -> &NamedKey {
        &self.public.0
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignerKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl VerifierKey {
    /// The key of a 32-byte Ed25519 public key (RFC 8032 §5.1.5) that signs as `name`.
    ///
    /// # Errors
    /// [`KeyError::Name`] or [`KeyError::Weak`].
    pub fn new(name: &str, public: &[u8; 32]) -> Result<Self, KeyError> {
        NamedKey::new(ED25519, name, public).map(Self)
    }

    /// The name it verifies.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The key's id: the first four bytes, big-endian, of
    /// SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key). It tells keys apart and proves nothing.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.0.id
    }

    /// The 32 bytes of the public key.
    #[must_use]
    pub fn public_key(&self) -> &[u8; 32] {
        self.0.public_key()
    }

    /// Whether these are this key's signature bytes over a note's text.
    pub(crate) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        self.0.verifies(text.as_bytes(), signature)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    /// Reads `name+id+key` exactly as shown.
    ///
    /// # Errors
    /// [`KeyError`] naming the part that does not fit.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        NamedKey::parse(ED25519, text).map(Self)
    }
}

impl NamedKey {
    pub(crate) fn new(kind: u8, name: &str, public: &[u8; 32]) -> Result<Self, KeyError> {
        let point =
            VerifyingKey::from_bytes(public).map_err(|_| KeyError::Weak(name.to_owned()))?;
        Self::of(kind, name, point)
    }

    pub(crate) fn of(kind: u8, name: &str, point: VerifyingKey) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name(name.to_owned()));
        }
        // A low-order point verifies signatures nobody made. Say so now, not when a note fails.
        if point.is_weak() {
            return Err(KeyError::Weak(name.to_owned()));
        }
        let id = key_id(name, kind, point.as_bytes());
        Ok(Self { kind, name: name.to_owned(), id, point })
    }

    pub(crate) fn parse(kind: u8, text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Format);
        };
        let named = |error: fn(String) -> KeyError| error(name.to_owned());
        let key = BASE64_STANDARD.decode(key).map_err(|_| named(KeyError::Base64))?;
        let public = key.strip_prefix(&[kind]).and_then(|public| public.try_into().ok());
        let read = Self::new(kind, name, public.ok_or_else(|| named(KeyError::Type))?)?;
        if id != format!("{:08x}", read.id) {
            return Err(KeyError::Id { name: read.name, found: id.to_owned(), expected: read.id });
        }
        Ok(read)
    }

    pub(crate) fn public_key(&self) -> &[u8; 32] {
        self.point.as_bytes()
    }

    /// Whether these are this key's signature bytes over a message. Strict: a signature has one
    /// form only, so that everyone who verifies comes to the same answer.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.point.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Display for NamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = [self.kind; 33];
        key[1..].copy_from_slice(self.point.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, self.id, BASE64_STANDARD.encode(key))
    }
}

/// Whether a name can stand in a signature line (C2SP signed-note, «Format»).
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+' || c < ' ')
}

/// C2SP signed-note, «Ed25519 signatures»; tlog-cosignature, «Format».
fn key_id(name: &str, kind: u8, public: &[u8; 32]) -> u32 {
    let hashed = Sha256::new().chain_update(name).chain_update([b'\n', kind]);
    let [a, b, c, d, ..] = <[u8; 32]>::from(hashed.chain_update(public).finalize());
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key in the documentation of Go's `golang.org/x/mod/sumdb/note`.
    const NEUMANN: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn a_published_key_has_its_published_id() -> Result<(), KeyError> {
        let key: VerifierKey = NEUMANN.parse()?;
        assert_eq!((key.name(), key.id()), ("PeterNeumann", 0xc74f_20a3));
        assert_eq!(key.to_string(), NEUMANN);
        assert_eq!(VerifierKey::new("PeterNeumann", key.public_key())?, key);
        Ok(())
    }

    #[test]
    fn names_that_would_break_a_signature_line_are_refused() {
        for name in ["", "a b", "a+b", "a\nb", "a\tb", "a\u{a0}b", "a\u{2028}b", "a\u{1}b"] {
            let refused = SignerKey::from_seed(name, &[1; 32]).err();
            assert_eq!(refused, Some(KeyError::Name(name.to_owned())));
        }
    }

    #[test]
    fn every_part_of_a_key_text_is_checked() {
        let name = || "PeterNeumann".to_owned();
        let upper = NEUMANN.replace("c74f20a3", "C74F20A3");
        let id = KeyError::Id { name: name(), found: "C74F20A3".into(), expected: 0xc74f_20a3 };
        assert_eq!(upper.parse::<VerifierKey>(), Err(id));
        assert_eq!("PeterNeumann+c74f20a3".parse::<VerifierKey>(), Err(KeyError::Format));
        let other_type = NEUMANN.replace("+ARpc", "+BRpc").parse::<VerifierKey>();
        assert_eq!(other_type, Err(KeyError::Type(name())));
        let padded = format!("{NEUMANN}=").parse::<VerifierKey>();
        assert_eq!(padded, Err(KeyError::Base64(name())));
        let renamed = NEUMANN.replace("Peter", "John").parse::<VerifierKey>();
        assert!(matches!(renamed, Err(KeyError::Id { .. })), "{renamed:?}");
    }

    #[test]
    fn a_low_order_public_key_is_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(VerifierKey::new("k", &identity), Err(KeyError::Weak("k".to_owned())));
    }

    #[test]
    fn debugging_a_signer_does_not_show_its_seed() -> Result<(), KeyError> {
        let shown = format!("{:?}", SignerKey::from_seed("k", &[0xab; 32])?);
        assert!(!shown.contains("171, 171") && !shown.contains("abab"), "{shown}");
        Ok(())
    }
}
