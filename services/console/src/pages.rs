//! Pages for people: made here, whole, and usable without scripts. Each shows from which position of the log it is.
//!
//! | module | about |
//! |---|---|
//! | `shell` | what is around each page, and who looks at it |
//! | `forms` | what a browser sends |
//! | `answer` | pages, redirections, problems; the headers of all |
//! | `night` | what is looked at in the morning, and signed |
//! | `changes` | what waits for somebody, and what it would do |
//! | `login`, `account`, `people` | coming in; one's own account; all accounts, and the table of who may do what |

mod account;
mod answer;
mod changes;
mod forms;
mod login;
mod night;
mod people;
mod shell;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use domain::people::Action;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::state::Console;
use answer::Page;
use shell::Visitor;

/// An instant, however a template holds it.
pub(crate) trait Instant {
    fn instant(&self) -> Timestamp;
}

impl Instant for Timestamp {
    fn instant(&self) -> Timestamp {
        *self
    }
}

impl<T: Instant> Instant for &T {
    fn instant(&self) -> Timestamp {
        (*self).instant()
    }
}

/// An instant as people at the console's machine read it, with its offset.
pub(crate) fn when(at: impl Instant) -> String {
    at.instant().to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/", get(home))
        .route("/login", get(login::page).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/account", get(account::page))
        .route("/account/password", post(account::set_password))
        .route("/account/tokens", post(account::create_token))
        .route("/night", get(night::page))
        .route("/night/notes", post(night::note))
        .route("/night/signature", post(night::sign))
        .route("/night/signed", get(night::signed))
        .route("/changes", get(changes::page))
        .route("/changes/{kind}/{name}", get(changes::one).post(changes::act))
        .route("/people", get(people::page).post(people::provision))
        .route("/people/roles", get(people::roles))
        .route("/people/{name}", get(people::person).post(people::act))
        .route("/people/{name}/code", post(people::issue_code))
        .route("/assets/{name}", get(answer::asset))
        .layer(axum::middleware::map_response(answer::harden))
}

/// Where somebody lands: whoever may say yes begins with what waits for that, everybody else with the night.
async fn home(visitor: Visitor, State(_): State<Console>) -> Page {
    let approves = visitor.could(Action::Approve) && !visitor.could(Action::SteerRuns);
    visitor.away(if approves { "/changes" } else { "/night" })
}
