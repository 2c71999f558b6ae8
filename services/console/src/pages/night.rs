//! Last night: what has to be looked at, what was said of it, and the signature.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use domain::event::Disposition;
use domain::ids::StreamId;
use domain::people::Action;
use domain::review::{Said, Shown, Signed};
use domain::wire::RunRow;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::answer::{Page, encoded};
use super::forms::{Fields, Sent};
use super::shell::{Shell, Visitor};
use super::when;
use super::words::tone;
use crate::commands::{Applied, CommandError};
use crate::review::{AtRisk, Beside, Morning, NoteWanted, SignWanted};
use crate::state::Console;

/// A state as it is shown, of some runs one after the other.
struct Word {
    word: String,
    class: &'static str,
    times: usize,
}

/// An exception.
struct Row {
    run: String,
    path: String,
    anchor: String,
    instant: String,
    state: String,
    class: &'static str,
    late: bool,
    host: Option<String>,
    message: String,
    said: Option<String>,
    open: bool,
    goes_on: bool,
}

/// The exceptions of a job.
struct Group {
    job: String,
    strip: Vec<Word>,
    rows: Vec<Row>,
}

/// A document that did not arrive.
struct Print {
    id: String,
    purpose: String,
    queue: String,
    state: String,
}

/// A change that could not wait.
struct Emergency {
    path: String,
    by: String,
    reason: String,
    until: String,
    over: bool,
}

#[derive(Template)]
#[template(path = "night.html")]
struct NightPage {
    shell: Shell,
    sentence: String,
    span: String,
    last: Option<Signed>,
    overdue: bool,
    /// Whether nobody has signed for who may do what for too long.
    access_overdue: bool,
    goes_on: bool,
    problem: Option<String>,
    groups: Vec<Group>,
    datasets: Vec<AtRisk>,
    prints: Vec<Print>,
    incidents: Vec<super::incidents::Row>,
    emergencies: Vec<Emergency>,
    may_sign: bool,
    open: usize,
    until: Timestamp,
    shown: String,
    word: String,
}

#[derive(Template)]
#[template(path = "signed.html")]
struct SignedPage {
    shell: Shell,
    rows: Vec<Signed>,
}

fn sentence(morning: &Morning) -> String {
    let n = morning.night.numbers;
    if n.expected == 0 {
        return "No run was due.".to_owned();
    }
    let more: String = n.in_words().map(|words| format!(", {words}")).collect();
    let due = if n.expected == 1 {
        "1 run was due".to_owned()
    } else {
        format!("{} runs were due", n.expected)
    };
    format!("{due}: {} ended well{more}.", n.ran)
}

fn row(morning: &Morning, row: &RunRow) -> Row {
    let said = morning.review.disposition(row);
    let words = said.map(|said| match said {
        Said::Noted(noted) => {
            let detail = match &noted.disposition {
                Disposition::Note {} => String::new(),
                Disposition::Ticket { reference } => format!(" {reference}"),
                Disposition::Accepted { until } => format!(" until {}", when(until)),
                Disposition::Rerun { run } => format!(" as {}", run.rest()),
            };
            let word = noted.disposition.word();
            format!("{word}{detail}: {} ({}, {})", noted.note, noted.by, when(noted.at))
        }
        Said::Accepted(until) => format!("accepted with all of its job's until {}", when(until)),
    });
    let run = row.run.rest().to_owned();
    Row {
        path: encoded(&run),
        anchor: format!("run-{}", run.replace(|c: char| !c.is_ascii_alphanumeric(), "-")),
        run,
        instant: when(row.instant),
        class: tone(&row.state),
        state: row.state.clone(),
        late: row.late,
        host: row.host.clone(),
        message: row.message.clone().unwrap_or_default(),
        open: words.is_none() && row.is_exception(),
        goes_on: !row.is_exception(),
        said: words,
    }
}

fn groups(morning: &Morning, beside: &Beside) -> Vec<Group> {
    let mut by_job: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for exception in &morning.night.exceptions {
        by_job.entry(&exception.job).or_default().push(row(morning, exception));
    }
    let strip = |job: &str| {
        let states = beside.strips.get(job).map(Vec::as_slice).unwrap_or_default();
        let same = states.chunk_by(|one, next| one == next);
        let word = |run: &[String]| Some((run.first()?.clone(), run.len()));
        let words = same.filter_map(word);
        words.map(|(word, times)| Word { class: tone(&word), word, times }).collect()
    };
    let group =
        |(job, rows): (&str, Vec<Row>)| Group { job: job.to_owned(), strip: strip(job), rows };
    by_job.into_iter().map(group).collect()
}

fn emergencies(morning: &Morning, beside: &Beside) -> Vec<Emergency> {
    let one = |(id, request): &(StreamId, domain::job::ChangeRequest)| {
        let expedited = request.expedited.as_ref()?;
        Some(Emergency {
            path: id.to_string(),
            by: expedited.by.clone().unwrap_or_default(),
            reason: expedited.reason.clone(),
            until: when(expedited.until),
            over: expedited.until < morning.now,
        })
    };
    beside.emergencies.iter().filter_map(one).collect()
}

