//! Numbered stock, as the recorder takes what is said of it.

use domain::event::{
    FormChecked, FormPrinted, FormRegisterRead, FormReturned, FormUnloaded, FormVoided,
    PrintChanged, PrintDeferred, PrintResolved, Spent,
};
use domain::print::stock::{Fate, NUMBER_MAX};

use super::states::changed;
use super::*;

const IT_HAS: &str = "not all of these numbers were given to it and wait for an answer";

/// What happens to it then.
type Then = fn(&mut Office);

pub(super) fn stock() -> StreamId {
    form_id(CHECKS)
}

pub(super) fn witnessed(office: &Office, first: u64, last: u64) -> FormWitnessed {
    let batch = office.form(CHECKS).batches.last().unwrap().number;
    FormWitnessed { batch, first, last }
}

pub(super) fn voided(first: u64, last: u64) -> FormVoided {
    FormVoided { first, last, how: Spent::Voided, reason: why() }
}

pub(super) fn printed(first: u64, last: u64, evidence: &str) -> FormPrinted {
    FormPrinted { document: it(), round: 1, first, last, evidence: evidence.to_owned() }
}

pub(super) fn returned(first: u64, last: u64) -> FormReturned {
    FormReturned { document: it(), round: 1, first, last, reason: why() }
}

fn checked(first: u64, last: u64) -> FormChecked {
    FormChecked { document: it(), round: 1, first, last }
}

fn fates(office: &Office, first: u64, last: u64) -> Vec<&'static str> {
    let form = office.form(CHECKS);
    (first..=last).map(|n| form.fate(n).map_or("free", |span| span.fate.word())).collect()
}

#[test]
fn stock_is_loaded_where_nothing_is_and_seen_by_somebody_else() {
    let mut office = Office::new();
    for (first, last, why) in [
        (0, 9, "numbers go from one to another"),
        (9, 8, "numbers go from one to another"),
        (1, NUMBER_MAX + 1, "numbers go from one to another"),
        (1, 1_000_001, "at most a million numbers at once"),
    ] {
        refuses(&office.load("user/cyd", first, last), why);
    }
    let anonymous = office.draft(&stock(), FormLoaded { first: 1, last: 2, note: String::new() });
    refuses(&office.judge("console/c1", anonymous), "it does not say who does it");
    valid(&office.load("user/cyd", 101, 200));
    assert_eq!(office.form(CHECKS).left(), [], "nobody else has seen it");
    for (first, last, why) in [
        (200, 300, "000200 to 000200 are loaded already"),
        (1, 101, "000101 to 000101 are loaded already"),
        (150, 160, "000150 to 000160 are loaded already"),
    ] {
        refuses(&office.load("user/dan", first, last), why);
    }
    let own = office.by("user/cyd", &stock(), witnessed(&office, 101, 200));
    refuses(&own, "somebody else sees it than loaded it");
    let wrong = office.by("user/dan", &stock(), witnessed(&office, 101, 199));
    refuses(
        &wrong,
        "these are not the numbers that were said when it was loaded: take it out and load it again",
    );
    let none = FormWitnessed { batch: 99, first: 101, last: 200 };
    refuses(&office.by("user/dan", &stock(), none), "there is no such stock");
    valid(&office.by("user/dan", &stock(), witnessed(&office, 101, 200)));
    let again = office.by("user/eve", &stock(), witnessed(&office, 101, 200));
    refuses(&again, "it is witnessed, or taken out, already");
    assert_eq!(office.form(CHECKS).left(), [(101, 200)]);
}

#[test]
fn where_the_site_lets_one_person_approve_their_own_one_person_loads_and_sees() {
    let mut office = Office::new();
    let policy = domain::event::LogPolicySet { self_approval: true, reason: why() };
    valid(&office.by("user/ana", &StreamId::log("main"), policy));
    valid(&office.load("user/cyd", 101, 200));
    valid(&office.by("user/cyd", &stock(), witnessed(&office, 101, 200)));
}

