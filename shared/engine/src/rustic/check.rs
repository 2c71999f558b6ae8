//! Verifying: what the index names is there, packs hash to their names, blobs decrypt to theirs,
//! and damage is told by snapshot and file.
//!
//! The library's own check answers `Ok` with the errors inside, reads no data at all when a tree
//! is damaged, and breaks on some damage; this one goes over the same public reads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustic_core::repofile::{BlobType, IndexFile, Node, SnapshotFile};
use rustic_core::{BlobId, FileType, Id, ReadBackend, TreeId};
use sha2::{Digest, Sha256};

use super::read::{Indexed, Visit, in_parallel, named, threads};
use super::{Opened, Rustic, VERSION, list};
use crate::context::{Context, lock};
use crate::engine::{Answer, Ended};
use crate::manifest::hex;
use crate::problem::{Problem, plain, rustic};
use crate::report::{
    CheckReport, Counted, DamagedSnapshot, Done, MOST_NAMED, Outcome, ProblemKind,
};
use crate::request::{Check, Read};

/// Bytes of a pack read at a time.
const PIECE: u32 = 4 << 20;
/// Most damaged snapshots that are named.
const MOST_SNAPSHOTS: usize = 100;

/// What the index says.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    pub(crate) packs: BTreeMap<Id, Pack>,
    /// Packs marked for deletion by a prune.
    pub(crate) marked: BTreeSet<Id>,
    /// Where each blob is.
    pub(crate) places: HashMap<BlobId, Vec<Id>>,
    /// Packs that are there, with their bytes.
    pub(crate) present: BTreeMap<Id, u64>,
}

/// A pack, as the index says.
#[derive(Debug, Default)]
pub(crate) struct Pack {
    pub(crate) bytes: u64,
    pub(crate) blobs: Vec<(BlobId, BlobType)>,
}

impl Opened {
    /// Reads every index file and lists the packs.
    pub(crate) fn catalogue(&self) -> Result<Catalogue, Problem> {
        self.gate.steady(|| self.read_catalogue())
    }

    fn read_catalogue(&self) -> Result<Catalogue, Problem> {
        let tried = || format!("reading the index of {}", self.repo.name);
        let mut found = Catalogue::default();
        let files = self.repo.stream_files::<IndexFile>();
        for file in files.map_err(rustic(ProblemKind::Damaged, tried()))? {
            let (_, file) = file.map_err(rustic(ProblemKind::Damaged, tried()))?;
            found.marked.extend(file.packs_to_delete.iter().map(|pack| *pack.id));
            for pack in file.packs {
                found.enter(&pack);
            }
        }
        let present = self.gate.list_with_size(FileType::Pack);
        let present = present.map_err(rustic(ProblemKind::Unreachable, tried()))?;
        found.present = present.into_iter().map(|(id, size)| (id, u64::from(size))).collect();
        Ok(found)
    }
}

impl Catalogue {
    fn enter(&mut self, pack: &rustic_core::repofile::IndexPack) {
        let blobs: Vec<_> = pack.blobs.iter().map(|blob| (blob.id, blob.tpe)).collect();
        for (blob, _) in &blobs {
            self.places.entry(*blob).or_default().push(*pack.id);
        }
        self.packs.insert(*pack.id, Pack { bytes: u64::from(pack.pack_size()), blobs });
    }

    /// Packs that are there and that no index file names.
    pub(crate) fn unknown(&self) -> BTreeMap<Id, u64> {
        let unknown = self.present.iter().filter(|(id, _)| !self.knows(id));
        unknown.map(|(id, bytes)| (*id, *bytes)).collect()
    }

    /// Whether a pack was there when they were listed.
    pub(crate) fn is_there(&self, id: &Id) -> bool {
        self.present.contains_key(id)
    }

    /// A blob is lost when no undamaged pack holds it.
    pub(crate) fn has_lost(&self, id: &BlobId, damaged: &BTreeMap<Id, String>) -> bool {
        let places = self.places.get(id);
        places.is_none_or(|packs| packs.iter().all(|pack| damaged.contains_key(pack)))
    }

    /// Whether something of what a file or directory consists of is lost, below a directory apart.
    pub(crate) fn lacks_content(&self, node: &Node, damaged: &BTreeMap<Id, String>) -> bool {
        let content = node.content.iter().flatten();
        let lost = content.map(|id| BlobId::from(**id)).any(|id| self.has_lost(&id, damaged));
        let headless = node.is_dir() && node.subtree.is_none();
        lost || headless || (node.is_file() && node.content.is_none())
    }

