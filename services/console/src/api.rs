//! `/api/v1`, probes and metrics. One handler for each thing people and scripts can ask or do.

mod access;
mod ahead;
mod audit_requests;
mod calendar;
pub(crate) mod changes;
mod controls;
mod datasets;
mod events;
mod expecting;
mod exports;
mod following;
mod hosts;
mod incidents;
mod keys;
mod looking;
mod occurrences;
mod people;
mod prints;
mod records;
pub(crate) mod repeated;
mod requests;
mod review;
mod runs;
mod site;

use axum::extract::{Path, Query as Params, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use bus::recorder::ask;
use bytes::Bytes;
use domain::backup::progress::Progress;
use domain::ids::StreamId;
use domain::job::{Definition, JobDefinition};
use domain::people::Action;
use domain::run::Attempt;
use domain::site::{Thing, ThingKind};
use domain::wire::{Answer, Content, HostQuery, Query, RunFilter, Selection, StreamView};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use people::{DirectoryView, MayRow, SessionView, TokenView, UserView, may_rows};
pub use requests::FlowRequested;

use crate::check::Checked;
use crate::commands::{Applied, JobAct};
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;
use crate::versions;
use expecting::{Expecting, IfMatch, IfNoneMatch};

type Result<T> = std::result::Result<T, Problem>;

/// Largest body of a request, in bytes.
const BODY_BYTES: usize = 256 * 1024;

#[derive(OpenApi)]
#[openapi(info(
    title = "Decklog",
    description = "Jobs, runs, hosts and the log of an installation of Decklog. Every answer says to which position of the log it is true.",
    license(name = "Apache-2.0")
))]
struct Document;

fn routes() -> OpenApiRouter<Console> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(list_jobs, apply_job))
        .routes(routes!(show_job))
        .routes(routes!(approve_job))
        .routes(routes!(pause_job))
        .routes(routes!(reclaim_job))
        .routes(routes!(resume_job))
        .routes(routes!(retire_job))
        .routes(routes!(requests::request_run))
        .routes(routes!(requests::request_flow))
        .routes(routes!(occurrences::list_occurrences))
        .routes(routes!(occurrences::hold_occurrence))
        .routes(routes!(occurrences::release_occurrence))
        .routes(routes!(occurrences::skip_occurrence))
        .routes(routes!(occurrences::move_occurrence))
        .routes(routes!(occurrences::run_occurrence_now))
        .routes(routes!(list_runs))
        .routes(routes!(show_run))
        .routes(routes!(run_output))
        .routes(routes!(run_progress))
        .routes(routes!(requests::rerun))
        .routes(routes!(runs::cancel_run))
        .routes(routes!(runs::hold_run))
        .routes(routes!(runs::release_run))
        .routes(routes!(runs::skip_run))
        .routes(routes!(runs::confirm_run))
        .routes(routes!(runs::override_run))
        .routes(routes!(runs::delay_run))
        .routes(routes!(runs::resolve_run))
        .routes(routes!(list_things, apply_thing))
        .routes(routes!(show_thing))
        .routes(routes!(approve_thing))
        .routes(routes!(retire_thing))
        .routes(routes!(datasets::hold_snapshot))
        .routes(routes!(datasets::end_hold))
        .routes(routes!(datasets::request_forget))
        .routes(routes!(datasets::approve_forget))
        .routes(routes!(datasets::decline_forget))
        .routes(routes!(datasets::certify_test))
        .routes(routes!(prints::act_on_document))
        .routes(routes!(prints::act_on_form))
        .routes(routes!(prints::act_on_queue))
        .routes(routes!(prints::read_document))
        .routes(routes!(prints::read_facts))
        .routes(routes!(prints::read_register))
        .routes(routes!(records::list_records))
        .routes(routes!(records::act_on_hold))
        .routes(routes!(records::act_on_redaction))
        .routes(routes!(records::run_salt))
        .routes(routes!(records::document_salt))
        .routes(routes!(looking::browse))
        .routes(routes!(looking::find))
        .routes(routes!(looking::diff))
        .routes(routes!(hosts::list_hosts))
        .routes(routes!(hosts::show_host))
        .routes(routes!(hosts::drain_host))
        .routes(routes!(hosts::resume_host))
        .routes(routes!(hosts::invite_host))
        .routes(routes!(hosts::revoke_host))
        .routes(routes!(keys::list_keys))
        .routes(routes!(keys::confirm_key))
        .routes(routes!(keys::decline_key))
        .routes(routes!(keys::revoke_key))
        .routes(routes!(changes::list_changes))
        .routes(routes!(changes::history))
        .routes(routes!(changes::effect))
        .routes(routes!(changes::act_on_change))
        .routes(routes!(incidents::list_incidents, incidents::report_incident))
        .routes(routes!(incidents::show_incident, incidents::act_on_incident))
        .routes(routes!(incidents::rota))
        .routes(routes!(audit_requests::list_requests, audit_requests::ask_request))
        .routes(routes!(audit_requests::show_request, audit_requests::act_on_request))
        .routes(routes!(review::review))
        .routes(routes!(review::note))
        .routes(routes!(review::sign))
        .routes(routes!(access::review, access::sign))
        .routes(routes!(people::me))
        .routes(routes!(people::set_password))
        .routes(routes!(people::save_filter))
        .routes(routes!(people::roles))
        .routes(routes!(people::directory))
        .routes(routes!(people::list_users))
        .routes(routes!(people::show_user))
        .routes(routes!(people::act_on_user))
        .routes(routes!(people::issue_code))
        .routes(routes!(people::create_token))
        .routes(routes!(ahead::why))
        .routes(routes!(calendar::calendar))
        .routes(routes!(check_job))
        .routes(routes!(list_events))
        .routes(routes!(events::proof))
        .routes(routes!(controls::list_controls))
        .routes(routes!(controls::show_control))
        .routes(routes!(controls::population))
        .routes(routes!(controls::dispose_exception))
        .routes(routes!(controls::review_control))
        .routes(routes!(exports::record_export))
        .routes(routes!(site::site))
        .routes(routes!(following::follow))
        .routes(routes!(night))
        .routes(routes!(head))
        .routes(routes!(query))
        .routes(routes!(livez))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
}