#[test]
fn what_was_taken_out_comes_back_as_far_as_it_was_not_used() {
    let mut office = Office::with_stock();
    office.spool("checks").print().complete(Some(10));
    let batch = office.form(CHECKS).batches[0].number;
    let out = || FormUnloaded { batch, reason: why() };
    valid(&office.by("user/ana", &stock(), out()));
    refuses(&office.by("user/ana", &stock(), out()), "it is taken out already");
    assert_eq!(office.form(CHECKS).left(), []);
    refuses(&office.load("user/ana", 110, 200), "000110 is allocated already");
    valid(&office.load("user/eve", 111, 200));
    valid(&office.by("user/dan", &stock(), witnessed(&office, 111, 200)));
    assert_eq!(office.form(CHECKS).next(90), Ok((111, 200)));
    // Who loaded it last is who loaded it.
    assert_eq!(office.form(CHECKS).batch_of(150).unwrap().by.as_deref(), Some("user/eve"));
}

#[test]
fn a_printing_is_given_exactly_the_next_numbers_and_once() {
    let mut office = Office::with_stock();
    office.spool("checks");
    let right = office.allocated(&it());
    assert_eq!((right.first, right.last), (101, 110));
    let mut wrong: Vec<(FormAllocated, &str)> = Vec::new();
    for (first, last) in [(101, 109), (101, 111), (102, 111), (100, 109), (110, 101)] {
        wrong.push((
            FormAllocated { first, last, ..right.clone() },
            "these are not the next numbers",
        ));
    }
    wrong.push((FormAllocated { round: 2, ..right.clone() }, "that is not its printing"));
    let nobody = FormAllocated { document: document_no(9), ..right };
    wrong.push((nobody, "there is no such document"));
    for (event, why) in wrong {
        refuses(&office.host("h1", &stock(), event), why);
    }
    refuses(&office.host("h2", &stock(), right.clone()), "another host has the document");
    let other = office.host("h1", &form_id("bonus-checks"), right.clone());
    refuses(&other, "it is printed on another form");
    valid(&office.host("h1", &stock(), right.clone()));
    refuses(&office.host("h1", &stock(), right.clone()), "it has numbers already");
    let mut held = office.clone();
    held.does("user/ana", super::held());
    let mark = held.host("h1", &stock(), right);
    refuses(&mark, "the document is held, not ready");
}

#[test]
fn a_printing_goes_on_in_the_next_batch_where_its_numbers_go_on() {
    let with = |batches: &[(u64, u64)]| {
        let mut office = Office::new();
        for (first, last) in batches {
            valid(&office.load("user/cyd", *first, *last));
            valid(&office.by("user/dan", &stock(), witnessed(&office, *first, *last)));
        }
        office.form(CHECKS)
    };
    let left = |n| format!("{n} sheets are left, 10 are needed: load stock, or print fewer pages");
    assert_eq!(
        with(&[]).next(1),
        Err("no stock is loaded that a second person has seen".to_owned())
    );
    assert_eq!(with(&[(1, 9)]).next(10), Err(left(9)));
    assert_eq!(with(&[(1, 9), (10, 20)]).next(10), Ok((1, 10)));
    assert_eq!(with(&[(1, 9), (11, 20)]).next(10), Err(left(9)));
    assert_eq!(with(&[(1, 3), (4, 6), (7, 9), (10, 10)]).next(10), Ok((1, 10)));
    assert_eq!(with(&[(50, 59), (1, 9)]).next(10), Ok((50, 59)), "what was loaded first");
}

#[test]
fn the_next_sheet_after_the_end_of_a_batch_is_the_first_of_the_next() {
    let mut office = Office::new();
    for (first, last) in [(1, 14), (15, 40)] {
        valid(&office.load("user/cyd", first, last));
        valid(&office.by("user/dan", &stock(), witnessed(&office, first, last)));
    }
    office.spool("checks").print().complete(Some(10));
    let mut second = office.spooled("checks");
    second.origin = Origin::Run { run: run_of("checks"), attempt: 1, number: 2, of: 2 };
    valid(&office.try_spool("h1", &document_no(2), second));
    let next = office.allocated(&document_no(2));
    assert_eq!((next.first, next.last), (11, 20));
    valid(&office.host("h1", &stock(), next));
    assert_eq!(office.form(CHECKS).left(), [(21, 40)]);
}

