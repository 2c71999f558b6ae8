//! A producer's journal: what it holds is durable, whatever becomes of the program.

use std::rc::Rc;

use anyhow::Context as _;
use domain::envelope::{Draft, Place};
use domain::flush::{FLUSH_EVENTS_MAX, Flush};
use domain::ids::ProducerId;
use domain::keys::SecretKey;
use jiff::Timestamp;

use super::rng::Rng;

/// A flush on disk.
#[derive(Debug)]
pub(super) struct Stored {
    /// Its bytes.
    pub(super) bytes: Rc<[u8]>,
    /// What it says, for the program to know its own words again.
    pub(super) drafts: Vec<Draft>,
    /// Whether the recorder said that it is committed.
    pub(super) committed: bool,
}

/// A journal and the key that signs it.
#[derive(Debug)]
pub(super) struct Journal {
    /// Whose.
    pub(super) source: ProducerId,
    /// Its key.
    pub(super) key: SecretKey,
    /// Everything ever said, in order.
    pub(super) flushes: Vec<Stored>,
    place: Place,
}

impl Journal {
    /// An empty journal.
    pub(super) fn new(source: ProducerId, key: SecretKey) -> Self {
        Self { source, key, flushes: Vec::new(), place: Place::default() }
    }

    /// Writes drafts, signed; afterwards they are durable.
    pub(super) fn append(
        &mut self,
        drafts: Vec<Draft>,
        time: Timestamp,
        rng: &mut Rng,
    ) -> anyhow::Result<()> {
        for drafts in drafts.chunks(FLUSH_EVENTS_MAX) {
            let mut envelopes = Vec::new();
            for draft in drafts {
                let id = rng.uuid(time.as_millisecond());
                let sealed = self.place.seal(&self.source, draft.clone(), id, time);
                envelopes.push(sealed.with_context(|| format!("{} seals {draft:?}", self.source))?);
            }
            let flush = Flush::sign(envelopes, &self.key)?;
            let (bytes, drafts) = (flush.to_bytes().into(), drafts.to_vec());
            self.flushes.push(Stored { bytes, drafts, committed: false });
        }
        Ok(())
    }

    /// The oldest flushes that are not known to be committed, at most `window`.
    pub(super) fn unsent(&self, window: usize) -> Vec<(usize, Rc<[u8]>)> {
        let open = self.flushes.iter().enumerate().filter(|(_, flush)| !flush.committed);
        open.take(window).map(|(index, flush)| (index, flush.bytes.clone())).collect()
    }

    /// How many events it holds.
    pub(super) fn events(&self) -> u64 {
        self.place.pseq
    }
}
