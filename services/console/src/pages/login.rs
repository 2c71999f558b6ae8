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
}

/// The page.
pub(crate) async fn page(Query(asked): Query<Asked>) -> Page {
    let with_code = asked.code.is_some();
    let (name, code, next) = (asked.name, asked.code.unwrap_or_default(), asked.next);
    Page::of(&LoginPage { shell: Shell::bare(), problem: None, name, with_code, code, next })
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
            let status = match &gone {
                Gone::Wrong | Gone::Old | Gone::Refused(_) => StatusCode::FORBIDDEN,
                Gone::Wait(_) => StatusCode::TOO_MANY_REQUESTS,
                Gone::Command(_) | Gone::Here(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            let (problem, code) = (Some(gone.to_string()), String::new());
            let shell = Shell::bare();
            Page::of(&LoginPage { shell, problem, name, with_code, code, next }).with_status(status)
        }
    }
}

/// Somebody leaves.
pub(crate) async fn log_out(State(console): State<Console>, sent: Sent) -> Result<Page, Page> {
    let cookie = console.log_out(&sent.visitor.caller).await?;
    Ok(Page::away("/login").with_cookie(Some(cookie)))
}
