//! Coming in by the directory: there, and back.

use askama::Template;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::header::{COOKIE, HOST};
use axum::http::request::Parts;
use serde::Deserialize;

use super::answer::{Page, encoded};
use super::login;
use super::shell::Shell;
use crate::listen::Peer;
use crate::people::Brought;
use crate::state::Console;

/// Where they want to go.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    next: String,
    /// Whether they were led to this name of the console already: something in front may call it otherwise.
    #[serde(default)]
    led: u8,
}

/// What the directory sends with them (RFC 6749 §4.1.2).
#[derive(Debug, Deserialize)]
pub(crate) struct Back {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: Option<String>,
    /// Who sends them (RFC 9207).
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
}

#[derive(Template)]
#[template(path = "welcome.html")]
struct WelcomePage {
    shell: Shell,
    next: String,
}

/// To the directory. Whoever comes by another name of this console than the directory knows is led to that one first: a cookie
/// does not come along from one to the other.
pub(crate) async fn away(
    State(console): State<Console>,
    Query(wanted): Query<Wanted>,
    parts: Parts,
) -> Page {
    let here = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
    if let (Some(provider), Some(here), 0) = (&console.provider, here, wanted.led) {
        let known = provider.console();
        if known.split_once("://").is_some_and(|(_, name)| name != here) {
            return Page::elsewhere(format!(
                "{known}/login/oidc?led=1&next={}",
                encoded(&wanted.next)
            ));
        }
    }
    match console.send_away(wanted.next.clone()).await {
        Ok((url, cookie)) => Page::elsewhere(url).with_cookie(Some(cookie)),
        Err(gone) => login::refused(&console, &gone, login::Tried::at(wanted.next)),
    }
}

/// Back from there. This page was opened from elsewhere, and a strict cookie goes with what we open ourselves only: so it leads
/// on by itself.
pub(crate) async fn back(
    State(console): State<Console>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    Query(back): Query<Back>,
    parts: Parts,
) -> Page {
    let error = back.error_description.as_deref().or(back.error.as_deref());
    let cookies = parts.headers.get(COOKIE).and_then(|value| value.to_str().ok());
    let (iss, code) = (back.iss.as_deref(), back.code.as_deref());
    let brought = Brought { cookies, state: &back.state, iss, code, error };
    let page = match console.come_back(brought, from.ip()).await {
        Ok((came, next)) => {
            let next = Page::within(&next).to_owned();
            Page::of(&WelcomePage { shell: Shell::bare(), next }).with_cookie(Some(came.cookie))
        }
        Err(gone) => login::refused(&console, &gone, login::Tried::default()),
    };
    page.with_cookie(Some(console.forget_tie()))
}
