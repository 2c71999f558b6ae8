//! What a console is told.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::people::OidcConfig;

/// Settings of the role `console`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ConsoleConfig {
    /// Name of this console among the consoles.
    #[serde(default = "one")]
    pub name: String,
    /// Address to listen on. From elsewhere than this machine only with `tls`, or with `behind-tls`.
    #[serde(default = "listen")]
    pub listen: SocketAddr,
    /// Directory for its key, its journal and the first token.
    pub data: PathBuf,
    /// The certificate by which browsers know this console.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// Whether the tools of this machine may come without TLS too, at a port of 127.0.0.1 of their own. No file says this.
    #[serde(skip)]
    pub beside_tls: bool,
    /// Whether something in front speaks TLS with browsers, and nobody reaches this address but it.
    #[serde(default)]
    pub behind_tls: bool,
    /// File with the join token of class `console`.
    #[serde(default)]
    pub join_token_file: Option<PathBuf>,
    /// File with the secret that keys passwords and sessions; consoles of one site share it. `console.secret` in `data` when
    /// absent, made at first start.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Whether one person may approve their own change. Said in the log when it differs from what the
    /// log says; when absent, it stays as it is.
    #[serde(default)]
    pub self_approval: Option<bool>,
    /// Whether a person confirms each key before it is let in. Said in the log, which never takes it back.
    #[serde(default)]
    pub confirm_keys: bool,
    /// Where other hosts find NATS, as it is written into the line by which one joins; as this console finds it when absent.
    #[serde(default)]
    pub nats: Option<String>,
    /// How other hosts join, where they can. No file says this.
    #[serde(skip)]
    pub joining: Option<Joining>,
    /// The directory by which people come in.
    #[serde(default)]
    pub oidc: Option<OidcConfig>,
    /// File with measures: how soon, how often, how long. Controls are shown by it instead of by the measures that the log has
    /// approved, and it is said that they are.
    #[serde(default)]
    pub measures: Option<PathBuf>,
    /// The account that somebody at this machine lets in at the start, by a code. No file says this.
    #[serde(skip)]
    pub let_in: Option<String>,
}

/// How other hosts join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    /// Where they find NATS.
    pub nats: String,
    /// What they say beside that, with a blank before it.
    pub options: String,
    /// What they need that no line can carry.
    pub hints: Vec<String>,
}

/// A certificate and its key, in PEM. They are read at the start: restart the console when they are renewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TlsConfig {
    /// File with the certificate, and after it those that vouch for it.
    pub certificate: PathBuf,
    /// File with its private key.
    pub key: PathBuf,
}

fn one() -> String {
    "one".to_owned()
}

fn listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7400))
}

impl ConsoleConfig {
    /// The usual settings for a data directory.
    pub fn new(data: PathBuf) -> Self {
        Self {
            name: one(),
            listen: listen(),
            data,
            tls: None,
            beside_tls: false,
            behind_tls: false,
            join_token_file: None,
            secret_file: None,
            self_approval: None,
            confirm_keys: false,
            nats: None,
            joining: None,
            oidc: None,
            measures: None,
            let_in: None,
        }
    }

    /// Where the secret lies.
    pub(crate) fn secret(&self) -> PathBuf {
        self.secret_file.clone().unwrap_or_else(|| self.data.join("console.secret"))
    }

    /// Whether browsers come by TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.tls.is_some() || self.behind_tls
    }

    /// Everything that is wrong with it.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !domain::ids::is_name(&self.name) {
            found.push(format!("console.name: {:?} is not a name", self.name));
        }
        if !self.listen.ip().is_loopback() && !self.is_secure() {
            found.push(format!(
                "console.listen: {} is reached from elsewhere, and passwords would go there in the clear: give console.tls, or say console.behind-tls where something in front speaks TLS",
                self.listen
            ));
        }
        found.extend(self.oidc.iter().flat_map(|oidc| oidc.problems("console.oidc")));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_elsewhere_than_this_machine_a_console_is_reached_by_tls_only() {
        let tls = TlsConfig { certificate: "c.pem".into(), key: "k.pem".into() };
        for (listen, tls, behind_tls, right) in [
            ("127.0.0.1:7400", None, false, true),
            ("[::1]:7400", None, false, true),
            ("0.0.0.0:7400", None, false, false),
            ("192.0.2.1:7400", None, false, false),
            ("[::]:7400", None, false, false),
            ("0.0.0.0:7400", Some(tls), false, true),
            ("0.0.0.0:7400", None, true, true),
        ] {
            let listen = listen.parse().unwrap();
            let config =
                ConsoleConfig { listen, tls, behind_tls, ..ConsoleConfig::new("d".into()) };
            assert_eq!(config.problems().is_empty(), right, "{listen}: {:?}", config.problems());
        }
    }
}
