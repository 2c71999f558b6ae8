//! Accounts: who there is, who asks, and what each may do.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use domain::event::Role;
use domain::ids::StreamId;
use domain::people::{Action, Directory, Grant, Session, User};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Body, Result};
use crate::commands::{Applied, FilterWanted, Once, TokenWanted, UserAct};
use crate::listen::Peer;
use crate::people::{Caller, NewPassword, Via};
use crate::problem::Problem;
use crate::state::Console;

/// A token, without what lets anybody in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Its name.
    pub name: String,
    /// What it may at most; empty for what the account may.
    pub grants: Vec<String>,
    /// When it was made.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// When it ends.
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// The day it was used last.
    #[schema(value_type = Option<String>)]
    pub used: Option<Date>,
}

/// A session that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// Its public name.
    pub name: String,
    /// How they came in.
    pub by: String,
    /// When.
    #[schema(value_type = String)]
    pub began: Timestamp,
    /// When it ends at the latest.
    #[schema(value_type = String)]
    pub until: Timestamp,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserView {
    /// Its name.
    pub name: String,
    /// What it may do, and of what.
    pub grants: Vec<String>,
    /// Whether a program has it.
    pub program: bool,
    /// Whether it was removed, or nothing was heard of it for 90 days: it may do nothing.
    pub state: String,
    /// When it was heard of last.
    #[schema(value_type = Option<String>)]
    pub seen: Option<Timestamp>,
    /// Whether it has a password.
    pub password: bool,
    /// What the site's directory calls it (`sub`), where it comes in by that and by no password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The directory that calls it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Its groups there that mean something here, as they were when it came in last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Searches of the events page that it keeps, by name: what stands behind the `?` of the page's address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filters: BTreeMap<String, String>,
    /// Its open tokens.
    pub tokens: Vec<TokenView>,
    /// Its open sessions.
    pub sessions: Vec<SessionView>,
}

fn words(grants: &[Grant]) -> Vec<String> {
    grants.iter().map(Grant::to_string).collect()
}

impl UserView {
    /// How an account stands at an instant.
    pub fn of(user: &User, now: Timestamp) -> Self {
        let tokens = user.tokens.iter().filter(|token| token.is_open(now));
        let open = |one: &&Session| one.ended.is_none() && now < one.until;
        let state = match (&user.removed, user.is_idle(now)) {
            (Some(_), _) => "removed",
            (None, true) => "idle",
            (None, false) => "active",
        };
        Self {
            name: user.name.clone(),
            grants: words(&user.grants),
            program: user.program,
            state: state.to_owned(),
            seen: user.seen,
            password: user.password.is_some(),
            subject: user.identity.as_ref().map(|identity| identity.subject.clone()),
            issuer: user.identity.as_ref().map(|identity| identity.issuer.clone()),
            groups: user.groups.clone(),
            filters: user.filters.clone(),
            tokens: tokens
                .map(|token| TokenView {
                    name: token.name.clone(),
                    grants: words(&token.grants),
                    created: token.created,
                    until: token.until,
                    used: token.used,
                })
                .collect(),
            sessions: user
                .sessions
                .iter()
                .filter(open)
                .map(|one| SessionView {
                    name: one.name.clone(),
                    by: one.by.word().to_owned(),
                    began: one.began,
                    until: one.until,
                })
                .collect(),
        }
    }
}

/// Who asks, and what they may.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    /// The account.
    user: UserView,
    /// By what they came in: `token/NAME` or `session/NAME`.
    via: String,
    /// The actions they may do somewhere.
    may: Vec<&'static str>,
}

/// A row of the table of who may do what.
#[derive(Debug, Serialize, ToSchema)]
pub struct MayRow {
    /// The action.
    pub action: &'static str,
    /// What it is, to be read after "may".
    pub words: &'static str,
    /// The roles that may.
    pub roles: Vec<&'static str>,
    /// Whether only a person may, and no program.
    pub person: bool,
}

/// The table of who may do what.
pub fn may_rows() -> Vec<MayRow> {
    let row = |action: Action| MayRow {
        action: action.word(),
        words: action.words(),
        roles: action.roles().iter().copied().map(Role::word).collect(),
        person: action.needs_person(),
    };
    Action::ALL.into_iter().map(row).collect()
}

/// An act, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SaidOfUser {
    /// What.
    act: UserAct,
    /// Why.
    reason: String,
}

/// Another password of one's own account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordWanted {
    /// The one it has. Only a session that a code began, and one of an account without a password, goes without.
    #[serde(default)]
    old: Option<String>,
    /// The one it is to have, of 15 characters at least.
    password: String,
}

fn user_name(name: &str) -> Result<&str> {
    domain::ids::check_name("user", name).map_err(Problem::bad_request)?;
    Ok(name)
}

