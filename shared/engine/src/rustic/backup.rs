//! Writing a snapshot and its manifest, and looking at what was written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustic_core::repofile::{Metadata, Node, NodeType, SnapshotFile};
use rustic_core::{
    BackupOptions, Id, ParentOptions, ReadSource, ReadSourceEntry, ReadSourceOpen, RusticResult,
    SnapshotOptions,
};
use sha2::{Digest, Sha256};

use super::Rustic;
use super::check::hex_id;
use super::list::{self, is_of};
use super::read::{Found, Indexed};
use super::upkeep::{Mended, mend};
use super::verify::verify;
use crate::dump::Dump;
use crate::engine::Answer;
use crate::hooks::around;
use crate::ledger::{Files, Ledger, State, hash_file, roots};
use crate::manifest::{self, Entry, Manifest, hex};
use crate::problem::{Problem, io, rustic};
use crate::report::{
    BackupReport, CheckReport, MOST_NAMED, ManifestInfo, ProblemKind, RepairReport, Warning,
};
use crate::request::{Backup, Source};
use crate::restic::Restic;
use crate::verdict;

pub(super) fn backup(engine: &Rustic<'_>, asked: &Backup) -> Answer {
    around(asked, &engine.context, || write(engine, asked))
}

fn write(engine: &Rustic<'_>, asked: &Backup) -> Answer {
    let opened = engine.open_or_create()?;
    let Mended { added, report: mended } = mend(&opened)?;
    tell(&mended, engine);
    let indexed = engine.index(opened)?;
    let parent = Parent::find(&indexed, asked, engine);
    let (written, mut state) = archive(engine, asked, &indexed, parent.as_ref())?;
    complete(&mut state, parent.as_ref());
    let (manifest, info) = keep_manifest(&indexed, asked, &written, state.entries, &state.errors)?;
    let mut packs = indexed.gate.packs();
    packs.extend(&added);
    drop(indexed);
    let mut report = report(&written, &manifest);
    (report.errors, report.changed) = (state.errors, state.changed);
    (report.skipped_sockets, report.manifest) = (state.sockets, info);
    report.reused_packs = added.len() as u64;
    conclude(engine, asked, &manifest, &packs, report)
}

fn tell(mended: &RepairReport, engine: &Rustic<'_>) {
    if mended.packs_added > 0 {
        let message = format!("took {} packs of an unfinished run over", mended.packs_added);
        engine.context.warn(None, message);
    }
    if mended.packs_torn.count > 0 {
        let message = format!("set {} torn packs aside, named *.torn", mended.packs_torn.count);
        engine.context.warn(None, message);
    }
    if mended.packs_missing > 0 {
        let message = format!(
            "{} packs are missing or cut: older snapshots are damaged; check the repository",
            mended.packs_missing
        );
        engine.context.warn(None, message);
    }
}

/// Opens the repository afresh and looks at what is there now.
fn conclude(
    engine: &Rustic<'_>,
    asked: &Backup,
    manifest: &Manifest,
    packs: &BTreeMap<Id, u64>,
    mut report: BackupReport,
) -> Answer {
    let opened = engine.open()?;
    let catalogue = opened.catalogue()?;
    let indexed = engine.index(opened)?;
    report.repository = indexed.id.clone();
    report.present = list::present(&indexed.snapshots, Some(&asked.dataset));
    let check = verify(&indexed, &catalogue, manifest, packs, asked.read_back, &engine.context)?;
    report.second = second(engine, report.stored_bytes * u64::from(asked.read_back) / 100)?;
    report.check = Some(check);
    Ok(verdict::backup(report))
}

