//! What the recorder accepts, voids and refuses, and what the verifier computes again.
//!
//! A flush is either opened or refused as a whole ([`Ledger::open`]: is it signed by an enrolled
//! producer, and does it continue what that producer said before?). Every event of an opened flush
//! becomes a leaf. [`Ledger::judge`] marks each: valid, or void with the reason, in which case it
//! changes no stream. Void events keep the producer's counter gapless, and who tried is evidence.

mod actors;
mod archive;
mod conditions;
mod continued;
mod definitions;
mod flushes;
mod joining;
mod records;
mod roles;
mod streams;
mod turns;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use actors::{action_needed, job_of, pools_reached};
pub use archive::{Archive, SEGMENT_EVENTS, segment_of};
pub(crate) use conditions::meets as conditions_meet;
pub use continued::{CONTINUED_MAX, Continued};
pub use definitions::{named_by_job, named_by_thing};
pub use flushes::{Opened, Refusal};
pub use joining::{AskedKey, Joining, KeyAnswer, WAITING_MAX};
pub use records::{
    Asked, HOLD_NAME_BYTES_MAX, HOLDS_MAX, LegalHold, OVER_MAX, REDACTIONS_MAX, Records, Redaction,
    WEIGHT_MAX, check_hold_name, payload_hosts,
};
pub(crate) use records::{held_with, is_over_any};
pub use roles::may_state;
pub(crate) use streams::evolve_host;
pub use streams::{Body, Host, INVITED_MS_MAX, Memory, StreamState, Streams, Turn};
pub use turns::units;

use crate::backup;
use crate::canonical::Digest;
use crate::controls::said;
use crate::envelope::{Envelope, Place};
use crate::event::{
    BackupEvent, Event, HostEvent, JobEvent, LogEvent, PrintEvent, ReviewEvent, RunEvent, ThingAct,
    ThingEvent, UserEvent,
};
use crate::ids::{Class, ProducerId, StreamId, StreamType, is_name};
use crate::incident;
use crate::job::{Job, JobDefinition, admit_change};
use crate::keys::PublicKey;
use crate::people;
use crate::print;
use crate::print::admit::Context;
use crate::request;
use crate::review;
use crate::run::Run;
use crate::site::{Thing, ThingKind};

/// How far a producer's clock may be ahead of the recorder's before its occurrences are refused as
/// early. Within it the recorder waits by moving its receive time, which never goes back.
pub const SKEW_MS_MAX: i64 = 2_000;

/// A producer the log knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Producer {
    /// Its key.
    pub key: PublicKey,
    /// Where its sequence stands.
    pub place: Place,
    /// Its key counts no more.
    pub revoked: bool,
    /// Events of it may be lost: the next that it says may leave some out, once.
    pub adrift: bool,
}

/// Rules of the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Policy {
    /// Whether one person may approve their own change.
    pub self_approval: bool,
    /// Whether whoever acts at a console has an account that may.
    #[serde(default)]
    pub accounts: bool,
}

impl Policy {
    /// Whether whoever acts is somebody else than `other`, as far as the site demands that. Who is not named is nobody else.
    pub fn is_another(self, actor: Option<&str>, other: Option<&str>) -> bool {
        self.self_approval || (actor.is_some() && actor != other)
    }
}

/// A rule, and what is said where it does not hold.
pub(crate) fn need(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

/// The longest text that people say of something, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 1_000;

/// A text that people say of something: not empty, and of [`TEXT_BYTES_MAX`] at most.
pub(crate) fn check_text(text: &str, what: &str) -> Result<(), String> {
    let says = !text.trim().is_empty() && text.len() <= TEXT_BYTES_MAX;
    need(says, &format!("{what} of 1 to {TEXT_BYTES_MAX} bytes is needed"))
}

/// What must be known of the log to judge its next event.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// The log's name, once it has one.
    pub origin: Option<String>,
    /// The key that signs heads, as the first event names it.
    pub head_key: Option<String>,
    /// Who may append.
    pub producers: BTreeMap<ProducerId, Producer>,
    /// Rules of the site.
    pub policy: Policy,
    /// How many events the log holds.
    pub size: u64,
    /// When the newest was received.
    pub received: Option<Timestamp>,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "mark")]