    fn knows(&self, id: &Id) -> bool {
        self.packs.contains_key(id) || self.marked.contains(id)
    }

    /// Packs the index names that are not there, or not with their length.
    pub(crate) fn missing(&self) -> BTreeMap<Id, String> {
        let wrong = |(id, pack): (&Id, &Pack)| match self.present.get(id) {
            None => Some((*id, "is missing".to_owned())),
            Some(bytes) if *bytes == pack.bytes => None,
            Some(bytes) => Some((*id, format!("has {bytes} of {} bytes", pack.bytes))),
        };
        self.packs.iter().filter_map(wrong).collect()
    }
}

pub(super) fn check(engine: &Rustic<'_>, asked: &Check) -> Answer {
    let opened = engine.open()?;
    let catalogue = opened.catalogue()?;
    let indexed = engine.index(opened)?;
    let report = examine(&indexed, &catalogue, asked, &engine.context)?;
    engine.context.cancel.check()?;
    Ok(judged(report))
}

fn judged(report: CheckReport) -> Ended {
    if report.good {
        return Ended::good(Done::Check(report));
    }
    let message = format!(
        "the check found {} errors, {} damaged packs and {} damaged snapshots: \
         back up anew, or restore from another copy",
        report.errors.count,
        report.damaged_packs.count,
        report.damaged.len()
    );
    Ended::with(Done::Check(report), Outcome::Failed, ProblemKind::Damaged, message)
}

impl Rustic<'_> {
    /// What this engine finds of a snapshot that another one wrote: it walks it, and reads of its packs about as many
    /// bytes as asked.
    pub(crate) fn second(&self, snapshot: &str, bytes: u64) -> Result<CheckReport, Problem> {
        let opened = self.open()?;
        let catalogue = opened.catalogue()?;
        let indexed = self.index(opened)?;
        let mut asked = Check { read: Read::Nothing, snapshots: vec![snapshot.to_owned()] };
        let snapshots = asked_for(&indexed, &asked.snapshots)?;
        let packs = in_question(&indexed, &catalogue, &snapshots, &asked);
        let size = |id: &Id| catalogue.packs.get(id).map_or(0, |pack| pack.bytes);
        let total = packs.iter().map(size).sum::<u64>().max(1);
        #[expect(clippy::cast_precision_loss, reason = "a share of bytes need not be exact")]
        let percent = bytes.min(total) as f64 * 100.0 / total as f64;
        asked.read = Read::Percent(percent);
        examine(&indexed, &catalogue, &asked, &self.context)
    }
}

/// Looks at everything that was asked for.
pub(crate) fn examine(
    indexed: &Indexed,
    catalogue: &Catalogue,
    asked: &Check,
    context: &Context,
) -> Result<CheckReport, Problem> {
    let mut report = CheckReport { engine: VERSION.to_owned(), ..CheckReport::default() };
    let snapshots = asked_for(indexed, &asked.snapshots)?;
    let mut damaged = catalogue.missing();
    for pack in catalogue.unknown().keys() {
        let text = format!("pack {} is in no index (a crash, or a backup now)", hex_id(*pack));
        report.warnings.push(text, MOST_NAMED);
    }
    let packs = in_question(indexed, catalogue, &snapshots, asked);
    report.packs = packs.len() as u64;
    let chosen = choose(asked.read, &packs, catalogue);
    let chosen: Vec<Id> = chosen.into_iter().filter(|id| !damaged.contains_key(id)).collect();
    damaged.extend(read_packs(indexed, catalogue, &chosen, context, &mut report));
    tell(&damaged, &mut report);
    report.snapshots = snapshots.len() as u64;
    map(indexed, catalogue, &damaged, &snapshots, &mut report);
    report.good = report.errors.count == 0 && report.damaged.is_empty();
    Ok(report)
}

/// Reads a share of some packs; gives with the report what is damaged of all packs. What that means for snapshots
/// [`map`] says.
pub(crate) fn examine_packs(
    indexed: &Indexed,
    catalogue: &Catalogue,
    packs: &BTreeSet<Id>,
    percent: f64,
    context: &Context,
) -> (CheckReport, BTreeMap<Id, String>) {
    let mut report = CheckReport { engine: VERSION.to_owned(), ..CheckReport::default() };
    report.packs = packs.len() as u64;
    let mut damaged = catalogue.missing();
    for pack in packs.iter().filter(|id| !catalogue.packs.contains_key(id)) {
        damaged.insert(*pack, "was written and is in no index".to_owned());
    }
    let chosen = share(percent, packs, catalogue);
    let chosen: Vec<Id> = chosen.into_iter().filter(|id| !damaged.contains_key(id)).collect();
    damaged.extend(read_packs(indexed, catalogue, &chosen, context, &mut report));
    tell(&damaged, &mut report);
    (report, damaged)
}

