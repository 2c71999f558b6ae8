//! That numbers add up, reprints take two, and what was printed is what was counted.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Closing, Item, Outcome, Passing};
use crate::event::{Event, PrintEvent};
use crate::ids::StreamId;
use crate::ledger::Body;
use crate::print::reconcile::{Exception, reconcile};

#[derive(Debug, Default)]
pub(super) struct Prints {
    spooled: BTreeMap<StreamId, (Timestamp, u64)>,
    /// Requests with their document, and whether somebody has answered: of a document one is open at a time.
    asked: Vec<(StreamId, Item, bool)>,
}

impl Prints {
    pub(super) fn observe(&mut self, passing: Passing<'_>) {
        let Event::PrintEvent(event) = passing.event else { return };
        let (id, at) = (&passing.envelope.subject, passing.received);
        match event {
            PrintEvent::PrintSpooled(_) => {
                self.spooled.insert(id.clone(), (at, passing.position));
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
        vec![
            Outcome::of("PR-01", [spooled.clone(), numbers].concat()),
            Outcome::of("PR-02", [asked, of(&["unauthorised-reprint"])].concat()),
            Outcome::of("PR-03", [spooled, totals].concat()),
        ]
    }
}

/// What does not add up, with its numbers.
fn text(one: &Exception) -> String {
    let numbers = serde_json::to_string(one).unwrap_or_default();
    format!("{}: {numbers}", one.word())
}
