//! A job as the scheduler holds it: small, because there may be a million.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use jiff::Timestamp;

use super::brief::Brief;
use crate::canonical::Digest;
use crate::event::DefinitionRef;
use crate::ids::StreamId;
use crate::job::{Job, JobDefinition, Pause, Span};
use crate::time::Schedule;

/// A definition and the time in which it holds.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Its number.
    pub number: u32,
    /// Its digest.
    pub digest: Digest,
    /// The definition's text.
    text: Brief,
    /// Exclusive.
    pub from: Timestamp,
    /// Inclusive.
    pub until: Option<Timestamp>,
    /// Its schedule; `None` for a job that runs on request, or whose definition cannot be read here.
    pub schedule: Option<Arc<Schedule>>,
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

/// Schedules in use, shared between jobs that say the same; by the digest of what they say.
#[derive(Debug, Default)]
pub(super) struct Schedules(BTreeMap<Digest, Weak<Schedule>>);

impl Schedules {
    fn get(&mut self, definition: &JobDefinition) -> Option<Arc<Schedule>> {
        let spec = definition.schedule.as_ref()?;
        let said = serde_json::to_vec(&(spec, &definition.zone, definition.dst)).ok()?;
        let key = Digest::of(&said);
        if let Some(schedule) = self.0.get(&key).and_then(Weak::upgrade) {
            return Some(schedule);
        }
        let schedule = Arc::new(definition.parsed_schedule()?.ok()?);
        self.0.insert(key, Arc::downgrade(&schedule));
        Some(schedule)
    }
}

/// A job.
#[derive(Debug)]
pub struct JobEntry {
    /// Its name.
    pub name: String,
    /// Version of its stream.
    pub version: u64,
    /// Occurrences up to here are in the log.
    pub settled: Option<Timestamp>,
    /// Definitions that hold or held.
    pub definitions: Vec<Definition>,
    /// Pauses.
    pub pauses: Vec<Pause>,
    /// Its open runs.
    pub open: BTreeSet<StreamId>,
    /// Its next occurrence that nobody has decided here.
    pub next: Option<Timestamp>,
    /// Since when that one waits for somebody to decide it: `next` moves while it is another's turn.
    pub(super) waits_since: Option<Timestamp>,
    /// Occurrences up to here were decided here and are on their way.
    decided: Option<Timestamp>,
    /// Not to be decided before this instant: an append was refused.
    not_before: Option<Timestamp>,
    /// An append was refused, and none was accepted since: one occurrence at a time is tried, so that
    /// a scheduler whose clock is wrong does not fill the log with what is void.
    probes: bool,
    /// The backlog's newest instant and the oldest of it that is caught up, while it is worked off.
    pub(super) backlog: Option<super::due::Backlog>,
    rest: Rest,
}

/// What of a job the scheduler does not use, but needs to follow its events.
#[derive(Debug, Default)]
struct Rest {
    numbers: u32,
    proposal: Option<Box<crate::job::Proposal>>,
    retired: Option<Timestamp>,
}

impl JobEntry {
    pub(super) fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: 0,
            settled: None,
            definitions: Vec::new(),
            pauses: Vec::new(),
            open: BTreeSet::new(),
            next: None,
            waits_since: None,
            decided: None,
            not_before: None,
            probes: false,
            backlog: None,
            rest: Rest::default(),
        }
    }

    /// The same job after an event: what was decided here stays decided, unless the definitions
    /// changed. What was decided by one that no longer held is refused, and decided anew.
    pub(super) fn renew(mut self, job: &Job, version: u64, schedules: &mut Schedules) -> Self {
        let definitions: Vec<_> =
            job.spans.iter().map(|span| definition(span, schedules)).collect();
        let span = |d: &Definition| (d.number, d.from, d.until);
        if !self.definitions.iter().map(span).eq(definitions.iter().map(span)) {
            self.decided = None;
            self.backlog = None;
        }
        let rest = Rest {
            numbers: job.numbers,
            proposal: job.proposal.clone().map(Box::new),
            retired: job.retired,
        };
        Self { version, definitions, pauses: job.pauses.clone(), rest, ..self }
    }

    pub(super) fn to_job(&self) -> Job {
        let span = |d: &Definition| Span {
            number: d.number,
            digest: d.digest,
            definition: d.text.definition(),
            from: d.from,
            until: d.until,
        };
        Job {
            name: self.name.clone(),
            numbers: self.rest.numbers,
            proposal: self.rest.proposal.as_deref().cloned(),
            spans: self.definitions.iter().map(span).collect(),
            pauses: self.pauses.clone(),
            retired: self.rest.retired,
        }
    }

    /// The definition that is active now.
    pub fn active(&self) -> Option<&Definition> {
        self.definitions.last().filter(|d| d.until.is_none())
    }

    /// The definition a run follows.
    pub fn definition(&self, reference: &DefinitionRef) -> Option<&Definition> {
        self.definitions.iter().find(|d| d.reference() == *reference)
    }

    /// Everything up to here is decided, here or in the log.
    pub fn cursor(&self) -> Option<Timestamp> {
        self.settled.max(self.decided)
    }

    pub(super) fn settle(&mut self, instant: Timestamp) {
        self.settled = self.settled.max(Some(instant));
        self.probes = false;
    }

    /// How many occurrences may be decided at once, where `usual` may be otherwise.
    pub(super) fn at_once(&self, usual: usize) -> usize {
        if self.probes { usual.min(1) } else { usual }
    }

    pub(super) fn decided(&mut self, until: Timestamp) {
        self.decided = self.decided.max(Some(until));
    }

    /// Forgets what was decided but is not in the log, and tries again from `at` on.
    pub(super) fn decide_again(&mut self, at: Timestamp) {
        self.decided = None;
        self.backlog = None;
        self.not_before = Some(at);
        self.probes = true;
    }

    /// It was decided at `now`: a wait after a refusal is over.
    pub(super) fn tried(&mut self, now: Timestamp) {
        self.not_before = self.not_before.filter(|wait| *wait > now);
    }

    /// Finds the next occurrence after the cursor, or when to try again.
    pub(super) fn find_next(&mut self) {
        let next = self.definitions.iter().find_map(|d| {
            let schedule = d.schedule.as_ref()?;
            let after = self.cursor().map_or(d.from, |cursor| cursor.max(d.from));
            if d.until.is_some_and(|until| until <= after) {
                return None;
            }
            schedule.next(after).map(|o| o.at).filter(|at| d.until.is_none_or(|until| *at <= until))
        });
        self.next = next.map(|at| self.not_before.map_or(at, |wait| at.max(wait)));
        self.waits_since = self.next;
    }
}

fn definition(span: &Span, schedules: &mut Schedules) -> Definition {
    let read = span.read().ok();
    Definition {
        number: span.number,
        digest: span.digest,
        text: Brief::of(span.definition.get()),
        from: span.from,
        until: span.until,
        schedule: read.and_then(|definition| schedules.get(&definition)),
    }
}
