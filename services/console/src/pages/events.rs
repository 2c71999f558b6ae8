//! The log: looked through, newest first, and each event as it was signed.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use domain::ids::StreamId;
use domain::wire::{EventFilter, LogEntry, Proof};
use serde::Deserialize;
use serde_json::Value;

use super::answer::Page;
use super::forms::Sent;
use super::reading::{self, Read};
use super::shell::{Shell, Visitor};
use super::when;
use super::words::{Link, asking, events_of, instant};
use crate::commands::{Applied, FilterWanted};
use crate::state::Console;

/// Most events on a page.
const PAGE: usize = 100;
/// A larger envelope is not shown whole.
const TEXT_BYTES: usize = 40 * 1024;

/// What stands in the address of the page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    stream: String,
    #[serde(rename = "type")]
    kind: String,
    actor: String,
    since: String,
    until: String,
    after: String,
    before: String,
    /// `stream` where events of one stream stand together.
    group: String,
}

/// An event in a list.
pub(crate) struct Line {
    pub(crate) position: u64,
    pub(crate) received: String,
    pub(crate) kind: String,
    pub(crate) stream: Option<Link>,
    pub(crate) actor: Option<Link>,
    pub(crate) producer: String,
    pub(crate) void: bool,
}

impl Line {
    /// Its stream's name.
    fn about(&self) -> &str {
        self.stream.as_ref().map_or("", |link| &link.text)
    }
}

/// An event as a list shows it.
pub(crate) fn line(entry: &LogEntry) -> Line {
    let event: Value = serde_json::from_str(entry.event.get()).unwrap_or_default();
    let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let stream = text("subject").parse::<StreamId>().ok();
    let actor = text("actor");
    Line {
        position: entry.position,
        received: when(entry.received),
        kind: text("type"),
        stream: stream.map(|id| Link::new(events_of(&id), id.to_string())),
        actor: Some(actor).filter(|actor| !actor.is_empty()).map(|actor| Link::who(&actor)),
        producer: text("source"),
        void: entry.void.is_some(),
    }
}

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage {
    shell: Shell,
    asked: Asked,
    events: Vec<Line>,
    filters: Vec<String>,
    /// What this page is, behind the `?` of its address; empty for all events.
    query: String,
    /// Searches that they keep: their names and addresses.
    kept: Vec<Link>,
    word: String,
    /// From which position to which was looked.
    looked: Option<(u64, u64)>,
    next: Option<String>,
    problem: Option<String>,
}

impl Asked {
    fn filter(&self) -> Result<EventFilter, String> {
        let said = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let stream = said(&self.stream).map(|text| text.parse::<StreamId>());
        Ok(EventFilter {
            stream: stream.transpose().map_err(|error| error.to_string())?,
            kind: said(&self.kind),
            actor: said(&self.actor).map(named),
            since: instant(&self.since)?,
            until: instant(&self.until)?,
            after: position(&self.after)?.unwrap_or_default(),
            before: position(&self.before)?,
            limit: PAGE as u32 + 1,
        })
    }

    fn before(&self, position: u64) -> String {
        self.address(&position.to_string())
    }

    fn address(&self, before: &str) -> String {
        let view = [
            ("stream", self.stream.as_str()),
            ("type", &self.kind),
            ("actor", &self.actor),
            ("since", &self.since),
            ("until", &self.until),
            ("after", &self.after),
            ("before", before),
            ("group", &self.group),
        ];
        asking("/events", &view)
    }

    /// What stands behind the `?` of this page's address.
    fn query(&self) -> String {
        let address = self.address(&self.before);
        address.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default()
    }

    fn filters(&self) -> Vec<String> {
        let all = [
            ("stream", &self.stream),
            ("type", &self.kind),
            ("actor", &self.actor),
            ("not before", &self.since),
            ("before", &self.until),
            ("after position", &self.after),
            ("before position", &self.before),
        ];
        let said = all.into_iter().filter(|(_, value)| !value.is_empty());
        said.map(|(name, value)| format!("{name} {value}")).collect()
    }

    fn cli(&self) -> String {
        let stream = if self.stream.is_empty() {
            String::new()
        } else {
            format!(" --stream {}", self.stream)
        };
        let after =
            if self.after.is_empty() { String::new() } else { format!(" --after {}", self.after) };
        format!("decklog events{stream}{after}")
    }
}

/// How the log names whoever somebody means: a person, where nothing else is said.
fn named(actor: String) -> String {
    if actor.contains('/') { actor } else { format!("user/{actor}") }
}

fn position(text: &str) -> Result<Option<u64>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let bad = |_| format!("{text:?} is no position: a whole number from 1 on");
    text.parse().map(|number: u64| Some(number.min(i64::MAX as u64))).map_err(bad)
}

/// What was found, and how far down was looked.
struct Found {
    entries: Vec<LogEntry>,
    /// The lowest position that was looked at; `None` where there is nothing further down.
    down_to: Option<u64>,
    more: bool,
}

async fn found(console: &Console, filter: EventFilter) -> Read<Found> {
    let (position, mut entries) = reading::events(console, filter).await?;
    // Fewer come where they are large: only none means that there are no more.
    let more = !entries.is_empty();
    entries.truncate(PAGE);
    let down_to = entries.last().map(|entry| entry.position);
    Ok((position, Found { entries, down_to, more: more && down_to > Some(1) }))
}

/// The page.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Page, Page> {
    match asked.filter() {
        Ok(filter) => Ok(visitor.page(&list(&console, &visitor, asked, filter).await?)),
        Err(problem) => {
            let page = EventsPage { problem: Some(problem), ..nothing(&console, &visitor, asked) };
            Ok(visitor.page(&page).with_status(StatusCode::BAD_REQUEST))
        }
    }
}

