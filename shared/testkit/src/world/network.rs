//! Messages: how they are lost, and how journals are delivered although they are.

use std::rc::Rc;

use anyhow::Result;
use domain::wire::{AppendAnswer, Committed};

use super::step::{Act, MS, Message, SECOND, Step};
use super::{Node, RECORDERS, World};

/// Flushes under way at once.
const WINDOW: usize = 4;

impl World {
    /// Sends a message, as well as the network is today.
    pub(super) fn send(&mut self, from: Node, to: Node, message: &Message) {
        let machine = self.machine(from);
        if machine.cut || (machine.mute && matches!(message, Message::Append { .. })) {
            return;
        }
        let chaos = &self.chaos;
        let (lost, doubled, slow) = (chaos.lost, chaos.doubled, chaos.slow);
        let copies = 1 + usize::from(self.rng.chance(doubled));
        for _ in 0..copies {
            if self.rng.chance(lost) {
                continue;
            }
            let most = if self.rng.chance(slow) { 4 * SECOND } else { 40 * MS };
            let after = self.rng.between(MS, most);
            self.plan(after, Step::Deliver { to, message: message.clone() });
        }
    }

    /// Sends what the journal holds and the recorder has not answered; again, until it has.
    pub(super) fn pump(&mut self, node: Node) {
        let Some(journal) = self.journals.get(&node) else { return };
        // An outbox sends what follows in one message with what it follows; so much matters where a recorder cannot see a gap.
        let open = journal.unsent(if self.restored { 1 } else { WINDOW });
        if open.is_empty() {
            return;
        }
        let recorder = Node::Recorder(self.rng.index(RECORDERS));
        for (flush, bytes) in open {
            self.send(node, recorder, &Message::Append { from: node, flush, bytes });
        }
        self.plan_soon(node, SECOND / 2, 2 * SECOND, Act::Pump);
    }

    /// The recorder answered a flush.
    pub(super) fn hear_answer(
        &mut self,
        to: Node,
        flush: usize,
        answer: &AppendAnswer,
    ) -> Result<()> {
        match answer {
            AppendAnswer::Committed { events, .. } => self.hear_committed(to, flush, events)?,
            AppendAnswer::Busy { .. } => self.plan_soon(to, 50 * MS, 300 * MS, Act::Pump),
            AppendAnswer::Enrolled
            | AppendAnswer::Waiting
            | AppendAnswer::NotEnrolled
            | AppendAnswer::Refused { .. } => {
                self.wrong(format!("{to} is answered {answer:?} about its flush {flush}"));
            }
        }
        Ok(())
    }

    fn hear_committed(&mut self, to: Node, flush: usize, events: &[Committed]) -> Result<()> {
        let stored = self.journals.get_mut(&to).and_then(|journal| journal.flushes.get_mut(flush));
        let Some(stored) = stored else { return Ok(()) };
        if std::mem::replace(&mut stored.committed, true) {
            return Ok(());
        }
        let drafts = stored.drafts.clone();
        // It is marked as delivered on disk before the program acts on it: the program may die between.
        if self.dies(to, super::Moment::BeforeAct) {
            return Ok(());
        }
        for (draft, committed) in drafts.iter().zip(events) {
            self.say(|| {
                let mark = committed.mark.void().unwrap_or_else(|| "valid".to_owned());
                format!("{to} learns that {} {} is {mark}", draft.event.kind(), draft.stream)
            });
            match to {
                Node::Scheduler(i) => self.scheduler_answered(i, draft, &committed.mark),
                Node::Executor(i) => self.executor_answered(i, draft, &committed.mark)?,
                Node::Recorder(_) | Node::Console => {}
            }
        }
        self.plan_own(to, MS, Act::Pump);
        Ok(())
    }

    /// Tells everybody that the log has grown.
    pub(super) fn nudge(&mut self, from: Node) {
        let size = self.log.size();
        for node in Self::nodes().filter(|n| matches!(n, Node::Scheduler(_) | Node::Executor(_))) {
            self.send(from, node, &Message::Feed { size });
        }
    }

    /// Sends a heartbeat to the schedulers.
    pub(super) fn beat(&mut self, from: Node, beat: domain::wire::Heartbeat) {
        if self.silent {
            return;
        }
        let message = Message::Beat(Rc::new(beat));
        for i in 0..super::SCHEDULERS {
            self.send(from, Node::Scheduler(i), &message);
        }
    }

    /// The log has grown.
    pub(super) fn hear_feed(&mut self, to: Node, size: u64) {
        match to {
            Node::Scheduler(i) if self.schedulers[i].position() < size => {
                self.plan_own(to, MS, Act::Fetch);
            }
            Node::Executor(_) => self.plan_own(to, MS, Act::Watch),
            Node::Scheduler(_) | Node::Recorder(_) | Node::Console => {}
        }
    }
}
