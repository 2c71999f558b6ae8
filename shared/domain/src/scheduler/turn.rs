//! Whose turn it is.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::plus_ms;
use crate::canonical::Digest;
use crate::ids::StreamId;

/// How long a scheduler counts as alive after it was heard, milliseconds.
const ALIVE_MS: i64 = 6_000;

#[derive(Debug)]
pub(super) struct Peers {
    own: String,
    others: BTreeMap<String, Timestamp>,
}

impl Peers {
    pub(super) fn new(own: &str) -> Self {
        Self { own: own.to_owned(), others: BTreeMap::new() }
    }

    pub(super) fn heard(&mut self, id: &str, now: Timestamp) {
        if id != self.own {
            self.others.insert(id.to_owned(), now);
        }
    }

    pub(super) fn forget_silent(&mut self, now: Timestamp) {
        self.others.retain(|_, heard| plus_ms(*heard, ALIVE_MS) > now);
    }

    /// How many of the others have the turn for `stream` before this one: a hash of stream and name
    /// spreads the turns evenly, and every scheduler computes the same order.
    pub(super) fn before_me(&self, stream: &StreamId) -> i64 {
        if self.others.is_empty() {
            return 0;
        }
        let weight = |id: &str| Digest::of(format!("{stream} {id}").as_bytes());
        let own = weight(&self.own);
        let before = self.others.keys().filter(|id| weight(id) < own).count();
        i64::try_from(before).unwrap_or(i64::MAX)
    }
}
