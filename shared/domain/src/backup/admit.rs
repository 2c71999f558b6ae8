//! What the recorder accepts about snapshots. *Invariants:* an executor speaks of attempts of its own, whose jobs are
//! about this; what the rule keeps is forgotten by two people only; what was forgotten is not forgotten again; and a
//! dataset is at risk, or is not, as the log itself tells.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::protection::{self, Protection};
use super::record::{Dataset, SNAPSHOTS_MAX};
use super::{plan, saying};
use crate::canonical::Digest;
use crate::event::{BackupEvent, BackupForgotten, ForgetReason, RiskReason, Seer};
use crate::ids::{ProducerId, StreamId};
use crate::job::{Job, JobDefinition, Work};
use crate::ledger::{Policy, need};
use crate::run::{Run, State};

/// What the recorder has at hand beside the dataset.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The name of the dataset or repository.
    pub name: &'a str,
    /// Who says it.
    pub source: &'a ProducerId,
    /// Who acted.
    pub actor: Option<&'a str>,
    /// The run it is of, where it names one.
    pub run: Option<&'a Run>,
    /// The job of that run.
    pub job: Option<&'a Job>,
    /// Rules of the site.
    pub policy: Policy,
    /// When it is received.
    pub received: Timestamp,
}

/// Most snapshots in one event.
pub const AT_ONCE: usize = 100;
/// Most damaged snapshots in one event: with their numbers they take more room.
pub const DAMAGED_MAX: usize = 130;

/// The run an event is of.
pub fn run_of(event: &BackupEvent) -> Option<(&StreamId, u32)> {
    let by: &Seer = match event {
        BackupEvent::BackupSnapshotCreated(e) => &e.by,
        BackupEvent::BackupCopied(e) => &e.by,
        BackupEvent::BackupVerified(e) => &e.by,
        BackupEvent::BackupCheckFailed(e) => &e.by,
        BackupEvent::BackupOrphanFound(e) => &e.by,
        BackupEvent::BackupSnapshotMissing(e) => &e.by,
        BackupEvent::BackupSnapshotFound(e) => &e.by,
        BackupEvent::BackupAnomalyFound(e) => &e.by,
        BackupEvent::BackupRestored(e) => &e.by,
        BackupEvent::RestoreTested(e) => &e.by,
        BackupEvent::BackupPruned(e) => &e.by,
        BackupEvent::BackupChecked(e) => &e.by,
        BackupEvent::BackupForgotten(e) => return Some((&e.run, e.attempt)),
        BackupEvent::BackupForgetRequested(_)
        | BackupEvent::BackupForgetApproved(_)
        | BackupEvent::BackupForgetDeclined(_)
        | BackupEvent::BackupHeld(_)
        | BackupEvent::BackupHoldEnded(_)
        | BackupEvent::BackupLookedInto(_)
        | BackupEvent::RestoreCertified(_)
        | BackupEvent::DatasetAtRisk(_)
        | BackupEvent::DatasetProtected(_) => return None,
    };
    Some((&by.run, by.attempt))
}

/// Whether the event may follow in the stream of a repository.
///
/// # Errors
/// The rule it breaks.
pub fn admit_of_repository(event: &BackupEvent, context: &Context<'_>) -> Result<(), String> {
    let work = own_work(event, context)?;
    let work = work.work().ok_or("its job is not about repositories")?;
    let about = match (event, &work) {
        (BackupEvent::BackupPruned(_), Work::Prune(w)) => w.repository == context.name,
        (BackupEvent::BackupChecked(_), Work::Check(w)) => w.repository == context.name,
        (_, _) => false,
    };
    need(about, "its job is not about that")
}

