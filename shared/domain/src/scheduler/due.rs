//! What becomes of occurrences whose time has come: pause, catch-up, overlap.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::jobs::{Definition, JobEntry};
use super::{Action, Scheduler, Settings};
use crate::envelope::Draft;
use crate::event::{
    DefinitionRef, Event, MissReason, Nominal, RunCancelRequested, RunDue, RunEvent, RunMissed,
    RunSkipped, SkipReason,
};
use crate::ids::StreamId;
use crate::job::{CatchUp, JobDefinition, Overlap};
use crate::run::State;
use crate::time::{Occurrence, just_before, occurrence_label};

/// What becomes of one occurrence.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// It runs.
    Run {
        /// After its time, by the catch-up rule.
        catch_up: bool,
        /// A person must release it first.
        hold: Option<String>,
    },
    /// It is skipped.
    Skip(SkipReason),
    /// It is missed.
    Miss(MissReason),
}

/// One occurrence and what becomes of it.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The occurrence.
    pub occurrence: Occurrence,
    /// The definition that implies it.
    pub definition: DefinitionRef,
    /// Its run.
    pub run: StreamId,
    /// What becomes of it.
    pub decision: Decision,
    /// Milliseconds between its instant and the decision.
    pub late_ms: u64,
    /// The occurrence accounted for just before it.
    pub after: Option<Timestamp>,
}

/// Occurrences that were not decided in time, and from which of them on they are caught up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Backlog {
    /// The newest occurrence of it.
    newest: Timestamp,
    /// The oldest that is caught up.
    keep_from: Timestamp,
}

/// Decides the occurrences of `entry` after its cursor and up to `now`, at most `max`, in order.
/// Overlap is not looked at here: it needs the runs.
pub fn decide_due(entry: &mut JobEntry, now: Timestamp, max: usize) -> Vec<Decided> {
    let mut decided = Vec::new();
    for index in 0..entry.definitions.len() {
        let Ok(definition) = entry.definitions[index].read() else { continue };
        let Some(from) = window_from(entry, index, now) else { continue };
        let until = entry.definitions[index].until.map_or(now, |until| until.min(now));
        let backlog = backlog(entry, index, &definition, from, until, now);
        let span = &entry.definitions[index];
        let Some(schedule) = &span.schedule else { continue };
        for occurrence in schedule.between(from, until).take(max - decided.len()) {
            let after =
                decided.last().map_or(entry.cursor(), |one: &Decided| Some(one.occurrence.at));
            let one = decide_one(entry, span, &definition, occurrence, &backlog, now);
            decided.push(Decided { after, ..one });
        }
        entry.backlog = Some(backlog);
        if decided.len() == max {
            return decided;
        }
    }
    entry.backlog = None;
    decided
}

fn window_from(entry: &JobEntry, index: usize, now: Timestamp) -> Option<Timestamp> {
    let span = &entry.definitions[index];
    let from = entry.cursor().map_or(span.from, |cursor| cursor.max(span.from));
    let until = span.until.map_or(now, |until| until.min(now));
    (from < until).then_some(from)
}

fn is_late(definition: &JobDefinition, at: Timestamp, now: Timestamp) -> bool {
    late_ms(at, now) > definition.late_after.millis()
}

fn late_ms(at: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.as_millisecond() - at.as_millisecond()).unwrap_or(0)
}

/// The backlog stands while it is worked off: what was caught up when it was found is caught up,
/// however long the work takes.
fn backlog(
    entry: &JobEntry,
    index: usize,
    definition: &JobDefinition,
    from: Timestamp,
    until: Timestamp,
    now: Timestamp,
) -> Backlog {
    if let Some(backlog) = &entry.backlog
        && from < backlog.newest
        && backlog.newest <= until
    {
        return backlog.clone();
    }
    let keep = match definition.catch_up {
        CatchUp::None => 0,
        CatchUp::Last | CatchUp::Hold => 1,
        CatchUp::All { limit } => limit as usize,
    };
    let mut newest = VecDeque::new();
    let mut last = from;
    let occurrences =
        entry.definitions[index].schedule.iter().flat_map(|schedule| schedule.between(from, until));
    for occurrence in occurrences.filter(|o| entry.pause_at(o.at).is_none()) {
        last = occurrence.at;
        newest.push_back(occurrence.at);
        if newest.len() > keep.max(1) {
            newest.pop_front();
        }
    }
    let nothing = keep == 0 || newest.is_empty();
    let keep_from = if nothing { now } else { newest.front().copied().unwrap_or(now) };
    Backlog { newest: last, keep_from }
}

fn decide_one(
    entry: &JobEntry,
    span: &Definition,
    definition: &JobDefinition,
    occurrence: Occurrence,
    backlog: &Backlog,
    now: Timestamp,
) -> Decided {
    let at = occurrence.at;
    let run = StreamId::run(&entry.name, &occurrence_label(&occurrence));
    let decision = if entry.pause_at(at).is_some() {
        Decision::Skip(SkipReason::Paused)
    } else if !is_late(definition, at, now) {
        Decision::Run { catch_up: false, hold: None }
    } else {
        decide_late(entry, span, definition, at, backlog)
    };
    let (definition, late_ms) = (span.reference(), late_ms(at, now));
    Decided { occurrence, definition, run, decision, late_ms, after: None }
}

