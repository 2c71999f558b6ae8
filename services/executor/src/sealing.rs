//! Encrypts what attempts left, soon after their end is in the log, and away from those that run.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::warn;

use crate::attempt::{AttemptDir, list, sweep_keys};
use crate::host::Host;
use crate::life::blocking;

/// How long what was left may wait.
const EVERY: Duration = Duration::from_secs(5);
/// Most that are remembered; more are found when the executor starts again, or tidies up.
const WAITING_MAX: usize = 10_000;

/// Attempts whose ends are in the log, and of which what they left is not encrypted.
#[derive(Debug, Default)]
pub(crate) struct Sealing(Mutex<Vec<AttemptDir>>);

impl Sealing {
    /// Its end is in the log.
    pub(crate) fn push(&self, dir: AttemptDir) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING_MAX {
            waiting.push(dir);
        }
    }

    fn take(&self) -> Vec<AttemptDir> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Encrypts until told to stop: first what an earlier life left.
pub(crate) async fn work(host: Arc<Host>) {
    let root = host.attempts.clone();
    let found = blocking(move || {
        if let Err(error) = sweep_keys(&root) {
            warn!(%error, "keys of attempts that are gone cannot be destroyed");
        }
        Ok(list(&root)?)
    });
    let found = found.await.unwrap_or_default();
    let mut waiting = found;
    loop {
        let sealed = blocking(move || {
            seal_all(&waiting);
            Ok(())
        });
        if let Err(error) = sealed.await {
            warn!(%error, "what attempts left cannot be encrypted");
        }
        tokio::time::sleep(EVERY).await;
        waiting = host.sealing.take();
    }
}

fn seal_all(dirs: &[AttemptDir]) {
    for dir in dirs {
        // One that was removed meanwhile needs nothing.
        if let Err(error) = dir.seal()
            && dir.path().exists()
        {
            warn!(attempt = %dir.path().display(), %error, "what it left cannot be encrypted");
        }
    }
}
