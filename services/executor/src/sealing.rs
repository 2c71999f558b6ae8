//! Encrypts what attempts left, soon after their end is in the log, and away from those that run.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::warn;

use crate::attempt::{AttemptDir, list};
use crate::host::Host;
use crate::life::blocking;

/// How long what was left may wait.
const EVERY: Duration = Duration::from_secs(5);
/// How long it may where that failed.
const AGAIN: Duration = Duration::from_secs(60);
/// Most that are remembered; more are found when the executor starts again.
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
    let found = blocking(move || Ok(list(&root)?)).await.unwrap_or_default();
    let mut waiting = found;
    loop {
        let failed = blocking(move || Ok(seal_all(waiting))).await.unwrap_or_default();
        // Those that failed wait for longer: a disk that is full is full for a while.
        let after = if failed.is_empty() { EVERY } else { AGAIN };
        failed.into_iter().for_each(|dir| host.sealing.push(dir));
        tokio::time::sleep(after).await;
        waiting = host.sealing.take();
    }
}

/// Those that could not be.
fn seal_all(dirs: Vec<AttemptDir>) -> Vec<AttemptDir> {
    let fails = |dir: &AttemptDir| match dir.seal() {
        // One that was removed meanwhile needs nothing.
        Err(error) if dir.path().exists() => {
            warn!(attempt = %dir.path().display(), %error, "what it left cannot be encrypted");
            true
        }
        Ok(()) | Err(_) => false,
    };
    dirs.into_iter().filter(fails).collect()
}
