//! The newest signed head of the log, asked for again and again.

use std::time::Duration;

use domain::wire::{Content, Continuation, Query};
use tokio::time::Instant;

use crate::Bus;
use crate::recorder::{AskError, ask};

/// How often a producer looks at the newest head.
const EVERY: Duration = Duration::from_secs(60);
/// How soon it looks again while the recorder cannot answer, or nothing was signed.
const SOON: Duration = Duration::from_secs(2);

/// Looks at the newest head from time to time.
#[derive(Debug)]
pub struct HeadLooks {
    bus: Bus,
    due: Instant,
}

impl HeadLooks {
    /// The first look is at once.
    pub fn new(bus: Bus) -> Self {
        Self { bus, due: Instant::now() }
    }

    /// Waits until it is time and there is a head: the newest one, with the proof that it continues the one of size `from`.
    pub async fn next(&mut self, from: u64) -> Continuation {
        loop {
            tokio::time::sleep_until(self.due).await;
            let found = self.look(from).await;
            self.due = Instant::now() + if found.is_ok() { EVERY } else { SOON };
            match found {
                Ok(shown) => return shown,
                Err(error) => tracing::debug!(%error, "the newest head was not seen"),
            }
        }
    }

    async fn look(&self, from: u64) -> Result<Continuation, AskError> {
        let Content::Continuation(found) =
            ask(&self.bus, &Query::Continuation { from }).await?.content
        else {
            return Err(AskError::other());
        };
        found.ok_or_else(|| AskError::Failed("nothing was signed yet".to_owned()))
    }
}
