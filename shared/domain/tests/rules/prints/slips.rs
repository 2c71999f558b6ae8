//! Sheets that a printer spoiled, and went on by itself: each page after them lies on a later sheet.

use std::collections::BTreeMap;

use domain::event::{FormChecked, FormPrinted, FormSlipped, FormVoided, Spent};
use domain::print::reconcile::{Exception, reconcile};
use domain::print::register::register;
use domain::print::stock::Fate;

use super::forms::{printed, stock, voided};
use super::reprints::{approved, requested};
use super::*;

/// Ten checks on 101 to 110, all counted.
fn ten() -> Office {
    let mut office = Office::with_stock();
    office.spool("checks").print().complete(Some(10));
    valid(&office.host("h1", &stock(), printed(101, 110, "")));
    office
}

fn slipped(first: u64, last: u64) -> FormSlipped {
    FormSlipped { document: it(), round: 1, first, last, reason: "jammed".to_owned() }
}

/// Number, fate and page of each number that was used.
fn pages(office: &Office) -> Vec<(u64, &'static str, Option<u32>)> {
    let known = BTreeMap::from([(it(), (office.document(&it()), None))]);
    let all = register(&office.form(CHECKS), &known, 101, 200).into_iter();
    all.filter_map(|one| Some((one.number, one.fate?.word(), one.page))).collect()
}

#[test]
fn pages_after_a_sheet_that_slipped_lie_on_the_next_and_as_many_are_printed_as_before() {
    let mut office = ten();
    valid(&office.by("user/ana", &stock(), slipped(104, 105)));
    let mut wanted: Vec<(u64, &str, Option<u32>)> =
        (101..=103).map(|n| (n, "printed", u32::try_from(n - 100).ok())).collect();
    wanted.extend([(104, "spoiled", None), (105, "spoiled", None)]);
    wanted.extend((106..=112).map(|n| (n, "printed", u32::try_from(n - 102).ok())));
    assert_eq!(pages(&office), wanted);
    assert_eq!(office.form(CHECKS).allocation(&it(), 1), Some((101, 112)));
    assert_eq!(office.form(CHECKS).next(1), Ok((113, 113)));
    assert_eq!(office.form(CHECKS).gaps(), []);
}

#[test]
fn a_second_slip_below_or_above_the_first_moves_pages_past_both() {
    for (one, other) in [((104, 104), (107, 107)), ((107, 107), (104, 104))] {
        let mut office = ten();
        valid(&office.by("user/ana", &stock(), slipped(one.0, one.1)));
        valid(&office.by("user/ana", &stock(), slipped(other.0, other.1)));
        let on_paper: Vec<u64> =
            pages(&office).iter().filter(|one| one.1 == "printed").map(|one| one.0).collect();
        assert_eq!(on_paper, [101, 102, 103, 105, 106, 108, 109, 110, 111, 112]);
        let in_order: Vec<u32> = pages(&office).iter().filter_map(|one| one.2).collect();
        assert_eq!(in_order, (1..=10).collect::<Vec<_>>());
    }
}

#[test]
fn what_was_called_waste_before_is_a_sheet_without_a_page_and_its_page_is_on_the_next() {
    let mut office = ten();
    let spoiled = FormVoided { how: Spent::Spoiled, ..voided(110, 110) };
    valid(&office.by("user/ana", &stock(), spoiled));
    valid(&office.by("user/ana", &stock(), slipped(110, 110)));
    let all = pages(&office);
    assert_eq!(all[9..], [(110, "spoiled", None), (111, "printed", Some(10))]);
}

#[test]
fn of_a_printing_that_was_cut_off_as_many_sheets_wait_for_an_answer_as_before() {
    let mut office = Office::with_stock();
    office.spool("checks").print().complete(Some(6));
    valid(&office.host("h1", &stock(), printed(101, 106, "")));
    valid(&office.by("user/ana", &stock(), slipped(103, 103)));
    let of = |fate: Fate| {
        let form = office.form(CHECKS);
        (101..=120).filter(move |n| form.fate(*n).is_some_and(|span| span.fate == fate)).collect()
    };
    let (printed, waiting): (Vec<u64>, Vec<u64>) = (of(Fate::Printed), of(Fate::Allocated));
    assert_eq!(printed, [101, 102, 104, 105, 106, 107]);
    assert_eq!(waiting, [108, 109, 110, 111]);
    // Those come back from the end, down to the last page.
    let back = |first| domain::event::FormReturned {
        document: it(),
        round: 1,
        first,
        last: 111,
        reason: why(),
    };
    let counted = "not all of these numbers were given to it and wait for an answer";
    refuses(&office.by("user/ana", &stock(), back(107)), counted);
    valid(&office.by("user/ana", &stock(), back(108)));
    assert_eq!(office.form(CHECKS).next(1), Ok((108, 108)));
}

