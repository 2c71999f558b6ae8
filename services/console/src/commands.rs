//! What people want, said in the log. Each reads where a stream stands, says the next event, and tries
//! again when somebody else was faster; whether it is allowed the recorder decides by the rules of `domain`. Whether the caller
//! may at all is asked first: whoever may not is told nothing of what there is and how it stands.

mod audit_requests;
mod changes;
mod controls;
mod datasets;
mod exports;
mod hosts;
mod incidents;
mod keys;
mod looking;
mod occurrences;
mod people;
mod prints;
mod records;
mod requests;
mod runs;

use bus::recorder::{AskError, ask, each_stream, stream};
use domain::canonical::{Digest, canonical};
use domain::envelope::{Draft, ENVELOPE_BYTES_MAX};
use domain::event::{
    Event, JobApproved, JobLeaseReturned, JobPaused, JobProposed, JobResumed, JobRetired, ThingAct,
    ThingApproved, ThingEvent, ThingProposed, ThingRetired,
};
use domain::forecast::SiteView;
use domain::ids::{StreamId, StreamType};
use domain::job::{Definition, Job, Versions};
use domain::ledger::{Body, Mark, Policy, StreamState};
use domain::people::Action;
use domain::wire::{Content, Query, Selection, StreamView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use audit_requests::{LISTED, RequestAct, RequestWanted, listed_by};
pub(crate) use changes::{ChangeAct, Proposed};
pub(crate) use controls::{DisposeWanted, SignControl};
pub(crate) use datasets::DatasetAct;
pub(crate) use hosts::HostAct;
pub use hosts::Invitation;
pub(crate) use incidents::{IncidentAct, IncidentWanted, active_tree, almanac_of};
pub use keys::WaitingKey;
pub(crate) use looking::Eyes;
pub(crate) use occurrences::OccurrenceAct;
pub use people::Once;
pub(crate) use people::{FilterWanted, TokenWanted, UserAct};
pub(crate) use prints::{DocumentAct, FormAct, QueueAct, check_number, document_of};
pub(crate) use records::{HoldAct, RedactionAct};
pub(crate) use requests::{Wish, drawn};
pub(crate) use runs::RunAct;

use crate::people::Caller;
use crate::state::Console;

/// Why a command did not become an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// What it is about does not exist.
    #[error("there is no {0}")]
    NotFound(String),
    /// It does not make sense.
    #[error("{0}")]
    Invalid(String),
    /// They may not.
    #[error("{0}")]
    Denied(String),
    /// What it is about is not as whoever asks has read it.
    #[error("{0}")]
    Moved(String),
    /// A rule says no.
    #[error("refused: {0}")]
    Refused(String),
    /// The recorder cannot be reached.
    #[error("the recorder cannot be reached: {0}")]
    Unavailable(String),
    /// What is needed for it is not known here yet.
    #[error("{0}")]
    NotYet(String),
    /// A host that has to be asked does not answer, or cannot.
    #[error("{0}")]
    Host(String),
}

impl CommandError {
    /// The recorder cannot be reached, or not understood.
    pub(crate) fn unavailable(error: impl std::fmt::Display) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// What a command became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Applied {
    /// Position of its last event: what is read at or after it shows the change.
    pub position: u64,
    /// The stream it changed.
    #[schema(value_type = String)]
    pub stream: StreamId,
    /// One sentence.
    pub message: String,
}

/// How often a command tries again when others are faster.
const TRIES: usize = 8;
/// Longest reason, in bytes.
const REASON_BYTES: usize = 1_000;

/// What an event has beside its body.
const AROUND_BYTES: usize = 1024;

/// Whether what is to be said fits into an event, written as it will be: characters that are escaped take up to six bytes.
fn fits(draft: &Draft) -> Result<(), CommandError> {
    let invalid = |error: serde_json::Error| CommandError::Invalid(error.to_string());
    let body = canonical(&draft.event.body().map_err(invalid)?).map_err(invalid)?;
    let most = ENVELOPE_BYTES_MAX - AROUND_BYTES;
    if body.len() <= most {
        return Ok(());
    }
    let kind = draft.event.kind();
    Err(CommandError::Invalid(format!(
        "{kind} would have {} bytes, and an event has at most {most}: say it shorter",
        body.len()
    )))
}

