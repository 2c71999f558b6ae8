//! Queues and numbered stock: what waits where, and what became of each number.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use domain::ids::StreamId;
use domain::ledger::Body;
use domain::people::Action;
use domain::print::document::OPEN;
use domain::print::register::{Entry, in_lines, register};
use domain::print::stock::{Batch, Fate, Numbered};
use domain::print::{Form, Queue};
use domain::site::ThingKind;
use domain::wire::{DocumentFilter, Selection, StreamView};
use serde::Deserialize;

use super::answer::{Page, encoded};
use super::forms::Sent;
use super::prints::short;
use super::reading;
use super::shell::{Shell, Visitor};
use super::when;
use super::words::{Link, Marked, asking, events_of};
use crate::commands::{Applied, CommandError, FormAct, QueueAct};
use crate::state::Console;

/// Most documents under way that are counted.
const COUNTED: u32 = 2_000;
/// Most numbers that the register on a page begins with, and most of its lines.
const NUMBERS: u64 = 10_000;
const LINES: usize = 100;

/// A queue in the list.
struct QueueRow {
    name: String,
    state: Marked,
    why: String,
    printer: String,
    /// Documents that wait or print, and those that are held.
    waiting: usize,
    held: usize,
    waiting_link: String,
    held_link: String,
    events: String,
    may_hold: bool,
    may_release: bool,
}

/// A form in the list.
struct FormRow {
    form: Link,
    account: String,
    queue: String,
    next: String,
    counts: Counts,
}

/// How many numbers of a form came to what.
struct Counts {
    left: u64,
    printed: u64,
    spent: u64,
    doubt: u64,
    gaps: u64,
}

#[derive(Template)]
#[template(path = "queues.html")]
struct QueuesPage {
    shell: Shell,
    queues: Vec<QueueRow>,
    forms: Vec<FormRow>,
    /// Whether there are more documents under way than were counted.
    more: bool,
    word: String,
    problem: Option<String>,
}

fn queue_row(
    queue: &Queue,
    open: &BTreeMap<String, (usize, usize)>,
    visitor: &Visitor,
) -> QueueRow {
    let name = queue.defined.name.clone();
    let (state, why) = queue.state();
    let (waiting, held) = open.get(&name).copied().unwrap_or_default();
    let steers = visitor.could(Action::SteerPrints) && state != "retired";
    QueueRow {
        state: Marked::new(state),
        why,
        printer: queue.definition().map(|one| one.printer).unwrap_or_default(),
        waiting,
        held,
        waiting_link: asking("/prints", &[("state", "open"), ("queue", &name)]),
        held_link: asking("/prints", &[("state", "held"), ("queue", &name)]),
        events: events_of(&StreamId::thing(ThingKind::Queue, &name)),
        may_hold: steers && queue.held.is_none(),
        may_release: steers && queue.held.is_some(),
        name,
    }
}

/// Of each queue how many documents are under way, and how many of these are held.
fn counted(open: &[StreamView]) -> BTreeMap<String, (usize, usize)> {
    let mut counts = BTreeMap::<String, (usize, usize)>::new();
    for document in open.iter().filter_map(|view| view.state.body.document()) {
        let (all, held) = counts.entry(document.queue.clone()).or_default();
        *all += 1;
        *held += usize::from(document.state.word() == "held");
    }
    counts
}

fn counts(form: &Form) -> Counts {
    let of = |fates: &[Fate]| {
        let spans = form.spans.iter().filter(|span| fates.contains(&span.fate));
        spans.map(|span| span.last + 1 - span.first).sum()
    };
    let sum = |ranges: Vec<(u64, u64)>| ranges.iter().map(|(first, last)| last + 1 - first).sum();
    Counts {
        left: sum(form.left()),
        printed: of(&[Fate::Printed]),
        spent: of(&[Fate::Voided, Fate::Spoiled]),
        doubt: of(&[Fate::Allocated]),
        gaps: sum(form.gaps()),
    }
}

fn form_row(form: &Form) -> FormRow {
    let (name, definition) = (&form.defined.name, form.definition());
    FormRow {
        form: Link::new(format!("/prints/forms/{}", encoded(name)), name),
        account: definition.as_ref().map(|one| one.account.clone()).unwrap_or_default(),
        queue: definition.map(|one| one.queue).unwrap_or_default(),
        next: form.left().first().map(|(next, _)| form.shown(*next)).unwrap_or_default(),
        counts: counts(form),
    }
}

