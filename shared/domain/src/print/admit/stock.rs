//! What the recorder accepts about numbered stock. *Invariants:* a number is given once; one that was printed never becomes
//! free again; and what is loaded, or read on a sheet, a second person has seen.

use super::Context;
use crate::event::{
    FormAllocated, FormChecked, FormEvent, FormLoaded, FormPrinted, FormReturned, FormSlipped,
    FormWitnessed,
};
use crate::ids::{Class, StreamId};
use crate::ledger::need;
use crate::print::document::{Document, State};
use crate::print::stock::{BATCH_MAX, Batch, Fate, Form, NUMBER_MAX, Numbered};

/// Whether the event may follow in the stream of a form.
///
/// # Errors
/// The rule it breaks.
pub fn admit_of_form(
    form: Option<&Form>,
    event: &FormEvent,
    context: &Context<'_>,
) -> Result<(), String> {
    context.check_person()?;
    let form = form.ok_or("there is no such form")?;
    match event {
        FormEvent::FormLoaded(e) => admit_loaded(form, e),
        FormEvent::FormWitnessed(e) => admit_witnessed(form, e, context),
        FormEvent::FormUnloaded(e) => {
            let batch = form.batches.iter().find(|batch| batch.number == e.batch);
            let batch = batch.ok_or("there is no such stock")?;
            need(batch.unloaded.is_none(), "it is taken out already")
        }
        FormEvent::FormAllocated(e) => admit_allocated(form, e, context),
        FormEvent::FormPrinted(e) => admit_printed(form, e, context),
        FormEvent::FormVoided(e) => {
            check_range(e.first, e.last)?;
            let loaded = form.was_loaded(e.first, e.last);
            need(loaded, "not all of these numbers were ever loaded")?;
            let spent = |span: &Numbered| matches!(span.fate, Fate::Voided | Fate::Spoiled);
            need(!form.touched(e.first, e.last).any(spent), "one of them does not count already")
        }
        FormEvent::FormReturned(e) => admit_returned(form, e, context),
        FormEvent::FormSlipped(e) => admit_slipped(form, e, context),
        FormEvent::FormChecked(e) => admit_checked(form, e, context),
        FormEvent::FormRegisterRead(e) => {
            need(context.actor.is_some(), "a person reads")?;
            check_range(e.first, e.last)
        }
    }
}

fn check_range(first: u64, last: u64) -> Result<(), String> {
    need(first >= 1 && first <= last && last <= NUMBER_MAX, "numbers go from one to another")?;
    need(last - first < BATCH_MAX, "at most a million numbers at once")
}

fn admit_loaded(form: &Form, e: &FormLoaded) -> Result<(), String> {
    need(form.defined.active().is_some(), "the form is not active")?;
    check_range(e.first, e.last)?;
    // What was taken out may come back, as far as it was not used.
    let overlaps = |batch: &&Batch| batch.first <= e.last && e.first <= batch.last;
    if let Some(other) = form.batches.iter().filter(|b| b.unloaded.is_none()).find(overlaps) {
        return Err(format!(
            "{} to {} are loaded already",
            form.shown(other.first.max(e.first)),
            form.shown(other.last.min(e.last))
        ));
    }
    match form.touched(e.first, e.last).next() {
        None => Ok(()),
        Some(span) => {
            Err(format!("{} is {} already", form.shown(span.first.max(e.first)), span.fate.word()))
        }
    }
}

fn admit_witnessed(form: &Form, e: &FormWitnessed, context: &Context<'_>) -> Result<(), String> {
    let batch = form.batches.iter().find(|batch| batch.number == e.batch);
    let batch = batch.ok_or("there is no such stock")?;
    need(batch.waits(), "it is witnessed, or taken out, already")?;
    need(context.is_another(batch.by.as_deref()), "somebody else sees it than loaded it")?;
    let same = (batch.first, batch.last) == (e.first, e.last);
    need(
        same,
        "these are not the numbers that were said when it was loaded: take it out and load it again",
    )
}

fn admit_allocated(form: &Form, e: &FormAllocated, context: &Context<'_>) -> Result<(), String> {
    let document = context.document.ok_or("there is no such document")?;
    need(context.is_host(&document.spooled.host), "another host has the document")?;
    need(
        document.spooled.form.as_deref() == Some(context.id.rest()),
        "it is printed on another form",
    )?;
    need(
        document.state == State::Ready,
        &format!("the document is {}, not ready", document.word()),
    )?;
    need(document.cancel.is_none(), "somebody wants it cancelled")?;
    need(document.erased.is_none(), "its content is erased")?;
    need(e.round == document.round, "that is not its printing")?;
    need(form.of_printing(&e.document, e.round).is_empty(), "it has numbers already")?;
    let count = u64::from(document.options.selected(document.spooled.pages));
    let next = form.next(count)?;
    need((e.first, e.last) == next, "these are not the next numbers")
}

/// All of these numbers were given to a printing of a document, and nothing was said of them since.
fn need_waiting(
    form: &Form,
    (first, last): (u64, u64),
    document: &StreamId,
    round: u32,
) -> Result<(), String> {
    let its = |span: &&Numbered| {
        span.fate == Fate::Allocated
            && span.document.as_ref() == Some(document)
            && span.round == round
    };
    let waiting = form.touched(first, last).filter(its);
    let count: u64 = waiting.map(|span| span.last.min(last) + 1 - span.first.max(first)).sum();
    need(
        count == last - first + 1,
        "not all of these numbers were given to it and wait for an answer",
    )
}

