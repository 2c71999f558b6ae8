//! What stands between a run that is due and its start, in words that are the same for the scheduler, which acts on
//! them, and for whoever asks why.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{RunEntry, Scheduler};
use crate::event::{RunBlocked, RunDelayed, SkipReason, StartWindow};
use crate::ids::StreamId;
use crate::job::{After, AtEnd, Share, WhichRun};
use crate::ledger::conditions_meet;
use crate::run::{Outcome, Run, State};
use crate::site::{BlackoutEnd, Holder, fits};

/// Something that keeps a run from starting.
#[derive(Debug, Clone, PartialEq)]
pub enum Obstacle {
    /// It may not start before this instant.
    NotBefore(Timestamp, String),
    /// A blackout covers this moment.
    Blackout {
        /// Its name.
        name: String,
        /// Its end.
        until: Timestamp,
        /// What becomes of the run.
        at_end: BlackoutEnd,
    },
    /// Its window has ended.
    WindowOver(StartWindow),
    /// Its latest time has come.
    TooLate(Timestamp),
    /// Another run of the job comes first.
    Behind(StreamId),
    /// A lock is not free.
    Lock {
        /// The lock.
        name: String,
        /// Who holds it.
        holders: Vec<StreamId>,
        /// Who comes first.
        before: Vec<StreamId>,
    },
    /// There is no such lock.
    NoLock(String),
    /// As much runs in its pool as may.
    PoolFull {
        /// The pool.
        pool: String,
        /// How much may run at once.
        limit: u32,
        /// What runs.
        running: Vec<StreamId>,
        /// Who comes first.
        before: Vec<StreamId>,
    },
    /// It waits for another job's run.
    After {
        /// What it waits for.
        after: After,
        /// The run, as far as it is known which.
        run: Option<StreamId>,
        /// Where that stands; absent where it does not exist yet.
        state: Option<&'static str>,
        /// When it is due.
        due: Option<Timestamp>,
    },
    /// It waits for another job's run, and there will be none by that job's schedule.
    NoSuchRun {
        /// What it waits for.
        after: After,
        /// The business day.
        day: Option<Date>,
    },
    /// What it waits for has ended otherwise.
    Blocked(RunBlocked),
    /// Somebody must say go.
    Unconfirmed {
        /// The role.
        role: &'static str,
        /// What they are asked.
        question: String,
    },
    /// It is held.
    Held(String),
    /// Another host had leave to run the job by itself, and may have a run of it that nobody knows of.
    Left {
        /// The host.
        host: String,
        /// The end of its leave.
        until: Timestamp,
        /// Whether that has come: then it has not said what it did until then.
        over: bool,
    },
    /// No host can take it.
    NoHost(String),
    /// A host waits for files.
    Needs {
        /// The host.
        host: String,
        /// What it waits for.
        unmet: Vec<String>,
    },
    /// The log must be asked about a job's past first.
    Asking(String),
}

impl Obstacle {
    pub(super) fn into_blocked(self) -> Option<RunBlocked> {
        if let Self::Blocked(blocked) = self { Some(blocked) } else { None }
    }
}

