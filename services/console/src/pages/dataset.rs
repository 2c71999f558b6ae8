//! One dataset: its snapshots and what keeps each, its restore tests and who certified them.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use domain::backup::admit::verdicts;
use domain::backup::progress::size;
use domain::backup::protection::active;
use domain::backup::record::Test;
use domain::backup::{Dataset, Snapshot};
use domain::canonical::Digest;
use domain::ids::StreamId;
use domain::people::Action;
use domain::site::ThingKind;
use jiff::Timestamp;
use serde::Deserialize;

use super::answer::Page;
use super::backups::{Standing, makers, standing};
use super::forms::Sent;
use super::reading;
use super::shell::{Shell, Visitor};
use super::when;
use super::words::{Link, Marked, asking, brief, events_of, millis};
use crate::commands::{Applied, CommandError, DatasetAct};
use crate::state::Console;

/// Most snapshots, and most tests, on a page.
const PAGE: usize = 60;
const TESTS: usize = 20;

/// What stands in the address of the page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    after: String,
}

/// A snapshot.
struct Row {
    name: String,
    repository: String,
    taken: String,
    files: u64,
    size: String,
    state: Marked,
    more: String,
    verified: String,
    run: Link,
    kept: String,
    forgets: bool,
    /// What is done with it: looked into, brought back.
    look: Option<String>,
    restore: Option<String>,
}

/// A restore test.
struct Tested {
    run: Link,
    name: String,
    at: String,
    result: Marked,
    what: String,
    took: String,
    host: Link,
    certified: String,
    action: String,
    open: bool,
    good: bool,
}

/// What repeats of a dataset: a restore, a check.
struct Done {
    run: Link,
    at: String,
    what: String,
}

