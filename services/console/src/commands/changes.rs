//! Changes: what people say of a definition that was proposed, and what was active before.

use domain::effect::Effect;
use domain::event::{
    ChangeCommented, ChangeEvent, ChangeExpedited, ChangeRatified, ChangeRejected, ChangeWithdrawn,
    Event, JobProposed, ThingAct, ThingEvent, ThingProposed,
};
use domain::ids::StreamId;
use domain::job::{
    ChangeOutcome, ChangeRequest, Job, JobDefinition, Versions, difference, thing_difference,
};
use domain::ledger::{Body, StreamState};
use domain::people::Action;
use domain::site::Thing;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Applied, CommandError, applied, check_reason, named};
use crate::people::Caller;
use crate::state::Console;

/// Within how many hours somebody else looks at an emergency when nothing else is said.
const HOURS: u32 = 24;

/// What can be said of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "act", deny_unknown_fields)]
pub(crate) enum ChangeAct {
    /// It becomes the active definition.
    Approve {
        /// Number of the definition: what is approved is what was shown.
        number: u32,
    },
    /// Somebody else does not want it; or objects to an emergency.
    Reject {
        /// Number of the definition.
        number: u32,
    },
    /// Whoever proposed it does not want it any more.
    Withdraw {
        /// Number of the definition.
        number: u32,
    },
    /// Says something of it: the reason is the comment.
    Comment {
        /// Number of the definition.
        number: u32,
    },
    /// It cannot wait: it becomes active now, and somebody else looks at it afterwards.
    Expedite {
        /// Number of the definition.
        number: u32,
        /// Within how many hours; 24 when absent, 168 at most.
        #[serde(default)]
        hours: Option<u32>,
    },
    /// Says that an emergency was right.
    Ratify {
        /// Number of the definition.
        number: u32,
    },
    /// Proposes once more what was active before.
    Revert {
        /// Number of that definition.
        to: u32,
    },
}

impl ChangeAct {
    fn done(&self) -> &'static str {
        match self {
            Self::Approve { .. } => "active",
            Self::Reject { .. } => "rejected",
            Self::Withdraw { .. } => "withdrawn",
            Self::Comment { .. } => "said",
            Self::Expedite { .. } => "active: somebody else has to look at it",
            Self::Ratify { .. } => "looked at",
            Self::Revert { .. } => "proposed; it waits for approval",
        }
    }

    fn action(&self) -> Action {
        match self {
            Self::Approve { .. } | Self::Reject { .. } | Self::Ratify { .. } => Action::Approve,
            Self::Withdraw { .. } | Self::Revert { .. } => Action::Propose,
            Self::Comment { .. } => Action::CommentChanges,
            Self::Expedite { .. } => Action::Expedite,
        }
    }

    fn number(&self) -> u32 {
        match self {
            Self::Approve { number }
            | Self::Reject { number }
            | Self::Withdraw { number }
            | Self::Comment { number }
            | Self::Expedite { number, .. }
            | Self::Ratify { number } => *number,
            Self::Revert { to } => *to,
        }
    }
}

impl Console {
    /// Says something of a change.
    pub(crate) async fn set_change(
        &self,
        id: &StreamId,
        act: &ChangeAct,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        if !matches!(act, ChangeAct::Approve { .. }) {
            check_reason(reason)?;
        }
        let action = if matches!(act, ChangeAct::Approve { .. }) {
            self.action_of_approval(id, caller).await?
        } else {
            act.action()
        };
        caller.may(self, action, Some(id)).await?;
        let now = (self.clock)();
        let next = |state: Option<&StreamState>| {
            let versions = state.and_then(|state| state.body.versions());
            let versions = versions.ok_or_else(|| CommandError::NotFound(named(id)))?;
            event_of(id, versions, act, reason, now).map(|event| vec![event])
        };
        let position = self.change(id, caller, next).await?;
        if matches!(act, ChangeAct::Expedite { .. }) {
            let caller = caller.after(u64::from(position.is_some()));
            return self.approve(id, &caller).await;
        }
        Ok(applied(position, id.clone(), act.done()))
    }
}

fn event_of(
    id: &StreamId,
    versions: &Versions,
    act: &ChangeAct,
    reason: &str,
    now: jiff::Timestamp,
) -> Result<Event, CommandError> {
    let number = act.number();
    let missing = || CommandError::NotFound(format!("change {number} of {}", named(id)));
    if let ChangeAct::Revert { to } = act {
        return reverted(id, versions, *to, reason);
    }
    let request: &ChangeRequest = versions.request(number).ok_or_else(missing)?;
    let (digest, reason) = (request.digest, reason.to_owned());
    Ok(match act {
        ChangeAct::Approve { .. } | ChangeAct::Revert { .. } => super::approved(id, number, digest),
        ChangeAct::Reject { .. } => {
            ChangeEvent::ChangeRejected(ChangeRejected { number, digest, reason }).into()
        }
        ChangeAct::Withdraw { .. } => {
            ChangeEvent::ChangeWithdrawn(ChangeWithdrawn { number, reason }).into()
        }
        ChangeAct::Comment { .. } => {
            ChangeEvent::ChangeCommented(ChangeCommented { number, text: reason }).into()
        }
        ChangeAct::Expedite { hours, .. } => {
            let hours = i64::from(hours.unwrap_or(HOURS).min(10_000));
            let until = now + SignedDuration::from_hours(hours);
            let expedited = ChangeExpedited { number, digest, reason, until };
            ChangeEvent::ChangeExpedited(expedited).into()
        }
        ChangeAct::Ratify { .. } => {
            ChangeEvent::ChangeRatified(ChangeRatified { number, digest, reason }).into()
        }
    })
}