fn names(ids: &[StreamId]) -> String {
    ids.iter().map(|id| id.rest()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBefore(at, why) => write!(f, "it starts not before {at}: {why}"),
            Self::Blackout { name, until, at_end } => {
                let then = match at_end {
                    BlackoutEnd::StartLate => "then it starts",
                    BlackoutEnd::Skip => "it is skipped",
                    BlackoutEnd::Hold => "it waits for a person",
                };
                write!(f, "blackout {name} lasts until {until}; {then}")
            }
            Self::WindowOver(window) => write!(f, "its window ended at {}", window.until),
            Self::TooLate(at) => write!(f, "its latest time was {at}"),
            Self::Behind(run) => write!(f, "{} of the same job comes first", run.rest()),
            Self::Lock { name, holders, before } => {
                write!(f, "lock {name}")?;
                if !holders.is_empty() {
                    write!(f, " is held by {}", names(holders))?;
                }
                if before.is_empty() {
                    Ok(())
                } else {
                    write!(f, "; before it comes {}", names(before))
                }
            }
            Self::NoLock(name) => write!(f, "there is no lock {name}: apply one"),
            Self::PoolFull { pool, limit, running, before } => {
                write!(f, "pool {pool} runs at most {limit} at once: {}", names(running))?;
                if before.is_empty() {
                    Ok(())
                } else {
                    write!(f, "; before it comes {}", names(before))
                }
            }
            Self::After { after, run, state, due } => {
                let wanted = outcomes(&after.outcomes);
                match (run, state) {
                    (Some(run), Some(state)) => {
                        write!(f, "it waits until {} has {wanted}; that is {state}", run.rest())
                    }
                    (Some(run), None) => {
                        write!(
                            f,
                            "it waits until {} has {wanted}; that is not due yet",
                            run.rest()
                        )?;
                        due.map_or(Ok(()), |due| write!(f, " (due at {due})"))
                    }
                    (None, _) => {
                        write!(f, "it waits for a run of {} ({})", after.job, after.run.word())
                    }
                }
            }
            Self::NoSuchRun { after, day: Some(day) } => {
                write!(
                    f,
                    "it waits for {}, whose schedule has no run on business day {day}",
                    after.job
                )
            }
            Self::NoSuchRun { after, day: None } => {
                write!(f, "it waits for {}, whose schedule has no such run", after.job)
            }
            Self::Blocked(blocked) => {
                write!(f, "{} ended as {}", blocked.on.rest(), blocked.outcome.word())
            }
            Self::Unconfirmed { role, question } if question.is_empty() => {
                write!(f, "somebody with the role {role} must confirm it")
            }
            Self::Unconfirmed { role, question } => {
                write!(f, "somebody with the role {role} must confirm it: {question}")
            }
            Self::Held(reason) => write!(f, "it is held: {reason}"),
            Self::Left { host, until, over: false } => {
                write!(f, "host {host} decides the job's runs until {until}")
            }
            Self::Left { host, until, over: true } => {
                write!(
                    f,
                    "host {host} had leave to run the job until {until}, and has not said what it did"
                )
            }
            Self::NoHost(why) => f.write_str(why),
            Self::Needs { host, unmet } => write!(f, "host {host} waits: {}", unmet.join("; ")),
            Self::Asking(job) => write!(f, "the log is asked about the past of {job}"),
        }
    }
}

fn outcomes(outcomes: &[Outcome]) -> String {
    if *outcomes == [Outcome::Succeeded, Outcome::Warning] {
        return "succeeded".to_owned();
    }
    outcomes.iter().map(|outcome| outcome.word()).collect::<Vec<_>>().join(" or ")
}

/// How a condition stands.
enum Standing {
    Met(StreamId),
    Not(Obstacle),
}

impl Scheduler {
    /// Everything that keeps the run from starting, the first of it first.
    pub fn obstacles(&self, id: &StreamId, now: Timestamp) -> Vec<Obstacle> {
        self.runs.get(id).map_or_else(Vec::new, |entry| self.obstacles_of(&entry.run, now))
    }

    /// The instant of the occurrence that a condition of `run` is about, as far as the other job's schedule tells.
    pub fn awaited(&self, after: &After, run: &Run) -> Option<Timestamp> {
        match after.run {
            WhichRun::SameOccurrence => Some(run.stands_for()),
            WhichRun::SameBusinessDay => self.last_of_day(&after.job, run),
            WhichRun::Latest => None,
        }
    }

