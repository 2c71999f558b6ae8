//! What may follow in the stream of an incident. *Invariants:* of one thing one incident is open at a time, and its numbers have
//! no holes; a message is begun once; nobody resolves what they caused.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::CALLS_MAX;
use super::state::{Incident, Step};
use crate::canonical::Digest;
use crate::event::{
    Because, Call, IncidentAcknowledged, IncidentCauseRecorded, IncidentEscalated, IncidentEvent,
    IncidentOpened, Trouble,
};
use crate::ids::{Class, StreamId, StreamType};
use crate::ledger::{Body, Policy, TEXT_BYTES_MAX, check_text, need};
use crate::run::Run;

/// Most broadcasts of an incident that are on their way at once.
const BROADCASTS_MAX: usize = 5;

/// What is known beside the incident itself.
pub(crate) struct Context<'a> {
    /// The incident's stream.
    pub(crate) id: &'a StreamId,
    /// The class of whoever states it.
    pub(crate) class: Class,
    /// Who acts.
    pub(crate) actor: Option<&'a str>,
    /// Rules of the site.
    pub(crate) policy: Policy,
    /// When it is received.
    pub(crate) received: Timestamp,
    /// A stream that [`reads`] names.
    pub(crate) find: &'a dyn Fn(&StreamId) -> Option<&'a Body>,
}

impl<'a> Context<'a> {
    fn incident(&self, number: Option<u32>) -> Option<&'a Incident> {
        let (of, _) = self.id.incident_parts()?;
        (self.find)(&StreamId::incident(&of, number?)).and_then(Body::incident)
    }

    fn run(&self, id: &StreamId) -> Result<&'a Run, String> {
        let run = (self.find)(id).and_then(Body::run);
        run.ok_or_else(|| format!("there is no {id}"))
    }

    /// Whoever acts, named. What a scheduler states, nobody does.
    fn person(&self) -> Result<&'a str, String> {
        self.actor.ok_or_else(|| "it does not say who does it".to_owned())
    }
}

/// The streams beside its own that must be at hand to judge an event.
pub(crate) fn reads(id: &StreamId, event: &IncidentEvent) -> BTreeSet<StreamId> {
    let Some((of, number)) = id.incident_parts() else { return BTreeSet::new() };
    let neighbour = |number: Option<u32>| number.map(|number| StreamId::incident(&of, number));
    let named = |trouble: &Trouble| match trouble {
        Trouble::Run { .. } | Trouble::Late { .. } | Trouble::WillBeLate { .. } => {
            trouble.run().cloned()
        }
        Trouble::DatasetAtRisk { .. } => Some(of.clone()),
        Trouble::NotificationFailed { incident, .. } => Some(incident.clone()),
        Trouble::HostSilent { .. }
        | Trouble::ReviewMissing { .. }
        | Trouble::LogStalled { .. }
        | Trouble::LogContradicted { .. }
        | Trouble::LogWeak { .. }
        | Trouble::LogContinued { .. }
        | Trouble::Reported { .. } => None,
    };
    match event {
        IncidentEvent::IncidentOpened(e) => {
            named(&e.trouble).into_iter().chain(neighbour(number.checked_sub(1))).collect()
        }
        IncidentEvent::IncidentRecurred(e) => named(&e.trouble).into_iter().collect(),
        IncidentEvent::IncidentReopened(_) => {
            neighbour(number.checked_add(1)).into_iter().collect()
        }
        IncidentEvent::IncidentCauseRecorded(e) => {
            e.caused_by.iter().filter_map(|by| by.parse().ok()).collect()
        }
        IncidentEvent::IncidentCleared(_)
        | IncidentEvent::IncidentEscalated(_)
        | IncidentEvent::IncidentBroadcast(_)
        | IncidentEvent::IncidentNotificationBegun(_)
        | IncidentEvent::IncidentNotificationEnded(_)
        | IncidentEvent::IncidentAcknowledged(_)
        | IncidentEvent::IncidentNoted(_)
        | IncidentEvent::IncidentResolved(_) => BTreeSet::new(),
    }
}

