//! Who asks, found out from a request; and whether they may.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE as COOKIES, HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::canonical::Digest;
use domain::event::{Entry, Event, LogOut, UserDenied, UserLoggedOut, UserTokenUsed};
use domain::ids::StreamId;
use domain::job::Definition;
use domain::ledger::{Body, action_needed, job_of, pools_reached};
use domain::people::{Action, Denial, Grant, Subject, User, decide, pool_asked};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::cookie::{self, Kept};
use crate::commands::CommandError;
use crate::problem::Problem;
use crate::state::Console;
use crate::versions::Expected;

/// A denial of the same thing to the same account is said once in so many seconds.
const SAY_AGAIN: SignedDuration = SignedDuration::from_secs(60);

/// By what somebody came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Via {
    /// By a token of this name.
    Token(String),
    /// By a session of this name.
    Session(String),
    /// By the link of a message, for the one thing it is for.
    Link,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) user: Arc<User>,
    pub(crate) via: Via,
    /// What their token may at most; empty for no limit of its own.
    limits: Vec<Grant>,
    /// The cookie that is to take the place of the one that was sent.
    pub(crate) cookie: Option<String>,
    /// Which version of what they change they mean.
    pub(crate) expected: Expected,
}

/// When which denial was said last.
#[derive(Debug, Default)]
pub(crate) struct Denials(Mutex<BTreeMap<(String, Action), Timestamp>>);

impl Denials {
    fn is_news(&self, user: &str, action: Action, now: Timestamp) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, at| now.duration_since(*at) < SAY_AGAIN);
        known.insert((user.to_owned(), action), now).is_none()
    }
}

impl Caller {
    /// How the log names them.
    pub(crate) fn actor(&self) -> String {
        self.user.actor()
    }

    /// Whoever has the link of a message to this account.
    pub(crate) fn by_link(user: User) -> Self {
        Self {
            user: Arc::new(user),
            via: Via::Link,
            limits: Vec::new(),
            cookie: None,
            expected: Expected::Whichever,
        }
    }

    /// Whether nothing narrows what their account may.
    pub(crate) fn is_unlimited(&self) -> bool {
        self.limits.is_empty()
    }

    /// What a narrowed token may touch of accounts: nothing.
    pub(crate) fn check_unlimited(&self) -> Result<(), CommandError> {
        let why = "a token that is narrower than its account touches no account";
        if self.is_unlimited() { Ok(()) } else { Err(CommandError::Denied(why.to_owned())) }
    }

    /// The same, after they have said so many events themselves of what they change.
    pub(crate) fn after(&self, events: u64) -> Self {
        Self { expected: self.expected.after(events), ..self.clone() }
    }

    /// Whether they would still be let in.
    pub(crate) fn goes_on(&self, console: &Console) -> bool {
        let now = (console.clock)();
        let Some(user) = console.people.get(&self.user.name) else { return false };
        let open = match &self.via {
            Via::Token(name) => {
                let mut own = user.tokens.iter().filter(|token| token.name == *name);
                own.any(|token| user.token(&token.hash, now).is_some())
            }
            Via::Session(name) => user.session(name, now).is_some(),
            Via::Link => false,
        };
        open && may_look(&Self { user, ..self.clone() }, now).is_ok()
    }

    /// What their token may at most; empty for no limit of its own.
    pub(crate) fn limits(&self) -> &[Grant] {
        &self.limits
    }

    /// The session they came in by.
    pub(crate) fn session(&self) -> Option<&str> {
        if let Via::Session(name) = &self.via { Some(name) } else { None }
    }

    /// Whether they have to know the old password to set another: not in a session that a code began, nor in one of an
    /// account that has none.
    pub(crate) fn is_asked_for_password(&self, user: &User) -> bool {
        let Some(name) = self.session() else { return true };
        let by_code = user.sessions.iter().any(|one| one.name == name && one.by == Entry::Code);
        user.password.is_some() && !by_code
    }