fn tell(damaged: &BTreeMap<Id, String>, report: &mut CheckReport) {
    for (pack, why) in damaged {
        report.damaged_packs.push(hex_id(*pack), MOST_NAMED);
        report.errors.push(format!("pack {} {why}", hex_id(*pack)), MOST_NAMED);
    }
}

/// An id with all its digits.
pub(crate) fn hex_id(id: Id) -> String {
    id.to_hex().to_string()
}

fn asked_for<'a>(indexed: &'a Indexed, ids: &[String]) -> Result<Vec<&'a SnapshotFile>, Problem> {
    if ids.is_empty() {
        return Ok(indexed.snapshots.iter().collect());
    }
    ids.iter().map(|id| named(&indexed.snapshots, id)).collect()
}

/// The packs that were asked about: all, or those the named snapshots use.
fn in_question(
    indexed: &Indexed,
    catalogue: &Catalogue,
    snapshots: &[&SnapshotFile],
    asked: &Check,
) -> BTreeSet<Id> {
    if asked.snapshots.is_empty() {
        return catalogue.packs.keys().copied().collect();
    }
    let mut used = Used { catalogue, packs: BTreeSet::new(), seen: BTreeSet::new() };
    for snapshot in snapshots {
        used.blob(&BlobId::from(*snapshot.tree));
        indexed.walk(snapshot, &mut used);
    }
    used.packs
}

struct Used<'a> {
    catalogue: &'a Catalogue,
    packs: BTreeSet<Id>,
    seen: BTreeSet<TreeId>,
}

impl Used<'_> {
    fn blob(&mut self, id: &BlobId) {
        self.packs.extend(self.catalogue.places.get(id).into_iter().flatten());
    }
}

impl Visit for Used<'_> {
    fn node(&mut self, _path: &Path, node: &Node) -> bool {
        for id in node.content.iter().flatten() {
            self.blob(&BlobId::from(**id));
        }
        let Some(tree) = node.subtree else { return true };
        self.blob(&BlobId::from(*tree));
        self.seen.insert(tree)
    }

    fn damaged(&mut self, _path: &Path, _why: String) {}
}

/// The packs to read.
fn choose(read: Read, packs: &BTreeSet<Id>, catalogue: &Catalogue) -> Vec<Id> {
    match read {
        Read::All => packs.iter().copied().collect(),
        Read::Nothing => Vec::new(),
        Read::Packs { part, of } => {
            let of = of.max(1);
            packs.iter().copied().filter(|id| id.as_u32() % of == part % of).collect()
        }
        Read::Percent(percent) => share(percent, packs, catalogue),
    }
}

/// Packs in an order of chance until the share is reached.
fn share(percent: f64, packs: &BTreeSet<Id>, catalogue: &Catalogue) -> Vec<Id> {
    let bytes = |id: &Id| catalogue.packs.get(id).map_or(0, |pack| pack.bytes);
    let total: u64 = packs.iter().map(bytes).sum();
    #[expect(clippy::cast_precision_loss, reason = "a share of bytes need not be exact")]
    let wanted = total as f64 * (percent / 100.0).clamp(0.0, 1.0);
    let salt = hex_id(Id::random());
    let mut order: Vec<Id> = packs.iter().copied().collect();
    order.sort_by_cached_key(|id| hex(&Sha256::digest(format!("{salt}{}", hex_id(*id)))));
    let mut sum = 0.0;
    let take = |id: &Id| {
        let more = sum < wanted;
        #[expect(clippy::cast_precision_loss, reason = "a share of bytes need not be exact")]
        let size = bytes(id) as f64;
        sum += size;
        more
    };
    order.into_iter().take_while(take).collect()
}

