//! What will run when, as far as the active definitions say. What people and failures do meanwhile, and
//! overlaps, it does not know.

use std::collections::{BTreeMap, BinaryHeap};

use jiff::Timestamp;
use serde::Serialize;

use crate::job::{Job, JobDefinition};
use crate::time::{Occurrence, Schedule, just_before};

/// One occurrence that lies ahead, or a wall-clock time that has none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Planned {
    /// The instant; for a wall-clock time that does not exist, the end of the gap it lies in.
    pub at: Timestamp,
    /// Its job.
    pub job: String,
    /// The pool that may take it.
    pub pool: String,
    /// The instant on the clock of the job's zone, RFC 9557.
    pub local: String,
    /// How the schedule came to this instant: `exact`, or what the clock did.
    pub reason: &'static str,
    /// Why it will not run; absent where it will.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

/// A range of time as it is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// Inclusive.
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
    /// Occurrences that will run.
    pub runs: u64,
    /// Occurrences, and wall-clock times without one, that will not.
    pub skipped: u64,
    /// The first of both, in the order of their instants, at most as many as were asked for.
    pub planned: Vec<Planned>,
    /// Runs for each hour (UTC) that has any, by its beginning.
    pub hours: BTreeMap<Timestamp, u64>,
    /// Jobs that could not be planned, and why.
    pub problems: Vec<String>,
}

/// Plans those of `jobs` whose active definition is `wanted`, and names at most `limit` occurrences; all are
/// counted.
pub fn forecast<'a>(
    jobs: impl IntoIterator<Item = &'a Job>,
    wanted: impl Fn(&JobDefinition) -> bool,
    (from, to): (Timestamp, Timestamp),
    limit: usize,
) -> Forecast {
    let mut plan = Plan { limit, ..Plan::default() };
    for job in jobs {
        let Some(span) = job.active() else { continue };
        match span.read().map_err(|error| error.to_string()) {
            Ok(definition) if wanted(&definition) => plan.take(job, &definition, from, to),
            Ok(_) => {}
            Err(error) => plan.problems.push(format!("job {}: {error}", job.name)),
        }
    }
    let Plan { runs, skipped, first, hours, problems, .. } = plan;
    Forecast { from, to, runs, skipped, planned: first.into_sorted_vec(), hours, problems }
}

#[derive(Default)]
struct Plan {
    limit: usize,
    runs: u64,
    skipped: u64,
    /// The first so far; the last of them on top, to be the next to go.
    first: BinaryHeap<Planned>,
    hours: BTreeMap<Timestamp, u64>,
    problems: Vec<String>,
}

impl Plan {
    fn take(&mut self, job: &Job, definition: &JobDefinition, from: Timestamp, to: Timestamp) {
        let schedule = match definition.parsed_schedule() {
            Some(Ok(schedule)) => schedule,
            Some(Err(error)) => {
                return self.problems.push(format!("job {}: {error}", job.name));
            }
            None => return,
        };
        let (after, until) = (just_before(from), just_before(to));
        for occurrence in schedule.between(after, until) {
            self.take_one(job, definition, &occurrence);
        }
        self.take_gaps(job, definition, &schedule, after, until);
    }

    fn take_one(&mut self, job: &Job, definition: &JobDefinition, occurrence: &Occurrence) {
        let at = occurrence.at;
        let skipped = job.pause_at(at).map(|pause| format!("the job is paused: {}", pause.reason));
        if skipped.is_some() {
            self.skipped += 1;
        } else {
            self.runs += 1;
            *self.hours.entry(hour_of(at)).or_default() += 1;
        }
        self.name(at, job, || Planned {
            at,
            job: job.name.clone(),
            pool: definition.pool.clone(),
            local: occurrence.local.to_string(),
            reason: occurrence.reason.as_str(),
            skipped,
        });
    }

    fn take_gaps(
        &mut self,
        job: &Job,
        definition: &JobDefinition,
        schedule: &Schedule,
        after: Timestamp,
        until: Timestamp,
    ) {
        for gap in schedule.skipped(after, until) {
            self.skipped += 1;
            self.name(gap.gap_end, job, || Planned {
                at: gap.gap_end,
                job: job.name.clone(),
                pool: definition.pool.clone(),
                local: format!("{}[{}]", gap.wall, gap.zone),
                reason: "gap-skipped",
                skipped: Some(gap.describe()),
            });
        }
    }

    /// Names it if it is among the first so far; most of a long range are only counted, and not made.
    fn name(&mut self, at: Timestamp, job: &Job, planned: impl FnOnce() -> Planned) {
        let last = self.first.peek().filter(|_| self.first.len() >= self.limit);
        let fits = last.is_none_or(|last| (at, &job.name) < (last.at, &last.job));
        if self.limit == 0 || !fits {
            return;
        }
        self.first.push(planned());
        if self.first.len() > self.limit {
            self.first.pop();
        }
    }
}

fn hour_of(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(3_600) * 3_600).unwrap_or(at)
}
