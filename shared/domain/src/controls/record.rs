//! That the log itself is whole, is looked at, and never falls silent.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::settings::millis;
use super::{Closing, ControlSettings, Item, Outcome, Passing, gaps};
use crate::canonical::Digest;
use crate::event::{Event, LogContinued, LogEvent, ReviewEvent};
use crate::ids::ProducerId;
use crate::keys::PublicKey;
use crate::ledger::Mark;

/// How much later than the recorder's a producer's clock may be, milliseconds.
const AHEAD_MS: i64 = 5_000;

#[derive(Debug, Default)]
pub(super) struct Record {
    /// When each event was received, by its position.
    received: Vec<Timestamp>,
    /// Positions before the first event that passed, and between two, at which none did.
    gone: Vec<Item>,
    ahead: Vec<Item>,
    reviews: Vec<(Item, Timestamp, Timestamp)>,
    enrolled: BTreeMap<String, Item>,
    /// Fingerprints of keys that a person has confirmed.
    confirmed: BTreeSet<Digest>,
    /// Where the log went on under another name, and what is known of what it lost.
    continued: Vec<Item>,
    /// Where each producer stands.
    places: BTreeMap<ProducerId, u64>,
}

impl Record {
    pub(super) fn observe(&mut self, passing: Passing<'_>) {
        let at = passing.received;
        // An event that cannot be read does not pass by; it was received with the one before it at the earliest.
        let last = self.received.last().copied().unwrap_or(at);
        let before = usize::try_from(passing.position).unwrap_or(usize::MAX).saturating_sub(1);
        if self.received.len() < before {
            let what = match self.received.len() + 1 {
                one if one == before => format!("position {one}"),
                first => format!("positions {first} to {before}"),
            };
            let why = "nothing that can be read stands there".to_owned();
            self.gone.push(Item::absent(at, what, why));
        }
        self.received.resize(before, last);
        self.received.push(at);
        let item = || Item::new(at, &passing.envelope.subject, passing.position);
        let said = passing.envelope.time;
        if said.as_millisecond() - at.as_millisecond() > AHEAD_MS {
            let source = &passing.envelope.source;
            let why = format!("{source} dates it {said}, later than it was received");
            self.ahead.push(item().failing(Some(why)));
        }
        self.look_for_lost(passing);
        if *passing.mark != Mark::Valid {
            return;
        }
        match passing.event {
            Event::LogEvent(LogEvent::LogContinued(event)) => {
                self.continued.push(item().failing(continued(event)));
            }
            Event::ReviewEvent(ReviewEvent::ReviewSigned(event)) => {
                self.reviews.push((item(), event.since, event.until));
            }
            Event::LogEvent(LogEvent::LogProducerConfirmed(event)) => {
                self.confirmed.insert(event.fingerprint);
            }
            Event::LogEvent(LogEvent::LogProducerEnrolled(event)) => {
                let named = event.ground == "invitation" || self.is_confirmed(&event.key);
                let wrong =
                    (!named).then(|| format!("let in by {}: no person is named", event.ground));
                let mut item = item().failing(wrong);
                item.subject = event.producer.to_string();
                self.enrolled.insert(event.producer.to_string(), item);
            }
            _ => {}
        }
    }

    fn is_confirmed(&self, key: &str) -> bool {
        PublicKey::from_hex(key).is_ok_and(|key| self.confirmed.contains(&key.id()))
    }

    /// What a producer said in between was lost when the log was brought back.
    fn look_for_lost(&mut self, passing: Passing<'_>) {
        let (source, pseq) = (&passing.envelope.source, passing.envelope.pseq);
        let known = self.places.insert(source.clone(), pseq);
        if let Some(known) = known.filter(|known| pseq > known + 1 && !self.continued.is_empty()) {
            let why = format!("events {} to {} of it are lost", known + 1, pseq - 1);
            let item = Item::new(passing.received, source, passing.position);
            self.continued.push(item.failing(Some(why)));
        }
    }