fn decide_late(
    entry: &JobEntry,
    span: &Definition,
    definition: &JobDefinition,
    at: Timestamp,
    backlog: &Backlog,
) -> Decision {
    let caught_up = at >= backlog.keep_from;
    let hold = || Some("its time passed while nobody could start it".to_owned());
    match definition.catch_up {
        CatchUp::None => Decision::Miss(MissReason::NoCatchUp),
        CatchUp::All { .. } | CatchUp::Last if caught_up => {
            Decision::Run { catch_up: true, hold: None }
        }
        CatchUp::Hold if caught_up => Decision::Run { catch_up: true, hold: hold() },
        CatchUp::All { limit } => Decision::Miss(MissReason::CatchUpLimit { limit }),
        CatchUp::Last | CatchUp::Hold => {
            let by = span
                .schedule
                .as_ref()
                .and_then(|s| s.between(just_before(backlog.newest), backlog.newest).next());
            let by = by.map_or_else(|| entry.name.clone(), |o| occurrence_label(&o));
            Decision::Miss(MissReason::Superseded { by: StreamId::run(&entry.name, &by) })
        }
    }
}

impl JobEntry {
    fn pause_at(&self, at: Timestamp) -> Option<&crate::job::Pause> {
        self.pauses.iter().find(|pause| pause.covers(at))
    }
}

/// The facts of an occurrence as its first event records them.
fn nominal(one: &Decided, settings: &Settings) -> Nominal {
    let occurrence = &one.occurrence;
    Nominal {
        at: occurrence.at,
        local: occurrence.local.to_string(),
        walls: occurrence.walls.iter().map(ToString::to_string).collect(),
        reason: occurrence.reason.as_str().to_owned(),
        tzdb: settings.tzdb.clone(),
        after: one.after,
    }
}

impl Scheduler {
    /// Decides every occurrence whose time has come and whose turn it is.
    pub(super) fn tick_occurrences(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let due: Vec<(Timestamp, String)> = self
            .occurrences
            .iter()
            .take_while(|(at, _)| *at <= now)
            .take(self.settings.drafts_max)
            .cloned()
            .collect();
        // A job with a long backlog is always the first: it must not keep the others waiting.
        let share = if due.len() > 1 { self.settings.drafts_max.div_ceil(4) } else { usize::MAX };
        for (at, name) in due {
            if actions.len() >= self.settings.drafts_max {
                return;
            }
            let mut entry = self.take_job(&name);
            let since = entry.waits_since.unwrap_or(at);
            let wait = self.wait_for_turn(&StreamId::job(&name), since, now);
            if let Some(until) = wait {
                entry.next = Some(until);
                self.occurrences.insert((until, name.clone()));
                self.jobs.insert(name, entry);
                continue;
            }
            let max = entry.at_once(share.min(self.settings.drafts_max - actions.len()));
            let decided = decide_due(&mut entry, now, max);
            if let Some(last) = decided.last() {
                entry.decided(last.occurrence.at);
            }
            entry.tried(now);
            self.put_job(entry);
            for one in decided {
                self.settle_occurrence(&name, &one, actions);
            }
        }
    }

    /// Until when to leave it to another scheduler; `None` when to act now.
    pub(super) fn wait_for_turn(
        &self,
        stream: &StreamId,
        since: Timestamp,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let until = super::plus_ms(since, self.peers.before_me(stream) * self.settings.grace_ms);
        (until > now).then_some(until)
    }

    fn settle_occurrence(&self, job: &str, one: &Decided, actions: &mut Vec<Action>) {
        if self.pending.contains_key(&one.run) || self.runs.contains_key(&one.run) {
            return;
        }
        let nominal = nominal(one, &self.settings);
        let definition = one.definition.clone();
        let (job, late_ms) = (job.to_owned(), one.late_ms);
        let event = match &one.decision {
            Decision::Skip(reason) => {
                let (nominal, reason) = (Some(nominal), reason.clone());
                RunSkipped { job, definition, nominal, reason }.into()
            }
            Decision::Miss(reason) => {
                RunMissed { job, definition, nominal, late_ms, reason: reason.clone() }.into()
            }
            Decision::Run { catch_up, hold } => {
                let due = Wanted {
                    job: &job,
                    definition: &definition,
                    nominal: Some(nominal),
                    late_ms,
                    catch_up: *catch_up,
                    hold: hold.clone(),
                };
                match self.overlap(&one.run, due, actions) {
                    Some(event) => event,
                    None => return,
                }
            }
        };
        actions.push(Action::Append(Draft::new(one.run.clone(), 1, event)));
    }

