//! One's own account: password, sessions, tokens.

use askama::Template;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::answer::Page;
use super::forms::Sent;
use super::shell::{Shell, Visitor};
use crate::api::UserView;
use crate::commands::{Once, TokenWanted};
use crate::listen::Peer;
use crate::people::NewPassword;
use crate::problem::Problem;
use crate::state::Console;

/// What stands in the address of the page.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    first: u8,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    shell: Shell,
    user: UserView,
    session: String,
    word: String,
    first: bool,
    /// Whether the old password is asked for.
    asks: bool,
    problem: Option<String>,
    once: Option<Once>,
}

fn account(console: &Console, visitor: &Visitor) -> AccountPage {
    let name = &visitor.user().name;
    let user = console.people.get(name).unwrap_or_else(|| visitor.user().clone());
    AccountPage {
        shell: visitor.shell().cli("decklog user whoami\ndecklog user token create NAME --days 90"),
        user: UserView::of(&user, visitor.now),
        session: visitor.caller.session().unwrap_or_default().to_owned(),
        word: visitor.word(),
        first: false,
        asks: visitor.caller.is_asked_for_password(&user),
        problem: None,
        once: None,
    }
}

/// The page.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Page {
    let first = asked.first == 1 && visitor.user().password.is_none();
    visitor.page(&AccountPage { first, ..account(&console, &visitor) })
}

/// Another password.
pub(crate) async fn set_password(
    State(console): State<Console>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    sent: Sent,
) -> Page {
    let old = sent.fields.get("old").map(str::to_owned);
    let wanted = NewPassword { old, new: sent.fields.text("password") };
    match console.set_password(&sent.visitor.caller, wanted, from.ip()).await {
        Ok(came) => Page::away("/").with_cookie(Some(came.cookie)),
        Err(gone) => {
            let first = sent.visitor.user().password.is_none();
            let text = gone.to_string();
            let status = Problem::from(gone).code();
            let page =
                AccountPage { problem: Some(text), first, ..account(&console, &sent.visitor) };
            sent.visitor.page(&page).with_status(status)
        }
    }
}

/// A token, shown once.
pub(crate) async fn create_token(State(console): State<Console>, sent: Sent) -> Page {
    let visitor = &sent.visitor;
    let days = sent.fields.number("days");
    let made = match sent.fields.grants("grants").and_then(|grants| Ok((grants, days?))) {
        Ok((grants, days)) => {
            let wanted = TokenWanted { name: sent.fields.text("name"), grants, days };
            let made = console.create_token(&visitor.user().name, &wanted, &visitor.caller).await;
            made.map_err(|error| error.to_string())
        }
        Err(problem) => Err(problem),
    };
    let page = account(&console, visitor);
    match made {
        Ok(once) => visitor.page(&AccountPage { once: Some(once), ..page }),
        Err(problem) => visitor
            .page(&AccountPage { problem: Some(problem), ..page })
            .with_status(StatusCode::BAD_REQUEST),
    }
}
