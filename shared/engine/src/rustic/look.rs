//! Looking into snapshots: directories, files by name, differences, manifests.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};
use rustic_core::TreeId;
use rustic_core::repofile::{Node, SnapshotFile};

use super::Rustic;
use super::check::hex_id;
use super::list::{is_manifest, is_of};
use super::read::{Found, Indexed, Visit, named};
use crate::context::Context;
use crate::engine::{Answer, Ended};
use crate::manifest::{kind, unix_mode};
use crate::problem::{Problem, plain};
use crate::report::{
    BrowseReport, Counted, DiffReport, Done, Entry, FindReport, Line, ManifestReport, ProblemKind,
};
use crate::request::{Browse, Diff, Find, ManifestOf};

/// Most entries a report names; the lines name them all.
const MOST_ENTRIES: usize = 1000;

/// Says entries as lines and keeps the first of them.
pub(crate) struct Said<'a> {
    context: &'a Context,
    limit: u64,
    pub(crate) entries: Counted<Entry>,
}

impl<'a> Said<'a> {
    pub(crate) fn new(context: &'a Context, limit: u64) -> Self {
        Self { context, limit, entries: Counted::default() }
    }

    pub(crate) fn say(&mut self, entry: Entry) {
        if self.entries.count < self.limit {
            self.context.line(Line::Entry(entry.clone()));
        }
        let most = usize::try_from(self.limit).unwrap_or(usize::MAX).min(MOST_ENTRIES);
        self.entries.push(entry, most);
    }
}

fn entry(snapshot: &SnapshotFile, path: &Path, node: &Node) -> Entry {
    Entry {
        snapshot: hex_id(*snapshot.id),
        path: path.into(),
        kind: kind(node).to_owned(),
        size: if node.is_file() { node.meta.size } else { 0 },
        mtime: node.meta.mtime.map_or(0, |time| time.as_microsecond()),
        mode: unix_mode(node.meta.mode.unwrap_or(0)),
        change: None,
    }
}

pub(super) fn browse(engine: &Rustic<'_>, asked: &Browse) -> Answer {
    let indexed = engine.indexed()?;
    let snapshot = named(&indexed.snapshots, &asked.snapshot)?;
    let mut said = Said::new(&engine.context, asked.limit);
    let path = Path::new("/").join(asked.path.path());
    let tree = if path == Path::new("/") {
        Some(snapshot.tree)
    } else {
        let node = indexed.node_at(snapshot, &path)?;
        if !node.is_dir() {
            said.say(entry(snapshot, &path, &node));
        }
        node.subtree
    };
    if let Some(tree) = tree {
        for node in tree_of(&indexed, tree, &path)? {
            said.say(entry(snapshot, &path.join(node.name()), &node));
        }
    }
    Ok(Ended::good(Done::Browse(BrowseReport { entries: said.entries })))
}

fn tree_of(indexed: &Indexed, tree: TreeId, path: &Path) -> Result<Vec<Node>, Problem> {
    let found = indexed.repo.get_tree(&tree).map_err(|error| {
        let message = format!("reading the directory {}: {}", path.display(), plain(&error));
        Problem::new(ProblemKind::Damaged, message)
    })?;
    Ok(found.nodes)
}

pub(super) fn find(engine: &Rustic<'_>, asked: &Find) -> Answer {
    let pattern = Pattern::new(&asked.pattern)?;
    let indexed = engine.indexed()?;
    let snapshots = chosen(&indexed, asked)?;
    let mut hits = Hits { pattern, snapshot: None, said: Said::new(&engine.context, asked.limit) };
    let mut looked = 0;
    for snapshot in snapshots {
        engine.context.cancel.check()?;
        if hits.said.entries.count >= asked.limit {
            break;
        }
        hits.snapshot = Some(snapshot);
        indexed.walk(snapshot, &mut hits);
        looked += 1;
    }
    let hits = hits.said.entries;
    Ok(Ended::good(Done::Find(FindReport { snapshots: looked, hits })))
}

fn chosen<'a>(indexed: &'a Indexed, asked: &Find) -> Result<Vec<&'a SnapshotFile>, Problem> {
    if !asked.snapshots.is_empty() {
        return asked.snapshots.iter().map(|id| named(&indexed.snapshots, id)).collect();
    }
    let wanted = |snapshot: &&SnapshotFile| match &asked.dataset {
        Some(dataset) => is_of(snapshot, dataset),
        None => !is_manifest(snapshot),
    };
    Ok(indexed.snapshots.iter().filter(wanted).collect())
}

/// A glob for names, or, with a `/` in it, for whole paths.
pub(crate) struct Pattern {
    glob: GlobMatcher,
    whole: bool,
}

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Result<Self, Problem> {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        let glob = glob.map_err(|error| {
            let message = format!("looking for {pattern:?}: it is no glob: {error}");
            Problem::new(ProblemKind::BadRequest, message)
        })?;
        Ok(Self { glob: glob.compile_matcher(), whole: pattern.contains('/') })
    }

    pub(crate) fn matches(&self, path: &Path) -> bool {
        match (self.whole, path.file_name()) {
            (false, Some(name)) => self.glob.is_match(name),
            (true, _) | (false, None) => self.glob.is_match(path),
        }
    }
}

struct Hits<'a> {
    pattern: Pattern,
    snapshot: Option<&'a SnapshotFile>,
    said: Said<'a>,
}