/// The API as an OpenAPI document.
pub fn openapi() -> Value {
    let (_, document) = routes().split_for_parts();
    crate::document::complete(serde_json::to_value(document).unwrap_or_default())
}

pub(crate) fn router(console: Console) -> Router {
    let (router, _) = routes().split_for_parts();
    let router: Router<Console> = router;
    let once = axum::middleware::from_fn_with_state(console.clone(), repeated::once);
    router
        .layer(once)
        .merge(crate::pages::routes(console.secure))
        .route("/openapi.json", axum::routing::get(|| async { Json(openapi()) }))
        .fallback(|| async { Problem::not_found("there is nothing here; see /openapi.json") })
        .layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES))
        .with_state(console)
}

/// A reason.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Why {
    /// Why, 1 to 1000 bytes.
    reason: String,
}

/// A definition to apply.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Apply {
    /// The definition as JSON, with the fields of the job schema.
    #[schema(value_type = Object)]
    definition: Value,
    /// Why.
    reason: String,
}

/// A definition to check.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Check {
    /// The definition as JSON, with the fields of the job schema.
    #[schema(value_type = Object)]
    definition: Value,
}

/// A page of a list in the order of names.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Page {
    /// Only names after this one.
    #[serde(default)]
    after: String,
    /// Most entries.
    #[serde(default = "hundred")]
    #[param(maximum = 2000)]
    limit: u32,
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Events {
    /// Only positions after this one.
    #[serde(default)]
    after: u64,
    /// Most events.
    #[serde(default = "hundred")]
    #[param(maximum = 2000)]
    limit: u32,
    /// Only of this stream, such as `job/backup`.
    #[serde(default)]
    stream: Option<String>,
}

