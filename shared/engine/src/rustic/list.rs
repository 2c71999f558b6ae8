//! The snapshots of a repository, and what their tags say.

use std::collections::BTreeMap;

use rustic_core::repofile::{SnapshotFile, SnapshotId};

use super::Rustic;
use crate::engine::{Answer, Ended};
use crate::report::{Counted, Done, Line, ListReport, SnapshotInfo};
use crate::request::List;

/// Every snapshot of ours has this tag.
pub(crate) const OURS: &str = "decklog";
/// A snapshot that holds a manifest has this tag instead.
pub(crate) const MANIFEST: &str = "decklog-manifest";

/// Most snapshots a report names; the lines name them all.
const MOST_SNAPSHOTS: usize = 1000;

/// The value of a tag `name=value`.
pub(crate) fn tag<'a>(snapshot: &'a SnapshotFile, name: &str) -> Option<&'a str> {
    snapshot.tags.iter().find_map(|tag| tag.strip_prefix(name)?.strip_prefix('='))
}

/// Whether a snapshot holds a manifest.
pub(crate) fn is_manifest(snapshot: &SnapshotFile) -> bool {
    snapshot.tags.contains(MANIFEST)
}

/// Whether a snapshot is data of a dataset.
pub(crate) fn is_of(snapshot: &SnapshotFile, dataset: &str) -> bool {
    snapshot.tags.contains(OURS) && tag(snapshot, "dataset") == Some(dataset)
}

/// The manifests by the snapshot they are of.
fn manifests(all: &[SnapshotFile]) -> BTreeMap<&str, &SnapshotFile> {
    all.iter().filter(|s| is_manifest(s)).filter_map(|s| Some((tag(s, "of")?, s))).collect()
}

/// The manifest of a snapshot, also when it was made for the one this is a copy of.
pub(crate) fn manifest_for<'a>(
    all: &'a [SnapshotFile],
    snapshot: &SnapshotFile,
) -> Option<&'a SnapshotFile> {
    let of = |id: SnapshotId| {
        let id = id.to_hex();
        all.iter().find(|s| is_manifest(s) && tag(s, "of") == Some(id.as_str()))
    };
    of(snapshot.id).or_else(|| of(snapshot.original?))
}

/// Snapshots that are no manifests, with what there is to say of each.
pub(crate) fn described(all: &[SnapshotFile]) -> Vec<SnapshotInfo> {
    let manifests = manifests(all);
    let data = all.iter().filter(|snapshot| !is_manifest(snapshot));
    data.map(|snapshot| {
        let info = info(snapshot);
        let own = manifests.get(info.id.as_str());
        let manifest = own.or_else(|| manifests.get(info.original.as_deref()?));
        let manifest = manifest.map(|m| m.id.to_hex().to_string());
        SnapshotInfo { manifest, ..info }
    })
    .collect()
}

fn info(snapshot: &SnapshotFile) -> SnapshotInfo {
    let ours = snapshot.tags.contains(OURS);
    let of_ours = |name: &str| tag(snapshot, name).filter(|_| ours).map(ToOwned::to_owned);
    SnapshotInfo {
        id: snapshot.id.to_hex().to_string(),
        dataset: of_ours("dataset"),
        run: of_ours("run"),
        manifest: None,
        tags: snapshot.tags.iter().cloned().collect(),
        host: snapshot.hostname.clone(),
        time: snapshot.time.timestamp().as_microsecond(),
        paths: snapshot.paths.iter().cloned().collect(),
        tree: snapshot.tree.to_hex().to_string(),
        program: snapshot.program_version.clone(),
        bytes: snapshot.summary.as_ref().map(|s| s.total_bytes_processed),
        original: snapshot.original.map(|id| id.to_hex().to_string()),
    }
}

/// Those that were asked for, counted and cut.
pub(crate) fn present(all: &[SnapshotFile], dataset: Option<&str>) -> Counted<SnapshotInfo> {
    let mut present = Counted::default();
    for info in described(all) {
        if dataset.is_none() || info.dataset.as_deref() == dataset {
            present.push(info, MOST_SNAPSHOTS);
        }
    }
    present
}

pub(super) fn list(engine: &Rustic<'_>, asked: &List) -> Answer {
    let opened = engine.open()?;
    let all = opened.snapshots()?;
    for info in described(&all) {
        if asked.dataset.is_none() || info.dataset == asked.dataset {
            engine.context.line(Line::Snapshot(Box::new(info)));
        }
    }
    let snapshots = present(&all, asked.dataset.as_deref());
    Ok(Ended::good(Done::List(ListReport { repository: opened.id(), snapshots })))
}
