//! Hosts: whether each is heard, what it runs, and whether it takes work.

use askama::Template;
use axum::extract::{Path, Query, State};
use domain::ids::StreamId;
use domain::ledger::Host;
use domain::people::Action;
use domain::wire::{RunFilter, RunRow, Selection, StreamView};
use jiff::Timestamp;
use serde::Deserialize;

use super::answer::Page;
use super::forms::Sent;
use super::reading;
use super::runs::{Line, line};
use super::shell::{Shell, Visitor};
use super::when;
use super::words::{Link, Marked, asking, events_of, long};
use crate::commands::{Applied, CommandError, HostAct, Invitation, WaitingKey};
use crate::heard::{Heard, is_silent};
use crate::state::Console;

/// Most hosts on a page.
const PAGE: usize = 100;
/// Most runs under way that are looked through.
const RUNS: u32 = 2_000;

/// What stands in the address of the page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    after: String,
}

/// A host in the list.
struct Row {
    host: Link,
    state: Marked,
    heard: String,
    slots: String,
    running: usize,
    pools: String,
    version: String,
    drained: String,
}

#[derive(Template)]
#[template(path = "hosts.html")]
struct HostsPage {
    shell: Shell,
    rows: Vec<Row>,
    asked: Asked,
    next: Option<String>,
    /// Whether they may let another one in.
    keeps: bool,
    /// Whether other hosts can be reached at all.
    apart: bool,
    word: String,
    problem: Option<String>,
    invitation: Option<Invitation>,
    /// Keys that are not let in.
    keys: Vec<KeyRow>,
    /// Whether a person confirms each.
    confirms: bool,
}

/// A key in the list.
struct KeyRow {
    producer: String,
    ground: String,
    since: String,
    state: String,
    /// Whether they may confirm it.
    may_confirm: bool,
    /// Whether they may decline it.
    may_decline: bool,
}

impl KeyRow {
    fn of(key: &WaitingKey, visitor: &Visitor) -> Self {
        let inviter = key.invited_by.as_deref();
        let other = inviter.is_none() || visitor.is_another(inviter);
        let state = match &key.declined {
            Some(reason) => format!("declined: {reason}"),
            None if key.confirmed => "confirmed: it is let in when it asks next".to_owned(),
            None if other => "waits".to_owned(),
            None => "waits for somebody else: you invited this host".to_owned(),
        };
        let ground = match inviter {
            Some(by) => format!("an invitation of {}", Link::who(by).text),
            None if key.ground == "join-token" => "the join token of its class".to_owned(),
            None => key.ground.clone(),
        };
        Self {
            producer: key.producer.clone(),
            ground,
            since: when(key.since),
            state,
            may_confirm: other && !key.confirmed,
            may_decline: key.declined.is_none(),
        }
    }
}

#[derive(Template)]
#[template(path = "host.html")]
struct HostPage {
    shell: Shell,
    name: String,
    row: Row,
    facts: Vec<(&'static str, String)>,
    runs: Vec<Line>,
    events: String,
    may_drain: bool,
    may_resume: bool,
    may_revoke: bool,
    may_invite: bool,
    word: String,
    problem: Option<String>,
}

/// The word for how a host stands that was heard last then.
pub(crate) fn state_of(host: &Host, heard: Option<Timestamp>, now: Timestamp) -> &'static str {
    let silent = heard.is_some_and(|at| is_silent(at, now));
    if host.up && silent { "silent" } else { host.word() }
}

fn row(name: &str, host: &Host, heard: Option<&Heard>, running: usize, now: Timestamp) -> Row {
    let started = host.started.as_ref();
    let ago = |heard: &Heard| format!("{} ago", long(now.as_second() - heard.at.as_second()));
    Row {
        host: Link::to(&StreamId::host(name)),
        state: Marked::new(state_of(host, heard.map(|heard| heard.at), now)),
        heard: heard.map_or("not since this console began".to_owned(), ago),
        slots: started.map(|started| started.slots.to_string()).unwrap_or_default(),
        running,
        pools: started.map(|started| started.pools.join(", ")).unwrap_or_default(),
        version: started.map(|started| started.version.clone()).unwrap_or_default(),
        drained: host.drained.clone().unwrap_or_default(),
    }
}

