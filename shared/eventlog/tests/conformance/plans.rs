//! How the databases find what pages ask for: by an index, however many runs and events there are.

use domain::ids::StreamId;
use domain::wire::{
    DocumentFilter, EventFilter, IncidentFilter, JobFilter, Query, RequestFilter, RunFilter,
    Selection,
};
use jiff::{SignedDuration, Timestamp};

use crate::store::Store;

fn text(word: &str) -> Option<String> {
    Some(word.to_owned())
}

/// Runs, as the page of runs, a job's page and the morning ask for them.
fn runs(now: Timestamp) -> Vec<Query> {
    let day = now - SignedDuration::from_hours(24);
    let of = |job: &str, state: &str, pool: &str| {
        let said = |word: &str| Some(word.to_owned()).filter(|word| !word.is_empty());
        let (job, state, pool) = (said(job), said(state), said(pool));
        RunFilter { job, state, pool, limit: 81, ..RunFilter::default() }
    };
    let behind = Some((now, StreamId::run("a", "request-b")));
    let mut all = Vec::new();
    for filter in [
        of("a", "", ""),
        of("a", "failed", ""),
        of("a", "succeeded", "default"),
        of("", "failed", ""),
        of("", "succeeded", ""),
        of("", "failed", "default"),
        of("", "succeeded", "default"),
        of("", "", "default"),
    ] {
        all.push(filter.clone());
        all.push(RunFilter { since: Some(day), until: Some(now), ..filter.clone() });
        all.push(RunFilter { behind: behind.clone(), ..filter });
    }
    let bounded = RunFilter { since: Some(day), ..of("", "", "") };
    all.extend([bounded, RunFilter { behind, ..of("", "", "") }]);
    let mut all: Vec<Query> = all.into_iter().map(Query::Runs).collect();
    all.push(Query::Night { since: day, until: now });
    all.push(Query::Past { job: "a".to_owned(), limit: 100 });
    all.push(Query::Done { jobs: vec!["a".to_owned()], limit: 20 });
    all
}

/// Everything else that pages ask for.
fn others(now: Timestamp) -> Vec<Query> {
    let run = StreamId::run("a", "request-b");
    let streams = |of| Query::Streams { of, after: "job/a".to_owned(), limit: 100 };
    let selections = [
        Selection::OpenRuns,
        Selection::Jobs,
        Selection::Hosts,
        Selection::Users,
        Selection::Things,
        Selection::Blackouts,
        Selection::Queues,
        Selection::Forms,
        Selection::CallTrees,
        Selection::Incidents,
        Selection::Waiting,
        Selection::Leased,
    ];
    let jobs = |name: &str, state: Option<String>| {
        let name = name.to_owned();
        Query::Jobs(JobFilter { name, state, limit: 101, ..JobFilter::default() })
    };
    let documents =
        |filter: DocumentFilter| Query::Documents(DocumentFilter { limit: 50, ..filter });
    let events = |filter: EventFilter| Query::Search(EventFilter { limit: 101, ..filter });
    let incidents =
        |filter: IncidentFilter| Query::Incidents(IncidentFilter { limit: 50, ..filter });
    let requests = |filter: RequestFilter| Query::Requests(RequestFilter { limit: 50, ..filter });
    let by_stream = EventFilter { stream: Some(run.clone()), ..EventFilter::default() };
    let newest = StreamId::incident(&StreamId::job("a"), 1);
    let mut all: Vec<Query> = selections.map(streams).to_vec();
    all.extend([
        Query::Jobs(JobFilter { on_datasets: true, limit: 101, ..JobFilter::default() }),
        Query::Stream { id: StreamId::job("a") },
        Query::Stream { id: run.clone() },
        Query::Claims { lock: "db".to_owned(), after: String::new(), limit: 10 },
        jobs("", None),
        jobs("pay", None),
        jobs("", text("paused")),
        jobs("pay", text("active")),
        documents(DocumentFilter { queue: text("office"), ..DocumentFilter::default() }),
        documents(DocumentFilter { run: Some(run), ..DocumentFilter::default() }),
        documents(DocumentFilter { form: text("checks"), ..DocumentFilter::default() }),
        documents(DocumentFilter { prefix: text("0af3"), ..DocumentFilter::default() }),
        documents(DocumentFilter { since: Some(now), ..DocumentFilter::default() }),
        documents(DocumentFilter { states: vec!["held".to_owned()], ..DocumentFilter::default() }),
        incidents(IncidentFilter { open: true, ..IncidentFilter::default() }),
        incidents(IncidentFilter::default()),
        incidents(IncidentFilter { of: Some(StreamId::job("a")), ..IncidentFilter::default() }),
        incidents(IncidentFilter { behind: Some((now, newest)), ..IncidentFilter::default() }),
        requests(RequestFilter::default()),
        requests(RequestFilter { states: vec!["open".to_owned()], ..RequestFilter::default() }),
        requests(RequestFilter {
            due_before: Some(now),
            below: Some(7),
            ..RequestFilter::default()
        }),
        events(by_stream.clone()),
        events(EventFilter { kind: text("run.failed"), ..EventFilter::default() }),
        events(EventFilter { actor: text("user/a"), ..EventFilter::default() }),
        events(EventFilter { actor: text("user/a"), before: Some(7), ..EventFilter::default() }),
        events(EventFilter { actor: text("user/a"), kind: text("x"), ..EventFilter::default() }),
        events(EventFilter { actor: text("user/a"), ..by_stream }),
        events(EventFilter { before: Some(7), ..EventFilter::default() }),
        events(EventFilter { since: Some(now), until: Some(now), ..EventFilter::default() }),
    ]);
    all
}