    /// Whether they could do it somewhere: what a page offers.
    pub(crate) fn could(&self, action: Action, now: Timestamp) -> bool {
        let has = |grants: &[Grant]| grants.iter().any(|one| action.roles().contains(&one.role));
        let limited = self.limits.is_empty() || has(&self.limits);
        limited
            && has(&self.user.grants)
            && !(self.user.program && action.needs_person())
            && self.user.removed.is_none()
            && !self.user.is_idle(now)
    }

    /// Refuses what they may not do. The log hears of that.
    pub(crate) async fn may(
        &self,
        console: &Console,
        action: Action,
        about: Option<&StreamId>,
    ) -> Result<(), CommandError> {
        let decided = self.allowed(console, action, about).await?;
        self.hold_to(console, action, about, decided).await
    }

    /// Refuses what they may do nowhere, where it is not known yet what it is about: whoever has not even the role is not told
    /// what there is.
    pub(crate) async fn may_somewhere(
        &self,
        console: &Console,
        action: Action,
    ) -> Result<(), CommandError> {
        if self.could(action, (console.clock)()) {
            return Ok(());
        }
        self.may(console, action, None).await
    }

    /// Refuses to propose what they may not.
    pub(crate) async fn may_propose(
        &self,
        console: &Console,
        definition: &Definition,
    ) -> Result<(), CommandError> {
        let id = definition.stream();
        let pool = match definition {
            Definition::Job(job) => Some(job.pool.clone()),
            Definition::Thing(_) => None,
        };
        let decided = self.decided(console, Action::Propose, Some((&id, None)), pool).await?;
        self.hold_to(console, Action::Propose, Some(&id), decided).await
    }

    /// Refuses to say what they may not do.
    pub(crate) async fn may_say(
        &self,
        console: &Console,
        event: &Event,
        body: Option<&Body>,
        about: &StreamId,
    ) -> Result<(), CommandError> {
        let action = action_needed(event, body, Some(&self.actor()));
        let Some(action) = action else { return Ok(()) };
        let at_hand = Some((about, body));
        let decided = self.decided(console, action, at_hand, pool_asked(event)).await?;
        self.hold_to(console, action, Some(about), decided).await
    }

    async fn hold_to(
        &self,
        console: &Console,
        action: Action,
        about: Option<&StreamId>,
        decided: Result<(), Denial>,
    ) -> Result<(), CommandError> {
        let Err(denial) = decided else { return Ok(()) };
        let reason = denial.to_string();
        self.say_denied(console, action, about, &reason, (console.clock)()).await;
        Err(CommandError::Denied(reason))
    }

    /// Whether they may do it. Nobody hears of that.
    pub(crate) async fn allowed(
        &self,
        console: &Console,
        action: Action,
        about: Option<&StreamId>,
    ) -> Result<Result<(), Denial>, CommandError> {
        let state = match about {
            // What names its job need not be looked at.
            Some(id) if job_of(id, None).is_none() => console.state(id).await?,
            _ => None,
        };
        let body = state.as_ref().map(|state| &state.body);
        self.decided(console, action, about.map(|id| (id, body)), None).await
    }

    async fn decided(
        &self,
        console: &Console,
        action: Action,
        about: Option<(&StreamId, Option<&Body>)>,
        pool: Option<String>,
    ) -> Result<Result<(), Denial>, CommandError> {
        let (job, body) = match about {
            Some((id, body)) => (job_of(id, body), body),
            None => (None, None),
        };
        let state = match &job {
            Some(job) if body.and_then(Body::job).is_none() => console.state(job).await?,
            _ => None,
        };
        let of_job = state.as_ref().map(|state| &state.body).or(body);
        let mut pools = pools_reached(of_job, body);
        pools.extend(pool);
        let subject = Subject { job: job.as_ref().map(StreamId::rest), pools: &pools };
        Ok(decide(&self.user, &self.limits, action, &subject, (console.clock)()))
    }

