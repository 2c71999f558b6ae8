//! `decklog backup …`: what is protected, by which snapshots, for how long, and what was proven.

mod looking;
pub(super) mod progress;
mod report;

use domain::backup::admit::verdicts;
use domain::backup::progress::size;
use domain::backup::protection::{active, is_test_overdue};
use domain::backup::restoring::{self, Which};
use domain::backup::retention::ahead;
use domain::backup::{Dataset, Protection, Snapshot, Verdict};
use domain::canonical::Digest;
use domain::event::RiskReason;
use domain::ids::StreamId;
use domain::job::{Job, JobDefinition, Work};
use domain::ledger::Body;
use domain::site::ThingKind;
use domain::time::HumanDuration;
use domain::wire::Selection;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::json;

use super::with_console;
use crate::cli::{
    Backup, Certify, ForgetSnapshots, Format, HoldSnapshot, Named, NamedAct, Place, Restore,
    Retention, SnapshotAct,
};
use crate::output::{self, Table, local};
use crate::source::Source;
use crate::{exit, host, site, when};

use progress::Running;

pub(crate) fn run(wanted: &Backup, format: Format) -> anyhow::Result<()> {
    match wanted {
        Backup::Status(place) => status(place, format),
        Backup::Snapshots(which) => snapshots(which, format),
        Backup::Retention(wanted) => retention(wanted, format),
        Backup::Restore(wanted) => restore(wanted, format),
        Backup::Watch(wanted) => progress::watch(wanted, format),
        Backup::Browse(wanted) => looking::browse(wanted, format),
        Backup::Find(wanted) => looking::find(wanted, format),
        Backup::Diff(wanted) => looking::diff(wanted, format),
        Backup::Hold(act) => hold(act, format),
        Backup::EndHold(act) => end_hold(act, format),
        Backup::Forget(act) => forget(act, format),
        Backup::ApproveForget(act) => decide(act, "approve", format),
        Backup::DeclineForget(act) => decide(act, "decline", format),
        Backup::Report(place) => report::run(place),
        Backup::Tests(which) => tests(which, format),
        Backup::Certify(act) => certify(act, format),
    }
}

/// All datasets.
fn datasets(source: &Source) -> anyhow::Result<Vec<Dataset>> {
    let views = source.streams(Selection::Things)?;
    let of = |body: Body| if let Body::Dataset(dataset) = body { Some(*dataset) } else { None };
    Ok(views.into_iter().filter_map(|view| of(view.state.body)).collect())
}

fn dataset(source: &Source, name: &str) -> anyhow::Result<Dataset> {
    let state = source.stream(&StreamId::thing(ThingKind::Dataset, name))?;
    let found = state.and_then(|state| state.body.dataset().cloned());
    found.ok_or_else(|| exit::not_found(format!("there is no dataset {name}")))
}

/// The active jobs whose work is about datasets.
fn jobs(source: &Source) -> anyhow::Result<Vec<(Job, JobDefinition)>> {
    let views = source.streams(Selection::Jobs)?;
    let of = |body: Body| {
        let Body::Job(job) = body else { return None };
        // Most jobs are commands, and need not be read for this.
        let text = job.active().filter(|span| span.definition.get().contains("\"dataset\":"))?;
        let definition = text.read().ok()?;
        definition.work()?;
        Some((job, definition))
    };
    Ok(views.into_iter().filter_map(|view| of(view.state.body)).collect())
}

/// One dataset in the overview.
#[derive(Debug, Serialize)]
struct Standing {
    dataset: String,
    /// `protected`, `awaited`, `at-risk`, `not-protected` or `retired`.
    protection: &'static str,
    why: String,
    newest: Option<Timestamp>,
    rpo: Option<HumanDuration>,
    snapshots: usize,
    repositories: Vec<String>,
    backed_up_by: Vec<String>,
    tested: Option<Timestamp>,
    test_overdue: bool,
    owner: String,
    /// What works on it now.
    running: Vec<Running>,
}

