//! How to reach NATS.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{BusError, Limits};

/// Where NATS is and who we are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NatsConfig {
    /// One address or several with commas: `nats://a:4222,nats://b:4222`; `tls://` demands TLS. No user
    /// or password here: they belong into `credentials_file`.
    pub url: String,
    /// The first part of every subject and stream, 1 to 32 of `[a-z0-9_]`; several installations can
    /// share one NATS.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// What the server's list of connections shows for us.
    #[serde(default = "default_name")]
    pub name: String,
    /// A file with one line: `user:password`, or a token.
    #[serde(default)]
    pub credentials_file: Option<PathBuf>,
    /// PEM file of the certificate authority that signed the server's certificate, if the system does
    /// not know it.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// PEM file of our own certificate; goes with `key_file`.
    #[serde(default)]
    pub certificate_file: Option<PathBuf>,
    /// PEM file of our own key; goes with `certificate_file`.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// On how many servers each queue is kept: 1, 3 or 5.
    #[serde(default = "default_replicas")]
    pub replicas: u8,
    /// The bounds. All services on one NATS must agree on them.
    #[serde(default)]
    pub limits: Limits,
}

impl NatsConfig {
    /// The defaults for one address.
    pub fn new(url: impl Into<String>) -> NatsConfig {
        NatsConfig {
            url: url.into(),
            prefix: default_prefix(),
            name: default_name(),
            credentials_file: None,
            ca_file: None,
            certificate_file: None,
            key_file: None,
            replicas: default_replicas(),
            limits: Limits::default(),
        }
    }

    /// Refuses settings that could not work or would show a secret.
    pub(crate) fn check(&self) -> Result<(), BusError> {
        let wrong =
            |field, reason: &str| Err(BusError::Config { field, reason: reason.to_owned() });
        if self.url.contains('@') {
            return wrong("url", "write the user and password into credentials_file instead");
        }
        if !matches!(self.replicas, 1 | 3 | 5) {
            return wrong("replicas", "it must be 1, 3 or 5");
        }
        if self.certificate_file.is_some() != self.key_file.is_some() {
            return wrong("certificate_file", "it goes with key_file: set both or neither");
        }
        self.limits.check()
    }
}

fn default_prefix() -> String {
    "decklog".to_owned()
}

fn default_name() -> String {
    "decklog".to_owned()
}

fn default_replicas() -> u8 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_enough_and_an_unknown_setting_is_refused() {
        let config: NatsConfig = serde_json::from_str(r#"{"url":"nats://a:4222"}"#).unwrap();
        assert_eq!(config, NatsConfig::new("nats://a:4222"));
        assert!(serde_json::from_str::<NatsConfig>(r#"{"url":"a","prefx":"b"}"#).is_err());
        assert!(serde_json::from_str::<NatsConfig>(r#"{"url":"a","limits":{"q":1}}"#).is_err());
    }

    #[test]
    fn a_password_in_the_address_is_refused_and_not_repeated() {
        let error = NatsConfig::new("nats://me:secret@a:4222").check().unwrap_err().to_string();
        assert!(error.contains("credentials_file") && !error.contains("secret"), "{error}");
    }
}
