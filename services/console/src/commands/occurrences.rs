//! What people say of single occurrences before their time. Here it is seen to that there is such an occurrence;
//! everything else the ledger decides.

use bus::recorder::each_stream;
use domain::calendar::Calendars;
use domain::event::{
    Event, JobOccurrenceHeld, JobOccurrenceMoved, JobOccurrenceReleased, JobOccurrenceSkipped,
};
use domain::ids::StreamId;
use domain::job::{Job, JobDefinition};
use domain::ledger::{Body, SKEW_MS_MAX, StreamState};
use domain::people::Action;
use domain::site::ThingKind;
use domain::time::{Occurrence, Schedule};
use domain::wire::Selection;
use jiff::{SignedDuration, Timestamp};

use super::{Applied, CommandError, applied, check_reason, known_job};
use crate::people::Caller;
use crate::state::Console;

/// What can be said of an occurrence.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OccurrenceAct {
    Hold,
    Release,
    Skip,
    Move(Timestamp),
    RunNow,
}

impl OccurrenceAct {
    fn event(self, at: Timestamp, now: Timestamp, reason: String) -> Event {
        match self {
            Self::Hold => JobOccurrenceHeld { at, reason }.into(),
            Self::Release => JobOccurrenceReleased { at, reason }.into(),
            Self::Skip => JobOccurrenceSkipped { at, reason }.into(),
            Self::Move(to) => JobOccurrenceMoved { at, to, reason }.into(),
            Self::RunNow => JobOccurrenceMoved { at, to: now, reason }.into(),
        }
    }

    fn done(self, at: &str) -> String {
        match self {
            Self::Hold => format!("the occurrence at {at} will wait for a person"),
            Self::Release => format!("the occurrence at {at} is as any other again"),
            Self::Skip => format!("the occurrence at {at} will not run"),
            Self::Move(to) => format!("the occurrence at {at} runs at {to}"),
            Self::RunNow => format!("the occurrence at {at} runs now"),
        }
    }
}

impl Console {
    /// Says what is to become of the occurrence of a job at `at`.
    pub(crate) async fn set_occurrence(
        &self,
        name: &str,
        at: Timestamp,
        act: OccurrenceAct,
        caller: &Caller,
        reason: &str,
    ) -> Result<Applied, CommandError> {
        check_reason(reason)?;
        let now = whole_second((self.clock)());
        if let OccurrenceAct::Move(to) = act {
            check_to(to, now)?;
        }
        let id = StreamId::job(name);
        caller.may(self, Action::SteerRuns, Some(&id)).await?;
        let state = self.state(&id).await?;
        let job = known_job(name, state.as_ref())?;
        let local = self.check_occurrence(job, at, act).await?;
        let next = |state: Option<&StreamState>| {
            known_job(name, state)?;
            Ok(vec![act.event(at, now, reason.to_owned())])
        };
        let position = self.change(&id, caller, next).await?;
        Ok(applied(position, id, act.done(&local)))
    }

    /// The occurrence's local time, for people.
    async fn check_occurrence(
        &self,
        job: &Job,
        at: Timestamp,
        act: OccurrenceAct,
    ) -> Result<String, CommandError> {
        // What was said about an occurrence can be taken back, also where a new schedule has no such one.
        if matches!(act, OccurrenceAct::Release) && job.orders.contains_key(&at) {
            return Ok(at.to_string());
        }
        let definition = holding(job, at)?;
        let calendars = self.calendars(&definition).await?;
        let schedule = definition.schedule_at(at.max(later((self.clock)())), &calendars);
        let schedule = schedule.ok_or_else(|| {
            let name = &job.name;
            CommandError::Invalid(format!("job {name} runs only on request: it has no occurrences"))
        })?;
        let schedule = schedule.map_err(|error| CommandError::Invalid(error.to_string()))?;
        let occurrence = schedule.occurrence_at(at).ok_or_else(|| missing(job, &schedule, at))?;
        match occurrence.describe_out() {
            Some(why) => Err(CommandError::Refused(format!(
                "the occurrence at {} does not run anyway: {why}",
                local(&occurrence)
            ))),
            None => Ok(local(&occurrence)),
        }
    }

    /// All calendars, where the job's schedule depends on any.
    async fn calendars(&self, definition: &JobDefinition) -> Result<Calendars, CommandError> {
        let mut calendars = Calendars::default();
        if definition.calendar.is_empty() {
            return Ok(calendars);
        }
        let take = |view: domain::wire::StreamView| {
            if let (Some(ThingKind::Calendar), Body::Thing(thing)) =
                (view.id.stream_type().thing(), &view.state.body)
            {
                calendars.put(&thing.name, thing.calendar_spans());
            }
        };
        let read = each_stream(&self.bus, Selection::Things, take).await;
        read.map_err(CommandError::unavailable)?;
        Ok(calendars)
    }
}

/// The definition under which the occurrence at `at` falls; the active one where `at` lies ahead.
fn holding(job: &Job, at: Timestamp) -> Result<JobDefinition, CommandError> {
    let spans = &job.versions.spans;
    let holds =
        |span: &&domain::job::Span| span.from < at && span.until.is_none_or(|until| at <= until);
    let span = spans.iter().rev().find(holds).or(job.active());
    let none = || CommandError::Invalid(format!("job {} has no active definition", job.name));
    let unread = |error| CommandError::Invalid(format!("job {} cannot be read: {error}", job.name));
    span.ok_or_else(none)?.read().map_err(unread)
}

fn missing(job: &Job, schedule: &Schedule, at: Timestamp) -> CommandError {
    let near = [schedule.last_run_before(at), schedule.next_run(at)];
    let near: Vec<String> = near.iter().flatten().map(local).collect();
    let near = match near.as_slice() {
        [] => "it has none near it".to_owned(),
        [one] => format!("the nearest is {one}"),
        several => format!("the nearest are {}", several.join(" and ")),
    };
    let wanted = at.to_zoned(schedule.time_zone().clone());
    CommandError::NotFound(format!("occurrence of job {} at {wanted}: {near}", job.name))
}

fn local(occurrence: &Occurrence) -> String {
    occurrence.local.to_string()
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn later(now: Timestamp) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(1)).unwrap_or(now)
}

/// A slip of the pen must not start anything: what is to run at once is said so.
fn check_to(to: Timestamp, now: Timestamp) -> Result<(), CommandError> {
    if to.as_millisecond() + SKEW_MS_MAX < now.as_millisecond() {
        return Err(CommandError::Invalid(format!(
            "{to} has passed: move it to an instant ahead, or run it now"
        )));
    }
    Ok(())
}
