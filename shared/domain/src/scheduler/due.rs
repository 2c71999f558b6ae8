//! What becomes of occurrences whose time has come: calendars, pauses, people's orders, catch-up, overlap.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use jiff::civil::Date;

use super::jobs::{Definition, JobEntry};
use super::terms::{Sort, When, terms};
use super::{Action, Scheduler};
use crate::envelope::Draft;
use crate::event::{
    DefinitionRef, Event, MissReason, Moved, Nominal, RunCancelRequested, RunDue, RunEvent,
    RunMissed, RunSkipped, SkipReason, Terms,
};
use crate::ids::StreamId;
use crate::job::{CatchUp, JobDefinition, OrderAct, Overlap};
use crate::ledger::Continued;
use crate::run::State;
use crate::time::{Occurrence, Out, just_before, occurrence_label};

/// What becomes of one occurrence.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// It runs.
    Run {
        /// After its time, by the catch-up rule.
        catch_up: bool,
        /// A person must release it first.
        hold: Option<String>,
        /// At another instant than its own.
        moved: Option<Moved>,
    },
    /// It is skipped.
    Skip(SkipReason),
    /// It is missed.
    Miss(MissReason),
}

impl Decision {
    fn run(catch_up: bool) -> Self {
        Self::Run { catch_up, hold: None, moved: None }
    }
}

/// One occurrence and what becomes of it.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The occurrence.
    pub occurrence: Occurrence,
    /// The definition that implies it.
    pub definition: Definition,
    /// Its run.
    pub run: StreamId,
    /// What becomes of it.
    pub decision: Decision,
    /// Milliseconds between its instant and the decision.
    pub late_ms: u64,
    /// The occurrence accounted for just before it.
    pub after: Option<Timestamp>,
    /// Whether it stands for others, which are missed for its sake: it is not skipped, and waits for an earlier run.
    pub stands: bool,
}

/// Occurrences that were not decided in time, and from which of them on they are caught up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Backlog {
    /// The occurrence that stands for those that are not caught up.
    stands: Timestamp,
    /// The oldest that is caught up.
    keep_from: Timestamp,
}

/// Decides the occurrences of `entry` after its cursor and up to `now`, at most `max`, in order.
/// Overlap is not looked at here: it needs the runs.
pub fn decide_due(
    entry: &mut JobEntry,
    continued: &Continued,
    now: Timestamp,
    max: usize,
) -> Vec<Decided> {
    let mut decided = Vec::new();
    for index in 0..entry.definitions.len() {
        let Some(span) = entry.definitions.get(index).cloned() else { break };
        if span.host.is_some() {
            continue;
        }
        let Some((from, until)) = window_of(entry, &span, now) else { continue };
        let (Ok(definition), Some(schedule)) = (span.read(), &span.schedule) else { continue };
        let backlog = backlog(entry, &span, &definition, continued, (from, until), now);
        let mut before = entry.cursor(&span);
        // What ran ahead of its time is known apart, and nothing follows it.
        let ahead = entry.all_ahead();
        let chain = schedule.between(from, until).filter(|o| !ahead.contains(&o.at));
        for occurrence in chain.take(max - decided.len()) {
            let at = occurrence.at;
            let one = decide_one(entry, &span, &definition, continued, occurrence, &backlog, now);
            decided.push(Decided { after: before, ..one });
            before = Some(at);
            entry.decided(span.apart, at);
        }
        entry.backlog = Some(backlog);
        if decided.len() == max {
            return decided;
        }
    }
    entry.backlog = None;
    decided
}

/// Decides what is to run ahead of its time and whose new time has come.
pub fn decide_ahead(entry: &mut JobEntry, continued: &Continued, now: Timestamp) -> Vec<Decided> {
    let come: Vec<Timestamp> =
        entry.ahead().filter(|(_, to)| *to <= now).map(|(at, _)| at).collect();
    let mut decided = Vec::new();
    for at in come {
        entry.note_tried_ahead(at);
        // Too late, or nothing runs now: what nobody says of it is said when its own time comes.
        if at <= now || entry.is_paused() || continued.may_have_run(&entry.orders, at) {
            continue;
        }
        let Some(order) = entry.orders.get(&at) else { continue };
        let Some(to) = order.ahead_of(at) else { continue };
        let moved = Moved { to, ahead: true, reason: order.reason.clone() };
        // Where the schedule was changed meanwhile, there may be no such occurrence any more.
        let Some(span) = entry.active().cloned() else { continue };
        let found = span.schedule.as_ref().and_then(|schedule| schedule.occurrence_at(at));
        let Some(occurrence) = found.filter(|occurrence| occurrence.out.is_none()) else {
            continue;
        };
        let run = StreamId::run(&entry.name, &occurrence_label(&occurrence));
        let decision = Decision::Run { catch_up: false, hold: None, moved: Some(moved) };
        let late_ms = late_ms(to, now);
        let (after, stands) = (None, false);
        decided.push(Decided {
            occurrence,
            definition: span,
            run,
            decision,
            late_ms,
            after,
            stands,
        });
    }
    decided
}

