//! `decklog backup browse | find | diff`: names of files in snapshots, as a host sees them.

use domain::backup::Dataset;
use domain::backup::looking::{Looked, Name, Unseen, dataset_of};
use domain::backup::progress::size;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::datasets;
use crate::cli::{Browse, Diff, Eyes, Find, Format};
use crate::commands::console_that;
use crate::output::{self, Table, local};
use crate::source::Source;
use crate::{client, exit};

pub(super) fn browse(wanted: &Browse, format: Format) -> anyhow::Result<()> {
    let dataset = dataset(&wanted.eyes, &wanted.snapshot)?;
    let snapshot = client::escape(&wanted.snapshot);
    let path = format!("/api/v1/datasets/{dataset}/snapshots/{snapshot}/browse");
    one(&wanted.eyes, &path, json!({"path": wanted.path}), format, table)
}

pub(super) fn diff(wanted: &Diff, format: Format) -> anyhow::Result<()> {
    let dataset = dataset(&wanted.eyes, &wanted.a)?;
    let snapshot = client::escape(&wanted.a);
    let path = format!("/api/v1/datasets/{dataset}/snapshots/{snapshot}/diff");
    one(&wanted.eyes, &path, json!({"with": wanted.b}), format, differences)
}

/// In one dataset, or in each that has a snapshot to look into.
pub(super) fn find(wanted: &Find, format: Format) -> anyhow::Result<()> {
    let names = match &wanted.eyes.dataset {
        Some(name) => vec![name.clone()],
        None => searched(&wanted.eyes, wanted.repository.as_deref())?,
    };
    let mut all = Vec::new();
    for name in names {
        let path = format!("/api/v1/datasets/{name}/find");
        let body = json!({"pattern": wanted.pattern, "repository": wanted.repository});
        all.push(ask(&wanted.eyes, &path, body)?);
    }
    match format {
        Format::Json => output::line(&serde_json::to_string_pretty(&all)?)?,
        Format::Table | Format::Jsonl => {
            let names: Vec<Name> = all.iter().flat_map(|one| one.names.clone()).collect();
            output::list(format, &names, table)?;
        }
    }
    all.iter().try_for_each(afterwards)
}

fn searched(eyes: &Eyes, repository: Option<&str>) -> anyhow::Result<Vec<String>> {
    let fits = |one: &domain::backup::Snapshot| {
        one.missing.is_none() && repository.is_none_or(|name| one.repository == name)
    };
    let all = datasets(&Source::open(&eyes.place)?)?.into_iter();
    let all = all.filter(|dataset| dataset.snapshots.iter().any(fits));
    let names: Vec<String> = all.map(|dataset| dataset.defined.name).collect();
    if names.is_empty() {
        return Err(exit::not_found("there is no snapshot to look into"));
    }
    Ok(names)
}

/// The dataset that was named, or whose snapshot it is.
fn dataset(eyes: &Eyes, snapshot: &str) -> anyhow::Result<String> {
    if let Some(name) = &eyes.dataset {
        return Ok(name.clone());
    }
    let all: Vec<Dataset> = datasets(&Source::open(&eyes.place)?)?;
    let found = dataset_of(&all, snapshot).map_err(|unseen| match unseen {
        Unseen::NotThere(text) => exit::not_found(text),
        Unseen::Unclear(text)
        | Unseen::NotAllowed(text)
        | Unseen::Busy(text)
        | Unseen::Failed(text) => exit::usage(text),
    })?;
    Ok(found.defined.name.clone())
}

/// What the console answers.
#[derive(Debug, Deserialize)]
struct Answer {
    looked: Looked,
}

fn ask(eyes: &Eyes, path: &str, mut body: Value) -> anyhow::Result<Looked> {
    let client = console_that(&eyes.place, "looks")?;
    body["host"] = json!(eyes.host);
    body["limit"] = json!(eyes.limit);
    let answer: Answer = client.post_slow(path, &body)?;
    Ok(answer.looked)
}

fn one(
    eyes: &Eyes,
    path: &str,
    body: Value,
    format: Format,
    table: impl FnOnce(&[Name]) -> Table,
) -> anyhow::Result<()> {
    let looked = ask(eyes, path, body)?;
    match format {
        Format::Json => output::line(&serde_json::to_string_pretty(&looked)?)?,
        Format::Table | Format::Jsonl => output::list(format, &looked.names, table)?,
    }
    afterwards(&looked)
}

/// Says what is not to be seen in the names themselves.
fn afterwards(looked: &Looked) -> anyhow::Result<()> {
    let Looked { dataset, repository, host, .. } = looked;
    if looked.more {
        eprintln!(
            "decklog: there are more names of {dataset} in {repository}: a longer path or pattern, or --limit, shows them"
        );
    }
    for unread in &looked.unread {
        eprintln!("decklog: {}", plain(unread));
    }
    if looked.unread.is_empty() {
        return Ok(());
    }
    Err(exit::unclean(format!("host {host} could not read all of it: names may be missing")))
}

fn table(names: &[Name]) -> Table {
    let mut table = Table::new(["SNAPSHOT", "KIND", "SIZE", "MODIFIED", "PATH"]);
    for one in names {
        let snapshot = one.snapshot.chars().take(12).collect();
        let [kind, size, at, path] = cells(one);
        table.row([snapshot, kind, size, at, path]);
    }
    table
}

fn differences(names: &[Name]) -> Table {
    let mut table = Table::new(["CHANGE", "KIND", "SIZE", "MODIFIED", "PATH"]);
    for one in names {
        let [kind, size, at, path] = cells(one);
        table.row([one.change.clone().unwrap_or_default(), kind, size, at, path]);
    }
    table
}

fn cells(one: &Name) -> [String; 4] {
    let at = Timestamp::from_microsecond(one.mtime).unwrap_or(Timestamp::UNIX_EPOCH);
    let bytes = if one.kind == "file" { size(one.size) } else { "-".to_owned() };
    [one.kind.clone(), bytes, local(at), plain(&one.path)]
}

/// Whatever a file is called, it does nothing to a terminal.
fn plain(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() { format!("\\u{{{:x}}}", u32::from(c)) } else { c.to_string() }
    };
    text.chars().map(shown).collect()
}
