//! The rules of definitions: of jobs, and of what else a site defines; and of orders and leases, which stand in the
//! streams of jobs.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::{Body, Policy, Streams, Turn, need};
use crate::canonical::{Digest, canonical};
use crate::envelope::Envelope;
use crate::event::{JobEvent, JobLeaseGranted, ThingAct, ThingEvent};
use crate::ids::{Class, StreamId};
use crate::job::{Claim, Job, JobDefinition, ORDERS_MAX, OrderAct, Versions, Work};
use crate::print::PrintWork;
use crate::site::{Defined, Thing, ThingKind};

/// What a job's definition refers to: it must be there before the definition is approved.
pub fn named_by_job(definition: &JobDefinition) -> BTreeSet<StreamId> {
    let calendars = definition.calendar.names();
    let calendars = calendars.iter().map(|name| StreamId::thing(ThingKind::Calendar, name));
    let claims = definition.claims();
    let locks = claims.iter().map(Claim::stream);
    let dataset = definition.work().and_then(Work::dataset);
    let dataset = dataset.map(|name| StreamId::thing(ThingKind::Dataset, name));
    let printed = definition.print.iter().flat_map(PrintWork::named);
    let tree = definition.on_failure.call_tree.as_ref();
    let tree = tree.map(|name| StreamId::thing(ThingKind::CallTree, name));
    calendars.chain(locks).chain(dataset).chain(printed).chain(tree).collect()
}

/// What a thing's definition refers to.
pub fn named_by_thing(thing: &Thing) -> BTreeSet<StreamId> {
    let calendars = thing.calendars();
    let calendars = calendars.iter().map(|name| StreamId::thing(ThingKind::Calendar, name));
    let queue = if let Thing::Form(form) = thing { Some(&form.queue) } else { None };
    calendars.chain(queue.map(|name| StreamId::thing(ThingKind::Queue, name))).collect()
}

pub(super) fn admit_job(
    streams: &impl Streams,
    envelope: &Envelope,
    event: &JobEvent,
    policy: Policy,
    received: Timestamp,
) -> Result<(), String> {
    let nothing = Job::default();
    let state = streams.get(&envelope.subject);
    let job = state.and_then(|state| state.body.job()).unwrap_or(&nothing);
    let turn = state.map(|state| &state.turn);
    let active = job.active().is_some();
    match event {
        JobEvent::JobProposed(e) => {
            check_proposal(&job.versions, e.number, &e.definition, e.digest)?;
            let definition: JobDefinition =
                serde_json::from_value(e.definition.clone()).map_err(|e| e.to_string())?;
            need(definition.name == envelope.subject.rest(), "the definition is of another job")
        }
        JobEvent::JobApproved(e) => {
            check_approval(&job.versions, (e.number, e.digest), envelope, policy)?;
            let proposal = job.versions.proposal.as_ref().ok_or("nothing is proposed")?;
            let definition: JobDefinition =
                serde_json::from_str(proposal.definition.get()).map_err(|e| e.to_string())?;
            check_named(streams, named_by_job(&definition))
        }
        JobEvent::JobPaused(_) => need(
            active && job.paused().is_none(),
            "only an active job that is not paused can be paused",
        ),
        JobEvent::JobResumed(_) => need(job.paused().is_some(), "the job is not paused"),
        JobEvent::JobRetired(_) => need(active, "the job is not active"),
        JobEvent::JobOccurrenceHeld(e) => admit_order(job, turn, e.at, OrderAct::Hold),
        JobEvent::JobOccurrenceSkipped(e) => admit_order(job, turn, e.at, OrderAct::Skip),
        JobEvent::JobOccurrenceMoved(e) => admit_order(job, turn, e.at, OrderAct::Move(e.to)),
        JobEvent::JobOccurrenceReleased(e) => {
            let order = job.orders.get(&e.at);
            let order = order
                .ok_or_else(|| format!("nothing was said about the occurrence at {}", e.at))?;
            let ran = order.ahead_of(e.at).is_some() && has_run_ahead(turn, e.at);
            need(!ran, "it has run ahead of its time: see its run")?;
            check_undecided(job, turn, e.at)
        }
        JobEvent::JobLeaseGranted(e) => admit_lease(job, turn, e, received),
        JobEvent::JobLeaseReturned(e) => {
            let lease = job.lease().ok_or("no host has leave to decide this job's occurrences")?;
            let own = envelope.source.class() != Class::Executor
                || lease.host.as_deref() == Some(envelope.source.name());
            need(own, "another host has the lease")?;
            let settled = turn.and_then(|turn| turn.leased.get(&lease.from)).copied();
            let least = settled.unwrap_or(lease.from);
            need(
                least <= e.until && e.until < lease.until,
                "a lease is given back from an instant on that it covers and that is not decided yet",
            )
        }
    }
}