/// Which runs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Runs {
    /// Of this job.
    #[serde(default)]
    job: Option<String>,
    /// In this state.
    #[serde(default)]
    state: Option<String>,
    /// That this pool may take, or took.
    #[serde(default)]
    pool: Option<String>,
    /// Whose instant is not before this, RFC 3339.
    #[serde(default)]
    since: Option<String>,
    /// Whose instant is before this, RFC 3339.
    #[serde(default)]
    until: Option<String>,
    /// Most runs.
    #[serde(default = "hundred")]
    #[param(maximum = 2000)]
    limit: u32,
}

/// Which part of an output.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct OutputPart {
    /// Number of the attempt; the newest when absent.
    #[serde(default)]
    attempt: Option<u32>,
    /// Bytes to leave out.
    #[serde(default)]
    offset: u64,
}

/// A time.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Window {
    /// From, RFC 3339; a day ago when absent.
    #[serde(default)]
    since: Option<String>,
    /// Until, RFC 3339; now when absent.
    #[serde(default)]
    until: Option<String>,
}

fn hundred() -> u32 {
    100
}

fn instant(text: &str) -> Result<jiff::Timestamp> {
    text.parse().map_err(|_| Problem::bad_request(format!("{text:?} is not an RFC 3339 instant")))
}

fn optional(text: Option<&String>) -> Result<Option<jiff::Timestamp>> {
    text.map(|text| instant(text)).transpose()
}

/// Query strings and bodies that cannot be read are problems too.
struct Valid<T>(T);

impl<T: serde::de::DeserializeOwned, S: Send + Sync> axum::extract::FromRequestParts<S>
    for Valid<T>
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self> {
        let params = Params::<T>::from_request_parts(parts, state).await;
        params.map(|Params(value)| Self(value)).map_err(Problem::bad_request)
    }
}

/// A JSON body.
struct Body<T>(T);

impl<T: serde::de::DeserializeOwned, S: Send + Sync> axum::extract::FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self> {
        let body = Json::<T>::from_request(request, state).await;
        body.map(|Json(value)| Self(value)).map_err(|error| Problem::bad_request(error.body_text()))
    }
}

fn run_id(run: &str) -> Result<StreamId> {
    format!("run/{run}").parse().map_err(Problem::bad_request)
}

fn job_name(name: &str) -> Result<&str> {
    domain::ids::check_name("job", name).map_err(Problem::bad_request)?;
    Ok(name)
}

async fn streams(console: &Console, of: Selection, page: Page) -> Result<Json<Value>> {
    let query = Query::Streams { of, after: page.after, limit: page.limit.min(2_000) };
    let Answer { position, content } = ask(&console.bus, &query).await?;
    let Content::Streams(streams) = content else { return Err(Problem::unavailable("no streams")) };
    let next = streams.last().map(|view| view.id.to_string());
    Ok(Json(json!({"position": position, "items": streams, "next": next})))
}

async fn view_of(console: &Console, id: StreamId) -> Result<(u64, StreamView)> {
    let Answer { position, content } = ask(&console.bus, &Query::Stream { id: id.clone() }).await?;
    let Content::Streams(streams) = content else { return Err(Problem::unavailable("no stream")) };
    let found = streams.into_iter().next();
    let view = found.ok_or_else(|| Problem::not_found(format!("there is no {id}")))?;
    Ok((position, view))
}

async fn one_stream(console: &Console, id: StreamId) -> Result<Json<Value>> {
    let (position, view) = view_of(console, id).await?;
    Ok(Json(json!({"position": position, "item": view})))
}

/// The same with its version, for whoever has another.
async fn tagged(console: &Console, head: &HeaderMap, id: StreamId) -> Result<Response> {
    let (position, view) = view_of(console, id).await?;
    let shown = serde_json::to_vec(&view).map_err(Problem::unavailable)?;
    let tag = versions::tag(view.state.version, &shown);
    if versions::is_known(head, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let body = Json(json!({"position": position, "item": view}));
    Ok(([(header::ETAG, tag)], body).into_response())
}

/// Lists jobs in the order of their names.
#[utoipa::path(get, path = "/api/v1/jobs", params(Page), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn list_jobs(
    _: Caller,
    State(console): State<Console>,
    Valid(page): Valid<Page>,
) -> Result<Json<Value>> {
    streams(&console, Selection::Jobs, page).await
}

