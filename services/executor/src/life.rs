//! The life of one attempt on this host: prepare, claim, start, wait, say.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bus::recorder::AskError;
use domain::canonical::Digest;
use domain::envelope::PayloadRef;
use domain::event::{ArtefactRef, AttemptReport, CommandEnd, OutputRef};
use domain::executor::{Cause, Ending, claim, conclude, end, give_up};
use domain::ids::StreamId;
use domain::job::{ExitCodes, JobDefinition, Kind};
use domain::ledger::{Mark, StreamState};
use domain::payload::{OUTPUT, commitment};
use domain::wire::Work;
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{info, warn};

use crate::attempt::{AttemptDir, Cause as HostCause, Outcome, Spec, State, Status, prepare};
use crate::host::{Held, Host};
use crate::{backup, beat, order, print};

/// How long one wait for a supervisor lasts; then it is waited for again.
const WATCH: Duration = Duration::from_secs(3_600);
/// How long to wait before a question that failed is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// Takes an offer and lives the attempt to its end. Returns when its end is in the log; the slot is free
/// again as soon as the command has ended.
pub(crate) async fn take(
    host: &Arc<Host>,
    work: &Work,
    definition: &JobDefinition,
    slot: OwnedSemaphorePermit,
) -> anyhow::Result<()> {
    let spec = ready_spec(host, work, definition).await;
    let Some(dir) = prepared(host, work, &spec).await? else { return Ok(()) };
    if !host.hold(&work.run, Held::new(work.attempt, dir.clone())) {
        return Ok(());
    }
    let taken = Taken { work, definition, spec: &spec, dir: &dir, slot };
    let done = taken.live(host).await;
    host.release(&work.run);
    done
}

/// What a supervisor is told. The host's own word is in it: what it does not let run is refused by whoever would start
/// it, however often the executor is killed before that.
pub(crate) fn spec(host: &Host, work: &Work, definition: &JobDefinition) -> Spec {
    allowed(host, order::spec(work, definition, host.cgroup.clone()))
}

/// The specification with the host's own word in it.
pub(crate) fn allowed(host: &Host, mut spec: Spec) -> Spec {
    spec.providers = host.allow.providers(&spec);
    if spec.refused.is_none() {
        spec.refused = host.allow.check(&spec, &host.user).err().map(|refused| refused.to_string());
    }
    spec
}

/// The same for whatever kind of job: a backup asks the log what there is first.
async fn ready_spec(host: &Arc<Host>, work: &Work, definition: &JobDefinition) -> Spec {
    if definition.work().is_none() && definition.print.is_none() {
        return spec(host, work, definition);
    }
    let filled = order::with_values(work, definition);
    let plain = order::spec(work, definition, host.cgroup.clone());
    let ready = match filled.kind {
        Kind::Print => print::prepare(host, work, &filled, plain).await,
        Kind::Command
        | Kind::Backup
        | Kind::BackupCopy
        | Kind::BackupCheck
        | Kind::Retention
        | Kind::Prune
        | Kind::Restore
        | Kind::RestoreTest => backup::prepare(host, work, &filled, plain).await,
    };
    allowed(host, ready)
}

/// As whom it runs.
pub(crate) fn run_as(host: &Host, spec: &Spec) -> String {
    spec.run_as.clone().unwrap_or_else(|| host.user.clone())
}

/// The attempt's directory; `None` where this host has dealt with it before.
async fn prepared(
    host: &Arc<Host>,
    work: &Work,
    spec: &Spec,
) -> anyhow::Result<Option<AttemptDir>> {
    if host.holds(&work.run)
        || AttemptDir::find(&host.attempts, work.run.as_str(), work.attempt).is_some()
    {
        return Ok(None);
    }
    Ok(Some(make_ready(host, spec).await?))
}

/// Makes the attempt's directory.
pub(crate) async fn make_ready(host: &Host, spec: &Spec) -> anyhow::Result<AttemptDir> {
    let (root, spec) = (host.attempts.clone(), spec.clone());
    blocking(move || make_ready_in(&root, &spec)).await
}

/// The same in another place. Blocks.
pub(crate) fn make_ready_in(root: &Path, spec: &Spec) -> anyhow::Result<AttemptDir> {
    Ok(prepare(root, spec)?)
}

/// An offer this host goes for.
struct Taken<'a> {
    work: &'a Work,
    definition: &'a JobDefinition,
    spec: &'a Spec,
    dir: &'a AttemptDir,
    slot: OwnedSemaphorePermit,
}

