//! That what two people wanted erased is erased, and that they were two.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Closing, Item, Passing};
use crate::event::{Event, RecordsEvent};
use crate::ids::StreamId;
use crate::ledger::{held_with, is_over_any};

/// How long a host may take to say that it has destroyed what it had, once no hold keeps it.
const WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Debug, Default)]
pub(super) struct Redacted {
    /// Who asked for what.
    asked: BTreeMap<StreamId, Option<String>>,
    /// What was agreed, in its order.
    agreed: Vec<Agreed>,
    /// Where in it each thing is: it may be agreed on anew.
    places: BTreeMap<StreamId, Vec<usize>>,
    /// What holds that are in force are over.
    holds: BTreeMap<String, Vec<String>>,
}

/// Something of which it was agreed that it is erased.
#[derive(Debug)]
struct Agreed {
    item: Item,
    /// Whether by two.
    two: bool,
    /// Hosts that have not said that it is gone.
    hosts: BTreeSet<String>,
    /// What a hold has to be over to keep it.
    held_with: Vec<StreamId>,
    /// How long nothing had kept them from it, before a hold did.
    free: SignedDuration,
    /// Since when nothing keeps them from it; absent while a hold does.
    since: Option<Timestamp>,
}

impl Agreed {
    fn is_under(&self, over: &[String]) -> bool {
        is_over_any(over, &self.held_with)
    }

    /// How long hosts could have erased it, at an instant.
    fn free_until(&self, at: Timestamp) -> SignedDuration {
        self.free + self.since.map_or(SignedDuration::ZERO, |since| at.duration_since(since))
    }

    fn keep(&mut self, at: Timestamp) {
        self.free = self.free_until(at);
        self.since = None;
    }
}

impl Redacted {
    pub(super) fn observe(&mut self, passing: Passing<'_>) {
        let Event::RecordsEvent(event) = passing.event else { return };
        let (actor, received) = (&passing.envelope.actor, passing.received);
        match event {
            RecordsEvent::PayloadRedactionAsked(event) => {
                self.asked.insert(event.of.clone(), actor.clone());
            }
            RecordsEvent::PayloadRedacted(event) => {
                let held_with = held_with(passing.streams, &event.of);
                let held = self.holds.values().any(|over| is_over_any(over, &held_with));
                self.places.entry(event.of.clone()).or_default().push(self.agreed.len());
                self.agreed.push(Agreed {
                    item: Item::new(received, &event.of, passing.position),
                    two: self.asked.get(&event.of).is_some_and(|asked| asked != actor),
                    hosts: event.hosts.iter().cloned().collect(),
                    held_with,
                    free: SignedDuration::ZERO,
                    since: (!held).then_some(received),
                });
            }
            RecordsEvent::PayloadErased(event) => {
                for place in self.places.get(&event.of).into_iter().flatten() {
                    if let Some(one) = self.agreed.get_mut(*place) {
                        one.hosts.remove(&event.host);
                    }
                }
            }
            RecordsEvent::HoldPlaced(event) => {
                self.holds.insert(event.name.clone(), event.over.clone());
                let kept = self.agreed.iter_mut().filter(|one| one.is_under(&event.over));
                kept.for_each(|one| one.keep(received));
            }
            RecordsEvent::HoldLifted(event) => {
                let over = self.holds.remove(&event.name).unwrap_or_default();
                let (holds, kept) = (&self.holds, self.agreed.iter_mut());
                let free = |one: &&mut Agreed| {
                    one.is_under(&over) && !holds.values().any(|other| one.is_under(other))
                };
                kept.filter(free).for_each(|one| one.since = Some(received));
            }
            RecordsEvent::HoldLiftAsked(_)
            | RecordsEvent::HoldKept(_)
            | RecordsEvent::PayloadRedactionDeclined(_) => {}
        }
    }

    /// What was agreed in the period, and what became of it.
    pub(super) fn items(&self, closing: Closing<'_>) -> Vec<Item> {
        let within = self.agreed.iter().filter(|one| closing.period.holds(one.item.at));
        within.map(|one| one.item.clone().failing(Self::wrong(one, closing.end))).collect()
    }

    fn wrong(one: &Agreed, end: Timestamp) -> Option<String> {
        if !one.two {
            return Some("whoever asked has agreed alone".to_owned());
        }
        let late = one.free_until(end) > WITHIN && !one.hosts.is_empty();
        let hosts = || one.hosts.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        late.then(|| format!("{} has not said in seven days that it is gone", hosts()))
    }
}
