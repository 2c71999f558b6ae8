//! Documents: listed, shown, and what people say of them.

use anyhow::bail;
use domain::ids::StreamId;
use domain::print::document::{DeliveryState, OPEN, Submission};
use domain::print::facts::DocumentFacts;
use domain::print::{Document, PageRange, amount};
use domain::time::HumanDuration;
use domain::wire::{Content, DocumentFilter, Query, StreamView};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{act, must_be_new, write_new};
use crate::cli::{
    ChangeDocument, DocumentAct, DocumentsAct, Format, ListDocuments, MoveDocument, OneDocument,
    ReadDocument, ReleaseDocuments, ReprintDocument, ResolveDocument, RetryDelivery,
};
use crate::commands::acts::{Item, act_on_each};
use crate::commands::runs::run_id;
use crate::commands::with_console;
use crate::output::{self, Table, local};
use crate::source::Source;
use crate::{exit, host, when};

/// Most documents asked for at once.
const PAGE: u32 = 200;
/// Fewest digits that name a document.
const DIGITS_MIN: usize = 4;

/// The documents that fit, newest first, page by page.
pub(in crate::commands) fn find(
    source: &Source,
    filter: &DocumentFilter,
) -> anyhow::Result<Vec<(StreamId, Document)>> {
    let mut found: Vec<(StreamId, Document)> = Vec::new();
    let mut asked = DocumentFilter { limit: PAGE, ..filter.clone() };
    while found.len() < filter.limit as usize {
        let Content::Streams(page) = source.ask(&Query::Documents(asked.clone()))?.content else {
            bail!("the answer is to another question");
        };
        let page: Vec<_> = page.into_iter().filter_map(of_view).collect();
        let Some(oldest) = page.last().map(|(_, document)| document.at) else { break };
        let before = found.len();
        for one in page {
            if !found.iter().rev().take(PAGE as usize).any(|(id, _)| *id == one.0) {
                found.push(one);
            }
        }
        // Several may share an instant: from it on once more, until that brings nothing.
        let above = oldest.checked_add(jiff::SignedDuration::from_micros(1)).unwrap_or(oldest);
        asked.until = Some(if found.len() > before { above } else { oldest });
    }
    found.truncate(filter.limit as usize);
    Ok(found)
}

fn of_view(view: StreamView) -> Option<(StreamId, Document)> {
    Some((view.id, view.state.body.document()?.clone()))
}

/// The one document whose identity begins so.
pub(super) fn one(source: &Source, text: &str) -> anyhow::Result<(StreamId, Document)> {
    let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !digits || !(DIGITS_MIN..=32).contains(&text.len()) {
        return Err(exit::usage(format!(
            "{text:?} names no document: write {DIGITS_MIN} or more of its digits"
        )));
    }
    let filter =
        DocumentFilter { prefix: Some(text.to_owned()), limit: 2, ..DocumentFilter::default() };
    let mut found = find(source, &filter)?;
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(exit::not_found(format!("there is no document {text}"))),
        (Some(_), false) => {
            Err(exit::usage(format!("several documents begin with {text}: write more of it")))
        }
    }
}

pub(in crate::commands) fn short(id: &StreamId) -> String {
    id.rest().get(..8).unwrap_or_default().to_owned()
}

/// A document in a list.
#[derive(Debug, Serialize)]
struct Row {
    document: StreamId,
    state: &'static str,
    queue: String,
    host: String,
    run: Option<StreamId>,
    form: Option<String>,
    pages: u32,
    copies: u16,
    bytes: u64,
    priority: u8,
    spooled: Timestamp,
    why: String,
}

pub(super) fn list(wanted: &ListDocuments, format: Format) -> anyhow::Result<()> {
    let source = Source::open(&wanted.place)?;
    let states = match (&wanted.state, wanted.all) {
        (Some(state), _) => vec![state.clone()],
        (None, true) => Vec::new(),
        (None, false) => OPEN.iter().chain(&["failed"]).map(|word| (*word).to_owned()).collect(),
    };
    let filter = DocumentFilter {
        queue: wanted.queue.clone(),
        host: wanted.host.clone(),
        run: wanted.run.as_deref().map(run_id).transpose()?,
        form: wanted.form.clone(),
        states,
        since: wanted.since.as_deref().map(|text| when::since(text, host::now())).transpose()?,
        limit: wanted.limit,
        ..DocumentFilter::default()
    };
    let rows: Vec<Row> =
        find(&source, &filter)?.into_iter().map(|(id, one)| row(id, &one)).collect();
    output::list(format, &rows, |rows| {
        let mut table = Table::new([
            "DOCUMENT", "STATE", "QUEUE", "PAGES", "PRIORITY", "SPOOLED", "RUN", "WHY",
        ]);
        for one in rows {
            let pages = if one.copies == 1 {
                one.pages.to_string()
            } else {
                format!("{} x {}", one.copies, one.pages)
            };
            let run = one.run.as_ref().map_or("-".to_owned(), |run| run.rest().to_owned());
            table.row([
                short(&one.document),
                one.state.to_owned(),
                one.queue.clone(),
                pages,
                one.priority.to_string(),
                local(one.spooled),
                run,
                one.why.clone(),
            ]);
        }
        table
    })
}