fn status(place: &Place, format: Format) -> anyhow::Result<()> {
    let source = Source::open(place)?;
    let (now, jobs) = (host::now(), jobs(&source)?);
    let mut all: Vec<Standing> =
        datasets(&source)?.iter().map(|dataset| standing(dataset, &jobs, now)).collect();
    progress::add(place, &source, &jobs, &mut all)?;
    let bad = all.iter().any(|one| matches!(one.protection, "at-risk" | "not-protected"));
    output::list(format, &all, |all| {
        let mut table =
            Table::new(["DATASET", "PROTECTION", "NEWEST", "SNAPSHOTS", "IN", "TESTED", "WHY"]);
        for one in all {
            let tested = match (one.tested, one.test_overdue) {
                (Some(at), false) => local(at),
                (Some(at), true) => format!("{} (overdue)", local(at)),
                (None, true) => "never (overdue)".to_owned(),
                (None, false) => "-".to_owned(),
            };
            let newest = one.newest.map_or("-".to_owned(), local);
            let repositories = one.repositories.join(", ");
            let (name, word) = (one.dataset.clone(), one.protection.to_owned());
            let count = one.snapshots.to_string();
            table.row([name, word, newest, count, repositories, tested, one.why.clone()]);
        }
        table
    })?;
    if format == Format::Table {
        let running = all.iter().flat_map(|one| &one.running);
        running.map(Running::line).try_for_each(|text| output::print(&text))?;
    }
    if bad { Err(exit::unclean("not every dataset is protected")) } else { Ok(()) }
}

fn standing(dataset: &Dataset, jobs: &[(Job, JobDefinition)], now: Timestamp) -> Standing {
    let name = &dataset.defined.name;
    let makes = |work: Work<'_>| matches!(work, Work::Backup(w) if w.dataset == *name);
    let backed_up_by: Vec<String> = jobs
        .iter()
        .filter(|(_, definition)| definition.work().is_some_and(makes))
        .map(|(job, _)| job.name.clone())
        .collect();
    let (protection, why) = words(Protection::of(dataset, now), backed_up_by.is_empty());
    let mut repositories: Vec<String> =
        dataset.snapshots.iter().filter(|s| s.is_good()).map(|s| s.repository.clone()).collect();
    repositories.sort_unstable();
    repositories.dedup();
    let definition = active(dataset).map(|(definition, _)| definition);
    let good = dataset.tests.iter().rev().find(|test| test.result.good);
    Standing {
        dataset: name.clone(),
        protection,
        why,
        newest: dataset.snapshots.iter().filter(|s| s.is_good()).map(|s| s.taken).max(),
        rpo: definition.as_ref().map(|d| d.rpo),
        snapshots: dataset.snapshots.len(),
        repositories,
        backed_up_by,
        tested: good.map(|test| test.at),
        test_overdue: is_test_overdue(dataset, now),
        owner: definition.map(|d| d.owner).unwrap_or_default(),
        running: Vec::new(),
    }
}

/// The word for how a dataset stands, and a sentence.
fn words(protection: Protection, nobody: bool) -> (&'static str, String) {
    match protection {
        Protection::Retired => ("retired", "it is not defined any more".to_owned()),
        _ if nobody => ("not-protected", "no job backs it up".to_owned()),
        Protection::Protected { until, .. } => ("protected", format!("until {}", local(until))),
        Protection::Awaited { until } => {
            ("awaited", format!("its first snapshot is expected by {}", local(until)))
        }
        Protection::AtRisk { reason } => ("at-risk", why_at_risk(&reason)),
    }
}

pub(super) fn why_at_risk(reason: &RiskReason) -> String {
    reason.words(local)
}

fn snapshots(which: &Named, format: Format) -> anyhow::Result<()> {
    let source = Source::open(&which.place)?;
    let dataset = dataset(&source, &which.name)?;
    let mut all = dataset.snapshots;
    all.sort_by_key(|one| std::cmp::Reverse(one.at));
    let now = host::now();
    output::list(format, &all, |all| {
        let mut table =
            Table::new(["SNAPSHOT", "REPOSITORY", "TAKEN", "FILES", "SIZE", "ADDED", "STATE"]);
        for one in all {
            let Snapshot { id, repository, taken, measure, .. } = one;
            table.row([
                id.short(),
                repository.clone(),
                local(*taken),
                measure.files.to_string(),
                size(measure.bytes),
                size(measure.added),
                state(one, now),
            ]);
        }
        table
    })
}

/// What is to be said of a snapshot, the worst first.
fn state(one: &Snapshot, now: Timestamp) -> String {
    let mut said = Vec::new();
    if let Some(at) = one.missing {
        said.push(format!("not there since {}", local(at)));
    }
    if let Some((_, files)) = one.damaged {
        said.push(format!("damaged: {files} files"));
    }
    if one.errors > 0 {
        said.push(format!("incomplete: {} errors", one.errors));
    }
    if one.is_good() {
        said.push("good".to_owned());
    }
    if let Some(hold) = one.held(now) {
        said.push(format!("on hold: {}", hold.reason));
    }
    if !one.unusual.is_empty() {
        said.push("unusual".to_owned());
    }
    if one.copy_of.is_some() {
        said.push("a copy".to_owned());
    }
    said.join("; ")
}

