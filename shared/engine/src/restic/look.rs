//! Looking into snapshots with restic: directories, files by name, differences, manifests.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use serde::Deserialize;

use super::Restic;
use super::nodes::{Node, nodes};
use super::read::{manifest as manifest_of, named, snapshots};
use crate::engine::{Answer, Ended};
use crate::problem::Problem;
use crate::report::{BrowseReport, DiffReport, Done, Entry, FindReport, ProblemKind, SnapshotInfo};
use crate::request::{Browse, Diff, Find, ManifestOf};
use crate::rustic::list::linked;
use crate::rustic::look::{Pattern, Said, manifest_told};

pub(super) fn browse(engine: &Restic<'_>, asked: &Browse) -> Answer {
    let snapshot = named(&linked(snapshots(engine)?), &asked.snapshot)?;
    let path = Path::new("/").join(asked.path.path());
    let (mut said, mut there) = (Said::new(&engine.context, asked.limit), path == Path::new("/"));
    nodes(engine, &snapshot.id, Some(&path), |node| {
        let itself = Path::new(&node.path) == path;
        there |= itself;
        // Of a directory what is in it, and of anything else itself.
        if !itself || node.kind != "dir" {
            said.say(node.entry(&snapshot.id));
        }
    })?;
    if !there {
        let message = format!(
            "looking for {} in the snapshot {}: it is not there",
            path.display(),
            snapshot.id
        );
        return Err(Problem::new(ProblemKind::NotFound, message));
    }
    Ok(Ended::good(Done::Browse(BrowseReport { entries: said.entries })))
}

pub(super) fn find(engine: &Restic<'_>, asked: &Find) -> Answer {
    let pattern = Pattern::new(&asked.pattern)?;
    let chosen = chosen(linked(snapshots(engine)?), asked)?;
    let mut said = Said::new(&engine.context, asked.limit);
    let mut looked = 0;
    for snapshot in chosen {
        if said.entries.count >= asked.limit {
            break;
        }
        nodes(engine, &snapshot.id, None, |node| {
            if pattern.matches(Path::new(&node.path)) {
                said.say(node.entry(&snapshot.id));
            }
        })?;
        looked += 1;
    }
    Ok(Ended::good(Done::Find(FindReport { snapshots: looked, hits: said.entries })))
}

fn chosen(all: Vec<SnapshotInfo>, asked: &Find) -> Result<Vec<SnapshotInfo>, Problem> {
    if !asked.snapshots.is_empty() {
        return asked.snapshots.iter().map(|id| named(&all, id)).collect();
    }
    let wanted = |info: &SnapshotInfo| asked.dataset.is_none() || info.dataset == asked.dataset;
    Ok(all.into_iter().filter(wanted).collect())
}

/// A difference as restic says it.
#[derive(Deserialize)]
struct Change {
    message_type: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    modifier: String,
}

impl Change {
    /// The word for it: restic writes `+`, `-`, `M` for contents, `T` for the type, `U` for the rest.
    fn word(&self) -> Option<&'static str> {
        match self.modifier.as_str() {
            "+" => Some("added"),
            "-" => Some("removed"),
            "U" => Some("metadata"),
            "" => None,
            _ => Some("changed"),
        }
    }
}

pub(super) fn diff(engine: &Restic<'_>, asked: &Diff) -> Answer {
    let all = linked(snapshots(engine)?);
    let (a, b) = (named(&all, &asked.a)?, named(&all, &asked.b)?);
    let changes = if a.tree == b.tree { Vec::new() } else { changes(engine, &a, &b)? };
    let old = held(engine, &a, &changes, |word| word == "removed")?;
    let new = held(engine, &b, &changes, |word| word != "removed")?;
    let (mut report, mut said) = (DiffReport::default(), Said::new(&engine.context, u64::MAX));
    for (path, word) in changes {
        let (snapshot, node) = match word {
            "removed" => (&a, old.get(&path)),
            _ => (&b, new.get(&path)),
        };
        let count = match word {
            "added" => &mut report.added,
            "removed" => &mut report.removed,
            "changed" => &mut report.changed,
            _ => &mut report.metadata,
        };
        *count += 1;
        let bare = || Entry {
            snapshot: snapshot.id.clone(),
            path: Path::new(&path).into(),
            ..Entry::default()
        };
        let entry = node.map_or_else(bare, |node| node.entry(&snapshot.id));
        said.say(Entry { change: Some(word.to_owned()), ..entry });
    }
    report.entries = said.entries;
    Ok(Ended::good(Done::Diff(report)))
}

fn changes(
    engine: &Restic<'_>,
    a: &SnapshotInfo,
    b: &SnapshotInfo,
) -> Result<Vec<(String, &'static str)>, Problem> {
    let mut found = Vec::new();
    let arguments = ["diff", "--json", "--metadata", "--no-lock", &a.id, &b.id];
    engine.program.stream("comparing two snapshots", &arguments, |out| {
        for line in out.lines() {
            let change: Change = serde_json::from_str(&line?)?;
            if let (Some(word), "change") = (change.word(), change.message_type.as_str()) {
                found.push((change.path.trim_end_matches('/').to_owned(), word));
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// What a snapshot holds of what differs.
fn held(
    engine: &Restic<'_>,
    snapshot: &SnapshotInfo,
    changes: &[(String, &'static str)],
    of: impl Fn(&str) -> bool,
) -> Result<HashMap<String, Node>, Problem> {
    let paths = changes.iter().filter(|(_, word)| of(word)).map(|(path, _)| path.as_str());
    let wanted: std::collections::HashSet<&str> = paths.collect();
    let mut found = HashMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    nodes(engine, &snapshot.id, None, |node| {
        if wanted.contains(node.path.as_str()) {
            found.insert(node.path.clone(), node);
        }
    })?;
    Ok(found)
}

pub(super) fn manifest(engine: &Restic<'_>, asked: &ManifestOf) -> Answer {
    let snapshot = named(&linked(snapshots(engine)?), &asked.snapshot)?;
    let found = manifest_of(engine, &snapshot)?;
    manifest_told(&engine.context, asked, &snapshot.id, found)
}