/// Who asks, by what, and what they may do.
#[utoipa::path(get, path = "/api/v1/me", responses((status = 200, body = Me), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn me(caller: Caller, State(console): State<Console>) -> Json<Me> {
    let now = (console.clock)();
    let via = match &caller.via {
        Via::Token(name) => format!("token/{name}"),
        Via::Session(name) => format!("session/{name}"),
        Via::Link => "link".to_owned(),
    };
    let may = Action::ALL.into_iter().filter(|action| caller.could(*action, now));
    let may = may.map(Action::word).collect();
    Json(Me { user: UserView::of(&caller.user, now), via, may })
}

/// Sets another password of one's own account. All its sessions end; tokens go on.
#[utoipa::path(post, path = "/api/v1/me/password", request_body = PasswordWanted, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn set_password(
    caller: Caller,
    State(console): State<Console>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    Body(wanted): Body<PasswordWanted>,
) -> Result<Json<Applied>> {
    // As a form of the pages sends them.
    let old = wanted.old.map(|old| old.trim().to_owned());
    let wanted = NewPassword { old, new: wanted.password.trim().to_owned() };
    let position = console.change_password(&caller, wanted, from.ip()).await?;
    let message = "the password is another one; all sessions are ended".to_owned();
    Ok(Json(Applied { position, stream: StreamId::user(&caller.user.name), message }))
}

/// Keeps a search of the events page under a name, or forgets it where there is no query.
#[utoipa::path(post, path = "/api/v1/me/filters", request_body = FilterWanted, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn save_filter(
    caller: Caller,
    State(console): State<Console>,
    Body(wanted): Body<FilterWanted>,
) -> Result<Json<Applied>> {
    Ok(Json(console.save_filter(&wanted, &caller).await?))
}

/// The table: which roles may do what.
#[utoipa::path(get, path = "/api/v1/roles", responses((status = 200, body = Vec<MayRow>), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn roles(_: Caller) -> Json<Vec<MayRow>> {
    Json(may_rows())
}

/// A directory by which people come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DirectoryView {
    /// Its address.
    pub issuer: String,
    /// Its groups that may do something here.
    pub groups: Vec<GroupView>,
}

/// A group of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// What it may do here, and of what.
    pub grants: Vec<String>,
}

impl DirectoryView {
    /// A directory as it is shown.
    pub fn of(directory: &Directory) -> Self {
        let group = |(name, grants): (&String, &Vec<Grant>)| GroupView {
            name: name.clone(),
            grants: words(grants),
        };
        let groups = directory.groups.iter().map(group).collect();
        Self { issuer: directory.issuer.clone(), groups }
    }
}

/// The directory by which people come in, and what its groups may do here.
#[utoipa::path(get, path = "/api/v1/directory", responses((status = 200, body = DirectoryView), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn directory(
    _: Caller,
    State(console): State<Console>,
) -> Result<Json<DirectoryView>> {
    let none = || Problem::not_found("this site has no directory by which people come in");
    let directory = console.directory().await?.ok_or_else(none)?;
    Ok(Json(DirectoryView::of(&directory)))
}

/// All accounts, in the order of their names.
#[utoipa::path(get, path = "/api/v1/users", responses((status = 200, body = Vec<UserView>), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn list_users(_: Caller, State(console): State<Console>) -> Json<Vec<UserView>> {
    let now = (console.clock)();
    Json(console.people.all().iter().map(|user| UserView::of(user, now)).collect())
}

/// An account.
#[utoipa::path(get, path = "/api/v1/users/{name}", params(("name" = String, Path)), responses((status = 200, body = UserView), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn show_user(
    _: Caller,
    State(console): State<Console>,
    Path(name): Path<String>,
) -> Result<Json<UserView>> {
    let user = console.people.get(user_name(&name)?);
    let user = user.ok_or_else(|| Problem::not_found(format!("there is no user {name}")))?;
    Ok(Json(UserView::of(&user, (console.clock)())))
}

/// Makes, changes or removes an account, or ends a session or token of it.
#[utoipa::path(post, path = "/api/v1/users/{name}/acts", params(("name" = String, Path)), request_body = SaidOfUser, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn act_on_user(
    caller: Caller,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(said): Body<SaidOfUser>,
) -> Result<Json<Applied>> {
    Ok(Json(console.set_user(user_name(&name)?, &said.act, &caller, &said.reason).await?))
}

/// A code by which they come in once and set a password; it lives for a day.
#[utoipa::path(post, path = "/api/v1/users/{name}/code", params(("name" = String, Path)), responses((status = 200, body = Once), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn issue_code(
    caller: Caller,
    State(console): State<Console>,
    Path(name): Path<String>,
) -> Result<Json<Once>> {
    Ok(Json(console.issue_code(user_name(&name)?, &caller).await?))
}

/// A token of one's own account, or of a program's. It is shown once.
#[utoipa::path(post, path = "/api/v1/users/{name}/tokens", params(("name" = String, Path)), request_body = TokenWanted, responses((status = 200, body = Once), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn create_token(
    caller: Caller,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(wanted): Body<TokenWanted>,
) -> Result<Json<Once>> {
    Ok(Json(console.create_token(user_name(&name)?, &wanted, &caller).await?))
}
