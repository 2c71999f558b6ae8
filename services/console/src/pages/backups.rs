//! Datasets: whether each could be restored now, by what, and what was proven.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use domain::backup::protection::{active, is_test_overdue};
use domain::backup::{Dataset, Protection, Repository, RepositoryDefinition};
use domain::ids::StreamId;
use domain::job::{JobDefinition, Work};
use domain::ledger::Body;
use domain::site::{Thing, ThingKind};
use domain::wire::{JobFilter, Selection};
use jiff::Timestamp;

use super::answer::Page;
use super::jobs::definition_of;
use super::reading;
use super::shell::{Shell, Visitor};
use super::when;
use super::words::{Link, Marked, at_risk, events_of};
use crate::state::Console;

/// How a dataset stands.
pub(crate) struct Standing {
    pub(crate) dataset: Link,
    pub(crate) protection: Marked,
    pub(crate) why: String,
    pub(crate) restorable: String,
    pub(crate) verified: String,
    pub(crate) tested: String,
    pub(crate) overdue: bool,
    pub(crate) rpo: String,
    pub(crate) snapshots: usize,
    pub(crate) made_by: Vec<Link>,
    pub(crate) owner: String,
}

/// A repository in the list.
struct Stored {
    name: String,
    location: String,
    engine: &'static str,
    snapshots: usize,
    checked: String,
    damaged: u64,
    pruned: String,
    owner: String,
    events: String,
}

#[derive(Template)]
#[template(path = "backups.html")]
struct BackupsPage {
    shell: Shell,
    datasets: Vec<Standing>,
    repositories: Vec<Stored>,
    bad: usize,
}

/// Jobs asked for at once.
const SOME: u32 = 1_000;

/// The jobs that back each dataset up.
pub(crate) type Makers = BTreeMap<String, Vec<String>>;

/// The active jobs that work on datasets.
pub(crate) async fn jobs_on_datasets(console: &Console) -> Result<Vec<JobDefinition>, Page> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        // Most jobs are commands, and need not be read for this.
        let filter = JobFilter { on_datasets: true, after, limit: SOME, ..JobFilter::default() };
        let (_, views) = reading::jobs(console, filter).await?;
        let Some(last) = views.last() else { return Ok(found) };
        after = last.id.to_string();
        let jobs = views.iter().filter_map(|view| view.state.body.job());
        found.extend(jobs.filter_map(definition_of).filter(|job| job.work().is_some()));
    }
}

/// Which jobs back up what.
pub(crate) async fn makers(console: &Console) -> Result<Makers, Page> {
    let mut found = Makers::new();
    for job in jobs_on_datasets(console).await? {
        if let Some(Work::Backup(work)) = job.work() {
            found.entry(work.dataset.clone()).or_default().push(job.name.clone());
        }
    }
    Ok(found)
}

/// The word for how a dataset stands, and a sentence.
fn words(protection: &Protection, nobody: bool) -> (&'static str, String) {
    match protection {
        Protection::Retired => ("retired", "it is not defined any more".to_owned()),
        Protection::Protected { .. } | Protection::Awaited { .. } | Protection::AtRisk { .. }
            if nobody =>
        {
            ("not-protected", "no job backs it up".to_owned())
        }
        Protection::Protected { until, .. } => ("protected", format!("until {}", when(until))),
        Protection::Awaited { until } => {
            ("awaited", format!("its first snapshot is expected by {}", when(until)))
        }
        Protection::AtRisk { reason } => ("at-risk", at_risk(reason)),
    }
}

/// How a dataset stands now.
pub(crate) fn standing(dataset: &Dataset, makers: &Makers, now: Timestamp) -> Standing {
    let name = &dataset.defined.name;
    let jobs = makers.get(name).map(Vec::as_slice).unwrap_or_default();
    let (protection, why) = words(&Protection::of(dataset, now), jobs.is_empty());
    let newest = |of: &dyn Fn(&domain::backup::Snapshot) -> Option<Timestamp>| {
        dataset.snapshots.iter().filter_map(of).max().map(when).unwrap_or_default()
    };
    let good = dataset.tests.iter().rev().find(|test| test.result.good);
    let definition = active(dataset).map(|(definition, _)| definition);
    Standing {
        dataset: Link::to(&StreamId::thing(ThingKind::Dataset, name)),
        protection: Marked::new(protection),
        why,
        restorable: newest(&|one| one.is_good().then_some(one.taken)),
        verified: newest(&|one| one.verified),
        tested: good.map(|test| when(test.at)).unwrap_or_default(),
        overdue: is_test_overdue(dataset, now),
        rpo: definition.as_ref().map(|one| one.rpo.to_string()).unwrap_or_default(),
        snapshots: dataset.snapshots.len(),
        made_by: jobs.iter().map(|job| Link::to(&StreamId::job(job))).collect(),
        owner: definition.map(|one| one.owner).unwrap_or_default(),
    }
}

/// The worst first: a page opens on what is not as it should be.
fn rank(one: &Standing) -> usize {
    let order = ["at-risk", "not-protected", "awaited", "protected", "retired"];
    let place = order.iter().position(|word| *word == one.protection.word);
    2 * place.unwrap_or(order.len()) + usize::from(!one.overdue)
}

fn defined(repository: &Repository) -> Option<RepositoryDefinition> {
    match repository.defined.read(ThingKind::Repository)? {
        Thing::Repository(definition) => Some(*definition),
        Thing::Calendar(_)
        | Thing::Blackout(_)
        | Thing::Lock(_)
        | Thing::Pool(_)
        | Thing::Dataset(_)
        | Thing::Queue(_)
        | Thing::CallTree(_)
        | Thing::Measures(_)
        | Thing::Form(_) => None,
    }
}

fn stored(repository: &Repository, datasets: &[Dataset]) -> Stored {
    let (name, definition) = (&repository.defined.name, defined(repository));
    let definition = definition.as_ref();
    let held = datasets.iter().map(|dataset| dataset.in_repository(name).count());
    let (checked, damaged) = repository.checked.unzip();
    Stored {
        location: definition.map(|one| one.location.clone()).unwrap_or_default(),
        engine: definition.map_or("", |one| one.engine.word()),
        snapshots: held.sum(),
        checked: checked.map(when).unwrap_or_default(),
        damaged: damaged.unwrap_or_default(),
        pruned: repository.pruned.map(when).unwrap_or_default(),
        owner: definition.map(|one| one.owner.clone()).unwrap_or_default(),
        events: events_of(&StreamId::thing(ThingKind::Repository, name)),
        name: name.clone(),
    }
}

/// The page.
pub(crate) async fn page(State(console): State<Console>, visitor: Visitor) -> Result<Page, Page> {
    let (position, things) = reading::all(&console, Selection::Things).await?;
    let (mut datasets, mut repositories) = (Vec::new(), Vec::new());
    for view in things {
        if let Body::Dataset(dataset) = view.state.body {
            datasets.push(*dataset);
        } else if let Body::Repository(repository) = view.state.body {
            repositories.push(repository);
        }
    }
    let makers = makers(&console).await?;
    let mut all: Vec<Standing> =
        datasets.iter().map(|dataset| standing(dataset, &makers, visitor.now)).collect();
    all.sort_by_key(rank);
    let shell = visitor.shell().as_of(&console, position);
    Ok(visitor.page(&BackupsPage {
        shell: shell.cli("decklog backup status\ndecklog backup report"),
        bad: all.iter().filter(|one| one.protection.tone == "bad").count(),
        datasets: all,
        repositories: repositories.iter().map(|one| stored(one, &datasets)).collect(),
    }))
}
