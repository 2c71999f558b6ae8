//! A job as the scheduler holds it: small, because there may be a million.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use jiff::Timestamp;

use super::brief::Brief;
use crate::calendar::{CalendarRef, Calendars};
use crate::canonical::Digest;
use crate::event::DefinitionRef;
use crate::ids::StreamId;
use crate::job::{
    Almanacs, Job, JobDefinition, Lease, Order, Pause, Piece, SchedulePart, Span, Stretch,
};
use crate::time::{Schedule, just_after};

/// A definition and a time in which its schedule is one and the same.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Its number.
    pub number: u32,
    /// Its digest.
    pub digest: Digest,
    /// The definition's text.
    text: Arc<Brief>,
    /// Exclusive.
    pub from: Timestamp,
    /// Inclusive.
    pub until: Option<Timestamp>,
    /// Its schedule; `None` for a job that runs on request, or whose definition cannot be read here.
    pub schedule: Option<Arc<Schedule>>,
    /// The versions of calendars in it.
    pub calendars: Arc<[CalendarRef]>,
    /// The beginning of the lease it is, or is the rest of: its occurrences are accounted for apart.
    pub(super) apart: Option<Timestamp>,
    /// The host that decides its occurrences, where it is not the centre.
    pub(super) host: Option<Arc<str>>,
}

impl Definition {
    /// Names it.
    pub fn reference(&self) -> DefinitionRef {
        DefinitionRef::new(self.number, self.digest)
    }

    /// Reads it.
    ///
    /// # Errors
    /// It was written by a newer version of the program.
    pub fn read(&self) -> Result<JobDefinition, serde_json::Error> {
        serde_json::from_str(&self.text())
    }

    /// Its JSON text, as it was approved.
    pub fn text(&self) -> String {
        self.text.text()
    }
}

/// Schedules in use, shared between jobs that say the same; by the digest of what they say and of the calendars.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    known: BTreeMap<Digest, Weak<Schedule>>,
    pub(super) calendars: Calendars,
    almanacs: Almanacs,
    nothing: Option<Arc<[CalendarRef]>>,
}

impl Schedules {
    pub(super) fn with(calendars: Calendars) -> Self {
        Self { calendars, ..Self::default() }
    }

    /// The stretches of a piece. Those of calendars that cannot be read here are left out.
    fn stretches(&mut self, piece: &Piece<'_, Span>, part: &SchedulePart) -> Vec<Stretch> {
        let (from, until) = (piece.from, piece.until);
        match piece.lease.filter(|lease| lease.is_of_host()) {
            None => part.stretches(from, until, &self.calendars, &self.almanacs),
            Some(lease) => {
                let at = just_after(lease.granted);
                let (schedule, calendars) = part.at(at, &self.calendars, &self.almanacs);
                vec![Stretch { from, until, schedule, calendars: calendars.into() }]
            }
        }
    }

    /// One schedule for all that say the same.
    fn shared(
        &mut self,
        part: &SchedulePart,
        calendars: &[CalendarRef],
        make: impl FnOnce() -> Option<Schedule>,
    ) -> Option<Arc<Schedule>> {
        let key = Digest::of(&serde_json::to_vec(&(part, calendars)).ok()?);
        if let Some(schedule) = self.known.get(&key).and_then(Weak::upgrade) {
            return Some(schedule);
        }
        let schedule = Arc::new(make()?);
        self.known.insert(key, Arc::downgrade(&schedule));
        Some(schedule)
    }

    fn nothing(&mut self) -> Arc<[CalendarRef]> {
        Arc::clone(self.nothing.get_or_insert_with(|| Arc::from([])))
    }

