//! All accounts, and the table of who may do what.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use domain::event::Role;
use domain::people::Action;

use super::answer::Page;
use super::forms::{Fields, Sent};
use super::shell::{Shell, Visitor};
use crate::api::{DirectoryView, UserView};
use crate::commands::{Applied, CommandError, Once, UserAct};
use crate::state::Console;

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    shell: Shell,
    users: Vec<UserView>,
    active: usize,
    idle: usize,
    removed: usize,
    keeps: bool,
    /// Whether nobody has signed for who may do what for too long.
    overdue: bool,
    word: String,
    problem: Option<String>,
    once: Option<Once>,
}

#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage {
    shell: Shell,
    user: UserView,
    grants: String,
    keeps: bool,
    /// Whether people come in by a directory here.
    by_directory: bool,
    word: String,
    problem: Option<String>,
}

/// A cell of the table.
struct Cell {
    may: bool,
}

/// A row of the table.
struct Row {
    words: &'static str,
    person: bool,
    cells: Vec<Cell>,
}

#[derive(Template)]
#[template(path = "roles.html")]
struct RolesPage {
    shell: Shell,
    roles: Vec<&'static str>,
    rows: Vec<Row>,
    directory: Option<DirectoryView>,
}

async fn everybody(console: &Console, visitor: &Visitor) -> PeoplePage {
    let all = console.people.all();
    let users: Vec<UserView> = all.iter().map(|user| UserView::of(user, visitor.now)).collect();
    let count = |state: &str| users.iter().filter(|user| user.state == state).count();
    PeoplePage {
        shell: visitor.shell().cli("decklog user list"),
        active: count("active"),
        idle: count("idle"),
        removed: count("removed"),
        users,
        keeps: visitor.could(Action::KeepPeople),
        // A code is shown once: no page that has one is lost because this cannot be read.
        overdue: console.is_access_overdue(visitor.now).await.unwrap_or_default(),
        word: visitor.word(),
        problem: None,
        once: None,
    }
}

/// All accounts.
pub(crate) async fn page(State(console): State<Console>, visitor: Visitor) -> Page {
    visitor.page(&everybody(&console, &visitor).await)
}

/// Makes an account; people are shown the code by which they come in.
pub(crate) async fn provision(State(console): State<Console>, sent: Sent) -> Page {
    let made = make(&console, &sent).await;
    let page = everybody(&console, &sent.visitor).await;
    match made {
        Ok(once) => sent.visitor.page(&PeoplePage { once, ..page }),
        Err(error) => {
            sent.visitor.refused(&PeoplePage { problem: Some(error.to_string()), ..page }, &error)
        }
    }
}

async fn make(console: &Console, sent: &Sent) -> Result<Option<Once>, CommandError> {
    let name = sent.fields.text("name");
    domain::ids::check_name("user", &name).map_err(|e| CommandError::Invalid(e.to_string()))?;
    let grants = sent.fields.grants("grants").map_err(CommandError::Invalid)?;
    let program = sent.fields.get("program").is_some();
    let act = UserAct::Provision { grants, program };
    console.set_user(&name, &act, &sent.visitor.caller, &sent.fields.text("reason")).await?;
    let linked = console.people.get(&name).is_some_and(|user| user.identity.is_some());
    if program || linked {
        return Ok(None);
    }
    console.issue_code(&name, &sent.visitor.caller).await.map(Some)
}

async fn one(console: &Console, visitor: &Visitor, name: &str) -> Result<PersonPage, Page> {
    let missing = || Page::problem(StatusCode::NOT_FOUND, &format!("there is no user {name}"));
    let user = UserView::of(&*console.people.get(name).ok_or_else(missing)?, visitor.now);
    Ok(PersonPage {
        shell: visitor.shell().cli(format!(
            "decklog user show {name}\ndecklog user grant {name} {} --reason …",
            user.grants.join(" ")
        )),
        grants: user.grants.join(", "),
        user,
        keeps: visitor.could(Action::KeepPeople),
        by_directory: console.directory().await?.is_some(),
        word: visitor.word(),
        problem: None,
    })
}

/// An account.
pub(crate) async fn person(
    State(console): State<Console>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Page, Page> {
    Ok(visitor.page(&one(&console, &visitor, &name).await?))
}

/// Does something to an account.
pub(crate) async fn act(
    State(console): State<Console>,
    Path(name): Path<String>,
    sent: Sent,
) -> Result<Page, Page> {
    let visitor = &sent.visitor;
    let done = match wanted(&sent.fields) {
        Ok(act) => {
            let reason = sent.fields.text("reason");
            console.set_user(&name, &act, &visitor.caller, &reason).await
        }
        Err(problem) => Err(CommandError::Invalid(problem)),
    };
    let page = one(&console, visitor, &name);
    let back = sent.fields.get("back").filter(|back| *back == "/account");
    let to = |_: &Applied| back.map_or_else(|| format!("/people/{name}"), str::to_owned);
    visitor.became(done, to, page, |page, problem| PersonPage { problem, ..page }).await
}

fn wanted(fields: &Fields) -> Result<UserAct, String> {
    match fields.must("act")? {
        "link" => Ok(UserAct::Link {
            subject: fields.must("subject")?.to_owned(),
            issuer: fields.get("issuer").map(str::to_owned),
        }),
        "unlink" => Ok(UserAct::Unlink),
        "set-grants" => Ok(UserAct::SetGrants { grants: fields.grants("grants")? }),
        "remove" => Ok(UserAct::Remove),
        "end-session" => Ok(UserAct::EndSession { session: fields.must("session")?.to_owned() }),
        "revoke-token" => Ok(UserAct::RevokeToken { name: fields.must("name")?.to_owned() }),
        other => Err(format!("{other:?} is nothing that is done to an account")),
    }
}

/// A code for an account.
pub(crate) async fn issue_code(
    State(console): State<Console>,
    Path(name): Path<String>,
    sent: Sent,
) -> Page {
    let made = console.issue_code(&name, &sent.visitor.caller).await;
    let page = everybody(&console, &sent.visitor).await;
    match made {
        Ok(once) => sent.visitor.page(&PeoplePage { once: Some(once), ..page }),
        Err(error) => {
            sent.visitor.refused(&PeoplePage { problem: Some(error.to_string()), ..page }, &error)
        }
    }
}

/// The table of who may do what.
pub(crate) async fn roles(State(console): State<Console>, visitor: Visitor) -> Result<Page, Page> {
    let row = |action: Action| Row {
        words: action.words(),
        person: action.needs_person(),
        cells: Role::ALL.iter().map(|role| Cell { may: action.roles().contains(role) }).collect(),
    };
    let directory = console.directory().await?;
    Ok(visitor.page(&RolesPage {
        shell: visitor.shell().cli("decklog user roles\ndecklog user directory"),
        roles: Role::ALL.iter().copied().map(Role::word).collect(),
        rows: Action::ALL.into_iter().map(row).collect(),
        directory: directory.as_ref().map(DirectoryView::of),
    }))
}
