//! The register of a form: what became of each number, and the file for the bank.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::amount;
use super::document::Document;
use super::facts::DocumentFacts;
use super::form::{PayColumn, PositivePay};
use super::options::PageRange;
use super::stock::{Fate, Form};
use crate::ids::StreamId;

/// A number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The number.
    pub number: u64,
    /// What became of it; `None` while it is unused.
    pub fate: Option<Fate>,
    /// The document it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<StreamId>,
    /// Its page of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// When that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The amount, in ten-thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// The payee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee: Option<String>,
}

/// Entries as lines: numbers that lie unused one after the other share one, each with the last of them.
pub fn in_lines(entries: &[Entry]) -> Vec<(&Entry, u64)> {
    let mut lines: Vec<(&Entry, u64)> = Vec::new();
    for entry in entries {
        match lines.last_mut() {
            Some((one, last))
                if one.fate.is_none() && entry.fate.is_none() && *last + 1 == entry.number =>
            {
                *last = entry.number;
            }
            Some(_) | None => lines.push((entry, entry.number)),
        }
    }
    lines
}

/// Most numbers of a register that is made at once.
pub const ENTRIES_MAX: u64 = 100_000;

/// A document with what its host knows of it, where that was asked for.
pub type Known = (Document, Option<DocumentFacts>);

/// The documents that have numbers in a range.
pub fn documents(form: &Form, first: u64, last: u64) -> Vec<StreamId> {
    let spans = form.spans.iter().filter(|span| span.first <= last && span.last >= first);
    let mut found: Vec<StreamId> = spans.filter_map(|span| span.document.clone()).collect();
    found.sort();
    found.dedup();
    found
}

/// What became of each loaded number from one to another.
pub fn register(
    form: &Form,
    known: &BTreeMap<StreamId, Known>,
    first: u64,
    last: u64,
) -> Vec<Entry> {
    let loaded = |number: &u64| form.batch_of(*number).is_some();
    let last = last.min(first.saturating_add(ENTRIES_MAX - 1));
    (first..=last).filter(loaded).map(|number| entry(form, known, number)).collect()
}

fn entry(form: &Form, known: &BTreeMap<StreamId, Known>, number: u64) -> Entry {
    let mut entry = Entry {
        number,
        fate: None,
        document: None,
        page: None,
        at: None,
        amount: None,
        payee: None,
    };
    let Some(span) = form.fate(number) else { return entry };
    entry.fate = Some(span.fate);
    entry.at = Some(span.at);
    entry.document.clone_from(&span.document);
    let Some((document, facts)) = span.document.as_ref().and_then(|id| known.get(id)) else {
        return entry;
    };
    let Some(id) = &span.document else { return entry };
    let sent = document.numbers_of(span.round).map(|numbers| numbers.first);
    let first = sent.or_else(|| form.allocation(id, span.round).map(|(first, _)| first));
    let slipped = form.slipped(id, span.round, number);
    let place = number.saturating_sub(first.unwrap_or(number)).saturating_sub(slipped);
    if !span.slipped {
        entry.page = page_at(document, span.round, place);
    }
    let sheet =
        facts.iter().flat_map(|facts| &facts.sheets).find(|sheet| Some(sheet.page) == entry.page);
    if let Some(sheet) = sheet {
        entry.amount = sheet.amount;
        entry.payee.clone_from(&sheet.payee);
    }
    entry
}

/// The page that a printing put on its `place`-th sheet, from 0.
fn page_at(document: &Document, round: u32, place: u64) -> Option<u32> {
    let ranges = document.pages_of(round);
    let all = [PageRange { from: 1, to: None }];
    let ranges = if ranges.is_empty() { &all[..] } else { ranges };
    let mut left = place;
    for range in ranges {
        let count = u64::from(range.count(document.spooled.pages));
        if left < count {
            return Some(range.from + u32::try_from(left).ok()?);
        }
        left -= count;
    }
    None
}

/// The file for the bank: a line for each number that was printed or made invalid.
///
/// # Errors
/// The number of a line whose payee or amount is not known although the layout asks for it; or a date that cannot be
/// written.
pub fn positive_pay(
    form: &Form,
    layout: &PositivePay,
    entries: &[Entry],
    account: &str,
    zone: &TimeZone,
) -> Result<String, String> {
    let mut lines = Vec::new();
    if layout.header {
        let titles: Vec<String> =
            layout.columns.iter().map(|column| column.title().to_owned()).collect();
        lines.push(line(&titles, layout.separator));
    }
    // Read once: a file has a line for each of a hundred thousand numbers.
    let definition = form.definition();
    let shown = |number: u64| {
        definition.as_ref().map_or_else(|| number.to_string(), |form| form.shown(number))
    };
    for entry in entries {
        let paid = match entry.fate {
            Some(Fate::Printed) => true,
            Some(Fate::Voided | Fate::Spoiled) => false,
            Some(Fate::Allocated) => {
                let number = shown(entry.number);
                return Err(format!("nobody has said what became of number {number}"));
            }
            None => continue,
        };
        let number = shown(entry.number);
        let columns = layout.columns.iter();
        let cells = columns.map(|column| cell(&number, layout, entry, column, account, zone, paid));
        lines.push(line(&cells.collect::<Result<Vec<_>, _>>()?, layout.separator));
    }
    Ok(lines.concat())
}

fn cell(
    number: &str,
    layout: &PositivePay,
    entry: &Entry,
    column: &PayColumn,
    account: &str,
    zone: &TimeZone,
    paid: bool,
) -> Result<String, String> {
    let missing = |what: &str| {
        // What is void may be a blank sheet.
        if paid {
            Err(format!("the {what} of number {number} is not known"))
        } else {
            Ok(String::new())
        }
    };
    match column {
        PayColumn::Account => Ok(account.to_owned()),
        PayColumn::Number => Ok(number.to_owned()),
        PayColumn::Amount => match entry.amount {
            Some(amount) if layout.cents && amount % 100 == 0 => Ok((amount / 100).to_string()),
            Some(_) if layout.cents => {
                Err(format!("the amount of number {number} has parts of a cent"))
            }
            Some(amount) => Ok(amount::shown(amount)),
            None => missing("amount"),
        },
        PayColumn::Payee => entry.payee.clone().map_or_else(|| missing("payee"), Ok),
        PayColumn::Date => {
            let Some(at) = entry.at else { return missing("day") };
            let day = at.to_zoned(zone.clone()).date();
            jiff::fmt::strtime::format(&layout.date, day).map_err(|error| error.to_string())
        }
        PayColumn::Status => Ok(if paid { layout.issued.clone() } else { layout.void.clone() }),
        PayColumn::Text(text) => Ok(text.clone()),
    }
}

/// A line as RFC 4180 has it, with another separator where one is asked for.
fn line(cells: &[String], separator: char) -> String {
    let quoted = |cell: &String| {
        let plain = !cell.contains([separator, '"', '\n', '\r']);
        if plain { cell.clone() } else { format!("\"{}\"", cell.replace('"', "\"\"")) }
    };
    let cells: Vec<String> = cells.iter().map(quoted).collect();
    format!("{}\r\n", cells.join(&separator.to_string()))
}