/// A length for people.
fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

/// What becomes of one snapshot.
#[derive(Debug, Serialize)]
struct Fate {
    repository: String,
    snapshot: Digest,
    at: Timestamp,
    keep: bool,
    reasons: Vec<String>,
    to_come: bool,
}

fn retention(wanted: &Retention, format: Format) -> anyhow::Result<()> {
    let source = Source::open(&wanted.place)?;
    let dataset = dataset(&source, &wanted.dataset)?;
    let now = host::now();
    let on =
        wanted.on.as_deref().map(|text| when::ahead(text, &TimeZone::system(), now)).transpose()?;
    if let Some(on) = on.filter(|on| *on < now) {
        return Err(exit::usage(format!("{} is past: --on is a day to come", local(on))));
    }
    let to_come = match on {
        Some(on) => to_come(&source, &dataset, now, on)?,
        None => Vec::new(),
    };
    let mut names: Vec<&str> = dataset.snapshots.iter().map(|s| s.repository.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| wanted.repository.as_deref().is_none_or(|only| only == *name));
    let mut fates = Vec::new();
    for name in names {
        let verdicts = match on {
            Some(on) => foreseen(&dataset, name, &to_come, on),
            None => verdicts(&dataset, name, now),
        };
        fates.extend(verdicts.into_iter().map(|verdict| fate(&dataset, name, verdict)));
    }
    output::list(format, &fates, |fates| {
        let mut table = Table::new(["SNAPSHOT", "REPOSITORY", "AT", "", "WHY"]);
        for one in fates {
            let name = if one.to_come { "to come".to_owned() } else { one.snapshot.short() };
            let word = if one.keep { "keep" } else { "forget" }.to_owned();
            let (at, why) = (local(one.at), one.reasons.join("; "));
            table.row([name, one.repository.clone(), at, word, why]);
        }
        table
    })
}

fn foreseen(dataset: &Dataset, name: &str, to_come: &[Timestamp], on: Timestamp) -> Vec<Verdict> {
    let Some((definition, _)) = active(dataset) else { return Vec::new() };
    let zone = TimeZone::get(&definition.zone).unwrap_or(TimeZone::UTC);
    let all: Vec<&Snapshot> = dataset.in_repository(name).collect();
    ahead(&definition.retention, &zone, &all, to_come, on)
}

fn fate(dataset: &Dataset, repository: &str, verdict: Verdict) -> Fate {
    let to_come = dataset.snapshot(repository, verdict.id).is_none();
    let Verdict { id, at, keep, reasons } = verdict;
    Fate { repository: repository.to_owned(), snapshot: id, at, keep, reasons, to_come }
}

/// Most occurrences that are looked ahead.
const AHEAD_MAX: usize = 20_000;

