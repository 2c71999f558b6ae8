//! What is printed once more: a second person for a form, and what was printed before is void.

use domain::event::{
    EraseReason, PrintChanged, PrintDeferred, PrintErased, PrintReprintApproved,
    PrintReprintDeclined, PrintReprintRequested,
};
use domain::print::PageRange;
use domain::print::document::REPRINTS_MAX;

use super::forms::{printed, returned, stock, voided};
use super::states::changed;
use super::*;

fn pages(text: &str) -> Option<Vec<PageRange>> {
    (text != "all").then(|| vec![text.parse().unwrap()])
}

pub(super) fn requested(text: &str) -> PrintReprintRequested {
    PrintReprintRequested { pages: pages(text), reason: why() }
}

pub(super) fn approved(office: &Office) -> PrintReprintApproved {
    let document = office.document(&it());
    let request = document.request.map_or(0, |request| request.number);
    PrintReprintApproved { request, form: document.spooled.form, reason: why() }
}

/// Ten checks on 101 to 110, of which the printer counted so many.
fn printed_checks(counted: u32) -> Office {
    let mut office = Office::with_stock();
    office.spool("checks").print().complete(Some(counted));
    valid(&office.host("h1", &stock(), printed(101, 100 + u64::from(counted), "")));
    office
}

#[test]
fn plain_documents_need_nobody_and_begin_another_printing_each_time() {
    let mut office = Office::new();
    office.spool("report");
    for round in 1..=4 {
        assert_eq!(office.document(&it()).round, round);
        office.print().complete(Some(10)).does("user/ana", requested("all"));
    }
    office.does("user/ana", changed(Some(2), None)).print().complete(Some(20));
    let document = office.document(&it());
    let rounds: Vec<u32> = document.submissions.iter().map(|one| one.round).collect();
    assert_eq!(rounds, [1, 2, 3, 4, 5]);
    assert!(document.reprints.iter().all(|one| one.by.as_deref() == Some("user/ana")));
    let none = office.by("user/bob", &it(), approved(&office));
    refuses(&none, "nothing like that is asked for");
}

#[test]
fn a_part_is_printed_again_and_a_part_that_is_not_there_is_not() {
    let mut office = Office::new();
    office.spool("report").print().complete(Some(10));
    let beyond = office.by("user/ana", &it(), requested("11"));
    refuses(&beyond, "the document has 10 pages only");
    office.does("user/ana", requested("9-"));
    assert_eq!(office.document(&it()).expected(), 2);
    office.submit();
}

#[test]
fn a_document_is_printed_again_a_hundred_times_at_most() {
    let mut office = Office::new();
    office.spool("report");
    for _ in 0..REPRINTS_MAX {
        office.print().complete(Some(10)).does("user/ana", requested("all"));
    }
    office.print().complete(Some(10));
    let mark = office.by("user/ana", &it(), requested("all"));
    refuses(&mark, "it was printed again too often");
    assert_eq!(office.document(&it()).submissions.len(), REPRINTS_MAX + 1);
}

#[test]
fn a_check_is_printed_again_when_somebody_else_agrees_and_its_number_is_void() {
    let mut office = printed_checks(10);
    office.does("user/ana", requested("3-4"));
    let again = office.by("user/bob", &it(), requested("all"));
    refuses(&again, "that is asked for already");
    let own = office.by("user/ana", &it(), approved(&office));
    refuses(&own, "nobody approves their own request");
    let anonymous = office.draft(&it(), approved(&office));
    refuses(&office.judge("console/c1", anonymous), "it does not say who does it");
    let first = "number 000103 is printed: void or spoil what is printed again first";
    refuses(&office.by("user/bob", &it(), approved(&office)), first);
    valid(&office.by("user/ana", &stock(), voided(103, 103)));
    let second = "number 000104 is printed: void or spoil what is printed again first";
    refuses(&office.by("user/bob", &it(), approved(&office)), second);
    valid(&office.by("user/ana", &stock(), voided(104, 104)));
    let other = PrintReprintApproved { form: None, ..approved(&office) };
    refuses(&office.by("user/bob", &it(), other), "it is printed on another form");
    let other = PrintReprintApproved { form: Some("bonus-checks".to_owned()), ..approved(&office) };
    refuses(&office.by("user/bob", &it(), other), "it is printed on another form");
    let other = PrintReprintApproved { request: 1, ..approved(&office) };
    refuses(&office.by("user/bob", &it(), other), "nothing like that is asked for");
    let agreed = approved(&office);
    office.does("user/bob", agreed);
    let document = office.document(&it());
    assert_eq!((document.round, document.state.word(), document.expected()), (2, "ready", 2));
    assert_eq!(document.reprints[0].by.as_deref(), Some("user/ana"));
    assert_eq!(document.reprints[0].approved_by.as_deref(), Some("user/bob"));
    office.print();
    let numbers = office.document(&it()).submission().unwrap().numbers.clone().unwrap();
    assert_eq!((numbers.first, numbers.last), (111, 112), "new numbers");
}

#[test]
fn what_somebody_agreed_to_is_what_is_printed() {
    let mut office = printed_checks(10);
    office.does("user/ana", requested("3"));
    valid(&office.by("user/ana", &stock(), voided(103, 103)));
    let agreed = approved(&office);
    office.does("user/bob", agreed);
    // Or nine checks that nobody voided would be printed again.
    for text in ["1-", "3-10", "4"] {
        let change = PrintChanged { pages: pages(text), ..changed(None, None) };
        let mark = office.by("user/ana", &it(), change);
        refuses(&mark, "somebody has agreed to these pages");
    }
    office.does("user/ana", changed(None, Some(5)));
}

