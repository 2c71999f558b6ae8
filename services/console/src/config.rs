//! What a console is told.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Settings of the role `console`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ConsoleConfig {
    /// Name of this console among the consoles.
    #[serde(default = "one")]
    pub name: String,
    /// Address to listen on. Without TLS in front only loopback makes sense.
    #[serde(default = "listen")]
    pub listen: SocketAddr,
    /// Directory for its key, its journal and the first token.
    pub data: PathBuf,
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
    /// The account that somebody at this machine lets in at the start, by a code. No file says this.
    #[serde(skip)]
    pub let_in: Option<String>,
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
            join_token_file: None,
            secret_file: None,
            self_approval: None,
            let_in: None,
        }
    }

    /// Where the secret lies.
    pub(crate) fn secret(&self) -> PathBuf {
        self.secret_file.clone().unwrap_or_else(|| self.data.join("console.secret"))
    }

    /// Whether browsers come by TLS.
    pub(crate) fn is_secure(&self) -> bool {
        false
    }

    /// Everything that is wrong with it.
    pub fn problems(&self) -> Vec<String> {
        if domain::ids::is_name(&self.name) {
            return Vec::new();
        }
        vec![format!("console.name: {:?} is not a name", self.name)]
    }
}
