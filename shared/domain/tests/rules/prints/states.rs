//! The specification of what may be said of a document, and when.

use domain::event::{
    EraseReason, Event, Means, PrintChanged, PrintCodeRefused, PrintContinued, PrintDeferred,
    PrintDelivered, PrintDeliveryFailed, PrintDeliveryRetried, PrintErased, PrintMoved, PrintRead,
    PrintReprintApproved, PrintReprintDeclined, PrintReprintRequested, PrintResolved, PrintRetried,
    ReadWhat,
};
use domain::ledger::Mark;

use super::*;

/// Each event, who says it (`h1`, or a person), and the states of a plain document in which it is taken.
const ACCEPTED: &[(&str, &str, &str)] = &[
    ("spooled", "h1", ""),
    ("held", "ana", "ready"),
    ("released", "ana", "held failed-unsent"),
    // It has no code.
    ("code-refused", "h1", ""),
    ("moved", "ana", "ready held"),
    ("changed", "ana", "ready held"),
    (
        "kept",
        "ana",
        "ready held releasing printing stopped printed cancelled cancelled-by-host cancelled-at-printer failed-unsent failed \
         unknown electronic",
    ),
    ("cancel-requested", "ana", "releasing printing stopped"),
    ("cancelled", "ana", "ready held"),
    ("cancelled", "h1", "ready releasing printing stopped"),
    ("submitted", "h1", "ready"),
    ("deferred", "h1", "releasing"),
    ("accepted", "h1", "releasing"),
    ("stopped", "h1", "printing stopped"),
    ("continued", "h1", "stopped"),
    ("completed", "h1", "printing stopped"),
    ("failed", "h1", "releasing printing stopped"),
    ("failed-unsent", "h1", "releasing printing stopped"),
    ("unknown", "h1", "releasing printing stopped"),
    ("resolved", "ana", "unknown"),
    ("retried", "h1", "cancelled-by-host failed-unsent"),
    (
        "reprint-requested",
        "ana",
        "printed cancelled cancelled-by-host cancelled-at-printer failed-unsent failed",
    ),
    // What is no form is printed again at once.
    ("reprint-approved", "bob", ""),
    ("reprint-declined", "bob", ""),
    (
        "read",
        "ana",
        "ready held releasing printing stopped printed cancelled cancelled-by-host cancelled-at-printer failed-unsent failed \
         unknown electronic erased",
    ),
    (
        "lost",
        "h1",
        "ready held printed cancelled cancelled-by-host cancelled-at-printer failed-unsent failed unknown electronic",
    ),
    // It was kept for no time yet.
    ("erased", "h1", ""),
    (
        "delivered",
        "h1",
        "ready held releasing printing stopped printed cancelled cancelled-by-host cancelled-at-printer failed-unsent failed \
         unknown electronic erased",
    ),
    (
        "delivery-failed",
        "h1",
        "ready held releasing printing stopped printed cancelled cancelled-by-host cancelled-at-printer failed-unsent failed \
         unknown electronic erased",
    ),
    ("delivery-retried", "ana", ""),
];

fn event(office: &Office, word: &str) -> Event {
    let reason = why;
    match word {
        "spooled" => office.spooled("mixed").into(),
        "held" => held().into(),
        "released" => released(false).into(),
        "code-refused" => PrintCodeRefused { times: 1 }.into(),
        "moved" => PrintMoved {
            queue: "upstairs".to_owned(),
            definition: office.queue_reference("upstairs"),
            reason: reason(),
        }
        .into(),
        "changed" => changed(Some(2), None).into(),
        "kept" => changed(None, Some(1_000)).into(),
        "cancel-requested" => cancel_requested().into(),
        "cancelled" => cancelled(None).into(),
        "submitted" => office.submitted(&it()).into(),
        "deferred" => PrintDeferred { reason: reason() }.into(),
        "accepted" => accepted().into(),
        "stopped" => stopped().into(),
        "continued" => PrintContinued {}.into(),
        "completed" => office.completed(Some(10)).into(),
        "failed" => failed(true, Some(1)).into(),
        "failed-unsent" => failed(false, None).into(),
        "unknown" => unknown().into(),
        "resolved" => PrintResolved { impressions: 2, evidence: "two sheets".to_owned() }.into(),
        "retried" => {
            let job = office.document(&it()).run().unwrap().run_job().unwrap().to_owned();
            PrintRetried { run: run_of(&job), attempt: 1 }.into()
        }
        "reprint-requested" => PrintReprintRequested { pages: None, reason: reason() }.into(),
        "reprint-approved" => {
            let form = office.document(&it()).spooled.form;
            PrintReprintApproved { request: 1, form, reason: reason() }.into()
        }
        "reprint-declined" => PrintReprintDeclined { request: 1, reason: reason() }.into(),
        "read" => PrintRead { what: ReadWhat::Content, reason: reason() }.into(),
        "lost" => PrintErased { reason: EraseReason::Lost }.into(),
        "erased" => PrintErased { reason: EraseReason::Kept }.into(),
        "delivered" => delivered(1).into(),
        "delivery-failed" => undelivered(1).into(),
        "delivery-retried" => PrintDeliveryRetried { deliveries: vec![1], reason: reason() }.into(),
        other => panic!("{other}"),
    }
}

pub(super) fn changed(copies: Option<u16>, keep_ms: Option<u64>) -> PrintChanged {
    PrintChanged { priority: None, copies, pages: None, keep_ms, reason: why() }
}

