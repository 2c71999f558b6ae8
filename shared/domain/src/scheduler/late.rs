//! Limits that a job names for its runs, and those that have missed one.

use jiff::Timestamp;

use super::past::{self, length};
use super::{Action, Scheduler, plus_ms};
use crate::event::{Limit, RunLate};
use crate::job::{LengthLimit, Sla};
use crate::run::{Outcome, Run, State};

impl Scheduler {
    fn sla(&self, run: &Run) -> Option<Sla> {
        if !self.measured.contains(&run.job) {
            return None;
        }
        let definition = self.jobs.get(&run.job)?.definition(&run.definition)?;
        Some(definition.read().ok()?.sla)
    }

    /// The first limit that an open run has missed by now and that nobody has noted, and when it did.
    pub(super) fn missed_limit(&self, run: &Run, now: Timestamp) -> Option<(Timestamp, RunLate)> {
        self.open_limits(run).into_iter().find(|(at, _)| *at <= now)
    }

    /// When an open run misses the next limit.
    pub(super) fn next_limit(&self, run: &Run, now: Timestamp) -> Option<Timestamp> {
        let limits = self.open_limits(run).into_iter().map(|(at, _)| at);
        limits.filter(|at| *at > now).min()
    }

    /// Limits that an open run can still miss: when, and what is then to be said.
    fn open_limits(&self, run: &Run) -> Vec<(Timestamp, RunLate)> {
        let known = |limit: Limit| run.late.iter().any(|late| late.limit == limit);
        let mut found = Vec::new();
        if matches!(run.state, State::Requested | State::Ended { .. }) {
            return found;
        }
        let deadlines = &run.terms.deadlines;
        if let Some(by) = deadlines.start_by
            && has_not_started_by(run, by)
            && run.state != State::Parts
            // When its host started it by itself is known when it has ended.
            && !(run.by_host && run.is_running())
            && !known(Limit::StartBy)
        {
            found.push((by, by_instant(Limit::StartBy, by)));
        }
        if let Some(by) = deadlines.finish_by
            && !known(Limit::FinishBy)
        {
            found.push((by, by_instant(Limit::FinishBy, by)));
        }
        if run.is_running()
            && !known(Limit::LongerThan)
            && let Some(attempt) = run.attempt()
            && let Some((ms, from)) = self.length_limit(run, |sla| sla.longer_than)
        {
            let at = plus_ms(attempt.started, i64::try_from(ms).unwrap_or(i64::MAX));
            found.push((at, by_length(Limit::LongerThan, ms, from)));
        }
        found
    }

    fn length_limit(
        &self,
        run: &Run,
        of: impl Fn(&Sla) -> Option<LengthLimit>,
    ) -> Option<(u64, u32)> {
        self.pasts.limit(&run.job, of(&self.sla(run)?)?)
    }

    /// What a run that has just ended missed without anybody having noted it: also while no scheduler was there.
    pub(super) fn missed_at_end(&self, run: &Run) -> Vec<RunLate> {
        let known = |limit: Limit| run.late.iter().any(|late| late.limit == limit);
        let mut found = Vec::new();
        let deadlines = &run.terms.deadlines;
        // What has ended before its limit cannot miss it any more.
        let mut missed = |limit: Limit, by: Option<Timestamp>, is: bool| {
            let by = by.filter(|by| is && *by < run.ended_at() && !known(limit));
            found.extend(by.map(|by| by_instant(limit, by)));
        };
        let late_start = deadlines.start_by.is_some_and(|by| has_not_started_by(run, by));
        missed(Limit::StartBy, deadlines.start_by, late_start && run.parts.is_empty());
        missed(Limit::FinishBy, deadlines.finish_by, true);
        let done = matches!(run.outcome(), Some(Outcome::Succeeded | Outcome::Warning));
        let Some(length) = length(run).filter(|_| done) else { return found };
        if let Some((ms, from)) = self.length_limit(run, |sla| sla.longer_than)
            && length > ms
            && !known(Limit::LongerThan)
        {
            found.push(by_length(Limit::LongerThan, ms, from));
        }
        if let Some((ms, from)) = self.length_limit(run, |sla| sla.shorter_than)
            && length < ms
        {
            found.push(by_length(Limit::ShorterThan, ms, from));
        }
        found
    }

    /// Asks the log for the past that is needed to judge this run; gives when to look whether it has answered.
    pub(super) fn recall_for(
        &mut self,
        run: &Run,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Option<Timestamp> {
        let mut jobs: Vec<String> = Vec::new();
        if matches!(run.state, State::Waiting | State::Blocked) {
            jobs.extend(run.terms.after.iter().map(|after| after.job.clone()));
        }
        let own = run.state == State::Parts || self.needs_lengths(run) || self.is_foreseen(run);
        jobs.extend(own.then(|| run.job.clone()));
        let mut asking = false;
        for job in jobs {
            asking |= self.pasts.ended(&job).is_none();
            if self.pasts.must_ask(&job, now) {
                actions.push(Action::Recall(job));
            }
        }
        asking.then(|| plus_ms(now, past::ASK_AGAIN_MS))
    }

    fn needs_lengths(&self, run: &Run) -> bool {
        let relative = |limit: Option<LengthLimit>| {
            matches!(limit, Some(LengthLimit::Percent(_) | LengthLimit::Percentile(_)))
        };
        self.sla(run).is_some_and(|sla| relative(sla.longer_than) || relative(sla.shorter_than))
    }

    /// The log answered [`Action::Recall`] with the newest runs of a job that have ended, at most
    /// [`past::PAST_RUNS`].
    pub fn recalled(&mut self, job: &str, runs: Vec<Run>, now: Timestamp) {
        self.pasts.recalled(job, runs);
        self.wake_dependents(job, now);
        self.wake_waiting(job, now);
    }
}

fn has_not_started_by(run: &Run, by: Timestamp) -> bool {
    run.began().is_none_or(|began| began > by)
}

fn by_instant(limit: Limit, by: Timestamp) -> RunLate {
    RunLate { limit, by: Some(by), than_ms: None, from_runs: None }
}

fn by_length(limit: Limit, ms: u64, from: u32) -> RunLate {
    RunLate { limit, by: None, than_ms: Some(ms), from_runs: Some(from) }
}
