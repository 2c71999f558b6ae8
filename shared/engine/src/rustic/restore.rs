//! Bringing a snapshot back: into a directory beside the target, compared with the manifest, and
//! renamed only when it is complete and equal.
//!
//! The library's own restore needs more than a gigabyte and breaks on a damaged pack, leaving a
//! wrong file of the right length. This one fetches blob by blob on a few threads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use rustic_core::repofile::{Node, NodeType, SnapshotFile};

use super::Rustic;
use super::read::{Found, Indexed, Visit, named, threads};
use crate::context::{Context, lock};
use crate::engine::{Answer, Ended};
use crate::manifest::{Entry, Manifest};
use crate::problem::{Problem, io};
use crate::report::{Done, MOST_NAMED, Outcome, ProblemKind, RestoreReport, Warning};
use crate::request::{Overwrite, Restore};
use crate::target::{self, Writeback};

/// Memory the repository's key, its index and the caches of blobs need, in bytes.
const FLOOR: u64 = 180 << 20;
/// Memory a thread needs for the blobs it works on, in bytes.
const PER_THREAD: u64 = 24 << 20;

pub(super) fn restore(engine: &Rustic<'_>, asked: &Restore) -> Answer {
    let began = Instant::now();
    refuse_target(asked)?;
    let indexed = engine.indexed()?;
    let snapshot = named(&indexed.snapshots, &asked.snapshot)?;
    let found = indexed.manifest_of(snapshot)?;
    let part = Part::new(asked, snapshot, &indexed)?;
    let resumed = part.dir.symlink_metadata().is_ok();
    let writeback = if asked.dry_run { None } else { Some(part.create()?) };
    let mut work = Work {
        indexed: &indexed,
        manifest: found.as_ref().map(|f| &f.manifest),
        asked,
        context: &engine.context,
        part: &part,
        resumed,
        writeback,
        report: Mutex::new(RestoreReport::default()),
    };
    work.fetch(snapshot)?;
    work.engine_cancel()?;
    let mut report = std::mem::take(&mut *lock(&work.report));
    report.snapshot = snapshot.id.to_hex().to_string();
    report.manifest = found.as_ref().map(|f| f.info.sha256.clone());
    if !asked.dry_run {
        conclude(&mut work, &part, found.as_ref(), &mut report)?;
    }
    report.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(judged(report, asked))
}

/// Compares, syncs and renames, in this order, as long as nothing is wrong.
fn conclude(
    work: &mut Work<'_>,
    part: &Part,
    found: Option<&Found>,
    report: &mut RestoreReport,
) -> Result<(), Problem> {
    match found {
        Some(found) if work.asked.compare => work.compare(&found.manifest, report),
        Some(_) => {}
        None => report.warnings.push(
            Warning {
                path: None,
                message: "the snapshot has no manifest: only the hashes of its blobs were compared"
                    .to_owned(),
            },
            MOST_NAMED,
        ),
    }
    work.engine_cancel()?;
    if report.damaged.count + report.differences.count > 0 {
        return Ok(());
    }
    let written = work.writeback.as_mut().map_or(Ok(()), Writeback::end);
    let placed = written
        .and_then(|()| target::put_in_place(&part.dir, work.asked.to.path(), work.asked.overwrite));
    let tried = format!("moving {} into place", part.dir.display());
    placed.map_err(io(ProblemKind::Target, tried))?;
    report.complete = true;
    Ok(())
}

pub(crate) fn judged(report: RestoreReport, asked: &Restore) -> Ended {
    let (damaged, different) = (report.damaged.count, report.differences.count);
    let done = Done::Restore(Box::new(report));
    if damaged + different == 0 {
        return Ended::good(done);
    }
    let kind = if damaged > 0 { ProblemKind::Damaged } else { ProblemKind::Target };
    let message = format!(
        "restoring into {}: {damaged} files are damaged in the repository and {different} differ \
         from the manifest; nothing was put in place",
        asked.to
    );
    Ended::with(done, Outcome::Failed, kind, message)
}