/// Rows as a site with a past has them: Postgres plans by what it has counted, and of an empty table any index is as good.
const PAST: [&str; 7] = [
    "INSERT INTO state (stream, type, version, job, state, pool, instant, scheduled, open, late, attempts)
     SELECT 'run/j' || i % 200 || '@' || i, 'run', 3, 'j' || i % 200, 's' || i % 16, 'p' || i % 50, i, 1, 0, 0, 1
     FROM generate_series(1, 30000) AS i",
    "INSERT INTO state (stream, type, version, body, job, state, pool, instant, message)
     SELECT 'document/' || md5(i::text), 'document', 1, '{}', 'run/j@' || i, 's' || i % 10, 'q' || i % 20, i, 'f' || i % 30
     FROM generate_series(1, 9000) AS i",
    "INSERT INTO state (stream, type, version, body, job, state, pool, instant, attempts, ended, message)
     SELECT 'incident/job/j' || i % 500 || '/' || i / 500 + 1, 'incident', 1,
         '{\"incident\":{\"of\":\"job/j1\",\"number\":1,\"severity\":\"major\",\"opened\":\"2026-11-20T08:00:00Z\",\"troubles\":[],\"count\":0}}',
         'job/j' || i % 500, 'resolved', 'major', i, i / 500 + 1, CASE WHEN i % 100 = 0 THEN NULL ELSE i END, 'x'
     FROM generate_series(1, 9000) AS i",
    "INSERT INTO state (stream, type, version, body, state, instant, attempts, started, ended, message)
     SELECT 'request/' || i, 'request', 1,
         '{\"request\":{\"number\":1,\"asked\":{\"title\":\"x\",\"text\":\"x\",\"due\":\"2026-11-20T08:00:00Z\"},\"by\":\"user/e\",\"at\":\"2026-11-20T08:00:00Z\"}}',
         CASE WHEN i % 100 = 0 THEN 'open' ELSE 'accepted' END, i, i, i, CASE WHEN i % 100 = 0 THEN NULL ELSE i END, 'x'
     FROM generate_series(1, 9000) AS i",
    "INSERT INTO acted (actor, position, stream, kind) SELECT 'user/u' || i % 300, i, 'job/j', 'x' FROM generate_series(1, 30000) AS i",
    "ANALYZE state",
    "ANALYZE acted",
];

/// Whether a line of a plan says that a table, or a whole index of it, is looked through. The aliases are those of the queries.
fn looks_through(line: &str, postgres: bool) -> bool {
    let tables = ["state", "event", "acted", "s", "e", "k", "a"];
    if !postgres {
        return tables.iter().any(|table| {
            let rest = line.strip_prefix("SCAN ").and_then(|rest| rest.strip_prefix(table));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        });
    }
    let scanned = line.split_once("Seq Scan on ").map(|(_, table)| table);
    scanned
        .is_some_and(|table| ["state", "event", "acted"].iter().any(|one| table.starts_with(one)))
}

/// An index of Postgres that is walked from its beginning: the line after it says no condition.
fn walks_an_index(plan: &[String]) -> bool {
    let walked = |pair: &[String]| {
        let scan = pair[0].contains("Index Scan") || pair[0].contains("Index Only Scan");
        let tables = [" on state", " on event", " on acted"];
        let table = tables.iter().any(|table| pair[0].contains(table));
        scan && table && !pair[1].contains("Index Cond")
    };
    let mut lines = plan.to_vec();
    lines.push(String::new());
    lines.windows(2).any(walked)
}

pub(crate) async fn no_question_behind_a_page_looks_through_the_whole_log_or_all_states(
    store: &Store,
) {
    let log = store.migrated().await;
    for part in PAST.iter().filter(|_| store.is_postgres()) {
        store.sql(part).await.unwrap();
    }
    let now: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
    let mut wrong = Vec::new();
    for query in runs(now).into_iter().chain(others(now)) {
        let plans = log.plans(&query).await.unwrap();
        assert!(!plans.is_empty(), "nothing is known of {query:?}");
        for plan in plans {
            let through = plan.iter().any(|line| looks_through(line, store.is_postgres()));
            if through || (store.is_postgres() && walks_an_index(&plan)) {
                wrong.push(format!("{query:?}: {plan:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
