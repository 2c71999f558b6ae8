//! One job: what it is, why it waits, when it runs next, what became of it before, and what can be done with it.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use domain::forecast::{SiteView, horizon, of_job};
use domain::ids::StreamId;
use domain::job::{Job, JobDefinition, ParameterType, Versions};
use domain::people::Action;
use domain::why::Question;
use domain::wire::{EventFilter, LogEntry, RunFilter};
use jiff::Timestamp;

use super::answer::Page;
use super::forms::{Fields, Sent};
use super::jobs::{definition_of, times_of};
use super::reading;
use super::runs::{Line, line};
use super::shell::{Shell, Visitor};
use super::when;
use super::why::{Told, why};
use super::words::{Link, Marked, asking, events_of};
use crate::commands::{Applied, CommandError, JobAct, Wish, drawn};
use crate::state::Console;

/// How many occurrences, runs and versions the page shows.
const AHEAD: usize = 10;
const RUNS: u32 = 20;
const VERSIONS: u32 = 100;
/// A longer definition is not shown whole.
const YAML_BYTES: usize = 24 * 1024;

/// An occurrence that lies ahead.
struct Ahead {
    local: String,
    utc: String,
    reason: &'static str,
    day: String,
    fate: String,
}

/// A definition, and who is behind it.
struct Version {
    number: u64,
    digest: String,
    state: Marked,
    proposed: Option<Said>,
    approved: Option<Said>,
    reason: String,
}

/// Who said something, and where in the log.
struct Said {
    who: Link,
    at: String,
    event: Link,
}

/// A value that a run is given.
struct Given {
    name: String,
    about: String,
    /// Its value where nobody gives one.
    usual: Option<String>,
    choices: Vec<String>,
}

/// What somebody is offered to do with a job.
struct May {
    run: bool,
    pause: bool,
    resume: bool,
    retire: bool,
}

impl May {
    fn of(job: &Job, visitor: &Visitor) -> Self {
        let (active, steers) = (job.active().is_some(), visitor.could(Action::SteerJobs));
        Self {
            run: active && visitor.could(Action::RequestRuns),
            pause: active && job.paused().is_none() && steers,
            resume: job.paused().is_some() && steers,
            retire: active && visitor.could(Action::Propose),
        }
    }

    fn any(&self) -> bool {
        self.run || self.steer()
    }

    fn steer(&self) -> bool {
        self.pause || self.resume || self.retire
    }
}

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    shell: Shell,
    name: String,
    path: String,
    state: Marked,
    facts: Vec<(&'static str, String)>,
    why: Told,
    zone: String,
    ahead: Vec<Ahead>,
    runs: Vec<Line>,
    all_runs: String,
    versions: Vec<Version>,
    yaml: String,
    events: String,
    given: Vec<Given>,
    may: May,
    word: String,
    problem: Option<String>,
}

fn id_of(name: &str) -> Result<StreamId, CommandError> {
    domain::ids::check_name("job", name).map_err(|e| CommandError::Invalid(e.to_string()))?;
    Ok(StreamId::job(name))
}

async fn one(console: &Console, visitor: &Visitor, name: &str) -> Result<JobPage, Page> {
    let id = id_of(name)?;
    let (position, state) = reading::one(console, &id).await?;
    let missing = || CommandError::NotFound(format!("job {name}"));
    let job = state.body.job().ok_or_else(missing)?;
    let (site, definition) = (reading::site(console).await?.1, definition_of(job));
    let filter = RunFilter { job: Some(name.to_owned()), limit: RUNS, ..RunFilter::default() };
    let (_, runs) = reading::runs(console, filter).await?;
    Ok(JobPage {
        shell: visitor.shell().as_of(console, position).cli(commands(name)),
        name: name.to_owned(),
        path: format!("/jobs/{name}"),
        state: Marked::new(job.state()),
        facts: facts(job, definition.as_ref(), &site, visitor.now),
        why: why(console, Question::Job(name.to_owned())).await,
        zone: definition.as_ref().map(|one| one.zone.clone()).unwrap_or_default(),
        ahead: ahead(job, &site, visitor.now),
        runs: runs.iter().map(line).collect(),
        all_runs: asking("/runs", &[("job", name)]),
        versions: versions(console, &id, &job.versions).await?,
        yaml: yaml(definition.as_ref()),
        events: events_of(&id),
        given: definition.as_ref().map(given).unwrap_or_default(),
        may: May::of(job, visitor),
        word: visitor.word(),
        problem: None,
    })
}

fn commands(name: &str) -> String {
    let acts = ["pause", "resume", "retire"];
    let acts = acts.map(|act| format!("decklog job {act} {name} --reason …"));
    format!(
        "decklog job show {name}\ndecklog why {name}\ndecklog schedule next {name}\ndecklog runs --job {name}\n\
         decklog run {name} --reason …\n{}",
        acts.join("\n")
    )
}

fn facts(
    job: &Job,
    definition: Option<&JobDefinition>,
    site: &SiteView,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if let Some(one) = definition {
        let (schedule, next) = times_of(job, one, site, now);
        found.push(("about", one.description.clone()));
        found.push(("owner", one.owner.clone()));
        found.push(("schedule", schedule));
        found.push(("zone", one.zone.clone()));
        found.push(("next", next));
        found.extend(domain::job::words(one));
    }
    if let Some(pause) = job.paused() {
        let by = pause.by.as_deref().unwrap_or("nobody named");
        found.push(("paused", format!("{} by {by}: {}", when(pause.from), pause.reason)));
    }
    found.retain(|(_, says)| !says.is_empty());
    found
}

