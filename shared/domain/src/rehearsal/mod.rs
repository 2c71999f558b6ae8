//! The night as it would go: the scheduler's own mind, the recorder's own rules and hosts that only count, in virtual
//! time, from all that is defined, open and up now.
//!
//! Nothing is decided here. What is due, waits, is skipped, is late or starts is said by [`Scheduler`], and judged by
//! [`Ledger`], as in a real night; only hosts are played, and they take what they are offered as executors do. What is
//! taken for granted is said beside ([`Rehearsal::notes`]).
//!
//! | module | is about |
//! |---|---|
//! | `known` | what it begins with, and how that is asked for |
//! | `usual` | how long runs take |
//! | `stage`, `hosts` | the virtual site: schedulers, recorder, hosts, clock |
//! | `tale` | what is noted of each run: when, what it waited for, who let it go on |
//! | `deadlines` | who misses a limit, and the chain that makes it so |
//! | `text` | words |
//!
//! [`Scheduler`]: crate::scheduler::Scheduler
//! [`Ledger`]: crate::ledger::Ledger

mod deadlines;
mod hosts;
mod known;
mod stage;
mod tale;
mod text;
mod usual;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use deadlines::{Link, Missed};
pub use known::Known;
pub use tale::{Part, Wait};
pub use text::table;
pub use usual::{Basis, Length};

use crate::ids::StreamId;
use crate::job::JobDefinition;

/// What is to be rehearsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The clock: it begins here, with what is open now.
    pub now: Timestamp,
    /// What is told: from here on, inclusive; not before `now`.
    pub from: Timestamp,
    /// Until here, exclusive. What is open then is carried to its end, and nothing new begins.
    pub to: Timestamp,
    /// How long runs of jobs take that have none that did its work, milliseconds.
    pub unknown_ms: u64,
}

/// What runs of jobs without a past are taken to take, milliseconds, where nothing else is said.
pub const UNKNOWN_MS: u64 = 5 * 60_000;
/// Most events of one rehearsal.
pub const EVENTS_MAX: u64 = 2_000_000;

/// A night as it would go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rehearsal {
    /// When it was rehearsed.
    pub now: Timestamp,
    /// Inclusive.
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
    /// The position of the log from which it begins.
    pub position: u64,
    /// The runs, in the order in which they start; those that do not, by their instants.
    pub runs: Vec<Part>,
    /// When the last of them ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
    /// Which that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<StreamId>,
    /// Limits that are missed, the first of them first, each with the chain that makes it so.
    pub missed: Vec<Missed>,
    /// What is taken for granted, and what was left out.
    pub notes: Vec<String>,
}

impl Rehearsal {
    /// Only what has to do with these jobs; all of them were there all the same.
    pub fn only(&mut self, wanted: impl Fn(&JobDefinition) -> bool, known: &Known) {
        let names = known.names(wanted);
        self.runs.retain(|part| names.contains(&part.job));
        self.missed.retain(|missed| missed.run.run_job().is_some_and(|job| names.contains(job)));
        self.find_end();
    }

    fn find_end(&mut self) {
        let ends = self.runs.iter().filter(|part| part.started.is_some());
        let last = ends.filter_map(|part| Some((part.ended?, &part.run))).max();
        (self.ends, self.last) = match last {
            Some((at, run)) => (Some(at), Some(run.clone())),
            None => (None, None),
        };
    }
}

/// Rehearses.
pub fn rehearse(known: &Known, plan: Plan) -> Rehearsal {
    let mut stage = stage::Stage::set(known, plan);
    stage.play();
    let notes = stage.notes();
    let parts = stage.parts();
    let missed = deadlines::missed(&parts, plan);
    let told = |part: &Part| part.is_within(plan.from, plan.to);
    let runs: Vec<Part> = parts.into_values().filter(told).collect();
    let Plan { now, from, to, .. } = plan;
    let position = known.position();
    let mut rehearsal =
        Rehearsal { now, from, to, position, runs, ends: None, last: None, missed, notes };
    rehearsal.runs.sort_by_key(|part| (part.started.unwrap_or(part.instant), part.run.clone()));
    rehearsal.find_end();
    rehearsal
}
