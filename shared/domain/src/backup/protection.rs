//! Whether a dataset is protected: by what can be restored now, never by what once was.

use jiff::Timestamp;

use super::dataset::DatasetDefinition;
use super::record::{Dataset, Snapshot};
use crate::event::RiskReason;
use crate::site::{Thing, ThingKind};

/// How a dataset stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protection {
    /// It has snapshots younger than its RPO in as many repositories as it should.
    Protected {
        /// When the reading of the newest began.
        newest: Timestamp,
        /// Until when that is enough.
        until: Timestamp,
    },
    /// It was defined lately and there has been no time for a snapshot yet.
    Awaited {
        /// When it will be at risk.
        until: Timestamp,
    },
    /// It is not.
    AtRisk {
        /// Why.
        reason: RiskReason,
    },
    /// It is not defined any more.
    Retired,
}

impl Protection {
    /// How a dataset stands at an instant.
    pub fn of(dataset: &Dataset, now: Timestamp) -> Self {
        let Some((definition, from)) = active(dataset) else { return Self::Retired };
        let rpo = i64::try_from(definition.rpo.millis()).unwrap_or(i64::MAX);
        let good: Vec<&Snapshot> = dataset.snapshots.iter().filter(|one| one.is_good()).collect();
        let Some(newest) = good.iter().map(|one| one.taken).max() else {
            let until = later(from, rpo);
            return if now < until && dataset.snapshots.is_empty() && dataset.forgotten.is_empty() {
                Self::Awaited { until }
            } else {
                Self::AtRisk { reason: RiskReason::NoSnapshot }
            };
        };
        if now >= later(newest, rpo) {
            return Self::AtRisk { reason: RiskReason::TooOld { newest } };
        }
        // Of each repository the newest; then the oldest of as many as are asked for says how long it lasts.
        let mut ages = repositories(&good, now, rpo);
        ages.sort_unstable_by(|a, b| b.cmp(a));
        let want = definition.copies.max(1);
        let have = u32::try_from(ages.len()).unwrap_or(u32::MAX);
        match ages.get(want as usize - 1) {
            Some(oldest) => Self::Protected { newest, until: later(*oldest, rpo) },
            None => Self::AtRisk { reason: RiskReason::TooFewCopies { have, want } },
        }
    }
}

/// For each repository with a good snapshot younger than the RPO, how old the newest is.
fn repositories(good: &[&Snapshot], now: Timestamp, rpo: i64) -> Vec<Timestamp> {
    let mut names: Vec<&str> = good.iter().map(|one| one.repository.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let newest =
        |name: &&str| good.iter().filter(|one| one.repository == **name).map(|one| one.taken).max();
    names.iter().filter_map(newest).filter(|taken| now < later(*taken, rpo)).collect()
}

fn later(at: Timestamp, ms: i64) -> Timestamp {
    at.checked_add(jiff::SignedDuration::from_millis(ms)).unwrap_or(Timestamp::MAX)
}

/// The active definition of a dataset, and since when it is.
pub fn active(dataset: &Dataset) -> Option<(DatasetDefinition, Timestamp)> {
    let span = dataset.defined.active()?;
    match crate::site::state::read(ThingKind::Dataset, span)? {
        Thing::Dataset(definition) => {
            // The grace of a first snapshot does not begin anew with each change of the definition.
            let first = dataset.defined.versions.spans.first().map_or(span.from, |s| s.from);
            Some((*definition, first))
        }
        Thing::Calendar(_)
        | Thing::Blackout(_)
        | Thing::Lock(_)
        | Thing::Pool(_)
        | Thing::Repository(_)
        | Thing::Queue(_)
        | Thing::CallTree(_)
        | Thing::Measures(_)
        | Thing::Form(_) => None,
    }
}

/// Whether its restore has not been tested well for longer than it asks for; one that was never tested has been there
/// since its first definition.
pub fn is_test_overdue(dataset: &Dataset, now: Timestamp) -> bool {
    let Some((definition, from)) = active(dataset) else { return false };
    let Some(every) = definition.restore_test_every else { return false };
    let good = dataset.tests.iter().rev().find(|test| test.result.good);
    let ms = i64::try_from(every.millis()).unwrap_or(i64::MAX);
    now > later(good.map_or(from, |test| test.at), ms)
}

/// What a scheduler has to say of a dataset now, where that is not said yet.
pub fn overdue(dataset: &Dataset, now: Timestamp) -> Option<crate::event::BackupEvent> {
    use crate::event::{BackupEvent, DatasetAtRisk, DatasetProtected};
    match (Protection::of(dataset, now), &dataset.at_risk) {
        (Protection::AtRisk { reason }, said) => {
            let known = said.as_ref().is_some_and(|said| same(&said.reason, &reason));
            (!known).then_some(BackupEvent::DatasetAtRisk(DatasetAtRisk { reason }))
        }
        (Protection::Protected { newest, .. }, Some(_)) => {
            Some(BackupEvent::DatasetProtected(DatasetProtected { newest }))
        }
        (Protection::Protected { .. }, None)
        | (Protection::Awaited { .. } | Protection::Retired, _) => None,
    }
}

/// Whether it is the same risk: then it is not said again.
fn same(said: &RiskReason, now: &RiskReason) -> bool {
    match (said, now) {
        (RiskReason::TooOld { .. }, RiskReason::TooOld { .. }) => true,
        (
            RiskReason::NoSnapshot | RiskReason::TooOld { .. } | RiskReason::TooFewCopies { .. },
            _,
        ) => said == now,
    }
}

/// When a scheduler must look again, if nothing happens before.
pub fn next_look(dataset: &Dataset, now: Timestamp) -> Option<Timestamp> {
    match Protection::of(dataset, now) {
        Protection::Protected { until, .. } | Protection::Awaited { until } => Some(until),
        Protection::AtRisk { .. } | Protection::Retired => None,
    }
}
