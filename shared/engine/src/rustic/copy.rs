//! Copying snapshots with their manifests into another repository, and checking them there.

use rustic_core::repofile::SnapshotFile;

use super::Rustic;
use super::check::{examine_packs, hex_id, map};
use super::list::manifest_for;
use super::read::{Indexed, named};
use crate::engine::Answer;
use crate::problem::{Problem, rustic};
use crate::report::{Copied, CopyReport, ProblemKind};
use crate::request::{Copy, EngineName, Secrets};
use crate::verdict;

pub(super) fn copy(engine: &Rustic<'_>, asked: &Copy) -> Answer {
    let bad = |message: &str| Problem::new(ProblemKind::BadRequest, message);
    if asked.to.engine != EngineName::Rustic {
        return Err(bad("copying: only the engine built in copies; name it for both repositories"));
    }
    let password = engine.secrets.copy_password.clone();
    let password = password.ok_or_else(|| bad("copying: the other password is not given"))?;
    let keys = engine.secrets.copy_keys.clone();
    let secrets = Secrets { password, keys, ..Secrets::default() };
    let target = Rustic::new(&asked.to, &secrets, engine.context.clone());
    let from = engine.indexed()?;
    let wanted = asked.snapshots.iter().map(|id| named(&from.snapshots, id));
    let wanted = wanted.collect::<Result<Vec<_>, _>>()?;
    let to = target.index(target.open_or_create()?)?;
    let absent = |snapshot: &&SnapshotFile| copy_of(&to, snapshot).is_none();
    let mut missing: Vec<&SnapshotFile> = wanted.iter().copied().filter(absent).collect();
    let manifests: Vec<_> =
        missing.iter().filter_map(|s| manifest_for(&from.snapshots, s)).filter(absent).collect();
    let already: Vec<String> =
        wanted.iter().filter(|s| !absent(s)).map(|s| hex_id(*s.id)).collect();
    missing.extend(manifests);
    engine.context.cancel.check()?;
    engine.context.meter.phase("copy", 0);
    let marked: Vec<SnapshotFile> = missing.into_iter().map(marked).collect();
    from.repo.copy(&to.repo, &marked).map_err(rustic(ProblemKind::Unreachable, "copying"))?;
    conclude(&target, to, &wanted, &already)
}

/// The snapshot with the word which one it is a copy of.
fn marked(snapshot: &SnapshotFile) -> SnapshotFile {
    let original = snapshot.original.or(Some(snapshot.id));
    SnapshotFile { original, ..snapshot.clone() }
}

/// The copy of a snapshot in a repository.
fn copy_of<'a>(there: &'a Indexed, snapshot: &SnapshotFile) -> Option<&'a SnapshotFile> {
    let original = snapshot.original.unwrap_or(snapshot.id);
    let same = |other: &&SnapshotFile| {
        other.tree == snapshot.tree && (other.original == Some(original) || other.id == original)
    };
    there.snapshots.iter().find(same)
}

/// Opens the other repository afresh: the library leaves out silently what it did not find.
fn conclude(
    target: &Rustic<'_>,
    written: Indexed,
    wanted: &[&SnapshotFile],
    already: &[String],
) -> Answer {
    let packs = written.gate.packs().keys().copied().collect();
    drop(written);
    let opened = target.open()?;
    let catalogue = opened.catalogue()?;
    let there = target.index(opened)?;
    let mut report = CopyReport { repository: there.id.clone(), ..CopyReport::default() };
    let mut copies = Vec::new();
    for snapshot in wanted {
        let id = hex_id(*snapshot.id);
        let copy = copy_of(&there, snapshot).ok_or_else(|| verdict::not_copied(&id))?;
        let already = already.contains(&id);
        report.copied.push(Copied { snapshot: id, copy: hex_id(*copy.id), already });
        copies.push(copy);
    }
    let (mut check, damaged) = examine_packs(&there, &catalogue, &packs, 100.0, &target.context);
    check.snapshots = copies.len() as u64;
    map(&there, &catalogue, &damaged, &copies, &mut check);
    check.good = check.errors.count == 0;
    report.check = Some(check);
    Ok(verdict::copy(report))
}