async fn running(console: &Console) -> Result<Vec<RunRow>, Page> {
    let state = Some("running".to_owned());
    let filter = RunFilter { state, limit: RUNS, ..RunFilter::default() };
    Ok(reading::runs(console, filter).await?.1)
}

fn runs_on<'a>(running: &'a [RunRow], host: &'a str) -> impl Iterator<Item = &'a RunRow> {
    running.iter().filter(move |run| run.host.as_deref() == Some(host))
}

async fn all(console: &Console, visitor: &Visitor, asked: Asked) -> Result<HostsPage, Page> {
    let after =
        if asked.after.is_empty() { String::new() } else { format!("host/{}", asked.after) };
    let limit = PAGE as u32 + 1;
    let (position, hosts) = reading::some(console, Selection::Hosts, &after, limit).await?;
    let running = running(console).await?;
    let one = |view: &StreamView| {
        let (name, heard) = (view.id.rest(), console.heard.of(view.id.rest()));
        let count = runs_on(&running, name).count();
        Some(row(name, view.state.body.host()?, heard.as_ref(), count, visitor.now))
    };
    let last = hosts.get(PAGE - 1).filter(|_| hosts.len() > PAGE);
    let (confirms, keys) = console.waiting_keys().await.map_err(Page::from)?;
    let mut commands = "decklog host list\ndecklog host invite NAME --reason …".to_owned();
    if confirms {
        commands
            .push_str("\ndecklog key list\ndecklog key confirm NAME --fingerprint … --reason …");
    }
    Ok(HostsPage {
        shell: visitor.shell().as_of(console, position).cli(commands),
        rows: hosts.iter().take(PAGE).filter_map(one).collect(),
        next: last.map(|view| asking("/hosts", &[("after", view.id.rest())])),
        asked,
        keeps: visitor.could(Action::InviteHosts),
        apart: console.joining.is_some(),
        word: visitor.word(),
        problem: None,
        invitation: None,
        keys: keys.iter().map(|key| KeyRow::of(key, visitor)).collect(),
        confirms,
    })
}

/// The page.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Page, Page> {
    Ok(visitor.page(&all(&console, &visitor, asked).await?))
}

/// Lets another one in, or says something of a key that waits.
pub(crate) async fn post(State(console): State<Console>, sent: Sent) -> Result<Page, Page> {
    let (act, producer) = (sent.fields.text("act"), sent.fields.text("producer"));
    let (caller, reason) = (&sent.visitor.caller, sent.fields.text("reason"));
    let done = match act.as_str() {
        "confirm" => {
            let typed = sent.fields.text("fingerprint");
            console.confirm_key(&producer, &typed, caller, &reason).await
        }
        "decline" => console.decline_key(&producer, caller, &reason).await,
        _ => return invite(&console, &sent).await,
    };
    let visitor = &sent.visitor;
    let page = all(&console, visitor, Asked::default());
    visitor
        .became(done, |_| "/hosts".to_owned(), page, |page, problem| HostsPage { problem, ..page })
        .await
}

/// The line by which it joins is shown once.
async fn invite(console: &Console, sent: &Sent) -> Result<Page, Page> {
    let visitor = &sent.visitor;
    let name = sent.fields.text("name");
    let (again, reason) = (sent.fields.text("again") == "yes", sent.fields.text("reason"));
    let made = match id_of(&name) {
        Ok(_) => console.invite_host(&name, again, &visitor.caller, &reason).await,
        Err(error) => Err(error),
    };
    let page = all(console, visitor, Asked::default()).await?;
    Ok(match made {
        Ok(made) => visitor.page(&HostsPage { invitation: Some(made), ..page }),
        Err(error) => {
            visitor.refused(&HostsPage { problem: Some(error.to_string()), ..page }, &error)
        }
    })
}

