//! Listing, checking and restoring with restic.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Restic;
use super::nodes::nodes;
use super::program::{failed, pattern, said};
use crate::context::lock;
use crate::engine::{Answer, Ended};
use crate::manifest::{Manifest, hex};
use crate::problem::{Problem, io};
use crate::report::{
    CheckReport, Done, Line, ListReport, MOST_NAMED, ManifestInfo, Outcome, ProblemKind,
    RestoreReport, SnapshotInfo, Warning,
};
use crate::request::{Check, List, Read, Restore};
use crate::rustic::list::{MOST_SNAPSHOTS, linked, raw};
use crate::rustic::read::{Found, in_parallel, threads};
use crate::rustic::restore::{judged, refuse_target};
use crate::target;

/// Into how many parts restic divides the packs at most: by the first byte of their names.
const MOST_PARTS: u32 = 256;

/// A snapshot as restic says it.
#[derive(Deserialize)]
struct Said {
    id: String,
    time: jiff::Timestamp,
    tree: String,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    program_version: String,
    #[serde(default)]
    original: Option<String>,
    #[serde(default)]
    summary: Option<BTreeMap<String, serde_json::Value>>,
}

impl Said {
    fn info(self) -> SnapshotInfo {
        let bytes = self.summary.as_ref().and_then(|s| s.get("total_bytes_processed"));
        raw(SnapshotInfo {
            id: self.id,
            tags: self.tags.unwrap_or_default(),
            host: self.hostname,
            time: self.time.as_microsecond(),
            paths: self.paths,
            tree: self.tree,
            program: self.program_version,
            bytes: bytes.and_then(serde_json::Value::as_u64),
            original: self.original,
            ..SnapshotInfo::default()
        })
    }
}

fn bad_answer(error: serde_json::Error) -> Problem {
    let message = format!("reading what restic answered: {error}");
    Problem::new(ProblemKind::Internal, message)
}

/// Every snapshot, manifests too, newest first.
pub(super) fn snapshots(engine: &Restic<'_>) -> Result<Vec<SnapshotInfo>, Problem> {
    let arguments = ["snapshots", "--json", "--no-lock"];
    parsed(&engine.program.must("listing the snapshots", &arguments)?)
}

/// What `restic snapshots --json` answered.
pub(super) fn parsed(answer: &[u8]) -> Result<Vec<SnapshotInfo>, Problem> {
    let said: Option<Vec<Said>> = serde_json::from_slice(answer).map_err(bad_answer)?;
    let mut all: Vec<SnapshotInfo> = said.unwrap_or_default().into_iter().map(Said::info).collect();
    all.sort_by(|a, b| (b.time, &b.id).cmp(&(a.time, &a.id)));
    Ok(all)
}

/// The id in the repository's configuration.
pub(super) fn repository_id(engine: &Restic<'_>) -> Result<String, Problem> {
    #[derive(Deserialize)]
    struct Config {
        id: String,
    }
    let answer =
        engine.program.must("reading the configuration", &["cat", "config", "--no-lock"])?;
    let config: Config = serde_json::from_slice(&answer).map_err(bad_answer)?;
    Ok(config.id)
}

pub(super) fn list(engine: &Restic<'_>, asked: &List) -> Answer {
    let mut report = ListReport { repository: repository_id(engine)?, ..ListReport::default() };
    for info in linked(snapshots(engine)?) {
        if asked.dataset.is_none() || info.dataset == asked.dataset {
            engine.context.line(Line::Snapshot(Box::new(info.clone())));
            report.snapshots.push(info, MOST_SNAPSHOTS);
        }
    }
    Ok(Ended::good(Done::List(report)))
}

pub(super) fn check(engine: &Restic<'_>, asked: &Check) -> Answer {
    if !asked.snapshots.is_empty() {
        let message = "checking with restic: it checks all snapshots, not single ones";
        return Err(Problem::new(ProblemKind::Unsupported, message));
    }
    if let Read::Packs { of, .. } = asked.read
        && of > MOST_PARTS
    {
        let message = format!(
            "checking one of {of} parts with restic: it knows {MOST_PARTS} parts at most; ask for \
             as many or fewer"
        );
        return Err(Problem::new(ProblemKind::BadRequest, message));
    }
    let read = match asked.read {
        Read::All => vec!["--read-data".to_owned()],
        Read::Nothing => Vec::new(),
        Read::Percent(percent) => vec![format!("--read-data-subset={percent}%")],
        Read::Packs { part, of } => vec![format!("--read-data-subset={part}/{of}")],
    };
    let mut report = examine(engine, read)?;
    report.packs = engine.packs()?.len() as u64;
    if report.good {
        return Ok(Ended::good(Done::Check(report)));
    }
    let message = format!("restic found errors in {}", engine.repository.location);
    Ok(Ended::with(Done::Check(report), Outcome::Failed, ProblemKind::Damaged, message))
}

pub(super) fn second(engine: &Restic<'_>, bytes: u64) -> Result<CheckReport, Problem> {
    let kib = bytes.div_ceil(1024).max(1);
    examine(engine, vec![format!("--read-data-subset={kib}K")])
}