async fn everything(console: &Console, visitor: &Visitor) -> Result<QueuesPage, Page> {
    let (position, queues) = reading::all(console, Selection::Queues).await?;
    let (_, forms) = reading::all(console, Selection::Forms).await?;
    let states = OPEN.map(str::to_owned).to_vec();
    let filter = DocumentFilter { states, limit: COUNTED, ..DocumentFilter::default() };
    let (_, open) = reading::documents(console, filter).await?;
    let (more, counts) = (open.len() >= COUNTED as usize, counted(&open));
    let queue = |view: &StreamView| {
        let Body::Queue(queue) = &view.state.body else { return None };
        Some(queue_row(queue, &counts, visitor))
    };
    let commands =
        "decklog print queues\ndecklog print hold-queue NAME --reason …\ndecklog print forms list";
    Ok(QueuesPage {
        shell: visitor.shell().as_of(console, position).cli(commands),
        queues: queues.iter().filter_map(queue).collect(),
        forms: forms.iter().filter_map(|view| view.state.body.form()).map(form_row).collect(),
        more,
        word: visitor.word(),
        problem: None,
    })
}

/// All queues and forms.
pub(crate) async fn page(State(console): State<Console>, visitor: Visitor) -> Result<Page, Page> {
    Ok(visitor.page(&everything(&console, &visitor).await?))
}

/// Holds a queue, or lets it go on.
pub(crate) async fn act(State(console): State<Console>, sent: Sent) -> Result<Page, Page> {
    let visitor = &sent.visitor;
    let done = done(&console, &sent).await;
    let page = everything(&console, visitor);
    visitor
        .became(
            done,
            |_| "/prints/queues".to_owned(),
            page,
            |page, problem| QueuesPage { problem, ..page },
        )
        .await
}

async fn done(console: &Console, sent: &Sent) -> Result<Applied, CommandError> {
    let fields = &sent.fields;
    let name = fields.must("queue").map_err(CommandError::Invalid)?;
    super::thing_id(ThingKind::Queue, name)?;
    let act = match fields.must("act").map_err(CommandError::Invalid)? {
        "hold" => QueueAct::Hold,
        "release" => QueueAct::Release,
        other => return Err(super::no_such(other, "queue")),
    };
    console.set_queue(name, act, &sent.visitor.caller, &fields.text("reason")).await
}

/// What stands in the address of a form's page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    /// The number that the register begins with.
    from: Option<u64>,
}

/// Stock that was put in.
struct BatchRow {
    range: String,
    loaded: String,
    state: Marked,
    seen: String,
}

/// Numbers that share a fate.
struct Range {
    range: String,
    fate: Marked,
    document: Option<Link>,
}

/// A line of the register.
struct Line {
    number: String,
    fate: Marked,
    at: String,
    document: Option<Link>,
    page: String,
}

#[derive(Template)]
#[template(path = "form.html")]
struct FormPage {
    shell: Shell,
    name: String,
    row: FormRow,
    batches: Vec<BatchRow>,
    ranges: Vec<Range>,
    ranges_left_out: usize,
    lines: Vec<Line>,
    from: String,
    next: Option<String>,
    events: String,
    /// Whether they may say what became of sheets.
    keeps: bool,
    word: String,
    problem: Option<String>,
}

fn to(form: &Form, first: u64, last: u64) -> String {
    if first == last {
        form.shown(first)
    } else {
        format!("{} to {}", form.shown(first), form.shown(last))
    }
}

fn batch(form: &Form, one: &Batch) -> BatchRow {
    let (state, seen) = match (&one.witness, one.unloaded) {
        (_, Some(at)) => ("taken out", when(at)),
        (Some((who, at)), None) => ("in the tray", format!("seen by {who} {}", when(at))),
        (None, None) => ("waiting", "for a second person".to_owned()),
    };
    let by = one.by.as_deref().unwrap_or("nobody named");
    let loaded = format!("by {by} {}", when(one.at));
    BatchRow { range: to(form, one.first, one.last), loaded, state: Marked::new(state), seen }
}

fn document_link(id: Option<&StreamId>) -> Option<Link> {
    id.map(|id| Link::new(super::words::address(id), short(id)))
}

/// What became of the numbers, gaps and unused ones among them, in their order.
fn ranges(form: &Form) -> Vec<Range> {
    let said = form.spans.iter().map(|Numbered { first, last, fate, document, .. }| {
        (*first, *last, Marked::new(fate.word()), document_link(document.as_ref()))
    });
    let gone = form
        .gaps()
        .into_iter()
        .map(|(first, last)| (first, last, Marked::tuned("gone", "bad"), None));
    let left =
        form.left().into_iter().map(|(first, last)| (first, last, Marked::new("unused"), None));
    let mut all: Vec<_> = said.chain(gone).chain(left).collect();
    all.sort_by_key(|(first, ..)| *first);
    let one =
        |(first, last, fate, document)| Range { range: to(form, first, last), fate, document };
    all.into_iter().map(one).collect()
}

