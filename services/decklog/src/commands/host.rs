//! `decklog host …`: which hosts there are, and whether they take work.

use std::collections::BTreeMap;

use console::{Heard, Invitation};
use domain::ids::StreamId;
use domain::ledger::{Host as State, StreamState};
use domain::wire::{Content, Query, RunFilter, RunRow, Selection, StreamView};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{console_at, with_console};
use crate::cli::{Format, Host, InviteHost, NamedAct, Place};
use crate::output::{self, Table};
use crate::source::Source;
use crate::{exit, host};

pub(crate) fn run(host: &Host, format: Format) -> anyhow::Result<()> {
    match host {
        Host::List(place) => list(place, format),
        Host::Show(which) => show(&which.name, &which.place, format),
        Host::Drain(act) => set(act, "drain", format),
        Host::Resume(act) => set(act, "resume", format),
        Host::Invite(wanted) => invite(wanted, format),
        Host::Revoke(act) => set(act, "revoke", format),
    }
}

/// What can stand in an address.
fn name(act: &NamedAct) -> anyhow::Result<&str> {
    domain::ids::check_name("host", &act.name).map_err(exit::usage)?;
    Ok(&act.name)
}

fn set(act: &NamedAct, verb: &str, format: Format) -> anyhow::Result<()> {
    let path = format!("/api/v1/hosts/{}/{verb}", name(act)?);
    let body = json!({"reason": act.reason});
    let applied = with_console(&act.place, |client| client.act(&path, &body))?;
    output::one(format, &applied, |a| format!("{}: {}\n", a.stream, a.message))
}

/// The line is alone on standard output, so that a script can take it.
fn invite(wanted: &InviteHost, format: Format) -> anyhow::Result<()> {
    let act = &wanted.act;
    let path = format!("/api/v1/hosts/{}/invite", name(act)?);
    let body = json!({"reason": act.reason, "again": wanted.again});
    let made: Invitation = with_console(&act.place, |client| client.post_json(&path, &body))?;
    if !matches!(format, Format::Table) {
        return output::one(format, &made, |_| String::new());
    }
    let until = output::local(made.until);
    eprintln!(
        "paste this on {}, as root, until {until}; it lets in one host of that name:",
        made.host
    );
    for hint in &made.hints {
        eprintln!("{hint}");
    }
    output::line(&made.line)
}

/// A host of the console's list.
#[derive(Debug, Deserialize)]
struct Listed {
    id: StreamId,
    state: StreamState,
    heard: Option<Heard>,
}

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Listed>,
    next: Option<String>,
}

/// A host as it is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Shown {
    host: String,
    /// `up`, `down`, `drained`, `revoked`, or `invited` where it was never there.
    state: &'static str,
    pools: Vec<String>,
    labels: BTreeMap<String, String>,
    slots: Option<u32>,
    version: Option<String>,
    /// When it started or stopped.
    since: Option<Timestamp>,
    /// When it was last heard; absent where nobody listens here.
    heard: Option<Timestamp>,
    unsent: Option<u64>,
    drained: Option<String>,
    /// What runs there, by the log.
    running: Vec<StreamId>,
}

impl Shown {
    fn of(name: &str, host: &State, heard: Option<Heard>, running: &[RunRow]) -> Self {
        let started = host.started.as_ref();
        let here = running.iter().filter(|row| row.host.as_deref() == Some(name));
        Self {
            host: name.to_owned(),
            state: host.word(),
            pools: started.map(|s| s.pools.clone()).unwrap_or_default(),
            labels: started.map(|s| s.labels.clone()).unwrap_or_default(),
            slots: started.map(|s| s.slots),
            version: started.map(|s| s.version.clone()),
            since: host.since,
            heard: heard.as_ref().map(|heard| heard.at),
            unsent: heard.as_ref().map(|heard| heard.unsent),
            drained: host.drained.clone(),
            running: here.map(|row| row.run.clone()).collect(),
        }
    }

