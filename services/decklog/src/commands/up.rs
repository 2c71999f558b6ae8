//! `decklog up`: everything in one process.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bus::recorder::Follower;
use console::{OidcConfig, TlsConfig};
use delivery::mail::MailConfig;
use domain::controls::ControlSettings;
use domain::event::{
    BackupEvent, CommandEnd, Event, IncidentEvent, JobEvent, LogEvent, LogTzdbChanged, RunEvent,
    Sent, ThingAct, ThingEvent,
};
use domain::ids::StreamId;
use domain::incident::words;
use domain::job::Definition;
use domain::plan::in_order;
use domain::run::State;
use domain::wire::{Content, LogEntry, Query, Selection, StreamView};
use jiff::{SignedDuration, Timestamp};
use scheduler::NotifyConfig;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::cli::Up;
use crate::client::Client;
use crate::embedded::{Embedded, Wanted};
use crate::site::Site;
use crate::source::Source;
use crate::{exit, files, host, output, roles};

/// How long open runs may take to end after `--for`.
const DRAIN: Duration = Duration::from_secs(120);

pub(crate) fn run(up: &Up) -> anyhow::Result<()> {
    roles::log_to_stderr("warn");
    let tls = tls(up)?;
    // Read first: a mistake in a file is said before anything is started.
    let jobs = if up.with.is_empty() { Vec::new() } else { files::read(&up.with)? };
    let mail = own(up.mail.as_deref(), |mail: &MailConfig| mail.problems("mail"))?;
    let notify = own(up.notify.as_deref(), |notify: &NotifyConfig| notify.problems("notify"))?;
    let oidc = own(up.oidc.as_deref(), |oidc: &OidcConfig| oidc.problems("oidc"))?;
    own(up.measures.as_deref(), |_: &ControlSettings| Vec::new())?;
    roles::serve(async {
        let wanted = Wanted {
            data: up.data.clone(),
            listen: up.listen,
            tls: tls.clone(),
            work: true,
            slots: up.slots,
            allow: up.allow.clone(),
            mail: mail.clone(),
            keep_output: up.keep_output,
            lists: up.lists.clone(),
            notify: notify.clone(),
            oidc: oidc.clone(),
            measures: up.measures.clone(),
            witnesses: up.witnesses.clone(),
            tiles: up.tiles.clone(),
            archive_after: up.archive_after,
            tsa: up.tsa.clone().zip(up.tsa_roots.clone()),
            self_approval: up.self_approval,
            back: SignedDuration::ZERO,
            let_in: None,
        };
        let mut embedded = Embedded::start(wanted).await?;
        // Before it says where it is: from then on somebody may stop it, and it is to stop in order.
        let stop = roles::stop_on_signals()?;
        greet(up, &embedded)?;
        let follower = follow(&embedded).await?;
        let wait = apply(&embedded, jobs).await?;
        say_waiting(&wait, &console(up, &embedded))?;
        let ended = work(up, &mut embedded, stop).await;
        let open = if ended.is_ok() && up.run_for.is_some() {
            open_runs(&embedded).await?
        } else {
            Vec::new()
        };
        embedded.stop().await?;
        follower.abort();
        ended?;
        if open.is_empty() {
            return Ok(());
        }
        Err(exit::unclean(format!("still open: {}", open.join(", "))))
    })
}

/// What stands in a file of its own.
fn own<T: DeserializeOwned>(
    path: Option<&Path>,
    problems: impl Fn(&T) -> Vec<String>,
) -> anyhow::Result<Option<T>> {
    path.map(|path| settings::read_file(path, problems)).transpose().map_err(exit::usage)
}

/// How browsers come: from elsewhere than this machine by TLS only.
fn tls(up: &Up) -> anyhow::Result<Option<TlsConfig>> {
    let pair = up.tls_cert.clone().zip(up.tls_key.clone());
    let tls = pair.map(|(certificate, key)| TlsConfig { certificate, key });
    if tls.is_none() && !up.listen.ip().is_loopback() {
        return Err(exit::usage(format!(
            "--listen: {} is reached from elsewhere, and passwords would go there in the clear: give --tls-cert and --tls-key",
            up.listen
        )));
    }
    Ok(tls)
}