/// Keeps a search under a name, or forgets it.
pub(crate) async fn keep(State(console): State<Console>, sent: Sent) -> Result<Page, Page> {
    let visitor = &sent.visitor;
    let (name, query) = (sent.fields.text("name"), sent.fields.text("query"));
    let forgets = sent.fields.get("act") == Some("forget");
    let wanted = FilterWanted { name, query: Some(query.clone()).filter(|_| !forgets) };
    let done = console.save_filter(&wanted, &visitor.caller).await;
    let asked = Query::<Asked>::try_from_uri(&address(&query)).map(|Query(asked)| asked);
    let asked = asked.unwrap_or_default();
    let page = async {
        let filter = asked.filter().unwrap_or_default();
        list(&console, visitor, asked.clone(), filter).await
    };
    let to = |_: &Applied| asked.address(&asked.before);
    visitor.became(done, to, page, |page, problem| EventsPage { problem, ..page }).await
}

fn address(query: &str) -> Uri {
    format!("/events?{query}").parse().unwrap_or_default()
}

fn nothing(console: &Console, visitor: &Visitor, asked: Asked) -> EventsPage {
    let filters = asked.filters();
    let name = &visitor.user().name;
    let user = console.people.get(name).unwrap_or_else(|| visitor.user().clone());
    let kept = |(name, query): (&String, &String)| Link::new(format!("/events?{query}"), name);
    EventsPage {
        shell: visitor.shell().cli(asked.cli()),
        query: asked.query(),
        kept: user.filters.iter().map(kept).collect(),
        word: visitor.word(),
        asked,
        events: Vec::new(),
        filters,
        looked: None,
        next: None,
        problem: None,
    }
}

/// Events of one stream together, where that is asked for: streams in the order of their newest event.
fn grouped(mut lines: Vec<Line>, asked: &Asked) -> Vec<Line> {
    if asked.group != "stream" {
        return lines;
    }
    let mut places = BTreeMap::new();
    for line in &lines {
        let next = places.len();
        places.entry(line.about().to_owned()).or_insert(next);
    }
    lines.sort_by_key(|line| places.get(line.about()).copied());
    lines
}

async fn list(
    console: &Console,
    visitor: &Visitor,
    asked: Asked,
    filter: EventFilter,
) -> Result<EventsPage, Page> {
    let (lowest, before) = (filter.after + 1, filter.before);
    let (size, found) = found(console, filter).await?;
    let from = before.map_or(size, |before| size.min(before.saturating_sub(1)));
    let next = found.down_to.filter(|_| found.more);
    let down_to = next.unwrap_or(lowest);
    let page = nothing(console, visitor, asked.clone());
    Ok(EventsPage {
        events: grouped(found.entries.iter().map(line).collect(), &asked),
        looked: (from >= down_to).then_some((from, down_to)),
        next: next.map(|position| asked.before(position)),
        shell: page.shell.as_of(console, size),
        ..page
    })
}

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage {
    shell: Shell,
    line: Line,
    about: Option<Link>,
    void: Option<String>,
    facts: Vec<(&'static str, String)>,
    text: String,
    whole: String,
    before: Option<u64>,
    after: Option<u64>,
    number: u64,
    proof: Proof,
}

/// One event.
pub(crate) async fn event(
    State(console): State<Console>,
    visitor: Visitor,
    Path(position): Path<String>,
) -> Result<Page, Page> {
    let missing = || {
        let says = format!("there is no event {position} (yet)");
        Page::problem(StatusCode::NOT_FOUND, &says)
    };
    let number: u64 = position.parse().map_err(|_| missing())?;
    let after = number.checked_sub(1).filter(|after| i64::try_from(*after).is_ok());
    let after = after.ok_or_else(missing)?;
    let filter =
        EventFilter { after, before: Some(number + 1), limit: 1, ..EventFilter::default() };
    let (size, entries) = reading::events(&console, filter).await?;
    let entry = entries.first().ok_or_else(missing)?;
    Ok(visitor.page(&EventPage {
        shell: visitor.shell().as_of(&console, size).cli(format!(
            "decklog events --after {after} --limit 1 -o json\ndecklog events --proof {number}"
        )),
        about: about(entry),
        facts: facts(entry),
        text: pretty(entry),
        void: entry.void.clone(),
        whole: format!("/api/v1/events?after={after}&limit=1"),
        before: Some(after).filter(|before| *before > 0),
        after: Some(number + 1).filter(|next| *next <= size),
        line: line(entry),
        number,
        proof: reading::proof(&console, number).await?,
    }))
}

fn about(entry: &LogEntry) -> Option<Link> {
    let envelope = entry.envelope().ok()?;
    let id = envelope.subject;
    Some(Link::new(super::words::address(&id), id.to_string()))
}

fn facts(entry: &LogEntry) -> Vec<(&'static str, String)> {
    let Ok(envelope) = entry.envelope() else { return Vec::new() };
    let mut found = vec![
        ("by the clock of its producer", when(envelope.time)),
        ("version in its stream", envelope.version.to_string()),
        ("number of its producer", envelope.pseq.to_string()),
        ("on behalf of", envelope.onbehalf.unwrap_or_default()),
        ("identity", envelope.id.to_string()),
    ];
    found.retain(|(_, says)| !says.is_empty());
    found
}

fn pretty(entry: &LogEntry) -> String {
    let read = serde_json::from_str::<Value>(entry.event.get()).ok();
    let text = read.and_then(|value| serde_json::to_string_pretty(&value).ok());
    text.filter(|text| text.len() <= TEXT_BYTES).unwrap_or_default()
}
