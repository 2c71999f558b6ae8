//! That what must be protected could be restored at all times, and that this was tried.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::settings::millis;
use super::{Closing, Item, Outcome, Passing, Period, gaps};
use crate::backup::DatasetDefinition;
use crate::canonical::Digest;
use crate::event::{BackupEvent, Event, ThingAct, ThingProposed};
use crate::ids::{StreamId, StreamType};
use crate::site::{Thing, ThingKind};
use crate::time::HumanDuration;

#[derive(Debug, Default)]
pub(super) struct Backups {
    datasets: BTreeMap<StreamId, Kept>,
    /// Snapshots with their dataset and repository, and whether something of each was read again at once.
    snapshots: Vec<((StreamId, String), Item, bool)>,
    /// When a check read each repository again.
    checked: BTreeMap<(StreamId, String), Timestamp>,
    /// Certifications, which somebody else makes than asked for the test.
    pub(super) seconds: Vec<Item>,
    /// Restore tests with their run, whether what came back was good, and whether somebody has certified it.
    tests: Vec<(StreamId, Item, bool, bool)>,
}

#[derive(Debug, Default)]
struct Kept {
    proposal: Option<DatasetDefinition>,
    /// The definition that holds, since when, and where the log says so.
    active: Option<(DatasetDefinition, Timestamp, u64)>,
    retired: Option<Timestamp>,
    taken: Vec<Timestamp>,
    tested: Vec<Timestamp>,
}

impl Backups {
    pub(super) fn observe(&mut self, passing: Passing<'_>) {
        let id = &passing.envelope.subject;
        match passing.event {
            Event::ThingEvent(event) if event.of == ThingKind::Dataset => {
                self.observe_dataset(id, &event.act, passing);
            }
            Event::BackupEvent(event) if id.stream_type() == StreamType::Dataset => {
                self.observe_backup(id, event, passing);
            }
            _ => {}
        }
    }

    fn observe_dataset(&mut self, id: &StreamId, act: &ThingAct, passing: Passing<'_>) {
        let kept = self.datasets.entry(id.clone()).or_default();
        match act {
            ThingAct::Proposed(event) => {
                kept.proposal = dataset_of(event);
            }
            ThingAct::Approved(_) => {
                let since = kept.active.as_ref().map(|(_, since, _)| *since);
                let since = since.filter(|_| kept.retired.is_none()).unwrap_or(passing.received);
                if let Some(definition) = kept.proposal.take() {
                    kept.active = Some((definition, since, passing.position));
                    kept.retired = None;
                }
            }
            ThingAct::Retired(_) => kept.retired = Some(passing.received),
        }
    }

    fn observe_backup(&mut self, id: &StreamId, event: &BackupEvent, passing: Passing<'_>) {
        let at = passing.received;
        let item = || Item::new(at, id, passing.position);
        match event {
            BackupEvent::BackupSnapshotCreated(event) => {
                let kept = self.datasets.entry(id.clone()).or_default();
                if event.errors == 0 {
                    kept.taken.push(event.began.min(at));
                }
                let subject = snapshot_named(id, &event.repository, event.snapshot);
                let item = Item::new(at, subject, passing.position);
                let place = (id.clone(), event.repository.clone());
                self.snapshots.push((place, item, event.read_back > 0));
            }
            BackupEvent::BackupVerified(event) => {
                self.checked.insert((id.clone(), event.repository.clone()), at);
            }
            BackupEvent::RestoreTested(event) => {
                self.datasets.entry(id.clone()).or_default().tested.push(at);
                self.tests.push((event.by.run.clone(), item(), event.good, false));
            }
            BackupEvent::RestoreCertified(event) => {
                let last = self.tests.iter_mut().rev().find(|(run, ..)| *run == event.run);
                if let Some((.., certified)) = last {
                    *certified = true;
                }
                let same = is_certified_by_who_asked(passing, &event.run);
                let wrong = same.then(|| "certified by who asked for it".to_owned());
                self.seconds.push(item().failing(wrong));
            }
            _ => {}
        }
    }

    pub(super) fn finish(&self, closing: Closing<'_>) -> Vec<Outcome> {
        vec![
            Outcome::of("BK-01", self.protection(closing)),
            Outcome::of("BK-03", self.verified(closing.period)),
            Outcome::of("BK-04", self.tested(closing)),
        ]
    }

