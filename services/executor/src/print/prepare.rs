//! From a job and what the log knows to what the child is told, and what it needs of other runs.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bus::Service;
use bytes::Bytes;
use domain::canonical::Digest;
use domain::event::CommandEnd;
use domain::ids::StreamId;
use domain::job::JobDefinition;
use domain::payload::commitment;
use domain::print::{DocumentSource, PrintWork, QueueDefinition};
use domain::run::Run;
use domain::site::{Thing, ThingKind};
use domain::wire::{Content, HostQuery, Query, RunFilter, Work, answered};
use sha2::Digest as _;

use super::documents_of;
use super::order::{BROUGHT, Bring, Known, PrintOrder, Task};
use crate::attempt::{AttemptDir, Spec};
use crate::host::Host;
use crate::life::{blocking, state, until_answered};

/// Bytes asked for at once.
const PIECE: u32 = 256 * 1024;
/// How long a host may take to answer for a piece.
const ANSWER: Duration = Duration::from_secs(20);
/// Runs of the other job that are looked through for one that did its work.
const RUNS: u32 = 50;

/// Makes of a specification that of a child that looks at documents. What keeps it from being one is to be refused by
/// whoever would start it, and said.
pub(crate) async fn prepare(
    host: &Arc<Host>,
    work: &Work,
    definition: &JobDefinition,
    spec: Spec,
) -> Spec {
    let Some(print) = &definition.print else { return spec };
    let program = documents_of(host);
    let order = order(host, work, print).await;
    match order.and_then(|order| Ok((told(&order)?, Box::new(order)))) {
        Ok((stdin, order)) => {
            let (stdin, print) = (Some(stdin), Some(order));
            Spec { program, stdin, print, env: BTreeMap::new(), ..spec }
        }
        Err(reason) => {
            let refused = spec.refused.clone().or(Some(reason));
            Spec { refused, program, ..spec }
        }
    }
}

/// What the child is told, as JSON.
fn told(order: &PrintOrder) -> Result<String, String> {
    let brought = order.bring.as_ref().map(|bring| (BROUGHT.into(), title(bring)));
    let task = Task { work: order.work.clone(), queue: order.queue.clone(), brought };
    serde_json::to_string(&task).map_err(|error| format!("the order cannot be written: {error}"))
}

fn title(bring: &Bring) -> String {
    let what = bring.artefact.as_deref().unwrap_or("output");
    format!("{what} of {}", bring.run)
}

async fn order(host: &Arc<Host>, work: &Work, print: &PrintWork) -> Result<PrintOrder, String> {
    let (queue, definition) = queue_of(host, &print.queue).await?;
    if let Some(form) = &print.form {
        let found = state(host, &StreamId::thing(ThingKind::Form, form)).await;
        let active =
            found.and_then(|found| found.body.thing().and_then(|thing| thing.active()).cloned());
        active.ok_or_else(|| format!("form {form} is not active"))?;
    }
    let bring = match &print.documents {
        DocumentSource::Files(_) => None,
        DocumentSource::OutputOf(job) => Some(left_by(host, work, job, None).await?),
        DocumentSource::Artefact(of) => Some(left_by(host, work, &of.job, Some(&of.name)).await?),
    };
    if let Some(bring) = &bring
        && bring.bytes > queue.limit_bytes
    {
        return Err(format!(
            "what {} left has {} bytes, the limit of queue {} is {}",
            bring.run, bring.bytes, queue.name, queue.limit_bytes
        ));
    }
    Ok(PrintOrder { work: print.clone(), queue, definition, bring })
}

async fn queue_of(
    host: &Arc<Host>,
    name: &str,
) -> Result<(QueueDefinition, domain::event::DefinitionRef), String> {
    let found = state(host, &StreamId::thing(ThingKind::Queue, name)).await;
    let found = found.ok_or_else(|| format!("there is no queue {name}"))?;
    let span = found.body.thing().and_then(|thing| thing.active());
    let span = span.ok_or_else(|| format!("queue {name} is not active"))?;
    match domain::site::state::read(ThingKind::Queue, span) {
        Some(Thing::Queue(queue)) => Ok((*queue, span.reference())),
        Some(_) | None => Err(format!("queue {name} cannot be read: upgrade this executor")),
    }
}

/// What a run of another job left: of the run this one waited for, or of the newest that did its work.
async fn left_by(
    host: &Arc<Host>,
    work: &Work,
    job: &str,
    artefact: Option<&str>,
) -> Result<Bring, String> {
    let waited = match state(host, &work.run).await {
        Some(found) => found.body.run().map(|run| run.cleared_by.clone()).unwrap_or_default(),
        None => Vec::new(),
    };
    let named = waited.into_iter().find(|id| id.run_job() == Some(job));
    let id = match named {
        Some(id) => id,
        None => newest(host, job).await?,
    };
    let found = state(host, &id).await;
    let run = found
        .as_ref()
        .and_then(|found| found.body.run())
        .ok_or_else(|| format!("there is no {id}"))?;
    of_run(run, artefact)
}

