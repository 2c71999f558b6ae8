//! From a job and what the log knows to what the child is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bus::recorder::AskError;
use domain::backup::admit::has_room;
use domain::backup::choosing::{Unclear, named, to_copy, to_forget, to_remove};
use domain::backup::{
    BackupWork, CopyWork, Dataset, EngineName, Hook, RepositoryDefinition, RestoreTestWork,
    RestoreWork, RetentionWork, Snapshot,
};
use domain::canonical::Digest;
use domain::event::DefinitionRef;
use domain::ids::StreamId;
use domain::job::{JobDefinition, Work as Kind};
use domain::ledger::{Body, StreamState};
use domain::site::{Thing, ThingKind};
use domain::wire::{Content, Query, Selection, StreamView, Work};

use super::engine_of;
use super::order::{BackupOrder, Touches, Used};
use super::task::{Task, Test};
use crate::attempt::Spec;
use crate::host::Host;
use crate::life::{state, until_answered};

/// Makes of a specification that of an engine. What keeps it from being one is to be refused by whoever would start it,
/// and said.
pub(crate) async fn prepare(
    host: &Arc<Host>,
    work: &Work,
    definition: &JobDefinition,
    spec: Spec,
) -> Spec {
    let Some(kind) = definition.work() else { return spec };
    let asked = Asked::of(host, kind).await;
    let made = asked.and_then(|asked| Making { host, work, kind, asked: &asked }.make());
    match made {
        Ok(made) => made.into_spec(host, definition, spec),
        Err(reason) => {
            let refused = spec.refused.or(Some(reason));
            Spec { refused, program: engine_of(host), ..spec }
        }
    }
}

/// What the log knows of the things a job names.
struct Asked {
    dataset: Option<Dataset>,
    repositories: Vec<(RepositoryDefinition, DefinitionRef, StreamState)>,
    /// Root of the newest head.
    root: Digest,
    /// Repositories of which the log knows snapshots: where such a one is not there, it is not made anew.
    used: BTreeSet<String>,
}

impl Asked {
    async fn of(host: &Arc<Host>, kind: Kind<'_>) -> Result<Self, String> {
        let mut dataset = None;
        if let Some(name) = kind.dataset() {
            let state = state(host, &StreamId::thing(ThingKind::Dataset, name)).await;
            let found = state.and_then(|state| state.body.dataset().cloned());
            let found = found.ok_or_else(|| format!("there is no dataset {name}"))?;
            if found.defined.active().is_none() {
                return Err(format!("dataset {name} is not active"));
            }
            dataset = Some(found);
        }
        let mut repositories = Vec::new();
        for name in kind.repositories() {
            let state = state(host, &StreamId::thing(ThingKind::Repository, name)).await;
            let state = state.ok_or_else(|| format!("there is no repository {name}"))?;
            let thing = state.body.thing();
            let span = thing.and_then(|thing| thing.active());
            let span = span.ok_or_else(|| format!("repository {name} is not active"))?;
            let Some(Thing::Repository(definition)) =
                domain::site::state::read(ThingKind::Repository, span)
            else {
                return Err(format!("repository {name} cannot be read: upgrade this executor"));
            };
            let reference = span.reference();
            repositories.push((*definition, reference, state));
        }
        let root = match kind {
            Kind::RestoreTest(_) => head(host).await,
            Kind::Backup(_)
            | Kind::Copy(_)
            | Kind::Check(_)
            | Kind::Retention(_)
            | Kind::Prune(_)
            | Kind::Restore(_) => Digest::NONE,
        };
        let mut used = BTreeSet::new();
        if repositories.iter().any(|(one, _, _)| one.initialise) {
            for dataset in datasets(host).await {
                used.extend(dataset.snapshots.into_iter().map(|one| one.repository));
            }
        }
        Ok(Self { dataset, repositories, root, used })
    }
}

/// All datasets, as the log has them.
pub(super) async fn datasets(host: &Host) -> Vec<Dataset> {
    until_answered(|| async {
        let mut found = Vec::new();
        let mut take = |view: StreamView| {
            if let Body::Dataset(dataset) = view.state.body {
                found.push(*dataset);
            }
        };
        bus::recorder::each_stream(&host.bus, Selection::Things, &mut take).await?;
        Ok(found)
    })
    .await
}