/// Where browsers find the console.
fn console(up: &Up, embedded: &Embedded) -> String {
    let scheme = if up.tls_cert.is_some() { "https" } else { "http" };
    format!("{scheme}://{}", embedded.address)
}

fn greet(up: &Up, embedded: &Embedded) -> anyhow::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let (data, at, tzdb) = (up.data.display(), console(up, embedded), host::tzdb().version);
    output::print(&format!(
        "decklog {version}  data {data}  host {}  tzdb {tzdb}\nconsole  {at}/\nAPI  {at}/api/v1  token {data}/console.token\n",
        host::name()
    ))?;
    let Some(code) = &embedded.code else { return Ok(()) };
    output::print(&format!(
        "nobody has a password yet: come in as admin by {at}/login?name=admin&code={code} (once)\n"
    ))
}

async fn follow(embedded: &Embedded) -> anyhow::Result<tokio::task::JoinHandle<()>> {
    let (position, _) = embedded.log.head().await?;
    let mut following = Follower::after(&embedded.bus, position).await?.start();
    Ok(tokio::spawn(async move {
        let mut started = BTreeMap::new();
        loop {
            for entry in following.next().await.unwrap_or_default() {
                if let Some(text) = describe(&entry, &mut started)
                    && output::line(&text).is_err()
                {
                    return;
                }
            }
        }
    }))
}

/// Applies definitions; those that wait for somebody else, as they are approved.
async fn apply(embedded: &Embedded, new: Vec<Definition>) -> anyhow::Result<Vec<Waiting>> {
    if new.is_empty() {
        // It needs no account then: the first one may be gone.
        return Ok(Vec::new());
    }
    let client: Client = embedded.client.clone();
    let streams = tokio::task::spawn_blocking(move || {
        super::plan::check(&new, &Site::read(&Source::Remote(client.clone()))?)?;
        let apply = |one: &Definition| client.apply(one, "applied by decklog up --with");
        in_order(new).iter().map(|one| Ok(apply(one)?.stream)).collect::<anyhow::Result<Vec<_>>>()
    });
    let mut wait = Vec::new();
    for stream in streams.await?? {
        wait.extend(waiting(embedded, stream).await?);
    }
    Ok(wait)
}

/// A definition that waits for approval.
struct Waiting {
    stream: StreamId,
    number: u32,
}

async fn waiting(embedded: &Embedded, stream: StreamId) -> anyhow::Result<Option<Waiting>> {
    let query = Query::Stream { id: stream.clone() };
    let Content::Streams(views) = embedded.log.answer(&query).await?.content else {
        anyhow::bail!("{stream} cannot be read");
    };
    let versions = views.first().and_then(|view| view.state.body.versions());
    let proposal = versions.and_then(|versions| versions.proposal.as_ref());
    Ok(proposal.map(|proposal| Waiting { stream, number: proposal.number }))
}

/// Whoever starts it for the first time would wait for runs that nobody has said yes to.
fn say_waiting(wait: &[Waiting], console: &str) -> anyhow::Result<()> {
    let [first, ..] = wait else { return Ok(()) };
    let Waiting { stream, number } = first;
    let names: Vec<&str> = wait.iter().map(|one| one.stream.as_str()).collect();
    output::print(&format!(
        "not active yet, because somebody else than admin has to approve it: {}\nwhoever has the role approver does, at {console}/changes or by `decklog change approve {stream} {number} --server {console} --token-file FILE`; `decklog user add NAME --grant approver --reason WHY` makes their account\n",
        names.join(", ")
    ))
}

