//! Numbered stock: what there is, what became of each number, and what people say of it.

use std::collections::BTreeMap;

use domain::event::{Event, ThingEvent};
use domain::ids::StreamId;
use domain::ledger::Body;
use domain::print::document::Told;
use domain::print::register::{Entry, in_lines, register as entries_of};
use domain::print::stock::Fate;
use domain::print::{Form, amount};
use domain::site::ThingKind;
use domain::wire::Selection;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::documents::short;
use super::{act, must_be_new, write_new};
use crate::cli::{Check, Format, Forms, Named, Numbers, OneNumber, Place, PositivePay, Register};
use crate::commands::with_console;
use crate::output::{self, Table, local};
use crate::source::Source;
use crate::{exit, when};

pub(super) fn run(wanted: &Forms, format: Format) -> anyhow::Result<()> {
    match wanted {
        Forms::List(place) => list(place, format),
        Forms::Show(which) => show(which, format),
        Forms::Register(wanted) => register(wanted, format),
        Forms::Load(numbers) => say(numbers, "load", format),
        Forms::Witness(numbers) => say(numbers, "witness", format),
        Forms::Unload(one) => unload(one, format),
        Forms::Void(numbers) => say(numbers, "void", format),
        Forms::Spoil(numbers) => spoil(numbers, format),
        Forms::Return(numbers) => say(numbers, "return", format),
        Forms::Slip(numbers) => say(numbers, "slip", format),
        Forms::Printed(numbers) => say(numbers, "printed", format),
        Forms::Check(wanted) => check(wanted, format),
        Forms::PositivePay(wanted) => positive_pay(wanted),
    }
}

fn path(form: &str) -> String {
    format!("/api/v1/forms/{form}/acts")
}

fn say(numbers: &Numbers, what: &str, format: Format) -> anyhow::Result<()> {
    let what = json!({"act": what, "first": numbers.first, "last": numbers.last});
    act(&numbers.place, &path(&numbers.form), &what, &numbers.reason, format)
}

fn spoil(numbers: &Numbers, format: Format) -> anyhow::Result<()> {
    let what =
        json!({"act": "void", "first": numbers.first, "last": numbers.last, "spoiled": true});
    act(&numbers.place, &path(&numbers.form), &what, &numbers.reason, format)
}

fn unload(one: &OneNumber, format: Format) -> anyhow::Result<()> {
    let what = json!({"act": "unload", "number": one.number});
    act(&one.place, &path(&one.form), &what, &one.reason, format)
}

fn check(wanted: &Check, format: Format) -> anyhow::Result<()> {
    let what = json!({"act": "check", "document": wanted.document, "first": wanted.first, "last": wanted.last});
    act(&wanted.place, &path(&wanted.form), &what, &wanted.reason, format)
}

/// A form in a list.
#[derive(Debug, Serialize)]
struct Row {
    form: String,
    account: String,
    queue: String,
    /// The next number that is printed on.
    next: Option<u64>,
    left: u64,
    printed: u64,
    spent: u64,
    in_doubt: u64,
    gaps: u64,
}

/// All forms there are.
pub(super) fn all(source: &Source) -> anyhow::Result<Vec<Form>> {
    let of = |body: Body| if let Body::Form(form) = body { Some(*form) } else { None };
    let views = source.streams(Selection::Forms)?;
    Ok(views.into_iter().filter_map(|view| of(view.state.body)).collect())
}

fn list(place: &Place, format: Format) -> anyhow::Result<()> {
    let forms = all(&Source::open(place)?)?;
    let rows: Vec<Row> = forms.iter().map(row).collect();
    output::list(format, &rows, |rows| {
        let mut table = Table::new([
            "FORM", "QUEUE", "NEXT", "LEFT", "PRINTED", "VOID", "IN DOUBT", "GAPS", "ACCOUNT",
        ]);
        for (one, form) in rows.iter().zip(&forms) {
            let next = one.next.map_or("-".to_owned(), |number| form.shown(number));
            table.row([
                one.form.clone(),
                one.queue.clone(),
                next,
                one.left.to_string(),
                one.printed.to_string(),
                one.spent.to_string(),
                one.in_doubt.to_string(),
                one.gaps.to_string(),
                one.account.clone(),
            ]);
        }
        table
    })
}

