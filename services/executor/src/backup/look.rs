//! Looking into snapshots for somebody at the console: names of files and nothing of what is in them.
//!
//! An engine is started as for a backup, under a supervisor, with the password looked up on this host; but it is no
//! attempt of a run: it has a directory of its own, its output is read here and removed, and nothing of it is said. That
//! somebody looked, the console says. It holds no lease: an engine reads the index once, and what a prune takes out of use
//! is removed by a later one only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use domain::backup::RepositoryDefinition;
use domain::backup::looking::{
    ANSWER_BYTES, LOOK_MS, Look, LookAt, Looked, Name, Sight, Unseen, disturbed,
};
use domain::ids::StreamId;
use domain::job::RESTORE_MEMORY_BYTES;
use domain::ledger::StreamState;
use domain::site::{Thing, ThingKind};
use engine::{Done, Entry, Line, Outcome as Ended, ProblemKind, Report};
use serde_json::Value;
use tracing::warn;

use super::engine_of;
use super::order::{BackupOrder, Touches};
use super::prepare::{engine_repository, secrets_of};
use super::task::{Task, Told};
use crate::attempt::{
    AtLimit, AttemptDir, Cause, Outcome, OutputLimit, Spec, State, Status, Stop, list,
};
use crate::host::Host;
use crate::life::{allowed, blocking, make_ready_in};

/// Looks at once on one host; who comes then is told to come again.
pub(crate) const AT_ONCE: usize = 2;
/// Most that is kept of what an engine says, in bytes.
const OUTPUT_BYTES: u64 = 8 * 1024 * 1024;
/// Memory of an engine that looks, in bytes.
const MEMORY_BYTES: u64 = RESTORE_MEMORY_BYTES;
/// How long an engine that is told to stop may take, in milliseconds.
const GRACE_MS: u64 = 2_000;
/// How long the end of an engine that was told to stop is waited for.
const LAST: Duration = Duration::from_secs(15);
/// Most sentences about what could not be read.
const UNREAD_MAX: usize = 20;
/// How long the recorder may take to say where a repository is.
const ASK: Duration = Duration::from_secs(5);

/// Looks, and says what it saw or why it saw nothing.
pub(crate) async fn look(host: &Arc<Host>, look: &Look) -> Sight {
    match seen(host, look).await {
        Ok(looked) => Sight::Looked(looked),
        Err(unseen) => Sight::Unseen(unseen),
    }
}

async fn seen(host: &Arc<Host>, look: &Look) -> Result<Looked, Unseen> {
    let _place = host.eyes.try_acquire().map_err(|_| {
        Unseen::Busy(format!(
            "{AT_ONCE} look into snapshots on host {} already: try again",
            host.name
        ))
    })?;
    let before = repository(host, &look.repository).await?;
    let spec = spec(host, look, &before.definition)?;
    let engine = {
        let host = Arc::clone(host);
        blocking(move || run(&host, &spec)).await
    };
    let said = engine.map_err(|error| Unseen::Failed(format!("host {}: {error:#}", host.name)))?;
    let answer = told(host, look, &said);
    // Who removes data there may be why something was not there.
    match answer {
        Err(unseen) if said.may_be_disturbed() => {
            let after = repository(host, &look.repository).await.ok();
            let holders = before.state.turn.holders.iter();
            let holders = holders.chain(after.iter().flat_map(|one| &one.state.turn.holders));
            Err(disturbed(unseen, holders))
        }
        other => other,
    }
}

/// A repository as the log knows it.
struct Known {
    definition: RepositoryDefinition,
    state: StreamState,
}

async fn repository(host: &Host, name: &str) -> Result<Known, Unseen> {
    let id = StreamId::thing(ThingKind::Repository, name);
    let asked = tokio::time::timeout(ASK, bus::recorder::stream(&host.bus, &id)).await;
    let failed = |why: String| Unseen::Failed(format!("host {} asks the log: {why}", host.name));
    let state = match asked {
        Ok(Ok(state)) => state,
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed("no answer".to_owned())),
    };
    let not_there = || Unseen::NotThere(format!("there is no active repository {name}"));
    let state = state.ok_or_else(not_there)?;
    let read = {
        let span = state.body.thing().and_then(|thing| thing.active()).ok_or_else(not_there)?;
        domain::site::state::read(ThingKind::Repository, span)
    };
    match read {
        Some(Thing::Repository(definition)) => Ok(Known { definition: *definition, state }),
        Some(_) | None => {
            let text = format!("repository {name} cannot be read: upgrade this executor");
            Err(Unseen::Failed(text))
        }
    }
}