/// Whether a reason is one.
pub(crate) fn check_reason(reason: &str) -> Result<(), CommandError> {
    if reason.trim().is_empty() || reason.len() > REASON_BYTES {
        return Err(CommandError::Invalid(format!(
            "a reason of 1 to {REASON_BYTES} bytes is needed"
        )));
    }
    Ok(())
}

impl Console {
    /// A stream as the log has it.
    pub(crate) async fn state(&self, id: &StreamId) -> Result<Option<StreamState>, CommandError> {
        stream(&self.bus, id).await.map_err(CommandError::unavailable)
    }

    /// Says one thing of a stream, whatever stands in it; at which position.
    pub(crate) async fn say_of(
        &self,
        id: &StreamId,
        caller: &Caller,
        event: Event,
    ) -> Result<u64, CommandError> {
        let next = |_: Option<&StreamState>| Ok(vec![event.clone()]);
        Ok(self.change(id, caller, next).await?.unwrap_or_default())
    }

    /// Says one thing of a stream that nobody is asked leave for: what the console says itself, or of who comes in.
    pub(crate) async fn say_freely(
        &self,
        id: &StreamId,
        actor: Option<&str>,
        event: Event,
    ) -> Result<u64, CommandError> {
        for _ in 0..TRIES {
            let state = self.state(id).await?;
            match self.say_after(id, state.as_ref(), actor, vec![event.clone()]).await? {
                (_, Mark::Conflict { .. }) => {}
                (_, Mark::Refused { reason }) => return Err(CommandError::Refused(reason)),
                (position, Mark::Valid) => return Ok(position),
            }
        }
        Err(CommandError::Unavailable(format!("{id} changes too fast; try again")))
    }

    /// What a question finds, newest first, at most `limit` of it, and the position of the first answer. `query` asks for what comes
    /// after the last that was found, and for how many more: an answer of the recorder is cut where it would be too long, and only
    /// none means that there are no more.
    async fn newest_first<T: Clone>(
        &self,
        limit: u32,
        query: impl Fn(Option<&T>, u32) -> Query,
        read: impl Fn(&Body) -> Option<&T>,
    ) -> Result<(u64, Vec<T>), CommandError> {
        let (mut position, mut found, mut left) = (None, Vec::new(), limit);
        loop {
            let query = query(found.last(), left);
            let answer = ask(&self.bus, &query).await.map_err(CommandError::unavailable)?;
            let Content::Streams(views) = answer.content else {
                return Err(CommandError::unavailable("the answer is to another question"));
            };
            let first = *position.get_or_insert(answer.position);
            found.extend(views.iter().filter_map(|view| read(&view.state.body).cloned()));
            left = left.saturating_sub(u32::try_from(views.len()).unwrap_or(u32::MAX));
            if views.is_empty() || found.is_empty() || left == 0 {
                return Ok((first, found));
            }
        }
    }

    /// What schedules refer to: calendars, blackouts and all else that is defined beside jobs; and at which position.
    pub(crate) async fn site_view(&self) -> Result<(u64, SiteView), AskError> {
        let mut things = Vec::new();
        let take = |view: StreamView| {
            if let (Some(kind), Body::Thing(thing)) =
                (view.id.stream_type().thing(), view.state.body)
            {
                things.push((kind, thing));
            }
        };
        let position = each_stream(&self.bus, Selection::Things, take).await?;
        Ok((position, SiteView::of(things.iter().map(|(kind, thing)| (*kind, thing)))))
    }

    /// Rules of the site, as the log has them.
    pub(crate) async fn policy(&self) -> Result<Policy, CommandError> {
        let answer = ask(&self.bus, &Query::Head).await.map_err(CommandError::unavailable)?;
        let Content::Head(head) = answer.content else {
            return Err(CommandError::unavailable("the answer is to another question"));
        };
        Ok(head.policy)
    }

