//! The jobs that could bring something back, in words; and what is done where there is none.

use domain::backup::restoring::{self, Choice, job_for};
use domain::backup::{RepositoryDefinition, Snapshot};
use domain::ids::StreamId;
use domain::job::JobDefinition;
use domain::shell;
use domain::site::{Thing, ThingKind};

use super::{Chosen, Ground, Without};
use crate::commands::CommandError;
use crate::pages::words::Link;
use crate::state::Console;

/// A job that could do it.
pub(super) struct Able {
    pub(super) job: Link,
    pub(super) place: String,
    pub(super) repository: String,
    /// What it lets one choose, and what it takes otherwise.
    pub(super) says: Vec<String>,
    pub(super) chosen: bool,
}

/// Where a job runs, in words.
pub(super) fn place(job: &JobDefinition) -> String {
    match &job.host {
        Some(host) => format!("host {host}"),
        None => format!("a host of pool {}", job.pool),
    }
}

/// The jobs that restore the dataset; the one that was chosen, or the first that reads where the snapshot is.
pub(super) fn able(ground: &Ground, chosen: &Chosen) -> Vec<Able> {
    let of = |job: &JobDefinition| {
        let work = restoring::restores(job, &ground.dataset.defined.name)?;
        Some(Able {
            job: Link::to(&StreamId::job(&job.name)),
            place: place(job),
            repository: work.repository.clone(),
            says: restoring::choices(job, work).iter().map(words).collect(),
            chosen: job.name == chosen.job,
        })
    };
    let mut all: Vec<Able> = ground.jobs.iter().filter_map(of).collect();
    if !all.iter().any(|one| one.chosen) {
        let repository = chosen.snapshot.split_once(':').map(|(repository, _)| repository);
        let fits = |one: &&mut Able| repository.is_none_or(|name| one.repository == name);
        if let Some(first) = all.iter_mut().find(fits) {
            first.chosen = true;
        }
    }
    all
}

fn words(choice: &Choice<'_>) -> String {
    let what = match choice.name {
        "path" => "the part of it",
        "to" => "the directory",
        _ => "the snapshot",
    };
    let own = match (choice.own, choice.name) {
        (Some(""), "path") => "all of it".to_owned(),
        (Some(""), _) | (None, _) => String::new(),
        (Some(own), _) => own.to_owned(),
    };
    match (choice.open, own.is_empty()) {
        (true, true) => format!("{what} is chosen here"),
        (true, false) => format!("{what} is chosen here, {own} otherwise"),
        (false, _) => format!("{what} is always {own}"),
    }
}

/// The newest snapshot that is there, and good if one is.
fn newest<'a>(ground: &'a Ground, chosen: &Chosen) -> Option<&'a Snapshot> {
    let there = ground.dataset.snapshots.iter().filter(|one| one.missing.is_none());
    let best = there.max_by_key(|one| (one.is_good(), one.taken));
    let repository = chosen.snapshot.split_once(':').map(|(repository, _)| repository.to_owned());
    repository.and_then(|name| ground.snapshot(chosen, &name)).or(best)
}

/// What would do it: a job to be applied, or a program on the host itself. Nothing where there is no snapshot.
pub(super) async fn without(
    console: &Console,
    ground: &Ground,
    chosen: &Chosen,
) -> Result<Option<Without>, CommandError> {
    let Some(snapshot) = newest(ground, chosen) else { return Ok(None) };
    let (name, repository) = (&ground.dataset.defined.name, &snapshot.repository);
    let defined = defined(console, repository).await?;
    let location = defined.map_or_else(|| "LOCATION".to_owned(), |one| one.location);
    let id = snapshot.id.to_string();
    let to = format!("/restore/{name}");
    let mut words = vec!["decklog-executor", "restore", "--repository", &location];
    words.extend(["--password-file", "FILE", "--dataset", name, "--snapshot", &id]);
    if !chosen.path.is_empty() {
        words.extend(["--path", &chosen.path]);
    }
    words.extend(["--to", &to]);
    let yaml = job_for(name, repository, &snapshot.host);
    Ok(Some(Without { yaml, command: shell::line(&words) }))
}

async fn defined(
    console: &Console,
    name: &str,
) -> Result<Option<RepositoryDefinition>, CommandError> {
    let state = console.state(&StreamId::thing(ThingKind::Repository, name)).await?;
    let thing = state.and_then(|state| state.body.thing()?.read(ThingKind::Repository));
    Ok(match thing {
        Some(Thing::Repository(definition)) => Some(*definition),
        Some(_) | None => None,
    })
}