/// An order is about one occurrence that nobody has decided: what is decided has a run, and is told there.
fn admit_order(job: &Job, turn: Option<&Turn>, at: Timestamp, act: OrderAct) -> Result<(), String> {
    need(job.active().is_some(), "the job is not active")?;
    check_undecided(job, turn, at)?;
    need(
        job.versions.spans.first().is_some_and(|first| first.from < at),
        "the job had no definition then: it has no such occurrence",
    )?;
    if has_run_ahead(turn, at) {
        return Err(format!("the occurrence at {at} has run ahead of its time: see its run"));
    }
    if let Some(lease) = job.lease_at(at)
        && let Some(host) = &lease.host
    {
        return Err(format!("the occurrence at {at} is for host {host} to decide"));
    }
    if job.orders.get(&at).is_some_and(|order| order.ahead_of(at).is_some()) {
        return Err(format!("the occurrence at {at} was moved ahead: release it first"));
    }
    need(
        job.orders.contains_key(&at) || job.orders.len() < ORDERS_MAX,
        "too much has been said about single occurrences of this job; change its schedule",
    )?;
    match act {
        OrderAct::Move(to) => need(to != at, "it is moved to where it is"),
        OrderAct::Hold | OrderAct::Skip => Ok(()),
    }
}

fn check_undecided(job: &Job, turn: Option<&Turn>, at: Timestamp) -> Result<(), String> {
    // Within a lease, and what came back of one, occurrences are accounted for apart.
    let settled = turn.and_then(|turn| match job.lease_at(at) {
        Some(lease) => turn.leased.get(&lease.from).copied(),
        None => turn.settled,
    });
    need(
        settled.is_none_or(|settled| settled < at),
        &format!("the occurrence at {at} is decided already: see its run"),
    )
}

fn has_run_ahead(turn: Option<&Turn>, at: Timestamp) -> bool {
    turn.is_some_and(|turn| turn.ahead.contains(&at))
}

/// Leave is granted for occurrences nobody has decided, under the definition that holds.
fn admit_lease(
    job: &Job,
    turn: Option<&Turn>,
    lease: &JobLeaseGranted,
    received: Timestamp,
) -> Result<(), String> {
    let active = job.active().ok_or("the job is not active")?;
    need(active.reference() == lease.definition, "another definition is active")?;
    let definition = active.read().map_err(|error| error.to_string())?;
    let autonomy = definition.autonomy.ok_or("the job's definition does not allow it")?;
    need(definition.host.as_deref() == Some(&lease.host), "the job runs on another host")?;
    let settled = turn.and_then(|turn| turn.settled);
    let before = job.leases.iter().filter(|l| l.is_of_host()).map(|lease| lease.until).max();
    let extends = job.leases.last().is_some_and(|last| last.is_extended_by(lease));
    let rest = job.leases.last().filter(|rest| !rest.is_of_host());
    let rest = rest.and_then(|rest| turn?.leased.get(&rest.from));
    let free = settled.is_none_or(|settled| settled <= lease.from)
        && rest.is_none_or(|settled| *settled <= lease.from)
        && (extends || before.is_none_or(|until| until <= lease.from))
        && turn.and_then(|turn| turn.ahead.last()).is_none_or(|ahead| *ahead <= lease.from)
        && job.orders.range(crate::time::just_after(lease.from)..).next().is_none();
    need(free, "some of its occurrences are decided, leased, or spoken for already")?;
    let most = i64::try_from(autonomy.lease.millis()).unwrap_or(i64::MAX);
    let ahead = lease.until.as_millisecond() - received.as_millisecond();
    need(
        lease.from < lease.until && ahead <= most.saturating_add(super::SKEW_MS_MAX),
        "the lease is longer than the job's definition allows",
    )
}