/// Reads packs whole; gives those that are not what they should be, and why.
fn read_packs(
    indexed: &Indexed,
    catalogue: &Catalogue,
    chosen: &[Id],
    context: &Context,
    report: &mut CheckReport,
) -> BTreeMap<Id, String> {
    let bytes = |id: &Id| catalogue.packs.get(id).map_or(0, |pack| pack.bytes);
    context.meter.phase("verify", chosen.iter().map(bytes).sum());
    let damaged = Mutex::new(BTreeMap::new());
    in_parallel(threads(), chosen, |id| {
        let Some(pack) = catalogue.packs.get(id).filter(|_| !context.cancel.is_cancelled()) else {
            return;
        };
        if let Err(why) = read_pack(indexed, id, pack, context) {
            lock(&damaged).insert(*id, why);
        }
    });
    report.packs_read = chosen.len() as u64;
    report.bytes_read = chosen.iter().map(bytes).sum();
    std::mem::take(&mut lock(&damaged))
}

/// A pack is good when its bytes hash to its name and every blob in it to its own.
fn read_pack(indexed: &Indexed, id: &Id, pack: &Pack, context: &Context) -> Result<(), String> {
    let mut hasher = Sha256::new();
    let mut offset = 0;
    let size = u32::try_from(pack.bytes).map_err(|_| "is longer than a pack can be".to_owned())?;
    while offset < size {
        let length = PIECE.min(size - offset);
        let bytes = indexed.gate.read_partial(FileType::Pack, id, false, offset, length);
        hasher.update(bytes.map_err(|error| format!("cannot be read: {}", plain(&error)))?);
        offset += length;
        context.meter.bytes(u64::from(length));
    }
    if hex(&hasher.finalize()) != hex_id(*id) {
        return Err("does not hash to its name: its bytes have changed".to_owned());
    }
    for (blob, kind) in &pack.blobs {
        indexed.blob(blob, *kind).map_err(|why| format!("holds a bad blob: {why}"))?;
    }
    Ok(())
}

/// Names the snapshots and files that need what is damaged.
pub(crate) fn map(
    indexed: &Indexed,
    catalogue: &Catalogue,
    damaged: &BTreeMap<Id, String>,
    snapshots: &[&SnapshotFile],
    report: &mut CheckReport,
) {
    let mut clean = BTreeSet::new();
    for snapshot in snapshots {
        let mut losses =
            Losses { catalogue, damaged, files: Counted::default(), clean: &mut clean, errors: 0 };
        if losses.is_lost(&BlobId::from(*snapshot.tree)) {
            losses.damaged(Path::new("/"), "its root is lost".to_owned());
        } else {
            losses.tree(indexed, snapshot.tree, Path::new("/"));
        }
        if losses.files.count > 0 {
            let files = losses.files;
            name(snapshot, files, report);
        }
    }
}

fn name(snapshot: &SnapshotFile, files: Counted<crate::FilePath>, report: &mut CheckReport) {
    let id = hex_id(*snapshot.id);
    report.errors.push(
        format!("snapshot {id} cannot be restored whole: {} files lost", files.count),
        MOST_NAMED,
    );
    if report.damaged.len() < MOST_SNAPSHOTS {
        let dataset = list::tag(snapshot, "dataset").map(ToOwned::to_owned);
        report.damaged.push(DamagedSnapshot { snapshot: id, dataset, files });
    }
}

/// The files of one snapshot that need something damaged.
struct Losses<'a> {
    catalogue: &'a Catalogue,
    damaged: &'a BTreeMap<Id, String>,
    files: Counted<crate::FilePath>,
    /// Trees without losses, of all snapshots: they are walked once.
    clean: &'a mut BTreeSet<TreeId>,
    errors: u64,
}

impl Losses<'_> {
    fn is_lost(&self, id: &BlobId) -> bool {
        self.catalogue.has_lost(id, self.damaged)
    }

    fn damaged(&mut self, path: &Path, _why: String) {
        self.errors += 1;
        self.files.push(path.into(), MOST_NAMED);
    }

    fn tree(&mut self, indexed: &Indexed, tree: TreeId, path: &Path) {
        if self.clean.contains(&tree) {
            return;
        }
        let before = self.files.count;
        match indexed.repo.get_tree(&tree) {
            Ok(found) => {
                for node in &found.nodes {
                    self.node(indexed, node, path.join(node.name()));
                }
            }
            Err(error) => self.damaged(path, plain(&error)),
        }
        if self.files.count == before {
            self.clean.insert(tree);
        }
    }

    fn node(&mut self, indexed: &Indexed, node: &Node, path: PathBuf) {
        if self.catalogue.lacks_content(node, self.damaged) {
            return self.damaged(&path, String::new());
        }
        match node.subtree {
            Some(tree) if self.is_lost(&BlobId::from(*tree)) => self.damaged(&path, String::new()),
            Some(tree) => self.tree(indexed, tree, &path),
            None => {}
        }
    }
}
