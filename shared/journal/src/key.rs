//! The producer's secret key in a file that nobody else reads.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use domain::canonical::{hex, unhex};
use domain::keys::SecretKey;

/// A key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or made.
    #[error("key file {path}: {source}")]
    Io {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others than the owner may read it.
    #[error(
        "key file {path} can be read by others (mode {mode:o}): run chmod 600 on it, and think of the key as known"
    )]
    Mode {
        /// Its path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Its content is not a key.
    #[error("key file {0} does not hold 64 hexadecimal digits")]
    Content(PathBuf),
}

/// Reads the key, or makes one where there is no file yet. The file has mode 0600 from its first byte,
/// and is complete or absent.
///
/// # Errors
/// See [`KeyFileError`].
pub fn load_or_create_key(path: &Path) -> Result<SecretKey, KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    match File::open(path) {
        Ok(file) => read(path, file),
        Err(error) if error.kind() == ErrorKind::NotFound => create(path).map_err(io),
        Err(error) => Err(io(error)),
    }
}

fn read(path: &Path, mut file: File) -> Result<SecretKey, KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Mode { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(io)?;
    unhex(text.trim())
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .map(|seed| SecretKey::from_seed(&seed))
        .ok_or_else(|| KeyFileError::Content(path.to_owned()))
}

fn create(path: &Path) -> std::io::Result<SecretKey> {
    let mut seed = [0_u8; 32];
    getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
    crate::replace(path, hex(&seed).as_bytes(), 0o600)?;
    Ok(SecretKey::from_seed(&seed))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_key_is_made_once_with_mode_0600_and_then_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let made = load_or_create_key(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load_or_create_key(&path).unwrap().public(), made.public());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        load_or_create_key(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load_or_create_key(&path), Err(KeyFileError::Mode { mode: 0o640, .. })));
    }
}