/// Checks without a lock: restic's would be exclusive, and keep every backup out while it reads. Whoever asks holds
/// the lease on the repository, which keeps those out who remove; restic lists the snapshots before it reads the index,
/// so that it misses nothing of a backup that ends meanwhile.
pub(super) fn examine(engine: &Restic<'_>, read: Vec<String>) -> Result<CheckReport, Problem> {
    engine.context.meter.phase("check with restic", 0);
    let fixed = ["check", "--no-lock"].map(str::to_owned);
    let arguments: Vec<String> = fixed.into_iter().chain(read).collect();
    let output = engine.program.call(&arguments)?;
    let mut report = CheckReport { engine: engine.program.name(), ..CheckReport::default() };
    report.good = output.status.success();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (snapshots, packs) = counted(&text);
    (report.snapshots, report.packs_read) = (snapshots, packs);
    if report.good {
        return Ok(report);
    }
    let problem = failed("checking", &output);
    if problem.kind != ProblemKind::Damaged {
        return Err(problem);
    }
    report.errors.push(said(&output), MOST_NAMED);
    for pack in packs_named(&said(&output)) {
        report.damaged_packs.push(pack, MOST_NAMED);
    }
    Ok(report)
}

/// The numbers in `[0:00] 100.00%  2 / 2 packs`.
fn counted(text: &str) -> (u64, u64) {
    let number = |what: &str| {
        let line = text.lines().rfind(|line| line.trim_end().ends_with(what))?;
        line.rsplit_once('/')?.1.split_whitespace().next()?.parse().ok()
    };
    (number("snapshots").unwrap_or(0), number("packs").unwrap_or(0))
}

/// Ids with all digits after the word pack or want.
fn packs_named(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let is_id = |word: &str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let named = words.windows(2).filter(|w| ["pack", "want"].contains(&w[0]) && is_id(w[1]));
    let mut packs: Vec<String> = named.map(|w| w[1].to_owned()).collect();
    packs.sort();
    packs.dedup();
    packs
}

pub(super) fn restore(engine: &Restic<'_>, asked: &Restore) -> Answer {
    let began = Instant::now();
    refuse_target(asked)?;
    let snapshot = named(&linked(snapshots(engine)?), &asked.snapshot)?;
    let place = Place::new(asked, &snapshot);
    let mut report = RestoreReport { snapshot: snapshot.id.clone(), ..RestoreReport::default() };
    if asked.dry_run {
        count(engine, asked, &snapshot, &place, &mut report)?;
        report.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        return Ok(judged(report, asked));
    }
    let manifest = manifest(engine, &snapshot)?;
    fetch(engine, asked, &snapshot, &place, &mut report)?;
    missing(asked, &place, &mut report)?;
    if let Some(Found { manifest, info }) = manifest {
        report.manifest = Some(info.sha256);
        compare(engine, asked, &manifest, &place, &mut report);
    }
    if report.damaged.count + report.differences.count == 0 {
        let tried = format!("moving {} into place", place.part.display());
        put_in_place(&place, asked).map_err(io(ProblemKind::Target, tried))?;
        report.complete = true;
    }
    report.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(judged(report, asked))
}

pub(super) fn named(all: &[SnapshotInfo], id: &str) -> Result<SnapshotInfo, Problem> {
    let mut found = all.iter().filter(|s| id.len() >= 4 && s.id.starts_with(id));
    match (found.next(), found.next()) {
        (Some(snapshot), None) => Ok(snapshot.clone()),
        (None, _) | (Some(_), Some(_)) => {
            let message = format!("there is not exactly one snapshot {id:?}: list the snapshots");
            Err(Problem::new(ProblemKind::NotFound, message))
        }
    }
}

/// The manifest of a snapshot, where it has one.
pub(super) fn manifest(
    engine: &Restic<'_>,
    snapshot: &SnapshotInfo,
) -> Result<Option<Found>, Problem> {
    let Some(holder) = &snapshot.manifest else { return Ok(None) };
    let arguments = ["dump", "--no-lock", holder, crate::manifest::PATH];
    let bytes = engine.program.must("reading the manifest", &arguments)?;
    let manifest = Manifest::read(&bytes)?;
    let info = ManifestInfo {
        snapshot: holder.clone(),
        sha256: hex(&Sha256::digest(&bytes)),
        bytes: bytes.len() as u64,
        entries: manifest.entries.len() as u64,
    };
    Ok(Some(Found { manifest, info }))
}

/// Where restic restores to: below a working directory, with the whole path.
struct Place {
    part: PathBuf,
    inside: PathBuf,
}

impl Place {
    fn new(asked: &Restore, snapshot: &SnapshotInfo) -> Self {
        let inside = asked.path.as_ref().map_or(Path::new(""), |path| path.path());
        Self {
            part: target::working_dir(asked.to.path(), &snapshot.id),
            inside: inside.strip_prefix("/").unwrap_or(inside).to_owned(),
        }
    }

