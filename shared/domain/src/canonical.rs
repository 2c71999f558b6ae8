//! Canonical JSON (RFC 8785) and SHA-256 digests of bytes.

mod sorting;

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of nothing that came before: 32 zero bytes, used as the back-hash of a first event.
    pub const NONE: Self = Self([0; 32]);

    /// SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// SHA-256 of all that is read, piece by piece.
    ///
    /// # Errors
    /// It cannot be read to its end.
    pub fn of_all(mut from: impl Read) -> io::Result<Self> {
        let (mut hash, mut piece) = (Sha256::new(), vec![0; 256 * 1024]);
        loop {
            match from.read(&mut piece) {
                Ok(0) => return Ok(Self(hash.finalize().into())),
                Ok(count) => hash.update(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The first eight hexadecimal digits, for people.
    pub fn short(&self) -> String {
        hex(&self.0[..4])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not 64 lower-case hexadecimal digits")]
pub struct NotADigest(String);

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        unhex(text)
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .map(Self)
            .ok_or_else(|| NotADigest(text.chars().take(80).collect()))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The bytes of lower-case hexadecimal text; `None` for anything else, upper case included, because
/// one value must have one spelling.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The RFC 8785 bytes of a value: one spelling for one meaning, so that a digest of it can be
/// compared by anybody.
///
/// # Errors
/// A value JSON cannot hold, such as a map with keys that are not text. Non-finite numbers, which JSON does not
/// have either, would become `null`; no type of ours has fractions.
pub fn canonical<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    match sorting::plain(value)? {
        Some(bytes) => Ok(bytes),
        None => serde_json_canonicalizer::to_vec(value),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_digest_has_one_spelling() {
        let digest = Digest::of(b"");
        assert_eq!(
            digest.to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
        assert!(digest.to_string().to_uppercase().parse::<Digest>().is_err());
        assert!("ab".parse::<Digest>().is_err());
    }

    #[test]
    fn keys_are_ordered_and_spaces_are_left_out() {
        let value = serde_json::json!({"b": 1, "a": [true, null], "A": "é"});
        let bytes = canonical(&value).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), r#"{"A":"é","a":[true,null],"b":1}"#);
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_library() {
        let large = 1_u64 << 60;
        for value in [json!({"é": 1}), json!({"a\n": 1}), json!(1.5), json!(large)] {
            assert_eq!(sorting::plain(&value).unwrap(), None, "{value}");
        }
        let plain = json!({"a": [1, -1, "é\n\u{1}\"/"], "": {}, "aa": {"z": [], "b": [{}]}});
        assert!(sorting::plain(&plain).unwrap().is_some());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let edge = (1_i64 << 53) - 2..(1_i64 << 53) + 2;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            edge.prop_map(Value::from),
            (-1_000_i64..1_000).prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 8, |inner| {
            let key = prop_oneof!["[ -~]{0,4}", any::<String>()];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::vec((key, inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    /// Fields that are not declared in order, with the tag of an enumeration among them.
    #[derive(Serialize)]
    #[serde(tag = "is", rename_all = "kebab-case")]
    enum Unordered {
        One { zeta: Value, alpha: Option<Box<Unordered>>, iota: u8 },
    }

    proptest! {
        #[test]
        fn every_value_is_spelled_as_the_library_spells_it(value in any_json(), more in any_json()) {
            let inner = Unordered::One { zeta: more, alpha: None, iota: 7 };
            let outer = Unordered::One { zeta: value.clone(), alpha: Some(Box::new(inner)), iota: 1 };
            let library = |value: &Value| serde_json_canonicalizer::to_vec(value).unwrap();
            prop_assert_eq!(canonical(&value).unwrap(), library(&value));
            let as_value = serde_json::to_value(&outer).unwrap();
            prop_assert_eq!(canonical(&outer).unwrap(), library(&as_value));
        }
    }
}
