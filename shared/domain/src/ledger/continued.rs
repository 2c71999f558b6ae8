//! A log that goes on under another name: because it was brought back from an older copy, or because the key by which its heads
//! were signed is another now.
//!
//! What was brought back does not know what happened after it was copied, and a run that it takes for one to be started may have
//! run. *Invariant:* nothing that was to happen before such a log went on happens by itself any more: occurrences until then are
//! missed, runs that had not begun are cancelled, documents that were not printed wait for somebody. Whoever knows better asks
//! for another run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Body, Ledger, Streams, check_text, need};
use crate::event::{FormEvent, LogContinued, MissReason, PrintEvent, RunDue, RunEvent};
use crate::ids::{Class, ProducerId, StreamId};
use crate::job::{Job, Order};
use crate::print::{Document, Form};
use crate::run::Run;

/// How often a log may go on under another name.
pub const CONTINUED_MAX: usize = 100;
/// Longest head or handover that is kept, in bytes.
const NOTE_BYTES_MAX: usize = 4_096;

/// Under which names a log has gone on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Continued {
    /// When events may have been lost, the last time: what was to happen until then may have happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Timestamp>,
    /// The names and keys it has had, as each was handed over by the one before, oldest first; without those whose key was lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handovers: Vec<String>,
    /// How often it went on.
    pub times: usize,
}

impl Continued {
    pub(super) fn evolve(mut self, event: &LogContinued, received: Timestamp) -> Self {
        self.hear(event, received);
        self.handovers.extend(event.handover.clone());
        self.times += 1;
        self
    }

    /// Takes in what a log that goes on says of what it lost.
    pub(crate) fn hear(&mut self, event: &LogContinued, received: Timestamp) {
        if event.restored {
            self.lost = self.lost.max(Some(received));
        }
    }

    /// Whether what was to happen at this instant may have happened without that the log knows.
    pub fn may_have_happened(&self, at: Timestamp) -> bool {
        self.lost.is_some_and(|lost| at <= lost)
    }

    /// Whether an occurrence may have run: its own time has passed, or one that somebody gave it before that.
    pub fn may_have_run(&self, orders: &BTreeMap<Timestamp, Order>, at: Timestamp) -> bool {
        let ahead = orders.get(&at).and_then(|order| order.ahead_of(at));
        self.may_have_happened(ahead.map_or(at, |ahead| ahead.min(at)))
    }

    /// Whether a run that has not ended may have begun without that the log knows; `whole` is the run it is a part of.
    pub fn may_have_begun(&self, run: &Run, whole: Option<&Run>) -> bool {
        let first = whole.map_or(run.created, |whole| whole.created.min(run.created));
        self.may_have_happened(first)
    }
}

/// What is known of it, where it ever went on.
pub(super) fn known(streams: &impl Streams) -> Option<&Continued> {
    streams.get(&StreamId::continued())?.body.continued()
}

/// What must be at hand beside, where a rule of this module is about the event.
pub(super) fn reads_of_run(event: &RunEvent) -> Option<StreamId> {
    let concerned = matches!(
        event,
        RunEvent::RunDue(_)
            | RunEvent::RunMissed(_)
            | RunEvent::RunStarted(_)
            | RunEvent::RunDivided(_)
            // A host's own order of what it decides goes on behind what was lost of it.
            | RunEvent::RunSkipped(_)
    );
    concerned.then(StreamId::continued)
}

/// The same for an event of a document.
pub(super) fn reads_of_print(event: &PrintEvent) -> Option<StreamId> {
    matches!(event, PrintEvent::PrintSubmitted(_)).then(StreamId::continued)
}

/// The same for an event of numbered stock.
pub(super) fn reads_of_form(event: &FormEvent) -> Option<StreamId> {
    matches!(event, FormEvent::FormAllocated(_)).then(StreamId::continued)
}