    async fn say_denied(
        &self,
        console: &Console,
        action: Action,
        about: Option<&StreamId>,
        reason: &str,
        now: Timestamp,
    ) {
        if !console.denials.is_news(&self.user.name, action, now) {
            return;
        }
        let denied = UserDenied { action, subject: about.cloned(), reason: reason.to_owned() };
        let id = StreamId::user(&self.user.name);
        if let Err(error) = console.say_freely(&id, Some(&self.actor()), denied.into()).await {
            tracing::warn!(%error, user = %self.user.name, "a denial could not be said");
        }
    }
}

impl FromRequestParts<Console> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Problem> {
        if let Some(said) = said(parts) {
            let token = said.strip_prefix("Bearer ").ok_or_else(Problem::unauthorized)?;
            return by_token(console, token).await;
        }
        let caller = by_cookie(parts, console).await?.ok_or_else(Problem::unauthorized)?;
        if !parts.method.is_safe() && !is_our_own(parts, console.secure) {
            let why = "another site's page sent this: open the page here";
            return Err(Problem::forbidden(why));
        }
        Ok(caller)
    }
}

/// A program that can only look, and knows no tokens but names and passwords, as calendars do: the token is the
/// password, whatever the name. Nothing that acts takes this, because browsers send it wherever they are led.
#[derive(Debug)]
pub(crate) struct Subscriber;

impl FromRequestParts<Console> for Subscriber {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        let caller = match said(parts).and_then(password) {
            Some(token) => by_token(console, &token).await,
            None => Caller::from_request_parts(parts, console).await,
        };
        caller.map(|_| Self).map_err(challenge)
    }
}

/// Such programs ask for a password only where they are told to.
fn challenge(problem: Problem) -> Response {
    let mut response = problem.into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        let basic = HeaderValue::from_static("Basic realm=\"decklog\", charset=\"UTF-8\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, basic);
    }
    response
}

fn said(parts: &Parts) -> Option<&str> {
    parts.headers.get(AUTHORIZATION)?.to_str().ok()
}