/// Whether the event may follow.
///
/// # Errors
/// The rule it breaks.
pub(crate) fn admit(
    incident: Option<&Incident>,
    event: &IncidentEvent,
    context: &Context<'_>,
) -> Result<(), String> {
    if let IncidentEvent::IncidentOpened(e) = event {
        need(incident.is_none(), "an incident is opened once, by its first event")?;
        return admit_opened(e, context);
    }
    let incident = incident.ok_or("there is no such incident")?;
    if let IncidentEvent::IncidentReopened(e) = event {
        context.person()?;
        need(!incident.is_open(), "it is not resolved")?;
        let next = context.incident(incident.number.checked_add(1));
        need(next.is_none(), "there is a later incident of the same thing: go on with that one")?;
        return check_text(&e.reason, "a reason");
    }
    // What became of a message is said whenever it is known.
    if let IncidentEvent::IncidentNotificationEnded(e) = event {
        let call = incident.call(e.step, e.call);
        let begun = call.is_some_and(|call| call.begun.is_some() && call.ended.is_none());
        return need(begun, "no such message is on its way");
    }
    // What was to be said to those who are affected is said also when it is over.
    if let IncidentEvent::IncidentNotificationBegun(e) = event {
        let mut unsent = incident.unsent();
        let waits = unsent.any(|(step, call, _)| (step, call) == (e.step, e.call));
        return need(waits, "no such message waits to be sent");
    }
    need(incident.is_open(), "it is resolved: open it again first")?;
    match event {
        IncidentEvent::IncidentOpened(_)
        | IncidentEvent::IncidentReopened(_)
        | IncidentEvent::IncidentNotificationBegun(_)
        | IncidentEvent::IncidentNotificationEnded(_) => Ok(()),
        IncidentEvent::IncidentRecurred(e) => {
            need(!incident.has_seen(&e.trouble, e.at), "that was seen already")?;
            check_trouble(&e.trouble, e.at, context)
        }
        IncidentEvent::IncidentCleared(e) => {
            need(incident.cleared.is_none(), "it is over already")?;
            let newest = incident.troubles.last().map(|seen| &seen.trouble);
            let by_itself = !matches!(newest, Some(Trouble::Reported { .. }));
            need(by_itself, "what a person reported is over when a person says so")?;
            check_text(&e.reason, "a reason")
        }
        IncidentEvent::IncidentEscalated(e) => admit_escalated(incident, e),
        IncidentEvent::IncidentBroadcast(e) => {
            context.person()?;
            check_text(&e.text, "a text")?;
            let under_way = |step: &&Step| {
                !step.is_level() && step.calls.iter().any(|call| call.ended.is_none())
            };
            let under_way = incident.steps.iter().filter(under_way).count();
            need(under_way < BROADCASTS_MAX, "5 broadcasts are on their way: wait for one")?;
            check_step(incident, e.step, &e.tell)
        }
        IncidentEvent::IncidentAcknowledged(e) => admit_acknowledged(incident, e, context),
        IncidentEvent::IncidentNoted(e) => {
            context.person()?;
            check_text(&e.text, "a text")
        }
        IncidentEvent::IncidentCauseRecorded(e) => admit_cause(e, context),
        IncidentEvent::IncidentResolved(e) => {
            check_text(&e.action, "what was done about it")?;
            need(incident.cause.is_some(), "say first why it happened")?;
            check_another(incident, context)
        }
    }
}

fn admit_opened(e: &IncidentOpened, context: &Context<'_>) -> Result<(), String> {
    let (_, number) = context.id.incident_parts().ok_or("its name is not that of an incident")?;
    if number > 1 {
        let before = context.incident(number.checked_sub(1));
        let before = before.ok_or("the incident before it is not there")?;
        need(!before.is_open(), "the incident before it is open: this belongs to that one")?;
        let seen = before.has_seen(&e.trouble, e.at) && context.class != Class::Console;
        need(!seen, "the incident before it has seen that")?;
    }
    check_trouble(&e.trouble, e.at, context)
}

