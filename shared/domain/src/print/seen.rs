//! What a host says of what it saw at a printer.

use super::document::{Document, State};
use super::queue::Transport;
use crate::event::{
    PrintCancelled, PrintCompleted, PrintContinued, PrintEvent, PrintFailed, PrintStopped,
};

/// How a job at a printer ended (`job-state`, RFC 8011 §5.3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// *completed*, which may be with warnings or errors.
    Completed,
    /// *canceled*, by somebody.
    Canceled,
    /// *aborted*, by the printer.
    Aborted,
}

/// A job at a printer, as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSeen {
    /// How it ended, where it has.
    pub ended: Option<Ended>,
    /// Impressions the printer has counted.
    pub impressions: Option<u32>,
    /// Sheets.
    pub sheets: Option<u32>,
    /// `job-state-reasons`, as sent.
    pub reasons: Vec<String>,
    /// What keeps the printer from going on, in words; empty while it does.
    pub troubles: Vec<String>,
}

/// Most reasons in an event.
const REASONS_MAX: usize = 20;
/// Longest text of any, in characters: all of them fit into an event, whatever they are made of.
const TEXT_MAX: usize = 100;
/// Longest reason that is repeated, in characters.
const REASON_MAX: usize = 1_000;

/// What is to be said of a document whose job was seen so; `None` where nothing is new.
pub fn seen(document: &Document, transport: Transport, job: &JobSeen) -> Option<PrintEvent> {
    // What a print server counts are pages it has sent.
    let counted = job.impressions.filter(|_| transport == Transport::Direct);
    if !document.state.is_at_printer() {
        return None;
    }
    match job.ended {
        // No content goes to a job before the log knows that job: it cannot be done.
        Some(Ended::Completed) if document.state == State::Releasing => None,
        Some(Ended::Completed) => {
            Some(PrintEvent::PrintCompleted(completed(document, transport, counted, job)))
        }
        Some(Ended::Canceled) => {
            let by_us = document.cancel.as_ref().map(|reason| cut(reason, REASON_MAX));
            let reason = by_us.unwrap_or_else(|| {
                format!("it was cancelled at the printer{}", listed(&job.reasons))
            });
            Some(PrintEvent::PrintCancelled(PrintCancelled { reason, impressions: counted }))
        }
        Some(Ended::Aborted) => {
            let reason = format!("the printer gave it up{}", listed(&job.reasons));
            Some(PrintEvent::PrintFailed(PrintFailed { reason, impressions: counted, sent: true }))
        }
        None => under_way(document, counted, &job.troubles),
    }
}

fn completed(
    document: &Document,
    transport: Transport,
    counted: Option<u32>,
    job: &JobSeen,
) -> PrintCompleted {
    let expected = document.submission().map(|one| one.expected);
    PrintCompleted {
        impressions: counted,
        sheets: job.sheets.filter(|_| transport == Transport::Direct),
        reasons: short(&job.reasons),
        agrees: counted.map(|counted| Some(counted) == expected),
    }
}

fn under_way(document: &Document, counted: Option<u32>, troubles: &[String]) -> Option<PrintEvent> {
    let troubles = short(troubles);
    match &document.state {
        State::Stopped { .. } if troubles.is_empty() => {
            Some(PrintEvent::PrintContinued(PrintContinued {}))
        }
        State::Stopped { troubles: known } if *known == troubles => None,
        State::Printing if troubles.is_empty() => None,
        State::Printing | State::Stopped { .. } => {
            Some(PrintEvent::PrintStopped(PrintStopped { troubles, impressions: counted }))
        }
        State::Ready
        | State::Held { .. }
        | State::Releasing
        | State::Printed
        | State::Cancelled { .. }
        | State::Failed { .. }
        | State::Unknown { .. }
        | State::Electronic => None,
    }
}

fn listed(reasons: &[String]) -> String {
    let reasons = short(reasons);
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) }
}

/// What a printer sends may hold anything; a character that is not printed takes six bytes in an event.
fn cut(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}

fn short(texts: &[String]) -> Vec<String> {
    texts.iter().take(REASONS_MAX).map(|text| cut(text, TEXT_MAX)).collect()
}

/// How many of a form's numbers, from its first, carry a page by the printer's own count: each page is a sheet.
pub fn printed_numbers(first: u64, last: u64, impressions: Option<u32>) -> Option<(u64, u64)> {
    let count = u64::from(impressions?).min(last.checked_sub(first)?.saturating_add(1));
    (count > 0).then(|| (first, first + count - 1))
}