pub(crate) fn refuse_target(asked: &Restore) -> Result<(), Problem> {
    let to = asked.to.path();
    if !to.is_absolute() || to.parent().is_none() {
        let message = format!("restoring into {to:?}: name an absolute path below the root");
        return Err(Problem::new(ProblemKind::BadRequest, message));
    }
    let tried = format!("looking at the target {}", to.display());
    let filled = target::is_filled(to).map_err(io(ProblemKind::Target, tried))?;
    if filled && asked.overwrite == Overwrite::Never && !asked.dry_run {
        let message = format!(
            "restoring into {}: it is not empty; name a new directory, or allow to replace",
            to.display()
        );
        return Err(Problem::new(ProblemKind::Target, message));
    }
    Ok(())
}

/// The directory a restore works in, and which part of the snapshot goes where in it.
pub(crate) struct Part {
    pub(crate) dir: PathBuf,
    /// The path inside the snapshot, and whether it is a directory.
    inside: Option<(PathBuf, bool)>,
    sample: Option<BTreeSet<PathBuf>>,
}

impl Part {
    /// Makes the directory, unless an interrupted restore has left it.
    fn create(&self) -> Result<Writeback, Problem> {
        let tried = format!("creating {}", self.dir.display());
        let created = target::fresh_dir(&self.dir).and_then(|()| Writeback::new(&self.dir));
        created.map_err(io(ProblemKind::Target, tried))
    }

    fn new(asked: &Restore, snapshot: &SnapshotFile, indexed: &Indexed) -> Result<Self, Problem> {
        let absolute = |path: &crate::FilePath| Path::new("/").join(path.path());
        let inside = asked.path.as_ref().map(absolute).filter(|path| path != Path::new("/"));
        let inside = inside.map(|path| {
            let node = indexed.node_at(snapshot, &path)?;
            Ok((path, node.is_dir()))
        });
        Ok(Self {
            dir: target::working_dir(asked.to.path(), snapshot.id.to_hex().as_str()),
            inside: inside.transpose()?,
            sample: asked.sample.as_ref().map(|paths| paths.iter().map(absolute).collect()),
        })
    }

    /// Where a path of the snapshot goes; none when it was not asked for.
    pub(crate) fn place(&self, path: &Path) -> Option<PathBuf> {
        if self.sample.as_ref().is_some_and(|sample| !sample.contains(path)) {
            return None;
        }
        let relative = match &self.inside {
            None => path.strip_prefix("/").ok()?,
            // The directory that was asked for becomes the target itself.
            Some((inside, true)) if path == inside => return Some(self.dir.clone()),
            Some((inside, false)) if path == inside => Path::new(path.file_name()?),
            Some((inside, _)) => path.strip_prefix(inside).ok()?,
        };
        Some(self.dir.join(relative))
    }

    /// Whether something below a directory may have been asked for.
    fn may_lead_to(&self, path: &Path) -> bool {
        let inside = self.inside.as_ref();
        let leads = inside.is_none_or(|(i, _)| i.starts_with(path) || path.starts_with(i));
        let sample = self.sample.as_ref();
        leads && sample.is_none_or(|paths| paths.iter().any(|p| p.starts_with(path)))
    }
}

/// One restore.
pub(crate) struct Work<'a> {
    pub(crate) indexed: &'a Indexed,
    pub(crate) manifest: Option<&'a Manifest>,
    pub(crate) asked: &'a Restore,
    pub(crate) context: &'a Context,
    pub(crate) part: &'a Part,
    /// Whether an interrupted restore has left something.
    resumed: bool,
    writeback: Option<Writeback>,
    pub(crate) report: Mutex<RestoreReport>,
}

/// A file to write.
pub(crate) struct Job {
    pub(crate) path: PathBuf,
    pub(crate) place: PathBuf,
    pub(crate) node: Node,
}