    pub(super) fn obstacles_of(&self, run: &Run, now: Timestamp) -> Vec<Obstacle> {
        let mut found = Vec::new();
        match &run.state {
            State::Held { reason } => found.push(Obstacle::Held(reason.clone())),
            State::Waiting | State::Blocked => found.extend(self.unmet_conditions(run)),
            State::Requested
            | State::Due
            | State::Parts
            | State::Running { .. }
            | State::Retrying { .. }
            | State::Unknown { .. }
            | State::Ended { .. } => {}
        }
        if matches!(run.state, State::Due | State::Retrying { .. }) {
            found.extend(self.gates(run, now));
            let needs = run.unmet.iter().map(|needs| Obstacle::Needs {
                host: needs.host.clone(),
                unmet: needs.unmet.clone(),
            });
            found.extend(needs);
        }
        found
    }

    /// What keeps a run that waits for nothing else from being offered.
    pub(super) fn gates(&self, run: &Run, now: Timestamp) -> Vec<Obstacle> {
        let mut found = Vec::new();
        found.extend(self.time_gate(run, now));
        found.extend(self.blackout_gate(run, now));
        found.extend(self.before_me(run).map(Obstacle::Behind));
        found.extend(self.leave_gate(run, now));
        if !run.is_whole() {
            found.extend(self.lock_gates(run, now));
            found.extend(self.pool_gate(run, now));
        }
        found.extend(self.host_gate(run, now));
        found
    }

    fn time_gate(&self, run: &Run, now: Timestamp) -> Option<Obstacle> {
        if let Some(window) = &run.terms.window
            && run.attempts.is_empty()
            && !run.released
            && window.until <= now
            && window.at_end != AtEnd::StartLate
        {
            return Some(Obstacle::WindowOver(window.clone()));
        }
        let first = run.not_before().filter(|_| run.attempts.is_empty());
        let delayed = run.delayed.as_ref();
        let at = first.max(delayed.map(|delayed| delayed.not_before)).filter(|at| *at > now)?;
        let why = match (&run.delayed, &run.moved) {
            (Some(delayed), _) if delayed.not_before == at => delayed.reason.clone(),
            (_, Some(moved)) if moved.to == at => format!("it was moved: {}", moved.reason),
            (_, _) => "its window opens then".to_owned(),
        };
        Some(Obstacle::NotBefore(at, why))
    }

    fn blackout_gate(&self, run: &Run, now: Timestamp) -> Option<Obstacle> {
        if !self.site.has_blackouts() || run.released {
            return None;
        }
        let definition = self.jobs.get(&run.job)?.definition(&run.definition)?.read().ok()?;
        let (blackout, until) = self.site.blackout(&definition, now)?;
        Some(Obstacle::Blackout { name: blackout.name.clone(), until, at_end: blackout.at_end })
    }

    /// What is to be said of a run that waits for the end of a blackout, where that comes earlier than was said.
    pub(super) fn ends_earlier(&self, run: &Run, now: Timestamp) -> Option<RunDelayed> {
        let delayed = run.delayed.as_ref().filter(|delayed| delayed.not_before > now)?;
        let name = delayed.blackout.as_ref()?;
        let definition = self.jobs.get(&run.job)?.definition(&run.definition)?.read().ok()?;
        let not_before = match self.site.blackout_until(name, &definition, now) {
            Some(until) if until >= delayed.not_before => return None,
            until => until.unwrap_or(now),
        };
        let reason = format!("blackout {name} ends earlier");
        Some(RunDelayed { not_before, reason, blackout: Some(name.clone()) })
    }

    /// A run starts when no other of its job has begun; one that stands behind others, when no earlier
    /// one is open. Parts of one run stand beside each other.
    fn before_me(&self, run: &Run) -> Option<StreamId> {
        let entry = self.jobs.get(&run.job)?;
        let others = entry.open.iter().filter(|id| id.whole() != run.id.whole());
        let comes_first = |other: &&RunEntry| {
            let other = &other.run;
            other.has_begun() || (!run.behind.is_empty() && place(other) < place(run))
        };
        let first = others.filter_map(|id| self.runs.get(id)).find(comes_first)?;
        Some(first.run.id.clone())
    }

