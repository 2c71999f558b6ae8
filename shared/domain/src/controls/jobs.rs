//! That everything ran that was to run, nothing else did, and as it was approved.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Closing, Ended, Item, Outcome, Passing};
use crate::canonical::Digest;
use crate::event::{Event, JobEvent, ReviewEvent, RunEvent};
use crate::expect::Finding;
use crate::ids::StreamId;
use crate::ledger::Body;
use crate::run::{State, accounted_instant};

#[derive(Debug, Default)]
pub(super) struct Jobs {
    /// Digests of definitions that were ever active, by job.
    approved: BTreeMap<String, BTreeSet<Digest>>,
    /// Runs of which something before their start says why they are to run.
    founded: BTreeSet<String>,
    occurrences: BTreeMap<StreamId, (Timestamp, u64)>,
    started: Vec<(Item, bool, bool)>,
    /// Whenever a run was missed or lost.
    lost: Vec<(StreamId, Timestamp, u64)>,
    answered: BTreeSet<StreamId>,
}

impl Jobs {
    pub(super) fn observe(&mut self, passing: Passing<'_>) {
        let stream = &passing.envelope.subject;
        match passing.event {
            Event::JobEvent(JobEvent::JobApproved(event)) => {
                self.approved.entry(stream.rest().to_owned()).or_default().insert(event.digest);
            }
            Event::ReviewEvent(ReviewEvent::ReviewNoted(event)) => {
                self.answered.insert(event.run.clone());
            }
            Event::RunEvent(event) => self.observe_run(stream, event, passing),
            _ => {}
        }
    }

    fn observe_run(&mut self, stream: &StreamId, event: &RunEvent, passing: Passing<'_>) {
        if let Some((_, at)) = accounted_instant(event)
            && stream.part().is_none()
        {
            self.occurrences.entry(stream.clone()).or_insert((at, passing.position));
        }
        match event {
            RunEvent::RunDue(_) | RunEvent::RunRequested(_) | RunEvent::RunDivided(_) => {
                self.founded.insert(stream.whole().to_owned());
            }
            RunEvent::RunMissed(_) | RunEvent::RunLost(_) => {
                self.lost.push((stream.clone(), passing.received, passing.position));
            }
            RunEvent::RunResolved(_) => {
                self.answered.insert(stream.clone());
            }
            RunEvent::RunStarted(started) => {
                let founded = self.founded.contains(stream.whole());
                let job = stream.run_job().unwrap_or_default();
                let known = self.approved.get(job);
                let approved = known.is_some_and(|known| known.contains(&started.definition));
                let item = Item::new(passing.received, stream, passing.position);
                self.started.push((item, founded, approved));
            }
            _ => {}
        }
    }

    pub(super) fn finish(&self, closing: Closing<'_>) -> Vec<Outcome> {
        let founded = |(item, founded, _): &(Item, bool, bool)| {
            item.clone().failing((!founded).then(|| "nothing says why it was to run".to_owned()))
        };
        let approved = |(item, _, approved): &(Item, bool, bool)| {
            let why = "the definition that its host names was never approved";
            item.clone().failing((!approved).then(|| why.to_owned()))
        };
        let started = || self.started.iter().filter(|(item, ..)| closing.period.holds(item.at));
        vec![
            Outcome::of("JS-01", self.occurrences(closing)),
            Outcome::of("JS-03", started().map(founded).collect()),
            Outcome::of("JS-04", started().map(approved).collect()),
            Outcome::of("JS-07", self.lost(closing)),
        ]
    }

    fn occurrences(&self, closing: Closing<'_>) -> Vec<Item> {
        let Closing { ended, period, .. } = closing;
        let item = |(run, (at, position)): (&StreamId, &(Timestamp, u64))| {
            closing.unless_young(Item::new(*at, run, *position), open(run, ended))
        };
        let within = self.occurrences.iter().filter(|(_, (at, _))| period.holds(*at));
        let mut found: Vec<Item> = within.map(item).collect();
        for finding in &ended.accounted.findings {
            if let Finding::Missing { run, at } = finding
                && period.holds(*at)
            {
                found.push(Item::absent(*at, run, "the log says nothing about it".to_owned()));
            }
        }
        found
    }

    fn lost(&self, closing: Closing<'_>) -> Vec<Item> {
        let item = |(run, (at, position)): (&StreamId, (Timestamp, u64))| {
            let known = self.answered.contains(run) || ended_since(run, closing.ended);
            let why = "nobody has said what becomes of it";
            let wrong = (!known).then(|| why.to_owned());
            closing.unless_young(Item::new(at, run, position), wrong)
        };
        // The last time of each run.
        let within = self.lost.iter().filter(|(_, at, _)| closing.period.holds(*at));
        let last: BTreeMap<_, _> =
            within.map(|(run, at, position)| (run, (*at, *position))).collect();
        last.into_iter().map(item).collect()
    }
}

fn state<'a>(run: &StreamId, ended: Ended<'a>) -> Option<&'a State> {
    match &ended.streams.0.get(run)?.body {
        Body::Run(run) => Some(&run.state),
        _ => None,
    }
}

/// A lost run whose outcome came to be known after all.
fn ended_since(run: &StreamId, ended: Ended<'_>) -> bool {
    let missed = |state: &State| state.word() == "missed";
    matches!(state(run, ended), Some(one @ State::Ended { .. }) if !missed(one))
}

/// Why a run has no known outcome.
fn open(run: &StreamId, ended: Ended<'_>) -> Option<String> {
    match state(run, ended) {
        Some(State::Ended { .. }) => None,
        Some(State::Unknown { .. }) => Some("nobody knows how it ended".to_owned()),
        Some(other) => Some(format!("it has not ended: {}", other.word())),
        None => Some("nothing is known of it".to_owned()),
    }
}
