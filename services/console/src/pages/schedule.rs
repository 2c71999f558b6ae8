//! A job as a form: what its schedule would do is looked at before it is proposed.
//!
//! | module | about |
//! |---|---|
//! | `fields` | the fields, in words |
//! | `form` | what stands in them as a definition, and the other way round |
//! | `preview` | what a definition would do |

mod fields;
mod form;
mod preview;

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use domain::forecast::SiteView;
use domain::ids::StreamId;
use domain::job::{Definition, Job, JobDefinition};
use domain::people::Action;

use super::answer::Page;
use super::forms::Sent;
use super::reading;
use super::shell::{Shell, Visitor};
use super::words::{Choice, Link, choices};
use crate::commands::{Applied, CommandError};
use crate::state::Console;
use fields::{FIELDS, Field, Of};
use form::{Written, Wrong, blank, kept, lines};
use preview::{Preview, preview};

/// A field with what stands in it.
struct Shown {
    of: &'static Field,
    value: String,
    choices: Vec<Choice>,
    wrong: Option<String>,
}

/// Fields that belong together.
struct Group {
    name: &'static str,
    fields: Vec<Shown>,
}

#[derive(Template)]
#[template(path = "schedule.html")]
struct SchedulePage {
    shell: Shell,
    may: bool,
    job: Option<Link>,
    kept: Vec<String>,
    groups: Vec<Group>,
    /// What is wrong where the form has no field.
    wrong: Vec<String>,
    looked: bool,
    preview: Option<Preview>,
    /// What a proposal sends: what was looked at.
    sent: Vec<(&'static str, String)>,
    base: String,
    waits: bool,
    word: String,
    problem: Option<String>,
}

/// On what a definition stands.
struct Ground {
    /// The name of the job that is changed; nothing for a new one.
    changes: String,
    /// The job of its name, where there is one.
    job: Option<Job>,
    base: JobDefinition,
    /// What the active definition is, if it is changed.
    digest: String,
}

async fn known(console: &Console, name: &str) -> Result<Option<Job>, CommandError> {
    if !domain::ids::is_name(name) {
        return Ok(None);
    }
    let state = console.state(&StreamId::job(name)).await?;
    Ok(state.and_then(|state| state.body.job().cloned()))
}

async fn ground(console: &Console, changes: &str, name: &str) -> Result<Ground, CommandError> {
    let bad = |error: serde_json::Error| CommandError::Invalid(error.to_string());
    if changes.is_empty() {
        let (job, base) = (known(console, name).await?, blank().map_err(bad)?);
        return Ok(Ground { changes: String::new(), job, base, digest: String::new() });
    }
    let missing = || CommandError::NotFound(format!("active job {changes}"));
    let job = known(console, changes).await?.ok_or_else(missing)?;
    let span = job.active().ok_or_else(missing)?;
    let (base, digest) = (span.read().map_err(bad)?, span.digest.to_string());
    Ok(Ground { changes: changes.to_owned(), job: Some(job), base, digest })
}

/// What only the site knows to be wrong.
fn beside(ground: &Ground, definition: &JobDefinition, site: &SiteView) -> Vec<Wrong> {
    let mut found = Vec::new();
    let is_there = ground.job.as_ref().is_some_and(|job| job.active().is_some());
    if ground.changes.is_empty() && is_there {
        let says = "there is a job of this name: change its schedule from its page".to_owned();
        found.push(Wrong { field: Some("name"), says });
    }
    let calendar = &definition.calendar;
    for (field, days) in [("only-on", &calendar.only_on), ("not-on", &calendar.not_on)] {
        let rule = domain::time::CalendarRule { only_on: days.clone(), ..Default::default() };
        let names = rule.names().into_iter().filter(|name| site.calendars.newest(name).is_none());
        found.extend(names.map(|name| Wrong {
            field: Some(field),
            says: format!("there is no calendar {name}"),
        }));
    }
    found
}

fn groups(written: &Written, wrong: &[Wrong], ground: &Ground) -> Vec<Group> {
    let is_asked = |field: &&Field| match field.name {
        "name" => ground.changes.is_empty(),
        "argv" => lines(&ground.base).is_some(),
        _ => true,
    };
    let shown = |field: &'static Field| {
        let at = wrong.iter().filter(|one| one.field == Some(field.name));
        let says: Vec<&str> = at.map(|one| one.says.as_str()).collect();
        let value = written.text(field.name).to_owned();
        let choices = match field.of {
            Of::Choice(all) => choices(all, &value),
            Of::Line | Of::Number | Of::Lines => Vec::new(),
        };
        let wrong = (!says.is_empty()).then(|| says.join("; "));
        Shown { of: field, value, choices, wrong }
    };
    let fields: Vec<&'static Field> = FIELDS.iter().filter(is_asked).collect();
    let chunks = fields.chunk_by(|one, other| one.group == other.group);
    let group = |all: &[&'static Field]| Group {
        name: all.first().map_or("", |field| field.group),
        fields: all.iter().copied().map(shown).collect(),
    };
    chunks.map(group).collect()
}

