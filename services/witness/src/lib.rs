//! A witness: on somebody else's machine it remembers the largest head of each log it was shown, and says so only of heads
//! that continue it (C2SP tlog-witness). It knows nothing of what is in a log, and keeps a hundred bytes of each.
//!
//! | module | is about |
//! |---|---|
//! | `decide` | what is answered, and what is remembered: pure |
//! | `memory` | the file that must never go back |
//! | `serve` | HTTP |

mod decide;
mod memory;
mod serve;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use tlog::{CosignerKey, VerifierKey, WitnessKey};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What a witness is told.
#[derive(Debug, Clone)]
pub struct WitnessConfig {
    /// Its name, as it stands in what it says: a host name and a path, such as `witness.example/w1`.
    pub name: String,
    /// The address it listens on.
    pub listen: SocketAddr,
    /// Directory of its key and its memory.
    pub data: PathBuf,
    /// The keys of the logs that it knows.
    pub logs: Vec<VerifierKey>,
}

/// A witness that is ready to serve.
pub struct Witness {
    listener: TcpListener,
    state: serve::State,
    key: WitnessKey,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Witness").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Witness {
    /// Opens its key and its memory, both made at the first start, and listens.
    ///
    /// # Errors
    /// The directory cannot be used; the key is there and the memory is not; the address is taken.
    pub async fn open(
        config: WitnessConfig,
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> anyhow::Result<Self> {
        anyhow::ensure!(!config.logs.is_empty(), "name the key of at least one log");
        let dir = &config.data;
        std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        let memory = memory::Memory::open(dir)?;
        let seed = journal::load_or_create_key(&dir.join(memory::KEY))?.seed();
        let key = CosignerKey::from_seed(&config.name, &seed)
            .with_context(|| format!("{:?} cannot be the name of a witness", config.name))?;
        let public = key.witness_key();
        let listener = TcpListener::bind(config.listen).await;
        let listener = listener.with_context(|| format!("listening on {}", config.listen))?;
        let state = serve::State::new(memory, key, config.logs, clock);
        Ok(Self { listener, state, key: public })
    }

    /// The key that checks what it says: it goes into the policies of those who believe it.
    #[must_use]
    pub fn key(&self) -> &WitnessKey {
        &self.key
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Answers until it is told to stop.
    ///
    /// # Errors
    /// The listener failed.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> anyhow::Result<()> {
        let stopped = async move {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let app = serve::app(self.state);
        Ok(axum::serve(self.listener, app).with_graceful_shutdown(stopped).await?)
    }
}
