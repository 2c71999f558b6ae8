//! Copying snapshots with their manifests into another repository with restic, and checking them there.
//!
//! Also from a repository that the other engine writes: the format is the same, and restic marks a copy with the
//! snapshot it is a copy of, as the engine built in does.

use super::Restic;
use super::program::{Program, checked, refuse_open};
use super::read::{named, snapshots};
use crate::engine::Answer;
use crate::problem::Problem;
use crate::report::{Copied, CopyReport, ProblemKind, SnapshotInfo};
use crate::request::{Copy, Secrets};
use crate::rustic::list::linked;
use crate::verdict;

/// Most ids in one command.
const MOST_IDS: usize = 500;

pub(super) fn copy(engine: &Restic<'_>, asked: &Copy) -> Answer {
    let password = engine.secrets.copy_password.clone().ok_or_else(|| {
        Problem::new(ProblemKind::BadRequest, "copying: the other password is not given")
    })?;
    let keys = engine.secrets.keys.with(&engine.secrets.copy_keys).map_err(|name| {
        let message = format!(
            "copying with restic: it reads {name} once for both repositories, and theirs differ; set \
             `engine: rustic` for the one copied to"
        );
        Problem::new(ProblemKind::Unsupported, message)
    })?;
    one_server_each(engine, asked)?;
    let secrets = Secrets { password, keys, ..Secrets::default() };
    refuse_open(&engine.repository.location, &secrets.keys)?;
    let program = Program::find(&asked.to, &secrets, engine.context.clone())?;
    let target = Restic {
        repository: &asked.to,
        secrets: &secrets,
        program: program.reading_from(&engine.secrets.password),
        context: engine.context.clone(),
    };
    target.program.must_write("copying")?;
    let from = snapshots(engine)?;
    let data = linked(from.clone());
    let wanted: Vec<SnapshotInfo> =
        asked.snapshots.iter().map(|id| named(&data, id)).collect::<Result<_, _>>()?;
    let repository = target.open_or_create()?;
    target.recover()?;
    let (there, before) = (snapshots(&target)?, target.packs()?);
    let absent = |info: &&SnapshotInfo| copy_of(&there, info).is_none();
    let holders = wanted.iter().filter_map(|info| info.manifest.as_ref());
    let manifests: Vec<&SnapshotInfo> =
        holders.filter_map(|id| from.iter().find(|info| info.id == *id)).filter(absent).collect();
    let missing: Vec<&SnapshotInfo> = wanted.iter().filter(absent).collect();
    // The manifests first: a copy that is there has its manifest then, also when this ends in between.
    for all in [&manifests, &missing] {
        send(engine, &target, all)?;
    }
    let already: Vec<&str> =
        wanted.iter().filter(|info| !absent(info)).map(|info| info.id.as_str()).collect();
    let share = if missing.is_empty() && manifests.is_empty() { 0 } else { 100 };
    let report = CopyReport { repository, ..CopyReport::default() };
    conclude(&target, &wanted, &already, &before, share, report)
}

/// restic gives one REST password to every REST server without a user in its location.
fn one_server_each(engine: &Restic<'_>, asked: &Copy) -> Result<(), Problem> {
    let is_rest = |location: &str| location.starts_with("rest:");
    let name = "RESTIC_REST_PASSWORD";
    let same = engine.secrets.keys.get(name) == engine.secrets.copy_keys.get(name);
    if same || !is_rest(&engine.repository.location) || !is_rest(&asked.to.location) {
        return Ok(());
    }
    let message = "copying with restic: it would tell one REST server the other one's password; set `engine: rustic` \
                   for the one copied to";
    Err(Problem::new(ProblemKind::Unsupported, message))
}

fn send(
    engine: &Restic<'_>,
    target: &Restic<'_>,
    snapshots: &[&SnapshotInfo],
) -> Result<(), Problem> {
    let from = checked(&engine.repository.location)?;
    engine.context.meter.phase("copy with restic", 0);
    for some in snapshots.chunks(MOST_IDS) {
        let mut arguments = vec!["copy", "--from-repo", from];
        arguments.extend(target.program.patience());
        arguments.push("--");
        arguments.extend(some.iter().map(|info| info.id.as_str()));
        target.program.must("copying", &arguments)?;
    }
    Ok(())
}

/// The copy of a snapshot in a repository.
fn copy_of<'a>(there: &'a [SnapshotInfo], info: &SnapshotInfo) -> Option<&'a SnapshotInfo> {
    let original = info.original.as_ref().unwrap_or(&info.id);
    let same = |other: &&SnapshotInfo| {
        other.tree == info.tree
            && (other.original.as_ref() == Some(original) || other.id == *original)
    };
    there.iter().find(same)
}

fn conclude(
    target: &Restic<'_>,
    wanted: &[SnapshotInfo],
    already: &[&str],
    before: &super::packs::Packs,
    share: u8,
    mut report: CopyReport,
) -> Answer {
    let there = snapshots(target)?;
    for info in wanted {
        let copy = copy_of(&there, info).ok_or_else(|| verdict::not_copied(&info.id))?;
        let already = already.contains(&info.id.as_str());
        report.copied.push(Copied { snapshot: info.id.clone(), copy: copy.id.clone(), already });
    }
    let new = target.packs()?.into_iter().filter(|(id, _)| !before.contains_key(id));
    let bytes = new.map(|(_, bytes)| bytes.unwrap_or(UNKNOWN_PACK)).sum();
    report.check = Some(target.read_again(before, bytes, share)?);
    Ok(verdict::copy(report))
}

/// Bytes that a pack has at most by default, where its size is not known.
const UNKNOWN_PACK: u64 = 20 << 20;