fn row(document: StreamId, one: &Document) -> Row {
    Row {
        document,
        state: one.word(),
        queue: one.queue.clone(),
        host: one.spooled.host.clone(),
        run: one.run().cloned(),
        form: one.spooled.form.clone(),
        pages: one.options.selected(one.spooled.pages),
        copies: one.options.copies,
        bytes: one.spooled.bytes,
        priority: one.priority,
        spooled: one.at,
        why: one.why(),
    }
}

pub(super) fn show(which: &OneDocument, format: Format) -> anyhow::Result<()> {
    let source = Source::open(&which.place)?;
    let (id, document) = one(&source, &which.document)?;
    #[derive(Serialize)]
    struct Shown<'a> {
        document: &'a StreamId,
        #[serde(flatten)]
        state: &'a Document,
    }
    output::one(format, &Shown { document: &id, state: &document }, |_| text(&id, &document))
}

fn text(id: &StreamId, one: &Document) -> String {
    let spooled = &one.spooled;
    let mut lines = vec![
        format!("{id}: {}{}", one.word(), after(": ", &one.why())),
        format!(
            "  {}, {} pages, {} bytes, for {}",
            spooled.format.word(),
            spooled.pages,
            spooled.bytes,
            spooled.purpose
        ),
        format!("  queue {}, priority {}, host {}", one.queue, one.priority, spooled.host),
        format!(
            "  spooled {} by {}",
            local(one.at),
            one.run().map_or("its queue's directory".to_owned(), StreamId::to_string)
        ),
        format!(
            "  prints {} impressions: {} copies of {}",
            one.expected(),
            one.options.copies,
            pages(one)
        ),
        format!(
            "  content {} ({}), kept {} after printing",
            one.content.commitment,
            one.content.class,
            HumanDuration::from_secs(one.keep_ms / 1_000)
        ),
    ];
    if let Some(form) = &spooled.form {
        lines.push(format!("  on form {form}"));
    }
    if let Some(control) = &spooled.control {
        let amounts = match control.amount_agrees {
            None => "",
            Some(true) => ", and the amounts agree",
            Some(false) => ", and the AMOUNTS DIFFER",
        };
        lines.push(format!("  control total: {} of {}{amounts}", control.found, control.expected));
    }
    lines.extend(one.submissions.iter().map(submission));
    for reprint in &one.reprints {
        let by = reprint.by.as_deref().unwrap_or("-");
        let approved = reprint
            .approved_by
            .as_deref()
            .map_or(String::new(), |who| format!(", approved by {who}"));
        lines.push(format!(
            "  printing {}: asked for by {by}{approved}: {}",
            reprint.round, reprint.reason
        ));
    }
    if let Some(request) = &one.request {
        let by = request.by.as_deref().unwrap_or("-");
        lines
            .push(format!("  a reprint waits for approval: asked for by {by}: {}", request.reason));
    }
    for (number, delivery) in &one.deliveries {
        let what = match &delivery.state {
            DeliveryState::Delivered { receipt } => format!("delivered{}", after(": ", receipt)),
            DeliveryState::Failed { reason, unknown: false } => format!("FAILED: {reason}"),
            DeliveryState::Failed { reason, unknown: true } => format!("UNKNOWN: {reason}"),
            DeliveryState::Again => "tried again".to_owned(),
        };
        lines.push(format!("  delivery {number}: {what}"));
    }
    if let Some(at) = one.erased {
        lines.push(format!("  its content was erased {}", local(at)));
    }
    lines.join("\n") + "\n"
}

fn after(separator: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{separator}{text}") }
}

fn pages(one: &Document) -> String {
    if one.options.pages.is_empty() {
        return format!("{} pages", one.spooled.pages);
    }
    let ranges: Vec<String> = one.options.pages.iter().map(PageRange::to_string).collect();
    format!("pages {}", ranges.join(","))
}