impl Taken<'_> {
    async fn live(self, host: &Arc<Host>) -> anyhow::Result<()> {
        let Self { work, definition, spec, dir, slot } = self;
        let draft = claim(work, definition, &host.name, host.lease_ms, &run_as(host, spec));
        let version = draft.version;
        match host.outbox.say(draft).await?.mark {
            Mark::Valid => {}
            Mark::Conflict { .. } => return discard(dir.clone()).await,
            Mark::Refused { reason } => {
                // The host may have been drained an instant ago: the recorder knows first.
                if beat::learn_drained(host).await.is_ok() && host.is_drained() {
                    info!(run = %work.run, %reason, "left to another host");
                } else {
                    warn!(run = %work.run, %reason, "the recorder does not let this host start the run");
                }
                return discard(dir.clone()).await;
            }
        }
        if let Err(error) = before(host, &work.run, work.attempt, spec, dir).await {
            return refuse(host, &work.run, work.attempt, dir, &format!("{error:#}")).await;
        }
        start(host, &work.run, dir).await?;
        watch(host, &work.run, work.attempt, dir, Some(version), Some(slot)).await
    }
}

/// What has to be before an attempt starts: what the log must agree to, and what other runs left for it.
pub(crate) async fn before(
    host: &Arc<Host>,
    run: &StreamId,
    number: u32,
    spec: &Spec,
    dir: &AttemptDir,
) -> anyhow::Result<()> {
    backup::agree(host, run, number, spec).await?;
    print::fetch(host, spec, dir).await
}

/// Gives the attempt to a supervisor.
pub(crate) async fn start(
    host: &Arc<Host>,
    run: &StreamId,
    dir: &AttemptDir,
) -> anyhow::Result<()> {
    let (program, started) = (host.supervisors.clone(), dir.clone());
    blocking(move || started.start(&program).map_err(Into::into)).await?;
    if let Some(reason) = host.stop_reason(run) {
        let dir = dir.clone();
        blocking(move || dir.cancel(&reason).map_err(Into::into)).await?;
    }
    Ok(())
}

/// Waits for the end of an attempt and says it. `version` is that of its start, where it is known to be
/// the newest event of the run. The `slot` is given back when the command has ended.
pub(crate) async fn watch(
    host: &Arc<Host>,
    run: &StreamId,
    number: u32,
    dir: &AttemptDir,
    version: Option<u64>,
    slot: Option<OwnedSemaphorePermit>,
) -> anyhow::Result<()> {
    let written = dir.clone();
    let spec = blocking(move || Ok(written.spec().ok())).await?;
    if let Some(spec) = spec.filter(|spec| spec.print.is_some()) {
        tokio::spawn(print::intake::attend(
            Arc::clone(host),
            run.clone(),
            number,
            spec,
            dir.clone(),
        ));
    }
    let (state, prepared) = loop {
        let waiting = dir.clone();
        let wait = move || Ok(waiting.wait(WATCH)?.map(|state| (state, waiting.prepared().ok())));
        if let Some(found) = blocking(wait).await? {
            break found;
        }
    };
    let (spec, salt) = prepared.map(|found| (found.spec, found.salt)).unzip();
    // Of one whose supervisor vanished, processes may still run: it keeps its slot until they are gone.
    let slot = slot.filter(|_| matches!(state, State::Vanished));
    if !matches!(state, State::Vanished) {
        host.ended(run);
    }
    match state {
        State::Ended(status) => {
            let unsaid = match &spec {
                Some(spec) => backup::tell(host, run, number, spec, dir).await.err(),
                None => None,
            };
            let keeps =
                spec.as_ref().is_some_and(|spec| spec.reports() || !spec.artefacts.is_empty());
            let artefacts = artefacts(dir, &status, spec.as_ref()).await?;
            let mut ending = ending(host, number, &status, spec, salt.flatten());
            ending.report.artefacts = artefacts;
            if let Some(error) = unsaid {
                not_said(run, &error, &mut ending);
            }
            let told = match version {
                Some(version) => say_end(host, run, version, &ending).await?,
                None => {
                    say_late(host, run, &ending).await?;
                    false
                }
            };
            if told && !keeps && has_nothing_to_tell(&status) {
                return forget(dir.clone()).await;
            }
            mark_reported(host, dir).await
        }
        State::Vanished => vanished(host, run, number, dir, slot).await,
        // The supervisor could not begin: nothing ran.
        State::Prepared => refuse(host, run, number, dir, "its supervisor could not begin").await,
        State::Disowned => discard(dir.clone()).await,
        State::Running { .. } => {
            bail!("the attempt of {run} goes on, although waiting for it ended")
        }
    }
}

