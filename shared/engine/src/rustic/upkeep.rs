//! Forgetting, pruning, and bringing the index up to date after a crash.

use std::collections::BTreeMap;

use rustic_core::repofile::SnapshotId;
use rustic_core::{FileType, Id, PruneOptions, PruneStats, ReadBackend, RepairIndexOptions};

use super::check::hex_id;
use super::list::{is_manifest, manifest_for};
use super::{Opened, Rustic};
use crate::engine::{Answer, Ended};
use crate::problem::{Problem, io, rustic};
use crate::report::{Done, ForgetReport, MOST_NAMED, ProblemKind, PruneReport, RepairReport};
use crate::request::{Forget, Prune};
use crate::verdict;

/// Fewer bytes than a header and its length make no pack.
const SMALLEST_PACK: u64 = 73;

pub(super) fn forget(engine: &Rustic<'_>, asked: &Forget) -> Answer {
    verdict::some_to_forget(&asked.snapshots)?;
    let opened = engine.open_to_write()?;
    let all = opened.snapshots()?;
    let there: BTreeMap<String, SnapshotId> =
        all.iter().filter(|s| !is_manifest(s)).map(|s| (hex_id(*s.id), s.id)).collect();
    verdict::all_to_forget(&asked.snapshots, |id| there.contains_key(id))?;
    let named = all.iter().filter(|s| asked.snapshots.contains(&hex_id(*s.id)));
    let with: Vec<SnapshotId> = named.filter_map(|s| Some(manifest_for(&all, s)?.id)).collect();
    engine.context.cancel.check()?;
    let data: Vec<SnapshotId> =
        asked.snapshots.iter().filter_map(|id| there.get(id)).copied().collect();
    // The data first: a manifest without its snapshot is harmless, the other way round is not.
    for ids in [&data, &with] {
        opened
            .repo
            .delete_snapshots(ids)
            .map_err(rustic(ProblemKind::Unreachable, "removing snapshots"))?;
    }
    Ok(Ended::good(Done::Forget(ForgetReport {
        left: (there.len() - data.len()) as u64,
        removed: data.iter().map(|id| hex_id(**id)).collect(),
        manifests: with.iter().map(|id| hex_id(**id)).collect(),
    })))
}

pub(super) fn prune(engine: &Rustic<'_>, asked: &Prune) -> Answer {
    let opened = engine.open_to_write()?;
    let catalogue = opened.catalogue()?;
    if opened.snapshots()?.is_empty() && !catalogue.packs.is_empty() {
        let message = "pruning: the repository shows data and no snapshot, so all of it would go; nothing was \
                       removed: list the snapshots, and remove the repository itself if it is not needed";
        return Err(Problem::new(ProblemKind::Damaged, message));
    }
    let missing = catalogue.missing();
    if let Some((pack, why)) = missing.iter().next() {
        let message = format!(
            "pruning: {} packs are damaged, first {} {why}; nothing was removed: check first",
            missing.len(),
            hex_id(*pack)
        );
        return Err(Problem::new(ProblemKind::Damaged, message));
    }
    let options = PruneOptions::default().instant_delete(asked.instant);
    let tried = "planning what to prune";
    let plan = opened.repo.prune_plan(&options).map_err(rustic(ProblemKind::Damaged, tried))?;
    let report = planned(&plan.stats, asked);
    if !asked.dry_run {
        engine.context.cancel.check()?;
        let pruned = opened.repo.prune(&options, plan);
        pruned.map_err(rustic(ProblemKind::Unreachable, "pruning"))?;
        opened.gate.sync().map_err(rustic(ProblemKind::Unreachable, "pruning"))?;
        // Nobody else writes while a prune does.
        let tidied = opened.gate.files().storage().tidy();
        tidied.map_err(io(ProblemKind::Unreachable, "removing unfinished files"))?;
    }
    Ok(Ended::good(Done::Prune(report)))
}

