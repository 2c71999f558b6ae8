//! Queues and their figures, and what does not add up.

use std::collections::BTreeMap;

use domain::ids::StreamId;
use domain::ledger::Body;
use domain::print::reconcile::{Exception, QueueFigures, figures, reconcile as compare};
use domain::print::{Document, Form};
use domain::wire::{DocumentFilter, Selection};
use serde::Serialize;
use serde_json::json;

use super::documents::{find, short};
use super::{act as say, forms};
use crate::cli::{Format, NamedAct, Queues, Reconcile};
use crate::output::{self, Table};
use crate::source::Source;
use crate::{exit, host, when};

/// Most documents that are looked through.
const DOCUMENTS_MAX: u32 = 100_000;

/// A queue in a list.
#[derive(Debug, Serialize)]
struct Row {
    queue: String,
    /// `goes-on`, `held`, `stopped` or `retired`.
    state: &'static str,
    printer: String,
    #[serde(flatten)]
    figures: QueueFigures,
    /// Impressions a day in the time that was asked for.
    impressions_a_day: f64,
    why: String,
}

pub(super) fn list(wanted: &Queues, format: Format) -> anyhow::Result<()> {
    let source = Source::open(&wanted.place)?;
    let now = host::now();
    let since = when::since(&wanted.since, now)?;
    let days = (now.duration_since(since).as_secs_f64() / 86_400.0).max(1e-9);
    let mut rows = Vec::new();
    for view in source.streams(Selection::Queues)? {
        let Body::Queue(queue) = &view.state.body else { continue };
        let name = &queue.defined.name;
        let of_queue = |filter| {
            find(
                &source,
                &DocumentFilter { queue: Some(name.clone()), limit: DOCUMENTS_MAX, ..filter },
            )
        };
        let mut all = of_queue(DocumentFilter { since: Some(since), ..DocumentFilter::default() })?;
        // What waits longer than that waits all the same.
        let states = domain::print::document::OPEN.map(str::to_owned).to_vec();
        all.extend(of_queue(DocumentFilter {
            states,
            until: Some(since),
            ..DocumentFilter::default()
        })?);
        let figures = figures(all.iter().map(|(_, document)| document), since);
        let (state, why) = queue.state();
        let printer = queue.definition().map(|definition| definition.printer).unwrap_or_default();
        let impressions_a_day =
            u32::try_from(figures.impressions).map_or(f64::MAX, f64::from) / days;
        rows.push(Row { queue: name.clone(), state, printer, figures, impressions_a_day, why });
    }
    output::list(format, &rows, |rows| {
        let mut table = Table::new([
            "QUEUE",
            "STATE",
            "WAITING",
            "PAGES",
            "HELD",
            "PRINTED",
            "PAGES A DAY",
            "WAIT",
            "PRINTER",
            "WHY",
        ]);
        for one in rows {
            let wait = one.figures.wait_ms.map_or("-".to_owned(), |ms| {
                format!("{:.1} s", std::time::Duration::from_millis(ms).as_secs_f64())
            });
            table.row([
                one.queue.clone(),
                one.state.to_owned(),
                one.figures.waiting.to_string(),
                one.figures.pages_waiting.to_string(),
                one.figures.held.to_string(),
                one.figures.printed.to_string(),
                format!("{:.0}", one.impressions_a_day),
                wait,
                one.printer.clone(),
                one.why.clone(),
            ]);
        }
        table
    })
}

pub(super) fn act(wanted: &NamedAct, what: &str, format: Format) -> anyhow::Result<()> {
    let path = format!("/api/v1/queues/{}/acts", wanted.name);
    say(&wanted.place, &path, &json!({ "act": what }), &wanted.reason, format)
}

pub(super) fn reconcile(wanted: &Reconcile, format: Format) -> anyhow::Result<()> {
    let source = Source::open(&wanted.place)?;
    let since = when::since(&wanted.since, host::now())?;
    let filter =
        DocumentFilter { since: Some(since), limit: DOCUMENTS_MAX, ..DocumentFilter::default() };
    let documents: BTreeMap<StreamId, Document> = find(&source, &filter)?.into_iter().collect();
    let forms = forms::all(&source)?;
    let found = compare(&documents, &forms);
    output::list(format, &found, |found| {
        let mut table = Table::new(["WHAT", "OF", "IN WORDS"]);
        for one in found {
            let (of, words) = in_words(one, &forms);
            table.row([one.word().to_owned(), of, words]);
        }
        table
    })?;
    if found.is_empty() {
        if format == Format::Table {
            output::line(&format!(
                "{} documents and {} forms: everything adds up",
                documents.len(),
                forms.len()
            ))?;
        }
        return Ok(());
    }
    Err(exit::unclean(format!("{} things do not add up", found.len())))
}

fn in_words(one: &Exception, forms: &[Form]) -> (String, String) {
    let shown = |form: &str, number: u64| {
        let form = forms.iter().find(|one| one.defined.name == form);
        form.map_or_else(|| number.to_string(), |form| form.shown(number))
    };
    let numbers = |form: &str, first: u64, last: u64| {
        format!("{} to {}", shown(form, first), shown(form, last))
    };
    match one {
        Exception::PagesDiffer { document, expected, counted } => (
            short(document),
            format!("the printer counted {counted} impressions, {expected} were asked for"),
        ),
        Exception::NotCounted { document } => (short(document), "nobody counted a form".to_owned()),
        Exception::Unknown { document, reason } => (short(document), reason.clone()),
        Exception::Duplicate { document, of } => {
            (short(document), format!("the same was printed before, as {}", short(of)))
        }
        Exception::UnauthorisedReprint { document, round, by } => {
            let by = by.as_deref().unwrap_or("nobody");
            (short(document), format!("printing {round}: nobody but {by} agreed"))
        }
        Exception::ControlTotal { document, expected, found, amount_agrees } => {
            let amounts = if *amount_agrees == Some(false) { "; the amounts differ" } else { "" };
            (
                short(document),
                format!("its source says {expected} sheets, there are {found}{amounts}"),
            )
        }
        Exception::ControlCount { document, expected, printed } => (
            short(document),
            format!("its source says {expected} sheets, {printed} numbers were printed and count"),
        ),
        Exception::InDoubt { form, first, last, document } => {
            let of =
                document.as_ref().map_or(String::new(), |id| format!(" (document {})", short(id)));
            (
                form.clone(),
                format!("nobody has said what became of {}{of}", numbers(form, *first, *last)),
            )
        }
        Exception::Gap { form, first, last } => {
            (form.clone(), format!("{} are gone", numbers(form, *first, *last)))
        }
        Exception::NotWitnessed { form, first, last } => (
            form.clone(),
            format!("no second person has seen the stock {}", numbers(form, *first, *last)),
        ),
        Exception::CheckDiffers { form, document, read, given } => {
            let given = given.map_or("none".to_owned(), |(first, last)| numbers(form, first, last));
            (
                form.clone(),
                format!(
                    "document {}: read were {}, given were {given}",
                    short(document),
                    numbers(form, read.0, read.1)
                ),
            )
        }
        Exception::NotChecked { form, document, round } => (
            form.clone(),
            format!(
                "document {}, printing {round}: nobody has read its first and last number",
                short(document)
            ),
        ),
        Exception::NotDelivered { document, delivery, reason } => {
            (short(document), format!("delivery {delivery}: {reason}"))
        }
    }
}
