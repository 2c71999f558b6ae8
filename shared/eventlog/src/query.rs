//! Questions people and services ask of the read model.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ids::StreamId;
use domain::ledger::StreamState;
use domain::night::{EXCEPTIONS, EXCEPTIONS_MAX, Night, Numbers};
use domain::wire::{
    Answer, Content, DONE_JOBS_MAX, DocumentFilter, HeadView, IncidentFilter, JobFilter, LeafView,
    Query, RequestFilter, RunFilter, RunRow, Selection, StreamView,
};
use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::connect::EventLog;
use crate::error::LogError;
use crate::read::{ROWS_MAX, STATES, get, stream_state, timestamp};
use crate::rows::{digest, to_u64};
use crate::sql::{Sql, asked};

const RUN_COLUMNS: &str =
    "SELECT stream, job, state, instant, scheduled, open, late, attempts, host, started,
                           ended, message FROM state WHERE type = 'run'";
/// In front of a column of text: its index is not used, because another leaves fewer rows. Neither database knows that by its
/// own numbers, which nobody has it count.
const NARROWER: &str = "'' || ";
/// The state in which most runs are.
const MOST: &str = "succeeded";
/// Most runs of a job's past in one answer.
const PAST_MAX: u32 = 500;
/// Most runs of each job that are counted by what they took.
const DONE_MAX: u32 = 100;
/// Most open runs in one answer; fewer where they are large.
const OPEN_RUNS: i64 = 200;
/// Most bytes of events or leaves in one answer, so that it fits into one message.
const ANSWER_BYTES: usize = 600 * 1024;

impl EventLog {
    /// Answers a question. The answer says to which position it is true.
    ///
    /// # Errors
    /// The database cannot be read, or holds something that cannot be.
    pub async fn answer(&self, query: &Query) -> Result<Answer, LogError> {
        // Read first: what the content shows is at least this new.
        let (position, root) = self.head().await?;
        let content = match query {
            Query::Head => {
                let origin = self.origin().await?.map(|(origin, _)| origin).unwrap_or_default();
                let signed = self.checkpoints(1).await?.into_iter().next();
                let policy = self.policy().await?;
                let (size, root) = (position, digest(&root));
                Content::Head(HeadView { origin, policy, size, root, signed, stuck: None })
            }
            Query::Events { after, limit, stream } => {
                let entries = self.entries(*after, *limit, stream.as_ref()).await?;
                Content::Events(fitting(entries, |entry| entry.event.get().len()))
            }
            Query::Search(filter) => {
                Content::Events(fitting(self.search(filter).await?, |entry| {
                    entry.event.get().len()
                }))
            }
            Query::Leaves { after, limit } => {
                Content::Leaves(self.leaf_views(*after, *limit).await?)
            }
            Query::Stream { id } => {
                let found = self.streams(&std::iter::once(id.clone()).collect()).await?;
                Content::Streams(views(found))
            }
            Query::Streams { of, after, limit } => {
                Content::Streams(self.select_streams(*of, after, *limit).await?)
            }
            Query::Jobs(filter) => Content::Streams(self.jobs(filter).await?),
            Query::Runs(filter) => Content::Runs(self.runs(filter).await?),
            Query::Past { job, limit } => Content::Streams(self.past(job, *limit).await?),
            Query::Claims { lock, after, limit } => {
                Content::Streams(self.claims(lock, after, *limit).await?)
            }
            Query::Members { pool, after, limit } => {
                Content::Streams(self.members(pool, after, *limit).await?)
            }
            Query::Done { jobs, limit } => Content::Runs(self.done(jobs, *limit).await?),
            Query::Night { since, until } => Content::Night(self.night(*since, *until).await?),
            Query::Documents(filter) => Content::Streams(self.documents(filter).await?),
            Query::Incidents(filter) => Content::Streams(self.incidents(filter).await?),
            Query::Requests(filter) => Content::Streams(self.requests(filter).await?),
            Query::Heads { limit } => {
                Content::Heads(self.checkpoints((*limit).min(ROWS_MAX)).await?)
            }
            Query::Consistency { from } => {
                Content::Consistency(self.consistency_since(*from).await?)
            }
            Query::Proof { position } => Content::Proof(self.proof(*position).await?),
        };
        Ok(Answer { position, content })
    }

    /// How the database finds what a question asks for: the plan of each query behind it, line by line.
    ///
    /// # Errors
    /// The same as of an answer.
    pub async fn plans(&self, query: &Query) -> Result<Vec<Vec<String>>, LogError> {
        let (answered, queries) = asked(self.answer(query)).await;
        answered?;
        let mut plans = Vec::with_capacity(queries.len());
        for query in queries {
            plans.push(query.plan(&self.any, self.is_postgres()).await?);
        }
        Ok(plans)
    }

