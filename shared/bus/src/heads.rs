//! The newest signed head of the log, asked for again and again.

use std::time::{Duration, SystemTime};

use domain::wire::{Consistency, Content, Query};
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::Bus;
use crate::recorder::{AskError, ask};

/// How often a producer looks at the newest head; up to a sixth more, so that not all come at once.
const EVERY: Duration = Duration::from_secs(60);
/// How soon it looks again while the recorder does not answer, or nothing was signed yet.
const SOON: Duration = Duration::from_secs(5);
/// After how many looks in vain that is told.
const IN_VAIN: u32 = 60;

/// Looks at the newest head from time to time.
#[derive(Debug)]
pub struct HeadLooks {
    bus: Bus,
    due: Instant,
    in_vain: u32,
}

impl HeadLooks {
    /// The first look is at once.
    pub fn new(bus: Bus) -> Self {
        Self { bus, due: Instant::now(), in_vain: 0 }
    }

    /// Waits until it is time and the recorder answers: the newest head with the proof that it continues the one of size `from`,
    /// or that there is none.
    pub async fn next(&mut self, from: u64) -> Option<Consistency> {
        loop {
            tokio::time::sleep_until(self.due).await;
            match self.look(from).await {
                Ok(shown) => {
                    let signed = shown.is_some() || from > 0;
                    self.due = Instant::now() + if signed { EVERY + jitter() } else { SOON };
                    self.in_vain = 0;
                    return shown;
                }
                Err(error) => self.missed(&error),
            }
        }
    }

    fn missed(&mut self, error: &AskError) {
        self.due = Instant::now() + SOON;
        self.in_vain += 1;
        if self.in_vain.is_multiple_of(IN_VAIN) {
            warn!(%error, looks = self.in_vain, "the newest head of the log could not be seen for a while");
        } else {
            debug!(%error, "the newest head was not seen");
        }
    }

    async fn look(&self, from: u64) -> Result<Option<Consistency>, AskError> {
        let answer = ask(&self.bus, &Query::Consistency { from }).await?;
        let Content::Consistency(found) = answer.content else { return Err(AskError::other()) };
        Ok(found)
    }
}

fn jitter() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    EVERY / 6 * (now.subsec_micros() % 1_000) / 1_000
}
