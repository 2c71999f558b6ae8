//! `decklog flow …`: jobs that wait for each other.

use std::collections::BTreeMap;

use domain::job::JobDefinition;
use domain::job::flow::{diagram, in_order, mermaid};
use domain::wire::{Content, Query, RunFilter, RunRow};
use serde::Serialize;
use serde_json::json;

use super::acts::{Item, act_on_each};
use super::job::schedule_of;
use super::with_console;
use crate::cli::{Flow, FlowShow, Format, NamedAct, Place};
use crate::output::{self, Table};
use crate::site::Site;
use crate::source::Source;
use crate::{exit, host};

pub(crate) fn run(flow: &Flow, format: Format) -> anyhow::Result<()> {
    match flow {
        Flow::List(place) => list(place, format),
        Flow::Show(show) => self::show(show, format),
        Flow::Retire(act) => retire(act, format),
    }
}

/// The active jobs of each flow.
fn flows(site: &Site) -> BTreeMap<String, Vec<JobDefinition>> {
    let mut flows: BTreeMap<String, Vec<JobDefinition>> = BTreeMap::new();
    for job in site.jobs.values() {
        let Some(span) = job.active() else { continue };
        // Looked at as text first: most jobs belong to no flow.
        if !span.definition.get().contains("\"flow\":") {
            continue;
        }
        if let Ok(definition) = span.read()
            && let Some(flow) = definition.flow.clone()
        {
            flows.entry(flow).or_default().push(definition);
        }
    }
    flows
}

fn of_name(site: &Site, name: &str) -> anyhow::Result<Vec<JobDefinition>> {
    let jobs = flows(site).remove(name);
    jobs.ok_or_else(|| exit::not_found(format!("there is no flow {name} with an active job")))
}

/// A flow in a list.
#[derive(Debug, Serialize)]
struct Listed {
    flow: String,
    jobs: Vec<String>,
    schedule: String,
    next: String,
}

fn list(place: &Place, format: Format) -> anyhow::Result<()> {
    let site = Site::read(&Source::open(place)?)?;
    let view = site.view();
    let listed = flows(&site).into_iter().map(|(flow, jobs)| {
        let first = jobs.first().and_then(|job| site.jobs.get(&job.name));
        let (schedule, next) = first.map(|job| schedule_of(job, &view)).unwrap_or_default();
        Listed { flow, jobs: in_order(&jobs), schedule, next }
    });
    let listed: Vec<Listed> = listed.collect();
    output::list(format, &listed, |listed| {
        let mut table = Table::new(["FLOW", "JOBS", "SCHEDULE", "NEXT"]);
        for Listed { flow, jobs, schedule, next } in listed {
            table.row([flow.clone(), jobs.len().to_string(), schedule.clone(), next.clone()]);
        }
        table
    })
}

/// A flow as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    flow: String,
    jobs: Vec<JobDefinition>,
    /// The newest run of each job that has any.
    newest: BTreeMap<String, RunRow>,
    #[serde(skip)]
    head: String,
}

fn show(show: &FlowShow, format: Format) -> anyhow::Result<()> {
    let source = Source::open(&show.place)?;
    let site = Site::read(&source)?;
    let jobs = of_name(&site, &show.name)?;
    let mut newest = BTreeMap::new();
    for job in &jobs {
        newest.extend(newest_run(&source, &job.name)?.map(|row| (job.name.clone(), row)));
    }
    let first = jobs.first().and_then(|job| site.jobs.get(&job.name));
    let (schedule, next) = first.map(|job| schedule_of(job, &site.view())).unwrap_or_default();
    let head = format!("flow      {}\nschedule  {schedule}\nnext      {next}\n", show.name);
    let shown = Shown { flow: show.name.clone(), jobs, newest, head };
    output::one(format, &shown, |shown| {
        let note = |job: &JobDefinition| note(shown.newest.get(&job.name));
        if show.mermaid {
            mermaid(&shown.jobs, note)
        } else {
            format!("{}{}", shown.head, diagram(&shown.jobs, note))
        }
    })
}

fn newest_run(source: &Source, job: &str) -> anyhow::Result<Option<RunRow>> {
    let filter = RunFilter { job: Some(job.to_owned()), limit: 1, ..RunFilter::default() };
    let Content::Runs(rows) = source.ask(&Query::Runs(filter))?.content else {
        anyhow::bail!("the answer is to another question");
    };
    Ok(rows.into_iter().next())
}

/// How long ago a run that has ended may be to be of interest beside its job.
const RECENT: jiff::SignedDuration = jiff::SignedDuration::from_hours(48);

fn note(newest: Option<&RunRow>) -> String {
    let Some(row) = newest else { return String::new() };
    let recent = host::now().duration_since(row.instant) < RECENT;
    if !row.open && !recent {
        return String::new();
    }
    format!("{} ({})", row.state, output::local(row.instant))
}

fn retire(act: &NamedAct, format: Format) -> anyhow::Result<()> {
    with_console(&act.place, |client| {
        let site = Site::read(&Source::Remote(client.clone()))?;
        let jobs = of_name(&site, &act.name)?;
        // Those that wait go before those they wait for.
        let items = in_order(&jobs).into_iter().rev().map(|job| Item {
            path: format!("/api/v1/jobs/{job}/retire"),
            what: format!("job/{job}"),
        });
        act_on_each(client, items, &json!({"reason": act.reason}), format)
    })
}
