//! People are called: level after level, each message once.

use jiff::Timestamp;

use super::super::{Action, PENDING_MS_MAX, Scheduler, plus_ms};
use super::{About, Begun, GATHER_MS, Known, Outgoing};
use crate::canonical::Digest;
use crate::envelope::Draft;
use crate::event::{
    Call, Event, IncidentEvent, IncidentNotificationBegun, IncidentNotificationEnded, Sent,
};
use crate::ids::StreamId;
use crate::incident::calls::{Next, SENDING_MS, next};
use crate::incident::message::TOLD_MAX;
use crate::incident::{DEFAULT_TREE, Incident};

/// How many messages are on their way at once from one scheduler.
pub const SENDERS: usize = 8;

/// The word of a link: nobody guesses it who does not know the secret.
fn link_word(secret: &[u8; 32], incident: &StreamId, step: u32, call: u32) -> String {
    let text = format!("{incident} {step} {call}");
    let digest = Digest::of(&[secret.as_slice(), text.as_bytes()].concat());
    digest.to_string().chars().take(32).collect()
}

impl Scheduler {
    pub(in crate::scheduler) fn call_people(
        &mut self,
        now: Timestamp,
        most: usize,
        actions: &mut Vec<Action>,
    ) {
        let due = |known: &Known| known.look.is_some_and(|at| at <= now);
        let all = self.incidents.known.iter().filter(|(_, known)| due(known));
        let names: Vec<StreamId> = all.map(|(of, _)| of.clone()).collect();
        for of in names {
            if actions.len() >= most {
                return;
            }
            let look = self.look_at_incident(&of, now, actions);
            if let Some(known) = self.incidents.known.get_mut(&of) {
                known.look = look;
            }
        }
    }

