//! Passwords, codes and tokens, and the key that only consoles have.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use domain::canonical::hex;
use ring::hmac;
use tokio::sync::Semaphore;

/// Begins every token, so that secret scanners know it.
const PREFIX: &str = "decklog_pat_";
/// Characters of a code: no two that look alike.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789-";
/// Characters of a code: 99 bits.
const CODE_CHARS: usize = 20;
/// Shortest password, in characters (NIST SP 800-63B-4 §3.1.1.2).
pub(super) const PASSWORD_MIN: usize = 15;
/// Longest, in bytes.
pub(super) const PASSWORD_MAX: usize = 500;
/// How many passwords are computed at once: each takes 19 MiB.
const AT_ONCE: usize = 2;

/// What only consoles have: those of one site share it.
#[derive(Clone)]
pub(crate) struct Keys {
    /// Keys the hashes of passwords.
    pepper: Arc<[u8; 32]>,
    /// Vouches for what browsers keep.
    seal: Arc<hmac::Key>,
    places: Arc<Semaphore>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    /// The key in a file, made where there is none.
    ///
    /// # Errors
    /// The file cannot be read or written, or holds something else.
    pub(crate) fn load_or_create(path: &Path) -> anyhow::Result<Self> {
        if !path.exists() {
            journal::replace(path, &random::<32>()?, 0o600)
                .with_context(|| format!("writing {}", path.display()))?;
        }
        let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let secret: [u8; 32] = bytes.try_into().map_err(|_| {
            anyhow::anyhow!("{} holds no key of 32 bytes: restore it from a backup", path.display())
        })?;
        Ok(Self::of(&secret))
    }

    pub(crate) fn of(secret: &[u8; 32]) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = |what: &str| {
            let mut key = [0; 32];
            key.copy_from_slice(hmac::sign(&root, what.as_bytes()).as_ref());
            key
        };
        Self {
            pepper: Arc::new(derived("decklog-passwords-1")),
            seal: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &derived("decklog-sessions-1"))),
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// The seal of a text, hexadecimal.
    pub(super) fn seal(&self, text: &str) -> String {
        hex(hmac::sign(&self.seal, text.as_bytes()).as_ref())
    }

    /// Whether a seal is that of the text.
    pub(super) fn is_seal(&self, text: &str, seal: &str) -> bool {
        let bytes = domain::canonical::unhex(seal);
        bytes.is_some_and(|bytes| hmac::verify(&self.seal, text.as_bytes(), &bytes).is_ok())
    }

    /// RFC 9106 §4, with OWASP's second choice of memory: 19 MiB, two passes.
    fn argon2(&self) -> Result<Argon2<'_>, argon2::Error> {
        let params = Params::new(19 * 1_024, 2, 1, None)?;
        Argon2::new_with_secret(&*self.pepper, Algorithm::Argon2id, Version::V0x13, params)
    }

    /// The keyed hash of a password.
    ///
    /// # Errors
    /// There is no entropy.
    pub(crate) async fn verifier(&self, password: String) -> anyhow::Result<String> {
        let (keys, salt) = (self.clone(), random::<16>()?);
        self.apart(move || {
            let argon2 = keys.argon2().map_err(|error| anyhow::anyhow!("argon2: {error}"))?;
            let hash = argon2.hash_password_with_salt(password.as_bytes(), &salt);
            hash.map(|hash| hash.to_string()).map_err(|error| anyhow::anyhow!("argon2: {error}"))
        })
        .await?
    }

    /// Whether a password is the one of this hash. Without a hash it takes as long, and it is not.
    ///
    /// # Errors
    /// The work was cut off.
    pub(crate) async fn is_password(
        &self,
        password: String,
        verifier: Option<String>,
    ) -> anyhow::Result<bool> {
        let keys = self.clone();
        self.apart(move || {
            let Ok(argon2) = keys.argon2() else { return false };
            let Some(verifier) = verifier else {
                let _ = argon2.hash_password_with_salt(password.as_bytes(), &[0; 16]);
                return false;
            };
            let hash = PasswordHash::new(&verifier);
            hash.is_ok_and(|hash| argon2.verify_password(password.as_bytes(), &hash).is_ok())
        })
        .await
    }

    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let _place = self.places.acquire().await?;
        Ok(tokio::task::spawn_blocking(work).await?)
    }
}

/// Random bytes.
///
/// # Errors
/// There is no entropy.
pub(super) fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no entropy: {error}"))?;
    Ok(bytes)
}

/// A token: 256 random bits.
///
/// # Errors
/// There is no entropy.
pub(crate) fn new_token() -> anyhow::Result<String> {
    Ok(format!("{PREFIX}{}", hex(&random::<32>()?)))
}

/// A code that people can type: 20 characters in groups of five.
///
/// # Errors
/// There is no entropy.
pub(crate) fn new_code() -> anyhow::Result<String> {
    // The last character of the alphabet is none that is written: it is drawn again.
    let mut code = String::new();
    while code.len() < CODE_CHARS + 3 {
        for byte in random::<32>()? {
            let character = char::from(ALPHABET[usize::from(byte & 31)]);
            if character != '-' && code.len() < CODE_CHARS + 3 {
                if code.len() % 6 == 5 {
                    code.push('-');
                }
                code.push(character);
            }
        }
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use domain::people::plain_code;

    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_by_the_same_key_only() {
        let keys = Keys::of(&[1; 32]);
        let verifier = keys.verifier("correct horse battery".to_owned()).await.unwrap();
        assert!(verifier.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{verifier}");
        let ask = async |keys: &Keys, text: &str| {
            keys.is_password(text.to_owned(), Some(verifier.clone())).await.unwrap()
        };
        assert!(ask(&keys, "correct horse battery").await);
        assert!(!ask(&keys, "correct horse batterz").await);
        assert!(!ask(&Keys::of(&[2; 32]), "correct horse battery").await);
        assert!(!keys.is_password("x".to_owned(), None).await.unwrap());
    }

    #[test]
    fn codes_are_long_and_are_compared_as_people_type_them() {
        let code = new_code().unwrap();
        assert_eq!(code.len(), 23, "{code}");
        assert_eq!(code.split('-').map(str::len).collect::<Vec<_>>(), [5, 5, 5, 5], "{code}");
        assert_ne!(code, new_code().unwrap());
        let typed = code.to_uppercase().replace('-', " ");
        assert_eq!(plain_code(&typed), plain_code(&code));
    }

    #[test]
    fn a_key_is_made_once_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.secret");
        let one = Keys::load_or_create(&path).unwrap();
        let two = Keys::load_or_create(&path).unwrap();
        assert!(two.is_seal("text", &one.seal("text")) && !two.is_seal("texu", &one.seal("text")));
        std::fs::write(&path, b"short").unwrap();
        assert!(Keys::load_or_create(&path).is_err());
    }
}