#[test]
fn a_form_is_submitted_with_a_number_for_each_of_its_pages_from_what_lies_in_the_tray() {
    let mut office = Office::with_stock();
    office.spool("checks");
    let said = "the numbers it is printed on are said otherwise";
    let given = "these numbers were not given to it, or are used";
    refuses(&office.host("h1", &it(), office.submitted(&it())), said);
    let numbers = |first, last| Some(Numbers { form: CHECKS.to_owned(), first, last });
    let not_given = PrintSubmitted { numbers: numbers(101, 110), ..office.submitted(&it()) };
    refuses(&office.host("h1", &it(), not_given), given);
    valid(&office.host("h1", &stock(), office.allocated(&it())));
    for (first, last) in [(101, 109), (102, 110), (111, 120), (110, 101)] {
        let event = PrintSubmitted { numbers: numbers(first, last), ..office.submitted(&it()) };
        refuses(&office.host("h1", &it(), event), given);
    }
    let other = Numbers { form: "bonus-checks".to_owned(), first: 101, last: 110 };
    let other = PrintSubmitted { numbers: Some(other), ..office.submitted(&it()) };
    refuses(&office.host("h1", &it(), other), said);
    // After it was given numbers, fewer or more of its pages are wanted.
    for pages in ["1-3", "1-9"] {
        let mut office = office.clone();
        let pages = Some(vec![pages.parse().unwrap()]);
        office.does("user/ana", PrintChanged { pages, ..changed(None, None) });
        let mark = office.host("h1", &it(), office.submitted(&it()));
        refuses(&mark, "there is not one number for each of its pages");
        office.does("user/ana", held());
        valid(&office.by("user/ana", &stock(), returned(101, 110)));
        office.does("user/ana", released(false)).submit();
    }
    let mut out = office.clone();
    let batch = out.form(CHECKS).batches[0].number;
    valid(&out.by("user/ana", &stock(), FormUnloaded { batch, reason: why() }));
    let mark = out.host("h1", &it(), out.submitted(&it()));
    refuses(&mark, "the stock was taken out: give the numbers back first");
    let mut spoiled = office.clone();
    valid(&spoiled.by("user/ana", &stock(), voided(105, 105)));
    refuses(&spoiled.host("h1", &it(), spoiled.submitted(&it())), given);
    office.submit();
    let pages = Some(vec!["1".parse().unwrap()]);
    office.says(PrintDeferred { reason: why() });
    let change = PrintChanged { pages, ..changed(None, None) };
    let mark = office.by("user/ana", &it(), change);
    refuses(&mark, "numbers were given for these pages already");
}

#[test]
fn no_form_goes_through_a_server_that_counts_what_it_sends() {
    let build = || {
        let mut site = site();
        site.request("checks@request-1").until("00:01").start("checks@request-1");
        site
    };
    let mut site = build();
    site.apply(json!({
        "kind": "queue", "name": "checks", "printer": "ipp://checks.example/ipp/print",
        "transport": "server",
    }));
    let mut office = Office::of(site);
    let spooled = office.spooled("checks");
    let mark = office.try_spool("h1", &it(), spooled);
    refuses(&mark, "a form goes straight to a printer that counts");
}

#[test]
fn numbers_are_printed_as_the_printer_counted_or_as_somebody_saw() {
    let mut office = Office::with_stock();
    office.spool("checks");
    valid(&office.host("h1", &stock(), office.allocated(&it())));
    let early = office.host("h1", &stock(), printed(101, 110, ""));
    refuses(&early, "that printing never went to a printer");
    office.print();
    let person = office.by("user/ana", &stock(), printed(101, 110, "seen"));
    refuses(&person, "it is at the printer: wait for its host");
    office.says(failed(true, Some(2)));
    refuses(&office.host("h2", &stock(), printed(101, 102, "")), "another host has the document");
    refuses(&office.by("user/ana", &stock(), printed(101, 102, " ")), "say how it is known");
    for (first, last) in [(100, 102), (109, 111), (150, 150)] {
        refuses(&office.host("h1", &stock(), printed(first, last, "")), IT_HAS);
    }
    let other = FormPrinted { round: 2, ..printed(101, 102, "") };
    refuses(&office.host("h1", &stock(), other), IT_HAS);
    valid(&office.host("h1", &stock(), printed(101, 102, "")));
    refuses(&office.host("h1", &stock(), printed(102, 103, "")), IT_HAS);
    valid(&office.by("user/ana", &stock(), printed(103, 103, "it hangs out of the tray")));
    assert_eq!(fates(&office, 101, 104), ["printed", "printed", "printed", "allocated"]);
}

