//! Bringing something back, step by step: what, by which job, to where; looked at before it is asked for. A path travels in
//! forms and stands in no address.
//!
//! | module | about |
//! |---|---|
//! | `jobs` | the jobs that could do it, in words |
//! | `outlook` | what will happen, in words |

mod jobs;
mod outlook;

use askama::Template;
use axum::extract::{Path, Query, State};
use domain::backup::restoring::{self, LATEST, Wish as Restoring};
use domain::backup::{Dataset, Snapshot};
use domain::job::JobDefinition;
use domain::people::Action;
use domain::shell;

use super::answer::Page;
use super::backups::jobs_on_datasets;
use super::files::{Asked, Offer, Place, meant, offers};
use super::forms::{Fields, Sent};
use super::reading;
use super::shell::{Shell, Visitor};
use super::words::Link;
use crate::commands::{Applied, CommandError, Wish, drawn};
use crate::state::Console;
use jobs::{Able, able, without};
use outlook::outlook;

/// What somebody has chosen so far.
#[derive(Debug, Clone, Default)]
struct Chosen {
    snapshot: String,
    path: String,
    job: String,
    to: String,
    reason: String,
    /// The name of the request, so that what is sent twice is asked for once.
    request: String,
}

/// What there is to choose from.
struct Ground {
    position: u64,
    dataset: Dataset,
    jobs: Vec<JobDefinition>,
}

/// What will happen, before it is asked for.
struct Look {
    says: Vec<(&'static str, String)>,
    warns: Vec<String>,
    command: String,
    request: String,
}

/// How it is done where no job does it.
struct Without {
    yaml: String,
    command: String,
}

#[derive(Template)]
#[template(path = "restore.html")]
struct RestorePage {
    shell: Shell,
    name: String,
    may: bool,
    offers: Vec<Offer>,
    chosen: Chosen,
    jobs: Vec<Able>,
    without: Option<Without>,
    look: Option<Look>,
    word: String,
    problem: Option<String>,
}

impl Chosen {
    fn read(fields: &Fields) -> Self {
        let Place { snapshot, path } = Place::read(fields);
        // The root is all of it.
        let path = if path == "/" { String::new() } else { path };
        let (job, to) = (fields.text("job"), fields.text("to"));
        let (reason, request) = (fields.text("reason"), fields.text("request"));
        Self { snapshot, path, job, to, reason, request }
    }

    fn wish(&self) -> Restoring {
        let (path, to) = (self.path.clone(), self.to.clone());
        Restoring { snapshot: self.snapshot.clone(), path, to }
    }

    /// The command that asks for the same.
    fn command(&self, dataset: &str, reason: &str) -> String {
        let letters = self.snapshot.split_once(':').map_or(&*self.snapshot, |(_, letters)| letters);
        let mut words = vec!["decklog", "backup", "restore", dataset, letters];
        words.extend(Some(self.path.as_str()).filter(|path| !path.is_empty()));
        words.extend(["--to", &self.to, "--job", &self.job, "--reason", reason]);
        shell::line(&words)
    }
}

impl Ground {
    /// The snapshot that is meant; of `latest` that which is so now, in the job's repository.
    fn snapshot(&self, chosen: &Chosen, repository: &str) -> Option<&Snapshot> {
        if chosen.snapshot == LATEST {
            return self.dataset.newest_good(repository);
        }
        let (repository, letters) = chosen.snapshot.split_once(':')?;
        let mut all = self.dataset.snapshots.iter();
        all.find(|one| one.repository == repository && one.id.to_string().starts_with(letters))
    }

