//! Open runs: silence is turned into events.

use jiff::Timestamp;

use super::due::Wanted;
use super::{Action, RunEntry, Scheduler, plus_ms};
use crate::envelope::{Draft, to_micros};
use crate::event::{
    Event, RetryOn, RunCancelled, RunLost, RunRetryScheduled, RunSkipped, SkipReason,
};
use crate::ids::StreamId;
use crate::run::{Attempt, Run, State};
use crate::wire::Work;

/// What the look at one run came to.
#[expect(clippy::large_enum_variant, reason = "it lives as long as one call")]
enum Look {
    /// Say this.
    Say(Event),
    /// Offer it to its pool.
    Offer(u32),
    /// Look again then.
    At(Timestamp),
    /// Nothing until an event arrives.
    Rest,
}

impl Scheduler {
    /// Looks at every open run whose time to be looked at has come.
    pub(super) fn tick_runs(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        // On top of what is due: a backlog must not keep offers, leases and retries waiting.
        let max = actions.len() + self.settings.drafts_max;
        while actions.len() < max {
            let Some((at, id)) = self.agenda.first().cloned() else { return };
            if at > now {
                return;
            }
            self.agenda.pop_first();
            let Some(mut entry) = self.runs.remove(&id) else { continue };
            entry.check = self.look(&id, &mut entry, now, actions);
            if let Some(at) = entry.check {
                self.agenda.insert((at, id.clone()));
            }
            self.runs.insert(id, entry);
        }
    }