/// What was active before, as the next definition.
fn reverted(
    id: &StreamId,
    versions: &Versions,
    to: u32,
    reason: &str,
) -> Result<Event, CommandError> {
    let span = versions.spans.iter().find(|span| span.number == to);
    let span = span.ok_or_else(|| {
        CommandError::NotFound(format!("definition {to} of {} that was active", named(id)))
    })?;
    if versions.active().is_some_and(|active| active.digest == span.digest) {
        return Err(CommandError::Invalid(format!("definition {to} is what is active")));
    }
    let definition = serde_json::from_str(span.definition.get())
        .map_err(|error| CommandError::Invalid(error.to_string()))?;
    let (number, digest, reason) = (versions.numbers + 1, span.digest, reason.to_owned());
    Ok(match id.stream_type().thing() {
        None => JobProposed { number, digest, definition, reason }.into(),
        Some(of) => {
            let proposed = ThingProposed { number, digest, definition, reason };
            ThingEvent { of, act: ThingAct::Proposed(proposed) }.into()
        }
    })
}

/// A change that waits, and what it would do.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Proposed {
    /// The change.
    #[schema(value_type = Object)]
    pub(crate) request: ChangeRequest,
    /// Fields that differ from what is active: name, active value, new value.
    #[schema(value_type = Object)]
    pub(crate) fields: Vec<(String, Value, Value)>,
    /// Its schedule in words, where it is a job.
    pub(crate) schedule: Option<String>,
    /// What it does to occurrences, where it is a job; or why that cannot be told.
    #[schema(value_type = Object)]
    pub(crate) effect: Option<Result<Effect, String>>,
    /// The definition as YAML.
    pub(crate) yaml: String,
}

impl Console {
    /// The change of something that waits, or the newest one in an emergency.
    pub(crate) async fn proposed(&self, id: &StreamId) -> Result<Proposed, CommandError> {
        let state = self.state(id).await?;
        let body = state.as_ref().map(|state| &state.body);
        let versions = body.and_then(Body::versions);
        let versions = versions.ok_or_else(|| CommandError::NotFound(named(id)))?;
        let waits =
            |one: &&ChangeRequest| one.outcome == ChangeOutcome::Open || one.waits_for_a_look();
        let request = versions.requests.iter().rev().find(waits).cloned();
        let request = request
            .ok_or_else(|| CommandError::NotFound(format!("change of {} that waits", named(id))))?;
        let (before, text) = around(versions, request.number);
        let text =
            text.ok_or_else(|| CommandError::NotFound(format!("definition of {}", named(id))))?;
        match id.stream_type().thing() {
            None => self.proposed_job(id, body.and_then(Body::job), request, before, text).await,
            Some(kind) => {
                let read = |text: &str| {
                    let value: Value = serde_json::from_str(text).map_err(invalid)?;
                    Thing::read(kind, &value).map_err(invalid)
                };
                let (old, new) = (before.map(read).transpose()?, read(text)?);
                let fields = thing_difference(old.as_ref(), &new).fields;
                let yaml = domain::job::thing_to_yaml(&new).map_err(invalid)?;
                Ok(Proposed { request, fields, schedule: None, effect: None, yaml })
            }
        }
    }

    async fn proposed_job(
        &self,
        id: &StreamId,
        job: Option<&Job>,
        request: ChangeRequest,
        before: Option<&str>,
        text: &str,
    ) -> Result<Proposed, CommandError> {
        let job = job.ok_or_else(|| CommandError::NotFound(named(id)))?;
        let read = |text: &str| serde_json::from_str::<JobDefinition>(text).map_err(invalid);
        let (old, new) = (before.map(read).transpose()?, read(text)?);
        let (_, site) = self.site_view().await.map_err(CommandError::unavailable)?;
        let now = (self.clock)();
        let effect = Some(domain::effect::effect(job, old.as_ref(), &new, now, &site));
        let schedule = new.schedule_at(now, &site.calendars).map(|schedule| match schedule {
            Ok(schedule) => schedule.describe(),
            Err(error) => error.to_string(),
        });
        let fields = difference(old.as_ref(), &new).fields;
        let yaml = domain::job::to_yaml(&new).map_err(invalid)?;
        Ok(Proposed { request, fields, schedule, effect, yaml })
    }
}

fn invalid(error: impl std::fmt::Display) -> CommandError {
    CommandError::Invalid(error.to_string())
}

/// The definition with this number, and what was active before it.
fn around(versions: &Versions, number: u32) -> (Option<&str>, Option<&str>) {
    let place = versions.spans.iter().position(|span| span.number == number);
    match place {
        // It is active already: what was so before it.
        Some(place) => {
            let before = place.checked_sub(1).and_then(|before| versions.spans.get(before));
            let text = versions.spans.get(place).map(|span| span.definition.get());
            (before.map(|span| span.definition.get()), text)
        }
        None => {
            let waits = versions.proposal.as_ref().filter(|proposal| proposal.number == number);
            let active = versions.active().map(|span| span.definition.get());
            (active, waits.map(|proposal| proposal.definition.get()))
        }
    }
}