pub enum Mark {
    /// It is the next event of its stream.
    Valid,
    /// Another event has its version.
    Conflict {
        /// The stream's version.
        at: u64,
    },
    /// It breaks a rule.
    Refused {
        /// Which.
        reason: String,
    },
}

impl Mark {
    /// The text stored beside a void leaf; `None` for a valid one.
    pub fn void(&self) -> Option<String> {
        match self {
            Self::Valid => None,
            Self::Conflict { at } => Some(format!("conflict: the stream is at version {at}")),
            Self::Refused { reason } => Some(format!("refused: {reason}")),
        }
    }

    /// A reason may quote what the event says, and not every database holds text with the character 0.
    fn refused(reason: impl ToString) -> Self {
        Self::Refused { reason: reason.to_string().replace('\0', "\u{fffd}") }
    }
}

impl Ledger {
    /// The receive time of the next event: the recorder's clock, but never before the newest event,
    /// and not before the occurrence it states where that is at most [`SKEW_MS_MAX`] ahead.
    pub fn receive_time(&self, now: Timestamp, event: &Event) -> Timestamp {
        let mut at = self.received.map_or(now, |last| now.max(last));
        if let Event::RunEvent(run) = event
            && let Some((_, nominal)) = crate::run::settled_instant(run)
            && nominal > at
            && nominal.as_millisecond() - at.as_millisecond() <= SKEW_MS_MAX
        {
            at = nominal;
        }
        crate::envelope::to_micros(at)
    }

    /// Judges the next event, and takes it in: its producer's place always, its stream where it is
    /// valid. The streams named by [`reads`] must be there.
    pub fn judge(
        &mut self,
        streams: &mut impl Streams,
        envelope: &Envelope,
        event: &Event,
        hash: Digest,
        received: Timestamp,
    ) -> Mark {
        let mark = self.mark(streams, envelope, event, received);
        if mark == Mark::Valid {
            self.learn(&envelope.subject, event);
            streams.evolve(envelope, event, received);
        }
        if let Some(producer) = self.producers.get_mut(&envelope.source) {
            producer.place = Place { pseq: envelope.pseq, last: hash };
            producer.adrift = false;
        }
        self.size += 1;
        self.received = Some(received);
        mark
    }

    fn mark(
        &self,
        streams: &impl Streams,
        envelope: &Envelope,
        event: &Event,
        received: Timestamp,
    ) -> Mark {
        if let Err(reason) = roles::check(envelope, event) {
            return Mark::refused(reason);
        }
        if self.producers.get(&envelope.source).is_some_and(|producer| producer.revoked) {
            return Mark::refused(format!("the key of {} was revoked", envelope.source));
        }
        let at = streams.get(&envelope.subject).map_or(0, |stream| stream.version);
        if envelope.version != at + 1 {
            return Mark::Conflict { at };
        }
        match self.admit(streams, envelope, event, received) {
            Ok(()) => Mark::Valid,
            Err(reason) => Mark::refused(reason),
        }
    }