#[derive(Template)]
#[template(path = "dataset.html")]
struct DatasetPage {
    shell: Shell,
    name: String,
    standing: Standing,
    facts: Vec<(&'static str, String)>,
    request: Option<String>,
    rows: Vec<Row>,
    next: Option<String>,
    tests: Vec<Tested>,
    certifies: bool,
    /// What they may say of snapshots, as the page offers it.
    says: Says,
    restores: Vec<Done>,
    checks: Vec<Done>,
    events: String,
    word: String,
    problem: Option<String>,
}

/// What somebody may say of snapshots.
struct Says {
    approves: bool,
    declines: bool,
    holds: bool,
    asks: bool,
}

impl Says {
    fn of(dataset: &Dataset, visitor: &Visitor) -> Self {
        let open = dataset.request.as_ref().filter(|request| request.approved_by.is_none());
        let other = open.is_some_and(|request| visitor.is_another(request.by.as_deref()));
        let some = !dataset.snapshots.is_empty();
        Self {
            approves: other && visitor.could(Action::ApproveForget),
            declines: dataset.request.is_some() && visitor.could(Action::DeclineRequests),
            holds: some && visitor.could(Action::HoldSnapshots),
            asks: some && dataset.request.is_none() && visitor.could(Action::RequestForget),
        }
    }
}

async fn one(
    console: &Console,
    visitor: &Visitor,
    name: &str,
    asked: &Asked,
) -> Result<DatasetPage, Page> {
    let (position, dataset) = reading::dataset(console, name).await?;
    let dataset = &dataset;
    let (rows, next) = snapshots(dataset, asked, visitor);
    let commands = format!(
        "decklog backup snapshots {name}\ndecklog backup retention {name}\ndecklog backup tests {name}\n\
         decklog backup certify {name} --statement …\ndecklog backup hold {name} SNAPSHOT --reason …"
    );
    Ok(DatasetPage {
        shell: visitor.shell().as_of(console, position).cli(commands),
        standing: standing(dataset, &makers(console).await?, visitor.now),
        facts: facts(dataset),
        request: request(dataset),
        rows,
        next: next
            .map(|after| asking(&format!("/backups/{name}"), &[("after", &after)]) + "#snapshots"),
        tests: dataset.tests.iter().rev().take(TESTS).map(tested).collect(),
        certifies: visitor.could(Action::CertifyTests),
        says: Says::of(dataset, visitor),
        restores: restores(dataset),
        checks: checks(dataset),
        events: events_of(&StreamId::thing(ThingKind::Dataset, name)),
        name: name.to_owned(),
        word: visitor.word(),
        problem: None,
    })
}

fn facts(dataset: &Dataset) -> Vec<(&'static str, String)> {
    let Some((one, _)) = active(dataset) else { return Vec::new() };
    let every = one.restore_test_every.map(|every| format!("every {every}"));
    let mut found = vec![
        ("about", one.description),
        ("owner", one.owner),
        ("copies", one.copies.to_string()),
        ("restore within", one.rto.map(|rto| rto.to_string()).unwrap_or_default()),
        ("restore is tested", every.unwrap_or_default()),
        ("snapshots not in the log", dataset.orphans.len().to_string()),
        ("forgotten", dataset.forgotten.len().to_string()),
    ];
    found.retain(|(_, says)| !says.is_empty() && says != "0");
    found
}

fn request(dataset: &Dataset) -> Option<String> {
    let request = dataset.request.as_ref()?;
    let by = request.by.as_deref().unwrap_or("nobody named");
    let approved = request.approved_by.as_ref().map(|who| format!(", approved by {who}"));
    let (count, repository) = (request.snapshots.len(), &request.repository);
    let approved =
        approved.unwrap_or_else(|| ", and waits for somebody else's approval".to_owned());
    Some(format!(
        "{by} asks that {count} snapshots of {repository} be forgotten{approved}: {}",
        request.reason
    ))
}

/// What keeps each snapshot, and whether anything does.
type Fates = BTreeMap<(String, Digest), (bool, String)>;

fn fates(dataset: &Dataset, now: Timestamp) -> Fates {
    let mut names: Vec<&str> =
        dataset.snapshots.iter().map(|one| one.repository.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let of = |name: &&str| {
        let name = (*name).to_owned();
        let all = verdicts(dataset, &name, now).into_iter();
        all.map(move |one| ((name.clone(), one.id), (one.keep, one.reasons.join("; "))))
            .collect::<Vec<_>>()
    };
    names.iter().flat_map(of).collect()
}

/// The name by which a snapshot stands in an address.
fn place(one: &Snapshot) -> String {
    format!("{}:{}", one.repository, one.id)
}

/// All its snapshots, the newest first.
pub(crate) fn newest_first(dataset: &Dataset) -> Vec<&Snapshot> {
    let mut all: Vec<&Snapshot> = dataset.snapshots.iter().collect();
    all.sort_by_key(|one| std::cmp::Reverse((one.at, one.repository.clone())));
    all
}

/// Snapshots from behind one, newest first, and the one behind which the list goes on.
fn snapshots(dataset: &Dataset, asked: &Asked, visitor: &Visitor) -> (Vec<Row>, Option<String>) {
    let now = visitor.now;
    let fates = fates(dataset, now);
    let all = newest_first(dataset);
    let behind = all.iter().position(|one| place(one) == asked.after);
    let rest = all.get(behind.map_or(0, |at| at + 1)..).unwrap_or_default();
    let next = rest.get(PAGE - 1).filter(|_| rest.len() > PAGE).map(|one| place(one));
    let row = |one: &&Snapshot| Row {
        look: to(dataset, one, "files", visitor.could(Action::LookIntoBackups)),
        restore: to(dataset, one, "restore", visitor.could(Action::RequestRuns)),
        ..row(one, &fates, now)
    };
    (rest.iter().take(PAGE).map(row).collect(), next)
}

/// The address of what is done with a snapshot, where it is there and they may.
fn to(dataset: &Dataset, one: &Snapshot, page: &str, may: bool) -> Option<String> {
    let path = format!("/backups/{}/{page}", dataset.defined.name);
    (may && one.missing.is_none()).then(|| asking(&path, &[("snapshot", &place(one))]))
}

fn row(one: &Snapshot, fates: &Fates, now: Timestamp) -> Row {
    let fate = fates.get(&(one.repository.clone(), one.id));
    Row {
        name: one.id.short(),
        repository: one.repository.clone(),
        taken: when(one.taken),
        files: one.measure.files,
        size: size(one.measure.bytes),
        state: state(one),
        more: more(one, now),
        verified: one.verified.map(when).unwrap_or_default(),
        run: Link::to(&one.run),
        kept: fate.map(|(_, reasons)| reasons.clone()).unwrap_or_default(),
        forgets: fate.is_some_and(|(keep, _)| !keep),
        look: None,
        restore: None,
    }
}

fn state(one: &Snapshot) -> Marked {
    match (one.missing, one.damaged, one.errors) {
        (Some(_), ..) => Marked::tuned("not there", "bad"),
        (None, Some((_, files)), _) => Marked::tuned(format!("damaged: {files} files"), "bad"),
        (None, None, 0) => Marked::new("good"),
        (None, None, errors) => Marked::tuned(format!("incomplete: {errors} errors"), "warn"),
    }
}

fn more(one: &Snapshot, now: Timestamp) -> String {
    let mut said = Vec::new();
    if let Some(hold) = one.held(now) {
        said.push(format!("on hold: {}", brief(&hold.reason)));
    }
    if !one.unusual.is_empty() {
        said.push("unusual".to_owned());
    }
    if let Some((from, _)) = &one.copy_of {
        said.push(format!("a copy of what is in {from}"));
    }
    said.join("; ")
}

fn tested(test: &Test) -> Tested {
    let result = &test.result;
    let what = if result.chosen_by.is_some() { "a sample: " } else { "" };
    let (certified, action) = match &test.certified {
        Some((by, at, said)) => {
            (format!("by {by} {}: {}", when(at), said.statement), said.corrective_action.clone())
        }
        None => (String::new(), None),
    };
    Tested {
        run: Link::to(&test.run),
        name: test.run.rest().to_owned(),
        at: when(test.at),
        result: Marked::new(if result.good { "good" } else { "failed" }),
        what: format!(
            "{what}{} files, {}, {} differ",
            result.files,
            size(result.bytes),
            result.mismatches
        ),
        took: millis(result.took_ms),
        host: Link::to(&StreamId::host(&result.host)),
        open: test.certified.is_none(),
        certified,
        action: action.unwrap_or_default(),
        good: result.good,
    }
}

fn restores(dataset: &Dataset) -> Vec<Done> {
    let one = |one: &domain::backup::record::Restore| Done {
        run: Link::to(&one.run),
        at: when(one.at),
        what: format!(
            "snapshot {}, {} in {}",
            one.snapshot.short(),
            size(one.bytes),
            millis(one.took_ms)
        ),
    };
    dataset.restores.iter().rev().take(TESTS).map(one).collect()
}

fn checks(dataset: &Dataset) -> Vec<Done> {
    let one = |one: &domain::backup::record::Check| Done {
        run: Link::to(&one.run),
        at: when(one.at),
        what: format!("{}: {}", one.repository, if one.good { "whole" } else { "damaged" }),
    };
    dataset.checks.iter().rev().take(TESTS).map(one).collect()
}

/// The page.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Page, Page> {
    Ok(visitor.page(&one(&console, &visitor, &name, &asked).await?))
}

/// Certifies a restore test, or says something of snapshots.
pub(crate) async fn act(
    State(console): State<Console>,
    Path(name): Path<String>,
    sent: Sent,
) -> Result<Page, Page> {
    let visitor = &sent.visitor;
    let done = done(&console, &name, &sent).await;
    let asked = Asked::default();
    let page = one(&console, visitor, &name, &asked);
    visitor
        .became(
            done,
            |_| format!("/backups/{name}"),
            page,
            |page, problem| DatasetPage { problem, ..page },
        )
        .await
}

async fn done(console: &Console, name: &str, sent: &Sent) -> Result<Applied, CommandError> {
    super::thing_id(ThingKind::Dataset, name)?;
    let Some(act) = sent.fields.get("act") else { return certified(console, name, sent).await };
    let snapshot =
        || sent.fields.must("snapshot").map(str::to_owned).map_err(CommandError::Invalid);
    let act = match act {
        "hold" => DatasetAct::Hold { snapshot: snapshot()?, until: None },
        "end-hold" => DatasetAct::EndHold { snapshot: snapshot()? },
        "forget" => {
            snapshot()?;
            let snapshots = sent.fields.words("snapshot").map(str::to_owned).collect();
            DatasetAct::Forget { snapshots }
        }
        "approve-forget" => DatasetAct::ApproveForget,
        "decline-forget" => DatasetAct::DeclineForget,
        other => return Err(super::no_such(other, "dataset")),
    };
    console.set_dataset(name, &act, &sent.visitor.caller, &sent.fields.text("reason")).await
}

async fn certified(console: &Console, name: &str, sent: &Sent) -> Result<Applied, CommandError> {
    let fields = &sent.fields;
    let run = format!("run/{}", fields.must("run").map_err(CommandError::Invalid)?);
    let run = run.parse().map_err(|error| CommandError::Invalid(format!("{run}: {error}")))?;
    let corrective_action = fields.get("corrective-action").map(str::to_owned);
    let act = DatasetAct::Certify { run, corrective_action };
    console.set_dataset(name, &act, &sent.visitor.caller, &fields.text("statement")).await
}
