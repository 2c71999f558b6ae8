//! What a snapshot holds beside what our walk saw: the entries of the manifest.
//!
//! The list of the snapshot decides what is in the manifest; our walk decides what should be there. What the walk saw
//! and the snapshot does not hold is an error, named; what appeared during the backup and was saved is in the manifest.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use rustic_core::LocalSourceSaveOptions;

use super::Restic;
use super::hashes::{Hashes, stored};
use super::nodes::{Node, nodes};
use super::source::Source;
use crate::manifest::{Entry, Manifest};
use crate::problem::Problem;
use crate::report::{Counted, MOST_NAMED};

/// What is in a snapshot, and what is wrong with it.
pub(super) struct Settled {
    pub(super) entries: BTreeMap<PathBuf, Entry>,
    pub(super) errors: BTreeMap<PathBuf, String>,
    pub(super) changed: Counted<crate::FilePath>,
}

/// Looks through a snapshot beside the source it was made of.
pub(super) fn settle(
    engine: &Restic<'_>,
    snapshot: &str,
    source: Source,
    errors: BTreeMap<PathBuf, String>,
    hashes: &Hashes,
    parent: Option<&Manifest>,
) -> Result<Settled, Problem> {
    let mut meeting = Meeting::new(source);
    nodes(engine, snapshot, None, |node| meeting.meet(&node))?;
    let mut settled = meeting.settled(errors);
    engine.context.meter.phase("hash", 0);
    let mut unknown = Vec::new();
    for entry in settled.entries.values_mut().filter(|entry| entry.kind == "file") {
        let known = parent.and_then(|parent| parent.entry(entry.path.path()));
        entry.sha256 = known.filter(|known| known.same_file(entry)).and_then(|k| k.sha256.clone());
        if entry.sha256.is_none() {
            unknown.push(entry);
        }
    }
    for path in hashes.complete(unknown) {
        settled.ask(engine, snapshot, &path)?;
    }
    Ok(settled)
}

impl Settled {
    /// Takes the hash of a file from the repository, because the file is not what it was.
    fn ask(&mut self, engine: &Restic<'_>, snapshot: &str, path: &Path) -> Result<(), Problem> {
        let Some(entry) = self.entries.get_mut(path) else { return Ok(()) };
        let (sha256, size) = stored(engine, snapshot, path)?;
        (entry.sha256, entry.size) = (Some(sha256), size);
        self.changed.push(path.into(), MOST_NAMED);
        Ok(())
    }
}

/// The source while the snapshot is read.
struct Meeting {
    source: Source,
    /// Paths that are no valid UTF-8, by how restic writes them.
    odd: HashMap<String, Vec<PathBuf>>,
    met: BTreeMap<PathBuf, Entry>,
}

impl Meeting {
    fn new(source: Source) -> Self {
        let mut odd: HashMap<String, Vec<PathBuf>> = HashMap::new();
        for path in source.entries.keys().filter(|path| path.to_str().is_none()) {
            odd.entry(as_restic_writes(path)).or_default().push(path.clone());
        }
        Self { source, odd, met: BTreeMap::new() }
    }

    fn meet(&mut self, node: &Node) {
        let path = self.path_of(node);
        let above = |root: &PathBuf| root != &path && root.starts_with(&path);
        let seen = self.source.entries.remove(&path);
        if seen.is_none() && node.kind == "dir" && self.source.roots.iter().any(above) {
            return; // a directory above the paths of the source
        }
        let is_it = |entry: &Entry| entry.kind == node.kind && stamped(entry, node);
        let entry = seen.clone().filter(&is_it).or_else(|| look(&path).filter(is_it));
        let entry = entry.unwrap_or_else(|| as_stored(&path, node, seen));
        self.met.insert(path, entry);
    }

    /// The path of a node, as bytes.
    fn path_of(&self, node: &Node) -> PathBuf {
        let same = |path: &&PathBuf| {
            self.source.entries.get(*path).is_some_and(|entry| entry.inode == node.inode)
        };
        let odd = self.odd.get(&node.path).into_iter().flatten();
        odd.into_iter().find(same).cloned().unwrap_or_else(|| PathBuf::from(&node.path))
    }

    fn settled(self, said: BTreeMap<PathBuf, String>) -> Settled {
        let mut errors = self.source.errors;
        for path in self.source.entries.into_keys() {
            let why = said.get(&path).map_or("it was not there any more", String::as_str);
            errors.entry(path).or_insert_with(|| format!("restic did not save it: {why}"));
        }
        for (path, message) in said {
            errors.entry(path).or_insert(message);
        }
        Settled { entries: self.met, errors, changed: Counted::default() }
    }
}

fn stamped(entry: &Entry, node: &Node) -> bool {
    let same = (entry.mtime, entry.ctime, entry.inode) == (node.mtime(), node.ctime(), node.inode);
    same && (entry.kind != "file" || entry.size == node.size)
}

/// How a thing in the source is now.
fn look(path: &Path) -> Option<Entry> {
    let mut walk = ignore::WalkBuilder::new(path);
    walk.standard_filters(false).follow_links(false).max_depth(Some(0));
    let found = walk.build().next()?.ok()?;
    let seen = LocalSourceSaveOptions::default().map_entry(found).ok()?;
    Some(Entry::of(path.into(), &seen.node))
}

/// What the snapshot says of a thing that the source does not hold like this any more.
fn as_stored(path: &Path, node: &Node, seen: Option<Entry>) -> Entry {
    let seen = seen.filter(|seen| seen.kind == node.kind).unwrap_or_default();
    Entry {
        path: path.into(),
        kind: node.kind.clone(),
        size: if node.kind == "file" { node.size } else { 0 },
        sha256: None,
        mode: node.mode(),
        uid: node.uid,
        gid: node.gid,
        mtime: node.mtime(),
        ctime: node.ctime(),
        inode: node.inode,
        device: seen.device,
        links: seen.links,
        target: seen.target,
        xattrs: seen.xattrs,
    }
}

/// A path as text in which every byte that is no valid UTF-8 is `U+FFFD`.
fn as_restic_writes(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// The entry of a file that came from us: only the snapshot knows anything of it but its bytes.
pub(super) fn only_file(
    engine: &Restic<'_>,
    snapshot: &str,
    path: &Path,
) -> Result<Option<Entry>, Problem> {
    let mut found = None;
    nodes(engine, snapshot, None, |node| {
        if Path::new(&node.path) == path && node.kind == "file" {
            found = Some(as_stored(path, &node, None));
        }
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_written_as_restic_writes_them() {
        use std::os::unix::ffi::OsStringExt;
        let path = |bytes: &[u8]| PathBuf::from(std::ffi::OsString::from_vec(bytes.to_vec()));
        assert_eq!(as_restic_writes(&path(b"/a/bad\xff\xfename")), "/a/bad\u{fffd}\u{fffd}name");
        assert_eq!(as_restic_writes(&path("/a/gr\u{fc}n".as_bytes())), "/a/gr\u{fc}n");
    }
}
