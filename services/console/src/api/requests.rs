//! Requests for runs.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::repeated::ByKey;
use super::{Body, Result, job_name, run_id};
use crate::commands::{Applied, Wish};
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;

/// A request for a run, or for one of each job of a flow.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Why.
    reason: String,
    /// The same text asks for the same run: 1 to 63 of `[a-z0-9._-]`. Made of the `Idempotency-Key` when absent, or drawn.
    #[serde(default)]
    request: Option<String>,
    /// Values of parameters, by their names.
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

/// The runs of a flow that was asked for.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FlowRequested {
    /// The request that they share.
    pub request: String,
    /// Each of them.
    pub items: Vec<Applied>,
}

impl Wanted {
    fn wish(self, by_key: ByKey) -> Result<Wish> {
        let request = self.request.unwrap_or(by_key.0);
        domain::ids::check_name("request", &request).map_err(Problem::bad_request)?;
        Ok(Wish { request, reason: self.reason, parameters: self.parameters })
    }
}

/// Asks for a run of a job, now.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/runs", params(("name" = String, Path)), request_body = Wanted, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn request_run(
    caller: Caller,
    by_key: ByKey,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(body): Body<Wanted>,
) -> Result<Json<Applied>> {
    let wish = body.wish(by_key)?;
    Ok(Json(console.request_run(job_name(&name)?, &wish, &caller).await?))
}

/// Asks for one run of each job of a flow, now: each waits for those of the others that its job waits for.
#[utoipa::path(post, path = "/api/v1/flows/{name}/runs", params(("name" = String, Path)), request_body = Wanted, responses((status = 200, body = FlowRequested), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn request_flow(
    caller: Caller,
    by_key: ByKey,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(body): Body<Wanted>,
) -> Result<Json<FlowRequested>> {
    domain::ids::check_name("flow", &name).map_err(Problem::bad_request)?;
    let wish = body.wish(by_key)?;
    let items = console.request_flow(&name, &wish, &caller).await?;
    Ok(Json(FlowRequested { request: wish.request, items }))
}

/// Asks for a run that has ended once more, from its start: a new run that repeats it.
#[utoipa::path(post, path = "/api/v1/runs/{run}/rerun", params(("run" = String, Path)), request_body = Wanted, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn rerun(
    caller: Caller,
    by_key: ByKey,
    State(console): State<Console>,
    Path(run): Path<String>,
    Body(body): Body<Wanted>,
) -> Result<Json<Applied>> {
    let wish = body.wish(by_key)?;
    Ok(Json(console.rerun(&run_id(&run)?, &wish, &caller).await?))
}