    fn admit(
        &self,
        streams: &impl Streams,
        envelope: &Envelope,
        event: &Event,
        received: Timestamp,
    ) -> Result<(), String> {
        let body = streams.get(&envelope.subject).map(|stream| &stream.body);
        if self.policy.accounts && envelope.source.class() == Class::Console {
            actors::check(streams, envelope, event, received)?;
        }
        match event {
            Event::JobEvent(event) => {
                definitions::admit_job(streams, envelope, event, self.policy, received)
            }
            Event::ThingEvent(event) => {
                definitions::admit_thing(streams, envelope, event, self.policy)
            }
            Event::RunEvent(event) => {
                let run = body.and_then(Body::run);
                admit_run(streams, run, envelope, event, received)
            }
            Event::BackupEvent(event) => {
                self.admit_backup(streams, body, envelope, event, received)
            }
            Event::PrintEvent(event) => {
                continued::check_print(streams, body.and_then(Body::document), event)?;
                let id = &envelope.subject;
                records::check_print(streams, id, body.and_then(Body::document), event)?;
                let context = self.print_context(streams, envelope, event, received);
                print::admit::admit(body.and_then(Body::document), event, &context)
            }
            Event::FormEvent(event) => {
                continued::check_form(streams, body.and_then(Body::form), event)?;
                let document = print::admit::document_of(event);
                let document = document.and_then(|id| streams.get(id));
                let document = document.and_then(|state| state.body.document());
                let context = Context { document, ..self.bare_context(envelope, received) };
                print::admit::admit_of_form(body.and_then(Body::form), event, &context)
            }
            Event::QueueEvent(event) => {
                let context = self.bare_context(envelope, received);
                print::admit::admit_of_queue(body.and_then(Body::queue), event, &context)
            }
            Event::ChangeEvent(event) => {
                let versions = body.and_then(Body::versions).ok_or("there is no such change")?;
                let actor = envelope.actor.as_deref();
                admit_change(versions, event, actor, self.policy, received)
            }
            Event::ReviewEvent(event) => {
                let run = run_of_note(event).and_then(|run| streams.get(run));
                let context = review::Context {
                    id: &envelope.subject,
                    actor: envelope.actor.as_deref(),
                    account: actors::account_of(streams, envelope),
                    run: run.and_then(|state| state.body.run()),
                    policy: self.policy,
                    received,
                    size: self.size,
                };
                review::admit(body.and_then(Body::review), event, &context)
            }
            Event::IncidentEvent(event) => {
                let context = incident::admit::Context {
                    id: &envelope.subject,
                    class: envelope.source.class(),
                    actor: envelope.actor.as_deref(),
                    policy: self.policy,
                    received,
                    find: &|id| streams.get(id).map(|state| &state.body),
                };
                incident::admit::admit(body.and_then(Body::incident), event, &context)
            }
            Event::ControlEvent(event) => {
                let about = said::reads(event).and_then(|id| streams.get(&id));
                let context = said::Context {
                    about: about.map(|state| &state.body),
                    policy: self.policy,
                    received,
                    size: self.size,
                };
                said::admit(envelope, event, &context)
            }
            Event::RecordsEvent(event) => {
                records::check((streams, body), envelope, event, self.policy)
            }
            Event::RequestEvent(event) => {
                let context = request::Context {
                    id: &envelope.subject,
                    actor: envelope.actor.as_deref(),
                    received,
                    size: self.size,
                    find: &|id| streams.get(id).map(|state| &state.body),
                };
                request::admit(body.and_then(Body::request), event, &context)
            }
            Event::HostEvent(event) => {
                let keys = || self.keys_of(envelope.subject.rest());
                // None but the newest does, if any: it takes the others' place.
                let counts = keys().any(|(_, producer)| !producer.revoked);
                streams::admit_host(body, event, (keys().count(), counts), received)
            }
            Event::UserEvent(event) => {
                let context = people::Context {
                    name: envelope.subject.rest(),
                    actor: envelope.actor.as_deref(),
                    policy: self.policy,
                    directory: streams
                        .get(&StreamId::directory())
                        .and_then(|state| state.body.directory()),
                    received,
                };
                people::admit(body.and_then(Body::user), event, &context)
            }
            Event::LogEvent(event) => self.admit_log((streams, body), envelope, event, received),
        }
    }

