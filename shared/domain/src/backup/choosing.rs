//! Which snapshots are meant: by a name's first letters, to be copied, to be forgotten, to be called damaged.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::admit::{AT_ONCE, DAMAGED_MAX, forgettable};
use super::record::{Dataset, Snapshot};
use super::saying::leftovers;
use crate::canonical::Digest;
use crate::event::{DamagedSnapshot, ForgetReason};

/// Why a name does not say which snapshot is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclear {
    /// None is called so.
    None,
    /// Several begin so.
    Several,
}

/// The one snapshot whose name begins so, in one repository or in any.
///
/// # Errors
/// There is none, or more than one.
pub fn named<'a>(
    dataset: &'a Dataset,
    repository: Option<&str>,
    beginning: &str,
) -> Result<&'a Snapshot, Unclear> {
    let fits = |one: &&Snapshot| {
        repository.is_none_or(|name| one.repository == name)
            && one.id.to_string().starts_with(beginning)
    };
    let mut all = dataset.snapshots.iter().filter(fits);
    match (all.next(), all.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(Unclear::Several),
        (None, _) => Err(Unclear::None),
    }
}

/// What is good in one repository and not good in another. What was forgotten there is not brought back.
pub fn to_copy(dataset: &Dataset, from: &str, to: &str) -> Vec<Digest> {
    let is_of = |copy: &Option<(String, Digest)>, id: Digest| {
        copy.as_ref().is_some_and(|(repository, of)| repository == from && *of == id)
    };
    let is_there = |id: Digest| {
        let mut there = dataset.in_repository(to).filter(|copy| copy.is_good());
        let mut forgotten = dataset.forgotten.iter().filter(|one| one.repository == to);
        there.any(|copy| is_of(&copy.copy_of, id)) || forgotten.any(|one| is_of(&one.copy_of, id))
    };
    let good = dataset.in_repository(from).filter(|one| one.is_good());
    good.map(|one| one.id).filter(|id| !is_there(*id)).collect()
}

/// Snapshots that are to be forgotten together, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forgetting {
    /// Which.
    pub snapshots: Vec<Digest>,
    /// Why.
    pub reason: ForgetReason,
}

/// What a run of a retention job has to have agreed: what the rule does not keep, and, whole and by their word, what two
/// people have agreed on. Nothing for a dataset that is not active.
pub fn to_forget(dataset: &Dataset, repository: &str, now: Timestamp) -> Vec<Forgetting> {
    let Some(active) = dataset.defined.active() else { return Vec::new() };
    let asked = dataset.request.as_ref();
    let asked = asked.filter(|one| one.approved_by.is_some() && one.repository == repository);
    let mut by_rule = forgettable(dataset, repository, now);
    by_rule.retain(|id| !asked.is_some_and(|asked| asked.snapshots.contains(id)));
    let by_rule = by_rule.chunks(AT_ONCE).map(|snapshots| Forgetting {
        snapshots: snapshots.to_vec(),
        reason: ForgetReason::Policy { definition: active.reference() },
    });
    let by_people = asked.map(|asked| Forgetting {
        snapshots: asked.snapshots.clone(),
        reason: ForgetReason::People { request: asked.number },
    });
    by_rule.chain(by_people).collect()
}

/// What such a run then removes: that, and what was forgotten before and may still be there.
pub fn to_remove(dataset: &Dataset, repository: &str, forget: &[Forgetting]) -> Vec<Digest> {
    let mut all = leftovers(dataset, repository);
    all.extend(forget.iter().flat_map(|one| &one.snapshots));
    all.sort_unstable();
    all.dedup();
    all
}

/// What is to be called damaged of a dataset, the newest first, because these protect: what a check named, as far as the
/// log knows it; and all that counts as good where the check cannot say whose the damage is.
pub fn damaged(
    dataset: &Dataset,
    repository: &str,
    mut named: Vec<DamagedSnapshot>,
    in_doubt: bool,
) -> Vec<DamagedSnapshot> {
    if in_doubt {
        let good = dataset.in_repository(repository).filter(|one| one.is_good());
        let others = good.filter(|one| !named.iter().any(|known| known.snapshot == one.id));
        let others: Vec<Digest> = others.map(|one| one.id).collect();
        named.extend(others.into_iter().map(|snapshot| DamagedSnapshot { snapshot, files: 0 }));
    }
    let at = |one: &DamagedSnapshot| dataset.snapshot(repository, one.snapshot).map(|one| one.at);
    named.retain(|one| at(one).is_some());
    named.sort_by_key(|one| Reverse(at(one)));
    named.truncate(DAMAGED_MAX);
    named
}
