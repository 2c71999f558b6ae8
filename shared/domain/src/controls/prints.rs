//! That numbers add up, reprints take two, and what was printed is what was counted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::redacted::Redacted;
use super::{Closing, Item, Outcome, Passing};
use crate::event::{EraseReason, Event, PrintErased, PrintEvent};
use crate::ids::StreamId;
use crate::ledger::{Body, SKEW_MS_MAX};
use crate::print::reconcile::{Exception, reconcile};

#[derive(Debug, Default)]
pub(super) struct Prints {
    spooled: BTreeMap<StreamId, (Timestamp, u64)>,
    /// Requests with their document, and whether somebody has answered: of a document one is open at a time.
    asked: Vec<(StreamId, Item, bool)>,
    /// Documents that are to be sent, to how many, and what became of each delivery.
    sent: BTreeMap<StreamId, (Item, u32, BTreeMap<u32, Sent>)>,
    /// Those of them that are cancelled: what was not sent by then never is.
    cancelled: BTreeSet<StreamId>,
    /// How long the content of each is kept, milliseconds, and since when.
    kept: BTreeMap<StreamId, (u64, Timestamp)>,
    /// Documents whose content was erased.
    erased: Vec<Item>,
    /// What two people wanted erased.
    redacted: Redacted,
}

/// What is known of a delivery.
#[derive(Debug, Clone, Copy)]
enum Sent {
    Arrived,
    Failed,
    /// It may have arrived.
    Unknown,
    /// Somebody wants it tried again.
    Again,
}

impl Prints {
    pub(super) fn observe(&mut self, passing: Passing<'_>) {
        self.redacted.observe(passing);
        let Event::PrintEvent(event) = passing.event else { return };
        let (id, at) = (&passing.envelope.subject, passing.received);
        match event {
            PrintEvent::PrintSpooled(event) => {
                self.kept.insert(id.clone(), (event.keep_ms, at));
                self.spooled.insert(id.clone(), (at, passing.position));
                if event.deliveries > 0 {
                    let item = Item::new(at, id, passing.position);
                    self.sent.insert(id.clone(), (item, event.deliveries, BTreeMap::new()));
                }
            }
            PrintEvent::PrintCancelled(_) => {
                self.cancelled.insert(id.clone());
            }
            PrintEvent::PrintRetried(_) => {
                self.cancelled.remove(id);
            }
            PrintEvent::PrintDelivered(event) => self.tell(id, &[event.delivery], Sent::Arrived),
            PrintEvent::PrintDeliveryFailed(event) => {
                let sent = if event.unknown { Sent::Unknown } else { Sent::Failed };
                self.tell(id, &[event.delivery], sent);
            }
            PrintEvent::PrintDeliveryRetried(event) => {
                self.tell(id, &event.deliveries, Sent::Again);
            }
            PrintEvent::PrintErased(event) => {
                let item = Item::new(at, id, passing.position);
                self.erased.push(item.failing(self.erased_wrongly(id, event, at)));
                return;
            }
            PrintEvent::PrintReprintRequested(_) => {
                self.asked.push((id.clone(), Item::new(at, id, passing.position), false));
            }
            PrintEvent::PrintReprintApproved(_) | PrintEvent::PrintReprintDeclined(_) => {
                let open = self.asked.iter_mut().rev().find(|(of, ..)| of == id);
                if let Some((.., answered)) = open {
                    *answered = true;
                }
            }
            _ => {}
        }
        self.keep(id, event, at);
    }

    /// Content is kept from the last thing on that happened to the document; that somebody reads it is none.
    fn keep(&mut self, id: &StreamId, event: &PrintEvent, at: Timestamp) {
        let Some((keep_ms, since)) = self.kept.get_mut(id) else { return };
        match event {
            PrintEvent::PrintRead(_) => return,
            PrintEvent::PrintChanged(event) => *keep_ms = event.keep_ms.unwrap_or(*keep_ms),
            _ => {}
        }
        *since = at;
    }

