//! Holds, codes, moves, changes, cancelling, submitting, deliveries, erasing; and queues that are held.

use domain::event::{
    EraseReason, PrintChanged, PrintCodeRefused, PrintDeferred, PrintDeliveryRetried, PrintErased,
    PrintMoved, PrintReprintRequested, PrintResolved, PrintRetried, PrintSubmitted, QueueContinued,
    QueueHeld, QueueReleased, QueueStopped,
};
use domain::print::State;

use super::states::{changed, delivered, undelivered};
use super::*;

/// A hundred years.
const CENTURY_MS: u64 = 100 * 366 * 86_400_000;

/// Makes a submission one that is refused.
type Wrong = fn(&mut PrintSubmitted);

fn moved(office: &Office, queue: &str) -> PrintMoved {
    let definition = office.queue_reference(queue);
    PrintMoved { queue: queue.to_owned(), definition, reason: why() }
}

#[test]
fn wrong_codes_are_counted_one_by_one_while_it_waits_and_only_where_there_is_a_code() {
    let mut office = Office::new();
    office.spool("secret");
    refuses(&office.host("h1", &it(), PrintCodeRefused { times: 2 }), "it is counted otherwise");
    office.says(PrintCodeRefused { times: 1 }).says(PrintCodeRefused { times: 2 });
    assert_eq!(office.document(&it()).wrong_codes, 2);
    office.does("user/ana", released(true));
    refuses(&office.host("h1", &it(), PrintCodeRefused { times: 3 }), "it is ready, not held");
    let mut office = Office::new();
    office.spool("asked");
    refuses(&office.host("h1", &it(), PrintCodeRefused { times: 1 }), "it has no code");
}

#[test]
fn a_wrong_control_total_does_not_take_the_place_of_a_code() {
    let mut office = Office::new();
    let mut spooled = office.spooled("secret-totals");
    spooled.control.as_mut().unwrap().found = 9;
    valid(&office.try_spool("h1", &it(), spooled));
    assert_eq!(office.document(&it()).state.word(), "held");
    let without = office.by("user/ana", &it(), released(false));
    refuses(&without, "it is released by giving its code");
    office.does("user/ana", released(true));
    let mut office = Office::new();
    let mut spooled = office.spooled("totals");
    spooled.control.as_mut().unwrap().found = 9;
    valid(&office.try_spool("h1", &it(), spooled));
    refuses(&office.host("h1", &it(), office.submitted(&it())), "it is held, not ready");
    office.does("user/ana", released(false)).submit();
    assert_eq!(office.document(&it()).released_by.as_deref(), Some("user/ana"));
}

#[test]
fn what_was_released_by_its_code_and_is_held_again_waits_for_its_code_again() {
    let mut office = Office::new();
    office.spool("secret").does("user/ana", released(true)).does("user/eve", held());
    let without = office.by("user/eve", &it(), released(false));
    refuses(&without, "it is released by giving its code");
}

#[test]
fn a_host_lets_nothing_go_that_a_person_holds_by_cancelling_and_trying_again() {
    for job in ["secret", "asked"] {
        let mut office = Office::new();
        office.spool(job);
        let mark = office.host("h1", &it(), cancelled(None));
        refuses(&mark, "a person holds it: a person cancels it");
        // Of what is lost it can say so.
        office.says(PrintErased { reason: EraseReason::Lost }).says(cancelled(None));
        let retried = PrintRetried { run: run_of(job), attempt: 1 };
        refuses(&office.host("h1", &it(), retried), "its content is erased");
    }
}

#[test]
fn what_a_person_cancelled_no_attempt_prints() {
    let retried = || PrintRetried { run: run_of("report"), attempt: 1 };
    let mut office = Office::new();
    office.spool("report").does("user/ana", cancelled(None));
    refuses(&office.host("h1", &it(), retried()), "somebody did not want it");
    let mut office = Office::new();
    office.spool("report").submit().does("user/ana", cancel_requested()).says(cancelled(None));
    refuses(&office.host("h1", &it(), retried()), "somebody did not want it");
    // What its host gave up, because its run was stopped, the next attempt prints.
    let mut office = Office::new();
    office.spool("report").says(cancelled(None)).says(retried()).submit();
}

#[test]
fn what_somebody_wants_cancelled_is_not_submitted_even_where_nothing_was_sent_yet() {
    let mut office = Office::new();
    office.spool("report").submit().does("user/ana", cancel_requested());
    let again = office.by("user/bob", &it(), cancel_requested());
    refuses(&again, "that is asked for already");
    office.says(PrintDeferred { reason: why() });
    refuses(&office.host("h1", &it(), office.submitted(&it())), "somebody wants it cancelled");
    let mut other = office.clone();
    other.says(cancelled(None));
    office.does("user/bob", held()).says(cancelled(None));
    assert!(matches!(office.document(&it()).state, State::Cancelled { .. }));
}

