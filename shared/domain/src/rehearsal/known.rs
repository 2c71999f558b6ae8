//! What a rehearsal begins with: all that is defined, open and up, and how long runs took.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::StreamId;
use crate::inquiry::Inquiry;
use crate::job::{Job, JobDefinition, Lease};
use crate::ledger::{Body, StreamState, Turn};
use crate::run::{Run, State};
use crate::scheduler::past;
use crate::why::facts::{LENGTHS, lengths};
use crate::wire::{Answer, Content, DONE_JOBS_MAX, Query, Selection};
use jiff::Timestamp;

/// Most streams in one answer.
const PAGE: u32 = 500;
/// From how many of a job's runs that have ended it is told what others wait for.
const PAST: u32 = 30;
/// What is read, in this order.
const SELECTIONS: [Selection; 4] =
    [Selection::Things, Selection::Hosts, Selection::Jobs, Selection::OpenRuns];

/// What is asked next.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// Streams of a selection after a name.
    Streams(usize, String),
    /// What jobs have done, and what they waited for.
    Past,
    /// Nothing.
    Done,
}

/// What is known.
#[derive(Debug)]
pub struct Known {
    pub(super) streams: BTreeMap<StreamId, StreamState>,
    pub(super) lengths: BTreeMap<String, Vec<u64>>,
    /// The position to which it is true, at least.
    pub(super) position: u64,
    step: Step,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            streams: BTreeMap::new(),
            lengths: BTreeMap::new(),
            position: u64::MAX,
            step: Step::Streams(0, String::new()),
        }
    }
}

impl Inquiry for Known {
    fn asks(&self) -> Vec<Query> {
        match &self.step {
            Step::Streams(index, after) => {
                let of = SELECTIONS.get(*index).copied();
                let after = after.clone();
                of.map(|of| Query::Streams { of, after, limit: PAGE }).into_iter().collect()
            }
            Step::Past => self.past_asks(),
            Step::Done => Vec::new(),
        }
    }

    fn take(&mut self, answers: Vec<Answer>) -> Result<(), String> {
        let mut last = None;
        for answer in answers {
            self.position = self.position.min(answer.position);
            match answer.content {
                Content::Streams(views) => {
                    last = views.last().map(|view| view.id.to_string());
                    self.streams.extend(views.into_iter().map(|view| (view.id, view.state)));
                }
                Content::Runs(rows) => self.take_lengths(&rows),
                Content::Failed(reason) => return Err(reason),
                Content::Head(_)
                | Content::Events(_)
                | Content::Leaves(_)
                | Content::Night(_)
                | Content::Heads(_)
                | Content::Consistency(_)
                | Content::Proof(_) => return Err("an answer is to another question".to_owned()),
            }
        }
        self.step = match (&self.step, last) {
            (Step::Streams(index, _), Some(last)) => Step::Streams(*index, last),
            (Step::Streams(index, _), None) if index + 1 < SELECTIONS.len() => {
                Step::Streams(index + 1, String::new())
            }
            (Step::Streams(..), None) if !self.past_asks().is_empty() => Step::Past,
            (Step::Streams(..) | Step::Past | Step::Done, _) => Step::Done,
        };
        Ok(())
    }
}

impl Known {
    /// What is known of a log that is at hand: jobs take as long as those runs of it that did their work.
    pub fn of(streams: impl IntoIterator<Item = (StreamId, StreamState)>) -> Self {
        let mut known =
            Self { streams: streams.into_iter().collect(), step: Step::Done, ..Self::default() };
        let runs = known.streams.values().filter_map(|state| state.body.run());
        let mut by_job: BTreeMap<String, Vec<&Run>> = BTreeMap::new();
        runs.for_each(|run| by_job.entry(run.job.clone()).or_default().push(run));
        let measured = by_job.into_iter();
        let measured = measured.map(|(job, runs)| (job, past::lengths(runs.into_iter())));
        known.lengths = measured.collect();
        known
    }

    fn past_asks(&self) -> Vec<Query> {
        let jobs: Vec<String> = self.jobs().map(|job| job.name.clone()).collect();
        let done = jobs.chunks(DONE_JOBS_MAX);
        let done = done.map(|jobs| Query::Done { jobs: jobs.to_vec(), limit: LENGTHS });
        let past = self.awaited().into_iter().map(|job| Query::Past { job, limit: PAST });
        done.chain(past).collect()
    }

    fn take_lengths(&mut self, rows: &[crate::wire::RunRow]) {
        let mut by_job: BTreeMap<String, Vec<crate::wire::RunRow>> = BTreeMap::new();
        for row in rows {
            by_job.entry(row.job.clone()).or_default().push(row.clone());
        }
        self.lengths.extend(by_job.into_iter().map(|(job, rows)| (job, lengths(&rows))));
    }

    fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.streams.values().filter_map(|state| state.body.job())
    }

    /// Runs that have not ended.
    pub(super) fn open_runs(&self) -> impl Iterator<Item = &Run> {
        let runs = self.streams.values().filter_map(|state| state.body.run());
        runs.filter(|run| !run.state.is_ended())
    }

    /// Jobs whose past somebody needs to know: others wait for them, they take place on several hosts, or they are
    /// measured by it.
    fn awaited(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for job in self.jobs() {
            let Some(span) = job.active() else { continue };
            // Most definitions name nothing of the kind, and need not be read for it.
            let text = span.definition.get();
            if !["\"after\":", "\"hosts\":", "\"sla\":"].iter().any(|field| text.contains(field)) {
                continue;
            }
            let Ok(definition) = span.read() else { continue };
            found.extend(definition.after.iter().map(|after| after.job.clone()));
            found.insert(job.name.clone());
        }
        let open = self.open_runs().flat_map(|run| &run.terms.after);
        found.extend(open.map(|after| after.job.clone()));
        found
    }

    /// The definition that a run follows.
    pub(super) fn definition(&self, run: &Run) -> Option<JobDefinition> {
        let spans = &self.streams.get(&StreamId::job(&run.job))?.body.job()?.versions.spans;
        spans.iter().find(|span| span.reference() == run.definition)?.read().ok()
    }

    /// The streams as a rehearsal takes them: what a host would decide by itself the centre decides, by the same rules;
    /// and what runs is watched by nobody, so no silence ends it.
    pub(super) fn staged(&self, now: Timestamp) -> BTreeMap<StreamId, StreamState> {
        let asleep = self.is_asleep();
        let one = |(id, state): (&StreamId, &StreamState)| {
            let mut state = state.clone();
            match &mut state.body {
                Body::Job(job) => take_leave_back(job, &mut state.turn, now),
                Body::Run(run) => {
                    run.attempts.iter_mut().for_each(|attempt| attempt.lease_ms = LEASE_MS);
                }
                Body::Host(host) => host.up |= asleep,
                Body::User(_)
                | Body::Log
                | Body::Incident(_)
                | Body::Control
                | Body::Request(_)
                | Body::Review(_)
                | Body::Tzdb(_)
                | Body::Continued(_)
                | Body::Archive(_)
                | Body::Joining(_)
                | Body::Records(_)
                | Body::Directory(_)
                | Body::Thing(_)
                | Body::Dataset(_)
                | Body::Repository(_)
                | Body::Queue(_)
                | Body::Form(_)
                | Body::Document(_) => {}
            }
            (id.clone(), state)
        };
        self.streams.iter().map(one).collect()
    }

    /// Whether hosts have been there and none is up: the whole installation sleeps.
    pub(super) fn is_asleep(&self) -> bool {
        let mut hosts = self.streams.values().filter_map(|state| state.body.host()).peekable();
        hosts.peek().is_some() && hosts.all(|host| !host.up)
    }

    /// How many runs stand where only a person or evidence brings them on.
    pub(super) fn unknown(&self) -> usize {
        self.open_runs().filter(|run| matches!(run.state, State::Unknown { .. })).count()
    }
}

/// Longer than any rehearsal: nobody is silent in one.
pub(super) const LEASE_MS: u64 = 10 * 366 * 24 * 3_600_000;

fn take_leave_back(job: &mut Job, turn: &mut Turn, now: Timestamp) {
    let under_way = job.leases.iter().any(|lease: &Lease| lease.is_of_host() && lease.covers(now));
    let told = turn.leased.values().copied().max();
    let told = told.into_iter().chain(under_way.then_some(now)).max();
    turn.settled = turn.settled.max(told);
    turn.leased.clear();
    job.leases.clear();
    for span in &mut job.versions.spans {
        span.definition = span.definition.without("autonomy");
    }
}

impl Known {
    /// The position of the log to which it is true, at least.
    pub(super) fn position(&self) -> u64 {
        if self.position == u64::MAX { 0 } else { self.position }
    }

    /// The names of the jobs whose active definition is wanted.
    pub(super) fn names(&self, wanted: impl Fn(&JobDefinition) -> bool) -> BTreeSet<String> {
        let active = self.jobs().filter_map(|job| Some((job, job.active()?.read().ok()?)));
        active
            .filter(|(_, definition)| wanted(definition))
            .map(|(job, _)| job.name.clone())
            .collect()
    }
}