    /// The definitions of a job.
    pub(super) fn definitions(&mut self, job: &Job) -> (Vec<Definition>, bool) {
        let (mut found, mut has_calendars) = (Vec::new(), false);
        for piece in job.pieces() {
            let read = piece.span.read().ok();
            let part = read.as_ref().and_then(JobDefinition::schedule_part);
            let text = Arc::new(Brief::of(piece.span.definition.get()));
            let plain = Definition {
                number: piece.span.number,
                digest: piece.span.digest,
                text,
                from: piece.from,
                until: piece.until,
                schedule: None,
                calendars: self.nothing(),
                apart: piece.lease.map(|lease| lease.from),
                host: piece.lease.and_then(|lease| lease.host.as_deref()).map(Arc::from),
            };
            let Some(part) = part else {
                found.push(plain);
                continue;
            };
            if part.calendar.is_empty() {
                let make = || Schedule::parse(&part.spec, &part.zone, part.dst).ok();
                let schedule = self.shared(&part, &[], make);
                found.push(Definition { schedule, ..plain });
                continue;
            }
            has_calendars = true;
            for stretch in self.stretches(&piece, &part) {
                let Stretch { from, until, schedule, calendars } = stretch;
                let schedule = self.shared(&part, &calendars, || schedule.ok());
                found.push(Definition { from, until, schedule, calendars, ..plain.clone() });
            }
        }
        // Most jobs have one, and there are many jobs.
        found.shrink_to_fit();
        (found, has_calendars)
    }
}

/// How far a chain of occurrences is accounted for.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    /// Occurrences up to here are in the log.
    settled: Option<Timestamp>,
    /// Occurrences up to here were decided here and are on their way.
    decided: Option<Timestamp>,
}

/// A job.
#[derive(Debug)]
pub struct JobEntry {
    /// Its name.
    pub name: String,
    /// Version of its stream.
    pub version: u64,
    cursor: Cursor,
    /// The same for times that are decided apart.
    apart: BTreeMap<Timestamp, Cursor>,
    /// Definitions that hold or held.
    pub definitions: Vec<Definition>,
    /// Pauses.
    pub pauses: Vec<Pause>,
    /// What people want of single occurrences.
    pub orders: BTreeMap<Timestamp, Order>,
    /// Occurrences that ran ahead of their time, as far as the log has told.
    pub(super) ran_ahead: BTreeSet<Timestamp>,
    /// Those that were decided here and are on their way.
    decided_ahead: BTreeSet<Timestamp>,
    /// Those that were looked at when their new time came, whatever came of it.
    tried_ahead: BTreeSet<Timestamp>,
    /// Its open runs.
    pub open: BTreeSet<StreamId>,
    /// Its next occurrence that nobody has decided here.
    pub next: Option<Timestamp>,
    /// Since when that one waits for somebody to decide it: `next` moves while it is another's turn.
    pub(super) waits_since: Option<Timestamp>,
    /// Not to be decided before this instant: an append was refused.
    not_before: Option<Timestamp>,
    /// An append was refused, and none was accepted since: one occurrence at a time is tried, so that
    /// a scheduler whose clock is wrong does not fill the log with what is void.
    probes: bool,
    /// The backlog's newest instant and the oldest of it that is caught up, while it is worked off.
    pub(super) backlog: Option<super::due::Backlog>,
    /// Whether its schedule depends on calendars.
    pub(super) has_calendars: bool,
    rest: Rest,
}

/// What of a job the scheduler does not use, but needs to follow its events.
#[derive(Debug, Default)]
struct Rest {
    numbers: u32,
    proposal: Option<Box<crate::job::Proposal>>,
    retired: Option<Timestamp>,
    leases: Vec<Lease>,
    /// Spans whose definitions are not among those above: a lease covers all of their time.
    leased: Vec<Span>,
    /// The spans' own times, where they were cut.
    times: Vec<(u32, Timestamp, Option<Timestamp>)>,
}

