//! That what must be protected could be restored at all times, and that this was tried.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::settings::millis;
use super::{Ended, Item, Outcome, Passing, Period, gaps};
use crate::backup::DatasetDefinition;
use crate::canonical::Digest;
use crate::event::{BackupEvent, Event, ThingAct};
use crate::ids::{StreamId, StreamType};
use crate::site::{Thing, ThingKind};

#[derive(Debug, Default)]
pub(super) struct Backups {
    datasets: BTreeMap<StreamId, Kept>,
    snapshots: Vec<(StreamId, Digest, Item, bool)>,
    /// When a check read each repository again.
    checked: BTreeMap<(StreamId, String), Timestamp>,
    repositories: BTreeMap<Digest, String>,
    tests: BTreeMap<StreamId, (Item, bool, bool)>,
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
    pub(super) fn observe(&mut self, passing: Passing<'_>, period: Period) {
        let id = &passing.envelope.subject;
        match passing.event {
            Event::ThingEvent(event) if event.of == ThingKind::Dataset => {
                self.observe_dataset(id, &event.act, passing);
            }
            Event::BackupEvent(event) if id.stream_type() == StreamType::Dataset => {
                self.observe_backup(id, event, passing, period);
            }
            _ => {}
        }
    }

    fn observe_dataset(&mut self, id: &StreamId, act: &ThingAct, passing: Passing<'_>) {
        let kept = self.datasets.entry(id.clone()).or_default();
        match act {
            ThingAct::Proposed(event) => {
                let read = Thing::read(ThingKind::Dataset, &event.definition);
                kept.proposal = match read {
                    Ok(Thing::Dataset(definition)) => Some(*definition),
                    _ => None,
                };
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

    fn observe_backup(
        &mut self,
        id: &StreamId,
        event: &BackupEvent,
        passing: Passing<'_>,
        period: Period,
    ) {
        let at = passing.received;
        let item = || Item::new(at, id, passing.position);
        match event {
            BackupEvent::BackupSnapshotCreated(event) => {
                let kept = self.datasets.entry(id.clone()).or_default();
                if event.errors == 0 {
                    kept.taken.push(event.began.min(at));
                }
                self.repositories.insert(event.snapshot, event.repository.clone());
                if period.holds(at) {
                    let subject = format!("{id} {}:{}", event.repository, event.snapshot.short());
                    let item = Item::new(at, subject, passing.position);
                    self.snapshots.push((id.clone(), event.snapshot, item, event.read_back > 0));
                }
            }
            BackupEvent::BackupVerified(event) => {
                self.checked.insert((id.clone(), event.repository.clone()), at);
            }
            BackupEvent::RestoreTested(event) => {
                self.datasets.entry(id.clone()).or_default().tested.push(at);
                if period.holds(at) {
                    self.tests.insert(event.by.run.clone(), (item(), event.good, false));
                }
            }
            BackupEvent::RestoreCertified(event) => {
                if let Some((_, _, certified)) = self.tests.get_mut(&event.run) {
                    *certified = true;
                }
            }
            _ => {}
        }
    }

    pub(super) fn finish(&self, ended: Ended<'_>, period: Period) -> Vec<Outcome> {
        vec![
            Outcome::of("BK-01", self.protection(ended, period)),
            Outcome::of("BK-03", self.verified()),
            Outcome::of("BK-04", self.tested(ended, period)),
        ]
    }

    /// Every dataset that was defined, and the spans in which it had no snapshot young enough.
    fn protection(&self, ended: Ended<'_>, period: Period) -> Vec<Item> {
        let mut found = Vec::new();
        for (id, kept) in &self.datasets {
            let Some((definition, since, position)) = &kept.active else { continue };
            let end = kept.retired.unwrap_or(ended.until).min(ended.until).min(period.until);
            if end <= period.from {
                continue;
            }
            found.push(Item::new(*since, id, *position));
            let rpo = millis(definition.rpo);
            for (from, until) in gaps(kept.taken.clone(), (*since, end), rpo) {
                if until > period.from {
                    let why = format!(
                        "no good snapshot from {from} until {until}: the RPO is {}",
                        definition.rpo
                    );
                    found.push(Item::absent(from, id, why));
                }
            }
        }
        found
    }

    fn verified(&self) -> Vec<Item> {
        let one = |(id, snapshot, item, read): &(StreamId, Digest, Item, bool)| {
            let repository = self.repositories.get(snapshot).cloned().unwrap_or_default();
            let later =
                self.checked.get(&(id.clone(), repository)).is_some_and(|at| *at >= item.at);
            let why = "nothing of it was read again";
            item.clone().failing((!read && !later).then(|| why.to_owned()))
        };
        self.snapshots.iter().map(one).collect()
    }

    fn tested(&self, ended: Ended<'_>, period: Period) -> Vec<Item> {
        let test = |(run, (item, good, certified)): (&StreamId, &(Item, bool, bool))| {
            let wrong = match (good, certified) {
                (true, true) => None,
                (false, _) => Some("what was restored is not what was saved".to_owned()),
                (true, false) => Some("nobody has certified it".to_owned()),
            };
            Item { subject: run.to_string(), ..item.clone() }.failing(wrong)
        };
        let mut found: Vec<Item> = self.tests.iter().map(test).collect();
        for (id, kept) in &self.datasets {
            let Some((definition, since, _)) = &kept.active else { continue };
            let Some(every) = definition.restore_test_every else { continue };
            let end = kept.retired.unwrap_or(ended.until).min(ended.until).min(period.until);
            for (from, until) in gaps(kept.tested.clone(), (*since, end), millis(every)) {
                if until > period.from {
                    let why = format!(
                        "no restore was tested from {from} until {until}: it is to be every {every}"
                    );
                    found.push(Item::absent(from, id, why));
                }
            }
        }
        found
    }
}
