//! From what an engine reports to events: each is said once, however often the executor is killed in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::bail;
use domain::backup::Dataset;
use domain::backup::choosing::damaged;
use domain::backup::saying::{Present, anomalies, compare, is_said};
use domain::canonical::Digest;
use domain::envelope::Draft;
use domain::event::{
    BackupCheckFailed, BackupChecked, BackupCopied, BackupEvent, BackupForgotten, BackupPruned,
    BackupRestored, BackupSnapshotCreated, BackupVerified, DamagedSnapshot, Event, ManifestRef,
    Measure, RestoreTested, Seer,
};
use domain::ids::StreamId;
use domain::job::Kind;
use domain::ledger::{Body, Mark};
use domain::site::ThingKind;
use engine::{BackupReport, CheckReport, Done, Outcome, RestoreReport, SnapshotInfo};
use jiff::Timestamp;
use tracing::warn;

use super::order::BackupOrder;
use super::prepare::datasets;
use super::seer;
use super::task::Told;
use crate::attempt::{AttemptDir, Spec};
use crate::host::Host;
use crate::life::{blocking, state};

/// Has the log agree to what is to be forgotten: before the child starts, and before anything is removed.
///
/// # Errors
/// The log does not agree, in a sentence; or nothing can be said any more.
pub(crate) async fn agree(
    host: &Arc<Host>,
    run: &StreamId,
    attempt: u32,
    spec: &Spec,
) -> anyhow::Result<()> {
    // What does not start removes nothing, so that nothing is forgotten for it.
    let Some(order) = spec.backup.as_ref().filter(|_| spec.refused.is_none()) else {
        return Ok(());
    };
    let (Some(dataset), Some(used)) = (&order.dataset, order.repositories.first()) else {
        return Ok(());
    };
    for forgetting in &order.forget {
        let event = BackupEvent::BackupForgotten(BackupForgotten {
            run: run.clone(),
            attempt,
            repository: used.name.clone(),
            snapshots: forgetting.snapshots.clone(),
            reason: forgetting.reason.clone(),
        });
        say_of_dataset(host, dataset, event).await?;
    }
    Ok(())
}

/// Says one event of a dataset, unless the log knows it.
async fn say_of_dataset(host: &Arc<Host>, name: &str, event: BackupEvent) -> anyhow::Result<()> {
    let known = |body: &Body| body.dataset().is_none_or(|dataset| is_said(dataset, &event));
    say_unless(host, &StreamId::thing(ThingKind::Dataset, name), &event, known).await
}

/// The same of a repository.
async fn say_of_repository(host: &Arc<Host>, name: &str, event: BackupEvent) -> anyhow::Result<()> {
    let known = |body: &Body| body.repository().is_none_or(|one| one.knows(&event));
    say_unless(host, &StreamId::thing(ThingKind::Repository, name), &event, known).await
}

/// Again and again while others are faster.
async fn say_unless(
    host: &Arc<Host>,
    id: &StreamId,
    event: &BackupEvent,
    known: impl Fn(&Body) -> bool,
) -> anyhow::Result<()> {
    loop {
        let Some(state) = state(host, id).await else { bail!("there is no {id}") };
        if known(&state.body) {
            return Ok(());
        }
        let draft = Draft::new(id.clone(), state.version + 1, Event::from(event.clone()));
        match host.outbox.say(draft).await?.mark {
            Mark::Valid => return Ok(()),
            Mark::Conflict { .. } => {}
            Mark::Refused { reason } => bail!("the log does not take {}: {reason}", event.kind()),
        }
    }
}

/// Says what an attempt that has ended did to snapshots.
///
/// # Errors
/// What was done cannot be read back, or the log does not take it: then the attempt has not succeeded, whatever its
/// exit code says.
pub(crate) async fn tell(
    host: &Arc<Host>,
    run: &StreamId,
    attempt: u32,
    spec: &Spec,
    dir: &AttemptDir,
) -> anyhow::Result<()> {
    let Some(order) = &spec.backup else { return Ok(()) };
    let told = {
        let dir = dir.clone();
        blocking(move || Ok(dir.report()?)).await?
    };
    let Some(bytes) = told else { bail!("the engine left no report") };
    if !bytes.ends_with(b"\n") {
        bail!("the engine's report is torn: it was killed while it wrote it");
    }
    let told: Told = serde_json::from_slice(&bytes)?;
    host.outbox.recovered().await;
    let by = seer(run, attempt, &told.report.engine);
    Telling { host, order, told: &told, by }.all().await
}

