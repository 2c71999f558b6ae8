//! Who asks: API tokens. The log holds their hashes; the first one is made at first start.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bus::Bus;
use bus::recorder::{AskError, ask};
use domain::canonical::{Digest, hex};
use domain::envelope::Draft;
use domain::event::{Role, UserCreated, UserTokenIssued};
use domain::ids::StreamId;
use domain::ledger::Mark;
use domain::wire::{Content, Query, Selection};
use jiff::Timestamp;

use crate::problem::Problem;
use crate::state::Console;

/// Begins every token, so that secret scanners know it.
const PREFIX: &str = "decklog_pat_";
/// The account of the first token.
const FIRST_USER: &str = "admin";
/// Seconds between two looks at the log for a token nobody knows: guessing must not cost the recorder.
const LOOK_SECONDS: i64 = 2;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    name: String,
    roles: Vec<Role>,
}

impl Caller {
    /// How the log names them.
    pub(crate) fn actor(&self) -> String {
        format!("user/{}", self.name)
    }

    /// Refuses what needs a role they do not have.
    pub(crate) fn needs(&self, role: Role) -> Result<(), Problem> {
        if self.roles.contains(&role) {
            return Ok(());
        }
        Err(Problem::forbidden(format!("{} does not have the role {role:?}", self.actor())))
    }
}

/// The tokens the log knows.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    callers: BTreeMap<Digest, Caller>,
    looked: Option<Timestamp>,
}

impl Tokens {
    fn find(&self, token: &Digest) -> Option<Caller> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.callers.get(token).cloned()
    }

    fn may_look(&self, now: Timestamp) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due =
            known.looked.is_none_or(|at| (now.as_second() - at.as_second()).abs() >= LOOK_SECONDS);
        if due {
            known.looked = Some(now);
        }
        due
    }

    async fn look(&self, bus: &Bus) -> Result<usize, AskError> {
        let query = Query::Streams { of: Selection::Users, after: String::new(), limit: 1_000 };
        let Content::Streams(streams) = ask(bus, &query).await?.content else { return Ok(0) };
        let users: Vec<_> = streams.iter().filter_map(|view| view.state.body.user()).collect();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.callers.clear();
        for user in &users {
            for token in &user.tokens {
                let caller = Caller { name: user.name.clone(), roles: user.roles.clone() };
                known.callers.insert(*token, caller);
            }
        }
        Ok(users.len())
    }
}

impl FromRequestParts<Console> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Problem> {
        let token = said(parts).and_then(|value| value.strip_prefix("Bearer "));
        find(console, token.ok_or_else(Problem::unauthorized)?).await
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
            Some(token) => find(console, &token).await,
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
async fn find(console: &Console, token: &str) -> Result<Caller, Problem> {
    let hash = Digest::of(token.trim().as_bytes());
    if let Some(caller) = console.tokens.find(&hash) {
        return Ok(caller);
    }
    if console.tokens.may_look((console.clock)()) {
        console.tokens.look(&console.bus).await?;
    }
    console.tokens.find(&hash).ok_or_else(Problem::unauthorized)
}

/// Makes the first account and its token where the data directory holds none, and loads the others.
pub(crate) async fn prepare(console: &Console, data: &Path) -> anyhow::Result<()> {
    let users = console.tokens.look(&console.bus).await?;
    let path = data.join("console.token");
    if path.exists() {
        return Ok(());
    }
    let mut entropy = [0_u8; 32];
    getrandom::fill(&mut entropy).map_err(|error| anyhow::anyhow!("no entropy: {error}"))?;
    let token = format!("{PREFIX}{}", hex(&entropy));
    // On the disk first: a token that the log knows and nobody has would be of no use.
    let draft = path.with_extension("new");
    let _ = std::fs::remove_file(&draft);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    issue(console, users == 0, Digest::of(token.as_bytes())).await?;
    std::fs::rename(&draft, &path).with_context(|| format!("writing {}", path.display()))?;
    console.tokens.look(&console.bus).await?;
    Ok(())
}

async fn issue(console: &Console, first: bool, token: Digest) -> anyhow::Result<()> {
    let stream = StreamId::user(FIRST_USER);
    loop {
        let version = bus::recorder::version(&console.bus, &stream).await?;
        let mut drafts = Vec::new();
        if first && version == 0 {
            let roles = vec![Role::Operator, Role::Approver, Role::Auditor];
            drafts.push(Draft::new(stream.clone(), 1, UserCreated { roles }));
        }
        let next = version + drafts.len() as u64 + 1;
        drafts.push(Draft::new(stream.clone(), next, UserTokenIssued { token }));
        let verdicts = console.outbox.append(drafts).await?.committed().await?;
        if verdicts.last().is_some_and(|verdict| verdict.mark == Mark::Valid) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::password;

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
}
