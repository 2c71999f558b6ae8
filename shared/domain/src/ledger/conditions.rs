//! What a run must have waited for. Schedulers state it, and here it is looked up: a run that waits for others
//! starts only when they have ended as its job demands, or when a person said so.

use std::collections::BTreeSet;

use super::turns::is_first_of_host;
use super::{Body, Streams};
use crate::calendar::CalendarRef;
use crate::envelope::Envelope;
use crate::event::{RunCleared, RunDue, RunEvent, RunGathered, Terms};
use crate::ids::StreamId;
use crate::job::{After, Job, WhichRun};
use crate::run::{Outcome, Run, State};
use crate::site::ThingKind;
use crate::time::just_after;

/// The locks and repositories that these terms name.
pub(super) fn locks(terms: &Terms) -> impl Iterator<Item = StreamId> {
    terms.locks.iter().map(crate::job::Claim::stream)
}

/// The streams beside the run and its job that must be at hand to judge the event.
pub(super) fn reads(envelope: &Envelope, event: &RunEvent) -> BTreeSet<StreamId> {
    let mut ids: BTreeSet<StreamId> = BTreeSet::new();
    if let Some(nominal) = crate::run::nominal(event) {
        let calendars = nominal.calendars.iter();
        ids.extend(calendars.map(|c| StreamId::thing(ThingKind::Calendar, &c.name)));
    }
    match event {
        RunEvent::RunDue(e) => ids.extend(locks(&e.terms).chain(e.part_of.clone())),
        RunEvent::RunCleared(e) => ids.extend(e.by.iter().cloned()),
        RunEvent::RunBlocked(e) => {
            ids.insert(e.on.clone());
        }
        RunEvent::RunStarted(e) => {
            ids.insert(StreamId::host(&e.host));
        }
        RunEvent::RunConfirmed(_) | RunEvent::RunOverridden(_) => ids.extend(actor(envelope)),
        RunEvent::RunRequested(e) => ids.extend(e.again.iter().map(|again| again.run.clone())),
        RunEvent::RunReleased(_)
        | RunEvent::RunHeld(_)
        | RunEvent::RunDelayed(_)
        | RunEvent::RunNeedsUnmet(_)
        | RunEvent::RunLate(_)
        | RunEvent::RunGathered(_)
        | RunEvent::RunDivided(_)
        | RunEvent::RunSkipped(_)
        | RunEvent::RunMissed(_)
        | RunEvent::RunSucceeded(_)
        | RunEvent::RunFailed(_)
        | RunEvent::RunTimedOut(_)
        | RunEvent::RunCancelRequested(_)
        | RunEvent::RunCancelled(_)
        | RunEvent::RunLost(_)
        | RunEvent::RunRetryScheduled(_)
        | RunEvent::RunResolved(_)
        | RunEvent::RunReported(_) => {}
    }
    ids
}

/// The stream of whoever acted, where it is a user.
fn actor(envelope: &Envelope) -> Option<StreamId> {
    envelope.actor.as_ref()?.strip_prefix("user/").map(StreamId::user)
}

pub(super) fn check(
    streams: &impl Streams,
    run: Option<&Run>,
    envelope: &Envelope,
    event: &RunEvent,
) -> Result<(), String> {
    match (event, run) {
        (RunEvent::RunDue(due), None) => check_part(streams, &envelope.subject, due),
        (RunEvent::RunGathered(gathered), Some(run)) => check_gathered(streams, run, gathered),
        (RunEvent::RunCleared(cleared), Some(run)) => check_cleared(streams, run, cleared),
        (RunEvent::RunBlocked(blocked), Some(run)) => {
            let on = find(streams, &blocked.on)?;
            if on.outcome() != Some(blocked.outcome) {
                return Err(format!("{} has not ended so", blocked.on));
            }
            let waits =
                run.terms.after.iter().any(|after| {
                    meets(after, run, on) && !after.outcomes.contains(&blocked.outcome)
                });
            if waits { Ok(()) } else { Err(format!("it does not wait for {}", blocked.on)) }
        }
        (RunEvent::RunConfirmed(_), Some(run)) => check_role(streams, run, envelope),
        // Who lets it start without a word that is asked for gives that word.
        (RunEvent::RunOverridden(_), Some(run)) if run.is_unconfirmed() => {
            check_role(streams, run, envelope)
        }
        // A host that is cut off does not know that it is to start nothing new.
        (RunEvent::RunStarted(_), Some(run)) if is_first_of_host(run) => Ok(()),
        (RunEvent::RunStarted(started), _) => check_host(streams, &started.host),
        (RunEvent::RunRequested(requested), _) => match &requested.again {
            None => Ok(()),
            Some(again) => {
                let before = find(streams, &again.run)?;
                let same = before.job == requested.job
                    && before.stands_for() == again.at
                    && before.business_day().is_none_or(|day| day == again.business_day);
                if !same {
                    return Err(format!("{} is not the run it repeats", again.run));
                }
                if before.state.is_ended() {
                    return Ok(());
                }
                Err(format!("{} has not ended: it is {}", again.run, before.state.word()))
            }
        },
        (_, _) => Ok(()),
    }
}

