//! Whether what this recorder is given gets into the log. It answers questions all the same where it cannot write, because the
//! database can still be read: whoever asks for the head is told.

use std::sync::{Arc, Mutex, PoisonError};

use domain::wire::Stuck;
use eventlog::LogError;
use jiff::Timestamp;
use tracing::{info, warn};

/// How it ended to write last. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Commits(Arc<Mutex<Option<Stuck>>>);

impl Commits {
    /// Something is in the log.
    pub(crate) fn went_well(&self) {
        if let Some(stuck) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            info!(since = %stuck.since, "the log is written again");
        }
    }

    /// Something could not be written. It is said once for each reason.
    pub(crate) fn failed(&self, error: &LogError, now: Timestamp) {
        let why = error.to_string();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_none_or(|stuck| stuck.why != why) {
            warn!(error = %why, "the log could not be written; whoever has something to say says it again");
        }
        let since = known.as_ref().map_or(now, |stuck| stuck.since);
        *known = Some(Stuck { since, why });
    }

    /// Since when nothing could be written, and why.
    pub(crate) fn stuck(&self) -> Option<Stuck> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_since_the_first_failure_and_until_something_is() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let full = || LogError::Archived { position: 7 };
        let commits = Commits::default();
        commits.went_well();
        assert_eq!(commits.stuck(), None);
        commits.failed(&LogError::Fenced, at(1));
        commits.failed(&full(), at(2));
        let stuck = Stuck { since: at(1), why: full().to_string() };
        assert_eq!(commits.stuck(), Some(stuck));
        commits.went_well();
        assert_eq!(commits.stuck(), None);
    }
}