    /// Every dataset that was defined, and the spans in which it had no snapshot young enough.
    fn protection(&self, closing: Closing<'_>) -> Vec<Item> {
        let mut found = Vec::new();
        for (id, kept) in &self.datasets {
            let Some((definition, since, position)) = &kept.active else { continue };
            if kept.end(closing) <= closing.period.from {
                continue;
            }
            found.push(Item::new(*since, id, *position));
            let rpo = definition.rpo;
            for (from, until) in kept.without(&kept.taken, rpo, closing) {
                let why = format!("no good snapshot from {from} until {until}: the RPO is {rpo}");
                found.push(Item::absent(from, id, why));
            }
        }
        found
    }

    fn verified(&self, period: Period) -> Vec<Item> {
        let one = |(place, item, read): &((StreamId, String), Item, bool)| {
            let later = self.checked.get(place).is_some_and(|at| *at >= item.at);
            let why = "nothing of it was read again";
            item.clone().failing((!read && !later).then(|| why.to_owned()))
        };
        self.snapshots.iter().filter(|(_, item, _)| period.holds(item.at)).map(one).collect()
    }

    fn tested(&self, closing: Closing<'_>) -> Vec<Item> {
        let test = |(run, (item, good, certified)): (&StreamId, (&Item, bool, bool))| {
            let wrong = match (good, certified) {
                (true, true) => None,
                (false, _) => Some("what was restored is not what was saved".to_owned()),
                (true, false) => Some("nobody has certified it".to_owned()),
            };
            Item { subject: run.to_string(), ..item.clone() }.failing(wrong)
        };
        // The last time of each run.
        let within = self.tests.iter().filter(|(_, item, ..)| closing.period.holds(item.at));
        let last: BTreeMap<_, _> =
            within.map(|(run, item, good, certified)| (run, (item, *good, *certified))).collect();
        let mut found: Vec<Item> = last.into_iter().map(test).collect();
        for (id, kept) in &self.datasets {
            let definition = kept.active.as_ref().map(|(definition, ..)| definition);
            let Some(every) = definition.and_then(|one| one.restore_test_every) else { continue };
            for (from, until) in kept.without(&kept.tested, every, closing) {
                let why = format!(
                    "no restore was tested from {from} until {until}: it is to be every {every}"
                );
                found.push(Item::absent(from, id, why));
            }
        }
        found
    }
}

/// The dataset that somebody asks for, where that can be read.
pub(super) fn dataset_of(event: &ThingProposed) -> Option<DatasetDefinition> {
    match Thing::read(ThingKind::Dataset, &event.definition) {
        Ok(Thing::Dataset(definition)) => Some(*definition),
        _ => None,
    }
}

/// A snapshot, as a member of a population.
pub(super) fn snapshot_named(id: &StreamId, repository: &str, snapshot: Digest) -> String {
    format!("{id} {repository}:{}", snapshot.short())
}

impl Kept {
    /// Until when it is looked at.
    fn end(&self, closing: Closing<'_>) -> Timestamp {
        self.retired.unwrap_or(closing.end).min(closing.end)
    }

    /// Spans, not over before the period, without something that is to come every so often while it is defined.
    fn without(
        &self,
        instants: &[Timestamp],
        every: HumanDuration,
        closing: Closing<'_>,
    ) -> Vec<(Timestamp, Timestamp)> {
        let Some((_, since, _)) = &self.active else { return Vec::new() };
        let mut found = gaps(instants.to_vec(), (*since, self.end(closing)), millis(every));
        found.retain(|(_, until)| *until > closing.period.from);
        found
    }
}

fn is_certified_by_who_asked(passing: Passing<'_>, run: &StreamId) -> bool {
    let id = &passing.envelope.subject;
    let dataset = passing.streams.0.get(id).and_then(|state| state.body.dataset());
    let test = dataset.and_then(|one| one.tests.iter().find(|test| test.run == *run));
    let asked = test.and_then(|test| test.asked_by.as_deref());
    asked.is_some() && asked == passing.envelope.actor.as_deref()
}
