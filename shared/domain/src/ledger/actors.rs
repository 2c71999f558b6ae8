//! Whoever acts at a console has an account that may, where the log asks for that.

use jiff::Timestamp;

use super::{Body, Streams};
use crate::envelope::Envelope;
use crate::event::{Event, JobEvent, ThingAct, ThingEvent, UserEvent};
use crate::ids::{Class, StreamId, StreamType};
use crate::people::{Action, Subject, User, action_of, check_actor, pool_asked, pools_of};

/// The account of whoever acts.
pub(super) fn reads(envelope: &Envelope) -> Option<StreamId> {
    if envelope.source.class() != Class::Console {
        return None;
    }
    account(envelope.actor.as_deref()?)
}

fn account(actor: &str) -> Option<StreamId> {
    let id: StreamId = actor.parse().ok()?;
    (id.stream_type() == StreamType::User).then_some(id)
}

/// The account of whoever acts, where it is at hand.
pub(super) fn account_of<'a>(streams: &'a impl Streams, envelope: &Envelope) -> Option<&'a User> {
    let id = envelope.actor.as_deref().and_then(account)?;
    streams.get(&id).and_then(|state| state.body.user())
}

pub(super) fn check(
    streams: &impl Streams,
    envelope: &Envelope,
    event: &Event,
    received: Timestamp,
) -> Result<(), String> {
    let of = |id: &StreamId| streams.get(id).map(|state| &state.body);
    let actor = envelope.actor.as_deref();
    let user = account_of(streams, envelope);
    let about = of(&envelope.subject);
    let job = job_of(&envelope.subject, about);
    let mut pools = pools_reached(job.as_ref().and_then(of), about);
    pools.extend(pool_asked(event));
    let subject = Subject { job: job.as_ref().map(StreamId::rest), pools: &pools };
    let action = action_needed(event, about, actor);
    check_actor(actor, user, event, action, &subject, received)
}

/// What an event of a console needs of whoever acts, with what it is about at hand; `None` for what a console states on its
/// own, and for what anybody does to their own account.
pub fn action_needed(event: &Event, about: Option<&Body>, actor: Option<&str>) -> Option<Action> {
    let expedited = || about.and_then(Body::versions).is_some_and(|v| v.is_expedited_by(actor));
    if is_approval(event) && expedited() {
        // What cannot wait, its author makes active themselves.
        return Some(Action::Expedite);
    }
    let user = about.and_then(Body::user).map(User::actor);
    let others = actor.is_some() && user.as_deref() != actor;
    match event {
        // What others do to an account's tokens and sessions, only those who keep the accounts do.
        Event::UserEvent(
            UserEvent::UserTokenCreated(_)
            | UserEvent::UserTokenRevoked(_)
            | UserEvent::UserLoggedOut(_),
        ) if others => Some(Action::KeepPeople),
        Event::UserEvent(_)
        | Event::JobEvent(_)
        | Event::RunEvent(_)
        | Event::HostEvent(_)
        | Event::LogEvent(_)
        | Event::ThingEvent(_)
        | Event::BackupEvent(_)
        | Event::PrintEvent(_)
        | Event::FormEvent(_)
        | Event::QueueEvent(_)
        | Event::ChangeEvent(_)
        | Event::IncidentEvent(_)
        | Event::ReviewEvent(_)
        | Event::ControlEvent(_)
        | Event::RecordsEvent(_)
        | Event::RequestEvent(_) => action_of(event),
    }
}

/// The job that a stream is, or is of; for a document its body has to be at hand.
pub fn job_of(subject: &StreamId, about: Option<&Body>) -> Option<StreamId> {
    match subject.stream_type() {
        StreamType::Job => Some(subject.clone()),
        StreamType::Run => subject.run_job().map(StreamId::job),
        StreamType::Document => {
            let run = about.and_then(Body::document).and_then(|document| document.run());
            run.and_then(StreamId::run_job).map(StreamId::job)
        }
        StreamType::Host
        | StreamType::User
        | StreamType::Log
        | StreamType::Calendar
        | StreamType::Blackout
        | StreamType::Lock
        | StreamType::Pool
        | StreamType::Dataset
        | StreamType::Repository
        | StreamType::Queue
        | StreamType::Form
        | StreamType::CallTree
        | StreamType::Measures
        | StreamType::Control
        | StreamType::Request
        | StreamType::Review => None,
        StreamType::Incident => {
            let (of, _) = subject.incident_parts()?;
            (of.stream_type() == StreamType::Job).then_some(of)
        }
    }
}

/// The pools that a grant reaches what somebody acts on by: those of the job it is of, or of the host that it is.
pub fn pools_reached(job: Option<&Body>, about: Option<&Body>) -> Vec<String> {
    let mut pools: Vec<String> = job.and_then(Body::job).map(pools_of).unwrap_or_default();
    let host = about.and_then(Body::host).and_then(|host| host.started.as_ref());
    pools.extend(host.iter().flat_map(|started| started.pools.clone()));
    pools
}

fn is_approval(event: &Event) -> bool {
    matches!(
        event,
        Event::JobEvent(JobEvent::JobApproved(_))
            | Event::ThingEvent(ThingEvent { act: ThingAct::Approved(_), .. })
    )
}