    pub(super) fn finish(&self, closing: Closing<'_>) -> Vec<Outcome> {
        let Closing { ended, period, begin, end, .. } = closing;
        if begin > end {
            // The log tells of no moment of the period: nothing of it was kept, or found wanting.
            let ids = ["LG-01", "LG-02", "LG-03", "LG-04", "LG-05", "LG-07"];
            return ids.map(|id| Outcome::of(id, Vec::new())).into();
        }
        let mut whole =
            vec![Item::new(begin, format!("all {} events of the log", ended.events), ended.events)];
        whole.extend(ended.wrong.iter().map(|text| Item::absent(end, "log", text.clone())));
        whole.extend(period.of(&self.continued).cloned());
        let counted = self.counted(closing);
        let clocks = std::iter::once(counted.clone()).chain(period.of(&self.ahead).cloned());
        vec![
            Outcome::of("LG-01", whole),
            Outcome::of("LG-02", self.kept(closing)),
            Outcome::of("LG-03", clocks.collect()),
            Outcome::of("LG-04", self.nights(closing)),
            Outcome::of("LG-05", self.silences(counted, closing)),
            Outcome::of("LG-07", period.of(self.enrolled.values()).cloned().collect()),
        ]
    }

    /// What the log has from its first event on, whichever period is asked for.
    fn kept(&self, closing: Closing<'_>) -> Vec<Item> {
        let first = self.received.first().copied().unwrap_or(closing.begin);
        let (count, oldest) =
            (self.received.len(), self.gone.first().is_none_or(|one| one.at > first));
        let note = oldest.then(|| format!("its first event was received {first}"));
        let all = Item::new(closing.begin, format!("positions 1 to {count}"), 1);
        std::iter::once(Item { note, ..all }).chain(self.gone.iter().cloned()).collect()
    }

    /// A review covers the time until which it looks.
    fn nights(&self, closing: Closing<'_>) -> Vec<Item> {
        let (span, settings) = ((closing.begin, closing.end), closing.settings);
        let within =
            |(_, since, until): &&(Item, Timestamp, Timestamp)| *since < span.1 && *until > span.0;
        let mut found: Vec<Item> =
            self.reviews.iter().filter(within).map(|(item, ..)| item.clone()).collect();
        let until = self.reviews.iter().map(|(_, _, until)| *until).collect();
        for (from, to) in gaps(until, span, millis(settings.review_every)) {
            let why = format!("no review looks at the time from {from} until {to}");
            found.push(Item::absent(from, "review/night", why));
        }
        found
    }

    /// All events of the period, as one.
    fn counted(&self, closing: Closing<'_>) -> Item {
        let events = self.received.iter().filter(|at| closing.period.holds(**at)).count();
        Item::new(closing.begin, format!("{events} events"), closing.ended.events)
    }

    fn silences(&self, counted: Item, closing: Closing<'_>) -> Vec<Item> {
        let Closing { period, settings, end, .. } = closing;
        let mut found = vec![counted];
        for (two, position) in self.received.windows(2).zip(2..) {
            if let [before, at] = *two
                && period.holds(at)
                && is_long(before, at, settings)
            {
                let silence = Item::new(before, "log", position);
                found.push(silence.failing(Some(silent(before, at))));
            }
        }
        let last = self.received.last().copied();
        if let Some(last) = last.filter(|last| is_long(*last, end, settings)) {
            found.push(Item::absent(last, "log", silent(last, end)));
        }
        found
    }
}

/// What is wrong with a log that goes on under another name.
fn continued(event: &LogContinued) -> Option<String> {
    let LogContinued { origin, restored, handover, .. } = event;
    if *restored {
        let lost = event.lost();
        Some(format!(
            "the log was brought back from an older copy and goes on as {origin}: {lost} events are known to be lost"
        ))
    } else {
        handover.is_none().then(|| format!("the log goes on as {origin} without the key before"))
    }
}

fn is_long(from: Timestamp, to: Timestamp, settings: &ControlSettings) -> bool {
    to.as_millisecond() - from.as_millisecond() > millis(settings.silence_at_most)
}

fn silent(from: Timestamp, to: Timestamp) -> String {
    format!("silent from {from} until {to}")
}