    fn admit_backup(
        &self,
        streams: &impl Streams,
        body: Option<&Body>,
        envelope: &Envelope,
        event: &BackupEvent,
        received: Timestamp,
    ) -> Result<(), String> {
        let id = backup::admit::run_of(event).map(|(run, _)| run);
        let run = id.and_then(|id| streams.get(id)).and_then(|state| state.body.run());
        let job = id.and_then(StreamId::run_job).map(StreamId::job);
        let job = job.and_then(|id| streams.get(&id)).and_then(|state| state.body.job());
        let context = backup::admit::Context {
            name: envelope.subject.rest(),
            source: &envelope.source,
            actor: envelope.actor.as_deref(),
            run,
            job,
            policy: self.policy,
            received,
        };
        match envelope.subject.stream_type() {
            StreamType::Repository => {
                if body.and_then(Body::repository).is_none() {
                    return Err("there is no such repository".to_owned());
                }
                backup::admit::admit_of_repository(event, &context)
            }
            StreamType::Dataset => {
                backup::admit::admit(body.and_then(Body::dataset), event, &context)
            }
            StreamType::Job
            | StreamType::Run
            | StreamType::Host
            | StreamType::User
            | StreamType::Log
            | StreamType::Calendar
            | StreamType::Blackout
            | StreamType::Lock
            | StreamType::Pool
            | StreamType::Queue
            | StreamType::Form
            | StreamType::Document
            | StreamType::Review
            | StreamType::CallTree
            | StreamType::Measures
            | StreamType::Control
            | StreamType::Request
            | StreamType::Incident => Err("snapshots are spoken of elsewhere".to_owned()),
        }
    }