    /// Acts on one incident and says when to look again.
    pub(in crate::scheduler) fn look_at_incident(
        &self,
        of: &StreamId,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Option<Timestamp> {
        let known = self.incidents.known.get(of)?;
        let id = known.incident.id();
        if self.is_being_said(&id, actions) {
            return Some(plus_ms(now, 1_000));
        }
        let mut again: Option<Timestamp> = None;
        let mut say = |since: Timestamp, event: Event| match self.wait_for_turn(of, since, now) {
            Some(until) => Some(until),
            None => {
                actions.push(Action::Append(Draft::new(id.clone(), known.version + 1, event)));
                Some(plus_ms(now, PENDING_MS_MAX))
            }
        };
        if let Some((since, ended)) = lost_call(&known.incident) {
            if since <= now {
                return say(since, IncidentEvent::IncidentNotificationEnded(ended).into());
            }
            again = Some(since);
        }
        if let Some((since, begun)) = self.first_unsent(&known.incident, now) {
            return say(since, IncidentEvent::IncidentNotificationBegun(begun).into());
        }
        if self.settings.link_secret.is_some() && known.incident.unsent().next().is_some() {
            // Its contact is being told of something else.
            again = again.into_iter().chain([plus_ms(now, GATHER_MS)]).min();
        }
        let next = match self.next_call(&known.incident, now) {
            Next::Nothing => None,
            Next::At(at) => Some(at),
            Next::Escalate(since, event) => say(since, event.into()),
        };
        again.into_iter().chain(next).min()
    }

    pub(in crate::scheduler) fn next_call(&self, incident: &Incident, now: Timestamp) -> Next {
        let Some(own) = incident.tree.as_deref() else { return Next::Nothing };
        // Where its own tree is gone the usual one takes its place.
        let tree = self.site.tree_version(own).or_else(|| self.site.tree_version(DEFAULT_TREE));
        let Some((tree, number)) = tree else { return Next::Nothing };
        let names = tree.names();
        let almanac = self.schedules.calendars.almanac(&names, Timestamp::MAX);
        // Without its calendars nobody is on holiday.
        let almanac = almanac.map(|(almanac, _)| almanac).unwrap_or_default();
        next(incident, (tree, number), &almanac, now)
    }

    /// The first message that nobody has begun to send, where this scheduler sends any.
    pub(in crate::scheduler) fn first_unsent(
        &self,
        incident: &Incident,
        now: Timestamp,
    ) -> Option<(Timestamp, IncidentNotificationBegun)> {
        let secret = self.settings.link_secret.as_ref()?;
        let (step, call, _) = incident.unsent().find(|(.., call)| self.is_free(call, now))?;
        let since = incident.step(step)?.at;
        let word = link_word(secret, &incident.id(), step, call);
        let link = Digest::of(word.as_bytes());
        Some((since, IncidentNotificationBegun { step, call, link }))
    }

    /// Whether a message can be sent soon: a contact is told by one way one message at a time, and a message that waits long
    /// would be lost before it is sent. What is begun in the same tick is not counted: those wait for a sender.
    fn is_free(&self, call: &Call, now: Timestamp) -> bool {
        let flies = |since: &Timestamp| plus_ms(*since, SENDING_MS) > now;
        let flying = self.incidents.flying.values().filter(|since| flies(since)).count();
        let busy = self.incidents.flying.get(call).is_some_and(flies);
        let gathered = self.incidents.begun.get(call).map_or(0, |(_, begun)| begun.len());
        let others = self.incidents.begun.len() + flying;
        let room = gathered > 0 || others < SENDERS;
        !busy && room && gathered < TOLD_MAX
    }

    /// A message may be sent where this process has begun it: nobody else knows its link.
    pub(in crate::scheduler) fn note_begun_call(
        &mut self,
        incident: &Incident,
        e: &IncidentNotificationBegun,
        now: Timestamp,
    ) {
        let Some(secret) = &self.settings.link_secret else { return };
        let id = incident.id();
        let link = link_word(secret, &id, e.step, e.call);
        let state = incident.call(e.step, e.call);
        let Some(state) = state.filter(|_| Digest::of(link.as_bytes()) == e.link) else { return };
        let begun = Begun { incident: id, step: e.step, call: e.call, link };
        let entry = self.incidents.begun.entry(state.call.clone()).or_insert((now, Vec::new()));
        entry.1.push(begun);
    }

    /// Messages to the same contact by the same way go as one.
    pub(in crate::scheduler) fn send_gathered(
        &mut self,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        self.incidents.flying.retain(|_, since| plus_ms(*since, SENDING_MS) > now);
        let ready = |since: Timestamp| plus_ms(since, GATHER_MS) <= now;
        let calls: Vec<Call> = self
            .incidents
            .begun
            .iter()
            .filter(|(call, (since, _))| {
                ready(*since) && !self.incidents.flying.contains_key(*call)
            })
            .map(|(call, _)| call.clone())
            .collect();
        for call in calls {
            let Some((_, begun)) = self.incidents.begun.remove(&call) else { continue };
            let about: Vec<About> = begun.into_iter().filter_map(|one| self.about(one)).collect();
            if !about.is_empty() {
                self.incidents.flying.insert(call.clone(), now);
                actions.push(Action::Send(Box::new(Outgoing { call, about })));
            }
        }
    }

    fn about(&self, begun: Begun) -> Option<About> {
        let (of, number) = begun.incident.incident_parts()?;
        let known = self.incidents.known.get(&of).filter(|k| k.incident.number == number)?;
        let incident = known.incident.clone();
        // Of what counts as lost nothing is sent any more.
        let call = incident.call(begun.step, begun.call)?;
        if call.ended.is_some() {
            return None;
        }
        Some(About { incident, step: begun.step, call: begun.call, link: begun.link })
    }
}

/// A message that is on its way for too long: nobody knows what became of it.
fn lost_call(incident: &Incident) -> Option<(Timestamp, IncidentNotificationEnded)> {
    let steps = incident.steps.iter();
    let calls =
        steps.flat_map(|step| (1..).zip(&step.calls).map(|(n, call)| (step.number, n, call)));
    let lost = calls.filter_map(|(step, call, state)| {
        let (begun, _) = state.begun.filter(|_| state.ended.is_none())?;
        Some((plus_ms(begun, SENDING_MS), step, call))
    });
    let (since, step, call) = lost.min()?;
    let message = "whoever sent it was not heard of again".to_owned();
    Some((since, IncidentNotificationEnded { step, call, sent: Sent::Unknown { message } }))
}
