//! The archive: whole segments of the log move into files, and what the log says to be there is forgotten where it was.

use anyhow::Result;
use domain::canonical::Digest;
use domain::event::{Event, LogArchived, LogHeadSigned};
use domain::flush::FLUSH_EVENTS_MAX;
use domain::ids::StreamId;
use domain::ledger::{SEGMENT_EVENTS, segment_of};
use tlog::{Frontier, leaf_hash};

use super::recorder::Copy;
use super::step::{Act, SECOND};
use super::{Moment, Node, World};

impl World {
    /// A random world whose log has a long idle past, and is archived while things break.
    ///
    /// # Errors
    /// The log could not be created: a bug.
    pub fn random_with_past(seed: u64) -> Result<Self> {
        let mut world = Self::random(seed)?;
        let segment = i64::try_from(SEGMENT_EVENTS)?;
        // It fills its first segment, and some its second, while things break or before.
        let events =
            world.rng.between(segment - 300, segment + 300) + world.rng.pick(&[0, segment]);
        world.idle(u64::try_from(events)?)?;
        world.archives = true;
        Ok(world)
    }

    /// How many segments of the log are in files, as the log says, and how many of its events are nowhere else.
    pub fn archived(&self) -> (u64, usize) {
        let state = self.auditor.streams.0.get(&StreamId::archive());
        let archive = state.and_then(|state| state.body.archive());
        let away = self.log.rows.iter().filter(|row| row.leaf.is_empty()).count();
        (archive.map_or(0, |archive| archive.segments()), away)
    }

    /// Heartbeats of the first recorder, until the log holds this many events.
    fn idle(&mut self, events: u64) -> Result<()> {
        let mut copy = Copy::default();
        copy.follow(&self.log)?;
        while copy.ledger.size < events {
            let count = usize::try_from(events - copy.ledger.size)?.min(FLUSH_EVENTS_MAX);
            let (size, root) = (copy.ledger.size, Digest(copy.frontier.root().0));
            let beats = vec![Event::from(LogHeadSigned { size, root }); count];
            let flush = self.own_flush(&copy, 0, &StreamId::log("main"), beats)?;
            self.commit_own(&mut copy, &flush, self.clock(Node::Recorder(0)))?;
        }
        self.past = copy;
        Ok(())
    }

    /// A recorder looks whether a segment is full, writes its file, says so, and forgets what the log says to be in files. It may
    /// die between any two of these.
    pub(super) fn archive(&mut self, i: usize) -> Result<()> {
        let node = Node::Recorder(i);
        self.plan_soon(node, SECOND, 20 * SECOND, Act::Archive);
        if self.machine(node).cut {
            return Ok(());
        }
        self.reload(i)?;
        let known = |world: &Self| {
            let state = world.recorders[i].copy.streams.0.get(&StreamId::archive());
            state.and_then(|state| state.body.archive()).map_or(0, |archive| archive.to)
        };
        let to = known(self);
        if self.log.size() >= to + SEGMENT_EVENTS {
            let event = self.write_file(to)?;
            if self.dies(node, Moment::BeforeSend) {
                return Ok(());
            }
            let mut copy = std::mem::take(&mut self.recorders[i].copy);
            let flush = self.own_flush(&copy, i, &StreamId::archive(), vec![event.into()])?;
            // Two that find the same segment full say so one after the other here: the second finds it said.
            self.commit_own(&mut copy, &flush, self.clock(node))?;
            self.recorders[i].copy = copy;
            self.say(|| format!("{node} has archived what follows {to}"));
            if self.dies(node, Moment::BeforeAct) {
                return Ok(());
            }
        }
        let to = known(self);
        self.log.forget(to);
        Ok(())
    }

    /// Writes the file of the segment behind a position, where it is not there; what there is to be said of it.
    fn write_file(&mut self, to: u64) -> Result<LogArchived> {
        let (segment, events) = (segment_of(to + 1), usize::try_from(SEGMENT_EVENTS)?);
        let rows = self.log.after(to, events).iter();
        let leaves: Vec<Vec<u8>> = rows.map(|row| self.log.leaf(row).to_vec()).collect();
        let mut tree = Frontier::new();
        leaves.iter().for_each(|leaf| tree.push(leaf_hash(leaf)));
        let bytes = leaves.concat();
        let said = LogArchived {
            first: to + 1,
            last: to + SEGMENT_EVENTS,
            root: Digest(tree.root().0),
            sha256: Digest::of(&bytes),
            bytes: bytes.len() as u64,
        };
        self.log.files.entry(segment).or_insert(leaves);
        Ok(said)
    }
}
