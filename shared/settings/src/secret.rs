//! Secrets by reference: where each stands is said in a configuration or a job, and what it is nowhere.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use domain::job::secrets::SecretRef;
use nix::fcntl::OFlag;

/// Longest secret: the kernel takes no variable of more than twice this.
pub const SECRET_BYTES_MAX: usize = 64 * 1024;

/// What a variable of this process holds.
///
/// # Errors
/// There is no such variable.
pub fn from_environment(name: &str) -> Result<Vec<u8>, String> {
    match std::env::var_os(name) {
        Some(value) => Ok(value.into_vec()),
        None => Err(format!("this service has no variable {name}; set it in its unit")),
    }
}

/// What systemd gave this process under a name.
///
/// # Errors
/// It gave nothing, or the file cannot be read.
pub fn from_credential(name: &str) -> Result<Vec<u8>, String> {
    let dir = std::env::var_os(CREDENTIALS)
        .ok_or("this service has no credentials; see LoadCredential= in its unit")?;
    from_file(&PathBuf::from(dir).join(name))
}

/// Where systemd puts credentials.
pub const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// What stands in a file, without the line break at its end.
///
/// # Errors
/// It cannot be read, or is no regular file.
pub fn from_file(path: &Path) -> Result<Vec<u8>, String> {
    let read = || {
        // A pipe without a writer must not keep us waiting.
        let flags = OFlag::O_NONBLOCK.bits();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let mut content = Vec::new();
        file.take(SECRET_BYTES_MAX as u64 + 2).read_to_end(&mut content)?;
        Ok(content)
    };
    let read: io::Result<Vec<u8>> = read();
    read.map(without_newline).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// What stands where a service's own file says: `file:/path`, `env:NAME` or `credential:NAME`.
///
/// # Errors
/// It is no such reference, or there is nothing of use; without a byte of it.
pub fn from_reference(reference: &str) -> Result<Vec<u8>, String> {
    let found = match reference.parse()? {
        SecretRef::File(path) => from_file(Path::new(&path))?,
        SecretRef::Env(name) => from_environment(&name)?,
        SecretRef::Credential(name) => from_credential(&name)?,
        SecretRef::Exec { .. } => {
            return Err("write file:, env: or credential: here; exec: is for jobs".to_owned());
        }
    };
    usable(found)
}

/// The same as text.
///
/// # Errors
/// See [`from_reference`]; or it is no text.
pub fn text_from_reference(reference: &str) -> Result<String, String> {
    String::from_utf8(from_reference(reference)?).map_err(|_| "it is no text".to_owned())
}

/// Whether a text says where a secret stands, as [`from_reference`] reads it.
pub fn is_reference(text: &str) -> bool {
    ["file:", "env:", "credential:"].iter().any(|word| text.starts_with(word))
}

/// Without one line break at the end.
pub fn without_newline(mut content: Vec<u8>) -> Vec<u8> {
    content.pop_if(|last| *last == b'\n');
    content
}

/// Nothing is most likely a mistake, and a zero byte would end it in a command's environment.
///
/// # Errors
/// Why it is no secret.
pub fn usable(value: Vec<u8>) -> Result<Vec<u8>, String> {
    match value.len() {
        0 => Err("it is empty".to_owned()),
        1..=SECRET_BYTES_MAX if value.contains(&0) => Err("it contains a zero byte".to_owned()),
        1..=SECRET_BYTES_MAX => Ok(value),
        _ => Err(format!("it has more than {SECRET_BYTES_MAX} bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_reads_what_its_file_refers_to_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "a word\n").unwrap();
        let there = format!("file:{}", path.display());
        assert_eq!(text_from_reference(&there).unwrap(), "a word");
        for (reference, problem) in [
            ("a word", "this is not a reference to a secret"),
            ("file:secret", "a file is named by its absolute path"),
            ("env:NO SUCH", "a name has letters"),
            ("env:DECKLOG_NO_SUCH_VARIABLE", "this service has no variable"),
            ("credential:../secret", "a name has letters"),
            ("exec:vault a", "exec: is for jobs"),
        ] {
            let error = text_from_reference(reference).unwrap_err();
            assert!(error.contains(problem) && !error.contains("a word"), "{reference}: {error}");
        }
    }
}