    /// Whether a run is ready but for what it shares with others: who can go nowhere keeps nobody waiting.
    pub(super) fn is_ready(&self, run: &Run, now: Timestamp) -> bool {
        let state = match run.state {
            State::Due => true,
            State::Retrying { not_before, .. } => not_before.is_some_and(|at| at <= now),
            State::Requested
            | State::Held { .. }
            | State::Waiting
            | State::Blocked
            | State::Parts
            | State::Running { .. }
            | State::Unknown { .. }
            | State::Ended { .. } => false,
        };
        state
            && self.time_gate(run, now).is_none()
            && self.before_me(run).is_none()
            && self.leave_gate(run, now).is_none()
            && self.host_gate(run, now).is_none()
    }

    /// Whether `share` of something with `units` is free for `run`: beside who has it, and who is to have it before.
    /// Gives both where it is not.
    fn rivals(
        &self,
        what: &Shared,
        units: u32,
        run: &Run,
        now: Timestamp,
    ) -> Option<(Vec<StreamId>, Vec<StreamId>)> {
        let sharers = self.sharers.get(what)?;
        let share = share_of(what, run);
        let mut taken: Vec<Holder> = Vec::new();
        for id in sharers.holding.iter().filter(|id| **id != run.id) {
            taken.extend(self.runs.get(id).map(|e| Holder::new(id, share_of(what, &e.run))));
        }
        let holding: Vec<StreamId> = taken.iter().map(|holder| holder.run.clone()).collect();
        let mut before = Vec::new();
        let own = own_place(run);
        for (_, _, id) in sharers.claiming.range(..own) {
            if !fits(units, &taken, share) {
                break;
            }
            let Some(other) = self.runs.get(id) else { continue };
            let waits = !other.run.is_running() && other.offered <= STUCK_OFFERS;
            if waits && self.is_ready(&other.run, now) {
                taken.push(Holder::new(id, share_of(what, &other.run)));
                before.push(id.clone());
            }
        }
        (!fits(units, &taken, share)).then_some((holding, before))
    }

    fn lock_gates(&self, run: &Run, now: Timestamp) -> Vec<Obstacle> {
        let one = |claim: &crate::job::Claim| {
            let name = claim.lock.clone();
            let Some(units) = self.site.lock_units(&name) else {
                return Some(Obstacle::NoLock(name));
            };
            let (holders, before) = self.rivals(&Shared::Lock(name.clone()), units, run, now)?;
            Some(Obstacle::Lock { name, holders, before })
        };
        run.terms.locks.iter().filter_map(one).collect()
    }

    fn pool_gate(&self, run: &Run, now: Timestamp) -> Option<Obstacle> {
        let limit = self.site.limit(&run.pool)?;
        let pool = run.pool.clone();
        let (running, before) = self.rivals(&Shared::Pool(pool.clone()), limit, run, now)?;
        Some(Obstacle::PoolFull { pool, limit, running, before })
    }

    /// Which of its conditions are not met.
    pub(super) fn unmet_conditions(&self, run: &Run) -> Vec<Obstacle> {
        let mut found = Vec::new();
        if let Some(confirm) = &run.terms.confirm
            && run.confirmed.is_none()
        {
            let (role, question) = (confirm.role.word(), confirm.question.clone());
            found.push(Obstacle::Unconfirmed { role, question });
        }
        for after in &run.terms.after {
            if let Standing::Not(obstacle) = self.standing(after, run) {
                found.push(obstacle);
            }
        }
        found
    }

    /// The runs that meet the conditions of `run`, in their order; `None` while one is not met.
    pub(super) fn met_by(&self, run: &Run) -> Option<Vec<StreamId>> {
        let one = |after: &After| match self.standing(after, run) {
            Standing::Met(by) => Some(by),
            Standing::Not(_) => None,
        };
        run.terms.after.iter().map(one).collect()
    }