/// Applies a definition: proposes it, and makes it active where the site lets one person do both.
#[utoipa::path(post, path = "/api/v1/jobs", params(IfMatch), request_body = Apply, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn apply_job(
    Expecting(caller): Expecting,
    State(console): State<Console>,
    Body(body): Body<Apply>,
) -> Result<Json<Applied>> {
    let definition: JobDefinition =
        serde_json::from_value(body.definition).map_err(Problem::bad_request)?;
    let definition = Definition::Job(Box::new(definition));
    Ok(Json(console.apply(&definition, &caller, &body.reason).await?))
}

/// Lists calendars, blackouts, locks and pools in the order of their names.
#[utoipa::path(get, path = "/api/v1/things", params(Page), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn list_things(
    _: Caller,
    State(console): State<Console>,
    Valid(page): Valid<Page>,
) -> Result<Json<Value>> {
    streams(&console, Selection::Things, page).await
}

/// Applies the definition of a calendar, a blackout, a lock or a pool, as `POST /api/v1/jobs` does that of a job.
#[utoipa::path(post, path = "/api/v1/things", params(IfMatch), request_body = Apply, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn apply_thing(
    Expecting(caller): Expecting,
    State(console): State<Console>,
    Body(body): Body<Apply>,
) -> Result<Json<Applied>> {
    let kind = body.definition.get("kind").and_then(Value::as_str).unwrap_or_default();
    let kind = ThingKind::from_word(kind).ok_or_else(|| {
        Problem::bad_request("kind: one of calendar, blackout, lock, pool".to_owned())
    })?;
    let thing = Thing::read(kind, &body.definition).map_err(Problem::bad_request)?;
    let definition = Definition::Thing(thing);
    Ok(Json(console.apply(&definition, &caller, &body.reason).await?))
}

fn thing_id(kind: &str, name: &str) -> Result<StreamId> {
    let unknown = || Problem::not_found(format!("there is no kind {kind}"));
    let kind = ThingKind::from_word(kind).ok_or_else(unknown)?;
    domain::ids::check_name(kind.word(), name).map_err(Problem::bad_request)?;
    Ok(StreamId::thing(kind, name))
}

/// Shows a calendar, a blackout, a lock or a pool; of a lock also who holds it.
#[utoipa::path(get, path = "/api/v1/things/{kind}/{name}", params(IfNoneMatch, ("kind" = String, Path), ("name" = String, Path)), responses((status = 200, body = Object, headers(("ETag" = String, description = "Its version, and how it is shown; `position` apart"))), (status = 304, description = "It stands as `If-None-Match` says"), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn show_thing(
    _: Caller,
    State(console): State<Console>,
    head: HeaderMap,
    Path((kind, name)): Path<(String, String)>,
) -> Result<Response> {
    tagged(&console, &head, thing_id(&kind, &name)?).await
}

/// Approves the definition that waits.
#[utoipa::path(post, path = "/api/v1/things/{kind}/{name}/approve", params(IfMatch, ("kind" = String, Path), ("name" = String, Path)), responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn approve_thing(
    Expecting(caller): Expecting,
    State(console): State<Console>,
    Path((kind, name)): Path<(String, String)>,
) -> Result<Json<Applied>> {
    Ok(Json(console.approve(&thing_id(&kind, &name)?, &caller).await?))
}

/// Retires it: no new job may name it; for those that do it goes on holding.
#[utoipa::path(post, path = "/api/v1/things/{kind}/{name}/retire", params(IfMatch, ("kind" = String, Path), ("name" = String, Path)), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn retire_thing(
    Expecting(caller): Expecting,
    State(console): State<Console>,
    Path((kind, name)): Path<(String, String)>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    let id = thing_id(&kind, &name)?;
    Ok(Json(console.retire_thing(&id, &caller, &why.reason).await?))
}

