//! That failures are dealt with, in time, and by others than those who caused them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::settings::millis;
use super::{Closing, Item, Outcome, Passing};
use crate::event::{Event, IncidentEvent, ReviewEvent, RunEvent, Trouble};
use crate::ids::StreamId;

#[derive(Debug, Default)]
pub(super) struct Incidents {
    opened: BTreeMap<StreamId, Case>,
    /// Runs that failed, and those of which an incident or a review tells.
    failed: BTreeMap<StreamId, Item>,
    told: BTreeSet<StreamId>,
    /// Resolutions, which somebody else makes than caused it.
    pub(super) seconds: Vec<Item>,
}

#[derive(Debug)]
struct Case {
    item: Item,
    acknowledged: Option<Timestamp>,
    resolved: Option<Timestamp>,
    /// Whether it was over by itself before anybody had to do anything.
    cleared: Option<Timestamp>,
    by_causer: bool,
}

impl Incidents {
    pub(super) fn observe(&mut self, passing: Passing<'_>) {
        let (id, at) = (&passing.envelope.subject, passing.received);
        match passing.event {
            Event::RunEvent(RunEvent::RunFailed(_) | RunEvent::RunTimedOut(_)) => {
                self.failed.insert(id.clone(), Item::new(at, id, passing.position));
            }
            // It was tried again, and is told of by its last try.
            Event::RunEvent(RunEvent::RunRetryScheduled(_)) => {
                self.failed.remove(id);
            }
            Event::ReviewEvent(ReviewEvent::ReviewNoted(event)) => {
                self.told.insert(event.run.clone());
            }
            Event::IncidentEvent(event) => self.observe_incident(event, passing),
            _ => {}
        }
    }

    fn observe_incident(&mut self, event: &IncidentEvent, passing: Passing<'_>) {
        let (id, at) = (&passing.envelope.subject, passing.received);
        self.told.extend(event.trouble().and_then(Trouble::run).cloned());
        if let IncidentEvent::IncidentOpened(_) = event {
            let item = Item::new(at, id, passing.position);
            let case =
                Case { item, acknowledged: None, resolved: None, cleared: None, by_causer: false };
            self.opened.insert(id.clone(), case);
            return;
        }
        let by_causer = self.resolved_by_causer(event, passing);
        let Some(case) = self.opened.get_mut(id) else { return };
        match event {
            IncidentEvent::IncidentAcknowledged(_) => {
                case.acknowledged.get_or_insert(at);
            }
            IncidentEvent::IncidentCleared(_) => case.cleared = Some(at),
            IncidentEvent::IncidentResolved(_) => {
                case.resolved = Some(at);
                case.by_causer = by_causer;
            }
            IncidentEvent::IncidentReopened(_) => case.resolved = None,
            _ => {}
        }
    }

    /// Whether an incident is resolved now, by somebody who caused it.
    fn resolved_by_causer(&mut self, event: &IncidentEvent, passing: Passing<'_>) -> bool {
        let IncidentEvent::IncidentResolved(_) = event else { return false };
        let (id, at) = (&passing.envelope.subject, passing.received);
        let incident = passing.streams.0.get(id).and_then(|state| state.body.incident());
        let actor = passing.envelope.actor.as_deref().unwrap_or_default();
        let same = incident.is_some_and(|incident| incident.causers.contains(actor));
        let wrong = same.then(|| "resolved by who caused it".to_owned());
        self.seconds.push(Item::new(at, id, passing.position).failing(wrong));
        same
    }

    pub(super) fn finish(&self, closing: Closing<'_>) -> Vec<Outcome> {
        let within = |item: &Item| closing.period.holds(item.at);
        let item = |case: &Case| case.item.clone().failing(case.wrong(closing));
        let incidents = self.opened.values().filter(|case| within(&case.item)).map(item);
        let untold = |(run, item): (&StreamId, &Item)| {
            let why = "no incident was opened for it, and no review says what becomes of it";
            let wrong = (!self.told.contains(run)).then(|| why.to_owned());
            closing.unless_young(item.clone(), wrong)
        };
        let failed = self.failed.iter().filter(|(_, item)| within(item)).map(untold);
        vec![Outcome::of("JS-02", incidents.chain(failed).collect())]
    }
}

impl Case {
    fn wrong(&self, closing: Closing<'_>) -> Option<String> {
        let (until, settings) = (closing.ended.until, closing.settings);
        if self.by_causer {
            return Some("it was resolved by who caused it".to_owned());
        }
        let (opened, seen) = (self.item.at, self.acknowledged.or(self.resolved).or(self.cleared));
        let late =
            |at: Timestamp, within: i64| at.as_millisecond() - opened.as_millisecond() > within;
        if late(seen.unwrap_or(until), millis(settings.acknowledge_within)) {
            let when = seen.map_or("never".to_owned(), |at| format!("at {at}"));
            return Some(format!(
                "acknowledged {when}, and not within {}",
                settings.acknowledge_within
            ));
        }
        let over = self.resolved.or(self.cleared);
        if late(over.unwrap_or(until), millis(settings.resolve_within)) {
            let when = over.map_or("never".to_owned(), |at| format!("at {at}"));
            return Some(format!("resolved {when}, and not within {}", settings.resolve_within));
        }
        None
    }
}
