//! What became of each number, against a book in which every number has a line of its own.

use std::collections::BTreeMap;

use domain::event::{
    FormChecked, FormEvent, FormPrinted, FormRegisterRead, FormReturned, FormUnloaded, FormVoided,
    Spent,
};
use domain::print::document::Told;
use domain::print::stock::Fate;

use super::*;
use crate::given::at;

/// How many spans the fold tells one by one.
const SPANS_KEPT: usize = 2_000;

type Line = (Fate, Option<StreamId>, u32);

/// Number by number.
#[derive(Default)]
struct Book(BTreeMap<u64, Line>);

impl Book {
    fn take(&mut self, event: &FormEvent) {
        match event {
            FormEvent::FormAllocated(e) => {
                let line = (Fate::Allocated, Some(e.document.clone()), e.round);
                self.0.extend((e.first..=e.last).map(|number| (number, line.clone())));
            }
            FormEvent::FormPrinted(e) => self.become_of(e.first, e.last, Fate::Printed),
            FormEvent::FormVoided(e) => self.become_of(e.first, e.last, e.how.into()),
            FormEvent::FormReturned(e) => {
                for number in e.first..=e.last {
                    self.0.remove(&number);
                }
            }
            FormEvent::FormLoaded(_)
            | FormEvent::FormWitnessed(_)
            | FormEvent::FormUnloaded(_)
            | FormEvent::FormSlipped(_)
            | FormEvent::FormChecked(_)
            | FormEvent::FormRegisterRead(_) => {}
        }
    }

    fn become_of(&mut self, first: u64, last: u64, fate: Fate) {
        for number in first..=last {
            self.0.entry(number).or_insert((fate, None, 0)).0 = fate;
        }
    }
}

fn told(version: u64) -> Told<'static> {
    let ms = i64::try_from(version).unwrap();
    Told { version, received: later(at("00:00"), ms), actor: Some("user/ana") }
}

fn anything(dice: &mut Dice, most: u64) -> FormEvent {
    let first = 1 + dice.below(most);
    let last = (first + dice.below(12)).min(most);
    let (document, round) = (document_no(u128::from(dice.below(5))), 1 + u32::from(dice.in_ten(3)));
    let how = if dice.in_ten(5) { Spent::Voided } else { Spent::Spoiled };
    let (evidence, reason) = (String::new(), why());
    match dice.below(9) {
        0 => FormEvent::FormLoaded(FormLoaded { first, last, note: reason }),
        1 => FormEvent::FormWitnessed(FormWitnessed { batch: dice.below(50), first, last }),
        2 => FormEvent::FormUnloaded(FormUnloaded { batch: dice.below(50), reason }),
        3 | 4 => FormEvent::FormAllocated(FormAllocated { document, round, first, last }),
        5 => FormEvent::FormPrinted(FormPrinted { document, round, first, last, evidence }),
        6 => FormEvent::FormVoided(FormVoided { first, last, how, reason }),
        7 => FormEvent::FormReturned(FormReturned { document, round, first, last, reason }),
        _ if dice.in_ten(5) => FormEvent::FormChecked(FormChecked { document, round, first, last }),
        _ => FormEvent::FormRegisterRead(FormRegisterRead { first, last, reason }),
    }
}

#[track_caller]
fn check_apart(form: &Form) {
    assert!(form.spans.iter().all(|span| span.first <= span.last), "{:?}", form.spans);
    let in_order = form.spans.windows(2).all(|two| two[0].last < two[1].first);
    assert!(in_order, "spans overlap: {:?}", form.spans);
}

