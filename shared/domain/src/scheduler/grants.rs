//! Leave to work alone: a host that runs a job of its own may decide the job's occurrences for a while, so that a
//! night goes on when the centre is away. The leave is made longer long before it ends.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::gates::Obstacle;
use super::{Action, JobEntry, Scheduler, plus_ms};
use crate::envelope::{Draft, to_micros};
use crate::event::{DefinitionRef, JobLeaseGranted};
use crate::ids::StreamId;
use crate::job::{JobDefinition, Lease, Returned};
use crate::run::{Run, State};

/// How often a job is looked at that cannot be left to its host now, milliseconds.
const LOOK_MS: i64 = 5_000;
/// How long what a host gave back is not given away again, milliseconds: it may not be able to decide it.
const REST_MS: i64 = 600_000;
/// By how much the log may be behind what a host decides, beside how late the job may be, milliseconds.
const BEHIND_MS: i64 = 120_000;
/// Most occurrences that are looked at for blackouts.
pub(super) const OCCURRENCES_MAX: usize = 10_000;

/// Jobs that may be left to their hosts, and when each is looked at.
#[derive(Debug, Default)]
pub(super) struct Grants {
    by_job: BTreeMap<String, Timestamp>,
}

impl Grants {
    /// The job is to be looked at, or may not be left to a host.
    pub(super) fn put(&mut self, job: &str, at: Option<Timestamp>) {
        match at {
            Some(at) => self.by_job.insert(job.to_owned(), at),
            None => self.by_job.remove(job),
        };
    }

    fn due(&self, now: Timestamp) -> Vec<(String, Timestamp)> {
        let due = self.by_job.iter().filter(|(_, at)| **at <= now);
        due.map(|(job, at)| (job.clone(), *at)).collect()
    }
}

/// Whether a job that is defined so may be left to a host.
pub(super) fn may_be_left(definition: &str) -> bool {
    definition.contains("\"autonomy\":")
}

impl Scheduler {
    /// When a job is looked at next.
    pub(super) fn next_grant(&self) -> Option<Timestamp> {
        let turn = |(job, at): (&String, &Timestamp)| {
            let stream = StreamId::job(job);
            plus_ms(*at, self.peers.before_me(&stream) * self.settings.grace_ms)
        };
        self.grants.by_job.iter().map(turn).min()
    }

    /// Leaves jobs to their hosts, or leaves them longer.
    pub(super) fn tick_grants(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        for (job, since) in self.grants.due(now) {
            if actions.len() >= self.settings.drafts_max {
                return;
            }
            let stream = StreamId::job(&job);
            if self.wait_for_turn(&stream, since, now).is_some() {
                continue;
            }
            let again = match self.look_at_grant(&job, now) {
                Ok(grant) => {
                    let version = self.jobs.get(&job).map_or(0, |entry| entry.version);
                    actions.push(Action::Append(Draft::new(stream, version + 1, grant)));
                    plus_ms(now, super::PENDING_MS_MAX)
                }
                Err(again) => again,
            };
            self.grants.put(&job, Some(again));
        }
    }

    /// What was said of a job did not stand: it is looked at again then. A refusal may arrive late, when the job is retired or
    /// may be left to no host any more.
    pub(super) fn look_at_job_again(&mut self, job: &str, at: Timestamp) {
        let active = self.jobs.get(job).and_then(|entry| entry.active());
        let autonomous = active.is_some_and(|active| may_be_left(&active.text()));
        self.grants.put(job, autonomous.then_some(at));
    }

    /// What is granted now, or when to look again.
    fn look_at_grant(&self, job: &str, now: Timestamp) -> Result<JobLeaseGranted, Timestamp> {
        let later = plus_ms(now, LOOK_MS);
        let entry = self.jobs.get(job).ok_or(later)?;
        let active = entry.active().ok_or(later)?;
        let definition = active.read().map_err(|_| later)?;
        let (Some(autonomy), Some(host)) = (&definition.autonomy, &definition.host) else {
            return Err(later);
        };
        let length = SignedDuration::try_from(autonomy.lease.as_duration()).map_err(|_| later)?;
        let until = to_micros(now.checked_add(length).map_err(|_| later)?);
        let extended = entry.lease().filter(|lease| {
            let same = lease.host.as_ref() == Some(host) && lease.definition == active.reference();
            same && lease.until > now
        });
        // What is half full is filled.
        let half = extended.and_then(|lease| lease.until.checked_sub(length / 2).ok());
        if let Some(half) = half.filter(|half| *half > now) {
            return Err(half);
        }
        match entry.rests_until(&active.reference()) {
            Rests::Until(until) if until > now => return Err(until),
            Rests::WithTheCentre => return Err(later),
            Rests::Until(_) | Rests::No => {}
        }
        // Also where that was another host: what it has not decided could be given back by nobody any more.
        let last = entry.leases().iter().rev().find(|lease| lease.is_of_host());
        if last.is_some_and(|lease| entry.is_behind(lease, &definition, now)) {
            return Err(later);
        }
        if extended.is_none() && self.may_start_elsewhere(entry, host) {
            return Err(later);
        }
        let of_hosts = entry.leases().iter().filter(|lease| lease.is_of_host());
        let mut others = of_hosts.clone().filter(|lease| lease.host.as_ref() != Some(host));
        if others.any(|lease| entry.has_undecided(lease, now)) {
            return Err(later);
        }
        let ends = of_hosts.map(|lease| lease.until).max();
        if extended.is_none() && ends.is_some_and(|ends| ends > now) {
            // Somebody else has leave until then.
            return Err(ends.unwrap_or(later).max(later));
        }
        let from = extended.map_or_else(|| to_micros(now), |lease| lease.from);
        let until =
            self.before_blackouts(active, &definition, extended.map_or(from, |l| l.until), until);
        let longer = extended.is_none_or(|lease| lease.until < until) && from < until;
        if !longer || entry.paused() || entry.is_spoken_for(from) || !self.is_there(host, now) {
            return Err(later);
        }
        Ok(JobLeaseGranted { host: host.clone(), definition: active.reference(), from, until })
    }

