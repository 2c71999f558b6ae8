//! Whoever acts at a console has an account that may, where the log asks for that.

use jiff::Timestamp;

use super::{Body, Streams};
use crate::envelope::Envelope;
use crate::event::Event;
use crate::ids::{Class, StreamId, StreamType};
use crate::people::{Subject, check_actor, pool_asked, pools_of};

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

pub(super) fn check(
    streams: &impl Streams,
    envelope: &Envelope,
    event: &Event,
    received: Timestamp,
) -> Result<(), String> {
    let of = |id: &StreamId| streams.get(id).map(|state| &state.body);
    let actor = envelope.actor.as_deref();
    let user = actor.and_then(account).and_then(|id| of(&id)).and_then(Body::user);
    let about = of(&envelope.subject);
    let job = job_of(&envelope.subject, about);
    let state = job.as_ref().and_then(of).and_then(Body::job);
    let mut pools: Vec<String> = state.map(pools_of).unwrap_or_default();
    pools.extend(pool_asked(event));
    if let Some(host) = about.and_then(Body::host) {
        pools.extend(host.started.iter().flat_map(|started| started.pools.clone()));
    }
    let subject = Subject { job: job.as_ref().map(StreamId::rest), pools: &pools };
    check_actor(actor, user, event, about.and_then(Body::user), &subject, received)
}

/// The job that a stream is, or is of.
fn job_of(subject: &StreamId, about: Option<&Body>) -> Option<StreamId> {
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
        | StreamType::Form => None,
    }
}