/// Whatever is in the log has happened, also what nobody would have taken.
#[test]
fn each_number_has_the_fate_that_was_said_of_it_last_and_spans_never_overlap() {
    for seed in 1..=300 {
        let mut dice = Dice::new(seed);
        let (mut form, mut book) = (Form::new(CHECKS), Book::default());
        for version in 1..=60 {
            let event = anything(&mut dice, 60);
            book.take(&event);
            form = form.evolve(&event, told(version));
            check_apart(&form);
            for number in 0..=75 {
                let line = form.fate(number).map(|one| (one.fate, one.document.clone(), one.round));
                assert_eq!(line.as_ref(), book.0.get(&number), "seed {seed}, {number}: {event:?}");
            }
        }
        let gaps: Vec<u64> = form.gaps().into_iter().flat_map(|(a, b)| a..=b).collect();
        assert!(gaps.iter().all(|n| !book.0.contains_key(n)), "seed {seed}");
        let left: Vec<u64> = form.left().into_iter().flat_map(|(a, b)| a..=b).collect();
        assert!(left.iter().all(|n| !book.0.contains_key(n)), "seed {seed}");
        assert!(left.iter().all(|n| !gaps.contains(n)), "seed {seed}");
    }
}

fn allocated(document: u128, first: u64, last: u64) -> FormEvent {
    let document = document_no(document);
    FormEvent::FormAllocated(FormAllocated { document, round: 1, first, last })
}

fn printed(document: u128, first: u64, last: u64) -> FormEvent {
    let (document, evidence) = (document_no(document), String::new());
    FormEvent::FormPrinted(FormPrinted { document, round: 1, first, last, evidence })
}

/// Three thousand printings of two sheets each, from `first` on; of every fiftieth, nothing is known.
fn many(form: Form, first: u64, versions: u64) -> Form {
    (0..3_000_u64).fold(form, |form, n| {
        let (a, document) = (first + 2 * n, u128::from(first + n));
        let form = form.evolve(&allocated(document, a, a + 1), told(versions + 2 * n));
        if n % 50 == 0 {
            return form;
        }
        form.evolve(&printed(document, a, a + 1), told(versions + 2 * n + 1))
    })
}

#[test]
fn what_is_told_together_loses_nothing_but_names_and_what_waits_for_an_answer_keeps_its_own() {
    let form = many(Form::new(CHECKS), 1, 1);
    check_apart(&form);
    // Sixty wait for an answer, and each of them parts those beside it.
    assert!(form.spans.len() <= SPANS_KEPT + 120, "{}", form.spans.len());
    for n in 0..3_000_u64 {
        for number in [1 + 2 * n, 2 + 2 * n] {
            let span = form.fate(number).unwrap();
            let wanted = if n % 50 == 0 { Fate::Allocated } else { Fate::Printed };
            assert_eq!(span.fate, wanted, "{number}");
            let named = span.document == Some(document_no(u128::from(1 + n)));
            assert!(named || (wanted == Fate::Printed && span.document.is_none()), "{number}");
            assert!(named || n < 2_900, "{number}: the newest are told one by one");
        }
    }
    assert_eq!(form.fate(6_001), None);
}

/// Age is when it was said, and not how low the number is: a box with low numbers may come last.
#[test]
fn the_newest_are_told_one_by_one_wherever_their_numbers_are() {
    let form = many(Form::new(CHECKS), 100_001, 1);
    let form = form.evolve(&allocated(7, 11, 12), told(90_001));
    let form = form.evolve(&printed(7, 11, 12), told(90_002));
    let form = form.evolve(&allocated(8, 13, 14), told(90_003));
    let form = form.evolve(&printed(8, 13, 14), told(90_004));
    for (number, document) in [(11, 7), (12, 7), (13, 8), (14, 8)] {
        assert_eq!(form.fate(number).unwrap().document, Some(document_no(document)), "{number}");
    }
    assert_eq!(form.allocation(&document_no(8), 1), Some((13, 14)));
}

#[test]
fn as_many_numbers_as_the_printer_counted_pages_carry_one() {
    use domain::print::seen::printed_numbers;
    for (first, last, counted, wanted) in [
        (101, 110, None, None),
        (101, 110, Some(0), None),
        (101, 110, Some(1), Some((101, 101))),
        (101, 110, Some(10), Some((101, 110))),
        (101, 110, Some(99), Some((101, 110))),
        (7, 7, Some(1), Some((7, 7))),
        (110, 101, Some(5), None),
        (0, u64::MAX, Some(2), Some((0, 1))),
    ] {
        assert_eq!(printed_numbers(first, last, counted), wanted, "{first} {last} {counted:?}");
    }
}