    /// Says what `next` makes of the stream as it stands; `Ok(None)` from it means that there is nothing
    /// to say.
    async fn change(
        &self,
        id: &StreamId,
        caller: &Caller,
        mut next: impl FnMut(Option<&StreamState>) -> Result<Vec<Event>, CommandError>,
    ) -> Result<Option<u64>, CommandError> {
        for _ in 0..TRIES {
            let state = self.state(id).await?;
            // What is said follows on this very version, or is void: nobody comes between.
            check_expected(id, state.as_ref(), caller)?;
            let events = next(state.as_ref())?;
            if events.is_empty() {
                return Ok(None);
            }
            let body = state.as_ref().map(|state| &state.body);
            for event in &events {
                caller.may_say(self, event, body, id).await?;
            }
            match self.say_after(id, state.as_ref(), Some(&caller.actor()), events).await? {
                (_, Mark::Conflict { .. }) => {}
                (_, Mark::Refused { reason }) => return Err(CommandError::Refused(reason)),
                (position, Mark::Valid) => return Ok(Some(position)),
            }
        }
        Err(CommandError::Unavailable(format!("{id} changes too fast; try again")))
    }

    /// Says events as the next of a stream that stands so.
    async fn say_after(
        &self,
        id: &StreamId,
        state: Option<&StreamState>,
        actor: Option<&str>,
        events: Vec<Event>,
    ) -> Result<(u64, Mark), CommandError> {
        let version = state.map_or(0, |state| state.version);
        let drafts = events.into_iter().zip(version + 1..);
        let drafts =
            drafts.map(|(event, version)| Draft::new(id.clone(), version, event).by(actor));
        self.say(drafts.collect()).await
    }

    /// Says drafts; the mark is that of the first void one, or valid.
    async fn say(&self, drafts: Vec<Draft>) -> Result<(u64, Mark), CommandError> {
        drafts.iter().try_for_each(fits)?;
        let receipt = self.outbox.append(drafts).await.map_err(CommandError::unavailable)?;
        let verdicts = receipt.committed().await.map_err(CommandError::unavailable)?;
        let position = verdicts.last().map_or(0, |verdict| verdict.position);
        let void =
            verdicts.into_iter().map(|verdict| verdict.mark).find(|mark| *mark != Mark::Valid);
        Ok((position, void.unwrap_or(Mark::Valid)))
    }