    /// Where a path of the snapshot is, when it was asked for.
    fn of(&self, path: &Path, asked: &Restore) -> Option<PathBuf> {
        let relative = path.strip_prefix("/").unwrap_or(path);
        let inside = relative.starts_with(&self.inside);
        let sample = asked.sample.as_ref();
        let wanted = sample.is_none_or(|sample| sample.iter().any(|s| s.path() == path));
        (inside && wanted).then(|| self.part.join(relative))
    }
}

fn fetch(
    engine: &Restic<'_>,
    asked: &Restore,
    snapshot: &SnapshotInfo,
    place: &Place,
    report: &mut RestoreReport,
) -> Result<(), Problem> {
    engine.context.meter.phase("restore with restic", 0);
    let tried = format!("creating {}", place.part.display());
    // What another restore left there could be anything.
    if place.part.exists() {
        std::fs::remove_dir_all(&place.part).map_err(io(ProblemKind::Target, tried.clone()))?;
    }
    target::fresh_dir(&place.part).map_err(io(ProblemKind::Target, tried))?;
    let mut arguments: Vec<OsString> = vec!["restore".into(), snapshot.id.clone().into()];
    arguments.extend(["--target".into(), place.part.clone().into_os_string()]);
    let sample = asked.sample.iter().flatten().map(|path| path.path());
    let all = asked.sample.is_some() || place.inside.as_os_str().is_empty();
    let inside = asked.path.iter().filter(|_| !all).map(|path| path.path());
    for path in sample.chain(inside) {
        arguments.extend(["--include".into(), pattern(path)]);
    }
    if engine.program.knows_holes() {
        arguments.push("--sparse".into());
    }
    arguments.extend(engine.program.patience().iter().map(OsString::from));
    let output = engine.program.call(&arguments)?;
    if output.status.success() {
        return Ok(());
    }
    let problem = failed("restoring", &output);
    if problem.kind != ProblemKind::Damaged {
        return Err(problem);
    }
    report.damaged.push(Warning { path: None, message: problem.message }, MOST_NAMED);
    Ok(())
}

/// Says what a restore would bring.
fn count(
    engine: &Restic<'_>,
    asked: &Restore,
    snapshot: &SnapshotInfo,
    place: &Place,
    report: &mut RestoreReport,
) -> Result<(), Problem> {
    nodes(engine, &snapshot.id, None, |node| {
        if place.of(Path::new(&node.path), asked).is_none() {
            return;
        }
        match node.kind.as_str() {
            "file" => {
                report.files += 1;
                report.bytes += node.size;
            }
            "dir" => report.dirs += 1,
            _ => report.others += 1,
        }
    })
}

/// Names what was asked for and did not come.
fn missing(asked: &Restore, place: &Place, report: &mut RestoreReport) -> Result<(), Problem> {
    let came = |path: &Path| place.part.join(path).symlink_metadata().is_ok();
    if report.damaged.count == 0 && asked.sample.is_none() && !came(&place.inside) {
        let message = format!(
            "restoring /{}: the snapshot {} does not hold it",
            place.inside.display(),
            report.snapshot
        );
        return Err(Problem::new(ProblemKind::NotFound, message));
    }
    for path in asked.sample.iter().flatten() {
        if !came(path.path().strip_prefix("/").unwrap_or(path.path())) {
            let message = "it was asked for and did not come".to_owned();
            report.damaged.push(Warning { path: Some(path.clone()), message }, MOST_NAMED);
        }
    }
    Ok(())
}

fn compare(
    engine: &Restic<'_>,
    asked: &Restore,
    manifest: &Manifest,
    place: &Place,
    report: &mut RestoreReport,
) {
    let wanted: Vec<_> = manifest
        .entries
        .iter()
        .filter_map(|entry| Some((entry, place.of(entry.path.path(), asked)?)))
        .collect();
    let of = |kind: &str| wanted.iter().filter(|(e, _)| e.kind == kind).count() as u64;
    (report.files, report.dirs) = (of("file"), of("dir"));
    report.others = wanted.len() as u64 - report.files - report.dirs;
    report.bytes = wanted.iter().map(|(entry, _)| entry.size).sum();
    if !asked.compare {
        return;
    }
    engine.context.meter.phase("compare", report.bytes);
    let differences = Mutex::new(std::mem::take(&mut report.differences));
    in_parallel(threads(), &wanted, |(entry, place)| {
        if let Some(message) = target::difference(entry, place) {
            let warning = Warning { path: Some(entry.path.clone()), message };
            lock(&differences).push(warning, MOST_NAMED);
        }
        engine.context.meter.bytes(entry.size);
    });
    report.compared = wanted.len() as u64;
    report.differences = std::mem::take(&mut lock(&differences));
}

/// Moves what was asked for; what restic made above it goes.
fn put_in_place(place: &Place, asked: &Restore) -> std::io::Result<()> {
    let whole = place.part.join(&place.inside);
    // A single file comes into the target under its name.
    let from = match whole.symlink_metadata() {
        Ok(meta) if meta.is_dir() => whole.as_path(),
        Ok(_) => whole.parent().unwrap_or(&place.part),
        Err(_) => &place.part,
    };
    target::put_in_place(from, asked.to.path(), asked.overwrite)?;
    if place.part.exists() {
        std::fs::remove_dir_all(&place.part)?;
    }
    Ok(())
}
