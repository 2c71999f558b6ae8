//! That runs keep the limits of their jobs, and that somebody hears of it where they do not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::order::ends;
use super::{Closing, Item, Outcome, Passing};
use crate::event::{Deadlines, Event, Limit, RunEvent, Trouble};
use crate::ids::StreamId;

#[derive(Debug, Default)]
pub(super) struct Limits {
    /// Runs that have a limit.
    runs: BTreeMap<StreamId, Limited>,
}

#[derive(Debug)]
struct Limited {
    item: Item,
    deadlines: Deadlines,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    /// Limits of which the log says that they were missed.
    late: BTreeSet<Limit>,
    /// Those of which an incident tells.
    told: BTreeSet<Limit>,
}

impl Limits {
    pub(super) fn observe(&mut self, passing: Passing<'_>) {
        match passing.event {
            Event::RunEvent(event) => self.observe_run(event, passing),
            Event::IncidentEvent(event) => {
                if let Some(Trouble::Late { run, limit }) = event.trouble()
                    && let Some(limited) = self.runs.get_mut(run)
                {
                    limited.told.insert(*limit);
                }
            }
            _ => {}
        }
    }

    fn observe_run(&mut self, event: &RunEvent, passing: Passing<'_>) {
        let id = &passing.envelope.subject;
        match event {
            RunEvent::RunDue(due) if !due.terms.deadlines.is_empty() && due.part_of.is_none() => {
                self.limited(passing).deadlines = due.terms.deadlines.clone();
            }
            RunEvent::RunLate(event) if id.part().is_none() => {
                self.limited(passing).late.insert(event.limit);
            }
            _ => {
                let Some(limited) = self.runs.get_mut(id) else { return };
                // As its host dates it: what came late to the log did not happen late.
                let at = passing.envelope.time.min(passing.received);
                match event {
                    RunEvent::RunStarted(_) | RunEvent::RunDivided(_) => {
                        limited.started.get_or_insert(at);
                    }
                    RunEvent::RunRetryScheduled(_) => limited.ended = None,
                    _ if ends(event) => limited.ended = Some(at),
                    _ => {}
                }
            }
        }
    }

    fn limited(&mut self, passing: Passing<'_>) -> &mut Limited {
        let id = &passing.envelope.subject;
        let new = || Limited {
            item: Item::new(passing.received, id, passing.position),
            deadlines: Deadlines::default(),
            started: None,
            ended: None,
            late: BTreeSet::new(),
            told: BTreeSet::new(),
        };
        self.runs.entry(id.clone()).or_insert_with(new)
    }

    pub(super) fn finish(&self, closing: Closing<'_>) -> Vec<Outcome> {
        let within = self.runs.values().filter(|one| closing.period.holds(one.item.at));
        let judged = within.map(|one| {
            let item = Item { note: one.late_and_told(), ..one.item.clone() };
            closing.unless_young(item, one.wrong(closing.ended.until))
        });
        vec![Outcome::of("JS-06", judged.collect())]
    }
}

impl Limited {
    fn wrong(&self, now: Timestamp) -> Option<String> {
        let untold: Vec<&str> =
            self.late.difference(&self.told).map(|limit| word(*limit)).collect();
        if !untold.is_empty() {
            return Some(format!("{}, and no incident tells of it", untold.join(" and ")));
        }
        let Deadlines { start_by, finish_by } = self.deadlines;
        let unsaid = [
            (Limit::StartBy, start_by, self.started.or(self.ended)),
            (Limit::FinishBy, finish_by, self.ended),
        ]
        .into_iter()
        .find(|(limit, by, at)| {
            by.is_some_and(|by| at.unwrap_or(now) > by) && !self.late.contains(limit)
        });
        let (limit, by, _) = unsaid?;
        Some(format!("{} ({}), and the log does not say so", word(limit), by?))
    }

    fn late_and_told(&self) -> Option<String> {
        let told: Vec<&str> =
            self.late.intersection(&self.told).map(|limit| word(*limit)).collect();
        (!told.is_empty()).then(|| format!("{}; an incident tells of it", told.join(" and ")))
    }
}

fn word(limit: Limit) -> &'static str {
    match limit {
        Limit::StartBy => "it had not started by its limit",
        Limit::FinishBy => "it had not ended by its limit",
        Limit::LongerThan => "it took longer than it may",
        Limit::ShorterThan => "it took shorter than it may",
    }
}