/// What a supervisor is told, with the host's own word in it.
fn spec(host: &Host, look: &Look, repository: &RepositoryDefinition) -> Result<Spec, Unseen> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let not_allowed = |why: String| Unseen::NotAllowed(why);
    let run_as = host.allow.looks_as(&host.user).map_err(|why| not_allowed(why.to_string()))?;
    let request = engine::Request {
        // The one that is built in reads whatever either writes.
        repository: engine::Repository {
            engine: engine::EngineName::Rustic,
            ..engine_repository(host, repository, false)
        },
        operation: operation(look),
    };
    let stdin = serde_json::to_string(&Task::Look(Box::new(request)))
        .map_err(|error| Unseen::Failed(format!("the order cannot be written: {error}")))?;
    let repositories = vec![repository.location.clone()];
    let touches = Touches { repositories, ..Touches::default() };
    let spec = Spec {
        run: format!("look/{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)),
        attempt: 1,
        job: "look".to_owned(),
        business_date: None,
        refused: None,
        program: engine_of(host),
        cwd: None,
        env: BTreeMap::new(),
        secrets: secrets_of(repository, engine::process::PASSWORD, ""),
        providers: BTreeMap::new(),
        run_as,
        timeout_ms: Some(LOOK_MS),
        stop: Stop { signal: "TERM".to_owned(), grace_ms: GRACE_MS },
        output: OutputLimit {
            bytes: OUTPUT_BYTES,
            at_limit: AtLimit::Truncate,
            bytes_per_second: None,
            success_text: Vec::new(),
            failure_text: Vec::new(),
        },
        stdin: Some(stdin),
        cgroup: host.cgroup.clone(),
        memory_bytes: Some(MEMORY_BYTES),
        backup: Some(Box::new(BackupOrder { touches, ..BackupOrder::default() })),
        print: None,
        print_touches: None,
        artefacts: BTreeMap::new(),
        memo: Value::Null,
    };
    let spec = allowed(host, spec);
    match &spec.refused {
        Some(why) => Err(not_allowed(why.clone())),
        None => Ok(spec),
    }
}

fn operation(look: &Look) -> engine::Operation {
    // One more than is told: then it is known that there are more.
    let limit = u64::from(look.limit) + 1;
    match &look.at {
        LookAt::Browse { snapshot, path } => engine::Operation::Browse(engine::Browse {
            snapshot: snapshot.to_string(),
            path: file_path(path),
            limit,
        }),
        LookAt::Find { pattern } => engine::Operation::Find(engine::Find {
            pattern: pattern.clone(),
            dataset: Some(look.dataset.clone()),
            snapshots: Vec::new(),
            limit,
        }),
        LookAt::Diff { a, b } => {
            engine::Operation::Diff(engine::Diff { a: a.to_string(), b: b.to_string() })
        }
    }
}

/// As names are told: `\\` and `\xHH` stand for bytes. What is no such text is meant as it stands.
fn file_path(text: &str) -> engine::FilePath {
    text.parse().unwrap_or_else(|_| text.into())
}

/// What an engine said, and how it ended.
struct Said {
    status: Status,
    output: Vec<u8>,
    report: Option<Report>,
}

impl Said {
    /// Whether what went wrong can come of data that was removed meanwhile.
    fn may_be_disturbed(&self) -> bool {
        let kind = self.report.as_ref().and_then(|report| report.kind);
        matches!(
            kind,
            Some(ProblemKind::Damaged | ProblemKind::NotFound | ProblemKind::Unreachable)
        )
    }
}

/// Runs the engine to its end, and leaves nothing of it.
fn run(host: &Host, spec: &Spec) -> anyhow::Result<Said> {
    let dir = make_ready_in(&host.looks, spec)?;
    let said = live(host, &dir);
    if said.is_err() {
        // What does not end by itself is ended.
        let _ = dir.cancel("nobody waits for it any more");
        let _ = dir.kill_leftovers();
    }
    if let Err(error) = dir.remove() {
        warn!(path = %dir.path().display(), %error, "what an engine said of snapshots stays until the next start");
    }
    said
}

fn live(host: &Host, dir: &AttemptDir) -> anyhow::Result<Said> {
    dir.start(&host.supervisors)?;
    let longest = Duration::from_millis(LOOK_MS + GRACE_MS) + LAST;
    let status = match dir.wait(longest)? {
        Some(State::Ended(status)) => status,
        Some(State::Vanished | State::Prepared | State::Disowned) => {
            anyhow::bail!("the engine's supervisor ended without a word")
        }
        Some(State::Running { .. }) | None => anyhow::bail!("the engine does not end"),
    };
    let report = dir.report()?;
    let report = report.and_then(|bytes| serde_json::from_slice::<Told>(&bytes).ok());
    let report = report.map(|told| told.report);
    Ok(Said { status, output: dir.output(0).context("reading what the engine said")?, report })
}