/// Shows a job: definitions, pauses, what waits for approval.
#[utoipa::path(get, path = "/api/v1/jobs/{name}", params(IfNoneMatch, ("name" = String, Path)), responses((status = 200, body = Object, headers(("ETag" = String, description = "Its version, and how it is shown; `position` apart"))), (status = 304, description = "It stands as `If-None-Match` says"), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn show_job(
    _: Caller,
    State(console): State<Console>,
    head: HeaderMap,
    Path(name): Path<String>,
) -> Result<Response> {
    tagged(&console, &head, StreamId::job(job_name(&name)?)).await
}

/// Approves the definition that waits.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/approve", params(IfMatch, ("name" = String, Path)), responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn approve_job(
    Expecting(caller): Expecting,
    State(console): State<Console>,
    Path(name): Path<String>,
) -> Result<Json<Applied>> {
    let id = StreamId::job(job_name(&name)?);
    Ok(Json(console.approve(&id, &caller).await?))
}

async fn set_job(
    caller: &Caller,
    console: &Console,
    name: &str,
    act: JobAct,
    why: &Why,
) -> Result<Json<Applied>> {
    Ok(Json(console.set_job(job_name(name)?, act, caller, &why.reason).await?))
}

/// Pauses a job: its occurrences are skipped, each with the reason.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/pause", params(IfMatch, ("name" = String, Path)), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn pause_job(
    Expecting(caller): Expecting,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set_job(&caller, &console, &name, JobAct::Pause, &why).await
}

/// Resumes a paused job.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/resume", params(IfMatch, ("name" = String, Path)), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn resume_job(
    Expecting(caller): Expecting,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set_job(&caller, &console, &name, JobAct::Resume, &why).await
}

/// Retires a job: it has no occurrences any more.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/retire", params(IfMatch, ("name" = String, Path)), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn retire_job(
    Expecting(caller): Expecting,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set_job(&caller, &console, &name, JobAct::Retire, &why).await
}

/// Takes back from a host what it has leave to decide by itself: the centre decides what the log does not know to be
/// decided. What the host has started meanwhile and says later is void.
#[utoipa::path(post, path = "/api/v1/jobs/{name}/reclaim", params(IfMatch, ("name" = String, Path)), request_body = Why, responses((status = 200, body = Applied), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn reclaim_job(
    Expecting(caller): Expecting,
    State(console): State<Console>,
    Path(name): Path<String>,
    Body(why): Body<Why>,
) -> Result<Json<Applied>> {
    set_job(&caller, &console, &name, JobAct::Reclaim, &why).await
}

/// Lists runs, newest first.
#[utoipa::path(get, path = "/api/v1/runs", params(Runs), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn list_runs(
    _: Caller,
    State(console): State<Console>,
    Valid(runs): Valid<Runs>,
) -> Result<Json<Value>> {
    let filter = RunFilter {
        job: runs.job,
        state: runs.state,
        pool: runs.pool,
        since: optional(runs.since.as_ref())?,
        until: optional(runs.until.as_ref())?,
        behind: None,
        limit: runs.limit.min(2_000),
    };
    let Answer { position, content } = ask(&console.bus, &Query::Runs(filter)).await?;
    let Content::Runs(items) = content else { return Err(Problem::unavailable("no runs")) };
    Ok(Json(json!({"position": position, "items": items})))
}

/// Shows a run: where it stands and why, attempts, outcome.
#[utoipa::path(get, path = "/api/v1/runs/{run}", params(("run" = String, Path, description = "`job@instant`")), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn show_run(
    _: Caller,
    State(console): State<Console>,
    Path(run): Path<String>,
) -> Result<Json<Value>> {
    one_stream(&console, run_id(&run)?).await
}

