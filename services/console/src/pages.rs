//! Pages for people: made here, whole, and usable without scripts. Each shows from which position of the log it is.
//!
//! | module | about |
//! |---|---|
//! | `shell` | what is around each page, and who looks at it |
//! | `forms` | what a browser sends |
//! | `answer` | pages, redirections, problems; the headers of all |
//! | `night` | what is looked at in the morning, and signed |
//! | `changes` | what waits for somebody, and what it would do |
//! | `reading` | what pages ask the recorder for |
//! | `words`, `why` | how states, times and addresses are told; why a run or a job is as it is |
//! | `login`, `oidc`, `account`, `people` | coming in, by a password or a directory; one's own account; all accounts, and the table of who may do what |
//! | `access` | who may do what, looked at by somebody else, and signed |
//! | `timeline` | what ran and what will, drawn and as a table |
//! | `jobs`, `job`, `runs`, `run` | what is to run, and what ran |
//! | `schedule` | a job as a form, looked at before it is proposed |
//! | `backups`, `dataset` | what could be restored now |
//! | `files`, `restore` | names of files in snapshots; bringing some back, step by step |
//! | `prints`, `stock` | documents; queues and numbered forms |
//! | `hosts` | where things run |
//! | `incidents` | failures that somebody must deal with, and who is on call |
//! | `events` | the log |
//! | `controls` | the rules that an auditor tests, month by month |
//! | `requests` | what auditors ask to be shown, and what is answered |
//! | `site` | the site itself: how it stands, its rules, and what is not as it should be |
//! | `api` | what programs ask and do |

mod access;
mod account;
mod answer;
mod api;
mod backups;
mod changes;
mod controls;
mod dataset;
mod events;
mod files;
mod forms;
pub(crate) mod hosts;
mod incidents;
mod job;
mod jobs;
mod login;
mod night;
mod oidc;
mod people;
mod prints;
mod reading;
mod records;
mod requests;
mod restore;
mod run;
mod runs;
mod schedule;
mod shell;
mod site;
mod stock;
mod timeline;
mod why;
pub(crate) mod words;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use domain::ids::StreamId;
use domain::people::Action;
use domain::site::ThingKind;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::commands::CommandError;
use crate::state::Console;
use answer::Page;
pub(crate) use answer::encoded;
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

/// The stream of something that is defined, by a name that somebody wrote.
fn thing_id(kind: ThingKind, name: &str) -> Result<StreamId, CommandError> {
    domain::ids::check_name(kind.word(), name).map_err(|e| CommandError::Invalid(e.to_string()))?;
    Ok(StreamId::thing(kind, name))
}

/// Something here went wrong.
fn broken(error: &dyn std::fmt::Display) -> Page {
    Page::problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
}

/// A form asked for an act that there is not.
fn no_such(act: &str, of: &str) -> CommandError {
    CommandError::Invalid(format!("{act:?} is nothing that is done to a {of}"))
}

pub(crate) fn routes(secure: bool) -> Router<Console> {
    Router::new()
        .route("/", get(home))
        .route("/login", get(login::page).post(login::log_in))
        .route("/login/oidc", get(oidc::away))
        .route("/login/oidc/back", get(oidc::back))
        .route("/logout", post(login::log_out))
        .route("/account", get(account::page))
        .route("/account/password", post(account::set_password))
        .route("/account/tokens", post(account::create_token))
        .route("/night", get(night::page))
        .route("/night/notes", post(night::note))
        .route("/night/signature", post(night::sign))
        .route("/night/signed", get(night::signed))
        .route("/timeline", get(timeline::page))
        .route("/changes", get(changes::page))
        .route("/changes/{kind}/{name}", get(changes::one).post(changes::act))
        .route("/people", get(people::page).post(people::provision))
        .route("/people/roles", get(people::roles))
        .route("/people/review", get(access::page).post(access::sign))
        .route("/people/{name}", get(people::person).post(people::act))
        .route("/people/{name}/code", post(people::issue_code))
        .route("/jobs", get(jobs::page))
        .route("/jobs/{name}", get(job::page).post(job::act))
        .route("/schedules/new", get(schedule::page).post(schedule::propose))
        .route("/runs", get(runs::page))
        .route("/runs/{*run}", get(run::page).post(run::act))
        .route("/backups", get(backups::page))
        .route("/backups/{name}", get(dataset::page).post(dataset::act))
        .route("/backups/{name}/files", get(files::page).post(files::look))
        .route("/backups/{name}/restore", get(restore::page).post(restore::step))
        .route("/prints", get(prints::page))
        .route("/prints/documents/{id}", get(prints::document).post(prints::act))
        .route("/prints/queues", get(stock::page).post(stock::act))
        .route("/prints/forms/{name}", get(stock::form).post(stock::keep))
        .route("/hosts", get(hosts::page).post(hosts::post))
        .route("/hosts/{name}", get(hosts::host).post(hosts::act))
        .route("/incidents", get(incidents::page).post(incidents::report))
        .route("/incidents/{*incident}", get(incidents::one).post(incidents::act))
        .route("/rota", get(incidents::rota))
        .route("/acknowledge", get(incidents::link).post(incidents::follow))
        .route("/events", get(events::page).post(events::keep))
        .route("/events/{position}", get(events::event))
        .route("/controls", get(controls::page))
        .route("/controls/{id}", get(controls::one).post(controls::act))
        .route("/records", get(records::page).post(records::act))
        .route("/requests", get(requests::page).post(requests::ask))
        .route("/requests/{number}", get(requests::one).post(requests::act))
        .route("/site", get(site::page).post(site::post))
        .route("/docs", get(api::page))
        .route("/assets/{name}", get(answer::asset))
        .layer(axum::middleware::map_response_with_state(secure, answer::harden))
}

/// Where somebody lands: whoever may say yes begins with what waits for that, everybody else with the night.
async fn home(visitor: Visitor, State(_): State<Console>) -> Page {
    let approves = visitor.could(Action::Approve) && !visitor.could(Action::SteerRuns);
    visitor.away(if approves { "/changes" } else { "/night" })
}
