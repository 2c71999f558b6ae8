//! Until when something is waited for.

use std::time::{Duration, Instant};

/// Longer than anybody waits.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The instant after so long; a year from now where there is none.
pub(crate) fn in_time(patience: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(patience).unwrap_or(now + LONGEST)
}