    fn bare_context<'a>(&self, envelope: &'a Envelope, received: Timestamp) -> Context<'a> {
        Context {
            id: &envelope.subject,
            source: &envelope.source,
            actor: envelope.actor.as_deref(),
            payload: envelope.payload.as_ref(),
            run: None,
            job: None,
            queue: None,
            form: None,
            document: None,
            policy: self.policy,
            received,
        }
    }

    fn print_context<'a>(
        &self,
        streams: &'a impl Streams,
        envelope: &'a Envelope,
        event: &PrintEvent,
        received: Timestamp,
    ) -> Context<'a> {
        let mut context = self.bare_context(envelope, received);
        for id in print::admit::reads(event) {
            match streams.get(&id).map(|state| &state.body) {
                Some(Body::Run(run)) => context.run = Some(run),
                Some(Body::Job(job)) => context.job = Some(job),
                Some(Body::Queue(queue)) => context.queue = Some(queue),
                Some(Body::Form(form)) => context.form = Some(form),
                Some(
                    Body::Host(_)
                    | Body::User(_)
                    | Body::Log
                    | Body::Thing(_)
                    | Body::Dataset(_)
                    | Body::Repository(_)
                    | Body::Document(_)
                    | Body::Review(_)
                    | Body::Incident(_)
                    | Body::Control
                    | Body::Request(_)
                    | Body::Tzdb(_)
                    | Body::Continued(_)
                    | Body::Archive(_)
                    | Body::Joining(_)
                    | Body::Records(_)
                    | Body::Directory(_),
                )
                | None => {}
            }
        }
        context
    }

    fn admit_log(
        &self,
        (streams, body): (&impl Streams, Option<&Body>),
        envelope: &Envelope,
        event: &LogEvent,
        received: Timestamp,
    ) -> Result<(), String> {
        match event {
            LogEvent::LogCreated(_) if self.size > 0 => {
                Err("a log is created once, by its first event".to_owned())
            }
            LogEvent::LogProducerEnrolled(e) => {
                if e.class != e.producer.class() {
                    return Err(format!("{} is not of class {}", e.producer, e.class));
                }
                self.check_new_key(&e.producer, &e.key, &e.ground)?;
                joining::check_enrolled(streams, e)
            }
            LogEvent::LogConfirmationsRequired(e) => joining::check_required(body, e),
            LogEvent::LogProducerAsked(e) => joining::check_asked(self, body, e, received),
            LogEvent::LogProducerConfirmed(e) => joining::check_confirmed(self, body, envelope, e),
            LogEvent::LogProducerDeclined(e) => joining::check_declined(self, body, e),
            LogEvent::LogProducerRevoked(e) => joining::check_revoked(self, envelope, e),
            LogEvent::LogCreated(_)
            | LogEvent::LogHeadSigned(_)
            | LogEvent::LogPolicySet(_)
            | LogEvent::LogJournalCut(_)
            | LogEvent::LogRejected(_) => Ok(()),
            LogEvent::LogExamined(e) => {
                let most = crate::event::WEAKNESSES_MAX;
                need(e.weaknesses.len() <= most, "so many weaknesses are counted")?;
                e.weaknesses.iter().try_for_each(|says| check_text(says, "a weakness"))
            }
            LogEvent::LogContradicted(e) => {
                let most = crate::event::SHOWN_BYTES_MAX;
                let fits = [&e.held, &e.shown].iter().all(|text| text.len() <= most);
                need(fits, "a head that is told of is not that long")?;
                check_text(&e.reason, "what is wrong with it")
            }
            LogEvent::LogContinued(e) => continued::admit(self, body, e),
            LogEvent::LogArchived(e) => archive::admit(self.size, body, e),
            LogEvent::LogAccountsRequired(_) => {
                need(!self.policy.accounts, "accounts are required already")
            }
            LogEvent::LogTzdbChanged(e) => streams::admit_tzdb(body, e),
            LogEvent::LogDirectorySet(e) => {
                e.directory.check()?;
                let known = body.and_then(Body::directory);
                need(known != Some(&e.directory), "that is what its groups may do already")
            }
            LogEvent::LogExported(e) => {
                need(e.from < e.until, "the period that evidence is about has a length")?;
                need(
                    e.control.as_deref().is_none_or(|id| is_name(&id.to_ascii_lowercase())),
                    "a part of the log is about one control",
                )?;
                need(
                    (1..=self.size).contains(&e.size),
                    "evidence holds events, and no more than the log",
                )
            }
        }
    }

    /// Whether a producer of this name may come in with this key, on this ground: it is not there, and a host's next key is new.
    fn check_new_key(&self, producer: &ProducerId, key: &str, ground: &str) -> Result<(), String> {
        let key = PublicKey::from_hex(key).map_err(|error| error.to_string())?;
        match self.producers.get(producer) {
            Some(known) if known.key != key => {
                return Err(format!("{producer} is enrolled with another key"));
            }
            Some(_) => return Err(format!("{producer} is enrolled already")),
            None if producer.generation() == 1 => return Ok(()),
            None => {}
        }
        let keys = || self.keys_of(producer.name());
        let next = keys().count() + 1 == producer.generation() as usize;
        need(next, "a host is let in with its next key")?;
        let before = keys().any(|(_, known)| known.key == key);
        need(!before, "the host had this key before")?;
        need(ground == "invitation", "another key of a host needs an invitation")
    }

    fn learn(&mut self, subject: &StreamId, event: &Event) {
        if let Event::HostEvent(HostEvent::HostRevoked(_)) = event {
            self.revoke(subject.rest());
        }
        let Event::LogEvent(event) = event else { return };
        match event {
            LogEvent::LogCreated(e) => {
                self.origin = Some(e.origin.clone());
                self.head_key = Some(e.head_key.clone());
                self.enrol(&e.producer, &e.key);
            }
            LogEvent::LogProducerEnrolled(e) => {
                if e.class == Class::Executor {
                    self.revoke(e.producer.name());
                }
                self.enrol(&e.producer, &e.key);
            }
            LogEvent::LogProducerRevoked(e) => {
                if let Some(producer) = self.producers.get_mut(&e.producer) {
                    producer.revoked = true;
                }
            }
            LogEvent::LogPolicySet(e) => self.policy.self_approval = e.self_approval,
            LogEvent::LogAccountsRequired(_) => self.policy.accounts = true,
            LogEvent::LogContinued(e) => {
                self.origin = Some(e.origin.clone());
                self.head_key = Some(e.head_key.clone());
                self.producers.values_mut().for_each(|producer| producer.adrift |= e.restored);
            }
            LogEvent::LogHeadSigned(_)
            | LogEvent::LogConfirmationsRequired(_)
            | LogEvent::LogProducerAsked(_)
            | LogEvent::LogProducerConfirmed(_)
            | LogEvent::LogProducerDeclined(_)
            | LogEvent::LogJournalCut(_)
            | LogEvent::LogContradicted(_)
            | LogEvent::LogExamined(_)
            | LogEvent::LogArchived(_)
            | LogEvent::LogRejected(_)
            | LogEvent::LogDirectorySet(_)
            | LogEvent::LogExported(_)
            | LogEvent::LogTzdbChanged(_) => {}
        }
    }

    /// The keys of a host that were let in, one after the other: producers of their own.
    pub fn keys_of(&self, host: &str) -> impl Iterator<Item = (&ProducerId, &Producer)> {
        self.producers.iter().filter(move |(id, _)| id.is_of_host(host))
    }

    fn enrol(&mut self, producer: &ProducerId, key: &str) {
        if let Ok(key) = PublicKey::from_hex(key) {
            let new = Producer { key, place: Place::default(), revoked: false, adrift: false };
            self.producers.insert(producer.clone(), new);
        }
    }

    /// No key that a host has had until now counts any more.
    fn revoke(&mut self, host: &str) {
        let own = self.producers.iter_mut().filter(|(id, _)| id.is_of_host(host));
        own.for_each(|(_, producer)| producer.revoked = true);
    }
}

