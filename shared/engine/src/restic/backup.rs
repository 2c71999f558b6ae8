//! Writing a snapshot and its manifest, and looking at what was written.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{PipeWriter, Write as _};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::Restic;
use super::dump::{Dumped, dump};
use super::hashes::{Hashes, stored};
use super::packs::Packs;
use super::read::{manifest, snapshots};
use super::run::{Input, Saved, Unfed, backup as run};
use super::settle::{Settled, only_file, settle};
use super::source::Source as Seen;
use crate::context::CANCELLED;
use crate::dump::path_of;
use crate::engine::Answer;
use crate::hooks::around;
use crate::manifest::{Manifest, hex};
use crate::problem::{Problem, io};
use crate::report::{
    BackupReport, CheckReport, Counted, MOST_NAMED, ManifestInfo, ProblemKind, SnapshotInfo,
    Warning,
};
use crate::request::{Backup, Command, Paths, Source};
use crate::rustic::Rustic;
use crate::rustic::list::{MOST_SNAPSHOTS, linked, manifest_tags, tags};
use crate::verdict;

pub(super) fn backup(engine: &Restic<'_>, asked: &Backup) -> Answer {
    engine.program.must_write("backing up")?;
    if let Some(tag) = tags(asked).into_iter().find(|tag| tag.contains(',')) {
        let message = format!("the tag {tag:?} has a comma: restic would take it for two");
        return Err(Problem::new(ProblemKind::BadRequest, message));
    }
    around(asked, &engine.context, || write(engine, asked))
}

/// What the repository was before.
struct Before {
    packs: Packs,
    snapshots: Vec<SnapshotInfo>,
    reused: u64,
}

/// A snapshot, and what is known of what is in it.
struct Written {
    saved: Saved,
    settled: Settled,
    sockets: u64,
}

fn write(engine: &Restic<'_>, asked: &Backup) -> Answer {
    let repository = engine.open_or_create()?;
    let reused = engine.recover()?;
    let before = Before { reused, packs: engine.packs()?, snapshots: snapshots(engine)? };
    let parent = Parent::find(engine, asked, &before.snapshots)?;
    let written = match &asked.source {
        Source::Paths(paths) => files(engine, asked, paths, parent.as_ref()),
        Source::Command(command) => output(engine, asked, command),
    };
    let written = written.inspect_err(|_| engine.take_back(asked, &before.snapshots))?;
    let kept = keep(engine, asked, &written);
    // A snapshot without its manifest is none of ours.
    let (manifest, info) = kept.inspect_err(|_| engine.take_back(asked, &before.snapshots))?;
    let mut report = report(written, &manifest);
    (report.repository, report.parent) = (repository, parent.map(|parent| parent.id));
    (report.manifest, report.reused_packs) = (info, before.reused);
    conclude(engine, asked, &before.packs, report)
}

/// The newest snapshot of the dataset that has a readable manifest: whatever of it is unchanged need not be read again,
/// because its hashes are known.
struct Parent {
    id: String,
    manifest: Manifest,
}

impl Parent {
    fn find(
        engine: &Restic<'_>,
        asked: &Backup,
        all: &[SnapshotInfo],
    ) -> Result<Option<Self>, Problem> {
        let Source::Paths(_) = &asked.source else { return Ok(None) };
        let of_dataset = linked(all.to_vec());
        let of_dataset = of_dataset.iter().filter(|s| s.dataset.as_ref() == Some(&asked.dataset));
        for snapshot in of_dataset {
            engine.context.cancel.check()?;
            match manifest(engine, snapshot) {
                Ok(Some(found)) => {
                    let (id, manifest) = (snapshot.id.clone(), found.manifest);
                    return Ok(Some(Self { id, manifest }));
                }
                Ok(None) => {}
                Err(problem) => engine.context.warn(None, problem.message),
            }
        }
        Ok(None)
    }
}

fn arguments(engine: &Restic<'_>, asked: &Backup, tags: &[String]) -> Vec<OsString> {
    let fixed = ["backup", "--json", "--verbose=2", "--no-scan"];
    let fixed = fixed.iter().chain(engine.program.patience());
    let mut arguments: Vec<OsString> = fixed.map(OsString::from).collect();
    arguments.extend(["--host".into(), asked.host.clone().into()]);
    for tag in tags {
        arguments.extend(["--tag".into(), tag.into()]);
    }
    arguments
}

