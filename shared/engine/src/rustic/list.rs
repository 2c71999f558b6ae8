//! The snapshots of a repository, and what their tags say.

use std::collections::BTreeMap;

use rustic_core::repofile::{SnapshotFile, SnapshotId};

use super::Rustic;
use crate::engine::{Answer, Ended};
use crate::report::{Counted, Done, Line, ListReport, SnapshotInfo};
use crate::request::{Backup, List};

/// Every snapshot of ours has this tag.
pub(crate) const OURS: &str = "decklog";
/// A snapshot that holds a manifest has this tag instead.
pub(crate) const MANIFEST: &str = "decklog-manifest";

/// Most snapshots a report names; the lines name them all.
pub(crate) const MOST_SNAPSHOTS: usize = 1000;

/// The tags of a snapshot that is asked for.
pub(crate) fn tags(asked: &Backup) -> Vec<String> {
    let ours = [
        OURS.to_owned(),
        format!("dataset={}", asked.dataset),
        format!("run={}", asked.run),
        format!("attempt={}", asked.attempt),
    ];
    ours.into_iter().chain(asked.tags.iter().cloned()).collect()
}

/// The tags of the snapshot that holds the manifest of another one.
pub(crate) fn manifest_tags(asked: &Backup, of: &str) -> Vec<String> {
    vec![
        MANIFEST.to_owned(),
        format!("of={of}"),
        format!("dataset={}", asked.dataset),
        format!("run={}", asked.run),
    ]
}

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
    linked(all.iter().map(info).collect())
}

/// Takes the manifests out and names each with the snapshot it is of, or a copy of that one.
pub(crate) fn linked(all: Vec<SnapshotInfo>) -> Vec<SnapshotInfo> {
    let (manifests, mut data): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|info| info.tags.iter().any(|tag| tag == MANIFEST));
    let of = |info: &SnapshotInfo| value(&info.tags, "of");
    let by: BTreeMap<String, String> =
        manifests.into_iter().filter_map(|m| Some((of(&m)?, m.id))).collect();
    for info in &mut data {
        let own = by.get(&info.id);
        info.manifest = own.or_else(|| by.get(info.original.as_ref()?)).cloned();
    }
    data
}

fn value(tags: &[String], name: &str) -> Option<String> {
    let of = |tag: &String| Some(tag.strip_prefix(name)?.strip_prefix('=')?.to_owned());
    tags.iter().find_map(of)
}

/// Reads dataset and run out of the tags of a snapshot of ours.
pub(crate) fn raw(info: SnapshotInfo) -> SnapshotInfo {
    if !info.tags.iter().any(|tag| tag == OURS) {
        return info;
    }
    let (dataset, run) = (value(&info.tags, "dataset"), value(&info.tags, "run"));
    SnapshotInfo { dataset, run, ..info }
}

fn info(snapshot: &SnapshotFile) -> SnapshotInfo {
    raw(SnapshotInfo {
        id: snapshot.id.to_hex().to_string(),
        tags: snapshot.tags.iter().cloned().collect(),
        host: snapshot.hostname.clone(),
        time: snapshot.time.timestamp().as_microsecond(),
        paths: snapshot.paths.iter().cloned().collect(),
        tree: snapshot.tree.to_hex().to_string(),
        program: snapshot.program_version.clone(),
        bytes: snapshot.summary.as_ref().map(|s| s.total_bytes_processed),
        original: snapshot.original.map(|id| id.to_hex().to_string()),
        ..SnapshotInfo::default()
    })
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