    /// Proposes a definition, and makes it active where the site lets one person do both.
    pub(crate) async fn apply(
        &self,
        definition: &Definition,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        check_reason(reason)?;
        let problems: Vec<String> = definition.problems().iter().map(ToString::to_string).collect();
        if !problems.is_empty() {
            return Err(CommandError::Invalid(problems.join("; ")));
        }
        caller.may_propose(self, definition).await?;
        let id = definition.stream();
        let bad = |error: serde_json::Error| CommandError::Invalid(error.to_string());
        let (digest, value) = match definition {
            Definition::Job(job) => {
                (job.digest().map_err(bad)?, serde_json::to_value(job).map_err(bad)?)
            }
            Definition::Thing(thing) => (thing.digest().map_err(bad)?, thing.value().map_err(bad)?),
        };
        let mut same = false;
        let propose = |state: Option<&StreamState>| {
            let nothing = Versions::default();
            let versions = state.and_then(|state| state.body.versions()).unwrap_or(&nothing);
            same = versions.active().is_some_and(|active| active.digest == digest);
            let waits = versions.proposal.as_ref().is_some_and(|p| p.digest == digest);
            if same || waits {
                return Ok(Vec::new());
            }
            let number = versions.numbers + 1;
            let (definition, reason) = (value.clone(), reason.to_owned());
            Ok(vec![match id.stream_type().thing() {
                None => JobProposed { number, digest, definition, reason }.into(),
                Some(of) => {
                    let proposed = ThingProposed { number, digest, definition, reason };
                    ThingEvent { of, act: ThingAct::Proposed(proposed) }.into()
                }
            }])
        };
        let proposed = self.change(&id, caller, propose).await?;
        let caller = &caller.after(u64::from(proposed.is_some()));
        if same {
            // What waits there is something else, and nobody says yes to it by this.
            return Ok(unchanged(id));
        }
        let waits = |id: StreamId, why: &dyn std::fmt::Display| Applied {
            position: proposed.unwrap_or(0),
            stream: id,
            message: format!("proposed; it waits for approval by somebody else ({why})"),
        };
        // Whoever proposes and may not approve has tried nothing that they may not.
        if let Err(denial) = caller.allowed(self, Action::Approve, Some(&id)).await? {
            return Ok(waits(id, &denial));
        }
        // What is refused anyway is not tried: it would stand in the log.
        if proposed.is_some() && !self.policy().await?.self_approval {
            return Ok(waits(id, &"refused: nobody approves their own change"));
        }
        match self.approve(&id, caller).await {
            Ok(applied) => Ok(applied),
            Err(CommandError::Refused(reason)) if reason.contains("their own change") => {
                Ok(waits(id, &format!("refused: {reason}")))
            }
            // Somebody spoke after the proposal, which stands.
            Err(CommandError::Moved(why)) if proposed.is_some() => Ok(waits(id, &why)),
            Err(CommandError::Invalid(_)) => Ok(unchanged(id)),
            Err(error) => Err(error),
        }
    }

    /// What cannot wait, its author makes active themselves.
    async fn action_of_approval(
        &self,
        id: &StreamId,
        caller: &Caller,
    ) -> Result<Action, CommandError> {
        let state = self.state(id).await?;
        let versions = state.as_ref().and_then(|state| state.body.versions());
        let actor = caller.actor();
        let expedited = versions.is_some_and(|versions| versions.is_expedited_by(Some(&actor)));
        Ok(if expedited { Action::Expedite } else { Action::Approve })
    }

    /// Makes the proposed definition the active one.
    pub(crate) async fn approve(
        &self,
        id: &StreamId,
        caller: &Caller,
    ) -> Result<Applied, CommandError> {
        caller.may(self, self.action_of_approval(id, caller).await?, Some(id)).await?;
        let approve = |state: Option<&StreamState>| {
            let versions = state.and_then(|state| state.body.versions());
            let versions = versions.ok_or_else(|| CommandError::NotFound(named(id)))?;
            let proposal = versions.proposal.as_ref().ok_or_else(|| {
                CommandError::Invalid(format!(
                    "{} has no proposal that waits for approval",
                    named(id)
                ))
            })?;
            Ok(vec![approved(id, proposal.number, proposal.digest)])
        };
        let position = self.change(id, caller, approve).await?;
        Ok(applied(position, id.clone(), "active"))
    }

    /// No new job may name a thing any more.
    pub(crate) async fn retire_thing(
        &self,
        id: &StreamId,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        check_reason(reason)?;
        caller.may(self, Action::Propose, Some(id)).await?;
        self.is_called_by_nobody(id).await?;
        let retire = |state: Option<&StreamState>| {
            let of = id.stream_type().thing().filter(|_| state.is_some());
            let of = of.ok_or_else(|| CommandError::NotFound(named(id)))?;
            let act = ThingAct::Retired(ThingRetired { reason: reason.to_owned() });
            Ok(vec![ThingEvent { of, act }.into()])
        };
        let position = self.change(id, caller, retire).await?;
        Ok(applied(position, id.clone(), "retired"))
    }

