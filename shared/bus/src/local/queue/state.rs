//! What a queue holds: ready, taken or delayed.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::ids::Ids;
use crate::Limits;

#[derive(Debug, Default)]
pub(super) struct State {
    next_key: u64,
    entries: HashMap<u64, Entry>,
    /// May name entries that are done meanwhile.
    ready: VecDeque<u64>,
    /// When each entry that is not ready becomes so.
    returns: BTreeSet<(Instant, u64)>,
    ids: Ids,
}

#[derive(Debug)]
struct Entry {
    body: Bytes,
    /// How often it was taken; tells its present holder from an earlier one.
    turn: u64,
    /// Taken or delayed until then; `None` is ready.
    until: Option<Instant>,
}

/// An entry as its new holder gets it.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) key: u64,
    pub(super) turn: u64,
    pub(super) body: Bytes,
}

impl State {
    /// False when full. A known id is accepted and changes nothing, even when full.
    pub(super) fn offer(&mut self, id: &str, body: Bytes, limits: &Limits, now: Instant) -> bool {
        if self.ids.knows(id, limits.dedup_window(), now) {
            return true;
        }
        if self.depth() >= u64::from(limits.queue_messages) {
            return false;
        }
        self.ids.remember(id, now);
        let key = self.next_key;
        self.next_key += 1;
        self.entries.insert(key, Entry { body, turn: 0, until: None });
        self.ready.push_back(key);
        true
    }

    pub(super) fn depth(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }

    pub(super) fn take(&mut self, max: usize, ack_wait: Duration, now: Instant) -> Vec<Taken> {
        self.return_due(now);
        let mut taken = Vec::new();
        while taken.len() < max
            && let Some(key) = self.ready.pop_front()
        {
            taken.extend(self.take_one(key, now + ack_wait));
        }
        taken
    }

    /// When the next taken or delayed entry becomes ready.
    pub(super) fn next_return(&self) -> Option<Instant> {
        self.returns.first().map(|(due, _key)| *due)
    }

    /// Whoever says it is done has done it, whoever holds it now.
    pub(super) fn done(&mut self, key: u64) {
        if let Some(Entry { until: Some(until), .. }) = self.entries.remove(&key) {
            self.returns.remove(&(until, key));
        }
    }

    pub(super) fn back(&mut self, key: u64, turn: u64, delay: Duration, now: Instant) {
        let Some(entry) = self.entries.get_mut(&key).filter(|entry| entry.turn == turn) else {
            return;
        };
        let Some(until) = entry.until.replace(now + delay) else {
            // It was held too long and is ready again already.
            entry.until = None;
            return;
        };
        self.returns.remove(&(until, key));
        self.returns.insert((now + delay, key));
    }

    fn take_one(&mut self, key: u64, until: Instant) -> Option<Taken> {
        let entry = self.entries.get_mut(&key)?;
        entry.turn += 1;
        entry.until = Some(until);
        self.returns.insert((until, key));
        Some(Taken { key, turn: entry.turn, body: entry.body.clone() })
    }

    fn return_due(&mut self, now: Instant) {
        while let Some((due, key)) = self.returns.first().copied()
            && due <= now
        {
            self.returns.remove(&(due, key));
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.until = None;
                self.ready.push_back(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_who_was_too_slow_cannot_give_back_what_another_holds() {
        let (mut state, start) = (State::default(), Instant::now());
        let wait = Duration::from_secs(1);
        assert!(state.offer("a", Bytes::new(), &Limits::default(), start));
        let first = state.take(9, wait, start);
        let second = state.take(9, wait, start + wait);
        assert_eq!((first.len(), second.len()), (1, 1));

        state.back(first[0].key, first[0].turn, Duration::ZERO, start + wait);
        assert!(state.take(9, wait, start + wait).is_empty());
        state.done(first[0].key);
        assert_eq!((state.depth(), state.next_return()), (0, None));
    }

    #[test]
    fn an_id_is_new_again_after_its_window() {
        let (mut state, start) = (State::default(), Instant::now());
        let limits = Limits::default();
        for (after, depth) in [(0, 1), (119, 1), (120, 2)] {
            let now = start + Duration::from_secs(after);
            assert!(state.offer("a", Bytes::new(), &limits, now));
            assert_eq!(state.depth(), depth, "after {after} s");
        }
    }
}