fn ahead(job: &Job, site: &SiteView, now: Timestamp) -> Vec<Ahead> {
    if job.paused().is_some() {
        return Vec::new();
    }
    let planned = of_job(job, (now, horizon(now)), AHEAD, site).unwrap_or_default();
    let shown = planned.into_iter().map(|(occurrence, one)| Ahead {
        local: occurrence.local.strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string(),
        utc: one.at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        reason: one.reason,
        day: one.business_day,
        fate: match (one.skipped, one.note) {
            (Some(why), _) => format!("will not run: {why}"),
            (None, note) => note.unwrap_or_default(),
        },
    });
    shown.collect()
}

fn yaml(definition: Option<&JobDefinition>) -> String {
    let text = definition.and_then(|one| domain::job::to_yaml(one).ok()).unwrap_or_default();
    if text.len() <= YAML_BYTES { text } else { String::new() }
}

fn given(definition: &JobDefinition) -> Vec<Given> {
    let one = |(name, parameter): (&String, &domain::job::Parameter)| Given {
        name: name.clone(),
        about: parameter.description.clone(),
        usual: parameter.default.clone(),
        choices: match parameter.of {
            ParameterType::Choice => parameter.choices.clone(),
            ParameterType::Flag => vec!["true".to_owned(), "false".to_owned()],
            ParameterType::Text | ParameterType::Integer | ParameterType::Date => Vec::new(),
        },
    };
    definition.parameters.iter().map(one).collect()
}

/// Which definitions there were, the newest first, with who proposed and who approved each.
async fn versions(
    console: &Console,
    id: &StreamId,
    known: &Versions,
) -> Result<Vec<Version>, Page> {
    let of = |kind: &str| EventFilter {
        stream: Some(id.clone()),
        kind: Some(kind.to_owned()),
        limit: VERSIONS,
        ..EventFilter::default()
    };
    let (_, proposed) = reading::events(console, of("job.proposed")).await?;
    let (_, approved) = reading::events(console, of("job.approved")).await?;
    let approved: BTreeMap<u64, Said> = approved.iter().filter_map(said).map(pair).collect();
    Ok(numbered(&proposed, approved, known))
}

fn pair((number, said, _): (u64, Said, String)) -> (u64, Said) {
    (number, said)
}

fn numbered(
    proposed: &[LogEntry],
    mut approved: BTreeMap<u64, Said>,
    known: &Versions,
) -> Vec<Version> {
    let one = |(number, said, reason): (u64, Said, String)| {
        let span = known.spans.iter().rev().find(|span| u64::from(span.number) == number);
        let waits = known.proposal.as_ref().filter(|one| u64::from(one.number) == number);
        let digest = span.map(|span| span.digest).or(waits.map(|one| one.digest));
        let state = match (span, waits) {
            (Some(span), _) if span.until.is_none() => "active",
            (Some(_), _) => "was active",
            (None, Some(_)) => "proposed",
            (None, None) => "never active",
        };
        Version {
            number,
            digest: digest.map(|digest| digest.short()).unwrap_or_default(),
            state: Marked::new(state),
            proposed: Some(said),
            approved: approved.remove(&number),
            reason,
        }
    };
    proposed.iter().filter_map(said).map(one).collect()
}

/// Which number an event is about, who said it, and why.
fn said(entry: &LogEntry) -> Option<(u64, Said, String)> {
    let envelope = entry.envelope().ok().filter(|_| entry.void.is_none())?;
    let number = envelope.data.get("number")?.as_u64()?;
    let reason = envelope.data.get("reason").and_then(|reason| reason.as_str());
    let position = entry.position.to_string();
    let said = Said {
        who: Link::who(envelope.actor.as_deref().unwrap_or("nobody named")),
        at: when(entry.received),
        event: Link::new(format!("/events/{position}"), position),
    };
    Some((number, said, reason.unwrap_or_default().to_owned()))
}

/// The page.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Page, Page> {
    Ok(visitor.page(&one(&console, &visitor, &name).await?))
}

/// Does something with the job.
pub(crate) async fn act(
    State(console): State<Console>,
    Path(name): Path<String>,
    sent: Sent,
) -> Result<Page, Page> {
    let visitor = &sent.visitor;
    let done = done(&console, &name, &sent).await;
    let page = one(&console, visitor, &name);
    // Whoever has asked for a run wants to see it.
    let to = |applied: &Applied| Link::to(&applied.stream).href;
    visitor.became(done, to, page, |page, problem| JobPage { problem, ..page }).await
}

async fn done(console: &Console, name: &str, sent: &Sent) -> Result<Applied, CommandError> {
    id_of(name)?;
    let (caller, reason) = (&sent.visitor.caller, sent.fields.text("reason"));
    let act = match sent.fields.must("act").map_err(CommandError::Invalid)? {
        "run" => return console.request_run(name, &wish(&sent.fields)?, caller).await,
        "pause" => JobAct::Pause,
        "resume" => JobAct::Resume,
        "retire" => JobAct::Retire,
        other => return Err(super::no_such(other, "job")),
    };
    console.set_job(name, act, caller, &reason).await
}

fn wish(fields: &Fields) -> Result<Wish, CommandError> {
    let parameters = fields.behind("given.");
    Ok(Wish { request: drawn()?, reason: fields.text("reason"), parameters })
}