/// From what an engine said to what is told.
fn told(host: &Host, look: &Look, said: &Said) -> Result<Looked, Unseen> {
    let report = match &said.report {
        Some(report) if report.outcome == Ended::Good => report,
        Some(report) => return Err(unseen(host, report, &said.status)),
        None => return Err(Unseen::Failed(no_report(host, &said.status))),
    };
    let (mut names, mut unread, mut bytes, mut more) = (Vec::new(), Vec::new(), 0, false);
    for line in said.output.split(|byte| *byte == b'\n') {
        match serde_json::from_slice::<Line>(line) {
            Ok(Line::Entry(entry)) => {
                bytes += line.len();
                if names.len() < look.limit as usize && bytes <= ANSWER_BYTES {
                    names.push(name(entry));
                } else {
                    more = true;
                }
            }
            Ok(Line::Warning(warning)) if unread.len() < UNREAD_MAX => {
                unread.push(warning.to_string().chars().take(500).collect());
            }
            // What is no line was said for people, or is cut.
            Ok(Line::Warning(_) | Line::Progress(_) | Line::Snapshot(_) | Line::Report(_))
            | Err(_) => {}
        }
    }
    let all = count(report).unwrap_or_default();
    Ok(Looked {
        host: host.name.clone(),
        dataset: look.dataset.clone(),
        repository: look.repository.clone(),
        more: more || all > names.len() as u64,
        names,
        unread,
    })
}

/// How many names there are, as far as the engine looked.
fn count(report: &Report) -> Option<u64> {
    match report.result.as_ref()? {
        Done::Browse(one) => Some(one.entries.count),
        Done::Find(one) => Some(one.hits.count),
        Done::Diff(one) => Some(one.entries.count),
        Done::Init(_)
        | Done::Backup(_)
        | Done::List(_)
        | Done::Check(_)
        | Done::Restore(_)
        | Done::Forget(_)
        | Done::Prune(_)
        | Done::Repair(_)
        | Done::Copy(_)
        | Done::Manifest(_) => None,
    }
}

fn name(entry: Entry) -> Name {
    Name {
        snapshot: entry.snapshot,
        path: entry.path.to_string(),
        kind: entry.kind,
        size: entry.size,
        mtime: entry.mtime,
        mode: entry.mode,
        change: entry.change,
    }
}

fn unseen(host: &Host, report: &Report, status: &Status) -> Unseen {
    if status.cause != Cause::Own {
        return Unseen::Failed(no_report(host, status));
    }
    let problem = report.problem.clone().unwrap_or_else(|| "the engine did not say why".to_owned());
    match report.kind {
        Some(ProblemKind::NotFound) => Unseen::NotThere(problem),
        Some(ProblemKind::BadRequest) => Unseen::Unclear(problem),
        Some(_) | None => Unseen::Failed(format!("host {}: {problem}", host.name)),
    }
}

/// Why there is no report, as far as the supervisor saw it.
fn no_report(host: &Host, status: &Status) -> String {
    let why = match (&status.cause, &status.outcome) {
        (Cause::Timeout, _) => format!(
            "it took longer than {} s: ask for less, with a longer path or pattern",
            LOOK_MS / 1_000
        ),
        (Cause::Memory, _) => {
            format!(
                "out of memory: the limit was {MEMORY_BYTES} bytes; look from another host, or restore"
            )
        }
        (_, Outcome::NotStarted { message }) => message.clone(),
        (_, Outcome::Signaled { signal }) => format!("the engine was killed (signal {signal})"),
        (_, Outcome::Exited { code }) => format!("the engine ended with {code} and said nothing"),
    };
    format!("host {}: {why}", host.name)
}

/// Ends and removes what an executor left that was killed while somebody looked.
pub(crate) fn clear(looks: &Path) -> anyhow::Result<()> {
    if !looks.exists() {
        return Ok(());
    }
    for dir in list(looks)? {
        if let Err(error) = dir.kill_leftovers() {
            warn!(path = %dir.path().display(), %error, "an engine that looked cannot be ended");
        }
    }
    std::fs::remove_dir_all(looks).with_context(|| format!("clearing {}", looks.display()))
}

/// Where such engines have their directories.
pub(crate) fn looks_beside(attempts: &Path) -> PathBuf {
    attempts.with_file_name("looks")
}