impl Work<'_> {
    fn engine_cancel(&self) -> Result<(), Problem> {
        self.context.cancel.check()
    }

    /// Walks the snapshot on this thread and writes files on others.
    fn fetch(&self, snapshot: &SnapshotFile) -> Result<(), Problem> {
        self.context.meter.phase("restore", 0);
        let (sender, receiver) = sync_channel::<Job>(64);
        let receiver = Mutex::new(receiver);
        let walked = std::thread::scope(|scope| {
            for _ in 0..self.threads() {
                scope.spawn(|| self.write_files(&receiver));
            }
            let mut walker = Walker::new(self, sender);
            self.indexed.walk(snapshot, &mut walker);
            walker.finish()
        });
        self.complain_of_missing(&walked.places);
        if self.asked.dry_run {
            return Ok(());
        }
        if self.resumed {
            target::remove_others(&self.part.dir, &walked.places)
                .map_err(io(ProblemKind::Target, "removing what an earlier restore left"))?;
        }
        self.links(&walked.links);
        self.directories(walked.dirs);
        if let Some(writeback) = &self.writeback {
            writeback.begin();
        }
        Ok(())
    }

    /// What was asked for by name must have been met.
    fn complain_of_missing(&self, places: &BTreeSet<PathBuf>) {
        for path in self.part.sample.iter().flatten() {
            if self.part.place(path).is_none_or(|place| !places.contains(&place)) {
                self.damaged(path, "is not in the snapshot".to_owned());
            }
        }
    }

    fn threads(&self) -> usize {
        let room = self.asked.memory_limit_bytes.saturating_sub(FLOOR) / PER_THREAD;
        usize::try_from(room).unwrap_or(1).clamp(1, threads())
    }

    fn write_files(&self, receiver: &Mutex<Receiver<Job>>) {
        loop {
            let job = lock(receiver).recv();
            let Ok(job) = job else { return };
            if self.context.cancel.is_cancelled() {
                continue;
            }
            self.file(&job);
        }
    }

    fn file(&self, job: &Job) {
        let expected = self.manifest.and_then(|m| m.entry(&job.path));
        let written = if self.asked.dry_run {
            Ok(0)
        } else if expected.is_some_and(|entry| target::holds(&job.place, entry)) {
            lock(&self.report).kept_files += 1;
            Ok(0)
        } else {
            target::write_file(self.indexed, job)
        };
        match written {
            Ok(fetched) => {
                let size = self.indexed.length(&job.node);
                let mut report = lock(&self.report);
                report.files += 1;
                report.bytes += size;
                report.fetched_bytes += fetched;
                drop(report);
                self.context.meter.bytes(size);
                self.context.meter.file(&job.path);
                if let Some(writeback) = &self.writeback {
                    writeback.wrote(size);
                }
                self.metadata(&job.path, &job.place, &job.node);
            }
            Err(why) => self.damaged(&job.path, why),
        }
    }

    fn damaged(&self, path: &Path, message: String) {
        let warning = Warning { path: Some(path.into()), message };
        lock(&self.report).damaged.push(warning, MOST_NAMED);
    }

    pub(crate) fn warn(&self, path: &Path, message: String) {
        let warning = Warning { path: Some(path.into()), message };
        lock(&self.report).warnings.push(warning, MOST_NAMED);
    }

    fn metadata(&self, path: &Path, place: &Path, node: &Node) {
        if self.asked.dry_run {
            return;
        }
        for message in target::set_metadata(place, node) {
            self.warn(path, message);
        }
    }

    /// Names of one file: the first was written, the others are linked to it.
    fn links(&self, links: &[(PathBuf, PathBuf)]) {
        for (first, other) in links {
            let _ = std::fs::remove_file(other);
            if let Err(error) = std::fs::hard_link(first, other) {
                self.damaged(other, format!("linking it to {}: {error}", first.display()));
            }
        }
    }

    /// Directories get their times after everything in them was written, the deepest first.
    fn directories(&self, dirs: Vec<Job>) {
        for dir in dirs.into_iter().rev() {
            self.metadata(&dir.path, &dir.place, &dir.node);
        }
    }

    /// Reads what was written again and compares it with the manifest.
    fn compare(&self, manifest: &Manifest, report: &mut RestoreReport) {
        self.context.meter.phase("compare", report.bytes);
        let wanted: Vec<(&Entry, PathBuf)> = manifest
            .entries
            .iter()
            .filter_map(|entry| Some((entry, self.part.place(entry.path.path())?)))
            .collect();
        let differences = Mutex::new(std::mem::take(&mut report.differences));
        super::read::in_parallel(threads(), &wanted, |(entry, place)| {
            if self.context.cancel.is_cancelled() {
                return;
            }
            if let Some(message) = target::difference(entry, place) {
                let warning = Warning { path: Some(entry.path.clone()), message };
                lock(&differences).push(warning, MOST_NAMED);
            }
            self.context.meter.bytes(entry.size);
            self.context.meter.file(entry.path.path());
        });
        report.compared = wanted.len() as u64;
        report.differences = std::mem::take(&mut lock(&differences));
    }
}

