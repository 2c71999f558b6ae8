//! Numbered stock, as its events tell it: what became of each number.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::document::Told;
use super::form::FormDefinition;
use crate::event::{FormChecked, FormEvent, FormLoaded, FormSlipped, Spent};
use crate::ids::StreamId;
use crate::site::{Defined, Thing, ThingKind};

/// Most numbers in one batch: more sheets than any box holds.
pub const BATCH_MAX: u64 = 1_000_000;
/// Largest number there can be: it is written in JSON.
pub const NUMBER_MAX: u64 = 999_999_999_999_999;
/// How many spans are remembered one by one; what is older is put together.
const SPANS_KEPT: usize = 2_000;
/// How many checks are remembered.
const CHECKS_KEPT: usize = 500;

/// A form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Form {
    /// Its definitions.
    pub defined: Defined,
    /// What was loaded, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<Batch>,
    /// Numbers that are not free any more, by number; they do not overlap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Numbered>,
    /// What second persons read on first and last sheets, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}

/// Sheets that were loaded together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Place of `form.loaded` in the form's stream.
    pub number: u64,
    /// The number on its first sheet.
    pub first: u64,
    /// And on its last.
    pub last: u64,
    /// Who loaded it.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Who saw that it was it, and when.
    pub witness: Option<(String, Timestamp)>,
    /// When what was left was taken out.
    pub unloaded: Option<Timestamp>,
}

/// What became of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is for a printing of which it is not known yet whether it used it.
    Allocated,
    /// It was printed.
    Printed,
    /// It was printed, and is invalid.
    Voided,
    /// It is waste.
    Spoiled,
}

impl Fate {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allocated => "allocated",
            Self::Printed => "printed",
            Self::Voided => "voided",
            Self::Spoiled => "spoiled",
        }
    }
}

impl From<Spent> for Fate {
    fn from(how: Spent) -> Self {
        match how {
            Spent::Voided => Self::Voided,
            Spent::Spoiled => Self::Spoiled,
        }
    }
}

/// Numbers that share a fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbered {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// What became of them.
    pub fate: Fate,
    /// The document they were for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<StreamId>,
    /// Which printing of it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub round: u32,
    /// When it was said.
    pub at: Timestamp,
    /// Whether they went through that printing without a page.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub slipped: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// What a second person read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The document.
    pub document: StreamId,
    /// Which printing of it.
    pub round: u32,
    /// On the first sheet.
    pub first: u64,
    /// On the last.
    pub last: u64,
    /// Who.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Whether these are the numbers of that printing.
    pub agrees: bool,
}

impl Form {
    /// A form that has no event yet.
    pub fn new(name: &str) -> Self {
        Self {
            defined: Defined::new(name),
            batches: Vec::new(),
            spans: Vec::new(),
            checks: Vec::new(),
        }
    }

    /// Its newest definition.
    pub fn definition(&self) -> Option<FormDefinition> {
        match self.defined.read(ThingKind::Form)? {
            Thing::Form(definition) => Some(*definition),
            Thing::Calendar(_)
            | Thing::Blackout(_)
            | Thing::Lock(_)
            | Thing::Pool(_)
            | Thing::Dataset(_)
            | Thing::Repository(_)
            | Thing::Queue(_)
            | Thing::CallTree(_)
            | Thing::Measures(_) => None,
        }
    }

    /// A number as people see it.
    pub fn shown(&self, number: u64) -> String {
        self.definition().map_or_else(|| number.to_string(), |form| form.shown(number))
    }

    /// What became of a number; `None` while it is free.
    pub fn fate(&self, number: u64) -> Option<&Numbered> {
        let at = self.spans.partition_point(|span| span.last < number);
        self.spans.get(at).filter(|span| span.first <= number)
    }

    /// The batch a number was loaded in; the newest, where it was taken out and came back.
    pub fn batch_of(&self, number: u64) -> Option<&Batch> {
        self.batches.iter().rev().find(|batch| (batch.first..=batch.last).contains(&number))
    }