/// The root of the log as it is now: nobody could know it when the job was written.
async fn head(host: &Host) -> Digest {
    until_answered(|| async {
        match bus::recorder::ask(&host.bus, &Query::Head).await?.content {
            Content::Head(head) => Ok(head.root),
            Content::Events(_)
            | Content::Leaves(_)
            | Content::Streams(_)
            | Content::Runs(_)
            | Content::Night(_)
            | Content::Heads(_)
            | Content::Consistency(_)
            | Content::Proof(_)
            | Content::Failed(_) => Err(AskError::Unreadable("no head".to_owned())),
        }
    })
    .await
}

/// What becomes the child's task.
struct Making<'a> {
    host: &'a Arc<Host>,
    work: &'a Work,
    kind: Kind<'a>,
    asked: &'a Asked,
}

struct Made {
    order: BackupOrder,
    task: Task,
    secrets: BTreeMap<String, String>,
}

impl Made {
    fn into_spec(self, host: &Host, definition: &JobDefinition, spec: Spec) -> Spec {
        let stdin = serde_json::to_string(&self.task);
        let refused = match &stdin {
            Ok(_) => spec.refused.clone(),
            Err(error) => Some(format!("the order cannot be written: {error}")),
        };
        let mut secrets = definition.secrets.clone();
        secrets.extend(self.secrets);
        let program = engine_of(host);
        let (stdin, backup) = (stdin.ok(), Some(Box::new(self.order)));
        Spec { refused, program, stdin, secrets, backup, ..spec }
    }
}

