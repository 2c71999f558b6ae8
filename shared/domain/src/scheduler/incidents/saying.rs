//! What waits is said in the log, in its order, once.

use jiff::Timestamp;

use super::super::{Action, REFUSED_MS, Scheduler, plus_ms};
use super::{About, Known, TRIES, Word};
use crate::envelope::Draft;
use crate::event::{
    IncidentCleared, IncidentNotificationEnded, IncidentOpened, IncidentRecurred, Sent,
};
use crate::ids::StreamId;

impl Scheduler {
    pub(in crate::scheduler) fn say_words(
        &mut self,
        now: Timestamp,
        most: usize,
        actions: &mut Vec<Action>,
    ) {
        let names: Vec<StreamId> = self.incidents.waiting.keys().cloned().collect();
        for of in names {
            if actions.len() >= most {
                return;
            }
            // What it would be is found out only where it may be said: that reads definitions.
            let front = self.incidents.waiting.get(&of).and_then(|waiting| waiting.words.front());
            let since = front.map(|(since, _)| *since);
            let turn = |since| self.wait_for_turn(&of, since, now).is_none();
            if self.is_said_of(&of) || !since.is_none_or(turn) {
                continue;
            }
            if let Some((draft, since)) = self.next_word(&of, now) {
                let busy = self.is_being_said(&draft.stream, actions);
                if !busy && self.wait_for_turn(&of, since, now).is_none() {
                    actions.push(Action::Append(draft));
                }
            }
        }
    }

    /// The next of what is to be said of something; what is said already, or concerns nobody, is let go.
    pub(in crate::scheduler) fn next_word(
        &mut self,
        of: &StreamId,
        now: Timestamp,
    ) -> Option<(Draft, Timestamp)> {
        loop {
            let waiting = self.incidents.waiting.get(of)?;
            if waiting.not_before.is_some_and(|at| at > now) {
                return None;
            }
            let Some((since, word)) = waiting.words.front().cloned() else {
                self.incidents.waiting.remove(of);
                return None;
            };
            match self.draft_of(of, &word) {
                Some(draft) => return Some((draft, since)),
                None => self.let_go(of),
            }
        }
    }

    /// Whether something of this stream is on its way to the log, or will be after this tick.
    pub(super) fn is_being_said(&self, stream: &StreamId, actions: &[Action]) -> bool {
        let said = |action: &Action| matches!(action, Action::Append(d) if d.stream == *stream);
        self.pending.contains_key(stream) || actions.iter().any(said)
    }

    pub(in crate::scheduler) fn let_go(&mut self, of: &StreamId) {
        if let Some(waiting) = self.incidents.waiting.get_mut(of) {
            waiting.words.pop_front();
            (waiting.refused, waiting.not_before) = (0, None);
        }
    }

    fn draft_of(&self, of: &StreamId, word: &Word) -> Option<Draft> {
        let known = self.incidents.known.get(of);
        let open = known.filter(|known| known.incident.is_open());
        match word {
            Word::Trouble(trouble, at) => {
                let cover = self.cover(of)?;
                // What began before anybody cared and lasts is one from then on.
                let lasts = trouble.lasts() && cover.since > *at;
                let at = &if lasts { cover.since } else { *at };
                if cover.since > *at {
                    return None;
                }
                if known.is_some_and(|known| known.incident.has_seen(trouble, *at)) {
                    return None;
                }
                let (severity, trouble, at) = (cover.severity, trouble.clone(), *at);
                Some(match open {
                    Some(known) => {
                        let none = known.incident.tree.is_none();
                        let tree = cover.tree.filter(|_| none);
                        let event = IncidentRecurred { severity, trouble, at, tree };
                        Draft::new(known.incident.id(), known.version + 1, event)
                    }
                    None => {
                        let number = known.map_or(1, |known| known.incident.number + 1);
                        let event = IncidentOpened { severity, trouble, at, tree: cover.tree };
                        Draft::new(StreamId::incident(of, number), 1, event)
                    }
                })
            }
            Word::Cleared(reason, over) => {
                let goes_on = known.filter(|known| known.incident.goes_on());
                let ends = |known: &&Known| {
                    known.incident.troubles.last().is_some_and(|seen| over.ends(seen))
                };
                let known = goes_on.filter(ends)?;
                let event = IncidentCleared { reason: reason.clone() };
                Some(Draft::new(known.incident.id(), known.version + 1, event))
            }
            Word::Ended(id, ended) => {
                let known = known.filter(|known| known.incident.id() == *id)?;
                let call = known.incident.call(ended.step, ended.call)?;
                call.ended
                    .is_none()
                    .then(|| Draft::new(id.clone(), known.version + 1, ended.clone()))
            }
        }
    }

    /// The log refused what was said of an incident, or it could not be brought there.
    pub(in crate::scheduler) fn incident_failed(
        &mut self,
        id: &StreamId,
        refused: bool,
        at: Timestamp,
    ) {
        let Some((of, _)) = id.incident_parts() else { return };
        if let Some(known) = self.incidents.known.get_mut(&of) {
            known.refused += u32::from(refused);
            // What is refused again and again is tried ever less often.
            known.look = Some(plus_ms(at, REFUSED_MS << known.refused.min(12)));
        }
        let Some(waiting) = self.incidents.waiting.get_mut(&of) else { return };
        waiting.not_before = Some(at);
        waiting.refused += u32::from(refused);
        if waiting.refused >= TRIES {
            self.let_go(&of);
        }
    }

    /// What became of a message.
    pub fn sent(&mut self, about: &About, sent: &Sent, now: Timestamp) {
        if let Some(state) = about.incident.call(about.step, about.call) {
            self.incidents.flying.remove(&state.call);
        }
        let (of, id) = (about.incident.of.clone(), about.incident.id());
        let (step, call) = (about.step, about.call);
        let ended = IncidentNotificationEnded { step, call, sent: sent.clone() };
        let waiting = self.incidents.waiting.entry(of).or_default();
        waiting.words.push_back((now, Word::Ended(id, ended)));
    }
}
