//! `decklog why`: why a run, an occurrence or a job is as it is.

use std::collections::BTreeSet;

use anyhow::bail;
use domain::calendar::Calendars;
use domain::ids::StreamId;
use domain::job::{Job, JobDefinition};
use domain::site::ThingKind;
use domain::time::Schedule;
use domain::why::{Investigation, Question, Scene, Why as Answer};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::console_at;
use super::plan::far;
use super::runs::run_id;
use crate::cli::{Format, Why};
use crate::client::{Client, escape};
use crate::source::Source;
use crate::{exit, host, output, when};

pub(crate) fn run(why: &Why, format: Format) -> anyhow::Result<()> {
    let source = Source::open(&why.place)?;
    let question = question(&source, why)?;
    let answer = match console_at(&why.place)? {
        Some(console) => ask(&console, &question)?,
        // No console is there: nothing runs on this data directory.
        None => {
            let scene = Scene { now: host::now(), heard: None, asleep: true };
            let mut investigation = Investigation::new(question, scene);
            source.inquire(&mut investigation)?;
            investigation.answer().map_err(exit::not_found)?
        }
    };
    output::one(format, &answer, Answer::text)
}

fn ask(console: &Client, question: &Question) -> anyhow::Result<Answer> {
    let parameters = match question {
        Question::Run(id) => format!("run={}", escape(id.rest())),
        Question::Job(job) => format!("job={}", escape(job)),
        Question::Occurrence(job, at) => format!("job={}&at={at}", escape(job)),
    };
    console.get_json(&format!("/api/v1/why?{parameters}"))
}

/// What is meant: a run by its name, an occurrence by its job and time, or a job.
fn question(source: &Source, why: &Why) -> anyhow::Result<Question> {
    let what = why.what.strip_prefix("job/").unwrap_or(&why.what);
    if let Some(time) = &why.time {
        return Ok(Question::Occurrence(what.to_owned(), instant(source, what, time)?));
    }
    let name = what.strip_prefix("run/").unwrap_or(what);
    let Some((job, time)) = name.split_once('@') else {
        return Ok(Question::Job(what.to_owned()));
    };
    let by_name = time.parse::<Timestamp>().is_ok() || time.starts_with("request-");
    if let Ok(id) = run_id(what)
        && (by_name || source.stream(&id)?.is_some())
    {
        return Ok(Question::Run(id));
    }
    Ok(Question::Occurrence(job.to_owned(), instant(source, job, time)?))
}

/// The instant that people mean by a time of a job.
fn instant(source: &Source, name: &str, time: &str) -> anyhow::Result<Timestamp> {
    let state = source.stream(&StreamId::job(name))?;
    let job = state.as_ref().and_then(|state| state.body.job());
    let job = job.ok_or_else(|| exit::not_found(format!("there is no job {name}")))?;
    let now = host::now();
    match schedule(source, job)? {
        Some(schedule) => {
            let spoken_of: Vec<Timestamp> = job.orders.keys().copied().collect();
            when::occurrence(time, &schedule, &spoken_of, now).map_err(exit::usage)
        }
        None => when::instant(time, &TimeZone::UTC).map_err(exit::usage),
    }
}

/// The schedule of a job, by its newest definition.
fn schedule(source: &Source, job: &Job) -> anyhow::Result<Option<Schedule>> {
    let Some(span) = job.versions.spans.last() else { return Ok(None) };
    let definition: JobDefinition = span.read()?;
    let calendars = calendars(source, definition.calendar.names())?;
    Ok(definition.schedule_at(far(host::now()), &calendars).transpose()?)
}

/// The calendars with these names, and all they refer to.
fn calendars(source: &Source, names: BTreeSet<String>) -> anyhow::Result<Calendars> {
    let (mut calendars, mut seen) = (Calendars::default(), BTreeSet::new());
    let mut open: Vec<String> = names.into_iter().collect();
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let state = source.stream(&StreamId::thing(ThingKind::Calendar, &name))?;
        let Some(thing) = state.as_ref().and_then(|state| state.body.thing()) else {
            bail!("there is no calendar {name}");
        };
        let spans = thing.calendar_spans();
        open.extend(spans.iter().flat_map(|span| span.definition.names()));
        calendars.put(&name, spans);
    }
    Ok(calendars)
}
