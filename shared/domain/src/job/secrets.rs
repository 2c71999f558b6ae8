//! Secrets: a job names where one is, and the host that runs it looks there. No event holds one.

use std::str::FromStr;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// The content of a file on the host, without a newline at its end: `file:/etc/payroll/db-password`.
    File(String),
    /// A variable of the executor's own environment: `env:DB_PASSWORD`.
    Env(String),
    /// A credential systemd gave the executor: `credential:db-password`.
    Credential(String),
    /// What a provider of the host's own file prints: `exec:vault secret/payroll#password`.
    Exec {
        /// The provider's name in the host's own file.
        provider: String,
        /// Its argument.
        argument: String,
    },
}

impl FromStr for SecretRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = |problem: &str| {
            Err(format!(
                "{problem}: write file:/path, env:NAME, credential:NAME or exec:PROVIDER ARGUMENT"
            ))
        };
        // The text itself is never repeated: somebody may have written the secret here.
        let Some((scheme, rest)) = text.split_once(':') else {
            return bad("this is not a reference to a secret");
        };
        if rest.is_empty() || rest.contains('\0') {
            return bad("the reference names nothing");
        }
        let name = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        match scheme {
            "file" if rest.starts_with('/') => Ok(Self::File(rest.to_owned())),
            "file" => bad("a file is named by its absolute path"),
            "env" if name(rest) => Ok(Self::Env(rest.to_owned())),
            "credential" if name(rest) => Ok(Self::Credential(rest.to_owned())),
            "env" | "credential" => bad("a name has letters, digits, '.', '_' and '-'"),
            "exec" => {
                let (provider, argument) = rest.split_once(' ').unwrap_or((rest, ""));
                if !name(provider) {
                    return bad("a provider's name has letters, digits, '.', '_' and '-'");
                }
                Ok(Self::Exec {
                    provider: provider.to_owned(),
                    argument: argument.trim().to_owned(),
                })
            }
            _ => bad("this kind of reference is not known"),
        }
    }
}