/// Until a signal, the end of `--for`, or a role breaks.
async fn work(
    up: &Up,
    embedded: &mut Embedded,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let until = up.run_for.map_or(Duration::MAX, |time| time.as_duration());
    let elapsed = tokio::select! {
        _ = stop.wait_for(|stop| *stop) => false,
        () = tokio::time::sleep(until) => true,
        error = embedded.broken() => return Err(error),
    };
    if !elapsed {
        output::line("stopping; what runs goes on and is looked after at the next start")?;
        return Ok(());
    }
    embedded.drain();
    output::line("time is up: nothing new becomes due; waiting for what is open")?;
    let deadline = tokio::time::Instant::now() + DRAIN;
    loop {
        if !moving(embedded).await? || tokio::time::Instant::now() > deadline {
            return Ok(());
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
}

async fn open(embedded: &Embedded) -> anyhow::Result<Vec<StreamView>> {
    let mut open: Vec<StreamView> = Vec::new();
    loop {
        let after = open.last().map(|view| view.id.to_string()).unwrap_or_default();
        let query = Query::Streams { of: Selection::OpenRuns, after, limit: 1_000 };
        let Content::Streams(more) = embedded.log.answer(&query).await?.content else {
            anyhow::bail!("the open runs cannot be listed");
        };
        if more.is_empty() {
            return Ok(open);
        }
        open.extend(more);
    }
}

async fn open_runs(embedded: &Embedded) -> anyhow::Result<Vec<String>> {
    Ok(open(embedded).await?.into_iter().map(|view| view.id.to_string()).collect())
}

/// Whether waiting can end anything: a run that only a person can close does not move by itself.
async fn moving(embedded: &Embedded) -> anyhow::Result<bool> {
    let open = open(embedded).await?;
    let mut states = open.iter().filter_map(|view| view.state.body.run()).map(|run| &run.state);
    Ok(states.any(|state| !matches!(state, State::Unknown { .. } | State::Held { .. })))
}

/// One line for people about an event worth one.
fn describe(entry: &LogEntry, started: &mut BTreeMap<StreamId, Timestamp>) -> Option<String> {
    let envelope = entry.envelope().ok()?;
    let event = envelope.event().ok()?;
    let clock =
        entry.received.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string();
    let what = envelope.subject.as_str();
    let what = what.strip_prefix("run/").unwrap_or(what);
    let line = |word: &str, more: String| {
        Some(format!("{clock}  {word:<12} {what}  {more}").trim_end().to_owned())
    };
    if let Some(void) = &entry.void {
        return line("(void)", format!("{} {void}", envelope.kind));
    }
    match &event {
        Event::RunEvent(event) => {
            describe_run(&envelope.subject, event, entry.received, started, line)
        }
        Event::JobEvent(JobEvent::JobApproved(e)) => {
            line("job active", format!("definition {}", e.number))
        }
        Event::JobEvent(JobEvent::JobPaused(e)) => line("job paused", e.reason.clone()),
        Event::JobEvent(JobEvent::JobResumed(e)) => line("job resumed", e.reason.clone()),
        Event::JobEvent(JobEvent::JobRetired(e)) => line("job retired", e.reason.clone()),
        Event::JobEvent(
            JobEvent::JobOccurrenceHeld(_)
            | JobEvent::JobOccurrenceReleased(_)
            | JobEvent::JobOccurrenceSkipped(_)
            | JobEvent::JobOccurrenceMoved(_)
            | JobEvent::JobLeaseGranted(_)
            | JobEvent::JobLeaseReturned(_),
        )
        | Event::HostEvent(_) => line(&envelope.kind, String::new()),
        Event::ThingEvent(ThingEvent { act: ThingAct::Approved(e), of }) => {
            line(&format!("{} active", of.word()), format!("definition {}", e.number))
        }
        Event::BackupEvent(event) => line(event.kind(), backup_says(event)),
        Event::PrintEvent(event) => line(event.kind(), String::new()),
        Event::FormEvent(event) => line(event.kind(), String::new()),
        Event::QueueEvent(event) => line(event.kind(), String::new()),
        Event::RequestEvent(event) => line(event.kind(), envelope.subject.rest().to_owned()),
        Event::ControlEvent(event) => line(event.kind(), envelope.subject.rest().to_owned()),
        Event::ChangeEvent(event) => line(event.kind(), String::new()),
        Event::ReviewEvent(event) => line(event.kind(), String::new()),
        Event::IncidentEvent(event) => line(event.kind(), incident_says(event)),
        Event::LogEvent(LogEvent::LogTzdbChanged(e)) => describe_tzdb(e, line),
        Event::JobEvent(JobEvent::JobProposed(_))
        | Event::ThingEvent(_)
        | Event::UserEvent(_)
        | Event::RecordsEvent(_)
        | Event::LogEvent(_) => None,
    }
}

/// What is worth a word beside the kind of an event about an incident.
fn incident_says(event: &IncidentEvent) -> String {
    match event {
        IncidentEvent::IncidentOpened(e) => words::trouble(&e.trouble),
        IncidentEvent::IncidentRecurred(e) => words::trouble(&e.trouble),
        IncidentEvent::IncidentCleared(e) => e.reason.clone(),
        IncidentEvent::IncidentEscalated(e) => {
            let told: Vec<&str> = e.tell.iter().map(|call| call.contact.as_str()).collect();
            format!("level {}: {}", e.level, told.join(", "))
        }
        IncidentEvent::IncidentNotificationEnded(e) => match &e.sent {
            Sent::Taken {} => "taken".to_owned(),
            Sent::Failed { message } => format!("FAILED: {message}"),
            Sent::Unknown { message } => format!("unknown: {message}"),
        },
        IncidentEvent::IncidentBroadcast(_)
        | IncidentEvent::IncidentNotificationBegun(_)
        | IncidentEvent::IncidentAcknowledged(_)
        | IncidentEvent::IncidentNoted(_)
        | IncidentEvent::IncidentCauseRecorded(_)
        | IncidentEvent::IncidentResolved(_)
        | IncidentEvent::IncidentReopened(_) => String::new(),
    }
}

/// What is worth a word beside the kind of an event about snapshots.
fn backup_says(event: &BackupEvent) -> String {
    match event {
        BackupEvent::BackupSnapshotCreated(e) => {
            let incomplete = if e.errors > 0 { ", INCOMPLETE" } else { "" };
            format!("{} in {}{incomplete}", e.snapshot.short(), e.repository)
        }
        BackupEvent::BackupCopied(e) => format!("{} to {}", e.original.short(), e.to),
        BackupEvent::BackupForgotten(e) => {
            format!("{} snapshots in {}", e.snapshots.len(), e.repository)
        }
        BackupEvent::RestoreTested(e) if e.good => format!("{} files, good", e.files),
        BackupEvent::RestoreTested(e) => {
            format!("FAILED: {} of {} files differ", e.mismatches, e.files)
        }
        BackupEvent::BackupRestored(e) => format!("{} files from {}", e.files, e.snapshot.short()),
        BackupEvent::BackupPruned(e) => format!("{} bytes freed", e.freed),
        BackupEvent::BackupCheckFailed(e) => format!("{} snapshots damaged", e.damaged.len()),
        BackupEvent::BackupLookedInto(e) => {
            format!("{} in {}: {} names", e.how.word(), e.repository, e.names)
        }
        BackupEvent::BackupVerified(_)
        | BackupEvent::BackupForgetRequested(_)
        | BackupEvent::BackupForgetApproved(_)
        | BackupEvent::BackupForgetDeclined(_)
        | BackupEvent::BackupHeld(_)
        | BackupEvent::BackupHoldEnded(_)
        | BackupEvent::BackupOrphanFound(_)
        | BackupEvent::BackupSnapshotMissing(_)
        | BackupEvent::BackupSnapshotFound(_)
        | BackupEvent::BackupAnomalyFound(_)
        | BackupEvent::RestoreCertified(_)
        | BackupEvent::BackupChecked(_)
        | BackupEvent::DatasetAtRisk(_)
        | BackupEvent::DatasetProtected(_) => String::new(),
    }
}

/// The first version that is noted is no change.
fn describe_tzdb(
    changed: &LogTzdbChanged,
    line: impl Fn(&str, String) -> Option<String>,
) -> Option<String> {
    let (from, to, moved, jobs) =
        (changed.from.as_ref()?, &changed.to, changed.moved, changed.jobs);
    let mut more = format!("{from} to {to}: {moved} occurrences of {jobs} jobs move");
    if !changed.unknown.is_empty() {
        more.push_str(&format!("; not known for {}", changed.unknown.join(", ")));
    }
    line("tzdb changed", more)
}

fn describe_run(
    run: &StreamId,
    event: &RunEvent,
    received: Timestamp,
    started: &mut BTreeMap<StreamId, Timestamp>,
    line: impl Fn(&str, String) -> Option<String>,
) -> Option<String> {
    let mut took = || {
        let began = started.remove(run)?;
        Some(format!("{:.1}s", received.duration_since(began).as_secs_f64()))
    };
    match event {
        RunEvent::RunDue(_) | RunEvent::RunReported(_) => None,
        RunEvent::RunRequested(e) => line("requested", e.reason.clone()),
        RunEvent::RunStarted(e) => {
            started.insert(run.clone(), received);
            let attempt =
                if e.attempt > 1 { format!("attempt {}", e.attempt) } else { String::new() };
            line("started", attempt)
        }
        RunEvent::RunSucceeded(e) => {
            let code = match &e.report.end {
                CommandEnd::Exited { code } if e.warning => format!("warning: exit code {code}, "),
                CommandEnd::Exited { .. }
                | CommandEnd::Signaled { .. }
                | CommandEnd::NotStarted { .. } => String::new(),
            };
            line("succeeded", format!("{code}{}", took().unwrap_or_default()))
        }
        RunEvent::RunFailed(e) => {
            line("FAILED", format!("{} {}", e.message, took().unwrap_or_default()))
        }
        RunEvent::RunTimedOut(e) => {
            let killed = if e.report.killed > 0 {
                format!(", {} left-over processes killed", e.report.killed)
            } else {
                String::new()
            };
            line("TIMED OUT", format!("after {} ms{killed}", e.after_ms))
        }
        RunEvent::RunCancelRequested(e) => line("cancelling", e.reason.clone()),
        RunEvent::RunCancelled(e) => line("cancelled", e.reason.clone()),
        RunEvent::RunLost(e) => line("LOST", e.reason.clone()),
        RunEvent::RunRetryScheduled(e) => line(
            "retry",
            format!("attempt {} not before {}", e.attempt, output::local(e.not_before)),
        ),
        RunEvent::RunSkipped(e) => line("skipped", domain::run::skipped(&e.reason)),
        RunEvent::RunHeld(e) => line("held", e.reason.clone()),
        RunEvent::RunDelayed(e) => {
            line("delayed", format!("not before {}: {}", output::local(e.not_before), e.reason))
        }
        RunEvent::RunConfirmed(e) => line("confirmed", e.reason.clone()),
        RunEvent::RunCleared(_) => line("cleared", "what it waited for has happened".to_owned()),
        RunEvent::RunBlocked(e) => {
            line("BLOCKED", format!("{} ended as {}", e.on.rest(), e.outcome.word()))
        }
        RunEvent::RunOverridden(e) => line("overridden", e.reason.clone()),
        RunEvent::RunNeedsUnmet(e) => line("waits", format!("{}: {}", e.host, e.unmet.join("; "))),
        RunEvent::RunLate(e) => line("LATE", format!("{:?}", e.limit)),
        RunEvent::RunDivided(e) => line("started", format!("on {}", e.hosts.join(", "))),
        RunEvent::RunGathered(e) => line("ended", format!("on all hosts: {}", e.outcome.word())),
        RunEvent::RunMissed(e) => line("MISSED", format!("{:?}", e.reason)),
        RunEvent::RunReleased(e) => line("released", e.reason.clone()),
        RunEvent::RunResolved(e) => line("resolved", format!("{:?}: {}", e.outcome, e.evidence)),
    }
}
