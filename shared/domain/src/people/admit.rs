//! What the recorder accepts about accounts. *Invariants:* nobody changes what they may do themselves, nobody comes in for
//! somebody else, an auditor has no other role, and there is always an administrator.

use jiff::Timestamp;

use super::access::{Action, Subject, decide};
use super::account::User;
use super::directory::Directory;
use super::grant::Grant;
use crate::event::{
    Entry, Event, LogOut, Role, UserDirectorySaid, UserEvent, UserFilterSaved, UserIdentitySet,
    UserLoggedIn, UserLoggedOut, UserTokenCreated,
};
use crate::ids::is_name;
use crate::ledger::{Policy, SKEW_MS_MAX, need};

/// Most grants of an account or token.
pub const GRANTS_MAX: usize = 50;
/// Most tokens of an account that are open at once.
pub const TOKENS_MAX: usize = 20;
/// Most searches that an account keeps, and the longest of them.
const FILTERS_MAX: usize = 20;
const QUERY_BYTES_MAX: usize = 500;
/// Most sessions of an account that go on at once.
const SESSIONS_MAX: usize = 50;
/// The longest that a token may live: 366 days.
pub const TOKEN_MS_MAX: i64 = 366 * 24 * 3_600 * 1_000;
/// The longest that a session may go on: 24 hours.
pub const SESSION_MS_MAX: i64 = 24 * 3_600 * 1_000;
/// The longest that a code may live: 7 days.
pub const CODE_MS_MAX: i64 = 7 * 24 * 3_600 * 1_000;

const BY_DIRECTORY: &str = "they come in by the directory: take that from them first";
const BY_GROUPS: &str = "what they may do is what their groups in the directory may";
const NO_DIRECTORY: &str = "this site has no directory by which people come in";

/// What the recorder has at hand beside the account the event is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The account's name.
    pub(crate) name: &'a str,
    /// Who acted.
    pub(crate) actor: Option<&'a str>,
    /// Rules of the site.
    pub(crate) policy: Policy,
    /// The directory by which people come in, where there is one.
    pub(crate) directory: Option<&'a Directory>,
    /// When it is received.
    pub(crate) received: Timestamp,
}

impl Context<'_> {
    fn is_self(&self) -> bool {
        self.actor.and_then(|actor| actor.strip_prefix("user/")) == Some(self.name)
    }

    /// An instant that is to come, and not too far.
    fn check_end(&self, until: Timestamp, most_ms: i64, what: &str) -> Result<(), String> {
        let ahead = until.as_millisecond() - self.received.as_millisecond();
        need(ahead > 0 && ahead <= most_ms + SKEW_MS_MAX, what)
    }
}

/// Whether whoever acts may do what an event of a console needs, where the log asks for accounts.
///
/// # Errors
/// Why they may not.
pub(crate) fn check_actor(
    actor: Option<&str>,
    user: Option<&User>,
    event: &Event,
    action: Option<Action>,
    subject: &Subject<'_>,
    now: Timestamp,
) -> Result<(), String> {
    let Some(action) = action else { return Ok(()) };
    let Some(actor) = actor else {
        // Somebody at the console's own machine lets an administrator back in.
        let code = matches!(event, Event::UserEvent(UserEvent::UserCodeIssued(_)));
        return need(code, "it does not say who does it");
    };
    let user = user.ok_or_else(|| format!("there is no account {actor}"))?;
    decide(user, &[], action, subject, now).map_err(|denial| denial.to_string())
}