    /// The event for a run that wants to start, by the overlap rule of its job.
    pub(super) fn overlap(
        &self,
        run: &StreamId,
        wanted: Wanted<'_>,
        actions: &mut Vec<Action>,
    ) -> Option<Event> {
        let entry = self.jobs.get(wanted.job)?;
        let definition = entry.definition(wanted.definition)?.read().ok()?;
        let planned = planned(wanted.job, actions);
        let coming = self.coming(wanted.job, run);
        let open: Vec<&StreamId> =
            entry.open.iter().filter(|id| *id != run && self.is_decided(id)).collect();
        let newest = planned.last().map(|(id, _)| id);
        let newest = newest.or(coming.last().map(|(id, _)| *id)).or_else(|| self.newest(&open));
        let Some(newest) = newest.cloned() else {
            return Some(wanted.due(&definition, vec![]).into());
        };
        let skip = |reason| Some(wanted.skipped(reason).into());
        let waiting = planned.iter().filter(|(_, waits)| *waits).count()
            + coming.iter().filter(|(_, waits)| *waits).count()
            + open.iter().filter(|id| self.waits(id)).count();
        let limit = definition.queue_limit();
        match definition.overlap {
            // What is caught up runs one after the other, whatever the rule for the daily case.
            _ if wanted.catch_up => {}
            Overlap::Skip => return skip(SkipReason::Overlap { with: newest }),
            Overlap::QueueOne | Overlap::QueueAll { .. } if waiting >= limit as usize => {
                return skip(SkipReason::QueueFull { limit });
            }
            Overlap::QueueOne | Overlap::QueueAll { .. } => {}
            Overlap::CancelRunning => self.cancel_all(&open, run, actions),
        }
        Some(wanted.due(&definition, vec![newest]).into())
    }

    /// Whether a scheduler has decided that the run is to happen. Two requests that nobody has looked
    /// at yet must not be skipped for each other.
    fn is_decided(&self, id: &StreamId) -> bool {
        self.runs.get(id).is_some_and(|entry| entry.run.state != State::Requested)
    }

    /// Runs of `job` that were made due here and that the feed has not brought yet, and whether they
    /// wait for others.
    fn coming(&self, job: &str, but: &StreamId) -> Vec<(&StreamId, bool)> {
        let first = StreamId::run(job, "");
        let of_job = self.pending.range(first..).take_while(|(id, _)| id.run_job() == Some(job));
        of_job
            .filter(|(id, pending)| pending.due && *id != but && !self.is_decided(id))
            .map(|(id, pending)| (id, pending.waits))
            .collect()
    }

    fn newest<'a>(&self, open: &[&'a StreamId]) -> Option<&'a StreamId> {
        open.iter()
            .max_by_key(|id| self.runs.get(**id).map(|e| (e.run.instant(), e.run.created)))
            .copied()
    }

    fn waits(&self, id: &StreamId) -> bool {
        self.runs.get(id).is_some_and(|entry| {
            matches!(entry.run.state, State::Due | State::Held { .. } | State::Requested)
                && entry.run.attempts.is_empty()
                && !entry.run.behind.is_empty()
        })
    }

    fn cancel_all(&self, open: &[&StreamId], by: &StreamId, actions: &mut Vec<Action>) {
        for id in open {
            let Some(entry) = self.runs.get(*id) else { continue };
            let asked = actions.iter().any(|a| matches!(a, Action::Append(d) if d.stream == **id));
            if entry.run.cancel.is_some() || self.pending.contains_key(*id) || asked {
                continue;
            }
            let reason = format!("{by} is due, and the job cancels what runs");
            let event = RunCancelRequested { reason };
            actions.push(Action::Append(Draft::new((*id).clone(), entry.version + 1, event)));
        }
    }
}

/// Runs of `job` that this tick has made due already, and whether they wait for others.
fn planned(job: &str, actions: &[Action]) -> Vec<(StreamId, bool)> {
    let due = actions.iter().filter_map(|action| match action {
        Action::Append(draft) => due_of(&draft.event).map(|due| (&draft.stream, due)),
        Action::Dispatch(_) => None,
    });
    due.filter(|(stream, _)| stream.run_job() == Some(job))
        .map(|(stream, due)| (stream.clone(), !due.behind.is_empty()))
        .collect()
}

pub(super) fn due_of(event: &Event) -> Option<&RunDue> {
    if let Event::RunEvent(RunEvent::RunDue(due)) = event { Some(due) } else { None }
}

/// A run that wants to start.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) job: &'a str,
    pub(super) definition: &'a DefinitionRef,
    pub(super) nominal: Option<Nominal>,
    pub(super) late_ms: u64,
    pub(super) catch_up: bool,
    pub(super) hold: Option<String>,
}

impl Wanted<'_> {
    fn due(&self, definition: &JobDefinition, behind: Vec<StreamId>) -> RunDue {
        RunDue {
            job: self.job.to_owned(),
            definition: self.definition.clone(),
            nominal: self.nominal.clone(),
            pool: definition.pool.clone(),
            host: definition.host.clone(),
            late_ms: self.late_ms,
            late_after_ms: definition.late_after.millis(),
            catch_up: self.catch_up,
            hold: self.hold.clone(),
            behind,
            retry: definition.retry_rule(),
        }
    }

    fn skipped(&self, reason: SkipReason) -> RunSkipped {
        RunSkipped {
            job: self.job.to_owned(),
            definition: self.definition.clone(),
            nominal: self.nominal.clone(),
            reason,
        }
    }
}