/// The files that a command which ended by itself left, and that are kept.
async fn artefacts(
    dir: &AttemptDir,
    status: &Status,
    spec: Option<&Spec>,
) -> anyhow::Result<Vec<ArtefactRef>> {
    let Some(spec) = spec.filter(|spec| !spec.artefacts.is_empty()) else { return Ok(Vec::new()) };
    if !matches!(status.outcome, Outcome::Exited { .. }) {
        return Ok(Vec::new());
    }
    let (dir, spec) = (dir.clone(), spec.clone());
    blocking(move || Ok(dir.keep_artefacts(&spec))).await
}

/// What an engine did and the log does not have did not succeed, whatever its exit code says.
fn not_said(run: &StreamId, error: &anyhow::Error, ending: &mut Ending) {
    warn!(%run, error = %format!("{error:#}"), "what was done to snapshots is not in the log");
    if ending.report.end == (CommandEnd::Exited { code: 0 }) {
        let message = short(&format!("it ended well, but {error:#}"));
        ending.report.end = CommandEnd::NotStarted { message };
    }
}

/// The supervisor is gone without a word: nobody knows how the command ended. What is left of it dies.
async fn vanished(
    host: &Arc<Host>,
    run: &StreamId,
    number: u32,
    dir: &AttemptDir,
    slot: Option<OwnedSemaphorePermit>,
) -> anyhow::Result<()> {
    let leftovers = dir.clone();
    let (killed, spec) =
        blocking(move || Ok((leftovers.kill_leftovers()?, leftovers.spec().ok()))).await?;
    drop(slot);
    host.ended(run);
    // An engine may have done its work and said so, although nobody saw it end.
    if let Some(spec) = spec.filter(|spec| spec.backup.is_some())
        && let Err(error) = backup::tell(host, run, number, &spec, dir).await
    {
        warn!(%run, error = %format!("{error:#}"), "what its engine did is not known");
    }
    let reason =
        format!("its supervisor was killed; {} processes it left were ended", killed.len());
    warn!(%run, %reason, "an attempt is lost");
    host.outbox.recovered().await;
    loop {
        let Some((current, version)) = current(host, run).await else { break };
        let Some(draft) = give_up(&current, version, &host.producer, number, &reason) else {
            break;
        };
        if host.outbox.insist(draft).await?.mark == Mark::Valid {
            break;
        }
    }
    mark_reported(host, dir).await
}

/// Says the end of an attempt, first as if nothing else had happened to the run; whether that is in the log.
async fn say_end(
    host: &Arc<Host>,
    run: &StreamId,
    version: u64,
    ending: &Ending,
) -> anyhow::Result<bool> {
    match host.outbox.insist(end(run, version, ending)).await?.mark {
        Mark::Valid => {
            info!(%run, attempt = ending.report.attempt, end = ?ending.report.end, "ended");
            return Ok(true);
        }
        Mark::Conflict { .. } => {}
        Mark::Refused { reason } => {
            warn!(%run, %reason, "the recorder refused the end of an attempt");
        }
    }
    say_late(host, run, ending).await?;
    Ok(false)
}

/// Says the end of an attempt to a run that may have moved on: asks where it stands, decides, tries.
/// A run that this host decided itself may be known by its journal only: that is delivered first.
async fn say_late(host: &Arc<Host>, run: &StreamId, ending: &Ending) -> anyhow::Result<()> {
    host.outbox.recovered().await;
    loop {
        let Some((current, version)) = current(host, run).await else { return Ok(()) };
        let Some(draft) = conclude(&current, version, &host.producer, ending) else {
            return Ok(());
        };
        match host.outbox.insist(draft).await?.mark {
            Mark::Valid => return Ok(()),
            Mark::Conflict { .. } => {}
            Mark::Refused { reason } => {
                warn!(%run, %reason, "the recorder refused what this host saw");
                return Ok(());
            }
        }
    }
}

/// The run as the log has it.
pub(crate) async fn current(host: &Host, run: &StreamId) -> Option<(domain::run::Run, u64)> {
    let state = state(host, run).await?;
    Some((state.body.run()?.clone(), state.version))
}

/// A stream as the log has it.
pub(crate) async fn state(host: &Host, id: &StreamId) -> Option<StreamState> {
    until_answered(|| bus::recorder::stream(&host.bus, id)).await
}

