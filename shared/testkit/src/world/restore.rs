//! The log is brought back from an older copy: what was said since is lost, and what was done is not undone.

use anyhow::Result;
use domain::event::LogContinued;
use domain::ids::StreamId;
use tlog::{Checkpoint, Note};

use super::check::Auditor;
use super::recorder::Copy;
use super::{Node, World};

impl World {
    /// Brings the log back as it was when it held `size` events, or the whole flushes of so many, and lets it go on under another name. Every program starts
    /// again; processes go on.
    ///
    /// # Errors
    /// The rest of the log is not one: a bug.
    pub fn restore(&mut self, size: u64) -> Result<()> {
        let reached = self.log.size();
        let size = self.log.whole(size)?;
        self.say(|| format!("the log is brought back: {size} of {reached} events"));
        self.restored = true;
        let head = Checkpoint::new(&self.origin(), reached, self.log.root)?;
        let before = head.sign(&Self::log_key_named(head.origin())?)?;
        self.log.truncate(size);
        self.past = Copy::default();
        self.agenda.lose_messages();
        // Whom it told is lost too: somebody may be called once more about the same, rather than not at all.
        self.post = super::Post::default();
        let old = std::mem::take(&mut self.auditor);
        for row in &self.log.rows {
            self.auditor.take(row, self.log.leaf(row))?;
        }
        // What was done was done, whatever the log knows of it.
        (self.auditor.started, self.auditor.ended) = (old.started, old.ended);
        self.log.root = self.auditor.root();
        self.goes_on(size, reached, before)?;
        for node in Self::nodes() {
            let dark = self.rng.between(10, 4_000);
            self.crash(node, dark);
        }
        Ok(())
    }

    /// The name of the log.
    pub fn origin(&self) -> String {
        self.auditor.ledger.origin.clone().unwrap_or_default()
    }

    fn goes_on(&mut self, size: u64, reached: u64, before: String) -> Result<()> {
        let node = Node::Recorder(0);
        let (time, stream) = (self.clock(node), StreamId::continued());
        let mut copy = Copy::default();
        copy.follow(&self.log)?;
        let version = copy.streams.0.get(&stream).map_or(0, |state| state.version);
        // The name of a time that is lost may have been the same.
        let (old, origin) = (self.origin(), format!("world-{}-{reached}", version + 1));
        let (by, next) = (Self::log_key_named(&old)?, Self::log_key_named(&origin)?);
        let head_key = next.verifier_key().to_string();
        let handover = Note::sign(&LogContinued::handover_text(&old, &head_key), &[&by])?;
        let said = LogContinued {
            origin,
            head_key,
            before: Some(before),
            size,
            reached,
            restored: true,
            handover: Some(handover.to_string()),
            reason: "its disk is broken".to_owned(),
        };
        let flush = self.own_flush(&copy, 0, &stream, vec![said.into()])?;
        self.commit_own(&mut copy, &flush, time)
    }
}

impl Auditor {
    fn root(&self) -> tlog::Hash {
        self.frontier.root()
    }
}
