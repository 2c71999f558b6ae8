//! Open runs: silence is turned into events.

use jiff::Timestamp;

use super::due::Wanted;
use super::gates::{Obstacle, STUCK_OFFERS, skip_reason};
use super::terms::{Sort, When};
use super::{Action, RunEntry, Scheduler, plus_ms};
use crate::envelope::{Draft, to_micros};
use crate::event::{
    Event, RetryOn, RunCancelRequested, RunCancelled, RunCleared, RunDelayed, RunHeld, RunLost,
    RunRetryScheduled, RunSkipped, SkipReason,
};
use crate::ids::StreamId;
use crate::job::AtEnd;
use crate::run::{Attempt, Run, State};
use crate::site::BlackoutEnd;
use crate::wire::Work;

/// What the look at one run came to.
#[expect(clippy::large_enum_variant, reason = "it lives as long as one call")]
pub(super) enum Look {
    /// Say this.
    Say(Event),
    /// Offer it to its pool, or to a host.
    Offer(u32, Option<String>),
    /// Look again then.
    At(Timestamp),
    /// Nothing until an event arrives.
    Rest,
}

/// How often a run that waits for a host is looked at, milliseconds.
const NO_HOST_MS: i64 = 5_000;

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
        &mut self,
        id: &StreamId,
        entry: &mut RunEntry,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Option<Timestamp> {
        if self.pending.contains_key(id) {
            return Some(plus_ms(now, super::PENDING_MS_MAX));
        }
        let asking = self.recall_for(&entry.run, now, actions);
        let before = actions.len();
        let missed = self.missed_limit(&entry.run, now);
        let missed_at = missed.as_ref().map(|(at, _)| *at);
        let look = match missed {
            Some((_, late)) => Look::Say(late.into()),
            None => self.judge(id, &entry.run, now, actions),
        };
        let acts = matches!(look, Look::Say(_) | Look::Offer(..)) || actions.len() > before;
        // What it waited for may have come about long after its newest event.
        entry.wants = acts.then(|| entry.wants.unwrap_or(now));
        if let Some(wants) = entry.wants {
            let since = self.acts_since(id, &entry.run).map_or(wants, |since| since.max(wants));
            let since = missed_at.unwrap_or(since).min(now);
            if let Some(until) = self.wait_for_turn(id, since, now) {
                actions.truncate(before);
                return Some(until);
            }
        }
        let again = match look {
            Look::Rest => None,
            Look::At(at) => Some(at.max(plus_ms(now, 1))),
            Look::Say(event) => {
                actions.push(Action::Append(Draft::new(id.clone(), entry.version + 1, event)));
                return Some(plus_ms(now, super::PENDING_MS_MAX));
            }
            Look::Offer(attempt, host) => {
                entry.offered += 1;
                if entry.offered == STUCK_OFFERS + 1 {
                    self.wake_sharers(&entry.run, now);
                }
                if let Some(work) = self.work(entry, attempt, host) {
                    actions.push(Action::Dispatch(Box::new(work)));
                }
                let again = Some(plus_ms(now, self.redispatch_after(entry.offered)));
                again.into_iter().chain(first_start_ends(&entry.run, now)).min()
            }
        };
        let limit = self.next_limit(&entry.run, now);
        let foreseen = self.foresee(&entry.run, now).map(|at| at.max(plus_ms(now, 1)));
        again.into_iter().chain(limit).chain(asking).chain(foreseen).min()
    }

    fn redispatch_after(&self, offered: u32) -> i64 {
        let doubled = self.settings.redispatch_ms << offered.saturating_sub(1).min(16);
        doubled.min(self.settings.redispatch_ms_max)
    }

    fn judge(&self, id: &StreamId, run: &Run, now: Timestamp, actions: &mut Vec<Action>) -> Look {
        let idle = run.is_pending() || matches!(run.state, State::Retrying { .. });
        if let (true, Some(cancel)) = (idle, &run.cancel) {
            let reason = cancel.reason.clone();
            return Look::Say(
                RunCancelled { attempt: None, host: None, reason, report: None }.into(),
            );
        }
        let whole = run.part_of.as_ref().and_then(|whole| self.runs.get(whole));
        if idle && self.continued.may_have_begun(run, whole.map(|entry| &entry.run)) {
            let reason = "it may have begun before: the log of that time was lost".to_owned();
            return Look::Say(RunCancelRequested { reason }.into());
        }
        match &run.state {
            State::Requested => self.decide_request(id, run, actions),
            State::Waiting | State::Blocked => self.look_at_conditions(run, now),
            State::Due => self.pass_gates(run, 1, now),
            State::Parts => self.look_at_parts(id, run, actions),
            State::Running { .. } => self.check_lease(id, run, now),
            State::Retrying { attempt, after, not_before: None } => {
                schedule_retry(run, *attempt, *after)
            }
            State::Retrying { not_before: Some(at), .. } if *at > now => Look::At(*at),
            State::Retrying { attempt, .. } => self.pass_gates(run, *attempt, now),
            State::Held { .. } | State::Unknown { .. } | State::Ended { .. } => Look::Rest,
        }
    }

    /// A run that waits for others: met, blocked, or too late.
    fn look_at_conditions(&self, run: &Run, now: Timestamp) -> Look {
        let unmet = self.unmet_conditions(run);
        if let Some(by) = run.terms.latest_by
            && by <= now
            && let Some(reason) = skip_reason(&Obstacle::TooLate(by), &unmet)
        {
            return Look::Say(skipped(run, reason).into());
        }
        if unmet.is_empty()
            && let Some(by) = self.met_by(run)
        {
            return Look::Say(RunCleared { by }.into());
        }
        let blocked = unmet.into_iter().find_map(Obstacle::into_blocked);
        match (&run.state, blocked) {
            (State::Waiting, Some(blocked)) => Look::Say(blocked.into()),
            (_, _) => run.terms.latest_by.map_or(Look::Rest, Look::At),
        }
    }

    /// A run that waits for nothing but its turn.
    fn pass_gates(&self, run: &Run, attempt: u32, now: Timestamp) -> Look {
        if self.is_to_be_stopped(run) {
            return Look::Rest;
        }
        if let Some(earlier) = self.ends_earlier(run, now) {
            return Look::Say(earlier.into());
        }
        let gates = self.gates(run, now);
        let first = run.attempts.is_empty();
        if let Some(by) = run.terms.latest_by.filter(|by| first && *by <= now)
            && let Some(reason) = skip_reason(&Obstacle::TooLate(by), &self.obstacles_of(run, now))
        {
            return Look::Say(skipped(run, reason).into());
        }
        let Some(gate) = gates.into_iter().next() else {
            return if run.is_whole() {
                Look::Say(self.divide(run).into())
            } else {
                Look::Offer(attempt, self.choose_host(run, now))
            };
        };
        let limit = run.terms.latest_by.filter(|_| first);
        let again =
            |at: Option<Timestamp>| at.into_iter().chain(limit).min().map_or(Look::Rest, Look::At);
        match &gate {
            Obstacle::NotBefore(at, _) => again(Some(*at)),
            Obstacle::WindowOver(window) if window.at_end == AtEnd::Hold => {
                let reason =
                    format!("it had not started when its window ended at {}", window.until);
                Look::Say(RunHeld { reason }.into())
            }
            Obstacle::Blackout { name, until, at_end } => match at_end {
                BlackoutEnd::Hold if first => {
                    let reason = format!("blackout {name} lasts until {until}");
                    Look::Say(RunHeld { reason }.into())
                }
                BlackoutEnd::Skip if first => self.skip_for(run, &gate),
                BlackoutEnd::StartLate | BlackoutEnd::Hold | BlackoutEnd::Skip => {
                    let reason = format!("blackout {name} lasts until then");
                    let blackout = Some(name.clone());
                    Look::Say(RunDelayed { not_before: *until, reason, blackout }.into())
                }
            },
            Obstacle::WindowOver(_) => self.skip_for(run, &gate),
            Obstacle::NoHost(_) | Obstacle::Left { .. } => again(Some(plus_ms(now, NO_HOST_MS))),
            // It is looked at again when what stands in its way changes.
            Obstacle::Behind(_)
            | Obstacle::Lock { .. }
            | Obstacle::NoLock(_)
            | Obstacle::PoolFull { .. }
            | Obstacle::TooLate(_)
            | Obstacle::After { .. }
            | Obstacle::NoSuchRun { .. }
            | Obstacle::Blocked(_)
            | Obstacle::Unconfirmed { .. }
            | Obstacle::Held(_)
            | Obstacle::Needs { .. }
            | Obstacle::Asking(_) => again(None),
        }
    }

    fn skip_for(&self, run: &Run, gate: &Obstacle) -> Look {
        match skip_reason(gate, &[]) {
            Some(reason) => Look::Say(skipped(run, reason).into()),
            None => Look::Rest,
        }
    }

    fn decide_request(&self, id: &StreamId, run: &Run, actions: &mut Vec<Action>) -> Look {
        let definition = self.jobs.get(&run.job).filter(|entry| entry.active().is_some());
        let definition = definition.and_then(|entry| entry.definition(&run.definition));
        let Some(Ok(definition)) = definition.map(|definition| definition.read()) else {
            return Look::Say(skipped(run, SkipReason::Retired).into());
        };
        let when = match &run.again {
            Some(again) => When { at: again.at, business_day: again.business_day, moved: None },
            None => {
                let zone =
                    jiff::tz::TimeZone::get(&definition.zone).unwrap_or(jiff::tz::TimeZone::UTC);
                let wall = zone.to_datetime(run.created);
                When {
                    at: run.created,
                    business_day: definition.calendar.business_day(wall),
                    moved: None,
                }
            }
        };
        let sort = if run.of_flow { Sort::Flow } else { Sort::Request };
        let caught_up = run.id.rest().contains(super::resume::LABEL);
        let held = run.id.rest().contains(super::resume::HOLD);
        let wanted = Wanted {
            job: &run.job,
            definition: &run.definition,
            when,
            sort,
            nominal: None,
            late_ms: 0,
            catch_up: caught_up,
            hold: held.then(|| "its time passed during a pause".to_owned()),
            moved: None,
            stands: false,
        };
        self.overlap(id, &wanted, &run.given, actions).map_or(Look::Rest, Look::Say)
    }

    fn check_lease(&self, id: &StreamId, run: &Run, now: Timestamp) -> Look {
        let (Some(attempt), Some(ends)) = (run.attempt(), self.lease_ends(id, run)) else {
            return Look::At(plus_ms(now, 1_000));
        };
        if ends > now {
            // Meanwhile its host may say that it has none of it.
            let lease = i64::try_from(attempt.lease_ms).unwrap_or(i64::MAX);
            return Look::At(ends.min(plus_ms(now, lease)));
        }
        Look::Say(lost(attempt, self.alive(id, attempt)).into())
    }

    /// When the newest attempt is lost if nothing is heard of it; `None` while this scheduler cannot
    /// hear. Silence counts only from the moment it could.
    fn lease_ends(&self, id: &StreamId, run: &Run) -> Option<Timestamp> {
        let attempt = run.attempt()?;
        let lease = i64::try_from(attempt.lease_ms).unwrap_or(i64::MAX);
        // Whatever is heard of a host whose key was revoked is heard of somebody else, for all anybody knows.
        if let Some(since) = self.site.silenced(&attempt.host, attempt.started) {
            return Some(plus_ms(since.max(attempt.started), lease));
        }
        let ends = plus_ms(self.alive(id, attempt).max(self.listening_since?), lease);
        // It is there, has nothing left to say, and has not named the attempt for a whole lease: it has none.
        let host = self.site.hosts.get(&attempt.host);
        if host.and_then(|host| host.said_all).is_some_and(|at| at > ends) {
            return Some(ends);
        }
        // A host that has leave to work by itself may be silent as long as that lasts.
        let alone = self.jobs.get(&run.job).and_then(|entry| {
            let leases = entry.leases().iter();
            let own = leases.filter(|lease| lease.host.as_deref() == Some(&attempt.host));
            own.map(|lease| lease.until).max()
        });
        Some(alone.map_or(ends, |until| ends.max(plus_ms(until, lease))))
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
            State::Requested
            | State::Held { .. }
            | State::Waiting
            | State::Blocked
            | State::Due
            | State::Parts
            | State::Retrying { .. } => Some(run.changed),
            State::Running { .. } => self.lease_ends(id, run),
            State::Unknown { .. } | State::Ended { .. } => None,
        }
    }

    fn work(&self, entry: &RunEntry, attempt: u32, host: Option<String>) -> Option<Work> {
        let RunEntry { run, version, offered, .. } = entry;
        let job = self.jobs.get(&run.job)?;
        let definition = job.definition(&run.definition)?;
        Some(Work {
            run: run.id.clone(),
            version: *version,
            attempt,
            offer: *offered,
            pool: run.pool.clone(),
            host: run.wanted_host().map(str::to_owned).or(host),
            digest: definition.digest,
            definition: serde_json::from_str(&definition.text()).ok()?,
            parameters: run.terms.parameters.clone(),
            business_day: run.business_day(),
            at: run.stands_for(),
        })
    }
}

pub(super) fn skipped(run: &Run, reason: SkipReason) -> RunSkipped {
    RunSkipped {
        job: run.job.clone(),
        definition: run.definition.clone(),
        nominal: run.nominal.clone(),
        reason,
    }
}

/// When a run that has not started may not start any more: its latest time, or the end of its window.
fn first_start_ends(run: &Run, now: Timestamp) -> Option<Timestamp> {
    let window = run.terms.window.as_ref().map(|window| window.until);
    let ends = window.into_iter().chain(run.terms.latest_by);
    ends.filter(|at| run.attempts.is_empty() && *at > now).min()
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