/// The run that a note of a review is about.
fn run_of_note(event: &ReviewEvent) -> Option<&StreamId> {
    match event {
        ReviewEvent::ReviewNoted(e) => Some(&e.run),
        ReviewEvent::ReviewSigned(_) | ReviewEvent::ReviewAccessSigned(_) => None,
    }
}

fn admit_run(
    streams: &impl Streams,
    run: Option<&Run>,
    envelope: &Envelope,
    event: &RunEvent,
    received: Timestamp,
) -> Result<(), String> {
    let subject = &envelope.subject;
    let state = subject.run_job().and_then(|job| streams.get(&StreamId::job(job)));
    let (nothing, no_job) = (Turn::default(), Job::default());
    let turn = state.map_or(&nothing, |state| &state.turn);
    let job = state.and_then(|state| state.body.job());
    streams::check_run_name(subject, event, run.is_none())?;
    turns::check_not_busy(turn, run, subject, event)?;
    if !run.is_some_and(turns::is_first_of_host) {
        turns::check_not_leased(job.unwrap_or(&no_job), event, received)?;
    }
    continued::check_run(streams, job.unwrap_or(&no_job), run, event, &envelope.source)?;
    turns::check_locks(streams, run, event)?;
    conditions::check(streams, run, envelope, event)?;
    crate::run::admit(run, job, event, &envelope.source, received)
        .map_err(|illegal| illegal.to_string())?;
    // What has begun is no longer about when: only a first event states an occurrence.
    if run.is_some() {
        return Ok(());
    }
    let job = job.unwrap_or(&no_job);
    conditions::check_calendars(streams, job, event)?;
    let lost = continued::known(streams).and_then(|continued| continued.lost);
    turns::check_order(turn, job, event, &envelope.source, lost)
}