/// Whether the event may follow in the stream of a dataset.
///
/// # Errors
/// The rule it breaks.
pub fn admit(
    dataset: Option<&Dataset>,
    event: &BackupEvent,
    context: &Context<'_>,
) -> Result<(), String> {
    let dataset = dataset.ok_or("there is no such dataset")?;
    if run_of(event).is_some() {
        check_work(event, context)?;
        if saying::is_said(dataset, event) {
            return Err("the log knows this already".to_owned());
        }
    }
    match event {
        BackupEvent::BackupSnapshotCreated(_) => has_room(dataset),
        BackupEvent::BackupCopied(e) => {
            has_room(dataset)?;
            need(dataset.snapshot(&e.from, e.original).is_some(), "there is no such original")
        }
        BackupEvent::BackupCheckFailed(e) => {
            need(e.damaged.len() <= DAMAGED_MAX, "at most 130 snapshots in one event")
        }
        BackupEvent::BackupForgotten(e) => admit_forgotten(dataset, e, context),
        BackupEvent::BackupForgetRequested(e) => {
            need(dataset.request.is_none(), "something else is asked for already: decide that")?;
            let all = &e.snapshots;
            need((1..=AT_ONCE).contains(&all.len()), "1 to 100 snapshots in one event")?;
            let known = all.iter().all(|id| dataset.snapshot(&e.repository, *id).is_some());
            need(known, "not all of these snapshots are known")?;
            let free = free_of_holds(dataset, &e.repository, all, context.received);
            need(free, "one of them is on hold: end that first")
        }
        BackupEvent::BackupForgetApproved(e) => {
            let request = dataset.request.as_ref().filter(|request| request.number == e.request);
            let request = request.ok_or("nothing like that is asked for")?;
            need(request.approved_by.is_none(), "it is approved already")?;
            let another = context.policy.is_another(context.actor, request.by.as_deref());
            need(another, "nobody approves their own request")?;
            let (repository, ids) = (&request.repository, &request.snapshots);
            let free = free_of_holds(dataset, repository, ids, context.received);
            need(free, "one of them is on hold: end that first")
        }
        BackupEvent::BackupForgetDeclined(e) => {
            let asked = dataset.request.as_ref().is_some_and(|request| request.number == e.request);
            need(asked, "nothing like that is asked for")
        }
        BackupEvent::BackupHeld(e) => {
            let one = dataset.snapshot(&e.repository, e.snapshot).ok_or("there is no such one")?;
            let going = dataset.request.as_ref().is_some_and(|asked| {
                asked.approved_by.is_some()
                    && asked.repository == e.repository
                    && asked.snapshots.contains(&e.snapshot)
            });
            need(!going, "two people have agreed to forget it: decline that first")?;
            let later = e.until.is_none_or(|until| until > context.received);
            need(later, "a hold ends in the future")?;
            let shorter =
                one.held(context.received).is_some_and(|hold| match (hold.until, e.until) {
                    (None, Some(_)) => true,
                    (Some(old), Some(new)) => new < old,
                    (_, None) => false,
                });
            need(!shorter, "it is held for longer already: end that hold first")
        }
        BackupEvent::BackupHoldEnded(e) => {
            let one = dataset.snapshot(&e.repository, e.snapshot);
            let hold = one.and_then(|one| one.held(context.received)).ok_or("it is not on hold")?;
            let another = context.policy.is_another(context.actor, hold.by.as_deref());
            need(another, "somebody else ends a hold than set it")
        }
        BackupEvent::BackupOrphanFound(_)
        | BackupEvent::BackupVerified(_)
        | BackupEvent::BackupRestored(_)
        | BackupEvent::RestoreTested(_)
        | BackupEvent::BackupSnapshotMissing(_)
        | BackupEvent::BackupSnapshotFound(_)
        | BackupEvent::BackupAnomalyFound(_) => Ok(()),
        BackupEvent::RestoreCertified(e) => admit_certified(dataset, &e.run, context),
        BackupEvent::BackupLookedInto(e) => {
            need(context.actor.is_some(), "a person looks")?;
            need(e.snapshots.len() <= 2, "at most 2 snapshots in one event")?;
            // One that is forgotten meanwhile was looked into all the same.
            let known = e.snapshots.iter().all(|id| saying::is_known(dataset, &e.repository, *id));
            need(known, "not all of these snapshots are known")
        }
        BackupEvent::DatasetAtRisk(e) => match Protection::of(dataset, context.received) {
            Protection::AtRisk { reason } if same_kind(&reason, &e.reason) => Ok(()),
            Protection::AtRisk { .. }
            | Protection::Protected { .. }
            | Protection::Awaited { .. }
            | Protection::Retired => Err("that is not how it stands".to_owned()),
        },
        BackupEvent::DatasetProtected(_) => {
            need(dataset.at_risk.is_some(), "it was not said to be at risk")?;
            let now = Protection::of(dataset, context.received);
            need(matches!(now, Protection::Protected { .. }), "that is not how it stands")
        }
        BackupEvent::BackupPruned(_) | BackupEvent::BackupChecked(_) => {
            Err("that is said of repositories".to_owned())
        }
    }
}

fn same_kind(one: &RiskReason, other: &RiskReason) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

/// Whether another snapshot of the dataset can be recorded.
///
/// # Errors
/// There are too many, and what to do.
pub fn has_room(dataset: &Dataset) -> Result<(), String> {
    need(
        dataset.snapshots.len() < SNAPSHOTS_MAX,
        &format!(
            "the dataset has {SNAPSHOTS_MAX} snapshots: give it a retention rule and a job that applies it"
        ),
    )
}

fn free_of_holds(dataset: &Dataset, repository: &str, ids: &[Digest], at: Timestamp) -> bool {
    ids.iter().all(|id| dataset.snapshot(repository, *id).is_none_or(|one| one.held(at).is_none()))
}

/// The definition the event's run follows, where the run is one of the producer's.
fn own_work(event: &BackupEvent, context: &Context<'_>) -> Result<JobDefinition, String> {
    let (id, number) = run_of(event).ok_or("it is of no run")?;
    let run = context.run.ok_or_else(|| format!("there is no {id}"))?;
    let own = |attempt: &&crate::run::Attempt| {
        attempt.number == number && attempt.producer == *context.source
    };
    need(run.attempts.iter().any(|attempt| own(&attempt)), "it is not an attempt of this host")?;
    let spans = context.job.map_or(&[][..], |job| &job.versions.spans);
    let span = spans.iter().find(|span| span.digest == run.definition.digest);
    let span = span.ok_or("the definition it ran by is not known any more")?;
    span.read().map_err(|error| error.to_string())
}

