//! The register of a form, the file for the bank, and what does not add up.

use std::collections::BTreeMap;

use domain::print::facts::{DocumentFacts, SheetFacts};
use domain::print::reconcile::{Exception, reconcile};
use domain::print::register::{Entry, documents, positive_pay, register};
use domain::print::stock::Fate;
use domain::print::{PayColumn, PositivePay};
use jiff::tz::TimeZone;

use super::forms::{printed, returned, stock, voided};
use super::reprints::{approved, requested};
use super::*;

/// Page 3 says 3.00, to payee 3.
fn facts(pages: u32) -> DocumentFacts {
    let sheet = |page: u32| SheetFacts {
        page,
        amount: Some(i64::from(page) * 10_000),
        payee: Some(format!("payee {page}")),
        number: None,
    };
    DocumentFacts {
        title: "checks".to_owned(),
        source: "/srv/checks.pdf".to_owned(),
        sheets: (1..=pages).map(sheet).collect(),
        recipients: vec![],
        code: None,
    }
}

fn entries(office: &Office, form: &Form) -> Vec<Entry> {
    let known = BTreeMap::from([(it(), (office.document(&it()), Some(facts(10))))]);
    register(form, &known, 1, 1_000)
}

/// Ten checks; 103 was torn and is printed again on 111; the printer counted all.
fn one_printed_again() -> Office {
    let mut office = Office::with_stock();
    office.spool("checks").print().complete(Some(10));
    valid(&office.host("h1", &stock(), printed(101, 110, "")));
    office.does("user/ana", requested("3"));
    valid(&office.by("user/ana", &stock(), voided(103, 103)));
    let agreed = approved(&office);
    office.does("user/bob", agreed).print().complete(Some(1));
    let second = domain::event::FormPrinted { round: 2, ..printed(111, 111, "") };
    valid(&office.host("h1", &stock(), second));
    office
}

#[test]
fn each_loaded_number_stands_in_the_register_once_with_its_fate_and_its_page() {
    let office = one_printed_again();
    let all = entries(&office, &office.form(CHECKS));
    let numbers: Vec<u64> = all.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (101..=200).collect::<Vec<_>>());
    for entry in &all {
        let (fate, page) = match entry.number {
            103 => (Some(Fate::Voided), Some(3)),
            111 => (Some(Fate::Printed), Some(3)),
            number @ 101..=110 => (Some(Fate::Printed), u32::try_from(number - 100).ok()),
            _ => (None, None),
        };
        assert_eq!((entry.fate, entry.page), (fate, page), "{entry:?}");
        assert_eq!(entry.amount, page.map(|page| i64::from(page) * 10_000));
    }
    assert_eq!(documents(&office.form(CHECKS), 111, 111), [it()]);
    assert_eq!(documents(&office.form(CHECKS), 112, 200), []);
}

/// What was made void later keeps its document's name longer than its neighbours do.
#[test]
fn a_number_keeps_its_page_when_those_before_it_have_lost_their_document() {
    let office = one_printed_again();
    let mut form = office.form(CHECKS);
    for span in form.spans.iter_mut().filter(|span| span.last <= 102) {
        (span.document, span.round) = (None, 0);
    }
    let all = entries(&office, &form);
    let page_of = |n: u64| all.iter().find(|entry| entry.number == n).unwrap().page;
    assert_eq!([page_of(102), page_of(103), page_of(110)], [None, Some(3), Some(10)]);
}

#[test]
fn the_file_for_the_bank_has_a_line_for_each_number_that_was_used_and_none_in_doubt() {
    let layout = PositivePay {
        columns: vec![
            PayColumn::Account,
            PayColumn::Number,
            PayColumn::Amount,
            PayColumn::Payee,
            PayColumn::Date,
            PayColumn::Status,
            PayColumn::Text("a,b".to_owned()),
        ],
        separator: ',',
        header: false,
        cents: false,
        date: "%d.%m.%Y".to_owned(),
        issued: "I".to_owned(),
        void: "V".to_owned(),
    };
    let office = one_printed_again();
    let form = office.form(CHECKS);
    let all = entries(&office, &form);
    let file = positive_pay(&form, &layout, &all, "4711", &TimeZone::UTC).unwrap();
    let lines: Vec<&str> = file.lines().collect();
    assert_eq!(lines.len(), 11);
    assert_eq!(lines[0], "4711,000101,1.00,payee 1,20.11.2026,I,\"a,b\"");
    assert_eq!(lines[2], "4711,000103,3.00,payee 3,20.11.2026,V,\"a,b\"");
    assert_eq!(lines[10], "4711,000111,3.00,payee 3,20.11.2026,I,\"a,b\"");
    let mut doubt = Office::with_stock();
    doubt.spool("checks").bring("failed");
    let form = doubt.form(CHECKS);
    let all = entries(&doubt, &form);
    let refused = positive_pay(&form, &layout, &all, "4711", &TimeZone::UTC).unwrap_err();
    assert_eq!(refused, "nobody has said what became of number 000101");
}

fn found(office: &Office) -> Vec<Exception> {
    let documents = office.world.streams.0.iter();
    let documents = documents
        .filter_map(|(id, state)| Some((id.clone(), state.body.document()?.clone())))
        .collect();
    reconcile(&documents, &[office.form(CHECKS)])
}

#[test]
fn what_was_done_as_it_should_be_adds_up_but_for_what_nobody_has_read_yet() {
    let mut office = one_printed_again();
    for (round, first, last) in [(1, 101, 110), (2, 111, 111)] {
        let not_yet = found(&office);
        let (form, document) = (CHECKS.to_owned(), it());
        assert!(not_yet.contains(&Exception::NotChecked { form, document, round }), "{not_yet:?}");
        let checked = domain::event::FormChecked { document: it(), round, first, last };
        valid(&office.by("user/eve", &stock(), checked));
    }
    assert_eq!(found(&office), []);
}

#[test]
fn what_was_planted_is_found() {
    let mut office = Office::with_stock();
    office.spool("checks").print().complete(Some(9));
    valid(&office.host("h1", &stock(), printed(101, 109, "")));
    let differs = Exception::PagesDiffer { document: it(), expected: 10, counted: 9 };
    let (form, document) = (CHECKS.to_owned(), Some(it()));
    let doubt = Exception::InDoubt { form, first: 110, last: 110, document };
    let all = found(&office);
    assert!(all.contains(&differs) && all.contains(&doubt), "{all:?}");
    valid(&office.by("user/ana", &stock(), returned(110, 110)));
    valid(&office.by("user/ana", &stock(), voided(115, 115)));
    let gap = Exception::Gap { form: CHECKS.to_owned(), first: 110, last: 114 };
    let all = found(&office);
    assert!(all.contains(&gap) && !all.contains(&doubt), "{all:?}");
    let mut second = office.spooled("report");
    second.fingerprint = Digest::of(b"other content");
    second.origin = Origin::Run { run: run_of("report"), attempt: 1, number: 1, of: 2 };
    for n in [2, 3] {
        valid(&office.try_spool("h1", &document_no(n), second.clone()));
        let id = document_no(n);
        valid(&office.host("h1", &id, office.submitted(&id)));
        valid(&office.host("h1", &id, accepted()));
        valid(&office.host("h1", &id, office.completed(None)));
        office.wait(1);
    }
    let twice = Exception::Duplicate { document: document_no(3), of: document_no(2) };
    assert!(found(&office).contains(&twice), "{:?}", found(&office));
}