    fn standing(&self, after: &After, run: &Run) -> Standing {
        let Some(ended) = self.pasts.ended(&after.job) else {
            return Standing::Not(Obstacle::Asking(after.job.clone()));
        };
        let open = self.jobs.get(&after.job).map(|entry| &entry.open);
        let open = open.into_iter().flatten().filter_map(|id| self.runs.get(id)).map(|e| &e.run);
        let mut fitting: Vec<&Run> =
            ended.iter().chain(open).filter(|other| conditions_meet(after, run, other)).collect();
        self.keep_the_right_ones(after, run, &mut fitting);
        let done = fitting
            .iter()
            .rev()
            .find(|other| other.outcome().is_some_and(|outcome| after.outcomes.contains(&outcome)));
        if let Some(done) = done {
            return Standing::Met(done.id.clone());
        }
        if let Some(open) = fitting.iter().rev().find(|other| !other.state.is_ended()) {
            return Standing::Not(Obstacle::After {
                after: after.clone(),
                run: Some(open.id.clone()),
                state: Some(open.state.word()),
                due: None,
            });
        }
        if let Some(other) = fitting.last()
            && let Some(outcome) = other.outcome()
        {
            return Standing::Not(Obstacle::Blocked(RunBlocked { on: other.id.clone(), outcome }));
        }
        Standing::Not(self.yet_to_come(after, run))
    }

    /// Of several runs that fit, those that are meant: of a business day the last occurrence, of the earlier ones the
    /// newest; each with what repeats it. The newest comes last.
    fn keep_the_right_ones(&self, after: &After, run: &Run, fitting: &mut Vec<&Run>) {
        let last = match after.run {
            WhichRun::SameOccurrence => None,
            WhichRun::SameBusinessDay => self
                .last_of_day(&after.job, run)
                .or_else(|| fitting.iter().map(|other| other.stands_for()).max()),
            WhichRun::Latest => fitting.iter().map(|other| other.stands_for()).max(),
        };
        if let Some(last) = last {
            fitting.retain(|other| other.stands_for() == last);
        }
        fitting.sort_by_key(|other| other.created);
    }

    /// The instant of a job's last occurrence of the business day of `run`, by its schedule.
    fn last_of_day(&self, job: &str, run: &Run) -> Option<Timestamp> {
        let day = run.business_day()?;
        let definitions = &self.jobs.get(job)?.definitions;
        let of_day = definitions.iter().filter_map(|definition| {
            let until = definition.until.unwrap_or(Timestamp::MAX);
            definition.schedule.as_ref()?.last_of_day(day, definition.from, until)
        });
        // What the schedule leaves out counts only where it leaves out the whole day.
        of_day.max_by_key(|occurrence| (occurrence.out.is_none(), occurrence.at)).map(|o| o.at)
    }

    fn yet_to_come(&self, after: &After, run: &Run) -> Obstacle {
        let due = match after.run {
            WhichRun::SameOccurrence if run.request_label().is_none() || run.again.is_some() => {
                self.occurrence_of(&after.job, run.stands_for())
            }
            WhichRun::SameBusinessDay => self.last_of_day(&after.job, run),
            WhichRun::SameOccurrence | WhichRun::Latest => None,
        };
        let scheduled = self.jobs.get(&after.job).is_some_and(|entry| entry.schedule().is_some());
        match due {
            Some(due) => {
                let run = self.run_at(&after.job, due);
                Obstacle::After { after: after.clone(), run, state: None, due: Some(due) }
            }
            None if scheduled && after.run == WhichRun::SameBusinessDay => {
                Obstacle::NoSuchRun { after: after.clone(), day: run.business_day() }
            }
            None if scheduled
                && after.run == WhichRun::SameOccurrence
                && run.request_label().is_none() =>
            {
                Obstacle::NoSuchRun { after: after.clone(), day: None }
            }
            None => Obstacle::After { after: after.clone(), run: None, state: None, due: None },
        }
    }

