//! Legal holds, and payloads that are erased before their time: which there are, and what people say of them.

use domain::canonical::Digest;
use domain::event::{
    Event, HoldKept, HoldLiftAsked, HoldLifted, HoldPlaced, PayloadRedacted, PayloadRedactionAsked,
    PayloadRedactionDeclined,
};
use domain::ids::StreamId;
use domain::ledger::{Records, payload_hosts};
use domain::people::Action;
use domain::wire::HostQuery;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Applied, CommandError, applied, check_reason};
use crate::people::Caller;
use crate::state::Console;

/// What is done with a legal hold.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "act", deny_unknown_fields)]
pub(crate) enum HoldAct {
    /// Payloads of these jobs and queues are not erased.
    Place {
        /// What it is over: `job/NAME`, `queue/NAME`, each also with `*` at the end, or `*` alone.
        over: Vec<String>,
    },
    /// It is to end.
    AskLift,
    /// It goes on, although somebody asks for its end.
    Keep,
    /// It ends; somebody else has asked for that.
    Lift,
}

/// What is done with a payload that somebody wants erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RedactionAct {
    /// It is to be erased before its time.
    Ask,
    /// Somebody else has asked, and it is.
    Agree,
    /// It is not.
    Decline,
}

impl Console {
    /// Holds and redactions, as the log knows them.
    pub(crate) async fn records(&self) -> Result<Records, CommandError> {
        let state = self.state(&StreamId::records()).await?;
        Ok(state.and_then(|state| state.body.records().cloned()).unwrap_or_default())
    }

    /// Says something of a legal hold.
    pub(crate) async fn set_hold(
        &self,
        name: &str,
        act: &HoldAct,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        check_reason(reason)?;
        let (name, reason) = (name.to_owned(), reason.to_owned());
        let done = match act {
            HoldAct::Place { .. } => "nothing that it is over is erased until it is lifted",
            HoldAct::AskLift => "somebody else can lift it now",
            HoldAct::Keep => "it goes on",
            HoldAct::Lift => "it is lifted: what is over its time is erased from now on",
        };
        let message = format!("legal hold {name}: {done}");
        let event: Event = match act {
            HoldAct::Place { over } => HoldPlaced { name, over: over.clone(), reason }.into(),
            HoldAct::AskLift => HoldLiftAsked { name, reason }.into(),
            HoldAct::Keep => HoldKept { name, reason }.into(),
            HoldAct::Lift => HoldLifted { name, reason }.into(),
        };
        self.say_of_records(caller, event, message).await
    }

    /// Says something of a payload that is, or is to be, erased before its time.
    pub(crate) async fn set_redaction(
        &self,
        of: &StreamId,
        act: RedactionAct,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        check_reason(reason)?;
        let (of, reason) = (of.clone(), reason.to_owned());
        let done = match act {
            RedactionAct::Ask => "somebody else can agree that it is erased",
            RedactionAct::Agree => "its hosts destroy what they have of it, and say so",
            RedactionAct::Decline => "it is not erased before its time",
        };
        let message = format!("{of}: {done}");
        let event: Event = match act {
            RedactionAct::Ask => PayloadRedactionAsked { of, reason }.into(),
            RedactionAct::Decline => PayloadRedactionDeclined { of, reason }.into(),
            RedactionAct::Agree => {
                let state = self.state(&of).await?;
                let hosts = state.map(|state| payload_hosts(&state.body)).unwrap_or_default();
                PayloadRedacted { of, hosts, reason }.into()
            }
        };
        self.say_of_records(caller, event, message).await
    }

    async fn say_of_records(
        &self,
        caller: &Caller,
        event: Event,
        message: String,
    ) -> Result<Applied, CommandError> {
        let id = StreamId::records();
        caller.may(self, Action::KeepRecords, Some(&id)).await?;
        let position = self.change(&id, caller, |_| Ok(vec![event.clone()])).await?;
        Ok(applied(position, id, message))
    }

    /// The salt of the commitment to a payload, as its host has it.
    pub(crate) async fn salt(
        &self,
        host: &str,
        of: &StreamId,
        attempt: Option<u32>,
    ) -> Result<Digest, CommandError> {
        let query = HostQuery::Salt { of: of.clone(), attempt };
        let found = self.ask_host(host, &query).await?;
        let found = found.ok_or_else(|| {
            CommandError::NotFound(format!("the salt of {of} on host {host} any more"))
        })?;
        serde_json::from_slice(&found).map_err(|error| CommandError::Host(error.to_string()))
    }
}

impl HoldAct {
    /// The act with this word; what it is over stands in lines or between blanks.
    pub(crate) fn from_word(word: &str, over: &str) -> Option<Self> {
        Some(match word {
            "place" => Self::Place { over: over.split_whitespace().map(str::to_owned).collect() },
            "ask-lift" => Self::AskLift,
            "keep" => Self::Keep,
            "lift" => Self::Lift,
            _ => return None,
        })
    }
}

impl RedactionAct {
    /// The act with this word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "ask" => Self::Ask,
            "agree" => Self::Agree,
            "decline" => Self::Decline,
            _ => return None,
        })
    }
}
