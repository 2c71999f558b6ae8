//! The state of every stream, and the rules of jobs and users.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Policy;
use crate::canonical::{Digest, canonical};
use crate::envelope::Envelope;
use crate::event::{
    Event, HostEvent, HostStarted, JobEvent, JobProposed, Role, RunEvent, UserEvent,
};
use crate::ids::{StreamId, StreamType};
use crate::job::{Job, JobDefinition};
use crate::run::{Context, Run};

/// A host, as its events tell it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its newest start.
    pub started: Option<HostStarted>,
    /// When the recorder received that.
    pub since: Option<Timestamp>,
    /// Whether it takes work: it has started and not stopped in order.
    pub up: bool,
}

/// A person or program that may act.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct User {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub roles: Vec<Role>,
    /// Hashes of its tokens.
    pub tokens: Vec<Digest>,
}

/// What a stream is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// A job.
    Job(Job),
    /// A run.
    Run(Box<Run>),
    /// A host.
    Host(Host),
    /// A user.
    User(User),
    /// The log itself; its state is the [`super::Ledger`].
    Log,
}

impl Body {
    /// The job, where it is one.
    pub fn job(&self) -> Option<&Job> {
        if let Self::Job(job) = self { Some(job) } else { None }
    }

    /// The run, where it is one.
    pub fn run(&self) -> Option<&Run> {
        if let Self::Run(run) = self { Some(run) } else { None }
    }

    /// The host, where it is one.
    pub fn host(&self) -> Option<&Host> {
        if let Self::Host(host) = self { Some(host) } else { None }
    }

    /// The user, where it is one.
    pub fn user(&self) -> Option<&User> {
        if let Self::User(user) = self { Some(user) } else { None }
    }
}

/// Where a job stands among its occurrences and runs: told by its runs' events, not by its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Turn {
    /// The newest instant that an event settled: all occurrences up to it are accounted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Timestamp>,
    /// The run that has begun and not ended: no other run of the job may begin before it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy: Option<StreamId>,
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamState {
    /// Version of its newest valid event.
    pub version: u64,
    /// What it is about.
    pub body: Body,
    /// For a job, whose turn it is; for other streams always the default.
    #[serde(default)]
    pub turn: Turn,
}

/// Where stream states are kept while events are judged.
pub trait Streams {
    /// The stream, if it has an event.
    fn get(&self, id: &StreamId) -> Option<&StreamState>;

    /// Puts a new state in the place of the old.
    fn put(&mut self, id: StreamId, state: StreamState);

    /// Puts a new turn in the place of the old; does nothing to a stream without an event.
    fn put_turn(&mut self, job: &StreamId, turn: Turn) {
        if let Some(state) = self.get(job).cloned() {
            self.put(job.clone(), StreamState { turn, ..state });
        }
    }

    /// Takes a valid event in.
    fn evolve(&mut self, envelope: &Envelope, event: &Event, received: Timestamp) {
        let id = &envelope.subject;
        let (old, turn) = match self.get(id).cloned() {
            Some(state) => (Some(state.body), state.turn),
            None => (None, Turn::default()),
        };
        if let Some(body) = evolve(old, envelope, event, received) {
            let version = envelope.version;
            let begun = body.run().map(|run| (StreamId::job(&run.job), run.has_begun()));
            self.put(id.clone(), StreamState { version, body, turn });
            if let Some((job, begun)) = begun {
                self.occupy(&job, id, begun);
            }
        }
        if let Event::RunEvent(run) = event
            && let Some((job, instant)) = crate::run::settled_instant(run)
        {
            // Whole microseconds, as it is stored: or it would be another instant after a restart.
            self.settle(&StreamId::job(job), crate::envelope::to_micros(instant));
        }
    }

    /// Notes that the job's occurrences up to `instant` are accounted for.
    fn settle(&mut self, job: &StreamId, instant: Timestamp) {
        let Some(turn) = self.get(job).map(|state| &state.turn) else { return };
        if turn.settled.is_none_or(|settled| settled < instant) {
            let turn = Turn { settled: Some(instant), busy: turn.busy.clone() };
            self.put_turn(job, turn);
        }
    }

    /// Notes whether `run` is the one of `job` that has begun and not ended.
    fn occupy(&mut self, job: &StreamId, run: &StreamId, begun: bool) {
        let Some(turn) = self.get(job).map(|state| &state.turn) else { return };
        if (turn.busy.as_ref() == Some(run)) != begun {
            let turn = Turn { settled: turn.settled, busy: begun.then(|| run.clone()) };
            self.put_turn(job, turn);
        }
    }
}

/// All streams in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory(pub BTreeMap<StreamId, StreamState>);

impl Streams for Memory {
    fn get(&self, id: &StreamId) -> Option<&StreamState> {
        self.0.get(id)
    }

    fn put(&mut self, id: StreamId, state: StreamState) {
        self.0.insert(id, state);
    }

    fn put_turn(&mut self, job: &StreamId, turn: Turn) {
        if let Some(state) = self.0.get_mut(job) {
            state.turn = turn;
        }
    }
}