    fn occurrence_of(&self, job: &str, at: Timestamp) -> Option<Timestamp> {
        let definitions = &self.jobs.get(job)?.definitions;
        let holds = definitions.iter().rev().find(|definition| {
            definition.from < at && definition.until.is_none_or(|until| at <= until)
        })?;
        holds.schedule.as_ref()?.occurrence_at(at).map(|occurrence| occurrence.at)
    }

    fn run_at(&self, job: &str, at: Timestamp) -> Option<StreamId> {
        let schedule = self.jobs.get(job)?.schedule()?;
        let occurrence = schedule.occurrence_at(at)?;
        Some(StreamId::run(job, &crate::time::occurrence_label(&occurrence)))
    }
}

/// Something that runs share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shared {
    /// A lock.
    Lock(String),
    /// What may run at once in a pool.
    Pool(String),
}

impl Shared {
    /// All that a run shares with others; of one in parts, its parts do.
    pub(super) fn of(run: &Run) -> impl Iterator<Item = Self> {
        let locks = run.terms.locks.iter().map(|claim| Self::Lock(claim.lock.clone()));
        let all = locks.chain([Self::Pool(run.pool.clone())]);
        all.filter(|_| !run.is_whole())
    }
}

/// The open runs that share something.
#[derive(Debug, Default)]
pub(super) struct Sharers {
    /// All of them, by their place.
    pub(super) claiming: BTreeSet<Place>,
    /// Those that have it.
    pub(super) holding: BTreeSet<StreamId>,
}

fn share_of(what: &Shared, run: &Run) -> Share {
    match what {
        Shared::Pool(_) => Share::Units(1),
        Shared::Lock(name) => {
            let claim = run.terms.locks.iter().find(|claim| claim.lock == *name);
            claim.map_or(Share::Units(0), |claim| claim.share)
        }
    }
}

/// A run's place among those that wait for the same.
pub(super) type Place = (Timestamp, Timestamp, StreamId);

/// See [`Place`].
pub(super) fn own_place(run: &Run) -> Place {
    (run.instant(), run.created, run.id.clone())
}

/// How often a run may be offered in vain before it keeps others waiting no more.
pub(super) const STUCK_OFFERS: u32 = 4;

/// The same without a copy.
fn place(run: &Run) -> (Timestamp, Timestamp, &StreamId) {
    (run.instant(), run.created, &run.id)
}

/// The reason for which a run that met this obstacle for good is skipped.
pub(super) fn skip_reason(obstacle: &Obstacle, waiting: &[Obstacle]) -> Option<SkipReason> {
    match obstacle {
        Obstacle::WindowOver(window) => Some(SkipReason::Window { until: window.until }),
        Obstacle::Blackout { name, until, .. } => {
            Some(SkipReason::Blackout { name: name.clone(), until: *until })
        }
        Obstacle::TooLate(until) => {
            let waiting =
                waiting.first().map_or_else(|| "nobody took it".to_owned(), ToString::to_string);
            let waiting = waiting.chars().take(400).collect();
            Some(SkipReason::LatestBy { until: *until, waiting })
        }
        Obstacle::NotBefore(..)
        | Obstacle::Behind(_)
        | Obstacle::Lock { .. }
        | Obstacle::NoLock(_)
        | Obstacle::PoolFull { .. }
        | Obstacle::After { .. }
        | Obstacle::NoSuchRun { .. }
        | Obstacle::Blocked(_)
        | Obstacle::Unconfirmed { .. }
        | Obstacle::Held(_)
        | Obstacle::Left { .. }
        | Obstacle::NoHost(_)
        | Obstacle::Needs { .. }
        | Obstacle::Asking(_) => None,
    }
}
