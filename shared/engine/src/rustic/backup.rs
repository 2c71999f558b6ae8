//! Writing a snapshot, its manifest, and looking at what was written.

use std::path::PathBuf;
use std::sync::Arc;

use rustic_core::repofile::SnapshotFile;
use rustic_core::{BackupOptions, SnapshotOptions};

use super::Rustic;
use super::list::{self, OURS};
use crate::engine::{Answer, Ended};
use crate::ledger::{Files, Ledger, State, roots};
use crate::problem::{Problem, rustic};
use crate::report::{BackupReport, Done, ManifestInfo, Outcome, ProblemKind};
use crate::request::{Backup, Source};

pub(super) fn backup(engine: &Rustic<'_>, asked: &Backup) -> Answer {
    let opened = engine.open_or_create()?;
    let ledger = Arc::new(Ledger::new(engine.context.meter.clone(), engine.context.cancel.clone()));
    let Source::Paths(paths) = &asked.source else {
        return Err(super::unbuilt("a command's output"));
    };
    let source = Files::new(paths, ledger.clone())?;
    let names: Vec<PathBuf> = roots(paths)?;
    let tried = || format!("backing up the dataset {}", asked.dataset);
    let repository = opened.id();
    let indexed =
        opened.repo.to_indexed_ids().map_err(rustic(ProblemKind::Damaged, "reading the index"))?;
    engine.context.meter.phase("backup", 0);
    let written = indexed
        .archive(&BackupOptions::default(), &source, blank(asked)?, &names)
        .map_err(rustic(ProblemKind::Unreachable, tried()))?;
    let state = ledger.take();
    let all = engine.open()?.snapshots()?;
    let mut report = report(&written, state);
    report.repository = repository;
    report.present = list::present(&all, Some(&asked.dataset));
    let errors = report.errors.count;
    let done = Done::Backup(Box::new(report));
    if errors > 0 {
        let message = format!("{errors} files or directories of the source could not be read");
        return Ok(Ended::with(done, Outcome::Incomplete, ProblemKind::Source, message));
    }
    Ok(Ended::good(done))
}

fn blank(asked: &Backup) -> Result<SnapshotFile, Problem> {
    let options = SnapshotOptions::default().host(asked.host.clone());
    let mut snapshot =
        options.to_snapshot().map_err(rustic(ProblemKind::BadRequest, "preparing the snapshot"))?;
    snapshot.tags.add(OURS.to_owned());
    snapshot.tags.add(format!("dataset={}", asked.dataset));
    snapshot.tags.add(format!("run={}", asked.run));
    snapshot.tags.add(format!("attempt={}", asked.attempt));
    for tag in &asked.tags {
        snapshot.tags.add(tag.clone());
    }
    Ok(snapshot)
}

fn report(written: &SnapshotFile, state: State) -> BackupReport {
    let summary = written.summary.clone().unwrap_or_default();
    BackupReport {
        snapshot: written.id.to_hex().to_string(),
        tree: written.tree.to_hex().to_string(),
        parent: written.parent.map(|id| id.to_hex().to_string()),
        time: written.time.timestamp().as_microsecond(),
        files: summary.total_files_processed,
        dirs: summary.total_dirs_processed,
        bytes: summary.total_bytes_processed,
        files_new: summary.files_new,
        files_changed: summary.files_changed,
        files_unmodified: summary.files_unmodified,
        added_bytes: summary.data_added,
        stored_bytes: summary.data_added_packed,
        errors: state.errors,
        changed: state.changed,
        skipped_sockets: state.sockets,
        manifest: ManifestInfo::default(),
        ..BackupReport::default()
    }
}
