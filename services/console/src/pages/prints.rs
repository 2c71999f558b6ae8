//! Documents: where each stands, and what can be done with it.

use askama::Template;
use axum::extract::{Path, Query, State};
use domain::ids::StreamId;
use domain::people::Action;
use domain::print::document::{DeliveryState, OPEN, Submission};
use domain::print::{Document, HoldWhy, PageRange, State as Stands};
use domain::wire::{DocumentFilter, StreamView};
use serde::Deserialize;

use super::answer::{Page, encoded};
use super::forms::{Fields, Sent};
use super::reading::{self, Read};
use super::records;
use super::shell::{Shell, Visitor};
use super::when;
use super::words::{Choice, Link, Marked, asking, brief, choices, events_of, millis};
use crate::commands::{Applied, CommandError, DocumentAct};
use crate::state::Console;

/// Most documents on a page.
const PAGE: usize = 100;
/// What the list can be narrowed to. `open`: somebody or something still has to do with it.
const STATES: [&str; 11] = [
    "open",
    "ready",
    "held",
    "releasing",
    "printing",
    "stopped",
    "unknown",
    "failed",
    "cancelled",
    "printed",
    "electronic",
];

/// What stands in the address of the page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    state: String,
    queue: String,
    form: String,
    after: String,
}

/// A document in the list.
struct Row {
    document: Link,
    state: Marked,
    queue: String,
    pages: String,
    priority: u8,
    spooled: String,
    run: Option<Link>,
    form: Option<Link>,
    why: String,
}

/// The first digits of a document's identity.
pub(crate) fn short(id: &StreamId) -> String {
    id.rest().get(..8).unwrap_or_default().to_owned()
}

fn pages(one: &Document) -> String {
    let pages = one.options.selected(one.spooled.pages);
    if one.options.copies == 1 {
        pages.to_string()
    } else {
        format!("{} x {pages}", one.options.copies)
    }
}

fn form_link(name: &str) -> Link {
    Link::new(format!("/prints/forms/{}", encoded(name)), name)
}

fn row(view: &StreamView) -> Option<Row> {
    let one = view.state.body.document()?;
    Some(Row {
        document: Link::new(super::words::address(&view.id), short(&view.id)),
        state: Marked::new(one.word()),
        queue: one.queue.clone(),
        pages: pages(one),
        priority: one.priority,
        spooled: when(one.at),
        run: one.run().map(Link::to),
        form: one.spooled.form.as_deref().map(form_link),
        why: brief(&one.why()),
    })
}

#[derive(Template)]
#[template(path = "prints.html")]
struct PrintsPage {
    shell: Shell,
    asked: Asked,
    states: Vec<Choice>,
    rows: Vec<Row>,
    filters: Vec<String>,
    next: Option<String>,
}

impl Asked {
    fn filter(&self) -> DocumentFilter {
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let states = match self.state.as_str() {
            "" => Vec::new(),
            "open" => OPEN.map(str::to_owned).to_vec(),
            one => vec![one.to_owned()],
        };
        DocumentFilter {
            queue: text(&self.queue),
            form: text(&self.form),
            states,
            limit: PAGE as u32 + 1,
            ..DocumentFilter::default()
        }
    }

    fn behind(&self, after: &str) -> String {
        let view = [
            ("state", self.state.as_str()),
            ("queue", &self.queue),
            ("form", &self.form),
            ("after", after),
        ];
        asking("/prints", &view)
    }

    fn filters(&self) -> Vec<String> {
        let all = [
            ("state", &self.state),
            ("queue", &self.queue),
            ("form", &self.form),
            ("older than", &self.after),
        ];
        let said = all.into_iter().filter(|(_, value)| !value.is_empty());
        said.map(|(name, value)| format!("{name} {value}")).collect()
    }
}

/// The documents that fit, from behind the last one of the page before.
async fn found(console: &Console, asked: &Asked) -> Read<Vec<StreamView>> {
    let filter = asked.filter();
    if asked.after.is_empty() {
        return reading::documents(console, filter).await;
    }
    let id = id_of(&asked.after)?;
    let (_, state) = reading::one(console, &id).await?;
    let at = state.body.document().map(|document| document.at);
    let at = at.ok_or_else(|| CommandError::NotFound(id.to_string()))?;
    // Several may share an instant: that one is read once more, and what was shown is left out.
    let until = at.checked_add(jiff::SignedDuration::from_micros(1)).ok();
    let limit = 2 * filter.limit;
    let (position, mut views) =
        reading::documents(console, DocumentFilter { until, limit, ..filter }).await?;
    views.retain(|view| view.state.body.document().is_some_and(|one| one.at < at || view.id < id));
    Ok((position, views))
}