#[test]
fn a_number_that_does_not_count_never_counts_again() {
    let mut office = Office::with_stock();
    office.spool("checks").print().complete(Some(10));
    valid(&office.host("h1", &stock(), printed(101, 110, "")));
    for (first, last) in [(0, 5), (9, 8)] {
        let mark = office.by("user/ana", &stock(), voided(first, last));
        refuses(&mark, "numbers go from one to another");
    }
    let mark = office.by("user/ana", &stock(), voided(200, 201));
    refuses(&mark, "not all of these numbers were ever loaded");
    valid(&office.by("user/ana", &stock(), voided(103, 104)));
    let spoiled = FormVoided { how: Spent::Spoiled, ..voided(104, 112) };
    let mark = office.by("user/ana", &stock(), spoiled);
    refuses(&mark, "one of them does not count already");
    valid(&office.by("user/ana", &stock(), FormVoided { how: Spent::Spoiled, ..voided(105, 112) }));
    refuses(&office.by("user/ana", &stock(), returned(103, 110)), IT_HAS);
    refuses(&office.host("h1", &stock(), printed(105, 105, "")), IT_HAS);
    assert_eq!(fates(&office, 102, 113)[..4], ["printed", "voided", "voided", "spoiled"]);
    assert_eq!(fates(&office, 111, 113), ["spoiled", "spoiled", "free"]);
    let of_it = office.form(CHECKS).of_printing(&it(), 1).len();
    assert_eq!(of_it, 3, "whose they were is kept: printed, voided and spoiled");
}

#[test]
fn sheets_come_back_only_where_nothing_can_have_been_printed_on_them() {
    let counted = "the printer counted a page on one of them";
    let nobody = "nobody counted what was printed: say of each number what became of it";
    let resolve = |office: &mut Office, impressions| {
        let evidence = "seen".to_owned();
        office.does("user/ana", PrintResolved { impressions, evidence });
    };
    let table: Vec<(&str, Then, u64, Result<(), &str>)> = vec![
        ("held", |_| {}, 101, Ok(())),
        ("cancelled", |_| {}, 101, Ok(())),
        ("failed-unsent", |_| {}, 101, Ok(())),
        ("ready", |_| {}, 101, Err("it is at the printer, or waits for it")),
        ("releasing", |_| {}, 101, Err("it is at the printer, or waits for it")),
        ("printing", |_| {}, 110, Err("it is at the printer, or waits for it")),
        ("stopped", |_| {}, 110, Err("it is at the printer, or waits for it")),
        ("unknown", |_| {}, 110, Err("nobody knows what was printed: resolve that first")),
        ("printed", |_| {}, 110, Err(counted)),
        ("failed", |_| {}, 103, Ok(())),
        ("failed", |_| {}, 102, Err(counted)),
        ("cancelled-at-printer", |_| {}, 103, Ok(())),
        ("cancelled-at-printer", |_| {}, 102, Err(counted)),
        (
            "printing",
            |o| {
                o.says(failed(true, None));
            },
            110,
            Err(nobody),
        ),
        (
            "printing",
            |o| {
                o.says(cancelled(None));
            },
            110,
            Err(nobody),
        ),
        (
            "printing",
            |o| {
                o.complete(None);
            },
            110,
            Err(nobody),
        ),
        (
            "printing",
            |o| {
                o.complete(Some(7));
            },
            108,
            Ok(()),
        ),
        (
            "printing",
            |o| {
                o.complete(Some(7));
            },
            107,
            Err(counted),
        ),
        (
            "printing",
            |o| {
                o.says(failed(false, None));
            },
            101,
            Ok(()),
        ),
        (
            "releasing",
            |o| {
                o.says(cancelled(None));
            },
            101,
            Ok(()),
        ),
    ];
    for (state, then, first, wanted) in table {
        let mut office = Office::with_stock();
        office.spool("checks");
        valid(&office.host("h1", &stock(), office.allocated(&it())));
        office.bring(state);
        then(&mut office);
        let mark = office.by("user/ana", &stock(), returned(first, 110));
        match wanted {
            Err(why) => assert_eq!(refused(&mark), why, "{state} {first}"),
            Ok(()) => {
                assert_eq!(mark, Mark::Valid, "{state} {first}");
                assert_eq!(office.form(CHECKS).left(), [(first, 200)], "{state}");
            }
        }
    }
    for (impressions, first, wanted) in [(0, 101, true), (4, 105, true), (4, 104, false)] {
        let mut office = Office::with_stock();
        office.spool("checks").bring("unknown");
        resolve(&mut office, impressions);
        let mark = office.by("user/ana", &stock(), returned(first, 110));
        assert_eq!(mark == Mark::Valid, wanted, "{impressions} {first}");
    }
}