/// What happened is of what the incident is about, and has happened as far as the log knows.
fn check_trouble(trouble: &Trouble, at: Timestamp, context: &Context<'_>) -> Result<(), String> {
    let (of, _) = context.id.incident_parts().ok_or("its name is not that of an incident")?;
    need(at <= context.received, "nobody knows yet what is to come")?;
    let of_job = |run: &StreamId| run.run_job().map(StreamId::job).as_ref() == Some(&of);
    let by_scheduler = context.class == Class::Scheduler;
    if let Trouble::Reported { text } = trouble {
        context.person()?;
        return check_text(text, "a text");
    }
    need(by_scheduler, "people report what happened in their own words")?;
    match trouble {
        Trouble::Run { run, state, asked_by } => {
            need(of_job(run), "that is a run of another job")?;
            let run = context.run(run)?;
            need(run.state.word() == state, "the run is not in that state")?;
            let bad = super::words::BAD_STATES.contains(&state.as_str());
            need(bad, "a run in that state is no incident")?;
            need(at <= run.changed, "the log learnt of it later")?;
            need(run.asked_by == *asked_by, "somebody else asked for that run")
        }
        Trouble::Late { run, limit } => {
            need(of_job(run), "that is a run of another job")?;
            let missed = context.run(run)?.late.iter().any(|late| late.limit == *limit);
            need(missed, "the run has not missed that limit")
        }
        Trouble::WillBeLate { run, by, .. } => {
            need(of_job(run), "that is a run of another job")?;
            let run = context.run(run)?;
            need(!run.state.is_ended(), "the run has ended")?;
            need(run.terms.deadlines.finish_by == Some(*by), "the run has no such limit")
        }
        Trouble::DatasetAtRisk { since } => {
            let dataset = (context.find)(&of).and_then(Body::dataset);
            let risk = dataset.and_then(|dataset| dataset.at_risk.as_ref());
            need(risk.is_some_and(|risk| risk.since == *since), "the dataset is not at risk so")
        }
        Trouble::NotificationFailed { incident, .. } => {
            let known = (context.find)(incident).and_then(Body::incident);
            let tree = known.and_then(|known| known.tree.as_deref());
            let right = of.stream_type() == StreamType::CallTree && tree == Some(of.rest());
            need(right, "that incident has another call tree")
        }
        Trouble::HostSilent { .. } => {
            need(of.stream_type() == StreamType::Host, "it is not about a host")
        }
        Trouble::ReviewMissing { .. } => {
            need(of == crate::review::stream(), "it is not about the reviews of nights")
        }
        Trouble::LogStalled { since, until } => {
            need(of == StreamId::log("main"), "it is not about the log")?;
            need(since < until, "it ended before it began")
        }
        Trouble::LogContradicted { reason, .. } => {
            need(of == StreamId::log("main"), "it is not about the log")?;
            check_text(reason, "what is wrong with the log")
        }
        Trouble::LogContinued { .. } => {
            need(of == StreamId::log("main"), "it is not about the log")
        }
        Trouble::LogWeak { weaknesses, .. } => {
            need(of == StreamId::log("main"), "it is not about the log")?;
            let most = crate::event::WEAKNESSES_MAX;
            need(weaknesses.len() <= most, "so many weaknesses are counted")?;
            weaknesses.iter().try_for_each(|says| check_text(says, "a weakness"))
        }
        Trouble::Reported { .. } => Ok(()),
    }
}

fn check_step(incident: &Incident, step: u32, tell: &[Call]) -> Result<(), String> {
    need(step == incident.steps_count + 1, "it is not the next step")?;
    need((1..=CALLS_MAX).contains(&tell.len()), "1 to 50 are told")?;
    let unique: BTreeSet<&Call> = tell.iter().collect();
    need(unique.len() == tell.len(), "nobody is told twice in one step")?;
    need(tell.iter().all(|call| crate::ids::is_name(&call.contact)), "a contact has a name")
}

fn admit_escalated(incident: &Incident, e: &IncidentEscalated) -> Result<(), String> {
    need(incident.is_calling(), "nobody is called any more")?;
    need(incident.tree.is_some(), "it has no call tree")?;
    need(e.round > 0 && e.level > 0, "rounds and levels are counted from 1")?;
    let newest = incident.level().map_or((0, 0), |(_, round, level)| (round, level));
    let further = e.round == newest.0 && e.level > newest.1;
    let over = newest.0.checked_add(1) == Some(e.round);
    need(further || over, "that level was told already, or it is not its turn")?;
    let anew = matches!(e.because, Because::Opened | Because::Again | Because::Reopened);
    need(anew == incident.anew.is_some(), "people are not called for that")?;
    check_step(incident, e.step, &e.tell)
}

fn admit_acknowledged(
    incident: &Incident,
    e: &IncidentAcknowledged,
    context: &Context<'_>,
) -> Result<(), String> {
    let person = context.person()?;
    if let Some(said) = &incident.acknowledged {
        return Err(format!("{} has acknowledged it already", said.by));
    }
    need(e.note.len() <= TEXT_BYTES_MAX, "a note has 1000 bytes at most")?;
    let Some(link) = &e.link else { return Ok(()) };
    let call = incident.linked(Digest::of(link.as_bytes()));
    let own = call.is_some_and(|call| format!("user/{}", call.call.contact) == person);
    need(own, "that is no link of a message to them")
}

fn admit_cause(e: &IncidentCauseRecorded, context: &Context<'_>) -> Result<(), String> {
    context.person()?;
    check_text(&e.cause, "a cause")?;
    let Some(by) = &e.caused_by else { return Ok(()) };
    let user = by.parse().ok().filter(|id: &StreamId| id.stream_type() == StreamType::User);
    let known = user.is_some_and(|id| (context.find)(&id).and_then(Body::user).is_some());
    need(known, "there is no such account that caused it")
}

/// Nobody resolves what they caused, as far as the site demands that.
fn check_another(incident: &Incident, context: &Context<'_>) -> Result<(), String> {
    let person = context.person()?;
    let own = incident.causers.contains(person) && !context.policy.self_approval;
    need(!own, "nobody resolves the failure they caused")
}