    async fn leaf_views(&self, after: u64, limit: u32) -> Result<Vec<LeafView>, LogError> {
        let leaves = self.leaves(after, limit).await?;
        let view = |leaf: crate::read::StoredLeaf| LeafView {
            position: leaf.position,
            leaf: STANDARD.encode(leaf.bytes),
            void: leaf.void,
        };
        Ok(fitting(leaves.into_iter().map(view).collect(), |leaf| leaf.leaf.len()))
    }

    async fn select_streams(
        &self,
        of: Selection,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StreamView>, LogError> {
        let limit = i64::from(limit.min(ROWS_MAX));
        let which = match of {
            Selection::OpenRuns => return self.open_runs(after, limit).await,
            // The second half names the index.
            Selection::Jobs => "s.type = 'job' AND s.type <> 'run'",
            Selection::Hosts => "s.type = 'host' AND s.type <> 'run'",
            Selection::Users => "s.type = 'user' AND s.type <> 'run'",
            Selection::Blackouts => "s.type = 'blackout' AND s.type <> 'run'",
            Selection::Things => {
                "s.type IN ('calendar', 'blackout', 'lock', 'pool', 'dataset', 'repository', 'queue', 'form', 'call-tree', 'measures') AND s.type <> 'run'"
            }
            Selection::Queues => "s.type = 'queue' AND s.type <> 'run'",
            Selection::Forms => "s.type = 'form' AND s.type <> 'run'",
            Selection::CallTrees => "s.type = 'call-tree' AND s.type <> 'run'",
            // Of each thing the one with the highest number.
            Selection::Incidents => {
                "s.type = 'incident' AND s.type <> 'run' AND NOT EXISTS (SELECT 1 FROM state n WHERE n.type = 'incident' AND n.job = s.job AND n.attempts > s.attempts)"
            }
            Selection::Waiting => "s.scheduled = 1 AND s.type <> 'run' AND s.type <> 'document'",
            Selection::Leased => "s.type = 'job' AND s.type <> 'run' AND s.host IS NOT NULL",
        };
        let mut query = Sql::new(STATES);
        query.push(" WHERE ").push(which).push(" AND s.stream > ").text(after);
        query.push(" ORDER BY s.stream LIMIT ").number(limit);
        stream_views(&query.rows(&self.any, "listing streams").await?)
    }

    async fn jobs(&self, filter: &JobFilter) -> Result<Vec<StreamView>, LogError> {
        let limit = i64::from(filter.limit.min(ROWS_MAX));
        let mut query = Sql::new(STATES);
        query.push(" WHERE s.stream IN (SELECT stream FROM state WHERE type = 'job' AND stream > ");
        query.text(&filter.after);
        match &filter.state {
            Some(state) => query.push(" AND state = ").text(state),
            // It names the index.
            None => query.push(if filter.on_datasets { "" } else { " AND type <> 'run'" }),
        };
        if filter.on_datasets {
            query.push(ON_DATASETS);
        }
        if !filter.name.is_empty() {
            let pattern = format!("job/%{}%", plain_pattern(&filter.name));
            // In the index alone: what is known of a job is read where it fits.
            query.push(" AND stream LIKE ").text(&pattern).push(" ESCAPE '\\'");
        }
        query.push(" ORDER BY stream LIMIT ").number(limit).push(") ORDER BY s.stream");
        stream_views(&query.rows(&self.any, "listing jobs").await?)
    }

    async fn open_runs(&self, after: &str, limit: i64) -> Result<Vec<StreamView>, LogError> {
        let mut query = Sql::new("SELECT stream FROM state WHERE open = 1 AND stream > ");
        query.text(after).push(" ORDER BY stream LIMIT ").number(limit.min(OPEN_RUNS));
        let rows = query.rows(&self.any, "listing open runs").await?;
        let ids = rows.iter().map(named).collect::<Result<_, _>>()?;
        Ok(all_that_fit(views(self.streams(&ids).await?)))
    }

    /// Open runs that are to have a lock. The read model does not know who names which lock: those that wait for
    /// nothing else are told by their events, and looked through.
    async fn claims(
        &self,
        lock: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StreamView>, LogError> {
        let claims = |view: &StreamView| {
            let run = view.state.body.run();
            run.is_some_and(|run| run.terms.locks.iter().any(|claim| claim.lock == lock))
        };
        let (mut found, mut after) = (Vec::new(), after.to_owned());
        while found.len() < limit.min(ROWS_MAX) as usize {
            let page = self.ready_runs(&after).await?;
            let Some(last) = page.last() else { break };
            after = last.id.to_string();
            found.extend(page.into_iter().filter(claims));
        }
        found.truncate(limit as usize);
        Ok(all_that_fit(found))
    }

    /// Runs after a name that run or wait for nothing but their turn, a page of them.
    async fn ready_runs(&self, after: &str) -> Result<Vec<StreamView>, LogError> {
        let mut query = Sql::new(
            "SELECT stream FROM state WHERE open = 1 AND state IN ('due', 'retrying', 'running') AND stream > ",
        );
        query.text(after).push(" ORDER BY stream LIMIT ").number(OPEN_RUNS);
        let rows = query.rows(&self.any, "listing runs that claim a lock").await?;
        let ids = rows.iter().map(named).collect::<Result<_, _>>()?;
        Ok(views(self.streams(&ids).await?))
    }

    /// Hosts that take work of a pool.
    async fn members(
        &self,
        pool: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StreamView>, LogError> {
        let serves = |view: &StreamView| {
            let started = view.state.body.host().and_then(|host| host.started.as_ref());
            started.is_some_and(|started| started.pools.iter().any(|name| name == pool))
        };
        let (mut found, mut after) = (Vec::new(), after.to_owned());
        while found.len() < limit.min(ROWS_MAX) as usize {
            let page = self.select_streams(Selection::Hosts, &after, ROWS_MAX).await?;
            let Some(last) = page.last() else { break };
            after = last.id.to_string();
            found.extend(page.into_iter().filter(serves));
        }
        found.truncate(limit as usize);
        Ok(all_that_fit(found))
    }

    /// The newest runs of jobs that did their work.
    async fn done(&self, jobs: &[String], limit: u32) -> Result<Vec<RunRow>, LogError> {
        let mut found = Vec::new();
        for job in jobs.iter().take(DONE_JOBS_MAX) {
            let mut query = Sql::new(RUN_COLUMNS);
            query.push(" AND job = ").text(job).push(" AND ").push(NARROWER).push("state");
            query.push(" IN ('succeeded', 'warning') ORDER BY instant DESC LIMIT ");
            query.number(i64::from(limit.clamp(1, DONE_MAX)));
            let rows = query.rows(&self.any, "listing what jobs did").await?;
            let rows = rows.iter().map(run_row).collect::<Result<Vec<_>, _>>()?;
            found.extend(rows);
        }
        Ok(found)
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, LogError> {
        let mut query = Sql::new(RUN_COLUMNS);
        if let Some(job) = &filter.job {
            query.push(" AND job = ").text(job);
        }
        let state = filter.state.as_deref();
        // Of the indexes that could be used the one that leaves the fewest runs is.
        let by_pool = filter.pool.is_some() && state.is_none_or(|state| state == MOST);
        let by_state = filter.job.is_none() && !by_pool;
        let by_pool = filter.job.is_none() && by_pool;
        for (column, value, by) in
            [("state", state, by_state), ("pool", filter.pool.as_deref(), by_pool)]
        {
            if let Some(value) = value {
                query.push(" AND ").push(if by { "" } else { NARROWER });
                query.push(column).push(" = ").text(value);
            }
        }
        if let Some(since) = filter.since {
            query.push(" AND instant >= ").number(since.as_microsecond());
        }
        if let Some(until) = filter.until {
            query.push(" AND instant < ").number(until.as_microsecond());
        }
        if let Some((instant, run)) = &filter.behind {
            let instant = instant.as_microsecond();
            query.push(" AND instant <= ").number(instant);
            query.push(" AND (instant < ").number(instant);
            query.push(" OR stream < ").text(run.as_str()).push(")");
        }
        query.push(" ORDER BY instant DESC, stream DESC LIMIT ");
        query.number(i64::from(filter.limit.clamp(1, ROWS_MAX)));
        query.rows(&self.any, "listing runs").await?.iter().map(run_row).collect()
    }

    async fn documents(&self, filter: &DocumentFilter) -> Result<Vec<StreamView>, LogError> {
        let mut query = Sql::new("SELECT stream FROM state WHERE type = 'document'");
        let run = filter.run.as_ref().map(StreamId::as_str);
        let texts = [
            (" AND pool = ", filter.queue.as_deref()),
            (" AND host = ", filter.host.as_deref()),
            (" AND job = ", run),
            (" AND message = ", filter.form.as_deref()),
        ];
        for (condition, text) in texts {
            if let Some(text) = text {
                query.push(condition).text(text);
            }
        }
        if !filter.states.is_empty() {
            query.push(" AND state IN ").list(filter.states.iter().map(String::as_str));
        }
        if let Some(prefix) = &filter.prefix {
            query.push(" AND stream >= ").text(&format!("document/{prefix}"));
            // After all digits.
            query.push(" AND stream < ").text(&format!("document/{prefix}g"));
        }
        if filter.kept {
            query.push(" AND ended IS NULL");
        }
        if let Some(since) = filter.since {
            query.push(" AND instant >= ").number(since.as_microsecond());
        }
        if let Some(until) = filter.until {
            query.push(" AND instant < ").number(until.as_microsecond());
        }
        query.push(" ORDER BY instant DESC, stream DESC LIMIT ");
        query.number(i64::from(filter.limit.clamp(1, ROWS_MAX)));
        let rows = query.rows(&self.any, "listing documents").await?;
        let ids = rows.iter().map(named).collect::<Result<Vec<_>, _>>()?;
        self.in_order(ids).await
    }

    async fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<StreamView>, LogError> {
        let mut query = Sql::new("SELECT stream FROM state WHERE type = 'incident'");
        if let Some(of) = &filter.of {
            query.push(" AND job = ").text(of.as_str());
        }
        if filter.open {
            query.push(" AND ended IS NULL");
        }
        let behind = filter.behind.as_ref();
        let newest = behind.map_or(i64::MAX, |(instant, _)| instant.as_microsecond());
        query.push(" AND instant <= ").number(newest);
        if let Some((_, id)) = behind {
            query.push(" AND (instant < ").number(newest);
            query.push(" OR stream < ").text(id.as_str()).push(")");
        }
        query.push(" ORDER BY instant DESC, stream DESC LIMIT ");
        query.number(i64::from(filter.limit.clamp(1, ROWS_MAX)));
        let rows = query.rows(&self.any, "listing incidents").await?;
        let ids = rows.iter().map(named).collect::<Result<Vec<_>, _>>()?;
        self.in_order(ids).await
    }

    async fn requests(&self, filter: &RequestFilter) -> Result<Vec<StreamView>, LogError> {
        let mut query = Sql::new("SELECT stream FROM state WHERE type = 'request'");
        if !filter.states.is_empty() {
            query.push(" AND state IN ").list(filter.states.iter().map(String::as_str));
        }
        if let Some(due) = filter.due_before {
            // Whoever waits for an answer has a request that is not over: the second half names the index.
            query.push(" AND state IN ('open', 'flagged') AND ended IS NULL AND started < ");
            query.number(due.as_microsecond());
        }
        query.push(" AND attempts < ").number(filter.below.map_or(i64::MAX, i64::from));
        query.push(" ORDER BY attempts DESC LIMIT ");
        query.number(i64::from(filter.limit.clamp(1, ROWS_MAX)));
        let rows = query.rows(&self.any, "listing requests").await?;
        let ids = rows.iter().map(named).collect::<Result<Vec<_>, _>>()?;
        self.in_order(ids).await
    }

    /// These streams, as far as they fit: the first are those that do.
    async fn in_order(&self, ids: Vec<StreamId>) -> Result<Vec<StreamView>, LogError> {
        let mut found = self.streams(&ids.iter().cloned().collect()).await?;
        let views = ids.into_iter().filter_map(|id| {
            let state = found.remove(&id)?;
            Some(StreamView { id, state })
        });
        Ok(all_that_fit(views.collect()))
    }

    /// The newest runs of a job that have ended, and after them as many again that were skipped or missed: these are not
    /// to leave no room for those.
    async fn past(&self, job: &str, limit: u32) -> Result<Vec<StreamView>, LogError> {
        let mut ids: Vec<StreamId> = Vec::new();
        for which in ["NOT IN", "IN"] {
            let mut query =
                Sql::new("SELECT stream FROM state WHERE type = 'run' AND open = 0 AND job = ");
            query.text(job).push(" AND ").push(NARROWER).push("state ").push(which);
            query.push(" ('skipped', 'missed')");
            query.push(" ORDER BY instant DESC, stream DESC LIMIT ");
            query.number(i64::from(limit.clamp(1, PAST_MAX)));
            for row in &query.rows(&self.any, "listing a job's past").await? {
                ids.push(named(row)?);
            }
        }
        self.in_order(ids).await
    }

    async fn night(&self, since: Timestamp, until: Timestamp) -> Result<Night, LogError> {
        let mut query = Sql::new(
            "SELECT state, late, CAST(COUNT(*) AS BIGINT) AS runs FROM state
             WHERE type = 'run' AND instant >= ",
        );
        query.number(since.as_microsecond()).push(" AND instant < ");
        query.number(until.as_microsecond()).push(" GROUP BY state, late");
        let rows = query.rows(&self.any, "counting a night's runs").await?;
        let mut numbers = Numbers::default();
        for row in &rows {
            let (state, late): (String, i64) = (get(row, "state")?, get(row, "late")?);
            numbers.add(&state, late != 0, to_u64(get(row, "runs")?));
        }
        let exceptions = self.exceptions(since, until).await?;
        Ok(Night { since: Some(since), until: Some(until), numbers, exceptions })
    }

    async fn exceptions(
        &self,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<RunRow>, LogError> {
        let mut query = Sql::new(RUN_COLUMNS);
        // Which they are is found in the index alone: of a night's runs few are read.
        query.push(" AND stream IN (SELECT stream FROM state WHERE type = 'run' AND instant >= ");
        query.number(since.as_microsecond()).push(" AND instant < ");
        query.number(until.as_microsecond()).push(" AND (late = 1 OR ").push(NARROWER);
        query.push("state IN ").list(EXCEPTIONS).push(") ORDER BY instant, stream LIMIT ");
        query.number(i64::from(EXCEPTIONS_MAX)).push(") ORDER BY instant, stream");
        query.rows(&self.any, "listing exceptions").await?.iter().map(run_row).collect()
    }

    /// How many runs are due and not started, for each pool.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn queues(&self) -> Result<Vec<(String, u64)>, LogError> {
        let sql = "SELECT pool, CAST(COUNT(*) AS BIGINT) AS runs FROM state
                   WHERE open = 1 AND state = 'due' GROUP BY pool ORDER BY pool";
        let rows = sqlx::query(sql).fetch_all(&self.any).await;
        let rows = rows.map_err(LogError::database("counting queues"))?;
        rows.iter().map(|row| Ok((get(row, "pool")?, to_u64(get(row, "runs")?)))).collect()
    }
}

/// Jobs whose work is on a dataset, as their index says it: another spelling would read every job.
const ON_DATASETS: &str = " AND body LIKE '%\"dataset\":%'";

fn fitting<T>(mut items: Vec<T>, size: impl Fn(&T) -> usize) -> Vec<T> {
    let mut bytes = 0;
    let fits = items
        .iter()
        .take_while(|item| {
            bytes += size(item) + 200;
            bytes <= ANSWER_BYTES
        })
        .count();
    items.truncate(fits.max(1));
    items
}

fn all_that_fit(views: Vec<StreamView>) -> Vec<StreamView> {
    fitting(views, |view| serde_json::to_vec(view).map_or(0, |bytes| bytes.len()))
}

/// The stream that a row names.
fn named(row: &AnyRow) -> Result<StreamId, LogError> {
    let id: String = get(row, "stream")?;
    id.parse().map_err(|error| LogError::inconsistent("state", &id, error))
}

/// A text as a pattern that fits it alone.
fn plain_pattern(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// Streams of rows, as far as they fit into an answer.
fn stream_views(rows: &[AnyRow]) -> Result<Vec<StreamView>, LogError> {
    let mut views = Vec::with_capacity(rows.len());
    let mut bytes = 0;
    for row in rows {
        let body: String = get(row, "body")?;
        bytes += body.len();
        if bytes > ANSWER_BYTES && !views.is_empty() {
            break;
        }
        let (id, state) = stream_state(row)?;
        views.push(StreamView { id, state });
    }
    Ok(views)
}

fn views(found: BTreeMap<StreamId, StreamState>) -> Vec<StreamView> {
    found.into_iter().map(|(id, state)| StreamView { id, state }).collect()
}

fn run_row(row: &AnyRow) -> Result<RunRow, LogError> {
    let stream: String = get(row, "stream")?;
    let flag = |column| get::<i64>(row, column).map(|n| n != 0);
    let instant = |column| -> Result<Option<Timestamp>, LogError> {
        get::<Option<i64>>(row, column)?.map(|at| timestamp("state", at)).transpose()
    };
    Ok(RunRow {
        run: stream.parse().map_err(|error| LogError::inconsistent("state", &stream, error))?,
        job: get(row, "job")?,
        state: get(row, "state")?,
        instant: timestamp("state", get(row, "instant")?)?,
        scheduled: flag("scheduled")?,
        open: flag("open")?,
        late: flag("late")?,
        attempts: u32::try_from(get::<i64>(row, "attempts")?).unwrap_or(u32::MAX),
        host: get(row, "host")?,
        started: instant("started")?,
        ended: instant("ended")?,
        message: get(row, "message")?,
    })
}
