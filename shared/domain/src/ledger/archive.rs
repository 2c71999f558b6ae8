//! How much of the log is in files: segments, one after the other, each of so many events.
//!
//! *Invariant:* no event is said to be in a file before it is in the log, and none is passed over. Whether a file has what its event
//! says nobody can judge from the log alone; whether its root is that of the log's tree, whoever verifies can.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Body, need};
use crate::event::LogArchived;

/// Events of a segment: 64 full bundles of entries (C2SP tlog-tiles), so that its root is a hash of the log's tree.
pub const SEGMENT_EVENTS: u64 = 64 * 256;

/// What is known of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// The position of the last event that is in a file.
    pub to: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// When the recorder received the newest word of it.
    pub at: Timestamp,
}

impl Archive {
    pub(super) fn evolve(old: Option<Self>, event: &LogArchived, received: Timestamp) -> Self {
        let bytes = old.map_or(0, |old| old.bytes).saturating_add(event.bytes);
        Self { to: event.last, bytes, at: received }
    }

    /// How many segments there are.
    pub fn segments(&self) -> u64 {
        self.to / SEGMENT_EVENTS
    }
}

/// The segment that an event is in, from 0.
pub fn segment_of(position: u64) -> u64 {
    position.saturating_sub(1) / SEGMENT_EVENTS
}

/// `size` is how many events stand in front of this one.
pub(super) fn admit(size: u64, body: Option<&Body>, event: &LogArchived) -> Result<(), String> {
    let to = body.and_then(Body::archive).map_or(0, |archive| archive.to);
    need(event.first == to + 1, "one segment is archived behind the other")?;
    need(
        event.last.checked_sub(to) == Some(SEGMENT_EVENTS),
        &format!("a segment has {SEGMENT_EVENTS} events"),
    )?;
    need(event.last <= size, "nothing is archived that is not in the log yet")
}