    /// What is known of these numbers: each span that has one of them.
    pub fn touched(&self, first: u64, last: u64) -> impl Iterator<Item = &Numbered> {
        let at = self.spans.partition_point(|span| span.last < first);
        let from_it = self.spans.get(at..).unwrap_or_default().iter();
        from_it.take_while(move |span| span.first <= last)
    }

    /// Whether all of these numbers were loaded once.
    pub fn was_loaded(&self, first: u64, last: u64) -> bool {
        let mut next = first;
        for (from, to) in united(self.batches.iter().map(|b| (b.first, b.last)).collect()) {
            if from <= next && next <= to {
                next = to + 1;
            }
        }
        next > last
    }

    /// Whether a number's sheet lies where it is printed on.
    pub fn is_in_tray(&self, number: u64) -> bool {
        self.batch_of(number).is_some_and(Batch::is_usable)
    }

    /// The numbers of a printing.
    pub fn of_printing(&self, document: &StreamId, round: u32) -> Vec<&Numbered> {
        let its =
            |span: &&Numbered| span.document.as_ref() == Some(document) && span.round == round;
        self.spans.iter().filter(its).collect()
    }

    /// The first and the last number that a printing was given.
    pub fn allocation(&self, document: &StreamId, round: u32) -> Option<(u64, u64)> {
        let spans = self.of_printing(document, round);
        Some((spans.first()?.first, spans.last()?.last))
    }

    /// How many sheets below a number went through a printing without a page.
    pub fn slipped(&self, document: &StreamId, round: u32, below: u64) -> u64 {
        let spans = self.of_printing(document, round).into_iter();
        let slipped = spans.filter(|span| span.slipped && span.first < below);
        slipped.map(|span| span.last.min(below - 1) + 1 - span.first).sum()
    }

    /// The sheets of a printing that was given numbers from `first` to `last`, in the order of its pages.
    pub fn sheets(
        &self,
        document: &StreamId,
        round: u32,
        (first, last): (u64, u64),
    ) -> impl Iterator<Item = u64> {
        let slipped: Vec<(u64, u64)> = self
            .of_printing(document, round)
            .into_iter()
            .filter(|span| span.slipped)
            .map(|span| (span.first, span.last))
            .collect();
        let more: u64 = slipped.iter().map(|(first, last)| last + 1 - first).sum();
        let without = move |number: &u64| !slipped.iter().any(|(a, b)| (a..=b).contains(&number));
        (first..=last.saturating_add(more)).filter(without)
    }

    /// Sheets that can be printed on: in stock a second person has seen, above all that was used of it.
    pub fn left(&self) -> Vec<(u64, u64)> {
        let usable = self.batches.iter().filter(|batch| batch.is_usable());
        let rest = usable.map(|batch| (self.next_of(batch), batch.last));
        rest.filter(|(next, last)| next <= last).collect()
    }

    /// The first number of a batch above all of its that were used.
    fn next_of(&self, batch: &Batch) -> u64 {
        let at = self.spans.partition_point(|span| span.first <= batch.last);
        let used = self.spans.get(..at).and_then(<[Numbered]>::last);
        used.map_or(batch.first, |used| batch.first.max(used.last + 1))
    }

    /// The next `count` numbers, one after the other.
    ///
    /// # Errors
    /// There are not so many, and what to do.
    pub fn next(&self, count: u64) -> Result<(u64, u64), String> {
        let mut left = self.left().into_iter();
        let Some((first, mut last)) = left.next() else {
            return Err("no stock is loaded that a second person has seen".to_owned());
        };
        // A batch that goes on where another ends is one with it.
        for (next, end) in left {
            if next != last + 1 {
                break;
            }
            last = end;
        }
        let there = last + 1 - first;
        if there < count {
            return Err(format!(
                "{there} sheets are left, {count} are needed: load stock, or print fewer pages"
            ));
        }
        Ok((first, first + count - 1))
    }