    /// A call tree that jobs name is whom their failures reach: it is not retired under them.
    async fn is_called_by_nobody(&self, id: &StreamId) -> Result<(), CommandError> {
        if id.stream_type() != StreamType::CallTree {
            return Ok(());
        }
        let mut named = Vec::new();
        let take = |view: StreamView| {
            let active = view.state.body.job().and_then(Job::active);
            let definition = active.and_then(|span| span.read().ok());
            let tree = definition.and_then(|one| one.on_failure.call_tree);
            if tree.as_deref() == Some(id.rest()) {
                named.push(view.id.rest().to_owned());
            }
        };
        each_stream(&self.bus, Selection::Jobs, take).await.map_err(CommandError::unavailable)?;
        if named.is_empty() {
            return Ok(());
        }
        let (count, first) = (named.len(), named.first().cloned().unwrap_or_default());
        Err(CommandError::Refused(format!(
            "{count} active jobs name the call tree {}, {first} first: give them another before it is retired",
            id.rest()
        )))
    }

    /// Pauses, resumes or retires a job.
    pub(crate) async fn set_job(
        &self,
        name: &str,
        act: JobAct,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        check_reason(reason)?;
        let id = StreamId::job(name);
        caller.may(self, act.action(), Some(&id)).await?;
        let next = |state: Option<&StreamState>| {
            let job = known_job(name, state)?;
            let turn = state.map(|state| state.turn.clone()).unwrap_or_default();
            let reason = reason.to_owned();
            Ok(vec![match act {
                JobAct::Pause => JobPaused { reason }.into(),
                JobAct::Resume => JobResumed { reason }.into(),
                JobAct::Retire => JobRetired { reason }.into(),
                JobAct::Reclaim => {
                    let until = job.reclaimed_from(&turn).ok_or_else(|| {
                        CommandError::Refused(format!("no host has leave to decide job {name}"))
                    })?;
                    JobLeaseReturned { until, reason }.into()
                }
            }])
        };
        let position = self.change(&id, caller, next).await?;
        Ok(applied(position, id, act.done()))
    }
}

/// What can be done with a job.
#[derive(Debug, Clone, Copy)]
pub(crate) enum JobAct {
    Pause,
    Resume,
    Retire,
    Reclaim,
}

impl JobAct {
    fn action(self) -> Action {
        match self {
            Self::Pause | Self::Resume | Self::Reclaim => Action::SteerJobs,
            Self::Retire => Action::Propose,
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Pause => "paused: its occurrences are skipped from now on",
            Self::Resume => "resumed",
            Self::Retire => "retired",
            Self::Reclaim => "taken back from its host: the centre decides what is not decided",
        }
    }
}

/// A definition that waits becomes the active one.
fn approved(id: &StreamId, number: u32, digest: Digest) -> Event {
    match id.stream_type().thing() {
        None => JobApproved { number, digest }.into(),
        Some(of) => {
            let act = ThingAct::Approved(ThingApproved { number, digest });
            ThingEvent { of, act }.into()
        }
    }
}

/// Refuses what is about another version than the one there is.
fn check_expected(
    id: &StreamId,
    state: Option<&StreamState>,
    caller: &Caller,
) -> Result<(), CommandError> {
    let version = state.map_or(0, |state| state.version);
    if caller.expected.holds(version) {
        return Ok(());
    }
    let stands = match version {
        0 => "is not there".to_owned(),
        version => format!("is at version {version}"),
    };
    Err(CommandError::Moved(format!(
        "{} {stands}, and If-Match means another: read it again, and look at what has changed",
        named(id)
    )))
}

fn named(id: &StreamId) -> String {
    format!("{} {}", id.stream_type().word(), id.rest())
}

fn known_job<'a>(name: &str, state: Option<&'a StreamState>) -> Result<&'a Job, CommandError> {
    let job = state.and_then(|state| state.body.job());
    job.ok_or_else(|| CommandError::NotFound(format!("job {name}")))
}

pub(crate) fn applied(
    position: Option<u64>,
    stream: StreamId,
    message: impl Into<String>,
) -> Applied {
    match position {
        Some(position) => Applied { position, stream, message: message.into() },
        None => unchanged(stream),
    }
}

fn unchanged(stream: StreamId) -> Applied {
    Applied { position: 0, stream, message: "nothing to change".to_owned() }
}
