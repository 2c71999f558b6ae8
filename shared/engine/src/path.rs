//! Paths in JSON: bytes survive.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path as bytes, written in JSON without loss: `\` is written `\\`, a byte that is not part of
/// valid UTF-8 is written `\xHH`, everything else as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(pub PathBuf);

impl FilePath {
    /// The path itself.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl From<&Path> for FilePath {
    fn from(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl From<PathBuf> for FilePath {
    fn from(path: PathBuf) -> Self {
        Self(path)
    }
}

impl From<&str> for FilePath {
    fn from(path: &str) -> Self {
        Self(PathBuf::from(path))
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_os_str().as_bytes().utf8_chunks() {
            f.write_str(&chunk.valid().replace('\\', "\\\\"))?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// A text that is no escaped path: a `\` that neither `\` nor `xHH` follows.
#[derive(Debug, thiserror::Error)]
#[error("the path {0:?} has a backslash followed by neither a backslash nor xHH")]
pub struct BadEscape(String);

impl FromStr for FilePath {
    type Err = BadEscape;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((plain, escape)) = rest.split_once('\\') {
            bytes.extend_from_slice(plain.as_bytes());
            let (byte, length) = unescape(escape).ok_or_else(|| BadEscape(text.to_owned()))?;
            bytes.push(byte);
            rest = &escape[length..];
        }
        bytes.extend_from_slice(rest.as_bytes());
        Ok(Self(PathBuf::from(OsString::from_vec(bytes))))
    }
}

fn unescape(escape: &str) -> Option<(u8, usize)> {
    if escape.starts_with('\\') {
        return Some((b'\\', 1));
    }
    let digits = escape.strip_prefix('x')?.get(..2)?;
    Some((u8::from_str_radix(digits, 16).ok()?, 3))
}

impl Serialize for FilePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