#[test]
fn a_document_goes_to_another_queue_with_all_that_queue_asks_for() {
    let table = [
        ("report", false, "upstairs", Ok(())),
        ("report", false, "office", Err("it is in that queue already")),
        (
            "report",
            false,
            "guarded",
            Err("that queue asks for somebody to release it: hold it first"),
        ),
        ("report", true, "guarded", Ok(())),
        (
            "report",
            false,
            "vault",
            Err("that queue asks for somebody to release it: hold it first"),
        ),
        ("report", true, "vault", Err("that queue asks for a code, and it has none")),
        ("report", true, "small", Err("it is over the limits of its queue")),
        ("report", true, "light", Err("it is over the limits of its queue")),
        ("report", true, "plain", Err("its queue takes no such documents")),
        ("report", true, "server", Ok(())),
        ("secret", true, "vault", Ok(())),
        ("secret", true, "upstairs", Ok(())),
        (
            "secret",
            false,
            "upstairs",
            Err("whoever gave its code waits at another printer: hold it first"),
        ),
        ("checks", false, "upstairs", Err("a form is printed where its stock lies")),
        ("checks", true, "upstairs", Err("a form is printed where its stock lies")),
    ];
    for (job, hold, queue, wanted) in table {
        let mut office = Office::new();
        office.spool(job);
        let is_held = office.document(&it()).state.word() == "held";
        if is_held && !hold {
            office.does("user/ana", released(true));
        } else if hold && !is_held {
            office.does("user/ana", held());
        }
        let mark = office.by("user/ana", &it(), moved(&office, queue));
        match wanted {
            Err(why) => refuses(&mark, why),
            Ok(()) => {
                assert_eq!(mark, Mark::Valid, "{job} to {queue}");
                assert_eq!(office.document(&it()).queue, queue);
            }
        }
    }
    let mut office = Office::new();
    office.spool("report");
    let other =
        PrintMoved { definition: office.queue_reference("office"), ..moved(&office, "upstairs") };
    let mark = office.by("user/ana", &it(), other);
    refuses(&mark, "another definition of the queue is active");
    // Where it went, it is submitted, and nowhere else.
    let to = moved(&office, "upstairs");
    let old = office.submitted(&it());
    office.does("user/ana", to);
    refuses(&office.host("h1", &it(), old), "that is not its printing");
    office.submit();
}

#[test]
fn what_is_changed_stays_within_what_can_be_printed() {
    let pages = |text: &str| Some(vec![text.parse().unwrap()]);
    let change = changed(None, None);
    let table: Vec<(&str, PrintChanged, Result<u32, &str>)> = vec![
        ("report", PrintChanged { priority: Some(100), ..change.clone() }, Ok(10)),
        (
            "report",
            PrintChanged { priority: Some(0), ..change.clone() },
            Err("a priority is 1 to 100"),
        ),
        (
            "report",
            PrintChanged { priority: Some(101), ..change.clone() },
            Err("a priority is 1 to 100"),
        ),
        ("report", PrintChanged { copies: Some(3), ..change.clone() }, Ok(30)),
        ("report", PrintChanged { copies: Some(0), ..change.clone() }, Err("1 to 999 copies")),
        ("report", PrintChanged { copies: Some(1_000), ..change.clone() }, Err("1 to 999 copies")),
        ("report", PrintChanged { pages: pages("2-4"), ..change.clone() }, Ok(3)),
        ("report", PrintChanged { pages: pages("9-"), copies: Some(2), ..change.clone() }, Ok(4)),
        (
            "report",
            PrintChanged { pages: pages("11"), ..change.clone() },
            Err("the document has 10 pages only"),
        ),
        (
            "report",
            PrintChanged { keep_ms: Some(CENTURY_MS + 1), ..change.clone() },
            Err("it is kept for a century at most"),
        ),
        ("report", PrintChanged { keep_ms: Some(0), ..change.clone() }, Ok(10)),
        (
            "checks",
            PrintChanged { copies: Some(2), ..change.clone() },
            Err("a form is printed once"),
        ),
        ("checks", PrintChanged { copies: Some(1), ..change.clone() }, Ok(10)),
        ("checks", PrintChanged { pages: pages("2-4"), ..change }, Ok(3)),
    ];
    for (job, event, wanted) in table {
        let mut office = Office::with_stock();
        office.spool(job);
        let mark = office.by("user/ana", &it(), event);
        match wanted {
            Err(why) => refuses(&mark, why),
            Ok(expected) => {
                valid(&mark);
                assert_eq!(office.document(&it()).expected(), expected);
                office.submit();
            }
        }
    }
}

