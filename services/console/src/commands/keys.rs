//! Keys that wait to be let in, where a person confirms each: which there are, and what people say of them. And those of services
//! that were let in and are taken back.

use std::collections::BTreeMap;

use domain::canonical::Digest;
use domain::event::{Event, LogProducerConfirmed, LogProducerDeclined, LogProducerRevoked};
use domain::ids::{Class, ProducerId, StreamId};
use domain::keys::is_fingerprint_of;
use domain::ledger::{AskedKey, Joining, KeyAnswer, StreamState};
use domain::people::Action;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Applied, CommandError, applied, check_reason};
use crate::people::Caller;
use crate::site::producers;
use crate::state::Console;

/// A key that waits. Its fingerprint is not told: whoever confirms it reads that where the key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingKey {
    /// The name that it asks for, such as `executor/db-07`.
    pub producer: String,
    /// On what ground it asks: `join-token`, `invitation`.
    pub ground: String,
    /// Since when.
    #[schema(value_type = String)]
    pub since: Timestamp,
    /// Of a host, who has invited it, and does not confirm it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<String>,
    /// Whether somebody has confirmed it: it is let in when it asks next.
    pub confirmed: bool,
    /// Why somebody has declined it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declined: Option<String>,
}

impl Console {
    /// What the log knows of keys that were not let in at once.
    pub(crate) async fn joining(&self) -> Result<Joining, CommandError> {
        let state = self.state(&StreamId::joining()).await?;
        Ok(state.and_then(|state| state.body.joining().cloned()).unwrap_or_default())
    }

    /// Whether a person confirms each key, and the keys that are not let in, in the order of their names.
    pub(crate) async fn waiting_keys(&self) -> Result<(bool, Vec<WaitingKey>), CommandError> {
        let joining = self.joining().await?;
        // None is let in but those that were confirmed, and after they asked.
        let confirmed = joining.asked.values().filter(|asked| asked.is_confirmed());
        let known = match confirmed.map(|asked| asked.since).min() {
            None => BTreeMap::new(),
            since => producers(self, since).await.map_err(CommandError::unavailable)?,
        };
        let outside = joining.asked.iter().filter(|(id, _)| !known.contains_key(id));
        Ok((joining.required, outside.map(|(id, asked)| waiting(id, asked)).collect()))
    }

    /// Confirms the key that waits for a name, by the fingerprint that its machine shows.
    pub(crate) async fn confirm_key(
        &self,
        producer: &str,
        typed: &str,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        let next = |id: &ProducerId, fingerprint: Digest| {
            if !is_fingerprint_of(typed, &fingerprint).map_err(CommandError::Invalid)? {
                return Err(CommandError::Refused(format!(
                    "the key that waits for {id} has another fingerprint than the one typed: either that was not read at its machine, or somebody else asks for this name; decline it then"
                )));
            }
            let (producer, reason) = (id.clone(), reason.to_owned());
            Ok(LogProducerConfirmed { producer, fingerprint, reason }.into())
        };
        let done = "its key is confirmed: it is let in when it asks next";
        self.answer_key(producer, caller, reason, next, done).await
    }

    /// Declines the key that waits for a name.
    pub(crate) async fn decline_key(
        &self,
        producer: &str,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        let next = |id: &ProducerId, fingerprint: Digest| {
            let (producer, reason) = (id.clone(), reason.to_owned());
            Ok(LogProducerDeclined { producer, fingerprint, reason }.into())
        };
        let done = "its key is declined: it is not let in, and another one may ask";
        self.answer_key(producer, caller, reason, next, done).await
    }

    async fn answer_key(
        &self,
        producer: &str,
        caller: &Caller,
        reason: &str,
        next: impl Fn(&ProducerId, Digest) -> Result<Event, CommandError>,
        done: &str,
    ) -> Result<Applied, CommandError> {
        let producer = self.may_answer(producer, caller, reason).await?;
        let id = StreamId::joining();
        let events = |state: Option<&StreamState>| {
            let joining = state.and_then(|state| state.body.joining());
            let asked = joining.and_then(|joining| joining.asked.get(&producer));
            let fingerprint = asked.and_then(AskedKey::fingerprint);
            let missing = || format!("a key that waits for the name {producer}");
            let fingerprint = fingerprint.ok_or_else(|| CommandError::NotFound(missing()))?;
            Ok(vec![next(&producer, fingerprint)?])
        };
        let position = self.change(&id, caller, events).await?;
        Ok(applied(position, id, format!("{producer}: {done}")))
    }

    /// Takes the key of a console, a scheduler or a recorder back: nothing that it says from then on counts.
    pub(crate) async fn revoke_key(
        &self,
        producer: &str,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        let producer = self.may_answer(producer, caller, reason).await?;
        let refused = |why: &str| Err(CommandError::Refused(why.to_owned()));
        if producer.class() == Class::Executor {
            return refused("that is the key of a host: decklog host revoke NAME, or its page");
        }
        if self.joining.is_none() {
            return refused(
                "this installation is one process, and its services are parts of it: stop it instead",
            );
        }
        let id = StreamId::joining();
        let (whose, reason) = (producer.clone(), reason.to_owned());
        let event = LogProducerRevoked { producer: whose, reason };
        let events = |_: Option<&StreamState>| Ok(vec![event.clone().into()]);
        let position = self.change(&id, caller, events).await?;
        let done = "its key is taken back: nothing that it says from now on counts, and it comes back under another name";
        Ok(applied(position, id, format!("{producer}: {done}")))
    }

    /// Whose key it is that somebody says something of who may.
    async fn may_answer(
        &self,
        producer: &str,
        caller: &Caller,
        reason: &str,
    ) -> Result<ProducerId, CommandError> {
        check_reason(reason)?;
        let producer =
            producer.parse().map_err(|error| CommandError::Invalid(format!("{error}")))?;
        caller.may(self, Action::InviteHosts, Some(&StreamId::joining())).await?;
        caller.check_unlimited()?;
        Ok(producer)
    }
}

fn waiting(producer: &ProducerId, asked: &AskedKey) -> WaitingKey {
    let declined = match &asked.answer {
        Some(KeyAnswer::Declined { reason, .. }) => Some(reason.clone()),
        Some(KeyAnswer::Confirmed { .. }) | None => None,
    };
    WaitingKey {
        producer: producer.to_string(),
        ground: asked.ground.clone(),
        since: asked.since,
        invited_by: asked.invited_by.clone(),
        confirmed: asked.is_confirmed(),
        declined,
    }
}