/// The page.
pub(crate) async fn page(
    State(console): State<Console>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Page, Page> {
    let (position, views) = found(&console, &asked).await?;
    let last = views.get(PAGE - 1).filter(|_| views.len() > PAGE);
    Ok(visitor.page(&PrintsPage {
        shell: visitor.shell().as_of(&console, position).cli("decklog print list --all"),
        states: choices(&STATES, &asked.state),
        filters: asked.filters(),
        next: last.map(|view| asked.behind(view.id.rest())),
        rows: views.iter().take(PAGE).filter_map(row).collect(),
        asked,
    }))
}

/// What was said to a printer.
struct Printing {
    number: u32,
    round: u32,
    queue: String,
    numbers: String,
    end: String,
}

#[derive(Template)]
#[template(path = "document.html")]
struct DocumentPage {
    shell: Shell,
    name: String,
    id: String,
    row: Row,
    facts: Vec<(&'static str, String)>,
    printings: Vec<Printing>,
    notes: Vec<String>,
    events: String,
    /// Where they ask for it to be erased, where they may.
    redacts: Option<String>,
    may_hold: bool,
    may_release: bool,
    may_cancel: bool,
    asks_code: bool,
    /// What else they may do with it.
    more: More,
    word: String,
    problem: Option<String>,
}

/// What else somebody may do with a document.
struct More {
    moves: bool,
    reprints: bool,
    approves: bool,
    declines: bool,
    resolves: bool,
    retries: bool,
}

impl More {
    fn of(document: &Document, visitor: &Visitor) -> Self {
        let steers = visitor.could(Action::SteerPrints);
        let asked = document.request.as_ref();
        let other = asked.is_some_and(|one| visitor.is_another(one.by.as_deref()));
        let state = &document.state;
        let over =
            matches!(state, Stands::Printed | Stands::Failed { .. } | Stands::Cancelled { .. });
        Self {
            moves: steers && matches!(state, Stands::Ready | Stands::Held { .. }),
            reprints: steers && over && asked.is_none() && document.erased.is_none(),
            approves: other && visitor.could(Action::ApproveReprints),
            declines: asked.is_some() && visitor.could(Action::DeclineRequests),
            resolves: steers && matches!(state, Stands::Unknown { .. }),
            retries: steers && document.failed_deliveries().next().is_some(),
        }
    }
}

fn id_of(text: &str) -> Result<StreamId, CommandError> {
    let digits = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if digits {
        Ok(StreamId::document(text))
    } else {
        Err(CommandError::NotFound(format!("document {text}")))
    }
}

async fn one(console: &Console, visitor: &Visitor, name: &str) -> Result<DocumentPage, Page> {
    let id = id_of(name)?;
    let (position, state) = reading::one(console, &id).await?;
    let view = StreamView { id: id.clone(), state };
    let missing = || CommandError::NotFound(format!("document {name}"));
    let (document, row) = (view.state.body.document().cloned(), row(&view));
    let (document, row) = (document.ok_or_else(missing)?, row.ok_or_else(missing)?);
    let steers = visitor.could(Action::SteerPrints);
    let held = matches!(document.state, Stands::Held { .. });
    let again = matches!(document.state, Stands::Failed { sent: false, .. });
    let ready = document.state == Stands::Ready;
    let waits = !document.state.rests() || held || again;
    Ok(DocumentPage {
        shell: visitor.shell().as_of(console, position).cli(commands(&short(&id))),
        name: short(&id),
        id: name.to_owned(),
        row,
        facts: facts(&document),
        printings: document.submissions.iter().rev().map(printing).collect(),
        notes: notes(&document),
        events: events_of(&id),
        redacts: (document.state.rests()
            && document.erased.is_none()
            && visitor.could(Action::KeepRecords))
        .then(|| records::asks_for(&id)),
        may_hold: ready && steers,
        may_release: (held || again) && steers,
        may_cancel: waits && document.cancel.is_none() && steers,
        asks_code: matches!(document.state, Stands::Held { why: HoldWhy::Code, .. }),
        more: More::of(&document, visitor),
        word: visitor.word(),
        problem: None,
    })
}

fn commands(short: &str) -> String {
    let acts = ["hold", "release", "cancel"];
    let acts = acts.map(|act| format!("decklog print {act} {short} --reason …"));
    format!("decklog print show {short}\n{}", acts.join("\n"))
}

fn facts(one: &Document) -> Vec<(&'static str, String)> {
    let spooled = &one.spooled;
    let mut found = vec![
        (
            "what",
            format!(
                "{}, {} page(s), {} bytes",
                spooled.format.word(),
                spooled.pages,
                spooled.bytes
            ),
        ),
        ("for", spooled.purpose.clone()),
        ("host", spooled.host.clone()),
        ("impressions", one.expected().to_string()),
        ("content", format!("{} ({})", one.content.commitment, one.content.class)),
        ("kept after printing", millis(one.keep_ms)),
        ("released by", one.released_by.clone().unwrap_or_default()),
        ("cancelled by", one.cancelled_by.clone().unwrap_or_default()),
        ("erased", one.erased.map(when).unwrap_or_default()),
    ];
    found.extend(one.spooled.control.as_ref().map(|control| {
        let amounts = match control.amount_agrees {
            None => "",
            Some(true) => ", and the amounts agree",
            Some(false) => ", and the amounts differ",
        };
        ("control total", format!("{} of {}{amounts}", control.found, control.expected))
    }));
    found.retain(|(_, says)| !says.is_empty());
    found
}

fn printing(one: &Submission) -> Printing {
    let numbers = one.numbers.as_ref().map(|n| format!("{} to {}", n.first, n.last));
    let end = match (one.ended, one.impressions) {
        (None, _) => "not ended".to_owned(),
        (Some(at), Some(count)) => {
            format!("{count} of {} impressions counted, {}", one.expected, when(at))
        }
        (Some(at), None) => format!("nothing counted, {}", when(at)),
    };
    Printing {
        number: one.number,
        round: one.round,
        queue: one.queue.clone(),
        numbers: numbers.unwrap_or_default(),
        end,
    }
}

fn notes(one: &Document) -> Vec<String> {
    let mut found = Vec::new();
    for reprint in &one.reprints {
        let by = reprint.by.as_deref().unwrap_or("nobody named");
        let approved = reprint.approved_by.as_ref().map(|who| format!(", approved by {who}"));
        let approved = approved.unwrap_or_default();
        found.push(format!(
            "Printing {}: asked for by {by}{approved}: {}",
            reprint.round, reprint.reason
        ));
    }
    if let Some(request) = &one.request {
        let by = request.by.as_deref().unwrap_or("nobody named");
        found.push(format!("A reprint waits for approval: asked for by {by}: {}", request.reason));
    }
    for (number, delivery) in &one.deliveries {
        let what = match &delivery.state {
            DeliveryState::Delivered { receipt } if receipt.is_empty() => "delivered".to_owned(),
            DeliveryState::Delivered { receipt } => format!("delivered: {receipt}"),
            DeliveryState::Failed { reason, unknown: false } => format!("failed: {reason}"),
            DeliveryState::Failed { reason, unknown: true } => format!("unknown: {reason}"),
            DeliveryState::Again => "tried again".to_owned(),
        };
        found.push(format!("Delivery {number}: {what}"));
    }
    found
}

/// A document.
pub(crate) async fn document(
    State(console): State<Console>,
    visitor: Visitor,
    Path(name): Path<String>,
) -> Result<Page, Page> {
    Ok(visitor.page(&one(&console, &visitor, &name).await?))
}

/// Does something with it.
pub(crate) async fn act(
    State(console): State<Console>,
    Path(name): Path<String>,
    sent: Sent,
) -> Result<Page, Page> {
    let visitor = &sent.visitor;
    let done = done(&console, &name, &sent).await;
    let page = one(&console, visitor, &name);
    visitor
        .became(
            done,
            |_| format!("/prints/documents/{name}"),
            page,
            |page, problem| DocumentPage { problem, ..page },
        )
        .await
}

/// Pages, separated by commas; all where none is named.
fn pages_wanted(fields: &Fields) -> Result<Option<Vec<PageRange>>, CommandError> {
    let ranges: Result<Vec<PageRange>, _> = fields.words("pages").map(str::parse).collect();
    let ranges = ranges.map_err(|error| CommandError::Invalid(format!("pages: {error}")))?;
    Ok(Some(ranges).filter(|ranges| !ranges.is_empty()))
}

async fn done(console: &Console, name: &str, sent: &Sent) -> Result<Applied, CommandError> {
    id_of(name)?;
    let act = match sent.fields.must("act").map_err(CommandError::Invalid)? {
        "hold" => DocumentAct::Hold,
        "release" => DocumentAct::Release { code: sent.fields.get("code").map(str::to_owned) },
        "cancel" => DocumentAct::Cancel,
        "move" => DocumentAct::Move {
            queue: sent.fields.must("queue").map_err(CommandError::Invalid)?.to_owned(),
        },
        "reprint" => DocumentAct::Reprint { pages: pages_wanted(&sent.fields)? },
        "approve-reprint" => DocumentAct::ApproveReprint,
        "decline-reprint" => DocumentAct::DeclineReprint,
        "resolve" => DocumentAct::Resolve {
            impressions: sent
                .fields
                .number("impressions")
                .map_err(CommandError::Invalid)?
                .unwrap_or(0),
        },
        "retry" => DocumentAct::RetryDeliveries { deliveries: Vec::new() },
        other => return Err(super::no_such(other, "document")),
    };
    console.set_document(name, &act, &sent.visitor.caller, &sent.fields.text("reason")).await
}