fn row(form: &Form) -> Row {
    let count = |fates: &[Fate]| {
        let of = form.spans.iter().filter(|span| fates.contains(&span.fate));
        of.map(|span| span.last + 1 - span.first).sum()
    };
    let left = form.left();
    let definition = form.definition();
    Row {
        form: form.defined.name.clone(),
        account: definition.as_ref().map(|one| one.account.clone()).unwrap_or_default(),
        queue: definition.map(|one| one.queue).unwrap_or_default(),
        next: left.first().map(|(next, _)| *next),
        left: left.iter().map(|(next, last)| last + 1 - next).sum(),
        printed: count(&[Fate::Printed]),
        spent: count(&[Fate::Voided, Fate::Spoiled]),
        in_doubt: count(&[Fate::Allocated]),
        gaps: form.gaps().iter().map(|(first, last)| last + 1 - first).sum(),
    }
}

fn form(source: &Source, name: &str) -> anyhow::Result<Form> {
    let state = source.stream(&StreamId::thing(ThingKind::Form, name))?;
    let found = state.and_then(|state| state.body.form().cloned());
    found.ok_or_else(|| exit::not_found(format!("there is no form {name}")))
}

fn show(which: &Named, format: Format) -> anyhow::Result<()> {
    let form = form(&Source::open(&which.place)?, &which.name)?;
    output::one(format, &form, text)
}

fn text(form: &Form) -> String {
    let definition = form.definition();
    let account = definition.as_ref().map(|one| one.account.as_str()).unwrap_or_default();
    let mut lines = vec![format!("form/{}: {account}", form.defined.name)];
    for batch in &form.batches {
        let seen = match (&batch.witness, batch.unloaded) {
            (_, Some(at)) => format!("taken out {}", local(at)),
            (Some((who, at)), None) => format!("seen by {who} {}", local(*at)),
            (None, None) => "waits for a second person".to_owned(),
        };
        let by = batch.by.as_deref().unwrap_or("-");
        lines.push(format!(
            "  stock {} to {}: loaded by {by} {}; {seen}",
            form.shown(batch.first),
            form.shown(batch.last),
            local(batch.at)
        ));
    }
    for span in &form.spans {
        let of = span.document.as_ref().map_or(String::new(), |id| {
            format!(" (document {}, printing {})", short(id), span.round)
        });
        lines.push(format!(
            "  {} to {}: {}{of}",
            form.shown(span.first),
            form.shown(span.last),
            span.fate.word()
        ));
    }
    for (first, last) in form.gaps() {
        lines.push(format!(
            "  {} to {}: GONE, nobody has said anything of them",
            form.shown(first),
            form.shown(last)
        ));
    }
    for (next, last) in form.left() {
        lines.push(format!("  {} to {}: unused", form.shown(next), form.shown(last)));
    }
    lines.join("\n") + "\n"
}

/// What a console says of a register.
#[derive(Debug, Deserialize)]
struct Registered {
    entries: Vec<Entry>,
    positive_pay: Option<String>,
    problem: Option<String>,
}

