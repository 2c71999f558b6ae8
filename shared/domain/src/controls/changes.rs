//! That definitions are approved by others than their authors, emergencies looked at afterwards, pauses bounded.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::settings::millis;
use super::{Closing, Item, Outcome, Passing};
use crate::event::{ChangeEvent, Event, JobEvent, ThingAct};
use crate::ids::StreamId;

/// The number of a definition in its stream.
type Which = (StreamId, u32);

#[derive(Debug, Default)]
pub(super) struct Changes {
    authors: BTreeMap<Which, Option<String>>,
    approved: Vec<Item>,
    /// Approvals, which somebody else makes than proposed it.
    pub(super) seconds: Vec<Item>,
    expedited: BTreeMap<Which, (Item, Timestamp)>,
    looked_at: BTreeMap<Which, (Timestamp, Option<String>)>,
    pauses: Vec<(StreamId, Item, Option<Timestamp>)>,
}

impl Changes {
    pub(super) fn observe(&mut self, passing: Passing<'_>) {
        let (id, at) = (&passing.envelope.subject, passing.received);
        let actor = passing.envelope.actor.clone();
        let item = || Item::new(at, id, passing.position);
        match passing.event {
            Event::JobEvent(JobEvent::JobProposed(event)) => {
                self.authors.insert((id.clone(), event.number), actor);
            }
            Event::JobEvent(JobEvent::JobApproved(event)) => {
                self.approve(id, event.number, actor.as_deref(), item());
            }
            Event::JobEvent(JobEvent::JobPaused(_)) => {
                self.pauses.push((id.clone(), item(), None));
            }
            Event::JobEvent(JobEvent::JobResumed(_) | JobEvent::JobRetired(_)) => {
                let open =
                    self.pauses.iter_mut().rev().find(|(of, _, end)| of == id && end.is_none());
                if let Some((_, _, end)) = open {
                    *end = Some(at);
                }
            }
            Event::ThingEvent(event) => match &event.act {
                ThingAct::Proposed(event) => {
                    self.authors.insert((id.clone(), event.number), actor);
                }
                ThingAct::Approved(event) => {
                    self.approve(id, event.number, actor.as_deref(), item());
                }
                ThingAct::Retired(_) => {}
            },
            Event::ChangeEvent(event) => self.observe_change(id, event, actor, item()),
            _ => {}
        }
    }

    fn approve(&mut self, id: &StreamId, number: u32, approver: Option<&str>, item: Item) {
        let author = self.authors.get(&(id.clone(), number)).cloned().flatten();
        let same = author.is_some() && author.as_deref() == approver;
        let second = same.then(|| "approved by its author".to_owned());
        self.seconds.push(item.clone().failing(second));
        let wrong = match (author.as_deref(), approver) {
            // What was expedited is looked at by another control.
            _ if self.expedited.contains_key(&(id.clone(), number)) => None,
            (Some(author), Some(approver)) if author != approver => None,
            (Some(author), Some(_)) => {
                Some(format!("{author} approved what they proposed themselves"))
            }
            _ => Some("its author or its approver is not named".to_owned()),
        };
        self.approved.push(item.failing(wrong));
    }

    fn observe_change(
        &mut self,
        id: &StreamId,
        event: &ChangeEvent,
        actor: Option<String>,
        item: Item,
    ) {
        let at = item.at;
        match event {
            ChangeEvent::ChangeExpedited(event) => {
                self.expedited.insert((id.clone(), event.number), (item, event.until));
            }
            ChangeEvent::ChangeRatified(event) => {
                self.looked_at.entry((id.clone(), event.number)).or_insert((at, actor));
            }
            ChangeEvent::ChangeRejected(event) => {
                self.looked_at.entry((id.clone(), event.number)).or_insert((at, actor));
            }
            _ => {}
        }
    }

    pub(super) fn finish(&self, closing: Closing<'_>) -> Vec<Outcome> {
        let Closing { ended, period, settings, end: last, .. } = closing;
        let emergency = |(which, (item, until)): (&Which, &(Item, Timestamp))| {
            let wrong = match self.looked_at.get(which) {
                Some((at, by))
                    if at <= until && *by != self.authors.get(which).cloned().flatten() =>
                {
                    None
                }
                Some((at, _)) if at > until => {
                    Some(format!("somebody looked at {at}, and not by {until}"))
                }
                Some(_) => Some("it was looked at by its author".to_owned()),
                None if ended.until <= *until => None,
                None => Some(format!("nobody has looked, and somebody should have by {until}")),
            };
            item.clone().failing(wrong)
        };
        let most = millis(settings.pause_at_most);
        let pause = |(_, item, end): &(StreamId, Item, Option<Timestamp>)| {
            let last = end.unwrap_or(last);
            let long = last.as_millisecond() - item.at.as_millisecond() > most;
            let until = end.map_or("and still is".to_owned(), |at| format!("until {at}"));
            item.clone().failing(
                long.then(|| format!("paused {until}, longer than {}", settings.pause_at_most)),
            )
        };
        let expedited = self.expedited.iter().filter(|(_, (item, _))| period.holds(item.at));
        let pauses = self.pauses.iter().filter(|(_, item, _)| period.holds(item.at));
        vec![
            Outcome::of("CM-01", period.of(&self.approved).cloned().collect()),
            Outcome::of("CM-02", expedited.map(emergency).collect()),
            Outcome::of("CM-03", pauses.map(pause).collect()),
        ]
    }
}