impl JobEntry {
    pub(super) fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: 0,
            cursor: Cursor::default(),
            apart: BTreeMap::new(),
            definitions: Vec::new(),
            pauses: Vec::new(),
            orders: BTreeMap::new(),
            ran_ahead: BTreeSet::new(),
            decided_ahead: BTreeSet::new(),
            tried_ahead: BTreeSet::new(),
            open: BTreeSet::new(),
            next: None,
            waits_since: None,
            not_before: None,
            probes: false,
            backlog: None,
            has_calendars: false,
            rest: Rest::default(),
        }
    }

    /// The same job after an event: what was decided here stays decided, unless the definitions
    /// changed. What was decided by one that no longer held is refused, and decided anew.
    pub(super) fn renew(mut self, job: &Job, version: u64, schedules: &mut Schedules) -> Self {
        let (definitions, has_calendars) = schedules.definitions(job);
        let span =
            |d: &Definition| (d.number, d.from, d.until, Arc::clone(&d.calendars), d.host.clone());
        let same = self.definitions.iter().map(span).eq(definitions.iter().map(span));
        if !same || self.orders != job.orders {
            self.forget_decided();
        }
        let kept = |span: &&Span| !definitions.iter().any(|d| d.number == span.number);
        let spans = &job.versions.spans;
        let rest = Rest {
            numbers: job.versions.numbers,
            proposal: job.versions.proposal.clone().map(Box::new),
            retired: job.versions.retired,
            leases: job.leases.clone(),
            leased: spans.iter().filter(kept).cloned().collect(),
            times: if definitions.len() == spans.len() && job.leases.is_empty() {
                Vec::new()
            } else {
                spans.iter().map(|span| (span.number, span.from, span.until)).collect()
            },
        };
        let (pauses, orders) = (job.pauses.clone(), job.orders.clone());
        Self { version, definitions, pauses, orders, has_calendars, rest, ..self }
    }

    fn forget_decided(&mut self) {
        self.cursor.decided = None;
        self.decided_ahead.clear();
        self.tried_ahead.clear();
        self.apart.values_mut().for_each(|cursor| cursor.decided = None);
        self.backlog = None;
    }

    pub(super) fn to_job(&self) -> Job {
        let plain = |d: &Definition| Span {
            number: d.number,
            digest: d.digest,
            definition: d.text.definition(),
            from: d.from,
            until: d.until,
        };
        let spans = if self.rest.times.is_empty() {
            self.definitions.iter().map(plain).collect()
        } else {
            let whole = |(number, from, until): &(u32, Timestamp, Option<Timestamp>)| {
                let here = self.definitions.iter().find(|d| d.number == *number).map(plain);
                let leased = || self.rest.leased.iter().find(|s| s.number == *number).cloned();
                Some(Span { from: *from, until: *until, ..here.or_else(leased)? })
            };
            self.rest.times.iter().filter_map(whole).collect()
        };
        Job {
            name: self.name.clone(),
            versions: crate::job::Versions {
                numbers: self.rest.numbers,
                proposal: self.rest.proposal.as_deref().cloned(),
                spans,
                retired: self.rest.retired,
                // What people say of changes decides nothing.
                requests: Vec::new(),
            },
            pauses: self.pauses.clone(),
            orders: self.orders.clone(),
            leases: self.rest.leases.clone(),
        }
    }

    /// The leases that hosts have or had.
    pub(super) fn leases(&self) -> &[Lease] {
        &self.rest.leases
    }

    /// The definition that is active now.
    pub fn active(&self) -> Option<&Definition> {
        self.definitions.iter().rev().find(|d| d.until.is_none())
    }

    /// The definition a run follows.
    pub fn definition(&self, reference: &DefinitionRef) -> Option<Definition> {
        let here = self.definitions.iter().find(|d| d.reference() == *reference).cloned();
        here.or_else(|| {
            let span = self.rest.leased.iter().find(|span| span.reference() == *reference)?;
            Some(Definition {
                number: span.number,
                digest: span.digest,
                text: Arc::new(Brief::of(span.definition.get())),
                from: span.from,
                until: span.until,
                schedule: None,
                calendars: Arc::from([]),
                apart: None,
                host: None,
            })
        })
    }

    /// The schedule that is active now, or held last.
    pub fn schedule(&self) -> Option<&Arc<Schedule>> {
        self.definitions.iter().rev().find_map(|definition| definition.schedule.as_ref())
    }

    /// Everything of the chain that `definition` is in up to here is decided, here or in the log.
    pub(super) fn cursor(&self, definition: &Definition) -> Option<Timestamp> {
        let cursor = match definition.apart {
            None => self.cursor,
            Some(from) => self.apart.get(&from).copied().unwrap_or_default(),
        };
        cursor.settled.max(cursor.decided)
    }

    fn cursor_mut(&mut self, apart: Option<Timestamp>) -> &mut Cursor {
        match apart {
            None => &mut self.cursor,
            Some(from) => self.apart.entry(from).or_default(),
        }
    }

    pub(super) fn settle(&mut self, instant: Timestamp) {
        let lease = self.rest.leases.iter().rev().find(|lease| lease.covers(instant));
        let apart = lease.map(|lease| lease.from);
        let cursor = self.cursor_mut(apart);
        cursor.settled = cursor.settled.max(Some(instant));
        let (settled, orders) = (self.cursor.settled, &self.orders);
        self.ran_ahead.retain(|at| orders.contains_key(at) || settled.is_none_or(|s| s < *at));
        self.probes = false;
    }

    /// How far the read model says that its chains are accounted for.
    pub(super) fn settle_all(&mut self, turn: &crate::ledger::Turn) {
        if let Some(settled) = turn.settled {
            self.cursor.settled = self.cursor.settled.max(Some(settled));
        }
        self.ran_ahead.extend(&turn.ahead);
        for (from, settled) in &turn.leased {
            let cursor = self.cursor_mut(Some(*from));
            cursor.settled = cursor.settled.max(Some(*settled));
        }
    }

    /// How many occurrences may be decided at once, where `usual` may be otherwise.
    pub(super) fn at_once(&self, usual: usize) -> usize {
        if self.probes { usual.min(1) } else { usual }
    }

    pub(super) fn decided(&mut self, apart: Option<Timestamp>, until: Timestamp) {
        let cursor = self.cursor_mut(apart);
        cursor.decided = cursor.decided.max(Some(until));
    }

    /// Forgets what was decided but is not in the log, and tries again from `at` on.
    pub(super) fn decide_again(&mut self, at: Timestamp) {
        self.forget_decided();
        self.not_before = Some(at);
        self.probes = true;
    }

    /// It was decided at `now`: a wait after a refusal is over.
    pub(super) fn tried(&mut self, now: Timestamp) {
        self.not_before = self.not_before.filter(|wait| *wait > now);
    }

    /// The pause that covers the occurrence at `at`.
    pub(super) fn pause_at(&self, at: Timestamp) -> Option<&Pause> {
        self.pauses.iter().find(|pause| pause.covers(at))
    }

    /// Whether the occurrence at `at` ran ahead of its time: it is not one of its chain.
    pub(super) fn is_ahead(&self, at: Timestamp) -> bool {
        self.ran_ahead.contains(&at) || self.decided_ahead.contains(&at)
    }

    /// All that ran ahead of their time.
    pub(super) fn all_ahead(&self) -> BTreeSet<Timestamp> {
        self.ran_ahead.union(&self.decided_ahead).copied().collect()
    }

    /// The log has the run of the occurrence at `at`, and not as one of its chain as far as is known.
    pub(super) fn note_ran_ahead(&mut self, at: Timestamp) {
        self.ran_ahead.insert(at);
    }

    /// The occurrence at `at` was decided here to run ahead of its time.
    pub(super) fn note_decided_ahead(&mut self, at: Timestamp) {
        self.decided_ahead.insert(at);
    }

    /// The time to which the occurrence at `at` was moved has come.
    pub(super) fn note_tried_ahead(&mut self, at: Timestamp) {
        self.tried_ahead.insert(at);
    }

    /// Occurrences that are to run ahead of their time, and when, as far as nobody has looked at them.
    pub(super) fn ahead(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let ahead = self.orders.iter().filter_map(|(at, order)| Some((*at, order.ahead_of(*at)?)));
        ahead.filter(|(at, _)| {
            let gone = self.cursor.settled.is_some_and(|settled| *at <= settled);
            !gone && !self.is_ahead(*at) && !self.tried_ahead.contains(at)
        })
    }

    /// Whether a pause lasts.
    pub(super) fn is_paused(&self) -> bool {
        self.pauses.last().is_some_and(|pause| pause.until.is_none())
    }

    /// Finds the next occurrence after the cursor, or when to try again.
    pub(super) fn find_next(&mut self) {
        let next = self.definitions.iter().filter_map(|d| self.next_of(d)).min();
        let ahead = self.ahead().map(|(_, to)| to).min();
        let next = next.into_iter().chain(ahead).min();
        self.next = next.map(|at| self.not_before.map_or(at, |wait| at.max(wait)));
        self.waits_since = self.next;
    }

    fn next_of(&self, definition: &Definition) -> Option<Timestamp> {
        let schedule = definition.schedule.as_ref().filter(|_| definition.host.is_none())?;
        let from = definition.from;
        let mut after = self.cursor(definition).map_or(from, |cursor| cursor.max(from));
        loop {
            if definition.until.is_some_and(|until| until <= after) {
                return None;
            }
            let at = schedule.next(after)?.at;
            if definition.until.is_some_and(|until| at > until) {
                return None;
            }
            if !self.is_ahead(at) {
                return Some(at);
            }
            after = at;
        }
    }
}