    /// Whether a run of the job may be on offer to another host: its start may be on its way to the log, and the host that is
    /// given leave would not hear of it.
    fn may_start_elsewhere(&self, entry: &JobEntry, host: &str) -> bool {
        let mut open = entry.open.iter().filter_map(|id| self.runs.get(id)).map(|entry| &entry.run);
        open.any(|run| {
            let offered = matches!(run.state, State::Due | State::Retrying { .. });
            offered && run.wanted_host() != Some(host)
        })
    }

    /// The leave of another host that keeps a run from starting: while it lasts, and until all that was left to that host is
    /// decided. What it has begun of it may be going on.
    pub(super) fn leave_gate(&self, run: &Run, now: Timestamp) -> Option<Obstacle> {
        let entry = self.jobs.get(&run.job)?;
        let of_others = entry
            .leases()
            .iter()
            .filter(|lease| lease.is_of_host() && lease.host.as_deref() != run.wanted_host());
        let open = |lease: &&Lease| now <= lease.until || entry.has_undecided(lease, now);
        let lease = of_others.filter(open).max_by_key(|lease| lease.until)?;
        let (host, until) = (lease.host.clone()?, lease.until);
        Some(Obstacle::Left { host, until, over: until < now })
    }

    /// Whether the host is up, takes work, and says so.
    fn is_there(&self, host: &str, now: Timestamp) -> bool {
        self.site.hosts.get(host).is_some_and(|entry| {
            entry.host.up && entry.host.drained.is_none() && entry.is_heard(now)
        })
    }

    /// The end of a lease that covers no occurrence in a blackout: of those the host knows nothing.
    fn before_blackouts(
        &self,
        active: &super::Definition,
        definition: &JobDefinition,
        from: Timestamp,
        until: Timestamp,
    ) -> Timestamp {
        let Some(schedule) = active.schedule.as_ref().filter(|_| self.site.has_blackouts()) else {
            return until;
        };
        let occurrences = schedule.between(from, until).take(OCCURRENCES_MAX);
        let mut covered = occurrences.filter(|o| self.site.blackout(definition, o.at).is_some());
        covered.next().map_or(until, |occurrence| crate::time::just_before(occurrence.at))
    }
}

/// Whether what came back may be left to a host again.
enum Rests {
    /// Nothing came back.
    No,
    /// Not before this instant.
    Until(Timestamp),
    /// Not under this definition: a person took it back.
    WithTheCentre,
}

impl JobEntry {
    fn paused(&self) -> bool {
        self.pauses.last().is_some_and(|pause| pause.until.is_none())
    }

    /// The lease that a host has, or had last.
    fn lease(&self) -> Option<&Lease> {
        self.leases().last().filter(|lease| lease.is_of_host())
    }

    /// Until when a job is not left to a host again that came back under the same definition.
    fn rests_until(&self, definition: &DefinitionRef) -> Rests {
        let rest = self.leases().last().filter(|lease| lease.definition == *definition);
        match rest.and_then(|rest| rest.returned) {
            None => Rests::No,
            Some(Returned { by_person: true, .. }) => Rests::WithTheCentre,
            Some(Returned { at, .. }) => Rests::Until(plus_ms(at, REST_MS)),
        }
    }

    /// Whether the log misses what the host should have decided long ago. It may be cut off, or not able to: it gets no
    /// more leave.
    fn is_behind(&self, lease: &Lease, definition: &JobDefinition, now: Timestamp) -> bool {
        let late = i64::try_from(definition.late_after.millis()).unwrap_or(i64::MAX);
        self.has_undecided(lease, plus_ms(now, BEHIND_MS.saturating_add(late).saturating_neg()))
    }

    /// Whether the log misses an occurrence up to `until` that was left to the host.
    fn has_undecided(&self, lease: &Lease, until: Timestamp) -> bool {
        let own = |d: &&super::Definition| d.apart == Some(lease.from) && d.host.is_some();
        let Some(own) = self.definitions.iter().find(own) else { return false };
        let (from, until) = (self.cursor(own).unwrap_or(lease.from), until.min(lease.until));
        let mut missing = own.schedule.iter().flat_map(|s| s.between(from, until));
        from < until && missing.next().is_some()
    }

    /// Whether people have said something about occurrences after `from`, or somebody has decided them.
    fn is_spoken_for(&self, from: Timestamp) -> bool {
        let after = crate::time::just_after(from);
        self.orders.range(after..).next().is_some()
            || self.ran_ahead.range(after..).next().is_some()
    }
}
