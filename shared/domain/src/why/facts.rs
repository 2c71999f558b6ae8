//! What is known while a question is answered, and what is still lacking.
//!
//! Whoever answers looks things up here. What is not there is noted, and asked for before the next try: so nothing is
//! read that the answer does not use.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::calendar::Calendars;
use crate::ids::StreamId;
use crate::job::{Job, JobDefinition, Span};
use crate::ledger::{Body, Host, StreamState};
use crate::run::Run;
use crate::scheduler::past::percentile;
use crate::site::{Defined, Thing, ThingKind};
use crate::wire::{Answer, Content, LogEntry, Query, RunFilter, RunRow, Selection, StreamView};

/// Most rows in one answer about runs.
const ROWS: u32 = 200;
/// Most streams or events in one answer.
const PAGE: u32 = 500;
/// Most pages of one list.
const PAGES_MAX: usize = 40;
/// From how many runs of its past a job's usual length is taken.
pub(crate) const LENGTHS: u32 = 30;
/// Most streams that are read for one answer.
pub(crate) const STREAMS_MAX: usize = 600;

/// Something to be asked of the recorder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ask {
    /// One stream.
    Stream(StreamId),
    /// Its events after a position.
    Events(StreamId, u64),
    /// Runs of a job whose instant is in a time.
    Runs(String, Option<Timestamp>, Option<Timestamp>),
    /// Runs of a pool in a state.
    Pool(String, &'static str),
    /// The newest runs of a job that did their work.
    Done(String),
    /// Some streams, after a name.
    Group(Group, String),
}

/// Streams that have something in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    /// Runs that are to have a lock, or have it.
    Claims(String),
    /// Hosts of a pool.
    Members(String),
    /// All blackouts.
    Blackouts,
}

impl Ask {
    pub(super) fn query(&self) -> Query {
        match self {
            Self::Stream(id) => Query::Stream { id: id.clone() },
            Self::Events(id, after) => {
                Query::Events { after: *after, limit: PAGE, stream: Some(id.clone()) }
            }
            Self::Runs(job, since, until) => Query::Runs(RunFilter {
                job: Some(job.clone()),
                since: *since,
                until: *until,
                limit: ROWS,
                ..RunFilter::default()
            }),
            Self::Pool(pool, state) => Query::Runs(RunFilter {
                pool: Some(pool.clone()),
                state: Some((*state).to_owned()),
                limit: ROWS,
                ..RunFilter::default()
            }),
            Self::Done(job) => Query::Done { jobs: vec![job.clone()], limit: LENGTHS },
            Self::Group(group, after) => group.query(after.clone()),
        }
    }
}

impl Group {
    fn query(&self, after: String) -> Query {
        let limit = PAGE;
        match self {
            Self::Claims(lock) => Query::Claims { lock: lock.clone(), after, limit },
            Self::Members(pool) => Query::Members { pool: pool.clone(), after, limit },
            Self::Blackouts => Query::Streams { of: Selection::Blackouts, after, limit },
        }
    }
}

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The position to which all of it is true, at least.
    pub(super) position: Option<u64>,
    streams: BTreeMap<StreamId, Option<StreamState>>,
    events: BTreeMap<(StreamId, u64), Vec<LogEntry>>,
    rows: BTreeMap<Ask, Vec<RunRow>>,
    groups: BTreeMap<(Group, String), Vec<StreamView>>,
    lacks: RefCell<BTreeSet<Ask>>,
}

impl Facts {
    /// What was looked for and is not known yet.
    pub(super) fn lacks(&self) -> Vec<Ask> {
        self.lacks.borrow().iter().cloned().collect()
    }

    /// The next try begins.
    pub(super) fn forget_lacks(&self) {
        self.lacks.borrow_mut().clear();
    }

    fn lack(&self, ask: Ask) {
        if self.streams.len() < STREAMS_MAX || !matches!(ask, Ask::Stream(_)) {
            self.lacks.borrow_mut().insert(ask);
        }
    }

    /// Takes an answer in.
    pub(super) fn take(&mut self, ask: Ask, answer: Answer) -> Result<(), String> {
        let first = self.position.unwrap_or(answer.position);
        self.position = Some(first.min(answer.position));
        match (ask, answer.content) {
            (Ask::Stream(id), Content::Streams(views)) => {
                self.streams.insert(id, views.into_iter().next().map(|view| view.state));
            }
            (Ask::Events(id, after), Content::Events(entries)) => {
                self.events.insert((id, after), entries);
            }
            (Ask::Group(group, after), Content::Streams(views)) => {
                for view in &views {
                    self.streams.insert(view.id.clone(), Some(view.state.clone()));
                }
                self.groups.insert((group, after), views);
            }
            (ask @ (Ask::Runs(..) | Ask::Pool(..) | Ask::Done(_)), Content::Runs(rows)) => {
                self.rows.insert(ask, rows);
            }
            (_, Content::Failed(reason)) => return Err(reason),
            (ask, _) => return Err(format!("the answer to {ask:?} is to another question")),
        }
        Ok(())
    }

