//! Payloads that are shown with a bundle: whether they are what the log commits to.
//!
//! The request names the positions of which a payload is shown. Each has a file, or was erased as two people had agreed.

use std::collections::{BTreeMap, BTreeSet};

use domain::canonical::Digest;
use domain::event::{EraseReason, Event, PrintEvent, RecordsEvent};
use domain::ids::StreamId;
use domain::ledger::Mark;
use domain::payload::Disclosure;
use serde::Serialize;
use uuid::Uuid;

use crate::examiner::Taken;
use crate::finding::{Findings, Kind};

/// Where they stand.
pub(crate) const PAYLOADS: &str = "payloads/";
/// Most payloads that are shown with a bundle.
pub const PAYLOADS_MAX: usize = 4_096;

/// The name of the file with the payload that the event at a position commits to.
pub(crate) fn payload_name(position: u64) -> String {
    format!("{PAYLOADS}{position:020}")
}

/// A payload that is what the log commits to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Position of the event that commits to it.
    pub position: u64,
    /// The run or document.
    pub of: StreamId,
    /// Its retention class.
    pub class: String,
    /// How many bytes it has; absent where two people had agreed that it is erased, or
    /// its time was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// What an event commits to.
#[derive(Debug, Clone)]
struct Committed {
    event: Uuid,
    of: StreamId,
    class: String,
    commitment: Digest,
    /// How many bytes were shown of it.
    shown: Option<u64>,
}

/// Payloads of a bundle while it is written or read.
#[derive(Debug, Default)]
pub(crate) struct Payloads {
    /// Positions that were asked for, with what their events commit to.
    asked: BTreeMap<u64, Option<Committed>>,
    /// Runs and documents of which two people had agreed that they are erased, or that were erased when their time was over.
    erased: BTreeSet<StreamId>,
}

impl Payloads {
    pub(crate) fn of(positions: &[u64]) -> Self {
        let asked = positions.iter().map(|position| (*position, None)).collect();
        Self { asked, erased: BTreeSet::new() }
    }

    /// Hears of the event at a position.
    pub(crate) fn passed(&mut self, position: u64, taken: &Taken) {
        if self.asked.is_empty() {
            return;
        }
        let envelope = &taken.envelope;
        // What the rules let have no effect commits to nothing: anybody who may append could have said it.
        if taken.mark != Mark::Valid {
            return;
        }
        self.erased.extend(erased_by(&taken.event, &envelope.subject));
        if let (Some(asked), Some(payload)) = (self.asked.get_mut(&position), &envelope.payload) {
            let (event, of) = (envelope.id, envelope.subject.clone());
            let (class, commitment) = (payload.class.clone(), payload.commitment);
            *asked = Some(Committed { event, of, class, commitment, shown: None });
        }
    }

    /// Takes the file that shows a payload, behind all entries; says its position.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<u64, String> {
        let shown = Disclosure::parse(bytes)?;
        let position = shown.position;
        let asked = self.asked.get_mut(&position).ok_or("nobody asked for it")?;
        let committed = asked.as_mut().ok_or("the event at its position commits to nothing")?;
        if committed.event != shown.event {
            return Err("it is of another event".to_owned());
        }
        if committed.commitment != shown.commitment() {
            return Err(format!("it is not what {} commits to", committed.of));
        }
        committed.shown = Some(shown.content.len() as u64);
        Ok(position)
    }

    /// What was shown, and what should have been.
    pub(crate) fn finish(self, findings: &mut Findings) -> Vec<Shown> {
        let mut all = Vec::new();
        for (position, committed) in self.asked {
            let redacted = committed.as_ref().is_some_and(|one| self.erased.contains(&one.of));
            match committed {
                Some(Committed { of, class, shown, .. }) if shown.is_some() || redacted => {
                    all.push(Shown { position, of, class, bytes: shown });
                }
                Some(_) | None => {
                    let text = "its payload was asked for, and is not there";
                    findings.at(position, Kind::PayloadMissing, text);
                }
            }
        }
        all
    }
}

/// The run or document that is, or is to be, erased by what an event says.
fn erased_by(event: &Event, subject: &StreamId) -> Option<StreamId> {
    if let Event::RecordsEvent(RecordsEvent::PayloadRedacted(event)) = event {
        return Some(event.of.clone());
    }
    // That its host has lost it excuses nobody.
    let erased = matches!(event, Event::PrintEvent(PrintEvent::PrintErased(e)) if e.reason != EraseReason::Lost);
    erased.then(|| subject.clone())
}