async fn one(console: &Console, visitor: &Visitor, name: &str) -> Result<HostPage, Page> {
    let id = id_of(name)?;
    let (position, state) = reading::one(console, &id).await?;
    let missing = || CommandError::NotFound(format!("host {name}"));
    let host = state.body.host().ok_or_else(missing)?;
    let (running, heard) = (running(console).await?, console.heard.of(name));
    let runs: Vec<Line> = runs_on(&running, name).map(line).collect();
    let keeps = visitor.could(Action::KeepHosts);
    let lets_in = console.joining.is_some() && visitor.could(Action::InviteHosts);
    let commands = format!(
        "decklog host show {name}\ndecklog host drain {name} --reason …\ndecklog host resume {name} --reason …\ndecklog host revoke {name} --reason …\ndecklog host invite {name} --again --reason …"
    );
    Ok(HostPage {
        shell: visitor.shell().as_of(console, position).cli(commands),
        row: row(name, host, heard.as_ref(), runs.len(), visitor.now),
        facts: facts(host, heard.as_ref()),
        runs,
        events: events_of(&id),
        name: name.to_owned(),
        may_drain: host.drained.is_none() && host.started.is_some() && keeps,
        may_resume: host.drained.is_some() && host.revoked.is_none() && keeps,
        may_revoke: host.word() != "invited" && lets_in,
        may_invite: host.word() != "invited" && lets_in,
        word: visitor.word(),
        problem: None,
    })
}

fn id_of(name: &str) -> Result<StreamId, CommandError> {
    domain::ids::check_name("host", name).map_err(|e| CommandError::Invalid(e.to_string()))?;
    Ok(StreamId::host(name))
}

fn facts(host: &Host, heard: Option<&Heard>) -> Vec<(&'static str, String)> {
    let started = host.started.as_ref();
    let labels = started.iter().flat_map(|started| &started.labels);
    let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={value}")).collect();
    let since = host.since.map(when).unwrap_or_default();
    let free = heard.map(|heard| format!("{} of {}", heard.free, heard.slots));
    let unsent = heard.filter(|heard| heard.unsent > 0).map(|heard| heard.unsent.to_string());
    let mut found = vec![
        (if host.up { "started" } else { "stopped" }, since),
        ("labels", labels.join(", ")),
        ("free slots", free.unwrap_or_default()),
        ("events not sent yet", unsent.unwrap_or_default()),
        ("boot", started.map(|started| started.boot.clone()).unwrap_or_default()),
    ];
    found.retain(|(_, says)| !says.is_empty());
    found
}

/// A host.
pub(crate) async fn host(
    State(console): State<Console>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Page, Page> {
    Ok(visitor.page(&one(&console, &visitor, &name).await?))
}

/// Drains it, lets it take work again, or takes its key back.
pub(crate) async fn act(
    State(console): State<Console>,
    Path(name): Path<String>,
    sent: Sent,
) -> Result<Page, Page> {
    let visitor = &sent.visitor;
    let done = done(&console, &name, &sent).await;
    let page = one(&console, visitor, &name);
    visitor
        .became(
            done,
            |_| format!("/hosts/{name}"),
            page,
            |page, problem| HostPage { problem, ..page },
        )
        .await
}

async fn done(console: &Console, name: &str, sent: &Sent) -> Result<Applied, CommandError> {
    id_of(name)?;
    let (caller, reason) = (&sent.visitor.caller, sent.fields.text("reason"));
    let act = match sent.fields.must("act").map_err(CommandError::Invalid)? {
        "drain" => HostAct::Drain,
        "resume" => HostAct::Resume,
        "revoke" => return console.revoke_host(name, caller, &reason).await,
        other => return Err(super::no_such(other, "host")),
    };
    console.set_host(name, act, caller, &reason).await
}