#[test]
fn a_submission_is_what_is_asked_for_counted_on_and_made_once() {
    let table: &[(Wrong, &str)] = &[
        (|e| e.number = 2, "it is counted otherwise"),
        (|e| e.round = 2, "that is not its printing"),
        (|e| e.queue = "upstairs".to_owned(), "that is not its printing"),
        (|e| e.expected = 11, "that is not what is asked for"),
        (|e| e.definition.number = 9, "there is no such definition of the queue"),
        (
            |e| e.numbers = Some(Numbers { form: CHECKS.to_owned(), first: 1, last: 10 }),
            "the numbers it is printed on are said otherwise",
        ),
    ];
    let mut office = Office::new();
    office.spool("report");
    for (change, why) in table {
        let mut event = office.submitted(&it());
        change(&mut event);
        refuses(&office.host("h1", &it(), event), why);
    }
    for round in 1..=30 {
        assert_eq!(office.document(&it()).submission().map_or(0, |one| one.number), round - 1);
        office.submit();
        refuses(&office.host("h1", &it(), office.submitted(&it())), "it is releasing, not ready");
        office.says(PrintDeferred { reason: why() });
    }
    assert!(office.document(&it()).submissions.len() <= 20);
    office.print();
    let deferred = office.host("h1", &it(), PrintDeferred { reason: why() });
    refuses(&deferred, "it is printing, not releasing");
}

#[test]
fn nothing_is_submitted_while_its_queue_is_held_and_a_stopped_printer_stops_nobody() {
    let mut office = Office::new();
    office.spool("report");
    let queue = queue_id("office");
    refuses(&office.by("user/ana", &queue, QueueReleased { reason: why() }), "it is not held");
    let anonymous = office.draft(&queue, QueueHeld { reason: why() });
    refuses(&office.judge("console/c1", anonymous), "it does not say who does it");
    valid(&office.by("user/ana", &queue, QueueHeld { reason: why() }));
    refuses(&office.by("user/bob", &queue, QueueHeld { reason: why() }), "it is held already");
    refuses(&office.host("h1", &it(), office.submitted(&it())), "its queue is held");
    valid(&office.by("user/bob", &queue, QueueReleased { reason: why() }));
    let nowhere = office.by("user/bob", &queue_id("nowhere"), QueueHeld { reason: why() });
    refuses(&nowhere, "there is no such queue");
    let stopped = |host: &str, troubles: &[&str]| QueueStopped {
        host: host.to_owned(),
        troubles: troubles.iter().map(|one| (*one).to_owned()).collect(),
    };
    let continued = |host: &str| QueueContinued { host: host.to_owned() };
    let own = "a host speaks for itself only";
    refuses(&office.host("h1", &queue, stopped("h2", &["x"])), own);
    refuses(&office.host("h1", &queue, stopped("h1", &[])), "1 to 20 troubles");
    refuses(&office.host("h1", &queue, stopped("h1", &["x"; 21])), "1 to 20 troubles");
    refuses(&office.host("h1", &queue, continued("h1")), "it was not said to be stopped");
    valid(&office.host("h1", &queue, stopped("h1", &["x"])));
    refuses(&office.host("h1", &queue, stopped("h1", &["x"])), "the log knows this already");
    valid(&office.host("h2", &queue, stopped("h2", &["x"])));
    refuses(&office.host("h2", &queue, continued("h1")), own);
    valid(&office.host("h1", &queue, continued("h1")));
    assert_eq!(office.queue("office").stopped.keys().collect::<Vec<_>>(), ["h2"]);
    office.submit();
}

#[test]
fn what_was_counted_is_compared_with_what_was_asked_for() {
    for (counted, agrees, wanted) in [
        (Some(10), Some(true), true),
        (Some(10), Some(false), false),
        (Some(10), None, false),
        (Some(9), Some(false), true),
        (Some(9), Some(true), false),
        (None, None, true),
        (None, Some(true), false),
    ] {
        let mut office = Office::new();
        office.spool("report").print();
        let event = PrintCompleted { impressions: counted, agrees, ..office.completed(None) };
        let mark = office.host("h1", &it(), event);
        assert_eq!(mark == Mark::Valid, wanted, "{counted:?} {agrees:?}");
        assert_eq!(office.document(&it()).differs(), wanted && agrees == Some(false));
    }
}

