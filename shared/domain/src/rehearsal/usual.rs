//! How long runs take, by what they took before.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::known::Known;
use crate::scheduler::past::percentile;

/// How long a run takes, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Length {
    /// Milliseconds.
    pub ms: u64,
    /// Where it comes from.
    pub from: Basis,
}

/// Where a length comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// The median of this many of the job's newest runs that did their work.
    Median(u32),
    /// It ran already, and is taken to end as the median of those of them that took longer than it has by now.
    Longer(u32),
    /// It ran already, for longer than all of them: it is taken to end when it has taken a tenth more.
    Longest,
    /// The job has no run that did its work: the length that was given for such.
    Assumed,
    /// Its limit, at which it is stopped.
    Limit,
}

impl Length {
    /// Whether it is no more than an assumption.
    pub fn is_assumed(&self) -> bool {
        self.from == Basis::Assumed
    }
}

impl Known {
    /// How long a run of a job takes that starts now.
    pub(super) fn usual(&self, job: &str, unknown_ms: u64) -> Length {
        let lengths = self.lengths.get(job).map(Vec::as_slice).unwrap_or_default();
        match percentile(lengths, 50) {
            Some(ms) => Length { ms, from: Basis::Median(count(lengths)) },
            None => Length { ms: unknown_ms, from: Basis::Assumed },
        }
    }

    /// How long a run takes that has run since `since`.
    pub(super) fn under_way(
        &self,
        job: &str,
        since: Timestamp,
        now: Timestamp,
        unknown_ms: u64,
    ) -> Length {
        let by_now = u64::try_from(now.as_millisecond() - since.as_millisecond()).unwrap_or(0);
        let usual = self.usual(job, unknown_ms);
        if usual.ms > by_now {
            return usual;
        }
        let lengths = self.lengths.get(job).map(Vec::as_slice).unwrap_or_default();
        let longer: Vec<u64> = lengths.iter().copied().filter(|ms| *ms > by_now).collect();
        match percentile(&longer, 50) {
            Some(ms) => Length { ms, from: Basis::Longer(count(&longer)) },
            None => Length { ms: by_now + by_now / 10, from: Basis::Longest },
        }
    }
}

fn count(lengths: &[u64]) -> u32 {
    u32::try_from(lengths.len()).unwrap_or(u32::MAX)
}