#[test]
fn sheets_come_back_from_the_end_and_not_from_below_what_is_used() {
    let above = "numbers above them are used already: those below are spoiled, or gone";
    let mut office = Office::with_stock();
    office.spool("checks").bring("failed");
    refuses(&office.by("user/ana", &stock(), returned(103, 109)), above);
    let other = FormReturned { round: 2, ..returned(103, 110) };
    refuses(&office.by("user/ana", &stock(), other), IT_HAS);
    let mut second = office.clone();
    let mut spooled = second.spooled("checks");
    spooled.origin = Origin::Run { run: run_of("checks"), attempt: 1, number: 2, of: 2 };
    valid(&second.try_spool("h1", &document_no(2), spooled));
    valid(&second.host("h1", &stock(), second.allocated(&document_no(2))));
    refuses(&second.by("user/ana", &stock(), returned(103, 110)), above);
    valid(&office.by("user/ana", &stock(), returned(109, 110)));
    valid(&office.by("user/ana", &stock(), returned(105, 108)));
    assert_eq!(office.form(CHECKS).next(3), Ok((105, 107)));
    // What lies in two batches: those of the second come first.
    let mut office = Office::new();
    for (first, last) in [(1, 5), (6, 40)] {
        valid(&office.load("user/cyd", first, last));
        valid(&office.by("user/dan", &stock(), witnessed(&office, first, last)));
    }
    office.spool("checks").bring("failed");
    refuses(&office.by("user/ana", &stock(), returned(3, 5)), above);
    valid(&office.by("user/ana", &stock(), returned(3, 10)));
    assert_eq!(office.form(CHECKS).left(), [(3, 5), (6, 40)]);
}

#[test]
fn first_and_last_number_are_read_after_printing_by_somebody_who_did_neither() {
    let mut office = Office::with_stock();
    office.spool("checks").does("user/ana", held()).does("user/bob", released(false)).submit();
    let loaded = "somebody else reads the numbers than loaded the stock";
    let let_go = "somebody else reads the numbers than released the document";
    refuses(&office.by("user/eve", &stock(), checked(101, 110)), "it is not printed yet");
    office.says(accepted()).complete(Some(10));
    refuses(&office.by("user/cyd", &stock(), checked(101, 110)), loaded);
    refuses(&office.by("user/bob", &stock(), checked(101, 110)), let_go);
    let none = FormChecked { round: 2, ..checked(101, 110) };
    refuses(&office.by("user/eve", &stock(), none), "that printing has no numbers");
    valid(&office.by("user/eve", &stock(), checked(101, 110)));
    valid(&office.by("user/eve", &stock(), checked(102, 110)));
    let agrees: Vec<bool> = office.form(CHECKS).checks.iter().map(|one| one.agrees).collect();
    assert_eq!(agrees, [true, false], "what they read is written down as they read it");
}

#[test]
fn of_sheets_from_two_batches_neither_loader_reads_the_numbers() {
    let mut office = Office::new();
    for (who, first, last) in [("user/cyd", 1, 5), ("user/fay", 6, 40)] {
        valid(&office.load(who, first, last));
        valid(&office.by("user/dan", &stock(), witnessed(&office, first, last)));
    }
    office.spool("checks").print().complete(Some(10));
    for (who, wanted) in [("user/cyd", false), ("user/fay", false), ("user/dan", true)] {
        let mark = office.by(who, &stock(), checked(1, 10));
        assert_eq!(mark == Mark::Valid, wanted, "{who}");
    }
}