#[test]
fn a_second_printing_begins_only_after_the_first_has_ended() {
    let mut office = Office::with_stock();
    office.spool("checks").bring("failed-unsent").does("user/ana", requested("all"));
    // Meanwhile it is let go, and is at the printer.
    office.does("user/eve", released(false)).print();
    valid(&office.by("user/ana", &stock(), voided(101, 110)));
    let agreed = approved(&office);
    let mark = office.by("user/bob", &it(), agreed);
    refuses(&mark, "it is printing, not printed, cancelled or failed");
}

#[test]
fn what_is_asked_for_can_be_declined_and_asked_for_again_unless_it_is_erased() {
    let mut office = printed_checks(10);
    office.does("user/ana", requested("3"));
    let declined = |request| PrintReprintDeclined { request, reason: why() };
    let number = approved(&office).request;
    refuses(&office.by("user/bob", &it(), declined(1)), "nothing like that is asked for");
    office.does("user/bob", declined(number)).does("user/bob", requested("3"));
    valid(&office.by("user/ana", &stock(), voided(103, 103)));
    office.says(PrintErased { reason: EraseReason::Lost });
    let mark = office.by("user/ana", &it(), approved(&office));
    refuses(&mark, "its content is erased");
}

#[test]
fn what_may_have_been_printed_is_void_before_it_is_printed_again() {
    let mut office = Office::with_stock();
    office.spool("checks").bring("failed").does("user/ana", requested("all"));
    let still =
        |n, fate| format!("number 000{n} is {fate}: void or spoil what is printed again first");
    refuses(&office.by("user/bob", &it(), approved(&office)), &still(101, "allocated"));
    valid(&office.host("h1", &stock(), printed(101, 102, "")));
    refuses(&office.by("user/bob", &it(), approved(&office)), &still(101, "printed"));
    valid(&office.by("user/ana", &stock(), voided(101, 102)));
    refuses(&office.by("user/bob", &it(), approved(&office)), &still(103, "allocated"));
    valid(&office.by("user/ana", &stock(), returned(103, 110)));
    let agreed = approved(&office);
    office.does("user/bob", agreed).submit();
    let numbers = office.document(&it()).submission().unwrap().numbers.clone().unwrap();
    assert_eq!((numbers.first, numbers.last), (103, 112));
}

/// A number that came back is another document's now: that one need not be void.
#[test]
fn a_number_that_came_back_and_was_used_by_another_document_is_that_ones() {
    let mut office = Office::with_stock();
    office.spool("checks").bring("failed").does("user/ana", requested("3-10"));
    valid(&office.by("user/ana", &stock(), returned(103, 110)));
    let mut second = office.spooled("checks");
    second.origin = Origin::Run { run: run_of("checks"), attempt: 1, number: 2, of: 2 };
    valid(&office.try_spool("h1", &document_no(2), second));
    valid(&office.host("h1", &stock(), office.allocated(&document_no(2))));
    let agreed = approved(&office);
    office.does("user/bob", agreed);
}

#[test]
fn a_host_that_submits_and_defers_without_end_makes_no_printing_forgotten() {
    let mut office = printed_checks(10);
    office.does("user/ana", requested("3"));
    valid(&office.by("user/ana", &stock(), voided(103, 103)));
    let agreed = approved(&office);
    office.does("user/bob", agreed);
    for _ in 0..30 {
        office.submit().says(PrintDeferred { reason: why() });
    }
    office.print().complete(Some(1)).does("user/ana", requested("5"));
    let mark = office.by("user/bob", &it(), approved(&office));
    refuses(&mark, "number 000105 is printed: void or spoil what is printed again first");
}

/// What became of old numbers is told together, without their documents' names: nothing is free to print for that.
#[test]
fn what_was_printed_long_ago_is_void_before_it_is_printed_again() {
    let mut office = printed_checks(10);
    office.does("user/ana", requested("3"));
    let mut form = office.form(CHECKS);
    for span in &mut form.spans {
        (span.document, span.round) = (None, 0);
    }
    let id = stock();
    let mut state = office.world.streams.get(&id).unwrap().clone();
    state.body = domain::ledger::Body::Form(Box::new(form));
    office.world.streams.put(id, state);
    let mark = office.by("user/bob", &it(), approved(&office));
    refuses(&mark, "number 000103 is printed: void or spoil what is printed again first");
    valid(&office.by("user/ana", &stock(), voided(103, 103)));
    let agreed = approved(&office);
    office.does("user/bob", agreed);
}

#[test]
fn a_code_is_given_again_for_each_printing() {
    for job in ["secret", "secret-checks"] {
        let mut office = Office::with_stock();
        office.spool(job).does("user/ana", released(true)).print().complete(Some(10));
        office.does("user/ana", requested("all"));
        if job == "secret-checks" {
            valid(&office.by("user/ana", &stock(), voided(101, 110)));
            let agreed = approved(&office);
            office.does("user/bob", agreed);
        }
        assert_eq!(office.document(&it()).state.word(), "held", "{job}");
        refuses(
            &office.by("user/ana", &it(), released(false)),
            "it is released by giving its code",
        );
        office.does("user/ana", released(true)).submit();
    }
}
