//! Looking at a snapshot just written, with fresh eyes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rustic_core::repofile::Node;
use rustic_core::{BlobId, Id};

use super::check::{Catalogue, examine_packs, map};
use super::read::{Indexed, Visit, named};
use crate::context::Context;
use crate::manifest::{Manifest, kind};
use crate::problem::Problem;
use crate::report::{CheckReport, MOST_NAMED};

/// Walks the snapshot beside its manifest and reads a share of the packs its run wrote.
pub(crate) fn verify(
    indexed: &Indexed,
    catalogue: &Catalogue,
    manifest: &Manifest,
    packs: &BTreeMap<Id, u64>,
    percent: u8,
    context: &Context,
) -> Result<CheckReport, Problem> {
    let snapshot = named(&indexed.snapshots, &manifest.header.snapshot)?;
    let packs: BTreeSet<Id> = packs.keys().copied().collect();
    let (mut report, damaged) =
        examine_packs(indexed, catalogue, &packs, f64::from(percent), context);
    report.snapshots = 1;
    let mut beside = Beside {
        indexed,
        catalogue,
        damaged: &damaged,
        manifest,
        met: 0,
        next: 0,
        lost: catalogue.has_lost(&BlobId::from(*snapshot.tree), &damaged),
        report: &mut report,
    };
    indexed.walk(snapshot, &mut beside);
    let (met, lost) = (beside.met, beside.lost);
    if lost {
        map(indexed, catalogue, &damaged, &[snapshot], &mut report);
    }
    let expected = manifest.entries.len() as u64;
    if met != expected {
        let text = format!("the snapshot holds {met} of the {expected} entries of its manifest");
        report.errors.push(text, MOST_NAMED);
    }
    report.good = report.errors.count == 0 && report.damaged.is_empty();
    Ok(report)
}

/// Compares every node with its line in the manifest.
struct Beside<'a> {
    indexed: &'a Indexed,
    catalogue: &'a Catalogue,
    damaged: &'a BTreeMap<Id, String>,
    manifest: &'a Manifest,
    met: u64,
    /// The line of the manifest the next node should have.
    next: usize,
    /// Whether anything the snapshot needs is lost.
    lost: bool,
    report: &'a mut CheckReport,
}

impl Beside<'_> {
    fn wrong(&mut self, path: &Path, why: &str) {
        self.report.errors.push(format!("{} {why}", path.display()), MOST_NAMED);
    }
}

impl Visit for Beside<'_> {
    fn node(&mut self, path: &Path, node: &Node) -> bool {
        let tree = node.subtree.map(|tree| BlobId::from(*tree));
        self.lost |= self.catalogue.lacks_content(node, self.damaged)
            || tree.is_some_and(|tree| self.catalogue.has_lost(&tree, self.damaged));
        let Some(entry) = self.manifest.entry_after(path, &mut self.next) else {
            if !node.is_dir() {
                self.wrong(path, "is in the snapshot and was never read");
            }
            return true; // a directory above the paths of the source
        };
        self.met += 1;
        if entry.kind != kind(node) {
            self.wrong(path, "has another type in the snapshot");
        } else if node.is_file() && self.indexed.length(node) != entry.size {
            self.wrong(path, "has another length in the snapshot");
        }
        true
    }

    fn damaged(&mut self, path: &Path, why: String) {
        self.lost = true;
        self.wrong(path, &why);
    }
}
