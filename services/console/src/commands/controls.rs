//! What people say of controls: what became of an exception, and that they looked.

use std::sync::Arc;

use domain::controls::{Control, Item, Month, Outcome};
use domain::event::{ControlDisposition, ControlExceptionDisposed, ControlReviewed};
use domain::ids::StreamId;
use domain::people::Action;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Applied, CommandError, applied};
use crate::controls::{Known, month, outcomes, period};
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;

/// The fewest digits by which an exception is named.
const DIGITS_MIN: usize = 8;

/// What became of an exception of a control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DisposeWanted {
    /// The month, `2026-11`, in which it is an exception; this one when absent.
    #[serde(default)]
    pub(crate) month: String,
    /// Which: its `id`, or the first eight of its digits or more.
    pub(crate) exception: String,
    /// What became of it: `accepted`, `remediated` or `not-an-exception`.
    #[schema(value_type = String)]
    pub(crate) disposition: ControlDisposition,
    /// Why.
    pub(crate) text: String,
    /// Where what shows it lies: a ticket, a document, another event.
    #[serde(default)]
    pub(crate) evidence: Option<String>,
}

/// A signature under a control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignControl {
    /// The month, `2026-11`; this one when absent.
    #[serde(default)]
    pub(crate) month: String,
    /// SHA-256 of what was shown, as `GET /api/v1/controls/{id}` said it: or something else would be signed than was seen.
    pub(crate) shown: String,
    /// What you say, if anything.
    #[serde(default)]
    pub(crate) statement: String,
}

impl From<Problem> for CommandError {
    fn from(problem: Problem) -> Self {
        match problem.status {
            503 => Self::NotYet(problem.detail),
            _ => Self::Invalid(problem.detail),
        }
    }
}

impl Console {
    /// What became of all controls in a month, as far as this console has heard of the log: whoever says something of an
    /// exception may have been told of it elsewhere.
    async fn newest(&self, month: Month) -> Result<Arc<Known>, CommandError> {
        self.controls.hear(*self.news.borrow());
        Ok(outcomes(self, month).await?)
    }

    /// Says what became of an exception.
    pub(crate) async fn dispose_exception(
        &self,
        control: &Control,
        wanted: &DisposeWanted,
        caller: &Caller,
    ) -> Result<Applied, CommandError> {
        let id = StreamId::control(control.id);
        caller.may(self, Action::SignReviews, Some(&id)).await?;
        let known = self.newest(month(&wanted.month, (self.clock)())?).await?;
        let item = exception(known.of(control)?, &wanted.exception)?;
        let event = disposed(item, wanted).into();
        let position = self.say_of(&id, caller, event).await?;
        self.controls.hear(position);
        Ok(applied(Some(position), id, wanted.disposition.word()))
    }

    /// Signs for a control of a month, where it still stands as it was shown.
    pub(crate) async fn review_control(
        &self,
        control: &Control,
        wanted: &SignControl,
        caller: &Caller,
    ) -> Result<Applied, CommandError> {
        let id = StreamId::control(control.id);
        caller.may(self, Action::SignReviews, Some(&id)).await?;
        let of = month(&wanted.month, (self.clock)())?;
        let known = self.newest(of).await?;
        let reviewed = reviewed(&known, control, of, wanted)?;
        let position = self.say_of(&id, caller, reviewed.into()).await?;
        self.controls.hear(position);
        Ok(applied(Some(position), id, "reviewed"))
    }
}

/// The one exception whose name begins so.
fn exception<'a>(outcome: &'a Outcome, named: &str) -> Result<&'a Item, CommandError> {
    if named.len() < DIGITS_MIN {
        let text = "an exception is named by eight digits or more";
        return Err(CommandError::Invalid(text.to_owned()));
    }
    let named = named.to_ascii_lowercase();
    let is = |item: &&Item| item.id(outcome.control).to_string().starts_with(&named);
    let mut found = outcome.exceptions().filter(is);
    let first = found.next();
    let first = first.ok_or_else(|| {
        CommandError::NotFound(format!("exception {named} of {} in that month", outcome.control))
    })?;
    match found.next() {
        None => Ok(first),
        Some(_) => {
            Err(CommandError::Invalid("more than one begins so: write more of it".to_owned()))
        }
    }
}

fn disposed(item: &Item, wanted: &DisposeWanted) -> ControlExceptionDisposed {
    let evidence = wanted.evidence.clone().filter(|text| !text.trim().is_empty());
    ControlExceptionDisposed {
        at: item.at,
        subject: item.subject.clone(),
        position: item.position,
        says: says(item),
        disposition: wanted.disposition,
        text: wanted.text.clone(),
        evidence,
    }
}

/// What is wrong with it, as much as an event has room for.
fn says(item: &Item) -> String {
    const MOST: usize = 1_000;
    let text = item.result();
    text.get(..text.floor_char_boundary(MOST)).unwrap_or_default().to_owned()
}

fn reviewed(
    known: &Known,
    control: &Control,
    of: Month,
    wanted: &SignControl,
) -> Result<ControlReviewed, CommandError> {
    let outcome = known.of(control)?;
    let shown = outcome.shown().map_err(CommandError::unavailable)?;
    if shown.to_string() != wanted.shown {
        let text = "its exceptions are others by now than those that were shown: look again";
        return Err(CommandError::Refused(text.to_owned()));
    }
    let span = period(of)?;
    Ok(ControlReviewed {
        from: span.from,
        until: span.until,
        position: known.position,
        population: outcome.population.len() as u64,
        exceptions: outcome.exceptions().count() as u64,
        open: outcome.open() as u64,
        shown,
        statement: wanted.statement.clone(),
    })
}