fn evolve(
    old: Option<Body>,
    envelope: &Envelope,
    event: &Event,
    received: Timestamp,
) -> Option<Body> {
    let actor = envelope.actor.as_deref();
    let name = envelope.subject.rest();
    match event {
        Event::JobEvent(event) => {
            let job = if let Some(Body::Job(job)) = old { job } else { Job::new(name) };
            Some(Body::Job(job.evolve(event, received, actor)))
        }
        Event::RunEvent(event) => {
            let run = if let Some(Body::Run(run)) = old { Some(*run) } else { None };
            let ctx = Context { received, producer: &envelope.source, actor };
            Run::evolve(run, &envelope.subject, event, ctx).map(|run| Body::Run(Box::new(run)))
        }
        Event::HostEvent(event) => {
            let host = if let Some(Body::Host(host)) = old { host } else { Host::default() };
            Some(Body::Host(evolve_host(host, name, event, received)))
        }
        Event::UserEvent(event) => {
            let user = if let Some(Body::User(user)) = old { user } else { User::default() };
            Some(Body::User(evolve_user(user, name, event)))
        }
        Event::LogEvent(_) => Some(Body::Log),
    }
}

fn evolve_host(mut host: Host, name: &str, event: &HostEvent, received: Timestamp) -> Host {
    name.clone_into(&mut host.name);
    host.since = Some(received);
    match event {
        HostEvent::HostStarted(started) => {
            host.started = Some(started.clone());
            host.up = true;
        }
        HostEvent::HostStopped(_) => host.up = false,
    }
    host
}

fn evolve_user(mut user: User, name: &str, event: &UserEvent) -> User {
    name.clone_into(&mut user.name);
    match event {
        UserEvent::UserCreated(e) => user.roles.clone_from(&e.roles),
        UserEvent::UserTokenIssued(e) => user.tokens.push(e.token),
    }
    user
}

pub(super) fn admit_job(
    body: Option<&Body>,
    envelope: &Envelope,
    event: &JobEvent,
    policy: Policy,
) -> Result<(), String> {
    let nothing = Job::default();
    let job = body.and_then(Body::job).unwrap_or(&nothing);
    let active = job.active().is_some();
    let need = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    match event {
        JobEvent::JobProposed(e) => admit_proposal(job, envelope.subject.rest(), e),
        JobEvent::JobApproved(e) => {
            let proposal = job.proposal.as_ref().ok_or("nothing is proposed")?;
            need(
                (proposal.number, proposal.digest) == (e.number, e.digest),
                "it approves another definition than the one proposed last",
            )?;
            let same = envelope.actor.is_none() || envelope.actor == proposal.by;
            need(policy.self_approval || !same, "nobody approves their own change")
        }
        JobEvent::JobPaused(_) => need(
            active && job.paused().is_none(),
            "only an active job that is not paused can be paused",
        ),
        JobEvent::JobResumed(_) => need(job.paused().is_some(), "the job is not paused"),
        JobEvent::JobRetired(_) => need(active, "the job is not active"),
    }
}

fn admit_proposal(job: &Job, name: &str, proposed: &JobProposed) -> Result<(), String> {
    if proposed.number != job.numbers + 1 {
        return Err(format!("the next definition is number {}", job.numbers + 1));
    }
    let bytes = canonical(&proposed.definition).map_err(|e| e.to_string())?;
    if Digest::of(&bytes) != proposed.digest {
        return Err("the digest is not that of the definition".to_owned());
    }
    let definition: JobDefinition =
        serde_json::from_value(proposed.definition.clone()).map_err(|e| e.to_string())?;
    if definition.name == name {
        Ok(())
    } else {
        Err("the definition is of another job".to_owned())
    }
}

pub(super) fn admit_user(body: Option<&Body>, event: &UserEvent) -> Result<(), String> {
    match (body.and_then(Body::user), event) {
        (None, UserEvent::UserTokenIssued(_)) => Err("there is no such user".to_owned()),
        (Some(_), UserEvent::UserCreated(_)) => Err("the user exists already".to_owned()),
        (None, UserEvent::UserCreated(_)) | (Some(_), UserEvent::UserTokenIssued(_)) => Ok(()),
    }
}

/// A run's name says which job it belongs to, and which occurrence or request it is: so one occurrence cannot
/// run under two names, and a request cannot take an occurrence's place.
pub(super) fn check_run_name(subject: &StreamId, event: &RunEvent) -> Result<(), String> {
    debug_assert_eq!(subject.stream_type(), StreamType::Run);
    let (named, nominal) = match event {
        RunEvent::RunRequested(e) => (&e.job, None),
        RunEvent::RunDue(e) => (&e.job, e.nominal.as_ref()),
        RunEvent::RunSkipped(e) => (&e.job, e.nominal.as_ref()),
        RunEvent::RunMissed(e) => (&e.job, Some(&e.nominal)),
        RunEvent::RunReleased(_)
        | RunEvent::RunStarted(_)
        | RunEvent::RunSucceeded(_)
        | RunEvent::RunFailed(_)
        | RunEvent::RunTimedOut(_)
        | RunEvent::RunCancelRequested(_)
        | RunEvent::RunCancelled(_)
        | RunEvent::RunLost(_)
        | RunEvent::RunRetryScheduled(_)
        | RunEvent::RunResolved(_)
        | RunEvent::RunReported(_) => return Ok(()),
    };
    if subject.run_job() != Some(named) {
        return Err(format!("{subject} is not a run of job {named}"));
    }
    let label = subject.rest().split_once('@').map_or("", |(_, label)| label);
    match nominal {
        None if label.starts_with("request-") => Ok(()),
        None => Err(format!("{subject} is not the name of a request")),
        Some(nominal) if label.parse::<Timestamp>().is_ok_and(|at| at == nominal.at) => Ok(()),
        Some(nominal) => {
            Err(format!("{subject} is not the name of the occurrence at {}", nominal.at))
        }
    }
}
