//! What the recorder alone can see to: that a job's occurrences are accounted for one after the other, that its runs
//! do not run at once, and that nobody holds more of a lock than there is. Schedulers decide on views that may be old
//! or may not know of each other; this is where they meet.

use jiff::Timestamp;

use super::{Body, StreamState, Streams, Turn};
use crate::event::RunEvent;
use crate::ids::{Class, ProducerId, StreamId};
use crate::job::{Job, Lease};
use crate::run::Run;
use crate::site::{Thing, ThingKind, fits};

/// *Invariant:* a job's occurrences are accounted for one after the other. An event that was decided
/// by a definition that no longer held is refused, and so is then every later one of the same chain:
/// nothing that lies between can be left out. What a host has leave to decide is a chain of its own.
pub(super) fn check_order(
    turn: &Turn,
    job: &Job,
    event: &RunEvent,
    producer: &ProducerId,
    lost: Option<Timestamp>,
) -> Result<(), String> {
    if let Some((_, at)) = crate::run::ahead_instant(event) {
        check_not_decided(turn, at)?;
    }
    let Some(nominal) = crate::run::nominal(event) else {
        return check_not_by_host(event, producer);
    };
    if turn.ahead.contains(&nominal.at) {
        return Err(format!("the occurrence at {} has run ahead of its time", nominal.at));
    }
    let lease = job.lease_at(nominal.at);
    check_decider(lease, nominal.at, producer)?;
    let settled = match lease {
        None => turn.settled,
        Some(lease) => turn.leased.get(&lease.from).copied(),
    };
    // What a host had decided before may be lost; it goes on behind that, and not over what was not lost.
    let resumes = lease.is_some()
        && nominal.after.is_some_and(|after| after < nominal.at && Some(after) <= lost)
        && settled < nominal.after;
    // In its place, and not older than what it follows.
    let follows = nominal.after == settled && settled.is_none_or(|settled| settled < nominal.at);
    if follows || resumes {
        return Ok(());
    }
    let word = |at: Option<Timestamp>| at.map_or_else(|| "nothing".to_owned(), |at| at.to_string());
    let (follows, settled) = (word(nominal.after), word(settled));
    Err(format!("it follows {follows}, but the job is accounted for up to {settled}"))
}

/// What runs ahead of its time does so once, and before anybody has decided it in its place.
fn check_not_decided(turn: &Turn, at: Timestamp) -> Result<(), String> {
    if turn.ahead.contains(&at) || turn.settled.is_some_and(|settled| at <= settled) {
        return Err(format!("the occurrence at {at} is decided already"));
    }
    Ok(())
}

/// Requests, parts, and what was moved ahead of its time are the schedulers'.
fn check_not_by_host(event: &RunEvent, producer: &ProducerId) -> Result<(), String> {
    let first =
        matches!(event, RunEvent::RunDue(_) | RunEvent::RunSkipped(_) | RunEvent::RunMissed(_));
    if first && producer.class() == Class::Executor {
        return Err("a host decides only occurrences it has leave to decide".to_owned());
    }
    Ok(())
}

fn check_decider(
    lease: Option<&Lease>,
    at: Timestamp,
    producer: &ProducerId,
) -> Result<(), String> {
    let host = lease.and_then(|lease| lease.host.as_deref());
    match (host, producer.class()) {
        (None, Class::Scheduler) => Ok(()),
        (Some(host), Class::Executor) if host == producer.name() => Ok(()),
        (Some(host), _) => Err(format!("the occurrence at {at} is for host {host} to decide")),
        (None, _) => Err(format!("{producer} has no leave to decide the occurrence at {at}")),
    }
}

/// *Invariant:* of the runs of a job, at most one has begun and not ended, or the parts of one. Every overlap rule
/// asks for that: the new one is skipped, or waits, or waits until what it cancels has ended.
pub(super) fn check_not_busy(
    turn: &Turn,
    run: Option<&Run>,
    subject: &StreamId,
    event: &RunEvent,
) -> Result<(), String> {
    let begins = matches!(event, RunEvent::RunStarted(_) | RunEvent::RunDivided(_));
    // What a host has started by itself runs, whatever was decided elsewhere meanwhile.
    if !begins || run.is_some_and(is_first_of_host) {
        return Ok(());
    }
    let other = turn.busy.iter().find(|other| other.whole() != subject.whole());
    match other {
        Some(other) => Err(format!("{other} of the same job has not ended")),
        None => Ok(()),
    }
}

/// Whether the run was decided by its host and has not begun: then its host has begun it in the same breath.
pub(super) fn is_first_of_host(run: &Run) -> bool {
    run.by_host && run.attempts.is_empty()
}

/// While a host has leave to decide a job's occurrences, nobody else starts a run of it: the host may be cut off,
/// and run one.
pub(super) fn check_not_leased(
    job: &Job,
    event: &RunEvent,
    received: Timestamp,
) -> Result<(), String> {
    let RunEvent::RunStarted(started) = event else { return Ok(()) };
    let leased = job.lease_at(received).and_then(|lease| Some((lease.host.as_deref()?, lease)));
    match leased {
        Some((host, lease)) if host != started.host => {
            Err(format!("host {host} decides the job's runs until {}", lease.until))
        }
        Some(_) | None => Ok(()),
    }
}

/// *Invariant:* of a lock, no more is held than it has.
pub(super) fn check_locks(
    streams: &impl Streams,
    run: Option<&Run>,
    event: &RunEvent,
) -> Result<(), String> {
    let (RunEvent::RunStarted(_), Some(run)) = (event, run) else { return Ok(()) };
    for claim in &run.terms.locks {
        let name = &claim.lock;
        let state = streams.get(&claim.stream());
        let state = state.ok_or_else(|| format!("there is no lock {name}"))?;
        let units = units(state);
        let others: Vec<_> =
            state.turn.holders.iter().filter(|holder| holder.run != run.id).cloned().collect();
        if !fits(units, &others, claim.share) {
            let held: Vec<String> = others.iter().map(|holder| holder.run.to_string()).collect();
            return Err(format!("lock {name} is held by {}", held.join(", ")));
        }
    }
    Ok(())
}

/// How many units a lock has, or how many may write to a repository.
pub fn units(lock: &StreamState) -> u32 {
    if let Body::Repository(repository) = &lock.body {
        let defined = repository.defined.read(ThingKind::Repository);
        return if let Some(Thing::Repository(one)) = defined { one.writers } else { 1 };
    }
    let defined = lock.body.thing().and_then(|defined| defined.read(ThingKind::Lock));
    if let Some(Thing::Lock(lock)) = defined { lock.units } else { 1 }
}
