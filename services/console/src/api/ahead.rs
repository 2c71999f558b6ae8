//! Questions about the present and the future.

use axum::Json;
use axum::extract::State;
use bus::recorder::inquire;
use domain::why::{Investigation, Question, Scene, Why};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Result, Valid, instant, job_name, run_id};
use crate::people::Caller;
use crate::problem::Problem;
use crate::state::Console;

/// What is asked about.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// A run, `job@instant`; give this or `job`.
    #[serde(default)]
    run: Option<String>,
    /// A job.
    #[serde(default)]
    job: Option<String>,
    /// With `job`, the instant of an occurrence, RFC 3339: one that lies ahead or has passed, or is none.
    #[serde(default)]
    at: Option<String>,
}

impl Asked {
    fn question(&self) -> Result<Question> {
        match (&self.run, &self.job, &self.at) {
            (Some(run), None, None) => Ok(Question::Run(run_id(run)?)),
            (None, Some(job), None) => Ok(Question::Job(job_name(job)?.to_owned())),
            (None, Some(job), Some(at)) => {
                Ok(Question::Occurrence(job_name(job)?.to_owned(), instant(at)?))
            }
            (_, _, _) => Err(Problem::bad_request("give `run`, or `job`, or `job` and `at`")),
        }
    }
}

/// Says why a run, an occurrence or a job is as it is: what it waits for, who has that, and what ends it; or what brought
/// it about.
#[utoipa::path(get, path = "/api/v1/why", params(Asked), responses((status = 200, body = Object), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn why(
    _: Caller,
    State(console): State<Console>,
    Valid(asked): Valid<Asked>,
) -> Result<Json<Why>> {
    let heard = Some(console.heard.all());
    let scene = Scene { now: (console.clock)(), heard, asleep: false };
    let mut investigation = Investigation::new(asked.question()?, scene);
    inquire(&console.bus, &mut investigation).await?;
    investigation.answer().map(Json).map_err(Problem::not_found)
}