impl Making<'_> {
    fn make(&self) -> Result<Made, String> {
        let mut order = BackupOrder {
            kind: self.kind.kind(),
            dataset: self.kind.dataset().map(str::to_owned),
            repositories: self.used(),
            touches: touches(self.kind),
            ..BackupOrder::default()
        };
        let locations = self.asked.repositories.iter().map(|(one, _, _)| one.location.clone());
        order.touches.repositories = locations.collect();
        let task = match self.kind {
            Kind::Backup(work) => self.backup(work, &mut order)?,
            Kind::Copy(work) => self.copy(work)?,
            Kind::Check(work) => {
                let (part, of) = (self.next_part(work.parts), work.parts);
                order.part = Some((part, of));
                let read =
                    if of == 1 { engine::Read::All } else { engine::Read::Packs { part, of } };
                let check = engine::Check { read, snapshots: Vec::new() };
                self.engine(engine::Operation::Check(check))?
            }
            Kind::Retention(work) => self.retention(work, &mut order)?,
            Kind::Prune(work) => {
                let prune = engine::Prune { dry_run: work.dry_run, instant: false };
                self.engine(engine::Operation::Prune(prune))?
            }
            Kind::Restore(work) => self.restore(work, &mut order)?,
            Kind::RestoreTest(work) => self.restore_test(work, &mut order)?,
        };
        Ok(Made { order, task, secrets: self.secrets() })
    }

    fn used(&self) -> Vec<Used> {
        let all = self.asked.repositories.iter();
        all.map(|(one, reference, _)| Used {
            name: one.name.clone(),
            definition: reference.clone(),
        })
        .collect()
    }

    /// Passwords and keys by reference: the supervisor looks them up just before the start.
    fn secrets(&self) -> BTreeMap<String, String> {
        let (copy, keys) = (engine::process::COPY_PASSWORD, engine::process::COPY_KEYS);
        // The second repository's keys may have the names of the first one's.
        let names = [(engine::process::PASSWORD, ""), (copy, keys)];
        let mut found = BTreeMap::new();
        for ((one, _, _), (password, prefix)) in self.asked.repositories.iter().zip(names) {
            found.extend(secrets_of(one, password, prefix));
        }
        found
    }

    fn repository(&self, index: usize) -> Result<engine::Repository, String> {
        let (one, _, _) = self.asked.repositories.get(index).ok_or("no repository is named")?;
        Ok(engine_repository(self.host, one, !self.asked.used.contains(&one.name)))
    }

    fn engine(&self, operation: engine::Operation) -> Result<Task, String> {
        let request = engine::Request { repository: self.repository(0)?, operation };
        Ok(Task::Engine(Box::new(request)))
    }

    fn dataset(&self) -> Result<&Dataset, String> {
        self.asked.dataset.as_ref().ok_or_else(|| "no dataset is named".to_owned())
    }

    fn backup(&self, work: &BackupWork, order: &mut BackupOrder) -> Result<Task, String> {
        has_room(self.dataset()?)?;
        order.tags.clone_from(&work.tags);
        order.read_back = work.read_back;
        let source = match &work.output_of {
            Some(output) => engine::Source::Command(engine::Command {
                argv: output.argv.clone(),
                file_name: output.file_name.clone(),
                env: output.env.clone(),
                allow_empty: false,
            }),
            None => engine::Source::Paths(engine::Paths {
                paths: work.paths.iter().map(|path| path.as_str().into()).collect(),
                exclude: work.exclude.clone(),
                exclude_if_present: work.exclude_if_present.clone(),
                one_file_system: work.one_file_system,
            }),
        };
        self.engine(engine::Operation::Backup(Box::new(engine::Backup {
            dataset: work.dataset.clone(),
            run: self.work.run.to_string(),
            attempt: self.work.attempt,
            host: self.host.name.clone(),
            tags: work.tags.clone(),
            source,
            before: work.before.as_ref().map(hook),
            after: work.after.as_ref().map(hook),
            read_back: work.read_back,
        })))
    }

    /// What is good and is not there yet; where all is, the other repository is listed all the same.
    fn copy(&self, work: &CopyWork) -> Result<Task, String> {
        let dataset = self.dataset()?;
        has_room(dataset)?;
        let all = to_copy(dataset, &work.from, &work.to);
        let snapshots: Vec<String> = all.iter().map(ToString::to_string).collect();
        if snapshots.is_empty() {
            let list = engine::List { dataset: Some(work.dataset.clone()) };
            return self.engine(engine::Operation::List(list));
        }
        let to = self.repository(1)?;
        self.engine(engine::Operation::Copy(Box::new(engine::Copy { to, snapshots })))
    }

    fn next_part(&self, of: u32) -> u32 {
        let state = self.asked.repositories.first().map(|(_, _, state)| &state.body);
        state.and_then(|body| body.repository()).map_or(1, |one| one.next_part(of))
    }

    /// What the rule does not keep, what two people have agreed on, and what was forgotten before and may still be there.
    fn retention(&self, work: &RetentionWork, order: &mut BackupOrder) -> Result<Task, String> {
        let dataset = self.dataset()?;
        order.forget = to_forget(dataset, &work.repository, (self.host.clock)());
        let all = to_remove(dataset, &work.repository, &order.forget);
        let snapshots = all.iter().map(ToString::to_string).collect();
        let (repository, dataset) = (self.repository(0)?, work.dataset.clone());
        Ok(Task::Forget { repository: Box::new(repository), dataset, snapshots })
    }

    /// The snapshot that is meant, with the hash of its manifest as the log knows it.
    fn snapshot(&self, repository: &str, wanted: &str) -> Result<&Snapshot, String> {
        let dataset = self.dataset()?;
        let name = &dataset.defined.name;
        if wanted == "latest" {
            return dataset.newest_good(repository).ok_or_else(|| {
                format!(
                    "repository {repository} holds no snapshot of {name} that is known to be good"
                )
            });
        }
        named(dataset, Some(repository), wanted).map_err(|unclear| match unclear {
            Unclear::Several => {
                format!("several snapshots of {name} begin with {wanted}: write more of it")
            }
            Unclear::None => {
                format!("repository {repository} holds no snapshot {wanted} of {name}")
            }
        })
    }

    fn restore(&self, work: &RestoreWork, order: &mut BackupOrder) -> Result<Task, String> {
        let snapshot = self.snapshot(&work.repository, &work.snapshot)?;
        order.part_of_snapshot = !work.path.is_empty();
        let overwrite =
            if work.replace { engine::Overwrite::Replace } else { engine::Overwrite::Never };
        order.snapshot = Some(snapshot.id);
        let restore = engine::Restore {
            path: (!work.path.is_empty()).then(|| work.path.as_str().into()),
            overwrite,
            ..restore_of(snapshot.id, &work.to)
        };
        let (repository, manifest) = (self.repository(0)?, snapshot.manifest.sha256.to_string());
        Ok(Task::Restore { repository: Box::new(repository), restore: Box::new(restore), manifest })
    }

    fn restore_test(
        &self,
        work: &RestoreTestWork,
        order: &mut BackupOrder,
    ) -> Result<Task, String> {
        let snapshot = self.snapshot(&work.repository, "latest")?;
        order.chosen_by = work.sample.map(|_| self.asked.root);
        order.snapshot = Some(snapshot.id);
        // A name of its own: what an attempt leaves is in nobody's way, and one that goes on finds it.
        let name = Digest::of(format!("{}#{}", self.work.run, self.work.attempt).as_bytes());
        let to = format!("{}/decklog-test-{}", work.scratch.trim_end_matches('/'), name.short());
        Ok(Task::Test(Box::new(Test {
            repository: self.repository(0)?,
            restore: restore_of(snapshot.id, &to),
            manifest: snapshot.manifest.sha256.to_string(),
            sample: work.sample.map(|count| (self.asked.root, count)),
            check: work.check.as_ref().map(hook),
        })))
    }
}

