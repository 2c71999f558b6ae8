//! That runs keep their order: what a run waits for has ended before it starts, and no two runs of a job run at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{Closing, Item, Outcome, Passing};
use crate::event::{Event, RunEvent};
use crate::ids::StreamId;

#[derive(Debug, Default)]
pub(super) struct Order {
    /// Runs that have not ended and wait for runs of other jobs, and what let each go.
    waiting: BTreeMap<StreamId, Option<LetGo>>,
    over: BTreeSet<StreamId>,
    /// Runs of a job that have started and have not ended; parts of one are one.
    running: BTreeMap<String, BTreeSet<StreamId>>,
    started: Vec<Item>,
}

#[derive(Debug)]
enum LetGo {
    /// Runs that it waited for.
    Runs(Vec<StreamId>),
    /// A person, whatever it waited for.
    Person(String),
}

impl Order {
    pub(super) fn observe(&mut self, passing: Passing<'_>) {
        let Event::RunEvent(event) = passing.event else { return };
        let id = &passing.envelope.subject;
        match event {
            // Behind which runs of its own job it comes is looked at when it starts: none of them may run then.
            RunEvent::RunDue(due) if !due.terms.after.is_empty() => {
                self.waiting.insert(id.clone(), None);
            }
            RunEvent::RunCleared(event) => self.let_go(id, LetGo::Runs(event.by.clone())),
            RunEvent::RunOverridden(_) => {
                let actor = passing.envelope.actor.clone().unwrap_or_default();
                self.let_go(id, LetGo::Person(actor));
            }
            RunEvent::RunStarted(event) if event.attempt > 1 => self.run(id),
            // One that takes place on several hosts starts when it is divided, and then its parts do.
            RunEvent::RunStarted(_) | RunEvent::RunDivided(_) => self.start(id, passing),
            // It was tried again: it goes on.
            RunEvent::RunRetryScheduled(_) => {
                self.over.remove(id);
                self.run(id);
            }
            _ if ends(event) => self.end(id),
            _ => {}
        }
    }

    fn let_go(&mut self, id: &StreamId, by: LetGo) {
        self.waiting.insert(id.clone(), Some(by));
    }

    fn run(&mut self, id: &StreamId) {
        let job = id.run_job().unwrap_or_default().to_owned();
        self.running.entry(job).or_default().insert(id.clone());
    }

    fn start(&mut self, id: &StreamId, passing: Passing<'_>) {
        let item = Item::new(passing.received, id, passing.position);
        let item = Item { note: self.overridden(id), ..item };
        self.started.push(item.failing(self.disorder(id)));
        self.run(id);
    }

    fn overridden(&self, id: &StreamId) -> Option<String> {
        match self.waiting.get(id)?.as_ref()? {
            LetGo::Person(who) => Some(format!("{who} let it go, whatever it waited for")),
            LetGo::Runs(_) => None,
        }
    }

    /// Why a run should not have started now.
    fn disorder(&self, id: &StreamId) -> Option<String> {
        let job = id.run_job().unwrap_or_default();
        let others = self.running.get(job).into_iter().flatten();
        if let Some(other) = others.into_iter().find(|other| other.whole() != id.whole()) {
            return Some(format!("{other} of the same job had not ended"));
        }
        let by = match self.waiting.get(id)? {
            None => return Some("nothing says that what it waits for had ended".to_owned()),
            Some(LetGo::Person(_)) => return None,
            Some(LetGo::Runs(by)) => by,
        };
        let open = by.iter().find(|run| !self.over.contains(*run));
        open.map(|run| format!("{run}, for which it waits, had not ended"))
    }

    fn end(&mut self, id: &StreamId) {
        self.over.insert(id.clone());
        self.waiting.remove(id);
        let job = id.run_job().unwrap_or_default();
        if let Some(running) = self.running.get_mut(job) {
            running.remove(id);
        }
    }

    pub(super) fn finish(&self, closing: Closing<'_>) -> Vec<Outcome> {
        let started = closing.period.of(&self.started).cloned().collect();
        vec![Outcome::of("JS-05", started)]
    }
}

/// Whether a run is over with an event, if it is not tried again.
pub(super) fn ends(event: &RunEvent) -> bool {
    matches!(
        event,
        RunEvent::RunSucceeded(_)
            | RunEvent::RunFailed(_)
            | RunEvent::RunTimedOut(_)
            | RunEvent::RunCancelled(_)
            | RunEvent::RunSkipped(_)
            | RunEvent::RunMissed(_)
            | RunEvent::RunResolved(_)
            | RunEvent::RunGathered(_)
    )
}