/// Whether the event's job is about this dataset, and does what the event says.
fn check_work(event: &BackupEvent, context: &Context<'_>) -> Result<(), String> {
    let definition = own_work(event, context)?;
    let work = definition.work().ok_or("its job is not about backups")?;
    let touches = |repository: &str| {
        work.repositories().contains(&repository)
            && work.dataset().is_none_or(|dataset| dataset == context.name)
    };
    let about = match (event, &work) {
        (BackupEvent::BackupSnapshotCreated(e), Work::Backup(_)) => touches(&e.repository),
        (BackupEvent::BackupAnomalyFound(e), Work::Backup(_)) => touches(&e.repository),
        (BackupEvent::BackupCopied(e), Work::Copy(w)) => {
            touches(&e.from) && w.from == e.from && w.to == e.to
        }
        (BackupEvent::BackupForgotten(e), Work::Retention(_)) => touches(&e.repository),
        (BackupEvent::BackupRestored(e), Work::Restore(_)) => touches(&e.repository),
        (BackupEvent::RestoreTested(e), Work::RestoreTest(_)) => touches(&e.repository),
        // Everything is read by a check that says so, and by nothing else.
        (BackupEvent::BackupVerified(e), Work::Check(w)) => {
            touches(&e.repository) && w.parts == e.of
        }
        (BackupEvent::BackupVerified(e), _) => e.of > 1 && touches(&e.repository),
        (BackupEvent::BackupCheckFailed(e), _) => touches(&e.repository),
        (BackupEvent::BackupOrphanFound(e), _) => touches(&e.repository),
        (BackupEvent::BackupSnapshotMissing(e), _) => touches(&e.repository),
        (BackupEvent::BackupSnapshotFound(e), _) => touches(&e.repository),
        (_, _) => false,
    };
    need(about, "its job is not about that")
}

/// *Invariant:* nothing is removed from a repository before the log has agreed that it is forgotten, and it agrees only
/// with the dataset's rule, computed here again, or with two people.
fn admit_forgotten(
    dataset: &Dataset,
    e: &BackupForgotten,
    context: &Context<'_>,
) -> Result<(), String> {
    need((1..=AT_ONCE).contains(&e.snapshots.len()), "1 to 100 snapshots in one event")?;
    let running = context.run.map(|run| &run.state);
    need(running == Some(&State::Running { attempt: e.attempt }), "the run does not run")?;
    let known = e.snapshots.iter().all(|id| dataset.snapshot(&e.repository, *id).is_some());
    need(known, "not all of these snapshots are known")?;
    let free = free_of_holds(dataset, &e.repository, &e.snapshots, context.received);
    need(free, "one of them is on hold")?;
    match &e.reason {
        ForgetReason::Policy { definition } => {
            let active = dataset.defined.active().ok_or("the dataset is not defined any more")?;
            need(active.reference() == *definition, "another definition of it is active")?;
            let forget = forgettable(dataset, &e.repository, context.received);
            let all = e.snapshots.iter().all(|id| forget.contains(id));
            need(all, "the dataset's rule keeps one of them")
        }
        ForgetReason::People { request } => {
            let asked = dataset.request.as_ref().filter(|asked| asked.number == *request);
            let asked = asked.ok_or("nobody asked for that")?;
            need(asked.approved_by.is_some(), "nobody has approved that")?;
            let same = asked.repository == e.repository && asked.snapshots == e.snapshots;
            need(same, "other snapshots were asked for")
        }
    }
}

/// What the dataset's rule does not keep in a repository now, oldest first.
pub fn forgettable(dataset: &Dataset, repository: &str, now: Timestamp) -> Vec<Digest> {
    let verdicts = verdicts(dataset, repository, now);
    verdicts.iter().rev().filter(|one| !one.keep).map(|one| one.id).collect()
}

/// What becomes of the dataset's snapshots in a repository by its rule, newest first.
pub fn verdicts(dataset: &Dataset, repository: &str, now: Timestamp) -> Vec<super::Verdict> {
    let Some((definition, _)) = protection::active(dataset) else { return Vec::new() };
    let zone = TimeZone::get(&definition.zone).unwrap_or(TimeZone::UTC);
    plan(&definition.retention, &zone, dataset.in_repository(repository), now)
}

fn admit_certified(dataset: &Dataset, run: &StreamId, context: &Context<'_>) -> Result<(), String> {
    let test = dataset.tests.iter().rev().find(|test| test.run == *run);
    let test = test.ok_or("there is no such test")?;
    need(test.certified.is_none(), "it is certified already")?;
    let actor = context.actor.ok_or("a person certifies")?;
    let another = context.policy.is_another(Some(actor), test.asked_by.as_deref());
    need(another, "somebody else certifies a test than asked for it")
}