    fn heard_ago(&self, now: Timestamp) -> String {
        let ago = |at: Timestamp| format!("{} s ago", (now.as_second() - at.as_second()).max(0));
        self.heard.map_or_else(|| "-".to_owned(), ago)
    }
}

/// All hosts. When they were last heard only a console knows.
fn all(place: &Place) -> anyhow::Result<Vec<Shown>> {
    let source = Source::open(place)?;
    let running = running(&source)?;
    let hosts = match console_at(place)? {
        Some(client) => {
            let (mut hosts, mut after) = (Vec::new(), String::new());
            loop {
                let page: Page =
                    client.get_json(&format!("/api/v1/hosts?limit=1000&after={after}"))?;
                hosts.extend(page.items);
                match page.next {
                    Some(next) => after = next,
                    None => break hosts,
                }
            }
        }
        None => {
            let plain = |StreamView { id, state }| Listed { id, state, heard: None };
            source.streams(Selection::Hosts)?.into_iter().map(plain).collect()
        }
    };
    let shown = hosts.into_iter().filter_map(|Listed { id, state, heard }| {
        Some(Shown::of(id.rest(), state.body.host()?, heard, &running))
    });
    Ok(shown.collect())
}

/// Runs under way.
pub(super) fn running(source: &Source) -> anyhow::Result<Vec<RunRow>> {
    let state = Some("running".to_owned());
    let filter = RunFilter { state, limit: 2_000, ..RunFilter::default() };
    match source.ask(&Query::Runs(filter))?.content {
        Content::Runs(rows) => Ok(rows),
        Content::Head(_)
        | Content::Events(_)
        | Content::Leaves(_)
        | Content::Streams(_)
        | Content::Night(_)
        | Content::Heads(_)
        | Content::Consistency(_)
        | Content::Proof(_)
        | Content::Failed(_) => anyhow::bail!("the answer is to another question"),
    }
}

fn list(place: &Place, format: Format) -> anyhow::Result<()> {
    let (hosts, now) = (all(place)?, host::now());
    output::list(format, &hosts, |hosts| {
        let head = ["HOST", "STATE", "POOLS", "LABELS", "SLOTS", "RUNNING", "HEARD", "WHY"];
        let mut table = Table::new(head);
        for one in hosts {
            table.row([
                one.host.clone(),
                one.state.to_owned(),
                one.pools.join(","),
                labels(one),
                one.slots.map(|n| n.to_string()).unwrap_or_default(),
                one.running.len().to_string(),
                one.heard_ago(now),
                one.drained.clone().unwrap_or_default(),
            ]);
        }
        table
    })
}

fn labels(one: &Shown) -> String {
    let all = one.labels.iter().map(|(label, value)| format!("{label}={value}"));
    all.collect::<Vec<_>>().join(",")
}

fn show(name: &str, place: &Place, format: Format) -> anyhow::Result<()> {
    let found = all(place)?.into_iter().find(|one| one.host == name);
    let found = found.ok_or_else(|| exit::not_found(format!("there is no host {name}")))?;
    output::one(format, &found, |one| text(one, host::now()))
}

fn text(one: &Shown, now: Timestamp) -> String {
    let mut text = format!("host      {}\nstate     {}\n", one.host, one.state);
    let mut line = |what: &str, says: String| {
        if !says.is_empty() {
            text.push_str(&format!("{what:<10}{says}\n"));
        }
    };
    line("drained", one.drained.clone().unwrap_or_default());
    line("pools", one.pools.join(", "));
    line("labels", labels(one).replace(',', ", "));
    let free = |slots: u32| format!("{slots}, {} in use", one.running.len());
    line("slots", one.slots.map(free).unwrap_or_default());
    line("since", one.since.map(output::local).unwrap_or_default());
    line("heard", one.heard_ago(now));
    let unsent = one.unsent.filter(|n| *n > 0);
    line("unsent", unsent.map(|n| format!("{n} events")).unwrap_or_default());
    line("version", one.version.clone().unwrap_or_default());
    for run in &one.running {
        line("runs", run.rest().to_owned());
    }
    text
}
