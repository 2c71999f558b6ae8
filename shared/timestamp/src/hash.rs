//! The hashes that occur in tokens.

use der::Tag;
use der::oid::ObjectIdentifier;
use ring::digest::{self, Algorithm};

use crate::elements::Element;
use crate::token::TokenError;

const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// A hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    /// Only to tell which certificate is meant (RFC 2634 §5.4.1), among those that are there; no signature rests on it.
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// What an `AlgorithmIdentifier` names (RFC 5754 §2).
    pub(crate) fn named(identifier: Element<'_>) -> Result<Self, TokenError> {
        let oid = identifier.inside()?.take(Tag::ObjectIdentifier)?;
        let known = [(SHA256, Self::Sha256), (SHA384, Self::Sha384), (SHA512, Self::Sha512)];
        let found = known.into_iter().find(|(name, _)| oid.is(name)).map(|(_, hash)| hash);
        found.ok_or(TokenError::Algorithm("a hash that is not SHA-256, SHA-384 or SHA-512"))
    }

    pub(crate) fn of(self, bytes: &[u8]) -> digest::Digest {
        digest::digest(self.algorithm(), bytes)
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}