/// What an installed restic says of the repository, where that is wished.
///
/// It walks everything and reads packs chosen by chance, as many bytes as the run wrote.
fn second(engine: &Rustic<'_>, bytes: u64) -> Result<Option<CheckReport>, Problem> {
    if !engine.repository.second {
        return Ok(None);
    }
    let restic = match Restic::find(engine.repository, engine.secrets, engine.context.clone()) {
        Ok(restic) => restic,
        Err(problem) => {
            engine.context.warn(None, format!("no second check: {}", problem.message));
            return Ok(None);
        }
    };
    restic.second(bytes).map(Some)
}

/// The newest snapshot of the dataset that has a readable manifest: whatever of it is unchanged
/// need not be read again, because its hashes are known.
struct Parent {
    id: String,
    found: Found,
}

impl Parent {
    fn find(indexed: &Indexed, asked: &Backup, engine: &Rustic<'_>) -> Option<Self> {
        let Source::Paths(_) = &asked.source else { return None };
        let of_dataset = indexed.snapshots.iter().filter(|s| is_of(s, &asked.dataset));
        for snapshot in of_dataset {
            match indexed.manifest_of(snapshot) {
                Ok(Some(found)) => return Some(Self { id: hex_id(*snapshot.id), found }),
                Ok(None) => {}
                Err(problem) => engine.context.warn(None, problem.message),
            }
        }
        None
    }
}

fn archive(
    engine: &Rustic<'_>,
    asked: &Backup,
    indexed: &Indexed,
    parent: Option<&Parent>,
) -> Result<(SnapshotFile, State), Problem> {
    let context = &engine.context;
    context.meter.phase("backup", 0);
    let ledger = Arc::new(Ledger::new(context.meter.clone(), context.cancel.clone()));
    let blank = blank(asked, list::tags(asked))?;
    let written = match &asked.source {
        Source::Paths(paths) => {
            let source = Files::new(paths, ledger.clone(), indexed.gate.clone())?;
            store(indexed, &source, blank, &roots(paths)?, parent)
        }
        Source::Command(command) => {
            let source = Dump::new(command, ledger.clone(), indexed.gate.clone())?;
            store(indexed, &source, blank, &[source.path()], None)
        }
    };
    let state = ledger.take();
    let written = written.map_err(|problem| refused(problem, indexed, &state))?;
    Ok((written, state))
}

/// Why the gate let no snapshot through, if it was the gate.
fn refused(problem: Problem, indexed: &Indexed, state: &State) -> Problem {
    let Some(reason) = indexed.gate.forbidden() else { return problem };
    let first = state.errors.first.first();
    let first = first.map_or_else(String::new, |e| format!(" (first: {})", e.message));
    Problem::new(ProblemKind::Source, format!("backing up: {reason}{first}"))
}

fn store<R>(
    indexed: &Indexed,
    source: &R,
    blank: SnapshotFile,
    paths: &[PathBuf],
    parent: Option<&Parent>,
) -> Result<SnapshotFile, Problem>
where
    R: ReadSource + 'static,
    R::Open: Send,
    R::Iter: Send,
{
    let parents = parent.map(|parent| parent.id.clone()).into_iter().collect::<Vec<_>>();
    let parent = ParentOptions::default().force(parents.is_empty()).parents(parents);
    let options = BackupOptions::default().parent_opts(parent).no_scan(true);
    // The format keeps a snapshot's paths as text; the tree keeps the bytes.
    let paths: Vec<PathBuf> =
        paths.iter().map(|p| PathBuf::from(p.to_string_lossy().into_owned())).collect();
    let written = indexed.repo.archive(&options, source, blank, &paths);
    written.map_err(rustic(ProblemKind::Unreachable, "writing the snapshot"))
}

/// A snapshot with these tags and nothing in it.
fn blank(asked: &Backup, tags: Vec<String>) -> Result<SnapshotFile, Problem> {
    let mut snapshot = SnapshotOptions::default()
        .host(asked.host.clone())
        .to_snapshot()
        .map_err(rustic(ProblemKind::BadRequest, "preparing the snapshot"))?;
    for tag in tags {
        snapshot.tags.add(tag);
    }
    Ok(snapshot)
}