/// Whether the event may follow in the stream of an account.
///
/// # Errors
/// The rule it breaks.
pub(crate) fn admit(
    user: Option<&User>,
    event: &UserEvent,
    context: &Context<'_>,
) -> Result<(), String> {
    let missing = || "there is no such user".to_owned();
    let known = user.filter(|user| user.removed.is_none());
    match event {
        UserEvent::UserCreated(_) => {
            need(!context.policy.accounts, "accounts are provisioned")?;
            need(user.is_none(), "the user exists already")
        }
        UserEvent::UserTokenIssued(_) => {
            need(!context.policy.accounts, "a token is created, and ends")?;
            need(user.is_some(), "there is no such user")
        }
        UserEvent::UserProvisioned(e) => {
            need(known.is_none(), "the user exists already")?;
            check_grants(&e.grants)?;
            let first = context.actor.is_some() || !context.policy.accounts;
            need(first, "it does not say who does it")
        }
        UserEvent::UserGrantsSet(e) => {
            let user = known.ok_or_else(missing)?;
            check_grants(&e.grants)?;
            let other = context.policy.self_approval || !context.is_self();
            need(other, "nobody changes what they may do themselves")?;
            need(user.identity.is_none(), BY_GROUPS)?;
            let keeps = e.grants.contains(&Grant::all(Role::Admin)) || !context.is_self();
            need(
                keeps,
                "nobody takes the accounts out of their own hands: or nobody might keep them",
            )?;
            need(user.grants != e.grants, "that is what they may do already")
        }
        UserEvent::UserRemoved(_) => {
            known.ok_or_else(missing)?;
            need(!context.is_self(), "nobody removes themselves: or nobody might keep the accounts")
        }
        UserEvent::UserIdentitySet(e) => {
            // Whom a removed account was is free for another one.
            let over = user.filter(|_| e.identity.is_none());
            admit_identity(known.or(over).ok_or_else(missing)?, e, context)
        }
        UserEvent::UserDirectorySaid(e) => admit_directory(user, e, context),
        UserEvent::UserCodeIssued(e) => {
            let user = known.ok_or_else(missing)?;
            need(!user.program, "a program comes in by tokens")?;
            need(!context.is_self(), "nobody issues a code to themselves")?;
            // Somebody at the console's own machine lets an administrator in whatever the directory says, or does not.
            need(user.identity.is_none() || context.actor.is_none(), BY_DIRECTORY)?;
            context.check_end(e.until, CODE_MS_MAX, "a code lives for seven days at most")
        }
        UserEvent::UserPasswordSet(e) => {
            let user = known.ok_or_else(missing)?;
            need(context.is_self(), "everybody sets their own password")?;
            need(!user.program, "a program comes in by tokens")?;
            need(user.identity.is_none(), BY_DIRECTORY)?;
            need(e.verifier.starts_with("$argon2id$"), "a password is kept as argon2id makes it")
        }
        UserEvent::UserTokenCreated(e) => admit_token(known.ok_or_else(missing)?, e, context),
        UserEvent::UserTokenRevoked(e) => {
            let user = user.ok_or_else(missing)?;
            need(context.actor.is_some(), "it does not say who does it")?;
            let open = user.tokens.iter().any(|one| one.name == e.name && one.revoked.is_none());
            need(open, "there is no such token")
        }
        UserEvent::UserTokenUsed(e) => {
            let user = known.ok_or_else(missing)?;
            let open = |one: &&super::Token| one.name == e.name && one.is_open(context.received);
            let token = user.tokens.iter().find(open).ok_or("there is no such token")?;
            need(token.used.is_none_or(|day| day < e.day), "the log knows that already")
        }
        UserEvent::UserLoggedIn(e) => admit_login(known.ok_or_else(missing)?, e, context),
        UserEvent::UserLoggedOut(e) => admit_logout(user.ok_or_else(missing)?, e, context),
        UserEvent::UserLoginFailed(e) => {
            known.ok_or_else(missing)?;
            need(e.times >= 1, "it failed once at least")
        }
        UserEvent::UserFilterSaved(e) => admit_filter(known.ok_or_else(missing)?, e, context),
        UserEvent::UserDenied(_) => {
            user.ok_or_else(missing)?;
            need(context.is_self(), "it is said of whoever tried")
        }
    }
}

/// An auditor changes nothing: so they have no role that does.
pub(super) fn check_grants(grants: &[Grant]) -> Result<(), String> {
    need((1..=GRANTS_MAX).contains(&grants.len()), "an account has 1 to 50 grants")?;
    let has = |role: Role| grants.iter().any(|grant| grant.role == role);
    let acts = [Role::Operator, Role::Author, Role::Approver, Role::Admin].into_iter().any(has);
    need(!(has(Role::Auditor) && acts), "an auditor changes nothing: give them no other role")
}

fn admit_identity(user: &User, e: &UserIdentitySet, context: &Context<'_>) -> Result<(), String> {
    need(!user.program, "a program comes in by tokens")?;
    need(!context.is_self(), "nobody changes how they come in themselves: or nobody might")?;
    // Said again of an account of which nothing was heard for too long, it lets it in again.
    let new = user.identity != e.identity || user.is_idle(context.received);
    need(new, "that is how they come in already")?;
    let Some(identity) = &e.identity else { return Ok(()) };
    identity.check()?;
    let directory = context.directory.ok_or(NO_DIRECTORY)?;
    let same = directory.issuer == identity.issuer;
    need(same, &format!("the directory of this site is {}", directory.issuer))
}

