//! Runs, newest first.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use domain::ids::StreamId;
use domain::wire::{RunFilter, RunRow};
use serde::Deserialize;

use super::answer::Page;
use super::reading::{self, Read};
use super::shell::{Shell, Visitor};
use super::when;
use super::words::{Choice, Link, Marked, asking, between, brief, choices, instant};
use crate::state::Console;

/// Most runs on a page.
const PAGE: usize = 80;
/// The words of all states.
const STATES: [&str; 16] = [
    "requested",
    "held",
    "waiting",
    "blocked",
    "due",
    "in-parts",
    "running",
    "retrying",
    "unknown",
    "succeeded",
    "warning",
    "failed",
    "timed-out",
    "cancelled",
    "skipped",
    "missed",
];

/// What stands in the address of the page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    job: String,
    state: String,
    pool: String,
    since: String,
    until: String,
    after: String,
}

/// A run in a list.
pub(crate) struct Line {
    pub(crate) run: Link,
    pub(crate) state: Marked,
    pub(crate) late: bool,
    pub(crate) due: String,
    pub(crate) scheduled: bool,
    pub(crate) started: String,
    pub(crate) took: String,
    pub(crate) host: Option<Link>,
    pub(crate) why: String,
}

/// A run as a list shows it.
pub(crate) fn line(row: &RunRow) -> Line {
    let took = row.started.zip(row.ended).map(|(from, until)| between(from, until));
    Line {
        run: Link::to(&row.run),
        state: Marked::new(row.state.clone()),
        late: row.late,
        due: when(row.instant),
        scheduled: row.scheduled,
        started: row.started.map(when).unwrap_or_default(),
        took: took.unwrap_or_default(),
        host: row.host.as_ref().map(|host| Link::to(&StreamId::host(host))),
        why: row.message.as_deref().map(brief).unwrap_or_default(),
    }
}

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    shell: Shell,
    asked: Asked,
    states: Vec<Choice>,
    runs: Vec<Line>,
    filters: Vec<String>,
    next: Option<String>,
    problem: Option<String>,
}

impl Asked {
    /// The address of the same list behind a run.
    fn behind(&self, after: &str) -> String {
        let view = [
            ("job", self.job.as_str()),
            ("state", &self.state),
            ("pool", &self.pool),
            ("since", &self.since),
            ("until", &self.until),
            ("after", after),
        ];
        asking("/runs", &view)
    }

    /// What narrows the list, in words.
    fn filters(&self) -> Vec<String> {
        let all = [
            ("job", &self.job),
            ("state", &self.state),
            ("pool", &self.pool),
            ("not before", &self.since),
            ("before", &self.until),
            ("older than", &self.after),
        ];
        let said = all.into_iter().filter(|(_, value)| !value.is_empty());
        said.map(|(name, value)| format!("{name} {value}")).collect()
    }

    fn cli(&self) -> String {
        let all = [
            ("job", &self.job),
            ("state", &self.state),
            ("pool", &self.pool),
            ("since", &self.since),
        ];
        let said = all.into_iter().filter(|(_, value)| !value.is_empty());
        said.fold("decklog runs".to_owned(), |line, (name, value)| {
            format!("{line} --{name} {value}")
        })
    }
}

/// The last run of the page before, where the list goes on.
async fn behind(
    console: &Console,
    after: &str,
) -> Result<Option<(jiff::Timestamp, StreamId)>, Page> {
    if after.is_empty() {
        return Ok(None);
    }
    let bad = |error| Page::problem(StatusCode::BAD_REQUEST, &format!("{after}: {error}"));
    let id: StreamId = format!("run/{after}").parse().map_err(bad)?;
    let (_, state) = reading::one(console, &id).await?;
    Ok(state.body.run().map(|run| (run.instant(), id)))
}

fn filter(asked: &Asked) -> Result<RunFilter, String> {
    let text = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    Ok(RunFilter {
        job: text(&asked.job),
        state: text(&asked.state),
        pool: text(&asked.pool),
        since: instant(&asked.since)?,
        until: instant(&asked.until)?,
        behind: None,
        limit: PAGE as u32 + 1,
    })
}

async fn found(console: &Console, asked: &Asked, filter: RunFilter) -> Read<Vec<RunRow>> {
    let behind = behind(console, &asked.after).await?;
    reading::runs(console, RunFilter { behind, ..filter }).await
}

/// The page.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Page, Page> {
    let (position, rows, problem) = match filter(&asked) {
        Ok(filter) => {
            let (position, rows) = found(&console, &asked, filter).await?;
            (Some(position), rows, None)
        }
        Err(problem) => (None, Vec::new(), Some(problem)),
    };
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let shell = visitor.shell().cli(asked.cli());
    let last = rows.get(PAGE - 1).filter(|_| rows.len() > PAGE);
    let page = RunsPage {
        shell: match position {
            Some(position) => shell.as_of(&console, position),
            None => shell,
        },
        states: choices(&STATES, &asked.state),
        filters: asked.filters(),
        next: last.map(|row| asked.behind(row.run.rest())),
        runs: rows.iter().take(PAGE).map(line).collect(),
        asked,
        problem,
    };
    Ok(visitor.page(&page).with_status(status))
}