    /// Why content should not have been erased then.
    fn erased_wrongly(&self, id: &StreamId, event: &PrintErased, at: Timestamp) -> Option<String> {
        if event.reason == EraseReason::Lost {
            return Some("its host has lost it".to_owned());
        }
        if event.reason == EraseReason::Redacted {
            return None;
        }
        let (keep_ms, since) = self.kept.get(id)?;
        let keep = SignedDuration::from_millis(i64::try_from(*keep_ms).unwrap_or(i64::MAX));
        let until = since.checked_add(keep).unwrap_or(Timestamp::MAX);
        let early = until.as_millisecond() - at.as_millisecond() > SKEW_MS_MAX;
        early.then(|| format!("it was to be kept until {until}"))
    }

    fn tell(&mut self, id: &StreamId, deliveries: &[u32], sent: Sent) {
        if let Some((_, _, known)) = self.sent.get_mut(id) {
            known.extend(deliveries.iter().map(|delivery| (*delivery, sent)));
        }
    }

    /// Documents that are to be sent, and what is not known of their deliveries.
    fn deliveries(&self, closing: Closing<'_>) -> Vec<Item> {
        let within = self.sent.iter().filter(|(_, (item, ..))| closing.period.holds(item.at));
        let one = |(id, (item, count, known)): (&StreamId, &(Item, u32, BTreeMap<u32, Sent>))| {
            let cancelled = self.cancelled.contains(id);
            let open: Vec<String> = (1..=*count)
                .filter_map(|delivery| {
                    let what = match known.get(&delivery) {
                        Some(Sent::Arrived) => return None,
                        Some(Sent::Failed) => "failed",
                        Some(Sent::Unknown) => "may have arrived",
                        Some(Sent::Again) => "is to be tried again",
                        None if cancelled => return None,
                        None => "is not known",
                    };
                    Some(format!("delivery {delivery} of {count} {what}"))
                })
                .collect();
            let wrong = (!open.is_empty()).then(|| open.join(", "));
            let note = cancelled.then(|| "cancelled: what was not sent by then is not".to_owned());
            closing.unless_young(Item { note, ..item.clone() }, wrong)
        };
        within.map(one).collect()
    }

    pub(super) fn finish(&self, closing: Closing<'_>) -> Vec<Outcome> {
        let period = closing.period;
        let within = |id: &StreamId| self.spooled.get(id).is_some_and(|(at, _)| period.holds(*at));
        let mut documents = BTreeMap::new();
        let mut forms = Vec::new();
        for (id, state) in &closing.ended.streams.0 {
            match &state.body {
                Body::Document(document) if within(id) => {
                    documents.insert(id.clone(), (**document).clone());
                }
                Body::Form(form) => forms.push((**form).clone()),
                _ => {}
            }
        }
        let odd = reconcile(&documents, &forms);
        let of = |wanted: &[&str]| -> Vec<Item> {
            let own = odd.iter().filter(|one| wanted.contains(&one.word()));
            own.map(|one| Item::absent(closing.end, format!("print {}", one.word()), text(one)))
                .collect()
        };
        let spooled = self.spooled.iter().filter(|(_, (at, _))| period.holds(*at));
        let spooled = spooled.map(|(id, (at, position))| Item::new(*at, id, *position));
        let spooled: Vec<Item> = spooled.collect();
        let numbers = of(&["duplicate", "in-doubt", "gap", "not-witnessed", "unknown"]);
        let totals =
            of(&["control-total", "control-count", "pages-differ", "check-differs", "not-checked"]);
        let waits = |(_, item, answered): &(StreamId, Item, bool)| {
            let why = "nobody else has said yes or no to it";
            item.clone().failing((!answered).then(|| why.to_owned()))
        };
        let asked = self.asked.iter().filter(|(_, item, _)| period.holds(item.at));
        let asked: Vec<Item> = asked.map(waits).collect();
        let erased: Vec<Item> = period.of(&self.erased).cloned().collect();
        vec![
            Outcome::of("PR-01", [spooled.clone(), numbers].concat()),
            Outcome::of("PR-02", [asked, of(&["unauthorised-reprint"])].concat()),
            Outcome::of("PR-03", [spooled, totals].concat()),
            Outcome::of("PR-04", self.deliveries(closing)),
            Outcome::of("LG-06", [erased, self.redacted.items(closing)].concat()),
        ]
    }
}

/// What does not add up, with its numbers.
fn text(one: &Exception) -> String {
    let numbers = serde_json::to_string(one).unwrap_or_default();
    format!("{}: {numbers}", one.word())
}