    /// Acts on one run and says when to look again.
    fn look(
        &self,
        id: &StreamId,
        entry: &mut RunEntry,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Option<Timestamp> {
        if self.pending.contains_key(id) {
            return Some(plus_ms(now, super::PENDING_MS_MAX));
        }
        let before = actions.len();
        let look = self.judge(id, &entry.run, now, actions);
        let since = self.acts_since(id, &entry.run).unwrap_or(now);
        if matches!(look, Look::Say(_) | Look::Offer(_))
            && let Some(until) = self.wait_for_turn(id, since.min(now), now)
        {
            actions.truncate(before);
            return Some(until);
        }
        match look {
            Look::Rest => None,
            Look::At(at) => Some(at.max(plus_ms(now, 1))),
            Look::Say(event) => {
                actions.push(Action::Append(Draft::new(id.clone(), entry.version + 1, event)));
                Some(plus_ms(now, super::PENDING_MS_MAX))
            }
            Look::Offer(attempt) => {
                entry.offered += 1;
                if let Some(work) = self.work(entry, attempt) {
                    actions.push(Action::Dispatch(Box::new(work)));
                }
                Some(plus_ms(now, self.redispatch_after(entry.offered)))
            }
        }
    }

    fn redispatch_after(&self, offered: u32) -> i64 {
        let doubled = self.settings.redispatch_ms << offered.saturating_sub(1).min(16);
        doubled.min(self.settings.redispatch_ms_max)
    }

    fn judge(&self, id: &StreamId, run: &Run, now: Timestamp, actions: &mut Vec<Action>) -> Look {
        let idle = matches!(
            run.state,
            State::Requested | State::Held { .. } | State::Due | State::Retrying { .. }
        );
        if let (true, Some(cancel)) = (idle, &run.cancel) {
            let reason = cancel.reason.clone();
            return Look::Say(
                RunCancelled { attempt: None, host: None, reason, report: None }.into(),
            );
        }
        match &run.state {
            State::Requested => self.decide_request(id, run, actions),
            State::Due if self.must_wait(run) => Look::Rest,
            State::Due => Look::Offer(1),
            State::Running { .. } => self.check_lease(id, run, now),
            State::Retrying { attempt, after, not_before: None } => {
                schedule_retry(run, *attempt, *after)
            }
            State::Retrying { not_before: Some(at), .. } if *at > now => Look::At(*at),
            State::Retrying { attempt, .. } => Look::Offer(*attempt),
            State::Held { .. } | State::Unknown { .. } | State::Ended { .. } => Look::Rest,
        }
    }

    /// A run starts when no other of its job has begun; one that stands behind others, when no earlier
    /// one is open.
    fn must_wait(&self, run: &Run) -> bool {
        let Some(entry) = self.jobs.get(&run.job) else { return false };
        let place = |run: &Run| (run.instant(), run.created, run.id.clone());
        let others = entry.open.iter().filter(|id| **id != run.id);
        others.filter_map(|id| self.runs.get(id)).any(|other| {
            other.run.has_begun() || (!run.behind.is_empty() && place(&other.run) < place(run))
        })
    }

    fn decide_request(&self, id: &StreamId, run: &Run, actions: &mut Vec<Action>) -> Look {
        let active = self.jobs.get(&run.job).is_some_and(|entry| entry.active().is_some());
        if !active {
            let (job, definition) = (run.job.clone(), run.definition.clone());
            let reason = SkipReason::Retired;
            return Look::Say(RunSkipped { job, definition, nominal: None, reason }.into());
        }
        let wanted = Wanted {
            job: &run.job,
            definition: &run.definition,
            nominal: None,
            late_ms: 0,
            catch_up: false,
            hold: None,
        };
        self.overlap(id, wanted, actions).map_or(Look::Rest, Look::Say)
    }

    fn check_lease(&self, id: &StreamId, run: &Run, now: Timestamp) -> Look {
        let (Some(attempt), Some(ends)) = (run.attempt(), self.lease_ends(id, run)) else {
            return Look::At(plus_ms(now, 1_000));
        };
        if ends > now {
            return Look::At(ends);
        }
        Look::Say(lost(attempt, self.alive(id, attempt)).into())
    }

    /// When the newest attempt is lost if nothing is heard of it; `None` while this scheduler cannot
    /// hear. Silence counts only from the moment it could.
    fn lease_ends(&self, id: &StreamId, run: &Run) -> Option<Timestamp> {
        let attempt = run.attempt()?;
        let lease = i64::try_from(attempt.lease_ms).unwrap_or(i64::MAX);
        Some(plus_ms(self.alive(id, attempt).max(self.listening_since?), lease))
    }

    /// When the attempt was last known to be alive.
    fn alive(&self, id: &StreamId, attempt: &Attempt) -> Timestamp {
        let heard = self.heard.get(id).filter(|(heard, _)| *heard == attempt.number);
        heard.map_or(attempt.started, |(_, at)| *at).max(attempt.started)
    }

    /// Since when the run is waiting for a scheduler to act.
    fn acts_since(&self, id: &StreamId, run: &Run) -> Option<Timestamp> {
        match &run.state {
            State::Retrying { not_before: Some(at), .. } => Some(*at),
            State::Requested | State::Held { .. } | State::Due | State::Retrying { .. } => {
                Some(run.changed)
            }
            State::Running { .. } => self.lease_ends(id, run),
            State::Unknown { .. } | State::Ended { .. } => None,
        }
    }

    fn work(&self, entry: &RunEntry, attempt: u32) -> Option<Work> {
        let RunEntry { run, version, offered, .. } = entry;
        let job = self.jobs.get(&run.job)?;
        let definition = job.definition(&run.definition)?;
        Some(Work {
            run: run.id.clone(),
            version: *version,
            attempt,
            offer: *offered,
            pool: run.pool.clone(),
            host: run.host.clone(),
            digest: definition.digest,
            definition: serde_json::from_str(&definition.text()).ok()?,
        })
    }
}

fn lost(attempt: &Attempt, alive: Timestamp) -> RunLost {
    let (host, lease) = (attempt.host.clone(), attempt.lease_ms);
    let reason = format!("no heartbeat since {} for {lease} ms", to_micros(alive));
    RunLost { attempt: attempt.number, host, reason }
}

fn schedule_retry(run: &Run, attempt: u32, after: RetryOn) -> Look {
    let delay = i64::try_from(run.delay_ms_before(attempt)).unwrap_or(i64::MAX);
    let not_before = plus_ms(run.changed, delay);
    Look::Say(RunRetryScheduled { attempt, not_before, after }.into())
}