async fn night(console: &Console, visitor: &Visitor) -> Result<NightPage, Page> {
    let morning = console.morning(None).await?;
    let beside = console.beside(&morning).await?;
    let shown = Shown { position: 0, ..morning.shown() }.digest();
    let print = |(id, document): &(StreamId, domain::print::Document)| Print {
        id: id.rest().chars().take(8).collect(),
        purpose: document.spooled.purpose.clone(),
        queue: document.queue.clone(),
        state: document.state.word().to_owned(),
    };
    Ok(NightPage {
        shell: visitor
            .shell()
            .as_of(console, morning.position)
            .cli("decklog night\ndecklog review note RUN --note TEXT\ndecklog review sign"),
        sentence: sentence(&morning),
        span: format!("From {} to {}", when(morning.since), when(morning.until)),
        last: morning.review.signed.last().cloned(),
        overdue: morning.is_overdue(),
        access_overdue: console.is_access_overdue(visitor.now).await?,
        goes_on: morning.goes_on(),
        problem: None,
        groups: groups(&morning, &beside),
        prints: beside.documents.iter().map(print).collect(),
        incidents: beside.incidents.iter().map(super::incidents::row).collect(),
        emergencies: emergencies(&morning, &beside),
        may_sign: visitor.could(Action::SignReviews),
        open: morning.open().len(),
        until: morning.until,
        shown: shown.map(|digest| digest.to_string()).unwrap_or_default(),
        word: visitor.word(),
        datasets: beside.datasets,
    })
}

/// The page.
pub(crate) async fn page(State(console): State<Console>, visitor: Visitor) -> Result<Page, Page> {
    Ok(visitor.page(&night(&console, &visitor).await?))
}

/// The page again where something went wrong.
async fn became(
    console: &Console,
    visitor: &Visitor,
    done: Result<Applied, CommandError>,
    to: &str,
) -> Result<Page, Page> {
    let page = night(console, visitor);
    visitor
        .became(done, |_| to.to_owned(), page, |page, problem| NightPage { problem, ..page })
        .await
}

/// Somebody says what becomes of an exception.
pub(crate) async fn note(State(console): State<Console>, sent: Sent) -> Result<Page, Page> {
    let wanted = wanted(&sent.fields);
    let done = match wanted {
        Ok(wanted) => console.note_exception(&wanted, &sent.visitor.caller).await,
        Err(problem) => Err(CommandError::Invalid(problem)),
    };
    became(&console, &sent.visitor, done, "/night").await
}

fn wanted(fields: &Fields) -> Result<NoteWanted, String> {
    let what = fields.text("what");
    let needs = |text: &str| format!("write {text} beside what becomes of it");
    let disposition = match fields.must("is")? {
        "note" => Disposition::Note {},
        "ticket" if what.is_empty() => return Err(needs("the ticket's name")),
        "ticket" => Disposition::Ticket { reference: what },
        "accepted" => Disposition::Accepted {
            until: end_of(&what).ok_or_else(|| needs("a day such as 2026-12-01"))?,
        },
        "rerun" => {
            let run = format!("run/{}", what.trim_start_matches("run/")).parse();
            Disposition::Rerun { run: run.map_err(|_| needs("the run that ran again"))? }
        }
        other => return Err(format!("{other:?} is nothing that becomes of an exception")),
    };
    Ok(NoteWanted { run: fields.must("run")?.to_owned(), disposition, note: fields.text("note") })
}

/// The end of a day at this console.
fn end_of(text: &str) -> Option<Timestamp> {
    let day: jiff::civil::Date = text.parse().ok()?;
    Some(day.tomorrow().ok()?.to_zoned(TimeZone::system()).ok()?.timestamp())
}

/// Somebody signs.
pub(crate) async fn sign(State(console): State<Console>, sent: Sent) -> Result<Page, Page> {
    let done = match sent.fields.instant("until") {
        Ok(until) => {
            let (shown, statement) = (sent.fields.text("shown"), sent.fields.text("statement"));
            let wanted = SignWanted { until, shown, statement };
            console.sign_review(&wanted, &sent.visitor.caller).await
        }
        Err(error) => Err(error),
    };
    became(&console, &sent.visitor, done, "/night/signed").await
}

/// Reviews that were signed, newest first.
pub(crate) async fn signed(State(console): State<Console>, visitor: Visitor) -> Result<Page, Page> {
    let state = console.state(&domain::review::stream()).await?;
    let review = state.and_then(|state| state.body.review().cloned()).unwrap_or_default();
    let rows = review.signed.into_iter().rev().collect();
    let shell = visitor.shell().cli("decklog events --stream review/night");
    Ok(visitor.page(&SignedPage { shell, rows }))
}