/// The password of `Basic BASE64(NAME:PASSWORD)`.
fn password(value: &str) -> Option<String> {
    let pair = STANDARD.decode(value.strip_prefix("Basic ")?.trim()).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

/// Whose token it is.
async fn by_token(console: &Console, token: &str) -> Result<Caller, Problem> {
    let hash = Digest::of(token.trim().as_bytes());
    let now = (console.clock)();
    if console.people.of_token(&hash).is_none() && console.people.may_look(now) {
        console.people.look(&console.bus).await?;
    }
    let user = console.people.of_token(&hash).ok_or_else(Problem::unauthorized)?;
    let token = user.token(&hash, now).cloned().ok_or_else(Problem::token_over)?;
    let caller = Caller {
        via: Via::Token(token.name.clone()),
        limits: token.grants.clone(),
        cookie: None,
        expected: Expected::Whichever,
        user,
    };
    may_look(&caller, now)?;
    let day = now.to_zoned(TimeZone::UTC).date();
    if token.used != Some(day) && console.people.is_first_use(&caller.user.name, &token.name, day) {
        say_used(console, &caller.user.name, token.name, day);
    }
    Ok(caller)
}

/// Said once a day, and nobody waits for it.
fn say_used(console: &Console, user: &str, name: String, day: jiff::civil::Date) {
    let (console, id) = (console.clone(), StreamId::user(user));
    let event = UserTokenUsed { name, day };
    tokio::spawn(async move {
        match console.say_freely(&id, None, event.into()).await {
            // Where another request was faster, the log knows it.
            Ok(_) | Err(CommandError::Refused(_)) => {}
            Err(error) => tracing::warn!(%error, %id, "the use of a token could not be said"),
        }
    });
}

/// Whoever was removed, or was silent for too long, does not even look.
fn may_look(caller: &Caller, now: Timestamp) -> Result<(), Problem> {
    let all = Subject::default();
    let scoped = decide(&caller.user, &[], Action::View, &all, now);
    match scoped {
        Err(denial @ (Denial::Removed(_) | Denial::Idle(_))) => Err(Problem::forbidden(denial)),
        // Whose groups in the directory mean nothing here any more does not either.
        Err(denial) if caller.user.grants.is_empty() => Err(Problem::forbidden(denial)),
        // Lists hold what is of other folders too: who has a role anywhere sees how things stand.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whose session it is, where the cookie is ours and the session goes on.
pub(crate) async fn by_cookie(parts: &Parts, console: &Console) -> Result<Option<Caller>, Problem> {
    let value = parts.headers.get(COOKIES).and_then(|value| value.to_str().ok());
    let Some(kept) = value.and_then(cookie::find).and_then(|one| Kept::open(one, &console.keys))
    else {
        return Ok(None);
    };
    let now = (console.clock)();
    if console.people.get(&kept.user).is_none_or(|user| user.session(&kept.session, now).is_none())
        && console.people.may_look(now)
    {
        console.people.renew(&console.bus, &StreamId::user(&kept.user)).await?;
    }
    let Some(user) = console.people.get(&kept.user) else { return Ok(None) };
    if user.session(&kept.session, now).is_none() {
        return Ok(None);
    }
    if kept.is_idle(now) {
        let out = UserLoggedOut { session: kept.session.clone(), why: LogOut::Idle };
        console.say_freely(&StreamId::user(&kept.user), None, out.into()).await?;
        return Ok(None);
    }
    let cookie =
        kept.renewed(now).map(|kept| cookie::set(&kept.seal(&console.keys), console.secure));
    let caller = Caller {
        user,
        via: Via::Session(kept.session),
        limits: Vec::new(),
        cookie,
        expected: Expected::Whichever,
    };
    may_look(&caller, now)?;
    Ok(Some(caller))
}

/// Whether a page of ours sent a request, by what browsers say of that (Fetch Metadata, and `Origin` before it). Pages that
/// came by TLS are ours where browsers come by that, and only there: whoever can write into what goes in the clear could send
/// pages of the same name.
pub(crate) fn is_our_own(parts: &Parts, secure: bool) -> bool {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = header("sec-fetch-site") {
        return site == "same-origin";
    }
    let host = header(HOST.as_str());
    let scheme = if secure { "https://" } else { "http://" };
    let origin = header(ORIGIN.as_str()).and_then(|origin| origin.strip_prefix(scheme));
    host.is_some() && origin == host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_the_password_whatever_the_name() {
        for (value, wanted) in [
            ("Basic YW5hOmRlY2tsb2dfcGF0XzAw", Some("decklog_pat_00")),
            ("Basic OmE6Yg==", Some("a:b")),
            ("Basic YW5h", None),
            ("Basic !", None),
            ("Bearer decklog_pat_00", None),
        ] {
            assert_eq!(password(value).as_deref(), wanted, "{value}");
        }
    }

    #[test]
    fn a_request_is_our_own_by_the_word_of_the_browser_and_not_by_silence() {
        let ask = |headers: &[(&str, &str)], secure: bool| {
            let mut request = axum::http::Request::builder();
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            is_our_own(&request.body(()).unwrap().into_parts().0, secure)
        };
        for (headers, wanted) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("host", "a:7400"), ("origin", "http://a:7400")], true),
            (&[("host", "a:7400"), ("origin", "http://b:7400")], false),
            (&[("host", "a:7400"), ("origin", "null")], false),
            (&[("host", "a:7400")], false),
            (&[], false),
            (&[("sec-fetch-site", "cross-site"), ("host", "a"), ("origin", "http://a")], false),
        ] {
            assert_eq!(ask(headers, false), wanted, "{headers:?}");
        }
        let by = |scheme: &str, secure: bool| {
            ask(&[("host", "a:7400"), ("origin", &format!("{scheme}://a:7400"))], secure)
        };
        assert!(by("https", true) && !by("http", true), "where browsers come by TLS");
        assert!(by("http", false) && !by("https", false), "where they do not");
        assert!(!by("ftp", true) && !by("ftp", false));
    }
}