    /// Numbers below one that was used, in stock that was loaded, of which nothing was ever said: sheets that are gone.
    pub fn gaps(&self) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        for batch in &self.batches {
            let (mut at, next) = (batch.first, self.next_of(batch));
            while at < next {
                let of_it = self.spans.partition_point(|span| span.last < at);
                match self.spans.get(of_it) {
                    Some(span) if span.first <= at => at = span.last + 1,
                    Some(span) => {
                        let end = (span.first - 1).min(next - 1);
                        found.push((at, end));
                        at = end + 1;
                    }
                    None => break,
                }
            }
        }
        self.left().into_iter().fold(united(found), without)
    }

    /// The state after one more event. Total: what is in the log has happened.
    #[must_use]
    pub fn evolve(mut self, event: &FormEvent, told: Told<'_>) -> Self {
        let at = told.received;
        match event {
            FormEvent::FormLoaded(e) => self.batches.push(Batch::new(e, told)),
            FormEvent::FormWitnessed(e) => {
                if let Some(batch) = self.batches.iter_mut().find(|b| b.number == e.batch) {
                    batch.witness = Some((told.actor.unwrap_or_default().to_owned(), at));
                }
            }
            FormEvent::FormUnloaded(e) => {
                if let Some(batch) = self.batches.iter_mut().find(|b| b.number == e.batch) {
                    batch.unloaded = Some(at);
                }
            }
            FormEvent::FormAllocated(e) => self.set(Numbered {
                first: e.first,
                last: e.last,
                fate: Fate::Allocated,
                document: Some(e.document.clone()),
                round: e.round,
                at,
                slipped: false,
            }),
            FormEvent::FormSlipped(e) => self.slip(e, at),
            FormEvent::FormPrinted(e) => self.become_of(e.first, e.last, Fate::Printed, at),
            FormEvent::FormVoided(e) => self.become_of(e.first, e.last, e.how.into(), at),
            FormEvent::FormReturned(e) => self.cut(e.first, e.last),
            FormEvent::FormChecked(e) => self.check(e, told),
            FormEvent::FormRegisterRead(_) => {}
        }
        self.put_together();
        self
    }

    fn check(&mut self, e: &FormChecked, told: Told<'_>) {
        self.checks.push(Check {
            document: e.document.clone(),
            round: e.round,
            first: e.first,
            last: e.last,
            by: told.actor.map(str::to_owned),
            at: told.received,
            agrees: self.allocation(&e.document, e.round) == Some((e.first, e.last)),
        });
        if self.checks.len() > CHECKS_KEPT {
            self.checks.remove(0);
        }
    }

    /// Gives numbers another fate; whose they were is kept.
    fn become_of(&mut self, first: u64, last: u64, fate: Fate, at: Timestamp) {
        let known: Vec<Numbered> = self.touched(first, last).cloned().collect();
        let nobodys = Numbered { first, last, fate, document: None, round: 0, at, slipped: false };
        self.set(nobodys);
        for span in known {
            let (first, last) = (span.first.max(first), span.last.min(last));
            self.set(Numbered { first, last, fate, at, ..span });
        }
    }

    /// Pages move up to the next sheets: as many as were printed on from the first of these numbers on.
    fn slip(&mut self, e: &FormSlipped, at: Timestamp) {
        let Some((_, end)) = self.allocation(&e.document, e.round) else { return };
        let (count, last) = (e.last.saturating_sub(e.first) + 1, end.max(e.last));
        let mut pages: u64 = self
            .touched(e.first, last)
            .filter(|span| is_page(span, e))
            .map(|span| span.last.min(last) + 1 - span.first.max(e.first))
            .sum();
        let before: Vec<(u64, u64)> = self
            .touched(e.last + 1, last)
            .filter(|span| span.slipped)
            .map(|span| (span.first, span.last))
            .collect();
        let its = |first, last, fate, slipped| Numbered {
            first,
            last,
            fate,
            document: Some(e.document.clone()),
            round: e.round,
            at,
            slipped,
        };
        self.set(its(e.first, e.last, Fate::Spoiled, true));
        for (first, last) in between(e.last + 1, last.saturating_add(count), &before) {
            let printed = pages.min(last + 1 - first);
            pages -= printed;
            if printed > 0 {
                self.set(its(first, first + printed - 1, Fate::Printed, false));
            }
            if first + printed <= last {
                self.set(its(first + printed, last, Fate::Allocated, false));
            }
        }
    }

    /// Puts a span in the place of whatever was there.
    fn set(&mut self, new: Numbered) {
        self.cut(new.first, new.last);
        let at = self.spans.partition_point(|span| span.first < new.first);
        self.spans.insert(at, new);
    }

    /// Makes numbers free.
    fn cut(&mut self, first: u64, last: u64) {
        let mut spans = Vec::with_capacity(self.spans.len() + 2);
        for span in self.spans.drain(..) {
            if span.last < first || span.first > last {
                spans.push(span);
                continue;
            }
            if span.first < first {
                spans.push(Numbered { last: first - 1, ..span.clone() });
            }
            if span.last > last {
                spans.push(Numbered { first: last + 1, ..span });
            }
        }
        self.spans = spans;
    }

    /// What is too old to be told one by one is told together; numbers that wait for an answer are not.
    fn put_together(&mut self) {
        let surplus = self.spans.len().saturating_sub(SPANS_KEPT);
        if surplus == 0 {
            return;
        }
        let age = |span: &Numbered| (span.at, span.first);
        let mut ages: Vec<_> = self.spans.iter().map(age).collect();
        ages.sort_unstable();
        let Some(youngest) = ages.get(surplus).copied() else { return };
        let old = |span: &Numbered| span.fate != Fate::Allocated && age(span) <= youngest;
        let mut kept: Vec<Numbered> = Vec::with_capacity(self.spans.len());
        let mut after_old = false;
        for span in self.spans.drain(..) {
            let (follows_old, is_old) = (after_old, old(&span));
            after_old = is_old;
            let both = follows_old && is_old;
            match kept.last_mut() {
                Some(last)
                    if both
                        && last.fate == span.fate
                        && !(last.slipped || span.slipped)
                        && last.last + 1 == span.first =>
                {
                    last.last = span.last;
                    (last.document, last.round) = (None, 0);
                    last.at = last.at.max(span.at);
                }
                Some(_) | None => kept.push(span),
            }
        }
        self.spans = kept;
    }
}