fn window_of(
    entry: &JobEntry,
    span: &Definition,
    now: Timestamp,
) -> Option<(Timestamp, Timestamp)> {
    let from = entry.cursor(span).map_or(span.from, |cursor| cursor.max(span.from));
    let until = span.until.map_or(now, |until| until.min(now));
    (from < until).then_some((from, until))
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
    span: &Definition,
    definition: &JobDefinition,
    continued: &Continued,
    (from, until): (Timestamp, Timestamp),
    now: Timestamp,
) -> Backlog {
    if let Some(backlog) = &entry.backlog
        && from < backlog.stands
        && backlog.stands <= until
    {
        return backlog.clone();
    }
    let occurrences = span.schedule.iter().flat_map(|schedule| schedule.between(from, until));
    let counts = |o: &Occurrence| {
        o.out.is_none()
            && decide_by_people(entry, o.at).is_none()
            && !entry.is_ahead(o.at)
            && !continued.may_have_run(&entry.orders, o.at)
    };
    let mut instants = occurrences.filter(counts).map(|occurrence| occurrence.at).peekable();
    let keep = kept(definition.catch_up);
    let mut late = VecDeque::new();
    while let Some(at) = instants.next_if(|at| is_late(definition, *at, now)) {
        late.push_back(at);
        if late.len() > keep.max(1) {
            late.pop_front();
        }
    }
    // What is not late runs as on any other day, and the first of it stands for what the job would catch up once.
    let once = matches!(definition.catch_up, CatchUp::Last | CatchUp::Hold);
    let on_time = instants.next().filter(|_| once && !late.is_empty());
    let stands = on_time.or(late.back().copied()).unwrap_or(from);
    let oldest = late.front().copied().filter(|_| keep > 0);
    Backlog { stands, keep_from: on_time.or(oldest).unwrap_or(now) }
}

/// How many of several missed occurrences are caught up.
pub(super) fn kept(catch_up: CatchUp) -> usize {
    match catch_up {
        CatchUp::None => 0,
        CatchUp::Last | CatchUp::Hold => 1,
        CatchUp::All { limit } => limit as usize,
    }
}

fn decide_one(
    entry: &JobEntry,
    span: &Definition,
    definition: &JobDefinition,
    continued: &Continued,
    occurrence: Occurrence,
    backlog: &Backlog,
    now: Timestamp,
) -> Decided {
    let at = occurrence.at;
    let run = StreamId::run(&entry.name, &occurrence_label(&occurrence));
    let lost = continued.may_have_run(&entry.orders, at);
    let decision = match left_out(&occurrence).or_else(|| decide_by_people(entry, at)) {
        Some(Decision::Run { .. }) | None if lost => Decision::Miss(MissReason::LogLost),
        Some(decision) => decision,
        None if !is_late(definition, at, now) => Decision::run(false),
        None => decide_late(entry, span, definition, at, backlog),
    };
    let (definition, late_ms) = (span.clone(), late_ms(at, now));
    let stands = at == backlog.stands;
    Decided { occurrence, definition, run, decision, late_ms, after: None, stands }
}

/// What the schedule itself says.
fn left_out(occurrence: &Occurrence) -> Option<Decision> {
    let reason = match occurrence.out.as_ref()? {
        Out::Gap => SkipReason::Gap,
        Out::Day(day) => SkipReason::Calendar { day: day.day, because: day.describe() },
    };
    Some(Decision::Skip(reason))
}