/// From how many on a list of damaged snapshots may have been cut.
const LISTED_MAX: usize = 50;

struct Telling<'a> {
    host: &'a Arc<Host>,
    order: &'a BackupOrder,
    told: &'a Told,
    by: Seer,
}

impl Telling<'_> {
    async fn all(&self) -> anyhow::Result<()> {
        let restored = matches!(&self.told.report.result, Some(Done::Restore(_)));
        if self.order.kind == Kind::RestoreTest && !restored {
            return self.untested().await;
        }
        let Some(done) = &self.told.report.result else { return Ok(()) };
        match done {
            Done::Backup(report) => self.backup(report).await,
            Done::Check(report) => self.check(report).await,
            Done::List(report) => {
                let whole = report.snapshots.count == report.snapshots.first.len() as u64;
                let names = self.order.repositories.last().map(|used| used.name.clone());
                // Where nothing was to be copied, the one that was read from was listed.
                let name = if self.order.kind == Kind::BackupCopy {
                    self.first()?.to_owned()
                } else {
                    names.unwrap_or_default()
                };
                self.listing(&name, &report.snapshots.first, whole).await
            }
            Done::Copy(report) => self.copy(report).await,
            Done::Restore(report) => self.restore(report).await,
            Done::Prune(report) => self.prune(report).await,
            Done::Init(_)
            | Done::Forget(_)
            | Done::Repair(_)
            | Done::Browse(_)
            | Done::Find(_)
            | Done::Diff(_)
            | Done::Manifest(_) => Ok(()),
        }
    }

    /// A test that did not come to a restore has failed, and says so; one that somebody stopped is none.
    async fn untested(&self) -> anyhow::Result<()> {
        let (Some(snapshot), false) =
            (self.order.snapshot, self.told.report.outcome == Outcome::Cancelled)
        else {
            return Ok(());
        };
        let tested = RestoreTested {
            by: self.by.clone(),
            host: self.host.name.clone(),
            repository: self.first()?.to_owned(),
            snapshot,
            chosen_by: self.order.chosen_by,
            files: 0,
            bytes: 0,
            mismatches: 0,
            check: None,
            took_ms: self.told.took_ms,
            good: false,
        };
        self.say(BackupEvent::RestoreTested(tested)).await
    }

    fn first(&self) -> anyhow::Result<&str> {
        match self.order.repositories.first() {
            Some(used) => Ok(&used.name),
            None => bail!("the order names no repository"),
        }
    }

    fn dataset(&self) -> anyhow::Result<&str> {
        match &self.order.dataset {
            Some(name) => Ok(name),
            None => bail!("the order names no dataset"),
        }
    }

    async fn say(&self, event: BackupEvent) -> anyhow::Result<()> {
        say_of_dataset(self.host, self.dataset()?, event).await
    }

    async fn backup(&self, report: &BackupReport) -> anyhow::Result<()> {
        let repository = self.first()?.to_owned();
        if report.snapshot.is_empty() {
            return Ok(());
        }
        let snapshot: Digest = report.snapshot.parse()?;
        self.say(BackupEvent::BackupSnapshotCreated(self.created(report)?)).await?;
        if let Some(second) = &report.second {
            self.second(&repository, second, snapshot).await?;
        }
        let whole = report.present.count == report.present.first.len() as u64;
        self.listing(&repository, &report.present.first, whole).await?;
        for event in anomalies(&self.known().await?, &repository, snapshot, &self.by) {
            self.say(event).await?;
        }
        if self.told.report.outcome == Outcome::Failed {
            let problem = self.told.report.problem.clone().unwrap_or_default();
            warn!(%repository, %problem, "a snapshot was written and is not good");
        }
        Ok(())
    }

    /// When the engine began: what the log hears of later it cannot have seen.
    fn began(&self) -> Timestamp {
        Timestamp::from_microsecond(self.told.report.began).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn created(&self, report: &BackupReport) -> anyhow::Result<BackupSnapshotCreated> {
        let Some(used) = self.order.repositories.first() else {
            bail!("the order names no repository");
        };
        let whole = &self.told.report;
        let took = whole.ended.saturating_sub(whole.began) / 1_000;
        // What was written and cannot be read back is as good as not there.
        let unread = u64::from(report.check.as_ref().is_some_and(|check| !check.good));
        let failed = u64::from(whole.outcome == Outcome::Failed);
        Ok(BackupSnapshotCreated {
            by: self.by.clone(),
            host: self.host.name.clone(),
            repository: used.name.clone(),
            definition: used.definition.clone(),
            snapshot: report.snapshot.parse()?,
            tree: report.tree.parse()?,
            began: self.began(),
            measure: Measure {
                files: report.files,
                bytes: report.bytes,
                added: report.added_bytes,
                stored: report.stored_bytes,
                changed: report.files_new.saturating_add(report.files_changed),
                took_ms: u64::try_from(took).unwrap_or(0),
            },
            errors: report.errors.count.saturating_add(unread).saturating_add(failed),
            manifest: ManifestRef {
                sha256: report.manifest.sha256.parse()?,
                entries: report.manifest.entries,
                snapshot: report.manifest.snapshot.parse()?,
            },
            read_back: self.order.read_back,
            tags: self.order.tags.clone(),
        })
    }

    /// What the other engine found is an event of its own, under its own name.
    async fn second(
        &self,
        repository: &str,
        check: &CheckReport,
        snapshot: Digest,
    ) -> anyhow::Result<()> {
        let by = Seer { engine: check.engine.clone(), ..self.by.clone() };
        let repository = repository.to_owned();
        if check.good {
            return self
                .say(BackupEvent::BackupVerified(BackupVerified {
                    by,
                    repository,
                    snapshots: check.snapshots,
                    packs: check.packs_read,
                    bytes: check.bytes_read,
                    part: 1,
                    // It looks at what this run wrote, and not at everything.
                    of: 2,
                }))
                .await;
        }
        let damaged = vec![DamagedSnapshot { snapshot, files: 0 }];
        let packs = check.damaged_packs.count;
        let failed = BackupCheckFailed { by, repository, packs, damaged };
        self.say(BackupEvent::BackupCheckFailed(failed)).await
    }

    async fn known(&self) -> anyhow::Result<Dataset> {
        let name = self.dataset()?;
        let state = state(self.host, &StreamId::thing(ThingKind::Dataset, name)).await;
        match state.and_then(|state| state.body.dataset().cloned()) {
            Some(dataset) => Ok(dataset),
            None => bail!("there is no dataset {name}"),
        }
    }

    /// What a listing tells that the log does not know. One that was cut says nothing about what is missing.
    async fn listing(
        &self,
        repository: &str,
        snapshots: &[SnapshotInfo],
        whole: bool,
    ) -> anyhow::Result<()> {
        let name = self.dataset()?;
        let own = snapshots.iter().filter(|one| one.dataset.as_deref() == Some(name));
        let present: Vec<Present> = own.filter_map(present).collect();
        let listed = self.began();
        for event in compare(&self.known().await?, repository, &present, listed, &self.by) {
            if whole || !matches!(event, BackupEvent::BackupSnapshotMissing(_)) {
                self.say(event).await?;
            }
        }
        Ok(())
    }

    async fn copy(&self, report: &engine::CopyReport) -> anyhow::Result<()> {
        let [from, to] = self.order.repositories.as_slice() else {
            bail!("the order names not two repositories");
        };
        let good = report.check.as_ref().is_none_or(|check| check.good);
        if !good {
            bail!("what was copied to {} is not whole there", to.name);
        }
        for copied in &report.copied {
            self.say(BackupEvent::BackupCopied(BackupCopied {
                by: self.by.clone(),
                from: from.name.clone(),
                original: copied.snapshot.parse()?,
                to: to.name.clone(),
                definition: to.definition.clone(),
                snapshot: copied.copy.parse()?,
            }))
            .await?;
        }
        Ok(())
    }

    /// A check concerns every dataset that has snapshots there.
    async fn check(&self, report: &CheckReport) -> anyhow::Result<()> {
        let repository = self.first()?.to_owned();
        let (part, of) = self.order.part.unwrap_or((1, 1));
        let mut named: BTreeMap<String, Vec<DamagedSnapshot>> = BTreeMap::new();
        for damaged in &report.damaged {
            let Some(name) = &damaged.dataset else { continue };
            let one =
                DamagedSnapshot { snapshot: damaged.snapshot.parse()?, files: damaged.files.count };
            named.entry(name.clone()).or_default().push(one);
        }
        // A list that may be cut, or damage that nobody could say whose it is: then every snapshot there is in doubt.
        let in_doubt = !report.good && (named.is_empty() || report.damaged.len() >= LISTED_MAX);
        for dataset in datasets(self.host).await {
            let name = &dataset.defined.name;
            if dataset.in_repository(&repository).next().is_none() {
                continue;
            }
            if report.good {
                let verified = BackupVerified {
                    by: self.by.clone(),
                    repository: repository.clone(),
                    snapshots: report.snapshots,
                    packs: report.packs_read,
                    bytes: report.bytes_read,
                    part,
                    of,
                };
                say_of_dataset(self.host, name, BackupEvent::BackupVerified(verified)).await?;
                continue;
            }
            let of_it = named.remove(name).unwrap_or_default();
            let damaged = damaged(&dataset, &repository, of_it, in_doubt);
            if damaged.is_empty() {
                continue;
            }
            let failed = BackupCheckFailed {
                by: self.by.clone(),
                repository: repository.clone(),
                packs: report.damaged_packs.count,
                damaged,
            };
            say_of_dataset(self.host, name, BackupEvent::BackupCheckFailed(failed)).await?;
        }
        let checked = BackupChecked {
            by: self.by.clone(),
            part,
            of,
            packs: report.packs_read,
            damaged: report.damaged_packs.count,
            snapshots: report.snapshots,
        };
        say_of_repository(self.host, &repository, BackupEvent::BackupChecked(checked)).await
    }

    async fn prune(&self, report: &engine::PruneReport) -> anyhow::Result<()> {
        let repository = self.first()?.to_owned();
        if report.dry_run {
            return Ok(());
        }
        let pruned = BackupPruned {
            by: self.by.clone(),
            packs_removed: report.packs_deleted,
            packs_rewritten: report.packs_repacked,
            freed: report.freed_bytes,
        };
        say_of_repository(self.host, &repository, BackupEvent::BackupPruned(pruned)).await
    }

    async fn restore(&self, report: &RestoreReport) -> anyhow::Result<()> {
        let repository = self.first()?.to_owned();
        let snapshot: Digest = report.snapshot.parse()?;
        let (by, host) = (self.by.clone(), self.host.name.clone());
        let good = self.told.report.outcome == Outcome::Good;
        if self.order.kind == Kind::RestoreTest {
            let checked = self.told.check.is_none_or(|code| code == 0);
            let tested = RestoreTested {
                by,
                host,
                repository,
                snapshot,
                chosen_by: self.order.chosen_by,
                files: report.files,
                bytes: report.bytes,
                mismatches: report.damaged.count.saturating_add(report.differences.count),
                check: self.told.check,
                took_ms: self.told.took_ms,
                // What was compared with nothing was not tested.
                good: good
                    && checked
                    && report.complete
                    && report.files > 0
                    && report.compared >= report.files,
            };
            return self.say(BackupEvent::RestoreTested(tested)).await;
        }
        // What is not complete was not restored: the run says why.
        if !good || !report.complete {
            return Ok(());
        }
        let restored = BackupRestored {
            by,
            host,
            repository,
            snapshot,
            part: self.order.part_of_snapshot,
            files: report.files,
            bytes: report.bytes,
            compared: report.compared,
            took_ms: report.took_ms,
        };
        self.say(BackupEvent::BackupRestored(restored)).await
    }
}

fn present(one: &SnapshotInfo) -> Option<Present> {
    Some(Present { snapshot: one.id.parse().ok()?, of_run: one.run.clone() })
}
