//! That what two people wanted erased is erased, and that they were two.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::{Closing, Item, Passing};
use crate::event::{Event, RecordsEvent};
use crate::ids::StreamId;

/// How long a host may take to say that it has destroyed what it had.
const WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Debug, Default)]
pub(super) struct Redacted {
    /// Who asked for what.
    asked: BTreeMap<StreamId, Option<String>>,
    /// What was agreed: when, whether by two, and hosts that have not said that it is gone.
    agreed: BTreeMap<StreamId, (Item, bool, BTreeSet<String>)>,
}

impl Redacted {
    pub(super) fn observe(&mut self, passing: Passing<'_>) {
        let actor = &passing.envelope.actor;
        match passing.event {
            Event::RecordsEvent(RecordsEvent::PayloadRedactionAsked(event)) => {
                self.asked.insert(event.of.clone(), actor.clone());
            }
            Event::RecordsEvent(RecordsEvent::PayloadRedacted(event)) => {
                let two = self.asked.get(&event.of).is_some_and(|asked| asked != actor);
                let item = Item::new(passing.received, &event.of, passing.position);
                let hosts = event.hosts.iter().cloned().collect();
                self.agreed.insert(event.of.clone(), (item, two, hosts));
            }
            Event::RecordsEvent(RecordsEvent::PayloadErased(event)) => {
                if let Some((.., hosts)) = self.agreed.get_mut(&event.of) {
                    hosts.remove(&event.host);
                }
            }
            _ => {}
        }
    }

    /// What was agreed in the period, and what became of it.
    pub(super) fn items(&self, closing: Closing<'_>) -> Vec<Item> {
        let within = self.agreed.values().filter(|(item, ..)| closing.period.holds(item.at));
        let one = |(item, two, hosts): &(Item, bool, BTreeSet<String>)| {
            let late = closing.end.duration_since(item.at) > WITHIN && !hosts.is_empty();
            let wrong = if !two {
                Some("whoever asked has agreed alone".to_owned())
            } else if late {
                let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
                Some(format!("{} has not said in seven days that it is gone", hosts.join(", ")))
            } else {
                None
            };
            item.clone().failing(wrong)
        };
        within.map(one).collect()
    }
}
