//! How a service says which relay it uses.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Login, Relay, Timeouts, Tls};
use crate::{Address, AddressError};

/// How messages are sent by mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MailConfig {
    /// The host that takes mail.
    pub relay: String,
    /// Its port; 587, or 465 where `tls` is `tls` and 25 where it is `none`.
    #[serde(default)]
    pub port: Option<u16>,
    /// How it is spoken to.
    #[serde(default)]
    pub tls: MailTls,
    /// Certificates that are trusted instead of those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The user it asks for.
    #[serde(default)]
    pub user: Option<String>,
    /// Where the password is: `file:`, `env:` or `credential:`.
    #[serde(default)]
    pub password: Option<String>,
    /// The sender's address.
    pub from: String,
    /// The sender's name.
    #[serde(default)]
    pub from_name: String,
    /// Largest message, in bytes.
    #[serde(default = "mail_bytes")]
    pub limit_bytes: u64,
}

/// How a relay is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailTls {
    /// Encrypted from the first byte.
    Tls,
    /// Encrypted before anything is said (STARTTLS, RFC 3207); where it cannot be, nothing is sent.
    #[default]
    Starttls,
    /// In the clear: on this machine only.
    None,
}

fn mail_bytes() -> u64 {
    25 * 1024 * 1024
}

impl MailConfig {
    /// The port.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            MailTls::Tls => 465,
            MailTls::Starttls => 587,
            MailTls::None => 25,
        })
    }

    /// Everything that is wrong with it, as a section of this name.
    pub fn problems(&self, section: &str) -> Vec<String> {
        let mut problems = Vec::new();
        if self.user.is_some() != self.password.is_some() {
            problems.push(format!("{section}: a user and a password belong together"));
        }
        if let Err(error) = self.from.parse::<Address>() {
            problems.push(format!("{section}.from: {error}"));
        }
        problems
    }

    /// The relay. `password` is what stands where [`Self::password`] says.
    ///
    /// # Errors
    /// The sender's address is none.
    pub fn relay(&self, password: Option<String>) -> Result<Relay, AddressError> {
        let user = self.user.clone();
        let login = user.zip(password).map(|(user, password)| Login { user, password });
        Ok(Relay {
            host: self.relay.clone(),
            port: self.port(),
            tls: match self.tls {
                MailTls::Tls => Tls::Wrapper,
                MailTls::Starttls => Tls::StartTls,
                MailTls::None => Tls::None,
            },
            ca_file: self.ca_file.clone(),
            login,
            hello: None,
            from: self.from.parse()?,
            from_name: self.from_name.clone(),
            timeouts: Timeouts::default(),
            limit_bytes: self.limit_bytes,
        })
    }
}