fn line(form: &Form, entry: &Entry, last: u64) -> Line {
    Line {
        number: to(form, entry.number, last),
        fate: Marked::new(entry.fate.map_or("unused", Fate::word)),
        at: entry.at.map(when).unwrap_or_default(),
        document: document_link(entry.document.as_ref()),
        page: entry.page.map(|page| page.to_string()).unwrap_or_default(),
    }
}

/// The register from a number on, and the number with which it goes on.
fn part_of(form: &Form, from: u64) -> (Vec<Line>, Option<u64>) {
    let Some(highest) = form.batches.iter().map(|one| one.last).max() else {
        return (Vec::new(), None);
    };
    let last = highest.min(from.saturating_add(NUMBERS - 1));
    let entries = register(form, &BTreeMap::new(), from, last);
    let all = in_lines(&entries);
    let next = all.get(LINES).map(|(entry, _)| entry.number);
    let next = next.or((last < highest).then_some(last + 1));
    (all.iter().take(LINES).map(|(entry, last)| line(form, entry, *last)).collect(), next)
}

async fn one(
    console: &Console,
    visitor: &Visitor,
    name: &str,
    asked: &Asked,
) -> Result<FormPage, Page> {
    let id = super::thing_id(ThingKind::Form, name)?;
    let (position, state) = reading::one(console, &id).await?;
    let missing = || CommandError::NotFound(format!("form {name}"));
    let form = state.body.form().ok_or_else(missing)?;
    let lowest = form.batches.iter().map(|one| one.first).min().unwrap_or(1);
    let from = asked.from.unwrap_or(lowest).max(lowest);
    let (lines, next) = part_of(form, from);
    let mut ranges = ranges(form);
    let ranges_left_out = ranges.len().saturating_sub(LINES);
    ranges.drain(..ranges_left_out);
    let commands = format!(
        "decklog print forms show {name}\ndecklog print forms register {name}\n\
         decklog print forms load {name} FIRST LAST --reason …"
    );
    Ok(FormPage {
        shell: visitor.shell().as_of(console, position).cli(commands),
        row: form_row(form),
        batches: form.batches.iter().rev().take(LINES).map(|one| batch(form, one)).collect(),
        ranges,
        ranges_left_out,
        lines,
        from: form.shown(from),
        next: next.map(|next| {
            asking(&format!("/prints/forms/{name}"), &[("from", &next.to_string())]) + "#register"
        }),
        events: events_of(&id),
        keeps: visitor.could(Action::KeepStock),
        word: visitor.word(),
        problem: None,
        name: name.to_owned(),
    })
}

/// Numbered stock.
pub(crate) async fn form(
    State(console): State<Console>,
    visitor: Visitor,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Page, Page> {
    Ok(visitor.page(&one(&console, &visitor, &name, &asked).await?))
}

/// Says what was done with sheets.
pub(crate) async fn keep(
    State(console): State<Console>,
    Path(name): Path<String>,
    sent: Sent,
) -> Result<Page, Page> {
    let visitor = &sent.visitor;
    let done = kept(&console, &name, &sent).await;
    let asked = Asked::default();
    let page = one(&console, visitor, &name, &asked);
    let to = |_: &Applied| format!("/prints/forms/{name}");
    visitor.became(done, to, page, |page, problem| FormPage { problem, ..page }).await
}

async fn kept(console: &Console, name: &str, sent: &Sent) -> Result<Applied, CommandError> {
    super::thing_id(ThingKind::Form, name)?;
    let fields = &sent.fields;
    let number = |field: &str| {
        let text = fields.must(field).map_err(CommandError::Invalid)?;
        text.parse::<u64>().map_err(|_| CommandError::Invalid(format!("{field} is a number")))
    };
    let first = number("first")?;
    let last = if fields.get("last").is_some() { number("last")? } else { first };
    let act = match fields.must("act").map_err(CommandError::Invalid)? {
        "load" => FormAct::Load { first, last },
        "witness" => FormAct::Witness { first, last },
        "unload" => FormAct::Unload { number: first },
        "void" => FormAct::Void { first, last, spoiled: false },
        "spoil" => FormAct::Void { first, last, spoiled: true },
        "return" => FormAct::Return { first, last },
        "slip" => FormAct::Slip { first, last },
        "printed" => FormAct::Printed { first, last },
        other => return Err(super::no_such(other, "form")),
    };
    console.set_form(name, &act, &sent.visitor.caller, &fields.text("reason")).await
}