/// What people have said about it.
fn decide_by_people(entry: &JobEntry, at: Timestamp) -> Option<Decision> {
    if entry.pause_at(at).is_some() {
        return Some(Decision::Skip(SkipReason::Paused));
    }
    let order = entry.orders.get(&at).filter(|order| order.ahead_of(at).is_none())?;
    let because = order.reason.clone();
    Some(match order.act {
        OrderAct::Skip => Decision::Skip(SkipReason::Ordered { because }),
        OrderAct::Hold => Decision::Run { catch_up: false, hold: Some(because), moved: None },
        // Its own time has come before it could run ahead of it.
        OrderAct::Move(to) if to < at => return None,
        OrderAct::Move(to) => {
            let moved = Some(Moved { to, ahead: false, reason: because });
            Decision::Run { catch_up: false, hold: None, moved }
        }
    })
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
        CatchUp::All { .. } | CatchUp::Last if caught_up => Decision::run(true),
        CatchUp::Hold if caught_up => Decision::Run { catch_up: true, hold: hold(), moved: None },
        CatchUp::All { limit } => Decision::Miss(MissReason::CatchUpLimit { limit }),
        CatchUp::Last | CatchUp::Hold => {
            let by = span
                .schedule
                .as_ref()
                .and_then(|s| s.between(just_before(backlog.stands), backlog.stands).next());
            let by = by.map_or_else(|| entry.name.clone(), |o| occurrence_label(&o));
            Decision::Miss(MissReason::Superseded { by: StreamId::run(&entry.name, &by) })
        }
    }
}

/// The facts of an occurrence as its first event records them.
pub(super) fn nominal(one: &Decided, tzdb: &str) -> Nominal {
    let occurrence = &one.occurrence;
    let walls = if occurrence.walls.is_empty() { &occurrence.left_out } else { &occurrence.walls };
    let date = occurrence.local.date();
    Nominal {
        at: occurrence.at,
        local: occurrence.local.to_string(),
        walls: walls.iter().map(ToString::to_string).collect(),
        reason: occurrence.reason.as_str().to_owned(),
        tzdb: tzdb.to_owned(),
        // What the local date says already need not be said again.
        business_day: Some(occurrence.business_day).filter(|day| *day != date),
        moved_from: occurrence.moved_from.clone(),
        calendars: one.definition.calendars.to_vec(),
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
            let ahead = decide_ahead(&mut entry, &self.continued, now);
            if !ahead.is_empty() {
                self.put_job(entry);
                self.settle_ahead(&name, ahead, actions);
                entry = self.take_job(&name);
            }
            let decided = decide_due(&mut entry, &self.continued, now, max);
            entry.tried(now);
            self.put_job(entry);
            for one in decided {
                self.settle_occurrence(&name, &one, actions);
            }
        }
    }

    /// What is to run ahead of its time. What cannot be due now is left to its own time: it can be skipped only then.
    fn settle_ahead(&mut self, job: &str, decided: Vec<Decided>, actions: &mut Vec<Action>) {
        let mut under_way = Vec::new();
        for one in decided {
            let before = actions.len();
            self.settle_occurrence(job, &one, actions);
            let due = actions.iter().skip(before).any(|action| is_due(action, &one.run));
            if due || self.pending.contains_key(&one.run) || self.runs.contains_key(&one.run) {
                under_way.push(one.occurrence.at);
            } else {
                actions.truncate(before);
            }
        }
        let mut entry = self.take_job(job);
        under_way.into_iter().for_each(|at| entry.note_decided_ahead(at));
        self.put_job(entry);
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
        let nominal = nominal(one, &self.settings.tzdb);
        let definition = one.definition.reference();
        let (job, late_ms) = (job.to_owned(), one.late_ms);
        let event = match &one.decision {
            Decision::Skip(reason) => {
                let (nominal, reason) = (Some(nominal), reason.clone());
                RunSkipped { job, definition, nominal, reason }.into()
            }
            Decision::Miss(reason) => {
                RunMissed { job, definition, nominal, late_ms, reason: reason.clone() }.into()
            }
            Decision::Run { catch_up, hold, moved } => {
                let business_day = one.occurrence.business_day;
                let wanted = Wanted {
                    job: &job,
                    definition: &definition,
                    when: When {
                        at: one.occurrence.at,
                        business_day,
                        moved: moved.as_ref().map(|moved| moved.to),
                    },
                    sort: Sort::Occurrence,
                    nominal: Some(nominal),
                    late_ms,
                    catch_up: *catch_up,
                    hold: hold.clone(),
                    moved: moved.clone(),
                    stands: one.stands,
                };
                match self.overlap(&one.run, &wanted, &BTreeMap::new(), actions) {
                    Some(event) => event,
                    None => return,
                }
            }
        };
        actions.push(Action::Append(Draft::new(one.run.clone(), 1, event)));
    }

    /// The event for a run that wants to start, by the overlap rule of its job and by what it is given.
    pub(super) fn overlap(
        &self,
        run: &StreamId,
        wanted: &Wanted<'_>,
        given: &BTreeMap<String, String>,
        actions: &mut Vec<Action>,
    ) -> Option<Event> {
        let entry = self.jobs.get(wanted.job)?;
        let definition = entry.definition(wanted.definition)?.read().ok()?;
        let skip = |reason| Some(wanted.skipped(reason).into());
        let terms = match terms(&definition, wanted.sort, wanted.when, run.rest(), given) {
            Ok(terms) => terms,
            Err(because) => return skip(SkipReason::Parameters { because }),
        };
        let due = |behind| Some(wanted.due(&definition, terms.clone(), behind).into());
        let planned = planned(wanted.job, actions);
        let coming = self.coming(wanted.job, run);
        let open: Vec<&StreamId> = entry
            .open
            .iter()
            .filter(|id| *id != run && id.part().is_none() && self.is_decided(id))
            .collect();
        let newest = planned.last().map(|(id, _)| id);
        let newest = newest.or(coming.last().map(|(id, _)| *id)).or_else(|| self.newest(&open));
        let Some(newest) = newest.cloned() else { return due(vec![]) };
        let waiting = planned.iter().filter(|(_, waits)| *waits).count()
            + coming.iter().filter(|(_, waits)| *waits).count()
            + open.iter().filter(|id| self.waits(id)).count();
        let limit = definition.queue_limit();
        match definition.overlap {
            // What is caught up, or was moved here by a person, runs one after the other, whatever the rule for the
            // daily case.
            _ if wanted.catch_up || wanted.stands || wanted.is_ahead() => {}
            Overlap::Skip => return skip(SkipReason::Overlap { with: newest }),
            Overlap::QueueOne | Overlap::QueueAll { .. } if waiting >= limit as usize => {
                return skip(SkipReason::QueueFull { limit });
            }
            Overlap::QueueOne | Overlap::QueueAll { .. } => {}
            Overlap::CancelRunning => self.cancel_all(&open, run, actions),
        }
        due(vec![newest])
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
            .filter(|(id, pending)| {
                pending.due && *id != but && id.part().is_none() && !self.is_decided(id)
            })
            .map(|(id, pending)| (id, pending.waits))
            .collect()
    }

    fn newest<'a>(&self, open: &[&'a StreamId]) -> Option<&'a StreamId> {
        open.iter()
            .max_by_key(|id| self.runs.get(**id).map(|e| (e.run.instant(), e.run.created)))
            .copied()
    }

    fn waits(&self, id: &StreamId) -> bool {
        self.runs
            .get(id)
            .is_some_and(|entry| entry.run.is_pending() && !entry.run.behind.is_empty())
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
        Action::Dispatch(_) | Action::Recall(_) | Action::Send(_) => None,
    });
    due.filter(|(stream, due)| stream.run_job() == Some(job) && due.part_of.is_none())
        .map(|(stream, due)| (stream.clone(), !due.behind.is_empty()))
        .collect()
}

