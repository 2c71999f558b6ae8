//! The access review: somebody who does not grant rights looks at who may do what, and signs for it. *Invariant:* one review
//! begins where the last has ended, so that no change of rights is left out.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::canonical::{Digest, canonical};
use crate::event::{ReviewAccessSigned, Role};
use crate::ids::StreamId;
use crate::ledger::need;
use crate::people::{Grant, Token, User};
use crate::review::{Context, Review, check_signed};

/// A review is overdue when the last ended longer ago: 92 days, the longest quarter of a year.
pub const OVERDUE_MS: i64 = 92 * 24 * 3_600 * 1_000;

/// A signed review of who may do what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignedAccess {
    /// What was signed.
    pub what: ReviewAccessSigned,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// The stream of the reviews of who may do what.
pub fn stream() -> StreamId {
    StreamId::review("access")
}

/// Where the next review begins: where the last has ended, and before the first with the oldest account.
pub fn since<'a>(review: &Review, users: impl IntoIterator<Item = &'a User>) -> Option<Timestamp> {
    let last = review.access.last().map(|signed| signed.what.until);
    last.or_else(|| users.into_iter().filter_map(made).min())
}

/// Whether a review that begins then is overdue.
pub fn is_overdue(since: Option<Timestamp>, now: Timestamp) -> bool {
    since.is_some_and(|since| now.as_millisecond() - since.as_millisecond() > OVERDUE_MS)
}

fn made(user: &User) -> Option<Timestamp> {
    user.provisioned.as_ref().map(|(at, _)| *at)
}

/// Whether somebody may not sign, because they grant the rights themselves, and the site wants two people for that.
pub fn is_own_work(user: &User, self_approval: bool) -> bool {
    !self_approval && user.has(Role::Admin)
}

/// Whether the event may follow in the stream of these reviews.
///
/// # Errors
/// The rule it breaks.
pub(crate) fn admit(
    review: Option<&Review>,
    e: &ReviewAccessSigned,
    context: &Context<'_>,
) -> Result<(), String> {
    let last = review.and_then(|review| review.access.last());
    let last = last.map(|last| last.what.until);
    check_signed(last, (e.since, e.until), (e.position, &e.statement), context)?;
    if context.policy.self_approval {
        return Ok(());
    }
    // Who has no account has no rights that could be looked at: nobody knows whether they grant any.
    let account = context.account.ok_or("whoever signs has an account")?;
    let own = is_own_work(account, context.policy.self_approval);
    need(!own, "whoever keeps the accounts does not sign for them: somebody else looks")
}

/// What whoever signs was shown: what the signature is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Shown {
    /// Changes from then, inclusive.
    pub since: Timestamp,
    /// Until, exclusive.
    pub until: Timestamp,
    /// To which position.
    pub position: u64,
    /// Every account there is, in the order of their names.
    pub accounts: Vec<Account>,
    /// Those that were removed since the last review.
    pub removed: Vec<Removed>,
    /// Grants that were set since then, oldest first.
    pub changed: Vec<Changed>,
}

/// An account as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Whether a program has it.
    pub program: bool,
    /// What it may do, and of what.
    pub grants: Vec<Grant>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// By whom.
    pub by: Option<String>,
    /// Whether that was since the last review.
    pub new: bool,
    /// Its groups in the directory, where it comes in by that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// The day it was heard of last, UTC. By the day: else whoever comes in meanwhile would undo each review.
    pub seen: Option<Date>,
    /// Its open tokens.
    pub tokens: Vec<Key>,
}

/// A token as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Key {
    /// Its name.
    pub name: String,
    /// What it may at most; empty for all that the account may.
    pub grants: Vec<Grant>,
    /// When it ends.
    pub until: Option<Timestamp>,
    /// The day it was used last, UTC.
    pub used: Option<Date>,
}

/// An account that was removed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Removed {
    /// Its name.
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// Grants that somebody set.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Changed {
    /// Of which account.
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Option<String>,
    /// What it may since then.
    pub grants: Vec<Grant>,
    /// Why.
    pub reason: String,
}

impl Shown {
    /// What is shown of these accounts and changes; `first` says that there is no review before.
    pub fn of(
        users: &[User],
        changed: Vec<Changed>,
        (since, until): (Timestamp, Timestamp),
        position: u64,
        first: bool,
    ) -> Self {
        let there = users.iter().filter(|user| user.removed.is_none());
        let mut accounts: Vec<Account> = there.map(|user| Account::of(user, until)).collect();
        for account in &mut accounts {
            account.new = !first && account.created.is_some_and(|at| at >= since);
        }
        let removed = users.iter().filter_map(Removed::of).filter(|one| one.at >= since);
        let mut removed: Vec<Removed> = removed.collect();
        accounts.sort_by(|a, b| a.name.cmp(&b.name));
        removed.sort_by(|a, b| a.name.cmp(&b.name));
        Self { since, until, position, accounts, removed, changed }
    }

    /// Its SHA-256.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        let value = serde_json::to_value(self)?;
        canonical(&value).map(|bytes| Digest::of(&bytes))
    }
}

impl Account {
    fn of(user: &User, now: Timestamp) -> Self {
        let open = user.tokens.iter().filter(|token| token.is_open(now));
        Self {
            name: user.name.clone(),
            program: user.program,
            grants: user.grants.clone(),
            created: made(user),
            by: user.provisioned.as_ref().and_then(|(_, by)| by.clone()),
            new: false,
            groups: user.identity.as_ref().map(|_| user.groups.clone()),
            seen: user.seen.map(day),
            tokens: open.map(Key::of).collect(),
        }
    }
}

impl Key {
    fn of(token: &Token) -> Self {
        Self {
            name: token.name.clone(),
            grants: token.grants.clone(),
            until: token.until,
            used: token.used,
        }
    }
}

impl Removed {
    fn of(user: &User) -> Option<Self> {
        let (reason, at) = user.removed.clone()?;
        Some(Self { name: user.name.clone(), at, reason })
    }
}

/// The day of an instant, UTC.
pub fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}
