//! Looking up an attempt's secrets: by the supervisor, just before the command starts. They go into the command's
//! environment and nowhere else; what the command writes of them is [masked](super::mask).

use std::path::Path;

use domain::job::secrets::SecretRef;
use settings::secret::{from_credential, from_environment, from_file, usable, without_newline};

use super::spec::Spec;

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
