//! Names of files in snapshots. Each question is an event, so that none is a GET; and what it asks for is a name of a file
//! often, so that it stands in no address, which proxies keep.

use axum::Json;
use axum::extract::{Path, State};
use domain::backup::looking::Wanted;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Body, Result};
use crate::commands::Eyes;
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;
use domain::people::Action;

/// A directory of a snapshot.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Browse {
    /// The directory; the root when absent.
    #[serde(default)]
    path: String,
    /// The host that looks; one that is likely to reach the repository when absent.
    #[serde(default)]
    host: Option<String>,
    /// Most names, 1 to 5000; 1000 when absent.
    #[serde(default)]
    limit: Option<u32>,
}

/// Files by name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Find {
    /// A glob: with a slash against the whole path, without one against the name.
    pattern: String,
    /// In which repository; the one with the most snapshots of the dataset when absent.
    #[serde(default)]
    repository: Option<String>,
    /// The host that looks; one that is likely to reach the repository when absent.
    #[serde(default)]
    host: Option<String>,
    /// Most names, 1 to 5000; 1000 when absent.
    #[serde(default)]
    limit: Option<u32>,
}

/// Another snapshot to compare with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Diff {
    /// The newer one: the first letters of its name.
    with: String,
    /// The host that looks; one that is likely to reach the repository when absent.
    #[serde(default)]
    host: Option<String>,
    /// Most names, 1 to 5000; 1000 when absent.
    #[serde(default)]
    limit: Option<u32>,
}

async fn look(
    caller: &Caller,
    console: &Console,
    name: &str,
    wanted: &Wanted,
    eyes: &Eyes,
) -> Result<Json<Value>> {
    caller.may(console, Action::LookIntoBackups, None).await?;
    domain::ids::check_name("dataset", name).map_err(Problem::bad_request)?;
    let (position, looked) = console.look(name, wanted, eyes, caller).await?;
    Ok(Json(json!({"position": position, "looked": looked})))
}

/// Lists a directory of a snapshot. The log hears who looked, and no name.
#[utoipa::path(post, path = "/api/v1/datasets/{name}/snapshots/{snapshot}/browse", params(("name" = String, Path), ("snapshot" = String, Path, description = "the first letters of its name")), request_body = Browse, responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 502, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn browse(
    caller: Caller,
    State(console): State<Console>,
    Path((name, snapshot)): Path<(String, String)>,
    Body(body): Body<Browse>,
) -> Result<Json<Value>> {
    let Browse { path, host, limit } = body;
    look(&caller, &console, &name, &Wanted::Browse { snapshot, path }, &Eyes { host, limit }).await
}

/// Finds files by name in the dataset's snapshots of one repository. The log hears who looked, and no name.
#[utoipa::path(post, path = "/api/v1/datasets/{name}/find", params(("name" = String, Path)), request_body = Find, responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 502, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn find(
    caller: Caller,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(body): Body<Find>,
) -> Result<Json<Value>> {
    let Find { pattern, repository, host, limit } = body;
    look(&caller, &console, &name, &Wanted::Find { pattern, repository }, &Eyes { host, limit })
        .await
}

/// Compares a snapshot with a newer one of the same repository. The log hears who looked, and no name.
#[utoipa::path(post, path = "/api/v1/datasets/{name}/snapshots/{snapshot}/diff", params(("name" = String, Path), ("snapshot" = String, Path, description = "the first letters of the older one's name")), request_body = Diff, responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 502, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn diff(
    caller: Caller,
    State(console): State<Console>,
    Path((name, snapshot)): Path<(String, String)>,
    Body(body): Body<Diff>,
) -> Result<Json<Value>> {
    let Diff { with, host, limit } = body;
    let wanted = Wanted::Diff { a: snapshot, b: with };
    look(&caller, &console, &name, &wanted, &Eyes { host, limit }).await
}