/// Output of a run, as far as it is written. `Decklog-Ended: true` says that no more will come.
#[utoipa::path(get, path = "/api/v1/runs/{run}/output", params(("run" = String, Path), OutputPart), responses((status = 200, content_type = "application/octet-stream"), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn run_output(
    caller: Caller,
    State(console): State<Console>,
    Path(run): Path<String>,
    Valid(part): Valid<OutputPart>,
) -> Result<impl IntoResponse> {
    let id = run_id(&run)?;
    caller.may(&console, Action::ReadOutput, Some(&id)).await?;
    let (over, attempt) = attempt_of(&console, &id, part.attempt).await?;
    let bytes = match attempt {
        Some(attempt) if !attempt.is_silent() => {
            match part_of(&console, &id, &attempt, part.offset).await {
                Ok(bytes) => bytes,
                // A host keeps nothing of a silent attempt, and it may have ended since we looked.
                Err(problem) => match attempt_of(&console, &id, Some(attempt.number)).await? {
                    (_, Some(attempt)) if attempt.is_silent() => Bytes::new(),
                    (_, _) => return Err(problem),
                },
            }
        }
        Some(_) | None => Bytes::new(),
    };
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/octet-stream"),
        ("decklog-ended", if over { "true" } else { "false" }),
    ];
    Ok((headers, bytes))
}

/// Whether no more output will come, and the attempt asked for, or the newest.
async fn attempt_of(
    console: &Console,
    id: &StreamId,
    number: Option<u32>,
) -> Result<(bool, Option<Attempt>)> {
    let state = bus::recorder::stream(&console.bus, id).await?;
    let state = state.ok_or_else(|| Problem::not_found(format!("there is no {id}")))?;
    let run = state.body.run().ok_or_else(|| Problem::not_found(format!("{id} is no run")))?;
    let attempt = match number {
        None => run.attempt(),
        Some(number) => run.attempts.iter().find(|attempt| attempt.number == number),
    };
    let ended = |attempt: &Attempt| attempt.report.is_some() || attempt.lost.is_some();
    Ok((attempt.map_or(run.state.is_ended(), ended), attempt.cloned()))
}

async fn part_of(
    console: &Console,
    id: &StreamId,
    attempt: &Attempt,
    offset: u64,
) -> Result<Bytes> {
    let (run, attempt, host) = (id.clone(), attempt.number, &attempt.host);
    output_from(console, host, &HostQuery::Output { run, attempt, offset, limit: 512 * 1024 }).await
}

async fn output_from(console: &Console, host: &str, query: &HostQuery) -> Result<Bytes> {
    let found = console.ask_host(host, query).await?;
    found.ok_or_else(|| {
        Problem::not_found(format!("host {host} does not have the output (any more)"))
    })
}

/// How far the newest attempt of a run is, if it is one of a backup, a restore or another work of an engine: asked of its
/// host live, and in no event.
#[utoipa::path(get, path = "/api/v1/runs/{run}/progress", params(("run" = String, Path)), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn run_progress(
    _: Caller,
    State(console): State<Console>,
    Path(run): Path<String>,
) -> Result<Json<Value>> {
    let id = run_id(&run)?;
    let (ended, attempt) = attempt_of(&console, &id, None).await?;
    let progress: Option<Progress> = match &attempt {
        Some(attempt) if !ended => {
            let query = HostQuery::Progress { run: id, attempt: attempt.number };
            let found = console.ask_host(&attempt.host, &query).await?;
            found.and_then(|bytes| serde_json::from_slice(&bytes).ok())
        }
        Some(_) | None => None,
    };
    let number = attempt.as_ref().map(|attempt| attempt.number);
    Ok(Json(json!({"ended": ended, "attempt": number, "progress": progress})))
}

/// Asks the hosts that might have to run a job what would keep them from it. Nothing is changed.
#[utoipa::path(post, path = "/api/v1/check", request_body = Check, responses((status = 200, body = Checked), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn check_job(
    caller: Caller,
    State(console): State<Console>,
    Body(body): Body<Check>,
) -> Result<Json<Checked>> {
    let definition: JobDefinition =
        serde_json::from_value(body.definition).map_err(Problem::bad_request)?;
    // What is installed on a host is for those who bring jobs there, or let them.
    let id = StreamId::job(job_name(&definition.name)?);
    caller.may(&console, Action::AskHosts, Some(&id)).await?;
    Ok(Json(console.check(&definition).await?))
}

