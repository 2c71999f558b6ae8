//! What auditors ask to be shown: which requests there are, and one of them with its thread.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use domain::controls::CATALOGUE;
use domain::event::{Reference, RequestPeriod};
use domain::ids::StreamId;
use domain::people::Action;
use domain::request::{Request, Said, Step};
use domain::wire::RequestFilter;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::answer::Page;
use super::forms::{Fields, Sent};
use super::shell::{Shell, Visitor};
use super::words::{Choice, Link, address, asking, choices, events_of};
use super::{no_such, reading, when};
use crate::commands::{Applied, CommandError, LISTED, RequestAct, RequestWanted, listed_by};
use crate::state::Console;

/// Most requests on a page.
const ROWS: u32 = 50;

/// What stands in the address of the list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    /// One of [`LISTED`]; all that are not over where it is empty.
    state: String,
    /// The number of the last request on the page before.
    below: String,
}

impl Asked {
    fn word(&self) -> &str {
        if self.state.is_empty() { "current" } else { &self.state }
    }
}

/// A request in a list.
struct Row {
    path: String,
    number: u32,
    title: String,
    state: &'static str,
    tone: &'static str,
    overdue: bool,
    by: Link,
    asked: String,
    due: String,
}

/// The colour of a state, which its word says too.
fn tone(request: &Request) -> &'static str {
    match request.word() {
        "accepted" => "good",
        "flagged" => "bad",
        "withdrawn" => "",
        _ => "warn",
    }
}

fn row(request: &Request, now: Timestamp) -> Row {
    Row {
        path: address(&request.id()),
        number: request.number,
        title: request.asked.title.clone(),
        state: request.word(),
        tone: tone(request),
        overdue: request.is_overdue(now),
        by: Link::who(&request.by),
        asked: when(request.at),
        due: when(request.asked.due),
    }
}

#[derive(Template)]
#[template(path = "requests.html")]
struct RequestsPage {
    shell: Shell,
    states: Vec<Choice>,
    rows: Vec<Row>,
    next: Option<String>,
    may_ask: bool,
    controls: Vec<&'static str>,
    word: String,
    problem: Option<String>,
}

async fn list(console: &Console, visitor: &Visitor, asked: &Asked) -> Result<RequestsPage, Page> {
    let filter = listed_by(asked.word(), visitor.now)?;
    let below = asked.below.parse().ok();
    let (position, found) =
        console.requests(RequestFilter { below, limit: ROWS, ..filter }).await?;
    let last = found.last().filter(|_| found.len() == ROWS as usize);
    let next = last.map(|last| {
        asking("/requests", &[("state", &asked.state), ("below", &last.number.to_string())])
    });
    Ok(RequestsPage {
        shell: visitor
            .shell()
            .as_of(console, position)
            .cli("decklog request list\ndecklog request ask --title … --text … --due 2026-12-15"),
        states: choices(&LISTED, asked.word()),
        rows: found.iter().map(|request| row(request, visitor.now)).collect(),
        next,
        may_ask: visitor.could(Action::AuditRequests),
        controls: CATALOGUE.iter().map(|control| control.id).collect(),
        word: visitor.word(),
        problem: None,
    })
}

/// Those that are not over, or others.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Page, Page> {
    Ok(visitor.page(&list(&console, &visitor, &asked).await?))
}

/// An auditor asks.
pub(crate) async fn ask(State(console): State<Console>, sent: Sent) -> Result<Page, Page> {
    let visitor = &sent.visitor;
    let done = match wanted(&sent.fields) {
        Ok(wanted) => console.ask_request(&wanted, &visitor.caller).await,
        Err(problem) => Err(CommandError::Invalid(problem)),
    };
    let asked = Asked::default();
    let page = list(&console, visitor, &asked);
    let to = |applied: &Applied| address(&applied.stream);
    visitor.became(done, to, page, |page, problem| RequestsPage { problem, ..page }).await
}

fn wanted(fields: &Fields) -> Result<RequestWanted, String> {
    let period = match (fields.get("from"), fields.get("until")) {
        (None, None) => None,
        (from, until) => Some(RequestPeriod {
            from: day("from", from.or(until).unwrap_or_default())?,
            until: day("until", until.or(from).unwrap_or_default())?,
        }),
    };
    Ok(RequestWanted {
        title: fields.text("title"),
        text: fields.text("text"),
        due: last_second(day("due", fields.must("due")?)?)?,
        control: fields.get("control").map(str::to_owned),
        period,
        references: references(fields),
    })
}

fn references(fields: &Fields) -> Vec<String> {
    fields.words("references").map(str::to_owned).collect()
}

fn day(field: &str, text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| format!("{field}: {text:?} is no day: write 2026-11-30"))
}