/// Gives a hash to every file the engine did not read: the parent's manifest knows it, or it is
/// read now.
fn complete(state: &mut State, parent: Option<&Parent>) {
    let unread = |entry: &&mut Entry| entry.kind == "file" && entry.sha256.is_none();
    let mut next = 0;
    for entry in state.entries.values_mut().filter(unread) {
        let known = parent.and_then(|p| p.found.manifest.entry_after(entry.path.path(), &mut next));
        entry.sha256 = known.filter(|k| k.same_file(entry)).and_then(|k| k.sha256.clone());
        if entry.sha256.is_some() {
            continue;
        }
        match hash_file(entry.path.path()) {
            Ok(hashed) => {
                if (hashed.bytes, hashed.mtime) != (entry.size, entry.mtime) {
                    state.changed.push(entry.path.clone(), MOST_NAMED);
                }
                entry.sha256 = Some(hashed.sha256);
            }
            Err(error) => {
                let message = format!("hashing: {error}");
                state.errors.push(Warning { path: Some(entry.path.clone()), message }, MOST_NAMED);
            }
        }
    }
}

fn keep_manifest(
    indexed: &Indexed,
    asked: &Backup,
    written: &SnapshotFile,
    entries: BTreeMap<PathBuf, Entry>,
    errors: &crate::report::Counted<Warning>,
) -> Result<(Manifest, ManifestInfo), Problem> {
    let entries = entries.into_values().collect();
    let manifest = Manifest::new(asked, hex_id(*written.id), entries, errors.count);
    let bytes = manifest.write().map_err(io(ProblemKind::Internal, "compressing the manifest"))?;
    let blank = blank(asked, list::manifest_tags(asked, &manifest.header.snapshot))?;
    let (sha256, length) = (hex(&Sha256::digest(&bytes)), bytes.len() as u64);
    let held = store(indexed, &InMemory(bytes), blank, &[PathBuf::from(manifest::PATH)], None)?;
    let info = ManifestInfo {
        snapshot: hex_id(*held.id),
        sha256,
        bytes: length,
        entries: manifest.header.entries,
    };
    Ok((manifest, info))
}

/// One file that is in memory.
struct InMemory(Vec<u8>);

/// What is in memory, to be read.
struct Bytes(Vec<u8>);

impl ReadSourceOpen for Bytes {
    type Reader = std::io::Cursor<Vec<u8>>;

    fn open(self) -> RusticResult<Self::Reader> {
        Ok(std::io::Cursor::new(self.0))
    }
}

impl ReadSource for InMemory {
    type Open = Bytes;
    type Iter = std::iter::Once<RusticResult<ReadSourceEntry<Bytes>>>;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(Some(self.0.len() as u64))
    }

    fn entries(&self) -> Self::Iter {
        let path = PathBuf::from(manifest::PATH);
        let name = Path::new(manifest::PATH).file_name().unwrap_or_default();
        let meta = Metadata {
            mode: Some(0o600),
            mtime: Some(jiff::Timestamp::now()),
            size: self.0.len() as u64,
            ..Metadata::default()
        };
        let node = Node::new_node(name, NodeType::File, meta);
        let open = Some(Bytes(self.0.clone()));
        std::iter::once(Ok(ReadSourceEntry { path, node, open }))
    }
}

fn report(written: &SnapshotFile, manifest: &Manifest) -> BackupReport {
    let summary = written.summary.clone().unwrap_or_default();
    BackupReport {
        tree: hex_id(*written.tree),
        parent: written.parent.map(|id| hex_id(*id)),
        time: written.time.timestamp().as_microsecond(),
        files_new: summary.files_new,
        files_changed: summary.files_changed,
        files_unmodified: summary.files_unmodified,
        added_bytes: summary.data_added,
        stored_bytes: summary.data_added_packed,
        ..manifest.counted()
    }
}
