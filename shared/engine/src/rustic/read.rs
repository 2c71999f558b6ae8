//! Reading a repository: blobs that are what their names say, trees with their damage named.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rustic_core::repofile::{BlobType, Node, SnapshotFile};
use rustic_core::{BlobId, IndexedFullStatus, Repository, TreeId};
use sha2::{Digest, Sha256};

use super::list::manifest_for;
use super::{Opened, Rustic};
use crate::gate::Gate;
use crate::manifest::{Manifest, hex};
use crate::problem::{Problem, plain, rustic};
use crate::report::{ManifestInfo, ProblemKind};

/// A repository with its index in memory.
pub(crate) struct Indexed {
    pub(crate) repo: Repository<IndexedFullStatus>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) id: String,
    /// Every snapshot, newest first.
    pub(crate) snapshots: Vec<SnapshotFile>,
}

impl Rustic<'_> {
    /// Opens the repository and reads its index.
    pub(crate) fn indexed(&self) -> Result<Indexed, Problem> {
        self.index(self.open()?)
    }

    /// Reads the index and the snapshots of a repository.
    pub(crate) fn index(&self, opened: Opened) -> Result<Indexed, Problem> {
        let (id, snapshots) = (opened.id(), opened.snapshots()?);
        let (gate, mut repo) = (opened.gate, Some(opened.repo));
        let tried = format!("reading the index of {}", self.repository.location);
        // The library gives what was opened away when it reads the index, also when it cannot.
        let indexed = gate.steady(|| {
            let repo = match repo.take() {
                Some(repo) => repo,
                None => self.unlock(self.library(&gate)?, gate.clone())?.repo,
            };
            repo.to_indexed().map_err(rustic(ProblemKind::Damaged, tried.clone()))
        });
        Ok(Indexed { repo: indexed?, gate, id, snapshots })
    }
}

/// The snapshot with an id, or with the only one that begins so.
pub(crate) fn named<'a>(all: &'a [SnapshotFile], id: &str) -> Result<&'a SnapshotFile, Problem> {
    let begins = |snapshot: &&SnapshotFile| snapshot.id.to_hex().as_str().starts_with(id);
    let mut found = all.iter().filter(begins);
    match (found.next(), found.next()) {
        (Some(snapshot), None) if id.len() >= 4 => Ok(snapshot),
        (None, _) => Err(Problem::new(
            ProblemKind::NotFound,
            format!("there is no snapshot {id:?} in the repository; list the snapshots"),
        )),
        (Some(_), _) => Err(Problem::new(
            ProblemKind::BadRequest,
            format!("the beginning {id:?} is not enough to name a snapshot: give all digits"),
        )),
    }
}

/// What a walk through a tree is told.
pub(crate) trait Visit {
    /// A node at a path; false leaves out what is below.
    fn node(&mut self, path: &Path, node: &Node) -> bool;
    /// The directory at a path cannot be read: everything below it is lost.
    fn damaged(&mut self, path: &Path, why: String);
}

impl Indexed {
    /// Walks a snapshot: a directory before what is in it, names in order.
    pub(crate) fn walk(&self, snapshot: &SnapshotFile, visit: &mut impl Visit) {
        self.walk_tree(snapshot.tree, Path::new("/"), visit);
    }

    fn walk_tree(&self, tree: TreeId, path: &Path, visit: &mut impl Visit) {
        let nodes = match self.repo.get_tree(&tree) {
            Ok(tree) => tree.nodes,
            Err(error) => return visit.damaged(path, plain(&error)),
        };
        for node in nodes {
            let path = path.join(node.name());
            if !visit.node(&path, &node) || !node.is_dir() {
                continue;
            }
            match node.subtree {
                Some(tree) => self.walk_tree(tree, &path, visit),
                None => visit.damaged(&path, "the directory has no tree".to_owned()),
            }
        }
    }

    /// The node at a path of a snapshot.
    pub(crate) fn node_at(&self, snapshot: &SnapshotFile, path: &Path) -> Result<Node, Problem> {
        let relative = path.strip_prefix("/").unwrap_or(path);
        let tried = format!(
            "looking for {} in the snapshot {}",
            path.display(),
            snapshot.id.to_hex().as_str()
        );
        let node = self.repo.node_from_path(snapshot.tree, relative);
        node.map_err(rustic(ProblemKind::NotFound, tried))
    }

    /// A blob whose bytes have the hash that is its name.
    pub(crate) fn blob(&self, id: &BlobId, kind: BlobType) -> Result<Bytes, String> {
        let bytes = self.repo.get_blob_cached(id, kind).map_err(|error| plain(&error))?;
        if hex(&Sha256::digest(&bytes)) == id.to_hex().as_str() {
            return Ok(bytes);
        }
        Err(format!("the blob {} has other contents than its name says", id.to_hex().as_str()))
    }

    /// The manifest of a snapshot, also when the snapshot is a copy of the one it was made for.
    pub(crate) fn manifest_of(&self, snapshot: &SnapshotFile) -> Result<Option<Found>, Problem> {
        let Some(holder) = manifest_for(&self.snapshots, snapshot) else { return Ok(None) };
        self.read_manifest(holder).map(Some)
    }

    fn read_manifest(&self, holder: &SnapshotFile) -> Result<Found, Problem> {
        let id = holder.id.to_hex().to_string();
        let damaged = |why: String| {
            Problem::new(ProblemKind::Damaged, format!("reading the manifest in {id}: {why}"))
        };
        let mut file = OnlyFile(None);
        self.walk(holder, &mut file);
        let content = file.0.ok_or_else(|| damaged("it holds no file".to_owned()))?;
        let mut bytes = Vec::new();
        for blob in content {
            let blob = self.blob(&BlobId::from(*blob), BlobType::Data).map_err(damaged)?;
            bytes.extend_from_slice(&blob);
        }
        let manifest = Manifest::read(&bytes).map_err(|problem| damaged(problem.message))?;
        let info = ManifestInfo {
            snapshot: id.clone(),
            sha256: hex(&Sha256::digest(&bytes)),
            bytes: bytes.len() as u64,
            entries: manifest.entries.len() as u64,
        };
        Ok(Found { manifest, info })
    }
}

/// A manifest that was read, and where.
pub(crate) struct Found {
    pub(crate) manifest: Manifest,
    pub(crate) info: ManifestInfo,
}

struct OnlyFile(Option<Vec<rustic_core::DataId>>);

impl Visit for OnlyFile {
    fn node(&mut self, _path: &Path, node: &Node) -> bool {
        if node.is_file() {
            self.0 = node.content.clone();
        }
        true
    }

    fn damaged(&mut self, _path: &Path, _why: String) {}
}

/// Does something with every item, on as many threads as asked.
pub(crate) fn in_parallel<T: Sync>(threads: usize, items: &[T], work: impl Fn(&T) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let take = || items.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(item) = take() {
                    work(item);
                }
            });
        }
    });
}

/// Threads that keep this machine busy without taking memory without bound.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4))
}