fn files(
    engine: &Restic<'_>,
    asked: &Backup,
    paths: &Paths,
    parent: Option<&Parent>,
) -> Result<Written, Problem> {
    let source = Seen::see(paths, &engine.context)?;
    let mut arguments = arguments(engine, asked, &tags(asked));
    match parent {
        Some(parent) => arguments.extend(["--parent".into(), parent.id.clone().into()]),
        None => arguments.push("--force".into()),
    }
    if paths.one_file_system {
        arguments.push("--one-file-system".into());
    }
    if !source.left_out.is_empty() {
        arguments.extend(["--exclude-file".into(), "/dev/stdin".into()]);
    }
    arguments.push("--".into());
    arguments.extend(source.roots.iter().map(OsString::from));
    engine.context.meter.phase("backup", source.entries.values().map(|e| e.size).sum());
    let (hashes, sockets) = (Hashes::default(), source.sockets);
    let left_out = source.left_out.clone();
    let mut saved = hashes.beside(&engine.context.cancel, |hear| {
        run(engine, &arguments, Input::Lines(&left_out), hear)
    })?;
    engine.commit()?;
    let (id, errors) = (&saved.summary.snapshot_id, std::mem::take(&mut saved.errors));
    let parent = parent.map(|parent| &parent.manifest);
    let settled = settle(engine, id, source, errors, &hashes, parent)?;
    Ok(Written { saved, settled, sockets })
}

fn output(engine: &Restic<'_>, asked: &Backup, command: &Command) -> Result<Written, Problem> {
    let path = path_of(command)?;
    let mut dumped = Dumped::default();
    let mut write = |to: &mut PipeWriter| {
        dumped = dump(command, &engine.context, to)?;
        Ok(())
    };
    engine.context.meter.phase("backup", 0);
    let saved = from_pipe(engine, arguments(engine, asked, &tags(asked)), &path, &mut write)?;
    engine.commit()?;
    let id = &saved.summary.snapshot_id;
    let lost = || {
        let message = format!("the snapshot {id} does not hold the {} bytes", dumped.bytes);
        Problem::new(ProblemKind::Damaged, message)
    };
    let mut entry = only_file(engine, id, &path)?.ok_or_else(lost)?;
    if entry.size != dumped.bytes {
        return Err(lost());
    }
    // Nobody can read a command's output twice: where all is to be read back, this is.
    if asked.read_back >= 100 && stored(engine, id, &path)?.0 != dumped.sha256 {
        return Err(lost());
    }
    entry.sha256 = Some(dumped.sha256.clone());
    let entries = BTreeMap::from([(path, entry)]);
    let settled = Settled { entries, errors: BTreeMap::new(), changed: Counted::default() };
    Ok(Written { saved, settled, sockets: 0 })
}

/// Saves one file that comes from us.
fn from_pipe(
    engine: &Restic<'_>,
    mut arguments: Vec<OsString>,
    path: &Path,
    write: &mut dyn FnMut(&mut PipeWriter) -> Result<(), Unfed>,
) -> Result<Saved, Problem> {
    let name = path.as_os_str().to_owned();
    arguments.extend(["--force".into(), "--stdin".into(), "--stdin-filename".into(), name]);
    run(engine, &arguments, Input::Data(write), &mut |_| {})
}

/// Stores the manifest beside its snapshot, and reads it back.
fn keep(
    engine: &Restic<'_>,
    asked: &Backup,
    written: &Written,
) -> Result<(Manifest, ManifestInfo), Problem> {
    let settled = &written.settled;
    let entries = settled.entries.values().cloned().collect();
    let snapshot = written.saved.summary.snapshot_id.clone();
    let manifest = Manifest::new(asked, snapshot, entries, settled.errors.len() as u64);
    let bytes = manifest.write().map_err(io(ProblemKind::Internal, "compressing the manifest"))?;
    let tags = manifest_tags(asked, &manifest.header.snapshot);
    let path = Path::new(crate::manifest::PATH);
    let mut write = |to: &mut PipeWriter| to.write_all(&bytes).map_err(|_| Unfed::Gone);
    let saved = from_pipe(engine, arguments(engine, asked, &tags), path, &mut write)?;
    let holder = saved.summary.snapshot_id;
    let sha256 = hex(&Sha256::digest(&bytes));
    if stored(engine, &holder, path)?.0 != sha256 {
        let message = format!("the manifest in the snapshot {holder} does not read back");
        return Err(Problem::new(ProblemKind::Damaged, message));
    }
    let info = ManifestInfo {
        snapshot: holder,
        sha256,
        bytes: bytes.len() as u64,
        entries: manifest.header.entries,
    };
    Ok((manifest, info))
}