fn find<'a>(streams: &'a impl Streams, id: &StreamId) -> Result<&'a Run, String> {
    let body = streams.get(id).map(|state| &state.body);
    body.and_then(Body::run).ok_or_else(|| format!("there is no {id}"))
}

/// A part is one of those into which its whole was divided, and of the same occurrence.
fn check_part(streams: &impl Streams, id: &StreamId, due: &RunDue) -> Result<(), String> {
    let Some(whole) = &due.part_of else { return Ok(()) };
    let whole = find(streams, whole)?;
    let host = id.part().unwrap_or_default();
    let one_of_them = whole.state == State::Parts
        && whole.parts.iter().any(|part| part == host)
        && due.host.as_deref() == Some(host)
        && due.definition == whole.definition
        && due.nominal == whole.nominal;
    if one_of_them { Ok(()) } else { Err(format!("{} has no such part", whole.id)) }
}

/// A run in parts ends when all of them have, as the worst of them.
fn check_gathered(streams: &impl Streams, run: &Run, said: &RunGathered) -> Result<(), String> {
    let mut worst = None;
    for host in &run.parts {
        let part = find(streams, &run.id.part_on(host))?;
        let outcome = part.outcome().ok_or_else(|| format!("{} has not ended", part.id))?;
        worst = Outcome::worst(worst.into_iter().chain([outcome]));
    }
    if worst == Some(said.outcome) { Ok(()) } else { Err("its parts ended otherwise".to_owned()) }
}

fn check_cleared(streams: &impl Streams, run: &Run, cleared: &RunCleared) -> Result<(), String> {
    if run.terms.after.len() != cleared.by.len() {
        return Err("it names other runs than those it waits for".to_owned());
    }
    for (after, by) in run.terms.after.iter().zip(&cleared.by) {
        let by = find(streams, by)?;
        let outcome = by.outcome().ok_or_else(|| format!("{} has not ended", by.id))?;
        if !meets(after, run, by) {
            return Err(format!("{} is not the run of {} it waits for", by.id, after.job));
        }
        if !after.outcomes.contains(&outcome) {
            return Err(format!("{} {}", by.id, outcome.word()));
        }
    }
    Ok(())
}

/// Whether `other` is a run that `run` waits for by this condition, however it ended.
pub(crate) fn meets(after: &After, run: &Run, other: &Run) -> bool {
    let right_one = match after.run {
        WhichRun::SameOccurrence => match run.request_label() {
            Some(label) if run.again.is_none() => is_of_request(other, label),
            Some(_) | None => other.stands_for() == run.stands_for(),
        },
        WhichRun::SameBusinessDay => {
            let day = run.business_day();
            day.is_some() && other.business_day() == day
        }
        WhichRun::Latest => other.stands_for() <= run.stands_for(),
    };
    other.job == after.job && other.part_of.is_none() && right_one
}

/// Whether a run is of the request with this label, or repeats one that is.
fn is_of_request(run: &Run, label: &str) -> bool {
    let repeated = run.again.as_ref().and_then(|again| again.run.rest().split_once('@'));
    run.request_label() == Some(label) || repeated.is_some_and(|(_, of)| of == label)
}

fn check_role(streams: &impl Streams, run: &Run, envelope: &Envelope) -> Result<(), String> {
    let role = run.terms.confirm.as_ref().map(|confirm| confirm.role);
    let role = role.ok_or("nobody is asked about it")?;
    let state = actor(envelope).and_then(|id| streams.get(&id));
    let user = state.and_then(|state| state.body.user());
    if user.is_some_and(|user| user.has(role)) {
        return Ok(());
    }
    Err(format!("only somebody with the role {} can confirm it", role.word()))
}

/// A drained host starts nothing.
fn check_host(streams: &impl Streams, host: &str) -> Result<(), String> {
    let state = streams.get(&StreamId::host(host));
    match state.and_then(|state| state.body.host()).and_then(|host| host.drained.as_ref()) {
        Some(reason) => Err(format!("host {host} is drained: {reason}")),
        None => Ok(()),
    }
}

/// An occurrence is stated by calendars as they hold at its instant. A scheduler that has not heard of a new version
/// is refused, and decides again when it has.
pub(super) fn check_calendars(
    streams: &impl Streams,
    job: &Job,
    event: &RunEvent,
) -> Result<(), String> {
    let Some(nominal) = crate::run::nominal(event) else { return Ok(()) };
    let leased = job.lease_at(nominal.at).filter(|lease| lease.is_of_host());
    let at = leased.map_or(nominal.at, |lease| just_after(lease.granted));
    let holds = |reference: &&CalendarRef| {
        let id = StreamId::thing(ThingKind::Calendar, &reference.name);
        let thing = streams.get(&id).and_then(|state| state.body.thing());
        let spans = thing.map_or(&[][..], |thing| &thing.versions.spans);
        let held = spans.iter().rev().find(|span| span.from < at).or(spans.first());
        held.is_some_and(|span| (span.number, span.digest) == (reference.number, reference.digest))
    };
    match nominal.calendars.iter().find(|reference| !holds(reference)) {
        None => Ok(()),
        Some(CalendarRef { name, number, .. }) => Err(format!(
            "version {number} of calendar {name} is not the one that holds at {}",
            nominal.at
        )),
    }
}
