//! What is unusual about a snapshot, against the ones before it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Measure, Unusual};

/// How large a snapshot was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// The repository.
    pub repository: String,
    /// When the log heard of it.
    pub at: Timestamp,
    /// Its bytes.
    pub bytes: u64,
    /// Bytes that no earlier one held.
    pub added: u64,
    /// Bytes these took.
    pub stored: u64,
}

impl Size {
    pub(super) fn new(repository: &str, measure: &Measure, at: Timestamp) -> Self {
        let Measure { bytes, added, stored, .. } = *measure;
        Self { repository: repository.to_owned(), at, bytes, added, stored }
    }
}

/// Something unusual, with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anomaly {
    /// What.
    pub what: Unusual,
    /// Its number.
    pub value: u64,
    /// The median of the ones before.
    pub usual: u64,
    /// Of how many.
    pub of: u32,
}

/// How many earlier snapshots are needed to know what is usual.
const FEWEST: usize = 5;
/// How many are looked at.
const MOST: usize = 14;
/// Below this many added bytes, shares say nothing.
const ADDED_MIN: u64 = 1024 * 1024;
/// How long nothing changes before that is said: a source that is not written any more, or the wrong directory.
const UNCHANGED_DAYS: u64 = 21;

/// What is unusual about a snapshot with these numbers, against earlier ones of the same repository, oldest first.
pub fn unusual(
    measure: &Measure,
    at: Timestamp,
    repository: &str,
    before: &[Size],
) -> Vec<Anomaly> {
    let all: Vec<&Size> =
        before.iter().filter(|one| one.repository == repository && one.at < at).collect();
    let recent: Vec<&Size> = all.iter().rev().take(MOST).copied().collect();
    if recent.len() < FEWEST {
        return Vec::new();
    }
    let of = u32::try_from(recent.len()).unwrap_or(u32::MAX);
    let found = |what, value, usual| Anomaly { what, value, usual, of };
    let mut anomalies = Vec::new();
    let bytes = median(recent.iter().map(|one| one.bytes));
    if measure.bytes.saturating_mul(2) < bytes {
        anomalies.push(found(Unusual::Shrunk, measure.bytes, bytes));
    }
    if measure.added >= ADDED_MIN {
        let rate = per_mille(measure.added, measure.bytes);
        // The first one added everything: it says nothing about change.
        let usual = median(recent.iter().map(|one| per_mille(one.added, one.bytes)));
        if rate >= 200 && rate > usual.saturating_mul(5) {
            anomalies.push(found(Unusual::ChangeRate, rate, usual));
        }
        let packed = per_mille(measure.stored, measure.added);
        let known = recent.iter().filter(|one| one.added >= ADDED_MIN);
        let usual = median(known.map(|one| per_mille(one.stored, one.added)));
        if packed >= 900 && (1..700).contains(&usual) {
            anomalies.push(found(Unusual::Entropy, packed, usual));
        }
    }
    anomalies.extend(unchanged(measure, at, &all).map(|days| found(Unusual::Unchanged, days, 0)));
    anomalies
}

/// For how many days nothing has changed, where that is long and was not long already at the snapshot before.
fn unchanged(measure: &Measure, at: Timestamp, before: &[&Size]) -> Option<u64> {
    if measure.added > 0 {
        return None;
    }
    let still = before.iter().rev().take_while(|one| one.added == 0).last()?;
    let days = |until: Timestamp| {
        u64::try_from(until.as_second().saturating_sub(still.at.as_second()) / 86_400).unwrap_or(0)
    };
    let known = before.last().is_some_and(|last| days(last.at) >= UNCHANGED_DAYS);
    (days(at) >= UNCHANGED_DAYS && !known).then(|| days(at))
}

fn per_mille(part: u64, whole: u64) -> u64 {
    part.saturating_mul(1_000).checked_div(whole).unwrap_or(0)
}

fn median(numbers: impl Iterator<Item = u64>) -> u64 {
    let mut all: Vec<u64> = numbers.collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or(0)
}
