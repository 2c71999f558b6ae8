//! All jobs: when each runs, how its last run ended, who answers for it.

use askama::Template;
use axum::extract::{Query, State};
use bus::recorder::runs_each;
use domain::forecast::{SiteView, next_run};
use domain::ids::StreamId;
use domain::job::{JOB_STATES, Job, JobDefinition};
use domain::people::Action;
use domain::time::Schedule;
use domain::wire::{JobFilter, RunFilter, RunRow};
use jiff::Timestamp;
use serde::Deserialize;

use super::answer::Page;
use super::reading::{self, Read};
use super::shell::{Shell, Visitor};
use super::when;
use super::words::{Choice, Link, Marked, address, asking, brief, choices};
use crate::state::Console;

/// Most jobs on a page.
const PAGE: usize = 100;

/// What stands in the address of the page.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    name: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    after: String,
}

/// A job in the list.
struct Row {
    job: Link,
    state: Marked,
    schedule: String,
    zone: String,
    next: String,
    last: Option<Last>,
    place: String,
    owner: String,
    paused: String,
}

/// Its newest run.
struct Last {
    run: Link,
    state: Marked,
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    shell: Shell,
    asked: Asked,
    states: Vec<Choice>,
    rows: Vec<Row>,
    narrowed: bool,
    next: Option<String>,
    may_propose: bool,
}

/// The active definition, as far as it can be read.
pub(crate) fn definition_of(job: &Job) -> Option<JobDefinition> {
    job.active()?.read().ok()
}

/// An instant at which the newest versions of calendars hold.
fn far(now: Timestamp) -> Timestamp {
    now.checked_add(jiff::SignedDuration::from_secs(1)).unwrap_or(now)
}

/// A schedule in words, and when it comes next on the clock of its zone.
pub(crate) fn times_of(
    job: &Job,
    definition: &JobDefinition,
    site: &SiteView,
    now: Timestamp,
) -> (String, String) {
    let next = |schedule: &Schedule| {
        let next = next_run(job, schedule, site, now)?;
        let note = next.note.map(|note| format!(" ({note})")).unwrap_or_default();
        Some(format!("{}{note}", next.at.strftime("%Y-%m-%d %H:%M:%S %Z")))
    };
    match definition.schedule_at(far(now), &site.calendars) {
        None => ("on request".to_owned(), String::new()),
        Some(Err(error)) => (error.to_string(), String::new()),
        Some(Ok(schedule)) => (schedule.describe(), next(&schedule).unwrap_or_default()),
    }
}

/// Where a job runs.
fn place_of(definition: &JobDefinition) -> String {
    match &definition.host {
        Some(host) => format!("host {host}"),
        None => format!("pool {}", definition.pool),
    }
}

fn row(job: &Job, last: Option<&RunRow>, site: &SiteView, now: Timestamp) -> Row {
    let definition = definition_of(job);
    let definition = definition.as_ref();
    let (schedule, next) = definition.map(|one| times_of(job, one, site, now)).unwrap_or_default();
    let paused = |pause: &domain::job::Pause| {
        let by = pause.by.as_deref().unwrap_or("nobody named");
        format!("by {}: {}", by.trim_start_matches("user/"), brief(&pause.reason))
    };
    Row {
        job: Link::to(&StreamId::job(&job.name)),
        state: Marked::new(job.state()),
        schedule,
        zone: definition.map(|one| one.zone.clone()).unwrap_or_default(),
        next,
        last: last.map(|run| Last {
            run: Link::new(address(&run.run), when(run.instant)),
            state: Marked::new(run.state.clone()),
        }),
        place: definition.map(place_of).unwrap_or_default(),
        owner: definition.map(|one| one.owner.clone()).unwrap_or_default(),
        paused: job.paused().map(paused).unwrap_or_default(),
    }
}

/// Jobs that fit, in the order of their names, one more than a page has. One answer has fewer where they are large.
async fn fitting(console: &Console, asked: &Asked) -> Read<Vec<Job>> {
    let (mut found, mut position) = (Vec::new(), None);
    let mut after = after_name(&asked.after);
    while found.len() <= PAGE {
        let filter = JobFilter {
            name: asked.name.trim().to_owned(),
            state: Some(asked.state.clone()).filter(|state| !state.is_empty()),
            after,
            on_datasets: false,
            limit: (PAGE + 1 - found.len()) as u32,
        };
        let (at, views) = reading::jobs(console, filter).await?;
        position.get_or_insert(at);
        let Some(last) = views.last() else { break };
        after = last.id.to_string();
        found.extend(reading::only_jobs(views));
    }
    Ok((position.unwrap_or_default(), found))
}

/// Where a list of jobs goes on behind one of this name.
pub(crate) fn after_name(name: &str) -> String {
    if name.is_empty() { String::new() } else { StreamId::job(name).to_string() }
}

/// The newest run of each of these jobs, all asked for at once.
async fn newest(console: &Console, jobs: &[Job]) -> Result<Vec<Option<RunRow>>, Page> {
    let filter =
        |job: &Job| RunFilter { job: Some(job.name.clone()), limit: 1, ..RunFilter::default() };
    let found = runs_each(&console.bus, jobs.iter().map(filter)).await?;
    Ok(found.into_iter().map(|runs| runs.into_iter().next()).collect())
}

/// The page.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Page, Page> {
    let (position, mut jobs) = fitting(&console, &asked).await?;
    let more = jobs.len() > PAGE;
    jobs.truncate(PAGE);
    let (site, last) = (reading::site(&console).await?.1, newest(&console, &jobs).await?);
    let rows = jobs.iter().zip(&last);
    let rows = rows.map(|(job, last)| row(job, last.as_ref(), &site, visitor.now)).collect();
    let next = jobs.last().filter(|_| more).map(|job| {
        let view = [("name", asked.name.as_str()), ("state", &asked.state), ("after", &job.name)];
        asking("/jobs", &view)
    });
    Ok(visitor.page(&JobsPage {
        shell: visitor.shell().as_of(&console, position).cli("decklog job list"),
        states: choices(&JOB_STATES, &asked.state),
        narrowed: !asked.name.is_empty() || !asked.state.is_empty() || !asked.after.is_empty(),
        asked,
        rows,
        next,
        may_propose: visitor.could(Action::Propose),
    }))
}
