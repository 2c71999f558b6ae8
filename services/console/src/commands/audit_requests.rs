//! What auditors ask to be shown, what is answered, and whether that is enough.

use domain::event::{
    Event, Reference, RequestAccepted, RequestAnswered, RequestAsked, RequestFlagged,
    RequestPeriod, RequestWithdrawn,
};
use domain::ids::StreamId;
use domain::ledger::{Body, StreamState};
use domain::people::Action;
use domain::request::{REQUEST_STATES, Request};
use domain::wire::{Query, RequestFilter};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Applied, CommandError, TRIES, applied};
use crate::people::Caller;
use crate::state::Console;

/// A request of an auditor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestWanted {
    /// What is to be shown, in 1 to 200 bytes.
    pub(crate) title: String,
    /// The same at length, in 1 to 4000 bytes.
    pub(crate) text: String,
    /// Until when.
    #[schema(value_type = String)]
    pub(crate) due: Timestamp,
    /// The control that it is about, such as `CM-01`.
    #[serde(default)]
    pub(crate) control: Option<String>,
    /// Of which days: `from` and `until`, both included.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(crate) period: Option<RequestPeriod>,
    /// What in the log it is about: positions, and streams such as `job/payroll`.
    #[serde(default)]
    pub(crate) references: Vec<String>,
}

/// What can be said of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "act", deny_unknown_fields)]
pub(crate) enum RequestAct {
    /// Where it is shown: the text.
    Answer {
        /// What in the log shows it: positions, and streams such as `run/payroll@request-1`.
        #[serde(default)]
        references: Vec<String>,
    },
    /// That is enough. The text may be absent.
    Accept {},
    /// It is not: the text is what is missing.
    Flag {},
    /// It is not needed any more: the text is why.
    Withdraw {},
}

impl RequestAct {
    fn done(&self) -> &'static str {
        match self {
            Self::Answer { .. } => "answered",
            Self::Accept {} => "accepted",
            Self::Flag {} => "flagged: another answer is needed",
            Self::Withdraw {} => "withdrawn",
        }
    }

    fn event(&self, text: &str) -> Result<Event, CommandError> {
        let text = text.to_owned();
        Ok(match self {
            Self::Answer { references } => {
                RequestAnswered { text, references: read(references)? }.into()
            }
            Self::Accept {} => RequestAccepted { note: text }.into(),
            Self::Flag {} => RequestFlagged { reason: text }.into(),
            Self::Withdraw {} => RequestWithdrawn { reason: text }.into(),
        })
    }
}

fn read(references: &[String]) -> Result<Vec<Reference>, CommandError> {
    let one = |text: &String| text.parse();
    let all: Result<_, domain::ids::BadName> = references.iter().map(one).collect();
    all.map_err(|error| CommandError::Invalid(error.to_string()))
}

/// The words by which requests are listed, beside those for how one stands: `current` are all that are not over, `closed` all that
/// are.
pub(crate) const LISTED: [&str; 7] =
    ["current", "open", "answered", "flagged", "overdue", "closed", "all"];

/// The requests that a word lists.
///
/// # Errors
/// It is no such word.
pub(crate) fn listed_by(word: &str, now: Timestamp) -> Result<RequestFilter, CommandError> {
    let states: &[&str] = match word {
        "all" | "overdue" => &[],
        "current" => &["open", "answered", "flagged"],
        "closed" => &["accepted", "withdrawn"],
        one => {
            let found = REQUEST_STATES.iter().position(|state| *state == one);
            let found = found.and_then(|at| REQUEST_STATES.get(at..=at));
            let none = || format!("{one:?} is no state of a request: {}", LISTED.join(", "));
            found.ok_or_else(|| CommandError::Invalid(none()))?
        }
    };
    let states = states.iter().map(|state| (*state).to_owned()).collect();
    let due_before = (word == "overdue").then_some(now);
    Ok(RequestFilter { states, due_before, ..RequestFilter::default() })
}

impl Console {
    /// Requests, newest first, as many as are asked for.
    pub(crate) async fn requests(
        &self,
        filter: RequestFilter,
    ) -> Result<(u64, Vec<Request>), CommandError> {
        let query = |last: Option<&Request>, limit| {
            let below = last.map(|last| last.number).or(filter.below);
            Query::Requests(RequestFilter { below, limit, ..filter.clone() })
        };
        self.newest_first(filter.limit, query, Body::request).await
    }

    /// Asks to be shown something, under the next number.
    pub(crate) async fn ask_request(
        &self,
        wanted: &RequestWanted,
        caller: &Caller,
    ) -> Result<Applied, CommandError> {
        caller.may(self, Action::AuditRequests, None).await?;
        let event = asked(wanted)?;
        for _ in 0..TRIES {
            let (_, newest) =
                self.requests(RequestFilter { limit: 1, ..RequestFilter::default() }).await?;
            let id = StreamId::request(newest.first().map_or(0, |one| one.number) + 1);
            let next = |state: Option<&StreamState>| {
                Ok(if state.is_none() { vec![event.clone()] } else { Vec::new() })
            };
            // Whoever was faster has that number.
            if let Some(position) = self.change(&id, caller, next).await? {
                let message = format!("request {} is asked", id.rest());
                return Ok(applied(Some(position), id, message));
            }
        }
        Err(CommandError::Unavailable("others ask too fast; try again".to_owned()))
    }

    /// Says something of a request.
    pub(crate) async fn set_request(
        &self,
        id: &StreamId,
        act: &RequestAct,
        caller: &Caller,
        text: &str,
    ) -> Result<Applied, CommandError> {
        let event = act.event(text)?;
        // Whoever may not is told that, and not whether there is one.
        caller.may_say(self, &event, None, id).await?;
        let next = |state: Option<&StreamState>| {
            let request = state.and_then(|state| state.body.request());
            request.ok_or_else(|| CommandError::NotFound(format!("request {}", id.rest())))?;
            Ok(vec![event.clone()])
        };
        let position = self.change(id, caller, next).await?;
        Ok(applied(position, id.clone(), act.done()))
    }
}

fn asked(wanted: &RequestWanted) -> Result<Event, CommandError> {
    let RequestWanted { title, text, due, control, period, references } = wanted.clone();
    // However somebody writes its name, it is one control.
    let control = control.map(|control| control.to_ascii_uppercase());
    let references = read(&references)?;
    Ok(RequestAsked { title, text, due, control, period, references }.into())
}
