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
    /// What holds that are in force are over.
    holds: BTreeMap<String, Vec<String>>,
}

/// Something of which it was agreed that it is erased.
#[derive(Debug)]
struct Agreed {
    of: StreamId,
    item: Item,
    /// Whether by two.
    two: bool,
    /// Hosts that have not said that it is gone.
    hosts: BTreeSet<String>,
    /// What a hold has to be over to keep it.
    held_with: Vec<StreamId>,
    /// Since when nothing keeps them from it.
    since: Timestamp,
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
                self.agreed.push(Agreed {
                    of: event.of.clone(),
                    item: Item::new(received, &event.of, passing.position),
                    two: self.asked.get(&event.of).is_some_and(|asked| asked != actor),
                    hosts: event.hosts.iter().cloned().collect(),
                    held_with: held_with(passing.streams, &event.of),
                    since: received,
                });
            }
            RecordsEvent::PayloadErased(event) => {
                let own = self.agreed.iter_mut().filter(|one| one.of == event.of);
                own.for_each(|one| {
                    one.hosts.remove(&event.host);
                });
            }
            RecordsEvent::HoldPlaced(event) => {
                self.holds.insert(event.name.clone(), event.over.clone());
            }
            RecordsEvent::HoldLifted(event) => {
                let over = self.holds.remove(&event.name).unwrap_or_default();
                let kept = self.agreed.iter_mut().filter(|one| is_over_any(&over, &one.held_with));
                kept.for_each(|one| one.since = received);
            }
            RecordsEvent::HoldLiftAsked(_)
            | RecordsEvent::HoldKept(_)
            | RecordsEvent::PayloadRedactionDeclined(_) => {}
        }
    }

    /// What was agreed in the period, and what became of it.
    pub(super) fn items(&self, closing: Closing<'_>) -> Vec<Item> {
        let within = self.agreed.iter().filter(|one| closing.period.holds(one.item.at));
        within.map(|one| one.item.clone().failing(self.wrong(one, closing.end))).collect()
    }

    fn wrong(&self, one: &Agreed, end: Timestamp) -> Option<String> {
        if !one.two {
            return Some("whoever asked has agreed alone".to_owned());
        }
        let held = self.holds.values().any(|over| is_over_any(over, &one.held_with));
        let late = end.duration_since(one.since) > WITHIN && !one.hosts.is_empty() && !held;
        let hosts = || one.hosts.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        late.then(|| format!("{} has not said in seven days that it is gone", hosts()))
    }
}