#[test]
fn what_was_not_sent_has_no_pages_and_who_resolves_says_how_they_know() {
    let mut office = Office::new();
    office.spool("report").print();
    let counted = office.host("h1", &it(), failed(false, Some(3)));
    refuses(&counted, "the printer counted pages of what was not sent");
    let mut none = office.clone();
    none.says(failed(false, Some(0)));
    office.says(unknown());
    let resolved = |impressions, evidence: &str| {
        let evidence = evidence.to_owned();
        PrintResolved { impressions, evidence }
    };
    refuses(&office.by("user/ana", &it(), resolved(10, " ")), "say how it is known");
    for (impressions, state) in [(0, "failed"), (9, "failed"), (10, "printed"), (11, "printed")] {
        let mut office = office.clone();
        office.does("user/ana", resolved(impressions, "seen"));
        assert_eq!(office.document(&it()).state.word(), state, "{impressions}");
        // Even where nobody saw a sheet: no attempt prints it again by itself.
        let retried = PrintRetried { run: run_of("report"), attempt: 1 };
        let mark = office.host("h1", &it(), retried);
        refuses(&mark, "something of it was sent, or it has not ended");
    }
}

#[test]
fn a_delivery_is_told_once_and_tried_again_by_a_person() {
    let mut office = Office::new();
    office.spool("mixed");
    for none in [0, 4] {
        refuses(&office.host("h1", &it(), delivered(none)), "there is no such delivery");
        refuses(&office.host("h1", &it(), undelivered(none)), "there is no such delivery");
    }
    office.says(delivered(1)).says(undelivered(2));
    for known in [1, 2] {
        let told = "what became of it is said already";
        refuses(&office.host("h1", &it(), delivered(known)), told);
        refuses(&office.host("h1", &it(), undelivered(known)), told);
    }
    assert_eq!(office.document(&it()).undelivered(), 1);
    let retried = |deliveries: &[u32]| PrintDeliveryRetried {
        deliveries: deliveries.to_vec(),
        reason: why(),
    };
    for (wrong, why) in [
        (vec![], "1 to 500 deliveries"),
        (vec![2; 501], "1 to 500 deliveries"),
        (vec![1], "one of them has not failed"),
        (vec![2, 3], "one of them has not failed"),
    ] {
        refuses(&office.by("user/ana", &it(), retried(&wrong)), why);
    }
    office.does("user/ana", retried(&[2]));
    assert_eq!(office.document(&it()).undelivered(), 2);
    office.says(delivered(2)).says(delivered(3));
    assert_eq!(office.document(&it()).undelivered(), 0);
    let mut office = Office::new();
    office.spool("mixed").says(undelivered(1)).says(PrintErased { reason: EraseReason::Lost });
    refuses(&office.by("user/ana", &it(), retried(&[1])), "its content is erased");
}

#[test]
fn content_is_kept_as_long_as_was_asked_for_and_erased_once() {
    let kept = || PrintErased { reason: EraseReason::Kept };
    let early = "it is to be kept for longer";
    let week = 7 * 86_400_000;
    let mut office = Office::new();
    office.spool("mixed").print().complete(Some(10));
    office.wait(week + 10_000);
    refuses(&office.host("h1", &it(), kept()), early);
    for delivery in 1..=3 {
        office.says(delivered(delivery));
    }
    office.wait(week - 2_001);
    refuses(&office.host("h1", &it(), kept()), early);
    // A host's clock may be a little ahead.
    office.wait(1);
    let mut saved = office.clone();
    saved.does("user/ana", changed(None, Some(2 * week)));
    assert_eq!(saved.document(&it()).word(), "saved");
    refuses(&saved.host("h1", &it(), kept()), early);
    office.says(kept());
    refuses(&office.host("h1", &it(), kept()), "it is erased already");
    let again = PrintReprintRequested { pages: None, reason: why() };
    refuses(&office.by("user/ana", &it(), again), "its content is erased");
    for state in ["ready", "held", "unknown"] {
        let mut office = Office::new();
        office.spool("report").bring(state);
        office.wait(100 * week);
        refuses(&office.host("h1", &it(), kept()), early);
    }
}

#[test]
fn what_is_erased_goes_nowhere_any_more() {
    let erased = "its content is erased";
    let lost = || PrintErased { reason: EraseReason::Lost };
    let mut office = Office::new();
    office.spool("report").says(lost());
    refuses(&office.host("h1", &it(), office.submitted(&it())), erased);
    let mut office = Office::new();
    office.spool("report").bring("failed-unsent").says(lost());
    refuses(&office.by("user/ana", &it(), released(false)), erased);
    refuses(&office.by("user/ana", &it(), changed(None, Some(1))), erased);
    let mut office = Office::with_stock();
    office.spool("checks").says(lost());
    refuses(&office.host("h1", &form_id(CHECKS), office.allocated(&it())), erased);
}

#[test]
fn a_printer_that_stops_says_why_and_not_more_than_fits() {
    let mut office = Office::new();
    office.spool("report").print();
    for count in [0, 21] {
        let troubles = vec!["x".to_owned(); count];
        let mark = office.host("h1", &it(), PrintStopped { troubles, impressions: None });
        refuses(&mark, "1 to 20 troubles");
    }
    office.says(PrintStopped { troubles: vec!["x".to_owned(); 20], impressions: None });
}