impl Indexed {
    /// Bytes of a file, by the blobs it is made of.
    pub(crate) fn length(&self, node: &Node) -> u64 {
        let blobs = node.content.iter().flatten();
        let entries = blobs.filter_map(|id| self.repo.get_index_entry(id).ok());
        entries.map(|entry| u64::from(entry.data_length())).sum()
    }
}

/// What the walk leaves to be done after it.
#[derive(Default)]
struct Walked {
    dirs: Vec<Job>,
    links: Vec<(PathBuf, PathBuf)>,
    places: BTreeSet<PathBuf>,
}

struct Walker<'a, 'b> {
    work: &'a Work<'b>,
    jobs: SyncSender<Job>,
    first: BTreeMap<(u64, u64), PathBuf>,
    /// The directory that was made last.
    parent: PathBuf,
    walked: Walked,
}

impl<'a, 'b> Walker<'a, 'b> {
    fn new(work: &'a Work<'b>, jobs: SyncSender<Job>) -> Self {
        Self {
            work,
            jobs,
            first: BTreeMap::new(),
            parent: PathBuf::new(),
            walked: Walked::default(),
        }
    }

    fn finish(self) -> Walked {
        self.walked
    }

    fn directory(&mut self, job: Job) {
        if !self.work.asked.dry_run
            && let Err(error) = target::dir(&job.place)
        {
            self.work.damaged(&job.path, format!("creating the directory: {error}"));
        }
        lock(&self.work.report).dirs += 1;
        self.walked.dirs.push(job);
    }

    fn regular(&mut self, job: Job) {
        let meta = &job.node.meta;
        if meta.links > 1 && meta.inode != 0 {
            if let Some(first) = self.first.get(&(meta.device_id, meta.inode)) {
                self.walked.links.push((first.clone(), job.place));
                lock(&self.work.report).files += 1;
                return;
            }
            self.first.insert((meta.device_id, meta.inode), job.place.clone());
        }
        let _ = self.jobs.send(job);
    }

    fn other(&mut self, job: &Job) {
        if !self.work.asked.dry_run
            && let Err(error) = target::special(&job.place, &job.node)
        {
            return self.work.damaged(&job.path, format!("creating it: {error}"));
        }
        lock(&self.work.report).others += 1;
        self.work.metadata(&job.path, &job.place, &job.node);
    }
}

impl Visit for Walker<'_, '_> {
    fn node(&mut self, path: &Path, node: &Node) -> bool {
        if self.work.context.cancel.is_cancelled() {
            return false;
        }
        let part = self.work.part;
        let Some(place) = part.place(path) else { return part.may_lead_to(path) };
        if !self.work.asked.dry_run
            && let Some(parent) = place.parent().filter(|parent| *parent != self.parent)
        {
            match std::fs::create_dir_all(parent) {
                Ok(()) => self.parent = parent.to_owned(),
                Err(error) => {
                    self.work.damaged(path, format!("creating {}: {error}", parent.display()));
                }
            }
        }
        self.walked.places.insert(place.clone());
        let job = Job { path: path.to_owned(), place, node: node.clone() };
        match node.node_type {
            NodeType::Dir => self.directory(job),
            NodeType::File => self.regular(job),
            NodeType::Socket => lock(&self.work.report).skipped_sockets += 1,
            NodeType::Symlink { .. }
            | NodeType::Dev { .. }
            | NodeType::Chardev { .. }
            | NodeType::Fifo => self.other(&job),
        }
        part.may_lead_to(path)
    }

    fn damaged(&mut self, path: &Path, why: String) {
        self.work.damaged(path, why);
    }
}
