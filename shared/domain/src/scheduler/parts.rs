//! Where a run goes: which host is chosen, and the parts of a run that takes place on several.

use jiff::Timestamp;

use super::gates::Obstacle;
use super::sweep::Look;
use super::{Action, Scheduler};
use crate::envelope::Draft;
use crate::event::{RunCancelRequested, RunDivided, RunDue, RunGathered, Terms};
use crate::ids::StreamId;
use crate::job::Prefer;
use crate::run::{Outcome, PARTS_MAX, Run};

impl Scheduler {
    /// Whether the run goes to a host that is chosen here, and not to whichever takes it first.
    fn is_placed(run: &Run) -> bool {
        let named = run.wanted_host().is_some();
        !named
            && (!run.terms.select.is_empty()
                || run.terms.prefer != Prefer::Any
                || run.avoided_host().is_some())
    }

    /// The host to which the run is offered; `None` where its pool takes it, or it names one itself.
    pub(super) fn choose_host(&self, run: &Run, now: Timestamp) -> Option<String> {
        if !Self::is_placed(run) {
            return None;
        }
        let hosts = self.site.hosts_of(&run.pool, &run.terms.select);
        let mut there: Vec<_> = hosts.filter(|(_, host)| host.is_heard(now)).collect();
        if let Some(avoided) = run.avoided_host()
            && there.len() > 1
        {
            there.retain(|(name, _)| *name != avoided);
        }
        let last = self.jobs.get(&run.job).and_then(|_| self.last_hosts.get(&run.job));
        let best = there.into_iter().max_by_key(|(name, host)| {
            let preferred =
                run.terms.prefer == Prefer::Last && last.is_some_and(|last| last == name);
            // Of equals the first by name: two schedulers choose the same.
            (preferred, host.free > 0, host.free, std::cmp::Reverse(*name))
        });
        best.map(|(name, _)| name.to_owned())
    }

    /// Why no host can take the run.
    pub(super) fn host_gate(&self, run: &Run, now: Timestamp) -> Option<Obstacle> {
        if let Some(name) = run.wanted_host() {
            let (host, version) = self.site.host(name);
            let reason = host.drained.filter(|_| version > 0)?;
            return Some(Obstacle::NoHost(format!("host {name} is drained: {reason}")));
        }
        let somewhere = if run.is_whole() {
            self.site.hosts_of(&run.pool, &run.terms.select).next().is_some()
        } else {
            !Self::is_placed(run) || self.choose_host(run, now).is_some()
        };
        if somewhere {
            return None;
        }
        let pool = &run.pool;
        let labels: Vec<String> = run
            .terms
            .select
            .iter()
            .map(|(label, values)| format!("{label}={}", values.0.join("|")))
            .collect();
        let with =
            if labels.is_empty() { String::new() } else { format!(" with {}", labels.join(", ")) };
        let known = self.site.hosts_of(pool, &run.terms.select).count();
        let why = if known == 0 {
            format!("pool {pool} has no host{with} that is up and not drained")
        } else {
            format!("none of the {known} hosts of pool {pool}{with} was heard of lately")
        };
        Some(Obstacle::NoHost(why))
    }

    /// A run that takes place on several hosts starts: one part on each that is up.
    pub(super) fn divide(&self, run: &Run) -> RunDivided {
        let hosts = self.site.hosts_of(&run.pool, &run.terms.select);
        RunDivided { hosts: hosts.map(|(name, _)| name.to_owned()).take(PARTS_MAX).collect() }
    }

    /// A run in parts: those that are missing become due; when all have ended it is over.
    pub(super) fn look_at_parts(
        &self,
        id: &StreamId,
        run: &Run,
        actions: &mut Vec<Action>,
    ) -> Look {
        let Some(past) = self.pasts.ended(&run.job) else { return Look::Rest };
        let mut outcomes: Vec<(&String, Outcome)> = Vec::new();
        let mut open = false;
        for host in &run.parts {
            let part = id.part_on(host);
            if let Some(outcome) = past.iter().find(|p| p.id == part).and_then(Run::outcome) {
                outcomes.push((host, outcome));
                continue;
            }
            open = true;
            self.look_at_part(&part, host, run, actions);
        }
        match Outcome::worst(outcomes.iter().map(|(_, outcome)| *outcome)) {
            Some(outcome) if !open => {
                let bad = outcomes.iter().filter(|(_, outcome)| {
                    !matches!(outcome, Outcome::Succeeded | Outcome::Warning)
                });
                let others = bad.map(|(host, _)| (*host).clone()).collect();
                Look::Say(RunGathered { outcome, others }.into())
            }
            Some(_) | None => Look::Rest,
        }
    }

    /// Whether a run is a part of one that is to be stopped: the part will be, and is offered no more.
    pub(super) fn is_to_be_stopped(&self, run: &Run) -> bool {
        let whole = run.part_of.as_ref().and_then(|whole| self.runs.get(whole));
        whole.is_some_and(|whole| whole.run.cancel.is_some())
    }

    fn look_at_part(&self, part: &StreamId, host: &str, run: &Run, actions: &mut Vec<Action>) {
        if self.pending.contains_key(part) {
            return;
        }
        match (self.runs.get(part), &run.cancel) {
            (Some(entry), Some(cancel)) if entry.run.cancel.is_none() => {
                let event = RunCancelRequested { reason: cancel.reason.clone() };
                let draft = Draft::new(part.clone(), entry.version + 1, event);
                actions.push(Action::Append(draft));
            }
            (Some(_), _) => {}
            (None, _) => {
                let draft = Draft::new(part.clone(), 1, part_due(part, host, run));
                actions.push(Action::Append(draft));
            }
        }
    }
}

fn part_due(part: &StreamId, host: &str, run: &Run) -> RunDue {
    let whole = run.id.clone();
    debug_assert_eq!(part.whole(), whole.as_str());
    let terms = Terms {
        business_day: run.terms.business_day,
        locks: run.terms.locks.clone(),
        parameters: run.terms.parameters.clone(),
        ..Terms::default()
    };
    RunDue {
        job: run.job.clone(),
        definition: run.definition.clone(),
        nominal: run.nominal.clone(),
        pool: run.pool.clone(),
        host: Some(host.to_owned()),
        late_ms: 0,
        late_after_ms: run.late_after_ms,
        catch_up: run.catch_up,
        hold: None,
        behind: Vec::new(),
        retry: run.retry.clone(),
        terms: Box::new(terms),
        moved: None,
        part_of: Some(whole),
    }
}