pub(crate) fn delivered(delivery: u32) -> PrintDelivered {
    PrintDelivered {
        delivery,
        means: Means::Directory,
        pages: None,
        tries: 1,
        fingerprint: Digest::of(b"part"),
        receipt: String::new(),
    }
}

pub(crate) fn undelivered(delivery: u32) -> PrintDeliveryFailed {
    PrintDeliveryFailed {
        delivery,
        means: Means::Directory,
        pages: None,
        tries: 1,
        reason: why(),
        unknown: false,
    }
}

fn say(office: &mut Office, who: &str, event: Event) -> Mark {
    match who {
        "h1" | "h2" => office.host(who, &it(), event),
        person => office.by(&format!("user/{person}"), &it(), event),
    }
}

/// A document of `job` in a state.
fn brought(job: &str, state: &str) -> Office {
    let mut office = Office::with_stock();
    office.spool(if state == "electronic" { "letters" } else { job });
    if office.document(&it()).state.word() == "held" && state != "held" {
        office.does("user/ana", released(true));
    }
    if !(state == "held" && office.document(&it()).state.word() == "held") {
        office.bring(state);
    }
    office
}

#[test]
fn in_each_state_exactly_what_the_table_says_is_taken() {
    for state in STATES {
        let office = brought("mixed", state);
        for (word, who, states) in ACCEPTED {
            let mut office = office.clone();
            let event = event(&office, word);
            let mark = say(&mut office, who, event);
            let wanted = states.split_whitespace().any(|one| one == state);
            assert_eq!(mark == Mark::Valid, wanted, "{word} by {who} while {state}: {mark:?}");
        }
    }
}

#[test]
fn every_kind_of_print_event_stands_in_the_table() {
    let office = brought("mixed", "ready");
    let written: std::collections::BTreeSet<&str> =
        ACCEPTED.iter().map(|(word, _, _)| event(&office, word).kind()).collect();
    let known: std::collections::BTreeSet<&str> =
        Event::kinds().map(|(kind, _)| kind).filter(|kind| kind.starts_with("print.")).collect();
    assert_eq!(written, known);
}

#[test]
fn another_host_says_nothing_of_a_document_and_nobody_does_so_without_a_name() {
    for state in STATES {
        let office = brought("mixed", state);
        for (word, who, _) in ACCEPTED {
            let mut office = office.clone();
            let event = event(&office, word);
            if *who == "h1" && *word != "spooled" {
                refuses(&office.host("h2", &it(), event), "another host has it");
            } else if *who != "h1" {
                let draft = office.draft(&it(), event);
                refuses(&office.judge("console/c1", draft), "it does not say who does it");
            }
        }
    }
}

#[test]
fn what_is_said_of_a_document_that_is_not_there_is_refused() {
    let ready = brought("mixed", "ready");
    for (word, who, _) in ACCEPTED.iter().filter(|(word, _, _)| *word != "spooled") {
        let mut office = Office::new();
        refuses(&say(&mut office, who, event(&ready, word)), "there is no such document");
    }
}

/// What differs for a check: no retry prints it, nobody moves it, and its reprint is asked for.
#[test]
fn a_form_is_never_retried_nor_moved_and_a_reprint_waits_for_somebody_else() {
    for state in STATES.into_iter().filter(|state| *state != "electronic") {
        let office = brought("checks", state);
        for (word, who, states) in ACCEPTED.iter().filter(|(word, _, _)| !word.contains("deliver"))
        {
            let mut office = office.clone();
            let mut event = event(&office, word);
            if *word == "changed" {
                event = PrintChanged {
                    pages: Some(vec!["1-3".parse().unwrap()]),
                    ..changed(None, None)
                }
                .into();
            }
            // It has numbers before it is submitted.
            if *word == "submitted" && state == "ready" {
                let allocated = office.allocated(&it());
                valid(&office.host("h1", &form_id(CHECKS), allocated));
                event = office.submitted(&it()).into();
            }
            let before = office.document(&it());
            let mark = say(&mut office, who, event);
            let never = matches!(*word, "retried" | "moved");
            let wanted = !never && states.split_whitespace().any(|one| one == state);
            assert_eq!(mark == Mark::Valid, wanted, "{word} by {who} while {state}: {mark:?}");
            if *word == "reprint-requested" && wanted {
                let after = office.document(&it());
                assert_eq!((after.round, &after.state), (1, &before.state));
                assert!(after.request.is_some());
            }
        }
    }
}

/// Secure release: nothing but the code lets it go, whatever happened to it before.
#[test]
fn what_has_a_code_becomes_ready_by_its_code_alone() {
    for state in STATES.into_iter().filter(|state| *state != "electronic") {
        let office = brought("secret", state);
        let was_ready = office.document(&it()).state.word() == "ready";
        for (word, who, _) in ACCEPTED.iter().filter(|(word, _, _)| *word != "deferred") {
            let mut office = office.clone();
            let event = event(&office, word);
            let mark = say(&mut office, who, event);
            let ready = office.document(&it()).state.word() == "ready";
            let why = format!("{word} by {who} while {state}: {mark:?}");
            assert!(!ready || was_ready, "{why}");
            if *word == "released" {
                refuses(&mark, "it is released by giving its code");
            }
        }
    }
    let mut office = Office::new();
    office.spool("secret").does("user/ana", released(true)).submit();
}