/// What a console was told by the directory. It says so on its own: nobody is in yet.
fn admit_directory(
    user: Option<&User>,
    e: &UserDirectorySaid,
    context: &Context<'_>,
) -> Result<(), String> {
    e.identity.check()?;
    need(is_name(context.name), "an account has a name such as mia")?;
    need(context.actor.is_none(), "a directory speaks for itself")?;
    let directory = context.directory.ok_or(NO_DIRECTORY)?;
    let same = directory.issuer == e.identity.issuer;
    need(same, &format!("the directory of this site is {}", directory.issuer))?;
    let (groups, grants) = directory.mean(&e.groups);
    let meant = groups == e.groups && grants == e.grants;
    need(meant, "that is not what its groups may do")?;
    let Some(user) = user else {
        return need(!e.grants.is_empty(), "none of their groups may do anything here");
    };
    need(user.removed.is_none(), "the account was removed")?;
    need(!user.program, "a program comes in by tokens")?;
    let own = user.identity.as_ref() == Some(&e.identity);
    need(own, "there is an account of that name that does not come in so")?;
    need(!user.is_idle(context.received), "it was not heard of for 90 days")?;
    let new = user.groups != e.groups || user.grants != e.grants;
    need(new, "the log knows that already")
}

fn admit_token(user: &User, e: &UserTokenCreated, context: &Context<'_>) -> Result<(), String> {
    need(context.actor.is_some(), "it does not say who does it")?;
    need(context.is_self() || user.program, "everybody makes their own tokens")?;
    need(is_name(&e.name), "a token has a name such as nightly-import")?;
    need(e.grants.len() <= GRANTS_MAX, "a token has 50 grants at most")?;
    let open = || user.tokens.iter().filter(|one| one.is_open(context.received));
    need(open().all(|one| one.name != e.name), "there is a token of that name")?;
    need(open().count() < TOKENS_MAX, "it has 20 tokens already: revoke one")?;
    context.check_end(e.until, TOKEN_MS_MAX, "a token lives for a year at most")
}

fn admit_filter(user: &User, e: &UserFilterSaved, context: &Context<'_>) -> Result<(), String> {
    need(context.is_self(), "everybody keeps their own searches")?;
    need(is_name(&e.name), "a search has a name such as failed-logins")?;
    let Some(query) = &e.query else {
        return need(user.filters.contains_key(&e.name), "there is no such search");
    };
    let plain = query.bytes().all(|byte| byte.is_ascii_graphic());
    need(plain && (1..=QUERY_BYTES_MAX).contains(&query.len()), "a search has 1 to 500 bytes")?;
    let room = user.filters.len() < FILTERS_MAX || user.filters.contains_key(&e.name);
    need(room, "it keeps 20 searches already: forget one")
}

fn admit_login(user: &User, e: &UserLoggedIn, context: &Context<'_>) -> Result<(), String> {
    need(context.is_self(), "nobody comes in for somebody else")?;
    need(!user.program, "a program comes in by tokens")?;
    let entry = match e.by {
        Entry::Code => user.code.is_some_and(|(_, until)| context.received < until),
        Entry::Password => user.password.is_some(),
        Entry::Oidc => user.identity.is_some(),
    };
    need(entry, "they have no such way in")?;
    need(!user.is_idle(context.received), "it was not heard of for 90 days")?;
    let open = || user.sessions.iter().filter(|one| one.ended.is_none());
    need(open().all(|one| one.name != e.session), "there is a session of that name")?;
    let open = open().filter(|one| context.received < one.until);
    need(open.count() < SESSIONS_MAX, "it has 50 sessions already: end one")?;
    context.check_end(e.until, SESSION_MS_MAX, "a session goes on for a day at most")
}

fn admit_logout(user: &User, e: &UserLoggedOut, context: &Context<'_>) -> Result<(), String> {
    let open = user.sessions.iter().any(|one| one.name == e.session && one.ended.is_none());
    need(open, "there is no such session")?;
    let by_nobody = e.why == LogOut::Idle;
    need(by_nobody || context.actor.is_some(), "it does not say who does it")
}