    /// Every stream that was read and that there is.
    pub(super) fn streams(&self) -> Vec<StreamId> {
        let there = self.streams.iter().filter(|(_, state)| state.is_some());
        there.map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn stream(&self, id: &StreamId) -> Option<&StreamState> {
        match self.streams.get(id) {
            Some(state) => state.as_ref(),
            None => {
                self.lack(Ask::Stream(id.clone()));
                None
            }
        }
    }

    /// Whether it is known that there is no such stream.
    pub(super) fn is_nothing(&self, id: &StreamId) -> bool {
        self.streams.get(id).is_some_and(Option::is_none)
    }

    pub(super) fn run(&self, id: &StreamId) -> Option<&Run> {
        self.stream(id)?.body.run()
    }

    pub(super) fn job(&self, name: &str) -> Option<&Job> {
        self.stream(&StreamId::job(name))?.body.job()
    }

    pub(super) fn host(&self, name: &str) -> Option<&Host> {
        self.stream(&StreamId::host(name))?.body.host()
    }

    pub(super) fn thing(&self, kind: ThingKind, name: &str) -> Option<&Defined> {
        self.stream(&StreamId::thing(kind, name))?.body.thing()
    }

    /// The definition that a run follows.
    pub(super) fn definition(&self, run: &Run) -> Option<JobDefinition> {
        let spans = &self.job(&run.job)?.versions.spans;
        let span = spans.iter().find(|span| span.reference() == run.definition)?;
        span.read().ok()
    }

    /// All events of a stream.
    pub(super) fn events(&self, id: &StreamId) -> Vec<&LogEntry> {
        let Some(state) = self.stream(id) else { return Vec::new() };
        let mut found: Vec<&LogEntry> = Vec::new();
        let mut valid = 0;
        for _ in 0..PAGES_MAX {
            let after = found.last().map_or(0, |entry| entry.position);
            let Some(page) = self.events.get(&(id.clone(), after)) else {
                self.lack(Ask::Events(id.clone(), after));
                break;
            };
            valid += page.iter().filter(|entry| entry.void.is_none()).count() as u64;
            found.extend(page);
            if page.is_empty() || valid >= state.version {
                break;
            }
        }
        found
    }

    fn rows(&self, ask: Ask) -> &[RunRow] {
        match self.rows.get(&ask) {
            Some(rows) => rows,
            None => {
                self.lack(ask);
                &[]
            }
        }
    }

    /// The newest runs of a job whose instant is not before `since` and before `until`.
    pub(super) fn runs(
        &self,
        job: &str,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> &[RunRow] {
        self.rows(Ask::Runs(job.to_owned(), since, until))
    }

    /// Runs of a pool in this state.
    pub(super) fn of_pool(&self, pool: &str, state: &'static str) -> &[RunRow] {
        self.rows(Ask::Pool(pool.to_owned(), state))
    }

    pub(super) fn group(&self, group: &Group) -> Vec<&StreamView> {
        let mut found: Vec<&StreamView> = Vec::new();
        for _ in 0..PAGES_MAX {
            let after = found.last().map(|view| view.id.to_string()).unwrap_or_default();
            let Some(page) = self.groups.get(&(group.clone(), after.clone())) else {
                self.lack(Ask::Group(group.clone(), after));
                break;
            };
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        found
    }

    /// How long runs of a job usually take, milliseconds, and from how many that is known.
    pub(super) fn usual(&self, job: &str) -> Option<(i64, usize)> {
        let lengths = lengths(self.rows(Ask::Done(job.to_owned())));
        Some((i64::try_from(percentile(&lengths, 50)?).ok()?, lengths.len()))
    }

    /// Every calendar with one of these names, and all they refer to.
    pub(super) fn calendars(&self, names: BTreeSet<String>) -> Calendars {
        let (mut calendars, mut seen) = (Calendars::default(), BTreeSet::new());
        let mut open: Vec<String> = names.into_iter().collect();
        while let Some(name) = open.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let Some(thing) = self.thing(ThingKind::Calendar, &name) else { continue };
            let spans = thing.calendar_spans();
            open.extend(spans.iter().flat_map(|span| span.definition.names()));
            calendars.put(&name, spans);
        }
        calendars
    }

    /// The active blackouts that apply to a job.
    pub(super) fn blackouts(&self, job: &JobDefinition) -> Vec<&StreamView> {
        let applies = |view: &&StreamView| {
            let Body::Thing(thing) = &view.state.body else { return false };
            let read = thing.active().and_then(|_| thing.read(ThingKind::Blackout));
            matches!(read, Some(Thing::Blackout(blackout)) if blackout.applies(job))
        };
        self.group(&Group::Blackouts).into_iter().filter(applies).collect()
    }
}

/// What runs took, in milliseconds, shortest first.
pub(crate) fn lengths(rows: &[RunRow]) -> Vec<u64> {
    let one = |row: &RunRow| {
        let (started, ended) = row.started.zip(row.ended)?;
        u64::try_from(ended.as_millisecond() - started.as_millisecond()).ok()
    };
    let mut lengths: Vec<u64> = rows.iter().filter_map(one).collect();
    lengths.sort_unstable();
    lengths
}

/// The calendars that any of these definitions names.
pub(super) fn calendars_of<'a>(spans: impl IntoIterator<Item = &'a Span>) -> BTreeSet<String> {
    let read = spans.into_iter().filter_map(|span| span.read().ok());
    read.flat_map(|definition| definition.calendar.names()).collect()
}