#[test]
fn pages_move_only_where_nothing_else_was_said_of_the_sheets_they_move_to() {
    let mut office = ten();
    for (event, why) in [
        (slipped(100, 101), "these are not numbers of that printing"),
        (slipped(110, 111), "these are not numbers of that printing"),
        (slipped(105, 104), "numbers go from one to another"),
        (FormSlipped { round: 2, ..slipped(104, 104) }, "that printing has no numbers"),
        (
            FormSlipped { document: document_no(9), ..slipped(104, 104) },
            "there is no such document",
        ),
        (FormSlipped { reason: " ".to_owned(), ..slipped(104, 104) }, "say how it is known"),
    ] {
        refuses(&office.by("user/ana", &stock(), event), why);
    }
    let anonymous = office.draft(&stock(), slipped(104, 104));
    refuses(&office.judge("console/c1", anonymous), "it does not say who does it");
    let mut void = office.clone();
    valid(&void.by("user/ana", &stock(), voided(107, 107)));
    let first = "number 000107 is voided: which page lay on it would be another; say what slipped \
                 first, then what does not count";
    refuses(&void.by("user/ana", &stock(), slipped(104, 104)), first);
    let mut used = office.clone();
    valid(&used.by("user/ana", &stock(), FormVoided { how: Spent::Spoiled, ..voided(111, 111) }));
    let taken = "it used the sheets up to 000111, and 000111 is spoiled already";
    refuses(&used.by("user/ana", &stock(), slipped(104, 104)), taken);
    valid(&office.by("user/ana", &stock(), slipped(104, 104)));
    let again = "one of them is said to have slipped already";
    refuses(&office.by("user/ana", &stock(), slipped(104, 104)), again);
}

#[test]
fn nothing_slips_while_it_is_printed_and_none_beyond_what_was_loaded() {
    let mut office = Office::with_stock();
    office.spool("checks").submit();
    let early = "it is not printed yet, or at the printer";
    refuses(&office.by("user/ana", &stock(), slipped(104, 104)), early);
    let mut office = Office::new();
    valid(&office.load("user/cyd", 101, 110));
    valid(&office.by("user/dan", &stock(), super::forms::witnessed(&office, 101, 110)));
    office.spool("checks").print().complete(Some(10));
    let beyond = "it used sheets above its last, and those were never loaded";
    refuses(&office.by("user/ana", &stock(), slipped(104, 104)), beyond);
}

#[test]
fn a_page_that_slipped_is_printed_again_only_when_the_number_it_lies_on_is_void() {
    let mut office = ten();
    valid(&office.by("user/ana", &stock(), slipped(104, 104)));
    office.does("user/ana", requested("4"));
    let lies_on = "number 000105 is printed: void or spoil what is printed again first";
    refuses(&office.by("user/bob", &it(), approved(&office)), lies_on);
    valid(&office.by("user/ana", &stock(), voided(105, 105)));
    valid(&office.by("user/bob", &it(), approved(&office)));
}

#[test]
fn the_numbers_that_a_second_person_reads_agree_once_it_is_said_what_slipped() {
    let mut office = ten();
    let read = || FormChecked { document: it(), round: 1, first: 101, last: 111 };
    valid(&office.by("user/eve", &stock(), read()));
    let found = |office: &Office| {
        let documents = BTreeMap::from([(it(), office.document(&it()))]);
        reconcile(&documents, &[office.form(CHECKS)])
    };
    let differs = |one: &Exception| matches!(one, Exception::CheckDiffers { .. });
    assert!(found(&office).iter().any(differs));
    valid(&office.by("user/ana", &stock(), slipped(104, 104)));
    office.wait(1);
    valid(&office.by("user/eve", &stock(), read()));
    assert_eq!(found(&office), []);
}

/// Spans that are put together name no document.
#[test]
fn a_count_adds_up_also_when_numbers_have_lost_the_name_of_their_document() {
    let mut office = Office::with_stock();
    let mut spooled = office.spooled("checks");
    spooled.control =
        Some(domain::event::ControlSeen { expected: 10, found: 10, amount_agrees: None });
    valid(&office.try_spool("h1", &it(), spooled));
    office.print().complete(Some(10));
    valid(&office.host("h1", &stock(), FormPrinted { ..printed(101, 110, "") }));
    let documents = BTreeMap::from([(it(), office.document(&it()))]);
    let counts = |form: Form| {
        let all = reconcile(&documents, &[form]);
        all.into_iter().find(|one| matches!(one, Exception::ControlCount { .. }))
    };
    let mut form = office.form(CHECKS);
    assert_eq!(counts(form.clone()), None);
    for span in &mut form.spans {
        (span.document, span.round) = (None, 0);
    }
    assert_eq!(counts(form.clone()), None);
    form.spans[0].fate = Fate::Voided;
    let missing = Exception::ControlCount { document: it(), expected: 10, printed: 0 };
    assert_eq!(counts(form), Some(missing));
}
