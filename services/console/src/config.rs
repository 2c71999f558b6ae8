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
    /// Whether one person may approve their own change. Said in the log when it differs from what the
    /// log says.
    #[serde(default)]
    pub self_approval: bool,
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
        Self { name: one(), listen: listen(), data, join_token_file: None, self_approval: false }
    }

    /// Everything that is wrong with it.
    pub fn problems(&self) -> Vec<String> {
        if domain::ids::is_name(&self.name) {
            return Vec::new();
        }
        vec![format!("console.name: {:?} is not a name", self.name)]
    }
}