    fn job(&self, name: &str) -> Result<&JobDefinition, CommandError> {
        let found = self.jobs.iter().find(|job| job.name == name);
        let none = || CommandError::Invalid("choose the job that does it".to_owned());
        found.ok_or_else(none)
    }
}

async fn ground(console: &Console, name: &str) -> Result<Ground, Page> {
    let (position, dataset) = reading::dataset(console, name).await?;
    let mut jobs = jobs_on_datasets(console).await?;
    jobs.retain(|job| restoring::restores(job, name).is_some());
    Ok(Ground { position, dataset, jobs })
}

/// The page on which something is chosen.
fn shown(console: &Console, visitor: &Visitor, ground: &Ground, chosen: Chosen) -> RestorePage {
    let name = ground.dataset.defined.name.clone();
    let offers = offers(&ground.dataset, &chosen.snapshot);
    let snapshot = meant(&offers, &chosen.snapshot).map_or(LATEST, |one| &one.value).to_owned();
    let chosen = Chosen { snapshot, ..chosen };
    let cli = format!("decklog backup restore {name} SNAPSHOT PATH --to DIRECTORY --reason …");
    RestorePage {
        shell: visitor.shell().as_of(console, ground.position).cli(cli),
        may: visitor.could(Action::RequestRuns),
        jobs: able(ground, &chosen),
        without: None,
        offers,
        chosen,
        look: None,
        word: visitor.word(),
        problem: None,
        name,
    }
}

/// The same with what is done where no job does it.
async fn with_way(
    console: &Console,
    page: RestorePage,
    ground: &Ground,
) -> Result<RestorePage, Page> {
    let without = match ground.jobs.is_empty() {
        true => without(console, ground, &page.chosen).await?,
        false => None,
    };
    Ok(RestorePage { without, ..page })
}

/// What is to be chosen, with the snapshot that somebody came for.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Page, Page> {
    let ground = ground(&console, &name).await?;
    let chosen = Chosen { snapshot: asked.snapshot, ..Chosen::default() };
    let page = shown(&console, &visitor, &ground, chosen);
    Ok(visitor.page(&with_way(&console, page, &ground).await?))
}

/// The next step: something is chosen in a list, all of it is looked at, or it is asked for.
pub(crate) async fn step(
    State(console): State<Console>,
    Path(name): Path<String>,
    sent: Sent,
) -> Result<Page, Page> {
    let (visitor, fields) = (&sent.visitor, &sent.fields);
    let ground = ground(&console, &name).await?;
    let page = shown(&console, visitor, &ground, Chosen::read(fields));
    let page = with_way(&console, page, &ground).await?;
    let step = fields.get("step").unwrap_or_default().to_owned();
    if step == "ask" {
        let done = asked(&console, &sent, &ground, &page.chosen).await;
        let to = |applied: &Applied| Link::to(&applied.stream).href;
        let look = look(&ground, &page.chosen, visitor).ok();
        let page = std::future::ready(Ok(RestorePage { look, ..page }));
        return visitor
            .became(done, to, page, |page, problem| RestorePage { problem, ..page })
            .await;
    }
    if step != "look" {
        return Ok(visitor.page(&page));
    }
    match look(&ground, &page.chosen, visitor) {
        Ok(look) => Ok(visitor.page(&RestorePage { look: Some(look), ..page })),
        Err(error) => {
            let problem = Some(error.to_string());
            Ok(visitor.refused(&RestorePage { problem, ..page }, &error))
        }
    }
}

/// The values that the chosen job is given.
fn given(
    ground: &Ground,
    chosen: &Chosen,
) -> Result<std::collections::BTreeMap<String, String>, CommandError> {
    let job = ground.job(&chosen.job)?;
    let unfit = |unfit: restoring::Unfit| CommandError::Invalid(unfit.to_string());
    restoring::given(job, &chosen.wish()).map_err(unfit)
}

fn look(ground: &Ground, chosen: &Chosen, visitor: &Visitor) -> Result<Look, CommandError> {
    given(ground, chosen)?;
    crate::commands::check_reason(&chosen.reason)?;
    let request = if chosen.request.is_empty() { drawn()? } else { chosen.request.clone() };
    let (says, warns, to) = outlook(ground, chosen, visitor.now)?;
    let command = Chosen { to, ..chosen.clone() };
    let command = command.command(&ground.dataset.defined.name, &chosen.reason);
    Ok(Look { says, warns, command, request })
}

async fn asked(
    console: &Console,
    sent: &Sent,
    ground: &Ground,
    chosen: &Chosen,
) -> Result<Applied, CommandError> {
    let parameters = given(ground, chosen)?;
    domain::ids::check_name("request", &chosen.request)
        .map_err(|error| CommandError::Invalid(error.to_string()))?;
    let (request, reason) = (chosen.request.clone(), chosen.reason.clone());
    let wish = Wish { request, reason, parameters };
    console.request_run(&chosen.job, &wish, &sent.visitor.caller).await
}