fn planned(stats: &PruneStats, asked: &Prune) -> PruneReport {
    let size = stats.size_sum();
    let later = size.remove + size.repackrm + stats.size_unref;
    let now = stats.size_to_delete.remove;
    let marked = stats.packs.unused + stats.packs_unref;
    PruneReport {
        dry_run: asked.dry_run,
        packs_kept: stats.packs.keep,
        packs_repacked: stats.packs.repack,
        packs_marked: marked,
        packs_deleted: stats.packs_to_delete.remove,
        packs_recovered: stats.packs_to_delete.recover,
        freed_bytes: if asked.instant { now + later } else { now },
        freed_later_bytes: if asked.instant { 0 } else { later },
        bytes_before: size.total() + stats.size_to_delete.total() + stats.size_unref,
    }
}

pub(super) fn repair(engine: &Rustic<'_>) -> Answer {
    let opened = engine.open_to_write()?;
    Ok(Ended::good(Done::Repair(mend(&opened)?.report)))
}

/// What a repair took into the index.
pub(crate) struct Mended {
    pub(crate) report: RepairReport,
    pub(crate) added: BTreeMap<Id, u64>,
}

/// Takes packs into the index that a crashed run left, and out of it those that are gone.
///
/// Torn packs are set aside first: the library breaks on a pack that is shorter than its header.
pub(crate) fn mend(opened: &Opened) -> Result<Mended, Problem> {
    let before = opened.catalogue()?;
    let (mut unknown, missing) = (before.unknown(), before.missing());
    let mut report = RepairReport { packs_missing: missing.len() as u64, ..Default::default() };
    let torn = torn(opened, &unknown)?;
    set_aside(opened, &torn, &mut report)?;
    unknown.retain(|id, _| !torn.contains(id));
    if unknown.is_empty() && missing.is_empty() {
        return Ok(Mended { report, added: BTreeMap::new() });
    }
    let tried = "repairing the index";
    let repaired = opened.gate.steady(|| {
        if missing.is_empty() {
            opened.gate.show_only(unknown.keys().copied());
        } else {
            opened.gate.freeze_index()?;
        }
        opened.repo.repair_index(&RepairIndexOptions::default(), false)
    });
    opened.gate.show_all();
    repaired.map_err(rustic(ProblemKind::Unreachable, tried))?;
    opened.gate.sync().map_err(rustic(ProblemKind::Unreachable, tried))?;
    let after = opened.catalogue()?;
    unknown.retain(|id, _| after.packs.contains_key(id));
    let unreadable: Vec<Id> =
        after.unknown().into_keys().filter(|id| before.is_there(id)).collect();
    set_aside(opened, &unreadable, &mut report)?;
    report.packs_added = unknown.len() as u64;
    report.bytes_added = unknown.values().sum();
    Ok(Mended { report, added: unknown })
}

/// Those of some packs that cannot hold the header whose length their last four bytes say.
fn torn(opened: &Opened, packs: &BTreeMap<Id, u64>) -> Result<Vec<Id>, Problem> {
    let mut torn = Vec::new();
    for (id, bytes) in packs {
        if is_torn(opened, id, *bytes)? {
            torn.push(*id);
        }
    }
    Ok(torn)
}

/// A pack that cannot be read just now is not torn for that.
fn is_torn(opened: &Opened, id: &Id, bytes: u64) -> Result<bool, Problem> {
    let Some(end) = u32::try_from(bytes).ok().filter(|n| u64::from(*n) >= SMALLEST_PACK) else {
        return Ok(true);
    };
    let last = opened.gate.read_partial(FileType::Pack, id, false, end - 4, 4);
    let tried = format!("reading the end of pack {}", hex_id(*id));
    let last = last.map_err(rustic(ProblemKind::Unreachable, tried))?;
    let length = last.as_ref().try_into().ok().map(u32::from_le_bytes);
    Ok(length.is_none_or(|length| length > end - 4))
}

fn set_aside(opened: &Opened, packs: &[Id], report: &mut RepairReport) -> Result<(), Problem> {
    for pack in packs {
        let tried = format!("setting the torn pack {} aside", hex_id(*pack));
        opened.gate.set_aside(pack).map_err(io(ProblemKind::Unreachable, tried))?;
        report.packs_torn.push(hex_id(*pack), MOST_NAMED);
    }
    Ok(())
}