fn is_due(action: &Action, run: &StreamId) -> bool {
    matches!(action, Action::Append(draft) if draft.stream == *run && due_of(&draft.event).is_some())
}

pub(super) fn due_of(event: &Event) -> Option<&RunDue> {
    if let Event::RunEvent(RunEvent::RunDue(due)) = event { Some(due) } else { None }
}

/// A run that wants to start.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) job: &'a str,
    pub(super) definition: &'a DefinitionRef,
    pub(super) when: When,
    pub(super) sort: Sort,
    pub(super) nominal: Option<Nominal>,
    pub(super) late_ms: u64,
    pub(super) catch_up: bool,
    pub(super) hold: Option<String>,
    pub(super) moved: Option<Moved>,
    /// Whether others are missed for its sake.
    pub(super) stands: bool,
}

impl Wanted<'_> {
    fn is_ahead(&self) -> bool {
        self.moved.as_ref().is_some_and(|moved| moved.ahead)
    }

    pub(super) fn due(
        &self,
        definition: &JobDefinition,
        terms: Terms,
        behind: Vec<StreamId>,
    ) -> RunDue {
        let day: Option<Date> = terms.business_day;
        let told = self
            .nominal
            .as_ref()
            .map(|nominal| nominal.business_day.or_else(|| local_date(&nominal.local)));
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
            // The occurrence says it already.
            terms: Box::new(Terms {
                business_day: day.filter(|day| told != Some(Some(*day))),
                ..terms
            }),
            moved: self.moved.clone(),
            part_of: None,
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

/// The date in an RFC 9557 instant.
fn local_date(local: &str) -> Option<Date> {
    local.get(..10)?.parse().ok()
}