/// When the dataset's jobs make snapshots until then.
fn to_come(
    source: &Source,
    dataset: &Dataset,
    now: Timestamp,
    on: Timestamp,
) -> anyhow::Result<Vec<Timestamp>> {
    let site = site::view(&site::things(source)?);
    let mut found = Vec::new();
    for (_, definition) in jobs(source)? {
        let makes =
            matches!(definition.work(), Some(Work::Backup(w)) if w.dataset == dataset.defined.name);
        let schedule = definition.schedule_at(now, &site.calendars).and_then(Result::ok);
        let Some(schedule) = schedule.filter(|_| makes) else { continue };
        let mut at = now;
        while let Some(next) = schedule.next_run(at).filter(|next| next.at <= on) {
            found.push(next.at);
            at = next.at;
            if found.len() > AHEAD_MAX {
                return Err(exit::usage(format!(
                    "more than {AHEAD_MAX} snapshots would be made until then: name an earlier day"
                )));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Asks for a run of the one job that restores the dataset, with what is wanted as its parameters.
fn restore(wanted: &Restore, format: Format) -> anyhow::Result<()> {
    let source = Source::open(&wanted.place)?;
    let all: Vec<JobDefinition> = jobs(&source)?.into_iter().map(|(_, d)| d).collect();
    let (job, host) = (wanted.job.as_deref(), wanted.host.as_deref());
    let definition = restoring::the_one(&all, &wanted.dataset, job, host)
        .map_err(|which| unclear(which, wanted))?;
    let (snapshot, path) = (wanted.snapshot.clone(), wanted.path.clone());
    let wish = restoring::Wish { snapshot, path, to: wanted.to.clone() };
    let parameters = restoring::given(definition, &wish).map_err(exit::usage)?;
    let path = format!("/api/v1/jobs/{}/runs", definition.name);
    let body = json!({"reason": wanted.reason, "parameters": parameters});
    act(&wanted.place, &path, &body, format)
}

fn unclear(which: Which, wanted: &Restore) -> anyhow::Error {
    match which {
        Which::None => {
            let there =
                wanted.host.as_ref().map_or_else(String::new, |h| format!(" and has host: {h}"));
            exit::not_found(format!(
                "no job of kind restore is about dataset {}{there}; apply one (see the handbook), or restore on the host itself with decklog-executor restore",
                wanted.dataset
            ))
        }
        Which::Several(names) => {
            exit::usage(format!("{} restore it: name one with --job, or --host", names.join(", ")))
        }
    }
}

fn act(place: &Place, path: &str, body: &serde_json::Value, format: Format) -> anyhow::Result<()> {
    let applied = with_console(place, |client| client.act(path, body))?;
    output::one(format, &applied, |a| format!("{}: {}\n", a.stream, a.message))
}

fn hold(wanted: &HoldSnapshot, format: Format) -> anyhow::Result<()> {
    let now = host::now();
    let until = wanted
        .until
        .as_deref()
        .map(|text| when::ahead(text, &TimeZone::system(), now))
        .transpose()?;
    let path = format!("/api/v1/datasets/{}/snapshots/{}/hold", wanted.dataset, wanted.snapshot);
    act(&wanted.place, &path, &json!({"reason": wanted.reason, "until": until}), format)
}

fn end_hold(wanted: &SnapshotAct, format: Format) -> anyhow::Result<()> {
    let path =
        format!("/api/v1/datasets/{}/snapshots/{}/end-hold", wanted.dataset, wanted.snapshot);
    act(&wanted.place, &path, &json!({"reason": wanted.reason}), format)
}

fn forget(wanted: &ForgetSnapshots, format: Format) -> anyhow::Result<()> {
    let path = format!("/api/v1/datasets/{}/forget", wanted.dataset);
    let body = json!({"reason": wanted.reason, "snapshots": wanted.snapshots});
    act(&wanted.place, &path, &body, format)
}

fn decide(wanted: &NamedAct, verb: &str, format: Format) -> anyhow::Result<()> {
    let path = format!("/api/v1/datasets/{}/forget/{verb}", wanted.name);
    act(&wanted.place, &path, &json!({"reason": wanted.reason}), format)
}

fn tests(which: &Named, format: Format) -> anyhow::Result<()> {
    let source = Source::open(&which.place)?;
    let dataset = dataset(&source, &which.name)?;
    let mut all = dataset.tests;
    all.reverse();
    output::list(format, &all, |all| {
        let mut table =
            Table::new(["RUN", "AT", "RESULT", "FILES", "SIZE", "TOOK", "HOST", "CERTIFIED"]);
        for one in all {
            let result = &one.result;
            let word = if result.good { "good" } else { "failed" }.to_owned();
            let what = if result.chosen_by.is_some() { "sample, " } else { "" };
            let files = format!("{what}{} files", result.files);
            let took = seconds(result.took_ms);
            let certified = match &one.certified {
                Some((by, at, _)) => format!("by {by} at {}", local(*at)),
                None => "not yet".to_owned(),
            };
            let (run, host) = (one.run.rest().to_owned(), result.host.clone());
            table.row([run, local(one.at), word, files, size(result.bytes), took, host, certified]);
        }
        table
    })
}

fn certify(wanted: &Certify, format: Format) -> anyhow::Result<()> {
    let run = match &wanted.run {
        Some(run) => run.clone(),
        None => {
            let source = Source::open(&wanted.place)?;
            let dataset = dataset(&source, &wanted.dataset)?;
            let open = dataset.tests.iter().rev().find(|test| test.certified.is_none());
            let open = open.ok_or_else(|| {
                exit::not_found(format!("dataset {} has no test to certify", wanted.dataset))
            })?;
            open.run.rest().to_owned()
        }
    };
    let path = format!("/api/v1/datasets/{}/certify", wanted.dataset);
    let mut body = json!({"run": run, "statement": wanted.statement});
    if let Some(action) = &wanted.corrective_action {
        body["corrective_action"] = json!(action);
    }
    act(&wanted.place, &path, &body, format)
}
