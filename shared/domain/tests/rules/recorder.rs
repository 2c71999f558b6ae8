//! A recorder that answers questions about a log in memory, and remembers what it was asked.

use std::cell::RefCell;
use std::collections::BTreeSet;

use domain::canonical::Digest;
use domain::ids::{StreamId, StreamType};
use domain::inquiry::Inquiry;
use domain::ledger::StreamState;
use domain::run::{Run, message};
use domain::wire::{
    Answer, Content, HeadView, LogEntry, Query, RunFilter, RunRow, Selection, StreamView,
};
use serde_json::value::RawValue;

use crate::given::World;

pub(crate) struct Recorder<'a> {
    world: &'a World,
    pub(crate) asked: RefCell<Vec<Query>>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self { world, asked: RefCell::default() }
    }

    /// Answers until nothing is lacking.
    pub(crate) fn answer_all(&self, inquiry: &mut impl Inquiry) {
        loop {
            let asks = inquiry.asks();
            if asks.is_empty() {
                return;
            }
            let answers = asks.iter().map(|query| self.answer(query)).collect();
            inquiry.take(answers).unwrap();
        }
    }

    pub(crate) fn answer(&self, query: &Query) -> Answer {
        self.asked.borrow_mut().push(query.clone());
        let content = match query {
            Query::Stream { id } => Content::Streams(self.views(|other, _| other == id)),
            Query::Streams { of, after, .. } => Content::Streams(self.selected(*of, after)),
            Query::Events { after, stream, .. } => Content::Events(self.events(*after, stream)),
            Query::Runs(filter) => Content::Runs(self.rows(filter)),
            Query::Claims { lock, after, .. } => Content::Streams(self.views(|id, state| {
                let ready = |run: &Run| matches!(run.state.word(), "due" | "retrying" | "running");
                let claims = |run: &Run| run.terms.locks.iter().any(|claim| claim.lock == *lock);
                let run = state.body.run().filter(|run| ready(run) && claims(run));
                run.is_some() && id.as_str() > after.as_str()
            })),
            Query::Members { pool, after, .. } => Content::Streams(self.views(|id, state| {
                let started = state.body.host().and_then(|host| host.started.as_ref());
                started.is_some_and(|started| started.pools.contains(pool))
                    && id.as_str() > after.as_str()
            })),
            Query::Done { jobs, limit } => Content::Runs(self.done(jobs, *limit)),
            Query::Past { job, limit } => Content::Streams(self.past(job, *limit)),
            Query::Head => Content::Head(HeadView {
                policy: domain::ledger::Policy::default(),
                origin: "log.example/decklog".to_owned(),
                size: self.world.feed.len() as u64,
                root: Digest::NONE,
                signed: None,
                stuck: None,
            }),
            Query::Leaves { .. }
            | Query::Incidents(_)
            | Query::Requests(_)
            | Query::Search(_)
            | Query::Jobs(_)
            | Query::Night { .. }
            | Query::Heads { .. }
            | Query::Consistency { .. }
            | Query::Proof { .. }
            | Query::Documents(_) => {
                panic!("nobody asks {query:?} here")
            }
        };
        Answer { position: self.world.feed.len() as u64, content }
    }

    fn views(&self, wanted: impl Fn(&StreamId, &StreamState) -> bool) -> Vec<StreamView> {
        let streams = self.world.streams.0.iter().filter(|(id, state)| wanted(id, state));
        streams.map(|(id, state)| StreamView { id: id.clone(), state: state.clone() }).collect()
    }

    fn selected(&self, of: Selection, after: &str) -> Vec<StreamView> {
        self.views(|id, state| {
            let kind = id.stream_type();
            let fits = match of {
                Selection::Jobs => kind == StreamType::Job,
                Selection::OpenRuns => state.body.run().is_some_and(|run| !run.state.is_ended()),
                Selection::Hosts => kind == StreamType::Host,
                Selection::Users => kind == StreamType::User,
                Selection::Things => kind.thing().is_some(),
                Selection::Blackouts => kind == StreamType::Blackout,
                Selection::Queues => kind == StreamType::Queue,
                Selection::Forms => kind == StreamType::Form,
                Selection::CallTrees => kind == StreamType::CallTree,
                Selection::Incidents => kind == StreamType::Incident,
                Selection::Waiting => {
                    state.body.versions().is_some_and(|versions| versions.waits())
                }
                Selection::Leased => state.body.job().is_some_and(|job| job.lease().is_some()),
            };
            fits && id.as_str() > after
        })
    }

    /// Events of a stream behind a position; void ones as if they were behind everything.
    fn events(&self, after: u64, stream: &Option<StreamId>) -> Vec<LogEntry> {
        let valid =
            self.world.feed.iter().map(|(envelope, _, received)| (envelope, received, None));
        let voids =
            self.world.voids.iter().map(|(envelope, at, void)| (envelope, at, void.clone()));
        let mut found = Vec::new();
        for (position, (envelope, received, void)) in (1..).zip(valid.chain(voids)) {
            let wanted = stream.as_ref().is_none_or(|stream| *stream == envelope.subject);
            if position > after && wanted {
                let text = String::from_utf8(envelope.to_bytes().unwrap()).unwrap();
                let event = RawValue::from_string(text).unwrap();
                found.push(LogEntry { position, received: *received, void, event });
            }
        }
        found
    }

    fn all_rows(&self) -> Vec<RunRow> {
        let mut rows: Vec<RunRow> =
            self.world.streams.0.values().filter_map(|s| s.body.run()).map(row).collect();
        rows.sort_by(|a, b| (b.instant, &b.run).cmp(&(a.instant, &a.run)));
        rows
    }

    fn rows(&self, filter: &RunFilter) -> Vec<RunRow> {
        let pool =
            |row: &RunRow| self.world.streams.0[&row.run].body.run().map(|run| run.pool.clone());
        let fits = |row: &RunRow| {
            filter.job.as_ref().is_none_or(|job| *job == row.job)
                && filter.state.as_ref().is_none_or(|state| *state == row.state)
                && (filter.pool.is_none() || filter.pool == pool(row))
                && filter.since.is_none_or(|since| row.instant >= since)
                && filter.until.is_none_or(|until| row.instant < until)
        };
        self.all_rows().into_iter().filter(fits).take(filter.limit as usize).collect()
    }

    fn done(&self, jobs: &[String], limit: u32) -> Vec<RunRow> {
        let of = |job: &String| {
            let did = |row: &RunRow| {
                row.job == *job && ["succeeded", "warning"].contains(&row.state.as_str())
            };
            self.all_rows().into_iter().filter(did).take(limit as usize).collect::<Vec<_>>()
        };
        jobs.iter().flat_map(of).collect()
    }

    fn past(&self, job: &str, limit: u32) -> Vec<StreamView> {
        let rows = self.all_rows().into_iter().filter(|row| row.job == job && !row.open);
        let one =
            |row: RunRow| StreamView { state: self.world.streams.0[&row.run].clone(), id: row.run };
        rows.take(limit as usize).map(one).collect()
    }

    /// The streams whose states or events were read, in whatever way.
    pub(crate) fn read(&self) -> BTreeSet<String> {
        let asked = self.asked.borrow().clone();
        let mut read = BTreeSet::new();
        for query in asked {
            if let Query::Events { stream: Some(stream), .. } = &query {
                read.insert(stream.to_string());
            }
            if let Content::Streams(views) = self.answer(&query).content {
                read.extend(views.iter().map(|view| view.id.to_string()));
            }
        }
        read
    }
}

fn row(run: &Run) -> RunRow {
    let attempt = run.attempt();
    let ended = run.state.is_ended();
    RunRow {
        run: run.id.clone(),
        job: run.job.clone(),
        state: run.state.word().to_owned(),
        instant: run.instant(),
        scheduled: run.nominal.is_some(),
        open: !ended,
        late: !run.late.is_empty(),
        attempts: u32::try_from(run.attempts.len()).unwrap(),
        host: attempt.map(|attempt| attempt.host.clone()),
        started: attempt.map(|attempt| attempt.started),
        ended: ended.then_some(run.changed),
        message: message(run),
    }
}