fn submission(one: &Submission) -> String {
    let job = one.job.as_ref().map_or(String::new(), |job| format!(", job {}", job.job));
    let numbers = one
        .numbers
        .as_ref()
        .map_or(String::new(), |n| format!(", numbers {} to {}", n.first, n.last));
    let end = match (one.ended, one.impressions) {
        (None, _) => "not ended".to_owned(),
        (Some(at), Some(count)) => {
            format!("{count} of {} impressions counted, {}", one.expected, local(at))
        }
        (Some(at), None) => format!("nothing counted, {}", local(at)),
    };
    format!("  {}: printing {} in queue {}{job}{numbers}: {end}", one.number, one.round, one.queue)
}

fn path(document: &str) -> String {
    format!("/api/v1/documents/{document}/acts")
}

pub(super) fn each(wanted: &DocumentsAct, what: &Value, format: Format) -> anyhow::Result<()> {
    if let [one] = wanted.documents.as_slice() {
        return act(&wanted.place, &path(one), what, &wanted.reason, format);
    }
    let body = json!({"act": what, "reason": wanted.reason});
    let items = wanted.documents.iter().map(|one| Item { what: one.clone(), path: path(one) });
    with_console(&wanted.place, |client| act_on_each(client, items, &body, format))
}

pub(super) fn release(wanted: &ReleaseDocuments, format: Format) -> anyhow::Result<()> {
    each(&wanted.act, &json!({"act": "release", "code": wanted.code}), format)
}

pub(super) fn shift(wanted: &MoveDocument, format: Format) -> anyhow::Result<()> {
    let what = json!({"act": "move", "queue": wanted.queue});
    act(&wanted.place, &path(&wanted.document), &what, &wanted.reason, format)
}

pub(super) fn change(wanted: &ChangeDocument, format: Format) -> anyhow::Result<()> {
    let what = json!({
        "act": "change",
        "priority": wanted.priority,
        "copies": wanted.copies,
        "pages": ranges(wanted.pages.as_deref())?,
        "keep": wanted.keep,
    });
    act(&wanted.place, &path(&wanted.document), &what, &wanted.reason, format)
}

pub(super) fn reprint(wanted: &ReprintDocument, format: Format) -> anyhow::Result<()> {
    let what = json!({"act": "reprint", "pages": ranges(wanted.pages.as_deref())?});
    act(&wanted.place, &path(&wanted.document), &what, &wanted.reason, format)
}

pub(super) fn resolve(wanted: &ResolveDocument, format: Format) -> anyhow::Result<()> {
    let what = json!({"act": "resolve", "impressions": wanted.impressions});
    act(&wanted.place, &path(&wanted.document), &what, &wanted.reason, format)
}

pub(super) fn retry(wanted: &RetryDelivery, format: Format) -> anyhow::Result<()> {
    let what = json!({"act": "retry-deliveries", "deliveries": wanted.deliveries});
    act(&wanted.place, &path(&wanted.document), &what, &wanted.reason, format)
}

fn ranges(text: Option<&str>) -> anyhow::Result<Option<Vec<PageRange>>> {
    let Some(text) = text else { return Ok(None) };
    let ranges = text.split(',').map(|range| range.trim().parse().map_err(exit::usage));
    ranges.collect::<anyhow::Result<Vec<_>>>().map(Some)
}

pub(super) fn read(wanted: &ReadDocument) -> anyhow::Result<()> {
    must_be_new(&wanted.to)?;
    let path = format!("/api/v1/documents/{}/content", wanted.document);
    let bytes = with_console(&wanted.place, |client| {
        client.post_bytes(&path, &json!({"reason": wanted.reason}))
    })?;
    write_new(&wanted.to, &bytes)?;
    output::line(&format!("{}: {} bytes", wanted.to.display(), bytes.len()))
}

pub(super) fn facts(wanted: &DocumentAct, format: Format) -> anyhow::Result<()> {
    let path = format!("/api/v1/documents/{}/facts", wanted.document);
    let body = json!({"reason": wanted.reason});
    let facts: DocumentFacts =
        with_console(&wanted.place, |client| client.post_json(&path, &body))?;
    output::one(format, &facts, |facts| {
        let mut lines = vec![format!("{} (from {})", facts.title, facts.source)];
        lines.extend(facts.code.iter().map(|code| format!("  code {code}")));
        for sheet in &facts.sheets {
            let amount = sheet.amount.map_or("-".to_owned(), amount::shown);
            let number =
                sheet.number.map_or(String::new(), |number| format!(", says number {number}"));
            lines.push(format!(
                "  page {}: {amount} to {}{number}",
                sheet.page,
                sheet.payee.as_deref().unwrap_or("-")
            ));
        }
        lines.extend(
            (1..).zip(&facts.recipients).map(|(number, who)| format!("  delivery {number}: {who}")),
        );
        lines.join("\n") + "\n"
    })
}
