//! Watching datasets: one that is at risk is said to be, and one that is protected again too.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Action, Scheduler};
use crate::backup::record::Told;
use crate::backup::{Dataset, protection};
use crate::envelope::{Draft, Envelope};
use crate::event::BackupEvent;
use crate::ids::{StreamId, StreamType};

/// A dataset as the scheduler holds it.
#[derive(Debug)]
pub(super) struct Watched {
    dataset: Dataset,
    version: u64,
    /// When to look at it.
    look: Option<Timestamp>,
}

impl Watched {
    /// Whether it is said to be at risk.
    pub(super) fn is_at_risk(&self) -> bool {
        self.at_risk_since().is_some()
    }

    /// Since when it is said to be.
    pub(super) fn at_risk_since(&self) -> Option<Timestamp> {
        self.dataset.at_risk.as_ref().map(|risk| risk.since)
    }
}

/// All of them.
pub(super) type Datasets = BTreeMap<StreamId, Watched>;

impl Scheduler {
    /// Takes a dataset of the read model in.
    pub(super) fn put_dataset(
        &mut self,
        id: &StreamId,
        dataset: &Dataset,
        version: u64,
        now: Timestamp,
    ) {
        if self.datasets.get(id).is_none_or(|known| known.version < version) {
            let watched = Watched { dataset: dataset.clone(), version, look: Some(now) };
            self.datasets.insert(id.clone(), watched);
            if let Some(risk) = &dataset.at_risk {
                self.notice_dataset(id, Some(risk.since), now);
            }
        }
    }

    pub(super) fn apply_dataset(
        &mut self,
        envelope: &Envelope,
        received: Timestamp,
        step: impl FnOnce(&mut Dataset),
    ) {
        let id = &envelope.subject;
        self.pending.remove(id);
        let new = || Watched { dataset: Dataset::new(id.rest()), version: 0, look: None };
        let watched = self.datasets.entry(id.clone()).or_insert_with(new);
        if watched.version < envelope.version {
            let before = watched.is_at_risk();
            step(&mut watched.dataset);
            (watched.version, watched.look) = (envelope.version, Some(received));
            let risk = watched.at_risk_since();
            if before || risk.is_some() {
                self.notice_dataset(id, risk, received);
            }
        }
    }

    pub(super) fn apply_backup(
        &mut self,
        envelope: &Envelope,
        event: &BackupEvent,
        received: Timestamp,
    ) {
        if envelope.subject.stream_type() != StreamType::Dataset {
            return;
        }
        let version = envelope.version;
        // Who asked for a test is the recorder's to know.
        let told = Told { version, received, actor: envelope.actor.as_deref(), asked_by: None };
        self.apply_dataset(envelope, received, |dataset| {
            *dataset = dataset.clone().evolve(event, told);
        });
    }

    pub(super) fn look_at_dataset(&mut self, id: &StreamId, at: Timestamp) {
        if let Some(watched) = self.datasets.get_mut(id) {
            watched.look = Some(at);
        }
    }

    /// When the next dataset is to be looked at.
    pub(super) fn next_dataset(&self) -> Option<Timestamp> {
        let free = self.datasets.iter().filter(|(id, _)| !self.pending.contains_key(*id));
        let turn = |(id, watched): (&StreamId, &Watched)| {
            let wait = self.peers.before_me(id) * self.settings.grace_ms;
            Some(super::plus_ms(watched.look?, wait))
        };
        free.filter_map(turn).min()
    }

    /// Says of datasets what is to be said, unless it is another scheduler's turn to.
    pub(super) fn tick_datasets(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let due = |watched: &Watched| watched.look.is_some_and(|at| at <= now);
        let ids: Vec<StreamId> =
            self.datasets.iter().filter(|(_, w)| due(w)).map(|(id, _)| id.clone()).collect();
        for id in ids.into_iter().filter(|id| !self.pending.contains_key(id)) {
            let Some(watched) = self.datasets.get(&id) else { continue };
            let since = watched.look.unwrap_or(now);
            let Some(event) = protection::overdue(&watched.dataset, now) else {
                let next = protection::next_look(&watched.dataset, now);
                self.datasets.entry(id).and_modify(|watched| watched.look = next);
                continue;
            };
            if self.wait_for_turn(&id, since, now).is_none() {
                let version = watched.version + 1;
                actions.push(Action::Append(Draft::new(id, version, event)));
            }
        }
    }
}
