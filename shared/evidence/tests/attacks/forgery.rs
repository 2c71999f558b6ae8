//! What somebody with stolen keys can do to a log.

use domain::canonical::{Digest, canonical};
use domain::envelope::{Draft, Place};
use domain::keys::{Seal, SecretKey};
use domain::leaf::Leaf;
use serde_json::Value;

use super::site::event;

/// A log that somebody rewrites.
#[derive(Clone)]
pub(crate) struct Forged {
    pub(crate) leaves: Vec<Vec<u8>>,
}

impl Forged {
    pub(crate) fn of(leaves: &[Vec<u8>]) -> Self {
        Self { leaves: leaves.to_vec() }
    }

    /// Says something else at an index, and leaves the signatures as they are.
    pub(crate) fn say(mut self, index: usize, change: impl FnOnce(&mut Value)) -> Self {
        let mut leaf = Leaf::from_bytes(&self.leaves[index]).unwrap();
        let mut event: Value = serde_json::from_slice(&leaf.envelope).unwrap();
        change(&mut event);
        leaf.envelope = canonical(&event).unwrap();
        self.leaves[index] = leaf.to_bytes();
        self
    }

    /// Changes a leaf beside its envelope.
    pub(crate) fn leaf(mut self, index: usize, change: impl FnOnce(&mut Leaf)) -> Self {
        let mut leaf = Leaf::from_bytes(&self.leaves[index]).unwrap();
        change(&mut leaf);
        self.leaves[index] = leaf.to_bytes();
        self
    }

    pub(crate) fn remove(mut self, index: usize) -> Self {
        self.leaves.remove(index);
        self
    }

    /// Says one more event, by the producer of this class and its own key.
    pub(crate) fn say_next(self, class: &str, draft: Draft, keys: &[SecretKey]) -> Self {
        self.say_all(class, vec![draft], keys)
    }

    /// The same, of several.
    pub(crate) fn say_all(mut self, class: &str, drafts: Vec<Draft>, keys: &[SecretKey]) -> Self {
        let at = (0..self.leaves.len()).rev().find(|at| self.source(*at).starts_with(class));
        let at = at.unwrap();
        let (source, key) = (self.source(at), self.key_of(&self.source(at), keys).clone());
        let before = Leaf::from_bytes(&self.leaves[at]).unwrap();
        let pseq = event(&self.leaves[at])["pseq"].as_u64().unwrap();
        let mut place = Place { pseq, last: Digest::of(&before.envelope) };
        let received = Leaf::from_bytes(self.leaves.last().unwrap()).unwrap().received;
        let source = source.parse().unwrap();
        for draft in drafts {
            let id = format!("0190a1b2-0000-7000-8000-{:012x}", self.leaves.len());
            let envelope = place.seal(&source, draft, id.parse().unwrap(), received).unwrap();
            let seals = vec![key.sign(&envelope)];
            self.leaves.push(Leaf { received, envelope, seals }.to_bytes());
        }
        self
    }

    /// The producer of an event.
    pub(crate) fn source(&self, index: usize) -> String {
        event(&self.leaves[index])["source"].as_str().unwrap().to_owned()
    }

    /// Numbers, chains and signs all events of a producer anew: what its key is good for.
    pub(crate) fn chain(mut self, source: &str, key: &SecretKey) -> Self {
        let (mut pseq, mut last) = (0_u64, Digest::NONE);
        for index in 0..self.leaves.len() {
            if self.source(index) != source {
                continue;
            }
            pseq += 1;
            self = self.say(index, |event| {
                event["pseq"] = pseq.into();
                event["pprev"] = last.to_string().into();
            });
            let mut leaf = Leaf::from_bytes(&self.leaves[index]).unwrap();
            last = Digest::of(&leaf.envelope);
            if !leaf.seals.is_empty() {
                leaf.seals = vec![key.sign(&leaf.envelope)];
            }
            self.leaves[index] = leaf.to_bytes();
        }
        self
    }

    /// The same for every producer, by whichever of the keys is its own.
    pub(crate) fn chain_all(mut self, keys: &[SecretKey]) -> Self {
        let mut sources: Vec<String> = (0..self.leaves.len()).map(|at| self.source(at)).collect();
        sources.sort();
        sources.dedup();
        for source in sources {
            let key = self.key_of(&source, keys).clone();
            self = self.chain(&source, &key);
        }
        self
    }

    pub(crate) fn key_of<'k>(&self, source: &str, keys: &'k [SecretKey]) -> &'k SecretKey {
        let own = |leaf: &&Vec<u8>| event(leaf)["source"] == source;
        let seals =
            self.leaves.iter().filter(own).flat_map(|leaf| Leaf::from_bytes(leaf).unwrap().seals);
        let ids: Vec<Digest> = seals.map(|seal: Seal| seal.key).collect();
        keys.iter().find(|key| ids.contains(&key.public().id())).unwrap()
    }
}
