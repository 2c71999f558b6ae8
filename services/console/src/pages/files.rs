//! Names of files in a dataset's snapshots. That somebody looked is an event, and a name of a file stands in no address: what
//! is looked for is sent, and the page is the answer.
//!
//! | module | about |
//! |---|---|
//! | `wanted` | what a form asks for |
//! | `seen` | what a host saw, as much of it as a page holds |

mod seen;
mod wanted;

use askama::Template;
use axum::extract::{Path, Query, State};
use domain::backup::{Dataset, Snapshot};
use domain::ids::StreamId;
use domain::people::Action;
use domain::site::ThingKind;
use serde::Deserialize;

use super::answer::Page;
use super::dataset::newest_first;
use super::forms::Sent;
use super::reading;
use super::shell::{Shell, Visitor};
use super::when;
use crate::commands::Eyes;
use crate::problem::Problem;
use crate::state::Console;
use seen::Seen;
pub(crate) use wanted::Place;
use wanted::Sought;

/// Most snapshots to choose from.
const OFFERED: usize = 60;
/// Letters of a snapshot's name that a form sends.
const LETTERS: usize = 16;

/// What stands in the address of the page: which snapshot, and no name of a file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    pub(crate) snapshot: String,
}

/// A snapshot to choose.
pub(crate) struct Offer {
    /// As a form sends it: its repository, and the first letters of its name.
    pub(crate) value: String,
    pub(crate) text: String,
}

#[derive(Template)]
#[template(path = "files.html")]
struct FilesPage {
    shell: Shell,
    name: String,
    may: bool,
    offers: Vec<Offer>,
    repositories: Vec<String>,
    sought: Sought,
    seen: Option<Seen>,
    word: String,
    problem: Option<String>,
}

/// The name by which a form sends a snapshot.
fn offered(one: &Snapshot) -> String {
    let id: String = one.id.to_string().chars().take(LETTERS).collect();
    format!("{}:{id}", one.repository)
}

/// The one of them that is meant by a name that somebody has, of which a form knows fewer letters or more.
pub(crate) fn meant<'a>(offers: &'a [Offer], name: &str) -> Option<&'a Offer> {
    let fits = |one: &&Offer| {
        !name.is_empty() && (name.starts_with(&one.value) || one.value.starts_with(name))
    };
    offers.iter().find(fits)
}

/// What may be looked into, newest first; and the one that somebody came for, however old it is.
pub(crate) fn offers(dataset: &Dataset, came_for: &str) -> Vec<Offer> {
    let mut all = newest_first(dataset);
    all.retain(|one| one.missing.is_none());
    let offer = |one: &Snapshot| Offer {
        value: offered(one),
        text: format!("{}, {}, {}", when(one.taken), one.repository, one.id.short()),
    };
    let (newest, older) = all.split_at(all.len().min(OFFERED));
    let is_it = |one: &&&Snapshot| !came_for.is_empty() && came_for.starts_with(&offered(one));
    newest.iter().chain(older.iter().find(is_it)).map(|one| offer(one)).collect()
}

fn repositories(dataset: &Dataset) -> Vec<String> {
    let there = dataset.snapshots.iter().filter(|one| one.missing.is_none());
    let mut names: Vec<String> = there.map(|one| one.repository.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What a form begins with: the snapshot that is meant or the newest, and the one before it to compare with.
fn filled(mut sought: Sought, offers: &[Offer]) -> Sought {
    let at = |name: &str| {
        let meant = meant(offers, name).map(|meant| &meant.value);
        offers.iter().position(|one| Some(&one.value) == meant)
    };
    let value = |at: usize| offers.get(at).map(|one| one.value.clone()).unwrap_or_default();
    let chosen = at(&sought.snapshot).unwrap_or(0);
    sought.snapshot = value(chosen);
    let newer = at(&sought.newer).unwrap_or(chosen);
    let repository = |at: usize| offers.get(at).and_then(|one| one.value.split_once(':'));
    let same = |older: &usize| repository(*older).unzip().0 == repository(newer).unzip().0;
    let before = (newer + 1..offers.len()).find(same).unwrap_or(newer);
    sought.older = value(at(&sought.older).unwrap_or(before));
    sought.newer = value(newer);
    sought
}

async fn shown(
    console: &Console,
    visitor: &Visitor,
    name: &str,
    sought: Sought,
) -> Result<(FilesPage, Dataset), Page> {
    let (position, dataset) = reading::dataset(console, name).await?;
    let offers = offers(&dataset, &sought.snapshot);
    let page = FilesPage {
        shell: visitor.shell().as_of(console, position).cli(sought.command(name)),
        name: name.to_owned(),
        may: visitor.could(Action::LookIntoBackups),
        repositories: repositories(&dataset),
        sought: filled(sought, &offers),
        offers,
        seen: None,
        word: visitor.word(),
        problem: None,
    };
    Ok((page, dataset))
}

/// The form; nothing is looked at.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Page, Page> {
    let sought = Sought { snapshot: asked.snapshot, ..Sought::default() };
    Ok(visitor.page(&shown(&console, &visitor, &name, sought).await?.0))
}

/// Has a host look, and shows what it saw.
pub(crate) async fn look(
    State(console): State<Console>,
    Path(name): Path<String>,
    sent: Sent,
) -> Result<Page, Page> {
    let sought = Sought::read(&sent.fields);
    let looked = looked(&console, &name, &sent, &sought).await;
    let (page, dataset) = shown(&console, &sent.visitor, &name, sought.clone()).await?;
    match looked {
        Ok((position, looked)) => {
            let seen = Some(Seen::of(&sought, looked, &dataset, position));
            let shell = page.shell.as_of(&console, position);
            Ok(sent.visitor.page(&FilesPage { seen, shell, ..page }))
        }
        Err(problem) => {
            let status = problem.code();
            let problem = Some(problem.detail);
            Ok(sent.visitor.page(&FilesPage { problem, ..page }).with_status(status))
        }
    }
}

async fn looked(
    console: &Console,
    name: &str,
    sent: &Sent,
    sought: &Sought,
) -> Result<(u64, domain::backup::looking::Looked), Problem> {
    let caller = &sent.visitor.caller;
    caller.may(console, Action::LookIntoBackups, None).await?;
    let id: StreamId = super::thing_id(ThingKind::Dataset, name)?;
    let host = (!sought.host.is_empty()).then(|| sought.host.clone());
    let eyes = Eyes { host, limit: Some(sought.limit()) };
    console.look(id.rest(), &sought.wanted()?, &eyes, caller).await
}