fn register(wanted: &Register, format: Format) -> anyhow::Result<()> {
    let source = Source::open(&wanted.place)?;
    let now = form(&source, &wanted.form)?;
    let form = match &wanted.on {
        Some(on) => at(&source, &wanted.form, when::end_of(on)?)?,
        None => now,
    };
    let first = wanted.first.or(form.batches.iter().map(|batch| batch.first).min()).unwrap_or(1);
    let last = wanted.last.or(form.batches.iter().map(|batch| batch.last).max()).unwrap_or(first);
    let entries = match &wanted.reason {
        None => entries_of(&form, &BTreeMap::new(), first, last),
        Some(reason) => {
            let path = format!("/api/v1/forms/{}/register", wanted.form);
            let body = json!({"first": first, "last": last, "reason": reason});
            let read: Registered =
                with_console(&wanted.place, |client| client.post_slow(&path, &body))?;
            read.entries
        }
    };
    let definition = form.definition();
    let shown = |number: u64| {
        definition.as_ref().map_or_else(|| number.to_string(), |form| form.shown(number))
    };
    output::list(format, &entries, |entries| {
        let mut table = Table::new(["NUMBER", "FATE", "AT", "DOCUMENT", "PAGE", "AMOUNT", "PAYEE"]);
        for (one, last) in in_lines(entries) {
            let dash = || "-".to_owned();
            let to = if last > one.number { format!(" to {}", shown(last)) } else { String::new() };
            table.row([
                format!("{}{to}", shown(one.number)),
                one.fate.map_or("unused", Fate::word).to_owned(),
                one.at.map_or_else(dash, local),
                one.document.as_ref().map_or_else(dash, short),
                one.page.map_or_else(dash, |page| page.to_string()),
                one.amount.map_or_else(dash, amount::shown),
                one.payee.clone().unwrap_or_else(dash),
            ]);
        }
        table
    })
}

/// A form as its events until an instant tell it.
fn at(source: &Source, name: &str, until: Timestamp) -> anyhow::Result<Form> {
    let id = StreamId::thing(ThingKind::Form, name);
    let (mut form, mut after) = (Form::new(name), 0);
    loop {
        let page = source.events(after, 500, Some(&id))?;
        let Some(last) = page.last() else { return Ok(form) };
        after = last.position;
        for entry in page.iter().filter(|entry| entry.void.is_none() && entry.received < until) {
            let envelope = entry.envelope()?;
            let actor = envelope.actor.as_deref();
            match envelope.event()? {
                Event::FormEvent(event) => {
                    let told = Told { version: envelope.version, received: entry.received, actor };
                    form = form.evolve(&event, told);
                }
                Event::ThingEvent(event) => define(&mut form, &event, entry.received, actor),
                Event::JobEvent(_)
                | Event::RunEvent(_)
                | Event::HostEvent(_)
                | Event::UserEvent(_)
                | Event::LogEvent(_)
                | Event::BackupEvent(_)
                | Event::PrintEvent(_)
                | Event::QueueEvent(_)
                | Event::ChangeEvent(_)
                | Event::IncidentEvent(_)
                | Event::ControlEvent(_)
                | Event::RecordsEvent(_)
                | Event::RequestEvent(_)
                | Event::ReviewEvent(_) => {}
            }
        }
    }
}

fn define(form: &mut Form, event: &ThingEvent, received: Timestamp, actor: Option<&str>) {
    form.defined = form.defined.clone().evolve(event, received, actor);
}

fn positive_pay(wanted: &PositivePay) -> anyhow::Result<()> {
    must_be_new(&wanted.to)?;
    let zone = wanted.zone.clone().unwrap_or_else(crate::host::zone);
    let body: Value = json!({
        "first": wanted.first,
        "last": wanted.last,
        "reason": wanted.reason,
        "account": wanted.account,
        "zone": zone,
    });
    let path = format!("/api/v1/forms/{}/register", wanted.form);
    let read: Registered = with_console(&wanted.place, |client| client.post_slow(&path, &body))?;
    let Some(text) = read.positive_pay else {
        let none = || format!("form {} has no positive-pay in its definition", wanted.form);
        return Err(exit::unclean(read.problem.unwrap_or_else(none)));
    };
    write_new(&wanted.to, text.as_bytes())?;
    let lines = text.lines().count();
    let digest = domain::canonical::Digest::of(text.as_bytes());
    output::line(&format!("{}: {lines} lines, sha-256 {digest}", wanted.to.display()))
}