impl Visit for Hits<'_> {
    fn node(&mut self, path: &Path, node: &Node) -> bool {
        let matches = self.pattern.matches(path);
        if let Some(snapshot) = self.snapshot.filter(|_| matches) {
            self.said.say(entry(snapshot, path, node));
        }
        true
    }

    fn damaged(&mut self, path: &Path, why: String) {
        self.said.context.warn(Some(path), why);
    }
}

pub(super) fn diff(engine: &Rustic<'_>, asked: &Diff) -> Answer {
    let indexed = engine.indexed()?;
    let a = named(&indexed.snapshots, &asked.a)?;
    let b = named(&indexed.snapshots, &asked.b)?;
    let mut differ = Differ {
        indexed: &indexed,
        a,
        b,
        report: DiffReport::default(),
        said: Said::new(&engine.context, u64::MAX),
    };
    differ.trees(Some(a.tree), Some(b.tree), Path::new("/"))?;
    let report = DiffReport { entries: differ.said.entries, ..differ.report };
    Ok(Ended::good(Done::Diff(report)))
}

struct Differ<'a> {
    indexed: &'a Indexed,
    a: &'a SnapshotFile,
    b: &'a SnapshotFile,
    report: DiffReport,
    said: Said<'a>,
}

impl Differ<'_> {
    /// Compares two directories; equal trees are not looked into.
    fn trees(&mut self, a: Option<TreeId>, b: Option<TreeId>, path: &Path) -> Result<(), Problem> {
        if a == b {
            return Ok(());
        }
        let (mut old, new) = (self.nodes(a, path)?, self.nodes(b, path)?);
        for (name, b) in new {
            let a = old.remove(&name);
            self.pair(a.as_ref(), Some(&b), &path.join(&name))?;
        }
        for (name, a) in old {
            self.pair(Some(&a), None, &path.join(&name))?;
        }
        Ok(())
    }

    fn nodes(
        &self,
        tree: Option<TreeId>,
        path: &Path,
    ) -> Result<BTreeMap<OsString, Node>, Problem> {
        let Some(tree) = tree else { return Ok(BTreeMap::new()) };
        let nodes = tree_of(self.indexed, tree, path)?;
        Ok(nodes.into_iter().map(|node| (node.name().into_owned(), node)).collect())
    }

    fn pair(&mut self, a: Option<&Node>, b: Option<&Node>, path: &Path) -> Result<(), Problem> {
        if let Some((change, snapshot, node)) = self.change(a, b) {
            let entry = Entry { change: Some(change.to_owned()), ..entry(snapshot, path, node) };
            self.said.say(entry);
        }
        self.trees(a.and_then(|n| n.subtree), b.and_then(|n| n.subtree), path)
    }

    fn change<'n>(
        &mut self,
        a: Option<&'n Node>,
        b: Option<&'n Node>,
    ) -> Option<(&'static str, &SnapshotFile, &'n Node)> {
        let (change, node) = match (a, b) {
            (None, Some(b)) => ("added", b),
            (Some(a), None) => ("removed", a),
            (Some(a), Some(b)) if a.node_type != b.node_type || a.content != b.content => {
                ("changed", b)
            }
            (Some(a), Some(b)) if differs(a, b) => ("metadata", b),
            (Some(_), Some(_)) | (None, None) => return None,
        };
        let report = &mut self.report;
        let (count, snapshot) = match change {
            "added" => (&mut report.added, self.b),
            "removed" => (&mut report.removed, self.a),
            "changed" => (&mut report.changed, self.b),
            _ => (&mut report.metadata, self.b),
        };
        *count += 1;
        Some((change, snapshot, node))
    }
}

/// Other permissions, owner, time or attributes.
fn differs(a: &Node, b: &Node) -> bool {
    let (a, b) = (&a.meta, &b.meta);
    (a.mode, a.uid, a.gid, a.mtime) != (b.mode, b.uid, b.gid, b.mtime)
        || a.extended_attributes != b.extended_attributes
}

pub(super) fn manifest(engine: &Rustic<'_>, asked: &ManifestOf) -> Answer {
    let indexed = engine.indexed()?;
    let snapshot = named(&indexed.snapshots, &asked.snapshot)?;
    let id = hex_id(*snapshot.id);
    manifest_told(&engine.context, asked, &id, indexed.manifest_of(snapshot)?)
}

/// Says what a manifest holds, where it is the one that was asked for.
pub(crate) fn manifest_told(
    context: &Context,
    asked: &ManifestOf,
    id: &str,
    found: Option<Found>,
) -> Answer {
    let found = found.ok_or_else(|| {
        let message = format!("reading the manifest of {id}: it has none; back up anew");
        Problem::new(ProblemKind::NotFound, message)
    })?;
    if asked.sha256.as_ref().is_some_and(|wanted| *wanted != found.info.sha256) {
        let message = format!(
            "reading the manifest of {id}: its SHA-256 is {}, not the one recorded: \
             somebody replaced it",
            found.info.sha256
        );
        return Err(Problem::new(ProblemKind::Damaged, message));
    }
    let mut said = Said::new(context, u64::MAX);
    for line in &found.manifest.entries {
        said.say(Entry {
            snapshot: id.to_owned(),
            path: line.path.clone(),
            kind: line.kind.clone(),
            size: line.size,
            mtime: line.mtime / 1000,
            mode: line.mode,
            change: None,
        });
    }
    let header = found.manifest.header;
    Ok(Ended::good(Done::Manifest(ManifestReport {
        manifest: found.info,
        snapshot: header.snapshot,
        dataset: header.dataset,
        run: header.run,
        entries: said.entries,
    })))
}