async fn newest(host: &Arc<Host>, job: &str) -> Result<StreamId, String> {
    let filter = RunFilter { job: Some(job.to_owned()), limit: RUNS, ..RunFilter::default() };
    let rows = until_answered(|| async {
        match bus::recorder::ask(&host.bus, &Query::Runs(filter.clone())).await?.content {
            Content::Runs(rows) => Ok(rows),
            Content::Head(_)
            | Content::Events(_)
            | Content::Leaves(_)
            | Content::Streams(_)
            | Content::Night(_)
            | Content::Heads(_)
            | Content::Consistency(_)
            | Content::Proof(_)
            | Content::Failed(_) => Err(bus::recorder::AskError::Unreadable("no runs".to_owned())),
        }
    })
    .await;
    let did = rows.into_iter().find(|row| matches!(row.state.as_str(), "succeeded" | "warning"));
    did.map(|row| row.run).ok_or_else(|| format!("no run of {job} has done its work"))
}

fn of_run(run: &Run, artefact: Option<&str>) -> Result<Bring, String> {
    let id = &run.id;
    let attempt = run.attempts.iter().rev().find(|attempt| attempt.report.is_some());
    let attempt = attempt.ok_or_else(|| format!("{id} has not ended"))?;
    let report = attempt.report.as_ref().ok_or_else(|| format!("{id} has not ended"))?;
    if !matches!(report.end, CommandEnd::Exited { .. }) {
        return Err(format!("the command of {id} did not end by itself"));
    }
    let (is, bytes) = match artefact {
        Some(name) => {
            let kept = report.artefacts.iter().find(|one| one.name == name);
            let kept = kept.ok_or_else(|| format!("{id} has kept no artefact {name}"))?;
            (Known::Sha256(kept.sha256), kept.bytes)
        }
        None => {
            let output = report.output.as_ref().ok_or_else(|| format!("{id} has no output"))?;
            if output.truncated {
                return Err(format!(
                    "the output of {id} was cut: nothing that is not whole is printed"
                ));
            }
            let committed = attempt.payload.as_ref().map(|one| Known::Commitment(one.commitment));
            let is = output.sha256.map(Known::Sha256).or(committed);
            (is.ok_or_else(|| format!("the log does not know the output of {id}"))?, output.bytes)
        }
    };
    Ok(Bring {
        run: id.to_string(),
        attempt: attempt.number,
        host: attempt.host.clone(),
        artefact: artefact.map(str::to_owned),
        is,
        bytes,
    })
}

/// Brings what another run left into the attempt's directory, and makes the one in which the child keeps documents.
///
/// # Errors
/// The other host does not answer, what it gives is not what the log knows, or the disk refuses.
pub(crate) async fn fetch(host: &Arc<Host>, spec: &Spec, dir: &AttemptDir) -> anyhow::Result<()> {
    let Some(bring) = spec.print.as_ref().and_then(|order| order.bring.as_ref()) else {
        return Ok(());
    };
    let place = dir.path().to_owned();
    let file = blocking(move || {
        let path = place.join(BROUGHT);
        let file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        file.with_context(|| format!("opening {}", path.display()))
    })
    .await?;
    pull(host, bring, file).await.with_context(|| format!("bringing the {}", title(bring)))
}

async fn pull(host: &Arc<Host>, bring: &Bring, mut file: fs::File) -> anyhow::Result<()> {
    let mut hash = sha2::Sha256::new();
    let mut offset = 0;
    while offset < bring.bytes {
        let piece = piece(host, bring, offset).await?;
        ensure!(!piece.is_empty(), "host {} has {offset} of {} bytes", bring.host, bring.bytes);
        hash.update(&piece);
        offset += piece.len() as u64;
        file = blocking(move || {
            file.write_all(&piece)?;
            Ok(file)
        })
        .await?;
    }
    let found = Digest(hash.finalize().into());
    let is = match bring.is {
        Known::Sha256(wanted) => found == wanted,
        Known::Commitment(wanted) => commitment(&salt(host, bring).await?.0, &found) == wanted,
    };
    ensure!(
        offset == bring.bytes && is,
        "what host {} gives is not what the log knows",
        bring.host
    );
    Ok(())
}

/// The salt of the commitment to another run's output.
async fn salt(host: &Arc<Host>, bring: &Bring) -> anyhow::Result<Digest> {
    let query = HostQuery::Salt { of: bring.run.parse()?, attempt: Some(bring.attempt) };
    Ok(serde_json::from_slice(&asked(host, bring, &query).await?)?)
}

async fn piece(host: &Arc<Host>, bring: &Bring, offset: u64) -> anyhow::Result<Bytes> {
    let run: StreamId = bring.run.parse()?;
    let attempt = bring.attempt;
    let query = match &bring.artefact {
        None => HostQuery::Output { run, attempt, offset, limit: PIECE },
        Some(name) => {
            HostQuery::Artefact { run, attempt, name: name.clone(), offset, limit: PIECE }
        }
    };
    asked(host, bring, &query).await
}

async fn asked(host: &Arc<Host>, bring: &Bring, query: &HostQuery) -> anyhow::Result<Bytes> {
    let body = Bytes::from(serde_json::to_vec(query)?);
    let answer = host.bus.request(&Service::Host(bring.host.clone()), body, ANSWER).await?;
    match answered(&answer) {
        Ok(Some(found)) => Ok(answer.slice_ref(found)),
        Ok(None) => bail!("host {} does not have it any more", bring.host),
        Err(problem) => bail!("host {}: {problem}", bring.host),
    }
}

/// The directory in which the child keeps documents: the user's, and nobody else's.
pub(crate) fn make_documents(path: &std::path::Path) -> std::io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