/// Whether a span has a page that a slip moves: what is printed, and what was called waste before it was known that its page
/// went to the next sheet.
fn is_page(span: &Numbered, e: &FormSlipped) -> bool {
    let waste = span.fate == Fate::Spoiled && !span.slipped && span.first <= e.last;
    span.fate == Fate::Printed || waste
}

/// What of a range lies between others, which are in order.
fn between(first: u64, last: u64, others: &[(u64, u64)]) -> Vec<(u64, u64)> {
    others.iter().fold(vec![(first, last)], |ranges, other| without(ranges, *other))
}

/// Ranges in order, apart from each other: what was taken out and came back lies in two batches.
fn united(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ranges.sort_unstable();
    let mut apart: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match apart.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            Some(_) | None => apart.push((first, last)),
        }
    }
    apart
}

/// Ranges without the numbers of another: what can be printed on is not gone.
fn without(ranges: Vec<(u64, u64)>, (first, last): (u64, u64)) -> Vec<(u64, u64)> {
    let rest = |(a, b): (u64, u64)| {
        let below = (a, b.min(first.saturating_sub(1)));
        let above = (a.max(last.saturating_add(1)), b);
        if b < first || last < a { [Some((a, b)), None] } else { [Some(below), Some(above)] }
    };
    let rest = ranges.into_iter().flat_map(rest).flatten();
    rest.filter(|(first, last)| first <= last).collect()
}

impl Batch {
    /// Whether it is printed on: a second person has seen it, and it was not taken out.
    pub fn is_usable(&self) -> bool {
        self.witness.is_some() && self.unloaded.is_none()
    }

    /// Whether it waits for a second person.
    pub fn waits(&self) -> bool {
        self.witness.is_none() && self.unloaded.is_none()
    }

    fn new(e: &FormLoaded, told: Told<'_>) -> Self {
        Self {
            number: told.version,
            first: e.first,
            last: e.last,
            by: told.actor.map(str::to_owned),
            at: told.received,
            witness: None,
            unloaded: None,
        }
    }
}
