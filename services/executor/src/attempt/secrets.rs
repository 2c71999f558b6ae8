//! Looking up an attempt's secrets: by the supervisor, just before the command starts. They go into the command's
//! environment and nowhere else; what the command writes of them is [masked](super::mask).

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use domain::job::secrets::SecretRef;
use nix::fcntl::OFlag;

use super::spec::Spec;

/// Longest secret: the kernel takes no variable of more than twice this.
pub(crate) const SECRET_BYTES_MAX: usize = 64 * 1024;

/// A secret, and the variable that holds it. It can be neither printed nor written.
pub(crate) struct Secret {
    pub(crate) variable: String,
    pub(crate) value: Vec<u8>,
}

/// Looks up every secret of an attempt. `provide` runs a provider, whose words it is given.
///
/// # Errors
/// Which cannot be had, and why, without a byte of it.
pub(crate) fn look_up(
    spec: &Spec,
    mut provide: impl FnMut(&[String]) -> Result<Vec<u8>, String>,
) -> Result<Vec<Secret>, String> {
    let mut found = Vec::with_capacity(spec.secrets.len());
    for (variable, reference) in &spec.secrets {
        let value = reference
            .parse()
            .and_then(|wanted| read(spec, &wanted, &mut provide))
            .and_then(usable)
            .map_err(|problem| format!("secret {variable}: {problem}"))?;
        found.push(Secret { variable: variable.clone(), value });
    }
    Ok(found)
}

/// Looks up one secret without a provider, as this process.
///
/// # Errors
/// It cannot be had, and why, without a byte of it.
pub(crate) fn plain(reference: &str) -> Result<Vec<u8>, String> {
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

fn from_environment(name: &str) -> Result<Vec<u8>, String> {
    match std::env::var_os(name) {
        Some(value) => Ok(value.into_vec()),
        None => Err(format!("the executor has no variable {name}; set it in its unit")),
    }
}

fn from_credential(name: &str) -> Result<Vec<u8>, String> {
    let dir = std::env::var_os(CREDENTIALS)
        .ok_or("the executor has no credentials; see LoadCredential= in its unit")?;
    from_file(&PathBuf::from(dir).join(name))
}

fn read(
    spec: &Spec,
    wanted: &SecretRef,
    provide: &mut impl FnMut(&[String]) -> Result<Vec<u8>, String>,
) -> Result<Vec<u8>, String> {
    match wanted {
        SecretRef::File(path) => from_file(Path::new(path)),
        SecretRef::Env(name) => from_environment(name),
        SecretRef::Credential(name) => from_credential(name),
        SecretRef::Exec { provider, argument } => {
            let words = spec.providers.get(provider);
            let mut words =
                words.cloned().ok_or_else(|| format!("there is no provider {provider} here"))?;
            words.extend((!argument.is_empty()).then(|| argument.clone()));
            provide(&words).map(without_newline).map_err(|why| format!("provider {provider} {why}"))
        }
    }
}

/// Where systemd puts credentials.
pub(crate) const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

fn from_file(path: &Path) -> Result<Vec<u8>, String> {
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

fn without_newline(mut content: Vec<u8>) -> Vec<u8> {
    content.pop_if(|last| *last == b'\n');
    content
}

/// Nothing is most likely a mistake, and a zero byte would end it in the command's environment.
fn usable(value: Vec<u8>) -> Result<Vec<u8>, String> {
    match value.len() {
        0 => Err("it is empty".to_owned()),
        1..=SECRET_BYTES_MAX if value.contains(&0) => Err("it contains a zero byte".to_owned()),
        1..=SECRET_BYTES_MAX => Ok(value),
        _ => Err(format!("it has more than {SECRET_BYTES_MAX} bytes")),
    }
}