/// Asks the recorder until it answers.
pub(crate) async fn until_answered<T, F>(ask: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, AskError>>,
{
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => warn!(%error, "the recorder does not answer; asking again"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

fn ending(
    host: &Host,
    number: u32,
    status: &Status,
    spec: Option<Spec>,
    salt: Option<Digest>,
) -> Ending {
    if spec.is_none() {
        warn!(
            attempt = number,
            "what was to be run cannot be read back: exit codes mean the usual"
        );
    }
    let exit_codes = spec.as_ref().map(order::exit_codes).unwrap_or_default();
    let cause = match &status.cause {
        HostCause::Own => Cause::Own,
        HostCause::Timeout => Cause::Timeout(spec.and_then(|s| s.timeout_ms).unwrap_or(0)),
        HostCause::Cancelled { reason } => Cause::Cancelled(reason.clone()),
        HostCause::OutputLimit => Cause::OutputLimit(spec.map_or(0, |s| s.output.bytes)),
        HostCause::Memory => Cause::Memory(spec.and_then(|s| s.memory_bytes).unwrap_or(0)),
    };
    let output = &status.output;
    let sha256: Option<Digest> = output.sha256.parse().ok();
    // What is empty needs no salt.
    let salt = salt.filter(|_| output.kept > 0);
    let payload = sha256.zip(salt).map(|(sha256, salt)| PayloadRef {
        commitment: commitment(&salt.0, &sha256),
        class: OUTPUT.to_owned(),
    });
    let report = AttemptReport {
        attempt: number,
        host: host.name.clone(),
        end: match &status.outcome {
            Outcome::Exited { code } => CommandEnd::Exited { code: *code },
            Outcome::Signaled { signal } => CommandEnd::Signaled { signal: *signal },
            Outcome::NotStarted { message } => CommandEnd::NotStarted { message: short(message) },
        },
        began: instant(status.started),
        ended: instant(status.ended),
        output: sha256.map(|sha256| OutputRef {
            sha256: payload.is_none().then_some(sha256),
            bytes: output.bytes,
            kept: output.kept,
            truncated: output.truncated,
        }),
        killed: u32::try_from(status.killed.len()).unwrap_or(u32::MAX),
        text: status.text.clone(),
        artefacts: Vec::new(),
    };
    Ending { report, cause, exit_codes, payload }
}

/// Says that an attempt of which nothing ran does not run, and why.
pub(crate) async fn refuse(
    host: &Arc<Host>,
    run: &StreamId,
    number: u32,
    dir: &AttemptDir,
    reason: &str,
) -> anyhow::Result<()> {
    say_not_started(host, run, number, reason).await?;
    discard(dir.clone()).await
}

/// Says that an attempt does not run, of which this host has nothing.
pub(crate) async fn say_not_started(
    host: &Arc<Host>,
    run: &StreamId,
    number: u32,
    reason: &str,
) -> anyhow::Result<()> {
    say_late(host, run, &not_started(host, number, reason)).await
}

fn not_started(host: &Host, attempt: u32, reason: &str) -> Ending {
    let now = domain::envelope::to_micros((host.clock)());
    let report = AttemptReport {
        attempt,
        host: host.name.clone(),
        end: CommandEnd::NotStarted { message: short(reason) },
        began: now,
        ended: now,
        output: None,
        killed: 0,
        text: None,
        artefacts: Vec::new(),
    };
    Ending { report, cause: Cause::Own, exit_codes: ExitCodes::default(), payload: None }
}

fn short(text: &str) -> String {
    text.chars().take(500).collect()
}

fn instant(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Whether the log says all there is to say of an attempt: then nothing is kept of it here, and the next one
/// gets its files. Making new ones can cost a file system more than a short command costs.
fn has_nothing_to_tell(status: &Status) -> bool {
    let quiet = status.output.bytes == 0 && status.killed.is_empty() && status.ladder.is_empty();
    let plain = match status.outcome {
        Outcome::Exited { code } => code == 0,
        Outcome::NotStarted { .. } => true,
        Outcome::Signaled { .. } => false,
    };
    quiet && plain && status.cause == HostCause::Own
}

async fn forget(dir: AttemptDir) -> anyhow::Result<()> {
    blocking(move || {
        if let Err(error) = dir.remove_ended() {
            warn!(path = %dir.path().display(), %error, "an attempt's files stay for now");
            dir.note_reported()?;
        }
        Ok(())
    })
    .await
}

async fn mark_reported(host: &Host, dir: &AttemptDir) -> anyhow::Result<()> {
    let noted = dir.clone();
    blocking(move || noted.note_reported().context("noting that the end was said")).await?;
    host.sealing.push(dir.clone());
    Ok(())
}

/// An attempt that never ran here, and never will.
pub(crate) async fn discard(dir: AttemptDir) -> anyhow::Result<()> {
    blocking(move || {
        dir.disown()?;
        dir.remove().map_err(Into::into)
    })
    .await
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}
