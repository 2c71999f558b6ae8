//! Which ids were offered lately.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::DEDUP_IDS;

#[derive(Debug, Default)]
pub(super) struct Ids {
    known: HashSet<String>,
    oldest_first: VecDeque<(Instant, String)>,
}

impl Ids {
    /// Whether `id` was remembered within `window`.
    pub(super) fn knows(&mut self, id: &str, window: Duration, now: Instant) -> bool {
        while self.oldest_first.front().is_some_and(|(since, _id)| *since + window <= now) {
            self.forget_oldest();
        }
        self.known.contains(id)
    }

    pub(super) fn remember(&mut self, id: &str, now: Instant) {
        if self.known.insert(id.to_owned()) {
            self.oldest_first.push_back((now, id.to_owned()));
        }
        while self.oldest_first.len() > DEDUP_IDS {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_since, id)) = self.oldest_first.pop_front() {
            self.known.remove(&id);
        }
    }
}