/// The page: with what comes of what is written, if that is looked at.
async fn shown(
    console: &Console,
    visitor: &Visitor,
    ground: &Ground,
    written: &Written,
    looked: bool,
) -> Result<SchedulePage, Page> {
    let (position, site) = reading::site(console).await?;
    let (definition, mut wrong) = written.definition(&ground.base);
    wrong.extend(beside(ground, &definition, &site));
    wrong.retain(|_| looked);
    let mut seen = None;
    if looked && wrong.is_empty() && visitor.could(Action::Propose) {
        match preview(console, visitor, ground.job.as_ref(), &definition, site).await? {
            Ok(preview) => seen = Some(preview),
            Err(says) => wrong.push(Wrong { field: None, says }),
        }
    }
    let file =
        if definition.name.is_empty() { "FILE" } else { &format!("{}.yaml", definition.name) };
    let cli = format!(
        "decklog schedule explain -f {file}\ndecklog plan {file}\ndecklog apply {file} --reason …"
    );
    Ok(SchedulePage {
        shell: visitor.shell().as_of(console, position).cli(cli),
        may: visitor.could(Action::Propose),
        job: (!ground.changes.is_empty()).then(|| Link::to(&StreamId::job(&ground.changes))),
        kept: kept(&ground.base),
        groups: groups(written, &wrong, ground),
        wrong: wrong.into_iter().filter(|one| one.field.is_none()).map(|one| one.says).collect(),
        looked,
        preview: seen,
        sent: written.filled().map(|(name, text)| (name, text.to_owned())).collect(),
        base: ground.digest.clone(),
        waits: ground.job.as_ref().is_some_and(|job| job.versions.proposal.is_some()),
        word: visitor.word(),
        problem: None,
    })
}

/// The form, and what comes of what is written in it.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Result<Page, Page> {
    let get = |name: &str| asked.get(name).map(String::as_str);
    let (changes, name) = (get("job").unwrap_or_default(), get("name").unwrap_or_default());
    let ground = ground(&console, changes, name.trim()).await?;
    let looked = get("look").is_some();
    let written = if looked { Written::read(get) } else { Written::of(&ground.base) };
    let page = shown(&console, &visitor, &ground, &written, looked).await?;
    let wrong = looked && page.may && page.preview.is_none();
    let status = if wrong { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    Ok(visitor.page(&page).with_status(status))
}

/// Proposes what was looked at.
pub(crate) async fn propose(State(console): State<Console>, sent: Sent) -> Result<Page, Page> {
    let (visitor, fields) = (&sent.visitor, &sent.fields);
    let ground = ground(&console, &fields.text("job"), &fields.text("name")).await?;
    let written = Written::read(|name| fields.get(name));
    let done = proposed(&console, &sent, &ground, &written).await;
    let page = shown(&console, visitor, &ground, &written, true);
    let to = |applied: &Applied| format!("/changes/{}", applied.stream);
    visitor.became(done, to, page, |page, problem| SchedulePage { problem, ..page }).await
}

async fn proposed(
    console: &Console,
    sent: &Sent,
    ground: &Ground,
    written: &Written,
) -> Result<Applied, CommandError> {
    if sent.fields.text("base") != ground.digest {
        let says = "another definition became active since this page was made: look at it again";
        return Err(CommandError::Refused(says.to_owned()));
    }
    let (definition, wrong) = written.definition(&ground.base);
    if !wrong.is_empty() {
        let says: Vec<String> = wrong.into_iter().map(Wrong::text).collect();
        return Err(CommandError::Invalid(says.join("; ")));
    }
    let definition = Definition::Job(Box::new(definition));
    let reason = sent.fields.text("reason");
    let applied = console.apply(&definition, &sent.visitor.caller, &reason).await?;
    if applied.position == 0 {
        let says = "nothing differs from what is active, or waits already";
        return Err(CommandError::Invalid(says.to_owned()));
    }
    Ok(applied)
}