fn report(written: Written, manifest: &Manifest) -> BackupReport {
    let Written { saved, settled, sockets } = written;
    let summary = saved.summary;
    let mut errors = Counted::default();
    for (path, message) in settled.errors {
        errors.push(Warning { path: Some(path.into()), message }, MOST_NAMED);
    }
    BackupReport {
        files_new: summary.files_new,
        files_changed: summary.files_changed,
        files_unmodified: summary.files_unmodified,
        added_bytes: summary.data_added,
        stored_bytes: summary.data_added_packed,
        errors,
        changed: settled.changed,
        skipped_sockets: sockets,
        ..manifest.counted()
    }
}

/// Looks at what is there now.
fn conclude(
    engine: &Restic<'_>,
    asked: &Backup,
    before: &Packs,
    mut report: BackupReport,
) -> Answer {
    for info in linked(snapshots(engine)?) {
        if info.id == report.snapshot {
            (report.tree, report.time) = (info.tree.clone(), info.time);
        }
        if info.dataset.as_ref() == Some(&asked.dataset) {
            report.present.push(info, MOST_SNAPSHOTS);
        }
    }
    let check = engine.read_again(before, report.stored_bytes, asked.read_back)?;
    let bytes = report.stored_bytes * u64::from(asked.read_back) / 100;
    report.second = second(engine, &report.snapshot, bytes)?;
    report.check = Some(check);
    Ok(verdict::backup(report))
}

/// What the engine built in says of the snapshot, where that is wished: it walks it and reads a share of its packs.
fn second(engine: &Restic<'_>, snapshot: &str, bytes: u64) -> Result<Option<CheckReport>, Problem> {
    if !engine.repository.second {
        return Ok(None);
    }
    let other = Rustic::new(engine.repository, engine.secrets, engine.context.clone());
    match other.second(snapshot, bytes) {
        Err(problem) if problem.kind == ProblemKind::Unsupported => {
            engine.context.warn(None, format!("no second check: {}", problem.message));
            Ok(None)
        }
        answer => answer.map(Some),
    }
}

impl Restic<'_> {
    /// Takes the right to keep the snapshot: what is asked to stop later comes too late.
    fn commit(&self) -> Result<(), Problem> {
        if self.context.cancel.commit() {
            return Ok(());
        }
        Err(Problem::new(ProblemKind::Internal, CANCELLED))
    }

    /// Removes what an attempt saved that came to nothing, and the lock of a restic that was killed.
    fn take_back(&self, asked: &Backup, before: &[SnapshotInfo]) {
        let undone = self.undo_snapshots(asked, before);
        if let Err(problem) = undone {
            let message = format!("taking back what a failed backup left: {}", problem.message);
            self.context.warn(None, message);
        }
    }
}

/// The snapshots of one attempt that were not there before.
pub(super) fn of_attempt(
    asked: &Backup,
    all: &[SnapshotInfo],
    before: &[SnapshotInfo],
) -> Vec<String> {
    let wanted = tags(asked);
    let new = |info: &&SnapshotInfo| !before.iter().any(|other| other.id == info.id);
    let ours = |info: &&SnapshotInfo| wanted.iter().all(|tag| info.tags.contains(tag));
    let data: Vec<String> = all.iter().filter(new).filter(ours).map(|s| s.id.clone()).collect();
    let of = |info: &&SnapshotInfo| {
        info.tags.iter().any(|t| data.iter().any(|id| t.strip_prefix("of=") == Some(id)))
    };
    let manifests = all.iter().filter(of).map(|info| info.id.clone());
    data.iter().cloned().chain(manifests).collect()
}