/// A repository as an engine knows it. One that holds snapshots already is not `new`, and is not made anew.
pub(super) fn engine_repository(
    host: &Host,
    one: &RepositoryDefinition,
    new: bool,
) -> engine::Repository {
    let (ca_file, ssh_config) = host.allow.reaching();
    engine::Repository {
        location: one.location.clone(),
        engine: match one.engine {
            EngineName::Rustic => engine::EngineName::Rustic,
            EngineName::Restic => engine::EngineName::Restic,
        },
        initialise: one.initialise && new,
        second: one.second_opinion,
        cache: None,
        restic: host.allow.restic().map(Into::into),
        region: one.region.clone(),
        ca_file: ca_file.map(Into::into),
        ssh_config: ssh_config.map(Into::into),
    }
}

/// Its password, in the variable of this name, and its keys, in variables that begin so: by reference.
pub(super) fn secrets_of(
    one: &RepositoryDefinition,
    password: &str,
    prefix: &str,
) -> BTreeMap<String, String> {
    let keys = one.secrets.iter();
    let mut found: BTreeMap<String, String> =
        keys.map(|(name, value)| (format!("{prefix}{name}"), value.clone())).collect();
    found.insert(password.to_owned(), one.password.clone());
    found
}

fn restore_of(snapshot: Digest, to: &str) -> engine::Restore {
    engine::Restore {
        snapshot: snapshot.to_string(),
        path: None,
        to: to.into(),
        sample: None,
        overwrite: engine::Overwrite::Never,
        dry_run: false,
        compare: true,
        memory_limit_bytes: 300 * 1024 * 1024,
    }
}

fn hook(hook: &Hook) -> engine::Hook {
    engine::Hook {
        argv: hook.argv.clone(),
        timeout_ms: hook.timeout.millis(),
        env: BTreeMap::new(),
    }
}

/// What a job of such a kind touches, as far as its definition says.
pub(crate) fn touches(kind: Kind<'_>) -> Touches {
    let first = |hook: &Hook| hook.argv.first().cloned();
    match kind {
        Kind::Backup(work) => {
            let hooks = work.before.iter().chain(&work.after).filter_map(first);
            let dump = work.output_of.iter().filter_map(|output| output.argv.first().cloned());
            let programs = hooks.chain(dump).collect();
            let env = work.output_of.iter().flat_map(|output| output.env.clone()).collect();
            Touches { read: work.paths.clone(), programs, env, ..Touches::default() }
        }
        Kind::Restore(work) => Touches { write: vec![work.to.clone()], ..Touches::default() },
        Kind::RestoreTest(work) => {
            let programs = work.check.iter().filter_map(first).collect();
            Touches { write: vec![work.scratch.clone()], programs, ..Touches::default() }
        }
        Kind::Copy(_) | Kind::Check(_) | Kind::Retention(_) | Kind::Prune(_) => Touches::default(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_keys_that_a_repository_may_name_are_those_that_engines_read() {
        assert_eq!(domain::backup::STORAGE_KEYS, engine::Keys::NAMES);
    }
}
