//! `decklog user …`: accounts, tokens, codes, and the table of who may do what.

mod review;
mod secrets;
mod shown;

use console::{DirectoryView, MayRow, UserView, may_rows};
use domain::event::Role;
use domain::ids::StreamId;
use domain::wire::Selection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{console_at, with_log};
use crate::cli::{
    EndSession, Format, GrantUser, KeepFilter, LinkUser, ListTokens, Named, NamedAct, Place, User,
};
use crate::output::{self, Table};
use crate::source::Source;
use crate::{exit, host};

pub(crate) fn run(user: &User, format: Format) -> anyhow::Result<()> {
    match user {
        User::List(place) => shown::list(&all(place)?, format),
        User::Show(which) => show(which, format),
        User::Whoami(place) => whoami(place, format),
        User::Roles => roles(format),
        User::Review(wanted) => review::run(wanted, format),
        User::Add(add) => secrets::add(add, format),
        User::Grant(grant) => set_grants(grant, format),
        User::Link(link) => link_to(link, format),
        User::Unlink(act) => unlink(act, format),
        User::Directory(place) => directory(place, format),
        User::Remove(act) => remove(act, format),
        User::Code(which) => secrets::code(which, format),
        User::Password(password) => secrets::password(password, format),
        User::Filter(keep) => keep_filter(keep, format),
        User::EndSession(end) => end_session(end, format),
        User::Token(token) => secrets::token(token, format),
        User::Reset(reset) => secrets::reset(reset, format),
    }
}

/// All accounts, in the order of their names.
fn all(place: &Place) -> anyhow::Result<Vec<UserView>> {
    match console_at(place)? {
        Some(client) => client.get_json("/api/v1/users"),
        None => in_log(place),
    }
}

/// The same as the log has them, whoever asks.
fn in_log(place: &Place) -> anyhow::Result<Vec<UserView>> {
    let (streams, now) = (Source::open(place)?.streams(Selection::Users)?, host::now());
    let users = streams.iter().filter_map(|view| view.state.body.user());
    Ok(users.map(|user| UserView::of(user, now)).collect())
}

fn show(which: &Named, format: Format) -> anyhow::Result<()> {
    let name = &which.name;
    let found = all(&which.place)?.into_iter().find(|one| one.name == *name);
    let found = found.ok_or_else(|| exit::not_found(format!("there is no user {name}")))?;
    output::one(format, &found, shown::text)
}

/// Whether an account may be let in to keep the accounts.
fn check_keeps(name: &str, place: &Place) -> anyhow::Result<()> {
    let keeps = |one: &UserView| {
        one.name == name
            && one.state != "removed"
            && one.grants.iter().any(|grant| grant == "admin")
    };
    if in_log(place)?.iter().any(keeps) {
        return Ok(());
    }
    Err(exit::not_found(format!("there is no user {name} that keeps the accounts")))
}

/// Who asks, as the console answers.
#[derive(Debug, Serialize, Deserialize)]
struct Me {
    user: UserView,
    via: String,
    may: Vec<String>,
}

fn me(place: &Place) -> anyhow::Result<Me> {
    with_log(place, |client| client.get_json("/api/v1/me"))
}

fn whoami(place: &Place, format: Format) -> anyhow::Result<()> {
    output::one(format, &me(place)?, |me| {
        let (user, grants) = (&me.user.name, me.user.grants.join(", "));
        format!("user/{user}, by {}\ngrants    {grants}\nmay       {}\n", me.via, me.may.join(", "))
    })
}

/// The table stands in the program: it needs no console.
fn roles(format: Format) -> anyhow::Result<()> {
    output::list(format, &may_rows(), roles_table)
}

fn roles_table(rows: &[MayRow]) -> Table {
    let [a, b, c, d, e, f] = Role::ALL.map(|role| role.word().to_uppercase());
    let mut table = Table::new(["ACTION", &a, &b, &c, &d, &e, &f, "PERSON", "MAY"]);
    for row in rows {
        let yes = |holds: bool| if holds { "yes" } else { "-" }.to_owned();
        let [a, b, c, d, e, f] = Role::ALL.map(|role| yes(row.roles.contains(&role.word())));
        let (action, words) = (row.action.to_owned(), row.words.to_owned());
        table.row([action, a, b, c, d, e, f, yes(row.person), words]);
    }
    table
}

/// Says something of an account.
fn act(name: &str, place: &Place, body: &Value, format: Format) -> anyhow::Result<()> {
    let path = format!("/api/v1/users/{name}/acts");
    let applied = with_log(place, |client| client.act(&path, body))?;
    output::one(format, &applied, |a| format!("{}: {}\n", a.stream, a.message))
}

fn set_grants(grant: &GrantUser, format: Format) -> anyhow::Result<()> {
    let wanted = json!({"act": "set-grants", "grants": grant.grants});
    let body = json!({"act": wanted, "reason": grant.reason});
    act(&grant.name, &grant.place, &body, format)
}

fn remove(removed: &NamedAct, format: Format) -> anyhow::Result<()> {
    let body = json!({"act": {"act": "remove"}, "reason": removed.reason});
    act(&removed.name, &removed.place, &body, format)
}

fn link_to(link: &LinkUser, format: Format) -> anyhow::Result<()> {
    let wanted = json!({"act": "link", "subject": link.subject});
    let body = json!({"act": wanted, "reason": link.reason});
    act(&link.name, &link.place, &body, format)
}

fn unlink(unlinked: &NamedAct, format: Format) -> anyhow::Result<()> {
    let body = json!({"act": {"act": "unlink"}, "reason": unlinked.reason});
    act(&unlinked.name, &unlinked.place, &body, format)
}

fn keep_filter(keep: &KeepFilter, format: Format) -> anyhow::Result<()> {
    let body = json!({"name": keep.name, "query": keep.query});
    let applied = with_log(&keep.place, |client| client.act("/api/v1/me/filters", &body))?;
    output::one(format, &applied, |a| format!("{}: {}\n", a.stream, a.message))
}

fn directory(place: &Place, format: Format) -> anyhow::Result<()> {
    let found: DirectoryView = match console_at(place)? {
        Some(client) => client.get_json("/api/v1/directory")?,
        None => {
            let state = Source::open(place)?.stream(&StreamId::directory())?;
            let known = state.as_ref().and_then(|state| state.body.directory());
            let none = || exit::not_found("this site has no directory by which people come in");
            DirectoryView::of(known.ok_or_else(none)?)
        }
    };
    output::one(format, &found, shown::directory)
}

fn end_session(end: &EndSession, format: Format) -> anyhow::Result<()> {
    let wanted = json!({"act": "end-session", "session": end.session});
    let body = json!({"act": wanted, "reason": end.reason});
    act(&end.name, &end.place, &body, format)
}

fn tokens(wanted: &ListTokens, format: Format) -> anyhow::Result<()> {
    let mut users = all(&wanted.place)?;
    if let Some(name) = &wanted.user {
        users.retain(|one| one.name == *name);
        if users.is_empty() {
            return Err(exit::not_found(format!("there is no user {name}")));
        }
    }
    shown::tokens(users, format)
}