fn admit_printed(form: &Form, e: &FormPrinted, context: &Context<'_>) -> Result<(), String> {
    check_range(e.first, e.last)?;
    let document = context.document.ok_or("there is no such document")?;
    need_waiting(form, (e.first, e.last), &e.document, e.round)?;
    let went = document.submissions.iter().any(|one| one.round == e.round && one.numbers.is_some());
    need(went, "that printing never went to a printer")?;
    if context.source.class() == Class::Executor {
        return need(context.is_host(&document.spooled.host), "another host has the document");
    }
    need(!e.evidence.trim().is_empty(), "say how it is known")?;
    need(document.state.rests(), "it is at the printer: wait for its host")
}

/// Sheets come back from the end of what a printing was given, as far as nothing can have been printed on them.
fn admit_returned(form: &Form, e: &FormReturned, context: &Context<'_>) -> Result<(), String> {
    check_range(e.first, e.last)?;
    let document = context.document.ok_or("there is no such document")?;
    need(document.state.rests(), "it is at the printer, or waits for it")?;
    let unclear = matches!(document.state, State::Unknown { .. });
    need(!unclear, "nobody knows what was printed: resolve that first")?;
    need_waiting(form, (e.first, e.last), &e.document, e.round)?;
    let batch = form.batch_of(e.last).ok_or("they were never loaded")?;
    let above = form.spans.iter().any(|span| span.first > e.last && span.first <= batch.last);
    let allocation = form.allocation(&e.document, e.round);
    let (first, last) = allocation.ok_or("that printing has no numbers")?;
    need(
        !above && last == e.last,
        "numbers above them are used already: those below are spoiled, or gone",
    )?;
    let first = document.numbers_of(e.round).map_or(first, |numbers| numbers.first);
    let blank = counted(document, e.round)?;
    let slipped = form.slipped(&e.document, e.round, e.first);
    let paged = first + u64::from(blank) + slipped;
    need(e.first >= paged, "the printer counted a page on one of them")
}

/// Pages move to later sheets only where nothing else was said of those, and where they were not given to anything else.
fn admit_slipped(form: &Form, e: &FormSlipped, context: &Context<'_>) -> Result<(), String> {
    check_range(e.first, e.last)?;
    need(!e.reason.trim().is_empty(), "say how it is known")?;
    let document = context.document.ok_or("there is no such document")?;
    let (first, end) =
        form.allocation(&e.document, e.round).ok_or("that printing has no numbers")?;
    let mut its = document.submissions.iter().filter(|one| one.round == e.round);
    let went = its.any(|one| one.job.is_some() && one.ended.is_some());
    need(went && document.state.rests(), "it is not printed yet, or at the printer")?;
    let unclear = matches!(document.state, State::Unknown { .. });
    need(!unclear, "nobody knows what was printed: resolve that first")?;
    need(first <= e.first && e.last <= end, "these are not numbers of that printing")?;
    for span in form.touched(e.first, end) {
        let its = span.document.as_ref() == Some(&e.document) && span.round == e.round;
        need(its, "one of these numbers is not of that printing")?;
        let here = span.first <= e.last;
        let slipped = here && span.slipped;
        need(!slipped, "one of them is said to have slipped already")?;
        let settled =
            span.fate == Fate::Voided || (span.fate == Fate::Spoiled && !here && !span.slipped);
        if settled {
            let (number, word) = (form.shown(span.first.max(e.first)), span.fate.word());
            return Err(format!(
                "number {number} is {word}: which page lay on it would be another; say what slipped first, then what does not count"
            ));
        }
    }
    let (next, last) = (end + 1, end + (e.last - e.first + 1));
    if let Some(span) = form.touched(next, last).next() {
        let (number, word) = (form.shown(span.first.max(next)), span.fate.word());
        return Err(format!(
            "it used the sheets up to {}, and {number} is {word} already",
            form.shown(last)
        ));
    }
    let there = form.is_in_tray(next) && form.is_in_tray(last);
    need(
        there && form.was_loaded(next, last),
        "it used sheets above its last, and those were never loaded",
    )
}

/// On how many sheets of a printing there is a page. Nothing is sent to a printer before its job is known.
fn counted(document: &Document, round: u32) -> Result<u32, String> {
    let sent = document.submissions.iter().filter(|one| one.round == round && one.job.is_some());
    let counts = sent.map(|one| one.impressions);
    let most = counts.clone().flatten().max().unwrap_or(0);
    let all = counts.clone().all(|count| count.is_some());
    need(all, "nobody counted what was printed: say of each number what became of it")?;
    Ok(most)
}

fn admit_checked(form: &Form, e: &FormChecked, context: &Context<'_>) -> Result<(), String> {
    check_range(e.first, e.last)?;
    let allocation = form.allocation(&e.document, e.round);
    let (first, last) = allocation.ok_or("that printing has no numbers")?;
    let mut ended = context.document.iter().flat_map(|document| &document.submissions);
    let ended = ended.any(|one| one.round == e.round && one.ended.is_some());
    need(ended, "it is not printed yet")?;
    // Each batch the sheets are of; of what was taken out and came back, the newer.
    let touched = form.batches.iter().filter(|one| one.first <= last && first <= one.last);
    let mut touched = touched.filter(|one| form.batch_of(one.first.max(first)) == Some(one));
    let others = touched.all(|batch| context.is_another(batch.by.as_deref()));
    need(others, "somebody else reads the numbers than loaded the stock")?;
    let released = context.document.and_then(|document| document.released_by.as_deref());
    need(
        released.is_none() || context.is_another(released),
        "somebody else reads the numbers than released the document",
    )
}