fn check_proposal(
    versions: &Versions,
    number: u32,
    definition: &Value,
    digest: Digest,
) -> Result<(), String> {
    if number != versions.numbers + 1 {
        return Err(format!("the next definition is number {}", versions.numbers + 1));
    }
    let bytes = canonical(definition).map_err(|e| e.to_string())?;
    need(Digest::of(&bytes) == digest, "the digest is not that of the definition")
}

fn check_approval(
    versions: &Versions,
    approved: (u32, Digest),
    envelope: &Envelope,
    policy: Policy,
) -> Result<(), String> {
    let proposal = versions.proposal.as_ref().ok_or("nothing is proposed")?;
    need(
        (proposal.number, proposal.digest) == approved,
        "it approves another definition than the one proposed last",
    )?;
    let actor = envelope.actor.as_deref();
    let another = policy.is_another(actor, proposal.by.as_deref());
    need(another || versions.is_expedited_by(actor), "nobody approves their own change")
}

/// Everything a definition names is there and active.
fn check_named(streams: &impl Streams, named: BTreeSet<StreamId>) -> Result<(), String> {
    for id in named {
        let thing = streams.get(&id).and_then(|state| state.body.thing());
        if thing.and_then(Defined::active).is_none() {
            let word = id.stream_type().word();
            return Err(format!("there is no active {word} {}", id.rest()));
        }
    }
    Ok(())
}

pub(super) fn admit_thing(
    streams: &impl Streams,
    envelope: &Envelope,
    event: &ThingEvent,
    policy: Policy,
) -> Result<(), String> {
    let nothing = Defined::new("");
    let body = streams.get(&envelope.subject).map(|state| &state.body);
    let thing = body.and_then(Body::thing).unwrap_or(&nothing);
    match &event.act {
        ThingAct::Proposed(e) => {
            check_proposal(&thing.versions, e.number, &e.definition, e.digest)?;
            let read = Thing::read(event.of, &e.definition).map_err(|e| e.to_string())?;
            need(read.name() == envelope.subject.rest(), "the definition is of another name")?;
            let problems = read.problems();
            problems.first().map_or(Ok(()), |problem| Err(problem.to_string()))
        }
        ThingAct::Approved(e) => {
            check_approval(&thing.versions, (e.number, e.digest), envelope, policy)?;
            let proposal = thing.versions.proposal.as_ref().ok_or("nothing is proposed")?;
            let value =
                serde_json::from_str(proposal.definition.get()).map_err(|e| e.to_string())?;
            let read = Thing::read(event.of, &value).map_err(|e| e.to_string())?;
            check_named(streams, named_by_thing(&read))?;
            check_no_circle(streams, &envelope.subject, named_by_thing(&read))
        }
        ThingAct::Retired(_) => need(thing.active().is_some(), "it is not active"),
    }
}

/// Calendars that refer to each other in a circle have no days at all.
fn check_no_circle(
    streams: &impl Streams,
    subject: &StreamId,
    named: BTreeSet<StreamId>,
) -> Result<(), String> {
    let (mut open, mut seen) = (named.clone(), named);
    while let Some(id) = open.pop_first() {
        if id == *subject {
            return Err(format!("{id} refers to others that refer to it: a circle has no days"));
        }
        let thing = streams.get(&id).and_then(|state| state.body.thing());
        let read = thing.and_then(|thing| thing.read(ThingKind::Calendar));
        let further = read.iter().flat_map(named_by_thing);
        open.extend(further.filter(|id| seen.insert(id.clone())));
    }
    Ok(())
}
