//! Who may do what, to be reviewed: what is shown, what changed since the last review, and the signature.

use bus::recorder::{each_event, each_stream};
use domain::access::{Changed, Shown, day, is_overdue, since, stream};
use domain::event::{Event, ReviewAccessSigned, ReviewEvent, UserEvent};
use domain::people::{Action, User};
use domain::review::Review;
use domain::wire::{EventFilter, LogEntry, Selection};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::commands::{Applied, CommandError, applied};
use crate::people::{Caller, Via};
use crate::state::{Console, SKEW};

/// Changes of grants that are asked for at once.
const PAGE: u32 = 500;

/// What is to be reviewed.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) shown: Shown,
    pub(crate) review: Review,
    /// Whether the last review is too long ago.
    pub(crate) overdue: bool,
}

/// A signature under an access review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessSignWanted {
    /// Until when it was shown, RFC 3339: what came after it is of the next review.
    #[schema(value_type = String)]
    pub(crate) until: Timestamp,
    /// SHA-256 of what was shown, as `GET /api/v1/access-review` said it: or something else would be signed than was seen.
    pub(crate) shown: String,
    /// What you say, if anything.
    #[serde(default)]
    pub(crate) statement: String,
}

impl Access {
    /// The digest by which whoever signs says what they saw: wherever the log stands, as long as nothing of it changed.
    pub(crate) fn digest(&self) -> Result<String, CommandError> {
        let shown = Shown { position: 0, ..self.shown.clone() };
        Ok(shown.digest().map_err(CommandError::unavailable)?.to_string())
    }

    /// How many accounts there are.
    pub(crate) fn accounts(&self) -> u32 {
        u32::try_from(self.shown.accounts.len()).unwrap_or(u32::MAX)
    }
}

impl Console {
    /// What is to be reviewed by this caller: changes since the last review until an instant, and how all accounts stand.
    pub(crate) async fn access(
        &self,
        caller: &Caller,
        until: Option<Timestamp>,
    ) -> Result<Access, CommandError> {
        let until = until.unwrap_or_else(|| self.surely_past());
        let review = self.access_reviews().await?;
        let mut users = Vec::new();
        let take = |view: domain::wire::StreamView| users.extend(view.state.body.user().cloned());
        let position = each_stream(&self.bus, Selection::Users, take)
            .await
            .map_err(CommandError::unavailable)?;
        use_now(&mut users, caller, until);
        let begins = since(&review, &users);
        let first = review.access.is_empty();
        let before = until.checked_sub(SKEW).unwrap_or(until);
        let since = match begins {
            // An account may be younger than the two clocks are apart.
            Some(begins) if first => begins.min(before),
            Some(begins) => begins,
            None => before,
        };
        let changed = self.grants_set(since).await?;
        let shown = Shown::of(&users, changed, (since, until), position, first);
        Ok(Access { shown, overdue: is_overdue(begins, until), review })
    }

    async fn access_reviews(&self) -> Result<Review, CommandError> {
        let state = self.state(&stream()).await?;
        Ok(state.and_then(|state| state.body.review().cloned()).unwrap_or_default())
    }

    /// Whether nobody has signed for who may do what for too long.
    pub(crate) async fn is_access_overdue(&self, now: Timestamp) -> Result<bool, CommandError> {
        let review = self.access_reviews().await?;
        let users = self.people.all();
        Ok(is_overdue(since(&review, users.iter().map(|user| &**user)), now))
    }

    /// Grants that were set since an instant, by somebody or by the directory; oldest first.
    async fn grants_set(&self, since: Timestamp) -> Result<Vec<Changed>, CommandError> {
        let mut found = Vec::new();
        for kind in ["user.grants-set", "user.directory-said"] {
            let (kind, since) = (Some(kind.to_owned()), Some(since));
            let filter = EventFilter { kind, since, limit: PAGE, ..EventFilter::default() };
            let take = |entry: LogEntry| {
                found.extend(changed(&entry).map(|changed| (entry.position, changed)));
                Ok(())
            };
            each_event(&self.bus, filter, take).await.map_err(CommandError::unavailable)?;
        }
        found.sort_by_key(|(position, _)| *position);
        Ok(found.into_iter().map(|(_, changed)| changed).collect())
    }

    /// Signs for what was shown, where it is still that.
    pub(crate) async fn sign_access(
        &self,
        wanted: &AccessSignWanted,
        caller: &Caller,
    ) -> Result<Applied, CommandError> {
        caller.may(self, Action::SignReviews, Some(&stream())).await?;
        let access = self.access(caller, Some(wanted.until)).await?;
        if access.digest()? != wanted.shown {
            let text = "something changed since that was shown: look again";
            return Err(CommandError::Refused(text.to_owned()));
        }
        let signed = ReviewAccessSigned {
            since: access.shown.since,
            until: access.shown.until,
            position: access.shown.position,
            shown: access.shown.digest().map_err(CommandError::unavailable)?,
            accounts: access.accounts(),
            statement: wanted.statement.clone(),
        };
        let event = ReviewEvent::ReviewAccessSigned(signed);
        let position = self.say_of(&stream(), caller, event.into()).await?;
        Ok(applied(Some(position), stream(), "signed"))
    }
}

/// The token by which they ask is used now. That is said once a day, and nobody waits for it: what they sign must not depend
/// on whether the log has heard of it yet.
fn use_now(users: &mut [User], caller: &Caller, now: Timestamp) {
    let Via::Token(name) = &caller.via else { return };
    let user = users.iter_mut().find(|user| user.name == caller.user.name);
    let tokens = user.into_iter().flat_map(|user| user.tokens.iter_mut());
    for token in tokens.filter(|token| token.name == *name && token.revoked.is_none()) {
        token.used = token.used.max(Some(day(now)));
    }
}

fn changed(entry: &LogEntry) -> Option<Changed> {
    let envelope = entry.envelope().ok()?;
    let (grants, reason) = match envelope.event() {
        Ok(Event::UserEvent(UserEvent::UserGrantsSet(e))) => (e.grants, e.reason),
        Ok(Event::UserEvent(UserEvent::UserDirectorySaid(e))) => {
            (e.grants, format!("the directory says: {}", e.groups.join(", ")))
        }
        Ok(_) | Err(_) => return None,
    };
    let (name, at) = (envelope.subject.rest().to_owned(), entry.received);
    Some(Changed { name, at, by: envelope.actor, grants, reason })
}
