//! What will run when, for other programs to subscribe to.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use bus::recorder::inquire;
use domain::icalendar::{Feed, Range};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::runtime::Handle;
use utoipa::IntoParams;

use super::{Result, Valid, optional};
use crate::people::Subscriber;
use crate::problem::Problem;
use crate::state::Console;

/// Which occurrences.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// From this instant on, inclusive, RFC 3339; a day ago when absent.
    #[serde(default)]
    from: Option<String>,
    /// Until this instant, exclusive, RFC 3339; 31 days after `from` when absent, and a year after it at most.
    #[serde(default)]
    to: Option<String>,
    /// Only of this job.
    #[serde(default)]
    job: Option<String>,
    /// Only of jobs of this pool.
    #[serde(default)]
    pool: Option<String>,
}

/// How far back a calendar reaches where nothing is said, and how far ahead; and how long it is at most.
const BACK: SignedDuration = SignedDuration::from_hours(24);
const AHEAD: SignedDuration = SignedDuration::from_hours(31 * 24);
const LONG_MAX: SignedDuration = SignedDuration::from_hours(366 * 24);

impl Wanted {
    fn range(self, now: Timestamp) -> Result<Range> {
        let far = || Problem::bad_request("such an instant there is not");
        let from = optional(self.from.as_ref())?;
        let from = from.map_or_else(|| now.checked_sub(BACK).map_err(|_| far()), Ok)?;
        let to = optional(self.to.as_ref())?;
        let to = to.map_or_else(|| from.checked_add(AHEAD).map_err(|_| far()), Ok)?;
        if to <= from {
            return Err(Problem::bad_request("`to` must be after `from`"));
        }
        if to.duration_since(from) > LONG_MAX {
            return Err(Problem::bad_request("`to` is at most 366 days after `from`"));
        }
        Ok(Range { from, to, job: self.job, pool: self.pool })
    }
}

/// The calendar of what will run when, as iCalendar (RFC 5545): an event an occurrence, by the active definitions,
/// calendars, blackouts and what was said of single occurrences. What will not run is there as a cancelled event with
/// the reason. An event lasts as long as the median of the job's newest runs; its UID stays the same when it is moved.
/// Calendar programs give the token as the password of basic authentication, with any name.
#[utoipa::path(get, path = "/api/v1/calendar.ics", params(Wanted), responses((status = 200, content_type = "text/calendar", body = String), (status = "4XX", body = Problem), (status = 503, body = Problem)))]
pub(super) async fn calendar(
    _: Subscriber,
    State(console): State<Console>,
    Valid(wanted): Valid<Wanted>,
) -> Result<impl IntoResponse> {
    let now = (console.clock)();
    let mut feed = Feed::new(wanted.range(now)?);
    // Counting a year of many jobs takes long: not on a thread that answers others.
    let answering = Handle::current();
    let counted = tokio::task::spawn_blocking(move || {
        answering.block_on(inquire(&console.bus, &mut feed)).map(|()| feed)
    });
    let feed = counted.await.map_err(Problem::unavailable)??;
    Ok(([(header::CONTENT_TYPE, "text/calendar; charset=utf-8")], feed.text(now)))
}