/// The last second of a day at the console's machine: what is due then is shown with the day that was chosen.
fn last_second(day: Date) -> Result<Timestamp, String> {
    let last = day.at(23, 59, 59, 0).to_zoned(TimeZone::system());
    last.map(|last| last.timestamp()).map_err(|error| error.to_string())
}

/// What somebody said.
struct Line {
    at: String,
    by: Link,
    word: &'static str,
    tone: &'static str,
    text: String,
    references: Vec<Link>,
}

fn link(reference: &Reference) -> Link {
    match reference {
        Reference::Position(at) => Link::new(format!("/events/{at}"), format!("event {at}")),
        Reference::Stream(id) => Link::new(address(id), id.as_str()),
    }
}

fn line(said: &Said) -> Line {
    Line {
        at: when(said.at),
        by: Link::who(&said.by),
        word: said.step.word(),
        tone: match said.step {
            Step::Accepted => "good",
            Step::Flagged => "bad",
            Step::Answered => "warn",
            Step::Withdrawn => "",
        },
        text: said.text.clone(),
        references: said.references.iter().map(link).collect(),
    }
}

#[derive(Template)]
#[template(path = "request.html")]
struct RequestPage {
    shell: Shell,
    row: Row,
    text: String,
    control: Option<Link>,
    period: Option<String>,
    references: Vec<Link>,
    thread: Vec<Line>,
    events: String,
    answered: bool,
    /// What the page offers: to answer, to judge the answer, to withdraw it.
    may_answer: bool,
    may_judge: bool,
    may_withdraw: bool,
    word: String,
    problem: Option<String>,
}

async fn shown(console: &Console, visitor: &Visitor, id: &StreamId) -> Result<RequestPage, Page> {
    let (position, state) = reading::one(console, id).await?;
    let missing = || Page::problem(StatusCode::NOT_FOUND, &format!("there is no {id}"));
    let request = state.body.request().ok_or_else(missing)?;
    let (me, number) = (visitor.user().actor(), request.number);
    let (own, over) = (request.by == me, request.closed().is_some());
    let audits = visitor.could(Action::AuditRequests) && !over;
    let asked = &request.asked;
    Ok(RequestPage {
        shell: visitor.shell().as_of(console, position).cli(format!(
            "decklog request show {number}\ndecklog request answer {number} --text … --ref job/NAME\ndecklog request accept {number}\ndecklog request flag {number} --text …"
        )),
        row: row(request, visitor.now),
        text: asked.text.clone(),
        control: asked.control.as_ref().map(|one| Link::new(format!("/controls/{one}"), one)),
        period: asked.period.as_ref().map(RequestPeriod::to_string),
        references: asked.references.iter().map(link).collect(),
        thread: request.thread.iter().map(line).collect(),
        events: events_of(id),
        answered: request.is_answered(),
        may_answer: visitor.could(Action::AnswerRequests) && !over && !own,
        may_judge: audits && request.is_answered() && !request.answerers().contains(me.as_str()),
        may_withdraw: audits && own,
        word: visitor.word(),
        problem: None,
    })
}

fn named(number: &str) -> Result<StreamId, Page> {
    let id = format!("request/{number}").parse();
    id.map_err(|_| Page::problem(StatusCode::NOT_FOUND, &format!("there is no request {number}")))
}

/// One request.
pub(crate) async fn one(
    State(console): State<Console>,
    visitor: Visitor,
    Path(number): Path<String>,
) -> Result<Page, Page> {
    Ok(visitor.page(&shown(&console, &visitor, &named(&number)?).await?))
}

/// Somebody answers it, or judges the answer.
pub(crate) async fn act(
    State(console): State<Console>,
    Path(number): Path<String>,
    sent: Sent,
) -> Result<Page, Page> {
    let (id, visitor) = (named(&number)?, &sent.visitor);
    let done = match act_of(&sent.fields) {
        Ok(act) => {
            let text = sent.fields.text("text");
            console.set_request(&id, &act, &visitor.caller, &text).await
        }
        Err(problem) => Err(problem),
    };
    let page = shown(&console, visitor, &id);
    let to = |_: &Applied| address(&id);
    visitor.became(done, to, page, |page, problem| RequestPage { problem, ..page }).await
}

fn act_of(fields: &Fields) -> Result<RequestAct, CommandError> {
    Ok(match fields.must("act").map_err(CommandError::Invalid)? {
        "answer" => RequestAct::Answer { references: references(fields) },
        "accept" => RequestAct::Accept {},
        "flag" => RequestAct::Flag {},
        "withdraw" => RequestAct::Withdraw {},
        other => return Err(no_such(other, "request")),
    })
}