/// The streams that must be at hand to judge an event, as far as the event itself tells.
pub fn reads(envelope: &Envelope, event: &Event) -> BTreeSet<StreamId> {
    let subject = &envelope.subject;
    let mut ids = BTreeSet::from([subject.clone()]);
    ids.extend(subject.run_job().map(StreamId::job));
    ids.extend(actors::reads(envelope));
    match event {
        Event::RunEvent(event) => {
            ids.extend(conditions::reads(envelope, event));
            ids.extend(continued::reads_of_run(event));
        }
        Event::JobEvent(JobEvent::JobProposed(e)) => {
            let definition: Option<JobDefinition> =
                serde_json::from_value(e.definition.clone()).ok();
            ids.extend(definition.iter().flat_map(named_by_job));
        }
        Event::ThingEvent(ThingEvent { of, act: ThingAct::Proposed(e) }) => {
            let thing = Thing::read(*of, &e.definition).ok();
            ids.extend(thing.iter().flat_map(named_by_thing));
        }
        Event::BackupEvent(event) => {
            if let Some((run, _)) = backup::admit::run_of(event) {
                ids.insert(run.clone());
                ids.extend(run.run_job().map(StreamId::job));
            }
        }
        Event::PrintEvent(event) => {
            ids.extend(print::admit::reads(event));
            ids.extend(continued::reads_of_print(event));
            ids.extend(records::reads_of_print(event));
        }
        Event::FormEvent(event) => {
            ids.extend(print::admit::document_of(event).cloned());
            ids.extend(continued::reads_of_form(event));
        }
        Event::ReviewEvent(event) => ids.extend(run_of_note(event).cloned()),
        Event::IncidentEvent(event) => ids.extend(incident::admit::reads(subject, event)),
        Event::ControlEvent(event) => ids.extend(said::reads(event)),
        Event::RequestEvent(event) => ids.extend(request::reads(subject, event)),
        Event::UserEvent(UserEvent::UserIdentitySet(_) | UserEvent::UserDirectorySaid(_)) => {
            ids.insert(StreamId::directory());
        }
        Event::LogEvent(event) => ids.extend(joining::reads(event)),
        Event::RecordsEvent(event) => ids.extend(records::reads(event)),
        Event::JobEvent(_)
        | Event::ThingEvent(_)
        | Event::HostEvent(_)
        | Event::UserEvent(_)
        | Event::QueueEvent(_)
        | Event::ChangeEvent(_) => {}
    }
    ids
}

/// The further streams that must be at hand because of what a stream says that is: the locks and parts of a run, and
/// what a definition names. Asked again of what these bring, until nothing is new.
pub fn reads_further(state: &StreamState) -> BTreeSet<StreamId> {
    match &state.body {
        Body::Run(run) => {
            let parts = run.parts.iter().map(|host| run.id.part_on(host));
            conditions::locks(&run.terms).chain(parts).chain(run.part_of.clone()).collect()
        }
        Body::Job(job) => {
            let proposal = job.versions.proposal.as_ref();
            let definition: Option<JobDefinition> =
                proposal.and_then(|p| serde_json::from_str(p.definition.get()).ok());
            definition.iter().flat_map(named_by_job).collect()
        }
        Body::Thing(_)
        | Body::Dataset(_)
        | Body::Repository(_)
        | Body::Queue(_)
        | Body::Form(_) => {
            let Some(thing) = state.body.thing() else { return BTreeSet::new() };
            let proposal = thing.versions.proposal.iter().map(|p| &p.definition);
            let newest = thing.newest().into_iter().map(|span| &span.definition);
            let values =
                proposal.chain(newest).filter_map(|text| serde_json::from_str(text.get()).ok());
            // Whichever of the kinds it can be read as: its stream is not at hand here.
            let read = |value: serde_json::Value| {
                let kinds = ThingKind::ALL.into_iter();
                kinds.filter_map(move |kind| Thing::read(kind, &value).ok()).next()
            };
            values.filter_map(read).flat_map(|thing| named_by_thing(&thing)).collect()
        }
        Body::Host(_)
        | Body::User(_)
        | Body::Log
        | Body::Tzdb(_)
        | Body::Continued(_)
        | Body::Archive(_)
        | Body::Joining(_)
        | Body::Records(_)
        | Body::Directory(_)
        | Body::Review(_)
        | Body::Incident(_)
        | Body::Control
        | Body::Request(_)
        | Body::Document(_) => BTreeSet::new(),
    }
}