/// Lists events after a position, each as it was signed.
#[utoipa::path(get, path = "/api/v1/events", params(Events), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn list_events(
    _: Caller,
    State(console): State<Console>,
    Valid(events): Valid<Events>,
) -> Result<impl IntoResponse> {
    let stream = events
        .stream
        .map(|text| text.parse::<StreamId>())
        .transpose()
        .map_err(Problem::bad_request)?;
    let after = events.after.min(i64::MAX as u64);
    let query = Query::Events { after, limit: events.limit.min(2_000), stream };
    let Answer { position, content } = ask(&console.bus, &query).await?;
    let Content::Events(items) = content else { return Err(Problem::unavailable("no events")) };
    let next = items.last().map(|entry| entry.position);
    // Written by hand: a generic value would spell the signed bytes anew.
    let items = serde_json::to_string(&items).map_err(Problem::unavailable)?;
    let body = format!("{{\"position\":{position},\"next\":{},\"items\":{items}}}", json!(next));
    Ok(([(header::CONTENT_TYPE, "application/json")], body))
}

/// What happened in a time: numbers, and the runs somebody should look at.
#[utoipa::path(get, path = "/api/v1/night", params(Window), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn night(
    _: Caller,
    State(console): State<Console>,
    Valid(window): Valid<Window>,
) -> Result<Json<Value>> {
    let now = (console.clock)();
    let until = optional(window.until.as_ref())?.unwrap_or(now);
    let day = jiff::SignedDuration::from_hours(24);
    let since =
        optional(window.since.as_ref())?.unwrap_or_else(|| until.checked_sub(day).unwrap_or(until));
    let Answer { position, content } = ask(&console.bus, &Query::Night { since, until }).await?;
    let Content::Night(night) = content else { return Err(Problem::unavailable("no night")) };
    Ok(Json(json!({"position": position, "night": night})))
}

/// Size and root of the log, and its newest signed head (a C2SP checkpoint).
#[utoipa::path(get, path = "/api/v1/head", responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn head(_: Caller, State(console): State<Console>) -> Result<Json<Value>> {
    let Answer { position, content } = ask(&console.bus, &Query::Head).await?;
    let Content::Head(head) = content else { return Err(Problem::unavailable("no head")) };
    Ok(Json(json!({"position": position, "head": head})))
}

/// Any question services ask of the recorder, for the command line tool.
#[utoipa::path(post, path = "/api/v1/query", request_body = Object, responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
async fn query(
    _: Caller,
    State(console): State<Console>,
    Body(query): Body<Query>,
) -> Result<Json<Answer>> {
    Ok(Json(ask(&console.bus, &query).await?))
}

/// The process lives.
#[utoipa::path(get, path = "/livez", responses((status = 200, body = String)))]
async fn livez() -> &'static str {
    "ok\n"
}

/// The console can answer: the recorder can be reached, and can write to the log.
#[utoipa::path(get, path = "/readyz", responses((status = 200, body = String), (status = 503, body = Problem)))]
async fn readyz(State(console): State<Console>) -> Result<String> {
    let answer = ask(&console.bus, &Query::Head).await?;
    let Content::Head(head) = answer.content else { return Err(Problem::unavailable("no head")) };
    if let Some(stuck) = head.stuck {
        let since = stuck.since;
        let why = format!("the recorder cannot write to the log since {since}: {}", stuck.why);
        return Err(Problem::unavailable(why));
    }
    Ok(format!("ok recorder position={}\n", answer.position))
}

/// Metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
async fn metrics(
    State(console): State<Console>,
) -> std::result::Result<impl IntoResponse, StatusCode> {
    let text = console.metrics.text().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok((
        [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")],
        text,
    ))
}