pub(super) fn admit(
    ledger: &Ledger,
    body: Option<&Body>,
    event: &LogContinued,
) -> Result<(), String> {
    let times = body.and_then(Body::continued).map_or(0, |continued| continued.times);
    need(times < CONTINUED_MAX, "it has gone on under so many names already")?;
    need(ledger.origin.as_ref() != Some(&event.origin), "that is its name already")?;
    let own = event.head_key.strip_prefix(&event.origin).is_some_and(|key| key.starts_with('+'));
    need(own, "the key of heads has the log's name in front")?;
    need(event.size == ledger.size, "another number of events stands in front of it")?;
    need(event.reached >= event.size, "the log holds more than it is said to have reached")?;
    let whole = event.lost() == 0;
    need(event.restored || whole, "what was lost was lost because it was brought back")?;
    let notes = [&event.before, &event.handover];
    let short = notes.iter().all(|note| note.as_ref().is_none_or(|n| n.len() <= NOTE_BYTES_MAX));
    need(short, "a signed note is not that long")?;
    check_text(&event.reason, "a reason")
}

/// The rule of this module for an event of a run.
pub(super) fn check_run(
    streams: &impl Streams,
    job: &Job,
    run: Option<&Run>,
    event: &RunEvent,
    producer: &ProducerId,
) -> Result<(), String> {
    let Some(continued) = known(streams) else { return check_reason(false, event) };
    // What a host decided by leave of the centre has happened.
    let by_host = producer.class() == Class::Executor;
    match (event, run) {
        (RunEvent::RunMissed(missed), _) => {
            check_reason(continued.may_have_run(&job.orders, missed.nominal.at), event)
        }
        (RunEvent::RunDue(due), None) if !by_host => check_due(continued, job, due),
        (RunEvent::RunStarted(_) | RunEvent::RunDivided(_), Some(run)) => {
            let whole = run.part_of.as_ref().and_then(|whole| streams.get(whole));
            let whole = whole.and_then(|state| state.body.run());
            let own = super::turns::is_first_of_host(run);
            let refused = !own && continued.may_have_begun(run, whole);
            need(!refused, "it may have begun before: the log of that time was lost")
        }
        (_, _) => Ok(()),
    }
}

fn check_reason(lost: bool, event: &RunEvent) -> Result<(), String> {
    let says = matches!(event, RunEvent::RunMissed(e) if e.reason == MissReason::LogLost);
    need(lost || !says, "nothing was lost of that time")
}

fn check_due(continued: &Continued, job: &Job, due: &RunDue) -> Result<(), String> {
    let Some(nominal) = due.nominal.as_ref().filter(|_| due.part_of.is_none()) else {
        return Ok(());
    };
    let at = due.moved.as_ref().filter(|moved| moved.ahead).map_or(nominal.at, |moved| moved.to);
    let lost = continued.may_have_happened(at) || continued.may_have_run(&job.orders, nominal.at);
    need(!lost, "it may have run: the log of that time was lost")
}

/// The rule of this module for an event of a document: what was to be printed may be on paper.
pub(super) fn check_print(
    streams: &impl Streams,
    document: Option<&Document>,
    event: &PrintEvent,
) -> Result<(), String> {
    let (PrintEvent::PrintSubmitted(_), Some(document)) = (event, document) else { return Ok(()) };
    let lost =
        known(streams).is_some_and(|continued| continued.may_have_happened(document.changed));
    need(!lost, "it may have been printed: the log of that time was lost; hold it, and release it")
}

/// The same for an event of numbered stock: sheets may be gone that count as free.
pub(super) fn check_form(
    streams: &impl Streams,
    form: Option<&Form>,
    event: &FormEvent,
) -> Result<(), String> {
    let (FormEvent::FormAllocated(e), Some(form)) = (event, form) else { return Ok(()) };
    let Some(continued) = known(streams) else { return Ok(()) };
    let touched = form.batches.iter().filter(|b| b.first <= e.last && e.first <= b.last);
    let there = touched.filter(|batch| batch.unloaded.is_none());
    let lost = there.into_iter().any(|batch| continued.may_have_happened(batch.at));
    need(
        !lost,
        "sheets may have been printed: the log of that time was lost; take the stock out, and load what is there",
    )
}
