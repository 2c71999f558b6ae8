//! `decklog job …`.

use domain::forecast::{Next, SiteView, next_run};
use domain::ids::StreamId;
use domain::job::{Job as JobState, Versions};
use domain::ledger::Turn;
use domain::wire::{Selection, StreamView};
use serde_json::json;

use super::plan::far;
use super::with_console;
use crate::cli::{Format, Job, NamedAct, Place};
use crate::output::{self, Table};
use crate::source::Source;
use crate::{exit, host, site};

pub(crate) fn run(job: &Job, format: Format) -> anyhow::Result<()> {
    match job {
        Job::List(place) => list(place, format),
        Job::Show(job) => show(&job.name, &job.place, format),
        Job::Pause(act) => change(act, "pause", format),
        Job::Resume(act) => change(act, "resume", format),
        Job::Retire(act) => change(act, "retire", format),
        Job::Reclaim(act) => change(act, "reclaim", format),
        Job::Approve(job) => {
            let path = format!("/api/v1/jobs/{}/approve", job.name);
            let applied = with_console(&job.place, |client| client.act(&path, &json!({})))?;
            output::one(format, &applied, |a| format!("{}: {}\n", a.stream, a.message))
        }
    }
}

fn list(place: &Place, format: Format) -> anyhow::Result<()> {
    let source = Source::open(place)?;
    let views = source.streams(Selection::Jobs)?;
    let site = site::view(&site::things(&source)?);
    output::list(format, &views, |views| {
        let mut table = Table::new(["JOB", "STATE", "SCHEDULE", "NEXT", "DEFINITION"]);
        for view in views {
            if let Some(job) = view.state.body.job() {
                let (schedule, next) = schedule_of(job, &site);
                let number = job.active().map_or("-".to_owned(), |span| span.number.to_string());
                table.row([job.name.clone(), job.state().to_owned(), schedule, next, number]);
            }
        }
        table
    })
}

/// A job's schedule in words, and when it runs next as far as is known.
pub(super) fn schedule_of(job: &JobState, site: &SiteView) -> (String, String) {
    let none = || ("-".to_owned(), "-".to_owned());
    let Some(Ok(definition)) = job.active().map(|span| span.read()) else { return none() };
    match definition.schedule_at(far(host::now()), &site.calendars) {
        None => ("on request".to_owned(), "-".to_owned()),
        Some(Err(error)) => (error.to_string(), "-".to_owned()),
        Some(Ok(schedule)) => {
            let next = next_run(job, &schedule, site, host::now()).map(in_words);
            (schedule.describe(), next.unwrap_or_else(|| "-".to_owned()))
        }
    }
}

fn in_words(next: Next) -> String {
    let note = next.note.map(|note| format!(" ({note})")).unwrap_or_default();
    format!("{}{note}", next.at.strftime(LOCAL))
}

const LOCAL: &str = "%Y-%m-%d %H:%M:%S %Z";

fn show(name: &str, place: &Place, format: Format) -> anyhow::Result<()> {
    let id = StreamId::job(name);
    let source = Source::open(place)?;
    let state = source.stream(&id)?;
    let state = state.ok_or_else(|| exit::not_found(format!("there is no job {name}")))?;
    let view = StreamView { id, state };
    let site = site::view(&site::things(&source)?);
    output::one(format, &view, |view| {
        view.state.body.job().map(|job| text(job, &view.state.turn, &site)).unwrap_or_default()
    })
}

fn text(job: &JobState, turn: &Turn, site: &SiteView) -> String {
    let (schedule, next) = schedule_of(job, site);
    let mut text = format!(
        "job       {}\nstate     {}\nschedule  {schedule}\nnext      {next}\n",
        job.name,
        job.state()
    );
    if let Some(pause) = job.paused() {
        let by = pause.by.as_deref().unwrap_or("-");
        text.push_str(&format!(
            "paused    {} by {by}: {}\n",
            output::local(pause.from),
            pause.reason
        ));
    }
    if let (Some(lease), Some(from)) = (job.lease(), job.reclaimed_from(turn)) {
        let host = lease.host.as_deref().unwrap_or("-");
        text.push_str(&format!(
            "left to   host {host} until {}; decided as far as {}\n",
            output::local(lease.until),
            output::local(from)
        ));
    }
    let definition = job.active().and_then(|span| span.read().ok());
    for (field, says) in definition.iter().flat_map(domain::job::words) {
        text.push_str(&format!("{field:<9} {says}\n"));
    }
    for (at, order) in job.orders.range(host::now()..) {
        let (act, by) = (order.act.word(), order.by.as_deref().unwrap_or("-"));
        text.push_str(&format!("said      {at}: {act} by {by}: {}\n", order.reason));
    }
    text.push_str(&versions(&job.versions));
    if let Some(Ok(yaml)) = definition.map(|definition| domain::job::to_yaml(&definition)) {
        text.push_str(&format!("---\n{yaml}"));
    }
    text
}

/// What waits for approval, and what is or was active.
pub(super) fn versions(versions: &Versions) -> String {
    let mut text = String::new();
    if let Some(proposal) = &versions.proposal {
        let by = proposal.by.as_deref().unwrap_or("-");
        text.push_str(&format!(
            "proposed  definition {} by {by} waits for approval\n",
            proposal.number
        ));
    }
    for span in versions.spans.iter().rev() {
        let until = span.until.map_or_else(|| "now".to_owned(), output::local);
        text.push_str(&format!(
            "version   {} {} active {} to {until}\n",
            span.number,
            span.digest.short(),
            output::local(span.from)
        ));
    }
    text
}

fn change(act: &NamedAct, verb: &str, format: Format) -> anyhow::Result<()> {
    let path = format!("/api/v1/jobs/{}/{verb}", act.name);
    let body = json!({"reason": act.reason});
    let applied = with_console(&act.place, |client| client.act(&path, &body))?;
    output::one(format, &applied, |a| format!("{}: {}\n", a.stream, a.message))
}
