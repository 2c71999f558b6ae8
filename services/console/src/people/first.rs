//! The first account, the token on this machine, and the code by which the first person comes in.

use std::path::Path;

use anyhow::Context as _;
use domain::canonical::Digest;
use domain::envelope::Draft;
use domain::event::{
    Event, LogAccountsRequired, Role, UserCodeIssued, UserProvisioned, UserTokenCreated,
};
use domain::ids::StreamId;
use domain::ledger::Mark;
use domain::people::{Grant, User, plain_code};
use jiff::SignedDuration;

use super::secret::{new_code, new_token};
use crate::state::Console;

/// The account that is made where there is none.
const FIRST_USER: &str = "admin";
/// How long the token on this machine lives, and how long before its end it is made anew.
const TOKEN: (SignedDuration, SignedDuration) =
    (SignedDuration::from_hours(365 * 24), SignedDuration::from_hours(30 * 24));
/// How long the first code lives.
const CODE: SignedDuration = SignedDuration::from_hours(7 * 24 - 1);
/// How long a code lives that somebody at this machine asks for.
const LET_IN: SignedDuration = SignedDuration::from_hours(24);

/// Makes the first account where there is none, the token of this machine where it has none, and the code where nobody could
/// come in to the first account otherwise; the code.
///
/// # Errors
/// The disk refuses, or the recorder.
pub(crate) async fn prepare(console: &Console, data: &Path) -> anyhow::Result<Option<String>> {
    console.people.look(&console.bus).await?;
    if console.people.all().is_empty() {
        provision(console).await?;
    }
    require_accounts(console).await?;
    keep_token(console, data).await?;
    first_code(console, data).await
}

/// One person does everything at first, and gives the roles to others: the site's rule of two people holds for them too.
async fn provision(console: &Console) -> anyhow::Result<()> {
    let roles = [Role::Operator, Role::Author, Role::Approver, Role::Admin];
    let grants = roles.map(Grant::all).to_vec();
    let reason = "the first account of this log".to_owned();
    let event = UserProvisioned { grants, program: false, reason };
    say(console, &StreamId::user(FIRST_USER), None, event).await
}

async fn require_accounts(console: &Console) -> anyhow::Result<()> {
    if console.policy().await?.accounts {
        return Ok(());
    }
    let reason = "whoever acts has an account".to_owned();
    say(console, &StreamId::log("main"), None, LogAccountsRequired { reason }).await
}

/// Whoever may read the console's data directory acts as the first account.
async fn keep_token(console: &Console, data: &Path) -> anyhow::Result<()> {
    let path = data.join("console.token");
    let now = (console.clock)();
    let Some(user) = console.people.get(FIRST_USER).filter(|user| user.removed.is_none()) else {
        return Ok(());
    };
    if let Ok(token) = std::fs::read(&path) {
        let hash = Digest::of(token.trim_ascii());
        let known = user.token(&hash, now);
        if known.is_some_and(|token| token.until.is_none_or(|until| now + TOKEN.1 < until)) {
            return Ok(());
        }
    }
    let token = new_token()?;
    // On the disk first: a token that the log knows and nobody has would be of no use.
    let draft = path.with_extension("next");
    journal::replace(&draft, token.as_bytes(), 0o600)?;
    let created = UserTokenCreated {
        name: free_name(&user),
        token: Digest::of(token.as_bytes()),
        grants: Vec::new(),
        until: now + TOKEN.0,
    };
    say(console, &StreamId::user(FIRST_USER), Some(&user), created).await?;
    std::fs::rename(&draft, &path).with_context(|| format!("writing {}", path.display()))
}

fn free_name(user: &User) -> String {
    let free = |name: &String| user.tokens.iter().all(|token| token.name != *name);
    (1..).map(|n| format!("local-{n}")).find(free).unwrap_or_default()
}

async fn first_code(console: &Console, data: &Path) -> anyhow::Result<Option<String>> {
    let path = data.join("console.code");
    let now = (console.clock)();
    let Some(user) = console.people.get(FIRST_USER) else { return Ok(None) };
    // Whoever comes in by the directory needs no code.
    if user.password.is_some() || user.removed.is_some() || user.identity.is_some() {
        let _gone_already = std::fs::remove_file(&path);
        return Ok(None);
    }
    let open = user.code.filter(|(_, until)| now < *until).map(|(hash, _)| hash);
    if let (Ok(code), Some(open)) = (std::fs::read_to_string(&path), open)
        && Digest::of(plain_code(&code).as_bytes()) == open
    {
        return Ok(Some(code));
    }
    let code = new_code()?;
    let hash = Digest::of(plain_code(&code).as_bytes());
    let issued = UserCodeIssued { code: hash, until: now + CODE };
    say(console, &StreamId::user(FIRST_USER), None, issued).await?;
    journal::replace(&path, code.as_bytes(), 0o600)?;
    Ok(Some(code))
}

/// A code for somebody whom no administrator lets in any more: whoever starts a console on this machine may ask for it, and the
/// log hears of it from nobody in particular.
///
/// # Errors
/// The recorder refuses it: there is no such person.
pub(crate) async fn let_in(console: &Console, name: &str) -> anyhow::Result<String> {
    let code = new_code()?;
    let hash = Digest::of(plain_code(&code).as_bytes());
    let until = (console.clock)() + LET_IN;
    say(console, &StreamId::user(name), None, UserCodeIssued { code: hash, until }).await?;
    Ok(code)
}

async fn say(
    console: &Console,
    stream: &StreamId,
    by: Option<&User>,
    event: impl Into<Event>,
) -> anyhow::Result<()> {
    let (event, actor) = (event.into(), by.map(User::actor));
    loop {
        let version = bus::recorder::version(&console.bus, stream).await?;
        let draft = Draft::new(stream.clone(), version + 1, event.clone()).by(actor.as_deref());
        match console.outbox.say(draft).await?.mark {
            Mark::Valid => break,
            Mark::Conflict { .. } => {}
            Mark::Refused { reason } => {
                anyhow::bail!("the recorder refuses {}: {reason}", event.kind())
            }
        }
    }
    console.people.renew(&console.bus, stream).await?;
    Ok(())
}
