//! Waiting for a condition. A test that sleeps is slow on a fast machine and wrong on a slow one.

use std::future::Future;
use std::time::{Duration, Instant};

/// The first pause between two looks.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// The longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Looks at `condition` until it holds.
///
/// # Errors
/// After `timeout`, an error that names `what` was waited for.
pub fn until(
    what: &str,
    timeout: Duration,
    mut condition: impl FnMut() -> bool,
) -> anyhow::Result<()> {
    let mut pauses = Pauses::new(timeout);
    while !condition() {
        std::thread::sleep(pauses.next(what)?);
    }
    Ok(())
}

/// The same for a condition that has to be awaited.
///
/// # Errors
/// After `timeout`, an error that names `what` was waited for. A look that never ends is cut short.
pub async fn until_async<F, C>(
    what: &str,
    timeout: Duration,
    mut condition: F,
) -> anyhow::Result<()>
where
    F: FnMut() -> C,
    C: Future<Output = bool>,
{
    let looking = async {
        let mut pauses = Pauses::new(timeout);
        while !condition().await {
            tokio::time::sleep(pauses.next(what)?).await;
        }
        Ok(())
    };
    match tokio::time::timeout(timeout, looking).await {
        Ok(result) => result,
        Err(_elapsed) => Err(gave_up(what, timeout)),
    }
}

struct Pauses {
    began: Instant,
    timeout: Duration,
    pause: Duration,
}

impl Pauses {
    fn new(timeout: Duration) -> Pauses {
        Pauses { began: Instant::now(), timeout, pause: FIRST_PAUSE }
    }

    fn next(&mut self, what: &str) -> anyhow::Result<Duration> {
        if self.began.elapsed() >= self.timeout {
            return Err(gave_up(what, self.timeout));
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        Ok(pause)
    }
}

fn gave_up(what: &str, timeout: Duration) -> anyhow::Error {
    anyhow::anyhow!("waited {timeout:?} in vain for: {what}")
}