#[test]
fn numbers_of_which_nothing_was_said_below_one_that_was_used_are_gaps() {
    let mut office = Office::with_stock();
    assert_eq!(office.form(CHECKS).gaps(), []);
    valid(&office.by("user/ana", &stock(), voided(104, 105)));
    valid(&office.by("user/ana", &stock(), voided(108, 108)));
    let form = office.form(CHECKS);
    assert_eq!(form.gaps(), [(101, 103), (106, 107)]);
    assert_eq!(form.left(), [(109, 200)]);
    valid(&office.by("user/ana", &stock(), voided(101, 103)));
    valid(&office.by("user/ana", &stock(), voided(106, 107)));
    assert_eq!(office.form(CHECKS).gaps(), []);
}

#[test]
fn a_gap_is_told_once_where_stock_was_taken_out_and_came_back() {
    let mut office = Office::with_stock();
    let batch = office.form(CHECKS).batches[0].number;
    valid(&office.by("user/ana", &stock(), FormUnloaded { batch, reason: why() }));
    for (first, last) in [(101, 120), (131, 200)] {
        valid(&office.load("user/cyd", first, last));
        valid(&office.by("user/dan", &stock(), witnessed(&office, first, last)));
    }
    valid(&office.by("user/ana", &stock(), voided(105, 105)));
    valid(&office.by("user/ana", &stock(), voided(140, 140)));
    let form = office.form(CHECKS);
    assert_eq!(form.gaps(), [(101, 104), (121, 139)], "what lies in the tray is no gap");
    assert_eq!(form.left(), [(106, 120), (141, 200)]);
}

#[test]
fn who_reads_payees_and_amounts_has_a_name_and_changes_nothing() {
    let mut office = Office::with_stock();
    let read = |first, last| FormRegisterRead { first, last, reason: why() };
    let before = office.form(CHECKS);
    valid(&office.by("user/ana", &stock(), read(1, 5)));
    refuses(&office.by("user/ana", &stock(), read(5, 1)), "numbers go from one to another");
    let anonymous = office.draft(&stock(), read(1, 5));
    refuses(&office.judge("console/c1", anonymous), "it does not say who does it");
    assert_eq!(office.form(CHECKS), before);
}

#[test]
fn nothing_is_said_of_a_form_that_is_not_there() {
    let mut office = Office::new();
    let nowhere = form_id("nowhere");
    let loaded = FormLoaded { first: 1, last: 2, note: String::new() };
    refuses(&office.by("user/ana", &nowhere, loaded), "there is no such form");
    refuses(&office.by("user/ana", &nowhere, voided(1, 2)), "there is no such form");
    assert_eq!(Fate::from(Spent::Spoiled), Fate::Spoiled);
}

#[test]
fn a_check_that_waits_goes_where_its_stock_lies_however_queues_and_forms_are_defined_anew() {
    let mut office = Office::with_stock();
    office.spool("checks");
    valid(&office.host("h1", &stock(), office.allocated(&it())));
    let mut served = office.clone();
    served.define(
        ThingKind::Queue,
        &json!({
            "kind": "queue", "name": "checks", "printer": "ipp://checks.example/ipp/print",
            "transport": "server",
        }),
    );
    let mark = served.host("h1", &it(), served.submitted(&it()));
    refuses(&mark, "a form goes straight to a printer that counts");
    office.define(
        ThingKind::Form,
        &json!({
            "kind": "form", "name": CHECKS, "account": "payroll", "queue": "upstairs",
        }),
    );
    let mark = office.host("h1", &it(), office.submitted(&it()));
    refuses(&mark, "the form lies in the tray of another queue's printer");
}

#[test]
fn what_somebody_wants_cancelled_is_given_no_numbers() {
    let mut office = Office::with_stock();
    office.spool("checks");
    valid(&office.host("h1", &stock(), office.allocated(&it())));
    office.submit().does("user/ana", cancel_requested()).says(PrintDeferred { reason: why() });
    office.does("user/ana", held());
    valid(&office.by("user/ana", &stock(), returned(101, 110)));
    office.does("user/ana", released(false));
    let mark = office.host("h1", &stock(), office.allocated(&it()));
    refuses(&mark, "somebody wants it cancelled");
}

#[test]
fn nothing_is_loaded_for_a_form_that_is_retired() {
    let mut office = Office::with_stock();
    let act = ThingAct::Retired(domain::event::ThingRetired { reason: why() });
    valid(&office.by("user/ana", &stock(), ThingEvent { of: ThingKind::Form, act }));
    refuses(&office.load("user/cyd", 300, 400), "the form is not active");
}
