//! Coming in and leaving.

use askama::Template;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{StatusCode, request::Parts};
use serde::Deserialize;

use super::answer::Page;
use super::forms::{Fields, Sent};
use super::shell::Shell;
use crate::listen::Peer;
use crate::people::{Gone, Identity, is_our_own};
use crate::state::Console;

/// What stands in the address of the page.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    name: String,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    shell: Shell,
    problem: Option<String>,
    name: String,
    with_code: bool,
    code: String,
    next: String,
    /// What the directory is called by which they may come in too.
    directory: Option<String>,
}

/// What somebody has tried.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    name: String,
    with_code: bool,
    code: String,
    next: String,
}

impl Tried {
    /// Nothing yet, on the way to a page.
    pub(crate) fn at(next: String) -> Self {
        Self { next, ..Self::default() }
    }
}

fn login_page(console: &Console, tried: Tried, problem: Option<String>) -> Page {
    let Tried { name, with_code, code, next } = tried;
    let directory = console.provider.as_ref().map(|provider| provider.name().to_owned());
    let shell = Shell::bare();
    Page::of(&LoginPage { shell, problem, name, with_code, code, next, directory })
}

/// The page again, with why they are not in.
pub(crate) fn refused(console: &Console, gone: &Gone, tried: Tried) -> Page {
    let status = match gone {
        Gone::Wrong | Gone::Old | Gone::Refused(_) => StatusCode::FORBIDDEN,
        Gone::Wait(_) => StatusCode::TOO_MANY_REQUESTS,
        Gone::Command(_) | Gone::Here(_) | Gone::Directory(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    login_page(console, tried, Some(gone.to_string())).with_status(status)
}

/// The page.
pub(crate) async fn page(State(console): State<Console>, Query(asked): Query<Asked>) -> Page {
    let with_code = asked.code.is_some();
    let (name, code, next) = (asked.name, asked.code.unwrap_or_default(), asked.next);
    login_page(&console, Tried { name, with_code, code, next }, None)
}

/// Somebody gives a name, and a password or a code.
pub(crate) async fn log_in(
    State(console): State<Console>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    parts: Parts,
    fields: Fields,
) -> Page {
    if !is_our_own(&parts, console.secure) {
        return Page::problem(StatusCode::FORBIDDEN, "another site's page sent this: log in here");
    }
    let (name, next) = (fields.text("name"), fields.text("next"));
    let with_code = fields.get("code").is_some();
    let identity = match fields.get("code") {
        Some(code) => Identity::Code(code.to_owned()),
        None => Identity::Password(fields.text("password")),
    };
    match console.log_in(&name, identity, from.ip()).await {
        Ok(came) => {
            let next = if next.is_empty() { "/" } else { &next };
            let to = if came.by_code { "/account?first=1" } else { next };
            Page::away(to).with_cookie(Some(came.cookie))
        }
        Err(gone) => {
            let code = String::new();
            refused(&console, &gone, Tried { name, with_code, code, next })
        }
    }
}

/// Somebody leaves.
pub(crate) async fn log_out(State(console): State<Console>, sent: Sent) -> Result<Page, Page> {
    let cookie = console.log_out(&sent.visitor.caller).await?;
    Ok(Page::away("/login").with_cookie(Some(cookie)))
}
