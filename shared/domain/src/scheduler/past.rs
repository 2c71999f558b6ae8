//! Runs that have ended, as far as others wait for them or are measured by them. A scheduler that needs to know asks
//! the log once for a job's newest, and follows from there.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use crate::job::LengthLimit;
use crate::run::{Outcome, Run};

/// How many of a job's newest runs are kept; as many again that were skipped or missed.
pub const PAST_RUNS: u32 = 200;

/// What is known of a job's past.
#[derive(Debug, Default)]
struct Past {
    /// Whether the log was asked; `false` while it is.
    known: bool,
    asked: Option<Timestamp>,
    ended: VecDeque<Run>,
}

/// The past of those jobs that somebody needs to know of.
#[derive(Debug, Default)]
pub(super) struct Pasts(BTreeMap<String, Past>);

/// How long to wait for an answer before asking again, milliseconds.
pub(super) const ASK_AGAIN_MS: i64 = 10_000;

impl Pasts {
    /// The runs of a job that have ended, newest last; `None` where the log must be asked first.
    pub(super) fn ended(&self, job: &str) -> Option<&VecDeque<Run>> {
        self.0.get(job).filter(|past| past.known).map(|past| &past.ended)
    }

    /// Whether the log is to be asked for a job's past now.
    pub(super) fn must_ask(&mut self, job: &str, now: Timestamp) -> bool {
        let past = self.0.entry(job.to_owned()).or_default();
        let due = past.asked.is_none_or(|at| super::plus_ms(at, ASK_AGAIN_MS) <= now);
        if !past.known && due {
            past.asked = Some(now);
        }
        !past.known && due
    }

    /// The log answered with a job's newest runs that have ended, in any order.
    pub(super) fn recalled(&mut self, job: &str, runs: Vec<Run>) {
        let past = self.0.entry(job.to_owned()).or_default();
        // What the feed brought meanwhile is newer.
        for run in runs {
            if run.state.is_ended() && !past.ended.iter().any(|known| known.id == run.id) {
                past.ended.push_back(run);
            }
        }
        past.known = true;
        past.ended.make_contiguous().sort_by_key(|run| (run.instant(), run.created));
        past.trim();
    }

    /// What is known of a job is not enough: the log is asked again.
    pub(super) fn forget(&mut self, job: &str) {
        if let Some(past) = self.0.get_mut(job) {
            (past.known, past.asked) = (false, None);
        }
    }

    /// A run has ended.
    pub(super) fn ends(&mut self, run: &Run) {
        let Some(past) = self.0.get_mut(&run.job) else { return };
        past.ended.retain(|known| known.id != run.id);
        past.ended.push_back(run.clone());
        past.trim();
    }

    /// The limit in milliseconds, and from how many earlier runs it comes. `None` where there are too few of them,
    /// or the log must be asked first.
    pub(super) fn limit(&self, job: &str, limit: LengthLimit) -> Option<(u64, u32)> {
        if let LengthLimit::Absolute(long) = limit {
            return Some((long.millis(), 0));
        }
        let lengths = lengths(self.ended(job)?.iter());
        let count = u32::try_from(lengths.len()).unwrap_or(u32::MAX);
        if count < MEASURED_MIN {
            return None;
        }
        let ms = match limit {
            LengthLimit::Absolute(long) => long.millis(),
            LengthLimit::Percent(percent) => {
                percentile(&lengths, 50)?.saturating_mul(u64::from(percent)) / 100
            }
            LengthLimit::Percentile(p) => percentile(&lengths, p)?,
        };
        Some((ms, count))
    }
}

fn is_idle(run: &Run) -> bool {
    matches!(run.outcome(), Some(Outcome::Skipped | Outcome::Missed))
}

impl Past {
    /// What did not run is counted apart: many skipped occurrences push out none that ran, nor a part of one.
    fn trim(&mut self) {
        for idle in [false, true] {
            let more = self.ended.iter().filter(|run| is_idle(run) == idle).count();
            let mut more = more.saturating_sub(PAST_RUNS as usize);
            self.ended.retain(|run| {
                let goes = more > 0 && is_idle(run) == idle;
                more -= usize::from(goes);
                !goes
            });
        }
    }
}

/// How many earlier runs there must be for anything to be usual.
pub const MEASURED_MIN: u32 = 5;

/// How long runs that did their work took, in milliseconds, shortest first.
pub fn lengths<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<u64> {
    let done =
        runs.filter(|run| matches!(run.outcome(), Some(Outcome::Succeeded | Outcome::Warning)));
    let mut lengths: Vec<u64> = done.filter_map(length).collect();
    lengths.sort_unstable();
    lengths
}

/// How long the newest attempt of a run took, by its host's clock, milliseconds.
pub fn length(run: &Run) -> Option<u64> {
    let report = run.attempt()?.report.as_ref()?;
    let ms = report.ended.as_millisecond() - report.began.as_millisecond();
    u64::try_from(ms).ok()
}

/// The `p`th percentile of sorted values: the smallest that at least `p` percent do not exceed.
pub fn percentile(sorted: &[u64], p: u8) -> Option<u64> {
    let rank = (sorted.len() * usize::from(p)).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}
